//! What there is to repair in a feed: where its root is, whether anything in it needs mending at all, and the words
//! in which a blogger is told of what was mended.
//!
//! RSS in which nothing is wrong or out of the ordinary goes to feed-rs as it stands ([`plain_entries`]); all other
//! XML is read by [`crate::dialect`], which mends as it reads.

use memchr::{memchr_iter, memchr2, memmem};

use crate::document::Format;
use crate::element::local;
use crate::entities::{Reference, numbered, reference};
use crate::error::{Found, ReadError};
use crate::problem::{self, Kind, Problem};
use crate::xml::{Flaw, Mended, name_at};

/// The element that opens a feed.
#[derive(Debug)]
pub(crate) struct Root {
    /// Offset in the text; what stands before it (declaration, document type, a PHP warning) decides nothing once
    /// the text is decoded.
    pub(crate) start: usize,
    /// Past its tag.
    end: usize,
    pub(crate) format: Format,
    pub(crate) junk_before: bool,
}

/// The first element that opens a feed, past whatever precedes it.
///
/// # Errors
///
/// [`ReadError::NotAFeed`] if no element opens a feed.
pub(crate) fn find_root(text: &str) -> Result<Root, ReadError> {
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
            let begins = |with: &str| {
                let start = rest.get(..with.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(with))
            };
            let is_doctype = begins("<!doctype");
            html |= begins("<!doctype html");
            let end = past(text, start, ">");
            // An internal subset holds declarations of its own; a comment that was begun wrongly has none.
            if is_doctype && text[start..end].contains('[') {
                past(text, start, "]>")
            } else {
                end
            }
        } else {
            let name = name_at(&rest[1..]);
            match local(name).to_ascii_lowercase().as_str() {
                root @ ("rss" | "rdf" | "feed" | "channel" | "entry" | "item")
                    if !html || opens_in_page(rest) =>
                {
                    let end = tag_end(text, start);
                    return Ok(Root {
                        start,
                        end,
                        format: format(root, &text[start..end]),
                        junk_before,
                    });
                }
                // A SOAP envelope has a body too.
                "html" | "head" | "body" if !name.contains(':') => html = true,
                "opml" if !html => return Err(ReadError::NotAFeed { what: Found::Opml }),
                "" => {}
                _ => {
                    first_element.get_or_insert(name);
                }
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

/// Whether what stands in a page is the root of a feed beyond doubt: its tag says of which kind, and entries follow.
fn opens_in_page(rest: &str) -> bool {
    const LONGEST: usize = 2_000;
    let tag: String = rest.chars().take(LONGEST).take_while(|&c| c != '>').collect();
    let stated = |name: &str| attribute(&tag, name).is_some();
    match local(name_at(&tag[1..])) {
        "rss" => (stated("version") || tag.contains("xmlns")) && rest.contains("<item"),
        "RDF" => tag.contains("xmlns") && rest.contains("item"),
        "feed" => tag.contains("xmlns") && rest.contains("entry"),
        _ => false,
    }
}

/// What a page without `<html>` may begin with.
const HTML_ELEMENTS: [&str; 12] = [
    "a", "b", "br", "center", "div", "h1", "h2", "meta", "p", "script", "table", "title",
];

/// The format that a root of this local name, in lower case, and this tag announces.
fn format(name: &str, tag: &str) -> Format {
    let namespace = attribute(tag, "xmlns").unwrap_or_default();
    match name {
        "feed" | "entry" => Format::Atom,
        "rdf" if tag.contains("netscape.com/rdf/") => Format::Rss0,
        "rdf" => Format::Rss1,
        "rss" if attribute(tag, "version").is_some_and(|version| version.trim().starts_with('0')) => {
            Format::Rss0
        }
        "channel" if namespace.contains("purl.org/net/rss1.1") => Format::Rss1,
        "channel" if attribute(&tag.to_ascii_lowercase(), "href").is_some() => Format::Cdf,
        // A channel or an item that lost what was around it.
        _ => Format::Rss2,
    }
}

/// The offset past the next `end`, or the end of the text.
fn past(text: &str, from: usize, end: &str) -> usize {
    text[from.min(text.len())..]
        .find(end)
        .map_or(text.len(), |found| from + found + end.len())
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

/// The value of an attribute in a tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let mut from = 0;
    while let Some(found) = tag[from..].find(name) {
        let at = from + found;
        from = at + name.len();
        let rest = tag[from..].trim_start();
        if !tag[..at].ends_with(char::is_whitespace) || !rest.starts_with('=') {
            continue;
        }
        let value = rest[1..].trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        return value[1..].split(quote).next();
    }
    None
}

const ATOM: &str = "http://www.w3.org/2005/Atom";

/// The namespaces that feed-rs knows, by the prefix they have by custom.
const NAMESPACES: [(&str, &str); 7] = [
    ("xmlns:atom", ATOM),
    ("xmlns:content", "http://purl.org/rss/1.0/modules/content/"),
    ("xmlns:dc", "http://purl.org/dc/elements/1.1/"),
    ("xmlns:itunes", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
    ("xmlns:media", "http://search.yahoo.com/mrss/"),
    ("xmlns:wfw", "http://wellformedweb.org/CommentAPI/"),
    ("xmlns:podcast", "https://podcastindex.org/namespace/1.0"),
];

/// Elements that hold others.
const CONTAINERS: [&str; 10] = [
    "channel",
    "item",
    "image",
    "textInput",
    "skipHours",
    "skipDays",
    "media:group",
    "media:content",
    "itunes:owner",
    "itunes:category",
];

/// Elements that hold text alone, and that feed-rs reads or nobody needs.
const LEAVES: [&str; 35] = [
    "title",
    "description",
    "pubDate",
    "guid",
    "dc:creator",
    "content:encoded",
    "comments",
    "author",
    "link",
    "category",
    "generator",
    "wfw:commentRss",
    "slash:comments",
    "media:thumbnail",
    "media:credit",
    "media:rating",
    "sy:updatePeriod",
    "sy:updateFrequency",
    "sy:updateBase",
    "feedburner:info",
    "feedburner:origLink",
    "feedburner:emailServiceId",
    "feedburner:feedburnerHostname",
    "feedburner:feedFlare",
    "atom10:link",
    "pingback:server",
    "pingback:target",
    "trackback:ping",
    "thr:total",
    "thr:in-reply-to",
    "post-id",
    "opensearch:totalResults",
    "opensearch:startIndex",
    "opensearch:itemsPerPage",
    "georss:point",
];

/// The same, in the head alone.
const HEAD_LEAVES: [&str; 15] = [
    "atom:link",
    "language",
    "copyright",
    "managingEditor",
    "webMaster",
    "lastBuildDate",
    "docs",
    "cloud",
    "rating",
    "ttl",
    "url",
    "width",
    "height",
    "hour",
    "day",
];

fn is_leaf(name: &str, in_item: bool) -> bool {
    LEAVES.contains(&name) || !in_item && HEAD_LEAVES.contains(&name)
}

/// Fields that stand once in an entry; of two the library takes the last, whatever it is.
const SINGLE: [&str; 5] = ["title", "description", "content:encoded", "guid", "pubDate"];

/// Leaves that name people.
const PEOPLE: [&str; 4] = ["author", "dc:creator", "managingEditor", "webMaster"];

/// How many items stand in RSS in which there is nothing to mend and nothing that feed-rs reads over; `None` if
/// there is, or if it is not RSS.
pub(crate) fn plain_entries(text: &str, root: &Root) -> Option<usize> {
    let tag = &text[root.start..root.end];
    let name = name_at(&tag[1..]);
    let is_plain_root = name == "rss"
        && attribute(tag, "xmlns").is_none()
        && matches!(attribute(tag, "version"), Some("2.0" | "0.91" | "0.92"));
    let is_declared =
        |(prefix, uri): &(&str, &str)| attribute(tag, prefix).is_none_or(|stated| stated == *uri);
    if !is_plain_root || root.junk_before || tag.contains("xml:base") || !NAMESPACES.iter().all(is_declared) {
        return None;
    }
    // In blocks without an early way out, so that the compiler can compare many bytes at once.
    let forbidden = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    let is_clean = |block: &[u8]| !block.iter().fold(false, |found, &byte| found | forbidden(byte));
    if !text.as_bytes().chunks(4_096).all(is_clean) {
        return None;
    }
    let bytes = text.as_bytes();
    let mut open: Vec<&str> = vec![name];
    // Where the text of the open leaf begins.
    let mut leaf = None;
    // Which of the single fields the open entry has had, a bit each.
    let mut had = 0_u16;
    let mut entries = 0;
    let mut at = root.start + plain_tag(&text[root.start..])?;
    loop {
        let Some(found) = memchr2(b'<', b'&', &bytes[at..]) else {
            return (open.is_empty() && text[at..].trim().is_empty()).then_some(entries);
        };
        if open.is_empty() && !text[at..at + found].trim().is_empty() {
            return None;
        }
        at += found;
        let rest = &text[at..];
        match bytes.get(at + 1) {
            _ if bytes[at] == b'&' => at += plain_reference(rest)?,
            Some(b'/') => {
                let name = open.pop()?;
                let end = rest[2..].strip_prefix(name)?.trim_start();
                // The library panics on letters beyond ASCII beside an address of mail.
                let said = leaf.take().map_or("", |start| &text[start..at]);
                if PEOPLE.contains(&name) && said.contains('@') && !said.is_ascii() {
                    return None;
                }
                at += rest.len() - end.strip_prefix('>')?.len();
            }
            Some(b'!') if rest.starts_with("<![CDATA[") => {
                at += memmem::find(rest.as_bytes(), b"]]>")? + 3;
            }
            Some(b'!') if rest.starts_with("<!--") => at += rest[4..].find("-->")? + 7,
            _ => {
                let name = name_at(&rest[1..]);
                let container = CONTAINERS.contains(&name);
                let is_known = container || is_leaf(name, open.contains(&"item"));
                if leaf.is_some() || open.is_empty() || !is_known {
                    return None;
                }
                let length = plain_tag(rest)?;
                let tag = &rest[..length];
                // A picture of the item's own, which the library reads over.
                let picture = name == "image" && open.last() != Some(&"channel");
                // RSS links by text; who does otherwise is not understood.
                let links = name != "link" || !tag.contains('=');
                // A relative permalink, of which the library keeps no attribute.
                let stated = tag.contains("=\"true") || tag.contains("='true");
                let relative = name == "guid" && stated && !rest[length..].starts_with("http");
                let refused = ["xml:", "xmlns", "xhtml"];
                let is_refused = tag.contains('=') && refused.iter().any(|refused| tag.contains(refused));
                if relative || is_refused || picture || !links {
                    return None;
                }
                if name == "item" {
                    entries += 1;
                    had = 0;
                } else if let Some(field) = SINGLE.iter().position(|single| *single == name)
                    && open.last() == Some(&"item")
                {
                    if had & (1 << field) != 0 {
                        return None;
                    }
                    had |= 1 << field;
                }
                at += length;
                if !tag.ends_with("/>") {
                    open.push(name);
                    leaf = (!container).then_some(at);
                }
            }
        }
    }
}

/// The length of a reference that XML knows by itself (section 4.6).
fn plain_reference(rest: &str) -> Option<usize> {
    // Escaped markup is full of these.
    if rest.starts_with("&lt;") || rest.starts_with("&gt;") {
        return Some(4);
    }
    match reference(rest) {
        Reference::Named("amp" | "lt" | "gt" | "quot" | "apos", length) => Some(length),
        Reference::Numbered(number, length) if !(0x80..0xa0).contains(&number) => {
            numbered(number).is_some().then_some(length)
        }
        _ => None,
    }
}

/// The length of a well-formed tag at the start of `rest`.
fn plain_tag(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = 1 + name_at(&rest[1..]).len();
    loop {
        let space = bytes[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        at += space;
        match bytes.get(at)? {
            b'>' => return Some(at + 1),
            b'/' if bytes.get(at + 1) == Some(&b'>') => return Some(at + 2),
            _ if space == 0 => return None,
            _ => {}
        }
        let name = name_at(&rest[at..]);
        at += name.len();
        if name.is_empty() || bytes.get(at) != Some(&b'=') {
            return None;
        }
        let quote = *bytes.get(at + 1).filter(|byte| matches!(byte, b'"' | b'\''))?;
        let start = at + 2;
        let length = bytes[start..].iter().position(|&byte| byte == quote)?;
        let value = &rest[start..start + length];
        let mut from = 0;
        while let Some(found) = value[from..].find(['&', '<']) {
            from += found
                + plain_reference(&value[from + found..])
                    .filter(|_| value.as_bytes()[from + found] == b'&')?;
        }
        at = start + length + 1;
    }
}

/// What is wrong with the root, in which every reader looks for the format.
pub(crate) fn note_root(text: &str, root: &Root) -> Vec<Problem> {
    let tag = &text[root.start..root.end];
    let mut problems = Vec::new();
    let name = local(name_at(&tag[1..])).to_ascii_lowercase();
    let namespace = attribute(tag, "xmlns");
    match name.as_str() {
        "rss" => {
            let known = ["2.0", "0.90", "0.91", "0.92", "0.93", "0.94"];
            match attribute(tag, "version").map(str::trim) {
                Some(version) if known.contains(&version) => {}
                Some(version) => {
                    let says = format!("The feed calls itself RSS {version}, which there is not.");
                    problems.push(problem::UNKNOWN_VERSION.of_feed_saying(says));
                }
                None => problems.push(problem::UNKNOWN_VERSION.of_feed()),
            }
            if namespace.is_some() {
                problems.push(problem::WRONG_NAMESPACE.of_feed());
            }
        }
        "feed" | "entry" => match namespace {
            Some(uri) if uri.contains("purl.org/atom/ns") => problems.push(problem::OLD_FORMAT.of_feed()),
            Some(uri) if uri != ATOM => problems.push(problem::WRONG_NAMESPACE.of_feed()),
            None if !name_at(&tag[1..]).contains(':') => problems.push(problem::WRONG_NAMESPACE.of_feed()),
            _ => {}
        },
        "channel" | "item" if root.format == Format::Rss2 => problems.push(problem::NO_ROOT.of_feed()),
        _ => {}
    }
    if matches!(root.format, Format::Rss0 | Format::Cdf) {
        problems.push(problem::OLD_FORMAT.of_feed());
    }
    problems
}

/// What was mended in the markup, in the words for it.
pub(crate) fn note_flaws(text: &str, mended: Vec<Mended>) -> impl Iterator<Item = Problem> {
    mended.into_iter().map(|mended| {
        let kind: Kind = match mended.flaw {
            Flaw::TextBefore => problem::TEXT_BEFORE,
            Flaw::TextAfter => problem::TEXT_AFTER,
            Flaw::Truncated => problem::TRUNCATED,
            Flaw::Mismatched => problem::MISMATCHED_TAG,
            Flaw::BadTag => problem::BAD_TAG,
            Flaw::BareLess => problem::BARE_LESS_THAN,
            Flaw::BareAmpersand => problem::BARE_AMPERSAND,
            Flaw::UnknownEntity => problem::UNKNOWN_ENTITY,
            Flaw::BadReference => problem::BAD_REFERENCE,
            Flaw::Control => problem::CONTROL_CHARACTER,
            Flaw::UndeclaredPrefix => problem::UNDECLARED_PREFIX,
            Flaw::TooDeep => problem::TOO_DEEP,
            Flaw::TooLarge => problem::TOO_LARGE,
        };
        let before = &text.as_bytes()[..mended.at.min(text.len())];
        let line = memchr_iter(b'\n', before).count() + 1;
        kind.of_line(mended.entry, line, mended.times)
    })
}
