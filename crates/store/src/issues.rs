//! The issues of the digest: what a week is made of, which weeks are closed, and the revisions of each.
//!
//! It says which entries are eligible (contract section 6) and hands out what was stored; making a revision is
//! `closing.rs`. It writes no document and knows no schedule.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use model::{Entry, Feed, SafeHtml, Week, start_of_day};

use crate::entries::complete;
use crate::feeds;
use crate::links::links_of_entries;
use crate::rows::{self, EntryRow, Fields, entry_columns, entry_joins, instant, millis};
use crate::sql::{On, Row, Sql, statements};
use crate::{Store, StoreError};

/// Entries of one statement at most.
const ROWS: usize = 512;

const CANDIDATES: &str = "SELECT e.id, f.joined, e.published_at, e.arrived_at, e.released_at
    FROM entries e CROSS JOIN feeds f
    WHERE f.id = e.feed_id AND e.shown = TRUE AND e.published_at >= $1 AND e.published_at < $2
        AND NOT EXISTS (SELECT 1 FROM issue_entries i WHERE i.entry_id = e.id)
    ORDER BY e.published_at, e.id";

const PUBLISHED_BEFORE: &str =
    "SELECT EXISTS (SELECT 1 FROM entries WHERE shown = TRUE AND published_at < $1)";

const LAST_CLOSED: &str = "SELECT MAX(week) AS week FROM issues";

macro_rules! issue_columns {
    () => {
        "SELECT i.week, i.uri, i.closed_at, r.revision, r.made_at, r.hash, r.title, r.entries, r.members,
            r.organisations
        FROM issues i JOIN issue_revisions r ON r.week = i.week
        WHERE r.revision = (SELECT MAX(l.revision) FROM issue_revisions l WHERE l.week = i.week)"
    };
}
const ISSUES: &str = concat!(issue_columns!(), " ORDER BY i.week DESC LIMIT $1");
const ISSUE: &str = concat!(issue_columns!(), " AND i.week = $1");

const ENTRIES_NOW: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM issue_entries i CROSS JOIN entries e",
    entry_joins!(),
    " AND e.id = i.entry_id AND i.week = $1 AND e.shown = TRUE"
);

const UNSETTLED: &str = "SELECT i.week FROM entries e CROSS JOIN issue_entries i
    WHERE e.withdrawn_at IS NOT NULL AND i.entry_id = e.id AND i.gone_in IS NULL
    UNION SELECT n.week FROM members m CROSS JOIN issue_members n
    WHERE m.withdrawn_at IS NOT NULL AND n.member_id = m.id ORDER BY 1";
const IS_UNSETTLED: &str = "SELECT EXISTS (SELECT 1 FROM issue_entries i CROSS JOIN entries e
        WHERE i.week = $1 AND i.gone_in IS NULL AND e.id = i.entry_id AND e.withdrawn_at IS NOT NULL)
    OR EXISTS (SELECT 1 FROM issue_members n CROSS JOIN members m
        WHERE n.week = $1 AND m.id = n.member_id AND m.withdrawn_at IS NOT NULL)";

/// A week, and what decides which entries belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeekRules {
    /// The week.
    pub week: Week,
    /// The site's zone.
    pub zone: Tz,
    /// How many days after its publication an entry may arrive.
    pub late_days: u32,
}

/// What the digest of a week is made of.
#[derive(Debug, Clone)]
pub struct WeekContents {
    /// Its entries, oldest first.
    pub entries: Vec<Entry>,
    /// The keys of those that came after the week of their publication had closed.
    pub late: HashSet<String>,
    /// By member's slug: when they published last before the first of theirs here. Who is missing had not.
    pub previous: HashMap<String, DateTime<Utc>>,
    /// By key: the links in their texts, as [`Store::links_of_entries`] gives them.
    pub links: HashMap<String, Vec<(String, String)>>,
    /// Every feed as it stands.
    pub feeds: Vec<Feed>,
}

/// A closed week and its latest revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The week.
    pub week: Week,
    /// Its `tag:` identifier.
    pub id: String,
    /// When it was closed.
    pub closed_at: DateTime<Utc>,
    /// The number of the latest revision, 1 at closing.
    pub revision: u32,
    /// When that was made.
    pub made_at: DateTime<Utc>,
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
}

/// The formats in which a revision is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueFormat {
    /// The document.
    Json,
    /// Markdown.
    Markdown,
    /// The piece to paste.
    Html,
    /// Plain text.
    Text,
    /// A table.
    Csv,
}

impl IssueFormat {
    fn query(self) -> &'static str {
        macro_rules! body {
            ($column:literal) => {
                concat!(
                    "SELECT ",
                    $column,
                    " FROM issue_revisions WHERE week = $1 AND revision = $2"
                )
            };
        }
        match self {
            Self::Json => body!("json"),
            Self::Markdown => body!("markdown"),
            Self::Html => body!("html"),
            Self::Text => body!("text"),
            Self::Csv => body!("csv"),
        }
    }
}

/// What stands under the number of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevisionLookup {
    /// The document, as it was made.
    Found(String),
    /// It held what was withdrawn, and is no more.
    Gone,
    /// The issue never had such a revision.
    Unknown,
}

impl WeekRules {
    pub(crate) fn start(&self) -> DateTime<Utc> {
        self.week.start(self.zone)
    }

    pub(crate) fn end(&self) -> DateTime<Utc> {
        self.week.end(self.zone)
    }

    fn late(&self) -> TimeDelta {
        TimeDelta::days(i64::from(self.late_days))
    }
}

impl Store {
    /// What the digest of a week that is not closed is made of: the entries that are eligible and stand in no issue. What came
    /// late stands in the week that closes next.
    pub async fn week_contents(&self, rules: &WeekRules) -> Result<WeekContents, StoreError> {
        let next = match self.last_closed().await? {
            Some(closed) => Some(closed.next()),
            None => self.first_success_at().await?.map(|at| Week::of(at, rules.zone)),
        };
        let takes_late = next.is_none_or(|next| rules.week <= next);
        let mut on = On::from(self.readers());
        let chosen = choose(&mut on, rules, takes_late).await?;
        contents(&mut on, &chosen).await
    }

    /// What the digest of an archive week is made of: everything published in it.
    pub async fn archive_contents(&self, rules: &WeekRules) -> Result<WeekContents, StoreError> {
        let entries = self.entries_published(rules.start(), rules.end()).await?;
        with_members(&mut On::from(self.readers()), entries, HashSet::new()).await
    }

    /// Whether readers see anything that was published before this moment.
    pub async fn has_published_before(&self, at: DateTime<Utc>) -> Result<bool, StoreError> {
        Sql::new(PUBLISHED_BEFORE)
            .bind(millis(at))
            .fetch_value("entries", self.readers())
            .await
    }

    /// The last week that is closed.
    pub async fn last_closed(&self) -> Result<Option<Week>, StoreError> {
        last_closed(&mut On::from(self.readers())).await
    }

    /// The latest `limit` issues, newest first.
    pub async fn issues(&self, limit: u32) -> Result<Vec<Issue>, StoreError> {
        let rows = Sql::new(ISSUES).bind(limit).fetch_all(self.readers()).await?;
        rows.iter().map(issue).collect()
    }

    /// The issue of a week, if it is closed.
    pub async fn issue(&self, week: Week) -> Result<Option<Issue>, StoreError> {
        let row = Sql::new(ISSUE)
            .bind(week.to_string())
            .fetch_optional(self.readers())
            .await?;
        row.as_ref().map(issue).transpose()
    }

    /// A revision of an issue in one of its formats.
    pub async fn issue_revision(
        &self,
        week: Week,
        revision: u32,
        format: IssueFormat,
    ) -> Result<RevisionLookup, StoreError> {
        let row = Sql::new(format.query())
            .bind(week.to_string())
            .bind(revision)
            .fetch_optional(self.readers())
            .await?;
        let Some(row) = row else {
            return Ok(RevisionLookup::Unknown);
        };
        let body: Option<String> = Fields::of("issue_revisions", &row).take()?;
        Ok(body.map_or(RevisionLookup::Gone, RevisionLookup::Found))
    }

    /// The piece to paste of an issue's revision, for feeds: markup that we wrote ourselves, around words that were escaped.
    pub async fn issue_piece(&self, week: Week, revision: u32) -> Result<Option<SafeHtml>, StoreError> {
        let row = Sql::new(IssueFormat::Html.query())
            .bind(week.to_string())
            .bind(revision)
            .fetch_optional(self.readers())
            .await?;
        match row {
            Some(row) => Fields::of("issue_revisions", &row).safe_html(),
            None => Ok(None),
        }
    }

    /// The entries of an issue as they stand now; what left the Voice is missing.
    pub async fn issue_entries_now(&self, week: Week) -> Result<Vec<Entry>, StoreError> {
        let rows = Sql::new(ENTRIES_NOW)
            .bind(week.to_string())
            .fetch_all(self.readers())
            .await?;
        complete(
            self.readers(),
            rows.iter().map(rows::entry).collect::<Result<_, _>>()?,
        )
        .await
    }

    /// Whether something of this issue was withdrawn that its latest revision still holds.
    pub async fn issue_is_unsettled(&self, week: Week) -> Result<bool, StoreError> {
        Sql::new(IS_UNSETTLED)
            .bind(week.to_string())
            .fetch_value("issue_entries", self.readers())
            .await
    }

    /// The issues of which that is so, oldest first.
    pub async fn unsettled_issues(&self) -> Result<Vec<Week>, StoreError> {
        let rows = Sql::new(UNSETTLED).fetch_all(self.readers()).await?;
        rows.iter()
            .map(|row| Fields::of("issues", row).read(week))
            .collect()
    }
}

fn week(text: &str) -> Option<Week> {
    text.parse().ok()
}

fn issue(row: &Row) -> Result<Issue, StoreError> {
    let mut fields = Fields::of("issues", row);
    Ok(Issue {
        week: fields.read(week)?,
        id: fields.take()?,
        closed_at: fields.at()?,
        revision: fields.number()?,
        made_at: fields.at()?,
        hash: fields.take()?,
        title: fields.take()?,
        entries: fields.number()?,
        members: fields.number()?,
        organisations: fields.number()?,
    })
}

pub(crate) async fn last_closed(on: &mut On<'_>) -> Result<Option<Week>, StoreError> {
    let row = Sql::new(LAST_CLOSED).fetch_one(on.again()).await?;
    Fields::of("issues", &row).read_optional(week)
}

/// An entry that a week takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) id: i64,
    pub(crate) late: bool,
}

/// The eligible entries that stand in no issue: those published in the week and, where it `takes_late`, those published
/// before.
pub(crate) async fn choose(
    on: &mut On<'_>,
    rules: &WeekRules,
    takes_late: bool,
) -> Result<Vec<Chosen>, StoreError> {
    let (start, end) = (rules.start(), rules.end());
    // What was published earlier than that and came since came too late, and what came before was chosen before.
    let from = if takes_late { start - rules.late() } else { start };
    let rows = Sql::new(CANDIDATES)
        .bind(millis(from))
        .bind(millis(end))
        .fetch_all(on.again())
        .await?;
    let mut chosen = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut fields = Fields::of("entries", row);
        let id = fields.take()?;
        let joined = fields.read(|day: &str| day.parse().ok())?;
        let (published, arrived, released) = (fields.at()?, fields.at()?, fields.at()?);
        // A post that was held back at first, for want of a topic, came when it was shown.
        let came = arrived.max(released);
        if published >= start_of_day(joined, rules.zone) && came - published <= rules.late() {
            chosen.push(Chosen {
                id,
                late: published < start,
            });
        }
    }
    Ok(chosen)
}

/// What the digest of these entries is made of.
pub(crate) async fn contents(on: &mut On<'_>, chosen: &[Chosen]) -> Result<WeekContents, StoreError> {
    let late_ids: HashSet<i64> = chosen
        .iter()
        .filter(|chosen| chosen.late)
        .map(|chosen| chosen.id)
        .collect();
    let (mut entries, mut late) = (Vec::with_capacity(chosen.len()), HashSet::new());
    for some in statements(chosen, ROWS) {
        let mut sql = Sql::new(concat!(
            "SELECT ",
            entry_columns!(),
            " FROM entries e",
            entry_joins!(),
            " AND e.id IN "
        ));
        sql.push_list(some.iter().map(|chosen| chosen.id));
        let rows = sql.fetch_all(on.again()).await?;
        let rows: Vec<EntryRow> = rows.iter().map(rows::entry).collect::<Result<_, _>>()?;
        late.extend(
            rows.iter()
                .filter(|row| late_ids.contains(&row.id))
                .map(|row| row.entry.key.clone()),
        );
        entries.extend(complete(on.again(), rows).await?);
    }
    entries.sort_by(|a: &Entry, b: &Entry| (a.published, &a.key).cmp(&(b.published, &b.key)));
    with_members(on, entries, late).await
}

async fn with_members(
    on: &mut On<'_>,
    entries: Vec<Entry>,
    late: HashSet<String>,
) -> Result<WeekContents, StoreError> {
    let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    Ok(WeekContents {
        previous: previous(on, &entries).await?,
        links: links_of_entries(on, &keys).await?,
        feeds: feeds::fetch(Sql::new(feeds::FEEDS), on.again()).await?,
        entries,
        late,
    })
}

/// When each member published last before the first of theirs among `entries`.
async fn previous(on: &mut On<'_>, entries: &[Entry]) -> Result<HashMap<String, DateTime<Utc>>, StoreError> {
    let mut firsts: HashMap<&str, DateTime<Utc>> = HashMap::new();
    for entry in entries {
        let first = firsts.entry(&entry.member.slug).or_insert(entry.published);
        *first = entry.published.min(*first);
    }
    let firsts: Vec<(&str, DateTime<Utc>)> = firsts.into_iter().collect();
    let mut previous = HashMap::new();
    for firsts in statements(&firsts, ROWS) {
        for row in previous_query(firsts).fetch_all(on.again()).await? {
            let mut fields = Fields::of("members", &row);
            let slug = fields.take()?;
            if let Some(at) = fields.read_optional(instant)? {
                previous.insert(slug, at);
            }
        }
    }
    Ok(previous)
}

fn previous_query<'a>(firsts: &[(&'a str, DateTime<Utc>)]) -> Sql<'a> {
    let mut sql = Sql::new("WITH v (slug, first_at) AS (");
    sql.push_values(firsts, |row, (slug, first)| {
        row.push_bind(*slug).push_bind(millis(*first));
    })
    .push(
        ") SELECT m.slug, (SELECT MAX(e.published_at) FROM entries e
            WHERE e.member_id = m.id AND e.shown = TRUE AND e.published_at < v.first_at) AS published_at
        FROM v CROSS JOIN members m WHERE m.slug = v.slug",
    );
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, at, feed, plan, record_at};

    #[tokio::test]
    async fn tell_when_members_wrote_before() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        let posts = |name: &str, days: &[&str]| {
            let of = |day: &&str| {
                let sample = Sample::new(&format!("{name}{day}"));
                sample.at(at(&format!("2026-{day}T08:00:00Z"))).entry()
            };
            days.iter().map(of).collect::<Vec<_>>()
        };
        let then = at("2026-11-26T08:00:00Z");
        let found = posts("ada", &["11-25", "11-24", "08-01", "07-01"]);
        record_at(&store, &ada, then, found, Vec::new()).await;
        record_at(&store, &ben, then, posts("ben", &["11-24"]), Vec::new()).await;
        let rules = WeekRules {
            week: "2026-W48".parse().unwrap(),
            zone: chrono_tz::Europe::London,
            late_days: 28,
        };
        let contents = store.week_contents(&rules).await.unwrap();
        assert_eq!(contents.entries.len(), 3);
        assert_eq!(
            contents.previous,
            HashMap::from([("ada".to_owned(), at("2026-08-01T08:00:00Z"))])
        );
        assert_eq!(contents.feeds.len(), 2);
    }

    #[tokio::test]
    async fn walk_their_indices() {
        let store = testing::sqlite().await;
        let firsts = [("ada", at("2026-11-24T08:00:00Z"))];
        for (sql, indices) in [
            (CANDIDATES.to_owned(), ["entries_published", "PRIMARY KEY"]),
            (
                previous_query(&firsts).into_text(),
                ["entries_of_member_published", "slug"],
            ),
            (
                PUBLISHED_BEFORE.to_owned(),
                ["entries_published", "published_at<?"],
            ),
            (UNSETTLED.to_owned(), ["entries_withdrawn", "PRIMARY KEY"]),
            (IS_UNSETTLED.to_owned(), ["issue_entries_of_week", "PRIMARY KEY"]),
        ] {
            let plan = plan(&store, sql).await;
            assert!(
                !plan.lines().any(|line| line == "SCAN e" || line == "SCAN i"),
                "{plan}"
            );
            for index in indices {
                assert!(plan.contains(index), "no {index}: {plan}");
            }
        }
    }
}
