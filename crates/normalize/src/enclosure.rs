//! What is attached to a post: addresses of the web, with a type and a length where the feed gives what can be.
//!
//! It guesses nothing: what is no media type or no length is as if it had not been said.

use model::Enclosure;
use url::Url;

use crate::entry::web_address;
use crate::parse::Attached;

/// How many files of a post are kept: more are a mistake.
const MOST: usize = 20;
/// No file that anybody attaches is larger: 1 TiB.
const LARGEST_BYTES: u64 = 1 << 40;
/// The longest half of a media type (RFC 6838 section 4.2).
const LONGEST_NAME: usize = 127;

/// The files of `attached`, each once; relative addresses are relative to `base`.
pub(crate) fn enclosures(attached: Vec<Attached>, base: Option<&Url>) -> Vec<Enclosure> {
    let mut found: Vec<Enclosure> = Vec::new();
    for Attached { url, kind, length } in attached {
        let Some(url) = web_address(&url, base).map(String::from) else {
            continue;
        };
        if found.len() == MOST {
            break;
        }
        if found.iter().all(|known| known.url != url) {
            found.push(Enclosure {
                url,
                media_type: kind.as_deref().and_then(media_type),
                size_bytes: length.as_deref().and_then(size_bytes),
            });
        }
    }
    found
}

/// A media type in lower case, without its parameters.
fn media_type(text: &str) -> Option<String> {
    let essence = text.split(';').next()?.trim();
    let (kind, subtype) = essence.split_once('/')?;
    let is_name = |name: &str| {
        name.len() <= LONGEST_NAME
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    (is_name(kind) && is_name(subtype)).then(|| essence.to_ascii_lowercase())
}

/// A length. None at all is what feeds write that do not know it.
fn size_bytes(text: &str) -> Option<u64> {
    let size = text.trim().parse().ok()?;
    (1..=LARGEST_BYTES).contains(&size).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached(url: &str, kind: &str, length: &str) -> Attached {
        Attached {
            url: url.to_owned(),
            kind: Some(kind.to_owned()),
            length: Some(length.to_owned()),
        }
    }

    #[test]
    fn types_and_lengths_that_cannot_be_are_left_out() {
        for (kind, kept) in [
            ("audio/mpeg", Some("audio/mpeg")),
            (" Audio/MPEG; codecs=\"mp3\"", Some("audio/mpeg")),
            ("image/svg+xml", Some("image/svg+xml")),
            ("mp3", None),
            ("/", None),
            ("audio/", None),
            ("text/html\" onload=\"alert(1)", None),
            ("audio/<script>", None),
            ("audio/mpeg/3", None),
            ("аudio/mpeg", None),
        ] {
            assert_eq!(media_type(kind).as_deref(), kept, "{kind}");
        }
        assert_eq!(media_type(&format!("audio/{}", "x".repeat(128))), None);
        for (length, kept) in [
            (" 12345 ", Some(12_345)),
            ("1099511627776", Some(LARGEST_BYTES)),
            ("1099511627777", None),
            ("0", None),
            ("-1", None),
            ("1.5", None),
            ("1e9", None),
            ("12 MB", None),
            ("", None),
            ("99999999999999999999999999", None),
        ] {
            assert_eq!(size_bytes(length), kept, "{length}");
        }
    }

    #[test]
    fn each_address_of_the_web_is_kept_once() {
        let base = Url::parse("https://blog.example/posts/1").unwrap();
        let given = vec![
            attached("javascript:alert(1)", "text/html", "1"),
            attached("a.mp3", "audio/mpeg", "10"),
            attached("https://blog.example/posts/a.mp3", "audio/ogg", "20"),
            attached("//files.example/b.pdf", "", ""),
        ];
        let kept = enclosures(given, Some(&base));
        assert_eq!(
            kept,
            [
                Enclosure {
                    url: "https://blog.example/posts/a.mp3".to_owned(),
                    media_type: Some("audio/mpeg".to_owned()),
                    size_bytes: Some(10),
                },
                Enclosure {
                    url: "https://files.example/b.pdf".to_owned(),
                    media_type: None,
                    size_bytes: None,
                },
            ]
        );
        let many = (0..50).map(|number| attached(&format!("{number}.mp3"), "audio/mpeg", "1"));
        assert_eq!(enclosures(many.collect(), Some(&base)).len(), MOST);
    }
}
