//! Feeds of the river and its parts, and the lists of members' own feeds.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use export::{ArchiveLinks, FeedInfo, Outline};
use model::{Entry, FeedStatus};
use store::{EntryQuery, MemberDetail, RiverEdge};

use crate::asked::{Asked, Made};
use crate::document::{Document, Kind};
use crate::failure::Failure;
use crate::links;
use crate::pages::{known_hashtag, known_member, known_topic};

/// Entries in a feed: the last released.
const ENTRIES: u32 = 50;

/// Arrivals on one page of the archive.
const ARCHIVE_PAGE: u64 = 100;

/// Entries read at once when all of a topic's are wanted.
const MANY: u32 = 500;

/// The format of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Atom,
    Rss,
    Json,
}

impl Format {
    pub(crate) const ALL: [Self; 3] = [Self::Atom, Self::Rss, Self::Json];

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Atom => "atom",
            Self::Rss => "rss",
            Self::Json => "json",
        }
    }

    pub(crate) fn write(self, info: &FeedInfo<'_>, entries: &[Entry]) -> Document {
        match self {
            Self::Atom => Document::new(Kind::Atom, export::atom(info, entries)),
            Self::Rss => Document::new(Kind::Rss, export::rss(info, entries)),
            Self::Json => Document::new(Kind::JsonFeed, export::json_feed(info, entries)),
        }
    }
}

/// `/feed.atom`
pub(crate) async fn all(asked: Asked, format: Format) -> Made {
    let entries = asked.store().entries(&EntryQuery::newest(ENTRIES)).await?.entries;
    let last = archive_pages(&asked).await?;
    let archive = (last > 0).then(|| ArchiveLinks {
        prev_archive: Some(archive_path(last)),
        ..ArchiveLinks::default()
    });
    Ok(format.write(
        &whole_river(&asked, "/feed".to_owned(), &entries, archive),
        &entries,
    ))
}

/// `/archive/{n}.atom`: the nth hundred of arrivals (RFC 5005 section 4).
pub(crate) async fn archive(asked: Asked) -> Made {
    let unknown = || Failure::not_found("The archive has no such page; /feed.atom leads to the last one.");
    let (number, extension) = asked.name.split_once('.').ok_or_else(unknown)?;
    let format = Format::ALL
        .into_iter()
        .find(|format| format.extension() == extension)
        .ok_or_else(unknown)?;
    let number: u32 = number
        .parse()
        .ok()
        .filter(|n: &u32| n.to_string() == number)
        .ok_or_else(unknown)?;
    let last = archive_pages(&asked).await?;
    if !(1..=last).contains(&number) {
        return Err(unknown());
    }
    let entries = asked.store().archive(number).await?;
    let links = ArchiveLinks {
        prev_archive: (number > 1).then(|| archive_path(number - 1)),
        next_archive: (number < last).then(|| archive_path(number + 1)),
        current: Some("/feed".to_owned()),
    };
    Ok(format.write(
        &whole_river(&asked, archive_path(number), &entries, Some(links)),
        &entries,
    ))
}

/// How many pages the archive has; the last one is still filling.
async fn archive_pages(asked: &Asked) -> Result<u32, Failure> {
    let arrivals = asked.store().arrivals().await?;
    Ok(u32::try_from(arrivals.div_ceil(ARCHIVE_PAGE)).unwrap_or(u32::MAX))
}

fn archive_path(number: u32) -> String {
    format!("/archive/{number}")
}

fn whole_river<'a>(
    asked: &'a Asked,
    path: String,
    entries: &[Entry],
    archive: Option<ArchiveLinks>,
) -> FeedInfo<'a> {
    FeedInfo {
        site: &asked.site,
        title: asked.site.title.clone(),
        subtitle: asked.site.subtitle.clone(),
        path,
        html_path: "/".to_owned(),
        updated: last_change(asked, entries),
        archive,
    }
}

/// `/topics/{slug}/feed.atom`
pub(crate) async fn topic(asked: Asked, format: Format) -> Made {
    let topic = known_topic(&asked.site, &asked.name)?;
    let page = links::topic(&topic.slug);
    let query = EntryQuery {
        topic: Some(topic.slug.clone()),
        ..EntryQuery::newest(ENTRIES)
    };
    let title = format!("{} – {}", topic.name, asked.site.title);
    feed(
        &asked,
        format,
        query,
        title,
        topic.description.clone(),
        format!("{page}/feed"),
        page,
    )
    .await
}

/// `/members/{slug}/feed.atom`
pub(crate) async fn member(asked: Asked, format: Format) -> Made {
    let MemberDetail { member, .. } = known_member(&asked).await?;
    let page = links::member(&member.slug);
    let query = EntryQuery {
        member: Some(member.slug),
        ..EntryQuery::newest(ENTRIES)
    };
    let title = format!("{} – {}", member.name, asked.site.title);
    let subtitle = member.organisation.unwrap_or_default();
    feed(
        &asked,
        format,
        query,
        title,
        subtitle,
        format!("{page}/feed"),
        page,
    )
    .await
}

/// `/hashtags/{tag}/feed.atom`
pub(crate) async fn hashtag(asked: Asked, format: Format) -> Made {
    let (tag, query) = known_hashtag(&asked, ENTRIES).await?;
    let page = links::hashtag(&tag);
    let title = format!("#{tag} – {}", asked.site.title);
    feed(
        &asked,
        format,
        query,
        title,
        String::new(),
        format!("{page}/feed"),
        page,
    )
    .await
}

/// `/search/feed.atom?q=`
pub(crate) async fn search(asked: Asked, format: Format) -> Made {
    let words = asked
        .parameters
        .get("q")
        .ok_or_else(|| Failure::parameter("q", "is missing; say what to search for, as in ?q=councillors"))?
        .to_owned();
    let title = format!("Search: {words} – {}", asked.site.title);
    let query = EntryQuery {
        search: Some(words),
        ..EntryQuery::newest(ENTRIES)
    };
    let of = asked.parameters.query();
    feed(
        &asked,
        format,
        query,
        title,
        String::new(),
        format!("/search/feed{of}"),
        format!("/search{of}"),
    )
    .await
}

async fn feed(
    asked: &Asked,
    format: Format,
    query: EntryQuery,
    title: String,
    subtitle: String,
    path: String,
    html_path: String,
) -> Made {
    let entries = asked.store().entries(&query).await?.entries;
    let info = FeedInfo {
        site: &asked.site,
        title,
        subtitle,
        path,
        html_path,
        updated: last_change(asked, &entries),
        archive: None,
    };
    Ok(format.write(&info, &entries))
}

/// When what stands in the feed last changed: an arrival or an edit; an empty feed is as old as the last change
/// of all.
fn last_change(asked: &Asked, entries: &[Entry]) -> DateTime<Utc> {
    entries
        .iter()
        .map(|entry| entry.updated.max(entry.released))
        .max()
        .unwrap_or(asked.revision.changed_at)
}

/// `/opml`
pub(crate) async fn opml(asked: Asked) -> Made {
    let members = asked.store().members().await?;
    Ok(outlines(&asked, &asked.site.title, &members))
}

/// `/topics/{slug}/opml`: the members who have a post with the topic.
pub(crate) async fn topic_opml(asked: Asked) -> Made {
    let topic = known_topic(&asked.site, &asked.name)?;
    let mut query = EntryQuery {
        topic: Some(topic.slug.clone()),
        ..EntryQuery::newest(MANY)
    };
    let mut writers = BTreeSet::new();
    loop {
        let found = asked.store().entries(&query).await?;
        writers.extend(found.entries.into_iter().map(|entry| entry.member.slug));
        let Some(older) = found.older else { break };
        query.from = RiverEdge::OlderThan(older);
    }
    let mut members = asked.store().members().await?;
    members.retain(|detail| writers.contains(&detail.member.slug));
    let title = format!("{} – {}", topic.name, asked.site.title);
    Ok(outlines(&asked, &title, &members))
}

/// The feeds of these members, by name; only those that are polled.
fn outlines(asked: &Asked, title: &str, members: &[MemberDetail]) -> Document {
    let mut outlines: Vec<Outline<'_>> = members
        .iter()
        .flat_map(|detail| detail.feeds.iter().map(move |feed| (detail, feed)))
        .filter(|(_, feed)| feed.status == FeedStatus::Active)
        .map(|(detail, feed)| Outline {
            member: &detail.member,
            feed_url: feed.url.as_str(),
        })
        .collect();
    outlines.sort_by_cached_key(|outline| (outline.member.name.to_lowercase(), outline.feed_url));
    let document = export::opml(&asked.site, title, &outlines, asked.revision.changed_at);
    Document::new(Kind::Opml, document)
}
