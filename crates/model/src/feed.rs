//! Members and the feeds that are polled for them.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::Why;

/// A person or a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberKind {
    /// One person.
    Person,
    /// A team or an organisation.
    Team,
}

impl MemberKind {
    /// The word in files and columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Team => "team",
        }
    }

    /// The kind that this word names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Person, Self::Team]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// How much of a post we give out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentChoice {
    /// The author's summary, or the first words.
    Excerpt,
    /// The whole post: the owner agreed.
    Full,
}

impl ContentChoice {
    /// The word in files and columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Excerpt => "excerpt",
            Self::Full => "full",
        }
    }

    /// The choice that this word names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Excerpt, Self::Full]
            .into_iter()
            .find(|choice| choice.as_str() == word)
    }
}

/// Which entries of a feed we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncludeChoice {
    /// Every entry.
    All,
    /// Only those with a network hashtag or a topic: for a mixed blog.
    Tagged,
}

impl IncludeChoice {
    /// The word in files and columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Tagged => "tagged",
        }
    }

    /// The choice that this word names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::All, Self::Tagged]
            .into_iter()
            .find(|choice| choice.as_str() == word)
    }
}

/// One feed as a registry (`feeds.toml`, an OPML file) states it. What is `None` was left out and belongs to
/// the member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedSpec {
    /// Where the feed is.
    pub url: Url,
    /// The member's name; `None` only for a further feed of `member`.
    pub name: Option<String>,
    /// The slug of the member whose further feed this is.
    pub member: Option<String>,
    /// The member's organisation.
    pub organisation: Option<String>,
    /// A person or a team.
    pub kind: Option<MemberKind>,
    /// The blog's address.
    pub site: Option<Url>,
    /// The slug; made from the name if left out.
    pub slug: Option<String>,
    /// Excerpts or whole posts.
    pub content: Option<ContentChoice>,
    /// All posts or tagged ones.
    pub include: Option<IncludeChoice>,
    /// SPDX identifier or address of the licence.
    pub licence: Option<String>,
    /// What is older is back catalogue.
    pub joined: Option<NaiveDate>,
}

impl FeedSpec {
    /// A spec that says nothing but the address and the member's name.
    pub fn new(url: Url, name: impl Into<String>) -> Self {
        Self {
            url,
            name: Some(name.into()),
            member: None,
            organisation: None,
            kind: None,
            site: None,
            slug: None,
            content: None,
            include: None,
            licence: None,
            joined: None,
        }
    }
}

/// A person or team who joined, as outputs show them (contract section 5, `member`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Names the member in addresses.
    pub slug: String,
    /// Who writes.
    pub name: String,
    /// Where they work, if they say.
    pub organisation: Option<String>,
    /// The blog.
    pub url: Option<String>,
    /// A person or a team.
    pub kind: MemberKind,
}

/// Whether a feed is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedStatus {
    /// Waits for a moderator's approval: not polled, and shown to nobody else.
    Pending,
    /// Polled when due.
    Active,
    /// Not polled until resumed.
    Paused,
    /// Left the file or was removed: not polled, its entries stay.
    Retired,
    /// Answered 410 twice, a day apart: not polled until resumed.
    Gone,
    /// A moderator did not take it on: not polled, and shown to nobody else.
    Rejected,
}

impl FeedStatus {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Active,
        Self::Paused,
        Self::Retired,
        Self::Gone,
        Self::Rejected,
    ];

    /// Whether readers know of the feed: it was taken on, whatever became of it since.
    pub fn is_public(self) -> bool {
        !matches!(self, Self::Pending | Self::Rejected)
    }

    /// The word in columns and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Retired => "retired",
            Self::Gone => "gone",
            Self::Rejected => "rejected",
        }
    }

    /// The status that this word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// What a server gave us to ask "has it changed?" with (RFC 9110 section 8.8).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validators {
    /// The entity tag, quotes and all, as it was sent.
    pub etag: Option<String>,
    /// `Last-Modified`, as it was sent.
    pub last_modified: Option<String>,
}

/// Where news of a feed is pushed from (WebSub section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubTopic {
    /// The hub.
    pub hub: Url,
    /// The name by which the hub knows the feed: its address as it says itself.
    pub topic: Url,
}

/// How a poll ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PollOutcome {
    /// 304.
    NotModified,
    /// 200 with the content we had.
    Unchanged,
    /// 200 with something new.
    Changed,
    /// Anything else.
    Failed,
}

impl PollOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::NotModified, Self::Unchanged, Self::Changed, Self::Failed];

    /// The word in columns and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotModified => "not_modified",
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Failed => "failed",
        }
    }

    /// The outcome that this word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// A feed as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The store's own number.
    pub id: i64,
    /// Names the feed on the command line and in summaries: the member's slug for a member's first feed.
    pub slug: String,
    /// Where it is polled.
    pub url: Url,
    /// Whose it is.
    pub member: Member,
    /// Excerpts or whole posts.
    pub content: ContentChoice,
    /// All posts or tagged ones.
    pub include: IncludeChoice,
    /// SPDX identifier or address of the licence, where the registry states one.
    pub licence: Option<String>,
    /// What is older than this day (in the site's zone) is back catalogue.
    pub joined: NaiveDate,
    /// Whether it is polled.
    pub status: FeedStatus,
    /// The feed's own title, as last read.
    pub title: Option<String>,
    /// For the next conditional GET.
    pub validators: Validators,
    /// Where the validators came from, if a redirect led there from [`Self::url`].
    pub validators_url: Option<Url>,
    /// Hexadecimal; tells the last body read from another, for servers that ignore validators.
    pub body_hash: Option<String>,
    /// The first poll that gave a feed; `None` until then.
    pub first_success_at: Option<DateTime<Utc>>,
    /// The last poll that gave a feed or a 304.
    pub last_success_at: Option<DateTime<Utc>>,
    /// The last poll, whatever came of it.
    pub last_polled_at: Option<DateTime<Utc>>,
    /// How the last poll ended.
    pub last_outcome: Option<PollOutcome>,
    /// What went wrong in the last poll, for people.
    pub last_error: Option<String>,
    /// When it is due again.
    pub next_poll_at: DateTime<Utc>,
    /// Why then.
    pub next_poll_why: Why,
    /// No request before this: a `Retry-After` that the server sent.
    pub retry_after_at: Option<DateTime<Utc>>,
    /// Failures since the last success; those of our own network do not count.
    pub failures: u32,
    /// The first of them.
    pub failing_since: Option<DateTime<Utc>>,
    /// Whether what went wrong in the last poll is that the document is no feed.
    pub not_a_feed: bool,
    /// What of it could not be read, as it was last read: what is wrong, and what its blogger can do.
    pub incomplete: Option<String>,
    /// The feed that the page at the address names instead: for a person to look at, never taken.
    pub proposed: Option<Url>,
    /// The first of the present run of 410 answers.
    pub gone_since: Option<DateTime<Utc>>,
    /// Since when its name is unknown, without a good answer in between.
    pub name_unknown_since: Option<DateTime<Utc>>,
    /// Where a chain of permanent redirects leads, and since when without a break.
    pub moved: Option<(Url, DateTime<Utc>)>,
    /// Why nothing new of it is taken until somebody has looked at it.
    pub held: Option<String>,
    /// How often it has written of late: since then, so many entries.
    pub written: Option<(DateTime<Utc>, u32)>,
    /// The feed says that it changes no more often than this.
    pub changes_every: Option<Duration>,
    /// Hours of the day, in GMT, in which it wants to be left alone: bit 0 is the hour from midnight on.
    pub skip_hours: u32,
    /// Days of the week, in GMT, on which it wants to be left alone: bit 0 is Monday.
    pub skip_days: u8,
    /// When the newest entry came out, or arrived if that was later.
    pub last_entry_at: Option<DateTime<Utc>>,
    /// The hub that it names.
    pub hub: Option<HubTopic>,
    /// Whether its server asked, with the last good answer, that no model be trained with it.
    pub refuses_training: bool,
    /// Entries that we hold from this feed.
    pub entries: u32,
    /// Counts the polls recorded; a result computed from an older version is refused.
    pub version: i64,
}
