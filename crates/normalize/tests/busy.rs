//! Feeds that are made to keep a reader busy: a megabyte or so of what takes a careless one hours. That this ends is the
//! test; each would take longer than anybody waits if the work grew with the square of the bytes.

use normalize::{Source, Tagger, read};

/// Reads a feed of one entry and makes it fit to be shown.
fn finished(body: &str) -> model::EntryDraft {
    let url = url::Url::parse("https://blog.example/feed").expect("an address");
    let source = Source {
        body: body.as_bytes(),
        content_type: None,
        url: Some(&url),
        timezone: chrono_tz::Europe::London,
    };
    let document = read(&source).expect("it is a feed");
    assert_eq!(document.entries.len(), 1);
    document.entries[0].finish(&Tagger::new(&[]))
}

fn rss(item: &str) -> String {
    format!("<rss version='2.0'><channel><item><guid>1</guid>{item}</item></channel></rss>")
}

fn body(markup: &str) -> String {
    rss(&format!("<description><![CDATA[{markup}]]></description>"))
}

/// `count` words, each another.
fn words(count: usize, between: &str) -> String {
    (0..count)
        .map(|n| format!("w{n}"))
        .collect::<Vec<_>>()
        .join(between)
}

#[test]
fn of_many_labels_and_names_the_first_are_kept() {
    let many = words(200_000, ",");
    let draft = finished(&rss(&format!("<media:keywords>{many}</media:keywords>")));
    assert_eq!(
        (draft.categories.len(), draft.categories[99].as_str()),
        (100, "w99")
    );
    let list = words(200_000, "\",\"");
    let draft = finished(&format!(
        "{{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[{{\"id\":\"1\",\"tags\":[\"{list}\"],\"authors\":[\"{list}\"]}}]}}"
    ));
    assert_eq!(draft.categories.len(), 100);
    assert_eq!(draft.author.map(|names| names.split(", ").count()), Some(20));
}

#[test]
fn markup_that_never_ends_is_read_once() {
    let draft = finished(&rss(&"<title><![CDATA[x".repeat(60_000)));
    assert!(draft.title.is_some());
    let draft = finished(&rss(&format!("<title {}</title>", "a=\"x>".repeat(60_000))));
    assert!(draft.title.is_some());
}

#[test]
fn posts_of_nothing_but_fallbacks_frames_or_pictures_are_read_once() {
    let fallbacks = (0..20_000)
        .map(|n| format!("<noscript><img src='https://b.example/{n}.png'></noscript>"))
        .collect::<Vec<_>>()
        .concat();
    let draft = finished(&body(&fallbacks));
    assert_eq!(draft.content_html.as_str().matches("<img").count(), 20_000);
    let frame = "<iframe src='https://www.youtube.com/embed/x'></iframe>";
    assert_eq!(
        finished(&body(&frame.repeat(20_000)))
            .content_html
            .as_str()
            .matches("<a ")
            .count(),
        1
    );
    let set = format!("<img srcset='{}'>", words(2_000, ".png 2x, "));
    assert_eq!(
        finished(&body(&set))
            .content_html
            .as_str()
            .matches("<img")
            .count(),
        1
    );
}

#[test]
fn of_a_post_with_more_tags_than_a_post_has_the_text_is_kept() {
    let draft = finished(&body(
        &"<a href='https://b.example/tags/t'>#t</a> ".repeat(60_000),
    ));
    assert_eq!(draft.content_html.as_str().matches('<').count(), 0);
    assert_eq!(draft.hashtags, ["t"]);
    assert_eq!(draft.text.matches("#t").count(), 60_000);
}
