//! The address of a licence, for formats that link to one. It names no licence that the author did not name.

use crate::address::web_address;

/// The address of `licence`: itself if it is one, Creative Commons' own or SPDX's page of an identifier.
/// `None` for words such as "all rights reserved".
pub(crate) fn licence_url(licence: &str) -> Option<String> {
    if let Some(url) = web_address(licence) {
        return Some(url.to_owned());
    }
    if !is_spdx_shaped(licence) {
        return None;
    }
    let lower = licence.to_ascii_lowercase();
    if lower == "cc0-1.0" {
        return Some("https://creativecommons.org/publicdomain/zero/1.0/".to_owned());
    }
    // CC-BY-NC-4.0; ported ones (CC-BY-3.0-IGO) end in letters and are left to SPDX.
    if let Some((terms, version)) = lower.strip_prefix("cc-").and_then(|rest| rest.rsplit_once('-'))
        && version.starts_with(|c: char| c.is_ascii_digit())
    {
        return Some(format!("https://creativecommons.org/licenses/{terms}/{version}/"));
    }
    Some(format!("https://spdx.org/licenses/{licence}.html"))
}

/// An identifier with a version: what feeds write as free text hardly ever looks so.
fn is_spdx_shaped(text: &str) -> bool {
    text.contains('-')
        && text.bytes().any(|b| b.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'+'))
}

#[cfg(test)]
mod tests {
    use super::licence_url;

    #[test]
    fn addresses_identifiers_and_words() {
        for (licence, url) in [
            (
                "CC-BY-NC-4.0",
                Some("https://creativecommons.org/licenses/by-nc/4.0/"),
            ),
            (
                "CC0-1.0",
                Some("https://creativecommons.org/publicdomain/zero/1.0/"),
            ),
            (
                "CC-BY-3.0-IGO",
                Some("https://spdx.org/licenses/CC-BY-3.0-IGO.html"),
            ),
            ("OGL-UK-3.0", Some("https://spdx.org/licenses/OGL-UK-3.0.html")),
            ("https://example.org/terms", Some("https://example.org/terms")),
            ("Copyright 2015-16", None),
            ("All rights reserved", None),
            ("javascript:alert-1", None),
        ] {
            assert_eq!(licence_url(licence).as_deref(), url, "{licence}");
        }
    }
}
