//! Leaving, and the receipt of what was taken back.

use askama::Template;
use chrono::TimeDelta;
use store::{Cause, Receipt};

use super::owner::{May, Owner, decision};
use crate::asked::Asked;
use crate::failure::Failure;
use crate::form::Form;
use crate::pages::page;
use crate::pages::shell::{Part, Shell};
use crate::pages::view::When;
use crate::private::{Replied, Reply, Visit};

/// How long a copy of the database is kept at most (`docs/operations.md`).
const BACKUPS_KEPT: TimeDelta = TimeDelta::days(30);

#[derive(Template)]
#[template(path = "manage_leave.html")]
struct LeavePage {
    shell: Shell,
    form: Form,
    path: String,
    name: String,
    posts: u32,
}

/// Everything is taken back: asked once more, then done.
pub(super) async fn leave(visit: &Visit, owner: &Owner, mut form: Form) -> Replied {
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
        let posts = owner.membership.feeds.iter().map(|one| one.feed.entries).sum();
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
