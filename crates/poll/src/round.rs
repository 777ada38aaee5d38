//! One round: many feeds polled side by side, each by one fetcher, and recorded in batches.
//!
//! Several fetchers may go round at once on one database. A feed is leased before it is asked for, a chunk of feeds
//! in one transaction, and the recorded poll ends the lease. What the leases promise is in [`store::Lease`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{Stream, StreamExt, stream};
use model::{Feed, PollOutcome};
use serde::Serialize;
use store::{Lease, PollCounts, PollRecord, StoreError, WantedFeed};
use tokio::sync::{mpsc, watch};

use crate::network::{Network, Witness};
use crate::poller::{OUR_FILES, OUR_NETWORK, Polled, Poller, stopped};

/// How many feeds are leased in one transaction at most.
const MAX_LEASED: usize = 128;

/// How many finished polls are recorded in one transaction at most …
const MAX_RECORDED: usize = 256;
/// … and from how many new or changed entries on it is full.
const MAX_ENTRIES: usize = 960;

/// How long a finished poll waits for others to share its transaction. It is short beside a fetch, and long beside
/// a transaction, each of which costs a search index more than the rows do.
const LINGER: Duration = Duration::from_millis(50);

/// How often polls are tried to be recorded that another program's lock keeps out; each try waits for it for ten seconds.
const TRIES: u32 = 3;

/// How long the feeds of a fetcher that died stay with it.
const LEASE: TimeDelta = TimeDelta::seconds(20);
/// How often a fetcher says that it is alive.
const RENEWAL: Duration = Duration::from_secs(5);

/// How long to leave feeds and hosts alone that other fetchers have in hand.
const PAUSE: Duration = Duration::from_millis(500);

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
    /// Not polled: a running `Retry-After`, a pause, a feed that is gone, or one that another fetcher polled meanwhile.
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
    fn add(&mut self, slug: &str, record: &PollRecord, counts: PollCounts) {
        self.entries_new += counts.new;
        self.entries_updated += counts.updated;
        match record.outcome {
            PollOutcome::NotModified => self.not_modified += 1,
            PollOutcome::Unchanged => self.unchanged += 1,
            PollOutcome::Changed => self.changed += 1,
            PollOutcome::Failed => self.fail(slug, record.error.clone().unwrap_or_default()),
        }
    }

    fn fail(&mut self, slug: &str, error: String) {
        let feed = slug.to_owned();
        self.failed += 1;
        self.failures.push(FeedFailure { feed, error });
    }
}

/// How a feed leaves the round.
enum Finished {
    Polled(Box<Polled>),
    /// Another fetcher has polled it, or it is stored otherwise now.
    Overtaken(Arc<Feed>),
    /// The store could not lease it.
    Failed(Arc<Feed>, String),
    /// Not a feed: all that could be polled by now have been.
    All,
}

impl Finished {
    fn entries(&self) -> usize {
        match self {
            Self::Polled(polled) => polled.record.new.len() + polled.record.changed.len(),
            _ => 0,
        }
    }
}

/// The feeds of one host that are still to be leased.
struct HostQueue {
    host: String,
    feeds: Vec<Arc<Feed>>,
}

/// One fetcher's part of the round.
struct Round<'p> {
    poller: &'p Poller,
    fetcher: i64,
    /// Whether anything was withdrawn before it began. What is withdrawn meanwhile, the store passes over.
    withdrawals: bool,
    finished: mpsc::Sender<Finished>,
    /// Feeds that other fetchers had in hand, and feeds of busy hosts.
    later: Mutex<Vec<Arc<Feed>>>,
}

impl Poller {
    /// Polls `feeds` side by side and records each poll. `progress` hears each feed's slug as it is done with.
    /// `network` is what the round before this one found, and becomes what this one finds.
    /// When `stop` turns true no further feed is begun, those in flight are dropped with nothing written, and the
    /// summary tells of the rest.
    pub async fn poll(
        &self,
        feeds: Vec<Feed>,
        network: &mut Network,
        stop: &watch::Receiver<bool>,
        progress: &(dyn Fn(&str) + Sync),
    ) -> PollSummary {
        let started = self.clock.now();
        let feeds: Vec<Arc<Feed>> = feeds.into_iter().map(Arc::new).collect();
        let (finished, mut to_record) = mpsc::channel(MAX_LEASED);
        let ask = async move {
            let begun = tokio::try_join!(self.store.new_fetcher(), self.store.has_withdrawals());
            let (fetcher, withdrawals) = match begun {
                Ok(begun) => begun,
                Err(error) => {
                    for feed in feeds {
                        let failed = Finished::Failed(feed, error.to_string());
                        if finished.send(failed).await.is_err() {
                            break;
                        }
                    }
                    return None;
                }
            };
            let round = Round {
                poller: self,
                fetcher,
                withdrawals,
                finished,
                later: Mutex::default(),
            };
            tokio::select! {
                () = round.go(feeds) => {}
                () = round.stay_alive() => {}
                () = stopped(stop.clone()) => {}
            }
            Some(fetcher)
        };
        let record = async {
            let mut recorder = Recorder {
                poller: self,
                network,
                progress,
                summary: PollSummary::default(),
                witnesses: Vec::new(),
                unreached: Vec::new(),
            };
            // On the heap, for many futures are put together of this one.
            while let Some(batch) = next_batch(&mut to_record).await {
                Box::pin(recorder.take(batch)).await;
            }
            Box::pin(recorder.judge()).await;
            recorder.summary
        };
        let (fetcher, mut summary) = tokio::join!(ask, record);
        if let Some(fetcher) = fetcher
            && let Err(error) = self.store.release_leases(fetcher).await
        {
            tracing::warn!(%error, "feeds in hand could not be given back; they are polled when their leases end");
        }
        if summary.feeds > 0 {
            self.note_troubles().await;
        }
        summary.duration_ms = (self.clock.now() - started).num_milliseconds().max(0) as u64;
        summary
    }
}

/// The part of the round that writes.
struct Recorder<'r> {
    poller: &'r Poller,
    network: &'r mut Network,
    progress: &'r (dyn Fn(&str) + Sync),
    summary: PollSummary,
    /// Host, whether it was reached, whether its feed was well: what the polls since the last verdict say.
    witnesses: Vec<(String, bool, bool)>,
    /// Polls that reached nobody. Whose fault that was shows when the others are done.
    unreached: Vec<Polled>,
}

impl Recorder<'_> {
    async fn take(&mut self, batch: Vec<Finished>) {
        let mut polls = Vec::with_capacity(batch.len());
        for finished in batch {
            match finished {
                Finished::Polled(polled) => {
                    let reached = polled.unreached.is_none();
                    let was_well = polled.feed.failures == 0;
                    self.witnesses.push((polled.host.clone(), reached, was_well));
                    if reached {
                        polls.push(*polled);
                    } else {
                        self.unreached.push(*polled);
                    }
                }
                Finished::Overtaken(feed) => {
                    (self.progress)(&feed.slug);
                    self.summary.skipped += 1;
                }
                Finished::Failed(feed, error) => {
                    (self.progress)(&feed.slug);
                    self.summary.feeds += 1;
                    self.summary.fail(&feed.slug, error);
                }
                Finished::All => {
                    self.record(std::mem::take(&mut polls)).await;
                    self.judge().await;
                }
            }
        }
        self.record(polls).await;
    }

    /// Says whether it was they or we who could not be reached, and records those polls.
    async fn judge(&mut self) {
        let before = *self.network;
        // Then names cannot be looked up either, and who is not reached says nothing of the network.
        let out_of_files = self.unreached.iter().any(|polled| polled.out_of_files);
        let telling = (self.witnesses.iter()).filter(|(_, reached, _)| *reached || !out_of_files);
        let witnesses = telling.map(|(host, reached, was_well)| Witness {
            host,
            reached: *reached,
            was_well: *was_well,
        });
        *self.network = before.after(witnesses);
        self.witnesses.clear();
        match (before, *self.network) {
            (Network::Up, Network::Down) => tracing::error!(
                feeds = self.unreached.len(),
                "hardly any host can be reached: our own network seems to be down; no feed is blamed, and all are asked \
                 again within minutes"
            ),
            (Network::Down, Network::Up) => tracing::info!("our own network is back"),
            _ => {}
        }
        if out_of_files {
            tracing::error!(
                feeds = self.unreached.len(),
                "{}; no feed is blamed, and all are asked again within minutes",
                fetch::OUT_OF_FILES
            );
        }
        let fault = match *self.network {
            _ if out_of_files => Some(OUR_FILES),
            Network::Down => Some(OUR_NETWORK),
            Network::Up => None,
        };
        let mut unreached = std::mem::take(&mut self.unreached).into_iter().peekable();
        while unreached.peek().is_some() {
            let polls = unreached.by_ref().take(MAX_RECORDED);
            let polls = match fault {
                Some(fault) => polls.map(|polled| polled.blaming_us(fault)).collect(),
                None => polls.collect(),
            };
            self.record(polls).await;
        }
    }

    async fn record(&mut self, polls: Vec<Polled>) {
        // Readers see nothing of a poll before it is written: who asks what changed since then must not miss it.
        let at = self.poller.clock.now();
        let (feeds, records): (Vec<Arc<Feed>>, Vec<PollRecord>) = polls
            .into_iter()
            .map(|polled| (polled.feed, PollRecord { at, ..polled.record }))
            .unzip();
        let store = &self.poller.store;
        let mut together = store.record_polls(&records).await;
        // Nobody is asked anything meanwhile: the round waits for its records.
        for _ in 0..TRIES {
            if !matches!(together, Err(StoreError::Locked { .. })) {
                break;
            }
            together = store.record_polls(&records).await;
        }
        for (index, (feed, record)) in feeds.iter().zip(&records).enumerate() {
            // One record that cannot be written must not take its neighbours with it.
            let counts = match &together {
                Ok(counts) => Ok(counts[index]),
                Err(error) if error.is_of_all() => Err(error.to_string()),
                Err(_) => store
                    .record_polls(std::slice::from_ref(record))
                    .await
                    .map(|counts| counts[0])
                    .map_err(|error| error.to_string()),
            };
            (self.progress)(&feed.slug);
            self.summary.feeds += 1;
            match counts {
                Ok(counts) => self.summary.add(&feed.slug, record, counts),
                Err(error) => self.summary.fail(&feed.slug, error),
            }
        }
    }
}

impl Round<'_> {
    /// Polls `feeds` until each is polled, by this fetcher or by another.
    async fn go(&self, mut feeds: Vec<Arc<Feed>>) {
        let mut told = false;
        loop {
            let before = feeds.len();
            let mut polls = std::pin::pin!(self.polls(feeds));
            while let Some(polled) = polls.next().await {
                self.finish(Finished::Polled(Box::new(polled))).await;
            }
            // The leases of what reached nobody end with its record, and other fetchers may be waiting for them.
            self.finish(Finished::All).await;
            feeds = std::mem::take(&mut *self.later.lock().unwrap_or_else(PoisonError::into_inner));
            if feeds.is_empty() {
                return;
            }
            if feeds.len() == before {
                if !std::mem::replace(&mut told, true) {
                    tracing::info!(
                        feeds = feeds.len(),
                        "waiting for feeds that another fetcher has in hand: each is polled when that one is done or, if it \
                         died, when its lease ends, in {} s at most",
                        LEASE.num_seconds()
                    );
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Renews the leases while the round goes on.
    async fn stay_alive(&self) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            let until = self.poller.clock.now() + LEASE;
            if let Err(error) = self.poller.store.renew_leases(self.fetcher, until).await {
                tracing::warn!(%error, "leases could not be renewed; another fetcher may take the feeds in hand");
            }
        }
    }

    async fn finish(&self, finished: Finished) {
        // Nobody listens only when the round is over.
        drop(self.finished.send(finished).await);
    }

    /// The polls of `feeds`, as they are done. Feeds of one host stand in one queue, so that a host with a thousand
    /// tenants holds up nobody else.
    fn polls(&self, feeds: Vec<Arc<Feed>>) -> impl Stream<Item = Polled> {
        let mut queues: HashMap<String, Vec<Arc<Feed>>> = HashMap::new();
        for feed in feeds {
            queues
                .entry(fetch::politeness_key(&feed.url))
                .or_default()
                .push(feed);
        }
        let queues = queues.into_iter().map(|(host, feeds)| HostQueue { host, feeds });
        stream::iter(in_groups(queues))
            .then(|group| self.lease_first(group))
            .flat_map(stream::iter)
            .map(|(first, rest)| Box::pin(self.polls_of_host(first, rest)))
            .flatten_unordered(self.poller.concurrency)
    }

    /// The polls of one host's feeds: those that are leased, and then the rest, chunk by chunk.
    fn polls_of_host(&self, first: Vec<Arc<Feed>>, rest: HostQueue) -> impl Stream<Item = Polled> {
        let HostQueue { host, feeds } = rest;
        let rest = stream::iter(in_chunks(feeds)).then(move |chunk| {
            let hosts = vec![(host.clone(), chunk)];
            // On the heap, for most hosts have no rest, and each would be moved about with room for this.
            Box::pin(async move { self.lease(hosts).await.pop().unwrap_or_default() })
        });
        stream::iter([first])
            .chain(rest)
            .flat_map(stream::iter)
            .map(|feed| Box::pin(self.poller.poll_one(feed, self.fetcher, self.withdrawals)))
            .buffer_unordered(self.poller.per_host)
    }

    /// Leases the first feeds of each of these hosts; gives them with what is left of their host.
    async fn lease_first(&self, group: Vec<HostQueue>) -> Vec<(Vec<Arc<Feed>>, HostQueue)> {
        let (firsts, rests): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|mut queue| {
                let rest = queue.feeds.split_off(queue.feeds.len().min(MAX_LEASED));
                let first = (queue.host.clone(), queue.feeds);
                let host = queue.host;
                (first, HostQueue { host, feeds: rest })
            })
            .unzip();
        self.lease(firsts).await.into_iter().zip(rests).collect()
    }

    /// Leases the feeds of these hosts; gives, in the same order, those of each host that are to be polled here.
    async fn lease(&self, hosts: Vec<(String, Vec<Arc<Feed>>)>) -> Vec<Vec<Arc<Feed>>> {
        let wanted: Vec<WantedFeed> = hosts
            .iter()
            .flat_map(|(host, feeds)| {
                feeds.iter().map(|feed| WantedFeed {
                    feed_id: feed.id,
                    feed_version: feed.version,
                    host: host.clone(),
                })
            })
            .collect();
        let now = self.poller.clock.now();
        let leases = self
            .poller
            .store
            .lease_feeds(self.fetcher, &wanted, self.poller.per_host, now, now + LEASE)
            .await;
        let mut leases = match leases {
            Ok(leases) => leases.into_iter(),
            Err(error) => {
                for feed in hosts.iter().flat_map(|(_, feeds)| feeds) {
                    self.finish(Finished::Failed(Arc::clone(feed), error.to_string()))
                        .await;
                }
                return hosts.iter().map(|_| Vec::new()).collect();
            }
        };
        let mut given = Vec::with_capacity(hosts.len());
        for (_, feeds) in hosts {
            let mut of_host = Vec::with_capacity(feeds.len());
            for feed in feeds {
                match leases.next() {
                    Some(Lease::Given) => of_host.push(feed),
                    Some(Lease::Held | Lease::HostIsBusy) => self
                        .later
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(feed),
                    Some(Lease::Changed) | None => self.finish(Finished::Overtaken(feed)).await,
                }
            }
            given.push(of_host);
        }
        given
    }
}

/// Hosts in groups whose first feeds fit into one transaction.
fn in_groups(queues: impl Iterator<Item = HostQueue>) -> Vec<Vec<HostQueue>> {
    let mut groups: Vec<Vec<HostQueue>> = Vec::new();
    let mut room = 0;
    for queue in queues {
        let first = queue.feeds.len().min(MAX_LEASED);
        match groups.last_mut() {
            Some(group) if first <= room => group.push(queue),
            _ => {
                groups.push(vec![queue]);
                room = MAX_LEASED;
            }
        }
        room -= first;
    }
    groups
}

fn in_chunks(feeds: Vec<Arc<Feed>>) -> Vec<Vec<Arc<Feed>>> {
    let mut feeds = feeds.into_iter().peekable();
    std::iter::from_fn(|| {
        feeds.peek()?;
        Some(feeds.by_ref().take(MAX_LEASED).collect())
    })
    .collect()
}

/// What is to be recorded together: all that finished while the last batch was written, and within [`LINGER`] of the
/// first of it. `None` when nothing more comes.
async fn next_batch(finished: &mut mpsc::Receiver<Finished>) -> Option<Vec<Finished>> {
    let mut next = finished.recv().await?;
    let until = tokio::time::Instant::now() + LINGER;
    let (mut batch, mut entries) = (Vec::new(), 0);
    loop {
        entries += next.entries();
        batch.push(next);
        if batch.len() >= MAX_RECORDED || entries >= MAX_ENTRIES {
            break;
        }
        match tokio::time::timeout_at(until, finished.recv()).await {
            Ok(Some(one)) => next = one,
            Ok(None) | Err(_) => break,
        }
    }
    Some(batch)
}
