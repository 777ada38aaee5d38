//! How long a fetch may take and how much it may bring.
//!
//! Bytes are counted after decompression and while they arrive, so that a small answer that unpacks to a huge
//! one costs no more than the cap; what a server announces as its length is not believed. The heads of answers
//! are bounded by the HTTP library (HTTP/1: 100 fields, about 400 kB; HTTP/2: [`HEADER_LIST`]), and by the time.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use url::Url;

use crate::error::request_failure;
use crate::outcome::{Failure, FailureKind};
use crate::unpack::{Coding, Unpacker};

/// For the look-up, the connection and the TLS handshake of one hop.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
pub(crate) const IDLE: Duration = Duration::from_secs(15);
/// All fields of the head of an HTTP/2 answer together, in bytes (RFC 9113 section 6.5.2).
pub(crate) const HEADER_LIST: u32 = 64 << 10;
/// How much of a body that means nothing is read, in bytes, and for how long.
const SKIPPED: u64 = 64 << 10;
const SKIPPING: Duration = Duration::from_secs(1);
/// How long a connection waits for the next request to its host, which a round makes at once or not at all: a round asks
/// thousands of hosts, each open connection is a file, and it keeps the address on which it was judged.
pub(crate) const POOLED: Duration = Duration::from_millis(250);

/// The body of `response`, decompressed, if it has at most `cap` bytes. `received` counts what came over the wire.
pub(crate) async fn read_body(
    mut response: Response,
    url: &Url,
    cap: u64,
    received: &mut u64,
) -> Result<Bytes, Failure> {
    let mut unpacker = Unpacker::new(Coding::named(response.headers())?, cap);
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|error| request_failure(&error, url))?
    {
        *received += piece.len() as u64;
        unpacker.push(&piece)?;
    }
    Ok(unpacker.finish()?.into())
}

/// Reads on over a body that means nothing, of a redirect or an error, so that the connection can serve again and the
/// ledger holds what the server's log holds: at most [`SKIPPED`] bytes and no longer than [`SKIPPING`].
pub(crate) async fn skip_body(mut response: Response, received: &mut u64) {
    let skip = async {
        let mut skipped = 0;
        while skipped < SKIPPED
            && let Ok(Some(piece)) = response.chunk().await
        {
            skipped += piece.len() as u64;
            *received += piece.len() as u64;
        }
    };
    // A body that does not end in time is left, and its connection with it.
    let _ = tokio::time::timeout(SKIPPING, skip).await;
}

/// The failure of a fetch that ran out of time; `answered` when the head of the answer was there.
pub(crate) fn timed_out(limit: Duration, answered: bool) -> Failure {
    let message = if answered {
        format!(
            "the server did not send the whole document within {}; let it answer faster, or let the feed hold fewer \
             entries",
            span(limit)
        )
    } else {
        format!(
            "the server did not answer within {}; it is too slow, or it is not there",
            span(limit)
        )
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
pub(crate) fn size(bytes: u64) -> String {
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
