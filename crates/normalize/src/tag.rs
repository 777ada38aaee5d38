//! Gives an entry its topics, with the words that earned them.
//!
//! # How rules are weighed
//!
//! Every phrase of a topic that stands in the post earns points: its weight times [`TITLE`] in the title, times
//! [`CATEGORY`] in the feed's own categories, and, for `n` times in the text, times `ln(1 + n)`, so that the tenth
//! mention adds little and several different phrases add much. What the text earns is thinned by its length: from
//! [`SHORT`] words on by the square root of how many times longer it is, so that a mention in passing does not make
//! a subject. Blogs say early what they are about: in the first [`LEAD_WORDS`] words a phrase earns a further
//! [`LEAD`] of its weight times `ln(1 + n)`, whatever the length. A phrase with a negative weight takes points away
//! in the same measure. One of the topic's `categories` earns [`FILED`] points, which gives the topic by itself; one
//! of its `hashtags` earns [`HASHTAGGED`], which wants company.
//!
//! A topic holds from [`ENOUGH`] points on, with two conditions that keep main subjects from mentions. It
//! is not outweighed: it has [`SHARE`] of the points of the strongest topic outside its own family, unless its role
//! is a section or a form ([`model::TopicRole`]). And if it `needs` words, one of them stands in the title, or in the
//! text once for every [`NEEDED_EVERY`] words, so that a recipe is not the making of a public service.
//!
//! So a weight reads: 1.2 in the title alone is enough; in a short text, 3 needs to be said twice; 1 needs company.
//! That also is how a project is told from a mention of its name: with a weight of 2 it holds when the title names it
//! or the text keeps coming back to it. A child that holds makes its parent hold.
//!
//! The score is a logistic curve over the points that is 0.5 at [`ENOUGH`]. The tagger never guesses: no topic
//! without words that stand in the post, and the same post always has the same topics. It looks at the first
//! [`LONGEST`] bytes of a text; what a post is about is said by then.

mod fold;
mod phrases;

use model::{Evidence, EvidencePlace, Topic, TopicMatch, TopicRole, TopicSource};
use serde::Serialize;

use crate::hashtag::{folded_tag, occurrences};
use fold::{Folded, folded_name};
use phrases::Phrases;

/// How much more than in the text a phrase counts in the title.
const TITLE: f64 = 3.0;
/// How much it counts in a category of the feed.
const CATEGORY: f64 = 0.5;
/// What a topic's own category earns.
const FILED: f64 = 4.0;
/// What a topic's own hashtag earns.
const HASHTAGGED: f64 = 2.0;
/// Words up to which a text counts in full.
const SHORT: f64 = 200.0;
/// How much more a phrase counts among the first words of a text.
const LEAD: f64 = 0.5;
/// How many words those are.
const LEAD_WORDS: usize = 80;
/// Points at which a topic holds.
const ENOUGH: f64 = 3.5;
/// Which part of the strongest topic's points a topic needs.
const SHARE: f64 = 0.4;
/// For how many words of a text one of the words that a topic needs has to stand there.
const NEEDED_EVERY: usize = 600;
/// How many words of evidence a topic shows at most.
const EVIDENCE: usize = 5;
/// How much of a text is looked at.
const LONGEST: usize = 256 * 1024;

/// Finds topics in posts; built once from the rules of all topics.
#[derive(Debug)]
pub struct Tagger {
    topics: Vec<TopicNames>,
    phrases: Phrases,
    /// What each phrase does, in the order in which [`Phrases`] knows them.
    rules: Vec<Rule>,
}

/// What is matched as a whole, and how the topic stands to others.
#[derive(Debug)]
struct TopicNames {
    slug: String,
    parent: Option<usize>,
    hashtags: Vec<String>,
    /// Folded.
    categories: Vec<String>,
    needs_words: bool,
    role: TopicRole,
}

/// What a phrase does.
#[derive(Debug, Clone, Copy)]
struct Rule {
    topic: usize,
    /// `None` for a word that the topic needs.
    weight: Option<f64>,
}

/// How a topic fared in a post.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Weighed {
    /// The topic.
    pub slug: String,
    /// What its rules earned.
    pub points: f64,
    /// From 0 to 1, two decimals; 0.5 at the points that are enough.
    pub score: f64,
    /// Whether it holds, and why or why not.
    pub verdict: Verdict,
    /// All words that earned or cost points, the most telling first.
    pub why: Vec<Found>,
}

/// Whether a topic holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "by")]
pub enum Verdict {
    /// By its own points.
    Holds,
    /// By this child of its.
    HoldsByChild(String),
    /// It has enough points, but none of the words that it needs stands in the post.
    LacksNeededWords,
    /// It has enough points, but this topic has so many more that it is a mention in passing.
    Outweighed(String),
    /// It has not enough points.
    TooWeak,
}

/// Words that stand in a post and count for or against a topic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// Where they stand.
    #[serde(rename = "where")]
    pub place: EvidencePlace,
    /// As they stand there the first time.
    pub text: String,
    /// How often.
    pub times: u32,
    /// What they earned; below 0, what they cost.
    pub points: f64,
}

/// Words of a post that earned a topic points.
struct Earned<'a> {
    points: f64,
    times: usize,
    place: EvidencePlace,
    text: &'a str,
}

/// What all topics earned in a post.
struct Account<'a> {
    points: Vec<f64>,
    earned: Vec<Vec<Earned<'a>>>,
    /// Whether each topic has the words that it needs.
    met: Vec<bool>,
}

impl Tagger {
    /// The points at which a topic holds.
    pub const ENOUGH: f64 = ENOUGH;
    /// How many bytes of a text are looked at.
    pub const LONGEST: usize = LONGEST;

    /// A tagger for these topics, parents before their children.
    ///
    /// # Panics
    ///
    /// If the phrases need more than 2³¹ states, some hundred megabytes of rules.
    pub fn new(topics: &[Topic]) -> Self {
        let mut texts: Vec<&str> = Vec::new();
        let mut rules = Vec::new();
        for (topic, of) in topics.iter().map(|topic| &topic.rules).enumerate() {
            let phrases = of.phrases.iter().map(|(text, weight)| (text, Some(*weight)));
            let needs = of.needs.iter().map(|text| (text, None));
            for (text, weight) in phrases.chain(needs) {
                texts.push(text);
                rules.push(Rule { topic, weight });
            }
        }
        let position = |slug: &String| topics.iter().position(|topic| topic.slug == *slug);
        let names = |topic: &Topic| TopicNames {
            slug: topic.slug.clone(),
            parent: topic.parent.as_ref().and_then(position),
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
            needs_words: !topic.rules.needs.is_empty(),
            role: topic.rules.role,
        };
        Self {
            topics: topics.iter().map(names).collect(),
            phrases: Phrases::new(texts),
            rules,
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
        let mut account = self.weigh(title, text, categories, &categories_text, hashtags);
        let verdicts = self.verdicts(&account);
        let mut matches: Vec<Option<TopicMatch>> = verdicts
            .iter()
            .enumerate()
            .map(|(at, verdict)| {
                verdict.holds().then(|| TopicMatch {
                    slug: self.topics[at].slug.clone(),
                    score: score(account.points[at]),
                    by: TopicSource::Rule,
                    why: best(&mut account.earned[at]),
                })
            })
            .collect();
        // Children stand after their parents, so that one pass from the end reaches grandparents, too.
        for at in (0..self.topics.len()).rev() {
            let (Some(parent), Some(child)) = (self.topics[at].parent, &matches[at]) else {
                continue;
            };
            let (child_score, child_why) = (child.score, child.why.clone());
            if let Some(held) = &mut matches[parent] {
                held.score = held.score.max(child_score);
                if held.why.is_empty() {
                    held.why = child_why;
                }
            }
        }
        matches.into_iter().flatten().collect()
    }

    /// The words of a post that speak for a topic, whether it holds by them or not: for a topic that somebody set by
    /// hand. Where it has none, those of its children. Takes what [`Tagger::tag`] takes.
    pub fn evidence(
        &self,
        slug: &str,
        title: &str,
        text: &str,
        categories: &[String],
        hashtags: &[String],
    ) -> Vec<Evidence> {
        let Some(topic) = self.topics.iter().position(|topic| topic.slug == slug) else {
            return Vec::new();
        };
        let categories_text = categories.join("\n|\n");
        let mut account = self.weigh(title, text, categories, &categories_text, hashtags);
        let children = (topic + 1..self.topics.len()).filter(|&at| self.topics[at].parent == Some(topic));
        std::iter::once(topic)
            .chain(children)
            .map(|at| best(&mut account.earned[at]))
            .find(|words| !words.is_empty())
            .unwrap_or_default()
    }

    /// How every topic fared in a post, in the order of the rules: for whoever writes them. Takes what [`Tagger::tag`]
    /// takes.
    pub fn explain(
        &self,
        title: &str,
        text: &str,
        categories: &[String],
        hashtags: &[String],
    ) -> Vec<Weighed> {
        let categories_text = categories.join("\n|\n");
        let account = self.weigh(title, text, categories, &categories_text, hashtags);
        let verdicts = self.verdicts(&account);
        let Account { points, earned, .. } = account;
        self.topics
            .iter()
            .zip(verdicts)
            .zip(points.into_iter().zip(earned))
            .map(|((topic, verdict), (points, mut earned))| {
                earned.sort_by(|a, b| b.points.abs().total_cmp(&a.points.abs()));
                Weighed {
                    slug: topic.slug.clone(),
                    points: hundredths(points),
                    score: score(points),
                    verdict,
                    why: earned
                        .iter()
                        .map(|one| Found {
                            place: one.place,
                            text: one.text.to_owned(),
                            times: u32::try_from(one.times).unwrap_or(u32::MAX),
                            points: hundredths(one.points),
                        })
                        .collect(),
                }
            })
            .collect()
    }

    /// What every topic earned.
    fn weigh<'a>(
        &self,
        title: &'a str,
        text: &'a str,
        categories: &'a [String],
        categories_text: &'a str,
        hashtags: &'a [String],
    ) -> Account<'a> {
        let parts = [
            (EvidencePlace::Title, Folded::new(title)),
            (
                EvidencePlace::Body,
                Folded::new(&text[..text.floor_char_boundary(LONGEST)]),
            ),
            (EvidencePlace::Category, Folded::new(categories_text)),
        ];
        let body = &parts[1].1;
        let thinned = (SHORT / body.word_count() as f64).sqrt().min(1.0);
        let lead = body.end_of_lead(LEAD_WORDS);

        let mut account = Account {
            points: vec![0.0; self.topics.len()],
            earned: self.topics.iter().map(|_| Vec::new()).collect(),
            met: self.topics.iter().map(|topic| !topic.needs_words).collect(),
        };
        let mut needed = vec![0; self.topics.len()];
        for (place, part) in &parts {
            for hits in self.phrases.hits(part).chunk_by(|a, b| a.phrase == b.phrase) {
                let first = hits[0];
                let Rule { topic, weight } = self.rules[first.phrase as usize];
                let Some(weight) = weight else {
                    match place {
                        EvidencePlace::Title => account.met[topic] = true,
                        EvidencePlace::Body => needed[topic] += hits.len(),
                        EvidencePlace::Category | EvidencePlace::Hashtag => {}
                    }
                    continue;
                };
                let strength = match place {
                    EvidencePlace::Title => TITLE,
                    EvidencePlace::Category => CATEGORY,
                    EvidencePlace::Body | EvidencePlace::Hashtag => {
                        let early = hits.partition_point(|hit| hit.start < lead);
                        saturated(hits.len()) * thinned + saturated(early) * LEAD
                    }
                };
                account.earn(
                    topic,
                    Earned {
                        points: weight * strength,
                        times: hits.len(),
                        place: *place,
                        text: part.original(first.start, first.end),
                    },
                );
            }
        }
        for (met, needed) in account.met.iter_mut().zip(needed) {
            *met |= needed > 0 && needed * NEEDED_EVERY >= body.word_count();
        }
        let category_names: Vec<String> = categories.iter().map(|name| folded_name(name)).collect();
        for (at, topic) in self.topics.iter().enumerate() {
            let filed = categories
                .iter()
                .zip(&category_names)
                .filter(|(_, name)| topic.categories.contains(name))
                .map(|(category, _)| (FILED, EvidencePlace::Category, category.as_str()));
            let hashtagged = hashtags
                .iter()
                .filter(|tag| topic.hashtags.iter().any(|rule| is_named(tag, rule)))
                .map(|tag| (HASHTAGGED, EvidencePlace::Hashtag, as_written(tag, title, text)));
            for (points, place, text) in filed.chain(hashtagged) {
                account.earn(
                    at,
                    Earned {
                        points,
                        times: 1,
                        place,
                        text,
                    },
                );
            }
        }
        account
    }

    /// Which topics hold.
    fn verdicts(&self, account: &Account<'_>) -> Vec<Verdict> {
        let strongest_but = |at: usize| {
            let parent = self.topics[at].parent;
            (0..self.topics.len())
                .filter(|&other| other != at && Some(other) != parent)
                .filter(|&other| {
                    self.topics[other].parent.is_none() && self.topics[other].role != TopicRole::Form
                })
                .filter(|&other| account.met[other])
                .max_by(|&a, &b| account.points[a].total_cmp(&account.points[b]))
        };
        let mut verdicts: Vec<Verdict> = (0..self.topics.len())
            .map(|at| {
                let points = account.points[at];
                if points < ENOUGH {
                    Verdict::TooWeak
                } else if !account.met[at] {
                    Verdict::LacksNeededWords
                } else {
                    match strongest_but(at) {
                        Some(other)
                            if self.topics[at].role == TopicRole::Subject
                                && points < account.points[other] * SHARE =>
                        {
                            Verdict::Outweighed(self.topics[other].slug.clone())
                        }
                        _ => Verdict::Holds,
                    }
                }
            })
            .collect();
        for at in (0..self.topics.len()).rev() {
            if let Some(parent) = self.topics[at].parent
                && verdicts[at].holds()
                && !verdicts[parent].holds()
            {
                verdicts[parent] = Verdict::HoldsByChild(self.topics[at].slug.clone());
            }
        }
        verdicts
    }
}

impl<'a> Account<'a> {
    fn earn(&mut self, topic: usize, earned: Earned<'a>) {
        self.points[topic] += earned.points;
        self.earned[topic].push(earned);
    }
}

impl Verdict {
    /// Whether the entry has the topic.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Holds | Self::HoldsByChild(_))
    }
}

/// How much `times` mentions count.
fn saturated(times: usize) -> f64 {
    (1.0 + times as f64).ln()
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
        .find(|written| folded_tag(written) == tag)
        .unwrap_or(tag)
}

/// The words that earned most, each once.
fn best(earned: &mut [Earned<'_>]) -> Vec<Evidence> {
    earned.sort_by(|a, b| b.points.total_cmp(&a.points));
    let mut evidence: Vec<Evidence> = Vec::new();
    for &mut Earned {
        points, place, text, ..
    } in earned
    {
        let known = evidence
            .iter()
            .any(|other| other.place == place && other.text.to_lowercase() == text.to_lowercase());
        if points > 0.0 && !known && !text.is_empty() {
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
    hundredths(1.0 / (1.0 + (ENOUGH - points).exp()))
}

fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
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
                ..TopicRules::default()
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
                &[("councillor*", 1.3), ("café vote", 3.0), ("football", -2.0)],
            ),
        ])
    }

    fn found(title: &str, text: &str) -> Vec<String> {
        let matches = tagger().tag(title, text, &[], &crate::hashtag::hashtags(title, text, ""));
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
    fn words_speak_for_a_topic_that_does_not_hold() {
        let words = |slug: &str, text: &str| -> Vec<String> {
            let words = tagger().evidence(slug, "", text, &[], &[]);
            words.into_iter().map(|one| one.text).collect()
        };
        assert_eq!(
            words("democracy", "One Councillor likes football."),
            ["Councillor"]
        );
        assert_eq!(words("skills", "at Examplecamp"), ["Examplecamp"]);
        assert_eq!(words("skills", "a mentor at Examplecamp"), ["mentor"]);
        assert_eq!(words("camp", "a mentor"), [""; 0]);
        assert_eq!(words("nothing", "a mentor"), [""; 0]);
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
    fn a_category_is_enough_and_a_hashtag_wants_company() {
        let tags = |tag: &str| vec![tag.to_owned()];
        let matches = tagger().tag("", "", &tags("ON Skills"), &[]);
        assert_eq!(matches[0].why[0].text, "ON Skills");
        assert_eq!(found("#camptag", ""), [""; 0]);
        let matches = tagger().tag("Mentors", "all of #SkillsTag2016", &[], &tags("skillstag2016"));
        assert_eq!(matches[0].why[1].text, "SkillsTag2016");
        assert_eq!(matches[0].why[1].place, EvidencePlace::Hashtag);
    }

    #[test]
    fn what_is_said_early_counts_more() {
        let early = format!("A mentor, a mentor and another mentor. {}", padding(700));
        assert_eq!(found("Mentoring", &early), ["skills"]);
        let mentioned = "Of mentors and mentors. ".repeat(3);
        let verdicts = |text: &str| tagger().explain("", text, &[], &[])[0].points;
        assert!(
            verdicts(&format!("{mentioned}{}", padding(600)))
                > verdicts(&format!("{}{mentioned}", padding(600)))
        );
    }

    #[test]
    fn a_topic_that_another_outweighs_is_a_mention() {
        let councillors = "The councillors asked the councillor. ".repeat(8);
        let mentors = "A mentor, a community of practice, a mentor. ";
        assert_eq!(
            found("", &format!("{councillors}{mentors}")),
            ["skills", "democracy"]
        );
        let title = "The café vote, the councillors: local councillors";
        let weighed = tagger().explain(title, &format!("{councillors}{mentors}"), &[], &[]);
        assert!(weighed[0].points >= ENOUGH);
        assert_eq!(weighed[0].verdict, Verdict::Outweighed("democracy".to_owned()));
    }

    #[test]
    fn roles_say_what_outweighs_what() {
        let with = |role| {
            let mut festival = topic("festival", None, &[("festival", 9.0)]);
            festival.rules.role = role;
            let mut seat = topic("seat", None, &[("seat*", 1.5)]);
            seat.rules.role = role;
            let mentors = topic("skills", None, &[("mentor*", 1.5)]);
            let matches =
                Tagger::new(&[mentors, festival, seat]).tag("Mentors, seats, festival", "", &[], &[]);
            matches.into_iter().map(|topic| topic.slug).collect::<Vec<_>>()
        };
        assert_eq!(with(TopicRole::Subject), ["festival"]);
        assert_eq!(with(TopicRole::Section), ["festival", "seat"]);
        assert_eq!(with(TopicRole::Form), ["skills", "festival", "seat"]);
    }

    #[test]
    fn a_topic_may_need_words() {
        let mut making = topic("making", None, &[("prototype*", 3.0)]);
        making.rules.needs = vec!["council*".to_owned(), "public service*".to_owned()];
        let tagger = Tagger::new(&[making]);
        let verdict = |title: &str, text: &str, categories: &[String]| {
            tagger.explain(title, text, categories, &[])[0].verdict.clone()
        };
        assert_eq!(
            verdict("A prototype", "of a kitchen", &[]),
            Verdict::LacksNeededWords
        );
        assert_eq!(
            verdict("A prototype", "of a kitchen", &["council".to_owned()]),
            Verdict::LacksNeededWords
        );
        assert_eq!(verdict("A prototype", "for councils", &[]), Verdict::Holds);
        assert_eq!(verdict("A public service prototype", "", &[]), Verdict::Holds);
        assert_eq!(verdict("", "councils", &[]), Verdict::TooWeak);
        let long = |councils: &str| format!("{councils} {}", padding(900));
        assert_eq!(
            verdict("A prototype", &long("for councils"), &[]),
            Verdict::LacksNeededWords
        );
        assert_eq!(
            verdict("A prototype", &long("council, councils"), &[]),
            Verdict::Holds
        );
    }

    #[test]
    fn explains_every_topic() {
        let weighed = tagger().explain("Examplecamp", "football: one mentor; a Mentor!", &[], &[]);
        assert_eq!(
            weighed.iter().map(|one| &one.verdict).collect::<Vec<_>>(),
            [
                &Verdict::HoldsByChild("camp".to_owned()),
                &Verdict::Holds,
                &Verdict::TooWeak
            ]
        );
        // 1.5 × (ln 3 + 0.5 ln 3)
        let mentor = Found {
            place: EvidencePlace::Body,
            text: "mentor".to_owned(),
            times: 2,
            points: 2.47,
        };
        assert_eq!(weighed[0].why, [mentor]);
        assert!((weighed[1].points - 6.0).abs() < 1e-9 && (weighed[1].score - 0.92).abs() < 1e-9);
        assert!(weighed[2].points < 0.0 && weighed[2].why[0].points < 0.0);
    }

    #[test]
    fn of_an_enormous_post_the_beginning_counts() {
        let nothing = "é".repeat(LONGEST / 2);
        assert_eq!(
            found("", &format!("{nothing} {}", "A mentor. ".repeat(99))),
            [""; 0]
        );
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
        let matches = tagger().tag("The café vote", "not football", &[], &[]);
        assert!(matches[0].why.iter().all(|one| one.text != "football"));
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
