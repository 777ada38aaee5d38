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
use crate::{Store, StoreError, scrub};

/// Memberships of one statement at most.
const ROWS: usize = 512;

const ADD_ISSUE: &str = "INSERT INTO issues (week, uri, closed_at) VALUES ($1, $2, $3)";
const ADD_REVISION: &str =
    "INSERT INTO issue_revisions (week, revision, made_at, hash, title, entries, members,
        organisations, json, markdown, html, text, csv)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
const EMPTY_OLD_REVISIONS: &str = "UPDATE issue_revisions
    SET json = NULL, markdown = NULL, html = NULL, text = NULL, csv = NULL WHERE week = $1 AND revision < $2";
const LEAVE: &str = "UPDATE issue_entries SET gone_in = $2 WHERE week = $1 AND gone_in IS NULL
    AND entry_id IN (SELECT e.id FROM entries e WHERE e.withdrawn_at IS NOT NULL)";

const LATEST: &str =
    "SELECT revision, hash, json FROM issue_revisions WHERE week = $1 ORDER BY revision DESC LIMIT 1";
const WITHDRAWN: &str = "SELECT e.uri FROM issue_entries i CROSS JOIN entries e
    WHERE i.week = $1 AND i.gone_in IS NULL AND e.id = i.entry_id AND e.withdrawn_at IS NOT NULL
    ORDER BY e.published_at, e.id";
const LEFT: &str = "SELECT i.slug FROM issue_members i CROSS JOIN members m
    WHERE i.week = $1 AND m.id = i.member_id AND m.withdrawn_at IS NOT NULL ORDER BY i.slug";
const FORGET: &str = "DELETE FROM issue_members WHERE week = $1
    AND member_id IN (SELECT m.id FROM members m WHERE m.withdrawn_at IS NOT NULL)";
const NAME: &str = "INSERT INTO issue_members (week, member_id, slug)
    SELECT $1, m.id, m.slug FROM members m WHERE m.slug = $2 ON CONFLICT (week, slug) DO NOTHING";

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
    /// The slugs of members whom it names beside those who wrote its entries.
    pub named: Vec<String>,
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
    /// The slugs of members whom it names and who left.
    pub left: Vec<String>,
}

impl Store {
    /// Begins to close a week; `None` if it is closed, or a later one is.
    pub async fn begin_closing(&self, rules: WeekRules) -> Result<Option<Closing>, StoreError> {
        let mut transaction = self.begin().await?;
        let mut on = On::from(&mut transaction);
        if last_closed(&mut on)
            .await?
            .is_some_and(|closed| closed >= rules.week)
        {
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

    /// Begins to correct an issue; `None` if its latest revision holds nothing that was withdrawn and nobody who left.
    pub async fn begin_correcting(&self, week: Week) -> Result<Option<Correcting>, StoreError> {
        let mut transaction = self.begin().await?;
        let name = week.to_string();
        let rows = Sql::new(WITHDRAWN)
            .bind(&name)
            .fetch_all(&mut transaction)
            .await?;
        let withdrawn: Vec<String> = rows
            .iter()
            .map(|row| Fields::of("entries", row).take())
            .collect::<Result<_, _>>()?;
        let rows = Sql::new(LEFT).bind(&name).fetch_all(&mut transaction).await?;
        let left: Vec<String> = rows
            .iter()
            .map(|row| Fields::of("issue_members", row).take())
            .collect::<Result<_, _>>()?;
        if withdrawn.is_empty() && left.is_empty() {
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
            left,
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
        for slug in &revision.named {
            Sql::new(NAME)
                .bind(&week)
                .bind(slug)
                .execute(&mut *transaction)
                .await?;
        }
        add_revision(transaction, &week, 1, at, revision).await?;
        self.transaction.commit().await
    }
}

impl Correcting {
    /// Stores the next revision, made at `at`, and empties those before it; [`Store::scrub`] then takes them out of the files.
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
        Sql::new(FORGET).bind(&week).execute(&mut *transaction).await?;
        scrub::want(transaction).await?;
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

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::London;

    use super::*;
    use crate::issues::{IssueFormat, RevisionLookup};
    use crate::testing::{self, Sample, at, feed, minutes, now, record_at};

    /// The week in which the tests play.
    fn rules(week: &str) -> WeekRules {
        WeekRules {
            week: week.parse().unwrap(),
            zone: London,
            late_days: 28,
        }
    }

    fn revision(hash: char) -> NewRevision {
        NewRevision {
            hash: hash.to_string().repeat(64),
            title: "An issue".to_owned(),
            entries: 1,
            members: 1,
            organisations: 0,
            named: Vec::new(),
            json: format!("{{\"{hash}\":1}}"),
            markdown: format!("# {hash}"),
            html: format!("<p>{hash}</p>"),
            text: hash.to_string(),
            csv: format!("\"{hash}\""),
        }
    }

    async fn close(store: &Store, week: &str, at: DateTime<Utc>) -> Option<Vec<String>> {
        let closing = store.begin_closing(rules(week)).await.unwrap()?;
        let contents = closing.contents();
        let titles = contents.entries.iter().map(|entry| {
            let late = if contents.late.contains(&entry.key) {
                " late"
            } else {
                ""
            };
            format!(
                "{}{late}",
                entry.title.as_deref().unwrap().trim_start_matches("Title of ")
            )
        });
        let titles = titles.collect();
        let id = format!("tag:voice.example.org,2026:digest-{week}");
        closing.finish(at, &id, &revision('a')).await.unwrap();
        Some(titles)
    }

    #[tokio::test]
    async fn each_eligible_entry_stands_in_one_issue() {
        let store = testing::store().await;
        // Joined on Monday the 23rd, which is W48.
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let first = vec![
            Sample::new("before").at(at("2026-11-22T23:59:59Z")).entry(),
            Sample::new("first").at(at("2026-11-23T00:00:00Z")).entry(),
            Sample::new("hidden")
                .at(at("2026-11-24T00:00:00Z"))
                .hidden()
                .entry(),
        ];
        record_at(&store, &ada, at("2026-11-25T09:00:00Z"), first, Vec::new()).await;
        // Between the end of the week and its closing: one of each week.
        let on_time = vec![
            Sample::new("sunday").at(at("2026-11-29T23:00:00Z")).entry(),
            Sample::new("monday").at(at("2026-11-30T01:00:00Z")).entry(),
        ];
        record_at(&store, &ada, at("2026-11-30T06:00:00Z"), on_time, Vec::new()).await;
        let closed_at = at("2026-11-30T07:00:00Z");
        let open = store.week_contents(&rules("2026-W48")).await.unwrap();
        assert_eq!(testing::titles(&open.entries), ["first", "sunday"]);
        assert_eq!(
            close(&store, "2026-W48", closed_at).await.unwrap(),
            ["first", "sunday"]
        );
        assert_eq!(close(&store, "2026-W48", closed_at).await, None);
        let late = |name: &str, published: &str| {
            let mut sample = Sample::new(name).at(at("2026-12-26T10:00:00Z"));
            sample.new.published_at = at(published);
            sample.entry()
        };
        let came = vec![
            late("late", "2026-11-28T10:00:00Z"),
            late("too-late", "2026-11-28T09:59:59Z"),
        ];
        record_at(&store, &ada, at("2026-12-26T10:00:00Z"), came, Vec::new()).await;
        // The late one stands in the week that closes next, and in no other.
        let later = store.week_contents(&rules("2026-W52")).await.unwrap();
        assert_eq!(testing::titles(&later.entries), Vec::<&str>::new());
        assert_eq!(
            close(&store, "2026-W49", at("2026-12-26T11:00:00Z"))
                .await
                .unwrap(),
            ["late late", "monday"]
        );
        assert_eq!(
            close(&store, "2026-W50", at("2026-12-26T11:00:00Z"))
                .await
                .unwrap(),
            Vec::<String>::new()
        );
        let issues = store.issues(10).await.unwrap();
        assert_eq!(
            issues
                .iter()
                .map(|issue| issue.week.to_string())
                .collect::<Vec<_>>(),
            ["2026-W50", "2026-W49", "2026-W48"]
        );
        assert_eq!((issues[2].closed_at, issues[2].revision), (closed_at, 1));
        let found = store
            .issue_revision(issues[2].week, 1, IssueFormat::Markdown)
            .await;
        assert_eq!(found.unwrap(), RevisionLookup::Found("# a".to_owned()));
        let found = store
            .issue_revision(issues[2].week, 2, IssueFormat::Markdown)
            .await;
        assert_eq!(found.unwrap(), RevisionLookup::Unknown);
    }

    #[tokio::test]
    async fn of_several_who_close_one_does_and_one_that_dies_leaves_nothing() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record_at(
            &store,
            &ada,
            minutes(5),
            vec![Sample::new("one").entry()],
            Vec::new(),
        )
        .await;
        let before = store.revision().await.unwrap().number;
        let died = store.begin_closing(rules("2026-W48")).await.unwrap().unwrap();
        assert_eq!(died.contents().entries.len(), 1);
        drop(died);
        assert_eq!(store.last_closed().await.unwrap(), None);
        assert_eq!(store.revision().await.unwrap().number, before);
        let other = Store::open(&store.url).await.unwrap();
        let at = at("2026-11-30T07:00:00Z");
        let (a, b, c) = tokio::join!(
            close(&store, "2026-W48", at),
            close(&other, "2026-W48", at),
            close(&store, "2026-W48", at)
        );
        assert_eq!([&a, &b, &c].iter().filter(|closed| closed.is_some()).count(), 1);
        assert_eq!(store.issues(10).await.unwrap().len(), 1);
        assert_eq!(store.revision().await.unwrap().number, before + 1);
    }

    #[tokio::test]
    async fn a_withdrawal_makes_one_revision_and_empties_the_others() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let posts = vec![Sample::new("one").entry(), Sample::new("two").entry()];
        record_at(&store, &ada, minutes(5), posts, Vec::new()).await;
        close(&store, "2026-W48", at("2026-11-30T07:00:00Z"))
            .await
            .unwrap();
        let week = rules("2026-W48").week;
        assert!(store.begin_correcting(week).await.unwrap().is_none());
        testing::withdraw(&store, "one").await;
        assert_eq!(store.unsettled_issues().await.unwrap(), [week]);
        assert!(store.issue_is_unsettled(week).await.unwrap());
        let correcting = store.begin_correcting(week).await.unwrap().unwrap();
        assert_eq!((correcting.revision, correcting.json.as_str()), (1, "{\"a\":1}"));
        assert_eq!(
            correcting.withdrawn,
            ["tag:voice.example.org,2026:onexxxxxxxxxxxxx"]
        );
        correcting
            .finish(at("2026-12-01T07:00:00Z"), &revision('b'))
            .await
            .unwrap();
        assert!(store.unsettled_issues().await.unwrap().is_empty());
        let issue = store.issue(week).await.unwrap().unwrap();
        assert_eq!((issue.revision, issue.made_at), (2, at("2026-12-01T07:00:00Z")));
        for format in [
            IssueFormat::Json,
            IssueFormat::Markdown,
            IssueFormat::Html,
            IssueFormat::Text,
            IssueFormat::Csv,
        ] {
            let old = store.issue_revision(week, 1, format).await.unwrap();
            assert_eq!(old, RevisionLookup::Gone);
            assert!(matches!(
                store.issue_revision(week, 2, format).await.unwrap(),
                RevisionLookup::Found(body) if body.contains('b')
            ));
        }
        let left = store.issue_entries_now(week).await.unwrap();
        assert_eq!(testing::titles(&left), ["two"]);
        assert_eq!(left[0].published, now());
    }
}
