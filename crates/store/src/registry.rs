//! Bringing what a registry states (`feeds.toml`, an imported list) into the database.
//!
//! All that is stored is read, the merge is worked out in memory, and only what differs is written: merging an
//! unchanged file writes nothing. What a registry leaves out belongs to the member and is left as it is.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use model::{ContentChoice, FeedSpec, FeedStatus, IncludeChoice, MemberKind, slug_from_name};

use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::entries::touch_members;
use crate::merge::{Origin, Registered, StoredFeed, StoredMember, merged};
use crate::record::MergeReport;
use crate::rows::{Fields, all_packed, millis};
use crate::sql::{On, Sql, statements};
use crate::tombstones::Graveyard;
use crate::{Store, StoreError};

macro_rules! columns_of_a_registered_member {
    () => {
        "id, slug, name, organisation, url, kind"
    };
}
const MEMBERS: &str = concat!(
    "SELECT ",
    all_packed!(columns_of_a_registered_member!()),
    " FROM members"
);
macro_rules! columns_of_a_registered_feed {
    () => {
        "id, member_id, slug, url, address, site, content, include, licence, joined, status, \
         in_file, decided_by IS NOT NULL, \
         owner_by_hand"
    };
}
const FEEDS: &str = concat!(
    "SELECT ",
    all_packed!(columns_of_a_registered_feed!()),
    " FROM feeds"
);

const ALIASES: &str = "SELECT address, feed_id FROM feed_aliases ORDER BY address";
const FORMER_SLUGS: &str = "SELECT slug, member_id FROM member_aliases ORDER BY slug";

/// New members or feeds of one statement at most.
const ROWS: usize = 64;

const ADD_MEMBERS: &str = "INSERT INTO members (slug, name, organisation, url, kind, created_at) ";
const UPDATE_MEMBER: &str =
    "UPDATE members SET slug = $2, name = $3, organisation = $4, url = $5, kind = $6 WHERE id = $1";

const ADD_FEEDS: &str =
    "INSERT INTO feeds (member_id, slug, url, address, site, content, include, licence, joined,
        status, in_file, next_poll_at, created_at, version, failures, entries) ";
const UPDATE_FEED: &str =
    "UPDATE feeds SET version = version + 1, member_id = $2, slug = $3, url = $4, address = $5,
        site = $6, content = $7, include = $8, licence = $9, joined = $10, status = $11, in_file = $12
    WHERE id = $1";
/// The next poll comes as soon as it may and reads everything; at another address ($3) nothing that was said at the
/// old one holds.
const POLL_AFRESH: &str =
    "UPDATE feeds SET next_poll_at = $2, etag = NULL, last_modified = NULL, validators_url = NULL, body_hash = NULL,
        retry_after_at = CASE WHEN $3 THEN NULL ELSE retry_after_at END,
        failures = CASE WHEN $3 THEN 0 ELSE failures END,
        failing_since_at = CASE WHEN $3 THEN NULL ELSE failing_since_at END,
        not_a_feed = CASE WHEN $3 THEN FALSE ELSE not_a_feed END,
        proposed_url = CASE WHEN $3 THEN NULL ELSE proposed_url END,
        gone_since_at = CASE WHEN $3 THEN NULL ELSE gone_since_at END,
        name_unknown_since_at = CASE WHEN $3 THEN NULL ELSE name_unknown_since_at END,
        moved_to = CASE WHEN $3 THEN NULL ELSE moved_to END,
        moved_since_at = CASE WHEN $3 THEN NULL ELSE moved_since_at END
    WHERE id = $1";
/// No fingerprint is equal to this one, so the next poll decides for each entry anew whether it is shown.
const FORGET_FINGERPRINTS: &str = "UPDATE entries SET fingerprint = '' WHERE feed_id = $1";
const MOVE_ENTRIES: &str = "UPDATE entries SET member_id = $2 WHERE feed_id = $1";
const TOUCH_FEED: &str = "UPDATE entries SET changed_at = $2 WHERE feed_id = $1 AND shown = TRUE";

impl Store {
    /// Merges the feeds that the file states into the database (contract section 2). A key written in the file
    /// wins; a feed that came from the file and left it is retired, and comes back with it. A pause and a feed
    /// that is gone win over the file and are reported.
    ///
    /// # Errors
    /// [`StoreError::UnknownMember`] if a further feed names no member; then nothing is merged.
    pub async fn merge_registry(
        &self,
        feeds: &[FeedSpec],
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Result<MergeReport, StoreError> {
        self.merge(feeds, Origin::File, now, zone).await
    }

    /// Adds the feeds that are not there yet, and takes up again those that had left the file. Never retires a
    /// feed, and leaves what is stored of the others alone.
    ///
    /// # Errors
    /// [`StoreError::UnknownMember`] if a further feed names no member; then nothing is added.
    pub async fn import_feeds(
        &self,
        feeds: &[FeedSpec],
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Result<MergeReport, StoreError> {
        self.merge(feeds, Origin::Import, now, zone).await
    }

    async fn merge(
        &self,
        feeds: &[FeedSpec],
        origin: Origin,
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Result<MergeReport, StoreError> {
        // Most merges change nothing; only one that does takes the lock, and then looks again.
        let work_out = work_out(self.readers().into(), feeds, origin, now, zone).await?;
        if work_out.merged == work_out.stored {
            return Ok(work_out.report);
        }
        let mut transaction = self.begin().await?;
        let report = bring_in(&mut transaction, feeds, origin, now, zone).await?;
        transaction.commit().await?;
        Ok(report)
    }
}

/// Merges these feeds into what is registered.
pub(crate) async fn bring_in(
    transaction: &mut Transaction,
    feeds: &[FeedSpec],
    origin: Origin,
    now: DateTime<Utc>,
    zone: Tz,
) -> Result<MergeReport, StoreError> {
    let work_out = work_out((&mut *transaction).into(), feeds, origin, now, zone).await?;
    write(transaction, &work_out.stored, work_out.merged, now).await?;
    Ok(work_out.report)
}

/// A merge that is worked out and not yet written.
struct WorkOut {
    stored: Registered,
    merged: Registered,
    report: MergeReport,
}

async fn work_out(
    mut on: On<'_>,
    feeds: &[FeedSpec],
    origin: Origin,
    now: DateTime<Utc>,
    zone: Tz,
) -> Result<WorkOut, StoreError> {
    let today = now.with_timezone(&zone).date_naive();
    let (feeds, withheld) = without_the_withheld(on.again(), feeds).await?;
    let stored = Registered::read(on).await?;
    let (merged, mut report) = merged(&stored, &feeds, origin, today)?;
    report.withheld = withheld;
    Ok(WorkOut {
        stored,
        merged,
        report,
    })
}

/// Leaves out the feeds that were withdrawn or turned down, with the further feeds of their members; gives the
/// addresses of what is left out.
async fn without_the_withheld<'f>(
    mut on: On<'_>,
    feeds: &'f [FeedSpec],
) -> Result<(Cow<'f, [FeedSpec]>, Vec<String>), StoreError> {
    let Some(graveyard) = Graveyard::find(on.again()).await? else {
        return Ok((feeds.into(), Vec::new()));
    };
    let hashes: Vec<String> = feeds.iter().map(|spec| graveyard.feed_url(&spec.url)).collect();
    let away = Graveyard::among(on, &hashes).await?;
    let slug = |spec: &FeedSpec| {
        let named = spec.slug.clone();
        named.or_else(|| spec.name.as_deref().map(slug_from_name))
    };
    let is_away = |(_, hash): &(&FeedSpec, &String)| away.contains_key(*hash);
    let members: HashSet<String> = (feeds.iter().zip(&hashes))
        .filter(is_away)
        .filter_map(|(spec, _)| slug(spec))
        .collect();
    let (away, here): (Vec<_>, Vec<_>) = feeds.iter().zip(&hashes).partition(|pair| {
        is_away(pair)
            || pair
                .0
                .member
                .as_ref()
                .is_some_and(|member| members.contains(member))
    });
    Ok((
        here.into_iter()
            .map(|(spec, _)| spec.clone())
            .collect::<Vec<_>>()
            .into(),
        away.into_iter().map(|(spec, _)| spec.url.to_string()).collect(),
    ))
}

impl Registered {
    async fn read(mut on: On<'_>) -> Result<Self, StoreError> {
        // What names others first: without a lock another process may add some in between, and then those are there.
        let alias_rows = Sql::new(ALIASES).fetch_all(on.again()).await?;
        let former_rows = Sql::new(FORMER_SLUGS).fetch_all(on.again()).await?;
        let feed_rows = Sql::new(FEEDS)
            .fetch_packed("feeds", columns_of_a_registered_feed!(), on.again())
            .await?;
        let member_rows = Sql::new(MEMBERS)
            .fetch_packed("members", columns_of_a_registered_member!(), on)
            .await?;
        let mut registered = Self::default();
        registered.members.reserve(member_rows.count);
        for packed in member_rows.iter() {
            let packed = packed?;
            let mut fields = Fields::unpacked("members", &packed);
            registered.members.push(StoredMember {
                id: Some(fields.take()?),
                slug: fields.take()?,
                name: fields.take()?,
                organisation: fields.take()?,
                url: fields.take()?,
                kind: fields.read(MemberKind::parse)?,
            });
        }
        registered.members.sort_by_key(|member| member.id);
        let members = places(registered.members.iter().map(|member| member.id));
        for row in &former_rows {
            let mut fields = Fields::of("member_aliases", row);
            let slug = fields.take()?;
            let member = fields.read(|id: i64| members.get(&id).copied())?;
            registered.former_slugs.push((slug, member));
        }
        registered.feeds.reserve(feed_rows.count);
        for packed in feed_rows.iter() {
            let packed = packed?;
            let mut fields = Fields::unpacked("feeds", &packed);
            registered.feeds.push(StoredFeed {
                id: Some(fields.take()?),
                member: fields.read(|id: i64| members.get(&id).copied())?,
                slug: fields.take()?,
                url: fields.take()?,
                address: fields.take()?,
                site: fields.take()?,
                content: fields.read(ContentChoice::parse)?,
                include: fields.read(IncludeChoice::parse)?,
                licence: fields.take()?,
                joined: fields.read(|day: &str| day.parse().ok())?,
                status: fields.read(FeedStatus::parse)?,
                in_file: fields.truth()?,
                decided: fields.truth()?,
                owner_by_hand: fields.truth()?,
            });
        }
        registered.feeds.sort_by_key(|feed| feed.id);
        let feeds = places(registered.feeds.iter().map(|feed| feed.id));
        for row in &alias_rows {
            let mut fields = Fields::of("feed_aliases", row);
            let address = fields.take()?;
            let feed = fields.read(|id: i64| feeds.get(&id).copied())?;
            registered.aliases.push((address, feed));
        }
        Ok(registered)
    }
}

/// Where each of these ids stands.
fn places(ids: impl Iterator<Item = Option<i64>>) -> HashMap<i64, usize> {
    (ids.enumerate())
        .filter_map(|(place, id)| Some((id?, place)))
        .collect()
}

/// Writes what differs, and makes it a revision.
async fn write(
    transaction: &mut Transaction,
    stored: &Registered,
    mut merged: Registered,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut revision = NextRevision::begin(transaction, now).await?;
    revision.visible = true;
    let mut touched = Vec::new();
    for (before, member) in stored.members.iter().zip(&merged.members) {
        if before != member {
            Sql::new(UPDATE_MEMBER)
                .bind(member.id)
                .bind(&member.slug)
                .bind(&member.name)
                .bind(&member.organisation)
                .bind(&member.url)
                .bind(member.kind.as_str())
                .execute(&mut *transaction)
                .await?;
            touched.extend(member.id);
        }
    }
    touch_members(transaction, &touched, &mut revision).await?;
    add_members(transaction, &mut merged.members[stored.members.len()..], now).await?;
    let member_id = |feed: &StoredFeed| merged.members[feed.member].id;
    for (before, feed) in stored.feeds.iter().zip(&merged.feeds) {
        if before != feed {
            update_feed(transaction, before, feed, member_id(feed), &revision, now).await?;
        }
    }
    for feeds in statements(&merged.feeds[stored.feeds.len()..], ROWS) {
        let mut sql = Sql::new(ADD_FEEDS);
        sql.push_values(feeds, |row, feed| {
            row.push_bind(member_id(feed))
                .push_bind(&feed.slug)
                .push_bind(&feed.url)
                .push_bind(&feed.address)
                .push_bind(&feed.site)
                .push_bind(feed.content.as_str())
                .push_bind(feed.include.as_str())
                .push_bind(&feed.licence)
                .push_bind(feed.joined.to_string())
                .push_bind(feed.status.as_str())
                .push_bind(feed.in_file)
                .push_bind(millis(now))
                .push_bind(millis(now))
                .push_bind(0_i64)
                .push_bind(0_i64)
                .push_bind(0_i64);
        });
        sql.execute(&mut *transaction).await?;
    }
    revision.finish(transaction).await
}

/// Adds these members, and notes their numbers.
async fn add_members(
    transaction: &mut Transaction,
    members: &mut [StoredMember],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut ids: HashMap<String, i64> = HashMap::with_capacity(members.len());
    for members in statements(members, ROWS) {
        let mut sql = Sql::new(ADD_MEMBERS);
        sql.push_values(members, |row, member| {
            row.push_bind(&member.slug)
                .push_bind(&member.name)
                .push_bind(&member.organisation)
                .push_bind(&member.url)
                .push_bind(member.kind.as_str())
                .push_bind(millis(now));
        })
        .push(" RETURNING slug, id");
        for row in sql.fetch_all(&mut *transaction).await? {
            let mut fields = Fields::of("members", &row);
            ids.insert(fields.take()?, fields.take()?);
        }
    }
    for member in members {
        member.id = ids.get(&member.slug).copied();
    }
    Ok(())
}

async fn update_feed(
    transaction: &mut Transaction,
    before: &StoredFeed,
    feed: &StoredFeed,
    member_id: Option<i64>,
    revision: &NextRevision,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(UPDATE_FEED)
        .bind(feed.id)
        .bind(member_id)
        .bind(&feed.slug)
        .bind(&feed.url)
        .bind(&feed.address)
        .bind(&feed.site)
        .bind(feed.content.as_str())
        .bind(feed.include.as_str())
        .bind(&feed.licence)
        .bind(feed.joined.to_string())
        .bind(feed.status.as_str())
        .bind(feed.in_file)
        .execute(&mut *transaction)
        .await?;
    let is_elsewhere = before.url != feed.url;
    let is_taken_up = before.status != feed.status && feed.status == FeedStatus::Active;
    if is_elsewhere || is_taken_up {
        Sql::new(POLL_AFRESH)
            .bind(feed.id)
            .bind(millis(now))
            .bind(is_elsewhere)
            .execute(&mut *transaction)
            .await?;
    }
    if before.member != feed.member {
        Sql::new(MOVE_ENTRIES)
            .bind(feed.id)
            .bind(member_id)
            .execute(&mut *transaction)
            .await?;
    }
    let Some(id) = feed.id else { return Ok(()) };
    let reads_otherwise = before.include != feed.include;
    let looks_otherwise =
        before.member != feed.member || before.content != feed.content || before.licence != feed.licence;
    choices_changed(transaction, id, reads_otherwise, looks_otherwise, revision, now).await
}

/// Lets what is stored of a feed follow the choices made for it: which entries it takes, or how they look.
pub(crate) async fn choices_changed(
    transaction: &mut Transaction,
    feed_id: i64,
    reads_otherwise: bool,
    looks_otherwise: bool,
    revision: &NextRevision,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if reads_otherwise {
        Sql::new(FORGET_FINGERPRINTS)
            .bind(feed_id)
            .execute(&mut *transaction)
            .await?;
        Sql::new(POLL_AFRESH)
            .bind(feed_id)
            .bind(millis(now))
            .bind(false)
            .execute(&mut *transaction)
            .await?;
    }
    if looks_otherwise {
        Sql::new(TOUCH_FEED)
            .bind(feed_id)
            .bind(revision.changed_at)
            .execute(&mut *transaction)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
