//! `/entries/{key}/report`: anybody can say that something is wrong with a post, and gets a reference and an answer.

use std::fmt::Write as _;

use askama::Template;
use sha2::{Digest as _, Sha256};
use store::{EntryLookup, NewReport};

use super::page;
use super::shell::{Part, Shell};
use super::view::Named;
use crate::asked::Made;
use crate::failure::Failure;
use crate::form::Form;
use crate::links;
use crate::private::{Replied, Reply, Visit};

/// The parameter that says what was sent.
pub(crate) const PARAMETERS: &[&str] = &["reference"];

/// The longest reason, in characters.
const LONGEST_REASON: usize = 4000;
/// The longest e-mail address (RFC 5321 section 4.5.3.1).
const LONGEST_EMAIL: usize = 254;

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    shell: Shell,
    form: Form,
    heading: String,
    member: String,
    back: Named,
    action: String,
    /// What was sent already.
    reference: Option<String>,
}

/// `/entries/{key}/report`
pub(crate) async fn report(visit: Visit) -> Replied {
    let reference = match visit.asked.parameters.get("reference") {
        Some(reference) if visit.asked.store().report_of(reference).await?.is_some() => {
            Some(reference.to_owned())
        }
        _ => None,
    };
    Ok(Reply::page(
        report_page(&visit, Form::default(), reference).await?,
    ))
}

async fn report_page(visit: &Visit, form: Form, reference: Option<String>) -> Made {
    let key = &visit.asked.name;
    let entry = match visit.asked.store().entry(key).await? {
        EntryLookup::Found(entry) => entry,
        EntryLookup::Withdrawn { .. } => return Err(Failure::Gone),
        EntryLookup::Unknown => return Err(Failure::not_found("There is no such post.")),
    };
    let title = match (&reference, form.is_right()) {
        (Some(_), _) => "Your report has arrived",
        (None, true) => "Report a post",
        (None, false) => "Error: Report a post",
    };
    let mut shell = Shell::new(&visit.asked.site, Part::Elsewhere, Some(title.to_owned()));
    shell.unlisted = true;
    page(&ReportPage {
        shell,
        form,
        heading: entry.heading(),
        member: entry.member.name.clone(),
        back: Named {
            name: entry.heading(),
            path: links::entry(key),
        },
        action: format!("{}/report", links::entry(key)),
        reference,
    })
}

/// `POST /entries/{key}/report`
pub(crate) async fn take_report(mut visit: Visit) -> Replied {
    let reason = visit
        .form
        .required("reason", LONGEST_REASON, "Enter what is wrong with the post");
    let email = visit.form.optional("email", LONGEST_EMAIL).unwrap_or_default();
    if !email.is_empty() && !is_email(&email) {
        visit.form.wrong(
            "email",
            "Enter an e-mail address like name@example.org, or leave this empty",
        );
    }
    let (Some(reason), true) = (reason, visit.form.is_right()) else {
        let form = std::mem::take(&mut visit.form);
        return Ok(Reply::mistaken(report_page(&visit, form, None).await?));
    };
    let report = NewReport {
        key: visit.asked.name.clone(),
        reason,
        email: Some(email).filter(|email| !email.is_empty()),
    };
    let reference = reference(&report);
    let now = visit.asked.state.now();
    if !visit.asked.store().report(&reference, &report, now).await? {
        // Withdrawn in between, or nobody's.
        return Ok(Reply::page(report_page(&visit, Form::default(), None).await?));
    }
    tracing::info!(entry = report.key, reference, "a post was reported");
    let path = links::entry(&report.key);
    Ok(Reply::see(format!("{path}/report?reference={reference}")))
}

/// The same report sent twice has the same reference: pressing the button again does nothing.
fn reference(report: &NewReport) -> String {
    let mut hash = Sha256::new();
    for part in [
        &report.key,
        &report.reason,
        report.email.as_ref().unwrap_or(&String::new()),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut reference = "R-".to_owned();
    for byte in hash.finalize().iter().take(6) {
        let _ = write!(reference, "{byte:02x}");
    }
    reference
}

/// Whether a mail could be sent there; only a mail can tell whether it arrives.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    !local.is_empty() && domain.contains('.') && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}
