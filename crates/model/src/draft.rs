//! An entry on its way in: what `normalize` makes of a feed's entry, and what the store already knows of a feed.

use chrono::{DateTime, Utc};

use crate::{Enclosure, Image, SafeHtml, TopicMatch};

/// A feed's entry, cleaned and tagged, before the store gives it a key and a place.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntryDraft {
    /// The feed's own identity for the entry: guid or id, else the link, else a hash.
    pub source_id: String,
    /// The original's address, absolute, http or https.
    pub link: Option<String>,
    /// [`crate::link_key`] of the link.
    pub link_key: Option<String>,
    /// Hash of all the feed says of the entry but its dates: equal means that there is nothing to do.
    pub fingerprint: String,
    /// Hash of the title, text and link that readers see, white space and tracking parameters aside: equal means
    /// that nothing changed in substance.
    pub substance: String,
    /// Plain text; `None` for a post without a title.
    pub title: Option<String>,
    /// Plain text, at most [`crate::EXCERPT_WORDS`] words.
    pub summary: String,
    /// The whole post.
    pub content_html: SafeHtml,
    /// The whole post as plain text, for search.
    pub text: String,
    /// The post's own author.
    pub author: Option<String>,
    /// What the feed says, in the future too; years before 1900 or after 2100 are `None`.
    pub published: Option<DateTime<Utc>>,
    /// What the feed says, under the same rule.
    pub updated: Option<DateTime<Utc>>,
    /// BCP 47.
    pub language: Option<String>,
    /// Words in the text.
    pub words: u32,
    /// Topics with their evidence, parents before children.
    pub topics: Vec<TopicMatch>,
    /// As a reader sees them in title and text: lower case, without `#`, sorted.
    pub hashtags: Vec<String>,
    /// The feed's own categories.
    pub categories: Vec<String>,
    /// A picture that stands for the post.
    pub image: Option<Image>,
    /// What is attached to the post.
    pub enclosures: Vec<Enclosure>,
    /// What the entry or its feed says of the licence.
    pub licence: Option<String>,
    /// Where `atom:source` says that the entry comes from: the other feed's site or own address.
    pub source_url: Option<String>,
}

/// What the store knows of an entry of a feed: enough to decide whether a poll found it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEntry {
    /// The store's own number.
    pub id: i64,
    /// The feed's own identity for it, as last seen.
    pub source_id: String,
    /// [`crate::link_key`] of its link.
    pub link_key: Option<String>,
    /// [`EntryDraft::fingerprint`], as last seen.
    pub fingerprint: String,
    /// [`EntryDraft::substance`], as last seen.
    pub substance: String,
    /// Whether it was withdrawn: then it stays away.
    pub withdrawn: bool,
    /// When it was published, as it was first given out.
    pub published: DateTime<Utc>,
    /// Whether it was: undated back catalogue stands at the moment of its arrival.
    pub dated: bool,
    /// Since when it has been missing from inside its feed's span.
    pub missing_since: Option<DateTime<Utc>>,
}
