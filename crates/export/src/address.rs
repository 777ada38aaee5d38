//! Where outputs send their readers: always an absolute http or https address, ours where there is no other.

use std::borrow::Cow;

use model::{Enclosure, Entry, Member, Site};

/// `url`, if a browser opens it as a page: feeds and digests link to nothing else.
pub(crate) fn web_address(url: &str) -> Option<&str> {
    ["http://", "https://"]
        .iter()
        .any(|scheme| {
            url.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })
        .then_some(url)
}

/// The files attached to the entry that a reader can fetch.
pub(crate) fn enclosures(entry: &Entry) -> impl Iterator<Item = &Enclosure> {
    let can_be_fetched = |enclosure: &&Enclosure| web_address(&enclosure.url).is_some();
    entry.enclosures.iter().filter(can_be_fetched)
}

/// What a file is, for formats that must say so: a file of an unknown type is just bytes (RFC 9110 section 8.3).
pub(crate) fn media_type(enclosure: &Enclosure) -> &str {
    enclosure
        .media_type
        .as_deref()
        .unwrap_or("application/octet-stream")
}

/// The entry's own page here.
pub(crate) fn entry_page(site: &Site, entry: &Entry) -> String {
    site.absolute(&format!("/entries/{}", entry.key))
}

/// The original, or our page of an entry whose feed gives no link.
pub(crate) fn original<'a>(site: &Site, entry: &'a Entry) -> Cow<'a, str> {
    match entry.url.as_deref().and_then(web_address) {
        Some(url) => Cow::Borrowed(url),
        None => Cow::Owned(entry_page(site, entry)),
    }
}

/// The member's blog, or their page here.
pub(crate) fn blog<'a>(site: &Site, member: &'a Member) -> Cow<'a, str> {
    match member.url.as_deref().and_then(web_address) {
        Some(url) => Cow::Borrowed(url),
        None => Cow::Owned(site.absolute(&format!("/members/{}", member.slug))),
    }
}

#[cfg(test)]
mod tests {
    use super::web_address;

    #[test]
    fn only_pages_are_linked() {
        assert!(web_address("HTTPS://example.org/").is_some());
        for bad in ["javascript:alert(1)", "/a", "httpé://", "", "data:text/html,x"] {
            assert_eq!(web_address(bad), None, "{bad}");
        }
    }
}
