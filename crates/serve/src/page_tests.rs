//! The pages as a reader gets them: what runs, what is loaded, titles, headings, and the walk through the river.

use axum::http::StatusCode;
use chrono::TimeDelta;
use model::Enclosure;

use crate::fixed::style_path;
use crate::testing::{Client, NOW, at, draft, record};
use crate::tests::{ROUTES, is_page};

#[tokio::test]
async fn the_river_is_walked_both_ways_without_gaps() {
    let client = Client::new().await;
    let first = client.get("/").await;
    let newest = headings(first.text());
    let older = link(first.text(), "next").unwrap();
    assert!(link(first.text(), "prev").is_none());
    let second = client.get(&older).await;
    let rest = headings(second.text());
    assert_eq!(newest.len() + rest.len(), 31);
    assert!(link(second.text(), "next").is_none());
    let back = client.get(&link(second.text(), "prev").unwrap()).await;
    assert_eq!(headings(back.text()), newest);
    for path in ["/topics/democracy", "/members/one-example", "/hashtags/ukgovcamp"] {
        let page = client.get(path).await;
        let older = link(page.text(), "next").unwrap();
        assert!(older.starts_with(path), "{older}");
        assert!(!headings(client.get(&older).await.text()).is_empty(), "{path}");
    }
}

#[tokio::test]
async fn an_episode_names_its_file() {
    let client = Client::new().await;
    let mut episode = draft(90);
    episode.enclosures = vec![Enclosure {
        url: "https://one.example/files/90.mp3?from=feed".to_owned(),
        media_type: Some("audio/mpeg".to_owned()),
        size_bytes: Some(24_986_239),
    }];
    record(&client.store, "one-example", at(NOW), vec![(episode, at(NOW))]).await;
    let page = client.get("/entries/00000f90").await;
    assert!(page.text().contains(
        "<a class=\"said\" href=\"https://one.example/files/90.mp3?from=feed\">90.mp3</a> (audio/mpeg, 25.0 MB)"
    ));
    // What no browser should open is named nowhere.
    let hostile = client.get("/entries/000000fh").await;
    assert!(!hostile.text().contains("Attached"));
}

/// The headings of the posts on a page.
fn headings(page: &str) -> Vec<String> {
    page.split("<h3")
        .skip(1)
        .map(|rest| rest.split("</h3>").next().unwrap().to_owned())
        .collect()
}

/// The address of `<link rel=…>` in the head.
fn link(page: &str, rel: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("<link rel=\"{rel}\" href=\""))?;
    Some(
        rest.split('"')
            .next()
            .unwrap()
            .replace("&#38;", "&")
            .replace("&amp;", "&"),
    )
}

#[tokio::test]
async fn pages_run_nothing_and_load_nothing() {
    let client = Client::new().await;
    for path in ROUTES.iter().filter_map(is_page) {
        let answer = client.get(path).await;
        let page = answer.text();
        let lower = page.to_lowercase();
        for bad in [
            "<script",
            "\"javascript:",
            "<i>cat",
            "<b onclick",
            "<iframe",
            " style=",
            "<style",
        ] {
            assert!(!lower.contains(bad), "{path}: {bad}");
        }
        assert!(!tags(page).iter().any(|tag| tag.contains(" on")), "{path}");
        for tag in tags(page) {
            if let Some(src) = attribute(&tag, "src") {
                assert!(src.starts_with("https://pictures.example/"), "{path}: {tag}");
                assert!(
                    tag.contains("loading=\"lazy\"") && tag.contains("referrerpolicy=\"no-referrer\""),
                    "{tag}"
                );
                assert!(attribute(&tag, "alt").is_some(), "{path}: {tag}");
            }
            let Some(href) = attribute(&tag, "href") else {
                continue;
            };
            let elsewhere =
                href.starts_with("https://one.example/") || href.starts_with("https://two.example/");
            // The statement names the rules and those who enforce them.
            let named = path == "/accessibility" && tag.starts_with("a ") && href.starts_with("https://");
            assert!(
                href.starts_with('/') || href.starts_with('#') || elsewhere || named,
                "{path}: {tag}"
            );
            assert!(!(tag.starts_with("link") && elsewhere), "{path}: {tag}");
        }
    }
}

#[tokio::test]
async fn posts_that_link_to_one_another_say_so_on_both_pages() {
    let client = Client::new().await;
    let mut answer = draft(78);
    answer.link = Some("https://two.example/78".to_owned());
    answer.link_key = Some("two.example/78".to_owned());
    answer.title = Some("An answer".to_owned());
    answer.content_html = model::SafeHtml::vouched(
        "<p><a href=\"https://www.one.example/posts/3/?utm_source=x\">so they say</a></p>".to_owned(),
    );
    record(&client.store, "two", at(NOW), vec![(answer, at(NOW))]).await;
    client.clock.set(at(NOW) + TimeDelta::minutes(1));
    let from = "Linked from <a href=\"/entries/00000f78\" dir=\"auto\">An answer</a> by ";
    let to = "Links to <a href=\"/entries/000000f3\" dir=\"auto\">Post number 3</a> by ";
    for (path, words) in [
        ("/entries/000000f3", vec![from]),
        ("/entries/00000f78", vec![to]),
        ("/", vec![from, to]),
        ("/members/one-example", vec![from]),
        ("/entries/000000f4", vec![]),
    ] {
        let page = client.get(path).await;
        for line in [from, to] {
            assert_eq!(
                page.text().contains(line),
                words.contains(&line),
                "{path}: {line}"
            );
        }
    }
}

#[tokio::test]
async fn the_first_view_of_the_river_is_light() {
    let client = Client::new().await;
    let posts = (100..125).map(|number| {
        let mut post = draft(number);
        post.title = Some("A title as long as most of them are, give or take a word".to_owned());
        post.author = Some("One of several authors".to_owned());
        post.summary = "An excerpt of sixty words. ".repeat(12);
        let topic = post.topics[0].clone();
        post.topics
            .extend(["notices", "skills"].map(|slug| model::TopicMatch {
                slug: slug.to_owned(),
                ..topic.clone()
            }));
        (post, at(NOW))
    });
    record(&client.store, "one-example", at(NOW), posts.collect()).await;
    client.clock.set(at(NOW) + TimeDelta::minutes(1));
    let mut bytes = 0;
    for path in ["/", style_path(), "/favicon.svg"] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        bytes += answer.body.len();
    }
    let page = client.get("/").await;
    assert_eq!(page.text().matches("One of several authors").count(), 25);
    assert!(bytes < 60 * 1024, "{bytes} bytes before compression");
}

#[tokio::test]
async fn titles_are_unique_and_name_the_site() {
    let client = Client::new().await;
    let older = link(client.get("/").await.text(), "next").unwrap();
    let mut titles = std::collections::BTreeMap::new();
    let pages = ROUTES.iter().filter_map(is_page).map(str::to_owned);
    // Views of one issue are one issue.
    for path in pages.filter(|path| !path.contains("W47?")).chain([
        older,
        "/nothing".to_owned(),
        "/?before=x".to_owned(),
    ]) {
        let page = client.get(&path).await;
        let title = page.text().split_once("<title>").unwrap().1;
        let title = title.split_once("</title>").unwrap().0.to_owned();
        assert!(title.ends_with("Example Voice"), "{path}: {title}");
        if let Some(other) = titles.insert(title.clone(), path.clone()) {
            panic!("{path} and {other} are both called {title}");
        }
    }
}

fn tags(page: &str) -> Vec<String> {
    page.split('<')
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap().to_owned())
        .collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(rest.split('"').next().unwrap().to_owned())
}

#[tokio::test]
async fn pages_have_one_h1_and_headings_in_order() {
    let client = Client::new().await;
    for path in ROUTES
        .iter()
        .filter_map(is_page)
        .chain(["/nothing", "/?before=0.0"])
    {
        let answer = client.get(path).await;
        let levels: Vec<u32> = tags(answer.text())
            .iter()
            .filter(|tag| tag.len() >= 2 && tag.starts_with('h') && tag.as_bytes()[1].is_ascii_digit())
            .map(|tag| u32::from(tag.as_bytes()[1] - b'0'))
            .collect();
        assert_eq!(
            levels.iter().filter(|&&level| level == 1).count(),
            1,
            "{path}: {levels:?}"
        );
        assert_eq!(levels[0], 1, "{path}: {levels:?}");
        assert!(
            levels.windows(2).all(|pair| pair[1] <= pair[0] + 1),
            "{path}: {levels:?}"
        );
        assert_eq!(answer.text().matches("<main").count(), 1, "{path}");
        assert!(answer.text().contains("<html lang=\"en-GB\">"), "{path}");
    }
}

#[tokio::test]
async fn a_page_beyond_the_last_of_a_search_leads_back_to_the_first() {
    let client = Client::new().await;
    let page = client.get("/search?q=councillors&page=9").await;
    assert!(
        page.text()
            .contains("end before this page. <a href=\"/search?q=councillors\">"),
        "{}",
        page.text()
    );
    assert!(!page.text().contains("No post was found") && !page.text().contains("page=8"));
    let nothing = client.get("/search?q=nothing-of-the-kind").await;
    assert!(nothing.text().contains("No post was found"), "{}", nothing.text());
}

#[tokio::test]
async fn a_search_says_what_it_looked_for_and_how_it_is_ordered() {
    let client = Client::new().await;
    let found_nothing = ["No post was found", "find more"];
    for (query, says, says_not) in [
        (
            "%22about+councillors%22",
            "<p>Posts found for <strong>&#34;about councillors&#34;</strong>, the best matches first.</p>",
            &["“"][..],
        ),
        (
            "topic:democracy",
            "<p>Posts found for <strong>topic:democracy</strong>, the latest first.</p>",
            &["best matches"],
        ),
        (
            "topic:democracy&page=9",
            "end before this page. <a href=\"/search?q=topic%3Ademocracy\">Go to the latest</a>",
            &["best matches"],
        ),
        ("-bins", "A search needs at least one word", &found_nothing),
        (
            "-topic:democracy&page=2",
            "A search needs at least one word",
            &found_nothing,
        ),
        (
            "topic:none",
            "No post was found for <strong>topic:none</strong>. Try",
            &["words find more"],
        ),
    ] {
        let page = client.get(&format!("/search?q={query}")).await;
        let main = page.text().split("<main").nth(1).unwrap();
        assert!(main.contains(says), "{query}: {main}");
        for words in says_not {
            assert!(!main.contains(words), "{query}: {words}: {main}");
        }
    }
}

#[tokio::test]
async fn addresses_of_feeds_break_behind_their_slashes() {
    let page = Client::new().await.get("/feeds").await;
    assert!(
        page.text()
            .contains(">https://<wbr>voice.example.org/<wbr>feed.atom</a>"),
        "{}",
        page.text()
    );
}

#[tokio::test]
async fn an_excerpt_gives_no_more_and_a_whole_post_is_marked() {
    let client = Client::new().await;
    for (path, _) in ROUTES {
        assert!(
            !client.get(path).await.text().contains("whole secret post 1"),
            "{path}"
        );
    }
    let found = client.get("/search?q=councillors").await;
    assert!(
        found
            .text()
            .contains("of post number 1 about <mark>councillors</mark>.</p>"),
        "{}",
        found.text()
    );
    let excerpt = client.get("/entries/000000f1").await;
    assert!(!excerpt.text().contains("noindex") && !excerpt.text().contains("rel=\"canonical\""));
    assert!(excerpt.text().contains("<q>councillors</q> in the text"));
    let now = at(NOW);
    record(&client.store, "two", now, vec![(draft(99), now)]).await;
    client.clock.set(now + TimeDelta::seconds(1));
    let whole = client.get("/entries/00000f99").await;
    assert!(
        whole
            .text()
            .contains("<h3>Post 99</h3><p>The whole secret post 99.</p>"),
        "{}",
        whole.text()
    );
    assert!(
        whole
            .text()
            .contains("<meta name=\"robots\" content=\"noindex\">")
    );
    assert!(
        whole
            .text()
            .contains("<link rel=\"canonical\" href=\"https://one.example/posts/99\">")
    );
    let hostile = client.get("/entries/000000fh").await;
    assert!(
        hostile
            .text()
            .contains("The author gave no description of this picture.")
    );
}

#[tokio::test]
async fn an_empty_voice_has_pages_too() {
    let client = Client::of(store::Store::open("sqlite::memory:").await.unwrap());
    for path in [
        "/",
        "/topics",
        "/members",
        "/feed.atom",
        "/entries.json",
        "/opml",
        "/digest",
        "/digest/2026-W48",
    ] {
        assert_eq!(client.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert!(client.get("/").await.text().contains("No posts yet."));
}

#[tokio::test]
async fn the_first_view_is_light() {
    let client = Client::new().await;
    let bytes = client.get("/").await.body.len();
    assert!(bytes < 60_000, "{bytes} bytes");
}

#[tokio::test]
async fn a_member_who_was_merged_is_found_under_the_old_name() {
    let client = Client::new().await;
    let decision = store::Decision {
        by: "mo",
        why: None,
        at: at(NOW),
    };
    client
        .store
        .merge_members("two", "one-example", &decision)
        .await
        .unwrap();
    for rest in [
        "",
        "?before=1",
        "/feed.atom",
        "/feed.rss",
        "/feed.json",
        "/archive/1.atom",
        "/health.atom",
        "/badge.svg",
    ] {
        let answer = client.get(&format!("/members/two{rest}")).await;
        assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT, "{rest}");
        assert_eq!(answer.header("location"), format!("/members/one-example{rest}"));
    }
    let answer = client.get("/members/three").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn readers_see_whose_blog_is_proved_theirs() {
    let client = Client::new().await;
    let words = "The blog is proved to be theirs.";
    assert!(!client.get("/members/one-example").await.text().contains(words));
    let secret = client
        .store
        .ask_for_link("one-example", at(NOW))
        .await
        .unwrap()
        .unwrap();
    client
        .store
        .prove(secret.reveal(), "a meta tag", at(NOW))
        .await
        .unwrap();
    assert!(client.get("/members/one-example").await.text().contains(words));
}
