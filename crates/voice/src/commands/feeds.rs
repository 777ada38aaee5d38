//! `voice feeds`: the list of feeds, from a terminal.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use export::Outline;
use model::{Clock, Feed, FeedSpec, FeedStatus, Health, HealthState, SystemClock, Why};
use serde::Serialize;
use store::{Decided, PollSummaryRow, Store, Subscription};
use url::Url;

use crate::cli::{FeedListFormat, FeedsCommand, Options};
use crate::commands::membership;
use crate::{context, output};

pub(crate) async fn run(options: &Options, command: &FeedsCommand) -> anyhow::Result<ExitCode> {
    let settings = context::settings(options)?;
    let store = context::store_with_registry(options, &settings).await?;
    match command {
        FeedsCommand::List => list(options, &store, settings.site.timezone).await?,
        FeedsCommand::Add(add) => {
            return membership::add(options, &store, add, settings.site.timezone).await;
        }
        FeedsCommand::Merge { from, into } => return membership::merge(options, &store, from, into).await,
        FeedsCommand::Link { member } => {
            return membership::link(options, &store, &settings.site, member).await;
        }
        FeedsCommand::Approve { feeds } => {
            return decide(options, &store, feeds, Decision::Approve, None).await;
        }
        FeedsCommand::Reject { feeds, reason } => {
            return decide(options, &store, feeds, Decision::Reject, Some(reason)).await;
        }
        FeedsCommand::Remove {
            feeds,
            withdraw: true,
            reason,
        } => return membership::withdraw(options, &store, feeds, reason.as_deref()).await,
        FeedsCommand::Remove { feeds, reason, .. } => {
            return decide(options, &store, feeds, Decision::Remove, reason.as_deref()).await;
        }
        FeedsCommand::Pause { feeds } => {
            return decide(options, &store, feeds, Decision::Pause, None).await;
        }
        FeedsCommand::Resume { feeds } => {
            return decide(options, &store, feeds, Decision::Resume, None).await;
        }
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

/// How many of the last polls tell the share of 304s, and how many of them are listed.
const POLLS_COUNTED: u32 = 100;
const POLLS_LISTED: usize = 10;

/// A feed as `voice feeds list --json` shows it.
#[derive(Serialize)]
struct ListedFeed<'a> {
    slug: &'a str,
    url: &'a str,
    title: Option<&'a str>,
    member: &'a str,
    status: FeedStatus,
    state: HealthState,
    state_since: Option<DateTime<Utc>>,
    reason: &'a str,
    proposed_url: Option<&'a Url>,
    moved_to: Option<&'a Url>,
    entries: u32,
    last_polled_at: Option<DateTime<Utc>>,
    last_outcome: Option<model::PollOutcome>,
    last_error: Option<&'a str>,
    failures: u32,
    next_poll_at: Option<DateTime<Utc>>,
    next_poll_why: Option<Why>,
    /// Of the last hundred polls; null before the first.
    not_modified_share: Option<f64>,
    hub: Option<ListedHub<'a>>,
    last_polls: Vec<ListedPoll<'a>>,
}

/// The hub that a feed names, and how our subscription there stands.
#[derive(Serialize)]
struct ListedHub<'a> {
    url: &'a Url,
    asked_at: Option<DateTime<Utc>>,
    subscribed_until: Option<DateTime<Utc>>,
    last_error: Option<&'a str>,
}

impl<'a> ListedHub<'a> {
    fn of(feed: &'a Feed, subscriptions: &'a [Subscription]) -> Option<Self> {
        let url = &feed.hub.as_ref()?.hub;
        let mut all = subscriptions.iter();
        let ours = all.find(|one| one.feed_id == feed.id && one.hub == *url);
        Some(Self {
            url,
            asked_at: ours.and_then(|ours| ours.asked_at),
            subscribed_until: ours.and_then(|ours| ours.lease_until),
            last_error: ours.and_then(|ours| ours.last_error.as_deref()),
        })
    }
}

#[derive(Serialize)]
struct ListedPoll<'a> {
    at: DateTime<Utc>,
    outcome: model::PollOutcome,
    http_status: Option<u16>,
    entries_new: u32,
    entries_updated: u32,
    error: Option<&'a str>,
}

impl<'a> ListedFeed<'a> {
    fn of(
        feed: &'a Feed,
        health: &'a Health,
        polls: &'a [PollSummaryRow],
        hub: Option<ListedHub<'a>>,
    ) -> Self {
        let is_polled = feed.status == FeedStatus::Active;
        Self {
            slug: &feed.slug,
            url: feed.url.as_str(),
            title: feed.title.as_deref(),
            member: &feed.member.slug,
            status: feed.status,
            state: health.state,
            state_since: health.since,
            reason: &health.reason,
            proposed_url: feed.proposed.as_ref(),
            moved_to: feed.moved.as_ref().map(|(to, _)| to),
            entries: feed.entries,
            last_polled_at: feed.last_polled_at,
            last_outcome: feed.last_outcome,
            last_error: feed.last_error.as_deref(),
            failures: feed.failures,
            next_poll_at: is_polled.then_some(feed.next_poll_at),
            next_poll_why: is_polled.then_some(feed.next_poll_why),
            not_modified_share: (!polls.is_empty()).then(|| not_modified(polls) as f64 / polls.len() as f64),
            hub,
            last_polls: polls
                .iter()
                .take(POLLS_LISTED)
                .map(|poll| ListedPoll {
                    at: poll.at,
                    outcome: poll.outcome,
                    http_status: poll.http_status,
                    entries_new: poll.new,
                    entries_updated: poll.updated,
                    error: poll.error.as_deref(),
                })
                .collect(),
        }
    }
}

fn not_modified(polls: &[PollSummaryRow]) -> usize {
    polls
        .iter()
        .filter(|poll| poll.outcome == model::PollOutcome::NotModified)
        .count()
}

async fn list(options: &Options, store: &Store, zone: Tz) -> anyhow::Result<()> {
    let feeds = store.feeds().await?;
    let now = SystemClock.now();
    let mut fares = Vec::with_capacity(feeds.len());
    for feed in &feeds {
        let polls = store.recent_polls(feed.id, POLLS_COUNTED).await?;
        fares.push((feed.health(zone, now), polls));
    }
    let fares = feeds.iter().zip(&fares);
    if options.json {
        let subscriptions = store.subscriptions().await?;
        let listed: Vec<ListedFeed<'_>> = fares
            .map(|(feed, (health, polls))| {
                ListedFeed::of(feed, health, polls, ListedHub::of(feed, &subscriptions))
            })
            .collect();
        return output::print_json(&listed);
    }
    let mut text = String::new();
    for (feed, (health, polls)) in fares {
        let _ = writeln!(
            text,
            "{}: {}, {} entries, {}",
            feed.slug, health.state, feed.entries, feed.url
        );
        let _ = writeln!(text, "    {}", health.reason);
        if feed.status == FeedStatus::Active {
            let at = feed
                .next_poll_at
                .with_timezone(&zone)
                .format("%-d %B %Y %H:%M %Z");
            let _ = writeln!(
                text,
                "    Next poll from {at} on, because {}.",
                feed.next_poll_why
            );
        }
        if !polls.is_empty() {
            let _ = writeln!(
                text,
                "    Of the last {} polls {} were answered with “not modified” (304).",
                polls.len(),
                not_modified(polls)
            );
        }
    }
    if feeds.is_empty() {
        text.push_str("No feed is registered. Add one to the config, or `voice feeds import FILE`.\n");
    }
    Ok(output::print(&text)?)
}

/// Decides about feeds; all that can be are, and the exit status says whether all were.
async fn decide(
    options: &Options,
    store: &Store,
    feeds: &[String],
    decision: Decision,
    why: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    for slug in feeds {
        let by_whom = store::Decision {
            by: store::TERMINAL,
            why,
            at: SystemClock.now(),
        };
        let decided = match decision {
            Decision::Pause => store.pause_feed(slug, &by_whom).await?,
            Decision::Resume => store.resume_feed(slug, &by_whom).await?,
            Decision::Approve => store.approve_feed(slug, &by_whom).await?,
            Decision::Reject => store.reject_feed(slug, &by_whom).await?,
            Decision::Remove => store.remove_feed(slug, &by_whom).await?,
        };
        let word = decision.word();
        match decided {
            Decided::Done => {
                tracing::info!(
                    feed = slug,
                    decision = word,
                    by = "the command line",
                    "a decision about a feed"
                );
                done.push(slug);
            }
            Decided::Already => done.push(slug),
            Decided::Retired => failures.push(format!(
                "{slug} has left the config; it is polled again when its [[feed]] is there again"
            )),
            Decided::NotTakenOn => failures.push(format!(
                "{slug} waits for approval or was turned down; `voice feeds approve {slug}` takes it on"
            )),
            Decided::TakenOn => failures.push(format!(
                "{slug} was taken on already; `voice feeds remove {slug}` lets it go"
            )),
            Decided::Unknown => failures.push(format!(
                "no feed is registered as {slug:?}; `voice feeds list` shows the names"
            )),
        }
    }
    if options.json {
        output::print_json(&serde_json::json!({ decision.word(): done, "failures": failures }))?;
    } else {
        for slug in done {
            output::print(&format!("{slug} is {}.\n", decision.word()))?;
        }
        for failure in &failures {
            eprintln!("voice: {failure}");
        }
    }
    Ok(ExitCode::from(u8::from(!failures.is_empty())))
}

#[derive(Debug, Clone, Copy)]
enum Decision {
    Pause,
    Resume,
    Approve,
    Reject,
    Remove,
}

impl Decision {
    fn word(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::Remove => "removed",
        }
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
