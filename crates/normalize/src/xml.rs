//! XML as it is written: a tokeniser that takes every text and never fails. What it has to mend to go on, it
//! remembers with its place, so that the blogger can be told.
//!
//! It knows tags, text and references, and nothing of feeds. Linear in the length of the text, whatever stands in it.

use std::borrow::Cow;
use std::collections::HashMap;

use memchr::memchr;

use crate::entities::{Reference, named, numbered, reference};

/// What was wrong with the markup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flaw {
    TextBefore,
    TextAfter,
    Truncated,
    Mismatched,
    BadTag,
    BareLess,
    BareAmpersand,
    UnknownEntity,
    BadReference,
    Control,
    UndeclaredPrefix,
    TooDeep,
    TooLarge,
}

/// A flaw, where it first stood and how often it did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mended {
    pub(crate) flaw: Flaw,
    /// Offset in the text.
    pub(crate) at: usize,
    /// The number of the entry around it, from 1; 0 outside of all.
    pub(crate) entry: usize,
    pub(crate) times: usize,
}

/// `name="value"`, references decoded.
#[derive(Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Cow<'a, str>,
}

/// One piece of the document.
#[derive(Debug)]
pub(crate) enum Token<'a> {
    Open {
        /// With its prefix.
        name: &'a str,
        attributes: Vec<Attribute<'a>>,
        /// `<name/>`.
        empty: bool,
    },
    Close(&'a str),
    /// References decoded.
    Text(Cow<'a, str>),
    /// As it stood.
    Cdata(Cow<'a, str>),
}

/// Splits a text into tokens.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    /// Where the next token begins.
    pub(crate) at: usize,
    entities: HashMap<&'a str, &'a str>,
    mended: Vec<Mended>,
    flaws: usize,
    /// The number of the entry that is being read, for what is mended in it.
    pub(crate) entry: usize,
    /// Ends that were looked for and do not come any more.
    absent: Vec<&'static str>,
}

impl<'a> Tokens<'a> {
    /// Reads `text` from `start` on; what stands before may declare entities.
    pub(crate) fn new(text: &'a str, start: usize) -> Self {
        Self {
            text,
            at: start,
            entities: declared_entities(&text[..start]),
            mended: Vec::new(),
            flaws: 0,
            entry: 0,
            absent: Vec::new(),
        }
    }

    /// How many flaws there were so far.
    pub(crate) fn flaws(&self) -> usize {
        self.flaws
    }

    /// What was mended so far, one for each flaw.
    pub(crate) fn into_mended(self) -> Vec<Mended> {
        self.mended
    }

    /// Remembers a flaw at an offset.
    pub(crate) fn note(&mut self, flaw: Flaw, at: usize) {
        self.flaws += 1;
        match self.mended.iter_mut().find(|mended| mended.flaw == flaw) {
            Some(mended) => mended.times += 1,
            None => self.mended.push(Mended {
                flaw,
                at,
                entry: self.entry,
                times: 1,
            }),
        }
    }

    /// The next token; `None` at the end. `inside` names the open element, which ends what never closes.
    pub(crate) fn next(&mut self, inside: &str) -> Option<Token<'a>> {
        loop {
            let rest = &self.text[self.at..];
            if rest.is_empty() {
                return None;
            }
            if !rest.starts_with('<') {
                return Some(self.take_text(0));
            }
            let bytes = rest.as_bytes();
            match bytes.get(1) {
                Some(b'!') if rest.starts_with("<![CDATA[") => return Some(self.cdata(inside)),
                Some(b'!') if rest.starts_with("<!--") => self.at = self.past(self.at + 4, "-->"),
                Some(b'!' | b'?') => self.at = self.past(self.at, ">"),
                Some(b'/') => {
                    let name = name_at(&rest[2..]);
                    if name.is_empty() {
                        // `</>` and `</ name>` close nothing that could be named.
                        self.note(Flaw::BadTag, self.at);
                    }
                    let end = rest[2..].find(['>', '<']).map_or(rest.len(), |end| end + 2);
                    self.at += end + usize::from(rest[end..].starts_with('>'));
                    return Some(Token::Close(name));
                }
                _ => {
                    let name = name_at(&rest[1..]);
                    if name.is_empty() {
                        self.note(Flaw::BareLess, self.at);
                        return Some(self.take_text(1));
                    }
                    return Some(self.open(name));
                }
            }
        }
    }

    /// Text up to the next `<`, not counting the first `skip` bytes.
    fn take_text(&mut self, skip: usize) -> Token<'a> {
        let rest = &self.text[self.at..];
        let end = rest[skip..].find('<').map_or(rest.len(), |end| end + skip);
        let start = self.at;
        self.at += end;
        Token::Text(self.decode(&rest[..end], start))
    }

    fn cdata(&mut self, inside: &str) -> Token<'a> {
        let start = self.at + "<![CDATA[".len();
        let (end, next) = if let Some(found) = self.find(start, "]]>") {
            (found, found + 3)
        } else {
            self.note(Flaw::Truncated, self.at);
            let closing = format!("</{inside}");
            let end = self.text[start..]
                .find(&closing)
                .map_or(self.text.len(), |end| start + end);
            (end, end)
        };
        self.at = next;
        Token::Cdata(self.without_controls(&self.text[start..end], start))
    }

    fn open(&mut self, name: &'a str) -> Token<'a> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut at = start + 1 + name.len();
        let mut attributes = Vec::new();
        let mut empty = false;
        loop {
            match bytes.get(at) {
                None => {
                    self.note(Flaw::Truncated, start);
                    break;
                }
                Some(b'>') => {
                    at += 1;
                    break;
                }
                // The tag was never closed; what comes is another one.
                Some(b'<') => {
                    self.note(Flaw::BadTag, start);
                    break;
                }
                // `<br/>`, `<br / >`, and `<br/` that was never closed.
                Some(b'/') => {
                    empty = true;
                    at += 1;
                }
                Some(byte) if byte.is_ascii_whitespace() => at += 1,
                Some(_) => {
                    empty = false;
                    at = self.attribute(at, start, &mut attributes);
                }
            }
        }
        self.at = at;
        Token::Open {
            name,
            attributes,
            empty,
        }
    }

    /// Reads an attribute at `at`; returns the offset past it.
    fn attribute(&mut self, at: usize, tag: usize, attributes: &mut Vec<Attribute<'a>>) -> usize {
        let text = self.text;
        let bytes = text.as_bytes();
        let ends =
            |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'>' | b'/' | b'<' | b'"' | b'\'');
        let skip_space = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
                at += 1;
            }
            at
        };
        let mut end = at;
        while bytes.get(end).is_some_and(|&byte| !ends(byte)) {
            end += 1;
        }
        let name = &text[at..end];
        if name.is_empty() {
            // A stray quote or sign.
            self.note(Flaw::BadTag, tag);
            return at + 1;
        }
        let sign = skip_space(end);
        if bytes.get(sign) != Some(&b'=') {
            self.note(Flaw::BadTag, tag);
            return sign;
        }
        let start = skip_space(sign + 1);
        let quoted = match bytes.get(start) {
            Some(b'"') => self.find(start + 1, "\""),
            Some(b'\'') => self.find(start + 1, "'"),
            _ => None,
        };
        // A quote that was never closed runs over the end of its tag into the next one.
        let runs_over = |close: &usize| {
            let value = &text[start + 1..*close];
            value
                .find(['<', '>'])
                .is_some_and(|at| value.as_bytes()[at] == b'>' && value[at..].contains('<'))
        };
        let quoted = quoted.filter(|close| !runs_over(close));
        let (value, next) = if let Some(close) = quoted {
            (start + 1..close, close + 1)
        } else {
            self.note(Flaw::BadTag, tag);
            let length = bytes[start..]
                .iter()
                .take_while(|&&byte| !byte.is_ascii_whitespace() && !matches!(byte, b'>' | b'<'))
                .count();
            (start..start + length, start + length)
        };
        let raw = text[value.clone()].trim_start_matches(['"', '\'']);
        let value = self.decode(raw, value.end - raw.len());
        attributes.push(Attribute { name, value });
        next
    }

    /// Decodes references and leaves out control characters.
    fn decode(&mut self, raw: &'a str, start: usize) -> Cow<'a, str> {
        if !raw.contains('&') {
            return self.without_controls(raw, start);
        }
        let mut out = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(found) = memchr(b'&', rest.as_bytes()) {
            out.push_str(&rest[..found]);
            rest = &rest[found..];
            let at = start + raw.len() - rest.len();
            let length = match reference(rest) {
                Reference::Named(name, length) => {
                    match name {
                        "amp" => out.push('&'),
                        "lt" => out.push('<'),
                        "gt" => out.push('>'),
                        "quot" => out.push('"'),
                        "apos" => out.push('\''),
                        _ => {
                            if let Some(value) = self.entities.get(name) {
                                out.push_str(&crate::entities::decode_references(value));
                            } else {
                                self.note(Flaw::UnknownEntity, at);
                                match named(name) {
                                    Some(c) => out.push(c),
                                    None => out.push_str(&rest[..length]),
                                }
                            }
                        }
                    }
                    length
                }
                Reference::Numbered(number, length) => {
                    match numbered(number) {
                        Some(c) => out.push(c),
                        None => self.note(Flaw::BadReference, at),
                    }
                    length
                }
                Reference::None => {
                    self.note(Flaw::BareAmpersand, at);
                    out.push('&');
                    1
                }
            };
            rest = &rest[length..];
        }
        out.push_str(rest);
        match self.without_controls(raw, start) {
            Cow::Borrowed(_) => Cow::Owned(out),
            Cow::Owned(_) => Cow::Owned(out.chars().filter(|&c| !is_forbidden(c)).collect()),
        }
    }

    fn without_controls(&mut self, raw: &'a str, start: usize) -> Cow<'a, str> {
        match raw
            .bytes()
            .position(|byte| is_forbidden(char::from(byte)) && byte < 0x20)
        {
            None => Cow::Borrowed(raw),
            Some(at) => {
                self.note(Flaw::Control, start + at);
                Cow::Owned(raw.chars().filter(|&c| !is_forbidden(c)).collect())
            }
        }
    }

    /// The offset past the next `end`, or the end of the text.
    fn past(&mut self, from: usize, end: &'static str) -> usize {
        if let Some(found) = self.find(from, end) {
            return found + end.len();
        }
        self.note(Flaw::Truncated, self.at);
        // A comment that never ends would take all that follows with it.
        match self.text[self.at..].find('>') {
            Some(found) => self.at + found + 1,
            None => self.text.len(),
        }
    }

    /// Looks for `end` once in vain, not again for each tag.
    fn find(&mut self, from: usize, end: &'static str) -> Option<usize> {
        if self.absent.contains(&end) {
            return None;
        }
        let found = self.text.get(from..).and_then(|rest| rest.find(end));
        if found.is_none() {
            self.absent.push(end);
        }
        found.map(|found| from + found)
    }
}

/// What XML 1.0 forbids among the characters that feeds hold (section 2.2).
fn is_forbidden(c: char) -> bool {
    c < ' ' && !matches!(c, '\t' | '\n' | '\r')
}

/// The name at the start of `rest`; empty if none can begin there.
pub(crate) fn name_at(rest: &str) -> &str {
    if !rest.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == ':') {
        return "";
    }
    let end = rest
        .find(|c: char| c.is_whitespace() || matches!(c, '>' | '/' | '<' | '=' | '"' | '\'' | '&' | ','))
        .unwrap_or(rest.len());
    &rest[..end]
}

/// `<!ENTITY name "value">` of a document type. What their values refer to is not expanded in turn.
fn declared_entities(prolog: &str) -> HashMap<&str, &str> {
    const LONGEST: usize = 1_000;
    prolog
        .split("<!ENTITY")
        .skip(1)
        .filter_map(|declaration| {
            let declaration = declaration.trim_start();
            let (name, value) = declaration.split_once(char::is_whitespace)?;
            let value = value.trim_start();
            let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let value = value[1..].split(quote).next()?;
            (value.len() <= LONGEST).then_some((name, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn tokens(text: &str) -> (String, Vec<(Flaw, usize)>) {
        let mut tokens = Tokens::new(text, 0);
        let mut out = String::new();
        while let Some(token) = tokens.next("x") {
            match token {
                Token::Open {
                    name,
                    attributes,
                    empty,
                } => {
                    write!(out, "<{name}").unwrap();
                    for Attribute { name, value } in attributes {
                        write!(out, " {name}=[{value}]").unwrap();
                    }
                    out.push_str(if empty { "/>" } else { ">" });
                }
                Token::Close(name) => write!(out, "</{name}>").unwrap(),
                Token::Text(text) => out.push_str(&text),
                Token::Cdata(text) => write!(out, "[{text}]").unwrap(),
            }
        }
        let mended = tokens
            .into_mended()
            .iter()
            .map(|mended| (mended.flaw, mended.at))
            .collect();
        (out, mended)
    }

    #[test]
    fn what_is_well_formed_is_left_alone() {
        let (out, mended) =
            tokens("<a b='1' c=\"&lt;\"/><?p?><!-- <b> -->x &amp; &#8217; <![CDATA[<&]]></a >");
        assert_eq!(out, "<a b=[1] c=[<]/>x & ’ [<&]</a>");
        assert_eq!(mended, []);
    }

    #[test]
    fn flaws_are_mended_and_told() {
        for (text, expected, flaw, at) in [
            ("a < b", "a < b", Flaw::BareLess, 2),
            ("R&D", "R&D", Flaw::BareAmpersand, 1),
            ("a&nbsp;b&unknown;", "a\u{a0}b&unknown;", Flaw::UnknownEntity, 1),
            ("a&#0;b", "ab", Flaw::BadReference, 1),
            ("a\u{8}b", "ab", Flaw::Control, 1),
            ("<a b=c>", "<a b=[c]>", Flaw::BadTag, 0),
            ("<a b>", "<a>", Flaw::BadTag, 0),
            ("<a b='1'<c>", "<a b=[1]><c>", Flaw::BadTag, 0),
            ("<a b=\"1><c>x", "<a b=[1]><c>x", Flaw::BadTag, 0),
            ("<a b=\"1><c d=\"2\">x", "<a b=[1]><c d=[2]>x", Flaw::BadTag, 0),
            ("x<a b", "x<a>", Flaw::BadTag, 1),
            ("<![CDATA[a</x>b", "[a]</x>b", Flaw::Truncated, 0),
            ("<!-- a > b", " b", Flaw::Truncated, 0),
        ] {
            let (out, mended) = tokens(text);
            assert_eq!(out, expected, "{text}");
            assert_eq!(mended[0], (flaw, at), "{text}");
        }
    }

    #[test]
    fn entities_of_a_document_type_are_known_and_not_expanded_again() {
        let text =
            "<!DOCTYPE a [<!ENTITY org 'Example &amp; Co'><!ENTITY bomb '&org;&org;'>]><a>&org; &bomb;</a>";
        let mut tokens = Tokens::new(text, text.find("<a>").unwrap());
        assert!(matches!(tokens.next(""), Some(Token::Open { .. })));
        let Some(Token::Text(said)) = tokens.next("") else {
            panic!()
        };
        assert_eq!(said, "Example & Co &org;&org;");
    }

    #[test]
    fn a_flaw_in_what_is_left_of_a_broken_attribute_lies_where_it_stands() {
        // The quote is trimmed; the place was once counted from it, into the middle of a letter.
        let (_, mended) = tokens("<a b=\"é&#0;>");
        assert!(
            mended.contains(&(Flaw::BadReference, "<a b=\"é".len())),
            "{mended:?}"
        );
    }
}
