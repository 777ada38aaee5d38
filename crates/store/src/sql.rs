//! One statement, for whichever database this is: its text, its values, and the rows it gives.
//!
//! The text of a statement is the same for both databases; this file hands it to the one that is there. Values stand in
//! it as `$1`, `$2` …, or, in one that is put together here, as `?` in their order: SQLite looks for a numbered one
//! among all the others. It knows no table.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use sqlx::{Arguments as _, AssertSqlSafe, Postgres, Sqlite};

use crate::StoreError;
use crate::db::{Pool, Transaction};
use crate::rows::{Fields, PackedRows, Stored};

/// A value of a statement.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Integer(Option<i64>),
    Text(Option<Cow<'a, str>>),
    Boolean(Option<bool>),
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Value<'_> {
            fn from(value: $integer) -> Self {
                Self::Integer(Some(i64::from(value)))
            }
        }
        impl From<Option<$integer>> for Value<'_> {
            fn from(value: Option<$integer>) -> Self {
                Self::Integer(value.map(i64::from))
            }
        }
    )*};
}
integers!(i64, u32, u16);

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Boolean(Some(value))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        value.as_str().into()
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value.map(Cow::from))
    }
}

impl<'a> From<Option<&'a String>> for Value<'a> {
    fn from(value: Option<&'a String>) -> Self {
        value.map(String::as_str).into()
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(value: &'a Option<String>) -> Self {
        value.as_deref().into()
    }
}

/// A statement in the making.
#[derive(Debug)]
pub(crate) struct Sql<'a> {
    text: Cow<'static, str>,
    values: Vec<Value<'a>>,
    planned_anew: bool,
    once: bool,
}

/// The values of one of the rows of a statement.
pub(crate) struct ValuesOfRow<'s, 'a>(&'s mut Vec<Value<'a>>);

impl<'a> ValuesOfRow<'_, 'a> {
    /// The row's next value.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value<'a>>) -> &mut Self {
        self.0.push(value.into());
        self
    }
}

/// Where a statement is run: side by side with others, or inside a write.
pub(crate) enum On<'c> {
    Readers(&'c Pool),
    Write(&'c mut Transaction),
}

impl<'c> From<&'c Pool> for On<'c> {
    fn from(readers: &'c Pool) -> Self {
        Self::Readers(readers)
    }
}

impl<'c> From<&'c mut Transaction> for On<'c> {
    fn from(transaction: &'c mut Transaction) -> Self {
        Self::Write(transaction)
    }
}

impl On<'_> {
    /// The same place, for one statement of several.
    pub(crate) fn again(&mut self) -> On<'_> {
        match self {
            Self::Readers(readers) => On::Readers(readers),
            Self::Write(transaction) => On::Write(transaction),
        }
    }
}

/// One row of an answer.
pub(crate) enum Row {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
}

/// Runs the statement by a method of sqlx's that the database's own executor has.
macro_rules! run {
    ($sql:expr, $on:expr, $method:ident) => {
        match $on.into() {
            On::Readers(Pool::Sqlite(pool)) => Answer::Sqlite($sql.for_sqlite()?.$method(pool).await?),
            On::Readers(Pool::Postgres(pool)) => Answer::Postgres($sql.for_postgres()?.$method(pool).await?),
            On::Write(Transaction::Sqlite(write)) => {
                Answer::Sqlite($sql.for_sqlite()?.$method(&mut **write).await?)
            }
            On::Write(Transaction::Postgres(write)) => {
                Answer::Postgres($sql.for_postgres()?.$method(&mut **write).await?)
            }
        }
    };
}

enum Answer<S, P> {
    Sqlite(S),
    Postgres(P),
}

impl<'a> Sql<'a> {
    /// A statement of this text, whose values are bound in the order of their numbers.
    pub(crate) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            text: text.into(),
            values: Vec::new(),
            planned_anew: false,
            once: false,
        }
    }

    /// Has PostgreSQL plan it for these values: after some time it would keep one plan for all.
    pub(crate) fn planned_anew(self) -> Self {
        Self {
            planned_anew: true,
            ..self
        }
    }

    /// Does not keep it prepared: no other statement will have its text.
    pub(crate) fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Gives the next number its value.
    pub(crate) fn bind(mut self, value: impl Into<Value<'a>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds text, which must come from this program.
    pub(crate) fn push(&mut self, text: impl Display) -> &mut Self {
        write!(self.text.to_mut(), "{text}").expect("a String takes every text");
        self
    }

    /// Adds `?` with its value.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value<'a>>) -> &mut Self {
        self.values.push(value.into());
        self.push("?")
    }

    /// Adds `(?, ?, …)`.
    pub(crate) fn push_list<V: Into<Value<'a>>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        self.push("(");
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.push_bind(value);
        }
        self.push(")")
    }

    /// Adds `VALUES (?, …), (?, …), …`, a row for each of `rows`.
    pub(crate) fn push_values<R>(
        &mut self,
        rows: impl IntoIterator<Item = R>,
        mut values: impl FnMut(&mut ValuesOfRow<'_, 'a>, R),
    ) -> &mut Self {
        let text = self.text.to_mut();
        for (index, row) in rows.into_iter().enumerate() {
            text.push_str(if index == 0 { "VALUES (" } else { ", (" });
            let from = self.values.len();
            values(&mut ValuesOfRow(&mut self.values), row);
            for number in from..self.values.len() {
                text.push_str(if number > from { ", ?" } else { "?" });
            }
            text.push(')');
        }
        self
    }

    /// Its text, to ask how it would be run.
    #[cfg(test)]
    pub(crate) fn into_text(self) -> String {
        self.text.into_owned()
    }

    /// All rows.
    pub(crate) async fn fetch_all<'c>(self, on: impl Into<On<'c>>) -> Result<Vec<Row>, StoreError> {
        Ok(match run!(self, on, fetch_all) {
            Answer::Sqlite(rows) => rows.into_iter().map(Row::Sqlite).collect(),
            Answer::Postgres(rows) => rows.into_iter().map(Row::Postgres).collect(),
        })
    }

    /// The only row, if there is one.
    pub(crate) async fn fetch_optional<'c>(self, on: impl Into<On<'c>>) -> Result<Option<Row>, StoreError> {
        Ok(match run!(self, on, fetch_optional) {
            Answer::Sqlite(row) => row.map(Row::Sqlite),
            Answer::Postgres(row) => row.map(Row::Postgres),
        })
    }

    /// The only row.
    pub(crate) async fn fetch_one<'c>(self, on: impl Into<On<'c>>) -> Result<Row, StoreError> {
        Ok(match run!(self, on, fetch_one) {
            Answer::Sqlite(row) => Row::Sqlite(row),
            Answer::Postgres(row) => Row::Postgres(row),
        })
    }

    /// The first column of the only row, which stands for one of `table`.
    pub(crate) async fn fetch_value<'c, T>(
        self,
        table: &'static str,
        on: impl Into<On<'c>>,
    ) -> Result<T, StoreError>
    where
        T: for<'r> Stored<'r>,
    {
        Fields::of(table, &self.fetch_one(on).await?).take()
    }

    /// All rows of `table`, as `all_packed!` gives them: the columns of these names.
    pub(crate) async fn fetch_packed<'c>(
        self,
        table: &'static str,
        names: &'static str,
        on: impl Into<On<'c>>,
    ) -> Result<PackedRows, StoreError> {
        let row = self.fetch_one(on).await?;
        let mut fields = Fields::of(table, &row);
        Ok(PackedRows {
            table,
            count: fields.number()?,
            text: fields.take::<Option<String>>()?.unwrap_or_default(),
            names,
        })
    }

    /// Runs it and tells how many rows it changed.
    pub(crate) async fn execute<'c>(self, on: impl Into<On<'c>>) -> Result<u64, StoreError> {
        Ok(match run!(self, on, execute) {
            Answer::Sqlite(done) => done.rows_affected(),
            Answer::Postgres(done) => done.rows_affected(),
        })
    }

    fn for_sqlite(
        self,
    ) -> Result<sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments>, sqlx::Error> {
        let mut arguments = sqlx::sqlite::SqliteArguments::default();
        arguments.reserve(self.values.len(), 0);
        for value in self.values {
            match value {
                Value::Integer(value) => arguments.add(value),
                Value::Text(value) => arguments.add(value.map(Cow::into_owned)),
                Value::Boolean(value) => arguments.add(value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(sqlx::query_with(AssertSqlSafe(self.text), arguments).persistent(!self.once))
    }

    fn for_postgres(
        self,
    ) -> Result<sqlx::query::Query<'static, Postgres, sqlx::postgres::PgArguments>, sqlx::Error> {
        let mut arguments = sqlx::postgres::PgArguments::default();
        for value in self.values {
            match value {
                Value::Integer(value) => arguments.add(value),
                Value::Text(value) => arguments.add(value),
                Value::Boolean(value) => arguments.add(value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        let text = AssertSqlSafe(for_postgres(self.text));
        Ok(sqlx::query_with(text, arguments).persistent(!self.planned_anew && !self.once))
    }
}

/// The text as PostgreSQL takes it.
fn for_postgres(text: Cow<'static, str>) -> Cow<'static, str> {
    let text = numbered(text);
    if text.contains("json_array(") {
        // The name that both know came with PostgreSQL 16.
        Cow::Owned(text.replace("json_array(", "json_build_array("))
    } else {
        text
    }
}

/// The text with each `?` replaced by the number of its place; no text of ours holds one in quotes.
fn numbered(text: Cow<'static, str>) -> Cow<'static, str> {
    if !text.contains('?') {
        return text;
    }
    let mut numbered = String::with_capacity(text.len() * 2);
    for (number, piece) in text.split('?').enumerate() {
        if number > 0 {
            write!(numbered, "${number}").expect("a String takes every text");
        }
        numbered.push_str(piece);
    }
    Cow::Owned(numbered)
}

/// Cuts `rows` into pieces whose lengths are powers of two, `most` at most: so a statement of many rows comes in
/// few texts, and each stays prepared.
pub(crate) fn statements<T>(mut rows: &[T], most: usize) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = most.min(1 << rows.len().checked_ilog2()?);
        let (piece, rest) = rows.split_at(length);
        rows = rest;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_powers_of_two() {
        let rows = [0_u8; 77];
        let lengths: Vec<usize> = statements(&rows, 16).map(<[u8]>::len).collect();
        assert_eq!(lengths, [16, 16, 16, 16, 8, 4, 1]);
        assert_eq!(statements(&rows[..0], 16).count(), 0);
    }

    #[test]
    fn values_stand_in_the_order_of_the_text() {
        let mut sql = Sql::new("WITH v (a, b) AS (");
        sql.push_values([1_u32, 2], |row, number| {
            row.push_bind(number).push_bind(format!("row {number}"));
        })
        .push(") SELECT 1 WHERE 7 IN ")
        .push_list([7_u32, 8])
        .push(" AND 9 = ")
        .push_bind(9_i64);
        assert_eq!(sql.values.len(), 7);
        let text = sql.into_text();
        assert_eq!(
            text,
            "WITH v (a, b) AS (VALUES (?, ?), (?, ?)) SELECT 1 WHERE 7 IN (?, ?) AND 9 = ?"
        );
        assert_eq!(
            numbered(text.into()),
            "WITH v (a, b) AS (VALUES ($1, $2), ($3, $4)) SELECT 1 WHERE 7 IN ($5, $6) AND 9 = $7"
        );
        assert_eq!(numbered("SELECT $2, $1".into()), "SELECT $2, $1");
    }
}
