//! JSON without the characters that the contract forbids. Every JSON document is written through here.

use std::io;

use model::clean_text;
use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

/// `value` as compact JSON; forbidden characters are left out of every string.
///
/// # Panics
///
/// If a map in `value` has keys that are not strings; ours have none.
pub fn json(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(&mut out, CleanFormatter))
        .expect("keys are strings, and a Vec takes every byte");
    String::from_utf8(out).expect("serde_json writes UTF-8")
}

/// Compact, and deaf to forbidden characters.
struct CleanFormatter;

impl Formatter for CleanFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        out.write_all(clean_text(fragment).as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::Backspace | CharEscape::FormFeed | CharEscape::AsciiControl(_) => Ok(()),
            allowed => CompactFormatter.write_char_escape(out, allowed),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn leaves_out_what_is_forbidden_and_escapes_the_rest() {
        let text = "a\u{8}b\u{0}c\u{c}d\u{85}e\u{FFFE}f\u{7F} \"\\\n\t😀</script>";
        let read: String = serde_json::from_str(&super::json(&text)).unwrap();
        assert_eq!(read, "abcdef \"\\\n\t😀</script>");
    }
}
