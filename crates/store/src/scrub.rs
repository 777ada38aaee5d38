//! Erased text is overwritten in the files of the database, too: wished for by the transaction that erases, done after it,
//! and tried again until it is done.
//!
//! How each database does it stands in `sqlite.rs` and `postgres.rs`.

use crate::db::{Pool, Transaction};
use crate::sql::Sql;
use crate::{Store, StoreError, postgres, sqlite};

const WANT_SCRUB: &str = "UPDATE site_state SET scrub = TRUE";
const IS_WANTED: &str = "SELECT scrub FROM site_state";
const SCRUBBED: &str = "UPDATE site_state SET scrub = FALSE";

impl Store {
    /// Makes sure that nothing which was erased is left in the files of the database, if that is still to be done.
    /// Gives false while readers who are in the middle of something prevent it; then it is to be tried again.
    pub async fn scrub(&self) -> Result<bool, StoreError> {
        let wanted: bool = Sql::new(IS_WANTED)
            .fetch_value("site_state", self.readers())
            .await?;
        if !wanted {
            return Ok(true);
        }
        let done = match &self.writer {
            Pool::Sqlite(writer) => sqlite::scrub(writer).await?,
            Pool::Postgres(writer) => postgres::scrub(writer).await?,
        };
        if done {
            Sql::new(SCRUBBED).execute(&self.writer).await?;
        }
        Ok(done)
    }

    /// What is scrubbed, in words. A server's log of writes holds what was erased until its turn to be overwritten comes,
    /// as copies do.
    pub(crate) fn files(&self) -> &'static str {
        match &self.writer {
            Pool::Sqlite(_) => "the files of the database, its log of writes among them",
            Pool::Postgres(_) => "the files of the database’s tables",
        }
    }
}

/// Wishes that what this transaction erases be overwritten once it is committed.
pub(crate) async fn want(transaction: &mut Transaction) -> Result<(), StoreError> {
    Sql::new(WANT_SCRUB).execute(transaction).await?;
    Ok(())
}
