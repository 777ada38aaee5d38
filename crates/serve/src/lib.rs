//! The Voice on the web: routes, status codes, caching and pages.
//!
//! The only crate that knows axum. A route is a function from what was asked to a document or a failure; the
//! rest (cache, validators, encodings, headers, the form in which a failure is told) is done once, in `app`, for
//! all of them. To add an address: one line in `routes`, and a function in the file of its noun.
//!
//! Nothing here knows SQL or a feed format or asks the network for anything, and no page needs JavaScript, sets a
//! cookie (`/admin` aside) or loads anything from elsewhere but the posts' own pictures.

mod admin;
#[cfg(test)]
mod admin_tests;
mod app;
mod asked;
mod blog_address;
mod cache;
mod caller;
mod connections;
mod digests;
mod document;
mod entries_json;
mod examples;
mod failure;
#[cfg(test)]
mod feed_tests;
mod feeds;
mod fixed;
mod form;
#[cfg(test)]
mod form_tests;
mod health;
#[cfg(test)]
mod issue_tests;
mod issues;
mod links;
mod look_alikes;
#[cfg(test)]
mod manage_tests;
mod metrics;
mod negotiate;
mod notices;
mod openapi;
#[cfg(test)]
mod page_tests;
mod pages;
mod parameters;
mod private;
#[cfg(test)]
mod register_tests;
mod routes;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod throttle;
#[cfg(test)]
mod topic_tests;
mod training;
mod troubles;
#[cfg(test)]
mod watch_tests;
mod websub;
#[cfg(test)]
mod why_tests;

pub use admin::{Admin, Role};
pub use app::{App, DueAt, NextDigestClose, Retag};
pub use connections::serve;
pub use examples::{ExampleDocument, serve_examples};
pub use issues::{NextClosing, close_issue, digest_of_week, settle_issues};
