//! Which entry is which: the feed's own identity for an entry, made unique within the document, and the match of
//! what a poll found with what is known (contract sections 4 and 7).
//!
//! Identity never reaches beyond one feed, so no feed can claim another's entry, and dates decide nothing.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};

use model::KnownEntry;
use sha2::{Digest, Sha256};
use twox_hash::XxHash3_128;

use crate::entry::RawEntry;

/// Begins the identity of an entry that has neither guid nor link: three hashes follow, of its title, its content
/// and its date, so that an edit of one of them can be recognised.
const HASHED: &str = "sha256:";

/// How many entries of one poll make a burst, in which a blog that moved is recognised.
const BURST: usize = 5;

/// What became of an entry that a poll found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// Never seen.
    New,
    /// The known entry with this number, as it was.
    Same(i64),
    /// The known entry with this number, otherwise than it was.
    Changed(i64),
    /// Nothing to keep: the entry says nothing at all, or only what another in the same document says; or the
    /// document broke off in it, and others of the feed are known.
    Nothing,
}

/// The key of an entry that the store has not seen: 16 characters of `[a-z2-7]`, the same for the same feed and
/// identity on every machine.
pub fn entry_key(feed_url: &str, source_id: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = hash([feed_url, source_id]);
    let bits = hash[..10]
        .iter()
        .fold(0_u128, |bits, &byte| bits << 8 | u128::from(byte));
    (0..16)
        .rev()
        .map(|at| char::from(ALPHABET[(bits >> (at * 5)) as usize & 31]))
        .collect()
}

/// Matches what a poll found with what is known of the feed, withdrawn entries included: by identity; else by
/// link, where it stands once on either side and the feed no longer has the known identity (new guids, a move to
/// https); else by its words, under the same rule (a permalink that was edited, a blog that moved); else by its title,
/// where many match at once (a blog that moved and cut its posts short); else, without guid and link, by two of title,
/// content and date. One known entry matches one found entry at most. The answers stand in the order of `found`.
pub fn match_entries(known: &[KnownEntry], found: &[RawEntry]) -> Vec<Match> {
    let by_id: HashMap<&str, &KnownEntry> = known
        .iter()
        .map(|entry| (entry.source_id.as_str(), entry))
        .collect();
    let mut partners: Vec<Option<&KnownEntry>> = found
        .iter()
        .map(|entry| by_id.get(entry.source_id.as_str()).copied())
        .collect();
    if partners.iter().any(Option::is_none) {
        let found_ids: HashSet<&str> = found.iter().map(|entry| entry.source_id.as_str()).collect();
        let gone: Vec<&KnownEntry> = known
            .iter()
            .filter(|entry| !found_ids.contains(entry.source_id.as_str()))
            .collect();
        let known_links = unique(
            known
                .iter()
                .filter_map(|entry| Some((entry.link_key.as_deref()?, entry))),
        );
        let found_links = unique(
            found
                .iter()
                .filter_map(|entry| Some((entry.link_key.as_deref()?, entry))),
        );
        for (entry, partner) in found
            .iter()
            .zip(&mut partners)
            .filter(|(_, partner)| partner.is_none())
        {
            *partner = entry
                .link_key
                .as_deref()
                .filter(|&key| found_links.get(key).is_some_and(Option::is_some))
                .and_then(|key| *known_links.get(key)?)
                .filter(|known| !found_ids.contains(known.source_id.as_str()));
        }
        match_words(&gone, found, &mut partners);
        match_titles(&gone, found, &mut partners);
        match_hashed(&gone, found, &mut partners);
    }
    let mut seen = HashSet::new();
    found
        .iter()
        .zip(partners)
        .map(|(entry, partner)| match partner {
            _ if entry.says_nothing() || !seen.insert(entry.source_id.as_str()) => Match::Nothing,
            // Where it breaks off, its identity may have broken off too: a whole document will tell.
            _ if entry.is_partial() && !known.is_empty() => Match::Nothing,
            None => Match::New,
            Some(known) if known.source_id == entry.source_id && entry.is_as(&known.fingerprint) => {
                Match::Same(known.id)
            }
            Some(known) => Match::Changed(known.id),
        })
        .collect()
}

/// Matches entries that say word for word what one says that is gone.
fn match_words<'k>(gone: &[&'k KnownEntry], found: &[RawEntry], partners: &mut [Option<&'k KnownEntry>]) {
    let by_words = by_part(gone, found, partners, words);
    for (partner, by_words) in partners.iter_mut().zip(by_words) {
        *partner = partner.or(by_words);
    }
}

/// Matches entries of the same titles as such that are gone, if they are a burst: a single new post may well be called
/// as an old one was.
fn match_titles<'k>(gone: &[&'k KnownEntry], found: &[RawEntry], partners: &mut [Option<&'k KnownEntry>]) {
    let by_title = by_part(gone, found, partners, title);
    let alike = by_title.iter().flatten().count();
    let unmatched = partners.iter().filter(|partner| partner.is_none()).count();
    if alike >= BURST && alike * 2 >= unmatched {
        for (partner, by_title) in partners.iter_mut().zip(by_title) {
            *partner = partner.or(by_title);
        }
    }
}

/// For each found entry without a partner: the one that is gone whose fingerprint has the same part, where one alone has
/// it on either side.
fn by_part<'k>(
    gone: &[&'k KnownEntry],
    found: &[RawEntry],
    partners: &[Option<&KnownEntry>],
    part: fn(&str) -> Option<&str>,
) -> Vec<Option<&'k KnownEntry>> {
    let taken: HashSet<i64> = partners.iter().flatten().map(|known| known.id).collect();
    let known_parts = unique(
        gone.iter()
            .filter(|known| !taken.contains(&known.id))
            .filter_map(|known| Some((part(&known.fingerprint)?, *known))),
    );
    let by_part: Vec<Option<(&str, &KnownEntry)>> = (found.iter().zip(partners))
        .map(|(entry, partner)| {
            let part = partner.is_none().then(|| part(entry.fingerprint()))??;
            Some((part, *known_parts.get(part)?.as_ref()?))
        })
        .collect();
    // Mostly nothing is found, and then the words of the others are none of our business.
    if by_part.iter().all(Option::is_none) {
        return vec![None; found.len()];
    }
    let found_parts = unique(
        found
            .iter()
            .filter_map(|entry| Some((part(entry.fingerprint())?, entry))),
    );
    by_part
        .into_iter()
        .map(|found| found.and_then(|(part, known)| found_parts.get(part)?.as_ref().map(|_| known)))
        .collect()
}

/// The part of a fingerprint that speaks of the words; `None` if they are too few.
fn words(fingerprint: &str) -> Option<&str> {
    fingerprint.split('-').nth(1).filter(|words| !words.is_empty())
}

/// The part of a fingerprint that speaks of the title; `None` if there is none.
fn title(fingerprint: &str) -> Option<&str> {
    fingerprint.split('-').nth(2).filter(|title| !title.is_empty())
}

/// Matches edited entries that have nothing but their words and date.
fn match_hashed<'k>(gone: &[&'k KnownEntry], found: &[RawEntry], partners: &mut [Option<&'k KnownEntry>]) {
    let gone: Vec<&KnownEntry> = gone
        .iter()
        .copied()
        .filter(|entry| entry.source_id.starts_with(HASHED))
        .collect();
    let mut taken = vec![false; gone.len()];
    for (entry, partner) in found.iter().zip(partners) {
        if partner.is_some() || !entry.source_id.starts_with(HASHED) {
            continue;
        }
        let alike = |known: &&KnownEntry| shared_hashes(&known.source_id, &entry.source_id) >= 2;
        let mut candidates = gone
            .iter()
            .enumerate()
            .filter(|(at, known)| !taken[*at] && alike(known));
        if let (Some((at, known)), None) = (candidates.next(), candidates.next()) {
            *partner = Some(known);
            taken[at] = true;
        }
    }
}

/// How many of the three hashes two identities share; an absent title or date is nothing to share.
fn shared_hashes(one: &str, other: &str) -> usize {
    let parts = |id: &'_ str| {
        id[HASHED.len()..]
            .split('-')
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    parts(one)
        .iter()
        .zip(parts(other))
        .filter(|(one, other)| !one.is_empty() && *one == other)
        .count()
}

/// The values whose key stands once; `None` for a key that stands more often.
fn unique<'k, T>(pairs: impl Iterator<Item = (&'k str, &'k T)>) -> HashMap<&'k str, Option<&'k T>> {
    let mut found = HashMap::new();
    for (key, value) in pairs {
        match found.entry(key) {
            Slot::Vacant(slot) => {
                slot.insert(Some(value));
            }
            Slot::Occupied(mut slot) => {
                slot.insert(None);
            }
        }
    }
    found
}

/// The identity of an entry with neither guid nor link. `None` is an absent part.
pub(crate) fn hashed_id(parts: [Option<&str>; 3]) -> String {
    let hashes = parts.map(|part| part.map_or_else(String::new, |part| hex(&hash([part])[..8])));
    format!("{HASHED}{}", hashes.join("-"))
}

/// Makes identities unique within a document: one that stands more than once (a guid shared by all) gets the link
/// for all of them, so that it stays the same when entries come and go; if that does not tell them apart, the
/// fingerprint too. Exact duplicates keep the identity that they share. Returns the entries, counted from 1, whose
/// guid or link stood more than once.
pub(crate) fn make_unique(entries: &mut [RawEntry]) -> Vec<usize> {
    let repeated = |entries: &[RawEntry]| -> Vec<usize> {
        let mut counts: HashMap<&str, u32> = HashMap::with_capacity(entries.len());
        for entry in entries {
            *counts.entry(&entry.source_id).or_default() += 1;
        }
        (0..entries.len())
            .filter(|&at| counts[entries[at].source_id.as_str()] > 1)
            .collect()
    };
    let shared = repeated(entries);
    for &at in &shared {
        let entry = &mut entries[at];
        if let Some(link) = &entry.link {
            entry.source_id = format!("{}\n{link}", entry.source_id);
        }
    }
    if !shared.is_empty() {
        for at in repeated(entries) {
            let entry = &mut entries[at];
            entry.source_id = format!("{}\n{}", entry.source_id, entry.title_digest());
        }
        for at in repeated(entries) {
            let entry = &mut entries[at];
            entry.source_id = format!("{}\n{}", entry.source_id, entry.fingerprint());
        }
    }
    shared.into_iter().map(|at| at + 1).collect()
}

/// What tells two states of an entry apart: a quick hash of texts in their order. The lengths go in too, so that no text
/// can pose as two. Whoever makes two states collide hides an edit of their own and nothing else.
pub(crate) fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = XxHash3_128::new();
    for part in parts {
        hasher.write(&(part.len() as u64).to_le_bytes());
        hasher.write(part.as_bytes());
    }
    format!("{:032x}", hasher.finish_128())
}

fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use chrono_tz::Europe::London;

    use super::*;
    use crate::document::{Source, read};

    fn rss(items: &[&str]) -> Vec<RawEntry> {
        let mut body = String::from("<rss version='2.0'><channel><title>t</title>");
        for item in items {
            write!(body, "<item>{item}</item>").unwrap();
        }
        body.push_str("</channel></rss>");
        let source = Source {
            body: body.as_bytes(),
            content_type: None,
            url: None,
            timezone: London,
        };
        read(&source).unwrap().entries
    }

    fn known(entries: &[RawEntry]) -> Vec<KnownEntry> {
        entries
            .iter()
            .enumerate()
            .map(|(id, entry)| KnownEntry {
                id: id as i64,
                source_id: entry.source_id.clone(),
                link_key: entry.link_key.clone(),
                fingerprint: entry.fingerprint().to_owned(),
                substance: String::new(),
                withdrawn: false,
                published: chrono::DateTime::UNIX_EPOCH,
                dated: true,
                missing_since: None,
            })
            .collect()
    }

    #[test]
    fn every_id_changes_at_once() {
        let before: Vec<String> = (0..50)
            .map(|n| {
                format!(
                    "<guid>http://b.example/?p={n}</guid><link>http://b.example/{n}/</link><title>{n}</title>"
                )
            })
            .collect();
        let after: Vec<String> =
            (0..50).map(|n| format!("<guid>new-{n}</guid><link>https://www.b.example/{n}?utm_source=rss</link><title>{n}</title>")).collect();
        let before = known(&rss(&before.iter().map(String::as_str).collect::<Vec<_>>()));
        let after = rss(&after.iter().map(String::as_str).collect::<Vec<_>>());
        let expected: Vec<Match> = (0..50).map(Match::Changed).collect();
        assert_eq!(match_entries(&before, &after), expected);
    }

    #[test]
    fn one_guid_for_all() {
        let items: Vec<String> = (0..10)
            .map(|n| format!("<guid>same</guid><link>https://b.example/{n}</link><title>{n}</title>"))
            .collect();
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        let first = rss(&items);
        assert_eq!(first.len(), 10);
        let stored = known(&first);
        assert!(
            match_entries(&stored, &rss(&items))
                .iter()
                .enumerate()
                .all(|(at, m)| *m == Match::Same(at as i64))
        );
        // They rotate: the oldest leaves, a new one comes.
        let rotated = [
            &["<guid>same</guid><link>https://b.example/new</link>"],
            &items[..9],
        ]
        .concat();
        let matches = match_entries(&stored, &rss(&rotated));
        assert_eq!(matches[0], Match::New);
        assert!(
            matches[1..]
                .iter()
                .enumerate()
                .all(|(at, m)| *m == Match::Same(at as i64)),
            "{matches:?}"
        );
        // Only one is left, and its guid is no longer shared.
        assert_eq!(match_entries(&stored, &rss(&items[4..5])), [Match::Changed(4)]);
    }

    #[test]
    fn one_link_for_all_is_no_identity() {
        let items = [
            "<link>https://b.example/</link><title>one</title>",
            "<link>https://b.example/</link><title>two</title>",
        ];
        let entries = rss(&items);
        assert_eq!(entries.len(), 2);
        assert_eq!(
            match_entries(&known(&entries), &rss(&[items[1], items[0]])),
            [Match::Same(1), Match::Same(0)]
        );
        // The very same entry twice is one.
        let twice = rss(&[items[0], items[0]]);
        assert_eq!(twice[0].source_id, twice[1].source_id);
        assert_eq!(match_entries(&[], &twice), [Match::New, Match::Nothing]);
    }

    #[test]
    fn no_guid_no_link() {
        let items = [
            "<title>One</title><description>first</description><pubDate>Mon, 05 Oct 2026 09:00:00 GMT</pubDate>",
            "<title>Two</title><description>second</description>",
        ];
        let stored = known(&rss(&items));
        for _ in 0..5 {
            assert_eq!(
                match_entries(&stored, &rss(&items)),
                [Match::Same(0), Match::Same(1)]
            );
        }
        let edited = items[0].replace("One", "One, edited");
        assert_eq!(
            match_entries(&stored, &rss(&[&edited, items[1]])),
            [Match::Changed(0), Match::Same(1)]
        );
        let replaced = "<title>Three</title><description>third</description><pubDate>Mon, 05 Oct 2026 09:00:00 GMT</pubDate>";
        assert_eq!(match_entries(&stored, &rss(&[replaced])), [Match::New]);
    }

    #[test]
    fn an_edited_title_keeps_the_link() {
        let stored = known(&rss(&["<link>https://b.example/1</link><title>One</title>"]));
        let found = rss(&["<link>https://b.example/1</link><title>One, edited</title>"]);
        assert_eq!(match_entries(&stored, &found), [Match::Changed(0)]);
    }

    #[test]
    fn a_known_entry_is_never_matched_twice() {
        // The old guid is still there; a second entry with its link is another post.
        let stored = known(&rss(&["<guid>a</guid><link>https://b.example/1</link>"]));
        let found = rss(&[
            "<guid>b</guid><link>https://b.example/1</link>",
            "<guid>a</guid><link>https://b.example/1</link>",
        ]);
        assert_eq!(match_entries(&stored, &found), [Match::New, Match::Same(0)]);
    }

    #[test]
    fn a_guid_belongs_to_its_feed() {
        let ours = entry_key("https://a.example/feed", "guid-1");
        assert_ne!(ours, entry_key("https://b.example/feed", "guid-1"));
        assert_eq!(ours, entry_key("https://a.example/feed", "guid-1"));
        assert!(
            ours.len() == 16 && ours.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
            "{ours}"
        );
    }

    #[test]
    fn the_known_value_of_a_digest() {
        // XXH3-128 of two empty parts: 16 zero bytes.
        assert_eq!(digest(["", ""]), "e5189a9599e3f86205ea23ef06e28b2d");
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
    }
}
