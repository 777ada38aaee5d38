//! Rows into values: the one place that decodes what is stored, and that decides whether a whole post may leave.
//!
//! A value that cannot be read is an error that names the table, the column and the row.

use std::time::Duration;

use chrono::{DateTime, Utc};
use model::{
    ContentChoice, Entry, Feed, HubTopic, Image, Member, MemberKind, SafeHtml, Validators, Why, Withdrawal,
};
use serde::Deserialize;
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type, ValueRef as _};
use url::Url;

use crate::StoreError;
use crate::cell::{Cell, Cells};
use crate::enclosures;
use crate::query::RiverPosition;
use crate::sql::Row;

/// An instant as it is stored: UTC milliseconds.
pub(crate) fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

/// An instant as it was stored; `None` if no calendar reaches it.
pub(crate) fn instant(millis: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis)
}

/// A list as it is stored.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("texts and numbers always have a JSON form")
}

/// What a column holds in either database: an integer of 64 bits, a text, a truth value, or nothing.
pub(crate) trait Stored<'r>:
    Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres> + Deserialize<'r>
{
}

impl<'r, T> Stored<'r> for T where
    T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres> + Deserialize<'r>
{
}

/// Many columns as one, for where a thousand rows are read at once: a driver takes longer over a column than JSON over
/// all of them. A truth value may be a number in here: read it by [`Fields::truth`].
macro_rules! packed {
    ($columns:expr) => {
        concat!("CAST(json_array(", $columns, ") AS TEXT)")
    };
}
pub(crate) use packed;

/// How many rows there are, and all of them as one text, each [`packed`], in no order: a driver takes longer over a row,
/// and a database over their order.
macro_rules! all_packed {
    ($columns:expr) => {
        concat!("COUNT(*), string_agg(", $crate::rows::packed!($columns), ", '')")
    };
}
pub(crate) use all_packed;

/// What [`all_packed`] gives.
pub(crate) struct PackedRows {
    pub(crate) table: &'static str,
    /// How many there are.
    pub(crate) count: usize,
    /// Arrays, one after the other.
    pub(crate) text: String,
    pub(crate) names: &'static str,
}

impl PackedRows {
    /// The rows, each unpacked when it is asked for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<Packed<'_>, StoreError>> {
        serde_json::Deserializer::from_str(&self.text)
            .into_iter()
            .enumerate()
            .map(|(index, values)| {
                let names = self.names;
                let Cells(values) = values.map_err(|error| StoreError::Unreadable {
                    table: self.table.to_owned(),
                    column: "every column".to_owned(),
                    row: format!("number {index}"),
                    message: error.to_string(),
                })?;
                Ok(Packed { values, names })
            })
    }
}

/// What [`packed`] columns hold.
pub(crate) struct Packed<'t> {
    values: Vec<Cell<'t>>,
    names: &'static str,
}

impl Packed<'_> {
    /// The name of a column: the columns stand between commas, though not every comma stands between columns.
    fn name_of(&self, index: usize) -> Option<&str> {
        let mut depth = 0;
        let between = |character: char| {
            depth += i32::from(character == '(') - i32::from(character == ')');
            depth == 0 && character == ','
        };
        let column = self.names.split(between).nth(index)?.trim();
        Some(column.split_once('.').map_or(column, |(_, name)| name))
    }
}

impl Row {
    fn get<'r, T: Stored<'r>>(&'r self, index: usize) -> Result<T, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(index),
            Self::Postgres(row) => row.try_get(index),
        }
    }

    fn is_null(&self, index: usize) -> bool {
        match self {
            Self::Sqlite(row) => row.try_get_raw(index).is_ok_and(|value| value.is_null()),
            Self::Postgres(row) => row.try_get_raw(index).is_ok_and(|value| value.is_null()),
        }
    }

    fn name_of(&self, index: usize) -> Option<&str> {
        match self {
            Self::Sqlite(row) => row.columns().get(index).map(sqlx::Column::name),
            Self::Postgres(row) => row.columns().get(index).map(sqlx::Column::name),
        }
    }
}

/// Where columns stand.
#[derive(Clone, Copy)]
enum Columns<'r> {
    Row(&'r Row),
    Packed(&'r Packed<'r>),
}

impl<'r> Columns<'r> {
    fn get<T: Stored<'r>>(self, index: usize) -> Result<T, String> {
        match self {
            Self::Row(row) => row.get(index).map_err(|error| error.to_string()),
            Self::Packed(packed) => {
                let value = packed.values.get(index).ok_or("there is no such column")?;
                T::deserialize(value).map_err(|error| error.to_string())
            }
        }
    }

    fn is_null(self, index: usize) -> bool {
        match self {
            Self::Row(row) => row.is_null(index),
            Self::Packed(packed) => matches!(packed.values.get(index), Some(Cell::Null)),
        }
    }

    fn name_of(self, index: usize) -> Option<&'r str> {
        match self {
            Self::Row(row) => row.name_of(index),
            Self::Packed(packed) => packed.name_of(index),
        }
    }
}

/// Reads a row's columns from left to right.
pub(crate) struct Fields<'r> {
    table: &'r str,
    columns: Columns<'r>,
    next: usize,
}

impl<'r> Fields<'r> {
    /// The columns of `row`, which stands mainly for one of `table`.
    pub(crate) fn of(table: &'r str, row: &'r Row) -> Self {
        Self {
            table,
            columns: Columns::Row(row),
            next: 0,
        }
    }

    /// The columns that were packed.
    pub(crate) fn unpacked(table: &'r str, packed: &'r Packed<'r>) -> Self {
        Self {
            table,
            columns: Columns::Packed(packed),
            next: 0,
        }
    }

    /// The next column, which holds others: these.
    pub(crate) fn packed(&mut self, names: &'static str) -> Result<Packed<'r>, StoreError> {
        let Cells(values) = self.read(|text: &'r str| serde_json::from_str(text).ok())?;
        Ok(Packed { values, names })
    }

    /// The next column as it is.
    pub(crate) fn take<T: Stored<'r>>(&mut self) -> Result<T, StoreError> {
        let value = self
            .columns
            .get(self.next)
            .map_err(|message| self.unreadable(message))?;
        self.next += 1;
        Ok(value)
    }

    /// The next column, a truth value: SQLite packs it as 0 or 1.
    pub(crate) fn truth(&mut self) -> Result<bool, StoreError> {
        match self.columns {
            Columns::Packed(packed) if matches!(packed.values.get(self.next), Some(Cell::Integer(_))) => {
                Ok(self.take::<i64>()? != 0)
            }
            _ => self.take(),
        }
    }

    /// The next column, made into something else by `read`, which gives `None` for what it does not know.
    pub(crate) fn read<S, T>(&mut self, read: impl FnOnce(S) -> Option<T>) -> Result<T, StoreError>
    where
        S: Stored<'r> + Clone + std::fmt::Debug,
    {
        let stored: S = self.take()?;
        read(stored.clone()).ok_or_else(|| {
            self.next -= 1;
            self.unreadable(format!("{stored:?} is not one of its values"))
        })
    }

    /// As [`Self::read`], where the column may be empty.
    pub(crate) fn read_optional<S, T>(
        &mut self,
        read: impl FnOnce(S) -> Option<T>,
    ) -> Result<Option<T>, StoreError>
    where
        S: Stored<'r> + Clone + std::fmt::Debug,
    {
        if self.columns.is_null(self.next) {
            self.next += 1;
            return Ok(None);
        }
        self.read(read).map(Some)
    }

    /// The next column, a number that is stored with more room than it needs.
    pub(crate) fn number<N: TryFrom<i64>>(&mut self) -> Result<N, StoreError> {
        self.read(|stored: i64| N::try_from(stored).ok())
    }

    /// As [`Self::number`], where the column may be empty.
    pub(crate) fn number_optional<N: TryFrom<i64>>(&mut self) -> Result<Option<N>, StoreError> {
        self.read_optional(|stored: i64| N::try_from(stored).ok())
    }

    /// The next column, an instant.
    pub(crate) fn at(&mut self) -> Result<DateTime<Utc>, StoreError> {
        self.read(instant)
    }

    /// The next column, an instant or nothing.
    pub(crate) fn at_optional(&mut self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.read_optional(instant)
    }

    /// The next column, JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        self.read(|text: &str| serde_json::from_str(text).ok())
    }

    fn unreadable(&self, message: String) -> StoreError {
        let row = match (self.columns.get::<i64>(0), self.columns.get::<&str>(0)) {
            (Ok(id), _) => id.to_string(),
            (_, Ok(name)) => name.to_owned(),
            _ => "?".to_owned(),
        };
        let column = match self.columns.name_of(self.next) {
            Some(name) => name.to_owned(),
            None => format!("column {}", self.next),
        };
        StoreError::Unreadable {
            table: self.table.to_owned(),
            column,
            row,
            message,
        }
    }

    /// The next column, HTML that was sanitised before it was stored; nothing if it is empty.
    pub(crate) fn safe_html(&mut self) -> Result<Option<SafeHtml>, StoreError> {
        Ok(self.take::<Option<String>>()?.map(SafeHtml::vouched))
    }

    /// The next two columns, a hub and how it knows a feed.
    pub(crate) fn hub_topic(&mut self) -> Result<HubTopic, StoreError> {
        let parse_url = |text: &str| Url::parse(text).ok();
        Ok(HubTopic {
            hub: self.read(parse_url)?,
            topic: self.read(parse_url)?,
        })
    }

    /// The next five columns, a member.
    pub(crate) fn member(&mut self) -> Result<Member, StoreError> {
        Ok(Member {
            slug: self.take()?,
            name: self.take()?,
            organisation: self.take()?,
            url: self.take()?,
            kind: self.read(MemberKind::parse)?,
        })
    }
}

/// An entry as it is stored, with what an output does not show.
pub(crate) struct EntryRow {
    pub(crate) id: i64,
    pub(crate) river_at: i64,
    pub(crate) shown: bool,
    pub(crate) withdrawn_at: Option<DateTime<Utc>>,
    pub(crate) entry: Entry,
}

impl EntryRow {
    /// Where it stands in the river.
    pub(crate) fn position(&self) -> RiverPosition {
        RiverPosition {
            river_at: self.river_at,
            id: self.id,
        }
    }
}

/// The columns of an [`EntryRow`]. A whole post is not even read where its feed gives excerpts.
macro_rules! entry_columns {
    () => {
        concat!(
            "e.id, e.river_at, e.shown, e.withdrawn_at, e.key, e.uri, e.link, e.title, e.summary, f.content, \
             CASE WHEN f.content = 'full' THEN e.content_html END AS content_html, e.author, e.published_at, \
             e.updated_at, e.released_at, e.arrived_at, e.language, e.words, e.topics, e.hashtags, e.categories, \
             e.image_url, e.image_alt, COALESCE(f.licence, e.licence) AS licence, e.changed_at, ",
            $crate::enclosures::files_column!(),
            ", f.url AS feed_url, m.slug, m.name, m.organisation, m.url, m.kind"
        )
    };
}
pub(crate) use entry_columns;

/// What [`entry_columns`] needs beside `entries e`. The cross joins keep SQLite from beginning with a feed.
macro_rules! entry_joins {
    () => {
        " CROSS JOIN members m CROSS JOIN feeds f WHERE m.id = e.member_id AND f.id = e.feed_id"
    };
}
pub(crate) use entry_joins;

/// Decodes [`entry_columns`]. `also_in` is left empty; see `entries::complete`.
pub(crate) fn entry(row: &Row) -> Result<EntryRow, StoreError> {
    entry_and_more(row).map(|(entry, _)| entry)
}

/// Decodes [`entry_columns`], and gives the columns that follow.
pub(crate) fn entry_and_more(row: &Row) -> Result<(EntryRow, Fields<'_>), StoreError> {
    let mut fields = Fields::of("entries", row);
    let id = fields.take()?;
    let river_at = fields.take()?;
    let shown = fields.take()?;
    let withdrawn_at = fields.at_optional()?;
    let key = fields.take()?;
    let uri = fields.take()?;
    let url = fields.take()?;
    let title = fields.take()?;
    let summary = fields.take()?;
    let content: ContentChoice = fields.read(ContentChoice::parse)?;
    let content_html = fields.safe_html()?;
    let author: Option<String> = fields.take()?;
    let published = fields.at()?;
    let updated = fields.at()?;
    let released = fields.at()?;
    let arrived = fields.at()?;
    let language = fields.take()?;
    let words = fields.number()?;
    let topics = fields.json()?;
    let hashtags = fields.json()?;
    let categories = fields.json()?;
    let image_url: Option<String> = fields.take()?;
    let image_alt = fields.take()?;
    let licence = fields.take()?;
    let changed = fields.at()?;
    let enclosures = enclosures::read(&mut fields)?;
    let feed_url = fields.take()?;
    let member = fields.member()?;
    let entry = Entry {
        key,
        id: uri,
        url,
        title,
        summary,
        content_html: content_html.filter(|_| content == ContentChoice::Full),
        author: author.unwrap_or_else(|| member.name.clone()),
        member,
        feed_url,
        also_in: Vec::new(),
        published,
        updated,
        released,
        arrived,
        language,
        words,
        topics,
        hashtags,
        categories,
        image: image_url.map(|url| Image { url, alt: image_alt }),
        enclosures,
        licence,
        changed,
    };
    let row = EntryRow {
        id,
        river_at,
        shown,
        withdrawn_at,
        entry,
    };
    Ok((row, fields))
}

/// Decodes the identity of what left: id, key, when it was withdrawn, when it changed.
pub(crate) fn withdrawal(row: &Row) -> Result<Withdrawal, StoreError> {
    let mut fields = Fields::of("entries", row);
    let (id, key) = (fields.take()?, fields.take()?);
    let (withdrawn_at, changed) = (fields.at_optional()?, fields.at()?);
    Ok(Withdrawal {
        id,
        key,
        at: withdrawn_at.unwrap_or(changed),
    })
}

/// The columns of a [`Feed`]; the blog's address is the feed's own where it is known, else the member's.
macro_rules! columns_of_a_feed {
    () => {
        "f.id, f.slug, f.url, f.content, f.include, f.licence, f.joined, f.status, f.title, f.etag, \
         f.last_modified, f.validators_url, f.body_hash, f.first_success_at, f.last_success_at, f.last_polled_at, \
         f.last_outcome, f.last_error, f.next_poll_at, f.next_poll_why, f.retry_after_at, f.failures, \
         f.failing_since_at, f.not_a_feed, f.incomplete, f.proposed_url, f.gone_since_at, \
         f.name_unknown_since_at, f.moved_to, f.moved_since_at, f.held_why, f.rhythm_since_at, \
         f.rhythm_posts, f.hint_seconds, f.skip_hours, f.skip_days, f.last_entry_at, f.hub_url, f.hub_topic, f.refuses_training, f.entries, f.version, \
         m.slug, m.name, m.organisation, COALESCE(f.site, f.site_url, m.url), m.kind"
    };
}
pub(crate) use columns_of_a_feed;

/// [`columns_of_a_feed`], packed.
macro_rules! feed_columns {
    () => {
        $crate::rows::packed!($crate::rows::columns_of_a_feed!())
    };
}
pub(crate) use feed_columns;

/// Decodes [`feed_columns`].
pub(crate) fn feed(row: &Row) -> Result<Feed, StoreError> {
    feed_and_more(row).map(|(feed, _)| feed)
}

/// Decodes [`feed_columns`], and gives the columns that follow.
pub(crate) fn feed_and_more(row: &Row) -> Result<(Feed, Fields<'_>), StoreError> {
    let mut more = Fields::of("feeds", row);
    let feed = unpacked_feed(&more.packed(columns_of_a_feed!())?)?;
    Ok((feed, more))
}

/// Decodes [`columns_of_a_feed`].
pub(crate) fn unpacked_feed(packed: &Packed<'_>) -> Result<Feed, StoreError> {
    let mut fields = Fields::unpacked("feeds", packed);
    let parse_url = |text: &str| Url::parse(text).ok();
    Ok(Feed {
        id: fields.take()?,
        slug: fields.take()?,
        url: fields.read(parse_url)?,
        content: fields.read(ContentChoice::parse)?,
        include: fields.read(model::IncludeChoice::parse)?,
        licence: fields.take()?,
        joined: fields.read(|day: &str| day.parse().ok())?,
        status: fields.read(model::FeedStatus::parse)?,
        title: fields.take()?,
        validators: Validators {
            etag: fields.take()?,
            last_modified: fields.take()?,
        },
        validators_url: fields.read_optional(parse_url)?,
        body_hash: fields.take()?,
        first_success_at: fields.at_optional()?,
        last_success_at: fields.at_optional()?,
        last_polled_at: fields.at_optional()?,
        last_outcome: fields.read_optional(model::PollOutcome::parse)?,
        last_error: fields.take()?,
        next_poll_at: fields.at()?,
        next_poll_why: fields.read(Why::parse)?,
        retry_after_at: fields.at_optional()?,
        failures: fields.number()?,
        failing_since: fields.at_optional()?,
        not_a_feed: fields.truth()?,
        incomplete: fields.take()?,
        proposed: fields.read_optional(parse_url)?,
        gone_since: fields.at_optional()?,
        name_unknown_since: fields.at_optional()?,
        moved: match (fields.read_optional(parse_url)?, fields.at_optional()?) {
            (Some(target), Some(since)) => Some((target, since)),
            _ => None,
        },
        held: fields.take()?,
        written: fields.at_optional()?.zip(fields.number_optional()?),
        changes_every: fields.number_optional()?.map(Duration::from_secs),
        skip_hours: fields.number()?,
        skip_days: fields.number()?,
        last_entry_at: fields.at_optional()?,
        hub: match (fields.read_optional(parse_url)?, fields.read_optional(parse_url)?) {
            (Some(hub), Some(topic)) => Some(HubTopic { hub, topic }),
            _ => None,
        },
        refuses_training: fields.truth()?,
        entries: fields.number()?,
        version: fields.take()?,
        member: fields.member()?,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, Sample};

    #[tokio::test]
    async fn a_value_that_cannot_be_read_is_named() {
        let store = testing::store().await;
        let feed = testing::feed(&store, "https://ada.example.org/feed", "Ada").await;
        testing::record(&store, &feed, vec![Sample::new("one").entry()]).await;
        testing::execute(&store, "UPDATE entries SET topics = 'no json'").await;
        let error = store
            .entries(&crate::EntryQuery::newest(5))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("entries.topics of row 1 cannot be read: \"no json\""),
            "{error}"
        );
    }
}
