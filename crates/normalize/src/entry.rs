//! One entry: as the feed gave it ([`RawEntry`]), and made fit to be shown ([`RawEntry::finish`]).
//!
//! The feed's own markup never leaves this crate: it is kept in private fields until the sanitiser has seen it.

use chrono::{DateTime, Utc};
use feed_rs::model as feed_rs;
use model::{EntryDraft, Image, clean_text, link_key};
use url::Url;

use crate::dates::{FeedDate, unpack};
use crate::document::{Format, language_tag};
use crate::hashtag::hashtags;
use crate::identity::{digest, hashed_id};
use crate::sanitize::sanitize;
use crate::summary::summary;
use crate::tag::Tagger;
use crate::text::{count_words, first_image, plain_field, plain_text, plain_title, plain_to_html};

/// An entry as the feed gave it, not sanitised.
#[derive(Debug, Clone)]
pub struct RawEntry {
    /// The feed's own identity for it: guid or id; else the link; else a hash. Unique within the document.
    pub source_id: String,
    /// The original's address, absolute, http or https.
    pub link: Option<String>,
    /// [`model::link_key`] of the link.
    pub link_key: Option<String>,
    /// Hash of all the feed says of it but its dates.
    pub fingerprint: String,
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
    base: Option<Url>,
    language: Option<String>,
    image: Option<Image>,
    licence: Option<String>,
    source_url: Option<String>,
}

/// Text as it stood in the feed.
#[derive(Debug, Clone)]
enum Raw {
    Html(String),
    Plain(String),
}

impl Raw {
    fn as_str(&self) -> &str {
        match self {
            Self::Html(text) | Self::Plain(text) => text,
        }
    }

    fn is_html(&self) -> bool {
        matches!(self, Self::Html(_))
    }

    fn to_html(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Html(html) => html.into(),
            Self::Plain(text) => plain_to_html(text).into(),
        }
    }
}

/// What an entry takes from its feed.
pub(crate) struct Context<'a> {
    pub(crate) format: Format,
    pub(crate) feed_url: Option<&'a Url>,
    pub(crate) site: Option<&'a Url>,
    pub(crate) language: Option<String>,
    pub(crate) licence: Option<String>,
    pub(crate) authors: &'a [feed_rs::Person],
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
    /// Takes over what feed-rs read; `source_url` is what `atom:source` names.
    pub(crate) fn read(
        entry: feed_rs::Entry,
        source_url: Option<String>,
        feed: &Context<'_>,
    ) -> (Self, Dates) {
        let guid = clean_text(entry.id.trim());
        let guid = guid.as_ref();
        let link = link(&entry, guid, feed);
        let instant = |date: Option<DateTime<Utc>>| match date.map(unpack) {
            Some(FeedDate::At { at, .. }) => Some(at),
            _ => None,
        };
        let updated = instant(entry.updated);
        let published = instant(entry.published).or(updated);
        let dates = match entry.published.or(entry.updated).map(unpack) {
            Some(FeedDate::At { zoned: true, .. }) => Dates::Good,
            Some(FeedDate::At { zoned: false, .. }) => Dates::Zoneless,
            Some(FeedDate::Unreadable) if published.is_some() => Dates::Good,
            Some(FeedDate::Unreadable) => Dates::Unreadable,
            None => Dates::Missing,
        };
        let base = base(&entry, link.as_ref(), feed);
        let title = entry.title.map(|text| raw_text(text, feed.format));
        let summary = entry.summary.map(|text| raw_text(text, feed.format));
        let content = entry.content.and_then(raw_content);
        let people = if entry.authors.is_empty() {
            feed.authors
        } else {
            &entry.authors
        };
        let authors: Vec<String> = people.iter().filter_map(|person| person.name.clone()).collect();
        let categories: Vec<String> = entry
            .categories
            .into_iter()
            .map(|category| category.label.unwrap_or(category.term))
            .collect();
        let media: Vec<String> = entry.media.iter().flat_map(media_addresses).collect();
        let link_text = link.as_ref().map(Url::as_str);
        let text = [&title, &content, &summary].map(|raw| raw.as_ref().map_or("", Raw::as_str));
        let fingerprint = digest(
            text.into_iter()
                .chain([link_text.unwrap_or_default(), "authors"])
                .chain(authors.iter().map(String::as_str))
                .chain(["categories"])
                .chain(categories.iter().map(String::as_str))
                .chain(["media"])
                .chain(media.iter().map(String::as_str)),
        );
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
            fingerprint,
            published,
            // feed-rs copies the one date of RSS into both.
            updated: updated.filter(|_| feed.format == Format::Atom || updated != published),
            has_guid: !guid.is_empty(),
            title,
            content,
            summary,
            authors,
            categories,
            base,
            language: entry
                .language
                .as_deref()
                .and_then(language_tag)
                .or_else(|| feed.language.clone()),
            image: image(&entry.media, link.as_ref()),
            licence: licence(&entry.links, entry.rights.as_ref()).or_else(|| feed.licence.clone()),
            source_url,
            link: link.map(String::from),
        };
        (entry, dates)
    }

    /// Whether the feed gave it an identity.
    pub(crate) fn has_guid(&self) -> bool {
        self.has_guid
    }

    /// A hash of its title alone.
    pub(crate) fn title_hash(&self) -> String {
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
            .map(|raw| sanitize(&raw.to_html(), self.base.as_ref()))
            .unwrap_or_default();
        let text = plain_text(content_html.as_str());
        let own_summary = self
            .content
            .as_ref()
            .and(self.summary.as_ref())
            .map(|raw| plain_field(raw.as_str(), raw.is_html()));
        let summary = summary(own_summary.as_deref(), &text);
        let mut categories: Vec<String> = Vec::with_capacity(self.categories.len());
        for category in &self.categories {
            let category = plain_field(category, true);
            if !category.is_empty() && !categories.contains(&category) {
                categories.push(category);
            }
        }
        let heading = title.as_deref().unwrap_or_default();
        // Most posts have none, and a byte is found faster than a hashtag.
        let hashtags = hashtags(heading, &text, content_html.as_str());
        let topics = tagger.tag(heading, &text, &categories, &hashtags);
        EntryDraft {
            source_id: self.source_id.clone(),
            link: self.link.clone(),
            link_key: self.link_key.clone(),
            fingerprint: self.fingerprint.clone(),
            substance: substance(title.as_deref(), &text, self.link_key.as_deref()),
            summary,
            image: self.image.clone().or_else(|| first_image(content_html.as_str())),
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

/// Hash of what readers see, white space and tracking parameters aside.
fn substance(title: Option<&str>, text: &str, link_key: Option<&str>) -> String {
    // Plain text is folded but for its line ends.
    let folded = text.replace('\n', " ");
    digest([title.unwrap_or_default(), &folded, link_key.unwrap_or_default()])
}

/// The names, joined; addresses of mail are not names.
fn author(names: &[String]) -> Option<String> {
    let mut found: Vec<String> = Vec::new();
    for name in names {
        let name = plain_field(name, true);
        // RSS writes `mail@example.org (Name)`.
        let name = name.trim_matches(['(', ')', '[', ']', '<', '>', '"', ' ', ',']);
        if !name.is_empty() && !name.contains('@') && !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    (!found.is_empty()).then(|| found.join(", "))
}

/// An absolute http or https address.
pub(crate) fn web_address(href: &str, base: Option<&Url>) -> Option<Url> {
    let href = href.trim();
    let url = match base {
        Some(base) => base.join(href),
        None => Url::parse(href),
    };
    url.ok()
        .filter(|url| !href.is_empty() && matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The original: the alternate link, preferably to a page; else a guid that is an address; else the `src` of Atom
/// content.
fn link(entry: &feed_rs::Entry, guid: &str, context: &Context<'_>) -> Option<Url> {
    let base = context.feed_url;
    let is_page = |link: &&feed_rs::Link| {
        link.media_type
            .as_deref()
            .is_none_or(|kind| kind.contains("html"))
    };
    let alternate = || {
        entry.links.iter().filter(|link| {
            link.target.is_none()
                && link
                    .rel
                    .as_deref()
                    .is_none_or(|rel| rel.eq_ignore_ascii_case("alternate"))
        })
    };
    alternate()
        .filter(is_page)
        // Attachments of JSON Feed are links with a type and no relation; no entry's page is one of them.
        .chain(alternate().filter(|link| context.format != Format::Json && !is_page(link)))
        .find_map(|link| web_address(&link.href, base))
        .or_else(|| {
            let absolute = guid.starts_with("http://") || guid.starts_with("https://");
            absolute.then(|| web_address(guid, None)).flatten()
        })
        .or_else(|| {
            let source = entry
                .content
                .as_ref()
                .filter(|_| context.format == Format::Atom)?
                .src
                .as_ref()?;
            web_address(&source.href, base)
        })
}

/// What relative addresses in the content are relative to: `xml:base` where it says something of its own, else the
/// entry itself, else the blog, else the feed.
fn base(entry: &feed_rs::Entry, link: Option<&Url>, context: &Context<'_>) -> Option<Url> {
    let around = link.or(context.site).or(context.feed_url);
    if let Some(stated) = entry.base.as_deref().and_then(|base| web_address(base, around)) {
        return Some(stated);
    }
    // feed-rs leaves the base of RSS content in `src`; it is the feed's own address unless `xml:base` says more.
    let inherited = entry
        .content
        .as_ref()
        .filter(|_| context.format != Format::Atom)
        .and_then(|content| web_address(&content.src.as_ref()?.href, None))
        .filter(|base| Some(base) != context.feed_url);
    inherited.or_else(|| around.cloned())
}

/// Whether a text of feed-rs is markup. RSS labels its titles plain, but they hold markup often enough; Atom and
/// JSON Feed mean what they say.
pub(crate) fn is_markup(format: Format, text: &feed_rs::Text) -> bool {
    match format {
        Format::Rss0 | Format::Rss1 | Format::Rss2 => true,
        Format::Atom | Format::Json => text.content_type.as_str() != "text/plain",
    }
}

fn raw_text(text: feed_rs::Text, format: Format) -> Raw {
    if is_markup(format, &text) {
        Raw::Html(text.content)
    } else {
        Raw::Plain(text.content)
    }
}

/// The content, if it is text of a kind that can be shown.
fn raw_content(content: feed_rs::Content) -> Option<Raw> {
    let kind = content.content_type.as_str();
    let body = content.body.filter(|body| !body.trim().is_empty())?;
    if kind.contains("html") || kind.contains("xml") {
        Some(Raw::Html(body))
    } else {
        kind.starts_with("text/").then_some(Raw::Plain(body))
    }
}

fn media_addresses(media: &feed_rs::MediaObject) -> impl Iterator<Item = String> {
    let contents = media
        .content
        .iter()
        .filter_map(|content| content.url.as_ref().map(Url::to_string));
    contents.chain(
        media
            .thumbnails
            .iter()
            .map(|thumbnail| thumbnail.image.uri.clone()),
    )
}

/// A picture from the entry's media: one that is an image, else a thumbnail; https only.
fn image(media: &[feed_rs::MediaObject], base: Option<&Url>) -> Option<Image> {
    let is_image = |content: &&feed_rs::MediaContent| {
        content
            .content_type
            .as_ref()
            .is_some_and(|kind| kind.as_str().starts_with("image/"))
    };
    let pictures = media.iter().flat_map(|object| {
        object
            .content
            .iter()
            .filter(is_image)
            .filter_map(|content| content.url.clone())
    });
    let thumbnails = media
        .iter()
        .flat_map(|object| object.thumbnails.iter())
        .filter_map(|thumbnail| web_address(&thumbnail.image.uri, base));
    pictures
        .chain(thumbnails)
        .find(|url| url.scheme() == "https" && !url.as_str().contains("gravatar.com/"))
        .map(|url| Image {
            url: url.into(),
            alt: None,
        })
}

/// The licence: a link with that relation (RFC 4946), or the address of a Creative Commons licence in the rights.
pub(crate) fn licence(links: &[feed_rs::Link], rights: Option<&feed_rs::Text>) -> Option<String> {
    let linked = links
        .iter()
        .find(|link| link.rel.as_deref() == Some("license"))
        .and_then(|link| web_address(&link.href, None))
        .map(String::from);
    linked.or_else(|| {
        let rights = &rights?.content;
        let at = ["https://creativecommons.org/", "http://creativecommons.org/"]
            .iter()
            .find_map(|prefix| rights.find(prefix))?;
        let address = rights[at..]
            .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')'))
            .next()?;
        Some(address.trim_end_matches(['.', ',']).to_owned())
    })
}
