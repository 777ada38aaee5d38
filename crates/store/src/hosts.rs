//! What we asked of each host, day by day: the ledger that its own log is to agree with.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::db::Transaction;
use crate::record::HostRequest;
use crate::rows::Fields;
use crate::sql::{Sql, statements};
use crate::{Store, StoreError};

/// Rows of one statement at most.
const ROWS: usize = 64;
/// For how long a day is kept.
const KEPT: TimeDelta = TimeDelta::days(60);

const ADD: &str = "INSERT INTO host_days (day, host, requests, not_modified, bytes) ";
const ADD_TO: &str =
    " ON CONFLICT (day, host) DO UPDATE SET requests = host_days.requests + excluded.requests,
    not_modified = host_days.not_modified + excluded.not_modified, bytes = host_days.bytes + excluded.bytes";
const FORGET: &str = "DELETE FROM host_days WHERE day < $1";
const USE: &str = "SELECT host, CAST(SUM(requests) AS BIGINT), CAST(SUM(not_modified) AS BIGINT),
        CAST(SUM(bytes) AS BIGINT)
    FROM host_days WHERE day >= $1 GROUP BY host ORDER BY host";

/// What we asked of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostUse {
    /// A name or an address, without the port.
    pub host: String,
    /// Requests, those of redirects included.
    pub requests: u64,
    /// How many were answered with a 304.
    pub not_modified: u64,
    /// Bytes of bodies as they came over the wire.
    pub bytes: u64,
}

impl Store {
    /// What we asked of each host from `since` (a day in UTC) on, by name. Days of the last two months are kept.
    pub async fn host_use(&self, since: NaiveDate) -> Result<Vec<HostUse>, StoreError> {
        let rows = Sql::new(USE)
            .bind(since.to_string())
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("host_days", row);
                Ok(HostUse {
                    host: fields.take()?,
                    requests: fields.number()?,
                    not_modified: fields.number()?,
                    bytes: fields.number()?,
                })
            })
            .collect()
    }
}

impl Store {
    /// Adds requests that were made at `at` and belong to no poll.
    pub async fn note_requests(&self, at: DateTime<Utc>, made: &[HostRequest]) -> Result<(), StoreError> {
        if made.is_empty() {
            return Ok(());
        }
        let made: Vec<_> = made.iter().map(|request| (at, request)).collect();
        let mut transaction = self.begin().await?;
        add(&mut transaction, &made).await?;
        transaction.commit().await
    }
}

/// Adds these requests, each with when it was made.
pub(crate) async fn add(
    transaction: &mut Transaction,
    made: &[(DateTime<Utc>, &HostRequest)],
) -> Result<(), StoreError> {
    let mut days: BTreeMap<(NaiveDate, &str), [u64; 3]> = BTreeMap::new();
    for (at, request) in made {
        let day = (at.date_naive(), request.host.as_str());
        let [requests, not_modified, bytes] = days.entry(day).or_default();
        *requests += 1;
        *not_modified += u64::from(request.not_modified);
        *bytes += request.bytes;
    }
    let days: Vec<_> = days.into_iter().collect();
    for days in statements(&days, ROWS) {
        let mut sql = Sql::new(ADD);
        sql.push_values(days, |row, ((day, host), [requests, not_modified, bytes])| {
            row.push_bind(day.to_string())
                .push_bind(*host)
                .push_bind(*requests as i64)
                .push_bind(*not_modified as i64)
                .push_bind(*bytes as i64);
        })
        .push(ADD_TO);
        sql.execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Forgets days that are long past.
pub(crate) async fn forget(transaction: &mut Transaction, now: DateTime<Utc>) -> Result<(), StoreError> {
    if let Some(from) = now.checked_sub_signed(KEPT) {
        Sql::new(FORGET)
            .bind(from.date_naive().to_string())
            .execute(transaction)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::HostRequest;
    use crate::testing::{self, at, feed, minutes, plan, poll};

    fn asked(host: &str, not_modified: bool, bytes: u64) -> HostRequest {
        HostRequest {
            host: host.to_owned(),
            not_modified,
            bytes,
        }
    }

    #[tokio::test]
    async fn requests_add_up_by_host_and_day() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        let mut first = poll(&ada, minutes(0));
        first.requests = vec![
            asked("ada.example.org", false, 0),
            asked("cdn.example", false, 700),
        ];
        let mut second = poll(&ben, minutes(0));
        second.requests = vec![asked("cdn.example", true, 0)];
        // The third comes too late to be accepted, but the host was asked.
        let mut third = first.clone();
        third.requests = vec![asked("ada.example.org", false, 5)];
        let counts = store.record_polls(&[first, second, third]).await.unwrap();
        assert!(!counts[2].accepted);
        let mut tomorrow = poll(&testing::reread(&store, &ada).await, minutes(24 * 60));
        tomorrow.requests = vec![asked("ada.example.org", true, 0)];
        store.record_polls(&[tomorrow]).await.unwrap();
        // Requests that belong to no poll: a preview, a hub.
        let preview = [asked("cdn.example", false, 9)];
        store.note_requests(minutes(1), &preview).await.unwrap();
        store.note_requests(minutes(1), &[]).await.unwrap();

        let line = |host: &str, requests, not_modified, bytes| HostUse {
            host: host.to_owned(),
            requests,
            not_modified,
            bytes,
        };
        let since = |text: &str| at(text).date_naive();
        assert_eq!(
            store.host_use(since("2026-11-23T00:00:00Z")).await.unwrap(),
            [line("ada.example.org", 3, 1, 5), line("cdn.example", 3, 1, 709)]
        );
        assert_eq!(
            store.host_use(since("2026-11-24T00:00:00Z")).await.unwrap(),
            [line("ada.example.org", 1, 1, 0)]
        );
    }

    #[tokio::test]
    async fn days_long_past_are_forgotten() {
        let store = testing::store().await;
        let mut ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        for day in 0..100 {
            let mut poll = poll(&ada, minutes(day * 24 * 60));
            poll.requests = vec![asked("ada.example.org", true, 0)];
            store.record_polls(&[poll]).await.unwrap();
            ada.version += 1;
        }
        let kept = store
            .host_use(at("2026-01-01T00:00:00Z").date_naive())
            .await
            .unwrap();
        assert!((60..100).contains(&kept[0].requests), "{kept:?}");
    }

    #[tokio::test]
    async fn days_are_found_by_their_key() {
        let store = testing::sqlite().await;
        for sql in [FORGET, USE] {
            let plan = plan(&store, sql.to_owned()).await;
            assert!(plan.contains("SEARCH host_days USING PRIMARY KEY"), "{plan}");
        }
    }
}
