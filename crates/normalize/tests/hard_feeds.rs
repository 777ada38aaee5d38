//! The hardest problems of feeds, each by its number, as far as reading and matching decide them. (13 and 14 are the
//! fetcher's and the hub's; of 6, 8 and 15 the rest is the poll's.)

use chrono::{DateTime, Utc};
use model::KnownEntry;
use normalize::{Document, Match, RawEntry, ReadError, Source, entry_key, match_entries, read};
use url::Url;

fn read_from(address: &str, body: &[u8], content_type: Option<&str>) -> Result<Document, ReadError> {
    let url = Url::parse(address).expect("an address");
    read(&Source {
        body,
        content_type,
        url: Some(&url),
        timezone: chrono_tz::Europe::London,
    })
}

fn document(items: &[String]) -> Document {
    let items = items.join("</item><item>");
    let xml = format!("<rss version='2.0'><channel><title>t</title><item>{items}</item></channel></rss>");
    read_from("https://blog.example/feed", xml.as_bytes(), None).expect("it is a feed")
}

fn entries(items: &[String]) -> Vec<RawEntry> {
    document(items).entries
}

fn known(entries: &[RawEntry]) -> Vec<KnownEntry> {
    (0..)
        .zip(entries)
        .map(|(id, entry)| KnownEntry {
            id,
            source_id: entry.source_id.clone(),
            link_key: entry.link_key.clone(),
            fingerprint: entry.fingerprint().to_owned(),
            substance: String::new(),
            withdrawn: false,
            published: chrono::DateTime::UNIX_EPOCH,
            dated: true,
            missing_since: None,
        })
        .collect()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn post(n: usize, guid: &str, link: &str) -> String {
    let words = format!("What we learned in week {n} about services, and about ourselves. ").repeat(3);
    format!("<guid>{guid}</guid><link>{link}</link><title>Week {n}</title><description>{words}</description>")
}

#[test]
fn problem_1_every_id_changes_at_once() {
    let before: Vec<String> = (0..50)
        .map(|n| post(n, &format!("old-{n}"), &format!("http://blog.example/{n}/")))
        .collect();
    let stored = known(&entries(&before));
    let moved = |link: fn(usize) -> String| -> Vec<RawEntry> {
        let items: Vec<String> = (0..50).map(|n| post(n, &format!("new-{n}"), &link(n))).collect();
        entries(&items)
    };
    let expected: Vec<Match> = (0..50).map(Match::Changed).collect();
    // New guids and https; and a new platform, with other permalinks at another address.
    assert_eq!(
        match_entries(&stored, &moved(|n| format!("https://www.blog.example/{n}"))),
        expected
    );
    assert_eq!(
        match_entries(&stored, &moved(|n| format!("https://new.example/posts/week-{n}"))),
        expected
    );
    // The new platform writes its own references and markup, or gives no more than the first words.
    let retold = |words: fn(usize) -> String| -> Vec<RawEntry> {
        let items: Vec<String> = (0..50)
            .map(|n| {
                format!(
                    "<guid>n-{n}</guid><link>https://new.example/{n}</link><title>Week {n}</title><description>{}</description>",
                    words(n)
                )
            })
            .collect();
        entries(&items)
    };
    let marked_up = retold(|n| {
        let words = format!(
            "&lt;i&gt;What&lt;/i&gt; we learned in week {n} about services&amp;#44; and about ourselves. "
        )
        .repeat(3);
        format!("&lt;p&gt;{words}&lt;/p&gt;")
    });
    assert_eq!(match_entries(&stored, &marked_up), expected);
    let cut_short = retold(|n| format!("What we learned in week {n}…"));
    assert_eq!(match_entries(&stored, &cut_short), expected);
    // A few new posts that are called as old ones were are new.
    let few: Vec<RawEntry> = cut_short.into_iter().take(4).collect();
    assert_eq!(match_entries(&stored, &few), [Match::New; 4]);
    // Twice the same words are nobody's.
    let twins = [
        post(1, "x", "https://c.example/x"),
        post(1, "y", "https://c.example/y"),
    ];
    assert_eq!(match_entries(&stored, &entries(&twins)), [Match::New, Match::New]);
}

#[test]
fn problem_2_one_guid_for_all() {
    let items: Vec<String> = (0..10)
        .map(|n| format!("<guid>same</guid><link>https://b.example/{n}</link><title>{n}</title>"))
        .collect();
    let found = document(&items);
    assert_eq!(found.entries.len(), 10);
    assert!(
        found
            .problems
            .iter()
            .any(|problem| problem.code == "duplicate-guid")
    );
    let stored = known(&found.entries);
    let same: Vec<Match> = (0..10).map(Match::Same).collect();
    for _ in 0..20 {
        assert_eq!(match_entries(&stored, &entries(&items)), same);
    }
}

#[test]
fn problem_3_no_guid_no_link_and_an_edited_title() {
    let item = |title: &str| {
        [format!(
            "<title>{title}</title><description>first</description><pubDate>Mon, 05 Oct 2026 09:00:00 GMT</pubDate>"
        )]
    };
    let stored = known(&entries(&item("One")));
    for _ in 0..5 {
        assert_eq!(match_entries(&stored, &entries(&item("One"))), [Match::Same(0)]);
    }
    assert_eq!(
        match_entries(&stored, &entries(&item("One, edited"))),
        [Match::Changed(0)]
    );
}

#[test]
fn problem_4_a_planet_names_where_a_post_comes_from() {
    let own = read_from(
        "https://a.example/feed",
        b"<rss version='2.0'><channel><link>https://a.example/</link><item><guid>1</guid><link>http://a.example/one/?utm_source=x</link></item></channel></rss>",
        None,
    )
    .unwrap();
    for source in [
        "<source url='https://a.example/feed'>A</source>",
        "<source xmlns='http://www.w3.org/2005/Atom'><link rel='self' href='https://a.example/feed'/><link href='https://a.example/'/></source>",
    ] {
        let planet = format!(
            "<rss version='2.0'><channel><item><guid>p-1</guid><link>https://www.a.example/one</link>{source}</item></channel></rss>"
        );
        let planet = read_from("https://planet.example/rss", planet.as_bytes(), None).unwrap();
        assert_eq!(planet.entries[0].link_key, own.entries[0].link_key, "one story");
        let draft = planet.entries[0].finish(&normalize::Tagger::new(&[]));
        assert!(draft.source_url.unwrap().starts_with("https://a.example/"));
    }
}

#[test]
fn problem_5_a_stolen_guid_is_another_entry() {
    let ours = entry_key("https://a.example/feed", "guid-1");
    assert_eq!(ours, entry_key("https://a.example/feed", "guid-1"));
    assert_ne!(ours, entry_key("https://b.example/feed", "guid-1"));
}

#[test]
fn problem_6_a_long_archive_is_read_whole() {
    let items: Vec<String> = (0..300)
        .map(|n| {
            format!(
                "<guid>{n}</guid><pubDate>Mon, 05 Oct {} 09:{:02}:00 GMT</pubDate>",
                2012 + n / 25,
                n % 60
            )
        })
        .collect();
    let found = entries(&items);
    assert_eq!(found.len(), 300);
    assert_eq!(found[299].published, Some(at("2023-10-05T09:59:00Z")));
}

#[test]
fn problem_7_a_date_that_moves_changes_nothing() {
    let item = |day: u32| {
        [format!(
            "<guid>1</guid><title>One</title><pubDate>{day} Oct 2026 09:00:00 GMT</pubDate>"
        )]
    };
    let stored = known(&entries(&item(5)));
    assert_eq!(match_entries(&stored, &entries(&item(6))), [Match::Same(0)]);
}

#[test]
fn problem_8_future_and_absurd_dates() {
    let found = document(&[
        "<guid>1</guid><pubDate>0001-01-01T00:00:00Z</pubDate>".to_owned(),
        "<guid>2</guid><pubDate>2027-01-01T00:00:00Z</pubDate>".to_owned(),
    ]);
    assert_eq!(found.entries[0].published, None);
    assert_eq!(
        found.entries[1].published,
        Some(at("2027-01-01T00:00:00Z")),
        "told as the feed says it"
    );
    let mut found = found;
    found.note_future_dates("2026-11-23T00:00:00Z".parse().unwrap());
    assert!(
        found
            .problems
            .iter()
            .any(|problem| problem.code == "date-in-future" && problem.place == "entry 2")
    );
    assert!(
        found
            .problems
            .iter()
            .any(|problem| problem.code == "date-unreadable" && problem.place == "entry 1")
    );
}

#[test]
fn problem_9_no_zone_and_british_summer_time() {
    let found = entries(&[
        "<guid>1</guid><pubDate>Mon, 06 Jul 2026 10:00:00 BST</pubDate>".to_owned(),
        "<guid>2</guid><pubDate>2026-07-06 10:00:00</pubDate>".to_owned(),
        "<guid>3</guid>".to_owned(),
    ]);
    let dates: Vec<Option<DateTime<Utc>>> = found.iter().map(|entry| entry.published).collect();
    assert_eq!(
        dates,
        [
            Some(at("2026-07-06T09:00:00Z")),
            Some(at("2026-07-06T09:00:00Z")),
            None
        ]
    );
}

#[test]
fn problem_10_one_broken_entry_among_good_ones() {
    let mut items: Vec<String> = (0..40)
        .map(|n| format!("\n<guid>{n}</guid><title>Q & A, week {n}</title><description>Text</description>"))
        .collect();
    items[20] = "\n<guid>20</guid><title>Broken</b> <i title=here></title><description><p>No end".to_owned();
    let found = document(&items);
    assert_eq!(found.entries.len(), 40);
    let titles: Vec<String> = found
        .entries
        .iter()
        .filter_map(|entry| entry.finish(&normalize::Tagger::new(&[])).title)
        .collect();
    assert_eq!(titles[0], "Q & A, week 0");
    assert_eq!(titles[20], "Broken");
    assert_eq!(titles[21], "Q & A, week 21", "what follows is untouched");
    let named = found
        .problems
        .iter()
        .find(|problem| problem.code == "mismatched-tag")
        .unwrap();
    assert_eq!(named.place, "entry 21, line 22");
}

#[test]
fn problem_11_labels_that_lie_about_the_encoding() {
    let xml = b"<?xml version='1.0' encoding='iso-8859-1'?><rss version='2.0'><channel><item><title>Bront\xeb\x92s \x96 \xa35</title></item></channel></rss>";
    let found = read_from("https://b.example/", xml, Some("text/xml; charset=utf-8")).unwrap();
    let title = found.entries[0].finish(&normalize::Tagger::new(&[])).title;
    assert_eq!(title.as_deref(), Some("Brontë’s – £5"));
    let mut xml = "<rss version='2.0'><channel><item><title>Café, naïve, "
        .as_bytes()
        .to_vec();
    xml.push(0xff);
    xml.extend_from_slice("voilà</title></item></channel></rss>".as_bytes());
    let title = read_from("https://b.example/", &xml, None).unwrap().entries[0]
        .finish(&normalize::Tagger::new(&[]))
        .title
        .unwrap();
    assert!(
        title.starts_with("Café, naïve, ") && title.ends_with("voilà"),
        "{title}"
    );
    assert_eq!(title.chars().count(), "Café, naïve, ?voilà".chars().count());
}

#[test]
fn problem_12_what_is_no_feed_is_no_empty_feed() {
    for body in [
        "",
        "<!doctype html><title>Just a moment...</title>",
        "<html><body>Checking your browser</body></html>",
        "{\"error\": \"rate limited\"}",
        "Service unavailable",
    ] {
        let error = read_from("https://b.example/", body.as_bytes(), None).unwrap_err();
        assert!(matches!(error, ReadError::NotAFeed { .. }), "{body}: {error}");
    }
}

#[test]
fn problem_15_a_feed_that_breaks_off_says_so() {
    let whole = "<rss version='2.0'><channel><item><guid>1</guid><title>One</title></item><item><guid>2</guid>\
                 <title>Two</title><description>All of it</description></item></channel></rss>";
    let stored = known(
        &read_from("https://b.example/", whole.as_bytes(), None)
            .unwrap()
            .entries,
    );
    let cut = &whole[..whole.find(" of it").unwrap()];
    let found = read_from("https://b.example/", cut.as_bytes(), None).unwrap();
    assert!(found.is_truncated());
    assert_eq!(
        match_entries(&stored, &found.entries),
        [Match::Same(0), Match::Nothing]
    );
    assert!(
        !read_from("https://b.example/", whole.as_bytes(), None)
            .unwrap()
            .is_truncated()
    );
}
