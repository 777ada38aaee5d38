//! Topics and hashtags as pages tell of them.

use store::{Disputed, EntryQuery};

use crate::testing::{Client, NOW, at, filled_store};

#[tokio::test]
async fn a_topics_page_tells_who_writes_about_it_and_when() {
    let client = Client::new().await;
    let first = client.get("/topics/democracy").await;
    let page = first.text();
    for part in [
        "<p>Its projects:</p>",
        "<a href=\"/topics/notices\">Notices</a>: About Notices.",
        "<h2>Who writes about it</h2>",
        "<svg viewBox=\"0 0 600 100\"",
        "<caption>Posts about Democracy by month</caption>",
        "<th scope=\"row\">November 2026</th>",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert_eq!(
        page.matches("<rect ").count(),
        page.matches("<th scope=\"row\">").count()
    );
    let (_, older) = page.split_once("<link rel=\"next\" href=\"").unwrap();
    let second = client.get(older.split('"').next().unwrap()).await;
    assert!(
        !second.text().contains("<svg viewBox=\"0 0 600"),
        "{}",
        second.text()
    );
    assert!(client.get("/topics/skills").await.text().contains("No posts yet"));
}

#[tokio::test]
async fn the_networks_own_hashtags_are_marked() {
    let client = Client::new().await;
    assert!(
        client
            .get("/topics")
            .await
            .text()
            .contains("#localgovdigital <span>the network’s own</span>")
    );
    assert!(
        client
            .get("/hashtags/localgovdigital")
            .await
            .text()
            .contains("The network’s own hashtag")
    );
    assert!(
        !client
            .get("/hashtags/ukgc15")
            .await
            .text()
            .contains("The network’s own hashtag")
    );
}

#[tokio::test]
async fn an_entrys_page_says_that_its_author_disagrees() {
    let store = filled_store().await;
    let entry = store
        .entries(&EntryQuery::newest(1))
        .await
        .unwrap()
        .entries
        .remove(0);
    for (topic, should_hold) in [("democracy", false), ("skills", true)] {
        let noted = store
            .dispute_topic(&entry.member.slug, &entry.key, topic, should_hold, "", at(NOW))
            .await
            .unwrap();
        assert_eq!(noted, Disputed::Noted);
    }
    let client = Client::of(store);
    let page = client.get(&format!("/entries/{}", entry.key)).await;
    assert!(
        page.text()
            .contains("; its author disagrees, and a moderator will look"),
        "{}",
        page.text()
    );
    assert!(
        page.text()
            .contains("Its author says that it is about Skills, too"),
        "{}",
        page.text()
    );
}
