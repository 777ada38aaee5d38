//! The loop of a running Voice: wake by the schedule, poll what is due, sleep.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::network::Network;
use crate::poller::{OUR_NETWORK, Poller, Selection, stopped};
use crate::{hub, retag};

/// A sleep is cut into slices of this length, so that a clock that jumps is noticed.
const SLICE: Duration = Duration::from_secs(30);

/// Polls what is due, at once and then at each tick of the schedule, until `stop` turns true; meanwhile gives the
/// archive its topics by the present rules, and tells the hub what changed. A new poller (after a reload of the configuration) takes over at the next
/// tick. A tick that passes while polls are running is not made up for: what is due then is due still.
pub async fn run(poller: watch::Receiver<Arc<Poller>>, stop: watch::Receiver<bool>) {
    tokio::select! {
        () = go_round(poller.clone(), stop.clone()) => {}
        () = retag::follow(poller.clone(), &stop) => {}
        () = hub::tell(poller) => {}
    }
}

async fn go_round(poller: watch::Receiver<Arc<Poller>>, stop: watch::Receiver<bool>) {
    let mut network = Network::default();
    loop {
        let current = Arc::clone(&poller.borrow());
        poll_due(&current, &mut network, &stop).await;
        tokio::select! {
            () = stopped(stop.clone()) => return,
            () = next_tick(&current) => {}
        }
    }
}

async fn poll_due(poller: &Poller, network: &mut Network, stop: &watch::Receiver<bool>) {
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
    let summary = poller.poll(feeds, network, stop, &|_| ()).await;
    // That our network is down has been said, once.
    for failure in summary
        .failures
        .iter()
        .filter(|failure| failure.error != OUR_NETWORK)
    {
        tracing::warn!(feed = failure.feed, error = failure.error, "poll failed");
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
