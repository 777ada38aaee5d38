//! `/admin` as moderators, editors and those who are neither see it.

use axum::http::StatusCode;
use chrono::TimeDelta;
use model::{FeedSpec, FeedStatus};
use store::{EntryLookup, NewReport, Registration};

use crate::App;
use crate::testing::{Answer, Client, NOW, at, filled_store};

/// Every page and form, by method.
const ADDRESSES: [(&str, &str); 17] = [
    ("GET", "/admin/digest/2026-W48"),
    ("POST", "/admin/digest/2026-W48"),
    ("GET", "/admin/feeds"),
    ("GET", "/admin/feeds?state=pending"),
    ("GET", "/admin/members/one-example"),
    ("GET", "/admin/entries/000000f1"),
    ("GET", "/admin/entry?post=000000f1"),
    ("GET", "/admin/reports"),
    ("GET", "/admin/disputes"),
    ("GET", "/admin/left-out"),
    ("GET", "/admin/audit"),
    ("POST", "/admin/feeds/one-example"),
    ("POST", "/admin/members/one-example"),
    ("POST", "/admin/entries/000000f1"),
    ("POST", "/admin/reports/R-1"),
    ("POST", "/admin/disputes/000000f1"),
    ("POST", "/admin/feeds/two"),
];

async fn sign_in(client: &Client, body: &'static str) -> String {
    let answer = client.submit("/admin/sign-in", body, &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    assert_eq!(answer.header("location"), "/admin");
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.ends_with("; Path=/admin; Max-Age=28800; HttpOnly; SameSite=Strict; Secure"),
        "{cookie}"
    );
    cookie.split(';').next().unwrap().to_owned()
}

async fn moderator(client: &Client) -> String {
    sign_in(client, "token=moderators-token").await
}

async fn get(client: &Client, cookie: &str, path: &str) -> Answer {
    client.send("GET", path, &[("cookie", cookie)]).await
}

/// Sends a form, and gives the page that it leads to.
async fn decide(client: &Client, cookie: &str, path: &str, body: &'static str) -> Answer {
    let answer = client.submit(path, body, &[("cookie", cookie)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: {}", answer.text());
    get(client, cookie, answer.header("location")).await
}

async fn with_pending() -> Client {
    let client = Client::new().await;
    let registration = Registration {
        feed: FeedSpec::new("https://three.example/feed".parse().unwrap(), "Three <b>Example</b>"),
        preview: Some(
            r#"{"title":"Three","feed":"https://three.example/feed","site":null,"all":9,"tagged":4,"more_problems":0,
                "posts":[{"heading":"<i>First</i>","url":"javascript:alert(1)","published":null,"summary":"Words.",
                "hashtags":[],"topics":[{"name":"Democracy","why":["councillors"]}]}],
                "problems":[{"severity":"warning","place":"line 3","message":"It has no dates.","fix":"Give it dates."}]}"#
                .to_owned(),
        ),
        consented_at: Some(at(NOW)),
    };
    let zone = chrono_tz::Europe::London;
    client.store.register(&registration, at(NOW), zone).await.unwrap();
    client
}

#[tokio::test]
async fn a_name_that_looks_like_another_is_shown_to_moderators() {
    let client = with_pending().await;
    let cookie = moderator(&client).await;
    let page = get(&client, &cookie, "/admin/members/three-b-example-b").await;
    assert!(!page.text().contains("Looks like the name of"), "{}", page.text());
    // Its letters are Latin, but for the first.
    let alike = FeedSpec::new(
        "https://xn--80ak6aa92e.example/feed".parse().unwrap(),
        "\u{39F}ne Example",
    );
    let registration = Registration {
        feed: alike,
        preview: None,
        consented_at: None,
    };
    let zone = chrono_tz::Europe::London;
    client.store.register(&registration, at(NOW), zone).await.unwrap();
    let members = client.store.memberships().await.unwrap();
    let slug = |name: &str| {
        members
            .iter()
            .find(|one| one.member.name == name)
            .unwrap()
            .member
            .slug
            .clone()
    };
    let page = get(
        &client,
        &cookie,
        &format!("/admin/members/{}", slug("\u{39F}ne Example")),
    )
    .await;
    let told = "<dt>Looks like the name of</dt><dd><a href=\"/admin/members/one-example\">One Example</a>";
    assert!(page.text().contains(told), "{}", page.text());
    assert!(
        page.text()
            .contains("https://<wbr>xn--80ak6aa92e.example/<wbr>feed"),
        "{}",
        page.text()
    );
}

#[tokio::test]
async fn without_tokens_there_is_no_such_place() {
    let store = filled_store().await;
    let app = Client::of(store).app;
    let client = Client::with(App {
        admins: Vec::new(),
        ..app
    });
    for path in ["/admin", "/admin/feeds", "/admin/audit"] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let answer = client.submit("/admin/sign-in", "token=", &[]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nobody_sees_anything_before_signing_in() {
    let client = Client::new().await;
    for cookie in ["", "voice-admin=guessed", "voice-admin="] {
        for (method, path) in ADDRESSES {
            let answer = if method == "GET" {
                get(&client, cookie, path).await
            } else {
                client
                    .submit(path, "do=withdraw&sure=yes", &[("cookie", cookie)])
                    .await
            };
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
            assert!(answer.text().contains("Your token"), "{path}");
            assert!(!answer.text().contains("One Example"), "{path}");
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
            assert_eq!(answer.header("x-robots-tag"), "noindex", "{path}");
            assert!(
                answer
                    .header("content-security-policy")
                    .contains("frame-ancestors 'none'"),
                "{path}"
            );
        }
    }
    assert_eq!(client.store.feeds().await.unwrap().len(), 2);
}

#[tokio::test]
async fn every_page_is_for_one_person_and_stands() {
    let client = with_pending().await;
    let cookie = moderator(&client).await;
    let gzip = [("cookie", cookie.as_str()), ("accept-encoding", "gzip, br, zstd")];
    for (_, path) in ADDRESSES
        .iter()
        .filter(|(method, path)| *method == "GET" && !path.contains("post="))
    {
        let answer = client.send("GET", path, &gzip).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("content-encoding"), "", "{path}");
        assert_eq!(answer.header("etag"), "", "{path}");
        assert!(answer.text().contains("Signed in as mo"), "{path}");
        assert!(!answer.text().contains("<script"), "{path}");
    }
    let found = get(
        &client,
        &cookie,
        "/admin/entry?post=https%3A%2F%2Fwww.one.example%2Fposts%2F3%2F%3Futm_source%3Dx",
    )
    .await;
    assert_eq!(found.header("location"), "/admin/entries/000000f3");
    let found = get(
        &client,
        &cookie,
        "/admin/entry?post=https%3A%2F%2Fvoice.example.org%2Fentries%2F000000f3",
    )
    .await;
    assert_eq!(found.header("location"), "/admin/entries/000000f3");
}

#[tokio::test]
async fn a_session_ends_with_its_time_its_token_or_by_signing_out() {
    let client = Client::new().await;
    let cookie = moderator(&client).await;
    let status = async || get(&client, &cookie, "/admin").await.status;
    assert_eq!(status().await, StatusCode::OK);
    client.clock.set(at(NOW) + TimeDelta::hours(8));
    assert_eq!(status().await, StatusCode::FORBIDDEN);

    let cookie = moderator(&client).await;
    let out = client.submit("/admin/sign-out", "", &[("cookie", &cookie)]).await;
    assert!(
        out.header("set-cookie")
            .starts_with("voice-admin=; Path=/admin; Max-Age=0;")
    );
    // The cookie itself, replayed by whoever kept it.
    assert_eq!(
        get(&client, &cookie, "/admin").await.status,
        StatusCode::FORBIDDEN
    );

    let cookie = moderator(&client).await;
    let replaced = Client::with(App {
        admins: crate::Admin::list("mo:moderator:another-token").unwrap(),
        ..client.app.clone()
    });
    assert_eq!(
        get(&replaced, &cookie, "/admin").await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn guesses_are_slowed_down_and_not_sent_back() {
    let client = Client::new().await;
    for _ in 0..10 {
        let answer = client
            .submit("/admin/sign-in", "token=moderators-toke", &[])
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text().contains("nobody’s token"));
        assert!(!answer.text().contains("moderators-toke"));
    }
    // The right one would not be answered either.
    let answer = client
        .submit("/admin/sign-in", "token=moderators-token", &[])
        .await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!answer.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn editors_see_no_personal_data() {
    let client = with_pending().await;
    let cookie = sign_in(&client, "token=editors-token").await;
    let front = get(&client, &cookie, "/admin").await;
    assert_eq!(front.status, StatusCode::OK);
    assert!(!front.text().contains("Reports"));
    for week in ["2026-W47", "2026-W48"] {
        assert!(
            front.text().contains(&format!("\"/admin/digest/{week}\"")),
            "{week}"
        );
    }
    let for_moderators = ADDRESSES
        .iter()
        .filter(|(_, path)| !path.starts_with("/admin/digest"));
    for &(method, path) in for_moderators {
        let answer = if method == "GET" {
            get(&client, &cookie, path).await
        } else {
            client
                .submit(path, "do=withdraw&sure=yes", &[("cookie", &cookie)])
                .await
        };
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
        assert!(answer.text().contains("This is for moderators"), "{path}");
    }
    assert_eq!(client.store.feeds().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let client = Client::new().await;
    let cookie = moderator(&client).await;
    for forged in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let headers = [("cookie", cookie.as_str()), ("host", "voice.example.org"), forged];
        let answer = client
            .submit("/admin/feeds/one-example", "do=withdraw&sure=yes", &headers)
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{forged:?}");
        assert!(answer.text().contains("another site"), "{forged:?}");
    }
    // And a GET changes nothing, ever.
    let answer = get(&client, &cookie, "/admin/feeds/one-example?do=withdraw&sure=yes").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(client.store.feeds().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_blog_is_looked_at_and_taken_on_or_not() {
    let client = with_pending().await;
    let cookie = moderator(&client).await;
    let list = get(&client, &cookie, "/admin/feeds?state=pending").await;
    assert!(
        list.text().contains("Three &#60;b&#62;Example&#60;/b&#62;"),
        "{}",
        list.text()
    );
    let slug = client.store.feeds().await.unwrap().pop().unwrap().slug;
    let (page, form) = (format!("/admin/members/{slug}"), format!("/admin/feeds/{slug}"));
    let preview = get(&client, &cookie, &page).await;
    for words in ["9 posts", "&#60;i&#62;First", "councillors", "It has no dates."] {
        assert!(preview.text().contains(words), "{words}: {}", preview.text());
    }
    assert!(!preview.text().contains("javascript:"));

    let mistaken = client
        .submit(&form, "do=reject&why=+", &[("cookie", &cookie)])
        .await;
    assert_eq!(mistaken.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(mistaken.text().contains("Enter the reason") && mistaken.text().contains("Error: "));
    let done = decide(&client, &cookie, &form, "do=reject&why=Only+adverts.").await;
    assert!(
        done.text().contains("Decided by mo: Only adverts."),
        "{}",
        done.text()
    );
    let done = decide(&client, &cookie, &form, "do=approve").await;
    assert!(
        done.text().contains("taken on and is being polled"),
        "{}",
        done.text()
    );
    let feed = client.store.feeds().await.unwrap().pop().unwrap();
    assert_eq!((feed.status, feed.next_poll_at), (FeedStatus::Active, at(NOW)));
    for (body, words) in [
        ("do=approve", "like that already"),
        ("do=pause", "Polling is paused"),
        ("do=resume", "polled again"),
        ("do=reject&why=x", "cannot be done"),
        ("do=remove", "let go"),
    ] {
        let done = decide(&client, &cookie, &form, body).await;
        assert!(done.text().contains(words), "{body}: {}", done.text());
    }
    let log = get(&client, &cookie, "/admin/audit").await;
    for action in [
        "register feed",
        "reject feed",
        "approve feed",
        "pause feed",
        "resume feed",
        "remove feed",
    ] {
        assert!(log.text().contains(action), "{action}");
    }
}

#[tokio::test]
async fn a_post_is_hidden_for_good_and_gets_topics_by_hand() {
    let client = Client::new().await;
    let cookie = moderator(&client).await;
    let path = "/admin/entries/000000f1";
    let done = decide(&client, &cookie, path, "do=topics&topic=notices&decision=has").await;
    assert!(done.text().contains("topics are as you said"), "{}", done.text());
    let EntryLookup::Found(entry) = client.store.entry("000000f1").await.unwrap() else {
        panic!("the entry is gone");
    };
    let topics: Vec<&str> = entry.topics.iter().map(|topic| topic.slug.as_str()).collect();
    assert_eq!(
        topics,
        ["democracy", "notices"],
        "a project holds with its workstream"
    );
    for (body, mistake) in [
        ("do=topics&topic=nothing&decision=has", "Choose a topic"),
        ("do=topics&topic=skills", "Choose what holds of it"),
        ("do=hide&why=", "Enter the reason"),
    ] {
        let answer = client.submit(path, body, &[("cookie", &cookie)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(answer.text().contains(mistake), "{body}: {}", answer.text());
    }
    let receipt = client
        .submit(path, "do=hide&why=It+names+somebody.", &[("cookie", &cookie)])
        .await;
    assert_eq!(receipt.status, StatusCode::OK);
    assert!(receipt.text().contains("One post is gone"), "{}", receipt.text());
    assert_eq!(client.get("/entries/000000f1").await.status, StatusCode::GONE);
    assert_eq!(get(&client, &cookie, path).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn members_are_merged_erased_and_given_links() {
    let client = Client::new().await;
    let cookie = moderator(&client).await;
    let link = client
        .submit("/admin/members/two", "do=link", &[("cookie", &cookie)])
        .await;
    assert!(
        link.text().contains("https://voice.example.org/manage/"),
        "{}",
        link.text()
    );
    let done = decide(
        &client,
        &cookie,
        "/admin/members/two",
        "do=merge&into=one-example",
    )
    .await;
    assert!(done.text().contains("are one now"), "{}", done.text());
    assert_eq!(client.store.members().await.unwrap().len(), 1);
    let unsure = client
        .submit(
            "/admin/members/one-example",
            "do=withdraw-all",
            &[("cookie", &cookie)],
        )
        .await;
    assert_eq!(unsure.status, StatusCode::UNPROCESSABLE_ENTITY);
    let gone = client
        .submit(
            "/admin/members/one-example",
            "do=withdraw-all&sure-all=yes",
            &[("cookie", &cookie)],
        )
        .await;
    assert!(
        gone.text()
            .contains("31 posts are gone, with 2 feeds and everything"),
        "{}",
        gone.text()
    );
    assert!(client.store.feeds().await.unwrap().is_empty());
}

#[tokio::test]
async fn reports_are_answered_and_their_posts_hidden() {
    let client = Client::new().await;
    let cookie = moderator(&client).await;
    for (reference, key) in [("R-1", "000000f1"), ("R-2", "000000f2")] {
        let report = NewReport {
            key: key.to_owned(),
            reason: "It names <b>a colleague</b>.".to_owned(),
            email: None,
        };
        assert!(client.store.report(reference, &report, at(NOW)).await.unwrap());
    }
    let queue = get(&client, &cookie, "/admin/reports").await;
    assert!(
        queue.text().contains("&#60;b&#62;a colleague"),
        "{}",
        queue.text()
    );
    let mistaken = client
        .submit("/admin/reports/R-1", "do=answer&answer=", &[("cookie", &cookie)])
        .await;
    assert_eq!(mistaken.status, StatusCode::UNPROCESSABLE_ENTITY);
    decide(
        &client,
        &cookie,
        "/admin/reports/R-1",
        "do=answer&answer=They+agreed.",
    )
    .await;
    assert_eq!(client.get("/entries/000000f1").await.status, StatusCode::OK);
    let done = decide(
        &client,
        &cookie,
        "/admin/reports/R-2",
        "do=hide&answer=You+are+right.",
    )
    .await;
    assert!(done.text().contains("The report is answered"), "{}", done.text());
    assert_eq!(client.get("/entries/000000f2").await.status, StatusCode::GONE);
    assert_eq!(client.store.open_reports().await.unwrap(), 0);
}

#[test]
fn tokens_are_read_and_never_told() {
    let admins = crate::Admin::list("ada:moderator:a:b, ben : editor : secret-of-ben").unwrap();
    assert_eq!(format!("{admins:?}"), "[ada (Moderator), ben (Editor)]");
    for (wrong, words) in [
        ("ada:moderator", "part 1"),
        ("ada:owner:secret", "\"ada\""),
        ("ada:moderator:", "empty"),
        (":moderator:secret", "part 1"),
        ("ada:editor:secret,ada:editor:secret2", "part 2"),
        ("terminal:moderator:secret", "part 1"),
        ("", "part 1"),
    ] {
        let error = crate::Admin::list(wrong).unwrap_err();
        assert!(
            error.contains(words) && !error.contains("secret"),
            "{wrong}: {error}"
        );
    }
}
