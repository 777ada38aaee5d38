//! `/manage/{token}/data.json`: what we hold about a member, for them to take along.

use chrono::{DateTime, NaiveDate, Utc};
use model::{FeedProblem, FeedStatus, Member, TopicMatch};
use serde::Serialize;
use url::Url;

use super::owner::{May, Owner};
use super::told;
use crate::document::{Document, Kind};
use crate::failure::Failure;
use crate::private::{Replied, Reply, Visit};

#[derive(Serialize)]
struct Data<'a> {
    site: &'a str,
    at: DateTime<Utc>,
    member: &'a Member,
    since: DateTime<Utc>,
    consented_at: Option<DateTime<Utc>>,
    verified_at: Option<DateTime<Utc>>,
    verified_by: Option<&'a str>,
    email: Option<&'a str>,
    email_confirmed_at: Option<DateTime<Utc>>,
    feeds: Vec<FeedData<'a>>,
    notices: Vec<NoticeData>,
    posts: Vec<PostData>,
}

#[derive(Serialize)]
struct FeedData<'a> {
    url: &'a Url,
    status: FeedStatus,
    content: &'a str,
    include: &'a str,
    licence: Option<&'a str>,
    joined: NaiveDate,
    refuses_training: bool,
    last_polled_at: Option<DateTime<Utc>>,
    last_error: Option<&'a str>,
    problems: Vec<FeedProblem>,
    decided_by: Option<&'a str>,
    decided_why: Option<&'a str>,
}

#[derive(Serialize)]
struct NoticeData {
    at: DateTime<Utc>,
    words: String,
    mailed_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct PostData {
    key: String,
    url: Option<String>,
    title: Option<String>,
    summary: String,
    published: DateTime<Utc>,
    arrived: DateTime<Utc>,
    topics: Vec<TopicMatch>,
    hashtags: Vec<String>,
    words: u32,
    what_became_of_it: String,
}

/// `GET /manage/{token}/data.json`: everything that we hold about a member, for them to take along.
pub(crate) async fn data(visit: Visit) -> Replied {
    let owner = Owner::open(&visit).await?;
    owner.must(May::Read)?;
    let asked = &visit.asked;
    let membership = &owner.membership;
    let notices = asked.store().notices(owner.slug(), 1000).await?;
    let mut posts = Vec::new();
    loop {
        let some = asked
            .store()
            .own_posts(owner.slug(), 500, posts.len() as u32)
            .await?;
        let last = some.len() < 500;
        posts.extend(some.into_iter().map(|post| PostData {
            what_became_of_it: super::posts::in_words(&post.verdict, &asked.site).1,
            key: post.key,
            url: post.link,
            title: post.title,
            summary: post.summary,
            published: post.published,
            arrived: post.arrived,
            topics: post.topics,
            hashtags: post.hashtags,
            words: post.words,
        }));
        if last {
            break;
        }
    }
    let mut feeds = Vec::new();
    for of in &membership.feeds {
        feeds.push(FeedData {
            url: &of.feed.url,
            status: of.feed.status,
            content: of.feed.content.as_str(),
            include: of.feed.include.as_str(),
            licence: of.feed.licence.as_deref(),
            joined: of.feed.joined,
            refuses_training: of.feed.refuses_training,
            last_polled_at: of.feed.last_polled_at,
            last_error: of.feed.last_error.as_deref(),
            problems: asked.store().feed_problems(of.feed.id).await?,
            decided_by: of.decided_by.as_deref(),
            decided_why: of.decided_why.as_deref(),
        });
    }
    let data = Data {
        site: &asked.site.url,
        at: asked.state.now(),
        member: &membership.member,
        since: membership.created_at,
        consented_at: membership.consented_at,
        verified_at: membership.verified.as_ref().map(|(at, _)| *at),
        verified_by: membership.verified.as_ref().map(|(_, how)| how.as_str()),
        email: membership.email.as_ref().map(|email| email.address.as_str()),
        email_confirmed_at: membership.email.as_ref().and_then(|email| email.confirmed_at),
        feeds,
        notices: notices
            .iter()
            .map(|notice| NoticeData {
                at: notice.at,
                words: told(notice, asked).words,
                mailed_at: notice.sent_at,
            })
            .collect(),
        posts,
    };
    let text = serde_json::to_string_pretty(&data).map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(Reply::page(Document::new(Kind::Json, text)))
}
