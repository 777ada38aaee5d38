//! What a topic's page tells beside its entries: who writes about it, and how much when.

use chrono::{DateTime, Utc};

use crate::labels::LabelKind;
use crate::rows::{Fields, instant, millis};
use crate::sql::Sql;
use crate::{Store, StoreError};

/// Undated back catalogue stands below this in the river, everything dated above.
const FIRST_DATE: i64 = -100_000_000_000_000;

/// The newest entries are enough to tell by whom they are, and cost the same in every archive.
const WRITERS: &str = "SELECT m.slug, m.name, COUNT(*) AS entries
    FROM (SELECT l.entry_id FROM entry_labels l WHERE l.kind = $1 AND l.label = $2
          ORDER BY l.river_at DESC, l.entry_id DESC LIMIT 1000) p
        CROSS JOIN entries e CROSS JOIN members m
    WHERE e.id = p.entry_id AND m.id = e.member_id
    GROUP BY m.id, m.slug, m.name ORDER BY entries DESC, m.name, m.slug";

const FIRST: &str =
    "SELECT MIN(l.river_at) FROM entry_labels l WHERE l.kind = $1 AND l.label = $2 AND l.river_at > $3";

/// Somebody who writes about a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The member's slug.
    pub slug: String,
    /// Their name.
    pub name: String,
    /// How many of the topic's newest thousand entries are theirs.
    pub entries: u32,
}

impl Store {
    /// Who wrote the newest thousand entries of this topic, the most first.
    pub async fn topic_writers(&self, topic: &str) -> Result<Vec<Writer>, StoreError> {
        let rows = Sql::new(WRITERS)
            .bind(LabelKind::Topic.as_str())
            .bind(topic)
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("members", row);
                Ok(Writer {
                    slug: fields.take()?,
                    name: fields.take()?,
                    entries: fields.number()?,
                })
            })
            .collect()
    }

    /// When the first entry of this topic was released; what has no date is left aside.
    pub async fn topic_since(&self, topic: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row = Sql::new(FIRST)
            .bind(LabelKind::Topic.as_str())
            .bind(topic)
            .bind(FIRST_DATE)
            .fetch_one(self.readers())
            .await?;
        Fields::of("entry_labels", &row).read_optional(instant)
    }

    /// How many entries of this topic were released between each two neighbours of `edges`, which ascend: one number less
    /// than there are edges.
    pub async fn topic_over_time(
        &self,
        topic: &str,
        edges: &[DateTime<Utc>],
    ) -> Result<Vec<u32>, StoreError> {
        let mut sql = Sql::new("");
        for (number, edges) in (0_u32..).zip(edges.windows(2)) {
            if number > 0 {
                sql.push(" UNION ALL ");
            }
            sql.push(format_args!(
                "SELECT CAST({number} AS BIGINT) AS number, COUNT(*) FROM entry_labels l WHERE l.kind = "
            ))
            .push_bind(LabelKind::Topic.as_str())
            .push(" AND l.label = ")
            .push_bind(topic)
            .push(" AND l.river_at >= ")
            .push_bind(millis(edges[0]))
            .push(" AND l.river_at < ")
            .push_bind(millis(edges[1]));
        }
        if edges.len() < 2 {
            return Ok(Vec::new());
        }
        sql.push(" ORDER BY number");
        let rows = sql.fetch_all(self.readers()).await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("entry_labels", row);
                fields.number::<u32>()?;
                fields.number()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, at, feed, minutes, plan, record};

    #[tokio::test]
    async fn who_writes_about_it_and_when() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        let on = |name: &str| Sample::new(name).topic("data");
        record(
            &store,
            &ada,
            vec![
                on("one").entry(),
                on("two").at(minutes(-60)).entry(),
                on("undated").undated().entry(),
                Sample::new("other").topic("tea").entry(),
            ],
        )
        .await;
        record(
            &store,
            &ben,
            vec![
                on("three").at(at("1969-07-20T20:17:00Z")).entry(),
                on("hidden").hidden().entry(),
            ],
        )
        .await;
        let writers = store.topic_writers("data").await.unwrap();
        let told: Vec<_> = writers
            .iter()
            .map(|writer| (writer.slug.as_str(), writer.entries))
            .collect();
        assert_eq!(told, [("ada", 3), ("ben", 1)]);
        assert_eq!(
            store.topic_since("data").await.unwrap(),
            Some(at("1969-07-20T20:17:00Z"))
        );
        assert_eq!(store.topic_since("nothing").await.unwrap(), None);
        let edges = [
            at("1969-01-01T00:00:00Z"),
            at("1970-01-01T00:00:00Z"),
            minutes(-60),
            minutes(1),
        ];
        assert_eq!(store.topic_over_time("data", &edges).await.unwrap(), [1, 0, 2]);
        assert_eq!(store.topic_over_time("data", &edges[..1]).await.unwrap(), [0; 0]);
    }

    #[tokio::test]
    async fn time_is_counted_in_the_index_alone() {
        let store = testing::sqlite().await;
        let plan = plan(
            &store,
            FIRST
                .replace("$1", "'topic'")
                .replace("$2", "'data'")
                .replace("$3", "0"),
        )
        .await;
        assert!(plan.contains("SEARCH l USING PRIMARY KEY"), "{plan}");
    }
}
