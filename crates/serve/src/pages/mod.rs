//! The pages: what each one shows, as values that the templates write out. A page is complete without
//! JavaScript; every address in it is a path of ours or one that was checked.

pub(crate) mod admin;
mod digest;
mod entry;
mod fares;
mod fixed;
mod letters;
mod lists;
mod manage;
mod post;
mod preview;
mod register;
mod report;
mod river;
mod search;
mod shell;
mod topic;
mod view;
mod why;

pub(crate) use admin::admin_sign_in;
pub(crate) use digest::{counted, digest_issues, digest_week};
pub(crate) use entry::entry;
pub(crate) use fares::fetching;
pub(crate) use fixed::{about, accessibility, failure, feeds, privacy};
pub(crate) use letters::{confirm, confirmed, unsubscribe, unsubscribed};
pub(crate) use lists::{members, topics};
pub(crate) use manage::{
    PARAMETERS as MANAGE_PARAMETERS, data as manage_data, show as manage, show_post as manage_post,
    take as take_manage, take_post as take_manage_post,
};
pub(crate) use register::{PARAMETERS as REGISTER_PARAMETERS, ask as register, take as take_registration};
pub(crate) use report::{PARAMETERS as REPORT_PARAMETERS, report, take_report};
pub(crate) use river::{
    PARAMETERS as RIVER_PARAMETERS, hashtag, home, known_hashtag, known_member, known_topic, member,
};
pub(crate) use search::{PARAMETERS as SEARCH_PARAMETERS, search};
pub(crate) use topic::topic;
pub(crate) use why::{PARAMETERS as WHY_PARAMETERS, why, why_json};

use askama::Template;

use crate::asked::Made;
use crate::document::{Document, Kind};
use crate::failure::Failure;

/// The page that this template writes.
fn page(template: &impl Template) -> Made {
    let html = template
        .render()
        .map_err(|error| Failure::Internal(format!("a template could not be written: {error}")))?;
    Ok(Document::new(Kind::Page, html))
}
