//! Addresses that stand in pages: paths of our own, and addresses of others that were checked.

use url::{Url, form_urlencoded};

/// One segment of a path or one value of a query, escaped.
pub(crate) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The page of a topic.
pub(crate) fn topic(slug: &str) -> String {
    format!("/topics/{}", segment(slug))
}

/// The page of a member.
pub(crate) fn member(slug: &str) -> String {
    format!("/members/{}", segment(slug))
}

/// The page of a hashtag.
pub(crate) fn hashtag(tag: &str) -> String {
    format!("/hashtags/{}", segment(tag))
}

/// The page of an entry.
pub(crate) fn entry(key: &str) -> String {
    format!("/entries/{}", segment(key))
}

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
    fn segments_are_escaped() {
        assert_eq!(hashtag("öffentlich"), "/hashtags/%C3%B6ffentlich");
        assert_eq!(topic("a/b?c"), "/topics/a%2Fb%3Fc");
    }
}
