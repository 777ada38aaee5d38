//! Why bytes could not be read as a feed, in words that a blogger understands.

use std::fmt;

use crate::problem::{self, Problem};

/// What stood where a feed should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// Nothing, or white space.
    Empty,
    /// A web page.
    Html,
    /// JSON that is no JSON Feed.
    Json,
    /// A list of feeds.
    Opml,
    /// XML of another kind; its first element.
    Xml(String),
    /// No markup at all.
    Text,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("this is an empty document, not a feed"),
            Self::Html => f.write_str("this is a web page, not a feed"),
            Self::Json => f.write_str("this is JSON, but not a JSON Feed"),
            Self::Opml => f.write_str("this is an OPML list of feeds, not a feed"),
            Self::Xml(element) => write!(
                f,
                "this is XML, but its element <{element}> opens no feed that we know"
            ),
            Self::Text => f.write_str("this is plain text, not a feed"),
        }
    }
}

impl Found {
    fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => "ask whoever runs the site why the address answers with nothing",
            Self::Html => {
                "give the address of the feed itself; a blog often has it at /feed/, /rss.xml or /atom.xml"
            }
            Self::Json => "name a version in it, as https://jsonfeed.org/version/1.1 asks",
            Self::Opml => "import it as a list, or give the address of one of its feeds",
            Self::Xml(_) | Self::Text => "give the address of an RSS, Atom or JSON Feed document",
        }
    }
}

/// Why bytes could not be read as a feed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is something else.
    #[error("{what}; {}", what.remedy())]
    NotAFeed {
        /// What it is.
        what: Found,
    },
    /// It begins as a feed and breaks, beyond what we repair.
    #[error("the feed is broken and cannot be read: {reason}; check it at https://validator.w3.org/feed/")]
    Malformed {
        /// What the parser says.
        reason: String,
    },
}

impl ReadError {
    /// The error as a problem of the feed, for a report.
    pub fn to_problem(&self) -> Problem {
        match self {
            Self::NotAFeed { what } => Problem {
                fix: what.remedy().to_owned(),
                ..problem::NOT_A_FEED.of_feed_saying(what.to_string())
            },
            Self::Malformed { reason } => {
                problem::UNREADABLE.of_feed_saying(format!("the feed is broken and cannot be read: {reason}"))
            }
        }
    }
}
