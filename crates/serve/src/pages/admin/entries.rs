//! One post in a moderator's hand: hide it for good, or say which topics it has.

use askama::Template;
use store::{Cause, EntryLookup, TopicDecision};

use super::super::page;
use super::super::shell::Shell;
use super::super::view::{Item, When};
use super::members::LONGEST_REASON;
use super::{done, receipt, shell};
use crate::admin::Who;
use crate::failure::Failure;
use crate::form::Form;
use crate::links;
use crate::private::{Replied, Reply, Visit};

/// The parameter by which a post is looked for.
pub(crate) const FIND: &[&str] = &["post"];

/// A topic that can be chosen.
struct Choice {
    slug: String,
    name: String,
    has: bool,
}

#[derive(Template)]
#[template(path = "admin/entry.html")]
struct EntryPage {
    shell: Shell,
    who: Who,
    done: Option<&'static str>,
    form: Form,
    key: String,
    item: Item,
    /// Readers do not see it: it has neither a topic nor a hashtag of the network.
    is_left_out: bool,
    arrived: When,
    topics: Vec<Choice>,
    disputes: Vec<(String, bool, String)>,
}

/// `/admin/entry?post=`: by key, by our address or by that of the original.
pub(crate) async fn find(visit: Visit, _who: Who) -> Replied {
    let Some(post) = visit.asked.parameters.get("post") else {
        return Ok(Reply::see("/admin".to_owned()));
    };
    let key = post.trim_end_matches('/').rsplit('/').next().unwrap_or(post);
    let store = visit.asked.store();
    let key = match store.key_of_link(post).await? {
        Some(key) => key,
        None => key.to_owned(),
    };
    match store.entry(&key).await? {
        EntryLookup::Unknown if store.left_out_entry(&key).await?.is_none() => Err(Failure::not_found(
            "No post that is shown or left out has this address or key. /why says what became of an address.",
        )),
        _ => Ok(Reply::see(format!("/admin/entries/{}", links::segment(&key)))),
    }
}

/// `/admin/entries/{key}`
pub(crate) async fn entry(visit: Visit, who: Who) -> Replied {
    Ok(Reply::page(entry_page(&visit, who, Form::default()).await?))
}

async fn entry_page(visit: &Visit, who: Who, form: Form) -> crate::asked::Made {
    let (site, store) = (&visit.asked.site, visit.asked.store());
    let (entry, is_left_out) = match store.entry(&visit.asked.name).await? {
        EntryLookup::Found(entry) => (*entry, false),
        unseen => match (store.left_out_entry(&visit.asked.name).await?, unseen) {
            (Some(entry), _) => (entry, true),
            (None, EntryLookup::Withdrawn { .. }) => return Err(Failure::Gone),
            (None, _) => return Err(Failure::not_found("There is no such post.")),
        },
    };
    let has = |slug: &str| entry.topics.iter().any(|topic| topic.slug == slug);
    let disputes = store.disputes_of(&entry.key).await?;
    let item = Item::new(&entry, site);
    let title = format!("{}{}", if form.is_right() { "" } else { "Error: " }, item.heading);
    page(&EntryPage {
        shell: shell(site, &title),
        who,
        done: done(visit),
        form,
        key: entry.key.clone(),
        is_left_out,
        arrived: When::minute(entry.arrived, site),
        topics: (site.topics.iter())
            .map(|topic| Choice {
                slug: topic.slug.clone(),
                name: topic.name.clone(),
                has: has(&topic.slug),
            })
            .collect(),
        disputes: (disputes.into_iter())
            .map(|dispute| {
                let name = site.topic(&dispute.topic).map(|topic| topic.name.clone());
                (name.unwrap_or(dispute.topic), dispute.should_hold, dispute.reason)
            })
            .collect(),
        item,
    })
}

/// `POST /admin/entries/{key}`
pub(crate) async fn decide(mut visit: Visit, who: Who) -> Replied {
    const DECISIONS: [(&str, TopicDecision); 3] = [
        ("has", TopicDecision::Holds(true)),
        ("has-not", TopicDecision::Holds(false)),
        ("rules", TopicDecision::AsTheRulesSay),
    ];
    let (key, now) = (visit.asked.name.clone(), visit.asked.state.now());
    let (site, store) = (visit.asked.site.clone(), visit.asked.store().clone());
    match visit.form.value("do") {
        "hide" => {
            let why = visit.form.required(
                "why",
                LONGEST_REASON,
                "Enter the reason, which everybody who asks can read",
            );
            let Some(why) = why else {
                let form = std::mem::take(&mut visit.form);
                return Ok(Reply::mistaken(entry_page(&visit, who, form).await?));
            };
            let decision = who.decides(Some(&why), now);
            let gone = store
                .withdraw_entries(&[key], Cause::Moderator, &decision)
                .await?;
            receipt(&visit, who.clone(), &gone)
        }
        "topics" => {
            let topic = visit.form.value("topic").to_owned();
            let known = site.topic(&topic);
            if known.is_none() {
                visit.form.wrong("topic", "Choose a topic");
            }
            let decided = visit
                .form
                .choice("decision", &DECISIONS, "Choose what holds of it");
            let (Some(known), Some(decided), true) = (known, decided, visit.form.is_right()) else {
                let form = std::mem::take(&mut visit.form);
                return Ok(Reply::mistaken(entry_page(&visit, who, form).await?));
            };
            let decisions = decided.with_family(&known.slug, &site.topics);
            let retag = &visit.asked.state.app.retag;
            let tag = |post: &store::StoredPost, decisions: &store::Decisions| retag(&site, post, decisions);
            let topics = store
                .decide_topics(&key, &decisions, who.decides(None, now), &tag)
                .await?;
            if topics.is_none() {
                return Err(Failure::not_found("There is no such post."));
            }
            Ok(Reply::see(format!(
                "/admin/entries/{}?done=topics",
                links::segment(&key)
            )))
        }
        _ => Err(Failure::parameter(
            "do",
            "is nothing that can be done with a post",
        )),
    }
}
