//! The way back from a lost database, with the real program: backup while it serves, restore, carrying it elsewhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::process::Command;

use serde_json::Value;
use support::blogosphere::{Answer, Blogosphere, rss};
use support::database::Schema;
use support::{Voice, config, text};

/// A Voice that polled two blogs, and its blogosphere.
fn polled() -> (Blogosphere, Voice) {
    let blogs = Blogosphere::start();
    blogs.answer("/one", Answer::Feed(rss("one", 1..=60)));
    blogs.answer("/two", Answer::Feed(rss("two", 40..=80)));
    let feeds = [("one", blogs.url("/one")), ("two", blogs.url("/two"))];
    // What a backup is of is a file here, whatever the other tests are run on.
    let voice = Voice::on(None, &config(&feeds));
    voice.json(&["poll", "--all", "--json"]);
    (blogs, voice)
}

/// All that the Voice gives out of this database, but the moment at which it is asked.
fn exported(voice: &Voice, database: &str) -> String {
    ["jsonl", "atom"]
        .map(|format| {
            let output = voice.run(&["export", "--format", format, "--database", database]);
            assert!(output.status.success(), "{}", text(&output.stderr));
            text(&output.stdout)
        })
        .join("\n")
}

const DATABASE: &str = "sqlite://data/voice.db";

#[test]
fn a_backup_made_while_it_serves_brings_everything_back() {
    let (blogs, voice) = polled();
    let before = exported(&voice, DATABASE);
    let mut server = voice.serve();
    blogs.answer("/one", Answer::Feed(rss("one", 1..=61)));
    let report = voice.json(&["backup", "copy.db", "--json"]);
    assert_eq!((&report["feeds"], &report["entries"]), (&2.into(), &101.into()));
    assert_eq!(
        report["size_bytes"],
        std::fs::metadata(voice.path("copy.db")).unwrap().len()
    );
    let again = voice.run(&["backup", "copy.db"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again.stderr).contains("copy.db is there already"),
        "{}",
        text(&again.stderr)
    );
    let early = voice.run(&["restore", "copy.db", "--force"]);
    assert_eq!(early.status.code(), Some(1));
    assert!(text(&early.stderr).contains("in use"), "{}", text(&early.stderr));
    server.stop();

    std::fs::remove_dir_all(voice.path("data")).unwrap();
    let restored = voice.json(&["restore", "copy.db", "--json"]);
    assert_eq!(
        (&restored["entries"], &restored["kept"]),
        (&101.into(), &Value::Null)
    );
    assert_eq!(exported(&voice, DATABASE), before);

    // Life goes on, and the next one who restores is asked for --force.
    let summary = voice.json(&["poll", "--all", "--json"]);
    assert_eq!(summary["entries_new"], 1);
    let refused = voice.run(&["restore", "copy.db"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("--force"),
        "{}",
        text(&refused.stderr)
    );
    let forced = voice.json(&["restore", "copy.db", "--force", "--json"]);
    assert_eq!(exported(&voice, DATABASE), before);
    let kept = forced["kept"].as_str().unwrap();
    assert_eq!(
        voice.json(&[
            "backup",
            "kept.db",
            "--json",
            "--database",
            &format!("sqlite://{kept}")
        ])["entries"],
        102
    );
}

#[test]
fn a_disk_that_takes_no_more_leaves_nothing_of_the_copy() {
    let (_blogs, voice) = polled();
    let before = exported(&voice, DATABASE);
    std::fs::create_dir(voice.path("copies")).unwrap();
    // No file may grow beyond some KiB, and who tries is told instead of being killed.
    let voice_binary = env!("CARGO_BIN_EXE_voice");
    let output = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 128; exec \"$0\" backup copies/copy.db",
            voice_binary,
        ])
        .current_dir(voice.path("."))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("could not be made, and nothing of it is left"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(std::fs::read_dir(voice.path("copies")).unwrap().count(), 0);
    assert_eq!(exported(&voice, DATABASE), before);
}

#[test]
fn a_database_moves_house_once() {
    let (_blogs, voice) = polled();
    let first = voice.json(&["migrate-database", DATABASE, "sqlite://moved/voice.db", "--json"]);
    assert_eq!(first["changed"], true);
    let entries = first["tables"]
        .as_array()
        .unwrap()
        .iter()
        .find(|table| table["table"] == "entries");
    assert_eq!(entries.unwrap()["rows"], 101);
    let moved = exported(&voice, "sqlite://moved/voice.db");
    assert_eq!(moved, exported(&voice, DATABASE));
    let second = voice.json(&["migrate-database", DATABASE, "sqlite://moved/voice.db", "--json"]);
    assert_eq!(
        (&second["changed"], &second["tables"]),
        (&false.into(), &first["tables"])
    );

    // Polled there, it is another Voice, and nothing is mixed.
    voice.json(&["poll", "--all", "--json", "--database", "sqlite://moved/voice.db"]);
    let third = voice.run(&["migrate-database", DATABASE, "sqlite://moved/voice.db"]);
    assert_eq!(third.status.code(), Some(1));
    assert!(
        text(&third.stderr).contains("holds other data"),
        "{}",
        text(&third.stderr)
    );
    let nothing = voice.run(&["migrate-database", "sqlite://nothing.db", "sqlite://other.db"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(!voice.path("nothing.db").exists() && !voice.path("other.db").exists());
}

#[test]
#[ignore = "run by scripts/test beside a PostgreSQL server"]
fn a_database_moves_to_postgresql_and_back() {
    let (_blogs, voice) = polled();
    let schema = Schema::new();
    let postgres = schema.url();
    let there = voice.json(&["migrate-database", DATABASE, &postgres, "--json"]);
    let back = voice.json(&["migrate-database", &postgres, "sqlite://back.db", "--json"]);
    assert_eq!(there, back);
    let before = exported(&voice, DATABASE);
    assert_eq!(exported(&voice, &postgres), before);
    assert_eq!(exported(&voice, "sqlite://back.db"), before);
    let again = voice.json(&["migrate-database", DATABASE, &postgres, "--json"]);
    assert_eq!(again["changed"], false);
    // The numbers go on behind those that came along.
    std::fs::write(
        voice.path("more.toml"),
        "[[feed]]\nname = \"New\"\nurl = \"https://new.example/feed\"\n",
    )
    .unwrap();
    let import = ["feeds", "import", "more.toml", "--json", "--database", &postgres];
    assert_eq!(voice.json(&import)["added"].as_array().unwrap().len(), 1);
}
