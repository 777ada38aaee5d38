//! What the tests of this crate have in common: a store of their own, feeds, entries, polls.

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Europe::London;
use model::{
    EntryDraft, Evidence, EvidencePlace, Feed, FeedSpec, FeedStatus, HashtagGroup, Pictures, PollOutcome,
    SafeHtml, Search, Site, TopicMatch, TopicSource,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use crate::record::{ChangedEntry, FeedState, NewEntry, PollCounts, PollRecord};
use crate::rows::Fields;
use crate::sql::Sql;
use crate::{Cause, Decision, EntryLookup, Receipt, Registered, Registration, Store};

/// What people type, read for a site with one group of hashtags.
pub(crate) fn search(text: &str) -> Search {
    Search::read(text, &site())
}

fn site() -> Site {
    Site {
        title: String::new(),
        subtitle: String::new(),
        url: "https://voice.example.org".to_owned(),
        language: "en-GB".to_owned(),
        timezone: London,
        contact: String::new(),
        email: None,
        pictures: Pictures::Off,
        ai_training: false,
        hub: None,
        network_hashtags: Vec::new(),
        hashtag_groups: vec![HashtagGroup {
            tag: "ukgovcamp".to_owned(),
            also: vec!["ukgc*".to_owned()],
        }],
        topics: Vec::new().into(),
        digest_schedule: String::new(),
        digest_late_days: 28,
    }
}

/// A store in a database of its own.
pub(crate) struct TestStore {
    store: Store,
    pub(crate) url: String,
    _database: TestDatabase,
}

impl Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

/// A new database: SQLite in a folder that goes when it goes, or, where `VOICE_TEST_POSTGRES` names a PostgreSQL
/// database to throw away, a schema in it.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    _folder: Option<TempDir>,
}

pub(crate) async fn new_database() -> TestDatabase {
    match server() {
        Some(server) => new_schema(&server).await,
        None => new_file(),
    }
}

/// The PostgreSQL database to test with.
#[allow(
    clippy::disallowed_methods,
    reason = "whoever runs the tests says which database"
)]
fn server() -> Option<String> {
    std::env::var("VOICE_TEST_POSTGRES").ok()
}

/// A new schema in PostgreSQL, for tests that need both databases.
pub(crate) async fn new_postgres() -> TestDatabase {
    new_schema(&server().expect("VOICE_TEST_POSTGRES names no database")).await
}

async fn new_schema(server: &str) -> TestDatabase {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let schema = format!("store_{}_{number}", std::process::id());
    let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
    let separator = if server.contains('?') { '&' } else { '?' };
    TestDatabase {
        url: format!("{server}{separator}options=-c%20search_path%3D{schema}"),
        _folder: None,
    }
}

pub(crate) fn new_file() -> TestDatabase {
    let folder = tempfile::tempdir().unwrap();
    TestDatabase {
        url: format!("sqlite://{}", folder.path().join("a/b/voice.db").display()),
        _folder: Some(folder),
    }
}

impl TestDatabase {
    /// Does something to it that the Voice would not.
    pub(crate) async fn execute(&self, sql: &'static str) {
        if self.url.starts_with("sqlite:") {
            let options: SqliteConnectOptions = self.url.parse().unwrap();
            std::fs::create_dir_all(options.get_filename().parent().unwrap()).unwrap();
            let mut connection = options.create_if_missing(true).connect().await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
    }

    pub(crate) async fn open(self) -> TestStore {
        TestStore {
            store: Store::open(&self.url).await.unwrap(),
            url: self.url.clone(),
            _database: self,
        }
    }
}

/// A store in whichever database is tested.
pub(crate) async fn store() -> TestStore {
    new_database().await.open().await
}

/// A store in SQLite, to ask it for its plans.
pub(crate) async fn sqlite() -> TestStore {
    new_file().open().await
}

/// The morning on which the tests play.
pub(crate) fn now() -> DateTime<Utc> {
    at("2026-11-23T09:00:00Z")
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn minutes(minutes: i64) -> DateTime<Utc> {
    now() + TimeDelta::minutes(minutes)
}

/// What is due then, where feeds are polled once a day at least.
pub(crate) fn due(at: DateTime<Utc>) -> crate::Due {
    crate::Due {
        now: at,
        furthest: at + TimeDelta::days(1),
    }
}

pub(crate) fn spec(url: &str, name: &str) -> FeedSpec {
    FeedSpec::new(url.parse().unwrap(), name)
}

pub(crate) async fn merge(store: &Store, specs: &[FeedSpec]) -> crate::MergeReport {
    store.merge_registry(specs, now(), London).await.unwrap()
}

/// Adds a feed and gives it.
pub(crate) async fn feed(store: &Store, url: &str, name: &str) -> Feed {
    store
        .import_feeds(&[spec(url, name)], now(), London)
        .await
        .unwrap();
    let feeds = store.feeds().await.unwrap();
    feeds.into_iter().find(|feed| feed.url.as_str() == url).unwrap()
}

/// A blogger who asks to join.
pub(crate) fn ada() -> FeedSpec {
    spec("https://ada.example.org/feed", "Ada")
}

pub(crate) async fn asks_to_join(store: &TestStore, feed: FeedSpec) -> Registered {
    let registration = Registration {
        feed,
        preview: Some("{}".to_owned()),
        consented_at: Some(now()),
    };
    store.register(&registration, now(), London).await.unwrap()
}

/// A store in which Ada waits for approval.
pub(crate) async fn pending() -> TestStore {
    let store = store().await;
    let registered = asks_to_join(&store, ada()).await;
    let expected = Registered::Pending {
        member: "ada".to_owned(),
        feed: "ada".to_owned(),
    };
    assert_eq!(registered, expected);
    store
}

/// The feed as it stands now.
pub(crate) async fn reread(store: &Store, feed: &Feed) -> Feed {
    store
        .feeds()
        .await
        .unwrap()
        .into_iter()
        .find(|other| other.id == feed.id)
        .unwrap()
}

pub(crate) async fn execute(store: &Store, sql: &'static str) {
    let mut write = store.begin().await.unwrap();
    Sql::new(sql).execute(&mut write).await.unwrap();
    write.commit().await.unwrap();
}

/// What SQLite intends to do for a statement.
pub(crate) async fn plan(store: &Store, sql: String) -> String {
    let explain = Sql::new(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = explain.fetch_all(store.readers()).await.unwrap();
    rows.iter()
        .map(|row| {
            let mut fields = Fields::of("plan", row);
            let (_id, _parent, _unused): (i64, i64, i64) = (
                fields.take().unwrap(),
                fields.take().unwrap(),
                fields.take().unwrap(),
            );
            fields.take::<String>().unwrap()
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Holds what is kept of members' counts against what a count finds, and gives it.
pub(crate) async fn recounted(store: &Store) -> Vec<(String, String, i64)> {
    const KEPT: &str = "SELECT c.kind, c.label, m.slug, c.entries FROM member_counts c
        LEFT JOIN members m ON m.id = c.member_id ORDER BY c.kind, c.label, m.slug";
    const COUNTED: &str = "SELECT c.kind, c.label, m.slug, COUNT(*) AS entries FROM (
            SELECT 'arrived' AS kind, '' AS label, e.member_id FROM entries e WHERE e.arrival IS NOT NULL
            UNION ALL SELECT l.kind, l.label, e.member_id FROM entry_labels l JOIN entries e ON e.id = l.entry_id
                WHERE l.kind = 'topic') c
        JOIN members m ON m.id = c.member_id GROUP BY c.kind, c.label, m.slug ORDER BY c.kind, c.label, m.slug";
    const OTHERWISE: &str = "SELECT COUNT(*) FROM members m
        LEFT JOIN (SELECT e.member_id, MAX(e.river_at) AS river_at FROM entries e WHERE e.shown = TRUE GROUP BY e.member_id) e
            ON e.member_id = m.id
        LEFT JOIN member_newest n ON n.member_id = m.id WHERE COALESCE(e.river_at, 0) <> COALESCE(n.river_at, 0)";
    let otherwise: i64 = Sql::new(OTHERWISE)
        .fetch_value("member_newest", store.readers())
        .await
        .unwrap();
    assert_eq!(otherwise, 0, "newest entries");
    let mut read = Vec::new();
    for sql in [KEPT, COUNTED] {
        let rows = Sql::new(sql).fetch_all(store.readers()).await.unwrap();
        let counts = rows.iter().map(|row| {
            let mut fields = Fields::of("member_counts", row);
            let _kind: String = fields.take().unwrap();
            let (label, member) = (fields.take().unwrap(), fields.take().unwrap());
            (label, member, fields.take().unwrap())
        });
        read.push(counts.collect::<Vec<(String, String, i64)>>());
    }
    assert_eq!(read[0], read[1]);
    read.swap_remove(0)
}

/// A decision of the moderator Mo.
pub(crate) fn by_mo(at: DateTime<Utc>) -> crate::Decision<'static> {
    crate::Decision {
        by: "mo",
        why: None,
        at,
    }
}

/// An entry in the making.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) new: NewEntry,
}

impl Sample {
    /// An entry that is known by `name`, published and released at [`now`].
    pub(crate) fn new(name: &str) -> Self {
        let link = format!("https://example.org/{name}");
        let draft = EntryDraft {
            source_id: name.to_owned(),
            link_key: Some(format!("example.org/{name}")),
            link: Some(link),
            fingerprint: format!("fingerprint of {name}"),
            substance: format!("substance of {name}"),
            title: Some(format!("Title of {name}")),
            summary: format!("Summary of {name}."),
            content_html: SafeHtml::vouched(format!("<p>Text of {name}.</p>")),
            text: format!("Text of {name}."),
            language: Some("en".to_owned()),
            words: 3,
            ..EntryDraft::default()
        };
        Self {
            new: NewEntry {
                key: format!(
                    "{:x<16}",
                    name.replace(|c: char| !c.is_ascii_alphanumeric(), "x")
                        .to_lowercase()
                ),
                id_prefix: "tag:voice.example.org,2026:".to_owned(),
                draft,
                published_at: now(),
                updated_at: now(),
                released_at: now(),
                undated_back_catalogue: false,
                shown: true,
            },
        }
    }

    /// Published and released then.
    pub(crate) fn at(mut self, at: DateTime<Utc>) -> Self {
        (self.new.published_at, self.new.updated_at, self.new.released_at) = (at, at, at);
        self
    }

    pub(crate) fn draft(mut self, change: impl FnOnce(&mut EntryDraft)) -> Self {
        change(&mut self.new.draft);
        self
    }

    pub(crate) fn topic(self, slug: &str) -> Self {
        self.draft(|draft| {
            draft.topics.push(TopicMatch {
                slug: slug.to_owned(),
                score: 0.93,
                by: TopicSource::Rule,
                why: vec![Evidence {
                    place: EvidencePlace::Title,
                    text: slug.to_owned(),
                }],
            });
        })
    }

    pub(crate) fn hashtag(self, tag: &str) -> Self {
        self.draft(|draft| draft.hashtags.push(tag.to_owned()))
    }

    pub(crate) fn words(self, title: &str, text: &str) -> Self {
        self.draft(|draft| {
            draft.title = Some(title.to_owned());
            draft.text = text.to_owned();
        })
    }

    pub(crate) fn hidden(mut self) -> Self {
        self.new.shown = false;
        self
    }

    pub(crate) fn undated(mut self) -> Self {
        self.new.undated_back_catalogue = true;
        self
    }

    pub(crate) fn entry(self) -> NewEntry {
        self.new
    }

    /// The same entry as the feed states it now.
    pub(crate) fn changed(self, id: i64, substantial: bool) -> ChangedEntry {
        ChangedEntry {
            id,
            substantial,
            shown: self.new.shown,
            draft: self.new.draft,
        }
    }
}

/// A good poll of the feed as it stands.
pub(crate) fn poll(feed: &Feed, at: DateTime<Utc>) -> PollRecord {
    PollRecord {
        outcome: PollOutcome::NotModified,
        http_status: Some(304),
        duration_ms: 12,
        state: FeedState {
            status: FeedStatus::Active,
            next_poll_at: at + TimeDelta::minutes(30),
            retry_after_at: None,
            failures: 0,
            gone_since: None,
            moved: None,
            ..FeedState::of(feed)
        },
        ..PollRecord::of(feed, at)
    }
}

/// Records a good poll at `at` that found these.
pub(crate) async fn record_at(
    store: &Store,
    feed: &Feed,
    at: DateTime<Utc>,
    new: Vec<NewEntry>,
    changed: Vec<ChangedEntry>,
) -> PollCounts {
    let feed = reread(store, feed).await;
    let record = PollRecord {
        outcome: PollOutcome::Changed,
        http_status: Some(200),
        new,
        changed,
        ..poll(&feed, at)
    };
    store.record_polls(&[record]).await.unwrap()[0]
}

/// Records a good poll at [`now`] that found these new entries, newest first.
pub(crate) async fn record(store: &Store, feed: &Feed, new: Vec<NewEntry>) -> PollCounts {
    record_at(store, feed, now(), new, Vec::new()).await
}

/// The entry of this sample's key.
pub(crate) async fn found(store: &Store, sample: &Sample) -> model::Entry {
    match store.entry(&sample.new.key).await.unwrap() {
        EntryLookup::Found(entry) => *entry,
        other => panic!("{other:?}"),
    }
}

/// The titles of a list, for short comparisons.
pub(crate) fn titles(entries: &[model::Entry]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| {
            entry
                .title
                .as_deref()
                .unwrap_or("-")
                .trim_start_matches("Title of ")
        })
        .collect()
}

/// Withdraws the entry that a sample of this name became, half an hour from [`now`].
pub(crate) async fn withdraw(store: &Store, name: &str) -> Receipt {
    let key = Sample::new(name).new.key;
    store
        .withdraw_entries(&[key], Cause::Author, &by_hand(minutes(30)))
        .await
        .unwrap()
}

/// Somebody decides at this moment.
pub(crate) fn by_hand(at: DateTime<Utc>) -> Decision<'static> {
    Decision {
        by: "mo",
        why: Some("because"),
        at,
    }
}

/// The number of the entry that this feed knows by this identity.
pub(crate) async fn id_of(store: &Store, feed: &model::Feed, source_id: &str) -> i64 {
    let known = store.known_entries(feed.id).await.unwrap();
    known
        .into_iter()
        .find(|entry| entry.source_id == source_id)
        .unwrap()
        .id
}
