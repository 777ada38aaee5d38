//! Entries of one feed: what is known of them and adding new ones; and one entry by its key.
//!
//! Identity is decided before: this file never matches entries by their words. What is there already is left
//! alone; `edits.rs` rewrites it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use model::{AlsoIn, Entry, KnownEntry};

use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::enclosures;
use crate::labels::{Label, labels_of};
use crate::links::{self, Link, links_of};
use crate::query::EntryLookup;
use crate::record::NewEntry;
use crate::rows::{self, EntryRow, Fields, entry_columns, entry_joins, instant, json, millis};
use crate::search::{self, Words};
use crate::sql::{On, Sql, statements};
use crate::tombstones::Graveyard;
use crate::{Store, StoreError};

/// Where undated back catalogue stands in the river: below every date, in the order of arrival.
macro_rules! undated_river_at {
    () => {
        -1_000_000_000_000_000
    };
}
pub(crate) use undated_river_at;
const UNDATED_RIVER_AT: i64 = undated_river_at!();

/// Entries of one statement at most.
const ROWS: usize = 32;
/// Members of one statement at most.
const MEMBERS: usize = 64;

/// The longest key.
const KEY_LEN: usize = 32;

/// One row for a whole feed: the driver hands each row over between threads, which costs more than the row.
const KNOWN: &str = "SELECT string_agg(
        id || '\u{1f}' || source_id || '\u{1f}' || COALESCE(link_key, '') || '\u{1f}' || fingerprint || '\u{1f}'
            || substance || '\u{1f}' || CASE WHEN withdrawn_at IS NULL THEN '' ELSE 'withdrawn' END || '\u{1f}'
            || published_at || '\u{1f}' || CASE WHEN river_at = released_at THEN 'dated' ELSE '' END || '\u{1f}'
            || COALESCE(CAST(missing_since_at AS TEXT), ''),
        '\u{1e}' ORDER BY id)
    FROM entries WHERE feed_id = $1";

pub(crate) const BY_KEY: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM entries e",
    entry_joins!(),
    " AND e.key = $1"
);
const BY_LINK: &str = "SELECT key FROM entries WHERE shown = TRUE AND link_key = $1 ORDER BY id LIMIT 1";
const EVER_SHOWN: &str = "SELECT arrival IS NOT NULL FROM entries WHERE id = $1";

const KEY_TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM entries WHERE key = $1)";

const ADD: &str = "INSERT INTO entries (id, key, uri, feed_id, member_id, source_id, link, link_key, fingerprint, substance,
    shown, duplicate_of, arrival, river_at, published_at, updated_at, released_at, arrived_at, changed_at, language,
    words, title, author, image_url, image_alt, licence, source_url, hashtags, categories, topics, summary,
    content_html, text, dated_at) ";

const TOUCH: &str = "UPDATE entries SET changed_at = $2 WHERE id = $1 AND shown = TRUE";
impl Store {
    /// All that is stored of a feed's entries, as far as it is needed to recognise them, oldest arrival first.
    pub async fn known_entries(&self, feed_id: i64) -> Result<Vec<KnownEntry>, StoreError> {
        let known: Option<String> = Sql::new(KNOWN)
            .bind(feed_id)
            .fetch_value("entries", self.readers())
            .await?;
        // No stored text holds the separators: XML forbids them, and so does `model::clean_text`.
        known
            .as_deref()
            .into_iter()
            .flat_map(|known| known.split('\u{1e}'))
            .map(|entry| {
                known_entry(entry).ok_or_else(|| StoreError::Unreadable {
                    table: "entries".to_owned(),
                    column: "source_id".to_owned(),
                    row: entry.split('\u{1f}').next().unwrap_or_default().to_owned(),
                    message: "it holds a control character".to_owned(),
                })
            })
            .collect()
    }

    /// The key of the shown entry whose original is at this address.
    pub async fn key_of_link(&self, url: &str) -> Result<Option<String>, StoreError> {
        let Ok(url) = url::Url::parse(url) else {
            return Ok(None);
        };
        let row = Sql::new(BY_LINK)
            .bind(model::link_key(&url))
            .fetch_optional(self.readers())
            .await?;
        row.map(|row| Fields::of("entries", &row).take()).transpose()
    }

    /// What stands under a key. An entry that readers never saw is unknown.
    pub async fn entry(&self, key: &str) -> Result<EntryLookup, StoreError> {
        let Some(row) = Sql::new(BY_KEY).bind(key).fetch_optional(self.readers()).await? else {
            return Ok(EntryLookup::Unknown);
        };
        let row = rows::entry(&row)?;
        if row.shown {
            let mut entries = complete(self.readers(), vec![row]).await?;
            return Ok(entries
                .pop()
                .map_or(EntryLookup::Unknown, |entry| EntryLookup::Found(Box::new(entry))));
        }
        let ever_shown: bool = Sql::new(EVER_SHOWN)
            .bind(row.id)
            .fetch_value("entries", self.readers())
            .await?;
        Ok(match row.withdrawn_at {
            Some(at) => EntryLookup::Withdrawn { at },
            None if ever_shown => EntryLookup::Withdrawn {
                at: row.entry.changed,
            },
            None => EntryLookup::Unknown,
        })
    }
}

fn known_entry(fields: &str) -> Option<KnownEntry> {
    let mut fields = fields.split('\u{1f}').map(str::to_owned);
    let known = KnownEntry {
        id: fields.next()?.parse().ok()?,
        source_id: fields.next()?,
        link_key: fields.next().filter(|key| !key.is_empty()),
        fingerprint: fields.next()?,
        substance: fields.next()?,
        withdrawn: !fields.next()?.is_empty(),
        published: instant(fields.next()?.parse().ok()?)?,
        dated: !fields.next()?.is_empty(),
        missing_since: match fields.next()?.as_str() {
            "" => None,
            since => Some(instant(since.parse().ok()?)?),
        },
    };
    fields.next().is_none().then_some(known)
}

/// Entries with the other places where their stories stand.
pub(crate) async fn complete<'c>(
    on: impl Into<On<'c>>,
    rows: Vec<EntryRow>,
) -> Result<Vec<Entry>, StoreError> {
    const ALSO_IN: &str = "SELECT d.duplicate_of, m.slug, m.name, m.organisation, m.url, m.kind, d.link
        FROM entries d CROSS JOIN members m WHERE m.id = d.member_id AND d.duplicate_of IN ";
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new(ALSO_IN);
    sql.push_list(rows.iter().map(|row| row.id));
    sql.push(" ORDER BY d.id");
    let mut also_in: HashMap<i64, Vec<AlsoIn>> = HashMap::new();
    for row in sql.fetch_all(on).await? {
        let mut fields = Fields::of("entries", &row);
        let story = fields.take()?;
        also_in.entry(story).or_default().push(AlsoIn {
            member: fields.member()?,
            url: fields.take()?,
        });
    }
    let with_others = |row: EntryRow| Entry {
        also_in: also_in.remove(&row.id).unwrap_or_default(),
        ..row.entry
    };
    Ok(rows.into_iter().map(with_others).collect())
}

/// The feed whose entries are written, and the moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write {
    pub(crate) feed_id: i64,
    pub(crate) member_id: i64,
    /// When the feed's answer had arrived.
    pub(crate) at: DateTime<Utc>,
}

/// A new entry with all that can be made ready of it before its write.
pub(crate) struct Ready<'a> {
    new: &'a NewEntry,
    /// The number it is to have, under which its words are in the index already.
    pub(crate) id: i64,
    links: Vec<Link>,
}

/// A new entry, and where it is written.
#[derive(Clone, Copy)]
pub(crate) struct Addition<'a> {
    pub(crate) write: Write,
    pub(crate) ready: &'a Ready<'a>,
}

/// Begins a write that may add these entries, and makes them ready for it, in the same order.
pub(crate) async fn begin<'a>(
    store: &Store,
    entries: impl Iterator<Item = &'a NewEntry>,
) -> Result<(Transaction, Vec<Ready<'a>>), StoreError> {
    let entries: Vec<&NewEntry> = entries.collect();
    if entries.is_empty() {
        return Ok((store.begin().await?, Vec::new()));
    }
    let links: Vec<_> = (entries.iter().map(|new| &new.draft))
        .map(|draft| links_of(&draft.content_html, draft.link_key.as_deref()))
        .collect();
    let words: Vec<_> = entries.iter().map(|new| words_of(new)).collect();
    let (transaction, ids) = search::begin_indexed(store, &words).await?;
    let ready = (entries.into_iter().zip(ids).zip(links))
        .map(|((new, id), links)| Ready { new, id, links })
        .collect();
    Ok((transaction, ready))
}

fn words_of(new: &NewEntry) -> Words<'_> {
    (new.draft.title.as_deref(), &new.draft.text)
}

/// Adds entries, which stand oldest first: the river puts the later number first. What is there already is left
/// alone, and what was withdrawn stays away. Gives the numbers of those that came; the labels of what readers see go to
/// `labels`, for the caller to add.
pub(crate) async fn add(
    transaction: &mut Transaction,
    additions: &[Addition<'_>],
    revision: &mut NextRevision,
    labels: &mut Vec<Label>,
) -> Result<HashSet<i64>, StoreError> {
    let drafts = additions
        .iter()
        .map(|addition| (addition.write.feed_id, &addition.ready.new.draft));
    let kept_away = Graveyard::keeps_away(transaction.into(), drafts).await?;
    let wanted: Vec<Addition<'_>> = (additions.iter().zip(kept_away))
        .filter(|(_, away)| !away)
        .map(|(addition, _)| *addition)
        .collect();
    let mut additions = wanted.as_slice();
    let mut added: Vec<&Ready<'_>> = Vec::with_capacity(additions.len());
    while !additions.is_empty() {
        let (some, rest) = additions.split_at(one_story_each(additions));
        for some in statements(some, ROWS) {
            added.extend(add_some(transaction, some, revision, labels).await?);
        }
        additions = rest;
    }
    let links: Vec<_> = (added.iter().map(|ready| (ready.id, ready.links.as_slice()))).collect();
    links::add(transaction, &links).await?;
    let attached: Vec<_> = (added.iter())
        .map(|ready| (ready.id, ready.new.draft.enclosures.as_slice()))
        .collect();
    enclosures::add(transaction, &attached).await?;
    Ok(added.iter().map(|ready| ready.id).collect())
}

/// Ends what [`begin`] began, once those of `ready` came whose numbers are `added`.
pub(crate) async fn end(
    transaction: &mut Transaction,
    ready: &[Ready<'_>],
    added: &HashSet<i64>,
) -> Result<(), StoreError> {
    for ready in ready.iter().filter(|ready| !added.contains(&ready.id)) {
        search::unindex(transaction, ready.id, words_of(ready.new)).await?;
    }
    Ok(())
}

/// How many of `additions` come before the first that tells the story of an earlier one from another feed: that one
/// has to find the earlier one stored.
fn one_story_each(additions: &[Addition<'_>]) -> usize {
    let mut stories: HashMap<&str, i64> = HashMap::new();
    let again = additions.iter().position(|addition| {
        let feed_id = addition.write.feed_id;
        let Some(story) = &addition.ready.new.draft.link_key else {
            return false;
        };
        *stories.entry(story).or_insert(feed_id) != feed_id
    });
    again.unwrap_or(additions.len())
}

/// What is already there and in the way of new entries.
#[derive(Default)]
struct Obstacles {
    keys: HashSet<String>,
    /// By feed.
    source_ids: HashSet<(i64, String)>,
    /// By link key: the first shown entry of each feed that tells the story, and the feed.
    stories: HashMap<String, Vec<(i64, i64)>>,
}

impl Obstacles {
    /// The first shown entry of another feed that tells the story of this one.
    fn story(&self, addition: &Addition<'_>) -> Option<i64> {
        let tellers = self.stories.get(addition.ready.new.draft.link_key.as_ref()?)?;
        let others = tellers
            .iter()
            .filter(|(_, feed_id)| *feed_id != addition.write.feed_id);
        others.map(|(id, _)| *id).min()
    }
}

fn obstacles_query<'a>(additions: &[Addition<'a>]) -> Sql<'a> {
    let mut sql = Sql::new("SELECT 'key' AS what, key AS value, feed_id, id FROM entries WHERE key IN ");
    sql.push_list(additions.iter().map(|addition| &addition.ready.new.key));
    sql.push(
        " UNION ALL SELECT 'source', source_id, feed_id, id FROM entries WHERE (feed_id, source_id) IN (",
    );
    sql.push_values(additions, |row, addition| {
        row.push_bind(addition.write.feed_id)
            .push_bind(&addition.ready.new.draft.source_id);
    });
    sql.push(") UNION ALL SELECT 'story', link_key, feed_id, MIN(id) FROM entries WHERE shown = TRUE AND link_key IN ");
    sql.push_list(
        additions
            .iter()
            .map(|addition| addition.ready.new.draft.link_key.as_ref()),
    );
    sql.push(" GROUP BY link_key, feed_id");
    sql
}

async fn obstacles(
    transaction: &mut Transaction,
    additions: &[Addition<'_>],
) -> Result<Obstacles, StoreError> {
    let mut found = Obstacles::default();
    for row in obstacles_query(additions).fetch_all(&mut *transaction).await? {
        let mut fields = Fields::of("entries", &row);
        let (what, value): (String, String) = (fields.take()?, fields.take()?);
        let (feed_id, id) = (fields.take()?, fields.take()?);
        match what.as_str() {
            "key" => drop(found.keys.insert(value)),
            "source" => drop(found.source_ids.insert((feed_id, value))),
            _ => found.stories.entry(value).or_default().push((id, feed_id)),
        }
    }
    Ok(found)
}

/// A new entry with its place.
struct Placed<'a> {
    addition: Addition<'a>,
    key: String,
    duplicate_of: Option<i64>,
    arrival: Option<i64>,
    river_at: i64,
}

/// Adds the rows of these, no two feeds of which tell one story, and gives those that were not there.
async fn add_some<'a>(
    transaction: &mut Transaction,
    additions: &[Addition<'a>],
    revision: &mut NextRevision,
    labels: &mut Vec<Label>,
) -> Result<Vec<&'a Ready<'a>>, StoreError> {
    let mut in_the_way = obstacles(transaction, additions).await?;
    let mut placed = Vec::with_capacity(additions.len());
    for &addition in additions {
        let Addition { write, ready } = addition;
        let new = ready.new;
        if !in_the_way
            .source_ids
            .insert((write.feed_id, new.draft.source_id.clone()))
        {
            continue;
        }
        let key = free_key(transaction, &new.key, &in_the_way.keys).await?;
        in_the_way.keys.insert(key.clone());
        let duplicate_of = in_the_way.story(&addition).filter(|_| new.shown);
        let arrival = (new.shown && duplicate_of.is_none()).then(|| {
            revision.arrivals += 1;
            revision.arrivals
        });
        let river_at = if new.undated_back_catalogue {
            UNDATED_RIVER_AT
        } else {
            millis(new.released_at)
        };
        placed.push(Placed {
            addition,
            key,
            duplicate_of,
            arrival,
            river_at,
        });
    }
    if placed.is_empty() {
        return Ok(Vec::new());
    }

    let mut sql = Sql::new(ADD);
    sql.push_values(&placed, |row, placed| {
        let Addition { write, ready } = placed.addition;
        let new = ready.new;
        let draft = &new.draft;
        row.push_bind(ready.id)
            .push_bind(&placed.key)
            .push_bind(format!("{}{}", new.id_prefix, placed.key))
            .push_bind(write.feed_id)
            .push_bind(write.member_id)
            .push_bind(&draft.source_id)
            .push_bind(&draft.link)
            .push_bind(&draft.link_key)
            .push_bind(&draft.fingerprint)
            .push_bind(&draft.substance)
            .push_bind(placed.arrival.is_some())
            .push_bind(placed.duplicate_of)
            .push_bind(placed.arrival)
            .push_bind(placed.river_at)
            .push_bind(millis(new.published_at))
            .push_bind(millis(new.updated_at))
            .push_bind(millis(new.released_at))
            .push_bind(millis(write.at))
            .push_bind(revision.changed_at)
            .push_bind(&draft.language)
            .push_bind(draft.words)
            .push_bind(&draft.title)
            .push_bind(&draft.author)
            .push_bind(draft.image.as_ref().map(|image| &image.url))
            .push_bind(draft.image.as_ref().and_then(|image| image.alt.as_ref()))
            .push_bind(&draft.licence)
            .push_bind(&draft.source_url)
            .push_bind(json(&draft.hashtags))
            .push_bind(json(&draft.categories))
            .push_bind(json(&draft.topics))
            .push_bind(&draft.summary)
            .push_bind(draft.content_html.as_str())
            .push_bind(&draft.text)
            .push_bind(draft.published.map(millis));
    });
    sql.execute(&mut *transaction).await?;

    let mut added = Vec::with_capacity(placed.len());
    for placed in &placed {
        let ready = placed.addition.ready;
        if let Some(story) = placed.duplicate_of {
            revision.told_again.insert(story);
            touch(transaction, story, revision).await?;
        } else if placed.arrival.is_some() {
            labels.extend(labels_of(&ready.new.draft, placed.river_at, ready.id));
            revision.visible = true;
        }
        added.push(ready);
    }
    Ok(added)
}

/// The wanted key, or the first free one that is made of it and a number.
async fn free_key(
    transaction: &mut Transaction,
    wanted: &str,
    taken: &HashSet<String>,
) -> Result<String, StoreError> {
    if !taken.contains(wanted) {
        return Ok(wanted.to_owned());
    }
    let mut number = 2_u32;
    loop {
        let suffix = number.to_string();
        let stem = wanted.get(..KEY_LEN - suffix.len()).unwrap_or(wanted);
        let key = format!("{stem}{suffix}");
        let is_taken: bool = Sql::new(KEY_TAKEN)
            .bind(&key)
            .fetch_value("entries", &mut *transaction)
            .await?;
        if !is_taken && !taken.contains(&key) {
            return Ok(key);
        }
        number += 1;
    }
}

/// Says that readers see a shown entry otherwise, though its own row is the same: its `also_in` changed.
pub(crate) async fn touch(
    transaction: &mut Transaction,
    id: i64,
    revision: &mut NextRevision,
) -> Result<(), StoreError> {
    Sql::new(TOUCH)
        .bind(id)
        .bind(revision.changed_at)
        .execute(&mut *transaction)
        .await?;
    revision.visible = true;
    Ok(())
}

/// Says that readers see all entries of these members otherwise: what is said of the members themselves changed.
pub(crate) async fn touch_members(
    transaction: &mut Transaction,
    members: &[i64],
    revision: &mut NextRevision,
) -> Result<(), StoreError> {
    for members in statements(members, MEMBERS) {
        touch_members_query(revision.changed_at, members)
            .execute(&mut *transaction)
            .await?;
        touch_stories_query(revision.changed_at, members)
            .execute(&mut *transaction)
            .await?;
        revision.visible = true;
    }
    Ok(())
}

fn touch_members_query(changed_at: i64, members: &[i64]) -> Sql<'_> {
    let mut sql = Sql::new("UPDATE entries SET changed_at = ");
    sql.push_bind(changed_at)
        .push(" WHERE shown = TRUE AND member_id IN ");
    sql.push_list(members.iter().copied());
    sql
}

/// Their entries in other members' `also_in`.
fn touch_stories_query(changed_at: i64, members: &[i64]) -> Sql<'_> {
    let mut sql = Sql::new("UPDATE entries SET changed_at = ");
    sql.push_bind(changed_at).push(
        " WHERE shown = TRUE AND id IN
            (SELECT d.duplicate_of FROM entries d WHERE d.duplicate_of IS NOT NULL AND d.member_id IN ",
    );
    sql.push_list(members.iter().copied());
    sql.push(")");
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::EntryQuery;
    use crate::testing::{self, Sample, feed, found, id_of, minutes, now, plan, record, record_at, reread};

    #[tokio::test]
    async fn an_entry_comes_back_as_it_was_given() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let mut sample = Sample::new("one")
            .topic("data")
            .hashtag("localgov")
            .draft(|draft| {
                draft.author = Some("A guest".to_owned());
                draft.categories = vec!["Data & Insight".to_owned()];
                draft.image = Some(model::Image {
                    url: "https://ada.example.org/i.png".to_owned(),
                    alt: None,
                });
                draft.licence = Some("CC-BY-4.0".to_owned());
            });
        sample.new.published_at = minutes(-60);
        sample.new.updated_at = minutes(-30);
        record_at(&store, &ada, minutes(1), vec![sample.clone().entry()], Vec::new()).await;
        let draft = sample.new.draft.clone();
        let expected = Entry {
            key: "onexxxxxxxxxxxxx".to_owned(),
            id: "tag:voice.example.org,2026:onexxxxxxxxxxxxx".to_owned(),
            url: draft.link,
            title: draft.title,
            summary: draft.summary,
            content_html: None,
            author: "A guest".to_owned(),
            member: ada.member.clone(),
            feed_url: ada.url.to_string(),
            also_in: Vec::new(),
            published: minutes(-60),
            updated: minutes(-30),
            released: now(),
            arrived: minutes(1),
            language: draft.language,
            words: 3,
            topics: draft.topics,
            hashtags: draft.hashtags,
            categories: draft.categories,
            image: draft.image,
            enclosures: draft.enclosures,
            licence: draft.licence,
            changed: minutes(1),
        };
        assert_eq!(found(&store, &sample).await, expected);
        let known = store.known_entries(ada.id).await.unwrap();
        let same = KnownEntry {
            id: known[0].id,
            source_id: draft.source_id,
            link_key: draft.link_key,
            fingerprint: draft.fingerprint,
            substance: draft.substance,
            withdrawn: false,
            published: minutes(-60),
            dated: true,
            missing_since: None,
        };
        assert_eq!(known, [same]);
        let mut old = Sample::new("old");
        old.new.undated_back_catalogue = true;
        record_at(&store, &ada, minutes(2), vec![old.entry()], Vec::new()).await;
        assert!(!store.known_entries(ada.id).await.unwrap()[1].dated);
        assert_eq!(store.entry("nobodyhasthis").await.unwrap(), EntryLookup::Unknown);
    }

    #[tokio::test]
    async fn recording_again_adds_nothing() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let entries = || {
            vec![
                Sample::new("one").entry(),
                Sample::new("one").entry(),
                Sample::new("two").entry(),
            ]
        };
        assert_eq!(record(&store, &ada, entries()).await.new, 2);
        let before = store.revision().await.unwrap();
        assert_eq!(record(&store, &ada, entries()).await.new, 0);
        assert_eq!(store.revision().await.unwrap(), before);
        assert_eq!(
            (
                store.arrivals(None).await.unwrap(),
                reread(&store, &ada).await.entries
            ),
            (2, 2)
        );
    }

    #[tokio::test]
    async fn a_key_that_is_taken_gets_a_number() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let with_key = |name: &str, key: &str| {
            let mut sample = Sample::new(name).draft(|draft| draft.link_key = None);
            sample.new.key = key.to_owned();
            sample.entry()
        };
        let long = "k".repeat(32);
        let entries = vec![
            with_key("a", &long),
            with_key("b", &long),
            with_key("c", "abcdefgh"),
        ];
        record(&store, &ada, entries).await;
        record(
            &store,
            &ada,
            vec![with_key("d", "abcdefgh"), with_key("e", "abcdefgh")],
        )
        .await;
        let (entries, _) = store.entries_after(None, 10).await.unwrap();
        let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let cut = format!("{}2", "k".repeat(31));
        assert_eq!(keys, ["abcdefgh", &long, &cut, "abcdefgh2", "abcdefgh3"]);
        assert!(entries[2].id.ends_with(&cut));
    }

    #[tokio::test]
    async fn text_of_a_withdrawn_entry_cannot_be_stored() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(&store, &ada, vec![Sample::new("one").entry()]).await;
        let mut write = store.begin().await.unwrap();
        let careless = "UPDATE entries SET shown = FALSE, withdrawn_at = 1";
        let error = Sql::new(careless).execute(&mut write).await.unwrap_err();
        assert!(error.to_string().to_lowercase().contains("check"), "{error}");
    }

    #[tokio::test]
    async fn one_story_stands_once() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        record(&store, &ada, vec![Sample::new("story").entry()]).await;
        let copy = |source_id: &str| {
            let mut sample = Sample::new("story")
                .topic("data")
                .draft(|draft| draft.source_id = source_id.to_owned());
            sample.new.key = format!("{source_id}xxxxxxxx");
            sample
        };
        assert_eq!(
            record_at(&store, &ben, minutes(1), vec![copy("bens").entry()], Vec::new())
                .await
                .new,
            1
        );
        // A second entry of the first feed itself is another story.
        record_at(&store, &ada, minutes(2), vec![copy("adas").entry()], Vec::new()).await;

        let river = store.entries(&EntryQuery::newest(5)).await.unwrap();
        assert_eq!(river.entries.len(), 2);
        let entry = found(&store, &Sample::new("story")).await;
        let ben_has_it = AlsoIn {
            member: ben.member.clone(),
            url: Some("https://example.org/story".to_owned()),
        };
        assert_eq!(
            (entry.also_in.as_slice(), entry.changed),
            ([ben_has_it].as_slice(), minutes(1))
        );
        assert_eq!(store.entry("bensxxxxxxxx").await.unwrap(), EntryLookup::Unknown);
        assert_eq!(store.arrivals(None).await.unwrap(), 2);
        assert_eq!(store.topic_counts().await.unwrap()[0].entries, 1);

        // An edit of the copy stays a copy.
        let id = id_of(&store, &ben, "bens").await;
        record_at(
            &store,
            &ben,
            minutes(3),
            Vec::new(),
            vec![copy("bens").changed(id, true)],
        )
        .await;
        assert_eq!(
            store.entries(&EntryQuery::newest(5)).await.unwrap().entries.len(),
            2
        );
    }

    #[tokio::test]
    async fn hostile_text_is_only_text() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let hostile = "'); DROP TABLE entries; -- \" % _ \\ \u{1F4A5} \u{202E} $1 ?1 :a @b";
        let sample = Sample::new("one")
            .topic(hostile)
            .hashtag(hostile)
            .words(hostile, hostile)
            .draft(|draft| {
                draft.source_id = hostile.to_owned();
                draft.author = Some(hostile.to_owned());
            });
        record(&store, &ada, vec![sample.clone().entry()]).await;
        let entry = found(&store, &sample).await;
        assert_eq!(
            (entry.title.as_deref(), entry.author.as_str()),
            (Some(hostile), hostile)
        );
        let by_tag = EntryQuery {
            hashtags: vec![hostile.to_owned()],
            ..EntryQuery::newest(5)
        };
        assert_eq!(store.entries(&by_tag).await.unwrap().entries, [entry]);
        assert!(matches!(
            store.entry(hostile).await.unwrap(),
            EntryLookup::Unknown
        ));
    }

    #[tokio::test]
    async fn are_found_by_indices() {
        let store = testing::sqlite().await;
        let members = touch_members_query(1, &[1, 2]).into_text();
        let stories = touch_stories_query(1, &[1, 2]).into_text();
        for sql in [KNOWN, BY_KEY, TOUCH, &members, &stories] {
            let plan = plan(&store, sql.to_owned()).await;
            let scans = plan
                .lines()
                .any(|line| line.starts_with("SCAN") && !line.contains("entries_also_in"));
            assert!(!scans, "{sql}\n{plan}");
        }
        let entries = [Sample::new("one").entry(), Sample::new("two").entry()];
        let (_, ready) = begin(&store, entries.iter()).await.unwrap();
        let write = Write {
            feed_id: 1,
            member_id: 1,
            at: now(),
        };
        let additions: Vec<_> = ready.iter().map(|ready| Addition { write, ready }).collect();
        let plan = plan(&store, obstacles_query(&additions).into_text()).await;
        for index in [
            "(key=?)",
            "(feed_id=? AND source_id=?)",
            "entries_by_link (link_key=?)",
        ] {
            assert!(plan.contains(index), "{index}\n{plan}");
        }
    }
}
