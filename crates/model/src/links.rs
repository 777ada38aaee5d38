//! The links in a post's text.

use std::borrow::Cow;

use crate::{Piece, SafeHtml};

/// The links of `html` in order: the address and the text of each. Addresses are as they stand, absolute or not
/// http at all; the text is plain, white space folded, and may be empty.
pub fn links_in(html: &SafeHtml) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let mut open: Option<(String, String)> = None;
    for piece in html.pieces() {
        match piece {
            Piece::Text(text) => {
                if let Some((_, words)) = &mut open {
                    words.push_str(&decode(text));
                }
            }
            Piece::Tag {
                name: "a", closes, ..
            } => {
                links.extend(open.take().map(folded));
                if !closes {
                    open = piece
                        .attribute("href")
                        .map(|address| (decode(address).into_owned(), String::new()));
                }
            }
            Piece::Tag { name, .. } => {
                if let Some((_, words)) = &mut open {
                    words.push_str(if is_inline(name) { "" } else { " " });
                }
            }
        }
    }
    links.extend(open.map(folded));
    links
}

/// Whether words before and after the element are one.
fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "b" | "i" | "em" | "strong" | "span" | "code" | "u" | "s" | "sub" | "sup" | "abbr"
    )
}

/// The entities that the sanitiser writes.
const ENTITIES: [(&str, char); 5] = [
    ("amp;", '&'),
    ("nbsp;", ' '),
    ("lt;", '<'),
    ("gt;", '>'),
    ("quot;", '"'),
];

fn decode(text: &str) -> Cow<'_, str> {
    let mut pieces = text.split('&');
    let first = pieces.next().unwrap_or_default();
    if first.len() == text.len() {
        return text.into();
    }
    let mut decoded = String::with_capacity(text.len());
    decoded.push_str(first);
    for piece in pieces {
        let entity = ENTITIES
            .iter()
            .find_map(|(name, c)| Some((*c, piece.strip_prefix(name)?)));
        let (c, rest) = entity.unwrap_or(('&', piece));
        decoded.push(c);
        decoded.push_str(rest);
    }
    decoded.into()
}

fn folded((address, words): (String, String)) -> (String, String) {
    (address, words.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::links_in;
    use crate::SafeHtml;

    fn links(html: &str) -> Vec<(String, String)> {
        links_in(&SafeHtml::vouched(html.to_owned()))
    }

    #[test]
    fn addresses_and_words() {
        let html = "<p>See <a title=\"a > b\" href=\"https://example.org/?a=1&amp;b=2\" rel=\"x\">the <em>re</em>port\n \
                    &amp;lt;</a> and <a href=\"mailto:x@example.org\"><img alt=\"<a href=\" src=\"y\"></a></p>";
        assert_eq!(
            links(html),
            [
                (
                    "https://example.org/?a=1&b=2".to_owned(),
                    "the report &lt;".to_owned()
                ),
                ("mailto:x@example.org".to_owned(), String::new()),
            ]
        );
    }

    #[test]
    fn what_is_no_link_is_none() {
        assert_eq!(links("<abbr title=\"a\">b</abbr> <a name=\"x\">c</a> a < b"), []);
        assert_eq!(
            links("<a href=\"https://example.org/\">cut"),
            [("https://example.org/".to_owned(), "cut".to_owned())]
        );
    }

    #[test]
    fn long_markup_takes_one_pass() {
        let links = links(&"<a href=\"https://example.org/\">".repeat(100_000));
        assert_eq!(links.len(), 100_000);
    }
}
