//! What the hub is still to be told: which parts of the site changed since it was told last, and the feeds that it has
//! not taken note of yet. Kept here so that nothing is lost between two runs, and so that of several fetchers one
//! tells it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::TopicMatch;

use crate::rows::{Fields, instant, millis};
use crate::sql::{Sql, statements};
use crate::{Store, StoreError};

/// Rows of one statement, and entries looked at at once, at most.
const ROWS: usize = 128;
const ENTRIES: i64 = 500;

const TOLD: &str = "SELECT hub_told_at FROM site_state";
const TELL: &str = "UPDATE site_state SET hub_told_at = $1 WHERE hub_told_at IS NULL OR hub_told_at < $1";

const LABELS_LEFT: &str = "SELECT COALESCE(labels_left_at > $1, FALSE) FROM site_state";
const TOUCHED: &str = "SELECT e.changed_at, e.id, m.slug, e.topics, e.hashtags
    FROM entries e CROSS JOIN members m
    WHERE m.id = e.member_id AND e.arrival IS NOT NULL AND (e.changed_at, e.id) > ($1, $2)
    ORDER BY e.changed_at, e.id LIMIT $3";

const ISSUES: &str = "SELECT EXISTS (SELECT 1 FROM issue_revisions WHERE made_at > $1)";

const QUEUE: &str = "INSERT INTO hub_pings (feed_url, changed_at, due_at, failures) ";
/// A feed that changes again while the hub does not answer is not told sooner for it.
const QUEUE_ONCE: &str = " ON CONFLICT (feed_url) DO UPDATE SET changed_at = excluded.changed_at";

const TAKE: &str = "UPDATE hub_pings SET due_at = $2 WHERE feed_url IN
        (SELECT p.feed_url FROM hub_pings p WHERE p.due_at <= $1 ORDER BY p.due_at, p.feed_url LIMIT $3)
    RETURNING feed_url, changed_at, failures";
const DONE: &str = "DELETE FROM hub_pings WHERE feed_url = $1 AND changed_at = $2";
const AGAIN: &str = "UPDATE hub_pings SET due_at = $2, failures = $3 WHERE feed_url = $1";

/// The parts of the site that changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touched {
    /// Members, by slug.
    pub members: BTreeSet<String>,
    /// Topics, by slug.
    pub topics: BTreeSet<String>,
    /// Raw hashtags.
    pub hashtags: BTreeSet<String>,
    /// Whether an entry left a topic or a hashtag, be it with all its words: nobody knows any more which.
    pub labels_left: bool,
    /// Whether an issue of the digest was closed or revised.
    pub issues: bool,
}

/// A feed of which the hub is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// The feed's address.
    pub feed_url: String,
    /// How often the hub did not take note.
    pub failures: u32,
    changed_at: i64,
}

impl Store {
    /// What changed up to and with the present revision since the hub was told, and when that revision was made;
    /// `None` if nothing did. The first time it only notes where the site stands.
    pub async fn touched(&self) -> Result<Option<(Touched, DateTime<Utc>)>, StoreError> {
        let now = self.revision().await?.changed_at;
        let told: Option<i64> = Sql::new(TOLD).fetch_value("site_state", self.readers()).await?;
        let Some(told) = told else {
            self.queue_pings(&BTreeSet::new(), now, now).await?;
            return Ok(None);
        };
        if told >= millis(now) {
            return Ok(None);
        }
        let mut touched = Touched {
            issues: Sql::new(ISSUES)
                .bind(told)
                .fetch_value("issue_revisions", self.readers())
                .await?,
            labels_left: Sql::new(LABELS_LEFT)
                .bind(told)
                .fetch_value("site_state", self.readers())
                .await?,
            ..Touched::default()
        };
        let mut after = (told, i64::MAX);
        loop {
            let rows = Sql::new(TOUCHED)
                .bind(after.0)
                .bind(after.1)
                .bind(ENTRIES)
                .fetch_all(self.readers())
                .await?;
            for row in &rows {
                let mut fields = Fields::of("entries", row);
                after = (fields.take()?, fields.take()?);
                touched.members.insert(fields.take()?);
                let topics: Vec<TopicMatch> = fields.json()?;
                touched.topics.extend(topics.into_iter().map(|topic| topic.slug));
                touched.hashtags.extend(fields.json::<Vec<String>>()?);
            }
            if rows.len() < ENTRIES as usize {
                return Ok(Some((touched, now)));
            }
        }
    }

    /// Notes that the hub is to be told of these feeds, and that with them it knows of all up to `changed`.
    pub async fn queue_pings(
        &self,
        feeds: &BTreeSet<String>,
        changed: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let feeds: Vec<&String> = feeds.iter().collect();
        for feeds in statements(&feeds, ROWS) {
            let mut sql = Sql::new(QUEUE);
            sql.push_values(feeds, |row, feed| {
                row.push_bind(*feed)
                    .push_bind(millis(changed))
                    .push_bind(millis(now))
                    .push_bind(0_i64);
            });
            sql.push(QUEUE_ONCE);
            sql.execute(&mut transaction).await?;
        }
        Sql::new(TELL)
            .bind(millis(changed))
            .execute(&mut transaction)
            .await?;
        transaction.commit().await
    }

    /// Up to `limit` feeds of which the hub is to be told now. Nobody else is given them before `until`.
    pub async fn take_pings(
        &self,
        limit: u32,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Ping>, StoreError> {
        const DUE: &str = "SELECT MIN(due_at) FROM hub_pings";
        // A look costs no write.
        let due: Option<i64> = Sql::new(DUE).fetch_value("hub_pings", self.readers()).await?;
        if due.and_then(instant).is_none_or(|due| due > now) {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin().await?;
        let rows = Sql::new(TAKE)
            .bind(millis(now))
            .bind(millis(until))
            .bind(limit)
            .fetch_all(&mut transaction)
            .await?;
        transaction.commit().await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("hub_pings", row);
                Ok(Ping {
                    feed_url: fields.take()?,
                    changed_at: fields.take()?,
                    failures: fields.number()?,
                })
            })
            .collect()
    }

    /// Notes what came of telling the hub: it took note, or it is to be told again at an instant. A feed that has
    /// changed since is told again at once.
    pub async fn settle_pings(
        &self,
        told: &[(Ping, Option<DateTime<Utc>>)],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for (ping, again) in told {
            let (due, failures) = if let Some(at) = again {
                (*at, ping.failures + 1)
            } else {
                Sql::new(DONE)
                    .bind(&ping.feed_url)
                    .bind(ping.changed_at)
                    .execute(&mut transaction)
                    .await?;
                (now, 0)
            };
            Sql::new(AGAIN)
                .bind(&ping.feed_url)
                .bind(millis(due))
                .bind(failures)
                .execute(&mut transaction)
                .await?;
        }
        transaction.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, feed, minutes, now, plan, record, record_at};

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[tokio::test]
    async fn what_changed_is_told_once() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(&store, &ada, vec![Sample::new("before").topic("data").entry()]).await;
        assert_eq!(store.touched().await.unwrap(), None);
        assert_eq!(store.touched().await.unwrap(), None);

        let entry = Sample::new("one").topic("data").hashtag("localgov").entry();
        record_at(&store, &ada, minutes(1), vec![entry], Vec::new()).await;
        let (touched, changed) = store.touched().await.unwrap().unwrap();
        let expected = Touched {
            members: set(&["ada"]),
            topics: set(&["data"]),
            hashtags: set(&["localgov"]),
            labels_left: false,
            issues: false,
        };
        assert_eq!((&touched, changed), (&expected, minutes(1)));
        store.queue_pings(&set(&["/feed"]), changed, now()).await.unwrap();
        assert_eq!(store.touched().await.unwrap(), None);

        testing::withdraw(&store, "one").await;
        let next = Sample::new("two").entry();
        record_at(&store, &ada, minutes(31), vec![next], Vec::new()).await;
        let (touched, _) = store.touched().await.unwrap().unwrap();
        assert!(touched.members.contains("ada") && touched.labels_left);

        let id = testing::id_of(&store, &ada, "two").await;
        for (minute, sample, left) in [
            (32, Sample::new("two").topic("data"), false),
            (33, Sample::new("two"), true),
        ] {
            store
                .queue_pings(&set(&[]), minutes(minute - 1), now())
                .await
                .unwrap();
            let changed = vec![sample.changed(id, false)];
            record_at(&store, &ada, minutes(minute), Vec::new(), changed).await;
            let (touched, _) = store.touched().await.unwrap().unwrap();
            assert_eq!(touched.labels_left, left);
        }
    }

    #[tokio::test]
    async fn one_of_several_tells_until_the_hub_takes_note() {
        let store = testing::store().await;
        store
            .queue_pings(&set(&["a", "b"]), minutes(1), minutes(1))
            .await
            .unwrap();
        let take = async |at| store.take_pings(9, minutes(at), minutes(at + 1)).await.unwrap();
        assert_eq!(take(0).await, []);
        let taken = take(1).await;
        assert_eq!(
            taken
                .iter()
                .map(|ping| ping.feed_url.as_str())
                .collect::<BTreeSet<_>>(),
            ["a", "b"].into()
        );
        assert_eq!(take(1).await, []);
        let (a, b): (Vec<_>, Vec<_>) = taken.into_iter().partition(|ping| ping.feed_url == "a");
        // While the hub was told of "a" it changed again; of "b" the hub would not hear.
        store
            .queue_pings(&set(&["a"]), minutes(2), minutes(2))
            .await
            .unwrap();
        let told = [(a[0].clone(), None), (b[0].clone(), Some(minutes(9)))];
        store.settle_pings(&told, minutes(3)).await.unwrap();
        let again = take(3).await;
        assert_eq!(
            (again.len(), again[0].feed_url.as_str(), again[0].failures),
            (1, "a", 0)
        );
        store
            .settle_pings(&[(again[0].clone(), None)], minutes(4))
            .await
            .unwrap();
        let late = take(9).await;
        assert_eq!(
            (late.len(), late[0].feed_url.as_str(), late[0].failures),
            (1, "b", 1)
        );
        store
            .settle_pings(&[(late[0].clone(), None)], minutes(9))
            .await
            .unwrap();
        assert_eq!(take(99).await, []);
    }

    #[tokio::test]
    async fn a_look_walks_the_order_of_change() {
        let store = testing::sqlite().await;
        let plan = plan(&store, TOUCHED.to_owned()).await;
        assert!(
            plan.starts_with("SEARCH e USING INDEX entries_changed") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    }
}
