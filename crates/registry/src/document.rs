//! TOML as a tree in which every value knows its line (or the variable that overrode it), with readers that
//! report what they cannot take and go on. A key is known when a reader asked for it; what nobody asked for is
//! an error. This file knows no setting by name, only which sections there are.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use crate::lines::Lines;
use crate::report::{Place, Report};
use crate::units::nearest;

/// The sections that stand once. Their keys can be overridden.
const SECTIONS: [&str; 7] = ["site", "server", "fetch", "digest", "websub", "mail", "network"];
/// The sections that may stand many times.
const REPEATED: [&str; 3] = ["hashtag", "topic", "feed"];

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
    Date(Datetime),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
    /// The text of a variable: its type is what the reader wants it to be.
    Variable(String),
}

impl Value {
    fn in_words(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Variable(_) => "text",
            Self::Integer(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Date(_) => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A parsed file, section by section.
pub(crate) struct Document<'r> {
    report: &'r Report,
    sections: BTreeMap<String, Node>,
}

impl<'r> Document<'r> {
    /// Parses `text` and lays the variables over it. What is no TOML is reported, all of it, and gives `None`:
    /// what would be read around it could not be trusted.
    pub(crate) fn parse(text: &str, overrides: &[(String, String)], report: &'r Report) -> Option<Self> {
        let nodes = Nodes(Lines::of(text));
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut broken = false;
        for error in &errors {
            let span = error.span().unwrap_or(text.len()..text.len());
            let place = nodes.place(span.start);
            // These two leave the rest readable, so that its problems are told as well.
            if error.message() == "duplicate key" {
                let key = text.get(span).unwrap_or_default();
                report.problem(
                    &place,
                    format!("{key:?} is given twice; leave one of the two out"),
                );
            } else if error.message().starts_with("invalid date") {
                // The value becomes a date without a day, which no reader takes.
            } else {
                broken = true;
                let message = error.message().replace('\n', "; ");
                report.problem(&place, format!("this is no TOML: {message}"));
            }
        }
        if broken {
            return None;
        }
        let mut document = Self {
            report,
            sections: nodes.table(root.into_inner()),
        };
        for (name, value) in overrides {
            document.lay_over(name, value);
        }
        Some(document)
    }

    fn lay_over(&mut self, variable: &str, value: &str) {
        let Some((section, key)) = variable
            .strip_prefix("VOICE_")
            .and_then(|rest| rest.split_once('_'))
            .map(|(section, key)| (section.to_ascii_lowercase(), key.to_ascii_lowercase()))
            .filter(|(section, _)| SECTIONS.contains(&section.as_str()))
        else {
            return;
        };
        let place = Place::Variable(variable.to_owned());
        let section = self.sections.entry(section).or_insert_with(|| Node {
            place: place.clone(),
            value: Value::Table(BTreeMap::new()),
        });
        if let Value::Table(keys) = &mut section.value {
            let value = Value::Variable(value.to_owned());
            keys.insert(key, Node { place, value });
        }
    }

    /// The section `[name]`; empty if it was left out.
    pub(crate) fn section(&mut self, name: &'static str) -> Table<'r> {
        let what = format!("[{name}]");
        let Some(node) = self.sections.remove(name) else {
            return Table::new(self.report, what, Place::Default, BTreeMap::new());
        };
        let keys = if let Value::Table(keys) = node.value {
            keys
        } else {
            self.report.problem(
                &node.place,
                format!("{name} must be a section that stands once; write [{name}]"),
            );
            BTreeMap::new()
        };
        Table::new(self.report, what, node.place, keys)
    }

    /// The sections `[[name]]`, in the order of the file.
    pub(crate) fn tables(&mut self, name: &'static str) -> Vec<Table<'r>> {
        let Some(node) = self.sections.remove(name) else {
            return Vec::new();
        };
        let wrong = |place: &Place| {
            self.report.problem(
                place,
                format!("{name} may stand many times; write [[{name}]] with two brackets"),
            );
        };
        let Value::List(nodes) = node.value else {
            wrong(&node.place);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for node in nodes {
            if let Value::Table(keys) = node.value {
                tables.push(Table::new(self.report, format!("[[{name}]]"), node.place, keys));
            } else {
                wrong(&node.place);
            }
        }
        tables
    }

    /// Reports the sections that there are not. To be called when all others were taken.
    pub(crate) fn finish(self) {
        for (name, node) in self.sections {
            let known = SECTIONS.iter().chain(&REPEATED).copied();
            let sections = || {
                let (once, repeated) = (SECTIONS.join(", "), REPEATED.join(", "));
                format!("the sections are {once}, and many times {repeated}")
            };
            let message = if let Value::Table(_) | Value::List(_) = node.value {
                let mend = match nearest(&name, known) {
                    Some(section) if REPEATED.contains(&section) => format!("did you mean [[{section}]]?"),
                    Some(section) => format!("did you mean [{section}]?"),
                    None => sections(),
                };
                format!("there is no section {name:?}; {mend}")
            } else {
                format!("{name:?} stands in no section; {}", sections())
            };
            self.report.problem(&node.place, message);
        }
    }
}

/// One section, from which the readers take their keys.
pub(crate) struct Table<'r> {
    pub(crate) report: &'r Report,
    /// What messages call it: `[site]`, `feed "lwn"`.
    pub(crate) what: String,
    pub(crate) place: Place,
    keys: BTreeMap<String, Node>,
    known: Vec<&'static str>,
}

impl<'r> Table<'r> {
    fn new(report: &'r Report, what: String, place: Place, keys: BTreeMap<String, Node>) -> Self {
        Self {
            report,
            what,
            place,
            keys,
            known: Vec::new(),
        }
    }

    /// Whether the key is given and was not taken yet.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// The text of a key that was not taken yet.
    pub(crate) fn peek(&self, key: &str) -> Option<&str> {
        match &self.keys.get(key)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Where the key stands; if it was left out, where the section does.
    pub(crate) fn place_of(&self, key: &str) -> Place {
        self.keys
            .get(key)
            .map_or_else(|| self.place.clone(), |node| node.place.clone())
    }

    /// A problem with one of the keys.
    pub(crate) fn complain(&self, place: &Place, key: &str, complaint: &str) {
        self.report
            .problem(place, format!("{} {key}: {complaint}", self.what));
    }

    /// A key that has to be there is not; `mend` shows how it is written.
    pub(crate) fn lacks(&self, key: &str, mend: &str) {
        self.report
            .problem(&self.place, format!("{} has no {key}; add {mend}", self.what));
    }

    /// The key's value as it stands.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        self.keys.remove(key)
    }

    /// A text that `read` understands; its error completes the sentence "site url: …".
    pub(crate) fn text<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.take(key)?;
        self.read_text(key, node, false, read)
    }

    /// Like [`Table::text`], where a bare whole number will do as well.
    pub(crate) fn text_or_integer<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.take(key)?;
        self.read_text(key, node, true, read)
    }

    fn read_text<T>(
        &self,
        key: &str,
        node: Node,
        integer_too: bool,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let kind = node.value.in_words();
        let (text, quoted) = match node.value {
            Value::Text(text) | Value::Variable(text) => (text, true),
            Value::Integer(number) => (number.to_string(), integer_too),
            Value::Number(number) => (number.to_string(), false),
            Value::Boolean(value) => (value.to_string(), false),
            Value::Date(date) => (date.to_string(), false),
            Value::List(_) | Value::Table(_) => {
                self.complain(&node.place, key, &format!("must be text, not {kind}"));
                return None;
            }
        };
        let complaint = match read(&text) {
            Ok(value) if quoted => return Some(value),
            Ok(_) => format!("must be text, not {kind}; write {key} = \"{text}\""),
            Err(complaint) => complaint,
        };
        self.complain(&node.place, key, &complaint);
        None
    }

    /// A list of texts that `read` understands; a variable gives it comma-separated. Bad ones are left out.
    pub(crate) fn list<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let node = self.take(key)?;
        let kind = node.value.in_words();
        let items = match node.value {
            Value::List(items) => items,
            Value::Variable(text) => text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| Node {
                    place: node.place.clone(),
                    value: Value::Variable(part.to_owned()),
                })
                .collect(),
            _ => {
                let complaint = format!("must be a list, not {kind}; write {key} = [\"…\"]");
                self.complain(&node.place, key, &complaint);
                return None;
            }
        };
        Some(
            items
                .into_iter()
                .filter_map(|item| self.read_text(key, item, false, &read))
                .collect(),
        )
    }

    /// A whole number within `range`.
    pub(crate) fn integer(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let node = self.take(key)?;
        let number = match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Variable(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = range.into_inner();
            let complaint = format!("must be a whole number from {least} to {most}, without quotes");
            self.complain(&node.place, key, &complaint);
        }
        number
    }

    /// A day: a bare TOML date.
    pub(crate) fn date(&mut self, key: &'static str) -> Option<NaiveDate> {
        let node = self.take(key)?;
        let date = match node.value {
            Value::Date(Datetime {
                date: Some(date),
                time: None,
                offset: None,
            }) => NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into()),
            _ => None,
        };
        if date.is_none() {
            let complaint =
                format!("must be a day that exists, without quotes or time; write {key} = 2026-11-23");
            self.complain(&node.place, key, &complaint);
        }
        date
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(self) {
        for (key, node) in &self.keys {
            let mend = match nearest(key, self.known.iter().copied()) {
                Some(known) => format!("did you mean {known:?}?"),
                None => format!("its keys are {}", self.known.join(", ")),
            };
            self.report
                .problem(&node.place, format!("{} has no key {key:?}; {mend}", self.what));
        }
    }
}

/// Turns what was parsed into nodes, with the line of each.
struct Nodes(Lines);

impl Nodes {
    fn place(&self, offset: usize) -> Place {
        Place::Line(self.0.line(offset))
    }

    fn table(&self, table: DeTable<'_>) -> BTreeMap<String, Node> {
        table
            .into_iter()
            .map(|(key, value)| {
                let key_place = self.place(key.span().start);
                let mut node = self.node(value);
                // A section stands where it is first named, also when only a key within it gives its name.
                if matches!(node.value, Value::Table(_)) {
                    node.place = key_place;
                }
                (key.into_inner().into_owned(), node)
            })
            .collect()
    }

    fn node(&self, value: Spanned<DeValue<'_>>) -> Node {
        let place = self.place(value.span().start);
        let value = match value.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            // Too large for 64 bits is too large for every range there is.
            DeValue::Integer(number) => {
                Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(i64::MAX))
            }
            DeValue::Float(number) => Value::Number(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Value::Boolean(value),
            DeValue::Datetime(date) => Value::Date(date),
            DeValue::Array(items) => Value::List(items.into_iter().map(|item| self.node(item)).collect()),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { place, value }
    }
}
