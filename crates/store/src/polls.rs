//! Recording polls: what a batch of them changes, in one transaction.
//!
//! A poll that was computed from a feed that has since changed is refused and leaves nothing. A poll that brought
//! nothing writes its feed's row and its own, and nothing else.

use std::collections::{HashMap, HashSet};

use model::{FeedStatus, PollOutcome};
use url::Url;

use crate::audit::{self, Decision, SOURCE};
use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::edits;
use crate::entries::{self, Addition, Ready, Write, touch_members};
use crate::record::{FeedState, PollCounts, PollRecord};
use crate::rows::{Fields, millis};
use crate::sql::{Sql, ValuesOfRow, statements};
use crate::{Store, StoreError};
use crate::{aliases, feed_problems, hosts, labels, leases, missing, stories, subscriptions, training};

/// Records of one statement at most.
const ROWS: usize = 64;

/// How many polls of a feed are kept.
const KEPT: i64 = 100;
/// Each feed's old polls are removed after this many of its polls.
const PRUNED_EVERY: i64 = 32;

const FOUND: &str = "WITH v (id, version, fetcher) AS (";
/// The feeds that are no longer as their polls found them, or that others have in hand.
const NOT_AS_FOUND: &str = ") SELECT v.id FROM v
    WHERE NOT EXISTS (SELECT 1 FROM feeds f WHERE f.id = v.id AND f.version = v.version)
        OR EXISTS (SELECT 1 FROM leases l WHERE l.feed_id = v.id AND l.fetcher <> v.fetcher)";

/// What every poll rewrites of its feed's row.
macro_rules! update_feeds {
    ($more:literal) => {
        concat!(
            ") UPDATE feeds SET
    version = feeds.version + 1, first_success_at = COALESCE(feeds.first_success_at, v.success_at),
    last_success_at = COALESCE(v.success_at, feeds.last_success_at), last_polled_at = v.polled_at,
    last_outcome = v.outcome, last_error = v.error, next_poll_at = v.next_poll_at, next_poll_why = v.next_poll_why",
            $more,
            "
    FROM v WHERE feeds.id = v.id"
        )
    };
}
const SCHEDULES: &str =
    "WITH v (id, success_at, polled_at, outcome, error, next_poll_at, next_poll_why) AS (";
const RESCHEDULE_FEEDS: &str = update_feeds!("");
const STATES: &str =
    "WITH v (id, success_at, polled_at, outcome, error, next_poll_at, next_poll_why, site_url,
    status, title, etag, last_modified, validators_url, body_hash, retry_after_at, failures, failing_since_at,
    not_a_feed, incomplete, proposed_url, gone_since_at, name_unknown_since_at, moved_to, moved_since_at, held_why,
    rhythm_since_at, rhythm_posts, hint_seconds, skip_hours, skip_days, last_entry_at) AS (";
const UPDATE_FEEDS: &str = update_feeds!(
    ", site_url = COALESCE(v.site_url, feeds.site_url), status = v.status, title = v.title, etag = v.etag,
    last_modified = v.last_modified, validators_url = v.validators_url, body_hash = v.body_hash,
    retry_after_at = v.retry_after_at, failures = v.failures, failing_since_at = v.failing_since_at,
    not_a_feed = v.not_a_feed, incomplete = v.incomplete, proposed_url = v.proposed_url,
    gone_since_at = v.gone_since_at, name_unknown_since_at = v.name_unknown_since_at, moved_to = v.moved_to,
    moved_since_at = v.moved_since_at, held_why = v.held_why, rhythm_since_at = v.rhythm_since_at,
    rhythm_posts = v.rhythm_posts, hint_seconds = v.hint_seconds, skip_hours = v.skip_hours,
    skip_days = v.skip_days, last_entry_at = v.last_entry_at"
);

const FIRST_SUCCESS: &str = "UPDATE site_state SET first_success_at = $1 WHERE first_success_at IS NULL";

const MEMBERS: &str = "SELECT id, member_id FROM feeds WHERE id IN ";

const SITES: &str = "WITH v (member_id, feed_id, site_url) AS (";
/// The blog of a member is where the member's first feed says, unless the registry says it.
const UPDATE_MEMBERS: &str = ") UPDATE members SET url = v.site_url FROM v
    WHERE members.id = v.member_id AND members.url IS DISTINCT FROM v.site_url
        AND members.slug = (SELECT f.slug FROM feeds f WHERE f.id = v.feed_id AND f.site IS NULL)
    RETURNING members.id";

const NEW_COUNTS: &str = "WITH v (feed_id, added) AS (";
const ADD_COUNTS: &str =
    ") UPDATE feeds SET entries = feeds.entries + v.added FROM v WHERE feeds.id = v.feed_id";

const SLUG: &str = "SELECT slug FROM feeds WHERE id = $1";

const ADD_POLLS: &str =
    "INSERT INTO polls (feed_id, number, polled_at, outcome, http_status, duration_ms, body_bytes,
    entries_new, entries_updated, error) ";
const PRUNE_POLLS: &str = "DELETE FROM polls WHERE feed_id = $1 AND number <= $2";

impl Store {
    /// Records a batch of polls in one transaction and tells, in the same order, what each came to. Of two polls
    /// of one feed in a batch the second is refused.
    ///
    /// # Errors
    /// If anything cannot be written, nothing of the batch is.
    pub async fn record_polls(&self, records: &[PollRecord]) -> Result<Vec<PollCounts>, StoreError> {
        let mut counts = vec![PollCounts::default(); records.len()];
        if records.is_empty() {
            return Ok(counts);
        }
        // The river puts the later number first.
        let new = records.iter().flat_map(|record| record.new.iter().rev());
        let (mut write, ready) = entries::begin(self, new).await?;
        let transaction = &mut write;
        let mut refused = not_as_found(transaction, records).await?;
        let mut accepted = Vec::with_capacity(records.len());
        let mut to_come = ready.as_slice();
        for (record, counts) in records.iter().zip(&mut counts) {
            let new;
            (new, to_come) = to_come.split_at(record.new.len());
            counts.accepted = refused.insert(record.feed_id);
            if counts.accepted {
                accepted.push(Accepted { record, new, counts });
            }
        }
        update_feeds(transaction, &accepted).await?;
        let added = record_what_is_seen(transaction, &mut accepted).await?;
        entries::end(transaction, &ready, &added).await?;
        let successes = accepted
            .iter()
            .map(|accepted| accepted.record)
            .filter(|record| succeeded(record));
        if let Some(at) = successes.map(|record| record.at).min() {
            Sql::new(FIRST_SUCCESS)
                .bind(millis(at))
                .execute(&mut *transaction)
                .await?;
        }
        for accepted in &accepted {
            missing::note(transaction, accepted.record).await?;
            note_migration(transaction, accepted.record).await?;
        }
        feed_problems::note(transaction, accepted.iter().map(|accepted| accepted.record)).await?;
        remember(transaction, &accepted).await?;
        // Whether the polls are accepted or not: the hosts were asked.
        let made: Vec<_> = records
            .iter()
            .flat_map(|record| record.requests.iter().map(|request| (record.at, request)))
            .collect();
        hosts::add(transaction, &made).await?;
        aliases::settle(transaction, accepted.iter().map(|accepted| accepted.record)).await?;
        subscriptions::name_hubs(transaction, accepted.iter().map(|accepted| accepted.record)).await?;
        let feeds: Vec<i64> = accepted.iter().map(|accepted| accepted.record.feed_id).collect();
        leases::end(transaction, &feeds).await?;
        write.commit().await?;
        drop(accepted);
        self.counters.add(records, &counts);
        Ok(counts)
    }
}

/// A poll that is not refused, and what it comes to.
struct Accepted<'a> {
    record: &'a PollRecord,
    new: &'a [Ready<'a>],
    counts: &'a mut PollCounts,
}

fn succeeded(record: &PollRecord) -> bool {
    record.outcome != PollOutcome::Failed
}

/// Whether readers might see something of the poll.
fn may_be_seen(record: &PollRecord) -> bool {
    !record.new.is_empty()
        || !record.changed.is_empty()
        || record.state.site_url.is_some()
        || record.state.status == FeedStatus::Gone
        || record.refuses_training.is_some()
}

/// The feeds of those polls that come too late, or from a fetcher that lost its lease.
async fn not_as_found(
    transaction: &mut Transaction,
    records: &[PollRecord],
) -> Result<HashSet<i64>, StoreError> {
    let mut not_as_found = HashSet::with_capacity(records.len());
    for records in statements(records, ROWS) {
        let mut sql = Sql::new(FOUND);
        sql.push_values(records, |row, record| {
            row.push_bind(record.feed_id)
                .push_bind(record.feed_version)
                .push_bind(record.fetcher);
        })
        .push(NOT_AS_FOUND);
        for row in sql.fetch_all(&mut *transaction).await? {
            not_as_found.insert(Fields::of("feeds", &row).take()?);
        }
    }
    Ok(not_as_found)
}

/// Rewrites the feeds of these polls.
async fn update_feeds(transaction: &mut Transaction, accepted: &[Accepted<'_>]) -> Result<(), StoreError> {
    let (rescheduled, others): (Vec<&PollRecord>, Vec<&PollRecord>) = accepted
        .iter()
        .map(|accepted| accepted.record)
        .partition(|record| record.reschedules_alone);
    for (records, values, update) in [
        (rescheduled, SCHEDULES, RESCHEDULE_FEEDS),
        (others, STATES, UPDATE_FEEDS),
    ] {
        for records in statements(&records, ROWS) {
            let mut sql = Sql::new(values);
            sql.push_values(records, |row, record| {
                push_schedule(row, record);
                if !record.reschedules_alone {
                    push_state(row, &record.state);
                }
            })
            .push(update);
            sql.execute(&mut *transaction).await?;
        }
    }
    Ok(())
}

/// The values of [`SCHEDULES`].
fn push_schedule<'a>(row: &mut ValuesOfRow<'_, 'a>, record: &'a PollRecord) {
    row.push_bind(record.feed_id)
        .push_bind(succeeded(record).then_some(millis(record.at)))
        .push_bind(millis(record.at))
        .push_bind(record.outcome.as_str())
        .push_bind(&record.error)
        .push_bind(millis(record.state.next_poll_at))
        .push_bind(record.state.next_poll_why.as_str());
}

/// The values of [`STATES`] that follow those.
fn push_state<'a>(row: &mut ValuesOfRow<'_, 'a>, state: &'a FeedState) {
    row.push_bind(&state.site_url)
        .push_bind(state.status.as_str())
        .push_bind(&state.title)
        .push_bind(&state.validators.etag)
        .push_bind(&state.validators.last_modified)
        .push_bind(state.validators_url.as_ref().map(Url::as_str))
        .push_bind(&state.body_hash)
        .push_bind(state.retry_after_at.map(millis))
        .push_bind(state.failures)
        .push_bind(state.failing_since.map(millis))
        .push_bind(state.not_a_feed)
        .push_bind(&state.incomplete)
        .push_bind(state.proposed.as_ref().map(Url::as_str))
        .push_bind(state.gone_since.map(millis))
        .push_bind(state.name_unknown_since.map(millis))
        .push_bind(state.moved.as_ref().map(|(target, _)| target.as_str()))
        .push_bind(state.moved.as_ref().map(|(_, since)| millis(*since)))
        .push_bind(&state.held)
        .push_bind(state.written.map(|(since, _)| millis(since)))
        .push_bind(state.written.map(|(_, entries)| entries))
        .push_bind(state.changes_every.map(|every| every.as_secs() as i64))
        .push_bind(state.skip_hours)
        .push_bind(u32::from(state.skip_days))
        .push_bind(state.last_entry_at.map(millis));
}

/// Writes what readers may see of the accepted polls: one revision, if they do see anything. Gives the numbers of the
/// entries that were added.
async fn record_what_is_seen(
    transaction: &mut Transaction,
    accepted: &mut [Accepted<'_>],
) -> Result<HashSet<i64>, StoreError> {
    let mut seen: Vec<&mut Accepted<'_>> = accepted
        .iter_mut()
        .filter(|accepted| may_be_seen(accepted.record))
        .collect();
    let Some(at) = seen.iter().map(|accepted| accepted.record.at).max() else {
        return Ok(HashSet::new());
    };
    let mut revision = NextRevision::begin(transaction, at).await?;
    let members = members(transaction, &seen).await?;
    update_members(transaction, &seen, &members, &mut revision).await?;
    let mut additions = Vec::new();
    for accepted in &mut seen {
        let record = accepted.record;
        // A feed that is gone leaves the list of feeds that readers can subscribe to.
        revision.visible |= record.state.status == FeedStatus::Gone;
        training::note(transaction, record, &mut revision).await?;
        let write = Write {
            feed_id: record.feed_id,
            member_id: members[&record.feed_id],
            at: record.at,
        };
        // What changed comes first: it may give up an identity that a new entry has now.
        accepted.counts.updated = edits::rewrite(transaction, write, &record.changed, &mut revision).await?;
        additions.extend(accepted.new.iter().map(|ready| Addition { write, ready }));
    }
    let mut labels = Vec::new();
    let added = entries::add(transaction, &additions, &mut revision, &mut labels).await?;
    labels::add(transaction, &labels).await?;
    stories::settle(transaction, at, &mut revision).await?;
    let mut grown = Vec::new();
    for accepted in &mut seen {
        let came = accepted.new.iter().filter(|ready| added.contains(&ready.id));
        accepted.counts.new = came.count() as u32;
        if accepted.counts.new > 0 {
            grown.push((accepted.record.feed_id, accepted.counts.new));
        }
    }
    for grown in statements(&grown, ROWS) {
        let mut sql = Sql::new(NEW_COUNTS);
        sql.push_values(grown, |row, (feed_id, new)| {
            row.push_bind(*feed_id).push_bind(*new);
        })
        .push(ADD_COUNTS);
        sql.execute(&mut *transaction).await?;
    }
    revision.finish(transaction).await?;
    Ok(added)
}

/// Whose the feeds of these polls are.
async fn members(
    transaction: &mut Transaction,
    seen: &[&mut Accepted<'_>],
) -> Result<HashMap<i64, i64>, StoreError> {
    let mut members = HashMap::with_capacity(seen.len());
    for seen in statements(seen, ROWS) {
        let mut sql = Sql::new(MEMBERS);
        sql.push_list(seen.iter().map(|accepted| accepted.record.feed_id));
        for row in sql.fetch_all(&mut *transaction).await? {
            let mut fields = Fields::of("feeds", &row);
            members.insert(fields.take()?, fields.take()?);
        }
    }
    Ok(members)
}

/// Moves the addresses of blogs whose feeds name others now.
async fn update_members(
    transaction: &mut Transaction,
    seen: &[&mut Accepted<'_>],
    members: &HashMap<i64, i64>,
    revision: &mut NextRevision,
) -> Result<(), StoreError> {
    let sites: Vec<_> = seen
        .iter()
        .filter(|accepted| accepted.record.state.site_url.is_some())
        .collect();
    let mut moved = Vec::new();
    for sites in statements(&sites, ROWS) {
        let mut sql = Sql::new(SITES);
        sql.push_values(sites, |row, accepted| {
            let feed_id = accepted.record.feed_id;
            row.push_bind(members[&feed_id])
                .push_bind(feed_id)
                .push_bind(accepted.record.state.site_url.as_ref());
        });
        sql.push(UPDATE_MEMBERS);
        for row in sql.fetch_all(&mut *transaction).await? {
            moved.push(Fields::of("members", &row).take()?);
        }
    }
    touch_members(transaction, &moved, revision).await
}

/// One line in the log of decisions for a blog that moved, for nothing of it shows elsewhere.
async fn note_migration(transaction: &mut Transaction, record: &PollRecord) -> Result<(), StoreError> {
    let Some(entries) = record.migrated else {
        return Ok(());
    };
    let slug: String = Sql::new(SLUG)
        .bind(record.feed_id)
        .fetch_value("feeds", &mut *transaction)
        .await?;
    let why = format!("{entries} known posts came under new identities at once; readers see no change");
    let decision = Decision {
        by: SOURCE,
        why: Some(&why),
        at: record.at,
    };
    audit::write(transaction, &decision, "migrate feed", &slug).await
}

/// Adds the polls to their feeds' histories and now and then forgets the oldest.
async fn remember(transaction: &mut Transaction, accepted: &[Accepted<'_>]) -> Result<(), StoreError> {
    for polls in statements(accepted, ROWS) {
        let mut sql = Sql::new(ADD_POLLS);
        sql.push_values(polls, |row, Accepted { record, counts, .. }| {
            row.push_bind(record.feed_id)
                .push_bind(record.feed_version)
                .push_bind(millis(record.at))
                .push_bind(record.outcome.as_str())
                .push_bind(record.http_status)
                .push_bind(record.duration_ms as i64)
                .push_bind(record.body_bytes as i64)
                .push_bind(counts.new)
                .push_bind(counts.updated)
                .push_bind(&record.error);
        });
        sql.execute(&mut *transaction).await?;
    }
    // Feeds take turns, so that no batch has much to remove.
    let turn = |record: &&PollRecord| (record.feed_id + record.feed_version) % PRUNED_EVERY == 0;
    let mut forgetting = None;
    for record in accepted.iter().map(|accepted| accepted.record).filter(turn) {
        forgetting = forgetting.max(Some(record.at));
        if record.feed_version > KEPT {
            Sql::new(PRUNE_POLLS)
                .bind(record.feed_id)
                .bind(record.feed_version - KEPT)
                .execute(&mut *transaction)
                .await?;
        }
    }
    if let Some(at) = forgetting {
        hosts::forget(transaction, at).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;
    use model::Why;

    use super::*;
    use crate::query::EntryQuery;
    use crate::record::PollSummaryRow;
    use crate::testing::{self, Sample, feed, minutes, now, plan, poll, record, record_at, reread};

    #[tokio::test]
    async fn a_poll_that_reschedules_alone_writes_no_more_than_that() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let mut ill = poll(&ada, minutes(1));
        ill.state.title = Some("Ada writes".to_owned());
        ill.state.failures = 2;
        ill.state.failing_since = Some(minutes(1));
        store.record_polls(&[ill]).await.unwrap();
        let ill = reread(&store, &ada).await;

        let mut again = poll(&ill, minutes(9));
        again.outcome = PollOutcome::Failed;
        again.error = Some("nobody was there".to_owned());
        again.state = FeedState {
            next_poll_at: minutes(50),
            next_poll_why: Why::Outage,
            ..FeedState::of(&ill)
        };
        assert!(again.state.is_of(&ill));
        again.reschedules_alone = true;
        again.state.failures = 3;
        assert!(!again.state.is_of(&ill));
        assert!(store.record_polls(&[again]).await.unwrap()[0].accepted);
        let after = reread(&store, &ada).await;
        let expected = model::Feed {
            version: ill.version + 1,
            last_polled_at: Some(minutes(9)),
            last_outcome: Some(PollOutcome::Failed),
            last_error: Some("nobody was there".to_owned()),
            next_poll_at: minutes(50),
            next_poll_why: Why::Outage,
            ..ill
        };
        assert_eq!(after, expected);
    }

    fn found(feed: &model::Feed, name: &str) -> PollRecord {
        PollRecord {
            outcome: PollOutcome::Changed,
            new: vec![Sample::new(name).entry()],
            ..poll(feed, now())
        }
    }

    #[tokio::test]
    async fn the_feed_and_its_history_tell_of_the_poll() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        assert_eq!(
            (
                store.first_success_at().await.unwrap(),
                store.last_poll_at().await.unwrap()
            ),
            (None, None)
        );
        let mut failed = poll(&ada, now());
        failed.outcome = PollOutcome::Failed;
        failed.http_status = None;
        failed.error = Some("no answer".to_owned());
        failed.state.failures = 1;
        failed.state.failing_since = Some(now());
        failed.state.not_a_feed = true;
        failed.state.proposed = Some(Url::parse("https://ada.example.org/rss.xml").unwrap());
        failed.state.name_unknown_since = Some(minutes(-1));
        failed.state.next_poll_why = Why::BackOff;
        store.record_polls(&[failed.clone()]).await.unwrap();
        let after = reread(&store, &ada).await;
        assert_eq!(
            (after.first_success_at, after.last_success_at, after.failures),
            (None, None, 1)
        );
        assert_eq!(
            (after.last_polled_at, after.last_error.as_deref()),
            (Some(now()), Some("no answer"))
        );
        assert_eq!(store.first_success_at().await.unwrap(), None);
        assert_eq!(FeedState::of(&after), failed.state);

        let mut good = poll(&after, minutes(30));
        good.outcome = PollOutcome::Changed;
        good.http_status = Some(200);
        good.body_bytes = 4321;
        good.new = vec![Sample::new("one").entry()];
        good.state.validators.etag = Some("W/\"1\"".to_owned());
        good.state.body_hash = Some("abc".to_owned());
        good.state.validators_url = Some(Url::parse("https://cdn.example.org/feed").unwrap());
        good.state.title = Some("Notes".to_owned());
        good.state.next_poll_why = Why::Skipped;
        good.state.failing_since = Some(minutes(-7));
        good.state.not_a_feed = false;
        good.state.proposed = None;
        good.state.name_unknown_since = None;
        good.state.held = Some("perhaps it is not theirs".to_owned());
        good.state.written = Some((minutes(-600), 7));
        good.state.changes_every = Some(Duration::from_hours(3));
        (good.state.skip_hours, good.state.skip_days) = (1 << 23 | 1, 1 << 6);
        good.state.last_entry_at = Some(minutes(-2));
        good.state.retry_after_at = Some(minutes(45));
        good.state.gone_since = Some(minutes(-5));
        good.state.moved = Some((Url::parse("https://elsewhere.example.org/").unwrap(), minutes(-6)));
        store.record_polls(&[good.clone()]).await.unwrap();
        let feed = reread(&store, &ada).await;
        assert_eq!(FeedState::of(&feed), good.state);
        let expected = model::Feed {
            title: good.state.title.clone(),
            validators_url: good.state.validators_url.clone(),
            next_poll_why: Why::Skipped,
            failing_since: Some(minutes(-7)),
            held: good.state.held.clone(),
            written: good.state.written,
            changes_every: good.state.changes_every,
            skip_hours: good.state.skip_hours,
            skip_days: good.state.skip_days,
            last_entry_at: good.state.last_entry_at,
            validators: good.state.validators.clone(),
            body_hash: good.state.body_hash.clone(),
            first_success_at: Some(minutes(30)),
            last_success_at: Some(minutes(30)),
            last_polled_at: Some(minutes(30)),
            last_outcome: Some(PollOutcome::Changed),
            last_error: None,
            next_poll_at: minutes(60),
            retry_after_at: Some(minutes(45)),
            failures: 0,
            gone_since: Some(minutes(-5)),
            moved: good.state.moved.clone(),
            entries: 1,
            version: 2,
            ..ada.clone()
        };
        assert_eq!(feed, expected);
        assert_eq!(store.first_success_at().await.unwrap(), Some(minutes(30)));
        assert_eq!(store.last_poll_at().await.unwrap(), Some(minutes(30)));

        // A later failure keeps what is known of the last success.
        let mut failed = poll(&feed, minutes(60));
        failed.outcome = PollOutcome::Failed;
        store.record_polls(&[failed]).await.unwrap();
        let after = reread(&store, &ada).await;
        assert_eq!(
            (after.first_success_at, after.last_success_at),
            (Some(minutes(30)), Some(minutes(30)))
        );
        let polls = store.recent_polls(ada.id, 2).await.unwrap();
        assert_eq!(polls.len(), 2);
        let second = PollSummaryRow {
            at: minutes(30),
            outcome: PollOutcome::Changed,
            http_status: Some(200),
            duration_ms: 12,
            body_bytes: 4321,
            new: 1,
            updated: 0,
            error: None,
        };
        assert_eq!(polls[1], second);
    }

    #[tokio::test]
    async fn a_poll_from_an_older_version_is_refused_whole() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        let (late, other) = (found(&ada, "late"), found(&ben, "other"));
        record(&store, &ada, vec![Sample::new("first").entry()]).await;
        let counts = store.record_polls(&[late, other.clone(), other]).await.unwrap();
        let accepted: Vec<bool> = counts.iter().map(|counts| counts.accepted).collect();
        assert_eq!(accepted, [false, true, false]);
        assert_eq!((counts[0].new, counts[1].new, counts[2].new), (0, 1, 0));
        assert_eq!(
            store.entries(&EntryQuery::newest(9)).await.unwrap().entries.len(),
            2
        );
        assert_eq!(store.recent_polls(ada.id, 9).await.unwrap().len(), 1);
        assert_eq!(reread(&store, &ada).await.version, 1);
        assert_eq!(store.record_polls(&[]).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_merge_in_between_refuses_the_poll() {
        let store = testing::store().await;
        let spec = testing::spec("https://ada.example.org/feed", "Ada");
        testing::merge(&store, &[spec]).await;
        let ada = store.feeds().await.unwrap().remove(0);
        testing::merge(&store, &[]).await;
        assert!(!store.record_polls(&[found(&ada, "late")]).await.unwrap()[0].accepted);
        assert_eq!(reread(&store, &ada).await.status, FeedStatus::Retired);
    }

    #[tokio::test]
    async fn what_stops_half_way_leaves_nothing() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        let before = (store.feeds().await.unwrap(), store.revision().await.unwrap());
        // The second record breaks a rule of the schema when the first is written already.
        let mut broken = found(&ben, "broken");
        broken.new[0].key = "Not a key".to_owned();
        store
            .record_polls(&[found(&ada, "one"), broken])
            .await
            .unwrap_err();
        assert_eq!(
            (store.feeds().await.unwrap(), store.revision().await.unwrap()),
            before
        );
        assert!(
            store
                .entries(&EntryQuery::newest(9))
                .await
                .unwrap()
                .entries
                .is_empty()
        );

        // A process that dies inside a transaction never commits it.
        let mut transaction = store.begin().await.unwrap();
        let accepted = Accepted {
            record: &found(&ada, "one"),
            new: &[],
            counts: &mut PollCounts::default(),
        };
        update_feeds(&mut transaction, &[accepted]).await.unwrap();
        drop(transaction);
        assert_eq!(store.feeds().await.unwrap(), before.0);
        assert_eq!(store.record_polls(&[found(&ada, "one")]).await.unwrap()[0].new, 1);
    }

    #[tokio::test]
    async fn about_a_hundred_polls_are_kept() {
        let store = testing::store().await;
        let mut ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        for number in 0..230 {
            store.record_polls(&[poll(&ada, minutes(number))]).await.unwrap();
            ada.version += 1;
        }
        let polls = store.recent_polls(ada.id, 1000).await.unwrap();
        assert!(
            (100..=100 + PRUNED_EVERY as usize).contains(&polls.len()),
            "{}",
            polls.len()
        );
        assert_eq!(polls[0].at, minutes(229));
        // The last of all brings something new.
        let last = found(&reread(&store, &ada).await, "new");
        store.record_polls(&[last]).await.unwrap();
        assert_eq!(store.polls_not_modified(ada.id, 50).await.unwrap(), (50, 49));
    }

    #[tokio::test]
    async fn the_first_feed_says_where_the_blog_is_unless_the_registry_does() {
        let store = testing::store().await;
        let named = model::FeedSpec {
            site: Some(Url::parse("https://ben.example.org/blog").unwrap()),
            ..testing::spec("https://ben.example.org/feed", "Ben")
        };
        let further = model::FeedSpec {
            member: Some("ada".to_owned()),
            name: None,
            ..testing::spec("https://notes.example.org/feed", "")
        };
        testing::merge(
            &store,
            &[
                testing::spec("https://ada.example.org/feed", "Ada"),
                named,
                further,
            ],
        )
        .await;
        for (number, feed) in store.feeds().await.unwrap().iter().enumerate() {
            let mut polled = found(feed, &format!("entry{number}"));
            polled.state.site_url = Some(format!("https://{}.example.org/home", feed.slug));
            store.record_polls(&[polled]).await.unwrap();
        }
        let url = async |slug: &str| store.member(slug).await.unwrap().unwrap().member.url.unwrap();
        assert_eq!(url("ada").await, "https://ada.example.org/home");
        assert_eq!(url("ben").await, "https://ben.example.org/blog");
        let feeds = store.feeds().await.unwrap();
        let sites: Vec<_> = feeds
            .iter()
            .map(|feed| feed.member.url.clone().unwrap())
            .collect();
        assert_eq!(
            sites,
            [
                "https://ada.example.org/home",
                "https://ben.example.org/blog",
                "https://ada-2.example.org/home"
            ]
        );
        // When the blog moves, entries that show its address have changed; a poll that says nothing changes nothing.
        let mut polled = poll(&feeds[0], minutes(9));
        polled.state.site_url = Some("https://ada.example.net/".to_owned());
        store.record_polls(&[polled]).await.unwrap();
        assert_eq!(url("ada").await, "https://ada.example.net/");
        assert_eq!(
            testing::found(&store, &Sample::new("entry0")).await.changed,
            minutes(9)
        );
        record_at(&store, &feeds[0], minutes(10), Vec::new(), Vec::new()).await;
        assert_eq!(url("ada").await, "https://ada.example.net/");
    }

    #[tokio::test]
    async fn a_feed_that_is_gone_is_due_no_more_and_changes_what_readers_see() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let before = store.revision().await.unwrap().number;
        let mut gone = poll(&ada, minutes(1));
        gone.outcome = PollOutcome::Failed;
        gone.state.status = FeedStatus::Gone;
        store.record_polls(&[gone]).await.unwrap();
        assert_eq!(
            store
                .due_feeds(testing::due(now() + TimeDelta::days(9)))
                .await
                .unwrap(),
            []
        );
        assert_eq!(store.revision().await.unwrap().number, before + 1);
    }

    #[tokio::test]
    async fn feeds_are_found_by_their_numbers() {
        let store = testing::sqlite().await;
        let mut sql = Sql::new(STATES);
        let ones = "1,".repeat(30);
        sql.push(format!("VALUES ({ones}1), ({ones}2)"))
            .push(UPDATE_FEEDS);
        let states = plan(&store, sql.into_text()).await;
        assert!(
            states.contains("SEARCH feeds USING INTEGER PRIMARY KEY"),
            "{states}"
        );
        for (head, tail) in [(NEW_COUNTS, ADD_COUNTS), (SITES, UPDATE_MEMBERS)] {
            let row = if head == SITES { "(1, 2, 3)" } else { "(1, 2)" };
            let plan = plan(&store, format!("{head}VALUES {row}, {row}{tail}")).await;
            assert!(
                !plan.contains("SCAN feeds") && !plan.contains("SCAN members"),
                "{plan}"
            );
        }
    }
}
