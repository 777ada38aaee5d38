//! The whole program, from the feeds of a loopback blogosphere to the pages that readers get. It runs on SQLite, or on
//! PostgreSQL where `VOICE_TEST_POSTGRES` says so; what concerns a file is SQLite's alone, and names its file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::blogosphere::{Answer, Blogosphere, rss};
use support::{FETCH, Voice, config, config_with, signal, text};

/// Ten megabytes of spaces, as a few kilobytes of gzip.
fn gzip_bomb() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; 10 << 20]).unwrap();
    encoder.finish().unwrap()
}

fn raw(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    Answer::Raw(status, headers, body.as_bytes().to_vec())
}

#[test]
fn a_blogosphere_good_and_bad_is_polled_and_read_over_http() {
    let blogs = Blogosphere::start();
    blogs.answer("/good/feed", Answer::Feed(rss("good", [40, 39, 38])));
    blogs.answer("/old/feed", raw(301, &[("Location", "/moved/feed")], ""));
    blogs.answer("/moved/feed", Answer::Feed(rss("moved", [41])));
    blogs.answer("/missing/feed", raw(404, &[], "gone fishing"));
    blogs.answer("/gone/feed", raw(410, &[], ""));
    blogs.answer("/busy/feed", raw(429, &[("Retry-After", "3600")], ""));
    blogs.answer("/slow/feed", Answer::Silence);
    blogs.answer("/huge/feed", Answer::Endless(64 << 20));
    blogs.answer(
        "/bomb/feed",
        Answer::Raw(200, vec![("Content-Encoding", "gzip".to_owned())], gzip_bomb()),
    );
    blogs.answer(
        "/broken/feed",
        raw(
            200,
            &[("Content-Type", "text/html")],
            "<!doctype html><title>Log in</title>",
        ),
    );
    let slugs = [
        "good", "old", "missing", "gone", "busy", "slow", "huge", "bomb", "broken",
    ];
    let feeds: Vec<_> = slugs
        .iter()
        .map(|slug| (*slug, blogs.url(&format!("/{slug}/feed"))))
        .collect();
    let voice = Voice::of(&feeds);

    let first = voice.json(&["poll", "--all", "--json"]);
    assert_eq!(counts(&first), [9, 0, 0, 2, 7, 0], "{first:#}");
    assert_eq!(first["entries_new"], 4);
    let why: BTreeMap<&str, &str> = first["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| {
            (
                failure["feed"].as_str().unwrap(),
                failure["error"].as_str().unwrap(),
            )
        })
        .collect();
    for (slug, word) in [
        ("missing", "404"),
        ("gone", "410"),
        ("busy", "429"),
        ("slow", "2 s"),
        ("huge", "1 MiB"),
        ("bomb", "1 MiB"),
        ("broken", "web page"),
    ] {
        assert!(why[slug].contains(word), "{slug}: {}", why[slug]);
    }

    // The second round asks with what the first was given, obeys the Retry-After, and changes nothing.
    let second = voice.json(&["poll", "--all", "--json"]);
    assert_eq!(counts(&second), [8, 2, 0, 0, 6, 1], "{second:#}");
    assert_eq!(
        (&second["entries_new"], &second["entries_updated"]),
        (&Value::from(0), &Value::from(0))
    );
    assert_eq!(
        blogs.requests("/busy/feed").len(),
        1,
        "a running Retry-After is obeyed"
    );
    let asked = blogs.requests("/good/feed");
    assert_eq!(asked.len(), 2);
    assert!(!asked[0].headers.contains_key("if-none-match"));
    assert!(asked[1].headers.contains_key("if-none-match"));
    let agent = &asked[0].headers["user-agent"];
    assert!(agent.contains("(+https://voice.example/about)"), "{agent}");

    let server = voice.serve();
    let river = server.get("/");
    assert_eq!(river.status, 200);
    let order: Vec<usize> = ["moved: post 41", "good: post 40", "good: post 39"]
        .iter()
        .map(|title| river.body.find(title).unwrap())
        .collect();
    assert!(order.is_sorted(), "the newest first");
    assert!(!river.body.contains("<script"), "nothing that runs");

    let feed = server.get("/feed.atom");
    assert_eq!(feed.status, 200);
    assert_eq!(feed.body.matches("<entry").count(), 4);
    let again = server.get_with("/feed.atom", &[("If-None-Match", &feed.headers["etag"])]);
    assert_eq!((again.status, again.body.as_str()), (304, ""));

    let entries = server.get("/entries.json?limit=3").json();
    assert_eq!(entries["entries"].as_array().unwrap().len(), 3);
    let next = entries["next"].as_str().unwrap();
    let path = &next[next.find("/entries.json").unwrap()..];
    let rest = server.get(path).json();
    assert_eq!(rest["entries"].as_array().unwrap().len(), 1);
    assert_eq!(rest["next"], Value::Null);
    assert_eq!(
        entries["entries"][0]["hashtags"],
        serde_json::json!(["localgovdigital"])
    );

    // 2015-02-09 is the fortieth day: post 40 and 41 are of week 7.
    let digest = server.get("/digest/2015-W07.json").json();
    let titles: Vec<&str> = digest["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["title"].as_str().unwrap())
        .collect();
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert_eq!(digest["status"], "archive");
}

/// feeds, not_modified, unchanged, changed, failed, skipped
fn counts(summary: &Value) -> [u64; 6] {
    [
        "feeds",
        "not_modified",
        "unchanged",
        "changed",
        "failed",
        "skipped",
    ]
    .map(|key| summary[key].as_u64().unwrap())
}

#[test]
fn an_edit_changes_an_entry_in_place() {
    let blogs = Blogosphere::start();
    blogs.answer("/feed", Answer::Feed(rss("edited", [40, 39])));
    let voice = Voice::of(&[("edited", blogs.url("/feed"))]);
    voice.json(&["poll", "--all", "--json"]);
    let before = voice.exported();

    blogs.answer(
        "/feed",
        Answer::Feed(rss("edited", [40, 39]).replace("post 40 &amp; more", "post 40, corrected")),
    );
    let summary = voice.json(&["poll", "--all", "--json"]);
    assert_eq!(
        (
            &summary["changed"],
            &summary["entries_new"],
            &summary["entries_updated"]
        ),
        (&1.into(), &0.into(), &1.into())
    );
    let after = voice.exported();
    assert_eq!(after.len(), 2);
    let find = |entries: &[Value], word: &str| {
        entries
            .iter()
            .find(|entry| entry["title"].as_str().unwrap().contains(word))
            .unwrap()
            .clone()
    };
    let (old, new) = (find(&before, "post 40"), find(&after, "corrected"));
    for key in ["key", "id", "published", "released"] {
        assert_eq!(old[key], new[key], "{key}");
    }
    assert_ne!(old["updated"], new["updated"]);
    assert_eq!(find(&before, "post 39"), find(&after, "post 39"));
}

#[test]
fn a_killed_poll_loses_nothing_and_doubles_nothing() {
    // Side by side, for what a dead poll had in hand stays with it for as long as a lease lasts.
    std::thread::scope(|scope| {
        for kill_at in [5, 25, 50] {
            scope.spawn(move || a_poll_killed_at_request(kill_at));
        }
    });
}

fn a_poll_killed_at_request(kill_at: usize) {
    let blogs = Blogosphere::start();
    let slugs: Vec<String> = (0..60).map(|n| format!("blog-{n}")).collect();
    let mut feeds = Vec::new();
    for slug in &slugs {
        let path = format!("/{slug}");
        blogs.answer(&path, Answer::Feed(rss(slug, 1..=10)));
        feeds.push((slug.as_str(), blogs.url(&path)));
    }
    let voice = Voice::of(&feeds);
    let mut poll = voice
        .command(&["poll", "--all"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    blogs.wait_for_requests(kill_at);
    signal(&poll, "KILL");
    poll.wait().unwrap();
    let next = voice.json(&["poll", "--all", "--json"]);
    assert_eq!(
        (&next["feeds"], &next["skipped"], &next["failed"]),
        (&60.into(), &0.into(), &0.into())
    );
    let mut keys: Vec<String> = voice
        .exported()
        .iter()
        .map(|entry| entry["title"].as_str().unwrap().to_owned())
        .collect();
    keys.sort();
    let stored = keys.len();
    keys.dedup();
    assert_eq!((stored, keys.len()), (600, 600), "every entry once");
}

/// What `voice poll --all --json` says and logs with these limits of a shell, of so many blogs that each think for so long.
fn polled_within(limits: &str, hosts: usize, pace: Duration) -> (Voice, Value, String) {
    let blogs = Blogosphere::of_many_hosts(pace);
    let slugs: Vec<String> = (0..hosts).map(|number| format!("blog-{number}")).collect();
    let feeds: Vec<(&str, String)> = (slugs.iter().enumerate())
        .map(|(number, slug)| (slug.as_str(), blogs.url_at_host(number, &format!("/{slug}"))))
        .collect();
    for slug in &slugs {
        blogs.answer(&format!("/{slug}"), Answer::Feed(rss(slug, [1])));
    }
    let voice = Voice::on(None, &config(&feeds));
    let poll = format!("{limits} && exec \"$0\" poll --all --json");
    let polled = Command::new("sh")
        .args(["-c", &poll, env!("CARGO_BIN_EXE_voice")])
        .current_dir(voice.path(""))
        .output()
        .unwrap();
    let summary = serde_json::from_slice(&polled.stdout).unwrap();
    (voice, summary, text(&polled.stderr))
}

#[test]
fn more_hosts_are_asked_than_files_may_be_open_at_first() {
    let (_voice, summary, log) = polled_within("ulimit -Sn 64", 150, Duration::ZERO);
    assert_eq!(summary["changed"], 150, "{summary:#} {log}");
}

#[test]
fn a_limit_of_open_files_is_said_for_what_it_is_and_blames_no_feed() {
    let (voice, summary, log) = polled_within("ulimit -n 40", 60, Duration::from_millis(200));
    assert!(summary["failed"].as_u64().unwrap() > 0, "{summary:#} {log}");
    assert!(
        log.contains("ulimit -n") && log.contains("fetch.concurrency"),
        "{log}"
    );
    assert!(!log.contains("network"), "{log}");
    let listed = voice.json(&["feeds", "list", "--json"]);
    for feed in listed.as_array().unwrap() {
        let is_read = feed["last_outcome"] == "changed";
        let told = feed["last_error"].as_str().unwrap_or_default();
        assert!(is_read || told.contains("our own machine"), "{feed:#}");
        assert_eq!(feed["failures"], 0, "{feed:#}");
    }
}

#[test]
fn it_serves_while_every_feed_fails_and_ends_on_a_signal() {
    let voice = Voice::of(&[("nobody", "http://127.0.0.1:9/feed".to_owned())]);
    let mut server = voice.serve();
    assert_eq!(server.get("/healthz").status, 200);
    server.wait_for("/readyz", |ready| {
        ready.status == 200 || ready.body.contains("poll")
    });
    assert_eq!(server.get("/").status, 200);
    let (code, took) = server.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_reload_takes_over_a_good_config_and_refuses_a_bad_one() {
    let blogs = Blogosphere::start();
    blogs.answer("/a", Answer::Feed(rss("a", [1])));
    blogs.answer("/b", Answer::Feed(rss("b", [2])));
    let (a, b) = (("a", blogs.url("/a")), ("b", blogs.url("/b")));
    let voice = Voice::of(std::slice::from_ref(&a));
    let server = voice.serve();
    server.wait_for("/feed.atom", |feed| feed.body.contains("a: post 1"));

    std::fs::write(
        voice.path("feeds.toml"),
        format!("{}colour = \"red\"\n", config(std::slice::from_ref(&b))),
    )
    .unwrap();
    server.hang_up();
    server.wait_for_log("the old one goes on");
    std::fs::write(voice.path("feeds.toml"), config(&[a, b])).unwrap();
    server.hang_up();
    server.wait_for("/opml", |opml| opml.body.contains("/b\""));
    assert!(
        server.get("/opml").body.contains("/a\""),
        "the bad config retired nothing"
    );
}

#[test]
fn a_feed_that_is_resumed_is_polled_without_waiting_for_the_schedule() {
    let blogs = Blogosphere::start();
    blogs.answer("/a", Answer::Feed(rss("a", [1])));
    let once_a_year = format!("{FETCH}schedule = \"0 0 0 1 1 *\"\n");
    let voice = Voice::with_config(&config_with(&once_a_year, &[("a", blogs.url("/a"))]));
    let server = voice.serve();
    server.wait_for("/feed.atom", |feed| feed.body.contains("a: post 1"));

    for command in ["pause", "resume"] {
        assert!(voice.run(&["feeds", command, "a"]).status.success(), "{command}");
    }
    blogs.answer("/a", Answer::Feed(rss("a", [1, 2])));
    server.wait_for("/feed.atom", |feed| feed.body.contains("a: post 2"));
    assert_eq!(blogs.requests("/a").len(), 2, "and then it is left alone");
}

#[test]
fn a_port_that_is_taken_is_said_plainly() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let voice = Voice::of(&[]);
    let output = voice
        .command(&["serve"])
        .env("VOICE_SERVER_LISTEN", &address)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}

#[test]
fn a_config_with_errors_names_every_one_with_its_line() {
    let voice = Voice::with_config(
        "[site]\ntitel = \"x\"\n[fetch]\nschedule = \"every day\"\n\
         [[feed]]\nname = \"A\"\nurl = \"https://a.example/feed\"\n[[feed]]\nname = \"B\"\nurl = \"https://A.example:443/feed#x\"\n",
    );
    let output = voice.run(&["poll"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for part in ["feeds.toml:2:", "titel", "feeds.toml:4:", "feeds.toml:10:"] {
        assert!(said.contains(part), "{part} is missing from: {said}");
    }
    assert!(voice.has_no_database(), "nothing was made");
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    let voice = Voice::of(&[]);
    let notes = "My notes, which are no database.\n".repeat(100);
    std::fs::write(voice.path("notes.txt"), &notes).unwrap();
    let output = voice.run(&["poll", "--database", "sqlite://notes.txt"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("notes.txt is not"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(std::fs::read_to_string(voice.path("notes.txt")).unwrap(), notes);
}

#[test]
fn a_feed_that_nobody_registered_is_an_error() {
    let voice = Voice::of(&[]);
    let output = voice.run(&["poll", "nobody"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("\"nobody\""));
    assert_eq!(voice.run(&["poll", "--none"]).status.code(), Some(2));
}

#[test]
fn check_tells_a_blogger_what_readers_would_see() {
    let blogs = Blogosphere::start();
    blogs.answer("/feed", Answer::Feed(rss("checked", [40, 39])));
    let page =
        "<!doctype html><head><link rel=alternate type=application/rss+xml href=/feed title=Posts></head>";
    blogs.answer("/", raw(200, &[("Content-Type", "text/html")], page));
    let voice = Voice::of(&[]);
    let report = voice.json(&["check", &blogs.url("/"), "--json"]);
    assert_eq!(report["url"], blogs.url("/feed"));
    assert_eq!(report["format"], "rss2");
    assert_eq!(report["candidates"][0]["chosen"], true);
    assert_eq!(report["entries"].as_array().unwrap().len(), 2);
    assert_eq!(report["entries"][0]["published"], "2015-02-09T09:00:00Z");
    assert!(
        !report["entries"][0]["content_html"]
            .as_str()
            .unwrap()
            .contains("script")
    );
    assert!(voice.has_no_database(), "check stores nothing");

    let output = voice.run(&["check", "nothing-here.xml", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["format"], Value::Null);
    assert_eq!(report["problems"][0]["severity"], "error");
}

#[test]
fn check_has_a_line_for_every_source_and_the_same_ids_each_time() {
    let blogs = Blogosphere::start();
    let to_come = "<rss version='2.0'><channel><title>B</title><item><title>One</title>\
                   <pubDate>Tue, 01 Jan 2030 00:00:00 GMT</pubDate><description>Words</description></item></channel></rss>";
    blogs.answer("/feed", Answer::Feed(to_come.to_owned()));
    let page = "<!doctype html><head><link rel=alternate type=application/rss+xml href=/gone>\
                <link rel=alternate type=application/rss+xml href=/feed></head>";
    blogs.answer("/", raw(200, &[("Content-Type", "text/html")], page));
    let voice = Voice::of(&[]);
    let feed = voice.path("feed.xml");
    std::fs::write(&feed, to_come.replace("<title>One", "<link>one</link><title>One")).unwrap();
    let (page, feed) = (blogs.url("/"), feed.display().to_string());
    let sources = [page.as_str(), &feed, "nothing-here.xml", "https://", "."];
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let mut arguments = vec!["check", "--json", "--base-url", "https://base.example/blog/"];
        arguments.extend(sources);
        let output = voice.run(&arguments);
        assert_eq!(output.status.code(), Some(1), "not all were feeds");
        let reports: Vec<Value> = text(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let said: Vec<&str> = reports
            .iter()
            .map(|report| report["source"].as_str().unwrap())
            .collect();
        assert_eq!(said, sources);
        // The first feed that the page names is none, the second is.
        let chosen = |at: usize| &reports[0]["candidates"][at]["chosen"];
        assert_eq!((chosen(0), chosen(1)), (&json!(false), &json!(true)));
        assert_eq!(reports[0]["url"], blogs.url("/feed"));
        assert_eq!(reports[0]["entries"][0]["published"], "2030-01-01T00:00:00Z");
        assert_eq!(reports[1]["entries"][0]["url"], "https://base.example/blog/one");
        for report in &reports[2..] {
            assert_eq!(report["format"], Value::Null);
            assert_eq!(report["problems"][0]["severity"], "error");
            assert_eq!(report["entries"], json!([]));
        }
        ids.insert(reports[0]["entries"][0]["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[test]
fn check_looks_where_platforms_keep_their_feed() {
    let blogs = Blogosphere::start();
    let page = raw(
        200,
        &[("Content-Type", "text/html")],
        "<!doctype html><title>A blog</title>",
    );
    blogs.answer("/blog", page);
    let voice = Voice::of(&[]);
    let output = voice.run(&["check", &blogs.url("/blog"), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["problems"][0]["code"], "not-a-feed");

    blogs.answer("/atom.xml", Answer::Feed(rss("found", [40])));
    let report = voice.json(&["check", &blogs.url("/blog"), "--json"]);
    assert_eq!(report["url"], blogs.url("/atom.xml"));
    assert_eq!(report["entries"].as_array().unwrap().len(), 1);
    let codes: Vec<_> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| &problem["code"])
        .collect();
    assert!(!codes.contains(&&Value::from("not-a-feed")), "{codes:?}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let blogs = Blogosphere::start();
    blogs.answer("/feed", Answer::Feed(rss("long", 1..=300)));
    let voice = Voice::of(&[("long", blogs.url("/feed"))]);
    voice.json(&["poll", "--all", "--json"]);
    let mut export = voice
        .command(&["export"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(export.stdout.take());
    let output = export.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn healthcheck_tells_whether_the_server_answers() {
    let voice = Voice::of(&[]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let check = |address: &str| {
        voice
            .command(&["healthcheck"])
            .env("VOICE_SERVER_LISTEN", address)
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!(check(&nobody), Some(1));
    let server = voice.serve();
    assert_eq!(check(&server.address), Some(0));
}

#[test]
fn a_digest_that_cannot_be_printed_says_why() {
    let voice = Voice::of(&[]);
    for (week, status, words) in [
        ("2026-W54", 2, "2026 has no week 54, only 01 to 53"),
        ("2025-W53", 2, "2025 has no week 53, only 01 to 52"),
        ("W6", 2, "write it like 2015-W06"),
        (
            "9999-W01",
            1,
            "9999-W01 has not begun; it begins on 4 January 9999",
        ),
    ] {
        let output = voice.run(&["digest", week]);
        assert_eq!(output.status.code(), Some(status), "{week}");
        assert!(output.stdout.is_empty(), "{week}");
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
    }
    let archive = voice.json(&["digest", "2015-w07", "--json"]);
    assert_eq!(
        (&archive["id"], &archive["status"]),
        (&Value::from("2015-W07"), &Value::from("archive"))
    );
}

#[test]
fn feeds_travel_as_opml_and_toml() {
    let voice = Voice::of(&[("one", "https://one.example/feed".to_owned())]);
    let opml = text(&voice.run(&["feeds", "export", "--format", "opml"]).stdout);
    let other = Voice::of(&[]);
    std::fs::write(other.path("list.opml"), opml).unwrap();
    let report = other.json(&["feeds", "import", "list.opml", "--json"]);
    assert_eq!(report["added"].as_array().unwrap().len(), 1);
    let listed = other.json(&["feeds", "list", "--json"]);
    assert_eq!(listed[0]["url"], "https://one.example/feed");
    let toml = text(&other.run(&["feeds", "export", "--format", "toml"]).stdout);
    assert!(
        toml.contains("[[feed]]") && toml.contains("https://one.example/feed"),
        "{toml}"
    );
}

#[test]
fn feeds_tell_how_they_fare_and_are_paused_and_resumed() {
    let blogs = Blogosphere::start();
    blogs.answer("/good/feed", Answer::Feed(rss("good", [40, 39])));
    blogs.answer("/page/feed", raw(200, &[], "<!doctype html><title>Hello</title>"));
    let voice = Voice::of(&[
        ("good", blogs.url("/good/feed")),
        ("page", blogs.url("/page/feed")),
    ]);
    voice.json(&["poll", "--all", "--json"]);
    let listed = voice.json(&["feeds", "list", "--json"]);
    let (good, page) = (&listed[0], &listed[1]);
    assert_eq!(
        (&good["state"], &page["state"]),
        (&"quiet".into(), &"not_a_feed".into())
    );
    assert!(page["reason"].as_str().unwrap().contains("web page"), "{page:#}");
    assert_eq!(good["not_modified_share"], 0.0);
    assert_eq!(good["last_polls"][0]["outcome"], "changed");
    assert_eq!(
        (&good["next_poll_why"], &page["next_poll_why"]),
        (&"rhythm".into(), &"back_off".into())
    );
    let words = text(&voice.run(&["feeds", "list"]).stdout);
    assert!(
        words.contains("good: quiet, 2 entries") && words.contains("Next poll from"),
        "{words}"
    );

    let paused = voice.run(&["feeds", "pause", "good", "nobody"]);
    assert_eq!(paused.status.code(), Some(1), "one of them is nobody's");
    assert!(
        text(&paused.stderr).contains("\"nobody\""),
        "{}",
        text(&paused.stderr)
    );
    // All that is polled fails, so the command does.
    let polled = voice.run(&["poll", "--all", "--json"]);
    let summary: Value = serde_json::from_slice(&polled.stdout).unwrap();
    assert_eq!((&summary["feeds"], &summary["skipped"]), (&1.into(), &1.into()));
    let listed = voice.json(&["feeds", "list", "--json"]);
    assert_eq!(
        (&listed[0]["state"], &listed[0]["next_poll_at"]),
        (&"stopped".into(), &Value::Null)
    );
    let asked = blogs.requests("/good/feed").len();
    assert_eq!(
        voice.json(&["feeds", "resume", "good", "--json"])["resumed"][0],
        "good"
    );
    assert_eq!(voice.json(&["poll", "good", "--json"])["unchanged"], 1);
    assert_eq!(blogs.requests("/good/feed").len(), asked + 1);
}
