//! From a feed's bytes to entries that may be shown: decode, repair, parse, dates, identity, sanitise, tag.
//!
//! The only crate that knows feed-rs and ammonia. It does no I/O, has no clock and knows no database. Feed bytes
//! are hostile: a panic in the parser becomes that feed's [`ReadError`], and no markup leaves this crate but as
//! [`model::SafeHtml`].
//!
//! [`read`] is the cheap half and runs on every poll that brought a body; [`RawEntry::finish`] is the dear half
//! (sanitiser, plain text, summary, topics) and runs only for entries that [`match_entries`] calls new or changed.
//!
//! To teach it a further breakage of feeds, see `repair`; a further date, `dates`; a further format feed-rs does
//! not know, turn it into one that it does in `repair`.

mod cadence;
mod dates;
mod decode;
mod discover;
mod document;
mod entities;
mod entry;
mod error;
mod evaluate;
mod hashtag;
mod identity;
mod origin;
mod parse;
mod post;
mod problem;
mod repair;
mod sanitize;
mod summary;
mod tag;
mod text;

pub use cadence::{Cadence, cadence};
pub use discover::{Candidate, CandidateKind, discover};
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
