//! Subscriptions at hubs (WebSub): which feed wants one, what is to be asked of which hub, what the hub confirmed, and
//! what it pushed.
//!
//! Both sides meet here: the fetcher asks hubs for things, and the web server hears what they answer at our callback. A
//! push says no more than that a feed is to be polled; nothing of it is stored. What is asked of a hub, and what a
//! signature must look like, is not decided here.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use model::{Feed, HubTopic};
use url::Url;

use crate::db::Transaction;
use crate::feeds::Due;
use crate::record::{HostRequest, HubNews, PollRecord};
use crate::rows::{self, Fields, feed_columns, millis};
use crate::sql::{Row, Sql};
use crate::{Store, StoreError, hosts};

/// How many requests to hubs are begun at once.
const AT_ONCE: i64 = 32;

/// The longest lease that is believed; whoever gives a longer one is asked again sooner.
const LONGEST_LEASE: Duration = Duration::from_hours(30 * 24);

/// A hub that does not end a subscription is asked so often, and then left alone: the lease ends by itself.
const FAREWELLS: i64 = 3;

const NAME_HUB: &str = "UPDATE feeds SET hub_url = $2, hub_topic = $3 WHERE id = $1";

const UNSUBSCRIBED: &str = "SELECT f.id, f.hub_url, f.hub_topic FROM feeds f
    WHERE f.status = 'active' AND f.hub_url IS NOT NULL AND NOT EXISTS (SELECT 1 FROM subscriptions s
        WHERE s.feed_id = f.id AND s.hub = f.hub_url AND s.topic = f.hub_topic AND s.wanted = TRUE)
    ORDER BY f.id";
const SUBSCRIBE: &str = "INSERT INTO subscriptions
    (token, feed_id, hub, topic, secret, site_url, wanted, next_at, failures) VALUES ($1, $2, $3, $4, $5, $6, TRUE, $7, 0)
    ON CONFLICT (feed_id, hub, topic) DO UPDATE SET wanted = TRUE, asked_at = NULL, next_at = excluded.next_at, failures = 0
        WHERE subscriptions.wanted = FALSE";

macro_rules! needless {
    () => {
        "wanted = TRUE AND NOT EXISTS (SELECT 1 FROM feeds f WHERE f.id = subscriptions.feed_id
            AND f.status = 'active' AND f.hub_url = subscriptions.hub AND f.hub_topic = subscriptions.topic)"
    };
}
macro_rules! over {
    () => {
        "wanted = FALSE AND ((lease_until_at IS NULL AND asked_at IS NULL) OR lease_until_at <= $1 OR failures >= $2)"
    };
}
const ANY_NEEDLESS: &str = concat!(
    "SELECT EXISTS (SELECT 1 FROM subscriptions WHERE ",
    needless!(),
    ")
        OR EXISTS (SELECT 1 FROM subscriptions WHERE ",
    over!(),
    ")"
);
const UNWANT: &str = concat!(
    "UPDATE subscriptions SET wanted = FALSE, asked_at = NULL, failures = 0, next_at = $1 WHERE ",
    needless!()
);
const END: &str = concat!("DELETE FROM subscriptions WHERE ", over!());

/// What was given another address of ours is asked for anew; a time that no lease reaches was set by a wrong clock.
macro_rules! is_due {
    () => {
        "(next_at <= $1 OR next_at > $2 OR (wanted = TRUE AND site_url <> $3))"
    };
}
const ANY_DUE: &str = concat!(
    "SELECT EXISTS (SELECT 1 FROM subscriptions WHERE ",
    is_due!(),
    ")"
);
const TAKE_DUE: &str = concat!(
    "UPDATE subscriptions SET asked_at = $1, next_at = $4, site_url = $3,
        failures = failures + CASE WHEN asked_at IS NULL THEN 0 ELSE 1 END,
        last_error = CASE WHEN asked_at IS NULL THEN last_error ELSE $5 END
    WHERE token IN (SELECT token FROM subscriptions WHERE ",
    is_due!(),
    " ORDER BY next_at, token LIMIT $6)
    RETURNING token, hub, topic, secret, wanted, failures"
);
const SETTLE: &str = "UPDATE subscriptions SET next_at = $3, last_error = COALESCE($4, last_error),
        failures = failures + CASE WHEN $4 IS NULL THEN 0 ELSE 1 END,
        asked_at = CASE WHEN $4 IS NULL THEN asked_at END
    WHERE token = $1 AND asked_at = $2";

const PENDING: &str = "SELECT wanted, topic FROM subscriptions WHERE token = $1 AND asked_at IS NOT NULL";
const CONFIRM: &str =
    "UPDATE subscriptions SET asked_at = NULL, lease_until_at = $2, next_at = $3, failures = 0,
        last_error = NULL
    WHERE token = $1";
const FORGET: &str = "DELETE FROM subscriptions WHERE token = $1";
const DENY: &str =
    "UPDATE subscriptions SET asked_at = NULL, lease_until_at = NULL, next_at = $3, failures = failures + 1,
        last_error = $4
    WHERE token = $1 AND topic = $2";

const SECRET: &str = "SELECT secret FROM subscriptions WHERE token = $1";
const PUSH: &str = "UPDATE subscriptions SET pushed_at = $2 WHERE token = $1 AND wanted = TRUE";
const ANY_PUSHED: &str = "SELECT EXISTS (SELECT 1 FROM subscriptions WHERE pushed_at IS NOT NULL)";
/// A feed that somebody is just polling waits for the end of that: its answer may be older than the push.
const TAKE_PUSHED: &str = "UPDATE feeds SET next_poll_at = $1, next_poll_why = 'pushed'
    WHERE status = 'active' AND id IN (SELECT s.feed_id FROM subscriptions s WHERE s.pushed_at IS NOT NULL)
        AND (retry_after_at IS NULL OR retry_after_at <= $1 OR retry_after_at > $2)
        AND (last_polled_at IS NULL OR last_polled_at <= $3 OR last_polled_at > $1)
        AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.feed_id = feeds.id AND l.until_at > $1)
    RETURNING id";

const WANTED: &str =
    "SELECT feed_id, hub, asked_at, lease_until_at, last_error FROM subscriptions WHERE wanted = TRUE";

/// A subscription to be made.
#[derive(Debug, Clone)]
pub struct NewSubscription {
    /// The feed.
    pub feed_id: i64,
    /// What it names.
    pub target: HubTopic,
    /// Ends the path of the callback: nobody may be able to guess it.
    pub token: String,
    /// With which the hub is to sign.
    pub secret: String,
}

/// Something that is to be asked of a hub now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubRequest {
    /// Names the subscription.
    pub token: String,
    /// Whom to ask, and about what.
    pub target: HubTopic,
    /// With which the hub is to sign.
    pub secret: String,
    /// To subscribe, or else to unsubscribe.
    pub subscribe: bool,
    /// Requests before this one that came to nothing, in a row.
    pub failures: u32,
}

/// What a hub wants to have confirmed (WebSub section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// That we subscribe, for so long.
    Subscribe(Duration),
    /// That we unsubscribe.
    Unsubscribe,
}

/// How a wanted subscription stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The feed.
    pub feed_id: i64,
    /// The hub.
    pub hub: Url,
    /// A request that the hub has not confirmed yet.
    pub asked_at: Option<DateTime<Utc>>,
    /// Confirmed until then.
    pub lease_until: Option<DateTime<Utc>>,
    /// Why the last request came to nothing.
    pub last_error: Option<String>,
}

impl Store {
    /// The active feeds that name a hub at which nothing is subscribed to for them.
    pub async fn unsubscribed_feeds(&self) -> Result<Vec<(i64, HubTopic)>, StoreError> {
        let rows = Sql::new(UNSUBSCRIBED).fetch_all(self.readers()).await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("feeds", row);
                Ok((fields.take()?, fields.hub_topic()?))
            })
            .collect()
    }

    /// Makes subscriptions that hubs are to be asked for at once; one that is there already stays, and one that was to be
    /// ended goes on.
    pub async fn add_subscriptions(
        &self,
        new: &[NewSubscription],
        site_url: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for new in new {
            Sql::new(SUBSCRIBE)
                .bind(&new.token)
                .bind(new.feed_id)
                .bind(new.target.hub.as_str())
                .bind(new.target.topic.as_str())
                .bind(&new.secret)
                .bind(site_url)
                .bind(millis(now))
                .execute(&mut transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// Lets go of the subscriptions of feeds that are polled no more or name another hub: their hubs are to be asked to
    /// end them, and what has ended is forgotten.
    pub async fn end_needless_subscriptions(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let any = Sql::new(ANY_NEEDLESS).bind(millis(now)).bind(FAREWELLS);
        if !any.fetch_value("subscriptions", self.readers()).await? {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        Sql::new(UNWANT)
            .bind(millis(now))
            .execute(&mut transaction)
            .await?;
        Sql::new(END)
            .bind(millis(now))
            .bind(FAREWELLS)
            .execute(&mut transaction)
            .await?;
        transaction.commit().await
    }

    /// Takes what is to be asked of hubs now, for one fetcher to ask it: nobody else takes it before `retry_at`, and
    /// until it is settled hubs may ask whether it was us. `site_url` is the address at which they do.
    pub async fn take_hub_requests(
        &self,
        site_url: &str,
        now: DateTime<Utc>,
        retry_at: DateTime<Utc>,
    ) -> Result<Vec<HubRequest>, StoreError> {
        let furthest = millis(later(now, LONGEST_LEASE));
        let any = Sql::new(ANY_DUE).bind(millis(now)).bind(furthest).bind(site_url);
        if !any.fetch_value("subscriptions", self.readers()).await? {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin().await?;
        let rows = Sql::new(TAKE_DUE)
            .bind(millis(now))
            .bind(furthest)
            .bind(site_url)
            .bind(millis(retry_at))
            .bind("the hub took our request and never came to confirm it")
            .bind(AT_ONCE)
            .fetch_all(&mut transaction)
            .await?;
        transaction.commit().await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("subscriptions", row);
                Ok(HubRequest {
                    token: fields.take()?,
                    target: fields.hub_topic()?,
                    secret: fields.take()?,
                    subscribe: fields.take()?,
                    failures: fields.number()?,
                })
            })
            .collect()
    }

    /// Notes how a request went that was made at `asked_at`: `error` is why it failed, and it is made again at `next_at`
    /// unless the hub confirms it before. What the hub has confirmed meanwhile stays so. The hosts' ledger gets `requests`.
    pub async fn settle_hub_request(
        &self,
        token: &str,
        asked_at: DateTime<Utc>,
        next_at: DateTime<Utc>,
        error: Option<&str>,
        requests: &[HostRequest],
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        Sql::new(SETTLE)
            .bind(token)
            .bind(millis(asked_at))
            .bind(millis(next_at))
            .bind(error)
            .execute(&mut transaction)
            .await?;
        let made: Vec<_> = requests.iter().map(|request| (asked_at, request)).collect();
        hosts::add(&mut transaction, &made).await?;
        transaction.commit().await
    }

    /// Whether we asked a hub for this (WebSub section 5.3.1); if so, it is so from now on. A subscription is renewed when
    /// three quarters of its lease are over.
    pub async fn confirm_subscription(
        &self,
        token: &str,
        topic: &str,
        intent: Intent,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let pending = Sql::new(PENDING)
            .bind(token)
            .fetch_optional(&mut transaction)
            .await?;
        let Some(row) = pending else { return Ok(false) };
        let mut fields = Fields::of("subscriptions", &row);
        let (wanted, known): (bool, String) = (fields.take()?, fields.take()?);
        if known != topic || wanted != matches!(intent, Intent::Subscribe(_)) {
            return Ok(false);
        }
        let write = match intent {
            Intent::Subscribe(lease) => {
                let lease = lease.min(LONGEST_LEASE);
                Sql::new(CONFIRM)
                    .bind(token)
                    .bind(millis(later(now, lease)))
                    .bind(millis(later(now, lease * 3 / 4)))
            }
            Intent::Unsubscribe => Sql::new(FORGET).bind(token),
        };
        write.execute(&mut transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Notes that a hub will not tell of this topic (WebSub section 5.2); it is asked again at `next_at`. Gives whether
    /// there is such a subscription.
    pub async fn deny_subscription(
        &self,
        token: &str,
        topic: &str,
        reason: &str,
        next_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let denied = Sql::new(DENY)
            .bind(token)
            .bind(topic)
            .bind(millis(next_at))
            .bind(reason)
            .execute(&mut transaction)
            .await?;
        transaction.commit().await?;
        Ok(denied > 0)
    }

    /// With what the hub signs whose callback ends like this; `None` if there is no such subscription.
    pub async fn subscription_secret(&self, token: &str) -> Result<Option<String>, StoreError> {
        let row = Sql::new(SECRET)
            .bind(token)
            .fetch_optional(self.readers())
            .await?;
        row.map(|row| Fields::of("subscriptions", &row).take())
            .transpose()
    }

    /// Notes that a hub has pushed something: the feed is to be polled.
    pub async fn note_push(&self, token: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        Sql::new(PUSH)
            .bind(token)
            .bind(millis(now))
            .execute(&mut transaction)
            .await?;
        transaction.commit().await
    }

    /// Takes the feeds of which hubs have pushed something, to be polled at once: those that no `Retry-After` holds back,
    /// that nobody is just polling, and that were polled `apart` ago or longer. The others wait for that.
    pub async fn take_pushed_feeds(&self, due: Due, apart: Duration) -> Result<Vec<Feed>, StoreError> {
        if !Sql::new(ANY_PUSHED)
            .fetch_value("subscriptions", self.readers())
            .await?
        {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin().await?;
        let rows = Sql::new(TAKE_PUSHED)
            .bind(millis(due.now))
            .bind(millis(due.latest_refusal()))
            .bind(millis(earlier(due.now, apart)))
            .fetch_all(&mut transaction)
            .await?;
        let ids = rows.iter().map(|row| Fields::of("feeds", row).take());
        let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut taken = Sql::new("UPDATE subscriptions SET pushed_at = NULL WHERE feed_id IN ");
        taken.push_list(ids.iter().copied());
        taken.execute(&mut transaction).await?;
        let mut feeds = Sql::new(concat!(
            "SELECT ",
            feed_columns!(),
            " FROM feeds f JOIN members m ON m.id = f.member_id WHERE f.id IN "
        ));
        feeds.push_list(ids.iter().copied());
        let rows = feeds.fetch_all(&mut transaction).await?;
        transaction.commit().await?;
        rows.iter().map(rows::feed).collect()
    }

    /// How the wanted subscriptions stand, by feed.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, StoreError> {
        let rows = Sql::new(format!("{WANTED} ORDER BY feed_id"))
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(wanted).collect()
    }

    /// How the wanted subscription of this feed stands.
    pub async fn subscription(&self, feed_id: i64) -> Result<Option<Subscription>, StoreError> {
        let row = Sql::new(format!("{WANTED} AND feed_id = $1"))
            .bind(feed_id)
            .fetch_optional(self.readers())
            .await?;
        row.as_ref().map(wanted).transpose()
    }
}

fn wanted(row: &Row) -> Result<Subscription, StoreError> {
    let mut fields = Fields::of("subscriptions", row);
    Ok(Subscription {
        feed_id: fields.take()?,
        hub: fields.read(|url: &str| url.parse().ok())?,
        asked_at: fields.at_optional()?,
        lease_until: fields.at_optional()?,
        last_error: fields.take()?,
    })
}

/// Writes which hubs feeds name now, where these polls have news of it.
pub(crate) async fn name_hubs<'r>(
    transaction: &mut Transaction,
    records: impl Iterator<Item = &'r PollRecord>,
) -> Result<(), StoreError> {
    for record in records {
        let named = match &record.hub {
            HubNews::None => continue,
            HubNews::Lost => None,
            HubNews::Named(target) => Some(target),
        };
        Sql::new(NAME_HUB)
            .bind(record.feed_id)
            .bind(named.map(|target| target.hub.as_str()))
            .bind(named.map(|target| target.topic.as_str()))
            .execute(&mut *transaction)
            .await?;
    }
    Ok(())
}

fn later(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(by).unwrap_or(now)
}

fn earlier(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(by).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, TestStore, by_hand, feed, minutes, now, poll, reread};

    const SITE: &str = "https://voice.example";

    fn target(hub: &str) -> HubTopic {
        HubTopic {
            hub: Url::parse(&format!("https://{hub}.example/")).unwrap(),
            topic: Url::parse("https://ada.example.org/feed").unwrap(),
        }
    }

    /// A feed whose last poll was then, and says this of its hub.
    async fn polled(store: &TestStore, feed: &Feed, at: i64, hub: HubNews) -> Feed {
        let record = PollRecord {
            hub,
            ..poll(&reread(store, feed).await, minutes(at))
        };
        assert!(store.record_polls(&[record]).await.unwrap()[0].accepted);
        reread(store, feed).await
    }

    fn new(feed: &Feed, token: &str) -> NewSubscription {
        NewSubscription {
            feed_id: feed.id,
            target: feed.hub.clone().unwrap(),
            token: token.to_owned(),
            secret: format!("secret of {token}"),
        }
    }

    /// What is to be asked of hubs then; each request is given a minute.
    async fn taken(store: &TestStore, at: i64) -> Vec<HubRequest> {
        store
            .take_hub_requests(SITE, minutes(at), minutes(at + 1))
            .await
            .unwrap()
    }

    /// Whether a hub hears yes for this token and topic.
    async fn confirmed(store: &TestStore, token: &str, intent: Intent, at: i64) -> bool {
        let topic = "https://ada.example.org/feed";
        store
            .confirm_subscription(token, topic, intent, minutes(at))
            .await
            .unwrap()
    }

    const HOUR: Intent = Intent::Subscribe(Duration::from_hours(1));

    /// A feed that names a hub, and its subscription "one".
    async fn subscribed(store: &TestStore) -> Feed {
        let ada = feed(store, "https://ada.example.org/feed", "Ada").await;
        let ada = polled(store, &ada, 0, HubNews::Named(target("hub"))).await;
        assert_eq!(
            store.unsubscribed_feeds().await.unwrap(),
            [(ada.id, target("hub"))]
        );
        store
            .add_subscriptions(&[new(&ada, "one")], SITE, now())
            .await
            .unwrap();
        ada
    }

    #[tokio::test]
    async fn a_subscription_is_asked_for_confirmed_and_renewed() {
        let store = testing::store().await;
        let ada = subscribed(&store).await;
        assert_eq!(store.unsubscribed_feeds().await.unwrap(), []);
        // Two fetchers may come to the same idea; one subscription comes of it.
        store
            .add_subscriptions(&[new(&ada, "two")], SITE, now())
            .await
            .unwrap();

        assert!(!confirmed(&store, "one", HOUR, 0).await, "nobody has asked yet");
        let asked = taken(&store, 0).await;
        let wanted = HubRequest {
            token: "one".to_owned(),
            target: target("hub"),
            secret: "secret of one".to_owned(),
            subscribe: true,
            failures: 0,
        };
        assert_eq!(asked, [wanted]);
        assert_eq!(taken(&store, 0).await, [], "one of them asks");
        assert!(!confirmed(&store, "two", HOUR, 0).await);
        assert!(!confirmed(&store, "one", Intent::Unsubscribe, 0).await);
        let other = store
            .confirm_subscription("one", "https://other.example/", HOUR, now())
            .await;
        assert!(!other.unwrap());
        // The hub may confirm before its answer is noted.
        assert!(confirmed(&store, "one", HOUR, 0).await);
        assert!(!confirmed(&store, "one", HOUR, 0).await, "once for each request");
        let requests = [HostRequest {
            host: "hub.example".to_owned(),
            not_modified: false,
            bytes: 7,
        }];
        store
            .settle_hub_request("one", now(), minutes(9), Some("late"), &requests)
            .await
            .unwrap();
        let ledger = store.host_use(now().date_naive()).await.unwrap();
        assert_eq!(
            (ledger[0].host.as_str(), ledger[0].requests, ledger[0].bytes),
            ("hub.example", 1, 7)
        );
        let stands = &store.subscriptions().await.unwrap()[0];
        assert_eq!(
            (stands.lease_until, stands.asked_at, &stands.last_error),
            (Some(minutes(60)), None, &None)
        );

        assert_eq!(taken(&store, 44).await, []);
        assert_eq!(taken(&store, 45).await.len(), 1, "renewed before the lease ends");
        assert!(confirmed(&store, "one", Intent::Subscribe(Duration::MAX), 45).await);
        assert_eq!(taken(&store, 45 + 22 * 24 * 60).await, []);
        assert_eq!(taken(&store, 45 + 23 * 24 * 60).await.len(), 1);
    }

    #[tokio::test]
    async fn what_fails_is_asked_again_and_counted() {
        let store = testing::store().await;
        subscribed(&store).await;
        taken(&store, 0).await;
        store
            .settle_hub_request("one", now(), minutes(5), Some("down"), &[])
            .await
            .unwrap();
        assert!(
            !confirmed(&store, "one", HOUR, 1).await,
            "what failed is not pending"
        );
        assert_eq!(taken(&store, 4).await, []);
        assert_eq!(taken(&store, 5).await[0].failures, 1);
        // It took the request and never came.
        store
            .settle_hub_request("one", minutes(5), minutes(8), None, &[])
            .await
            .unwrap();
        assert_eq!(taken(&store, 8).await[0].failures, 2);
        let stands = &store.subscriptions().await.unwrap()[0];
        assert!(
            stands.last_error.as_ref().unwrap().contains("never came"),
            "{stands:?}"
        );
        assert!(
            store
                .deny_subscription("one", "https://ada.example.org/feed", "no", minutes(20))
                .await
                .unwrap()
        );
        assert!(
            !store
                .deny_subscription("one", "https://x.example/", "no", minutes(20))
                .await
                .unwrap()
        );
        assert!(!confirmed(&store, "one", HOUR, 9).await);
        assert_eq!(taken(&store, 20).await[0].failures, 3);
        assert!(confirmed(&store, "one", HOUR, 20).await);
        assert_eq!(taken(&store, 65).await[0].failures, 0);
        // Another address of ours, and a clock that was far ahead.
        let elsewhere = store
            .take_hub_requests("https://new.example", minutes(66), minutes(67))
            .await;
        assert_eq!(elsewhere.unwrap().len(), 1);
        let year = 365 * 24 * 60;
        let ahead = store
            .take_hub_requests("https://new.example", minutes(year), minutes(year + 1))
            .await;
        assert_eq!(ahead.unwrap().len(), 1);
        let back = store
            .take_hub_requests("https://new.example", minutes(70), minutes(71))
            .await;
        assert_eq!(back.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_feed_that_leaves_or_names_another_hub_lets_go_of_its_subscription() {
        let store = testing::store().await;
        let ada = subscribed(&store).await;
        taken(&store, 0).await;
        assert!(confirmed(&store, "one", HOUR, 0).await);
        store.end_needless_subscriptions(minutes(1)).await.unwrap();
        assert_eq!(taken(&store, 1).await, []);
        let ada = polled(&store, &ada, 2, HubNews::Named(target("other"))).await;
        store.end_needless_subscriptions(minutes(2)).await.unwrap();
        store
            .add_subscriptions(&[new(&ada, "two")], SITE, minutes(2))
            .await
            .unwrap();
        let asked = taken(&store, 2).await;
        let mut asked: Vec<_> = asked
            .iter()
            .map(|one| (one.token.as_str(), one.subscribe))
            .collect();
        asked.sort_unstable();
        assert_eq!(asked, [("one", false), ("two", true)]);
        assert!(!confirmed(&store, "one", HOUR, 2).await);
        assert!(confirmed(&store, "one", Intent::Unsubscribe, 2).await);
        assert_eq!(store.subscription_secret("one").await.unwrap(), None);
        assert!(confirmed(&store, "two", HOUR, 2).await);

        // One that was never confirmed goes at once, one whose hub is gone after some tries, and what comes back goes on.
        store.pause_feed("ada", &by_hand(minutes(3))).await.unwrap();
        store.end_needless_subscriptions(minutes(3)).await.unwrap();
        assert!(!taken(&store, 3).await[0].subscribe);
        store.resume_feed("ada", &by_hand(minutes(4))).await.unwrap();
        store
            .add_subscriptions(&[new(&ada, "three")], SITE, minutes(4))
            .await
            .unwrap();
        assert_eq!(taken(&store, 4).await[0].token, "two");
        assert!(confirmed(&store, "two", HOUR, 4).await);
        store.pause_feed("ada", &by_hand(minutes(5))).await.unwrap();
        for at in [5, 10, 15] {
            store.end_needless_subscriptions(minutes(at)).await.unwrap();
            assert_eq!(taken(&store, at).await.len(), 1);
            store
                .settle_hub_request("two", minutes(at), minutes(at + 5), Some("down"), &[])
                .await
                .unwrap();
        }
        store.end_needless_subscriptions(minutes(20)).await.unwrap();
        assert_eq!(store.subscription_secret("two").await.unwrap(), None);

        store.resume_feed("ada", &by_hand(minutes(21))).await.unwrap();
        store
            .add_subscriptions(&[new(&ada, "four")], SITE, minutes(21))
            .await
            .unwrap();
        polled(&store, &ada, 22, HubNews::Lost).await;
        store.end_needless_subscriptions(minutes(22)).await.unwrap();
        assert_eq!(store.subscription_secret("four").await.unwrap(), None);
        assert_eq!(store.unsubscribed_feeds().await.unwrap(), []);
    }

    #[tokio::test]
    async fn what_is_pushed_is_polled_once_nothing_holds_it_back() {
        let store = testing::store().await;
        let ada = subscribed(&store).await;
        let pushed = async |at: i64| {
            let feeds = store
                .take_pushed_feeds(testing::due(minutes(at)), Duration::from_mins(1))
                .await;
            feeds
                .unwrap()
                .iter()
                .map(|feed| (feed.next_poll_at, feed.next_poll_why))
                .collect::<Vec<_>>()
        };
        store.note_push("nobody", minutes(5)).await.unwrap();
        assert_eq!(pushed(5).await, []);
        store.note_push("one", minutes(5)).await.unwrap();
        store.note_push("one", minutes(5)).await.unwrap();
        assert_eq!(pushed(5).await, [(minutes(5), model::Why::Pushed)]);
        assert_eq!(pushed(5).await, [], "many pushes are one poll");

        // Polled just now; then in somebody's hands; then refused.
        polled(&store, &ada, 10, HubNews::None).await;
        store.note_push("one", minutes(10)).await.unwrap();
        assert_eq!(pushed(10).await, []);
        let wanted = crate::WantedFeed {
            feed_id: ada.id,
            feed_version: reread(&store, &ada).await.version,
            host: "ada".to_owned(),
        };
        let fetcher = store.new_fetcher().await.unwrap();
        store
            .lease_feeds(fetcher, &[wanted], 2, minutes(11), minutes(13))
            .await
            .unwrap();
        assert_eq!(pushed(12).await, []);
        let mut refused = PollRecord {
            fetcher,
            ..poll(&reread(&store, &ada).await, minutes(12))
        };
        refused.state.retry_after_at = Some(minutes(30));
        assert!(store.record_polls(&[refused]).await.unwrap()[0].accepted);
        assert_eq!(pushed(29).await, []);
        assert_eq!(pushed(30).await, [(minutes(30), model::Why::Pushed)]);
        store.pause_feed("ada", &by_hand(minutes(40))).await.unwrap();
        store.note_push("one", minutes(41)).await.unwrap();
        assert_eq!(pushed(50).await, []);
    }
}
