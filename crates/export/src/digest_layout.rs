//! How a digest reads, whichever of Markdown, HTML and text it is written in: its sections, their entries and
//! lists, the words around them. It escapes nothing; that is each format's own.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use model::{Entry, Member, MemberKind, first_words};

use crate::address::{blog, original};
use crate::digest::{Digest, DigestEntry, DigestStatus};

/// How much of a digest there is room for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Words of a summary, 0 for none.
    pub(crate) summary_words: usize,
    /// Words of a heading.
    pub(crate) heading_words: usize,
    /// Entries altogether.
    pub(crate) entries: usize,
    /// Lines in each list.
    pub(crate) lines: usize,
}

impl Limits {
    /// Room for everything.
    pub(crate) const NONE: Self = Self {
        summary_words: usize::MAX,
        heading_words: usize::MAX,
        entries: usize::MAX,
        lines: usize::MAX,
    };
}

/// A digest as a reader sees it.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) title: String,
    pub(crate) lead: Line,
    /// An editor's words before everything, by paragraphs.
    pub(crate) introduction: Vec<String>,
    pub(crate) sections: Vec<Section>,
}

#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) heading: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) lines: Vec<Line>,
}

/// An entry.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) heading: Link,
    /// Author, day and what else there is to say.
    pub(crate) byline: String,
    pub(crate) summary: Option<String>,
    /// An editor's words below it.
    pub(crate) note: Option<String>,
    /// BCP 47, of heading and summary.
    pub(crate) language: Option<String>,
}

pub(crate) type Line = Vec<Span>;

/// A piece of a line. Addresses are absolute, http or https.
#[derive(Debug)]
pub(crate) enum Span {
    Text(String),
    Link(Link),
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) text: String,
    pub(crate) url: String,
}

/// The digest laid out within `limits`; what there is no room for is counted and linked.
pub(crate) fn layout(digest: &Digest, limits: Limits) -> Layout {
    let mut room = limits.entries;
    let mut sections: Vec<Section> = digest
        .reading_groups(&digest.entries)
        .into_iter()
        .map(|group| {
            let shown = group.entries.len().min(room);
            room -= shown;
            let mut section = Section {
                heading: group.name.to_owned(),
                blocks: Vec::new(),
                lines: Vec::new(),
            };
            for entry in &group.entries[..shown] {
                if digest.layout_links {
                    section.lines.push(entry_line(digest, entry, limits));
                } else {
                    section.blocks.push(block(digest, entry, limits));
                }
            }
            section.lines.extend(more(digest, group.entries.len() - shown));
            section
        })
        .collect();
    add_left_out(digest, limits, &mut sections);
    let entries: HashMap<&str, &Entry> = digest
        .entries
        .iter()
        .map(|entry| (entry.entry.id.as_str(), &entry.entry))
        .collect();
    let lists = [
        ("In conversation", conversation_lines(digest, &entries, limits)),
        (
            "What several members point to",
            shared_link_lines(digest, &entries, limits),
        ),
        (
            "New members",
            digest
                .new_members
                .iter()
                .map(|member| member_line(digest, member))
                .collect(),
        ),
    ];
    let lists = editors_lists(digest, limits).into_iter().chain(lists);
    for (heading, lines) in lists {
        if !lines.is_empty() {
            sections.push(Section {
                heading: heading.to_owned(),
                blocks: Vec::new(),
                lines: capped(digest, lines, limits),
            });
        }
    }
    Layout {
        title: digest.title(),
        lead: lead(digest),
        introduction: digest
            .edition
            .iter()
            .flat_map(|edited| edited.introduction().map(str::to_owned))
            .collect(),
        sections,
    }
}

fn lead(digest: &Digest) -> Line {
    let mut found = match digest.entries.len() {
        0 => vec!["No posts".to_owned()],
        posts => vec![
            count(posts, "post"),
            "by".to_owned(),
            count(digest.member_count(), "member"),
        ],
    };
    let organisations = digest.organisation_count();
    if organisations > 0 {
        found.extend(["of".to_owned(), count(organisations, "organisation")]);
    }
    if digest.status == DigestStatus::Open {
        found.push("so far".to_owned());
    }
    let mut line = vec![Span::Text(format!("{}. ", found.join(" ")))];
    if let Some(at) = digest.closes_at.filter(|_| digest.closes_later) {
        let at = at.with_timezone(&digest.site.timezone);
        line.push(Span::Text(
            at.format("The issue closes on %A %-d %B at %H:%M. ").to_string(),
        ));
    }
    let withdrawn = digest
        .corrections
        .iter()
        .filter(|correction| correction.entry.is_some());
    match withdrawn.count() {
        0 => {}
        1 => line.push(Span::Text(
            "Corrected: one post was withdrawn after the issue closed. ".to_owned(),
        )),
        posts => line.push(Span::Text(format!(
            "Corrected: {posts} posts were withdrawn after the issue closed. "
        ))),
    }
    line.push(Span::Link(Link {
        text: "Read it on the web".to_owned(),
        url: digest.page(),
    }));
    line
}

fn block(digest: &Digest, entry: &DigestEntry, limits: Limits) -> Block {
    let summary = first_words(&entry.entry.summary, limits.summary_words);
    Block {
        heading: entry_link(digest, &entry.entry, limits),
        byline: byline(digest, entry),
        summary: Some(summary).filter(|text| limits.summary_words > 0 && !text.is_empty()),
        note: digest
            .edition
            .as_ref()
            .and_then(|edited| edited.note(entry))
            .map(|note| format!("Editor’s note: {note}")),
        language: entry.entry.language.clone(),
    }
}

fn entry_line(digest: &Digest, entry: &DigestEntry, limits: Limits) -> Line {
    vec![
        Span::Link(entry_link(digest, &entry.entry, limits)),
        Span::Text(
            match digest.edition.as_ref().and_then(|edited| edited.note(entry)) {
                Some(note) => format!(", {} – {note}", who(&entry.entry)),
                None => format!(", {}", who(&entry.entry)),
            },
        ),
    ]
}

fn entry_link(digest: &Digest, entry: &Entry, limits: Limits) -> Link {
    Link {
        text: first_words(&entry.heading(), limits.heading_words),
        url: original(&digest.site, entry).into_owned(),
    }
}

/// The author, the team where it is another name, and the organisation.
fn who(entry: &Entry) -> String {
    let member = &entry.member;
    let mut who = vec![entry.author.as_str()];
    if member.kind == MemberKind::Team && member.name != entry.author {
        who.push(&member.name);
    }
    if let Some(organisation) = &member.organisation
        && *organisation != entry.author
        && *organisation != member.name
    {
        who.push(organisation);
    }
    who.join(", ")
}

fn byline(digest: &Digest, entry: &DigestEntry) -> String {
    let DigestEntry {
        entry,
        late,
        first_post,
        returned_after_days,
    } = entry;
    let mut parts = vec![
        who(entry),
        day(digest, entry.published),
        format!("{}-minute read", model::reading_minutes(entry.words)),
    ];
    if *late {
        parts.push("arrived late".to_owned());
    }
    if *first_post {
        parts.push("first post here".to_owned());
    }
    if let Some(days) = returned_after_days {
        parts.push(format!("back after {days} days"));
    }
    parts.join(" · ")
}

fn day(digest: &Digest, at: DateTime<Utc>) -> String {
    at.with_timezone(&digest.site.timezone)
        .format("%A %-d %B")
        .to_string()
}

/// In each section, one line for each member who wrote more there than the view shows.
fn add_left_out(digest: &Digest, limits: Limits, sections: &mut Vec<Section>) {
    for group in digest.reading_groups(&digest.left_out) {
        let mut lines: Vec<(&str, Line)> = Vec::new();
        for entry in &group.entries {
            let entry = &entry.entry;
            let post = Span::Link(entry_link(digest, entry, limits));
            match lines.iter_mut().find(|(slug, _)| *slug == entry.member.slug) {
                Some((_, line)) => line.extend([Span::Text("; ".to_owned()), post]),
                None => lines.push((
                    &entry.member.slug,
                    vec![Span::Text(format!("More by {}: ", entry.member.name)), post],
                )),
            }
        }
        let lines = capped(digest, lines.into_iter().map(|(_, line)| line).collect(), limits);
        match sections.iter_mut().find(|section| section.heading == group.name) {
            Some(section) => section.lines.extend(lines),
            None => sections.push(Section {
                heading: group.name.to_owned(),
                blocks: Vec::new(),
                lines,
            }),
        }
    }
}

fn conversation_lines(digest: &Digest, entries: &HashMap<&str, &Entry>, limits: Limits) -> Vec<Line> {
    digest
        .conversations
        .iter()
        .map(|pair| {
            let (from, to) = (entries[&*pair.from], entries[&*pair.to]);
            vec![
                Span::Link(entry_link(digest, from, limits)),
                Span::Text(format!(" by {} refers to ", from.author)),
                Span::Link(entry_link(digest, to, limits)),
                Span::Text(format!(" by {}", to.author)),
            ]
        })
        .collect()
}

fn shared_link_lines(digest: &Digest, entries: &HashMap<&str, &Entry>, limits: Limits) -> Vec<Line> {
    digest
        .links
        .iter()
        .map(|link| {
            let mut names: Vec<&str> = Vec::new();
            for id in &link.cited_by {
                let name = entries[&**id].author.as_str();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let text = link.title.as_ref().unwrap_or(&link.url);
            vec![
                Span::Link(Link {
                    text: first_words(text, limits.heading_words),
                    url: link.url.clone(),
                }),
                Span::Text(format!(" – {}", names.join(", "))),
            ]
        })
        .collect()
}

fn member_line(digest: &Digest, member: &Member) -> Line {
    let mut line = vec![Span::Link(Link {
        text: member.name.clone(),
        url: blog(&digest.site, member).into_owned(),
    })];
    if let Some(organisation) = &member.organisation {
        line.push(Span::Text(format!(", {organisation}")));
    }
    line
}

/// What an editor added, and what was left out with the reason.
fn editors_lists(digest: &Digest, limits: Limits) -> Vec<(&'static str, Vec<Line>)> {
    let Some(edited) = &digest.edition else {
        return Vec::new();
    };
    let links = edited.edition.links.iter().map(|link| {
        let mut line = vec![Span::Link(Link {
            text: first_words(&link.title, limits.heading_words),
            url: link.url.clone(),
        })];
        if !link.note.is_empty() {
            line.push(Span::Text(format!(" – {}", link.note)));
        }
        line
    });
    let left_out = edited.left_out.iter().map(|entry| {
        vec![
            Span::Link(entry_link(digest, &entry.entry, limits)),
            Span::Text(format!(", {}: {}", who(&entry.entry), edited.reason(entry))),
        ]
    });
    vec![
        ("Elsewhere", links.collect()),
        ("Left out by the editor", left_out.collect()),
    ]
}

fn capped(digest: &Digest, mut lines: Vec<Line>, limits: Limits) -> Vec<Line> {
    let left_out = lines.len().saturating_sub(limits.lines);
    lines.truncate(limits.lines);
    lines.extend(more(digest, left_out));
    lines
}

/// "and N more", linked to the page; nothing if there are none.
fn more(digest: &Digest, left_out: usize) -> Option<Line> {
    (left_out > 0).then(|| {
        vec![Span::Link(Link {
            text: format!("and {left_out} more"),
            url: digest.page(),
        })]
    })
}

fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}
