//! The database: which one it is, its connections, how a write begins and ends, its kinds of trouble.
//!
//! What SQLite does in its own way stands in `sqlite.rs`, what PostgreSQL does in `postgres.rs`, full text of both in
//! `search.rs`; every other file asks the same of either. This file asks nothing of the tables.

use std::sync::Arc;

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Postgres, SqlSafeStr, Sqlite};

use crate::StoreError;
use crate::vitals::Counters;
use crate::{postgres, sqlite};

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
        match url.split(':').next().unwrap_or_default() {
            "sqlite" => sqlite::open(url).await,
            "postgres" | "postgresql" => postgres::open(url).await,
            scheme => Err(StoreError::UnsupportedUrl {
                scheme: scheme.to_owned(),
            }),
        }
    }

    /// Begins a write. The lock is taken at once, so that no read inside can turn out stale at the first write.
    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(match &self.writer {
            Pool::Sqlite(writer) => Transaction::Sqlite(sqlite::begin(writer).await?),
            Pool::Postgres(writer) => Transaction::Postgres(postgres::begin(writer).await?),
        })
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

/// Brings the schema up to date on a connection that holds the lock; `database` is what people call it.
pub(crate) async fn migrate<C: Migrate>(
    connection: &mut C,
    files: &[MigrationFile],
    database: &str,
) -> Result<(), StoreError> {
    let migrations = files
        .iter()
        .map(|&(version, name, sql)| {
            let kind = MigrationType::Simple;
            Migration::new(version, name.into(), kind, sql.into_sql_str(), false)
        })
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.set_locking(false);
    let database = database.to_owned();
    match migrator.run_direct(None, connection, false).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(version)) => Err(StoreError::Newer { database, version }),
        Err(MigrateError::Execute(error)) => Err(error.into()),
        Err(source) => Err(StoreError::Migration { database, source }),
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
        for (folder, listed) in [
            ("sqlite", sqlite::MIGRATIONS.as_slice()),
            ("postgres", postgres::MIGRATIONS.as_slice()),
        ] {
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
        assert_eq!(steps(&sqlite::MIGRATIONS), steps(&postgres::MIGRATIONS));
    }

    #[tokio::test]
    async fn opens_again_what_is_there() {
        let store = testing::store().await;
        testing::feed(&store, "https://blog.example/feed", "Example").await;
        let again = Store::open(&store.url).await.unwrap();
        assert_eq!(again.feeds().await.unwrap().len(), 1);
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
