//! JSON Feed 1 and 1.1 (jsonfeed.org), as it is written: numbers for ids, one author or several, attachments without
//! a type, a version by http or none at all, a document that breaks off.
//!
//! Fields of the wrong type are left out, not refused. What has neither a version nor items is no feed.

use chrono_tz::Tz;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::dates;
use crate::document::Format;
use crate::error::{Found, ReadError};
use crate::parse::{Entry, Feed, Link, Raw};
use crate::problem::{self, Problem};

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
    let known_or_missing = known || version.is_empty();
    let sloppy = !version.starts_with("https://") || document.title.as_str().is_none();
    let Some(items) = document.items.filter(|_| known_or_missing) else {
        return Err(ReadError::NotAFeed { what: Found::Json });
    };
    // Without a version only items of the known form make it a feed.
    if !known && !items.iter().any(|item| item.id.is_some() || item.url.is_some()) {
        return Err(ReadError::NotAFeed { what: Found::Json });
    }
    if sloppy || items.iter().any(|item| item.id.as_str().is_none()) {
        problems.push(problem::JSON_FORM.of_feed());
    }
    Ok(Feed {
        format: Format::Json,
        title: document.title.string().map(Raw::Plain),
        links: links(document.home_page_url, document.feed_url, document.hubs),
        language: document.language.string(),
        rights: None,
        authors: names(document.author, document.authors),
        ttl: None,
        entries: items.into_iter().map(|item| item.entry(zone)).collect(),
        problems,
    })
}

/// A document that is not quite JSON: with line ends and the like inside of texts, with items that are none, or
/// broken off.
fn mended(text: &str, error: &serde_json::Error) -> Result<(Document, Vec<Problem>), ReadError> {
    let line = error.line();
    let text = text.replace(|c: char| c < ' ', " ");
    if let Ok(document) = parse(&text) {
        return Ok((document, vec![problem::CONTROL_CHARACTER.of_line(0, line, 1)]));
    }
    if let Some(document) = without_broken_items(&text) {
        return Ok((document, vec![problem::BROKEN_ENTRY.of_line(0, line, 1)]));
    }
    if let Some(document) =
        completed(&text).and_then(|text| parse(&text).ok().or_else(|| without_broken_items(&text)))
    {
        return Ok((document, vec![problem::TRUNCATED.of_line(0, line, 1)]));
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

/// A document of which some items are no objects: the others.
fn without_broken_items(text: &str) -> Option<Document> {
    let mut document: Value = serde_json::from_str(text).ok()?;
    document
        .get_mut("items")?
        .as_array_mut()?
        .retain(Value::is_object);
    serde_json::from_value(document).ok()
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
    fn entry(self, zone: Tz) -> Entry {
        let date = |text: Text| text.string().and_then(|text| dates::read(&text, zone));
        let attachments: Vec<String> = list(self.attachments)
            .filter_map(|attachment| Some(attachment.get("url")?.as_str()?.to_owned()))
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
            title: self.title.string().map(Raw::Plain),
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
            media: attachments,
            ..Entry::default()
        }
    }
}

/// The names of `authors` (1.1), or of the one `author` (1).
fn names(author: Value, authors: Value) -> Vec<String> {
    list(authors)
        .chain([author])
        .filter_map(|person| Some(person.get("name").unwrap_or(&person).as_str()?.to_owned()))
        .fold(Vec::new(), |mut names, name| {
            if !names.contains(&name) {
                names.push(name);
            }
            names
        })
}

fn list(value: Value) -> impl Iterator<Item = Value> {
    match value {
        Value::Array(values) => values,
        Value::Null => Vec::new(),
        single => vec![single],
    }
    .into_iter()
}
