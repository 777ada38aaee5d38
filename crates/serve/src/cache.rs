//! Documents made once and kept until what readers see changes: in memory, by path and parameters, for one
//! revision of the store and one state of the site. Bounded in bytes; what nobody asks for goes first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use model::Site;
use tokio::sync::OnceCell;

use crate::document::Sealed;

/// How much the kept documents may weigh, in bytes.
const LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// What a slot with nothing in it takes, roughly, in bytes.
const EMPTY_BYTES: usize = 256;

/// Where one document is kept; whoever finds it empty makes the document while the others wait.
pub(crate) type Slot = Arc<OnceCell<Arc<Sealed>>>;

/// The kept documents, in two generations: when the young one weighs half the limit it becomes the old one,
/// and what was not asked for since goes.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    edition: Option<(i64, Arc<Site>)>,
    site_since: Option<DateTime<Utc>>,
    young: HashMap<String, Slot>,
    old: HashMap<String, Slot>,
    young_bytes: usize,
}

impl Cache {
    /// Notes which revision and site hold now, forgets documents of another, and says since when this site has
    /// been held.
    pub(crate) fn turn_to(&self, revision: i64, site: &Arc<Site>, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut cache = self.lock();
        let same_site = cache
            .edition
            .as_ref()
            .is_some_and(|(_, held)| Arc::ptr_eq(held, site));
        let same_revision = cache
            .edition
            .as_ref()
            .is_some_and(|&(number, _)| number == revision);
        if !(same_site && same_revision) {
            let site_since = if same_site { cache.site_since } else { Some(now) };
            *cache = Generations {
                edition: Some((revision, Arc::clone(site))),
                site_since,
                ..Generations::default()
            };
        }
        cache.site_since.unwrap_or(now)
    }

    /// The document with this key, if it is there and of this revision and site, and was asked for of late.
    pub(crate) fn ready(&self, revision: i64, site: &Arc<Site>, key: &str) -> Option<Arc<Sealed>> {
        let cache = self.lock();
        let (number, held) = cache.edition.as_ref()?;
        if *number != revision || !Arc::ptr_eq(held, site) {
            return None;
        }
        cache.young.get(key)?.get().cloned()
    }

    /// The place for the document with this key.
    pub(crate) fn slot(&self, key: &str) -> Slot {
        let mut cache = self.lock();
        if let Some(slot) = cache.young.get(key) {
            return Arc::clone(slot);
        }
        let slot = cache.old.remove(key).unwrap_or_default();
        cache.young.insert(key.to_owned(), Arc::clone(&slot));
        // An empty slot weighs something too: its maker may be called off before anything is in it.
        let document = slot.get().map_or(0, |kept| kept.weight_bytes());
        cache.weigh(document + key.len() + EMPTY_BYTES);
        slot
    }

    /// The slot has been filled.
    pub(crate) fn filled(&self, document: &Sealed) {
        self.lock().weigh(document.weight_bytes());
    }

    /// Nothing came of this slot: there is no such document.
    pub(crate) fn give_up(&self, key: &str, slot: &Slot) {
        let mut cache = self.lock();
        if slot.get().is_none() && cache.young.get(key).is_some_and(|held| Arc::ptr_eq(held, slot)) {
            cache.young.remove(key);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn weigh(&mut self, bytes: usize) {
        self.young_bytes += bytes;
        if self.young_bytes > LIMIT_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Document, Kind};

    fn fill(cache: &Cache, key: &str, bytes: usize) {
        let sealed = Document::new(Kind::Text, "x".repeat(bytes)).seal(DateTime::UNIX_EPOCH);
        let slot = cache.slot(key);
        cache.filled(&sealed);
        slot.set(Arc::new(sealed)).unwrap();
    }

    #[test]
    fn what_nobody_asks_for_goes_first() {
        let cache = Cache::default();
        fill(&cache, "asked", 1000);
        fill(&cache, "forgotten", 1000);
        fill(&cache, "big", LIMIT_BYTES / 4);
        assert!(cache.slot("asked").get().is_some());
        fill(&cache, "big too", LIMIT_BYTES / 4);
        assert!(cache.slot("asked").get().is_some());
        assert!(cache.slot("forgotten").get().is_none());
    }

    #[test]
    fn another_revision_forgets_all() {
        let cache = Cache::default();
        let site = Arc::new(crate::testing::site());
        let since = cache.turn_to(1, &site, DateTime::UNIX_EPOCH);
        fill(&cache, "a", 10);
        assert_eq!(cache.turn_to(1, &site, DateTime::UNIX_EPOCH), since);
        assert!(cache.slot("a").get().is_some());
        cache.turn_to(2, &site, DateTime::UNIX_EPOCH);
        assert!(cache.slot("a").get().is_none());
    }
}
