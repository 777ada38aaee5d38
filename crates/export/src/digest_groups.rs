//! The sections of a digest: its entries by workstream, project and theme.
//!
//! Which topics the site has is asked once, when the digest is made; after that the groups are what was decided then.

use std::collections::{BTreeSet, HashMap, HashSet};

use model::{Entry, Site, Topic};

use crate::digest::{Digest, DigestEntry};

/// The slug of the group of entries that have no workstream or theme.
const OTHER: &str = "other";

/// A workstream or theme, or `other`, with the identifiers of all entries that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) entries: Vec<String>,
    /// Its projects that have entries; a project has none of its own.
    pub(crate) projects: Vec<Self>,
}

/// Entries under one workstream, project or theme; those without a known one stand under `other`.
#[derive(Debug)]
pub(crate) struct TopicGroup<'a> {
    pub(crate) slug: &'a str,
    pub(crate) name: &'a str,
    pub(crate) entries: Vec<&'a DigestEntry>,
}

impl Group {
    /// Adds the groups of another week. "Other" stands last whichever week it came with.
    pub(crate) fn join(groups: &mut Vec<Self>, others: Vec<Self>) {
        for other in others {
            match groups.iter_mut().find(|group| group.slug == other.slug) {
                Some(group) => {
                    group.entries.extend(other.entries);
                    Self::join(&mut group.projects, other.projects);
                }
                None => groups.push(other),
            }
        }
        groups.sort_by_key(|group| group.slug == OTHER);
    }

    /// Drops the entries of which that is true.
    pub(crate) fn drop_entries(&mut self, is_dropped: &impl Fn(&String) -> bool) {
        self.entries.retain(|id| !is_dropped(id));
        for project in &mut self.projects {
            project.drop_entries(is_dropped);
        }
    }

    /// Those of `entries` that it holds, in their order.
    fn among<'a>(&'a self, entries: &'a [DigestEntry]) -> TopicGroup<'a> {
        let held: HashSet<&str> = self.entries.iter().map(String::as_str).collect();
        self.with(entries, |entry| held.contains(&*entry.entry.id))
    }

    fn with<'a>(
        &'a self,
        entries: &'a [DigestEntry],
        belongs: impl Fn(&DigestEntry) -> bool,
    ) -> TopicGroup<'a> {
        TopicGroup {
            slug: &self.slug,
            name: &self.name,
            entries: entries.iter().filter(|entry| belongs(entry)).collect(),
        }
    }
}

impl Digest {
    /// Every workstream and theme that has entries, in the site's order, an entry in each of its own; `other`
    /// at the end. Beside each stand those of its projects that have some.
    pub(crate) fn topic_groups(&self) -> Vec<(TopicGroup<'_>, Vec<TopicGroup<'_>>)> {
        let has_some = |group: &TopicGroup<'_>| !group.entries.is_empty();
        self.groups
            .iter()
            .map(|group| {
                let projects = group.projects.iter().map(|project| project.among(&self.entries));
                (group.among(&self.entries), projects.filter(has_some).collect())
            })
            .filter(|(group, _)| has_some(group))
            .collect()
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
        let is_pinned = |entry: &DigestEntry| {
            let edited = self.edition.as_ref();
            edited.is_some_and(|edited| edited.is_pinned(entry))
        };
        let groups = self.groups_by_entry();
        let best: HashMap<&str, &str> = entries
            .iter()
            .map(|entry| {
                let id = entry.entry.id.as_str();
                let holding = groups.get(id).map_or(&[][..], Vec::as_slice);
                (id, self.best_of(holding, &entry.entry))
            })
            .collect();
        let pinned = TopicGroup {
            slug: "pinned",
            name: "First of all",
            entries: entries.iter().filter(|entry| is_pinned(entry)).collect(),
        };
        let sections = self.groups.iter().map(|group| {
            group.with(entries, |entry| {
                !is_pinned(entry) && best[&*entry.entry.id] == group.slug
            })
        });
        std::iter::once(pinned)
            .chain(sections)
            .filter(|group| !group.entries.is_empty())
            .collect()
    }

    /// By entry's identifier: the groups that hold it.
    fn groups_by_entry(&self) -> HashMap<&str, Vec<&Group>> {
        let mut groups: HashMap<&str, Vec<&Group>> = HashMap::new();
        for group in &self.groups {
            for id in &group.entries {
                groups.entry(id).or_default().push(group);
            }
        }
        groups
    }

    /// Of the groups that hold the entry, the one with the highest score; among equals the first of the entry's.
    fn best_of<'a>(&self, holding: &[&'a Group], entry: &Entry) -> &'a str {
        let mut best: Option<(f64, &str)> = None;
        for found in &entry.topics {
            let root = root(&self.site, &found.slug).map_or(found.slug.as_str(), |topic| &topic.slug);
            if let Some(group) = holding.iter().find(|group| group.slug == root)
                && best.is_none_or(|(score, _)| found.score > score)
            {
                best = Some((found.score, &group.slug));
            }
        }
        let first = holding.first().map_or(OTHER, |group| group.slug.as_str());
        best.map_or(first, |(_, slug)| slug)
    }
}

/// The workstreams and themes of the site that these entries have, in the site's order, with their projects, and `other` for
/// those without.
pub(crate) fn groups(site: &Site, entries: &[DigestEntry]) -> Vec<Group> {
    // By entry: the topics that it has, and the workstreams and themes that these belong to.
    let topics: Vec<(&str, BTreeSet<&str>, BTreeSet<&str>)> = entries
        .iter()
        .map(|entry| {
            let slugs = entry.entry.topics.iter().map(|topic| topic.slug.as_str());
            let roots = slugs.clone().filter_map(|slug| root(site, slug));
            let roots = roots.map(|topic| topic.slug.as_str()).collect();
            (entry.entry.id.as_str(), slugs.collect(), roots)
        })
        .collect();
    let group = |slug: &str, name: &str, belongs: &dyn Fn(&BTreeSet<&str>, &BTreeSet<&str>) -> bool| Group {
        slug: slug.to_owned(),
        name: name.to_owned(),
        entries: topics
            .iter()
            .filter(|(_, slugs, roots)| belongs(slugs, roots))
            .map(|(id, ..)| (*id).to_owned())
            .collect(),
        projects: Vec::new(),
    };
    let projects = |workstream: &Topic| -> Vec<Group> {
        let belongs = |topic: &&Topic| {
            topic.parent.is_some() && root(site, &topic.slug).is_some_and(|root| root.slug == workstream.slug)
        };
        let projects = site.topics.iter().filter(belongs);
        projects
            .map(|topic| group(&topic.slug, &topic.name, &|slugs, _| slugs.contains(&*topic.slug)))
            .filter(|group| !group.entries.is_empty())
            .collect()
    };
    site.topics
        .iter()
        .filter(|topic| topic.parent.is_none())
        .map(|topic| Group {
            projects: projects(topic),
            ..group(&topic.slug, &topic.name, &|_, roots| roots.contains(&*topic.slug))
        })
        .chain([group(OTHER, "Other", &|_, roots| roots.is_empty())])
        .filter(|group| !group.entries.is_empty())
        .collect()
}

/// The workstream that a topic belongs to, or the topic itself.
fn root<'a>(site: &'a Site, slug: &str) -> Option<&'a Topic> {
    let mut topic = site.topic(slug)?;
    // As many steps as there are topics: parents that name each other in a circle have no root.
    for _ in site.topics.iter() {
        match &topic.parent {
            Some(parent) => topic = site.topic(parent)?,
            None => return Some(topic),
        }
    }
    None
}
