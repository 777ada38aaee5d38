//! What a form asks of somebody's blog, while they wait: what would readers see of it, is it proved to be theirs, and
//! what has it new.
//!
//! People press buttons twice, and some would like us to knock at doors for them. So looks at one address at one time
//! are one look, which is remembered for a moment; few run at once, and when too many wait the next is sent away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use fetch::FetchOutcome;
use model::{Validators, normal_feed_address};
use normalize::Tagger;
use tokio::sync::{OnceCell, Semaphore, watch};
use url::Url;

use crate::PollError;
use crate::check::{CheckReport, CheckSource, check};
use crate::network::Network;
use crate::poller::{Poller, Selection};
use crate::reading::off_the_network;
use crate::round::PollSummary;

/// Looks at once.
const AT_ONCE: usize = 6;
/// Looks at once or waiting.
const IN_THE_QUEUE: usize = 60;
/// How long a look may take, all its requests included.
const WITHIN: Duration = Duration::from_secs(45);
/// How long the outcome is remembered: long enough to fill in a form.
const REMEMBERED: TimeDelta = TimeDelta::minutes(20);
/// How old an outcome may be for whoever wants to see how things are now, and one that found no feed for anybody.
const PRESENT: TimeDelta = TimeDelta::seconds(10);
/// How many are remembered.
const MOST: usize = 200;

type Slot = Arc<OnceCell<Arc<CheckReport>>>;

/// Looks at blogs for people who wait.
pub struct Looker {
    poller: watch::Receiver<Arc<Poller>>,
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    looks: Mutex<HashMap<String, (DateTime<Utc>, Slot)>>,
}

/// Why nothing was looked at: too many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many people wait for a look at their blog; try again in a minute")]
pub struct Busy;

/// How a blog says whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A link with `rel="me"` to the member's page.
    Link,
    /// A `meta` element.
    Meta,
    /// The word in a post.
    Post,
}

impl Proof {
    /// In a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "a rel=\"me\" link",
            Self::Meta => "a meta tag",
            Self::Post => "a word in a post",
        }
    }
}

/// What is looked for in a blog, any of it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The addresses of which one is linked to with `rel="me"`.
    pub links: Vec<Url>,
    /// The `name` of the `meta` element whose `content` is the word.
    pub meta: &'static str,
    /// The word.
    pub word: String,
}

impl Looker {
    /// One that asks through the present poller's fetcher.
    pub fn new(poller: watch::Receiver<Arc<Poller>>) -> Self {
        Self {
            poller,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            queue: Arc::new(Semaphore::new(IN_THE_QUEUE)),
            looks: Mutex::default(),
        }
    }

    fn poller(&self) -> Arc<Poller> {
        Arc::clone(&self.poller.borrow())
    }

    /// What readers would see of the blog or feed at `url` now. Whatever happens is told in the report.
    ///
    /// # Errors
    /// [`Busy`]
    pub async fn check(&self, url: &Url) -> Result<Arc<CheckReport>, Busy> {
        self.look(url, PRESENT).await
    }

    /// As [`Self::check`], or what was seen minutes ago, for somebody who filled in a form meanwhile.
    ///
    /// # Errors
    /// [`Busy`]
    pub async fn recall(&self, url: &Url) -> Result<Arc<CheckReport>, Busy> {
        self.look(url, REMEMBERED).await
    }

    async fn look(&self, url: &Url, oldest: TimeDelta) -> Result<Arc<CheckReport>, Busy> {
        let poller = self.poller();
        let key = normal_feed_address(url);
        let slot = self.slot(&key, oldest, poller.now());
        let report = slot
            .get_or_try_init(|| self.in_turn(move |url| looked_at(poller, url), url.clone()))
            .await;
        report.cloned()
    }

    /// Looks whether the blog whose feed is `feed` says what is `wanted`: on the page that the feed itself names as its
    /// blog, on its front page, and in its posts. A page that the asker names proves nothing.
    ///
    /// # Errors
    /// [`Busy`], or in words why the blog could not be read.
    pub async fn find_proof(&self, feed: &Url, wanted: Wanted) -> Result<Option<Proof>, LookError> {
        let poller = self.poller();
        self.in_turn(move |feed| proof_at(poller, feed, wanted), feed.clone())
            .await?
    }

    /// Polls the feed with this slug, due or not, if it may be polled at all.
    ///
    /// # Errors
    /// When the database does not answer, or there is no such feed.
    pub async fn poll_now(&self, slug: &str) -> Result<PollSummary, PollError> {
        let poller = self.poller();
        let names = [slug.to_owned()];
        let (feeds, skipped) = poller.select(Selection::Named(&names)).await?;
        let (_keep, never) = watch::channel(false);
        let mut summary = poller.poll(feeds, &mut Network::default(), &never, &|_| ()).await;
        summary.skipped += skipped;
        Ok(summary)
    }

    /// Waits for a turn and does it. What is begun is done to its end, also when whoever asked has left: somebody else
    /// may be waiting for it.
    async fn in_turn<T, F>(&self, look: impl FnOnce(Url) -> F, url: Url) -> Result<T, Busy>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let place = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Busy)?;
        let look = look(url);
        let looking = tokio::spawn(async move {
            let _kept = (place, turn);
            look.await
        });
        looking.await.map_err(|_| Busy)
    }

    /// The place of a look at this address, new if there is none that is going on or young enough.
    fn slot(&self, key: &str, oldest: TimeDelta, now: DateTime<Utc>) -> Slot {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|of, (since, slot)| {
            let lasts = match slot.get() {
                Some(report) if !report.is_feed() => PRESENT,
                Some(_) if of == key => oldest,
                _ => REMEMBERED,
            };
            (TimeDelta::zero()..lasts).contains(&(now - *since))
        });
        if looks.len() >= MOST
            && let Some(oldest) = looks
                .iter()
                .min_by_key(|(_, (since, _))| *since)
                .map(|(key, _)| key.clone())
        {
            looks.remove(&oldest);
        }
        let (_, slot) = looks
            .entry(key.to_owned())
            .or_insert_with(|| (now, Slot::default()));
        Arc::clone(slot)
    }
}

/// Why a blog could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookError {
    /// Too many wait.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// It could not be reached or read; in words.
    #[error("{0}")]
    Unread(String),
}

async fn looked_at(poller: Arc<Poller>, url: Url) -> Arc<CheckReport> {
    let name = url.to_string();
    let looking = check(
        &name,
        CheckSource::Address(url),
        None,
        poller.fetcher(),
        poller.tagger(),
        poller.site.timezone,
        poller.now(),
    );
    let report = tokio::time::timeout(WITHIN, looking).await.unwrap_or_else(|_| {
        CheckReport::unreachable(
            &name,
            format!("it gave no whole answer within {} seconds", WITHIN.as_secs()),
        )
    });
    poller.note(&report.hops).await;
    Arc::new(report)
}

async fn proof_at(poller: Arc<Poller>, feed: Url, wanted: Wanted) -> Result<Option<Proof>, LookError> {
    let looking = async {
        let page = get(&poller, &feed).await.map_err(LookError::Unread)?;
        let mut front = page.2.clone();
        front.set_path("/");
        front.set_query(None);
        let (zone, tagger, word) = (
            poller.site.timezone,
            Arc::clone(poller.tagger()),
            wanted.word.clone(),
        );
        let read = off_the_network(move || word_in_posts(page, &word, zone, &tagger));
        let (in_a_post, site) = read.await.and_then(|read| read).map_err(LookError::Unread)?;
        if in_a_post {
            return Ok(Some(Proof::Post));
        }
        let mut pages: Vec<Url> = site.into_iter().collect();
        if !pages.contains(&front) {
            pages.push(front);
        }
        for page in pages {
            // One page that is away does not speak against the other.
            if let Ok((bytes, media_type, base)) = get(&poller, &page).await {
                let claims = normalize::claims(&bytes, media_type.as_deref(), &base, wanted.meta);
                if claims.metas.contains(&wanted.word) {
                    return Ok(Some(Proof::Meta));
                }
                if claims.links.iter().any(|link| wanted.links.contains(link)) {
                    return Ok(Some(Proof::Link));
                }
            }
        }
        Ok(None)
    };
    tokio::time::timeout(WITHIN, looking).await.unwrap_or_else(|_| {
        Err(LookError::Unread(format!(
            "the blog gave no whole answer within {} seconds",
            WITHIN.as_secs()
        )))
    })
}

/// Whether a post of a feed by the blogger says `word`; and the feed's site.
fn word_in_posts(
    (body, content_type, url): Page,
    word: &str,
    timezone: Tz,
    tagger: &Tagger,
) -> Result<(bool, Option<Url>), String> {
    let source = normalize::Source {
        body: &body,
        content_type: content_type.as_deref(),
        url: Some(&url),
        timezone,
    };
    let document = normalize::read(&source).map_err(|error| error.to_string())?;
    // Whoever comments writes into a feed of comments.
    let by_the_blogger = !normalize::is_of_comments(&url, document.title.as_deref());
    let says = |entry: &normalize::RawEntry| entry.finish(tagger).text.contains(word);
    Ok((by_the_blogger && document.entries.iter().any(says), document.site))
}

/// Bytes, their media type and where they lie.
type Page = (bytes::Bytes, Option<String>, Url);

async fn get(poller: &Poller, url: &Url) -> Result<Page, String> {
    let fetch = poller
        .fetcher()
        .fetch(url, &Validators::default(), poller.now())
        .await;
    poller.note(&fetch.hops).await;
    match fetch.outcome {
        FetchOutcome::Modified(body) => Ok((body.bytes, body.content_type, fetch.final_url)),
        FetchOutcome::Failed(failure) => Err(failure.message),
        FetchOutcome::RetryAfter { message, .. } => Err(message),
        FetchOutcome::Gone => Err("the server says that this address is gone for good (410)".to_owned()),
        FetchOutcome::NotModified { .. } => Err("the server said 304 to a plain request".to_owned()),
    }
}
