//! Feeds of the river and its parts, and the lists of members' own feeds.

use chrono::{DateTime, Utc};
use export::{ArchiveLinks, FeedInfo, Outline};
use model::{Entry, FeedStatus, Search, Withdrawal};
use store::{EntryQuery, MemberDetail};

use crate::asked::{Asked, Made};
use crate::document::{Document, Kind};
use crate::failure::Failure;
use crate::fixed::feed_style_path;
use crate::links;
use crate::pages::{known_hashtag, known_member, known_topic};

/// Entries in a feed: the last released.
const ENTRIES: u32 = 50;

/// How many of those that left a feed tells of: the last.
const WITHDRAWN: u32 = 50;

/// Arrivals on one page of the archive.
const ARCHIVE_PAGE: u64 = 100;

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
        let document = match self {
            Self::Atom => Document::new(Kind::Atom, export::atom(info, entries)),
            Self::Rss => Document::new(Kind::Rss, export::rss(info, entries)),
            Self::Json => Document::new(Kind::JsonFeed, export::json_feed(info, entries)),
        };
        // WebSub section 4: a hub is found here whatever the format.
        let hub = info.site.hub.as_ref();
        let address = info.address(self.extension());
        document.linked(hub.map(|hub| format!("<{hub}>; rel=\"hub\", <{address}>; rel=\"self\"")))
    }
}

/// A part of the river as its feed and its archive tell of it.
struct Part {
    title: String,
    subtitle: String,
    /// The page that shows the same entries; the feed stands below it.
    page: String,
    /// What follows the addresses of the feed and the page.
    query: String,
    /// Whose part it is, if a member's.
    member: Option<String>,
}

impl Part {
    fn new(asked: &Asked, name: &str, page: String) -> Self {
        Self {
            title: format!("{name} – {}", asked.site.title),
            subtitle: String::new(),
            page,
            query: String::new(),
            member: None,
        }
    }

    fn whole_river(asked: &Asked) -> Self {
        Self {
            title: asked.site.title.clone(),
            subtitle: asked.site.subtitle.clone(),
            page: "/".to_owned(),
            query: String::new(),
            member: None,
        }
    }

    async fn of_member(asked: &Asked) -> Result<Self, Failure> {
        let MemberDetail { member, .. } = known_member(asked).await?;
        let part = Self::new(asked, &member.name, links::member(&member.slug));
        Ok(Self {
            subtitle: member.organisation.unwrap_or_default(),
            member: Some(member.slug),
            ..part
        })
    }

    fn below(&self, path: &str) -> String {
        format!("{}{path}", self.page.trim_end_matches('/'))
    }

    fn archive_path(&self, number: u32) -> String {
        self.below(&format!("/archive/{number}"))
    }

    /// How many pages its archive has; the last one is still filling.
    async fn archive_pages(&self, asked: &Asked) -> Result<u32, Failure> {
        let arrivals = asked.store().arrivals(self.member.as_deref()).await?;
        Ok(u32::try_from(arrivals.div_ceil(ARCHIVE_PAGE)).unwrap_or(u32::MAX))
    }

    /// The feed's head, by its entries and by what left it.
    fn info<'a>(&self, asked: &'a Asked, entries: &[Entry], withdrawn: Vec<Withdrawal>) -> FeedInfo<'a> {
        FeedInfo {
            site: &asked.site,
            title: self.title.clone(),
            subtitle: self.subtitle.clone(),
            path: format!("{}{}", self.below("/feed"), self.query),
            html_path: format!("{}{}", self.page, self.query),
            updated: last_change(asked, entries, &withdrawn),
            archive: None,
            withdrawn,
            style: Some(feed_style_path()),
        }
    }

    /// The feed of what `query` finds, with its archive if it has one.
    async fn feed(self, asked: &Asked, format: Format, query: EntryQuery, has_archive: bool) -> Made {
        let entries = asked.store().entries(&query).await?.entries;
        // Only Atom has a word for what left. Of a topic nobody knows any more what left it, and readers pass over
        // what they never had.
        let withdrawn = match format {
            Format::Atom => {
                let member = self.member.as_deref();
                asked.store().withdrawals(member, WITHDRAWN).await?
            }
            Format::Rss | Format::Json => Vec::new(),
        };
        let mut info = self.info(asked, &entries, withdrawn);
        if has_archive {
            let last = self.archive_pages(asked).await?;
            info.archive = (last > 0).then(|| ArchiveLinks {
                prev_archive: Some(self.archive_path(last)),
                ..ArchiveLinks::default()
            });
        }
        Ok(format.write(&info, &entries))
    }

    /// A page of the archive, `name` being its number and format.
    async fn archive(self, asked: &Asked, name: &str) -> Made {
        let feed = self.below("/feed");
        let unknown = || {
            Failure::not_found(format!(
                "The archive has no such page; {feed}.atom leads to the last one."
            ))
        };
        let (number, extension) = name.split_once('.').ok_or_else(unknown)?;
        let format = Format::ALL
            .into_iter()
            .find(|format| format.extension() == extension)
            .ok_or_else(unknown)?;
        let number: u32 = number
            .parse()
            .ok()
            .filter(|n: &u32| n.to_string() == number)
            .ok_or_else(unknown)?;
        let last = self.archive_pages(asked).await?;
        if !(1..=last).contains(&number) {
            return Err(unknown());
        }
        let found = asked.store().archive(self.member.as_deref(), number).await?;
        let mut info = self.info(asked, &found.entries, found.withdrawn);
        info.path = self.archive_path(number);
        info.archive = Some(ArchiveLinks {
            prev_archive: (number > 1).then(|| self.archive_path(number - 1)),
            next_archive: (number < last).then(|| self.archive_path(number + 1)),
            current: Some(feed),
        });
        Ok(format.write(&info, &found.entries))
    }
}

/// `/feed.atom`
pub(crate) async fn all(asked: Asked, format: Format) -> Made {
    let river = Part::whole_river(&asked);
    river
        .feed(&asked, format, EntryQuery::newest(ENTRIES), true)
        .await
}

/// `/archive/{n}.atom`: the nth hundred of arrivals (RFC 5005 section 4).
pub(crate) async fn archive(asked: Asked) -> Made {
    Part::whole_river(&asked).archive(&asked, &asked.name).await
}

/// `/members/{slug}/archive/{n}.atom`: the nth hundred of the member's.
pub(crate) async fn archive_of_member(asked: Asked) -> Made {
    let name = asked.path.rsplit('/').next().unwrap_or_default();
    Part::of_member(&asked).await?.archive(&asked, name).await
}

/// `/topics/{slug}/feed.atom`
pub(crate) async fn topic(asked: Asked, format: Format) -> Made {
    let topic = known_topic(&asked.site, &asked.name)?;
    let part = Part {
        subtitle: topic.description.clone(),
        ..Part::new(&asked, &topic.name, links::topic(&topic.slug))
    };
    let query = EntryQuery {
        topic: Some(topic.slug.clone()),
        ..EntryQuery::newest(ENTRIES)
    };
    part.feed(&asked, format, query, false).await
}

/// `/members/{slug}/feed.atom`
pub(crate) async fn member(asked: Asked, format: Format) -> Made {
    let part = Part::of_member(&asked).await?;
    let query = EntryQuery {
        member: part.member.clone(),
        ..EntryQuery::newest(ENTRIES)
    };
    part.feed(&asked, format, query, true).await
}

/// `/hashtags/{tag}/feed.atom`
pub(crate) async fn hashtag(asked: Asked, format: Format) -> Made {
    let (tag, query) = known_hashtag(&asked, ENTRIES).await?;
    let part = Part::new(&asked, &format!("#{tag}"), links::hashtag(&tag));
    part.feed(&asked, format, query, false).await
}

/// `/search/feed.atom?q=`
pub(crate) async fn search(asked: Asked, format: Format) -> Made {
    let words = asked
        .parameters
        .get("q")
        .ok_or_else(|| Failure::parameter("q", "is missing; say what to search for, as in ?q=councillors"))?
        .to_owned();
    let part = Part {
        query: asked.parameters.query(),
        ..Part::new(&asked, &format!("Search: {words}"), "/search".to_owned())
    };
    let query = EntryQuery {
        search: Some(Search::read(&words, &asked.site)),
        ..EntryQuery::newest(ENTRIES)
    };
    part.feed(&asked, format, query, false).await
}

/// When what stands in the feed last changed: an arrival, an edit or a withdrawal; an empty feed is as old as the
/// last change of all.
fn last_change(asked: &Asked, entries: &[Entry], withdrawn: &[Withdrawal]) -> DateTime<Utc> {
    let changes = entries.iter().map(|entry| entry.updated.max(entry.released));
    changes
        .chain(withdrawn.iter().map(|withdrawal| withdrawal.at))
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
    let writers = asked.store().members_with_topic(&topic.slug).await?;
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
