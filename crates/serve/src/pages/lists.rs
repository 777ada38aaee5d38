//! The lists: all topics with the common hashtags, all members.

use askama::Template;
use model::Topic;
use store::LabelCount;

use super::page;
use super::shell::{Part, Shell};
use super::view::{Named, When};
use crate::asked::{Asked, Made};
use crate::links;

/// Hashtags listed.
const HASHTAGS: u32 = 60;

struct TopicLine {
    link: Named,
    description: String,
    entries: u32,
    projects: Vec<TopicLine>,
}

struct TagLine {
    link: Named,
    entries: u32,
    /// Whether the network knows its own by it.
    is_ours: bool,
}

#[derive(Template)]
#[template(path = "topics.html")]
struct TopicList {
    shell: Shell,
    topics: Vec<TopicLine>,
    hashtags: Vec<TagLine>,
}

/// `/topics`
pub(crate) async fn topics(asked: Asked) -> Made {
    let counts = asked.store().topic_counts().await?;
    let hashtags = asked.store().hashtag_counts(HASHTAGS).await?;
    page(&TopicList {
        shell: Shell::new(&asked.site, Part::Topics, Some("Topics".to_owned())),
        topics: lines(None, &asked.site.topics, &counts),
        hashtags: hashtags
            .into_iter()
            .map(|count| TagLine {
                link: Named {
                    path: links::hashtag(&count.label),
                    name: format!("#{}", count.label),
                },
                is_ours: asked.site.network_hashtags.contains(&count.label),
                entries: count.entries,
            })
            .collect(),
    })
}

/// The topics under `parent`, each with its projects. A project has no projects of its own.
fn lines(parent: Option<&str>, topics: &[Topic], counts: &[LabelCount]) -> Vec<TopicLine> {
    topics
        .iter()
        .filter(|topic| topic.parent.as_deref() == parent)
        .map(|topic| TopicLine {
            link: Named {
                name: topic.name.clone(),
                path: links::topic(&topic.slug),
            },
            description: topic.description.clone(),
            entries: counts
                .iter()
                .find(|count| count.label == topic.slug)
                .map_or(0, |count| count.entries),
            projects: if parent.is_none() {
                lines(Some(&topic.slug), topics, counts)
            } else {
                Vec::new()
            },
        })
        .collect()
}

struct MemberLine {
    link: Named,
    organisation: Option<String>,
    entries: u32,
    newest: Option<When>,
}

#[derive(Template)]
#[template(path = "members.html")]
struct MemberList {
    shell: Shell,
    members: Vec<MemberLine>,
}

/// `/members`
pub(crate) async fn members(asked: Asked) -> Made {
    let mut members = asked.store().members().await?;
    members.sort_by_cached_key(|detail| (detail.member.name.to_lowercase(), detail.member.slug.clone()));
    page(&MemberList {
        shell: Shell::new(&asked.site, Part::Members, Some("Members".to_owned())),
        members: members
            .into_iter()
            .map(|detail| MemberLine {
                link: Named {
                    path: links::member(&detail.member.slug),
                    name: detail.member.name,
                },
                organisation: detail.member.organisation,
                entries: detail.entries,
                newest: detail.newest.map(|at| When::day(at, &asked.site)),
            })
            .collect(),
    })
}
