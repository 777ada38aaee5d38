//! The routes as a client sees them, from the request to the bytes.

use std::io::Read;

use axum::http::StatusCode;
use chrono::TimeDelta;
use model::{PollOutcome, Site, Why};
use serde_json::Value;
use std::sync::Arc;
use store::HostRequest;

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
async fn the_river_is_walked_both_ways_without_gaps() {
    let client = Client::new().await;
    let first = client.get("/").await;
    let newest = headings(first.text());
    let older = link(first.text(), "next").unwrap();
    assert!(link(first.text(), "prev").is_none());
    let second = client.get(&older).await;
    let rest = headings(second.text());
    assert_eq!(newest.len() + rest.len(), 31);
    assert!(link(second.text(), "next").is_none());
    let back = client.get(&link(second.text(), "prev").unwrap()).await;
    assert_eq!(headings(back.text()), newest);
    for path in ["/topics/democracy", "/members/one-example", "/hashtags/ukgovcamp"] {
        let page = client.get(path).await;
        let older = link(page.text(), "next").unwrap();
        assert!(older.starts_with(path), "{older}");
        assert!(!headings(client.get(&older).await.text()).is_empty(), "{path}");
    }
}

/// The headings of the posts on a page.
fn headings(page: &str) -> Vec<String> {
    page.split("<h3")
        .skip(1)
        .map(|rest| rest.split("</h3>").next().unwrap().to_owned())
        .collect()
}

/// The address of `<link rel=…>` in the head.
fn link(page: &str, rel: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("<link rel=\"{rel}\" href=\""))?;
    Some(
        rest.split('"')
            .next()
            .unwrap()
            .replace("&#38;", "&")
            .replace("&amp;", "&"),
    )
}

#[tokio::test]
async fn pages_run_nothing_and_load_nothing() {
    let client = Client::new().await;
    for path in ROUTES.iter().filter_map(is_page) {
        let answer = client.get(path).await;
        let page = answer.text();
        let lower = page.to_lowercase();
        for bad in [
            "<script",
            "\"javascript:",
            "<i>cat",
            "<b onclick",
            "<iframe",
            " style=",
            "<style",
        ] {
            assert!(!lower.contains(bad), "{path}: {bad}");
        }
        assert!(!tags(page).iter().any(|tag| tag.contains(" on")), "{path}");
        for tag in tags(page) {
            if let Some(src) = attribute(&tag, "src") {
                assert!(src.starts_with("https://pictures.example/"), "{path}: {tag}");
                assert!(
                    tag.contains("loading=\"lazy\"") && tag.contains("referrerpolicy=\"no-referrer\""),
                    "{tag}"
                );
                assert!(attribute(&tag, "alt").is_some(), "{path}: {tag}");
            }
            let Some(href) = attribute(&tag, "href") else {
                continue;
            };
            let elsewhere =
                href.starts_with("https://one.example/") || href.starts_with("https://two.example/");
            // The statement names the rules and those who enforce them.
            let named = path == "/accessibility" && tag.starts_with("a ") && href.starts_with("https://");
            assert!(
                href.starts_with('/') || href.starts_with('#') || elsewhere || named,
                "{path}: {tag}"
            );
            assert!(!(tag.starts_with("link") && elsewhere), "{path}: {tag}");
        }
    }
}

#[tokio::test]
async fn posts_that_link_to_one_another_say_so_on_both_pages() {
    let client = Client::new().await;
    let mut answer = draft(78);
    answer.link = Some("https://two.example/78".to_owned());
    answer.link_key = Some("two.example/78".to_owned());
    answer.title = Some("An answer".to_owned());
    answer.content_html = model::SafeHtml::vouched(
        "<p><a href=\"https://www.one.example/posts/3/?utm_source=x\">so they say</a></p>".to_owned(),
    );
    record(&client.store, "two", at(NOW), vec![(answer, at(NOW))]).await;
    client.clock.set(at(NOW) + TimeDelta::minutes(1));
    let from = "Linked from <a href=\"/entries/00000f78\" dir=\"auto\">An answer</a> by ";
    let to = "Links to <a href=\"/entries/000000f3\" dir=\"auto\">Post number 3</a> by ";
    for (path, words) in [
        ("/entries/000000f3", vec![from]),
        ("/entries/00000f78", vec![to]),
        ("/", vec![from, to]),
        ("/members/one-example", vec![from]),
        ("/entries/000000f4", vec![]),
    ] {
        let page = client.get(path).await;
        for line in [from, to] {
            assert_eq!(
                page.text().contains(line),
                words.contains(&line),
                "{path}: {line}"
            );
        }
    }
}

#[tokio::test]
async fn the_first_view_of_the_river_is_light() {
    let client = Client::new().await;
    let posts = (100..125).map(|number| {
        let mut post = draft(number);
        post.title = Some("A title as long as most of them are, give or take a word".to_owned());
        post.author = Some("One of several authors".to_owned());
        post.summary = "An excerpt of sixty words. ".repeat(12);
        let topic = post.topics[0].clone();
        post.topics
            .extend(["notices", "skills"].map(|slug| model::TopicMatch {
                slug: slug.to_owned(),
                ..topic.clone()
            }));
        (post, at(NOW))
    });
    record(&client.store, "one-example", at(NOW), posts.collect()).await;
    client.clock.set(at(NOW) + TimeDelta::minutes(1));
    let mut bytes = 0;
    for path in ["/", style_path(), "/favicon.svg"] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        bytes += answer.body.len();
    }
    let page = client.get("/").await;
    assert_eq!(page.text().matches("One of several authors").count(), 25);
    assert!(bytes < 60 * 1024, "{bytes} bytes before compression");
}

#[tokio::test]
async fn titles_are_unique_and_name_the_site() {
    let client = Client::new().await;
    let older = link(client.get("/").await.text(), "next").unwrap();
    let mut titles = std::collections::BTreeMap::new();
    let pages = ROUTES.iter().filter_map(is_page).map(str::to_owned);
    // Views of one issue are one issue.
    for path in pages.filter(|path| !path.contains("W47?")).chain([
        older,
        "/nothing".to_owned(),
        "/?before=x".to_owned(),
    ]) {
        let page = client.get(&path).await;
        let title = page.text().split_once("<title>").unwrap().1;
        let title = title.split_once("</title>").unwrap().0.to_owned();
        assert!(title.ends_with("Example Voice"), "{path}: {title}");
        if let Some(other) = titles.insert(title.clone(), path.clone()) {
            panic!("{path} and {other} are both called {title}");
        }
    }
}

fn tags(page: &str) -> Vec<String> {
    page.split('<')
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap().to_owned())
        .collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(rest.split('"').next().unwrap().to_owned())
}

#[tokio::test]
async fn pages_have_one_h1_and_headings_in_order() {
    let client = Client::new().await;
    for path in ROUTES
        .iter()
        .filter_map(is_page)
        .chain(["/nothing", "/?before=0.0"])
    {
        let answer = client.get(path).await;
        let levels: Vec<u32> = tags(answer.text())
            .iter()
            .filter(|tag| tag.len() >= 2 && tag.starts_with('h') && tag.as_bytes()[1].is_ascii_digit())
            .map(|tag| u32::from(tag.as_bytes()[1] - b'0'))
            .collect();
        assert_eq!(
            levels.iter().filter(|&&level| level == 1).count(),
            1,
            "{path}: {levels:?}"
        );
        assert_eq!(levels[0], 1, "{path}: {levels:?}");
        assert!(
            levels.windows(2).all(|pair| pair[1] <= pair[0] + 1),
            "{path}: {levels:?}"
        );
        assert_eq!(answer.text().matches("<main").count(), 1, "{path}");
        assert!(answer.text().contains("<html lang=\"en-GB\">"), "{path}");
    }
}

#[tokio::test]
async fn an_excerpt_gives_no_more_and_a_whole_post_is_marked() {
    let client = Client::new().await;
    for (path, _) in ROUTES {
        assert!(
            !client.get(path).await.text().contains("whole secret post 1"),
            "{path}"
        );
    }
    let found = client.get("/search?q=councillors").await;
    assert!(
        found
            .text()
            .contains("of post number 1 about <mark>councillors.</mark></p>"),
        "{}",
        found.text()
    );
    let excerpt = client.get("/entries/000000f1").await;
    assert!(!excerpt.text().contains("noindex") && !excerpt.text().contains("rel=\"canonical\""));
    assert!(excerpt.text().contains("<q>councillors</q> in the text"));
    let now = at(NOW);
    record(&client.store, "two", now, vec![(draft(99), now)]).await;
    client.clock.set(now + TimeDelta::seconds(1));
    let whole = client.get("/entries/00000f99").await;
    assert!(
        whole
            .text()
            .contains("<h3>Post 99</h3><p>The whole secret post 99.</p>"),
        "{}",
        whole.text()
    );
    assert!(
        whole
            .text()
            .contains("<meta name=\"robots\" content=\"noindex\">")
    );
    assert!(
        whole
            .text()
            .contains("<link rel=\"canonical\" href=\"https://one.example/posts/99\">")
    );
    let hostile = client.get("/entries/000000fh").await;
    assert!(
        hostile
            .text()
            .contains("The author gave no description of this picture.")
    );
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
async fn an_empty_voice_has_pages_too() {
    let client = Client::of(store::Store::open("sqlite::memory:").await.unwrap());
    for path in [
        "/",
        "/topics",
        "/members",
        "/feed.atom",
        "/entries.json",
        "/opml",
        "/digest",
        "/digest/2026-W48",
    ] {
        assert_eq!(client.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert!(client.get("/").await.text().contains("No posts yet."));
}

#[tokio::test]
async fn the_first_view_is_light() {
    let client = Client::new().await;
    let bytes = client.get("/").await.body.len();
    assert!(bytes < 60_000, "{bytes} bytes");
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
