//! The digest of one ISO week: which entries, in which order, and what can be said of them (contract section 6).
//!
//! It decides; the formats are written elsewhere (`digest_json`, `digest_csv`, and over `digest_layout`
//! `digest_markdown`, `digest_html`, `digest_text`). It does not choose the entries of a week and closes none.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use model::{Entry, Member, Site, Topic, Week, link_key};
use url::Url;

use crate::address::web_address;
use crate::{digest_csv, digest_html, digest_json, digest_markdown, digest_text};

/// After so many days without a post a member has returned.
const RETURN_DAYS: i64 = 90;

/// All that a digest is made of.
#[derive(Debug, Clone)]
pub struct DigestInput<'a> {
    /// The site.
    pub site: &'a Site,
    /// The week.
    pub week: Week,
    /// The present instant.
    pub now: DateTime<Utc>,
    /// The entries published in the week, in any order.
    pub entries: Vec<Entry>,
    /// By member's slug: when their last post before the week was published. Who is missing had none.
    pub previous: HashMap<String, DateTime<Utc>>,
    /// By entry's key: the links in its whole text, address and words.
    pub links: &'a HashMap<String, Vec<(String, String)>>,
    /// Who joined in the week.
    pub new_members: Vec<Member>,
    /// Whose feeds did not answer.
    pub not_heard: Vec<NotHeard>,
    /// Whether the week is still open.
    pub status: DigestStatus,
    /// When it closes; `None` for an archive week.
    pub closes_at: Option<DateTime<Utc>>,
    /// When the week after it closes.
    pub next_closes_at: DateTime<Utc>,
}

/// How far a week has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestStatus {
    /// Entries may still come.
    Open,
    /// It ended before the first good poll: computed on asking, never closed.
    Archive,
}

/// A member whose feed did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotHeard {
    /// The member.
    pub slug: String,
    /// The last time that it did; `None` if it never has.
    pub since: Option<DateTime<Utc>>,
}

/// Which part of a digest to show, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DigestView {
    /// Only entries with this topic.
    pub topic: Option<String>,
    /// At most so many entries of a member; the others are named by link below their section's entries.
    pub max_per_member: Option<usize>,
    /// In Markdown, HTML and text: headings and links alone.
    pub layout_links: bool,
}

/// A digest, ready to be written in any format.
#[derive(Debug, Clone)]
pub struct Digest {
    pub(crate) site: Site,
    pub(crate) week: Week,
    pub(crate) status: DigestStatus,
    pub(crate) closes_at: Option<DateTime<Utc>>,
    /// Whether `closes_at` is still to come.
    pub(crate) closes_later: bool,
    pub(crate) next_closes_at: DateTime<Utc>,
    /// In reading order: by published date, oldest first, as the week went.
    pub(crate) entries: Vec<DigestEntry>,
    /// Left out by `max_per_member`, in reading order.
    pub(crate) left_out: Vec<DigestEntry>,
    pub(crate) conversations: Vec<Conversation>,
    pub(crate) links: Vec<SharedLink>,
    pub(crate) new_members: Vec<Member>,
    pub(crate) not_heard: Vec<NotHeard>,
    pub(crate) topic: Option<String>,
    pub(crate) layout_links: bool,
}

/// An entry and what the week makes of it.
#[derive(Debug, Clone)]
pub(crate) struct DigestEntry {
    pub(crate) entry: Entry,
    pub(crate) first_post: bool,
    pub(crate) returned_after_days: Option<i64>,
}

/// One entry links to another member's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conversation {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// What two or more members point to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedLink {
    pub(crate) url: String,
    pub(crate) title: Option<String>,
    pub(crate) cited_by: Vec<String>,
}

/// Entries under one workstream or theme; those without a known one stand under `other`.
#[derive(Debug)]
pub(crate) struct TopicGroup<'a> {
    pub(crate) slug: &'a str,
    pub(crate) name: &'a str,
    pub(crate) entries: Vec<&'a DigestEntry>,
}

/// The digest of a week.
pub fn digest(input: DigestInput<'_>) -> Digest {
    let mut entries = input.entries;
    entries.sort_by(|a, b| (a.published, &a.key).cmp(&(b.published, &b.key)));
    let conversations = conversations(&entries, input.links);
    let links = shared_links(&entries, input.links);
    let mut heard = HashSet::new();
    let entries = entries
        .into_iter()
        .map(|entry| {
            let first_this_week = heard.insert(entry.member.slug.clone());
            let previous = input.previous.get(&entry.member.slug);
            DigestEntry {
                first_post: first_this_week && previous.is_none(),
                returned_after_days: previous
                    .map(|&previous| (entry.published - previous).num_days())
                    .filter(|&days| first_this_week && days >= RETURN_DAYS),
                entry,
            }
        })
        .collect();
    Digest {
        site: input.site.clone(),
        week: input.week,
        status: input.status,
        closes_at: input.closes_at,
        closes_later: input.closes_at.is_some_and(|at| at > input.now),
        next_closes_at: input.next_closes_at,
        entries,
        left_out: Vec::new(),
        conversations,
        links,
        new_members: input.new_members,
        not_heard: input.not_heard,
        topic: None,
        layout_links: false,
    }
}

impl Digest {
    /// The part of the digest that `view` asks for. What is said of entries that are not in it goes as well.
    #[must_use]
    pub fn view(&self, view: &DigestView) -> Self {
        let mut part = self.clone();
        if let Some(slug) = &view.topic {
            part.entries.retain(|entry| has_topic(&entry.entry, slug));
            part.left_out.retain(|entry| has_topic(&entry.entry, slug));
            part.topic = Some(slug.clone());
        }
        if let Some(limit) = view.max_per_member {
            let mut posts = HashMap::<String, usize>::new();
            let (kept, left_out) = part.entries.into_iter().partition(|entry| {
                let posts = posts.entry(entry.entry.member.slug.clone()).or_default();
                *posts += 1;
                *posts <= limit
            });
            (part.entries, part.left_out) = (kept, left_out);
        }
        part.layout_links = view.layout_links;
        let members: HashMap<&str, &str> = part
            .entries
            .iter()
            .map(|entry| (entry.entry.id.as_str(), entry.entry.member.slug.as_str()))
            .collect();
        part.conversations
            .retain(|pair| members.contains_key(&*pair.from) && members.contains_key(&*pair.to));
        for link in &mut part.links {
            link.cited_by.retain(|id| members.contains_key(&**id));
        }
        part.links.retain(|link| {
            let citing: BTreeSet<_> = link.cited_by.iter().map(|id| members[&**id]).collect();
            citing.len() >= 2
        });
        part
    }

    /// The document of `/digest/{week}.json`.
    pub fn to_json(&self) -> String {
        digest_json::write(self)
    }

    /// Markdown, which reads the same in every CommonMark reader.
    pub fn to_markdown(&self) -> String {
        digest_markdown::write(self)
    }

    /// HTML to paste into a newsletter: one element, styles inline, under 90 kB.
    pub fn to_html(&self) -> String {
        digest_html::write(self)
    }

    /// Plain text in lines of at most 72 characters, addresses aside.
    pub fn to_text(&self) -> String {
        digest_text::write(self)
    }

    /// A table for spreadsheets, one entry a row.
    pub fn to_csv(&self) -> String {
        digest_csv::write(self)
    }

    /// Names the site and the days.
    pub(crate) fn title(&self) -> String {
        let days = days(self.week);
        match self.topic.as_deref().and_then(|slug| self.site.topic(slug)) {
            Some(topic) => format!("{}: {}, {days}", self.site.title, topic.name),
            None => format!("{}, {days}", self.site.title),
        }
    }

    /// The address of the page.
    pub(crate) fn page(&self) -> String {
        self.site.absolute(&format!("/digest/{}", self.week))
    }

    /// Distinct members who wrote.
    pub(crate) fn member_count(&self) -> usize {
        let slugs = self.entries.iter().map(|entry| &entry.entry.member.slug);
        slugs.collect::<HashSet<_>>().len()
    }

    /// Distinct organisations that they name.
    pub(crate) fn organisation_count(&self) -> usize {
        let names = self
            .entries
            .iter()
            .filter_map(|entry| entry.entry.member.organisation.as_ref());
        names.collect::<HashSet<_>>().len()
    }

    /// Every workstream and theme that has entries, in the site's order, an entry in each of its own; `other`
    /// at the end.
    pub(crate) fn topic_groups(&self) -> Vec<TopicGroup<'_>> {
        self.group(&self.entries, |entry, group| {
            let mut roots = entry
                .entry
                .topics
                .iter()
                .filter_map(|topic| self.root(&topic.slug));
            match group {
                Some(root) => roots.any(|topic| topic.slug == root.slug),
                None => roots.next().is_none(),
            }
        })
    }

    /// As a reader goes through the week: every one of `entries` once, under the workstream or theme that
    /// fits it best. A digest of one topic is one group.
    pub(crate) fn reading_groups<'a>(&'a self, entries: &'a [DigestEntry]) -> Vec<TopicGroup<'a>> {
        if let Some(topic) = self.topic.as_deref().and_then(|slug| self.site.topic(slug))
            && !entries.is_empty()
        {
            return vec![TopicGroup {
                slug: &topic.slug,
                name: &topic.name,
                entries: entries.iter().collect(),
            }];
        }
        self.group(entries, |entry, group| {
            self.best_root(&entry.entry).map(|topic| &topic.slug) == group.map(|topic| &topic.slug)
        })
    }

    fn group<'a>(
        &'a self,
        entries: &'a [DigestEntry],
        belongs: impl Fn(&DigestEntry, Option<&Topic>) -> bool,
    ) -> Vec<TopicGroup<'a>> {
        let roots = self.site.topics.iter().filter(|topic| topic.parent.is_none());
        roots
            .map(Some)
            .chain([None])
            .map(|group| TopicGroup {
                slug: group.map_or("other", |topic| &topic.slug),
                name: group.map_or("Other", |topic| &topic.name),
                entries: entries.iter().filter(|entry| belongs(entry, group)).collect(),
            })
            .filter(|group| !group.entries.is_empty())
            .collect()
    }

    /// The workstream that a topic belongs to, or the topic itself.
    fn root(&self, slug: &str) -> Option<&Topic> {
        let mut topic = self.site.topic(slug)?;
        // As many steps as there are topics: parents that name each other in a circle have no root.
        for _ in &self.site.topics {
            match &topic.parent {
                Some(parent) => topic = self.site.topic(parent)?,
                None => return Some(topic),
            }
        }
        None
    }

    /// The workstream or theme with the highest score; among equals the first of the entry's.
    fn best_root(&self, entry: &Entry) -> Option<&Topic> {
        let mut best: Option<(f64, &Topic)> = None;
        for found in &entry.topics {
            if let Some(root) = self.root(&found.slug)
                && best.is_none_or(|(score, _)| found.score > score)
            {
                best = Some((found.score, root));
            }
        }
        best.map(|(_, topic)| topic)
    }
}

fn has_topic(entry: &Entry, slug: &str) -> bool {
    entry.topics.iter().any(|topic| topic.slug == slug)
}

/// "2–8 February 2015", with the month and year twice where they differ.
fn days(week: Week) -> String {
    let (monday, sunday) = (week.monday(), week.sunday());
    let from = if monday.format("%Y").to_string() != sunday.format("%Y").to_string() {
        monday.format("%-d %B %Y – ")
    } else if monday.format("%m").to_string() != sunday.format("%m").to_string() {
        monday.format("%-d %B – ")
    } else {
        monday.format("%-d–")
    };
    format!("{from}{}", sunday.format("%-d %B %Y"))
}

/// The form in which two links are compared; `None` for what is no page.
fn page_key(url: &str) -> Option<String> {
    Some(link_key(&Url::parse(web_address(url)?).ok()?))
}

/// Where the entry stands, in the form in which links are compared.
fn pages_of(entry: &Entry) -> impl Iterator<Item = String> {
    let copies = entry.also_in.iter().filter_map(|copy| copy.url.as_deref());
    entry
        .url
        .as_deref()
        .into_iter()
        .chain(copies)
        .filter_map(page_key)
}

/// Who links to whom, in reading order.
fn conversations(entries: &[Entry], links: &HashMap<String, Vec<(String, String)>>) -> Vec<Conversation> {
    let mut pages: HashMap<String, &Entry> = HashMap::new();
    for entry in entries {
        for key in pages_of(entry) {
            pages.entry(key).or_insert(entry);
        }
    }
    let mut found = Vec::new();
    for entry in entries {
        for (address, _) in links.get(&entry.key).into_iter().flatten() {
            if let Some(to) = page_key(address).and_then(|key| pages.get(&key))
                && to.member.slug != entry.member.slug
            {
                let pair = Conversation {
                    from: entry.id.clone(),
                    to: to.id.clone(),
                };
                if !found.contains(&pair) {
                    found.push(pair);
                }
            }
        }
    }
    found
}

/// Pages, none of them an entry of the week, that two or more members point to: the most cited first, then in
/// reading order. A link to the member's own blog points to nothing new.
fn shared_links(entries: &[Entry], links: &HashMap<String, Vec<(String, String)>>) -> Vec<SharedLink> {
    struct Cited<'a> {
        link: SharedLink,
        members: BTreeSet<&'a str>,
    }
    let own: HashSet<String> = entries.iter().flat_map(pages_of).collect();
    let mut order: Vec<Cited<'_>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for entry in entries {
        let blog = entry.member.url.as_deref().and_then(page_key);
        for (address, words) in links.get(&entry.key).into_iter().flatten() {
            let Some(key) = page_key(address) else { continue };
            if own.contains(&key) || blog.as_deref().is_some_and(|blog| is_within(&key, blog)) {
                continue;
            }
            let place = *places.entry(key).or_insert_with(|| {
                order.push(Cited {
                    link: SharedLink {
                        url: address.clone(),
                        title: None,
                        cited_by: Vec::new(),
                    },
                    members: BTreeSet::new(),
                });
                order.len() - 1
            });
            let cited = &mut order[place];
            if cited.link.title.is_none() && names_a_page(words) {
                cited.link.title = Some(words.clone());
            }
            if cited.link.cited_by.last() != Some(&entry.id) {
                cited.link.cited_by.push(entry.id.clone());
            }
            cited.members.insert(&entry.member.slug);
        }
    }
    order.retain(|cited| cited.members.len() >= 2);
    order.sort_by_key(|cited| std::cmp::Reverse(cited.members.len()));
    order.into_iter().map(|cited| cited.link).collect()
}

/// Whether the page `key` lies on the blog `blog`, both in the form of [`link_key`].
fn is_within(key: &str, blog: &str) -> bool {
    key.strip_prefix(blog)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// Whether the words of a link say what is behind it: neither "here" nor an address.
fn names_a_page(words: &str) -> bool {
    let words = words.trim();
    words.chars().any(char::is_alphabetic)
        && web_address(words).is_none()
        && ![
            "here",
            "this",
            "link",
            "read more",
            "more",
            "click here",
            "this post",
            "source",
            "via",
        ]
        .contains(&words.to_lowercase().as_str())
}
