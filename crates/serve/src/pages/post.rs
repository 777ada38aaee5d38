//! A post that is shown inside a page of ours: its headings moved below the page's own, its wide tables reachable by
//! keyboard, and nothing in it without a name. Nothing is invented: a picture that its author did not describe says so.

use model::{Piece, SafeHtml};

/// What stands for a picture that its author did not describe.
const UNDESCRIBED: &str = "A picture without a description";

/// The level of a post's highest headings.
const TOP: u8 = 3;

/// The markup as a page of ours holds it.
pub(super) fn within_the_page(html: &SafeHtml) -> String {
    let mut page = Page::default();
    for piece in html.pieces() {
        match piece {
            Piece::Text(text) => page.text(text),
            Piece::Tag { name, closes, markup } => match (name, closes) {
                ("h1" | "h2" | "h3" | "h4" | "h5" | "h6", _) => page.heading(name, closes, markup),
                ("img", _) => page.picture(piece, markup),
                ("a", false) => page.open(Which::Link, markup),
                ("a", true) => page.close(Which::Link, markup),
                ("table", false) => {
                    page.tables += 1;
                    let label = format!("aria-label=\"Table {}\"", page.tables);
                    page.out
                        .extend(["<div class=\"wide\" role=\"group\" ", &label, " tabindex=\"0\">"]);
                    page.out.push_str(markup);
                }
                ("table", true) => {
                    page.out.push_str(markup);
                    page.out.push_str("</div>");
                }
                _ => page.out.push_str(markup),
            },
        }
    }
    page.out
}

/// An element that needs something to be read out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Link,
    Heading,
}

/// One that is open.
struct Open {
    which: Which,
    /// Where it begins.
    at: usize,
    says_something: bool,
    /// Where the description of its first picture belongs that is said to need none.
    undescribed: Option<usize>,
}

#[derive(Default)]
struct Page {
    out: String,
    open: Vec<Open>,
    /// The author's level and the level it was given, of the headings that the present one stands under.
    above: Vec<(u8, u8)>,
    tables: u32,
}

impl Page {
    fn text(&mut self, text: &str) {
        if !text.trim().is_empty() && text.trim() != "&nbsp;" {
            self.something();
        }
        self.out.push_str(text);
    }

    fn something(&mut self) {
        for open in &mut self.open {
            open.says_something = true;
        }
    }

    /// A heading goes at most one level deeper than the one before it, and never beyond `<h6>`.
    fn heading(&mut self, name: &str, closes: bool, markup: &str) {
        let level = name.as_bytes()[1] - b'0';
        if !closes {
            while self.above.last().is_some_and(|&(outer, _)| outer >= level) {
                self.above.pop();
            }
            let given = self.above.last().map_or(TOP, |&(_, above)| (above + 1).min(6));
            self.above.push((level, given));
        }
        let given = self.above.last().map_or(TOP, |&(_, given)| given);
        let markup = markup.replacen(name, &format!("h{given}"), 1);
        if closes {
            self.close(Which::Heading, &markup);
        } else {
            self.open(Which::Heading, &markup);
        }
    }

    fn picture(&mut self, piece: Piece<'_>, markup: &str) {
        let described = |words: &str| {
            let bare = markup.replacen(" alt=\"\"", "", 1);
            let bare = bare.trim_end_matches(['>', '/']);
            format!("{bare} alt=\"{words}\">")
        };
        match piece.attribute("alt") {
            None => {
                self.something();
                self.out.push_str(&described(UNDESCRIBED));
            }
            Some(alt) if alt.trim().is_empty() => {
                let marked = described("");
                let at = self.out.len() + marked.len() - "\">".len();
                self.out.push_str(&marked);
                for open in &mut self.open {
                    open.undescribed.get_or_insert(at);
                }
            }
            Some(_) => {
                self.something();
                self.out.push_str(markup);
            }
        }
    }

    fn open(&mut self, which: Which, markup: &str) {
        self.open.push(Open {
            which,
            at: self.out.len(),
            says_something: false,
            undescribed: None,
        });
        self.out.push_str(markup);
    }

    /// Ends an element. One that says nothing goes; of a picture in it that needs no description it is told that it has
    /// none, for here it is all there is to read out.
    fn close(&mut self, which: Which, markup: &str) {
        let Some(open) = self.open.pop().filter(|open| open.which == which) else {
            self.out.push_str(markup);
            return;
        };
        match (open.says_something, open.undescribed) {
            (true, _) => {}
            (false, Some(at)) => {
                self.out.insert_str(at, UNDESCRIBED);
                self.something();
            }
            (false, None) => {
                self.out.truncate(open.at);
                return;
            }
        }
        self.out.push_str(markup);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(written: &str) -> String {
        within_the_page(&SafeHtml::vouched(written.to_owned()))
    }

    #[test]
    fn levels_close_up_below_ours() {
        for (written, wanted) in [
            (
                "<h1>a</h1><h4 id=\"x\">b</h4><h2>c</h2>",
                "<h3>a</h3><h4 id=\"x\">b</h4><h4>c</h4>",
            ),
            ("<h2>a</h2><h2>b</h2><h1>c</h1>", "<h3>a</h3><h3>b</h3><h3>c</h3>"),
            (
                "<hr><p>1 &lt; 2 <header>h1</header>",
                "<hr><p>1 &lt; 2 <header>h1</header>",
            ),
            ("<h3>open", "<h3>open"),
            ("a <", "a <"),
        ] {
            assert_eq!(shown(written), wanted);
        }
    }

    #[test]
    fn what_cannot_be_read_out_says_so_or_goes() {
        let undescribed = "<img src=\"x\" alt=\"A picture without a description\">";
        for (written, wanted) in [
            ("<img src=\"x\">", undescribed.to_owned()),
            (
                "<p><img src=\"x\" alt=\"\"> a</p>",
                "<p><img src=\"x\" alt=\"\"> a</p>".to_owned(),
            ),
            (
                "<a href=\"y\"><img alt=\"\" src=\"x\"></a>",
                format!("<a href=\"y\">{undescribed}</a>"),
            ),
            (
                "<a href=\"y\"><img src=\"x\" alt=\"\"> words</a>",
                "<a href=\"y\"><img src=\"x\" alt=\"\"> words</a>".to_owned(),
            ),
            (
                "<h2><img src=\"x\" alt=\"A hall\"></h2>",
                "<h3><img src=\"x\" alt=\"A hall\"></h3>".to_owned(),
            ),
            ("a<h2> </h2><a href=\"y\"></a><h2>&nbsp;</h2>b", "ab".to_owned()),
            ("<h2><a href=\"y\"></a></h2>", String::new()),
            (
                "<h2><a href=\"y\">a</a></h2>",
                "<h3><a href=\"y\">a</a></h3>".to_owned(),
            ),
            ("a</h2></a>b", "a</h3></a>b".to_owned()),
        ] {
            assert_eq!(shown(written), wanted);
        }
    }

    #[test]
    fn tables_are_reached_by_keyboard() {
        assert_eq!(
            shown("<table><tr><td>a</td></tr></table>"),
            "<div class=\"wide\" role=\"group\" aria-label=\"Table 1\" tabindex=\"0\"><table><tr><td>a</td></tr></table></div>"
        );
    }
}
