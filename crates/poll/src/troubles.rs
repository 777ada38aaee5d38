//! What has broken and what is well again, noted once for each time, so that those whose feeds they are can be told.
//!
//! Derived from how the feeds stand, not from the polls: whoever looks next, after a crash too, finds what nobody noted.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use model::{Feed, FeedStatus, HealthState};
use store::{HealthChange, StoreError};

use crate::poller::Poller;

/// How many failures in a row are more than a hiccup of a server.
const MORE_THAN_A_HICCUP: u32 = 2;

impl Poller {
    /// Notes what changed; what cannot be noted now is noted after the next round.
    pub(crate) async fn note_troubles(&self) {
        if let Err(error) = self.note_what_changed().await {
            tracing::warn!(%error, "how feeds fare could not be noted; trying again after the next round");
        }
    }

    async fn note_what_changed(&self) -> Result<(), StoreError> {
        let now = self.now();
        let open: HashSet<i64> = self
            .store
            .open_troubles()
            .await?
            .into_iter()
            .map(|(feed, _)| feed)
            .collect();
        let mut changes = Vec::new();
        for feed in self.store.troubled_feeds().await? {
            let change = match (self.fares(&feed, now), open.contains(&feed.id)) {
                (Fares::Broken(since, reason), false) => HealthChange::Broke(since, reason),
                (Fares::Well, true) => HealthChange::Well,
                _ => continue,
            };
            changes.push((feed.id, change));
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.store.note_health(&changes, now).await
    }

    fn fares(&self, feed: &Feed, now: DateTime<Utc>) -> Fares {
        let health = feed.health(self.site.timezone, now);
        match health.state {
            HealthState::Gone | HealthState::NotAFeed => {
                Fares::Broken(health.since.unwrap_or(now), health.reason)
            }
            HealthState::Failing if feed.failures >= MORE_THAN_A_HICCUP => {
                Fares::Broken(health.since.unwrap_or(now), health.reason)
            }
            HealthState::Healthy | HealthState::Quiet | HealthState::Moved
                if feed.status == FeedStatus::Active =>
            {
                Fares::Well
            }
            _ => Fares::Undecided,
        }
    }
}

enum Fares {
    Broken(DateTime<Utc>, String),
    Well,
    /// Not polled, not asked yet, looked at by a moderator, or failing for the first time.
    Undecided,
}
