//! What single answers make of a feed.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use model::{FeedStatus, Why};
use poll::Selection;
use store::{Decided, EntryQuery};

use crate::web::{Answer, Web, rss};

pub(crate) const NOW: &str = "2026-11-01T09:00:00Z";

/// What each host says at present.
#[derive(Clone, Default)]
pub(crate) struct Says(Arc<Mutex<Vec<(String, Answer)>>>);

impl Says {
    pub(crate) fn set(&self, host: &str, answer: Answer) {
        let mut says = self.0.lock().unwrap();
        says.retain(|(other, _)| other != host);
        says.push((host.to_owned(), answer));
    }

    /// What is said to such a request, by the page or else by the host: a 304 to whoever has the tag.
    pub(crate) fn answer(&self, host: &str, path: &str, if_none_match: Option<&str>) -> Answer {
        let says = self.0.lock().unwrap();
        let page = format!("{host}{path}");
        let of = |name: &str| says.iter().find(|(other, _)| other == name);
        let answer = of(&page).or_else(|| of(host)).map(|(_, answer)| answer);
        let answer = answer.cloned().unwrap_or_else(|| Answer::status(404));
        let tag = answer.headers.iter().find(|(name, _)| *name == "ETag");
        match tag {
            Some((_, tag)) if Some(tag.as_str()) == if_none_match => {
                Answer::status(304).header("ETag", tag.clone())
            }
            _ => answer,
        }
    }
}

/// A web in which `blogs` have joined and each has a feed.
async fn web(blogs: &[&str]) -> (Web, Says) {
    let says = Says::default();
    let heard = says.clone();
    let mut web = Web::new(NOW, move |host, path, tag, _| heard.answer(host, path, tag)).await;
    let hosts: Vec<String> = blogs.iter().map(|blog| format!("{blog}.example")).collect();
    for (blog, host) in blogs.iter().zip(&hosts) {
        says.set(host, Answer::ok(blog_feed(blog, "old")).header("ETag", "\"1\""));
    }
    web.join(&hosts).await;
    assert_eq!(web.round().await.changed, blogs.len() as u32);
    (web, says)
}

fn blog_feed(blog: &str, posts: &str) -> String {
    let at: DateTime<Utc> = "2026-10-30T09:00:00Z".parse().unwrap();
    rss(
        &format!("The blog of {blog}"),
        &format!("http://{blog}.example/"),
        &[
            (format!("{posts}-two"), at),
            (format!("{posts}-one"), at - TimeDelta::days(3)),
        ],
    )
}

#[tokio::test]
async fn a_failure_forgets_nothing_and_a_good_answer_ends_it() {
    let (mut web, says) = web(&["ada"]).await;
    let to = web.url("new.example");
    says.set(
        "new.example",
        Answer::ok(blog_feed("ada", "old")).header("ETag", "\"1\""),
    );
    says.set("ada.example", Answer::status(301).header("Location", to.clone()));
    web.pass(TimeDelta::days(1));
    web.round().await;
    let moved = web.feed("ada").await.moved;
    assert_eq!(moved.as_ref().unwrap().0.as_str(), to);

    // Three failures of different kinds, among them a first 410 and a name that is unknown.
    let before = web.feed("ada").await;
    let mut first = None;
    for step in 0..3 {
        match step {
            0 => says.set("ada.example", Answer::status(410)),
            1 => says.set("ada.example", Answer::status(500)),
            _ => web.unknown(&["ada.example".to_owned()]),
        }
        web.pass(TimeDelta::minutes(1));
        first.get_or_insert(web.now());
        assert_eq!(web.round_of_all().await.failed, 1);
        let feed = web.feed("ada").await;
        assert_eq!(
            (&feed.moved, feed.gone_since, feed.failing_since),
            (&moved, first, first)
        );
        assert_eq!((feed.failures, &feed.validators), (step + 1, &before.validators));
        assert_eq!(feed.name_unknown_since.is_some(), step == 2);
        let why = if step == 0 { Why::GoneOnce } else { Why::BackOff };
        assert_eq!(feed.next_poll_why, why);
    }
    web.unknown(&[]);
    says.set(
        "ada.example",
        Answer::ok(blog_feed("ada", "old")).header("ETag", "\"1\""),
    );
    web.pass(TimeDelta::minutes(1));
    assert_eq!(web.round_of_all().await.unchanged, 1);
    let feed = web.feed("ada").await;
    assert_eq!(
        (feed.failures, feed.failing_since, feed.gone_since),
        (0, None, None)
    );
    assert_eq!(
        (feed.name_unknown_since, &feed.moved),
        (None, &None),
        "it lies where it lay"
    );
}

#[tokio::test]
async fn a_move_settles_after_a_week_and_both_addresses_name_the_feed() {
    let (mut web, says) = web(&["ada"]).await;
    let (old, new) = (web.url("ada.example"), web.url("new.example"));
    says.set(
        "new.example",
        Answer::ok(blog_feed("ada", "old")).header("ETag", "\"1\""),
    );
    says.set("ada.example", Answer::status(308).header("Location", new.clone()));
    for _ in 0..9 {
        web.pass(TimeDelta::days(1));
        web.round().await;
    }
    let feed = web.feed("ada").await;
    assert_eq!((feed.url.as_str(), feed.moved), (new.as_str(), None));
    let asked = web.log().len();
    web.pass(TimeDelta::days(2));
    assert_eq!(
        web.round().await.not_modified,
        1,
        "the validators have moved along"
    );
    assert_eq!(web.log().len(), asked + 1, "asked at the new address alone");
    for name in [old, new] {
        let names = [name];
        assert_eq!(web.poll(Selection::Named(&names)).await.feeds, 1, "{names:?}");
    }
}

#[tokio::test]
async fn gone_twice_a_day_apart_ends_polling() {
    let (mut web, says) = web(&["ada"]).await;
    says.set("ada.example", Answer::status(410));
    web.pass(TimeDelta::days(1));
    web.round().await;
    let since = web.now();
    for _ in 0..3 {
        web.pass(TimeDelta::hours(13));
        web.round().await;
    }
    let feed = web.feed("ada").await;
    assert_eq!((feed.status, feed.gone_since), (FeedStatus::Gone, Some(since)));
    assert_eq!(web.log().iter().filter(|asked| asked.status == 410).count(), 2);
    assert_eq!(feed.entries, 2, "what we hold stays");
    assert_eq!(web.round_of_all().await.feeds, 0);
}

#[tokio::test]
async fn when_most_hosts_are_lost_nobody_is_blamed() {
    let (mut web, _) = web(&["ada", "ben", "cleo", "dan"]).await;
    let before = web.feed("ada").await;
    web.pass(TimeDelta::days(1));
    web.away(true);
    let summary = web.round().await;
    assert_eq!((summary.feeds, summary.failed), (4, 4));
    for feed in web.store.feeds().await.unwrap() {
        assert_eq!((feed.failures, feed.failing_since), (0, None));
        assert_eq!(feed.next_poll_why, Why::Outage);
        assert!(feed.next_poll_at <= web.now() + TimeDelta::minutes(6));
        assert!(feed.last_error.unwrap().contains("our own network"));
        assert_eq!(feed.validators, before.validators);
    }
    // One that is asked alone while the network is away is not blamed either.
    web.pass(TimeDelta::minutes(10));
    let names = ["ada".to_owned()];
    web.poll(Selection::Named(&names)).await;
    assert_eq!(web.feed("ada").await.failures, 0);
    web.away(false);
    web.pass(TimeDelta::minutes(10));
    assert_eq!(web.round().await.not_modified, 4);
    assert!(web.feed("ada").await.last_error.is_none());

    // One host of four is theirs.
    web.unknown(&["ben.example".to_owned()]);
    web.pass(TimeDelta::days(1));
    let summary = web.round().await;
    assert_eq!((summary.not_modified, summary.failed), (3, 1));
    let ben = web.feed("ben").await;
    assert_eq!(
        (ben.failures, ben.failing_since, ben.name_unknown_since),
        (1, Some(web.now()), Some(web.now()))
    );
    assert_eq!(web.ledger().await, web.log_by_host());
}

#[tokio::test]
async fn a_feed_in_other_hands_is_held_until_somebody_takes_it() {
    let (mut web, says) = web(&["ada"]).await;
    let before = web.feed("ada").await;
    web.pass(TimeDelta::days(40));
    let casino = rss(
        "Best casino",
        "http://casino.example/",
        &[("win".to_owned(), web.now()), ("win-more".to_owned(), web.now())],
    );
    says.set("ada.example", Answer::ok(casino).header("ETag", "\"casino\""));
    let shown = async |web: &Web| {
        web.store
            .entries(&EntryQuery::newest(9))
            .await
            .unwrap()
            .entries
            .len()
    };
    for _ in 0..3 {
        web.round().await;
        let feed = web.feed("ada").await;
        assert!(feed.held.as_ref().unwrap().contains("Best casino"));
        assert_eq!(feed.health(chrono_tz::UTC, web.now()).state.as_str(), "held");
        assert_eq!(
            (&feed.title, &feed.member.url),
            (&before.title, &before.member.url)
        );
        assert_eq!(
            (feed.entries, shown(&web).await),
            (2, 2),
            "nothing of it is shown"
        );
        web.pass(TimeDelta::days(20));
    }
    assert_eq!(
        web.store
            .resume_feed(
                "ada",
                &store::Decision {
                    by: store::TERMINAL,
                    why: None,
                    at: web.now()
                }
            )
            .await
            .unwrap(),
        Decided::Done
    );
    assert_eq!(web.round().await.entries_new, 2);
    let feed = web.feed("ada").await;
    assert_eq!((feed.held, feed.title.as_deref()), (None, Some("Best casino")));
    assert_eq!(shown(&web).await, 4);
}

#[tokio::test]
async fn a_page_instead_of_a_feed_proposes_one_and_asks_for_nothing_more() {
    let (mut web, says) = web(&["ada"]).await;
    let page = "<!doctype html><link rel=alternate type=application/rss+xml href=/comments/feed>\
                <link rel=alternate type=application/rss+xml href=/posts.xml>";
    says.set(
        "ada.example",
        Answer::ok(page).header("Content-Type", "text/html"),
    );
    web.pass(TimeDelta::days(1));
    let asked = web.log().len();
    assert_eq!(web.round().await.failed, 1);
    assert_eq!(web.log().len(), asked + 1);
    let feed = web.feed("ada").await;
    let proposed = feed.proposed.clone().unwrap();
    assert_eq!((feed.not_a_feed, proposed.path()), (true, "/posts.xml"));
    let health = feed.health(chrono_tz::UTC, web.now());
    assert_eq!(health.state.as_str(), "not_a_feed");
    assert!(health.reason.contains("/posts.xml"), "{}", health.reason);
    assert_eq!(feed.url.path(), "/feed", "proposed and not taken");

    // Other trouble is called what it is, and the proposal stays.
    says.set("ada.example", Answer::status(500));
    web.pass(TimeDelta::days(1));
    assert_eq!(web.round().await.failed, 1);
    let feed = web.feed("ada").await;
    assert_eq!(
        (feed.not_a_feed, feed.failures, feed.proposed),
        (false, 2, Some(proposed))
    );
    says.set("ada.example", Answer::ok(blog_feed("ada", "new")));
    web.pass(TimeDelta::days(1));
    assert_eq!(web.round().await.entries_new, 2);
    assert_eq!(web.feed("ada").await.proposed, None);
}

#[tokio::test]
async fn validators_of_one_document_say_nothing_of_another() {
    let (mut web, says) = web(&["ada"]).await;
    let other = web.url("other.example");
    // Another document with the same tag.
    says.set(
        "other.example",
        Answer::ok(blog_feed("ada", "new")).header("ETag", "\"1\""),
    );
    says.set("ada.example", Answer::status(302).header("Location", other));
    web.pass(TimeDelta::days(1));
    assert_eq!(web.round().await.not_modified, 1);
    web.pass(TimeDelta::days(1));
    assert_eq!(
        web.round().await.entries_new,
        2,
        "the next poll asks without validators"
    );
    web.pass(TimeDelta::days(1));
    assert_eq!(web.round().await.not_modified, 1);
    let tags: Vec<_> = web
        .log()
        .into_iter()
        .map(|asked| asked.if_none_match.is_some())
        .collect();
    assert_eq!(tags, [false, true, true, false, false, true, true]);
}

#[tokio::test]
async fn a_feeds_wishes_are_kept_through_a_304() {
    let (mut web, says) = web(&["ada"]).await;
    let body = blog_feed("ada", "old").replace(
        "<description/>",
        "<ttl>720</ttl><skipDays><day>Wednesday</day></skipDays>",
    );
    says.set("ada.example", Answer::ok(body).header("ETag", "\"2\""));
    web.pass(TimeDelta::days(1));
    for outcome in ["read", "not modified"] {
        web.round_of_all().await;
        let feed = web.feed("ada").await;
        assert_eq!(
            feed.changes_every,
            Some(std::time::Duration::from_hours(12)),
            "{outcome}"
        );
        assert_eq!(feed.skip_days, 1 << 2, "{outcome}");
        let wait = feed.next_poll_at - web.now();
        assert!(wait >= TimeDelta::hours(12), "{outcome}: {wait}");
        assert_eq!(feed.next_poll_why, Why::FeedAsks);
    }
    let paths: Vec<String> = web.log().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/feed"; 3]);
}

#[tokio::test]
async fn polls_follow_the_rhythm_of_the_blog() {
    let (mut web, says) = web(&["ada"]).await;
    // Two posts in five days, of which two are gone: a wait of two hours or so.
    let feed = web.feed("ada").await;
    assert_eq!((feed.written.unwrap().1, feed.next_poll_why), (2, Why::Rhythm));
    let wait = feed.next_poll_at - web.now();
    assert!(
        (TimeDelta::minutes(90)..TimeDelta::hours(4)).contains(&wait),
        "{wait}"
    );
    web.pass(TimeDelta::days(20));
    web.round().await;
    let later = web.feed("ada").await.next_poll_at - web.now();
    assert!(later > wait * 3, "{wait}, and after a long silence {later}");
    let body =
        blog_feed("ada", "old").replace("<item>", "<item><title>newest</title><guid>n</guid></item><item>");
    says.set("ada.example", Answer::ok(body));
    web.pass(TimeDelta::days(1));
    web.round().await;
    let feed = web.feed("ada").await;
    assert_eq!(
        (feed.written.unwrap().1, feed.last_entry_at),
        (3, Some(web.now()))
    );
}

#[tokio::test]
async fn the_hub_is_the_one_that_the_feed_names_now() {
    let (mut web, says) = web(&["ada"]).await;
    let body = blog_feed("ada", "old");
    let linked = body.replace(
        "<description/>",
        "<atom:link xmlns:atom=\"http://www.w3.org/2005/Atom\" rel=\"hub\" href=\"https://hub.example/\"/><description/>",
    );
    let by_header = "<https://header.example/>; rel=hub, <https://ada.example/feed>; rel=self";
    for (answer, hub) in [
        (Answer::ok(body.clone()), None),
        // The header came later, with the same document; then a 304, which says nothing of it.
        (
            Answer::ok(body.clone())
                .header("Link", by_header)
                .header("ETag", "\"h\""),
            Some("https://header.example/"),
        ),
        (Answer::status(304), Some("https://header.example/")),
        (Answer::ok(linked.clone()), Some("https://hub.example/")),
        (Answer::status(500), Some("https://hub.example/")),
        (Answer::ok(linked), Some("https://hub.example/")),
        (Answer::ok(body), None),
    ] {
        says.set("ada.example", answer);
        web.pass(TimeDelta::days(2));
        web.round_of_all().await;
        let named = web.feed("ada").await.hub;
        assert_eq!(named.as_ref().map(|named| named.hub.as_str()), hub);
    }
}

#[tokio::test]
async fn a_server_that_refuses_training_is_heard_until_an_answer_is_silent() {
    let (mut web, says) = web(&["ada"]).await;
    let feed = || Answer::ok(blog_feed("ada", "old"));
    let refusing = |answer: Answer| answer.header("X-Robots-Tag", "noai, noimageai");
    for (answer, refuses) in [
        (refusing(feed().header("ETag", "\"2\"")), true),
        // The same again is a 304 without a word of it, and what is no feed is not the blogger's word.
        (refusing(feed().header("ETag", "\"2\"")), true),
        (Answer::ok("<html>Down for maintenance</html>"), true),
        (feed().header("ETag", "\"3\""), false),
        (
            feed().header("ETag", "\"4\"").header("tdm-reservation", "1"),
            true,
        ),
        (Answer::ok(blog_feed("ada", "new")), false),
    ] {
        says.set("ada.example", answer.clone());
        web.pass(TimeDelta::days(2));
        web.round_of_all().await;
        assert_eq!(web.feed("ada").await.refuses_training, refuses, "{answer:?}");
    }
}
