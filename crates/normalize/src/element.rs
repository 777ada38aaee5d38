//! A small tree of what one entry, or the head of a feed, is made of, and what can be asked of it: its text, its
//! markup, its attributes. Names are compared without case or prefix; what a prefix means is a [`Vocabulary`].

use std::borrow::Cow;

use crate::xml::Attribute;

/// What an element's namespace speaks of, as far as feeds are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    /// RSS of any version, Atom of any version, CDF, or nothing said.
    Feed,
    /// Dublin Core.
    Dc,
    /// Dublin Core's terms.
    Terms,
    /// The content module of RSS.
    Content,
    /// Media RSS.
    Media,
    Itunes,
    Xhtml,
    Other,
}

impl Vocabulary {
    /// The vocabulary of a namespace; `None` for one that we do not know.
    pub(crate) fn of_namespace(uri: &str) -> Option<Self> {
        let lower = uri.trim().to_ascii_lowercase();
        let name = lower
            .trim_start_matches("http://")
            .trim_start_matches("https://")
            .trim_start_matches("www.")
            .trim_end_matches(['/', '#']);
        Some(match name {
            ""
            | "w3.org/2005/atom"
            | "purl.org/atom/ns"
            | "purl.org/rss/1.0"
            | "purl.org/rss/1.0/modules/rss091"
            | "purl.org/net/rss1.1"
            | "purl.org/echo"
            | "purl.org/pie"
            | "my.netscape.com/rdf/simple/0.9"
            | "channel.netscape.com/rdf/simple/0.9" => Self::Feed,
            "purl.org/rss/1.0/modules/content" => Self::Content,
            "purl.org/dc/terms" => Self::Terms,
            "w3.org/1999/xhtml" => Self::Xhtml,
            "w3.org/1999/02/22-rdf-syntax-ns" => Self::Other,
            _ if name.contains("backend.userland.com/rss") || name.ends_with("law.harvard.edu/tech/rss") => {
                Self::Feed
            }
            _ if name.contains("purl.org/dc/elements/") => Self::Dc,
            _ if name.contains("search.yahoo.com/mrss") => Self::Media,
            _ if name.ends_with("/dtds/podcast-1.0.dtd") => Self::Itunes,
            _ => return None,
        })
    }

    /// What a prefix stands for by custom, where nothing is declared for it.
    pub(crate) fn of_prefix(prefix: &str) -> Option<Self> {
        Some(match prefix.to_ascii_lowercase().as_str() {
            "" | "atom" | "rss" => Self::Feed,
            "dc" => Self::Dc,
            "dcterms" => Self::Terms,
            "content" => Self::Content,
            "media" => Self::Media,
            "itunes" => Self::Itunes,
            "xhtml" => Self::Xhtml,
            _ => return None,
        })
    }
}

/// An element with all that stands in it.
#[derive(Debug)]
pub(crate) struct Element<'a> {
    /// With its prefix, as it stood.
    pub(crate) name: &'a str,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) attributes: Vec<Attribute<'a>>,
    pub(crate) children: Vec<Node<'a>>,
}

/// What stands in an element.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    Element(Element<'a>),
    Text(Cow<'a, str>),
    /// Text that stood in a CDATA section: markup, if its surroundings are.
    Cdata(Cow<'a, str>),
}

impl<'a> Element<'a> {
    /// The name without its prefix, as it stood.
    pub(crate) fn local(&self) -> &'a str {
        local(self.name)
    }

    /// Whether it has this local name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.local().eq_ignore_ascii_case(name)
    }

    /// The value of the attribute with this local name; one without prefix before one with.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let named = |qualified: bool| {
            self.attributes
                .iter()
                .find(|attribute| {
                    attribute.name.contains(':') == qualified
                        && local(attribute.name).eq_ignore_ascii_case(name)
                })
                .map(|attribute| attribute.value.as_ref())
        };
        named(false).or_else(|| named(true))
    }

    /// The elements in it.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &Element<'a>> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::Cdata(_) => None,
        })
    }

    /// Whether elements stand in it.
    pub(crate) fn has_elements(&self) -> bool {
        self.elements().next().is_some()
    }

    /// All text in it, trimmed; `None` if there is none.
    pub(crate) fn text(&self) -> Option<String> {
        let mut out = String::new();
        self.collect_text(&mut out);
        let trimmed = out.trim();
        match trimmed.len() {
            0 => None,
            length if length == out.len() => Some(out),
            _ => Some(trimmed.to_owned()),
        }
    }

    fn collect_text(&self, out: &mut String) {
        for node in &self.children {
            match node {
                Node::Element(element) => element.collect_text(out),
                Node::Text(text) | Node::Cdata(text) => out.push_str(text),
            }
        }
    }

    /// What stands in it as HTML, trimmed. `cdata_is_markup`: what stood in a CDATA section is HTML too, not text.
    pub(crate) fn markup(&self, cdata_is_markup: bool) -> Option<String> {
        let mut out = String::new();
        for node in &self.children {
            node.write(&mut out, cdata_is_markup);
        }
        let trimmed = out.trim();
        (!trimmed.is_empty()).then(|| trimmed.to_owned())
    }
}

impl Node<'_> {
    fn write(&self, out: &mut String, cdata_is_markup: bool) {
        match self {
            Self::Cdata(text) if cdata_is_markup => out.push_str(text),
            Self::Text(text) | Self::Cdata(text) => escape(text, out),
            Self::Element(element) => {
                let name = element.local();
                out.push('<');
                out.push_str(name);
                for Attribute { name, value } in &element.attributes {
                    // Where the namespaces lie means nothing in HTML; the language does.
                    let name = match *name {
                        "xml:lang" => "lang",
                        name if name.starts_with("xmlns") || name.contains(':') => continue,
                        name => name,
                    };
                    out.push(' ');
                    out.push_str(name);
                    out.push_str("=\"");
                    escape(value, out);
                    out.push('"');
                }
                out.push('>');
                if !VOID.iter().any(|void| name.eq_ignore_ascii_case(void)) {
                    for node in &element.children {
                        node.write(out, cdata_is_markup);
                    }
                    out.push_str("</");
                    out.push_str(name);
                    out.push('>');
                }
            }
        }
    }
}

/// Elements of HTML that have no end (HTML section 13.1.2).
const VOID: [&str; 13] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
];

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

/// A name without its prefix.
pub(crate) fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}
