//! Names that look like what they are not (Unicode Technical Standard 39): letters of two alphabets in one word, and names that
//! cannot be told from another's by looking at them.

use unicode_security::MixedScript as _;
use unicode_security::confusable_detection::skeleton;

/// The first word of a name whose letters are not of one alphabet, as where a Cyrillic а stands among Latin letters
/// (section 5.1). What is written in several by custom, as Japanese is, counts as one.
pub(crate) fn mixed_word(name: &str) -> Option<&str> {
    name.split(|c: char| !c.is_alphanumeric())
        .find(|word| !word.is_single_script())
}

/// What is left of a name when letters that look the same are made the same: equal for names that look alike (section 4),
/// whatever their capitals and spaces.
pub(crate) fn face(name: &str) -> String {
    let small = name.to_lowercase();
    skeleton(&small).filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_letters_of_one_alphabet() {
        for name in [
            "Ann Example",
            "Siân ap Rhys-Jones",
            "Łukasz O’Neill 3rd",
            "Анна Smith",
            "Ελένη",
            "田中さくら",
            "김철수",
            "محمد",
            "Team 42 (digital)",
            "Zoe\u{308}",
        ] {
            assert_eq!(mixed_word(name), None, "{name}");
        }
        for (name, word) in [
            ("Ann Ex\u{430}mple", "Ex\u{430}mple"),
            ("\u{391}nn Example", "\u{391}nn"),
            ("Bristol C\u{43e}uncil", "C\u{43e}uncil"),
        ] {
            assert_eq!(mixed_word(name), Some(word), "{name}");
        }
    }

    #[test]
    fn names_that_look_alike_have_one_face() {
        for (one, other) in [
            ("Ann Example", "ann  example"),
            ("coco", "\u{441}\u{43e}\u{441}\u{43e}"),
            ("Ann Example", "Ann Examp1e"),
        ] {
            assert_eq!(face(one), face(other), "{one} {other}");
        }
        assert_ne!(face("Ann Example"), face("Anna Example"));
        assert_ne!(face("Zoe"), face("Zoé"));
    }
}
