//! OPML in: the lists of feeds that other software exports, as they are found in the wild. Groups are looked
//! through, not kept. What cannot be taken is told, not fatal. OPML out is made by `export`.

use std::collections::HashSet;

use model::{FeedSpec, clean_text, normal_feed_address};
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use crate::RegistryError;
use crate::lines::Lines;
use crate::units::web_address;

/// What an OPML file gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpmlImport {
    /// The feeds, in the order of the file: address, name and site.
    pub feeds: Vec<FeedSpec>,
    /// What was left out, and why; one sentence each.
    pub skipped: Vec<String>,
}

/// Reads OPML 1.0 or 2.0, however it is spelled: names of any case, `title` without `text`, no version, a bare
/// `&`, a byte order mark, a broken end.
///
/// # Errors
///
/// When there is not a single outline.
pub fn import_opml(text: &str) -> Result<OpmlImport, RegistryError> {
    let text = text.trim_start_matches('\u{feff}');
    let lines = Lines::of(text);
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut import = OpmlImport {
        feeds: Vec::new(),
        skipped: Vec::new(),
    };
    let mut seen = HashSet::new();
    let mut is_opml = false;
    loop {
        let line = lines.line(reader.buffer_position() as usize);
        match reader.read_event() {
            Ok(Event::Start(element) | Event::Empty(element)) => {
                let name = element.local_name();
                let name = name.as_ref();
                is_opml |= name.eq_ignore_ascii_case("opml");
                if name.eq_ignore_ascii_case("outline") {
                    is_opml = true;
                    match read_outline(&element) {
                        Some(Ok(feed)) if seen.insert(normal_feed_address(&feed.url)) => {
                            import.feeds.push(feed);
                        }
                        Some(Ok(feed)) => {
                            let again = format!("line {line}: {} stands there already", feed.url);
                            import.skipped.push(again);
                        }
                        Some(Err(reason)) => import.skipped.push(format!("line {line}: {reason}")),
                        None => {}
                    }
                }
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => {
                let reason = format!("line {line}: the rest cannot be read ({error})");
                import.skipped.push(reason);
                break;
            }
        }
    }
    if is_opml {
        Ok(import)
    } else {
        Err(RegistryError::NotOpml(
            "this is no OPML, for it has no <opml> and no <outline>; export the list again as OPML"
                .to_owned(),
        ))
    }
}

/// The feed of an outline, why it cannot be taken, or `None` for a group or a note.
fn read_outline(element: &BytesStart<'_>) -> Option<Result<FeedSpec, String>> {
    let (mut address, mut site, mut text, mut title) = (None, None, None, None);
    for attribute in element.html_attributes().with_checks(false).flatten() {
        let value = fold(&decode(&attribute.value));
        if value.is_empty() {
            continue;
        }
        match attribute.key.as_ref().to_ascii_lowercase().as_str() {
            "xmlurl" => address = Some(value),
            "htmlurl" => site = Some(value),
            "text" => text = Some(value),
            "title" => title = Some(value),
            _ => {}
        }
    }
    let address = address?;
    let name = text.or(title);
    // `feed:` is a convention of the browsers of 2005: `feed://host/…` and `feed:https://host/…`.
    let plain = match address.strip_prefix("feed:") {
        Some(rest) if rest.starts_with("//") => format!("http:{rest}"),
        Some(rest) => rest.to_owned(),
        None => address.clone(),
    };
    let Ok(url) = web_address(&plain) else {
        let name = name.map(|name| format!("{name:?}: ")).unwrap_or_default();
        return Some(Err(format!("{name}{address:?} is no http or https address")));
    };
    let name = name
        .or_else(|| url.host_str().map(str::to_owned))
        .unwrap_or_default();
    Some(Ok(FeedSpec {
        site: site.and_then(|site| web_address(&site).ok()),
        ..FeedSpec::new(url, name)
    }))
}

/// Resolves the entities of XML one by one, so that a bare `&` costs nothing else.
fn decode(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = rest.find(';').map_or("", |end| &rest[..=end]);
        match unescape(entity) {
            Ok(resolved) if !entity.is_empty() => {
                out.push_str(&resolved);
                rest = &rest[entity.len()..];
            }
            _ => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// Text fit to be shown: no forbidden characters, white space folded.
fn fold(text: &str) -> String {
    let clean = clean_text(text);
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn import(outlines: &str) -> OpmlImport {
        import_opml(&format!("<opml><body>{outlines}</body></opml>")).unwrap()
    }

    fn feed(url: &str, name: &str) -> FeedSpec {
        FeedSpec::new(Url::parse(url).unwrap(), name)
    }

    #[test]
    fn outlines_in_the_wild() {
        for (outline, url, name) in [
            (
                r#"<outline text="A" xmlUrl="https://a.example/f"/>"#,
                "https://a.example/f",
                "A",
            ),
            (
                r"<outline XMLURL='https://a.example/f' title='A'></outline>",
                "https://a.example/f",
                "A",
            ),
            (
                r#"<OUTLINE xmlurl="https://a.example/f" title="B" text="A"/>"#,
                "https://a.example/f",
                "A",
            ),
            (
                r#"<outline xmlUrl="https://a.example/f" text=""/>"#,
                "https://a.example/f",
                "a.example",
            ),
            (
                r#"<outline text="Q & A &amp; B &#38; C &nbsp;" xmlUrl="https://a.example/?a=1&b=2&amp;c=3"/>"#,
                "https://a.example/?a=1&b=2&c=3",
                "Q & A & B & C &nbsp;",
            ),
            (
                r#"<outline text="A" xmlUrl=" feed://a.example/f "/>"#,
                "http://a.example/f",
                "A",
            ),
            (
                r#"<outline text="A" xmlUrl="feed:https://a.example/f"/>"#,
                "https://a.example/f",
                "A",
            ),
            (
                r#"<outline text="A" text="B" xmlUrl=https://a.example/f disabled/>"#,
                "https://a.example/f",
                "B",
            ),
            (
                r#"<outline text="Group"><outline text="Inner"><outline text="A" xmlUrl="https://a.example/f"/></outline></group>"#,
                "https://a.example/f",
                "A",
            ),
            (
                "<!-- & --> & <outline text=\"A\n  <i>\u{1}b\" xmlUrl=\"https://a.example/f\">",
                "https://a.example/f",
                "A <i>b",
            ),
        ] {
            assert_eq!(import(outline).feeds, [feed(url, name)], "{outline}");
            assert_eq!(import(outline).skipped, Vec::<String>::new(), "{outline}");
        }
    }

    #[test]
    fn a_mark_a_declaration_and_a_site() {
        let found = import_opml(
            "\u{feff}<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<!DOCTYPE opml>\n<opml version=\"1.0\">\
             <head/><body><outline text=\"A\" htmlUrl=\"https://a.example/\" xmlUrl=\"https://a.example/f\"/>",
        )
        .unwrap();
        assert_eq!(found.feeds[0].site, Url::parse("https://a.example/").ok());
    }

    #[test]
    fn what_is_left_out_is_told() {
        let found = import(
            "\n<outline text=\"A\" xmlUrl=\"https://a.example/f\"/>\n<outline xmlUrl=\"HTTPS://A.example/f#x\"/>\
             \n<outline text=\"Script\" xmlUrl=\"|~/fetch.py\"/>\n<outline text=\"note\"/><outline text=\"B",
        );
        assert_eq!(found.feeds.len(), 1);
        assert_eq!(
            found.skipped[..2],
            [
                "line 3: https://a.example/f#x stands there already",
                "line 4: \"Script\": \"|~/fetch.py\" is no http or https address",
            ]
        );
        assert!(
            found.skipped[2].starts_with("line 5: the rest cannot be read ("),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_no_opml_is_an_error() {
        for text in ["", "<rss version=\"2.0\"><channel/></rss>", "[[feed]]", "{}"] {
            assert!(
                matches!(import_opml(text), Err(RegistryError::NotOpml(_))),
                "{text}"
            );
        }
        assert_eq!(import("").feeds, []);
    }
}
