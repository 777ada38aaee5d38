//! The parameters of a request: the ones a route knows, read or refused by name. Names that a route does not
//! know are left alone, so that a link with somebody's tracking parameter still works.

use std::fmt::Display;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use model::{clean_text, start_of_day};
use url::form_urlencoded;

use crate::failure::Failure;

/// The longest value that is read, in characters.
const LONGEST: usize = 500;

/// The known parameters of one request, blank ones left out, in the order in which the route names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    /// Reads the parameters with these names from a query string.
    pub(crate) fn read(query: Option<&str>, names: &[&'static str]) -> Result<Self, Failure> {
        let mut found = Vec::new();
        for &name in names {
            let mut values = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value);
            let Some(value) = values.next() else { continue };
            if value.chars().count() > LONGEST {
                return Err(Failure::parameter(
                    name,
                    format!("is too long; {LONGEST} characters at most"),
                ));
            }
            if values.next().is_some() {
                return Err(Failure::parameter(name, "is given twice; give it once"));
            }
            if !value.trim().is_empty() {
                let value = clean_text(value.trim());
                // Characters that no text may hold are no blank: whoever sent them meant something that cannot be read.
                let value = Some(value.trim()).filter(|value| !value.is_empty());
                found.push((name, value.unwrap_or("\u{FFFD}").to_owned()));
            }
        }
        Ok(Self(found))
    }

    /// The value, if there is one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value, read; the failure says what is wrong with it.
    pub(crate) fn read_as<T, E: Display>(
        &self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Failure> {
        self.get(name)
            .map(|value| read(value).map_err(|error| Failure::parameter(name, error.to_string())))
            .transpose()
    }

    /// A whole number within these bounds.
    pub(crate) fn number(&self, name: &'static str, least: u32, most: u32) -> Result<Option<u32>, Failure> {
        self.read_as(name, |text| {
            text.parse()
                .ok()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| format!("must be a whole number from {least} to {most}"))
        })
    }

    /// An instant (RFC 3339), or a day, which begins at midnight in `zone`.
    pub(crate) fn instant(&self, name: &'static str, zone: Tz) -> Result<Option<DateTime<Utc>>, Failure> {
        self.read_as(name, |text| {
            read_instant(text, zone)
                .ok_or("must be a day like 2015-02-09 or an instant like 2015-02-09T07:00:00Z")
        })
    }

    /// As a query string, question mark included, in an order of its own; empty without parameters.
    pub(crate) fn query(&self) -> String {
        self.query_with(&[])
    }

    /// The query string with these parameters set or, if `None`, left out.
    pub(crate) fn query_with(&self, changes: &[(&str, Option<&str>)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.0 {
            if !changes.iter().any(|(changed, _)| changed == name) {
                query.append_pair(name, value);
            }
        }
        for (name, value) in changes {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() {
            query
        } else {
            format!("?{query}")
        }
    }
}

fn read_instant(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(start_of_day(day, zone));
    }
    // In a query, an unescaped `+` of an offset arrives as a space.
    DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
        .ok()
        .map(|at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = Tz::Europe__London;

    #[test]
    fn known_names_in_their_order_and_nothing_else() {
        let read = |query| Parameters::read(Some(query), &["topic", "q"]);
        let parameters = read("q=a%20b&utm_source=x&topic=&z").unwrap();
        assert_eq!(parameters.query(), "?q=a+b");
        assert_eq!(
            parameters.query_with(&[("topic", Some("t")), ("q", None)]),
            "?topic=t"
        );
        assert!(read("q=1&q=2").is_err());
        assert!(read(&format!("q={}", "x".repeat(501))).is_err());
        assert_eq!(Parameters::read(None, &["q"]).unwrap().query(), "");
    }

    #[test]
    fn days_begin_in_the_zone_and_instants_are_instants() {
        let read = |text: &str| {
            let query = format!("since={text}");
            Parameters::read(Some(&query), &["since"])
                .unwrap()
                .instant("since", ZONE)
        };
        let utc = |text: &str| Some(text.parse::<DateTime<Utc>>().unwrap());
        assert_eq!(read("2026-07-01").unwrap(), utc("2026-06-30T23:00:00Z"));
        assert_eq!(read("2026-07-01T00:00:00Z").unwrap(), utc("2026-07-01T00:00:00Z"));
        assert_eq!(
            read("2026-07-01T00:00:00+01:00").unwrap(),
            utc("2026-06-30T23:00:00Z")
        );
        for bad in ["yesterday", "2026-02-30", "2026-07-01T00:00:00", "1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_within_bounds() {
        let read = |text: &str| {
            Parameters::read(Some(&format!("limit={text}")), &["limit"])
                .unwrap()
                .number("limit", 1, 500)
        };
        assert_eq!(read("500").unwrap(), Some(500));
        assert_eq!(read("").unwrap(), None);
        for bad in ["0", "501", "-1", "1.5", "many", "99999999999", "%C2%9A", "%00"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
