//! The database itself: opening it, its connections, its migrations, its fault codes.
//!
//! Together with `search.rs` the only file that knows which database this is. It asks nothing of the tables.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Pool, SqlSafeStr, Transaction};

use crate::StoreError;

/// The database that the rest of the crate speaks to.
pub(crate) type Db = sqlx::Sqlite;
/// One connection to it.
pub(crate) type Connection = sqlx::SqliteConnection;
/// One row from it.
pub(crate) type Row = sqlx::sqlite::SqliteRow;

/// How many reads go side by side.
const READERS: u32 = 8;
/// How long a writer waits for another program to finish.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The write-ahead log goes back to this size after a large batch, in bytes.
const JOURNAL_SIZE_LIMIT: &str = "67108864";
/// How much of the database the writer holds in memory at most, in KiB: enough for a large batch and its indices.
const WRITER_CACHE: &str = "-32768";
/// How many prepared statements the writer keeps: those of many rows come in several lengths.
const WRITER_STATEMENTS: usize = 256;

/// Version, name and text of every migration, oldest first. Files are added, never edited.
const MIGRATIONS: [(i64, &str, &str); 1] = [(
    1,
    "members feeds entries",
    include_str!("../../../migrations/sqlite/0001_members_feeds_entries.sql"),
)];

/// A handle on the database; clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Pool<Db>,
    readers: Pool<Db>,
}

impl Store {
    /// Opens the database at `url` (`sqlite://path`, or `sqlite::memory:` for one that lives as long as the
    /// handle), makes it with its folder if it is not there, and migrates it.
    ///
    /// # Errors
    /// Says which file cannot be used, why, and what to do about it.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let scheme = url.split(':').next().unwrap_or_default();
        if scheme != "sqlite" {
            return Err(StoreError::UnsupportedUrl {
                scheme: scheme.to_owned(),
            });
        }
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| StoreError::BadUrl {
                message: error.to_string(),
            })?
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let path = options.get_filename().to_owned();
        let one = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false);
        // A database in memory belongs to its connection, so everybody shares the one.
        if url.contains(":memory:") {
            let writer = one.connect_with(options).await?;
            migrate(&writer, &path).await?;
            return Ok(Self {
                readers: writer.clone(),
                writer,
            });
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
            .pragma("journal_size_limit", JOURNAL_SIZE_LIMIT);
        let writing = options
            .clone()
            .pragma("cache_size", WRITER_CACHE)
            .statement_cache_capacity(WRITER_STATEMENTS);
        let writer = one
            .connect_with(writing)
            .await
            .map_err(|error| unopened(&path, error))?;
        migrate(&writer, &path).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(|error| unopened(&path, error))?;
        Ok(Self { writer, readers })
    }

    /// Begins a write. The lock is taken at once, so that no read inside can turn out stale at the first write.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Db>, StoreError> {
        match self.writer.begin_with(BEGIN).await {
            // A full disk makes SQLite end the transaction by itself, and the driver goes on counting it as begun:
            // that connection is of no more use.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                self.writer.acquire().await?.close().await?;
                Ok(self.writer.begin_with(BEGIN).await?)
            }
            begun => Ok(begun?),
        }
    }

    /// The connections that read.
    pub(crate) fn readers(&self) -> &Pool<Db> {
        &self.readers
    }
}

const BEGIN: &str = "BEGIN IMMEDIATE";

/// Brings the schema up to date, in one transaction that other processes wait for.
async fn migrate(writer: &Pool<Db>, path: &Path) -> Result<(), StoreError> {
    let migrations = MIGRATIONS
        .map(|(version, name, sql)| {
            Migration::new(
                version,
                name.into(),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        })
        .to_vec();
    let mut transaction = writer
        .begin_with(BEGIN)
        .await
        .map_err(|error| unopened(path, error))?;
    let path = path.to_owned();
    match Migrator::with_migrations(migrations)
        .run_direct(None, &mut *transaction, false)
        .await
    {
        Ok(()) => Ok(transaction.commit().await?),
        Err(MigrateError::VersionMissing(version)) => Err(StoreError::Newer { path, version }),
        Err(MigrateError::Execute(error)) => Err(unopened(&path, error)),
        Err(source) => Err(StoreError::Migration { path, source }),
    }
}

/// What kind of trouble the database is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No room.
    Full,
    /// Held by another process.
    Locked,
    /// Not ours to write.
    ReadOnly,
    /// Cannot be opened or made.
    Unopened,
    /// Another kind of file.
    NotADatabase,
}

/// The kind of trouble behind an error, by SQLite's primary result code.
pub(crate) fn fault(error: &sqlx::Error) -> Option<Fault> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    match code & 0xff {
        5 | 6 => Some(Fault::Locked),
        8 => Some(Fault::ReadOnly),
        13 => Some(Fault::Full),
        14 => Some(Fault::Unopened),
        26 => Some(Fault::NotADatabase),
        _ => None,
    }
}

fn unopened(path: &Path, error: sqlx::Error) -> StoreError {
    let path = PathBuf::from(path);
    match fault(&error) {
        Some(Fault::NotADatabase) => StoreError::NotADatabase { path },
        Some(Fault::Unopened) => StoreError::Unopened {
            path,
            message: error.to_string(),
        },
        _ => error.into(),
    }
}

/// Cuts `rows` into pieces whose lengths are powers of two, `most` at most: so a statement of many rows comes in
/// few texts, and each stays prepared.
pub(crate) fn statements<T>(mut rows: &[T], most: usize) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = most.min(1 << rows.len().checked_ilog2()?);
        let (piece, rest) = rows.split_at(length);
        rows = rest;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/sqlite");
        let mut files: Vec<i64> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().to_str().unwrap()[..4].parse().unwrap())
            .collect();
        files.sort_unstable();
        assert_eq!(files, MIGRATIONS.map(|(version, ..)| version));
    }

    #[test]
    fn pieces_are_powers_of_two() {
        let rows = [0_u8; 77];
        let lengths: Vec<usize> = statements(&rows, 16).map(<[u8]>::len).collect();
        assert_eq!(lengths, [16, 16, 16, 16, 8, 4, 1]);
        assert_eq!(statements(&rows[..0], 16).count(), 0);
    }

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_does_not_stop_the_next() {
        let store = crate::testing::store().await;
        let mut transaction = store.begin().await.unwrap();
        // What a full disk makes SQLite do by itself.
        sqlx::query("ROLLBACK").execute(&mut *transaction).await.unwrap();
        drop(transaction);
        crate::testing::merge(
            &store,
            &[crate::testing::spec("https://blog.example/feed", "Example")],
        )
        .await;
        assert_eq!(store.feeds().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn makes_the_folder_and_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("a/b/voice.db").display());
        let first = Store::open(&url).await.unwrap();
        let second = Store::open(&url).await.unwrap();
        first.ping().await.unwrap();
        second.ping().await.unwrap();
    }

    #[tokio::test]
    async fn two_programs_may_open_a_new_database_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("voice.db").display());
        let (a, b, c) = tokio::join!(Store::open(&url), Store::open(&url), Store::open(&url));
        a.unwrap();
        b.unwrap();
        c.unwrap();
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let store = crate::testing::store().await;
        let error = sqlx::query("DELETE FROM members")
            .execute(store.readers())
            .await
            .unwrap_err();
        assert!(matches!(StoreError::from(error), StoreError::ReadOnly { .. }));
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
    async fn names_the_scheme_and_not_the_password() {
        let error = Store::open("postgres://voice:secret@db/voice").await.unwrap_err();
        assert!(matches!(error, StoreError::UnsupportedUrl { .. }));
        assert!(
            error.to_string().contains("sqlite://") && !error.to_string().contains("secret"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn refuses_what_a_newer_version_migrated() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("voice.db").display());
        let store = Store::open(&url).await.unwrap();
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (9999, 'from the future', TRUE, x'00', 0)";
        sqlx::query(newer).execute(&store.writer).await.unwrap();
        let error = Store::open(&url).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { version: 9999, .. }),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_full_disk_is_named() {
        let store = crate::testing::store().await;
        let mut write = store.begin().await.unwrap();
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
