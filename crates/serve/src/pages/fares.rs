//! How feeds fare, for the people whose blogs they are: on a member's page each feed with its last polls, and at
//! `/fetching` what was asked of each host.

use std::collections::BTreeMap;

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use model::{Feed, FeedStatus, HubTopic, PollOutcome};
use store::{PollSummaryRow, Subscription};

use super::page;
use super::shell::{Part, Shell};
use super::view::When;
use crate::asked::{Asked, Made};
use crate::failure::Failure;
use crate::links;

/// How many of the last polls tell the share of 304s, and how many of them are shown.
const POLLS_COUNTED: u32 = 100;
const POLLS_SHOWN: u32 = 5;

/// How many days `/fetching` tells of, today included.
const DAYS: i64 = 30;

/// A feed and how it fares.
pub(super) struct Fare {
    pub(super) url: String,
    /// Whether a page may link to it.
    pub(super) is_link: bool,
    pub(super) state: String,
    pub(super) reason: String,
    /// What becomes of the hub that the feed names, in a sentence.
    pub(super) hub: Option<String>,
    pub(super) next: Option<NextTime>,
    pub(super) polls: u32,
    pub(super) not_modified: u32,
    pub(super) last: Vec<LastPoll>,
}

pub(super) struct NextTime {
    pub(super) at: When,
    pub(super) why: String,
}

pub(super) struct LastPoll {
    pub(super) at: When,
    pub(super) came: String,
}

impl Fare {
    pub(super) async fn of_all(asked: &Asked, feeds: &[Feed]) -> Result<Vec<Self>, Failure> {
        let mut fares = Vec::with_capacity(feeds.len());
        for feed in feeds {
            let last = asked.store().recent_polls(feed.id, POLLS_SHOWN).await?;
            let counts = asked.store().polls_not_modified(feed.id, POLLS_COUNTED).await?;
            let subscription = match &feed.hub {
                Some(_) => asked.store().subscription(feed.id).await?,
                None => None,
            };
            fares.push(Self::of(asked, feed, &last, counts, subscription.as_ref()));
        }
        Ok(fares)
    }

    fn of(
        asked: &Asked,
        feed: &Feed,
        last: &[PollSummaryRow],
        (polls, not_modified): (u32, u32),
        subscription: Option<&Subscription>,
    ) -> Self {
        let site = &asked.site;
        let health = feed.health(site.timezone, asked.state.now());
        Self {
            url: feed.url.to_string(),
            is_link: links::web_address(feed.url.as_str()).is_some(),
            state: health.state.to_string(),
            reason: health.reason,
            hub: (feed.hub.as_ref()).map(|named| hub(named, subscription, asked)),
            next: (feed.status == FeedStatus::Active).then(|| NextTime {
                at: When::minute(feed.next_poll_at, site),
                why: feed.next_poll_why.to_string(),
            }),
            polls,
            not_modified,
            last: (last.iter())
                .map(|poll| LastPoll {
                    at: When::minute(poll.at, site),
                    came: what_came(poll),
                })
                .collect(),
        }
    }
}

/// Whether the hub tells us of new posts, and if not, why.
fn hub(named: &HubTopic, subscription: Option<&Subscription>, asked: &Asked) -> String {
    let start = format!("The feed names the hub {}", named.hub);
    let Some(subscription) = subscription else {
        return format!("{start}, at which we have not subscribed.");
    };
    match (subscription.lease_until, &subscription.last_error) {
        (Some(until), _) if until > asked.state.now() => format!(
            "{start}, which tells us of new posts at once; we have subscribed until {}.",
            When::day(until, &asked.site).text
        ),
        (_, Some(error)) => {
            format!("{start}, which does not tell us of new posts: {error}. We go on asking.")
        }
        (_, None) => {
            format!("{start}; we have asked it to tell us of new posts, and it has not confirmed yet.")
        }
    }
}

fn what_came(poll: &PollSummaryRow) -> String {
    match poll.outcome {
        PollOutcome::NotModified => "nothing new (304)".to_owned(),
        PollOutcome::Unchanged => "the feed, with nothing new in it".to_owned(),
        PollOutcome::Changed => format!("{} new and {} changed", poll.new, poll.updated),
        PollOutcome::Failed => poll.error.clone().unwrap_or_default(),
    }
}

/// What was asked of one host.
struct HostLine {
    host: String,
    feeds: usize,
    requests: u64,
    not_modified: u64,
    size: String,
    next: Option<When>,
}

#[derive(Template)]
#[template(path = "fetching.html")]
struct Fetching {
    shell: Shell,
    days: i64,
    contact: Option<String>,
    hosts: Vec<HostLine>,
}

/// `/fetching`
pub(crate) async fn fetching(asked: Asked) -> Made {
    let today = asked.state.now().date_naive();
    let hosts = asked.store().host_use(today - TimeDelta::days(DAYS - 1)).await?;
    // Hosts of feeds that are polled: how many, and when the first of them is due.
    let mut next: BTreeMap<String, (usize, DateTime<Utc>)> = BTreeMap::new();
    let mut changed = asked.changed;
    for feed in asked.store().feeds().await? {
        changed = feed.last_polled_at.map_or(changed, |at| at.max(changed));
        if feed.status == FeedStatus::Active
            && let Some(host) = feed.url.host_str()
        {
            let (feeds, at) = next.entry(host.to_owned()).or_insert((0, feed.next_poll_at));
            *feeds += 1;
            *at = feed.next_poll_at.min(*at);
        }
    }
    let contact =
        links::web_address(&asked.site.contact).filter(|contact| *contact != asked.site.absolute("/about"));
    page(&Fetching {
        shell: Shell::new(
            &asked.site,
            Part::Elsewhere,
            Some("What we ask of your server".to_owned()),
        ),
        days: DAYS,
        contact,
        hosts: hosts
            .into_iter()
            .map(|line| {
                let due = next.get(&line.host);
                HostLine {
                    feeds: due.map_or(0, |(feeds, _)| *feeds),
                    next: due.map(|(_, at)| When::minute(*at, &asked.site)),
                    requests: line.requests,
                    not_modified: line.not_modified,
                    size: size(line.bytes),
                    host: line.host,
                }
            })
            .collect(),
    })
    .map(|page| page.changed_at(changed))
}

/// A number of bytes as people read it.
pub(super) fn size(bytes: u64) -> String {
    const KB: f64 = 1_000.0;
    let value = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", value / KB),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / KB / KB),
        _ => format!("{:.1} GB", value / KB / KB / KB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (12_345, "12.3 kB"),
            (7_800_000, "7.8 MB"),
            (2_000_000_000, "2.0 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
