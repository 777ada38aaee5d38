//! `feeds.toml`: the list of feeds and the settings, read and checked as a whole.
//!
//! [`load`] and [`parse`] give [`Settings`] or a [`RegistryError`] that tells *every* mistake at once, each with
//! its line and its mend. [`import_opml`] and [`to_toml`] carry the list of feeds in and out.
//!
//! This crate knows neither network nor database, does not read the environment (the caller hands the
//! `VOICE_SECTION_KEY` variables in) and never writes a file.
//!
//! To add a setting: read its key in `settings` (or `feeds`, `topics`), which also makes the key known; the
//! parser of its value goes to `units`; the shipped `feeds.toml` and the contract name it.

mod document;
mod error;
mod feeds;
mod lines;
mod opml;
mod report;
mod settings;
mod topics;
mod units;

pub use error::RegistryError;
pub use feeds::to_toml;
pub use opml::{OpmlImport, import_opml};
pub use settings::{FetchSettings, MailSettings, ServerSettings, Settings, defaults, load, parse};
pub use topics::builtin_topics;
