//! What a blog that takes part with tagged posts alone (`include = "tagged"`) has left out: stored, shown to no reader,
//! and told to its member and to the moderators, so that no filter is silent.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use model::{Entry, Member};

use crate::rows::{self, Fields};
use crate::sql::Sql;
use crate::{Store, StoreError, entries};

macro_rules! left_out {
    () => {
        " FROM entries e CROSS JOIN feeds f CROSS JOIN members m
         WHERE f.id = e.feed_id AND m.id = e.member_id AND f.include = 'tagged'
            AND e.shown = FALSE AND e.duplicate_of IS NULL AND e.withdrawn_at IS NULL"
    };
}
const IS_LEFT_OUT: &str = concat!("SELECT e.id", left_out!(), " AND e.key = $1");
const LEFT_OUT: &str = concat!(
    "SELECT e.id, e.key, e.title, e.summary, e.link, e.published_at, e.arrived_at, f.slug,
        m.slug, m.name, m.organisation, m.url, m.kind",
    left_out!()
);
const COUNTS: &str = concat!(
    "SELECT m.slug, m.name, m.organisation, m.url, m.kind, COUNT(*) AS entries",
    left_out!(),
    " GROUP BY m.id, m.slug, m.name, m.organisation, m.url, m.kind ORDER BY entries DESC, m.slug"
);
const TAKEN_OFF: &str = "SELECT entry_id, topic FROM topic_decisions WHERE holds = FALSE AND entry_id IN ";

/// An entry that readers do not see, for it has neither a topic nor a hashtag of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// The entry's key; `voice entries topics KEY --set TOPIC` lets it in.
    pub key: String,
    /// Plain text.
    pub title: Option<String>,
    /// Plain text, at most 60 words: stands for the title of a post without one.
    pub summary: String,
    /// The original.
    pub url: Option<String>,
    /// The feed's date, or that of its arrival.
    pub published: DateTime<Utc>,
    /// When we first saw it.
    pub arrived: DateTime<Utc>,
    /// The slug of the feed that it came by.
    pub feed: String,
    /// Whose feed that is.
    pub member: Member,
    /// Topics that moderators took off it by hand, by slug.
    pub taken_off: Vec<String>,
}

impl LeftOut {
    /// Why readers do not see it, for its author and for moderators.
    pub fn why(&self) -> String {
        if self.taken_off.is_empty() {
            "None of the rules found a topic in it, and it carries no hashtag of the network.".to_owned()
        } else {
            format!(
                "A moderator took {} off it, and it carries no hashtag of the network.",
                self.taken_off.join(" and ")
            )
        }
    }
}

/// How much of a member was left out.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOutCount {
    /// The member.
    pub member: Member,
    /// How many of their entries readers do not see.
    pub entries: u32,
}

impl Store {
    /// What was left out of this member's blogs, or of all, the last published first.
    pub async fn left_out(&self, member: Option<&str>, limit: u32) -> Result<Vec<LeftOut>, StoreError> {
        let mut sql = Sql::new(LEFT_OUT);
        if let Some(member) = member {
            sql.push(" AND e.member_id = (SELECT o.id FROM members o WHERE o.slug = ")
                .push_bind(member)
                .push(")");
        }
        sql.push(" ORDER BY e.published_at DESC, e.id DESC LIMIT ")
            .push_bind(limit);
        let rows = sql.fetch_all(self.readers()).await?;
        let mut found: Vec<(i64, LeftOut)> = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut fields = Fields::of("entries", row);
            let id = fields.take()?;
            let left_out = LeftOut {
                key: fields.take()?,
                title: fields.take()?,
                summary: fields.take()?,
                url: fields.take()?,
                published: fields.at()?,
                arrived: fields.at()?,
                feed: fields.take()?,
                member: fields.member()?,
                taken_off: Vec::new(),
            };
            found.push((id, left_out));
        }
        let mut taken_off = self.taken_off(found.iter().map(|(id, _)| *id)).await?;
        let complete = |(id, left_out): (i64, LeftOut)| LeftOut {
            taken_off: taken_off.remove(&id).unwrap_or_default(),
            ..left_out
        };
        Ok(found.into_iter().map(complete).collect())
    }

    /// The entry with this key, if it was left out.
    pub async fn left_out_entry(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        if Sql::new(IS_LEFT_OUT)
            .bind(key)
            .fetch_optional(self.readers())
            .await?
            .is_none()
        {
            return Ok(None);
        }
        let row = Sql::new(entries::BY_KEY)
            .bind(key)
            .fetch_one(self.readers())
            .await?;
        let complete = entries::complete(self.readers(), vec![rows::entry(&row)?]).await?;
        Ok(complete.into_iter().next())
    }

    /// How many entries of each member were left out, the most first; members without any are not named.
    pub async fn left_out_counts(&self) -> Result<Vec<LeftOutCount>, StoreError> {
        let rows = Sql::new(COUNTS).fetch_all(self.readers()).await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("members", row);
                Ok(LeftOutCount {
                    member: fields.member()?,
                    entries: fields.number()?,
                })
            })
            .collect()
    }

    /// The topics that moderators took off these entries.
    async fn taken_off(
        &self,
        entries: impl ExactSizeIterator<Item = i64>,
    ) -> Result<HashMap<i64, Vec<String>>, StoreError> {
        let mut taken_off: HashMap<i64, Vec<String>> = HashMap::new();
        if entries.len() == 0 {
            return Ok(taken_off);
        }
        let mut sql = Sql::new(TAKEN_OFF);
        sql.push_list(entries).push(" ORDER BY entry_id, topic");
        for row in sql.fetch_all(self.readers()).await? {
            let mut fields = Fields::of("topic_decisions", &row);
            taken_off.entry(fields.take()?).or_default().push(fields.take()?);
        }
        Ok(taken_off)
    }
}

#[cfg(test)]
mod tests {
    use model::{FeedSpec, IncludeChoice};

    use super::*;
    use crate::testing::{self, Sample, TestStore, feed, minutes, plan, record, withdraw};
    use crate::topics::{Retagged, TopicDecision};

    /// A store with one mixed blog and one that takes part with everything.
    async fn filled() -> TestStore {
        let store = testing::store().await;
        let mixed = FeedSpec {
            include: Some(IncludeChoice::Tagged),
            ..testing::spec("https://ben.example.org/feed", "Ben")
        };
        store
            .import_feeds(&[mixed], minutes(0), chrono_tz::UTC)
            .await
            .unwrap();
        let ben = store.feeds().await.unwrap().pop().unwrap();
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(&store, &ada, vec![Sample::new("shown").topic("data").entry()]).await;
        record(
            &store,
            &ben,
            vec![
                Sample::new("cake").at(minutes(-5)).hidden().entry(),
                Sample::new("data").topic("data").entry(),
                Sample::new("tea").at(minutes(-1)).hidden().entry(),
            ],
        )
        .await;
        store
    }

    fn keys(left_out: &[LeftOut]) -> Vec<&str> {
        left_out.iter().map(|one| one.key.trim_end_matches('x')).collect()
    }

    #[tokio::test]
    async fn is_counted_and_listed_by_member() {
        let store = filled().await;
        let ben = store.left_out(Some("ben"), 10).await.unwrap();
        assert_eq!(keys(&ben), ["tea", "cake"]);
        assert_eq!((ben[0].feed.as_str(), ben[0].published), ("ben", minutes(-1)));
        assert_eq!(ben[0].url.as_deref(), Some("https://example.org/tea"));
        assert!(ben[0].why().starts_with("None of the rules"));
        assert_eq!(keys(&store.left_out(None, 1).await.unwrap()), ["tea"]);
        assert_eq!(store.left_out(Some("ada"), 10).await.unwrap(), []);
        let counts = store.left_out_counts().await.unwrap();
        assert_eq!(
            counts
                .iter()
                .map(|count| (count.member.slug.as_str(), count.entries))
                .collect::<Vec<_>>(),
            [("ben", 2)]
        );
        let tea = store.left_out_entry(&ben[0].key).await.unwrap().unwrap();
        assert_eq!(
            (tea.key.as_str(), tea.member.slug.as_str()),
            (ben[0].key.as_str(), "ben")
        );
        for shown in ["shown", "data"] {
            let key = Sample::new(shown).new.key;
            assert_eq!(store.left_out_entry(&key).await.unwrap(), None);
        }
        withdraw(&store, "tea").await;
        assert_eq!(store.left_out_entry(&tea.key).await.unwrap(), None);
        assert_eq!(keys(&store.left_out(Some("ben"), 10).await.unwrap()), ["cake"]);
    }

    #[tokio::test]
    async fn says_what_a_moderator_took_off() {
        let store = filled().await;
        let key = Sample::new("data").new.key;
        let none = |_: &_, _: &_| Retagged {
            topics: Vec::new(),
            shown: false,
        };
        let decision = [("data".to_owned(), TopicDecision::Holds(false))];
        store
            .decide_topics(&key, &decision, testing::by_mo(minutes(1)), &none)
            .await
            .unwrap();
        let left_out = store.left_out(Some("ben"), 1).await.unwrap();
        assert_eq!(keys(&left_out), ["data"]);
        assert_eq!(left_out[0].taken_off, ["data"]);
        assert!(left_out[0].why().starts_with("A moderator took data off it"));
    }

    #[tokio::test]
    async fn is_found_by_an_index() {
        let store = testing::sqlite().await;
        let plan = plan(&store, format!("{LEFT_OUT} AND e.member_id = 1")).await;
        assert!(plan.contains("INDEX entries_left_out"), "{plan}");
    }
}
