//! The pages in a real browser: nothing to complain about, nothing asked of anybody else.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use support::blogosphere::{Answer, Blogosphere};
use support::{Server, Voice, text};

/// Hosts that the browser asks on its own account, whatever page it shows.
const BROWSERS_OWN: [&str; 3] = ["google.com", "googleapis.com", "gvt1.com"];

/// What a browser made of a page.
struct Visit {
    /// The page's elements as the browser understood them.
    dom: String,
    /// What it wrote to the console: script errors, refused content, failed pictures.
    complaints: Vec<String>,
    /// Every address that it asked for, its own business aside.
    asked: BTreeSet<String>,
}

/// Whether there is a browser; without one a test is skipped, but never in CI.
fn browser_is_there() -> bool {
    let there = Command::new("chromium").arg("--version").output().is_ok();
    assert!(
        there || std::env::var_os("CI").is_none(),
        "CI has no chromium; scripts/test installs it"
    );
    if !there {
        eprintln!("skipped: there is no chromium to look at the pages with");
    }
    there
}

fn visit(url: &str, profile: &Path) -> Visit {
    let net_log = profile.join("net-log.json");
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args(["--enable-logging=stderr", "--dump-dom", "--window-size=390,844"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--log-net-log={}", net_log.display()))
        .arg(url)
        .output()
        .unwrap();
    let log = std::fs::read_to_string(net_log).unwrap();
    let asked = log
        .split("\"url\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    Visit {
        dom: text(&output.stdout),
        complaints: text(&output.stderr)
            .lines()
            .filter(|line| line.contains("CONSOLE"))
            .map(str::to_owned)
            .collect(),
        asked: asked
            .filter(|url| !is_browsers_own(url))
            .map(str::to_owned)
            .collect(),
    }
}

fn is_browsers_own(url: &str) -> bool {
    let host = url.split('/').nth(2).unwrap_or_default();
    BROWSERS_OWN.iter().any(|own| host.ends_with(own)) || !url.starts_with("http")
}

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
    if !browser_is_there() {
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
        "/nowhere",
    ];
    let profile = tempfile::tempdir().unwrap();
    let ours = format!("http://{}/", server.address);
    for path in paths {
        let visit = visit(&format!("http://{}{path}", server.address), profile.path());
        assert!(
            visit.dom.contains("<main"),
            "{path} shows no main part: {}",
            visit.dom
        );
        assert!(!visit.dom.contains("<script"), "{path} holds a script");
        assert_eq!(visit.complaints, [""; 0], "{path}");
        let others: Vec<&String> = visit.asked.iter().filter(|url| !url.starts_with(&ours)).collect();
        assert_eq!(others, [""; 0], "{path} asks somebody else");
    }
}

#[test]
fn the_browser_test_can_fail() {
    if !browser_is_there() {
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
    let profile = tempfile::tempdir().unwrap();
    let visit = visit(&blogs.url("/"), profile.path());
    assert!(
        visit.complaints.iter().any(|line| line.contains("trouble")),
        "{:?}",
        visit.complaints
    );
    assert!(
        visit.asked.contains(&other.url("/pixel.gif")),
        "{:?}",
        visit.asked
    );
}
