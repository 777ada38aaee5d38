//! News that hubs push (WebSub, <https://www.w3.org/TR/websub/>): subscriptions are asked for and renewed. What is
//! pushed is polled by `at_once`.
//!
//! A push is a reason to poll and nothing more: polls go on by their own schedule, whatever a hub does or fails to do. Hubs
//! answer to the web server, which notes in the store what they say; both need not be one process.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fetch::{SendOutcome, WebLinks};
use futures_util::{StreamExt, stream};
use model::{Feed, HubTopic};
use store::{HubNews, HubRequest, NewSubscription, Secret, StoreError};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use url::Url;

use crate::poller::{Poller, requests, stopped};

/// How often it is looked whether something is to be asked of a hub.
const GLANCE: Duration = Duration::from_secs(1);

/// How often it is looked which feeds name a hub, beside after each round of polls.
const ROUND: Duration = Duration::from_secs(30);

/// The lease that is asked for, in seconds; the hub decides.
const LEASE: &str = "864000";

/// How long a hub has time to confirm what it was asked for, and the first wait after a failure. Each further one
/// doubles, up to [`LONGEST`].
const PATIENCE: TimeDelta = TimeDelta::hours(1);
const LONGEST: TimeDelta = TimeDelta::days(1);

/// How many hubs are asked at once.
const HUBS_AT_ONCE: usize = 4;

/// What a document says of its hub, by its headers and else by itself (WebSub section 4). It came from `url`.
pub(crate) fn hub_topic(
    links: Option<&WebLinks>,
    hub: Option<Url>,
    itself: Option<Url>,
    url: &Url,
) -> Option<HubTopic> {
    Some(HubTopic {
        hub: links.map(|links| links.hub.clone()).or(hub)?,
        topic: links
            .and_then(|links| links.itself.clone())
            .or(itself)
            .unwrap_or_else(|| url.clone()),
    })
}

/// What is new of that.
pub(crate) fn hub_news(feed: &Feed, named: Option<HubTopic>) -> HubNews {
    match named {
        named if named == feed.hub => HubNews::None,
        Some(named) => HubNews::Named(named),
        None => HubNews::Lost,
    }
}

/// Keeps the subscriptions of all feeds that name a hub, until `stop` turns true. `news` tells of a round of polls.
pub(crate) async fn subscribe(
    poller: &watch::Receiver<Arc<Poller>>,
    news: &Notify,
    stop: &watch::Receiver<bool>,
) {
    let mut trouble = Trouble::default();
    let mut next_round = Instant::now();
    loop {
        let current = Arc::clone(&poller.borrow());
        let is_round = Instant::now() >= next_round;
        if is_round {
            next_round = Instant::now() + ROUND;
        }
        let kept = async {
            if is_round {
                current.review_subscriptions().await?;
            }
            current.ask_hubs().await
        };
        tokio::select! {
            () = stopped(stop.clone()) => return,
            kept = kept => trouble.tell("subscriptions at hubs cannot be kept", &kept),
        }
        tokio::select! {
            () = stopped(stop.clone()) => return,
            () = news.notified() => next_round = Instant::now(),
            () = sleep(GLANCE) => {}
        }
    }
}

/// Trouble with the store, which is said when it begins and when it ends.
#[derive(Default)]
pub(crate) struct Trouble(bool);

impl Trouble {
    pub(crate) fn tell(&mut self, what: &str, result: &Result<(), StoreError>) {
        match result {
            Err(error) if !self.0 => tracing::error!(%error, "{what}; trying again"),
            Ok(()) if self.0 => tracing::info!("the store answers again"),
            Err(_) | Ok(()) => {}
        }
        self.0 = result.is_err();
    }
}

impl Poller {
    /// Lets go of subscriptions that no feed needs, and makes those that feeds lack.
    async fn review_subscriptions(&self) -> Result<(), StoreError> {
        let now = self.now();
        self.store.end_needless_subscriptions(now).await?;
        let lacking = self.store.unsubscribed_feeds().await?;
        let mut new = Vec::new();
        for (feed_id, target) in lacking {
            if can_be_called_back(&self.site.url, &target.hub) {
                new.push(NewSubscription {
                    feed_id,
                    target,
                    token: Secret::new()?.reveal().to_owned(),
                    secret: Secret::new()?.reveal().to_owned(),
                });
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        self.store.add_subscriptions(&new, &self.site.url, now).await
    }

    /// Asks hubs for what is to be asked of them now.
    async fn ask_hubs(&self) -> Result<(), StoreError> {
        let now = self.now();
        let requests = self
            .store
            .take_hub_requests(&self.site.url, now, now + PATIENCE)
            .await?;
        let mut asking = stream::iter(requests)
            .map(|request| self.ask_hub(request, now))
            .buffer_unordered(HUBS_AT_ONCE);
        let mut kept = Ok(());
        while let Some(asked) = asking.next().await {
            kept = kept.and(asked);
        }
        kept
    }

    async fn ask_hub(&self, request: HubRequest, asked_at: DateTime<Utc>) -> Result<(), StoreError> {
        let HubRequest {
            token,
            target,
            secret,
            subscribe,
            failures,
        } = request;
        let callback = format!("{}/websub/{token}", self.site.url);
        let mut fields = vec![
            ("hub.mode", if subscribe { "subscribe" } else { "unsubscribe" }),
            ("hub.topic", target.topic.as_str()),
            ("hub.callback", callback.as_str()),
        ];
        if subscribe {
            fields.extend([("hub.secret", secret.as_str()), ("hub.lease_seconds", LEASE)]);
        }
        let sent = self.fetcher.send_form(&target.hub, &fields, asked_at).await;
        let wait = (PATIENCE * (1 << failures.min(10))).min(LONGEST);
        let (next_at, error) = match sent.outcome {
            SendOutcome::Accepted => (asked_at + wait, None),
            SendOutcome::RetryAfter { until, message } => (until.max(asked_at + wait), Some(message)),
            SendOutcome::Failed(failure) => (asked_at + wait, Some(failure.message)),
        };
        if let Some(error) = error.as_ref().filter(|_| failures == 0) {
            let topic = target.topic.as_str();
            let hub = target.hub.as_str();
            tracing::warn!(
                hub,
                topic,
                error,
                "a hub cannot be subscribed to; its feeds are polled as before"
            );
        }
        self.store
            .settle_hub_request(&token, asked_at, next_at, error.as_deref(), &requests(&sent.hops))
            .await
    }
}

/// Whether a hub reaches the site: from the internet nobody reaches a private address.
fn can_be_called_back(site: &str, hub: &Url) -> bool {
    Url::parse(site).is_ok_and(|site| !fetch::is_private(&site) || fetch::is_private(hub))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn hubs_reach_what_the_internet_reaches_and_neighbours_each_other() {
        let (far, near) = (url("https://hub.example/"), url("http://127.0.0.1:8100/hub"));
        for (site, by_far, by_near) in [
            ("https://voice.example", true, true),
            ("http://voice.example:8080", true, true),
            ("http://127.0.0.1:8080", false, true),
            ("http://[::1]:8080", false, true),
            ("http://10.0.0.7", false, true),
            ("http://localhost:8080", false, true),
            ("http://voice", false, true),
            ("no address", false, false),
        ] {
            let reached = [can_be_called_back(site, &far), can_be_called_back(site, &near)];
            assert_eq!(reached, [by_far, by_near], "{site}");
        }
    }

    #[test]
    fn the_header_is_heard_before_the_document() {
        let place = url("https://blog.example/feed");
        let named = |hub: &str, topic: &str| {
            Some(HubTopic {
                hub: url(hub),
                topic: url(topic),
            })
        };
        let (hub, itself) = (url("https://hub.example/"), url("https://blog.example/"));
        let header = |itself| WebLinks {
            hub: url("https://header.example/"),
            itself,
        };
        assert_eq!(hub_topic(None, None, Some(itself.clone()), &place), None);
        assert_eq!(
            hub_topic(None, Some(hub.clone()), None, &place),
            named("https://hub.example/", "https://blog.example/feed")
        );
        assert_eq!(
            hub_topic(None, Some(hub.clone()), Some(itself.clone()), &place),
            named("https://hub.example/", "https://blog.example/")
        );
        assert_eq!(
            hub_topic(
                Some(&header(None)),
                Some(hub.clone()),
                Some(itself.clone()),
                &place
            ),
            named("https://header.example/", "https://blog.example/")
        );
        let said = header(Some(url("https://said.example/")));
        assert_eq!(
            hub_topic(Some(&said), Some(hub), Some(itself), &place),
            named("https://header.example/", "https://said.example/")
        );
    }
}
