//! The summary of a post: the author's own where it says something of its own, else the first words. Never more
//! than [`EXCERPT_WORDS`] words, never markup, and without what blog software puts around an author's words: the title
//! once more, the words of a picture, buttons and counters.
//!
//! Headings, paragraphs and list items are parted by a space and nothing else: a full stop after a heading would not
//! be the author's, and a line end would break the lists and tables that summaries stand in.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use model::{EXCERPT_WORDS, ends_a_sentence, first_words};

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
/// Most posts end without any of them.
static ANY_BOILERPLATE: LazyLock<AhoCorasick> =
    LazyLock::new(|| AhoCorasick::new(BOILERPLATE).expect("a dozen short phrases make an automaton"));

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

/// Longer lines repeat no title and describe no picture.
const LONGEST_BESIDE: usize = 400;

/// Fewer words than these of a line are no reason to begin it.
const STUB_WORDS: usize = 4;

/// Longer lines are no headings.
const HEADING_WORDS: usize = 10;

/// How many words a summary keeps of those that it might have, so that it does not end with a heading.
const KEPT_WORDS: usize = 40;

/// The summary of a post, from the feed's own (plain text, folded) and the whole text. A summary that is the post
/// cut short is continued with the post's own words. `beside` is what may stand once more at the beginning of the post and
/// is none of its words: its title, what its picture shows.
pub(crate) fn summary(own: Option<&str>, text: &str, beside: &[&str]) -> String {
    let own = without_marks(own.unwrap_or_default());
    let text = without_labels(without_footers(text));
    let text = without_marks(text.as_ref());
    let (opening, text) = text.split_at(words_begin(&text, beside));
    let own = own
        .strip_prefix(opening.replace('\n', " ").as_str())
        .unwrap_or(&own);
    let kept = without_boilerplate(own);
    if kept.is_empty() {
        // A post of nothing else is taken at its word.
        let kept = own_words(text);
        return words_of(if kept.is_empty() { text } else { kept }, text);
    }
    if kept.len() < own.trim().len() || !is_ended(kept) {
        // Lines are all that parts the post's folded text from the summary's.
        let start = text[..text.floor_char_boundary(SEARCHED_BYTES)].replace('\n', " ");
        if let Some(at) = start.find(kept) {
            let rest = &text[at..];
            return words_of(own_words(rest), rest);
        }
    }
    words_of(kept, own)
}

/// Where the words of a post begin: behind the lines that repeat what is `beside` them, that are the caption of a picture
/// or the name of a field of the source; at its beginning if there is nothing else.
fn words_begin(text: &str, beside: &[&str]) -> usize {
    let mut at = 0;
    while let Some(end) = text[at..].find('\n').map(|end| at + end) {
        let line = &text[at..end];
        let is_field = line.ends_with(':') && line.contains('_') && !line.contains(char::is_whitespace);
        let is_beside = is_field
            || line.starts_with("Caption:")
            || line.len() <= LONGEST_BESIDE && beside.iter().any(|other| letters(other).eq(letters(line)));
        if !is_beside {
            break;
        }
        at = end + 1;
    }
    at
}

/// What two texts have in common that say the same.
fn letters(text: &str) -> impl Iterator<Item = char> {
    let letters = text.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase)
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
    let kept = without_last_heading(kept);
    let mut words = first_words(kept, EXCERPT_WORDS);
    if kept.len() < whole.trim().len() && !is_ended(&words) && !words.is_empty() {
        words.push('…');
    }
    words
}

/// Whether nothing is missing behind it: a sentence is over, or its list begins.
fn is_ended(text: &str) -> bool {
    ends_a_sentence(text) || text.ends_with(':')
}

/// A text that would be cut in a line that has hardly begun, without that line and the headings above it.
fn without_last_heading(text: &str) -> &str {
    let count = |text: &str| text.split_whitespace().count();
    let (mut words, mut at) = (0, 0);
    for line in text.split('\n') {
        let begun = EXCERPT_WORDS - words;
        words += count(line);
        if words <= EXCERPT_WORDS {
            at += line.len() + 1;
            continue;
        }
        if begun >= STUB_WORDS {
            break;
        }
        let mut kept = text[..at].trim_end();
        while let Some((above, heading)) = kept.rsplit_once('\n')
            && count(heading) <= HEADING_WORDS
            && !ends_a_sentence(heading)
        {
            kept = above.trim_end();
        }
        return if count(kept) < KEPT_WORDS { text } else { kept };
    }
    text
}

/// Leaves out the marks of sources that were not turned into pages, near the beginning: Hugo's shortcodes, and Markdown's
/// headings, bold words, code and links.
fn without_marks(text: &str) -> Cow<'_, str> {
    const MARKS: [&str; 6] = ["{{<", "{{%", "**", "`", "](", "## "];
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
    // Within a word it is somebody's apostrophe.
    let is_mark = |(at, _): &(usize, &str)| {
        let is_in_a_word =
            kept[..*at].ends_with(char::is_alphanumeric) && kept[at + 1..].starts_with(char::is_alphanumeric);
        !is_in_a_word
    };
    let ticks: Vec<usize> = kept
        .match_indices('`')
        .filter(is_mark)
        .map(|(at, _)| at)
        .collect();
    for at in ticks.into_iter().rev() {
        kept.remove(at);
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
        let may_end_so = ANY_BOILERPLATE.is_match(&lower);
        for phrase in BOILERPLATE.iter().filter(|_| may_end_so) {
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
    fn summary(own: Option<&str>, text: &str) -> String {
        super::summary(own, text, &[])
    }

    #[test]
    fn what_stands_beside_the_words_does_not_open_them() {
        let beside = ["A long year", "The council’s hall in snow"];
        for text in [
            "A long year\nIt was cold.",
            "“A LONG YEAR”\nIt was cold.",
            "The council's hall, in snow.\nA long year!\nIt was cold.",
            "Caption: People in a hall.\nIt was cold.",
            "hero_image:\nA long year\nIt was cold.",
        ] {
            assert_eq!(super::summary(None, text, &beside), "It was cold.", "{text}");
            let own = text.replace('\n', " ");
            assert_eq!(super::summary(Some(&own), text, &beside), "It was cold.", "{own}");
        }
        for text in [
            "A long year",
            "A long year it was.\nIt was cold.",
            "It was cold.\nA long year",
            "Ingredients:\nflour",
        ] {
            assert_eq!(super::summary(None, text, &beside), text.replace('\n', " "));
        }
        assert_eq!(
            super::summary(Some("How cold it was."), "A long year\nIt was cold.", &beside),
            "How cold it was."
        );
    }

    #[test]
    fn it_ends_neither_with_a_heading_nor_with_a_word_after_one() {
        let words = |count: usize| "word ".repeat(count - 1) + "word";
        let whole = words(55) + ".";
        for heading in ["What we learned", "What we learned\nFirst of all"] {
            let text = format!("{whole}\n{heading}\nWe learned much of it.");
            assert_eq!(summary(None, &text), whole, "{heading}");
        }
        let text = format!("{}\nHeading\nWe learned much of it.", words(55) + ".");
        assert!(summary(None, &text).ends_with("word. Heading We learned much of…"));
        // A post of short lines keeps its words.
        let text = "short line\n".repeat(40);
        assert_eq!(summary(None, &text).split(' ').count(), 60);
    }

    #[test]
    fn no_ellipsis_follows_the_end_of_a_sentence() {
        let text = "word ".repeat(59) + "end. And more.";
        assert!(summary(None, &text).ends_with("word end."));
        assert!(summary(None, &text.replace("end.", "end,")).ends_with("word end…"));
    }

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
            ("Run `voice poll`, then (`wait`).", "Run voice poll, then (wait)."),
            ("It doesn`t, and won`t", "It doesn`t, and won`t"),
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
            "It was a long year. We `learned",
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
