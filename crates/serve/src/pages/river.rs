//! The river, whole or in part: the front page and the pages of a member and a hashtag (that of a topic: `topic.rs`).

use askama::Template;
use model::{Entry, Site, Topic};
use store::{EntryQuery, MemberDetail, RiverEdge, RiverPosition};

use super::fares::Fare;
use super::page;
use super::shell::{Part, Shell};
use super::view::{Day, Named, When, by_day, day_text, local_day};
use crate::asked::{Asked, Made};
use crate::failure::Failure;
use crate::links;

/// Entries on one page.
pub(super) const PAGE: u32 = 25;

/// Members named on the front page.
const MEMBERS: usize = 12;

/// The parameters of every river page.
pub(crate) const PARAMETERS: &[&str] = &["before", "after"];

/// A page of the river and the ways on from it.
pub(super) struct River {
    pub(super) days: Vec<Day>,
    pub(super) newer: Option<String>,
    pub(super) older: Option<String>,
    /// The newest page of the same posts.
    pub(super) path: String,
    /// Which days it shows, where it is not the newest page.
    pub(super) span: Option<String>,
}

impl River {
    pub(super) async fn of(asked: &Asked, mut query: EntryQuery) -> Result<Self, Failure> {
        let position = |name| asked.parameters.read_as(name, str::parse::<RiverPosition>);
        query.from = match (position("before")?, position("after")?) {
            (None, None) => RiverEdge::Newest,
            (Some(position), None) => RiverEdge::OlderThan(position),
            (None, Some(position)) => RiverEdge::NewerThan(position),
            (Some(_), Some(_)) => {
                return Err(Failure::parameter(
                    "after",
                    "cannot stand beside “before”; give one of them",
                ));
            }
        };
        let found = asked.store().entries(&query).await?;
        let keys: Vec<&str> = found.entries.iter().map(|entry| entry.key.as_str()).collect();
        let conversations = asked.store().conversations(&keys).await?;
        let link = |name: &str, position: RiverPosition| {
            format!("{}?{name}={}", asked.path, links::segment(&position.to_string()))
        };
        Ok(Self {
            span: (query.from != RiverEdge::Newest).then(|| span(&found.entries, &asked.site)),
            days: by_day(&found.entries, &conversations, &asked.site),
            newer: found.newer.map(|position| link("after", position)),
            older: found.older.map(|position| link("before", position)),
            path: asked.path.clone(),
        })
    }

    pub(super) fn told_in(&self, mut shell: Shell) -> Shell {
        shell.newer.clone_from(&self.newer);
        shell.older.clone_from(&self.older);
        if let Some(span) = &self.span {
            shell.title = Some(match shell.title {
                Some(title) => format!("{title}: posts of {span}"),
                None => format!("Posts of {span}"),
            });
        }
        shell
    }
}

/// The days of these entries, newest first as they are given: "3 March to 14 May 2026".
fn span(entries: &[Entry], site: &Site) -> String {
    let day = |entry: Option<&Entry>| entry.map(|entry| local_day(entry.released, site));
    match (day(entries.last()), day(entries.first())) {
        (Some(first), Some(last)) if first == last => day_text(first),
        (Some(first), Some(last)) => format!("{} to {}", day_text(first), day_text(last)),
        _ => "no day".to_owned(),
    }
}

/// A name with the number of its posts.
pub(super) struct Counted {
    pub(super) link: Named,
    pub(super) entries: u32,
    /// Whether it is a part of the one before it.
    pub(super) within: bool,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    shell: Shell,
    river: River,
    topics: Vec<Counted>,
    members: Vec<Counted>,
    all_members: usize,
}

/// `/`
pub(crate) async fn home(asked: Asked) -> Made {
    let river = River::of(&asked, EntryQuery::newest(PAGE)).await?;
    let counts = asked.store().topic_counts().await?;
    let parts = |parent: Option<&str>| {
        let parent = parent.map(str::to_owned);
        let topics = asked.site.topics.iter();
        topics.filter(move |topic| topic.parent == parent)
    };
    let topics = parts(None)
        .flat_map(|topic| std::iter::once(topic).chain(parts(Some(&topic.slug))))
        .filter_map(|topic| {
            let count = counts.iter().find(|count| count.label == topic.slug)?;
            Some(Counted {
                link: Named {
                    name: topic.name.clone(),
                    path: links::topic(&topic.slug),
                },
                entries: count.entries,
                within: topic.parent.is_some(),
            })
        })
        .collect();
    let mut members = asked.store().members().await?;
    let all_members = members.len();
    members.sort_by_key(|detail| std::cmp::Reverse(detail.newest));
    members.truncate(MEMBERS);
    let members = members
        .into_iter()
        .map(|detail| Counted {
            link: Named {
                name: detail.member.name,
                path: links::member(&detail.member.slug),
            },
            entries: detail.entries,
            within: false,
        })
        .collect();
    let shell = river.told_in(Shell::new(&asked.site, Part::Posts, None));
    page(&Home {
        shell,
        river,
        topics,
        members,
        all_members,
    })
}

/// The topic with this slug, or a failure that says where the topics are.
pub(crate) fn known_topic<'a>(site: &'a Site, slug: &str) -> Result<&'a Topic, Failure> {
    site.topic(slug)
        .ok_or_else(|| Failure::not_found("There is no such topic. /topics lists them all."))
}

#[derive(Template)]
#[template(path = "member.html")]
struct MemberPage {
    shell: Shell,
    river: River,
    name: String,
    organisation: Option<String>,
    site_url: Option<String>,
    is_team: bool,
    is_verified: bool,
    entries: u32,
    since: Option<String>,
    newest: Option<When>,
    fares: Vec<Fare>,
}

/// `/members/{slug}`
pub(crate) async fn member(asked: Asked) -> Made {
    let MemberDetail {
        member,
        feeds,
        entries,
        newest,
        verified_at,
    } = known_member(&asked).await?;
    let mut query = EntryQuery::newest(PAGE);
    query.member = Some(member.slug.clone());
    let river = River::of(&asked, query).await?;
    let fares = Fare::of_all(&asked, &feeds).await?;
    // Each poll may change what is said of a feed.
    let changed = feeds.iter().filter_map(|feed| feed.last_polled_at).max();
    let base = links::member(&member.slug);
    let mut shell = Shell::new(&asked.site, Part::Members, Some(member.name.clone()));
    shell.description = format!("Posts by {} in {}", member.name, asked.site.title);
    let shell = river.told_in(shell.with_feeds(&member.name, &base, ""));
    page(&MemberPage {
        shell,
        river,
        name: member.name,
        organisation: member.organisation,
        site_url: member.url.as_deref().and_then(links::web_address),
        is_verified: verified_at.is_some(),
        is_team: member.kind == model::MemberKind::Team,
        entries,
        since: feeds.iter().map(|feed| feed.joined).min().map(day_text),
        newest: newest.map(|at| When::day(at, &asked.site)),
        fares,
    })
    .map(|page| page.changed_at(changed.map_or(asked.changed, |at| at.max(asked.changed))))
}

/// The member whom the path names; where they were merged into another, a failure that leads there, or one that says
/// where the members are.
pub(crate) async fn known_member(asked: &Asked) -> Result<MemberDetail, Failure> {
    if let Some(member) = asked.store().member(&asked.name).await? {
        return Ok(member);
    }
    let Some(slug) = asked.store().merged_member(&asked.name).await? else {
        return Err(Failure::not_found(
            "There is no such member. /members lists them all.",
        ));
    };
    let rest = asked.path.strip_prefix(&links::member(&asked.name));
    Err(Failure::Moved(format!(
        "{}{}{}",
        links::member(&slug),
        rest.unwrap_or_default(),
        asked.parameters.query()
    )))
}

#[derive(Template)]
#[template(path = "hashtag.html")]
struct HashtagPage {
    shell: Shell,
    river: River,
    tag: String,
    also: Vec<String>,
    /// Whether the network knows its own by it.
    is_ours: bool,
}

/// `/hashtags/{tag}`
pub(crate) async fn hashtag(asked: Asked) -> Made {
    let (tag, query) = known_hashtag(&asked, PAGE).await?;
    let river = River::of(&asked, query).await?;
    let title = format!("#{tag}");
    let shell = Shell::new(&asked.site, Part::Topics, Some(title.clone()));
    let shell = river.told_in(shell.with_feeds(&title, &links::hashtag(&tag), ""));
    let also = asked.site.hashtag_patterns(&tag).split_off(1);
    page(&HashtagPage {
        is_ours: asked.site.network_hashtags.contains(&tag),
        shell,
        river,
        tag,
        also,
    })
}

/// The hashtag that the path names, in lower case, and the query for its entries; a failure for a tag that no
/// entry has and no group is named after.
pub(crate) async fn known_hashtag(asked: &Asked, limit: u32) -> Result<(String, EntryQuery), Failure> {
    let unknown = || Failure::not_found("No post here has this hashtag. /topics lists those that many have.");
    let tag = asked.name.to_lowercase();
    if tag != asked.name {
        let path = asked
            .path
            .replacen(&links::segment(&asked.name), &links::segment(&tag), 1);
        return Err(if path == asked.path {
            unknown()
        } else {
            Failure::Moved(format!("{path}{}", asked.parameters.query()))
        });
    }
    if tag.contains('*') {
        return Err(unknown());
    }
    let mut query = EntryQuery::newest(limit);
    query.hashtags = asked.site.hashtag_patterns(&tag);
    let named = asked.site.network_hashtags.contains(&tag)
        || asked.site.hashtag_groups.iter().any(|group| group.tag == tag);
    if !named {
        let one = EntryQuery {
            limit: 1,
            ..query.clone()
        };
        if asked.store().entries(&one).await?.entries.is_empty() {
            return Err(unknown());
        }
    }
    Ok((tag, query))
}
