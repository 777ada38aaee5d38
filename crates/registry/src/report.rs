//! Collects what is wrong while a file is read, so that all of it is told at once. It does not stop the reading.

use std::cell::RefCell;

use crate::RegistryError;

/// Where a value stands; the order is the order in which problems are told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Nowhere: a default.
    Default,
    /// On this line of the file, counted from one.
    Line(usize),
    /// In this variable.
    Variable(String),
}

impl Place {
    /// For the middle of a sentence: "line 3".
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Default => "the defaults".to_owned(),
            Self::Line(line) => format!("line {line}"),
            Self::Variable(name) => name.clone(),
        }
    }
}

/// The problems and warnings found so far in one file.
#[derive(Debug)]
pub(crate) struct Report {
    name: String,
    problems: RefCell<Vec<(Place, String)>>,
    warnings: RefCell<Vec<(Place, String)>>,
}

impl Report {
    /// An empty report on the file that messages call `name`.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            problems: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    /// What makes the file unusable.
    pub(crate) fn problem(&self, place: &Place, message: impl Into<String>) {
        self.problems.borrow_mut().push((place.clone(), message.into()));
    }

    /// What the operator should know.
    pub(crate) fn warning(&self, place: &Place, message: impl Into<String>) {
        self.warnings.borrow_mut().push((place.clone(), message.into()));
    }

    /// What was read, with the warnings; or, if it could not be read or has problems, all of those.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<(T, Vec<String>), RegistryError> {
        let problems = in_order(&self.name, self.problems.into_inner());
        match read {
            Some(read) if problems.is_empty() => Ok((read, in_order(&self.name, self.warnings.into_inner()))),
            _ => Err(RegistryError::Invalid(problems)),
        }
    }
}

fn in_order(name: &str, mut found: Vec<(Place, String)>) -> Vec<String> {
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
        .into_iter()
        .map(|(place, message)| match place {
            Place::Default => message,
            Place::Line(line) => format!("{name}:{line}: {message}"),
            Place::Variable(variable) => format!("{variable}: {message}"),
        })
        .collect()
}
