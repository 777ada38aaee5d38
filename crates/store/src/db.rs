//! The database: which one it is, its connections, how a write begins and ends, its kinds of trouble.
//!
//! What SQLite does in its own way stands in `sqlite.rs`, what PostgreSQL does in `postgres.rs`, full text of both in
//! `search.rs`; every other file asks the same of either. This file asks nothing of the tables.

use std::sync::Arc;

use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Postgres, SqlSafeStr, Sqlite};

use crate::StoreError;
use crate::rows::Fields;
use crate::sql::Sql;
use crate::vitals::Counters;
use crate::{catalogue, postgres, sqlite};

/// Where sqlx notes which migrations were run.
pub(crate) const MIGRATION_TABLE: &str = "_sqlx_migrations";
const MIGRATIONS_RUN: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";

/// Version, name and text of one migration. Files are added, never edited once they were released.
pub(crate) type MigrationFile = (i64, &'static str, &'static str);

/// A handle on the database; clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) writer: Pool,
    pub(crate) readers: Pool,
    pub(crate) counters: Arc<Counters>,
}

/// Connections to the database.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(sqlx::Pool<Sqlite>),
    Postgres(sqlx::Pool<Postgres>),
}

/// A write in the making: no other goes on beside it, in this process or another. Dropped, it leaves nothing.
pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Store {
    pub(crate) fn of(writer: Pool, readers: Pool) -> Self {
        Self {
            writer,
            readers,
            counters: Arc::default(),
        }
    }

    /// Opens the database at `url` and migrates it: `sqlite://path`, which is made with its folder if it is not
    /// there (`sqlite::memory:` for one that lives as long as the handle), or `postgres://user@host/database`.
    ///
    /// # Errors
    /// Says which database cannot be used, why, and what to do about it. A password in `url` is never shown.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        match kind(url)? {
            Kind::Sqlite => sqlite::open(url).await,
            Kind::Postgres => postgres::open(url).await,
        }
    }

    /// Begins a write. The lock is taken at once, so that no read inside can turn out stale at the first write.
    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(match &self.writer {
            Pool::Sqlite(writer) => Transaction::Sqlite(sqlite::begin(writer).await?),
            Pool::Postgres(writer) => {
                let mut transaction = Transaction::Postgres(writer.begin().await?);
                Sql::new(postgres::WRITE_LOCK).execute(&mut transaction).await?;
                transaction
            }
        })
    }

    /// Writes this alone; nothing is committed if there was nothing to change.
    pub(crate) async fn erase(&self, sql: Sql<'_>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        if sql.execute(&mut transaction).await? > 0 {
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Ends every connection, those that read first: whoever goes last brings what was written into the file itself,
    /// so that the next to open it finds no log of writes to go through.
    pub async fn close(&self) {
        for pool in [&self.readers, &self.writer] {
            match pool {
                Pool::Sqlite(pool) => pool.close().await,
                Pool::Postgres(pool) => pool.close().await,
            }
        }
    }

    /// The connections that read.
    pub(crate) fn readers(&self) -> &Pool {
        &self.readers
    }
}

impl Transaction {
    /// Makes it last.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

/// Begins to read everything as it stands at this moment, in a database that this neither makes nor migrates.
pub(crate) async fn snapshot(url: &str) -> Result<Transaction, StoreError> {
    Ok(match kind(url)? {
        Kind::Sqlite => Transaction::Sqlite(sqlite::snapshot(sqlite::options(url)?).await?),
        Kind::Postgres => Transaction::Postgres(postgres::snapshot(postgres::options(url)?).await?),
    })
}

/// What people call the database of this URL: never its password.
pub(crate) fn name(url: &str) -> Result<String, StoreError> {
    Ok(match kind(url)? {
        Kind::Sqlite => sqlite::options(url)?.get_filename().display().to_string(),
        Kind::Postgres => postgres::name(&postgres::options(url)?),
    })
}

/// The databases that the Voice speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Which of them a URL names.
pub(crate) fn kind(url: &str) -> Result<Kind, StoreError> {
    match url.split(':').next().unwrap_or_default() {
        "sqlite" => Ok(Kind::Sqlite),
        "postgres" | "postgresql" => Ok(Kind::Postgres),
        scheme => Err(StoreError::UnsupportedUrl {
            scheme: scheme.to_owned(),
        }),
    }
}

/// How far a database's schema has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// As far as this program's.
    Current,
    /// Made by an older version of this program.
    Older,
    /// Made by a newer version, whose migration of this number is unknown here.
    Newer(i64),
    /// None of the Voice.
    Foreign,
}

/// How far the schema has come: by the migrations that were run, and the texts they had.
pub(crate) async fn standing(database: &mut Transaction) -> Result<Standing, StoreError> {
    let files = match database {
        Transaction::Sqlite(_) => sqlite::MIGRATIONS,
        Transaction::Postgres(_) => postgres::MIGRATIONS,
    };
    let ours = migrations(files);
    let tables = catalogue::tables(database).await?;
    if !tables.iter().any(|table| table.name == MIGRATION_TABLE) {
        return Ok(Standing::Foreign);
    }
    let run = Sql::new(MIGRATIONS_RUN).fetch_all(&mut *database).await?;
    for row in &run {
        let mut fields = Fields::of(MIGRATION_TABLE, row);
        let (version, checksum): (i64, Vec<u8>) = (fields.take()?, fields.take()?);
        match ours.iter().find(|migration| migration.version == version) {
            None if ours.last().is_some_and(|last| version > last.version) => {
                return Ok(Standing::Newer(version));
            }
            Some(migration) if *migration.checksum == *checksum => {}
            _ => return Ok(Standing::Foreign),
        }
    }
    Ok(match run.len() {
        0 => Standing::Foreign,
        all if all == ours.len() => Standing::Current,
        _ => Standing::Older,
    })
}

fn migrations(files: &[MigrationFile]) -> Vec<Migration> {
    files
        .iter()
        .map(|&(version, name, sql)| {
            let kind = MigrationType::Simple;
            Migration::new(version, name.into(), kind, sql.into_sql_str(), false)
        })
        .collect()
}

/// Brings the schema up to date on a connection that holds the lock; `database` is what people call it. Where there may
/// be much to rewrite, the log says so before.
pub(crate) async fn migrate<C: Migrate>(
    connection: &mut C,
    files: &[MigrationFile],
    database: &str,
) -> Result<(), StoreError> {
    let mut migrator = Migrator::with_migrations(migrations(files));
    migrator.set_locking(false);
    let database = database.to_owned();
    let run = async {
        connection.ensure_migrations_table(MIGRATION_TABLE).await?;
        let run = connection.list_applied_migrations(MIGRATION_TABLE).await?;
        if let Some((from, to)) = lacking(&run, files) {
            tracing::info!(
                from,
                to,
                "bringing {database} to this version of the program; with a large archive that takes some minutes"
            );
        }
        migrator.run_direct(None, connection, false).await
    };
    match run.await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(version)) => Err(StoreError::Newer { database, version }),
        Err(MigrateError::Execute(error)) => Err(error.into()),
        Err(source) => Err(StoreError::Migration { database, source }),
    }
}

/// Whether a database that is in use lacks migrations.
pub(crate) async fn is_older<C: Migrate>(connection: &mut C, files: &[MigrationFile]) -> bool {
    // Where they cannot be read there are none, or the migration itself says what is the matter.
    let run = connection.list_applied_migrations(MIGRATION_TABLE).await;
    lacking(&run.unwrap_or_default(), files).is_some()
}

/// The last migration that was run and the last there is, if some are lacking.
fn lacking(run: &[AppliedMigration], files: &[MigrationFile]) -> Option<(i64, i64)> {
    let last_run = run.iter().map(|migration| migration.version).max()?;
    let last = files.iter().map(|(version, ..)| *version).max()?;
    (last_run < last).then_some((last_run, last))
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
    /// The server does not answer, or ended the connection.
    Unreachable,
    /// The server does not let this user in.
    Refused,
    /// The server has no database of this name.
    NoDatabase,
}

/// The kind of trouble behind an error.
pub(crate) fn fault(error: &sqlx::Error) -> Option<Fault> {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code()?;
            match error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                Some(_) => postgres::fault(&code),
                None => sqlite::fault(&code),
            }
        }
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_) => Some(Fault::Unreachable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn every_migration_is_listed_for_both_databases() {
        for (folder, listed) in [("sqlite", sqlite::MIGRATIONS), ("postgres", postgres::MIGRATIONS)] {
            let folder = format!("{}/../../migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let mut files: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort_unstable();
            let listed: Vec<String> = listed
                .iter()
                .map(|(version, name, _)| format!("{version:04}_{}.sql", name.replace(' ', "_")))
                .collect();
            assert_eq!(files, listed);
        }
        let steps = |files: &[MigrationFile]| files.iter().map(|file| (file.0, file.1)).collect::<Vec<_>>();
        assert_eq!(steps(sqlite::MIGRATIONS), steps(postgres::MIGRATIONS));
    }

    #[tokio::test]
    async fn opens_again_what_is_there() {
        let store = testing::store().await;
        testing::feed(&store, "https://blog.example/feed", "Example").await;
        let again = Store::open(&store.url).await.unwrap();
        assert_eq!(again.feeds().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn an_older_database_is_brought_up_to_date_and_the_log_says_so_before() {
        let store = testing::store().await;
        let ada = testing::feed(&store, "https://blog.example/feed", "Example").await;
        testing::record(&store, &ada, vec![testing::Sample::new("one").entry()]).await;
        // The last migrations, undone as far as it takes to run them again.
        let undone: &[&str] = match store.readers() {
            Pool::Sqlite(_) => &[
                "DROP TRIGGER entry_spans_insert",
                "DROP TRIGGER entry_spans_moved",
            ],
            Pool::Postgres(_) => &[
                "DROP FUNCTION entry_spans_add CASCADE",
                "DROP FUNCTION entry_spans_move CASCADE",
            ],
        };
        for sql in undone {
            testing::execute(&store, sql).await;
        }
        testing::execute(&store, "DROP TABLE entry_spans").await;
        testing::execute(&store, "DELETE FROM _sqlx_migrations WHERE version >= 19").await;

        let log = tempfile::NamedTempFile::new().unwrap();
        let writer = Arc::new(log.reopen().unwrap());
        let subscriber = tracing_subscriber::fmt()
            .with_writer(writer)
            .with_ansi(false)
            .finish();
        let logging = tracing::subscriber::set_default(subscriber);
        let again = Store::open(&store.url).await.unwrap();
        let spans: i64 = Sql::new("SELECT COUNT(*) FROM entry_spans")
            .fetch_value("entry_spans", again.readers())
            .await
            .unwrap();
        assert_eq!(spans, 1);
        Store::open(&store.url).await.unwrap();
        Store::open(&testing::new_database().await.url).await.unwrap();
        drop(logging);
        let said = std::fs::read_to_string(log.path()).unwrap();
        assert_eq!(
            said.matches("to this version of the program").count(),
            1,
            "{said}"
        );
        assert!(said.contains("from=18 to=20"), "{said}");
    }

    #[tokio::test]
    async fn several_programs_may_open_a_new_database_at_once() {
        let url = testing::new_database().await;
        let (a, b, c) = tokio::join!(
            Store::open(&url.url),
            Store::open(&url.url),
            Store::open(&url.url)
        );
        for store in [a, b, c] {
            store.unwrap().ping().await.unwrap();
        }
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let store = testing::store().await;
        let error = crate::sql::Sql::new("DELETE FROM members")
            .execute(store.readers())
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    }

    #[tokio::test]
    async fn names_the_scheme_and_not_the_password() {
        let error = Store::open("mysql://voice:secret@db/voice").await.unwrap_err();
        assert!(matches!(error, StoreError::UnsupportedUrl { .. }));
        let words = error.to_string();
        assert!(
            words.contains("sqlite://") && words.contains("postgres://") && !words.contains("secret"),
            "{words}"
        );
    }

    #[tokio::test]
    async fn refuses_what_a_newer_version_migrated() {
        let store = testing::store().await;
        testing::execute(
            &store,
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'from the future', TRUE, '', 0)",
        )
        .await;
        let error = Store::open(&store.url).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { version: 9999, .. }),
            "{error}"
        );
    }

    #[tokio::test]
    async fn refuses_the_database_of_another_program() {
        let database = testing::new_database().await;
        database
            .execute("CREATE TABLE invoices (id INTEGER PRIMARY KEY)")
            .await;
        let error = Store::open(&database.url).await.unwrap_err();
        assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
        assert!(error.to_string().contains("invoices"), "{error}");
    }
}
