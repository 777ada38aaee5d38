//! What changed for readers: the revision of the whole site, and the order of changes.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::Withdrawal;

use crate::db::Transaction;
use crate::entries::complete;
use crate::query::{Change, ChangePage, ChangePosition, Revision};
use crate::rows::{self, EntryRow, Fields, entry_columns, entry_joins, millis};
use crate::sql::Sql;
use crate::{Store, StoreError};

const REVISION: &str = "SELECT revision, changed_at FROM site_state";

/// Takes the row's lock, so that two writers give out no number twice.
const BEGIN_REVISION: &str = "UPDATE site_state SET revision = revision RETURNING changed_at, arrivals";
const FINISH_REVISION: &str = "UPDATE site_state SET revision = revision + 1, changed_at = $1, arrivals = $2,
        labels_left_at = CASE WHEN $3 THEN $1 ELSE labels_left_at END";

const CHANGES: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM entries e",
    entry_joins!(),
    " AND e.arrival IS NOT NULL AND (e.changed_at, e.id) > ($1, $2) ORDER BY e.changed_at, e.id LIMIT $3"
);

/// The last to leave first.
const WITHDRAWN: &str = "SELECT e.uri, e.key, e.withdrawn_at, e.changed_at FROM entries e
    WHERE e.shown = FALSE AND e.arrival IS NOT NULL ORDER BY e.changed_at DESC, e.id DESC LIMIT $1";
const WITHDRAWN_OF_MEMBER: &str = "SELECT e.uri, e.key, e.withdrawn_at, e.changed_at FROM entries e
    WHERE e.shown = FALSE AND e.arrival IS NOT NULL AND e.member_id = (SELECT m.id FROM members m WHERE m.slug = $2)
    ORDER BY e.changed_at DESC, e.id DESC LIMIT $1";

const FIRST_SUCCESS: &str = "SELECT first_success_at FROM site_state";

impl Store {
    /// The number of the last change to what readers see. Two equal revisions mean equal outputs.
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        let row = Sql::new(REVISION).fetch_one(self.readers()).await?;
        let mut fields = Fields::of("site_state", &row);
        Ok(Revision {
            number: fields.take()?,
            changed_at: fields.at()?,
        })
    }

    /// What changed at `since` or later, oldest change first; from `after` on, if given. An entry that left the
    /// Voice stands as withdrawn; one that never showed does not stand at all. Each entry stands once, at its
    /// last change: one that changes again while somebody pages comes again.
    pub async fn changes(
        &self,
        since: DateTime<Utc>,
        after: Option<ChangePosition>,
        limit: u32,
    ) -> Result<ChangePage, StoreError> {
        let after = after.unwrap_or(ChangePosition {
            changed_at: millis(since),
            id: i64::MIN,
        });
        let rows = Sql::new(CHANGES)
            .bind(after.changed_at)
            .bind(after.id)
            .bind(i64::from(limit) + 1)
            .fetch_all(self.readers())
            .await?;
        let more = rows.len() > limit as usize;
        let rows: Vec<EntryRow> = rows
            .iter()
            .take(limit as usize)
            .map(rows::entry)
            .collect::<Result<_, _>>()?;
        let next = rows.last().filter(|_| more).map(|last| ChangePosition {
            changed_at: millis(last.entry.changed),
            id: last.id,
        });
        let states: Vec<_> = rows.iter().map(|row| (row.shown, row.withdrawn_at)).collect();
        let entries = complete(self.readers(), rows).await?;
        let changes = states
            .into_iter()
            .zip(entries)
            .map(|((shown, withdrawn_at), entry)| {
                if shown {
                    Change::Entry(Box::new(entry))
                } else {
                    Change::Withdrawn(Withdrawal {
                        at: withdrawn_at.unwrap_or(entry.changed),
                        id: entry.id,
                        key: entry.key,
                    })
                }
            })
            .collect();
        Ok(ChangePage { changes, next })
    }

    /// The last `limit` entries to leave the Voice, or to leave a member's part of it, the latest first.
    pub async fn withdrawals(&self, member: Option<&str>, limit: u32) -> Result<Vec<Withdrawal>, StoreError> {
        let sql = match member {
            None => Sql::new(WITHDRAWN).bind(limit),
            Some(slug) => Sql::new(WITHDRAWN_OF_MEMBER).bind(limit).bind(slug),
        };
        let rows = sql.fetch_all(self.readers()).await?;
        rows.iter().map(rows::withdrawal).collect()
    }

    /// The first poll stored in this database that gave a feed.
    pub async fn first_success_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row = Sql::new(FIRST_SUCCESS).fetch_one(self.readers()).await?;
        Fields::of("site_state", &row).at_optional()
    }

    /// Asks the database something small: whether it answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.revision().await.map(|_| ())
    }
}

/// A revision in the making: the write that makes it holds the lock.
pub(crate) struct NextRevision {
    /// What changes in it changes at this moment, in UTC milliseconds: later than every change before it, so that
    /// nobody who reads changes in order misses one.
    pub(crate) changed_at: i64,
    /// The last arrival number given out.
    pub(crate) arrivals: i64,
    /// Whether readers see anything of it.
    pub(crate) visible: bool,
    /// Whether an entry is found under a topic or hashtag no more.
    pub(crate) labels_left: bool,
    /// Entries whose stories somebody else tells too, since this revision: [`crate::stories::settle`] decides whose
    /// they are.
    pub(crate) told_again: BTreeSet<i64>,
}

impl NextRevision {
    /// Begins one at `at`.
    pub(crate) async fn begin(transaction: &mut Transaction, at: DateTime<Utc>) -> Result<Self, StoreError> {
        let row = Sql::new(BEGIN_REVISION).fetch_one(&mut *transaction).await?;
        let mut fields = Fields::of("site_state", &row);
        let last: i64 = fields.take()?;
        Ok(Self {
            changed_at: millis(at).max(last + 1),
            arrivals: fields.take()?,
            visible: false,
            labels_left: false,
            told_again: BTreeSet::new(),
        })
    }

    /// Writes it down if readers see anything of it.
    pub(crate) async fn finish(self, transaction: &mut Transaction) -> Result<(), StoreError> {
        if self.visible {
            Sql::new(FINISH_REVISION)
                .bind(self.changed_at)
                .bind(self.arrivals)
                .bind(self.labels_left)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, feed, minutes, now, plan, record, record_at};

    fn keys(page: &ChangePage) -> Vec<&str> {
        page.changes
            .iter()
            .map(|change| match change {
                Change::Entry(entry) => entry.key.trim_end_matches('x'),
                Change::Withdrawn(withdrawal) => withdrawal.key.trim_end_matches('x'),
            })
            .collect()
    }

    #[tokio::test]
    async fn stand_in_the_order_of_change_with_what_was_withdrawn() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(
            &store,
            &ada,
            vec![Sample::new("one").entry(), Sample::new("never").hidden().entry()],
        )
        .await;
        record_at(
            &store,
            &ada,
            minutes(5),
            vec![Sample::new("two").entry()],
            Vec::new(),
        )
        .await;
        let edited = Sample::new("one").draft(|draft| draft.summary = "Otherwise.".to_owned());
        let one = store
            .known_entries(ada.id)
            .await
            .unwrap()
            .into_iter()
            .find(|entry| entry.source_id == "one")
            .unwrap();
        record_at(
            &store,
            &ada,
            minutes(9),
            Vec::new(),
            vec![edited.changed(one.id, true)],
        )
        .await;
        let page = store.changes(now(), None, 10).await.unwrap();
        assert_eq!((keys(&page), page.next), (vec!["two", "one"], None));
        assert_eq!(keys(&store.changes(minutes(6), None, 10).await.unwrap()), ["one"]);

        testing::withdraw(&store, "two").await;
        let page = store.changes(now(), None, 1).await.unwrap();
        assert_eq!(keys(&page), ["one"]);
        let page = store.changes(now(), page.next, 1).await.unwrap();
        assert_eq!((keys(&page), page.next), (vec!["two"], None));
        let left = store.withdrawals(None, 9).await.unwrap();
        assert_eq!(left, store.withdrawals(Some("ada"), 9).await.unwrap());
        assert!(left.len() == 1 && store.withdrawals(Some("ben"), 9).await.unwrap().is_empty());
        assert_eq!(page.changes[0], Change::Withdrawn(left[0].clone()));
        assert!(matches!(&page.changes[0], Change::Withdrawn(withdrawal)
            if withdrawal.id.starts_with("tag:voice.example.org,2026:two") && withdrawal.at == minutes(30)));
    }

    #[tokio::test]
    async fn a_change_written_later_stands_later_whatever_its_poll_says() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record_at(
            &store,
            &ada,
            minutes(9),
            vec![Sample::new("late").entry()],
            Vec::new(),
        )
        .await;
        record_at(
            &store,
            &ada,
            minutes(5),
            vec![Sample::new("early").entry()],
            Vec::new(),
        )
        .await;
        let page = store.changes(minutes(9), None, 10).await.unwrap();
        assert_eq!(keys(&page), ["late", "early"]);
    }

    #[tokio::test]
    async fn the_revision_counts_what_readers_see() {
        let store = testing::store().await;
        let revision = async || store.revision().await.unwrap().number;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        assert_eq!(revision().await, 1);
        record(&store, &ada, vec![Sample::new("hidden").hidden().entry()]).await;
        assert_eq!(revision().await, 1);
        record_at(
            &store,
            &ada,
            minutes(1),
            vec![Sample::new("one").entry()],
            Vec::new(),
        )
        .await;
        assert_eq!(
            store.revision().await.unwrap(),
            Revision {
                number: 2,
                changed_at: minutes(1)
            }
        );
        record_at(&store, &ada, minutes(2), Vec::new(), Vec::new()).await;
        assert_eq!(revision().await, 2);
        // A new identity at the source is nothing that readers see.
        let known = store.known_entries(ada.id).await.unwrap();
        let one = known.iter().find(|entry| entry.source_id == "one").unwrap();
        let renamed = Sample::new("one").draft(|draft| {
            draft.source_id = "urn:one".to_owned();
            draft.fingerprint = "another".to_owned();
        });
        record_at(
            &store,
            &ada,
            minutes(3),
            Vec::new(),
            vec![renamed.changed(one.id, false)],
        )
        .await;
        assert_eq!(revision().await, 2);
        assert_eq!(store.known_entries(ada.id).await.unwrap()[1].source_id, "urn:one");
    }

    #[tokio::test]
    async fn walk_their_index() {
        let store = testing::sqlite().await;
        for (sql, index) in [
            (CHANGES, "SEARCH e USING INDEX entries_changed"),
            (WITHDRAWN, "SCAN e USING INDEX entries_left"),
            (
                WITHDRAWN_OF_MEMBER,
                "SEARCH e USING INDEX entries_left_of_member (member_id=?)",
            ),
        ] {
            let plan = plan(&store, sql.to_owned()).await;
            assert!(
                plan.starts_with(index) && !plan.contains("TEMP B-TREE"),
                "{sql}\n{plan}"
            );
        }
    }
}
