//! Members and their feeds, as moderators see them: who asks to join, what is held, who is who.

use askama::Template;
use chrono::{DateTime, Utc};
use model::{FeedStatus, Site};
use store::{Cause, Decided, MemberFeed, Membership};

use super::super::page;
use super::super::preview::Preview;
use super::super::shell::Shell;
use super::super::view::When;
use super::{done, receipt, shell};
use crate::admin::Who;
use crate::failure::Failure;
use crate::form::Form;
use crate::links;
use crate::look_alikes;
use crate::private::{Replied, Reply, Visit};

/// The parameters of the list.
pub(crate) const LIST: &[&str] = &["state", "done"];

/// The longest reason, in characters.
pub(super) const LONGEST_REASON: usize = 1000;

/// One feed in the list.
struct Row {
    name: String,
    path: String,
    organisation: Option<String>,
    address: String,
    state: String,
    reason: String,
    verified: bool,
    since: When,
}

#[derive(Template)]
#[template(path = "admin/feeds.html")]
struct Feeds {
    shell: Shell,
    who: Who,
    done: Option<&'static str>,
    heading: &'static str,
    rows: Vec<Row>,
}

/// `/admin/feeds`
pub(crate) async fn feeds(visit: Visit, who: Who) -> Replied {
    let (heading, wanted): (_, fn(&MemberFeed) -> bool) = match visit.asked.parameters.get("state") {
        None => ("Members and their feeds", |_| true),
        Some("pending") => ("Blogs that ask to join", |one| {
            one.feed.status == FeedStatus::Pending
        }),
        Some("held") => ("Feeds that are held", |one| one.feed.held.is_some()),
        Some("proposed") => ("New addresses that pages propose", |one| {
            one.feed.proposed.is_some()
        }),
        Some("rejected") => ("Blogs that were not taken on", |one| {
            one.feed.status == FeedStatus::Rejected
        }),
        Some(_) => {
            return Err(Failure::parameter(
                "state",
                "must be pending, held, proposed or rejected",
            ));
        }
    };
    let (site, now) = (&visit.asked.site, visit.asked.state.now());
    let mut rows = Vec::new();
    for membership in visit.asked.store().memberships().await? {
        for one in membership.feeds.iter().filter(|one| wanted(one)) {
            let health = one.feed.health(site.timezone, now);
            rows.push(Row {
                name: membership.member.name.clone(),
                path: of_member(&membership.member.slug),
                organisation: membership.member.organisation.clone(),
                address: one.feed.url.to_string(),
                state: state(one, site, now),
                reason: health.reason,
                verified: membership.verified.is_some(),
                since: When::day(one.registered_at.unwrap_or(membership.created_at), site),
            });
        }
    }
    Ok(Reply::page(page(&Feeds {
        shell: shell(site, heading),
        done: done(&visit),
        who,
        heading,
        rows,
    })?))
}

/// In a word.
fn state(one: &MemberFeed, site: &Site, now: DateTime<Utc>) -> String {
    match one.feed.status {
        FeedStatus::Pending => "waits for approval".to_owned(),
        FeedStatus::Rejected => "not taken on".to_owned(),
        FeedStatus::Paused => "paused".to_owned(),
        FeedStatus::Retired => "left".to_owned(),
        FeedStatus::Active | FeedStatus::Gone => one.feed.health(site.timezone, now).state.to_string(),
    }
}

/// One feed on the member's page.
struct One {
    slug: String,
    address: String,
    site: Option<String>,
    state: String,
    reason: String,
    decided: Option<String>,
    preview: Option<Preview>,
    proposed: Option<String>,
    status: FeedStatus,
    is_held: bool,
    is_decided: bool,
    entries: u32,
    content: &'static str,
    include: &'static str,
    licence: Option<String>,
}

impl One {
    fn is_pending(&self) -> bool {
        self.status == FeedStatus::Pending
    }

    fn is_rejected(&self) -> bool {
        self.status == FeedStatus::Rejected
    }

    fn may_pause(&self) -> bool {
        matches!(self.status, FeedStatus::Active | FeedStatus::Gone)
    }

    fn may_resume(&self) -> bool {
        match self.status {
            FeedStatus::Paused | FeedStatus::Gone => true,
            FeedStatus::Retired => self.is_decided,
            _ => self.is_held,
        }
    }
}

#[derive(Template)]
#[template(path = "admin/member.html")]
struct MemberPage {
    shell: Shell,
    who: Who,
    done: Option<&'static str>,
    form: Form,
    /// The feed whose form has a mistake, if it is a feed's.
    mistaken: String,
    slug: String,
    name: String,
    organisation: Option<String>,
    kind: &'static str,
    public: Option<String>,
    verified: Option<(When, String)>,
    consented: Option<When>,
    /// Whether an address is known, and confirmed: not the address, which nobody here needs.
    email: &'static str,
    feeds: Vec<One>,
    others: Vec<(String, String)>,
    /// Members whose names look like this one: path and name.
    alike: Vec<(String, String)>,
}

/// `/admin/members/{slug}`
pub(crate) async fn member(visit: Visit, who: Who) -> Replied {
    let slug = visit.asked.name.clone();
    let document = member_page(&visit, who, &slug, Form::default(), "").await?;
    Ok(Reply::page(document))
}

async fn member_page(visit: &Visit, who: Who, slug: &str, form: Form, mistaken: &str) -> crate::asked::Made {
    let memberships = visit.asked.store().memberships().await?;
    let Some(found) = memberships.iter().find(|one| one.member.slug == slug) else {
        return Err(Failure::not_found(
            "There is no such member; perhaps they left, or were merged.",
        ));
    };
    let (site, now) = (&visit.asked.site, visit.asked.state.now());
    let title = format!(
        "{}{}",
        if form.is_right() { "" } else { "Error: " },
        found.member.name
    );
    page(&MemberPage {
        shell: shell(site, &title),
        who,
        done: done(visit),
        form,
        mistaken: mistaken.to_owned(),
        slug: slug.to_owned(),
        name: found.member.name.clone(),
        organisation: found.member.organisation.clone(),
        kind: found.member.kind.as_str(),
        public: (found.feeds.iter())
            .any(|one| one.feed.status.is_public())
            .then(|| links::member(slug)),
        verified: (found.verified.as_ref()).map(|(at, how)| (When::day(*at, site), how.clone())),
        consented: found.consented_at.map(|at| When::day(at, site)),
        email: match &found.email {
            None => "none",
            Some(email) if email.confirmed_at.is_some() => "confirmed",
            Some(_) => "not confirmed yet",
        },
        feeds: found.feeds.iter().map(|one| one_feed(one, site, now)).collect(),
        others: others(&memberships, slug),
        alike: alike(&memberships, found),
    })
}

fn others(memberships: &[Membership], slug: &str) -> Vec<(String, String)> {
    (memberships.iter())
        .filter(|one| one.member.slug != slug)
        .map(|one| (one.member.slug.clone(), one.member.name.clone()))
        .collect()
}

/// Who is called so that readers might take the one for the other.
fn alike(memberships: &[Membership], of: &Membership) -> Vec<(String, String)> {
    let face = look_alikes::face(&of.member.name);
    (memberships.iter())
        .filter(|one| one.member.slug != of.member.slug && look_alikes::face(&one.member.name) == face)
        .map(|one| (of_member(&one.member.slug), one.member.name.clone()))
        .collect()
}

fn of_member(slug: &str) -> String {
    format!("/admin/members/{}", links::segment(slug))
}

fn one_feed(one: &MemberFeed, site: &Site, now: DateTime<Utc>) -> One {
    let feed = &one.feed;
    let decided = one.decided_by.as_ref().map(|by| match &one.decided_why {
        Some(why) => format!("Decided by {by}: {why}"),
        None => format!("Decided by {by}."),
    });
    let mut preview: Option<Preview> = one
        .preview
        .as_deref()
        .and_then(|preview| serde_json::from_str(preview).ok());
    for post in preview.iter_mut().flat_map(|preview| &mut preview.posts) {
        post.url = post.url.as_deref().and_then(links::web_address);
    }
    One {
        slug: feed.slug.clone(),
        address: feed.url.to_string(),
        site: feed.member.url.as_deref().and_then(links::web_address),
        state: state(one, site, now),
        reason: feed.health(site.timezone, now).reason,
        decided,
        preview,
        proposed: feed.proposed.as_ref().map(ToString::to_string),
        status: feed.status,
        is_held: feed.held.is_some(),
        is_decided: one.decided_by.is_some(),
        entries: feed.entries,
        content: feed.content.as_str(),
        include: feed.include.as_str(),
        licence: feed.licence.clone(),
    }
}

/// `POST /admin/feeds/{slug}`
pub(crate) async fn decide_feed(mut visit: Visit, who: Who) -> Replied {
    let feed = visit.asked.name.clone();
    let store = visit.asked.store().clone();
    let owner = store.feeds().await?.into_iter().find(|found| found.slug == feed);
    let Some(owner) = owner.map(|feed| feed.member.slug) else {
        return Err(Failure::not_found(
            "There is no such feed; perhaps it was withdrawn.",
        ));
    };
    let (now, action) = (visit.asked.state.now(), visit.form.value("do").to_owned());
    let why = visit.form.optional("why", LONGEST_REASON).unwrap_or_default();
    if action == "reject" && why.is_empty() && visit.form.is_right() {
        visit
            .form
            .wrong("why", "Enter the reason, which the blogger will read");
    }
    if action == "withdraw" && !visit.form.has("sure", "yes") {
        visit
            .form
            .wrong("sure", "Tick the box if you are sure: this cannot be undone");
    }
    if !visit.form.is_right() {
        let form = std::mem::take(&mut visit.form);
        let document = member_page(&visit, who, &owner, form, &format!("{action} {feed}")).await?;
        return Ok(Reply::mistaken(document));
    }
    let decision = who.decides(Some(&why), now);
    let (decided, word) = match action.as_str() {
        "approve" => (store.approve_feed(&feed, &decision).await?, "approved"),
        "reject" => (store.reject_feed(&feed, &decision).await?, "rejected"),
        "pause" => (store.pause_feed(&feed, &decision).await?, "paused"),
        "resume" => (store.resume_feed(&feed, &decision).await?, "resumed"),
        "remove" => (store.remove_feed(&feed, &decision).await?, "removed"),
        "move" => (store.take_proposed_address(&feed, &decision).await?, "moved"),
        "withdraw" => {
            let gone = store.withdraw_feed(&feed, Cause::Moderator, &decision).await?;
            let gone = gone.ok_or_else(|| Failure::not_found("It was withdrawn already."))?;
            return receipt(&visit, who.clone(), &gone);
        }
        _ => {
            return Err(Failure::parameter(
                "do",
                "is nothing that can be done with a feed",
            ));
        }
    };
    let word = match decided {
        Decided::Done => word,
        Decided::Already => "already",
        Decided::Retired | Decided::NotTakenOn | Decided::TakenOn => "refused",
        Decided::Unknown => "nothing",
    };
    Ok(Reply::see(format!(
        "/admin/members/{}?done={word}",
        links::segment(&owner)
    )))
}

#[derive(Template)]
#[template(path = "admin/link.html")]
struct NewLink {
    shell: Shell,
    who: Who,
    name: String,
    link: String,
}

/// `POST /admin/members/{slug}`
pub(crate) async fn decide_member(mut visit: Visit, who: Who) -> Replied {
    let slug = visit.asked.name.clone();
    let (store, now) = (visit.asked.store().clone(), visit.asked.state.now());
    let Some(membership) = store.membership(&slug).await? else {
        return Err(Failure::not_found(
            "There is no such member; perhaps they left, or were merged.",
        ));
    };
    let action = visit.form.value("do").to_owned();
    let why = visit.form.optional("why", LONGEST_REASON).unwrap_or_default();
    if action == "withdraw-all" && !visit.form.has("sure-all", "yes") {
        visit
            .form
            .wrong("sure-all", "Tick the box if you are sure: this cannot be undone");
    }
    if action == "merge" && store.membership(visit.form.value("into")).await?.is_none() {
        visit.form.wrong("into", "Choose the member who stays");
    }
    if !visit.form.is_right() {
        let form = std::mem::take(&mut visit.form);
        return Ok(Reply::mistaken(
            member_page(&visit, who, &slug, form, &action).await?,
        ));
    }
    let decision = who.decides(Some(&why), now);
    match action.as_str() {
        "merge" => {
            let into = visit.form.value("into").to_owned();
            if !store.merge_members(&slug, &into, &decision).await? {
                return Ok(Reply::see(format!(
                    "/admin/members/{}?done=nothing",
                    links::segment(&slug)
                )));
            }
            Ok(Reply::see(format!(
                "/admin/members/{}?done=merged",
                links::segment(&into)
            )))
        }
        "link" => {
            let Some(secret) = store.new_link(&slug, &decision).await? else {
                return Err(Failure::not_found("There is no such member."));
            };
            let path = format!("/manage/{}", secret.reveal());
            Ok(Reply::page(page(&NewLink {
                shell: shell(&visit.asked.site, "A new private link"),
                name: membership.member.name,
                link: visit.asked.site.absolute(&path),
                who: who.clone(),
            })?))
        }
        "withdraw-all" => {
            let gone = store.withdraw_member(&slug, Cause::Moderator, &decision).await?;
            let gone = gone.ok_or_else(|| Failure::not_found("They left already."))?;
            receipt(&visit, who.clone(), &gone)
        }
        _ => Err(Failure::parameter(
            "do",
            "is nothing that can be done with a member",
        )),
    }
}
