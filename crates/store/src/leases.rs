//! Leases: which fetcher polls which feed at this moment, so that several can share the work.
//!
//! A fetcher leases a feed before it asks for it, and recording the poll ends the lease. A fetcher that died loses
//! its leases when they end. The clocks of the fetchers are taken to agree within the length of a lease.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::db::Transaction;
use crate::rows::{Fields, millis};
use crate::sql::{Sql, statements};
use crate::{Store, StoreError};

/// Feeds of one statement at most.
const ROWS: usize = 64;

const NEW_FETCHER: &str = "UPDATE site_state SET fetchers = fetchers + 1 RETURNING fetchers";
/// A lease that ends later than any can was given by a clock that was wrong; else a clock that jumped ahead and back would
/// keep its feed from everybody.
const END_OLD: &str = "DELETE FROM leases WHERE until_at <= $1 OR until_at > $2";
const WANTED: &str = "WITH v (id, version) AS (";
/// The feeds that are as the fetcher knows them and have no lease are not among them.
const NOT_FREE: &str = ") SELECT w.id, w.is_changed FROM (
        SELECT v.id, NOT EXISTS (SELECT 1 FROM feeds f WHERE f.id = v.id AND f.version = v.version) AS is_changed FROM v
    ) w WHERE w.is_changed OR EXISTS (SELECT 1 FROM leases l WHERE l.feed_id = w.id)";
/// The hosts at which other fetchers are, with all leases there.
const SHARED: &str = "SELECT host, COUNT(*) FROM leases
    WHERE host IN (SELECT o.host FROM leases o WHERE o.fetcher <> $1) GROUP BY host";
const ADD: &str = "INSERT INTO leases (feed_id, fetcher, host, until_at) ";
const RENEW: &str = "UPDATE leases SET until_at = $2 WHERE fetcher = $1";
const RELEASE: &str = "DELETE FROM leases WHERE fetcher = $1";

/// A feed that a fetcher wants to poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedFeed {
    /// The feed.
    pub feed_id: i64,
    /// [`model::Feed::version`] as the fetcher knows it.
    pub feed_version: i64,
    /// What counts as one host.
    pub host: String,
}

/// What came of wanting to poll a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// The feed is the fetcher's to poll.
    Given,
    /// It is no longer as the fetcher knows it: another one has polled it since, or a moderator has changed it.
    Changed,
    /// Another fetcher polls it, or died while it did.
    Held,
    /// Other fetchers ask as much of its host as one may.
    HostIsBusy,
}

impl Store {
    /// A number for one more fetcher.
    pub async fn new_fetcher(&self) -> Result<i64, StoreError> {
        let mut transaction = self.begin().await?;
        let number = Sql::new(NEW_FETCHER)
            .fetch_value("site_state", &mut transaction)
            .await?;
        transaction.commit().await?;
        Ok(number)
    }

    /// Leases what it may of `wanted` to `fetcher` until `until`, and tells, in the same order, what came of each.
    ///
    /// A host of whose feeds no other fetcher holds any is the fetcher's, which keeps to `per_host` by itself;
    /// at a host that several share, no more than `per_host` feeds are leased at once.
    pub async fn lease_feeds(
        &self,
        fetcher: i64,
        wanted: &[WantedFeed],
        per_host: usize,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Lease>, StoreError> {
        let mut transaction = self.begin().await?;
        let (now, latest) = (millis(now), millis(until + (until - now)));
        Sql::new(END_OLD)
            .bind(now)
            .bind(latest)
            .execute(&mut transaction)
            .await?;
        let not_free = not_free(&mut transaction, wanted).await?;
        let mut shared = shared_hosts(&mut transaction, fetcher).await?;
        let mut leases = Vec::with_capacity(wanted.len());
        let mut given = Vec::new();
        for feed in wanted {
            let lease = match (not_free.get(&feed.feed_id), shared.get_mut(&feed.host)) {
                (Some(lease), _) => *lease,
                (None, Some(at_host)) if *at_host >= per_host => Lease::HostIsBusy,
                (None, at_host) => {
                    if let Some(at_host) = at_host {
                        *at_host += 1;
                    }
                    given.push(feed);
                    Lease::Given
                }
            };
            leases.push(lease);
        }
        for feeds in statements(&given, ROWS) {
            let mut sql = Sql::new(ADD);
            sql.push_values(feeds, |row, feed| {
                row.push_bind(feed.feed_id)
                    .push_bind(fetcher)
                    .push_bind(&feed.host)
                    .push_bind(millis(until));
            });
            sql.execute(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(leases)
    }

    /// Makes the leases that `fetcher` still has end at `until`.
    pub async fn renew_leases(&self, fetcher: i64, until: DateTime<Utc>) -> Result<(), StoreError> {
        self.change_leases(Sql::new(RENEW).bind(fetcher).bind(millis(until)))
            .await
    }

    /// Ends all leases of `fetcher`: it polls nothing any more.
    pub async fn release_leases(&self, fetcher: i64) -> Result<(), StoreError> {
        self.change_leases(Sql::new(RELEASE).bind(fetcher)).await
    }

    async fn change_leases(&self, change: Sql<'_>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        change.execute(&mut transaction).await?;
        transaction.commit().await
    }
}

/// Ends the leases of `feeds`, whose polls are recorded.
pub(crate) async fn end(transaction: &mut Transaction, feeds: &[i64]) -> Result<(), StoreError> {
    for feeds in statements(feeds, ROWS) {
        let mut sql = Sql::new("DELETE FROM leases WHERE feed_id IN ");
        sql.push_list(feeds.iter().copied());
        sql.execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Those of the feeds that are not there to be leased, and why.
async fn not_free(
    transaction: &mut Transaction,
    wanted: &[WantedFeed],
) -> Result<HashMap<i64, Lease>, StoreError> {
    let mut not_free = HashMap::new();
    for wanted in statements(wanted, ROWS) {
        let mut sql = Sql::new(WANTED);
        sql.push_values(wanted, |row, feed| {
            row.push_bind(feed.feed_id).push_bind(feed.feed_version);
        })
        .push(NOT_FREE);
        for row in sql.fetch_all(&mut *transaction).await? {
            let mut fields = Fields::of("leases", &row);
            let (feed_id, is_changed) = (fields.take()?, fields.take()?);
            not_free.insert(feed_id, if is_changed { Lease::Changed } else { Lease::Held });
        }
    }
    Ok(not_free)
}

/// How many feeds are leased at each of the hosts at which fetchers other than this one are.
async fn shared_hosts(
    transaction: &mut Transaction,
    fetcher: i64,
) -> Result<HashMap<String, usize>, StoreError> {
    let rows = Sql::new(SHARED).bind(fetcher).fetch_all(transaction).await?;
    rows.iter()
        .map(|row| {
            let mut fields = Fields::of("leases", row);
            Ok((fields.take()?, fields.number()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, feed, minutes, now, poll, reread};
    use model::Feed;

    fn wanted(feed: &Feed, host: &str) -> WantedFeed {
        WantedFeed {
            feed_id: feed.id,
            feed_version: feed.version,
            host: host.to_owned(),
        }
    }

    /// A store with feeds, and two fetchers.
    async fn shared() -> (testing::TestStore, Vec<Feed>, i64, i64) {
        let store = testing::store().await;
        let mut feeds = Vec::new();
        for number in 0..4 {
            feeds.push(feed(&store, &format!("https://blog{number}.example.org/feed"), "Blog").await);
        }
        let (one, other) = (
            store.new_fetcher().await.unwrap(),
            store.new_fetcher().await.unwrap(),
        );
        assert_ne!(one, other);
        (store, feeds, one, other)
    }

    #[tokio::test]
    async fn a_feed_is_one_fetchers_until_its_poll_is_recorded_or_its_lease_ends() {
        let (store, feeds, one, other) = shared().await;
        let lease = async |fetcher, feed: &Feed, at| {
            let wanted = [wanted(feed, &feed.slug)];
            let leases = store
                .lease_feeds(fetcher, &wanted, 2, minutes(at), minutes(at + 1))
                .await;
            leases.unwrap()[0]
        };
        assert_eq!(lease(one, &feeds[0], 0).await, Lease::Given);
        assert_eq!(lease(other, &feeds[0], 0).await, Lease::Held);
        assert_eq!(lease(one, &feeds[0], 0).await, Lease::Held);
        assert_eq!(lease(other, &feeds[1], 0).await, Lease::Given);

        // Recorded, the feed is free for whoever knows how it stands now.
        let record = crate::PollRecord {
            fetcher: one,
            ..poll(&feeds[0], now())
        };
        assert!(store.record_polls(&[record]).await.unwrap()[0].accepted);
        assert_eq!(lease(other, &feeds[0], 0).await, Lease::Changed);
        assert_eq!(
            lease(other, &reread(&store, &feeds[0]).await, 0).await,
            Lease::Given
        );

        // A fetcher that died loses its feeds when their leases end, one that renews keeps them, one that stops gives them back.
        assert_eq!(lease(one, &feeds[2], 0).await, Lease::Given);
        store.renew_leases(one, minutes(5)).await.unwrap();
        assert_eq!(lease(other, &feeds[2], 4).await, Lease::Held);
        assert_eq!(lease(other, &feeds[2], 5).await, Lease::Given);
        store.release_leases(other).await.unwrap();
        assert_eq!(lease(one, &feeds[2], 5).await, Lease::Given);
    }

    #[tokio::test]
    async fn what_a_wrong_clock_leased_is_free() {
        let (store, feeds, ahead, right) = shared().await;
        let wanted = [wanted(&feeds[0], "host")];
        let year = 365 * 24 * 60;
        for (fetcher, at, lease) in [
            (ahead, year, Lease::Given),
            (right, 0, Lease::Given),
            (ahead, 0, Lease::Held),
        ] {
            let leases = store
                .lease_feeds(fetcher, &wanted, 2, minutes(at), minutes(at + 1))
                .await;
            assert_eq!(leases.unwrap(), [lease]);
        }
    }

    #[tokio::test]
    async fn what_comes_late_from_one_that_lost_its_lease_is_refused() {
        let (store, feeds, slow, quick) = shared().await;
        let wanted = [wanted(&feeds[0], "host")];
        store
            .lease_feeds(slow, &wanted, 2, now(), minutes(1))
            .await
            .unwrap();
        store
            .lease_feeds(quick, &wanted, 2, minutes(2), minutes(3))
            .await
            .unwrap();
        let by = |fetcher| crate::PollRecord {
            fetcher,
            ..poll(&feeds[0], minutes(2))
        };
        assert!(!store.record_polls(&[by(slow)]).await.unwrap()[0].accepted);
        assert!(store.record_polls(&[by(quick)]).await.unwrap()[0].accepted);
        assert!(!store.record_polls(&[by(slow)]).await.unwrap()[0].accepted);
    }

    #[tokio::test]
    async fn a_host_is_asked_no_more_by_two_than_by_one() {
        let (store, feeds, one, other) = shared().await;
        let lease = async |fetcher, feeds: &[Feed]| {
            let wanted: Vec<_> = feeds
                .iter()
                .map(|feed| wanted(feed, "platform.example"))
                .collect();
            store
                .lease_feeds(fetcher, &wanted, 2, now(), minutes(1))
                .await
                .unwrap()
        };
        // Alone at the host, a fetcher keeps to the limit by itself.
        assert_eq!(lease(one, &feeds[..3]).await, [Lease::Given; 3]);
        assert_eq!(lease(other, &feeds[3..]).await, [Lease::HostIsBusy]);
        for feed in &feeds[..2] {
            let record = crate::PollRecord {
                fetcher: one,
                ..poll(feed, now())
            };
            store.record_polls(&[record]).await.unwrap();
        }
        assert_eq!(lease(other, &feeds[3..]).await, [Lease::Given]);
        let again = reread(&store, &feeds[0]).await;
        assert_eq!(
            lease(one, std::slice::from_ref(&again)).await,
            [Lease::HostIsBusy]
        );
        assert_eq!(lease(one, &[]).await, []);
    }
}
