//! The words of an entry as PostgreSQL's index takes them: letters and digits in lower case, without their marks, in
//! no language's grammar.
//!
//! The server can do the same (`voice_words` in its migrations) and does it for what changes; of new entries, which come
//! by the thousand, it takes longer over their words than over all the rest. It knows no table.

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// How much of a title and of a text is indexed, in characters.
const TITLE: usize = 2_000;
const TEXT: usize = 250_000;
/// The longest word that is indexed, in bytes: the server takes no longer one.
const WORD: usize = 2_046;
/// How many bytes the words and their places may take together: the server takes no more than a mebibyte.
const ALL: usize = 900_000;
/// What the place of a word takes.
const PLACE: usize = 6;

/// A `tsvector` in the form in which one is written (PostgreSQL 8.11.1): each word with its place; those of the title,
/// which come first, with the weight `A`.
pub(crate) fn tsvector(title: &str, text: &str) -> String {
    let mut vector = String::with_capacity(text.len() * 2);
    let mut place = 0;
    let mut bytes = 0;
    let parts = [(title, TITLE, "A "), (text, TEXT, " ")];
    for (part, most, weight) in parts {
        for word in words(part, most).split(' ') {
            bytes += word.len() + PLACE;
            if word.is_empty() || word.len() > WORD || bytes > ALL {
                continue;
            }
            place += 1;
            write!(vector, "{word}:{place}{weight}").expect("a String takes every text");
        }
    }
    vector
}

/// The words of the first so many characters, with spaces between them.
pub(crate) fn words(text: &str, most: usize) -> String {
    let mut words = String::with_capacity(text.len().min(most));
    for c in text.chars().take(most).nfkd() {
        match c {
            'a'..='z' | '0'..='9' => words.push(c),
            ' '..='~' => words.push(if c.is_ascii_uppercase() {
                c.to_ascii_lowercase()
            } else {
                ' '
            }),
            // The marks of letters.
            '\u{300}'..='\u{36F}' => {}
            // Signs that are no letters, whatever the server takes them for.
            '\u{80}'..='\u{BF}' | '\u{2000}'..='\u{2BFF}' | '\u{3000}'..='\u{303F}' => words.push(' '),
            _ if c.is_alphanumeric() || is_combining_mark(c) => words.extend(c.to_lowercase()),
            _ => words.push(' '),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Fields;
    use crate::sql::Sql;
    use crate::testing;

    #[test]
    fn words_stand_with_their_places() {
        assert_eq!(
            tsvector("Café 2.0", "It’s the café’s — ÜBER_all! Приве́т"),
            "cafe:1A 2:2A 0:3A it:4 s:5 the:6 cafe:7 s:8 uber:9 all:10 привет:11 "
        );
        assert_eq!(tsvector("", "…"), "");
        let long = "x".repeat(WORD + 1);
        assert_eq!(tsvector("", &format!("{long} y")), "y:1 ");
    }

    /// So many words, each of which is another.
    fn numbered(word: &str, many: usize) -> String {
        (0..many).fold(String::new(), |mut text, number| {
            write!(text, "{word}{number} ").unwrap();
            text
        })
    }

    #[test]
    fn an_index_has_an_end() {
        let many = numbered("", TEXT);
        assert!(tsvector("", &many).len() < 2 * ALL);
    }

    #[tokio::test]
    #[ignore = "run by scripts/test beside a PostgreSQL server"]
    async fn the_server_finds_the_same_words() {
        let store = testing::new_postgres().await.open().await;
        for (title, text) in [
            ("", ""),
            (
                "Title: 1e5, 0x1f & v1.2.3",
                "a-b_c d.e@f.org http://g.example/h?i=j#k 007 3rd 5° ½ Ⅷ ﬁne",
            ),
            (
                "ΑΘΗΝΑΣ ΐ",
                "Ёлка, ПРИВЕТ — “quoted” ‘single’… naïve Dvořák Zürich İstanbul straße",
            ),
            (
                "日本語",
                "日本語のブログ。한국어 블로그, العربية ٣ हिन्दी ३ ภาษาไทย עברית",
            ),
            ("🎉 party", "a🎉b c×d e÷f g\u{ad}h i\u{200b}j \u{1F1EC}\u{1F1E7}"),
            ("one two", "two one two ONE"),
        ] {
            let sql = "SELECT voice_words($1, $2)::text, $3::tsvector::text";
            let row = Sql::new(sql)
                .bind(title)
                .bind(text)
                .bind(tsvector(title, text))
                .fetch_one(store.readers())
                .await
                .unwrap();
            let mut fields = Fields::of("entries_fts", &row);
            let (theirs, ours): (String, String) = (fields.take().unwrap(), fields.take().unwrap());
            assert_eq!(ours, theirs);
        }
        // Neither too long a word nor too many of them are an error.
        let long = numbered("語", 200_000);
        let sql = "SELECT length($1::tsvector) > 10000";
        let fits = Sql::new(sql)
            .bind(tsvector(&long, &long))
            .fetch_value::<bool>("entries_fts", store.readers());
        assert!(fits.await.unwrap());
    }
}
