//! The feeds on a member's own page: how each fares, looking now, pausing, moving, and adding one.

use chrono::TimeDelta;
use model::{Feed, FeedProblem, FeedStatus, normal_feed_address};
use poll::PollSummary;
use store::{Decided, MEMBER, MemberFeed, Registered, Registration};
use url::Url;

use super::owner::{May, Owner, decision};
use super::{Shown, again, mistaken, render};
use crate::asked::Asked;
use crate::blog_address;
use crate::failure::Failure;
use crate::form::Form;
use crate::pages::fares::Fare;
use crate::pages::preview::Preview;
use crate::pages::view::When;
use crate::private::{Replied, Reply, Visit};
use crate::throttle::Effort;

/// How long after a poll the next may be asked for.
const LOOK_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(10);
/// How many feeds a member may have.
const MOST_FEEDS: usize = 10;

/// A feed on its owner's page.
pub(super) struct OwnFeed {
    pub(super) slug: String,
    pub(super) fare: Fare,
    pub(super) state: Option<String>,
    pub(super) refuses_training: bool,
    pub(super) can_resume: bool,
    pub(super) can_look: bool,
    pub(super) preview: Option<Preview>,
    /// When the feed was last read.
    pub(super) read: Option<When>,
    /// What was wrong with it then.
    pub(super) problems: Vec<FeedProblem>,
    pub(super) form: Form,
}

pub(super) async fn own_feed(asked: &Asked, of: &MemberFeed) -> Result<OwnFeed, Failure> {
    let feed = &of.feed;
    let fare = Fare::of_all(asked, std::slice::from_ref(feed)).await?;
    let by_member = of.decided_by.as_deref().is_none_or(|by| by == MEMBER);
    let reason = of.decided_why.as_deref();
    let because = |words: &str| match reason {
        Some(reason) => format!("{words} They say: {reason}"),
        None => words.to_owned(),
    };
    let state = match feed.status {
        FeedStatus::Pending => Some("It waits for a moderator. Nothing of it is shown yet.".to_owned()),
        FeedStatus::Rejected => Some(because("A moderator did not take it on.")),
        FeedStatus::Paused if by_member => {
            Some("You paused it: we do not read it until you go on. What we hold stays readable.".to_owned())
        }
        FeedStatus::Paused => Some(because("A moderator paused it.")),
        FeedStatus::Retired => Some(because(
            "It has left and is not read any more. What we hold stays readable.",
        )),
        FeedStatus::Active | FeedStatus::Gone => None,
    };
    Ok(OwnFeed {
        slug: feed.slug.clone(),
        fare: fare
            .into_iter()
            .next()
            .ok_or_else(|| Failure::Internal("a feed fares in no way".to_owned()))?,
        state,
        refuses_training: feed.refuses_training,
        can_resume: matches!(feed.status, FeedStatus::Paused | FeedStatus::Gone) && by_member,
        can_look: feed.status == FeedStatus::Active,
        preview: of
            .preview
            .as_deref()
            .and_then(|preview| serde_json::from_str(preview).ok()),
        read: feed.last_success_at.map(|at| When::minute(at, &asked.site)),
        problems: asked.store().feed_problems(feed.id).await?,
        form: Form::filled([
            ("content", feed.content.as_str()),
            ("include", feed.include.as_str()),
            ("licence", feed.licence.as_deref().unwrap_or_default()),
        ]),
    })
}

/// A poll that is asked for, once in a while, and what came of it.
pub(super) async fn look(visit: &Visit, owner: &Owner, form: &Form) -> Replied {
    owner.must(May::Read)?;
    let feed = &owner.feed(form.value("feed"))?.feed;
    let now = visit.asked.state.now();
    let site = &visit.asked.site;
    if let Some(last) = feed.last_polled_at.filter(|last| now - *last < LOOK_AGAIN_AFTER) {
        let words = format!(
            "We looked last on {} and found: {}. We can look again from {} on.",
            When::minute(last, site).text,
            what_came(feed),
            When::minute(last + LOOK_AGAIN_AFTER, site).text
        );
        return again(visit, Shown::done(words)).await;
    }
    visit.count(Effort::Look)?;
    let summary = visit.asked.state.app.looker.poll_now(&feed.slug).await;
    let summary = summary.map_err(|error| Failure::Internal(error.to_string()))?;
    let problems = visit.asked.store().feed_problems(feed.id).await?;
    let loses_posts = problems.iter().any(|problem| problem.severity == "error");
    again(visit, Shown::done(came_of_it(&summary, loses_posts))).await
}

fn what_came(feed: &Feed) -> String {
    match (feed.last_outcome, &feed.last_error) {
        (Some(model::PollOutcome::Failed), Some(error)) => error.clone(),
        (Some(model::PollOutcome::Changed), _) => "something new".to_owned(),
        _ => "nothing new".to_owned(),
    }
}

/// What came of a poll; `loses_posts` where the feed is so broken that some of it is lost.
fn came_of_it(summary: &PollSummary, loses_posts: bool) -> String {
    if let Some(failure) = summary.failures.first() {
        return format!(
            "We looked just now, and could not read your feed: {}",
            failure.error
        );
    }
    if summary.feeds == 0 {
        return "We are looking at it this very moment, or your server asked us to wait. Open this page again in a minute.".to_owned();
    }
    let posts = |count, what| match count {
        0 => None,
        1 => Some(format!("one {what} post")),
        count => Some(format!("{count} {what} posts")),
    };
    let came = match (
        posts(summary.entries_new, "new"),
        posts(summary.entries_updated, "changed"),
    ) {
        (None, None) => "We looked just now and found nothing new.".to_owned(),
        (Some(some), None) | (None, Some(some)) => format!("We looked just now and found {some}."),
        (Some(new), Some(changed)) => format!("We looked just now and found {new} and {changed}."),
    };
    if loses_posts {
        format!("{came} But your feed is broken, and what is in it may be lost: see below how to mend it.")
    } else {
        came
    }
}

pub(super) async fn pause(visit: &Visit, owner: &Owner, form: &Form) -> Replied {
    owner.must(May::All)?;
    let feed = owner.feed(form.value("feed"))?;
    visit
        .asked
        .store()
        .pause_feed(&feed.feed.slug, &decision(&visit.asked))
        .await?;
    again(
        visit,
        Shown::done("Your feed is paused. What we hold stays readable."),
    )
    .await
}

pub(super) async fn resume(visit: &Visit, owner: &Owner, form: &Form) -> Replied {
    owner.must(May::All)?;
    let feed = owner.feed(form.value("feed"))?;
    if feed.feed.status == FeedStatus::Paused && feed.decided_by.as_deref().is_some_and(|by| by != MEMBER) {
        return Err(Failure::Refused(
            "A moderator paused this feed; ask them to go on with it.".to_owned(),
        ));
    }
    visit
        .asked
        .store()
        .resume_feed(&feed.feed.slug, &decision(&visit.asked))
        .await?;
    again(visit, Shown::done("We read your feed again, from now on.")).await
}

/// A new address of a feed: first looked at and shown, then, when confirmed, taken.
pub(super) async fn move_feed(visit: &Visit, owner: &Owner, mut form: Form) -> Replied {
    owner.must(May::All)?;
    let feed = owner.feed(form.value("feed"))?.feed.clone();
    let Some((to, preview)) = look_at(visit, &mut form, "address").await? else {
        return mistaken(visit, owner, form).await;
    };
    let store = visit.asked.store();
    let others = store.feed_among(&blog_address::spellings(&to)).await?;
    if normal_feed_address(&to) == normal_feed_address(&feed.url) {
        form.wrong("address", "That is the address that we read already");
    } else if others.is_some_and(|other| other.id != feed.id) {
        form.wrong("address", "That address is read for somebody already");
    }
    if !form.is_right() {
        return mistaken(visit, owner, form).await;
    }
    if form.has("sure", "yes") {
        let decision = decision(&visit.asked);
        let decided = store.move_feed(&feed.slug, &to, &decision).await?;
        if decided == Decided::Done && feed.status == FeedStatus::Gone {
            store.resume_feed(&feed.slug, &decision).await?;
        }
        if decided != Decided::Done {
            form.wrong("address", "That address is read for somebody already");
            return mistaken(visit, owner, form).await;
        }
        let words = format!("From now on we read {to}. Your posts keep their places and addresses here.");
        return again(visit, Shown::done(words)).await;
    }
    let shown = Shown {
        preview: Some(preview),
        moving: Some((feed.slug, to.to_string())),
        ..Shown::default()
    };
    Ok(Reply::page(render(&visit.asked, owner, shown).await?))
}

/// A further feed, which waits for a moderator as the first did.
pub(super) async fn add(visit: &Visit, owner: &Owner, mut form: Form) -> Replied {
    owner.must(May::All)?;
    if owner.membership.feeds.len() >= MOST_FEEDS {
        return Err(Failure::Refused(format!(
            "A member may have {MOST_FEEDS} feeds at most."
        )));
    }
    let Some((url, preview)) = look_at(visit, &mut form, "further").await? else {
        return mistaken(visit, owner, form).await;
    };
    let store = visit.asked.store();
    let spellings = blog_address::spellings(&url);
    if store.feed_among(&spellings).await?.is_some() {
        form.wrong(
            "further",
            "That feed is here already; if it is another’s, they have to let it go first",
        );
    } else if store.away_among(&spellings).await?.is_some() {
        form.wrong(
            "further",
            "That feed was withdrawn or not taken on before; a moderator has to let it in",
        );
    }
    if !form.is_right() {
        return mistaken(visit, owner, form).await;
    }
    if form.has("sure", "yes") {
        let first = owner.membership.feeds.first().map(|feed| &feed.feed);
        let mut spec = model::FeedSpec::new(url, "");
        spec.name = None;
        spec.member = Some(owner.slug().to_owned());
        spec.content = first.map(|feed| feed.content);
        spec.include = first.map(|feed| feed.include);
        spec.site = preview.site.as_deref().and_then(|site| Url::parse(site).ok());
        let registration = Registration {
            feed: spec,
            preview: serde_json::to_string(&preview).ok(),
            consented_at: Some(visit.asked.state.now()),
        };
        let now = visit.asked.state.now();
        let zone = visit.asked.site.timezone;
        let registered = store.register(&registration, now, zone).await?;
        if matches!(registered, Registered::Pending { .. }) {
            return again(visit, Shown::done("Your further feed waits for a moderator.")).await;
        }
        form.wrong("further", "That feed is here already");
        return mistaken(visit, owner, form).await;
    }
    let shown = Shown {
        preview: Some(preview),
        adding: Some(url.to_string()),
        ..Shown::default()
    };
    Ok(Reply::page(render(&visit.asked, owner, shown).await?))
}

/// The feed at the address in this field and what it looks like; else the mistake is noted.
async fn look_at(visit: &Visit, form: &mut Form, field: &str) -> Result<Option<(Url, Preview)>, Failure> {
    let addresses = match blog_address::read(form.value(field)) {
        Ok(addresses) => addresses,
        Err(mistake) => {
            form.wrong(field, mistake);
            return Ok(None);
        }
    };
    visit.count(Effort::Look)?;
    let mut message = None;
    for address in addresses {
        let looker = &visit.asked.state.app.looker;
        let report = if form.has("sure", "yes") {
            looker.recall(&address).await
        } else {
            looker.check(&address).await
        };
        let report = report.map_err(|busy| Failure::Busy(busy.to_string()))?;
        if let (Some(preview), Some(url)) = (
            Preview::of(&report, &visit.asked.site),
            report.url.as_deref().and_then(|url| Url::parse(url).ok()),
        ) {
            return Ok(Some((url, preview)));
        }
        if message.is_none() {
            message = report.problems.first().map(|problem| problem.message.clone());
        }
    }
    form.wrong(
        field,
        format!(
            "We found no feed there: {}",
            message.unwrap_or_else(|| "nothing names one".to_owned())
        ),
    );
    Ok(None)
}
