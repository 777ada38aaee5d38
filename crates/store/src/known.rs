//! Whether a blog is known here, by any of the addresses that it may go by.

use std::collections::HashSet;

use model::{Feed, FeedStatus, link_key};
use url::Url;

use crate::rows::Fields;
use crate::sql::Sql;
use crate::tombstones::{Cause, Graveyard};
use crate::{Store, StoreError};

const ADDRESSES: &str = "SELECT id, address FROM feeds WHERE withdrawn_at IS NULL";

impl Store {
    /// The feed that lies at one of these addresses or lay there before it moved, scheme, `www.` and a slash at the end
    /// aside; one that waits for approval, was turned down or retired too. The one that is polled, if there are several.
    pub async fn feed_among(&self, urls: &[Url]) -> Result<Option<Feed>, StoreError> {
        let wanted: HashSet<String> = urls.iter().map(link_key).collect();
        let mut meant = HashSet::new();
        let mut names = |feed: i64, address: &str| {
            if Url::parse(address).is_ok_and(|url| wanted.contains(&link_key(&url))) {
                meant.insert(feed);
            }
        };
        for (address, feed) in self.feed_aliases().await? {
            names(feed, &address);
        }
        for row in Sql::new(ADDRESSES).fetch_all(self.readers()).await? {
            let mut fields = Fields::of("feeds", &row);
            let feed = fields.take()?;
            names(feed, fields.take()?);
        }
        let is_meant = |feed: &Feed| meant.contains(&feed.id) || wanted.contains(&link_key(&feed.url));
        let feeds = self.feeds().await?;
        Ok(feeds
            .into_iter()
            .filter(is_meant)
            .max_by_key(|feed| (feed.status == FeedStatus::Active, feed.status.is_public())))
    }

    /// Why one of these addresses stays away, if it was withdrawn or turned down.
    pub async fn away_among(&self, urls: &[Url]) -> Result<Option<Cause>, StoreError> {
        let Some(graveyard) = Graveyard::find(self.readers()).await? else {
            return Ok(None);
        };
        let hashes: Vec<String> = urls.iter().map(|url| graveyard.feed_url(url)).collect();
        let found = Graveyard::among(self.readers().into(), &hashes).await?;
        Ok(found.into_values().next().map(|tombstone| tombstone.cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, by_hand, feed, minutes, spec};

    fn urls(addresses: &[&str]) -> Vec<Url> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_blog_is_known_by_every_spelling_and_by_where_it_was() {
        let store = testing::store().await;
        feed(&store, "https://ada.example.org/feed", "Ada").await;
        feed(&store, "https://ben.example.org/feed", "Ben").await;
        let moved = "https://new.example.org/ada".parse().unwrap();
        store
            .move_feed("ada", &moved, &by_hand(minutes(1)))
            .await
            .unwrap();
        for (addresses, slug) in [
            (&["http://www.ada.example.org/feed/"][..], Some("ada")),
            (&["https://new.example.org/ada?utm_source=x"], Some("ada")),
            (
                &["https://nobody.example/", "https://ben.example.org/feed#top"],
                Some("ben"),
            ),
            (&["https://ada.example.org/"], None),
            (&[], None),
        ] {
            let found = store.feed_among(&urls(addresses)).await.unwrap();
            assert_eq!(found.map(|feed| feed.slug).as_deref(), slug, "{addresses:?}");
        }
        // Of several the one that is polled.
        store.remove_feed("ada", &by_hand(minutes(2))).await.unwrap();
        let both = urls(&["https://new.example.org/ada", "https://ben.example.org/feed"]);
        assert_eq!(store.feed_among(&both).await.unwrap().unwrap().slug, "ben");
    }

    #[tokio::test]
    async fn what_left_is_known_to_be_away_and_as_nobodys() {
        let store = testing::store().await;
        let ada = spec("https://ada.example.org/feed", "Ada").url;
        assert_eq!(store.away_among(std::slice::from_ref(&ada)).await.unwrap(), None);
        feed(&store, ada.as_str(), "Ada").await;
        store
            .withdraw_member("ada", Cause::Left, &by_hand(minutes(1)))
            .await
            .unwrap();
        assert_eq!(store.feed_among(std::slice::from_ref(&ada)).await.unwrap(), None);
        let several = urls(&["https://nobody.example/", ada.as_str()]);
        assert_eq!(store.away_among(&several).await.unwrap(), Some(Cause::Left));
        assert_eq!(store.away_among(&several[..1]).await.unwrap(), None);
    }
}
