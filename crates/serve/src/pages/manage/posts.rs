//! `/manage/{token}/posts/{key}`: one post of a member's own: what became of it, why it has its topics, and what its
//! author can do about either.

use askama::Template;
use model::{Site, heading};
use store::{Cause, Disputed, OwnPost, Verdict};

use super::leave::receipt_page;
use super::owner::{May, Owner, decision};
use crate::asked::Asked;
use crate::failure::Failure;
use crate::form::Form;
use crate::links;
use crate::pages::page;
use crate::pages::shell::{Part, Shell};
use crate::pages::view::{When, words_of};
use crate::private::{Replied, Reply, Visit};

/// How many words of the evidence for a topic are shown.
const EVIDENCE: usize = 6;

/// A post in the list of its author.
pub(super) struct PostLine {
    pub(super) heading: String,
    pub(super) path: String,
    pub(super) published: When,
    pub(super) is_shown: bool,
    /// The verdict in a word or two.
    pub(super) short: &'static str,
    pub(super) words: String,
}

impl PostLine {
    pub(super) fn of(post: &OwnPost, manage: &str, site: &Site) -> Self {
        let (short, words) = in_words(&post.verdict, site);
        let is_gone = matches!(post.verdict, Verdict::Withdrawn(..));
        Self {
            heading: if is_gone {
                "A post that is gone".to_owned()
            } else {
                heading(post.title.as_deref(), &post.summary, post.link.as_deref())
            },
            path: format!("{manage}/posts/{}", links::segment(&post.key)),
            published: When::day(post.published, site),
            is_shown: matches!(post.verdict, Verdict::Shown(_)),
            short,
            words,
        }
    }
}

/// A verdict in a word or two, and in a sentence.
pub(super) fn in_words(verdict: &Verdict, site: &Site) -> (&'static str, String) {
    match verdict {
        Verdict::Shown(since) => ("shown", format!("Readers see it since {}.", When::minute(*since, site).text)),
        Verdict::SameStory(_, member) => (
            "the same as another",
            format!("It is the same story as a post of {member}, which stands for both and names this one."),
        ),
        Verdict::LeftOut => (
            "left out",
            "Only posts on our topics or with our hashtag are taken from this blog, and we found neither in it. Tell us if it belongs to a topic, or let us take all posts.".to_owned(),
        ),
        Verdict::Withdrawn(at, cause, why) => {
            let at = When::minute(*at, site).text;
            let reason = why.as_deref().map_or_else(String::new, |why| format!(" They say: {why}"));
            match cause {
                Some(Cause::Author | Cause::Left) => ("taken back", format!("You took it back on {at}. Its text is erased.")),
                Some(Cause::Source) => (
                    "deleted at the source",
                    format!("It was deleted on your blog, so it is gone here since {at}."),
                ),
                Some(Cause::Moderator | Cause::Rejected) | None => {
                    ("hidden", format!("A moderator hid it on {at}.{reason}"))
                }
            }
        }
    }
}

struct TopicLine {
    name: String,
    why: Vec<String>,
}

struct Choice {
    slug: String,
    name: String,
    holds: bool,
}

#[derive(Template)]
#[template(path = "manage_post.html")]
struct PostPage {
    shell: Shell,
    form: Form,
    done: Option<String>,
    back: String,
    path: String,
    page: String,
    line: PostLine,
    link: Option<String>,
    gone: bool,
    topics: Vec<TopicLine>,
    choices: Vec<Choice>,
    disputed: Vec<String>,
    may_all: bool,
}

/// `GET /manage/{token}/posts/{key}`
pub(crate) async fn show(visit: Visit) -> Replied {
    let (owner, post) = opened(&visit).await?;
    Ok(Reply::page(
        render(&visit.asked, &owner, &post, Form::default(), None).await?,
    ))
}

/// `POST /manage/{token}/posts/{key}`
pub(crate) async fn take(mut visit: Visit) -> Replied {
    let (owner, post) = opened(&visit).await?;
    let form = std::mem::take(&mut visit.form);
    match form.value("do") {
        "hide" => hide(&visit, &owner, &post, form).await,
        "dispute" => dispute(&visit, &owner, &post, form).await,
        _ => Ok(Reply::page(
            render(&visit.asked, &owner, &post, Form::default(), None).await?,
        )),
    }
}

async fn opened(visit: &Visit) -> Result<(Owner, OwnPost), Failure> {
    let owner = Owner::open(visit).await?;
    owner.must(May::Read)?;
    let key = visit.asked.path.rsplit('/').next().unwrap_or_default();
    let post = visit.asked.store().own_post(owner.slug(), key).await?;
    let post = post.ok_or_else(|| Failure::not_found("You have no such post here."))?;
    Ok((owner, post))
}

async fn render(
    asked: &Asked,
    owner: &Owner,
    post: &OwnPost,
    form: Form,
    done: Option<String>,
) -> crate::asked::Made {
    let site = &asked.site;
    let line = PostLine::of(post, &owner.path(), site);
    let shell = Shell::new(site, Part::Elsewhere, Some(line.heading.clone())).of_form(&form);
    let holds = |slug: &str| post.topics.iter().any(|topic| topic.slug == slug);
    let name = |slug: &str| {
        site.topic(slug)
            .map_or_else(|| slug.to_owned(), |topic| topic.name.clone())
    };
    let disputes = asked.store().disputes_of(&post.key).await?;
    page(&PostPage {
        shell,
        done,
        back: owner.path(),
        path: line.path.clone(),
        page: links::entry(&post.key),
        link: post.link.as_deref().and_then(links::web_address),
        gone: matches!(post.verdict, Verdict::Withdrawn(..)),
        topics: post
            .topics
            .iter()
            .map(|topic| TopicLine {
                name: name(&topic.slug),
                why: words_of(&topic.why, EVIDENCE),
            })
            .collect(),
        choices: site
            .topics
            .iter()
            .map(|topic| Choice {
                slug: topic.slug.clone(),
                name: topic.name.clone(),
                holds: holds(&topic.slug),
            })
            .collect(),
        disputed: disputes
            .iter()
            .map(|dispute| {
                let is = if dispute.should_hold {
                    "It is about"
                } else {
                    "It is not about"
                };
                format!("{is} {}. {}", name(&dispute.topic), dispute.reason)
            })
            .collect(),
        may_all: owner.must(May::All).is_ok(),
        line,
        form,
    })
}

/// The post is erased, for good.
async fn hide(visit: &Visit, owner: &Owner, post: &OwnPost, mut form: Form) -> Replied {
    owner.must(May::All)?;
    if !form.has("sure", "yes") {
        form.wrong(
            "sure",
            "Tick the box to say that you want this post to be erased here",
        );
        return Ok(Reply::mistaken(
            render(&visit.asked, owner, post, form, None).await?,
        ));
    }
    let keys = [post.key.as_str()];
    let receipt = visit
        .asked
        .store()
        .withdraw_entries(&keys, Cause::Author, &decision(&visit.asked))
        .await?;
    Ok(Reply::page(receipt_page(
        &visit.asked,
        &receipt,
        Some(owner.path()),
    )?))
}

/// What the author says of a topic, for the moderators.
async fn dispute(visit: &Visit, owner: &Owner, post: &OwnPost, mut form: Form) -> Replied {
    owner.must(May::Read)?;
    let topic = form.value("topic").to_owned();
    if visit.asked.site.topic(&topic).is_none() {
        form.wrong("topic", "Choose the topic that is wrong or lacking");
    }
    let reason = form.optional("reason", 400);
    let (Some(reason), true) = (reason, form.is_right()) else {
        return Ok(Reply::mistaken(
            render(&visit.asked, owner, post, form, None).await?,
        ));
    };
    let holds = post.topics.iter().any(|found| found.slug == topic);
    let now = visit.asked.state.now();
    let disputed = visit
        .asked
        .store()
        .dispute_topic(owner.slug(), &post.key, &topic, !holds, &reason, now)
        .await?;
    let words = match disputed {
        Disputed::Noted => "A moderator will look at it.",
        Disputed::Already => "It is like that already.",
        Disputed::NotTheirs => return Err(Failure::not_found("You have no such post here.")),
    };
    Ok(Reply::page(
        render(&visit.asked, owner, post, Form::default(), Some(words.to_owned())).await?,
    ))
}
