//! How elements lie within one another: deeper than a parser should be asked to go ([`nests_too_deep`], of raw
//! markup), or otherwise than a parser would put them when it reads them again ([`is_settled`], of what the sanitiser
//! wrote). Both look at names only and err towards "no": too deep, not settled.

use memchr::memchr;

use super::pictures::is_shown;

/// How deep elements may nest in what we give out. libxml2, which many readers use, goes no further.
const MAX_DEPTH: usize = 200;

/// How many elements may be open at once in raw markup. The time that a parser takes grows with the square of it.
const MAX_OPEN: usize = 1_024;

/// How many formatting elements may be open at once: a parser opens all of them again in each block.
const MAX_FORMATTING: usize = 64;

/// Below this many bytes no markup is worth the look: the worst of it takes a parser a fraction of a second.
const HARMLESS_BYTES: usize = 16 << 10;

/// Whether a parser reads the sanitiser's own output as it stands: elements where they may be, none that closes
/// another by itself (HTML section 13.2.6.4.7), nothing that [`super::prepare`] would take away.
pub(super) fn is_settled(html: &str) -> bool {
    // A parser turns each into a line feed.
    if html.contains('\r') {
        return false;
    }
    let mut open: Vec<&str> = Vec::with_capacity(16);
    let mut rest = html;
    while let Some(at) = memchr(b'<', rest.as_bytes()) {
        if holds_rows(open.last()) && !rest[..at].trim_ascii().is_empty() {
            return false;
        }
        // Within its attributes the sanitiser writes no such character.
        let Some(end) = memchr(b'>', &rest.as_bytes()[at..]).map(|end| at + end) else {
            return false;
        };
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return false;
            }
            continue;
        }
        let name = name_of(tag);
        let fits = match name {
            // Attributes come to rest in one order.
            "a" => tag.ends_with(" rel=\"noopener nofollow ugc\"") && !is_open(&open, name),
            "img" => tag.ends_with(" loading=\"lazy\" referrerpolicy=\"no-referrer\"") && is_shown(tag),
            "pre" => !rest.starts_with('\n'),
            "li" | "dd" | "dt" => !is_open(&open, name) || open.last().is_some_and(|last| is_list(last)),
            "rp" | "rt" => open.last() == Some(&"ruby"),
            "h3" | "h4" | "h5" | "h6" => !open.iter().any(|outer| is_heading(outer)),
            _ => true,
        };
        let fits =
            fits && (!is_open(&open, "p") || !closes_paragraph(name)) && is_under(name, open.last().copied());
        if !fits {
            return false;
        }
        if !matches!(name, "br" | "hr" | "img" | "col") {
            open.push(name);
        }
        if open.len() > MAX_DEPTH {
            return false;
        }
    }
    open.is_empty()
}

fn name_of(tag: &str) -> &str {
    let end = tag
        .bytes()
        .position(|byte| !byte.is_ascii_alphanumeric())
        .unwrap_or(tag.len());
    &tag[..end]
}

/// Whether such an element is open, as far as a cell of a table lets one see.
fn is_open(open: &[&str], name: &str) -> bool {
    open.iter()
        .rev()
        .take_while(|outer| !matches!(**outer, "td" | "th" | "caption"))
        .any(|outer| *outer == name || matches!(name, "dd" | "dt") && matches!(*outer, "dd" | "dt"))
}

fn is_list(name: &str) -> bool {
    matches!(name, "ul" | "ol" | "dl")
}

fn is_heading(name: &str) -> bool {
    matches!(name, "h3" | "h4" | "h5" | "h6")
}

fn closes_paragraph(name: &str) -> bool {
    is_list(name)
        || is_heading(name)
        || matches!(
            name,
            "address"
                | "article"
                | "aside"
                | "blockquote"
                | "dd"
                | "details"
                | "div"
                | "dt"
                | "figcaption"
                | "figure"
                | "hr"
                | "li"
                | "p"
                | "pre"
                | "section"
                | "summary"
                | "table"
        )
}

/// Whether an element holds nothing but rows and the like.
fn holds_rows(name: Option<&&str>) -> bool {
    matches!(
        name,
        Some(&("table" | "thead" | "tbody" | "tfoot" | "tr" | "colgroup"))
    )
}

/// Whether parts of tables stand where they belong, and nothing else does.
fn is_under(name: &str, parent: Option<&str>) -> bool {
    match name {
        "caption" | "colgroup" | "thead" | "tbody" | "tfoot" => parent == Some("table"),
        "col" => parent == Some("colgroup"),
        "tr" => matches!(parent, Some("thead" | "tbody" | "tfoot")),
        "td" | "th" => parent == Some("tr"),
        _ => !holds_rows(parent.as_ref()),
    }
}

/// Whether raw markup would keep a parser busy for longer than any post is worth. What it cannot tell, it takes for
/// too deep; that is for long posts only, of which hardly one is so badly made.
pub(super) fn nests_too_deep(raw: &str) -> bool {
    raw.len() > HARMLESS_BYTES && opens_too_much(raw)
}

fn opens_too_much(raw: &str) -> bool {
    let mut open = Open::default();
    let mut rest = raw;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let first = rest.as_bytes().first().copied().unwrap_or_default();
        if let Some(comment) = rest.strip_prefix("!--") {
            let Some(end) = comment.find("-->") else {
                return comment.contains('<');
            };
            // Parsers and people do not agree on where these end.
            if comment.starts_with(['>', '-']) && end > 0 || comment[..end].contains("--!") {
                return true;
            }
            rest = &comment[end + 3..];
        } else if rest.starts_with("![CDATA[") && open.is_foreign() {
            return true;
        } else if first == b'/' {
            open.end(&lower(&rest[1..]));
            rest = &rest[tag_length(rest)..];
        } else if first.is_ascii_alphabetic() {
            let name = lower(rest);
            let length = tag_length(rest);
            let closes_itself = rest[..length].ends_with("/>") || rest[..length].ends_with('/');
            rest = &rest[length..];
            if is_raw_text(&name) {
                let end = format!("</{}", name.trim_end());
                let length = find_end(rest, &end);
                let text = &rest[..length];
                if open.is_foreign() && text.contains('<') || name == "script" && text.contains("<!--") {
                    return true;
                }
                rest = &rest[length..];
            } else if !(closes_itself && open.is_foreign()) {
                open.start(name);
            }
        }
        if open.names.len() > MAX_OPEN || open.formatting > MAX_FORMATTING {
            return true;
        }
    }
    false
}

/// The elements that a parser has open, or more.
#[derive(Default)]
struct Open {
    names: Vec<String>,
    formatting: usize,
}

impl Open {
    fn is_foreign(&self) -> bool {
        self.names
            .iter()
            .any(|name| matches!(name.as_str(), "svg" | "math"))
    }

    fn start(&mut self, name: String) {
        if !self.is_foreign() {
            match name.as_str() {
                "area" | "base" | "br" | "col" | "embed" | "hr" | "img" | "input" | "link" | "meta" | "param"
                | "source" | "track" | "wbr"
                // These end by themselves, and their end tags often lack.
                | "p" | "li" | "dd" | "dt" => return,
                "td" | "th" => self.end_up_to(&["tr", "tbody", "thead", "tfoot", "table", "template"]),
                "tr" => self.end_up_to(&["tbody", "thead", "tfoot", "table", "template"]),
                "tbody" | "thead" | "tfoot" | "caption" => self.end_up_to(&["table", "template"]),
                _ => {}
            }
        }
        self.formatting += usize::from(is_formatting(&name));
        self.names.push(name);
    }

    /// Ends what is open within the innermost of these.
    fn end_up_to(&mut self, outer: &[&str]) {
        if let Some(at) = self.names.iter().rposition(|name| outer.contains(&name.as_str())) {
            self.truncate(at + 1);
        }
    }

    fn end(&mut self, name: &str) {
        let is_part = is_table_part(name);
        let special = is_special(name);
        let found = self.names.iter().enumerate().rev().find_map(|(at, outer)| {
            if outer == name {
                return Some(Some(at));
            }
            let wall = match outer.as_str() {
                "table" | "template" | "select" | "svg" | "math" => true,
                "td" | "th" | "caption" | "object" | "applet" | "marquee" | "button" => !is_part,
                outer => !special && !is_formatting(name) && is_special(outer),
            };
            wall.then_some(None)
        });
        match found.flatten() {
            // Other elements stay open without these.
            Some(at) if is_formatting(name) || name == "form" => {
                self.names.remove(at);
                self.formatting -= usize::from(is_formatting(name));
            }
            Some(at) => self.truncate(at),
            None => {}
        }
    }

    fn truncate(&mut self, length: usize) {
        // A parser goes on to open them again: they count until their own end tag.
        let kept: Vec<String> = self
            .names
            .drain(length..)
            .filter(|name| is_formatting(name))
            .collect();
        self.names.extend(kept);
    }
}

fn lower(name: &str) -> String {
    let end = name
        .bytes()
        .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'))
        .unwrap_or(name.len());
    name[..end].to_ascii_lowercase()
}

/// The length of a start tag with its `>`, as a tokenizer finds it: a quote counts after `=` alone.
fn tag_length(tag: &str) -> usize {
    let bytes = tag.as_bytes();
    let mut at = 0;
    let mut after_equals = false;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'>' => return at + 1,
            b'"' | b'\'' if after_equals => {
                let Some(end) = tag[at + 1..].find(char::from(byte)) else {
                    return tag.len();
                };
                at += end + 1;
                after_equals = false;
            }
            b'=' => after_equals = true,
            byte if byte.is_ascii_whitespace() => {}
            _ => after_equals = false,
        }
        at += 1;
    }
    tag.len()
}

/// Where the end tag stands, whatever its case; the end of the text if nowhere.
fn find_end(text: &str, end_tag: &str) -> usize {
    text.match_indices("</")
        .map(|(at, _)| at)
        .find(|&at| {
            text.as_bytes()
                .get(at..at + end_tag.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(end_tag.as_bytes()))
        })
        .unwrap_or(text.len())
}

fn is_raw_text(name: &str) -> bool {
    matches!(
        name,
        "script" | "style" | "iframe" | "noembed" | "noframes" | "noscript" | "title" | "textarea" | "xmp"
    )
}

fn is_formatting(name: &str) -> bool {
    matches!(
        name,
        "a" | "b"
            | "big"
            | "code"
            | "em"
            | "font"
            | "i"
            | "nobr"
            | "s"
            | "small"
            | "strike"
            | "strong"
            | "tt"
            | "u"
    )
}

fn is_table_part(name: &str) -> bool {
    matches!(
        name,
        "table" | "tbody" | "thead" | "tfoot" | "tr" | "td" | "th" | "caption"
    )
}

/// Elements that the end tag of an ordinary one does not reach past (HTML section 13.2.4.2).
fn is_special(name: &str) -> bool {
    is_table_part(name)
        || closes_paragraph(name)
        || matches!(
            name,
            "applet"
                | "button"
                | "center"
                | "dir"
                | "fieldset"
                | "footer"
                | "form"
                | "h1"
                | "h2"
                | "header"
                | "hgroup"
                | "listing"
                | "main"
                | "marquee"
                | "menu"
                | "nav"
                | "object"
                | "search"
                | "select"
                | "template"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_parser_would_move_is_not_settled() {
        for html in [
            "<p>a<p>b</p></p>",
            "<p><div>a</div></p>",
            "<h3><em><h4>a</h4></em></h3>",
            "<ul><li><em><li>a</li></em></li></ul>",
            "<table><tr><td>a</td></tr></table>",
            "<table><tbody>a<tr><td>b</td></tr></tbody></table>",
            "<table><tbody><tr><td>a</td></tr></tbody><p>b</p></table>",
            "<td>a</td>",
            "<pre>\na</pre>",
            "a\rb",
            "<a href=\"https://x.example/\">a</a>",
            "<b>a",
            "a</b>",
        ] {
            assert!(!is_settled(html), "{html}");
        }
    }

    #[test]
    fn ordinary_posts_are_settled() {
        for html in [
            "",
            "<p>a<br>b <em>c <strong>d</strong></em></p><hr><pre>e</pre>",
            "<ul><li>a<ul><li>b</li></ul></li><li><p>c</p></li></ul><dl><dt>d</dt><dd>e</dd></dl>",
            "<table><caption>a</caption><tbody> <tr><td><p>b</p><ul><li>c</li></ul></td></tr></tbody></table>",
            "<p>a</p><div><p>b</p><h3>c</h3></div><blockquote><h4>d</h4></blockquote>",
        ] {
            assert!(is_settled(html), "{html}");
        }
    }

    #[test]
    fn what_keeps_parsers_busy_is_known() {
        for piece in [
            "<div>",
            "<div></u>",
            "<span><div></span>",
            "<form><div></form>",
            "<table><td>",
            "<svg><td>",
            "<svg><br>",
            "<div><script></div></script>",
            "<div><!-- </div> -->",
            "<div><script><!--<script></script></div>--></script>",
            "<!--a--!><div>",
            "<p><b lang=a>",
            "<div title='</div>'>",
            "<div></b x='></div>'>",
            "<ul><li>",
        ] {
            assert!(nests_too_deep(&piece.repeat(20_000)), "{piece}");
        }
    }

    #[test]
    fn long_posts_may_be_carelessly_made() {
        for piece in [
            "<p>a<br>b<img src=x>",
            "<ul><li>a<li>b</ul>",
            "<table><tr><td>a<td><div>b</div><tr><td>c</table>",
            "<p>a <b>b <i>c</b> d</i></p>",
            "<div><span>a</div>",
            "<svg viewBox='0 0 1 1'><path d='M0'/><title>a</title></svg>",
            "<!-- more --><script>if (a < b) c('</div>')</script>",
            "a < b <3 </3 <!doctype> <?php ?>",
        ] {
            assert!(!nests_too_deep(&piece.repeat(20_000)), "{piece}");
        }
    }
}
