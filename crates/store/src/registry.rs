//! Bringing what a registry states (`feeds.toml`, an imported list) into the database.
//!
//! All that is stored is read, the merge is worked out in memory, and only what differs is written: merging an
//! unchanged file writes nothing. What a registry leaves out belongs to the member and is left as it is.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use model::{ContentChoice, FeedSpec, FeedStatus, IncludeChoice, MemberKind, slug_from_name};

use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::entries::touch_members;
use crate::merge::{Origin, Registered, StoredFeed, StoredMember, merged};
use crate::record::MergeReport;
use crate::rows::{Fields, millis};
use crate::sql::{On, Sql, statements};
use crate::tombstones::Graveyard;
use crate::{Store, StoreError};

const MEMBERS: &str = "SELECT id, slug, name, organisation, url, kind FROM members ORDER BY id";
const FEEDS: &str =
    "SELECT id, member_id, slug, url, address, site, content, include, licence, joined, status, in_file,
        decided_by IS NOT NULL, owner_by_hand
    FROM feeds ORDER BY id";

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
async fn without_the_withheld(
    mut on: On<'_>,
    feeds: &[FeedSpec],
) -> Result<(Vec<FeedSpec>, Vec<String>), StoreError> {
    let Some(graveyard) = Graveyard::find(on.again()).await? else {
        return Ok((feeds.to_vec(), Vec::new()));
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
        here.into_iter().map(|(spec, _)| spec.clone()).collect(),
        away.into_iter().map(|(spec, _)| spec.url.to_string()).collect(),
    ))
}

impl Registered {
    async fn read(mut on: On<'_>) -> Result<Self, StoreError> {
        // What names others first: without a lock another process may add some in between, and then those are there.
        let alias_rows = Sql::new(ALIASES).fetch_all(on.again()).await?;
        let former_rows = Sql::new(FORMER_SLUGS).fetch_all(on.again()).await?;
        let feed_rows = Sql::new(FEEDS).fetch_all(on.again()).await?;
        let mut registered = Self::default();
        let (mut places, mut feeds) = (HashMap::new(), HashMap::new());
        for row in Sql::new(MEMBERS).fetch_all(on).await? {
            let mut fields = Fields::of("members", &row);
            let id = fields.take()?;
            places.insert(id, registered.members.len());
            registered.members.push(StoredMember {
                id: Some(id),
                slug: fields.take()?,
                name: fields.take()?,
                organisation: fields.take()?,
                url: fields.take()?,
                kind: fields.read(MemberKind::parse)?,
            });
        }
        for row in &former_rows {
            let mut fields = Fields::of("member_aliases", row);
            let slug = fields.take()?;
            let member = fields.read(|id: i64| places.get(&id).copied())?;
            registered.former_slugs.push((slug, member));
        }
        for row in &feed_rows {
            let mut fields = Fields::of("feeds", row);
            let id = fields.take()?;
            feeds.insert(id, registered.feeds.len());
            registered.feeds.push(StoredFeed {
                id: Some(id),
                member: fields.read(|id: i64| places.get(&id).copied())?,
                slug: fields.take()?,
                url: fields.take()?,
                address: fields.take()?,
                site: fields.take()?,
                content: fields.read(ContentChoice::parse)?,
                include: fields.read(IncludeChoice::parse)?,
                licence: fields.take()?,
                joined: fields.read(|day: &str| day.parse().ok())?,
                status: fields.read(FeedStatus::parse)?,
                in_file: fields.take()?,
                decided: fields.take()?,
                owner_by_hand: fields.take()?,
            });
        }
        for row in &alias_rows {
            let mut fields = Fields::of("feed_aliases", row);
            let address = fields.take()?;
            let feed = fields.read(|id: i64| feeds.get(&id).copied())?;
            registered.aliases.push((address, feed));
        }
        Ok(registered)
    }
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
mod tests {
    use chrono_tz::Europe::London;
    use chrono_tz::Pacific::Auckland;
    use model::Feed;

    use super::*;
    use crate::query::EntryQuery;
    use crate::testing::{self, Sample, TestStore, merge, minutes, now, record, spec};

    async fn slugs(store: &Store) -> Vec<String> {
        store
            .feeds()
            .await
            .unwrap()
            .into_iter()
            .map(|feed| feed.slug)
            .collect()
    }

    async fn only_feed(store: &Store) -> Feed {
        let mut feeds = store.feeds().await.unwrap();
        assert_eq!(feeds.len(), 1);
        feeds.remove(0)
    }

    fn ada() -> FeedSpec {
        spec("https://ada.example.org/feed", "Ada")
    }

    fn further(url: &str, member: &str) -> FeedSpec {
        FeedSpec {
            name: None,
            member: Some(member.to_owned()),
            ..spec(url, "")
        }
    }

    async fn with_status(status: FeedStatus) -> TestStore {
        let store = testing::store().await;
        merge(&store, &[ada()]).await;
        let feed = only_feed(&store).await;
        let mut poll = testing::poll(&feed, now());
        poll.state.status = status;
        store.record_polls(&[poll]).await.unwrap();
        store
    }

    #[tokio::test]
    async fn a_new_feed_has_the_defaults() {
        let store = testing::store().await;
        let report = store
            .merge_registry(&[ada()], testing::at("2026-11-23T22:30:00Z"), Auckland)
            .await
            .unwrap();
        assert_eq!(
            report,
            MergeReport {
                added: vec!["ada".to_owned()],
                ..MergeReport::default()
            }
        );
        let feed = only_feed(&store).await;
        assert_eq!(
            (feed.content, feed.include, feed.status),
            (ContentChoice::Excerpt, IncludeChoice::All, FeedStatus::Active)
        );
        assert_eq!(feed.member.kind, MemberKind::Person);
        assert_eq!(
            feed.joined.to_string(),
            "2026-11-24",
            "the day in the site's zone"
        );
        assert_eq!(
            store
                .due_feeds(testing::due(testing::at("2026-11-23T22:30:00Z")))
                .await
                .unwrap(),
            [feed]
        );
    }

    #[tokio::test]
    async fn merging_the_same_file_again_writes_nothing() {
        let store = testing::store().await;
        let specs: Vec<FeedSpec> = (0..50)
            .map(|number| spec(&format!("https://b{number}.example.org/feed"), "Same name"))
            .collect();
        merge(&store, &specs).await;
        let slugs = slugs(&store).await;
        assert_eq!(
            (slugs[0].as_str(), slugs[1].as_str(), slugs[49].as_str()),
            ("same-name", "same-name-2", "same-name-50")
        );
        let before = (store.feeds().await.unwrap(), store.revision().await.unwrap());
        // The lock is held elsewhere, so a merge that wanted to write would wait.
        let _lock = store.begin().await.unwrap();
        assert_eq!(merge(&store, &specs).await, MergeReport::default());
        assert_eq!(
            (store.feeds().await.unwrap(), store.revision().await.unwrap()),
            before
        );
    }

    #[tokio::test]
    async fn what_is_written_wins_and_what_is_left_out_stays() {
        let store = testing::store().await;
        let full = FeedSpec {
            organisation: Some("Example Council".to_owned()),
            kind: Some(MemberKind::Team),
            site: Some("https://ada.example.org/".parse().unwrap()),
            content: Some(ContentChoice::Full),
            include: Some(IncludeChoice::Tagged),
            licence: Some("CC-BY-4.0".to_owned()),
            joined: Some("2015-02-01".parse().unwrap()),
            ..ada()
        };
        merge(&store, std::slice::from_ref(&full)).await;
        let before = only_feed(&store).await;
        assert_eq!(
            (before.content, before.include, before.member.kind),
            (ContentChoice::Full, IncludeChoice::Tagged, MemberKind::Team)
        );

        assert_eq!(merge(&store, &[ada()]).await, MergeReport::default());
        assert_eq!(only_feed(&store).await, before);

        let renamed = FeedSpec {
            name: Some("Ada B.".to_owned()),
            content: Some(ContentChoice::Excerpt),
            ..ada()
        };
        assert_eq!(merge(&store, &[renamed]).await.changed, ["ada"]);
        let after = only_feed(&store).await;
        assert_eq!(
            (after.slug.as_str(), after.member.name.as_str()),
            ("ada", "Ada B.")
        );
        assert_eq!(
            (after.content, after.licence.as_deref()),
            (ContentChoice::Excerpt, Some("CC-BY-4.0"))
        );
        assert_eq!(after.joined.to_string(), "2015-02-01");
    }

    #[tokio::test]
    async fn a_choice_that_changes_reaches_what_is_stored() {
        let store = testing::store().await;
        merge(&store, &[ada()]).await;
        let feed = only_feed(&store).await;
        record(&store, &feed, vec![Sample::new("one").entry()]).await;
        let before = testing::found(&store, &Sample::new("one")).await;
        let whole = FeedSpec {
            content: Some(ContentChoice::Full),
            include: Some(IncludeChoice::Tagged),
            ..ada()
        };
        store.merge_registry(&[whole], minutes(5), London).await.unwrap();
        let after = testing::found(&store, &Sample::new("one")).await;
        assert_eq!(
            (before.content_html.is_some(), after.content_html.is_some()),
            (false, true)
        );
        assert_eq!(after.changed, minutes(5));
        // The next poll looks at every entry again.
        assert_eq!(store.known_entries(feed.id).await.unwrap()[0].fingerprint, "");
        assert_eq!(only_feed(&store).await.next_poll_at, minutes(5));
    }

    #[tokio::test]
    async fn what_leaves_the_file_is_retired_and_comes_back_with_it() {
        let store = testing::store().await;
        let ben = spec("https://ben.example.org/feed", "Ben");
        merge(&store, &[ada(), ben.clone()]).await;
        let feed = store.feeds().await.unwrap().remove(0);
        record(&store, &feed, vec![Sample::new("one").entry()]).await;

        let report = merge(&store, std::slice::from_ref(&ben)).await;
        assert_eq!(
            report,
            MergeReport {
                retired: vec!["ada".to_owned()],
                ..MergeReport::default()
            }
        );
        assert_eq!(store.feeds().await.unwrap()[0].status, FeedStatus::Retired);
        assert_eq!(
            store.due_feeds(testing::due(minutes(9999))).await.unwrap().len(),
            1
        );
        assert_eq!(
            store.entries(&EntryQuery::newest(5)).await.unwrap().entries.len(),
            1
        );
        assert_eq!(
            merge(&store, std::slice::from_ref(&ben)).await,
            MergeReport::default()
        );

        let report = store
            .merge_registry(&[ada(), ben], minutes(9), London)
            .await
            .unwrap();
        assert_eq!(
            report,
            MergeReport {
                resumed: vec!["ada".to_owned()],
                ..MergeReport::default()
            }
        );
        let feed = store.feeds().await.unwrap().remove(0);
        assert_eq!((feed.status, feed.next_poll_at), (FeedStatus::Active, minutes(9)));
    }

    #[tokio::test]
    async fn a_pause_and_a_feed_that_is_gone_win_over_the_file() {
        for status in [FeedStatus::Paused, FeedStatus::Gone] {
            let store = with_status(status).await;
            let kept = MergeReport {
                kept: vec!["ada".to_owned()],
                ..MergeReport::default()
            };
            assert_eq!(merge(&store, &[ada()]).await, kept);
            assert_eq!(merge(&store, &[]).await, MergeReport::default());
            assert_eq!(
                merge(&store, &[ada()]).await,
                kept,
                "also after it left and came back"
            );
            assert_eq!(only_feed(&store).await.status, status);
        }
        // Removed here while the file still names it.
        let store = with_status(FeedStatus::Retired).await;
        assert_eq!(merge(&store, &[ada()]).await.kept, ["ada"]);
    }

    #[tokio::test]
    async fn addresses_are_compared_normalised() {
        let store = testing::store().await;
        merge(&store, &[spec("https://ada.example.org", "Ada")]).await;
        assert_eq!(
            merge(&store, &[spec("HTTPS://ADA.example.org:443/#x", "Ada")]).await,
            MergeReport::default()
        );
        let report = merge(&store, &[spec("http://ada.example.org/", "Ada")]).await;
        assert_eq!(
            (report.added, report.retired),
            (vec!["ada-2".to_owned()], vec!["ada".to_owned()])
        );
    }

    #[tokio::test]
    async fn a_feed_with_a_stated_slug_may_move() {
        let store = testing::store().await;
        let with_slug = |url| FeedSpec {
            slug: Some("ada-b".to_owned()),
            ..spec(url, "Ada")
        };
        merge(&store, &[with_slug("https://ada.example.org/feed")]).await;
        let before = only_feed(&store).await;
        let mut poll = testing::poll(&before, now());
        poll.state.validators.etag = Some("\"old\"".to_owned());
        poll.state.status = FeedStatus::Gone;
        store.record_polls(&[poll]).await.unwrap();
        let report = store
            .merge_registry(&[with_slug("https://ada.example.net/feed")], minutes(9), London)
            .await
            .unwrap();
        assert_eq!(
            (report.changed, report.added, report.retired),
            (vec!["ada-b".to_owned()], vec![], vec![])
        );
        let after = only_feed(&store).await;
        assert_eq!(
            (after.id, after.url.as_str()),
            (before.id, "https://ada.example.net/feed")
        );
        assert_eq!(
            (after.status, after.validators.etag, after.next_poll_at),
            (FeedStatus::Active, None, minutes(9))
        );
    }

    #[tokio::test]
    async fn slugs_are_stated_or_made_and_never_taken_twice() {
        let store = testing::store().await;
        let stated = |url, name, slug: &str| FeedSpec {
            slug: Some(slug.to_owned()),
            ..spec(url, name)
        };
        merge(
            &store,
            &[
                spec("https://1.example.org/", "Ada"),
                stated("https://2.example.org/", "Somebody", "ada"),
                spec("https://3.example.org/", "日本"),
                spec("https://4.example.org/", &"long ".repeat(30)),
                spec("https://5.example.org/", &"long ".repeat(30)),
            ],
        )
        .await;
        let long = "long-".repeat(12);
        assert_eq!(
            slugs(&store).await,
            [
                "ada-2",
                "ada",
                "blog",
                long.trim_end_matches('-'),
                &format!("{}-2", &long[..58])
            ]
        );

        // A slug written later wins; one that somebody has is refused.
        let report = merge(
            &store,
            &[
                stated("https://1.example.org/", "Ada", "first"),
                stated("https://2.example.org/", "Somebody", "blog"),
                spec("https://3.example.org/", "日本"),
            ],
        )
        .await;
        assert_eq!(
            (report.changed, report.kept),
            (vec!["first".to_owned()], vec!["ada".to_owned()])
        );
        assert_eq!(slugs(&store).await[..3], ["first", "ada", "blog"]);
        assert_eq!(store.member("first").await.unwrap().unwrap().feeds.len(), 1);
    }

    #[tokio::test]
    async fn further_feeds_find_their_member_in_the_file_or_in_the_database() {
        let store = testing::store().await;
        let named = FeedSpec {
            slug: Some("ada-notes".to_owned()),
            ..further("https://notes.example.org/", "ada")
        };
        merge(
            &store,
            &[further("https://talks.example.org/", "ada"), ada(), named.clone()],
        )
        .await;
        assert_eq!(slugs(&store).await, ["ada", "ada-2", "ada-notes"]);
        assert_eq!(store.members().await.unwrap().len(), 1);
        store
            .import_feeds(&[further("https://more.example.org/", "ada")], now(), London)
            .await
            .unwrap();
        assert_eq!(slugs(&store).await[3], "ada-3");

        let error = store
            .merge_registry(&[ada(), further("https://x.example.org/", "adda")], now(), London)
            .await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("https://x.example.org/") && error.contains("\"adda\""),
            "{error}"
        );
        assert_eq!(slugs(&store).await.len(), 4);
    }

    #[tokio::test]
    async fn a_feed_may_go_to_another_member_with_its_entries() {
        let store = testing::store().await;
        let ben = spec("https://ben.example.org/feed", "Ben");
        let notes = further("https://notes.example.org/", "ada");
        merge(&store, &[ada(), ben.clone(), notes.clone()]).await;
        let feed = store.feeds().await.unwrap().remove(2);
        record(&store, &feed, vec![Sample::new("one").entry()]).await;
        let entry_of = async || testing::found(&store, &Sample::new("one")).await;
        assert_eq!(entry_of().await.member.slug, "ada");

        let bens = FeedSpec {
            member: Some("ben".to_owned()),
            ..notes.clone()
        };
        store
            .merge_registry(&[ada(), ben.clone(), bens], minutes(5), London)
            .await
            .unwrap();
        assert_eq!(
            (entry_of().await.member.slug.as_str(), entry_of().await.changed),
            ("ben", minutes(5))
        );

        let own = FeedSpec {
            member: None,
            name: Some("Cleo".to_owned()),
            ..notes
        };
        store
            .merge_registry(&[ada(), ben, own], minutes(6), London)
            .await
            .unwrap();
        assert_eq!(
            (
                entry_of().await.member.slug.as_str(),
                entry_of().await.author.as_str()
            ),
            ("cleo", "Cleo")
        );
        assert_eq!(store.member("ben").await.unwrap().unwrap().member.name, "Ben");
    }

    #[tokio::test]
    async fn an_import_adds_and_never_retires_or_restates() {
        let store = testing::store().await;
        merge(&store, &[ada()]).await;
        let ben = spec("https://ben.example.org/feed", "Ben");
        let report = store
            .import_feeds(&[ben.clone(), ben.clone()], now(), London)
            .await
            .unwrap();
        assert_eq!(
            report,
            MergeReport {
                added: vec!["ben".to_owned()],
                ..MergeReport::default()
            }
        );
        let renamed = FeedSpec {
            name: Some("Not Ada".to_owned()),
            ..ada()
        };
        assert_eq!(
            store.import_feeds(&[renamed], now(), London).await.unwrap(),
            MergeReport::default()
        );
        assert_eq!(store.feeds().await.unwrap()[0].member.name, "Ada");
        // The file does not retire what never stood in it, and an import takes up what the file let go.
        assert_eq!(merge(&store, &[]).await.retired, ["ada"]);
        assert_eq!(
            store.import_feeds(&[ada()], now(), London).await.unwrap().resumed,
            ["ada"]
        );
        assert_eq!(merge(&store, &[]).await, MergeReport::default());
        // What the file names belongs to the file from then on.
        merge(&store, &[ben]).await;
        assert_eq!(merge(&store, &[]).await.retired, ["ben"]);
    }
}
