//! What is no longer in a feed although it should be: whether it was deleted at the source (contract section 7).
//!
//! A feed shows its last few entries, so that most of what we know of it is not there, and that says nothing. An entry
//! that is missing between two that are there is suspected; if a day later it is still missing, its own address is asked,
//! and only a 404 or 410 there is believed. Nothing is concluded from answers that are no complete 200.

use std::collections::HashSet;

use chrono::TimeDelta;
use fetch::{Fetch, FetchOutcome};
use model::{Feed, KnownEntry, Validators};
use store::{Cause, Decision, PollRecord, SOURCE, StoreError};
use url::Url;

use crate::poller::{Poller, requests};

/// How long an entry has to be missing before its address is asked.
const PATIENCE: TimeDelta = TimeDelta::days(1);

/// How many that are missing side by side may be single deletions. More is a feed that shows something else than before:
/// a part of the blog, or an old post kept on top.
const MOST_IN_A_ROW: usize = 5;

/// How many addresses are asked at one poll; the others wait for the next.
const MOST_ASKED: usize = 3;

/// What one reading says of the entries that are known and not there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Missing for the first time.
    pub(crate) suspected: Vec<i64>,
    /// Suspected before, and without reason now.
    pub(crate) cleared: Vec<i64>,
}

/// Compares what is known of a feed with what of it is `there` in a document that is complete.
pub(crate) fn missing(known: &[KnownEntry], there: &HashSet<i64>) -> Missing {
    let mut in_order: Vec<&KnownEntry> = known.iter().filter(|entry| !entry.withdrawn).collect();
    in_order.sort_by_key(|entry| (entry.published, entry.id));
    let is_there = |entry: &&KnownEntry| there.contains(&entry.id);
    let mut found = Missing::default();
    if there.is_empty() {
        // A feed with nothing of what we know in it says nothing of it.
        return found;
    }
    // Neighbours share their fate: runs of what is there and of what is not take turns.
    let mut runs = in_order
        .chunk_by(|one, other| is_there(one) == is_there(other))
        .enumerate()
        .peekable();
    while let Some((number, run)) = runs.next() {
        let between = number > 0 && runs.peek().is_some();
        let inside = !is_there(&run[0]) && between && run.len() <= MOST_IN_A_ROW;
        for entry in run {
            match entry.missing_since {
                None if inside => found.suspected.push(entry.id),
                Some(_) if !inside => found.cleared.push(entry.id),
                _ => {}
            }
        }
    }
    found
}

impl Poller {
    /// Asks the addresses of entries of `feed` that have been missing for long, of which a complete answer has come
    /// again; what is no more there is withdrawn. That the store fails at it costs the poll nothing: it is tried again.
    pub(crate) async fn look_for_deleted(&self, feed: &Feed, record: &mut PollRecord) {
        if let Err(error) = self.withdraw_deleted(feed, record).await {
            tracing::warn!(feed = feed.slug, error = %error, "could not look for entries that were deleted at the source");
        }
    }

    async fn withdraw_deleted(&self, feed: &Feed, record: &mut PollRecord) -> Result<(), StoreError> {
        let overdue = self
            .store
            .overdue(feed.id, record.at - PATIENCE, MOST_ASKED)
            .await?;
        let mut deleted = Vec::new();
        for entry in overdue {
            if record.found_again.contains(&entry.id) {
                continue;
            }
            let mut is_gone = false;
            if let Some(url) = entry.link.as_deref().and_then(|link| Url::parse(link).ok()) {
                let answer = self.fetcher.fetch(&url, &Validators::default(), record.at).await;
                record.requests.extend(requests(&answer.hops));
                is_gone = is_deleted(&answer);
            }
            if is_gone {
                tracing::info!(
                    feed = feed.slug,
                    entry = entry.key,
                    "deleted at the source, and withdrawn here"
                );
                deleted.push(entry.key);
            } else {
                // Its page is there: it is asked again when a day has passed, if it is still missing then.
                record.missing.push(entry.id);
            }
        }
        if deleted.is_empty() {
            return Ok(());
        }
        let decision = Decision {
            by: SOURCE,
            why: Some("deleted at the source"),
            at: record.at,
        };
        self.store
            .withdraw_entries(&deleted, Cause::Source, &decision)
            .await
            .map(drop)
    }
}

/// Whether the answer of an entry's own address says that it is no more.
fn is_deleted(answer: &Fetch) -> bool {
    match answer.outcome {
        FetchOutcome::Gone => true,
        FetchOutcome::Failed(_) => answer.http_status == Some(404),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    /// Entries a day apart, the oldest first; `?` is missing since before, the withdrawn are `x`.
    fn known(states: &str) -> Vec<KnownEntry> {
        let start: DateTime<Utc> = "2026-10-01T09:00:00Z".parse().unwrap();
        (0..)
            .zip(states.chars())
            .map(|(id, state)| KnownEntry {
                id,
                source_id: id.to_string(),
                link_key: None,
                fingerprint: String::new(),
                substance: String::new(),
                withdrawn: state == 'x',
                published: start + TimeDelta::days(id),
                dated: true,
                missing_since: (state == '?').then_some(start),
            })
            .collect()
    }

    fn found(states: &str, there: &[i64]) -> (Vec<i64>, Vec<i64>) {
        let Missing { suspected, cleared } = missing(&known(states), &there.iter().copied().collect());
        (suspected, cleared)
    }

    #[test]
    fn what_is_missing_between_neighbours_is_suspected() {
        assert_eq!(found("......", &[2, 4, 5]), (vec![3], vec![]));
        assert_eq!(found("......", &[0, 3, 5]), (vec![1, 2, 4], vec![]));
        // What a feed no longer reaches, or does not show yet, is not deleted.
        assert_eq!(found("......", &[3, 4]), (vec![], vec![]));
        assert_eq!(found("......", &[]), (vec![], vec![]));
        assert_eq!(found("......", &[0, 1, 2, 3, 4, 5]), (vec![], vec![]));
        // An old post on top of a feed that shows the latest few.
        assert_eq!(found("..........", &[0, 8, 9]), (vec![], vec![]));
        // What was withdrawn is nobody's neighbour, and is not looked for.
        assert_eq!(found("..x.", &[0, 3]), (vec![1], vec![]));
    }

    #[test]
    fn suspicion_stays_until_there_is_no_reason_for_it() {
        assert_eq!(found(".?.", &[0, 2]), (vec![], vec![]));
        assert_eq!(found(".?.", &[0, 1, 2]), (vec![], vec![1]));
        assert_eq!(
            found(".?.", &[2]),
            (vec![], vec![1]),
            "out of the feed's reach by now"
        );
    }
}
