//! Text made comparable: lower case, without accents, one space before each word, a line break before that where a
//! block, sentence or clause ended, so that no phrase matches across it. Remembers where each word stands in the text
//! itself.
//!
//! Addresses that a text spells out are left out: words inside them are not the author's.

use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// Before each word.
const SPACE: u8 = b' ';
/// Between clauses, before the space.
const BREAK: u8 = b'\n';

/// A word of the folded text.
struct Word {
    /// Where it begins in the folded text.
    at: u32,
    /// Where it begins and ends in the text itself.
    start: u32,
    end: u32,
}

/// For each byte that is an ASCII letter or digit, its lower case; 0 for the others.
const LOWER: [u8; 256] = {
    let mut lower = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() {
            lower[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    lower
};

/// A folded text. Every word in it follows a space, the first one too.
pub(super) struct Folded<'a> {
    source: &'a str,
    text: Vec<u8>,
    words: Vec<Word>,
    /// Whether the last word goes on.
    in_word: bool,
}

impl<'a> Folded<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        let mut folded = Self {
            source,
            text: Vec::with_capacity(source.len() + source.len() / 32 + 4),
            words: Vec::with_capacity(source.len() / 5),
            in_word: false,
        };
        folded.text.extend([BREAK, SPACE]);
        let bytes = source.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if LOWER[usize::from(byte)] == 0 {
                at = folded.other(at);
                continue;
            }
            if !folded.in_word {
                if let Some(len) = address_len(&source[at..]) {
                    folded.separate(BREAK, at);
                    at += len;
                    continue;
                }
                folded.begin_word(at);
            }
            let rest = &bytes[at..];
            let end = rest.iter().position(|&byte| LOWER[usize::from(byte)] == 0);
            let letters = &rest[..end.unwrap_or(rest.len())];
            folded
                .text
                .extend(letters.iter().map(|&byte| LOWER[usize::from(byte)]));
            at += letters.len();
        }
        folded.separate(BREAK, at);
        folded
    }

    /// Any character but an ASCII letter or digit; gives its end.
    fn other(&mut self, at: usize) -> usize {
        if self.source.as_bytes()[at] == SPACE {
            self.separate(SPACE, at);
            return at + 1;
        }
        let mut rest = self.source[at..].chars();
        let Some(c) = rest.next() else {
            return self.source.len();
        };
        let goes_on = rest.clone().next().is_some_and(char::is_alphanumeric);
        if c.is_alphanumeric() || (is_combining_mark(c) && self.in_word) {
            if !self.in_word {
                self.begin_word(at);
            }
            let text = &mut self.text;
            decompose_canonical(c, |part| {
                if !is_combining_mark(part) {
                    for lower in part.to_lowercase() {
                        text.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
            });
        } else if !(self.in_word && goes_on && is_inside_word(c)) {
            let ends_clause = matches!(
                c,
                '\n' | '.' | ',' | ';' | ':' | '!' | '?' | '(' | ')' | '…' | '•' | '|'
            );
            let breaks = ends_clause && (!goes_on || c == '\n');
            self.separate(if breaks { BREAK } else { SPACE }, at);
        }
        at + c.len_utf8()
    }

    fn begin_word(&mut self, start: usize) {
        self.in_word = true;
        self.words.push(Word {
            at: self.text.len() as u32,
            start: start as u32,
            end: start as u32,
        });
    }

    /// Ends the word, if one goes on, at `at`, and the run of separators in one; a break is stronger than a space.
    fn separate(&mut self, with: u8, at: usize) {
        if self.in_word {
            self.in_word = false;
            if let Some(word) = self.words.last_mut() {
                word.end = at as u32;
            }
            if with == BREAK {
                self.text.push(BREAK);
            }
            self.text.push(SPACE);
        } else if let ([.., before, last], BREAK) = (self.text.as_mut_slice(), with)
            && *before != BREAK
        {
            *last = BREAK;
            self.text.push(SPACE);
        }
    }

    /// The folded text.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// How many words it has.
    pub(super) fn word_count(&self) -> usize {
        self.words.len()
    }

    /// Where its first `words` words end in the folded text.
    pub(super) fn end_of_lead(&self, words: usize) -> usize {
        self.words
            .get(words)
            .map_or(self.text.len(), |word| word.at as usize)
    }

    /// The words, as they stand in the text itself, that the folded text has from `start` to `end`.
    pub(super) fn original(&self, start: usize, end: usize) -> &'a str {
        let first = self.words.partition_point(|word| (word.at as usize) < start);
        let after = self.words.partition_point(|word| (word.at as usize) < end);
        match (self.words.get(first), self.words[..after].last()) {
            (Some(first), Some(last)) if first.start <= last.start => {
                &self.source[first.start as usize..last.end as usize]
            }
            _ => "",
        }
    }
}

/// A name as it is compared: folded, its words with one space between them.
pub(super) fn folded_name(name: &str) -> String {
    let folded = Folded::new(name);
    let words = folded
        .text()
        .split(|&byte| is_separator(byte))
        .filter(|word| !word.is_empty());
    String::from_utf8_lossy(&words.collect::<Vec<_>>().join(&b' ')).into_owned()
}

/// Whether a byte of folded text separates words.
pub(super) fn is_separator(byte: u8) -> bool {
    matches!(byte, SPACE | BREAK)
}

/// Characters that a word may hold and that are left out of it.
fn is_inside_word(c: char) -> bool {
    matches!(
        c,
        '\'' | '’' | '\u{AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}'
    )
}

/// The length of a spelt-out address at the start of `rest`.
fn address_len(rest: &str) -> Option<usize> {
    let is_address = matches!(rest.as_bytes()[0] | 0x20, b'h' | b'w')
        && ["http://", "https://", "www."].iter().any(|start| {
            rest.get(..start.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(start))
        });
    is_address.then(|| rest.find(char::is_whitespace).unwrap_or(rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds() {
        for (text, folded) in [
            ("Open  Data\t—  Café\nnext", "\n open data cafe\n next\n "),
            (
                "Cafe\u{301}s: the council’s GOV.UK pages.",
                "\n cafes\n the councils gov uk pages\n ",
            ),
            ("see https://example.org/open-data now", "\n see\n now\n "),
            ("co-design; (so) what?", "\n co design\n so\n what\n "),
            ("", "\n "),
            ("one , . two", "\n one\n two\n "),
        ] {
            assert_eq!(Folded::new(text).text(), folded.as_bytes(), "{text}");
        }
    }

    #[test]
    fn leads_back_to_the_text_itself() {
        let folded = Folded::new("Über Citizens’  “Open  Data” day");
        assert_eq!(folded.text(), b"\n uber citizens open data day\n ");
        assert_eq!(folded.original(16, 25), "Open  Data");
        assert_eq!(folded.original(2, 6), "Über");
        assert_eq!(folded.word_count(), 5);
        assert_eq!(folded.end_of_lead(2), 16);
        assert_eq!(folded.end_of_lead(9), folded.text().len());
    }
}
