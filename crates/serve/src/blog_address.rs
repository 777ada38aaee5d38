//! The address of a blog as people write it.

use url::{Host, Url};

/// The longest that is read, in bytes.
const LONGEST: usize = 1000;

/// The addresses that somebody may have meant, to be tried in turn: without a scheme, first https, then http.
///
/// # Errors
/// In a sentence what is wrong, and what to write.
pub(crate) fn read(text: &str) -> Result<Vec<Url>, &'static str> {
    let text = text.trim();
    // What browsers and feed readers put before the address of a feed.
    let text = text
        .strip_prefix("feed://")
        .or_else(|| text.strip_prefix("feed:"))
        .unwrap_or(text);
    if text.is_empty() {
        return Err("Enter the address of your blog, such as https://example.org/blog");
    }
    if text.len() > LONGEST {
        return Err("That is too long for the address of a blog; enter the address of its front page");
    }
    if text.chars().any(char::is_whitespace) {
        return Err("An address has no spaces; enter one address, such as https://example.org/blog");
    }
    let has_scheme = text.contains("://");
    if !has_scheme && text.contains('@') && !text.contains('/') {
        return Err(
            "That is an e-mail address; enter the address of your blog, such as https://example.org/blog",
        );
    }
    let candidates = if has_scheme {
        vec![text.to_owned()]
    } else {
        vec![format!("https://{text}"), format!("http://{text}")]
    };
    let urls: Vec<Url> = candidates
        .iter()
        .filter_map(|text| Url::parse(text).ok())
        .collect();
    let Some(first) = urls.first() else {
        return Err("That cannot be read as an address; enter one such as https://example.org/blog");
    };
    if !matches!(first.scheme(), "http" | "https") {
        return Err("Enter an address that begins with https:// or http://");
    }
    if !first.username().is_empty() || first.password().is_some() {
        return Err("Leave the user name and password out of the address");
    }
    let is_public_name = match first.host() {
        Some(Host::Domain(name)) => has_scheme || name.contains('.'),
        Some(_) => true,
        None => false,
    };
    if !is_public_name {
        return Err("That is no address on the web; enter one such as https://example.org/blog");
    }
    Ok(urls)
}

/// The same blog by other addresses: with and without `www.` and a slash at the end, over http and https.
pub(crate) fn spellings(url: &Url) -> Vec<Url> {
    let mut all = vec![url.clone()];
    let mut add = |change: &dyn Fn(&Url) -> Option<Url>| {
        let more: Vec<Url> = all.iter().filter_map(change).collect();
        all.extend(more);
    };
    add(&|url| {
        let mut other = url.clone();
        let scheme = if url.scheme() == "https" { "http" } else { "https" };
        other.set_scheme(scheme).ok()?;
        Some(other)
    });
    add(&|url| {
        let mut other = url.clone();
        let host = url.host_str()?;
        let host = host
            .strip_prefix("www.")
            .map_or_else(|| format!("www.{host}"), str::to_owned);
        other.set_host(Some(&host)).ok()?;
        Some(other)
    });
    add(&|url| {
        let mut other = url.clone();
        let path = url.path();
        let path = path
            .strip_suffix('/')
            .map_or_else(|| format!("{path}/"), str::to_owned);
        other.set_path(&path);
        (other != *url).then_some(other)
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_understood() {
        for (text, first) in [
            ("example.org/blog", "https://example.org/blog"),
            (" https://example.org ", "https://example.org/"),
            ("feed://example.org/rss", "https://example.org/rss"),
            ("feed:https://example.org/rss", "https://example.org/rss"),
            ("http://127.0.0.1:8000/feed", "http://127.0.0.1:8000/feed"),
            // A name that only looks like another is shown as what it is.
            ("https://ехаmple.org/", "https://xn--mple-u4d9kue.org/"),
            ("medium.com/@somebody", "https://medium.com/@somebody"),
        ] {
            let read = read(text).unwrap();
            if text.contains('е') {
                assert!(read[0].as_str().starts_with("https://xn--"), "{}", read[0]);
            } else {
                assert_eq!(read[0].as_str(), first, "{text}");
            }
        }
        assert_eq!(read("example.org").unwrap()[1].as_str(), "http://example.org/");
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, why) in [
            ("", "Enter the address"),
            ("my blog", "no spaces"),
            ("ann@example.org", "e-mail"),
            ("ftp://example.org/", "begins with https"),
            ("javascript:alert(1)", "cannot be read"),
            ("file:///etc/passwd", "begins with https"),
            ("https://user:pass@example.org/", "user name"),
            ("localhost", "no address on the web"),
            ("https://", "cannot be read"),
            ("http://[::1", "cannot be read"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
        assert!(read(&format!("https://example.org/{}", "a".repeat(LONGEST))).is_err());
    }

    #[test]
    fn one_blog_has_many_spellings() {
        let spelt = spellings(&Url::parse("https://example.org/feed").unwrap());
        let spelt: Vec<&str> = spelt.iter().map(Url::as_str).collect();
        assert_eq!(spelt.len(), 8);
        for other in [
            "http://www.example.org/feed/",
            "https://example.org/feed/",
            "http://example.org/feed",
        ] {
            assert!(spelt.contains(&other), "{other} {spelt:?}");
        }
        assert!(spellings(&Url::parse("http://127.0.0.1:1/").unwrap()).len() >= 2);
    }
}
