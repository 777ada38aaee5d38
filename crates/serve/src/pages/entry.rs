//! One entry: what we hold of it, where it came from, and why it has its topics.

use askama::Template;
use model::{Enclosure, EvidencePlace, SafeHtml, Site, TopicSource};
use store::EntryLookup;

use super::fares::size;
use super::page;
use super::post::within_the_page;
use super::shell::{Part, Shell};
use super::view::{Item, Named, Talk, When, longest};
use crate::asked::{Asked, Made};
use crate::failure::Failure;
use crate::links;

/// A topic and the words that earned it.
struct Reason {
    name: String,
    path: Option<String>,
    by_hand: bool,
    /// Whether its author says that it does not fit.
    disputed: bool,
    percent: u32,
    why: Vec<Words>,
}

/// Words of the post and where they stand.
struct Words {
    place: &'static str,
    text: String,
}

/// A hashtag, and whether it is one by which the network knows its own.
struct Tag {
    link: Named,
    is_ours: bool,
}

/// A file that is attached: where it lies, what it is called there, and what is known of it.
struct Attached {
    address: String,
    name: String,
    about: Vec<String>,
}

impl Attached {
    fn of(enclosure: &Enclosure) -> Option<Self> {
        let address = links::web_address(&enclosure.url)?;
        let path = address.split(['?', '#']).next().unwrap_or_default();
        let name = path.rsplit('/').find(|piece| !piece.is_empty()).unwrap_or(path);
        Some(Self {
            name: name.to_owned(),
            about: (enclosure.media_type.clone().into_iter())
                .chain(enclosure.size_bytes.map(size))
                .collect(),
            address,
        })
    }
}

#[derive(Template)]
#[template(path = "entry.html")]
struct EntryPage {
    shell: Shell,
    item: Item,
    has_title: bool,
    updated: When,
    released: When,
    arrived: When,
    words: u32,
    language: Option<String>,
    reasons: Vec<Reason>,
    /// Topics that its author misses.
    missed: Vec<String>,
    hashtags: Vec<Tag>,
    categories: Vec<String>,
    attached: Vec<Attached>,
    licence: Option<String>,
    licence_link: Option<String>,
    key: String,
    /// The whole post, where its author agreed to that: out of the sanitiser, its headings moved.
    post: Option<String>,
}

/// `/entries/{key}`
pub(crate) async fn entry(asked: Asked) -> Made {
    let entry = match asked.store().entry(&asked.name).await? {
        EntryLookup::Found(entry) => entry,
        EntryLookup::Withdrawn { .. } => return Err(Failure::Gone),
        EntryLookup::Unknown => {
            return Err(Failure::not_found(
                "There is no such post. /search finds those that there are.",
            ));
        }
    };
    let disputes = asked.store().disputes_of(&entry.key).await?;
    let site = &asked.site;
    let conversations = asked.store().conversations(&[&entry.key]).await?;
    let mut item = Item {
        talk: Talk::of(&entry.key, &conversations, site),
        ..Item::new(&entry, site)
    };
    // Nobody looks at the same picture twice.
    item.picture = item.picture.filter(|picture| {
        let address = picture.url.replace('&', "&amp;");
        let shown = |post: &SafeHtml| post.as_str().contains(&address);
        !entry.content_html.as_ref().is_some_and(shown)
    });
    let mut shell = Shell::new(site, Part::Elsewhere, Some(item.heading.clone()));
    shell.description = format!("{} – what {} holds of this post", item.member.name, site.title);
    shell.unlisted = entry.content_html.is_some();
    shell.canonical = item.original.clone().filter(|_| shell.unlisted);
    page(&EntryPage {
        shell,
        has_title: entry.title.is_some(),
        updated: When::minute(entry.updated, site),
        released: When::minute(entry.released, site),
        arrived: When::minute(entry.arrived, site),
        words: entry.words,
        language: entry.language.clone(),
        reasons: entry
            .topics
            .iter()
            .map(|found| Reason {
                name: topic_name(site, &found.slug),
                path: site.topic(&found.slug).map(|topic| links::topic(&topic.slug)),
                by_hand: found.by == TopicSource::Moderator,
                disputed: disputes.iter().any(|dispute| dispute.topic == found.slug),
                percent: (found.score.clamp(0.0, 1.0) * 100.0).round() as u32,
                why: longest(&found.why)
                    .map(|evidence| Words {
                        place: match evidence.place {
                            EvidencePlace::Title => "in the title",
                            EvidencePlace::Body => "in the text",
                            EvidencePlace::Category => "as a category",
                            EvidencePlace::Hashtag => "as a hashtag",
                        },
                        text: evidence.text.clone(),
                    })
                    .collect(),
            })
            .collect(),
        missed: disputes
            .iter()
            .filter(|dispute| dispute.should_hold)
            .map(|dispute| topic_name(site, &dispute.topic))
            .collect(),
        hashtags: entry
            .hashtags
            .iter()
            .map(|tag| Tag {
                link: Named {
                    name: format!("#{tag}"),
                    path: links::hashtag(tag),
                },
                is_ours: site.network_hashtags.contains(tag),
            })
            .collect(),
        categories: entry.categories.clone(),
        attached: entry.enclosures.iter().filter_map(Attached::of).collect(),
        licence_link: entry.licence.as_deref().and_then(links::web_address),
        licence: entry.licence.clone(),
        key: entry.key.clone(),
        post: entry.content_html.as_ref().map(within_the_page),
        item,
    })
}

/// What people call a topic; one that the site no longer knows goes by its slug.
fn topic_name(site: &Site, slug: &str) -> String {
    site.topic(slug)
        .map_or_else(|| slug.to_owned(), |topic| topic.name.clone())
}
