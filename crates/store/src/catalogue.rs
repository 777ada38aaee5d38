//! Which tables there are, and their columns, as the database itself tells.
//!
//! It knows no table of the Voice by name: a table of a later migration is found like any other.

use crate::StoreError;
use crate::db::Transaction;
use crate::rows::Fields;
use crate::sql::Sql;

/// Virtual tables and what they keep behind them are no tables here. A key's columns are never null.
const SQLITE: &str = r#"SELECT t.name, c.name, c.type, c."notnull" = 1 OR c.pk > 0, c.pk, FALSE
    FROM pragma_table_list t JOIN pragma_table_info(t.name) c
    WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\'
    ORDER BY t.name, c.cid"#;

const POSTGRES: &str =
    "SELECT t.relname::text, c.attname::text, format_type(c.atttypid, c.atttypmod), c.attnotnull,
        COALESCE(array_position(k.indkey::int2[], c.attnum) + 1, 0)::bigint, c.attidentity <> ''
    FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
        LEFT JOIN pg_index k ON k.indrelid = t.oid AND k.indisprimary
    WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p') AND c.attgenerated = ''
    ORDER BY t.relname COLLATE \"C\", c.attnum";

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// In the order in which they were made.
    pub(crate) columns: Vec<Column>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) class: Class,
    pub(crate) not_null: bool,
    /// Its place in the primary key, from 1; 0 if it has none.
    pub(crate) key: i64,
    /// Whether the database gives out its numbers from a sequence.
    pub(crate) identity: bool,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Class {
    /// 64 bits.
    Integer,
    Text,
    /// SQLite has none, and takes integers for it.
    Boolean,
    /// An index of words, which the database makes from other columns.
    Words,
    /// A type that the Voice does not use, in the database's words.
    Other(String),
}

impl Class {
    fn of(type_name: String) -> Self {
        match type_name.as_str() {
            "INTEGER" | "bigint" => Self::Integer,
            "TEXT" | "text" => Self::Text,
            "boolean" => Self::Boolean,
            "tsvector" => Self::Words,
            _ => Self::Other(type_name),
        }
    }
}

impl Table {
    /// The columns of its primary key, in order.
    pub(crate) fn key(&self) -> Vec<&Column> {
        let mut key: Vec<&Column> = self.columns.iter().filter(|column| column.key > 0).collect();
        key.sort_by_key(|column| column.key);
        key
    }

    /// Whether it is an index of words in the form of a table.
    pub(crate) fn is_index(&self) -> bool {
        self.columns.iter().any(|column| column.class == Class::Words)
    }
}

/// The tables of the database, in order of their names.
pub(crate) async fn tables(database: &mut Transaction) -> Result<Vec<Table>, StoreError> {
    let sql = match database {
        Transaction::Sqlite(_) => SQLITE,
        Transaction::Postgres(_) => POSTGRES,
    };
    let mut tables: Vec<Table> = Vec::new();
    for row in Sql::new(sql).fetch_all(database).await? {
        let mut fields = Fields::of("the catalogue", &row);
        let table: String = fields.take()?;
        let column = Column {
            name: fields.take()?,
            class: Class::of(fields.take()?),
            not_null: fields.take()?,
            key: fields.take()?,
            identity: fields.take()?,
        };
        match tables.last_mut() {
            Some(last) if last.name == table => last.columns.push(column),
            _ => tables.push(Table {
                name: table,
                columns: vec![column],
            }),
        }
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::db::MIGRATION_TABLE;
    use crate::testing::{self, TestStore};

    const UNIQUE_SQLITE: &str = "SELECT t.name, i.partial = 1,
            (SELECT GROUP_CONCAT(c.name, ' ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno) c)
        FROM pragma_table_list t JOIN pragma_index_list(t.name) i
        WHERE t.schema = 'main' AND t.type = 'table' AND i.\"unique\" = 1 AND i.origin <> 'pk'";

    const UNIQUE_POSTGRES: &str = "SELECT t.relname::text, i.indpred IS NOT NULL,
            (SELECT string_agg(a.attname, ' ' ORDER BY k.place) FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place)
                JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number)
        FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
        WHERE t.relnamespace = current_schema()::regnamespace AND i.indisunique AND NOT i.indisprimary";

    /// Texts that the two databases would put in a different order.
    const OTHERWISE_ORDERED: &str = "SELECT t.relname::text, c.attname::text FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid
        WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind = 'r' AND t.relname <> '_sqlx_migrations'
            AND c.atttypid = 'text'::regtype AND c.attcollation <> 'pg_catalog.\"C\"'::regcollation";

    /// A column in words that are the same for both databases.
    fn described(column: &Column) -> String {
        let class = match &column.class {
            // SQLite has no truth values.
            Class::Boolean | Class::Integer => "number".to_owned(),
            class => format!("{class:?}"),
        };
        let null = if column.not_null { "not null" } else { "null" };
        format!("{} {class} {null} key {}", column.name, column.key)
    }

    async fn schema(store: &TestStore) -> Vec<(String, Vec<String>)> {
        let mut tables = tables(&mut store.begin().await.unwrap()).await.unwrap();
        tables.retain(|table| table.name != MIGRATION_TABLE && !table.is_index());
        tables
            .into_iter()
            .map(|table| (table.name, table.columns.iter().map(described).collect()))
            .collect()
    }

    async fn unique(store: &TestStore, sql: &'static str) -> BTreeSet<(String, bool, String)> {
        let rows = Sql::new(sql).fetch_all(store.readers()).await.unwrap();
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("the catalogue", row);
                (
                    fields.take().unwrap(),
                    fields.take().unwrap(),
                    fields.take().unwrap(),
                )
            })
            .collect()
    }

    #[tokio::test]
    #[ignore = "run by scripts/test beside a PostgreSQL server"]
    async fn both_databases_have_the_same_tables() {
        let sqlite = testing::sqlite().await;
        let postgres = testing::new_postgres().await.open().await;
        let (one, other) = (schema(&sqlite).await, schema(&postgres).await);
        let names =
            |schema: &[(String, Vec<String>)]| schema.iter().map(|table| table.0.clone()).collect::<Vec<_>>();
        assert_eq!(names(&one), names(&other));
        assert!(one.len() > 5, "{one:?}");
        for (one, other) in one.iter().zip(&other) {
            assert_eq!(one, other);
        }
        let otherwise = Sql::new(OTHERWISE_ORDERED)
            .fetch_all(postgres.readers())
            .await
            .unwrap();
        let otherwise: Vec<(String, String)> = otherwise
            .iter()
            .map(|row| {
                let mut fields = Fields::of("the catalogue", row);
                (fields.take().unwrap(), fields.take().unwrap())
            })
            .collect();
        assert_eq!(otherwise, [], "these want COLLATE \"C\"");
        let (one, other) = (
            unique(&sqlite, UNIQUE_SQLITE).await,
            unique(&postgres, UNIQUE_POSTGRES).await,
        );
        assert_eq!(one, other);
        assert!(
            one.contains(&("entries".to_owned(), false, "feed_id source_id".to_owned())),
            "{one:?}"
        );
    }

    #[tokio::test]
    async fn tells_keys_in_their_order_and_what_may_be_empty() {
        let store = testing::store().await;
        let tables = tables(&mut store.begin().await.unwrap()).await.unwrap();
        let table = |name: &str| tables.iter().find(|table| table.name == name).unwrap();
        let key: Vec<&str> = table("entry_labels")
            .key()
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        assert_eq!(key, ["kind", "label", "river_at", "entry_id"]);
        let entries = table("entries");
        let null: Vec<bool> = ["id", "title", "summary"]
            .iter()
            .map(|name| {
                entries
                    .columns
                    .iter()
                    .find(|column| column.name == *name)
                    .unwrap()
                    .not_null
            })
            .collect();
        assert_eq!(null, [true, false, true]);
    }
}
