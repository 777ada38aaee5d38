//! Hashtags, as a reader sees them in a post's title and text.
//!
//! Works on plain text, where entities are characters already, and on the sanitised markup for what plain text no
//! longer tells: code, and links to a place within a page. Refuses what only looks like a hashtag: numbers (`#1`),
//! colours (`#fff`), fragments of addresses, chat channels (`#events-north`), `C#`, `x#y` and the rest of an entity
//! (`&#39;`).

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

use crate::text::plain_text;

/// The sign, and its form as wide as a Chinese character.
const SIGNS: [char; 2] = ['#', '＃'];
/// Elements that hold code, as the sanitiser writes them.
const CODE: [&str; 4] = ["code", "pre", "kbd", "samp"];

/// Words around a colour.
const COLOURS: [&str; 7] = ["colour", "color", "background", "contrast", "css", "hex", "rgb"];
/// Words around the name of a chat channel.
const CHATS: [&str; 2] = ["channel", "slack"];
/// How many characters are around.
const NEAR: usize = 60;

/// The hashtags of a post: folded for case and width, without `#`, sorted, each once. `text` is the plain text of
/// `safe_html`, which is the sanitised post.
pub fn hashtags(title: &str, text: &str, safe_html: &str) -> Vec<String> {
    // Most posts have none, and one character is found faster than a hashtag.
    let prose = if SIGNS.iter().any(|&sign| text.contains(sign)) {
        without_code_and_anchors(safe_html).map_or(Cow::Borrowed(text), |html| plain_text(&html).into())
    } else {
        Cow::Borrowed("")
    };
    let mut tags: Vec<String> = [title, &prose]
        .into_iter()
        .flat_map(occurrences)
        .map(folded_tag)
        .collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// A hashtag as it is compared and stored: lower case, in the compatibility form (NFKC), so that wide letters,
/// ligatures and letters with loose accents are the usual ones.
pub(crate) fn folded_tag(written: &str) -> String {
    let lower = written.to_lowercase();
    if is_nfkc_quick(lower.chars()) == IsNormalized::Yes {
        lower
    } else {
        lower.nfkc().collect::<String>().to_lowercase()
    }
}

/// Every hashtag in `text`, as it is written there, without `#`, in order.
pub(crate) fn occurrences(text: &str) -> impl Iterator<Item = &str> {
    let mut last_end = 0;
    text.match_indices(SIGNS).filter_map(move |(at, sign)| {
        let start = at + sign.len();
        let rest = &text[start..];
        let len = rest.find(|c: char| !is_tag_character(c)).unwrap_or(rest.len());
        let tag = rest[..len].trim_matches('_');
        let joined_to_another = at == last_end && at > 0;
        let found = tag.chars().any(char::is_alphabetic)
            && (joined_to_another || may_begin(&text[..at]))
            && !is_colour(tag, &text[..at], &rest[len..])
            && !rest[len..].trim_start_matches(' ').starts_with('{')
            && !is_channel(&text[..at], &rest[len..]);
        if found {
            last_end = start + len;
        }
        found.then_some(tag)
    })
}

/// The markup without its code, and without links whose words are the place in a page that they lead to
/// (`<a href="#top">#top</a>`); `None` if it has neither.
fn without_code_and_anchors(safe_html: &str) -> Option<String> {
    let mut kept = String::new();
    let mut from = 0;
    let mut at = 0;
    while let Some(start) = safe_html[at..].find('<').map(|offset| at + offset) {
        let end = end_of_code(safe_html, start).or_else(|| end_of_anchor(safe_html, start));
        at = end.unwrap_or(start + 1);
        if let Some(end) = end {
            kept.push_str(&safe_html[from..start]);
            // Words before and after do not become one.
            kept.push_str("<br>");
            from = end;
        }
    }
    (from > 0).then(|| kept + &safe_html[from..])
}

/// The end of the code that begins at `start`, if it does.
fn end_of_code(html: &str, start: usize) -> Option<usize> {
    let rest = &html[start + 1..];
    let name = CODE.into_iter().find(|name| {
        rest.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['>', ' ']))
    })?;
    let close = format!("</{name}>");
    Some(
        rest.find(&close)
            .map_or(html.len(), |at| start + 1 + at + close.len()),
    )
}

/// The end of a link that begins at `start` and says no more than the place in a page that it leads to.
fn end_of_anchor(html: &str, start: usize) -> Option<usize> {
    let rest = html[start..].strip_prefix("<a ")?;
    let (tag, words) = rest.split_once('>')?;
    let (_, address) = tag.split_once("href=\"")?;
    let (_, place) = address.split_once('"')?.0.split_once('#')?;
    let after = words
        .strip_prefix('#')?
        .strip_prefix(place)?
        .strip_prefix("</a>")?;
    Some(html.len() - after.len())
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
    if last.is_alphanumeric() || matches!(last, '&' | '#' | '=' | '{') {
        return false;
    }
    let is_address = word.contains("://")
        || word.contains("www.")
        || (word.contains('/') && (word.contains('.') || is_path(word)));
    !is_address
}

/// Whether a word is the path of an address, perhaps in brackets, rather than one thing / another.
fn is_path(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '[', '<', '"', '\'', '“', '‘']);
    word.starts_with('/') && word.len() > 1
}

/// Whether a "hashtag" is a colour: 3, 6 or 8 hexadecimal digits, where one is a number, all are the same
/// letter (`#fff`), or the words around speak of colours. `#bbc`, `#facade`, `#b2b` and `#ac2015` are hashtags
/// elsewhere.
fn is_colour(tag: &str, before: &str, after: &str) -> bool {
    if !matches!(tag.len(), 3 | 6 | 8) || !tag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return false;
    }
    let first = tag.as_bytes()[0];
    tag.bytes().any(|byte| byte.is_ascii_digit()) && !has_a_meaning(tag)
        || tag.bytes().all(|byte| byte.eq_ignore_ascii_case(&first))
        || speaks_of(&COLOURS, before, after)
}

/// Whether a "hashtag" is the first word of a chat channel's name (`the #events-north channel`): a hashtag ends at its
/// hyphen, such a name does not.
fn is_channel(before: &str, after: &str) -> bool {
    let goes_on = after
        .strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(is_tag_character));
    goes_on && speaks_of(&CHATS, before, after)
}

/// Whether hexadecimal digits are letters with a year, or two letters with a "to".
fn has_a_meaning(tag: &str) -> bool {
    match tag.as_bytes() {
        [from, b'2', to] => from.is_ascii_alphabetic() && to.is_ascii_alphabetic(),
        [letters @ .., b'2', b'0', decade, year] => {
            !letters.is_empty()
                && letters.iter().all(u8::is_ascii_alphabetic)
                && matches!(decade, b'0'..=b'4')
                && year.is_ascii_digit()
        }
        _ => false,
    }
}

/// Whether one of these words stands within [`NEAR`] characters.
fn speaks_of(words: &[&str], before: &str, after: &str) -> bool {
    let start = before.char_indices().nth_back(NEAR).map_or(0, |(at, _)| at);
    let end = after.char_indices().nth(NEAR).map_or(after.len(), |(at, _)| at);
    [&before[start..], &after[..end]].into_iter().any(|near| {
        let near = near.to_lowercase();
        words.iter().any(|word| near.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_text(text: &str) -> Vec<String> {
        hashtags("", text, "")
    }

    fn in_html(html: &str) -> Vec<String> {
        hashtags("", &plain_text(html), html)
    }

    #[test]
    fn what_a_reader_sees() {
        for (text, expected) in [
            (
                "#LocalGovDigital at #UKGC25….",
                &["localgovdigital", "ukgc25"][..],
            ),
            ("(#opendata), “#OpenData” and #OpenData’s friends", &["opendata"]),
            ("#one/#two#three 🎉#four", &["four", "one", "three", "two"]),
            ("either /#one or (#two / #three)", &["one", "three", "two"]),
            (
                "end#no *#bold* “#quoted”! –#dash—#dash2, #it's [#link]",
                &["bold", "dash", "dash2", "it", "link", "quoted"],
            ),
            ("Weeknotes #17, #1, C#, F# x#y, &#39; &#x27;", &[]),
            (
                "https://example.org/#top example.org/a/#top page.html#top (/a/#top) /a#top {#top}",
                &[],
            ),
            ("?q=#no ## no #- #_", &[]),
            ("white #fff, #0b0c0c and #FFFFFFFF; our blue is #1d70b8", &[]),
            ("background: #abc, the colour #bada55 and #decade", &[]),
            ("as the #BBC said behind its #facade", &["bbc", "facade"]),
            ("#B2B at #ac2015 and #ace2016", &["ac2015", "ace2016", "b2b"]),
            ("#main { margin: 0 }", &[]),
            ("ask in the #events-north channel; Slack: #events-south", &[]),
            ("#events-related news, #one- and two", &["events", "one"]),
            ("the #events channel in Slack", &["events"]),
            (
                "#自治体 #Größe #cafe\u{301} #2015budget _#emphasis_",
                &["2015budget", "café", "emphasis", "größe", "自治体"],
            ),
            ("", &[]),
        ] {
            assert_eq!(in_text(text), expected, "{text}");
        }
    }

    #[test]
    fn one_tag_in_all_its_forms() {
        assert_eq!(
            in_text("#Dŵr #DŴR #dw\u{302}r ＃Ｄŵｒ #Ｏｐｅｎ #open"),
            ["dŵr", "open"]
        );
    }

    #[test]
    fn code_and_places_in_a_page_are_none() {
        for (html, expected) in [
            (
                "<p><code>#define</code> and <pre class=\"c\">#if 0</pre> #yes</p>",
                &["yes"][..],
            ),
            ("<pre><code>#one</code>\n#two</pre>#three", &["three"]),
            ("<p>#before<code>#never closed", &["before"]),
            (
                "<a href=\"#top\">#top</a> <a href=\"https://x.example/a#b-c\">#b-c</a>",
                &[],
            ),
            (
                "<a href=\"https://x.example/tags/a?src=hash\">#a</a> <a href=\"#c\">#b</a>, <codex>#d</codex>",
                &["a", "b", "d"],
            ),
        ] {
            assert_eq!(in_html(html), expected, "{html}");
        }
    }

    #[test]
    fn of_title_and_text_together() {
        assert_eq!(hashtags("#b: news", "of #a and #B", ""), ["a", "b"]);
    }
}
