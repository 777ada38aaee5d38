//! What people decide about a feed: to take it on or not, to pause it, to go on with one that is paused, gone or held,
//! and to let it go.

use model::FeedStatus;
use url::Url;

use crate::aliases;
use crate::audit::{self, Decision};
use crate::changes::NextRevision;
use crate::rows::{Fields, millis};
use crate::sql::Sql;
use crate::tombstones::{Cause, Graveyard, Tombstone};
use crate::{Store, StoreError};

const FIND: &str = "SELECT id, status, held_why IS NOT NULL, address, decided_by IS NOT NULL FROM feeds WHERE slug = $1 AND withdrawn_at IS NULL";
const STOP: &str =
    "UPDATE feeds SET version = version + 1, status = $2, decided_by = $3, decided_why = $4 WHERE id = $1";
/// The next poll comes at once and reads everything. What was held is taken from now on, so its silence ends now.
const GO: &str =
    "UPDATE feeds SET version = version + 1, status = 'active', decided_by = NULL, decided_why = NULL,
        next_poll_at = $2, next_poll_why = 'decided', etag = NULL, last_modified = NULL, validators_url = NULL,
        body_hash = NULL, gone_since_at = NULL,
        last_entry_at = CASE WHEN held_why IS NULL THEN last_entry_at ELSE $2 END, held_why = NULL
    WHERE id = $1";
const PROPOSED: &str = "SELECT proposed_url FROM feeds WHERE slug = $1 AND withdrawn_at IS NULL";
/// At another address nothing that was said at the old one holds.
const AFRESH: &str =
    "UPDATE feeds SET version = version + 1, next_poll_at = $2, next_poll_why = 'decided', etag = NULL,
        last_modified = NULL, validators_url = NULL, body_hash = NULL, retry_after_at = NULL, failures = 0,
        failing_since_at = NULL, not_a_feed = FALSE, proposed_url = NULL, gone_since_at = NULL,
        name_unknown_since_at = NULL
    WHERE id = $1";
const FORGET_PREVIEW: &str = "DELETE FROM registrations WHERE feed_id = $1";

/// What came of a decision about a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// It is done.
    Done,
    /// The feed was like that already.
    Already,
    /// The feed has left the registry: it comes back with its entry there.
    Retired,
    /// The feed waits for approval, or was turned down: approve it first.
    NotTakenOn,
    /// The feed was taken on already: what waits for approval can be turned down, others be removed.
    TakenOn,
    /// No feed has this slug.
    Unknown,
}

/// What is decided about a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Approve,
    Reject,
    Pause,
    Resume,
    Remove,
}

impl Verdict {
    /// What it means for a feed that stands so; `Done` if it is to be written.
    fn on(self, status: FeedStatus, is_held: bool, is_decided: bool) -> Decided {
        use FeedStatus::{Active, Paused, Pending, Rejected, Retired};
        let is_already = match self {
            Self::Approve => status.is_public(),
            Self::Reject => status == Rejected,
            Self::Pause => status == Paused,
            Self::Resume => status == Active && !is_held,
            Self::Remove => status == Retired && is_decided,
        };
        match (self, status) {
            _ if is_already => Decided::Already,
            (Self::Approve | Self::Reject, Pending) | (Self::Approve, Rejected) => Decided::Done,
            (Self::Reject, _) => Decided::TakenOn,
            (Self::Pause | Self::Resume, Pending | Rejected) => Decided::NotTakenOn,
            // What a moderator or the member let go may be taken up again; what left the file, by the file.
            (Self::Pause, Retired) => Decided::Retired,
            (Self::Resume, Retired) if !is_decided => Decided::Retired,
            _ => Decided::Done,
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Approve => "approve feed",
            Self::Reject => "reject feed",
            Self::Pause => "pause feed",
            Self::Resume => "resume feed",
            Self::Remove => "remove feed",
        }
    }
}

impl Store {
    /// Takes on a feed that waits for approval, or was turned down; it is polled at once.
    pub async fn approve_feed(&self, slug: &str, decision: &Decision<'_>) -> Result<Decided, StoreError> {
        self.decide(slug, Verdict::Approve, decision).await
    }

    /// Turns down a feed that waits for approval, for a reason that its blogger sees. Its address is not added again
    /// before somebody approves it.
    pub async fn reject_feed(&self, slug: &str, decision: &Decision<'_>) -> Result<Decided, StoreError> {
        self.decide(slug, Verdict::Reject, decision).await
    }

    /// Stops polling a feed until it is resumed; what we hold of it stays.
    pub async fn pause_feed(&self, slug: &str, decision: &Decision<'_>) -> Result<Decided, StoreError> {
        self.decide(slug, Verdict::Pause, decision).await
    }

    /// Polls a feed again that was paused, removed or gone, and takes what was held of it.
    pub async fn resume_feed(&self, slug: &str, decision: &Decision<'_>) -> Result<Decided, StoreError> {
        self.decide(slug, Verdict::Resume, decision).await
    }

    /// Lets a feed go, whatever the file says: it is not polled, and what we hold of it stays. (What is to be erased,
    /// [`Self::withdraw_feed`] erases.)
    pub async fn remove_feed(&self, slug: &str, decision: &Decision<'_>) -> Result<Decided, StoreError> {
        self.decide(slug, Verdict::Remove, decision).await
    }

    /// Polls a feed from now on where the page at its address says that it lies; the old address stays known.
    pub async fn take_proposed_address(
        &self,
        slug: &str,
        decision: &Decision<'_>,
    ) -> Result<Decided, StoreError> {
        let proposed: Option<String> = match Sql::new(PROPOSED)
            .bind(slug)
            .fetch_optional(self.readers())
            .await?
        {
            Some(row) => Fields::of("feeds", &row).take()?,
            None => return Ok(Decided::Unknown),
        };
        match proposed.and_then(|url| url.parse().ok()) {
            Some(url) => self.move_feed(slug, &url, decision).await,
            None => Ok(Decided::Already),
        }
    }

    /// Polls a feed at another address from now on; its entries keep their keys, and the old address stays known. What
    /// another feed has as its address is refused as [`Decided::TakenOn`].
    pub async fn move_feed(
        &self,
        slug: &str,
        url: &Url,
        decision: &Decision<'_>,
    ) -> Result<Decided, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(row) = Sql::new(FIND).bind(slug).fetch_optional(&mut transaction).await? else {
            return Ok(Decided::Unknown);
        };
        let id: i64 = Fields::of("feeds", &row).take()?;
        if !aliases::move_to(&mut transaction, id, url, decision.at).await? {
            return Ok(Decided::TakenOn);
        }
        Sql::new(AFRESH)
            .bind(id)
            .bind(millis(decision.at))
            .execute(&mut transaction)
            .await?;
        let mut revision = NextRevision::begin(&mut transaction, decision.at).await?;
        revision.visible = true;
        audit::write(&mut transaction, decision, "move feed", slug).await?;
        revision.finish(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Decided::Done)
    }

    async fn decide(
        &self,
        slug: &str,
        verdict: Verdict,
        decision: &Decision<'_>,
    ) -> Result<Decided, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(row) = Sql::new(FIND).bind(slug).fetch_optional(&mut transaction).await? else {
            return Ok(Decided::Unknown);
        };
        let mut fields = Fields::of("feeds", &row);
        let (id, status, is_held): (i64, _, _) =
            (fields.take()?, fields.read(FeedStatus::parse)?, fields.take()?);
        let (address, is_decided): (String, bool) = (fields.take()?, fields.take()?);
        let decided = verdict.on(status, is_held, is_decided);
        if decided != Decided::Done {
            return Ok(decided);
        }
        // Lists of feeds and the page of the member say whether it is polled.
        let mut revision = NextRevision::begin(&mut transaction, decision.at).await?;
        revision.visible = true;
        let stop = |status: FeedStatus| {
            Sql::new(STOP)
                .bind(id)
                .bind(status.as_str())
                .bind(decision.by)
                .bind(decision.why)
        };
        match verdict {
            Verdict::Approve | Verdict::Resume => Sql::new(GO).bind(id).bind(millis(decision.at)),
            Verdict::Reject => stop(FeedStatus::Rejected),
            Verdict::Pause => stop(FeedStatus::Paused),
            Verdict::Remove => stop(FeedStatus::Retired),
        }
        .execute(&mut transaction)
        .await?;
        if matches!(verdict, Verdict::Approve | Verdict::Reject) {
            Sql::new(FORGET_PREVIEW)
                .bind(id)
                .execute(&mut transaction)
                .await?;
            let graveyard = Graveyard::open(&mut transaction).await?;
            let hash = graveyard.feed(&address);
            if verdict == Verdict::Approve {
                Graveyard::lift(&mut transaction, &hash).await?;
            } else {
                let tombstone = Tombstone {
                    cause: Cause::Rejected,
                    since: decision.at,
                    feed_id: Some(id),
                    entry_id: None,
                };
                Graveyard::bury(&mut transaction, &hash, tombstone).await?;
            }
        }
        audit::write(&mut transaction, decision, verdict.action(), slug).await?;
        revision.finish(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Decided::Done)
    }
}

#[cfg(test)]
mod tests {
    use model::Why;

    use super::*;
    use crate::testing::{self, by_hand, due, feed, merge, minutes, now, poll, reread, spec};

    #[tokio::test]
    async fn a_pause_holds_until_it_is_lifted() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let late = poll(&ada, minutes(1));
        let before = store.revision().await.unwrap().number;
        assert_eq!(
            store.pause_feed("ada", &by_hand(now())).await.unwrap(),
            Decided::Done
        );
        assert_eq!(
            store.pause_feed("ada", &by_hand(now())).await.unwrap(),
            Decided::Already
        );
        assert_eq!(store.revision().await.unwrap().number, before + 1);
        // A poll that began before the pause does not undo it.
        assert!(!store.record_polls(&[late]).await.unwrap()[0].accepted);
        assert_eq!(store.due_feeds(due(minutes(60))).await.unwrap(), []);

        assert_eq!(
            store.resume_feed("ada", &by_hand(minutes(5))).await.unwrap(),
            Decided::Done
        );
        assert_eq!(
            store.resume_feed("ada", &by_hand(minutes(5))).await.unwrap(),
            Decided::Already
        );
        assert_eq!(store.due_feeds(due(minutes(5))).await.unwrap().len(), 1);
        let decided_on = store.feeds_decided_on(due(minutes(5))).await.unwrap();
        assert_eq!(
            decided_on
                .iter()
                .map(|feed| (&*feed.slug, feed.next_poll_why))
                .collect::<Vec<_>>(),
            [("ada", Why::Decided)]
        );
        assert_eq!(
            store.resume_feed("nobody", &by_hand(now())).await.unwrap(),
            Decided::Unknown
        );

        merge(&store, &[spec("https://ada.example.org/feed", "Ada")]).await;
        merge(&store, &[]).await;
        for decided in [
            store.pause_feed("ada", &by_hand(now())).await,
            store.resume_feed("ada", &by_hand(now())).await,
        ] {
            assert_eq!(decided.unwrap(), Decided::Retired);
        }
    }

    #[tokio::test]
    async fn what_was_gone_or_held_is_read_anew() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let mut gone = poll(&ada, now());
        gone.state.status = FeedStatus::Gone;
        gone.state.gone_since = Some(now());
        gone.state.validators.etag = Some("\"1\"".to_owned());
        gone.state.body_hash = Some("1".to_owned());
        gone.state.held = Some("perhaps the domain has a new owner".to_owned());
        gone.state.last_entry_at = Some(minutes(-99_999));
        store.record_polls(&[gone]).await.unwrap();
        assert_eq!(
            store.resume_feed("ada", &by_hand(minutes(5))).await.unwrap(),
            Decided::Done
        );
        let after = reread(&store, &ada).await;
        assert_eq!(
            (after.status, &after.held, after.gone_since),
            (FeedStatus::Active, &None, None)
        );
        assert_eq!((after.validators.etag, after.body_hash), (None, None));
        assert_eq!(
            (after.next_poll_at, after.last_entry_at),
            (minutes(5), Some(minutes(5)))
        );
    }
}
