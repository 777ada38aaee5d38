//! The headers by which two sides avoid needless work: validators, freshness, `Retry-After`.
//!
//! Validators are opaque: sent exactly as they were given, never parsed, mended or compared.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use model::Validators;
use reqwest::StatusCode;
use reqwest::header::{
    AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER,
};

use crate::headers::members;

/// The longest that a `Retry-After` is obeyed.
const MAX_RETRY_AFTER: TimeDelta = TimeDelta::days(31);

/// The largest delta-seconds (RFC 9111 section 1.2.2).
const MAX_DELTA: u64 = 1 << 31;

/// The conditions of a request for something that we may have (RFC 9110 section 13.1).
pub(crate) fn conditions(validators: &Validators) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (IF_NONE_MATCH, &validators.etag),
        (IF_MODIFIED_SINCE, &validators.last_modified),
    ] {
        if let Some(value) = value
            .as_ref()
            .and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok())
        {
            headers.insert(name, value);
        }
    }
    headers
}

/// The validators that an answer carries (RFC 9110 section 8.8).
pub(crate) fn validators(headers: &HeaderMap) -> Validators {
    Validators {
        etag: text(headers, &ETAG).map(str::to_owned),
        last_modified: text(headers, &LAST_MODIFIED).map(str::to_owned),
    }
}

/// The validators after a 304: its own where it carries any, else those that were sent (RFC 9111 section 4.3.4).
pub(crate) fn renewed(sent: &Validators, headers: &HeaderMap) -> Validators {
    let new = validators(headers);
    Validators {
        etag: new.etag.or_else(|| sent.etag.clone()),
        last_modified: new.last_modified.or_else(|| sent.last_modified.clone()),
    }
}

/// How long an answer stays fresh from now: `max-age`, else `Expires` less `Date`, in both cases less `Age` (RFC
/// 9111 section 4.2). Zero if it says not at all, `None` if it says nothing.
///
/// `s-maxage` is for caches that the publisher can purge, which we are not; `must-revalidate` speaks of what is no
/// longer fresh, and we always ask then. Of two values the first counts (section 4.2.1). `Date` less our own clock is
/// not taken for age: it would make every answer of a server whose clock is slow look stale.
pub(crate) fn max_age(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let mut lifetime = None;
    for directive in members(headers, CACHE_CONTROL) {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        if name.eq_ignore_ascii_case("max-age") {
            lifetime = lifetime.or_else(|| seconds(argument.trim().trim_matches('"')));
        }
    }
    let lifetime = if let Some(seconds) = lifetime {
        Duration::from_secs(seconds)
    } else {
        let expires = headers.get(EXPIRES)?;
        let sent = text(headers, &DATE).and_then(http_date).unwrap_or(now);
        // An `Expires` that is no date, such as the common 0, means "already" (RFC 9111 section 5.3).
        expires
            .to_str()
            .ok()
            .and_then(http_date)
            .and_then(|expires| (expires - sent).to_std().ok())
            .unwrap_or_default()
    };
    let age = text(headers, &AGE).and_then(seconds).unwrap_or(0);
    Some(lifetime.saturating_sub(Duration::from_secs(age)))
}

/// Until when the server asks not to be asked again (RFC 9110 section 10.2.3), from now to 31 days ahead.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let value = text(headers, &RETRY_AFTER)?;
    let until = match seconds(value) {
        Some(delta) => now + TimeDelta::seconds(delta as i64),
        None => http_date(value)?,
    };
    Some(until.clamp(now, now + MAX_RETRY_AFTER))
}

/// A refusal that says when to come again, in words.
pub(crate) fn refusal(status: StatusCode, until: DateTime<Utc>) -> String {
    format!(
        "the server answered {status} and asks not to be asked again before {}",
        until.format("%-d %B %Y %H:%M UTC")
    )
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let text = std::str::from_utf8(headers.get(name)?.as_bytes()).ok()?;
    (!text.is_empty()).then_some(text)
}

/// Delta-seconds; too many are the most there can be.
fn seconds(text: &str) -> Option<u64> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().unwrap_or(MAX_DELTA).min(MAX_DELTA))
}

/// One of the three forms of an HTTP-date (RFC 9110 section 5.6.7).
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    httpdate::parse_http_date(text).ok().map(DateTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn now() -> DateTime<Utc> {
        "2026-11-23T09:00:00Z".parse().unwrap()
    }

    #[test]
    fn freshness() {
        for (lines, fresh) in [
            (vec![], None),
            (vec![("cache-control", "public")], None),
            (vec![("cache-control", "public, Max-Age=3600")], Some(3600)),
            (vec![("cache-control", "max-age=\"60\"")], Some(60)),
            (
                vec![("cache-control", "max-age=3600"), ("age", "600")],
                Some(3000),
            ),
            (vec![("cache-control", "max-age=60"), ("age", "600")], Some(0)),
            (vec![("cache-control", "max-age=60, max-age=900")], Some(60)),
            (vec![("cache-control", "max-age=900, must-revalidate")], Some(900)),
            (vec![("cache-control", "must-revalidate")], None),
            (vec![("cache-control", "s-maxage=31536000, max-age=60")], Some(60)),
            (vec![("cache-control", "s-maxage=31536000")], None),
            (vec![("cache-control", "max-age=900, no-store")], Some(0)),
            (vec![("cache-control", "max-age=-1")], None),
            (vec![("cache-control", "max-age=3600, no-cache")], Some(0)),
            (vec![("cache-control", "s-maxage=9, max-age=soon")], None),
            (
                vec![("cache-control", "max-age=99999999999999999999999")],
                Some(1 << 31),
            ),
            (vec![("expires", "Mon, 23 Nov 2026 10:00:00 GMT")], Some(3600)),
            (vec![("expires", "Monday, 23-Nov-26 10:00:00 GMT")], Some(3600)),
            (vec![("expires", "Mon Nov 23 10:00:00 2026")], Some(3600)),
            (
                vec![
                    ("expires", "Mon, 23 Nov 2026 10:00:00 GMT"),
                    ("date", "Mon, 23 Nov 2026 09:30:00 GMT"),
                    ("age", "60"),
                ],
                Some(1740),
            ),
            (
                vec![
                    ("expires", "Mon, 23 Nov 2026 10:00:00 GMT"),
                    ("cache-control", "max-age=5"),
                ],
                Some(5),
            ),
            (vec![("expires", "0")], Some(0)),
            (vec![("expires", "Thu, 19 Nov 1981 08:52:00 GMT")], Some(0)),
        ] {
            assert_eq!(
                max_age(&headers(&lines), now()),
                fresh.map(Duration::from_secs),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn retry_after_in_both_forms() {
        for (value, until) in [
            ("120", Some("2026-11-23T09:02:00Z")),
            ("0", Some("2026-11-23T09:00:00Z")),
            ("Tue, 24 Nov 2026 09:00:00 GMT", Some("2026-11-24T09:00:00Z")),
            ("Tuesday, 24-Nov-26 09:00:00 GMT", Some("2026-11-24T09:00:00Z")),
            ("Tue Nov 24 09:00:00 2026", Some("2026-11-24T09:00:00Z")),
            ("Sun, 22 Nov 2026 09:00:00 GMT", Some("2026-11-23T09:00:00Z")),
            ("31536000", Some("2026-12-24T09:00:00Z")),
            ("99999999999999999999999", Some("2026-12-24T09:00:00Z")),
            ("Sat, 01 Jan 2050 00:00:00 GMT", Some("2026-12-24T09:00:00Z")),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            let until = until.map(|text| text.parse().unwrap());
            assert_eq!(
                retry_after(&headers(&[("retry-after", value)]), now()),
                until,
                "{value}"
            );
        }
    }

    #[test]
    fn validators_go_out_as_they_came() {
        for etag in ["\"abc\"", "W/\"abc-gzip\"", "unquoted", "\"é\""] {
            let sent = Validators {
                etag: Some(etag.to_owned()),
                last_modified: Some("yesterday".to_owned()),
            };
            let request = conditions(&sent);
            assert_eq!(request[IF_NONE_MATCH].as_bytes(), etag.as_bytes());
            assert_eq!(request[IF_MODIFIED_SINCE], "yesterday");
            let answer: HeaderMap = [(ETAG, request[IF_NONE_MATCH].clone())].into_iter().collect();
            assert_eq!(validators(&answer).etag.as_deref(), Some(etag));
        }
        let unsendable = Validators {
            etag: Some("a\nb".to_owned()),
            last_modified: None,
        };
        assert!(conditions(&unsendable).is_empty());
    }

    #[test]
    fn a_304_renews_what_it_carries() {
        for (sent, carried, kept) in [
            ((Some("\"1\""), Some("x")), vec![], (Some("\"1\""), Some("x"))),
            (
                (Some("\"1\""), Some("x")),
                vec![("etag", "\"2\"")],
                (Some("\"2\""), Some("x")),
            ),
            (
                (Some("\"1\""), None),
                vec![("etag", "W/\"1\"")],
                (Some("W/\"1\""), None),
            ),
            ((None, Some("x")), vec![("last-modified", "y")], (None, Some("y"))),
            (
                (None, Some("x")),
                vec![("etag", "\"1\"")],
                (Some("\"1\""), Some("x")),
            ),
            ((None, Some("x")), vec![("etag", "")], (None, Some("x"))),
        ] {
            let owned = |(etag, last_modified): (Option<&str>, Option<&str>)| Validators {
                etag: etag.map(str::to_owned),
                last_modified: last_modified.map(str::to_owned),
            };
            assert_eq!(
                renewed(&owned(sent), &headers(&carried)),
                owned(kept),
                "{carried:?}"
            );
        }
    }
}
