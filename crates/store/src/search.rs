//! Full-text search: what people type, made safe for the index; ranking; highlights.
//!
//! All SQL here is SQLite's FTS5; what another database says instead belongs beside it. What people type never
//! reaches the index's own query language: each word and phrase is quoted.

use std::collections::HashMap;

use sqlx::QueryBuilder;

use crate::db::Db;
use crate::entries::{complete, push_list};
use crate::query::SearchHit;
use crate::rows::{self, Fields, entry_columns, entry_joins};
use crate::{Store, StoreError};

/// The numbers of the entries that match the expression that follows.
pub(crate) const MATCHING: &str = "SELECT rowid FROM entries_fts WHERE entries_fts MATCH ";

/// How many words and phrases of a search count; the index's own limit lies higher.
const MAX_TERMS: usize = 32;

/// The best thousand by their words are ranked again with their age: a match from today counts twice as much as
/// one from the dim past, and half-way between at half a year. Age is counted from the newest entry.
const RANKED: &str = "SELECT e.id
    FROM (SELECT rowid AS id, rank AS score FROM entries_fts WHERE entries_fts MATCH $1 ORDER BY rank LIMIT 1000) f
    CROSS JOIN entries e
    WHERE e.id = f.id AND e.shown = TRUE
    ORDER BY f.score * (1.0 + 180.0 / (180.0 + ((SELECT MAX(n.river_at) FROM entries n WHERE n.shown = TRUE) - e.river_at)
                                             / 86400000.0)),
        e.river_at DESC, e.id DESC
    LIMIT $2 OFFSET $3";

/// Marks around a match; no stored text holds these characters.
const OPEN: char = '\u{2}';
const CLOSE: char = '\u{3}';

/// About 24 words of the text around the matches: fewer than an excerpt has.
const SNIPPETS: &str = "SELECT rowid, snippet(entries_fts, 1, char(2), char(3), '…', 24) AS snippet
    FROM entries_fts WHERE entries_fts MATCH ";

impl Store {
    /// Entries that hold all words and phrases of `text` and none that follows a `-`, best first. Only the best
    /// thousand can be reached.
    pub async fn search(&self, text: &str, limit: u32, offset: u32) -> Result<Vec<SearchHit>, StoreError> {
        let Some(words) = expression(text) else {
            return Ok(Vec::new());
        };
        let ids: Vec<i64> = sqlx::query_scalar(RANKED)
            .bind(&words)
            .bind(i64::from(limit))
            .bind(i64::from(offset))
            .fetch_all(self.readers())
            .await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }

        let mut sql = QueryBuilder::<Db>::new(SNIPPETS);
        sql.push_bind(&words).push(" AND rowid IN ");
        push_list(&mut sql, ids.iter().copied());
        let mut snippets: HashMap<i64, String> = HashMap::with_capacity(ids.len());
        for row in sql.build().fetch_all(self.readers()).await? {
            let mut fields = Fields::of("entries_fts", &row);
            snippets.insert(fields.take()?, fields.take()?);
        }

        let mut sql = QueryBuilder::<Db>::new(concat!(
            "SELECT ",
            entry_columns!(),
            " FROM entries e",
            entry_joins!(),
            " AND e.id IN "
        ));
        push_list(&mut sql, ids.iter().copied());
        let rows = sql.build().fetch_all(self.readers()).await?;
        let rows = rows.iter().map(rows::entry).collect::<Result<Vec<_>, _>>()?;
        let numbers: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let entries = complete(self.readers(), rows).await?;
        let mut entries: HashMap<i64, _> = numbers.into_iter().zip(entries).collect();
        let hit = |id| {
            let snippet = snippets.get(&id).map_or_else(Vec::new, |snippet| pieces(snippet));
            Some(SearchHit {
                entry: entries.remove(&id)?,
                snippet,
            })
        };
        Ok(ids.into_iter().filter_map(hit).collect())
    }
}

/// What people type, as the index takes it: bare words and `"phrases"` must all be there, what follows a `-` must
/// not. `None` if no word is asked for.
pub(crate) fn expression(text: &str) -> Option<String> {
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
            let quoted = format!("\"{}\"", words.replace(['"', '\0'], " "));
            if without.is_some() {
                unwanted.push(quoted);
            } else {
                wanted.push(quoted);
            }
        }
    }
    if wanted.is_empty() {
        return None;
    }
    let mut expression = format!("({})", wanted.join(" AND "));
    for term in unwanted {
        expression.push_str(" NOT ");
        expression.push_str(&term);
    }
    Some(expression)
}

/// A marked snippet in pieces: the text, and whether it matched; white space folded.
fn pieces(snippet: &str) -> Vec<(String, bool)> {
    let mut pieces: Vec<(String, bool)> = vec![(String::new(), false)];
    for c in snippet.chars() {
        if c == OPEN || c == CLOSE {
            pieces.push((String::new(), c == OPEN));
        } else if let Some((piece, _)) = pieces.last_mut() {
            match c.is_whitespace() {
                true if piece.ends_with(' ') => {}
                true => piece.push(' '),
                false => piece.push(c),
            }
        }
    }
    pieces.retain(|(piece, _)| !piece.is_empty());
    pieces
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
            assert_eq!(expression(text).as_deref(), Some(expected), "{text}");
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
            assert_eq!(expression(nothing), None, "{nothing}");
        }
        assert_eq!(
            expression(&"word ".repeat(5000)).unwrap().matches("word").count(),
            MAX_TERMS
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
    async fn highlights_a_few_words_and_no_more() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let long = format!(
            "{}\n\nthe bins <b>are</b> open {}",
            "before ".repeat(200),
            "after ".repeat(200)
        );
        record(
            &store,
            &ada,
            vec![Sample::new("one").words("Bins", &long).entry()],
        )
        .await;
        let hit = store.search("bins", 10, 0).await.unwrap().remove(0);
        let matched: Vec<&str> = hit
            .snippet
            .iter()
            .filter(|(_, hit)| *hit)
            .map(|(text, _)| text.as_str())
            .collect();
        assert_eq!(matched, ["bins"]);
        let whole: String = hit.snippet.iter().map(|(text, _)| text.as_str()).collect();
        assert!(
            whole.contains("bins <b>are</b> open") && whole.contains("before the"),
            "{whole}"
        );
        assert!(whole.split_whitespace().count() < model::EXCERPT_WORDS, "{whole}");
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
        testing::execute(
            &store,
            "INSERT INTO entries_fts (entries_fts, rank) VALUES ('integrity-check', 1)",
        )
        .await;
    }

    #[tokio::test]
    async fn reads_no_more_entries_than_match() {
        let store = testing::store().await;
        let plan = plan(&store, RANKED.to_owned()).await;
        assert!(plan.contains("SEARCH e USING INTEGER PRIMARY KEY"), "{plan}");
    }
}
