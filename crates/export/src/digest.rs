//! The digest of one ISO week: which entries, in which order, and what can be said of them (contract section 6).
//!
//! It decides; the formats are written elsewhere (`digest_json`, `digest_csv`, and over `digest_layout`
//! `digest_markdown`, `digest_html`, `digest_text`), and what was written is read back (`digest_read`), so that a closed
//! week is shown in part, joined and corrected as it was closed. It does not choose the entries of a week and closes none.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use model::{Entry, Member, Site, Week, link_key};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::address::web_address;
use crate::digest_groups::{Group, groups};
use crate::edition::Edited;
use crate::{digest_csv, digest_html, digest_json, digest_markdown, digest_read, digest_text};

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
    /// The entries of the week, in any order.
    pub entries: Vec<Entry>,
    /// The keys of those that came after the week of their publication had closed.
    pub late: HashSet<String>,
    /// By member's slug: when their last post before these was published. Who is missing had none.
    pub previous: HashMap<String, DateTime<Utc>>,
    /// By entry's key: the links in its whole text, address and words.
    pub links: &'a HashMap<String, Vec<(String, String)>>,
    /// Who joined in the week.
    pub new_members: Vec<Member>,
    /// Whose feeds did not answer.
    pub not_heard: Vec<NotHeard>,
    /// How far the week has come; closed makes the first revision, closed at `now`.
    pub status: DigestStatus,
    /// When it closes by the schedule; `None` for an archive week.
    pub closes_at: Option<DateTime<Utc>>,
    /// When the week after it closes; `None` where that never closes, being archive.
    pub next_closes_at: Option<DateTime<Utc>>,
}

/// How far a week has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DigestStatus {
    /// Entries may still come.
    Open,
    /// Its entries are settled; a withdrawal alone changes it.
    Closed,
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

/// What a closed digest lost, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The revision that is without it.
    pub revision: u32,
    /// When that revision was made.
    pub at: DateTime<Utc>,
    /// Why, in a word.
    pub reason: String,
    /// The entry's `tag:` identifier; `None` where a member left of whom the week had no entry.
    pub entry: Option<String>,
    /// The hash of the revision before.
    pub previous_hash: String,
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

impl DigestView {
    /// Whether it shows all, as it is.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }
}

/// A digest, ready to be written in any format.
#[derive(Debug, Clone)]
pub struct Digest {
    pub(crate) site: Site,
    pub(crate) first: Week,
    /// The first week again, unless several are joined.
    pub(crate) last: Week,
    pub(crate) status: DigestStatus,
    pub(crate) closed_at: Option<DateTime<Utc>>,
    /// Counts what was made of a closed week; joined weeks have none of their own.
    pub(crate) revision: Option<u32>,
    pub(crate) closes_at: Option<DateTime<Utc>>,
    /// Whether `closes_at` is still to come.
    pub(crate) closes_later: bool,
    pub(crate) next_closes_at: Option<DateTime<Utc>>,
    /// In reading order: by published date, oldest first, as the week went.
    pub(crate) entries: Vec<DigestEntry>,
    /// Left out by `max_per_member`, in reading order.
    pub(crate) left_out: Vec<DigestEntry>,
    pub(crate) groups: Vec<Group>,
    pub(crate) conversations: Vec<Conversation>,
    pub(crate) links: Vec<SharedLink>,
    pub(crate) new_members: Vec<Member>,
    pub(crate) not_heard: Vec<NotHeard>,
    pub(crate) corrections: Vec<Correction>,
    pub(crate) topic: Option<String>,
    pub(crate) layout_links: bool,
    pub(crate) edition: Option<Edited>,
}

/// An entry and what the week makes of it.
#[derive(Debug, Clone)]
pub(crate) struct DigestEntry {
    pub(crate) entry: Entry,
    pub(crate) late: bool,
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

/// The digest of a week.
pub fn digest(input: DigestInput<'_>) -> Digest {
    let mut entries = input.entries;
    entries.sort_by(|a, b| (a.published, &a.key).cmp(&(b.published, &b.key)));
    let conversations = conversations(&entries, input.links);
    let links = shared_links(&entries, input.links);
    let mut heard = HashSet::new();
    let entries: Vec<DigestEntry> = entries
        .into_iter()
        .map(|entry| {
            let first_this_week = heard.insert(entry.member.slug.clone());
            let previous = input.previous.get(&entry.member.slug);
            DigestEntry {
                late: input.late.contains(&entry.key),
                first_post: first_this_week && previous.is_none(),
                returned_after_days: previous
                    .map(|&previous| (entry.published - previous).num_days())
                    .filter(|&days| first_this_week && days >= RETURN_DAYS),
                entry,
            }
        })
        .collect();
    let is_closed = input.status == DigestStatus::Closed;
    Digest {
        site: input.site.clone(),
        first: input.week,
        last: input.week,
        status: input.status,
        closed_at: is_closed.then_some(input.now),
        revision: is_closed.then_some(1),
        closes_at: input.closes_at,
        closes_later: !is_closed && input.closes_at.is_some_and(|at| at > input.now),
        next_closes_at: input.next_closes_at,
        groups: groups(input.site, &entries),
        entries,
        left_out: Vec::new(),
        conversations,
        links,
        new_members: input.new_members,
        not_heard: input.not_heard,
        corrections: Vec::new(),
        topic: None,
        layout_links: false,
        edition: None,
    }
}

impl Digest {
    /// The digest that [`to_json`](Self::to_json) wrote: a closed one as it was made, whatever became of its entries.
    ///
    /// # Errors
    /// If the document is none.
    pub fn read(site: &Site, document: &str) -> Result<Self, serde_json::Error> {
        digest_read::read(site, document)
    }

    /// Consecutive closed weeks as one digest; `None` without any.
    pub fn join(weeks: Vec<Self>) -> Option<Self> {
        let mut weeks = weeks.into_iter();
        let mut joined = weeks.next()?;
        for week in weeks {
            joined.revision = None;
            joined.last = week.last;
            joined.closed_at = joined.closed_at.max(week.closed_at);
            joined.closes_at = joined.closes_at.max(week.closes_at);
            joined.next_closes_at = week.next_closes_at;
            joined.entries.extend(week.entries);
            joined.conversations.extend(week.conversations);
            joined.corrections.extend(week.corrections);
            joined.not_heard = week.not_heard;
            Group::join(&mut joined.groups, week.groups);
            for link in week.links {
                match joined.links.iter_mut().find(|known| known.url == link.url) {
                    Some(known) => known.cited_by.extend(link.cited_by),
                    None => joined.links.push(link),
                }
            }
            for member in week.new_members {
                if !joined.new_members.iter().any(|known| known.slug == member.slug) {
                    joined.new_members.push(member);
                }
            }
        }
        joined
            .entries
            .sort_by(|a, b| (a.entry.published, &a.entry.key).cmp(&(b.entry.published, &b.entry.key)));
        Some(joined)
    }

    /// The revision after this one of a closed week, made at `at`: without these entries (by their `tag:` identifiers) and any
    /// of their words, and without the names of members who `left` (by slug). `previous_hash` is this revision's.
    #[must_use]
    pub fn corrected(
        &self,
        withdrawn: &[String],
        left: &[String],
        reason: &str,
        at: DateTime<Utc>,
        previous_hash: &str,
    ) -> Self {
        let mut next = self.clone();
        let revision = self.revision.unwrap_or(0) + 1;
        next.revision = Some(revision);
        let is_withdrawn = |id: &String| withdrawn.contains(id);
        for link in &mut next.links {
            // The title may be the words of the link in one of these.
            if link.cited_by.iter().any(is_withdrawn) {
                link.title = None;
            }
        }
        next.entries.retain(|entry| !is_withdrawn(&entry.entry.id));
        for group in &mut next.groups {
            group.drop_entries(&is_withdrawn);
        }
        next.new_members.retain(|member| !left.contains(&member.slug));
        next.not_heard.retain(|member| !left.contains(&member.slug));
        let entries = withdrawn.iter().cloned().map(Some);
        let nobodys = withdrawn.is_empty().then_some(None);
        next.corrections
            .extend(entries.chain(nobodys).map(|entry| Correction {
                revision,
                at,
                reason: reason.to_owned(),
                entry,
                previous_hash: previous_hash.to_owned(),
            }));
        next.keep_what_is_said_of_its_entries();
        next
    }

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
        part.keep_what_is_said_of_its_entries();
        part
    }

    /// Drops conversations and shared links of entries that are not here.
    pub(crate) fn keep_what_is_said_of_its_entries(&mut self) {
        let members: HashMap<&str, &str> = self
            .entries
            .iter()
            .map(|entry| (entry.entry.id.as_str(), entry.entry.member.slug.as_str()))
            .collect();
        self.conversations
            .retain(|pair| members.contains_key(&*pair.from) && members.contains_key(&*pair.to));
        for link in &mut self.links {
            link.cited_by.retain(|id| members.contains_key(&**id));
        }
        self.links.retain(|link| {
            let citing: BTreeSet<_> = link.cited_by.iter().map(|id| members[&**id]).collect();
            citing.len() >= 2
        });
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

    /// How far the week has come.
    pub fn status(&self) -> DigestStatus {
        self.status
    }

    /// The number of this revision; `None` until the week is closed, and for joined weeks.
    pub fn revision(&self) -> Option<u32> {
        self.revision
    }

    /// The lower-case hexadecimal SHA-256 of the RFC 8785 form of the entries; `None` until the week is closed.
    pub fn hash(&self) -> Option<String> {
        digest_json::hash(self)
    }

    /// The entries in reading order; a digest that was read back knows nothing more of them than it tells.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|entry| &entry.entry)
    }

    /// The slugs of members whom it names beside those who wrote its entries.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let new = self.new_members.iter().map(|member| member.slug.as_str());
        new.chain(self.not_heard.iter().map(|member| member.slug.as_str()))
    }

    /// The first week, and the last: the same unless several are joined.
    pub fn weeks(&self) -> (Week, Week) {
        (self.first, self.last)
    }

    /// How many entries there are.
    pub fn entry_count(&self) -> usize {
        self.entries.len()
    }

    /// Distinct members who wrote.
    pub fn member_count(&self) -> usize {
        let slugs = self.entries.iter().map(|entry| &entry.entry.member.slug);
        slugs.collect::<HashSet<_>>().len()
    }

    /// Distinct organisations that they name.
    pub fn organisation_count(&self) -> usize {
        let names = self
            .entries
            .iter()
            .filter_map(|entry| entry.entry.member.organisation.as_ref());
        names.collect::<HashSet<_>>().len()
    }

    /// `2015-W06`, or `2015-W06..2015-W07` of joined weeks.
    pub(crate) fn id(&self) -> String {
        if self.first == self.last {
            self.first.to_string()
        } else {
            format!("{}..{}", self.first, self.last)
        }
    }

    /// Names the site and the days.
    pub fn title(&self) -> String {
        let mut days = days(self.first, self.last);
        if let Some(number) = self.edition.as_ref().map(|edited| &edited.edition.number)
            && !number.is_empty()
        {
            days = format!("{days} (issue {number})");
        }
        match self.topic.as_deref().and_then(|slug| self.site.topic(slug)) {
            Some(topic) => format!("{}: {}, {days}", self.site.title, topic.name),
            None => format!("{}, {days}", self.site.title),
        }
    }

    /// The address of the page.
    pub(crate) fn page(&self) -> String {
        self.site.absolute(&format!("/digest/{}", self.id()))
    }
}

fn has_topic(entry: &Entry, slug: &str) -> bool {
    entry.topics.iter().any(|topic| topic.slug == slug)
}

/// "2–8 February 2015", with the month and year twice where they differ.
fn days(first: Week, last: Week) -> String {
    let (monday, sunday) = (first.monday(), last.sunday());
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
