//! The digest as a table (RFC 4180) for spreadsheets: every cell quoted, lines ended by CRLF, a byte order mark
//! so that Excel reads UTF-8. No cell is taken for a formula.

use model::{clean_text, reading_minutes};

use crate::address::original;
use crate::digest::{Digest, DigestEntry};
use crate::instant::rfc3339;

const HEADER: [&str; 17] = [
    "week",
    "published",
    "title",
    "url",
    "author",
    "member",
    "organisation",
    "topics",
    "hashtags",
    "language",
    "words",
    "reading_minutes",
    "summary",
    "licence",
    "late",
    "first_post",
    "returned_after_days",
];

pub(crate) fn write(digest: &Digest) -> String {
    let mut out = String::from("\u{FEFF}");
    row(&mut out, &HEADER.map(str::to_owned));
    for DigestEntry {
        entry,
        late,
        first_post,
        returned_after_days,
    } in &digest.entries
    {
        let topics: Vec<&str> = entry.topics.iter().map(|topic| topic.slug.as_str()).collect();
        row(
            &mut out,
            &[
                digest.id(),
                rfc3339(entry.published),
                entry.heading(),
                original(&digest.site, entry).into_owned(),
                entry.author.clone(),
                entry.member.name.clone(),
                entry.member.organisation.clone().unwrap_or_default(),
                topics.join(" "),
                entry.hashtags.join(" "),
                entry.language.clone().unwrap_or_default(),
                entry.words.to_string(),
                reading_minutes(entry.words).to_string(),
                entry.summary.clone(),
                entry.licence.clone().unwrap_or_default(),
                late.to_string(),
                first_post.to_string(),
                returned_after_days
                    .map(|days| days.to_string())
                    .unwrap_or_default(),
            ],
        );
    }
    out
}

fn row(out: &mut String, cells: &[String; 17]) {
    out.push_str(&cells.each_ref().map(|text| cell(text)).join(","));
    out.push_str("\r\n");
}

/// A cell in quotes. What a spreadsheet would take for a formula gets an apostrophe in front, full-width signs
/// too, which some take for plain ones (OWASP, "CSV Injection").
fn cell(text: &str) -> String {
    let text = clean_text(text);
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    format!(
        "\"{}{}\"",
        if formula { "'" } else { "" },
        text.replace('"', "\"\"")
    )
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_cell_is_a_formula() {
        for start in ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "\u{8}=", "\u{FFFE}@"] {
            let cell = cell(&format!("{start}cmd|' /C calc'!A0"));
            assert!(cell.starts_with("\"'"), "{cell:?}");
        }
        assert_eq!(cell("a \"b\", c\nd"), "\"a \"\"b\"\", c\nd\"");
        assert_eq!(cell("1 = 1"), "\"1 = 1\"");
    }
}
