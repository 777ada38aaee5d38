//! How the store fares, for those who watch it: how much there is, what is due, and what this process wrote.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use model::{FeedStatus, PollOutcome};

use crate::db::Pool;
use crate::feeds::{Due, is_due};
use crate::record::{PollCounts, PollRecord};
use crate::rows::{Fields, millis};
use crate::sql::Sql;
use crate::{Store, StoreError, postgres, sqlite};

const BY_STATUS: &str = concat!(
    "SELECT status, COUNT(*), COUNT(CASE WHEN failures > 0 THEN 1 END), COUNT(CASE WHEN ",
    is_due!(),
    " THEN 1 END), CAST(SUM(entries) AS BIGINT), MAX(last_polled_at)
    FROM feeds GROUP BY status ORDER BY status"
);
const MEMBERS: &str = "SELECT COUNT(*) FROM members";
const RETAGGED: &str =
    "SELECT COALESCE(CASE WHEN retagging_by IS NOT NULL THEN 100 * COALESCE(retagged_to, 0)
        / (SELECT COALESCE(MAX(e.id), 1) FROM entries e) END, 100) FROM site_state";
const REPORTS: &str = "SELECT COUNT(*) FROM reports WHERE closed_at IS NULL";
const LEASED: &str = "SELECT COUNT(*) FROM leases WHERE until_at > $1";

/// How the store fares at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vitals {
    /// Feeds by status; a status that no feed has is left out.
    pub feeds: Vec<(FeedStatus, u64)>,
    /// Active feeds whose last poll failed.
    pub failing: u64,
    /// Active feeds whose time to be polled has come.
    pub due: u64,
    /// Feeds that a fetcher has in hand.
    pub leased: u64,
    /// Members who have or had a feed here.
    pub members: u64,
    /// Reports of posts that nobody has answered.
    pub reports: u64,
    /// Entries held, shown or not.
    pub entries: u64,
    /// How much of the archive has its topics by the rules that are being taken over, from 0 to 100.
    pub retagged_percent: u64,
    /// The newest poll.
    pub last_polled_at: Option<DateTime<Utc>>,
    /// What the database takes on the disk.
    pub database_bytes: u64,
}

/// What this process recorded since it opened the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Polls by outcome, in the order of [`PollOutcome::ALL`].
    pub polls: [u64; PollOutcome::ALL.len()],
    /// Polls that came too late and were refused.
    pub refused: u64,
    /// Entries added.
    pub entries_new: u64,
    /// Entries changed in substance.
    pub entries_updated: u64,
}

/// The counters behind [`Recorded`], shared by the clones of a store.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    polls: [AtomicU64; PollOutcome::ALL.len()],
    refused: AtomicU64,
    entries_new: AtomicU64,
    entries_updated: AtomicU64,
}

impl Counters {
    /// Counts recorded polls with what each came to.
    pub(crate) fn add(&self, records: &[PollRecord], counts: &[PollCounts]) {
        for (record, counts) in records.iter().zip(counts) {
            if counts.accepted {
                self.polls[record.outcome as usize].fetch_add(1, Ordering::Relaxed);
            } else {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            self.entries_new
                .fetch_add(u64::from(counts.new), Ordering::Relaxed);
            self.entries_updated
                .fetch_add(u64::from(counts.updated), Ordering::Relaxed);
        }
    }
}

impl Store {
    /// How the store fares now.
    pub async fn vitals(&self, due: Due) -> Result<Vitals, StoreError> {
        let readers = self.readers();
        let bytes = match readers {
            Pool::Sqlite(_) => sqlite::DATABASE_BYTES,
            Pool::Postgres(_) => postgres::DATABASE_BYTES,
        };
        let mut vitals = Vitals {
            members: count(Sql::new(MEMBERS), readers).await?,
            reports: count(Sql::new(REPORTS), readers).await?,
            retagged_percent: count(Sql::new(RETAGGED), readers).await?,
            leased: count(Sql::new(LEASED).bind(millis(due.now)), readers).await?,
            database_bytes: count(Sql::new(bytes), readers).await?,
            ..Vitals::default()
        };
        for row in due.bound(Sql::new(BY_STATUS)).fetch_all(readers).await? {
            let mut fields = Fields::of("feeds", &row);
            let status = fields.read(FeedStatus::parse)?;
            vitals.feeds.push((status, fields.number()?));
            let (failing, due): (u64, u64) = (fields.number()?, fields.number()?);
            if status == FeedStatus::Active {
                (vitals.failing, vitals.due) = (failing, due);
            }
            vitals.entries += fields.number::<u64>()?;
            vitals.last_polled_at = vitals.last_polled_at.max(fields.at_optional()?);
        }
        Ok(vitals)
    }

    /// What was recorded through this handle and its clones.
    pub fn recorded(&self) -> Recorded {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters: &Arc<Counters> = &self.counters;
        Recorded {
            polls: std::array::from_fn(|outcome| read(&counters.polls[outcome])),
            refused: read(&counters.refused),
            entries_new: read(&counters.entries_new),
            entries_updated: read(&counters.entries_updated),
        }
    }
}

async fn count(sql: Sql<'_>, readers: &Pool) -> Result<u64, StoreError> {
    Fields::of("database", &sql.fetch_one(readers).await?).number()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, feed, minutes, now, poll, record};

    #[tokio::test]
    async fn tell_of_feeds_entries_and_what_was_recorded() {
        let store = testing::store().await;
        let empty = store.vitals(testing::due(now())).await.unwrap();
        assert_eq!((empty.members, empty.entries, empty.last_polled_at), (0, 0, None));
        assert!(empty.feeds.is_empty() && empty.database_bytes > 4096);

        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        record(
            &store,
            &ada,
            vec![Sample::new("one").entry(), Sample::new("two").hidden().entry()],
        )
        .await;
        let mut failed = poll(&ben, minutes(1));
        failed.outcome = PollOutcome::Failed;
        failed.state.failures = 1;
        store.record_polls(&[failed.clone()]).await.unwrap();
        store.record_polls(&[failed]).await.unwrap();
        let vitals = store.vitals(testing::due(minutes(30))).await.unwrap();
        assert_eq!(vitals.feeds, [(FeedStatus::Active, 2)]);
        assert_eq!((vitals.failing, vitals.due, vitals.leased), (1, 1, 0));
        assert_eq!((vitals.members, vitals.entries), (2, 2));
        assert_eq!(vitals.last_polled_at, Some(minutes(1)));

        let recorded = store.recorded();
        let of = |outcome: PollOutcome| recorded.polls[outcome as usize];
        assert!(
            PollOutcome::ALL
                .iter()
                .enumerate()
                .all(|(at, &outcome)| outcome as usize == at)
        );
        assert_eq!(
            (
                of(PollOutcome::Changed),
                of(PollOutcome::Failed),
                recorded.refused
            ),
            (1, 1, 1)
        );
        assert_eq!((recorded.entries_new, recorded.entries_updated), (2, 0));
    }
}
