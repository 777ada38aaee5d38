//! The digest as JSON (contract section 6). Its keys stand in one place; all are always present.

use std::fmt::Write as _;

use model::{Member, TopicMatch, TopicSource};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::address::original;
use crate::digest::{Conversation, Digest, DigestStatus, SharedLink};
use crate::digest_groups::TopicGroup;
use crate::edition::{Edited, EditorsLink};
use crate::entry_json::{EntryJson, entry_json_without_content};
use crate::instant::rfc3339;
use crate::json::json;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "$schema")]
    schema: String,
    version: u32,
    id: String,
    title: String,
    period: Period<'a>,
    status: DigestStatus,
    /// This and the two below are null as long as a week is not closed.
    closed_at: Option<String>,
    closes_at: Option<String>,
    revision: Option<u32>,
    hash: Option<String>,
    counts: Counts,
    topics: Vec<Topic<'a>>,
    entries: Vec<WeekEntry<'a>>,
    conversations: Vec<Pair<'a>>,
    links: Vec<Link<'a>>,
    new_members: &'a [Member],
    not_heard: Vec<Silent<'a>>,
    corrections: Vec<Corrected<'a>>,
    next: Next,
    /// An editor's version alone has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    edition: Option<EditionJson<'a>>,
    url: String,
    html_url: String,
    markdown_url: String,
}

#[derive(Serialize)]
struct Period<'a> {
    start: String,
    end: String,
    timezone: &'a str,
}

#[derive(Serialize)]
struct Counts {
    entries: usize,
    members: usize,
    organisations: usize,
}

#[derive(Serialize)]
struct Topic<'a> {
    #[serde(flatten)]
    section: Section<'a>,
    projects: Vec<Section<'a>>,
}

#[derive(Serialize)]
struct Section<'a> {
    slug: &'a str,
    name: &'a str,
    entries: Vec<&'a str>,
    evidence: Vec<Evidence<'a>>,
}

/// What gave an entry the topic of its section.
#[derive(Serialize)]
struct Evidence<'a> {
    entry: &'a str,
    score: f64,
    by: TopicSource,
    why: &'a [model::Evidence],
}

#[derive(Serialize)]
struct WeekEntry<'a> {
    #[serde(flatten)]
    entry: EntryJson<'a>,
    late: bool,
    first_post: bool,
    returned_after_days: Option<i64>,
}

#[derive(Serialize)]
struct Pair<'a> {
    from: &'a str,
    to: &'a str,
}

#[derive(Serialize)]
struct Link<'a> {
    url: &'a str,
    title: Option<&'a str>,
    cited_by: &'a [String],
}

#[derive(Serialize)]
struct Silent<'a> {
    slug: &'a str,
    since: Option<String>,
}

#[derive(Serialize)]
struct Corrected<'a> {
    revision: u32,
    at: String,
    reason: &'a str,
    entry: Option<&'a str>,
    previous_hash: &'a str,
}

#[derive(Serialize)]
struct EditionJson<'a> {
    number: Option<&'a str>,
    introduction: Option<&'a str>,
    pinned: Vec<&'a str>,
    notes: Vec<Note<'a>>,
    links: &'a [EditorsLink],
    left_out: Vec<LeftOut<'a>>,
}

#[derive(Serialize)]
struct Note<'a> {
    entry: &'a str,
    note: &'a str,
}

#[derive(Serialize)]
struct LeftOut<'a> {
    entry: &'a str,
    title: String,
    url: String,
    reason: &'a str,
}

#[derive(Serialize)]
struct Next {
    id: String,
    closes_at: Option<String>,
}

pub(crate) fn write(digest: &Digest) -> String {
    let site = &digest.site;
    let page = digest.page();
    json(&Document {
        schema: site.absolute("/schemas/digest-1.json"),
        version: 1,
        id: digest.id(),
        title: digest.title(),
        period: Period {
            start: rfc3339(digest.first.start(site.timezone)),
            end: rfc3339(digest.last.end(site.timezone)),
            timezone: site.timezone.name(),
        },
        status: digest.status,
        closed_at: digest.closed_at.map(rfc3339),
        closes_at: digest.closes_at.map(rfc3339),
        revision: digest.revision,
        hash: hash(digest),
        counts: Counts {
            entries: digest.entries.len(),
            members: digest.member_count(),
            organisations: digest.organisation_count(),
        },
        topics: digest
            .topic_groups()
            .into_iter()
            .map(|(group, projects)| Topic {
                section: section(&group),
                projects: projects.iter().map(section).collect(),
            })
            .collect(),
        entries: entries(digest),
        conversations: digest
            .conversations
            .iter()
            .map(|Conversation { from, to }| Pair { from, to })
            .collect(),
        links: digest
            .links
            .iter()
            .map(|SharedLink { url, title, cited_by }| Link {
                url,
                title: title.as_deref(),
                cited_by,
            })
            .collect(),
        new_members: &digest.new_members,
        not_heard: digest
            .not_heard
            .iter()
            .map(|member| Silent {
                slug: &member.slug,
                since: member.since.map(rfc3339),
            })
            .collect(),
        corrections: digest
            .corrections
            .iter()
            .map(|correction| Corrected {
                revision: correction.revision,
                at: rfc3339(correction.at),
                reason: &correction.reason,
                entry: correction.entry.as_deref(),
                previous_hash: &correction.previous_hash,
            })
            .collect(),
        next: Next {
            id: digest.last.next().to_string(),
            closes_at: digest.next_closes_at.map(rfc3339),
        },
        edition: digest.edition.as_ref().map(|edited| edition(digest, edited)),
        url: format!("{page}.json"),
        markdown_url: format!("{page}.md"),
        html_url: page,
    })
}

fn section<'a>(group: &TopicGroup<'a>) -> Section<'a> {
    let evidence = group.entries.iter().filter_map(|entry| {
        let TopicMatch { score, by, why, .. } =
            entry.entry.topics.iter().find(|found| found.slug == group.slug)?;
        Some(Evidence {
            entry: &entry.entry.id,
            score: *score,
            by: *by,
            why,
        })
    });
    Section {
        slug: group.slug,
        name: group.name,
        entries: group
            .entries
            .iter()
            .map(|entry| entry.entry.id.as_str())
            .collect(),
        evidence: evidence.collect(),
    }
}

fn edition<'a>(digest: &'a Digest, edited: &'a Edited) -> EditionJson<'a> {
    let said = |words: &'a String| Some(words.as_str()).filter(|words| !words.is_empty());
    let pinned = digest.entries.iter().filter(|entry| edited.is_pinned(entry));
    let notes = digest.entries.iter().filter_map(|entry| {
        let note = edited.note(entry)?;
        let entry = &entry.entry.id;
        Some(Note { entry, note })
    });
    let left_out = edited.left_out.iter().map(|entry| LeftOut {
        entry: &entry.entry.id,
        title: entry.entry.heading(),
        url: original(&digest.site, &entry.entry).into_owned(),
        reason: edited.reason(entry),
    });
    EditionJson {
        number: said(&edited.edition.number),
        introduction: said(&edited.edition.introduction),
        pinned: pinned.map(|entry| entry.entry.id.as_str()).collect(),
        notes: notes.collect(),
        links: &edited.edition.links,
        left_out: left_out.collect(),
    }
}

fn entries(digest: &Digest) -> Vec<WeekEntry<'_>> {
    digest
        .entries
        .iter()
        .map(|entry| WeekEntry {
            entry: entry_json_without_content(&digest.site, &entry.entry),
            late: entry.late,
            first_post: entry.first_post,
            returned_after_days: entry.returned_after_days,
        })
        .collect()
}

/// The SHA-256 of the RFC 8785 form of the entries, of a closed digest.
pub(crate) fn hash(digest: &Digest) -> Option<String> {
    if digest.status != DigestStatus::Closed {
        return None;
    }
    // As readers get them: through the writer that leaves out forbidden characters.
    let written = json(&entries(digest));
    let value: serde_json::Value = serde_json::from_str(&written).expect("what was written is JSON");
    let canonical = serde_json_canonicalizer::to_vec(&value)
        .expect("no number of an entry is infinite, and keys are strings");
    Some(
        Sha256::digest(canonical)
            .iter()
            .fold(String::new(), |mut hash, byte| {
                let _ = write!(hash, "{byte:02x}");
                hash
            }),
    )
}
