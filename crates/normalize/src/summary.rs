//! The summary of a post: the author's own where it says something of its own, else the first words. Never more
//! than [`EXCERPT_WORDS`] words, never markup.

use model::{EXCERPT_WORDS, first_words};

/// What blog software puts at the end of a summary.
const BOILERPLATE: [&str; 6] = [
    "continue reading",
    "read more",
    "read the rest of this entry",
    "read the full post",
    "keep reading",
    "more »",
];

/// How many bytes of a post are searched for its summary.
const SEARCHED_BYTES: usize = 2_000;

/// The summary of a post, from the feed's own (plain text, folded) and the whole text. A summary that is the post
/// cut short is continued with the post's own words.
pub(crate) fn summary(own: Option<&str>, text: &str) -> String {
    let own = own.unwrap_or_default();
    let kept = without_boilerplate(own);
    if kept.is_empty() {
        return first_words(text, EXCERPT_WORDS);
    }
    let was_cut = kept.len() < own.trim().len();
    if was_cut || !ends_a_sentence(kept) {
        // Lines are all that parts the post's folded text from the summary's.
        let start = text[..text.floor_char_boundary(SEARCHED_BYTES)].replace('\n', " ");
        if let Some(at) = start.find(kept) {
            return first_words(&text[at..], EXCERPT_WORDS);
        }
    }
    let mut summary = first_words(kept, EXCERPT_WORDS);
    if was_cut && !ends_a_sentence(&summary) && !summary.ends_with('…') {
        summary.push('…');
    }
    summary
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
        if let Some(at) = kept
            .rfind("The post ")
            .filter(|&at| kept[at..].contains(" appeared first on "))
        {
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
                kept = kept[..at].trim_end();
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
    behind.trim().is_empty()
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
}
