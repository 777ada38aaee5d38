//! Entries become documents: Atom, RSS, JSON Feed, OPML, the JSON export and the digest in its five formats.
//!
//! Everything here is a pure function: the same entries give the same bytes. Nothing reads a clock, a database
//! or the network; caching, status codes and content types belong to `serve`. What every writer holds: links
//! are absolute, no character that XML 1.0 forbids and no C1 control leaves ([`model::clean_text`] stands at
//! the door of each format), and an entry has the same id, author and link in each of them.
//!
//! To add a format: one file with one function over [`FeedInfo`] or [`Digest`], with its escaping in one place.

mod address;
mod atom;
mod digest;
mod digest_csv;
mod digest_groups;
mod digest_html;
mod digest_json;
mod digest_layout;
mod digest_markdown;
mod digest_read;
mod digest_text;
mod edition;
mod entry_json;
mod feed_info;
mod instant;
mod json;
mod json_feed;
mod licence;
mod opml;
mod rss;
pub mod schemas;
mod xml;

#[cfg(test)]
mod digest_tests;
#[cfg(test)]
mod sample;

pub use atom::{AtomWriter, atom};
pub use digest::{Correction, Digest, DigestInput, DigestStatus, DigestView, NotHeard, digest};
pub use edition::{Edition, EditorsLink, PostEdit};
pub use entry_json::{
    EntryJson, ExportItem, draft_json, entries_json, entry_json, entry_json_without_content,
};
pub use feed_info::{ArchiveLinks, FeedInfo};
pub use json::json;
pub use json_feed::json_feed;
pub use opml::{Outline, opml};
pub use rss::rss;
