//! Instants as the formats write them.

use chrono::{DateTime, Utc};

/// RFC 3339 in UTC with `Z`, whole seconds.
pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// RFC 822 with a year of four digits (RSS 2.0, OPML 2.0).
pub(crate) fn rfc822(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
