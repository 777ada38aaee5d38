//! Where on the site a page stands; the feeds of a page stand below it, as `/feed.atom` and so on.

use url::form_urlencoded;

/// One segment of a path or one value of a query, escaped.
pub fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The page of a topic.
pub fn topic(slug: &str) -> String {
    format!("/topics/{}", segment(slug))
}

/// The page of a member.
pub fn member(slug: &str) -> String {
    format!("/members/{}", segment(slug))
}

/// The page of a hashtag.
pub fn hashtag(tag: &str) -> String {
    format!("/hashtags/{}", segment(tag))
}

/// The page of an entry.
pub fn entry(key: &str) -> String {
    format!("/entries/{}", segment(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_escaped() {
        assert_eq!(hashtag("öffentlich"), "/hashtags/%C3%B6ffentlich");
        assert_eq!(topic("a/b?c"), "/topics/a%2Fb%3Fc");
    }
}
