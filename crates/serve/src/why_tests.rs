//! `/why` and `/entries/{key}/report`, as those who ask see them.

use axum::http::StatusCode;
use chrono::TimeDelta;
use model::{FeedSpec, FeedStatus, IncludeChoice};
use store::{Cause, Decision, NewEntry, PollRecord, Registration};

use crate::testing::{Client, NOW, at, draft, poll, record};

async fn feed(client: &Client, slug: &str) -> model::Feed {
    let feeds = client.store.feeds().await.unwrap();
    feeds.into_iter().find(|feed| feed.slug == slug).unwrap()
}

fn decision(why: Option<&str>) -> Decision<'_> {
    Decision {
        by: "mo",
        why,
        at: at(NOW),
    }
}

/// What is answered in a word, and the words on the page.
async fn ask(client: &Client, url: &str) -> (String, String) {
    let query: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
    let json = client.get(&format!("/why.json?url={query}")).await;
    assert_eq!(json.status, StatusCode::OK, "{url}: {}", json.text());
    let page = client.get(&format!("/why?url={query}")).await;
    assert_eq!(page.status, StatusCode::OK, "{url}");
    (
        json.json()["answer"].as_str().unwrap().to_owned(),
        page.text().to_owned(),
    )
}

async fn is(client: &Client, url: &str, word: &str, words: &[&str]) {
    let (answer, page) = ask(client, url).await;
    assert_eq!(answer, word, "{url}");
    for words in words {
        assert!(page.contains(words), "{url}: {words}: {page}");
    }
}

#[tokio::test]
async fn every_reason_is_told() {
    let client = Client::new().await;
    let store = &client.store;
    is(
        &client,
        "https://one.example/posts/1",
        "shown",
        &[
            "It has been here since 22 November 2026",
            "/entries/000000f1",
            "/members/one-example",
        ],
    )
    .await;
    is(
        &client,
        "http://www.one.example/posts/1/?utm_source=x#more",
        "shown",
        &["Post number 1"],
    )
    .await;
    is(
        &client,
        "https://voice.example.org/entries/000000f1",
        "shown",
        &["Post number 1"],
    )
    .await;
    is(&client, "one.example/posts/1", "shown", &["Post number 1"]).await;
    is(&client, "https://nobody.example/a", "nobody", &["/register"]).await;
    is(
        &client,
        "https://one.example/2001/02/03/old",
        "older",
        &["older than anything that the feed of One Example held"],
    )
    .await;
    is(
        &client,
        "https://one.example/posts/99",
        "not_in_the_feed",
        &["on 23 November 2026, 09:00 GMT, there was no post with this address in it"],
    )
    .await;

    is(
        &client,
        "one.example",
        "not_in_the_feed",
        &["This is a blog, not a post"],
    )
    .await;

    // Dated in the future.
    let mut future = draft(40);
    future.published = Some(at(NOW) + TimeDelta::days(30));
    record(store, "one-example", at(NOW), vec![(future, at(NOW))]).await;
    is(
        &client,
        "https://one.example/posts/40",
        "dated_in_the_future",
        &["dates it in the future, on 23 December 2026"],
    )
    .await;

    // The same as another post.
    let mut copy = draft(1);
    copy.fingerprint = "copy".to_owned();
    record(store, "two", at(NOW), vec![(copy, at(NOW))]).await;
    is(
        &client,
        "https://one.example/posts/1",
        "shown",
        &["Post number 1"],
    )
    .await;

    // Left out of a mixed blog.
    let mut mixed = FeedSpec::new("https://mixed.example/feed".parse().unwrap(), "Mixed");
    mixed.include = Some(IncludeChoice::Tagged);
    store
        .import_feeds(&[mixed], at(NOW), chrono_tz::UTC)
        .await
        .unwrap();
    let mut cooking = draft(50);
    cooking.link = Some("https://mixed.example/cooking".to_owned());
    cooking.link_key = Some("mixed.example/cooking".to_owned());
    let left_out = NewEntry {
        key: "cookingx".to_owned(),
        id_prefix: "tag:voice.example.org,2026:".to_owned(),
        draft: cooking,
        published_at: at(NOW),
        updated_at: at(NOW),
        released_at: at(NOW),
        undated_back_catalogue: false,
        shown: false,
    };
    let polled = PollRecord {
        new: vec![left_out],
        ..poll(&feed(&client, "mixed").await, at(NOW))
    };
    assert!(store.record_polls(&[polled]).await.unwrap()[0].accepted);
    is(
        &client,
        "https://mixed.example/cooking",
        "left_out",
        &["#localgovdigital", "Democracy, Notices and Skills"],
    )
    .await;

    // Withdrawn, hidden, deleted.
    for (key, number, cause, why, word, words) in [
        (
            "000000f2",
            2,
            Cause::Author,
            None,
            "withdrawn",
            "Its author took it back",
        ),
        (
            "000000f3",
            3,
            Cause::Moderator,
            Some("It names <b>a child</b>."),
            "hidden",
            "It names &#60;b&#62;a child",
        ),
        (
            "000000f4",
            4,
            Cause::Source,
            None,
            "deleted",
            "deleted at the source",
        ),
    ] {
        store
            .withdraw_entries(&[key], cause, &decision(why))
            .await
            .unwrap();
        is(
            &client,
            &format!("https://one.example/posts/{number}"),
            word,
            &[words],
        )
        .await;
        is(
            &client,
            &format!("https://voice.example.org/entries/{key}"),
            "withdrawn",
            &["none of its text is kept"],
        )
        .await;
    }

    // The feed itself: held, failing, paused, gone, let go, waiting, not taken on.
    for (word, words) in [
        ("held", "perhaps the domain has a new owner"),
        ("failing", "since then we cannot"),
    ] {
        let mut polled = poll(&feed(&client, "one-example").await, at(NOW));
        if word == "held" {
            polled.state.held = Some("perhaps the domain has a new owner".to_owned());
        } else {
            polled.state.held = None;
            polled.outcome = model::PollOutcome::Failed;
            polled.state.failing_since = Some(at(NOW));
        }
        store.record_polls(&[polled]).await.unwrap();
        is(&client, "https://one.example/posts/99", word, &[words]).await;
    }
    store
        .pause_feed("one-example", &decision(Some("A rest.")))
        .await
        .unwrap();
    is(
        &client,
        "https://one.example/posts/99",
        "paused",
        &["The reason: A rest."],
    )
    .await;
    store.resume_feed("one-example", &decision(None)).await.unwrap();
    let mut gone = poll(&feed(&client, "one-example").await, at(NOW));
    gone.state.status = FeedStatus::Gone;
    store.record_polls(&[gone]).await.unwrap();
    is(
        &client,
        "https://one.example/posts/99",
        "gone",
        &["gone for good (410)"],
    )
    .await;
    store.remove_feed("one-example", &decision(None)).await.unwrap();
    is(
        &client,
        "https://one.example/posts/99",
        "left",
        &["has left the Voice"],
    )
    .await;
    let registration = Registration {
        feed: FeedSpec::new("https://three.example/feed".parse().unwrap(), "Three"),
        preview: None,
        consented_at: None,
    };
    store
        .register(&registration, at(NOW), chrono_tz::UTC)
        .await
        .unwrap();
    is(
        &client,
        "https://three.example/a",
        "waiting",
        &["waits for a moderator’s approval"],
    )
    .await;
    store
        .reject_feed("three", &decision(Some("Adverts.")))
        .await
        .unwrap();
    is(
        &client,
        "https://three.example/a",
        "not_taken_on",
        &["did not take on the blog"],
    )
    .await;
    let (_, page) = ask(&client, "https://three.example/a").await;
    assert!(!page.contains("Adverts"), "the reason is for the blogger");
}

#[tokio::test]
async fn what_is_no_address_is_a_mistake() {
    let client = Client::new().await;
    let empty = client.get("/why").await;
    assert_eq!(empty.status, StatusCode::OK);
    for bad in ["a+post", "javascript:alert(1)", "ftp://example.org/"] {
        let page = client.get(&format!("/why?url={bad}")).await;
        assert!(
            page.text().contains("There is a problem") && page.text().contains("<title>Error: "),
            "{bad}"
        );
        assert_eq!(
            client.get(&format!("/why.json?url={bad}")).await.status,
            StatusCode::BAD_REQUEST
        );
    }
}

#[tokio::test]
async fn anybody_reports_a_post_once() {
    let client = Client::new().await;
    let path = "/entries/000000f1/report";
    assert!(client.get("/entries/000000f1").await.text().contains(path));
    let page = client.get(path).await;
    assert_eq!(
        (page.status, page.header("cache-control")),
        (StatusCode::OK, "no-store")
    );
    for (body, words) in [
        ("reason=&email=", "Enter what is wrong"),
        ("reason=x&email=nobody", "Enter an e-mail address like"),
    ] {
        let answer = client.submit(path, body, &[]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text().contains(words), "{body}");
    }
    let body = "reason=It+names+%3Cscript%3E&email=reader%40example.org";
    let sent = client.submit(path, body, &[]).await;
    let again = client.submit(path, body, &[]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    assert_eq!(sent.header("location"), again.header("location"));
    assert_eq!(client.store.open_reports().await.unwrap(), 1);
    let done = client.get(sent.header("location")).await;
    assert!(
        done.text().contains("within a month") && !done.text().contains("reader@"),
        "{}",
        done.text()
    );
    assert!(client.get("/metrics").await.text().contains("reports_open 1"));

    assert_eq!(
        client.get("/entries/nobodyhas/report").await.status,
        StatusCode::NOT_FOUND
    );
    client
        .store
        .withdraw_entries(&["000000f2"], Cause::Author, &decision(None))
        .await
        .unwrap();
    assert_eq!(
        client.get("/entries/000000f2/report").await.status,
        StatusCode::GONE
    );
    assert_eq!(
        client
            .submit("/entries/000000f2/report", "reason=x", &[])
            .await
            .status,
        StatusCode::GONE
    );
    // Another site cannot report in a reader's name.
    let forged = client
        .submit(path, "reason=y", &[("sec-fetch-site", "cross-site")])
        .await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
}
