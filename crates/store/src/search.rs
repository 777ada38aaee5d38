//! Full-text search: what people type, made safe for the index of either database; ranking.
//!
//! Here and in the migrations stands all that differs between SQLite's FTS5 and PostgreSQL's text search. What people
//! type never reaches an index's own query language: each word and phrase is quoted or bound by itself.

use std::collections::{HashMap, HashSet};

use model::{Filter, FilterBy, Search};

use crate::db::{Pool, Transaction};
use crate::entries::complete;
use crate::labels::LabelKind;
use crate::postgres::WRITE_LOCK;
use crate::query::{EntryQuery, SearchHit};
use crate::river::{Conditions, push_is};
use crate::rows::{self, Fields, entry_columns, entry_joins, millis};
use crate::snippet::snippet;
use crate::sql::{Sql, statements};
use crate::vector::tsvector;
use crate::{Store, StoreError};

mod ranking;

/// So many entries are few: to look at each costs less than to walk the river until enough of them were met.
const FEW: i64 = 1000;

/// How many of those found there are, and since when so many of them stand in the river: what `entry_spans` says of 256
/// entries at a time, since each stands in a page of its own.
const SINCE: &str = ") SELECT (SELECT COUNT(*) FROM f) AS found,
    (SELECT s.oldest_at FROM f CROSS JOIN entry_spans s WHERE s.span = f.id / 256 ORDER BY s.oldest_at DESC LIMIT 1 OFFSET ";

/// That few entries have the words of a search.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Few {
    /// Enough of them stand at or above this place of the river, if they are shown.
    pub(crate) since: Option<i64>,
}

const TEXTS: &str = "SELECT id, text FROM entries WHERE id IN ";

/// Entries of one statement at most, which are more than come together. FTS5 writes down what it gathered whenever a
/// statement begins, so that each costs about as much as hundreds of entries.
const ROWS_SQLITE: usize = 1024;
const ROWS_POSTGRES: usize = 16;

const LAST_ID: &str = "SELECT COALESCE(MAX(id), 0) FROM entries";
const NEXT_IDS: &str = "SELECT nextval(pg_get_serial_sequence('entries', 'id')) FROM generate_series(1, $1)";
const INDEX_SQLITE: &str = "INSERT INTO entries_fts (rowid, title, text) ";
const INDEX_POSTGRES: &str =
    "INSERT INTO entries_fts (entry_id, words) SELECT v.id, v.words::tsvector FROM (";
/// FTS5 has to be told what it is to forget (<https://sqlite.org/fts5.html>, 6.1).
const UNINDEX_SQLITE: &str =
    "INSERT INTO entries_fts (entries_fts, rowid, title, text) VALUES ('delete', $1, $2, $3)";
const UNINDEX_POSTGRES: &str = "DELETE FROM entries_fts WHERE entry_id = $1";

impl Store {
    /// Entries that `search` asks for, best first; without words, the latest first. Only the best thousand can be
    /// reached.
    pub async fn search(
        &self,
        search: &Search,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<SearchHit>, StoreError> {
        if search.is_nothing() {
            return Ok(Vec::new());
        }
        let ids = if search.wanted.is_empty() {
            self.latest(search, limit, offset).await?
        } else {
            ranking::best(self, search, limit, offset).await?
        };
        if ids.is_empty() {
            return Ok(Vec::new());
        }

        let mut sql = Sql::new(TEXTS);
        sql.push_list(ids.iter().copied());
        let mut snippets = HashMap::with_capacity(ids.len());
        for row in sql.fetch_all(self.readers()).await? {
            let mut fields = Fields::of("entries", &row);
            let id: i64 = fields.take()?;
            snippets.insert(id, snippet(fields.take()?, &search.wanted));
        }

        let mut sql = Sql::new(concat!(
            "SELECT ",
            entry_columns!(),
            " FROM entries e",
            entry_joins!(),
            " AND e.id IN "
        ));
        sql.push_list(ids.iter().copied());
        let rows = sql.fetch_all(self.readers()).await?;
        let rows = rows.iter().map(rows::entry).collect::<Result<Vec<_>, _>>()?;
        let numbers: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let entries = complete(self.readers(), rows).await?;
        let mut entries: HashMap<i64, _> = numbers.into_iter().zip(entries).collect();
        let hit = |id| {
            Some(SearchHit {
                entry: entries.remove(&id)?,
                snippet: snippets.remove(&id).unwrap_or_default(),
            })
        };
        Ok(ids.into_iter().filter_map(hit).collect())
    }

    /// Which of the entries with these keys `search` asks for.
    pub async fn matching(&self, search: &Search, keys: &[&str]) -> Result<HashSet<String>, StoreError> {
        if search.is_nothing() || keys.is_empty() {
            return Ok(HashSet::new());
        }
        let mut sql = Sql::new("SELECT e.key FROM entries e WHERE e.shown = TRUE AND e.key IN ");
        sql.push_list(keys.iter().copied());
        push_narrowing(&mut sql, search);
        push_words(&mut sql, self.readers(), "e.id", search);
        let rows = sql.fetch_all(self.readers()).await?;
        rows.iter().map(|row| Fields::of("entries", row).take()).collect()
    }

    /// How the few entries are found that have the words of `search`, of which so many are wanted; none if they are many.
    pub(crate) async fn few_have(&self, search: &Search, wanted: u32) -> Result<Option<Few>, StoreError> {
        if search.wanted.is_empty() {
            return Ok(None);
        }
        let mut sql = Sql::new("WITH f AS MATERIALIZED (SELECT w.id FROM ");
        push_found(&mut sql, self.readers(), search);
        sql.push(" w LIMIT ").push_bind(FEW + 1);
        sql.push(SINCE).push_bind(enough(wanted));
        sql.push(") AS since");
        let row = sql.fetch_one(self.readers()).await?;
        let mut fields = Fields::of("entries_fts", &row);
        let (found, since): (i64, Option<i64>) = (fields.take()?, fields.take()?);
        Ok((found <= FEW).then_some(Few { since }))
    }

    async fn latest(&self, search: &Search, limit: u32, offset: u32) -> Result<Vec<i64>, StoreError> {
        let query = EntryQuery {
            search: Some(search.clone()),
            ..EntryQuery::newest(limit)
        };
        let conditions = Conditions::of(&query);
        let mut sql = Sql::new("SELECT p.id FROM (");
        conditions.push_newest(&mut sql, self.readers(), (limit + offset) as usize);
        sql.push(") p ORDER BY p.river_at DESC, p.id DESC LIMIT ")
            .push_bind(limit);
        sql.push(" OFFSET ").push_bind(offset);
        let rows = sql.fetch_all(self.readers()).await?;
        rows.iter().map(|row| Fields::of("entries", row).take()).collect()
    }
}

/// The words of an entry: its title and its text.
pub(crate) type Words<'t> = (Option<&'t str>, &'t str);

/// Begins a write that adds entries of these words, and gives the numbers that they are to have: under those they stand
/// in the index already. Triggers index what is not there yet, one entry at a time, which costs either database more
/// than all the rest.
pub(crate) async fn begin_indexed(
    store: &Store,
    entries: &[Words<'_>],
) -> Result<(Transaction, Vec<i64>), StoreError> {
    let Pool::Postgres(writer) = &store.writer else {
        let mut transaction = store.begin().await?;
        let ids = next_ids(&mut transaction, entries.len()).await?;
        let rows: Vec<_> = ids.iter().zip(entries).collect();
        for rows in rows.chunks(ROWS_SQLITE) {
            let mut sql = Sql::new(INDEX_SQLITE).once();
            sql.push_values(rows, |row, (id, (title, text))| {
                row.push_bind(**id).push_bind(*title).push_bind(*text);
            });
            sql.execute(&mut transaction).await?;
        }
        return Ok((transaction, ids));
    };
    // Words are in nobody's way, so they are written before the write waits for others.
    let mut transaction = Transaction::Postgres(writer.begin().await?);
    let ids = next_ids(&mut transaction, entries.len()).await?;
    let rows: Vec<_> = ids.iter().zip(entries).collect();
    for rows in statements(&rows, ROWS_POSTGRES) {
        let mut sql = Sql::new(INDEX_POSTGRES);
        sql.push_values(rows, |row, (id, (title, text))| {
            row.push_bind(**id)
                .push_bind(tsvector(title.unwrap_or_default(), text));
        })
        .push(") v (id, words)");
        sql.execute(&mut transaction).await?;
    }
    Sql::new(WRITE_LOCK).execute(&mut transaction).await?;
    Ok((transaction, ids))
}

/// Takes the words out of the index again that were written under `id` for an entry that did not come.
pub(crate) async fn unindex(
    transaction: &mut Transaction,
    id: i64,
    (title, text): Words<'_>,
) -> Result<(), StoreError> {
    let sql = match transaction {
        Transaction::Sqlite(_) => Sql::new(UNINDEX_SQLITE).bind(id).bind(title).bind(text),
        Transaction::Postgres(_) => Sql::new(UNINDEX_POSTGRES).bind(id),
    };
    sql.execute(transaction).await?;
    Ok(())
}

/// Numbers for so many new entries.
async fn next_ids(transaction: &mut Transaction, entries: usize) -> Result<Vec<i64>, StoreError> {
    if let Transaction::Sqlite(_) = transaction {
        let last: i64 = Sql::new(LAST_ID).fetch_value("entries", transaction).await?;
        return Ok((last + 1..).take(entries).collect());
    }
    let numbers = Sql::new(NEXT_IDS)
        .bind(entries as i64)
        .fetch_all(transaction)
        .await?;
    numbers
        .iter()
        .map(|row| Fields::of("entries", row).take())
        .collect()
}

/// Adds what narrows the search, as conditions on `entries e`.
fn push_narrowing<'t>(sql: &mut Sql<'t>, search: &'t Search) {
    if let Some(since) = search.since {
        sql.push(" AND e.published_at >= ").push_bind(millis(since));
    }
    if let Some(until) = search.until {
        sql.push(" AND e.published_at < ").push_bind(millis(until));
    }
    for filter in &search.filters {
        push_filter(sql, filter);
    }
}

/// Adds one condition on `entries e`.
pub(crate) fn push_filter<'t>(sql: &mut Sql<'t>, filter: &'t Filter) {
    let not = if filter.without { "NOT " } else { "" };
    let kind = match filter.by {
        FilterBy::Member => {
            sql.push(format_args!(
                " AND e.member_id {not}IN (SELECT s.id FROM members s WHERE s.slug IN "
            ))
            .push_list(filter.values.iter());
            sql.push(")");
            return;
        }
        FilterBy::Topic => LabelKind::Topic,
        FilterBy::Hashtag => LabelKind::Hashtag,
    };
    // One label of one entry is one place of the index; of a pattern its whole range is read once.
    if filter.values.iter().any(|value| value.ends_with('*')) {
        sql.push(format_args!(
            " AND {not}+e.id IN (SELECT n.entry_id FROM entry_labels n WHERE "
        ));
        push_is(sql, "n.", kind, &filter.values);
        sql.push(")");
    } else {
        sql.push(format_args!(
            " AND {not}EXISTS (SELECT 1 FROM entry_labels n WHERE "
        ));
        push_is(sql, "n.", kind, &filter.values);
        sql.push(" AND n.river_at = e.river_at AND n.entry_id = e.id)");
    }
}

/// Adds the condition that the entry whose number is `id` has the words that are wanted and none that are not.
pub(crate) fn push_words<'t>(sql: &mut Sql<'t>, readers: &Pool, id: &str, search: &'t Search) {
    let (not, terms) = if search.wanted.is_empty() {
        if search.unwanted.is_empty() {
            return;
        }
        ("NOT ", Terms::Unwanted)
    } else {
        ("", Terms::All)
    };
    sql.push(format_args!(" AND +{id} {not}IN ("));
    match readers {
        Pool::Sqlite(_) => {
            let query = match terms {
                Terms::All => for_fts5(search),
                Terms::Unwanted => quoted(&search.unwanted, " OR "),
            };
            sql.push("SELECT rowid FROM entries_fts WHERE entries_fts MATCH ")
                .push_bind(query);
        }
        Pool::Postgres(_) => {
            sql.push("SELECT entry_id FROM entries_fts WHERE words @@ ");
            match terms {
                Terms::All => push_tsquery(sql, search),
                Terms::Unwanted => push_terms(sql, search.unwanted.iter().map(|term| (" || ", term))),
            }
        }
    }
    sql.push(")");
}

/// Adds, as a table, the numbers (`id`) of the entries that have the words that are wanted and none that are not.
pub(crate) fn push_found<'t>(sql: &mut Sql<'t>, readers: &Pool, search: &'t Search) {
    match readers {
        Pool::Sqlite(_) => {
            sql.push("(SELECT rowid AS id FROM entries_fts WHERE entries_fts MATCH ")
                .push_bind(for_fts5(search))
                .push(")");
        }
        Pool::Postgres(_) => {
            sql.push("(SELECT entry_id AS id FROM entries_fts WHERE words @@ ");
            push_tsquery(sql, search);
            sql.push(")");
        }
    }
}

/// Of how many that match so many are probably shown: where fewer are, all that match have to be looked at.
fn enough(wanted: u32) -> i64 {
    i64::from(wanted) * 3 / 2
}

/// Which of a search's words are looked up.
enum Terms {
    All,
    Unwanted,
}

fn quoted(terms: &[String], between: &str) -> String {
    let quoted: Vec<String> = terms.iter().map(|term| format!("\"{term}\"")).collect();
    quoted.join(between)
}

/// The words in the query language of FTS5 (<https://sqlite.org/fts5.html>, 3).
fn for_fts5(search: &Search) -> String {
    let mut expression = format!("({})", quoted(&search.wanted, " AND "));
    for term in &search.unwanted {
        expression.push_str(" NOT ");
        expression.push_str(&quoted(std::slice::from_ref(term), ""));
    }
    expression
}

/// Adds a `tsquery` of the same meaning.
fn push_tsquery<'t>(sql: &mut Sql<'t>, search: &'t Search) {
    let wanted = search.wanted.iter().map(|term| (" && ", term));
    let unwanted = search.unwanted.iter().map(|term| (" && !! ", term));
    push_terms(sql, wanted.chain(unwanted));
}

fn push_terms<'t>(sql: &mut Sql<'t>, terms: impl Iterator<Item = (&'static str, &'t String)>) {
    sql.push("(");
    for (index, (operator, term)) in terms.enumerate() {
        if index > 0 {
            sql.push(operator);
        }
        sql.push("phraseto_tsquery('simple', voice_plain(")
            .push_bind(term)
            .push("))");
    }
    sql.push(")");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, feed, minutes, plan, record, titles};

    fn search(wanted: &[&str], unwanted: &[&str]) -> Search {
        let owned = |terms: &[&str]| terms.iter().map(|&term| term.to_owned()).collect();
        Search {
            wanted: owned(wanted),
            unwanted: owned(unwanted),
            ..Search::default()
        }
    }

    #[test]
    fn words_are_quoted_or_bound() {
        for (wanted, unwanted, expected) in [
            (&["bins"][..], &[][..], r#"("bins")"#),
            (&["open", "data"], &[], r#"("open" AND "data")"#),
            (
                &["open data"],
                &["bins", "not this"],
                r#"("open data") NOT "bins" NOT "not this""#,
            ),
            (&["NEAR(a", "title:c*"], &[], r#"("NEAR(a" AND "title:c*")"#),
        ] {
            assert_eq!(for_fts5(&search(wanted, unwanted)), expected);
        }
        let search = search(&["open", "local data"], &["bins"]);
        let mut sql = Sql::new("");
        push_tsquery(&mut sql, &search);
        assert_eq!(
            sql.into_text(),
            "(phraseto_tsquery('simple', voice_plain(?)) && phraseto_tsquery('simple', voice_plain(?)) \
             && !! phraseto_tsquery('simple', voice_plain(?)))"
        );
    }

    #[tokio::test]
    async fn the_index_holds_the_words_of_what_came_and_nothing_else() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let known = || Sample::new("one").words("Libraries", "Books for all.").entry();
        record(&store, &ada, vec![known()]).await;
        let news = Sample::new("two").words("Parks", "Trees for all.").entry();
        assert_eq!(record(&store, &ada, vec![known(), news]).await.new, 1);
        // A poll that is refused whole.
        let mut late = testing::poll(&ada, minutes(9));
        late.new = vec![Sample::new("three").words("Roads", "Kerbs for all.").entry()];
        assert!(!store.record_polls(&[late]).await.unwrap()[0].accepted);
        let found = async |word| store.search(&search(&[word], &[]), 9, 0).await.unwrap().len();
        assert_eq!(
            (found("books").await, found("trees").await, found("kerbs").await),
            (1, 1, 0)
        );
        let indexed: i64 = Sql::new("SELECT COUNT(*) FROM entries_fts")
            .fetch_value("entries_fts", store.readers())
            .await
            .unwrap();
        assert_eq!(indexed, 2);
        if let Pool::Sqlite(_) = store.readers() {
            let check = "INSERT INTO entries_fts (entries_fts, rank) VALUES ('integrity-check', 1)";
            testing::execute(&store, check).await;
        }
    }

    #[tokio::test]
    async fn hostile_searches_are_only_words() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(&store, &ada, vec![Sample::new("one").entry()]).await;
        for text in [
            "\"",
            "'",
            "a\"b'c",
            "AND",
            "OR NOT",
            "NEAR(",
            "title:",
            "text : x",
            "a*",
            "^a",
            "{title}",
            "-",
            "--a b",
            "a -",
            "x -\"",
            "rank",
            "'; DROP TABLE entries; --",
            "\u{2}\u{3}",
            "a\0\"b",
            "( ( ( (",
            "٣ ३ ½",
            "日本語",
            "é̂́",
            "+1 & 2 | 3",
        ] {
            store
                .search(&testing::search(text), 10, 0)
                .await
                .unwrap_or_else(|error| panic!("{text:?}: {error}"));
        }
        let deep = "\"a\" -\"b\" ".repeat(400);
        store.search(&testing::search(&deep), 10, 0).await.unwrap();
        assert_eq!(
            store.search(&testing::search("one"), 10, 0).await.unwrap().len(),
            1
        );
    }

    #[tokio::test]
    async fn finds_whole_words_whatever_their_accents_and_ranks_them() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(
            &store,
            &ada,
            vec![
                Sample::new("new")
                    .at(minutes(0))
                    .words("Title of new", "We tried a café in the library.")
                    .entry(),
                Sample::new("old")
                    .at(minutes(-60 * 24 * 2000))
                    .words("Title of old", "We tried a cafe in the library.")
                    .entry(),
                Sample::new("title")
                    .at(minutes(-60 * 24 * 2000))
                    .words("Café", "It is about something else in the end.")
                    .entry(),
                Sample::new("hidden").words("Café", "café café").hidden().entry(),
                Sample::new("other")
                    .words("Title of other", "Nothing of it, cafeteria.")
                    .entry(),
            ],
        )
        .await;
        let find = async |text: &str, limit, offset| {
            let hits = store.search(&testing::search(text), limit, offset).await.unwrap();
            let entries: Vec<_> = hits.into_iter().map(|hit| hit.entry).collect();
            titles(&entries)
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(find("CAFE", 10, 0).await, ["Café", "new", "old"]);
        assert_eq!(find("CAFE", 1, 1).await, ["new"]);
        assert_eq!(find("cafe library", 10, 0).await, ["new", "old"]);
        assert_eq!(find("\"a café in\"", 10, 0).await, ["new", "old"]);
        assert_eq!(find("\"café a in\"", 10, 0).await, [""; 0]);
        assert_eq!(find("café -library", 10, 0).await, ["Café"]);
    }

    #[tokio::test]
    async fn is_narrowed_with_words_and_without() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        let sample = |name: &str, day: i64| {
            Sample::new(name)
                .at(minutes(-60 * 24 * day))
                .words(name, "bins and libraries")
        };
        record(
            &store,
            &ada,
            vec![
                sample("a1", 1).topic("data").hashtag("ukgc26").entry(),
                sample("a2", 9).topic("data").topic("skills").entry(),
                sample("hidden", 1).topic("data").hidden().entry(),
            ],
        )
        .await;
        record(
            &store,
            &ben,
            vec![
                sample("b1", 2).topic("skills").hashtag("ukgovcamp").entry(),
                sample("b2", 3)
                    .words("b2", "nothing of it")
                    .hashtag("bins")
                    .entry(),
            ],
        )
        .await;
        let day = |day: i64| minutes(-60 * 24 * day).format("%Y-%m-%d").to_string();
        let (after, before) = (format!("after:{}", day(2)), format!("before:{}", day(2)));
        for (text, found) in [
            ("bins topic:data", &["a1", "a2"][..]),
            ("bins -topic:data", &["b1"]),
            ("bins topic:data topic:skills", &["a2"]),
            ("bins member:ben", &["b1"]),
            ("bins member:ben member:ada", &["a1", "a2", "b1"]),
            ("bins -member:ben", &["a1", "a2"]),
            ("bins hashtag:ukgovcamp", &["a1", "b1"]),
            ("bins hashtag:ukgc*", &["a1"]),
            ("bins -hashtag:ukgovcamp", &["a2"]),
            (&format!("bins {after}"), &["a1", "b1"]),
            (&format!("bins {before}"), &["a2"]),
            ("topic:data", &["a1", "a2"]),
            ("topic:data -topic:skills", &["a1"]),
            ("topic:data topic:skills", &["a2"]),
            ("member:ben -bins", &["b2"]),
            ("-bins member:ada", &[]),
            ("hashtag:ukgovcamp", &["a1", "b1"]),
            ("hashtag:ukgovcamp member:ben", &["b1"]),
            (&format!("{after} -member:ada"), &["b1"]),
            (&format!("{before} {after}"), &[]),
            ("-bins", &[]),
            ("topic:none", &[]),
            ("bins member:nobody", &[]),
        ] {
            let search = testing::search(text);
            let sorted = |mut names: Vec<String>| {
                names.sort();
                names
            };
            let names =
                |entries: &[model::Entry]| sorted(titles(entries).into_iter().map(str::to_owned).collect());
            let hits = store.search(&search, 10, 0).await.unwrap();
            let hits: Vec<_> = hits.into_iter().map(|hit| hit.entry).collect();
            assert_eq!(names(&hits), found, "{text}");
            let query = EntryQuery {
                search: Some(search),
                ..EntryQuery::newest(10)
            };
            let search = query.search.as_ref().unwrap();
            let keys: Vec<String> = ["a1", "a2", "b1", "b2", "hidden"]
                .map(|name| format!("{name:x<16}"))
                .into();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let matching = store.matching(search, &keys).await.unwrap();
            let matching = matching.iter().map(|key| key.trim_end_matches('x').to_owned());
            assert_eq!(sorted(matching.collect()), found, "{text}");
            let few = store.few_have(search, query.limit).await.unwrap();
            for few in [few, None] {
                let page = store.page(&query, few).await.unwrap();
                assert_eq!(names(&page.entries), found, "{text}, {few:?}");
            }
        }
        let latest = store.search(&testing::search("topic:data"), 1, 1).await.unwrap();
        assert_eq!(latest[0].entry.title.as_deref(), Some("a2"));
    }

    #[tokio::test]
    async fn follows_what_is_edited_and_forgets_what_is_withdrawn() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(
            &store,
            &ada,
            vec![Sample::new("one").words("First", "alpha").entry()],
        )
        .await;
        let known = store.known_entries(ada.id).await.unwrap();
        let edited = Sample::new("one")
            .words("First", "beta")
            .changed(known[0].id, true);
        testing::record_at(&store, &ada, minutes(1), Vec::new(), vec![edited]).await;
        let hits = async |text| store.search(&testing::search(text), 10, 0).await.unwrap().len();
        assert_eq!((hits("alpha").await, hits("beta").await), (0, 1));
        testing::withdraw(&store, "one").await;
        assert_eq!((hits("beta").await, hits("first").await), (0, 0));
        if matches!(store.readers(), Pool::Sqlite(_)) {
            testing::execute(
                &store,
                "INSERT INTO entries_fts (entries_fts, rank) VALUES ('integrity-check', 1)",
            )
            .await;
        }
    }

    #[tokio::test]
    async fn reads_no_more_entries_than_match() {
        let store = testing::sqlite().await;
        let bins = search(&["bins"], &[]);
        let plan = plan(
            &store,
            ranking::ranked(&bins, store.readers(), (9, 0), 18).into_text(),
        )
        .await;
        for found in [
            "SEARCH s USING INTEGER PRIMARY KEY",
            "SEARCH e USING INTEGER PRIMARY KEY",
        ] {
            assert!(plan.contains(found), "{plan}");
        }
    }
}
