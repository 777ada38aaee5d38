//! How a feed fares, in words for the person whose blog it is: what we see, since when, and what they can do.
//!
//! A state is computed from what is stored and never stored itself, so that it cannot be out of date.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Serialize, Serializer};
use url::Url;

use crate::{Feed, FeedStatus};

/// How long a name must have been unknown before its domain counts as given up: registrars restore a lapsed name within
/// days, and its owner notices.
const NAME_GONE_AFTER: TimeDelta = TimeDelta::days(7);

/// After how long without a post a blog is called quiet.
const QUIET_AFTER: TimeDelta = TimeDelta::days(90);

/// How a feed fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HealthState {
    /// Not polled yet.
    Waiting,
    /// Read, and its blog writes.
    Healthy,
    /// Read, and its blog has not written for three months.
    Quiet,
    /// Read, but not to its end.
    Incomplete,
    /// The last poll failed.
    Failing,
    /// It redirects for good to another address.
    Moved,
    /// It said 410 twice, or its domain has been given up.
    Gone,
    /// Something is at the address, and it is no feed.
    NotAFeed,
    /// A moderator looks at it before anything of it is shown.
    Held,
    /// Not polled because somebody decided so.
    Stopped,
}

impl HealthState {
    /// The word in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Healthy => "healthy",
            Self::Quiet => "quiet",
            Self::Incomplete => "incomplete",
            Self::Failing => "failing",
            Self::Moved => "moved",
            Self::Gone => "gone",
            Self::NotAFeed => "not_a_feed",
            Self::Held => "held",
            Self::Stopped => "stopped",
        }
    }
}

/// The state in words.
impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAFeed => "not a feed",
            state => state.as_str(),
        })
    }
}

impl Serialize for HealthState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What is stored of a feed that says how it fares, as [`Feed`] explains it.
#[derive(Debug, Clone, Copy)]
struct Vitals<'a> {
    status: FeedStatus,
    held: Option<&'a str>,
    last_success_at: Option<DateTime<Utc>>,
    last_polled_at: Option<DateTime<Utc>>,
    last_entry_at: Option<DateTime<Utc>>,
    failing_since: Option<DateTime<Utc>>,
    last_error: Option<&'a str>,
    not_a_feed: bool,
    incomplete: Option<&'a str>,
    proposed: Option<&'a Url>,
    gone_since: Option<DateTime<Utc>>,
    name_unknown_since: Option<DateTime<Utc>>,
    moved: Option<(&'a Url, DateTime<Utc>)>,
}

/// How a feed fares, since when, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// In a word.
    pub state: HealthState,
    /// Since when it has been so, where that is known.
    pub since: Option<DateTime<Utc>>,
    /// In words: what we see, and what to do.
    pub reason: String,
}

impl Feed {
    /// How the feed fares at `now`. Days in the words are those of `zone`.
    pub fn health(&self, zone: Tz, now: DateTime<Utc>) -> Health {
        let vitals = Vitals {
            status: self.status,
            held: self.held.as_deref(),
            last_success_at: self.last_success_at,
            last_polled_at: self.last_polled_at,
            last_entry_at: self.last_entry_at,
            failing_since: self.failing_since,
            last_error: self.last_error.as_deref(),
            not_a_feed: self.not_a_feed,
            incomplete: self.incomplete.as_deref(),
            proposed: self.proposed.as_ref(),
            gone_since: self.gone_since,
            name_unknown_since: self.name_unknown_since,
            moved: self.moved.as_ref().map(|(to, since)| (to, *since)),
        };
        health(&vitals, zone, now)
    }
}

fn health(vitals: &Vitals<'_>, zone: Tz, now: DateTime<Utc>) -> Health {
    let day = |at: DateTime<Utc>| at.with_timezone(&zone).format("%-d %B %Y").to_string();
    let is = |state, since, reason: String| Health { state, since, reason };
    match vitals.status {
        FeedStatus::Pending => {
            return is(
                HealthState::Waiting,
                None,
                "This feed waits for a moderator's approval. It is not polled, and nothing of it is shown, before that."
                    .to_owned(),
            );
        }
        FeedStatus::Rejected => {
            return is(
                HealthState::Stopped,
                None,
                "A moderator did not take this feed on. It is not polled, and nothing of it is shown."
                    .to_owned(),
            );
        }
        FeedStatus::Paused => {
            return is(
                HealthState::Stopped,
                None,
                "Polling is paused. What we hold stays readable; whoever paused it can resume it.".to_owned(),
            );
        }
        FeedStatus::Retired => {
            return is(
                HealthState::Stopped,
                None,
                "This feed has left the Voice and is not polled. What we hold stays readable.".to_owned(),
            );
        }
        FeedStatus::Gone => {
            return is(
                HealthState::Gone,
                vitals.gone_since,
                "The server said twice, a day apart, that this feed is gone for good (410), so we stopped asking. If \
                 that was a mistake, mend it and ask a moderator to resume polling."
                    .to_owned(),
            );
        }
        FeedStatus::Active => {}
    }
    if let Some(why) = vitals.held {
        return is(
            HealthState::Held,
            None,
            format!("A moderator looks at this feed before anything new of it is shown: {why}."),
        );
    }
    let Some(polled) = vitals.last_polled_at else {
        return is(
            HealthState::Waiting,
            None,
            "We have not asked for this feed yet; that happens within minutes.".to_owned(),
        );
    };
    if let Some(since) = vitals.failing_since {
        return trouble(vitals, since, now, day);
    }
    if let Some((to, since)) = vitals.moved {
        return is(
            HealthState::Moved,
            Some(since),
            format!(
                "We read this feed, but since {} its address redirects for good to {to}. After seven days of that we take \
                 the new address; if it is a mistake, take the redirect out.",
                day(since)
            ),
        );
    }
    if let Some(what) = vitals.incomplete {
        return is(
            HealthState::Incomplete,
            vitals.last_success_at,
            format!(
                "We read this feed, last on {}, but not the whole of it. {what}",
                day(polled)
            ),
        );
    }
    match vitals.last_entry_at {
        Some(last) if now - last >= QUIET_AFTER => is(
            HealthState::Quiet,
            Some(last),
            format!(
                "We read this feed without trouble, last on {}; its newest post came on {}.",
                day(polled),
                day(last)
            ),
        ),
        Some(last) => is(
            HealthState::Healthy,
            vitals.last_success_at,
            format!(
                "We read this feed without trouble, last on {}; its newest post came on {}.",
                day(polled),
                day(last)
            ),
        ),
        None => is(
            HealthState::Healthy,
            vitals.last_success_at,
            format!(
                "We read this feed without trouble, last on {}; it has no posts yet.",
                day(polled)
            ),
        ),
    }
}

/// How a feed fares whose last poll failed.
fn trouble(
    vitals: &Vitals<'_>,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    day: impl Fn(DateTime<Utc>) -> String,
) -> Health {
    let error = vitals.last_error.unwrap_or("the poll failed");
    let is = |state, since, reason: String| Health {
        state,
        since: Some(since),
        reason,
    };
    if let Some(unknown) = vitals.name_unknown_since
        && now - unknown >= NAME_GONE_AFTER
    {
        return is(
            HealthState::Gone,
            unknown,
            format!(
                "The domain of this feed has not existed since {}: {error}. We go on asking once a day; what comes back is \
                 looked at before it is shown.",
                day(unknown)
            ),
        );
    }
    if vitals.not_a_feed {
        let mend = match vitals.proposed {
            Some(url) => {
                format!("The page there names another feed, {url}; tell a moderator if that is the one.")
            }
            None => "Check the address in a browser, or tell a moderator the new one.".to_owned(),
        };
        return is(
            HealthState::NotAFeed,
            since,
            format!(
                "Since {} there has been something else than a feed at this address: {error}. {mend} What we hold stays.",
                day(since)
            ),
        );
    }
    let before = match vitals.last_success_at {
        Some(at) => format!("the last good answer came on {}", day(at)),
        None => "there never was a good answer".to_owned(),
    };
    is(
        HealthState::Failing,
        since,
        format!(
            "Failing since {}: {error}; {before}. We go on asking, at longer and longer intervals, and what we hold stays.",
            day(since)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn well() -> Vitals<'static> {
        Vitals {
            status: FeedStatus::Active,
            held: None,
            last_success_at: Some(at("2026-11-23T08:00:00Z")),
            last_polled_at: Some(at("2026-11-23T08:00:00Z")),
            last_entry_at: Some(at("2026-11-03T12:00:00Z")),
            failing_since: None,
            last_error: None,
            not_a_feed: false,
            incomplete: None,
            proposed: None,
            gone_since: None,
            name_unknown_since: None,
            moved: None,
        }
    }

    fn ill() -> Vitals<'static> {
        Vitals {
            failing_since: Some(at("2026-11-20T08:00:00Z")),
            last_error: Some(
                "the certificate of blog.example has expired; whoever runs the site must renew it",
            ),
            last_success_at: Some(at("2026-11-19T08:00:00Z")),
            ..well()
        }
    }

    #[test]
    fn each_state_with_its_reason() {
        let new_address: Url = "https://blog.example/new.xml".parse().unwrap();
        let moved = Some((&new_address, at("2026-11-20T00:00:00Z")));
        for (vitals, state, words) in [
            (
                well(),
                HealthState::Healthy,
                &["without trouble", "3 November 2026"][..],
            ),
            (
                Vitals {
                    last_entry_at: None,
                    ..well()
                },
                HealthState::Healthy,
                &["no posts yet"],
            ),
            (
                Vitals {
                    last_entry_at: Some(at("2026-08-25T09:00:00Z")),
                    ..well()
                },
                HealthState::Quiet,
                &["25 August 2026", "without trouble"],
            ),
            (
                Vitals {
                    last_entry_at: Some(at("2026-08-25T09:00:01Z")),
                    ..well()
                },
                HealthState::Healthy,
                &["25 August 2026"],
            ),
            (
                Vitals {
                    incomplete: Some("The feed breaks off before its end. Check the blog's error log."),
                    ..well()
                },
                HealthState::Incomplete,
                &[
                    "23 November 2026, but not the whole of it",
                    "breaks off",
                    "error log",
                ],
            ),
            (
                ill(),
                HealthState::Failing,
                &["since 20 November 2026", "renew it", "on 19 November 2026"],
            ),
            (
                Vitals {
                    last_success_at: None,
                    ..ill()
                },
                HealthState::Failing,
                &["there never was a good answer"],
            ),
            (
                Vitals { moved, ..well() },
                HealthState::Moved,
                &["new.xml", "seven days"],
            ),
            // Trouble is told before a move that is under way.
            (Vitals { moved, ..ill() }, HealthState::Failing, &["renew it"]),
            (
                Vitals {
                    not_a_feed: true,
                    ..ill()
                },
                HealthState::NotAFeed,
                &["something else than a feed", "Check the address"],
            ),
            (
                Vitals {
                    not_a_feed: true,
                    proposed: Some(&new_address),
                    ..ill()
                },
                HealthState::NotAFeed,
                &["names another feed, https://blog.example/new.xml"],
            ),
            (
                Vitals {
                    name_unknown_since: Some(at("2026-11-16T09:00:00Z")),
                    ..ill()
                },
                HealthState::Gone,
                &["has not existed since 16 November 2026", "once a day"],
            ),
            (
                Vitals {
                    name_unknown_since: Some(at("2026-11-20T09:00:00Z")),
                    ..ill()
                },
                HealthState::Failing,
                &["since 20 November"],
            ),
            (
                Vitals {
                    status: FeedStatus::Gone,
                    gone_since: Some(at("2026-11-20T09:00:00Z")),
                    ..ill()
                },
                HealthState::Gone,
                &["410", "resume"],
            ),
            (
                Vitals {
                    status: FeedStatus::Paused,
                    ..ill()
                },
                HealthState::Stopped,
                &["paused"],
            ),
            (
                Vitals {
                    status: FeedStatus::Retired,
                    ..well()
                },
                HealthState::Stopped,
                &["left the Voice"],
            ),
            (
                Vitals {
                    held: Some("perhaps the domain has a new owner"),
                    ..well()
                },
                HealthState::Held,
                &["moderator", "new owner"],
            ),
            (
                Vitals {
                    last_polled_at: None,
                    last_success_at: None,
                    last_entry_at: None,
                    ..well()
                },
                HealthState::Waiting,
                &["not asked"],
            ),
        ] {
            let health = health(&vitals, chrono_tz::Europe::London, at("2026-11-23T09:00:00Z"));
            assert_eq!(health.state, state, "{}", health.reason);
            for word in words {
                assert!(health.reason.contains(word), "{word}: {}", health.reason);
            }
            assert!(!health.state.as_str().is_empty());
        }
    }

    #[test]
    fn days_are_those_of_the_site() {
        let vitals = Vitals {
            last_entry_at: Some(at("2026-07-31T23:30:00Z")),
            ..well()
        };
        let health = health(&vitals, chrono_tz::Europe::London, at("2026-08-02T09:00:00Z"));
        assert!(health.reason.contains("1 August 2026"), "{}", health.reason);
    }
}
