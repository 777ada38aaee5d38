//! The entry as JSON (contract section 5), and the document of `/entries.json`. Its keys stand in one place.

use model::{
    AlsoIn, Entry, EntryDraft, Image, Member, SafeHtml, Site, TopicMatch, Withdrawal, reading_minutes,
};
use serde::Serialize;

use crate::address::entry_page;
use crate::instant::rfc3339;
use crate::json::json;

/// One entry with every key of the contract, in its order. Write it with [`json()`](crate::json()).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntryJson<'a> {
    key: Option<&'a str>,
    id: &'a str,
    url: Option<&'a str>,
    html_url: Option<String>,
    title: Option<&'a str>,
    summary: &'a str,
    #[serde(skip_serializing_if = "Content::is_left_out")]
    content_html: Content<'a>,
    author: Option<&'a str>,
    member: Option<&'a Member>,
    also_in: &'a [AlsoIn],
    published: Option<String>,
    updated: Option<String>,
    released: Option<String>,
    language: Option<&'a str>,
    words: u32,
    reading_minutes: u32,
    topics: &'a [TopicMatch],
    hashtags: &'a [String],
    categories: &'a [String],
    image: Option<&'a Image>,
    licence: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Html(&'a SafeHtml),
    /// `null`: the member gives excerpts.
    Withheld,
    /// No key at all: digests have none.
    LeftOut,
}

impl Content<'_> {
    fn is_left_out(&self) -> bool {
        matches!(self, Self::LeftOut)
    }
}

/// The entry with its whole post where the member gives it.
pub fn entry_json<'a>(site: &Site, entry: &'a Entry) -> EntryJson<'a> {
    EntryJson {
        content_html: entry
            .content_html
            .as_ref()
            .map_or(Content::Withheld, Content::Html),
        ..entry_json_without_content(site, entry)
    }
}

/// The entry without the key `content_html`, as digests have it.
pub fn entry_json_without_content<'a>(site: &Site, entry: &'a Entry) -> EntryJson<'a> {
    EntryJson {
        key: Some(&entry.key),
        id: &entry.id,
        url: entry.url.as_deref(),
        html_url: Some(entry_page(site, entry)),
        title: entry.title.as_deref(),
        summary: &entry.summary,
        content_html: Content::LeftOut,
        author: Some(&entry.author),
        member: Some(&entry.member),
        also_in: &entry.also_in,
        published: Some(rfc3339(entry.published)),
        updated: Some(rfc3339(entry.updated)),
        released: Some(rfc3339(entry.released)),
        language: entry.language.as_deref(),
        words: entry.words,
        reading_minutes: reading_minutes(entry.words),
        topics: &entry.topics,
        hashtags: &entry.hashtags,
        categories: &entry.categories,
        image: entry.image.as_ref(),
        licence: entry.licence.as_deref(),
    }
}

/// A feed's entry as far as it is known without a registry (contract section 4): whole text, no key, page,
/// member or release; `id` is the feed's own identity for it.
pub fn draft_json(draft: &EntryDraft) -> EntryJson<'_> {
    EntryJson {
        key: None,
        id: &draft.source_id,
        url: draft.link.as_deref(),
        html_url: None,
        title: draft.title.as_deref(),
        summary: &draft.summary,
        content_html: Content::Html(&draft.content_html),
        author: draft.author.as_deref(),
        member: None,
        also_in: &[],
        published: draft.published.map(rfc3339),
        updated: draft.updated.map(rfc3339),
        released: None,
        language: draft.language.as_deref(),
        words: draft.words,
        reading_minutes: reading_minutes(draft.words),
        topics: &draft.topics,
        hashtags: &draft.hashtags,
        categories: &draft.categories,
        image: draft.image.as_ref(),
        licence: draft.licence.as_deref(),
    }
}

/// One line of `/entries.json`.
#[derive(Debug, Clone, Copy)]
pub enum ExportItem<'a> {
    /// An entry.
    Entry(&'a Entry),
    /// What was withdrawn; only `changed_since` shows these.
    Withdrawn(&'a Withdrawal),
}

impl<'a> From<&'a Entry> for ExportItem<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self::Entry(entry)
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Item<'a> {
    Entry(Box<EntryJson<'a>>),
    Withdrawn {
        id: &'a str,
        key: &'a str,
        withdrawn: String,
    },
}

#[derive(Serialize)]
struct Page<'a> {
    #[serde(rename = "$schema")]
    schema: String,
    title: &'a str,
    url: &'a str,
    next: Option<&'a str>,
    entries: Vec<Item<'a>>,
}

/// The document of `/entries.json`: its own absolute address, its entries (or [`ExportItem`]s) as given, and
/// the absolute address of what follows.
pub fn entries_json<'a>(
    site: &Site,
    url: &str,
    entries: impl IntoIterator<Item = impl Into<ExportItem<'a>>>,
    next: Option<&str>,
) -> String {
    json(&Page {
        schema: site.absolute("/schemas/entries-1.json"),
        title: &site.title,
        url,
        next,
        entries: entries
            .into_iter()
            .map(|item| match item.into() {
                ExportItem::Entry(entry) => Item::Entry(Box::new(entry_json(site, entry))),
                ExportItem::Withdrawn(Withdrawal { id, key, at }) => Item::Withdrawn {
                    id,
                    key,
                    withdrawn: rfc3339(*at),
                },
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::sample::{HOSTILE, at, entry, hostile, keys, site};
    use crate::schemas;

    const KEYS: [&str; 21] = [
        "key",
        "id",
        "url",
        "html_url",
        "title",
        "summary",
        "content_html",
        "author",
        "member",
        "also_in",
        "published",
        "updated",
        "released",
        "language",
        "words",
        "reading_minutes",
        "topics",
        "hashtags",
        "categories",
        "image",
        "licence",
    ];

    #[test]
    fn every_key_in_its_order() {
        let site = site();
        let full = entry("aaaaaaaa");
        assert_eq!(keys(&json(&entry_json(&site, &full))), KEYS);
        let mut bare = full.clone();
        (bare.url, bare.title, bare.content_html, bare.language) = (None, None, None, None);
        let text = json(&entry_json(&site, &bare));
        assert_eq!(keys(&text), KEYS);
        let value: Value = serde_json::from_str(&text).unwrap();
        for key in ["url", "title", "content_html", "language", "image", "licence"] {
            assert!(value[key].is_null(), "{key}");
        }
        let without = keys(&json(&entry_json_without_content(&site, &full)));
        assert!(without.len() == 20 && !without.contains(&"content_html".to_owned()));
    }

    #[test]
    fn the_document_is_what_its_schema_says() {
        let site = site();
        let (full, hostile) = (entry("aaaaaaaa"), hostile());
        let withdrawal = Withdrawal {
            id: "tag:voice.example.org,2015:cccccccc".to_owned(),
            key: "cccccccc".to_owned(),
            at: at("2015-02-05T00:00:00.5Z"),
        };
        let items = [
            ExportItem::Entry(&full),
            ExportItem::Entry(&hostile),
            ExportItem::Withdrawn(&withdrawal),
        ];
        let next = Some("https://voice.example.org/entries.json?cursor=x");
        let text = entries_json(&site, "https://voice.example.org/entries.json", items, next);
        assert_eq!(keys(&text), ["$schema", "title", "url", "next", "entries"]);
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            document["entries"][1]["title"],
            model::clean_text(HOSTILE).as_ref()
        );
        assert_eq!(document["entries"][2]["withdrawn"], "2015-02-05T00:00:00Z");
        schemas::tests::assert_valid(schemas::ENTRIES, &document);
        // A list of entries is taken as it is.
        assert!(
            entries_json(&site, "https://voice.example.org/entries.json", &[full], None)
                .contains("\"next\":null")
        );
    }
}
