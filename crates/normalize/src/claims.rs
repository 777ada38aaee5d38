//! What a web page says of whose it is: the pages that it names as its author's (`rel="me"`, microformats), and what
//! a `meta` element holds (HTML section 4.2.5). Believes nothing of it.

use url::Url;

use crate::decode::decode;
use crate::page::{self, attribute, has_rel};

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
    let mut claims = Claims::default();
    let selector = "a[rel][href], link[rel][href], meta[name][content]";
    page::elements(&html, base, selector, |element, base| {
        let said = |name| attribute(element, name).unwrap_or_default();
        if element.tag_name() != "meta" {
            if claims.links.len() < MOST && has_rel(element, &["me"]) {
                claims.links.extend(base.join(&said("href")));
            }
        } else if claims.metas.len() < MOST && said("name").trim().eq_ignore_ascii_case(meta) {
            claims.metas.push(said("content").trim().to_owned());
        }
    });
    claims
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
