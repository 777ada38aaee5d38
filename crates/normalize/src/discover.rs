//! The feeds that a web page names (`link rel="alternate"`, HTML section 4.6.7), and where blogs of the usual platforms
//! keep theirs. Asks nobody.

use serde::Serialize;
use url::Url;

use crate::decode::decode;
use crate::page::{self, attribute, has_rel};
use crate::text::plain_title;

/// How many feeds of a page are told of; a page that names more lists something else.
const MOST: usize = 100;

/// Where blogs of the usual platforms keep their feed, from the root of the host.
const USUAL_PLACES: [&str; 9] = [
    "/feed/",
    "/rss/",
    "/feed.xml",
    "/rss.xml",
    "/atom.xml",
    "/index.xml",
    "/feeds/posts/default",
    "/feed.json",
    "/rss",
];

/// What a page says that a feed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CandidateKind {
    /// RSS of any version.
    Rss,
    /// Atom.
    Atom,
    /// JSON Feed.
    Json,
}

impl CandidateKind {
    /// The word in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rss => "rss",
            Self::Atom => "atom",
            Self::Json => "json",
        }
    }
}

/// A feed that a page names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Where it lies.
    pub url: Url,
    /// What the page calls it.
    pub title: Option<String>,
    /// What the page says it is.
    pub kind: CandidateKind,
}

impl Candidate {
    /// Whether it holds the posts of the whole blog: neither comments nor a part.
    pub fn is_of_the_whole_blog(&self) -> bool {
        let title = self.title.as_deref();
        !is_of_comments(&self.url, title) && !is_of_a_part(&self.url, title)
    }
}

/// The feeds that a page at `base` names, best first: in the page's order, the blog's own before those of its
/// categories, tags and authors, and feeds of comments last.
pub fn discover(body: &[u8], content_type: Option<&str>, base: &Url) -> Vec<Candidate> {
    let html = decode(body, content_type).text;
    let mut found: Vec<Candidate> = Vec::new();
    page::elements(&html, base, "link[href][type]", |link, base| {
        let kind = attribute(link, "type")
            .and_then(|kind| kind_of(&kind))
            .filter(|_| has_rel(link, &["alternate", "feed"]));
        let url = attribute(link, "href").and_then(|href| base.join(&href));
        if let (Some(kind), Some(url)) = (kind, url)
            && matches!(url.scheme(), "http" | "https")
            && found.len() < MOST
            && !found.iter().any(|known| known.url == url)
        {
            let title = attribute(link, "title").and_then(|title| plain_title(&title, false));
            found.push(Candidate { url, title, kind });
        }
    });
    found.sort_by_key(|candidate| {
        let title = candidate.title.as_deref();
        if is_of_comments(&candidate.url, title) {
            2
        } else {
            u8::from(is_of_a_part(&candidate.url, title))
        }
    });
    found
}

/// Where a platform keeps the feed of the blog or channel at this address, when it is known to and its pages do not
/// all say so.
pub fn feed_of_platform(url: &Url) -> Option<Url> {
    let host = url.host_str()?;
    let host = host.strip_prefix("www.").unwrap_or(host);
    let parts: Vec<&str> = url.path_segments()?.filter(|part| !part.is_empty()).collect();
    let query = |name: &str| {
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    let videos = |name: &str, value: &str| {
        Url::parse_with_params("https://www.youtube.com/feeds/videos.xml", [(name, value)]).ok()
    };
    match (host, parts.as_slice()) {
        ("youtube.com" | "m.youtube.com", ["channel", id, ..]) => videos("channel_id", id),
        ("youtube.com" | "m.youtube.com", ["user", name, ..]) => videos("user", name),
        ("youtube.com" | "m.youtube.com", ["playlist"]) => videos("playlist_id", &query("list")?),
        ("medium.com", [who, ..]) if *who != "feed" => {
            Url::parse(&format!("https://medium.com/feed/{who}")).ok()
        }
        ("tumblr.com", [who]) => Url::parse(&format!("https://{who}.tumblr.com/rss")).ok(),
        (host, []) if host.ends_with(".medium.com") || host.ends_with(".substack.com") => {
            url.join("/feed").ok()
        }
        (host, []) if host.ends_with(".tumblr.com") => url.join("/rss").ok(),
        _ => None,
    }
}

/// Where a blog whose page at `page` names no feed may have one: beside the page, then at the root of its host.
pub fn usual_places(page: &Url) -> Vec<Url> {
    let mut folder = page.clone();
    folder.set_query(None);
    if !folder.path().ends_with('/') {
        folder.set_path(&format!("{}/", page.path()));
    }
    let beside = (folder.path() != "/")
        .then(|| folder.join("feed/").ok())
        .flatten();
    let of_host = USUAL_PLACES.iter().filter_map(|place| page.join(place).ok());
    beside.into_iter().chain(of_host).collect()
}

/// Whether a feed with this address and title holds comments, which others than the blogger write.
pub fn is_of_comments(url: &Url, title: Option<&str>) -> bool {
    let title = title.unwrap_or_default().to_lowercase();
    title.contains("comment")
        || title.contains("sylwadau")
        || url.path().to_lowercase().contains("comment")
        || url.query().is_some_and(|query| query.contains("comments"))
}

/// Whether it holds a part of a blog: a category, a tag, what one of several authors writes.
fn is_of_a_part(url: &Url, title: Option<&str>) -> bool {
    const PATHS: [&str; 5] = ["/category/", "/categories/", "/tag/", "/tags/", "/author/"];
    const ENDS: [&str; 4] = ["category feed", "tag feed", "categori", "posts by"];
    let title = title.unwrap_or_default().to_lowercase();
    let path = url.path().to_lowercase();
    PATHS.iter().any(|part| path.contains(part))
        || path.starts_with("/feeds/posts/default/-/")
        || ENDS.iter().any(|words| title.contains(words))
}

fn kind_of(media_type: &str) -> Option<CandidateKind> {
    match media_type.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "application/rss+xml" | "application/rdf+xml" | "application/xml" | "text/xml" => {
            Some(CandidateKind::Rss)
        }
        "application/atom+xml" => Some(CandidateKind::Atom),
        "application/feed+json" => Some(CandidateKind::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_page_names() {
        let page = r#"<!doctype html><html><head>
            <base href="/blog/">
            <link rel="alternate" type="application/rss+xml" title="Blog &raquo; Comments Feed" href="comments/feed/">
            <LINK REL='home ALTERNATE' TYPE='application/rss+xml; charset=utf-8' TITLE='Blog &amp; more' HREF='feed/?a=1&amp;b=2'>
            <link rel=alternate type=application/atom+xml href=//other.example/atom.xml>
            <link rel="alternate" type="application/feed+json" href="feed.json">
            <link rel="alternate" type="application/rss+xml" href="feed/?a=1&amp;b=2">
            <link rel="alternate" type="application/json" href="/wp-json/">
            <link rel="alternate" type="text/xml+oembed" href="/oembed">
            <link rel="stylesheet" type="application/rss+xml" href="/no">
            <link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
            </head><body></body></html>"#;
        let found = discover(
            page.as_bytes(),
            None,
            &Url::parse("https://blog.example/x").unwrap(),
        );
        let found: Vec<_> = found
            .iter()
            .map(|c| (c.url.as_str(), c.title.as_deref(), c.kind))
            .collect();
        assert_eq!(
            found,
            [
                (
                    "https://blog.example/blog/feed/?a=1&b=2",
                    Some("Blog & more"),
                    CandidateKind::Rss
                ),
                ("https://other.example/atom.xml", None, CandidateKind::Atom),
                ("https://blog.example/blog/feed.json", None, CandidateKind::Json),
                (
                    "https://blog.example/blog/comments/feed/",
                    Some("Blog » Comments Feed"),
                    CandidateKind::Rss
                ),
            ]
        );
    }

    #[test]
    fn parts_stand_below_the_whole_and_comments_last() {
        let page = r#"<link rel=alternate type=application/rss+xml title="A post » Comments Feed" href=/a-post/feed/>
            <link rel=alternate type=application/rss+xml title="Blog » Democracy Category Feed" href=/category/democracy/feed/>
            <link rel=alternate type=application/atom+xml href=/tag/x/feed>
            <link rel=alternate type=application/atom+xml href=/feeds/1/comments/default>
            <link rel=alternate type=application/rss+xml title="Blog » Feed" href=/feed/>"#;
        let found = discover(
            page.as_bytes(),
            None,
            &Url::parse("https://blog.example/").unwrap(),
        );
        let paths: Vec<&str> = found.iter().map(|candidate| candidate.url.path()).collect();
        assert_eq!(
            paths,
            [
                "/feed/",
                "/category/democracy/feed/",
                "/tag/x/feed",
                "/a-post/feed/",
                "/feeds/1/comments/default"
            ]
        );
    }

    #[test]
    fn a_page_of_ten_thousand_feeds_tells_of_a_hundred() {
        let page = (0..10_000).fold(String::new(), |page, n| {
            page + &format!("<link rel=alternate type=text/xml href=/{n}><a href=/{n}>x</a>")
        });
        let base = Url::parse("https://blog.example/").unwrap();
        assert_eq!(discover(page.as_bytes(), None, &base).len(), MOST);
    }

    #[test]
    fn platforms_keep_their_feeds_where_they_do() {
        for (page, feed) in [
            (
                "https://www.youtube.com/channel/UC123/videos",
                "https://www.youtube.com/feeds/videos.xml?channel_id=UC123",
            ),
            (
                "https://www.youtube.com/playlist?list=PL1",
                "https://www.youtube.com/feeds/videos.xml?playlist_id=PL1",
            ),
            (
                "https://medium.com/@somebody/a-post-1a2b",
                "https://medium.com/feed/@somebody",
            ),
            ("https://somebody.medium.com/", "https://somebody.medium.com/feed"),
            (
                "https://letters.substack.com",
                "https://letters.substack.com/feed",
            ),
            ("https://somebody.tumblr.com/", "https://somebody.tumblr.com/rss"),
            (
                "https://www.tumblr.com/somebody",
                "https://somebody.tumblr.com/rss",
            ),
        ] {
            let found = feed_of_platform(&Url::parse(page).unwrap());
            assert_eq!(found.as_ref().map(Url::as_str), Some(feed), "{page}");
        }
        for page in [
            "https://blog.example/",
            "https://medium.com/feed/@somebody",
            "https://www.youtube.com/@somebody",
        ] {
            assert_eq!(feed_of_platform(&Url::parse(page).unwrap()), None, "{page}");
        }
        let places = usual_places(&Url::parse("https://council.example/blogs/digital?page=2").unwrap());
        assert_eq!(places[0].as_str(), "https://council.example/blogs/digital/feed/");
        assert_eq!(places[1].as_str(), "https://council.example/feed/");
        assert_eq!(
            usual_places(&Url::parse("https://blog.example/").unwrap())[0].path(),
            "/feed/"
        );
    }

    #[test]
    fn a_page_may_name_none() {
        let base = Url::parse("https://blog.example/").unwrap();
        assert!(discover(b"", None, &base).is_empty());
        assert!(discover(b"<link rel=alternate type=application/rss+xml", None, &base).is_empty());
    }
}
