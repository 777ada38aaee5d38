//! The pages at `/admin`, and what their forms do. Who may see them is not decided here.
//!
//! A form answers with the page that shows what came of it, named by `?done=`: so the back button and a second press do
//! nothing twice.

mod digest;
mod entries;
mod front;
mod members;
mod queues;

pub(crate) use digest::{digest, edition, save_digest};
pub(crate) use entries::{FIND, decide as decide_entry, entry, find};
pub(crate) use front::{admin_sign_in, front};
pub(crate) use members::{LIST, decide_feed, decide_member, feeds, member};
pub(crate) use queues::{AUDIT, answer_report, audit, disputes, left_out, reports, settle_dispute};

use std::sync::Arc;

use askama::Template;
use model::Site;
use store::Receipt;

use super::page;
use super::shell::{Part, Shell};
use super::view::When;
use crate::admin::Who;
use crate::private::{Replied, Reply, Visit};

/// The parameter that says what was done.
pub(crate) const DONE: &[&str] = &["done"];

/// What was done, by its word in `?done=`.
const SENTENCES: [(&str, &str); 17] = [
    ("approved", "The feed was taken on and is being polled now."),
    (
        "rejected",
        "The feed was not taken on. Its blogger reads your reason.",
    ),
    ("paused", "Polling is paused. What we hold stays readable."),
    ("resumed", "The feed is polled again, now."),
    (
        "removed",
        "The feed was let go. What we hold of it stays readable.",
    ),
    ("moved", "The feed is polled at its new address from now on."),
    ("already", "Nothing was changed: it was like that already."),
    ("merged", "The two members are one now."),
    ("hidden", "The post is gone from everywhere, for good."),
    (
        "topics",
        "The post’s topics are as you said, whatever the rules say.",
    ),
    ("answered", "The report is answered."),
    ("settled", "The topics stay as they are."),
    ("saved", "It is saved, and readers see what they saw before."),
    ("published", "It is published: readers see it with ?edited=1."),
    ("taken-back", "Readers see the untouched digest alone."),
    (
        "refused",
        "That cannot be done with a feed in this state. See what it says below.",
    ),
    ("nothing", "There was nothing to do: somebody else was quicker."),
];

/// What surrounds a page at `/admin`.
fn shell(site: &Arc<Site>, title: &str) -> Shell {
    let mut shell = Shell::new(site, Part::Elsewhere, Some(title.to_owned()));
    shell.unlisted = true;
    shell.names_origin = true;
    shell
}

/// What was just done, in a sentence.
fn done(visit: &Visit) -> Option<&'static str> {
    let word = visit.asked.parameters.get("done")?;
    SENTENCES
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, sentence)| *sentence)
}

#[derive(Template)]
#[template(path = "admin/receipt.html")]
struct ReceiptPage {
    shell: Shell,
    who: Who,
    entries: usize,
    feeds: u32,
    member: bool,
    places: Vec<(&'static str, When)>,
    scrubbed: bool,
}

/// What was withdrawn, and from where it is gone.
fn receipt(visit: &Visit, who: Who, receipt: &Receipt) -> Replied {
    let site = &visit.asked.site;
    let places = receipt.places.iter();
    Ok(Reply::page(page(&ReceiptPage {
        shell: shell(site, "Withdrawn"),
        who,
        entries: receipt.entries.len(),
        feeds: receipt.feeds,
        member: receipt.member,
        places: places
            .map(|place| (place.place, When::minute(place.at, site)))
            .collect(),
        scrubbed: receipt.scrubbed,
    })?))
}
