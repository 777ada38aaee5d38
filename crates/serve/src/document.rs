//! A document as a route makes it, and as it is sent: with its entity tags, encoded once per encoding and kept.
//! It knows nothing of what is inside.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LOCATION, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED, LINK, VARY,
};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use prometheus_client::metrics::histogram::Histogram;
use sha2::{Digest, Sha256};

use crate::negotiate::{self, Encoding};
use crate::training;

/// What a document is, which decides its media type, who may read it and how long it may be kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A page for people.
    Page,
    /// Atom 1.0 (RFC 4287).
    Atom,
    /// RSS 2.0.
    Rss,
    /// JSON Feed 1.1.
    JsonFeed,
    /// An export or a digest.
    Json,
    /// A JSON Schema.
    Schema,
    /// OPML 2.0.
    Opml,
    /// A digest to paste into a web page.
    Piece,
    /// A digest in Markdown (RFC 7763).
    Markdown,
    /// A digest as plain text.
    Text,
    /// A digest as a table (RFC 4180).
    Csv,
    /// A file for crawlers or finders of contacts.
    Notice,
    /// The favicon.
    Svg,
    /// The stylesheet, whose address names its content.
    Style,
}

impl Kind {
    fn content_type(self) -> &'static str {
        match self {
            Self::Page | Self::Piece => "text/html; charset=utf-8",
            Self::Atom => "application/atom+xml; charset=utf-8",
            Self::Rss => "application/rss+xml; charset=utf-8",
            Self::JsonFeed => "application/feed+json",
            Self::Json => "application/json",
            Self::Schema => "application/schema+json",
            Self::Opml => "text/x-opml; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Text | Self::Notice => "text/plain; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Svg => "image/svg+xml",
            Self::Style => "text/css; charset=utf-8",
        }
    }

    /// Whether it has a stylesheet of its own for browsers.
    fn is_styled(self) -> bool {
        matches!(self, Self::Atom | Self::Rss)
    }

    /// Whether scripts of other sites may read it.
    fn is_open(self) -> bool {
        !matches!(self, Self::Page | Self::Notice | Self::Svg | Self::Style)
    }
}

const PIECE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                            form-action 'none'; frame-ancestors 'none'";

/// What a route made.
#[derive(Debug)]
pub(crate) struct Document {
    kind: Kind,
    body: String,
    revalidate: bool,
    changed: Option<DateTime<Utc>>,
    location: Option<String>,
    link: Option<HeaderValue>,
    refuses_training: bool,
}

impl Document {
    pub(crate) fn new(kind: Kind, body: String) -> Self {
        Self {
            kind,
            body,
            revalidate: false,
            changed: None,
            location: None,
            link: None,
            refuses_training: false,
        }
    }

    /// Whether it asks that no model be trained with it, beyond what the site itself says.
    pub(crate) fn refusing_training(mut self, refuses: bool) -> Self {
        self.refuses_training = refuses;
        self
    }

    /// Says in a `Link` header (RFC 8288) which links it has.
    pub(crate) fn linked(mut self, link: Option<String>) -> Self {
        self.link = link.and_then(|link| HeaderValue::try_from(link).ok());
        self
    }

    /// Asks every cache to ask again each time, so that a withdrawal reaches everybody.
    pub(crate) fn revalidated(mut self) -> Self {
        self.revalidate = true;
        self
    }

    /// When it last changed, where that is not the revision's own instant.
    pub(crate) fn changed_at(mut self, at: DateTime<Utc>) -> Self {
        self.changed = Some(at);
        self
    }

    /// Where this very document stands otherwise (RFC 9110 section 8.7): a path.
    pub(crate) fn located(mut self, path: String) -> Self {
        self.location = Some(path);
        self
    }

    /// The answer that carries it once, as it is: no validator, no encoding.
    pub(crate) fn into_plain(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        let content_type = HeaderValue::from_static(self.kind.content_type());
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response
    }

    /// Ready to be sent; `changed` is when it last changed unless the document knows better.
    pub(crate) fn seal(self, changed: DateTime<Utc>) -> Sealed {
        let mut hash = Sha256::new_with_prefix(self.body.as_bytes());
        if self.refuses_training {
            // Whoever has it without the wish has to fetch it again.
            hash.update("\0refuses training");
        }
        let tag = hash
            .finalize()
            .iter()
            .take(12)
            .fold(String::new(), |mut tag, byte| {
                use std::fmt::Write;
                let _ = write!(tag, "{byte:02x}");
                tag
            });
        Sealed {
            kind: self.kind,
            tag,
            changed: self.changed.unwrap_or(changed),
            revalidate: self.revalidate,
            location: self.location,
            link: self.link,
            refuses_training: self.refuses_training,
            plain: Bytes::from(self.body),
            encoded: [const { OnceLock::new() }; Encoding::COUNT],
            sent: [const { OnceLock::new() }; Shape::COUNT],
        }
    }
}

/// A document ready to be sent, again and again.
#[derive(Debug)]
pub(crate) struct Sealed {
    kind: Kind,
    tag: String,
    changed: DateTime<Utc>,
    revalidate: bool,
    location: Option<String>,
    link: Option<HeaderValue>,
    refuses_training: bool,
    plain: Bytes,
    encoded: [OnceLock<Bytes>; Encoding::COUNT],
    sent: [OnceLock<Sent>; Shape::COUNT],
}

/// What is kept of an answer to give it again: all of its headers.
#[derive(Debug)]
struct Sent {
    headers: HeaderMap,
    durations: Histogram,
}

/// The ways in which one document is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    encoding: Encoding,
    for_browser: bool,
    /// The asker has it already.
    is_known: bool,
}

impl Shape {
    const COUNT: usize = (Encoding::COUNT + 1) * 4;

    fn index(self) -> usize {
        let encoding = self.encoding.slot().map_or(0, |slot| slot + 1);
        encoding * 4 + usize::from(self.for_browser) * 2 + usize::from(self.is_known)
    }

    fn status(self) -> StatusCode {
        if self.is_known {
            StatusCode::NOT_MODIFIED
        } else {
            StatusCode::OK
        }
    }
}

impl Sealed {
    /// Roughly what it takes in memory, in bytes, once every encoding has been asked for.
    pub(crate) fn weight_bytes(&self) -> usize {
        self.plain.len() * 2 + 4096
    }

    /// How it is sent to whoever asks with these headers: 304 where they have it already (RFC 9110 section 13.2.2).
    pub(crate) fn shape(&self, asked: &HeaderMap, now: DateTime<Utc>) -> Shape {
        Shape {
            encoding: negotiate::encoding(asked),
            for_browser: self.kind.is_styled() && negotiate::is_browser(asked),
            is_known: negotiate::not_modified(asked, &self.tag, || self.last_modified(now)),
        }
    }

    /// Keeps the headers of an answer in this shape, to send them again.
    pub(crate) fn remember(
        &self,
        shape: Shape,
        headers: &HeaderMap,
        durations: Histogram,
        now: DateTime<Utc>,
    ) {
        // Within the second of the change Last-Modified is still to grow.
        if now >= self.changed + TimeDelta::seconds(1) {
            self.sent[shape.index()].get_or_init(|| Sent {
                headers: headers.clone(),
                durations,
            });
        }
    }

    /// The answer in this shape, if it was sent before, and where its duration is counted.
    pub(crate) fn again(&self, shape: Shape) -> Option<(Response<Body>, &Histogram)> {
        let sent = self.sent[shape.index()].get()?;
        let body = match shape.encoding.slot() {
            _ if shape.is_known => Body::empty(),
            None => Body::from(self.plain.clone()),
            Some(slot) => Body::from(self.encoded[slot].get()?.clone()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = shape.status();
        *response.headers_mut() = sent.headers.clone();
        Some((response, &sent.durations))
    }

    /// The answer to a GET or HEAD, in this shape.
    pub(crate) async fn respond(self: &Arc<Self>, shape: Shape, now: DateTime<Utc>) -> Response<Body> {
        let Shape {
            encoding,
            for_browser,
            is_known,
        } = shape;
        let mut response = if is_known {
            Response::new(Body::empty())
        } else {
            let mut response = Response::new(Body::from(self.bytes(encoding).await));
            let headers = response.headers_mut();
            // Browsers show a feed's own type as source text, and XML as its stylesheet says.
            let content_type = if for_browser {
                "application/xml; charset=utf-8"
            } else {
                self.kind.content_type()
            };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            if let Some(name) = encoding.name() {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
            }
            response
        };
        *response.status_mut() = shape.status();
        let headers = response.headers_mut();
        let suffix = if for_browser { negotiate::FOR_BROWSERS } else { "" };
        let etag = format!("\"{}{suffix}{}\"", self.tag, encoding.suffix());
        headers.insert(ETAG, HeaderValue::from_str(&etag).expect("hex digits and quotes"));
        let modified = negotiate::http_date(self.last_modified(now));
        headers.insert(
            LAST_MODIFIED,
            HeaderValue::from_str(&modified).expect("a date is ASCII"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(self.cache_control()));
        let vary = if self.kind.is_styled() {
            "accept-encoding, accept"
        } else {
            "accept-encoding"
        };
        headers.insert(VARY, HeaderValue::from_static(vary));
        if let Some(link) = &self.link {
            headers.insert(LINK, link.clone());
        }
        if let Some(location) = &self.location
            && let Ok(location) = HeaderValue::from_str(location)
        {
            headers.insert(CONTENT_LOCATION, location);
        }
        if self.kind.is_open() {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        if self.refuses_training && !is_known {
            training::refuse(headers);
        }
        if self.kind == Kind::Piece {
            // Mail programs know inline styles only, so the piece has no others.
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PIECE_POLICY));
        }
        response
    }

    fn cache_control(&self) -> &'static str {
        if self.revalidate {
            "no-cache"
        } else if self.kind == Kind::Style {
            "public, max-age=31536000, immutable"
        } else {
            "public, max-age=60"
        }
    }

    /// The instant in `Last-Modified`, which has whole seconds: within the very second of a change it says one
    /// second less, so that whoever asks then does not miss another change in that second (RFC 9110 8.8.2.2).
    fn last_modified(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let second = self.changed.trunc_subsecs(0);
        if now < second + TimeDelta::seconds(1) {
            second - TimeDelta::seconds(1)
        } else {
            second
        }
    }

    async fn bytes(self: &Arc<Self>, encoding: Encoding) -> Bytes {
        let Some(slot) = encoding.slot() else {
            return self.plain.clone();
        };
        if let Some(bytes) = self.encoded[slot].get() {
            return bytes.clone();
        }
        let sealed = Arc::clone(self);
        // Off the threads that answer others: a long export takes a while to squeeze.
        tokio::task::spawn_blocking(move || {
            sealed.encoded[slot]
                .get_or_init(|| compress(&sealed.plain, encoding))
                .clone()
        })
        .await
        .expect("compressing bytes in memory does not panic")
    }
}

fn compress(plain: &[u8], encoding: Encoding) -> Bytes {
    const GZIP_LEVEL: u32 = 6;
    const ZSTD_LEVEL: i32 = 9;
    let in_memory = "writing to memory does not fail";
    match encoding {
        Encoding::Identity => Bytes::copy_from_slice(plain),
        Encoding::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL));
            writer.write_all(plain).expect(in_memory);
            writer.finish().expect(in_memory).into()
        }
        Encoding::Brotli => {
            let parameters = brotli::enc::BrotliEncoderParams {
                quality: 5,
                lgwin: 22,
                ..Default::default()
            };
            let mut out = Vec::new();
            brotli::BrotliCompress(&mut &*plain, &mut out, &parameters).expect(in_memory);
            out.into()
        }
        Encoding::Zstd => zstd::encode_all(plain, ZSTD_LEVEL).expect(in_memory).into(),
    }
}
