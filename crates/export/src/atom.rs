//! Atom 1.0 (RFC 4287), with licences (RFC 4946), archives (RFC 5005), what was withdrawn (RFC 6721) and a hub
//! (WebSub section 4).

use model::{Entry, Site};

use crate::address::{blog, enclosures, original};
use crate::feed_info::FeedInfo;
use crate::instant::rfc3339;
use crate::licence::licence_url;
use crate::xml::Xml;

/// The feed as an Atom document. `entries` stand as given.
pub fn atom(info: &FeedInfo<'_>, entries: &[Entry]) -> String {
    let mut writer = AtomWriter::new(info);
    for entry in entries {
        writer.entry(entry);
    }
    writer.finish()
}

/// An Atom document written entry by entry, for one that is too large to hold.
pub struct AtomWriter<'a> {
    site: &'a Site,
    xml: Xml,
}

impl<'a> AtomWriter<'a> {
    /// A document that begins with the feed's head.
    pub fn new(info: &FeedInfo<'a>) -> Self {
        let mut xml = Xml::new();
        write_head(&mut xml, info);
        Self { site: info.site, xml }
    }

    /// Writes an entry.
    pub fn entry(&mut self, entry: &Entry) {
        write_entry(&mut self.xml, self.site, entry);
    }

    /// What has been written since the last time.
    pub fn take(&mut self) -> String {
        self.xml.take()
    }

    /// The rest of the document.
    pub fn finish(mut self) -> String {
        self.xml.close("feed");
        self.xml.finish()
    }
}

fn write_head(xml: &mut Xml, info: &FeedInfo<'_>) {
    if let Some(stylesheet) = info.stylesheet() {
        xml.instruction("xml-stylesheet", &stylesheet);
    }
    xml.open(
        "feed",
        &[
            ("xmlns", "http://www.w3.org/2005/Atom"),
            ("xmlns:fh", "http://purl.org/syndication/history/1.0"),
            ("xml:lang", &info.site.language),
        ],
    );
    xml.text("id", &[], &info.id("atom"));
    xml.text("title", &[], &info.title);
    if !info.subtitle.is_empty() {
        xml.text("subtitle", &[], &info.subtitle);
    }
    xml.text("updated", &[], &rfc3339(info.updated));
    xml.empty(
        "link",
        &[
            ("rel", "alternate"),
            ("type", "text/html"),
            ("href", &info.page()),
        ],
    );
    for (rel, address) in info.links("atom") {
        match rel {
            "hub" => xml.empty("link", &[("rel", rel), ("href", &address)]),
            _ => xml.empty(
                "link",
                &[("rel", rel), ("type", "application/atom+xml"), ("href", &address)],
            ),
        }
    }
    if info.is_archive() {
        xml.empty("fh:archive", &[]);
    }
    info.write_note(xml);
    for withdrawal in &info.withdrawn {
        xml.empty(
            "at:deleted-entry",
            &[
                ("xmlns:at", "http://purl.org/atompub/tombstones/1.0"),
                ("ref", &withdrawal.id),
                ("when", &rfc3339(withdrawal.at)),
            ],
        );
    }
}

fn write_entry(xml: &mut Xml, site: &Site, entry: &Entry) {
    match &entry.language {
        Some(language) => xml.open("entry", &[("xml:lang", language)]),
        None => xml.open("entry", &[]),
    }
    xml.text("id", &[], &entry.id);
    xml.text("title", &[], &entry.heading());
    xml.empty(
        "link",
        &[
            ("rel", "alternate"),
            ("type", "text/html"),
            ("href", &original(site, entry)),
        ],
    );
    for enclosure in enclosures(entry) {
        let length = enclosure.size_bytes.map(|size| size.to_string());
        let mut attributes = vec![("rel", "enclosure"), ("href", enclosure.url.as_str())];
        attributes.extend(enclosure.media_type.as_deref().map(|kind| ("type", kind)));
        attributes.extend(length.as_deref().map(|length| ("length", length)));
        xml.empty("link", &attributes);
    }
    xml.text("published", &[], &rfc3339(entry.published));
    xml.text("updated", &[], &rfc3339(entry.updated));
    xml.open("author", &[]);
    xml.text("name", &[], &entry.author);
    xml.text("uri", &[], &blog(site, &entry.member));
    xml.close("author");
    for topic in &entry.topics {
        let name = site
            .topic(&topic.slug)
            .map_or(topic.slug.as_str(), |topic| &topic.name);
        xml.empty(
            "category",
            &[
                ("term", &topic.slug),
                ("scheme", &site.absolute("/topics/")),
                ("label", name),
            ],
        );
    }
    for tag in &entry.hashtags {
        xml.empty(
            "category",
            &[("term", tag), ("scheme", &site.absolute("/hashtags/"))],
        );
    }
    for category in &entry.categories {
        xml.empty("category", &[("term", category)]);
    }
    if let Some(licence) = &entry.licence {
        xml.text("rights", &[], licence);
        if let Some(url) = licence_url(licence) {
            xml.empty("link", &[("rel", "license"), ("href", &url)]);
        }
    }
    xml.text("summary", &[], &entry.summary);
    if let Some(html) = &entry.content_html {
        xml.text("content", &[("type", "html")], html.as_str());
    }
    // Last, so that a reader that takes the first id, title or link it meets takes the entry's own.
    let blog = blog(site, &entry.member);
    xml.open("source", &[]);
    xml.text("id", &[], &entry.feed_url);
    xml.text("title", &[], &entry.member.name);
    xml.empty("link", &[("rel", "self"), ("href", &entry.feed_url)]);
    xml.empty(
        "link",
        &[("rel", "alternate"), ("type", "text/html"), ("href", &blog)],
    );
    xml.text("updated", &[], &rfc3339(entry.updated));
    xml.close("source");
    xml.close("entry");
}

#[cfg(test)]
mod tests {
    use super::{AtomWriter, atom};
    use crate::feed_info::ArchiveLinks;
    use crate::sample::{HOSTILE, enclosures, entry, hostile, info, site};
    use crate::xml::strict::{Element, read};

    #[test]
    fn pieces_make_the_same_document() {
        let site = site();
        let (info, entries) = (info(&site), [entry("aaaaaaaa"), entry("bbbbbbbb")]);
        let mut writer = AtomWriter::new(&info);
        let mut pieces = String::new();
        for entry in &entries {
            writer.entry(entry);
            pieces.push_str(&writer.take());
        }
        assert_eq!(pieces + &writer.finish(), atom(&info, &entries));
    }

    #[test]
    fn every_promised_part_reads_back() {
        let site = site();
        let mut full = entry("aaaaaaaa");
        full.licence = Some("CC-BY-NC-4.0".to_owned());
        let feed = read(&atom(&info(&site), std::slice::from_ref(&full)));
        assert_eq!(feed.child("id").text, "https://voice.example.org/feed.atom");
        assert_eq!(
            feed.link("link", "self"),
            Some("https://voice.example.org/feed.atom")
        );
        assert_eq!(feed.link("link", "alternate"), Some("https://voice.example.org/"));
        assert_eq!(feed.link("link", "hub"), Some("https://hub.example.org/"));
        let read = feed.child("entry");
        assert_eq!(read.attribute("xml:lang"), "en");
        assert_eq!(read.child("id").text, full.id);
        assert_eq!(read.child("title").text, "Hello & <welcome>");
        assert_eq!(read.link("link", "alternate"), full.url.as_deref());
        assert_eq!(
            read.link("link", "license"),
            Some("https://creativecommons.org/licenses/by-nc/4.0/")
        );
        assert_eq!(read.child("published").text, "2015-02-03T09:30:00Z");
        assert_eq!(read.child("updated").text, "2015-02-04T10:00:00Z");
        assert_eq!(read.child("author").child("name").text, full.author);
        assert_eq!(
            read.child("content").text,
            full.content_html.as_ref().unwrap().as_str()
        );
        assert_eq!(read.child("summary").text, full.summary);
        let schemes: Vec<_> = read
            .all("category")
            .map(|c| (c.attribute("term"), c.attributes.len()))
            .collect();
        assert_eq!(
            schemes,
            [("democracy", 3), ("localgovdigital", 2), ("Council meetings", 1)]
        );
        assert_eq!(read.children.last().unwrap().name, "source");
        let source = read.child("source");
        assert_eq!(source.child("title").text, "An example blog");
        assert_eq!(source.link("link", "self"), Some("https://blog.example/feed"));
        assert_eq!(source.link("link", "alternate"), Some("https://blog.example/"));
    }

    #[test]
    fn what_is_attached_is_linked_with_what_is_known_of_it() {
        let site = site();
        let mut episode = entry("aaaaaaaa");
        episode.enclosures = enclosures();
        let feed = read(&atom(&info(&site), &[episode, hostile()]));
        let attached = |entry: &Element| -> Vec<Vec<String>> {
            let links = entry
                .all("link")
                .filter(|link| link.attribute("rel") == "enclosure");
            links
                .map(|link| {
                    let values = link.attributes.iter().skip(1);
                    values.map(|(_, value)| value.clone()).collect()
                })
                .collect()
        };
        let entries: Vec<_> = feed.all("entry").collect();
        assert_eq!(
            attached(entries[0]),
            [
                vec![
                    "https://blog.example/files/episode.mp3?a=1&b=2",
                    "audio/mpeg",
                    "24986239"
                ],
                vec!["https://blog.example/files/notes?a=1&b=2"]
            ]
        );
        assert!(attached(entries[1]).is_empty());
    }

    #[test]
    fn hostile_characters_are_neutralised() {
        let site = site();
        let entry = hostile();
        let feed = read(&atom(&info(&site), std::slice::from_ref(&entry)));
        let read = feed.child("entry");
        let clean = model::clean_text(HOSTILE);
        assert_eq!(read.child("title").text, clean);
        assert_eq!(read.child("summary").text, clean);
        assert_eq!(read.child("author").child("name").text, clean);
    }

    #[test]
    fn an_entry_without_link_or_title_still_has_both() {
        let site = site();
        let mut bare = entry("bbbbbbbb");
        (bare.url, bare.title) = (None, None);
        let feed = read(&atom(&info(&site), &[bare]));
        let read = feed.child("entry");
        assert_eq!(
            read.link("link", "alternate"),
            Some("https://voice.example.org/entries/bbbbbbbb")
        );
        assert_eq!(
            read.child("title").text,
            "What we learned when the council let everybody speak at…"
        );
    }

    #[test]
    fn what_left_is_named_and_a_browser_is_told_what_this_is() {
        let site = site();
        let mut info = info(&site);
        info.withdrawn = vec![model::Withdrawal {
            id: "tag:voice.example.org,2015:cccccccc".to_owned(),
            key: "cccccccc".to_owned(),
            at: crate::sample::at("2015-02-05T00:00:00Z"),
        }];
        let text = atom(&info, &[]);
        assert!(
            text.contains("<?xml-stylesheet type=\"text/css\" href=\"https://voice.example.org/feed.css\"?>")
        );
        let feed = read(&text);
        let deleted = feed.child("at:deleted-entry");
        assert_eq!(deleted.attribute("ref"), "tag:voice.example.org,2015:cccccccc");
        assert_eq!(deleted.attribute("when"), "2015-02-05T00:00:00Z");
        let links = feed.child("div").all("p").last().unwrap().all("a");
        assert!(
            links
                .map(|a| a.attribute("href"))
                .eq(["https://voice.example.org/feeds", "https://voice.example.org/"])
        );
        info.style = None;
        assert!(!atom(&info, &[]).contains("<div"));
    }

    #[test]
    fn archive_pages_share_the_feeds_id() {
        let site = site();
        let mut info = info(&site);
        info.path = "/archive/2".to_owned();
        info.archive = Some(ArchiveLinks {
            prev_archive: Some("/archive/1".to_owned()),
            next_archive: None,
            current: Some("/feed".to_owned()),
        });
        let feed = read(&atom(&info, &[]));
        assert_eq!(feed.child("id").text, "https://voice.example.org/feed.atom");
        assert_eq!(
            feed.link("link", "self"),
            Some("https://voice.example.org/archive/2.atom")
        );
        assert_eq!(
            feed.link("link", "prev-archive"),
            Some("https://voice.example.org/archive/1.atom")
        );
        assert_eq!(feed.link("link", "next-archive"), None);
        feed.child("fh:archive");
    }
}
