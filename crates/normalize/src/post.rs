//! A post on its own, handed in by whoever writes the rules: from a web page, a text, or a line of JSON (contract
//! section 9). Reads no file.

use serde::Deserialize;

use crate::hashtag::hashtags;
use crate::sanitize::sanitize;
use crate::tag::{Tagger, Weighed};
use crate::text::{count_words, plain_text, plain_title, plain_to_html};

/// A post that somebody may have read and labelled.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct LabelledPost {
    /// Names the post in messages.
    #[serde(default)]
    pub id: String,
    /// The title; empty for a post without one.
    #[serde(default)]
    pub title: String,
    /// The post's own markup.
    #[serde(default)]
    pub html: String,
    /// The feed's own categories.
    #[serde(default)]
    pub categories: Vec<String>,
    /// The topics that it has.
    #[serde(default)]
    pub topics: Vec<String>,
    /// The hashtags that a reader sees in it.
    #[serde(default)]
    pub hashtags: Vec<String>,
    /// Hashtags left out of the score, found or not.
    #[serde(default)]
    pub hashtags_ambiguous: Vec<String>,
}

/// What the tagger looks at, made on the way that a feed's entry takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadPost {
    /// Plain text; empty for a post without a title.
    pub title: String,
    /// Plain text.
    pub text: String,
    /// How many words that has.
    pub words: u32,
    /// What a reader sees.
    pub hashtags: Vec<String>,
    /// The feed's own.
    pub categories: Vec<String>,
}

impl LabelledPost {
    /// A post out of a web page: its `<article>` or else `<main>` or `<body>`, and its first `<h1>` or else its
    /// `<title>`.
    pub fn from_html(page: &str) -> Self {
        let body = ["article", "main", "body"]
            .into_iter()
            .find_map(|name| element(page, name))
            .map_or(page, |(inside, _)| inside);
        let (title, html) = element(body, "h1").map_or_else(
            || {
                let title = element(page, "title").map_or("", |(title, _)| title);
                (title, body.to_owned())
            },
            |(title, (start, end))| (title, [&body[..start], &body[end..]].concat()),
        );
        Self {
            title: plain_title(title, true).unwrap_or_default(),
            html,
            ..Self::default()
        }
    }

    /// A post out of plain text; the first line is its title, with or without the `#` of a Markdown heading.
    pub fn from_text(text: &str) -> Self {
        let text = text.trim_start();
        let (title, rest) = text.split_once('\n').unwrap_or((text, ""));
        Self {
            title: title.strip_prefix("# ").unwrap_or(title).trim().to_owned(),
            html: plain_to_html(rest.trim()),
            ..Self::default()
        }
    }

    /// What the tagger looks at.
    pub fn read(&self) -> ReadPost {
        let title = plain_title(&self.title, false).unwrap_or_default();
        let safe_html = sanitize(&self.html, None);
        let text = plain_text(safe_html.as_str());
        ReadPost {
            hashtags: hashtags(&title, &text, safe_html.as_str()),
            words: count_words(&text),
            title,
            text,
            categories: self.categories.clone(),
        }
    }
}

impl ReadPost {
    /// How every topic fares in it.
    pub fn explain(&self, tagger: &Tagger) -> Vec<Weighed> {
        tagger.explain(&self.title, &self.text, &self.categories, &self.hashtags)
    }
}

/// What the first element of this name holds, and where it begins and ends.
fn element<'a>(html: &'a str, name: &str) -> Option<(&'a str, (usize, usize))> {
    // ASCII keeps every byte where it is.
    let lower = html.to_ascii_lowercase();
    let open = format!("<{name}");
    let start = lower
        .match_indices(&open)
        .map(|(at, _)| at)
        .find(|at| lower[at + open.len()..].starts_with(|c: char| c == '>' || c.is_ascii_whitespace()))?;
    let inside = start + lower[start..].find('>')? + 1;
    let close = format!("</{name}");
    let stop = inside + lower[inside..].find(&close).unwrap_or(lower.len() - inside);
    let end = lower[stop..].find('>').map_or(lower.len(), |at| stop + at + 1);
    Some((&html[inside..stop], (start, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title_and_text(post: &LabelledPost) -> (String, String) {
        let read = post.read();
        (read.title, read.text)
    }

    #[test]
    fn a_web_page() {
        for (page, title, text) in [
            (
                "<!DOCTYPE html><html><head><title>Site</title></head><body><nav>Menu</nav><ARTICLE class=x><h1>Our <em>day \
                 &amp; night</em></h1><p>Words</p></ARTICLE>Foot</body></html>",
                "Our day & night",
                "Words",
            ),
            ("<head><title>A post</title><body><p>Text", "A post", "Text"),
            ("<p>Only #words</p>", "", "Only #words"),
            ("<header>Top</header><h1>T</h1>", "T", "Top"),
            ("<h1", "", ""),
        ] {
            assert_eq!(
                title_and_text(&LabelledPost::from_html(page)),
                (title.to_owned(), text.to_owned()),
                "{page}"
            );
        }
    }

    #[test]
    fn a_text() {
        let post = LabelledPost::from_text("\n# A <title>\n\nOne & two\n\nthree #four\n");
        assert_eq!(
            title_and_text(&post),
            ("A <title>".to_owned(), "One & two\nthree #four".to_owned())
        );
        let read = post.read();
        assert_eq!((read.words, read.hashtags), (4, vec!["four".to_owned()]));
        assert_eq!(
            title_and_text(&LabelledPost::from_text("")),
            (String::new(), String::new())
        );
    }
}
