//! What readers would see of a blog, as the blogger sees it before joining and whoever decides about it afterwards.

use model::{EntryDraft, FeedProblem, Site, first_words};
use poll::CheckReport;
use serde::{Deserialize, Serialize};

use super::view::{When, words_of};
use crate::links;

/// How many posts are shown.
const POSTS: usize = 8;
/// How many of a feed's problems are told; the worst come first.
const PROBLEMS: usize = 12;
/// How many words of the evidence for a topic are shown.
const EVIDENCE: usize = 4;

/// What the Voice made of a blog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Preview {
    pub(crate) title: Option<String>,
    /// The feed.
    pub(crate) feed: String,
    /// The blog, where the feed names one that a page may link to.
    pub(crate) site: Option<String>,
    pub(crate) posts: Vec<PreviewPost>,
    /// Posts in the feed.
    pub(crate) all: usize,
    /// How many of them have a topic or a hashtag of the network.
    pub(crate) tagged: usize,
    pub(crate) problems: Vec<FeedProblem>,
    /// How many more there are.
    pub(crate) more_problems: usize,
}

/// One post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PreviewPost {
    pub(crate) heading: String,
    pub(crate) url: Option<String>,
    /// The day, in words.
    pub(crate) published: Option<String>,
    pub(crate) summary: String,
    pub(crate) topics: Vec<PreviewTopic>,
    pub(crate) hashtags: Vec<String>,
}

/// A topic, and the words that earned it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PreviewTopic {
    pub(crate) name: String,
    pub(crate) why: Vec<String>,
}

impl Preview {
    /// What is told of a report on a feed; `None` if it is of none.
    pub(crate) fn of(report: &CheckReport, site: &Site) -> Option<Self> {
        report.format?;
        let is_tagged = |entry: &&EntryDraft| {
            !entry.topics.is_empty()
                || entry
                    .hashtags
                    .iter()
                    .any(|tag| site.network_hashtags.contains(tag))
        };
        Some(Self {
            title: report.title.clone(),
            feed: report.url.clone()?,
            site: report.site.as_deref().and_then(links::web_address),
            posts: report
                .entries
                .iter()
                .take(POSTS)
                .map(|entry| PreviewPost::of(entry, site))
                .collect(),
            all: report.entries.len(),
            tagged: report.entries.iter().filter(is_tagged).count(),
            problems: report
                .problems
                .iter()
                .take(PROBLEMS)
                .map(FeedProblem::from)
                .collect(),
            more_problems: report.problems.len().saturating_sub(PROBLEMS),
        })
    }
}

impl PreviewPost {
    fn of(entry: &EntryDraft, site: &Site) -> Self {
        let heading = entry.title.clone().unwrap_or_else(|| {
            let words = first_words(&entry.summary, 12);
            if words.is_empty() {
                "A post without words".to_owned()
            } else {
                words
            }
        });
        let topics = entry.topics.iter().filter_map(|found| {
            let topic = site.topic(&found.slug)?;
            Some(PreviewTopic {
                name: topic.name.clone(),
                why: words_of(&found.why, EVIDENCE),
            })
        });
        Self {
            heading,
            url: entry.link.as_deref().and_then(links::web_address),
            published: entry.published.map(|at| When::day(at, site).text),
            summary: entry.summary.clone(),
            topics: topics.collect(),
            hashtags: entry.hashtags.clone(),
        }
    }
}
