//! Whose posts no model is to be trained with, as the servers of their feeds say.
//!
//! It is said of a feed and holds for all that its member has here. What the operator says of the whole site is not
//! for this file.

use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::record::PollRecord;
use crate::sql::Sql;
use crate::{Store, StoreError};

const NOTE: &str = "UPDATE feeds SET refuses_training = $2 WHERE id = $1";
/// What was withdrawn left nothing that could be trained with.
const ANY: &str =
    "SELECT EXISTS (SELECT 1 FROM feeds WHERE refuses_training = TRUE AND withdrawn_at IS NULL)";
const MEMBER: &str = "SELECT EXISTS (SELECT 1 FROM feeds f JOIN members m ON m.id = f.member_id
    WHERE f.refuses_training = TRUE AND f.withdrawn_at IS NULL AND m.slug = $1)";
/// Whoever tells the same story counts, too: it is their words as well.
const ENTRY: &str = "SELECT EXISTS (SELECT 1 FROM entries e JOIN feeds f ON f.member_id = e.member_id
    WHERE f.refuses_training = TRUE AND f.withdrawn_at IS NULL
        AND (e.key = $1 OR e.duplicate_of = (SELECT s.id FROM entries s WHERE s.key = $1)))";

impl Store {
    /// Whether any member's server refuses training.
    pub async fn any_refuses_training(&self) -> Result<bool, StoreError> {
        Sql::new(ANY).fetch_value("feeds", self.readers()).await
    }

    /// Whether a server of this member's does.
    pub async fn member_refuses_training(&self, slug: &str) -> Result<bool, StoreError> {
        Sql::new(MEMBER)
            .bind(slug)
            .fetch_value("feeds", self.readers())
            .await
    }

    /// Whether that of somebody does whose post stands under this key.
    pub async fn entry_refuses_training(&self, key: &str) -> Result<bool, StoreError> {
        Sql::new(ENTRY)
            .bind(key)
            .fetch_value("feeds", self.readers())
            .await
    }
}

/// Writes what a poll says of it, where that is news: then all documents that hold the member's posts change.
pub(crate) async fn note(
    transaction: &mut Transaction,
    record: &PollRecord,
    revision: &mut NextRevision,
) -> Result<(), StoreError> {
    if let Some(refuses) = record.refuses_training {
        Sql::new(NOTE)
            .bind(record.feed_id)
            .bind(refuses)
            .execute(&mut *transaction)
            .await?;
        revision.visible = true;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, Sample, feed, minutes, poll, record, reread};

    #[tokio::test]
    async fn a_refusal_holds_for_the_member_until_it_is_taken_back() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        record(&store, &ada, vec![Sample::new("one").entry()]).await;
        record(&store, &ben, vec![Sample::new("two").entry()]).await;
        let key = |name: &str| Sample::new(name).new.key;
        let answers = async || {
            [
                store.any_refuses_training().await.unwrap(),
                store.member_refuses_training("ada").await.unwrap(),
                store.member_refuses_training("ben").await.unwrap(),
                store.entry_refuses_training(&key("one")).await.unwrap(),
                store.entry_refuses_training(&key("two")).await.unwrap(),
            ]
        };
        assert_eq!(answers().await, [false; 5]);
        let number = async || store.revision().await.unwrap().number;
        for (refuses, expected) in [(true, [true, true, false, true, false]), (false, [false; 5])] {
            let before = number().await;
            let ada = reread(&store, &ada).await;
            let mut poll = poll(&ada, minutes(5));
            poll.refuses_training = Some(refuses);
            store.record_polls(&[poll]).await.unwrap();
            assert_eq!(reread(&store, &ada).await.refuses_training, refuses);
            assert_eq!(answers().await, expected);
            assert_eq!(number().await, before + 1);
        }
    }

    #[tokio::test]
    async fn a_story_that_one_of_its_tellers_keeps_from_training_is_kept_whole() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        let sample = Sample::new("one");
        record(&store, &ada, vec![sample.clone().entry()]).await;
        let mut copy = sample.clone();
        copy.new.key = "anotherkey".to_owned();
        record(&store, &ben, vec![copy.entry()]).await;
        let ben = reread(&store, &ben).await;
        let mut poll = poll(&ben, minutes(5));
        poll.refuses_training = Some(true);
        store.record_polls(&[poll]).await.unwrap();
        assert!(store.entry_refuses_training(&sample.new.key).await.unwrap());
        assert!(!store.member_refuses_training("ada").await.unwrap());
    }
}
