//! One entry: as the feed gave it ([`RawEntry`]), and made fit to be shown ([`RawEntry::finish`]).
//!
//! The feed's own markup never leaves this crate: it is kept in private fields until the sanitiser has seen it.

use std::borrow::Cow;
use std::cell::OnceCell;

use chrono::{DateTime, Utc};
use memchr::memchr;
use model::{Enclosure, EntryDraft, Image, clean_text, link_key};
use url::Url;

use crate::dates::FeedDate;
use crate::document::language_tag;
use crate::enclosure::enclosures;
use crate::entities::{Reference, named, numbered, reference};
use crate::hashtag::hashtags;
use crate::identity::{digest, hashed_id};
use crate::parse::{self, Link, Raw};
use crate::sanitize::sanitize;
use crate::summary::summary;
use crate::tag::Tagger;
use crate::text::{count_words, first_image, plain_field, plain_text, plain_title, plain_to_html};

/// How many categories and authors of a post are kept: no post has more, and some feeds do.
const MOST_CATEGORIES: usize = 100;
const MOST_AUTHORS: usize = 20;

/// An entry as the feed gave it, not sanitised.
#[derive(Debug, Clone)]
pub struct RawEntry {
    /// The feed's own identity for it: guid or id; else the link; else a hash. Within the document only exact duplicates share one.
    pub source_id: String,
    /// The original's address, absolute, http or https.
    pub link: Option<String>,
    /// [`model::link_key`] of the link.
    pub link_key: Option<String>,
    /// What the feed says, in the future too; years before 1900 or after 2100 are `None`.
    pub published: Option<DateTime<Utc>>,
    /// What the feed says, under the same rule; `None` where it says nothing beyond `published`.
    pub updated: Option<DateTime<Utc>>,
    has_guid: bool,
    title: Option<Raw>,
    content: Option<Raw>,
    summary: Option<Raw>,
    authors: Vec<String>,
    categories: Vec<String>,
    media: Vec<String>,
    enclosures: Vec<Enclosure>,
    base: Option<Url>,
    language: Option<String>,
    image: Option<Image>,
    licence: Option<String>,
    source_url: Option<String>,
    partial: bool,
    fingerprint: OnceCell<String>,
    all_digest: OnceCell<String>,
}

/// Plain text as markup, markup as it is.
fn to_html(raw: &Raw) -> Cow<'_, str> {
    match raw {
        Raw::Html(html) => html.into(),
        Raw::Plain(text) => plain_to_html(text).into(),
    }
}

/// What an entry takes from its feed.
pub(crate) struct Context<'a> {
    pub(crate) feed_url: Option<&'a Url>,
    pub(crate) site: Option<&'a Url>,
    pub(crate) language: Option<String>,
    pub(crate) licence: Option<String>,
    pub(crate) authors: &'a [String],
}

/// What can be said of an entry's date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dates {
    Good,
    Zoneless,
    Unreadable,
    Missing,
}

impl RawEntry {
    /// Takes over what a reader found.
    pub(crate) fn read(entry: parse::Entry, feed: &Context<'_>) -> (Self, Dates) {
        let guid = clean_text(entry.id.trim());
        let guid = guid.as_ref();
        let link = link(&entry, guid, feed);
        let instant = |date: Option<FeedDate>| match date {
            Some(FeedDate::At { at, .. }) => Some(at),
            _ => None,
        };
        let updated = instant(entry.updated);
        let published = instant(entry.published).or(updated);
        let dates = match entry.published.or(entry.updated) {
            Some(FeedDate::At { zoned: true, .. }) => Dates::Good,
            Some(FeedDate::At { zoned: false, .. }) => Dates::Zoneless,
            Some(FeedDate::Unreadable) if published.is_some() => Dates::Good,
            Some(FeedDate::Unreadable) => Dates::Unreadable,
            None => Dates::Missing,
        };
        let base = base(&entry, link.as_ref(), feed);
        let (title, summary, content) = (entry.title, entry.summary, entry.content);
        let authors = if entry.authors.is_empty() {
            feed.authors.to_vec()
        } else {
            entry.authors
        };
        let categories = entry.categories;
        let media = entry.media;
        let link_text = link.as_ref().map(Url::as_str);
        let source_id = match (guid, link_text) {
            ("", Some(link)) => link.to_owned(),
            ("", None) => hashed_id([
                title.as_ref().map(Raw::as_str),
                content.as_ref().or(summary.as_ref()).map(Raw::as_str),
                published.map(|at| at.to_rfc3339()).as_deref(),
            ]),
            _ => guid.to_owned(),
        };
        let entry = Self {
            source_id,
            link_key: link.as_ref().map(link_key),
            published,
            updated,
            has_guid: !guid.is_empty(),
            title,
            content,
            summary,
            authors,
            categories,
            media,
            base,
            language: entry
                .language
                .as_deref()
                .and_then(language_tag)
                .or_else(|| feed.language.clone()),
            image: image(&entry.pictures, link.as_ref()),
            enclosures: enclosures(entry.enclosures, link.as_ref()),
            licence: licence(&entry.links, entry.rights.as_deref()).or_else(|| feed.licence.clone()),
            source_url: entry.source.filter(|source| web_address(source, None).is_some()),
            partial: entry.partial,
            fingerprint: OnceCell::new(),
            all_digest: OnceCell::new(),
            link: link.map(String::from),
        };
        (entry, dates)
    }

    /// Whether the feed gave it an identity.
    pub(crate) fn has_guid(&self) -> bool {
        self.has_guid
    }

    /// Whether the document broke off in it.
    pub(crate) fn is_partial(&self) -> bool {
        self.partial
    }

    /// Whether it says nothing that could be shown.
    pub(crate) fn says_nothing(&self) -> bool {
        !self.has_guid
            && self.link.is_none()
            && self.title.is_none()
            && self.content.is_none()
            && self.summary.is_none()
    }

    /// Hash of all the feed says of it but its dates; then, after a hyphen each, of its words alone, if they are enough to
    /// tell it by, and of its title alone. Computed on the first asking.
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| self.compute_fingerprint())
    }

    /// Whether the feed says the same of it as when it had this fingerprint.
    pub(crate) fn is_as(&self, fingerprint: &str) -> bool {
        fingerprint
            .split_once('-')
            .is_some_and(|(all, _)| all == self.all_digest())
    }

    /// The first part of its fingerprint.
    fn all_digest(&self) -> &str {
        self.all_digest.get_or_init(|| {
            let [title, content, summary] = self.words();
            let said = [
                title,
                content,
                summary,
                self.link.as_deref().unwrap_or_default(),
                "authors",
            ];
            // An entry to which nothing is attached has the fingerprint that it had before types and lengths were kept.
            let attached = self.enclosures.iter().map(|enclosure| {
                let size = enclosure.size_bytes.map(|size| size.to_string());
                [
                    enclosure.media_type.clone().unwrap_or_default(),
                    size.unwrap_or_default(),
                ]
            });
            let attached: Vec<String> = attached.flatten().collect();
            digest(
                said.into_iter()
                    .chain(self.authors.iter().map(String::as_str))
                    .chain(["categories"])
                    .chain(self.categories.iter().map(String::as_str))
                    .chain(["media"])
                    .chain(self.media.iter().map(String::as_str))
                    .chain(attached.iter().map(String::as_str)),
            )
        })
    }

    fn compute_fingerprint(&self) -> String {
        let [title, content, summary] = self.words();
        let body = if content.len() >= summary.len() {
            content
        } else {
            summary
        };
        format!(
            "{}-{}-{}",
            self.all_digest(),
            words_hash(title, body),
            title_hash(title)
        )
    }

    /// Title, content and summary as they stood.
    fn words(&self) -> [&str; 3] {
        [&self.title, &self.content, &self.summary].map(|raw| raw.as_ref().map_or("", Raw::as_str))
    }

    /// A hash of its title alone, as it stood.
    pub(crate) fn title_digest(&self) -> String {
        digest(self.title.iter().map(Raw::as_str))
    }

    /// Makes it fit to be shown: sanitised, with plain text, summary, picture, hashtags and topics. The dear part,
    /// for entries that are new or changed.
    pub fn finish(&self, tagger: &Tagger) -> EntryDraft {
        let title = self
            .title
            .as_ref()
            .and_then(|title| plain_title(title.as_str(), title.is_html()));
        let whole = self.content.as_ref().or(self.summary.as_ref());
        let content_html = whole
            .map(|raw| sanitize(&to_html(raw), self.base.as_ref()))
            .unwrap_or_default();
        let text = plain_text(content_html.as_str());
        let own_summary = self
            .content
            .as_ref()
            .and(self.summary.as_ref())
            .map(|raw| plain_field(raw.as_str(), raw.is_html()));
        let image = self.image.clone().or_else(|| first_image(content_html.as_str()));
        let shown = image.as_ref().and_then(|image| image.alt.as_deref());
        let beside: Vec<&str> = title.as_deref().into_iter().chain(shown).collect();
        let summary = summary(own_summary.as_deref(), &text, &beside);
        let categories = distinct(
            self.categories.iter().map(|category| plain_field(category, true)),
            MOST_CATEGORIES,
        );
        let heading = title.as_deref().unwrap_or_default();
        // Most posts have none, and a byte is found faster than a hashtag.
        let hashtags = hashtags(heading, &text, content_html.as_str());
        let topics = tagger.tag(heading, &text, &categories, &hashtags);
        EntryDraft {
            source_id: self.source_id.clone(),
            link: self.link.clone(),
            link_key: self.link_key.clone(),
            fingerprint: self.fingerprint().to_owned(),
            substance: substance(title.as_deref(), &text, self.link_key.as_deref()),
            summary,
            image,
            enclosures: self.enclosures.clone(),
            author: author(&self.authors),
            published: self.published,
            updated: self.updated,
            language: self.language.clone(),
            words: count_words(&text),
            licence: self.licence.clone(),
            source_url: self.source_url.clone(),
            title,
            content_html,
            text,
            topics,
            hashtags,
            categories,
        }
    }
}

/// Hash of the letters of a title and a body, however markup, spaces and punctuation stand around them and whether or
/// not they are written as references; empty for a short body, which two posts may have in common. The beginning of a
/// long one is enough.
fn words_hash(title: &str, body: &str) -> String {
    const ENOUGH: usize = 100;
    const MOST: usize = 500;
    let letters = letters(body, MOST);
    if letters.len() < ENOUGH {
        return String::new();
    }
    digest([letters_of_title(title).as_str(), &letters])
}

/// Hash of a title's letters; empty if there are none.
fn title_hash(title: &str) -> String {
    match letters_of_title(title).as_str() {
        "" => String::new(),
        letters => digest([letters]),
    }
}

fn letters_of_title(title: &str) -> String {
    letters(title, usize::MAX)
}

/// The first letters and digits of a text that may be markup, so many bytes of them at most.
fn letters(text: &str, most: usize) -> String {
    let bytes = text.as_bytes();
    let mut letters = Vec::with_capacity(most.min(bytes.len()) + 4);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at)
        && letters.len() < most
    {
        if byte.is_ascii_alphanumeric() {
            letters.push(byte);
            at += 1;
            continue;
        }
        let (c, length) = match byte {
            b'<' => (
                None,
                memchr(b'>', &bytes[at..]).map_or(bytes.len() - at, |end| end + 1),
            ),
            b'&' => match reference(&text[at..]) {
                Reference::Named(name, length) => (named(name), length),
                Reference::Numbered(number, length) => (numbered(number), length),
                Reference::None => (None, 1),
            },
            _ if byte.is_ascii() => (None, 1),
            _ => {
                let c = text[at..].chars().next();
                (c, c.map_or(1, char::len_utf8))
            }
        };
        if let Some(c) = c.filter(|c| c.is_alphanumeric()) {
            letters.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        at += length;
    }
    let mut letters = String::from_utf8(letters).expect("whole characters were put in");
    // However the letters were written, the same of them are kept.
    letters.truncate(letters.floor_char_boundary(most));
    letters
}

/// Hash of what readers see, white space and tracking parameters aside.
fn substance(title: Option<&str>, text: &str, link_key: Option<&str>) -> String {
    // Plain text is folded but for its line ends.
    let folded = text.replace('\n', " ");
    digest([title.unwrap_or_default(), &folded, link_key.unwrap_or_default()])
}

/// The names, joined; addresses of mail are not names.
fn author(names: &[String]) -> Option<String> {
    let names = names.iter().map(|name| {
        let name = plain_field(name, true);
        // RSS writes `mail@example.org (Name)`.
        let name = name.trim_matches(['(', ')', '[', ']', '<', '>', '"', ' ', ',']);
        if name.contains('@') {
            String::new()
        } else {
            name.to_owned()
        }
    });
    let found = distinct(names, MOST_AUTHORS);
    (!found.is_empty()).then(|| found.join(", "))
}

/// The first `most` texts that are not empty, each once.
fn distinct(texts: impl Iterator<Item = String>, most: usize) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        if found.len() == most {
            break;
        }
        if !text.is_empty() && !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// An absolute http or https address. No address has `&amp;` in it that was not escaped once too often.
pub(crate) fn web_address(href: &str, base: Option<&Url>) -> Option<Url> {
    let mut href = Cow::Borrowed(href.trim());
    if href.contains("&amp;") {
        href = Cow::Owned(href.replace("&amp;", "&"));
    }
    let url = match base {
        Some(base) => base.join(&href),
        None => Url::parse(&href),
    };
    url.ok()
        .filter(|url| !href.is_empty() && matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The original: the alternate link to a page, the last of several, as readers have always done; else a guid that is
/// an address; else the alternate link to something else; else where the content lies.
fn link(entry: &parse::Entry, guid: &str, context: &Context<'_>) -> Option<Url> {
    let base = context.feed_url.or(context.site);
    let is_page = |link: &&Link| link.kind.as_deref().is_none_or(|kind| kind.contains("html"));
    let alternate = || entry.links.iter().rev().filter(|link| link.rel.is_none());
    alternate()
        .filter(is_page)
        .find_map(|link| web_address(&link.href, base))
        .or_else(|| web_address(guid, None))
        .or_else(|| {
            alternate()
                .filter(|link| !is_page(link))
                .find_map(|link| web_address(&link.href, base))
        })
        .or_else(|| web_address(entry.content_src.as_ref()?, base))
}

/// What relative addresses in the content are relative to: `xml:base` where it says something of its own, else the
/// entry itself, else the blog, else the feed.
fn base(entry: &parse::Entry, link: Option<&Url>, context: &Context<'_>) -> Option<Url> {
    let around = link.or(context.site).or(context.feed_url);
    let stated = entry.base.as_deref().and_then(|base| web_address(base, around));
    stated.or_else(|| around.cloned())
}

/// The first picture that is the entry's own, asked for by https as those within posts are.
fn image(pictures: &[String], base: Option<&Url>) -> Option<Image> {
    pictures
        .iter()
        .filter_map(|picture| web_address(picture, base))
        .map(|mut url| {
            // Between the two schemes of the web this cannot fail.
            let _ = url.set_scheme("https");
            url
        })
        .find(|url| !url.as_str().contains("gravatar.com/"))
        .map(|url| Image {
            url: url.into(),
            alt: None,
        })
}

/// The licence: a link with that relation (RFC 4946), or the address of a Creative Commons licence in the rights.
pub(crate) fn licence(links: &[Link], rights: Option<&str>) -> Option<String> {
    let linked = links
        .iter()
        .find(|link| link.rel.as_deref() == Some("license"))
        .and_then(|link| web_address(&link.href, None))
        .map(String::from);
    linked.or_else(|| {
        let rights = rights?;
        let at = ["https://creativecommons.org/", "http://creativecommons.org/"]
            .iter()
            .find_map(|prefix| rights.find(prefix))?;
        let address = rights[at..]
            .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')'))
            .next()?;
        Some(address.trim_end_matches(['.', ',']).to_owned())
    })
}
