//! `voice feeds`: the list of feeds, from a terminal.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use export::Outline;
use model::{Clock, Feed, FeedSpec, FeedStatus, SystemClock};
use serde::Serialize;
use store::Store;

use crate::cli::{FeedListFormat, FeedsCommand, Options};
use crate::{context, output};

pub(crate) async fn run(options: &Options, command: &FeedsCommand) -> anyhow::Result<ExitCode> {
    let settings = context::settings(options)?;
    let store = context::store_with_registry(options, &settings).await?;
    match command {
        FeedsCommand::List => list(options, &store).await?,
        FeedsCommand::Import { file } => import(options, &store, &settings, file).await?,
        FeedsCommand::Export { format } => {
            let feeds = store.feeds().await?;
            output::print(&match format {
                FeedListFormat::Toml => registry::to_toml(&feeds.iter().map(spec).collect::<Vec<_>>()),
                FeedListFormat::Opml => opml(&settings.site, &feeds, SystemClock.now()),
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A feed as `voice feeds list --json` shows it.
#[derive(Serialize)]
struct ListedFeed<'a> {
    slug: &'a str,
    url: &'a str,
    member: &'a str,
    status: FeedStatus,
    entries: u32,
    last_polled_at: Option<DateTime<Utc>>,
    last_outcome: Option<model::PollOutcome>,
    last_error: Option<&'a str>,
    failures: u32,
    next_poll_at: DateTime<Utc>,
}

async fn list(options: &Options, store: &Store) -> anyhow::Result<()> {
    let feeds = store.feeds().await?;
    if options.json {
        let listed: Vec<ListedFeed<'_>> = feeds
            .iter()
            .map(|feed| ListedFeed {
                slug: &feed.slug,
                url: feed.url.as_str(),
                member: &feed.member.slug,
                status: feed.status,
                entries: feed.entries,
                last_polled_at: feed.last_polled_at,
                last_outcome: feed.last_outcome,
                last_error: feed.last_error.as_deref(),
                failures: feed.failures,
                next_poll_at: feed.next_poll_at,
            })
            .collect();
        return output::print_json(&listed);
    }
    let width = feeds.iter().map(|feed| feed.slug.len()).max().unwrap_or_default();
    let mut text = String::new();
    for feed in &feeds {
        let _ = writeln!(
            text,
            "{:width$}  {:>5} entries  {}  {}",
            feed.slug,
            feed.entries,
            feed.url,
            health(feed)
        );
    }
    if feeds.is_empty() {
        text.push_str("No feed is registered. Add one to the config, or `voice feeds import FILE`.\n");
    }
    Ok(output::print(&text)?)
}

/// How a feed fares, in words.
fn health(feed: &Feed) -> String {
    match (feed.status, &feed.last_error, feed.last_polled_at) {
        (FeedStatus::Active, Some(error), _) => format!("failing ({} in a row): {error}", feed.failures),
        (FeedStatus::Active, None, Some(at)) => format!("well, polled {}", at.format("%Y-%m-%d %H:%MZ")),
        (FeedStatus::Active, None, None) => "not polled yet".to_owned(),
        (status, _, _) => status.as_str().to_owned(),
    }
}

async fn import(
    options: &Options,
    store: &Store,
    settings: &registry::Settings,
    file: &Path,
) -> anyhow::Result<()> {
    let (name, text) = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("standard input cannot be read as text")?;
        ("standard input".to_owned(), text)
    } else {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
        (name, text)
    };
    let (feeds, skipped) = if text
        .trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t'])
        .starts_with('<')
    {
        let opml = registry::import_opml(&text)?;
        (opml.feeds, opml.skipped)
    } else {
        (registry::parse(&name, &text, &[])?.feeds, Vec::new())
    };
    for outline in &skipped {
        tracing::warn!("skipped: {outline}");
    }
    let report = store
        .import_feeds(&feeds, SystemClock.now(), settings.site.timezone)
        .await?;
    if options.json {
        return output::print_json(&serde_json::json!({
            "added": report.added, "changed": report.changed, "skipped": skipped,
        }));
    }
    let known = feeds.len() - report.added.len();
    Ok(output::print(&format!(
        "Added {} feeds; {known} were known already; {} outlines were skipped.\n",
        report.added.len(),
        skipped.len()
    ))?)
}

/// A stored feed as a config would state it.
fn spec(feed: &Feed) -> FeedSpec {
    FeedSpec {
        url: feed.url.clone(),
        name: Some(feed.member.name.clone()),
        member: None,
        organisation: feed.member.organisation.clone(),
        kind: Some(feed.member.kind),
        site: feed.member.url.as_deref().and_then(|url| url.parse().ok()),
        slug: Some(feed.slug.clone()),
        content: Some(feed.content),
        include: Some(feed.include),
        licence: feed.licence.clone(),
        joined: Some(feed.joined),
    }
}

/// The active feeds as OPML.
pub(crate) fn opml(site: &model::Site, feeds: &[Feed], now: DateTime<Utc>) -> String {
    let outlines: Vec<Outline<'_>> = feeds
        .iter()
        .filter(|feed| feed.status == FeedStatus::Active)
        .map(|feed| Outline {
            member: &feed.member,
            feed_url: feed.url.as_str(),
        })
        .collect();
    export::opml(site, &site.title, &outlines, now)
}
