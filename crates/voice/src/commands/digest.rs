//! `voice digest`: prints a week's digest, and closes it if asked to.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use chrono::{DateTime, Utc};
use model::{Clock, Site, SystemClock, Week};
use registry::Settings;
use store::Store;

use crate::cli::{DigestArguments, DigestFormat, Options};
use crate::{context, output, signals};

pub(crate) async fn run(options: &Options, arguments: &DigestArguments) -> anyhow::Result<ExitCode> {
    let settings = context::settings(options)?;
    let store = if arguments.close {
        context::store_with_registry(options, &settings).await?
    } else {
        Store::open(&options.database).await?
    };
    let site = &settings.site;
    let now = SystemClock.now();
    let week = arguments
        .week
        .unwrap_or_else(|| Week::of(now, site.timezone).previous());
    let start = week.start(site.timezone);
    if start > now {
        let start = start.with_timezone(&site.timezone);
        bail!("{week} has not begun; it begins on {}", start.format("%-d %B %Y"));
    }
    if arguments.close {
        close(&settings, &store, week, now).await?;
    }
    let schedule = context::digest_schedule(site)?;
    let now = SystemClock.now();
    let digest = serve::digest_of_week(&store, site, week, now, &|after| schedule.next_after(after)).await?;
    output::print(&match arguments.format {
        _ if options.json => digest.to_json(),
        DigestFormat::Json => digest.to_json(),
        DigestFormat::Markdown => digest.to_markdown(),
        DigestFormat::Html => digest.to_html(),
        DigestFormat::Text => digest.to_text(),
        DigestFormat::Csv => digest.to_csv(),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Closes `week` and what was not closed before it.
async fn close(settings: &Settings, store: &Store, week: Week, now: DateTime<Utc>) -> anyhow::Result<()> {
    let site = &settings.site;
    refuse_what_cannot_be_closed(store, site, week, now).await?;
    let poller = context::poller(settings, Arc::new(site.clone()), store.clone())?;
    let closed = poll::close_through(&poller, week, &*context::issues(store), &signals::stop()?).await?;
    for closed in &closed {
        tracing::info!(week = %closed, "the digest is closed");
    }
    if closed.is_empty() && store.issue(week).await?.is_none() {
        bail!("{week} was not closed: it was called off while feeds were asked; run the command again");
    }
    if closed.is_empty() {
        tracing::info!(%week, "the digest was closed before; nothing is changed");
    }
    Ok(())
}

async fn refuse_what_cannot_be_closed(
    store: &Store,
    site: &Site,
    week: Week,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let end = week.end(site.timezone);
    if end > now {
        bail!(
            "{week} has not ended and cannot be closed before {}",
            end.with_timezone(&site.timezone).format("%A %-d %B %Y, %H:%M")
        );
    }
    match store.first_success_at().await? {
        Some(first) if end > first => Ok(()),
        Some(_) => bail!("{week} ended before the first good poll; it is archive, which is never closed"),
        None => bail!("{week} cannot be closed, for nothing was ever polled; `voice poll` begins"),
    }
}
