//! JSON Feed 1.1. What the format has no word for stands in the extension `_voice`.

use model::{Entry, Member, SafeHtml, Site, TopicMatch};
use serde::Serialize;

use crate::address::{blog, enclosures, media_type, original};
use crate::feed_info::{FeedInfo, NOTE};
use crate::instant::rfc3339;
use crate::json::json;

/// The feed as a JSON Feed. `entries` stand as given.
pub fn json_feed(info: &FeedInfo<'_>, entries: &[Entry]) -> String {
    json(&Document {
        version: "https://jsonfeed.org/version/1.1",
        title: &info.title,
        home_page_url: info.page(),
        feed_url: info.address("json"),
        description: Some(info.subtitle.as_str()).filter(|subtitle| !subtitle.is_empty()),
        user_comment: info.style.map(|_| NOTE.join(" ")),
        next_url: info.older("json"),
        language: &info.site.language,
        hubs: info
            .site
            .hub
            .iter()
            .map(|hub| Hub {
                kind: "WebSub",
                url: hub.as_str(),
            })
            .collect(),
        items: entries.iter().map(|entry| item(info.site, entry)).collect(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    title: &'a str,
    home_page_url: String,
    feed_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    /// For people who look at the file itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
    language: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hubs: Vec<Hub<'a>>,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Hub<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    url: &'a str,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    /// An item has one of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_html: Option<&'a SafeHtml>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_text: Option<&'a str>,
    summary: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    date_published: String,
    date_modified: String,
    authors: [Author<'a>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment<'a>>,
    #[serde(rename = "_voice")]
    voice: Voice<'a>,
}

#[derive(Serialize)]
struct Author<'a> {
    name: &'a str,
    url: String,
}

#[derive(Serialize)]
struct Attachment<'a> {
    url: &'a str,
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
}

/// Our extension: as the entry of the JSON export has them.
#[derive(Serialize)]
struct Voice<'a> {
    about: String,
    member: &'a Member,
    topics: &'a [TopicMatch],
    hashtags: &'a [String],
    licence: Option<&'a str>,
}

fn item<'a>(site: &'a Site, entry: &'a Entry) -> Item<'a> {
    Item {
        id: &entry.id,
        url: original(site, entry).into_owned(),
        title: entry.title.as_deref(),
        content_html: entry.content_html.as_ref(),
        content_text: entry.content_html.is_none().then_some(entry.summary.as_str()),
        summary: &entry.summary,
        image: entry
            .image
            .as_ref()
            .map(|image| image.url.as_str())
            .filter(|url| url.starts_with("https://")),
        date_published: rfc3339(entry.published),
        date_modified: rfc3339(entry.updated),
        authors: [Author {
            name: &entry.author,
            url: blog(site, &entry.member).into_owned(),
        }],
        tags: tags(site, entry),
        language: entry.language.as_deref(),
        attachments: enclosures(entry)
            .map(|enclosure| Attachment {
                url: &enclosure.url,
                mime_type: media_type(enclosure),
                size_in_bytes: enclosure.size_bytes,
            })
            .collect(),
        voice: Voice {
            about: site.absolute("/schemas/entries-1.json"),
            member: &entry.member,
            topics: &entry.topics,
            hashtags: &entry.hashtags,
            licence: entry.licence.as_deref(),
        },
    }
}

/// Topics by name, hashtags, and the feed's own categories, each word once whatever its case.
fn tags<'a>(site: &'a Site, entry: &'a Entry) -> Vec<&'a str> {
    let topics = entry
        .topics
        .iter()
        .filter_map(|topic| site.topic(&topic.slug))
        .map(|topic| topic.name.as_str());
    let own = entry.hashtags.iter().chain(&entry.categories).map(String::as_str);
    let mut tags: Vec<&str> = Vec::new();
    for tag in topics.chain(own) {
        if !tags
            .iter()
            .any(|known| known.to_lowercase() == tag.to_lowercase())
        {
            tags.push(tag);
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::json_feed;
    use crate::sample::{HOSTILE, enclosures, entry, hostile, info, site};

    #[test]
    fn every_promised_part_reads_back() {
        let site = site();
        let full = entry("aaaaaaaa");
        let feed: Value =
            serde_json::from_str(&json_feed(&info(&site), std::slice::from_ref(&full))).unwrap();
        assert_eq!(feed["version"], "https://jsonfeed.org/version/1.1");
        assert_eq!(feed["feed_url"], "https://voice.example.org/feed.json");
        assert_eq!(
            feed["hubs"],
            json!([{"type": "WebSub", "url": "https://hub.example.org/"}])
        );
        let item = &feed["items"][0];
        assert_eq!(item["id"], full.id.as_str());
        assert_eq!(item["url"], full.url.as_deref().unwrap());
        assert_eq!(item["content_html"], full.content_html.as_ref().unwrap().as_str());
        assert!(item.get("content_text").is_none());
        assert_eq!(
            item["tags"],
            json!(["Democracy", "localgovdigital", "Council meetings"])
        );
        assert_eq!(item["authors"][0]["name"], full.author.as_str());
        assert_eq!(item["_voice"]["member"]["slug"], "an-example-blog");
        assert_eq!(item["_voice"]["topics"][0]["slug"], "democracy");
        assert_eq!(item["date_modified"], "2015-02-04T10:00:00Z");
    }

    #[test]
    fn what_is_attached_has_a_type_and_a_size_that_is_known() {
        let site = site();
        let mut episode = entry("aaaaaaaa");
        episode.enclosures = enclosures();
        let entries = [episode, entry("bbbbbbbb"), hostile()];
        let feed: Value = serde_json::from_str(&json_feed(&info(&site), &entries)).unwrap();
        assert_eq!(
            feed["items"][0]["attachments"],
            json!([
                {
                    "url": "https://blog.example/files/episode.mp3?a=1&b=2",
                    "mime_type": "audio/mpeg",
                    "size_in_bytes": 24_986_239
                },
                {
                    "url": "https://blog.example/files/notes?a=1&b=2",
                    "mime_type": "application/octet-stream"
                }
            ])
        );
        for item in [1, 2] {
            assert!(feed["items"][item].get("attachments").is_none());
        }
    }

    #[test]
    fn excerpts_are_text_and_pictures_https() {
        let site = site();
        let mut bare = entry("bbbbbbbb");
        (bare.title, bare.content_html) = (None, None);
        bare.image = Some(model::Image {
            url: "http://example.org/a.png".to_owned(),
            alt: None,
        });
        let feed: Value = serde_json::from_str(&json_feed(&info(&site), &[bare, hostile()])).unwrap();
        let item = &feed["items"][0];
        assert!(
            item.get("title").is_none() && item.get("content_html").is_none() && item.get("image").is_none()
        );
        assert_eq!(item["content_text"], item["summary"]);
        assert_eq!(feed["items"][1]["title"], model::clean_text(HOSTILE).as_ref());
    }
}
