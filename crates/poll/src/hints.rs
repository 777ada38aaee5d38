//! What a feed says of how often and when it wants to be asked: RSS 2.0 `ttl`, `skipHours` and `skipDays`
//! (<https://www.rssboard.org/rss-specification>), and RSS 1.0's syndication module `sy:updatePeriod` and
//! `sy:updateFrequency` (<https://web.resource.org/rss/1.0/modules/syndication/>).
//!
//! Wishes, not orders: what cannot be read, or would leave no hour at all, is as if it were not there. Finding them in
//! a document is for `normalize`.

use std::time::Duration;

use chrono::{DateTime, Datelike, Timelike, Utc};
use normalize::Cadence;

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

const ALL_HOURS: u32 = (1 << 24) - 1;
const ALL_DAYS: u8 = (1 << 7) - 1;

/// A feed's wishes. Kept with the feed, for a 304 does not repeat them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hints {
    /// It changes no more often than this.
    pub interval: Option<Duration>,
    /// Hours of the day, in GMT, in which it wants to be left alone: bit 0 is the hour from midnight on.
    pub skip_hours: u32,
    /// Days of the week, in GMT, on which it wants to be left alone: bit 0 is Monday.
    pub skip_days: u8,
}

impl Hints {
    /// The wishes of a feed that was just read: its [`normalize::Document::ttl`], and what else it says.
    pub fn of(ttl: Option<Duration>, cadence: &Cadence) -> Self {
        let mut hints = Self::default();
        if let Some(ttl) = ttl {
            hints.ttl(ttl);
        }
        hints.syndication(cadence.period.as_deref(), cadence.frequency.as_deref());
        for hour in &cadence.skip_hours {
            hints.skip_hour(hour);
        }
        for day in &cadence.skip_days {
            hints.skip_day(day);
        }
        hints
    }

    /// Takes note of a `ttl`: "how many minutes a channel can be cached before refreshing from the source".
    pub(crate) fn ttl(&mut self, ttl: Duration) {
        self.no_more_often_than(ttl);
    }

    /// Takes note of `sy:updatePeriod` (`hourly` to `yearly`, `daily` if left out) and `sy:updateFrequency` (so many times
    /// in each period, once if left out). Both left out say nothing.
    pub(crate) fn syndication(&mut self, period: Option<&str>, frequency: Option<&str>) {
        const HOUR: u64 = 60 * 60;
        let hours = match period.map(|word| word.trim().to_ascii_lowercase()).as_deref() {
            None if frequency.is_none() => return,
            Some("hourly") => 1,
            None | Some("daily") => 24,
            Some("weekly") => 7 * 24,
            Some("monthly") => 30 * 24,
            Some("yearly") => 365 * 24,
            Some(_) => return,
        };
        let times = frequency.map_or(Some(1), |text| text.trim().parse::<u64>().ok());
        if let Some(times @ 1..) = times {
            self.no_more_often_than(Duration::from_secs(hours * HOUR / times));
        }
    }

    /// Takes note of an `hour` of `skipHours`: 0 to 23, and 24 as some older formats called midnight.
    pub(crate) fn skip_hour(&mut self, text: &str) {
        if let Ok(hour @ 0..=24) = text.trim().parse::<u32>() {
            self.skip_hours |= 1 << (hour % 24);
        }
    }

    /// Takes note of a `day` of `skipDays`, by its English name.
    pub(crate) fn skip_day(&mut self, text: &str) {
        let name = text.trim();
        if let Some(day) = DAYS.iter().position(|day| day.eq_ignore_ascii_case(name)) {
            self.skip_days |= 1 << day;
        }
    }

    fn no_more_often_than(&mut self, interval: Duration) {
        self.interval = self
            .interval
            .max(Some(interval).filter(|interval| !interval.is_zero()));
    }

    /// The first moment from `at` on that is in no skipped hour or day: `at` itself, or the full hour at which one ends.
    pub(crate) fn first_open(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        if self.skip_hours & ALL_HOURS == ALL_HOURS || self.skip_days & ALL_DAYS == ALL_DAYS {
            return at;
        }
        let closed = |at: DateTime<Utc>| {
            self.skip_hours >> at.hour() & 1 == 1
                || self.skip_days >> at.weekday().num_days_from_monday() & 1 == 1
        };
        let mut open = at;
        while closed(open) {
            let next_hour = open.timestamp().div_euclid(3_600) + 1;
            match DateTime::from_timestamp(next_hour * 3_600, 0) {
                Some(next) => open = next,
                None => return at,
            }
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_often_a_feed_changes() {
        let minutes = |period: Option<&str>, frequency: Option<&str>| {
            let mut hints = Hints::default();
            hints.syndication(period, frequency);
            hints.interval.map(|interval| interval.as_secs() / 60)
        };
        for (period, frequency, found) in [
            (None, None, None),
            (Some("hourly"), None, Some(60)),
            (Some("hourly"), Some("1"), Some(60)),
            (Some("hourly"), Some("4"), Some(15)),
            (Some(" Daily "), Some(" 2 "), Some(12 * 60)),
            (None, Some("2"), Some(12 * 60)),
            (Some("weekly"), None, Some(7 * 24 * 60)),
            (Some("monthly"), None, Some(30 * 24 * 60)),
            (Some("yearly"), None, Some(365 * 24 * 60)),
            (Some("hourly"), Some("0"), None),
            (Some("hourly"), Some("-1"), None),
            (Some("hourly"), Some("often"), None),
            (Some("hourly"), Some("99999999999999999999999"), None),
            (Some("hourly"), Some("18446744073709551615"), None),
            (Some("sometimes"), Some("1"), None),
        ] {
            assert_eq!(minutes(period, frequency), found, "{period:?} {frequency:?}");
        }
    }

    #[test]
    fn the_longest_wish_counts() {
        let mut hints = Hints::default();
        hints.ttl(Duration::ZERO);
        assert_eq!(hints.interval, None);
        hints.ttl(Duration::from_mins(90));
        hints.syndication(Some("hourly"), None);
        assert_eq!(hints.interval, Some(Duration::from_mins(90)));
        hints.syndication(Some("daily"), None);
        assert_eq!(hints.interval, Some(Duration::from_hours(24)));
    }

    #[test]
    fn all_that_a_feed_wishes() {
        let xml = "<rss><channel><sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>8</sy:updateFrequency>\
                   <skipHours><hour>0</hour><hour>23</hour></skipHours><skipDays><day>Sunday</day></skipDays><item/>";
        let hints = Hints::of(Some(Duration::from_hours(1)), &normalize::cadence(xml));
        assert_eq!(
            hints,
            Hints {
                interval: Some(Duration::from_hours(3)),
                skip_hours: 1 | 1 << 23,
                skip_days: 1 << 6,
            }
        );
    }

    #[test]
    fn the_first_open_hour() {
        for (hours, days, at, open) in [
            (&[][..], &[][..], "2026-11-23T09:17:03Z", "2026-11-23T09:17:03Z"),
            (&["8", "10"], &[], "2026-11-23T09:17:03Z", "2026-11-23T09:17:03Z"),
            (&["9"], &[], "2026-11-23T09:17:03Z", "2026-11-23T10:00:00Z"),
            (
                &["9", "10", "11"],
                &[],
                "2026-11-23T09:17:03Z",
                "2026-11-23T12:00:00Z",
            ),
            (&["23", "24"], &[], "2026-11-23T23:59:59Z", "2026-11-24T01:00:00Z"),
            (
                &["0"],
                &["monday"],
                "2026-11-23T09:00:00Z",
                "2026-11-24T01:00:00Z",
            ),
            (
                &[],
                &["Saturday", " SUNDAY "],
                "2026-11-28T12:00:00Z",
                "2026-11-30T00:00:00Z",
            ),
            (
                &["25", "-1", "noon", ""],
                &["Sabbath"],
                "2026-11-23T12:00:00Z",
                "2026-11-23T12:00:00Z",
            ),
        ] {
            let mut hints = Hints::default();
            for hour in hours {
                hints.skip_hour(hour);
            }
            for day in days {
                hints.skip_day(day);
            }
            let open: DateTime<Utc> = open.parse().unwrap();
            assert_eq!(
                hints.first_open(at.parse().unwrap()),
                open,
                "{hours:?} {days:?} {at}"
            );
        }
    }

    #[test]
    fn a_feed_that_skips_everything_skips_nothing() {
        let at: DateTime<Utc> = "2026-11-23T09:00:00Z".parse().unwrap();
        let mut hours = Hints::default();
        (0..24).for_each(|hour| hours.skip_hour(&hour.to_string()));
        assert_eq!(hours.first_open(at), at);
        let mut days = Hints::default();
        for day in DAYS {
            days.skip_day(day);
        }
        assert_eq!(days.first_open(at), at);
        // Six days and 23 hours leave one hour a week.
        let mut nearly = Hints::default();
        (0..23).for_each(|hour| nearly.skip_hour(&hour.to_string()));
        for day in &DAYS[..6] {
            nearly.skip_day(day);
        }
        assert_eq!(
            nearly.first_open(at),
            "2026-11-29T23:00:00Z".parse::<DateTime<Utc>>().unwrap()
        );
    }
}
