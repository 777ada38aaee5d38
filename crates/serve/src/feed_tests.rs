//! Feeds and their archives as readers, hubs and browsers meet them.

use std::sync::Arc;

use axum::http::{Request, StatusCode};
use chrono::TimeDelta;
use model::Site;

use crate::testing::{Client, NOW, at, draft, record, site};

#[tokio::test]
async fn a_members_archive_is_walked_back_from_the_feed() {
    let client = Client::new().await;
    let now = at(NOW);
    let posts = (100..200).map(|number| (draft(number), now - TimeDelta::minutes(i64::from(number))));
    record(&client.store, "one-example", now, posts.collect()).await;
    client.clock.set(now + TimeDelta::seconds(1));
    let mut path = "/members/one-example/feed.json".to_owned();
    let (mut ids, mut pages) = (Vec::new(), Vec::new());
    loop {
        let page = client.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text());
        pages.push(path);
        let page = page.json();
        let items = page["items"].as_array().unwrap();
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_url"].as_str() else {
            break;
        };
        path = next.strip_prefix("https://voice.example.org").unwrap().to_owned();
    }
    assert_eq!(
        pages,
        [
            "/members/one-example/feed.json",
            "/members/one-example/archive/2.json",
            "/members/one-example/archive/1.json"
        ]
    );
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 130);
    let first = client.get("/members/one-example/archive/1.atom").await;
    for link in [
        "<id>https://voice.example.org/members/one-example/feed.atom</id>",
        "rel=\"self\" type=\"application/atom+xml\" href=\"https://voice.example.org/members/one-example/archive/1.atom\"",
        "rel=\"next-archive\" type=\"application/atom+xml\" href=\"https://voice.example.org/members/one-example/archive/2.atom\"",
        "rel=\"current\" type=\"application/atom+xml\" href=\"https://voice.example.org/members/one-example/feed.atom\"",
    ] {
        assert!(first.text().contains(link), "{link}");
    }
    assert!(!first.text().contains("prev-archive"));
    for path in [
        "/members/one-example/archive/3.atom",
        "/members/one-example/archive/0.atom",
        "/members/one-example/archive/01.atom",
        "/members/nobody/archive/1.atom",
        "/members/two/archive/1.xml",
    ] {
        assert_eq!(client.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_hub_is_named_in_the_header_whatever_the_format() {
    let client = Client::new().await;
    assert!(!client.get("/feed.json").await.headers.contains_key("link"));
    client
        .site
        .send(Arc::new(Site {
            hub: Some("https://hub.example.org/".parse().unwrap()),
            ..site()
        }))
        .unwrap();
    for path in [
        "/feed.json",
        "/topics/democracy/feed.rss",
        "/search/feed.atom?q=councillors",
    ] {
        assert_eq!(
            client.get(path).await.header("link"),
            format!(
                "<https://hub.example.org/>; rel=\"hub\", <https://voice.example.org{path}>; rel=\"self\""
            )
        );
    }
    assert!(!client.get("/").await.headers.contains_key("link"));
}

#[tokio::test]
async fn a_browser_gets_the_same_feed_as_xml_with_a_stylesheet() {
    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
    let client = Client::new().await;
    for path in ["/feed.atom", "/members/two/feed.rss"] {
        let reader = client.get(path).await;
        assert_eq!(reader.header("vary"), "accept-encoding, accept");
        let browser = client.send("GET", path, &[("accept", BROWSER)]).await;
        assert_eq!(browser.header("content-type"), "application/xml; charset=utf-8");
        assert_eq!(browser.body, reader.body);
        let tag = browser.header("etag");
        assert_ne!(tag, reader.header("etag"));
        let again = client
            .send("GET", path, &[("accept", BROWSER), ("if-none-match", tag)])
            .await;
        assert_eq!(
            (again.status, again.header("etag")),
            (StatusCode::NOT_MODIFIED, tag)
        );
        let style = reader
            .text()
            .split("<?xml-stylesheet type=\"text/css\" href=\"")
            .nth(1)
            .unwrap();
        let style = style.split('"').next().unwrap();
        let style = client
            .get(style.strip_prefix("https://voice.example.org").unwrap())
            .await;
        assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    }
}

#[tokio::test]
async fn a_search_that_finds_nothing_says_what_may_help() {
    let client = Client::new().await;
    let found = client
        .get("/search?q=councillors+topic:democracy+member:one-example")
        .await;
    assert!(
        found.text().contains("<mark>councillors</mark>."),
        "{}",
        found.text()
    );
    for (query, helps) in [
        (
            "councillors+topic:none",
            "There is no topic “none”. <a href=\"/topics\">",
        ),
        (
            "councillors+member:nobody",
            "There is no member “nobody”. <a href=\"/members\">",
        ),
        (
            "councillors+before:2001",
            "Without what narrows it: <a href=\"/search?q=councillors\">councillors</a>",
        ),
        ("councillors+zebras", "<a href=\"/search?q=zebras\">zebras</a>"),
        ("before:yesterday", "before:yesterday names no day"),
    ] {
        let page = client.get(&format!("/search?q={query}")).await;
        assert!(
            page.text().contains("No post was found for"),
            "{query}: {}",
            page.text()
        );
        assert!(page.text().contains(helps), "{query}: {}", page.text());
    }
    let feed = client
        .get("/search/feed.json?q=topic:democracy+after:2026-11-21")
        .await;
    assert_eq!(feed.json()["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_was_sent_is_sent_again_as_it_was() {
    const BROWSER: &str = "text/html,*/*;q=0.8";
    let client = Client::new().await;
    // The site is as it is from its first request on.
    client.get("/").await;
    client.clock.set(at(NOW) + TimeDelta::seconds(5));
    let again = |path: &str, headers: &[(&str, &str)]| {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        client.state.again(&request.body(()).unwrap()).is_some()
    };
    let tag = client.get("/feed.atom").await.header("etag").to_owned();
    let tag = tag.as_str();
    for (path, headers) in [
        ("/feed.atom", &[][..]),
        ("/feed.atom", &[("accept-encoding", "gzip")]),
        ("/feed.atom", &[("accept-encoding", "br"), ("accept", BROWSER)]),
        ("/feed.atom", &[("if-none-match", tag)]),
        ("/feed.atom", &[("if-none-match", tag), ("accept", BROWSER)]),
        ("/topics/democracy", &[]),
        ("/search/feed.json?q=councillors", &[]),
    ] {
        let mut first = client.send("GET", path, headers).await;
        assert!(again(path, headers), "{path} {headers:?}");
        let second = client.send("GET", path, headers).await;
        assert_eq!(first.status, second.status, "{path} {headers:?}");
        // The connection counts the bytes of what does not come through the router.
        first.headers.remove("content-length");
        assert_eq!(first.headers, second.headers, "{path} {headers:?}");
        assert!(first.body == second.body, "{path} {headers:?}");
    }
    // What polls change without a revision is made each time, and so is what nobody asked for before.
    client.get("/members/two").await;
    assert!(!again("/members/two", &[]) && !again("/feed.rss", &[]));
    assert!(!again("/feed.atom", &[("accept-encoding", "zstd")]));
    client.site.send(Arc::new(site())).unwrap();
    assert!(!again("/feed.atom", &[]));
    client.get("/feed.atom").await;
    client.get("/feed.atom").await;
    client.clock.set(at(NOW) + TimeDelta::seconds(6));
    assert!(!again("/feed.atom", &[]), "the revision is to be looked up again");
}
