//! A database for each test: a file in its folder, or a schema of its own on the PostgreSQL server that
//! `VOICE_TEST_POSTGRES` names. Whole servers too, for tests of what befalls one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use super::text;

/// Why a test is left out where there is no server.
pub(crate) const SERVER: &str = "VOICE_TEST_POSTGRES";

/// A schema on a PostgreSQL server; it goes when the test is done with it.
pub(crate) struct Schema {
    server: String,
    name: String,
}

impl Schema {
    /// A new schema on the server that the tests are to use, where there is one.
    pub(crate) fn where_chosen() -> Option<Self> {
        let server = std::env::var_os(SERVER)?;
        Some(Self::on(server.to_str().expect("a URL")))
    }

    /// A new schema; for tests that `scripts/test` runs beside a server.
    pub(crate) fn new() -> Self {
        Self::where_chosen().unwrap_or_else(|| panic!("{SERVER} names no server; scripts/test starts one"))
    }

    /// A new schema in the database at this URL.
    pub(crate) fn on(server: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("voice_{}_{number}", std::process::id());
        let schema = Self {
            server: server.to_owned(),
            name,
        };
        must(&psql(&schema.server, &format!("CREATE SCHEMA {}", schema.name)));
        schema
    }

    /// What `--database` says of it.
    pub(crate) fn url(&self) -> String {
        let separator = if self.server.contains('?') { '&' } else { '?' };
        format!(
            "{}{separator}options=-c%20search_path%3D{}",
            self.server, self.name
        )
    }

    /// Does or asks something that the Voice would not; answers the first column, a row a line.
    pub(crate) fn sql(&self, statement: &str) -> String {
        must(&psql(&self.url(), statement))
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // A server that the test has ended has taken it along.
        let _ = psql(&self.server, &format!("DROP SCHEMA {} CASCADE", self.name));
    }
}

/// A server of the test's own, to be stopped and started; removed when the test is done with it.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    pub(crate) url: String,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = cluster("start", folder.path());
        Self { folder, url }
    }

    /// Ends the server, and every connection to it.
    pub(crate) fn go_away(&self) {
        cluster("stop", self.folder.path());
    }

    /// Starts it again.
    pub(crate) fn come_back(&self) {
        assert_eq!(cluster("start", self.folder.path()), self.url);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        cluster("remove", self.folder.path());
    }
}

/// Runs `scripts/postgres`, which knows how a cluster is made.
fn cluster(command: &str, folder: &Path) -> String {
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres");
    must(&Command::new(script).arg(command).arg(folder).output().unwrap())
}

fn psql(url: &str, statement: &str) -> Output {
    Command::new("psql")
        .args(["--quiet", "--no-psqlrc", "--no-align", "--tuples-only"])
        .args(["--set", "ON_ERROR_STOP=1", "--set", "client_min_messages=warning"])
        .args(["--dbname", url, "--command", statement])
        .output()
        .expect("psql is there; on Debian: apt-get install postgresql-client")
}

fn must(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}
