//! Closing a week, and correcting an issue after a withdrawal: one write each, which holds the lock from the choice of the
//! entries to the documents. Dropped, it leaves nothing.
//!
//! So a week is closed once, whoever tries, and a program that is killed on the way leaves no half issue.

use chrono::{DateTime, Utc};
use model::Week;

use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::issues::{Chosen, WeekContents, WeekRules, choose, contents, last_closed};
use crate::rows::{Fields, millis};
use crate::sql::{On, Sql, statements};
use crate::{Store, StoreError};

/// Memberships of one statement at most.
const ROWS: usize = 512;

const ADD_ISSUE: &str = "INSERT INTO issues (week, uri, closed_at) VALUES ($1, $2, $3)";
const ADD_REVISION: &str = "INSERT INTO issue_revisions (week, revision, made_at, hash, title, entries, members,
        organisations, json, markdown, html, text, csv)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
const EMPTY_OLD_REVISIONS: &str = "UPDATE issue_revisions
    SET json = NULL, markdown = NULL, html = NULL, text = NULL, csv = NULL WHERE week = $1 AND revision < $2";
const LEAVE: &str = "UPDATE issue_entries SET gone_in = $2 WHERE week = $1 AND gone_in IS NULL
    AND entry_id IN (SELECT e.id FROM entries e WHERE e.withdrawn_at IS NOT NULL)";

const LATEST: &str = "SELECT revision, hash, json FROM issue_revisions WHERE week = $1 ORDER BY revision DESC LIMIT 1";
const WITHDRAWN: &str = "SELECT e.uri FROM issue_entries i CROSS JOIN entries e
    WHERE i.week = $1 AND i.gone_in IS NULL AND e.id = i.entry_id AND e.withdrawn_at IS NOT NULL
    ORDER BY e.published_at, e.id";

/// A revision to be stored, in every format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRevision {
    /// The hash of its entries.
    pub hash: String,
    /// Its title.
    pub title: String,
    /// Its entries.
    pub entries: u32,
    /// The members who wrote them.
    pub members: u32,
    /// The organisations that these name.
    pub organisations: u32,
    /// The document.
    pub json: String,
    /// Markdown.
    pub markdown: String,
    /// The piece to paste.
    pub html: String,
    /// Plain text.
    pub text: String,
    /// A table.
    pub csv: String,
}

/// A week on its way to be closed: nobody else writes meanwhile.
pub struct Closing {
    transaction: Transaction,
    rules: WeekRules,
    chosen: Vec<Chosen>,
    contents: WeekContents,
}

/// An issue on its way to a revision without what was withdrawn: nobody else writes meanwhile.
pub struct Correcting {
    transaction: Transaction,
    week: Week,
    /// The number of the revision that still holds it.
    pub revision: u32,
    /// Its hash.
    pub hash: String,
    /// Its document.
    pub json: String,
    /// What was withdrawn, by `tag:` identifiers.
    pub withdrawn: Vec<String>,
}

impl Store {
    /// Begins to close a week; `None` if it is closed, or a later one is.
    pub async fn begin_closing(&self, rules: WeekRules) -> Result<Option<Closing>, StoreError> {
        let mut transaction = self.begin().await?;
        let mut on = On::from(&mut transaction);
        if last_closed(&mut on).await?.is_some_and(|closed| closed >= rules.week) {
            return Ok(None);
        }
        let chosen = choose(&mut on, &rules, true).await?;
        let contents = contents(&mut on, &chosen).await?;
        Ok(Some(Closing {
            transaction,
            rules,
            chosen,
            contents,
        }))
    }

    /// Begins to correct an issue; `None` if its latest revision holds nothing that was withdrawn.
    pub async fn begin_correcting(&self, week: Week) -> Result<Option<Correcting>, StoreError> {
        let mut transaction = self.begin().await?;
        let name = week.to_string();
        let rows = Sql::new(WITHDRAWN).bind(&name).fetch_all(&mut transaction).await?;
        let withdrawn: Vec<String> = rows
            .iter()
            .map(|row| Fields::of("entries", row).take())
            .collect::<Result<_, _>>()?;
        if withdrawn.is_empty() {
            return Ok(None);
        }
        let row = Sql::new(LATEST).bind(&name).fetch_one(&mut transaction).await?;
        let mut fields = Fields::of("issue_revisions", &row);
        Ok(Some(Correcting {
            revision: fields.number()?,
            hash: fields.take()?,
            json: fields.take()?,
            week,
            withdrawn,
            transaction,
        }))
    }
}

impl Closing {
    /// What the week is made of.
    pub fn contents(&self) -> &WeekContents {
        &self.contents
    }

    /// Closes it at `at` with its first revision. `id` is the issue's `tag:` identifier.
    pub async fn finish(
        mut self,
        at: DateTime<Utc>,
        id: &str,
        revision: &NewRevision,
    ) -> Result<(), StoreError> {
        let transaction = &mut self.transaction;
        let week = self.rules.week.to_string();
        Sql::new(ADD_ISSUE)
            .bind(&week)
            .bind(id)
            .bind(millis(at))
            .execute(&mut *transaction)
            .await?;
        for chosen in statements(&self.chosen, ROWS) {
            let mut sql = Sql::new("INSERT INTO issue_entries (entry_id, week, late) ");
            sql.push_values(chosen, |row, chosen| {
                row.push_bind(chosen.id).push_bind(&week).push_bind(chosen.late);
            });
            sql.execute(&mut *transaction).await?;
        }
        add_revision(transaction, &week, 1, at, revision).await?;
        self.transaction.commit().await
    }
}

impl Correcting {
    /// Stores the next revision, made at `at`, and empties those before it.
    pub async fn finish(mut self, at: DateTime<Utc>, revision: &NewRevision) -> Result<(), StoreError> {
        let transaction = &mut self.transaction;
        let week = self.week.to_string();
        let number = self.revision + 1;
        for sql in [EMPTY_OLD_REVISIONS, LEAVE] {
            Sql::new(sql)
                .bind(&week)
                .bind(number)
                .execute(&mut *transaction)
                .await?;
        }
        add_revision(transaction, &week, number, at, revision).await?;
        self.transaction.commit().await
    }
}

/// Stores a revision of an issue, which readers see.
async fn add_revision(
    transaction: &mut Transaction,
    week: &str,
    number: u32,
    at: DateTime<Utc>,
    revision: &NewRevision,
) -> Result<(), StoreError> {
    Sql::new(ADD_REVISION)
        .bind(week)
        .bind(number)
        .bind(millis(at))
        .bind(&revision.hash)
        .bind(&revision.title)
        .bind(revision.entries)
        .bind(revision.members)
        .bind(revision.organisations)
        .bind(&revision.json)
        .bind(&revision.markdown)
        .bind(&revision.html)
        .bind(&revision.text)
        .bind(&revision.csv)
        .execute(&mut *transaction)
        .await?;
    let mut next = NextRevision::begin(transaction, at).await?;
    next.visible = true;
    next.finish(transaction).await
}
