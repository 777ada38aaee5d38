//! An editor's hand on a week: pin, leave out with a reason, put in order, note, add links and an introduction. It is private
//! until it is published, and lies over the digest as it stands.

use std::collections::BTreeMap;

use askama::Template;
use export::{Digest, Edition, EditorsLink, PostEdit};
use model::{Entry, Site, TopicMatch, TopicSource, Week};
use store::{Publish, StoredEdition};

use super::super::page;
use super::super::shell::Shell;
use super::super::view::{When, words_of};
use super::{done, shell};
use crate::admin::Who;
use crate::asked::Made;
use crate::failure::Failure;
use crate::form::Form;
use crate::issues::digest_of_week;
use crate::links;
use crate::private::{Replied, Reply, Visit};

/// The longest of what an editor writes, in characters.
const LONGEST_NUMBER: usize = 20;
const LONGEST_INTRODUCTION: usize = 5000;
const LONGEST_NOTE: usize = 600;
const LONGEST_REASON: usize = 200;
const LONGEST_ADDRESS: usize = 1000;

/// How many links an editor may add, and how many empty rows wait for more.
const LINKS: usize = 20;
const EMPTY_LINKS: usize = 3;

/// The last place that a post may have.
const LAST_PLACE: u32 = 999;

/// A post as the form shows it; the fields are named by its key.
struct Row {
    heading: String,
    original: String,
    byline: String,
    summary: String,
    /// Its topics, each with what earned it.
    topics: Vec<String>,
    pin: String,
    place: String,
    out: String,
    note: String,
}

#[derive(Template)]
#[template(path = "admin/digest.html")]
struct EditionPage {
    shell: Shell,
    who: Who,
    done: Option<&'static str>,
    form: Form,
    week: String,
    title: String,
    published: Option<When>,
    saved: Option<(When, String)>,
    rows: Vec<Row>,
    links: Vec<usize>,
    preview: String,
}

/// A week in hand: the digest as it stands, and what was made of it.
struct InHand {
    week: Week,
    digest: Digest,
    stored: Option<StoredEdition>,
    draft: Edition,
}

/// `/admin/digest/{week}`
pub(crate) async fn digest(visit: Visit, who: Who) -> Replied {
    let hand = in_hand(&visit).await?;
    let form = filled(&hand);
    Ok(Reply::page(edition_page(&visit, who, form, &hand)?))
}

/// `POST /admin/digest/{week}`
pub(crate) async fn save_digest(mut visit: Visit, who: Who) -> Replied {
    let hand = in_hand(&visit).await?;
    let mut form = std::mem::take(&mut visit.form);
    let (publish, word) = match form.value("do") {
        "publish" => (Publish::Now, "published"),
        "withdraw" => (Publish::Withdraw, "taken-back"),
        _ => (Publish::Keep, "saved"),
    };
    let edition = read(&mut form, &hand.digest);
    if form.is_right() {
        let seen = form.value("seen").parse().ok();
        let draft = serde_json::to_string(&edition).expect("texts and numbers always have a JSON form");
        let decision = who.decides(None, visit.asked.state.now());
        let store = visit.asked.store();
        if store
            .save_edition(hand.week, &draft, seen, publish, &decision)
            .await?
        {
            return Ok(Reply::see(format!("/admin/digest/{}?done={word}", hand.week)));
        }
        form.wrong(
            "introduction",
            "Somebody else saved this week since you opened it. Copy what you wrote, open the page again, and put it in",
        );
    }
    Ok(Reply::mistaken(edition_page(&visit, who, form, &hand)?))
}

async fn in_hand(visit: &Visit) -> Result<InHand, Failure> {
    let (site, store, state) = (&visit.asked.site, visit.asked.store(), &visit.asked.state);
    let week: Week = visit
        .asked
        .name
        .parse()
        .map_err(|error: model::WeekError| Failure::not_found(format!("{error}.")))?;
    let now = state.now();
    if week.start(site.timezone) > now {
        return Err(Failure::not_found(format!("Week {week} has not begun yet.")));
    }
    let digest = digest_of_week(store, site, week, now, &*state.app.next_digest_close).await?;
    let stored = store.edition(week).await?;
    let draft = match &stored {
        Some(stored) => edition(&stored.draft)?,
        None => Edition::default(),
    };
    Ok(InHand {
        week,
        digest,
        stored,
        draft,
    })
}

/// An edition as it was stored.
pub(crate) fn edition(stored: &str) -> Result<Edition, Failure> {
    serde_json::from_str(stored)
        .map_err(|error| Failure::Internal(format!("a stored edition cannot be read: {error}")))
}

/// The form as it stands before anything is written.
fn filled(hand: &InHand) -> Form {
    let draft = &hand.draft;
    let mut values: Vec<(String, String)> = vec![
        ("number".to_owned(), draft.number.clone()),
        ("introduction".to_owned(), draft.introduction.clone()),
    ];
    if let Some(stored) = &hand.stored {
        let at = stored.changed_at.to_rfc3339();
        values.push(("seen".to_owned(), at));
    }
    for (key, edit) in &draft.posts {
        if edit.pinned {
            values.push((format!("pin-{key}"), "yes".to_owned()));
        }
        if let Some(place) = edit.place {
            values.push((format!("place-{key}"), place.to_string()));
        }
        values.push((format!("out-{key}"), edit.left_out.clone()));
        values.push((format!("note-{key}"), edit.note.clone()));
    }
    for (number, link) in draft.links.iter().enumerate() {
        values.push((format!("link-{number}"), link.url.clone()));
        values.push((format!("link-title-{number}"), link.title.clone()));
        values.push((format!("link-note-{number}"), link.note.clone()));
    }
    Form::filled(values.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// What the form says; mistakes are noted in it.
fn read(form: &mut Form, digest: &Digest) -> Edition {
    let number = form.optional("number", LONGEST_NUMBER).unwrap_or_default();
    let introduction = form
        .optional("introduction", LONGEST_INTRODUCTION)
        .unwrap_or_default();
    let mut posts = BTreeMap::new();
    for entry in digest.entries() {
        let edit = read_post(form, &entry.key);
        if !edit.is_nothing() {
            posts.insert(entry.key.clone(), edit);
        }
    }
    Edition {
        number,
        introduction,
        posts,
        links: (0..LINKS).filter_map(|number| read_link(form, number)).collect(),
    }
}

fn read_post(form: &mut Form, key: &str) -> PostEdit {
    let place = format!("place-{key}");
    let text = form.value(&place).to_owned();
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=LAST_PLACE).contains(number));
    if number.is_none() && !text.is_empty() {
        form.wrong(
            &place,
            format!("Enter a whole number from 1 to {LAST_PLACE}, or nothing"),
        );
    }
    PostEdit {
        pinned: form.has(&format!("pin-{key}"), "yes"),
        place: number,
        left_out: form
            .optional(&format!("out-{key}"), LONGEST_REASON)
            .unwrap_or_default(),
        note: form
            .optional(&format!("note-{key}"), LONGEST_NOTE)
            .unwrap_or_default(),
    }
}

fn read_link(form: &mut Form, number: usize) -> Option<EditorsLink> {
    let (url_field, title_field) = (format!("link-{number}"), format!("link-title-{number}"));
    let url = form.optional(&url_field, LONGEST_ADDRESS).unwrap_or_default();
    let title = form.optional(&title_field, LONGEST_REASON).unwrap_or_default();
    let note = form
        .optional(&format!("link-note-{number}"), LONGEST_NOTE)
        .unwrap_or_default();
    if url.is_empty() && title.is_empty() && note.is_empty() {
        return None;
    }
    let address = links::web_address(&url);
    if address.is_none() {
        form.wrong(
            &url_field,
            "Enter an address that begins with https:// or http://",
        );
    }
    if title.is_empty() {
        form.wrong(&title_field, "Enter what the link leads to");
    }
    Some(EditorsLink {
        url: address.unwrap_or(url),
        title,
        note,
    })
}

fn edition_page(visit: &Visit, who: Who, form: Form, hand: &InHand) -> Made {
    let site = &visit.asked.site;
    let given = (0..LINKS)
        .filter(|number| !form.value(&format!("link-{number}")).is_empty())
        .max()
        .map_or(0, |last| last + 1);
    let title = format!(
        "{}Edit {}",
        if form.is_right() { "" } else { "Error: " },
        hand.week
    );
    let stored = hand.stored.as_ref();
    page(&EditionPage {
        shell: shell(site, &title),
        who,
        done: done(visit),
        week: hand.week.to_string(),
        title: hand.digest.title(),
        published: stored
            .and_then(|stored| stored.published_at)
            .map(|at| When::minute(at, site)),
        saved: stored.map(|stored| (When::minute(stored.changed_at, site), stored.changed_by.clone())),
        rows: hand.digest.entries().map(|entry| row(entry, site)).collect(),
        links: (0..(given + EMPTY_LINKS).min(LINKS)).collect(),
        preview: hand.digest.edited(&hand.draft).to_text(),
        form,
    })
}

fn row(entry: &Entry, site: &Site) -> Row {
    let key = &entry.key;
    let original = entry.url.as_deref().and_then(links::web_address);
    Row {
        heading: entry.heading(),
        original: original.unwrap_or_else(|| links::entry(key)),
        byline: format!("{}, {}", entry.author, When::day(entry.published, site).text),
        summary: entry.summary.clone(),
        topics: entry.topics.iter().map(|topic| earned(topic, site)).collect(),
        pin: format!("pin-{key}"),
        place: format!("place-{key}"),
        out: format!("out-{key}"),
        note: format!("note-{key}"),
    }
}

/// "Democracy (council meeting, councillors)", or "Democracy (by hand)".
fn earned(topic: &TopicMatch, site: &Site) -> String {
    let name = site
        .topic(&topic.slug)
        .map_or(topic.slug.as_str(), |topic| &topic.name);
    match topic.by {
        TopicSource::Moderator => format!("{name} (by hand)"),
        TopicSource::Rule => format!("{name} ({})", words_of(&topic.why, usize::MAX).join(", ")),
    }
}
