//! When to come back to a feed: pure functions of how the last poll ended.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The operator's bounds on how often a feed is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// Never sooner.
    pub min: Duration,
    /// Never later, unless the server asks for more.
    pub max: Duration,
}

impl Intervals {
    /// After an answer: as soon as the operator allows and the server's cache lifetime (RFC 9111 section 4.2)
    /// has run out, within the bounds.
    pub(crate) fn after_success(self, now: DateTime<Utc>, max_age: Option<Duration>) -> DateTime<Utc> {
        later(now, max_age.unwrap_or_default().clamp(self.min, self.max))
    }

    /// After the `failures`-th failure in a row: doubling from the shortest interval to the longest, and up to a
    /// tenth more, by feed, so that feeds that failed together do not come back together.
    pub(crate) fn after_failure(self, now: DateTime<Utc>, failures: u32, feed_id: i64) -> DateTime<Utc> {
        let doubled = self.min.saturating_mul(1 << failures.saturating_sub(1).min(16));
        let spread = u32::try_from(feed_id.rem_euclid(64)).unwrap_or_default();
        let wait = doubled.min(self.max);
        later(now, wait + wait * spread / 640)
    }

    /// After a first 410: when a second one counts.
    pub(crate) fn after_gone(self, now: DateTime<Utc>) -> DateTime<Utc> {
        later(now, self.max.max(GONE_CONFIRMED_AFTER))
    }
}

/// A feed is gone when it answers 410 twice, this far apart (contract section 8).
pub(crate) const GONE_CONFIRMED_AFTER: Duration = Duration::from_hours(24);

fn later(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| now.checked_add_signed(wait))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn minutes(at: DateTime<Utc>) -> i64 {
        (at - DateTime::UNIX_EPOCH).num_minutes()
    }

    #[test]
    fn the_cache_lifetime_counts_within_the_bounds() {
        let intervals = Intervals {
            min: HOUR / 2,
            max: 24 * HOUR,
        };
        let next = |age| minutes(intervals.after_success(DateTime::UNIX_EPOCH, age));
        assert_eq!(next(None), 30);
        assert_eq!(next(Some(Duration::from_mins(1))), 30);
        assert_eq!(next(Some(2 * HOUR)), 120);
        assert_eq!(next(Some(100 * HOUR)), 24 * 60);
    }

    #[test]
    fn failures_double_the_wait_up_to_the_longest() {
        let intervals = Intervals {
            min: HOUR / 2,
            max: 24 * HOUR,
        };
        let next = |failures, feed| minutes(intervals.after_failure(DateTime::UNIX_EPOCH, failures, feed));
        assert_eq!(
            [next(1, 0), next(2, 0), next(3, 0), next(40, 0)],
            [30, 60, 120, 1440]
        );
        assert!(next(40, 63) > 1440 && next(40, 63) < 1440 * 11 / 10);
    }
}
