//! Whether an answer's headers ask that no model be trained with what is in it, in any of the vocabularies in use:
//! `X-Robots-Tag: noai`; the TDM Reservation Protocol (<https://www.w3.org/community/reports/tdmrep/>); `Content-Usage`
//! (draft-ietf-aipref-attach) and `Content-Signal` (<https://contentsignals.org>).
//!
//! Whoever says it once means it: a yes beside a no does not take it back (draft-ietf-aipref-vocab, "Combining
//! Preferences"). It makes no wish up: what cannot be read says nothing.

use reqwest::header::HeaderMap;

use crate::headers::members;

/// Names that the drafts of the vocabulary have had for training, and for uses of which it is one.
const USES: [&str; 7] = [
    "train-ai",
    "train-genai",
    "ai-train",
    "genai",
    "ai",
    "tdm",
    "bots",
];

/// Whether these headers refuse training.
pub(crate) fn is_refused(headers: &HeaderMap) -> bool {
    let robots = members(headers, "x-robots-tag").any(|member| {
        // `botname: noai` speaks to one crawler, which may be one of those that read us.
        let directive = member.rsplit(':').next().unwrap_or(member);
        directive.trim().eq_ignore_ascii_case("noai")
    });
    let mut reservation = members(headers, "tdm-reservation");
    let mut usage = members(headers, "content-usage").chain(members(headers, "content-signal"));
    robots || reservation.any(|member| member == "1") || usage.any(is_no_to_training)
}

/// `train-ai=n`, parameters aside (RFC 9651 section 3.2).
fn is_no_to_training(member: &str) -> bool {
    let preference = member.split(';').next().unwrap_or(member);
    preference.split_once('=').is_some_and(|(name, value)| {
        let is_use = USES.iter().any(|known| name.trim().eq_ignore_ascii_case(known));
        is_use && matches!(value.trim(), "n" | "no")
    })
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;

    #[test]
    fn each_vocabulary_is_understood_and_nothing_else_is_a_refusal() {
        for (lines, refused) in [
            (&[][..], false),
            (&[("x-robots-tag", "noai, noimageai")], true),
            (&[("x-robots-tag", "noindex"), ("x-robots-tag", "NOAI")], true),
            (&[("x-robots-tag", "examplebot: noai")], true),
            (&[("x-robots-tag", "noimageai")], false),
            (&[("x-robots-tag", "noindex, noarchive")], false),
            (&[("tdm-reservation", "1")], true),
            (&[("tdm-reservation", "0")], false),
            (&[("tdm-reservation", "0"), ("tdm-reservation", "1")], true),
            (&[("tdm-policy", "https://blog.example/policy.json")], false),
            (&[("content-usage", "train-ai=n")], true),
            (&[("content-usage", "search=y, train-ai=n;exceptions=(a)")], true),
            (&[("content-usage", "train-ai=y")], false),
            (&[("content-usage", "search=n")], false),
            (&[("content-usage", "train-ai=y, bots=n")], true),
            (&[("content-usage", "train-ai")], false),
            (&[("content-signal", "search=yes, ai-train=no")], true),
            (&[("content-signal", "ai-train=yes")], false),
            (&[("x-robots-tag", "noai"), ("content-usage", "train-ai=y")], true),
        ] {
            let headers: HeaderMap = lines
                .iter()
                .fold(HeaderMap::new(), |mut headers, &(name, value)| {
                    headers.append(HeaderName::from_static(name), value.parse().unwrap());
                    headers
                });
            assert_eq!(is_refused(&headers), refused, "{lines:?}");
        }
    }
}
