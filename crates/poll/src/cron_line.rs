//! Cron lines in a time zone, so that an instant which the clock change skips or doubles fires once.
//!
//! The `cron` crate walks UTC only here: a line is evaluated on the wall clock as if that were UTC, and each wall
//! time found is then placed in the zone.

use std::str::FromStr;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use cron::Schedule;

use crate::PollError;

/// A cron line of six fields, read in a time zone.
#[derive(Debug, Clone)]
pub struct CronLine {
    schedule: Schedule,
    zone: Tz,
}

impl CronLine {
    /// Reads `line`: second, minute, hour, day of month, month, weekday.
    ///
    /// # Errors
    /// [`PollError::CronLine`] if the line is none.
    pub fn parse(line: &str, zone: Tz) -> Result<Self, PollError> {
        let schedule = Schedule::from_str(line).map_err(|error| PollError::CronLine {
            line: line.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { schedule, zone })
    }

    /// The first instant after `after` at which the line fires; `None` if it never does again.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let wall = after.with_timezone(&self.zone).naive_local();
        self.schedule
            .after(&wall.and_utc())
            .map(|at| self.place(at.naive_utc()))
            .find(|&at| at > after)
    }

    /// The instant of a wall time: the first of two when the clocks went back, the end of the gap when they went
    /// forward over it.
    fn place(&self, wall: NaiveDateTime) -> DateTime<Utc> {
        match self.zone.from_local_datetime(&wall) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
            LocalResult::None => {
                let before = self
                    .zone
                    .from_local_datetime(&(wall - TimeDelta::hours(3)))
                    .earliest();
                before.map_or_else(|| wall.and_utc(), |at| (at + TimeDelta::hours(3)).to_utc())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::London;

    use super::*;

    fn firings(line: &str, from: &str, count: usize) -> Vec<String> {
        let line = CronLine::parse(line, London).unwrap();
        let mut at: DateTime<Utc> = from.parse().unwrap();
        (0..count)
            .map(|_| {
                at = line.next_after(at).unwrap();
                at.format("%d %H:%MZ").to_string()
            })
            .collect()
    }

    #[test]
    fn a_skipped_instant_fires_once() {
        let fired = firings("0 30 1 * * *", "2026-03-28T00:00:00Z", 3);
        assert_eq!(fired, ["28 01:30Z", "29 01:30Z", "30 00:30Z"]);
    }

    #[test]
    fn a_doubled_instant_fires_once() {
        let fired = firings("0 30 1 * * *", "2026-10-24T00:00:00Z", 3);
        assert_eq!(fired, ["24 00:30Z", "25 00:30Z", "26 01:30Z"]);
    }

    #[test]
    fn monday_morning_follows_the_clock() {
        let fired = firings("0 0 7 * * Mon", "2026-03-22T00:00:00Z", 2);
        assert_eq!(fired, ["23 07:00Z", "30 06:00Z"]);
    }

    #[test]
    fn nonsense_is_refused_with_the_line() {
        let error = CronLine::parse("every day", London).unwrap_err();
        assert!(error.to_string().contains("\"every day\""), "{error}");
    }
}
