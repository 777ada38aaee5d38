//! Everything that is stored, and every SQL string of the program: members, feeds, polls, entries, search.
//!
//! A [`Store`] is a cheap handle on one database, SQLite or PostgreSQL; nobody outside knows which. Reads go side by side on connections that cannot write;
//! writes go one after another, each in one transaction. Times are handed in: nothing here reads a clock.
//!
//! How to extend it: a new question is a `const` SQL text that SQLite and PostgreSQL both speak (`$1`, `ON
//! CONFLICT`, `RETURNING`, row values), in the file of the noun that it asks about, and a method beside it. A new
//! column or index is a new file in `migrations/sqlite` and one in `migrations/postgres`, listed in `sqlite.rs` and
//! `postgres.rs`; `carry.rs` finds a new table by itself. What differs between the databases stays in those two, in `search.rs`
//! (full text), `catalogue.rs` (which tables there are), and where whole databases are copied: `backup.rs`, `dump.rs`, `carry.rs`.
//!
//! What people decide (`decisions.rs`, `registrations.rs`, `membership.rs`, `withdrawal.rs`, `reports.rs`) takes a [`Decision`] and is written
//! to the audit log in the same transaction. How a withdrawal is used says `withdrawal.rs`.
//!
//! This crate refuses to know HTTP, feed formats and `feeds.toml`.

mod aliases;
mod audit;
mod backup;
mod carry;
mod catalogue;
mod cell;
mod changes;
mod closing;
mod db;
mod decisions;
mod disputes;
mod dump;
mod editions;
mod edits;
mod enclosures;
mod entries;
mod error;
mod evidence;
mod feed_problems;
mod feeds;
mod hosts;
mod issues;
mod known;
mod labels;
mod leases;
mod left_out;
mod links;
mod manage_links;
mod member_emails;
mod members;
mod membership;
mod merge;
mod merged_members;
mod missing;
mod notices;
mod own_posts;
mod pings;
mod polls;
mod postgres;
mod query;
mod record;
mod registrations;
mod registry;
mod reports;
mod river;
mod rows;
mod scrub;
mod search;
mod secrets;
mod sessions;
mod snippet;
mod sql;
mod sqlite;
mod stories;
mod subscriptions;
#[cfg(test)]
mod testing;
mod tidy;
mod tombstones;
mod topic_pages;
mod topics;
mod training;
mod vector;
mod vitals;
mod why;
mod withdrawal;

pub use audit::{AuditLine, Decision, MEMBER, NOBODY, SOURCE, TERM, TERMINAL};
pub use backup::{BackupReport, Holdings, RestoreReport, back_up, restore};
pub use carry::{CarriedTable, CarryReport, carry};
pub use closing::{Closing, Correcting, NewRevision};
pub use db::Store;
pub use decisions::Decided;
pub use disputes::{Dispute, Disputed};
pub use editions::{Publish, StoredEdition};
pub use error::StoreError;
pub use feeds::Due;
pub use hosts::HostUse;
pub use issues::{Issue, IssueFormat, RevisionLookup, WeekContents, WeekRules};
pub use leases::{Lease, WantedFeed};
pub use left_out::{LeftOut, LeftOutCount};
pub use links::{Conversation, Voiced};
pub use manage_links::ManageLink;
pub use member_emails::Email;
pub use membership::{FeedChange, MemberChange, MemberFeed, Membership};
pub use missing::Overdue;
pub use notices::{HealthChange, Mail, Notice, NoticeKind, Trouble};
pub use own_posts::{OwnPost, Verdict};
pub use pings::{Ping, Touched};
pub use query::{
    ArchivePage, Change, ChangePage, ChangePosition, EntryLookup, EntryPage, EntryQuery, LabelCount,
    MemberDetail, PositionError, Revision, RiverEdge, RiverPosition, SearchHit,
};
pub use record::{
    ChangedEntry, FeedState, HostRequest, HubNews, MergeReport, NewEntry, PollCounts, PollRecord,
    PollSummaryRow,
};
pub use registrations::{Registered, Registration};
pub use reports::{NewReport, Report};
pub use secrets::Secret;
pub use sessions::Session;
pub use subscriptions::{HubRequest, Intent, NewSubscription, Subscription};
pub use tombstones::Cause;
pub use topic_pages::Writer;
pub use topics::{Decisions, RetagProgress, Retagged, StoredPost, Tag, TopicDecision};
pub use vitals::{Recorded, Vitals};
pub use why::Trace;
pub use withdrawal::{Place, Receipt};
