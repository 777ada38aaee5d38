//! `/members/{slug}/health.atom`: a feed of a blog's troubles, an entry when something breaks and one when it is well
//! again; and the badge that a member may put on their blog.

use askama::Template;
use chrono::{DateTime, NaiveTime, Utc};
use model::clean_text;
use store::MemberDetail;

use crate::asked::{Asked, Made};
use crate::document::{Document, Kind};
use crate::failure::Failure;
use crate::links;
use crate::pages::known_member;

/// How many times of trouble the feed tells of.
const TROUBLES: u32 = 25;

#[derive(Template)]
#[template(path = "health.atom", escape = "html")]
struct HealthFeed {
    title: String,
    address: String,
    page: String,
    updated: String,
    entries: Vec<HealthEntry>,
}

struct HealthEntry {
    id: String,
    title: String,
    words: String,
    at: DateTime<Utc>,
}

impl HealthEntry {
    fn updated(&self) -> String {
        instant(self.at)
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// `/members/{slug}/health.atom`
pub(crate) async fn health_feed(asked: Asked) -> Made {
    let MemberDetail { member, feeds, .. } = known_member(&asked).await?;
    let page = asked.site.absolute(&links::member(&member.slug));
    let address = format!("{page}/health.atom");
    let mut entries = Vec::new();
    for trouble in asked.store().troubles(&member.slug, TROUBLES).await? {
        let feed = clean_text(&trouble.feed).into_owned();
        if let Some(at) = trouble.ended_at {
            entries.push(HealthEntry {
                id: format!("{address}#well-{}", trouble.id),
                title: format!("{} reads your feed again", asked.site.title),
                words: format!("{feed} is well again. There is nothing for you to do."),
                at,
            });
        }
        entries.push(HealthEntry {
            id: format!("{address}#broke-{}", trouble.id),
            title: format!("{} cannot read your feed", asked.site.title),
            words: format!("{feed}: {}", clean_text(&trouble.reason)),
            at: trouble.noted_at,
        });
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    // While there never was any trouble, the feed is as old as the membership.
    let joined = feeds
        .iter()
        .map(|feed| feed.joined.and_time(NaiveTime::MIN).and_utc());
    let changes = entries.iter().map(|entry| entry.at).max();
    let since = changes.or(joined.min()).unwrap_or_default();
    let text = HealthFeed {
        title: format!("How the blog of {} fares – {}", member.name, asked.site.title),
        address,
        page,
        updated: instant(since),
        entries,
    }
    .render()
    .map_err(|error| Failure::Internal(format!("a feed could not be written: {error}")))?;
    Ok(Document::new(Kind::Atom, text))
}

#[derive(Template)]
#[template(path = "badge.svg", escape = "html")]
struct Badge<'a> {
    title: &'a str,
}

/// `/members/{slug}/badge.svg`
pub(crate) async fn badge(asked: Asked) -> Made {
    known_member(&asked).await?;
    let text = Badge {
        title: &asked.site.title,
    }
    .render()
    .map_err(|error| Failure::Internal(format!("a badge could not be drawn: {error}")))?;
    Ok(Document::new(Kind::Svg, text))
}
