//! What a fetch comes to. An answer that brings no document is a value like any other, never a Rust error.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use model::Validators;
use url::Url;

use crate::links::WebLinks;

/// One fetch, redirects included.
#[derive(Debug)]
pub struct Fetch {
    /// What came of it.
    pub outcome: FetchOutcome,
    /// The status of the last answer; `None` if there was none.
    pub http_status: Option<u16>,
    /// The last address that was tried, without a fragment.
    pub final_url: Url,
    /// Where the leading run of 301 and 308 answers ended; `None` if the first answer was neither. The whole
    /// chain was permanent exactly when this equals `final_url`. It says nothing of whether a feed was there.
    pub permanent_target: Option<Url>,
    /// The requests that were made, one for each address on the way, in order: what the servers' own logs hold.
    pub hops: Vec<Hop>,
    /// From the first request to the end of the body; waiting for a turn is not counted.
    pub duration: Duration,
}

impl Fetch {
    /// Whether some server was reached, so that what came of it is not the fault of the network here.
    pub fn reached(&self) -> bool {
        let unreached = match &self.outcome {
            FetchOutcome::Failed(failure) => matches!(
                failure.kind,
                FailureKind::NoSuchName
                    | FailureKind::Dns
                    | FailureKind::OpenFiles
                    | FailureKind::Connect
                    | FailureKind::Timeout
            ),
            _ => false,
        };
        !unreached || self.http_status.is_some()
    }
}

/// One request of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// What was asked for.
    pub url: Url,
    /// The status of the answer; `None` if there was none.
    pub status: Option<u16>,
    /// Bytes of the body as they came over the wire, as far as it was read; of a redirect or an error no more than 64 KiB.
    pub bytes: u64,
}

/// How a fetch ended.
#[derive(Debug)]
pub enum FetchOutcome {
    /// 200: a document.
    Modified(Body),
    /// 304: what we have is current.
    NotModified {
        /// For the next request: those that were sent, or the newer ones that the answer carried.
        validators: Validators,
        /// As [`Body::max_age`].
        max_age: Option<Duration>,
        /// As [`Body::refuses_training`]; a 304 that says nothing of it takes nothing back (RFC 9110 section 15.4.5).
        refuses_training: bool,
    },
    /// 410: it will not come back.
    Gone,
    /// 429, 503 or another refusal that says when to come again (RFC 9110 section 10.2.3).
    RetryAfter {
        /// No request before this; at most 31 days ahead.
        until: DateTime<Utc>,
        /// For people.
        message: String,
    },
    /// Anything else.
    Failed(Failure),
}

/// The document of a 200.
#[derive(Debug)]
pub struct Body {
    /// The content, decompressed, in whatever charset it has.
    pub bytes: Bytes,
    /// `Content-Type`, as it was sent.
    pub content_type: Option<String>,
    /// For the next request.
    pub validators: Validators,
    /// How long the answer says that it stays fresh, less its age (RFC 9111 section 4.2); zero when it says
    /// not at all, `None` when it says nothing.
    pub max_age: Option<Duration>,
    /// Where news of it is pushed from, where the answer's `Link` says so.
    pub links: Option<Box<WebLinks>>,
    /// Whether the headers ask that no model be trained with it.
    pub refuses_training: bool,
}

/// Why there is no document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub kind: FailureKind,
    /// For people: what happened and, where there is something to do, what to do.
    pub message: String,
}

/// At which step a fetch failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The guard refused an address: the one that was asked for, or one that it led to.
    Blocked,
    /// The look-up says that there is no such name.
    NoSuchName,
    /// The name could not be looked up just now.
    Dns,
    /// No connection, for this machine lets us open no more files: it says nothing of the server or the network.
    OpenFiles,
    /// No connection, or none in time.
    Connect,
    /// No encrypted connection, or the certificate is not good.
    Tls,
    /// It took too long.
    Timeout,
    /// The body is larger than we read, or unpacks to far more than was sent.
    TooLarge,
    /// The redirects lead nowhere.
    Redirects,
    /// A status that brings no document.
    Status,
    /// What came is not proper HTTP, or it broke off.
    Protocol,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}
