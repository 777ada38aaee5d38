//! Which of the entries that have the words of a search suit it best: by the words first, then by their age, too.
//!
//! To read how old a thousand entries are costs more than to rank them, since each stands in a page of its own. What
//! `entry_spans` says of 256 entries at a time shows of most that others come before them.

use model::Search;

use super::{enough, for_fts5, push_narrowing, push_tsquery};
use crate::db::Pool;
use crate::rows::Fields;
use crate::sql::Sql;
use crate::{Store, StoreError};

/// Of the latest to arrive among those that match, so many are ranked: a word that stands in every other post costs no
/// more the more posts there are.
const RANKED_SQLITE: i64 = 10_000;
/// PostgreSQL unpacks all words of an entry to find those that are asked for.
const RANKED_POSTGRES: i64 = 2500;

/// So many of the best are ranked again with their age, and can be reached.
const AGED: i64 = 1000;

/// How well a match is found by its words. SQLite's rank grows towards minus infinity (bm25, the title six times the
/// text); the index is read from its end, which the ranking does not see.
const BEST_SQLITE: &str =
    "SELECT c.id, -c.rank AS score FROM (SELECT t.rowid AS id, t.rank AS rank FROM entries_fts t";
/// PostgreSQL's, of the same weights, divided by the logarithm of the length.
const BEST_POSTGRES: &str =
    "SELECT c.id, ts_rank('{0.17, 0.17, 0.17, 1.0}', w.words, c.query, 1) AS score FROM
    (SELECT t.entry_id AS id, q.query FROM entries_fts t";

/// What a match is worth that stands there in the river: one from today counts twice as much as one from the dim past,
/// and half-way between at half a year. Age is counted from the newest entry.
macro_rules! worth {
    ($river_at:literal) => {
        concat!(
            "f.score * (1.0 + 180.0 / (180.0 + CASE WHEN ",
            $river_at,
            " < f.newest THEN f.newest - ",
            $river_at,
            " ELSE 0 END / 86400000.0))"
        )
    };
}

/// What each match may be worth at most and at least, by its span.
const BOUNDS: &str = concat!(
    "), b AS MATERIALIZED (SELECT f.id, f.score, f.newest, ",
    worth!("s.newest_at"),
    " AS most, ",
    worth!("s.oldest_at"),
    " AS least FROM f CROSS JOIN entry_spans s WHERE s.span = f.id / 256),
    sure AS MATERIALIZED (SELECT (SELECT b.least FROM b ORDER BY b.least DESC LIMIT 1 OFFSET "
);
/// So only those are read that may be worth as much as the last of so many.
const BY_AGE: &str = concat!(
    ") AS worth)
    SELECT e.id, ",
    worth!("e.river_at"),
    " >= sure.worth AS is_sure
    FROM sure CROSS JOIN b f CROSS JOIN entries e
    WHERE e.id = f.id AND e.shown = TRUE AND (sure.worth IS NULL OR f.most >= sure.worth)
    ORDER BY ",
    worth!("e.river_at"),
    " DESC, e.river_at DESC, e.id DESC LIMIT "
);

/// The numbers of the entries that suit `search` best, the best first.
pub(super) async fn best(
    store: &Store,
    search: &Search,
    limit: u32,
    offset: u32,
) -> Result<Vec<i64>, StoreError> {
    let mut looked_at = enough(limit + offset);
    loop {
        let ranked = ranked(search, store.readers(), (limit, offset), looked_at);
        let rows = ranked.fetch_all(store.readers()).await?;
        let found = rows.iter().map(|row| {
            let mut fields = Fields::of("entries_fts", row);
            Ok((fields.take()?, fields.take()?))
        });
        let found = found.collect::<Result<Vec<(i64, Option<bool>)>, StoreError>>()?;
        let is_whole = match found.last() {
            _ if looked_at >= AGED => true,
            // There were no more to look at.
            Some((_, None)) => true,
            Some((_, Some(is_sure))) => *is_sure && found.len() == limit as usize,
            None => false,
        };
        if is_whole {
            return Ok(found.into_iter().map(|(id, _)| id).collect());
        }
        looked_at = AGED;
    }
}

/// The best of those that match, and whether none of the others comes before them where only those were looked at that
/// may be among the best `looked_at` (null where all were).
pub(super) fn ranked<'t>(
    search: &'t Search,
    readers: &Pool,
    (limit, offset): (u32, u32),
    looked_at: i64,
) -> Sql<'t> {
    let narrowed = search.since.is_some() || search.until.is_some() || !search.filters.is_empty();
    let entries = if narrowed { " CROSS JOIN entries e" } else { "" };
    let mut sql = Sql::new(
        "WITH f AS MATERIALIZED (SELECT r.id, r.score,
            (SELECT MAX(n.river_at) FROM entries n WHERE n.shown = TRUE) AS newest FROM (",
    );
    let (id, latest, words, most) = match readers {
        Pool::Sqlite(_) => {
            sql.push(BEST_SQLITE)
                .push(entries)
                .push(" WHERE entries_fts MATCH ")
                .push_bind(for_fts5(search));
            ("t.rowid", "t.rowid", "", RANKED_SQLITE)
        }
        Pool::Postgres(_) => {
            sql.push(BEST_POSTGRES).push(entries).push(" CROSS JOIN (SELECT ");
            push_tsquery(&mut sql, search);
            sql.push(" AS query) q WHERE t.words @@ q.query");
            // PostgreSQL knows of a single word whether it pays to walk the entries from the last one on until so many
            // have it. Of all else it knows too little, and the sum keeps it from that.
            let latest = if narrowed || !is_one_word(search) {
                "t.entry_id + 0"
            } else {
                "t.entry_id"
            };
            let words = " CROSS JOIN entries_fts w WHERE w.entry_id = c.id";
            ("t.entry_id", latest, words, RANKED_POSTGRES)
        }
    };
    if narrowed {
        sql.push(format_args!(" AND e.id = {id} AND e.shown = TRUE"));
        push_narrowing(&mut sql, search);
    }
    sql.push(format_args!(" ORDER BY {latest} DESC LIMIT "))
        .push_bind(most);
    sql.push(format_args!(") c{words}) r ORDER BY r.score DESC LIMIT "))
        .push_bind(AGED);
    sql.push(BOUNDS).push_bind(looked_at);
    sql.push(BY_AGE).push_bind(limit);
    sql.push(" OFFSET ").push_bind(offset);
    sql.planned_anew()
}

fn is_one_word(search: &Search) -> bool {
    let [word] = search.wanted.as_slice() else {
        return false;
    };
    search.unwanted.is_empty() && word.chars().all(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::query::EntryQuery;
    use crate::testing::{self, Sample, feed, minutes, record, record_at};

    /// How many entries stand outside the span that is kept for them.
    async fn outside(store: &Store) -> i64 {
        const OUTSIDE: &str = "SELECT COUNT(*) FROM entries e LEFT JOIN entry_spans s ON s.span = e.id / 256
            WHERE s.span IS NULL OR e.river_at < s.oldest_at OR e.river_at > s.newest_at";
        Sql::new(OUTSIDE)
            .fetch_value("entry_spans", store.readers())
            .await
            .unwrap()
    }

    fn days_ago(days: i64) -> DateTime<Utc> {
        minutes(-60 * 24 * days)
    }

    async fn found(store: &Store, text: &str, limit: u32, offset: u32) -> Vec<String> {
        let hits = store.search(&testing::search(text), limit, offset).await.unwrap();
        hits.into_iter().map(|hit| hit.entry.key).collect()
    }

    #[tokio::test]
    async fn pages_are_those_that_reading_every_match_gives() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        // Two of three have the word, more or less of it, at all ages; some are not shown.
        let entries = (0..700_i64).map(|number| {
            let mixed = number * 7919 % 1009;
            let text = match mixed % 3 {
                0 => "nothing of it".to_owned(),
                often => format!(
                    "{}{}",
                    "bins ".repeat(often as usize),
                    "and more ".repeat((mixed % 40) as usize)
                ),
            };
            let sample = Sample::new(&format!("entry{number}"))
                .words("Title", &text)
                .at(days_ago(number / 2 + mixed % 100));
            if mixed % 5 == 0 { sample.hidden() } else { sample }.entry()
        });
        record(&store, &ada, entries.collect()).await;
        assert_eq!(outside(&store).await, 0);
        let all = found(&store, "bins", 1000, 0).await;
        assert!(all.len() > 300, "{}", all.len());
        for (limit, offset) in [
            (1, 0),
            (5, 0),
            (5, 5),
            (26, 25),
            (50, 100),
            (26, all.len() as u32 - 9),
        ] {
            let page: Vec<String> = all
                .iter()
                .skip(offset as usize)
                .take(limit as usize)
                .cloned()
                .collect();
            assert_eq!(
                found(&store, "bins", limit, offset).await,
                page,
                "{limit} from {offset}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_not_shown_takes_nobodys_place() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let named = |kind: &str, number: i64| Sample::new(&format!("{kind}{number}"));
        let of_bins = |kind, number, days| {
            named(kind, number)
                .words("Title", "All about bins.")
                .at(days_ago(days))
        };
        let shown = (0..9).map(|number| of_bins("shown", number, 900 + number).entry());
        // Enough to fill a span of 256 with nothing else.
        let others = (0..300).map(|number| named("other", number).at(days_ago(950)).entry());
        let hidden = (0..600).map(|number| of_bins("hidden", number, number / 9).hidden().entry());
        record(&store, &ada, hidden.chain(others).chain(shown).collect()).await;
        let keys = |numbers: std::ops::Range<i64>| -> Vec<String> {
            numbers.map(|number| named("shown", number).entry().key).collect()
        };
        assert_eq!(found(&store, "bins", 2, 0).await, keys(0..2));
        assert_eq!(found(&store, "bins", 4, 6).await, keys(6..9));
        let newest = EntryQuery {
            search: Some(testing::search("bins")),
            ..EntryQuery::newest(2)
        };
        let page = store.entries(&newest).await.unwrap();
        let page: Vec<String> = page.entries.into_iter().map(|entry| entry.key).collect();
        assert_eq!(page, keys(0..2));
    }

    #[tokio::test]
    async fn an_entry_that_gets_its_place_later_is_found_there() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(&store, &ada, vec![Sample::new("first").at(days_ago(9)).entry()]).await;
        let late = Sample::new("late").at(days_ago(8));
        record_at(
            &store,
            &ada,
            days_ago(-1),
            vec![late.clone().hidden().entry()],
            Vec::new(),
        )
        .await;
        let id = testing::id_of(&store, &ada, "late").await;
        record_at(
            &store,
            &ada,
            days_ago(-3),
            Vec::new(),
            vec![late.clone().changed(id, true)],
        )
        .await;
        assert_eq!(testing::found(&store, &late).await.released, days_ago(-3));
        assert_eq!(outside(&store).await, 0);
    }
}
