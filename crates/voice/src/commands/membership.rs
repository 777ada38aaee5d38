//! `voice feeds add`, `merge`, `link` and `remove --withdraw`: members, from a terminal.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use chrono_tz::Tz;
use model::{Clock, ContentChoice, FeedSpec, IncludeChoice, MemberKind, Site, SystemClock};
use serde_json::json;
use store::{Cause, Decision, Receipt, Store, TERMINAL};

use crate::cli::{AddFeed, Options};
use crate::{context, output};

/// Whoever works at this terminal decides now.
pub(crate) fn decision(why: Option<&str>) -> Decision<'_> {
    Decision {
        by: TERMINAL,
        why,
        at: SystemClock.now(),
    }
}

pub(crate) async fn add(
    options: &Options,
    store: &Store,
    add: &AddFeed,
    zone: Tz,
) -> anyhow::Result<ExitCode> {
    let spec = FeedSpec {
        name: add.name.clone(),
        member: add.member.clone(),
        organisation: add.organisation.clone(),
        kind: add.team.then_some(MemberKind::Team),
        content: add.full.then_some(ContentChoice::Full),
        include: add.tagged.then_some(IncludeChoice::Tagged),
        licence: add.licence.clone(),
        ..FeedSpec::new(add.url.clone(), "")
    };
    if add.again {
        store.let_back(&add.url).await?;
    }
    let report = store.import_feeds(&[spec], SystemClock.now(), zone).await?;
    if !report.withheld.is_empty() {
        bail!(
            "{} was withdrawn or turned down before; --again adds it all the same, if its owner wants that",
            add.url
        );
    }
    let Some(slug) = report.added.first().or(report.resumed.first()) else {
        bail!(
            "{} is known already; `voice feeds list` shows how it stands, and `voice feeds approve` or `resume` takes it up",
            add.url
        );
    };
    if options.json {
        output::print_json(&json!({ "added": slug }))?;
    } else {
        output::print(&format!(
            "{slug} is added. It is polled when the Voice next wakes, or now with `voice poll {slug}`.\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn merge(
    options: &Options,
    store: &Store,
    from: &str,
    into: &str,
) -> anyhow::Result<ExitCode> {
    if !store.merge_members(from, into, &decision(None)).await? {
        bail!("{from:?} and {into:?} are not two members; `voice feeds list --json` names them");
    }
    if options.json {
        output::print_json(&json!({ "merged": from, "into": into }))?;
    } else {
        output::print(&format!("All that {from} had is {into}’s now.\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn link(
    options: &Options,
    store: &Store,
    site: &Site,
    member: &str,
) -> anyhow::Result<ExitCode> {
    let Some(secret) = store.new_link(member, &decision(None)).await? else {
        bail!("there is no member {member:?}; `voice feeds list --json` names them");
    };
    let link = site.absolute(&format!("/manage/{}", secret.reveal()));
    if options.json {
        output::print_json(&json!({ "member": member, "link": link }))?;
    } else {
        output::print(&format!(
            "{link}\nIt opens everything that is {member}’s, and older links have ended. It is shown here once.\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn withdraw(
    options: &Options,
    store: &Store,
    feeds: &[String],
    why: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let (mut receipts, mut failures) = (Vec::new(), Vec::new());
    for slug in feeds {
        match store
            .withdraw_feed(slug, Cause::Moderator, &decision(why))
            .await?
        {
            Some(receipt) => receipts.push(receipt),
            None => failures.push(format!(
                "no feed is registered as {slug:?}; `voice feeds list` shows the names"
            )),
        }
    }
    settle_issues(options, store).await?;
    if options.json {
        output::print_json(&json!({ "withdrawn": receipts, "failures": failures }))?;
    } else {
        for receipt in &receipts {
            output::print(&in_words(receipt))?;
        }
        for failure in &failures {
            eprintln!("voice: {failure}");
        }
    }
    Ok(ExitCode::from(u8::from(!failures.is_empty())))
}

/// Takes what was withdrawn out of closed digests, too; no server need run for that.
pub(crate) async fn settle_issues(options: &Options, store: &Store) -> anyhow::Result<()> {
    let site = context::settings_or_defaults(options)?.site;
    serve::settle_issues(store, &site, SystemClock.now()).await?;
    Ok(())
}

/// A receipt for people.
pub(crate) fn in_words(receipt: &Receipt) -> String {
    let mut text = format!("Withdrawn: {} entries", receipt.entries.len());
    if receipt.feeds > 0 {
        text.push_str(", the feed");
    }
    if receipt.member {
        text.push_str(", and the member");
    }
    text.push_str(".\n");
    for place in &receipt.places {
        let at = place.at.format("%Y-%m-%d %H:%M UTC");
        let _ = writeln!(text, "    {}: gone since {at}", place.place);
    }
    if !receipt.scrubbed {
        text.push_str(
            "    the files of the database: not yet, somebody is reading; a running Voice goes on trying\n",
        );
    }
    text
}
