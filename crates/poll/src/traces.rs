//! Every post of every fixture leaves a trace: none is absent without a reason. Tests alone.

use chrono::{DateTime, Utc};
use model::{FeedSpec, IncludeChoice, Pictures, PollOutcome, Site, Topic, TopicRules};
use normalize::{Match, Source, Tagger};
use store::{Cause, Decision, PollRecord, SOURCE, Store, Trace};
use url::Url;

use crate::changes::changes;

pub(crate) fn site() -> Site {
    Site {
        title: String::new(),
        subtitle: String::new(),
        url: "https://voice.example.org".to_owned(),
        language: "en-GB".to_owned(),
        timezone: chrono_tz::Europe::London,
        contact: String::new(),
        email: None,
        pictures: Pictures::Origin,
        ai_training: false,
        hub: None,
        network_hashtags: vec!["localgovdigital".to_owned()],
        hashtag_groups: Vec::new(),
        topics: vec![Topic {
            slug: "none".to_owned(),
            name: "None".to_owned(),
            description: String::new(),
            parent: None,
            rules: TopicRules::default(),
        }]
        .into(),
        digest_schedule: String::new(),
        digest_late_days: 28,
    }
}

#[tokio::test]
async fn no_post_of_any_fixture_is_absent_without_a_reason() {
    let now: DateTime<Utc> = "2026-11-23T09:00:00Z".parse().unwrap();
    let (site, fixtures) = (
        site(),
        concat!(env!("CARGO_MANIFEST_DIR"), "/../normalize/fixtures"),
    );
    let tagger = Tagger::new(&site.topics);
    let mut files: Vec<_> = std::fs::read_dir(fixtures)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| !file.to_string_lossy().contains(".expected."))
        .collect();
    files.sort();
    let mut posts = 0;
    for include in [IncludeChoice::All, IncludeChoice::Tagged] {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let mut asked = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let url: Url = format!("https://blog{number}.example.org/feed").parse().unwrap();
            let body = std::fs::read(file).unwrap();
            let source = Source {
                body: &body,
                content_type: None,
                url: Some(&url),
                timezone: site.timezone,
            };
            let Ok(document) = normalize::read(&source) else {
                continue;
            };
            let spec = FeedSpec {
                include: Some(include),
                ..FeedSpec::new(url.clone(), format!("Blog {number}"))
            };
            store.import_feeds(&[spec], now, site.timezone).await.unwrap();
            let feeds = store.feeds().await.unwrap();
            let feed = feeds.into_iter().find(|feed| feed.url == url).unwrap();
            let found = changes(&feed, &[], &document.entries, &site, &tagger, now);
            let polled = PollRecord {
                outcome: PollOutcome::Changed,
                new: found.new,
                ..PollRecord::of(&feed, now)
            };
            assert!(store.record_polls(&[polled]).await.unwrap()[0].accepted);
            let matched = normalize::match_entries(&[], &document.entries);
            let links = document.entries.into_iter().zip(matched);
            asked.extend(
                links
                    .filter(|(_, matched)| *matched == Match::New)
                    .filter_map(|(entry, _)| entry.link)
                    .map(|link| (file.clone(), link)),
            );
        }
        let mut keys = Vec::new();
        for (file, link) in &asked {
            match store.trace(&link.parse().unwrap()).await.unwrap() {
                Trace::Shown { entry, .. } | Trace::LeftOut { entry } => keys.push(entry.key),
                Trace::Copy { of, copy } => keys.extend([of.key, copy.key]),
                absent => panic!("{}: {link}: {absent:?}", file.display()),
            }
        }
        posts += asked.len();
        let decision = Decision {
            by: SOURCE,
            why: None,
            at: now,
        };
        store
            .withdraw_entries(&keys, Cause::Source, &decision)
            .await
            .unwrap();
        for (file, link) in &asked {
            let trace = store.trace(&link.parse().unwrap()).await.unwrap();
            assert!(
                !matches!(trace, Trace::Blog { .. } | Trace::Nobody),
                "{}: {link}: {trace:?}",
                file.display()
            );
        }
    }
    assert!(posts > 20, "only {posts} posts were asked about");
}
