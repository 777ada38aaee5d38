//! How long a fetch may take and how much it may bring.
//!
//! Bytes are counted after decompression and while they arrive, so that a small answer that unpacks to a huge
//! one costs no more than the cap; what a server announces as its length is not believed. The heads of answers
//! are bounded by the HTTP library (100 fields, about 400 kB).

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use url::Url;

use crate::error::request_failure;
use crate::outcome::{Failure, FailureKind};

/// For the look-up, the connection and the TLS handshake of one hop.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
pub(crate) const IDLE: Duration = Duration::from_secs(15);
/// A connection keeps the address on which it was judged, so it is not kept long.
pub(crate) const POOLED: Duration = Duration::from_secs(30);

/// The body of `response`, decompressed, if it has at most `cap` bytes.
pub(crate) async fn read_body(mut response: Response, url: &Url, cap: u64) -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| request_failure(&error, url))?
    {
        if (body.len() + chunk.len()) as u64 > cap {
            return Err(Failure::new(
                FailureKind::TooLarge,
                format!(
                    "the document is larger than {} when unpacked, the most that the Voice reads; \
                     let the feed hold fewer entries",
                    size(cap)
                ),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// The failure of a fetch that ran out of time; `answered` when the head of the answer was there.
pub(crate) fn timed_out(limit: Duration, answered: bool) -> Failure {
    let message = if answered {
        format!(
            "the server did not send the whole document within {}",
            span(limit)
        )
    } else {
        format!("the server did not answer within {}", span(limit))
    };
    Failure::new(FailureKind::Timeout, message)
}

/// A length of time for people.
pub(crate) fn span(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

/// A number of bytes for people.
fn size(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    match bytes {
        n if n >= MIB && n.is_multiple_of(MIB) => format!("{} MiB", n / MIB),
        n if n >= KIB && n.is_multiple_of(KIB) => format!("{} KiB", n / KIB),
        n => format!("{n} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_in_words() {
        assert_eq!(span(Duration::from_secs(20)), "20 s");
        assert_eq!(span(Duration::from_millis(1500)), "1500 ms");
        assert_eq!(size(8 << 20), "8 MiB");
        assert_eq!(size(512 << 10), "512 KiB");
        assert_eq!(size(1000), "1000 bytes");
    }
}
