//! `voice demo`: a small blogosphere on loopback, polled and served from a temporary database.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use model::{Clock, SystemClock};
use serve::ExampleDocument;
use store::Store;
use tokio::net::TcpListener;

use crate::cli::{Options, Role};
use crate::commands::serve::{listen, poll_and_serve};
use crate::context;

/// The example blogs: where each feed is, its media type, and its text, in which `{{rfc2822 50}}` and
/// `{{rfc3339 50}}` stand for the instant 50 hours ago.
const BLOGS: [(&str, &str, &str); 5] = [
    (
        "/housing-team/feed/",
        "application/rss+xml",
        include_str!("../../demo/housing-team.rss"),
    ),
    (
        "/open-data-desk/atom.xml",
        "application/atom+xml",
        include_str!("../../demo/open-data-desk.atom"),
    ),
    (
        "/democratic-services/feed.json",
        "application/feed+json",
        include_str!("../../demo/democratic-services.json"),
    ),
    (
        "/blog-cymraeg/feed/",
        "application/rss+xml",
        include_str!("../../demo/blog-cymraeg.rss"),
    ),
    (
        "/learning-together/feed/",
        "application/rss+xml",
        include_str!("../../demo/learning-together.rss"),
    ),
];

/// The config of the demonstration; `{port}` is the port of the example blogs.
const CONFIG: &str = include_str!("../../demo/feeds.toml");

pub(crate) async fn run(_options: &Options) -> anyhow::Result<ExitCode> {
    let blogs = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .context("cannot serve the example blogs on loopback")?;
    let port = blogs.local_addr()?.port();
    let settings = context::demo_settings(&CONFIG.replace("{port}", &port.to_string()))?;
    let now = SystemClock.now();
    let documents = BLOGS.map(|(path, media_type, text)| ExampleDocument {
        path,
        media_type,
        body: dated(text, now),
    });
    tokio::spawn(serve::serve_examples(blogs, documents.to_vec()));

    let folder = tempfile::tempdir().context("cannot make a temporary folder for the demonstration")?;
    let store = Store::open(&format!("sqlite://{}", folder.path().join("demo.db").display())).await?;
    context::merge(&store, &settings).await?;
    let listener = listen(&settings).await?;
    tracing::info!(
        "the demonstration is at http://{}/; Ctrl-C ends it and leaves nothing behind",
        listener.local_addr()?
    );
    poll_and_serve(settings, store, listener, Role::All, None).await?;
    Ok(ExitCode::SUCCESS)
}

/// The text with its dates counted back from `now`.
fn dated(template: &str, now: DateTime<Utc>) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let (date, after) = after.split_once("}}").unwrap_or((after, ""));
        text.push_str(&hours_ago(date, now));
        rest = after;
    }
    text.push_str(rest);
    text
}

/// `rfc2822 50` as the instant 50 hours before `now`.
fn hours_ago(date: &str, now: DateTime<Utc>) -> String {
    let (form, hours) = date.split_once(' ').unwrap_or((date, ""));
    let at = now - TimeDelta::hours(hours.parse().unwrap_or_default());
    if form == "rfc2822" {
        at.to_rfc2822()
    } else {
        at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_count_back_from_now() {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        assert_eq!(dated("<d>{{rfc3339 24}}</d>", now), "<d>2026-11-22T12:00:00Z</d>");
        assert_eq!(dated("{{rfc2822 0}}!", now), "Mon, 23 Nov 2026 12:00:00 +0000!");
    }

    #[test]
    fn every_example_blog_is_read_without_a_problem() {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        for (path, media_type, text) in BLOGS {
            let text = dated(text, now);
            let url = format!("http://127.0.0.1{path}").parse().unwrap();
            let source = normalize::Source {
                body: text.as_bytes(),
                content_type: Some(media_type),
                url: Some(&url),
                timezone: chrono_tz::Europe::London,
            };
            let document = normalize::read(&source).unwrap();
            assert!(document.entries.len() >= 3, "{path} has too few posts to show");
            assert!(document.problems.is_empty(), "{path}: {:?}", document.problems);
        }
    }
}
