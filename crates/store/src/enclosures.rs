//! The files attached to entries: their addresses, types and lengths.
//!
//! They are read with their entries ([`files_column`]); this file writes them. It never asks for a file.

use model::Enclosure;

use crate::StoreError;
use crate::db::Transaction;
use crate::rows::{Fields, json};
use crate::sql::{Sql, statements};

/// Entries of one statement at most.
const ROWS: usize = 16;

const ADD: &str = "INSERT INTO entry_enclosures (entry_id, files) ";
const FORGET: &str = "DELETE FROM entry_enclosures WHERE entry_id = $1";
const OF_BOTH: &str = "SELECT entry_id, files FROM entry_enclosures WHERE entry_id IN ($1, $2)";

/// What is attached to the entry `e`, or nothing. [`read`] reads it.
macro_rules! files_column {
    () => {
        "(SELECT x.files FROM entry_enclosures x WHERE x.entry_id = e.id) AS files"
    };
}
pub(crate) use files_column;

/// Decodes [`files_column`].
pub(crate) fn read(fields: &mut Fields<'_>) -> Result<Vec<Enclosure>, StoreError> {
    let files = fields.read_optional(|text: &str| serde_json::from_str(text).ok())?;
    Ok(files.unwrap_or_default())
}

/// Adds what is attached to entries that have nothing yet.
pub(crate) async fn add(transaction: &mut Transaction, of: &[(i64, &[Enclosure])]) -> Result<(), StoreError> {
    let attached: Vec<_> = of.iter().filter(|(_, files)| !files.is_empty()).collect();
    for attached in statements(&attached, ROWS) {
        let mut sql = Sql::new(ADD);
        sql.push_values(attached, |row, (entry_id, files)| {
            row.push_bind(*entry_id).push_bind(json(*files));
        });
        sql.execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Gives an entry these files instead of those that it had.
pub(crate) async fn replace(
    transaction: &mut Transaction,
    entry_id: i64,
    files: &[Enclosure],
) -> Result<(), StoreError> {
    forget(transaction, entry_id).await?;
    add(transaction, &[(entry_id, files)]).await
}

/// Lets two entries exchange what is attached to them.
pub(crate) async fn exchange(transaction: &mut Transaction, one: i64, other: i64) -> Result<(), StoreError> {
    let rows = Sql::new(OF_BOTH)
        .bind(one)
        .bind(other)
        .fetch_all(&mut *transaction)
        .await?;
    let mut exchanged: Vec<(i64, Vec<Enclosure>)> = Vec::with_capacity(2);
    for row in &rows {
        let mut fields = Fields::of("entry_enclosures", row);
        let entry_id: i64 = fields.take()?;
        let to = if entry_id == one { other } else { one };
        exchanged.push((to, fields.json()?));
        forget(&mut *transaction, entry_id).await?;
    }
    let exchanged: Vec<_> = exchanged
        .iter()
        .map(|(to, files)| (*to, files.as_slice()))
        .collect();
    add(transaction, &exchanged).await
}

async fn forget(transaction: &mut Transaction, entry_id: i64) -> Result<(), StoreError> {
    Sql::new(FORGET).bind(entry_id).execute(transaction).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::Enclosure;

    use crate::Cause;
    use crate::query::EntryQuery;
    use crate::sql::Sql;
    use crate::testing::{self, Sample, feed, found, id_of, minutes, record, record_at};

    fn file(name: &str) -> Enclosure {
        Enclosure {
            url: format!("https://files.example.org/{name}"),
            media_type: Some("audio/mpeg".to_owned()),
            size_bytes: Some(1 << 40),
        }
    }

    fn with(sample: Sample, files: &[&str]) -> Sample {
        sample.draft(|draft| draft.enclosures = files.iter().map(|name| file(name)).collect())
    }

    #[tokio::test]
    async fn come_back_as_they_were_given_and_change_with_their_entry() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let one = with(Sample::new("one"), &["a.mp3", "b.mp3"]);
        record(
            &store,
            &ada,
            vec![Sample::new("two").entry(), one.clone().entry()],
        )
        .await;
        let entries = store.entries(&EntryQuery::newest(5)).await.unwrap().entries;
        let attached: Vec<_> = entries.iter().map(|entry| entry.enclosures.clone()).collect();
        assert_eq!(attached, [vec![], vec![file("a.mp3"), file("b.mp3")]]);

        // Who follows what changed hears of another file, and the post is not new for it.
        let id = id_of(&store, &ada, "one").await;
        let before = found(&store, &one).await;
        let again = with(one.clone(), &["c.mp3"]).changed(id, false);
        record_at(&store, &ada, minutes(9), Vec::new(), vec![again]).await;
        let after = found(&store, &one).await;
        assert_eq!(after.enclosures, [file("c.mp3")]);
        assert_eq!((after.updated, after.changed), (before.updated, minutes(9)));
        let none = with(one.clone(), &[]).changed(id, false);
        record_at(&store, &ada, minutes(10), Vec::new(), vec![none]).await;
        assert!(found(&store, &one).await.enclosures.is_empty());
    }

    #[tokio::test]
    async fn belong_to_whose_the_story_is_and_go_with_it() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        let told = |name: &str, files: &[&str]| {
            with(Sample::new(name), files).draft(|draft| {
                draft.link = Some("https://ada.example.org/story".to_owned());
                draft.link_key = Some("ada.example.org/story".to_owned());
            })
        };
        let copy = told("copy", &["copy.mp3"]);
        record(&store, &ben, vec![copy.clone().entry()]).await;
        assert_eq!(found(&store, &copy).await.enclosures, [file("copy.mp3")]);
        record(
            &store,
            &ada,
            vec![told("original", &["one.mp3", "two.mp3"]).entry()],
        )
        .await;
        let shown = found(&store, &copy).await;
        assert_eq!(shown.member.slug, "ada");
        assert_eq!(shown.enclosures, [file("one.mp3"), file("two.mp3")]);

        let held = async || {
            let rows = Sql::new("SELECT files FROM entry_enclosures ORDER BY entry_id")
                .fetch_all(store.readers())
                .await
                .unwrap();
            rows.len()
        };
        assert_eq!(held().await, 2);
        store
            .withdraw_entries(&[&shown.key], Cause::Moderator, &testing::by_mo(minutes(20)))
            .await
            .unwrap();
        assert_eq!(held().await, 1);
        store
            .withdraw_member("ben", Cause::Left, &testing::by_mo(minutes(21)))
            .await
            .unwrap();
        assert_eq!(held().await, 0);
    }
}
