//! RSS 2.0 with Dublin Core creators, whole posts in `content:encoded` and Atom links.
//!
//! Readers take an item's `description` for HTML, so plain text is escaped twice there; titles, names, categories,
//! licences and what the channel says of itself are plain text, escaped once and by number, as the RSS Advisory Board's
//! profile has it.

use model::{Entry, Site};

use crate::address::{enclosures, media_type, original};
use crate::feed_info::FeedInfo;
use crate::instant::rfc822;
use crate::licence::licence_url;
use crate::xml::{Xml, escape_html};

/// The feed as an RSS document. `entries` stand as given.
pub fn rss(info: &FeedInfo<'_>, entries: &[Entry]) -> String {
    let mut xml = Xml::new();
    if let Some(stylesheet) = info.stylesheet() {
        xml.instruction("xml-stylesheet", &stylesheet);
    }
    xml.open(
        "rss",
        &[
            ("version", "2.0"),
            ("xmlns:atom", "http://www.w3.org/2005/Atom"),
            ("xmlns:content", "http://purl.org/rss/1.0/modules/content/"),
            (
                "xmlns:creativeCommons",
                "http://backend.userland.com/creativeCommonsRssModule",
            ),
            ("xmlns:dc", "http://purl.org/dc/elements/1.1/"),
            ("xmlns:fh", "http://purl.org/syndication/history/1.0"),
        ],
    );
    xml.open("channel", &[]);
    xml.plain_text("title", &[], &info.title);
    xml.text("link", &[], &info.page());
    let description = if info.subtitle.is_empty() {
        &info.title
    } else {
        &info.subtitle
    };
    xml.plain_text("description", &[], description);
    xml.text("language", &[], &info.site.language);
    xml.text("lastBuildDate", &[], &rfc822(info.updated));
    for (rel, address) in info.links("rss") {
        match rel {
            "hub" => xml.empty("atom:link", &[("rel", rel), ("href", &address)]),
            _ => xml.empty(
                "atom:link",
                &[("rel", rel), ("type", "application/rss+xml"), ("href", &address)],
            ),
        }
    }
    if info.is_archive() {
        xml.empty("fh:archive", &[]);
    }
    info.write_note(&mut xml);
    for entry in entries {
        write_item(&mut xml, info.site, entry);
    }
    xml.close("channel");
    xml.close("rss");
    xml.finish()
}

fn write_item(xml: &mut Xml, site: &Site, entry: &Entry) {
    match &entry.language {
        Some(language) => xml.open("item", &[("xml:lang", language)]),
        None => xml.open("item", &[]),
    }
    if let Some(title) = &entry.title {
        xml.plain_text("title", &[], title);
    }
    xml.text("link", &[], &original(site, entry));
    xml.text("guid", &[("isPermaLink", "false")], &entry.id);
    xml.text("pubDate", &[], &rfc822(entry.published));
    xml.text("dc:creator", &[], &entry.author);
    // Readers know one of them only (RSS Best Practices Profile, "enclosure"), and a length of 0 for one that is not known.
    if let Some(enclosure) = enclosures(entry).next() {
        let length = enclosure.size_bytes.unwrap_or(0).to_string();
        xml.empty(
            "enclosure",
            &[
                ("url", &enclosure.url),
                ("length", &length),
                ("type", media_type(enclosure)),
            ],
        );
    }
    for topic in &entry.topics {
        xml.text("category", &[("domain", &site.absolute("/topics/"))], &topic.slug);
    }
    for tag in &entry.hashtags {
        xml.text("category", &[("domain", &site.absolute("/hashtags/"))], tag);
    }
    for category in &entry.categories {
        xml.plain_text("category", &[], category);
    }
    if let Some(licence) = &entry.licence {
        xml.plain_text("dc:rights", &[], licence);
        if let Some(url) = licence_url(licence) {
            xml.text("creativeCommons:license", &[], &url);
        }
    }
    xml.text("description", &[], &escape_html(&entry.summary));
    if let Some(html) = &entry.content_html {
        xml.text("content:encoded", &[], html.as_str());
    }
    xml.plain_text("source", &[("url", &entry.feed_url)], &entry.member.name);
    xml.close("item");
}

#[cfg(test)]
mod tests {
    use super::{FeedInfo, rss};
    use crate::sample::{HOSTILE, enclosures, entry, hostile, info, site};
    use crate::xml::strict::read;

    #[test]
    fn every_promised_part_reads_back() {
        let site = site();
        let mut full = entry("aaaaaaaa");
        full.licence = Some("CC-BY-NC-4.0".to_owned());
        let document = read(&rss(&info(&site), std::slice::from_ref(&full)));
        let channel = document.child("channel");
        assert_eq!(
            channel.link("atom:link", "self"),
            Some("https://voice.example.org/feed.rss")
        );
        assert_eq!(
            channel.child("lastBuildDate").text,
            "Sun, 08 Feb 2015 12:00:00 GMT"
        );
        let item = channel.child("item");
        assert_eq!(item.child("title").text, "Hello & <welcome>");
        assert_eq!(item.child("link").text, full.url.clone().unwrap());
        assert_eq!(item.child("guid").text, full.id);
        assert_eq!(item.child("guid").attribute("isPermaLink"), "false");
        assert_eq!(item.child("pubDate").text, "Tue, 03 Feb 2015 09:30:00 GMT");
        assert_eq!(item.child("dc:creator").text, full.author);
        assert_eq!(item.child("dc:rights").text, "CC-BY-NC-4.0");
        assert_eq!(
            item.child("content:encoded").text,
            full.content_html.as_ref().unwrap().as_str()
        );
        assert_eq!(
            item.child("creativeCommons:license").text,
            "https://creativecommons.org/licenses/by-nc/4.0/"
        );
        assert_eq!(item.attribute("xml:lang"), "en");
        assert_eq!(item.child("source").attribute("url"), "https://blog.example/feed");
        assert_eq!(channel.child("div").all("p").count(), 3);
    }

    #[test]
    fn no_title_and_no_whole_post_are_left_out() {
        let site = site();
        let mut bare = entry("bbbbbbbb");
        (bare.title, bare.content_html) = (None, None);
        let document = read(&rss(&info(&site), &[bare]));
        let item = document.child("channel").child("item");
        assert_eq!(item.all("title").count(), 0);
        assert_eq!(item.all("content:encoded").count(), 0);
    }

    #[test]
    fn one_file_is_attached_with_all_that_the_format_wants() {
        let site = site();
        let mut episode = entry("aaaaaaaa");
        episode.enclosures = enclosures();
        let mut unknown = entry("bbbbbbbb");
        unknown.enclosures = enclosures().split_off(1);
        let document = read(&rss(&info(&site), &[episode, unknown, hostile()]));
        let attached: Vec<_> = document
            .child("channel")
            .all("item")
            .flat_map(|item| item.all("enclosure"))
            .map(|enclosure| ["url", "length", "type"].map(|name| enclosure.attribute(name).to_owned()))
            .collect();
        assert_eq!(
            attached,
            [
                [
                    "https://blog.example/files/episode.mp3?a=1&b=2",
                    "24986239",
                    "audio/mpeg"
                ],
                [
                    "https://blog.example/files/notes?a=1&b=2",
                    "0",
                    "application/octet-stream"
                ]
            ]
        );
    }

    #[test]
    fn the_channel_speaks_of_itself_in_plain_text() {
        let site = site();
        let info = FeedInfo {
            title: "Search: \"bins & <b>\"".to_owned(),
            subtitle: String::new(),
            ..info(&site)
        };
        let text = rss(&info, &[]);
        assert!(
            text.contains("<description>Search: \"bins &#x26; &#x3C;b&#x3E;\"</description>"),
            "{text}"
        );
    }

    #[test]
    fn names_categories_and_licences_are_plain_text() {
        let site = site();
        let mut entry = entry("aaaaaaaa");
        entry.member.name = "Bits & <b>bobs".to_owned();
        entry.categories = vec!["C & <canvas>".to_owned()];
        entry.licence = Some("<b>All rights".to_owned());
        let text = rss(&info(&site), &[entry]);
        for element in [
            "<source url=\"https://blog.example/feed\">Bits &#x26; &#x3C;b&#x3E;bobs</source>",
            "<category>C &#x26; &#x3C;canvas&#x3E;</category>",
            "<dc:rights>&#x3C;b&#x3E;All rights</dc:rights>",
        ] {
            assert!(text.contains(element), "{text}");
        }
    }

    #[test]
    fn hostile_characters_are_neutralised() {
        let site = site();
        let document = read(&rss(&info(&site), &[hostile()]));
        let item = document.child("channel").child("item");
        assert_eq!(item.child("title").text, model::clean_text(HOSTILE));
        let description = &item.child("description").text;
        assert!(!description.contains('<'), "{description}");
        assert_eq!(
            quick_xml::escape::unescape(description).unwrap(), // as a reader of HTML does
            model::clean_text(HOSTILE)
        );
    }
}
