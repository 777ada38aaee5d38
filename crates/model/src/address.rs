//! When two addresses are the same.

use url::Url;

/// The form in which feed addresses are compared: scheme and host in lower case, no default port, no empty
/// path, no fragment (RFC 3986 section 6.2.2 and 6.2.3; the parser does all but the fragment).
pub fn normal_feed_address(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    url.into()
}

/// The form in which the links of entries are compared: without scheme, `www.`, trailing slash, fragment and
/// `utm_*` parameters. Two entries with the same key tell one story.
pub fn link_key(url: &Url) -> String {
    let mut key = String::new();
    if let Some(host) = url.host_str() {
        key.push_str(host.strip_prefix("www.").unwrap_or(host));
    }
    if let Some(port) = url.port() {
        key.push(':');
        key.push_str(&port.to_string());
    }
    key.push_str(url.path().trim_end_matches('/'));
    let mut separator = '?';
    for pair in url.query().unwrap_or_default().split('&') {
        if !pair.is_empty()
            && !pair
                .get(..4)
                .is_some_and(|name| name.eq_ignore_ascii_case("utm_"))
        {
            key.push(separator);
            key.push_str(pair);
            separator = '&';
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn feed_addresses() {
        assert_eq!(
            normal_feed_address(&url("HTTP://Example.ORG:80#x")),
            "http://example.org/"
        );
        assert_ne!(
            normal_feed_address(&url("http://example.org/")),
            normal_feed_address(&url("https://example.org/"))
        );
    }

    #[test]
    fn links_of_one_story() {
        let key = link_key(&url("https://www.example.org/a/?utm_source=rss&p=1#more"));
        assert_eq!(key, "example.org/a?p=1");
        assert_eq!(key, link_key(&url("http://example.org/a?p=1&UTM_medium=x")));
        assert_ne!(key, link_key(&url("http://example.org/a?p=2")));
    }
}
