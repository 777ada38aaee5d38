//! JSON Feed 1 and 1.1 (jsonfeed.org), as it is written: numbers for ids, one author or several, attachments without
//! a type, a version by http or none at all, commas too many, escapes that are none, a document that breaks off.
//!
//! Fields of the wrong type are left out, not refused. What has neither a version nor items is no feed.

use chrono_tz::Tz;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::dates;
use crate::dialect::raw_title;
use crate::document::Format;
use crate::error::{Found, ReadError};
use crate::parse::{Attached, Entry, Feed, Link, Raw};
use crate::problem::{self, Kind, Problem};

/// Reads a document that begins with `{` or `[`.
///
/// # Errors
///
/// [`ReadError`] if it is no JSON, or JSON of another kind.
pub(crate) fn read(text: &str, zone: Tz) -> Result<Feed, ReadError> {
    let (document, mut problems) = match parse(text) {
        Ok(document) => (document, Vec::new()),
        Err(error) => mended(text, &error)?,
    };
    let version = document.version.as_str().unwrap_or_default();
    let known = version.contains("jsonfeed.org/version/");
    let sloppy =
        !version.starts_with("https://") || document.title.as_str().is_none() || document.items.is_none();
    let items = document.items.unwrap_or_default();
    // Without a version that we know only items of the known form make it a feed.
    if !known && !items.iter().any(Item::is_entry) {
        return Err(ReadError::NotAFeed { what: Found::Json });
    }
    if sloppy || items.iter().any(|item| item.id.as_str().is_none()) {
        problems.push(problem::JSON_FORM.of_feed());
    }
    Ok(Feed {
        format: Format::Json,
        title: document.title.string().map(raw_title),
        links: links(document.home_page_url, document.feed_url, document.hubs),
        language: document.language.string(),
        rights: None,
        authors: names(document.author, document.authors),
        ttl: None,
        entries: items.into_iter().map(|item| item.entry(zone)).collect(),
        problems,
    })
}

/// A document that is not quite JSON: with line ends and the like inside of texts, with what only programs of JavaScript
/// read, with items that are none, or broken off.
fn mended(text: &str, error: &serde_json::Error) -> Result<(Document, Vec<Problem>), ReadError> {
    let line = error.line();
    let found = |document, kind: Kind| Ok((document, vec![kind.of_line(0, line, 1)]));
    let text = text.replace(|c: char| c < ' ', " ");
    if let Ok(document) = parse(&text) {
        return found(document, problem::CONTROL_CHARACTER);
    }
    let text = as_json(&text);
    if let Ok(document) = parse(&text) {
        return found(document, problem::JSON_FORM);
    }
    if let Some((document, all)) = with_whole_items(&text) {
        return found(
            document,
            if all {
                problem::JSON_FORM
            } else {
                problem::BROKEN_ENTRY
            },
        );
    }
    if let Some(document) =
        completed(&text).and_then(|text| parse(&text).ok().or_else(|| Some(with_whole_items(&text)?.0)))
    {
        return found(document, problem::TRUNCATED);
    }
    Err(if text.contains("jsonfeed.org/version") {
        ReadError::Malformed {
            reason: error.to_string(),
        }
    } else {
        ReadError::NotAFeed { what: Found::Json }
    })
}

fn parse(text: &str) -> Result<Document, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // What follows the document is not read.
    Document::deserialize(&mut deserializer)
}

/// A document of which some items are no objects, without them, and whether it has all of its items; or whose one item
/// stands by itself, or that says something twice.
fn with_whole_items(text: &str) -> Option<(Document, bool)> {
    let mut document: Value = serde_json::from_str(text).ok()?;
    let items = document.get_mut("items")?;
    if items.is_object() {
        *items = Value::Array(vec![items.take()]);
    }
    let items = items.as_array_mut()?;
    let count = items.len();
    items.retain(Value::is_object);
    let all = items.len() == count;
    Some((serde_json::from_value(document).ok()?, all))
}

/// JSON of what JavaScript would read as much: without comments, commas before a bracket, and names of what is no
/// number; in texts, escapes that there are not stand for their letter, and halves of a letter for none.
fn as_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quoted = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '"' => {
                quoted = !quoted;
                out.push(c);
            }
            '\\' if quoted => taken = escape(rest, &mut out),
            _ if quoted => out.push(c),
            '/' if rest.starts_with("/*") => taken = rest.find("*/").map_or(rest.len(), |end| end + 2),
            ']' | '}' => {
                let kept = out.trim_end().trim_end_matches(',').len();
                out.truncate(kept);
                out.push(c);
            }
            'N' | 'I' | 'u' => match ["NaN", "Infinity", "undefined"]
                .iter()
                .find(|name| rest.starts_with(**name))
            {
                Some(name) => {
                    out.push_str("null");
                    taken = name.len();
                }
                None => out.push(c),
            },
            _ => out.push(c),
        }
        rest = &rest[taken..];
    }
    out
}

/// Writes the escape at the start of `rest` as JSON knows it; gives how much of it was read.
fn escape(rest: &str, out: &mut String) -> usize {
    let unit = |at: usize| u16::from_str_radix(rest.get(at..at + 4)?, 16).ok();
    match rest[1..].chars().next() {
        Some('u') => match unit(2) {
            // Two halves that belong together.
            Some(0xd800..=0xdbff)
                if rest.get(6..8) == Some("\\u") && matches!(unit(8), Some(0xdc00..=0xdfff)) =>
            {
                out.push_str(&rest[..12]);
                12
            }
            Some(0xd800..=0xdfff) => {
                out.push('\u{fffd}');
                6
            }
            Some(_) => {
                out.push_str(&rest[..6]);
                6
            }
            None => {
                out.push('u');
                2
            }
        },
        Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => {
            out.push_str(&rest[..2]);
            2
        }
        Some(_) => 1,
        None => rest.len(),
    }
}

/// A document that breaks off, cut after its last whole item and closed.
fn completed(text: &str) -> Option<String> {
    let start = text.find("\"items\"")?;
    let list = start + text[start..].find('[')?;
    let (mut depth, mut quoted, mut escaped, mut whole) = (0, false, false, None);
    for (at, byte) in text.bytes().enumerate().skip(list) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth -= 1;
                if depth == 1 {
                    whole = Some(at + 1);
                }
            }
            _ => {}
        }
    }
    Some(format!("{}]}}", &text[..whole.unwrap_or(list + 1)]))
}

fn link(href: String) -> Link {
    Link {
        href,
        rel: None,
        kind: None,
    }
}

/// The links of a feed: its site, itself, and the hubs of the kind that the web knows as WebSub.
fn links(site: Text, itself: Text, hubs: Value) -> Vec<Link> {
    let related = |rel: &str, href: String| Link {
        rel: Some(rel.to_owned()),
        ..link(href)
    };
    let hubs = list(hubs).filter_map(|hub| {
        let kind = hub.get("type")?.as_str()?;
        let is_known = ["websub", "pubsubhubbub"]
            .iter()
            .any(|known| kind.eq_ignore_ascii_case(known));
        Some(related("hub", hub.get("url")?.as_str()?.to_owned())).filter(|_| is_known)
    });
    let site = site.string().map(link).into_iter();
    site.chain(itself.string().map(|href| related("self", href)))
        .chain(hubs)
        .collect()
}

/// Text as it should be, as a number, or as something else, which is as good as absent.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Text {
    Written(String),
    Number(serde_json::Number),
    Other(IgnoredAny),
    #[default]
    Absent,
}

impl Text {
    fn as_str(&self) -> Option<&str> {
        match self {
            Self::Written(text) => Some(text),
            _ => None,
        }
    }

    fn string(self) -> Option<String> {
        match self {
            Self::Written(text) => Some(text).filter(|text| !text.trim().is_empty()),
            Self::Number(number) => Some(number.to_string()),
            Self::Other(_) | Self::Absent => None,
        }
    }

    fn is_some(&self) -> bool {
        matches!(self, Self::Written(_) | Self::Number(_))
    }
}

#[derive(Debug, Deserialize)]
struct Document {
    #[serde(default)]
    version: Text,
    #[serde(default)]
    title: Text,
    #[serde(default)]
    home_page_url: Text,
    #[serde(default)]
    feed_url: Text,
    #[serde(default)]
    hubs: Value,
    #[serde(default)]
    language: Text,
    #[serde(default)]
    author: Value,
    #[serde(default)]
    authors: Value,
    #[serde(default)]
    items: Option<Vec<Item>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    id: Text,
    url: Text,
    external_url: Text,
    title: Text,
    content_html: Text,
    content_text: Text,
    summary: Text,
    image: Text,
    banner_image: Text,
    date_published: Text,
    date_modified: Text,
    author: Value,
    authors: Value,
    tags: Value,
    language: Text,
    attachments: Value,
}

impl Item {
    /// Whether it says which entry it is, and something of it.
    fn is_entry(&self) -> bool {
        (self.id.is_some() || self.url.is_some())
            && [&self.title, &self.content_html, &self.content_text]
                .iter()
                .any(|said| said.is_some())
    }

    fn entry(self, zone: Tz) -> Entry {
        let date = |text: Text| text.string().and_then(|text| dates::read(&text, zone));
        let attachments: Vec<Attached> = list(self.attachments)
            .filter_map(|attachment| {
                let text = |name: &str| match attachment.get(name)? {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                };
                Some(Attached {
                    url: attachment.get("url")?.as_str()?.to_owned(),
                    kind: text("mime_type"),
                    length: text("size_in_bytes"),
                })
            })
            .collect();
        let pictures = [self.image, self.banner_image]
            .into_iter()
            .filter_map(Text::string);
        Entry {
            id: self.id.string().unwrap_or_default(),
            links: [self.url, self.external_url]
                .into_iter()
                .find_map(Text::string)
                .map(link)
                .into_iter()
                .collect(),
            title: self.title.string().map(raw_title),
            summary: self.summary.string().map(Raw::Plain),
            content: self
                .content_html
                .string()
                .map(Raw::Html)
                .or_else(|| self.content_text.string().map(Raw::Plain)),
            authors: names(self.author, self.authors),
            categories: list(self.tags)
                .filter_map(|tag| tag.as_str().map(str::to_owned))
                .collect(),
            published: date(self.date_published),
            updated: date(self.date_modified),
            language: self.language.string(),
            pictures: pictures.collect(),
            media: attachments.iter().map(|attached| attached.url.clone()).collect(),
            enclosures: attachments,
            ..Entry::default()
        }
    }
}

/// The names of `authors` (1.1), or of the one `author` (1).
fn names(author: Value, authors: Value) -> Vec<String> {
    list(authors)
        .chain([author])
        .filter_map(|person| Some(person.get("name").unwrap_or(&person).as_str()?.to_owned()))
        .collect()
}

fn list(value: Value) -> impl Iterator<Item = Value> {
    match value {
        Value::Array(values) => values,
        Value::Null => Vec::new(),
        single => vec![single],
    }
    .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#""version":"https://jsonfeed.org/version/1.1","title":"B""#;
    const ONE: &str = r#"{"id":"1","title":"One"}"#;

    /// The titles, and the codes of what was mended.
    fn titles(text: &str) -> (Vec<String>, Vec<&'static str>) {
        let feed = read(text, chrono_tz::Europe::London).unwrap_or_else(|error| panic!("{text}: {error}"));
        let title = |entry: Entry| entry.title.map(|title| title.as_str().to_owned());
        let codes = feed.problems.iter().map(|problem| problem.code).collect();
        (feed.entries.into_iter().filter_map(title).collect(), codes)
    }

    #[test]
    fn what_only_javascript_reads_is_read() {
        for (items, title) in [
            (r#"[{"id":"1","title":"One",},],"#, "One"),
            (r#"[/* the, first] */{"id":"1","title":"One"}]"#, "One"),
            (r#"[{"id":"1","title":"One","size":NaN}]"#, "One"),
            (
                r#"[{"id":"1","title":"It\'s \x1 \ud83d\ude00, ]"}]"#,
                "It's x1 😀, ]",
            ),
            (
                r#"[{"id":"1","title":"Half \ud83d a letter"}]"#,
                "Half \u{fffd} a letter",
            ),
            (r#"{"id":"1","title":"One"}"#, "One"),
            (r#"[{"id":"0","id":"1","title":"One"}]"#, "One"),
        ] {
            let (titles, codes) = titles(&format!("{{{HEAD},\"items\":{items}}}"));
            assert_eq!(titles, [title], "{items}");
            assert_eq!(codes, ["json-form"], "{items}");
        }
    }

    #[test]
    fn what_is_no_item_is_named_and_the_others_are_read() {
        let (titles, codes) = titles(&format!("{{{HEAD},\"items\":[{ONE},\"x\",3,null]}}"));
        assert_eq!((titles, codes), (vec!["One".to_owned()], vec!["broken-entry"]));
    }

    #[test]
    fn a_feed_without_items_is_empty_and_items_make_a_feed_of_any_version() {
        assert_eq!(
            titles(&format!("{{{HEAD},\"items\":null}}")).0,
            Vec::<String>::new()
        );
        for version in ["1.0", "https://example.org/version/1"] {
            let text = format!("{{\"version\":\"{version}\",\"items\":[{ONE}]}}");
            assert_eq!(titles(&text).0, ["One"]);
        }
        let listing = r#"{"version":"2","items":[{"id":"1","price":3}]}"#;
        assert!(read(listing, chrono_tz::Europe::London).is_err());
    }
}
