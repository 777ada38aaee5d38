//! `voice poll`: polls once what is due, or all, or those named.

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use poll::{Network, PollSummary, Selection};

use crate::cli::{Options, PollArguments};
use crate::{context, output, signals};

pub(crate) async fn run(options: &Options, arguments: &PollArguments) -> anyhow::Result<ExitCode> {
    let settings = context::settings(options)?;
    let store = context::store_with_registry(options, &settings).await?;
    let poller = context::poller(&settings, Arc::new(settings.site.clone()), store.clone())?;
    let selection = match (arguments.all, arguments.feeds.as_slice()) {
        (true, _) => Selection::All,
        (false, []) => Selection::Due,
        (false, names) => Selection::Named(names),
    };
    let (feeds, skipped) = poller.select(selection).await?;
    let bar = progress_bar(feeds.len(), options.json);
    let advance = |slug: &str| {
        bar.set_message(slug.to_owned());
        bar.inc(1);
    };
    let mut network = Network::default();
    let mut summary = poller
        .poll(feeds, &mut network, &signals::stop()?, &advance)
        .await;
    summary.skipped += skipped;
    store.close().await;
    bar.finish_and_clear();
    if options.json {
        output::print_json(&summary)?;
    } else {
        output::print(&in_words(&summary))?;
    }
    let all_failed = summary.feeds > 0 && summary.failed == summary.feeds;
    Ok(ExitCode::from(u8::from(all_failed)))
}

/// A bar on a terminal, and nothing anywhere else.
fn progress_bar(feeds: usize, json: bool) -> ProgressBar {
    if json || !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} feeds  {wide_msg}");
    ProgressBar::new(feeds as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn in_words(summary: &PollSummary) -> String {
    use std::fmt::Write as _;
    if summary.feeds == 0 && summary.skipped == 0 {
        return "No feed is due. `voice poll --all` polls every feed now.\n".to_owned();
    }
    let mut text = format!(
        "Polled {} feeds in {:.1} s: {} changed, {} unchanged, {} not modified, {} failed; {} skipped.\n{} new entries, {} updated.\n",
        summary.feeds,
        summary.duration_ms as f64 / 1000.0,
        summary.changed,
        summary.unchanged,
        summary.not_modified,
        summary.failed,
        summary.skipped,
        summary.entries_new,
        summary.entries_updated,
    );
    for failure in &summary.failures {
        let _ = writeln!(text, "  {}: {}", failure.feed, failure.error);
    }
    text
}
