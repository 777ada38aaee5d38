//! Who did what to what, when, and why. Written in the transaction that does it, so that nothing is done unseen.

use chrono::{DateTime, Utc};

use crate::db::Transaction;
use crate::rows::{Fields, millis};
use crate::sql::Sql;
use crate::{Store, StoreError};

const WRITE: &str = "INSERT INTO audit (done_at, actor, action, target, why) VALUES ($1, $2, $3, $4, $5)";
const READ: &str =
    "SELECT id, done_at, actor, action, target, why FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2";
const FORGET_NAME: &str = "UPDATE audit SET target = $2, why = NULL WHERE target = $1";

/// A decision of a person: who takes it, when, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision<'a> {
    /// Who: a moderator's name, [`MEMBER`], [`SOURCE`], [`TERMINAL`] or [`TERM`].
    pub by: &'a str,
    /// The reason, in words for whom it concerns.
    pub why: Option<&'a str>,
    /// When.
    pub at: DateTime<Utc>,
}

/// The member in question, as the one who decides.
pub const MEMBER: &str = "member";
/// The blog itself, as the one who decides: a post was deleted there.
pub const SOURCE: &str = "source";
/// Whoever works at the terminal of the server.
pub const TERMINAL: &str = "terminal";
/// Nobody: what was to be kept for a while was kept so long.
pub const TERM: &str = "term";
/// All of these: no person can have such a name in the log.
pub const NOBODY: [&str; 4] = [MEMBER, SOURCE, TERMINAL, TERM];

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AuditLine {
    /// Its number; later lines have higher ones.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
    /// What was done, in a word or two: `approve feed`.
    pub action: String,
    /// To what: a slug, a key, a reference.
    pub target: String,
    /// Why, where a reason was given.
    pub why: Option<String>,
}

impl Store {
    /// The last `limit` lines of the log before the line of number `before`, newest first.
    pub async fn audit(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditLine>, StoreError> {
        let rows = Sql::new(READ)
            .bind(before.unwrap_or(i64::MAX))
            .bind(limit)
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("audit", row);
                Ok(AuditLine {
                    id: fields.take()?,
                    at: fields.at()?,
                    by: fields.take()?,
                    action: fields.take()?,
                    target: fields.take()?,
                    why: fields.take()?,
                })
            })
            .collect()
    }
}

/// Writes a line: `action` was done to `target`.
pub(crate) async fn write(
    transaction: &mut Transaction,
    decision: &Decision<'_>,
    action: &str,
    target: &str,
) -> Result<(), StoreError> {
    Sql::new(WRITE)
        .bind(millis(decision.at))
        .bind(decision.by)
        .bind(action)
        .bind(target)
        .bind(decision.why)
        .execute(transaction)
        .await?;
    Ok(())
}

/// Puts another name in the place of one that says who it was, and forgets the reasons, which may say it too.
pub(crate) async fn forget_name(
    transaction: &mut Transaction,
    name: &str,
    instead: &str,
) -> Result<(), StoreError> {
    Sql::new(FORGET_NAME)
        .bind(name)
        .bind(instead)
        .execute(transaction)
        .await?;
    Ok(())
}
