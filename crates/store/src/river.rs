//! The river and its parts: pages by condition, ranges of dates, archives, everything in turn.
//!
//! A page is found in two steps in one statement: the inner one walks an index and finds where the page's entries
//! stand, the outer one reads those entries alone. So a page costs the same whatever the archive's size, and new
//! entries neither shift nor double anything.

use chrono::{DateTime, Utc};
use model::{Entry, Filter, FilterBy, Withdrawal};

use crate::db::Pool;
use crate::entries::complete;
use crate::labels::LabelKind;
use crate::query::{ArchivePage, EntryPage, EntryQuery, RiverEdge, RiverPosition};
use crate::rows::{self, EntryRow, entry_columns, entry_joins, millis};
use crate::search::{Few, push_filter, push_found, push_words};
use crate::sql::Sql;
use crate::{Store, StoreError};

/// Entries of one archive document.
const ARCHIVE_PAGE: i64 = 100;

const PUBLISHED: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM entries e",
    entry_joins!(),
    " AND e.shown = TRUE AND e.published_at >= $1 AND e.published_at < $2 ORDER BY e.published_at, e.id"
);

const ARCHIVE: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM entries e",
    entry_joins!(),
    " AND e.arrival > $1 AND e.arrival <= $2 ORDER BY e.arrival DESC"
);
const ARCHIVE_OF_MEMBER: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM (SELECT x.id FROM entries x WHERE x.arrival IS NOT NULL
        AND x.member_id = (SELECT o.id FROM members o WHERE o.slug = $1) ORDER BY x.arrival LIMIT $2 OFFSET $3) p
    CROSS JOIN entries e",
    entry_joins!(),
    " AND e.id = p.id ORDER BY e.arrival DESC"
);
const ARRIVALS: &str = "SELECT arrivals FROM site_state";
const ARRIVALS_OF_MEMBER: &str = "SELECT COALESCE((SELECT c.entries FROM member_counts c
    WHERE c.kind = 'arrived' AND c.label = '' AND c.member_id = (SELECT m.id FROM members m WHERE m.slug = $1)), 0)";

const IN_TURN: &str = concat!(
    "SELECT ",
    entry_columns!(),
    " FROM entries e",
    entry_joins!(),
    " AND e.shown = TRUE AND e.id > $1 ORDER BY e.id LIMIT $2"
);

impl Store {
    /// A page of the river, newest release first, under the conditions of `query`.
    pub async fn entries(&self, query: &EntryQuery) -> Result<EntryPage, StoreError> {
        let few = match &query.search {
            Some(search) => self.few_have(search, query.limit + 1).await?,
            None => None,
        };
        self.page(query, few).await
    }

    /// A page, found by looking at the entries that have the words if those are `few`.
    pub(crate) async fn page(&self, query: &EntryQuery, few: Option<Few>) -> Result<EntryPage, StoreError> {
        let limit = query.limit as usize;
        let (edge, direction) = match query.from {
            RiverEdge::Newest => (None, Direction::Older),
            RiverEdge::OlderThan(position) => (Some(position), Direction::Older),
            RiverEdge::NewerThan(position) => (Some(position), Direction::Newer),
        };
        if query.search.as_ref().is_some_and(model::Search::is_nothing) {
            return Ok(EntryPage {
                entries: Vec::new(),
                older: None,
                newer: None,
            });
        }
        let mut conditions = Conditions {
            few,
            ..Conditions::of(query)
        };
        let mut rows = self.rows(&conditions, edge, direction, limit + 1).await?;
        let since = conditions.bound(edge);
        let is_above = |since| rows.last().is_some_and(|row| row.position().river_at >= since);
        // What is narrowed to the newest of few is only known to be all if it fills the page.
        if since.is_some_and(|since| rows.len() <= limit || !is_above(since)) {
            conditions.few = Some(Few::default());
            rows = self.rows(&conditions, edge, direction, limit + 1).await?;
        }
        // The one too many tells that there is more that way.
        let more = rows.len() > limit;
        if more {
            rows.remove(if direction == Direction::Older { limit } else { 0 });
        }

        let first = rows.first().map(EntryRow::position);
        let last = rows.last().map(EntryRow::position);
        let (older, newer) = match (direction, edge) {
            (Direction::Older, None) => (last.filter(|_| more), None),
            (Direction::Older, Some(edge)) => {
                let first = first.unwrap_or(RiverPosition {
                    id: edge.id - 1,
                    ..edge
                });
                (
                    last.filter(|_| more),
                    self.further(&conditions, first, Direction::Newer).await?,
                )
            }
            (Direction::Newer, edge) => {
                let last = last.or(edge.map(|edge| RiverPosition {
                    id: edge.id + 1,
                    ..edge
                }));
                let older = match last {
                    Some(last) => self.further(&conditions, last, Direction::Older).await?,
                    None => None,
                };
                (older, first.filter(|_| more))
            }
        };
        Ok(EntryPage {
            entries: complete(self.readers(), rows).await?,
            older,
            newer,
        })
    }

    /// The `limit` entries nearest to `edge`, the newest first.
    async fn rows(
        &self,
        conditions: &Conditions<'_>,
        edge: Option<RiverPosition>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let mut sql = Sql::new(concat!("SELECT ", entry_columns!(), " FROM ("));
        conditions.push_places(&mut sql, self.readers(), edge, direction, limit);
        sql.push(concat!(
            ") p CROSS JOIN entries e",
            entry_joins!(),
            " AND e.id = p.id ORDER BY p.river_at DESC, p.id DESC"
        ));
        let rows = sql.fetch_all(self.readers()).await?;
        rows.iter().map(rows::entry).collect()
    }

    /// `edge`, if anything stands beyond it.
    async fn further(
        &self,
        conditions: &Conditions<'_>,
        edge: RiverPosition,
        direction: Direction,
    ) -> Result<Option<RiverPosition>, StoreError> {
        let mut sql = Sql::new("SELECT EXISTS (");
        conditions.push_places(&mut sql, self.readers(), Some(edge), direction, 1);
        sql.push(")");
        let there: bool = sql.fetch_value("entries", self.readers()).await?;
        Ok(there.then_some(edge))
    }

    /// The shown entries published from `start` until before `end`, oldest first.
    pub async fn entries_published(
        &self,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> Result<Vec<Entry>, StoreError> {
        let rows = Sql::new(PUBLISHED)
            .bind(millis(start))
            .bind(millis(end))
            .fetch_all(self.readers())
            .await?;
        complete(
            self.readers(),
            rows.iter().map(rows::entry).collect::<Result<_, _>>()?,
        )
        .await
    }

    /// The `page`th hundred of arrivals, of all or of a member's (1 is the oldest; RFC 5005 section 4). Only a
    /// withdrawal changes a full hundred.
    pub async fn archive(&self, member: Option<&str>, page: u32) -> Result<ArchivePage, StoreError> {
        let end = i64::from(page) * ARCHIVE_PAGE;
        let start = end - ARCHIVE_PAGE;
        let sql = match member {
            None => Sql::new(ARCHIVE).bind(start).bind(end),
            Some(slug) => Sql::new(ARCHIVE_OF_MEMBER)
                .bind(slug)
                .bind(ARCHIVE_PAGE)
                .bind(start.max(0)),
        };
        let rows = sql.fetch_all(self.readers()).await?;
        let rows: Vec<EntryRow> = rows.iter().map(rows::entry).collect::<Result<_, _>>()?;
        let (shown, left): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.shown);
        let withdrawn = left.into_iter().map(|row| Withdrawal {
            at: row.withdrawn_at.unwrap_or(row.entry.changed),
            id: row.entry.id,
            key: row.entry.key,
        });
        Ok(ArchivePage {
            withdrawn: withdrawn.collect(),
            entries: complete(self.readers(), shown).await?,
        })
    }

    /// How many entries have ever been shown, of all or of a member's.
    pub async fn arrivals(&self, member: Option<&str>) -> Result<u64, StoreError> {
        let sql = match member {
            None => Sql::new(ARRIVALS),
            Some(slug) => Sql::new(ARRIVALS_OF_MEMBER).bind(slug),
        };
        let arrivals: i64 = sql.fetch_value("site_state", self.readers()).await?;
        Ok(arrivals as u64)
    }

    /// Every shown entry in turn, oldest arrival first, `limit` at a time: what follows `after` (from the
    /// beginning: `None`), and what to pass to go on, `None` at the end.
    pub async fn entries_after(
        &self,
        after: Option<i64>,
        limit: u32,
    ) -> Result<(Vec<Entry>, Option<i64>), StoreError> {
        let rows = Sql::new(IN_TURN)
            .bind(after.unwrap_or(i64::MIN))
            .bind(i64::from(limit))
            .fetch_all(self.readers())
            .await?;
        let rows: Vec<EntryRow> = rows.iter().map(rows::entry).collect::<Result<_, _>>()?;
        let next = rows
            .last()
            .filter(|_| rows.len() == limit as usize)
            .map(|row| row.id);
        Ok((complete(self.readers(), rows).await?, next))
    }
}

/// Which way a page goes from its edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Older,
    Newer,
}

impl Direction {
    fn order(self) -> &'static str {
        match self {
            Self::Older => "DESC",
            Self::Newer => "ASC",
        }
    }
}

/// The `limit` places nearest to `edge` in a direction.
struct Beyond {
    edge: Option<RiverPosition>,
    direction: Direction,
    limit: usize,
}

impl Beyond {
    /// Adds that a place lies beyond the edge.
    fn push(&self, sql: &mut Sql<'_>, river_at: &str, id: &str) {
        let Some(edge) = self.edge else { return };
        let beyond = match self.direction {
            Direction::Older => "<",
            Direction::Newer => ">",
        };
        sql.push(format_args!(" AND ({river_at}, {id}) {beyond} ("))
            .push_bind(edge.river_at);
        sql.push(", ").push_bind(edge.id).push(")");
    }
}

/// What the river is narrowed to: by the query itself and by its search.
pub(crate) struct Conditions<'q> {
    query: &'q EntryQuery,
    /// The label whose range is walked, if there is one.
    topic: Option<&'q String>,
    hashtags: &'q [String],
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    /// The search's own conditions but for those above.
    filters: Vec<&'q Filter>,
    /// Set if so few entries have the words that those are looked at, instead of the river until a page is full.
    few: Option<Few>,
}

impl<'q> Conditions<'q> {
    pub(crate) fn of(query: &'q EntryQuery) -> Self {
        let search = query.search.as_ref();
        let mut conditions = Self {
            query,
            topic: query.topic.as_ref(),
            hashtags: &query.hashtags,
            since: query.since.max(search.and_then(|search| search.since)),
            until: [query.until, search.and_then(|search| search.until)]
                .into_iter()
                .flatten()
                .min(),
            filters: Vec::new(),
            few: None,
        };
        for filter in search.into_iter().flat_map(|search| &search.filters) {
            match (filter.by, filter.without, filter.values.as_slice()) {
                (FilterBy::Topic, false, [topic]) if conditions.topic.is_none() => {
                    conditions.topic = Some(topic);
                }
                (FilterBy::Hashtag, false, tags) if conditions.hashtags.is_empty() => {
                    conditions.hashtags = tags;
                }
                _ => conditions.filters.push(filter),
            }
        }
        conditions
    }

    /// Adds a query for the places (`river_at`, `id`) of the newest `limit` entries, the newest first.
    pub(crate) fn push_newest<'s>(&'s self, sql: &mut Sql<'s>, readers: &Pool, limit: usize) {
        self.push_places(sql, readers, None, Direction::Older, limit);
    }

    /// Adds a query for the places (`river_at`, `id`) of at most `limit` entries beyond `edge`, nearest first.
    fn push_places<'s>(
        &'s self,
        sql: &mut Sql<'s>,
        readers: &Pool,
        edge: Option<RiverPosition>,
        direction: Direction,
        limit: usize,
    ) {
        let member = self.query.member.as_ref();
        let has_label = self.topic.is_some() || !self.hashtags.is_empty();
        let by_label = has_label && self.few.is_none();
        // With a label its range of entry_labels is walked, and the entry is read only where more is asked of it.
        let (river_at, id) = if by_label {
            ("l.river_at", "l.entry_id")
        } else {
            ("e.river_at", "e.id")
        };
        let reads_entry = self.reads_entry();
        let beyond = Beyond {
            edge,
            direction,
            limit,
        };
        sql.push(format_args!("SELECT {river_at} AS river_at, {id} AS id FROM "));
        match &self.query.search {
            Some(search) if self.few.is_some() => {
                push_found(sql, readers, search);
                sql.push(" f");
                let bound = self.bound(edge);
                if bound.is_some() {
                    sql.push(" CROSS JOIN entry_spans s");
                }
                sql.push(" CROSS JOIN entries e WHERE e.id = f.id AND e.shown = TRUE");
                if let Some(since) = bound {
                    sql.push(" AND s.span = f.id / 256 AND s.newest_at >= ")
                        .push_bind(since);
                }
                self.push_labels(sql);
            }
            // What asks for nothing else stops at the end of the page under each label.
            None if !reads_entry && self.topic.is_none() && self.is_group() => {
                push_group(sql, self.hashtags, &beyond);
            }
            _ if by_label => self.push_labelled(sql, reads_entry),
            _ => {
                sql.push("entries e WHERE e.shown = TRUE");
            }
        }
        if let Some(member) = member {
            sql.push(" AND e.member_id = (SELECT m.id FROM members m WHERE m.slug = ")
                .push_bind(member)
                .push(")");
        }
        // The plus keeps the planner on the river's own index, which holds the published date too; so a word that
        // stands in every other entry costs no more than a rare one.
        if let Some(since) = self.since {
            sql.push(" AND +e.published_at >= ").push_bind(millis(since));
        }
        if let Some(until) = self.until {
            sql.push(" AND +e.published_at < ").push_bind(millis(until));
        }
        for filter in &self.filters {
            push_filter(sql, filter);
        }
        if let Some(search) = self.query.search.as_ref().filter(|_| self.few.is_none()) {
            push_words(sql, readers, id, search);
        }
        beyond.push(sql, river_at, id);
        let order = direction.order();
        // The sum keeps PostgreSQL from walking the river until it has met enough of those that have the words.
        let sum = if self.few.is_some() { " + 0" } else { "" };
        sql.push(format_args!(
            " ORDER BY {river_at}{sum} {order}, {id} {order} LIMIT "
        ))
        .push_bind(limit as i64);
    }

    /// The place above which enough of the few stand for a first page of all that have the words, and of nothing else.
    fn bound(&self, edge: Option<RiverPosition>) -> Option<i64> {
        let is_all =
            edge.is_none() && self.topic.is_none() && self.hashtags.is_empty() && !self.reads_entry();
        self.few.filter(|_| is_all)?.since
    }

    /// Whether more is asked of the entry than its words and labels.
    fn reads_entry(&self) -> bool {
        self.query.member.is_some()
            || self.since.is_some()
            || self.until.is_some()
            || !self.filters.is_empty()
    }

    /// Whether the query asks for several hashtags, or for a pattern.
    fn is_group(&self) -> bool {
        match self.hashtags {
            [] => false,
            [tag] => tag.ends_with('*'),
            _ => true,
        }
    }

    /// Adds the labels that the query asks for, as conditions on `entries e`.
    fn push_labels<'s>(&'s self, sql: &mut Sql<'s>) {
        let topic = self.topic.map(std::slice::from_ref).unwrap_or_default();
        for (kind, labels) in [(LabelKind::Topic, topic), (LabelKind::Hashtag, self.hashtags)] {
            if !labels.is_empty() {
                sql.push(" AND EXISTS (SELECT 1 FROM entry_labels l WHERE ");
                push_is(sql, "l.", kind, labels);
                sql.push(" AND l.river_at = e.river_at AND l.entry_id = e.id)");
            }
        }
    }

    /// Adds the part of `entry_labels l` that the query asks for, with its entries if they are to be read.
    fn push_labelled<'s>(&'s self, sql: &mut Sql<'s>, reads_entry: bool) {
        let (topic, hashtags) = (self.topic, self.hashtags);
        let entries = if reads_entry { " CROSS JOIN entries e" } else { "" };
        match (topic, hashtags) {
            (Some(topic), tags) => {
                sql.push(format_args!("entry_labels l{entries} WHERE "));
                push_is(sql, "l.", LabelKind::Topic, std::slice::from_ref(topic));
                if !tags.is_empty() {
                    sql.push(" AND l.entry_id IN (SELECT h.entry_id FROM entry_labels h WHERE ");
                    push_is(sql, "h.", LabelKind::Hashtag, tags);
                    sql.push(")");
                }
            }
            (None, _) if !self.is_group() => {
                sql.push(format_args!("entry_labels l{entries} WHERE "));
                push_is(sql, "l.", LabelKind::Hashtag, hashtags);
            }
            (None, tags) => {
                sql.push("(SELECT DISTINCT h.river_at, h.entry_id FROM entry_labels h WHERE ");
                push_is(sql, "h.", LabelKind::Hashtag, tags);
                sql.push(format_args!(") l{entries} WHERE TRUE"));
            }
        }
        if reads_entry {
            sql.push(" AND e.id = l.entry_id");
        }
    }
}

/// Adds the places `l` of the entries that have one of these hashtags, of each hashtag as many as the page can take: so
/// a group costs more the more hashtags it has, and not the more entries.
fn push_group<'s>(sql: &mut Sql<'s>, hashtags: &'s [String], page: &Beyond) {
    let order = page.direction.order();
    let (reaches, end) = match page.direction {
        Direction::Older => (">=", i64::MIN),
        Direction::Newer => ("<=", i64::MAX),
    };
    sql.push("(SELECT DISTINCT h.river_at, h.entry_id FROM entry_counts c CROSS JOIN entry_labels h WHERE c.month = 0 AND ");
    push_is(sql, "c.", LabelKind::Hashtag, hashtags);
    sql.push(" AND h.kind = c.kind AND h.label = c.label");
    page.push(sql, "h.river_at", "h.entry_id");
    sql.push(format_args!(
        " AND h.river_at {reaches} COALESCE((SELECT n.river_at FROM entry_labels n WHERE n.kind = c.kind AND n.label = c.label"
    ));
    page.push(sql, "n.river_at", "n.entry_id");
    sql.push(format_args!(
        " ORDER BY n.river_at {order}, n.entry_id {order} LIMIT 1 OFFSET "
    ))
    .push_bind(page.limit as i64 - 1);
    sql.push("), ").push_bind(end).push(")) l WHERE TRUE");
}

/// Adds that a label is one of these; a hashtag may end in `*`.
pub(crate) fn push_is<'s>(sql: &mut Sql<'s>, table: &str, kind: LabelKind, labels: &'s [String]) {
    sql.push(format_args!("{table}kind = "))
        .push_bind(kind.as_str())
        .push(" AND (");
    for (index, label) in labels.iter().enumerate() {
        if index > 0 {
            sql.push(" OR ");
        }
        match label.strip_suffix('*').filter(|_| kind == LabelKind::Hashtag) {
            // No text that begins with the prefix sorts after the prefix and the last character of all.
            Some(prefix) => {
                sql.push(format_args!("({table}label >= ")).push_bind(prefix);
                sql.push(format_args!(" AND {table}label <= "))
                    .push_bind(format!("{prefix}\u{10FFFF}"))
                    .push(")");
            }
            None => {
                sql.push(format_args!("{table}label = ")).push_bind(label);
            }
        }
    }
    sql.push(")");
}

#[cfg(test)]
mod tests;
