//! SIGKILL at any moment of polling: nothing lost, nothing doubled, the database sound, and who goes on says what it waits
//! for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use support::blogosphere::{Answer, Blogosphere, rss, tag_of};
use support::{Voice, config_with};

const BLOGS: usize = 30;
const KILLS: u64 = 20;

/// Every feed is due again a second later.
const SETTINGS: &str = "[site]\ncontact = \"https://voice.example/about\"\n\
    [fetch]\nallow = [\"127.0.0.0/8\"]\nschedule = \"* * * * * *\"\ntimeout = \"1m\"\n\
    min_interval = \"1s\"\nmax_interval = \"1s\"\n";

/// A number below `limit` that is the same in every run (xorshift).
fn chance(seed: u64, limit: usize) -> usize {
    let mut number = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    number ^= number << 13;
    number ^= number >> 7;
    number ^= number << 17;
    (number % limit as u64) as usize
}

/// A Voice that is killed somewhere between its first request and the end of its second round, when its blogs have news:
/// asking, reading or writing. Then another goes on where it was.
fn a_kill(number: u64) {
    let blogs = Blogosphere::of_many_hosts(Duration::from_millis(3));
    let slugs: Vec<String> = (0..BLOGS).map(|number| format!("blog-{number}")).collect();
    let feeds: Vec<(&str, String)> = (slugs.iter().enumerate())
        .map(|(number, slug)| (slug.as_str(), blogs.url_at_host(number, &format!("/{slug}"))))
        .collect();
    let voice = Voice::on(None, &config_with(SETTINGS, &feeds));
    let publish = |posts: u32| {
        for slug in &slugs {
            blogs.answer(&format!("/{slug}"), Answer::Feed(rss(slug, 1..=posts)));
        }
    };
    publish(2);
    let fetcher = voice.start("serve --role fetch");
    blogs.wait_for_requests(1 + chance(number, 2 * BLOGS));
    publish(3);
    fetcher.kill();

    // What the dead one had in hand is its own until its leases end.
    publish(4);
    let mut fetcher = voice.start("serve --role fetch");
    let wanted: BTreeSet<String> = (slugs.iter())
        .flat_map(|slug| (1..=4).map(move |n| format!("{slug}: post {n} & more")))
        .collect();
    // Whoever knows the tag of an answer has stored what it said.
    let everybody_has_it = || {
        slugs.iter().all(|slug| {
            let requests = blogs.requests(&format!("/{slug}"));
            let tag = requests.last().and_then(|last| last.headers.get("if-none-match"));
            tag == Some(&tag_of(&rss(slug, 1..=4)))
        })
    };
    blogs.wait_until(
        "every blog was read to the end",
        Duration::from_mins(3),
        everybody_has_it,
    );
    assert_eq!(fetcher.stop().0, Some(0));
    let titles: Vec<String> = (voice.exported().iter())
        .map(|entry| entry["title"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(titles.len(), wanted.len(), "an entry is lost, or there twice");
    assert_eq!(titles.into_iter().collect::<BTreeSet<_>>(), wanted);

    // A restore takes only what is sound (`PRAGMA integrity_check`, and no reference to nothing), the log read as well.
    let database = voice.path("data/voice.db");
    let restored = voice.run(&[
        "restore",
        database.to_str().unwrap(),
        "--database",
        "sqlite://restored.db",
    ]);
    assert!(restored.status.success(), "{}", support::text(&restored.stderr));
}

#[test]
fn twenty_kills_lose_nothing_double_nothing_and_leave_the_file_sound() {
    // Side by side, for each waits for the leases of its dead.
    std::thread::scope(|scope| {
        for number in 1..=KILLS {
            scope.spawn(move || a_kill(number));
        }
    });
}

#[test]
fn who_waits_for_the_feeds_of_the_dead_says_so_once() {
    let blogs = Blogosphere::start();
    blogs.answer("/blog", Answer::Silence);
    let feeds = [("blog", blogs.url("/blog"))];
    let voice = Voice::on(None, &config_with(SETTINGS, &feeds));
    let fetcher = voice.start("serve --role fetch");
    blogs.wait_for_requests(1);
    fetcher.kill();

    blogs.answer("/blog", Answer::Feed(rss("blog", 1..=1)));
    let mut fetcher = voice.start("serve --role fetch");
    let waits = "waiting for feeds that another fetcher has in hand";
    fetcher.wait_for_log(waits);
    fetcher.wait_for_log("entries_new=1");
    let said = fetcher
        .logged()
        .iter()
        .filter(|line| line.contains(waits))
        .count();
    assert_eq!((said, fetcher.stop().0), (1, Some(0)));
}
