//! Plain text: which characters may stand in it, how it is counted and how it is cut.

use std::borrow::Cow;

/// How many words an excerpt or summary has at most.
pub const EXCERPT_WORDS: usize = 60;

/// Words that a reader reads in a minute.
const WORDS_PER_MINUTE: u32 = 200;

/// Whether a character may stand in our outputs: what XML 1.0 (section 2.2) allows, less the C1 controls.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{7E}' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Leaves out the characters that XML 1.0 forbids (section 2.2) and the C1 controls.
pub fn clean_text(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_allowed) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|&c| is_allowed(c)).collect())
    }
}

/// The number of words: runs of non-space characters with at least one letter or digit.
pub fn count_words(text: &str) -> u32 {
    text.split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .count() as u32
}

/// Whole minutes that a post of this many words takes to read, at least one.
pub fn reading_minutes(words: u32) -> u32 {
    words.div_ceil(WORDS_PER_MINUTE).max(1)
}

/// At most `limit` words of `text`, white space folded, with "…" where it was cut within a sentence. Never ends inside
/// a word.
pub fn first_words(text: &str, limit: usize) -> String {
    let mut words = text.split_whitespace();
    let mut out = String::new();
    for word in words.by_ref().take(limit) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    if words.next().is_some() && !ends_a_sentence(&out) {
        out.truncate(out.trim_end_matches([',', ';', ':', '–', '—', '-']).len());
        out.push('…');
    }
    out
}

/// Whether `text` stops where a sentence does: with a full stop, an ellipsis, an exclamation or a question mark, closing
/// quotation marks and parentheses aside.
pub fn ends_a_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '”', '\'', '’', '»', ')', ']'])
        .ends_with(['.', '!', '?', '…'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_characters_go_and_the_rest_stays() {
        assert_eq!(clean_text("a\u{0}b\u{8}c\u{85}d\u{FFFE}e"), "abcde");
        assert_eq!(clean_text("Bronte\u{308}\t\n£5 😀"), "Bronte\u{308}\t\n£5 😀");
    }

    #[test]
    fn cuts_at_words_and_says_so() {
        assert_eq!(first_words("one  two\nthree", 3), "one two three");
        assert_eq!(first_words("one two three four", 3), "one two three…");
        assert_eq!(first_words("one, two, three", 2), "one, two…");
        assert_eq!(first_words("", 3), "");
        for sentence in ["One two.", "One two!", "“One two?”", "(One two.)", "One two…"] {
            assert_eq!(first_words(&format!("{sentence} Three"), 2), sentence);
        }
    }

    #[test]
    fn counts_words_not_punctuation() {
        assert_eq!(count_words("It’s 5 o'clock – somewhere"), 4);
        assert_eq!(
            (reading_minutes(0), reading_minutes(200), reading_minutes(201)),
            (1, 1, 2)
        );
    }
}
