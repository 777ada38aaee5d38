//! What those see who watch the Voice: whether it is ready, its metrics, how feeds fare, and what was asked of whom.

use axum::http::StatusCode;
use chrono::TimeDelta;
use model::{HubTopic, PollOutcome, Why};
use std::time::Duration;
use store::{HostRequest, HubNews, Intent, NewSubscription, PollRecord};

use crate::testing::{Client, NOW, at};

#[tokio::test]
async fn ready_while_polls_are_recent() {
    let client = Client::new().await;
    assert_eq!(client.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(client.get("/readyz").await.status, StatusCode::OK);
    client.clock.set(at(NOW) + TimeDelta::hours(2));
    assert_eq!(
        client.get("/readyz").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(client.get("/healthz").await.status, StatusCode::OK);
    let nothing_to_poll = Client::of(store::Store::open("sqlite::memory:").await.unwrap());
    nothing_to_poll.clock.set(at(NOW) + TimeDelta::hours(2));
    assert_eq!(nothing_to_poll.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn metrics_tell_of_polls_entries_and_requests() {
    let client = Client::new().await;
    client.get("/").await;
    client.get("/topics/democracy").await;
    client.get("/topics/no-such-topic").await;
    client.get("/nowhere/at/all").await;
    let metrics = client.get("/metrics").await;
    assert_eq!(metrics.status, StatusCode::OK);
    assert_eq!(
        metrics.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(metrics.header("cache-control"), "no-store");
    let vitals = client.store.vitals((client.app.due)(at(NOW))).await.unwrap();
    for line in [
        "voice_up 1".to_owned(),
        format!("voice_entries {}", vitals.entries),
        format!("voice_members {}", vitals.members),
        "voice_feeds{status=\"gone\"} 0".to_owned(),
        format!(
            "voice_polls_total{{outcome=\"changed\"}} {}",
            client.store.recorded().polls[2]
        ),
        "voice_http_request_duration_seconds_count{route=\"/topics/{slug}\",status=\"200\"} 1".to_owned(),
        "voice_http_request_duration_seconds_count{route=\"/topics/{slug}\",status=\"404\"} 1".to_owned(),
        "voice_http_request_duration_seconds_count{route=\"none\",status=\"404\"} 1".to_owned(),
    ] {
        assert!(
            metrics.text().lines().any(|other| other == line),
            "{line}\n{}",
            metrics.text()
        );
    }
    // Every sample has its type, and no sample stands twice.
    let mut seen = std::collections::HashSet::new();
    for line in metrics.text().lines().filter(|line| !line.starts_with('#')) {
        let (sample, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(seen.insert(sample.to_owned()), "{line} stands twice");
        let name = sample.split('{').next().unwrap();
        let stems = ["", "_bucket", "_sum", "_count"].map(|end| name.strip_suffix(end).unwrap_or(name));
        assert!(
            stems
                .iter()
                .any(|stem| metrics.text().contains(&format!("# TYPE {stem} "))),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_fetcher_answers_nobody_but_those_who_watch_it() {
    let mut app = Client::new().await.app;
    app.serves_readers = false;
    let client = Client::with(app);
    for path in ["/healthz", "/metrics"] {
        assert_eq!(client.get(path).await.status, StatusCode::OK, "{path}");
    }
    for path in ["/", "/feed.atom", "/entries.json", "/readyz"] {
        assert_eq!(client.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_members_page_tells_how_the_feed_fares() {
    let client = Client::new().await;
    let page = client.get("/members/one-example").await;
    for words in [
        "<strong>healthy</strong>: We read this feed without trouble, last on 23 November 2026",
        "We ask again from <time datetime=\"2026-11-23T10:00:00Z\">",
        "because that suits how often this blog writes",
        "Of our last 1 polls, 0 were answered with “not modified”",
        "30 new and 0 changed",
    ] {
        assert!(page.text().contains(words), "{words}\n{}", page.text());
    }
    // What the next poll brings shows at once, though readers see no other post.
    let feed = client.store.feeds().await.unwrap().remove(0);
    let later = at(NOW) + TimeDelta::minutes(30);
    let mut failed = crate::testing::poll(&feed, later);
    failed.outcome = PollOutcome::Failed;
    failed.error = Some("the certificate of one.example has <expired>".to_owned());
    failed.state.failures = 1;
    failed.state.failing_since = Some(later);
    failed.state.next_poll_why = Why::BackOff;
    client.store.record_polls(&[failed]).await.unwrap();
    client.clock.set(later + TimeDelta::minutes(1));
    let since = page.header("last-modified");
    let again = client
        .send("GET", "/members/one-example", &[("if-modified-since", since)])
        .await;
    assert_eq!(again.status, StatusCode::OK);
    for words in [
        "<strong>failing</strong>: Failing since 23 November 2026",
        "has &#60;expired&#62;",
        "we wait longer after each failure in a row",
    ] {
        assert!(again.text().contains(words), "{words}\n{}", again.text());
    }
}

#[tokio::test]
async fn fetching_tells_each_host_what_was_asked_of_it() {
    let client = Client::new().await;
    let feed = client.store.feeds().await.unwrap().remove(0);
    let mut poll = crate::testing::poll(&feed, at(NOW));
    poll.requests = vec![
        HostRequest {
            host: "one.example".to_owned(),
            not_modified: true,
            bytes: 0,
        },
        HostRequest {
            host: "<cdn>.example".to_owned(),
            not_modified: false,
            bytes: 1_234_567,
        },
    ];
    client.store.record_polls(&[poll]).await.unwrap();
    let page = client.get("/fetching").await;
    for row in [
        "<th scope=\"row\">one.example</th><td>1</td><td>2</td><td>1</td><td>1.0 kB</td><td><time",
        "<th scope=\"row\">two.example</th><td>1</td><td>1</td><td>0</td><td>1.0 kB</td><td><time",
        "<th scope=\"row\">&#60;cdn&#62;.example</th><td>0</td><td>1</td><td>0</td><td>1.2 MB</td><td>not planned</td>",
    ] {
        assert!(page.text().contains(row), "{row}\n{}", page.text());
    }
    assert!(page.text().contains("answer 410"), "how to opt out");
    // A month later it is of no interest any more.
    client.clock.set(at(NOW) + TimeDelta::days(40));
    assert!(client.get("/fetching").await.text().contains("asked nobody"));
}

#[tokio::test]
async fn a_members_page_tells_of_the_hub() {
    let client = Client::new().await;
    let feed = client.store.feeds().await.unwrap().remove(0);
    let target = HubTopic {
        hub: "https://hub.example/".parse().unwrap(),
        topic: feed.url.clone(),
    };
    let named = PollRecord {
        hub: HubNews::Named(target.clone()),
        ..crate::testing::poll(&feed, at(NOW))
    };
    client.store.record_polls(&[named]).await.unwrap();
    let says = async |words: &str| {
        let page = client.get("/members/one-example").await;
        let text = page.text();
        assert!(
            text.contains("The feed names the hub https://hub.example/") && text.contains(words),
            "{words}\n{text}"
        );
    };
    says("at which we have not subscribed").await;
    let wish = NewSubscription {
        feed_id: feed.id,
        target: target.clone(),
        token: "token".to_owned(),
        secret: "secret".to_owned(),
    };
    client
        .store
        .add_subscriptions(&[wish], "https://voice.example.org", at(NOW))
        .await
        .unwrap();
    says("it has not confirmed yet").await;
    let next = at(NOW) + TimeDelta::hours(1);
    let asked = client
        .store
        .take_hub_requests("https://voice.example.org", at(NOW), next)
        .await
        .unwrap();
    assert_eq!(asked.len(), 1);
    client
        .store
        .settle_hub_request("token", at(NOW), next, Some("it answers 500"), &[])
        .await
        .unwrap();
    says("does not tell us of new posts: it answers 500").await;
    client
        .store
        .take_hub_requests("https://voice.example.org", next, next + TimeDelta::hours(1))
        .await
        .unwrap();
    let intent = Intent::Subscribe(Duration::from_hours(72));
    let confirmed = client
        .store
        .confirm_subscription("token", target.topic.as_str(), intent, next)
        .await;
    assert!(confirmed.unwrap());
    says("tells us of new posts at once; we have subscribed until 26 November 2026").await;
}
