//! Hashtags, as a reader sees them in a post's title and text.
//!
//! Works on plain text, where entities are characters already. Refuses what only looks like a hashtag: numbers
//! (`#1`), colours (`#fff`), fragments of addresses, `C#`, `x#y` and the rest of an entity (`&#39;`).

/// The hashtags of a post: lower case, without `#`, sorted, each once.
pub fn hashtags(title: &str, text: &str) -> Vec<String> {
    let mut tags: Vec<String> = [title, text]
        .into_iter()
        .flat_map(occurrences)
        .map(str::to_lowercase)
        .collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// Every hashtag in `text`, as it is written there, without `#`, in order.
pub(crate) fn occurrences(text: &str) -> impl Iterator<Item = &str> {
    let mut last_end = 0;
    text.match_indices('#').filter_map(move |(at, sign)| {
        let start = at + sign.len();
        let rest = &text[start..];
        let len = rest.find(|c: char| !is_tag_character(c)).unwrap_or(rest.len());
        let tag = rest[..len].trim_matches('_');
        let joined_to_another = at == last_end && at > 0;
        let found = tag.chars().any(char::is_alphabetic)
            && (joined_to_another || may_begin(&text[..at]))
            && !is_colour(tag, &text[..at], &rest[len..])
            && !rest[len..].trim_start_matches(' ').starts_with('{');
        if found {
            last_end = start + len;
        }
        found.then_some(tag)
    })
}

/// Letters, digits and marks of any script, the underscore, and what joins letters in some scripts.
fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '_' | '\u{200C}' | '\u{200D}')
        || unicode_normalization::char::is_combining_mark(c)
}

/// Whether a hashtag may follow `before`: nothing that makes one word with it, and no address.
fn may_begin(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let Some(last) = word.chars().next_back() else {
        return true;
    };
    if last.is_alphanumeric() || matches!(last, '&' | '#' | '=') {
        return false;
    }
    let is_address = word.contains("://")
        || word.contains("www.")
        || (word.contains('/') && (word.starts_with('/') || word.contains('.')));
    !is_address
}

/// Whether a "hashtag" is a colour: 3, 6 or 8 hexadecimal digits, where one is a number, all are the same
/// letter (`#fff`), or the words around speak of colours. `#bbc` and `#facade` are hashtags elsewhere.
fn is_colour(tag: &str, before: &str, after: &str) -> bool {
    if !matches!(tag.len(), 3 | 6 | 8) || !tag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return false;
    }
    let first = tag.as_bytes()[0];
    tag.bytes().any(|byte| byte.is_ascii_digit())
        || tag.bytes().all(|byte| byte.eq_ignore_ascii_case(&first))
        || speaks_of_colours(last_characters(before, 60))
        || speaks_of_colours(&after[..after.char_indices().nth(60).map_or(after.len(), |(at, _)| at)])
}

fn last_characters(text: &str, count: usize) -> &str {
    text.char_indices()
        .nth_back(count)
        .map_or(text, |(at, _)| &text[at..])
}

fn speaks_of_colours(text: &str) -> bool {
    let text = text.to_lowercase();
    ["colour", "color", "background", "contrast", "css", "hex", "rgb"]
        .iter()
        .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_sees() {
        for (text, expected) in [
            (
                "#LocalGovDigital at #UKGC25….",
                &["localgovdigital", "ukgc25"][..],
            ),
            ("(#opendata), “#OpenData” and #OpenData’s friends", &["opendata"]),
            ("#one/#two#three 🎉#four", &["four", "one", "three", "two"]),
            ("Weeknotes #17, #1, C#, x#y, &#39; &#x27;", &[]),
            (
                "https://example.org/#top example.org/a/#top page.html#top /#top",
                &[],
            ),
            ("?q=#no ## no #- #_", &[]),
            ("white #fff, #0b0c0c and #FFFFFFFF; our blue is #1d70b8", &[]),
            ("background: #abc, the colour #bada55 and #decade", &[]),
            ("as the #BBC said behind its #facade", &["bbc", "facade"]),
            ("#main { margin: 0 }", &[]),
            (
                "#自治体 #Größe #cafe\u{301} #2015budget _#emphasis_",
                &["2015budget", "cafe\u{301}", "emphasis", "größe", "自治体"],
            ),
            ("", &[]),
        ] {
            assert_eq!(hashtags("", text), expected, "{text}");
        }
    }

    #[test]
    fn of_title_and_text_together() {
        assert_eq!(hashtags("#b: news", "of #a and #B"), ["a", "b"]);
    }
}
