//! The digest of a week as everybody gets it: computed while the week is open, closed once, corrected after a withdrawal, and
//! read back as it was closed. For the web, the schedule and the command line alike.

use chrono::{DateTime, Datelike, Utc};
use export::{Digest, DigestInput, DigestStatus, NotHeard, digest};
use model::{Feed, FeedStatus, Member, Site, Week, start_of_day};
use store::{IssueFormat, NewRevision, RevisionLookup, Store, StoreError, WeekContents, WeekRules};

/// Gives the first closing of digests after an instant; `None` if the schedule has no further one.
pub type NextClosing<'a> = &'a (dyn Fn(DateTime<Utc>) -> Option<DateTime<Utc>> + Send + Sync);

/// Why a closed issue of which we just read is not there any more: nothing that our own programs do.
const VANISHED: &str = "the issue is closed and has no revision that can be read";

/// The digest of `week` as it stands at `now`: what `/digest/{week}` shows and `voice digest` prints.
///
/// # Errors
/// When the store does not answer.
pub async fn digest_of_week(
    store: &Store,
    site: &Site,
    week: Week,
    now: DateTime<Utc>,
    next_closing: NextClosing<'_>,
) -> Result<Digest, StoreError> {
    if let Some(digest) = closed_digest(store, site, week, now).await? {
        return Ok(digest);
    }
    let rules = rules(site, week);
    let zone = site.timezone;
    // Before the first good poll every week that is over will have ended before it.
    let first = store.first_success_at().await?.unwrap_or(now);
    let is_archive = |week: Week| week.end(zone) <= first;
    let closes_at = |week: Week| (!is_archive(week)).then(|| week.closes_at(zone, next_closing));
    let (contents, status) = if is_archive(week) {
        (store.archive_contents(&rules).await?, DigestStatus::Archive)
    } else {
        (store.week_contents(&rules).await?, DigestStatus::Open)
    };
    Ok(gather(site, week, now, contents, status, &closes_at))
}

/// The latest revision of a closed week, without anything that was withdrawn; `None` while the week is not closed.
pub(crate) async fn closed_digest(
    store: &Store,
    site: &Site,
    week: Week,
    now: DateTime<Utc>,
) -> Result<Option<Digest>, StoreError> {
    settle_issue(store, site, week, now).await?;
    let Some(issue) = store.issue(week).await? else {
        return Ok(None);
    };
    match store
        .issue_revision(week, issue.revision, IssueFormat::Json)
        .await?
    {
        RevisionLookup::Found(document) => read(site, week, &document).map(Some),
        _ => Err(unreadable(week, VANISHED.to_owned())),
    }
}

/// Closes `week` at `now` unless it is closed; tells whether this call did. Earlier weeks are to be closed first.
///
/// # Errors
/// When the store does not answer; then the week is as open as before.
pub async fn close_issue(
    store: &Store,
    site: &Site,
    week: Week,
    now: DateTime<Utc>,
    next_closing: NextClosing<'_>,
) -> Result<bool, StoreError> {
    let Some(closing) = store.begin_closing(rules(site, week)).await? else {
        return Ok(false);
    };
    let contents = closing.contents().clone();
    let closes_at = |week: Week| Some(week.closes_at(site.timezone, next_closing));
    let digest = gather(site, week, now, contents, DigestStatus::Closed, &closes_at);
    let id = format!("tag:{},{}:digest-{week}", site.host(), now.year());
    closing.finish(now, &id, &new_revision(&digest)).await?;
    Ok(true)
}

/// Gives every issue that still holds something withdrawn a revision without it; tells which weeks those were.
///
/// # Errors
/// When the store does not answer.
pub async fn settle_issues(store: &Store, site: &Site, now: DateTime<Utc>) -> Result<Vec<Week>, StoreError> {
    let weeks = store.unsettled_issues().await?;
    for &week in &weeks {
        settle_issue(store, site, week, now).await?;
    }
    Ok(weeks)
}

/// Gives the issue of `week` a revision without what was withdrawn, if it still holds some.
pub(crate) async fn settle_issue(
    store: &Store,
    site: &Site,
    week: Week,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if !store.issue_is_unsettled(week).await? {
        return Ok(());
    }
    // Somebody else may have been quicker.
    let Some(correcting) = store.begin_correcting(week).await? else {
        return Ok(());
    };
    let digest = read(site, week, &correcting.json)?;
    let digest = digest.corrected(
        &correcting.withdrawn,
        &correcting.left,
        "withdrawn",
        now,
        &correcting.hash,
    );
    correcting.finish(now, &new_revision(&digest)).await?;
    // Who reads at this moment may be in the way; then the next to scrub does it.
    store.scrub().await.map(drop)
}

fn rules(site: &Site, week: Week) -> WeekRules {
    WeekRules {
        week,
        zone: site.timezone,
        late_days: site.digest_late_days,
    }
}

fn read(site: &Site, week: Week, document: &str) -> Result<Digest, StoreError> {
    Digest::read(site, document).map_err(|error| unreadable(week, error.to_string()))
}

fn unreadable(week: Week, message: String) -> StoreError {
    StoreError::Unreadable {
        table: "issue_revisions".to_owned(),
        column: "json".to_owned(),
        row: week.to_string(),
        message,
    }
}

fn new_revision(digest: &Digest) -> NewRevision {
    NewRevision {
        hash: digest.hash().expect("a closed digest has a hash"),
        title: digest.title(),
        entries: digest.entry_count() as u32,
        members: digest.member_count() as u32,
        organisations: digest.organisation_count() as u32,
        named: digest.named().map(str::to_owned).collect(),
        json: digest.to_json(),
        markdown: digest.to_markdown(),
        html: digest.to_html(),
        text: digest.to_text(),
        csv: digest.to_csv(),
    }
}

/// `closes_at` gives the closing of a week by the schedule; `None` if it never closes.
fn gather(
    site: &Site,
    week: Week,
    now: DateTime<Utc>,
    contents: WeekContents,
    status: DigestStatus,
    closes_at: &dyn Fn(Week) -> Option<DateTime<Utc>>,
) -> Digest {
    let zone = site.timezone;
    let is_archive = status == DigestStatus::Archive;
    let end = week.end(zone);
    digest(DigestInput {
        site,
        week,
        now,
        previous: contents.previous,
        links: &contents.links,
        new_members: joined_within(&contents.feeds, week, site),
        not_heard: if is_archive || now < end {
            Vec::new()
        } else {
            not_heard(&contents.feeds, end)
        },
        status,
        closes_at: closes_at(week),
        next_closes_at: closes_at(week.next()),
        entries: contents.entries,
        late: contents.late,
    })
}

/// The members whose first feed joined in the week, in the order in which they did.
fn joined_within(feeds: &[Feed], week: Week, site: &Site) -> Vec<Member> {
    let mut firsts: Vec<&Feed> = Vec::new();
    let is_member = |feed: &&Feed| !matches!(feed.status, FeedStatus::Pending | FeedStatus::Rejected);
    for feed in feeds.iter().filter(is_member) {
        match firsts
            .iter_mut()
            .find(|first| first.member.slug == feed.member.slug)
        {
            Some(first) if feed.joined < first.joined => *first = feed,
            Some(_) => {}
            None => firsts.push(feed),
        }
    }
    let zone = site.timezone;
    firsts.retain(|feed| (week.start(zone)..week.end(zone)).contains(&start_of_day(feed.joined, zone)));
    firsts.sort_by_key(|feed| (feed.joined, feed.id));
    // The blog's address is the first feed's own.
    firsts.into_iter().map(|feed| feed.member.clone()).collect()
}

/// The members of whom an active feed has not answered since the week ended, and since when.
fn not_heard(feeds: &[Feed], end: DateTime<Utc>) -> Vec<NotHeard> {
    let mut silent: Vec<NotHeard> = Vec::new();
    for feed in feeds.iter().filter(|feed| feed.status == FeedStatus::Active) {
        let since = feed.last_success_at;
        if since.is_some_and(|at| at >= end) {
            continue;
        }
        match silent.iter_mut().find(|known| known.slug == feed.member.slug) {
            Some(known) => known.since = known.since.min(since),
            None => silent.push(NotHeard {
                slug: feed.member.slug.clone(),
                since,
            }),
        }
    }
    silent.sort_by(|a, b| a.slug.cmp(&b.slug));
    silent
}
