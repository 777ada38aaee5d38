//! A digest read back from its own JSON. It takes what the document says and asks nothing of the entries as they are now.

use chrono::{DateTime, Utc};
use model::{AlsoIn, Entry, Image, Member, Site, TopicMatch, Week};
use serde::Deserialize;
use serde::de::Error as _;

use crate::digest::{Conversation, Correction, Digest, DigestEntry, DigestStatus, NotHeard, SharedLink};
use crate::digest_groups::Group;

#[derive(Deserialize)]
struct Document {
    id: String,
    status: DigestStatus,
    closed_at: Option<DateTime<Utc>>,
    closes_at: Option<DateTime<Utc>>,
    revision: Option<u32>,
    topics: Vec<Topic>,
    entries: Vec<WeekEntry>,
    conversations: Vec<Pair>,
    links: Vec<Link>,
    new_members: Vec<Member>,
    not_heard: Vec<Silent>,
    corrections: Vec<Corrected>,
    next: Next,
}

#[derive(Deserialize)]
struct Topic {
    slug: String,
    name: String,
    entries: Vec<String>,
    /// Its projects have none.
    #[serde(default)]
    projects: Vec<Topic>,
}

#[derive(Deserialize)]
struct WeekEntry {
    key: String,
    id: String,
    url: Option<String>,
    title: Option<String>,
    summary: String,
    author: String,
    member: Member,
    also_in: Vec<AlsoIn>,
    published: DateTime<Utc>,
    updated: DateTime<Utc>,
    released: DateTime<Utc>,
    language: Option<String>,
    words: u32,
    topics: Vec<TopicMatch>,
    hashtags: Vec<String>,
    categories: Vec<String>,
    image: Option<Image>,
    licence: Option<String>,
    late: bool,
    first_post: bool,
    returned_after_days: Option<i64>,
}

#[derive(Deserialize)]
struct Pair {
    from: String,
    to: String,
}

#[derive(Deserialize)]
struct Link {
    url: String,
    title: Option<String>,
    cited_by: Vec<String>,
}

#[derive(Deserialize)]
struct Silent {
    slug: String,
    since: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Corrected {
    revision: u32,
    at: DateTime<Utc>,
    reason: String,
    entry: Option<String>,
    previous_hash: String,
}

#[derive(Deserialize)]
struct Next {
    closes_at: Option<DateTime<Utc>>,
}

pub(crate) fn read(site: &Site, document: &str) -> Result<Digest, serde_json::Error> {
    let document: Document = serde_json::from_str(document)?;
    let week: Week = document.id.parse().map_err(serde_json::Error::custom)?;
    Ok(Digest {
        site: site.clone(),
        first: week,
        last: week,
        status: document.status,
        closed_at: document.closed_at,
        revision: document.revision,
        closes_at: document.closes_at,
        closes_later: false,
        next_closes_at: document.next.closes_at,
        entries: document.entries.into_iter().map(entry).collect(),
        left_out: Vec::new(),
        groups: document.topics.into_iter().map(group).collect(),
        conversations: document
            .conversations
            .into_iter()
            .map(|Pair { from, to }| Conversation { from, to })
            .collect(),
        links: document
            .links
            .into_iter()
            .map(|Link { url, title, cited_by }| SharedLink { url, title, cited_by })
            .collect(),
        new_members: document.new_members,
        not_heard: document
            .not_heard
            .into_iter()
            .map(|Silent { slug, since }| NotHeard { slug, since })
            .collect(),
        corrections: document
            .corrections
            .into_iter()
            .map(|correction| Correction {
                revision: correction.revision,
                at: correction.at,
                reason: correction.reason,
                entry: correction.entry,
                previous_hash: correction.previous_hash,
            })
            .collect(),
        topic: None,
        layout_links: false,
        edition: None,
    })
}

fn group(read: Topic) -> Group {
    Group {
        slug: read.slug,
        name: read.name,
        entries: read.entries,
        projects: read.projects.into_iter().map(group).collect(),
    }
}

fn entry(read: WeekEntry) -> DigestEntry {
    DigestEntry {
        entry: Entry {
            key: read.key,
            id: read.id,
            url: read.url,
            title: read.title,
            summary: read.summary,
            content_html: None,
            author: read.author,
            member: read.member,
            also_in: read.also_in,
            published: read.published,
            updated: read.updated,
            released: read.released,
            // These no digest tells.
            arrived: read.released,
            changed: read.updated,
            feed_url: String::new(),
            enclosures: Vec::new(),
            language: read.language,
            words: read.words,
            topics: read.topics,
            hashtags: read.hashtags,
            categories: read.categories,
            image: read.image,
            licence: read.licence,
        },
        late: read.late,
        first_post: read.first_post,
        returned_after_days: read.returned_after_days,
    }
}
