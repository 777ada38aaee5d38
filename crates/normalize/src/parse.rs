//! Calls feed-rs, so that whatever it does with hostile bytes ends here: an error with a reason, or a feed.
//!
//! It refuses to let the parser sanitise (it skips XHTML), make ids up, or read dates in its own way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono_tz::Tz;
use feed_rs::model::Feed;
use feed_rs::parser::{Builder, ParseFeedError};
use url::Url;

use crate::dates;
use crate::error::{Found, ReadError};

/// Parses XML from its root on, or a JSON Feed. Dates are packed ([`dates::unpack`]); an id that is missing is
/// empty; links of XML feeds are resolved against `base` and `xml:base`.
pub(crate) fn parse(text: &str, base: Option<&Url>, zone: Tz) -> Result<Feed, ReadError> {
    let parser = Builder::new()
        .base_uri(base)
        .sanitize_content(false)
        .id_generator(|_, _, _| String::new())
        .timestamp_parser(move |text| dates::pack(text, zone))
        .build();
    // The parser owns all that it mutates and is dropped with the panic.
    match catch_unwind(AssertUnwindSafe(|| parser.parse(text.as_bytes()))) {
        Ok(Ok(feed)) => Ok(feed),
        Ok(Err(ParseFeedError::JsonUnsupportedVersion(_))) => Err(ReadError::NotAFeed { what: Found::Json }),
        Ok(Err(ParseFeedError::JsonSerde(error))) if error.is_data() && !text.contains("jsonfeed.org") => {
            Err(ReadError::NotAFeed { what: Found::Json })
        }
        Ok(Err(error)) => Err(ReadError::Malformed {
            reason: error.to_string(),
        }),
        Err(panic) => {
            let reason = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no reason given");
            Err(ReadError::Panicked {
                reason: reason.chars().take(200).collect(),
            })
        }
    }
}
