//! Closed digests and what is decided from the command line while nothing is served: the correction is made by then.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use model::FixedClock;
use poll::CronLine;
use serde_json::{Value, json};
use store::{IssueFormat, RevisionLookup, Store};
use support::blogosphere::{Answer, Blogosphere};
use support::inside::Inside;
use support::{Voice, config};

const WEEK: &str = "2015-W06";
const FORMATS: [&str; 5] = ["json", "markdown", "html", "text", "csv"];

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A feed with a post on each of these days of February 2015, named after the blog and the day.
fn feed(blog: &str, days: &[u32]) -> Answer {
    let items = days.iter().map(|day| {
        format!(
            "<item><title>Title-{blog}-{day}</title><link>https://{blog}.example/{day}</link>\
             <pubDate>{day:02} Feb 2015 09:00:00 GMT</pubDate><description>Words-{blog}-{day} of it.</description></item>"
        )
    });
    Answer::Feed(format!(
        "<rss version=\"2.0\"><channel><title>Example</title><link>https://{blog}.example/</link>{}</channel></rss>",
        items.collect::<String>()
    ))
}

/// A Voice that closed a week of 2015 and does not run: `writer` wrote twice in it, `quiet` joined and wrote nothing.
fn voice() -> (Blogosphere, Voice) {
    let blogs = Blogosphere::start();
    blogs.answer("/writer", feed("writer", &[3, 4]));
    blogs.answer("/other", feed("other", &[5]));
    blogs.answer("/quiet", feed("quiet", &[]));
    let feeds = ["writer", "other", "quiet"].map(|slug| (slug, blogs.url(&format!("/{slug}"))));
    let config = config(&feeds);
    let voice = Voice::with_config(&config);
    let settings = registry::parse("feeds.toml", &config, &[]).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let clock = Arc::new(FixedClock::at(at("2015-02-02T08:00:00Z")));
        let inside = Inside::open(&voice.database_url(), &settings, &clock).await;
        clock.set(at("2015-02-06T08:00:00Z"));
        inside.poll().await;
        let schedule = CronLine::parse(&settings.site.digest_schedule, settings.site.timezone).unwrap();
        let next = |after| schedule.next_after(after);
        let closed_at = at("2015-02-09T07:00:00Z");
        let week = WEEK.parse().unwrap();
        let closed = serve::close_issue(&inside.store, &settings.site, week, closed_at, &next).await;
        assert!(closed.unwrap());
    });
    (blogs, voice)
}

/// Which revision of the week is the last, and how many of those before can still be read, as the database has it.
fn stored(voice: &Voice) -> (u32, usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&voice.database_url()).await.unwrap();
        let week = WEEK.parse().unwrap();
        let last = store.issue(week).await.unwrap().unwrap().revision;
        let mut readable = 0;
        for revision in 1..last {
            let found = store
                .issue_revision(week, revision, IssueFormat::Csv)
                .await
                .unwrap();
            readable += usize::from(found != RevisionLookup::Gone);
        }
        (last, readable)
    })
}

/// The week as `voice digest` prints it, in every format.
fn printed(voice: &Voice) -> (Value, String) {
    let print = |format| {
        let output = voice.run(&["digest", WEEK, "--format", format]);
        assert!(output.status.success(), "{}", support::text(&output.stderr));
        support::text(&output.stdout)
    };
    let document = serde_json::from_str(&print("json")).unwrap();
    (document, FORMATS.map(print).concat())
}

#[test]
fn what_is_withdrawn_from_the_command_line_leaves_closed_digests_at_once() {
    let (_blogs, voice) = voice();
    let (first, text) = printed(&voice);
    assert_eq!(
        (&first["status"], &first["revision"]),
        (&json!("closed"), &json!(1))
    );
    assert_eq!(first["entries"].as_array().unwrap().len(), 3);
    for words in ["Title-writer-3", "Words-writer-3", "quiet"] {
        assert!(text.contains(words), "no {words} in {text}");
    }
    assert_eq!(stored(&voice), (1, 0));

    let hidden = &first["entries"][0];
    let key = hidden["key"].as_str().unwrap();
    voice.json(&["entries", "hide", key, "--reason", "its author asked", "--json"]);
    assert_eq!(stored(&voice), (2, 0));
    let (second, text) = printed(&voice);
    for words in ["Title-writer-3", "Words-writer-3", "its author asked"] {
        assert!(!text.contains(words), "{words} in {text}");
    }
    assert!(text.contains("Title-writer-4") && text.contains("Title-other-5"));
    let corrections = second["corrections"].as_array().unwrap();
    assert_eq!(corrections.len(), 1);
    assert_eq!(
        (
            &corrections[0]["revision"],
            &corrections[0]["entry"],
            &corrections[0]["previous_hash"]
        ),
        (&json!(2), &hidden["id"], &first["hash"])
    );

    // Who wrote nothing in the week is named in it all the same, until they leave.
    voice.json(&["feeds", "remove", "quiet", "--withdraw", "--json"]);
    assert_eq!(stored(&voice), (3, 0));
    let (third, text) = printed(&voice);
    assert!(!text.contains("quiet"), "{text}");
    assert_eq!(third["corrections"][1]["entry"], Value::Null);
    assert_eq!(third["hash"], second["hash"]);

    voice.json(&["feeds", "remove", "writer", "--withdraw", "--json"]);
    assert_eq!(stored(&voice), (4, 0));
    let (fourth, text) = printed(&voice);
    assert!(!text.contains("writer"), "{text}");
    assert_eq!(
        fourth["counts"],
        json!({"entries": 1, "members": 1, "organisations": 0})
    );

    // Whoever reads it then gets what is left, and of what was there before that it is gone.
    let server = voice.serve();
    assert_eq!(server.get(&format!("/digest/{WEEK}.json")).json(), fourth);
    for revision in 1..4 {
        let old = server.get(&format!("/digest/{WEEK}/r{revision}.json"));
        assert_eq!(old.status, 410);
        assert!(!old.body.contains("writer"), "{}", old.body);
    }
    assert_eq!(server.get(&format!("/digest/{WEEK}/r4.json")).json(), fourth);
}
