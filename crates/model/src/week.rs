//! ISO weeks in a time zone: the unit of a digest.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc, Weekday,
};
use chrono_tz::Tz;

/// An ISO 8601 week, Monday to Sunday; written `2015-W06`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week {
    monday: NaiveDate,
}

/// Why a text is no week.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeekError {
    /// It has another form.
    #[error("{0:?} is not an ISO week; write it like 2015-W06")]
    Unreadable(String),
    /// The year has no such week.
    #[error("{year} has no week {week}, only 01 to {last}")]
    Missing {
        /// The year, four digits.
        year: String,
        /// The week, two digits.
        week: String,
        /// The last week of that year.
        last: u32,
    },
}

impl Week {
    /// The week in which `instant` lies, seen from `zone`.
    pub fn of(instant: DateTime<Utc>, zone: Tz) -> Self {
        let day = instant.with_timezone(&zone).date_naive();
        Self {
            monday: day - Days::new(u64::from(day.weekday().num_days_from_monday())),
        }
    }

    /// The week before.
    #[must_use]
    pub fn previous(self) -> Self {
        Self {
            monday: self.monday - Days::new(7),
        }
    }

    /// The week after.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            monday: self.monday + Days::new(7),
        }
    }

    /// Its first day.
    pub fn monday(self) -> NaiveDate {
        self.monday
    }

    /// Its last day.
    pub fn sunday(self) -> NaiveDate {
        self.monday + Days::new(6)
    }

    /// Monday 00:00 in `zone`.
    pub fn start(self, zone: Tz) -> DateTime<Utc> {
        start_of_day(self.monday, zone)
    }

    /// The Monday 00:00 after it, in `zone`: the first instant that no longer belongs to it.
    pub fn end(self, zone: Tz) -> DateTime<Utc> {
        self.next().start(zone)
    }
}

impl Week {
    /// When its digest closes: at the first closing once it has ended, be it that very instant. `next_closing` gives the
    /// first one after an instant; without a further one the end of the week itself counts.
    pub fn closes_at(
        self,
        zone: Tz,
        next_closing: impl Fn(DateTime<Utc>) -> Option<DateTime<Utc>>,
    ) -> DateTime<Utc> {
        let end = self.end(zone);
        next_closing(end - TimeDelta::milliseconds(1)).unwrap_or(end)
    }
}

/// The first instant of `day` in `zone`, also where the clocks change at midnight.
pub fn start_of_day(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    match zone.from_local_datetime(&midnight) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.with_timezone(&Utc),
        // Midnight is skipped: the day begins when the clocks have gone forward, an hour later at most.
        LocalResult::None => zone
            .from_local_datetime(&(midnight + TimeDelta::hours(1)))
            .earliest()
            .map_or_else(|| midnight.and_utc(), |at| at.with_timezone(&Utc)),
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let week = self.monday.iso_week();
        write!(f, "{:04}-W{:02}", week.year(), week.week())
    }
}

impl FromStr for Week {
    type Err = WeekError;

    fn from_str(text: &str) -> Result<Self, WeekError> {
        let unreadable = || WeekError::Unreadable(text.to_owned());
        let is_number =
            |part: &str, digits: usize| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        let (year, week) = text
            .split_once("-W")
            .filter(|(year, week)| is_number(year, 4) && is_number(week, 2))
            .ok_or_else(unreadable)?;
        let number: i32 = year.parse().map_err(|_| unreadable())?;
        let monday = |week: u32| NaiveDate::from_isoywd_opt(number, week, Weekday::Mon);
        let missing = || WeekError::Missing {
            year: year.to_owned(),
            week: week.to_owned(),
            last: if monday(53).is_some() { 53 } else { 52 },
        };
        let monday = week.parse().ok().and_then(monday).ok_or_else(missing)?;
        Ok(Self { monday })
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::London;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn summer_time_moves_the_boundary() {
        let week: Week = "2026-W13".parse().unwrap();
        assert_eq!(week.start(London), at("2026-03-23T00:00:00Z"));
        assert_eq!(week.end(London), at("2026-03-29T23:00:00Z"));
        assert_eq!(
            Week::of(at("2026-07-05T23:30:00Z"), London).to_string(),
            "2026-W28"
        );
        assert_eq!(
            Week::of(at("2026-07-05T22:30:00Z"), London).to_string(),
            "2026-W27"
        );
    }

    #[test]
    fn years_of_53_weeks() {
        let week: Week = "2026-W53".parse().unwrap();
        assert_eq!(week.next().to_string(), "2027-W01");
        assert_eq!(Week::of(at("2027-01-02T12:00:00Z"), London), week);
        for bad in [
            "2026-W54", "2025-W53", "W6", "2015-w07", "2015-W6", "2015-W00", "+015-W01", "",
        ] {
            assert!(bad.parse::<Week>().is_err(), "{bad}");
        }
    }
}
