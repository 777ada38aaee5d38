//! The cycle: which feed is due, what a poll changes, when to come back.
//!
//! A poll is a fetch, a reading and a decision. The decision is made by pure functions (`schedule`,
//! `changes`) and written by the store in one transaction; nothing here knows SQL or the web framework.
//! To change *when* a feed is polled, look at `schedule.rs` (and `hints.rs` for what feeds ask); whether a failure is
//! theirs or ours, at `network.rs`; whether an address is still theirs, at `moves.rs`; how a feed's state is told, at
//! `model`'s `health.rs`; what hubs push, at `websub.rs`; *what* a poll writes, at `changes.rs`; the order of the steps, at `poller.rs`; how feeds are shared with
//! other fetchers, at `round.rs`; when digests close, at `closing.rs`.

mod at_once;
mod changes;
mod check;
mod closing;
mod cron_line;
mod daemon;
mod deletions;
mod error;
mod hints;
mod hub;
mod looker;
#[cfg(test)]
mod month;
mod moves;
mod network;
mod poller;
mod reading;
mod retag;
mod round;
mod schedule;
#[cfg(test)]
mod traces;
mod troubles;
mod websub;

pub use check::{CheckReport, CheckSource, CheckedCandidate, check};
pub use closing::{IssueStep, Issues, close_through};
pub use cron_line::CronLine;
pub use daemon::run;
pub use error::PollError;
pub use hints::Hints;
pub use looker::{Busy, LookError, Looker, Proof, Wanted};
pub use moves::{Answer, Face, Gone, Move, Reading, changed_hands, gone, moved};
pub use network::{Network, Witness};
pub use poller::{Poller, PollerSettings, Selection};
pub use retag::{Replayed, replay, retagged};
pub use round::{FeedFailure, PollSummary};
pub use schedule::{Intervals, NextPoll, Turn, Written};
