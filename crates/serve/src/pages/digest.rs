//! A digest as a page, drawn from its public JSON document, and the list of issues.

use std::collections::HashSet;

use askama::Template;
use chrono::{DateTime, Utc};
use export::Digest;
use model::{Member, Site, Week};
use serde::Deserialize;

use super::page;
use super::shell::{Part, Shell};
use super::view::{Item, Named, When, day_text, foreign_language, other_author};
use crate::asked::{Asked, Made};
use crate::document::Document;
use crate::failure::Failure;
use crate::links;

/// What the page reads of the document (contract section 6).
#[derive(Deserialize)]
struct Issue {
    id: String,
    title: String,
    status: String,
    closed_at: Option<DateTime<Utc>>,
    closes_at: Option<DateTime<Utc>>,
    revision: Option<u32>,
    counts: Counts,
    topics: Vec<IssueTopic>,
    entries: Vec<IssueEntry>,
    conversations: Vec<Conversation>,
    links: Vec<SharedLink>,
    new_members: Vec<IssueMember>,
    not_heard: Vec<Silent>,
    corrections: Vec<Correction>,
    edition: Option<Edited>,
}

/// What an editor made of it.
#[derive(Deserialize, Default)]
struct Edited {
    introduction: Option<String>,
    pinned: Vec<String>,
    notes: Vec<EditorsNote>,
    links: Vec<EditorsLink>,
    left_out: Vec<LeftOut>,
}

#[derive(Deserialize)]
struct EditorsNote {
    entry: String,
    note: String,
}

#[derive(Deserialize)]
struct EditorsLink {
    url: String,
    title: String,
    note: String,
}

#[derive(Deserialize)]
struct LeftOut {
    title: String,
    url: String,
    reason: String,
}

#[derive(Deserialize)]
struct Counts {
    entries: u32,
    members: u32,
    organisations: u32,
}

#[derive(Deserialize)]
struct Correction {
    revision: u32,
    at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct IssueTopic {
    slug: String,
    name: String,
    entries: Vec<String>,
}

#[derive(Deserialize)]
struct IssueEntry {
    key: String,
    id: String,
    url: Option<String>,
    title: Option<String>,
    summary: String,
    author: String,
    member: IssueMember,
    published: DateTime<Utc>,
    reading_minutes: u32,
    language: Option<String>,
    topics: Vec<EntryTopic>,
    late: bool,
    first_post: bool,
    returned_after_days: Option<i64>,
}

#[derive(Deserialize)]
struct EntryTopic {
    slug: String,
    score: f64,
}

#[derive(Deserialize)]
struct IssueMember {
    slug: String,
    name: String,
    organisation: Option<String>,
}

#[derive(Deserialize)]
struct Conversation {
    from: String,
    to: String,
}

#[derive(Deserialize)]
struct SharedLink {
    url: String,
    title: Option<String>,
    cited_by: Vec<String>,
}

#[derive(Deserialize)]
struct Silent {
    slug: String,
    since: Option<DateTime<Utc>>,
}

impl Issue {
    fn read(digest: &Digest) -> Result<Self, Failure> {
        serde_json::from_str(&digest.to_json())
            .map_err(|error| Failure::Internal(format!("the digest cannot be read back: {error}")))
    }

    fn entry(&self, id: &str) -> Option<&IssueEntry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// The entries under one topic, each only where it fits best, so that a reader meets it once.
    fn best_in<'a>(&'a self, topic: &'a IssueTopic, site: &Site) -> impl Iterator<Item = &'a IssueEntry> {
        let best = |id: &str| {
            let entry = self.entry(id)?;
            let score = |topic: &IssueTopic| {
                let within = |slug: &str| {
                    slug == topic.slug
                        || site.topic(slug).and_then(|found| found.parent.as_ref()) == Some(&topic.slug)
                };
                entry
                    .topics
                    .iter()
                    .filter(|found| within(&found.slug))
                    .map(|found| found.score)
                    .fold(0.0, f64::max)
            };
            // The last of equals is the first in the site's order.
            let holding = self
                .topics
                .iter()
                .rev()
                .filter(|topic| topic.entries.iter().any(|held| held == id));
            holding
                .max_by(|a, b| score(a).total_cmp(&score(b)))
                .map(|topic| (&topic.slug, entry))
        };
        let found: Vec<_> = topic.entries.iter().filter_map(|id| best(id)).collect();
        found
            .into_iter()
            .filter(|(slug, _)| **slug == topic.slug)
            .map(|(_, entry)| entry)
    }
}

impl IssueEntry {
    fn heading(&self) -> String {
        match &self.title {
            Some(title) => title.clone(),
            None if self.summary.is_empty() => "Untitled".to_owned(),
            None => model::first_words(&self.summary, 10),
        }
    }

    fn link(&self) -> Named {
        let original = self.url.as_deref().and_then(links::web_address);
        Named {
            name: self.heading(),
            path: original.unwrap_or_else(|| links::entry(&self.key)),
        }
    }

    fn item(&self, site: &Site) -> Item {
        let mut notes = Vec::new();
        if self.first_post {
            notes.push("First post here".to_owned());
        }
        if let Some(days) = self.returned_after_days {
            notes.push(format!("Back after {days} days"));
        }
        if self.late {
            notes.push("Arrived late".to_owned());
        }
        let heading = self.heading();
        Item {
            original: self.url.as_deref().and_then(links::web_address),
            page: links::entry(&self.key),
            member: self.member.link(),
            organisation: self.member.organisation.clone(),
            author: other_author(&self.author, &self.member.name),
            published: When::day(self.published, site),
            minutes: self.reading_minutes,
            topics: Vec::new(),
            summary: Some(self.summary.clone())
                .filter(|text| *text != heading)
                .unwrap_or_default(),
            language: foreign_language(self.language.as_deref(), site),
            picture: None,
            also_in: Vec::new(),
            notes,
            dated: true,
            whole: false,
            talk: Vec::new(),
            heading,
        }
    }
}

impl IssueMember {
    fn link(&self) -> Named {
        Named {
            name: self.name.clone(),
            path: links::member(&self.slug),
        }
    }
}

struct Section {
    name: String,
    items: Vec<Item>,
}

/// What a member wrote beyond the limit of the view.
struct More {
    member: Named,
    links: Vec<Named>,
}

struct Exchange {
    from_author: String,
    from: Named,
    to_author: String,
    to: Named,
}

struct Cited {
    link: Named,
    by: Vec<String>,
}

struct NewMember {
    link: Named,
    organisation: Option<String>,
}

struct SilentMember {
    link: Named,
    since: Option<When>,
}

/// Whether an editor has published a hand on the week, and whether the page shows it.
enum Edition {
    None,
    Elsewhere,
    Here,
}

#[derive(Template)]
#[template(path = "digest.html")]
struct DigestPage {
    shell: Shell,
    title: String,
    week: String,
    previous: Option<String>,
    next: Option<String>,
    query: String,
    counts: String,
    is_archive: bool,
    is_closed: bool,
    closed: Option<When>,
    closes: Option<When>,
    revision: Option<u32>,
    corrections: Vec<(u32, When)>,
    sections: Vec<Section>,
    more: Vec<More>,
    exchanges: Vec<Exchange>,
    cited: Vec<Cited>,
    new_members: Vec<NewMember>,
    silent: Vec<SilentMember>,
    links_only: bool,
    edition: Edition,
    introduction: Vec<String>,
    elsewhere: Vec<(Named, String)>,
    left_out: Vec<(Named, String)>,
}

/// `/digest/{week}`: what is `shown`, and the rest of `whole` by link.
pub(crate) async fn digest_week(asked: &Asked, shown: &Digest, whole: &Digest) -> Made {
    let (first, last) = shown.weeks();
    let site = &asked.site;
    let issue = Issue::read(shown)?;
    let (edited, is_edited) = match &issue.edition {
        Some(edited) => (edited, true),
        None => (&Edited::default(), false),
    };
    let item = |entry: &IssueEntry| {
        let mut item = entry.item(site);
        let notes = edited.notes.iter().filter(|note| note.entry == entry.id);
        item.notes
            .extend(notes.map(|note| format!("Editor’s note: {}", note.note)));
        item
    };
    let pinned = Section {
        name: "First of all".to_owned(),
        items: edited
            .pinned
            .iter()
            .filter_map(|id| issue.entry(id))
            .map(item)
            .collect(),
    };
    let of_topic = |topic: &IssueTopic| Section {
        name: topic.name.clone(),
        items: issue
            .best_in(topic, site)
            .filter(|entry| !edited.pinned.contains(&entry.id))
            .map(item)
            .collect(),
    };
    let sections = std::iter::once(pinned)
        .chain(issue.topics.iter().map(of_topic))
        .filter(|section| !section.items.is_empty())
        .collect();
    let listed = |name: &str, url: &str, words: &str| {
        let path = links::web_address(url)?;
        let name = name.to_owned();
        Some((Named { name, path }, words.to_owned()))
    };
    let stored = asked.store().edition(first).await?;
    let next = Some(last.next()).filter(|next| next.start(site.timezone) <= asked.state.now());
    let title = issue.title.clone();
    let mut shell = Shell::new(site, Part::Digest, Some(title.clone()));
    shell.newer = next.map(|week| format!("/digest/{week}"));
    // Who follows the links comes to an end.
    let has_older = asked
        .store()
        .has_published_before(first.start(site.timezone))
        .await?;
    let previous = has_older.then(|| first.previous());
    shell.older = previous.map(|week| format!("/digest/{week}"));
    page(&DigestPage {
        shell,
        title,
        previous: previous.map(|week| week.to_string()),
        next: next.map(|week| week.to_string()),
        query: asked.parameters.query(),
        is_archive: issue.status == "archive",
        closes: issue
            .closes_at
            .filter(|&at| issue.status == "open" && at > asked.state.now())
            .map(|at| When::minute(at, site)),
        counts: counted(
            issue.counts.entries,
            issue.counts.members,
            issue.counts.organisations,
        ),
        is_closed: issue.status == "closed",
        closed: issue.closed_at.map(|at| When::minute(at, site)),
        revision: issue.revision,
        corrections: issue
            .corrections
            .iter()
            .map(|correction| (correction.revision, When::day(correction.at, site)))
            .collect(),
        sections,
        more: left_out(&issue, &Issue::read(whole)?),
        exchanges: exchanges(&issue),
        cited: cited(&issue),
        new_members: issue
            .new_members
            .iter()
            .map(|member| NewMember {
                link: member.link(),
                organisation: member.organisation.clone(),
            })
            .collect(),
        silent: silent(asked, &issue).await?,
        links_only: asked.parameters.get("layout").is_some(),
        edition: match stored {
            _ if is_edited => Edition::Here,
            Some(stored) if first == last && stored.published.is_some() => Edition::Elsewhere,
            _ => Edition::None,
        },
        introduction: edited
            .introduction
            .iter()
            .flat_map(|words| words.split("\n\n"))
            .map(str::to_owned)
            .collect(),
        elsewhere: edited
            .links
            .iter()
            .filter_map(|link| listed(&link.title, &link.url, &link.note))
            .collect(),
        left_out: edited
            .left_out
            .iter()
            .filter_map(|post| listed(&post.title, &post.url, &post.reason))
            .collect(),
        week: issue.id,
    })
}

/// "12 posts by 5 members of 3 organisations."
pub(crate) fn counted(entries: u32, members: u32, organisations: u32) -> String {
    let some = |count: u32, noun: &str| match count {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    };
    match (entries, organisations) {
        (0, _) => "No posts.".to_owned(),
        (_, 0) => format!("{} by {}.", some(entries, "post"), some(members, "member")),
        _ => format!(
            "{} by {} of {}.",
            some(entries, "post"),
            some(members, "member"),
            some(organisations, "organisation")
        ),
    }
}

fn left_out(shown: &Issue, whole: &Issue) -> Vec<More> {
    let ids: HashSet<&str> = shown.entries.iter().map(|entry| entry.id.as_str()).collect();
    let mut more: Vec<More> = Vec::new();
    for entry in whole.entries.iter().filter(|entry| !ids.contains(&*entry.id)) {
        let member = entry.member.link();
        match more.iter_mut().find(|held| held.member.path == member.path) {
            Some(held) => held.links.push(entry.link()),
            None => more.push(More {
                member,
                links: vec![entry.link()],
            }),
        }
    }
    more
}

fn exchanges(issue: &Issue) -> Vec<Exchange> {
    let pair = |conversation: &Conversation| {
        let (from, to) = (issue.entry(&conversation.from)?, issue.entry(&conversation.to)?);
        Some(Exchange {
            from_author: from.author.clone(),
            from: from.link(),
            to_author: to.author.clone(),
            to: to.link(),
        })
    };
    issue.conversations.iter().filter_map(pair).collect()
}

fn cited(issue: &Issue) -> Vec<Cited> {
    let line = |link: &SharedLink| {
        let path = links::web_address(&link.url)?;
        let name = link
            .title
            .clone()
            .filter(|title| !title.is_empty())
            .unwrap_or_else(|| path.clone());
        let mut by: Vec<String> = Vec::new();
        for author in link
            .cited_by
            .iter()
            .filter_map(|id| issue.entry(id))
            .map(|entry| &entry.author)
        {
            if !by.contains(author) {
                by.push(author.clone());
            }
        }
        Some(Cited {
            link: Named { name, path },
            by,
        })
    };
    issue.links.iter().filter_map(line).collect()
}

async fn silent(asked: &Asked, issue: &Issue) -> Result<Vec<SilentMember>, Failure> {
    if issue.not_heard.is_empty() {
        return Ok(Vec::new());
    }
    let members: Vec<Member> = asked
        .store()
        .members()
        .await?
        .into_iter()
        .map(|detail| detail.member)
        .collect();
    let name = |slug: &str| {
        members
            .iter()
            .find(|member| member.slug == slug)
            .map(|member| member.name.clone())
    };
    Ok(issue
        .not_heard
        .iter()
        .map(|silent| SilentMember {
            link: Named {
                name: name(&silent.slug).unwrap_or_else(|| silent.slug.clone()),
                path: links::member(&silent.slug),
            },
            since: silent.since.map(|at| When::minute(at, &asked.site)),
        })
        .collect())
}

struct WeekLine {
    week: String,
    days: String,
    is_archive: bool,
}

struct IssueLine {
    week: String,
    days: String,
    counts: String,
    revision: u32,
}

#[derive(Template)]
#[template(path = "digests.html")]
struct DigestList {
    shell: Shell,
    this_week: String,
    closes: When,
    unclosed: Vec<WeekLine>,
    issues: Vec<IssueLine>,
}

/// `/digest`: the weeks that are not closed, the present one first, which closes then, and the issues.
pub(crate) fn digest_issues(
    asked: &Asked,
    unclosed: &[Week],
    issues: &[store::Issue],
    is_archive: impl Fn(&Week) -> bool,
    closes: DateTime<Utc>,
) -> Result<Document, Failure> {
    let days = |week: Week| format!("{} to {}", day_text(week.monday()), day_text(week.sunday()));
    page(&DigestList {
        shell: Shell::new(&asked.site, Part::Digest, Some("Digest".to_owned())),
        this_week: unclosed.first().map(Week::to_string).unwrap_or_default(),
        closes: When::minute(closes, &asked.site),
        unclosed: unclosed
            .iter()
            .skip(1)
            .map(|week| WeekLine {
                week: week.to_string(),
                days: days(*week),
                is_archive: is_archive(week),
            })
            .collect(),
        issues: issues
            .iter()
            .map(|issue| IssueLine {
                week: issue.week.to_string(),
                days: days(issue.week),
                counts: counted(issue.entries, issue.members, issue.organisations),
                revision: issue.revision,
            })
            .collect(),
    })
}
