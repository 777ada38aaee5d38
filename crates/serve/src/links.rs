//! Addresses that stand in pages: paths of our own, and addresses of others that were checked.

use url::Url;

pub(crate) use model::paths::{entry, hashtag, member, segment, topic};

/// The address, if it is one that a page may link to: escaping alone would not stop `javascript:`.
pub(crate) fn web_address(text: &str) -> Option<String> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .map(String::from)
}

/// The address of a picture, if a page may load it: by https only.
pub(crate) fn picture_address(text: &str) -> Option<String> {
    web_address(text).filter(|url| url.starts_with("https:"))
}

/// An address in the pieces between which a page breaks it where it has no room for the whole: each ends with a slash.
pub(crate) fn pieces(address: &str) -> Vec<&str> {
    let ends = address.match_indices('/').map(|(at, _)| at + 1);
    let mut pieces = Vec::new();
    let mut from = 0;
    for end in ends.chain([address.len()]) {
        // The two slashes behind a scheme stay together.
        if end > from && !address[end..].starts_with('/') {
            pieces.push(&address[from..end]);
            from = end;
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_web_is_linked_to() {
        assert_eq!(
            web_address("https://example.org/a b").as_deref(),
            Some("https://example.org/a%20b")
        );
        for bad in [
            "javascript:alert(1)",
            " data:text/html,x",
            "//example.org/",
            "/x",
            "mailto:a@example.org",
        ] {
            assert_eq!(web_address(bad), None, "{bad}");
        }
        assert_eq!(picture_address("http://example.org/a.png"), None);
    }

    #[test]
    fn an_address_breaks_behind_its_slashes() {
        for (address, broken) in [
            (
                "https://blog.example/a/feed.atom?x=1",
                &["https://", "blog.example/", "a/", "feed.atom?x=1"][..],
            ),
            (
                "https://blog.example/feed/",
                &["https://", "blog.example/", "feed/"],
            ),
            ("https://blog.example//", &["https://", "blog.example//"]),
            ("a.xml", &["a.xml"]),
            ("", &[]),
        ] {
            assert_eq!(pieces(address), broken);
        }
    }
}
