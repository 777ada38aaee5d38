//! What a feed says of itself, whichever format it is written in.

use chrono::{DateTime, Utc};
use model::{Site, Withdrawal};

use crate::xml::{Xml, escape_html};

/// A feed's head. Paths begin with a slash and are made absolute with the site's address.
#[derive(Debug, Clone)]
pub struct FeedInfo<'a> {
    /// The site that gives the feed out.
    pub site: &'a Site,
    /// The feed's title.
    pub title: String,
    /// One line under it; may be empty.
    pub subtitle: String,
    /// The feed's path without its extension, which is put before a query: `/feed`, `/search/feed?q=x`.
    pub path: String,
    /// The page that shows the same entries.
    pub html_path: String,
    /// When anything in it last changed.
    pub updated: DateTime<Utc>,
    /// Its place in an archive (RFC 5005 section 4), if it has one.
    pub archive: Option<ArchiveLinks>,
    /// What left it.
    pub withdrawn: Vec<Withdrawal>,
    /// The path of the stylesheet with which a browser shows it.
    pub style: Option<&'a str>,
}

/// What a feed says of itself to people who open it in a browser.
pub(crate) const NOTE: [&str; 2] = [
    "This is a feed: a list of posts for a feed reader, a program that brings you new posts by itself.",
    "To subscribe, copy the address of this page and paste it into your feed reader.",
];

/// Neighbours in an archive of feeds (RFC 5005 section 4): paths without their extension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveLinks {
    /// The archive page with the entries before these.
    pub prev_archive: Option<String>,
    /// The archive page with the entries after these.
    pub next_archive: Option<String>,
    /// The feed that this is an archive page of; `None` for that feed itself.
    pub current: Option<String>,
}

impl FeedInfo<'_> {
    /// The feed's own address in the format with this extension.
    pub fn address(&self, extension: &str) -> String {
        self.site.absolute(&with_extension(&self.path, extension))
    }

    /// The feed's identity: archive pages share that of the feed they belong to (RFC 5005 section 4).
    pub(crate) fn id(&self, extension: &str) -> String {
        let current = self.archive.as_ref().and_then(|archive| archive.current.as_ref());
        self.site
            .absolute(&with_extension(current.unwrap_or(&self.path), extension))
    }

    /// What a browser is told: the stylesheet, by its address.
    pub(crate) fn stylesheet(&self) -> Option<String> {
        let address = self.site.absolute(self.style?);
        Some(format!("type=\"text/css\" href=\"{}\"", escape_html(&address)))
    }

    /// A few words for people who open the feed in a browser, as XHTML. No reader shows them.
    pub(crate) fn write_note(&self, xml: &mut Xml) {
        if self.style.is_none() {
            return;
        }
        xml.open(
            "div",
            &[("xmlns", "http://www.w3.org/1999/xhtml"), ("xml:lang", "en")],
        );
        for text in NOTE {
            xml.text("p", &[], text);
        }
        xml.open("p", &[]);
        xml.text(
            "a",
            &[("href", &self.site.absolute("/feeds"))],
            "How to subscribe",
        );
        xml.text("a", &[("href", &self.page())], "The same posts as a page");
        xml.close("p");
        xml.close("div");
    }

    /// The page's address.
    pub(crate) fn page(&self) -> String {
        self.site.absolute(&self.html_path)
    }

    /// Whether this is a page of an archive rather than the feed that people subscribe to. One that stands alone is as
    /// much as there is, and still grows.
    pub(crate) fn is_archive(&self) -> bool {
        self.archive.as_ref().is_some_and(|archive| {
            archive.current.is_some() && (archive.prev_archive.is_some() || archive.next_archive.is_some())
        })
    }

    /// The links that Atom and RSS share as `rel` and address: `self`, the hub (WebSub section 4) and the
    /// archive's.
    pub(crate) fn links(&self, extension: &str) -> Vec<(&'static str, String)> {
        let mut links = vec![("self", self.address(extension))];
        if let Some(hub) = &self.site.hub {
            links.push(("hub", hub.to_string()));
        }
        if let Some(archive) = &self.archive {
            for (rel, path) in [
                ("prev-archive", &archive.prev_archive),
                ("next-archive", &archive.next_archive),
                ("current", &archive.current),
            ] {
                if let Some(path) = path {
                    links.push((rel, self.site.absolute(&with_extension(path, extension))));
                }
            }
        }
        links
    }

    /// The archive page before this one, in the format with this extension.
    pub(crate) fn older(&self, extension: &str) -> Option<String> {
        let path = self.archive.as_ref()?.prev_archive.as_ref()?;
        Some(self.site.absolute(&with_extension(path, extension)))
    }
}

fn with_extension(path: &str, extension: &str) -> String {
    match path.split_once('?') {
        Some((path, query)) => format!("{path}.{extension}?{query}"),
        None => format!("{path}.{extension}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn extensions_stand_before_a_query() {
        assert_eq!(super::with_extension("/feed", "rss"), "/feed.rss");
        assert_eq!(
            super::with_extension("/search/feed?q=a.b", "atom"),
            "/search/feed.atom?q=a.b"
        );
    }
}
