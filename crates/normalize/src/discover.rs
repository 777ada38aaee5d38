//! The feeds that a web page names (`link rel="alternate"`, HTML section 4.6.7). Asks nobody and guesses no
//! addresses.

use std::cell::{Cell, RefCell};

use lol_html::{RewriteStrSettings, element, rewrite_str};
use serde::Serialize;
use url::Url;

use crate::decode::decode;
use crate::entities::decode_references;
use crate::text::plain_title;

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

/// The feeds that a page at `base` names, best first: in the page's order, feeds of comments after all others.
pub fn discover(body: &[u8], content_type: Option<&str>, base: &Url) -> Vec<Candidate> {
    let html = decode(body, content_type).text;
    let found: RefCell<Vec<Candidate>> = RefCell::default();
    let base = RefCell::new(base.clone());
    let based = Cell::new(false);
    let settings = RewriteStrSettings::new()
        .with_strict(false)
        .append_element_content_handler(element!("base[href]", |element| {
            let href = element.get_attribute("href").unwrap_or_default();
            let joined = base.borrow().join(decode_references(&href).trim());
            if let (false, Ok(url)) = (based.replace(true), joined) {
                base.replace(url);
            }
            Ok(())
        }))
        .append_element_content_handler(element!("link[href][type]", |link| {
            let attribute = |name| {
                link.get_attribute(name)
                    .map(|value| decode_references(&value).into_owned())
            };
            let rel = attribute("rel").unwrap_or_default();
            let is_feed = rel
                .split_ascii_whitespace()
                .any(|token| token.eq_ignore_ascii_case("alternate") || token.eq_ignore_ascii_case("feed"));
            let kind = attribute("type")
                .and_then(|kind| kind_of(&kind))
                .filter(|_| is_feed);
            let url = attribute("href").and_then(|href| base.borrow().join(href.trim()).ok());
            if let (Some(kind), Some(url)) = (kind, url)
                && matches!(url.scheme(), "http" | "https")
                && !found.borrow().iter().any(|known| known.url == url)
            {
                let title = attribute("title").and_then(|title| plain_title(&title, false));
                found.borrow_mut().push(Candidate { url, title, kind });
            }
            Ok(())
        }));
    // On an error, what was found before it is what there is.
    let _ = rewrite_str(&html, settings);
    let mut found = found.into_inner();
    found.sort_by_key(is_of_comments);
    found
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

fn is_of_comments(candidate: &Candidate) -> bool {
    let title = candidate.title.as_deref().unwrap_or_default().to_lowercase();
    title.contains("comment")
        || title.contains("sylwadau")
        || candidate.url.path().to_lowercase().contains("comment")
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
    fn a_page_may_name_none() {
        let base = Url::parse("https://blog.example/").unwrap();
        assert!(discover(b"", None, &base).is_empty());
        assert!(discover(b"<link rel=alternate type=application/rss+xml", None, &base).is_empty());
    }
}
