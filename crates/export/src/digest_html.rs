//! The digest as one piece of HTML to paste into a newsletter: inline styles, absolute links, nothing that
//! runs or loads, small enough that mail programs show all of it.

use crate::digest::Digest;
use crate::digest_layout::{Layout, Limits, Link, Span, layout};
use crate::xml::escape_html;

/// Mail programs cut off messages of about 100 kB; some room is left for the newsletter around the piece.
const MAX_BYTES: usize = 90_000;

// `word-wrap` is how mail programs know `overflow-wrap`.
const BODY: &str = "font-family:Arial,Helvetica,sans-serif;font-size:16px;line-height:1.5;color:#0b0c0c;max-width:640px;\
     word-wrap:break-word";
const TITLE: &str = "margin:0 0 8px;font-size:24px;line-height:1.25";
const HEADING: &str = "margin:32px 0 8px;font-size:20px;line-height:1.25;border-bottom:2px solid #0b0c0c";
const ENTRY: &str = "margin:24px 0 0;font-size:17px;line-height:1.3";
const BYLINE: &str = "margin:4px 0 0;font-size:14px;color:#505a5f";
const TEXT: &str = "margin:4px 0 0";
const INTRODUCTION: &str = "margin:16px 0 0;font-size:17px";
const NOTE: &str = "margin:4px 0 0;padding-left:8px;border-left:4px solid #1d70b8";
const LINK: &str = "color:#1d70b8";

/// Summaries are shortened first; then what does not fit is counted and linked.
pub(crate) fn write(digest: &Digest) -> String {
    let mut limits = Limits {
        summary_words: model::EXCERPT_WORDS,
        heading_words: 40,
        entries: digest.entries.len(),
        lines: usize::MAX,
    };
    loop {
        let html = render(layout(digest, limits), &digest.site.language);
        if html.len() < MAX_BYTES || (limits.entries == 0 && limits.lines == 0) {
            return html;
        }
        match limits.summary_words {
            0 => {
                limits.lines = limits.lines.min(60) * 3 / 4;
                limits.entries = limits.entries * 9 / 10;
            }
            words => limits.summary_words = words / 2,
        }
    }
}

/// `language` is the site's; the newsletter around the piece may be in another.
fn render(layout: Layout, language: &str) -> String {
    let mut out = element("h2", TITLE, &escape_html(&layout.title));
    out += &element("p", TEXT, &spans(&layout.lead));
    for paragraph in layout.introduction {
        out += &element("p", INTRODUCTION, &escape_html(&paragraph));
    }
    for section in layout.sections {
        out += &element("h3", HEADING, &escape_html(&section.heading));
        for block in section.blocks {
            let language = block.language.as_deref();
            out += &element_in("h4", ENTRY, language, &link(&block.heading));
            out += &element("p", BYLINE, &escape_html(&block.byline));
            if let Some(summary) = block.summary {
                out += &element_in("p", TEXT, language, &escape_html(&summary));
            }
            if let Some(note) = block.note {
                out += &element("p", NOTE, &escape_html(&note));
            }
        }
        if !section.lines.is_empty() {
            let lines = section.lines.iter().map(|line| element("li", TEXT, &spans(line)));
            out += &element("ul", TEXT, &lines.collect::<String>());
        }
    }
    element_in("div", BODY, Some(language), &out)
}

/// An element around markup.
fn element(name: &str, style: &str, inner: &str) -> String {
    format!("<{name} style=\"{style}\">{inner}</{name}>\n")
}

/// An element around markup in a language (BCP 47) that may be written from right to left.
fn element_in(name: &str, style: &str, language: Option<&str>, inner: &str) -> String {
    let language = language.map_or_else(String::new, |tag| format!(" lang=\"{}\"", escape_html(tag)));
    format!("<{name} style=\"{style}\"{language} dir=\"auto\">{inner}</{name}>\n")
}

fn spans(line: &[Span]) -> String {
    line.iter().map(span).collect()
}

fn span(span: &Span) -> String {
    match span {
        Span::Text(text) => escape_html(text),
        Span::Link(target) => link(target),
    }
}

fn link(link: &Link) -> String {
    let (url, text) = (escape_html(&link.url), escape_html(&link.text));
    format!("<a href=\"{url}\" style=\"{LINK}\">{text}</a>")
}
