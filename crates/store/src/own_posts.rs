//! Everything that the Voice holds of a member's posts, for that member: each with what became of it.

use chrono::{DateTime, Utc};
use model::TopicMatch;

use crate::rows::Fields;
use crate::sql::{Row, Sql};
use crate::tombstones::Cause;
use crate::{Store, StoreError};

macro_rules! own_posts {
    () => {
        "SELECT e.key, e.title, e.summary, e.link, e.topics, e.hashtags, e.published_at, e.arrived_at, e.released_at,
            e.shown, e.withdrawn_at, e.withdrawn_by, e.withdrawn_why, o.key, p.name, f.url, e.words
         FROM entries e CROSS JOIN members m CROSS JOIN feeds f
            LEFT JOIN entries o ON o.id = e.duplicate_of LEFT JOIN members p ON p.id = o.member_id
         WHERE m.id = e.member_id AND f.id = e.feed_id AND m.slug = $1"
    };
}
const OWN_POSTS: &str = concat!(
    own_posts!(),
    " ORDER BY e.river_at DESC, e.id DESC LIMIT $2 OFFSET $3"
);
const OWN_POST: &str = concat!(own_posts!(), " AND e.key = $2");
const COUNT: &str = "SELECT COUNT(*) FROM entries e JOIN members m ON m.id = e.member_id WHERE m.slug = $1";

const LINKS: &str =
    "SELECT COUNT(*) FROM manage_links l JOIN members m ON m.id = l.member_id WHERE m.slug = $1";

/// What became of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Readers see it since then.
    Shown(DateTime<Utc>),
    /// It tells the same story as another, which stands for both: that one's key and member.
    SameStory(String, String),
    /// Only tagged posts are taken, and it has neither a topic nor a hashtag of the network.
    LeftOut,
    /// It is gone, with its text, since then, for this cause and reason.
    Withdrawn(DateTime<Utc>, Option<Cause>, Option<String>),
}

/// A post of a member's.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnPost {
    /// Its key.
    pub key: String,
    /// Plain text.
    pub title: Option<String>,
    /// Plain text; stands for the title of a post without one.
    pub summary: String,
    /// The original.
    pub link: Option<String>,
    /// Its topics.
    pub topics: Vec<TopicMatch>,
    /// Its hashtags.
    pub hashtags: Vec<String>,
    /// The feed's date, or that of its arrival.
    pub published: DateTime<Utc>,
    /// When we first saw it.
    pub arrived: DateTime<Utc>,
    /// What became of it.
    pub verdict: Verdict,
    /// The address of the feed that it came by.
    pub feed: String,
    /// Words in the text.
    pub words: u32,
}

impl Store {
    /// The posts of this member, whatever became of them, the newest first, `skip` of them left out.
    pub async fn own_posts(&self, member: &str, limit: u32, skip: u32) -> Result<Vec<OwnPost>, StoreError> {
        let rows = Sql::new(OWN_POSTS)
            .bind(member)
            .bind(limit)
            .bind(skip)
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(own_post).collect()
    }

    /// How many there are.
    pub async fn count_own_posts(&self, member: &str) -> Result<u64, StoreError> {
        let count: i64 = Sql::new(COUNT)
            .bind(member)
            .fetch_value("entries", self.readers())
            .await?;
        Ok(count as u64)
    }

    /// The post with this key, if it is this member's.
    pub async fn own_post(&self, member: &str, key: &str) -> Result<Option<OwnPost>, StoreError> {
        let row = Sql::new(OWN_POST)
            .bind(member)
            .bind(key)
            .fetch_optional(self.readers())
            .await?;
        row.as_ref().map(own_post).transpose()
    }

    /// How many links open this member's own page.
    pub async fn count_links(&self, member: &str) -> Result<u64, StoreError> {
        let count: i64 = Sql::new(LINKS)
            .bind(member)
            .fetch_value("manage_links", self.readers())
            .await?;
        Ok(count as u64)
    }
}

fn own_post(row: &Row) -> Result<OwnPost, StoreError> {
    let mut fields = Fields::of("entries", row);
    let key = fields.take()?;
    let title = fields.take()?;
    let summary = fields.take()?;
    let link = fields.take()?;
    let topics = fields.json()?;
    let hashtags = fields.json()?;
    let published = fields.at()?;
    let arrived = fields.at()?;
    let released = fields.at()?;
    let shown: bool = fields.take()?;
    let withdrawn = fields.at_optional()?;
    let cause = fields.read_optional(Cause::parse)?;
    let why = fields.take()?;
    let original: Option<(String, String)> = fields.take::<Option<String>>()?.zip(fields.take()?);
    let feed = fields.take()?;
    let words = fields.number()?;
    let verdict = match (withdrawn, original) {
        (Some(at), _) => Verdict::Withdrawn(at, cause, why),
        (None, Some((key, member))) => Verdict::SameStory(key, member),
        (None, None) if shown => Verdict::Shown(released),
        (None, None) => Verdict::LeftOut,
    };
    Ok(OwnPost {
        key,
        title,
        summary,
        link,
        topics,
        hashtags,
        published,
        arrived,
        verdict,
        feed,
        words,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, by_hand, feed, minutes, record, record_at, withdraw};

    #[tokio::test]
    async fn each_has_what_became_of_it() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let team = feed(&store, "https://team.example.org/feed", "Team").await;
        let posts = ["shown", "left-out", "withdrawn", "told"].map(|name| {
            let sample = Sample::new(name).at(minutes(-(name.len() as i64)));
            if name == "left-out" {
                sample.hidden()
            } else {
                sample
            }
            .entry()
        });
        record(&store, &ada, posts.to_vec()).await;
        let mut same = Sample::new("told").entry();
        same.key = "teamsown".to_owned();
        record_at(&store, &team, minutes(1), vec![same], Vec::new()).await;
        withdraw(&store, "withdrawn").await;
        let verdicts = async |member: &str| -> Vec<(String, Verdict)> {
            let posts = store.own_posts(member, 9, 0).await.unwrap();
            assert_eq!(store.count_own_posts(member).await.unwrap(), posts.len() as u64);
            (posts.into_iter())
                .map(|post| (post.key.trim_end_matches('x').to_owned(), post.verdict))
                .collect()
        };
        assert_eq!(
            verdicts("ada").await,
            [
                ("told".to_owned(), Verdict::Shown(minutes(-4))),
                ("shown".to_owned(), Verdict::Shown(minutes(-5))),
                ("leftxout".to_owned(), Verdict::LeftOut),
                (
                    "withdrawn".to_owned(),
                    Verdict::Withdrawn(minutes(30), Some(Cause::Author), None)
                ),
            ]
        );
        let told = Sample::new("told").new.key;
        assert_eq!(
            verdicts("team").await,
            [(
                "teamsown".to_owned(),
                Verdict::SameStory(told.clone(), "Ada".to_owned())
            )]
        );
        // One after another, and nobody sees another's.
        let second = store.own_posts("ada", 1, 1).await.unwrap();
        assert_eq!(second[0].key, Sample::new("shown").new.key);
        assert_eq!(store.own_post("ada", &told).await.unwrap().unwrap().key, told);
        assert_eq!(store.own_post("team", &told).await.unwrap(), None);
        let gone = Sample::new("withdrawn").new.key;
        let gone = store.own_post("ada", &gone).await.unwrap().unwrap();
        assert_eq!((gone.title, gone.link, gone.words), (None, None, 0));
    }

    #[tokio::test]
    async fn links_to_the_page_are_counted() {
        let store = testing::pending().await;
        assert_eq!(store.count_links("ada").await.unwrap(), 0);
        store.ask_for_link("ada", minutes(1)).await.unwrap();
        store.ask_for_link("ada", minutes(2)).await.unwrap();
        assert_eq!(store.count_links("ada").await.unwrap(), 2);
        store.new_link("ada", &by_hand(minutes(3))).await.unwrap();
        assert_eq!(store.count_links("ada").await.unwrap(), 1);
    }
}
