//! What is wrong with a feed, said to the blogger who can mend it.

use serde::Serialize;

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Posts are lost to readers.
    Error,
    /// We coped; other readers may not.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// The word in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One problem of a feed (contract section 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Names the kind of problem for programs; never changes.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// `entry 3`, `line 17` or `feed`.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What the blogger can do.
    pub fix: String,
}

impl Problem {
    /// A problem of the feed as a whole.
    pub(crate) fn of_feed(
        code: &'static str,
        severity: Severity,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity,
            place: "feed".to_owned(),
            message: message.into(),
            fix: fix.into(),
        }
    }

    /// One problem for all the entries that have it, `entries` counted from 1; `None` if there are none.
    pub(crate) fn of_entries(
        code: &'static str,
        severity: Severity,
        entries: &[usize],
        message: &str,
        fix: &str,
    ) -> Option<Self> {
        let (first, more) = entries.split_first()?;
        let place = match more.len() {
            0 => format!("entry {first}"),
            n => format!("entry {first} and {n} more"),
        };
        Some(Self {
            code,
            severity,
            place,
            message: message.to_owned(),
            fix: fix.to_owned(),
        })
    }
}
