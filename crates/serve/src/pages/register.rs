//! `/register`: a blogger names their blog, sees what readers would see of it, says how they take part, and gets the
//! private link to a page of their own. Whatever is pressed twice, in two windows or after going back, makes one
//! registration: the form carries the link that it will get, so that the same form always ends the same way.

use std::sync::Arc;

use askama::Template;
use model::{ContentChoice, Feed, FeedSpec, FeedStatus, IncludeChoice, MemberKind};
use poll::CheckReport;
use store::{Cause, FeedChange, MemberChange, Registered, Registration, Secret};
use url::Url;

use super::page;
use super::preview::Preview;
use super::shell::{Part, Shell};
use super::view::Named;
use crate::blog_address;
use crate::failure::Failure;
use crate::form::Form;
use crate::links;
use crate::look_alikes;
use crate::private::{Replied, Reply, Visit};
use crate::throttle::Effort;

/// The parameters of `/register`: a link may fill the field in.
pub(crate) const PARAMETERS: &[&str] = &["blog"];

/// The longest name of a person, a team or an organisation, in characters.
pub(super) const LONGEST_NAME: usize = 80;
/// How many feeds may wait for approval; more are a flood, and nobody could look at them.
const MOST_PENDING: usize = 500;

#[derive(Template)]
#[template(path = "register.html")]
struct Ask {
    shell: Shell,
    form: Form,
}

#[derive(Template)]
#[template(path = "register_details.html")]
struct Details {
    shell: Shell,
    form: Form,
    preview: Preview,
    others: Vec<Other>,
    mail: bool,
    email_hint: &'static str,
}

/// Another feed that the page names.
struct Other {
    title: String,
    url: String,
}

#[derive(Template)]
#[template(path = "register_known.html")]
struct Known {
    shell: Shell,
    blog: String,
    feed: String,
    state: &'static str,
    member: Option<Named>,
    can_claim: bool,
}

#[derive(Template)]
#[template(path = "register_done.html")]
struct Done {
    shell: Shell,
    link: String,
    path: String,
    claimed: bool,
    email: Option<String>,
    mail: bool,
}

fn shell(visit: &Visit, title: &str) -> Shell {
    let mut shell =
        Shell::new(&visit.asked.site, Part::Elsewhere, Some(title.to_owned())).of_form(&visit.form);
    shell.description = format!("Add your blog to {}", visit.asked.site.title);
    shell
}

/// `GET /register`
pub(crate) async fn ask(mut visit: Visit) -> Replied {
    if let Some(blog) = visit.asked.parameters.get("blog") {
        visit.form = Form::filled([("blog", blog)]);
    }
    Ok(Reply::page(ask_again(visit)?))
}

fn ask_again(visit: Visit) -> crate::asked::Made {
    page(&Ask {
        shell: shell(&visit, "Add your blog"),
        form: visit.form,
    })
}

/// `POST /register`
pub(crate) async fn take(mut visit: Visit) -> Replied {
    // A button beside another feed of the page stands for its address.
    let other = visit.form.value("other").to_owned();
    if !other.is_empty() {
        visit.form.set("blog", &other);
    }
    let addresses = match blog_address::read(visit.form.value("blog")) {
        Ok(addresses) => addresses,
        Err(mistake) => {
            visit.form.wrong("blog", mistake);
            return Ok(Reply::mistaken(ask_again(visit)?));
        }
    };
    visit.count(Effort::Look)?;
    let report = look(&visit, &addresses).await?;
    let Some(preview) = Preview::of(&report, &visit.asked.site) else {
        visit.form.wrong("blog", why_not(&report));
        return Ok(Reply::mistaken(ask_again(visit)?));
    };
    let Some(feed) = report.url.as_deref().and_then(|url| Url::parse(url).ok()) else {
        return Err(Failure::Internal("a feed was read without an address".to_owned()));
    };
    let known = addresses_of(&report, &feed, &addresses);
    let store = visit.asked.store();
    let joins = visit.form.value("step") == "join";
    if let Some(known) = store.feed_among(&known).await? {
        // The same form again ends as it did the first time.
        if !(joins && is_own(&visit, &known).await?) {
            return if visit.form.value("step") == "claim" {
                claim(&visit, &known).await
            } else {
                known_already(&visit, &known)
            };
        }
    } else if let Some(cause) = store.away_among(&known).await? {
        return away(&visit, &preview.feed, cause);
    }
    if joins {
        join(visit, &report, preview, feed).await
    } else {
        let secret = Secret::new()?;
        visit.form = Form::filled([
            ("blog", addresses[0].as_str()),
            ("secret", secret.reveal()),
            ("name", report.title.as_deref().unwrap_or_default()),
            ("kind", "person"),
            ("content", "excerpt"),
            ("include", "all"),
        ]);
        // Which of the two answered need not be found out again.
        if addresses.len() > 1 && report.source == addresses[1].as_str() {
            visit.form.set("blog", addresses[1].as_str());
        }
        Ok(Reply::page(details(visit, &report, preview)?))
    }
}

/// Looks at the first of these addresses that gives a feed, or else says what came of the first.
async fn look(visit: &Visit, addresses: &[Url]) -> Result<Arc<CheckReport>, Failure> {
    let mut first = None;
    for address in addresses {
        let looker = &visit.asked.state.app.looker;
        // Whoever filled the second form in goes by what they were shown.
        let report = if visit.form.value("step").is_empty() {
            looker.check(address).await
        } else {
            looker.recall(address).await
        };
        let report = report.map_err(|busy| Failure::Busy(busy.to_string()))?;
        if report.is_feed() {
            return Ok(report);
        }
        first.get_or_insert(report);
    }
    first.ok_or_else(|| Failure::Internal("no address was looked at".to_owned()))
}

/// Why a report is of no feed, for the person who wrote the address.
fn why_not(report: &CheckReport) -> String {
    let Some(problem) = report.problems.first() else {
        return "We found no feed there. Enter the address of the feed itself, if you know it".to_owned();
    };
    format!(
        "We found no feed there: {}. {}",
        problem.message.trim_end_matches('.'),
        problem.fix
    )
}

/// Every address by which this blog may be known: as it was written, where its feed is, and the other feeds of the
/// whole blog that its page names, each in all spellings.
fn addresses_of(report: &CheckReport, feed: &Url, asked: &[Url]) -> Vec<Url> {
    let others = report.candidates.iter().map(|other| &other.candidate);
    let others = others
        .filter(|other| other.is_of_the_whole_blog())
        .map(|other| &other.url);
    let mut all: Vec<Url> = std::iter::once(feed)
        .chain(asked)
        .chain(others.take(10))
        .flat_map(blog_address::spellings)
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Whether the form carries the link of the very registration that waits at this feed.
async fn is_own(visit: &Visit, feed: &Feed) -> Result<bool, Failure> {
    let Some(secret) = Secret::read(visit.form.value("secret")) else {
        return Ok(false);
    };
    let link = visit.asked.store().manage_link(secret.reveal()).await?;
    Ok(feed.status == FeedStatus::Pending && link.is_some_and(|link| link.member == feed.member.slug))
}

fn details(visit: Visit, report: &CheckReport, preview: Preview) -> crate::asked::Made {
    let others = report
        .candidates
        .iter()
        .filter(|other| !other.chosen)
        .take(10)
        .map(|other| Other {
            title: other
                .candidate
                .title
                .clone()
                .unwrap_or_else(|| "A feed without a title".to_owned()),
            url: other.candidate.url.to_string(),
        })
        .collect();
    let mail = visit.asked.state.app.sends_mail;
    page(&Details {
        shell: shell(&visit, "What readers would see"),
        others,
        mail,
        email_hint: if mail {
            "Optional. Only to tell you of trouble: when your feed breaks and when it is well again, and what was decided about your request. We show it to nobody."
        } else {
            ""
        },
        preview,
        form: visit.form,
    })
}

/// The second form: everything but the address.
async fn join(mut visit: Visit, report: &CheckReport, preview: Preview, feed: Url) -> Replied {
    let spec = read_choices(&mut visit.form, feed);
    let email = read_email(&mut visit.form, visit.asked.state.app.sends_mail);
    let secret = Secret::read(visit.form.value("secret"));
    if !visit.form.has("consent", "yes") {
        visit.form.wrong(
            "consent",
            "Tick the box to say that the posts are yours and may be shown here",
        );
    }
    let (Some(mut spec), Some(secret), true) = (spec, secret, visit.form.is_right()) else {
        if Secret::read(visit.form.value("secret")).is_none() {
            visit.form.set("secret", Secret::new()?.reveal());
        }
        return Ok(Reply::mistaken(details(visit, report, preview)?));
    };
    spec.site = preview.site.as_deref().and_then(|site| Url::parse(site).ok());
    let store = visit.asked.store();
    let waiting = store
        .feeds()
        .await?
        .iter()
        .filter(|feed| feed.status == FeedStatus::Pending)
        .count();
    if waiting >= MOST_PENDING {
        return Err(Failure::Busy(
            "More blogs wait for approval than anybody can look at. Please come back in a few days"
                .to_owned(),
        ));
    }
    let now = visit.asked.state.now();
    let registration = Registration {
        preview: serde_json::to_string(&preview).ok(),
        feed: spec,
        consented_at: Some(now),
    };
    let zone = visit.asked.site.timezone;
    match store
        .register_with_link(&registration, &secret, now, zone)
        .await?
    {
        Registered::Pending { member, .. } => {
            if let Some(address) = &email
                && store
                    .membership(&member)
                    .await?
                    .is_some_and(|one| one.email.is_none())
            {
                crate::notices::confirm(&visit.asked, &member, address).await?;
            }
            done(&visit, &secret, false, email)
        }
        Registered::Known { .. } => match store
            .feed_among(std::slice::from_ref(&registration.feed.url))
            .await?
        {
            Some(known) => known_already(&visit, &known),
            None => Err(Failure::Internal("a known feed is not there".to_owned())),
        },
        Registered::Away { cause } => away(&visit, registration.feed.url.as_str(), cause),
    }
}

/// Who somebody is and how they take part, as the form says it, with its mistakes noted.
fn read_choices(form: &mut Form, feed: Url) -> Option<FeedSpec> {
    let (names, terms) = (read_names(form), read_terms(form));
    let (names, terms) = (names?, terms?);
    let mut spec = FeedSpec::new(feed, names.name);
    spec.organisation = names.organisation;
    spec.kind = Some(names.kind);
    spec.content = Some(terms.content);
    spec.include = Some(terms.include);
    spec.licence = terms.licence;
    Some(spec)
}

/// What somebody is called; else the mistakes are noted.
pub(super) fn read_names(form: &mut Form) -> Option<MemberChange> {
    let name = read_name(
        form,
        "name",
        "Enter your name, or that of your team, as readers should see it",
    );
    let organisation = if form.value("organisation").is_empty() {
        Some(None)
    } else {
        read_name(form, "organisation", "").map(Some)
    };
    let kind = form.choice(
        "kind",
        &[("person", MemberKind::Person), ("team", MemberKind::Team)],
        "Choose whether one person writes the blog or a team",
    );
    Some(MemberChange {
        name: name?,
        organisation: organisation?,
        kind: kind?,
    })
}

/// How a feed takes part; else the mistakes are noted.
pub(super) fn read_terms(form: &mut Form) -> Option<FeedChange> {
    let content = form.choice(
        "content",
        &[("excerpt", ContentChoice::Excerpt), ("full", ContentChoice::Full)],
        "Choose whether readers see the first words or whole posts",
    );
    let include = form.choice(
        "include",
        &[("all", IncludeChoice::All), ("tagged", IncludeChoice::Tagged)],
        "Choose whether we take all posts or only those on our topics",
    );
    let licence = read_licence(form);
    Some(FeedChange {
        content: content?,
        include: include?,
        licence: Some(licence?).filter(|licence| !licence.is_empty()),
    })
}

/// A name of one line. Characters that are not seen, that turn the text around, or that stand among those of another
/// alphabet, could make it look like another's.
fn read_name(form: &mut Form, field: &'static str, missing: &str) -> Option<String> {
    let name = form.required(field, LONGEST_NAME, missing)?;
    let hides = |c: char| matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}');
    if name.contains(hides) {
        form.wrong(
            field,
            "Take out the characters that cannot be seen; type the name anew instead of pasting it",
        );
        return None;
    }
    if let Some(word) = look_alikes::mixed_word(&name) {
        form.wrong(
            field,
            format!("“{word}” has letters of two alphabets that look alike; type it anew with those of one"),
        );
        return None;
    }
    if !name.chars().any(char::is_alphanumeric) {
        form.wrong(field, "Enter a name with at least one letter");
        return None;
    }
    Some(name.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// An SPDX identifier or an address, or an empty text; else the mistake is noted.
fn read_licence(form: &mut Form) -> Option<String> {
    let licence = form.optional("licence", 200)?;
    let is_identifier = |text: &str| {
        text.len() <= 60
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c))
    };
    if licence.is_empty() || is_identifier(&licence) || links::web_address(&licence).is_some() {
        Some(licence)
    } else {
        form.wrong(
            "licence",
            "Enter a licence by its short name, such as CC-BY-4.0, or by its address, or leave it empty",
        );
        None
    }
}

/// An address to be told of trouble at; none where the field is empty or no mail is sent.
pub(super) fn read_email(form: &mut Form, sends_mail: bool) -> Option<String> {
    if !sends_mail {
        return None;
    }
    let email = form.optional("email", 254).filter(|email| !email.is_empty())?;
    let is_address = email.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && name.len() <= 64
            && host.contains('.')
            && !host.starts_with('.')
            && !host.ends_with('.')
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
            && name
                .chars()
                .all(|c| c.is_ascii_graphic() && !"<>()[],;:\"\\".contains(c))
    });
    if !is_address {
        form.wrong(
            "email",
            "Enter an e-mail address such as name@example.org, or leave it empty",
        );
        return None;
    }
    Some(email)
}

/// The blog is somebody's already.
fn known_already(visit: &Visit, feed: &Feed) -> Replied {
    let state = match feed.status {
        FeedStatus::Pending => "It is registered, and waits for a moderator.",
        FeedStatus::Rejected => "It asked to join before, and a moderator did not take it on.",
        FeedStatus::Active => "It is here already.",
        FeedStatus::Paused => "It is here already, and paused.",
        FeedStatus::Gone => {
            "It is here already, and is not polled, because its server said that the feed is gone."
        }
        FeedStatus::Retired => "It was here before, and is not polled any more.",
    };
    Ok(Reply::page(page(&Known {
        shell: shell(visit, "We know this blog already"),
        blog: visit.form.value("blog").to_owned(),
        feed: feed.url.to_string(),
        state,
        member: feed.status.is_public().then(|| Named {
            name: feed.member.name.clone(),
            path: links::member(&feed.member.slug),
        }),
        can_claim: feed.status != FeedStatus::Rejected,
    })?))
}

/// The blog was here and is to stay away.
fn away(visit: &Visit, feed: &str, cause: Cause) -> Replied {
    let state = match cause {
        Cause::Author | Cause::Left => {
            "It was here, and whoever wrote it took it back. So that it does not come back by accident, a moderator has to take it on again: write to us."
        }
        Cause::Rejected => {
            "It asked to join before, and a moderator did not take it on. If you think that something has changed, write to us."
        }
        Cause::Moderator | Cause::Source => {
            "It was here, and a moderator took it away. If you think that this was wrong, write to us."
        }
    };
    Ok(Reply::page(page(&Known {
        shell: shell(visit, "This blog stays away"),
        blog: visit.form.value("blog").to_owned(),
        feed: feed.to_owned(),
        state,
        member: None,
        can_claim: false,
    })?))
}

/// Somebody says that a known blog is theirs: they get a link that can do nothing until they prove it.
async fn claim(visit: &Visit, feed: &Feed) -> Replied {
    if feed.status == FeedStatus::Rejected {
        return known_already(visit, feed);
    }
    let now = visit.asked.state.now();
    let secret = visit.asked.store().ask_for_link(&feed.member.slug, now).await?;
    let secret = secret.ok_or_else(|| Failure::not_found("This member has left meanwhile."))?;
    done(visit, &secret, true, None)
}

fn done(visit: &Visit, secret: &Secret, claimed: bool, email: Option<String>) -> Replied {
    let path = format!("/manage/{}", secret.reveal());
    let title = if claimed {
        "A link to prove that it is yours"
    } else {
        "Your blog waits for a moderator"
    };
    Ok(Reply::page(page(&Done {
        shell: shell(visit, title),
        link: visit.asked.site.absolute(&path),
        path,
        claimed,
        email,
        mail: visit.asked.state.app.sends_mail,
    })?))
}
