//! A feed as it was read: its own particulars, its problems and its entries, in the feed's order.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use feed_rs::model as feed_rs;
use serde::Serialize;
use url::Url;

use crate::cadence::{Cadence, cadence};
use crate::decode::decode;
use crate::entry::{self, RawEntry};
use crate::error::{Found, ReadError};
use crate::identity::make_unique;
use crate::problem::{Problem, Severity};
use crate::repair::{Repaired, repair};
use crate::text::plain_title;
use crate::{origin, parse};

/// Bytes that may be a feed, with what is known of them.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The document, after decompression.
    pub body: &'a [u8],
    /// The `Content-Type` header it came with.
    pub content_type: Option<&'a str>,
    /// Where it lies, after redirects; relative links are resolved against it.
    pub url: Option<&'a Url>,
    /// The zone of dates that name none.
    pub timezone: Tz,
}

/// The family of formats (contract section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RSS 2.0 and what calls itself so.
    Rss2,
    /// RSS 1.0 (RDF).
    Rss1,
    /// RSS 0.90 to 0.94.
    Rss0,
    /// Atom 1.0 and 0.3.
    Atom,
    /// JSON Feed.
    Json,
}

impl Format {
    /// The word in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rss2 => "rss2",
            Self::Rss1 => "rss1",
            Self::Rss0 => "rss0",
            Self::Atom => "atom",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A feed.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its format.
    pub format: Format,
    /// Its title, plain text.
    pub title: Option<String>,
    /// The blog it belongs to.
    pub site: Option<Url>,
    /// Its language, BCP 47.
    pub language: Option<String>,
    /// How long it may be kept before it is asked for again (RSS `ttl`).
    pub ttl: Option<Duration>,
    /// What else it says of how often and when it wants to be asked for.
    pub cadence: Cadence,
    /// What is wrong with it, worst for readers first where it matters.
    pub problems: Vec<Problem>,
    /// Its entries, in its own order.
    pub entries: Vec<RawEntry>,
}

impl Document {
    /// Adds a problem for entries dated after `now`; reading a document knows no clock.
    pub fn note_future_dates(&mut self, now: DateTime<Utc>) {
        let future = numbers(&self.entries, |entry| entry.published.is_some_and(|at| at > now));
        self.problems.extend(Problem::of_entries(
            "date-in-future",
            Severity::Info,
            &future,
            "The date lies in the future; until then the post stands where it arrived.",
            "Check the clock and the time zone of the blog, or publish on the day itself.",
        ));
    }
}

/// Reads a feed: decode, repair, parse, dates, identity. Its entries are not sanitised yet.
///
/// # Errors
///
/// [`ReadError`], whose message a blogger understands; never a panic, whatever the bytes.
pub fn read(source: &Source<'_>) -> Result<Document, ReadError> {
    let decoded = decode(source.body, source.content_type);
    let text = decoded
        .text
        .trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\0');
    let mut problems = Vec::new();
    if let Some((declared, actual)) = decoded.mismatch {
        problems.push(Problem::of_feed(
            "encoding-mismatch",
            Severity::Warning,
            format!("The feed says that it is {declared}, but it is {actual}."),
            "Save the feed as UTF-8, and let the server and the first line of the feed say so.",
        ));
    }
    if text.starts_with('[') {
        return Err(ReadError::NotAFeed { what: Found::Json });
    }
    let Repaired {
        xml,
        format,
        problem,
        names_sources,
    } = if text.starts_with('{') {
        Repaired {
            xml: text.into(),
            format: Format::Json,
            problem: None,
            names_sources: false,
        }
    } else {
        repair(text)?
    };
    problems.extend(problem);
    let feed = parse::parse(&xml, source.url, source.timezone)?;
    if format == Format::Json && feed.feed_type != feed_rs::FeedType::JSON {
        return Err(ReadError::NotAFeed { what: Found::Json });
    }
    let feed_rs::Feed {
        title,
        links,
        language,
        rights,
        ttl,
        authors,
        entries,
        ..
    } = feed;
    let site = site(&links, format, source.url);
    let context = entry::Context {
        format,
        feed_url: source.url,
        site: site.as_ref(),
        language: language.as_deref().and_then(language_tag),
        licence: entry::licence(&links, rights.as_ref()),
        authors: &authors,
    };
    let mut origins = if names_sources {
        origin::sources(&xml)
    } else {
        Vec::new()
    };
    let read: Vec<(RawEntry, entry::Dates)> = entries
        .into_iter()
        .enumerate()
        .map(|(at, raw)| RawEntry::read(raw, origins.get_mut(at).and_then(Option::take), &context))
        .collect();
    let dates: Vec<entry::Dates> = read.iter().map(|(_, dates)| *dates).collect();
    let mut entries: Vec<RawEntry> = read.into_iter().map(|(entry, _)| entry).collect();
    note_entries(&mut problems, format, &entries, &dates);
    let shared = make_unique(&mut entries);
    problems.extend(Problem::of_entries(
        "duplicate-guid",
        Severity::Warning,
        &shared,
        "Several posts have the same guid, id or link, so readers may show only one of them; we told them apart by \
         what else they say.",
        "Give each post a guid of its own that never changes.",
    ));
    Ok(Document {
        format,
        title: title.and_then(|title| plain_title(&title.content, entry::is_markup(format, &title))),
        language: context.language.clone(),
        ttl: ttl.map(|minutes| Duration::from_secs(u64::from(minutes) * 60)),
        cadence: cadence(&xml),
        site,
        problems,
        entries,
    })
}

fn note_entries(problems: &mut Vec<Problem>, format: Format, entries: &[RawEntry], dates: &[entry::Dates]) {
    if entries.is_empty() {
        problems.push(Problem::of_feed(
            "empty-feed",
            Severity::Warning,
            "The feed has no posts.",
            "Publish a post, or check that the blog's settings put posts into the feed.",
        ));
    }
    let with = |wanted: entry::Dates| -> Vec<usize> {
        (1..=dates.len())
            .filter(|&number| dates[number - 1] == wanted)
            .collect()
    };
    let found = [
        Problem::of_entries(
            "date-unreadable",
            Severity::Warning,
            &with(entry::Dates::Unreadable),
            "The date cannot be read, or its year is absurd; the post counts as undated.",
            "Write dates like “Mon, 05 Oct 2026 09:00:00 +0100” in RSS and “2026-10-05T09:00:00+01:00” in Atom.",
        ),
        Problem::of_entries(
            "date-without-zone",
            Severity::Warning,
            &with(entry::Dates::Zoneless),
            "The date names no time zone; we read it as the time in Britain.",
            "End the date with its zone: “+0100” in summer and “+0000” in winter in RSS, “+01:00” and “Z” in Atom.",
        ),
        Problem::of_entries(
            "no-date",
            Severity::Warning,
            &with(entry::Dates::Missing),
            "The post has no date; it counts as published when we first saw it.",
            "Add pubDate to each item in RSS, published to each entry in Atom.",
        ),
        Problem::of_entries(
            "no-link",
            Severity::Warning,
            &numbers(entries, |entry| entry.link.is_none()),
            "The post has no web address, so nobody can be sent to it.",
            "Add a link to each post, beginning with https://.",
        ),
        Problem::of_entries(
            "no-guid",
            Severity::Info,
            // RSS 1.0 has rdf:about instead, which feed-rs reads over.
            &numbers(entries, |entry| format != Format::Rss1 && !entry.has_guid()),
            "The post has no guid or id; we know it by its link, or by its words if there is none.",
            "Give each post a guid (RSS) or id (Atom, JSON Feed) that never changes.",
        ),
    ];
    problems.extend(found.into_iter().flatten());
}

/// The numbers, from 1, of the entries for which `has` holds.
fn numbers(entries: &[RawEntry], has: impl Fn(&RawEntry) -> bool) -> Vec<usize> {
    (1..=entries.len())
        .filter(|&number| has(&entries[number - 1]))
        .collect()
}

/// The blog's address: the alternate link of Atom, `link` of RSS, `home_page_url` of JSON Feed.
fn site(links: &[feed_rs::Link], format: Format, feed_url: Option<&Url>) -> Option<Url> {
    links
        .iter()
        .filter(|link| {
            link.rel
                .as_deref()
                .is_none_or(|rel| rel == "alternate" && format == Format::Atom)
        })
        .filter_map(|link| entry::web_address(&link.href, feed_url))
        // A JSON Feed without a home page has nothing but its own address here.
        .find(|url| format != Format::Json || Some(url) != feed_url)
}

/// A language tag in the customary case (RFC 5646 section 2.1.1): `en-GB`.
pub(crate) fn language_tag(text: &str) -> Option<String> {
    let text = text.trim();
    let well_formed = text.len() <= 35
        && text.split(['-', '_']).all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
    if !well_formed {
        return None;
    }
    let parts: Vec<String> = text
        .split(['-', '_'])
        .enumerate()
        .map(|(at, part)| match (at, part.len()) {
            (1.., 2) => part.to_ascii_uppercase(),
            (1.., 4) => {
                let mut part = part.to_ascii_lowercase();
                part[..1].make_ascii_uppercase();
                part
            }
            _ => part.to_ascii_lowercase(),
        })
        .collect();
    Some(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytes(body: &[u8]) -> Result<Document, ReadError> {
        read(&Source {
            body,
            content_type: None,
            url: None,
            timezone: chrono_tz::Europe::London,
        })
    }

    fn rss(item: &str) -> String {
        format!(
            "<rss version='2.0' xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'><channel><title>t</title>\
             <item><title>One</title>{item}</item></channel></rss>"
        )
    }

    #[test]
    fn what_makes_the_parser_panic_ends_here() {
        // Declarations that name another encoding: twice, inside an item, after a long gap.
        let declaration = "<?xml version='1.0' encoding='utf-16'?>";
        let gap = " ".repeat(20_000);
        for text in [
            format!("{declaration}{declaration}{}", rss("")),
            rss(declaration),
            format!(
                "{declaration}{gap}{declaration}{}",
                rss("<link>https://b.example/</link>")
            ),
        ] {
            assert_eq!(
                read_bytes(text.as_bytes()).unwrap().entries.len(),
                1,
                "{}",
                &text[..40]
            );
        }
        // UTF-16BE with a byte order mark.
        let utf16: Vec<u8> = format!("\u{feff}{}", rss(""))
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(read_bytes(&utf16).unwrap().entries.len(), 1);
        // A letter beyond ASCII touching an address of mail; a duration beyond what fits.
        for item in [
            "<author>éa@example.org</author>",
            "<author>Zoë—zoe@example.org (Zoë)</author>",
            "<itunes:duration>99999999999999999999999</itunes:duration>",
        ] {
            match read_bytes(rss(item).as_bytes()) {
                Ok(document) => assert_eq!(document.entries.len(), 1),
                Err(error) => assert!(matches!(error, ReadError::Panicked { .. }), "{error}"),
            }
        }
    }

    #[test]
    fn what_is_no_feed_is_said() {
        for (body, what) in [
            ("", "empty"),
            ("<!doctype html><title>Hi</title>", "web page"),
            ("{\"error\": 404}", "not a JSON Feed"),
            (
                "{\"version\": \"https://example.org/2\", \"title\": \"\", \"items\": []}",
                "not a JSON Feed",
            ),
            ("[1]", "not a JSON Feed"),
        ] {
            let error = read_bytes(body.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(what), "{body}: {error}");
            assert_eq!(error.to_problem().severity, Severity::Error);
        }
        let error = read_bytes(b"<rss version='2.0'><channel><item><title>One</channel>").unwrap_err();
        assert!(matches!(&error, ReadError::Malformed { .. }), "{error}");
    }

    #[test]
    fn dates_in_the_future_are_told_of() {
        let mut document =
            read_bytes(rss("<pubDate>Mon, 05 Oct 2026 09:00:00 GMT</pubDate>").as_bytes()).unwrap();
        let before = document.problems.len();
        document.note_future_dates("2026-10-05T09:00:00Z".parse().unwrap());
        assert_eq!(document.problems.len(), before);
        document.note_future_dates("2026-10-05T08:59:59Z".parse().unwrap());
        assert_eq!(document.problems.last().unwrap().code, "date-in-future");
    }

    #[test]
    fn language_tags_have_their_customary_case() {
        for (text, tag) in [
            ("en-gb", Some("en-GB")),
            (" EN_gb ", Some("en-GB")),
            ("cy", Some("cy")),
            ("zh-hant-tw", Some("zh-Hant-TW")),
            ("", None),
            ("English (UK)", None),
        ] {
            assert_eq!(language_tag(text).as_deref(), tag, "{text}");
        }
    }
}
