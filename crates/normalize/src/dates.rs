//! Dates as feeds write them: RFC 3339, RFC 822 and its descendants, and what people type. A date without a zone
//! is the network's own (the zone handed in); British names of zones are British, and `05/10/2026` is in October.
//!
//! Months have their names in English, Welsh and the languages of most blog software; of days of the week nothing is
//! read. It knows no clock.

use chrono::{
    DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc,
};
use chrono_tz::America::{Chicago, Denver, Los_Angeles, New_York};
use chrono_tz::Tz;

/// Stands for a date that could not be read, so that it can be told of; no feed can write it.
const UNREADABLE: DateTime<Utc> = DateTime::<Utc>::MIN_UTC;

/// The nanosecond that marks a date without a zone on its way through the parser, which keeps nothing but instants.
const ZONELESS: u32 = 1;

/// A date as it came through the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeedDate {
    /// An instant, in whole seconds.
    At {
        /// When.
        at: DateTime<Utc>,
        /// Whether the feed named a zone.
        zoned: bool,
    },
    /// Something stood there that is no date, or none that a blog can have.
    Unreadable,
}

/// Reads a date; `None` if nothing stands there.
pub(crate) fn read(text: &str, zone: Tz) -> Option<FeedDate> {
    pack(text, zone).map(unpack)
}

/// Reads a date for the parser: what [`unpack`] undoes. Never `None`, so that an unreadable date is not mistaken
/// for a missing one.
pub(crate) fn pack(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    if text.trim().is_empty() {
        return None;
    }
    Some(match parse(text, zone) {
        Some((at, true)) => at,
        Some((at, false)) => at.with_nanosecond(ZONELESS).unwrap_or(at),
        None => UNREADABLE,
    })
}

/// What [`pack`] made of a date. Years before 1900 or after 2100 are no dates of posts.
pub(crate) fn unpack(packed: DateTime<Utc>) -> FeedDate {
    let zoned = packed.nanosecond() != ZONELESS;
    match packed.with_nanosecond(0) {
        Some(at) if (1900..=2100).contains(&chrono::Datelike::year(&at)) => FeedDate::At { at, zoned },
        _ => FeedDate::Unreadable,
    }
}

/// The instant, in whole seconds, and whether the text named a zone.
fn parse(text: &str, zone: Tz) -> Option<(DateTime<Utc>, bool)> {
    let text = text.trim();
    if let Some(at) = since_1970(text) {
        return Some((at, true));
    }
    let written_out = with_signs(text);
    let fields = Fields::read(written_out.as_deref().unwrap_or(text))?;
    let date = match text {
        // A year by itself is its first day (W3CDTF).
        year if year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()) => {
            NaiveDate::from_ymd_opt(year.parse().ok()?, 1, 1)?
        }
        _ => fields.date()?,
    };
    let local = date.and_time(NaiveTime::MIN).checked_add_signed(fields.time())?;
    Some(match fields.zone {
        Some(Zone::Offset(minutes)) => (
            local
                .checked_sub_signed(TimeDelta::minutes(i64::from(minutes)))?
                .and_utc(),
            true,
        ),
        Some(Zone::Named(zone)) => (in_zone(local, zone), true),
        None => (in_zone(local, zone), false),
    })
}

/// A local time in `zone`: the earlier where the clocks go back, an hour later where they skip it.
fn in_zone(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
        LocalResult::None => zone
            .from_local_datetime(&(local + TimeDelta::hours(1)))
            .earliest()
            .map_or_else(|| local.and_utc(), |at| at.to_utc()),
    }
}

/// Seconds since 1970, or thousandths of them: no calendar writes ten digits or thirteen.
fn since_1970(text: &str) -> Option<DateTime<Utc>> {
    let number: i64 = text
        .parse()
        .ok()
        .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    match text.len() {
        10 => DateTime::from_timestamp(number, 0),
        13 => DateTime::from_timestamp(number / 1_000, 0),
        _ => None,
    }
}

/// A date with the words for year, month and day behind its numbers, as Korean, Japanese and Chinese have it; `None`
/// if it has none.
fn with_signs(text: &str) -> Option<String> {
    text.contains(['년', '年']).then(|| {
        text.replace("년 ", "-")
            .replace("월 ", "-")
            .replace(['년', '年', '월', '月'], "-")
            .replace(['일', '日'], " ")
    })
}

enum Zone {
    Offset(i32),
    Named(Tz),
}

/// The parts of a date, in whatever order they stood.
#[derive(Default)]
struct Fields {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    ordinal: Option<u32>,
    clock: Option<(u32, u32, u32)>,
    afternoon: Option<bool>,
    zone: Option<Zone>,
}

impl Fields {
    fn read(text: &str) -> Option<Self> {
        let mut fields = Self::default();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let token = if c.is_ascii_digit() {
                let end = rest
                    .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '-' | '/' | '.')))
                    .unwrap_or(rest.len());
                let token = fields.number(&rest[..end])?;
                // `2006-01-11T16:43+01:00`: the sign ends the time, and `-08:00` is a zone.
                &rest[..token]
            } else if matches!(c, '+' | '-' | '−') && fields.clock.is_some() {
                let sign = c.len_utf8();
                let end = rest[sign..]
                    .find(|c: char| !(c.is_ascii_digit() || c == ':'))
                    .map_or(rest.len(), |end| end + sign);
                if let Some(minutes) = offset(&rest[sign..end]) {
                    fields.zone = Some(Zone::Offset(if c == '+' { minutes } else { -minutes }));
                }
                &rest[..end.max(sign)]
            } else if c.is_alphabetic() {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || matches!(c, '/' | '_')))
                    .unwrap_or(rest.len());
                // `T09`, `Z`, `GMT0`: letters and digits part ways, but for the names of zones. `a.m.` is none.
                let letters = match rest.as_bytes() {
                    [b'a' | b'A' | b'p' | b'P', b'.', b'm' | b'M', ..] => 3,
                    _ => rest[..end].find(|c: char| c.is_ascii_digit()).unwrap_or(end),
                };
                fields.word(&rest[..letters]);
                &rest[..letters]
            } else {
                &rest[..c.len_utf8()]
            };
            rest = &rest[token.len()..];
        }
        Some(fields)
    }

    /// Takes a token of digits and separators; returns how much of it was used.
    fn number(&mut self, token: &str) -> Option<usize> {
        if token.contains(':') {
            // `16:43:21-08:00`: what follows the sign is the zone.
            let end = token.find(['-', '/']).unwrap_or(token.len());
            // RFC 822 dates glued to the time (`2026:` is none) do not occur.
            self.clock = Some(clock(&token[..end])?);
            return Some(end);
        }
        let trimmed = token.trim_end_matches(['-', '/', '.']);
        let parts: Vec<&str> = trimmed.split(['-', '/', '.']).collect();
        // `20261005090000` and `202610050900`.
        if matches!(trimmed.len(), 12 | 14) && parts.len() == 1 {
            self.number(&trimmed[..8])?;
            self.number(&trimmed[8..])?;
            return Some(trimmed.len());
        }
        let numbers: Vec<u32> = parts
            .iter()
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        match (numbers[..].as_ref(), parts[0].len()) {
            ([year, month, day], 4) => self.set(*year as i32, *month, *day),
            ([year, month], 4) if parts[1].len() <= 2 => self.set(*year as i32, *month, 1),
            ([year, ordinal], 4) => (self.year, self.ordinal) = (Some(*year as i32), Some(*ordinal)),
            // `09.30` and `09.30.00` after the date.
            ([hour, minute, ..], 1 | 2)
                if numbers.len() <= 3
                    && self.year.is_some()
                    && self.day.is_some()
                    && self.clock.is_none() =>
            {
                self.clock = Some((*hour, *minute, numbers.get(2).copied().unwrap_or_default()));
            }
            ([first, second, third], _) => {
                let year = full_year(*third, parts[2].len());
                // British order, unless only the American one is possible.
                if *second > 12 && *first <= 12 {
                    self.set(year, *first, *second);
                } else {
                    self.set(year, *second, *first);
                }
            }
            ([packed], 8) => self.set((packed / 10_000) as i32, packed / 100 % 100, packed % 100),
            // `T090000`
            ([packed], 6) if self.year.is_some() => {
                self.clock = Some((packed / 10_000, packed / 100 % 100, packed % 100));
            }
            // `261005`, as ISO 8601 once allowed it.
            ([packed], 6) if self.day.is_none() && self.month.is_none() => {
                self.set(full_year(packed / 10_000, 2), packed / 100 % 100, packed % 100);
            }
            ([number], 4) if self.year.is_none() => self.year = Some(*number as i32),
            ([packed], 4) if self.clock.is_none() => self.clock = Some((packed / 100, packed % 100, 0)),
            ([number], 1 | 2) if self.day.is_none() => self.day = Some(*number),
            ([number], 2 | 3) if self.year.is_none() => {
                self.year = Some(full_year(*number, parts[0].len()));
            }
            // `9am` after the date.
            ([hour], 1 | 2) if self.clock.is_none() => self.clock = Some((*hour, 0, 0)),
            ([_], _) => {}
            _ => return None,
        }
        Some(trimmed.len())
    }

    fn set(&mut self, year: i32, month: u32, day: u32) {
        (self.year, self.month, self.day) = (Some(year), Some(month), Some(day));
    }

    /// Takes a word: a month, a zone or half of the day. Days of the week, `of`, `at` and the like say nothing.
    fn word(&mut self, word: &str) {
        let lower = word.to_lowercase();
        if let Some(month) = month(&lower) {
            // The last wins: Welsh says "Mawrth" for Tuesday and for March.
            self.month = Some(month);
        } else if let "am" | "a.m" | "pm" | "p.m" = lower.as_str() {
            self.afternoon = Some(lower.starts_with('p'));
        } else if self.zone.is_none() && self.clock.is_some() {
            let named = || match lower.as_str() {
                "et" => Some(New_York),
                "ct" => Some(Chicago),
                "mt" => Some(Denver),
                "pt" => Some(Los_Angeles),
                _ if word.contains('/') => word.parse().ok(),
                _ => None,
            };
            self.zone = named_offset(&lower)
                .map(Zone::Offset)
                .or_else(|| named().map(Zone::Named));
        }
    }

    fn date(&self) -> Option<NaiveDate> {
        if let Some(ordinal) = self.ordinal {
            return NaiveDate::from_yo_opt(self.year?, ordinal);
        }
        // The 31st of a month of 30 days is the day after them.
        let first = NaiveDate::from_ymd_opt(self.year?, self.month?, 1)?;
        let day = self.day.filter(|day| (1..=31).contains(day))?;
        first.checked_add_days(chrono::Days::new(u64::from(day) - 1))
    }

    /// The time since midnight. It may run over, as `24:00` and `09:61` do.
    fn time(&self) -> TimeDelta {
        let (mut hour, minute, second) = self.clock.unwrap_or_default();
        match self.afternoon {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        // A leap second is the last that clocks know.
        let second = if second == 60 { 59 } else { second };
        TimeDelta::seconds(i64::from(hour * 3_600 + minute * 60 + second))
    }
}

/// `09:00`, `9:00:05`, `09:00:05.123`.
fn clock(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.trim_end_matches('.').split(':');
    let hour = parts.next()?.parse().ok()?;
    let minute = parts.next()?.parse().ok()?;
    let second = match parts.next() {
        Some(second) => second.split('.').next()?.parse().ok()?,
        None => 0,
    };
    let two_digits = hour < 100 && minute < 100 && second < 100;
    (two_digits && parts.next().is_none()).then_some((hour, minute, second))
}

/// `0100`, `01:00`, `01`: minutes east of Greenwich.
fn offset(digits: &str) -> Option<i32> {
    let (hours, minutes) = match digits.split_once(':') {
        // Of seconds nothing is believed.
        Some((hours, rest)) => (hours, rest.split(':').next().unwrap_or_default()),
        None if digits.len() == 4 => digits.split_at(2),
        None => (digits, "0"),
    };
    let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
    (hours <= 15 && minutes < 60).then_some(hours * 60 + minutes)
}

/// Two digits as RFC 2822 section 4.3 reads them, three as years since 1900.
fn full_year(number: u32, digits: usize) -> i32 {
    let year = number as i32;
    match digits {
        1 | 2 if year < 50 => year + 2000,
        1..=3 => year + 1900,
        _ => year,
    }
}

/// A month in English (whole or by its first three letters), Welsh, or another language.
fn month(word: &str) -> Option<u32> {
    const ENGLISH: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    // What most dates hold beside their month, and what no month is: not worth a search of all languages.
    if word.len() < 3 || matches!(word, "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun") {
        return None;
    }
    let english = || ENGLISH.iter().position(|month| month.starts_with(word));
    let others = || {
        OTHER_MONTHS
            .iter()
            .position(|names| names.split(' ').any(|name| name == word))
    };
    let at = english().or_else(others)?;
    Some(at as u32 + 1)
}

/// Welsh, then French, German, Spanish, Italian, Portuguese, Dutch, Polish, Hungarian and Greek; with what calendars
/// shorten them to, where the first three letters of the English name would not tell.
const OTHER_MONTHS: [&str; 12] = [
    "ionawr ion janvier janv januar jänner enero ene gennaio gen janeiro januari stycznia styczeń január ιανουαρίου ιαν",
    "chwefror chwe février févr fév fevr februar febrero febbraio fevereiro fev februari lutego luty február φεβρουαρίου φεβ",
    "mawrth maw mars märz mär marzo março maart mrt marca marzec március μαρτίου μάρ μαρ μάώ μαώ",
    "ebrill ebr avril avr abril abr aprile kwietnia kwiecień április απριλίου απρ",
    "mai mayo maggio mag maio mei maja maj május μαΐου μάι μαϊ μαι",
    "mehefin meh juin juni junio giugno giu junho czerwca czerwiec június ιουνίου ιούν ιουν ιον",
    "gorffennaf gor juillet juil juli julio luglio lug julho lipca lipiec július ιουλίου ιούλ ιουλ ιολ",
    "awst aws août aoû aout agosto ago augustus sierpnia sierpień augusztus αυγούστου αύγ αυγ",
    "medi med sept septembre septiembre settembre set setembro września wrzesień szeptember σεπτεμβρίου σεπ",
    "hydref hyd octobre oktober okt octubre ottobre ott outubro out października październik október οκτωβρίου οκτ",
    "tachwedd tach novembre noviembre novembro listopada listopad νοεμβρίου νοέ νοε",
    "rhagfyr rhag décembre déc dezember dez diciembre dic dicembre dezembro grudnia grudzień δεκεμβρίου δεκ",
];

/// Minutes east of Greenwich. Names that mean different hours in different countries (`IST`) are not here: they
/// are read as the network's own time. Four are single letters (RFC 822 section 5.1).
fn named_offset(name: &str) -> Option<i32> {
    let hours = match name {
        "z" | "ut" | "utc" | "gmt" | "wet" => 0,
        "bst" | "west" | "cet" | "met" | "n" => 1,
        "cest" | "mest" | "eet" => 2,
        "eest" | "msk" => 3,
        "a" => -1,
        "m" => -12,
        "adt" => -3,
        "edt" | "ast" => -4,
        "est" | "cdt" => -5,
        "cst" | "mdt" => -6,
        "mst" | "pdt" => -7,
        "pst" | "akdt" => -8,
        "akst" => -9,
        "hst" => -10,
        "jst" => 9,
        "aest" => 10,
        "aedt" => 11,
        "nzst" | "y" => 12,
        "nzdt" => 13,
        _ => return None,
    };
    Some(hours * 60)
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::London;

    use super::*;

    fn read(text: &str) -> String {
        match pack(text, London).map(unpack) {
            Some(FeedDate::At { at, zoned }) => {
                format!(
                    "{}{}",
                    at.format("%Y-%m-%dT%H:%M:%SZ"),
                    if zoned { "" } else { " zoneless" }
                )
            }
            Some(FeedDate::Unreadable) => "unreadable".to_owned(),
            None => "none".to_owned(),
        }
    }

    #[test]
    fn dates_that_feeds_write() {
        for (text, expected) in [
            // the specifications' own
            ("2026-10-05T09:00:00Z", "2026-10-05T09:00:00Z"),
            ("2026-10-05T09:00:00.123456+01:00", "2026-10-05T08:00:00Z"),
            ("2026-10-05t09:00:00z", "2026-10-05T09:00:00Z"),
            ("Mon, 05 Oct 2026 09:00:00 +0000", "2026-10-05T09:00:00Z"),
            ("Mon, 05 Oct 2026 09:00:00 GMT", "2026-10-05T09:00:00Z"),
            ("Mon, 05 Oct 2026 09:00:00 -0000", "2026-10-05T09:00:00Z"),
            ("5 Oct 26 09:00 UT", "2026-10-05T09:00:00Z"),
            ("05 Oct 1999 09:00:00 EST", "1999-10-05T14:00:00Z"),
            // zones
            ("Mon, 05 Oct 2026 10:00:00 BST", "2026-10-05T09:00:00Z"),
            ("Mon, 05 Oct 2026 10:00:00 UTC", "2026-10-05T10:00:00Z"),
            ("Mon, 05 Oct 2026 10:00:00 Z", "2026-10-05T10:00:00Z"),
            ("Mon, 05 Oct 2026 10:00:00 CEST", "2026-10-05T08:00:00Z"),
            ("Mon, 05 Oct 2026 10:00:00 GMT+0100", "2026-10-05T09:00:00Z"),
            (
                "Mon, 05 Oct 2026 10:00:00 America/New_York",
                "2026-10-05T14:00:00Z",
            ),
            ("Mon, 05 Oct 2026 10:00:00 ET", "2026-10-05T14:00:00Z"),
            ("Mon, 05 Oct 2026 10:00:00 AST", "2026-10-05T14:00:00Z"),
            ("05 Oct 2026 10:00:00 N", "2026-10-05T09:00:00Z"),
            ("2026-10-05T10:00:00-08:00:00", "2026-10-05T18:00:00Z"),
            ("2006-01-11 16:43:21 -0800", "2006-01-12T00:43:21Z"),
            ("2006-01-11T16:43:21-08:00", "2006-01-12T00:43:21Z"),
            ("2006-01-11T16:43-0800", "2006-01-12T00:43:00Z"),
            ("2026-10-05T12:00+00:00", "2026-10-05T12:00:00Z"),
            // no zone: London's, in summer and in winter
            ("2026-07-05 09:00:00", "2026-07-05T08:00:00Z zoneless"),
            ("2026-10-05T09:00", "2026-10-05T08:00:00Z zoneless"),
            ("2026-12-05T09:00:00", "2026-12-05T09:00:00Z zoneless"),
            ("Mon, 05 Oct 2026 10:00:00 IST", "2026-10-05T09:00:00Z zoneless"),
            ("2026-07-05", "2026-07-04T23:00:00Z zoneless"),
            ("20261005", "2026-10-04T23:00:00Z zoneless"),
            ("20261005T090000Z", "2026-10-05T09:00:00Z"),
            ("20261005090000", "2026-10-05T08:00:00Z zoneless"),
            ("202610050900", "2026-10-05T08:00:00Z zoneless"),
            // the clocks: skipped and doubled hours
            ("2026-03-29 01:30:00", "2026-03-29T01:30:00Z zoneless"),
            ("2026-10-25 01:30:00", "2026-10-25T00:30:00Z zoneless"),
            // by hand
            ("5 October 2026 09:00", "2026-10-05T08:00:00Z zoneless"),
            ("5 October 2026 at 09.30", "2026-10-05T08:30:00Z zoneless"),
            ("2026-10-05T09.30.15Z", "2026-10-05T09:30:15Z"),
            ("5th October 2026, 9:05pm", "2026-10-05T20:05:00Z zoneless"),
            ("5 October 2026 9:05 a.m.", "2026-10-05T08:05:00Z zoneless"),
            ("5 October 2026, 9.05 P.M. GMT", "2026-10-05T21:05:00Z"),
            ("Monday, October 5, 2026", "2026-10-04T23:00:00Z zoneless"),
            ("Monday 5 Hydref 2026 09:00:00 GMT", "2026-10-05T09:00:00Z"),
            ("Dydd Mawrth, 6 Hydref 2026 09:00:00 GMT", "2026-10-06T09:00:00Z"),
            ("Thurs, 13 Jul 2011 07:38:00 GMT", "2011-07-13T07:38:00Z"),
            ("Wed, 25 Aug 2012 07:38:00 GMT", "2012-08-25T07:38:00Z"),
            ("Sept 5, 2026 12:30 AM GMT", "2026-09-05T00:30:00Z"),
            // other languages
            ("lundi 5 octobre 2026 09:00 GMT", "2026-10-05T09:00:00Z"),
            ("Mo, 05 Okt 2026 09:00:00 +0000", "2026-10-05T09:00:00Z"),
            ("mar, 06 ottobre 2026 09:00:00 +0000", "2026-10-06T09:00:00Z"),
            ("Δευ, 05 Οκτ 2026 09:00:00 EST", "2026-10-05T14:00:00Z"),
            ("2026-október-5T9:00-05:00", "2026-10-05T14:00:00Z"),
            ("2026년 10월 05일  09:00:15", "2026-10-05T08:00:15Z zoneless"),
            ("2026年10月5日 09:00", "2026-10-05T08:00:00Z zoneless"),
            ("261005", "2026-10-04T23:00:00Z zoneless"),
            ("1791190800", "2026-10-05T09:00:00Z"),
            ("1791190800123", "2026-10-05T09:00:00Z"),
            ("05/10/2026", "2026-10-04T23:00:00Z zoneless"),
            ("05/10/2026 09:00", "2026-10-05T08:00:00Z zoneless"),
            ("10/25/2026 09:00 GMT", "2026-10-25T09:00:00Z"),
            ("05.10.26 09:00 GMT", "2026-10-05T09:00:00Z"),
            ("2020/1/10", "2020-01-10T00:00:00Z zoneless"),
            // parts of a date, and what runs over
            ("2026", "2026-01-01T00:00:00Z zoneless"),
            ("2026-10", "2026-09-30T23:00:00Z zoneless"),
            ("2026-06-31T09:00:00Z", "2026-07-01T09:00:00Z"),
            ("2026-10-05T25:61:61Z", "2026-10-06T02:02:01Z"),
            ("2003-335", "2003-12-01T00:00:00Z zoneless"),
            ("Thu, 01 Jan 2004 24:00:00 GMT", "2004-01-02T00:00:00Z"),
            ("Sat, 31 Dec 2016 23:59:60 GMT", "2016-12-31T23:59:59Z"),
            ("Mon, 5 Oct 2026 9:00:00 GMT", "2026-10-05T09:00:00Z"),
            ("Tue Oct  6 09:00:00 2026", "2026-10-06T08:00:00Z zoneless"),
            // no dates, or none of a post
            ("0001-01-01T00:00:00Z", "unreadable"),
            ("1899-12-31T23:59:59Z", "unreadable"),
            ("2101-01-01T00:00:00Z", "unreadable"),
            ("2026-13-01T00:00:00Z", "unreadable"),
            ("2026-10-32T00:00:00Z", "unreadable"),
            ("2026-10-00T00:00:00Z", "unreadable"),
            ("2026-10-05T125:00:00Z", "unreadable"),
            ("Published in 2026, we think", "unreadable"),
            ("yesterday", "unreadable"),
            ("99999999999999999999", "unreadable"),
            ("  ", "none"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
