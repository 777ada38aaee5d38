//! The main job on real input: 26 blogs of real posts, which lie beside the project where there are any.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use support::Voice;
use support::blogosphere::{Answer, Blogosphere};

/// Serves the blogs, polls them, and answers the Voice with the number of entries of each blog.
fn polled_blogs() -> Option<(Voice, Blogosphere, BTreeMap<String, usize>)> {
    let Some(shared) = support::shared() else {
        eprintln!(
            "skipped: the real blogs are not there; set VOICE_TEST_SHARED to the folder that has blogs/ in it"
        );
        return None;
    };
    let blogs = Blogosphere::start();
    let mut counts = BTreeMap::new();
    let mut feeds = Vec::new();
    for file in std::fs::read_dir(shared.join("blogs")).unwrap() {
        let path = file.unwrap().path();
        let slug = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let body = std::fs::read_to_string(&path).unwrap();
        counts.insert(
            slug.clone(),
            body.matches("<item>").count() + body.matches("<entry>").count(),
        );
        let address = format!("/{slug}.xml");
        blogs.answer(&address, Answer::Feed(body));
        feeds.push((slug, blogs.url(&address)));
    }
    let feeds: Vec<(&str, String)> = feeds
        .iter()
        .map(|(slug, url)| (slug.as_str(), url.clone()))
        .collect();
    let voice = Voice::of(&feeds);
    let summary = voice.json(&["poll", "--all", "--json"]);
    assert_eq!(summary["changed"], counts.len(), "{summary:#}");
    assert_eq!(summary["entries_new"], counts.values().sum::<usize>());
    Some((voice, blogs, counts))
}

#[test]
fn every_entry_is_stored_once_and_a_second_poll_writes_none() {
    let Some((voice, _blogs, counts)) = polled_blogs() else {
        return;
    };
    let second = voice.json(&["poll", "--all", "--json"]);
    assert_eq!(second["not_modified"], counts.len(), "{second:#}");
    assert_eq!(
        (&second["entries_new"], &second["entries_updated"]),
        (&Value::from(0), &Value::from(0))
    );

    let entries = voice.exported();
    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    for entry in &entries {
        *stored
            .entry(entry["member"]["slug"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    assert_eq!(stored, counts);
    let keys: BTreeSet<&str> = entries
        .iter()
        .map(|entry| entry["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys.len(), entries.len());
    for entry in &entries {
        assert_eq!(entry["content_html"], Value::Null, "nobody agreed to whole posts");
        let words = entry["summary"].as_str().unwrap().split_whitespace().count();
        assert!(words <= 60, "{words} words: {}", entry["summary"]);
    }
}

#[test]
fn the_walk_of_entries_json_and_the_export_agree() {
    let Some((voice, _blogs, _)) = polled_blogs() else {
        return;
    };
    let server = voice.serve();
    let mut walked = Vec::new();
    let mut path = "/entries.json?limit=37".to_owned();
    loop {
        let page = server.get(&path).json();
        walked.extend(
            page["entries"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["key"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => path = next[next.find("/entries.json").unwrap()..].to_owned(),
            None => break,
        }
    }
    let once: BTreeSet<String> = walked.iter().cloned().collect();
    let exported: BTreeSet<String> = voice
        .exported()
        .iter()
        .map(|entry| entry["key"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((walked.len(), &once), (exported.len(), &exported));
}

#[test]
fn the_digest_of_a_week_holds_what_was_published_in_it() {
    let Some((voice, _blogs, _)) = polled_blogs() else {
        return;
    };
    let of_the_week: BTreeSet<String> = voice
        .exported()
        .iter()
        .filter(|entry| {
            ("2015-02-09T00:00:00Z".."2015-02-16T00:00:00Z").contains(&entry["published"].as_str().unwrap())
        })
        .map(|entry| entry["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(!of_the_week.is_empty());
    let digest = voice.json(&["digest", "2015-W07", "--json"]);
    let entries = digest["entries"].as_array().unwrap();
    let ids: BTreeSet<String> = entries
        .iter()
        .map(|entry| entry["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((entries.len(), &ids), (of_the_week.len(), &of_the_week));
    assert_eq!(digest["counts"]["entries"], entries.len());
    assert!(entries.iter().any(|entry| {
        entry["member"]["slug"] == "carl-haggerty"
            && entry["published"].as_str().unwrap().starts_with("2015-02-09")
    }));
}
