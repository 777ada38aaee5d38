//! What a reading of a feed changes: pure, from what the store knows and what the feed says.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Datelike, Utc};
use model::{EntryDraft, Feed, IncludeChoice, KnownEntry, Site, TopicMatch};
use normalize::{Match, RawEntry, Tagger};
use store::{ChangedEntry, NewEntry};

/// How many entries that come under new identities at once make a migration.
const BURST: u32 = 5;

/// The entries to add and to rewrite.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) new: Vec<NewEntry>,
    pub(crate) changed: Vec<ChangedEntry>,
    /// The known entries that are in the feed.
    pub(crate) there: HashSet<i64>,
    /// How many of them came under other identities than before.
    pub(crate) renamed: u32,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty()
    }

    /// How many known entries came under new identities, if so many did that the blog must have moved.
    pub(crate) fn migrated(&self) -> Option<u32> {
        Some(self.renamed).filter(|&renamed| renamed >= BURST && renamed as usize * 2 >= self.there.len())
    }

    /// The dates of the new entries, or of their arrival; undated back catalogue has none.
    pub(crate) fn dates(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let dated = self.new.iter().filter(|entry| !entry.undated_back_catalogue);
        dated.map(|entry| entry.published_at)
    }
}

/// Compares what `feed` says now (`found`, in its own order) with what is `known` of it. Only entries that are
/// new or changed are sanitised and tagged.
pub(crate) fn changes(
    feed: &Feed,
    known: &[KnownEntry],
    found: &[RawEntry],
    site: &Site,
    tagger: &Tagger,
    now: DateTime<Utc>,
) -> Changes {
    let by_id: HashMap<i64, &KnownEntry> = known.iter().map(|entry| (entry.id, entry)).collect();
    let mut changes = Changes::default();
    for (raw, matched) in found.iter().zip(normalize::match_entries(known, found)) {
        if let Match::Same(id) | Match::Changed(id) = matched {
            changes.there.insert(id);
        }
        match matched {
            Match::Same(_) | Match::Nothing => {}
            Match::New => changes.new.push(new_entry(feed, raw.finish(tagger), site, now)),
            Match::Changed(id) => {
                let Some(before) = by_id.get(&id).filter(|entry| !entry.withdrawn) else {
                    continue;
                };
                changes.renamed += u32::from(before.source_id != raw.source_id);
                let draft = raw.finish(tagger);
                changes.changed.push(ChangedEntry {
                    id,
                    substantial: draft.substance != before.substance,
                    shown: is_shown(feed, &draft, site),
                    draft,
                });
            }
        }
    }
    // The newest first; what has no date stays in the feed's order, after all that has one.
    changes
        .new
        .sort_by_key(|entry| std::cmp::Reverse(entry.draft.published));
    changes
}

/// Dates and names of an entry that is seen for the first time (contract sections 3, 5 and 7): what the first
/// good poll finds stands where it belongs in time; what comes later stands where it arrived.
fn new_entry(feed: &Feed, draft: EntryDraft, site: &Site, now: DateTime<Utc>) -> NewEntry {
    let first_poll = feed.first_success_at.is_none();
    let dated = draft.published.filter(|&at| at <= now);
    let released_at = if first_poll { dated.unwrap_or(now) } else { now };
    let published_at = dated.unwrap_or(released_at);
    NewEntry {
        key: normalize::entry_key(feed.url.as_str(), &draft.source_id),
        id_prefix: format!("tag:{},{}:", site.host(), now.year()),
        published_at,
        updated_at: draft
            .updated
            .filter(|&at| at > published_at && at <= now)
            .unwrap_or(published_at),
        released_at,
        undated_back_catalogue: first_poll && draft.published.is_none(),
        shown: is_shown(feed, &draft, site),
        draft,
    }
}

/// Whether readers see the entry: a mixed blog shows only what has a topic or a hashtag of the network.
fn is_shown(feed: &Feed, draft: &EntryDraft, site: &Site) -> bool {
    shows(feed.include, &draft.topics, &draft.hashtags, site)
}

/// Whether a feed that takes part with `include` shows an entry of these topics and hashtags.
pub(crate) fn shows(include: IncludeChoice, topics: &[TopicMatch], hashtags: &[String], site: &Site) -> bool {
    match include {
        IncludeChoice::All => true,
        IncludeChoice::Tagged => {
            !topics.is_empty() || hashtags.iter().any(|tag| site.network_hashtags.contains(tag))
        }
    }
}
