//! OPML 2.0: members' own feeds, to subscribe to one by one.

use chrono::{DateTime, Utc};
use model::{Member, Site};

use crate::address::blog;
use crate::instant::rfc822;
use crate::xml::Xml;

/// A feed of a member.
#[derive(Debug, Clone, Copy)]
pub struct Outline<'a> {
    /// Who writes it.
    pub member: &'a Member,
    /// Where the feed is.
    pub feed_url: &'a str,
}

/// The list as an OPML document. `outlines` stand as given; `type` is `rss` whatever the feed's format (OPML
/// 2.0, "subscription lists").
pub fn opml(site: &Site, title: &str, outlines: &[Outline<'_>], updated: DateTime<Utc>) -> String {
    let mut xml = Xml::new();
    xml.open("opml", &[("version", "2.0")]);
    xml.open("head", &[]);
    xml.text("title", &[], title);
    xml.text("dateModified", &[], &rfc822(updated));
    xml.text("ownerName", &[], &site.title);
    xml.text("ownerId", &[], &site.url);
    xml.text("docs", &[], "http://opml.org/spec2.opml");
    xml.close("head");
    xml.open("body", &[]);
    for outline in outlines {
        let name = &outline.member.name;
        xml.empty(
            "outline",
            &[
                ("type", "rss"),
                ("text", name),
                ("title", name),
                ("xmlUrl", outline.feed_url),
                ("htmlUrl", &blog(site, outline.member)),
            ],
        );
    }
    xml.close("body");
    xml.close("opml");
    xml.finish()
}

#[cfg(test)]
mod tests {
    use super::{Outline, opml};
    use crate::sample::{HOSTILE, at, member, site};
    use crate::xml::strict::read;

    #[test]
    fn outlines_read_back() {
        let mut hostile = member("hostile");
        hostile.name = HOSTILE.to_owned();
        let plain = member("plain");
        let outlines = [
            Outline {
                member: &plain,
                feed_url: "https://blog.example/feed?a=1&b=2",
            },
            Outline {
                member: &hostile,
                feed_url: "https://hostile.example/feed",
            },
        ];
        let document = read(&opml(&site(), "Everybody", &outlines, at("2015-02-03T00:00:00Z")));
        assert_eq!(document.attribute("version"), "2.0");
        assert_eq!(document.child("head").child("title").text, "Everybody");
        let read: Vec<_> = document.child("body").all("outline").collect();
        assert_eq!(read[0].attribute("text"), "An example blog");
        assert_eq!(read[0].attribute("xmlUrl"), "https://blog.example/feed?a=1&b=2");
        assert_eq!(read[0].attribute("htmlUrl"), "https://blog.example/");
        assert_eq!(read[1].attribute("text"), model::clean_text(HOSTILE));
    }
}
