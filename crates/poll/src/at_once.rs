//! What is polled without waiting for the schedule: what hubs push, and what somebody decided about.
//!
//! Both are noted in the store, by whichever process heard of it; each fetcher glances there.

use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::daemon::tell;
use crate::network::Network;
use crate::poller::{Poller, stopped};
use crate::websub::Trouble;

/// How often it is looked whether there is something to poll.
const GLANCE: Duration = Duration::from_secs(1);

/// However much is pushed, a feed is not polled more often than this because of it.
const APART: Duration = Duration::from_secs(10);

/// Polls feeds of which hubs push something, and feeds that somebody approved, resumed or moved, until `stop` turns true.
pub(crate) async fn poll(poller: &watch::Receiver<Arc<Poller>>, stop: &watch::Receiver<bool>) {
    let mut trouble = Trouble::default();
    loop {
        let current = Arc::clone(&poller.borrow());
        let done = current.poll_at_once(stop).await;
        trouble.tell("what is to be polled at once cannot be looked for", &done);
        tokio::select! {
            () = stopped(stop.clone()) => return,
            () = sleep(GLANCE) => {}
        }
    }
}

impl Poller {
    async fn poll_at_once(&self, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
        let due = self.intervals.due(self.now());
        let mut feeds = self.store.take_pushed_feeds(due, APART).await?;
        let decided_on = self.store.feeds_decided_on(due).await?;
        if feeds.is_empty() && decided_on.is_empty() {
            return Ok(());
        }
        tracing::info!(
            pushed = feeds.len(),
            decided_on = decided_on.len(),
            "polling at once"
        );
        feeds.extend(decided_on);
        tell(&self.poll(feeds, &mut Network::default(), stop, &|_| ()).await);
        Ok(())
    }
}
