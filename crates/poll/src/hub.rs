//! The hub is told of each change (WebSub section 7), as both of its dialects say it. What changed is read from the
//! store, and what the hub has not taken note of stays there: a hub that is away delays nothing, and misses nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fetch::SendOutcome;
use futures_util::{StreamExt, stream};
use model::{Site, paths};
use store::{Ping, StoreError, Touched};
use tokio::sync::watch;
use url::Url;

use crate::poller::Poller;

/// How often it is looked whether something changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Feeds of which the hub is told in one go. The manners of fetching say how many of them at once.
const BATCH: u32 = 16;

/// How long the feeds of a fetcher that died while it told the hub stay with it.
const TAKEN: TimeDelta = TimeDelta::minutes(2);

/// How long the hub is left alone after the first time that it did not take note, and at most.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(10);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(6);

/// Tells the hub that the site names, if it names one, for ever.
pub(crate) async fn tell(mut poller: watch::Receiver<Arc<Poller>>) {
    let mut is_well = true;
    loop {
        let current = Arc::clone(&poller.borrow_and_update());
        let Some(hub) = &current.site.hub else {
            if poller.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            continue;
        };
        if let Err(error) = round(&current, hub, &mut is_well).await {
            tracing::error!(%error, "the hub could not be told what changed; trying again");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Notes what changed, and tells the hub of all that is due. `is_well` is how the hub took the last of it.
async fn round(poller: &Poller, hub: &Url, is_well: &mut bool) -> Result<(), StoreError> {
    let store = &poller.store;
    if let Some((touched, changed)) = store.touched().await? {
        let feeds = feeds_of(&touched, &poller.site);
        store.queue_pings(&feeds, changed, poller.now()).await?;
    }
    loop {
        let now = poller.now();
        let pings = store.take_pings(BATCH, now, now + TAKEN).await?;
        if pings.is_empty() {
            return Ok(());
        }
        let told: Vec<_> = stream::iter(pings)
            .map(|ping| tell_of(poller, hub, ping))
            .buffer_unordered(BATCH as usize)
            .collect()
            .await;
        let failure = told.iter().find_map(|(.., failure)| failure.as_ref());
        match failure {
            // Said once; each of its many feeds would say the same.
            Some(error) if *is_well => {
                tracing::warn!(%hub, error, "the hub did not take note; it is told again later");
            }
            None if !*is_well => tracing::info!(%hub, "the hub takes note again"),
            _ => {}
        }
        *is_well = failure.is_none();
        let told: Vec<_> = told.into_iter().map(|(ping, again, _)| (ping, again)).collect();
        store.settle_pings(&told, poller.now()).await?;
    }
}

/// Tells the hub of one feed, and says when it is to be told again, and why.
async fn tell_of(poller: &Poller, hub: &Url, ping: Ping) -> (Ping, Option<DateTime<Utc>>, Option<String>) {
    // PubSubHubbub 0.4 hubs read `hub.url`, others `hub.topic`; each passes over the other.
    let form = [
        ("hub.mode", "publish"),
        ("hub.url", ping.feed_url.as_str()),
        ("hub.topic", ping.feed_url.as_str()),
    ];
    let sent = poller.fetcher.send_form(hub, &form, poller.now()).await;
    poller.note(&sent.hops).await;
    let pause = pause_after(ping.failures);
    match sent.outcome {
        SendOutcome::Accepted => (ping, None, None),
        SendOutcome::RetryAfter { until, message } => {
            (ping, Some(until.max(poller.now() + pause)), Some(message))
        }
        SendOutcome::Failed(failure) => (ping, Some(poller.now() + pause), Some(failure.message)),
    }
}

/// How long the hub is left alone after so many failures before this one: twice as long each time.
fn pause_after(failures: u32) -> TimeDelta {
    FIRST_PAUSE
        .checked_mul(1 << failures.min(20))
        .map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
}

/// The addresses of the feeds that show what changed.
fn feeds_of(touched: &Touched, site: &Site) -> BTreeSet<String> {
    let mut pages: BTreeSet<String> = BTreeSet::new();
    if !touched.members.is_empty() {
        pages.insert(String::new());
    }
    pages.extend(touched.members.iter().map(|slug| paths::member(slug)));
    let topics = site.topics.iter().map(|topic| &topic.slug);
    pages.extend(
        topics
            .filter(|slug| touched.labels_left || touched.topics.contains(*slug))
            .map(|slug| paths::topic(slug)),
    );
    pages.extend(touched.hashtags.iter().map(|tag| paths::hashtag(tag)));
    for group in &site.hashtag_groups {
        let shows = |tag: &String| {
            group.also.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(beginning) => tag.starts_with(beginning),
                None => tag == pattern,
            })
        };
        if touched.labels_left || touched.hashtags.iter().any(shows) {
            pages.insert(paths::hashtag(&group.tag));
        }
    }
    if touched.issues {
        pages.insert("/digest".to_owned());
    }
    let formats = ["atom", "rss", "json"];
    pages
        .iter()
        .flat_map(|page| formats.map(|format| site.absolute(&format!("{page}/feed.{format}"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_growing() {
        let seconds = |failures| pause_after(failures).num_seconds();
        assert_eq!((seconds(0), seconds(1), seconds(4)), (10, 20, 160));
        assert_eq!((seconds(12), seconds(u32::MAX)), (21_600, 21_600));
    }
}
