//! The digest through its public door: what it counts and groups, and that each format keeps its promises.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::TimeDelta;
use model::{AlsoIn, Entry, Site, Week};
use pulldown_cmark::{Event, Parser, Tag};
use serde_json::{Value, json};

use crate::sample::{HOSTILE, at, entry, found, hostile, keys, member, site};
use crate::{
    Digest, DigestInput, DigestStatus, DigestView, Edition, EditorsLink, NotHeard, PostEdit, digest, schemas,
};

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
    digest(input(&site(), entries, links))
}

/// As [`make`], closed.
fn close(entries: Vec<Entry>, links: &Links) -> Digest {
    digest(DigestInput {
        status: DigestStatus::Closed,
        now: at("2015-02-09T07:00:03Z"),
        ..input(&site(), entries, links)
    })
}

fn input<'a>(site: &'a Site, entries: Vec<Entry>, links: &'a Links) -> DigestInput<'a> {
    DigestInput {
        site,
        week: "2015-W06".parse().unwrap(),
        now: at("2015-02-06T00:00:00Z"),
        entries,
        late: HashSet::new(),
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
        next_closes_at: Some(at("2015-02-16T07:00:00Z")),
    }
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
        (digest.first, digest.last) = (week.parse::<Week>().unwrap(), week.parse::<Week>().unwrap());
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
    let earned = |score: f64| json!([{"entry": a, "score": score, "by": "rule", "why": [{"where": "title", "text": "council"}]}]);
    let meetings = json!({
        "slug": "meetings", "name": "Council meetings online", "entries": [a], "evidence": earned(0.9)
    });
    assert_eq!(
        read(&digest)["topics"],
        json!([
            {
                "slug": "democracy", "name": "Democracy", "entries": [a], "evidence": earned(0.5),
                "projects": [meetings]
            },
            {"slug": "data", "name": "Data", "entries": [a], "evidence": earned(0.6), "projects": []},
            {"slug": "other", "name": "Other", "entries": [b], "evidence": [], "projects": []},
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
    let (site, links) = (site(), Links::new());
    let mut input = DigestInput {
        now: at("2015-02-09T07:00:00Z"),
        ..input(&site, Vec::new(), &links)
    };
    assert!(!digest(input.clone()).to_text().contains("closes on"));
    input.now -= TimeDelta::seconds(1);
    assert!(digest(input).to_text().contains("closes on"));
}

/// A closed week: two that answer one another, and a page that both point to.
fn closed() -> Digest {
    let report = |words: &str| ("https://report.example/a".to_owned(), words.to_owned());
    let links = Links::from([
        (
            "aaaaaaaa".to_owned(),
            vec![
                report("Her own words"),
                ("https://two.example/bbbbbbbb".to_owned(), String::new()),
            ],
        ),
        ("bbbbbbbb".to_owned(), vec![report("here")]),
        ("cccccccc".to_owned(), vec![report("here")]),
    ]);
    let mut entries = vec![
        by("one", "aaaaaaaa", 2),
        by("two", "bbbbbbbb", 3),
        by("three", "cccccccc", 4),
        by("four", "eeeeeeee", 5),
    ];
    let mut project = found("meetings", 0.9);
    "Her evidence".clone_into(&mut project.why[0].text);
    entries[0].topics.push(project);
    close(entries, &links)
}

#[test]
fn a_closed_week_says_so_and_is_read_back_as_it_was() {
    let digest = closed();
    let document = read(&digest);
    assert_eq!(
        (&document["status"], &document["revision"], &document["closed_at"]),
        (&json!("closed"), &json!(1), &json!("2015-02-09T07:00:03Z"))
    );
    let again = Digest::read(&site(), &digest.to_json()).unwrap();
    assert_eq!(again.to_json(), digest.to_json());
    assert_eq!(again.to_markdown(), digest.to_markdown());
    assert_eq!(again.to_html(), digest.to_html());
    assert_eq!(again.to_text(), digest.to_text());
    assert_eq!(again.to_csv(), digest.to_csv());
}

#[test]
fn the_hash_is_of_the_canonical_form() {
    // RFC 8785: keys in order, no white space, and 1.0 is written 1.
    let canonical = r#"[{"also_in":[],"author":"An author","categories":[],"first_post":true,"#;
    let mut entry = by("new", "aaaaaaaa", 2);
    entry.author = "An author".to_owned();
    entry.categories = Vec::new();
    entry.topics = vec![found("data", 1.0)];
    let digest = close(vec![entry], &Links::new());
    let document = read(&digest);
    let written = String::from_utf8(serde_json_canonicalizer::to_vec(&document["entries"]).unwrap()).unwrap();
    assert!(written.starts_with(canonical), "{written}");
    assert!(written.contains(r#""score":1,"#), "{written}");
    assert_eq!(document["hash"].as_str().unwrap().len(), 64);
    // A part of a closed week has the hash of what it holds.
    let none = digest.view(&DigestView {
        topic: Some("democracy".to_owned()),
        ..DigestView::default()
    });
    assert_eq!(
        read(&none)["hash"],
        "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
    );
}

#[test]
fn a_correction_holds_no_word_of_what_was_withdrawn() {
    let digest = closed();
    let id = "tag:voice.example.org,2015:aaaaaaaa";
    let hash = digest.hash().unwrap();
    let next = digest.corrected(
        &[id.to_owned()],
        &[],
        "withdrawn",
        at("2015-03-01T12:00:00Z"),
        &hash,
    );
    let document = read(&next);
    assert_eq!(
        (&document["revision"], &document["counts"]["entries"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(
        document["corrections"],
        json!([{"revision": 2, "at": "2015-03-01T12:00:00Z", "reason": "withdrawn", "entry": id, "previous_hash": hash}])
    );
    assert_ne!(document["hash"].as_str(), Some(hash.as_str()));
    assert_eq!(document["conversations"], json!([]));
    // Two others still point to the report, but the words for it were hers.
    assert_eq!(document["links"][0]["title"], Value::Null);
    assert!(digest.to_json().contains("Her evidence"));
    assert_eq!(document["topics"][0]["projects"], json!([]));
    for text in [
        next.to_json(),
        next.to_markdown(),
        next.to_html(),
        next.to_text(),
        next.to_csv(),
    ] {
        for words in ["Post aaaaaaaa", "Her own words", "Her evidence"] {
            assert!(!text.contains(words), "{words} in {text}");
        }
    }
    assert!(next.to_markdown().contains("one post was withdrawn"));
    let after = next.corrected(
        &["tag:voice.example.org,2015:bbbbbbbb".to_owned()],
        &[],
        "withdrawn",
        at("2015-03-02T12:00:00Z"),
        "x",
    );
    assert_eq!((after.revision(), after.corrections.len()), (Some(3), 2));
}

#[test]
fn closed_weeks_are_joined() {
    let mut later = by("two", "dddddddd", 10);
    later.topics.push(found("meetings", 0.9));
    let mut second = close(vec![later], &Links::new());
    (second.first, second.last) = ("2015-W07".parse().unwrap(), "2015-W07".parse().unwrap());
    let joined = Digest::join(vec![closed(), second]).unwrap();
    let document = read(&joined);
    assert_eq!(document["id"], "2015-W06..2015-W07");
    assert_eq!(document["title"], "Example Voice, 2–15 February 2015");
    assert_eq!(document["counts"]["entries"], 5);
    assert_eq!(document["counts"]["members"], 4);
    assert_eq!(document["next"]["id"], "2015-W08");
    assert_eq!(document["revision"], Value::Null);
    assert_eq!(
        document["topics"][0]["projects"][0]["entries"],
        json!([
            "tag:voice.example.org,2015:aaaaaaaa",
            "tag:voice.example.org,2015:dddddddd"
        ])
    );
    let held: usize = joined
        .reading_groups(&joined.entries)
        .iter()
        .map(|group| group.entries.len())
        .sum();
    assert_eq!(held, 5);
    assert!(Digest::join(Vec::new()).is_none());
}

#[test]
fn one_line_a_post() {
    let bare = make(vec![by("one", "aaaaaaaa", 2)], &Links::new()).view(&DigestView {
        layout_links: true,
        ..DigestView::default()
    });
    assert!(
        bare.to_markdown()
            .contains("- [Post aaaaaaaa](https://one.example/aaaaaaaa), Author of one, "),
        "{}",
        bare.to_markdown()
    );
}

#[test]
fn an_edition_lies_over_the_digest_and_follows_it() {
    let digest = closed();
    let post = |edit: PostEdit| edit;
    let edition = Edition {
        number: "12".to_owned(),
        introduction: "Dear <readers>,\n\na *good* week.".to_owned(),
        posts: BTreeMap::from([
            (
                "cccccccc".to_owned(),
                post(PostEdit {
                    pinned: true,
                    note: "Do read this.".to_owned(),
                    ..PostEdit::default()
                }),
            ),
            (
                "eeeeeeee".to_owned(),
                post(PostEdit {
                    place: Some(1),
                    ..PostEdit::default()
                }),
            ),
            (
                "bbbbbbbb".to_owned(),
                post(PostEdit {
                    left_out: "An advertisement".to_owned(),
                    ..PostEdit::default()
                }),
            ),
            (
                "withdrawn".to_owned(),
                post(PostEdit {
                    note: "nobody’s".to_owned(),
                    ..PostEdit::default()
                }),
            ),
        ]),
        links: vec![EditorsLink {
            url: "https://elsewhere.example/".to_owned(),
            title: "A report".to_owned(),
            note: "Worth a look".to_owned(),
        }],
    };
    let edited = digest.edited(&edition);
    let document = read(&edited);
    let keys: Vec<_> = document["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["cccccccc", "eeeeeeee", "aaaaaaaa"]);
    assert_eq!(document["edition"]["left_out"][0]["reason"], "An advertisement");
    assert_eq!(
        document["edition"]["pinned"][0],
        "tag:voice.example.org,2015:cccccccc"
    );
    assert_eq!(document["edition"]["notes"].as_array().unwrap().len(), 1);
    assert_ne!(document["hash"], read(&digest)["hash"]);
    assert!(read(&digest).get("edition").is_none());
    let markdown = edited.to_markdown();
    assert!(
        markdown.contains("## First of all\n\n### [Post cccccccc]"),
        "{markdown}"
    );
    assert!(
        markdown.contains("a \\*good\\* week.") && markdown.contains("(issue 12)"),
        "{markdown}"
    );
    assert_eq!(markdown.matches("[Post cccccccc]").count(), 1);
    for text in [markdown, edited.to_html(), edited.to_text()] {
        assert!(
            text.contains("Do read this.") && text.contains("An advertisement") && text.contains("A report"),
            "{text}"
        );
        assert!(!text.contains("<readers>") || !text.starts_with("<div"), "{text}");
        assert!(!text.contains("nobody’s"));
    }
}
