//! What one poll has to write.

use chrono::{DateTime, Utc};
use model::{EntryDraft, FeedStatus, PollOutcome, Validators};
use url::Url;

/// Everything that one poll changes, written in one transaction.
#[derive(Debug, Clone)]
pub struct PollRecord {
    /// The feed that was polled.
    pub feed_id: i64,
    /// [`model::Feed::version`] as it was when the poll began; if the store's has moved on, the poll is refused.
    pub feed_version: i64,
    /// Who polled it; while another fetcher holds a lease on the feed, the poll is refused.
    pub fetcher: i64,
    /// When the answer had arrived.
    pub at: DateTime<Utc>,
    /// How the poll ended.
    pub outcome: PollOutcome,
    /// The HTTP status of the last hop, if there was an answer.
    pub http_status: Option<u16>,
    /// From the first request to the end of the last body.
    pub duration_ms: u64,
    /// Bytes of the body after decompression.
    pub body_bytes: u64,
    /// What went wrong, for people.
    pub error: Option<String>,
    /// The feed's state after this poll.
    pub state: FeedState,
    /// Entries not seen before, newest first as they shall stand in the river.
    pub new: Vec<NewEntry>,
    /// Entries that changed at the source.
    pub changed: Vec<ChangedEntry>,
}

/// The part of a feed's row that each poll rewrites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedState {
    /// Active, or gone after the second 410.
    pub status: FeedStatus,
    /// For the next conditional GET.
    pub validators: Validators,
    /// Tells one body from another: hexadecimal.
    pub body_hash: Option<String>,
    /// When it is due again.
    pub next_poll_at: DateTime<Utc>,
    /// No request before this.
    pub retry_after_at: Option<DateTime<Utc>>,
    /// Failures since the last success.
    pub failures: u32,
    /// The first of the present run of 410 answers.
    pub gone_since: Option<DateTime<Utc>>,
    /// Where a chain of permanent redirects leads, and since when.
    pub moved: Option<(Url, DateTime<Utc>)>,
    /// The blog's address as the feed names it; used where the registry names none.
    pub site_url: Option<String>,
}

/// An entry that the store has not seen.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// The key it gets, unless another entry has it.
    pub key: String,
    /// The `tag:` identifier without the key: `tag:voice.example.org,2026:`.
    pub id_prefix: String,
    /// What the feed gave.
    pub draft: EntryDraft,
    /// The feed's date, or `released_at`.
    pub published_at: DateTime<Utc>,
    /// When what we show last changed in substance.
    pub updated_at: DateTime<Utc>,
    /// The moment it first shows here, or its published date for what the first good poll finds.
    pub released_at: DateTime<Utc>,
    /// Whether it stands after all that is dated (undated back catalogue).
    pub undated_back_catalogue: bool,
    /// Whether readers see it: false when the member takes only tagged entries and this has no tag.
    pub shown: bool,
}

/// A known entry that the feed now states otherwise.
#[derive(Debug, Clone)]
pub struct ChangedEntry {
    /// The store's own number.
    pub id: i64,
    /// What the feed gives now.
    pub draft: EntryDraft,
    /// Whether the title, text or link changed in substance; only then `updated` moves.
    pub substantial: bool,
    /// Whether readers see it.
    pub shown: bool,
}

/// What a recorded poll came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PollCounts {
    /// Entries added.
    pub new: u32,
    /// Entries changed in substance.
    pub updated: u32,
    /// False if the record was refused because another poll of the feed was recorded in between.
    pub accepted: bool,
}

/// What merging the registry into the store changed. Each list names feeds by slug.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MergeReport {
    /// New feeds.
    pub added: Vec<String>,
    /// Feeds whose stated keys differ from what was stored.
    pub changed: Vec<String>,
    /// Feeds that left the file.
    pub retired: Vec<String>,
    /// Feeds that came back to the file.
    pub resumed: Vec<String>,
    /// Feeds where a decision made here (a pause, a feed that is gone) wins over the file.
    pub kept: Vec<String>,
}

/// One poll as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollSummaryRow {
    /// When the answer had arrived.
    pub at: DateTime<Utc>,
    /// How it ended.
    pub outcome: PollOutcome,
    /// The HTTP status of the last hop, if there was an answer.
    pub http_status: Option<u16>,
    /// From the first request to the end of the last body.
    pub duration_ms: u64,
    /// Bytes of the body after decompression.
    pub body_bytes: u64,
    /// Entries added.
    pub new: u32,
    /// Entries changed in substance.
    pub updated: u32,
    /// What went wrong, for people.
    pub error: Option<String>,
}
