//! Feeds as they stand: all, those that are due, and the last polls of one.

use chrono::{DateTime, Utc};
use model::{Feed, PollOutcome};

use crate::record::PollSummaryRow;
use crate::rows::{self, Fields, feed_columns, millis};
use crate::sql::Sql;
use crate::{Store, StoreError};

const FEEDS: &str = concat!(
    "SELECT ",
    feed_columns!(),
    " FROM feeds f JOIN members m ON m.id = f.member_id ORDER BY f.id"
);

const DUE: &str = concat!(
    "SELECT ",
    feed_columns!(),
    " FROM feeds f JOIN members m ON m.id = f.member_id
      WHERE f.status = 'active' AND f.next_poll_at <= $1
        AND (f.retry_after_at IS NULL OR f.retry_after_at <= $1)
      ORDER BY f.next_poll_at, f.id"
);

const LAST_POLL: &str = "SELECT MAX(last_polled_at) FROM feeds";

const RECENT_POLLS: &str =
    "SELECT polled_at, outcome, http_status, duration_ms, body_bytes, entries_new, entries_updated, error
    FROM polls WHERE feed_id = $1 ORDER BY number DESC LIMIT $2";

impl Store {
    /// Every feed, oldest first.
    pub async fn feeds(&self) -> Result<Vec<Feed>, StoreError> {
        let rows = Sql::new(FEEDS).fetch_all(self.readers()).await?;
        rows.iter().map(rows::feed).collect()
    }

    /// The active feeds whose time has come and that no running `Retry-After` holds back, the longest due first.
    pub async fn due_feeds(&self, now: DateTime<Utc>) -> Result<Vec<Feed>, StoreError> {
        let rows = Sql::new(DUE).bind(millis(now)).fetch_all(self.readers()).await?;
        rows.iter().map(rows::feed).collect()
    }

    /// When a feed was last polled, whatever came of it.
    pub async fn last_poll_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row = Sql::new(LAST_POLL).fetch_one(self.readers()).await?;
        Fields::of("feeds", &row).at_optional()
    }

    /// The last `limit` polls of a feed, newest first. At least the last 100 are kept.
    pub async fn recent_polls(&self, feed_id: i64, limit: u32) -> Result<Vec<PollSummaryRow>, StoreError> {
        let rows = Sql::new(RECENT_POLLS)
            .bind(feed_id)
            .bind(i64::from(limit))
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("polls", row);
                Ok(PollSummaryRow {
                    at: fields.at()?,
                    outcome: fields.read(PollOutcome::parse)?,
                    http_status: fields.number_optional()?,
                    duration_ms: fields.number()?,
                    body_bytes: fields.number()?,
                    new: fields.number()?,
                    updated: fields.number()?,
                    error: fields.take()?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, feed, minutes, now, poll};

    #[tokio::test]
    async fn are_due_when_their_time_has_come_and_nothing_holds_them_back() {
        let store = testing::store().await;
        let names = ["later", "held", "paused", "sooner"];
        for name in names {
            let feed = feed(&store, &format!("https://{name}.example.org/feed"), name).await;
            let mut poll = poll(&feed, now());
            poll.state.next_poll_at = minutes(if name == "sooner" { 10 } else { 20 });
            poll.state.retry_after_at = (name == "held").then_some(minutes(40));
            if name == "paused" {
                poll.state.status = model::FeedStatus::Paused;
            }
            store.record_polls(&[poll]).await.unwrap();
        }
        let due = async |at| {
            let feeds = store.due_feeds(at).await.unwrap();
            feeds.into_iter().map(|feed| feed.slug).collect::<Vec<_>>()
        };
        assert_eq!(due(minutes(9)).await, [""; 0]);
        assert_eq!(due(minutes(10)).await, ["sooner"]);
        assert_eq!(due(minutes(20)).await, ["sooner", "later"]);
        assert_eq!(due(minutes(40)).await, ["sooner", "later", "held"]);
    }
}
