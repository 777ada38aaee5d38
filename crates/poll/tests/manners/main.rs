//! The poller as it runs, with a clock that is handed in, against blogs on loopback: what it asks, what it stores, and
//! what it says of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod cases;
mod locked;
mod month;
mod posts;
mod web;
