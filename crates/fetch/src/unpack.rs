//! Undoes content codings (RFC 9110 section 8.4.1) while the bytes arrive, within limits of size and ratio.
//!
//! Done here and not by the HTTP library, because only here can the bytes that came over the wire be counted, for
//! the ratio and for the ledger of what a host was asked for. A body whose label is wrong, and there are many, is
//! read for what it is. Never holds more than the cap and one window: 8 MiB for zstd (RFC 9659), 16 MiB for brotli
//! (RFC 7932 section 9.1), 32 KiB for the others.

use std::fmt;
use std::io::{self, Write};

use brotli::DecompressorWriter;
use flate2::write::{DeflateDecoder, GzDecoder, ZlibDecoder};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use zstd::stream::{raw::Decoder as RawZstd, zio::Writer as ZstdWriter};

use crate::headers::members;
use crate::limits;
use crate::outcome::{Failure, FailureKind};

/// What a request says that we can undo.
pub(crate) const ACCEPTED_CODINGS: &str = "gzip, br, zstd, deflate";

/// How many times larger than what came a body may be. Feeds that say the same thing a hundred times come to 60;
/// a bomb of gzip to 1,000, of brotli to a million.
const MAX_RATIO: u64 = 300;

/// Below this the ratio is of no matter.
const RATIO_COUNTS_FROM: u64 = 1 << 20;

/// The largest window that zstd may ask for, as a power of two.
const ZSTD_WINDOW: u32 = 23;

/// How many bytes tell one coding from another.
const SNIFF: usize = 2;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Plain,
    Gzip,
    Zlib,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// The coding that the head of an answer names. What names none that we know is read as it comes: `utf-8` and
    /// `none` are found there too.
    pub(crate) fn named(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut named = Self::Plain;
        for token in members(headers, CONTENT_ENCODING) {
            let coding = match token.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => Self::Gzip,
                "deflate" => Self::Deflate,
                "br" => Self::Brotli,
                "zstd" => Self::Zstd,
                _ => continue,
            };
            if named != Self::Plain {
                return Err(Failure::new(
                    FailureKind::Protocol,
                    "the server packs the document twice (Content-Encoding); let it do so once",
                ));
            }
            named = coding;
        }
        Ok(named)
    }

    /// What a body that begins so and is labelled so really is.
    fn seen(self, head: &[u8]) -> Self {
        let begins = |magic: &[u8]| head.starts_with(magic);
        match self {
            Self::Gzip if !begins(&[0x1f, 0x8b]) => Self::Plain,
            // A frame of data, or one to be skipped (RFC 8878 section 3.1).
            Self::Zstd if !begins(&[0x28, 0xb5]) && !matches!(head, [0x50..=0x5f, 0x2a, ..]) => Self::Plain,
            // What the standard calls deflate is zlib (RFC 1950); half the servers took it at its word.
            Self::Deflate if matches!(head, [cmf, flg, ..] if cmf & 15 == 8 && (u16::from(*cmf) << 8 | u16::from(*flg)) % 31 == 0) => {
                Self::Zlib
            }
            other => other,
        }
    }
}

/// A body on its way from the wire to its plain bytes.
pub(crate) struct Unpacker {
    coding: Coding,
    cap: u64,
    head: Vec<u8>,
    decoder: Option<Decoder>,
}

impl Unpacker {
    /// For a body that is labelled `coding` and may have `cap` plain bytes.
    pub(crate) fn new(coding: Coding, cap: u64) -> Self {
        Self {
            coding,
            cap,
            head: Vec::new(),
            decoder: None,
        }
    }

    /// Takes the next piece from the wire.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), Failure> {
        if let Some(decoder) = &mut self.decoder {
            return decoder.push(piece).map_err(|error| failure(&error));
        }
        self.head.extend_from_slice(piece);
        if self.head.len() < SNIFF {
            return Ok(());
        }
        self.begin()
    }

    /// The plain bytes, now that all has come.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Failure> {
        if self.decoder.is_none() {
            if self.head.is_empty() {
                return Ok(Vec::new());
            }
            self.begin()?;
        }
        match self.decoder {
            Some(decoder) => decoder.finish().map_err(|error| failure(&error)),
            None => Ok(Vec::new()),
        }
    }

    fn begin(&mut self) -> Result<(), Failure> {
        let head = std::mem::take(&mut self.head);
        let sink = Sink {
            bytes: Vec::new(),
            packed: 0,
            cap: self.cap,
        };
        let decoder = Decoder::new(self.coding.seen(&head), sink).map_err(|error| failure(&error))?;
        self.decoder
            .insert(decoder)
            .push(&head)
            .map_err(|error| failure(&error))
    }
}

enum Decoder {
    Plain(Sink),
    Gzip(GzDecoder<Sink>),
    Zlib(ZlibDecoder<Sink>),
    Deflate(DeflateDecoder<Sink>),
    Brotli(Box<DecompressorWriter<Sink>>),
    Zstd(ZstdWriter<Sink, RawZstd<'static>>),
}

impl Decoder {
    fn new(coding: Coding, sink: Sink) -> io::Result<Self> {
        Ok(match coding {
            Coding::Plain => Self::Plain(sink),
            Coding::Gzip => Self::Gzip(GzDecoder::new(sink)),
            Coding::Zlib => Self::Zlib(ZlibDecoder::new(sink)),
            Coding::Deflate => Self::Deflate(DeflateDecoder::new(sink)),
            Coding::Brotli => Self::Brotli(Box::new(DecompressorWriter::new(sink, 16 << 10))),
            Coding::Zstd => {
                let mut raw = RawZstd::new()?;
                raw.set_parameter(zstd::stream::raw::DParameter::WindowLogMax(ZSTD_WINDOW))?;
                Self::Zstd(ZstdWriter::new(sink, raw))
            }
        })
    }

    fn push(&mut self, mut piece: &[u8]) -> io::Result<()> {
        self.sink().packed += piece.len() as u64;
        let writer: &mut dyn Write = match self {
            Self::Plain(sink) => sink,
            Self::Gzip(decoder) => decoder,
            Self::Zlib(decoder) => decoder,
            Self::Deflate(decoder) => decoder,
            Self::Brotli(decoder) => &mut **decoder,
            Self::Zstd(decoder) => decoder,
        };
        while !piece.is_empty() {
            match writer.write(piece)? {
                // The packed document is over; browsers pass over what follows it, and so do we.
                0 => break,
                taken => piece = &piece[taken..],
            }
        }
        Ok(())
    }

    fn sink(&mut self) -> &mut Sink {
        match self {
            Self::Plain(sink) => sink,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.writer_mut(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        let sink = match self {
            Self::Plain(sink) => sink,
            Self::Gzip(decoder) => decoder.finish()?,
            Self::Zlib(decoder) => decoder.finish()?,
            Self::Deflate(decoder) => decoder.finish()?,
            Self::Brotli(mut decoder) => {
                decoder.close()?;
                std::mem::take(decoder.get_mut())
            }
            Self::Zstd(mut decoder) => {
                decoder.finish()?;
                decoder.into_inner().0
            }
        };
        Ok(sink.bytes)
    }
}

/// Where the plain bytes gather, as long as they are within the limits.
#[derive(Default)]
struct Sink {
    bytes: Vec<u8>,
    packed: u64,
    cap: u64,
}

impl Write for Sink {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let total = (self.bytes.len() + piece.len()) as u64;
        if total > self.cap {
            return Err(io::Error::other(Excess::Size(self.cap)));
        }
        if total > RATIO_COUNTS_FROM && total > self.packed.saturating_mul(MAX_RATIO) {
            return Err(io::Error::other(Excess::Ratio));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Which limit a body goes beyond.
#[derive(Debug)]
enum Excess {
    Size(u64),
    Ratio,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(cap) => write!(
                f,
                "the document is larger than {} when unpacked, the most that the Voice reads; let the feed hold fewer \
                 entries",
                limits::size(*cap)
            ),
            Self::Ratio => write!(
                f,
                "the document unpacks to more than {MAX_RATIO} times what was sent, as no feed does; the Voice stopped \
                 reading it"
            ),
        }
    }
}

impl std::error::Error for Excess {}

fn failure(error: &io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Excess>()) {
        Some(excess) => Failure::new(FailureKind::TooLarge, excess.to_string()),
        None => Failure::new(
            FailureKind::Protocol,
            format!(
                "the document could not be unpacked, or broke off before its end ({error}); let the server send it \
                 whole, or not packed"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"<rss><channel><title>An example</title></channel></rss>";

    fn packed(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let best = flate2::Compression::best();
        match coding {
            Coding::Plain => bytes.to_vec(),
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), best);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Zlib => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), best);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Deflate => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), best);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Brotli => {
                let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
                encoder.write_all(bytes).unwrap();
                encoder.into_inner()
            }
            Coding::Zstd => zstd::encode_all(bytes, 3).unwrap(),
        }
    }

    fn unpack(coding: Coding, cap: u64, pieces: &[&[u8]]) -> Result<Vec<u8>, Failure> {
        let mut unpacker = Unpacker::new(coding, cap);
        for piece in pieces {
            unpacker.push(piece)?;
        }
        unpacker.finish()
    }

    const ALL: [(Coding, Coding); 6] = [
        (Coding::Plain, Coding::Plain),
        (Coding::Gzip, Coding::Gzip),
        (Coding::Deflate, Coding::Zlib),
        (Coding::Deflate, Coding::Deflate),
        (Coding::Brotli, Coding::Brotli),
        (Coding::Zstd, Coding::Zstd),
    ];

    #[test]
    fn every_coding_in_pieces_of_every_size() {
        for (label, coding) in ALL {
            let packed = packed(coding, TEXT);
            for size in [1, 2, 3, 7, packed.len()] {
                let pieces: Vec<&[u8]> = packed.chunks(size).collect();
                assert_eq!(
                    unpack(label, 1 << 10, &pieces).unwrap(),
                    TEXT,
                    "{coding:?} by {size}"
                );
            }
            assert_eq!(unpack(label, 1 << 10, &[]).unwrap(), b"");
        }
    }

    #[test]
    fn what_breaks_off_is_told_and_what_follows_is_passed_over() {
        for (label, coding) in &ALL[1..] {
            let packed = packed(*coding, TEXT);
            for cut in [3, packed.len() / 2, packed.len() - 1] {
                let failure = unpack(*label, 1 << 10, &[&packed[..cut]]).unwrap_err();
                assert_eq!(failure.kind, FailureKind::Protocol, "{coding:?} to {cut}");
            }
            // Frames of zstd may follow one another (RFC 8878 section 3.1), so what follows must be one.
            if *coding != Coding::Zstd {
                assert_eq!(
                    unpack(*label, 1 << 10, &[&packed, b"<!-- cached -->"]).unwrap(),
                    TEXT,
                    "{coding:?}"
                );
            }
        }
    }

    #[test]
    fn wrong_labels() {
        assert_eq!(unpack(Coding::Gzip, 1 << 10, &[TEXT]).unwrap(), TEXT);
        assert_eq!(unpack(Coding::Zstd, 1 << 10, &[TEXT]).unwrap(), TEXT);
        assert_eq!(unpack(Coding::Gzip, 1 << 10, &[b"<"]).unwrap(), b"<");
        for (value, coding) in [
            ("GZIP", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("utf-8", Some(Coding::Plain)),
            ("identity", Some(Coding::Plain)),
            ("none, br", Some(Coding::Brotli)),
            ("gzip, br", None),
            ("gzip,gzip", None),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_ENCODING, value.parse().unwrap())]);
            assert_eq!(Coding::named(&headers).ok(), coding, "{value}");
        }
    }

    #[test]
    fn the_size_counts_to_the_byte_and_the_ratio_beyond_a_mebibyte() {
        for (label, coding) in ALL {
            let packed = packed(coding, TEXT);
            assert!(unpack(label, TEXT.len() as u64, &[&packed]).is_ok(), "{coding:?}");
            let failure = unpack(label, TEXT.len() as u64 - 1, &[&packed]).unwrap_err();
            assert_eq!(failure.kind, FailureKind::TooLarge, "{coding:?}");
        }
        let space = vec![b' '; 1 << 20];
        let more = vec![b' '; (1 << 20) + 1];
        for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
            assert!(unpack(coding, 8 << 20, &[&packed(coding, &space)]).is_ok());
            let failure = unpack(coding, 8 << 20, &[&packed(coding, &more)]).unwrap_err();
            assert!(failure.message.contains("300 times"), "{}", failure.message);
        }
    }

    #[test]
    fn a_zstd_window_beyond_that_of_the_web_is_refused() {
        // A frame header that asks for a window of 64 MiB (RFC 8878 section 3.1.1.1.2), then an empty last block.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 16 << 3, 0x01, 0x00, 0x00];
        let failure = unpack(Coding::Zstd, 8 << 20, &[&frame]).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Protocol, "{}", failure.message);
    }
}
