//! feed-rs, for RSS in which there is nothing to mend; so that whatever it does with hostile bytes ends here.
//!
//! It refuses to let the library sanitise, make ids up, or read dates in its own way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono_tz::Tz;
use feed_rs::model;
use feed_rs::parser::Builder;
use url::Url;

use crate::dates;
use crate::dialect::{person_name, raw_title};
use crate::document::Format;
use crate::parse::{Entry, Feed, Link, Raw};

/// Reads RSS from its root on; `None` if the library refuses it or panics.
pub(crate) fn read(xml: &str, format: Format, base: Option<&Url>, zone: Tz) -> Option<Feed> {
    let parser = Builder::new()
        .base_uri(base)
        .sanitize_content(false)
        .id_generator(|_, _, _| String::new())
        .timestamp_parser(move |text| dates::pack(text, zone))
        .build();
    // The parser owns all that it mutates and is dropped with the panic.
    let feed = catch_unwind(AssertUnwindSafe(|| parser.parse(xml.as_bytes())))
        .ok()?
        .ok()?;
    Some(Feed {
        format,
        title: feed.title.and_then(|title| text(&title)),
        links: feed.links.into_iter().filter_map(link).collect(),
        language: feed.language,
        rights: feed.rights.map(|rights| rights.content),
        authors: people(feed.authors),
        ttl: feed.ttl,
        entries: feed.entries.into_iter().map(entry).collect(),
        problems: Vec::new(),
    })
}

fn entry(raw: model::Entry) -> Entry {
    let mut pictures = Vec::new();
    let mut thumbnails = Vec::new();
    let mut media = Vec::new();
    for object in raw.media {
        for content in object.content {
            let Some(url) = content.url else { continue };
            if content
                .content_type
                .is_some_and(|kind| kind.as_str().starts_with("image/"))
            {
                pictures.push(url.to_string());
            }
            media.push(url.into());
        }
        thumbnails.extend(object.thumbnails.into_iter().map(|thumbnail| thumbnail.image.uri));
    }
    media.extend(thumbnails.iter().cloned());
    pictures.extend(thumbnails);
    Entry {
        id: raw.id.trim().to_owned(),
        links: raw.links.into_iter().filter_map(link).collect(),
        title: raw.title.and_then(|title| text(&title)),
        summary: raw
            .summary
            .map(|summary| summary.content)
            .filter(|summary| !summary.is_empty())
            .map(Raw::Html),
        content: raw
            .content
            .and_then(|content| content.body)
            .filter(|body| !body.trim().is_empty())
            .map(Raw::Html),
        authors: people(raw.authors),
        categories: raw
            .categories
            .into_iter()
            .map(|category| category.label.unwrap_or(category.term))
            .filter(|category| !category.is_empty())
            .collect(),
        published: raw.published.map(dates::unpack),
        pictures,
        media,
        ..Entry::default()
    }
}

fn link(link: model::Link) -> Option<Link> {
    // What leads to comments is not the entry.
    let target = link.target.is_none();
    target.then(|| Link {
        href: link.href,
        rel: link
            .rel
            .map(|rel| rel.to_ascii_lowercase())
            .filter(|rel| rel != "alternate"),
        kind: link.media_type.map(|kind| kind.to_ascii_lowercase()),
    })
}

fn people(people: Vec<model::Person>) -> Vec<String> {
    people
        .into_iter()
        .filter_map(|person| person.name.map(|name| person_name(&name)))
        .collect()
}

/// The library labels all titles plain.
fn text(text: &model::Text) -> Option<Raw> {
    let words = text.content.trim().to_owned();
    (!words.is_empty()).then(|| raw_title(words))
}
