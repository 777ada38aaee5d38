//! The routes as a client sees them, from the request to the bytes.

use std::io::Read;

use axum::http::StatusCode;
use chrono::TimeDelta;
use model::Site;
use serde_json::Value;
use std::sync::Arc;

use crate::fixed::style_path;
use crate::testing::{Answer, Client, NOW, at, draft, record, site};

const HTML: &str = "text/html; charset=utf-8";

/// Every address that answers 200, with its media type.
pub(crate) const ROUTES: [(&str, &str); 52] = [
    ("/", HTML),
    ("/topics", HTML),
    ("/topics/democracy", HTML),
    ("/topics/skills", HTML),
    ("/members", HTML),
    ("/members/one-example", HTML),
    ("/members/two", HTML),
    ("/hashtags/localgovdigital", HTML),
    ("/hashtags/ukgovcamp", HTML),
    ("/entries/000000f1", HTML),
    ("/entries/000000fh", HTML),
    ("/search", HTML),
    ("/search?q=councillors", HTML),
    ("/digest", HTML),
    ("/digest/2026-W47", HTML),
    ("/digest/2026-W47?max_per_member=1", HTML),
    ("/digest/2026-W47?layout=links&topic=democracy", HTML),
    ("/about", HTML),
    ("/feeds", HTML),
    ("/privacy", HTML),
    ("/accessibility", HTML),
    ("/fetching", HTML),
    ("/feed.atom", "application/atom+xml; charset=utf-8"),
    ("/feed.rss", "application/rss+xml; charset=utf-8"),
    ("/feed.json", "application/feed+json"),
    (
        "/topics/democracy/feed.atom",
        "application/atom+xml; charset=utf-8",
    ),
    ("/topics/democracy/feed.rss", "application/rss+xml; charset=utf-8"),
    ("/topics/democracy/feed.json", "application/feed+json"),
    (
        "/members/one-example/feed.atom",
        "application/atom+xml; charset=utf-8",
    ),
    (
        "/members/one-example/feed.rss",
        "application/rss+xml; charset=utf-8",
    ),
    ("/members/one-example/feed.json", "application/feed+json"),
    (
        "/hashtags/ukgovcamp/feed.atom",
        "application/atom+xml; charset=utf-8",
    ),
    (
        "/hashtags/ukgovcamp/feed.rss",
        "application/rss+xml; charset=utf-8",
    ),
    ("/hashtags/ukgovcamp/feed.json", "application/feed+json"),
    (
        "/search/feed.atom?q=councillors",
        "application/atom+xml; charset=utf-8",
    ),
    ("/search/feed.json?q=councillors", "application/feed+json"),
    ("/archive/1.atom", "application/atom+xml; charset=utf-8"),
    ("/archive/1.rss", "application/rss+xml; charset=utf-8"),
    ("/archive/1.json", "application/feed+json"),
    ("/entries.json", "application/json"),
    ("/opml", "text/x-opml; charset=utf-8"),
    ("/topics/democracy/opml", "text/x-opml; charset=utf-8"),
    ("/digest/2026-W47.json", "application/json"),
    ("/digest/2026-W47.md", "text/markdown; charset=utf-8"),
    ("/digest/2026-W47.html", HTML),
    ("/digest/2026-W47.txt", "text/plain; charset=utf-8"),
    ("/digest/2026-W47.csv", "text/csv; charset=utf-8"),
    ("/schemas/digest-1.json", "application/schema+json"),
    ("/schemas/entries-1.json", "application/schema+json"),
    ("/openapi.json", "application/json"),
    ("/robots.txt", "text/plain; charset=utf-8"),
    ("/favicon.svg", "image/svg+xml"),
];

pub(crate) fn is_page((path, media): &(&'static str, &str)) -> Option<&'static str> {
    (*media == HTML && *path != "/digest/2026-W47.html").then_some(*path)
}

#[tokio::test]
async fn every_route_answers_alike() {
    let client = Client::new().await;
    for (path, media) in ROUTES {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), media, "{path}");
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'none'; "),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        let vary = if media.contains("+xml;") {
            "accept-encoding, accept"
        } else {
            "accept-encoding"
        };
        assert_eq!(answer.header("vary"), vary, "{path}");
        assert!(!answer.headers.contains_key("set-cookie"), "{path}");
        let open = !matches!(path, "/robots.txt" | "/favicon.svg") && is_page(&(path, media)).is_none();
        assert_eq!(
            answer.headers.contains_key("access-control-allow-origin"),
            open,
            "{path}"
        );
        let wanted = if path.starts_with("/digest") {
            "no-cache"
        } else {
            "public, max-age=60"
        };
        assert_eq!(answer.header("cache-control"), wanted, "{path}");

        let etag = answer.header("etag").to_owned();
        let modified = answer.header("last-modified").to_owned();
        assert!(
            etag.starts_with('"') && modified.ends_with(" GMT"),
            "{path}: {etag} {modified}"
        );
        for (name, value) in [("if-none-match", &etag), ("if-modified-since", &modified)] {
            let again = client.send("GET", path, &[(name, value)]).await;
            assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path} {name}: {value}");
            assert_eq!(
                (again.header("etag"), again.body.len()),
                (etag.as_str(), 0),
                "{path}"
            );
            assert_eq!(again.header("cache-control"), wanted, "{path}");
        }
        let head = client.send("HEAD", path, &[]).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{path}");
        assert_eq!(
            head.header("content-length"),
            answer.body.len().to_string(),
            "{path}"
        );
        assert_eq!(head.header("etag"), etag, "{path}");

        let posted = client.send("POST", path, &[]).await;
        assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(posted.header("allow"), "GET,HEAD", "{path}");
    }
}

#[tokio::test]
async fn encodings_round_trip_each_with_its_own_tag() {
    let client = Client::new().await;
    for path in [
        "/",
        "/feed.atom",
        "/entries.json",
        "/digest/2026-W47.md",
        style_path(),
    ] {
        let plain = client.get(path).await;
        let mut tags = vec![plain.header("etag").to_owned()];
        for name in ["gzip", "br", "zstd"] {
            let answer = client.send("GET", path, &[("accept-encoding", name)]).await;
            assert_eq!(answer.header("content-encoding"), name, "{path}");
            assert_eq!(decoded(name, &answer), plain.body, "{path} {name}");
            assert!(answer.body.len() < plain.body.len(), "{path} {name}");
            tags.push(answer.header("etag").to_owned());
        }
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), 4, "{path}");
        let one = client
            .send(
                "GET",
                path,
                &[("if-none-match", &tags[1]), ("accept-encoding", "br")],
            )
            .await;
        assert_eq!(one.status, StatusCode::NOT_MODIFIED, "{path}");
    }
    let style = client.get(style_path()).await;
    assert_eq!(
        style.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
}

fn decoded(encoding: &str, answer: &Answer) -> Vec<u8> {
    let mut out = Vec::new();
    let bytes = &*answer.body;
    match encoding {
        "gzip" => flate2::read::GzDecoder::new(bytes)
            .read_to_end(&mut out)
            .map(|_| ())
            .unwrap(),
        "br" => brotli::BrotliDecompress(&mut &*bytes, &mut out).unwrap(),
        _ => out = zstd::decode_all(bytes).unwrap(),
    }
    out
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_askers_format() {
    let client = Client::new().await;
    for path in [
        "/nothing",
        "/topics/",
        "/topics/none",
        "/topics/none/feed.atom",
        "/topics/none/opml",
        "/members/none",
        "/members/none/feed.rss",
        "/hashtags/none",
        "/hashtags/ukgc*",
        "/hashtags/none/feed.atom",
        "/entries/none",
        "/entries/%FF",
        "/digest/2026-W54",
        "/digest/W6",
        "/digest/2026-W48/r1.json",
        "/digest/2026-W48/changes.json",
        "/digest/2026-W49/r1.json",
        "/digest/2026-W48..2026-W47.json",
        "/digest/2026-W45..2026-W46.json",
        "/digest/2026-W49",
        "/digest/2026-W47.pdf",
        "/archive/2.atom",
        "/archive/0.json",
        "/archive/01.rss",
        "/archive/1",
        "/.well-known/security.txt",
        "/style-0.css",
        "/members/nobody/badge.svg",
    ] {
        let page = client.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        let json = client.send("GET", path, &[("accept", "application/json")]).await;
        assert_eq!(json.header("content-type"), "application/problem+json", "{path}");
        assert_eq!(json.json()["status"], 404, "{path}");
        if !path.ends_with("json") {
            assert_eq!(page.header("content-type"), HTML, "{path}");
            assert!(page.text().contains("<h1>There is nothing here</h1>"), "{path}");
        }
    }
    let program = client.get("/nothing.json").await;
    assert_eq!(program.header("content-type"), "application/problem+json");
    let posted = client.send("POST", "/entries.json", &[]).await;
    assert_eq!(posted.header("content-type"), "application/problem+json");
    assert_eq!(posted.json()["status"], 405);
    assert_eq!(
        client.send("DELETE", "/nothing", &[]).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_parameter_that_cannot_be_read_is_named() {
    let client = Client::new().await;
    for (path, name) in [
        ("/?before=x", "before"),
        ("/?after=1", "after"),
        ("/?before=1.1&after=1.1", "after"),
        ("/topics/democracy?before=", ""),
        ("/entries.json?since=yesterday", "since"),
        ("/entries.json?until=2026-13-01", "until"),
        ("/entries.json?changed_since=x", "changed_since"),
        ("/entries.json?limit=0", "limit"),
        ("/entries.json?limit=501", "limit"),
        ("/entries.json?limit=ten", "limit"),
        ("/entries.json?cursor=x", "cursor"),
        ("/entries.json?changed_since=2026-01-01&cursor=x", "cursor"),
        ("/entries.json?topic=none", "topic"),
        ("/entries.json?member=none", "member"),
        ("/entries.json?hashtag=a*", "hashtag"),
        ("/entries.json?limit=1&limit=2", "limit"),
        ("/search?q=a&page=0", "page"),
        ("/search/feed.json", "q"),
        ("/digest?day=x", "day"),
        ("/digest/2026-W47.json?max_per_member=0", "max_per_member"),
        ("/digest/2026-W47.json?max_per_member=-1", "max_per_member"),
        ("/digest/2026-W47.json?layout=wide", "layout"),
        ("/digest/2026-W47.json?topic=none", "topic"),
    ] {
        let answer = client.send("GET", path, &[("accept", "application/json")]).await;
        if name.is_empty() {
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            continue;
        }
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{path}"
        );
        assert_eq!(answer.json()["parameter"], name, "{path}");
        let page = client.get(path).await;
        assert!(page.text().contains(name), "{path}");
    }
}

#[tokio::test]
async fn the_export_gives_each_entry_once() {
    let client = Client::new().await;
    for parameters in [
        "limit=7",
        "limit=7&changed_since=2020-01-01",
        "limit=7&member=one-example",
    ] {
        let mut path = format!("/entries.json?{parameters}");
        let mut keys = Vec::new();
        loop {
            let page = client.get(&path).await.json();
            keys.extend(
                page["entries"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|entry| entry["key"].to_string()),
            );
            let Value::String(next) = &page["next"] else { break };
            path = next.strip_prefix("https://voice.example.org").unwrap().to_owned();
        }
        let count = keys.len();
        keys.sort();
        keys.dedup();
        let wanted = if parameters.contains("member") { 30 } else { 31 };
        assert_eq!((count, keys.len()), (wanted, wanted), "{parameters}");
    }
    let count = async |query: &str| {
        let page = client
            .get(&format!("/entries.json?limit=500&{query}"))
            .await
            .json();
        page["entries"].as_array().unwrap().len()
    };
    assert_eq!(count("since=2026-11-21").await, 3);
    assert_eq!(count("since=2026-11-21&until=2026-11-22").await, 1);
    assert_eq!(count("hashtag=ukgovcamp").await, 31);
    assert_eq!(
        count("hashtag=%23LocalGovDigital&topic=democracy&q=councillors").await,
        31
    );
    assert_eq!(count("changed_since=2020-01-01&topic=skills").await, 0);
    assert_eq!(count("changed_since=2020-01-01&q=councillors").await, 31);
    assert_eq!(
        count("changed_since=2020-01-01&q=councillors+member:two").await,
        1
    );
    assert_eq!(count("q=after:2026-11-21").await, 3);
    assert_eq!(
        count("changed_since=2020-01-01&since=2026-11-21&until=2026-11-22&hashtag=ukgovcamp").await,
        1
    );
}

#[tokio::test]
async fn digests_follow_the_calendar() {
    let client = Client::new().await;
    let lower = client.get("/digest/2026-w47.md?topic=democracy").await;
    assert_eq!(lower.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(lower.header("location"), "/digest/2026-W47.md?topic=democracy");
    let day = client.get("/digest?day=2026-11-22").await;
    assert_eq!(day.header("location"), "/digest/2026-W47");

    // The first good poll is on Monday of week 48, so week 47 is archive.
    let archive = client.get("/digest/2026-W47.json").await.json();
    assert_eq!(
        (&archive["id"], &archive["status"]),
        (&"2026-W47".into(), &"archive".into())
    );
    assert_eq!(archive["entries"].as_array().unwrap().len(), 7);
    assert_eq!(archive["closes_at"], Value::Null);
    let open = client.get("/digest/2026-W48.json").await.json();
    assert_eq!(
        (&open["status"], &open["closes_at"]),
        (&"open".into(), &"2026-11-30T07:00:00Z".into())
    );
    assert_eq!(open["new_members"].as_array().unwrap().len(), 2);
    assert_eq!(open["not_heard"].as_array().unwrap().len(), 0);

    let latest = client.get("/digest/latest.json").await;
    assert_eq!(latest.status, StatusCode::NOT_FOUND);
    assert_eq!(latest.json()["closes_at"], "2026-11-30T07:00:00Z");

    // A week later nobody has answered since.
    client.clock.set(at(NOW) + TimeDelta::days(7));
    let ended = client.get("/digest/2026-W48.json").await.json();
    assert_eq!(ended["not_heard"].as_array().unwrap().len(), 2);
    let page = client.get("/digest/2026-W48").await;
    assert!(page.text().contains("<h2>Not heard</h2>"));

    let one = client.get("/digest/2026-W47.json?max_per_member=1").await.json();
    assert_eq!(one["entries"].as_array().unwrap().len(), 1);
    let page = client.get("/digest/2026-W47?max_per_member=1").await;
    assert!(page.text().contains("<h2>More from the same people</h2>"));
}

#[tokio::test]
async fn what_is_kept_goes_when_something_changes() {
    let client = Client::new().await;
    let before = client.get("/feed.json").await;
    assert_eq!(before.json()["items"].as_array().unwrap().len(), 31);
    client.clock.set(at(NOW) + TimeDelta::minutes(5));
    record(
        &client.store,
        "two",
        at(NOW) + TimeDelta::minutes(5),
        vec![(draft(77), at(NOW))],
    )
    .await;
    let tag = before.header("etag");
    let after = client.send("GET", "/feed.json", &[("if-none-match", tag)]).await;
    assert_eq!(after.status, StatusCode::OK);
    assert_eq!(after.json()["items"].as_array().unwrap().len(), 32);
    let since = before.header("last-modified");
    assert_eq!(
        client
            .send("GET", "/feed.json", &[("if-modified-since", since)])
            .await
            .status,
        StatusCode::OK
    );

    client
        .site
        .send(Arc::new(Site {
            title: "Renamed".to_owned(),
            ..site()
        }))
        .unwrap();
    assert_eq!(client.get("/feed.json").await.json()["title"], "Renamed");
    assert!(
        client
            .get("/")
            .await
            .text()
            .contains("<span>Renamed</span></a></h1>")
    );
}

#[tokio::test]
async fn hashtags_stand_under_one_spelling() {
    let client = Client::new().await;
    let upper = client.get("/hashtags/UKGovCamp/feed.atom").await;
    assert_eq!(upper.header("location"), "/hashtags/ukgovcamp/feed.atom");
    assert_eq!(client.get("/hashtags/ukgc15").await.status, StatusCode::OK);
}

#[tokio::test]
async fn notices_for_programs() {
    let client = Client::new().await;
    let robots = client.get("/robots.txt").await;
    assert!(robots.text().contains("User-agent: GPTBot\n") && robots.text().contains("ai-train=no"));
    assert_eq!(robots.header("tdm-reservation"), "1");
    client
        .site
        .send(Arc::new(Site {
            email: Some("voice@example.org".to_owned()),
            ai_training: true,
            ..site()
        }))
        .unwrap();
    let security = client.get("/.well-known/security.txt").await;
    assert!(
        security
            .text()
            .starts_with("Contact: mailto:voice@example.org\nExpires: 2027-05-22T00:00:00Z\n")
    );
    let robots = client.get("/robots.txt").await;
    assert!(!robots.text().contains("GPTBot") && !robots.headers.contains_key("tdm-reservation"));
}
