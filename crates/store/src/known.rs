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
