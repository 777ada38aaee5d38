//! What is withdrawn is gone, and stays away.

use std::path::Path;

use model::AlsoIn;
use sqlx::Connection as _;

use super::*;
use crate::query::{Change, EntryLookup, EntryQuery};
use crate::sql::Sql;
use crate::testing::{
    self, Sample, by_hand, feed, found, merge, minutes, now, record, record_at, reread, spec,
};

/// A word that stands in every part of an entry.
const MARKER: &str = "quixotryword";

fn marked(name: &str) -> Sample {
    Sample::new(name)
        .topic(MARKER)
        .hashtag(MARKER)
        .words(
            &format!("Title {MARKER} {name}"),
            &format!("{name} {MARKER} text. ").repeat(400),
        )
        .draft(|draft| {
            draft.author = Some(MARKER.to_owned());
            draft.summary = MARKER.to_owned();
            draft.categories = vec![MARKER.to_owned()];
            draft.content_html = model::SafeHtml::vouched(
                format!("<p><a href=\"https://example.com/{MARKER}\">{MARKER}</a></p>").repeat(300),
            );
            draft.link = Some(format!("https://ada.example.org/{MARKER}/{name}"));
            draft.link_key = Some(format!("ada.example.org/{MARKER}/{name}"));
            draft.image = Some(model::Image {
                url: format!("https://ada.example.org/{MARKER}.png"),
                alt: Some(MARKER.to_owned()),
            });
        })
}

/// How often the word stands in the files of a SQLite database, its log of writes included.
fn in_files(url: &str) -> usize {
    let path = url.trim_start_matches("sqlite://");
    let mut count = 0;
    for file in [path.to_owned(), format!("{path}-wal"), format!("{path}-shm")] {
        let bytes = std::fs::read(Path::new(&file)).unwrap_or_default();
        count += bytes
            .windows(MARKER.len())
            .filter(|window| window.eq_ignore_ascii_case(MARKER.as_bytes()))
            .count();
    }
    count
}

#[tokio::test]
async fn nothing_of_the_text_stays_in_the_files() {
    let store = testing::sqlite().await;
    let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
    let others: Vec<_> = (0..40)
        .map(|number| {
            Sample::new(&format!("other{number}"))
                .words("Other", &"words ".repeat(900))
                .entry()
        })
        .collect();
    record(&store, &ada, others).await;
    record_at(&store, &ada, minutes(1), vec![marked("one").entry()], Vec::new()).await;
    // An edit leaves the old words behind, too.
    let id = testing::id_of(&store, &ada, "one").await;
    let edited = marked("one").words(&format!("{MARKER} edited"), &format!("short {MARKER}"));
    record_at(
        &store,
        &ada,
        minutes(2),
        Vec::new(),
        vec![edited.changed(id, true)],
    )
    .await;
    let more: Vec<_> = (0..40)
        .map(|number| {
            Sample::new(&format!("more{number}"))
                .words("More", &"more ".repeat(900))
                .entry()
        })
        .collect();
    record_at(&store, &ada, minutes(3), more, Vec::new()).await;
    let report = crate::NewReport {
        key: Sample::new("one").new.key,
        reason: format!("It says {MARKER}."),
        email: None,
    };
    assert!(store.report("R-1", &report, now()).await.unwrap());
    assert!(
        in_files(&store.url) > 0,
        "the word is looked for in the wrong place"
    );
    assert_eq!(
        store.search(&testing::search(MARKER), 5, 0).await.unwrap().len(),
        1
    );

    let receipt = testing::withdraw(&store, "one").await;
    assert!(receipt.scrubbed);
    assert_eq!(receipt.entries, [Sample::new("one").new.key]);
    assert_eq!(receipt.places.len(), 5);
    assert_eq!(in_files(&store.url), 0);
    assert_eq!(store.report_of("R-1").await.unwrap().unwrap().reason, "");
    assert!(
        store
            .search(&testing::search(MARKER), 5, 0)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(store.topic_counts().await.unwrap().is_empty());
}

/// Every text of an entry that is withdrawn is empty, but for those that say which it was. A new column with words
/// in it must be erased in `ERASE`.
#[tokio::test]
async fn every_column_with_words_is_empty() {
    const STAY: [&str; 5] = ["key", "uri", "source_id", "withdrawn_by", "withdrawn_why"];
    let store = testing::store().await;
    let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
    record(&store, &ada, vec![marked("one").entry()]).await;
    testing::withdraw(&store, "one").await;
    let mut reading = store.begin().await.unwrap();
    let tables = crate::catalogue::tables(&mut reading).await.unwrap();
    let entries = tables.iter().find(|table| table.name == "entries").unwrap();
    for column in &entries.columns {
        if column.class != crate::catalogue::Class::Text {
            continue;
        }
        let sql = Sql::new(format!("SELECT COALESCE({}, '') FROM entries", column.name));
        let value: String = sql.fetch_value("entries", &mut reading).await.unwrap();
        if STAY.contains(&column.name.as_str()) {
            assert!(!value.contains(MARKER), "{}: {value}", column.name);
        } else {
            assert!(["", "[]"].contains(&value.as_str()), "{}: {value}", column.name);
        }
    }
}

#[tokio::test]
async fn what_was_withdrawn_is_told_and_stays_away() {
    let store = testing::store().await;
    let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
    record(
        &store,
        &ada,
        vec![marked("one").entry(), Sample::new("two").entry()],
    )
    .await;
    let before = store.revision().await.unwrap().number;
    testing::withdraw(&store, "one").await;
    assert_eq!(store.revision().await.unwrap().number, before + 1);
    let key = Sample::new("one").new.key;
    assert_eq!(
        store.entry(&key).await.unwrap(),
        EntryLookup::Withdrawn { at: minutes(30) }
    );
    let changes = store.changes(minutes(10), None, 10).await.unwrap().changes;
    assert!(matches!(&changes[..], [Change::Withdrawn(told)] if told.key == key));
    assert_eq!(reread(&store, &ada).await.entries, 1);
    // By its identity, or by its link under another, in this feed or elsewhere.
    let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
    let reguided = marked("one").draft(|draft| draft.source_id = "another".to_owned());
    for (at, feed, sample) in [
        (40, &ada, marked("one")),
        (41, &ada, reguided),
        (42, &ben, marked("one")),
    ] {
        let counts = record_at(&store, feed, minutes(at), vec![sample.entry()], Vec::new()).await;
        assert_eq!(counts.new, 0, "{at}");
    }
    let offered = [marked("one"), marked("new")].map(Sample::entry).to_vec();
    for (feed, left) in [(&ada, 1), (&ben, 1)] {
        let news = store
            .without_the_withdrawn(feed.id, offered.clone())
            .await
            .unwrap();
        assert_eq!(news.len(), left);
        assert_eq!(news[0].draft.source_id, "new");
    }
    // Twice is once.
    let again = testing::withdraw(&store, "one").await;
    assert_eq!((again.entries.len(), again.places.len()), (0, 0));
}

#[tokio::test]
async fn copies_go_along_and_others_words_take_the_place() {
    let store = testing::store().await;
    let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
    let team = feed(&store, "https://team.example.org/feed", "Team").await;
    let links = feed(&store, "https://links.example.org/feed", "Links").await;
    let keyed = |mut sample: Sample, key: &str| {
        sample.new.key = key.to_owned();
        sample.entry()
    };
    record(&store, &ada, vec![marked("one").entry()]).await;
    record_at(
        &store,
        &team,
        minutes(1),
        vec![keyed(marked("one"), "copyxxxx")],
        Vec::new(),
    )
    .await;
    let own_words = marked("one")
        .words("What Ada wrote", "Read this.")
        .topic("reading");
    record_at(
        &store,
        &links,
        minutes(2),
        vec![keyed(own_words, "aboutxxx")],
        Vec::new(),
    )
    .await;
    let place = found(&store, &marked("one")).await.released;

    let receipt = testing::withdraw(&store, "one").await;
    assert_eq!(
        receipt.entries,
        [Sample::new("one").new.key, "copyxxxx".to_owned()]
    );
    let river = store.entries(&EntryQuery::newest(5)).await.unwrap().entries;
    assert_eq!(river.len(), 1);
    assert_eq!(
        (river[0].key.as_str(), river[0].released, river[0].also_in.len()),
        ("aboutxxx", place, 0)
    );
    let by_topic = EntryQuery {
        topic: Some("reading".to_owned()),
        ..EntryQuery::newest(5)
    };
    assert_eq!(store.entries(&by_topic).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn a_feed_takes_back_what_it_passed_on_and_not_the_story() {
    let store = testing::store().await;
    let team = feed(&store, "https://team.example.org/feed", "Team").await;
    let ada = feed(&store, "https://other.example.org/feed", "Ada").await;
    record(&store, &team, vec![marked("one").entry()]).await;
    let mut adas = marked("one");
    adas.new.key = "adasxxxx".to_owned();
    record_at(&store, &ada, minutes(1), vec![adas.clone().entry()], Vec::new()).await;
    let also = AlsoIn {
        member: ada.member.clone(),
        url: adas.new.draft.link.clone(),
    };
    assert_eq!(found(&store, &marked("one")).await.also_in, [also]);
    testing::withdraw(&store, "one").await;
    assert_eq!(found(&store, &adas).await.member.slug, "ada");
    // Ada's own feed may bring it again; the one that passed it on may not.
    assert_eq!(
        record_at(
            &store,
            &team,
            minutes(50),
            vec![marked("one").entry()],
            Vec::new()
        )
        .await
        .new,
        0
    );
}

#[tokio::test]
async fn a_moderator_hides_it_wherever_it_stands() {
    let store = testing::store().await;
    let team = feed(&store, "https://team.example.org/feed", "Team").await;
    let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
    record(&store, &team, vec![marked("one").entry()]).await;
    let mut adas = marked("one");
    adas.new.key = "adasxxxx".to_owned();
    record_at(&store, &ada, minutes(1), vec![adas.entry()], Vec::new()).await;
    let receipt = store
        .withdraw_entries(&["adasxxxx"], Cause::Moderator, &by_hand(minutes(5)))
        .await
        .unwrap();
    assert_eq!(receipt.entries.len(), 2);
    assert!(
        store
            .entries(&EntryQuery::newest(5))
            .await
            .unwrap()
            .entries
            .is_empty()
    );
    let audit = store.audit(None, 1).await.unwrap().remove(0);
    assert_eq!(
        (
            audit.by.as_str(),
            audit.action.as_str(),
            audit.target.as_str(),
            audit.why.as_deref()
        ),
        ("mo", "withdraw entry", "adasxxxx", Some("because"))
    );
}

#[tokio::test]
async fn a_member_leaves_nothing_behind_and_does_not_come_back() {
    let store = testing::sqlite().await;
    let specs = [
        spec(
            &format!("https://{MARKER}.example.org/feed"),
            &format!("Ada {MARKER}"),
        ),
        spec("https://ben.example.org/feed", "Ben"),
    ];
    merge(&store, &specs).await;
    let ada = store.feeds().await.unwrap().remove(0);
    record(&store, &ada, vec![marked("one").entry(), marked("two").entry()]).await;
    store
        .set_email(&ada.slug, &format!("{MARKER}@example.org"), now())
        .await
        .unwrap();
    store.new_link(&ada.slug, &by_hand(now())).await.unwrap();
    store.pause_feed(&ada.slug, &by_hand(now())).await.unwrap();

    let receipt = store
        .withdraw_member(&ada.slug, Cause::Left, &by_hand(minutes(5)))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (receipt.entries.len(), receipt.feeds, receipt.member),
        (2, 1, true)
    );
    assert!(receipt.scrubbed);
    assert_eq!(in_files(&store.url), 0);
    assert_eq!(store.feeds().await.unwrap().len(), 1);
    assert_eq!(store.members().await.unwrap().len(), 1);
    assert_eq!(store.memberships().await.unwrap().len(), 1);
    assert_eq!(store.member(&ada.slug).await.unwrap(), None);

    // The file still names it: nothing is added, and the log can say so.
    let report = merge(&store, &specs).await;
    assert_eq!((report.added.len(), report.withheld.len()), (0, 1));
    assert_eq!(merge(&store, &specs).await, report);
    assert_eq!(store.feeds().await.unwrap().len(), 1);
    assert_eq!(
        store
            .withdraw_member(&ada.slug, Cause::Left, &by_hand(minutes(6)))
            .await
            .unwrap(),
        None
    );
    // Until somebody means it.
    store.let_back(&specs[0].url).await.unwrap();
    assert_eq!(merge(&store, &specs).await.added.len(), 1);
}

#[tokio::test]
async fn readers_who_hold_on_are_waited_for() {
    let store = testing::sqlite().await;
    let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
    record(&store, &ada, vec![marked("one").entry()]).await;
    let mut busy = crate::db::snapshot(&store.url).await.unwrap();
    Sql::new("SELECT COUNT(*) FROM entries")
        .fetch_one(&mut busy)
        .await
        .unwrap();
    let receipt = testing::withdraw(&store, "one").await;
    assert!(!receipt.scrubbed && receipt.places.len() == 4);
    assert!(in_files(&store.url) > 0);
    drop(busy);
    assert!(store.scrub().await.unwrap());
    assert_eq!(in_files(&store.url), 0);
}

/// How often the word stands in the files of the tables of a PostgreSQL database, their indexes and what is kept beside
/// them.
async fn in_tables(url: &str) -> i64 {
    const COUNT: &str = "WITH ours AS (
            SELECT c.oid, c.reltoastrelid FROM pg_class c
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
        ), files AS (
            SELECT oid FROM ours UNION SELECT reltoastrelid FROM ours WHERE reltoastrelid <> 0
            UNION SELECT indexrelid FROM pg_index WHERE indrelid IN (SELECT oid FROM ours)
        )
        SELECT COUNT(*) FROM files
        WHERE position($1::bytea IN pg_read_binary_file(pg_relation_filepath(oid))) > 0";
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::query("CHECKPOINT").execute(&mut connection).await.unwrap();
    sqlx::query_scalar(COUNT)
        .bind(MARKER.as_bytes())
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
#[ignore = "run by scripts/test beside a PostgreSQL server"]
async fn nothing_of_the_text_stays_in_the_tables_once_nobody_reads_in_them() {
    let store = testing::new_postgres().await.open().await;
    let ada = feed(
        &store,
        &format!("https://{MARKER}.example.org/feed"),
        &format!("Ada {MARKER}"),
    )
    .await;
    record(&store, &ada, vec![marked("one").entry(), marked("two").entry()]).await;
    assert!(
        in_tables(&store.url).await > 3,
        "the word is looked for in the wrong place"
    );
    let mut busy = crate::db::snapshot(&store.url).await.unwrap();
    Sql::new("SELECT COUNT(*) FROM entries")
        .fetch_one(&mut busy)
        .await
        .unwrap();
    let receipt = store
        .withdraw_member(&ada.slug, Cause::Left, &by_hand(minutes(5)))
        .await
        .unwrap()
        .unwrap();
    assert!(!receipt.scrubbed && receipt.places.len() == 4);
    assert!(in_tables(&store.url).await > 0);
    drop(busy);
    assert!(store.scrub().await.unwrap());
    assert_eq!(in_tables(&store.url).await, 0);
}
