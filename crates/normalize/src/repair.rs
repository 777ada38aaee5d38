//! Breakages that every reader meets and feed-rs does not forgive, mended in one pass over the text: junk and
//! declarations around the root, odd versions and namespaces of the root, bare `&` and `<`, HTML's named
//! characters, control characters.
//!
//! What is clean is borrowed, not copied. This is the place for every further repair of XML: [`mend_root`] for
//! what the root decides, [`Mender::markup`] for what a tag decides. It never drops an entry and never invents one.

use std::borrow::Cow;

use crate::document::Format;
use crate::entities::{Reference, named, numbered, reference};
use crate::error::{Found, ReadError};
use crate::problem::{Problem, Severity};

/// XML that feed-rs takes, from the root element on.
pub(crate) struct Repaired<'a> {
    pub(crate) xml: Cow<'a, str>,
    pub(crate) format: Format,
    pub(crate) problem: Option<Problem>,
    /// Whether a `source` element stands in it, for [`crate::origin::sources`].
    pub(crate) names_sources: bool,
}

/// Finds the feed in `text` and mends it.
///
/// # Errors
///
/// [`ReadError::NotAFeed`] if no element opens a feed.
pub(crate) fn repair(text: &str) -> Result<Repaired<'_>, ReadError> {
    let root = find_root(text)?;
    // From the root on: what stands before it (declaration, document type, a PHP warning) decides nothing once
    // the text is decoded, and a declaration that names another encoding makes the parser panic.
    let body = &text[root.start..];
    let mut mender = Mender::new(text, root.start);
    if root.junk_before {
        mender.note(0, "text before the feed");
    }
    let (format, tag) = mend_root(&text[root.start..root.end], &root.name);
    let cleaned = without_controls(body);
    if let Cow::Owned(_) = cleaned {
        mender.note(root.start, "control characters");
    }
    let xml = match mender.mend(&cleaned) {
        Some(xml) => Cow::Owned(xml),
        None => cleaned,
    };
    let xml = match tag {
        // The mender may have changed the root's own tag; its end is the first ">" outside quotes in either.
        Some(tag) => {
            let (rest, closing) = match root.name.as_str() {
                "channel" => (&xml[..], "</rss>"),
                _ => (&xml[tag_end(&xml, 0)..], ""),
            };
            Cow::Owned([tag.as_str(), rest, closing].concat())
        }
        None => xml,
    };
    Ok(Repaired {
        xml,
        format,
        problem: mender.problem(),
        names_sources: mender.names_sources,
    })
}

struct Root {
    start: usize,
    end: usize,
    /// Local name, lower case.
    name: String,
    junk_before: bool,
}

/// The first element that opens a feed, past whatever precedes it.
fn find_root(text: &str) -> Result<Root, ReadError> {
    let mut at = 0;
    let mut junk_before = false;
    let mut first_element: Option<&str> = None;
    let mut html = false;
    while let Some(found) = text[at..].find('<') {
        let start = at + found;
        junk_before |= !text[at..start].trim().is_empty();
        let rest = &text[start..];
        at = if rest.starts_with("<!--") {
            past(text, start + 4, "-->")
        } else if rest.starts_with("<![CDATA[") {
            past(text, start, "]]>")
        } else if rest.starts_with("<?") {
            past(text, start, ">")
        } else if rest.starts_with("<!") {
            html |= rest
                .get(..14)
                .is_some_and(|doctype| doctype.eq_ignore_ascii_case("<!doctype html"));
            let end = past(text, start, ">");
            // An internal subset holds declarations of its own.
            if text[start..end].contains('[') {
                past(text, start, "]>")
            } else {
                end
            }
        } else {
            let name = element_name(&rest[1..]);
            let local = name.rsplit(':').next().unwrap_or(name).to_ascii_lowercase();
            match local.as_str() {
                "rss" | "feed" | "rdf" | "channel" | "entry" => {
                    return Ok(Root {
                        start,
                        end: tag_end(text, start),
                        name: local,
                        junk_before,
                    });
                }
                "html" | "head" | "body" => html = true,
                "opml" => return Err(ReadError::NotAFeed { what: Found::Opml }),
                "" => {}
                _ => {
                    first_element.get_or_insert(name);
                }
            }
            if html {
                break;
            }
            junk_before = true;
            start + 1 + name.len()
        };
    }
    let what = match first_element {
        _ if html => Found::Html,
        Some(name) if HTML_ELEMENTS.contains(&name.to_ascii_lowercase().as_str()) => Found::Html,
        Some(name) => Found::Xml(name.to_owned()),
        None if text.trim().is_empty() => Found::Empty,
        None => Found::Text,
    };
    Err(ReadError::NotAFeed { what })
}

/// What a page without `<html>` may begin with.
const HTML_ELEMENTS: [&str; 12] = [
    "a", "b", "br", "center", "div", "h1", "h2", "meta", "p", "script", "table", "title",
];

/// The offset past the next `end`, or the end of the text. Looks for one byte first, which is several times as fast
/// as looking for all of them.
fn past(text: &str, from: usize, end: &str) -> usize {
    let first = char::from(end.as_bytes()[0]);
    let mut at = from.min(text.len());
    while let Some(found) = text[at..].find(first) {
        at += found;
        if text[at..].starts_with(end) {
            return at + end.len();
        }
        at += 1;
    }
    text.len()
}

fn element_name(rest: &str) -> &str {
    let end = rest
        .find(|c: char| c.is_whitespace() || matches!(c, '>' | '/' | '<' | '='))
        .unwrap_or(rest.len());
    if rest.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        &rest[..end]
    } else {
        ""
    }
}

/// The offset past the `>` that ends the tag at `start`; quotes are respected.
fn tag_end(text: &str, start: usize) -> usize {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate().skip(start) {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return at + 1,
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    text.len()
}

/// Where the value of an attribute lies in a tag, quotes excluded.
fn attribute(tag: &str, name: &str) -> Option<std::ops::Range<usize>> {
    let mut from = 0;
    while let Some(found) = tag[from..].find(name) {
        let at = from + found;
        from = at + name.len();
        let rest = tag[from..].trim_start();
        if !tag[..at].ends_with(char::is_whitespace) || !rest.starts_with('=') {
            continue;
        }
        let value = rest[1..].trim_start();
        let start = tag.len() - value.len() + 1;
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let length = tag[start..].find(quote)?;
        return Some(start..start + length);
    }
    None
}

/// The format that a root announces, and the root as feed-rs knows it, where it differs.
fn mend_root(tag: &str, name: &str) -> (Format, Option<String>) {
    const ATOM: &str = "http://www.w3.org/2005/Atom";
    const RSS1: &str = "http://purl.org/rss/1.0/";
    let replace =
        |range: std::ops::Range<usize>, with: &str| [&tag[..range.start], with, &tag[range.end..]].concat();
    let namespace = attribute(tag, "xmlns");
    let stated = namespace.clone().map(|range| &tag[range]);
    match name {
        // A channel that lost its <rss>.
        "channel" => (Format::Rss2, Some("<rss version=\"2.0\">".to_owned())),
        "rdf" => match (stated, namespace) {
            // RSS 0.90 is RSS 1.0 under another name.
            (Some(uri), Some(range)) if uri.contains("netscape.com/rdf/") => {
                (Format::Rss0, Some(replace(range, RSS1)))
            }
            _ => (Format::Rss1, None),
        },
        // Atom 0.3 and misspelt namespaces.
        "feed" | "entry" => match (stated, namespace) {
            (Some(uri), Some(range)) if uri != ATOM => (Format::Atom, Some(replace(range, ATOM))),
            _ => (Format::Atom, None),
        },
        _ => {
            let version = attribute(tag, "version");
            let stated_version = version.clone().map(|range| tag[range].trim());
            let format = if stated_version.is_some_and(|version| version.starts_with('0')) {
                Format::Rss0
            } else {
                Format::Rss2
            };
            // RSS has no namespace of its own, whatever userland.com once said.
            let foreign = stated.is_some_and(|uri| uri != RSS1);
            if !foreign && matches!(stated_version, Some("2.0" | "" | "0.91" | "0.92")) {
                return (format, None);
            }
            let mut tag = tag.to_owned();
            if let Some(range) = attribute(&tag, "xmlns").filter(|_| foreign) {
                tag.replace_range(range, RSS1);
            }
            let known = if format == Format::Rss0 { "0.92" } else { "2.0" };
            match attribute(&tag, "version") {
                Some(range) => tag.replace_range(range, known),
                None => tag.insert_str(
                    1 + element_name(&tag[1..]).len(),
                    &format!(" version=\"{known}\""),
                ),
            }
            (format, Some(tag))
        }
    }
}

/// Leaves out the control characters that XML 1.0 forbids (section 2.2).
fn without_controls(text: &str) -> Cow<'_, str> {
    let forbidden = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    // In blocks without an early way out, so that the compiler can compare many bytes at once.
    let clean = text
        .as_bytes()
        .chunks(4096)
        .all(|block| !block.iter().fold(false, |found, &byte| found | forbidden(byte)));
    if clean {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(
            text.chars()
                .filter(|&c| !(c.is_ascii() && forbidden(c as u8)))
                .collect(),
        )
    }
}

/// Copies text with its breakages mended; copies nothing while there are none.
struct Mender<'a> {
    document: &'a str,
    root: usize,
    first: Option<(usize, &'static str)>,
    others: usize,
    out: String,
    copied: usize,
    names_sources: bool,
}

impl<'a> Mender<'a> {
    fn new(document: &'a str, root: usize) -> Self {
        Self {
            document,
            root,
            first: None,
            others: 0,
            out: String::new(),
            copied: 0,
            names_sources: false,
        }
    }

    /// Remembers what was mended; only the first is named, with its line.
    fn note(&mut self, at: usize, what: &'static str) {
        if self.first.is_none() {
            self.first = Some((at, what));
        } else {
            self.others += 1;
        }
    }

    fn replace(&mut self, text: &str, at: usize, length: usize, with: &str) {
        self.out.push_str(&text[self.copied..at]);
        self.out.push_str(with);
        self.copied = at + length;
    }

    /// The mended text, or `None` if there was nothing to mend.
    fn mend(&mut self, text: &str) -> Option<String> {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(found) = bytes[at..].iter().position(|&byte| byte == b'<' || byte == b'&') {
            at += found;
            at = if bytes[at] == b'&' {
                self.ampersand(text, at)
            } else {
                self.markup(text, at)
            };
        }
        if self.copied == 0 {
            return None;
        }
        self.out.push_str(&text[self.copied..]);
        Some(std::mem::take(&mut self.out))
    }

    /// Mends the reference at `at`; returns where to go on.
    fn ampersand(&mut self, text: &str, at: usize) -> usize {
        match reference(&text[at..]) {
            Reference::Named("amp" | "lt" | "gt" | "quot" | "apos", length) => at + length,
            Reference::Named(name, length) => {
                self.note(
                    self.root + at,
                    "an HTML character like “&nbsp;”, which XML does not know",
                );
                match named(name) {
                    Some(c) => self.replace(text, at, length, c.encode_utf8(&mut [0; 4])),
                    None => self.replace(text, at, 1, "&amp;"),
                }
                at + length
            }
            Reference::Numbered(number, length) => {
                let c = numbered(number);
                if c.is_none_or(|c| c as u32 != number) {
                    self.note(self.root + at, "a reference to a control character");
                    self.replace(text, at, length, &c.map(String::from).unwrap_or_default());
                }
                at + length
            }
            Reference::None => {
                self.note(self.root + at, "a bare “&”");
                self.replace(text, at, 1, "&amp;");
                at + 1
            }
        }
    }

    /// Steps over the markup at `at` or mends it; returns where to go on.
    fn markup(&mut self, text: &str, at: usize) -> usize {
        let rest = &text[at..];
        match rest.as_bytes().get(1) {
            Some(b'!') if rest.starts_with("<![CDATA[") => past(text, at, "]]>"),
            Some(b'!') if rest.starts_with("<!--") => past(text, at + 4, "-->"),
            Some(b'?') => {
                let end = past(text, at, "?>");
                // A second declaration would switch the parser to another encoding.
                if rest.starts_with("<?xml") {
                    self.note(self.root + at, "an XML declaration inside the feed");
                    self.replace(text, at, end - at, "");
                }
                end
            }
            Some(b'/' | b'!' | b'_' | b':' | 0x80..) => at + 1,
            Some(byte) if byte.is_ascii_alphabetic() => {
                self.names_sources |= rest.starts_with("<source") || rest.starts_with("<atom:source");
                at + 1
            }
            _ => {
                self.note(self.root + at, "a bare “<”");
                self.replace(text, at, 1, "&lt;");
                at + 1
            }
        }
    }

    fn problem(&self) -> Option<Problem> {
        let (at, what) = self.first?;
        let before = &self.document.as_bytes()[..at.min(self.document.len())];
        let line = before.split(|&byte| byte == b'\n').count();
        let more = match self.others {
            0 => String::new(),
            1 => ", and one more breakage".to_owned(),
            n => format!(", and {n} more breakages"),
        };
        Some(Problem {
            code: "not-wellformed",
            severity: Severity::Warning,
            place: format!("line {line}"),
            message: format!("The feed is not well-formed XML: {what}{more}. We mended it; other readers may refuse it."),
            fix: "Let the blog software write titles and links into the feed: “&” as “&amp;”, “<” as “&lt;”, nothing \
                  before the first “<”."
                .to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &str) -> String {
        repair(text).unwrap().xml.into_owned()
    }

    #[test]
    fn clean_feeds_are_borrowed() {
        for clean in [
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- c --><!DOCTYPE rss [<!ENTITY a \"b\">]>\n<rss version=\"2.0\"><channel><title>a &amp; b &#8217;</title><d><![CDATA[a & b < c &nbsp;]]></d></channel></rss>",
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>é</title></feed>",
            "<rdf:RDF xmlns=\"http://purl.org/rss/1.0/\" xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"></rdf:RDF>",
        ] {
            let repaired = repair(clean).unwrap();
            assert!(matches!(repaired.xml, Cow::Borrowed(_)), "{clean}");
            assert_eq!(repaired.problem, None, "{clean}");
        }
    }

    #[test]
    fn characters_are_mended_outside_cdata_only() {
        assert_eq!(
            mended(
                "<rss version='2.0'>R&D &nbsp;&rsquo;&bogus; a < b 1 <3 &#8;&#146;<![CDATA[R&D &nbsp; < ]]><a href='?a=1&b=2'/></rss>"
            ),
            "<rss version='2.0'>R&amp;D \u{a0}’&amp;bogus; a &lt; b 1 &lt;3 ’<![CDATA[R&D &nbsp; < ]]><a href='?a=1&amp;b=2'/></rss>",
        );
        assert_eq!(
            mended("<rss version='2.0'>a\u{8}b\tc\u{0}</rss>"),
            "<rss version='2.0'>ab\tc</rss>"
        );
        assert_eq!(
            mended("<rss version='2.0'><a><?xml version='1.0' encoding='utf-16'?><?php x?></a></rss>"),
            "<rss version='2.0'><a><?php x?></a></rss>"
        );
    }

    #[test]
    fn problems_name_the_line() {
        let problem = repair("\n\n<rss version='2.0'>\nR&D & more</rss>")
            .unwrap()
            .problem
            .unwrap();
        assert_eq!(
            (problem.code, problem.place.as_str()),
            ("not-wellformed", "line 4")
        );
        assert!(problem.message.contains("one more"), "{}", problem.message);
    }

    #[test]
    fn roots_that_feed_rs_refuses() {
        for (text, format, root) in [
            (
                "<rss><channel/></rss>",
                Format::Rss2,
                "<rss version=\"2.0\"><channel/>",
            ),
            (
                "<rss version=\"2.0.1\"><channel/></rss>",
                Format::Rss2,
                "<rss version=\"2.0\">",
            ),
            (
                "<rss version='0.94'><channel/></rss>",
                Format::Rss0,
                "<rss version='0.92'>",
            ),
            (
                "<rss version='2.0' xmlns='http://backend.userland.com/rss2'></rss>",
                Format::Rss2,
                "<rss version='2.0' xmlns='http://purl.org/rss/1.0/'>",
            ),
            (
                "<channel><title>t</title></channel>",
                Format::Rss2,
                "<rss version=\"2.0\"><channel><title>",
            ),
            (
                "<rdf:RDF xmlns='http://my.netscape.com/rdf/simple/0.9/'></rdf:RDF>",
                Format::Rss0,
                "<rdf:RDF xmlns='http://purl.org/rss/1.0/'>",
            ),
            (
                "<feed version='0.3' xmlns='http://purl.org/atom/ns#'></feed>",
                Format::Atom,
                "<feed version='0.3' xmlns='http://www.w3.org/2005/Atom'>",
            ),
        ] {
            let repaired = repair(text).unwrap();
            assert_eq!(repaired.format, format, "{text}");
            assert!(repaired.xml.starts_with(root), "{}", repaired.xml);
        }
    }

    #[test]
    fn what_is_no_feed_is_named() {
        for (text, what) in [
            ("  \n", Found::Empty),
            ("<!DOCTYPE html><html><p>a", Found::Html),
            ("<HTML><rss version='2.0'></rss></HTML>", Found::Html),
            ("<p>Just a moment...</p>", Found::Html),
            ("<?xml version='1.0'?><opml version='2.0'/>", Found::Opml),
            ("<?xml version='1.0'?><urlset/>", Found::Xml("urlset".to_owned())),
            ("404 not found", Found::Text),
        ] {
            assert_eq!(repair(text).err(), Some(ReadError::NotAFeed { what }), "{text}");
        }
        assert!(
            repair("<br />\n<b>Warning</b>: x in y\n<rss version='2.0'></rss>")
                .unwrap()
                .problem
                .is_some()
        );
    }
}
