//! What becomes of a blog's posts over several polls: deletions at the source, and a move to another platform.

use chrono::{DateTime, TimeDelta, Utc};
use model::HealthState;
use store::{Cause, Decision, EntryQuery, MEMBER};

use crate::cases::{NOW, Says};
use crate::web::{Answer, Web, rss};

/// Posts of ada's, newest first and a day apart, but for those that are left out; their pages lie beside the feed.
fn posts_of_ada(web: &Web, posts: &[&str], without: &[&str]) -> String {
    let newest: DateTime<Utc> = "2026-10-25T09:00:00Z".parse().unwrap();
    let there: Vec<(String, DateTime<Utc>)> = (0..)
        .zip(posts)
        .filter(|(_, post)| !without.contains(post))
        .map(|(age, post)| ((*post).to_owned(), newest - TimeDelta::days(age)))
        .collect();
    rss(
        "The blog of ada",
        &format!("http://ada.example:{}/", web.port),
        &there,
    )
}

/// The titles that readers see, in their order.
async fn titles(web: &Web) -> Vec<String> {
    let page = web.store.entries(&EntryQuery::newest(99)).await.unwrap();
    page.entries.into_iter().filter_map(|entry| entry.title).collect()
}

#[tokio::test]
async fn problem_15_only_what_is_deleted_at_the_source_is_withdrawn() {
    const POSTS: [&str; 6] = ["six", "five", "four", "three", "two", "one"];
    let says = Says::default();
    let heard = says.clone();
    let mut web = Web::new(NOW, move |host, path, tag, _| heard.answer(host, path, tag)).await;
    says.set("ada.example", Answer::ok(posts_of_ada(&web, &POSTS, &[])));
    web.join(&["ada.example".to_owned()]).await;
    assert_eq!(web.round_of_all().await.entries_new, 6);

    // Two are missing from between the others, and the oldest is beyond the feed. One of the two has its page still.
    let shorter = posts_of_ada(&web, &POSTS, &["five", "three", "one"]);
    says.set("ada.example/three", Answer::status(404));
    says.set("ada.example/one", Answer::status(404));
    for answer in [
        Answer::ok(shorter.clone()),
        // Failed, empty, cut short, and the same answer again within the day: none of these says anything more.
        Answer::status(500),
        Answer::ok(posts_of_ada(&web, &POSTS, &POSTS)),
        Answer::ok(&shorter[..shorter.len() - 200]),
        Answer::ok(shorter.clone()),
    ] {
        says.set("ada.example", answer);
        web.pass(TimeDelta::hours(4));
        web.round_of_all().await;
        assert_eq!(titles(&web).await, POSTS);
    }
    assert!(
        web.log().iter().all(|asked| asked.path == "/feed"),
        "no page was asked for"
    );

    web.pass(TimeDelta::hours(9));
    web.round_of_all().await;
    assert_eq!(titles(&web).await, ["six", "five", "four", "two", "one"]);
    let pages = |web: &Web| -> Vec<String> {
        let log = web.log().into_iter().map(|asked| asked.path);
        log.filter(|path| path != "/feed").collect()
    };
    assert_eq!(
        pages(&web),
        ["/three", "/five"],
        "what the feed no longer reaches is not asked for"
    );
    assert_eq!(web.ledger().await, web.log_by_host());

    // The page that was there is asked again a day later, and not before.
    web.pass(TimeDelta::hours(23));
    web.round_of_all().await;
    assert_eq!(pages(&web).len(), 2);
    says.set("ada.example/five", Answer::status(410));
    web.pass(TimeDelta::hours(2));
    web.round_of_all().await;
    assert_eq!(titles(&web).await, ["six", "four", "two", "one"]);

    // What was withdrawn stays away, though the feed has it again.
    says.set("ada.example", Answer::ok(posts_of_ada(&web, &POSTS, &[])));
    web.pass(TimeDelta::days(1));
    assert_eq!(web.round_of_all().await.entries_new, 0);
    assert_eq!(titles(&web).await, ["six", "four", "two", "one"]);
    assert_eq!(pages(&web).len(), 3);
}

#[tokio::test]
async fn what_its_author_took_back_is_no_news_though_the_blog_keeps_it() {
    const POSTS: [&str; 4] = ["four", "three", "two", "one"];
    let says = Says::default();
    let heard = says.clone();
    let mut web = Web::new(NOW, move |host, path, tag, _| heard.answer(host, path, tag)).await;
    says.set("ada.example", Answer::ok(posts_of_ada(&web, &POSTS, &["four"])));
    web.join(&["ada.example".to_owned()]).await;
    web.round_of_all().await;
    let entries = web.store.entries(&EntryQuery::newest(9)).await.unwrap().entries;
    let two = entries.iter().find(|entry| entry.title.as_deref() == Some("two"));
    let decision = Decision {
        by: MEMBER,
        why: None,
        at: web.now(),
    };
    let keys = [&two.unwrap().key];
    web.store
        .withdraw_entries(&keys, Cause::Author, &decision)
        .await
        .unwrap();
    let revision = web.store.revision().await.unwrap().number;
    // Other bytes each time, the same posts: nothing is offered, so nothing is written but the poll.
    for round in 0..3 {
        let body = posts_of_ada(&web, &POSTS, &["four"])
            .replace("</channel>", &format!("<!-- {round} --></channel>"));
        says.set("ada.example", Answer::ok(body));
        web.pass(TimeDelta::days(1));
        let summary = web.round_of_all().await;
        assert_eq!((summary.unchanged, summary.changed), (1, 0), "{summary:?}");
        assert_eq!(web.store.revision().await.unwrap().number, revision);
    }
    // Edited and re-dated it is still the one that was taken back; what is new comes.
    let edited = posts_of_ada(&web, &POSTS, &[]).replace("<title>two</title>", "<title>two, again</title>");
    says.set("ada.example", Answer::ok(edited));
    web.pass(TimeDelta::days(1));
    assert_eq!(web.round_of_all().await.entries_new, 1);
    assert_eq!(titles(&web).await, ["four", "three", "one"]);
}

#[tokio::test]
async fn problem_1_a_migration_is_one_event_and_readers_see_nothing_of_it() {
    const POSTS: [&str; 6] = ["six", "five", "four", "three", "two", "one"];
    let says = Says::default();
    let heard = says.clone();
    let mut web = Web::new(NOW, move |host, path, tag, _| heard.answer(host, path, tag)).await;
    let before = posts_of_ada(&web, &POSTS, &[]);
    says.set("ada.example", Answer::ok(before.clone()));
    web.join(&["ada.example".to_owned()]).await;
    web.round_of_all().await;
    let seen = async |web: &Web| {
        let page = web.store.entries(&EntryQuery::newest(99)).await.unwrap();
        let seen = page
            .entries
            .into_iter()
            .map(|entry| (entry.key, entry.id, entry.published, entry.released));
        seen.collect::<Vec<_>>()
    };
    let known = seen(&web).await;

    // Other identities, other addresses, other dates, and a new post among them.
    let moved = before
        .replace("<guid>http://ada.example", "<guid>tag:ada,2026")
        .replace("<link>http://ada.example", "<link>https://blog.ada.example")
        .replace("Oct 2026", "Nov 2026");
    let new = "<item><title>seven</title><guid>7</guid></item><item><title>six";
    says.set(
        "ada.example",
        Answer::ok(moved.replacen("<item><title>six", new, 1)),
    );
    web.pass(TimeDelta::days(1));
    for expected in [1, 0] {
        assert_eq!(web.round_of_all().await.entries_new, expected);
        assert_eq!(
            seen(&web).await[1..],
            known,
            "keys, ids, dates and order are what they were"
        );
        let events = web.store.audit(None, 9).await.unwrap();
        assert_eq!(events.len(), 1, "{events:#?}");
        assert_eq!(
            (events[0].action.as_str(), events[0].target.as_str()),
            ("migrate feed", "ada")
        );
        assert!(events[0].why.as_deref().unwrap().starts_with("6 known posts"));
        web.pass(TimeDelta::days(1));
    }
}

/// What readers see of each entry: title, key, and the dates that were given out.
async fn seen(web: &Web) -> Vec<(String, String, DateTime<Utc>, DateTime<Utc>, DateTime<Utc>)> {
    let page = web.store.entries(&EntryQuery::newest(500)).await.unwrap();
    let entries = page.entries.into_iter();
    entries
        .map(|entry| {
            let title = entry.title.unwrap_or_default();
            (title, entry.key, entry.published, entry.released, entry.updated)
        })
        .collect()
}

async fn joined(body: impl Fn(&Web) -> String) -> (Web, Says) {
    let says = Says::default();
    let heard = says.clone();
    let mut web = Web::new(NOW, move |host, path, tag, _| heard.answer(host, path, tag)).await;
    says.set("ada.example", Answer::ok(body(&web)));
    web.join(&["ada.example".to_owned()]).await;
    web.round_of_all().await;
    (web, says)
}

#[tokio::test]
async fn problem_6_a_back_catalogue_stands_where_it_belongs_in_time() {
    let posts: Vec<(String, DateTime<Utc>)> = (0..300)
        .map(|age| {
            let newest: DateTime<Utc> = "2026-10-25T09:00:00Z".parse().unwrap();
            (format!("post {age}"), newest - TimeDelta::days(17 * age))
        })
        .collect();
    let (mut web, says) = joined(|_| rss("The blog of ada", "http://ada.example/", &posts)).await;
    let found = seen(&web).await;
    assert_eq!(found.len(), 300);
    for ((title, _, published, released, _), (post, at)) in found.iter().zip(&posts) {
        assert_eq!((title, published, released), (post, at, at));
    }
    // Three in a day all show, on top and when they came.
    let mut more: Vec<(String, DateTime<Utc>)> = (0..3).map(|n| (format!("new {n}"), web.now())).collect();
    more.extend(posts);
    says.set(
        "ada.example",
        Answer::ok(rss("The blog of ada", "http://ada.example/", &more)),
    );
    web.pass(TimeDelta::hours(5));
    assert_eq!(web.round_of_all().await.entries_new, 3);
    let found = seen(&web).await;
    assert!(
        found[..3]
            .iter()
            .all(|(title, _, _, released, _)| title.starts_with("new") && *released == web.now())
    );
    assert_eq!(found.len(), 303);
}

#[tokio::test]
async fn problem_7_a_feed_that_stamps_now_moves_nothing() {
    const POSTS: [&str; 3] = ["three", "two", "one"];
    let (mut web, says) = joined(|web| posts_of_ada(web, &POSTS, &[])).await;
    let known = seen(&web).await;
    for _ in 0..4 {
        web.pass(TimeDelta::hours(5));
        let now = web.now();
        let stamped: Vec<(String, DateTime<Utc>)> =
            POSTS.iter().map(|post| ((*post).to_owned(), now)).collect();
        let site = format!("http://ada.example:{}/", web.port);
        says.set("ada.example", Answer::ok(rss("The blog of ada", &site, &stamped)));
        let summary = web.round_of_all().await;
        assert_eq!((summary.entries_new, summary.entries_updated), (0, 0));
        assert_eq!(seen(&web).await, known);
    }
}

#[tokio::test]
async fn problem_8_a_date_to_come_or_absurd_is_the_moment_of_arrival_and_stays_so() {
    let item = |title: &str, date: &str| {
        format!("<item><title>{title}</title><guid>{title}</guid><pubDate>{date}</pubDate></item>")
    };
    let body =
        |items: &str| format!("<rss version=\"2.0\"><channel><title>ada</title>{items}</channel></rss>");
    let old = item("old", "Fri, 30 Oct 2026 09:00:00 GMT");
    let (mut web, says) = joined(|_| body(&old)).await;
    web.pass(TimeDelta::hours(5));
    let arrived = web.now();
    let odd = item("to come", "Tue, 01 Dec 2026 09:00:00 GMT") + &item("absurd", "0001-01-01T00:00:00Z");
    says.set("ada.example", Answer::ok(body(&format!("{odd}{old}"))));
    web.round_of_all().await;
    web.pass(TimeDelta::hours(5));
    let latest = item("latest", "Sun, 01 Nov 2026 12:00:00 GMT");
    says.set("ada.example", Answer::ok(body(&format!("{latest}{odd}{old}"))));
    web.round_of_all().await;
    let found = seen(&web).await;
    let titles: Vec<&str> = found.iter().map(|entry| entry.0.as_str()).collect();
    assert_eq!(titles[0], "latest", "{titles:?}");
    assert_eq!(titles[3], "old", "{titles:?}");
    for (title, _, published, released, _) in &found[1..3] {
        assert_eq!((published, released), (&arrived, &arrived), "{title}");
    }
    // The day comes, and nothing moves.
    web.pass(TimeDelta::days(60));
    says.set("ada.example", Answer::ok(body(&format!("{latest}{odd}{old} "))));
    web.round_of_all().await;
    assert_eq!(seen(&web).await, found);
}

#[tokio::test]
async fn problem_12_what_is_no_feed_touches_nothing_and_is_forgotten_when_the_feed_is_back() {
    const POSTS: [&str; 3] = ["three", "two", "one"];
    let (mut web, says) = joined(|web| posts_of_ada(web, &POSTS, &[])).await;
    let known = seen(&web).await;
    for page in [
        "",
        "<!doctype html><title>Just a moment...</title>",
        "{\"error\": \"rate limited\"}",
        "Service unavailable",
        "<rss version=\"2.0\"><channel><title>ada</title></channel></rss>",
        "<rss version=\"2.0\"><channel><title>ada</title><item><title>thr",
    ] {
        says.set("ada.example", Answer::ok(page));
        web.pass(TimeDelta::days(2));
        web.round_of_all().await;
        assert_eq!(seen(&web).await, known, "{page}");
        let feed = web.feed("ada").await;
        assert_eq!(feed.not_a_feed, !page.contains("<rss"), "{page}");
    }
    let health = web.feed("ada").await.health(chrono_tz::UTC, web.now());
    assert_eq!(health.state, HealthState::Incomplete);
    for words in ["not the whole of it", "breaks off", "error log"] {
        assert!(health.reason.contains(words), "{words}: {}", health.reason);
    }
    says.set(
        "ada.example",
        Answer::ok(posts_of_ada(&web, &["four", "three", "two", "one"], &[])),
    );
    web.pass(TimeDelta::days(2));
    assert_eq!(web.round_of_all().await.entries_new, 1);
    let feed = web.feed("ada").await;
    assert_eq!(
        (feed.not_a_feed, feed.failures, feed.incomplete),
        (false, 0, None)
    );
    assert_eq!(seen(&web).await[1..], known);
}
