//! Entries leave: their words, their labels, their links; the copies that go along, and who takes their place.

use std::collections::BTreeSet;

use model::TopicMatch;
use url::Url;

use super::Withdrawal;
use crate::StoreError;
use crate::entries::touch;
use crate::labels::{self, Label};
use crate::rows::{Fields, millis};
use crate::sql::{Row, Sql};
use crate::tombstones::{Cause, Graveyard, Tombstone};

macro_rules! entries {
    () => {
        "SELECT e.id, e.key, e.feed_id, e.source_id, e.link, e.link_key, e.shown, e.duplicate_of, e.river_at,
            e.released_at, e.title, e.text, e.topics, e.hashtags, f.url, f.site,
            CASE WHEN m.verified_at IS NOT NULL THEN m.url END
         FROM entries e CROSS JOIN feeds f CROSS JOIN members m
         WHERE f.id = e.feed_id AND m.id = e.member_id AND e.withdrawn_at IS NULL"
    };
}
const BY_KEY: &str = concat!(entries!(), " AND e.key = $1");
const OF_STORY: &str = concat!(
    entries!(),
    " AND (e.id = $1 OR e.duplicate_of = $1) ORDER BY e.id"
);

/// What stays says which entry it was, and nothing of what it said.
const ERASE: &str = "UPDATE entries SET shown = FALSE, duplicate_of = NULL, withdrawn_at = $2, withdrawn_by = $3,
        withdrawn_why = $4, changed_at = $5, source_id = $6, link = NULL, link_key = NULL, fingerprint = '',
        substance = '', dated_at = NULL, language = NULL, words = 0, title = NULL, author = NULL, image_url = NULL,
        image_alt = NULL, licence = NULL, source_url = NULL, hashtags = '[]', categories = '[]', topics = '[]',
        summary = '', content_html = '', text = ''
    WHERE id = $1";
/// Who reported it may have quoted it, and who answered, too.
const OF_ENTRY: [&str; 5] = [
    "DELETE FROM entry_links WHERE entry_id = $1",
    "DELETE FROM entry_enclosures WHERE entry_id = $1",
    "DELETE FROM topic_decisions WHERE entry_id = $1",
    "DELETE FROM topic_disputes WHERE entry_id = $1",
    "UPDATE reports SET reason = '', answer = CASE WHEN answer IS NULL THEN NULL ELSE '' END WHERE entry_id = $1",
];
const COUNT_DOWN: &str = "UPDATE feeds SET entries = entries - 1 WHERE id = $1";

const SUCCESSOR: &str = "SELECT id, topics, hashtags FROM entries
    WHERE duplicate_of = $1 AND withdrawn_at IS NULL ORDER BY id LIMIT 1";
const SUCCEED: &str = "UPDATE entries SET shown = TRUE, duplicate_of = NULL, arrival = $2, river_at = $3,
        released_at = $4, changed_at = $5
    WHERE id = $1";
const FOLLOW: &str = "UPDATE entries SET duplicate_of = $2 WHERE duplicate_of = $1";

/// How much of two texts must be the same for one to be a copy of the other, in characters.
const SAME_BEGINNING: usize = 200;

/// An entry that is to leave, or that tells the same story as one.
struct Leaving {
    id: i64,
    key: String,
    feed_id: i64,
    source_id: String,
    link_key: Option<String>,
    shown: bool,
    duplicate_of: Option<i64>,
    river_at: i64,
    released_at: i64,
    title: Option<String>,
    text: String,
    topics: Vec<TopicMatch>,
    hashtags: Vec<String>,
    /// Whether its link leads to where its feed is at home.
    is_own: bool,
}

impl Leaving {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let mut fields = Fields::of("entries", row);
        let mut leaving = Self {
            id: fields.take()?,
            key: fields.take()?,
            feed_id: fields.take()?,
            source_id: fields.take()?,
            link_key: None,
            shown: false,
            duplicate_of: None,
            river_at: 0,
            released_at: 0,
            title: None,
            text: String::new(),
            topics: Vec::new(),
            hashtags: Vec::new(),
            is_own: false,
        };
        let link: Option<String> = fields.take()?;
        leaving.link_key = fields.take()?;
        leaving.shown = fields.take()?;
        leaving.duplicate_of = fields.take()?;
        leaving.river_at = fields.take()?;
        leaving.released_at = fields.take()?;
        leaving.title = fields.take()?;
        leaving.text = fields.take()?;
        leaving.topics = fields.json()?;
        leaving.hashtags = fields.json()?;
        let homes: [Option<String>; 3] = [fields.take()?, fields.take()?, fields.take()?];
        let host = link.as_deref().and_then(host);
        leaving.is_own = host.is_some() && homes.iter().flatten().any(|home| self::host(home) == host);
        Ok(leaving)
    }

    /// Whether it says what the other says, and not something of its own about it.
    fn is_copy_of(&self, other: &Self) -> bool {
        let same_title = self.title.is_some() && self.title == other.title;
        let beginning = |text: &str| -> String { text.chars().take(SAME_BEGINNING).collect() };
        same_title || beginning(&self.text) == beginning(&other.text)
    }

    fn labels(&self) -> BTreeSet<Label> {
        if self.shown {
            labels::of(&self.topics, &self.hashtags, self.river_at, self.id)
        } else {
            BTreeSet::new()
        }
    }
}

/// The host of an address, `www.` aside.
fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    Some(host.strip_prefix("www.").unwrap_or(host).to_owned())
}

impl Withdrawal<'_> {
    /// Erases an entry and the copies that go with it; gives whether there was one.
    pub(super) async fn entry(&mut self, key: &str) -> Result<bool, StoreError> {
        let row = Sql::new(BY_KEY)
            .bind(key)
            .fetch_optional(&mut self.transaction)
            .await?;
        let Some(row) = row else { return Ok(false) };
        let entry = Leaving::read(&row)?;
        let everywhere = entry.is_own || self.cause == Cause::Moderator;
        let story = entry.duplicate_of.unwrap_or(entry.id);
        let mut leaving = Vec::new();
        for row in Sql::new(OF_STORY)
            .bind(story)
            .fetch_all(&mut self.transaction)
            .await?
        {
            let other = Leaving::read(&row)?;
            if other.id == entry.id || everywhere && other.is_copy_of(&entry) {
                leaving.push(other);
            }
        }
        for leaving in &leaving {
            self.bury(leaving, everywhere).await?;
            self.erase(leaving).await?;
        }
        if let Some(first) = leaving.iter().find(|leaving| leaving.id == story) {
            self.succeed(first).await?;
        } else {
            touch(&mut self.transaction, story, &mut self.revision).await?;
        }
        self.revision.visible = true;
        Ok(true)
    }

    async fn bury(&mut self, entry: &Leaving, everywhere: bool) -> Result<(), StoreError> {
        let mut hashes = vec![self.graveyard.source_id(entry.feed_id, &entry.source_id)];
        if let Some(link_key) = &entry.link_key {
            hashes.push(self.graveyard.link_in_feed(entry.feed_id, link_key));
            if everywhere {
                hashes.push(self.graveyard.link(link_key));
            }
        }
        for hash in hashes {
            let tombstone = Tombstone {
                cause: self.cause,
                since: self.decision.at,
                feed_id: Some(entry.feed_id),
                entry_id: Some(entry.id),
            };
            Graveyard::bury(&mut self.transaction, &hash, tombstone).await?;
        }
        Ok(())
    }

    async fn erase(&mut self, entry: &Leaving) -> Result<(), StoreError> {
        let why = self.decision.why.filter(|_| self.cause == Cause::Moderator);
        let source_id = self.graveyard.source_id(entry.feed_id, &entry.source_id);
        let nothing = BTreeSet::new();
        labels::replace(
            &mut self.transaction,
            &entry.labels(),
            &nothing,
            &mut self.revision,
        )
        .await?;
        Sql::new(ERASE)
            .bind(entry.id)
            .bind(millis(self.decision.at))
            .bind(self.cause.as_str())
            .bind(why)
            .bind(self.revision.changed_at)
            .bind(source_id)
            .execute(&mut self.transaction)
            .await?;
        for forget in OF_ENTRY {
            Sql::new(forget)
                .bind(entry.id)
                .execute(&mut self.transaction)
                .await?;
        }
        Sql::new(COUNT_DOWN)
            .bind(entry.feed_id)
            .execute(&mut self.transaction)
            .await?;
        self.entries.push(entry.key.clone());
        Ok(())
    }

    /// Lets what others say of a story take the place of the entry that told it first.
    async fn succeed(&mut self, first: &Leaving) -> Result<(), StoreError> {
        let row = Sql::new(SUCCESSOR)
            .bind(first.id)
            .fetch_optional(&mut self.transaction)
            .await?;
        let Some(row) = row else { return Ok(()) };
        let mut fields = Fields::of("entries", &row);
        let id: i64 = fields.take()?;
        let (topics, hashtags): (Vec<TopicMatch>, Vec<String>) = (fields.json()?, fields.json()?);
        self.revision.arrivals += 1;
        Sql::new(SUCCEED)
            .bind(id)
            .bind(self.revision.arrivals)
            .bind(first.river_at)
            .bind(first.released_at)
            .bind(self.revision.changed_at)
            .execute(&mut self.transaction)
            .await?;
        Sql::new(FOLLOW)
            .bind(first.id)
            .bind(id)
            .execute(&mut self.transaction)
            .await?;
        let labels: Vec<Label> = labels::of(&topics, &hashtags, first.river_at, id)
            .into_iter()
            .collect();
        labels::add(&mut self.transaction, &labels).await
    }
}
