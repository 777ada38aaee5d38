//! Tokens to elements, whatever the tags say: what is not closed is closed by what must end it, what closes nothing
//! is left out, and one entry is built at a time, so that a broken one takes no other with it.
//!
//! It knows which elements are entries and which hold nothing but text; what the elements mean, [`crate::dialect`]
//! knows. Depth, size and number of entries are bounded.

use url::Url;

use crate::element::{Element, Node, Vocabulary, local};
use crate::repair::Root;
use crate::xml::{Attribute, Flaw, Mended, Token, Tokens};

/// Elements within elements; what lies deeper is read as if its tags were not there.
const DEEPEST: usize = 100;
/// Elements and texts of one entry, or of the feed's head.
const MOST_NODES: usize = 50_000;
/// Entries of one document.
const MOST_ENTRIES: usize = 10_000;
/// Flaws in the markup; a document with more is noise, and mending noise takes time.
const MOST_FLAWS: usize = 100_000;

/// What an element inherits from those around it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// What relative addresses are relative to.
    pub(crate) base: Option<Url>,
    /// Whether `xml:base` said so, and not only the feed's own address.
    pub(crate) stated: bool,
    pub(crate) language: Option<String>,
}

impl Scope {
    /// The scope inside `element`.
    pub(crate) fn enter(&self, element: &Element<'_>) -> Self {
        let mut scope = self.clone();
        for Attribute { name, value } in &element.attributes {
            match *name {
                // CDF says BASE; nobody else says it of anything.
                _ if name.eq_ignore_ascii_case("xml:base") || name.eq_ignore_ascii_case("base") => {
                    if let Some(url) = resolve(value, self.base.as_ref()) {
                        scope.base = Some(url);
                        scope.stated = true;
                    }
                }
                "xml:lang" | "lang" => {
                    scope.language = Some(value.trim().to_owned()).filter(|tag| !tag.is_empty());
                }
                _ => {}
            }
        }
        scope
    }

    /// An address, absolute where the base allows it.
    pub(crate) fn address(&self, href: &str) -> String {
        let href = href.trim();
        resolve(href, self.base.as_ref()).map_or_else(|| href.to_owned(), String::from)
    }
}

fn resolve(href: &str, base: Option<&Url>) -> Option<Url> {
    let href = href.trim();
    match base {
        _ if href.is_empty() => None,
        Some(base) => base.join(href).ok(),
        None => Url::parse(href).ok(),
    }
}

/// Receives what was read, in the document's order.
pub(crate) trait Receiver {
    /// An entry, with what it inherits; `partial` if the document broke off in it.
    fn entry(&mut self, element: &Element<'_>, around: &Scope, partial: bool);
    /// The root, without its entries.
    fn root(&mut self, element: &Element<'_>, around: &Scope);
}

/// Reads a document from its root on. Returns what had to be mended.
pub(crate) fn read(text: &str, root: &Root, url: Option<&Url>, receiver: &mut impl Receiver) -> Vec<Mended> {
    let mut reader = Reader {
        tokens: Tokens::new(text, root.start),
        around: Scope {
            base: url.cloned(),
            ..Scope::default()
        },
        receiver,
        stack: Vec::new(),
        prefixes: Vec::new(),
        entries: 0,
        entry_nodes: 0,
        head_nodes: 0,
        skipped: 0,
        root_closed: false,
    };
    if root.junk_before {
        reader.tokens.note(Flaw::TextBefore, 0);
    }
    reader.read();
    reader.tokens.into_mended()
}

struct Open<'a> {
    element: Element<'a>,
    is_entry: bool,
    /// How many prefixes were declared around it.
    prefixes: usize,
}

struct Reader<'a, 'r, R> {
    tokens: Tokens<'a>,
    around: Scope,
    receiver: &'r mut R,
    stack: Vec<Open<'a>>,
    /// Prefixes in force, the innermost last; "" is the default namespace.
    prefixes: Vec<(&'a str, Vocabulary)>,
    entries: usize,
    entry_nodes: usize,
    head_nodes: usize,
    /// Open elements that lie too deep to be kept.
    skipped: usize,
    root_closed: bool,
}

impl<'a, R: Receiver> Reader<'a, '_, R> {
    fn read(&mut self) {
        loop {
            let at = self.tokens.at;
            if self.tokens.flaws() > MOST_FLAWS {
                self.tokens.note(Flaw::TooLarge, at);
                break;
            }
            let inside = self.stack.last().map_or("", |open| open.element.name);
            match self.tokens.next(inside) {
                None => break,
                Some(Token::Text(text)) => self.text(Node::Text(text), at),
                Some(Token::Cdata(text)) => self.text(Node::Cdata(text), at),
                Some(Token::Close(name)) => self.close(name, at),
                Some(Token::Open {
                    name,
                    attributes,
                    empty,
                }) => self.open(name, attributes, empty, at),
            }
        }
        if !self.stack.is_empty() {
            self.tokens.note(Flaw::Truncated, self.tokens.at);
            while !self.stack.is_empty() {
                self.pop(true);
            }
        }
    }

    fn text(&mut self, node: Node<'a>, at: usize) {
        let (Node::Text(text) | Node::Cdata(text)) = &node else {
            return;
        };
        let blank = text.trim().is_empty();
        match self.stack.last() {
            // White space between the fields says nothing.
            Some(open) if blank && (open.is_entry || self.stack.len() <= 2) => {}
            Some(_) => self.add(node),
            None if !blank && self.root_closed => self.tokens.note(Flaw::TextAfter, at),
            None => {}
        }
    }

    /// Adds to the innermost open element, within bounds.
    fn add(&mut self, node: Node<'a>) {
        let nodes = if self.entry_at().is_some() {
            &mut self.entry_nodes
        } else {
            &mut self.head_nodes
        };
        *nodes += 1;
        if *nodes > MOST_NODES {
            self.tokens.note(Flaw::TooLarge, self.tokens.at);
        } else if let Some(open) = self.stack.last_mut() {
            open.element.children.push(node);
        }
    }

    /// Where in the stack the open entry is.
    fn entry_at(&self) -> Option<usize> {
        self.stack.iter().position(|open| open.is_entry)
    }

    fn open(&mut self, name: &'a str, attributes: Vec<Attribute<'a>>, empty: bool, at: usize) {
        let prefixes = self.prefixes.len();
        for Attribute { name, value } in &attributes {
            if let Some(prefix) = name.strip_prefix("xmlns") {
                let prefix = prefix.trim_start_matches(':');
                let vocabulary = Vocabulary::of_namespace(value)
                    .or_else(|| Vocabulary::of_prefix(prefix))
                    .unwrap_or(Vocabulary::Other);
                self.prefixes.push((prefix, vocabulary));
            }
        }
        if self.stack.is_empty() && self.entries == 0 && !self.root_closed {
            self.take_root_at_its_word(name);
        }
        let element = Element {
            name,
            vocabulary: self.vocabulary(name, at),
            attributes,
            children: Vec::new(),
        };
        self.end_what_cannot_hold(&element, at);
        let is_entry = self.is_entry(&element);
        if is_entry {
            if let Some(entry) = self.entry_at() {
                self.tokens.note(Flaw::Mismatched, at);
                self.pop_to(entry);
            }
            if self.entries == MOST_ENTRIES {
                self.tokens.note(Flaw::TooLarge, at);
            }
            self.entries += 1;
            self.tokens.entry = self.entries;
            self.entry_nodes = 0;
        }
        if self.stack.len() == DEEPEST {
            self.tokens.note(Flaw::TooDeep, at);
            self.prefixes.truncate(prefixes);
            self.skipped += usize::from(!empty);
            return;
        }
        if self.stack.is_empty() && self.root_closed && !is_entry {
            self.tokens.note(Flaw::TextAfter, at);
        }
        let void = empty || (is_void(&element) && element.vocabulary != Vocabulary::Other);
        self.stack.push(Open {
            element,
            is_entry,
            prefixes,
        });
        if void {
            self.pop(false);
        }
    }

    /// Whatever a feed says that its namespace is, its first element says what it is; but RDF is no feed's own.
    fn take_root_at_its_word(&mut self, name: &'a str) {
        let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
        if let Some((_, vocabulary)) = self.prefixes.iter_mut().rev().find(|(known, _)| *known == prefix)
            && *vocabulary == Vocabulary::Other
            && !local(name).eq_ignore_ascii_case("rdf")
        {
            *vocabulary = Vocabulary::Feed;
        }
    }

    fn vocabulary(&mut self, name: &str, at: usize) -> Vocabulary {
        let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
        if let Some((_, vocabulary)) =
            (self.prefixes.iter().rev()).find(|(known, _)| known.eq_ignore_ascii_case(prefix))
        {
            return *vocabulary;
        }
        if !prefix.is_empty() {
            self.tokens.note(Flaw::UndeclaredPrefix, at);
        }
        Vocabulary::of_prefix(prefix).unwrap_or(Vocabulary::Other)
    }

    fn is_entry(&self, element: &Element<'_>) -> bool {
        if element.vocabulary != Vocabulary::Feed {
            return false;
        }
        // Atom content may hold an Atom entry as its document.
        let quoted = || self.stack.iter().any(|open| open.element.is("content"));
        element.is("item") || (element.is("entry") && !quoted())
    }

    /// Ends a field of an entry that was left open when another begins that cannot stand in it.
    fn end_what_cannot_hold(&mut self, next: &Element<'_>, at: usize) {
        if next.vocabulary != Vocabulary::Feed || !fields().any(|field| next.is(field)) {
            return;
        }
        let around = self.stack.iter().rposition(|open| open.is_entry);
        let inside = around.map_or(self.stack.len().saturating_sub(1), |entry| entry + 1);
        let innermost = self.stack.len().saturating_sub(1);
        let left_open = (inside..self.stack.len()).find(|&open| {
            let element = &self.stack[open].element;
            element.vocabulary == Vocabulary::Feed && !may_hold(element, next, open == innermost)
        });
        if let Some(open) = left_open {
            self.tokens.note(Flaw::Mismatched, at);
            self.pop_to(open);
        }
    }

    fn close(&mut self, name: &str, at: usize) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        let same = |open: &Open<'_>| open.element.name == name;
        let alike = |open: &Open<'_>| local(open.element.name).eq_ignore_ascii_case(local(name));
        let found = self
            .stack
            .iter()
            .rposition(same)
            .or_else(|| self.stack.iter().rposition(alike));
        match found {
            Some(open) => {
                if open + 1 < self.stack.len() {
                    self.tokens.note(Flaw::Mismatched, at);
                }
                self.pop_to(open);
            }
            // `<titleOne</title>`: a field whose name is broken ends with it.
            None if self.is_in_unknown_field() && fields().any(|field| name.eq_ignore_ascii_case(field)) => {
                self.tokens.note(Flaw::Mismatched, at);
                self.pop(false);
            }
            None if VOID.iter().any(|void| name.eq_ignore_ascii_case(void)) => {}
            None if self.root_closed => self.tokens.note(Flaw::TextAfter, at),
            None => self.tokens.note(Flaw::Mismatched, at),
        }
    }

    /// Whether the innermost open element is a field of an entry that no feed knows.
    fn is_in_unknown_field(&self) -> bool {
        let [.., around, inner] = &self.stack[..] else {
            return false;
        };
        let element = &inner.element;
        let known = || fields().chain(ONLY_TEXT).any(|field| element.is(field));
        around.is_entry && element.vocabulary == Vocabulary::Feed && !known()
    }

    fn pop_to(&mut self, length: usize) {
        while self.stack.len() > length {
            self.pop(false);
        }
    }

    fn pop(&mut self, partial: bool) {
        let Some(open) = self.stack.pop() else { return };
        self.prefixes.truncate(open.prefixes);
        if open.is_entry {
            if self.entries <= MOST_ENTRIES {
                let around = self.scope();
                self.receiver.entry(&open.element, &around, partial);
            }
            self.tokens.entry = 0;
        } else if self.stack.is_empty() {
            self.root_closed = true;
            self.receiver.root(&open.element, &self.around);
        } else {
            self.add(Node::Element(open.element));
        }
    }

    /// What the innermost open element hands down.
    fn scope(&self) -> Scope {
        self.stack
            .iter()
            .fold(self.around.clone(), |scope, open| scope.enter(&open.element))
    }
}

/// Fields that hold nothing but text.
const ONLY_TEXT: [&str; 14] = [
    "title",
    "guid",
    "id",
    "pubDate",
    "published",
    "updated",
    "issued",
    "modified",
    "created",
    "comments",
    "category",
    "language",
    "link",
    "enclosure",
];

/// Fields of an entry that begin in no other, not even in one that holds markup.
const NEVER_WITHIN: [&str; 10] = [
    "guid",
    "pubDate",
    "published",
    "updated",
    "issued",
    "modified",
    "created",
    "author",
    "contributor",
    "enclosure",
];

/// Its other fields: markup may have elements of their names.
const WITHIN_MARKUP: [&str; 8] = [
    "title",
    "link",
    "id",
    "description",
    "summary",
    "content",
    "category",
    "comments",
];

/// All fields of an entry.
fn fields() -> impl Iterator<Item = &'static str> {
    NEVER_WITHIN.into_iter().chain(WITHIN_MARKUP)
}

/// Whether one of [`fields`] may stand in an element; `directly` if nothing stands between them.
fn may_hold(element: &Element<'_>, field: &Element<'_>, directly: bool) -> bool {
    let holds_markup = is_one_of(element, &["description", "summary", "author", "contributor"])
        || directly && element.is("content");
    !(is_one_of(element, &ONLY_TEXT) || holds_markup && is_one_of(field, &NEVER_WITHIN))
}

fn is_one_of(element: &Element<'_>, names: &[&str]) -> bool {
    names.iter().any(|name| element.is(name))
}

/// Elements of HTML that have no end and stand in posts.
const VOID: [&str; 5] = ["br", "hr", "img", "input", "wbr"];

fn is_void(element: &Element<'_>) -> bool {
    VOID.iter().any(|void| element.is(void))
}
