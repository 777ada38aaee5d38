//! The digest as JSON (contract section 6). Its keys stand in one place; all are always present.

use model::Member;
use serde::Serialize;

use crate::digest::{Conversation, Digest, DigestStatus, SharedLink};
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
    status: &'static str,
    /// This and the two below are null as long as a week is not closed.
    closed_at: (),
    closes_at: Option<String>,
    revision: (),
    hash: (),
    counts: Counts,
    topics: Vec<Topic<'a>>,
    entries: Vec<WeekEntry<'a>>,
    conversations: Vec<Pair<'a>>,
    links: Vec<Link<'a>>,
    new_members: &'a [Member],
    not_heard: Vec<Silent<'a>>,
    /// Only a closed week can be corrected.
    corrections: [(); 0],
    next: Next,
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
    slug: &'a str,
    name: &'a str,
    entries: Vec<&'a str>,
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
struct Next {
    id: String,
    closes_at: String,
}

pub(crate) fn write(digest: &Digest) -> String {
    let (site, week) = (&digest.site, digest.week);
    let page = digest.page();
    json(&Document {
        schema: site.absolute("/schemas/digest-1.json"),
        version: 1,
        id: week.to_string(),
        title: digest.title(),
        period: Period {
            start: rfc3339(week.start(site.timezone)),
            end: rfc3339(week.end(site.timezone)),
            timezone: site.timezone.name(),
        },
        status: match digest.status {
            DigestStatus::Open => "open",
            DigestStatus::Archive => "archive",
        },
        closed_at: (),
        closes_at: digest.closes_at.map(rfc3339),
        revision: (),
        hash: (),
        counts: Counts {
            entries: digest.entries.len(),
            members: digest.member_count(),
            organisations: digest.organisation_count(),
        },
        topics: digest
            .topic_groups()
            .into_iter()
            .map(|group| Topic {
                slug: group.slug,
                name: group.name,
                entries: group
                    .entries
                    .iter()
                    .map(|entry| entry.entry.id.as_str())
                    .collect(),
            })
            .collect(),
        entries: digest
            .entries
            .iter()
            .map(|entry| WeekEntry {
                entry: entry_json_without_content(site, &entry.entry),
                // An entry that came after its week's closing is late; none has closed.
                late: false,
                first_post: entry.first_post,
                returned_after_days: entry.returned_after_days,
            })
            .collect(),
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
        corrections: [],
        next: Next {
            id: week.next().to_string(),
            closes_at: rfc3339(digest.next_closes_at),
        },
        url: format!("{page}.json"),
        markdown_url: format!("{page}.md"),
        html_url: page,
    })
}
