//! One poll: fetch, read, compare, and what it makes of the feed. Many of them side by side are a `round`.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fetch::{Body, Fetch, FetchOutcome, Fetcher};
use model::{Clock, Feed, FeedStatus, KnownEntry, PollOutcome, Site, Validators};
use normalize::{Source, Tagger};
use store::{FeedState, PollRecord, Store};
use tokio::sync::{Semaphore, watch};
use twox_hash::XxHash3_128;

use crate::changes::{Changes, changes};
use crate::schedule::{GONE_CONFIRMED_AFTER, Intervals};
use crate::{CronLine, PollError};

/// Which feeds to poll.
#[derive(Debug, Clone, Copy)]
pub enum Selection<'a> {
    /// What is due.
    Due,
    /// Every active feed, whether due or not.
    All,
    /// These, by slug or address, whether due or not.
    Named(&'a [String]),
}

/// Polls feeds and records what came of it.
pub struct Poller {
    pub(crate) store: Store,
    fetcher: Fetcher,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) site: Arc<Site>,
    pub(crate) tagger: Arc<Tagger>,
    intervals: Intervals,
    schedule: CronLine,
    pub(crate) concurrency: usize,
    pub(crate) per_host: usize,
    reading: Semaphore,
}

/// What a [`Poller`] needs to be told beside where things are.
#[derive(Debug, Clone)]
pub struct PollerSettings {
    /// The operator's bounds on how often a feed is polled.
    pub intervals: Intervals,
    /// When to wake and poll what is due.
    pub schedule: CronLine,
    /// How many hosts are asked at once.
    pub concurrency: usize,
    /// How many requests one host sees at once.
    pub per_host: usize,
}

impl Poller {
    /// A poller that writes to `store` and asks through `fetcher`.
    pub fn new(
        store: Store,
        fetcher: Fetcher,
        clock: Arc<dyn Clock>,
        site: Arc<Site>,
        settings: PollerSettings,
    ) -> Self {
        let tagger = Arc::new(Tagger::new(&site.topics));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            store,
            fetcher,
            clock,
            site,
            tagger,
            intervals: settings.intervals,
            schedule: settings.schedule,
            concurrency: settings.concurrency,
            per_host: settings.per_host,
            reading: Semaphore::new(cores),
        }
    }

    /// When the schedule next wakes the poller.
    pub(crate) fn next_tick(&self) -> Option<DateTime<Utc>> {
        self.schedule.next_after(self.clock.now())
    }

    /// The present instant.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The feeds to poll, and how many of those asked for are skipped: paused, gone, or with a running
    /// `Retry-After`.
    ///
    /// # Errors
    /// [`PollError::NotRegistered`] names the first name that is no feed's.
    pub async fn select(&self, selection: Selection<'_>) -> Result<(Vec<Feed>, u32), PollError> {
        let now = self.clock.now();
        let wanted: Vec<Feed> = match selection {
            Selection::Due => return Ok((self.store.due_feeds(now).await?, 0)),
            Selection::All => {
                let all = self.store.feeds().await?;
                all.into_iter()
                    .filter(|feed| feed.status != FeedStatus::Retired)
                    .collect()
            }
            Selection::Named(names) => {
                let all = self.store.feeds().await?;
                let mut wanted: Vec<Feed> = Vec::new();
                for name in names {
                    let address = name.parse().ok().map(|url| model::normal_feed_address(&url));
                    let is_named = |feed: &&Feed| {
                        feed.slug == *name
                            || address
                                .as_ref()
                                .is_some_and(|a| *a == model::normal_feed_address(&feed.url))
                    };
                    let feed = all
                        .iter()
                        .find(is_named)
                        .ok_or_else(|| PollError::NotRegistered(name.clone()))?;
                    if !wanted.iter().any(|other| other.id == feed.id) {
                        wanted.push(feed.clone());
                    }
                }
                wanted
            }
        };
        let total = wanted.len();
        let may_poll = |feed: &Feed| {
            feed.status == FeedStatus::Active && feed.retry_after_at.is_none_or(|until| until <= now)
        };
        let feeds: Vec<Feed> = wanted.into_iter().filter(may_poll).collect();
        let skipped = (total - feeds.len()) as u32;
        Ok((feeds, skipped))
    }

    /// Fetches and reads one feed and decides what to write. Whatever happens ends in a record.
    pub(crate) async fn poll_one(&self, feed: Feed, fetcher: i64) -> Polled {
        let fetch = self
            .fetcher
            .fetch(&feed.url, &feed.validators, self.clock.now())
            .await;
        let now = self.clock.now();
        let mut poll = PollInHand::new(feed, fetcher, now, self.intervals, &fetch);
        match fetch.outcome {
            FetchOutcome::NotModified { validators, max_age } => poll.not_modified(validators, max_age),
            FetchOutcome::Modified(body) => {
                let hash = format!("{:032x}", XxHash3_128::oneshot(&body.bytes));
                if poll.feed.body_hash.as_deref() == Some(hash.as_str()) {
                    poll.unchanged(body.validators, body.max_age);
                } else {
                    let (validators, max_age) = (body.validators.clone(), body.max_age);
                    match self.read(&poll.feed, body, &fetch.final_url, now).await {
                        Ok(read) => poll.read(read, hash, validators, max_age),
                        Err(error) => poll.failed(error),
                    }
                }
            }
            FetchOutcome::Gone => poll.gone(),
            FetchOutcome::RetryAfter { until, message } => poll.retry_after(until, message),
            FetchOutcome::Failed(failure) => poll.failed(failure.message),
        }
        poll.finish()
    }

    /// Reads a body and compares it with what the store knows, off the threads that wait for the network.
    async fn read(
        &self,
        feed: &Feed,
        body: Body,
        final_url: &url::Url,
        now: DateTime<Utc>,
    ) -> Result<Read, String> {
        let known = match feed.first_success_at {
            None => Vec::new(),
            Some(_) => self
                .store
                .known_entries(feed.id)
                .await
                .map_err(|error| error.to_string())?,
        };
        let _turn = self
            .reading
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let (feed, url) = (feed.clone(), final_url.clone());
        let (site, tagger) = (Arc::clone(&self.site), Arc::clone(&self.tagger));
        let reading =
            tokio::task::spawn_blocking(move || read(&feed, &known, &body, &url, &site, &tagger, now));
        reading.await.unwrap_or_else(|_| {
            Err("the feed made our reader stop; we have kept what we had of it".to_owned())
        })
    }
}

/// What a reading came to.
struct Read {
    changes: Changes,
    site_url: Option<String>,
}

fn read(
    feed: &Feed,
    known: &[KnownEntry],
    body: &Body,
    url: &url::Url,
    site: &Site,
    tagger: &Tagger,
    now: DateTime<Utc>,
) -> Result<Read, String> {
    let source = Source {
        body: &body.bytes,
        content_type: body.content_type.as_deref(),
        url: Some(url),
        timezone: site.timezone,
    };
    let document = normalize::read(&source).map_err(|error| error.to_string())?;
    Ok(Read {
        changes: changes(feed, known, &document.entries, site, tagger, now),
        // Said only when it is news, for what is said is written.
        site_url: document
            .site
            .map(String::from)
            .filter(|site| feed.member.url.as_ref() != Some(site)),
    })
}

/// A poll that is done but not yet recorded.
pub(crate) struct Polled {
    pub(crate) slug: String,
    pub(crate) record: PollRecord,
}

/// A poll between the answer and the record: how each outcome changes the feed's state.
struct PollInHand {
    feed: Feed,
    now: DateTime<Utc>,
    intervals: Intervals,
    record: PollRecord,
}

impl PollInHand {
    fn new(feed: Feed, fetcher: i64, now: DateTime<Utc>, intervals: Intervals, fetch: &Fetch) -> Self {
        // A move counts from the first answer of an unbroken run of the same permanent redirect.
        let wholly_permanent = fetch.permanent_target.as_ref() == Some(&fetch.final_url);
        let moved = fetch
            .permanent_target
            .clone()
            .filter(|_| wholly_permanent)
            .map(|target| match &feed.moved {
                Some((known, since)) if *known == target => (target, *since),
                _ => (target, now),
            });
        let body_bytes = match &fetch.outcome {
            FetchOutcome::Modified(body) => body.bytes.len() as u64,
            _ => 0,
        };
        let record = PollRecord {
            feed_id: feed.id,
            feed_version: feed.version,
            fetcher,
            at: now,
            outcome: PollOutcome::Failed,
            http_status: fetch.http_status,
            duration_ms: fetch.duration.as_millis() as u64,
            body_bytes,
            error: None,
            state: FeedState {
                status: feed.status,
                validators: feed.validators.clone(),
                body_hash: feed.body_hash.clone(),
                next_poll_at: now,
                retry_after_at: None,
                failures: 0,
                gone_since: None,
                moved,
                site_url: None,
            },
            new: Vec::new(),
            changed: Vec::new(),
        };
        Self {
            feed,
            now,
            intervals,
            record,
        }
    }

    fn not_modified(&mut self, validators: Validators, max_age: Option<Duration>) {
        self.succeeded(PollOutcome::NotModified, validators, max_age);
    }

    fn unchanged(&mut self, validators: Validators, max_age: Option<Duration>) {
        self.succeeded(PollOutcome::Unchanged, validators, max_age);
    }

    fn read(&mut self, read: Read, hash: String, validators: Validators, max_age: Option<Duration>) {
        let outcome = if read.changes.is_empty() {
            PollOutcome::Unchanged
        } else {
            PollOutcome::Changed
        };
        self.succeeded(outcome, validators, max_age);
        self.record.state.body_hash = Some(hash);
        self.record.state.site_url = read.site_url;
        self.record.new = read.changes.new;
        self.record.changed = read.changes.changed;
    }

    fn succeeded(&mut self, outcome: PollOutcome, validators: Validators, max_age: Option<Duration>) {
        self.record.outcome = outcome;
        self.record.state.validators = validators;
        self.record.state.next_poll_at = self.intervals.after_success(self.now, max_age);
    }

    /// The old validators stay, so that a feed which is mended by going back is heard of.
    fn failed(&mut self, error: String) {
        self.record.error = Some(error);
        self.record.state.failures = self.feed.failures.saturating_add(1);
        self.record.state.next_poll_at =
            self.intervals
                .after_failure(self.now, self.record.state.failures, self.feed.id);
    }

    fn retry_after(&mut self, until: DateTime<Utc>, message: String) {
        self.failed(message);
        self.record.state.retry_after_at = Some(until);
        self.record.state.next_poll_at = self.record.state.next_poll_at.max(until);
    }

    fn gone(&mut self) {
        let since = self.feed.gone_since.unwrap_or(self.now);
        let confirmed = TimeDelta::from_std(GONE_CONFIRMED_AFTER).is_ok_and(|day| self.now - since >= day);
        self.failed(if confirmed {
            "the server says for the second time that this feed is gone for good (410); it is no longer polled".to_owned()
        } else {
            "the server says that this feed is gone for good (410); we ask once more in a day before we believe it".to_owned()
        });
        self.record.state.gone_since = Some(since);
        self.record.state.next_poll_at = self.intervals.after_gone(self.now);
        if confirmed {
            self.record.state.status = FeedStatus::Gone;
        }
    }

    fn finish(self) -> Polled {
        Polled {
            slug: self.feed.slug,
            record: self.record,
        }
    }
}

/// Waits until `stop` turns true; for ever if whoever could say so is gone.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|&stop| stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
