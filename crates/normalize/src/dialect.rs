//! What the elements of RSS, Atom and CDF mean, in every version and mixture: one table of names for all of them,
//! for feeds do not keep to their own.
//!
//! It judges nothing: what is no address or no text is left to [`crate::entry`].

use chrono_tz::Tz;
use url::Url;

use crate::base64;
use crate::dates::{self, FeedDate};
use crate::document::Format;
use crate::element::{Element, Node, Vocabulary};
use crate::parse::{Attached, Entry, Feed, Link, Raw};
use crate::problem;
use crate::reader::{self, Receiver, Scope};
use crate::repair::{Root, note_flaws, note_root};

/// Reads a document from its root on; never fails.
pub(crate) fn read(text: &str, root: &Root, url: Option<&Url>, zone: Tz) -> Feed {
    let problems = note_root(text, root);
    let mut dialect = Dialect {
        zone,
        is_old: problems
            .iter()
            .any(|problem| problem.code == problem::OLD_FORMAT.code),
        feed: Feed {
            format: root.format,
            title: None,
            links: Vec::new(),
            language: None,
            rights: None,
            authors: Vec::new(),
            ttl: None,
            entries: Vec::new(),
            problems,
        },
        unknown_types: Vec::new(),
        naked: Vec::new(),
    };
    let mended = reader::read(text, root, url, &mut dialect);
    let Dialect {
        mut feed,
        unknown_types,
        naked,
        ..
    } = dialect;
    feed.problems.extend(note_flaws(text, mended));
    feed.problems
        .extend(problem::UNKNOWN_TYPE.of_entries(&unknown_types));
    feed.problems.extend(problem::NAKED_MARKUP.of_entries(&naked));
    feed
}

struct Dialect {
    zone: Tz,
    feed: Feed,
    /// Whether it is Atom 0.3, whose types are others.
    is_old: bool,
    /// Entries with a text of a type that Atom does not know.
    unknown_types: Vec<usize>,
    /// Entries with elements in a text of RSS.
    naked: Vec<usize>,
}

impl Receiver for Dialect {
    fn root(&mut self, element: &Element<'_>, around: &Scope) {
        let scope = around.enter(element);
        self.head(element, &scope);
    }

    fn entry(&mut self, element: &Element<'_>, around: &Scope, partial: bool) {
        let scope = around.enter(element);
        let mut reading = Reading {
            zone: self.zone,
            is_atom: self.feed.format == Format::Atom,
            entry: Entry {
                id: element.attribute("about").unwrap_or_default().trim().to_owned(),
                language: scope.language.clone(),
                base: stated_base(&scope),
                partial,
                ..Entry::default()
            },
            candidates: Candidates::default(),
        };
        if let Some(href) = element.attribute("href") {
            // CDF keeps them in attributes.
            if self.feed.format == Format::Rss2 {
                self.feed.format = Format::Cdf;
            }
            reading.link(scope.address(href), None, None);
        }
        if let Some(date) = element.attribute("lastmod") {
            reading.candidates.updated.push(date.to_owned());
        }
        for field in element.elements() {
            reading.field(field, &scope.enter(field));
        }
        let number = self.feed.entries.len() + 1;
        let texts = || element.elements().filter(|field| is_text(field));
        if !reading.is_atom {
            self.naked
                .extend(texts().any(Element::has_elements).then_some(number));
        } else if !self.is_old {
            self.unknown_types
                .extend(texts().any(has_unknown_type).then_some(number));
        }
        self.feed.entries.push(reading.finish());
    }
}

impl Dialect {
    fn head(&mut self, element: &Element<'_>, scope: &Scope) {
        if let Some(href) = element.attribute("href").filter(|_| element.is("channel")) {
            self.feed.links.push(plain_link(scope.address(href)));
        }
        if self.feed.language.is_none() {
            self.feed.language.clone_from(&scope.language);
        }
        for field in element.elements() {
            let inner = scope.enter(field);
            self.head_field(field, &inner);
        }
    }

    fn head_field(&mut self, field: &Element<'_>, scope: &Scope) {
        use Vocabulary::{Dc, Feed, Itunes, Terms};
        let is_atom = self.feed.format == Format::Atom;
        let name = field.local().to_ascii_lowercase();
        let feed = &mut self.feed;
        match (field.vocabulary, name.as_str()) {
            (Feed, "channel") => self.head(field, scope),
            (Feed | Dc, "title") if feed.title.is_none() => feed.title = title(field, is_atom),
            (Feed, "link") => feed.links.extend(link(field, scope)),
            (Feed | Dc, "language") => {
                // Its customary case is restored where it is judged.
                let stated = field.text().map(|tag| tag.to_lowercase());
                feed.language = stated.or(feed.language.take());
            }
            (Feed | Dc | Terms, "rights" | "copyright") => feed.rights = field.text().or(feed.rights.take()),
            (_, "license" | "licence") => feed.links.extend(licence(field)),
            (Feed | Dc | Itunes, "author" | "creator") => feed.authors.extend(person(field)),
            (Feed, "ttl") => feed.ttl = field.text().and_then(|text| text.parse().ok()),
            _ => {}
        }
    }
}

/// What an entry says more than once, in the order in which it is believed.
#[derive(Default)]
struct Candidates {
    titles: [Option<Raw>; 2],
    /// The body, the author's summary, and what else describes it.
    bodies: Vec<Raw>,
    summaries: Vec<Raw>,
    descriptions: Vec<Raw>,
    published: Vec<String>,
    dated: Vec<String>,
    created: Vec<String>,
    updated: Vec<String>,
    permalink: Option<String>,
    thumbnails: Vec<String>,
}

struct Reading {
    zone: Tz,
    is_atom: bool,
    entry: Entry,
    candidates: Candidates,
}

impl Reading {
    fn field(&mut self, field: &Element<'_>, scope: &Scope) {
        use Vocabulary::{Content, Dc, Feed, Itunes, Media, Terms, Xhtml};
        let name = field.local().to_ascii_lowercase();
        let entry = &mut self.entry;
        let found = &mut self.candidates;
        match (field.vocabulary, name.as_str()) {
            (Feed | Dc, "title") => keep_first(&mut found.titles[0], title(field, self.is_atom)),
            (Media | Itunes, "title") => keep_first(&mut found.titles[1], title(field, self.is_atom)),
            (Feed, "link") => self.links(field, scope),
            (Feed, "guid" | "id") => {
                let Some(id) = field.text() else { return };
                // An absolute address is the permalink whatever is said of it; a relative one if that is said.
                let stated = field.attribute("isPermaLink");
                if stated.is_some_and(|stated| stated.eq_ignore_ascii_case("true")) && !id.contains(':') {
                    found.permalink = Some(scope.address(&id));
                }
                entry.id = id;
            }
            (Content, "encoded") | (Feed, "fullitem") => found.bodies.extend(html(field)),
            (Feed | Xhtml, "body") | (Xhtml, "div") => found.bodies.extend(markup(field)),
            (Feed, "content") => self.content(field, scope),
            (Feed, "description" | "summary" | "abstract") => {
                let text = if self.is_atom || name == "summary" && field.attribute("type").is_some() {
                    atom_text(field)
                } else {
                    html(field)
                };
                // Where both stand in RSS, the second is the post itself.
                found.summaries.extend(text);
            }
            (Dc | Media | Terms, "description" | "abstract") | (Itunes, "summary") => {
                found.descriptions.extend(html(field));
            }
            (Itunes, "subtitle") => found.descriptions.extend(html(field)),
            (Feed, "pubdate" | "published" | "issued") | (Terms, "issued" | "available") => {
                found.published.extend(field.text());
            }
            (Feed | Dc | Terms, "date") => found.dated.extend(field.text()),
            (Feed | Terms, "created") => found.created.extend(field.text()),
            (Feed, "updated" | "modified" | "lastbuilddate") | (Terms, "modified") => {
                found.updated.extend(field.text());
            }
            (Feed | Dc | Itunes, "author" | "creator" | "managingeditor") => {
                entry.authors.extend(person(field));
            }
            (Feed | Dc | Media, "category" | "subject") => entry.categories.extend(category(field)),
            (_, "keywords") => {
                let words = field.text().unwrap_or_default();
                let words = words.split(',').map(str::trim).filter(|word| !word.is_empty());
                entry.categories.extend(words.map(str::to_owned));
            }
            (Feed | Dc, "language") => entry.language = field.text().or(entry.language.take()),
            (Feed | Dc | Terms, "rights" | "copyright") => {
                entry.rights = field.text().or(entry.rights.take());
            }
            (_, "license" | "licence") => entry.links.extend(licence(field)),
            (Feed, "source") => entry.source = source(field, scope),
            (Feed, "enclosure") => {
                let url = field.attribute("url").or_else(|| field.attribute("href"));
                self.enclosure(url, field, scope);
            }
            (Media, "group") => {
                for inner in field.elements() {
                    self.field(inner, &scope.enter(inner));
                }
            }
            (Media, "content") => {
                self.attached(
                    field.attribute("url"),
                    field.attribute("type"),
                    field.attribute("medium"),
                    scope,
                );
                for inner in field.elements() {
                    self.field(inner, &scope.enter(inner));
                }
            }
            (Media, "thumbnail") | (Feed | Itunes, "image") => {
                let address = field
                    .attribute("url")
                    .or_else(|| field.attribute("href"))
                    .map(str::to_owned);
                let inside = || {
                    field
                        .elements()
                        .find(|inner| inner.is("url"))
                        .and_then(Element::text)
                };
                let address = address.or_else(inside).or_else(|| field.text());
                found
                    .thumbnails
                    .extend(address.map(|address| scope.address(&address)));
            }
            _ => {}
        }
    }

    fn link(&mut self, href: String, rel: Option<String>, kind: Option<String>) {
        self.entry.links.push(Link { href, rel, kind });
    }

    fn links(&mut self, field: &Element<'_>, scope: &Scope) {
        let Some(link) = link(field, scope) else { return };
        if link.rel.as_deref() == Some("enclosure") {
            self.enclosure(Some(&link.href), field, scope);
        }
        self.entry.links.push(link);
    }

    /// Something attached, with what its element says of it.
    fn enclosure(&mut self, url: Option<&str>, element: &Element<'_>, scope: &Scope) {
        self.attached(url, element.attribute("type"), None, scope);
        let said = |name| element.attribute(name).map(str::to_owned);
        self.entry.enclosures.extend(url.map(|url| Attached {
            url: scope.address(url),
            kind: said("type"),
            length: said("length"),
        }));
    }

    /// Something attached or shown beside the post: its address, and the picture if it is one.
    fn attached(&mut self, url: Option<&str>, kind: Option<&str>, medium: Option<&str>, scope: &Scope) {
        let Some(url) = url else { return };
        let address = scope.address(url);
        if medium == Some("image")
            || kind.is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("image/"))
        {
            self.entry.pictures.push(address.clone());
        }
        self.entry.media.push(address);
    }

    /// Atom content of any type and version; RSS has none of that name, and those that write it mean HTML.
    fn content(&mut self, field: &Element<'_>, scope: &Scope) {
        // Atom 0.3 wraps alternatives in a content of their own.
        if field
            .elements()
            .any(|inner| inner.vocabulary == Vocabulary::Feed && inner.is("content"))
        {
            for inner in field.elements() {
                self.field(inner, &scope.enter(inner));
            }
            return;
        }
        if let Some(src) = field.attribute("src") {
            self.entry.content_src = Some(scope.address(src));
        }
        let body = if self.is_atom || field.attribute("type").is_some() {
            atom_text(field)
        } else {
            html(field)
        };
        if body.is_some() {
            self.entry.base = stated_base(scope).or(self.entry.base.take());
            self.entry.language = scope.language.clone().or(self.entry.language.take());
        }
        // Of alternatives the one with markup is the post.
        match body {
            Some(Raw::Plain(text)) => self.candidates.bodies.push(Raw::Plain(text)),
            Some(html) => {
                let at = self.candidates.bodies.iter().position(|body| !body.is_html());
                let at = at.unwrap_or(self.candidates.bodies.len());
                self.candidates.bodies.insert(at, html);
            }
            None => {}
        }
    }

    fn finish(self) -> Entry {
        let Self {
            zone,
            mut entry,
            candidates: found,
            ..
        } = self;
        let [title, other_title] = found.titles;
        entry.title = title.or(other_title);
        let mut bodies = found.bodies.into_iter();
        let mut summaries = found.summaries.into_iter();
        entry.content = bodies.next();
        entry.summary = summaries.next();
        if entry.content.is_none() {
            entry.content = summaries.next();
        }
        if entry.summary.is_none() {
            entry.summary = found.descriptions.into_iter().next();
        }
        let date = |texts: &[String]| -> Option<FeedDate> {
            let dates = texts.iter().filter_map(|text| dates::read(text, zone));
            dates.reduce(|known, date| if date == FeedDate::Unreadable { known } else { date })
        };
        entry.published = date(&found.published)
            .or_else(|| date(&found.dated))
            .or_else(|| date(&found.created));
        entry.updated = date(&found.updated);
        if let Some(href) = found.permalink
            && !entry.links.iter().any(|link| link.rel.is_none())
        {
            entry.links.push(plain_link(href));
        }
        entry.media.extend(found.thumbnails.iter().cloned());
        entry.pictures.extend(found.thumbnails);
        entry
    }
}

/// Whether a field of an entry holds nothing but text.
fn is_text(field: &Element<'_>) -> bool {
    field.vocabulary == Vocabulary::Feed
        && ["title", "summary", "description"]
            .iter()
            .any(|name| field.is(name))
}

/// Whether the type of a text construct is none of those of RFC 4287 section 3.1.1.
fn has_unknown_type(field: &Element<'_>) -> bool {
    field
        .attribute("type")
        .is_some_and(|kind| !matches!(kind, "text" | "html" | "xhtml"))
}

fn keep_first(known: &mut Option<Raw>, found: Option<Raw>) {
    if known.is_none() {
        *known = found;
    }
}

fn stated_base(scope: &Scope) -> Option<String> {
    scope.base.as_ref().filter(|_| scope.stated).map(Url::to_string)
}

fn plain_link(href: String) -> Link {
    Link {
        href,
        rel: None,
        kind: None,
    }
}

/// A link of Atom (`href`) or RSS (text).
fn link(field: &Element<'_>, scope: &Scope) -> Option<Link> {
    let href = ["href", "url", "uri", "resource"]
        .iter()
        .find_map(|name| field.attribute(name))
        .map(str::to_owned)
        .or_else(|| field.text())?;
    let rel = field.attribute("rel").map(|rel| rel.trim().to_ascii_lowercase());
    Some(Link {
        href: scope.address(&href),
        rel: rel.filter(|rel| !rel.is_empty() && rel != "alternate"),
        kind: field.attribute("type").map(str::to_ascii_lowercase),
    })
}

/// A licence, as the modules for it name one: `rdf:resource`, or text.
fn licence(field: &Element<'_>) -> Option<Link> {
    let address = field
        .attribute("resource")
        .or_else(|| field.attribute("href"))
        .map(str::to_owned);
    Some(Link {
        href: address.or_else(|| field.text())?,
        rel: Some("license".to_owned()),
        kind: None,
    })
}

/// The feed that an entry was taken from: its site, else its own address.
fn source(field: &Element<'_>, scope: &Scope) -> Option<String> {
    let links: Vec<Link> = field
        .elements()
        .filter(|inner| inner.is("link"))
        .filter_map(|inner| link(inner, &scope.enter(inner)))
        .collect();
    let site = links.iter().find(|link| link.rel.is_none());
    let linked = site.or(links.first()).map(|link| link.href.clone());
    field.attribute("url").map(|url| scope.address(url)).or(linked)
}

/// A category: `label`, `term` or `text`, or what stands in it.
fn category(field: &Element<'_>) -> Option<String> {
    let stated = ["label", "term", "text"]
        .iter()
        .filter_map(|name| field.attribute(name))
        .find(|value| !value.trim().is_empty());
    stated.map(str::to_owned).or_else(|| field.text())
}

/// The name of a person: in an element of its own (Atom), or beside an address of mail (RSS).
fn person(field: &Element<'_>) -> Option<String> {
    if let Some(name) = field.elements().find(|inner| inner.is("name")) {
        return name.text();
    }
    if field.has_elements() {
        return field
            .elements()
            .find(|inner| !inner.is("email") && !inner.is("uri"))
            .and_then(Element::text);
    }
    field.text().map(|text| person_name(&text))
}

/// The name in `mail@example.org (Name)`, `Name (mail@example.org)` or `Name <mail@example.org>`.
pub(crate) fn person_name(text: &str) -> String {
    let brackets = [('(', ')'), ('<', '>')];
    for (open, close) in brackets {
        let Some((before, rest)) = text.split_once(open) else {
            continue;
        };
        let inside = rest.rsplit_once(close).map_or(rest, |(inside, _)| inside);
        let name = match (before.contains('@'), inside.contains('@')) {
            (true, false) => inside,
            (false, true) => before,
            _ => continue,
        };
        if !name.trim().is_empty() {
            return name.trim().trim_matches('"').to_owned();
        }
    }
    text.trim().to_owned()
}

/// A title: of the type it says in Atom; in RSS plain text, unless it can only be markup.
fn title(field: &Element<'_>, is_atom: bool) -> Option<Raw> {
    if is_atom || field.attribute("type").is_some() {
        // A title of an unknown type is still words.
        return atom_text(field).or_else(|| field.text().map(Raw::Plain));
    }
    if field.has_elements() {
        return markup(field);
    }
    field.text().map(raw_title)
}

/// The title of an RSS entry: nominally plain text, often markup.
pub(crate) fn raw_title(text: String) -> Raw {
    if looks_like_markup(&text) {
        Raw::Html(text)
    } else {
        Raw::Plain(text)
    }
}

/// Whether a text holds a reference, an end tag or an element that needs none.
fn looks_like_markup(text: &str) -> bool {
    let is_reference = |at: usize| {
        !matches!(
            crate::entities::reference(&text[at..]),
            crate::entities::Reference::None
        )
    };
    text.match_indices('&').any(|(at, _)| is_reference(at))
        || text.match_indices('<').any(|(at, _)| {
            let bytes = &text.as_bytes()[at + 1..];
            let starts = |tag: &&str| {
                bytes
                    .get(..tag.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()))
            };
            matches!(bytes, [b'/', after, ..] if after.is_ascii_alphabetic())
                || ["br>", "br/", "br ", "img ", "hr>", "hr/", "wbr>"]
                    .iter()
                    .any(starts)
        })
}

/// Text that is HTML, escaped or not.
fn html(field: &Element<'_>) -> Option<Raw> {
    if field.has_elements() {
        markup(field)
    } else {
        field.text().map(Raw::Html)
    }
}

/// What stands in an element, as markup; a single `div` around it all is wrapping.
fn markup(field: &Element<'_>) -> Option<Raw> {
    let mut blank = field.children.iter().filter(|node| match node {
        Node::Element(_) => true,
        Node::Text(text) | Node::Cdata(text) => !text.trim().is_empty(),
    });
    let markup = match (blank.next(), blank.next()) {
        (Some(Node::Element(div)), None) if div.is("div") => div.markup(true),
        _ => field.markup(true),
    };
    markup.map(Raw::Html)
}

/// A text construct of Atom 1.0 (RFC 4287 section 3.1) or 0.3 (`type` and `mode`), or content of whatever type.
fn atom_text(field: &Element<'_>) -> Option<Raw> {
    let kind = field
        .attribute("type")
        .unwrap_or("text")
        .trim()
        .to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let mode = field.attribute("mode").unwrap_or_default().to_ascii_lowercase();
    if field.has_elements() {
        return markup(field);
    }
    let text = field.text()?;
    let is_html = matches!(kind, "html" | "text/html" | "xhtml" | "application/xhtml+xml");
    let is_text = matches!(kind, "" | "text" | "plain" | "escaped")
        || kind.starts_with("text/")
        || kind.ends_with("xml");
    if mode == "base64" || !(is_html || is_text || mode == "escaped") {
        let bytes = base64::decode(&text)?;
        let text = String::from_utf8(bytes).ok()?;
        return Some(if is_text && !is_html {
            Raw::Plain(text)
        } else {
            Raw::Html(text)
        });
    }
    let escaped = matches!(kind, "html" | "text/html") || (is_html && mode == "escaped");
    Some(if escaped {
        Raw::Html(text)
    } else {
        Raw::Plain(text)
    })
}
