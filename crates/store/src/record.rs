//! What one poll has to write.

use std::time::Duration;

use chrono::{DateTime, Utc};
use model::{EntryDraft, Feed, FeedProblem, FeedStatus, HubTopic, PollOutcome, Validators, Why};
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
    /// When it is recorded: what it brings arrived then.
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
    /// Every request that the poll made.
    pub requests: Vec<HostRequest>,
    /// The feed's state after this poll.
    pub state: FeedState,
    /// Whether of the state only the time of the next poll is new: most polls find nothing, and write no more than that.
    pub reschedules_alone: bool,
    /// Where the feed lies from now on, if a permanent redirect to there has lasted. It moves unless another feed has that
    /// address, and what it had becomes an alias.
    pub new_url: Option<Url>,
    /// What it says of the feed's hub.
    pub hub: HubNews,
    /// Whether the feed's server refuses training, where that is news.
    pub refuses_training: Option<bool>,
    /// Entries not seen before, newest first as they shall stand in the river.
    pub new: Vec<NewEntry>,
    /// Entries that changed at the source.
    pub changed: Vec<ChangedEntry>,
    /// How many known entries came under new identities at once, if they were a burst: the blog moved.
    pub migrated: Option<u32>,
    /// Entries, by number, that have been missing from inside the feed's span since this poll.
    pub missing: Vec<i64>,
    /// Entries that were missing, and are no longer.
    pub found_again: Vec<i64>,
    /// What is wrong with the document, the worst first; `None` where that is not news.
    pub problems: Option<Vec<FeedProblem>>,
}

impl PollRecord {
    /// A poll of the feed as it stands that found nothing new, by no fetcher in particular.
    pub fn of(feed: &Feed, at: DateTime<Utc>) -> Self {
        Self {
            feed_id: feed.id,
            feed_version: feed.version,
            fetcher: 0,
            at,
            outcome: PollOutcome::Unchanged,
            http_status: None,
            duration_ms: 0,
            body_bytes: 0,
            error: None,
            requests: Vec::new(),
            state: FeedState::of(feed),
            reschedules_alone: false,
            new_url: None,
            hub: HubNews::None,
            refuses_training: None,
            new: Vec::new(),
            changed: Vec::new(),
            migrated: None,
            missing: Vec::new(),
            found_again: Vec::new(),
            problems: None,
        }
    }
}

/// What a poll says of the hub that pushes news of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HubNews {
    /// Nothing that is not known.
    #[default]
    None,
    /// The feed names none any more.
    Lost,
    /// The feed names this one now.
    Named(HubTopic),
}

/// The part of a feed's row that each poll rewrites, as [`Feed`] explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedState {
    /// Active, or gone after the second 410.
    pub status: FeedStatus,
    /// [`Feed::title`].
    pub title: Option<String>,
    /// For the next conditional GET.
    pub validators: Validators,
    /// [`Feed::validators_url`].
    pub validators_url: Option<Url>,
    /// Tells one body from another: hexadecimal.
    pub body_hash: Option<String>,
    /// When it is due again.
    pub next_poll_at: DateTime<Utc>,
    /// Why then.
    pub next_poll_why: Why,
    /// No request before this.
    pub retry_after_at: Option<DateTime<Utc>>,
    /// Failures since the last success.
    pub failures: u32,
    /// The first of them.
    pub failing_since: Option<DateTime<Utc>>,
    /// [`Feed::not_a_feed`].
    pub not_a_feed: bool,
    /// [`Feed::incomplete`].
    pub incomplete: Option<String>,
    /// [`Feed::proposed`].
    pub proposed: Option<Url>,
    /// The first of the present run of 410 answers.
    pub gone_since: Option<DateTime<Utc>>,
    /// [`Feed::name_unknown_since`].
    pub name_unknown_since: Option<DateTime<Utc>>,
    /// Where a chain of permanent redirects leads, and since when.
    pub moved: Option<(Url, DateTime<Utc>)>,
    /// [`Feed::held`].
    pub held: Option<String>,
    /// [`Feed::written`].
    pub written: Option<(DateTime<Utc>, u32)>,
    /// [`Feed::changes_every`].
    pub changes_every: Option<Duration>,
    /// [`Feed::skip_hours`].
    pub skip_hours: u32,
    /// [`Feed::skip_days`].
    pub skip_days: u8,
    /// [`Feed::last_entry_at`].
    pub last_entry_at: Option<DateTime<Utc>>,
    /// The blog's address as the feed names it, where that is news; used where the registry names none.
    pub site_url: Option<String>,
}

impl FeedState {
    /// The state of `feed` as it is stored.
    pub fn of(feed: &Feed) -> Self {
        Self {
            status: feed.status,
            title: feed.title.clone(),
            validators: feed.validators.clone(),
            validators_url: feed.validators_url.clone(),
            body_hash: feed.body_hash.clone(),
            next_poll_at: feed.next_poll_at,
            next_poll_why: feed.next_poll_why,
            retry_after_at: feed.retry_after_at,
            failures: feed.failures,
            failing_since: feed.failing_since,
            not_a_feed: feed.not_a_feed,
            incomplete: feed.incomplete.clone(),
            proposed: feed.proposed.clone(),
            gone_since: feed.gone_since,
            name_unknown_since: feed.name_unknown_since,
            moved: feed.moved.clone(),
            held: feed.held.clone(),
            written: feed.written,
            changes_every: feed.changes_every,
            skip_hours: feed.skip_hours,
            skip_days: feed.skip_days,
            last_entry_at: feed.last_entry_at,
            site_url: None,
        }
    }

    /// Whether `feed` stands so, but for the time of its next poll.
    pub fn is_of(&self, feed: &Feed) -> bool {
        let scheduled = Self {
            next_poll_at: self.next_poll_at,
            next_poll_why: self.next_poll_why,
            ..Self::of(feed)
        };
        *self == scheduled
    }
}

/// One request that a poll made, be it of a redirect on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRequest {
    /// Who was asked: a name or an address, without the port.
    pub host: String,
    /// Whether the answer was a 304.
    pub not_modified: bool,
    /// Bytes of the body as they came over the wire.
    pub bytes: u64,
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
    /// Feeds where a decision made here (a pause, a removal, a feed that is gone or was turned down) wins over the file.
    pub kept: Vec<String>,
    /// Addresses, not slugs, of feeds that were withdrawn or turned down and are not added again.
    pub withheld: Vec<String>,
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
