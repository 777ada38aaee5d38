//! The loop of a running Voice: wake by the schedule, poll what is due, sleep.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::closing::{self, Issues};
use crate::network::Network;
use crate::poller::{OUR_FILES, OUR_NETWORK, Poller, Selection, stopped};
use crate::round::PollSummary;
use crate::{at_once, hub, retag, websub};

/// A sleep is cut into slices of this length, so that a clock that jumps is noticed.
const SLICE: Duration = Duration::from_secs(30);

/// From how many feeds on the same failure is told once for all of them.
const MANY: usize = 4;

/// Polls what is due, at once and then at each tick of the schedule, and what hubs push or somebody decides, until `stop` turns true; meanwhile
/// closes the digests, gives the archive its topics by the present rules and tells the hub what changed. A new poller (after a reload of the
/// configuration) takes over at the next tick. A tick that passes while polls are running is not made up for: what is due
/// then is due still.
pub async fn run(poller: watch::Receiver<Arc<Poller>>, issues: Arc<dyn Issues>, stop: watch::Receiver<bool>) {
    tokio::select! {
        () = polls(&poller, &stop) => {}
        () = closing::follow(poller.clone(), &*issues, &stop) => {}
        () = retag::follow(poller.clone(), &stop) => {}
        () = hub::tell(poller.clone()) => {}
    }
}

/// All polls, and what keeps hubs telling of news. Each of them ends by itself when `stop` turns true.
async fn polls(poller: &watch::Receiver<Arc<Poller>>, stop: &watch::Receiver<bool>) {
    let news = Notify::new();
    tokio::join!(
        go_round(poller, &news, stop),
        at_once::poll(poller, stop),
        websub::subscribe(poller, &news, stop),
    );
}

async fn go_round(poller: &watch::Receiver<Arc<Poller>>, news: &Notify, stop: &watch::Receiver<bool>) {
    let mut network = Network::default();
    loop {
        let current = Arc::clone(&poller.borrow());
        poll_due(&current, &mut network, stop).await;
        news.notify_one();
        if let Err(error) = current.store.tidy(current.now()).await {
            tracing::warn!(%error, "what is kept for a while alone could not be forgotten; trying again at the next tick");
        }
        tokio::select! {
            () = stopped(stop.clone()) => return,
            () = next_tick(&current) => {}
        }
    }
}

async fn poll_due(poller: &Poller, network: &mut Network, stop: &watch::Receiver<bool>) {
    // What a withdrawal could not erase from the files while somebody read in them.
    if let Err(error) = poller.store.scrub().await {
        tracing::warn!(%error, "what was withdrawn is not yet gone from the database's own files; trying again at the next tick");
    }
    let feeds = match poller.select(Selection::Due).await {
        Ok((feeds, _)) => feeds,
        Err(error) => {
            tracing::error!(%error, "cannot tell which feeds are due; trying again at the next tick");
            return;
        }
    };
    if feeds.is_empty() {
        tracing::debug!("no feed is due");
        return;
    }
    tracing::info!(feeds = feeds.len(), "polling what is due");
    tell(&poller.poll(feeds, network, stop, &|_| ()).await);
}

/// Says what a round came to. What befell many feeds alike is said once.
pub(crate) fn tell(summary: &PollSummary) {
    let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    // What is our own fault has been said.
    for failure in summary
        .failures
        .iter()
        .filter(|failure| ![OUR_NETWORK, OUR_FILES].contains(&failure.error.as_str()))
    {
        told.entry(&failure.error).or_default().push(&failure.feed);
    }
    for (error, feeds) in told {
        if feeds.len() < MANY {
            for feed in feeds {
                tracing::warn!(feed, error, "poll failed");
            }
        } else {
            tracing::warn!(feeds = feeds.len(), first = feeds[0], error, "polls failed");
        }
    }
    tracing::info!(
        feeds = summary.feeds,
        not_modified = summary.not_modified,
        unchanged = summary.unchanged,
        changed = summary.changed,
        failed = summary.failed,
        entries_new = summary.entries_new,
        entries_updated = summary.entries_updated,
        duration_ms = summary.duration_ms,
        "polled"
    );
}

async fn next_tick(poller: &Poller) {
    let Some(tick) = poller.next_tick() else {
        return std::future::pending().await;
    };
    while let Ok(wait) = (tick - poller.now()).to_std() {
        if wait.is_zero() {
            break;
        }
        tokio::time::sleep(wait.min(SLICE)).await;
    }
}
