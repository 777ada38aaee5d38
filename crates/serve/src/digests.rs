//! Digests on the web: which week is asked for, what it is gathered from, and in which form it is given.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use export::{Digest, DigestInput, DigestStatus, DigestView, NotHeard, digest};
use model::{FeedStatus, Member, Site, Week, start_of_day};
use store::{MemberDetail, Store, StoreError};

use crate::asked::{Asked, Made};
use crate::document::{Document, Kind};
use crate::failure::Failure;
use crate::pages;

/// The parameters of a digest.
pub(crate) const PARAMETERS: &[&str] = &["topic", "max_per_member", "layout"];

/// The parameter of the list of issues: a day whose week is wanted.
pub(crate) const ISSUES_PARAMETERS: &[&str] = &["day"];

/// How many weeks the list of issues names.
const LISTED: usize = 12;

/// The digest of `week` as it stands at `now`, gathered from the store: what `/digest/{week}` shows and
/// `voice digest` prints. `next_close` gives the first closing after an instant.
///
/// # Errors
///
/// When the store does not answer.
pub async fn digest_of_week(
    store: &Store,
    site: &Site,
    week: Week,
    now: DateTime<Utc>,
    next_close: &(dyn Fn(DateTime<Utc>) -> Option<DateTime<Utc>> + Send + Sync),
) -> Result<Digest, StoreError> {
    let zone = site.timezone;
    let (start, end) = (week.start(zone), week.end(zone));
    // Before the first good poll every week that is over will have ended before it.
    let is_archive = end <= store.first_success_at().await?.unwrap_or(now);
    let entries = store.entries_published(start, end).await?;
    let previous = store.last_published_before(start).await?.into_iter().collect();
    let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    let links = store.links_of_entries(&keys).await?;
    let members = store.members().await?;
    let closes = |week: Week| closing_of(week, site, next_close);
    Ok(digest(DigestInput {
        site,
        week,
        now,
        previous,
        links: &links,
        new_members: joined_within(&members, start, end, site),
        not_heard: if is_archive || now < end {
            Vec::new()
        } else {
            not_heard(&members, end)
        },
        status: if is_archive {
            DigestStatus::Archive
        } else {
            DigestStatus::Open
        },
        closes_at: (!is_archive).then(|| closes(week)),
        next_closes_at: closes(week.next()),
        entries,
    }))
}

/// When `week` closes: at the first closing once it has ended, be it that very instant.
fn closing_of(
    week: Week,
    site: &Site,
    next_close: &(dyn Fn(DateTime<Utc>) -> Option<DateTime<Utc>> + Send + Sync),
) -> DateTime<Utc> {
    let end = week.end(site.timezone);
    // A schedule without a further closing leaves the end of the week itself.
    next_close(end - TimeDelta::milliseconds(1)).unwrap_or(end)
}

/// The members whose first feed joined in the week.
fn joined_within(
    members: &[MemberDetail],
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    site: &Site,
) -> Vec<Member> {
    members
        .iter()
        .filter(|detail| {
            let joined = detail.feeds.iter().map(|feed| feed.joined).min();
            joined.is_some_and(|day| (start..end).contains(&start_of_day(day, site.timezone)))
        })
        .map(|detail| detail.member.clone())
        .collect()
}

/// The members of whom a feed has not answered since the week ended.
fn not_heard(members: &[MemberDetail], end: DateTime<Utc>) -> Vec<NotHeard> {
    members
        .iter()
        .filter_map(|detail| {
            let silent = |last: Option<DateTime<Utc>>| last.is_none_or(|at| at < end);
            let feeds = detail
                .feeds
                .iter()
                .filter(|feed| feed.status == FeedStatus::Active);
            let since = feeds
                .map(|feed| feed.last_success_at)
                .filter(|&last| silent(last))
                .min()?;
            Some(NotHeard {
                slug: detail.member.slug.clone(),
                since,
            })
        })
        .collect()
}

/// The form of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Page,
    Json,
    Markdown,
    Piece,
    Text,
    Csv,
}

impl Form {
    /// The week and the form that a name like `2015-W06.md` asks for.
    fn split(name: &str) -> Option<(&str, Self)> {
        let Some((week, extension)) = name.rsplit_once('.').filter(|(week, _)| !week.ends_with('.')) else {
            return Some((name, Self::Page));
        };
        let form = match extension {
            "json" => Self::Json,
            "md" => Self::Markdown,
            "html" => Self::Piece,
            "txt" => Self::Text,
            "csv" => Self::Csv,
            _ => return None,
        };
        Some((week, form))
    }
}

/// `/digest/{week}` and its other forms.
pub(crate) async fn week(asked: Asked) -> Made {
    let (week, form) = read_week(&asked)?;
    let view = read_view(&asked)?;
    let state = &asked.state;
    let now = state.now();
    let zone = asked.site.timezone;
    if week.start(zone) > now {
        return Err(Failure::not_found(format!("Week {week} has not begun yet.")));
    }
    let whole = digest_of_week(
        asked.store(),
        &asked.site,
        week,
        now,
        &*state.app.next_digest_close,
    )
    .await?;
    let shown = whole.view(&view);
    let document = match form {
        Form::Page => {
            let unlimited = whole.view(&DigestView {
                max_per_member: None,
                ..view
            });
            pages::digest_week(&asked, week, &shown, &unlimited).await?
        }
        Form::Json => Document::new(Kind::Json, shown.to_json()),
        Form::Markdown => Document::new(Kind::Markdown, shown.to_markdown()),
        Form::Piece => Document::new(Kind::Piece, shown.to_html()),
        Form::Text => Document::new(Kind::Text, shown.to_text()),
        Form::Csv => Document::new(Kind::Csv, shown.to_csv()),
    };
    // Who was not heard depends on the polls, which are no change to what readers see.
    let polled = asked.store().last_poll_at().await?;
    let ended = Some(week.end(zone)).filter(|end| *end <= now);
    let changed = [polled.filter(|_| ended.is_some()), ended]
        .into_iter()
        .flatten()
        .max();
    let changed = changed.unwrap_or(asked.changed).max(asked.changed);
    Ok(document.revalidated().changed_at(changed))
}

fn read_week(asked: &Asked) -> Result<(Week, Form), Failure> {
    let (name, form) = Form::split(&asked.name).ok_or_else(|| {
        Failure::not_found(
            "A digest comes as .json, .md, .html, .txt or .csv, or as a page without an ending.",
        )
    })?;
    if name.contains("..") {
        return Err(Failure::not_found(
            "Only closed weeks can be joined, and none is closed yet.",
        ));
    }
    name.parse()
        .map(|week| (week, form))
        .map_err(|error: <Week as FromStr>::Err| {
            let upper = name.to_ascii_uppercase();
            if upper != name && upper.parse::<Week>().is_ok() {
                let rest = &asked.name[name.len()..];
                return Failure::Moved(format!("/digest/{upper}{rest}{}", asked.parameters.query()));
            }
            Failure::not_found(format!("{error}."))
        })
}

fn read_view(asked: &Asked) -> Result<DigestView, Failure> {
    let parameters = &asked.parameters;
    let topic = parameters.get("topic").map(str::to_owned);
    if topic
        .as_ref()
        .is_some_and(|slug| asked.site.topic(slug).is_none())
    {
        return Err(Failure::parameter(
            "topic",
            "names no topic of this site; /topics lists them",
        ));
    }
    let layout_links = parameters.read_as("layout", |text| match text {
        "links" => Ok(true),
        _ => Err("must be “links” or left out"),
    })?;
    Ok(DigestView {
        topic,
        max_per_member: parameters
            .number("max_per_member", 1, 1000)?
            .map(|limit| limit as usize),
        layout_links: layout_links.unwrap_or(false),
    })
}

/// `/digest`: the issues, and the way to any week.
pub(crate) async fn issues(asked: Asked) -> Made {
    let zone = asked.site.timezone;
    if let Some(day) = asked.parameters.read_as("day", |text| {
        text.parse::<NaiveDate>()
            .map_err(|_| "must be a day like 2015-02-09")
    })? {
        return Err(Failure::Moved(format!(
            "/digest/{}",
            Week::of(start_of_day(day, zone), zone)
        )));
    }
    let this_week = Week::of(asked.state.now(), zone);
    let first = asked.store().first_success_at().await?;
    let closes = closing_of(this_week, &asked.site, &*asked.state.app.next_digest_close);
    let weeks: Vec<Week> = std::iter::successors(Some(this_week), |week| Some(week.previous()))
        .take(LISTED)
        .collect();
    let first = first.unwrap_or_else(|| asked.state.now());
    let is_archive = |week: &Week| week.end(zone) <= first;
    let document = pages::digest_issues(&asked, &weeks, is_archive, closes)?;
    Ok(document
        .revalidated()
        .changed_at(asked.changed.max(this_week.start(zone))))
}

/// `/digest/latest.json`: the last closed issue. While none is closed it says when the first will be.
pub(crate) async fn latest(asked: Asked) -> Made {
    let now = asked.state.now();
    let first_week = Week::of(
        asked.store().first_success_at().await?.unwrap_or(now),
        asked.site.timezone,
    );
    let earliest = first_week.end(asked.site.timezone) - TimeDelta::milliseconds(1);
    Err(Failure::NotYet((asked.state.app.next_digest_close)(
        earliest.max(now),
    )))
}
