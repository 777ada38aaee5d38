//! Copies of the database while it is used, and the way back from one.
//!
//! SQLite copies itself (`VACUUM INTO`), PostgreSQL by its own tools (`dump.rs`). A copy is written under another name,
//! checked, flushed and renamed: it is whole or not there. It refuses to overwrite a copy, to restore anything that is
//! not a sound Voice, and to pull a database away from under a program that has it open.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::NamedTempFile;

use crate::db::{self, Kind, Standing, Transaction};
use crate::rows::Fields;
use crate::sql::Sql;
use crate::{StoreError, dump, postgres, sqlite};

const COPY: &str = "VACUUM INTO $1";
/// The first problems, or one row that says `ok`.
const SOUND: &str = "PRAGMA integrity_check(1)";
/// One row for each reference to nothing.
const REFERENCES: &str = "PRAGMA foreign_key_check";
/// Takes the log into the file, which nobody else may have open for it.
const ALONE: &str = "PRAGMA journal_mode = DELETE";
const STAY_ALONE: &str = "BEGIN EXCLUSIVE";

const HOLDINGS: &str =
    "SELECT (SELECT COUNT(*) FROM members), (SELECT COUNT(*) FROM feeds), (SELECT COUNT(*) FROM entries)";

/// What every SQLite file begins with (<https://sqlite.org/fileformat2.html>, section 1.3).
const SQLITE_HEADER: &[u8] = b"SQLite format 3\0";

/// What SQLite keeps beside a database that holds more than the database itself says.
const JOURNALS: [&str; 2] = ["-wal", "-journal"];

/// How much a Voice holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// Members.
    pub members: u64,
    /// Feeds, those that are polled no more among them.
    pub feeds: u64,
    /// Entries, hidden and withdrawn ones among them.
    pub entries: u64,
}

/// A copy that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    /// Where it is.
    pub file: PathBuf,
    /// Its size.
    pub size_bytes: u64,
    /// What it holds.
    #[serde(flatten)]
    pub holds: Holdings,
}

/// A copy that was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    /// What people call the database that was restored.
    pub database: String,
    /// What it holds.
    #[serde(flatten)]
    pub holds: Holdings,
    /// Where the database is that stood there before.
    pub kept: Option<PathBuf>,
}

/// Copies the database at `url` into `file`, which must not exist, as it stands at one moment. The database may be
/// used meanwhile; it is neither changed nor migrated.
///
/// # Errors
/// Says what stands in the way; nothing is left of a copy that failed.
pub async fn back_up(url: &str, file: &Path) -> Result<BackupReport, StoreError> {
    let path = || file.to_owned();
    if file.symlink_metadata().is_ok() {
        return Err(StoreError::Exists { path: path() });
    }
    let not_copied = |message: String| StoreError::NotCopied {
        path: path(),
        message,
    };
    let copy = beside(file).map_err(|error| not_copied(error.to_string()))?;
    let holds = match db::kind(url)? {
        Kind::Sqlite => {
            let mut snapshot = db::snapshot(url).await?;
            must_be_ours(&mut snapshot, url).await?;
            drop(snapshot);
            let source = sqlite::options(url)?.read_only(true);
            copy_sqlite(source, copy.path())
                .await
                .map_err(|error| not_copied(error.to_string()))?;
            check(copy.path()).await.map_err(not_copied)?
        }
        Kind::Postgres => {
            let mut snapshot = db::snapshot(url).await?;
            must_be_ours(&mut snapshot, url).await?;
            dump::write(&postgres::options(url)?, &mut snapshot, copy.path()).await?;
            holdings(&mut snapshot).await?
        }
    };
    let size_bytes = flushed(&copy).map_err(|error| not_copied(error.to_string()))?;
    copy.persist_noclobber(file)
        .map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Exists { path: path() },
            _ => not_copied(error.error.to_string()),
        })?;
    flush_folder(file).map_err(|error| not_copied(error.to_string()))?;
    Ok(BackupReport {
        file: path(),
        size_bytes,
        holds,
    })
}

/// Puts the copy `file` in the place of the database at `url`. A SQLite database that is there is replaced with
/// `force` alone, and kept beside under another name, made from `now`; one of PostgreSQL must be empty.
///
/// # Errors
/// Says what is wrong with the copy or stands in the way. Until the copy proved sound, nothing is touched.
pub async fn restore(
    url: &str,
    file: &Path,
    force: bool,
    now: DateTime<Utc>,
) -> Result<RestoreReport, StoreError> {
    match db::kind(url)? {
        Kind::Sqlite if url.contains(":memory:") => Err(StoreError::BadUrl {
            message: "a database in memory is gone when the program ends, and cannot be restored".to_owned(),
        }),
        Kind::Sqlite => restore_sqlite(&sqlite::options(url)?, file, force, now).await,
        Kind::Postgres => {
            let (_, holds) = dump::restore(url, file).await?;
            Ok(RestoreReport {
                database: db::name(url)?,
                holds,
                kept: None,
            })
        }
    }
}

/// What the Voice of this database holds.
pub(crate) async fn holdings(database: &mut Transaction) -> Result<Holdings, StoreError> {
    let row = Sql::new(HOLDINGS).fetch_one(database).await?;
    let mut fields = Fields::of("members", &row);
    Ok(Holdings {
        members: fields.number()?,
        feeds: fields.number()?,
        entries: fields.number()?,
    })
}

/// The first bytes of a file.
pub(crate) fn head(file: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(file)?
        .take(SQLITE_HEADER.len() as u64)
        .read_to_end(&mut head)?;
    Ok(head)
}

/// Whether a file that begins so is a SQLite database.
pub(crate) fn is_sqlite(head: &[u8]) -> bool {
    head == SQLITE_HEADER
}

async fn must_be_ours(database: &mut Transaction, url: &str) -> Result<(), StoreError> {
    match db::standing(database).await? {
        Standing::Foreign => Err(StoreError::NoVoice {
            database: db::name(url)?,
        }),
        // A copy of a newer one is as good to whoever has the newer program.
        Standing::Current | Standing::Older | Standing::Newer(_) => Ok(()),
    }
}

/// A new file in the folder of `file`, which goes when it is dropped. Only its owner may read it.
fn beside(file: &Path) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    prefix.push(file.file_name().unwrap_or_default());
    tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".unfinished")
        .tempfile_in(folder(file))
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The file's name with more behind it.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes the file last; gives its size.
fn flushed(copy: &NamedTempFile) -> io::Result<u64> {
    copy.as_file().sync_all()?;
    Ok(copy.as_file().metadata()?.len())
}

/// Makes the names in the folder of `file` last.
fn flush_folder(file: &Path) -> io::Result<()> {
    File::open(folder(file))?.sync_all()
}

async fn copy_sqlite(source: SqliteConnectOptions, to: &Path) -> Result<(), sqlx::Error> {
    let to = to
        .to_str()
        .ok_or_else(|| sqlx::Error::Configuration("its name is not UTF-8".into()))?;
    // It takes its time, and that is nothing to warn of.
    let mut connection = source.disable_statement_logging().connect().await?;
    sqlx::query(COPY).bind(to).execute(&mut connection).await?;
    connection.close().await
}

/// How to read a copy, without making anything beside it if nothing is there.
fn reading(file: &Path) -> SqliteConnectOptions {
    let alone = JOURNALS.iter().all(|suffix| !with_suffix(file, suffix).exists());
    SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .immutable(alone)
}

/// Whether the file is a sound Voice that this program can read; what it holds, or what is wrong.
async fn check(file: &Path) -> Result<Holdings, String> {
    match head(file) {
        Err(error) => return Err(error.to_string()),
        Ok(head) if head.starts_with(dump::HEADER) => {
            return Err(
                "it is a dump of PostgreSQL; name a postgres:// database with --database to restore it"
                    .to_owned(),
            );
        }
        Ok(head) if !is_sqlite(&head) => return Err("it is not a SQLite database".to_owned()),
        Ok(_) => {}
    }
    let damaged = |error: StoreError| format!("it is damaged: {error}");
    let snapshot = sqlite::snapshot(reading(file)).await.map_err(damaged)?;
    let mut copy = Transaction::Sqlite(snapshot);
    match db::standing(&mut copy).await.map_err(damaged)? {
        Standing::Current | Standing::Older => {}
        Standing::Newer(version) => {
            return Err(format!(
                "it was made by a newer version of this program (migration {version}); restore it with that one"
            ));
        }
        Standing::Foreign => return Err("it holds no Voice".to_owned()),
    }
    let found = Sql::new(SOUND)
        .fetch_value::<String>("a check", &mut copy)
        .await
        .map_err(damaged)?;
    if found != "ok" {
        return Err(format!("it is damaged: {found}"));
    }
    if let Some(row) = Sql::new(REFERENCES)
        .fetch_optional(&mut copy)
        .await
        .map_err(damaged)?
    {
        let table: String = Fields::of("a check", &row).take().map_err(damaged)?;
        return Err(format!(
            "it is damaged: a row of {table} refers to one that is not there"
        ));
    }
    holdings(&mut copy).await.map_err(damaged)
}

async fn restore_sqlite(
    database: &SqliteConnectOptions,
    file: &Path,
    force: bool,
    now: DateTime<Utc>,
) -> Result<RestoreReport, StoreError> {
    let path = database.get_filename();
    let holds = check(file).await.map_err(|reason| StoreError::BadBackup {
        path: file.to_owned(),
        reason,
    })?;
    let replaces = path.exists();
    if replaces && !force {
        return Err(StoreError::WouldReplace {
            path: path.to_owned(),
        });
    }
    let folder = folder(path);
    fs::create_dir_all(folder).map_err(|source| StoreError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let not_restored = |message: String| StoreError::NotRestored {
        path: path.to_owned(),
        message,
    };
    let alone = if replaces { hold(database).await? } else { None };
    let copy = beside(path).map_err(|error| not_restored(error.to_string()))?;
    copy_sqlite(reading(file), copy.path())
        .await
        .map_err(|error| not_restored(error.to_string()))?;
    flushed(&copy).map_err(|error| not_restored(error.to_string()))?;
    let kept = put_in_place(copy, path, now).map_err(|error| not_restored(error.to_string()))?;
    if let Some(connection) = alone {
        connection.close().await?;
    }
    Ok(RestoreReport {
        database: path.display().to_string(),
        holds,
        kept,
    })
}

/// Holds the database so that nobody else opens it, with all that was written in its one file. `None` if it is so
/// damaged that nobody can have it open.
async fn hold(database: &SqliteConnectOptions) -> Result<Option<SqliteConnection>, StoreError> {
    let held = async {
        let mut connection = database.clone().busy_timeout(Duration::ZERO).connect().await?;
        sqlx::query(ALONE).execute(&mut connection).await?;
        sqlx::query(STAY_ALONE).execute(&mut connection).await?;
        Ok(connection)
    };
    match held.await {
        Ok(connection) => Ok(Some(connection)),
        Err(error) => match db::fault(&error) {
            Some(db::Fault::Locked) => Err(StoreError::InUse {
                path: database.get_filename().to_owned(),
            }),
            Some(db::Fault::NotADatabase) | None => Ok(None),
            Some(_) => Err(error.into()),
        },
    }
}

/// Gives the copy the database's name, in one step; what had it before, and its journals, get another. Tells which.
fn put_in_place(copy: NamedTempFile, path: &Path, now: DateTime<Utc>) -> io::Result<Option<PathBuf>> {
    let before = with_suffix(path, &format!(".before-restore-{}", now.format("%Y%m%dT%H%M%SZ")));
    let kept = path.exists().then_some(&before);
    if let Some(kept) = kept {
        fs::hard_link(path, kept)?;
        copy.as_file()
            .set_permissions(fs::metadata(path)?.permissions())?;
    }
    // A journal of the old database would be taken for one of the new.
    for suffix in JOURNALS {
        let journal = with_suffix(path, suffix);
        if journal.exists() {
            fs::rename(journal, with_suffix(&before, suffix))?;
        }
    }
    let index = with_suffix(path, "-shm");
    if index.exists() {
        fs::remove_file(index)?;
    }
    copy.persist(path)?;
    flush_folder(path)?;
    Ok(kept.cloned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Store;
    use crate::carry::tests::{digest_of, fill};
    use crate::db::Pool;
    use crate::testing::{self, Sample, TestStore, feed, minutes, now, record_at};

    fn url(path: &Path) -> String {
        format!("sqlite://{}", path.display())
    }

    fn path(store: &TestStore) -> PathBuf {
        store.url.trim_start_matches("sqlite://").into()
    }

    /// The names in a folder.
    fn names(folder: &Path) -> BTreeSet<OsString> {
        fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect()
    }

    async fn close(store: &Store) {
        for pool in [&store.writer, &store.readers] {
            if let Pool::Sqlite(pool) = pool {
                pool.close().await;
            }
        }
    }

    #[tokio::test]
    async fn a_lost_database_comes_back_as_it_was() {
        let store = testing::sqlite().await;
        fill(&store).await;
        let before = digest_of(&store.url).await;
        let (database, copies) = (path(&store), tempfile::tempdir().unwrap());
        let copy = copies.path().join("copy.db");
        let report = back_up(&store.url, &copy).await.unwrap();
        assert_eq!(
            report.holds,
            Holdings {
                members: 2,
                feeds: 2,
                entries: 155
            }
        );
        assert_eq!(report.size_bytes, fs::metadata(&copy).unwrap().len());
        assert_eq!(names(copies.path()).len(), 1, "nothing stands beside it");

        let error = back_up(&store.url, &copy).await.unwrap_err();
        assert!(matches!(error, StoreError::Exists { .. }), "{error}");

        close(&store).await;
        fs::remove_dir_all(database.parent().unwrap()).unwrap();
        let restored = restore(&store.url, &copy, false, now()).await.unwrap();
        assert_eq!((restored.holds, restored.kept), (report.holds, None));
        assert_eq!(digest_of(&store.url).await, before);
        let again = Store::open(&store.url).await.unwrap();
        assert_eq!(
            again.search(&testing::search("naive"), 9, 0).await.unwrap().len(),
            1
        );
    }

    #[tokio::test]
    async fn a_copy_made_while_a_writer_writes_is_of_one_moment() {
        let store = testing::sqlite().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let copies = tempfile::tempdir().unwrap();
        let write = async {
            for number in 0..40 {
                let new = (0..5)
                    .map(|part| Sample::new(&format!("e{number}x{part}")).entry())
                    .collect();
                record_at(&store, &ada, minutes(number), new, Vec::new()).await;
            }
        };
        let copy = async {
            let mut held = Vec::new();
            for number in 0..4 {
                let file = copies.path().join(format!("{number}.db"));
                held.push((back_up(&store.url, &file).await.unwrap().holds.entries, file));
            }
            held
        };
        let ((), held) = tokio::join!(write, copy);
        assert!(
            held.is_sorted() && held[0].0 < 200,
            "the writer was still writing: {held:?}"
        );
        for (entries, file) in held {
            let copy = Store::open(&url(&file)).await.unwrap();
            // What one poll wrote is whole: its entries, and their number at the feed.
            let feed = copy.feeds().await.unwrap().remove(0);
            assert_eq!((u64::from(feed.entries), entries % 5), (entries, 0));
        }
    }

    #[tokio::test]
    async fn what_is_no_sound_backup_touches_nothing() {
        let store = testing::sqlite().await;
        fill(&store).await;
        let files = tempfile::tempdir().unwrap();
        let file = |name: &str| files.path().join(name);
        back_up(&store.url, &file("good.db")).await.unwrap();
        let good = fs::read(file("good.db")).unwrap();
        fs::write(file("truncated.db"), &good[..good.len() / 2]).unwrap();
        let mut smudged = good.clone();
        let middle = smudged.len() / 2;
        smudged[middle..middle + 8192].fill(0x5a);
        fs::write(file("smudged.db"), smudged).unwrap();
        fs::write(file("empty.db"), b"").unwrap();
        fs::write(file("notes.txt"), b"These are notes.").unwrap();
        fs::write(file("dump.pg"), b"PGDMP and so on").unwrap();
        for (name, sql) in [
            ("foreign.db", "DROP TABLE _sqlx_migrations"),
            (
                "newer.db",
                "INSERT INTO _sqlx_migrations VALUES (9999, 'from the future', 0, TRUE, x'', 0)",
            ),
            ("dangling.db", "UPDATE entry_labels SET entry_id = 4711"),
        ] {
            fs::write(file(name), &good).unwrap();
            let options = SqliteConnectOptions::new()
                .filename(file(name))
                .foreign_keys(false);
            let mut connection = options.connect().await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        let bytes = || {
            (
                fs::read(path(&store)).unwrap(),
                names(path(&store).parent().unwrap()),
            )
        };
        let before = bytes();
        for (name, word) in [
            ("truncated.db", "damaged"),
            ("smudged.db", "damaged"),
            ("empty.db", "not a SQLite database"),
            ("notes.txt", "not a SQLite database"),
            ("dump.pg", "dump of PostgreSQL"),
            ("foreign.db", "no Voice"),
            ("newer.db", "newer version"),
            ("dangling.db", "entry_labels"),
            ("missing.db", "No such file"),
        ] {
            let error = restore(&store.url, &file(name), true, now()).await.unwrap_err();
            assert!(matches!(error, StoreError::BadBackup { .. }), "{name}: {error}");
            assert!(error.to_string().contains(word), "{name}: {error}");
            assert!(bytes() == before, "{name} touched the database");
        }
    }

    #[tokio::test]
    async fn replaces_a_database_by_force_alone_and_keeps_it() {
        let store = testing::sqlite().await;
        let files = tempfile::tempdir().unwrap();
        let copy = files.path().join("copy.db");
        back_up(&store.url, &copy).await.unwrap();
        fill(&store).await;
        let later = digest_of(&store.url).await;

        let error = restore(&store.url, &copy, false, now()).await.unwrap_err();
        assert!(matches!(error, StoreError::WouldReplace { .. }), "{error}");
        let error = restore(&store.url, &copy, true, now()).await.unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        assert_eq!(digest_of(&store.url).await, later);

        close(&store).await;
        let report = restore(&store.url, &copy, true, now()).await.unwrap();
        let kept = report.kept.unwrap();
        assert!(
            kept.to_string_lossy()
                .ends_with("voice.db.before-restore-20261123T090000Z"),
            "{kept:?}"
        );
        assert_eq!(digest_of(&url(&kept)).await, later);
        let again = Store::open(&store.url).await.unwrap();
        assert_eq!(again.feeds().await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_damaged_database_and_a_stale_log_do_not_stand_in_the_way() {
        let store = testing::sqlite().await;
        fill(&store).await;
        let (good, files) = (digest_of(&store.url).await, tempfile::tempdir().unwrap());
        let copy = files.path().join("copy.db");
        back_up(&store.url, &copy).await.unwrap();
        close(&store).await;
        let database = path(&store);
        let log = with_suffix(&database, "-wal");
        for damage in ["not even a header", ""] {
            fs::remove_file(&database).unwrap();
            if !damage.is_empty() {
                fs::write(&database, damage.repeat(100)).unwrap();
            }
            fs::write(&log, "a log of another database").unwrap();
            let at = if damage.is_empty() { minutes(1) } else { now() };
            let report = restore(&store.url, &copy, true, at).await.unwrap();
            assert_eq!(report.kept.is_some(), !damage.is_empty());
            assert!(!log.exists());
            assert_eq!(digest_of(&store.url).await, good);
        }
    }

    #[tokio::test]
    #[ignore = "run by scripts/test beside a PostgreSQL server"]
    async fn a_lost_schema_comes_back_as_it_was() {
        const LOSE: &str = "DO $$ DECLARE lost TEXT := current_schema(); BEGIN
            EXECUTE format('DROP SCHEMA %I CASCADE', lost); EXECUTE format('CREATE SCHEMA %I', lost); END $$";
        let database = testing::new_postgres().await;
        let store = Store::open(&database.url).await.unwrap();
        fill(&store).await;
        let before = digest_of(&database.url).await;
        let files = tempfile::tempdir().unwrap();
        let copy = files.path().join("copy.dump");
        let report = back_up(&database.url, &copy).await.unwrap();
        assert_eq!(report.holds.entries, 155);

        let error = restore(&database.url, &copy, true, now()).await.unwrap_err();
        assert!(matches!(error, StoreError::NotEmpty { .. }), "{error}");
        assert_eq!(digest_of(&database.url).await, before);

        database.execute(LOSE).await;
        fs::write(files.path().join("notes"), "no dump").unwrap();
        let error = restore(&database.url, &files.path().join("notes"), false, now())
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::BadBackup { .. }), "{error}");
        let restored = restore(&database.url, &copy, false, now()).await.unwrap();
        assert_eq!(restored.holds, report.holds);
        assert_eq!(digest_of(&database.url).await, before);
        let again = Store::open(&database.url).await.unwrap();
        assert_eq!(
            again.search(&testing::search("naive"), 9, 0).await.unwrap().len(),
            1
        );
        feed(&again, "https://cat.example.org/feed", "Cat").await;
    }
}
