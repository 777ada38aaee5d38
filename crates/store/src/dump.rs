//! PostgreSQL's own tools, `pg_dump` and `pg_restore`, for copies of the database.
//!
//! What they need to know of the server goes through their environment: a command line is there for all to read. It
//! refuses to restore into a database that holds anything.

use std::path::Path;
use std::process::Stdio;

use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::process::Command;

use crate::backup::{Holdings, head, holdings, is_sqlite};
use crate::db::{self, MIGRATION_TABLE, Transaction};
use crate::sql::Sql;
use crate::{StoreError, catalogue, postgres};

/// What every dump in PostgreSQL's custom format begins with.
pub(crate) const HEADER: &[u8] = b"PGDMP";

const SNAPSHOT: &str = "SELECT pg_export_snapshot()";
const SCHEMA: &str = "SELECT current_schema()::text";

/// Dumps the Voice into `file` as `snapshot` sees it.
pub(crate) async fn write(
    options: &PgConnectOptions,
    snapshot: &mut Transaction,
    file: &Path,
) -> Result<(), StoreError> {
    let moment: String = Sql::new(SNAPSHOT)
        .fetch_value("the catalogue", &mut *snapshot)
        .await?;
    let schema: String = Sql::new(SCHEMA).fetch_value("the catalogue", snapshot).await?;
    let mut command = tool("pg_dump", options);
    command
        .args([
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            "--no-password",
        ])
        .arg(format!("--snapshot={moment}"))
        .arg(format!("--schema={}", pattern(&schema)))
        .arg("--file")
        .arg(file);
    run("pg_dump", command).await.map(|_| ())
}

/// Restores the dump `file` into the database at `url`, which must be empty; tells its schema and what it holds.
pub(crate) async fn restore(url: &str, file: &Path) -> Result<(String, Holdings), StoreError> {
    let refuse = |reason: &str| StoreError::BadBackup {
        path: file.to_owned(),
        reason: reason.to_owned(),
    };
    match head(file) {
        Err(error) => return Err(refuse(&error.to_string())),
        Ok(head) if is_sqlite(&head) => {
            return Err(refuse(
                "it is a SQLite database; restore it into a sqlite:// one, and carry that over with `voice migrate-database`",
            ));
        }
        Ok(head) if !head.starts_with(HEADER) => {
            return Err(refuse("it is no dump of PostgreSQL in its custom format"));
        }
        Ok(_) => {}
    }
    let options = postgres::options(url)?;
    let dumped = schema_of(&options, file)
        .await?
        .ok_or_else(|| refuse("it holds no Voice"))?;
    if let Some(version) = newer(&options, file).await? {
        return Err(refuse(&format!(
            "it was made by a newer version of this program (migration {version}); restore it with that one"
        )));
    }
    let mut database = db::snapshot(url).await?;
    let schema: Option<String> = Sql::new(SCHEMA)
        .fetch_value("the catalogue", &mut database)
        .await?;
    if schema.as_deref() != Some(dumped.as_str()) {
        return Err(refuse(&format!(
            "it was made from the schema {dumped:?}, which must be there, empty and the first of the connection's search_path"
        )));
    }
    if let Some(table) = catalogue::tables(&mut database).await?.into_iter().next() {
        return Err(StoreError::NotEmpty {
            database: db::name(url)?,
            table: table.name,
        });
    }
    drop(database);
    let mut command = tool("pg_restore", &options);
    command
        .args([
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
            "--no-password",
        ])
        .arg(format!("--schema={dumped}"))
        .arg("--dbname")
        .arg(options.get_database().unwrap_or(options.get_username()))
        .arg(file);
    run("pg_restore", command).await?;
    let holds = holdings(&mut db::snapshot(url).await?).await?;
    Ok((dumped, holds))
}

/// The schema in which the dump has a Voice.
async fn schema_of(options: &PgConnectOptions, file: &Path) -> Result<Option<String>, StoreError> {
    let mut command = tool("pg_restore", options);
    command.arg("--list").arg(file);
    let list = run("pg_restore", command).await?;
    // 210; 1259 16389 TABLE public _sqlx_migrations voice
    let schema = list.lines().find_map(|line| {
        let (_, table) = line.split_once(" TABLE ")?;
        let (schema, _) = table.split_once(&format!(" {MIGRATION_TABLE} "))?;
        Some(schema.to_owned())
    });
    Ok(schema)
}

/// A migration in the dump that this program does not know.
async fn newer(options: &PgConnectOptions, file: &Path) -> Result<Option<i64>, StoreError> {
    let mut command = tool("pg_restore", options);
    command
        .arg("--data-only")
        .arg(format!("--table={MIGRATION_TABLE}"))
        .args(["--file", "-"])
        .arg(file);
    let rows = run("pg_restore", command).await?;
    let last = postgres::MIGRATIONS.last().map_or(0, |migration| migration.0);
    let versions = rows
        .lines()
        .filter_map(|line| line.split('\t').next()?.parse().ok());
    Ok(versions.max().filter(|version| *version > last))
}

/// The tool, told where the server is and who asks.
fn tool(program: &'static str, options: &PgConnectOptions) -> Command {
    let url = options.to_url_lossy();
    let mut command = Command::new(program);
    match options.get_socket() {
        Some(folder) => command.env("PGHOST", folder),
        None => command.env("PGHOST", options.get_host()),
    };
    command
        .env("PGPORT", options.get_port().to_string())
        .env("PGUSER", options.get_username())
        .env(
            "PGDATABASE",
            options.get_database().unwrap_or(options.get_username()),
        )
        .env("PGAPPNAME", "voice")
        .env("PGSSLMODE", ssl_mode(options.get_ssl_mode()))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(password) = url.password() {
        command.env("PGPASSWORD", &*percent_decode_str(password).decode_utf8_lossy());
    }
    if let Some(settings) = options.get_options() {
        command.env("PGOPTIONS", settings);
    }
    for (name, variable) in [
        ("sslrootcert", "PGSSLROOTCERT"),
        ("sslcert", "PGSSLCERT"),
        ("sslkey", "PGSSLKEY"),
    ] {
        if let Some((_, file)) = url.query_pairs().find(|(key, _)| key == name) {
            command.env(variable, &*file);
        }
    }
    command
}

fn ssl_mode(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

/// The schema of exactly this name, as `pg_dump` takes it.
fn pattern(schema: &str) -> String {
    format!("\"{}\"", schema.replace('"', "\"\""))
}

/// Runs the tool to its end; gives what it printed.
async fn run(program: &'static str, mut command: Command) -> Result<String, StoreError> {
    let output = command.output().await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => StoreError::NoTool { tool: program },
        _ => StoreError::Tool {
            tool: program,
            message: error.to_string(),
        },
    })?;
    if !output.status.success() {
        return Err(StoreError::Tool {
            tool: program,
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
