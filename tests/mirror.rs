//! Who copies the Voice by `/entries.json` has all of it, and each entry once: on a walk during which a thousand posts
//! arrive, and by `changed_since` through a month of new posts, edits, other dates, deletions and withdrawals.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use model::{Clock as _, FixedClock, SystemClock};
use serde_json::Value;
use store::{Cause, Decision};
use support::blogosphere::{Answer, Blogosphere};
use support::inside::Inside;
use support::{Server, Voice};

/// A post as its blog has it.
#[derive(Clone)]
struct Post {
    number: usize,
    words: String,
    /// `None`: the blog gives it no date.
    at: Option<DateTime<Utc>>,
}

impl Post {
    fn item(&self, home: &str) -> String {
        let Self { number, words, at } = self;
        let date = at.map_or_else(String::new, |at| {
            format!("<pubDate>{}</pubDate>", at.to_rfc2822())
        });
        format!(
            "<item><title>Post {number}</title><link>{home}{number}</link><guid>{home}{number}</guid>{date}\
             <description>{words} of {number}</description></item>"
        )
    }
}

fn publish(blogs: &Blogosphere, home: &str, posts: &[Post]) {
    let items: String = posts.iter().rev().map(|post| post.item(home)).collect();
    blogs.answer(
        &format!("{home}feed"),
        Answer::Feed(format!(
            "<rss version=\"2.0\"><channel><title>{home}</title><link>{}</link>{}</channel></rss>",
            blogs.url(home),
            items.replace(home, &blogs.url(home))
        )),
    );
}

/// A page of the export: its entries, and the path of the next one.
fn page(server: &Server, path: &str) -> (Vec<Value>, Option<String>) {
    let mut document = server.get(path).json();
    let next = document["next"].as_str().map(|next| {
        let from = next.find("/entries.json").unwrap();
        next[from..].to_owned()
    });
    let Value::Array(entries) = document["entries"].take() else {
        panic!("{path}: {document}")
    };
    (entries, next)
}

/// All that a walk from this path on finds.
fn walk(server: &Server, path: String) -> Vec<Value> {
    let (mut found, mut next) = (Vec::new(), Some(path));
    while let Some(path) = next {
        let (entries, then) = page(server, &path);
        found.extend(entries);
        next = then;
    }
    found
}

fn key(entry: &Value) -> String {
    entry["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_walk_finds_each_entry_once_while_a_thousand_arrive() {
    const AT_THE_START: usize = 150;
    const ARRIVE: usize = 1_000;
    const AT_ONCE: usize = 50;
    let blogs = Blogosphere::start();
    let homes = ["/ada/", "/ben/"];
    let voice = Voice::of(&homes.map(|home| (home.trim_matches('/'), blogs.url(&format!("{home}feed")))));
    let now = SystemClock.now();
    let post = |number: usize| Post {
        number,
        words: "Words".to_owned(),
        // Of what arrives, some is new, some is found late, and some has no date.
        at: (!number.is_multiple_of(7)).then(|| now - TimeDelta::hours((number * 37 % 5_000) as i64)),
    };
    let mut posts: Vec<Post> = (0..AT_THE_START).map(post).collect();
    publish(&blogs, "/ada/", &posts);
    publish(&blogs, "/ben/", &[]);
    voice.json(&["poll", "--all", "--json"]);
    let server = voice.start("serve --role web");
    let at_the_start: BTreeSet<String> = walk(&server, "/entries.json".to_owned())
        .iter()
        .map(key)
        .collect();
    assert_eq!(at_the_start.len(), AT_THE_START);

    let mut seen = Vec::new();
    let mut arrived = 0;
    let mut next = Some("/entries.json?limit=7".to_owned());
    while let Some(path) = next {
        let (entries, then) = page(&server, &path);
        seen.extend(entries.iter().map(key));
        next = then;
        if arrived < ARRIVE {
            // A blog that goes on, and one whose whole past is found at once.
            let from = AT_THE_START + arrived;
            posts.extend((from..from + AT_ONCE).map(post));
            let home = homes[(arrived / AT_ONCE) % 2];
            let of_home: Vec<Post> = match home {
                "/ada/" => posts.clone(),
                _ => (from..from + AT_ONCE).map(post).collect(),
            };
            publish(&blogs, home, &of_home);
            let summary = voice.json(&["poll", "--all", "--json"]);
            assert!(
                summary["entries_new"].as_u64().unwrap() >= AT_ONCE as u64,
                "{summary}"
            );
            arrived += AT_ONCE;
        }
    }
    assert!(arrived >= ARRIVE, "the walk ended after {arrived}");
    let once: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(once.len(), seen.len(), "an entry came twice");
    let missed: Vec<_> = at_the_start.difference(&once).collect();
    assert!(missed.is_empty(), "{missed:?}");
    assert!(walk(&server, "/entries.json?limit=500".to_owned()).len() > AT_THE_START + ARRIVE);
}

/// Numbers that look like chance and are the same each time (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) as usize % limit
    }
}

/// A copy that is kept by asking what changed since it last asked.
#[derive(Default)]
struct Mirror {
    entries: BTreeMap<String, Value>,
    asked_at: Option<DateTime<Utc>>,
    withdrawn: usize,
}

impl Mirror {
    fn follow(&mut self, server: &Server, now: DateTime<Utc>) {
        let path = match self.asked_at {
            None => "/entries.json?limit=11".to_owned(),
            Some(since) => format!(
                "/entries.json?limit=11&changed_since={}",
                since.to_rfc3339_opts(SecondsFormat::Secs, true)
            ),
        };
        for entry in walk(server, path) {
            if entry.get("withdrawn").is_some() {
                self.withdrawn += usize::from(self.entries.remove(&key(&entry)).is_some());
            } else {
                self.entries.insert(key(&entry), entry);
            }
        }
        self.asked_at = Some(now);
    }
}

fn original(server: &Server) -> BTreeMap<String, Value> {
    let entries = walk(server, "/entries.json?limit=500".to_owned());
    entries.into_iter().map(|entry| (key(&entry), entry)).collect()
}

#[test]
fn a_mirror_kept_through_a_month_is_the_original() {
    let blogs = Blogosphere::start();
    let homes = ["/ada/", "/ben/", "/cat/"];
    let voice = Voice::of(&homes.map(|home| (home.trim_matches('/'), blogs.url(&format!("{home}feed")))));
    let config = std::fs::read_to_string(voice.path("feeds.toml")).unwrap();
    let settings = registry::parse("feeds.toml", &config, &[]).unwrap();
    let begin = SystemClock.now() - TimeDelta::days(31);
    let clock = Arc::new(FixedClock::at(begin));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let inside = runtime.block_on(Inside::open(&voice.database_url(), &settings, &clock));
    let mut chance = Chance(7);
    let mut number = 0;
    let mut posts: [Vec<Post>; 3] = [const { Vec::new() }; 3];
    let mut add = |posts: &mut Vec<Post>, at: Option<DateTime<Utc>>| {
        number += 1;
        let words = format!("Words {number}");
        posts.push(Post { number, words, at });
    };
    for day in 0..20 {
        for posts in &mut posts {
            add(posts, Some(begin - TimeDelta::days(20 - day)));
        }
    }
    for (home, posts) in homes.iter().zip(&posts) {
        publish(&blogs, home, posts);
    }
    runtime.block_on(inside.poll());
    let server = voice.start("serve --role web");
    let mut mirror = Mirror::default();
    mirror.follow(&server, begin);
    assert_eq!(mirror.entries.len(), 60);

    let (mut edited, mut dated_anew, mut deleted, mut taken_back) = (0, 0, 0, 0);
    for step in 1..=60 {
        let now = begin + TimeDelta::hours(12) * step;
        clock.set(now);
        for (home, posts) in homes.iter().zip(&mut posts) {
            match chance.below(6) {
                0 | 1 => add(posts, Some(now - TimeDelta::minutes(5))),
                2 => add(posts, [None, Some(now + TimeDelta::days(3))][chance.below(2)]),
                3 => {
                    let at = chance.below(posts.len());
                    posts[at].words += " and more";
                    edited += 1;
                }
                4 => {
                    let at = chance.below(posts.len());
                    posts[at].at = Some(now);
                    dated_anew += 1;
                }
                _ => {
                    // From the middle: what is missing at the end of a feed is only old.
                    let at = posts.len() / 2 + chance.below(posts.len() / 3);
                    posts.remove(at);
                    deleted += 1;
                }
            }
            publish(&blogs, home, posts);
        }
        runtime.block_on(inside.poll());
        if step % 5 == 0 {
            let keys: Vec<&String> = mirror.entries.keys().collect();
            let key = keys[chance.below(keys.len())].clone();
            let decision = Decision {
                by: "author",
                why: None,
                at: now,
            };
            let keys = [key.as_str()];
            let withdraw = inside.store.withdraw_entries(&keys, Cause::Author, &decision);
            runtime.block_on(withdraw).unwrap();
            taken_back += 1;
        }
        if step == 40 {
            let decision = Decision {
                by: "member",
                why: None,
                at: now,
            };
            let leave = inside.store.withdraw_member("cat", Cause::Left, &decision);
            runtime.block_on(leave).unwrap().unwrap();
        }
        mirror.follow(&server, now);
    }
    // A process that serves believes for a moment that nothing has changed since it last looked.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        mirror.follow(&server, clock.now());
        let original = original(&server);
        if mirror.entries == original {
            break;
        }
        assert!(Instant::now() < deadline, "they differ: {:#?}", {
            let differ = |key: &&String| mirror.entries.get(*key) != original.get(*key);
            let keys: BTreeSet<&String> = mirror.entries.keys().chain(original.keys()).collect();
            keys.into_iter()
                .filter(differ)
                .map(|key| (mirror.entries.get(key).cloned(), original.get(key).cloned()))
                .collect::<Vec<_>>()
        });
    }
    println!(
        "{} entries; {edited} edits, {dated_anew} other dates, {deleted} deleted, {taken_back} taken back, {} heard to be withdrawn",
        mirror.entries.len(),
        mirror.withdrawn
    );
    assert!(mirror.withdrawn > 40 && edited > 10 && dated_anew > 10);
}
