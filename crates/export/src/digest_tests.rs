//! The digest through its public door: what it counts and groups, and that each format keeps its promises.

use std::collections::HashMap;

use chrono::TimeDelta;
use model::{AlsoIn, Entry, Week};
use pulldown_cmark::{Event, Parser, Tag};
use serde_json::{Value, json};

use crate::sample::{HOSTILE, at, entry, found, hostile, keys, member, site};
use crate::{Digest, DigestInput, DigestStatus, DigestView, NotHeard, digest, schemas};

const KEYS: [&str; 22] = [
    "$schema",
    "version",
    "id",
    "title",
    "period",
    "status",
    "closed_at",
    "closes_at",
    "revision",
    "hash",
    "counts",
    "topics",
    "entries",
    "conversations",
    "links",
    "new_members",
    "not_heard",
    "corrections",
    "next",
    "url",
    "html_url",
    "markdown_url",
];

type Links = HashMap<String, Vec<(String, String)>>;

fn by(slug: &str, key: &str, day: u32) -> Entry {
    let mut entry = entry(key);
    entry.member = member(slug);
    entry.member.url = Some(format!("https://{slug}.example/"));
    entry.url = Some(format!("https://{slug}.example/{key}"));
    entry.author = format!("Author of {slug}");
    entry.title = Some(format!("Post {key}"));
    entry.published = at(&format!("2015-02-{day:02}T12:00:00Z"));
    entry
}

fn make(entries: Vec<Entry>, links: &Links) -> Digest {
    digest(DigestInput {
        site: &site(),
        week: "2015-W06".parse().unwrap(),
        now: at("2015-02-06T00:00:00Z"),
        entries,
        previous: HashMap::from([
            ("one".to_owned(), at("2015-01-30T00:00:00Z")),
            ("two".to_owned(), at("2014-10-01T00:00:00Z")),
        ]),
        links,
        new_members: vec![member("new")],
        not_heard: vec![NotHeard {
            slug: "one".to_owned(),
            since: None,
        }],
        status: DigestStatus::Open,
        closes_at: Some(at("2015-02-09T07:00:00Z")),
        next_closes_at: at("2015-02-16T07:00:00Z"),
    })
}

fn read(digest: &Digest) -> Value {
    let document = serde_json::from_str(&digest.to_json()).unwrap();
    schemas::tests::assert_valid(schemas::DIGEST, &document);
    document
}

#[test]
fn every_key_in_its_order_and_as_the_schema_says() {
    let digest = make(vec![hostile(), by("one", "aaaaaaaa", 3)], &Links::new());
    assert_eq!(keys(&digest.to_json()), KEYS);
    let document = read(&digest);
    assert_eq!(document["id"], "2015-W06");
    assert_eq!(document["title"], "Example Voice, 2–8 February 2015");
    assert_eq!(
        document["period"],
        json!({"start": "2015-02-02T00:00:00Z", "end": "2015-02-09T00:00:00Z", "timezone": "Europe/London"})
    );
    assert_eq!(
        document["counts"],
        json!({"entries": 2, "members": 2, "organisations": 2})
    );
    assert_eq!(
        document["next"],
        json!({"id": "2015-W07", "closes_at": "2015-02-16T07:00:00Z"})
    );
    assert_eq!(document["html_url"], "https://voice.example.org/digest/2015-W06");
    for key in ["closed_at", "revision", "hash"] {
        assert!(document[key].is_null(), "{key}");
    }
    let entry = &document["entries"][0];
    assert_eq!(entry["title"], model::clean_text(HOSTILE).as_ref());
    assert_eq!(entry["late"], false);
    assert!(entry.get("content_html").is_none());
}

#[test]
fn weeks_in_which_the_clocks_change() {
    for (week, start, end, title) in [
        (
            "2015-W13",
            "2015-03-23T00:00:00Z",
            "2015-03-29T23:00:00Z",
            "Example Voice, 23–29 March 2015",
        ),
        (
            "2015-W43",
            "2015-10-18T23:00:00Z",
            "2015-10-26T00:00:00Z",
            "Example Voice, 19–25 October 2015",
        ),
        (
            "2015-W14",
            "2015-03-29T23:00:00Z",
            "2015-04-05T23:00:00Z",
            "Example Voice, 30 March – 5 April 2015",
        ),
        (
            "2015-W01",
            "2014-12-29T00:00:00Z",
            "2015-01-05T00:00:00Z",
            "Example Voice, 29 December 2014 – 4 January 2015",
        ),
    ] {
        let mut digest = make(Vec::new(), &Links::new());
        digest.week = week.parse::<Week>().unwrap();
        let document = read(&digest);
        assert_eq!(document["period"]["start"], start, "{week}");
        assert_eq!(document["period"]["end"], end, "{week}");
        assert_eq!(document["title"], title);
    }
}

#[test]
fn entries_as_the_week_went_and_who_came_back() {
    let entries = vec![
        by("two", "dddddddd", 5),
        by("three", "cccccccc", 4),
        by("two", "bbbbbbbb", 3),
        by("one", "aaaaaaaa", 3),
    ];
    let mut turned = entries.clone();
    turned.reverse();
    let digest = make(entries, &Links::new());
    assert_eq!(digest.to_json(), make(turned, &Links::new()).to_json());
    let document = read(&digest);
    let said: Vec<_> = document["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            (
                e["key"].as_str().unwrap(),
                e["first_post"].as_bool().unwrap(),
                e["returned_after_days"].as_i64(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("aaaaaaaa", false, None),
            ("bbbbbbbb", false, Some(125)),
            ("cccccccc", true, None),
            ("dddddddd", false, None),
        ]
    );
}

#[test]
fn projects_stand_in_their_workstream_and_the_rest_in_other() {
    let mut project = by("one", "aaaaaaaa", 2);
    project.topics = vec![
        found("democracy", 0.5),
        found("meetings", 0.9),
        found("data", 0.6),
    ];
    let mut unknown = by("two", "bbbbbbbb", 3);
    unknown.topics = vec![found("dropped-from-the-config", 1.0)];
    let digest = make(vec![project, unknown], &Links::new());
    let (a, b) = (
        "tag:voice.example.org,2015:aaaaaaaa",
        "tag:voice.example.org,2015:bbbbbbbb",
    );
    assert_eq!(
        read(&digest)["topics"],
        json!([
            {"slug": "democracy", "name": "Democracy", "entries": [a]},
            {"slug": "data", "name": "Data", "entries": [a]},
            {"slug": "other", "name": "Other", "entries": [b]},
        ])
    );
    // A reader meets it once, where it fits best: its project belongs to democracy.
    let markdown = digest.to_markdown();
    assert_eq!(markdown.matches("[Post aaaaaaaa]").count(), 1);
    assert!(markdown.contains("## Democracy") && !markdown.contains("## Data"));
}

#[test]
fn conversations_and_what_several_point_to() {
    let report = |words: &str| {
        (
            "https://www.report.example/a/?utm_source=x".to_owned(),
            words.to_owned(),
        )
    };
    let mut to = by("two", "bbbbbbbb", 3);
    to.also_in = vec![AlsoIn {
        member: member("four"),
        url: Some("https://four.example/copy".to_owned()),
    }];
    let links = Links::from([
        (
            "aaaaaaaa".to_owned(),
            vec![
                (
                    "http://www.two.example/bbbbbbbb/#more".to_owned(),
                    "as they said".to_owned(),
                ),
                ("https://four.example/copy".to_owned(), "again".to_owned()),
                ("https://one.example/about".to_owned(), "about me".to_owned()),
                report("here"),
                report("here"),
                ("https://once.example/".to_owned(), "once".to_owned()),
                ("javascript:alert(1)".to_owned(), "no page".to_owned()),
            ],
        ),
        (
            "bbbbbbbb".to_owned(),
            vec![
                ("https://report.example/a".to_owned(), "The report".to_owned()),
                ("https://two.example/cccccccc".to_owned(), "myself".to_owned()),
                ("javascript:alert(1)".to_owned(), "no page".to_owned()),
                ("https://one.example/about".to_owned(), "about one".to_owned()),
            ],
        ),
    ]);
    let digest = make(
        vec![by("one", "aaaaaaaa", 2), to, by("two", "cccccccc", 4)],
        &links,
    );
    let document = read(&digest);
    let (a, b) = (
        "tag:voice.example.org,2015:aaaaaaaa",
        "tag:voice.example.org,2015:bbbbbbbb",
    );
    assert_eq!(document["conversations"], json!([{"from": a, "to": b}]));
    assert_eq!(
        document["links"],
        json!([{
            "url": "https://www.report.example/a/?utm_source=x", "title": "The report", "cited_by": [a, b]
        }])
    );
    // Without one of the two there is nothing left to say.
    let part = digest.view(&DigestView {
        max_per_member: Some(0),
        ..DigestView::default()
    });
    let document = read(&part);
    assert_eq!(
        (&document["conversations"], &document["links"]),
        (&json!([]), &json!([]))
    );
}

#[test]
fn views_choose_and_name_what_they_leave_out() {
    let mut data = by("two", "dddddddd", 5);
    data.topics = vec![found("data", 0.8)];
    let digest = make(
        vec![
            by("one", "aaaaaaaa", 2),
            by("one", "bbbbbbbb", 3),
            by("two", "cccccccc", 4),
            data,
        ],
        &Links::new(),
    );
    let topic = digest.view(&DigestView {
        topic: Some("data".to_owned()),
        ..DigestView::default()
    });
    let document = read(&topic);
    assert_eq!(document["counts"]["entries"], 1);
    assert_eq!(document["title"], "Example Voice: Data, 2–8 February 2015");
    let few = digest.view(&DigestView {
        max_per_member: Some(1),
        ..DigestView::default()
    });
    assert_eq!(
        read(&few)["counts"],
        json!({"entries": 2, "members": 2, "organisations": 1})
    );
    let text = few.to_text();
    assert!(
        text.contains("More by An example blog: Post bbbbbbbb") && text.contains("Post dddddddd"),
        "{text}"
    );
    let bare = digest.view(&DigestView {
        layout_links: true,
        ..DigestView::default()
    });
    assert!(
        digest.to_markdown().contains("What we learned") && !bare.to_markdown().contains("What we learned")
    );
}

#[test]
fn markdown_means_the_same_to_commonmark() {
    let digest = make(vec![hostile(), by("one", "aaaaaaaa", 3)], &Links::new());
    let clean = model::clean_text(HOSTILE);
    let folded = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    let (mut texts, mut text) = (Vec::new(), String::new());
    for event in Parser::new(&digest.to_markdown()) {
        match event {
            Event::Text(piece) => text.push_str(&piece),
            Event::Start(Tag::Link { dest_url, .. }) => {
                assert!(dest_url.starts_with("https://"), "{dest_url}");
            }
            Event::End(pulldown_cmark::TagEnd::Heading(_) | pulldown_cmark::TagEnd::Paragraph) => {
                texts.push(std::mem::take(&mut text));
            }
            Event::Start(Tag::Heading { .. } | Tag::Paragraph | Tag::List(None) | Tag::Item)
            | Event::End(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        texts.iter().filter(|text| **text == folded).count(),
        2,
        "title and summary: {texts:#?}"
    );
}

#[test]
fn html_runs_nothing_and_stays_small() {
    let digest = make(vec![hostile(), by("one", "aaaaaaaa", 3)], &Links::new());
    let html = digest.to_html();
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(&quot;1&quot;)"));
    assert_eq!(
        html.matches("href=\"").count(),
        html.matches("href=\"https://").count()
    );
    assert!(!html.contains("more</a>"));
    // It is well-formed as XML, too: every element closed, every attribute quoted.
    crate::xml::strict::read(&html);

    let many = |n: u32| {
        let long = "wordily ".repeat(60);
        let entries = (0..n)
            .map(|i| {
                let mut entry = by(&format!("m{i}"), &format!("k{i:07}"), 3);
                entry.summary.clone_from(&long);
                entry
            })
            .collect();
        make(entries, &Links::new()).to_html()
    };
    let shortened = many(150);
    assert!(
        shortened.len() < 90_000 && !shortened.contains("more</a>") && shortened.contains("wordily…</p>")
    );
    let counted = many(1000);
    let shown = counted.matches("<h4").count();
    assert!(counted.len() < 90_000 && counted.contains(&format!("and {} more</a>", 1000 - shown)));
    assert!(counted.len() > 60_000, "there was room for more than {shown}");
}

#[test]
fn text_is_wrapped_and_csv_is_a_table() {
    let digest = make(vec![hostile(), by("one", "aaaaaaaa", 3)], &Links::new());
    let text = digest.to_text();
    assert_eq!(model::clean_text(&text), text);
    for line in text.lines() {
        assert!(line.chars().count() <= 72 || line.contains("https://"), "{line}");
    }
    let csv = digest.to_csv();
    assert!(csv.starts_with("\u{FEFF}\"week\",") && csv.ends_with("\r\n"));
    assert_eq!(csv.matches("\r\n").count(), 3);
    assert!(csv.contains(",\"'=ab ]]> <script>alert(\"\"1\"\")</script>"));
    assert!(!csv.contains(",\"="));
}

#[test]
fn an_archive_week_never_closes() {
    let mut digest = make(Vec::new(), &Links::new());
    assert!(digest.to_text().contains("closes on Monday 9 February at 07:00"));
    (digest.status, digest.closes_at) = (DigestStatus::Archive, None);
    let document = read(&digest);
    assert_eq!(document["status"], "archive");
    assert!(document["closes_at"].is_null());
    assert!(!digest.to_text().contains("so far"));
}

#[test]
fn a_closing_that_is_overdue_is_not_announced() {
    let mut input = DigestInput {
        site: &site(),
        week: "2015-W06".parse().unwrap(),
        now: at("2015-02-09T07:00:00Z"),
        entries: Vec::new(),
        previous: HashMap::new(),
        links: &Links::new(),
        new_members: Vec::new(),
        not_heard: Vec::new(),
        status: DigestStatus::Open,
        closes_at: Some(at("2015-02-09T07:00:00Z")),
        next_closes_at: at("2015-02-16T07:00:00Z"),
    };
    assert!(!digest(input.clone()).to_text().contains("closes on"));
    input.now -= TimeDelta::seconds(1);
    assert!(digest(input).to_text().contains("closes on"));
}
