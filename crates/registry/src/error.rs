//! What this crate answers when a file cannot be used. A mistake in one feed does not hide the next: all are told.

use std::slice;

/// Why the registry could not be read. [`Display`](std::fmt::Display) prints one line for each problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The file does not exist.
    #[error("{0}")]
    Missing(String),
    /// The file exists but cannot be read, or is not UTF-8.
    #[error("{0}")]
    Unreadable(String),
    /// The settings are wrong: each problem with its file and line, or with the variable that brought it.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// The text is not OPML.
    #[error("{0}")]
    NotOpml(String),
}

impl RegistryError {
    /// Every problem, one a line, in the order of the file.
    pub fn problems(&self) -> &[String] {
        match self {
            Self::Invalid(problems) => problems,
            Self::Missing(problem) | Self::Unreadable(problem) | Self::NotOpml(problem) => {
                slice::from_ref(problem)
            }
        }
    }
}
