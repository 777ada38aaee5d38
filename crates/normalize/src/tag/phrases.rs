//! Finds the phrases of all topics in a folded text in one pass.
//!
//! A phrase is one word or more, whole words within one clause. A word that begins or ends with `*` stands for every
//! word that ends or begins so.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::fold::{Folded, folded_name, is_separator};

/// A set of phrases, each known by its place in the list that it was made from.
#[derive(Debug)]
pub(super) struct Phrases {
    /// Finds the heads of all phrases at once.
    heads: AhoCorasick,
    /// For each head, the phrases that begin with it.
    of_head: Vec<Vec<Phrase>>,
}

/// A phrase's head, up to the first word that ends in `*`, is found by the automaton, with the space before its first
/// word unless that may begin with something else; what follows is compared word by word.
#[derive(Debug)]
struct Phrase {
    id: u32,
    /// Whether its first word may begin with something else.
    begins_open: bool,
    /// Whether the head's last word may go on.
    head_is_open: bool,
    /// The words after the head, and whether each may go on.
    tail: Vec<(String, bool)>,
}

/// A phrase that stands in a text, from `start` to `end` of its folded form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    pub(super) phrase: u32,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Phrases {
    /// Finds these phrases; one without a word is never found.
    ///
    /// # Panics
    ///
    /// If they need more than 2³¹ states, some hundred megabytes of phrases.
    pub(super) fn new<'a>(phrases: impl IntoIterator<Item = &'a str>) -> Self {
        let mut heads: Vec<String> = Vec::new();
        let mut place_of_head: HashMap<String, usize> = HashMap::new();
        let mut of_head: Vec<Vec<Phrase>> = Vec::new();
        for (id, text) in (0..).zip(phrases) {
            let Some((head, phrase)) = Phrase::parse(id, text) else {
                continue;
            };
            let at = *place_of_head.entry(head).or_insert_with_key(|head| {
                heads.push(head.clone());
                of_head.push(Vec::new());
                heads.len() - 1
            });
            of_head[at].push(phrase);
        }
        Self {
            heads: AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::DFA))
                .build(&heads)
                .expect("phrases are far from filling 31 bits of states"),
            of_head,
        }
    }

    /// Every phrase that stands in a text, by phrase and then by place.
    pub(super) fn hits(&self, text: &Folded<'_>) -> Vec<Hit> {
        let text = text.text();
        let mut hits = Vec::new();
        for found in self.heads.find_overlapping_iter(text) {
            for phrase in &self.of_head[found.pattern()] {
                if let Some(end) = phrase.end(text, found.end()) {
                    let start = if phrase.begins_open {
                        word_start(text, found.start())
                    } else {
                        found.start() + 1
                    };
                    hits.push(Hit {
                        phrase: phrase.id,
                        start,
                        end,
                    });
                }
            }
        }
        hits.sort_unstable();
        // `*o*` stands in one word more than once.
        hits.dedup();
        hits
    }
}

impl Phrase {
    /// The head and the phrase; `None` if it has no words.
    fn parse(id: u32, text: &str) -> Option<(String, Self)> {
        let text = text.trim_start();
        let (text, begins_open) = text.strip_prefix('*').map_or((text, false), |rest| (rest, true));
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
            if !(head.is_empty() && begins_open) {
                head.push(' ');
            }
            head.push_str(&word);
            if open {
                head_is_open = true;
                break;
            }
        }
        (!head.is_empty()).then(|| {
            let phrase = Self {
                id,
                begins_open,
                head_is_open,
                tail: words.collect(),
            };
            (head, phrase)
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

/// The start of the word that `at` stands in.
fn word_start(text: &[u8], at: usize) -> usize {
    let before = text[..at].iter().rev();
    at - before.take_while(|&&byte| !is_separator(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(phrase: &str, text: &'a str) -> Vec<&'a str> {
        let text = Folded::new(text);
        Phrases::new([phrase])
            .hits(&text)
            .into_iter()
            .map(|hit| text.original(hit.start, hit.end))
            .collect()
    }

    #[test]
    fn whole_words_within_a_clause() {
        assert_eq!(found("vote", "A vote, votes; re-vote."), ["vote", "vote"]);
        assert_eq!(
            found("open data", "Open  data. Open. Data. open-data"),
            ["Open  data", "open-data"]
        );
        assert_eq!(found("café", "CAFE cafes"), ["CAFE"]);
        assert_eq!(found("  ", "anything"), [""; 0]);
    }

    #[test]
    fn an_asterisk_stands_for_the_rest_of_a_word() {
        assert_eq!(
            found(
                "communit* of practice*",
                "communities of practice; community of practices"
            ),
            ["communities of practice", "community of practices"]
        );
        assert_eq!(
            found("*hack", "#HomelessHack hack hacks"),
            ["HomelessHack", "hack"]
        );
        assert_eq!(
            found("*camp*", "LocalGovCampers encamp"),
            ["LocalGovCampers", "encamp"]
        );
        assert_eq!(found("*o*", "Tomorrow"), ["Tomorrow"]);
        assert_eq!(found("*gov camp", "localgov camp"), ["localgov camp"]);
    }
}
