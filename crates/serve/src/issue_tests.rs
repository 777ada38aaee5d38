//! Closed weeks as a client sees them.

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use model::Week;
use serde_json::Value;

use crate::testing::{Client, NOW, at, draft, feed_named, record, site};
use crate::{close_issue, settle_issues};

const CLOSED_AT: &str = "2026-11-30T07:00:02Z";

fn week(text: &str) -> Week {
    text.parse().unwrap()
}

async fn close(client: &Client, week: Week, at: DateTime<Utc>) -> bool {
    let next = &*client.app.next_digest_close;
    close_issue(&client.store, &site(), week, at, next).await.unwrap()
}

/// Two posts in W48, which is closed, and one in W49.
async fn with_an_issue() -> Client {
    let client = Client::new().await;
    let posts = [
        (101, "2026-11-24T10:00:00Z"),
        (102, "2026-11-29T22:00:00Z"),
        (103, "2026-11-30T01:00:00Z"),
    ];
    let posts = posts.map(|(number, published)| (draft(number), at(published)));
    record(
        &client.store,
        "one-example",
        at("2026-11-30T06:00:00Z"),
        posts.to_vec(),
    )
    .await;
    assert!(close(&client, week("2026-W48"), at(CLOSED_AT)).await);
    client.clock.set(at(CLOSED_AT) + TimeDelta::minutes(1));
    client
}

#[tokio::test]
async fn a_closed_week_is_the_same_bytes_whatever_comes() {
    let client = with_an_issue().await;
    let json = client.get("/digest/2026-W48.json").await;
    let document = json.json();
    assert_eq!(document["status"], "closed");
    assert_eq!(document["closed_at"], CLOSED_AT);
    assert_eq!(document["revision"], 1);
    assert_eq!(document["hash"].as_str().unwrap().len(), 64);
    // One of the feeds has not answered since the week ended.
    assert_eq!(document["not_heard"][0]["slug"], "two");
    assert_eq!(document["next"]["closes_at"], "2026-12-07T07:00:00Z");
    let of_48 = document["entries"].as_array().unwrap();
    // The hostile post was published two hours before the first poll, on the day on which its feed joined.
    assert_eq!(of_48.len(), 3);
    let mut before = Vec::new();
    for kind in ["json", "md", "html", "txt", "csv"] {
        let answer = client.get(&format!("/digest/2026-W48.{kind}")).await;
        assert_eq!(answer.header("cache-control"), "no-cache");
        let same = client.get(&format!("/digest/2026-W48/r1.{kind}")).await;
        assert_eq!(
            (same.status, &same.body),
            (StatusCode::OK, &answer.body),
            "{kind}"
        );
        before.push(answer);
    }
    // An edit, another address of the site and a second closing change nothing.
    assert!(!close(&client, week("2026-W48"), at(CLOSED_AT)).await);
    let mut moved = site();
    moved.url = "https://elsewhere.example".to_owned();
    client.site.send_replace(std::sync::Arc::new(moved));
    for (kind, before) in ["json", "md", "html", "txt", "csv"].iter().zip(before) {
        let after = client.get(&format!("/digest/2026-W48.{kind}")).await;
        assert_eq!(after.body, before.body);
        assert_eq!(after.header("etag"), before.header("etag"));
    }
    assert_eq!(
        client.get("/digest/2026-W48/r2.json").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        client.get("/digest/2026-W48/r01.json").await.status,
        StatusCode::NOT_FOUND
    );
    assert!(
        settle_issues(&client.store, &site(), at(CLOSED_AT))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn the_last_closed_week_has_an_address() {
    let client = with_an_issue().await;
    let latest = client.get("/digest/latest.json").await;
    assert_eq!(latest.status, StatusCode::OK);
    assert_eq!(latest.header("content-location"), "/digest/2026-W48.json");
    let itself = client.get("/digest/2026-W48.json").await;
    assert_eq!(
        (latest.body, &latest.headers["etag"]),
        (itself.body, &itself.headers["etag"])
    );
    let part = client.get("/digest/latest.md?layout=links").await;
    assert_eq!(
        part.header("content-location"),
        "/digest/2026-W48.md?layout=links"
    );
    assert!(
        part.text()
            .contains("- [Post number 101](https://one.example/posts/101), One Example, Example Council\n")
    );
}

#[tokio::test]
async fn an_archive_week_closes_never_and_neither_does_one_before_another() {
    let client = with_an_issue().await;
    for (week, next) in [
        ("2015-W07", Value::Null),
        ("2026-W46", Value::Null),
        ("2026-W47", Value::from("2026-11-30T07:00:00Z")),
    ] {
        let document = client.get(&format!("/digest/{week}.json")).await.json();
        assert_eq!(document["status"], "archive", "{week}");
        assert_eq!(document["closes_at"], Value::Null, "{week}");
        assert_eq!(document["next"]["closes_at"], next, "{week}");
    }
}

#[tokio::test]
async fn views_and_joined_weeks_are_made_of_what_was_closed() {
    let client = with_an_issue().await;
    let few = client.get("/digest/2026-W48.json?max_per_member=1").await.json();
    assert_eq!(few["counts"]["entries"], 2);
    assert_eq!(
        (&few["status"], &few["revision"]),
        (&Value::from("closed"), &Value::from(1))
    );
    let only_closed = client.get("/digest/2026-W48..2026-W49.json").await;
    assert_eq!(only_closed.status, StatusCode::NOT_FOUND);
    assert!(
        only_closed.json()["detail"]
            .as_str()
            .unwrap()
            .contains("2026-W49")
    );
    assert!(close(&client, week("2026-W49"), at("2026-12-07T07:00:00Z")).await);
    client.clock.set(at("2026-12-07T08:00:00Z"));
    let two = client.get("/digest/2026-W48..2026-W49.json").await.json();
    assert_eq!(two["id"], "2026-W48..2026-W49");
    assert_eq!(two["counts"]["entries"], 4);
    let page = client.get("/digest/2026-W48..2026-W49").await;
    assert!(page.text().contains("Post number 103"));
    let small = client.get("/digest/2026-w48..2026-w49.md").await;
    assert_eq!(small.header("location"), "/digest/2026-W48..2026-W49.md");
}

#[tokio::test]
async fn the_way_back_ends_with_the_first_post() {
    let client = with_an_issue().await;
    assert!(close(&client, week("2026-W49"), at("2026-12-07T07:00:00Z")).await);
    client.clock.set(at("2026-12-07T08:00:00Z"));
    let page = client.get("/digest/2026-W49").await;
    assert!(page.text().contains("The week before, 2026-W48"));
    let page = client.get("/digest/2015-W07").await;
    assert!(page.text().contains("The week after, 2015-W08"));
    assert!(!page.text().contains("2015-W06"));
}

#[tokio::test]
async fn issues_are_listed_and_make_a_feed() {
    let client = with_an_issue().await;
    let list = client.get("/digest").await;
    assert!(list.text().contains(
        "2026-W48</a>, 23 November 2026 to 29 November 2026: 3 posts by 2 members of 1 organisation."
    ));
    let page = client.get("/digest/2026-W48").await;
    assert!(page.text().contains("Closed on") && page.text().contains("/digest/2026-W48/changes.json"));
    let feed = client.get("/digest/feed.json").await.json();
    let item = &feed["items"][0];
    assert_eq!(feed["items"].as_array().unwrap().len(), 1);
    assert_eq!(item["id"], "tag:voice.example.org,2026:digest-2026-W48");
    assert_eq!(item["date_published"], CLOSED_AT);
    let piece = client.get("/digest/2026-W48.html").await;
    assert_eq!(item["content_html"], piece.text());
    for kind in ["atom", "rss"] {
        let feed = client.get(&format!("/digest/feed.{kind}")).await;
        assert_eq!(feed.status, StatusCode::OK);
        assert!(feed.text().contains("digest-2026-W48"));
        assert_eq!(feed.header("cache-control"), "no-cache");
    }
}

#[tokio::test]
async fn what_changed_since_stands_beside() {
    let client = with_an_issue().await;
    let changes = client.get("/digest/2026-W48/changes.json").await.json();
    assert_eq!(
        (&changes["id"], &changes["changes"]),
        (&"2026-W48".into(), &Value::Array(Vec::new()))
    );
    let feed = feed_named(&client.store, "one-example").await;
    let known = client.store.known_entries(feed.id).await.unwrap();
    let id = known
        .iter()
        .find(|entry| entry.source_id.ends_with("/101"))
        .unwrap()
        .id;
    let mut edited = draft(101);
    edited.title = Some("Another title".to_owned());
    let then = at(NOW) + TimeDelta::days(8);
    let record = store::PollRecord {
        changed: vec![store::ChangedEntry {
            id,
            draft: edited,
            substantial: true,
            shown: true,
        }],
        ..crate::testing::poll(&feed, then)
    };
    client.store.record_polls(&[record]).await.unwrap();
    client.clock.set(then + TimeDelta::minutes(1));
    let changes = client.get("/digest/2026-W48/changes.json").await.json();
    let first = &changes["changes"][0];
    assert_eq!(first["title"]["old"], "Post number 101");
    assert_eq!(first["title"]["new"], "Another title");
    assert_eq!((&first["url"], &first["summary"]), (&Value::Null, &Value::Null));
    let closed = client.get("/digest/2026-W48.md").await;
    assert!(closed.text().contains("Post number 101") && !closed.text().contains("Another title"));
}

#[tokio::test]
async fn what_is_withdrawn_is_in_nothing_that_is_given_out() {
    let client = with_an_issue().await;
    let hash = client.get("/digest/2026-W48.json").await.json()["hash"].clone();
    let decision = store::Decision {
        by: "author",
        why: None,
        at: at(CLOSED_AT) + TimeDelta::hours(1),
    };
    let keys = ["0000f101"];
    client
        .store
        .withdraw_entries(&keys, store::Cause::Author, &decision)
        .await
        .unwrap();
    client.clock.set(at(CLOSED_AT) + TimeDelta::hours(2));
    // Whatever is asked for first.
    let old = client.get("/digest/2026-W48/r1.md").await;
    assert_eq!(old.status, StatusCode::GONE);
    assert!(old.text().contains("/digest/2026-W48.md"));
    let json = client.get("/digest/2026-W48.json").await.json();
    assert_eq!(
        (&json["revision"], &json["counts"]["entries"]),
        (&Value::from(2), &Value::from(2))
    );
    let correction = &json["corrections"][0];
    assert_eq!(correction["revision"], 2);
    assert_eq!(correction["entry"], "tag:voice.example.org,2026:0000f101");
    assert_eq!(correction["previous_hash"], hash);
    for path in [
        "/digest/2026-W48",
        "/digest/2026-W48.json",
        "/digest/2026-W48.md",
        "/digest/2026-W48.html",
        "/digest/2026-W48.txt",
        "/digest/2026-W48.csv",
        "/digest/2026-W48/r2.json",
        "/digest/2026-W48/changes.json",
        "/digest/latest.json",
        "/digest/2026-W48..2026-W48.md",
        "/digest/feed.atom",
        "/digest/feed.rss",
        "/digest/feed.json",
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(!answer.text().contains("post number 101"), "{path}");
        assert!(!answer.text().contains("Post number 101"), "{path}");
    }
    let page = client.get("/digest/2026-W48").await;
    assert!(
        page.text()
            .contains("(revision 2): a post was withdrawn after the issue closed")
    );
    assert!(client.get("/digest").await.text().contains("(corrected)"));
}

#[tokio::test]
async fn who_leaves_is_named_no_more() {
    let client = with_an_issue().await;
    let json = client.get("/digest/2026-W48.json").await.json();
    assert_eq!(json["not_heard"][0]["slug"], "two");
    assert!(json["new_members"].to_string().contains("\"two\""));
    let decision = store::Decision {
        by: "author",
        why: None,
        at: at(CLOSED_AT) + TimeDelta::hours(1),
    };
    let left = client
        .store
        .withdraw_member("two", store::Cause::Left, &decision)
        .await
        .unwrap();
    assert!(left.is_some());
    client.clock.set(at(CLOSED_AT) + TimeDelta::hours(2));
    let json = client.get("/digest/2026-W48.json").await.json();
    assert_eq!(json["revision"], 2);
    assert!(!json.to_string().contains("\"two\""), "{json}");
    assert_eq!(
        client.get("/digest/2026-W48/r1.json").await.status,
        StatusCode::GONE
    );
    client.clock.set(at(CLOSED_AT) + TimeDelta::hours(3));
    assert_eq!(client.get("/digest/2026-W48.json").await.json()["revision"], 2);
}

async fn edit(client: &Client, cookie: &str, body: &'static str) -> crate::testing::Answer {
    client
        .submit("/admin/digest/2026-W48", body, &[("cookie", cookie)])
        .await
}

#[tokio::test]
async fn an_editors_hand_is_private_until_published_and_follows_revisions() {
    let client = with_an_issue().await;
    let signed_in = client.submit("/admin/sign-in", "token=editors-token", &[]).await;
    let cookie = signed_in
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let untouched = client.get("/digest/2026-W48.json").await;
    let form = client
        .send("GET", "/admin/digest/2026-W48", &[("cookie", &cookie)])
        .await;
    assert!(form.text().contains("name=\"pin-0000f101\"") && form.text().contains("Post number 102"));
    // What there is to choose by.
    for words in ["The first words of post number 102", "Democracy (councillors)"] {
        assert!(form.text().contains(words), "{words}");
    }

    let mistaken = edit(
        &client,
        &cookie,
        "place-0000f101=first&link-0=javascript:alert(1)&do=save",
    )
    .await;
    assert_eq!(mistaken.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["#place-0000f101", "#link-0", "#link-title-0"] {
        assert!(mistaken.text().contains(field), "{field}");
    }
    // As much is sent of a week of two thousand posts.
    let much = "&note-00000000=words".repeat(20_000);
    let body = "number=7&introduction=Dear+%3Ceditors%3E&pin-0000f102=yes&note-0000f102=Read+it&out-000000fh=An+advertisement&\
         note-0000f101=Their+secret&link-0=https%3A%2F%2Felsewhere.example%2F&link-title-0=A+report&do=save";
    let saved = edit(&client, &cookie, format!("{body}{much}").leak()).await;
    assert_eq!(saved.header("location"), "/admin/digest/2026-W48?done=saved");
    assert_eq!(
        client.get("/digest/2026-W48.json?edited=1").await.status,
        StatusCode::NOT_FOUND
    );
    // Another editor, who did not see what was saved, does not undo it.
    let stale = edit(&client, &cookie, "number=8&do=publish").await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(stale.text().contains("Somebody else saved this week"));

    let week = week("2026-W48");
    let stored = client.store.edition(week).await.unwrap().unwrap();
    let decision = store::Decision {
        by: "ed",
        why: None,
        at: at(CLOSED_AT) + TimeDelta::minutes(9),
    };
    let seen = Some(stored.changed_at);
    let publish = store::Publish::Now;
    assert!(
        client
            .store
            .save_edition(week, &stored.draft, seen, publish, &decision)
            .await
            .unwrap()
    );
    client.clock.set(at(CLOSED_AT) + TimeDelta::minutes(10));
    let edited = client.get("/digest/2026-W48.json?edited=1").await;
    let document = edited.json();
    assert_eq!(document["entries"][0]["key"], "0000f102");
    assert_eq!(document["edition"]["number"], "7");
    assert_eq!(document["edition"]["left_out"][0]["reason"], "An advertisement");
    assert_ne!(edited.header("etag"), untouched.header("etag"));
    let still = client.get("/digest/2026-W48.json").await;
    assert_eq!(
        (&still.body, still.header("etag")),
        (&untouched.body, untouched.header("etag"))
    );
    for kind in ["", ".md", ".html"] {
        let answer = client.get(&format!("/digest/2026-W48{kind}?edited=1")).await;
        assert_eq!(answer.header("cache-control"), "no-cache");
        let text = answer.text();
        assert!(
            text.contains("An advertisement") && text.contains("Read it") && text.contains("A report"),
            "{text}"
        );
        assert!(!text.contains("<editors>"), "{text}");
    }
    assert!(client.get("/digest/2026-W48").await.text().contains("?edited=1"));
    assert_eq!(
        client.get("/digest/2026-W48.json?edited=yes").await.status,
        StatusCode::BAD_REQUEST
    );

    let keys = ["0000f101"];
    let decision = store::Decision {
        at: at(CLOSED_AT) + TimeDelta::hours(1),
        ..decision
    };
    client
        .store
        .withdraw_entries(&keys, store::Cause::Author, &decision)
        .await
        .unwrap();
    let after = client.get("/digest/2026-W48.md?edited=1").await;
    assert!(!after.text().contains("number 101") && !after.text().contains("Their secret"));
    assert!(after.text().contains("one post was withdrawn"));
}
