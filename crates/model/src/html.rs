//! HTML that a browser may be given.

use memchr::{memchr, memchr3};
use serde::Serialize;

/// HTML that went through the sanitiser. Only the sanitiser (`normalize`) and the row decoder (`store`) build
/// one; a test over the source holds that.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct SafeHtml(String);

impl SafeHtml {
    /// Vouches that `html` came out of the sanitiser, now or before it was stored.
    pub fn vouched(html: String) -> Self {
        Self(html)
    }

    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The markup, owned.
    pub fn into_string(self) -> String {
        self.0
    }

    /// The markup in pieces, which make the whole when they are put together. No tree is built.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut rest = self.as_str();
        std::iter::from_fn(move || {
            let end = if rest.starts_with('<') {
                tag_end(rest).map(|end| end + 1)
            } else {
                memchr(b'<', rest.as_bytes())
            };
            let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            match piece {
                "" => None,
                tag if tag.starts_with('<') && tag.ends_with('>') => Some(Piece::tag(tag)),
                text => Some(Piece::Text(text)),
            }
        })
    }
}

/// A piece of markup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text, its entities as they stand.
    Text(&'a str),
    /// A tag.
    Tag {
        /// The element's name, in lower case as the sanitiser writes it.
        name: &'a str,
        /// Whether it is an end tag.
        closes: bool,
        /// All of it, from `<` to `>`.
        markup: &'a str,
    },
}

impl<'a> Piece<'a> {
    fn tag(markup: &'a str) -> Self {
        let inside = &markup[1..markup.len() - 1];
        let closes = inside.starts_with('/');
        let inside = &inside[usize::from(closes)..];
        let name_end = inside
            .bytes()
            .position(|byte| byte.is_ascii_whitespace() || byte == b'/')
            .unwrap_or(inside.len());
        Self::Tag {
            name: &inside[..name_end],
            closes,
            markup,
        }
    }

    /// The value of a tag's attribute as it stands; the sanitiser writes names in lower case and values in double quotes.
    pub fn attribute(&self, wanted: &str) -> Option<&'a str> {
        let Self::Tag { markup, .. } = self else {
            return None;
        };
        let mut rest = markup.split_once(|c: char| c.is_ascii_whitespace())?.1;
        while let Some((name, after)) = rest.split_once("=\"") {
            let (value, next) = after.split_once('"')?;
            if name.trim() == wanted {
                return Some(value);
            }
            rest = next;
        }
        None
    }
}

/// The index of the `>` that ends the tag at the start of `markup`; one inside quotes does not.
fn tag_end(markup: &str) -> Option<usize> {
    let bytes = markup.as_bytes();
    let mut at = 0;
    loop {
        at += memchr3(b'>', b'"', b'\'', &bytes[at..])?;
        if bytes[at] == b'>' {
            return Some(at);
        }
        at += 1;
        at += memchr(bytes[at - 1], &bytes[at..])? + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_whole_again() {
        let html = "a<b title=\"1 > 2\" lang=\"cy\">c</b> 'd' <br> < e <i";
        let html = SafeHtml::vouched(html.to_owned());
        let pieces: Vec<Piece<'_>> = html.pieces().collect();
        let whole = pieces.iter().map(|piece| match piece {
            Piece::Text(markup) | Piece::Tag { markup, .. } => *markup,
        });
        assert_eq!(whole.collect::<String>(), html.as_str());
        let names = pieces.iter().filter_map(|piece| match piece {
            Piece::Tag { name, closes, .. } => Some((*name, *closes)),
            Piece::Text(_) => None,
        });
        assert_eq!(
            names.collect::<Vec<_>>(),
            [("b", false), ("b", true), ("br", false)]
        );
        assert_eq!(pieces[1].attribute("lang"), Some("cy"));
        assert_eq!(
            (pieces[1].attribute("title"), pieces[1].attribute("itle")),
            (Some("1 > 2"), None)
        );
    }
}
