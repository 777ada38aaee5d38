//! An editor's hand on a digest: what is pinned, left out, put elsewhere, noted and added. It is laid over the digest as it
//! stands, so that it follows each revision, and never becomes a part of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, DigestEntry};

/// What an editor made of a week.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Edition {
    /// The running number of the newsletter, as it counts them.
    pub number: String,
    /// Words before everything; an empty line parts paragraphs.
    pub introduction: String,
    /// By entry's key: what is done with it. A key that the digest does not hold means nothing.
    pub posts: BTreeMap<String, PostEdit>,
    /// What no member wrote.
    pub links: Vec<EditorsLink>,
}

/// What an editor does with one post.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PostEdit {
    /// It stands before the sections.
    pub pinned: bool,
    /// Where it stands among the others of its section; those without a place follow.
    pub place: Option<u32>,
    /// Why it is left out; empty if it is not. Readers see it.
    pub left_out: String,
    /// Words below it.
    pub note: String,
}

/// A link that an editor adds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditorsLink {
    /// Where; http or https.
    pub url: String,
    /// What it is.
    pub title: String,
    /// Words below it; may be empty.
    pub note: String,
}

/// An edition as it lies over one digest.
#[derive(Debug, Clone)]
pub(crate) struct Edited {
    pub(crate) edition: Edition,
    /// What it leaves out, in reading order.
    pub(crate) left_out: Vec<DigestEntry>,
}

impl PostEdit {
    /// Whether nothing is done.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Digest {
    /// The digest as an editor shows it.
    #[must_use]
    pub fn edited(&self, edition: &Edition) -> Self {
        let mut edited = self.clone();
        let edit = |entry: &DigestEntry| edition.posts.get(&entry.entry.key);
        let (left_out, mut entries): (Vec<_>, Vec<_>) = edited
            .entries
            .into_iter()
            .partition(|entry| edit(entry).is_some_and(|edit| !edit.left_out.is_empty()));
        // The sort is stable: what has no place keeps the order of the week.
        entries.sort_by_key(|entry| {
            let edit = edit(entry);
            let is_pinned = edit.is_some_and(|edit| edit.pinned);
            let place = edit.and_then(|edit| edit.place).unwrap_or(u32::MAX);
            (!is_pinned, place)
        });
        edited.entries = entries;
        edited.edition = Some(Edited {
            edition: edition.clone(),
            left_out,
        });
        edited.keep_what_is_said_of_its_entries();
        edited
    }
}

impl Edited {
    pub(crate) fn is_pinned(&self, entry: &DigestEntry) -> bool {
        self.edition
            .posts
            .get(&entry.entry.key)
            .is_some_and(|edit| edit.pinned)
    }

    /// The words below an entry.
    pub(crate) fn note(&self, entry: &DigestEntry) -> Option<&str> {
        let edit = self.edition.posts.get(&entry.entry.key)?;
        Some(edit.note.as_str()).filter(|note| !note.is_empty())
    }

    /// Why an entry is left out.
    pub(crate) fn reason(&self, entry: &DigestEntry) -> &str {
        let edit = self.edition.posts.get(&entry.entry.key);
        edit.map_or("", |edit| edit.left_out.as_str())
    }

    /// The paragraphs before everything.
    pub(crate) fn introduction(&self) -> impl Iterator<Item = &str> {
        let paragraphs = self.edition.introduction.split("\n\n").map(str::trim);
        paragraphs.filter(|paragraph| !paragraph.is_empty())
    }
}
