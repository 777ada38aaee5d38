//! `/manage/{token}`: a member's own page. The address is the key to it, so it stands in no redirect, no log and no
//! referrer: a form here answers with the page itself. Everything that a form does may be done twice.
//!
//! A link that is not proved reads, and corrects what waits for approval if it is the one that came of that registration;
//! one that somebody else asked for tells how to prove the blog, and nothing that is not public. What a link may do is
//! decided in one place, [`Owner::open`] and [`Owner::must`].

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use model::{Feed, FeedStatus, normal_feed_address};
use poll::{LookError, PollSummary, Proof, Wanted};
use sha2::{Digest, Sha256};
use store::{
    Cause, Decided, Decision, FeedChange, MEMBER, MemberChange, MemberFeed, Membership, NoticeKind, Receipt,
    Registered, Registration, Secret,
};
use url::Url;

use super::fares::Fare;
use super::manage_posts::PostLine;
use super::page;
use super::preview::Preview;
use super::register::{read_choices, read_email};
use super::shell::{Part, Shell};
use super::view::When;
use crate::asked::Asked;
use crate::blog_address;
use crate::document::{Document, Kind};
use crate::failure::Failure;
use crate::form::Form;
use crate::links;
use crate::private::{Replied, Reply, Visit};
use crate::throttle::Effort;

/// The name of the `meta` element that proves a blog.
const META: &str = "localgov-digital-voice";
/// How long after a poll the next may be asked for.
const LOOK_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(10);
/// Posts on one page.
const POSTS: u32 = 40;
/// Notices shown.
const NOTICES: u32 = 12;
/// How long a copy of the database is kept at most (`docs/operations.md`).
const BACKUPS_KEPT: TimeDelta = TimeDelta::days(30);
/// How many feeds a member may have.
const MOST_FEEDS: usize = 10;

/// The parameters of a member's own page: which of its pages of posts.
pub(crate) const PARAMETERS: &[&str] = &["page"];

/// Somebody who came by a private link.
pub(super) struct Owner {
    pub(super) secret: Secret,
    pub(super) membership: Membership,
    pub(super) may: May,
}

/// What a link may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    /// Prove itself.
    Prove,
    /// That, and read; it came of the registration.
    Read,
    /// That, and correct what nobody has decided about yet.
    Correct,
    /// Everything.
    All,
}

impl Owner {
    /// Whoever the link in the address makes of a visitor.
    pub(super) async fn open(visit: &Visit) -> Result<Self, Failure> {
        let nothing = || {
            visit.count(Effort::WrongKey).err().unwrap_or_else(|| {
                Failure::not_found(
                    "This link opens nothing, or nothing any more. If you lost yours, enter your blog’s address at /register and prove that it is yours.",
                )
            })
        };
        let store = visit.asked.store();
        let Some(secret) = Secret::read(&visit.asked.name) else {
            return Err(nothing());
        };
        let Some(link) = store.manage_link(secret.reveal()).await? else {
            return Err(nothing());
        };
        let Some(membership) = store.membership(&link.member).await? else {
            return Err(nothing());
        };
        let undecided = |feed: &MemberFeed| feed.feed.status == FeedStatus::Pending;
        let may = if link.proved_at.is_some() {
            May::All
        } else if link.made_at != membership.created_at {
            May::Prove
        } else if membership.feeds.iter().all(undecided) {
            May::Correct
        } else {
            May::Read
        };
        Ok(Self {
            secret,
            membership,
            may,
        })
    }

    /// # Errors
    /// When the link may not do so much.
    pub(super) fn must(&self, may: May) -> Result<(), Failure> {
        let allowed = match may {
            May::Prove => true,
            May::Read => self.may != May::Prove,
            May::Correct => matches!(self.may, May::Correct | May::All),
            May::All => self.may == May::All,
        };
        if allowed {
            Ok(())
        } else {
            Err(Failure::Refused(
                "This link was not proved to be that of the blog’s owner. Go back: the page tells how to prove it.".to_owned(),
            ))
        }
    }

    pub(super) fn path(&self) -> String {
        format!("/manage/{}", self.secret.reveal())
    }

    /// What the blog is to say: a word that follows from the link, and from which the link does not follow.
    fn word(&self) -> String {
        let hash = Sha256::digest(format!("proof of {}", self.secret.reveal()));
        let hex = hash.iter().take(10).fold(String::new(), |mut hex, byte| {
            use std::fmt::Write;
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        format!("voice-{hex}")
    }

    fn feed(&self, slug: &str) -> Result<&MemberFeed, Failure> {
        let feed = self.membership.feeds.iter().find(|feed| feed.feed.slug == slug);
        feed.ok_or_else(|| Failure::not_found("You have no such feed, or not any more."))
    }

    pub(super) fn slug(&self) -> &str {
        &self.membership.member.slug
    }
}

/// Who decides when a member does.
pub(super) fn decision(asked: &Asked) -> Decision<'static> {
    Decision {
        by: MEMBER,
        why: None,
        at: asked.state.now(),
    }
}

/// A feed on its owner's page.
struct OwnFeed {
    slug: String,
    fare: Fare,
    state: Option<String>,
    can_resume: bool,
    can_look: bool,
    preview: Option<Preview>,
    form: Form,
}

/// A line of what happened.
struct Told {
    at: When,
    words: String,
}

/// What a link may do, for the template.
struct Rights {
    read: bool,
    correct: bool,
    all: bool,
}

#[derive(Template)]
#[template(path = "manage.html")]
struct Manage {
    shell: Shell,
    form: Form,
    done: Option<String>,
    /// A link that takes the place of this one, shown once.
    new_link: Option<String>,
    path: String,
    name: String,
    public: Option<String>,
    may: Rights,
    verified: Option<When>,
    word: String,
    meta: &'static str,
    me: String,
    feeds: Vec<OwnFeed>,
    told: Vec<Told>,
    sends_mail: bool,
    email: Option<(String, bool)>,
    posts: Vec<PostLine>,
    all_posts: u64,
    newer: Option<u32>,
    older: Option<u32>,
    badge: String,
    member_url: String,
    preview: Option<Preview>,
    adding: Option<String>,
    moving: Option<(String, String)>,
}

/// What is shown beside the page as it always is.
#[derive(Default)]
struct Shown {
    form: Form,
    done: Option<String>,
    new_link: Option<String>,
    preview: Option<Preview>,
    adding: Option<String>,
    moving: Option<(String, String)>,
}

impl Shown {
    fn done(words: impl Into<String>) -> Self {
        Self {
            done: Some(words.into()),
            ..Self::default()
        }
    }
}

/// `GET /manage/{token}`
pub(crate) async fn show(visit: Visit) -> Replied {
    let owner = Owner::open(&visit).await?;
    Ok(Reply::page(render(&visit.asked, &owner, Shown::default()).await?))
}

/// `POST /manage/{token}`
pub(crate) async fn take(mut visit: Visit) -> Replied {
    let owner = Owner::open(&visit).await?;
    let form = std::mem::take(&mut visit.form);
    match form.value("do") {
        "prove" => prove(&visit, owner).await,
        "change" => change(&visit, &owner, form).await,
        "email" => email(&visit, &owner, form).await,
        "look" => look(&visit, &owner, &form).await,
        "pause" => pause(&visit, &owner, &form).await,
        "resume" => resume(&visit, &owner, &form).await,
        "move" => move_feed(&visit, &owner, form).await,
        "add" => add(&visit, &owner, form).await,
        "leave" => leave(&visit, &owner, form).await,
        _ => Ok(Reply::page(render(&visit.asked, &owner, Shown::default()).await?)),
    }
}

/// The page again, after something was done.
async fn again(visit: &Visit, shown: Shown) -> Replied {
    let owner = Owner::open(visit).await?;
    Ok(Reply::page(render(&visit.asked, &owner, shown).await?))
}

/// The page again, with mistakes.
async fn mistaken(visit: &Visit, owner: &Owner, form: Form) -> Replied {
    let shown = Shown {
        form,
        ..Shown::default()
    };
    Ok(Reply::mistaken(render(&visit.asked, owner, shown).await?))
}

async fn render(asked: &Asked, owner: &Owner, shown: Shown) -> crate::asked::Made {
    let site = &asked.site;
    let member = &owner.membership.member;
    let may_read = owner.must(May::Read).is_ok();
    let number = asked.parameters.number("page", 1, 10_000)?.unwrap_or(1);
    let (posts, all_posts) = if may_read {
        let posts = asked
            .store()
            .own_posts(&member.slug, POSTS, (number - 1) * POSTS)
            .await?;
        (posts, asked.store().count_own_posts(&member.slug).await?)
    } else {
        (Vec::new(), 0)
    };
    let mut feeds = Vec::new();
    if may_read {
        for feed in &owner.membership.feeds {
            feeds.push(own_feed(asked, owner, feed).await?);
        }
    }
    let told = if may_read {
        let notices = asked.store().notices(&member.slug, NOTICES).await?;
        notices.iter().map(|notice| told(notice, asked)).collect()
    } else {
        Vec::new()
    };
    let mut shell =
        Shell::new(site, Part::Elsewhere, Some(format!("Your page: {}", member.name))).of_form(&shown.form);
    "A member’s own page".clone_into(&mut shell.description);
    let is_public = owner
        .membership
        .feeds
        .iter()
        .any(|feed| feed.feed.status.is_public());
    let member_path = links::member(&member.slug);
    page(&Manage {
        shell,
        form: shown.form,
        done: shown.done,
        new_link: shown.new_link,
        path: owner.path(),
        name: member.name.clone(),
        public: is_public.then(|| member_path.clone()),
        may: Rights {
            read: may_read,
            correct: owner.must(May::Correct).is_ok(),
            all: owner.must(May::All).is_ok(),
        },
        verified: owner
            .membership
            .verified
            .as_ref()
            .map(|(at, _)| When::day(*at, site)),
        word: owner.word(),
        meta: META,
        me: format!("{}#{}", site.absolute(&member_path), owner.word()),
        feeds,
        told,
        sends_mail: asked.state.app.sends_mail,
        email: owner
            .membership
            .email
            .as_ref()
            .filter(|_| may_read)
            .map(|email| (email.address.clone(), email.confirmed_at.is_some())),
        posts: posts
            .iter()
            .map(|post| PostLine::of(post, &owner.path(), site))
            .collect(),
        all_posts,
        newer: (number > 1).then(|| number - 1),
        older: (u64::from(number * POSTS) < all_posts).then(|| number + 1),
        badge: site.absolute(&format!("{member_path}/badge.svg")),
        member_url: site.absolute(&member_path),
        preview: shown.preview,
        adding: shown.adding,
        moving: shown.moving,
    })
}

async fn own_feed(asked: &Asked, owner: &Owner, of: &MemberFeed) -> Result<OwnFeed, Failure> {
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
    let member = &owner.membership.member;
    Ok(OwnFeed {
        slug: feed.slug.clone(),
        fare: fare
            .into_iter()
            .next()
            .ok_or_else(|| Failure::Internal("a feed fares in no way".to_owned()))?,
        state,
        can_resume: matches!(feed.status, FeedStatus::Paused | FeedStatus::Gone) && by_member,
        can_look: feed.status == FeedStatus::Active,
        preview: of
            .preview
            .as_deref()
            .and_then(|preview| serde_json::from_str(preview).ok()),
        form: Form::filled([
            ("name", member.name.as_str()),
            ("organisation", member.organisation.as_deref().unwrap_or_default()),
            ("kind", member.kind.as_str()),
            ("content", feed.content.as_str()),
            ("include", feed.include.as_str()),
            ("licence", feed.licence.as_deref().unwrap_or_default()),
        ]),
    })
}

fn told(notice: &store::Notice, asked: &Asked) -> Told {
    let feed = notice.feed.as_deref().unwrap_or("your feed");
    let reason = notice
        .words
        .as_deref()
        .map_or_else(String::new, |words| format!(" {words}"));
    let words = match notice.kind {
        NoticeKind::Confirm => "We asked for a confirmation of your e-mail address.".to_owned(),
        NoticeKind::Registered => format!("You asked to join with {feed}."),
        NoticeKind::Approved => format!("A moderator took on {feed}.{reason}"),
        NoticeKind::Rejected => format!("A moderator did not take on {feed}.{reason}"),
        NoticeKind::Broke => format!("We could not read {feed}.{reason}"),
        NoticeKind::Well => format!("We could read {feed} again."),
    };
    Told {
        at: When::minute(notice.at, &asked.site),
        words,
    }
}

/// Looks whether the blog says the word, and if so lets this link do everything.
async fn prove(visit: &Visit, owner: Owner) -> Replied {
    visit.count(Effort::Look)?;
    let site = &visit.asked.site;
    let member_page = site.absolute(&links::member(owner.slug()));
    let store = visit.asked.store();
    let mut addresses = vec![format!("{member_page}#{}", owner.word())];
    // A bare link to the member's page says whose page it is, but not which of several links asks.
    if store.count_links(owner.slug()).await? == 1 {
        addresses.push(member_page);
    }
    let private = site.absolute(&owner.path());
    addresses.push(private);
    let wanted = Wanted {
        links: addresses
            .iter()
            .filter_map(|address| Url::parse(address).ok())
            .collect(),
        meta: META,
        word: owner.word(),
    };
    let mut trouble = None;
    for feed in &owner.membership.feeds {
        if feed.feed.status == FeedStatus::Rejected {
            continue;
        }
        match visit
            .asked
            .state
            .app
            .looker
            .find_proof(&feed.feed.url, wanted.clone())
            .await
        {
            Ok(Some(proof)) => return proved(visit, &owner, proof).await,
            Ok(None) => {}
            Err(LookError::Busy(busy)) => return Err(Failure::Busy(busy.to_string())),
            Err(error) => trouble = Some(error.to_string()),
        }
    }
    let mut form = Form::default();
    form.wrong(
        "proof",
        match trouble {
            Some(trouble) => format!("We could not read your blog: {trouble}"),
            None => "We looked, and your blog does not say the word yet. Give its cache a few minutes, and check again".to_owned(),
        },
    );
    mistaken(visit, &owner, form).await
}

async fn proved(visit: &Visit, owner: &Owner, proof: Proof) -> Replied {
    let store = visit.asked.store();
    let now = visit.asked.state.now();
    store.prove(owner.secret.reveal(), proof.as_str(), now).await?;
    let mut shown = Shown::done(format!(
        "Your blog is proved to be yours, by {}. All older links have ended. You can take the proof out again.",
        proof.as_str()
    ));
    // Whoever put the private link itself onto their page showed it to everybody.
    if proof == Proof::Link && links_to_private(visit, owner).await? {
        let fresh = store.new_link(owner.slug(), &decision(&visit.asked)).await?;
        if let Some(fresh) = fresh {
            let path = format!("/manage/{}", fresh.reveal());
            shown.new_link = Some(visit.asked.site.absolute(&path));
            return Ok(Reply::page(render(&visit.asked, owner, shown).await?));
        }
    }
    again(visit, shown).await
}

/// Whether the blog links to the private page itself.
async fn links_to_private(visit: &Visit, owner: &Owner) -> Result<bool, Failure> {
    let private = visit.asked.site.absolute(&owner.path());
    let Ok(private) = Url::parse(&private) else {
        return Ok(false);
    };
    let wanted = Wanted {
        links: vec![private],
        meta: META,
        // Nobody says this one.
        word: Secret::new()?.reveal().to_owned(),
    };
    for feed in &owner.membership.feeds {
        let found = visit
            .asked
            .state
            .app
            .looker
            .find_proof(&feed.feed.url, wanted.clone())
            .await;
        if matches!(found, Ok(Some(_))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Name and choices.
async fn change(visit: &Visit, owner: &Owner, mut form: Form) -> Replied {
    owner.must(May::Correct)?;
    let feed = owner.feed(form.value("feed"))?.feed.clone();
    let Some(spec) = read_choices(&mut form, feed.url.clone()) else {
        return mistaken(visit, owner, form).await;
    };
    let store = visit.asked.store();
    let decision = decision(&visit.asked);
    if let (Some(name), Some(kind)) = (spec.name, spec.kind) {
        let change = MemberChange {
            name,
            organisation: spec.organisation,
            kind,
        };
        let member = &owner.membership.member;
        let same = member.name == change.name
            && member.organisation == change.organisation
            && member.kind == change.kind;
        if !same {
            store.change_member(owner.slug(), &change, &decision).await?;
        }
    }
    if let (Some(content), Some(include)) = (spec.content, spec.include) {
        let change = FeedChange {
            content,
            include,
            licence: spec.licence,
        };
        store.change_feed(&feed.slug, &change, &decision).await?;
    }
    again(visit, Shown::done("Your changes are saved.")).await
}

async fn email(visit: &Visit, owner: &Owner, mut form: Form) -> Replied {
    owner.must(May::Read)?;
    let sends_mail = visit.asked.state.app.sends_mail;
    let given = read_email(&mut form, sends_mail);
    if !form.is_right() {
        return mistaken(visit, owner, form).await;
    }
    let known = owner.membership.email.as_ref();
    match given {
        None => {
            visit.asked.store().remove_email(owner.slug()).await?;
            again(visit, Shown::done("We hold no e-mail address of yours any more.")).await
        }
        Some(address) if known.is_some_and(|known| known.address == address) => {
            again(visit, Shown::done("That is the address that we have.")).await
        }
        Some(address) => {
            crate::notices::confirm(&visit.asked, owner.slug(), &address).await?;
            let words =
                format!("We have sent one mail to {address}. Follow its link to confirm the address.");
            again(visit, Shown::done(words)).await
        }
    }
}

/// A poll that is asked for, once in a while, and what came of it.
async fn look(visit: &Visit, owner: &Owner, form: &Form) -> Replied {
    owner.must(May::Read)?;
    let feed = &owner.feed(form.value("feed"))?.feed;
    let now = visit.asked.state.now();
    let site = &visit.asked.site;
    if let Some(last) = feed.last_polled_at.filter(|last| now - *last < LOOK_AGAIN_AFTER) {
        let words = format!(
            "We looked at {} and found: {}. We can look again from {} on.",
            When::minute(last, site).text,
            what_came(feed),
            When::minute(last + LOOK_AGAIN_AFTER, site).text
        );
        return again(visit, Shown::done(words)).await;
    }
    visit.count(Effort::Look)?;
    let summary = visit.asked.state.app.looker.poll_now(&feed.slug).await;
    let summary = summary.map_err(|error| Failure::Internal(error.to_string()))?;
    let mut shown = Shown::done(came_of_it(&summary));
    if let Ok(report) = visit.asked.state.app.looker.check(&feed.url).await {
        shown.preview = Preview::of(&report, site);
    }
    again(visit, shown).await
}

fn what_came(feed: &Feed) -> String {
    match (feed.last_outcome, &feed.last_error) {
        (Some(model::PollOutcome::Failed), Some(error)) => error.clone(),
        (Some(model::PollOutcome::Changed), _) => "something new".to_owned(),
        _ => "nothing new".to_owned(),
    }
}

fn came_of_it(summary: &PollSummary) -> String {
    if let Some(failure) = summary.failures.first() {
        return format!(
            "We looked just now, and could not read your feed: {}",
            failure.error
        );
    }
    if summary.feeds == 0 {
        return "We are looking at it this very moment, or your server asked us to wait. Open this page again in a minute.".to_owned();
    }
    match (summary.entries_new, summary.entries_updated) {
        (0, 0) => "We looked just now: the feed is well, and there is nothing new in it.".to_owned(),
        (new, updated) => format!("We looked just now: {new} new and {updated} changed posts."),
    }
}

async fn pause(visit: &Visit, owner: &Owner, form: &Form) -> Replied {
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

async fn resume(visit: &Visit, owner: &Owner, form: &Form) -> Replied {
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
async fn move_feed(visit: &Visit, owner: &Owner, mut form: Form) -> Replied {
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
async fn add(visit: &Visit, owner: &Owner, mut form: Form) -> Replied {
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

#[derive(Template)]
#[template(path = "manage_leave.html")]
struct LeavePage {
    shell: Shell,
    form: Form,
    path: String,
    name: String,
    posts: u64,
}

/// Everything is taken back: asked once more, then done.
async fn leave(visit: &Visit, owner: &Owner, mut form: Form) -> Replied {
    owner.must(May::All)?;
    let asked = &visit.asked;
    let confirmed = form.has("sure", "yes");
    if form.has("asked", "yes") && !confirmed {
        form.wrong(
            "sure",
            "Tick the box to say that you want to leave, or go back to your page",
        );
    }
    if !confirmed {
        let posts = asked.store().count_own_posts(owner.slug()).await?;
        let shell = Shell::new(
            &asked.site,
            Part::Elsewhere,
            Some("Leave and take everything back".to_owned()),
        );
        let is_right = form.is_right();
        let document = page(&LeavePage {
            shell: shell.of_form(&form),
            path: owner.path(),
            name: owner.membership.member.name.clone(),
            posts,
            form,
        })?;
        return Ok(if is_right {
            Reply::page(document)
        } else {
            Reply::mistaken(document)
        });
    }
    let receipt = asked
        .store()
        .withdraw_member(owner.slug(), Cause::Left, &decision(asked))
        .await?
        .ok_or_else(|| Failure::not_found("You have left already."))?;
    Ok(Reply::page(receipt_page(asked, &receipt, None)?))
}

#[derive(Template)]
#[template(path = "receipt.html")]
struct ReceiptPage {
    shell: Shell,
    at: When,
    posts: usize,
    feeds: u32,
    member: bool,
    places: Vec<(String, When)>,
    scrubbed: bool,
    backups: When,
    back: Option<String>,
}

/// What was withdrawn, and from where it is gone.
pub(super) fn receipt_page(asked: &Asked, receipt: &Receipt, back: Option<String>) -> crate::asked::Made {
    let site = &asked.site;
    let shell = Shell::new(
        site,
        Part::Elsewhere,
        Some("A receipt of what you took back".to_owned()),
    );
    page(&ReceiptPage {
        shell: shell.of_form(&Form::default()),
        at: When::minute(receipt.at, site),
        posts: receipt.entries.len(),
        feeds: receipt.feeds,
        member: receipt.member,
        places: receipt
            .places
            .iter()
            .map(|place| (place.place.to_owned(), When::minute(place.at, site)))
            .collect(),
        scrubbed: receipt.scrubbed,
        backups: When::day(receipt.at + BACKUPS_KEPT, site),
        back,
    })
}

/// `GET /manage/{token}/data.json`: everything that we hold about a member, for them to take along.
pub(crate) async fn data(visit: Visit) -> Replied {
    #[derive(serde::Serialize)]
    struct Data<'a> {
        site: &'a str,
        at: DateTime<Utc>,
        member: &'a model::Member,
        since: DateTime<Utc>,
        consented_at: Option<DateTime<Utc>>,
        verified_at: Option<DateTime<Utc>>,
        verified_by: Option<&'a str>,
        email: Option<&'a str>,
        email_confirmed_at: Option<DateTime<Utc>>,
        feeds: Vec<FeedData<'a>>,
        notices: Vec<NoticeData>,
        posts: Vec<PostData>,
    }
    #[derive(serde::Serialize)]
    struct FeedData<'a> {
        url: &'a Url,
        status: FeedStatus,
        content: &'a str,
        include: &'a str,
        licence: Option<&'a str>,
        joined: chrono::NaiveDate,
        last_polled_at: Option<DateTime<Utc>>,
        last_error: Option<&'a str>,
        decided_by: Option<&'a str>,
        decided_why: Option<&'a str>,
    }
    #[derive(serde::Serialize)]
    struct NoticeData {
        at: DateTime<Utc>,
        words: String,
        mailed_at: Option<DateTime<Utc>>,
    }
    #[derive(serde::Serialize)]
    struct PostData {
        key: String,
        url: Option<String>,
        title: Option<String>,
        summary: String,
        published: DateTime<Utc>,
        arrived: DateTime<Utc>,
        topics: Vec<model::TopicMatch>,
        hashtags: Vec<String>,
        words: u32,
        what_became_of_it: String,
    }
    let owner = Owner::open(&visit).await?;
    owner.must(May::Read)?;
    let asked = &visit.asked;
    let membership = &owner.membership;
    let notices = asked.store().notices(owner.slug(), 1000).await?;
    let mut posts = Vec::new();
    loop {
        let some = asked
            .store()
            .own_posts(owner.slug(), 500, posts.len() as u32)
            .await?;
        let last = some.len() < 500;
        posts.extend(some.into_iter().map(|post| PostData {
            what_became_of_it: super::manage_posts::in_words(&post.verdict, &asked.site).1,
            key: post.key,
            url: post.link,
            title: post.title,
            summary: post.summary,
            published: post.published,
            arrived: post.arrived,
            topics: post.topics,
            hashtags: post.hashtags,
            words: post.words,
        }));
        if last {
            break;
        }
    }
    let data = Data {
        site: &asked.site.url,
        at: asked.state.now(),
        member: &membership.member,
        since: membership.created_at,
        consented_at: membership.consented_at,
        verified_at: membership.verified.as_ref().map(|(at, _)| *at),
        verified_by: membership.verified.as_ref().map(|(_, how)| how.as_str()),
        email: membership.email.as_ref().map(|email| email.address.as_str()),
        email_confirmed_at: membership.email.as_ref().and_then(|email| email.confirmed_at),
        feeds: membership
            .feeds
            .iter()
            .map(|of| FeedData {
                url: &of.feed.url,
                status: of.feed.status,
                content: of.feed.content.as_str(),
                include: of.feed.include.as_str(),
                licence: of.feed.licence.as_deref(),
                joined: of.feed.joined,
                last_polled_at: of.feed.last_polled_at,
                last_error: of.feed.last_error.as_deref(),
                decided_by: of.decided_by.as_deref(),
                decided_why: of.decided_why.as_deref(),
            })
            .collect(),
        notices: notices
            .iter()
            .map(|notice| NoticeData {
                at: notice.at,
                words: told(notice, asked).words,
                mailed_at: notice.sent_at,
            })
            .collect(),
        posts,
    };
    let text = serde_json::to_string_pretty(&data).map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(Reply::page(Document::new(Kind::Json, text)))
}
