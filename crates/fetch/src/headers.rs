//! Headers that are lists.

use reqwest::header::{AsHeaderName, HeaderMap};

/// What stands between the commas of a list, sent once or in pieces (RFC 9110 section 5.6.1).
pub(crate) fn members(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}
