//! How good the rules are: precision, recall and F1 of topics and hashtags against labelled posts (contract
//! section 9). Reads no file and prints nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::post::LabelledPost;
use crate::tag::Tagger;

/// Counts and what follows from them; 0/0 is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Measure {
    /// Labelled and found.
    pub tp: u32,
    /// Found, not labelled.
    pub fp: u32,
    /// Labelled, not found.
    #[serde(rename = "fn")]
    pub missed: u32,
    /// tp / (tp + fp).
    pub precision: f64,
    /// tp / (tp + fn).
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
}

impl Measure {
    fn count<T: PartialEq>(&mut self, labelled: &[T], found: &[T]) {
        let hits = found.iter().filter(|one| labelled.contains(one)).count() as u32;
        self.tp += hits;
        self.fp += found.len() as u32 - hits;
        self.missed += labelled.len() as u32 - hits;
    }

    fn finished(mut self) -> Self {
        let [tp, fp, missed] = [self.tp, self.fp, self.missed].map(f64::from);
        self.precision = ratio(tp, tp + fp);
        self.recall = ratio(tp, tp + missed);
        self.f1 = ratio(2.0 * tp, 2.0 * tp + fp + missed);
        self
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// How well hashtags were found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HashtagMeasure {
    /// Posts looked at.
    pub posts: u32,
    /// Posts whose set was found exactly.
    pub exact: u32,
    /// All posts' hashtags together.
    #[serde(flatten)]
    pub measure: Measure,
}

/// How well the rules did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Posts looked at.
    pub posts: u32,
    /// By topic slug; a topic neither labelled nor found is absent.
    pub topics: BTreeMap<String, Measure>,
    /// The mean F1 of these topics.
    pub macro_f1: f64,
    /// F1 over all their counts together.
    pub micro_f1: f64,
    /// Hashtags.
    pub hashtags: HashtagMeasure,
}

/// Tags every post, on the way that a feed's entry takes, and compares.
pub fn evaluate(posts: &[LabelledPost], tagger: &Tagger) -> Evaluation {
    let mut topics: BTreeMap<String, Measure> = BTreeMap::new();
    let mut tags = Measure::default();
    let mut exact = 0;
    for post in posts {
        let read = post.read();
        let found = tagger.tag(&read.title, &read.text, &read.categories, &read.hashtags);
        let found: Vec<&str> = found.iter().map(|topic| topic.slug.as_str()).collect();
        let labelled = unique(&post.topics);
        for slug in labelled
            .iter()
            .chain(found.iter().filter(|slug| !labelled.contains(slug)))
        {
            let one = [*slug];
            topics.entry((*slug).to_owned()).or_default().count(
                if labelled.contains(slug) { &one } else { &[] },
                if found.contains(slug) { &one } else { &[] },
            );
        }

        let certain = |tag: &str| !post.hashtags_ambiguous.iter().any(|other| other == tag);
        let found_tags: Vec<&str> = read
            .hashtags
            .iter()
            .map(String::as_str)
            .filter(|tag| certain(tag))
            .collect();
        let labelled_tags: Vec<&str> = unique(&post.hashtags)
            .into_iter()
            .filter(|tag| certain(tag))
            .collect();
        tags.count(&labelled_tags, &found_tags);
        exact += u32::from(labelled_tags == found_tags);
    }

    let mut all = Measure::default();
    for measure in topics.values_mut() {
        all.tp += measure.tp;
        all.fp += measure.fp;
        all.missed += measure.missed;
        *measure = measure.finished();
    }
    Evaluation {
        posts: posts.len() as u32,
        macro_f1: ratio(topics.values().map(|topic| topic.f1).sum(), topics.len() as f64),
        micro_f1: all.finished().f1,
        topics,
        hashtags: HashtagMeasure {
            posts: posts.len() as u32,
            exact,
            measure: tags.finished(),
        },
    }
}

/// Sorted, each once.
fn unique(words: &[String]) -> Vec<&str> {
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use model::{Topic, TopicRules};

    use super::*;

    fn topic(slug: &str, phrase: &str) -> Topic {
        Topic {
            slug: slug.to_owned(),
            name: slug.to_owned(),
            description: String::new(),
            parent: None,
            rules: TopicRules {
                phrases: vec![(phrase.to_owned(), 3.0)],
                ..TopicRules::default()
            },
        }
    }

    #[test]
    fn counts_as_the_contract_says() {
        let lines = [
            r#"{"id":"1","title":"Tea and #cake","html":"<p>#tea</p>","categories":[],"topics":["tea"],
                 "hashtags":["cake","tea"],"hashtags_ambiguous":[],"more":1}"#,
            r#"{"id":"2","title":"Tea","html":"<p>#maybe, or #not</p>","categories":[],"topics":["coffee","milk"],
                 "hashtags":["sure"],"hashtags_ambiguous":["maybe"]}"#,
        ];
        let posts: Vec<LabelledPost> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let tagger = Tagger::new(&[
            topic("tea", "tea"),
            topic("coffee", "coffee"),
            topic("rum", "rum"),
        ]);
        let evaluation = serde_json::to_value(evaluate(&posts, &tagger)).unwrap();
        let none = |tp, fp, missed| serde_json::json!({"tp": tp, "fp": fp, "fn": missed, "precision": 0.0, "recall": 0.0, "f1": 0.0});
        let f1 = 2.0 / 3.0;
        assert_eq!(
            evaluation,
            serde_json::json!({
                "posts": 2,
                "topics": {
                    "tea": {"tp": 1, "fp": 1, "fn": 0, "precision": 0.5, "recall": 1.0, "f1": f1},
                    "coffee": none(0, 0, 1),
                    "milk": none(0, 0, 1),
                },
                "macro_f1": f1 / 3.0,
                "micro_f1": 2.0 / 5.0,
                "hashtags": {
                    "posts": 2, "exact": 1, "tp": 2, "fp": 1, "fn": 1,
                    "precision": f1, "recall": f1, "f1": f1,
                },
            })
        );
    }
}
