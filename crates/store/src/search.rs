//! Full-text search: what people type, made safe for the index of either database; ranking.
//!
//! Here and in the migrations stands all that differs between SQLite's FTS5 and PostgreSQL's text search. What people
//! type never reaches an index's own query language: each word and phrase is quoted or bound by itself.

use std::collections::HashMap;

use crate::db::Pool;
use crate::entries::complete;
use crate::query::SearchHit;
use crate::rows::{self, Fields, entry_columns, entry_joins};
use crate::snippet::snippet;
use crate::sql::Sql;
use crate::{Store, StoreError};

/// How many words and phrases of a search count; the indices' own limits lie higher.
const MAX_TERMS: usize = 32;

/// The best thousand by their words: SQLite's rank grows towards minus infinity (bm25, the title six times the text).
const BEST_SQLITE: &str = "SELECT rowid AS id, -rank AS score FROM entries_fts WHERE entries_fts MATCH ";
/// PostgreSQL's, of the same weights, divided by the logarithm of the length.
const BEST_POSTGRES: &str =
    "SELECT t.entry_id AS id, ts_rank('{0.17, 0.17, 0.17, 1.0}', t.words, q.query, 1) AS score
    FROM entries_fts t, (SELECT ";

/// The best thousand are ranked again with their age: a match from today counts twice as much as one from the dim
/// past, and half-way between at half a year. Age is counted from the newest entry.
const BY_AGE: &str = " ORDER BY score DESC LIMIT 1000) f CROSS JOIN entries e
    WHERE e.id = f.id AND e.shown = TRUE
    ORDER BY f.score * (1.0 + 180.0 / (180.0 + ((SELECT MAX(n.river_at) FROM entries n WHERE n.shown = TRUE) - e.river_at)
                                             / 86400000.0)) DESC,
        e.river_at DESC, e.id DESC
    LIMIT ";

const TEXTS: &str = "SELECT id, text FROM entries WHERE id IN ";

impl Store {
    /// Entries that hold all words and phrases of `text` and none that follows a `-`, best first. Only the best
    /// thousand can be reached.
    pub async fn search(&self, text: &str, limit: u32, offset: u32) -> Result<Vec<SearchHit>, StoreError> {
        let Some(terms) = Terms::of(text) else {
            return Ok(Vec::new());
        };
        let ranked = ranked(&terms, self.readers(), limit, offset);
        let mut ids: Vec<i64> = Vec::new();
        for row in ranked.fetch_all(self.readers()).await? {
            ids.push(Fields::of("entries_fts", &row).take()?);
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }

        let mut sql = Sql::new(TEXTS);
        sql.push_list(ids.iter().copied());
        let mut snippets = HashMap::with_capacity(ids.len());
        for row in sql.fetch_all(self.readers()).await? {
            let mut fields = Fields::of("entries", &row);
            let id: i64 = fields.take()?;
            snippets.insert(id, snippet(fields.take()?, &terms.wanted));
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
}

fn ranked<'t>(terms: &'t Terms, readers: &Pool, limit: u32, offset: u32) -> Sql<'t> {
    let mut sql = Sql::new("SELECT e.id FROM (");
    match readers {
        Pool::Sqlite(_) => {
            sql.push(BEST_SQLITE).push_bind(terms.for_fts5());
        }
        Pool::Postgres(_) => {
            sql.push(BEST_POSTGRES);
            terms.push_tsquery(&mut sql);
            sql.push(" AS query) q WHERE t.words @@ q.query");
        }
    }
    sql.push(BY_AGE).push_bind(limit);
    sql.push(" OFFSET ").push_bind(offset);
    sql
}

/// What people ask for: words and phrases that must all be there, and those that must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    wanted: Vec<String>,
    unwanted: Vec<String>,
}

impl Terms {
    /// What people type: bare words and `"phrases"`, those that follow a `-` unwanted. `None` if nothing is asked
    /// for.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        let mut rest = text.trim_start();
        while !rest.is_empty() && wanted.len() + unwanted.len() < MAX_TERMS {
            let without = rest.strip_prefix('-');
            let term = without.unwrap_or(rest);
            let (words, after) = match term.strip_prefix('"') {
                // A phrase that is not closed goes on to the end.
                Some(phrase) => phrase.split_once('"').unwrap_or((phrase, "")),
                None => term.split_at(
                    term.find(|c: char| c.is_whitespace() || c == '"')
                        .unwrap_or(term.len()),
                ),
            };
            rest = after.trim_start();
            if words.chars().any(char::is_alphanumeric) {
                let terms = if without.is_some() {
                    &mut unwanted
                } else {
                    &mut wanted
                };
                // A database takes no NUL, and FTS5's quotes none of their own.
                terms.push(words.replace(['"', '\0'], " "));
            }
        }
        (!wanted.is_empty()).then_some(Self { wanted, unwanted })
    }

    /// Adds a query for the numbers of the entries that match.
    pub(crate) fn push_matching<'t>(&'t self, sql: &mut Sql<'t>, readers: &Pool) {
        match readers {
            Pool::Sqlite(_) => {
                sql.push("SELECT rowid FROM entries_fts WHERE entries_fts MATCH ")
                    .push_bind(self.for_fts5());
            }
            Pool::Postgres(_) => {
                sql.push("SELECT entry_id FROM entries_fts WHERE words @@ ");
                self.push_tsquery(sql);
            }
        }
    }

    /// In the query language of FTS5 (<https://sqlite.org/fts5.html>, 3).
    fn for_fts5(&self) -> String {
        let quoted = |term: &String| format!("\"{term}\"");
        let wanted: Vec<String> = self.wanted.iter().map(quoted).collect();
        let mut expression = format!("({})", wanted.join(" AND "));
        for term in &self.unwanted {
            expression.push_str(" NOT ");
            expression.push_str(&quoted(term));
        }
        expression
    }

    /// Adds a `tsquery` of the same meaning.
    fn push_tsquery<'t>(&'t self, sql: &mut Sql<'t>) {
        let wanted = self.wanted.iter().map(|term| (" && ", term));
        let unwanted = self.unwanted.iter().map(|term| (" && !! ", term));
        sql.push("(");
        for (index, (operator, term)) in wanted.chain(unwanted).enumerate() {
            if index > 0 {
                sql.push(operator);
            }
            sql.push("phraseto_tsquery('simple', voice_plain(")
                .push_bind(term)
                .push("))");
        }
        sql.push(")");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, feed, minutes, plan, record, titles};

    #[test]
    fn what_people_type_is_quoted() {
        for (text, expected) in [
            ("bins", r#"("bins")"#),
            ("open  data", r#"("open" AND "data")"#),
            (r#""open data" -bins"#, r#"("open data") NOT "bins""#),
            (r#"a -"not this" b"#, r#"("a" AND "b") NOT "not this""#),
            (r#""unbalanced AND ("#, r#"("unbalanced AND (")"#),
            (r#"x"y z"w"#, r#"("x" AND "y z" AND "w")"#),
            (
                "NEAR(a b) OR title:c* ^d",
                r#"("NEAR(a" AND "b)" AND "OR" AND "title:c*" AND "^d")"#,
            ),
            ("nul\0nul", r#"("nul nul")"#),
        ] {
            assert_eq!(Terms::of(text).unwrap().for_fts5(), expected, "{text}");
        }
        for nothing in [
            "",
            "  ",
            "-bins",
            "!!! \"\" -",
            "\"",
            "--",
            "-\"",
            "* ^ : ( ) + \u{0}",
        ] {
            assert_eq!(Terms::of(nothing), None, "{nothing}");
        }
        let many = Terms::of(&"word ".repeat(5000)).unwrap();
        assert_eq!(many.wanted.len(), MAX_TERMS);
        let terms = Terms::of("open \"local data\" -bins").unwrap();
        let mut sql = Sql::new("");
        terms.push_tsquery(&mut sql);
        assert_eq!(
            sql.into_text(),
            "(phraseto_tsquery('simple', voice_plain(?)) && phraseto_tsquery('simple', voice_plain(?)) \
             && !! phraseto_tsquery('simple', voice_plain(?)))"
        );
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
                .search(text, 10, 0)
                .await
                .unwrap_or_else(|error| panic!("{text:?}: {error}"));
        }
        let deep = "\"a\" -\"b\" ".repeat(400);
        store.search(&deep, 10, 0).await.unwrap();
        assert_eq!(store.search("one", 10, 0).await.unwrap().len(), 1);
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
            let hits = store.search(text, limit, offset).await.unwrap();
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
        let hits = async |text| store.search(text, 10, 0).await.unwrap().len();
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
        let terms = Terms::of("bins").unwrap();
        let plan = plan(&store, ranked(&terms, store.readers(), 9, 0).into_text()).await;
        assert!(plan.contains("SEARCH e USING INTEGER PRIMARY KEY"), "{plan}");
    }
}
