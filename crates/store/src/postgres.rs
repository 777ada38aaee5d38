//! What PostgreSQL does in its own way: connections, the lock of a write, its result codes.
//!
//! Everything lies in the schema that comes first in the connection's `search_path`.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Pool, Postgres};

use crate::db::{self, Fault, MigrationFile};
use crate::{Store, StoreError};

/// How many reads go side by side.
const READERS: u32 = 8;
/// How long to wait for the server, and for a connection to it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a write waits for another process to finish, in the server's words.
const LOCK_TIMEOUT: &str = "10s";
/// How many prepared statements the writer keeps: those of many rows come in several lengths.
const WRITER_STATEMENTS: usize = 256;

/// The writer finds everything by an index. A plan that was made while a table was small would go on reading all of it.
const BY_INDEX: [(&str, &str); 1] = [("enable_seqscan", "off")];
/// Of every connection. A plan takes longer to turn into machine code than any of ours to be followed: a search for a
/// word of every tenth entry took seven times as long. A notice tells what we know: that a table which is made if it is
/// not there is there.
const SETTINGS: [(&str, &str); 3] = [
    ("lock_timeout", LOCK_TIMEOUT),
    ("client_min_messages", "warning"),
    ("jit", "off"),
];

/// Every migration, oldest first, in step with SQLite's.
pub(crate) const MIGRATIONS: &[MigrationFile] = &[
    (
        1,
        "members feeds entries",
        include_str!("../../../migrations/postgres/0001_members_feeds_entries.sql"),
    ),
    (
        2,
        "leases",
        include_str!("../../../migrations/postgres/0002_leases.sql"),
    ),
    (
        3,
        "fetching",
        include_str!("../../../migrations/postgres/0003_fetching.sql"),
    ),
    (
        4,
        "topics",
        include_str!("../../../migrations/postgres/0004_topics.sql"),
    ),
    (
        5,
        "entry links",
        include_str!("../../../migrations/postgres/0005_entry_links.sql"),
    ),
    (
        6,
        "issues",
        include_str!("../../../migrations/postgres/0006_issues.sql"),
    ),
    (
        7,
        "membership",
        include_str!("../../../migrations/postgres/0007_membership.sql"),
    ),
    (
        8,
        "moderation",
        include_str!("../../../migrations/postgres/0008_moderation.sql"),
    ),
    (
        9,
        "subscriptions",
        include_str!("../../../migrations/postgres/0009_subscriptions.sql"),
    ),
    (
        10,
        "outputs",
        include_str!("../../../migrations/postgres/0010_outputs.sql"),
    ),
    (
        11,
        "topic disputes",
        include_str!("../../../migrations/postgres/0011_topic_disputes.sql"),
    ),
    (
        12,
        "missing",
        include_str!("../../../migrations/postgres/0012_missing.sql"),
    ),
    (
        13,
        "notices",
        include_str!("../../../migrations/postgres/0013_notices.sql"),
    ),
    (
        14,
        "feed problems",
        include_str!("../../../migrations/postgres/0014_feed_problems.sql"),
    ),
    (
        15,
        "enclosures",
        include_str!("../../../migrations/postgres/0015_enclosures.sql"),
    ),
    (
        16,
        "training",
        include_str!("../../../migrations/postgres/0016_training.sql"),
    ),
    (
        17,
        "incomplete",
        include_str!("../../../migrations/postgres/0017_incomplete.sql"),
    ),
    (
        18,
        "member counts",
        include_str!("../../../migrations/postgres/0018_member_counts.sql"),
    ),
    (
        19,
        "entry spans",
        include_str!("../../../migrations/postgres/0019_entry_spans.sql"),
    ),
    (
        20,
        "words by eight",
        include_str!("../../../migrations/postgres/0020_words_by_eight.sql"),
    ),
];

/// What the database takes on the server's disk.
pub(crate) const DATABASE_BYTES: &str = "SELECT pg_database_size(current_database())";

const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Any number will do, as long as every version of the program takes the same one.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7020131123)";

/// All writers wait here for one another: so numbers are given out in the order in which they can be seen, and
/// nobody who reads changes in order misses one.
pub(crate) const WRITE_LOCK: &str = "SELECT 1 FROM site_state FOR UPDATE";

/// Writes what lives into new files and gives the old ones up: a plain `VACUUM` leaves dead rows' bytes in place. Whoever
/// reads a table meanwhile waits, so none is waited for long: what cannot be done now is tried again.
const REWRITE_TABLES: [&str; 26] = [
    "VACUUM (FULL) entries",
    "VACUUM (FULL) entries_fts",
    "VACUUM (FULL) entry_labels",
    "VACUUM (FULL) entry_counts",
    "VACUUM (FULL) member_counts",
    "VACUUM (FULL) member_newest",
    "VACUUM (FULL) entry_spans",
    "VACUUM (FULL) entry_links",
    "VACUUM (FULL) entry_enclosures",
    "VACUUM (FULL) topic_disputes",
    "VACUUM (FULL) reports",
    "VACUUM (FULL) issue_members",
    "VACUUM (FULL) issue_revisions",
    "VACUUM (FULL) notices",
    "VACUUM (FULL) feed_troubles",
    "VACUUM (FULL) feed_problems",
    "VACUUM (FULL) feeds",
    "VACUUM (FULL) feed_aliases",
    "VACUUM (FULL) polls",
    "VACUUM (FULL) subscriptions",
    "VACUUM (FULL) registrations",
    "VACUUM (FULL) host_days",
    "VACUUM (FULL) members",
    "VACUUM (FULL) member_aliases",
    "VACUUM (FULL) member_emails",
    "VACUUM (FULL) audit",
];
const WAIT_A_SECOND: &str = "SET lock_timeout = '1s'";
const WAIT_AS_BEFORE: &str = "RESET lock_timeout";

/// A table that a program other than this one made.
const FOREIGN_TABLE: &str =
    "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT EXISTS (
        SELECT 1 FROM pg_class o WHERE o.relnamespace = c.relnamespace AND o.relname = '_sqlx_migrations')
    ORDER BY c.relname LIMIT 1";

/// Connects to the server and migrates the database.
pub(crate) async fn open(url: &str) -> Result<Store, StoreError> {
    let options = options(url)?.options(SETTINGS);
    let database = name(&options);
    let unopened = |error| unopened(&database, error);
    let one = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
    // A migration that takes long is told of before, and not by its whole text afterwards.
    let migrating = one
        .clone()
        .connect_with(options.clone().disable_statement_logging())
        .await
        .map_err(unopened)?;
    migrate(&migrating, &database).await?;
    migrating.close().await;
    let writer = one
        .connect_with(
            options
                .clone()
                .options(BY_INDEX)
                .statement_cache_capacity(WRITER_STATEMENTS),
        )
        .await
        .map_err(unopened)?;
    let readers = PgPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(PATIENCE)
        .connect_with(options.options([("default_transaction_read_only", "on")]))
        .await
        .map_err(unopened)?;
    Ok(Store::of(db::Pool::Postgres(writer), db::Pool::Postgres(readers)))
}

/// Where the server of this URL is, and who asks.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    Ok(PgConnectOptions::from_str(url)
        .map_err(|error| StoreError::BadUrl {
            message: error.to_string(),
        })?
        .application_name("voice"))
}

/// Begins to read the database as it stands at this moment.
pub(crate) async fn snapshot(
    options: PgConnectOptions,
) -> Result<sqlx::Transaction<'static, Postgres>, StoreError> {
    let database = name(&options);
    let reading = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .connect_with(options.disable_statement_logging())
        .await
        .map_err(|error| unopened(&database, error))?;
    Ok(reading.begin_with(SNAPSHOT).await?)
}

/// What people call the database: never its password.
pub(crate) fn name(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let user = options.get_username();
    format!(
        "the database {:?} of {user:?} at {host}",
        options.get_database().unwrap_or(user)
    )
}

/// Brings the schema up to date, in one transaction that other processes wait for.
async fn migrate(connection: &Pool<Postgres>, database: &str) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await?;
    sqlx::query(MIGRATION_LOCK).execute(&mut *transaction).await?;
    let foreign: Option<String> = sqlx::query_scalar(FOREIGN_TABLE)
        .fetch_optional(&mut *transaction)
        .await?;
    if let Some(table) = foreign {
        let database = database.to_owned();
        return Err(StoreError::NotOurs { database, table });
    }
    db::migrate(&mut *transaction, MIGRATIONS, database).await?;
    Ok(transaction.commit().await?)
}

/// Leaves nothing of erased text in the tables' files. Gives false while somebody still reads in one of them.
pub(crate) async fn scrub(writer: &Pool<Postgres>) -> Result<bool, StoreError> {
    let mut connection = writer.acquire().await?;
    sqlx::query(WAIT_A_SECOND).execute(&mut *connection).await?;
    let mut done = Ok(());
    for table in REWRITE_TABLES {
        done = sqlx::query(table).execute(&mut *connection).await.map(drop);
        if done.is_err() {
            break;
        }
    }
    sqlx::query(WAIT_AS_BEFORE).execute(&mut *connection).await?;
    match done.map_err(StoreError::from) {
        Ok(()) => Ok(true),
        Err(StoreError::Locked { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The kind of trouble behind an error code (PostgreSQL's appendix A).
pub(crate) fn fault(code: &str) -> Option<Fault> {
    match code {
        "53100" => Some(Fault::Full),
        "55P03" => Some(Fault::Locked),
        "25006" | "42501" => Some(Fault::ReadOnly),
        "3D000" => Some(Fault::NoDatabase),
        "28P01" | "28000" => Some(Fault::Refused),
        // Too many connections; the server is starting, stopping or was restarted.
        "53300" | "57P01" | "57P02" | "57P03" => Some(Fault::Unreachable),
        _ => None,
    }
}

/// Says which database it was that could not be opened.
fn unopened(database: &str, error: sqlx::Error) -> StoreError {
    let database = database.to_owned();
    match db::fault(&error) {
        Some(Fault::NoDatabase) => StoreError::NoDatabase { database },
        Some(Fault::Refused) => StoreError::Refused {
            database,
            message: error.to_string(),
        },
        Some(Fault::Unreachable) => StoreError::Unreachable {
            database,
            message: error.to_string(),
        },
        _ => error.into(),
    }
}
