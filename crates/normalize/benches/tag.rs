//! How fast posts get their topics, in CPU time, by the built-in rules of a file that is handed in.
//!
//! `cargo bench -p normalize --bench tag -- POSTS.jsonl TOPICS.json`: posts as `voice topics evaluate` reads them, and a
//! JSON list of `{"slug","phrases":[[text, weight]],"needs":[text]}`.

#![allow(missing_docs, reason = "a program")]

use std::time::{Duration, Instant};

use model::{Topic, TopicRules};
use normalize::{LabelledPost, Tagger};
use serde_json::Value;

fn main() {
    let files: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let [posts, topics] = files.as_slice() else {
        eprintln!("usage: cargo bench -p normalize --bench tag -- POSTS.jsonl TOPICS.json");
        return;
    };
    let read = |path: &str| std::fs::read_to_string(path).expect("the file can be read");
    let posts: Vec<_> = read(posts)
        .lines()
        .map(|line| serde_json::from_str::<LabelledPost>(line).expect("a post").read())
        .collect();
    let topics: Vec<Value> = serde_json::from_str(&read(topics)).expect("a list of topics");
    let topics: Vec<Topic> = topics.iter().map(topic).collect();
    let started = Instant::now();
    let tagger = Tagger::new(&topics);
    println!("{} topics are ready after {:?}", topics.len(), started.elapsed());
    let bytes: usize = posts.iter().map(|post| post.title.len() + post.text.len()).sum();
    let mut best = f64::INFINITY;
    let mut found = 0;
    for _ in 0..9 {
        let before = cpu_time(started);
        found = posts
            .iter()
            .map(|post| {
                tagger
                    .tag(&post.title, &post.text, &post.categories, &post.hashtags)
                    .len()
            })
            .sum();
        best = best.min(cpu_time(started).saturating_sub(before).as_secs_f64());
    }
    println!(
        "{} posts, {bytes} bytes, {found} topics: {:.1} MB/s",
        posts.len(),
        bytes as f64 / best / 1e6
    );
}

/// The CPU time of this thread until now (Linux: nanoseconds on a processor); elsewhere the time of the clock.
fn cpu_time(start: Instant) -> Duration {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|stat| stat.split(' ').next()?.parse().ok())
        .map_or_else(|| start.elapsed(), Duration::from_nanos)
}

fn topic(value: &Value) -> Topic {
    let texts = |key: &str| -> Vec<String> {
        let list = value[key].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let phrases = value["phrases"].as_array().into_iter().flatten();
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    Topic {
        slug: text("slug"),
        name: text("slug"),
        description: String::new(),
        parent: None,
        rules: TopicRules {
            phrases: phrases
                .filter_map(|pair| Some((pair[0].as_str()?.to_owned(), pair[1].as_f64()?)))
                .collect(),
            needs: texts("needs"),
            ..TopicRules::default()
        },
    }
}
