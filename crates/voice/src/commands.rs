//! One file for each command.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod digest;
pub(crate) mod entries;
pub(crate) mod export;
pub(crate) mod feeds;
pub(crate) mod healthcheck;
pub(crate) mod membership;
pub(crate) mod migrate_database;
pub(crate) mod poll;
pub(crate) mod replay;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod topics;
