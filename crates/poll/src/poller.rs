//! One poll, and many of them side by side.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fetch::{Body, Fetch, FetchOutcome, Fetcher};
use futures_util::{StreamExt, stream};
use model::{Clock, Feed, FeedStatus, KnownEntry, PollOutcome, Site, Validators};
use normalize::{Source, Tagger};
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::{FeedState, PollRecord, Store};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::changes::{Changes, changes};
use crate::schedule::{GONE_CONFIRMED_AFTER, Intervals};
use crate::{CronLine, PollError};

/// How many finished polls one transaction takes at most.
const MAX_BATCH: usize = 64;

/// How long a finished poll waits for others to share its transaction. It is short beside a fetch, and long beside
/// a transaction, each of which costs a search index more than the rows do.
const LINGER: Duration = Duration::from_millis(50);

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

/// What a round of polls came to: the counts add up to `feeds`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PollSummary {
    /// Feeds polled.
    pub feeds: u32,
    /// 304.
    pub not_modified: u32,
    /// 200 with the content we had.
    pub unchanged: u32,
    /// 200 with something new.
    pub changed: u32,
    /// Anything else.
    pub failed: u32,
    /// Not polled: a running `Retry-After`, a pause, or a feed that is gone.
    pub skipped: u32,
    /// Entries added.
    pub entries_new: u32,
    /// Entries changed in substance.
    pub entries_updated: u32,
    /// The feeds that failed, and why.
    pub failures: Vec<FeedFailure>,
    /// How long the round took.
    pub duration_ms: u64,
}

/// A feed that could not be polled, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeedFailure {
    /// The feed's slug.
    pub feed: String,
    /// What went wrong, for people.
    pub error: String,
}

impl PollSummary {
    fn fail(&mut self, feed: String, error: String) {
        self.failed += 1;
        self.failures.push(FeedFailure { feed, error });
    }
}

/// Polls feeds and records what came of it.
pub struct Poller {
    store: Store,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    site: Arc<Site>,
    tagger: Arc<Tagger>,
    intervals: Intervals,
    schedule: CronLine,
    concurrency: usize,
    per_host: usize,
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

    /// Polls `feeds` side by side and records each poll. `progress` hears each feed's slug as its poll is
    /// recorded. When `stop` turns true no further feed is begun, those in flight are dropped with nothing
    /// written, and the summary tells of the rest.
    pub async fn poll(
        &self,
        feeds: Vec<Feed>,
        stop: &watch::Receiver<bool>,
        progress: &(dyn Fn(&str) + Sync),
    ) -> PollSummary {
        let started = self.clock.now();
        // Feeds of one host stand in one queue, so that a host with a thousand tenants holds up nobody else.
        let mut queues: std::collections::HashMap<String, Vec<Feed>> = std::collections::HashMap::new();
        for feed in feeds {
            queues
                .entry(fetch::politeness_key(&feed.url))
                .or_default()
                .push(feed);
        }
        let polls = stream::iter(queues.into_values())
            .map(|queue| {
                let polls = stream::iter(queue)
                    .map(|feed| self.poll_one(feed))
                    .buffer_unordered(self.per_host);
                Box::pin(polls)
            })
            .flatten_unordered(self.concurrency);

        let (finished, mut to_record) = mpsc::channel::<Polled>(MAX_BATCH);
        let ask = async move {
            let mut polls = std::pin::pin!(polls.take_until(stopped(stop.clone())));
            while let Some(polled) = polls.next().await {
                if finished.send(polled).await.is_err() {
                    break;
                }
            }
        };
        let record = async {
            let mut summary = PollSummary::default();
            while let Some(mut batch) = next_batch(&mut to_record).await {
                self.record(&mut batch, &mut summary, progress).await;
            }
            summary
        };
        let ((), mut summary) = tokio::join!(ask, record);
        summary.duration_ms = (self.clock.now() - started).num_milliseconds().max(0) as u64;
        summary
    }

    async fn record(
        &self,
        batch: &mut Vec<Polled>,
        summary: &mut PollSummary,
        progress: &(dyn Fn(&str) + Sync),
    ) {
        let (slugs, records): (Vec<String>, Vec<PollRecord>) =
            batch.drain(..).map(|polled| (polled.slug, polled.record)).unzip();
        let together = self.store.record_polls(&records).await;
        for (index, (slug, record)) in slugs.into_iter().zip(&records).enumerate() {
            // One record that cannot be written must not take its neighbours with it.
            let counts = match &together {
                Ok(counts) => Ok(counts[index]),
                Err(_) => self
                    .store
                    .record_polls(std::slice::from_ref(record))
                    .await
                    .map(|counts| counts[0]),
            };
            progress(&slug);
            summary.feeds += 1;
            match counts {
                Ok(counts) => {
                    summary.entries_new += counts.new;
                    summary.entries_updated += counts.updated;
                    match record.outcome {
                        PollOutcome::NotModified => summary.not_modified += 1,
                        PollOutcome::Unchanged => summary.unchanged += 1,
                        PollOutcome::Changed => summary.changed += 1,
                        PollOutcome::Failed => {
                            summary.fail(slug, record.error.clone().unwrap_or_default());
                        }
                    }
                }
                Err(error) => summary.fail(slug, error.to_string()),
            }
        }
    }

    /// Fetches and reads one feed and decides what to write. Whatever happens ends in a record.
    async fn poll_one(&self, feed: Feed) -> Polled {
        let fetch = self
            .fetcher
            .fetch(&feed.url, &feed.validators, self.clock.now())
            .await;
        let now = self.clock.now();
        let mut poll = PollInHand::new(feed, now, self.intervals, &fetch);
        match fetch.outcome {
            FetchOutcome::NotModified { validators, max_age } => poll.not_modified(validators, max_age),
            FetchOutcome::Modified(body) => {
                let hash = hex_sha256(&body.bytes);
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
struct Polled {
    slug: String,
    record: PollRecord,
}

/// A poll between the answer and the record: how each outcome changes the feed's state.
struct PollInHand {
    feed: Feed,
    now: DateTime<Utc>,
    intervals: Intervals,
    record: PollRecord,
}

impl PollInHand {
    fn new(feed: Feed, now: DateTime<Utc>, intervals: Intervals, fetch: &Fetch) -> Self {
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

/// What is to be recorded together: all that finished while the last batch was written, and within [`LINGER`] of the
/// first of it. `None` when nothing more comes.
async fn next_batch(finished: &mut mpsc::Receiver<Polled>) -> Option<Vec<Polled>> {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    batch.push(finished.recv().await?);
    let until = tokio::time::Instant::now() + LINGER;
    while batch.len() < MAX_BATCH {
        match tokio::time::timeout_at(until, finished.recv()).await {
            Ok(Some(polled)) => batch.push(polled),
            Ok(None) | Err(_) => break,
        }
    }
    Some(batch)
}

/// Waits until `stop` turns true; for ever if whoever could say so is gone.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|&stop| stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn hex_sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
