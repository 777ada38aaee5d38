//! Plain text out of markup: of sanitised posts by a linear scan, of titles and other short fields with whatever
//! the feed put there.
//!
//! [`plain_text`] and [`first_image`] read only what the sanitiser wrote; they would be fooled by raw markup.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3, memmem};
use model::{Image, clean_text};

use crate::entities::{Reference, decode_references, named, numbered, reference};
use crate::sanitize::sanitize_words;

/// What stands between two words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Space,
    Line,
}

/// The text of sanitised markup: white space folded, each block and `<br>` on a line of its own.
pub(crate) fn plain_text(safe_html: &str) -> String {
    let bytes = safe_html.as_bytes();
    let mut out = String::with_capacity(bytes.len());
    let mut gap = Gap::None;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'<' => {
                let end = tag_end(bytes, at);
                gap = gap.max(gap_of(&safe_html[at + 1..end]));
                at = end;
            }
            b'&' => {
                let (c, length) = match reference(&safe_html[at..]) {
                    Reference::Named(name, length) => (named(name).unwrap_or('\u{fffd}'), length),
                    Reference::Numbered(number, length) => (numbered(number).unwrap_or('\u{fffd}'), length),
                    Reference::None => ('&', 1),
                };
                if c.is_whitespace() {
                    gap = gap.max(Gap::Space);
                } else {
                    push_gap(&mut out, &mut gap);
                    out.push(c);
                }
                at += length;
            }
            byte if byte.is_ascii_whitespace() => {
                gap = gap.max(Gap::Space);
                at += 1;
            }
            _ => {
                let end = memchr3(b'<', b'&', b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
                let words = safe_html[at..end].trim_ascii_end();
                push_gap(&mut out, &mut gap);
                if is_folded(words) {
                    out.push_str(words);
                } else {
                    out.extend(words.split_ascii_whitespace().flat_map(|word| [word, " "]));
                    out.pop();
                }
                at += words.len();
            }
        }
    }
    out
}

/// Whether words without line feeds, the first at the very start, have single spaces between them and nothing else.
fn is_folded(text: &str) -> bool {
    // Without an early way out, so that the compiler can compare many bytes at once.
    let bytes = text.as_bytes();
    let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
    !pairs.fold(false, |found, (&byte, &next)| {
        found | (byte == b' ' && next == b' ' || matches!(next, b'\t' | b'\r' | b'\x0c'))
    })
}

fn push_gap(out: &mut String, gap: &mut Gap) {
    match gap {
        _ if out.is_empty() => {}
        Gap::None => {}
        Gap::Space => out.push(' '),
        Gap::Line => out.push('\n'),
    }
    *gap = Gap::None;
}

/// The offset past the `>` of the tag at `start`; quoted attributes are respected.
fn tag_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(found) = memchr2(b'>', b'"', &bytes[at..]) {
        at += found + 1;
        if bytes[at - 1] == b'>' {
            return at;
        }
        let Some(closing) = memchr(b'"', &bytes[at..]) else {
            break;
        };
        at += closing + 1;
    }
    bytes.len()
}

/// What a tag puts between the words around it.
fn gap_of(tag: &str) -> Gap {
    let tag = tag.strip_prefix('/').unwrap_or(tag);
    let end = tag
        .bytes()
        .position(|byte| !byte.is_ascii_alphanumeric())
        .unwrap_or(tag.len());
    match &tag[..end] {
        "p" | "br" | "div" | "li" | "ul" | "ol" | "h3" | "h4" | "h5" | "h6" | "blockquote" | "pre" | "tr"
        | "table" | "caption" | "dl" | "dt" | "dd" | "figure" | "figcaption" | "hr" | "article"
        | "section" | "aside" | "details" | "summary" | "address" => Gap::Line,
        "td" | "th" | "img" => Gap::Space,
        _ => Gap::None,
    }
}

/// What a byte is to a word: part of one ([`WORD`]), its end ([`SPACE`]), the first byte of a character beyond ASCII
/// ([`BEYOND`]), or neither, as its further bytes.
const PARTS: [u8; 256] = {
    let mut parts = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        parts[byte] = match byte as u8 {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => WORD,
            b'\t'..=b'\r' | b' ' => SPACE,
            0xc0.. => BEYOND,
            _ => 0,
        };
        byte += 1;
    }
    parts
};
const WORD: u8 = 1;
const SPACE: u8 = 2;
const BEYOND: u8 = 4;

/// [`model::count_words`], for the length of a whole post: only what is not ASCII is decoded.
pub(crate) fn count_words(text: &str) -> u32 {
    // Without a branch for each byte: WORD if one goes on, else 0.
    let (mut words, mut in_word) = (0, 0);
    for (at, &byte) in text.as_bytes().iter().enumerate() {
        let part = match PARTS[usize::from(byte)] {
            BEYOND => text[at..].chars().next().map_or(0, beyond),
            part => part,
        };
        words += u32::from(part & WORD & !in_word);
        in_word = part & WORD | in_word & !(part / SPACE);
    }
    words
}

/// What a character beyond ASCII is to a word.
fn beyond(c: char) -> u8 {
    if c.is_alphanumeric() {
        WORD
    } else if c.is_whitespace() {
        SPACE
    } else {
        0
    }
}

/// A short field as plain text on one line. As markup, it loses its tags and is decoded, twice where it was
/// escaped twice (`AT&amp;amp;T`).
pub(crate) fn plain_field(text: &str, is_markup: bool) -> String {
    let plain = if !is_markup {
        Cow::Borrowed(text)
    } else if has_tag(text) {
        Cow::Owned(plain_text(sanitize_words(text).as_str()))
    } else {
        decode_references(text)
    };
    let plain = match &plain {
        Cow::Owned(decoded) if is_markup && decoded.contains('&') => {
            decode_references(decoded).into_owned().into()
        }
        _ => plain,
    };
    fold(&clean_text(&plain))
}

/// A title as plain text; `None` if nothing is left of it.
pub(crate) fn plain_title(text: &str, is_markup: bool) -> Option<String> {
    Some(plain_field(text, is_markup)).filter(|title| !title.is_empty())
}

fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Whether something in the text would be read as a tag or a comment.
fn has_tag(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        matches!(
            text.as_bytes().get(at + 1),
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'/' | b'!' | b'?')
        )
    })
}

/// Plain text as markup: empty lines part paragraphs, other line ends stay.
pub(crate) fn plain_to_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    for paragraph in text.replace("\r\n", "\n").split("\n\n") {
        let paragraph = paragraph.trim();
        if paragraph.is_empty() {
            continue;
        }
        html.push_str("<p>");
        for c in paragraph.chars() {
            match c {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '\n' => html.push_str("<br>"),
                c => html.push(c),
            }
        }
        html.push_str("</p>");
    }
    html
}

/// The first picture of a sanitised post that lies at an https address and is no avatar or emoji.
pub(crate) fn first_image(safe_html: &str) -> Option<Image> {
    memmem::find_iter(safe_html.as_bytes(), "<img ").find_map(|at| {
        let tag = &safe_html[at..tag_end(safe_html.as_bytes(), at)];
        let value = |name: &str| {
            let (_, rest) = tag.split_once(name)?;
            rest.split('"')
                .next()
                .map(|value| decode_references(value).into_owned())
        };
        let url = value(" src=\"").filter(|url| url.starts_with("https://"))?;
        if url.contains("gravatar.com/") || url.contains("/images/core/emoji/") {
            return None;
        }
        let alt = value(" alt=\"")
            .map(|alt| fold(&alt))
            .filter(|alt| !alt.is_empty());
        Some(Image { url, alt })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_lines_and_white_space_folds() {
        assert_eq!(
            plain_text(
                "<p>One&nbsp;two\n  three<br>four</p>\n<ul><li><b>a</b>b</li><li>c &amp; d &lt;e&gt;</li></ul><table><tbody><tr><td>x</td><td>y</td></tr></tbody></table>"
            ),
            "One two three\nfour\nab\nc & d <e>\nx y"
        );
        assert_eq!(plain_text("<img alt=\"a > b\" src=\"x\">é"), "é");
        assert_eq!(plain_text("a &amp;nbsp; & b <"), "a &nbsp; & b");
    }

    #[test]
    fn words_are_counted_as_everywhere() {
        for text in [
            "",
            "It’s 5 o'clock – somewhere\nin Bräila\u{2003}é\u{a0}x",
            "— … “a” 日本 5£ £ é",
        ] {
            assert_eq!(count_words(text), model::count_words(text), "{text}");
        }
    }

    #[test]
    fn titles_are_plain() {
        for (raw, title) in [
            ("AT&amp;T", Some("AT&T")),
            ("AT&amp;amp;T", Some("AT&T")),
            ("It&#8217;s <em>here</em>", Some("It’s here")),
            ("<script>alert(1)</script>Hello<!-- x -->", Some("Hello")),
            ("a < b and 1<2", Some("a < b and 1<2")),
            ("safe<embed src=\"https://v.example/\"> words", Some("safe words")),
            (
                "<h1>One</h1>two<iframe src='https://v.example/'></iframe>",
                Some("One two"),
            ),
            ("  two\n lines\u{8} ", Some("two lines")),
            ("<b></b> ", None),
            ("&nbsp;", None),
        ] {
            assert_eq!(plain_title(raw, true).as_deref(), title, "{raw}");
        }
        assert_eq!(
            plain_title("Use <b> &amp; co", false).as_deref(),
            Some("Use <b> &amp; co")
        );
    }

    #[test]
    fn plain_text_becomes_paragraphs() {
        assert_eq!(
            plain_to_html("a < b\nc\n\n\n\nd & e\n"),
            "<p>a &lt; b<br>c</p><p>d &amp; e</p>"
        );
    }

    #[test]
    fn the_first_picture_that_counts() {
        let html = "<img src=\"http://x.example/a.png\" alt=\"no\"><img src=\"https://s.w.org/images/core/emoji/1.png\">\
                    <img alt=\"A &quot;b&quot;\" src=\"https://x.example/b.png?a=1&amp;b\">";
        let image = first_image(html).unwrap();
        assert_eq!(
            (image.url.as_str(), image.alt.as_deref()),
            ("https://x.example/b.png?a=1&b", Some("A \"b\""))
        );
    }
}
