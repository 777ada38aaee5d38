//! Gives an entry its topics, with the words that earned them.
//!
//! # How rules are weighed
//!
//! Every phrase of a topic that stands in the post earns points: its weight times [`TITLE`] in the title, times
//! [`CATEGORY`] in the feed's own categories, and, for `n` times in the text, times `ln(1 + n)`, so that the
//! tenth mention adds little. What the text earns is then thinned by its length: from [`SHORT`] words on by the
//! square root of how many times longer it is, so that a mention in passing does not make a subject. A phrase
//! with a negative weight takes points away in the same measure. One of the topic's `categories` earns
//! [`NAMED`] points, and so does one of its `hashtags`, which may end in `*`; either gives the topic by itself.
//!
//! The points become a score by a logistic curve that is 0.5 at [`ENOUGH`]; a topic holds from there on. So a
//! weight reads: 1 in the title alone is enough; in a short text, 3 needs to be said twice; 1 needs company.
//! That also is how a project is told from a mention of its name: with a weight of 2 it holds when the title
//! names it or the text keeps coming back to it.
//!
//! A child that holds makes its parent hold. The tagger never guesses: no topic without words that stand in the
//! post, and the same post always has the same topics.

mod fold;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use model::{Evidence, EvidencePlace, Topic, TopicMatch, TopicSource};

use crate::hashtag::occurrences;
use fold::{Folded, is_separator};

/// How much more than in the text a phrase counts in the title.
const TITLE: f64 = 3.0;
/// How much more than in the text it counts in a category of the feed.
const CATEGORY: f64 = 0.7;
/// What a topic's own category or hashtag earns.
const NAMED: f64 = 4.0;
/// Words up to which a text counts in full.
const SHORT: f64 = 400.0;
/// Points at which a topic holds.
const ENOUGH: f64 = 3.0;
/// How many words of evidence a topic shows at most.
const EVIDENCE: usize = 5;

/// Finds topics in posts; built once from the rules of all topics.
#[derive(Debug)]
pub struct Tagger {
    topics: Vec<TopicNames>,
    /// Finds the heads of all phrases in one pass.
    heads: AhoCorasick,
    /// For each head, the phrases that begin with it.
    phrases_of_head: Vec<Vec<u32>>,
    phrases: Vec<Phrase>,
}

/// What is matched as a whole.
#[derive(Debug)]
struct TopicNames {
    slug: String,
    parent: Option<usize>,
    hashtags: Vec<String>,
    /// Folded.
    categories: Vec<String>,
}

/// A phrase of a topic. Its head, up to the first word that ends in `*`, is found by the automaton; what
/// follows is compared word by word.
#[derive(Debug)]
struct Phrase {
    topic: usize,
    weight: f64,
    /// Whether the head's last word may go on.
    head_is_open: bool,
    /// The words after the head, and whether each may go on.
    tail: Vec<(String, bool)>,
}

/// A phrase that stands in a part of a post, from `start` to `end` of its folded text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Hit {
    phrase: u32,
    start: usize,
    end: usize,
}

/// Words that earned a topic points.
struct Earned<'a> {
    points: f64,
    place: EvidencePlace,
    text: &'a str,
}

impl Tagger {
    /// A tagger for these topics, parents before their children.
    ///
    /// # Panics
    ///
    /// If the phrases need more than 2³¹ states, some hundred megabytes of rules.
    pub fn new(topics: &[Topic]) -> Self {
        let mut heads: Vec<String> = Vec::new();
        let mut phrases_of_head: Vec<Vec<u32>> = Vec::new();
        let mut phrases = Vec::new();
        for (topic, rules) in topics.iter().map(|topic| &topic.rules).enumerate() {
            for (text, weight) in &rules.phrases {
                let Some((head, phrase)) = Phrase::parse(text, topic, *weight) else {
                    continue;
                };
                let at = heads.iter().position(|other| *other == head).unwrap_or_else(|| {
                    heads.push(head);
                    phrases_of_head.push(Vec::new());
                    heads.len() - 1
                });
                phrases_of_head[at].push(phrases.len() as u32);
                phrases.push(phrase);
            }
        }
        Self {
            topics: topics
                .iter()
                .map(|topic| TopicNames {
                    slug: topic.slug.clone(),
                    parent: topic
                        .parent
                        .as_ref()
                        .and_then(|parent| topics.iter().position(|other| other.slug == *parent)),
                    hashtags: topic
                        .rules
                        .hashtags
                        .iter()
                        .map(|tag| tag.to_lowercase())
                        .collect(),
                    categories: topic
                        .rules
                        .categories
                        .iter()
                        .map(|name| folded_name(name))
                        .collect(),
                })
                .collect(),
            heads: AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::DFA))
                .build(&heads)
                .expect("phrases are far from filling 31 bits of states"),
            phrases_of_head,
            phrases,
        }
    }

    /// The topics of a post, in the order of the rules, parents before children. `title` and `text` are plain
    /// text; `hashtags` are those of [`crate::hashtags`].
    pub fn tag(
        &self,
        title: &str,
        text: &str,
        categories: &[String],
        hashtags: &[String],
    ) -> Vec<TopicMatch> {
        let categories_text = categories.join("\n|\n");
        let parts = [
            (EvidencePlace::Title, Folded::new(title)),
            (EvidencePlace::Body, Folded::new(text)),
            (EvidencePlace::Category, Folded::new(&categories_text)),
        ];
        let thinned = (SHORT / parts[1].1.word_count() as f64).sqrt().min(1.0);

        let mut points = vec![0.0; self.topics.len()];
        let mut earned: Vec<Vec<Earned<'_>>> = Vec::new();
        earned.resize_with(self.topics.len(), Vec::new);
        for (place, part) in &parts {
            for hits in self.hits(part).chunk_by(|a, b| a.phrase == b.phrase) {
                let (phrase, first) = (&self.phrases[hits[0].phrase as usize], hits[0]);
                let strength = match place {
                    EvidencePlace::Title => TITLE,
                    EvidencePlace::Category => CATEGORY,
                    EvidencePlace::Body | EvidencePlace::Hashtag => ((1 + hits.len()) as f64).ln() * thinned,
                };
                let gain = phrase.weight * strength;
                points[phrase.topic] += gain;
                if gain > 0.0 {
                    earned[phrase.topic].push(Earned {
                        points: gain,
                        place: *place,
                        text: part.original(first.start, first.end),
                    });
                }
            }
        }
        let category_names: Vec<String> = categories.iter().map(|name| folded_name(name)).collect();
        for (at, topic) in self.topics.iter().enumerate() {
            let by_category = categories
                .iter()
                .zip(&category_names)
                .filter(|(_, name)| topic.categories.contains(name))
                .map(|(category, _)| (EvidencePlace::Category, category.as_str()));
            let by_hashtag = hashtags
                .iter()
                .filter(|tag| topic.hashtags.iter().any(|rule| is_named(tag, rule)))
                .map(|tag| (EvidencePlace::Hashtag, as_written(tag, title, text)));
            for (place, text) in by_category.chain(by_hashtag) {
                points[at] += NAMED;
                earned[at].push(Earned {
                    points: NAMED,
                    place,
                    text,
                });
            }
        }
        self.matches(&points, earned)
    }

    /// Every phrase that stands in a part of a post, by phrase and then by place.
    fn hits(&self, part: &Folded<'_>) -> Vec<Hit> {
        let text = part.text();
        let mut hits = Vec::new();
        for found in self.heads.find_overlapping_iter(text) {
            // The folded text begins with a separator, so that there always is a byte before.
            if !is_separator(text[found.start() - 1]) {
                continue;
            }
            for &phrase in &self.phrases_of_head[found.pattern()] {
                if let Some(end) = self.phrases[phrase as usize].end(text, found.end()) {
                    let start = found.start();
                    hits.push(Hit { phrase, start, end });
                }
            }
        }
        hits.sort_unstable();
        hits
    }

    /// The topics that have enough points, and their parents.
    fn matches(&self, points: &[f64], mut earned: Vec<Vec<Earned<'_>>>) -> Vec<TopicMatch> {
        let mut matches: Vec<Option<TopicMatch>> = Vec::with_capacity(points.len());
        for (at, topic) in self.topics.iter().enumerate() {
            let holds = points[at] >= ENOUGH && !earned[at].is_empty();
            matches.push(holds.then(|| TopicMatch {
                slug: topic.slug.clone(),
                score: score(points[at]),
                by: TopicSource::Rule,
                why: best(&mut earned[at]),
            }));
        }
        // Children stand after their parents, so that one pass from the end reaches grandparents, too.
        for at in (0..self.topics.len()).rev() {
            let (Some(parent), Some(child)) = (self.topics[at].parent, &matches[at]) else {
                continue;
            };
            let (child_score, child_why) = (child.score, child.why.clone());
            match &mut matches[parent] {
                Some(held) => held.score = held.score.max(child_score),
                none => {
                    let own = best(&mut earned[parent]);
                    *none = Some(TopicMatch {
                        slug: self.topics[parent].slug.clone(),
                        score: child_score,
                        by: TopicSource::Rule,
                        why: if own.is_empty() { child_why } else { own },
                    });
                }
            }
        }
        matches.into_iter().flatten().collect()
    }
}

impl Phrase {
    /// The head and the phrase; `None` if it has no words.
    fn parse(text: &str, topic: usize, weight: f64) -> Option<(String, Self)> {
        let mut words = text.split_whitespace().flat_map(|word| {
            let (word, open) = word.strip_suffix('*').map_or((word, false), |word| (word, true));
            let parts: Vec<String> = folded_name(word).split_whitespace().map(str::to_owned).collect();
            let count = parts.len();
            parts
                .into_iter()
                .zip(1..)
                .map(move |(part, at)| (part, open && at == count))
        });
        let mut head = String::new();
        let mut head_is_open = false;
        for (word, open) in words.by_ref() {
            if !head.is_empty() {
                head.push(' ');
            }
            head.push_str(&word);
            if open {
                head_is_open = true;
                break;
            }
        }
        (!head.is_empty()).then(|| {
            let tail = words.collect();
            (
                head,
                Self {
                    topic,
                    weight,
                    head_is_open,
                    tail,
                },
            )
        })
    }

    /// Where the phrase ends in `text` if its head ends at `at`.
    fn end(&self, text: &[u8], at: usize) -> Option<usize> {
        let mut at = word_end(text, at, self.head_is_open)?;
        for (word, open) in &self.tail {
            let rest = text.get(at..)?.strip_prefix(b" ")?;
            rest.strip_prefix(word.as_bytes())?;
            at = word_end(text, at + 1 + word.len(), *open)?;
        }
        Some(at)
    }
}

/// The end of the word that has reached `at`; `None` if it goes on and may not.
fn word_end(text: &[u8], at: usize, open: bool) -> Option<usize> {
    let more = text[at..].iter().take_while(|&&byte| !is_separator(byte)).count();
    (open || more == 0).then_some(at + more)
}

/// A name as it is compared: folded, its words with one space between them.
fn folded_name(name: &str) -> String {
    let folded = Folded::new(name);
    let words = folded
        .text()
        .split(|&byte| is_separator(byte))
        .filter(|word| !word.is_empty());
    String::from_utf8_lossy(&words.collect::<Vec<_>>().join(&b' ')).into_owned()
}

/// Whether a hashtag is what a rule names; a rule may end in `*`.
fn is_named(tag: &str, rule: &str) -> bool {
    rule.strip_suffix('*')
        .map_or(tag == rule, |start| tag.starts_with(start))
}

/// A hashtag as the post writes it.
fn as_written<'a>(tag: &'a str, title: &'a str, text: &'a str) -> &'a str {
    occurrences(title)
        .chain(occurrences(text))
        .find(|written| written.to_lowercase() == tag)
        .unwrap_or(tag)
}

/// The words that earned most, each once.
fn best(earned: &mut [Earned<'_>]) -> Vec<Evidence> {
    earned.sort_by(|a, b| b.points.total_cmp(&a.points));
    let mut evidence: Vec<Evidence> = Vec::new();
    for &mut Earned { place, text, .. } in earned {
        let known = evidence
            .iter()
            .any(|other| other.place == place && other.text.to_lowercase() == text.to_lowercase());
        if !known && !text.is_empty() {
            evidence.push(Evidence {
                place,
                text: text.to_owned(),
            });
        }
        if evidence.len() == EVIDENCE {
            break;
        }
    }
    evidence
}

/// From 0 to 1 with two decimals; 0.5 where a topic begins to hold.
fn score(points: f64) -> f64 {
    let score = 1.0 / (1.0 + (ENOUGH - points).exp());
    (score * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use model::TopicRules;

    use super::*;

    fn topic(slug: &str, parent: Option<&str>, phrases: &[(&str, f64)]) -> Topic {
        Topic {
            slug: slug.to_owned(),
            name: slug.to_owned(),
            description: String::new(),
            parent: parent.map(str::to_owned),
            rules: TopicRules {
                phrases: phrases
                    .iter()
                    .map(|&(text, weight)| (text.to_owned(), weight))
                    .collect(),
                hashtags: vec![format!("{slug}tag*")],
                categories: vec![format!("On {slug}")],
            },
        }
    }

    fn tagger() -> Tagger {
        Tagger::new(&[
            topic(
                "skills",
                None,
                &[("mentor*", 1.5), ("communit* of practice", 2.0)],
            ),
            topic("camp", Some("skills"), &[("Examplecamp*", 2.0)]),
            topic(
                "democracy",
                None,
                &[("councillor*", 1.2), ("café vote", 3.0), ("football", -2.0)],
            ),
        ])
    }

    fn found(title: &str, text: &str) -> Vec<String> {
        let matches = tagger().tag(title, text, &[], &crate::hashtag::hashtags(title, text));
        matches.into_iter().map(|topic| topic.slug).collect()
    }

    /// A long text about nothing that the rules know.
    fn padding(words: usize) -> String {
        "bins and buses ".repeat(words / 3)
    }

    #[test]
    fn a_subject_holds_and_a_passing_mention_does_not() {
        assert_eq!(found("Our councillors", "They met."), ["democracy"]);
        assert_eq!(found("", "A councillor came."), [""; 0]);
        let council = "The councillor asked. ".repeat(12);
        assert_eq!(found("", &council), ["democracy"]);
        assert_eq!(
            found("", &format!("A mentor, a councillor.{}", padding(900))),
            [""; 0]
        );
    }

    #[test]
    fn a_project_holds_only_as_a_subject_and_brings_its_parent() {
        assert_eq!(found("Back from Examplecamp16", ""), ["skills", "camp"]);
        assert_eq!(found("", "We met at ExampleCamp."), [""; 0]);
        let dense = format!("{}{}", "At Examplecamp we talked. ".repeat(9), padding(300));
        assert_eq!(found("", &dense), ["skills", "camp"]);
        let once = format!(
            "We met at Examplecamp, and again at Examplecamp. {}",
            padding(900)
        );
        assert_eq!(found("", &once), [""; 0]);
    }

    #[test]
    fn a_parent_without_words_of_its_own_shows_the_childs() {
        let matches = tagger().tag("Examplecamp", "", &[], &[]);
        assert_eq!(matches[0].slug, "skills");
        assert_eq!(matches[0].why, matches[1].why);
        assert!((matches[0].score - matches[1].score).abs() < f64::EPSILON);
        let matches = tagger().tag("Examplecamp", "for one Mentor", &[], &[]);
        assert_eq!(matches[0].why[0].text, "Mentor");
    }

    #[test]
    fn evidence_stands_in_the_post() {
        let text = "A Café-Vote! The CAFÉ vote; cafe vote. Communities of Practice: a community of practice.";
        let matches = tagger().tag("", text, &["On Democracy".to_owned()], &[]);
        assert_eq!(
            matches
                .iter()
                .map(|topic| topic.slug.as_str())
                .collect::<Vec<_>>(),
            ["democracy"]
        );
        let why: Vec<_> = matches[0]
            .why
            .iter()
            .map(|one| (one.place, one.text.as_str()))
            .collect();
        assert_eq!(
            why,
            [
                (EvidencePlace::Body, "Café-Vote"),
                (EvidencePlace::Category, "On Democracy")
            ]
        );
    }

    #[test]
    fn a_hashtag_or_category_is_enough() {
        let matches = tagger().tag("", "all of #SkillsTag2016", &[], &["skillstag2016".to_owned()]);
        assert_eq!(matches[0].why[0].text, "SkillsTag2016");
        assert_eq!(matches[0].why[0].place, EvidencePlace::Hashtag);
        assert_eq!(found("#camptag", ""), ["skills", "camp"]);
    }

    #[test]
    fn phrases_match_whole_words_within_a_clause() {
        assert_eq!(found("The cafe votes", ""), [""; 0]);
        assert_eq!(found("At the cafe. Vote!", ""), [""; 0]);
        assert_eq!(found("tormentors", ""), [""; 0]);
        assert_eq!(found("community\u{a0}of practice", ""), ["skills"]);
        assert_eq!(found("https://example.org/mentor", ""), [""; 0]);
    }

    #[test]
    fn a_negative_phrase_speaks_against_it() {
        assert_eq!(found("Football for councillors", ""), [""; 0]);
    }

    #[test]
    fn no_rules_and_no_text_are_no_topics() {
        assert!(
            Tagger::new(&[])
                .tag("Title", "text", &["a".to_owned()], &["b".to_owned()])
                .is_empty()
        );
        assert!(tagger().tag("", "", &[], &[]).is_empty());
    }

    #[test]
    fn the_same_post_has_the_same_topics() {
        let text = "mentors, councillors, communities of practice, Examplecamp ".repeat(9);
        let first = tagger().tag("Councillors", &text, &[], &[]);
        assert_eq!(first, tagger().tag("Councillors", &text, &[], &[]));
        assert!(first.iter().all(|topic| (0.5..=1.0).contains(&topic.score)));
    }
}
