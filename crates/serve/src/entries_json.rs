//! `/entries.json`: the river as data, a page at a time, or what changed since.

use std::fmt::Display;

use export::ExportItem;
use model::{Entry, Search};
use store::{Change, ChangePosition, EntryQuery, RiverEdge, RiverPosition};

use crate::asked::{Asked, Made};
use crate::document::{Document, Kind};
use crate::failure::Failure;

/// The parameters of the export.
pub(crate) const PARAMETERS: &[&str] = &[
    "since",
    "until",
    "changed_since",
    "topic",
    "hashtag",
    "member",
    "q",
    "limit",
    "cursor",
];

/// `/entries.json`
pub(crate) async fn entries_json(asked: Asked) -> Made {
    let query = read(&asked).await?;
    if asked.parameters.get("changed_since").is_some() {
        return changes(&asked, &query).await;
    }
    let from = asked
        .parameters
        .read_as("cursor", str::parse::<RiverPosition>)?
        .map_or(RiverEdge::Newest, RiverEdge::OlderThan);
    let found = asked.store().entries(&EntryQuery { from, ..query }).await?;
    Ok(document(&asked, &found.entries, found.older))
}

/// What the parameters ask for, but for the place to go on from.
async fn read(asked: &Asked) -> Result<EntryQuery, Failure> {
    let parameters = &asked.parameters;
    let zone = asked.site.timezone;
    let topic = parameters.get("topic").map(str::to_owned);
    if topic
        .as_ref()
        .is_some_and(|slug| asked.site.topic(slug).is_none())
    {
        return Err(Failure::parameter(
            "topic",
            "names no topic of this site; /topics lists them",
        ));
    }
    let member = parameters.get("member").map(str::to_owned);
    if let Some(slug) = &member
        && asked.store().member(slug).await?.is_none()
    {
        return Err(Failure::parameter(
            "member",
            "names no member; /members lists them",
        ));
    }
    let tag = parameters.read_as("hashtag", |text| {
        let tag = text.trim_start_matches('#').to_lowercase();
        if tag.is_empty() || tag.contains('*') {
            Err("must be one hashtag, like localgovdigital")
        } else {
            Ok(tag)
        }
    })?;
    Ok(EntryQuery {
        topic,
        member,
        hashtags: tag.map_or_else(Vec::new, |tag| asked.site.hashtag_patterns(&tag)),
        search: parameters.get("q").map(|text| Search::read(text, &asked.site)),
        since: parameters.instant("since", zone)?,
        until: parameters.instant("until", zone)?,
        from: RiverEdge::Newest,
        limit: parameters.number("limit", 1, 500)?.unwrap_or(50),
    })
}

/// What changed since an instant, oldest change first, with what was withdrawn. The other conditions choose
/// among the entries; a withdrawal stands whatever they say, since nothing of the entry is left to judge by.
async fn changes(asked: &Asked, query: &EntryQuery) -> Made {
    let since = asked
        .parameters
        .instant("changed_since", asked.site.timezone)?
        .unwrap_or_default();
    let after = asked.parameters.read_as("cursor", str::parse::<ChangePosition>)?;
    let found = asked.store().changes(since, after, query.limit).await?;
    let found_by_words = match &query.search {
        None => None,
        Some(search) => {
            let keys = found.changes.iter().filter_map(|change| match change {
                Change::Entry(entry) => Some(entry.key.as_str()),
                Change::Withdrawn(_) => None,
            });
            Some(asked.store().matching(search, &keys.collect::<Vec<_>>()).await?)
        }
    };
    let is_found = |entry: &Entry| {
        found_by_words
            .as_ref()
            .is_none_or(|keys| keys.contains(&entry.key))
    };
    let items = found.changes.iter().filter_map(|change| match change {
        Change::Entry(entry) => {
            (matches(entry, query) && is_found(entry)).then_some(ExportItem::Entry(entry))
        }
        Change::Withdrawn(withdrawal) => Some(ExportItem::Withdrawn(withdrawal)),
    });
    Ok(document(asked, items, found.next))
}

fn matches(entry: &Entry, query: &EntryQuery) -> bool {
    let has_tag = |pattern: &String| match pattern.strip_suffix('*') {
        Some(beginning) => entry.hashtags.iter().any(|tag| tag.starts_with(beginning)),
        None => entry.hashtags.contains(pattern),
    };
    query
        .topic
        .as_ref()
        .is_none_or(|slug| entry.topics.iter().any(|found| found.slug == *slug))
        && query
            .member
            .as_ref()
            .is_none_or(|slug| entry.member.slug == *slug)
        && (query.hashtags.is_empty() || query.hashtags.iter().any(has_tag))
        && query.since.is_none_or(|since| entry.published >= since)
        && query.until.is_none_or(|until| entry.published < until)
}

fn document<'a>(
    asked: &Asked,
    items: impl IntoIterator<Item = impl Into<ExportItem<'a>>>,
    next: Option<impl Display>,
) -> Document {
    let address = |query: String| asked.site.absolute(&format!("{}{query}", asked.path));
    let next = next.map(|position| {
        address(
            asked
                .parameters
                .query_with(&[("cursor", Some(&position.to_string()))]),
        )
    });
    let url = address(asked.parameters.query());
    Document::new(
        Kind::Json,
        export::entries_json(&asked.site, &url, items, next.as_deref()),
    )
}
