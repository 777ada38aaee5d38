//! Any bytes at all through decode, repair and parse. The first line is taken for the `Content-Type`, the rest is
//! the document. A finding is cut down (`cargo fuzz tmin`) and becomes a fixture of `crates/normalize`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use normalize::{Source, read};
use url::Url;

fuzz_target!(|bytes: &[u8]| {
    let (head, body) = match bytes.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (&b""[..], bytes),
    };
    let url = Url::parse("https://blog.example/feed").expect("it is an address");
    let source = Source {
        body,
        content_type: std::str::from_utf8(head).ok(),
        url: Some(&url),
        timezone: chrono_tz::Europe::London,
    };
    if let Ok(document) = read(&source) {
        for entry in &document.entries {
            assert!(!entry.source_id.is_empty());
        }
    }
});
