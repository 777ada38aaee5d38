//! What a topic's page tells beside its entries: who writes about it, and how much when.

use chrono::NaiveDate;

use crate::labels::LabelKind;
use crate::rows::Fields;
use crate::sql::Sql;
use crate::{Store, StoreError};

/// The newest entries are enough to tell by whom they are, and cost the same in every archive.
const WRITERS: &str = "SELECT m.slug, m.name, COUNT(*) AS entries
    FROM (SELECT l.entry_id FROM entry_labels l WHERE l.kind = $1 AND l.label = $2
          ORDER BY l.river_at DESC, l.entry_id DESC LIMIT 1000) p
        CROSS JOIN entries e CROSS JOIN members m
    WHERE e.id = p.entry_id AND m.id = e.member_id
    GROUP BY m.id, m.slug, m.name ORDER BY entries DESC, m.name, m.slug";

const MONTHS: &str = "SELECT c.month, c.entries FROM entry_counts c
    WHERE c.kind = $1 AND c.label = $2 AND c.month > 0 ORDER BY c.month";

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

    /// How many entries of this topic were released in which month (UTC, by its first day), oldest first; months without
    /// one and undated back catalogue are left out.
    pub async fn topic_months(&self, topic: &str) -> Result<Vec<(NaiveDate, u32)>, StoreError> {
        let rows = Sql::new(MONTHS)
            .bind(LabelKind::Topic.as_str())
            .bind(topic)
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("entry_counts", row);
                Ok((fields.read(first_day)?, fields.number()?))
            })
            .collect()
    }
}

/// The first day of a month like 202611.
fn first_day(month: i64) -> Option<NaiveDate> {
    let year = i32::try_from(month / 100).ok()?;
    NaiveDate::from_ymd_opt(year, u32::try_from(month % 100).ok()?, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, at, feed, minutes, record};

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
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(
            store.topic_months("data").await.unwrap(),
            [(day("1969-07-01"), 1), (day("2026-11-01"), 2)]
        );
        assert_eq!(store.topic_months("nothing").await.unwrap(), []);
    }
}
