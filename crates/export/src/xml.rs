//! Writing XML that every parser accepts: what stands in text and attributes is cleaned and escaped here, and
//! nowhere else. Element and attribute names are ours.

use model::clean_text;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesPI, BytesStart, BytesText, Event};

/// A document in the making.
pub(crate) struct Xml(Writer<Vec<u8>>);

impl Xml {
    /// A document that begins with its declaration.
    pub(crate) fn new() -> Self {
        let mut xml = Self(Writer::new_with_indent(Vec::new(), b' ', 1));
        xml.write(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        xml
    }

    /// `<?target data?>`; the data has no `?>` in it.
    pub(crate) fn instruction(&mut self, target: &str, data: &str) {
        self.write(Event::PI(BytesPI::new(format!("{target} {data}"))));
    }

    /// `<name attributes>`; [`Xml::close`] belongs to it.
    pub(crate) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.write(Event::Start(start(name, attributes)));
    }

    /// `</name>`.
    pub(crate) fn close(&mut self, name: &str) {
        self.write(Event::End(BytesEnd::new(name)));
    }

    /// `<name attributes/>`.
    pub(crate) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.write(Event::Empty(start(name, attributes)));
    }

    /// `<name attributes>text</name>`.
    pub(crate) fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.open(name, attributes);
        self.write(Event::Text(BytesText::new(&clean_text(text))));
        self.close(name);
    }

    /// `<name attributes>text</name>` with `&` and `<` as the RSS Advisory Board's profile asks for them in plain text, so
    /// that nobody takes a title for markup.
    pub(crate) fn plain_text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        let text = clean_text(text)
            .replace('&', "&#x26;")
            .replace('<', "&#x3C;")
            .replace('>', "&#x3E;");
        self.open(name, attributes);
        self.write(Event::Text(BytesText::from_escaped(text)));
        self.close(name);
    }

    /// What has been written since the last time.
    pub(crate) fn take(&mut self) -> String {
        text(std::mem::take(self.0.get_mut()))
    }

    /// The document, or what is left of it.
    pub(crate) fn finish(self) -> String {
        let mut text = text(self.0.into_inner());
        text.push('\n');
        text
    }

    fn write(&mut self, event: Event<'_>) {
        self.0.write_event(event).expect("a Vec takes every byte");
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("quick-xml writes the strings it was given")
}

fn start<'a>(name: &'a str, attributes: &[(&str, &str)]) -> BytesStart<'a> {
    let mut element = BytesStart::new(name);
    for &(key, value) in attributes {
        element.push_attribute((key, clean_text(value).as_ref()));
    }
    element
}

/// Plain text as HTML, for text and for attributes in double quotes.
pub(crate) fn escape_html(text: &str) -> String {
    clean_text(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Strict reading, for tests: well-formed or a panic.
#[cfg(test)]
pub(crate) mod strict {
    use quick_xml::XmlVersion;
    use quick_xml::events::{BytesStart, Event};

    /// An element with its text (its own, joined) and children.
    #[derive(Debug, Default)]
    pub(crate) struct Element {
        pub(crate) name: String,
        pub(crate) attributes: Vec<(String, String)>,
        pub(crate) text: String,
        pub(crate) children: Vec<Element>,
    }

    impl Element {
        pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &Element> {
            self.children.iter().filter(move |child| child.name == name)
        }

        pub(crate) fn child(&self, name: &'static str) -> &Element {
            self.all(name)
                .next()
                .unwrap_or_else(|| panic!("no <{name}> in <{}>", self.name))
        }

        pub(crate) fn attribute(&self, name: &str) -> &str {
            &self
                .attributes
                .iter()
                .find(|(key, _)| key == name)
                .unwrap_or_else(|| panic!("no {name} on <{}>", self.name))
                .1
        }

        pub(crate) fn link(&self, element: &'static str, rel: &str) -> Option<&str> {
            self.all(element)
                .find(|link| link.attribute("rel") == rel)
                .map(|link| link.attribute("href"))
        }
    }

    fn element(start: &BytesStart<'_>) -> Element {
        Element {
            name: start.name().as_ref().to_owned(),
            attributes: start
                .attributes()
                .map(|attribute| {
                    let attribute = attribute.unwrap();
                    let value = attribute.normalized_value(XmlVersion::Explicit1_0).unwrap();
                    (attribute.key.as_ref().to_owned(), value.into_owned())
                })
                .collect(),
            ..Element::default()
        }
    }

    /// The root element of a document. Names must match, entities must be known, characters must be allowed.
    pub(crate) fn read(xml: &str) -> Element {
        assert_eq!(model::clean_text(xml), xml, "a forbidden character got out");
        let mut reader = quick_xml::Reader::from_str(xml);
        reader.config_mut().check_end_names = true;
        let mut open = vec![Element::default()];
        loop {
            match reader.read_event().expect("well-formed") {
                Event::Start(start) => open.push(element(&start)),
                Event::Empty(start) => open.last_mut().unwrap().children.push(element(&start)),
                Event::End(_) => {
                    let done = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(done);
                }
                Event::Text(text) => open.last_mut().unwrap().text.push_str(&text.xml10_content()),
                Event::GeneralRef(entity) => {
                    let text = match entity.resolve_char_ref().unwrap() {
                        Some(c) => c.to_string(),
                        None => quick_xml::escape::resolve_xml_entity(&entity.xml10_content())
                            .expect("only the five entities of XML")
                            .to_owned(),
                    };
                    open.last_mut().unwrap().text.push_str(&text);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(open.len(), 1, "an element was never closed");
        open.pop().unwrap().children.pop().expect("a root element")
    }
}
