//! Members with their feeds and how much of theirs is shown.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use model::Feed;

use crate::entries::undated_river_at;
use crate::query::MemberDetail;
use crate::rows::{self, Fields, feed_columns, millis};
use crate::sql::Sql;
use crate::{Store, StoreError};

/// No entry is read but of a member who has nothing but undated back catalogue: its place is not when it was released.
macro_rules! member_columns {
    () => {
        concat!(
            "SELECT m.slug, m.name, m.organisation, m.url, m.kind, m.verified_at,
            COALESCE((SELECT c.entries FROM entry_counts c
                      WHERE c.kind = 'member' AND c.label = CAST(m.id AS TEXT) AND c.month = 0), 0) AS entries,
            (SELECT CASE WHEN n.river_at > ",
            undated_river_at!(),
            " THEN n.river_at
                ELSE (SELECT e.released_at FROM entries e WHERE e.member_id = m.id AND e.shown = TRUE
                      ORDER BY e.river_at DESC, e.id DESC LIMIT 1) END
             FROM member_newest n WHERE n.member_id = m.id) AS newest_at
         FROM members m WHERE EXISTS (SELECT 1 FROM feeds f WHERE f.member_id = m.id
            AND f.status NOT IN ('pending', 'rejected') AND f.withdrawn_at IS NULL)"
        )
    };
}

const MEMBERS: &str = member_columns!();
const MEMBER: &str = concat!(member_columns!(), " AND m.slug = $1");
const FEEDS_OF_MEMBER: &str = concat!(
    "SELECT ",
    feed_columns!(),
    " FROM members m JOIN feeds f ON f.member_id = m.id WHERE m.slug = $1
     AND f.status NOT IN ('pending', 'rejected') AND f.withdrawn_at IS NULL ORDER BY f.id"
);

const LAST_PUBLISHED: &str = "SELECT l.slug, l.published_at FROM (
        SELECT m.id, m.slug, (SELECT MAX(e.published_at) FROM entries e
            WHERE e.member_id = m.id AND e.shown = TRUE AND e.published_at < $1) AS published_at
        FROM members m) l
    WHERE l.published_at IS NOT NULL ORDER BY l.id";

const WITH_TOPIC: &str = "SELECT m.slug FROM member_counts c CROSS JOIN members m
    WHERE c.kind = 'topic' AND c.label = $1 AND m.id = c.member_id";

impl Store {
    /// The slugs of the members who have an entry with this topic.
    pub async fn members_with_topic(&self, topic: &str) -> Result<BTreeSet<String>, StoreError> {
        let rows = Sql::new(WITH_TOPIC).bind(topic).fetch_all(self.readers()).await?;
        rows.iter().map(|row| Fields::of("members", row).take()).collect()
    }

    /// Every member who has or had a feed here, by name. Who waits for approval is not among them.
    pub async fn members(&self) -> Result<Vec<MemberDetail>, StoreError> {
        let mut feeds: HashMap<String, Vec<Feed>> = HashMap::new();
        let public = self
            .feeds()
            .await?
            .into_iter()
            .filter(|feed| feed.status.is_public());
        for feed in public {
            feeds.entry(feed.member.slug.clone()).or_default().push(feed);
        }
        let rows = Sql::new(MEMBERS).fetch_all(self.readers()).await?;
        let mut members = rows.iter().map(detail).collect::<Result<Vec<_>, _>>()?;
        for detail in &mut members {
            detail.feeds = feeds.remove(&detail.member.slug).unwrap_or_default();
        }
        members.sort_by_cached_key(|detail| (detail.member.name.to_lowercase(), detail.member.slug.clone()));
        Ok(members)
    }

    /// The member of this slug.
    pub async fn member(&self, slug: &str) -> Result<Option<MemberDetail>, StoreError> {
        let Some(row) = Sql::new(MEMBER).bind(slug).fetch_optional(self.readers()).await? else {
            return Ok(None);
        };
        let feeds = Sql::new(FEEDS_OF_MEMBER)
            .bind(slug)
            .fetch_all(self.readers())
            .await?;
        let feeds = feeds.iter().map(rows::feed).collect::<Result<_, _>>()?;
        Ok(Some(MemberDetail {
            feeds,
            ..detail(&row)?
        }))
    }

    /// When each member that had published anything before `start` last did: the slug, and the published date of
    /// the newest such entry that is shown.
    pub async fn last_published_before(
        &self,
        start: DateTime<Utc>,
    ) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
        let rows = Sql::new(LAST_PUBLISHED)
            .bind(millis(start))
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("entries", row);
                Ok((fields.take()?, fields.at()?))
            })
            .collect()
    }
}

fn detail(row: &crate::sql::Row) -> Result<MemberDetail, StoreError> {
    let mut fields = Fields::of("members", row);
    Ok(MemberDetail {
        member: fields.member()?,
        verified_at: fields.at_optional()?,
        feeds: Vec::new(),
        entries: fields.number()?,
        newest: fields.at_optional()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, feed, minutes, now, plan, record};

    #[tokio::test]
    async fn stand_by_name_with_feeds_and_entries() {
        let store = testing::store().await;
        let ben = feed(&store, "https://ben.example.org/feed", "ben").await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let further = model::FeedSpec {
            member: Some("ada".to_owned()),
            name: None,
            ..testing::spec("https://notes.example.org/feed", "")
        };
        store
            .import_feeds(&[further], now(), chrono_tz::UTC)
            .await
            .unwrap();
        record(
            &store,
            &ada,
            vec![
                Sample::new("one").at(minutes(-1)).entry(),
                Sample::new("two").at(minutes(-9)).topic("data").entry(),
                Sample::new("hidden").topic("skills").hidden().entry(),
            ],
        )
        .await;
        record(
            &store,
            &ben,
            vec![Sample::new("undated").at(minutes(-3)).undated().entry()],
        )
        .await;
        let members = store.members().await.unwrap();
        let names: Vec<&str> = members.iter().map(|detail| detail.member.name.as_str()).collect();
        assert_eq!(names, ["Ada", "ben"]);
        assert_eq!((members[0].entries, members[0].newest), (2, Some(minutes(-1))));
        assert_eq!((members[1].entries, members[1].newest), (1, Some(minutes(-3))));
        let slugs: Vec<&str> = members[0].feeds.iter().map(|feed| feed.slug.as_str()).collect();
        assert_eq!(slugs, ["ada", "ada-2"]);
        assert_eq!(members[1].feeds[0].id, ben.id);

        assert_eq!(store.member("ada").await.unwrap().as_ref(), Some(&members[0]));
        assert_eq!(store.member("ada-2").await.unwrap(), None);

        testing::recounted(&store).await;
        let writers = store.members_with_topic("data").await.unwrap();
        assert_eq!(writers, ["ada".to_owned()].into());
        assert!(store.members_with_topic("skills").await.unwrap().is_empty());

        let before = store.last_published_before(minutes(-1)).await.unwrap();
        assert_eq!(
            before,
            [("ben".to_owned(), minutes(-3)), ("ada".to_owned(), minutes(-9))]
        );
        assert_eq!(store.last_published_before(minutes(-9)).await.unwrap(), []);
    }

    #[tokio::test]
    async fn are_not_counted_one_by_one() {
        let store = testing::sqlite().await;
        for (sql, index) in [
            (MEMBERS, "entries_of_member (member_id=?)"),
            (MEMBER, "entries_of_member (member_id=?)"),
            (
                LAST_PUBLISHED,
                "entries_of_member_published (member_id=? AND published_at<?)",
            ),
            (WITH_TOPIC, "SEARCH c USING PRIMARY KEY (kind=? AND label=?)"),
        ] {
            let plan = plan(&store, sql.to_owned()).await;
            assert!(!plan.contains("SCAN e") && plan.contains(index), "{sql}\n{plan}");
        }
    }

    #[tokio::test]
    async fn counts_follow_what_is_shown() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let on = |name: &str| Sample::new(name).topic("data").hashtag("ukgc26");
        record(&store, &ada, vec![on("one").entry(), on("two").entry()]).await;
        let counts = async || {
            let entries = store.member("ada").await.unwrap().unwrap().entries;
            assert_eq!(store.members().await.unwrap()[0].newest.is_some(), entries > 0);
            let of = |counts: Vec<crate::LabelCount>| counts.iter().map(|count| count.entries).sum::<u32>();
            let topics = of(store.topic_counts().await.unwrap());
            testing::recounted(&store).await;
            (entries, topics, of(store.hashtag_counts(9).await.unwrap()))
        };
        assert_eq!(counts().await, (2, 2, 2));
        let id = testing::id_of(&store, &ada, "one").await;
        let hidden = on("one").hidden().changed(id, true);
        testing::record_at(&store, &ada, minutes(1), Vec::new(), vec![hidden]).await;
        assert_eq!(counts().await, (1, 1, 1));
        let back = on("one").topic("skills").changed(id, true);
        testing::record_at(&store, &ada, minutes(2), Vec::new(), vec![back]).await;
        assert_eq!(counts().await, (2, 3, 2));
        testing::withdraw(&store, "one").await;
        testing::withdraw(&store, "two").await;
        assert_eq!(counts().await, (0, 0, 0));
        assert!(store.topic_months("data").await.unwrap().is_empty());
        assert!(store.members_with_topic("data").await.unwrap().is_empty());
        // What left has been here.
        assert_eq!(store.arrivals(Some("ada")).await.unwrap(), 2);
    }
}
