//! The `Link` header (RFC 8288 section 3), as far as it says where news of a document is pushed from (WebSub section 4).

use reqwest::header::{HeaderMap, LINK};
use url::Url;

/// What an answer's `Link` says of its hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebLinks {
    /// The first hub (`rel=hub`).
    pub hub: Url,
    /// The name by which the hub knows the document (`rel=self`).
    pub itself: Option<Url>,
}

impl WebLinks {
    /// By the headers of an answer that came from `base`; `None` if they name no hub.
    pub(crate) fn of(headers: &HeaderMap, base: &Url) -> Option<Self> {
        let (mut hub, mut itself) = (None, None);
        for value in headers
            .get_all(LINK)
            .iter()
            .filter_map(|value| value.to_str().ok())
        {
            for (target, parameters) in Targets(value) {
                let Some(relations) = relations(parameters) else {
                    continue;
                };
                let is = |relation: &str| {
                    (relations.split_ascii_whitespace()).any(|word| word.eq_ignore_ascii_case(relation))
                };
                let place = match () {
                    () if is("hub") => &mut hub,
                    () if is("self") => &mut itself,
                    () => continue,
                };
                if place.is_none() {
                    *place = base.join(target.trim()).ok().filter(is_web);
                }
            }
        }
        Some(Self { hub: hub?, itself })
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// The links of one header, each as its target and the text of its parameters.
struct Targets<'a>(&'a str);

impl<'a> Iterator for Targets<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (_, rest) = self.0.split_once('<')?;
        let (target, rest) = rest.split_once('>')?;
        let (parameters, rest) = until(',', rest);
        self.0 = rest;
        Some((target, parameters))
    }
}

/// The value of `rel`, the first of them (RFC 8288 section 3.3): one word, or several in quotes.
fn relations(mut parameters: &str) -> Option<&str> {
    while !parameters.is_empty() {
        let (parameter, rest) = until(';', parameters);
        match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("rel") => {
                return Some(value.trim().trim_matches('"'));
            }
            _ => parameters = rest,
        }
    }
    None
}

/// What stands before the first `separator` outside of quotes, and after it.
fn until(separator: char, text: &str) -> (&str, &str) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == separator && !quoted => return (&text[..at], &text[at + c.len_utf8()..]),
            _ => {}
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hub_and_self_are_found_however_they_are_written() {
        let base = Url::parse("https://blog.example/feed/").unwrap();
        let (hub, itself) = ("https://hub.example/", "https://blog.example/feed/");
        for (lines, found) in [
            (
                &["<https://hub.example/>; rel=\"hub\", <https://blog.example/feed/>; rel=\"self\""][..],
                Some((hub, itself)),
            ),
            (
                &[
                    "<https://hub.example>;rel=hub",
                    "<https://blog.example/feed/>;rel=self",
                ],
                Some((hub, itself)),
            ),
            (
                &[
                    "</feed/>; title=\"a, <b>; rel=hub\"; REL=Self,<//hub.example/> ; type=\"x\" ; rel=\"alternate HUB\"",
                ],
                Some((hub, itself)),
            ),
            (
                &["<https://hub.example/>; rel=hub, <https://other.example/>; rel=hub"],
                Some((hub, "")),
            ),
            (
                &["<https://blog.example/wp-json/>; rel=\"https://api.w.org/\""],
                None,
            ),
            (
                &["<javascript:alert(1)>; rel=hub", "<ftp://hub.example/>; rel=self"],
                None,
            ),
            (&["<https://hub.example/; rel=hub", "rel=hub", "<>", ""], None),
            (&["<https://hub.example/>; title=\"never ends; rel=hub"], None),
            (&[], None),
        ] {
            let headers: HeaderMap = lines.iter().map(|line| (LINK, line.parse().unwrap())).collect();
            let links = WebLinks::of(&headers, &base);
            let found = found.map(|(hub, itself)| {
                (
                    hub.to_owned(),
                    Some(itself.to_owned()).filter(|url| !url.is_empty()),
                )
            });
            let said = links.map(|links| (links.hub.to_string(), links.itself.map(String::from)));
            assert_eq!(said, found, "{lines:?}");
        }
    }
}
