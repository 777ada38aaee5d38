//! Stories: entries of several feeds with one link. One stands, the others are its copies, and whose it is does not
//! depend on who came first (contract section 7): the feed at home where the link leads; else the one that a copy
//! names as its source; else the first seen. Dates decide nothing.
//!
//! When the original comes after a copy, the two exchange what they say, and nothing else: the row that readers know
//! keeps its key, its place, its dates and all that was decided about it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::{TopicMatch, link_key};
use url::Url;

use crate::StoreError;
use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::enclosures;
use crate::labels::{self, Label, LabelKind};
use crate::links;
use crate::rows::{Fields, json, millis};
use crate::sql::Sql;
use crate::topics;

const TELLERS: &str =
    "SELECT e.id, e.feed_id, e.source_id, e.substance, e.link, e.source_url, f.url, f.site, f.site_url
    FROM entries e JOIN feeds f ON f.id = e.feed_id
    WHERE (e.id = $1 AND e.shown = TRUE) OR (e.duplicate_of = $1 AND e.withdrawn_at IS NULL)
    ORDER BY e.id";

const LABELS: &str = "SELECT river_at, topics, hashtags FROM entries WHERE id = $1";

/// While two rows exchange what they say, neither may have the identity of the other.
const STEP_ASIDE: &str = "UPDATE entries SET source_id = 'exchanging ' || id WHERE id IN ($1, $2)";
const EXCHANGE: &str = "UPDATE entries SET feed_id = o.feed_id, member_id = o.member_id, link = o.link,
        link_key = o.link_key, fingerprint = o.fingerprint, substance = o.substance, language = o.language,
        words = o.words, title = o.title, author = o.author, image_url = o.image_url, image_alt = o.image_alt,
        licence = o.licence, source_url = o.source_url, hashtags = o.hashtags, categories = o.categories,
        topics = o.topics, summary = o.summary, content_html = o.content_html, text = o.text,
        dated_at = o.dated_at, missing_since_at = o.missing_since_at
    FROM entries o
    WHERE (entries.id = $1 AND o.id = $2) OR (entries.id = $2 AND o.id = $1)";
const POST: &str = "SELECT content_html, link_key FROM entries WHERE id = $1";
const TOPICS: &str = "SELECT topics FROM entries WHERE id = $1";
const SET_TOPICS: &str = "UPDATE entries SET topics = $2 WHERE id = $1";
const NAME: &str = "UPDATE entries SET source_id = $2 WHERE id = $1";
const SHOW: &str = "UPDATE entries SET changed_at = $2,
        updated_at = CASE WHEN $3 THEN $4 ELSE updated_at END
    WHERE id = $1";

/// An entry that tells a story, as far as it matters whose the story is.
struct Teller {
    id: i64,
    feed_id: i64,
    source_id: String,
    substance: String,
    /// Host of its link.
    host: Option<String>,
    /// Where it says that it was taken from, by [`link_key`].
    source: Option<String>,
    /// Where its feed is polled, where the registry says that the blog lies, and where the feed itself says so.
    feed: Url,
    site: Option<Url>,
    claimed: Option<Url>,
}

impl Teller {
    /// Whether the link leads to where the feed lies, or the blog as the registry knows it.
    fn is_at_home(&self) -> bool {
        [Some(&self.feed), self.site.as_ref()]
            .into_iter()
            .flatten()
            .any(|url| self.host.is_some() && host(url) == self.host)
    }

    /// Whether it leads to where the feed says that its blog lies: any feed can say so, so that this comes second.
    fn claims_to_be_at_home(&self) -> bool {
        self.host.is_some() && self.claimed.as_ref().and_then(host) == self.host
    }

    /// Whether the feed is the one that such a source names, by its address, its blog's, or the host of either.
    fn is_named_by(&self, source: &str) -> bool {
        let known = [Some(&self.feed), self.site.as_ref(), self.claimed.as_ref()];
        known
            .into_iter()
            .flatten()
            .any(|url| link_key(url) == source || host(url).as_deref() == Some(source))
    }

    /// How good its claim to the story is.
    fn claim(&self, tellers: &[Self]) -> u8 {
        let is_named = || {
            tellers
                .iter()
                .filter(|other| other.feed_id != self.feed_id)
                .filter_map(|other| other.source.as_deref())
                .any(|source| self.is_named_by(source))
        };
        match () {
            () if self.is_at_home() => 3,
            () if self.claims_to_be_at_home() => 2,
            () if is_named() => 1,
            () => 0,
        }
    }
}

fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(host.strip_prefix("www.").unwrap_or(host).to_owned())
}

/// Gives each story of which the revision brought a copy, at `at`, to the entry whose it is. The labels of all of them
/// are stored already.
pub(crate) async fn settle(
    transaction: &mut Transaction,
    at: DateTime<Utc>,
    revision: &mut NextRevision,
) -> Result<(), StoreError> {
    for story in std::mem::take(&mut revision.told_again) {
        let tellers = tellers(transaction, story).await?;
        let Some(standing) = tellers.iter().find(|teller| teller.id == story) else {
            continue;
        };
        // The one that stands wins a tie, and of the others the one that was seen first.
        let best = tellers
            .iter()
            .rev()
            .max_by_key(|teller| (teller.claim(&tellers), teller.id == story));
        if let Some(original) = best.filter(|best| best.id != story) {
            exchange(transaction, standing, original, at, revision).await?;
        }
    }
    Ok(())
}

async fn tellers(transaction: &mut Transaction, story: i64) -> Result<Vec<Teller>, StoreError> {
    let rows = Sql::new(TELLERS).bind(story).fetch_all(transaction).await?;
    rows.iter()
        .map(|row| {
            let mut fields = Fields::of("entries", row);
            let (id, feed_id) = (fields.take()?, fields.take()?);
            let (source_id, substance) = (fields.take()?, fields.take()?);
            let link = address(&mut fields)?;
            let source = address(&mut fields)?;
            Ok(Teller {
                id,
                feed_id,
                source_id,
                substance,
                host: link.as_ref().and_then(host),
                source: source.as_ref().map(link_key),
                feed: fields.read(|url: &str| Url::parse(url).ok())?,
                site: address(&mut fields)?,
                claimed: address(&mut fields)?,
            })
        })
        .collect()
}

/// An address that was once checked, or whatever a feed said.
fn address(fields: &mut Fields<'_>) -> Result<Option<Url>, StoreError> {
    let text: Option<&str> = fields.take()?;
    Ok(text.and_then(|text| Url::parse(text).ok()))
}

/// Lets the standing entry and the original exchange what they say.
async fn exchange(
    transaction: &mut Transaction,
    standing: &Teller,
    original: &Teller,
    at: DateTime<Utc>,
    revision: &mut NextRevision,
) -> Result<(), StoreError> {
    let had = labels_of(transaction, standing.id).await?;
    for sql in [STEP_ASIDE, EXCHANGE] {
        Sql::new(sql)
            .bind(standing.id)
            .bind(original.id)
            .execute(&mut *transaction)
            .await?;
    }
    for (id, source_id) in [
        (standing.id, &original.source_id),
        (original.id, &standing.source_id),
    ] {
        Sql::new(NAME)
            .bind(id)
            .bind(source_id)
            .execute(&mut *transaction)
            .await?;
    }
    enclosures::exchange(transaction, standing.id, original.id).await?;
    // What a moderator decided of the story outlives the change of words.
    let decided = topics::decisions(&mut *transaction, [standing.id].into_iter()).await?;
    if let Some(decisions) = decided.get(&standing.id) {
        let row = Sql::new(TOPICS)
            .bind(standing.id)
            .fetch_one(&mut *transaction)
            .await?;
        let found = Fields::of("entries", &row).json()?;
        Sql::new(SET_TOPICS)
            .bind(standing.id)
            .bind(json(&decisions.apply(found)))
            .execute(&mut *transaction)
            .await?;
    }
    Sql::new(SHOW)
        .bind(standing.id)
        .bind(revision.changed_at)
        .bind(standing.substance != original.substance)
        .bind(millis(at))
        .execute(&mut *transaction)
        .await?;
    revision.visible = true;
    for id in [standing.id, original.id] {
        let row = Sql::new(POST).bind(id).fetch_one(&mut *transaction).await?;
        let mut fields = Fields::of("entries", &row);
        let text = fields.safe_html()?.unwrap_or_default();
        let own: Option<String> = fields.take()?;
        links::replace(transaction, id, links::links_of(&text, own.as_deref())).await?;
    }
    let has = labels_of(transaction, standing.id).await?;
    labels::replace(transaction, &had, &has, revision).await
}

/// The labels under which a shown entry is found.
async fn labels_of(transaction: &mut Transaction, id: i64) -> Result<BTreeSet<Label>, StoreError> {
    let row = Sql::new(LABELS).bind(id).fetch_one(transaction).await?;
    let mut fields = Fields::of("entries", &row);
    let river_at = fields.take()?;
    let topics: Vec<TopicMatch> = fields.json()?;
    let hashtags: Vec<String> = fields.json()?;
    let topics = topics.into_iter().map(|topic| (LabelKind::Topic, topic.slug));
    let hashtags = hashtags.into_iter().map(|tag| (LabelKind::Hashtag, tag));
    Ok(topics
        .chain(hashtags)
        .map(|(kind, name)| Label {
            kind,
            name,
            river_at,
            entry_id: id,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use model::Feed;

    use super::*;
    use crate::query::{EntryLookup, EntryQuery};
    use crate::testing::{self, Sample, TestStore, feed, found, minutes, record_at};

    /// A post at `link` as one feed tells it, with a word and a topic of its own.
    fn told(by: &str, link: &str) -> Sample {
        Sample::new(&format!("told-by-{by}"))
            .words(&format!("{by}'s"), &format!("As {by} has it."))
            .topic(by)
            .draft(|draft| {
                let url = Url::parse(link).unwrap();
                draft.link_key = Some(link_key(&url));
                draft.link = Some(link.to_owned());
                draft.substance = format!("as {by} has it");
            })
    }

    /// What stands, and who has it too, when these tell one story one after another.
    async fn settled(store: &TestStore, tellers: &[(&Feed, Sample)]) -> (model::Entry, Vec<String>) {
        for (at, (feed, sample)) in (1..).zip(tellers) {
            record_at(store, feed, minutes(at), vec![sample.clone().entry()], Vec::new()).await;
        }
        let river = store.entries(&EntryQuery::newest(9)).await.unwrap().entries;
        assert_eq!(river.len(), 1, "the story stands once");
        let mut also: Vec<String> = river[0]
            .also_in
            .iter()
            .map(|also| also.member.name.clone())
            .collect();
        also.sort();
        (river.into_iter().next().unwrap(), also)
    }

    #[tokio::test]
    async fn problem_4_the_original_stands_whoever_came_first() {
        for ada_first in [true, false] {
            let store = testing::store().await;
            let planet = feed(&store, "https://planet.example.org/feed", "Planet").await;
            let ada = feed(&store, "https://www.ada.example.org/feed", "Ada").await;
            let mut tellers = [
                (&ada, told("ada", "https://ada.example.org/one")),
                (
                    &planet,
                    told("planet", "http://ada.example.org/one/?utm_source=planet"),
                ),
            ];
            if !ada_first {
                tellers.reverse();
            }
            let first = tellers[0].1.clone();
            let (entry, also) = settled(&store, &tellers).await;
            assert_eq!(
                (entry.member.name.as_str(), also),
                ("Ada", vec!["Planet".to_owned()])
            );
            assert_eq!(entry.title.as_deref(), Some("ada's"));
            assert_eq!(entry.url.as_deref(), Some("https://ada.example.org/one"));
            assert_eq!(entry.key, first.new.key, "readers know it by this");
            assert_eq!(entry.released, first.new.released_at);
            let topics: Vec<String> = store
                .topic_counts()
                .await
                .unwrap()
                .into_iter()
                .map(|count| count.label)
                .collect();
            assert_eq!(topics, ["ada"]);
            let (arrived, topic) = (
                (String::new(), "ada".to_owned(), 1),
                ("ada".to_owned(), "ada".to_owned(), 1),
            );
            assert_eq!(testing::recounted(&store).await, [arrived, topic]);
            let updated = if ada_first {
                first.new.updated_at
            } else {
                minutes(2)
            };
            assert_eq!(entry.updated, updated);
            // Each feed still knows its own, and an edit of either is its own.
            for (by, feed) in [("ada", &ada), ("planet", &planet)] {
                let known = store.known_entries(feed.id).await.unwrap();
                assert_eq!(known.len(), 1);
                assert_eq!(known[0].source_id, format!("told-by-{by}"));
            }
            let known = store.known_entries(planet.id).await.unwrap();
            let edited = told("planet", "http://ada.example.org/one/").words("Taken", "Taken over.");
            let edited = edited.changed(known[0].id, true);
            record_at(&store, &planet, minutes(9), Vec::new(), vec![edited]).await;
            assert_eq!(found(&store, &first).await.title.as_deref(), Some("ada's"));
            let other = if ada_first { "planet" } else { "ada" };
            let other = told(other, "https://ada.example.org/one").new.key;
            assert_eq!(store.entry(&other).await.unwrap(), EntryLookup::Unknown);
        }
    }

    #[tokio::test]
    async fn problem_4_a_planet_that_names_its_source_gives_it_the_story() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let store = testing::store().await;
            let one = feed(&store, "https://planet-one.example.org/feed", "One").await;
            let two = feed(&store, "https://planet-two.example.org/feed", "Two").await;
            let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
            let link = "https://magazine.example.net/ada";
            let naming = |by: &str, source: &str| {
                told(by, link).draft(|draft| draft.source_url = Some(source.to_owned()))
            };
            let all = [
                (&one, told("one", link)),
                (&two, naming("two", "https://ada.example.org/feed/")),
                (&ada, told("ada", link)),
            ];
            let tellers = order.map(|at| all[at].clone());
            let (entry, also) = settled(&store, &tellers).await;
            assert_eq!(entry.member.name, "Ada", "{order:?}");
            assert_eq!(also, ["One", "Two"], "{order:?}");
        }
    }

    #[tokio::test]
    async fn problem_5_who_only_says_to_be_at_home_takes_nothing_from_who_is() {
        for thief_first in [true, false] {
            let store = testing::store().await;
            let thief = feed(&store, "https://thief.example.org/feed", "Thief").await;
            let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
            let mut claim = crate::testing::poll(&thief, minutes(0));
            claim.state.site_url = Some("https://ada.example.org/".to_owned());
            store.record_polls(&[claim]).await.unwrap();
            let link = "https://ada.example.org/one";
            let stolen = told("thief", link)
                .draft(|draft| draft.source_url = Some("https://thief.example.org/".to_owned()));
            let mut tellers = [(&ada, told("ada", link)), (&thief, stolen)];
            if thief_first {
                tellers.reverse();
            }
            let (entry, also) = settled(&store, &tellers).await;
            assert_eq!(
                (entry.title.as_deref(), also),
                (Some("ada's"), vec!["Thief".to_owned()])
            );
        }
    }

    #[tokio::test]
    async fn without_a_home_or_a_name_the_first_seen_stands() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        let link = "https://magazine.example.net/one";
        let (entry, also) = settled(&store, &[(&ben, told("ben", link)), (&ada, told("ada", link))]).await;
        assert_eq!(
            (entry.member.name.as_str(), also),
            ("Ben", vec!["Ada".to_owned()])
        );
    }

    #[tokio::test]
    async fn a_copy_that_turns_out_to_be_another_post_stands_by_itself() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        let link = "https://ada.example.org/one";
        settled(&store, &[(&ada, told("ada", link)), (&ben, told("ben", link))]).await;
        let known = store.known_entries(ben.id).await.unwrap();
        let edited = told("ben", "https://ben.example.org/mine").changed(known[0].id, true);
        record_at(&store, &ben, minutes(9), Vec::new(), vec![edited]).await;
        let river = store.entries(&EntryQuery::newest(9)).await.unwrap().entries;
        assert_eq!(river.len(), 2);
        assert!(river.iter().all(|entry| entry.also_in.is_empty()));
    }

    #[tokio::test]
    async fn are_found_by_indices() {
        let store = testing::sqlite().await;
        for sql in [
            TELLERS, LABELS, POST, TOPICS, SET_TOPICS, STEP_ASIDE, NAME, SHOW, EXCHANGE,
        ] {
            let plan = testing::plan(&store, sql.to_owned()).await;
            assert!(!plan.contains("SCAN"), "{sql}\n{plan}");
        }
    }
}
