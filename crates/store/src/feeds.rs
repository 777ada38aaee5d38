//! Feeds as they stand: all, those that are due, and the last polls of one.

use chrono::{DateTime, TimeDelta, Utc};
use model::{Feed, PollOutcome};

use crate::record::PollSummaryRow;
use crate::rows::{self, Fields, all_packed, columns_of_a_feed, millis};
use crate::sql::{On, Sql};
use crate::{Store, StoreError};

pub(crate) const FEEDS: &str = concat!(
    "SELECT ",
    all_packed!(columns_of_a_feed!()),
    " FROM feeds f JOIN members m ON m.id = f.member_id WHERE f.withdrawn_at IS NULL"
);

/// All others are well, and known to be.
const TROUBLED: &str = concat!(
    "SELECT ",
    all_packed!(columns_of_a_feed!()),
    " FROM feeds f JOIN members m ON m.id = f.member_id
     WHERE f.withdrawn_at IS NULL AND (f.failing_since_at IS NOT NULL OR f.status = 'gone'
         OR f.id IN (SELECT t.feed_id FROM feed_troubles t WHERE t.ended_at IS NULL))"
);

/// A moment at which feeds are due or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The moment.
    pub now: DateTime<Utc>,
    /// No poll is set for later than this, a `Retry-After` aside: one that is was set by a clock that was wrong.
    pub furthest: DateTime<Utc>,
}

/// The longest that a `Retry-After` holds a feed back (contract section 8).
const LONGEST_REFUSAL: TimeDelta = TimeDelta::days(31);

/// Whether a feed's time has come, by the values of [`Due::bound`].
macro_rules! is_due {
    () => {
        "(next_poll_at <= $1 OR next_poll_at > $2)
            AND (retry_after_at IS NULL OR retry_after_at <= $1 OR retry_after_at > $3)"
    };
}
pub(crate) use is_due;

impl Due {
    /// Whether a `Retry-After` holds a feed back.
    pub fn is_refused(self, retry_after_at: Option<DateTime<Utc>>) -> bool {
        retry_after_at.is_some_and(|until| until > self.now && until <= self.latest_refusal())
    }

    /// No `Retry-After` that is obeyed ends later.
    pub(crate) fn latest_refusal(self) -> DateTime<Utc> {
        self.now.checked_add_signed(LONGEST_REFUSAL).unwrap_or(self.now)
    }

    /// Gives [`is_due`] its values.
    pub(crate) fn bound(self, sql: Sql<'_>) -> Sql<'_> {
        sql.bind(millis(self.now))
            .bind(millis(self.furthest.max(self.now)))
            .bind(millis(self.latest_refusal()))
    }
}

const DUE: &str = concat!(
    "SELECT ",
    all_packed!(columns_of_a_feed!()),
    " FROM feeds f JOIN members m ON m.id = f.member_id WHERE f.status = 'active' AND ",
    is_due!()
);

/// What somebody is just polling is left to them.
const DECIDED_ON: &str = concat!(
    "SELECT ",
    all_packed!(columns_of_a_feed!()),
    " FROM feeds f JOIN members m ON m.id = f.member_id
     WHERE f.next_poll_why = 'decided' AND f.status = 'active' AND ",
    is_due!(),
    " AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.feed_id = f.id AND l.until_at > $1)"
);

const LAST_POLL: &str = "SELECT MAX(last_polled_at) FROM feeds";

const RECENT_POLLS: &str =
    "SELECT polled_at, outcome, http_status, duration_ms, body_bytes, entries_new, entries_updated, error
    FROM polls WHERE feed_id = $1 ORDER BY number DESC LIMIT $2";
const NOT_MODIFIED: &str =
    "SELECT COUNT(*), COALESCE(SUM(CASE WHEN r.outcome = 'not_modified' THEN 1 ELSE 0 END), 0)
    FROM (SELECT p.outcome FROM polls p WHERE p.feed_id = $1 ORDER BY p.number DESC LIMIT $2) r";

/// The feeds that a statement gives, packed; oldest first.
pub(crate) async fn fetch<'c>(sql: Sql<'_>, on: impl Into<On<'c>>) -> Result<Vec<Feed>, StoreError> {
    let rows = sql.fetch_packed("feeds", columns_of_a_feed!(), on).await?;
    let mut feeds = Vec::with_capacity(rows.count);
    for packed in rows.iter() {
        feeds.push(rows::unpacked_feed(&packed?)?);
    }
    feeds.sort_by_key(|feed| feed.id);
    Ok(feeds)
}

impl Store {
    /// Every feed, oldest first; those that were withdrawn left nothing to show.
    pub async fn feeds(&self) -> Result<Vec<Feed>, StoreError> {
        fetch(Sql::new(FEEDS), self.readers()).await
    }

    /// The feeds that fail or are gone, and those of which [`Store::open_troubles`] still says so.
    pub async fn troubled_feeds(&self) -> Result<Vec<Feed>, StoreError> {
        fetch(Sql::new(TROUBLED), self.readers()).await
    }

    /// The active feeds whose time has come and that no running `Retry-After` holds back, the longest due first. A time
    /// that lies beyond anything that is ever set counts as come; else a clock that jumped ahead and back would silence
    /// its feed.
    pub async fn due_feeds(&self, due: Due) -> Result<Vec<Feed>, StoreError> {
        let mut feeds = fetch(due.bound(Sql::new(DUE)), self.readers()).await?;
        feeds.sort_by_key(|feed| feed.next_poll_at);
        Ok(feeds)
    }

    /// Those of the feeds that are due that nobody has polled since somebody decided about them: approved or resumed them, or
    /// moved them.
    pub async fn feeds_decided_on(&self, due: Due) -> Result<Vec<Feed>, StoreError> {
        fetch(due.bound(Sql::new(DECIDED_ON)), self.readers()).await
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

    /// How many polls of a feed there are, of the last `limit`, and in how many of those the feed had not changed (304).
    pub async fn polls_not_modified(&self, feed_id: i64, limit: u32) -> Result<(u32, u32), StoreError> {
        let row = Sql::new(NOT_MODIFIED)
            .bind(feed_id)
            .bind(i64::from(limit))
            .fetch_one(self.readers())
            .await?;
        let mut fields = Fields::of("polls", &row);
        Ok((fields.number()?, fields.number()?))
    }
}

#[cfg(test)]
mod tests {
    use crate::HealthChange;
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
            let feeds = store.due_feeds(testing::due(at)).await.unwrap();
            feeds.into_iter().map(|feed| feed.slug).collect::<Vec<_>>()
        };
        assert_eq!(due(minutes(9)).await, [""; 0]);
        assert_eq!(due(minutes(10)).await, ["sooner"]);
        assert_eq!(due(minutes(20)).await, ["sooner", "later"]);
        assert_eq!(due(minutes(40)).await, ["sooner", "later", "held"]);
    }

    #[tokio::test]
    async fn the_troubled_are_those_that_fail_and_those_whose_trouble_is_not_noted_as_over() {
        let store = testing::store().await;
        for name in ["well", "failing", "gone", "mended"] {
            let feed = feed(&store, &format!("https://{name}.example.org/feed"), name).await;
            let mut poll = poll(&feed, now());
            poll.state.failing_since = (name == "failing").then(now);
            if name == "gone" {
                poll.state.status = model::FeedStatus::Gone;
            }
            store.record_polls(&[poll]).await.unwrap();
            if name == "mended" {
                let broke = HealthChange::Broke(now(), "It failed.".to_owned());
                store.note_health(&[(feed.id, broke)], now()).await.unwrap();
            }
        }
        let troubled = async || {
            let feeds = store.troubled_feeds().await.unwrap();
            feeds.into_iter().map(|feed| feed.slug).collect::<Vec<_>>()
        };
        assert_eq!(troubled().await, ["failing", "gone", "mended"]);
        let mended = store.feeds().await.unwrap().pop().unwrap();
        store
            .note_health(&[(mended.id, HealthChange::Well)], minutes(1))
            .await
            .unwrap();
        assert_eq!(troubled().await, ["failing", "gone"]);
    }

    #[tokio::test]
    async fn what_a_wrong_clock_set_holds_nothing_back() {
        let store = testing::store().await;
        let a_year = 365 * 24 * 60;
        for (name, next, retry_after) in [
            ("tomorrow", 24 * 60, None),
            ("next-year", a_year, None),
            ("refused", 10, Some(31 * 24 * 60)),
            ("refused-for-a-year", a_year, Some(a_year)),
        ] {
            let feed = feed(&store, &format!("https://{name}.example.org/feed"), name).await;
            let mut poll = poll(&feed, now());
            poll.state.next_poll_at = minutes(next);
            poll.state.retry_after_at = retry_after.map(minutes);
            store.record_polls(&[poll]).await.unwrap();
        }
        let due = store.due_feeds(testing::due(now())).await.unwrap();
        let slugs: Vec<&str> = due.iter().map(|feed| feed.slug.as_str()).collect();
        assert_eq!(slugs, ["next-year", "refused-for-a-year"]);
        assert_eq!(store.vitals(testing::due(now())).await.unwrap().due, 2);
        let held_back = store.feeds().await.unwrap();
        let held_back = held_back
            .iter()
            .filter(|feed| testing::due(now()).is_refused(feed.retry_after_at));
        assert_eq!(
            held_back.map(|feed| feed.slug.as_str()).collect::<Vec<_>>(),
            ["refused"]
        );
    }
}
