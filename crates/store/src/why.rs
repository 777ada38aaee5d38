//! What became of an address: the one true answer to "why is this post here, or not?".
//!
//! Every entry leaves a row and every refusal a trace, so that it always knows: shown, a copy of another, left out,
//! withdrawn (by its hash, for nothing else is kept), or of a blog that is known and whose feed did not hold it. What
//! that means in words is said elsewhere.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use model::{Entry, Feed, link_key};
use url::Url;

use crate::entries::complete;
use crate::rows::{self, Fields, entry_columns, entry_joins, feed_columns};
use crate::sql::Sql;
use crate::tombstones::{Cause, Graveyard, Tombstone};
use crate::{Store, StoreError};

/// Readers see one of them at most from each feed; the shown first, then copies.
const BY_LINK: &str = concat!(
    "SELECT ",
    entry_columns!(),
    ", e.duplicate_of, e.dated_at, e.feed_id FROM entries e",
    entry_joins!(),
    " AND e.link_key = $1 ORDER BY e.shown DESC, e.duplicate_of IS NULL, e.id LIMIT 1"
);
const BY_IDENTITY: &str = concat!(
    "SELECT ",
    entry_columns!(),
    ", e.duplicate_of, e.dated_at, e.feed_id FROM entries e",
    entry_joins!(),
    " AND e.feed_id = $1 AND e.source_id = $2 AND e.withdrawn_at IS NULL"
);
const BY_NUMBER: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM entries e",
    entry_joins!(),
    " AND e.id = $1"
);
const FEEDS: &str = "SELECT id FROM feeds ORDER BY id";
const PLACES: &str =
    "SELECT f.id, f.url, f.site, f.site_url, m.url, f.status = 'active' AS is_active FROM feeds f
    JOIN members m ON m.id = f.member_id WHERE f.withdrawn_at IS NULL ORDER BY f.id";
const FEED: &str = concat!(
    "SELECT ",
    feed_columns!(),
    ", (SELECT MIN(e.published_at) FROM entries e WHERE e.feed_id = f.id AND e.river_at = e.released_at), f.decided_why
     FROM feeds f JOIN members m ON m.id = f.member_id WHERE f.id = $1"
);
const WITHDRAWN: &str = "SELECT key, withdrawn_why FROM entries WHERE id = $1";

/// What became of an address.
#[derive(Debug, Clone, PartialEq)]
pub enum Trace {
    /// Readers see it.
    Shown {
        /// The entry.
        entry: Box<Entry>,
        /// The feed's own date, if it gives one; perhaps in the future.
        dated: Option<DateTime<Utc>>,
    },
    /// It tells the same story as an entry that readers see.
    Copy {
        /// That entry.
        of: Box<Entry>,
        /// The copy.
        copy: Box<Entry>,
    },
    /// It is held, and shown to nobody, because its feed takes part with tagged posts alone.
    LeftOut {
        /// The entry.
        entry: Box<Entry>,
    },
    /// It was withdrawn.
    Withdrawn {
        /// Its key, if it ever had one here.
        key: Option<String>,
        /// By whom.
        cause: Cause,
        /// Since when.
        since: DateTime<Utc>,
        /// A moderator's reason.
        why: Option<String>,
    },
    /// No such entry, but a feed whose blog has this address.
    Blog {
        /// The feed.
        feed: Box<Feed>,
        /// The oldest date of what it brought.
        oldest: Option<DateTime<Utc>>,
        /// Why it stands as it does, where somebody decided so and said it.
        decided_why: Option<String>,
    },
    /// Nobody's.
    Nobody,
}

impl Store {
    /// What became of the post at this address.
    pub async fn trace(&self, url: &Url) -> Result<Trace, StoreError> {
        let key = link_key(url);
        let row = Sql::new(BY_LINK)
            .bind(&key)
            .fetch_optional(self.readers())
            .await?;
        if let Some(row) = row {
            return self.trace_of(&row).await;
        }
        if let Some(withdrawn) = self.buried(url, &key).await? {
            return Ok(withdrawn);
        }
        let feeds = self.feeds_at(url).await?;
        for feed in &feeds {
            // A post without a link is known by its identity, which may be an address.
            let row = Sql::new(BY_IDENTITY)
                .bind(*feed)
                .bind(url.as_str())
                .fetch_optional(self.readers())
                .await?;
            if let Some(row) = row {
                return self.trace_of(&row).await;
            }
        }
        let Some(feed) = feeds.first() else {
            return Ok(Trace::Nobody);
        };
        let row = Sql::new(FEED).bind(*feed).fetch_one(self.readers()).await?;
        let (feed, mut fields) = rows::feed_and_more(&row)?;
        Ok(Trace::Blog {
            feed: Box::new(feed),
            oldest: fields.at_optional()?,
            decided_why: fields.take()?,
        })
    }

    async fn trace_of(&self, row: &crate::sql::Row) -> Result<Trace, StoreError> {
        let (entry, mut fields) = rows::entry_and_more(row)?;
        let duplicate_of: Option<i64> = fields.take()?;
        let dated = fields.at_optional()?;
        let shown = entry.shown;
        let entry = self.completed(entry).await?;
        if shown {
            return Ok(Trace::Shown { entry, dated });
        }
        let Some(of) = duplicate_of else {
            return Ok(Trace::LeftOut { entry });
        };
        let row = Sql::new(BY_NUMBER).bind(of).fetch_one(self.readers()).await?;
        Ok(Trace::Copy {
            of: self.completed(rows::entry(&row)?).await?,
            copy: entry,
        })
    }

    async fn completed(&self, row: rows::EntryRow) -> Result<Box<Entry>, StoreError> {
        let entry = row.entry.clone();
        let mut complete = complete(self.readers(), vec![row]).await?;
        Ok(Box::new(complete.pop().unwrap_or(entry)))
    }

    /// What was withdrawn from this address, or under this identity, in any feed there ever was.
    async fn buried(&self, url: &Url, key: &str) -> Result<Option<Trace>, StoreError> {
        let Some(graveyard) = Graveyard::find(self.readers()).await? else {
            return Ok(None);
        };
        let mut hashes = vec![graveyard.link(key)];
        for row in Sql::new(FEEDS).fetch_all(self.readers()).await? {
            let feed: i64 = Fields::of("feeds", &row).take()?;
            hashes.push(graveyard.link_in_feed(feed, key));
            hashes.push(graveyard.source_id(feed, url.as_str()));
        }
        let found = Graveyard::among(self.readers().into(), &hashes).await?;
        // Of a story that left with its copies, what stood first.
        let last = |found: &Tombstone| (found.since, Reverse(found.entry_id.unwrap_or(i64::MAX)));
        let Some(tombstone) = found.into_values().max_by_key(last) else {
            return Ok(None);
        };
        let Tombstone {
            cause,
            since,
            entry_id,
            ..
        } = tombstone;
        let row = match entry_id {
            Some(id) => {
                Sql::new(WITHDRAWN)
                    .bind(id)
                    .fetch_optional(self.readers())
                    .await?
            }
            None => None,
        };
        let (key, why) = match &row {
            Some(row) => {
                let mut fields = Fields::of("entries", row);
                (fields.take()?, fields.take()?)
            }
            None => (None, None),
        };
        Ok(Some(Trace::Withdrawn {
            key,
            cause,
            since,
            why,
        }))
    }

    /// The feeds whose blog this address belongs to, the likeliest first: the deepest path that it begins with, and an
    /// active one before others. On a host that several share, the path has to be right.
    async fn feeds_at(&self, url: &Url) -> Result<Vec<i64>, StoreError> {
        let Some(host) = host(url) else {
            return Ok(Vec::new());
        };
        let mut found: Vec<(usize, bool, i64)> = Vec::new();
        for row in Sql::new(PLACES).fetch_all(self.readers()).await? {
            let mut fields = Fields::of("feeds", &row);
            let id: i64 = fields.take()?;
            let feed: Option<Url> = fields.read_optional(parse)?;
            let sites: [Option<Url>; 3] = [
                fields.read_optional(parse)?,
                fields.read_optional(parse)?,
                fields.read_optional(parse)?,
            ];
            let is_active: bool = fields.take()?;
            let at_home = |place: &&Url| crate::why::host(place).as_deref() == Some(&host);
            let site = sites.iter().flatten().find(at_home);
            if site.is_none() && feed.iter().find(at_home).is_none() {
                continue;
            }
            let path = site.map_or("/", |site| site.path()).trim_end_matches('/');
            let begins = url.path() == path || url.path().starts_with(&format!("{path}/"));
            if begins {
                found.push((path.len(), is_active, id));
            }
        }
        found.sort_by(|one, other| other.cmp(one));
        Ok(found.into_iter().map(|(_, _, id)| id).collect())
    }
}

fn parse(text: &str) -> Option<Url> {
    Url::parse(text).ok()
}

/// The host of an address, `www.` aside.
fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(host.strip_prefix("www.").unwrap_or(host).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, TestStore, by_hand, feed, minutes, now, plan, record, record_at};

    async fn trace(store: &TestStore, url: &str) -> Trace {
        store.trace(&url.parse().unwrap()).await.unwrap()
    }

    fn at_ada(name: &str) -> Sample {
        Sample::new(name).draft(|draft| {
            draft.link = Some(format!("https://ada.example.org/{name}"));
            draft.link_key = Some(format!("ada.example.org/{name}"));
        })
    }

    #[tokio::test]
    async fn each_fate_leaves_its_trace() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        let future = at_ada("future").draft(|draft| draft.published = Some(minutes(9_000)));
        let shown = vec![
            at_ada("one").at(minutes(-5)).entry(),
            future.entry(),
            at_ada("tagged").hidden().entry(),
        ];
        record(&store, &ada, shown).await;
        let mut copy =
            at_ada("one").draft(|draft| draft.link = Some("https://www.ada.example.org/one/".to_owned()));
        copy.new.key = "bens-copy".replace('-', "");
        record_at(&store, &ben, minutes(1), vec![copy.entry()], Vec::new()).await;

        for url in [
            "https://ada.example.org/one",
            "http://www.ada.example.org/one/?utm_source=x#y",
        ] {
            let Trace::Shown { entry, dated } = trace(&store, url).await else {
                panic!("{url}")
            };
            assert_eq!(
                (entry.key.as_str(), dated, entry.also_in.len()),
                ("onexxxxxxxxxxxxx", None, 1)
            );
        }
        assert!(matches!(
            trace(&store, "https://ada.example.org/future").await,
            Trace::Shown { dated: Some(dated), .. } if dated == minutes(9_000)
        ));
        assert!(matches!(
            trace(&store, "https://ada.example.org/tagged").await,
            Trace::LeftOut { .. }
        ));
        let Trace::Blog { feed, oldest, .. } = trace(&store, "https://ada.example.org/never").await else {
            panic!("not Ada's");
        };
        assert_eq!((feed.slug.as_str(), oldest), ("ada", Some(minutes(-5))));
        assert_eq!(
            trace(&store, "https://nobody.example.org/one").await,
            Trace::Nobody
        );

        for (name, cause) in [
            ("one", Cause::Author),
            ("future", Cause::Moderator),
            ("tagged", Cause::Source),
        ] {
            let key = Sample::new(name).new.key;
            store
                .withdraw_entries(&[key.as_str()], cause, &by_hand(minutes(30)))
                .await
                .unwrap();
            let withdrawn = trace(&store, &format!("https://ada.example.org/{name}")).await;
            let expected = Trace::Withdrawn {
                key: Some(key),
                cause,
                since: minutes(30),
                why: (cause == Cause::Moderator).then(|| "because".to_owned()),
            };
            assert_eq!(withdrawn, expected);
        }
        // Also when the whole blog has left.
        store
            .withdraw_member("ada", Cause::Left, &by_hand(minutes(40)))
            .await
            .unwrap();
        assert!(matches!(
            trace(&store, "https://ada.example.org/one").await,
            Trace::Withdrawn {
                cause: Cause::Author,
                ..
            }
        ));
        assert_eq!(
            trace(&store, "https://ada.example.org/never").await,
            Trace::Nobody
        );
    }

    #[tokio::test]
    async fn a_copy_names_the_story() {
        let store = testing::store().await;
        let one = feed(&store, "https://one.example.org/feed", "One").await;
        let two = feed(&store, "https://two.example.org/feed", "Two").await;
        record(&store, &one, vec![at_ada("story").entry()]).await;
        let mut copy = at_ada("story").draft(|draft| draft.source_id = "copy".to_owned());
        copy.new.key = "copyxxxx".to_owned();
        record_at(&store, &two, minutes(1), vec![copy.entry()], Vec::new()).await;
        assert!(matches!(
            trace(&store, "https://ada.example.org/story").await,
            Trace::Shown { .. }
        ));
        testing::execute(
            &store,
            "UPDATE entries SET link_key = 'elsewhere.example.org/x' WHERE key = 'copyxxxx'",
        )
        .await;
        let Trace::Copy { of, copy } = trace(&store, "https://elsewhere.example.org/x").await else {
            panic!("no copy");
        };
        assert_eq!(
            (of.member.slug.as_str(), copy.member.slug.as_str()),
            ("one", "two")
        );
    }

    #[tokio::test]
    async fn neighbours_on_one_host_are_told_apart() {
        let store = testing::store().await;
        for name in ["ada", "ben"] {
            let mut spec = testing::spec(&format!("https://blogs.example.org/feed/{name}"), name);
            spec.site = Some(format!("https://blogs.example.org/@{name}").parse().unwrap());
            store.import_feeds(&[spec], now(), chrono_tz::UTC).await.unwrap();
        }
        for (url, expected) in [
            ("https://blogs.example.org/@ada/a-post", Some("ada")),
            ("https://blogs.example.org/@ben", Some("ben")),
            ("https://blogs.example.org/@adam/a-post", None),
        ] {
            let found = match trace(&store, url).await {
                Trace::Blog { feed, .. } => Some(feed.slug),
                _ => None,
            };
            assert_eq!(found.as_deref(), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn is_found_by_indices() {
        let store = testing::sqlite().await;
        let plan = plan(&store, BY_LINK.to_owned()).await;
        assert!(!plan.contains("SCAN"), "{plan}");
    }
}
