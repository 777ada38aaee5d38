//! `[[topic]]`: the workstreams, their projects and further themes, and how each is recognised.
//!
//! ```toml
//! [[topic]]
//! slug = "democracy"
//! name = "Democracy"
//! description = "…"
//! parent = "…"                     # optional
//! phrases = [["participatory budgeting", 3.0], "scrutiny", ["councillor*", 1.0]]
//! needs = ["council*", "citizen*"]  # optional: such words have to stand in the post as well
//! hashtags = ["notwestminster*"]
//! categories = ["democracy"]
//! role = "subject"                 # or "section", or "form": how it stands to the other topics of a post
//! ```
//!
//! A phrase without a weight weighs 1; a negative weight speaks against the topic. A word or hashtag that ends in
//! `*` stands for all that begin so; a phrase may begin with `*`, too. A topic that gives none of these keys and whose
//! slug is built in has the built-in rules. What matches everything is refused with its line. How rules are weighed
//! is the tagger's affair.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use model::{Topic, TopicRole, TopicRules, Topics};

use crate::document::{Document, Node, Table, Value};
use crate::report::{Place, Report};
use crate::units;

/// The one source of the built-in topics: the file that ships with the program.
const SHIPPED: &str = include_str!("../../../feeds.toml");
const RULE_KEYS: [&str; 5] = ["phrases", "needs", "hashtags", "categories", "role"];
const ROLES: [(&str, TopicRole); 3] = [
    ("subject", TopicRole::Subject),
    ("section", TopicRole::Section),
    ("form", TopicRole::Form),
];
/// What a phrase may weigh; more would drown all others.
const WEIGHTS: RangeInclusive<f64> = -10.0..=10.0;
/// How many letters a phrase with a `*` has.
const LEAST_OF_A_WORD: usize = 3;
/// Words that stand in most posts, English and Welsh: a phrase of nothing else says nothing about a post.
const STOP_WORDS: [&str; 112] = [
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "because",
    "been", "before", "but", "by", "can", "could", "did", "do", "does", "for", "from", "get", "had", "has",
    "have", "he", "her", "here", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just",
    "like", "make", "many", "may", "me", "more", "most", "much", "my", "no", "not", "now", "of", "on", "one",
    "only", "or", "other", "our", "out", "over", "people", "she", "so", "some", "such", "than", "that",
    "the", "their", "them", "then", "there", "these", "they", "this", "those", "time", "to", "up", "us",
    "use", "very", "was", "way", "we", "were", "what", "when", "where", "which", "who", "why", "will",
    "with", "work", "would", "you", "your", "ac", "ar", "dim", "ei", "gan", "hyn", "mae", "sydd", "wedi",
    "yn",
];

/// The topics of the shipped `feeds.toml`, parents before their children.
pub fn builtin_topics() -> &'static [Topic] {
    static TOPICS: LazyLock<Vec<Topic>> = LazyLock::new(|| {
        let report = Report::new("feeds.toml");
        Document::parse(SHIPPED, &[], &report)
            .map(|mut document| read_tables(document.tables("topic"), || &[]))
            .unwrap_or_default()
    });
    &TOPICS
}

/// The topics of a file; the built-in ones if it has none.
pub(crate) fn read(tables: Vec<Table<'_>>) -> Topics {
    if tables.is_empty() {
        Topics::BuiltIn(builtin_topics)
    } else {
        read_tables(tables, builtin_topics).into()
    }
}

/// A topic with what its parent's complaints need.
struct Found<'r> {
    topic: Topic,
    report: &'r Report,
    parent_place: Place,
}

fn read_tables(tables: Vec<Table<'_>>, builtin: fn() -> &'static [Topic]) -> Vec<Topic> {
    let mut found: Vec<Found<'_>> = Vec::new();
    let mut slugs: HashMap<String, Place> = HashMap::new();
    for table in tables {
        let slug_place = table.place_of("slug");
        let Some(read) = read_topic(table, builtin) else {
            continue;
        };
        let slug = &read.topic.slug;
        if let Some(first) = slugs.get(slug) {
            let first = first.in_words();
            read.report.problem(
                &slug_place,
                format!("topic {slug:?} stands on {first} already; give this one another slug"),
            );
            continue;
        }
        slugs.insert(slug.clone(), slug_place);
        found.push(read);
    }
    check_parents(&found);
    parents_first(found.into_iter().map(|found| found.topic).collect())
}

fn read_topic(mut table: Table<'_>, builtin: fn() -> &'static [Topic]) -> Option<Found<'_>> {
    if let Some(label) = table.peek("slug").or_else(|| table.peek("name")) {
        table.what = format!("topic {label:?}");
    }
    if !table.has("slug") {
        table.lacks("slug", "slug = \"democracy\"");
    }
    let slug = table.text("slug", units::slug);
    let known = || builtin().iter().find(|topic| Some(&topic.slug) == slug.as_ref());
    if !table.has("name") && known().is_none() {
        table.lacks("name", "name = \"Democracy\"");
    }
    let name = table.text("name", units::words);
    let description = table.text("description", units::any_text);
    let parent_place = table.place_of("parent");
    let parent = table.text("parent", units::slug);
    let rules_given = RULE_KEYS.iter().any(|key| table.has(key));
    let own = TopicRules {
        phrases: read_phrases(&mut table),
        needs: table.list("needs", phrase_text).unwrap_or_default(),
        hashtags: table.list("hashtags", units::hashtag_pattern).unwrap_or_default(),
        categories: table.list("categories", units::words).unwrap_or_default(),
        role: table
            .text("role", |text| units::choice(&ROLES, text))
            .unwrap_or_default(),
    };
    let rules = match &slug {
        Some(slug) if !rules_given => match known() {
            Some(known) => known.rules.clone(),
            None => by_name_alone(name.as_deref().unwrap_or(slug), slug, &table),
        },
        _ => own,
    };
    if rules_given && !can_hold(&rules) {
        table.report.warning(
            &table.place,
            format!(
                "{} has no phrase, hashtag or category that speaks for it, so no post gets it by rule; \
                 add phrases = [[\"…\", 1.0]]",
                table.what
            ),
        );
    }
    let report = table.report;
    table.finish();
    let name = name.or_else(|| known().map(|topic| topic.name.clone()));
    let description = description.or_else(|| known().map(|topic| topic.description.clone()));
    let slug = slug?;
    Some(Found {
        topic: Topic {
            name: name.unwrap_or_else(|| slug.clone()),
            description: description.unwrap_or_default(),
            slug,
            parent,
            rules,
        },
        report,
        parent_place,
    })
}

/// The rules of a topic that gives none and is not built in: its name, and the hashtag that its slug makes.
fn by_name_alone(name: &str, slug: &str, table: &Table<'_>) -> TopicRules {
    let name = phrase_text(name).unwrap_or_else(|_| slug.to_owned());
    table.report.warning(
        &table.place,
        format!(
            "{} says not how it is recognised, so a post gets it that has {name:?} in the title or keeps coming \
             back to it; add phrases = [[\"…\", 1.0]]",
            table.what
        ),
    );
    TopicRules {
        phrases: vec![(name, 2.0)],
        hashtags: vec![slug.replace('-', "")],
        ..TopicRules::default()
    }
}

/// Whether anything speaks for the topic.
fn can_hold(rules: &TopicRules) -> bool {
    !rules.hashtags.is_empty()
        || !rules.categories.is_empty()
        || rules.phrases.iter().any(|&(_, weight)| weight > 0.0)
}

fn read_phrases(table: &mut Table<'_>) -> Vec<(String, f64)> {
    let Some(node) = table.take("phrases") else {
        return Vec::new();
    };
    let Value::List(items) = node.value else {
        table.complain(
            &node.place,
            "phrases",
            "must be a list; write phrases = [[\"…\", 1.0]]",
        );
        return Vec::new();
    };
    let mut phrases = Vec::new();
    let mut known = HashSet::new();
    for item in items {
        let place = item.place.clone();
        match read_phrase(item) {
            Ok((text, _)) if !known.insert(text.to_lowercase()) => {
                let complaint = format!("{text:?} stands twice; leave one of the two out");
                table.complain(&place, "phrases", &complaint);
            }
            Ok(phrase) => phrases.push(phrase),
            Err(complaint) => table.complain(&place, "phrases", &complaint),
        }
    }
    phrases
}

fn read_phrase(node: Node) -> Result<(String, f64), String> {
    match node.value {
        Value::Text(text) => Ok((phrase_text(&text)?, 1.0)),
        Value::List(pair) => {
            let mut pair = pair.into_iter().map(|node| node.value);
            match (pair.next(), pair.next(), pair.next()) {
                (Some(Value::Text(text)), Some(weight), None) => {
                    let text = phrase_text(&text)?;
                    let weight = match weight {
                        Value::Integer(weight) => weight as f64,
                        Value::Number(weight) if weight.is_finite() => weight,
                        _ => {
                            return Err(format!(
                                "the weight of {text:?} is no number; write [{text:?}, 1.0]"
                            ));
                        }
                    };
                    if weight == 0.0 || !WEIGHTS.contains(&weight) {
                        return Err(format!(
                            "the weight of {text:?} is {weight}; write one between {} and {} that is not 0",
                            WEIGHTS.start(),
                            WEIGHTS.end()
                        ));
                    }
                    Ok((text, weight))
                }
                _ => Err("a phrase has a text and a weight; write [\"…\", 1.0]".to_owned()),
            }
        }
        _ => Err("a phrase is a text with a weight; write [\"…\", 1.0]".to_owned()),
    }
}

/// A phrase that can match, and does not match everything.
fn phrase_text(text: &str) -> Result<String, String> {
    let pattern = text.trim();
    let words: Vec<&str> = pattern
        .strip_prefix('*')
        .unwrap_or(pattern)
        .split_whitespace()
        .map(|word| word.strip_suffix('*').unwrap_or(word))
        .collect();
    let can_match = |word: &&str| !word.contains('*') && word.contains(char::is_alphanumeric);
    if words.is_empty() || !words.iter().all(can_match) {
        return Err(match pattern {
            "*" => "\"*\" would match everything; write words".to_owned(),
            _ => format!(
                "{text:?} can never match; write words, with * only at the end of one or before the first"
            ),
        });
    }
    let letters = pattern.chars().filter(|c| c.is_alphanumeric()).count();
    if pattern.contains('*') && (1..LEAST_OF_A_WORD).contains(&letters) {
        return Err(format!(
            "{pattern:?} stands for too many words; write at least {LEAST_OF_A_WORD} letters with the *"
        ));
    }
    let is_stop_word = |word: &&str| STOP_WORDS.contains(&word.to_lowercase().as_str());
    if words.iter().all(is_stop_word) {
        return Err(format!(
            "{text:?} stands in nearly every post; write words that tell this topic from others"
        ));
    }
    Ok(text.to_owned())
}

/// A project lies in a workstream: the parent exists, and has no parent itself.
fn check_parents(found: &[Found<'_>]) {
    let parents: HashMap<&str, Option<&str>> = found
        .iter()
        .map(|found| (found.topic.slug.as_str(), found.topic.parent.as_deref()))
        .collect();
    for Found {
        topic,
        report,
        parent_place,
    } in found
    {
        let Some(parent) = topic.parent.as_deref() else {
            continue;
        };
        let complaint = match parents.get(parent) {
            None => {
                let mend = match units::nearest(parent, parents.keys().copied()) {
                    Some(near) if near != topic.slug => format!("did you mean {near:?}?"),
                    _ => format!("add a [[topic]] with slug = {parent:?}"),
                };
                format!("there is no topic {parent:?}; {mend}")
            }
            Some(_) if is_own_ancestor(&topic.slug, &parents) => {
                format!("{parent:?} leads back to {:?}; leave one parent out", topic.slug)
            }
            Some(Some(grandparent)) => format!(
                "{parent:?} lies within {grandparent:?} already, and there is one level only; \
                 write parent = {grandparent:?}"
            ),
            Some(None) => continue,
        };
        report.problem(
            parent_place,
            format!("topic {:?} parent: {complaint}", topic.slug),
        );
    }
}

fn is_own_ancestor(slug: &str, parents: &HashMap<&str, Option<&str>>) -> bool {
    let mut ancestor = parents.get(slug).copied().flatten();
    // A ring that `slug` is not part of is longer than there are topics.
    for _ in 0..parents.len() {
        match ancestor {
            Some(one) if one == slug => return true,
            Some(one) => ancestor = parents.get(one).copied().flatten(),
            None => return false,
        }
    }
    false
}

/// The order of the file, but a child that stands before its parent follows it.
fn parents_first(topics: Vec<Topic>) -> Vec<Topic> {
    let mut sorted: Vec<Topic> = Vec::with_capacity(topics.len());
    let mut early: Vec<Topic> = Vec::new();
    for topic in topics {
        match &topic.parent {
            Some(parent) if !sorted.iter().any(|before| before.slug == *parent) => early.push(topic),
            _ => {
                let slug = topic.slug.clone();
                sorted.push(topic);
                sorted.extend(early.extract_if(.., |child| child.parent.as_ref() == Some(&slug)));
            }
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn topics(text: &str) -> Vec<Topic> {
        parse("feeds.toml", text, &[]).unwrap().site.topics.to_vec()
    }

    #[test]
    fn a_file_without_topics_has_the_built_in_ones() {
        let builtin = builtin_topics();
        for workstream in ["skills", "democracy", "making"] {
            let topic = builtin.iter().find(|topic| topic.slug == workstream).unwrap();
            assert!(!topic.rules.phrases.is_empty(), "{workstream}");
        }
        assert_eq!(topics(""), builtin);
    }

    #[test]
    fn what_a_built_in_topic_leaves_out_is_built_in() {
        let builtin = builtin_topics();
        let skills = builtin.iter().find(|topic| topic.slug == "skills").unwrap();
        assert_eq!(
            topics("[[topic]]\nslug = \"skills\""),
            std::slice::from_ref(skills)
        );
        let own = topics("[[topic]]\nslug = \"skills\"\nname = \"Our skills\"\nhashtags = [\"#Skills*\"]");
        assert_eq!(own[0].name, "Our skills");
        assert_eq!(own[0].description, skills.description);
        assert_eq!(own[0].rules.hashtags, ["skills*"]);
        assert_eq!(own[0].rules.phrases, []);
    }

    #[test]
    fn an_unknown_topic_without_rules_has_its_name_and_a_warning() {
        let settings = parse(
            "feeds.toml",
            "[site]\ncontact = \"https://example.org/\"\n[[topic]]\nslug = \"bin-days\"\nname = \"Bins\"",
            &[],
        )
        .unwrap();
        assert_eq!(
            settings.site.topics[0].rules,
            TopicRules {
                phrases: vec![("Bins".into(), 2.0)],
                hashtags: vec!["bindays".into()],
                ..TopicRules::default()
            }
        );
        assert_eq!(
            settings.warnings,
            [
                "feeds.toml:3: topic \"bin-days\" says not how it is recognised, so a post gets it that has \
                 \"Bins\" in the title or keeps coming back to it; add phrases = [[\"…\", 1.0]]"
            ]
        );
    }

    #[test]
    fn a_topic_that_nothing_speaks_for_has_a_warning() {
        let settings = parse(
            "feeds.toml",
            "[site]\ncontact = \"https://example.org/\"\n[[topic]]\nslug = \"a\"\nname = \"A\"\n\
             phrases = [[\"football\", -1]]",
            &[],
        )
        .unwrap();
        assert_eq!(
            settings.warnings,
            [
                "feeds.toml:3: topic \"a\" has no phrase, hashtag or category that speaks for it, so no post gets it \
                 by rule; add phrases = [[\"…\", 1.0]]"
            ]
        );
    }

    #[test]
    fn what_says_nothing_is_refused_with_its_line() {
        let rules = "[[topic]]\nslug = \"a\"\nname = \"A\"\nneeds = [\"of the\"]\nphrases = [\n  [\"the\", 1],\n  \
                     \"*\",\n  \"in*\",\n  \"open data\",\n  \"Open data\",\n  [\"x-ray\", 0],\n  [\"y\", 99],\n]";
        let Err(error) = parse("feeds.toml", rules, &[]) else {
            panic!("it was taken");
        };
        let error = error.to_string();
        for complaint in [
            "4: topic \"a\" needs: \"of the\" stands in nearly every post; write words that tell this topic from others",
            "6: topic \"a\" phrases: \"the\" stands in nearly every post; write words that tell this topic from others",
            "7: topic \"a\" phrases: \"*\" would match everything; write words",
            "8: topic \"a\" phrases: \"in*\" stands for too many words; write at least 3 letters with the *",
            "10: topic \"a\" phrases: \"Open data\" stands twice; leave one of the two out",
            "11: topic \"a\" phrases: the weight of \"x-ray\" is 0; write one between -10 and 10 that is not 0",
            "12: topic \"a\" phrases: the weight of \"y\" is 99; write one between -10 and 10 that is not 0",
        ] {
            assert!(error.contains(complaint), "{complaint}\n{error}");
        }
    }

    #[test]
    fn the_built_in_topics_are_as_they_should_be() {
        let report = Report::new("feeds.toml");
        let read = Document::parse(SHIPPED, &[], &report)
            .map(|mut document| read_tables(document.tables("topic"), || &[]));
        let (_, warnings) = report.finish(read).unwrap();
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn phrases_have_weights() {
        let found = topics(
            "[[topic]]\nslug = \"a\"\nname = \"A\"\nrole = \"form\"\nneeds = [\"six\"]\n\
             phrases = [[\"one two\", 3], \"three\", [\"*four*\", -0.5]]\ncategories = [\"Five\"]",
        );
        assert_eq!(
            found[0].rules,
            TopicRules {
                phrases: vec![
                    ("one two".into(), 3.0),
                    ("three".into(), 1.0),
                    ("*four*".into(), -0.5)
                ],
                needs: vec!["six".into()],
                hashtags: vec![],
                categories: vec!["Five".into()],
                role: TopicRole::Form,
            }
        );
    }

    #[test]
    fn parents_stand_before_their_children() {
        let topic = |slug: &str, parent: &str| {
            let parent = if parent.is_empty() {
                String::new()
            } else {
                format!("parent = \"{parent}\"\n")
            };
            format!("[[topic]]\nslug = \"{slug}\"\nname = \"x\"\nhashtags = []\n{parent}")
        };
        let text = [
            ("b1", "b"),
            ("a", ""),
            ("a1", "a"),
            ("b2", "b"),
            ("b", ""),
            ("c", ""),
            ("b3", "b"),
        ]
        .map(|(slug, parent)| topic(slug, parent))
        .concat();
        let slugs: Vec<String> = topics(&text).into_iter().map(|topic| topic.slug).collect();
        assert_eq!(slugs, ["a", "a1", "b", "b1", "b2", "c", "b3"]);
    }
}
