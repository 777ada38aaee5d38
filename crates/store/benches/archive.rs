//! Makes an archive of as many entries as are asked for, of 1 KB each, as polls would have written it: for measuring what
//! grows with the archive, and what must not.
//!
//! `cargo bench -p store --bench archive -- URL ENTRIES`: 200 feeds over twenty years, of which the two weeks until now have
//! 2,000 entries each, whatever the size. Every entry has words as a language has them, few of them often; one in ten has
//! `everytenth`, 500 have `rarely`. Equal arguments make equal archives but for the dates, which end now.

#![allow(missing_docs, reason = "a program")]

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    Clock as _, EntryDraft, Evidence, EvidencePlace, Feed, FeedSpec, PollOutcome, SafeHtml, SystemClock,
    TopicMatch, TopicSource,
};
use store::{FeedState, NewEntry, PollRecord, Store};

const FEEDS: usize = 200;
const YEARS: i64 = 20;
/// Entries of each of the last two weeks.
const WEEKLY: usize = 2000;
/// How many have the rare word.
const RARE: usize = 500;
/// Entries recorded at once.
const BATCH: usize = 2000;
const TOPICS: [&str; 10] = [
    "skills",
    "democracy",
    "making",
    "open-data",
    "service-design",
    "user-research",
    "accessibility",
    "content-design",
    "events",
    "pipeline",
];
const SYLLABLES: [&str; 16] = [
    "ba", "co", "du", "fe", "gi", "ha", "lo", "mu", "ne", "pi", "ra", "so", "tu", "ve", "wi", "zo",
];

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let [url, entries] = words.as_slice() else {
        eprintln!("usage: cargo bench -p store --bench archive -- URL ENTRIES");
        return;
    };
    let entries: usize = entries.parse().expect("ENTRIES is a number");
    assert!(entries >= 2 * WEEKLY, "at least {} entries", 2 * WEEKLY);
    let store = Store::open(url).await.expect("the database opens");
    let now = SystemClock.now();
    let joined = (now - TimeDelta::weeks(52 * YEARS)).date_naive();
    let specs: Vec<FeedSpec> = (0..FEEDS)
        .map(|feed| FeedSpec {
            joined: Some(joined),
            organisation: Some(format!("Council {}", feed % 40)),
            ..FeedSpec::new(
                format!("https://blog-{feed}.example.org/feed")
                    .parse()
                    .expect("an address"),
                format!("Example blog {feed}"),
            )
        })
        .collect();
    store
        .import_feeds(&specs, now, chrono_tz::UTC)
        .await
        .expect("the feeds are added");

    // What is older than two weeks is back catalogue that the first polls found; then each poll found what was new.
    let begin = now - TimeDelta::weeks(2);
    let old = entries - 2 * WEEKLY;
    let older = TimeDelta::weeks(52 * YEARS) / i32::try_from(old.max(1)).expect("few enough");
    let newer = TimeDelta::weeks(2) / 2 / i32::try_from(WEEKLY).expect("few enough");
    let mut number = 0;
    while number < entries {
        let batch = number..entries.min(number + BATCH);
        number = batch.end;
        let date = |number: usize| {
            let back = i32::try_from(entries - number).expect("few enough");
            if number < old {
                begin - older * (back - 2 * i32::try_from(WEEKLY).expect("few enough"))
            } else {
                now - newer * back
            }
        };
        let feeds = store.feeds().await.expect("the feeds are there");
        let at = begin.max(date(batch.end - 1));
        let mut records: Vec<PollRecord> = feeds.iter().map(|feed| poll(feed, at)).collect();
        for number in batch.rev() {
            records[number % FEEDS]
                .new
                .push(entry(number, entries, date(number)));
        }
        store
            .record_polls(&records)
            .await
            .expect("the polls are recorded");
        if number % 50_000 < BATCH {
            println!("{number} entries");
        }
    }
}

fn poll(feed: &Feed, at: DateTime<Utc>) -> PollRecord {
    PollRecord {
        outcome: PollOutcome::Changed,
        http_status: Some(200),
        duration_ms: 12,
        body_bytes: 20_000,
        state: FeedState {
            next_poll_at: at + TimeDelta::days(365),
            ..FeedState::of(feed)
        },
        ..PollRecord::of(feed, at)
    }
}

fn entry(number: usize, entries: usize, at: DateTime<Utc>) -> NewEntry {
    let mut random = Random(number as u64 + 1);
    let feed = number % FEEDS;
    let title: Vec<String> = (0..6).map(|_| random.word()).collect();
    let mut text: Vec<String> = (0..85).map(|_| random.word()).collect();
    if number.is_multiple_of(10) {
        text.push("everytenth".to_owned());
    }
    if number.is_multiple_of(entries / RARE) {
        text.push("rarely".to_owned());
    }
    let text = text.join(" ");
    // A third points to an earlier post.
    let link = (number.is_multiple_of(3) && number > 2000).then(|| {
        let other = number - 1 - random.below(1999);
        format!(
            " <a href=\"https://blog-{}.example.org/{other}\">there</a>",
            other % FEEDS
        )
    });
    let half = text.len() / 2;
    let half = half + text[half..].find(' ').unwrap_or(0);
    let content = format!(
        "<p>{}</p><p>{}{}</p>",
        &text[..half],
        &text[half..],
        link.unwrap_or_default()
    );
    let topics = (0..=number % 2).map(|topic| TopicMatch {
        slug: TOPICS[(number / 7 + topic * 3) % TOPICS.len()].to_owned(),
        score: 0.93,
        by: TopicSource::Rule,
        why: vec![Evidence {
            place: EvidencePlace::Body,
            text: text.split(' ').next().unwrap_or_default().to_owned(),
        }],
    });
    let mut hashtags = Vec::new();
    if number.is_multiple_of(4) {
        hashtags.push("localgovdigital".to_owned());
    }
    if number.is_multiple_of(7) {
        hashtags.push(format!("tag{}", random.below(300)));
    }
    NewEntry {
        key: format!("archive{number:09}"),
        id_prefix: "tag:voice.example.org,2026:".to_owned(),
        published_at: at,
        updated_at: at,
        released_at: at,
        undated_back_catalogue: false,
        shown: true,
        draft: EntryDraft {
            source_id: format!("https://blog-{feed}.example.org/?p={number}"),
            link: Some(format!("https://blog-{feed}.example.org/{number}")),
            link_key: Some(format!("blog-{feed}.example.org/{number}")),
            fingerprint: format!("{number:032x}"),
            substance: format!("{number:032x}"),
            title: Some(title.join(" ")),
            summary: text.split(' ').take(30).collect::<Vec<_>>().join(" "),
            content_html: SafeHtml::vouched(content),
            words: 90,
            author: Some(format!("Author {}", feed + 1)),
            published: Some(at),
            updated: Some(at),
            language: Some("en".to_owned()),
            topics: topics.collect(),
            hashtags,
            categories: vec!["Notes".to_owned()],
            image: None,
            enclosures: Vec::new(),
            licence: None,
            source_url: None,
            text,
        },
    }
}

/// Numbers that look like chance and are the same each time (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).expect("below a limit")
    }

    /// One of some 60,000 words: the nth is had about 1/n as often as the first.
    fn word(&mut self) -> String {
        let spread = 1 << self.below(17);
        let mut number = spread - 1 + self.below(spread);
        let mut word = String::new();
        loop {
            word.push_str(SYLLABLES[number % SYLLABLES.len()]);
            number /= SYLLABLES.len();
            if number == 0 {
                return word;
            }
        }
    }
}
