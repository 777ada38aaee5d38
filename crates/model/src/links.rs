//! The links in a post's text. It reads sanitised markup in one pass and builds no tree.

use crate::SafeHtml;

/// The links of `html` in order: the address and the text of each. Addresses are as they stand, absolute or not
/// http at all; the text is plain, white space folded, and may be empty.
pub fn links_in(html: &SafeHtml) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let mut open: Option<(String, String)> = None;
    let mut rest = html.as_str();
    while let Some(start) = rest.find('<') {
        let (text, markup) = rest.split_at(start);
        if let Some((_, words)) = &mut open {
            words.push_str(&decode(text));
        }
        let Some(end) = tag_end(markup) else { break };
        let tag = &markup[1..end];
        rest = &markup[end + 1..];
        let name_end = tag.find(|c: char| c.is_ascii_whitespace()).unwrap_or(tag.len());
        match &tag[..name_end] {
            "a" => {
                links.extend(open.take().map(folded));
                open = href(&tag[name_end..]).map(|address| (decode(address), String::new()));
            }
            "/a" => links.extend(open.take().map(folded)),
            _ => {
                if let Some((_, words)) = &mut open {
                    words.push_str(if is_inline(tag) { "" } else { " " });
                }
            }
        }
    }
    links.extend(open.map(folded));
    links
}

/// The index of the `>` that ends the tag at the start of `markup`; one inside quotes does not.
fn tag_end(markup: &str) -> Option<usize> {
    let mut quote = None;
    for (index, byte) in markup.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(index),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// The value of `href` among attributes as the sanitiser writes them: lower case, double quotes.
fn href(attributes: &str) -> Option<&str> {
    let mut rest = attributes;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, next) = after.split_once('"')?;
        if name.trim() == "href" {
            return Some(value);
        }
        rest = next;
    }
    None
}

/// Whether words before and after the tag are one.
fn is_inline(tag: &str) -> bool {
    let name = tag.trim_start_matches('/');
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next();
    matches!(
        name,
        Some("b" | "i" | "em" | "strong" | "span" | "code" | "u" | "s" | "sub" | "sup" | "abbr")
    )
}

/// The entities that the sanitiser writes; `&amp;` last, so that nothing is decoded twice.
fn decode(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&")
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
            [("https://example.org/".to_owned(), String::new())]
        );
    }

    #[test]
    fn long_markup_takes_one_pass() {
        let links = links(&"<a href=\"https://example.org/\">".repeat(100_000));
        assert_eq!(links.len(), 100_000);
    }
}
