//! A feed as it was read: its own particulars, its problems and its entries, in the feed's order.

use std::fmt;
use std::panic::catch_unwind;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use url::Url;

use crate::cadence::{Cadence, cadence};
use crate::decode::decode;
use crate::entry::{self, RawEntry};
use crate::error::ReadError;
use crate::identity::make_unique;
use crate::parse::{self, Link};
use crate::problem::{self, Problem};
use crate::text::plain_title;

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
    /// CDF, Microsoft's Channel Definition Format.
    Cdf,
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
            Self::Cdf => "cdf",
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
    /// The hub from which news of it is pushed (WebSub section 4): the first link with `rel=hub`, the first of JSON Feed's
    /// `hubs`.
    pub hub: Option<Url>,
    /// Where it says that it lies itself: `rel=self`, `feed_url`. Believed by nobody but its hub.
    pub itself: Option<Url>,
    /// What is wrong with it, the worst first.
    pub problems: Vec<Problem>,
    /// Its entries, in its own order.
    pub entries: Vec<RawEntry>,
}

impl Document {
    /// Whether the document broke off: what it does not show may well be there.
    pub fn is_truncated(&self) -> bool {
        let cut = [problem::TRUNCATED.code, problem::TOO_LARGE.code];
        self.problems.iter().any(|problem| cut.contains(&problem.code))
    }

    /// Adds a problem for entries dated after `now`; reading a document knows no clock.
    pub fn note_future_dates(&mut self, now: DateTime<Utc>) {
        let future = numbers(&self.entries, |entry| entry.published.is_some_and(|at| at > now));
        self.problems.extend(problem::DATE_IN_FUTURE.of_entries(&future));
        self.problems.sort_by_key(|problem| problem.severity);
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
    // Nothing is shared with what may panic; if our readers do, it costs one feed its poll and nobody else anything.
    let feed = catch_unwind(|| parse::parse(text, source.url, source.timezone)).unwrap_or_else(|_| {
        Err(ReadError::Malformed {
            reason: "our reader stopped at it, which is our mistake".to_owned(),
        })
    })?;
    let mut problems = feed.problems;
    if let Some((declared, actual)) = decoded.mismatch {
        let says = format!("The feed says that it is {declared}, but it is {actual}.");
        problems.push(problem::ENCODING_MISMATCH.of_feed_saying(says));
    }
    if decoded.twice {
        problems.push(problem::ENCODED_TWICE.of_feed());
    }
    let format = feed.format;
    let site = site(&feed.links, source.url);
    let linked = |rel: &str| {
        (feed.links.iter().filter(|link| link.rel.as_deref() == Some(rel)))
            .find_map(|link| entry::web_address(&link.href, source.url))
    };
    let (hub, itself) = (linked("hub"), linked("self"));
    let context = entry::Context {
        feed_url: source.url,
        site: site.as_ref(),
        language: feed.language.as_deref().and_then(language_tag),
        licence: entry::licence(&feed.links, feed.rights.as_deref()),
        authors: &feed.authors,
    };
    let (mut entries, dates): (Vec<RawEntry>, Vec<entry::Dates>) = feed
        .entries
        .into_iter()
        .map(|entry| RawEntry::read(entry, &context))
        .unzip();
    note_entries(&mut problems, &entries, &dates);
    let shared = make_unique(&mut entries);
    problems.extend(problem::DUPLICATE_GUID.of_entries(&shared));
    problems.sort_by_key(|problem| problem.severity);
    Ok(Document {
        format,
        title: feed
            .title
            .and_then(|title| plain_title(title.as_str(), title.is_html())),
        language: context.language.clone(),
        ttl: feed
            .ttl
            .map(|minutes| Duration::from_secs(u64::from(minutes) * 60)),
        cadence: match format {
            Format::Json => Cadence::default(),
            _ => cadence(text),
        },
        site,
        hub,
        itself,
        problems,
        entries,
    })
}

fn note_entries(problems: &mut Vec<Problem>, entries: &[RawEntry], dates: &[entry::Dates]) {
    if entries.is_empty() {
        problems.push(problem::EMPTY_FEED.of_feed());
    }
    let with = |wanted: entry::Dates| -> Vec<usize> {
        (1..=dates.len())
            .filter(|&number| dates[number - 1] == wanted)
            .collect()
    };
    let found = [
        problem::DATE_UNREADABLE.of_entries(&with(entry::Dates::Unreadable)),
        problem::DATE_WITHOUT_ZONE.of_entries(&with(entry::Dates::Zoneless)),
        problem::NO_DATE.of_entries(&with(entry::Dates::Missing)),
        problem::NO_LINK.of_entries(&numbers(entries, |entry| entry.link.is_none())),
        problem::NO_GUID.of_entries(&numbers(entries, |entry| !entry.has_guid())),
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
fn site(links: &[Link], feed_url: Option<&Url>) -> Option<Url> {
    links
        .iter()
        .filter(|link| link.rel.is_none())
        .find_map(|link| entry::web_address(&link.href, feed_url))
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
    use crate::problem::Severity;

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
            let document = read_bytes(rss(item).as_bytes()).unwrap();
            assert_eq!(document.entries.len(), 1, "{item}");
        }
    }

    #[test]
    fn a_hub_is_found_in_every_format() {
        let rss = "<rss version='2.0' xmlns:atom='http://www.w3.org/2005/Atom'><channel><title>t</title>\
             <atom:link rel='self' href='https://b.example/feed'/><atom:link rel='hub' href='https://hub.example/'/>\
             <atom:link rel='hub' href='https://other.example/'/><item><title>One</title><atom:link rel='hub' \
             href='https://item.example/'/></item></channel></rss>";
        let atom = "<feed xmlns='http://www.w3.org/2005/Atom'><title>t</title><link rel='hub' href='https://hub.example/'/>\
             <link rel='self' href='https://b.example/feed'/><entry><id>1</id><title>One</title></entry></feed>";
        let json = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "t", "feed_url": "https://b.example/feed",
            "hubs": [{"type": "rssCloud", "url": "https://cloud.example/"}, {"type": "WebSub", "url": "https://hub.example/"}],
            "items": [{"id": "1", "content_text": "One"}]}"#;
        for text in [rss, atom, json] {
            let document = read_bytes(text.as_bytes()).unwrap();
            let (hub, itself) = (document.hub.unwrap(), document.itself.unwrap());
            assert_eq!(
                (hub.as_str(), itself.as_str()),
                ("https://hub.example/", "https://b.example/feed"),
                "{text}"
            );
        }
        for link in [
            "",
            "<link rel='hub' href='javascript:alert(1)'/>",
            "<link rel='hub' href='hub'/>",
        ] {
            let text =
                format!("<feed xmlns='http://www.w3.org/2005/Atom'>{link}<entry><id>1</id></entry></feed>");
            assert_eq!(read_bytes(text.as_bytes()).unwrap().hub, None, "{link}");
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
    }

    #[test]
    fn what_breaks_off_is_read_so_far_and_changes_nothing_known() {
        let whole = b"<rss version='2.0'><channel><item><guid>1</guid><title>One</title><description>All of it</description></item>\
                      <item><guid>2</guid><title>Two</title></item></channel></rss>";
        let document = read_bytes(whole).unwrap();
        assert!(
            document
                .problems
                .iter()
                .all(|problem| problem.severity != Severity::Error)
        );
        let end = whole.windows(3).position(|found| found == b" of").unwrap();
        let cut = read_bytes(&whole[..end]).unwrap();
        assert_eq!(cut.problems[0].code, "truncated");
        assert_eq!(cut.problems[0].severity, Severity::Error);
        assert_eq!(cut.entries.len(), 1);
        let known: Vec<model::KnownEntry> = (0..)
            .zip(&document.entries)
            .map(|(id, entry)| model::KnownEntry {
                id,
                source_id: entry.source_id.clone(),
                link_key: None,
                fingerprint: entry.fingerprint().to_owned(),
                substance: String::new(),
                withdrawn: false,
                published: chrono::DateTime::UNIX_EPOCH,
                dated: true,
                missing_since: None,
            })
            .collect();
        assert_eq!(
            crate::match_entries(&known, &cut.entries),
            [crate::Match::Nothing]
        );
        assert_eq!(crate::match_entries(&[], &cut.entries), [crate::Match::New]);
        // Cut in its guid, it would be another entry.
        let end = whole.windows(7).position(|found| found == b"2</guid").unwrap();
        let cut = read_bytes(&whole[..end]).unwrap();
        assert_eq!(
            crate::match_entries(&known, &cut.entries),
            [crate::Match::Same(0), crate::Match::Nothing]
        );
    }

    #[test]
    fn an_address_escaped_once_too_often_is_mended() {
        for link in [
            "<link>https://b.example/?a=1&amp;amp;b=2</link>",
            "<link><![CDATA[https://b.example/?a=1&amp;b=2]]></link>",
        ] {
            let document = read_bytes(rss(link).as_bytes()).unwrap();
            let link = document.entries[0].link.as_deref();
            assert_eq!(link, Some("https://b.example/?a=1&b=2"));
        }
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
