//! From a feed's bytes to entries that may be shown: decode, repair, parse, dates, identity, sanitise, tag.
//!
//! The only crate that knows feed-rs and ammonia. It does no I/O, has no clock and knows no database. Feed bytes
//! are hostile: a panic in the parser becomes that feed's [`ReadError`], and no markup leaves this crate but as
//! [`model::SafeHtml`].
//!
//! [`read`] is the cheap half and runs on every poll that brought a body; [`RawEntry::finish`] is the dear half
//! (sanitiser, plain text, summary, topics) and runs only for entries that [`match_entries`] calls new or changed.
//!
//! The path of the bytes: `decode` makes text of them. RSS in which `repair` finds nothing to mend goes to feed-rs
//! (`library`); all other XML is split by `xml`, put together by `reader`, one entry at a time, and understood by
//! `dialect`; JSON Feed is `json_feed`'s. Whoever read it, `parse` names what came out, and `document`, `entry`
//! and `identity` judge it.
//!
//! To teach it a further breakage of feeds, see `xml` and `reader`; a further element or format, `dialect`; a further
//! date, `dates`. What is mended is told: `problem`.

mod base64;
mod cadence;
mod claims;
mod dates;
mod decode;
mod dialect;
mod discover;
mod document;
mod element;
mod enclosure;
mod entities;
mod entry;
mod error;
mod evaluate;
mod hashtag;
mod identity;
mod json_feed;
mod library;
mod page;
mod parse;
mod post;
pub mod problem;
mod reader;
mod repair;
mod sanitize;
mod summary;
mod tag;
mod text;
mod xml;

pub use cadence::{Cadence, cadence};
pub use claims::{Claims, claims};
pub use discover::{Candidate, CandidateKind, discover, feed_of_platform, is_of_comments, usual_places};
pub use document::{Document, Format, Source, read};
pub use entry::RawEntry;
pub use error::{Found, ReadError};
pub use evaluate::{Evaluation, HashtagMeasure, Measure, evaluate};
pub use hashtag::hashtags;
pub use identity::{Match, entry_key, match_entries};
pub use post::{LabelledPost, ReadPost};
pub use problem::{Problem, Severity};
pub use sanitize::sanitize;
pub use tag::{Found as FoundWords, Tagger, Verdict, Weighed};
