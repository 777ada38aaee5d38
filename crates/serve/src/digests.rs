//! Digests on the web: which week is asked for, which revision of it, and in which form it is given.

use std::collections::HashMap;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use export::{Digest, DigestView, Edition, FeedInfo, json};
use model::{Entry, Member, MemberKind, Site, Week, start_of_day};
use serde::Serialize;
use store::{Issue, IssueFormat, RevisionLookup};

use crate::asked::{Asked, Made};
use crate::document::{Document, Kind};
use crate::failure::Failure;
use crate::feeds::Format;
use crate::fixed::feed_style_path;
use crate::issues::{closed_digest, digest_of_week, settle_issue, settle_issues};
use crate::pages;

/// The parameters of a digest.
pub(crate) const PARAMETERS: &[&str] = &["topic", "max_per_member", "layout", "edited"];

/// The parameter of the list of issues: a day whose week is wanted.
pub(crate) const ISSUES_PARAMETERS: &[&str] = &["day"];

/// How many issues the list names, and how many open and archive weeks.
const LISTED: u32 = 500;
const LISTED_UNCLOSED: usize = 12;

/// How many issues a feed of them has.
const IN_FEED: u32 = 10;

/// How many weeks can be joined.
const JOINED: usize = 53;

/// The name that stands for the last closed week.
const LATEST: &str = "latest";

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

impl Form {
    /// The format in which a closed week has it stored; pages are not.
    fn stored(self) -> Option<IssueFormat> {
        Some(match self {
            Self::Page => return None,
            Self::Json => IssueFormat::Json,
            Self::Markdown => IssueFormat::Markdown,
            Self::Piece => IssueFormat::Html,
            Self::Text => IssueFormat::Text,
            Self::Csv => IssueFormat::Csv,
        })
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Page => "",
            Self::Json => ".json",
            Self::Markdown => ".md",
            Self::Piece => ".html",
            Self::Text => ".txt",
            Self::Csv => ".csv",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Page => Kind::Page,
            Self::Json => Kind::Json,
            Self::Markdown => Kind::Markdown,
            Self::Piece => Kind::Piece,
            Self::Text => Kind::Text,
            Self::Csv => Kind::Csv,
        }
    }

    async fn write(self, asked: &Asked, digest: &Digest, view: DigestView) -> Made {
        let shown = digest.view(&view);
        let body = match self {
            Self::Page => {
                let unlimited = digest.view(&DigestView {
                    max_per_member: None,
                    ..view
                });
                return pages::digest_week(asked, &shown, &unlimited).await;
            }
            Self::Json => shown.to_json(),
            Self::Markdown => shown.to_markdown(),
            Self::Piece => shown.to_html(),
            Self::Text => shown.to_text(),
            Self::Csv => shown.to_csv(),
        };
        Ok(Document::new(self.kind(), body))
    }
}

/// `/digest/{week}` and its other forms, `/digest/{week}..{week}` and `/digest/latest.json`.
pub(crate) async fn week(asked: Asked) -> Made {
    let (name, form) = Form::split(&asked.name).ok_or_else(|| {
        Failure::not_found(
            "A digest comes as .json, .md, .html, .txt or .csv, or as a page without an ending.",
        )
    })?;
    let view = read_view(&asked)?;
    let edited = wants_edited(&asked)?;
    if name == LATEST {
        return latest(&asked, form, view, edited).await;
    }
    if let Some((first, last)) = name.split_once("..") {
        let (first, last) = (read_week(&asked, name, first)?, read_week(&asked, name, last)?);
        if edited {
            return Err(Failure::parameter(
                "edited",
                "goes with one week; joined weeks are as they were closed",
            ));
        }
        return joined(&asked, first, last, form, view).await;
    }
    let week = read_week(&asked, name, name)?;
    let state = &asked.state;
    let (now, zone) = (state.now(), asked.site.timezone);
    if week.start(zone) > now {
        return Err(not_begun(week, &asked.site));
    }
    settle_issue(asked.store(), &asked.site, week, now).await?;
    if let Some(issue) = asked.store().issue(week).await? {
        return closed(&asked, &issue, form, view, edited).await;
    }
    let edition = published_edition(&asked, week, edited).await?;
    let mut digest = digest_of_week(
        asked.store(),
        &asked.site,
        week,
        now,
        &*state.app.next_digest_close,
    )
    .await?;
    if let Some(edition) = &edition {
        digest = digest.edited(edition);
    }
    let document = form.write(&asked, &digest, view).await?;
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

/// A closed week: the bytes of its latest revision, or a view of them.
async fn closed(asked: &Asked, issue: &Issue, form: Form, view: DigestView, edited: bool) -> Made {
    if let Some(format) = form.stored()
        && view.is_whole()
        && !edited
    {
        return revision(asked, issue, issue.revision, form, format).await;
    }
    let digest = closed_digest(asked.store(), &asked.site, issue.week, asked.state.now()).await?;
    let mut digest = digest.ok_or_else(|| Failure::Internal(format!("the issue {} is gone", issue.week)))?;
    if let Some(edition) = published_edition(asked, issue.week, edited).await? {
        digest = digest.edited(&edition);
    }
    Ok(form.write(asked, &digest, view).await?.revalidated())
}

/// The stored bytes of one revision.
async fn revision(asked: &Asked, issue: &Issue, number: u32, form: Form, format: IssueFormat) -> Made {
    let week = issue.week;
    match asked.store().issue_revision(week, number, format).await? {
        RevisionLookup::Found(body) => Ok(Document::new(form.kind(), body)
            .revalidated()
            .changed_at(issue.made_at)),
        RevisionLookup::Gone => Err(Failure::Replaced(format!("/digest/{week}{}", form.extension()))),
        RevisionLookup::Unknown => Err(Failure::not_found(match issue.revision {
            1 => format!("The digest of {week} has one revision, r1."),
            last => format!("The digest of {week} has the revisions r1 to r{last}."),
        })),
    }
}

/// `/digest/latest.json`: the last closed issue itself. While none is closed it says when the first will be.
async fn latest(asked: &Asked, form: Form, view: DigestView, edited: bool) -> Made {
    let now = asked.state.now();
    settle_issues(asked.store(), &asked.site, now).await?;
    if let Some(issue) = asked.store().issues(1).await?.first() {
        let path = format!(
            "/digest/{}{}{}",
            issue.week,
            form.extension(),
            asked.parameters.query()
        );
        return Ok(closed(asked, issue, form, view, edited).await?.located(path));
    }
    let zone = asked.site.timezone;
    let next = &asked.state.app.next_digest_close;
    let first = asked.store().first_success_at().await?;
    let closes = Week::of(first.unwrap_or(now), zone).closes_at(zone, |after| next(after));
    // A closing that is overdue happens at the next one at the latest.
    let at = if closes > now { Some(closes) } else { next(now) };
    Err(Failure::NotYet(at))
}

fn wants_edited(asked: &Asked) -> Result<bool, Failure> {
    let edited = asked.parameters.read_as("edited", |text| match text {
        "1" => Ok(true),
        _ => Err("must be 1 or left out"),
    })?;
    Ok(edited.unwrap_or(false))
}

/// What an editor published of the week, where that is asked for.
async fn published_edition(asked: &Asked, week: Week, edited: bool) -> Result<Option<Edition>, Failure> {
    if !edited {
        return Ok(None);
    }
    let stored = asked.store().edition(week).await?;
    let published = stored.and_then(|stored| stored.published).ok_or_else(|| {
        Failure::not_found(format!(
            "No edited version of {week} is published; without edited=1 the digest itself is here."
        ))
    })?;
    pages::admin::edition(&published).map(Some)
}

/// Several closed weeks as one.
async fn joined(asked: &Asked, first: Week, last: Week, form: Form, view: DigestView) -> Made {
    let next = |week: &Week| Some(week.next()).filter(|next| *next <= last);
    let weeks: Vec<Week> = std::iter::successors(Some(first).filter(|first| *first <= last), next)
        .take(JOINED + 1)
        .collect();
    if weeks.is_empty() {
        return Err(Failure::not_found(format!(
            "{first} comes after {last}; the first week stands first."
        )));
    }
    if weeks.len() > JOINED {
        return Err(Failure::not_found(format!(
            "At most {JOINED} weeks can be joined."
        )));
    }
    let mut digests = Vec::with_capacity(weeks.len());
    for week in weeks {
        let digest = closed_digest(asked.store(), &asked.site, week, asked.state.now()).await?;
        digests.push(digest.ok_or_else(|| {
            Failure::not_found(format!(
                "Only closed weeks can be joined, and {week} is not closed."
            ))
        })?);
    }
    let digest = Digest::join(digests).ok_or_else(|| Failure::not_found("No week is asked for."))?;
    Ok(form.write(asked, &digest, view).await?.revalidated())
}

/// `/digest/{week}/r{n}.json` and the other kinds, and `/digest/{week}/changes.json`.
pub(crate) async fn of_week(asked: Asked) -> Made {
    let unknown = || {
        Failure::not_found(
            "A closed week has its revisions, like r1.json, r1.md, r1.html, r1.txt and r1.csv, and changes.json.",
        )
    };
    let (_, name) = asked.path.rsplit_once('/').ok_or_else(unknown)?;
    let week = asked
        .name
        .parse()
        .map_err(|_| week_failure(&asked, &asked.name, &asked.name))?;
    if week_has_not_begun(&asked, week) {
        return Err(not_begun(week, &asked.site));
    }
    settle_issue(asked.store(), &asked.site, week, asked.state.now()).await?;
    let issue = asked.store().issue(week).await?.ok_or_else(|| {
        Failure::not_found(format!(
            "{week} is not closed, so it has neither revisions nor changes since."
        ))
    })?;
    if name == "changes.json" {
        return changes(&asked, &issue).await;
    }
    let (name, form) = Form::split(name).ok_or_else(unknown)?;
    let number = name
        .strip_prefix('r')
        .filter(|number| !number.starts_with(['0', '+']))
        .and_then(|number| number.parse().ok())
        .ok_or_else(unknown)?;
    let format = form.stored().ok_or_else(unknown)?;
    revision(&asked, &issue, number, form, format).await
}

/// An entry of a closed week that reads otherwise now.
#[derive(Serialize)]
struct Changed {
    id: String,
    key: String,
    updated: String,
    title: Option<OldAndNew>,
    url: Option<OldAndNew>,
    summary: Option<OldAndNew>,
}

#[derive(Serialize)]
struct OldAndNew {
    old: Option<String>,
    new: Option<String>,
}

impl OldAndNew {
    fn of(old: Option<&str>, new: Option<&str>) -> Option<Self> {
        (old != new).then(|| Self {
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        })
    }
}

/// What became of the entries of a closed week since.
async fn changes(asked: &Asked, issue: &Issue) -> Made {
    #[derive(Serialize)]
    struct Since {
        id: String,
        revision: u32,
        url: String,
        changes: Vec<Changed>,
    }
    let closed = closed_digest(asked.store(), &asked.site, issue.week, asked.state.now()).await?;
    let now: HashMap<String, Entry> = asked
        .store()
        .issue_entries_now(issue.week)
        .await?
        .into_iter()
        .map(|entry| (entry.key.clone(), entry))
        .collect();
    let changes = closed.iter().flat_map(Digest::entries).filter_map(|old| {
        let new = now.get(&old.key)?;
        let changed = Changed {
            id: old.id.clone(),
            key: old.key.clone(),
            updated: instant(new.updated),
            title: OldAndNew::of(old.title.as_deref(), new.title.as_deref()),
            url: OldAndNew::of(old.url.as_deref(), new.url.as_deref()),
            summary: OldAndNew::of(Some(&old.summary), Some(&new.summary)),
        };
        let differs = changed.title.is_some() || changed.url.is_some() || changed.summary.is_some();
        differs.then_some(changed)
    });
    let document = Since {
        id: issue.week.to_string(),
        revision: issue.revision,
        url: asked.site.absolute(&format!("/digest/{}.json", issue.week)),
        changes: changes.collect(),
    };
    Ok(Document::new(Kind::Json, json(&document)).revalidated())
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// `/digest/feed.atom`: one item an issue, dated by its closing, whole inside.
pub(crate) async fn feed(asked: Asked, format: Format) -> Made {
    let site = &asked.site;
    settle_issues(asked.store(), site, asked.state.now()).await?;
    let issues = asked.store().issues(IN_FEED).await?;
    let mut entries = Vec::with_capacity(issues.len());
    for issue in &issues {
        let piece = asked.store().issue_piece(issue.week, issue.revision).await?;
        entries.push(item(site, issue, piece));
    }
    let updated = issues.iter().map(|issue| issue.made_at).max();
    let info = FeedInfo {
        site,
        title: format!("{}: digest", site.title),
        subtitle: "Every issue of the weekly digest, whole, once it is closed".to_owned(),
        path: "/digest/feed".to_owned(),
        html_path: "/digest".to_owned(),
        updated: updated.unwrap_or(asked.changed),
        archive: None,
        withdrawn: Vec::new(),
        style: Some(feed_style_path()),
    };
    Ok(format.write(&info, &entries).revalidated())
}

/// An issue as an entry of a feed.
fn item(site: &Site, issue: &Issue, piece: Option<model::SafeHtml>) -> Entry {
    let member = Member {
        slug: "digest".to_owned(),
        name: site.title.clone(),
        organisation: None,
        url: Some(site.absolute("/")),
        kind: MemberKind::Team,
    };
    Entry {
        key: issue.week.to_string(),
        id: issue.id.clone(),
        url: Some(site.absolute(&format!("/digest/{}", issue.week))),
        title: Some(issue.title.clone()),
        summary: pages::counted(issue.entries, issue.members, issue.organisations),
        content_html: piece,
        author: site.title.clone(),
        member,
        also_in: Vec::new(),
        published: issue.closed_at,
        updated: issue.made_at,
        released: issue.closed_at,
        arrived: issue.closed_at,
        language: Some(site.language.clone()),
        words: 0,
        topics: Vec::new(),
        hashtags: Vec::new(),
        categories: Vec::new(),
        image: None,
        enclosures: Vec::new(),
        licence: None,
        changed: issue.made_at,
        feed_url: site.absolute("/digest/feed.atom"),
    }
}

fn week_has_not_begun(asked: &Asked, week: Week) -> bool {
    week.start(asked.site.timezone) > asked.state.now()
}

fn not_begun(week: Week, site: &Site) -> Failure {
    let start = week.start(site.timezone).with_timezone(&site.timezone);
    Failure::not_found(format!(
        "Week {week} has not begun yet; it begins on {}.",
        start.format("%-d %B %Y")
    ))
}

/// The week that stands as `text` in `name`, the path without its ending.
fn read_week(asked: &Asked, name: &str, text: &str) -> Result<Week, Failure> {
    text.parse().map_err(|_| week_failure(asked, name, text))
}

/// Why `text`, in `name`, is no week; one that is written small is sent where it stands.
fn week_failure(asked: &Asked, name: &str, text: &str) -> Failure {
    let upper = name.to_ascii_uppercase();
    let is_week = |text: &str| text.parse::<Week>().is_ok();
    let reads = match upper.split_once("..") {
        Some((first, last)) => is_week(first) && is_week(last),
        None => is_week(&upper),
    };
    if upper != name && reads {
        let path = asked.path.replacen(name, &upper, 1);
        return Failure::Moved(format!("{path}{}", asked.parameters.query()));
    }
    match Week::from_str(text) {
        Err(error) => Failure::not_found(format!("{error}.")),
        Ok(_) => Failure::not_found("This is no week."),
    }
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
    let now = asked.state.now();
    settle_issues(asked.store(), &asked.site, now).await?;
    let this_week = Week::of(now, zone);
    let issues = asked.store().issues(LISTED).await?;
    let first = asked.store().first_success_at().await?.unwrap_or(now);
    let next = &asked.state.app.next_digest_close;
    let closes = this_week.closes_at(zone, |after| next(after));
    let newest = issues.first().map(|issue| issue.week);
    let unclosed: Vec<Week> = std::iter::successors(Some(this_week), |week| Some(week.previous()))
        .take_while(|week| newest.is_none_or(|newest| *week > newest))
        .take(LISTED_UNCLOSED)
        .collect();
    let is_archive = |week: &Week| week.end(zone) <= first;
    let document = pages::digest_issues(&asked, &unclosed, &issues, is_archive, closes)?;
    Ok(document
        .revalidated()
        .changed_at(asked.changed.max(this_week.start(zone))))
}
