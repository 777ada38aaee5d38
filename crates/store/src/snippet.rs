//! The few words of a text around what a search matched. The same for either database; it knows no SQL.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// About as many words as a search result shows: fewer than an excerpt has.
const WORDS: usize = 24;
/// How many of them stand before the first match.
const BEFORE: usize = 8;
/// Matches are looked for in the first so many bytes.
const LOOKED_AT: usize = 1 << 18;

/// A word of a text: where it stands, and how a search sees it.
struct Word {
    start: usize,
    end: usize,
    plain: String,
}

/// The words of `text` around the most of `terms` (words and phrases), in pieces: the text, and whether it matched;
/// white space folded. Where nothing matches, the first words.
pub(crate) fn snippet(text: &str, terms: &[String]) -> Vec<(String, bool)> {
    let words = words(&text[..text.floor_char_boundary(LOOKED_AT)]);
    let terms: Vec<Vec<String>> = terms
        .iter()
        .map(|term| words_of_term(term))
        .filter(|term| !term.is_empty())
        .collect();
    let matches_at = |at: usize, term: &[String]| {
        term.iter()
            .enumerate()
            .all(|(offset, plain)| words.get(at + offset).is_some_and(|word| word.plain == *plain))
    };
    let mut matches: Vec<(usize, usize)> = Vec::new();
    for at in 0..words.len() {
        for (number, term) in terms.iter().enumerate() {
            if matches_at(at, term) {
                matches.push((at, number));
            }
        }
    }
    let start_of = |(at, _): &(usize, usize)| at.saturating_sub(BEFORE);
    let different_terms = |start: usize| {
        let within = |(at, number): &&(usize, usize)| at + terms[*number].len() <= start + WORDS;
        let from = matches.partition_point(|(at, _)| *at < start);
        let near = matches[from..].iter().take_while(|(at, _)| *at < start + WORDS);
        let mut found: Vec<usize> = near.filter(within).map(|found| found.1).collect();
        found.sort_unstable();
        found.dedup();
        found.len()
    };
    // Of equally good places the first.
    let start = matches
        .iter()
        .map(start_of)
        .rev()
        .max_by_key(|start| different_terms(*start))
        .unwrap_or(0);
    let end = words.len().min(start + WORDS);

    let mut pieces: Vec<(String, bool)> = Vec::new();
    let mut push = |text: &str, matched: bool| match pieces.last_mut() {
        Some((last, was)) if *was == matched => last.push_str(text),
        _ => pieces.push((text.to_owned(), matched)),
    };
    if start > 0 {
        push("…", false);
    }
    let is_matched = |at: usize| {
        matches
            .iter()
            .any(|(from, number)| (*from..from + terms[*number].len()).contains(&at))
    };
    let mut done = words.get(start).map_or(0, |word| word.start);
    for (at, word) in words.iter().enumerate().take(end).skip(start) {
        push(&folded(&text[done..word.start]), false);
        push(&text[word.start..word.end], is_matched(at));
        done = word.end;
    }
    if end < words.len() {
        push("…", false);
    } else {
        push(folded(&text[done..]).trim_end(), false);
    }
    pieces.retain(|(piece, _)| !piece.is_empty());
    pieces
}

fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut start = None;
    // Marks on a letter belong to its word.
    let belongs = |c: char, within: bool| c.is_alphanumeric() || (within && is_combining_mark(c));
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (start, belongs(c, start.is_some())) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                words.push(Word {
                    start: from,
                    end: at,
                    plain: plain(&text[from..at]),
                });
                start = None;
            }
            _ => {}
        }
    }
    words
}

fn words_of_term(term: &str) -> Vec<String> {
    words(term).into_iter().map(|word| word.plain).collect()
}

/// A word as a search sees it: lower case, without marks.
fn plain(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    word.nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Runs of white space as one space.
fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_whitespace() {
            true if folded.ends_with(' ') => {}
            true => folded.push(' '),
            false => folded.push(c),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, terms: &[&str]) -> String {
        let terms: Vec<String> = terms.iter().map(|term| (*term).to_owned()).collect();
        let pieces = snippet(text, &terms);
        pieces
            .iter()
            .map(|(text, matched)| {
                if *matched {
                    format!("[{text}]")
                } else {
                    text.clone()
                }
            })
            .collect()
    }

    #[test]
    fn shows_what_matched_with_a_few_words_around() {
        assert_eq!(shown("The bins are open.", &["bins"]), "The [bins] are open.");
        assert_eq!(
            shown("Café, cafe\u{301} and cafeteria", &["CAFE"]),
            "[Café], [cafe\u{301}] and cafeteria"
        );
        assert_eq!(
            shown("open data, data open", &["open data"]),
            "[open] [data], data open"
        );
        assert_eq!(shown("nothing of it\n\n here ", &["bins"]), "nothing of it here");
        assert_eq!(shown("", &["bins"]), "");
        assert_eq!(shown("… !", &["bins"]), "… !");
    }

    #[test]
    fn goes_to_where_most_of_it_stands() {
        let far = format!(
            "bins {}bins\nand (data) {}",
            "before ".repeat(200),
            "after ".repeat(200)
        );
        let shown = shown(&far, &["bins", "data"]);
        assert!(
            shown.starts_with("…before") && shown.ends_with("after…"),
            "{shown}"
        );
        assert!(shown.contains("before [bins] and ([data]) after"), "{shown}");
        assert_eq!(shown.split_whitespace().count(), WORDS);
    }

    #[test]
    fn an_enormous_text_is_not_read_to_its_end() {
        let enormous = "bins ".repeat(400_000);
        assert!(shown(&enormous, &["bins"]).starts_with("[bins] [bins]"));
    }
}
