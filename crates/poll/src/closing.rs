//! Closing digests: which weeks are due, and that everybody is asked once more before.
//!
//! What an issue holds is made elsewhere and handed in; whether a week is closed is the store's to say, so that several
//! fetchers close each once. A week whose closing was slept through is closed at the next look, the oldest first.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use model::{Feed, FeedStatus, Site, Week};
use store::StoreError;
use tokio::sync::watch;

use crate::daemon::tell;
use crate::network::Network;
use crate::poller::{Poller, stopped};
use crate::{CronLine, PollError};

/// For how long feeds are asked before a closing goes on without the rest (contract section 6).
const ASK_FOR: Duration = Duration::from_mins(30);

/// How often it is looked whether something was withdrawn; also notices a clock that jumps.
const LOOK: Duration = Duration::from_secs(10);

/// What a step of an issue comes to.
pub type IssueStep<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Who makes the issues.
pub trait Issues: Send + Sync + 'static {
    /// Closes the week and tells whether this call did; not if it was closed already.
    fn close<'a>(&'a self, site: &'a Site, week: Week) -> IssueStep<'a, bool>;
    /// Makes revisions without what was withdrawn, and tells of which weeks.
    fn settle<'a>(&'a self, site: &'a Site) -> IssueStep<'a, Vec<Week>>;
}

/// Closes digests when they are due and corrects them after withdrawals, until `stop` turns true.
pub(crate) async fn follow(
    poller: watch::Receiver<Arc<Poller>>,
    issues: &dyn Issues,
    stop: &watch::Receiver<bool>,
) {
    loop {
        let current = Arc::clone(&poller.borrow());
        match close_due(&current, issues, stop).await {
            Ok(weeks) => {
                for week in weeks {
                    tracing::info!(%week, "the digest is closed");
                }
            }
            Err(error) => {
                tracing::error!(%error, "digests could not be closed; trying again in a moment");
            }
        }
        match issues.settle(&current.site).await {
            Ok(weeks) => {
                for week in weeks {
                    tracing::info!(%week, "the digest was corrected: a post in it was withdrawn");
                }
            }
            Err(error) => {
                tracing::error!(%error, "digests could not be corrected; trying again in a moment");
            }
        }
        tokio::time::sleep(until_next(&current).await).await;
    }
}

/// How long to wait before the next look: no longer than to the next closing.
async fn until_next(poller: &Poller) -> Duration {
    let closing = next_closing(poller).await.ok().flatten();
    let wait = closing.and_then(|(_, at)| (at - poller.now()).to_std().ok());
    wait.filter(|wait| !wait.is_zero())
        .map_or(LOOK, |wait| wait.min(LOOK))
}

/// The week that closes next, and when.
async fn next_closing(poller: &Poller) -> Result<Option<(Week, DateTime<Utc>)>, PollError> {
    let Some(week) = next_to_close(poller).await? else {
        return Ok(None);
    };
    Ok(Some((week, closes_at(poller, week)?)))
}

fn closes_at(poller: &Poller, week: Week) -> Result<DateTime<Utc>, PollError> {
    let (line, zone) = (&poller.site.digest_schedule, poller.site.timezone);
    let schedule = CronLine::parse(line, zone)?;
    Ok(week.closes_at(zone, |after| schedule.next_after(after)))
}

async fn close_due(
    poller: &Poller,
    issues: &dyn Issues,
    stop: &watch::Receiver<bool>,
) -> Result<Vec<Week>, PollError> {
    let now = poller.now();
    let Some((mut last, _)) = next_closing(poller).await?.filter(|(_, at)| *at <= now) else {
        return Ok(Vec::new());
    };
    while closes_at(poller, last.next())? <= now {
        last = last.next();
    }
    close_through(poller, last, issues, stop).await
}

/// Closes every week that is not closed yet, from the first to `last`, after asking those who have not answered since it
/// ended. Gives the weeks that this call closed; none if `stop` turned true meanwhile.
///
/// # Errors
/// If the store fails; what was closed before stays closed.
pub async fn close_through(
    poller: &Poller,
    last: Week,
    issues: &dyn Issues,
    stop: &watch::Receiver<bool>,
) -> Result<Vec<Week>, PollError> {
    ask_the_unheard(poller, last.end(poller.site.timezone), stop).await?;
    let mut closed = Vec::new();
    while let Some(week) = next_to_close(poller).await?.filter(|week| *week <= last) {
        if *stop.borrow() {
            break;
        }
        if issues.close(&poller.site, week).await? {
            closed.push(week);
        }
    }
    Ok(closed)
}

/// The first week that is neither closed nor archive; `None` before the first good poll.
async fn next_to_close(poller: &Poller) -> Result<Option<Week>, StoreError> {
    if let Some(closed) = poller.store.last_closed().await? {
        return Ok(Some(closed.next()));
    }
    let first = poller.store.first_success_at().await?;
    Ok(first.map(|at| Week::of(at, poller.site.timezone)))
}

/// Polls once, for half an hour at most, every active feed that has not been polled since `end`, whether due or not, and
/// those that failed since and are due again. A running `Retry-After` is obeyed.
async fn ask_the_unheard(
    poller: &Poller,
    end: DateTime<Utc>,
    stop: &watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let due = poller.due();
    let is_asked = |feed: &Feed| {
        let since = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at >= end);
        let has_time = !since(feed.last_polled_at) || feed.next_poll_at <= due.now;
        feed.status == FeedStatus::Active
            && !since(feed.last_success_at)
            && has_time
            && !due.is_refused(feed.retry_after_at)
    };
    let mut feeds = poller.store.feeds().await?;
    feeds.retain(is_asked);
    if feeds.is_empty() {
        return Ok(());
    }
    tracing::info!(
        feeds = feeds.len(),
        "asking those who have not answered since the week ended"
    );
    let (halt, halted) = watch::channel(false);
    let mut network = Network::default();
    let asking = poller.poll(feeds, &mut network, &halted, &|_| ());
    let limit = async {
        tokio::select! {
            () = stopped(stop.clone()) => {}
            () = tokio::time::sleep(ASK_FOR) => {}
        }
        halt.send_replace(true);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        summary = asking => tell(&summary),
        () = limit => {}
    }
    Ok(())
}
