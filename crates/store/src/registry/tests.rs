//! What a registry states, and what becomes of it.

use chrono_tz::Europe::London;
use chrono_tz::Pacific::Auckland;
use model::Feed;

use super::*;
use crate::query::EntryQuery;
use crate::testing::{self, Sample, TestStore, merge, minutes, now, record, spec};

async fn slugs(store: &Store) -> Vec<String> {
    store
        .feeds()
        .await
        .unwrap()
        .into_iter()
        .map(|feed| feed.slug)
        .collect()
}

async fn only_feed(store: &Store) -> Feed {
    let mut feeds = store.feeds().await.unwrap();
    assert_eq!(feeds.len(), 1);
    feeds.remove(0)
}

fn ada() -> FeedSpec {
    spec("https://ada.example.org/feed", "Ada")
}

fn further(url: &str, member: &str) -> FeedSpec {
    FeedSpec {
        name: None,
        member: Some(member.to_owned()),
        ..spec(url, "")
    }
}

async fn with_status(status: FeedStatus) -> TestStore {
    let store = testing::store().await;
    merge(&store, &[ada()]).await;
    let feed = only_feed(&store).await;
    let mut poll = testing::poll(&feed, now());
    poll.state.status = status;
    store.record_polls(&[poll]).await.unwrap();
    store
}

#[tokio::test]
async fn a_new_feed_has_the_defaults() {
    let store = testing::store().await;
    let report = store
        .merge_registry(&[ada()], testing::at("2026-11-23T22:30:00Z"), Auckland)
        .await
        .unwrap();
    assert_eq!(
        report,
        MergeReport {
            added: vec!["ada".to_owned()],
            ..MergeReport::default()
        }
    );
    let feed = only_feed(&store).await;
    assert_eq!(
        (feed.content, feed.include, feed.status),
        (ContentChoice::Excerpt, IncludeChoice::All, FeedStatus::Active)
    );
    assert_eq!(feed.member.kind, MemberKind::Person);
    assert_eq!(
        feed.joined.to_string(),
        "2026-11-24",
        "the day in the site's zone"
    );
    assert_eq!(
        store
            .due_feeds(testing::due(testing::at("2026-11-23T22:30:00Z")))
            .await
            .unwrap(),
        [feed]
    );
}

#[tokio::test]
async fn merging_the_same_file_again_writes_nothing() {
    let store = testing::store().await;
    let specs: Vec<FeedSpec> = (0..50)
        .map(|number| spec(&format!("https://b{number}.example.org/feed"), "Same name"))
        .collect();
    merge(&store, &specs).await;
    let slugs = slugs(&store).await;
    assert_eq!(
        (slugs[0].as_str(), slugs[1].as_str(), slugs[49].as_str()),
        ("same-name", "same-name-2", "same-name-50")
    );
    let before = (store.feeds().await.unwrap(), store.revision().await.unwrap());
    // The lock is held elsewhere, so a merge that wanted to write would wait.
    let _lock = store.begin().await.unwrap();
    assert_eq!(merge(&store, &specs).await, MergeReport::default());
    assert_eq!(
        (store.feeds().await.unwrap(), store.revision().await.unwrap()),
        before
    );
}

#[tokio::test]
async fn what_is_written_wins_and_what_is_left_out_stays() {
    let store = testing::store().await;
    let full = FeedSpec {
        organisation: Some("Example Council".to_owned()),
        kind: Some(MemberKind::Team),
        site: Some("https://ada.example.org/".parse().unwrap()),
        content: Some(ContentChoice::Full),
        include: Some(IncludeChoice::Tagged),
        licence: Some("CC-BY-4.0".to_owned()),
        joined: Some("2015-02-01".parse().unwrap()),
        ..ada()
    };
    merge(&store, std::slice::from_ref(&full)).await;
    let before = only_feed(&store).await;
    assert_eq!(
        (before.content, before.include, before.member.kind),
        (ContentChoice::Full, IncludeChoice::Tagged, MemberKind::Team)
    );

    assert_eq!(merge(&store, &[ada()]).await, MergeReport::default());
    assert_eq!(only_feed(&store).await, before);

    let renamed = FeedSpec {
        name: Some("Ada B.".to_owned()),
        content: Some(ContentChoice::Excerpt),
        ..ada()
    };
    assert_eq!(merge(&store, &[renamed]).await.changed, ["ada"]);
    let after = only_feed(&store).await;
    assert_eq!(
        (after.slug.as_str(), after.member.name.as_str()),
        ("ada", "Ada B.")
    );
    assert_eq!(
        (after.content, after.licence.as_deref()),
        (ContentChoice::Excerpt, Some("CC-BY-4.0"))
    );
    assert_eq!(after.joined.to_string(), "2015-02-01");
}

#[tokio::test]
async fn a_choice_that_changes_reaches_what_is_stored() {
    let store = testing::store().await;
    merge(&store, &[ada()]).await;
    let feed = only_feed(&store).await;
    record(&store, &feed, vec![Sample::new("one").entry()]).await;
    let before = testing::found(&store, &Sample::new("one")).await;
    let whole = FeedSpec {
        content: Some(ContentChoice::Full),
        include: Some(IncludeChoice::Tagged),
        ..ada()
    };
    store.merge_registry(&[whole], minutes(5), London).await.unwrap();
    let after = testing::found(&store, &Sample::new("one")).await;
    assert_eq!(
        (before.content_html.is_some(), after.content_html.is_some()),
        (false, true)
    );
    assert_eq!(after.changed, minutes(5));
    // The next poll looks at every entry again.
    assert_eq!(store.known_entries(feed.id).await.unwrap()[0].fingerprint, "");
    assert_eq!(only_feed(&store).await.next_poll_at, minutes(5));
}

#[tokio::test]
async fn what_leaves_the_file_is_retired_and_comes_back_with_it() {
    let store = testing::store().await;
    let ben = spec("https://ben.example.org/feed", "Ben");
    merge(&store, &[ada(), ben.clone()]).await;
    let feed = store.feeds().await.unwrap().remove(0);
    record(&store, &feed, vec![Sample::new("one").entry()]).await;

    let report = merge(&store, std::slice::from_ref(&ben)).await;
    assert_eq!(
        report,
        MergeReport {
            retired: vec!["ada".to_owned()],
            ..MergeReport::default()
        }
    );
    assert_eq!(store.feeds().await.unwrap()[0].status, FeedStatus::Retired);
    assert_eq!(
        store.due_feeds(testing::due(minutes(9999))).await.unwrap().len(),
        1
    );
    assert_eq!(
        store.entries(&EntryQuery::newest(5)).await.unwrap().entries.len(),
        1
    );
    assert_eq!(
        merge(&store, std::slice::from_ref(&ben)).await,
        MergeReport::default()
    );

    let report = store
        .merge_registry(&[ada(), ben], minutes(9), London)
        .await
        .unwrap();
    assert_eq!(
        report,
        MergeReport {
            resumed: vec!["ada".to_owned()],
            ..MergeReport::default()
        }
    );
    let feed = store.feeds().await.unwrap().remove(0);
    assert_eq!((feed.status, feed.next_poll_at), (FeedStatus::Active, minutes(9)));
}

#[tokio::test]
async fn a_pause_and_a_feed_that_is_gone_win_over_the_file() {
    for status in [FeedStatus::Paused, FeedStatus::Gone] {
        let store = with_status(status).await;
        let kept = MergeReport {
            kept: vec!["ada".to_owned()],
            ..MergeReport::default()
        };
        assert_eq!(merge(&store, &[ada()]).await, kept);
        assert_eq!(merge(&store, &[]).await, MergeReport::default());
        assert_eq!(
            merge(&store, &[ada()]).await,
            kept,
            "also after it left and came back"
        );
        assert_eq!(only_feed(&store).await.status, status);
    }
    // Removed here while the file still names it.
    let store = with_status(FeedStatus::Retired).await;
    assert_eq!(merge(&store, &[ada()]).await.kept, ["ada"]);
}

#[tokio::test]
async fn addresses_are_compared_normalised() {
    let store = testing::store().await;
    merge(&store, &[spec("https://ada.example.org", "Ada")]).await;
    assert_eq!(
        merge(&store, &[spec("HTTPS://ADA.example.org:443/#x", "Ada")]).await,
        MergeReport::default()
    );
    let report = merge(&store, &[spec("http://ada.example.org/", "Ada")]).await;
    assert_eq!(
        (report.added, report.retired),
        (vec!["ada-2".to_owned()], vec!["ada".to_owned()])
    );
}

#[tokio::test]
async fn a_feed_with_a_stated_slug_may_move() {
    let store = testing::store().await;
    let with_slug = |url| FeedSpec {
        slug: Some("ada-b".to_owned()),
        ..spec(url, "Ada")
    };
    merge(&store, &[with_slug("https://ada.example.org/feed")]).await;
    let before = only_feed(&store).await;
    let mut poll = testing::poll(&before, now());
    poll.state.validators.etag = Some("\"old\"".to_owned());
    poll.state.status = FeedStatus::Gone;
    store.record_polls(&[poll]).await.unwrap();
    let report = store
        .merge_registry(&[with_slug("https://ada.example.net/feed")], minutes(9), London)
        .await
        .unwrap();
    assert_eq!(
        (report.changed, report.added, report.retired),
        (vec!["ada-b".to_owned()], vec![], vec![])
    );
    let after = only_feed(&store).await;
    assert_eq!(
        (after.id, after.url.as_str()),
        (before.id, "https://ada.example.net/feed")
    );
    assert_eq!(
        (after.status, after.validators.etag, after.next_poll_at),
        (FeedStatus::Active, None, minutes(9))
    );
}

#[tokio::test]
async fn slugs_are_stated_or_made_and_never_taken_twice() {
    let store = testing::store().await;
    let stated = |url, name, slug: &str| FeedSpec {
        slug: Some(slug.to_owned()),
        ..spec(url, name)
    };
    merge(
        &store,
        &[
            spec("https://1.example.org/", "Ada"),
            stated("https://2.example.org/", "Somebody", "ada"),
            spec("https://3.example.org/", "日本"),
            spec("https://4.example.org/", &"long ".repeat(30)),
            spec("https://5.example.org/", &"long ".repeat(30)),
        ],
    )
    .await;
    let long = "long-".repeat(12);
    assert_eq!(
        slugs(&store).await,
        [
            "ada-2",
            "ada",
            "blog",
            long.trim_end_matches('-'),
            &format!("{}-2", &long[..58])
        ]
    );

    // A slug written later wins; one that somebody has is refused.
    let report = merge(
        &store,
        &[
            stated("https://1.example.org/", "Ada", "first"),
            stated("https://2.example.org/", "Somebody", "blog"),
            spec("https://3.example.org/", "日本"),
        ],
    )
    .await;
    assert_eq!(
        (report.changed, report.kept),
        (vec!["first".to_owned()], vec!["ada".to_owned()])
    );
    assert_eq!(slugs(&store).await[..3], ["first", "ada", "blog"]);
    assert_eq!(store.member("first").await.unwrap().unwrap().feeds.len(), 1);
}

#[tokio::test]
async fn further_feeds_find_their_member_in_the_file_or_in_the_database() {
    let store = testing::store().await;
    let named = FeedSpec {
        slug: Some("ada-notes".to_owned()),
        ..further("https://notes.example.org/", "ada")
    };
    merge(
        &store,
        &[further("https://talks.example.org/", "ada"), ada(), named.clone()],
    )
    .await;
    assert_eq!(slugs(&store).await, ["ada", "ada-2", "ada-notes"]);
    assert_eq!(store.members().await.unwrap().len(), 1);
    store
        .import_feeds(&[further("https://more.example.org/", "ada")], now(), London)
        .await
        .unwrap();
    assert_eq!(slugs(&store).await[3], "ada-3");

    let error = store
        .merge_registry(&[ada(), further("https://x.example.org/", "adda")], now(), London)
        .await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("https://x.example.org/") && error.contains("\"adda\""),
        "{error}"
    );
    assert_eq!(slugs(&store).await.len(), 4);
}

#[tokio::test]
async fn a_feed_may_go_to_another_member_with_its_entries() {
    let store = testing::store().await;
    let ben = spec("https://ben.example.org/feed", "Ben");
    let notes = further("https://notes.example.org/", "ada");
    merge(&store, &[ada(), ben.clone(), notes.clone()]).await;
    let feed = store.feeds().await.unwrap().remove(2);
    record(&store, &feed, vec![Sample::new("one").entry()]).await;
    let entry_of = async || testing::found(&store, &Sample::new("one")).await;
    assert_eq!(entry_of().await.member.slug, "ada");

    let bens = FeedSpec {
        member: Some("ben".to_owned()),
        ..notes.clone()
    };
    store
        .merge_registry(&[ada(), ben.clone(), bens], minutes(5), London)
        .await
        .unwrap();
    assert_eq!(
        (entry_of().await.member.slug.as_str(), entry_of().await.changed),
        ("ben", minutes(5))
    );

    let own = FeedSpec {
        member: None,
        name: Some("Cleo".to_owned()),
        ..notes
    };
    store
        .merge_registry(&[ada(), ben, own], minutes(6), London)
        .await
        .unwrap();
    assert_eq!(
        (
            entry_of().await.member.slug.as_str(),
            entry_of().await.author.as_str()
        ),
        ("cleo", "Cleo")
    );
    assert_eq!(store.member("ben").await.unwrap().unwrap().member.name, "Ben");
}

#[tokio::test]
async fn an_import_adds_and_never_retires_or_restates() {
    let store = testing::store().await;
    merge(&store, &[ada()]).await;
    let ben = spec("https://ben.example.org/feed", "Ben");
    let report = store
        .import_feeds(&[ben.clone(), ben.clone()], now(), London)
        .await
        .unwrap();
    assert_eq!(
        report,
        MergeReport {
            added: vec!["ben".to_owned()],
            ..MergeReport::default()
        }
    );
    let renamed = FeedSpec {
        name: Some("Not Ada".to_owned()),
        ..ada()
    };
    assert_eq!(
        store.import_feeds(&[renamed], now(), London).await.unwrap(),
        MergeReport::default()
    );
    assert_eq!(store.feeds().await.unwrap()[0].member.name, "Ada");
    // The file does not retire what never stood in it, and an import takes up what the file let go.
    assert_eq!(merge(&store, &[]).await.retired, ["ada"]);
    assert_eq!(
        store.import_feeds(&[ada()], now(), London).await.unwrap().resumed,
        ["ada"]
    );
    assert_eq!(merge(&store, &[]).await, MergeReport::default());
    // What the file names belongs to the file from then on.
    merge(&store, &[ben]).await;
    assert_eq!(merge(&store, &[]).await.retired, ["ben"]);
}
