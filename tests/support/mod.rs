//! What the tests of the whole program share: the binary, a folder and a database of its own, a blogosphere to poll and
//! a reader of HTTP.

#![allow(dead_code, reason = "each test file uses its own part of this")]

pub(crate) mod blogosphere;
pub(crate) mod chromium;
pub(crate) mod database;
pub(crate) mod hostile_feeds;
pub(crate) mod html;
pub(crate) mod inside;
pub(crate) mod walk;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use database::Schema;

/// A Voice in a folder of its own.
pub(crate) struct Voice {
    folder: tempfile::TempDir,
    /// `None`: `data/voice.db` in the folder, the program's default.
    pub(crate) database: Option<Schema>,
}

impl Voice {
    /// A Voice with this `feeds.toml`. `[fetch]` is left to [`FETCH`].
    pub(crate) fn with_config(config: &str) -> Self {
        Self::on(Schema::where_chosen(), config)
    }

    /// A Voice with this `feeds.toml` on this database.
    pub(crate) fn on(database: Option<Schema>, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("feeds.toml"), config).unwrap();
        Self { folder, database }
    }

    /// A Voice that polls these feeds (slug and address) on loopback.
    pub(crate) fn of(feeds: &[(&str, String)]) -> Self {
        Self::with_config(&config(feeds))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_voice"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .stdin(Stdio::null());
        if let Some(schema) = &self.database {
            command.env("DATABASE_URL", schema.url());
        }
        command
    }

    /// What `--database` says of its database.
    pub(crate) fn database_url(&self) -> String {
        match &self.database {
            Some(schema) => schema.url(),
            None => format!("sqlite://{}", self.path("data/voice.db").display()),
        }
    }

    /// The schema of a Voice on PostgreSQL.
    pub(crate) fn schema(&self) -> &Schema {
        self.database.as_ref().expect("a Voice on PostgreSQL")
    }

    /// Whether the Voice has stored nothing at all, not even an empty table.
    pub(crate) fn has_no_database(&self) -> bool {
        match &self.database {
            None => !self.path("data").exists(),
            Some(schema) => {
                let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";
                schema.sql(tables) == "0"
            }
        }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed and answers its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("not JSON: {}", text(&output.stdout)))
    }

    /// Every stored entry, as `voice export` writes it.
    pub(crate) fn exported(&self) -> Vec<serde_json::Value> {
        let output = self.run(&["export", "--format", "jsonl"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Starts `voice serve` on a free port and waits until it says where it is.
    pub(crate) fn serve(&self) -> Server {
        self.start("serve")
    }

    /// Starts `voice serve` (with options) or `voice demo` on a free port and waits until it says where it is.
    pub(crate) fn start(&self, command: &str) -> Server {
        let mut child = self
            .command(&command.split(' ').collect::<Vec<_>>())
            .env("VOICE_SERVER_LISTEN", "127.0.0.1:0")
            .env("VOICE_ADMIN_TOKENS", format!("mo:moderator:{MODERATOR}"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let start = said.len();
            assert!(
                log.read_line(&mut said).unwrap() > 0,
                "it ended without serving: {said}"
            );
            // Other lines may name a feed at such an address.
            if let Some((_, rest)) = said[start..].split_once("http://127.0.0.1:")
                && rest.contains("Ctrl-C")
            {
                break format!("127.0.0.1:{}", rest.split('/').next().unwrap());
            }
        };
        // Somebody must go on reading, or a full pipe would stop the server.
        let lines = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let heard = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                heard.0.lock().unwrap().push(line);
                heard.1.notify_all();
            }
        });
        Server {
            child,
            address,
            lines,
        }
    }
}

/// A config of these feeds (slug and address), with short waits and loopback allowed.
pub(crate) fn config(feeds: &[(&str, String)]) -> String {
    config_with(FETCH, feeds)
}

/// A config that opens with `settings` and lists these feeds (slug and address).
pub(crate) fn config_with<S: std::fmt::Display>(settings: &str, feeds: &[(S, String)]) -> String {
    let mut config = settings.to_owned();
    for (slug, url) in feeds {
        write!(
            config,
            "[[feed]]\nname = \"{slug}\"\nslug = \"{slug}\"\nurl = \"{url}\"\n"
        )
        .unwrap();
    }
    config
}

/// Short waits, small limits, loopback allowed.
pub(crate) const FETCH: &str = "[site]\ncontact = \"https://voice.example/about\"\n\
    [fetch]\nallow = [\"127.0.0.0/8\"]\ntimeout = \"2s\"\nmax_body = \"1MiB\"\n";

/// What the moderator of a running server signs in with.
pub(crate) const MODERATOR: &str = "the-token-of-a-moderator";

/// A running `voice serve`; killed when the test is done with it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    lines: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Server {
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        ask(&self.address, path, headers)
    }

    /// Sends a form that stands on a page of the server itself, with these further headers.
    pub(crate) fn submit(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let length = body.len().to_string();
        let mut all = vec![
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", &length),
            ("Sec-Fetch-Site", "same-origin"),
        ];
        all.extend(headers);
        send(&self.address, "POST", path, &all, &body)
    }

    /// Asks for `path` until `done` is content with the answer.
    pub(crate) fn wait_for(&self, path: &str, done: impl Fn(&Reply) -> bool) -> Reply {
        self.wait_long_for(Duration::from_mins(1), path, done)
    }

    /// Asks for `path` until `done` is content with the answer, or so long.
    pub(crate) fn wait_long_for(&self, within: Duration, path: &str, done: impl Fn(&Reply) -> bool) -> Reply {
        let deadline = Instant::now() + within;
        loop {
            let reply = self.get(path);
            if done(&reply) {
                return reply;
            }
            assert!(
                Instant::now() < deadline,
                "{path} never came to what was waited for; last: {}",
                reply.body
            );
            std::thread::yield_now();
        }
    }

    /// Sends SIGHUP: read the config again.
    pub(crate) fn hang_up(&self) {
        signal(&self.child, "HUP");
    }

    /// Waits until the server has logged these words.
    pub(crate) fn wait_for_log(&self, words: &str) {
        let (lines, news) = &*self.lines;
        let heard = |lines: &mut Vec<String>| !lines.iter().any(|line| line.contains(words));
        let waited = news
            .wait_timeout_while(lines.lock().unwrap(), Duration::from_mins(1), heard)
            .unwrap();
        assert!(
            !waited.1.timed_out(),
            "{words:?} was never logged: {:#?}",
            waited.0
        );
    }

    /// Everything that it has logged since it said where it is.
    pub(crate) fn logged(&self) -> Vec<String> {
        self.lines.0.lock().unwrap().clone()
    }

    /// Ends it as a crash would: it has no chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM and answers the exit status and how long the end took.
    pub(crate) fn stop(&mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        signal(&self.child, "TERM");
        let status = self.child.wait().unwrap();
        (status.code(), begun.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Asks the server at `address` for `path`.
pub(crate) fn ask(address: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    send(address, "GET", path, headers, "")
}

fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    write!(request, "\r\n{body}").unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    Reply::read(&bytes)
}

/// An answer of the server.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Reply {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .expect("a head");
        let head = text(&bytes[..end]);
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self {
            status,
            headers,
            body: String::from_utf8(bytes[end + 4..].to_vec()).expect("UTF-8"),
        }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The folder of corpora and blogs that is laid beside the project, where there is one.
pub(crate) fn shared() -> Option<PathBuf> {
    let named = option_env!("VOICE_TEST_SHARED").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    named.or(Some(beside)).filter(|path| path.join("blogs").is_dir())
}

/// What npm put beside the program. `scripts/test` says how; without it a test is skipped, but never in CI.
pub(crate) fn checker(path: &str) -> Option<PathBuf> {
    let target = PathBuf::from(env!("CARGO_BIN_EXE_voice"));
    let file = target
        .ancestors()
        .nth(2)
        .unwrap()
        .join("npm/node_modules")
        .join(path);
    if file.exists() {
        return Some(file);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "CI has no {path}; scripts/test installs it"
    );
    eprintln!(
        "skipped: there is no {}; scripts/test says how to get it",
        file.display()
    );
    None
}
