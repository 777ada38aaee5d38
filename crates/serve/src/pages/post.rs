//! A post that is shown inside a page of ours: its headings moved below the page's own, its lists made of items, its wide
//! tables reachable by keyboard, and nothing in it without a name. Nothing is invented: a picture that its author did
//! not describe says so. It changes which elements there are, never what an attribute or a text holds.

use model::{Piece, SafeHtml};

/// What stands for a picture that its author did not describe.
const UNDESCRIBED: &str = "A picture without a description";

/// The level of a post's highest headings.
const TOP: u8 = 3;

/// The markup as a page of ours holds it.
pub(super) fn within_the_page(html: &SafeHtml) -> String {
    let pieces: Vec<Piece<'_>> = html.pieces().collect();
    let changes = changes(&pieces);
    let mut out = String::with_capacity(html.as_str().len());
    let mut levels = Levels::default();
    let mut tables = 0;
    for (piece, change) in pieces.iter().zip(changes) {
        if change.fate == Fate::Goes {
            continue;
        }
        let (name, closes, markup) = match *piece {
            Piece::Text(text) => ("", false, text),
            Piece::Tag { name, closes, markup } => (name, closes, markup),
        };
        out.push_str(if change.begins_item { "<li>" } else { "" });
        match (change.fate, name, closes) {
            (Fate::Renamed(to), ..) => out.push_str(&renamed(markup, name, to)),
            (Fate::Undescribed, ..) => out.push_str(&undescribed(markup)),
            (_, "h1" | "h2" | "h3" | "h4" | "h5" | "h6", _) => {
                let level = levels.given(name.as_bytes()[1] - b'0', closes);
                out.push_str(&renamed(markup, name, level));
            }
            (_, "table", false) => {
                tables += 1;
                let label = format!("aria-label=\"Table {tables}\"");
                out.extend([
                    "<div class=\"wide\" role=\"group\" ",
                    &label,
                    " tabindex=\"0\">",
                    markup,
                ]);
            }
            (_, "table", true) => out.extend([markup, "</div>"]),
            _ => out.push_str(markup),
        }
        out.push_str(if change.ends_item { "</li>" } else { "" });
    }
    out
}

fn renamed(markup: &str, name: &str, to: &str) -> String {
    markup.replacen(name, to, 1)
}

fn undescribed(markup: &str) -> String {
    let bare = markup.replacen(" alt=\"\"", "", 1);
    format!("{} alt=\"{UNDESCRIBED}\">", bare.trim_end_matches(['>', '/']))
}

/// The levels of headings: each at most one deeper than the one before it, and never beyond `<h6>`.
#[derive(Default)]
struct Levels {
    /// The author's level and the level it was given, of the headings that the present one stands under.
    above: Vec<(u8, u8)>,
}

impl Levels {
    fn given(&mut self, level: u8, closes: bool) -> &'static str {
        if !closes {
            while self.above.last().is_some_and(|&(outer, _)| outer >= level) {
                self.above.pop();
            }
            let given = self.above.last().map_or(TOP, |&(_, above)| (above + 1).min(6));
            self.above.push((level, given));
        }
        match self.above.last().map_or(TOP, |&(_, given)| given) {
            TOP => "h3",
            4 => "h4",
            5 => "h5",
            _ => "h6",
        }
    }
}

/// What becomes of a piece.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    fate: Fate,
    begins_item: bool,
    ends_item: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Stays,
    Goes,
    /// It belongs to another element, of this name.
    Renamed(&'static str),
    /// It is a picture that has no description where it needs one.
    Undescribed,
}

/// An element that is open.
struct Element<'a> {
    name: &'a str,
    at: usize,
    /// Whether anything in it would be read out.
    says_something: bool,
    /// The first picture in it that is said to need no description.
    picture: Option<usize>,
    /// Where its `dt` and `dd` begin and end.
    terms: Vec<usize>,
    /// The names of the elements in it, and nothing for a text.
    holds: Vec<&'a str>,
    /// Whether it stands in a list without being an item.
    is_stray: bool,
}

/// What becomes of each piece.
fn changes(pieces: &[Piece<'_>]) -> Vec<Change> {
    let mut changes = vec![Change::default(); pieces.len()];
    let mut open: Vec<Element<'_>> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        match *piece {
            Piece::Text(text) => {
                if is_blank(text) {
                    continue;
                }
                if let Some(inside) = open.last_mut() {
                    inside.says_something = true;
                    inside.holds.push("");
                    changes[at].begins_item = is_list(inside.name);
                    changes[at].ends_item = changes[at].begins_item;
                }
            }
            Piece::Tag { name: "img", .. } => picture(piece, at, &mut open, &mut changes),
            Piece::Tag {
                name: "br" | "hr" | "col" | "wbr",
                ..
            } => {}
            Piece::Tag {
                name, closes: false, ..
            } => {
                let element = begun(name, at, open.last_mut(), &mut changes);
                open.push(element);
            }
            Piece::Tag {
                name, closes: true, ..
            } => {
                if open.last().is_some_and(|element| element.name == name)
                    && let Some(element) = open.pop()
                {
                    ended(&element, at, open.last_mut(), &mut changes);
                }
            }
        }
    }
    changes
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty() || text.trim() == "&nbsp;"
}

fn is_list(name: &str) -> bool {
    matches!(name, "ul" | "ol")
}

fn picture(piece: &Piece<'_>, at: usize, open: &mut [Element<'_>], changes: &mut [Change]) {
    match piece.attribute("alt") {
        Some(alt) if alt.trim().is_empty() => {
            if let Some(inside) = open.last_mut() {
                inside.picture.get_or_insert(at);
            }
        }
        alt => {
            if alt.is_none() {
                changes[at].fate = Fate::Undescribed;
            }
            if let Some(inside) = open.last_mut() {
                inside.says_something = true;
            }
        }
    }
}

/// An element begins inside of another.
fn begun<'a>(
    name: &'a str,
    at: usize,
    inside: Option<&mut Element<'a>>,
    changes: &mut [Change],
) -> Element<'a> {
    let within = inside.as_ref().map_or("", |inside| inside.name);
    let is_out_of_place = match name {
        "li" => !is_list(within),
        "dt" | "dd" => within != "dl",
        "summary" => within != "details",
        _ => false,
    };
    if is_out_of_place {
        changes[at].fate = Fate::Renamed("div");
    }
    let is_stray = is_list(within) && name != "li";
    changes[at].begins_item = is_stray;
    if let Some(inside) = inside {
        inside.holds.push(name);
        inside.terms.extend(matches!(name, "dt" | "dd").then_some(at));
    }
    Element {
        name,
        at,
        says_something: false,
        picture: None,
        terms: Vec::new(),
        holds: Vec::new(),
        is_stray,
    }
}

/// An element ends at `at`, inside of another.
fn ended(element: &Element<'_>, at: usize, inside: Option<&mut Element<'_>>, changes: &mut [Change]) {
    let mut says_something = element.says_something;
    let holds = |name: &str| element.holds.contains(&name);
    match (element.name, element.picture) {
        // All that would be read out of it.
        ("a" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6", Some(picture)) if !says_something => {
            changes[picture].fate = Fate::Undescribed;
            says_something = true;
        }
        ("a" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6", None) if !says_something => {
            for change in &mut changes[element.at..=at] {
                change.fate = Fate::Goes;
            }
        }
        ("details", _) if !holds("summary") => changes[element.at].fate = Fate::Renamed("div"),
        ("th", None) if !says_something => changes[element.at].fate = Fate::Renamed("td"),
        ("dl", _) if !is_list_of_terms(&element.holds) => {
            for &at in element.terms.iter().chain([&element.at]) {
                changes[at].fate = Fate::Renamed("div");
            }
        }
        _ => {}
    }
    changes[at].fate = changes[element.at].fate;
    changes[at].ends_item = element.is_stray;
    if let Some(inside) = inside {
        inside.says_something |= says_something;
        inside.picture = inside.picture.or(element.picture);
        inside
            .terms
            .extend(matches!(element.name, "dt" | "dd").then_some(at));
    }
}

/// Whether a list of definitions holds both terms and definitions, and nothing else.
fn is_list_of_terms(holds: &[&str]) -> bool {
    ["dt", "dd"].iter().all(|part| holds.contains(part))
        && holds.iter().all(|name| ["dt", "dd"].contains(name))
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
            ("<h1> </h1><h5>a</h5>", "<h3>a</h3>"),
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
    fn lists_are_made_of_items() {
        for (written, wanted) in [
            ("<p>a</p><li>b</li>", "<p>a</p><div>b</div>"),
            (
                "<ul> <li>a</li> <ul><li>b</li></ul> c <em>d</em></ul>",
                "<ul> <li>a</li> <li><ul><li>b</li></ul></li><li> c </li><li><em>d</em></li></ul>",
            ),
            (
                "<dl><dt>a</dt><dd>b</dd></dl><dd>c</dd>",
                "<dl><dt>a</dt><dd>b</dd></dl><div>c</div>",
            ),
            (
                "<dl lang=\"cy\"><dt>a</dt> <dt>b</dt></dl>",
                "<div lang=\"cy\"><div>a</div> <div>b</div></div>",
            ),
            (
                "<details><summary>a</summary>b</details><details>c<p><summary>d</summary></p></details>",
                "<details><summary>a</summary>b</details><div>c<p><div>d</div></p></div>",
            ),
            (
                "<dl><p>x</p><dt>a</dt><dd>b</dd></dl>",
                "<div><p>x</p><div>a</div><div>b</div></div>",
            ),
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
        assert_eq!(
            shown("<tr><th></th><th>a</th></tr>"),
            "<tr><td></td><th>a</th></tr>"
        );
    }
}
