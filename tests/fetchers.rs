//! Several fetchers on one database: each due feed is polled by one of them, also while some of them are killed.
//!
//! The loopback blogosphere counts what it is asked, and how much of it at once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use support::blogosphere::{Answer, Blogosphere, rss};
use support::database::Schema;
use support::{Server, Voice, config_with};

const FETCHERS: usize = 3;

/// How long the blogosphere thinks about an answer, so that two who ask for one feed at once would be seen.
const PACE: Duration = Duration::from_millis(25);

/// How long a dead fetcher's feeds may stay with it, and to spare for a busy machine: a lease lasts 20 seconds.
const UNTIL_TAKEN_OVER: Duration = Duration::from_mins(4);

/// Wakes every second; a second and later polls come by the default, half an hour later.
const ONCE: &str = "[site]\ncontact = \"https://voice.example/about\"\n\
    [fetch]\nallow = [\"127.0.0.0/8\"]\nschedule = \"* * * * * *\"\ntimeout = \"1m\"\n";

/// Every feed is due again a second later.
fn again_and_again() -> String {
    format!("{ONCE}min_interval = \"1s\"\nmax_interval = \"1s\"\n")
}

/// A blogosphere of so many hosts with a blog each, and a Voice that reads it.
fn voice_of(hosts: usize, settings: &str) -> (Blogosphere, Voice, Vec<String>) {
    let blogs = Blogosphere::of_many_hosts(PACE);
    let slugs: Vec<String> = (0..hosts).map(|number| format!("blog-{number}")).collect();
    let feeds: Vec<(&str, String)> = slugs
        .iter()
        .enumerate()
        .map(|(number, slug)| (slug.as_str(), blogs.url_at_host(number, &format!("/{slug}"))))
        .collect();
    let voice = Voice::on(Some(Schema::new()), &config_with(settings, &feeds));
    (blogs, voice, slugs)
}

/// Every blog publishes its posts of these numbers.
fn publish(blogs: &Blogosphere, slugs: &[String], posts: std::ops::RangeInclusive<u32>) {
    for slug in slugs {
        blogs.answer(&format!("/{slug}"), Answer::Feed(rss(slug, posts.clone())));
    }
}

/// Fetchers that begin at the same moment.
fn fetchers(voice: &Voice) -> Vec<Server> {
    std::thread::scope(|scope| {
        let starting: Vec<_> = (0..FETCHERS)
            .map(|_| scope.spawn(|| voice.start("serve --role fetch")))
            .collect();
        starting.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// That there are these posts of every blog, each once.
fn holds_each_once(voice: &Voice, slugs: &[String], posts: std::ops::RangeInclusive<u32>) {
    let titles: Vec<String> = voice
        .exported()
        .iter()
        .map(|entry| entry["title"].as_str().unwrap().to_owned())
        .collect();
    let once: BTreeSet<&str> = titles.iter().map(String::as_str).collect();
    let wanted: BTreeSet<String> = slugs
        .iter()
        .flat_map(|slug| posts.clone().map(move |n| format!("{slug}: post {n} & more")))
        .collect();
    assert_eq!(titles.len(), once.len(), "an entry is there twice");
    assert!(once.into_iter().eq(wanted.iter().map(String::as_str)));
}

/// Feeds that were never polled to the end.
const UNPOLLED: &str = "SELECT count(*) FROM feeds f WHERE f.last_polled_at IS NULL";
/// Those of them that nobody has in hand.
const NOBODYS: &str = "SELECT count(*) FROM feeds f WHERE f.last_polled_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.feed_id = f.id)";

/// A thousand feeds, three fetchers, one killed half-way. `turn` is held while there is work, so that rounds side by
/// side wait side by side for the dead one's leases to end.
fn a_round(turn: &Mutex<()>) {
    const FEEDS: usize = 1_000;
    let busy = turn.lock().unwrap_or_else(PoisonError::into_inner);
    let (blogs, voice, slugs) = voice_of(FEEDS, ONCE);
    publish(&blogs, &slugs, 1..=3);
    let mut fetchers = fetchers(&voice);
    blogs.wait_for_requests(FEEDS / 2);
    fetchers.swap_remove(0).kill();
    // The others poll at once all that the dead one did not have in hand.
    let unclaimed = || voice.schema().sql(NOBODYS) == "0";
    blogs.wait_until("the others polled the rest", UNTIL_TAKEN_OVER, unclaimed);
    drop(busy);

    let polled = || voice.schema().sql(UNPOLLED) == "0";
    blogs.wait_until("the dead one's feeds were polled", UNTIL_TAKEN_OVER, polled);
    holds_each_once(&voice, &slugs, 1..=3);
    let hits = blogs.hits();
    assert_eq!(hits.len(), FEEDS, "every feed was asked for");
    let twice = hits.values().filter(|&&hits| hits == 2).count();
    assert!(hits.values().all(|&hits| hits <= 2));
    assert!(
        twice < FEEDS / 4,
        "only what the dead one had in hand was asked for again, not {twice}"
    );
    assert_eq!(blogs.most_at_once().0, 1, "one fetcher at a feed");
}

#[test]
#[ignore = "run by scripts/test beside a PostgreSQL server"]
fn a_killed_fetchers_feeds_are_polled_by_the_others() {
    // A developer waits for a few, CI for all.
    let rounds = if std::env::var_os("CI").is_some() { 10 } else { 2 };
    let turn = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..rounds {
            scope.spawn(|| a_round(&turn));
        }
    });
}

#[test]
#[ignore = "run by scripts/test beside a PostgreSQL server"]
fn posts_that_appear_while_fetchers_die_and_return_are_stored_once() {
    const FEEDS: usize = 100;
    const KILLS: u32 = 10;
    let (blogs, voice, slugs) = voice_of(FEEDS, &again_and_again());
    publish(&blogs, &slugs, 1..=1);
    let mut fetchers = fetchers(&voice);
    for kill in 1..=KILLS {
        let seen = blogs.request_count();
        blogs.wait_for_requests(seen + FEEDS / 2);
        fetchers.remove(0).kill();
        publish(&blogs, &slugs, 1..=1 + kill);
        fetchers.push(voice.start("serve --role fetch"));
    }
    let stored = (FEEDS * (1 + KILLS as usize)).to_string();
    let all = || voice.schema().sql("SELECT count(*) FROM entries") == stored;
    blogs.wait_until("every post was stored", UNTIL_TAKEN_OVER, all);
    for fetcher in &mut fetchers {
        assert_eq!(fetcher.stop().0, Some(0));
    }
    holds_each_once(&voice, &slugs, 1..=1 + KILLS);
    assert_eq!(blogs.most_at_once().0, 1, "one fetcher at a feed");
}

#[test]
#[ignore = "run by scripts/test beside a PostgreSQL server"]
fn a_host_is_asked_by_all_together_no_more_than_by_one() {
    const FEEDS: usize = 150;
    let blogs = Blogosphere::of_many_hosts(PACE);
    let slugs: Vec<String> = (0..FEEDS).map(|number| format!("tenant-{number}")).collect();
    publish(&blogs, &slugs, 1..=1);
    let feeds: Vec<(&str, String)> = slugs
        .iter()
        .map(|slug| (slug.as_str(), blogs.url(&format!("/{slug}"))))
        .collect();
    let settings = format!("{}per_host = 2\n", again_and_again());
    let voice = Voice::on(Some(Schema::new()), &config_with(&settings, &feeds));
    let fetchers = fetchers(&voice);
    // Each feed comes round several times, so that the host passes from one fetcher to the other.
    let rounds = || blogs.hits().values().filter(|&&hits| hits >= 3).count() == FEEDS;
    blogs.wait_until("each feed was polled three times", UNTIL_TAKEN_OVER, rounds);
    drop(fetchers);
    assert_eq!(
        blogs.most_at_once(),
        (1, 2),
        "at a feed, and at the host, by all together"
    );
}
