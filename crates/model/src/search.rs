//! What people type into a search: words, `"phrases"`, `-without`, and what narrows it (`topic:`, `member:`,
//! `hashtag:`, `before:`, `after:`). Whatever they type can be read; what looks like a day and is none is searched
//! for as words, and named.

use chrono::{DateTime, NaiveDate, Utc};

use crate::{Site, slug_from_name, start_of_day};

/// How many words, phrases and conditions of a search count; the indices' own limits lie higher.
const MAX_TERMS: usize = 32;

/// A search as it was read. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Search {
    /// Words and phrases that must be there; each has a letter or digit, and no quote or NUL.
    pub wanted: Vec<String>,
    /// Words and phrases that must not.
    pub unwanted: Vec<String>,
    /// What it is narrowed to, dates aside.
    pub filters: Vec<Filter>,
    /// Published at or after.
    pub since: Option<DateTime<Utc>>,
    /// Published before.
    pub until: Option<DateTime<Utc>>,
    /// `before:` and `after:` with something that is no day, as they were typed; they stand among the words too.
    pub misread: Vec<String>,
}

/// A condition on an entry's topics, member or hashtags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// On what.
    pub by: FilterBy,
    /// One of these must hold: slugs, or raw hashtags, which may end in `*`.
    pub values: Vec<String>,
    /// Or none of them may.
    pub without: bool,
}

/// What a [`Filter`] looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterBy {
    /// `topic:`
    Topic,
    /// `member:`
    Member,
    /// `hashtag:`
    Hashtag,
}

/// One thing that was typed: `key:value`, or words.
struct Term<'a> {
    without: bool,
    key: Option<&'a str>,
    value: &'a str,
    whole: &'a str,
}

impl Search {
    /// Reads `text`. A topic may be given by its slug or its name, a member by the slug or what it was made from; days
    /// (`2015-02-09`), months and years begin at midnight in the site's zone.
    pub fn read(text: &str, site: &Site) -> Self {
        let mut search = Self::default();
        let mut rest = text.trim_start();
        for _ in 0..MAX_TERMS {
            if rest.is_empty() {
                break;
            }
            let (term, after) = Term::first_of(rest);
            rest = after.trim_start();
            search.take(&term, site);
        }
        search
    }

    /// Whether it asks for nothing: then nothing is found.
    pub fn is_nothing(&self) -> bool {
        self.wanted.is_empty()
            && self.since.is_none()
            && self.until.is_none()
            && self.filters.iter().all(|filter| filter.without)
    }

    fn take(&mut self, term: &Term<'_>, site: &Site) {
        let read = match term.key {
            Some("topic") => self.narrow(FilterBy::Topic, vec![topic(term.value, site)], term.without),
            Some("member") => self.narrow(FilterBy::Member, vec![slug_from_name(term.value)], term.without),
            Some("hashtag") => {
                let tag = term.value.trim_start_matches('#').to_lowercase();
                self.narrow(FilterBy::Hashtag, site.hashtag_patterns(&tag), term.without)
            }
            Some(key) => {
                if let Some(day) = first_day(term.value).filter(|_| !term.without) {
                    self.bound(key == "after", start_of_day(day, site.timezone))
                } else {
                    self.misread.push(term.whole.to_owned());
                    false
                }
            }
            None => false,
        };
        if !read && term.whole.chars().any(char::is_alphanumeric) {
            let terms = if term.without {
                &mut self.unwanted
            } else {
                &mut self.wanted
            };
            terms.push(term.whole.replace(['"', '\0'], " "));
        }
    }

    fn narrow(&mut self, by: FilterBy, values: Vec<String>, without: bool) -> bool {
        let same = self
            .filters
            .iter_mut()
            .find(|filter| filter.by == by && filter.without == without);
        match same {
            // A post has one member, so two of them mean either.
            Some(filter) if by == FilterBy::Member || without => filter.values.extend(values),
            _ => self.filters.push(Filter { by, values, without }),
        }
        true
    }

    fn bound(&mut self, is_since: bool, at: DateTime<Utc>) -> bool {
        if is_since {
            self.since = self.since.max(Some(at));
        } else {
            self.until = Some(self.until.map_or(at, |until| until.min(at)));
        }
        true
    }
}

impl<'a> Term<'a> {
    const KEYS: [&'static str; 5] = ["topic", "member", "hashtag", "before", "after"];

    /// The first term of `text`, which is not empty, and what follows it.
    fn first_of(text: &'a str) -> (Self, &'a str) {
        let without = text.starts_with('-');
        let text = if without { &text[1..] } else { text };
        for key in Self::KEYS {
            let Some((before, value)) = text.split_once(':') else {
                break;
            };
            if !before.eq_ignore_ascii_case(key) {
                continue;
            }
            let (value, after) = words(value);
            if !value.trim().is_empty() {
                let term = Self {
                    without,
                    key: Some(key),
                    value: value.trim(),
                    whole: text[..text.len() - after.len()].trim_end(),
                };
                return (term, after);
            }
        }
        let (value, after) = words(text);
        let term = Self {
            without,
            key: None,
            value,
            whole: value,
        };
        (term, after)
    }
}

/// The phrase or the word at the beginning of `text`, and what follows it.
fn words(text: &str) -> (&str, &str) {
    match text.strip_prefix('"') {
        // A phrase that is not closed goes on to the end.
        Some(phrase) => phrase.split_once('"').unwrap_or((phrase, "")),
        None => text.split_at(
            text.find(|c: char| c.is_whitespace() || c == '"')
                .unwrap_or(text.len()),
        ),
    }
}

/// The slug of the topic that is meant, known or not.
fn topic(value: &str, site: &Site) -> String {
    let lower = value.to_lowercase();
    let named = site
        .topics
        .iter()
        .find(|topic| topic.slug == lower || topic.name.to_lowercase() == lower);
    named.map_or_else(|| slug_from_name(value), |topic| topic.slug.clone())
}

/// The first day of a day, a month or a year.
fn first_day(text: &str) -> Option<NaiveDate> {
    let day = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    day.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Tz;

    use crate::{HashtagGroup, Pictures, Topic, TopicRules};

    fn site() -> Site {
        let topic = |slug: &str, name: &str| Topic {
            slug: slug.to_owned(),
            name: name.to_owned(),
            description: String::new(),
            parent: None,
            rules: TopicRules::default(),
        };
        Site {
            title: String::new(),
            subtitle: String::new(),
            url: "https://voice.example.org".to_owned(),
            language: "en-GB".to_owned(),
            timezone: Tz::Europe__London,
            contact: String::new(),
            email: None,
            pictures: Pictures::Off,
            ai_training: false,
            hub: None,
            network_hashtags: Vec::new(),
            hashtag_groups: vec![HashtagGroup {
                tag: "ukgovcamp".to_owned(),
                also: vec!["ukgc*".to_owned()],
            }],
            topics: vec![topic("data", "Data"), topic("skills", "Digital skills")].into(),
            digest_schedule: String::new(),
            digest_late_days: 28,
        }
    }

    fn read(text: &str) -> Search {
        Search::read(text, &site())
    }

    #[test]
    fn words_and_phrases() {
        for (text, wanted, unwanted) in [
            ("bins", &["bins"][..], &[][..]),
            ("open  data", &["open", "data"], &[]),
            (r#""open data" -bins"#, &["open data"], &["bins"]),
            (r#"a -"not this" b"#, &["a", "b"], &["not this"]),
            (r#""unbalanced AND ("#, &["unbalanced AND ("], &[]),
            (r#"x"y z"w"#, &["x", "y z", "w"], &[]),
            (
                "NEAR(a b) OR title:c* ^d",
                &["NEAR(a", "b)", "OR", "title:c*", "^d"],
                &[],
            ),
            ("nul\0nul", &["nul nul"], &[]),
            ("topic: data", &["topic:", "data"], &[]),
            ("https://a.example", &["https://a.example"], &[]),
        ] {
            let search = read(text);
            assert_eq!(
                (search.wanted.as_slice(), search.unwanted.as_slice()),
                (
                    wanted
                        .iter()
                        .map(|&w| w.to_owned())
                        .collect::<Vec<_>>()
                        .as_slice(),
                    unwanted
                        .iter()
                        .map(|&w| w.to_owned())
                        .collect::<Vec<_>>()
                        .as_slice()
                ),
                "{text}"
            );
            assert!(!search.is_nothing());
        }
        for nothing in [
            "",
            "  ",
            "-bins",
            "-topic:data",
            "!!! \"\" -",
            "\"",
            "--",
            "-\"",
            "* ^ : ( ) + \u{0}",
        ] {
            assert!(read(nothing).is_nothing(), "{nothing}");
        }
        assert_eq!(read(&"word ".repeat(5000)).wanted.len(), MAX_TERMS);
    }

    #[test]
    fn what_narrows_it() {
        let filter = |by, values: &[&str], without| Filter {
            by,
            values: values.iter().map(|&value| value.to_owned()).collect(),
            without,
        };
        let search = read(
            "bins Topic:data topic:\"digital skills\" -topic:unknown member:\"Siân Example\" member:ada \
             hashtag:#UKGovCamp",
        );
        assert_eq!(search.wanted, ["bins"]);
        assert_eq!(
            search.filters,
            [
                filter(FilterBy::Topic, &["data"], false),
                filter(FilterBy::Topic, &["skills"], false),
                filter(FilterBy::Topic, &["unknown"], true),
                filter(FilterBy::Member, &["sian-example", "ada"], false),
                filter(FilterBy::Hashtag, &["ukgovcamp", "ukgc*"], false),
            ]
        );
        assert!(!read("hashtag:x").is_nothing() && !read("after:2015").is_nothing());
    }

    #[test]
    fn days_months_and_years() {
        let at = |text: &str| Some(text.parse::<DateTime<Utc>>().unwrap());
        let search = read("after:2015-07-01 before:2016-02 after:2014");
        assert_eq!(
            (search.since, search.until),
            (at("2015-06-30T23:00:00Z"), at("2016-02-01T00:00:00Z"))
        );
        assert_eq!(read("before:2016 before:2015").until, at("2015-01-01T00:00:00Z"));
        let search = read("before:yesterday after:2015-13-01 -after:2015");
        assert_eq!(
            search.misread,
            ["before:yesterday", "after:2015-13-01", "after:2015"]
        );
        assert_eq!((search.wanted.len(), search.unwanted.len()), (2, 1));
    }
}
