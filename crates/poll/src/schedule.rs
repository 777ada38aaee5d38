//! When to come back to a feed: pure functions of how the last poll ended, of how often its blog writes, and of
//! what its server and the feed itself ask.
//!
//! Nothing here gives up on a feed for ever; only a second 410 ends polling, and that is for `moves` to say. Jitter is
//! computed and not drawn, from the feed and the number of its poll, so that the same history has the same future.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use model::Why;
use store::Due;

use crate::hints::Hints;

/// A feed is gone when it answers 410 twice, this far apart (contract section 8).
pub(crate) const GONE_CONFIRMED_AFTER: Duration = Duration::from_hours(24);

/// How many times a blog is asked for each post that it writes: its readers wait for a twenty-fourth of the time
/// between two posts at most, and 23 of 24 answers are a 304.
const ASKS_PER_POST: u32 = 24;

/// How many of the latest entries tell the rhythm of a blog. It has one, whatever it did years ago.
const LOOK_BACK: u32 = 10;

/// Feeds of which no date is known are asked this many times within the longest interval.
const ASKS_WITHOUT_DATES: u32 = 4;

/// Jitter is up to a fifth of the wait, as one part in so many. A tenth of half an hour is lost between two ticks of five
/// minutes, and what once came together comes together for ever.
const JITTER: u32 = 5;

/// How far those are spread at most who may come back at one moment: the end of a skipped hour, or of a `Retry-After`
/// that a platform gave to a thousand tenants at once.
const CROWD: Duration = Duration::from_mins(30);

/// How long to wait for our own network. Nobody is asked anything meanwhile, so it may be short.
const OUTAGE_RETRY: Duration = Duration::from_mins(5);

/// The operator's bounds on how often a feed is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// Never sooner.
    pub min: Duration,
    /// Never later, unless the server asks for more.
    pub max: Duration,
}

/// Which poll of which feed: what jitter is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The store's number of the feed.
    pub feed: i64,
    /// The number of the poll that has just ended; [`model::Feed::version`] counts them.
    pub poll: i64,
}

/// How often a blog has written of late: so many posts since then. It is all that a rhythm needs, so that a 304 need not
/// look up a single entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The date of the earliest of the latest entries, or of its arrival.
    pub since: DateTime<Utc>,
    /// How many those are.
    pub posts: u32,
}

impl Written {
    /// By the dates of a blog's entries, or of their arrival, in any order. `None` if there is none up to `now`.
    pub fn of(dates: &[DateTime<Utc>], now: DateTime<Utc>) -> Option<Self> {
        let mut latest: Vec<DateTime<Utc>> = dates.iter().copied().filter(|&at| at <= now).collect();
        latest.sort_unstable_by_key(|&at| std::cmp::Reverse(at));
        latest.truncate(LOOK_BACK as usize);
        Some(Self {
            since: *latest.last()?,
            posts: latest.len() as u32,
        })
    }

    /// A fraction of the time that passes between two posts. The silence since the last counts, so that a blog that has
    /// fallen silent is asked less and less often.
    fn rhythm(self, now: DateTime<Utc>) -> Duration {
        let span = (now - self.since).to_std().unwrap_or_default();
        span / self.posts.max(1) / ASKS_PER_POST
    }
}

/// When a feed is due again, and why then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextPoll {
    /// When.
    pub at: DateTime<Utc>,
    /// Why then and not sooner.
    pub why: Why,
}

impl Intervals {
    /// After an answer, changed or not: by the rhythm of the blog, but not before the answer is stale (`fresh_for`, RFC
    /// 9111 section 4.2) or the feed wants to be asked ([`Hints`]); never before `min` or after `max`, whatever anybody
    /// asks.
    pub fn after_answer(
        self,
        now: DateTime<Utc>,
        written: Option<Written>,
        fresh_for: Option<Duration>,
        hints: &Hints,
        turn: Turn,
    ) -> NextPoll {
        let (own, own_why) = match written {
            Some(written) => (written.rhythm(now), Why::Rhythm),
            None => (self.max / ASKS_WITHOUT_DATES, Why::NoRhythm),
        };
        let fresh = fresh_for.unwrap_or_default();
        let feed = hints.interval.unwrap_or_default();
        let (asked, asked_why) = if feed > fresh {
            (feed, Why::FeedAsks)
        } else {
            (fresh, Why::Fresh)
        };
        let floor = self.within(asked);
        let (wait, why) = if floor > self.within(own) {
            (floor, asked_why)
        } else {
            (self.within(own), own_why)
        };
        let at = later(now, self.spread(floor, wait, turn));
        let open = hints.first_open(at);
        if open == at {
            return NextPoll { at, why };
        }
        NextPoll {
            at: later(open, turn.part_of(CROWD)).min(later(now, self.max)),
            why: Why::Skipped,
        }
    }

    /// After the `failures`-th failure in a row: doubling from the shortest interval to the longest and then staying
    /// there, so that a feed that comes back after a year is heard of within a day.
    pub fn after_trouble(self, now: DateTime<Utc>, failures: u32, turn: Turn) -> NextPoll {
        let doubled = self.min.saturating_mul(1 << failures.saturating_sub(1).min(20));
        NextPoll {
            at: later(now, self.spread(self.min, self.within(doubled), turn)),
            why: Why::BackOff,
        }
    }

    /// After a refusal that says when to come again (RFC 9110 section 10.2.3): not before `until`, be it beyond the
    /// longest interval, nor before the failure alone would allow.
    pub fn after_refusal(
        self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        failures: u32,
        turn: Turn,
    ) -> NextPoll {
        let trouble = self.after_trouble(now, failures, turn);
        if trouble.at >= until {
            return trouble;
        }
        let wait = (until - now).to_std().unwrap_or_default();
        NextPoll {
            at: later(until, turn.part_of((wait / JITTER).min(CROWD))),
            why: Why::RetryAfter,
        }
    }

    /// After a first 410: when a second one counts.
    pub fn after_first_410(self, now: DateTime<Utc>, turn: Turn) -> NextPoll {
        let wait = self.max.max(GONE_CONFIRMED_AFTER);
        NextPoll {
            at: later(now, wait + turn.part_of(CROWD)),
            why: Why::GoneOnce,
        }
    }

    /// After a poll that came to nothing because our own network was down (see `network`).
    pub fn after_outage(self, now: DateTime<Utc>, turn: Turn) -> NextPoll {
        let wait = OUTAGE_RETRY.min(self.min);
        NextPoll {
            at: later(now, wait + turn.part_of(wait / JITTER)),
            why: Why::Outage,
        }
    }

    /// What the store is asked to tell which feeds are due. No wait that any of these sets is longer, a `Retry-After`
    /// aside.
    pub fn due(self, now: DateTime<Utc>) -> Due {
        Due {
            now,
            furthest: later(now, self.max.max(self.min).max(GONE_CONFIRMED_AFTER) + CROWD),
        }
    }

    fn within(self, wait: Duration) -> Duration {
        wait.clamp(self.min, self.max.max(self.min))
    }

    /// A wait of about `wait`, never below `floor` or above the longest interval: from a window of a fifth of it that lies
    /// as far up as there is room.
    fn spread(self, floor: Duration, wait: Duration, turn: Turn) -> Duration {
        let width = wait / JITTER;
        let end = self.within(wait + width);
        let start = floor.max(end.saturating_sub(width));
        start + turn.part_of(end.saturating_sub(start))
    }
}

impl Turn {
    /// A part of `whole`, spread evenly over feeds and polls: SplitMix64 of the two numbers.
    fn part_of(self, whole: Duration) -> Duration {
        let mut bits = (self.feed as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(self.poll as u64)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let part = (bits ^ (bits >> 31)) >> 44;
        Duration::from_millis((whole.as_millis() as u64).saturating_mul(part) >> 20)
    }
}

fn later(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| now.checked_add_signed(wait))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const HOUR: Duration = Duration::from_hours(1);
    const DAY: Duration = Duration::from_hours(24);

    const INTERVALS: Intervals = Intervals {
        min: Duration::from_mins(30),
        max: DAY,
    };

    fn now() -> DateTime<Utc> {
        "2026-11-23T09:00:00Z".parse().unwrap()
    }

    /// `count` posts, the last of them `since` ago, one `each`.
    fn posts(since: Duration, each: Duration, count: u32) -> Option<Written> {
        let dates: Vec<DateTime<Utc>> = (0..count).map(|n| now() - since - each * n).collect();
        Written::of(&dates, now())
    }

    /// The shortest and the longest wait that jitter makes of it, and the one reason.
    fn waits(next: impl Fn(Turn) -> NextPoll) -> (Duration, Duration, Why) {
        let all: Vec<NextPoll> = (0..40)
            .flat_map(|feed| (0..10).map(move |poll| Turn { feed, poll }))
            .map(next)
            .collect();
        let why = all[0].why;
        assert!(all.iter().all(|next| next.why == why), "{all:?}");
        let wait = |at: DateTime<Utc>| (at - now()).to_std().unwrap();
        let (first, last) = (
            all.iter().map(|next| next.at).min().unwrap(),
            all.iter().map(|next| next.at).max().unwrap(),
        );
        (wait(first), wait(last), why)
    }

    fn within(found: (Duration, Duration, Why), least: Duration, most: Duration, why: Why) {
        assert!(
            found.0 >= least && found.1 <= most && found.2 == why,
            "{found:?}, not {least:?} to {most:?} by {why:?}"
        );
    }

    #[test]
    fn polls_adapt_to_how_often_a_blog_writes() {
        for (since, each, count, least, most) in [
            // Ten a day, daily, weekly, and monthly, which is beyond the longest interval.
            (2 * HOUR, 2 * HOUR + 24 * MINUTE, 10, 30 * MINUTE, 36 * MINUTE),
            (DAY, DAY, 10, HOUR, HOUR * 6 / 5),
            (7 * DAY, 7 * DAY, 10, 7 * HOUR, 7 * HOUR * 6 / 5),
            (30 * DAY, 30 * DAY, 10, DAY * 4 / 5, DAY),
            // A single post: a young blog is asked often, and less and less as it stays silent.
            (MINUTE, DAY, 1, 30 * MINUTE, 36 * MINUTE),
            (4 * DAY, DAY, 1, 4 * HOUR, 4 * HOUR * 6 / 5),
            (300 * DAY, DAY, 1, DAY * 4 / 5, DAY),
            // A daily blog that fell silent for two months.
            (60 * DAY, DAY, 10, 6 * HOUR, 9 * HOUR),
        ] {
            let written = posts(since, each, count);
            let found = waits(|turn| INTERVALS.after_answer(now(), written, None, &Hints::default(), turn));
            within(found, least, most, Why::Rhythm);
        }
    }

    #[test]
    fn the_last_ten_dates_tell_the_rhythm() {
        let days = |days: &[u32]| -> Vec<DateTime<Utc>> { days.iter().map(|&n| now() - DAY * n).collect() };
        let written = |since: u32, posts| {
            Some(Written {
                since: now() - DAY * since,
                posts,
            })
        };
        assert_eq!(Written::of(&days(&[3, 1, 2]), now()), written(3, 3));
        let years: Vec<u32> = (0..400).rev().collect();
        assert_eq!(Written::of(&days(&years), now()), written(9, 10));
        let mut with_future = days(&[5]);
        with_future.push(now() + DAY);
        assert_eq!(Written::of(&with_future, now()), written(5, 1));
    }

    #[test]
    fn dates_in_the_future_and_none_at_all_tell_nothing() {
        let unknown = |written: &[DateTime<Utc>]| {
            let found = waits(|turn| {
                INTERVALS.after_answer(now(), Written::of(written, now()), None, &Hints::default(), turn)
            });
            within(found, 6 * HOUR, 6 * HOUR * 6 / 5, Why::NoRhythm);
        };
        unknown(&[]);
        unknown(&[now() + DAY, now() + HOUR]);
    }

    #[test]
    fn what_server_and_feed_ask_counts_within_the_bounds() {
        let daily = posts(DAY, DAY, 10);
        let asks = |interval: Option<Duration>| Hints {
            interval,
            ..Hints::default()
        };
        for (fresh, feed, least, most, why) in [
            (None, None, HOUR, HOUR * 6 / 5, Why::Rhythm),
            (Some(Duration::ZERO), None, HOUR, HOUR * 6 / 5, Why::Rhythm),
            (Some(10 * MINUTE), Some(MINUTE), HOUR, HOUR * 6 / 5, Why::Rhythm),
            (Some(2 * HOUR), None, 2 * HOUR, 2 * HOUR * 6 / 5, Why::Fresh),
            (Some(2 * HOUR), Some(HOUR), 2 * HOUR, 2 * HOUR * 6 / 5, Why::Fresh),
            (None, Some(3 * HOUR), 3 * HOUR, 3 * HOUR * 6 / 5, Why::FeedAsks),
            (
                Some(2 * HOUR),
                Some(3 * HOUR),
                3 * HOUR,
                3 * HOUR * 6 / 5,
                Why::FeedAsks,
            ),
            // A year, of either, is no more than the longest interval; and less than that it may not be.
            (Some(365 * DAY), None, DAY, DAY, Why::Fresh),
            (None, Some(365 * DAY), DAY, DAY, Why::FeedAsks),
        ] {
            let found = waits(|turn| INTERVALS.after_answer(now(), daily, fresh, &asks(feed), turn));
            within(found, least, most, why);
        }
    }

    #[test]
    fn hours_and_days_that_a_feed_skips_are_skipped_within_the_longest_interval() {
        // Monday, 23 November 2026, 09:00 GMT; asked again at ten.
        let daily = posts(DAY, DAY, 10);
        let mut hints = Hints::default();
        for hour in ["10", "11", "12"] {
            hints.skip_hour(hour);
        }
        let found = waits(|turn| INTERVALS.after_answer(now(), daily, None, &hints, turn));
        within(found, 4 * HOUR, 4 * HOUR + CROWD, Why::Skipped);
        // All of today: the first minute of tomorrow.
        hints.skip_day("Monday");
        let found = waits(|turn| INTERVALS.after_answer(now(), daily, None, &hints, turn));
        within(found, 15 * HOUR, 15 * HOUR + CROWD, Why::Skipped);
        // All but Sundays: the operator's longest interval is shorter.
        for day in ["Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] {
            hints.skip_day(day);
        }
        let found = waits(|turn| INTERVALS.after_answer(now(), daily, None, &hints, turn));
        within(found, DAY, DAY, Why::Skipped);
    }

    #[test]
    fn failures_double_the_wait_and_never_end_it() {
        for (failures, least, most) in [
            (0, 30 * MINUTE, 36 * MINUTE),
            (1, 30 * MINUTE, 36 * MINUTE),
            (2, HOUR, HOUR * 6 / 5),
            (3, 2 * HOUR, 2 * HOUR * 6 / 5),
            (6, 16 * HOUR, 16 * HOUR * 6 / 5),
            (7, DAY * 4 / 5, DAY),
            (1_000, DAY * 4 / 5, DAY),
            (u32::MAX, DAY * 4 / 5, DAY),
        ] {
            let found = waits(|turn| INTERVALS.after_trouble(now(), failures, turn));
            within(found, least, most, Why::BackOff);
        }
    }

    #[test]
    fn a_refusal_is_obeyed_in_full() {
        for (until, failures, least, most, why) in [
            (2 * HOUR, 1, 2 * HOUR, 2 * HOUR * 6 / 5, Why::RetryAfter),
            (31 * DAY, 1, 31 * DAY, 31 * DAY + CROWD, Why::RetryAfter),
            (MINUTE, 1, 30 * MINUTE, 36 * MINUTE, Why::BackOff),
            (2 * HOUR, 7, DAY * 4 / 5, DAY, Why::BackOff),
        ] {
            let found = waits(|turn| INTERVALS.after_refusal(now(), now() + until, failures, turn));
            within(found, least, most, why);
        }
    }

    #[test]
    fn the_second_410_is_asked_for_a_day_later_and_an_outage_is_short() {
        let hourly = Intervals {
            min: MINUTE,
            max: HOUR,
        };
        for intervals in [INTERVALS, hourly] {
            let found = waits(|turn| intervals.after_first_410(now(), turn));
            within(found, DAY, DAY + CROWD, Why::GoneOnce);
        }
        within(
            waits(|turn| INTERVALS.after_outage(now(), turn)),
            5 * MINUTE,
            6 * MINUTE,
            Why::Outage,
        );
        within(
            waits(|turn| hourly.after_outage(now(), turn)),
            MINUTE,
            2 * MINUTE,
            Why::Outage,
        );
    }

    #[test]
    fn jitter_is_the_same_each_time_and_spreads_evenly() {
        let whole = Duration::from_secs(1_000);
        let mut parts = [0_u32; 10];
        for feed in 1..=100 {
            for poll in 0..100 {
                let turn = Turn { feed, poll };
                assert_eq!(turn.part_of(whole), turn.part_of(whole));
                assert!(turn.part_of(whole) < whole);
                parts[turn.part_of(whole).as_secs() as usize / 100] += 1;
            }
        }
        assert!(parts.iter().all(|part| (900..1_100).contains(part)), "{parts:?}");
        assert_eq!(Turn { feed: 1, poll: 1 }.part_of(Duration::ZERO), Duration::ZERO);
    }
}
