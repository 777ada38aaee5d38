//! A month of polls in a minute: three hundred blogs with entity tags, some that refuse for a day, some that redirect, some
//! that are dead, and six hours without a network of our own. The servers' log is what is judged.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::web::{Answer, Asked, INTERVALS, Web, rss};

const BLOGS: i64 = 300;
const START: &str = "2026-11-01T00:00:00Z";
/// Coarser than five minutes, or the month would take as many rounds again for nothing.
const TICK: TimeDelta = TimeDelta::minutes(15);

fn start() -> DateTime<Utc> {
    START.parse().unwrap()
}

fn day(days: i64) -> DateTime<Utc> {
    start() + TimeDelta::days(days)
}

/// The number in `www.blog7.example`.
fn number(host: &str) -> i64 {
    let name = host.trim_start_matches("www.").trim_start_matches("blog");
    name.split('.').next().unwrap().parse().unwrap()
}

fn writes_each_hours(number: i64) -> i64 {
    [24, 72, 168, 400, 5_000, 5_000][(number % 6) as usize]
}

/// The blog's feed at that time, and its entity tag.
fn feed(number: i64, now: DateTime<Utc>) -> (String, String) {
    let each = writes_each_hours(number);
    let last = (now - start()).num_hours() / each;
    let posts: Vec<(String, DateTime<Utc>)> = (last - 9..=last)
        .rev()
        .map(|n| (format!("post{n}"), start() + TimeDelta::hours(n * each)))
        .collect();
    let site = format!("http://blog{number}.example/");
    (
        rss(&format!("Blog {number}"), &site, &posts),
        format!("\"{last}\""),
    )
}

fn refuses(number: i64) -> bool {
    number % 30 == 1
}

fn moves(number: i64) -> bool {
    number % 30 == 2
}

fn redirects_for_a_while(number: i64) -> bool {
    number % 30 == 3
}

fn is_dead(number: i64) -> bool {
    number % 30 == 4
}

fn respond(port: u16, host: &str, if_none_match: Option<&str>, now: DateTime<Utc>) -> Answer {
    let number = number(host);
    let is_www = host.starts_with("www.");
    if refuses(number) && now >= day(9) && now < day(10) {
        let seconds = (day(10) - now).num_seconds();
        return Answer::status(429).header("Retry-After", seconds.to_string());
    }
    if !is_www && (redirects_for_a_while(number) || moves(number) && now >= day(4)) {
        let status = if moves(number) { 301 } else { 302 };
        return Answer::status(status).header("Location", format!("http://www.{host}:{port}/feed"));
    }
    let (body, tag) = feed(number, now);
    if if_none_match == Some(&tag) {
        Answer::status(304).header("ETag", tag)
    } else {
        Answer::ok(body).header("ETag", tag)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_of_three_hundred_blogs() {
    let port = std::sync::Arc::new(std::sync::OnceLock::new());
    let known_port = std::sync::Arc::clone(&port);
    let mut web = Web::new(START, move |host, _, if_none_match, now| {
        respond(*known_port.get().unwrap(), host, if_none_match, now)
    })
    .await;
    port.set(web.port).unwrap();
    let hosts: Vec<String> = (0..BLOGS).map(|n| format!("blog{n}.example")).collect();
    web.join(&hosts).await;
    let dead: Vec<String> = hosts
        .iter()
        .filter(|host| is_dead(number(host)))
        .cloned()
        .collect();
    web.unknown(&dead);

    let outage = (day(11) + TimeDelta::hours(9), day(11) + TimeDelta::hours(15));
    let mut set: BTreeMap<i64, DateTime<Utc>> = BTreeMap::new();
    let mut polls = 0;
    while web.now() < day(30) {
        let now = web.now();
        web.away(now >= outage.0 && now < outage.1);
        let summary = web.round().await;
        polls += summary.feeds;
        // At most one poll for each interval that was set.
        if summary.feeds > 0 {
            for feed in web.store.feeds().await.unwrap() {
                if feed.last_polled_at == Some(now) {
                    let before = set.insert(feed.id, feed.next_poll_at);
                    assert!(
                        before.is_none_or(|set| now >= set),
                        "{}: {now} before {before:?}",
                        feed.slug
                    );
                }
                let may_fail = is_dead(number(feed.url.host_str().unwrap()))
                    || feed.retry_after_at.is_some_and(|until| until == day(10));
                assert!(
                    feed.failures == 0 || may_fail,
                    "{}: {:?}",
                    feed.slug,
                    feed.last_error
                );
            }
        }
        web.pass(TICK);
    }

    let log = web.log();
    let first_hops = |number: i64| {
        let host = format!("blog{number}.example");
        let of_blog = log
            .iter()
            .filter(move |asked| asked.host.trim_start_matches("www.") == host);
        of_blog.collect::<Vec<&Asked>>()
    };
    // Nobody is asked during the outage, and nobody inside a Retry-After.
    assert!(
        log.iter()
            .all(|asked| asked.at < outage.0 || asked.at >= outage.1)
    );
    for n in (0..BLOGS).filter(|&n| refuses(n)) {
        let asked = first_hops(n);
        let refused = asked.iter().position(|asked| asked.status == 429).unwrap();
        assert!(asked[refused + 1].at >= day(10), "{:?}", asked[refused + 1]);
        assert_eq!(asked.iter().filter(|asked| asked.status == 429).count(), 1, "{n}");
    }
    // A body is sent once for each version of it, whatever the way to it.
    let (mut bodies, mut not_modified) = (0, 0);
    for n in (0..BLOGS).filter(|&n| !is_dead(n)) {
        let asked = first_hops(n);
        let full: Vec<&&Asked> = asked.iter().filter(|asked| asked.status == 200).collect();
        let versions: std::collections::BTreeSet<String> =
            full.iter().map(|asked| feed(n, asked.at).1).collect();
        // The first 304 from where a blog moved to is not believed, and a body is sent once more.
        let surplus = full.len() - versions.len();
        assert!(surplus <= usize::from(moves(n)), "{n}: {full:?}");
        bodies += full.len();
        not_modified += asked.iter().filter(|asked| asked.status == 304).count();
        // No feed starves, and none is pestered.
        let mut times: Vec<DateTime<Utc>> = asked.iter().map(|asked| asked.at).collect();
        times.dedup();
        for pair in times.windows(2) {
            let gap = pair[1] - pair[0];
            assert!(
                gap >= TimeDelta::from_std(INTERVALS.min).unwrap(),
                "{n}: {pair:?}"
            );
            let patience = TimeDelta::from_std(INTERVALS.max).unwrap() + TICK * 3;
            let longest = if refuses(n) || pair[1] >= outage.0 {
                patience + TimeDelta::hours(7)
            } else {
                patience
            };
            assert!(gap <= longest, "{n}: {pair:?}");
        }
    }
    let quiet: Vec<i64> = (0..BLOGS)
        .filter(|&n| writes_each_hours(n) == 5_000 && !is_dead(n) && !refuses(n))
        .collect();
    let of_quiet: Vec<&Asked> = quiet
        .iter()
        .flat_map(|&n| first_hops(n))
        .filter(|asked| asked.status < 300 || asked.status == 304)
        .collect();
    let unchanged = of_quiet.iter().filter(|asked| asked.status == 304).count();
    assert!(
        unchanged * 100 >= of_quiet.len() * 95,
        "{unchanged} of {}",
        of_quiet.len()
    );
    println!(
        "{polls} polls, {} requests, {bodies} bodies, {not_modified} times 304; of unchanged feeds {unchanged} of {} are 304",
        log.len(),
        of_quiet.len()
    );

    // The ledger agrees with the log.
    assert_eq!(web.ledger().await, web.log_by_host());
    // Moves have settled, other redirects have not, and the dead are told of.
    for feed in web.store.feeds().await.unwrap() {
        let n = number(feed.url.host_str().unwrap());
        assert_eq!(
            feed.url.host_str().unwrap().starts_with("www."),
            moves(n),
            "{}",
            feed.url
        );
        assert_eq!(feed.failures > 0, is_dead(n), "{}", feed.slug);
        let state = feed.health(chrono_tz::UTC, web.now()).state.as_str();
        let expected = if is_dead(n) { "gone" } else { "healthy" };
        assert_eq!(state, expected, "{}", feed.slug);
        if !is_dead(n) {
            let each = writes_each_hours(n);
            let posts = (web.now() - TICK - start()).num_hours() / each;
            assert!(
                (10..=posts + 10).contains(&i64::from(feed.entries)),
                "{}: {}",
                feed.slug,
                feed.entries
            );
        }
    }
    web.join(&hosts).await;
    assert_eq!(
        web.store.feeds().await.unwrap().len(),
        BLOGS as usize,
        "old addresses are known"
    );
}
