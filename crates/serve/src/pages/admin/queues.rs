//! What waits for a moderator, one after another: reports, disputes, what mixed blogs left out; and who did what.

use askama::Template;
use store::{Cause, Report};

use super::super::page;
use super::super::shell::Shell;
use super::super::view::When;
use super::members::LONGEST_REASON;
use super::{done, shell};
use crate::admin::Who;
use crate::failure::Failure;
use crate::form::Form;
use crate::links;
use crate::private::{Replied, Reply, Visit};

/// How many answered reports are shown.
const ANSWERED: u32 = 50;
/// How many posts that were left out are shown.
const LEFT_OUT: u32 = 200;
/// How many lines of the log stand on one page.
const LINES: u32 = 100;

/// The parameter of the log: the line before which it goes on.
pub(crate) const AUDIT: &[&str] = &["before"];

/// A report in the list.
struct Reported {
    reference: String,
    heading: String,
    key: String,
    member: String,
    reason: String,
    wants_answer: Option<String>,
    at: When,
    withdrawn: bool,
    answer: Option<(String, String, When)>,
}

#[derive(Template)]
#[template(path = "admin/reports.html")]
struct Reports {
    shell: Shell,
    who: Who,
    done: Option<&'static str>,
    form: Form,
    /// The report whose answer has a mistake.
    mistaken: String,
    open: Vec<Reported>,
    closed: Vec<Reported>,
}

/// `/admin/reports`
pub(crate) async fn reports(visit: Visit, who: Who) -> Replied {
    Ok(Reply::page(reports_page(&visit, who, Form::default(), "").await?))
}

async fn reports_page(visit: &Visit, who: Who, form: Form, mistaken: &str) -> crate::asked::Made {
    let site = &visit.asked.site;
    let reported = |report: Report| Reported {
        heading: report.title.unwrap_or_else(|| "A post".to_owned()),
        key: report.key,
        member: report.member.1,
        reason: report.reason,
        wants_answer: report.email,
        at: When::day(report.reported_at, site),
        withdrawn: report.withdrawn_at.is_some(),
        answer: report
            .closed
            .map(|(at, by)| (report.answer.unwrap_or_default(), by, When::day(at, site))),
        reference: report.reference,
    };
    let all = visit.asked.store().reports(ANSWERED).await?;
    let (open, closed): (Vec<_>, Vec<_>) = all
        .into_iter()
        .map(reported)
        .partition(|report| report.answer.is_none());
    let title = if form.is_right() {
        "Reports"
    } else {
        "Error: Reports"
    };
    page(&Reports {
        shell: shell(site, title),
        who,
        done: done(visit),
        form,
        mistaken: mistaken.to_owned(),
        open,
        closed,
    })
}

/// `POST /admin/reports/{reference}`
pub(crate) async fn answer_report(mut visit: Visit, who: Who) -> Replied {
    let (reference, now) = (visit.asked.name.clone(), visit.asked.state.now());
    let store = visit.asked.store().clone();
    let Some(report) = store.report_of(&reference).await? else {
        return Err(Failure::not_found("There is no such report."));
    };
    let answer = visit.form.required("answer", LONGEST_REASON, "Enter the answer");
    let Some(answer) = answer else {
        let form = std::mem::take(&mut visit.form);
        return Ok(Reply::mistaken(
            reports_page(&visit, who, form, &reference).await?,
        ));
    };
    let decision = who.decides(Some(&answer), now);
    if visit.form.value("do") == "hide" {
        store
            .withdraw_entries(&[report.key], Cause::Moderator, &decision)
            .await?;
    }
    let closed = store.close_report(&reference, &answer, &decision).await?;
    let word = if closed { "answered" } else { "nothing" };
    Ok(Reply::see(format!("/admin/reports?done={word}")))
}

/// A dispute in the list.
struct Disputed {
    heading: String,
    key: String,
    member: String,
    slug: String,
    topic: String,
    should_hold: bool,
    reason: String,
    at: When,
}

#[derive(Template)]
#[template(path = "admin/disputes.html")]
struct Disputes {
    shell: Shell,
    who: Who,
    done: Option<&'static str>,
    rows: Vec<Disputed>,
}

/// `/admin/disputes`
pub(crate) async fn disputes(visit: Visit, who: Who) -> Replied {
    let site = &visit.asked.site;
    let disputes = visit.asked.store().disputes().await?;
    Ok(Reply::page(page(&Disputes {
        shell: shell(site, "Disputed topics"),
        who,
        done: done(&visit),
        rows: (disputes.into_iter())
            .map(|dispute| Disputed {
                heading: dispute.title.unwrap_or(dispute.summary),
                key: dispute.key,
                member: dispute.member.name,
                topic: (site.topic(&dispute.topic))
                    .map_or_else(|| dispute.topic.clone(), |topic| topic.name.clone()),
                slug: dispute.topic,
                should_hold: dispute.should_hold,
                reason: dispute.reason,
                at: When::day(dispute.at, site),
            })
            .collect(),
    })?))
}

/// `POST /admin/disputes/{key}`: the topics stay as they are.
pub(crate) async fn settle_dispute(visit: Visit, who: Who) -> Replied {
    let (key, now) = (visit.asked.name.clone(), visit.asked.state.now());
    let settled = visit
        .asked
        .store()
        .settle_dispute(&key, visit.form.value("topic"), who.decides(None, now))
        .await?;
    let word = if settled { "settled" } else { "nothing" };
    Ok(Reply::see(format!("/admin/disputes?done={word}")))
}

/// A post that was left out.
struct LeftOutRow {
    heading: String,
    url: Option<String>,
    member: String,
    published: When,
    why: String,
    key: String,
}

#[derive(Template)]
#[template(path = "admin/left_out.html")]
struct LeftOut {
    shell: Shell,
    who: Who,
    rows: Vec<LeftOutRow>,
}

/// `/admin/left-out`
pub(crate) async fn left_out(visit: Visit, who: Who) -> Replied {
    let site = &visit.asked.site;
    let rows = visit.asked.store().left_out(None, LEFT_OUT).await?;
    Ok(Reply::page(page(&LeftOut {
        shell: shell(site, "Left out"),
        who,
        rows: (rows.into_iter())
            .map(|row| LeftOutRow {
                why: row.why(),
                heading: row.title.unwrap_or(row.summary),
                url: row.url.as_deref().and_then(links::web_address),
                member: row.member.name,
                published: When::day(row.published, site),
                key: row.key,
            })
            .collect(),
    })?))
}

/// A line of the log.
struct Line {
    at: When,
    by: String,
    action: String,
    target: String,
    why: String,
}

#[derive(Template)]
#[template(path = "admin/audit.html")]
struct Audit {
    shell: Shell,
    who: Who,
    lines: Vec<Line>,
    older: Option<i64>,
}

/// `/admin/audit`
pub(crate) async fn audit(visit: Visit, who: Who) -> Replied {
    let site = &visit.asked.site;
    let before = visit.asked.parameters.read_as("before", |text| {
        text.parse::<i64>().map_err(|_| "must be a whole number")
    })?;
    let lines = visit.asked.store().audit(before, LINES).await?;
    Ok(Reply::page(page(&Audit {
        shell: shell(site, "Who did what"),
        who,
        older: (lines.last())
            .filter(|_| lines.len() == LINES as usize)
            .map(|line| line.id),
        lines: (lines.into_iter())
            .map(|line| Line {
                at: When::minute(line.at, site),
                by: line.by,
                action: line.action,
                target: line.target,
                why: line.why.unwrap_or_default(),
            })
            .collect(),
    })?))
}
