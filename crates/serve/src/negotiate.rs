//! What the asker can take and what they have already: encodings, validators, the form of a failure
//! (RFC 9110 sections 8.8, 12.5 and 13.1). A header that cannot be read counts as not sent.

use axum::http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use chrono::{DateTime, Utc};

/// How the bytes of a document are encoded on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

impl Encoding {
    /// How many there are beside the identity.
    pub(crate) const COUNT: usize = 3;

    /// Best first, where the asker likes them equally.
    const PREFERRED: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Its name in `Content-Encoding`.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// What it adds to an entity tag, so that each encoding has a strong one of its own.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Gzip => "-gzip",
            Self::Brotli => "-br",
            Self::Zstd => "-zstd",
        }
    }

    /// Where a document keeps it.
    pub(crate) fn slot(self) -> Option<usize> {
        Self::PREFERRED.iter().position(|&other| other == self)
    }
}

/// The encoding that the asker likes best, and that we like best among those.
pub(crate) fn encoding(headers: &HeaderMap) -> Encoding {
    // What is said of each name, and of all others.
    let (mut identity, mut gzip, mut brotli, mut zstd) = (None, None, None, None);
    let (mut x_gzip, mut others) = (None, None);
    for (token, q) in weighted(headers, &ACCEPT_ENCODING) {
        let said = match () {
            () if token.eq_ignore_ascii_case("gzip") => &mut gzip,
            () if token.eq_ignore_ascii_case("br") => &mut brotli,
            () if token.eq_ignore_ascii_case("zstd") => &mut zstd,
            () if token.eq_ignore_ascii_case("identity") => &mut identity,
            // RFC 9110 section 8.4.1.3: a recipient treats x-gzip as gzip.
            () if token.eq_ignore_ascii_case("x-gzip") => &mut x_gzip,
            () if token == "*" => &mut others,
            () => continue,
        };
        said.get_or_insert(q);
    }
    let mut best = (Encoding::Identity, identity.unwrap_or(0));
    for encoding in Encoding::PREFERRED {
        let said = match encoding {
            Encoding::Identity => identity,
            Encoding::Gzip => gzip.or(x_gzip),
            Encoding::Brotli => brotli,
            Encoding::Zstd => zstd,
        };
        let q = said.or(others).unwrap_or(0);
        let better = if best.0 == Encoding::Identity {
            q >= best.1
        } else {
            q > best.1
        };
        if q > 0 && better {
            best = (encoding, q);
        }
    }
    best.0
}

/// Whether the asker likes JSON better than a page.
pub(crate) fn prefers_json(headers: &HeaderMap) -> bool {
    let quality = |names: &[&str]| {
        weighted(headers, &ACCEPT)
            .filter(|(token, _)| names.iter().any(|name| token.eq_ignore_ascii_case(name)))
            .map(|(_, q)| q)
            .max()
    };
    let json = quality(&[
        "application/json",
        "application/problem+json",
        "application/feed+json",
    ])
    .unwrap_or(0);
    json > quality(&["text/html", "application/xhtml+xml"]).unwrap_or(0)
}

/// Whether the asker is a browser that opens an address: it wants a page above all, and knows no feeds.
pub(crate) fn is_browser(headers: &HeaderMap) -> bool {
    let says = |media: &str| values(headers, &ACCEPT).any(|value| value.starts_with(media));
    says("text/html") && !says("application/atom+xml") && !says("application/rss+xml")
}

/// Whether the asker has the document with this tag (without quotes and encoding) and this date already.
/// `If-None-Match` is compared weakly and across encodings; `If-Modified-Since` counts only without it.
pub(crate) fn not_modified(headers: &HeaderMap, tag: &str, modified: impl FnOnce() -> DateTime<Utc>) -> bool {
    if headers.contains_key(IF_NONE_MATCH) {
        return values(headers, &IF_NONE_MATCH).any(|candidate| {
            let opaque = candidate.strip_prefix("W/").unwrap_or(candidate);
            let opaque = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let rest = opaque.and_then(|opaque| opaque.strip_prefix(tag));
            candidate == "*" || rest.is_some_and(is_suffix)
        });
    }
    headers
        .get(IF_MODIFIED_SINCE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| DateTime::parse_from_rfc2822(text.trim()).ok())
        .is_some_and(|since| modified() <= since)
}

/// What the tag of a feed ends in, before its encoding, where it is sent to a browser.
pub(crate) const FOR_BROWSERS: &str = "-xml";

fn is_suffix(text: &str) -> bool {
    let text = text.strip_prefix(FOR_BROWSERS).unwrap_or(text);
    text.is_empty()
        || Encoding::PREFERRED
            .iter()
            .any(|encoding| encoding.suffix() == text)
}

/// An instant as HTTP writes it (RFC 9110 section 5.6.7).
pub(crate) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The members of a list header, sent once or in pieces.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

/// The members of a list with weights, in thousandths (RFC 9110 section 12.4.2).
fn weighted<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = (&'a str, u16)> {
    values(headers, name).map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let token = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = weight.map_or(1.0, |text| text.parse::<f32>().unwrap_or(0.0));
        (token, (quality.clamp(0.0, 1.0) * 1000.0) as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn encodings_by_weight_then_by_our_taste() {
        for (sent, chosen) in [
            (&["gzip, deflate, br, zstd"][..], Encoding::Brotli),
            (&["gzip"], Encoding::Gzip),
            (&["x-gzip"], Encoding::Gzip),
            (&["gzip;q=0.5", "zstd;q=0.9"], Encoding::Zstd),
            (&["br;q=0, *"], Encoding::Zstd),
            (&["gzip;q=0"], Encoding::Identity),
            (&["identity, gzip;q=0.5"], Encoding::Identity),
            (&["GZIP ; Q=1.0"], Encoding::Gzip),
            (&["gzip;q=0", "x-gzip"], Encoding::Identity),
            (&["br;q=0.5, BR, gzip;q=0.9"], Encoding::Gzip),
            (&["gzip;q=nonsense"], Encoding::Identity),
            (&["*;q=0"], Encoding::Identity),
            (&[""], Encoding::Identity),
            (&[], Encoding::Identity),
        ] {
            assert_eq!(encoding(&headers(&ACCEPT_ENCODING, sent)), chosen, "{sent:?}");
        }
    }

    #[test]
    fn tags_match_weakly_in_lists_and_across_encodings() {
        let at = "2026-11-23T09:00:00Z".parse().unwrap();
        for (sent, same) in [
            ("\"abc\"", true),
            ("W/\"abc\"", true),
            ("\"x\", \"abc-gzip\"", true),
            ("\"abc-xml\"", true),
            ("\"abc-xml-br\"", true),
            ("*", true),
            ("\"abcd\"", false),
            ("abc", false),
        ] {
            assert_eq!(
                not_modified(&headers(&IF_NONE_MATCH, &[sent]), "abc", || at),
                same,
                "{sent}"
            );
        }
    }

    #[test]
    fn dates_count_only_without_tags() {
        let at = "2026-11-23T09:00:00Z".parse().unwrap();
        let mut sent = headers(&IF_MODIFIED_SINCE, &["Mon, 23 Nov 2026 09:00:00 GMT"]);
        assert!(not_modified(&sent, "abc", || at));
        assert!(!not_modified(&sent, "abc", || at + chrono::TimeDelta::seconds(1)));
        sent.insert(IF_NONE_MATCH, "\"other\"".parse().unwrap());
        assert!(!not_modified(&sent, "abc", || at));
        assert!(!not_modified(
            &headers(&IF_MODIFIED_SINCE, &["yesterday"]),
            "abc",
            || at
        ));
        assert_eq!(http_date(at), "Mon, 23 Nov 2026 09:00:00 GMT");
    }

    #[test]
    fn browsers_get_pages_and_programs_json() {
        for (sent, json) in [
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                false,
            ),
            ("application/json", true),
            ("application/problem+json, */*", true),
            ("text/html, application/json;q=0.9", false),
            ("*/*", false),
        ] {
            assert_eq!(prefers_json(&headers(&ACCEPT, &[sent])), json, "{sent}");
        }
        for (sent, browser) in [
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
            ),
            (
                "application/atom+xml, application/xml;q=0.9, text/html;q=0.8",
                false,
            ),
            ("*/*", false),
        ] {
            assert_eq!(is_browser(&headers(&ACCEPT, &[sent])), browser, "{sent}");
        }
    }
}
