//! A word that stands in two posts is hunted after their author took them back: on every page, in every feed, export and digest,
//! on the command line, in the raw bytes of the database and in a copy that is made afterwards.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Europe::London;
use model::{Clock as _, FixedClock, SystemClock, Week};
use support::blogosphere::{Answer, Blogosphere};
use support::database::Schema;
use support::inside::Inside;
use support::{FETCH, MODERATOR, Server, Voice};

/// A word of the posts that are taken back, wherever words can stand.
const MARKER: &str = "quixotryword";
/// One of their texts alone: a page that is asked for the other may repeat it.
const INNER: &str = "zymurgyword";

/// Where the Voice says that it is.
const SITE: &str = "https://voice.example.org";

/// A post of the feed that lies at `home`.
fn item(home: &str, name: &str, words: &str, at: DateTime<Utc>) -> String {
    format!(
        "<item><title>{words} {name}</title><link>{home}{name}</link><guid isPermaLink=\"false\">{words}-{name}</guid>\
         <pubDate>{}</pubDate><author>{words}@example.org ({words})</author><category>{words} category</category>\
         <description><![CDATA[<p>Councillors and {words}: <a href=\"https://example.com/{words}\">{words}</a> \
         <img src=\"https://example.com/{words}.png\" alt=\"{words}\"> #localgovdigital</p>]]></description></item>",
        at.to_rfc2822()
    )
}

fn channel(home: &str, items: &[String]) -> Answer {
    Answer::Feed(format!(
        "<rss version=\"2.0\"><channel><title>A blog</title><link>{home}</link>{}</channel></rss>",
        items.concat()
    ))
}

/// Every address of the site that a moderator can come to from here, of digests those of these weeks, and what it answers.
fn crawl(server: &Server, cookie: &str, weeks: [&str; 2], from: &BTreeSet<String>) -> Vec<(String, String)> {
    let mut known = from.clone();
    let mut waiting: Vec<String> = from.iter().cloned().collect();
    let mut seen = Vec::new();
    while let Some(path) = waiting.pop() {
        let body = server.get_with(&path, &[("Cookie", cookie)]).body;
        for word in body.split(['"', '\'', '<', '>', '(', ')', ' ', '\n', '\\']) {
            let word = word.strip_prefix(SITE).unwrap_or(word);
            if !word.starts_with('/') || word.starts_with("//") {
                continue;
            }
            let word = word.split('#').next().unwrap_or_default().replace("&amp;", "&");
            // Searches of searches have no end, nor has the past.
            let is_far = word.starts_with("/digest/2") && !weeks.iter().any(|week| word.contains(week));
            if word.is_ascii() && !word.contains("/search") && !is_far && known.insert(word.clone()) {
                waiting.push(word);
            }
        }
        seen.push((path, body));
    }
    seen
}

/// Which of these hold the word, but for what repeats its own address.
fn holding<'s>(word: &str, seen: &'s [(String, String)]) -> Vec<&'s str> {
    (seen.iter())
        .filter(|(path, body)| body.to_lowercase().contains(word) && !path.contains(word))
        .map(|(path, _)| path.as_str())
        .collect()
}

/// How often the word stands in the files of a folder and of those in it.
fn in_folder(folder: &Path, word: &str) -> usize {
    let mut count = 0;
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            count += in_folder(&path, word);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let windows = bytes.windows(word.len());
        count += windows
            .filter(|window| window.eq_ignore_ascii_case(word.as_bytes()))
            .count();
    }
    count
}

/// In how many files of tables, their indexes and what is kept beside them the word stands.
fn in_tables(schema: &Schema, word: &str) -> usize {
    schema.sql("CHECKPOINT");
    let count = schema.sql(&format!(
        "WITH ours AS (
            SELECT c.oid, c.reltoastrelid FROM pg_class c
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
        ), files AS (
            SELECT oid FROM ours UNION SELECT reltoastrelid FROM ours WHERE reltoastrelid <> 0
            UNION SELECT indexrelid FROM pg_index WHERE indrelid IN (SELECT oid FROM ours)
        )
        SELECT COUNT(*) FROM files
        WHERE position('{word}'::bytea IN pg_read_binary_file(pg_relation_filepath(oid))) > 0"
    ));
    count.trim().parse().unwrap()
}

/// How often, or in how many files, the word stands in what the database keeps.
fn in_database(voice: &Voice, word: &str) -> usize {
    match &voice.database {
        Some(schema) => in_tables(schema, word),
        None => in_folder(&voice.path("data"), word),
    }
}

/// What the commands print that print posts.
fn printed(voice: &Voice, week: &str) -> Vec<(String, String)> {
    let exports = ["jsonl", "opml", "atom"].map(|format| vec!["export", "--format", format]);
    let digests =
        ["json", "markdown", "html", "text", "csv"].map(|format| vec!["digest", week, "--format", format]);
    (exports.into_iter().chain(digests))
        .map(|command| {
            let output = voice.run(&command);
            assert!(output.status.success(), "{}", support::text(&output.stderr));
            (command.join(" "), support::text(&output.stdout))
        })
        .collect()
}

#[test]
fn nothing_of_a_text_that_was_taken_back_is_found_anywhere() {
    let blogs = Blogosphere::start();
    let (ann, ben) = (blogs.url("/ann/"), blogs.url("/ben/"));
    let config = format!(
        "{}[[feed]]\nname = \"Ann\"\nslug = \"ann\"\nurl = \"{ann}feed\"\ncontent = \"full\"\n\
         [[feed]]\nname = \"Ben\"\nslug = \"ben\"\nurl = \"{ben}feed\"\n",
        FETCH.replace("[site]\n", &format!("[site]\nurl = \"{SITE}\"\n"))
    );
    let voice = Voice::with_config(&config);
    // One post is of a week that has ended and is closed, one of the week that goes on; another blog writes about that.
    let now = SystemClock.now();
    let then = now - TimeDelta::days(10);
    let (week, running) = (
        Week::of(then, London).to_string(),
        Week::of(now, London).to_string(),
    );
    let marked = format!("{MARKER} {INNER}");
    let plain = item(&ann, "plain", "Nothing", then - TimeDelta::hours(1));
    let old = item(
        &ann,
        &format!("{MARKER}-old"),
        &marked,
        then + TimeDelta::minutes(1),
    );
    let new = item(&ann, "new", &marked, now - TimeDelta::minutes(1));
    let about = format!(
        "<item><title>About it</title><link>{ben}about</link><guid>{ben}about</guid><pubDate>{}</pubDate>\
         <description>As &lt;a href=\"{ann}new\"&gt;Ann&lt;/a&gt; wrote.</description></item>",
        now.to_rfc2822()
    );
    blogs.answer("/ben/feed", channel(&ben, &[]));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let settings = registry::parse("feeds.toml", &config, &[]).unwrap();
        let clock = Arc::new(FixedClock::at(then));
        let inside = Inside::open(&voice.database_url(), &settings, &clock).await;
        blogs.answer("/ann/feed", channel(&ann, std::slice::from_ref(&plain)));
        inside.poll().await;
        clock.set(then + TimeDelta::hours(2));
        blogs.answer("/ann/feed", channel(&ann, &[old.clone(), plain.clone()]));
        inside.poll().await;
    });
    blogs.answer("/ann/feed", channel(&ann, &[new, old, plain]));
    blogs.answer("/ben/feed", channel(&ben, &[about]));
    let closed = voice.run(&["digest", &week, "--close"]);
    assert!(closed.status.success(), "{}", support::text(&closed.stderr));
    let server = voice.serve();
    let signed_in = server.submit("/admin/sign-in", &[("token", MODERATOR)], &[]);
    let cookie = signed_in.headers["set-cookie"]
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let link = voice.json(&["feeds", "link", "ann", "--json"]);
    let manage = link["link"]
        .as_str()
        .unwrap()
        .strip_prefix(SITE)
        .unwrap()
        .to_owned();
    let entries = server.wait_for("/entries.json?member=ann", |entries| {
        entries.json()["entries"].as_array().unwrap().len() == 3
    });
    let keys: Vec<String> = (entries.json()["entries"].as_array().unwrap().iter())
        .filter(|entry| entry["title"].as_str().unwrap().contains(MARKER))
        .map(|entry| entry["key"].as_str().unwrap().to_owned())
        .collect();
    let [first, second] = &keys[..] else {
        panic!("{keys:?}")
    };

    let mut everywhere: BTreeSet<String> = [
        "/",
        "/entries.json",
        "/archive/1.atom",
        "/archive/1.json",
        "/digest/feed.atom",
        "/digest/feed.rss",
        "/digest/feed.json",
        "/search?q=councillors",
        "/search/feed.atom?q=councillors",
        "/members/ann/archive/1.rss",
        "/admin",
        &format!("/admin/digest/{week}"),
        &format!("/admin/digest/{running}"),
        &manage,
        &format!("{manage}/data.json"),
    ]
    .map(str::to_owned)
    .into();
    for extension in ["atom", "rss", "json"] {
        everywhere.extend([
            format!("/feed.{extension}"),
            format!("/members/ann/feed.{extension}"),
        ]);
    }
    for extension in ["json", "md", "html", "txt", "csv"] {
        everywhere.extend([
            format!("/digest/{week}.{extension}"),
            format!("/digest/{running}.{extension}"),
        ]);
        everywhere.insert(format!("/digest/{week}/r1.{extension}"));
    }
    for key in &keys {
        everywhere.extend([
            format!("/entries/{key}"),
            format!("{manage}/posts/{key}"),
            format!("/admin/entries/{key}"),
        ]);
    }
    let before = crawl(&server, &cookie, [&week, &running], &everywhere);
    let held: BTreeSet<&str> = holding(MARKER, &before).into_iter().collect();
    for path in &everywhere {
        assert!(
            held.contains(path.as_str()) || path == "/admin",
            "{path} never had it"
        );
    }
    let conversation = before.iter().any(|(path, page)| {
        path.starts_with("/entries/")
            && page.contains("About it")
            && page.contains(MARKER)
            && !path.contains(second)
    });
    assert!(conversation, "nothing names the post that another is about");
    assert!(
        printed(&voice, &week)
            .iter()
            .filter(|(_, said)| said.contains(MARKER))
            .count()
            >= 7
    );
    assert!(in_database(&voice, MARKER) > 0);

    everywhere.extend(before.iter().map(|(path, _)| path.clone()));
    for key in [first, second] {
        let path = format!("{manage}/posts/{key}");
        let receipt = server.submit(&path, &[("do", "hide"), ("sure", "yes")], &[]);
        assert!(receipt.body.contains("Your receipt"), "{}", receipt.body);
    }
    let after = crawl(&server, &cookie, [&week, &running], &everywhere);
    assert!(after.len() >= before.len());
    assert_eq!(holding(MARKER, &after), Vec::<&str>::new());
    assert_eq!(holding(INNER, &after), Vec::<&str>::new());
    assert_eq!(server.get(&format!("/digest/{week}/r1.json")).status, 410);
    assert_eq!(server.get(&format!("/entries/{first}")).status, 410);
    let why = server.get(&format!("/why?url={ann}{MARKER}-old")).body;
    assert!(why.contains("Its author took it back"), "{why}");
    assert_eq!(holding(INNER, &printed(&voice, &week)), Vec::<&str>::new());
    // On PostgreSQL as soon as nobody reads in its tables.
    let deadline = Instant::now() + Duration::from_mins(1);
    for word in [MARKER, INNER] {
        while in_database(&voice, word) > 0 {
            assert!(
                Instant::now() < deadline,
                "{word} is still in the database's files"
            );
        }
    }
    std::fs::create_dir(voice.path("copies")).unwrap();
    let copied = voice.run(&["backup", "copies/voice.copy"]);
    assert!(copied.status.success(), "{}", support::text(&copied.stderr));
    assert_eq!(in_folder(&voice.path("copies"), INNER), 0);
}
