//! Polite and guarded HTTP: one address in, one [`FetchOutcome`] out, whatever the other side does.
//!
//! Everything that the Voice asks of another host goes through a [`Fetcher`]: feeds and the pages on which
//! feeds are discovered, and hubs. It asks conditionally, says who asks, keeps to a few requests at once on a host,
//! follows redirects itself, and connects to nothing that is not on the public internet.
//!
//! It knows no feed format, no database and no schedule, and is the only crate that knows the HTTP library.
//! It logs nothing: what went wrong is in the outcome, in words for the blogger or operator who reads them.
//!
//! Where to look: `client` for the course of one fetch, `guard` and `address` for what is never connected to,
//! `names` for who looks names up, `redirect` for hops, `conditional` for the headers that decide when to ask again,
//! `limits` for how long and how much, `unpack` for compressed bodies, `links` for the `Link` header,
//! `form` for what is sent to hubs, `host` for manners towards one host, `outcome` and `error` for the words.

mod address;
mod client;
mod conditional;
mod error;
mod form;
mod guard;
mod headers;
mod host;
mod limits;
mod links;
mod names;
mod outcome;
mod redirect;
mod training;
mod unpack;

pub use client::{FetchConfig, Fetcher};
pub use error::{FetchError, OUT_OF_FILES};
pub use form::{SendOutcome, Sent};
pub use guard::is_private;
pub use host::politeness_key;
pub use links::WebLinks;
pub use names::{LookUp, Names, SystemNames};
pub use outcome::{Body, Failure, FailureKind, Fetch, FetchOutcome, Hop};
