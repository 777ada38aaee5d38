//! Topics over the whole archive: what stands there, taking other rules over, and what moderators decided by hand.
//!
//! The rules themselves are the caller's: this file hands out each post as it is stored and writes what the caller
//! makes of it. What a moderator decided outlives every change of the rules.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use model::{EntryDraft, Image, IncludeChoice, Topic, TopicMatch, TopicSource};

use crate::audit::{self, Decision};
use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::edits;
use crate::enclosures::{self, files_column};
use crate::entries::Write;
use crate::record::ChangedEntry;
use crate::rows::{Fields, millis};
use crate::sql::{On, Row, Sql};
use crate::{Store, StoreError};

/// Posts of one step.
const STEP: i64 = 128;

macro_rules! posts {
    () => {
        "SELECT e.id, e.key, e.title, e.text, e.categories, e.hashtags, e.topics,
            e.shown = TRUE OR e.duplicate_of IS NOT NULL AS shown, f.include
         FROM entries e CROSS JOIN feeds f WHERE f.id = e.feed_id AND e.withdrawn_at IS NULL"
    };
}
const POSTS: &str = concat!(posts!(), " AND e.id > $1 ORDER BY e.id LIMIT $2");
const POST: &str = concat!(posts!(), " AND e.key = $1");

const STATE: &str = "SELECT topics_by, retagging_by, COALESCE(retagged_to, 0) AS retagged_to,
        (SELECT COALESCE(MAX(e.id), 0) FROM entries e) AS newest
    FROM site_state";
const BEGIN: &str = "UPDATE site_state SET retagging_by = $1, retagged_to = 0";
const ADVANCE: &str = "UPDATE site_state SET retagged_to = $1";
const FINISH: &str =
    "UPDATE site_state SET topics_by = retagging_by, retagging_by = NULL, retagged_to = NULL";

const DRAFT: &str = concat!(
    "SELECT id, feed_id, member_id, source_id, link, link_key, fingerprint, substance, title, summary,
        content_html, text, author, language, words, hashtags, categories, image_url, image_alt, licence, source_url, ",
    files_column!(),
    " FROM entries e WHERE id = $1"
);

const DECIDE: &str = "INSERT INTO topic_decisions (entry_id, topic, holds, decided_by, decided_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (entry_id, topic) DO UPDATE SET holds = excluded.holds, decided_by = excluded.decided_by,
        decided_at = excluded.decided_at";
const TAKE_BACK: &str = "DELETE FROM topic_decisions WHERE entry_id = $1 AND topic = $2";
const SETTLE: &str = "DELETE FROM topic_disputes WHERE entry_id = $1 AND topic = $2";

/// A post as it is stored, as far as topics are concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPost {
    /// The store's own number.
    pub id: i64,
    /// The entry's key.
    pub key: String,
    /// Plain text.
    pub title: Option<String>,
    /// The whole post as plain text.
    pub text: String,
    /// The feed's own categories.
    pub categories: Vec<String>,
    /// As a reader sees them.
    pub hashtags: Vec<String>,
    /// The topics that it has.
    pub topics: Vec<TopicMatch>,
    /// Whether readers see it, here or as the same story of another feed.
    pub shown: bool,
    /// Whether its feed takes part with all entries or with tagged ones alone.
    pub include: IncludeChoice,
}

/// What rules make of a post.
#[derive(Debug, Clone, PartialEq)]
pub struct Retagged {
    /// Its topics, parents before children.
    pub topics: Vec<TopicMatch>,
    /// Whether readers see it.
    pub shown: bool,
}

/// Makes topics for a post. It is handed what moderators decided, which it has to keep to ([`Decisions::apply`]).
pub type Tag<'t> = &'t (dyn Fn(&StoredPost, &Decisions) -> Retagged + Sync);

/// How far the archive is on the way to other rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetagProgress {
    /// The archive has its topics by these rules.
    Done,
    /// Another process takes over other rules.
    Superseded,
    /// There is more to do.
    Going {
        /// Posts that this step changed.
        changed: u32,
        /// How much of the archive is done, from 0 to 100.
        percent: u8,
    },
}

/// What moderators decided of one entry: topics that it has, or has not, whatever the rules say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decisions(Vec<(String, bool)>);

impl From<Vec<(String, bool)>> for Decisions {
    /// Each a topic's slug, and whether the entry has it; in the order in which they were decided.
    fn from(decided: Vec<(String, bool)>) -> Self {
        Self(decided)
    }
}

impl Decisions {
    /// Whether a moderator gave the entry a topic.
    pub(crate) fn give_a_topic(&self) -> bool {
        self.0.iter().any(|(_, holds)| *holds)
    }

    /// What the rules found, under what was decided.
    pub fn apply(&self, mut topics: Vec<TopicMatch>) -> Vec<TopicMatch> {
        for (slug, holds) in &self.0 {
            let at = topics.iter().position(|topic| topic.slug == *slug);
            match (holds, at) {
                (true, Some(at)) => topics[at].by = TopicSource::Moderator,
                (true, None) => topics.push(TopicMatch {
                    slug: slug.clone(),
                    score: 1.0,
                    by: TopicSource::Moderator,
                    why: Vec::new(),
                }),
                (false, Some(at)) => drop(topics.remove(at)),
                (false, None) => {}
            }
        }
        topics
    }
}

/// What a moderator wants of a topic on one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicDecision {
    /// It holds, or does not.
    Holds(bool),
    /// The rules shall say.
    AsTheRulesSay,
}

impl TopicDecision {
    /// What is decided with it: a project that holds makes its workstream hold, and a workstream that does not hold takes
    /// its projects with it.
    pub fn with_family(self, slug: &str, topics: &[Topic]) -> Vec<(String, Self)> {
        let parent = topics
            .iter()
            .find(|topic| topic.slug == slug)
            .and_then(|topic| topic.parent.as_deref());
        let follows = topics.iter().filter(|other| match self {
            Self::Holds(true) => parent == Some(&other.slug),
            Self::Holds(false) => other.parent.as_deref() == Some(slug),
            Self::AsTheRulesSay => false,
        });
        std::iter::once(slug)
            .chain(follows.map(|topic| topic.slug.as_str()))
            .map(|slug| (slug.to_owned(), self))
            .collect()
    }

    /// As the log writes it, with the topic.
    fn in_short(self, topic: &str) -> String {
        match self {
            Self::Holds(true) => format!("+{topic}"),
            Self::Holds(false) => format!("-{topic}"),
            Self::AsTheRulesSay => format!("rules for {topic}"),
        }
    }
}

impl Store {
    /// Posts in turn, oldest arrival first: at most `limit` after the one of number `after` (0: from the beginning),
    /// each with what moderators decided of it. Withdrawn ones are left out.
    pub async fn posts_after(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(StoredPost, Decisions)>, StoreError> {
        posts(Sql::new(POSTS).bind(after).bind(limit), self.readers().into()).await
    }

    /// Begins to take over the rules of this fingerprint, or goes on with it after an interruption. Gives
    /// [`RetagProgress::Done`] where there is nothing to do.
    pub async fn begin_retagging(&self, rules: &str) -> Result<RetagProgress, StoreError> {
        let mut transaction = self.begin().await?;
        let state = State::read(&mut transaction).await?;
        if state.topics_by.as_deref() == Some(rules) && state.retagging_by.is_none() {
            return Ok(RetagProgress::Done);
        }
        if state.retagging_by.as_deref() != Some(rules) {
            Sql::new(BEGIN).bind(rules).execute(&mut transaction).await?;
            transaction.commit().await?;
        }
        Ok(RetagProgress::Going {
            changed: 0,
            percent: 0,
        })
    }

    /// Takes the next posts over: what `tag` makes of each is written if it differs. Safe to repeat and to interrupt;
    /// several processes may step at once.
    pub async fn retag(
        &self,
        rules: &str,
        now: DateTime<Utc>,
        tag: Tag<'_>,
    ) -> Result<RetagProgress, StoreError> {
        let mut transaction = self.begin().await?;
        let state = State::read(&mut transaction).await?;
        match state.retagging_by.as_deref() {
            Some(going) if going == rules => {}
            None if state.topics_by.as_deref() == Some(rules) => return Ok(RetagProgress::Done),
            _ => return Ok(RetagProgress::Superseded),
        }
        let step = Sql::new(POSTS).bind(state.retagged_to).bind(STEP);
        let posts = posts(step, (&mut transaction).into()).await?;
        let Some((last, _)) = posts.last() else {
            Sql::new(FINISH).execute(&mut transaction).await?;
            transaction.commit().await?;
            return Ok(RetagProgress::Done);
        };
        Sql::new(ADVANCE).bind(last.id).execute(&mut transaction).await?;
        let percent = (100 * last.id / state.newest.max(last.id)) as u8;
        let mut revision = NextRevision::begin(&mut transaction, now).await?;
        let mut changed = 0;
        for (post, decisions) in &posts {
            changed +=
                u32::from(write(&mut transaction, post, tag(post, decisions), now, &mut revision).await?);
        }
        revision.finish(&mut transaction).await?;
        transaction.commit().await?;
        Ok(RetagProgress::Going { changed, percent })
    }

    /// Writes down what a moderator decided of the topics of one entry, and makes its topics anew; that settles what its
    /// author disputed of them. Gives the topics that it has now, or `None` if there is no such entry.
    pub async fn decide_topics(
        &self,
        key: &str,
        topics: &[(String, TopicDecision)],
        decision: Decision<'_>,
        tag: Tag<'_>,
    ) -> Result<Option<Vec<TopicMatch>>, StoreError> {
        let mut transaction = self.begin().await?;
        let find = || Sql::new(POST).bind(key);
        let Some((post, _)) = posts(find(), (&mut transaction).into()).await?.pop() else {
            return Ok(None);
        };
        for (topic, decided) in topics {
            match decided {
                TopicDecision::Holds(holds) => Sql::new(DECIDE)
                    .bind(post.id)
                    .bind(topic)
                    .bind(*holds)
                    .bind(decision.by)
                    .bind(millis(decision.at)),
                TopicDecision::AsTheRulesSay => Sql::new(TAKE_BACK).bind(post.id).bind(topic),
            }
            .execute(&mut transaction)
            .await?;
            let settle = Sql::new(SETTLE).bind(post.id).bind(topic);
            settle.execute(&mut transaction).await?;
        }
        let changes: Vec<String> = topics
            .iter()
            .map(|(topic, decided)| decided.in_short(topic))
            .collect();
        let action = format!("topics {}", changes.join(" "));
        audit::write(&mut transaction, &decision, &action, key).await?;
        let Some((post, decisions)) = posts(find(), (&mut transaction).into()).await?.pop() else {
            return Ok(None);
        };
        let retagged = tag(&post, &decisions);
        let topics = retagged.topics.clone();
        let mut revision = NextRevision::begin(&mut transaction, decision.at).await?;
        write(&mut transaction, &post, retagged, decision.at, &mut revision).await?;
        revision.finish(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Some(topics))
    }
}

struct State {
    topics_by: Option<String>,
    retagging_by: Option<String>,
    retagged_to: i64,
    newest: i64,
}

impl State {
    async fn read(transaction: &mut Transaction) -> Result<Self, StoreError> {
        let row = Sql::new(STATE).fetch_one(transaction).await?;
        let mut fields = Fields::of("site_state", &row);
        Ok(Self {
            topics_by: fields.take()?,
            retagging_by: fields.take()?,
            retagged_to: fields.take()?,
            newest: fields.take()?,
        })
    }
}

/// The posts that `sql` finds, each with what was decided of it.
async fn posts(sql: Sql<'_>, mut on: On<'_>) -> Result<Vec<(StoredPost, Decisions)>, StoreError> {
    let rows = sql.fetch_all(on.again()).await?;
    let posts: Vec<StoredPost> = rows.iter().map(post).collect::<Result<_, _>>()?;
    let mut decided = decisions(on, posts.iter().map(|post| post.id)).await?;
    let with_decisions = |post: StoredPost| {
        let decisions = decided.remove(&post.id).unwrap_or_default();
        (post, decisions)
    };
    Ok(posts.into_iter().map(with_decisions).collect())
}

fn post(row: &Row) -> Result<StoredPost, StoreError> {
    let mut fields = Fields::of("entries", row);
    Ok(StoredPost {
        id: fields.take()?,
        key: fields.take()?,
        title: fields.take()?,
        text: fields.take()?,
        categories: fields.json()?,
        hashtags: fields.json()?,
        topics: fields.json()?,
        shown: fields.take()?,
        include: fields.read(IncludeChoice::parse)?,
    })
}

/// What was decided of these entries.
pub(crate) async fn decisions<'c>(
    on: impl Into<On<'c>>,
    entries: impl ExactSizeIterator<Item = i64>,
) -> Result<HashMap<i64, Decisions>, StoreError> {
    let mut decided: HashMap<i64, Decisions> = HashMap::new();
    if entries.len() == 0 {
        return Ok(decided);
    }
    let mut sql = Sql::new("SELECT entry_id, topic, holds FROM topic_decisions WHERE entry_id IN ");
    sql.push_list(entries)
        .push(" ORDER BY entry_id, decided_at, topic");
    for row in sql.fetch_all(on).await? {
        let mut fields = Fields::of("topic_decisions", &row);
        let decisions = decided.entry(fields.take()?).or_default();
        decisions.0.push((fields.take()?, fields.take()?));
    }
    Ok(decided)
}

/// Writes what was made of a post if it differs; tells whether it did.
async fn write(
    transaction: &mut Transaction,
    post: &StoredPost,
    retagged: Retagged,
    now: DateTime<Utc>,
    revision: &mut NextRevision,
) -> Result<bool, StoreError> {
    if retagged.topics == post.topics && retagged.shown == post.shown {
        return Ok(false);
    }
    let row = Sql::new(DRAFT).bind(post.id).fetch_one(&mut *transaction).await?;
    let mut fields = Fields::of("entries", &row);
    let id = fields.take()?;
    let write = Write {
        feed_id: fields.take()?,
        member_id: fields.take()?,
        at: now,
    };
    let draft = EntryDraft {
        source_id: fields.take()?,
        link: fields.take()?,
        link_key: fields.take()?,
        fingerprint: fields.take()?,
        substance: fields.take()?,
        title: fields.take()?,
        summary: fields.take()?,
        content_html: fields.safe_html()?.unwrap_or_default(),
        text: fields.take()?,
        author: fields.take()?,
        published: None,
        updated: None,
        language: fields.take()?,
        words: fields.number()?,
        hashtags: fields.json()?,
        categories: fields.json()?,
        image: {
            let (url, alt): (Option<String>, _) = (fields.take()?, fields.take()?);
            url.map(|url| Image { url, alt })
        },
        licence: fields.take()?,
        source_url: fields.take()?,
        enclosures: enclosures::read(&mut fields)?,
        topics: retagged.topics,
    };
    let changed = ChangedEntry {
        id,
        draft,
        substantial: false,
        shown: retagged.shown,
    };
    edits::rewrite(transaction, write, std::slice::from_ref(&changed), revision).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{EntryLookup, EntryQuery};
    use crate::testing::{self, Sample, TestStore, feed, found, id_of, minutes, record, record_at, titles};

    fn topic(slug: &str) -> TopicMatch {
        Sample::new("any").topic(slug).new.draft.topics.remove(0)
    }

    /// Rules by which a post that says a word has the topic of that name.
    fn tag(words: &'static [&'static str]) -> impl Fn(&StoredPost, &Decisions) -> Retagged + Sync {
        move |post, decisions| {
            let found = words
                .iter()
                .filter(|word| post.text.contains(*word))
                .map(|word| topic(word));
            let topics = decisions.apply(found.collect());
            let shown = post.include == IncludeChoice::All || !topics.is_empty();
            Retagged { topics, shown }
        }
    }

    async fn retag_all(store: &TestStore, rules: &str, words: &'static [&'static str]) -> u32 {
        let mut changed_in_all = 0;
        let mut progress = store.begin_retagging(rules).await.unwrap();
        while let RetagProgress::Going { changed, .. } = progress {
            changed_in_all += changed;
            progress = store.retag(rules, minutes(60), &tag(words)).await.unwrap();
        }
        assert_eq!(progress, RetagProgress::Done);
        changed_in_all
    }

    async fn by_topic(store: &TestStore, slug: &str) -> Vec<String> {
        let query = EntryQuery {
            topic: Some(slug.to_owned()),
            ..EntryQuery::newest(500)
        };
        let page = store.entries(&query).await.unwrap();
        titles(&page.entries).into_iter().map(str::to_owned).collect()
    }

    /// A store with one post of bins, one of data, and one of data in a feed that takes part with tagged posts alone.
    async fn filled() -> (TestStore, [model::Feed; 2]) {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let mixed = model::FeedSpec {
            include: Some(IncludeChoice::Tagged),
            ..testing::spec("https://ben.example.org/feed", "Ben")
        };
        store
            .import_feeds(&[mixed], minutes(0), chrono_tz::UTC)
            .await
            .unwrap();
        let ben = store.feeds().await.unwrap().pop().unwrap();
        let bins = Sample::new("bins")
            .words("Title of bins", "All about bins.")
            .topic("bins");
        let data = Sample::new("data").words("Title of data", "All about data.");
        record(&store, &ada, vec![data.entry(), bins.entry()]).await;
        let tagged = Sample::new("tagged")
            .words("Title of tagged", "More data.")
            .hidden();
        record(&store, &ben, vec![tagged.entry()]).await;
        (store, [ada, ben])
    }

    #[tokio::test]
    async fn other_rules_are_taken_over_once_and_nothing_turns_unread() {
        let (store, _) = filled().await;
        let before = found(&store, &Sample::new("data")).await;
        assert_eq!(retag_all(&store, "one", &["data"]).await, 3);
        assert_eq!(by_topic(&store, "bins").await, [""; 0]);
        let data = by_topic(&store, "data").await;
        assert_eq!(data.len(), 2);
        let after = found(&store, &Sample::new("data")).await;
        assert_eq!((after.updated, after.released), (before.updated, before.released));
        assert_eq!(after.changed, minutes(60));
        // The same rules again: nothing to do, and nobody hears of anything.
        let revision = store.revision().await.unwrap();
        assert_eq!(retag_all(&store, "one", &["data"]).await, 0);
        assert_eq!(store.revision().await.unwrap(), revision);
        // And back: what had shown by its topic alone leaves again.
        assert_eq!(retag_all(&store, "two", &["bins"]).await, 3);
        let lookup = store.entry(&Sample::new("tagged").new.key).await.unwrap();
        assert!(matches!(lookup, EntryLookup::Withdrawn { .. }), "{lookup:?}");
    }

    #[tokio::test]
    async fn an_interruption_loses_nothing_and_other_rules_take_precedence() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let names: Vec<String> = (0..300).map(|number| format!("entry{number}")).collect();
        let entries = names
            .iter()
            .map(|name| Sample::new(name).words(name, "All about data.").entry());
        record(&store, &ada, entries.collect()).await;
        assert!(matches!(
            store.begin_retagging("one").await.unwrap(),
            RetagProgress::Going { .. }
        ));
        let step = store.retag("one", minutes(1), &tag(&["data"])).await.unwrap();
        assert_eq!(
            step,
            RetagProgress::Going {
                changed: 128,
                percent: 42
            }
        );
        let vitals = store.vitals(testing::due(minutes(1))).await.unwrap();
        assert_eq!(vitals.retagged_percent, 42);
        // The process dies; the next one goes on where it stopped.
        assert_eq!(retag_all(&store, "one", &["data"]).await, 300 - 128);
        assert_eq!(by_topic(&store, "data").await.len(), 300);
        let vitals = store.vitals(testing::due(minutes(1))).await.unwrap();
        assert_eq!(vitals.retagged_percent, 100);

        assert!(matches!(
            store.begin_retagging("two").await.unwrap(),
            RetagProgress::Going { .. }
        ));
        let late = store.retag("one", minutes(2), &tag(&["data"])).await.unwrap();
        assert_eq!(late, RetagProgress::Superseded);
    }

    #[test]
    fn a_project_brings_its_workstream_and_leaves_with_it() {
        let topic = |slug: &str, parent: Option<&str>| Topic {
            slug: slug.to_owned(),
            name: slug.to_owned(),
            description: String::new(),
            parent: parent.map(str::to_owned),
            rules: model::TopicRules::default(),
        };
        let topics = [
            topic("skills", None),
            topic("camp", Some("skills")),
            topic("making", None),
        ];
        let family = |decision: TopicDecision, slug| {
            let decided = decision.with_family(slug, &topics);
            decided.into_iter().map(|(slug, _)| slug).collect::<Vec<_>>()
        };
        assert_eq!(family(TopicDecision::Holds(true), "camp"), ["camp", "skills"]);
        assert_eq!(family(TopicDecision::Holds(true), "skills"), ["skills"]);
        assert_eq!(family(TopicDecision::Holds(false), "skills"), ["skills", "camp"]);
        assert_eq!(family(TopicDecision::AsTheRulesSay, "camp"), ["camp"]);
    }

    #[tokio::test]
    async fn a_decision_lets_a_post_in_and_out_and_stands_in_the_log() {
        let (store, _) = filled().await;
        let key = Sample::new("tagged").new.key;
        let decide = async |holds| {
            let decided = [("waste".to_owned(), TopicDecision::Holds(holds))];
            store
                .decide_topics(&key, &decided, testing::by_mo(minutes(1)), &tag(&["bins"]))
                .await
                .unwrap();
            by_topic(&store, "waste").await.len()
        };
        assert_eq!((decide(true).await, decide(false).await), (1, 0));
        let log = store.audit(None, 1).await.unwrap();
        assert_eq!(
            (log[0].by.as_str(), log[0].action.as_str()),
            ("mo", "topics -waste")
        );
    }

    #[tokio::test]
    async fn what_a_moderator_decided_outlives_rules_and_edits() {
        let (store, [ada, _]) = filled().await;
        let key = Sample::new("bins").new.key;
        let rules = tag(&["bins"]);
        let decide = async |topic: &str, decision| {
            let decisions = [(topic.to_owned(), decision)];
            let topics = store
                .decide_topics(&key, &decisions, testing::by_mo(minutes(1)), &rules)
                .await
                .unwrap();
            let slugs = topics.unwrap().into_iter().map(|topic| (topic.slug, topic.by));
            slugs.collect::<Vec<_>>()
        };
        let by_hand = ("waste".to_owned(), TopicSource::Moderator);
        let by_rule = ("bins".to_owned(), TopicSource::Rule);
        assert_eq!(
            decide("waste", TopicDecision::Holds(true)).await,
            [by_rule.clone(), by_hand.clone()]
        );
        assert_eq!(
            decide("bins", TopicDecision::Holds(false)).await,
            std::slice::from_ref(&by_hand)
        );
        assert_eq!(by_topic(&store, "waste").await, ["bins"]);

        retag_all(&store, "new", &["bins", "about"]).await;
        assert_eq!(
            (
                by_topic(&store, "waste").await.len(),
                by_topic(&store, "bins").await.len()
            ),
            (1, 0)
        );
        assert_eq!(by_topic(&store, "about").await.len(), 2);

        let id = id_of(&store, &ada, "bins").await;
        let edited = Sample::new("bins")
            .words("Title of bins", "Other bins.")
            .topic("bins");
        record_at(
            &store,
            &ada,
            minutes(9),
            Vec::new(),
            vec![edited.changed(id, true)],
        )
        .await;
        let slugs: Vec<String> = found(&store, &Sample::new("bins"))
            .await
            .topics
            .into_iter()
            .map(|topic| topic.slug)
            .collect();
        assert_eq!(slugs, ["waste"]);

        assert_eq!(decide("waste", TopicDecision::AsTheRulesSay).await, []);
        assert_eq!(decide("bins", TopicDecision::AsTheRulesSay).await, [by_rule]);
        let nobody = store
            .decide_topics("nobodyhasthis", &[], testing::by_mo(minutes(1)), &rules)
            .await
            .unwrap();
        assert_eq!(nobody, None);
    }
}
