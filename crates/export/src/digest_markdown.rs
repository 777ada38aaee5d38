//! The digest in Markdown that means the same to every reader of it, CommonMark's or another's: no raw HTML, no
//! extensions, and no word of a post that turns into markup.

use model::clean_text;

use crate::digest::Digest;
use crate::digest_layout::{Layout, Limits, Link, Span, layout};

pub(crate) fn write(digest: &Digest) -> String {
    let Layout {
        title,
        lead,
        introduction,
        sections,
    } = layout(digest, Limits::NONE);
    let mut out = String::new();
    out.extend(["# ", &escape(&title), "\n\n", &spans(&lead), "\n"]);
    for paragraph in introduction {
        out.extend(["\n", &escape(&paragraph), "\n"]);
    }
    for section in sections {
        out.extend(["\n## ", &escape(&section.heading), "\n"]);
        for block in section.blocks {
            out.extend([
                "\n### ",
                &link(&block.heading),
                "\n\n",
                &escape(&block.byline),
                "\n",
            ]);
            if let Some(summary) = block.summary {
                out.extend(["\n", &escape(&summary), "\n"]);
            }
            if let Some(note) = block.note {
                out.extend(["\n", &escape(&note), "\n"]);
            }
        }
        if !section.lines.is_empty() {
            out.push('\n');
        }
        for line in section.lines {
            out.extend(["- ", &spans(&line), "\n"]);
        }
    }
    out
}

fn spans(line: &[Span]) -> String {
    line.iter().map(span).collect()
}

fn span(span: &Span) -> String {
    match span {
        Span::Text(text) => {
            // `escape` folds white space; at the ends of a piece it separates words.
            let start = if text.starts_with(' ') { " " } else { "" };
            let end = if text.ends_with(' ') { " " } else { "" };
            format!("{start}{}{end}", escape(text))
        }
        Span::Link(target) => link(target),
    }
}

/// In the words of a link an address or a name would become a link in the link, with those readers who make links of what
/// looks like one.
fn link(link: &Link) -> String {
    let words = escape(&link.text)
        .replace("://", ":&#47;/")
        .replace("www.", "www&#46;")
        .replace('@', "&#64;");
    format!("[{words}]({})", destination(&link.url))
}

/// One line of text in which no character is markup (CommonMark 2.4): those that mean something anywhere are
/// escaped, and those that do so at the start of a line or at its end, if they stand there. Before what Markdown always
/// had a backslash stands; older readers know no other, so the rest become references.
fn escape(text: &str) -> String {
    let text = clean_text(text);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::with_capacity(text.len() + 8);
    // "1." and "1)" begin a list; so do "-" and "+", and a row of "=" or "-" makes a heading.
    let number = text.bytes().take_while(u8::is_ascii_digit).count();
    for (index, c) in text.char_indices() {
        let rest = &text[index + c.len_utf8()..];
        let (is_first, is_last) = (index == 0, rest.is_empty());
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' => out.extend(['\\', c]),
            '#' | '-' | '+' if is_first => out.extend(['\\', c]),
            '#' | '!' if is_last => out.extend(['\\', c]),
            '.' | ')' if index == number && number > 0 => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '>' if is_first => out.push_str("&gt;"),
            '&' if rest.starts_with(|c: char| c == '#' || c.is_ascii_alphabetic()) => out.push_str("&amp;"),
            '=' if is_first => out.push_str("&#61;"),
            '~' => out.push_str("&#126;"),
            '$' => out.push_str("&#36;"),
            '^' => out.push_str("&#94;"),
            c => out.push(c),
        }
    }
    out
}

/// An address between parentheses (CommonMark 6.3): what would end it is percent-encoded, and no `&` of it
/// begins an entity.
fn destination(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for c in clean_text(url).chars() {
        match c {
            '(' => out.push_str("%28"),
            ')' => out.push_str("%29"),
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '\\' => out.push_str("%5C"),
            '&' => out.push_str("&amp;"),
            c if c.is_whitespace() => out.push_str("%20"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, LinkType, Parser, Tag};

    use super::{Link, destination, escape};
    use crate::sample::HOSTILE;

    /// What a CommonMark reader shows, and the addresses it links.
    fn shown(markdown: &str) -> (String, Vec<String>) {
        let (mut text, mut links) = (String::new(), Vec::new());
        for event in Parser::new(markdown) {
            match event {
                Event::Text(piece) => text.push_str(&piece),
                Event::Start(Tag::Link {
                    link_type, dest_url, ..
                }) => {
                    assert_eq!(link_type, LinkType::Inline);
                    links.push(dest_url.into_string());
                }
                Event::Start(Tag::Paragraph) | Event::End(_) => {}
                other => panic!("{other:?} in {markdown}"),
            }
        }
        (text, links)
    }

    #[test]
    fn words_never_turn_into_markup() {
        for text in [
            "# heading",
            "1. one",
            "12) twelve",
            "- item",
            "+ item",
            "* item",
            "> quote",
            "=====",
            "---",
            "***",
            "`code` **bold** _em_ ~~no~~",
            "[a](b) ![c](d) [e]: f",
            "<b>x</b> <https://a.example>",
            "&amp; &copy;",
            "a\\",
            "\\*",
            "| a | b |",
            "```rust",
            "&#35;",
            "2015. A year",
            "$x^2$ ~sub~ £5 & $6",
            "Q&A & R&#38;D &",
            "C#",
            "#ukgc15 and #localgov #",
            "Hello!",
            HOSTILE,
        ] {
            let clean = model::clean_text(text);
            let folded = clean.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(shown(&escape(text)).0, folded, "{text:?} as {:?}", escape(text));
        }
    }

    #[test]
    fn words_of_a_link_hold_no_other() {
        for text in [
            "See https://a.example/_x_",
            "www.a.example",
            "Ask @council or a@b.example",
        ] {
            let link = super::link(&Link {
                text: text.to_owned(),
                url: "https://blog.example/".to_owned(),
            });
            for found in ["://a", "www.", "@"] {
                assert!(!link.contains(found), "{link}");
            }
            assert_eq!(
                shown(&link),
                (text.to_owned(), vec!["https://blog.example/".to_owned()])
            );
        }
    }

    #[test]
    fn addresses_stay_whole() {
        let url = "https://example.org/a_(b)?x=1&copy;=2&y=[z]*_#f";
        let (text, links) = shown(&format!("[{}]({})", escape("a ] b"), destination(url)));
        assert_eq!(text, "a ] b");
        assert_eq!(links, [url.replace('(', "%28").replace(')', "%29")]);
    }
}
