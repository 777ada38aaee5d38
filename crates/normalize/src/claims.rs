//! What a web page says of whose it is: the pages that it names as its author's (`rel="me"`, microformats), and what
//! a `meta` element holds (HTML section 4.2.5). Believes nothing of it.

use std::cell::{Cell, RefCell};

use lol_html::{RewriteStrSettings, element, rewrite_str};
use url::Url;

use crate::decode::decode;
use crate::entities::decode_references;

/// How much of either is told of.
const MOST: usize = 200;

/// What a page says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Where links with `rel="me"` lead.
    pub links: Vec<Url>,
    /// The `content` of the `meta` elements with the name that was asked for.
    pub metas: Vec<String>,
}

/// What a page at `base` says; `meta` is the name that `meta` elements are to have.
pub fn claims(body: &[u8], content_type: Option<&str>, base: &Url, meta: &str) -> Claims {
    let html = decode(body, content_type).text;
    let claims: RefCell<Claims> = RefCell::default();
    let base = RefCell::new(base.clone());
    let based = Cell::new(false);
    let settings = RewriteStrSettings::new()
        .with_strict(false)
        .append_element_content_handler(element!("base[href]", |element| {
            let href = element.get_attribute("href").unwrap_or_default();
            let joined = base.borrow().join(decode_references(&href).trim());
            if let (false, Ok(url)) = (based.replace(true), joined) {
                base.replace(url);
            }
            Ok(())
        }))
        .append_element_content_handler(element!("a[rel][href], link[rel][href]", |link| {
            let rel = link.get_attribute("rel").unwrap_or_default();
            let is_me = rel
                .split_ascii_whitespace()
                .any(|token| token.eq_ignore_ascii_case("me"));
            let href = link.get_attribute("href").unwrap_or_default();
            let mut claims = claims.borrow_mut();
            if is_me
                && claims.links.len() < MOST
                && let Ok(url) = base.borrow().join(decode_references(&href).trim())
            {
                claims.links.push(url);
            }
            Ok(())
        }))
        .append_element_content_handler(element!("meta[name][content]", |element| {
            let name = element.get_attribute("name").unwrap_or_default();
            let content = element.get_attribute("content").unwrap_or_default();
            let mut claims = claims.borrow_mut();
            if name.trim().eq_ignore_ascii_case(meta) && claims.metas.len() < MOST {
                claims.metas.push(decode_references(&content).trim().to_owned());
            }
            Ok(())
        }));
    // On an error, what was found before it is what there is.
    let _ = rewrite_str(&html, settings);
    claims.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_metas_are_found_and_the_rest_is_not() {
        let page = r#"<html><head><meta name="Voice" content=" abc&amp;d "><meta name=other content=x>
            <link rel="me stylesheet" href="https://voice.example/members/ann#w"></head>
            <body><a REL=ME href=/about>me</a><a rel=nofollow href=https://evil.example/>no</a>
            <p>&lt;a rel=me href=https://evil.example/&gt; <!-- <a rel=me href=https://evil.example/> --></p>"#;
        let base = Url::parse("https://blog.example/x/").unwrap();
        let claims = claims(page.as_bytes(), None, &base, "voice");
        let links: Vec<&str> = claims.links.iter().map(Url::as_str).collect();
        assert_eq!(
            links,
            [
                "https://voice.example/members/ann#w",
                "https://blog.example/about"
            ]
        );
        assert_eq!(claims.metas, ["abc&d"]);
    }
}
