//! The headings of a post that is shown inside a page of ours: moved below the page's own, without gaps, so
//! that the outline of the page stays in order whatever the author wrote.

use model::SafeHtml;

/// The markup with its headings beginning at `<h3>`; a heading goes at most one level deeper than the one
/// before it, and never beyond `<h6>`.
pub(super) fn below_the_page(html: &SafeHtml) -> String {
    const TOP: u8 = 3;
    let html = html.as_str();
    let mut out = String::with_capacity(html.len());
    // The author's level and the level it was given, of the headings that the present one stands under.
    let mut open: Vec<(u8, u8)> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        out.push_str(text);
        let (start, closing) = if tag.starts_with("</") {
            ("</", true)
        } else {
            ("<", false)
        };
        let name = &tag.as_bytes()[start.len()..];
        let is_heading = matches!(name.first(), Some(b'h' | b'H'))
            && matches!(name.get(1), Some(b'1'..=b'6'))
            && name
                .get(2)
                .is_none_or(|next| !next.is_ascii_alphanumeric() && *next != b'-');
        if is_heading {
            let level = name[1] - b'0';
            if !closing {
                while open.last().is_some_and(|&(outer, _)| outer >= level) {
                    open.pop();
                }
                let given = open.last().map_or(TOP, |&(_, above)| (above + 1).min(6));
                open.push((level, given));
            }
            let given = open.last().map_or(TOP, |&(_, given)| given);
            out.push_str(start);
            out.push('h');
            out.push(char::from(b'0' + given));
            rest = &tag[start.len() + 2..];
        } else {
            out.push_str(start);
            rest = &tag[start.len()..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_close_up_below_ours() {
        for (written, shown) in [
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
            assert_eq!(below_the_page(&SafeHtml::vouched(written.to_owned())), shown);
        }
    }
}
