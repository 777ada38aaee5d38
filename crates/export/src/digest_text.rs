//! The digest as plain text for mails: lines of at most 72 characters. Words are never cut, so that a longer
//! address stays whole on a line of its own.

use model::clean_text;

use crate::digest::Digest;
use crate::digest_layout::{Layout, Limits, Link, Span, layout};

const WIDTH: usize = 72;

pub(crate) fn write(digest: &Digest) -> String {
    let Layout {
        title,
        lead,
        introduction,
        sections,
    } = layout(digest, Limits::NONE);
    let mut out = String::new();
    underlined(&mut out, &title, '=');
    out.push('\n');
    wrap(&mut out, "", "", &spans(&lead));
    for paragraph in introduction {
        out.push('\n');
        wrap(&mut out, "", "", &paragraph);
    }
    for section in sections {
        out.push('\n');
        underlined(&mut out, &section.heading, '-');
        for block in section.blocks {
            out.push('\n');
            wrap(&mut out, "", "", &block.heading.text);
            wrap(&mut out, "", "", &block.byline);
            wrap(&mut out, "  ", "  ", &block.summary.unwrap_or_default());
            wrap(&mut out, "  ", "  ", &block.note.unwrap_or_default());
            wrap(&mut out, "  ", "  ", &block.heading.url);
        }
        if !section.lines.is_empty() {
            out.push('\n');
        }
        for line in section.lines {
            wrap(&mut out, "* ", "  ", &spans(&line));
        }
    }
    out
}

fn spans(line: &[Span]) -> String {
    line.iter()
        .map(|span| match span {
            Span::Text(text) => text.clone(),
            Span::Link(Link { text, url }) if text == url => format!("<{url}>"),
            // Angle brackets keep an address whole in mails (RFC 3986 appendix C).
            Span::Link(Link { text, url }) => format!("{text} <{url}>"),
        })
        .collect()
}

fn underlined(out: &mut String, heading: &str, line: char) {
    let start = out.len();
    wrap(out, "", "", heading);
    let longest = out[start..].lines().map(|line| line.chars().count()).max();
    out.extend(std::iter::repeat_n(line, longest.unwrap_or(0)));
    out.push('\n');
}

/// Writes `text` in lines, the first after `first`, the others after `rest`. Empty text is no line.
fn wrap(out: &mut String, first: &str, rest: &str, text: &str) {
    let text = clean_text(text);
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width == 0 {
            out.push_str(first);
            width = first.chars().count();
        } else if width + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(rest);
            width = rest.chars().count();
        } else {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    if width > 0 {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn wraps_at_words_and_never_inside() {
        let mut out = String::new();
        let address = format!("https://example.org/{}", "a".repeat(80));
        super::wrap(
            &mut out,
            "* ",
            "  ",
            &format!("{} {address} end", "word ".repeat(30)),
        );
        let lines: Vec<_> = out.lines().collect();
        assert!(lines[0].starts_with("* word") && lines[1].starts_with("  word"));
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() <= 72 || line.trim() == address)
        );
        assert_eq!(lines.last(), Some(&"  end"));
    }
}
