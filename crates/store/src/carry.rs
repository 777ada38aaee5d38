//! Carries a Voice from one database to another, ids and all.
//!
//! What there is to carry is read from the catalogue, so that a table of a later migration comes along by itself. All
//! of it is written in one transaction, read back and compared before it is made to last. The source is only read,
//! as it stood at one moment. It refuses to mix two Voices.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use crate::catalogue::{self, Class, Column, Table};
use crate::db::{self, MIGRATION_TABLE, Standing, Transaction};
use crate::rows::Fields;
use crate::sql::{Row, Sql, Value};
use crate::{Store, StoreError};

/// Tables that stay behind: each database has its own migrations and counts for itself what comes, and nobody who polls the
/// one polls the other.
const STAYS: [&str; 6] = [
    MIGRATION_TABLE,
    "leases",
    "entry_counts",
    "member_counts",
    "member_newest",
    "entry_spans",
];

/// How many values are read and written at once: some dozens of entries, some hundreds of small rows.
const VALUES: usize = 2048;

const FOREIGN_KEYS: &str = "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
    FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace";
/// SQLite looks at the foreign keys at the end of the transaction.
const DEFER_FOREIGN_KEYS: &str = "PRAGMA defer_foreign_keys = ON";

/// Which table's rows refer to another's.
const REFERENCES: &str = r#"SELECT DISTINCT t.name, r."table" FROM pragma_table_list t JOIN pragma_foreign_key_list(t.name) r
    WHERE t.schema = 'main' AND t.type = 'table' AND r."table" <> t.name"#;

/// What came of carrying a Voice over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CarryReport {
    /// Whether anything was written; not if all of it was there already.
    pub changed: bool,
    /// The tables, in order of their names.
    pub tables: Vec<CarriedTable>,
}

/// A table that is the same in both databases now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CarriedTable {
    /// Its name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
    /// A number made from all its values, equal in both databases.
    pub checksum: u64,
}

/// Carries all that the Voice at `from` holds into the database at `to`, which is made and migrated if need be.
/// `to` must hold nothing, or the same already; then nothing is changed.
///
/// # Errors
/// Says which database or table stands in the way; `to` is left as it was.
pub async fn carry(from: &str, to: &str) -> Result<CarryReport, StoreError> {
    let (from_name, to_name) = (db::name(from)?, db::name(to)?);
    let mut source = db::snapshot(from).await?;
    match db::standing(&mut source).await? {
        Standing::Current => {}
        Standing::Older => return Err(StoreError::Older { database: from_name }),
        Standing::Newer(version) => {
            return Err(StoreError::Newer {
                database: from_name,
                version,
            });
        }
        Standing::Foreign => return Err(StoreError::NoVoice { database: from_name }),
    }
    let store = Store::open(to).await?;
    let mut target = store.begin().await?;
    let (source_tables, target_tables) = (carried(&mut source).await?, carried(&mut target).await?);
    same_shape(&source_tables, &target_tables)?;
    let there = digest(&mut target, &target_tables).await?;
    if !is_new(&there, &digest_of_nothing().await?) {
        let wanted = digest(&mut source, &source_tables).await?;
        return match first_difference(&wanted, &there) {
            None => Ok(CarryReport {
                changed: false,
                tables: there,
            }),
            Some(table) => Err(StoreError::OtherData {
                database: to_name,
                from: from_name,
                table: table.to_owned(),
            }),
        };
    }
    let wanted = copy(&mut source, &source_tables, &mut target, &target_tables).await?;
    let arrived = digest(&mut target, &target_tables).await?;
    if let Some(table) = first_difference(&wanted, &arrived) {
        return Err(StoreError::NotCarried {
            table: table.to_owned(),
            message: "what was written differs from what was read".to_owned(),
        });
    }
    target.commit().await?;
    Ok(CarryReport {
        changed: true,
        tables: arrived,
    })
}

/// The tables that are carried.
async fn carried(database: &mut Transaction) -> Result<Vec<Table>, StoreError> {
    let mut tables = catalogue::tables(database).await?;
    tables.retain(|table| !STAYS.contains(&table.name.as_str()) && !table.is_index());
    Ok(tables)
}

/// Refuses what cannot be carried between these tables.
fn same_shape(source: &[Table], target: &[Table]) -> Result<(), StoreError> {
    let refuse = |table: &Table, message: String| {
        Err(StoreError::NotCarried {
            table: table.name.clone(),
            message,
        })
    };
    for (one, others) in [(source, target), (target, source)] {
        for table in one {
            let Some(other) = others.iter().find(|other| other.name == table.name) else {
                return refuse(table, "only one of the databases has it".to_owned());
            };
            if !table
                .columns
                .iter()
                .map(|column| &column.name)
                .eq(other.columns.iter().map(|column| &column.name))
            {
                return refuse(table, "its columns differ".to_owned());
            }
            if table.key().is_empty() {
                return refuse(table, "it has no primary key to read it by".to_owned());
            }
            for column in &table.columns {
                if let Class::Other(type_name) = &column.class {
                    return refuse(
                        table,
                        format!("{} is of a type that is not carried: {type_name}", column.name),
                    );
                }
            }
        }
    }
    Ok(())
}

/// What the tables of a Voice come to that was only just made: nothing, but for what migrations wrote.
async fn digest_of_nothing() -> Result<Vec<CarriedTable>, StoreError> {
    let mut nothing = Store::open("sqlite::memory:").await?.begin().await?;
    let tables = carried(&mut nothing).await?;
    digest(&mut nothing, &tables).await
}

/// Whether these tables hold nothing but what migrations wrote.
fn is_new(there: &[CarriedTable], nothing: &[CarriedTable]) -> bool {
    there.iter().all(
        |table| match nothing.iter().find(|new| new.table == table.table) {
            Some(new) => new == table,
            None => table.rows == 0,
        },
    )
}

/// What the tables come to.
async fn digest(database: &mut Transaction, tables: &[Table]) -> Result<Vec<CarriedTable>, StoreError> {
    let mut digests = Vec::with_capacity(tables.len());
    for table in tables {
        let mut reading = Reading::of(table);
        while !reading.next(database).await?.is_empty() {}
        digests.push(reading.digest());
    }
    Ok(digests)
}

fn first_difference<'d>(wanted: &'d [CarriedTable], there: &[CarriedTable]) -> Option<&'d str> {
    wanted
        .iter()
        .zip(there)
        .find(|(wanted, there)| wanted != there)
        .map(|(wanted, _)| wanted.table.as_str())
}

/// Writes every row of `source` into `target`, and tells what was read.
async fn copy(
    source: &mut Transaction,
    source_tables: &[Table],
    target: &mut Transaction,
    target_tables: &[Table],
) -> Result<Vec<CarriedTable>, StoreError> {
    let foreign_keys = without_foreign_keys(target).await?;
    let mut digests = Vec::with_capacity(source_tables.len());
    let pairs: Vec<_> = source_tables.iter().zip(target_tables).collect();
    for (from, to) in in_order(target, pairs).await? {
        // What migrations wrote comes from the source too.
        Sql::new(format!("DELETE FROM {}", quoted(&to.name)))
            .execute(&mut *target)
            .await?;
        let mut reading = Reading::of(from);
        loop {
            let rows = reading.next(source).await?;
            if rows.is_empty() {
                break;
            }
            insert(target, to, rows).await?;
        }
        digests.push(reading.digest());
    }
    digests.sort_unstable_by(|one, other| one.table.cmp(&other.table));
    for key in foreign_keys {
        Sql::new(key).execute(&mut *target).await?;
    }
    for table in target_tables {
        for column in table.columns.iter().filter(|column| column.identity) {
            continue_numbers(target, table, column).await?;
        }
    }
    Ok(digests)
}

/// Puts tables behind those that they refer to. SQLite, which waits for a row that others refer to already, would look
/// through all of these at each row.
async fn in_order<'t>(
    target: &mut Transaction,
    mut waiting: Vec<(&'t Table, &'t Table)>,
) -> Result<Vec<(&'t Table, &'t Table)>, StoreError> {
    if let Transaction::Postgres(_) = target {
        return Ok(waiting);
    }
    let mut references: Vec<(String, String)> = Vec::new();
    for row in Sql::new(REFERENCES).fetch_all(target).await? {
        let mut fields = Fields::of("the catalogue", &row);
        references.push((fields.take()?, fields.take()?));
    }
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let waits = |table: &Table| {
            references
                .iter()
                .any(|(from, to)| *from == table.name && waiting.iter().any(|(_, other)| other.name == *to))
        };
        let (rest, ready): (Vec<_>, Vec<_>) = waiting.iter().copied().partition(|(_, to)| waits(to));
        if ready.is_empty() {
            // They refer to one another: any order is as good.
            order.extend(rest);
            break;
        }
        order.extend(ready);
        waiting = rest;
    }
    Ok(order)
}

/// Lets rows come in any order; gives the statements that end this, and look at all rows at once.
async fn without_foreign_keys(target: &mut Transaction) -> Result<Vec<String>, StoreError> {
    if let Transaction::Sqlite(_) = target {
        Sql::new(DEFER_FOREIGN_KEYS).execute(target).await?;
        return Ok(Vec::new());
    }
    let mut again = Vec::new();
    for row in Sql::new(FOREIGN_KEYS).fetch_all(&mut *target).await? {
        let mut fields = Fields::of("the catalogue", &row);
        let (table, key, definition): (String, String, String) =
            (fields.take()?, fields.take()?, fields.take()?);
        Sql::new(format!("ALTER TABLE {table} DROP CONSTRAINT {key}"))
            .execute(&mut *target)
            .await?;
        again.push(format!("ALTER TABLE {table} ADD CONSTRAINT {key} {definition}"));
    }
    Ok(again)
}

/// Lets the numbers that PostgreSQL gives out go on behind the highest there is. (SQLite does so by itself.)
async fn continue_numbers(
    target: &mut Transaction,
    table: &Table,
    column: &Column,
) -> Result<(), StoreError> {
    let (name, number) = (quoted(&table.name), quoted(&column.name));
    let sql = format!(
        "SELECT setval(pg_get_serial_sequence($1, $2), (SELECT COALESCE(MAX({number}), 0) + 1 FROM {name}), FALSE)"
    );
    Sql::new(sql)
        .bind(&name)
        .bind(&column.name)
        .fetch_one(target)
        .await?;
    Ok(())
}

async fn insert(target: &mut Transaction, table: &Table, rows: &[Vec<Cell>]) -> Result<(), StoreError> {
    let mut sql = Sql::new(format!(
        "INSERT INTO {} ({}) ",
        quoted(&table.name),
        names(table.columns.iter())
    ));
    sql.push_values(rows, |row, cells| {
        for (cell, column) in cells.iter().zip(&table.columns) {
            row.push_bind(cell.value(&column.class));
        }
    });
    match sql.execute(target).await {
        Ok(_) => Ok(()),
        Err(error) => Err(StoreError::NotCarried {
            table: table.name.clone(),
            message: match error {
                StoreError::Full { message } => format!("the disk is full: {message}"),
                error => error.to_string(),
            },
        }),
    }
}

/// A value as both databases have it. A truth value is 0 or 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Cell {
    Integer(Option<i64>),
    Text(Option<String>),
}

impl Cell {
    fn read(fields: &mut Fields<'_>, class: &Class) -> Result<Self, StoreError> {
        Ok(match class {
            Class::Integer => Self::Integer(fields.take()?),
            Class::Boolean => Self::Integer(fields.take::<Option<bool>>()?.map(i64::from)),
            _ => Self::Text(fields.take()?),
        })
    }

    /// The value for a column of this class.
    fn value(&self, class: &Class) -> Value<'_> {
        match (self, class) {
            (Self::Integer(value), Class::Boolean) => Value::Boolean(value.map(|value| value != 0)),
            (Self::Integer(value), _) => (*value).into(),
            (Self::Text(value), _) => value.into(),
        }
    }
}

/// A table that is read from its beginning to its end, some rows at a time.
struct Reading<'t> {
    table: &'t Table,
    rows: Vec<Vec<Cell>>,
    count: u64,
    hash: DefaultHasher,
}

impl<'t> Reading<'t> {
    fn of(table: &'t Table) -> Self {
        Self {
            table,
            rows: Vec::new(),
            count: 0,
            hash: DefaultHasher::new(),
        }
    }

    /// The next rows in the order of the primary key; none at the end.
    async fn next(&mut self, database: &mut Transaction) -> Result<&[Vec<Cell>], StoreError> {
        let table = self.table;
        let key = table.key();
        let mut sql = Sql::new(format!(
            "SELECT {} FROM {}",
            names(table.columns.iter()),
            quoted(&table.name)
        ));
        if let Some(last) = self.rows.last() {
            let after = table
                .columns
                .iter()
                .zip(last)
                .filter(|(column, _)| column.key > 0);
            let mut after: Vec<_> = after.collect();
            after.sort_by_key(|(column, _)| column.key);
            sql.push(format!(" WHERE ({}) > ", names(key.iter().copied())))
                .push_list(after.into_iter().map(|(column, cell)| cell.value(&column.class)));
        }
        let most = (VALUES / table.columns.len()).max(1);
        sql.push(format!(" ORDER BY {} LIMIT {most}", names(key.iter().copied())));
        let found = sql.fetch_all(database).await?;
        let read: Vec<Vec<Cell>> = found
            .iter()
            .map(|row| cells(table, row))
            .collect::<Result<_, _>>()?;
        for row in &read {
            row.hash(&mut self.hash);
        }
        self.count += read.len() as u64;
        self.rows = read;
        Ok(&self.rows)
    }

    /// What was read so far.
    fn digest(self) -> CarriedTable {
        CarriedTable {
            table: self.table.name.clone(),
            rows: self.count,
            checksum: self.hash.finish(),
        }
    }
}

fn cells(table: &Table, row: &Row) -> Result<Vec<Cell>, StoreError> {
    let mut fields = Fields::of(&table.name, row);
    table
        .columns
        .iter()
        .map(|column| Cell::read(&mut fields, &column.class))
        .collect()
}

fn names<'c>(columns: impl Iterator<Item = &'c Column>) -> String {
    columns
        .map(|column| quoted(&column.name))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A name as it stands in a statement.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::{self, Sample, TestDatabase, TestStore, feed, minutes, now, record, record_at};
    use crate::{WantedFeed, postgres, sqlite};

    /// What all tables of the database come to.
    pub(crate) async fn digest_of(url: &str) -> Vec<CarriedTable> {
        let mut snapshot = db::snapshot(url).await.unwrap();
        let tables = carried(&mut snapshot).await.unwrap();
        digest(&mut snapshot, &tables).await.unwrap()
    }

    /// A Voice with members, polls, labels, and every kind of entry.
    pub(crate) async fn fill(store: &Store) {
        let ada = feed(store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(store, "https://ben.example.org/feed", "Ben Öztürk").await;
        let first = vec![
            Sample::new("one")
                .topic("democracy")
                .hashtag("localgovdigital")
                .words("Élan & “quotes” 🏛", "Naïve text.\nA line; 'quoted'?")
                .entry(),
            Sample::new("hidden").hidden().entry(),
            Sample::new("old").undated().entry(),
            Sample::new("gone").entry(),
        ];
        record(store, &ada, first).await;
        testing::withdraw(store, "gone").await;
        // The same story elsewhere, and enough entries for several pieces.
        let mut more: Vec<_> = (0..150)
            .map(|number| Sample::new(&format!("n{number}")).entry())
            .collect();
        let mut again = Sample::new("copy");
        again.new.draft.link_key = Some("example.org/one".to_owned());
        more.push(again.entry());
        record_at(store, &ben, minutes(40), more, Vec::new()).await;
    }

    async fn filled(database: TestDatabase) -> TestStore {
        let store = database.open().await;
        fill(&store).await;
        store
    }

    async fn search(store: &Store, words: &str) -> usize {
        store.search(&testing::search(words), 9, 0).await.unwrap().len()
    }

    #[tokio::test]
    async fn a_second_run_changes_nothing() {
        let from = filled(testing::new_database().await).await;
        let wanted = [WantedFeed {
            feed_id: 1,
            feed_version: 1,
            host: "ada.example.org".to_owned(),
        }];
        from.lease_feeds(1, &wanted, 2, now(), minutes(1)).await.unwrap();
        let to = testing::new_database().await;
        let first = carry(&from.url, &to.url).await.unwrap();
        assert!(first.changed);
        assert_eq!(first.tables, digest_of(&from.url).await);
        let rows = |name: &str| {
            first
                .tables
                .iter()
                .find(|table| table.table == name)
                .map(|table| table.rows)
        };
        assert_eq!(
            (rows("feeds"), rows("entries"), rows("leases")),
            (Some(2), Some(155), None)
        );
        assert!(
            rows("polls") > Some(1) && rows("entry_labels") > Some(1),
            "{first:?}"
        );

        let second = carry(&from.url, &to.url).await.unwrap();
        assert_eq!((second.changed, &second.tables), (false, &first.tables));
        let to = to.open().await;
        assert_eq!(search(&to, "naive").await, 1, "what is searched is there too");
        assert_eq!(testing::recounted(&to).await, testing::recounted(&from).await);
        // The carried Voice goes on: numbers are given out behind those that came.
        let cat = feed(&to, "https://cat.example.org/feed", "Cat").await;
        record(&to, &cat, vec![Sample::new("new").entry()]).await;
        assert_eq!(search(&to, "naive").await, 1);

        let before = digest_of(&to.url).await;
        let error = carry(&from.url, &to.url).await.unwrap_err();
        assert!(matches!(&error, StoreError::OtherData { .. }), "{error}");
        assert_eq!(digest_of(&to.url).await, before);
    }

    #[tokio::test]
    #[ignore = "run by scripts/test beside a PostgreSQL server"]
    async fn there_and_back_is_where_it_was() {
        let from = filled(testing::new_file()).await;
        let (between, back) = (testing::new_postgres().await, testing::new_file());
        let there = carry(&from.url, &between.url).await.unwrap();
        let again = carry(&between.url, &back.url).await.unwrap();
        assert!(there.changed && again.changed);
        assert_eq!(there.tables, again.tables);
        let (between, back) = (between.open().await, back.open().await);
        let all = async |store: &Store| store.entries_after(None, 1000).await.unwrap();
        let entries = all(&from).await;
        assert!(entries.0.len() > 150);
        assert_eq!(all(&between).await, entries);
        assert_eq!(all(&back).await, entries);
        assert_eq!(
            (search(&between, "naive").await, search(&back, "naive").await),
            (1, 1)
        );
        feed(&between, "https://cat.example.org/feed", "Cat").await;
        assert_eq!(between.feeds().await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_table_of_a_later_migration_comes_along() {
        let from = filled(testing::new_database().await).await;
        let to = testing::new_database().await.open().await;
        let make = match from.begin().await.unwrap() {
            Transaction::Sqlite(_) => {
                "CREATE TABLE later (word TEXT PRIMARY KEY, number INTEGER, entry_id INTEGER)"
            }
            Transaction::Postgres(_) => {
                "CREATE TABLE later (word TEXT COLLATE \"C\" PRIMARY KEY, number BIGINT, entry_id BIGINT REFERENCES entries (id))"
            }
        };
        for store in [&from, &to] {
            testing::execute(store, make).await;
        }
        testing::execute(&from, "INSERT INTO later SELECT key, NULL, id FROM entries").await;
        let report = carry(&from.url, &to.url).await.unwrap();
        assert_eq!(report.tables, digest_of(&to.url).await);
        let later = report.tables.into_iter().find(|table| table.table == "later");
        assert_eq!(later.map(|table| table.rows), Some(155));
    }

    #[tokio::test]
    async fn a_type_that_nobody_carries_is_named() {
        let (from, to) = (testing::store().await, testing::store().await);
        for store in [&from, &to] {
            testing::execute(
                store,
                "CREATE TABLE later (id INTEGER PRIMARY KEY, price NUMERIC)",
            )
            .await;
        }
        let error = carry(&from.url, &to.url).await.unwrap_err().to_string();
        assert!(error.contains("the table later could not be carried"), "{error}");
        assert!(
            error.to_lowercase().contains("numeric") || error.contains("integer"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn every_table_of_the_migrations_is_carried_or_stays_on_purpose() {
        let store = testing::store().await;
        let migrations = match store.begin().await.unwrap() {
            Transaction::Sqlite(_) => sqlite::MIGRATIONS,
            Transaction::Postgres(_) => postgres::MIGRATIONS,
        };
        let made: BTreeSet<&str> = migrations
            .iter()
            .flat_map(|(_, _, sql)| sql.split("\nCREATE TABLE ").skip(1))
            .map(|rest| rest.split([' ', '(']).next().unwrap())
            .filter(|name| !STAYS.contains(name) && !name.ends_with("_fts"))
            .collect();
        let tables = carried(&mut store.begin().await.unwrap()).await.unwrap();
        assert_eq!(
            tables
                .iter()
                .map(|table| table.name.as_str())
                .collect::<BTreeSet<_>>(),
            made
        );
        same_shape(&tables, &tables).unwrap();
    }

    #[tokio::test]
    async fn says_what_is_no_voice() {
        let to = testing::new_database().await;
        let folder = tempfile::tempdir().unwrap();
        let missing = format!("sqlite://{}", folder.path().join("nothing.db").display());
        let error = carry(&missing, &to.url).await.unwrap_err();
        assert!(matches!(error, StoreError::NoFile { .. }), "{error}");
        assert!(!folder.path().join("nothing.db").exists());

        let other = testing::new_database().await;
        other
            .execute("CREATE TABLE invoices (id INTEGER PRIMARY KEY)")
            .await;
        let error = carry(&other.url, &to.url).await.unwrap_err();
        assert!(matches!(error, StoreError::NoVoice { .. }), "{error}");

        let older = testing::store().await;
        testing::execute(&older, "DELETE FROM _sqlx_migrations WHERE version > 1").await;
        let error = carry(&older.url, &to.url).await.unwrap_err();
        assert!(matches!(error, StoreError::Older { .. }), "{error}");
    }

    #[tokio::test]
    async fn what_cannot_be_written_leaves_nothing() {
        let from = filled(testing::new_database().await).await;
        let to = testing::new_database().await.open().await;
        // A rule that the source does not have is broken by a row in the middle.
        testing::execute(&to, "CREATE UNIQUE INDEX one_of_each ON entries (words)").await;
        let error = carry(&from.url, &to.url).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::NotCarried { table, .. } if table == "entries"),
            "{error}"
        );
        assert_eq!(digest_of(&to.url).await, digest_of_nothing().await.unwrap());
    }
}
