//! The summary of a post: the author's own where it says something of its own, else the first words. Never more
//! than [`EXCERPT_WORDS`] words, never markup, and without what blog software puts around an author's words.
//!
//! Headings, paragraphs and list items are parted by a space and nothing else: a full stop after a heading would not
//! be the author's, and a line end would break the lists and tables that summaries stand in.

use std::borrow::Cow;

use model::{EXCERPT_WORDS, first_words};

use crate::sanitize::is_label;

/// What blog software puts at the end of a summary.
const BOILERPLATE: [&str; 12] = [
    "continue reading",
    "click here to read more",
    "read more",
    "read full article",
    "read full story",
    "read the full story",
    "read the rest of this entry",
    "read the full post",
    "read the full article",
    "keep reading",
    "view original post",
    "more »",
];

/// What stands alone on the last lines of a post in a feed, and how they begin: buttons, counters and lists of
/// categories.
const FOOTERS: [&str; 13] = [
    "share this:",
    "share this post",
    "like this:",
    "like loading",
    "filed under:",
    "tagged:",
    "tagged with:",
    "posted in:",
    "advertisement",
    "email this",
    "add to facebook",
    "subscribe to ",
    "comments (",
];

/// What ends a line of software's, however long it is.
const CLOSING: &str =
    "on medium, where people are continuing the conversation by highlighting and responding to this story.";

/// How long a line of software's may be.
const FOOTER_BYTES: usize = 160;

/// How many bytes of a post are searched for its summary.
const SEARCHED_BYTES: usize = 2_000;

/// The summary of a post, from the feed's own (plain text, folded) and the whole text. A summary that is the post
/// cut short is continued with the post's own words.
pub(crate) fn summary(own: Option<&str>, text: &str) -> String {
    let own = without_marks(own.unwrap_or_default());
    let own = own.as_ref();
    let kept = without_boilerplate(own);
    let text = without_labels(without_footers(text));
    let text = without_marks(text.as_ref());
    let text = text.as_ref();
    if kept.is_empty() {
        // A post of nothing else is taken at its word.
        let kept = own_words(text);
        return words_of(if kept.is_empty() { text } else { kept }, text);
    }
    if kept.len() < own.trim().len() || !ends_a_sentence(kept) {
        // Lines are all that parts the post's folded text from the summary's.
        let start = text[..text.floor_char_boundary(SEARCHED_BYTES)].replace('\n', " ");
        if let Some(at) = start.find(kept) {
            let rest = &text[at..];
            return words_of(own_words(rest), rest);
        }
    }
    words_of(kept, own)
}

/// A post without what blog software appended; of a long one, that is beyond the first words.
fn own_words(post: &str) -> &str {
    match post.len() {
        ..SEARCHED_BYTES => without_boilerplate(post),
        _ => post,
    }
}

/// The first of the words that were kept of `whole`, with an ellipsis where it was cut within a sentence.
fn words_of(kept: &str, whole: &str) -> String {
    let mut words = first_words(kept, EXCERPT_WORDS);
    if kept.len() < whole.trim().len()
        && !ends_a_sentence(&words)
        && !words.is_empty()
        && !words.ends_with('…')
    {
        words.push('…');
    }
    words
}

/// Leaves out the marks of sources that were not turned into pages, near the beginning: Hugo's shortcodes, and Markdown's
/// headings, bold words and links.
fn without_marks(text: &str) -> Cow<'_, str> {
    const MARKS: [&str; 5] = ["{{<", "{{%", "**", "](", "## "];
    let (start, rest) = text.split_at(text.floor_char_boundary(SEARCHED_BYTES));
    if !MARKS.iter().any(|mark| start.contains(mark)) {
        return text.into();
    }
    let mut kept = start.replace("**", "");
    for (opens, closes) in [("{{<", ">}}"), ("{{%", "%}}")] {
        while let Some(at) = kept.find(opens) {
            let Some(end) = kept[at..].find(closes) else { break };
            kept.replace_range(at..at + end + closes.len(), "");
        }
    }
    let mut from = 0;
    while let Some(middle) = kept[from..].find("](").map(|at| from + at) {
        from = middle + 2;
        let (Some(opens), Some(closes)) = (kept[..middle].rfind('['), kept[from..].find(')')) else {
            continue;
        };
        kept.replace_range(middle..=from + closes, "");
        kept.remove(opens);
        from = middle - 1;
    }
    for heading in ["#### ", "### ", "## "] {
        kept = kept.replace(heading, "");
    }
    (kept + rest).into()
}

/// Leaves out the lines that stand for players, unless there is nothing else.
fn without_labels(text: &str) -> Cow<'_, str> {
    if !text.lines().any(is_label) {
        return text.into();
    }
    let kept: Vec<&str> = text.lines().filter(|line| !is_label(line)).collect();
    match kept.as_slice() {
        [] => text.into(),
        kept => kept.join("\n").into(),
    }
}

/// Cuts the lines at the end that are not the author's.
fn without_footers(text: &str) -> &str {
    let mut kept = text.trim_end();
    loop {
        let start = kept.rfind('\n').map_or(0, |at| at + 1);
        let line = &kept[start..];
        let end = line.floor_char_boundary(line.len().saturating_sub(CLOSING.len()));
        let is_footer = line[end..].eq_ignore_ascii_case(CLOSING)
            || line.len() <= FOOTER_BYTES && {
                let line = line.to_ascii_lowercase();
                FOOTERS.iter().any(|footer| line.starts_with(footer)) || line == "related" || line == "share"
            };
        if !is_footer || start == 0 {
            return kept;
        }
        kept = kept[..start].trim_end();
    }
}

fn ends_a_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '”', '\'', '’', ')'])
        .ends_with(['.', '!', '?', ':'])
}

/// Cuts what the blog software appended.
fn without_boilerplate(summary: &str) -> &str {
    let mut kept = summary.trim();
    loop {
        let before = kept.len();
        if let Some(at) = kept.rfind("The post ").filter(|&at| {
            let said = &kept[at..];
            said.contains(" appeared first on ") || said.contains(" first appeared on ")
        }) {
            kept = kept[..at].trim_end();
        }
        kept = kept.trim_end_matches(['→', '»', '\u{200b}', ' ', '\n']);
        for mark in ["[…]", "[...]", "(…)", "(...)", "…", "..."] {
            kept = kept.strip_suffix(mark).unwrap_or(kept).trim_end();
        }
        // "Continue reading The title of the post": the words up to a line's worth before the end.
        let tail = kept.char_indices().rev().nth(160).map_or(0, |(at, _)| at);
        let lower = kept[tail..].to_ascii_lowercase();
        for phrase in BOILERPLATE {
            if let Some(at) = lower.rfind(phrase).map(|at| at + tail)
                && is_boilerplate(kept, at, phrase)
            {
                kept = kept[..at].trim_end_matches(['[', '(', ' ', '\n']);
                break;
            }
        }
        if kept.len() == before {
            return kept;
        }
    }
}

/// Whether the phrase at `at` is the software's and not the author's: at the end of the text, or "Continue
/// reading" with the post's title behind it after the end of a sentence or an ellipsis.
fn is_boilerplate(text: &str, at: usize, phrase: &str) -> bool {
    let behind = &text[at + phrase.len()..];
    let ahead = text[..at].trim_end();
    !behind.contains(char::is_alphanumeric)
        || phrase == "continue reading"
            && text[at..].starts_with('C')
            && (ahead.is_empty() || ahead.ends_with(['…', ']', '.', '!', '?', '"', '”', '\'', '’']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authors_own_words_win() {
        assert_eq!(
            summary(Some("What we learned."), "It was a long year."),
            "What we learned."
        );
        assert_eq!(summary(None, "It was a long year."), "It was a long year.");
        assert_eq!(summary(Some(" "), "It was a long year."), "It was a long year.");
        let long = "word ".repeat(70);
        assert_eq!(summary(Some(&long), "x").split(' ').count(), 60);
    }

    #[test]
    fn marks_of_the_source_are_no_words() {
        for (text, found) in [
            (
                "{{< pin right >}}{{< image \"a.jpg\" >}}{{< /pin >}} It was a year.",
                "It was a year.",
            ),
            (
                "We released **version 5**. ### Mobile use We [wrote](https://a.example/) of it.",
                "We released version 5. Mobile use We wrote of it.",
            ),
            ("A {{< that never ends", "A {{< that never ends"),
            ("An array](of [numbers", "An array](of [numbers"),
            ("](x) and [y", "](x) and [y"),
            ("[a](b", "[a](b"),
            ("é[ñ](ü)ö [x](y)", "éñö x"),
        ] {
            assert_eq!(summary(None, text), found);
            assert_eq!(summary(Some(text), "Other words."), found);
        }
    }

    #[test]
    fn a_cut_off_copy_of_the_post_gives_way_to_the_post() {
        let text = "It was a long year. We learned much and wrote it down.";
        for own in [
            "It was a long year. We lea",
            "It was a long year. We learned […]",
            "It was a long year. We learned [...] Continue reading →",
            "It was a long year. We learned… Continue reading A long year",
            "It was a long year. We learned […] The post A long year appeared first on The Blog.",
            "It was a long year. Read more »",
        ] {
            assert_eq!(summary(Some(own), text), text, "{own}");
        }
    }

    #[test]
    fn a_heading_before_the_words_is_skipped() {
        assert_eq!(
            summary(Some("It was a […]"), "Heading\nIt was a long year."),
            "It was a long year."
        );
        assert_eq!(
            summary(Some("Not in the […]"), "It was a long year."),
            "Not in the…"
        );
        assert_eq!(
            summary(Some("It was long."), "It was long. And more."),
            "It was long."
        );
    }

    #[test]
    fn boilerplate_goes_and_the_authors_reading_stays() {
        assert_eq!(summary(Some("A review. Read more"), "Other text"), "A review.");
        assert_eq!(
            summary(Some("Why I continue reading council minutes every week"), "Other"),
            "Why I continue reading council minutes every week"
        );
    }

    #[test]
    fn what_software_appends_to_a_post_is_no_summary_of_it() {
        for text in [
            "A heading\nIt was a long year.\nThe post A long year appeared first on The Blog.",
            "A heading\nIt was a long year. The post A long year first appeared on The Blog.",
            "A heading\nIt was a long year.\nContinue reading →",
            "A heading\nIt was a long year.\nRead more",
            "A heading\nIt was a long year. [Read more…]",
            "A heading\nIt was a long year. (Click here to read more)",
            "A heading\nIt was a long year.\nA long year was originally published in The Blog on Medium, where people are \
             continuing the conversation by highlighting and responding to this story.",
            "A heading\nIt was a long year.\nShare this:\nLike this:\nLike Loading...\nRelated",
            "A heading\nIt was a long year.\nFiled under: Council Tagged: budget, 2026",
        ] {
            assert_eq!(summary(None, text), "A heading It was a long year.", "{text}");
        }
        assert_eq!(
            summary(None, "It was a long […]\nContinue reading →"),
            "It was a long…"
        );
        assert_eq!(
            summary(None, "Watch on youtube.com: A film\nIt was a long year."),
            "It was a long year."
        );
        assert_eq!(summary(None, "Watch on youtube.com"), "Watch on youtube.com");
        assert_eq!(summary(None, "Related"), "Related");
        assert_eq!(
            summary(None, "The post room appeared first on my list"),
            "The post room appeared first on my list"
        );
        assert_eq!(
            summary(
                Some("It was a […]"),
                "It was a long year.\nThe post A long year appeared first on The Blog."
            ),
            "It was a long year."
        );
    }
}
