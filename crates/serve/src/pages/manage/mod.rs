//! `/manage/{token}`: a member's own page. The address is the key to it, so it stands in no redirect, no log and no
//! referrer: a form here answers with the page itself. Everything that a form does may be done twice.
//!
//! A link that is not proved reads, and corrects what waits for approval if it is the one that came of that registration;
//! one that somebody else asked for tells how to prove the blog, and nothing that is not public. What a link may do is
//! decided in one place, [`Owner::open`] and [`Owner::must`].

mod data;
mod feeds;
mod leave;
mod owner;
mod posts;
mod proof;

use askama::Template;
use store::{MemberChange, NoticeKind};

pub(crate) use data::data;
pub(crate) use posts::{show as show_post, take as take_post};

use self::feeds::OwnFeed;
use self::owner::{May, Owner, decision};
use self::posts::PostLine;
use super::page;
use super::preview::Preview;
use super::register::{read_email, read_names, read_terms};
use super::shell::{Part, Shell};
use super::view::When;
use crate::asked::Asked;
use crate::form::Form;
use crate::links;
use crate::private::{Replied, Reply, Visit};

/// Posts on one page.
const POSTS: u32 = 40;
/// Notices shown.
const NOTICES: u32 = 12;

/// The parameters of a member's own page: which of its pages of posts.
pub(crate) const PARAMETERS: &[&str] = &["page"];

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
    /// What the member is called.
    names: Form,
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
    badge_path: String,
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
        "prove" => proof::prove(&visit, owner).await,
        "name" => rename(&visit, &owner, form).await,
        "change" => change(&visit, &owner, form).await,
        "email" => email(&visit, &owner, form).await,
        "look" => feeds::look(&visit, &owner, &form).await,
        "pause" => feeds::pause(&visit, &owner, &form).await,
        "resume" => feeds::resume(&visit, &owner, &form).await,
        "move" => feeds::move_feed(&visit, &owner, form).await,
        "add" => feeds::add(&visit, &owner, form).await,
        "leave" => leave::leave(&visit, &owner, form).await,
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

async fn render(asked: &Asked, owner: &Owner, mut shown: Shown) -> crate::asked::Made {
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
        for (nth, feed) in owner.membership.feeds.iter().enumerate() {
            let mut own = feeds::own_feed(asked, feed).await?;
            // What was sent and is wrong stands where it is to be mended.
            if shown.form.has("feed", &own.slug) {
                shown.form = shown.form.nth(nth);
                if shown.form.has("do", "change") {
                    own.form = shown.form.clone();
                }
            }
            own.form = own.form.nth(nth);
            feeds.push(own);
        }
    }
    let told = if may_read {
        let notices = asked.store().notices(&member.slug, NOTICES).await?;
        notices.iter().map(|notice| told(notice, asked)).collect()
    } else {
        Vec::new()
    };
    let names = if shown.form.has("do", "name") {
        shown.form.clone()
    } else {
        Form::filled([
            ("name", member.name.as_str()),
            ("organisation", member.organisation.as_deref().unwrap_or_default()),
            ("kind", member.kind.as_str()),
        ])
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
    let badge_path = format!("{member_path}/badge.svg");
    page(&Manage {
        shell,
        form: shown.form,
        names,
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
        meta: proof::META,
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
        badge: site.absolute(&badge_path),
        badge_path,
        member_url: site.absolute(&member_path),
        preview: shown.preview,
        adding: shown.adding,
        moving: shown.moving,
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

/// What the member is called.
async fn rename(visit: &Visit, owner: &Owner, mut form: Form) -> Replied {
    owner.must(May::Correct)?;
    let Some(change) = read_names(&mut form) else {
        return mistaken(visit, owner, form).await;
    };
    let member = &owner.membership.member;
    let before = MemberChange {
        name: member.name.clone(),
        organisation: member.organisation.clone(),
        kind: member.kind,
    };
    if change != before {
        let store = visit.asked.store();
        store
            .change_member(owner.slug(), &change, &decision(&visit.asked))
            .await?;
    }
    again(visit, Shown::done("Your name is saved.")).await
}

/// How a feed takes part.
async fn change(visit: &Visit, owner: &Owner, mut form: Form) -> Replied {
    owner.must(May::Correct)?;
    let feed = owner.feed(form.value("feed"))?.feed.slug.clone();
    let Some(change) = read_terms(&mut form) else {
        return mistaken(visit, owner, form).await;
    };
    let store = visit.asked.store();
    store.change_feed(&feed, &change, &decision(&visit.asked)).await?;
    again(visit, Shown::done("Your choices are saved.")).await
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
