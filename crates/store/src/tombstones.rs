//! What must not be added again by accident: what was withdrawn, hidden or rejected.
//!
//! A tombstone is a salted hash, so that it says of an address whether it lies here, and never which addresses do.
//! Those of single entries hold in their own feed. A link holds everywhere only where it was the feed's own, for else
//! a feed could bury another's posts by naming them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use model::{EntryDraft, normal_feed_address};
use url::Url;

use crate::db::Transaction;
use crate::record::NewEntry;
use crate::rows::{Fields, millis};
use crate::secrets::{Secret, hash};
use crate::sql::{On, Sql, statements};
use crate::{Store, StoreError};

/// Hashes of one statement at most.
const HASHES: usize = 64;

const SALT: &str = "SELECT salt FROM site_state";
const SET_SALT: &str = "UPDATE site_state SET salt = $1 WHERE salt IS NULL";
const FIND: &str = "SELECT hash, cause, since_at, feed_id, entry_id FROM tombstones WHERE hash IN ";
const BURY: &str = "INSERT INTO tombstones (hash, cause, since_at, feed_id, entry_id) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (hash) DO UPDATE SET cause = excluded.cause, since_at = excluded.since_at, feed_id = excluded.feed_id,
        entry_id = excluded.entry_id";
const LIFT: &str = "DELETE FROM tombstones WHERE hash = $1";

/// Why something stays away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Its author took it back.
    Author,
    /// The member left and took everything back.
    Left,
    /// A moderator hid it.
    Moderator,
    /// It was deleted at the source.
    Source,
    /// A moderator did not take the feed on.
    Rejected,
}

impl Cause {
    /// The word in columns.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::Left => "left",
            Self::Moderator => "moderator",
            Self::Source => "source",
            Self::Rejected => "rejected",
        }
    }

    /// The cause that this word names.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [
            Self::Author,
            Self::Left,
            Self::Moderator,
            Self::Source,
            Self::Rejected,
        ]
        .into_iter()
        .find(|cause| cause.as_str() == word)
    }
}

impl Store {
    /// Whether anything was ever withdrawn.
    pub async fn has_withdrawals(&self) -> Result<bool, StoreError> {
        Ok(Graveyard::find(self.readers()).await?.is_some())
    }

    /// Leaves out of what a feed offers as new whatever was withdrawn: it stays in the feed for as long as its blog keeps
    /// it there, and is no news. (What is withdrawn meanwhile, [`Self::record_polls`] passes over.)
    pub async fn without_the_withdrawn(
        &self,
        feed_id: i64,
        mut new: Vec<NewEntry>,
    ) -> Result<Vec<NewEntry>, StoreError> {
        let drafts = new.iter().map(|entry| (feed_id, &entry.draft));
        let mut kept_away = Graveyard::keeps_away(self.readers().into(), drafts)
            .await?
            .into_iter();
        new.retain(|_| kept_away.next() == Some(false));
        Ok(new)
    }
}

/// What lies buried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tombstone {
    pub(crate) cause: Cause,
    pub(crate) since: DateTime<Utc>,
    /// The feed that it was, or that it stood in.
    pub(crate) feed_id: Option<i64>,
    /// The entry that it was.
    pub(crate) entry_id: Option<i64>,
}

/// Makes the hashes. Without a salt there is no tombstone yet.
pub(crate) struct Graveyard {
    salt: String,
}

impl Graveyard {
    /// That of this database, if anything lies there.
    pub(crate) async fn find(on: impl Into<On<'_>>) -> Result<Option<Self>, StoreError> {
        let salt: Option<String> = Sql::new(SALT).fetch_value("site_state", on).await?;
        Ok(salt.map(|salt| Self { salt }))
    }

    /// That of this database, made if need be.
    pub(crate) async fn open(transaction: &mut Transaction) -> Result<Self, StoreError> {
        if let Some(there) = Self::find(&mut *transaction).await? {
            return Ok(there);
        }
        let salt = Secret::new()?.reveal().to_owned();
        Sql::new(SET_SALT).bind(&salt).execute(transaction).await?;
        Ok(Self { salt })
    }

    /// The hash of a feed's address.
    pub(crate) fn feed(&self, address: &str) -> String {
        hash(&[&self.salt, "feed", address])
    }

    /// The hash of an address of a feed.
    pub(crate) fn feed_url(&self, url: &Url) -> String {
        self.feed(&normal_feed_address(url))
    }

    /// The hash of an identity within a feed.
    pub(crate) fn source_id(&self, feed_id: i64, source_id: &str) -> String {
        hash(&[&self.salt, "id", &feed_id.to_string(), source_id])
    }

    /// The hash of a link within a feed.
    pub(crate) fn link_in_feed(&self, feed_id: i64, link_key: &str) -> String {
        hash(&[&self.salt, "link", &feed_id.to_string(), link_key])
    }

    /// The hash of a link wherever it stands.
    pub(crate) fn link(&self, link_key: &str) -> String {
        hash(&[&self.salt, "link", link_key])
    }

    /// Which of these entries, each with its feed's number, were withdrawn: they stay away.
    pub(crate) async fn keeps_away(
        mut on: On<'_>,
        entries: impl ExactSizeIterator<Item = (i64, &EntryDraft)>,
    ) -> Result<Vec<bool>, StoreError> {
        if entries.len() == 0 {
            return Ok(Vec::new());
        }
        let Some(graveyard) = Self::find(on.again()).await? else {
            return Ok(vec![false; entries.len()]);
        };
        let hashes: Vec<Vec<String>> = entries
            .map(|(feed_id, draft)| graveyard.entry(feed_id, draft))
            .collect();
        let away = Self::among(on, &hashes.concat()).await?;
        let is_away = |own: &Vec<String>| own.iter().any(|hash| away.contains_key(hash));
        Ok(hashes.iter().map(is_away).collect())
    }

    /// The hashes by which an entry of this feed lies here.
    fn entry(&self, feed_id: i64, draft: &EntryDraft) -> Vec<String> {
        let links = (draft.link_key.as_deref()).map(|key| [self.link_in_feed(feed_id, key), self.link(key)]);
        std::iter::once(self.source_id(feed_id, &draft.source_id))
            .chain(links.into_iter().flatten())
            .collect()
    }

    /// Those of `hashes` that lie here.
    pub(crate) async fn among(
        mut on: On<'_>,
        hashes: &[String],
    ) -> Result<HashMap<String, Tombstone>, StoreError> {
        let mut found = HashMap::new();
        for hashes in statements(hashes, HASHES) {
            let mut sql = Sql::new(FIND);
            sql.push_list(hashes);
            for row in sql.fetch_all(on.again()).await? {
                let mut fields = Fields::of("tombstones", &row);
                let hash = fields.take()?;
                found.insert(
                    hash,
                    Tombstone {
                        cause: fields.read(Cause::parse)?,
                        since: fields.at()?,
                        feed_id: fields.take()?,
                        entry_id: fields.take()?,
                    },
                );
            }
        }
        Ok(found)
    }

    /// Buries something under this hash.
    pub(crate) async fn bury(
        transaction: &mut Transaction,
        hash: &str,
        tombstone: Tombstone,
    ) -> Result<(), StoreError> {
        Sql::new(BURY)
            .bind(hash)
            .bind(tombstone.cause.as_str())
            .bind(millis(tombstone.since))
            .bind(tombstone.feed_id)
            .bind(tombstone.entry_id)
            .execute(transaction)
            .await?;
        Ok(())
    }

    /// Lets what lies under this hash come back.
    pub(crate) async fn lift(transaction: &mut Transaction, hash: &str) -> Result<(), StoreError> {
        Sql::new(LIFT).bind(hash).execute(transaction).await?;
        Ok(())
    }
}
