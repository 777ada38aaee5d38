//! What is wrong with a feed, said to the blogger who can mend it. Every kind of problem stands here, and in
//! `docs/problems.md`.

use model::FeedProblem;
use serde::Serialize;

/// How much a problem matters; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Posts are lost to readers.
    Error,
    /// We coped; other readers may not.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// The word in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One problem of a feed (contract section 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Names the kind of problem for programs; never changes.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// `entry 3`, `line 17`, `entry 3, line 17` or `feed`.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What the blogger can do.
    pub fix: String,
}

impl From<&Problem> for FeedProblem {
    fn from(problem: &Problem) -> Self {
        Self {
            severity: problem.severity.as_str().to_owned(),
            place: problem.place.clone(),
            message: problem.message.clone(),
            fix: problem.fix.clone(),
        }
    }
}

/// A kind of problem.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// [`Problem::code`].
    pub code: &'static str,
    /// [`Problem::severity`].
    pub severity: Severity,
    /// What is wrong, where nothing more can be said.
    pub message: &'static str,
    /// What the blogger can do.
    pub fix: &'static str,
}

impl Kind {
    /// A problem of this kind at a place of the caller's.
    pub fn at(&self, place: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem {
            code: self.code,
            severity: self.severity,
            place: place.into(),
            message: message.into(),
            fix: self.fix.to_owned(),
        }
    }

    /// A problem of the feed as a whole.
    pub(crate) fn of_feed(&self) -> Problem {
        self.at("feed", self.message)
    }

    /// The same, when more can be said of it.
    pub(crate) fn of_feed_saying(&self, message: impl Into<String>) -> Problem {
        self.at("feed", message)
    }

    /// One problem for all the entries that have it, `entries` counted from 1; `None` if there are none.
    pub(crate) fn of_entries(&self, entries: &[usize]) -> Option<Problem> {
        let (first, more) = entries.split_first()?;
        let place = match more.len() {
            0 => format!("entry {first}"),
            n => format!("entry {first} and {n} more"),
        };
        Some(self.at(place, self.message))
    }

    /// A problem of the markup that was first met on `line`, inside the entry with this number or, for 0, outside
    /// of all entries.
    pub(crate) fn of_line(&self, entry: usize, line: usize, times: usize) -> Problem {
        let place = match entry {
            0 => format!("line {line}"),
            entry => format!("entry {entry}, line {line}"),
        };
        let message = match times {
            1 => self.message.to_owned(),
            times => format!("{} It happens {times} times; the first is named.", self.message),
        };
        self.at(place, message)
    }
}

/// Declares the kinds and the list of them all.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $severity:ident $code:literal $message:literal $fix:literal;)*) => {
        $($(#[$doc])* pub const $name: Kind = Kind {
            code: $code,
            severity: Severity::$severity,
            message: $message,
            fix: $fix,
        };)*

        /// Every kind of problem there is.
        pub const KINDS: &[Kind] = &[$($name),*];
    };
}

kinds! {
    /// The bytes are something else.
    NOT_A_FEED: Error "not-a-feed"
        "This is not a feed."
        "Give the address of an RSS, Atom or JSON Feed document, and name it in the head of the blog's pages.";
    /// The bytes could not be had.
    UNREACHABLE: Error "unreachable"
        "The address does not answer with a document, or the file cannot be read."
        "Check the name. A web address begins with https:// and can be opened in a browser.";
    /// The file could not be read, or the reader gave up on it.
    UNREADABLE: Error "unreadable"
        "The feed cannot be read."
        "Check it at https://validator.w3.org/feed/ and mend what it names.";
    /// The document ends before it should.
    TRUNCATED: Error "truncated"
        "The feed breaks off before its end; what follows is lost, and the last post may not be whole."
        "Check the blog's error log: the program that writes the feed probably stopped half-way.";
    /// An entry that is none.
    BROKEN_ENTRY: Error "broken-entry"
        "A post is broken beyond repair; we read the others."
        "Look at the post on that line: in JSON Feed each item is an object in braces.";
    /// Bounds were met.
    TOO_LARGE: Error "too-large"
        "The feed, or one of its posts, holds more than we read."
        "Keep the last 20 to 50 posts in the feed.";
    /// Tags do not match.
    MISMATCHED_TAG: Warning "mismatched-tag"
        "A tag is not closed, or one is closed that was never open; we closed it where it must end."
        "Close every tag in the order in which they were opened, and put the text of posts into CDATA.";
    /// A tag that is none.
    BAD_TAG: Warning "bad-tag"
        "A tag is written wrongly: an attribute without quotes, or a tag without its end."
        "Write attributes as name=\"value\" and end every tag with >.";
    /// `<` in text.
    BARE_LESS_THAN: Warning "bare-less-than"
        "A “<” stands in text; many readers refuse the whole feed for it."
        "Write &lt; for a “<” that opens no tag.";
    /// `&` in text.
    BARE_AMPERSAND: Warning "bare-ampersand"
        "An “&” stands by itself; many readers refuse the whole feed for it."
        "Write &amp; for every “&” in titles and addresses.";
    /// HTML's names in XML.
    UNKNOWN_ENTITY: Warning "unknown-entity"
        "A name like &nbsp; stands in the feed, which XML does not know."
        "Write the character itself, or its number: &#160; for &nbsp;.";
    /// `&#0;`
    BAD_REFERENCE: Warning "bad-character-reference"
        "A character is named by a number that stands for none; we left it out."
        "Remove references like &#0; or &#8;, which often come from copied text.";
    /// Forbidden characters.
    CONTROL_CHARACTER: Warning "control-character"
        "An invisible control character stands in the feed, which XML forbids; we left it out."
        "Find it in the post, where it was pasted from another program, and delete it.";
    /// `foo:bar` without `xmlns:foo`.
    UNDECLARED_PREFIX: Warning "undeclared-prefix"
        "A prefix, like dc: in dc:creator, is used but not declared."
        "Declare it in the feed's first element, for example xmlns:dc=\"http://purl.org/dc/elements/1.1/\".";
    /// Text before the root.
    TEXT_BEFORE: Warning "text-before-feed"
        "Text stands before the feed, for example a warning of PHP or an empty line; many readers refuse it."
        "Switch off the display of warnings, and remove what the theme or a plugin prints before the feed.";
    /// Text after the root.
    TEXT_AFTER: Warning "text-after-feed"
        "Text stands after the end of the feed."
        "Remove what a plugin or the server prints after the feed.";
    /// Nesting.
    TOO_DEEP: Warning "too-deep"
        "Elements are nested more deeply than we read."
        "Look for markup in the post that is opened again and again and never closed.";
    /// Lies about the encoding.
    ENCODING_MISMATCH: Warning "encoding-mismatch"
        "The feed is in another encoding than it says."
        "Save the feed as UTF-8, and let the server and the first line of the feed say so.";
    /// UTF-8 twice.
    ENCODED_TWICE: Warning "encoded-twice"
        "Letters with accents were encoded twice, so that é reads Ã©; we undid it."
        "Look for a plugin or database setting that converts to UTF-8 what is UTF-8 already.";
    /// RSS of no version.
    UNKNOWN_VERSION: Warning "unknown-version"
        "The feed does not say which version of RSS it is."
        "Begin it with <rss version=\"2.0\">.";
    /// The namespace of the root.
    WRONG_NAMESPACE: Warning "wrong-namespace"
        "The feed's first element names a namespace that its format does not have, or lacks the one that it has."
        "Write <feed xmlns=\"http://www.w3.org/2005/Atom\"> in Atom; leave xmlns out of <rss>.";
    /// A channel by itself.
    NO_ROOT: Warning "no-root"
        "The element around the feed is missing."
        "Put <rss version=\"2.0\"> around the channel.";
    /// Atom types that are none.
    UNKNOWN_TYPE: Warning "unknown-type"
        "A title or summary has a type that Atom does not know; many readers refuse the whole feed for it."
        "Write type=\"text\", type=\"html\" or type=\"xhtml\".";
    /// Elements in a field of RSS.
    NAKED_MARKUP: Info "naked-markup"
        "Markup stands unescaped in a field of RSS that holds text; many readers drop it."
        "Put the markup into CDATA, as in <description><![CDATA[<p>…</p>]]></description>.";
    /// JSON that is not quite JSON Feed.
    JSON_FORM: Warning "json-form"
        "The JSON Feed does not keep to its form; we read it as it must be meant."
        "Compare it with https://jsonfeed.org/version/1.1: texts and ids in quotes, a title, the version's address.";
    /// Nothing in it.
    EMPTY_FEED: Warning "empty-feed"
        "The feed has no posts."
        "Publish a post, or check that the blog's settings put posts into the feed.";
    /// One guid for several.
    DUPLICATE_GUID: Warning "duplicate-guid"
        "Several posts have the same guid, id or link, so readers may show only one of them; we told them apart by what else they say."
        "Give each post a guid of its own that never changes.";
    /// Dates that are none.
    DATE_UNREADABLE: Warning "date-unreadable"
        "The date cannot be read, or its year is absurd; the post counts as undated."
        "Write dates like “Mon, 05 Oct 2026 09:00:00 +0100” in RSS and “2026-10-05T09:00:00+01:00” in Atom.";
    /// Dates of no zone.
    DATE_WITHOUT_ZONE: Warning "date-without-zone"
        "The date names no time zone; we read it as the time in Britain."
        "End the date with its zone: “+0100” in summer and “+0000” in winter in RSS, “+01:00” and “Z” in Atom.";
    /// No dates.
    NO_DATE: Warning "no-date"
        "The post has no date; it counts as published when we first saw it."
        "Add pubDate to each item in RSS, published to each entry in Atom.";
    /// No links.
    NO_LINK: Warning "no-link"
        "The post has no web address, so nobody can be sent to it."
        "Add a link to each post, beginning with https://.";
    /// Dates to come.
    DATE_IN_FUTURE: Info "date-in-future"
        "The date lies in the future; until then the post stands where it arrived."
        "Check the clock and the time zone of the blog, or publish on the day itself.";
    /// No guids.
    NO_GUID: Info "no-guid"
        "The post has no guid or id; we know it by its link, or by its words if there is none."
        "Give each post a guid (RSS) or id (Atom, JSON Feed) that never changes.";
    /// RSS 0.9x, Atom 0.3, CDF.
    OLD_FORMAT: Info "old-format"
        "The feed is in a format that was replaced long ago."
        "If the blog can write RSS 2.0 or Atom 1.0 as well, use that.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_documentation_lists_every_kind_and_no_other() {
        let documentation = include_str!("../../../docs/problems.md");
        let listed: Vec<&str> = documentation
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(code, _)| code))
            .collect();
        for kind in KINDS {
            let row = format!("| `{}` | {} |", kind.code, kind.severity.as_str());
            assert!(documentation.contains(&row), "docs/problems.md lacks {row}");
        }
        assert_eq!(listed.len(), KINDS.len());
        assert_eq!(listed.iter().collect::<HashSet<_>>().len(), listed.len());
    }

    #[test]
    fn places_are_named() {
        assert_eq!(NO_DATE.of_entries(&[]), None);
        assert_eq!(NO_DATE.of_entries(&[3, 5]).unwrap().place, "entry 3 and 1 more");
        assert_eq!(BAD_TAG.of_line(0, 17, 1).place, "line 17");
        let several = BAD_TAG.of_line(3, 17, 4);
        assert_eq!(several.place, "entry 3, line 17");
        assert!(several.message.contains("4 times"));
        assert!(Severity::Error < Severity::Warning && Severity::Warning < Severity::Info);
    }
}
