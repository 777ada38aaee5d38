//! What is wrong with each feed, as it was last read: for its blogger to mend.

use model::FeedProblem;

use crate::db::Transaction;
use crate::record::PollRecord;
use crate::rows::{self, Fields};
use crate::sql::{Sql, statements};
use crate::{Store, StoreError};

/// Feeds of one statement at most.
const ROWS: usize = 64;

const NOTE: &str = "INSERT INTO feed_problems (feed_id, problems) ";
/// A feed that says something new with the same mistakes in it writes nothing here.
const INSTEAD: &str = " ON CONFLICT (feed_id) DO UPDATE SET problems = excluded.problems
    WHERE feed_problems.problems <> excluded.problems";
const FORGET: &str = "DELETE FROM feed_problems WHERE feed_id IN ";
const OF_FEED: &str = "SELECT problems FROM feed_problems WHERE feed_id = $1";

impl Store {
    /// What is wrong with this feed, by its number, as it was last read; the worst first.
    pub async fn feed_problems(&self, feed_id: i64) -> Result<Vec<FeedProblem>, StoreError> {
        let row = Sql::new(OF_FEED)
            .bind(feed_id)
            .fetch_optional(self.readers())
            .await?;
        row.map_or(Ok(Vec::new()), |row| Fields::of("feed_problems", &row).json())
    }
}

/// Writes what is news of these polls: most have none.
pub(crate) async fn note<'r>(
    transaction: &mut Transaction,
    records: impl Iterator<Item = &'r PollRecord>,
) -> Result<(), StoreError> {
    let (faulty, sound): (Vec<_>, Vec<_>) = records
        .filter_map(|record| Some((record.feed_id, record.problems.as_deref()?)))
        .partition(|(_, problems)| !problems.is_empty());
    for faulty in statements(&faulty, ROWS) {
        let mut sql = Sql::new(NOTE);
        sql.push_values(faulty, |row, (feed_id, problems)| {
            row.push_bind(*feed_id).push_bind(rows::json(*problems));
        })
        .push(INSTEAD);
        sql.execute(&mut *transaction).await?;
    }
    for sound in statements(&sound, ROWS) {
        let mut sql = Sql::new(FORGET);
        sql.push_list(sound.iter().map(|(feed_id, _)| *feed_id));
        sql.execute(&mut *transaction).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, feed, minutes, poll, reread};

    fn problem(message: &str) -> FeedProblem {
        FeedProblem {
            severity: "warning".to_owned(),
            place: "entry 1".to_owned(),
            message: message.to_owned(),
            fix: "Mend it.".to_owned(),
        }
    }

    #[tokio::test]
    async fn what_is_wrong_stands_until_the_feed_is_read_again() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        assert_eq!(store.feed_problems(ada.id).await.unwrap(), []);
        let (no_date, no_link) = (problem("No date."), problem("No link."));
        let read = async |feed: &model::Feed, at, problems: Option<Vec<FeedProblem>>| {
            let record = PollRecord {
                problems,
                ..poll(&reread(&store, feed).await, at)
            };
            assert!(store.record_polls(&[record]).await.unwrap()[0].accepted);
        };
        read(&ben, minutes(1), Some(vec![no_link.clone()])).await;
        for (at, said, stands) in [
            (
                1,
                Some(vec![no_date.clone(), no_link.clone()]),
                vec![no_date.clone(), no_link.clone()],
            ),
            (2, None, vec![no_date.clone(), no_link.clone()]),
            (3, Some(vec![no_date.clone()]), vec![no_date]),
            (4, Some(vec![]), vec![]),
            (5, Some(vec![]), vec![]),
        ] {
            read(&ada, minutes(at), said).await;
            assert_eq!(store.feed_problems(ada.id).await.unwrap(), stands, "minute {at}");
        }
        assert_eq!(store.feed_problems(ben.id).await.unwrap(), [no_link]);
    }
}
