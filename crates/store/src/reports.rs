//! What people report of posts: each has a reference, a moderator answers it, and what says who reported is erased
//! a month after that.

use chrono::{DateTime, TimeDelta, Utc};

use crate::audit::{self, Decision};
use crate::rows::{Fields, millis};
use crate::sql::Sql;
use crate::{Store, StoreError};

const ADD: &str = "INSERT INTO reports (reference, entry_id, reason, email, reported_at)
    SELECT $1, e.id, $3, $4, $5 FROM entries e WHERE e.key = $2 AND e.arrival IS NOT NULL AND e.withdrawn_at IS NULL
    ON CONFLICT (reference) DO NOTHING";
const IS_THERE: &str = "SELECT EXISTS (SELECT 1 FROM reports WHERE reference = $1)";
const READ: &str = "SELECT r.reference, e.key, e.title, e.withdrawn_at, m.slug, m.name, r.reason, r.email, r.reported_at, r.answer,
        r.closed_at, r.closed_by
    FROM reports r JOIN entries e ON e.id = r.entry_id JOIN members m ON m.id = e.member_id";
const CLOSE: &str = "UPDATE reports SET answer = $2, closed_at = $3, closed_by = $4
    WHERE reference = $1 AND closed_at IS NULL";
const FORGET: &str = "UPDATE reports SET email = NULL WHERE email IS NOT NULL AND closed_at <= $1";
const COUNT_OPEN: &str = "SELECT COUNT(*) FROM reports WHERE closed_at IS NULL";

/// For how long after the answer the address of whoever reported is kept.
const KEPT: TimeDelta = TimeDelta::days(30);

/// Somebody reports a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReport {
    /// The entry's key.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
    /// Where an answer reaches them, if they want one.
    pub email: Option<String>,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// By which it is named.
    pub reference: String,
    /// The entry's key.
    pub key: String,
    /// The entry's title; `None` if it has none, or was withdrawn.
    pub title: Option<String>,
    /// When the entry was withdrawn.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Whose entry it is: slug and name.
    pub member: (String, String),
    /// What is wrong with it; empty once the entry is withdrawn, which it may have quoted.
    pub reason: String,
    /// Where an answer reaches whoever reported.
    pub email: Option<String>,
    /// When.
    pub reported_at: DateTime<Utc>,
    /// What a moderator answered.
    pub answer: Option<String>,
    /// When that was, and who did.
    pub closed: Option<(DateTime<Utc>, String)>,
}

impl Store {
    /// Writes a report down under a reference that names it, once; `false` if no entry has this key.
    pub async fn report(
        &self,
        reference: &str,
        report: &NewReport,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let added = Sql::new(ADD)
            .bind(reference)
            .bind(&report.key)
            .bind(&report.reason)
            .bind(&report.email)
            .bind(millis(now))
            .execute(&mut transaction)
            .await?;
        if added == 0 {
            return Sql::new(IS_THERE)
                .bind(reference)
                .fetch_value("reports", &mut transaction)
                .await;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// The reports that nobody has answered, oldest first; then the last `closed` of those that somebody has.
    pub async fn reports(&self, closed: u32) -> Result<Vec<Report>, StoreError> {
        let mut sql = Sql::new(format!(
            "{READ} WHERE r.closed_at IS NULL ORDER BY r.reported_at, r.reference"
        ));
        let mut rows = sql.fetch_all(self.readers()).await?;
        sql = Sql::new(format!(
            "{READ} WHERE r.closed_at IS NOT NULL ORDER BY r.closed_at DESC, r.reference LIMIT $1"
        ));
        rows.extend(sql.bind(closed).fetch_all(self.readers()).await?);
        rows.iter().map(read).collect()
    }

    /// The report of this reference.
    pub async fn report_of(&self, reference: &str) -> Result<Option<Report>, StoreError> {
        let row = Sql::new(format!("{READ} WHERE r.reference = $1"))
            .bind(reference)
            .fetch_optional(self.readers())
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Answers a report and closes it. Gives false if there is no open one of this reference.
    pub async fn close_report(
        &self,
        reference: &str,
        answer: &str,
        decision: &Decision<'_>,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let closed = Sql::new(CLOSE)
            .bind(reference)
            .bind(answer)
            .bind(millis(decision.at))
            .bind(decision.by)
            .execute(&mut transaction)
            .await?;
        if closed == 0 {
            return Ok(false);
        }
        audit::write(&mut transaction, decision, "answer report", reference).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// How many reports nobody has answered.
    pub async fn open_reports(&self) -> Result<u64, StoreError> {
        let open: i64 = Sql::new(COUNT_OPEN)
            .fetch_value("reports", self.readers())
            .await?;
        Ok(open as u64)
    }

    /// Erases who reported what was answered a month ago.
    pub async fn forget_reporters(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.erase(Sql::new(FORGET).bind(millis(now - KEPT))).await
    }
}

fn read(row: &crate::sql::Row) -> Result<Report, StoreError> {
    let mut fields = Fields::of("reports", row);
    Ok(Report {
        reference: fields.take()?,
        key: fields.take()?,
        title: fields.take()?,
        withdrawn_at: fields.at_optional()?,
        member: (fields.take()?, fields.take()?),
        reason: fields.take()?,
        email: fields.take()?,
        reported_at: fields.at()?,
        answer: fields.take()?,
        closed: fields.at_optional()?.zip(fields.take()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, by_hand, feed, minutes, now, record, withdraw};

    #[tokio::test]
    async fn wait_for_an_answer_and_then_forget_who_reported() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(
            &store,
            &ada,
            vec![Sample::new("one").entry(), Sample::new("never").hidden().entry()],
        )
        .await;
        let report = |name: &str| NewReport {
            key: Sample::new(name).new.key,
            reason: "It names a colleague.".to_owned(),
            email: Some("reader@example.org".to_owned()),
        };
        assert!(store.report("R-1", &report("one"), now()).await.unwrap());
        assert!(!store.report("R-2", &report("never"), now()).await.unwrap());
        assert!(!store.report("R-3", &report("nobody"), now()).await.unwrap());
        assert_eq!(store.open_reports().await.unwrap(), 1);
        let open = store.reports(9).await.unwrap().remove(0);
        assert_eq!(
            (open.reference.as_str(), open.title.as_deref(), &open.closed),
            ("R-1", Some("Title of one"), &None)
        );
        withdraw(&store, "one").await;
        let decision = by_hand(minutes(60));
        assert!(store.close_report("R-1", "It is gone.", &decision).await.unwrap());
        assert!(!store.close_report("R-1", "Again.", &decision).await.unwrap());
        assert_eq!(store.open_reports().await.unwrap(), 0);
        let month = minutes(60 + 30 * 24 * 60);
        store
            .forget_reporters(month - chrono::TimeDelta::minutes(1))
            .await
            .unwrap();
        assert!(store.report_of("R-1").await.unwrap().unwrap().email.is_some());
        store.forget_reporters(month).await.unwrap();
        let closed = store.report_of("R-1").await.unwrap().unwrap();
        assert_eq!(
            (closed.title, closed.email, closed.answer.as_deref()),
            (None, None, Some("It is gone."))
        );
        assert_eq!(closed.closed, Some((minutes(60), "mo".to_owned())));
    }
}
