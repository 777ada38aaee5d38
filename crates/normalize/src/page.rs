//! The elements of a web page, with its addresses resolved. Reads what is written; runs nothing, asks nobody.

use std::cell::{Cell, RefCell};

use lol_html::html_content::Element;
use lol_html::{RewriteStrSettings, element, rewrite_str};
use url::Url;

use crate::entities::decode_references;

/// What relative addresses in a page are relative to: the page's own address until its first `base` element says
/// something else (HTML section 4.2.3).
pub(crate) struct Base {
    url: RefCell<Url>,
    said: Cell<bool>,
}

impl Base {
    /// The address of `href`.
    pub(crate) fn join(&self, href: &str) -> Option<Url> {
        self.url.borrow().join(href.trim()).ok()
    }
}

/// Calls `found` for each element of a page at `url` that `selector` selects, in the page's order.
pub(crate) fn elements(
    html: &str,
    url: &Url,
    selector: &str,
    mut found: impl FnMut(&Element<'_, '_>, &Base),
) {
    let base = Base {
        url: RefCell::new(url.clone()),
        said: Cell::new(false),
    };
    let settings = RewriteStrSettings::new()
        .with_strict(false)
        .append_element_content_handler(element!("base[href]", |element| {
            let joined = attribute(element, "href").and_then(|href| base.join(&href));
            if let (false, Some(url)) = (base.said.replace(true), joined) {
                base.url.replace(url);
            }
            Ok(())
        }))
        .append_element_content_handler(element!(selector, |element| {
            found(element, &base);
            Ok(())
        }));
    // On an error, what was found before it is what there is.
    let _ = rewrite_str(html, settings);
}

/// The value of an attribute, references decoded.
pub(crate) fn attribute(element: &Element<'_, '_>, name: &str) -> Option<String> {
    let value = element.get_attribute(name)?;
    Some(decode_references(&value).into_owned())
}

/// Whether the element's `rel` has one of these tokens.
pub(crate) fn has_rel(element: &Element<'_, '_>, tokens: &[&str]) -> bool {
    let rel = attribute(element, "rel").unwrap_or_default();
    rel.split_ascii_whitespace()
        .any(|said| tokens.iter().any(|token| said.eq_ignore_ascii_case(token)))
}
