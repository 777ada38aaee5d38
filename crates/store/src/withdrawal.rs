//! Withdrawal: entries, feeds and members leave the Voice, and nothing that they wrote stays in the database.
//!
//! [`Store::withdraw_entries`] erases the words of entries, their labels, their places in the index of words, and their
//! links; the key alone stays, so that the address answers 410 and `changed_since` says "withdrawn".
//! [`Store::withdraw_feed`] and [`Store::withdraw_member`] erase names and addresses too. Salted hashes stay in
//! `tombstones`, so that nothing is added again by accident: [`Store::record_polls`] passes over what lies there.
//!
//! Who uses it, and how:
//! - The member's own page and moderators call it with a [`Cause`] and a [`Decision`], and show the [`Receipt`].
//! - Whoever finds that a post was deleted at the source collects such keys and calls
//!   `withdraw_entries(&keys, Cause::Source, &Decision { by: SOURCE, .. })`.
//! - Whoever publishes something derived (digests, hubs, queued mails) is never called: it sees
//!   `entries.withdrawn_at` and `members.withdrawn_at`, and the revision, which each withdrawal moves.
//! - A table that keeps words of entries, or names of members, erases them here, in the same transaction. A test holds
//!   every column of `entries` to that.
//!
//! A copy of the same story in another feed goes along where the story was the feed's own, or a moderator hides it. What
//! another says of it in their own words takes its place.

mod entries;
mod feeds;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::audit::{self, Decision};
use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::tombstones::{Cause, Graveyard};
use crate::{Store, StoreError, scrub};

/// What was withdrawn, and from where it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// When.
    pub at: DateTime<Utc>,
    /// The keys of the entries whose text was erased, copies in other feeds among them.
    pub entries: Vec<String>,
    /// How many feeds are gone, with their addresses.
    pub feeds: u32,
    /// Whether the member is gone, with name and e-mail address.
    pub member: bool,
    /// The places that it is gone from, each with its moment.
    pub places: Vec<Place>,
    /// Whether nothing of it is left in the files of the database; if not, readers who were in the middle of something
    /// still held it, and it is tried again until it is.
    pub scrubbed: bool,
}

/// A place that something is gone from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// In words.
    pub place: &'static str,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// Where what was erased is gone from as soon as it is written.
const PLACES: [&str; 4] = [
    "pages and search",
    "feeds, archives and lists of feeds",
    "exports, which say that it was withdrawn",
    "open digests",
];

impl Store {
    /// Erases these entries. Keys of nobody, or of what is withdrawn already, are passed over.
    pub async fn withdraw_entries(
        &self,
        keys: &[impl AsRef<str> + Sync],
        cause: Cause,
        decision: &Decision<'_>,
    ) -> Result<Receipt, StoreError> {
        let mut withdrawal = Withdrawal::begin(self, cause, decision).await?;
        for key in keys {
            if withdrawal.entry(key.as_ref()).await? {
                audit::write(
                    &mut withdrawal.transaction,
                    decision,
                    "withdraw entry",
                    key.as_ref(),
                )
                .await?;
            }
        }
        withdrawal.finish(self).await
    }

    /// Erases a feed with all its entries; the member too, if it was their last. `None` if no feed has this slug.
    pub async fn withdraw_feed(
        &self,
        slug: &str,
        cause: Cause,
        decision: &Decision<'_>,
    ) -> Result<Option<Receipt>, StoreError> {
        let mut withdrawal = Withdrawal::begin(self, cause, decision).await?;
        if !withdrawal.feed(slug).await? {
            return Ok(None);
        }
        withdrawal.finish(self).await.map(Some)
    }

    /// Erases a member with all feeds and entries. `None` if nobody has this slug.
    pub async fn withdraw_member(
        &self,
        slug: &str,
        cause: Cause,
        decision: &Decision<'_>,
    ) -> Result<Option<Receipt>, StoreError> {
        let mut withdrawal = Withdrawal::begin(self, cause, decision).await?;
        if !withdrawal.member(slug).await? {
            return Ok(None);
        }
        withdrawal.finish(self).await.map(Some)
    }
}

/// A withdrawal in the making.
struct Withdrawal<'a> {
    transaction: Transaction,
    revision: NextRevision,
    graveyard: Graveyard,
    cause: Cause,
    decision: &'a Decision<'a>,
    entries: Vec<String>,
    feeds: u32,
    member: bool,
}

impl<'a> Withdrawal<'a> {
    async fn begin(store: &Store, cause: Cause, decision: &'a Decision<'a>) -> Result<Self, StoreError> {
        let mut transaction = store.begin().await?;
        let revision = NextRevision::begin(&mut transaction, decision.at).await?;
        let graveyard = Graveyard::open(&mut transaction).await?;
        Ok(Self {
            transaction,
            revision,
            graveyard,
            cause,
            decision,
            entries: Vec::new(),
            feeds: 0,
            member: false,
        })
    }

    async fn finish(mut self, store: &Store) -> Result<Receipt, StoreError> {
        let at = self.decision.at;
        let is_any = !self.entries.is_empty() || self.feeds > 0;
        if is_any {
            scrub::want(&mut self.transaction).await?;
        }
        self.revision.finish(&mut self.transaction).await?;
        self.transaction.commit().await?;
        // From here on it is withdrawn. What cannot be scrubbed now is tried again.
        let scrubbed = store.scrub().await.unwrap_or(false);
        let files = scrubbed.then(|| store.files());
        let places = PLACES.into_iter().chain(files).filter(|_| is_any);
        Ok(Receipt {
            at,
            entries: self.entries,
            feeds: self.feeds,
            member: self.member,
            places: places.map(|place| Place { place, at }).collect(),
            scrubbed,
        })
    }
}
