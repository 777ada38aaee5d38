//! What one can ask the store for entries.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use model::{Entry, Feed, Member, Search, Withdrawal};

/// Which entries, in which part of the river. Conditions add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryQuery {
    /// With this topic.
    pub topic: Option<String>,
    /// By this member (slug).
    pub member: Option<String>,
    /// With any of these raw hashtags; one may end in `*`. Empty: no condition.
    pub hashtags: Vec<String>,
    /// That match this search.
    pub search: Option<Search>,
    /// Published at or after.
    pub since: Option<DateTime<Utc>>,
    /// Published before.
    pub until: Option<DateTime<Utc>>,
    /// From where.
    pub from: RiverEdge,
    /// At most so many, 1 to 500.
    pub limit: u32,
}

impl EntryQuery {
    /// The newest `limit` entries of the whole river.
    pub fn newest(limit: u32) -> Self {
        Self {
            topic: None,
            member: None,
            hashtags: Vec::new(),
            search: None,
            since: None,
            until: None,
            from: RiverEdge::Newest,
            limit,
        }
    }
}

/// Where in the river a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RiverEdge {
    /// At the top.
    Newest,
    /// With the entry after this one, going back in time.
    OlderThan(RiverPosition),
    /// With the entries just above this one; the page is still newest first.
    NewerThan(RiverPosition),
}

/// A place in the river that stays while new entries come. Opaque to others: write it and read it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RiverPosition {
    pub(crate) river_at: i64,
    pub(crate) id: i64,
}

impl fmt::Display for RiverPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.river_at, self.id)
    }
}

/// The text is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no position in a list; take it from a link of the page before")]
pub struct PositionError;

impl FromStr for RiverPosition {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        two_numbers(text).map(|(river_at, id)| Self { river_at, id })
    }
}

fn two_numbers(text: &str) -> Result<(i64, i64), PositionError> {
    let (at, id) = text.split_once('.').ok_or(PositionError)?;
    let read = |part: &str| part.parse::<i64>().map_err(|_| PositionError);
    Ok((read(at)?, read(id)?))
}

/// A page of the river, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryPage {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Older entries follow after this position; `None` at the end.
    pub older: Option<RiverPosition>,
    /// Newer entries stand before this position; `None` at the top.
    pub newer: Option<RiverPosition>,
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryLookup {
    /// An entry.
    Found(Box<Entry>),
    /// It was withdrawn, then.
    Withdrawn {
        /// When.
        at: DateTime<Utc>,
    },
    /// Nothing.
    Unknown,
}

/// One line of `changed_since`.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// New or edited.
    Entry(Box<Entry>),
    /// Withdrawn.
    Withdrawn(Withdrawal),
}

/// One document of an archive: a hundred arrivals, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchivePage {
    /// Those that are shown.
    pub entries: Vec<Entry>,
    /// Those that left.
    pub withdrawn: Vec<Withdrawal>,
}

/// Changes in order, and where to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangePage {
    /// Oldest change first.
    pub changes: Vec<Change>,
    /// Pass this to get what follows; `None` at the end.
    pub next: Option<ChangePosition>,
}

/// A place in the order of changes. Opaque to others: write it and read it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangePosition {
    pub(crate) changed_at: i64,
    pub(crate) id: i64,
}

impl fmt::Display for ChangePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.changed_at, self.id)
    }
}

impl FromStr for ChangePosition {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        two_numbers(text).map(|(changed_at, id)| Self { changed_at, id })
    }
}

/// An entry that matches a search, with the places that matched.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchHit {
    /// The entry.
    pub entry: Entry,
    /// Words around the match, in pieces: the text, and whether it matched. From the summary's length at most,
    /// where the member gives excerpts.
    pub snippet: Vec<(String, bool)>,
}

/// A member with all that pages show of them.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberDetail {
    /// The member.
    pub member: Member,
    /// Since when the blog is known to be theirs.
    pub verified_at: Option<DateTime<Utc>>,
    /// Their feeds, oldest first.
    pub feeds: Vec<Feed>,
    /// Entries shown here.
    pub entries: u32,
    /// When the newest of them was released.
    pub newest: Option<DateTime<Utc>>,
}

/// Counts the changes to what readers see. Two equal revisions mean that every output is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision {
    /// Grows with each change.
    pub number: i64,
    /// When the last change was.
    pub changed_at: DateTime<Utc>,
}

/// A label (a topic's slug or a hashtag) and how many entries have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelCount {
    /// The topic's slug or the hashtag.
    pub label: String,
    /// Entries shown here that have it.
    pub entries: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_written_and_read_back() {
        let position = RiverPosition {
            river_at: -1_000_000_000_000_000,
            id: 7,
        };
        assert_eq!(position.to_string().parse(), Ok(position));
        let position = ChangePosition {
            changed_at: 1_795_000_000_123,
            id: 7,
        };
        assert_eq!(position.to_string().parse(), Ok(position));
        for bad in [
            "",
            "1",
            "1.",
            ".1",
            "1.2.3",
            "a.b",
            "1.99999999999999999999",
            "1,2",
        ] {
            assert_eq!(bad.parse::<RiverPosition>(), Err(PositionError), "{bad}");
        }
    }
}
