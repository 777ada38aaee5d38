//! Topics and hashtags as an index over the entries that readers see, and how many have each.

use std::collections::BTreeSet;

use model::{EntryDraft, TopicMatch};

use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::query::LabelCount;
use crate::rows::Fields;
use crate::sql::{Sql, statements};
use crate::{Store, StoreError};

/// Rows of one statement at most.
const ROWS: usize = 128;

const ADD: &str = "INSERT INTO entry_labels (kind, label, river_at, entry_id) ";
const REMOVE: &str =
    "DELETE FROM entry_labels WHERE kind = $1 AND label = $2 AND river_at = $3 AND entry_id = $4";

const COUNTS: &str =
    "SELECT c.label, CAST(SUM(c.entries) AS BIGINT) AS entries FROM entry_counts c WHERE c.kind = $1
    GROUP BY c.label ORDER BY 2 DESC, c.label LIMIT $2";

/// What kind of label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LabelKind {
    /// A topic's slug.
    Topic,
    /// A raw hashtag.
    Hashtag,
}

impl LabelKind {
    /// The word in the column.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Hashtag => "hashtag",
        }
    }
}

/// One label of one entry, with the entry's place in the river.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label {
    pub(crate) kind: LabelKind,
    pub(crate) name: String,
    pub(crate) river_at: i64,
    pub(crate) entry_id: i64,
}

/// The labels under which the entry is found at this place in the river.
pub(crate) fn labels_of(draft: &EntryDraft, river_at: i64, entry_id: i64) -> BTreeSet<Label> {
    of(&draft.topics, &draft.hashtags, river_at, entry_id)
}

/// The labels of an entry that has these.
pub(crate) fn of(
    topics: &[TopicMatch],
    hashtags: &[String],
    river_at: i64,
    entry_id: i64,
) -> BTreeSet<Label> {
    let topics = topics.iter().map(|topic| (LabelKind::Topic, &topic.slug));
    let hashtags = hashtags.iter().map(|tag| (LabelKind::Hashtag, tag));
    topics
        .chain(hashtags)
        .map(|(kind, name)| Label {
            kind,
            name: name.clone(),
            river_at,
            entry_id,
        })
        .collect()
}

/// Adds labels that are not there yet.
pub(crate) async fn add(transaction: &mut Transaction, labels: &[Label]) -> Result<(), StoreError> {
    for labels in statements(labels, ROWS) {
        let mut sql = Sql::new(ADD);
        sql.push_values(labels, |row, label| {
            row.push_bind(label.kind.as_str())
                .push_bind(&label.name)
                .push_bind(label.river_at)
                .push_bind(label.entry_id);
        });
        sql.execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Turns the labels that an entry `had` into those that it `has`; writes nothing where they are the same.
pub(crate) async fn replace(
    transaction: &mut Transaction,
    had: &BTreeSet<Label>,
    has: &BTreeSet<Label>,
    revision: &mut NextRevision,
) -> Result<(), StoreError> {
    for label in had.difference(has) {
        Sql::new(REMOVE)
            .bind(label.kind.as_str())
            .bind(&label.name)
            .bind(label.river_at)
            .bind(label.entry_id)
            .execute(&mut *transaction)
            .await?;
        revision.labels_left = true;
    }
    let added: Vec<Label> = has.difference(had).cloned().collect();
    add(transaction, &added).await
}

impl Store {
    /// Topics that shown entries have, the most frequent first.
    pub async fn topic_counts(&self) -> Result<Vec<LabelCount>, StoreError> {
        self.label_counts(LabelKind::Topic, u32::MAX).await
    }

    /// The `limit` most frequent hashtags of shown entries, the most frequent first.
    pub async fn hashtag_counts(&self, limit: u32) -> Result<Vec<LabelCount>, StoreError> {
        self.label_counts(LabelKind::Hashtag, limit).await
    }

    async fn label_counts(&self, kind: LabelKind, limit: u32) -> Result<Vec<LabelCount>, StoreError> {
        let rows = Sql::new(COUNTS)
            .bind(kind.as_str())
            .bind(i64::from(limit))
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("entry_counts", row);
                Ok(LabelCount {
                    label: fields.take()?,
                    entries: fields.number()?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, feed, minutes, record, record_at};

    #[tokio::test]
    async fn counts_what_is_shown() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(
            &store,
            &ada,
            vec![
                Sample::new("one")
                    .topic("data")
                    .topic("democracy")
                    .hashtag("localgov")
                    .entry(),
                Sample::new("two").at(minutes(-9)).topic("data").entry(),
                Sample::new("undated").undated().topic("theme").entry(),
                Sample::new("hidden").topic("hidden").hidden().entry(),
            ],
        )
        .await;
        let count = |label: &str, entries| LabelCount {
            label: label.to_owned(),
            entries,
        };
        let topics = store.topic_counts().await.unwrap();
        assert_eq!(
            topics,
            [count("data", 2), count("democracy", 1), count("theme", 1)]
        );
        assert_eq!(store.hashtag_counts(10).await.unwrap(), [count("localgov", 1)]);
        assert_eq!(store.hashtag_counts(0).await.unwrap(), []);
    }

    #[tokio::test]
    async fn follow_an_edit() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(
            &store,
            &ada,
            vec![Sample::new("one").topic("data").topic("gone").entry()],
        )
        .await;
        let id = store.known_entries(ada.id).await.unwrap()[0].id;
        let edited = Sample::new("one").topic("data").topic("new");
        record_at(
            &store,
            &ada,
            minutes(1),
            Vec::new(),
            vec![edited.clone().changed(id, false)],
        )
        .await;
        let labels = async || {
            let topics = store.topic_counts().await.unwrap();
            topics.into_iter().map(|count| count.label).collect::<Vec<_>>()
        };
        assert_eq!(labels().await, ["data", "new"]);
        record_at(
            &store,
            &ada,
            minutes(2),
            Vec::new(),
            vec![edited.clone().hidden().changed(id, false)],
        )
        .await;
        assert_eq!(labels().await, [""; 0]);
        record_at(
            &store,
            &ada,
            minutes(3),
            Vec::new(),
            vec![edited.changed(id, false)],
        )
        .await;
        assert_eq!(labels().await, ["data", "new"]);
    }
}
