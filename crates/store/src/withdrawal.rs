//! Withdrawal: entries, feeds and members leave the Voice, and nothing that they wrote stays in the database.
//!
//! [`Store::withdraw_entries`] erases the words of entries, their labels, their places in the index of words, and their
//! links; the key alone stays, so that the address answers 410 and `changed_since` says "withdrawn".
//! [`Store::withdraw_feed`] and [`Store::withdraw_member`] erase names and addresses too. Salted hashes stay in
//! `tombstones`, so that nothing is added again by accident: [`Store::record_polls`] passes over what lies there.
//!
//! Who uses it, and how:
//! - The member's own page and moderators call it with a [`Cause`] and a [`Decision`], and show the [`Receipt`].
//! - Whoever finds that a post was deleted at the source collects such keys and calls
//!   `withdraw_entries(&keys, Cause::Source, &Decision { by: SOURCE, .. })`.
//! - Whoever publishes something derived (digests, hubs, queued mails) is never called: it sees
//!   `entries.withdrawn_at` and `members.withdrawn_at`, and the revision, which each withdrawal moves.
//! - A table that keeps words of entries, or names of members, erases them here, in the same transaction. A test holds
//!   every column of `entries` to that.
//!
//! A copy of the same story in another feed goes along where the story was the feed's own, or a moderator hides it. What
//! another says of it in their own words takes its place.

use chrono::{DateTime, Utc};
use model::{TopicMatch, normal_feed_address};
use serde::Serialize;
use url::Url;

use crate::audit::{self, Decision};
use crate::changes::NextRevision;
use crate::db::{Pool, Transaction};
use crate::entries::touch;
use crate::labels::{self, Label};
use crate::rows::{Fields, millis};
use crate::sql::{Row, Sql};
use crate::tombstones::{Cause, Graveyard, Tombstone};
use crate::{Store, StoreError, postgres, sqlite};

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
const KEYS_OF_FEED: &str = "SELECT key FROM entries WHERE feed_id = $1 AND withdrawn_at IS NULL ORDER BY id";

/// What stays says which entry it was, and nothing of what it said.
const ERASE: &str = "UPDATE entries SET shown = FALSE, duplicate_of = NULL, withdrawn_at = $2, withdrawn_by = $3,
        withdrawn_why = $4, changed_at = $5, source_id = $6, link = NULL, link_key = NULL, fingerprint = '',
        substance = '', dated_at = NULL, language = NULL, words = 0, title = NULL, author = NULL, image_url = NULL,
        image_alt = NULL, licence = NULL, source_url = NULL, hashtags = '[]', categories = '[]', topics = '[]',
        summary = '', content_html = '', text = ''
    WHERE id = $1";
const OF_ENTRY: [&str; 3] = [
    "DELETE FROM entry_links WHERE entry_id = $1",
    "DELETE FROM topic_decisions WHERE entry_id = $1",
    "DELETE FROM topic_disputes WHERE entry_id = $1",
];
const COUNT_DOWN: &str = "UPDATE feeds SET entries = entries - 1 WHERE id = $1";

const SUCCESSOR: &str = "SELECT id, topics, hashtags FROM entries
    WHERE duplicate_of = $1 AND withdrawn_at IS NULL ORDER BY id LIMIT 1";
const SUCCEED: &str = "UPDATE entries SET shown = TRUE, duplicate_of = NULL, arrival = $2, river_at = $3,
        released_at = $4, changed_at = $5
    WHERE id = $1";
const FOLLOW: &str = "UPDATE entries SET duplicate_of = $2 WHERE duplicate_of = $1";

const FEED: &str = "SELECT f.id, f.member_id, f.url, f.address, m.slug,
        (SELECT COUNT(*) FROM feeds o WHERE o.member_id = m.id AND o.withdrawn_at IS NULL)
    FROM feeds f JOIN members m ON m.id = f.member_id WHERE f.slug = $1 AND f.withdrawn_at IS NULL";
const FEEDS_OF_MEMBER: &str = "SELECT f.slug FROM feeds f JOIN members m ON m.id = f.member_id
    WHERE m.slug = $1 AND f.withdrawn_at IS NULL ORDER BY f.id";
const ALIASES: &str = "SELECT address FROM feed_aliases WHERE feed_id = $1";
/// The name of the feed is taken from its number, and its address is one that can never be.
const ERASE_FEED: &str = "UPDATE feeds SET version = version + 1, slug = 'withdrawn-' || id,
        url = 'https://withdrawn.invalid/' || id, address = $2, site = NULL, site_url = NULL, licence = NULL,
        status = 'retired', in_file = FALSE, etag = NULL, last_modified = NULL, body_hash = NULL, last_error = NULL,
        moved_to = NULL, moved_since_at = NULL, title = NULL, validators_url = NULL, proposed_url = NULL,
        held_why = NULL, hub_url = NULL, hub_topic = NULL, decided_by = $3, decided_why = NULL, withdrawn_at = $4
    WHERE id = $1 RETURNING slug";
const OF_FEED: [&str; 7] = [
    "DELETE FROM notices WHERE feed IN (SELECT f.url FROM feeds f WHERE f.id = $1)",
    "DELETE FROM feed_troubles WHERE feed_id = $1",
    "DELETE FROM subscriptions WHERE feed_id = $1",
    "DELETE FROM polls WHERE feed_id = $1",
    "DELETE FROM feed_aliases WHERE feed_id = $1",
    "DELETE FROM registrations WHERE feed_id = $1",
    "DELETE FROM leases WHERE feed_id = $1",
];
const ERASE_MEMBER: &str =
    "UPDATE members SET slug = 'withdrawn-' || id, name = 'A former member', organisation = NULL,
        url = NULL, verified_at = NULL, verified_by = NULL, consented_at = NULL, withdrawn_at = $2
    WHERE id = $1 RETURNING slug";
const OF_MEMBER: [&str; 4] = [
    "DELETE FROM notices WHERE member_id = $1",
    "DELETE FROM member_emails WHERE member_id = $1",
    "DELETE FROM manage_links WHERE member_id = $1",
    "DELETE FROM member_aliases WHERE member_id = $1",
];
const OTHERS_ON_HOST: &str = "SELECT url FROM feeds WHERE withdrawn_at IS NULL AND id <> $1";
const FORGET_HOST: &str = "DELETE FROM host_days WHERE host = $1";

const WANT_SCRUB: &str = "UPDATE site_state SET scrub = TRUE";
const IS_WANTED: &str = "SELECT scrub FROM site_state";
const SCRUBBED: &str = "UPDATE site_state SET scrub = FALSE";

/// How much of two texts must be the same for one to be a copy of the other, in characters.
const SAME_BEGINNING: usize = 200;

/// What was withdrawn, and from where it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// When.
    pub at: DateTime<Utc>,
    /// The keys of the entries whose text was erased, copies in other feeds among them.
    pub entries: Vec<String>,
    /// How many feeds are gone, with their addresses.
    pub feeds: u32,
    /// Whether the member is gone, with name and e-mail address.
    pub member: bool,
    /// The places that it is gone from, each with its moment.
    pub places: Vec<Place>,
    /// Whether nothing of it is left in the files of the database; if not, readers who were in the middle of something
    /// still held it, and it is tried again until it is.
    pub scrubbed: bool,
}

/// A place that something is gone from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// In words.
    pub place: &'static str,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// Where what was erased is gone from as soon as it is written.
const PLACES: [&str; 4] = [
    "pages and search",
    "feeds, archives and lists of feeds",
    "exports, which say that it was withdrawn",
    "open digests",
];
const FILES: &str = "the files of the database, its log of writes among them";

impl Store {
    /// Erases these entries. Keys of nobody, or of what is withdrawn already, are passed over.
    pub async fn withdraw_entries(
        &self,
        keys: &[impl AsRef<str> + Sync],
        cause: Cause,
        decision: &Decision<'_>,
    ) -> Result<Receipt, StoreError> {
        let mut withdrawal = Withdrawal::begin(self, cause, decision).await?;
        for key in keys {
            if withdrawal.entry(key.as_ref()).await? {
                audit::write(
                    &mut withdrawal.transaction,
                    decision,
                    "withdraw entry",
                    key.as_ref(),
                )
                .await?;
            }
        }
        withdrawal.finish(self).await
    }

    /// Erases a feed with all its entries; the member too, if it was their last. `None` if no feed has this slug.
    pub async fn withdraw_feed(
        &self,
        slug: &str,
        cause: Cause,
        decision: &Decision<'_>,
    ) -> Result<Option<Receipt>, StoreError> {
        let mut withdrawal = Withdrawal::begin(self, cause, decision).await?;
        if !withdrawal.feed(slug).await? {
            return Ok(None);
        }
        withdrawal.finish(self).await.map(Some)
    }

    /// Erases a member with all feeds and entries. `None` if nobody has this slug.
    pub async fn withdraw_member(
        &self,
        slug: &str,
        cause: Cause,
        decision: &Decision<'_>,
    ) -> Result<Option<Receipt>, StoreError> {
        let mut withdrawal = Withdrawal::begin(self, cause, decision).await?;
        let rows = Sql::new(FEEDS_OF_MEMBER)
            .bind(slug)
            .fetch_all(&mut withdrawal.transaction)
            .await?;
        if rows.is_empty() {
            return Ok(None);
        }
        for row in &rows {
            let feed: String = Fields::of("feeds", row).take()?;
            withdrawal.feed(&feed).await?;
        }
        withdrawal.finish(self).await.map(Some)
    }

    /// Makes sure that nothing which was erased is left in the files of the database, if that is still to be done.
    /// Gives false while readers who are in the middle of something prevent it; then it is to be tried again.
    pub async fn scrub(&self) -> Result<bool, StoreError> {
        let wanted: bool = Sql::new(IS_WANTED)
            .fetch_value("site_state", self.readers())
            .await?;
        if !wanted {
            return Ok(true);
        }
        let done = match &self.writer {
            Pool::Sqlite(writer) => sqlite::scrub(writer).await?,
            Pool::Postgres(writer) => postgres::scrub(writer).await?,
        };
        if done {
            Sql::new(SCRUBBED).execute(&self.writer).await?;
        }
        Ok(done)
    }
}

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
        leaving.is_own = host.is_some()
            && homes
                .iter()
                .flatten()
                .any(|home| crate::withdrawal::host(home) == host);
        Ok(leaving)
    }

    /// Whether it says what the other says, and not something of its own about it.
    fn is_copy_of(&self, other: &Self) -> bool {
        let same_title = self.title.is_some() && self.title == other.title;
        let beginning = |text: &str| -> String { text.chars().take(SAME_BEGINNING).collect() };
        same_title || beginning(&self.text) == beginning(&other.text)
    }

    fn labels(&self) -> std::collections::BTreeSet<Label> {
        if self.shown {
            labels::of(&self.topics, &self.hashtags, self.river_at, self.id)
        } else {
            std::collections::BTreeSet::new()
        }
    }
}

/// The host of an address, `www.` aside.
fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    Some(host.strip_prefix("www.").unwrap_or(host).to_owned())
}

/// A withdrawal in the making.
struct Withdrawal<'a> {
    transaction: Transaction,
    revision: NextRevision,
    graveyard: Graveyard,
    cause: Cause,
    decision: &'a Decision<'a>,
    entries: Vec<String>,
    feeds: u32,
    member: bool,
}

impl<'a> Withdrawal<'a> {
    async fn begin(store: &Store, cause: Cause, decision: &'a Decision<'a>) -> Result<Self, StoreError> {
        let mut transaction = store.begin().await?;
        let revision = NextRevision::begin(&mut transaction, decision.at).await?;
        let graveyard = Graveyard::open(&mut transaction).await?;
        Ok(Self {
            transaction,
            revision,
            graveyard,
            cause,
            decision,
            entries: Vec::new(),
            feeds: 0,
            member: false,
        })
    }

    /// Erases an entry and the copies that go with it; gives whether there was one.
    async fn entry(&mut self, key: &str) -> Result<bool, StoreError> {
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
        let nothing = std::collections::BTreeSet::new();
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

    /// Erases a feed, and its member with the last one; gives whether there was one.
    async fn feed(&mut self, slug: &str) -> Result<bool, StoreError> {
        let row = Sql::new(FEED)
            .bind(slug)
            .fetch_optional(&mut self.transaction)
            .await?;
        let Some(row) = row else { return Ok(false) };
        let mut fields = Fields::of("feeds", &row);
        let (id, member_id): (i64, i64) = (fields.take()?, fields.take()?);
        let url: Url = fields.read(|url: &str| url.parse().ok())?;
        let address: String = fields.take()?;
        let member: String = fields.take()?;
        let is_last = fields.take::<i64>()? == 1;

        for row in Sql::new(KEYS_OF_FEED)
            .bind(id)
            .fetch_all(&mut self.transaction)
            .await?
        {
            let key: String = Fields::of("entries", &row).take()?;
            self.entry(&key).await?;
        }
        self.bury_feed(id, &url, &address).await?;
        self.forget_host(id, &url).await?;
        for forget in OF_FEED {
            Sql::new(forget).bind(id).execute(&mut self.transaction).await?;
        }
        let instead: String = Sql::new(ERASE_FEED)
            .bind(id)
            .bind(self.graveyard.feed(&address))
            .bind(self.decision.by)
            .bind(millis(self.decision.at))
            .fetch_value("feeds", &mut self.transaction)
            .await?;
        audit::forget_name(&mut self.transaction, slug, &instead).await?;
        audit::write(&mut self.transaction, self.decision, "withdraw feed", &instead).await?;
        self.feeds += 1;
        self.revision.visible = true;
        if is_last {
            self.erase_member(member_id, &member).await?;
        }
        Ok(true)
    }

    async fn bury_feed(&mut self, id: i64, url: &Url, address: &str) -> Result<(), StoreError> {
        let mut addresses = vec![normal_feed_address(url), address.to_owned()];
        for row in Sql::new(ALIASES)
            .bind(id)
            .fetch_all(&mut self.transaction)
            .await?
        {
            addresses.push(Fields::of("feed_aliases", &row).take()?);
        }
        for address in addresses {
            let tombstone = Tombstone {
                cause: self.cause,
                since: self.decision.at,
                feed_id: Some(id),
                entry_id: None,
            };
            let hash = self.graveyard.feed(&address);
            Graveyard::bury(&mut self.transaction, &hash, tombstone).await?;
        }
        Ok(())
    }

    /// What was asked of a host on behalf of this feed alone says who it was.
    async fn forget_host(&mut self, id: i64, url: &Url) -> Result<(), StoreError> {
        let Some(host) = url.host_str() else { return Ok(()) };
        for row in Sql::new(OTHERS_ON_HOST)
            .bind(id)
            .fetch_all(&mut self.transaction)
            .await?
        {
            let other: Url = Fields::of("feeds", &row).read(|url: &str| url.parse().ok())?;
            if other.host_str() == Some(host) {
                return Ok(());
            }
        }
        Sql::new(FORGET_HOST)
            .bind(host)
            .execute(&mut self.transaction)
            .await?;
        Ok(())
    }

    async fn erase_member(&mut self, id: i64, slug: &str) -> Result<(), StoreError> {
        for forget in OF_MEMBER {
            Sql::new(forget).bind(id).execute(&mut self.transaction).await?;
        }
        let instead: String = Sql::new(ERASE_MEMBER)
            .bind(id)
            .bind(millis(self.decision.at))
            .fetch_value("members", &mut self.transaction)
            .await?;
        audit::forget_name(&mut self.transaction, slug, &instead).await?;
        audit::write(&mut self.transaction, self.decision, "withdraw member", &instead).await?;
        self.member = true;
        Ok(())
    }

    async fn finish(mut self, store: &Store) -> Result<Receipt, StoreError> {
        let at = self.decision.at;
        let is_any = !self.entries.is_empty() || self.feeds > 0;
        if is_any {
            Sql::new(WANT_SCRUB).execute(&mut self.transaction).await?;
        }
        self.revision.finish(&mut self.transaction).await?;
        self.transaction.commit().await?;
        // From here on it is withdrawn. What cannot be scrubbed now is tried again.
        let scrubbed = store.scrub().await.unwrap_or(false);
        let files = scrubbed.then_some(FILES);
        let places = PLACES.into_iter().chain(files).filter(|_| is_any);
        Ok(Receipt {
            at,
            entries: self.entries,
            feeds: self.feeds,
            member: self.member,
            places: places.map(|place| Place { place, at }).collect(),
            scrubbed,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use model::AlsoIn;

    use super::*;
    use crate::query::{Change, EntryLookup, EntryQuery};
    use crate::testing::{
        self, Sample, by_hand, feed, found, merge, minutes, now, record, record_at, reread, spec,
    };

    /// A word that stands in every part of an entry.
    const MARKER: &str = "quixotryword";

    fn marked(name: &str) -> Sample {
        Sample::new(name)
            .topic(MARKER)
            .hashtag(MARKER)
            .words(
                &format!("Title {MARKER} {name}"),
                &format!("{name} {MARKER} text. ").repeat(400),
            )
            .draft(|draft| {
                draft.author = Some(MARKER.to_owned());
                draft.summary = MARKER.to_owned();
                draft.categories = vec![MARKER.to_owned()];
                draft.content_html = model::SafeHtml::vouched(
                    format!("<p><a href=\"https://example.com/{MARKER}\">{MARKER}</a></p>").repeat(300),
                );
                draft.link = Some(format!("https://ada.example.org/{MARKER}/{name}"));
                draft.link_key = Some(format!("ada.example.org/{MARKER}/{name}"));
                draft.image = Some(model::Image {
                    url: format!("https://ada.example.org/{MARKER}.png"),
                    alt: Some(MARKER.to_owned()),
                });
            })
    }

    /// How often the word stands in the files of a SQLite database, its log of writes included.
    fn in_files(url: &str) -> usize {
        let path = url.trim_start_matches("sqlite://");
        let mut count = 0;
        for file in [path.to_owned(), format!("{path}-wal"), format!("{path}-shm")] {
            let bytes = std::fs::read(Path::new(&file)).unwrap_or_default();
            count += bytes
                .windows(MARKER.len())
                .filter(|window| window.eq_ignore_ascii_case(MARKER.as_bytes()))
                .count();
        }
        count
    }

    #[tokio::test]
    async fn nothing_of_the_text_stays_in_the_files() {
        let store = testing::sqlite().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let others: Vec<_> = (0..40)
            .map(|number| {
                Sample::new(&format!("other{number}"))
                    .words("Other", &"words ".repeat(900))
                    .entry()
            })
            .collect();
        record(&store, &ada, others).await;
        record_at(&store, &ada, minutes(1), vec![marked("one").entry()], Vec::new()).await;
        // An edit leaves the old words behind, too.
        let id = testing::id_of(&store, &ada, "one").await;
        let edited = marked("one").words(&format!("{MARKER} edited"), &format!("short {MARKER}"));
        record_at(
            &store,
            &ada,
            minutes(2),
            Vec::new(),
            vec![edited.changed(id, true)],
        )
        .await;
        let more: Vec<_> = (0..40)
            .map(|number| {
                Sample::new(&format!("more{number}"))
                    .words("More", &"more ".repeat(900))
                    .entry()
            })
            .collect();
        record_at(&store, &ada, minutes(3), more, Vec::new()).await;
        assert!(
            in_files(&store.url) > 0,
            "the word is looked for in the wrong place"
        );
        assert_eq!(
            store.search(&testing::search(MARKER), 5, 0).await.unwrap().len(),
            1
        );

        let receipt = testing::withdraw(&store, "one").await;
        assert!(receipt.scrubbed);
        assert_eq!(receipt.entries, [Sample::new("one").new.key]);
        assert_eq!(receipt.places.len(), 5);
        assert_eq!(in_files(&store.url), 0);
        assert!(
            store
                .search(&testing::search(MARKER), 5, 0)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(store.topic_counts().await.unwrap().is_empty());
    }

    /// Every text of an entry that is withdrawn is empty, but for those that say which it was. A new column with words
    /// in it must be erased in `ERASE`.
    #[tokio::test]
    async fn every_column_with_words_is_empty() {
        const STAY: [&str; 5] = ["key", "uri", "source_id", "withdrawn_by", "withdrawn_why"];
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(&store, &ada, vec![marked("one").entry()]).await;
        testing::withdraw(&store, "one").await;
        let mut reading = store.begin().await.unwrap();
        let tables = crate::catalogue::tables(&mut reading).await.unwrap();
        let entries = tables.iter().find(|table| table.name == "entries").unwrap();
        for column in &entries.columns {
            if column.class != crate::catalogue::Class::Text {
                continue;
            }
            let sql = Sql::new(format!("SELECT COALESCE({}, '') FROM entries", column.name));
            let value: String = sql.fetch_value("entries", &mut reading).await.unwrap();
            if STAY.contains(&column.name.as_str()) {
                assert!(!value.contains(MARKER), "{}: {value}", column.name);
            } else {
                assert!(["", "[]"].contains(&value.as_str()), "{}: {value}", column.name);
            }
        }
    }

    #[tokio::test]
    async fn what_was_withdrawn_is_told_and_stays_away() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(
            &store,
            &ada,
            vec![marked("one").entry(), Sample::new("two").entry()],
        )
        .await;
        let before = store.revision().await.unwrap().number;
        testing::withdraw(&store, "one").await;
        assert_eq!(store.revision().await.unwrap().number, before + 1);
        let key = Sample::new("one").new.key;
        assert_eq!(
            store.entry(&key).await.unwrap(),
            EntryLookup::Withdrawn { at: minutes(30) }
        );
        let changes = store.changes(minutes(10), None, 10).await.unwrap().changes;
        assert!(matches!(&changes[..], [Change::Withdrawn(told)] if told.key == key));
        assert_eq!(reread(&store, &ada).await.entries, 1);
        // By its identity, or by its link under another, in this feed or elsewhere.
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        let reguided = marked("one").draft(|draft| draft.source_id = "another".to_owned());
        for (at, feed, sample) in [
            (40, &ada, marked("one")),
            (41, &ada, reguided),
            (42, &ben, marked("one")),
        ] {
            let counts = record_at(&store, feed, minutes(at), vec![sample.entry()], Vec::new()).await;
            assert_eq!(counts.new, 0, "{at}");
        }
        // Twice is once.
        let again = testing::withdraw(&store, "one").await;
        assert_eq!((again.entries.len(), again.places.len()), (0, 0));
    }

    #[tokio::test]
    async fn copies_go_along_and_others_words_take_the_place() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let team = feed(&store, "https://team.example.org/feed", "Team").await;
        let links = feed(&store, "https://links.example.org/feed", "Links").await;
        let keyed = |mut sample: Sample, key: &str| {
            sample.new.key = key.to_owned();
            sample.entry()
        };
        record(&store, &ada, vec![marked("one").entry()]).await;
        record_at(
            &store,
            &team,
            minutes(1),
            vec![keyed(marked("one"), "copyxxxx")],
            Vec::new(),
        )
        .await;
        let own_words = marked("one")
            .words("What Ada wrote", "Read this.")
            .topic("reading");
        record_at(
            &store,
            &links,
            minutes(2),
            vec![keyed(own_words, "aboutxxx")],
            Vec::new(),
        )
        .await;
        let place = found(&store, &marked("one")).await.released;

        let receipt = testing::withdraw(&store, "one").await;
        assert_eq!(
            receipt.entries,
            [Sample::new("one").new.key, "copyxxxx".to_owned()]
        );
        let river = store.entries(&EntryQuery::newest(5)).await.unwrap().entries;
        assert_eq!(river.len(), 1);
        assert_eq!(
            (river[0].key.as_str(), river[0].released, river[0].also_in.len()),
            ("aboutxxx", place, 0)
        );
        let by_topic = EntryQuery {
            topic: Some("reading".to_owned()),
            ..EntryQuery::newest(5)
        };
        assert_eq!(store.entries(&by_topic).await.unwrap().entries.len(), 1);
    }

    #[tokio::test]
    async fn a_feed_takes_back_what_it_passed_on_and_not_the_story() {
        let store = testing::store().await;
        let team = feed(&store, "https://team.example.org/feed", "Team").await;
        let ada = feed(&store, "https://other.example.org/feed", "Ada").await;
        record(&store, &team, vec![marked("one").entry()]).await;
        let mut adas = marked("one");
        adas.new.key = "adasxxxx".to_owned();
        record_at(&store, &ada, minutes(1), vec![adas.clone().entry()], Vec::new()).await;
        let also = AlsoIn {
            member: ada.member.clone(),
            url: adas.new.draft.link.clone(),
        };
        assert_eq!(found(&store, &marked("one")).await.also_in, [also]);
        testing::withdraw(&store, "one").await;
        assert_eq!(found(&store, &adas).await.member.slug, "ada");
        // Ada's own feed may bring it again; the one that passed it on may not.
        assert_eq!(
            record_at(
                &store,
                &team,
                minutes(50),
                vec![marked("one").entry()],
                Vec::new()
            )
            .await
            .new,
            0
        );
    }

    #[tokio::test]
    async fn a_moderator_hides_it_wherever_it_stands() {
        let store = testing::store().await;
        let team = feed(&store, "https://team.example.org/feed", "Team").await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(&store, &team, vec![marked("one").entry()]).await;
        let mut adas = marked("one");
        adas.new.key = "adasxxxx".to_owned();
        record_at(&store, &ada, minutes(1), vec![adas.entry()], Vec::new()).await;
        let receipt = store
            .withdraw_entries(&["adasxxxx"], Cause::Moderator, &by_hand(minutes(5)))
            .await
            .unwrap();
        assert_eq!(receipt.entries.len(), 2);
        assert!(
            store
                .entries(&EntryQuery::newest(5))
                .await
                .unwrap()
                .entries
                .is_empty()
        );
        let audit = store.audit(None, 1).await.unwrap().remove(0);
        assert_eq!(
            (
                audit.by.as_str(),
                audit.action.as_str(),
                audit.target.as_str(),
                audit.why.as_deref()
            ),
            ("mo", "withdraw entry", "adasxxxx", Some("because"))
        );
    }

    #[tokio::test]
    async fn a_member_leaves_nothing_behind_and_does_not_come_back() {
        let store = testing::sqlite().await;
        let specs = [
            spec(
                &format!("https://{MARKER}.example.org/feed"),
                &format!("Ada {MARKER}"),
            ),
            spec("https://ben.example.org/feed", "Ben"),
        ];
        merge(&store, &specs).await;
        let ada = store.feeds().await.unwrap().remove(0);
        record(&store, &ada, vec![marked("one").entry(), marked("two").entry()]).await;
        store
            .set_email(&ada.slug, &format!("{MARKER}@example.org"), now())
            .await
            .unwrap();
        store.new_link(&ada.slug, &by_hand(now())).await.unwrap();
        store.pause_feed(&ada.slug, &by_hand(now())).await.unwrap();

        let receipt = store
            .withdraw_member(&ada.slug, Cause::Left, &by_hand(minutes(5)))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (receipt.entries.len(), receipt.feeds, receipt.member),
            (2, 1, true)
        );
        assert!(receipt.scrubbed);
        assert_eq!(in_files(&store.url), 0);
        assert_eq!(store.feeds().await.unwrap().len(), 1);
        assert_eq!(store.members().await.unwrap().len(), 1);
        assert_eq!(store.memberships().await.unwrap().len(), 1);
        assert_eq!(store.member(&ada.slug).await.unwrap(), None);

        // The file still names it: nothing is added, and the log can say so.
        let report = merge(&store, &specs).await;
        assert_eq!((report.added.len(), report.withheld.len()), (0, 1));
        assert_eq!(merge(&store, &specs).await, report);
        assert_eq!(store.feeds().await.unwrap().len(), 1);
        assert_eq!(
            store
                .withdraw_member(&ada.slug, Cause::Left, &by_hand(minutes(6)))
                .await
                .unwrap(),
            None
        );
        // Until somebody means it.
        store.let_back(&specs[0].url).await.unwrap();
        assert_eq!(merge(&store, &specs).await.added.len(), 1);
    }

    #[tokio::test]
    async fn readers_who_hold_on_are_waited_for() {
        let store = testing::sqlite().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(&store, &ada, vec![marked("one").entry()]).await;
        let mut busy = crate::db::snapshot(&store.url).await.unwrap();
        Sql::new("SELECT COUNT(*) FROM entries")
            .fetch_one(&mut busy)
            .await
            .unwrap();
        let receipt = testing::withdraw(&store, "one").await;
        assert!(!receipt.scrubbed && receipt.places.len() == 4);
        assert!(in_files(&store.url) > 0);
        drop(busy);
        assert!(store.scrub().await.unwrap());
        assert_eq!(in_files(&store.url), 0);
    }
}
