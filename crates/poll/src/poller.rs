//! One poll: fetch, read, compare, and what it makes of the feed. Many of them side by side are a `round`.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fetch::{Body, Failure, FailureKind, Fetch, FetchOutcome, Fetcher, Hop};
use model::{Clock, Feed, FeedProblem, FeedStatus, HubTopic, KnownEntry, PollOutcome, Site, Validators};
use normalize::{Document, ReadError, Source, Tagger};
use store::{Due, FeedState, HostRequest, PollRecord, Store, StoreError};
use tokio::sync::{Semaphore, watch};
use twox_hash::XxHash3_128;
use url::Url;

use crate::changes::{Changes, changes};
use crate::deletions::{Missing, missing};
use crate::hints::Hints;
use crate::moves::{Answer, Face, Gone, Move, Reading, changed_hands, gone, moved};
use crate::reading::off_the_network;
use crate::schedule::{Intervals, NextPoll, Turn, Written};
use crate::websub::{hub_news, hub_topic};
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
    pub(crate) fetcher: Fetcher,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) site: Arc<Site>,
    /// Made when the first post wants it: most rounds bring none, and it takes longer to make than a hundred 304s.
    tagger: OnceLock<Arc<Tagger>>,
    pub(crate) intervals: Intervals,
    schedule: CronLine,
    pub(crate) concurrency: usize,
    pub(crate) per_host: usize,
    reading: Arc<Semaphore>,
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
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            store,
            fetcher,
            clock,
            site,
            tagger: OnceLock::new(),
            intervals: settings.intervals,
            schedule: settings.schedule,
            concurrency: settings.concurrency,
            per_host: settings.per_host,
            reading: Arc::new(Semaphore::new(cores)),
        }
    }

    /// The rules by which posts get their topics.
    pub(crate) fn tagger(&self) -> &Arc<Tagger> {
        let make = || Arc::new(Tagger::new(&self.site.topics));
        self.tagger.get_or_init(make)
    }

    /// What asks.
    pub(crate) fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// Adds requests that belong to no poll to the ledger of their hosts.
    pub(crate) async fn note(&self, hops: &[Hop]) {
        if let Err(error) = self.store.note_requests(self.now(), &requests(hops)).await {
            tracing::warn!(%error, "the ledger of what we ask of hosts lacks some requests");
        }
    }

    /// When the schedule next wakes the poller.
    pub(crate) fn next_tick(&self) -> Option<DateTime<Utc>> {
        self.schedule.next_after(self.clock.now())
    }

    /// Which feeds are due now.
    pub(crate) fn due(&self) -> Due {
        self.intervals.due(self.clock.now())
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
        let due = self.intervals.due(self.clock.now());
        let wanted: Vec<Feed> = match selection {
            Selection::Due => return Ok((self.store.due_feeds(due).await?, 0)),
            Selection::All => {
                let all = self.store.feeds().await?;
                all.into_iter()
                    .filter(|feed| feed.status.is_public() && feed.status != FeedStatus::Retired)
                    .collect()
            }
            Selection::Named(names) => {
                let all = self.store.feeds().await?;
                let aliases = self.store.feed_aliases().await?;
                let mut wanted: Vec<Feed> = Vec::new();
                for name in names {
                    let address = name.parse().ok().map(|url| model::normal_feed_address(&url));
                    let is_named = |feed: &&Feed| {
                        feed.slug == *name
                            || address.as_ref().is_some_and(|address| {
                                *address == model::normal_feed_address(&feed.url)
                                    || aliases.contains(&(address.clone(), feed.id))
                            })
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
        let may_poll =
            |feed: &Feed| feed.status == FeedStatus::Active && !due.is_refused(feed.retry_after_at);
        let feeds: Vec<Feed> = wanted.into_iter().filter(may_poll).collect();
        let skipped = (total - feeds.len()) as u32;
        Ok((feeds, skipped))
    }

    /// Fetches and reads one feed and decides what to write; with `withdrawals`, what is new is looked for among them.
    /// Whatever happens ends in a record.
    pub(crate) async fn poll_one(&self, feed: Arc<Feed>, fetcher: i64, withdrawals: bool) -> Polled {
        let asked_at = self.clock.now();
        let fetch = self.fetcher.fetch(&feed.url, &feed.validators, asked_at).await;
        let now = self.clock.now();
        let mut poll = PollInHand::new(feed, fetcher, now, self.intervals, &fetch);
        match fetch.outcome {
            FetchOutcome::NotModified {
                validators,
                max_age,
                refuses_training,
            } => {
                poll.heed_training(refuses_training || poll.feed.refuses_training);
                poll.not_modified(validators, max_age);
            }
            FetchOutcome::Modified(body) => {
                let hash = format!("{:032x}", XxHash3_128::oneshot(&body.bytes));
                let (validators, max_age) = (body.validators.clone(), body.max_age);
                let refuses_training = body.refuses_training;
                if poll.feed.body_hash.as_deref() == Some(hash.as_str()) {
                    // Headers may name a hub though the document is as it was; what it says itself is known.
                    if let Some(links) = body.links.as_deref().filter(|_| poll.feed.held.is_none()) {
                        let known = poll.feed.hub.as_ref().map(|known| known.topic.clone());
                        let named = hub_topic(Some(links), None, known, &fetch.final_url);
                        poll.record.hub = hub_news(&poll.feed, named);
                    }
                    poll.heed_training(refuses_training);
                    poll.unchanged(validators, max_age);
                    Box::pin(self.look_for_deleted(&poll.feed, &mut poll.record)).await;
                } else {
                    // What most polls do not come to lies on the heap: a poll is moved about before it begins.
                    let read = self.read(&poll.feed, body, &fetch.final_url, now, withdrawals);
                    match Box::pin(read).await {
                        Ok(read) => {
                            let some_missing = read.some_missing;
                            poll.heed_training(refuses_training);
                            poll.read(read, hash, validators, max_age);
                            if some_missing {
                                Box::pin(self.look_for_deleted(&poll.feed, &mut poll.record)).await;
                            }
                        }
                        Err(unread) => poll.unread(unread),
                    }
                }
            }
            FetchOutcome::Gone => poll.gone(),
            FetchOutcome::RetryAfter { until, message } => poll.retry_after(until, message),
            FetchOutcome::Failed(failure) => poll.failed_to_fetch(failure),
        }
        poll.finish()
    }

    /// Reads a body and compares it with what the store knows, off the threads that wait for the network.
    async fn read(
        &self,
        feed: &Arc<Feed>,
        body: Body,
        final_url: &Url,
        now: DateTime<Utc>,
        withdrawals: bool,
    ) -> Result<Read, Unread> {
        let is_known = feed.first_success_at.is_some();
        let known = if is_known {
            self.store.known_entries(feed.id).await?
        } else {
            Vec::new()
        };
        let turn = Arc::clone(&self.reading)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let (shared, url) = (Arc::clone(feed), final_url.clone());
        let (site, tagger) = (Arc::clone(&self.site), Arc::clone(self.tagger()));
        let published: Vec<DateTime<Utc>> = (known.iter().filter(|known| known.dated))
            .map(|known| known.published)
            .collect();
        // A reading that takes too long keeps its turn until it ends, and the poll ends without it.
        let reading = off_the_network(move || {
            let read = read(&shared, &known, &body, &url, &site, &tagger, now);
            drop(turn);
            read
        });
        let mut read = reading.await.map_err(Unread::because)??;
        if withdrawals {
            read.changes.new = self
                .store
                .without_the_withdrawn(feed.id, std::mem::take(&mut read.changes.new))
                .await?;
        }
        if !read.changes.new.is_empty() {
            let dates: Vec<DateTime<Utc>> = read.changes.dates().chain(published).collect();
            read.written = Written::of(&dates, now);
        }
        Ok(read)
    }
}

/// What a reading came to.
struct Read {
    changes: Changes,
    title: Option<String>,
    site_url: Option<String>,
    hints: Hints,
    /// The hub that it names.
    hub: Option<HubTopic>,
    /// How often the blog writes, where this reading says something new of it.
    written: Option<Written>,
    /// Why nothing of it may be taken.
    held: Option<String>,
    /// What is known and not there, as far as that says anything.
    missing: Missing,
    /// Whether some known entries were missing before, and the document, which is all there, can say more of that.
    some_missing: bool,
    /// What is wrong with it, where that may be news.
    problems: Option<Vec<FeedProblem>>,
}

/// Why a body could not be read.
struct Unread {
    message: String,
    not_a_feed: bool,
    /// The feed that the page names, if it is a page.
    proposed: Option<Url>,
}

impl Unread {
    fn because(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            not_a_feed: false,
            proposed: None,
        }
    }

    /// What is no feed may be a page that names one.
    fn of(error: &ReadError, body: &Body, url: &Url) -> Self {
        let not_a_feed = matches!(error, ReadError::NotAFeed { .. });
        let candidates = if not_a_feed {
            normalize::discover(&body.bytes, body.content_type.as_deref(), url)
        } else {
            Vec::new()
        };
        Self {
            message: error.to_string(),
            not_a_feed,
            proposed: candidates.into_iter().next().map(|candidate| candidate.url),
        }
    }
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        Self::because(error.to_string())
    }
}

fn read(
    feed: &Feed,
    known: &[KnownEntry],
    body: &Body,
    url: &Url,
    site: &Site,
    tagger: &Tagger,
    now: DateTime<Utc>,
) -> Result<Read, Unread> {
    let source = Source {
        body: &body.bytes,
        content_type: body.content_type.as_deref(),
        url: Some(url),
        timezone: site.timezone,
    };
    let mut document = normalize::read(&source).map_err(|error| Unread::of(&error, body, url))?;
    document.note_future_dates(now);
    let changes = changes(feed, known, &document.entries, site, tagger, now);
    let held = feed
        .held
        .clone()
        .or_else(|| suspicion(feed, known.len(), &document, &changes, now));
    let complete = !document.is_truncated() && held.is_none();
    let missing = if complete {
        missing(known, &changes.there)
    } else {
        Missing::default()
    };
    // A feed that is read for the first time and has none has nothing to take back either.
    let is_news = !document.problems.is_empty() || feed.first_success_at.is_some();
    let problems = is_news.then(|| document.problems.iter().map(FeedProblem::from).collect());
    Ok(Read {
        problems,
        missing,
        some_missing: complete && known.iter().any(|known| known.missing_since.is_some()),
        hints: Hints::of(document.ttl, &document.cadence),
        hub: hub_topic(body.links.as_deref(), document.hub, document.itself, url),
        changes,
        title: document.title,
        // Said only when it is news, for what is said is written.
        site_url: document
            .site
            .map(String::from)
            .filter(|site| feed.member.url.as_ref() != Some(site)),
        written: None,
        held,
    })
}

/// Why the feed seems to be in other hands than before.
fn suspicion(
    feed: &Feed,
    held: usize,
    document: &Document,
    changes: &Changes,
    now: DateTime<Utc>,
) -> Option<String> {
    let site_before = feed.member.url.as_deref().and_then(|url| url.parse().ok());
    let before = Face {
        title: feed.title.as_deref(),
        site: site_before.as_ref(),
    };
    let after = Face {
        title: document.title.as_deref(),
        site: document.site.as_ref(),
    };
    let found = document.entries.len();
    let reading = Reading {
        held,
        found,
        known: found - changes.new.len(),
        last_answer: feed.last_success_at?,
        last_entry: feed.last_entry_at?,
    };
    changed_hands(&before, &after, &reading, now)
}

/// What is said of a poll that came to nothing because our own network was down.
pub(crate) const OUR_NETWORK: &str =
    "our own network was down, so this feed could not be asked; nobody is blamed";
/// What is said of one that came to nothing because no more files could be open here.
pub(crate) const OUR_FILES: &str =
    "our own machine could open no more connections, so this feed could not be asked; nobody is blamed";

/// A poll that is done but not yet recorded.
pub(crate) struct Polled {
    /// As it was before.
    pub(crate) feed: Arc<Feed>,
    /// As politeness counts it.
    pub(crate) host: String,
    /// Where no server was reached: the state that the feed keeps if that turns out to be our own fault.
    pub(crate) unreached: Option<FeedState>,
    /// Whether that was because no more files could be open here.
    pub(crate) out_of_files: bool,
    pub(crate) record: PollRecord,
}

impl Polled {
    /// The record where it was our own fault.
    pub(crate) fn blaming_us(mut self, fault: &str) -> Self {
        if let Some(state) = self.unreached.take() {
            self.record.error = Some(fault.to_owned());
            self.record.state = state;
            self.record.reschedules_alone = true;
        }
        self
    }
}

/// A poll between the answer and the record: how each outcome changes the feed's state. What is not said to change
/// stays as it was.
struct PollInHand {
    feed: Arc<Feed>,
    now: DateTime<Utc>,
    intervals: Intervals,
    reached: bool,
    out_of_files: bool,
    final_url: Url,
    permanent_target: Option<Url>,
    record: PollRecord,
}

impl PollInHand {
    fn new(feed: Arc<Feed>, fetcher: i64, now: DateTime<Utc>, intervals: Intervals, fetch: &Fetch) -> Self {
        let body_bytes = match &fetch.outcome {
            FetchOutcome::Modified(body) => body.bytes.len() as u64,
            _ => 0,
        };
        let record = PollRecord {
            fetcher,
            outcome: PollOutcome::Failed,
            http_status: fetch.http_status,
            duration_ms: fetch.duration.as_millis() as u64,
            body_bytes,
            requests: requests(&fetch.hops),
            ..PollRecord::of(&feed, now)
        };
        Self {
            feed,
            now,
            intervals,
            reached: fetch.reached(),
            out_of_files: false,
            final_url: fetch.final_url.clone(),
            permanent_target: fetch.permanent_target.clone(),
            record,
        }
    }

    fn turn(&self) -> Turn {
        Turn {
            feed: self.feed.id,
            poll: self.feed.version,
        }
    }

    fn come_back(&mut self, next: NextPoll) {
        self.record.state.next_poll_at = next.at;
        self.record.state.next_poll_why = next.why;
    }

    /// Takes note of whether the server refuses training, where that is news.
    fn heed_training(&mut self, refuses: bool) {
        self.record.refuses_training = (refuses != self.feed.refuses_training).then_some(refuses);
    }

    /// A 304 to validators that came from another document says nothing: the next poll asks without any.
    fn not_modified(&mut self, validators: Validators, max_age: Option<Duration>) {
        let source = self.feed.validators_url.as_ref().unwrap_or(&self.feed.url);
        let validators = if is_same_document(source, &self.final_url) {
            validators
        } else {
            Validators::default()
        };
        self.answered(PollOutcome::NotModified, validators, max_age);
    }

    fn unchanged(&mut self, validators: Validators, max_age: Option<Duration>) {
        self.answered(PollOutcome::Unchanged, validators, max_age);
    }

    fn read(&mut self, read: Read, hash: String, validators: Validators, max_age: Option<Duration>) {
        let state = &mut self.record.state;
        state.changes_every = read.hints.interval;
        state.skip_hours = read.hints.skip_hours;
        state.skip_days = read.hints.skip_days;
        if let Some(why) = read.held {
            if state.held.is_none() {
                tracing::warn!(
                    feed = self.feed.slug,
                    why,
                    "held: nothing new of this feed is taken before somebody has looked; `voice feeds resume` takes it, \
                     `voice feeds pause` leaves it"
                );
            }
            state.held = Some(why);
            self.answered(PollOutcome::Unchanged, validators, max_age);
            return;
        }
        let outcome = if read.changes.is_empty() {
            PollOutcome::Unchanged
        } else {
            PollOutcome::Changed
        };
        self.record.hub = hub_news(&self.feed, read.hub);
        let state = &mut self.record.state;
        state.title = read.title;
        state.site_url = read.site_url;
        state.body_hash = Some(hash);
        if let Some(problems) = &read.problems {
            state.incomplete = problems
                .iter()
                .find(|problem| problem.loses_posts())
                .map(|problem| format!("{} {}", problem.message, problem.fix));
        }
        if let Some(written) = read.written {
            state.written = Some((written.since, written.posts));
        }
        let newest = read.changes.new.iter().map(|entry| entry.released_at).max();
        state.last_entry_at = state.last_entry_at.max(newest);
        self.answered(outcome, validators, max_age);
        self.record.migrated = read.changes.migrated();
        self.record.new = read.changes.new;
        self.record.changed = read.changes.changed;
        self.record.missing = read.missing.suspected;
        self.record.found_again = read.missing.cleared;
        self.record.problems = read.problems;
    }

    /// A good answer ends whatever was wrong, and says where the feed lies.
    fn answered(&mut self, outcome: PollOutcome, validators: Validators, max_age: Option<Duration>) {
        self.record.outcome = outcome;
        let state = &mut self.record.state;
        state.validators = validators;
        state.validators_url = Some(&self.final_url)
            .filter(|url| **url != self.feed.url)
            .cloned();
        state.retry_after_at = None;
        state.failures = 0;
        state.failing_since = None;
        state.not_a_feed = false;
        state.proposed = None;
        state.gone_since = None;
        state.name_unknown_since = None;
        let answer = Answer {
            asked: &self.feed.url,
            from: &self.final_url,
            permanent_target: self.permanent_target.as_ref(),
            is_feed: true,
        };
        let before = self.feed.moved.as_ref().map(|(to, since)| (to, *since));
        match moved(before, &answer, self.now) {
            Move::None => state.moved = None,
            Move::Announced { to, since } => state.moved = Some((to, since)),
            Move::Settled { to } => self.record.new_url = Some(to),
        }
        let written = state.written.map(|(since, posts)| Written { since, posts });
        let hints = Hints {
            interval: state.changes_every,
            skip_hours: state.skip_hours,
            skip_days: state.skip_days,
        };
        let next = self
            .intervals
            .after_answer(self.now, written, max_age, &hints, self.turn());
        self.come_back(next);
    }

    /// The old validators stay, so that a feed which is mended by going back is heard of.
    fn failed(&mut self, error: String) {
        self.record.error = Some(error);
        let state = &mut self.record.state;
        state.retry_after_at = None;
        state.failures = self.feed.failures.saturating_add(1);
        state.failing_since.get_or_insert(self.now);
        state.not_a_feed = false;
        let next = self
            .intervals
            .after_trouble(self.now, self.record.state.failures, self.turn());
        self.come_back(next);
    }

    fn failed_to_fetch(&mut self, failure: Failure) {
        self.out_of_files = failure.kind == FailureKind::OpenFiles;
        self.failed(failure.message);
        if failure.kind == FailureKind::NoSuchName {
            self.record.state.name_unknown_since.get_or_insert(self.now);
        }
    }

    fn unread(&mut self, unread: Unread) {
        self.failed(unread.message);
        self.record.state.not_a_feed = unread.not_a_feed;
        self.record.state.proposed = unread.proposed;
    }

    fn retry_after(&mut self, until: DateTime<Utc>, message: String) {
        self.failed(message);
        self.record.state.retry_after_at = Some(until);
        let failures = self.record.state.failures;
        let next = self
            .intervals
            .after_refusal(self.now, until, failures, self.turn());
        self.come_back(next);
    }

    fn gone(&mut self) {
        let since = match gone(self.feed.gone_since, self.now) {
            Gone::Once { since } => {
                self.failed(
                    "the server says that this feed is gone for good (410); we ask once more in a day before we believe it"
                        .to_owned(),
                );
                self.come_back(self.intervals.after_first_410(self.now, self.turn()));
                since
            }
            Gone::Confirmed { since } => {
                self.failed(
                    "the server says for the second time that this feed is gone for good (410); it is no longer polled"
                        .to_owned(),
                );
                self.record.state.status = FeedStatus::Gone;
                since
            }
        };
        self.record.state.gone_since = Some(since);
    }

    fn finish(mut self) -> Polled {
        self.record.reschedules_alone = self.record.state.is_of(&self.feed);
        let unreached = (!self.reached).then(|| {
            let next = self.intervals.after_outage(self.now, self.turn());
            FeedState {
                next_poll_at: next.at,
                next_poll_why: next.why,
                ..FeedState::of(&self.feed)
            }
        });
        Polled {
            host: fetch::politeness_key(&self.feed.url),
            feed: self.feed,
            unreached,
            out_of_files: self.out_of_files,
            record: self.record,
        }
    }
}

/// Requests as the ledger of their hosts takes them.
pub(crate) fn requests(hops: &[Hop]) -> Vec<HostRequest> {
    let requests = hops.iter().map(|hop| HostRequest {
        host: hop.url.host_str().unwrap_or_default().to_owned(),
        not_modified: hop.status == Some(304),
        bytes: hop.bytes,
    });
    requests.collect()
}

/// Whether two addresses are of one document: what an address adds after `?` may be new each time.
fn is_same_document(one: &Url, other: &Url) -> bool {
    fn place(url: &Url) -> (&str, Option<&str>, Option<u16>, &str) {
        let port = url.port_or_known_default();
        (url.scheme(), url.host_str(), port, url.path())
    }
    place(one) == place(other)
}

/// Waits until `stop` turns true; for ever if whoever could say so is gone.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|&stop| stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
