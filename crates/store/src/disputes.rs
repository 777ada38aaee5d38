//! What bloggers say of the topics of their own entries: noted, listed for the moderators, settled by what these decide
//! ([`Store::decide_topics`]) or by letting things be.
//!
//! A dispute changes no topic by itself: what stands in feeds and digests is decided by the rules and by moderators.

use chrono::{DateTime, Utc};
use model::{Member, TopicMatch};

use crate::audit::{self, Decision, MEMBER};
use crate::changes::NextRevision;
use crate::rows::{Fields, millis};
use crate::sql::Sql;
use crate::{Store, StoreError};

const OWN: &str = "SELECT e.id, e.topics FROM entries e CROSS JOIN members m
    WHERE e.key = $1 AND m.id = e.member_id AND m.slug = $2 AND e.withdrawn_at IS NULL";
const NOTE: &str = "INSERT INTO topic_disputes (entry_id, topic, should_hold, reason, disputed_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (entry_id, topic) DO UPDATE SET should_hold = excluded.should_hold, reason = excluded.reason,
        disputed_at = excluded.disputed_at";
const SETTLE: &str = "DELETE FROM topic_disputes
    WHERE entry_id = (SELECT e.id FROM entries e WHERE e.key = $1) AND topic = $2 RETURNING entry_id";
const DISPUTES: &str =
    "SELECT e.key, e.title, e.summary, e.link, e.topics, d.topic, d.should_hold, d.reason, d.disputed_at,
        m.slug, m.name, m.organisation, m.url, m.kind
    FROM topic_disputes d CROSS JOIN entries e CROSS JOIN members m
    WHERE e.id = d.entry_id AND m.id = e.member_id AND e.withdrawn_at IS NULL";

/// The most of a reason that is kept, in characters.
const REASON: usize = 500;

/// What a blogger says of a topic of an entry of theirs.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispute {
    /// The entry's key.
    pub key: String,
    /// The entry's title, plain text.
    pub title: Option<String>,
    /// Its first words.
    pub summary: String,
    /// The original.
    pub url: Option<String>,
    /// Whose it is.
    pub member: Member,
    /// The topic's slug.
    pub topic: String,
    /// What the author says: that it should hold, or should not.
    pub should_hold: bool,
    /// Whether it holds now.
    pub holds: bool,
    /// Why, in the author's words; may be empty.
    pub reason: String,
    /// When it was said.
    pub at: DateTime<Utc>,
}

/// What came of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disputed {
    /// It is noted for the moderators.
    Noted,
    /// The entry is as its author wants it already.
    Already,
    /// The member has no such entry.
    NotTheirs,
}

impl Store {
    /// Notes that `member` (by slug) wants an entry of theirs to have a topic, or not to have it. Said again, it takes the
    /// place of what was said before. The caller sees to it that there is such a topic.
    pub async fn dispute_topic(
        &self,
        member: &str,
        key: &str,
        topic: &str,
        should_hold: bool,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<Disputed, StoreError> {
        let mut transaction = self.begin().await?;
        let own = Sql::new(OWN).bind(key).bind(member);
        let Some(row) = own.fetch_optional(&mut transaction).await? else {
            return Ok(Disputed::NotTheirs);
        };
        let mut fields = Fields::of("entries", &row);
        let id: i64 = fields.take()?;
        if has(&fields.json::<Vec<TopicMatch>>()?, topic) == should_hold {
            return Ok(Disputed::Already);
        }
        let reason: String = reason.trim().chars().take(REASON).collect();
        Sql::new(NOTE)
            .bind(id)
            .bind(topic)
            .bind(should_hold)
            .bind(reason)
            .bind(millis(now))
            .execute(&mut transaction)
            .await?;
        let said = Decision {
            by: MEMBER,
            why: None,
            at: now,
        };
        let action = format!("dispute topic {topic}");
        audit::write(&mut transaction, &said, &action, key).await?;
        // The entry's page says that its author disagrees.
        let mut revision = NextRevision::begin(&mut transaction, now).await?;
        revision.visible = true;
        revision.finish(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Disputed::Noted)
    }

    /// Lets a topic be as it is: a moderator has looked, or the author takes back what they said. Tells whether there was
    /// a dispute.
    pub async fn settle_dispute(
        &self,
        key: &str,
        topic: &str,
        decision: Decision<'_>,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let settle = Sql::new(SETTLE).bind(key).bind(topic);
        if settle.fetch_optional(&mut transaction).await?.is_none() {
            return Ok(false);
        }
        let action = format!("leave topic {topic}");
        audit::write(&mut transaction, &decision, &action, key).await?;
        let mut revision = NextRevision::begin(&mut transaction, decision.at).await?;
        revision.visible = true;
        revision.finish(&mut transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// What bloggers dispute and nobody has settled yet, the oldest first.
    pub async fn disputes(&self) -> Result<Vec<Dispute>, StoreError> {
        self.disputes_where(None).await
    }

    /// What is disputed of one entry.
    pub async fn disputes_of(&self, key: &str) -> Result<Vec<Dispute>, StoreError> {
        self.disputes_where(Some(("e.key", key))).await
    }

    /// What this member (by slug) disputes.
    pub async fn disputes_by(&self, member: &str) -> Result<Vec<Dispute>, StoreError> {
        self.disputes_where(Some(("m.slug", member))).await
    }

    async fn disputes_where(
        &self,
        condition: Option<(&'static str, &str)>,
    ) -> Result<Vec<Dispute>, StoreError> {
        let mut sql = Sql::new(DISPUTES);
        if let Some((column, value)) = condition {
            sql.push(format_args!(" AND {column} = ")).push_bind(value);
        }
        sql.push(" ORDER BY d.disputed_at, e.key, d.topic");
        let rows = sql.fetch_all(self.readers()).await?;
        let mut disputes = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut fields = Fields::of("topic_disputes", row);
            let (key, title, summary, url) = (fields.take()?, fields.take()?, fields.take()?, fields.take()?);
            let topics: Vec<TopicMatch> = fields.json()?;
            let topic: String = fields.take()?;
            let (should_hold, reason, at) = (fields.take()?, fields.take()?, fields.at()?);
            let holds = has(&topics, &topic);
            let dispute = Dispute {
                key,
                title,
                summary,
                url,
                member: fields.member()?,
                should_hold,
                holds,
                topic,
                reason,
                at,
            };
            // Rules or an edit may have brought what the author wanted.
            if dispute.holds != dispute.should_hold {
                disputes.push(dispute);
            }
        }
        Ok(disputes)
    }
}

fn has(topics: &[TopicMatch], slug: &str) -> bool {
    topics.iter().any(|topic| topic.slug == slug)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, feed, minutes, record, withdraw};
    use crate::topics::{Decisions, Retagged, StoredPost, TopicDecision};

    #[tokio::test]
    async fn a_blogger_disagrees_and_a_moderator_settles() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        feed(&store, "https://ben.example.org/feed", "Ben").await;
        let one = Sample::new("one").topic("data");
        record(&store, &ada, vec![one.clone().entry()]).await;
        let key = one.new.key;
        let say = async |member: &str, topic: &str, should_hold, reason: &str| {
            store
                .dispute_topic(member, &key, topic, should_hold, reason, minutes(1))
                .await
                .unwrap()
        };
        assert_eq!(say("ben", "data", false, "").await, Disputed::NotTheirs);
        assert_eq!(say("ada", "data", true, "").await, Disputed::Already);
        let revision = store.revision().await.unwrap().number;
        assert_eq!(
            say("ada", "data", false, " It is about tea. ").await,
            Disputed::Noted
        );
        assert_eq!(store.revision().await.unwrap().number, revision + 1);
        assert_eq!(say("ada", "tea", true, &"é".repeat(999)).await, Disputed::Noted);
        let disputes = store.disputes().await.unwrap();
        let told: Vec<_> = disputes
            .iter()
            .map(|dispute| (dispute.topic.as_str(), dispute.should_hold, dispute.holds))
            .collect();
        assert_eq!(told, [("data", false, true), ("tea", true, false)]);
        assert_eq!(disputes[0].reason, "It is about tea.");
        assert_eq!(disputes[1].reason.chars().count(), 500);
        assert_eq!(store.disputes_by("ben").await.unwrap(), []);
        assert_eq!(store.disputes_of(&key).await.unwrap(), disputes);

        // What a moderator decides settles it; what they let be, too.
        let rules = |post: &StoredPost, decisions: &Decisions| Retagged {
            topics: decisions.apply(post.topics.clone()),
            shown: true,
        };
        let decision = [("data".to_owned(), TopicDecision::Holds(true))];
        store
            .decide_topics(&key, &decision, testing::by_mo(minutes(2)), &rules)
            .await
            .unwrap();
        assert_eq!(store.disputes().await.unwrap().len(), 1);
        assert!(
            store
                .settle_dispute(&key, "tea", testing::by_mo(minutes(3)))
                .await
                .unwrap()
        );
        assert!(
            !store
                .settle_dispute(&key, "tea", testing::by_mo(minutes(3)))
                .await
                .unwrap()
        );
        assert_eq!(store.disputes().await.unwrap(), []);
    }

    #[tokio::test]
    async fn what_was_withdrawn_is_disputed_no_longer() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let one = Sample::new("one").topic("data");
        record(&store, &ada, vec![one.clone().entry()]).await;
        let noted = store
            .dispute_topic("ada", &one.new.key, "data", false, "", minutes(1))
            .await
            .unwrap();
        assert_eq!(noted, Disputed::Noted);
        withdraw(&store, "one").await;
        assert_eq!(store.disputes().await.unwrap(), []);
        let again = store
            .dispute_topic("ada", &one.new.key, "data", false, "", minutes(1))
            .await
            .unwrap();
        assert_eq!(again, Disputed::NotTheirs);
    }
}
