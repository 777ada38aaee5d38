//! One post as every output shows it (contract section 5).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Member, SafeHtml};

/// One entry, joined with its member: all that an output may show of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// `[a-z0-9]{8,32}`; given when first stored, never changed.
    pub key: String,
    /// `tag:{host},{year}:{key}` (RFC 4151); given when first stored, never changed.
    pub id: String,
    /// The original; `None` if the feed gives no link.
    pub url: Option<String>,
    /// Plain text; `None` for a post without a title.
    pub title: Option<String>,
    /// Plain text, at most 60 words: the author's own summary or the first words.
    pub summary: String,
    /// The whole post; `None` where the member gives excerpts only.
    pub content_html: Option<SafeHtml>,
    /// The post's own author where it names one, and the member otherwise.
    pub author: String,
    /// Whose feed it came by.
    pub member: Member,
    /// The address of that feed.
    pub feed_url: String,
    /// The same story in other members' feeds.
    pub also_in: Vec<AlsoIn>,
    /// The feed's date, or `released`.
    pub published: DateTime<Utc>,
    /// When what we show last changed in substance.
    pub updated: DateTime<Utc>,
    /// The moment it first showed here (its published date for what a feed's first good poll found).
    pub released: DateTime<Utc>,
    /// The moment we first saw it.
    pub arrived: DateTime<Utc>,
    /// BCP 47.
    pub language: Option<String>,
    /// Words in the whole text.
    pub words: u32,
    /// Topics with their evidence, parents before children.
    pub topics: Vec<TopicMatch>,
    /// The raw set that a reader sees, lower case, without `#`.
    pub hashtags: Vec<String>,
    /// The feed's own categories.
    pub categories: Vec<String>,
    /// A picture that stands for the post.
    pub image: Option<Image>,
    /// What is attached to the post, in the feed's order.
    pub enclosures: Vec<Enclosure>,
    /// SPDX identifier or address, where known.
    pub licence: Option<String>,
    /// When anything that an output shows of it last changed: orders `changed_since`.
    pub changed: DateTime<Utc>,
}

impl Entry {
    /// The title, or the first words of a post without one.
    pub fn heading(&self) -> String {
        heading(self.title.as_deref(), &self.summary, self.url.as_deref())
    }
}

/// What a post is called: its title, else its first words, else its address.
pub fn heading(title: Option<&str>, summary: &str, url: Option<&str>) -> String {
    match title {
        Some(title) => title.to_owned(),
        None if summary.is_empty() => url.unwrap_or("Untitled").to_owned(),
        None => crate::first_words(summary, 10),
    }
}

/// An entry that left the Voice: all that is still said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// [`Entry::id`].
    pub id: String,
    /// [`Entry::key`].
    pub key: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// The same story, as it stands in another member's feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlsoIn {
    /// The other member.
    pub member: Member,
    /// The link there.
    pub url: Option<String>,
}

/// A topic that an entry has, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopicMatch {
    /// The topic.
    pub slug: String,
    /// From 0 to 1; a rule's own measure, two decimals.
    pub score: f64,
    /// Who says so.
    pub by: TopicSource,
    /// The words that earned it.
    pub why: Vec<Evidence>,
}

/// Who gave an entry a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TopicSource {
    /// The rules.
    Rule,
    /// A moderator, by hand.
    Moderator,
}

/// Words that stand in the post and earned it a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where they stand.
    #[serde(rename = "where")]
    pub place: EvidencePlace,
    /// The words, as they stand there.
    pub text: String,
}

/// A part of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvidencePlace {
    /// The title.
    Title,
    /// The text.
    Body,
    /// A category of the feed.
    Category,
    /// A hashtag.
    Hashtag,
}

/// A picture that stands for a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Where it lies; https.
    pub url: String,
    /// Its text alternative; `None` when the author gave none.
    pub alt: Option<String>,
}

/// A file that is attached to a post: an episode, a report. It lies with its author; we hold its address alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enclosure {
    /// Where it lies; http or https.
    pub url: String,
    /// Its media type (RFC 9110 section 8.3.1), where the feed gives one that can be.
    pub media_type: Option<String>,
    /// Its length, where the feed gives one that can be.
    pub size_bytes: Option<u64>,
}
