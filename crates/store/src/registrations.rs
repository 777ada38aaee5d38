//! Registrations: who asks to join, and what is known of an address that does.
//!
//! Nothing of it is polled, and neither the feed nor a member who has no other stands on a public page, before a
//! moderator takes it on (`decisions.rs`).

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use model::{FeedSpec, FeedStatus, normal_feed_address};
use url::Url;

use crate::audit::{self, Decision, MEMBER, TERM};
use crate::manage_links::{add_link, link_of};
use crate::merge::Origin;
use crate::registry;
use crate::rows::{Fields, millis};
use crate::secrets::Secret;
use crate::sql::{On, Sql};
use crate::tombstones::{Cause, Graveyard};
use crate::{Store, StoreError};

const REGISTER: &str = "INSERT INTO registrations (feed_id, registered_at, preview)
    SELECT f.id, $2, $3 FROM feeds f WHERE f.slug = $1";
const CONSENT: &str = "UPDATE members SET consented_at = $2 WHERE slug = $1 AND consented_at IS NULL";

const REJECTED: &str = "SELECT f.slug FROM tombstones t JOIN feeds f ON f.id = t.feed_id
    WHERE t.cause = 'rejected' AND t.since_at <= $1 AND f.status = 'rejected' AND f.withdrawn_at IS NULL
    ORDER BY f.id";

/// For how long a blogger who was turned down can read why, and a moderator can think again. Then only the hash of the
/// address stays.
const REJECTED_STAYS: TimeDelta = TimeDelta::days(90);

/// Somebody who asks to join.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The feed, and its member if they are new; a further feed where it names one.
    pub feed: FeedSpec,
    /// What they were shown, for whoever decides: JSON, which is the forms' own.
    pub preview: Option<String>,
    /// When they said yes.
    pub consented_at: Option<DateTime<Utc>>,
}

/// What came of asking to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It waits for approval.
    Pending {
        /// The member's slug.
        member: String,
        /// The feed's slug.
        feed: String,
    },
    /// The address is known already.
    Known {
        /// Whose it is, by slug.
        member: String,
        /// The feed's slug.
        feed: String,
        /// How it stands.
        status: FeedStatus,
    },
    /// It was withdrawn or turned down; a moderator can take it on again.
    Away {
        /// Why.
        cause: Cause,
    },
}

impl Store {
    /// Writes down that somebody asks to join; nothing of it is polled or shown before it is approved. An address that
    /// is known, or was withdrawn or turned down, adds nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownMember`] if it is a further feed of nobody.
    pub async fn register(
        &self,
        registration: &Registration,
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Result<Registered, StoreError> {
        self.register_for(registration, None, now, zone).await
    }

    /// As [`Self::register`], and makes the link that holds this secret, in the same moment. The same again ends the same
    /// way: what waits already and has this link is told as what waits.
    ///
    /// # Errors
    /// As [`Self::register`].
    pub async fn register_with_link(
        &self,
        registration: &Registration,
        secret: &Secret,
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Result<Registered, StoreError> {
        self.register_for(registration, Some(secret), now, zone).await
    }

    async fn register_for(
        &self,
        registration: &Registration,
        secret: Option<&Secret>,
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Result<Registered, StoreError> {
        let mut transaction = self.begin().await?;
        if let Some((member, feed, status)) = known_feed(&mut transaction, &registration.feed.url).await? {
            let again = match secret {
                Some(secret) if status == FeedStatus::Pending => link_of(&mut transaction, secret.reveal())
                    .await?
                    .is_some_and(|link| link.member == member),
                _ => false,
            };
            return Ok(if again {
                Registered::Pending { member, feed }
            } else {
                Registered::Known { member, feed, status }
            });
        }
        if let Some(cause) = why_away(&mut transaction, &registration.feed.url).await? {
            return Ok(Registered::Away { cause });
        }
        let specs = std::slice::from_ref(&registration.feed);
        let report = registry::bring_in(&mut transaction, specs, Origin::Registration, now, zone).await?;
        let feed = report.added.into_iter().next().unwrap_or_default();
        Sql::new(REGISTER)
            .bind(&feed)
            .bind(millis(now))
            .bind(&registration.preview)
            .execute(&mut transaction)
            .await?;
        let member = match known_feed(&mut transaction, &registration.feed.url).await? {
            Some((member, ..)) => member,
            None => feed.clone(),
        };
        if let Some(at) = registration.consented_at {
            Sql::new(CONSENT)
                .bind(&member)
                .bind(millis(at))
                .execute(&mut transaction)
                .await?;
        }
        let decision = Decision {
            by: MEMBER,
            why: None,
            at: now,
        };
        audit::write(&mut transaction, &decision, "register feed", &feed).await?;
        if let Some(secret) = secret {
            add_link(&mut transaction, &member, secret, now, None).await?;
        }
        transaction.commit().await?;
        Ok(Registered::Pending { member, feed })
    }

    /// Whether this address was withdrawn or turned down, and why.
    pub async fn feed_is_away(&self, url: &Url) -> Result<Option<Cause>, StoreError> {
        why_away(self.readers(), url).await
    }

    /// Erases what was turned down long ago: the feed, and its member if there is no other feed of theirs.
    pub async fn forget_rejected(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let rows = Sql::new(REJECTED)
            .bind(millis(now - REJECTED_STAYS))
            .fetch_all(self.readers())
            .await?;
        for row in &rows {
            let slug: String = Fields::of("feeds", row).take()?;
            let decision = Decision {
                by: TERM,
                why: None,
                at: now,
            };
            self.withdraw_feed(&slug, Cause::Rejected, &decision).await?;
        }
        Ok(())
    }

    /// Lets an address that was withdrawn or turned down be added again: somebody means it.
    pub async fn let_back(&self, url: &Url) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        if let Some(graveyard) = Graveyard::find(&mut transaction).await? {
            Graveyard::lift(&mut transaction, &graveyard.feed_url(url)).await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// The feed at this address: its member's slug, its own, and how it stands.
async fn known_feed(
    on: impl Into<On<'_>>,
    url: &Url,
) -> Result<Option<(String, String, FeedStatus)>, StoreError> {
    const FIND: &str = "SELECT m.slug, f.slug, f.status FROM feeds f JOIN members m ON m.id = f.member_id
        WHERE f.address = $1 OR f.url = $2
            OR f.id = (SELECT a.feed_id FROM feed_aliases a WHERE a.address = $1)
        ORDER BY f.id LIMIT 1";
    let row = Sql::new(FIND)
        .bind(normal_feed_address(url))
        .bind(url.as_str())
        .fetch_optional(on)
        .await?;
    row.map(|row| {
        let mut fields = Fields::of("feeds", &row);
        Ok((fields.take()?, fields.take()?, fields.read(FeedStatus::parse)?))
    })
    .transpose()
}

async fn why_away<'c>(on: impl Into<On<'c>>, url: &Url) -> Result<Option<Cause>, StoreError> {
    let mut on = on.into();
    let Some(graveyard) = Graveyard::find(on.again()).await? else {
        return Ok(None);
    };
    let found = Graveyard::among(on, &[graveyard.feed_url(url)]).await?;
    Ok(found.into_values().next().map(|tombstone| tombstone.cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decisions::Decided;
    use crate::testing::{self, ada, asks_to_join, by_hand, due, merge, minutes, now, pending, spec};

    #[tokio::test]
    async fn who_asks_to_join_is_seen_by_moderators_alone() {
        let store = pending().await;
        assert!(store.due_feeds(due(minutes(60))).await.unwrap().is_empty());
        assert!(store.members().await.unwrap().is_empty());
        assert_eq!(store.member("ada").await.unwrap(), None);
        let membership = store.membership("ada").await.unwrap().unwrap();
        assert_eq!(
            store.memberships().await.unwrap(),
            std::slice::from_ref(&membership)
        );
        assert_eq!(membership.consented_at, Some(now()));
        let waiting = &membership.feeds[0];
        assert_eq!(
            (
                waiting.feed.status,
                waiting.registered_at,
                waiting.preview.as_deref()
            ),
            (FeedStatus::Pending, Some(now()), Some("{}"))
        );
        // A second time, by any of its addresses, adds nothing.
        let known = Registered::Known {
            member: "ada".to_owned(),
            feed: "ada".to_owned(),
            status: FeedStatus::Pending,
        };
        assert_eq!(
            asks_to_join(&store, spec("HTTPS://ada.example.org:443/feed#x", "Eve")).await,
            known
        );
        assert_eq!(store.memberships().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn who_is_approved_is_polled_at_once() {
        let store = pending().await;
        assert_eq!(
            store.pause_feed("ada", &by_hand(minutes(1))).await.unwrap(),
            Decided::NotTakenOn
        );
        assert_eq!(
            store.approve_feed("ada", &by_hand(minutes(1))).await.unwrap(),
            Decided::Done
        );
        assert_eq!(
            store.approve_feed("ada", &by_hand(minutes(2))).await.unwrap(),
            Decided::Already
        );
        assert_eq!(
            store.reject_feed("ada", &by_hand(minutes(2))).await.unwrap(),
            Decided::TakenOn
        );
        assert_eq!(store.due_feeds(due(minutes(1))).await.unwrap().len(), 1);
        assert_eq!(store.members().await.unwrap().len(), 1);
        let feeds = store.membership("ada").await.unwrap().unwrap().feeds;
        assert_eq!((feeds[0].registered_at, &feeds[0].preview), (None, &None));
        // The file never named it, so it does not retire it.
        merge(&store, &[]).await;
        assert_eq!(store.feeds().await.unwrap()[0].status, FeedStatus::Active);
        let log = store.audit(None, 9).await.unwrap();
        let actions: Vec<&str> = log.iter().map(|line| line.action.as_str()).collect();
        assert_eq!(actions, ["approve feed", "register feed"]);
    }

    #[tokio::test]
    async fn who_is_turned_down_reads_why_and_is_not_added_by_accident() {
        let store = pending().await;
        assert_eq!(
            store.reject_feed("ada", &by_hand(minutes(1))).await.unwrap(),
            Decided::Done
        );
        let feeds = store.membership("ada").await.unwrap().unwrap().feeds;
        assert_eq!(
            (feeds[0].feed.status, feeds[0].decided_why.as_deref()),
            (FeedStatus::Rejected, Some("because"))
        );
        assert_eq!(
            store.feed_is_away(&ada().url).await.unwrap(),
            Some(Cause::Rejected)
        );
        let report = merge(&store, &[ada()]).await;
        assert_eq!(
            (report.added.len(), report.withheld),
            (0, vec![ada().url.to_string()])
        );
        assert_eq!(store.feeds().await.unwrap()[0].status, FeedStatus::Rejected);
        assert_eq!(
            store.approve_feed("ada", &by_hand(minutes(2))).await.unwrap(),
            Decided::Done
        );
        assert_eq!(store.feed_is_away(&ada().url).await.unwrap(), None);
    }

    #[tokio::test]
    async fn further_feeds_of_who_was_turned_down_do_not_break_the_file() {
        let store = pending().await;
        store.reject_feed("ada", &by_hand(minutes(1))).await.unwrap();
        let further = FeedSpec {
            name: None,
            member: Some("ada".to_owned()),
            ..spec("https://notes.example.org/feed", "")
        };
        let report = merge(&store, &[ada(), further]).await;
        assert_eq!((report.added.len(), report.withheld.len()), (0, 2));
    }

    #[tokio::test]
    async fn the_operator_who_writes_a_pending_feed_into_the_file_approves_it() {
        let store = pending().await;
        assert_eq!(merge(&store, &[ada()]).await.resumed, ["ada"]);
        assert_eq!(store.feeds().await.unwrap()[0].status, FeedStatus::Active);
    }

    #[tokio::test]
    async fn a_removal_wins_over_the_file() {
        let store = testing::store().await;
        merge(&store, &[ada()]).await;
        assert_eq!(
            store.remove_feed("ada", &by_hand(now())).await.unwrap(),
            Decided::Done
        );
        assert_eq!(merge(&store, &[ada()]).await.kept, ["ada"]);
        merge(&store, &[]).await;
        assert_eq!(
            merge(&store, &[ada()]).await.kept,
            ["ada"],
            "also after it left and came back"
        );
        assert_eq!(
            store.resume_feed("ada", &by_hand(now())).await.unwrap(),
            Decided::Done
        );
        assert_eq!(store.feeds().await.unwrap()[0].status, FeedStatus::Active);
        merge(&store, &[]).await;
        assert_eq!(merge(&store, &[ada()]).await.resumed, ["ada"]);
    }

    #[tokio::test]
    async fn who_was_turned_down_is_forgotten_after_ninety_days_but_for_a_hash() {
        let store = pending().await;
        store.set_email("ada", "ada@example.org", now()).await.unwrap();
        store.reject_feed("ada", &by_hand(now())).await.unwrap();
        let term = now() + REJECTED_STAYS;
        store.tidy(term - TimeDelta::minutes(1)).await.unwrap();
        assert!(store.membership("ada").await.unwrap().is_some());
        store.tidy(term).await.unwrap();
        assert_eq!(store.memberships().await.unwrap(), []);
        assert_eq!(
            store.feed_is_away(&ada().url).await.unwrap(),
            Some(Cause::Rejected)
        );
        assert_eq!(
            asks_to_join(&store, ada()).await,
            Registered::Away {
                cause: Cause::Rejected
            }
        );
        let log = store.audit(None, 9).await.unwrap();
        assert!(log.iter().all(|line| line.target != "ada"), "{log:?}");
        assert_eq!(
            (log[0].by.as_str(), log[0].action.as_str()),
            (TERM, "withdraw member")
        );
        // Whoever is taken on later stays.
        store.let_back(&ada().url).await.unwrap();
        asks_to_join(&store, ada()).await;
        store.reject_feed("ada", &by_hand(term)).await.unwrap();
        store.approve_feed("ada", &by_hand(term)).await.unwrap();
        store.tidy(term + REJECTED_STAYS).await.unwrap();
        assert!(store.membership("ada").await.unwrap().is_some());
    }
}
