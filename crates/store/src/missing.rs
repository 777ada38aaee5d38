//! Entries that are missing from inside their feed's span: noted at one poll, asked for at a later one. Whether they
//! were deleted at the source is decided by whoever polls.

use chrono::{DateTime, Utc};

use crate::db::Transaction;
use crate::record::PollRecord;
use crate::rows::{Fields, millis};
use crate::sql::{Sql, statements};
use crate::{Store, StoreError};

/// Entries of one statement at most.
const ROWS: usize = 64;

const OVERDUE: &str = "SELECT id, key, link FROM entries
    WHERE feed_id = $1 AND missing_since_at <= $2 AND withdrawn_at IS NULL ORDER BY missing_since_at, id LIMIT $3";

/// An entry that has been missing for so long that its own address is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// The store's own number.
    pub id: i64,
    /// Its key.
    pub key: String,
    /// Its own address; without one nobody can say that it is gone.
    pub link: Option<String>,
}

impl Store {
    /// The `limit` entries of a feed that have been missing the longest, at least since `since`.
    pub async fn overdue(
        &self,
        feed_id: i64,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Overdue>, StoreError> {
        let rows = Sql::new(OVERDUE)
            .bind(feed_id)
            .bind(millis(since))
            .bind(limit as i64)
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("entries", row);
                Ok(Overdue {
                    id: fields.take()?,
                    key: fields.take()?,
                    link: fields.take()?,
                })
            })
            .collect()
    }
}

/// Writes which entries a poll missed, and which it found again.
pub(crate) async fn note(transaction: &mut Transaction, record: &PollRecord) -> Result<(), StoreError> {
    for (entries, since) in [
        (&record.missing, Some(millis(record.at))),
        (&record.found_again, None),
    ] {
        for entries in statements(entries, ROWS) {
            let mut sql = Sql::new("UPDATE entries SET missing_since_at = ");
            sql.push_bind(since)
                .push(" WHERE feed_id = ")
                .push_bind(record.feed_id)
                .push(" AND id IN ");
            sql.push_list(entries.iter().copied());
            sql.execute(&mut *transaction).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, feed, id_of, minutes, plan, poll, record, reread};

    #[tokio::test]
    async fn what_is_missing_is_asked_for_in_time_and_by_its_own_feed_alone() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        record(
            &store,
            &ada,
            vec![Sample::new("two").entry(), Sample::new("one").entry()],
        )
        .await;
        let (one, two) = (id_of(&store, &ada, "one").await, id_of(&store, &ada, "two").await);
        let noted = async |feed: &model::Feed, at, missing: Vec<i64>, found_again: Vec<i64>| {
            let record = PollRecord {
                missing,
                found_again,
                ..poll(&reread(&store, feed).await, at)
            };
            assert!(store.record_polls(&[record]).await.unwrap()[0].accepted);
        };
        let revision = store.revision().await.unwrap();
        noted(&ada, minutes(1), vec![one, two], vec![]).await;
        noted(&ben, minutes(2), vec![], vec![one, two]).await;
        let overdue = store.overdue(ada.id, minutes(1), 9).await.unwrap();
        assert_eq!(
            overdue.iter().map(|entry| entry.id).collect::<Vec<_>>(),
            [one, two]
        );
        assert_eq!(overdue[0].link.as_deref(), Some("https://example.org/one"));
        assert_eq!(store.overdue(ada.id, minutes(0), 9).await.unwrap(), []);
        assert_eq!(store.overdue(ada.id, minutes(1), 1).await.unwrap().len(), 1);
        noted(&ada, minutes(3), vec![two], vec![one]).await;
        assert_eq!(store.overdue(ada.id, minutes(2), 9).await.unwrap(), []);
        let known = store.known_entries(ada.id).await.unwrap();
        let since: Vec<_> = known
            .iter()
            .map(|entry| (entry.id, entry.missing_since))
            .collect();
        assert_eq!(since, [(one, None), (two, Some(minutes(3)))]);
        assert_eq!(
            store.revision().await.unwrap(),
            revision,
            "readers see nothing of it"
        );
    }

    #[tokio::test]
    async fn are_found_by_indices() {
        let store = testing::sqlite().await;
        let plan = plan(&store, OVERDUE.to_owned()).await;
        assert!(plan.contains("entries_missing"), "{plan}");
    }
}
