//! When a feed's address is no longer its address: moved for good, gone, or in other hands.
//!
//! Each takes time to be believed, for servers say things for an afternoon. Nothing here decides from `rel=self`, a
//! temporary redirect or a single answer.

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use crate::schedule::GONE_CONFIRMED_AFTER;

/// How long a permanent redirect must have been answered without a break before it becomes the address.
const MOVED_AFTER: TimeDelta = TimeDelta::days(7);

/// How long a feed must have been silent for its return to be looked at twice.
const SILENCE: TimeDelta = TimeDelta::days(30);

/// What one good answer says of where the feed lies.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The address that was asked for.
    pub asked: &'a Url,
    /// Where the document came from.
    pub from: &'a Url,
    /// The end of the leading run of 301 and 308 ([`fetch::Fetch::permanent_target`]).
    pub permanent_target: Option<&'a Url>,
    /// Whether it is a feed: a 200 that was read as one, or a 304 to one that was.
    pub is_feed: bool,
}

/// Where a feed stands on its way to another address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// It answers where it is, or redirects for the time being.
    None,
    /// It redirects for good, since then.
    Announced {
        /// Where to.
        to: Url,
        /// The first such answer of an unbroken run.
        since: DateTime<Utc>,
    },
    /// It has done so for seven days: this is its address now, and the old one an alias.
    Settled {
        /// The new address.
        to: Url,
    },
}

/// Whether a feed has moved (RFC 9110 sections 15.4.2 and 15.4.9): when every hop was permanent, the end of them is a
/// feed, and it has been so for seven days. `before` is what the last answer came to. A poll that failed says nothing
/// and is not asked about, so that an outage neither breaks a run nor makes one.
pub fn moved(before: Option<(&Url, DateTime<Utc>)>, answer: &Answer<'_>, now: DateTime<Utc>) -> Move {
    let to = match answer.permanent_target {
        Some(to) if to == answer.from && answer.is_feed && !same_place(to, answer.asked) => to,
        _ => return Move::None,
    };
    match before {
        Some((known, since)) if known == to && now - since >= MOVED_AFTER => Move::Settled { to: to.clone() },
        Some((known, since)) if known == to => Move::Announced {
            to: to.clone(),
            since,
        },
        _ => Move::Announced {
            to: to.clone(),
            since: now,
        },
    }
}

fn same_place(one: &Url, other: &Url) -> bool {
    model::normal_feed_address(one) == model::normal_feed_address(other)
}

/// What a 410 (RFC 9110 section 15.5.11) means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// To be asked once more, a day after this first one.
    Once {
        /// The first of the run.
        since: DateTime<Utc>,
    },
    /// Twice, a day apart: polling ends until somebody resumes it.
    Confirmed {
        /// The first of the run.
        since: DateTime<Utc>,
    },
}

/// What a 410 means after another that came at `before`. Only a good answer in between ends a run of them.
pub fn gone(before: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Gone {
    let since = before.unwrap_or(now);
    if TimeDelta::from_std(GONE_CONFIRMED_AFTER).is_ok_and(|day| now - since >= day) {
        Gone::Confirmed { since }
    } else {
        Gone::Once { since }
    }
}

/// What marks a feed as somebody's.
#[derive(Debug, Clone, Copy)]
pub struct Face<'a> {
    /// Its title.
    pub title: Option<&'a str>,
    /// The blog that it belongs to.
    pub site: Option<&'a Url>,
}

/// What a reading of a feed found, against what was known of it.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Entries that we hold of it.
    pub held: usize,
    /// Entries in the document.
    pub found: usize,
    /// How many of those found are held already ([`normalize::match_entries`]).
    pub known: usize,
    /// The feed's last good answer before this one.
    pub last_answer: DateTime<Utc>,
    /// When its last new entry arrived.
    pub last_entry: DateTime<Utc>,
}

/// Why a feed seems to be somebody else's, in words for a moderator; `None` if it seems to be the same.
///
/// After a month of silence, title, site and entries must all be new: a blogger who comes back, renames the blog or
/// moves it to another platform keeps at least one of them. Where the feed itself was not there for that month, the
/// domain may have been bought, and its new owner's feed names the very same site: then title and entries are enough.
pub fn changed_hands(
    before: &Face<'_>,
    after: &Face<'_>,
    reading: &Reading,
    now: DateTime<Utc>,
) -> Option<String> {
    let silent = now - reading.last_entry >= SILENCE;
    let absent = now - reading.last_answer >= SILENCE;
    let all_new = reading.held > 0 && reading.found > 0 && reading.known == 0;
    let new_site = before
        .site
        .zip(after.site)
        .is_some_and(|(before, after)| model::link_key(before) != model::link_key(after));
    if !silent || !all_new || same_words(before.title, after.title) || !(new_site || absent) {
        return None;
    }
    let (what, since) = if absent {
        ("there was no feed here", reading.last_answer)
    } else {
        ("this feed was silent", reading.last_entry)
    };
    Some(format!(
        "{what} since {}, and now its title is “{}” instead of “{}”, {}and none of its {} entries is one that we knew; \
         perhaps the domain has a new owner",
        since.format("%-d %B %Y"),
        after.title.unwrap_or_default().trim(),
        before.title.unwrap_or_default().trim(),
        if new_site { "its site is another, " } else { "" },
        reading.found,
    ))
}

fn same_words(one: Option<&str>, other: Option<&str>) -> bool {
    let words = |text: Option<&str>| -> Vec<String> {
        text.unwrap_or_default()
            .split_whitespace()
            .map(str::to_lowercase)
            .collect()
    };
    words(one) == words(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_move_is_believed_after_seven_days_of_it() {
        let (old, new) = (url("https://old.example/feed"), url("https://new.example/feed"));
        let other = url("https://other.example/feed");
        let permanent = Answer {
            asked: &old,
            from: &new,
            permanent_target: Some(&new),
            is_feed: true,
        };
        let now = at("2026-11-23T09:00:00Z");
        let announced = |since: &str| Move::Announced {
            to: new.clone(),
            since: at(since),
        };
        assert_eq!(moved(None, &permanent, now), announced("2026-11-23T09:00:00Z"));
        for (before, verdict) in [
            ((&new, "2026-11-16T09:00:01Z"), announced("2026-11-16T09:00:01Z")),
            ((&new, "2026-11-16T09:00:00Z"), Move::Settled { to: new.clone() }),
            ((&new, "2026-01-01T00:00:00Z"), Move::Settled { to: new.clone() }),
            // It pointed elsewhere until now.
            (
                (&other, "2026-01-01T00:00:00Z"),
                announced("2026-11-23T09:00:00Z"),
            ),
        ] {
            assert_eq!(moved(Some((before.0, at(before.1))), &permanent, now), verdict);
        }
        // Whatever was before, these are no move.
        let before = Some((&new, at("2026-01-01T00:00:00Z")));
        for answer in [
            // Only the first hops are permanent, or none.
            Answer {
                permanent_target: Some(&other),
                ..permanent
            },
            Answer {
                permanent_target: None,
                ..permanent
            },
            // The end of it is no feed.
            Answer {
                is_feed: false,
                ..permanent
            },
            // No redirect, and one round the corner and back.
            Answer {
                from: &old,
                permanent_target: None,
                ..permanent
            },
            Answer {
                from: &old,
                permanent_target: Some(&old),
                ..permanent
            },
        ] {
            assert_eq!(moved(before, &answer, now), Move::None, "{answer:?}");
        }
    }

    #[test]
    fn the_second_410_counts_a_day_later() {
        let now = at("2026-11-23T09:00:00Z");
        assert_eq!(gone(None, now), Gone::Once { since: now });
        for (since, confirmed) in [
            ("2026-11-22T09:00:01Z", false),
            ("2026-11-22T09:00:00Z", true),
            ("2026-01-01T00:00:00Z", true),
        ] {
            let since = at(since);
            let verdict = if confirmed {
                Gone::Confirmed { since }
            } else {
                Gone::Once { since }
            };
            assert_eq!(gone(Some(since), now), verdict);
        }
    }

    #[test]
    fn hands_that_changed() {
        let now = at("2026-11-23T09:00:00Z");
        let (ours, theirs) = (url("https://blog.example/"), url("https://casino.example/"));
        let ours_too = url("http://www.blog.example");
        let before = Face {
            title: Some("Notes from a council"),
            site: Some(&ours),
        };
        let all_new = Reading {
            held: 40,
            found: 10,
            known: 0,
            last_answer: at("2026-11-23T08:00:00Z"),
            last_entry: at("2026-10-24T09:00:00Z"),
        };
        let absent = Reading {
            last_answer: at("2026-10-24T09:00:00Z"),
            last_entry: at("2026-08-01T00:00:00Z"),
            ..all_new
        };
        let recent = Reading {
            last_answer: at("2026-10-24T09:00:01Z"),
            last_entry: at("2026-10-24T09:00:01Z"),
            ..all_new
        };
        let casino = Some("Best casino");
        let renamed = Some("Notes  from a COUNCIL ");
        for (what, title, site, reading, suspicious) in [
            ("all new", casino, Some(&theirs), all_new, true),
            ("all new, untitled", None, Some(&theirs), all_new, true),
            ("too soon", casino, Some(&theirs), recent, false),
            ("the same site", casino, Some(&ours_too), all_new, false),
            ("the same site, bought", casino, Some(&ours), absent, true),
            ("no site, bought", casino, None, absent, true),
            ("no site, silent", casino, None, all_new, false),
            ("the same title", renamed, Some(&theirs), absent, false),
            (
                "a known post",
                casino,
                Some(&theirs),
                Reading { known: 1, ..absent },
                false,
            ),
            (
                "no entries",
                casino,
                Some(&theirs),
                Reading { found: 0, ..absent },
                false,
            ),
            (
                "nothing held",
                casino,
                Some(&theirs),
                Reading { held: 0, ..absent },
                false,
            ),
        ] {
            let said = changed_hands(&before, &Face { title, site }, &reading, now);
            assert_eq!(said.is_some(), suspicious, "{what}: {said:?}");
        }
        let after = Face {
            title: casino,
            site: Some(&theirs),
        };
        let said = changed_hands(&before, &after, &all_new, now).unwrap();
        for word in [
            "silent since 24 October 2026",
            "“Best casino”",
            "“Notes from a council”",
            "10 entries",
        ] {
            assert!(said.contains(word), "{said}");
        }
    }
}
