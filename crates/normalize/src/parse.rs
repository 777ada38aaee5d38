//! Text to a feed in our own words, by whichever reader suits it: feed-rs for RSS in which there is nothing to mend
//! and nothing that it reads over, [`crate::dialect`] for all other XML, [`crate::json_feed`] for JSON Feed.
//!
//! What comes out is not judged: links may be relative or no links at all, texts may hold any markup.

use chrono_tz::Tz;
use url::Url;

use crate::dates::FeedDate;
use crate::document::Format;
use crate::error::ReadError;
use crate::problem::Problem;
use crate::repair::{find_root, plain_entries};
use crate::{dialect, json_feed, library};

/// A feed as its reader found it.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) format: Format,
    pub(crate) title: Option<Raw>,
    pub(crate) links: Vec<Link>,
    pub(crate) language: Option<String>,
    pub(crate) rights: Option<String>,
    pub(crate) authors: Vec<String>,
    /// RSS `ttl`, in minutes.
    pub(crate) ttl: Option<u32>,
    pub(crate) entries: Vec<Entry>,
    /// What had to be mended on the way.
    pub(crate) problems: Vec<Problem>,
}

/// An entry as its reader found it.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// `guid`, `id` or `rdf:about`; empty if there is none.
    pub(crate) id: String,
    pub(crate) links: Vec<Link>,
    pub(crate) title: Option<Raw>,
    pub(crate) summary: Option<Raw>,
    pub(crate) content: Option<Raw>,
    /// Where Atom content lies that is not in the feed.
    pub(crate) content_src: Option<String>,
    pub(crate) authors: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) published: Option<FeedDate>,
    pub(crate) updated: Option<FeedDate>,
    pub(crate) rights: Option<String>,
    pub(crate) language: Option<String>,
    /// What `xml:base` says around the content.
    pub(crate) base: Option<String>,
    /// Pictures, best first.
    pub(crate) pictures: Vec<String>,
    /// Addresses of all that is attached.
    pub(crate) media: Vec<String>,
    /// What of it is said to be attached, rather than shown beside the post.
    pub(crate) enclosures: Vec<Attached>,
    /// What `source` names: the site of the feed that it was taken from, else that feed.
    pub(crate) source: Option<String>,
    /// Whether the document broke off in it.
    pub(crate) partial: bool,
}

/// A link, resolved as far as the document tells.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) href: String,
    /// Lower case; `None` for the plain link of RSS and for `alternate`.
    pub(crate) rel: Option<String>,
    pub(crate) kind: Option<String>,
}

/// Something attached, as the feed gave it.
#[derive(Debug)]
pub(crate) struct Attached {
    /// Resolved as far as the document tells.
    pub(crate) url: String,
    pub(crate) kind: Option<String>,
    pub(crate) length: Option<String>,
}

/// Text as it stood in the feed.
#[derive(Debug, Clone)]
pub(crate) enum Raw {
    Html(String),
    Plain(String),
}

impl Raw {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Html(text) | Self::Plain(text) => text,
        }
    }

    pub(crate) fn is_html(&self) -> bool {
        matches!(self, Self::Html(_))
    }
}

/// Reads a document that lies at `url`; dates without a zone are in `zone`.
pub(crate) fn parse(text: &str, url: Option<&Url>, zone: Tz) -> Result<Feed, ReadError> {
    if text.starts_with(['{', '[']) {
        return json_feed::read(text, zone);
    }
    let root = find_root(text)?;
    if let Some(entries) = plain_entries(text, &root)
        && let Some(feed) = library::read(&text[root.start..], root.format, url, zone)
        && feed.entries.len() == entries
    {
        return Ok(feed);
    }
    Ok(dialect::read(text, &root, url, zone))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    /// What both readers make of a document in which there is nothing to mend; `None` if there is.
    fn both(text: &str) -> Option<[String; 2]> {
        let url = Url::parse("https://blog.example/feed").unwrap();
        let zone = chrono_tz::Europe::London;
        let root = find_root(text).ok()?;
        plain_entries(text, &root)?;
        let library = library::read(&text[root.start..], root.format, Some(&url), zone)?;
        let dialect = dialect::read(text, &root, Some(&url), zone);
        Some([library, dialect].map(|feed| format!("{feed:#?}")))
    }

    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else {
                found.push(path);
            }
        }
    }

    fn only_entry(text: &str) -> Entry {
        let url = Url::parse("https://blog.example/feed").unwrap();
        let mut feed = parse(text, Some(&url), chrono_tz::Europe::London).unwrap();
        assert_eq!(feed.entries.len(), 1, "{text}");
        feed.entries.remove(0)
    }

    #[test]
    fn elements_of_the_other_family_are_read_too() {
        let rss = |fields: &str| {
            only_entry(&format!(
                "<rss version='2.0'><channel><item>{fields}</item></channel></rss>"
            ))
        };
        let atom = |fields: &str| {
            only_entry(&format!(
                "<feed xmlns='http://www.w3.org/2005/Atom'><entry>{fields}</entry></feed>"
            ))
        };
        let entry = rss(
            "<id>https://blog.example/1</id><published>2026-10-05T09:00:00Z</published><summary>Words</summary>",
        );
        assert_eq!(entry.id, "https://blog.example/1");
        assert!(entry.published.is_some() && entry.summary.is_some());
        assert!(
            rss("<title>t</title><lastBuildDate>2026-10-05T09:00:00Z</lastBuildDate>")
                .updated
                .is_some()
        );
        for link in [
            "<link url='https://blog.example/1'/>",
            "<link href='https://blog.example/1'/>",
        ] {
            assert_eq!(
                rss(&format!("<title>t</title>{link}")).links[0].href,
                "https://blog.example/1"
            );
        }
        let entry = atom(
            "<guid>https://blog.example/1</guid><pubDate>2026-10-05T09:00:00Z</pubDate><description>Words</description>",
        );
        assert_eq!(entry.id, "https://blog.example/1");
        assert!(entry.published.is_some() && entry.summary.is_some());
    }

    #[test]
    fn what_is_said_twice_or_once_too_often_is_read_the_same_by_both_readers() {
        let rss = |fields: &str| {
            only_entry(&format!(
                "<rss version=\"2.0\"><channel><item>{fields}</item></channel></rss>"
            ))
        };
        let twice = rss("<title>One</title><title>Two</title><link>https://blog.example/1</link>");
        assert_eq!(twice.title.unwrap().as_str(), "One");
        let dates =
            rss("<title>t</title><pubDate>Mon, 05 Oct 2026 09:00:00 GMT</pubDate><pubDate>soon</pubDate>");
        assert!(matches!(dates.published, Some(FeedDate::At { .. })));
        for quote in ['"', '\''] {
            let entry = rss(&format!("<guid isPermaLink={quote}true{quote}>1</guid>"));
            assert_eq!(entry.links[0].href, "https://blog.example/1");
        }
    }

    #[test]
    fn a_broken_name_of_a_field_takes_no_other_field_with_it() {
        let entry = only_entry(
            "<feed xmlns='http://www.w3.org/2005/Atom'><entry><titleOne</title><link href='https://blog.example/1'/>\
             <id>1</id></entry></feed>",
        );
        assert_eq!((entry.id.as_str(), entry.links.len()), ("1", 1));
    }

    #[test]
    fn a_field_that_was_left_open_takes_no_other_with_it() {
        let fields = "<link>https://blog.example/1</link><pubDate>Mon, 05 Oct 2026 09:00:00 GMT</pubDate>";
        for (left_open, in_it) in [
            ("<guid>1<x>", ""),
            ("<description>Words", ""),
            ("<description><p>Words", ""),
            ("<author><name>A. Example</name>", "</author>"),
            ("<enclosure url='https://blog.example/1.mp3'/\n", ""),
            ("<enclosure url='https://blog.example/1.mp3'>", ""),
        ] {
            // In which a link may stand.
            let (before, after) = fields.split_at(fields.find("<pubDate").unwrap());
            let item = format!("<title>One</title>{before}{left_open}{after}{in_it}");
            let entry = only_entry(&format!(
                "<rss version='2.0'><channel><item>{item}</item></channel></rss>"
            ));
            assert!(entry.published.is_some(), "{item}");
            assert_eq!(entry.links.len(), 1, "{item}");
        }
        let entry = only_entry(
            "<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>1</id><contributor><name>B. Example</name>\
             <updated>2026-10-05T09:00:00Z</updated><content type='html'>Words<published>2026-10-05T09:00:00Z</published></entry></feed>",
        );
        assert!(entry.updated.is_some() && entry.published.is_some());
        assert_eq!(entry.content.unwrap().as_str(), "Words");
    }

    #[test]
    fn a_comment_that_was_begun_wrongly_hides_no_feed() {
        let entry = only_entry(
            "<!-[\nentries[0]\n-->\n<rss version='2.0'><channel><item><title>One</title></item></channel></rss>",
        );
        assert_eq!(entry.title.unwrap().as_str(), "One");
    }

    #[test]
    fn a_feed_in_an_envelope_or_within_a_page_is_found() {
        let feed = "<rss version='2.0'><channel><item><title>One</title></item></channel></rss>";
        for around in [
            ["<s:Envelope xmlns:s='urn:s'><s:Body>", "</s:Body></s:Envelope>"],
            [
                "<!doctype html><html><head><script>1</script></head><body>",
                "</body></html>",
            ],
        ] {
            let entry = only_entry(&around.join(feed));
            assert_eq!(entry.title.unwrap().as_str(), "One");
        }
        for feed in [
            "<feed version='0.3' xmlns='http://purl.org/atom/ns#'><entry><title>One</title></entry></feed>",
            "<rdf:RDF xmlns='http://purl.org/rss/1.0/' xmlns:rdf='urn:rdf'><item><title>One</title></item></rdf:RDF>",
        ] {
            let entry = only_entry(&format!("<html><body>{feed}"));
            assert_eq!(entry.title.unwrap().as_str(), "One");
        }
        for page in [
            "<html><body><channel><item>x</item></channel></body></html>",
            "<html><body>an <rss version='2.0'> without posts</body></html>",
        ] {
            let error = parse(page, None, chrono_tz::Europe::London).unwrap_err();
            assert!(error.to_string().contains("web page"), "{page}: {error}");
        }
    }

    #[test]
    fn a_root_is_what_it_is_called_whatever_its_namespace() {
        for (open, close) in [
            (
                "<x:rss xmlns:x='https://elsewhere.example/' version='2.0'><x:channel><x:item>",
                "</x:item></x:channel></x:rss>",
            ),
            (
                "<x:feed xmlns:x='https://elsewhere.example/'><x:entry>",
                "</x:entry></x:feed>",
            ),
        ] {
            let entry = only_entry(&format!("{open}<x:title>One</x:title>{close}"));
            assert_eq!(entry.title.unwrap().as_str(), "One");
        }
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "tests may read feeds that the repository does not carry"
    )]
    fn both_readers_say_the_same_of_a_plain_feed() {
        let mut found = Vec::new();
        files(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"),
            &mut found,
        );
        if let Ok(shared) = std::env::var("VOICE_TEST_SHARED") {
            files(&Path::new(&shared).join("blogs"), &mut found);
        }
        let mut compared = 0;
        for path in found {
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            if let Some([library, dialect]) = both(&text) {
                assert_eq!(library, dialect, "{}", path.display());
                compared += 1;
            }
        }
        assert!(compared >= 1, "no fixture is plain");
    }
}
