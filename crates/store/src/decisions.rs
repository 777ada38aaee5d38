//! What people decide about a feed: to pause it, and to go on with one that is paused, gone or held.

use chrono::{DateTime, Utc};
use model::FeedStatus;

use crate::changes::NextRevision;
use crate::rows::{Fields, millis};
use crate::sql::Sql;
use crate::{Store, StoreError};

const FIND: &str = "SELECT id, status, held_why IS NOT NULL FROM feeds WHERE slug = $1";
const PAUSE: &str = "UPDATE feeds SET version = version + 1, status = 'paused' WHERE id = $1";
/// The next poll comes at once and reads everything. What was held is taken from now on, so its silence ends now.
const RESUME: &str = "UPDATE feeds SET version = version + 1, status = 'active', next_poll_at = $2,
        next_poll_why = 'rhythm', etag = NULL, last_modified = NULL, validators_url = NULL, body_hash = NULL,
        gone_since_at = NULL,
        last_entry_at = CASE WHEN held_why IS NULL THEN last_entry_at ELSE $2 END, held_why = NULL
    WHERE id = $1";

/// What came of a decision about a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// It is done.
    Done,
    /// The feed was like that already.
    Already,
    /// The feed has left the registry: it comes back with its entry there.
    Retired,
    /// No feed has this slug.
    Unknown,
}

impl Store {
    /// Stops polling a feed until it is resumed; what we hold of it stays.
    pub async fn pause_feed(&self, slug: &str, now: DateTime<Utc>) -> Result<Decided, StoreError> {
        self.decide(
            slug,
            now,
            |status, _| status != FeedStatus::Paused,
            |id| Sql::new(PAUSE).bind(id),
        )
        .await
    }

    /// Polls a feed again that was paused or gone, and takes what was held of it.
    pub async fn resume_feed(&self, slug: &str, now: DateTime<Utc>) -> Result<Decided, StoreError> {
        self.decide(
            slug,
            now,
            |status, is_held| is_held || status != FeedStatus::Active,
            |id| Sql::new(RESUME).bind(id).bind(millis(now)),
        )
        .await
    }

    async fn decide(
        &self,
        slug: &str,
        now: DateTime<Utc>,
        is_needed: impl FnOnce(FeedStatus, bool) -> bool,
        write: impl FnOnce(i64) -> Sql<'static>,
    ) -> Result<Decided, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(row) = Sql::new(FIND).bind(slug).fetch_optional(&mut transaction).await? else {
            return Ok(Decided::Unknown);
        };
        let mut fields = Fields::of("feeds", &row);
        let (id, status, is_held) = (fields.take()?, fields.read(FeedStatus::parse)?, fields.take()?);
        if status == FeedStatus::Retired {
            return Ok(Decided::Retired);
        }
        if !is_needed(status, is_held) {
            return Ok(Decided::Already);
        }
        // Lists of feeds and the page of the member say whether it is polled.
        let mut revision = NextRevision::begin(&mut transaction, now).await?;
        revision.visible = true;
        write(id).execute(&mut transaction).await?;
        revision.finish(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Decided::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, due, feed, merge, minutes, now, poll, reread, spec};

    #[tokio::test]
    async fn a_pause_holds_until_it_is_lifted() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let late = poll(&ada, minutes(1));
        let before = store.revision().await.unwrap().number;
        assert_eq!(store.pause_feed("ada", now()).await.unwrap(), Decided::Done);
        assert_eq!(store.pause_feed("ada", now()).await.unwrap(), Decided::Already);
        assert_eq!(store.revision().await.unwrap().number, before + 1);
        // A poll that began before the pause does not undo it.
        assert!(!store.record_polls(&[late]).await.unwrap()[0].accepted);
        assert_eq!(store.due_feeds(due(minutes(60))).await.unwrap(), []);

        assert_eq!(store.resume_feed("ada", minutes(5)).await.unwrap(), Decided::Done);
        assert_eq!(
            store.resume_feed("ada", minutes(5)).await.unwrap(),
            Decided::Already
        );
        assert_eq!(store.due_feeds(due(minutes(5))).await.unwrap().len(), 1);
        assert_eq!(
            store.resume_feed("nobody", now()).await.unwrap(),
            Decided::Unknown
        );

        merge(&store, &[spec("https://ada.example.org/feed", "Ada")]).await;
        merge(&store, &[]).await;
        for decided in [
            store.pause_feed("ada", now()).await,
            store.resume_feed("ada", now()).await,
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
        assert_eq!(store.resume_feed("ada", minutes(5)).await.unwrap(), Decided::Done);
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
