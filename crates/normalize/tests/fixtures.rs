//! Every feed in `fixtures/` reads as the file beside it says (`name.xml` as `name.expected.json`).

use std::fs;
use std::path::Path;

use chrono::SecondsFormat;
use normalize::{Document, Problem, RawEntry, Source, Tagger, read};
use serde_json::{Value, json};
use url::Url;

#[test]
fn fixtures_read_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let base = Url::parse("https://blog.example/feed").unwrap();
    let mut seen = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.to_string_lossy().ends_with(".expected.json") {
            continue;
        }
        let body = fs::read(&path).unwrap();
        let source = Source {
            body: &body,
            content_type: None,
            url: Some(&base),
            timezone: chrono_tz::Europe::London,
        };
        let found = view(&read(&source).unwrap());
        let expected = fs::read_to_string(path.with_extension("expected.json")).unwrap_or_default();
        let expected: Value = serde_json::from_str(&expected).unwrap_or_default();
        assert_eq!(found, expected, "{}:\n{found:#}", path.display());
        seen += 1;
    }
    assert!(seen >= 6, "the fixtures are gone");
}

fn view(document: &Document) -> Value {
    let tagger = Tagger::new(&[]);
    json!({
        "format": document.format,
        "title": document.title,
        "site": document.site.as_ref().map(Url::as_str),
        "language": document.language,
        "ttl": document.ttl.map(|ttl| ttl.as_secs()),
        "problems": document.problems.iter().map(problem).collect::<Vec<_>>(),
        "entries": document.entries.iter().map(|raw| entry(raw, &tagger)).collect::<Vec<_>>(),
    })
}

fn problem(problem: &Problem) -> String {
    format!("{} at {}", problem.code, problem.place)
}

fn entry(raw: &RawEntry, tagger: &Tagger) -> Value {
    let draft = raw.finish(tagger);
    let date = |at: Option<chrono::DateTime<chrono::Utc>>| {
        at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
    };
    json!({
        "id": draft.source_id,
        "url": draft.link,
        "title": draft.title,
        "summary": draft.summary,
        "content_html": draft.content_html,
        "text": draft.text,
        "author": draft.author,
        "published": date(draft.published),
        "updated": date(draft.updated),
        "language": draft.language,
        "words": draft.words,
        "hashtags": draft.hashtags,
        "categories": draft.categories,
        "image": draft.image,
        "enclosures": draft.enclosures,
        "licence": draft.licence,
        "source_url": draft.source_url,
    })
}
