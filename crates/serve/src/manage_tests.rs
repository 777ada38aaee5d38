//! Tests of a member's own page, through the router, with blogs on loopback.

use axum::http::StatusCode;
use store::{Decision, TERMINAL};

use crate::register_tests::{Blog, is_private, join};
use crate::testing::{Answer, Client, NOW, at, feed_named};

fn by_hand() -> Decision<'static> {
    Decision {
        by: TERMINAL,
        why: None,
        at: at(NOW),
    }
}

/// The word that the page asks for.
fn word(page: &Answer) -> String {
    let at = page.text().find("voice-").expect("a word to prove with");
    page.text()[at..at + 26].to_owned()
}

/// A member who joined, was taken on and proved the blog; the path of their page.
async fn owner(client: &Client, blog: &Blog) -> String {
    let path = join(client, blog).await;
    client
        .store
        .approve_feed("ann-example", &by_hand())
        .await
        .unwrap();
    let page = client.get(&path).await;
    let word = word(&page);
    blog.says(&format!("<meta name='localgov-digital-voice' content='{word}'>"));
    let proved = client.post(&path, &[("do", "prove")]).await;
    assert!(
        proved.text().contains("Your blog is proved to be yours"),
        "{}",
        proved.text()
    );
    path
}

#[tokio::test]
async fn before_the_proof_a_link_reads_and_corrects_what_waits() {
    let client = Client::new().await;
    let blog = Blog::start().await;
    let path = join(&client, &blog).await;
    let page = client.get(&path).await;
    is_private(&page);
    for words in [
        "It waits for a moderator",
        "Prove that the blog is yours",
        "<meta name",
        "rel=\"me\"",
    ] {
        assert!(page.text().contains(words), "{words}\n{}", page.text());
    }
    let names = [("do", "name"), ("name", "Ann E. Example"), ("kind", "team")];
    let terms = [
        ("do", "change"),
        ("feed", "ann-example"),
        ("content", "full"),
        ("include", "tagged"),
    ];
    for fields in [&names[..], &terms[..]] {
        let changed = client.post(&path, fields).await;
        assert_eq!(changed.status, StatusCode::OK, "{fields:?}");
        is_private(&changed);
        assert!(!changed.headers.contains_key("location"));
    }
    let membership = client.store.membership("ann-example").await.unwrap().unwrap();
    assert_eq!(membership.member.name, "Ann E. Example");
    assert_eq!(membership.feeds[0].feed.include, model::IncludeChoice::Tagged);
    for fields in [
        [("do", "leave"), ("sure", "yes")],
        [("do", "pause"), ("feed", "ann-example")],
        [("do", "move"), ("feed", "ann-example")],
        [("do", "add"), ("further", "https://example.org/")],
    ] {
        let refused = client.post(&path, &fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{fields:?}");
        is_private(&refused);
    }
    // Once it is taken on, it only reads.
    client
        .store
        .approve_feed("ann-example", &by_hand())
        .await
        .unwrap();
    assert_eq!(client.post(&path, &names).await.status, StatusCode::FORBIDDEN);
    assert_eq!(client.get(&path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_proof_ends_all_older_links() {
    let client = Client::new().await;
    let blog = Blog::start().await;
    let first = join(&client, &blog).await;
    client
        .store
        .approve_feed("ann-example", &by_hand())
        .await
        .unwrap();
    client.clock.set(at(NOW) + chrono::TimeDelta::minutes(1));
    let claim = client
        .post("/register", &[("step", "claim"), ("blog", &blog.url)])
        .await;
    let from = claim.text().find("/manage/").unwrap();
    let second = claim.text()[from..from + 72].to_owned();
    // Who asked for a link sees nothing that is not public, above all no address.
    let page = client.get(&second).await;
    assert!(!page.text().contains("ann@example.org"));
    assert!(!page.text().contains("Your posts here"));
    // The word of the other link proves nothing for this one, nor does a bare link to the member's page.
    let other = client.get(&first).await;
    blog.says(&format!(
        "<meta name='localgov-digital-voice' content='{}'><link rel=me href='https://voice.example.org/members/ann-example'>",
        word(&other)
    ));
    let refused = client.post(&second, &[("do", "prove")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    blog.says(&format!(
        "<a rel='me' href='https://voice.example.org/members/ann-example#{}'>Voice</a>",
        word(&page)
    ));
    let proved = client.post(&second, &[("do", "prove")]).await;
    assert!(proved.text().contains("Your blog is proved"), "{}", proved.text());
    assert_eq!(client.get(&first).await.status, StatusCode::NOT_FOUND);
    assert_eq!(client.get(&second).await.status, StatusCode::OK);
    let membership = client.store.membership("ann-example").await.unwrap().unwrap();
    assert!(membership.verified.is_some());
}

#[tokio::test]
async fn links_are_not_guessed() {
    let client = Client::new().await;
    let mut answers = Vec::new();
    for number in 0..40 {
        let path = format!("/manage/{number:064x}");
        answers.push(client.get(&path).await);
    }
    for answer in &answers {
        is_private(answer);
    }
    let refused = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS)
        .count();
    assert_eq!(refused, 30);
    assert_eq!(
        client.get("/manage/short").await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[tokio::test]
async fn what_was_mended_stands_on_the_page_until_the_feed_is_in_order() {
    let client = Client::new().await;
    let blog = Blog::with(|path, site| match path {
        "/" => (
            "text/html",
            "<html><head><link rel=alternate type=application/rss+xml href='/feed'></head></html>".to_owned(),
        ),
        "/feed" => (
            "application/rss+xml",
            format!(
                "<rss version='2.0'><channel><title>Ann writes</title><link>{site}</link><item><title>Bread & butter</title>\
                 <link>{site}one</link></item><item><title>Cut o"
            ),
        ),
        _ => ("text/plain", String::new()),
    })
    .await;
    let path = owner(&client, &blog).await;
    let before = client.get(&path).await;
    assert!(
        !before.text().contains("What we mended in it"),
        "{}",
        before.text()
    );
    client
        .post(&path, &[("do", "look"), ("feed", "ann-example")])
        .await;
    let page = client.get(&path).await;
    for words in [
        "What we mended in it",
        "The feed breaks off before its end",
        "An “&#38;” stands by itself",
        "Write &#38;amp; for every “&#38;”",
        "The post has no date",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let data = client.get(&format!("{path}/data.json")).await;
    assert!(data.text().contains("The post has no date"), "{}", data.text());
}

#[tokio::test]
async fn two_feeds_have_forms_with_ids_of_their_own() {
    let (client, blog, other) = (Client::new().await, Blog::start().await, Blog::start().await);
    let path = owner(&client, &blog).await;
    let further = [("do", "add"), ("further", other.url.as_str()), ("sure", "yes")];
    let added = client.post(&path, &further).await;
    assert!(added.text().contains("waits for a moderator"), "{}", added.text());
    let feeds = client
        .store
        .membership("ann-example")
        .await
        .unwrap()
        .unwrap()
        .feeds;
    let second = feeds[1].feed.slug.clone();
    let wrong = client
        .post(
            &path,
            &[("do", "move"), ("feed", &second), ("address", "two words")],
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let ids: Vec<&str> = (wrong.text().split(" id=\"").skip(1))
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
    for id in [
        "name",
        "content",
        "content-2",
        "include-2-tagged",
        "address",
        "address-2",
    ] {
        assert!(ids.contains(&id), "{id}: {ids:?}");
    }
    assert!(
        wrong.text().contains("<a href=\"#address-2\">"),
        "{}",
        wrong.text()
    );
}

#[tokio::test]
async fn an_owner_looks_hides_and_leaves() {
    let client = Client::new().await;
    let blog = Blog::start().await;
    let path = owner(&client, &blog).await;
    let looked = client
        .post(&path, &[("do", "look"), ("feed", "ann-example")])
        .await;
    assert!(looked.text().contains("found one new post."), "{}", looked.text());
    assert!(
        looked.text().contains("There was nothing to mend"),
        "{}",
        looked.text()
    );
    let again = client
        .post(&path, &[("do", "look"), ("feed", "ann-example")])
        .await;
    assert!(
        again.text().contains("We can look again from"),
        "{}",
        again.text()
    );
    let posts = client.store.own_posts("ann-example", 10, 0).await.unwrap();
    let key = posts[0].key.clone();
    let post = format!("{path}/posts/{key}");
    let page = client.get(&post).await;
    assert!(page.text().contains("Readers see it since"), "{}", page.text());
    is_private(&page);
    assert_eq!(
        client.get(&format!("{path}/posts/00000001")).await.status,
        StatusCode::NOT_FOUND
    );
    let disputed = client
        .post(
            &post,
            &[("do", "dispute"), ("topic", "skills"), ("reason", "It teaches.")],
        )
        .await;
    assert!(disputed.text().contains("A moderator will look at it"));
    let unsure = client.post(&post, &[("do", "hide")]).await;
    assert_eq!(unsure.status, StatusCode::UNPROCESSABLE_ENTITY);
    let receipt = client.post(&post, &[("do", "hide"), ("sure", "yes")]).await;
    assert!(receipt.text().contains("Your receipt"), "{}", receipt.text());
    is_private(&receipt);
    assert_eq!(
        client.get(&format!("/entries/{key}")).await.status,
        StatusCode::GONE
    );
    assert!(client.get(&path).await.text().contains("You took it back"));
    let data = client.get(&format!("{path}/data.json")).await;
    is_private(&data);
    assert_eq!(data.json()["member"]["name"], "Ann Example");
    assert_eq!(data.json()["email"], "ann@example.org");
    assert_eq!(data.json()["posts"].as_array().unwrap().len(), 1);
    // Pausing, and going on.
    client
        .post(&path, &[("do", "pause"), ("feed", "ann-example")])
        .await;
    assert!(client.get(&path).await.text().contains("You paused it"));
    client
        .post(&path, &[("do", "resume"), ("feed", "ann-example")])
        .await;
    assert!(!client.get(&path).await.text().contains("You paused it"));
    let asked = client.post(&path, &[("do", "leave")]).await;
    assert!(asked.text().contains("This cannot be undone"));
    let receipt = client
        .post(&path, &[("do", "leave"), ("asked", "yes"), ("sure", "yes")])
        .await;
    assert!(receipt.text().contains("You have left"), "{}", receipt.text());
    is_private(&receipt);
    assert_eq!(client.get(&path).await.status, StatusCode::NOT_FOUND);
    let away = client.post("/register", &[("blog", &blog.url)]).await;
    assert!(away.text().contains("stays away"), "{}", away.text());
    assert_eq!(
        client.get("/members/ann-example").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn an_address_changes_when_it_is_looked_at_and_confirmed() {
    let client = Client::new().await;
    let blog = Blog::start().await;
    let path = owner(&client, &blog).await;
    client
        .post(&path, &[("do", "look"), ("feed", "ann-example")])
        .await;
    let key = client.store.own_posts("ann-example", 10, 0).await.unwrap()[0]
        .key
        .clone();
    let to = format!("{}new/feed", blog.url);
    let shown = client
        .post(
            &path,
            &[("do", "move"), ("feed", "ann-example"), ("address", &to)],
        )
        .await;
    assert!(
        shown.text().contains("Read this address from now on"),
        "{}",
        shown.text()
    );
    let moved = client
        .post(
            &path,
            &[
                ("do", "move"),
                ("feed", "ann-example"),
                ("address", &to),
                ("sure", "yes"),
            ],
        )
        .await;
    assert!(moved.text().contains("From now on we read"), "{}", moved.text());
    let feed = feed_named(&client.store, "ann-example").await;
    assert_eq!(feed.url.as_str(), to);
    assert_eq!(
        client.store.own_posts("ann-example", 10, 0).await.unwrap()[0].key,
        key
    );
    // The old address is known still, and so is everybody else's.
    let known = client
        .post("/register", &[("blog", &format!("{}feed", blog.url))])
        .await;
    assert!(known.text().contains("We know this blog already"));
    let others = client
        .post(
            &path,
            &[
                ("do", "move"),
                ("feed", "ann-example"),
                ("address", "http://10.0.0.1/"),
            ],
        )
        .await;
    assert_eq!(others.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(others.text().contains("href=\"#address\""));
}

#[tokio::test]
async fn a_further_feed_waits_for_a_moderator() {
    let client = Client::new().await;
    let (blog, twin) = (Blog::start().await, Blog::start().await);
    let path = owner(&client, &blog).await;
    let shown = client.post(&path, &[("do", "add"), ("further", &twin.url)]).await;
    assert!(shown.text().contains("Add this feed"), "{}", shown.text());
    let further = format!("{}feed", twin.url);
    let added = client
        .post(&path, &[("do", "add"), ("further", &further), ("sure", "yes")])
        .await;
    assert!(added.text().contains("waits for a moderator"), "{}", added.text());
    let membership = client.store.membership("ann-example").await.unwrap().unwrap();
    assert_eq!(membership.feeds.len(), 2);
}

#[tokio::test]
async fn links_in_mails_open_a_button() {
    let client = Client::new().await;
    let blog = Blog::start().await;
    let path = join(&client, &blog).await;
    let now = at(NOW);
    let mail = client.store.claim_mail(now, now).await.unwrap().unwrap();
    assert_eq!(mail.address, "ann@example.org");
    let confirm = format!("/confirm/{}", mail.code.unwrap());
    assert!(
        client
            .get(&confirm)
            .await
            .text()
            .contains("Yes, this address is mine")
    );
    assert!(client.get(&path).await.text().contains("not confirmed yet"));
    assert!(client.post(&confirm, &[]).await.text().contains("is confirmed"));
    assert!(!client.get(&path).await.text().contains("not confirmed yet"));
    let unsubscribe = format!("/unsubscribe/{}", mail.unsubscribe);
    assert!(client.get(&unsubscribe).await.text().contains("Send me no more"));
    assert!(client.get(&path).await.text().contains("ann@example.org"));
    // As a mail program presses it.
    let pressed = client
        .post(&unsubscribe, &[("List-Unsubscribe", "One-Click")])
        .await;
    assert_eq!(pressed.status, StatusCode::OK);
    assert!(!client.get(&path).await.text().contains("ann@example.org"));
    let again = client
        .send(
            "POST",
            &unsubscribe,
            &[("content-type", "multipart/form-data; boundary=x")],
        )
        .await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(client.post(&confirm, &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn troubles_are_a_feed_and_a_badge_is_a_picture() {
    let client = Client::new().await;
    let feed = client.store.feeds().await.unwrap()[0].clone();
    let now = at(NOW);
    let broke = store::HealthChange::Broke(now, "it says <500> & no more".to_owned());
    client
        .store
        .note_health(&[(feed.id, broke.clone()), (feed.id, broke)], now)
        .await
        .unwrap();
    let path = format!("/members/{}/health.atom", feed.member.slug);
    let atom = client.get(&path).await;
    assert_eq!(atom.header("content-type"), "application/atom+xml; charset=utf-8");
    assert_eq!(atom.text().matches("<entry>").count(), 1);
    assert!(
        atom.text().contains("&#60;500&#62; &#38; no more"),
        "{}",
        atom.text()
    );
    client
        .store
        .note_health(&[(feed.id, store::HealthChange::Well)], now)
        .await
        .unwrap();
    client
        .store
        .note_health(&[(feed.id, store::HealthChange::Well)], now)
        .await
        .unwrap();
    assert_eq!(client.get(&path).await.text().matches("<entry>").count(), 2);
    assert_eq!(
        client.store.notices(&feed.member.slug, 10).await.unwrap().len(),
        2
    );
    let badge = client
        .get(&format!("/members/{}/badge.svg", feed.member.slug))
        .await;
    assert_eq!(badge.header("content-type"), "image/svg+xml");
    assert!(badge.text().contains("Read in Example Voice"));
    assert_eq!(
        client.get("/members/nobody/badge.svg").await.status,
        StatusCode::NOT_FOUND
    );
}
