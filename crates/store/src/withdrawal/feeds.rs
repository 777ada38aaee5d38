//! Feeds and members leave: every entry first, then names, addresses, and what was noted of them.

use model::normal_feed_address;
use url::Url;

use super::Withdrawal;
use crate::rows::{Fields, millis};
use crate::sql::Sql;
use crate::tombstones::{Graveyard, Tombstone};
use crate::{StoreError, audit};

const KEYS_OF_FEED: &str = "SELECT key FROM entries WHERE feed_id = $1 AND withdrawn_at IS NULL ORDER BY id";
const FEED: &str = "SELECT f.id, f.member_id, f.url, f.address, m.slug,
        (SELECT COUNT(*) FROM feeds o WHERE o.member_id = m.id AND o.withdrawn_at IS NULL)
    FROM feeds f JOIN members m ON m.id = f.member_id WHERE f.slug = $1 AND f.withdrawn_at IS NULL";
const FEEDS_OF_MEMBER: &str = "SELECT f.slug FROM feeds f JOIN members m ON m.id = f.member_id
    WHERE m.slug = $1 AND f.withdrawn_at IS NULL ORDER BY f.id";
const ALIASES: &str = "SELECT address FROM feed_aliases WHERE feed_id = $1";
/// The name of the feed is taken from its number, and its address is one that can never be.
const ERASE_FEED: &str = "UPDATE feeds SET version = version + 1, slug = 'withdrawn-' || id,
        url = 'https://withdrawn.invalid/' || id, address = $2, site = NULL, site_url = NULL, licence = NULL,
        status = 'retired', in_file = FALSE, etag = NULL, last_modified = NULL, body_hash = NULL, last_error = NULL,
        moved_to = NULL, moved_since_at = NULL, title = NULL, validators_url = NULL, incomplete = NULL, proposed_url = NULL,
        held_why = NULL, hub_url = NULL, hub_topic = NULL, decided_by = $3, decided_why = NULL, withdrawn_at = $4
    WHERE id = $1 RETURNING slug";
const OF_FEED: [&str; 8] = [
    "DELETE FROM notices WHERE feed IN (SELECT f.url FROM feeds f WHERE f.id = $1)",
    "DELETE FROM feed_troubles WHERE feed_id = $1",
    "DELETE FROM feed_problems WHERE feed_id = $1",
    "DELETE FROM subscriptions WHERE feed_id = $1",
    "DELETE FROM polls WHERE feed_id = $1",
    "DELETE FROM feed_aliases WHERE feed_id = $1",
    "DELETE FROM registrations WHERE feed_id = $1",
    "DELETE FROM leases WHERE feed_id = $1",
];
const ERASE_MEMBER: &str =
    "UPDATE members SET slug = 'withdrawn-' || id, name = 'A former member', organisation = NULL,
        url = NULL, verified_at = NULL, verified_by = NULL, consented_at = NULL, withdrawn_at = $2
    WHERE id = $1 RETURNING slug";
const OF_MEMBER: [&str; 4] = [
    "DELETE FROM notices WHERE member_id = $1",
    "DELETE FROM member_emails WHERE member_id = $1",
    "DELETE FROM manage_links WHERE member_id = $1",
    "DELETE FROM member_aliases WHERE member_id = $1",
];
const OTHERS_ON_HOST: &str = "SELECT url FROM feeds WHERE withdrawn_at IS NULL AND id <> $1";
const FORGET_HOST: &str = "DELETE FROM host_days WHERE host = $1";

impl Withdrawal<'_> {
    /// Erases a feed, and its member with the last one; gives whether there was one.
    pub(super) async fn feed(&mut self, slug: &str) -> Result<bool, StoreError> {
        let row = Sql::new(FEED)
            .bind(slug)
            .fetch_optional(&mut self.transaction)
            .await?;
        let Some(row) = row else { return Ok(false) };
        let mut fields = Fields::of("feeds", &row);
        let (id, member_id): (i64, i64) = (fields.take()?, fields.take()?);
        let url: Url = fields.read(|url: &str| url.parse().ok())?;
        let address: String = fields.take()?;
        let member: String = fields.take()?;
        let is_last = fields.take::<i64>()? == 1;

        for row in Sql::new(KEYS_OF_FEED)
            .bind(id)
            .fetch_all(&mut self.transaction)
            .await?
        {
            let key: String = Fields::of("entries", &row).take()?;
            self.entry(&key).await?;
        }
        self.bury_feed(id, &url, &address).await?;
        self.forget_host(id, &url).await?;
        for forget in OF_FEED {
            Sql::new(forget).bind(id).execute(&mut self.transaction).await?;
        }
        let instead: String = Sql::new(ERASE_FEED)
            .bind(id)
            .bind(self.graveyard.feed(&address))
            .bind(self.decision.by)
            .bind(millis(self.decision.at))
            .fetch_value("feeds", &mut self.transaction)
            .await?;
        audit::forget_name(&mut self.transaction, slug, &instead).await?;
        audit::write(&mut self.transaction, self.decision, "withdraw feed", &instead).await?;
        self.feeds += 1;
        self.revision.visible = true;
        if is_last {
            self.erase_member(member_id, &member).await?;
        }
        Ok(true)
    }

    async fn bury_feed(&mut self, id: i64, url: &Url, address: &str) -> Result<(), StoreError> {
        let mut addresses = vec![normal_feed_address(url), address.to_owned()];
        for row in Sql::new(ALIASES)
            .bind(id)
            .fetch_all(&mut self.transaction)
            .await?
        {
            addresses.push(Fields::of("feed_aliases", &row).take()?);
        }
        for address in addresses {
            let tombstone = Tombstone {
                cause: self.cause,
                since: self.decision.at,
                feed_id: Some(id),
                entry_id: None,
            };
            let hash = self.graveyard.feed(&address);
            Graveyard::bury(&mut self.transaction, &hash, tombstone).await?;
        }
        Ok(())
    }

    /// What was asked of a host on behalf of this feed alone says who it was.
    async fn forget_host(&mut self, id: i64, url: &Url) -> Result<(), StoreError> {
        let Some(host) = url.host_str() else { return Ok(()) };
        for row in Sql::new(OTHERS_ON_HOST)
            .bind(id)
            .fetch_all(&mut self.transaction)
            .await?
        {
            let other: Url = Fields::of("feeds", &row).read(|url: &str| url.parse().ok())?;
            if other.host_str() == Some(host) {
                return Ok(());
            }
        }
        Sql::new(FORGET_HOST)
            .bind(host)
            .execute(&mut self.transaction)
            .await?;
        Ok(())
    }

    async fn erase_member(&mut self, id: i64, slug: &str) -> Result<(), StoreError> {
        for forget in OF_MEMBER {
            Sql::new(forget).bind(id).execute(&mut self.transaction).await?;
        }
        let instead: String = Sql::new(ERASE_MEMBER)
            .bind(id)
            .bind(millis(self.decision.at))
            .fetch_value("members", &mut self.transaction)
            .await?;
        audit::forget_name(&mut self.transaction, slug, &instead).await?;
        audit::write(&mut self.transaction, self.decision, "withdraw member", &instead).await?;
        self.member = true;
        Ok(())
    }

    /// Erases a member with all feeds; gives whether there was one.
    pub(super) async fn member(&mut self, slug: &str) -> Result<bool, StoreError> {
        let rows = Sql::new(FEEDS_OF_MEMBER)
            .bind(slug)
            .fetch_all(&mut self.transaction)
            .await?;
        for row in &rows {
            let feed: String = Fields::of("feeds", row).take()?;
            self.feed(&feed).await?;
        }
        Ok(!rows.is_empty())
    }
}
