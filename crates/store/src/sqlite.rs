//! What SQLite does in its own way: files, connections, the lock of a write, its result codes.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Pool, Sqlite, SqliteConnection};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::db::{self, Fault, MigrationFile};
use crate::{Store, StoreError};

/// How many reads go side by side, where there are threads to ask for them.
const READERS: u32 = 8;
/// How long a writer waits for another program to finish.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Of a new file, in bytes: an entry and its text take two or three.
const PAGE_SIZE: u32 = 8192;
/// After so many pages, 32 MiB, the write-ahead log is brought into the file: what a batch of polls writes over and over
/// is copied once.
const WAL_PAGES: &str = "4096";
/// The write-ahead log goes back to this size after a large batch, in bytes.
const JOURNAL_SIZE_LIMIT: &str = "67108864";
/// How much of the database the writer holds in memory at most, in KiB: enough for a large batch and its indices.
const WRITER_CACHE: &str = "-32768";
/// The same for each reader: the inner pages of every index of a million entries, and some hundred entries.
const READER_CACHE: &str = "-16384";
/// How many prepared statements the writer keeps: those of many rows come in several lengths.
const WRITER_STATEMENTS: usize = 256;

/// Every migration, oldest first.
pub(crate) const MIGRATIONS: &[MigrationFile] = &[
    (
        1,
        "members feeds entries",
        include_str!("../../../migrations/sqlite/0001_members_feeds_entries.sql"),
    ),
    (
        2,
        "leases",
        include_str!("../../../migrations/sqlite/0002_leases.sql"),
    ),
    (
        3,
        "fetching",
        include_str!("../../../migrations/sqlite/0003_fetching.sql"),
    ),
    (
        4,
        "topics",
        include_str!("../../../migrations/sqlite/0004_topics.sql"),
    ),
    (
        5,
        "entry links",
        include_str!("../../../migrations/sqlite/0005_entry_links.sql"),
    ),
    (
        6,
        "issues",
        include_str!("../../../migrations/sqlite/0006_issues.sql"),
    ),
    (
        7,
        "membership",
        include_str!("../../../migrations/sqlite/0007_membership.sql"),
    ),
    (
        8,
        "moderation",
        include_str!("../../../migrations/sqlite/0008_moderation.sql"),
    ),
    (
        9,
        "subscriptions",
        include_str!("../../../migrations/sqlite/0009_subscriptions.sql"),
    ),
    (
        10,
        "outputs",
        include_str!("../../../migrations/sqlite/0010_outputs.sql"),
    ),
    (
        11,
        "topic disputes",
        include_str!("../../../migrations/sqlite/0011_topic_disputes.sql"),
    ),
    (
        12,
        "missing",
        include_str!("../../../migrations/sqlite/0012_missing.sql"),
    ),
    (
        13,
        "notices",
        include_str!("../../../migrations/sqlite/0013_notices.sql"),
    ),
    (
        14,
        "feed problems",
        include_str!("../../../migrations/sqlite/0014_feed_problems.sql"),
    ),
    (
        15,
        "enclosures",
        include_str!("../../../migrations/sqlite/0015_enclosures.sql"),
    ),
    (
        16,
        "training",
        include_str!("../../../migrations/sqlite/0016_training.sql"),
    ),
    (
        17,
        "incomplete",
        include_str!("../../../migrations/sqlite/0017_incomplete.sql"),
    ),
    (
        18,
        "member counts",
        include_str!("../../../migrations/sqlite/0018_member_counts.sql"),
    ),
    (
        19,
        "entry spans",
        include_str!("../../../migrations/sqlite/0019_entry_spans.sql"),
    ),
    (
        20,
        "words by eight",
        include_str!("../../../migrations/sqlite/0020_words_by_eight.sql"),
    ),
];

/// What the file takes, the write-ahead log aside.
pub(crate) const DATABASE_BYTES: &str =
    "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";

const BEGIN: &str = "BEGIN IMMEDIATE";
const FIRST_READ: &str = "SELECT COUNT(*) FROM sqlite_schema";

/// Brings what was written into the file itself and empties the log of writes; waits a second for those who still read
/// there, for nobody writes meanwhile.
const EMPTY_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
const WAIT_A_SECOND: &str = "PRAGMA busy_timeout = 1000";
const WAIT_AS_BEFORE: &str = "PRAGMA busy_timeout = 10000";

/// A table that a program other than this one made.
const FOREIGN_TABLE: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
        AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')
    ORDER BY name LIMIT 1";

/// Opens the file, makes it with its folder if it is not there, and migrates it.
pub(crate) async fn open(url: &str) -> Result<Store, StoreError> {
    let options = options(url)?.create_if_missing(true);
    let path = options.get_filename().to_owned();
    let lasting = SqlitePoolOptions::new()
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false);
    let one = lasting.clone().max_connections(1).min_connections(1);
    // A database in memory belongs to its connection, so everybody shares the one.
    if url.contains(":memory:") {
        let writer = one.connect_with(options).await?;
        migrate(&mut *writer.acquire().await?, &path).await?;
        let readers = db::Pool::Sqlite(writer.clone());
        return Ok(Store::of(db::Pool::Sqlite(writer), readers));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|source| StoreError::Folder {
            path: folder.to_owned(),
            source,
        })?;
    }
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        // What is deleted or made shorter is overwritten, so that a withdrawal leaves nothing in the file.
        .pragma("secure_delete", "ON")
        .page_size(PAGE_SIZE)
        .pragma("wal_autocheckpoint", WAL_PAGES)
        .pragma("journal_size_limit", JOURNAL_SIZE_LIMIT);
    let writing = options
        .clone()
        .pragma("cache_size", WRITER_CACHE)
        .statement_cache_capacity(WRITER_STATEMENTS);
    let writer = patiently(async || Ok(one.clone().connect_with(writing.clone()).await?))
        .await
        .map_err(|error| unopened(&path, error))?;
    patiently(async || {
        let mut connection = writer.acquire().await?;
        if !db::is_older(&mut *connection, MIGRATIONS).await {
            return migrate(&mut connection, &path).await;
        }
        // What takes long is told of before, and not by its whole text afterwards.
        let mut silent = writing.clone().disable_statement_logging().connect().await?;
        migrate(&mut silent, &path).await?;
        Ok(silent.close().await?)
    })
    .await
    .map_err(|error| unopened(&path, error))?;
    // What goes on one thread asks one thing after the other, each time before the last connection is back: it would open
    // one more for nothing, and each takes as long as a hundred reads.
    let readers = match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => 1,
        _ => READERS,
    };
    let many = lasting.max_connections(readers);
    let reading = options
        .read_only(true)
        .create_if_missing(false)
        .pragma("cache_size", READER_CACHE);
    let readers = patiently(async || Ok(many.clone().connect_with(reading.clone()).await?))
        .await
        .map_err(|error| unopened(&path, error))?;
    Ok(Store::of(db::Pool::Sqlite(writer), db::Pool::Sqlite(readers)))
}

/// Waits as long as for any lock: where another program turns a new file to write-ahead logging at this moment, SQLite
/// says "locked" without the wait that it was told.
async fn patiently<T>(attempt: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    const PAUSE: Duration = Duration::from_millis(50);
    let begun = tokio::time::Instant::now();
    loop {
        match attempt().await {
            Err(StoreError::Locked { .. }) if begun.elapsed() < BUSY_TIMEOUT => {
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

/// Where the file of this URL is and how it is opened, if it is there.
pub(crate) fn options(url: &str) -> Result<SqliteConnectOptions, StoreError> {
    Ok(SqliteConnectOptions::from_str(url)
        .map_err(|error| StoreError::BadUrl {
            message: error.to_string(),
        })?
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT))
}

/// Begins to read the file as it stands at this moment.
pub(crate) async fn snapshot(
    options: SqliteConnectOptions,
) -> Result<sqlx::Transaction<'static, Sqlite>, StoreError> {
    let path = options.get_filename().to_owned();
    if !path.exists() {
        return Err(StoreError::NoFile { path });
    }
    let reading = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(
            options
                .read_only(true)
                .create_if_missing(false)
                .disable_statement_logging(),
        )
        .await
        .map_err(|error| unopened(&path, error.into()))?;
    let mut snapshot = reading
        .begin()
        .await
        .map_err(|error| unopened(&path, error.into()))?;
    // The moment is that of the first read.
    sqlx::query(FIRST_READ)
        .fetch_one(&mut *snapshot)
        .await
        .map_err(|error| unopened(&path, error.into()))?;
    Ok(snapshot)
}

/// Takes the lock that only one writer of the file holds.
pub(crate) async fn begin(writer: &Pool<Sqlite>) -> Result<sqlx::Transaction<'static, Sqlite>, sqlx::Error> {
    match writer.begin_with(BEGIN).await {
        // A full disk makes SQLite end the transaction by itself, and the driver goes on counting it as begun:
        // that connection is of no more use.
        Err(sqlx::Error::InvalidSavePointStatement) => {
            writer.acquire().await?.close().await?;
            writer.begin_with(BEGIN).await
        }
        begun => begun,
    }
}

/// Brings the schema up to date, in one transaction that other processes wait for.
async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let database = path.display().to_string();
    let foreign: Option<String> = sqlx::query_scalar(FOREIGN_TABLE)
        .fetch_optional(&mut *transaction)
        .await?;
    if let Some(table) = foreign {
        return Err(StoreError::NotOurs { database, table });
    }
    db::migrate(&mut *transaction, MIGRATIONS, &database).await?;
    Ok(transaction.commit().await?)
}

/// Leaves nothing of erased text in the file and its log. Gives false while somebody still reads as it was before.
pub(crate) async fn scrub(writer: &Pool<Sqlite>) -> Result<bool, StoreError> {
    let mut connection = writer.acquire().await?;
    sqlx::query(WAIT_A_SECOND).execute(&mut *connection).await?;
    let busy: Result<i64, _> = sqlx::query_scalar(EMPTY_LOG).fetch_one(&mut *connection).await;
    sqlx::query(WAIT_AS_BEFORE).execute(&mut *connection).await?;
    Ok(busy? == 0)
}

/// The kind of trouble behind a primary result code (<https://sqlite.org/rescode.html>).
pub(crate) fn fault(code: &str) -> Option<Fault> {
    match code.parse::<i32>().ok()? & 0xff {
        5 | 6 => Some(Fault::Locked),
        8 => Some(Fault::ReadOnly),
        13 => Some(Fault::Full),
        14 => Some(Fault::Unopened),
        26 => Some(Fault::NotADatabase),
        _ => None,
    }
}

/// Says which file it was that could not be opened.
pub(crate) fn unopened(path: &Path, error: StoreError) -> StoreError {
    let StoreError::Database(error) = error else {
        return error;
    };
    let path = path.to_owned();
    match db::fault(&error) {
        Some(Fault::NotADatabase) => StoreError::NotADatabase { path },
        Some(Fault::Unopened) => StoreError::Unopened {
            path,
            message: error.to_string(),
        },
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Transaction;

    async fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(&format!(
            "sqlite://{}",
            folder.path().join("a/b/voice.db").display()
        ))
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_does_not_stop_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let Transaction::Sqlite(mut transaction) = store.begin().await.unwrap() else {
            panic!("another database");
        };
        // What a full disk makes SQLite do by itself.
        sqlx::query("ROLLBACK").execute(&mut *transaction).await.unwrap();
        drop(transaction);
        crate::testing::feed(&store, "https://blog.example/feed", "Example").await;
        assert_eq!(store.feeds().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn says_what_is_wrong_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.txt");
        std::fs::write(
            &file,
            "these are notes and no database at all, and long enough to be sure of it ".repeat(20),
        )
        .unwrap();
        let error = Store::open(&format!("sqlite://{}", file.display()))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with(
                "notes.txt is not a SQLite database; move it away or name another with --database"
            ),
            "{error}"
        );

        let error = Store::open(&format!("sqlite://{}/below/voice.db", file.display()))
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Folder { .. }), "{error}");

        let error = Store::open(&format!("sqlite://{}", folder.path().display()))
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Unopened { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_full_disk_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let Transaction::Sqlite(mut write) = store.begin().await.unwrap() else {
            panic!("another database");
        };
        sqlx::query("PRAGMA max_page_count = 1")
            .execute(&mut *write)
            .await
            .unwrap();
        let large = "INSERT INTO members (slug, name, kind, created_at) VALUES ('x', hex(zeroblob(400000)), 'person', 0)";
        let error = sqlx::query(large).execute(&mut *write).await.unwrap_err();
        assert!(
            StoreError::from(error)
                .to_string()
                .starts_with("the disk is full")
        );
    }
}
