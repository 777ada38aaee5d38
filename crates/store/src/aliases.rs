//! Feeds that moved: the address changes, and what it was stays known as an alias.
//!
//! Whether a redirect has lasted long enough is not decided here.

use chrono::{DateTime, Utc};
use model::normal_feed_address;
use url::Url;

use crate::db::Transaction;
use crate::record::PollRecord;
use crate::rows::{Fields, millis};
use crate::sql::Sql;
use crate::{Store, StoreError};

const ALIASES: &str = "SELECT address, feed_id FROM feed_aliases ORDER BY address";
const BEFORE: &str = "SELECT url FROM feeds WHERE id = $1";
const IS_ANOTHERS: &str = "SELECT EXISTS (SELECT 1 FROM feeds WHERE id <> $1 AND (url = $2 OR address = $3))
        OR EXISTS (SELECT 1 FROM feed_aliases WHERE feed_id <> $1 AND address = $3)";
const MOVE: &str = "UPDATE feeds SET url = $2, moved_to = NULL, moved_since_at = NULL WHERE id = $1";
const ADD: &str = "INSERT INTO feed_aliases (address, feed_id, since_at) VALUES ($1, $2, $3)
    ON CONFLICT (address) DO UPDATE SET since_at = excluded.since_at";

impl Store {
    /// The addresses that feeds had before they moved, in the form of [`normal_feed_address`], each with its feed.
    pub async fn feed_aliases(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = Sql::new(ALIASES).fetch_all(self.readers()).await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("feed_aliases", row);
                Ok((fields.take()?, fields.take()?))
            })
            .collect()
    }
}

/// Moves the feeds of which these polls say so. One that would come to lie where another feed lies stays.
pub(crate) async fn settle<'r>(
    transaction: &mut Transaction,
    records: impl Iterator<Item = &'r PollRecord>,
) -> Result<(), StoreError> {
    for record in records {
        if let Some(url) = &record.new_url {
            move_to(transaction, record.feed_id, url, record.at).await?;
        }
    }
    Ok(())
}

/// Moves a feed, unless another lies at that address; tells whether it moved.
pub(crate) async fn move_to(
    transaction: &mut Transaction,
    feed_id: i64,
    url: &Url,
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let is_anothers: bool = Sql::new(IS_ANOTHERS)
        .bind(feed_id)
        .bind(url.as_str())
        .bind(normal_feed_address(url))
        .fetch_value("feeds", &mut *transaction)
        .await?;
    if is_anothers {
        return Ok(false);
    }
    let row = Sql::new(BEFORE)
        .bind(feed_id)
        .fetch_one(&mut *transaction)
        .await?;
    let before: Url = Fields::of("feeds", &row).read(|url: &str| url.parse().ok())?;
    Sql::new(MOVE)
        .bind(feed_id)
        .bind(url.as_str())
        .execute(&mut *transaction)
        .await?;
    Sql::new(ADD)
        .bind(normal_feed_address(&before))
        .bind(feed_id)
        .bind(millis(at))
        .execute(&mut *transaction)
        .await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, feed, merge, minutes, poll, reread, spec};

    fn to(feed: &model::Feed, url: &str, at: i64) -> PollRecord {
        let mut record = poll(feed, minutes(at));
        record.new_url = Some(url.parse().unwrap());
        record.state.moved = Some((url.parse().unwrap(), minutes(at)));
        record.state.validators.etag = Some("\"1\"".to_owned());
        record
    }

    #[tokio::test]
    async fn a_feed_that_moved_is_known_by_all_its_addresses() {
        let store = testing::store().await;
        let old = spec("https://old.example.org/feed", "Ada");
        merge(&store, std::slice::from_ref(&old)).await;
        let ada = store.feeds().await.unwrap().remove(0);
        store
            .record_polls(&[to(&ada, "https://new.example.org/feed", 1)])
            .await
            .unwrap();
        let moved = reread(&store, &ada).await;
        assert_eq!(
            (moved.url.as_str(), &moved.moved, moved.validators.etag.as_deref()),
            ("https://new.example.org/feed", &None, Some("\"1\""))
        );
        store
            .record_polls(&[to(&moved, "https://newest.example.org/", 2)])
            .await
            .unwrap();
        let aliases = store.feed_aliases().await.unwrap();
        assert_eq!(
            aliases,
            [
                ("https://new.example.org/feed".to_owned(), ada.id),
                ("https://old.example.org/feed".to_owned(), ada.id)
            ]
        );
        // The file still names the first address, and then one of the others: it is the same feed.
        for url in [
            "https://old.example.org/feed",
            "https://newest.example.org/",
            "https://new.example.org/feed",
        ] {
            let report = merge(&store, &[spec(url, "Ada")]).await;
            assert_eq!((report.added, report.retired), (vec![], vec![]), "{url}");
            let imported = store
                .import_feeds(&[spec(url, "Ada")], minutes(3), chrono_tz::UTC)
                .await
                .unwrap();
            assert_eq!(imported.added, [""; 0], "{url}");
        }
        assert_eq!(store.feeds().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn no_two_feeds_come_to_lie_at_one_address() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        // Ada's feed redirects to Ben's, and then to where Ben's was before.
        store
            .record_polls(&[to(&ada, ben.url.as_str(), 1)])
            .await
            .unwrap();
        store
            .record_polls(&[to(&ben, "https://ben.example.net/feed", 1)])
            .await
            .unwrap();
        let after = reread(&store, &ada).await;
        assert_eq!((&after.url, after.moved.is_some()), (&ada.url, true));
        store
            .record_polls(&[to(&after, ben.url.as_str(), 2)])
            .await
            .unwrap();
        assert_eq!(reread(&store, &ada).await.url, ada.url);
        assert_eq!(
            reread(&store, &ben).await.url.as_str(),
            "https://ben.example.net/feed"
        );
        assert_eq!(store.feed_aliases().await.unwrap().len(), 1);
    }
}
