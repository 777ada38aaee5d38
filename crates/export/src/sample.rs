//! What the tests write: a site, a member and entries, one of them hostile.

use chrono::{DateTime, Utc};
use model::{
    Enclosure, Entry, Evidence, EvidencePlace, Image, Member, MemberKind, Pictures, SafeHtml, Site, Topic,
    TopicMatch, TopicRules, TopicSource,
};

use crate::feed_info::FeedInfo;

/// Everything that breaks careless writers, with nothing at its ends that is trimmed.
pub(crate) const HOSTILE: &str = "=a\u{0}\u{8}b\u{85}\u{FFFE} ]]> <script>alert(\"1\")</script> & &amp; 'q'\n\
    # h 1. *b* _e_ [l](javascript:x) `c` 😀 \\";

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn topic(slug: &str, name: &str, parent: Option<&str>) -> Topic {
    Topic {
        slug: slug.to_owned(),
        name: name.to_owned(),
        description: String::new(),
        parent: parent.map(str::to_owned),
        rules: TopicRules::default(),
    }
}

pub(crate) fn site() -> Site {
    Site {
        title: "Example Voice".to_owned(),
        subtitle: "What example blogs write".to_owned(),
        url: "https://voice.example.org".to_owned(),
        language: "en-GB".to_owned(),
        timezone: chrono_tz::Europe::London,
        contact: "https://voice.example.org/about".to_owned(),
        email: None,
        pictures: Pictures::Origin,
        ai_training: false,
        hub: Some("https://hub.example.org/".parse().unwrap()),
        network_hashtags: vec!["localgovdigital".to_owned()],
        hashtag_groups: Vec::new(),
        topics: vec![
            topic("democracy", "Democracy", None),
            topic("meetings", "Council meetings online", Some("democracy")),
            topic("data", "Data", None),
        ]
        .into(),
        digest_schedule: "0 0 7 * * Mon".to_owned(),
        digest_late_days: 28,
    }
}

pub(crate) fn info(site: &Site) -> FeedInfo<'_> {
    FeedInfo {
        site,
        title: site.title.clone(),
        subtitle: site.subtitle.clone(),
        path: "/feed".to_owned(),
        html_path: "/".to_owned(),
        updated: at("2015-02-08T12:00:00Z"),
        archive: None,
        withdrawn: Vec::new(),
        style: Some("/feed.css"),
    }
}

pub(crate) fn member(slug: &str) -> Member {
    Member {
        slug: slug.to_owned(),
        name: "An example blog".to_owned(),
        organisation: Some("Example Council".to_owned()),
        url: Some("https://blog.example/".to_owned()),
        kind: MemberKind::Team,
    }
}

pub(crate) fn found(slug: &str, score: f64) -> TopicMatch {
    TopicMatch {
        slug: slug.to_owned(),
        score,
        by: TopicSource::Rule,
        why: vec![Evidence {
            place: EvidencePlace::Title,
            text: "council".to_owned(),
        }],
    }
}

pub(crate) fn entry(key: &str) -> Entry {
    Entry {
        key: key.to_owned(),
        id: format!("tag:voice.example.org,2015:{key}"),
        url: Some(format!("https://blog.example/{key}?a=1&b=2")),
        title: Some("Hello & <welcome>".to_owned()),
        summary: "What we learned when the council let everybody speak at its meetings.".to_owned(),
        content_html: Some(SafeHtml::vouched(
            "<p>Whole &amp; <em>sound</em> ]]&gt;</p>".to_owned(),
        )),
        author: "An example author".to_owned(),
        member: member("an-example-blog"),
        feed_url: "https://blog.example/feed".to_owned(),
        also_in: Vec::new(),
        published: at("2015-02-03T09:30:00Z"),
        updated: at("2015-02-04T10:00:00Z"),
        released: at("2015-02-03T10:00:00Z"),
        arrived: at("2015-02-03T10:00:00Z"),
        language: Some("en".to_owned()),
        words: 812,
        topics: vec![found("democracy", 0.93)],
        hashtags: vec!["localgovdigital".to_owned()],
        categories: vec!["Council meetings".to_owned()],
        image: None,
        enclosures: Vec::new(),
        licence: None,
        changed: at("2015-02-04T10:00:00Z"),
    }
}

/// An episode of which all is known, and a file of which nothing is.
pub(crate) fn enclosures() -> Vec<Enclosure> {
    let url = |name: &str| format!("https://blog.example/files/{name}?a=1&b=2");
    vec![
        Enclosure {
            url: url("episode.mp3"),
            media_type: Some("audio/mpeg".to_owned()),
            size_bytes: Some(24_986_239),
        },
        Enclosure {
            url: url("notes"),
            media_type: None,
            size_bytes: None,
        },
    ]
}

/// An entry whose every text is [`HOSTILE`].
pub(crate) fn hostile() -> Entry {
    let mut entry = entry("hhhhhhhh");
    entry.title = Some(HOSTILE.to_owned());
    entry.summary = HOSTILE.to_owned();
    entry.author = HOSTILE.to_owned();
    entry.member.slug = "hostile".to_owned();
    entry.member.name = HOSTILE.to_owned();
    entry.member.organisation = Some(HOSTILE.to_owned());
    entry.categories = vec![HOSTILE.to_owned()];
    entry.licence = Some(HOSTILE.to_owned());
    entry.content_html = None;
    entry.image = Some(Image {
        url: "https://blog.example/a.png".to_owned(),
        alt: Some(HOSTILE.to_owned()),
    });
    entry.enclosures = vec![Enclosure {
        url: "javascript:alert(1)".to_owned(),
        media_type: None,
        size_bytes: None,
    }];
    entry.topics[0].why[0].text = HOSTILE.to_owned();
    entry
}

/// The keys of a JSON object in the order in which they were written.
pub(crate) fn keys(json: &str) -> Vec<String> {
    struct Keys(Vec<String>);
    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
            while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                self.0.push(key);
            }
            Ok(self.0)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    serde::Deserializer::deserialize_map(&mut reader, Keys(Vec::new())).unwrap()
}
