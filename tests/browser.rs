//! The pages in a real browser: nothing to complain about, nothing asked of anybody else.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use support::blogosphere::{Answer, Blogosphere};
use support::chromium::{self, Chromium};
use support::{Server, Voice};

/// The demonstration, polled.
fn demonstration() -> (Voice, Server) {
    let voice = Voice::of(&[]);
    let server = voice.start("demo");
    server.wait_for("/entries.json?limit=500", |entries| {
        entries.json()["entries"]
            .as_array()
            .is_some_and(|entries| entries.len() >= 20)
    });
    (voice, server)
}

#[test]
fn every_kind_of_page_asks_nobody_else_and_gives_no_complaint() {
    if !chromium::is_there() {
        return;
    }
    let (_voice, server) = demonstration();
    let entries = server.get("/entries.json").json();
    let entry = entries["entries"][0]["html_url"].as_str().unwrap();
    let entry = &entry[entry.find("/entries/").unwrap()..];
    let paths = [
        "/",
        "/topics",
        "/topics/democracy",
        "/members",
        "/members/open-data-desk",
        "/hashtags/localgovdigital",
        entry,
        "/search?q=council",
        "/digest",
        "/digest/2026-W01",
        "/feeds",
        "/about",
        "/privacy",
        "/accessibility",
        "/fetching",
        "/nowhere",
    ];
    let mut browser = Chromium::start();
    let ours = format!("http://{}/", server.address);
    for path in paths {
        browser.open(&format!("http://{}{path}", server.address));
        let dom = browser.dom();
        assert!(dom.contains("<main"), "{path} shows no main part: {dom}");
        assert!(!dom.contains("<script"), "{path} holds a script");
        assert_eq!(browser.complaints(), [""; 0], "{path}");
        let asked = browser.asked();
        assert!(!asked.is_empty(), "{path} was opened");
        let others: Vec<_> = asked.iter().filter(|(url, _)| !url.starts_with(&ours)).collect();
        assert!(others.is_empty(), "{path} asks somebody else: {others:?}");
    }
}

#[test]
fn the_browser_test_can_fail() {
    if !chromium::is_there() {
        return;
    }
    let blogs = Blogosphere::start();
    let other = Blogosphere::start();
    let page = format!(
        "<!doctype html><title>A page</title><script>console.error('trouble')</script><img src=\"{}\">",
        other.url("/pixel.gif")
    );
    blogs.answer(
        "/",
        Answer::Raw(
            200,
            vec![("Content-Type", "text/html".to_owned())],
            page.into_bytes(),
        ),
    );
    let mut browser = Chromium::start();
    browser.open(&blogs.url("/"));
    let complaints = browser.complaints();
    assert!(
        complaints.iter().any(|line| line.contains("trouble")),
        "{complaints:?}"
    );
    let asked = browser.asked();
    assert!(
        asked.iter().any(|(url, _)| *url == other.url("/pixel.gif")),
        "{asked:?}"
    );
}
