//! The site itself: what it is called, where it stands, how the network knows its own.

use chrono_tz::Tz;
use url::Url;

use crate::{Topic, Topics};

/// What the operator says of the site (`[site]`, `[network]` and the other sections that outputs show).
#[derive(Debug, Clone)]
pub struct Site {
    /// The site's title.
    pub title: String,
    /// One line under the title.
    pub subtitle: String,
    /// The public address, with no slash at its end: `https://voice.example.org`.
    pub url: String,
    /// The language of the pages, BCP 47.
    pub language: String,
    /// The zone of weeks, digests, days on pages and dates without a zone.
    pub timezone: Tz,
    /// Where a publisher reaches the operator; stands in the User-Agent.
    pub contact: String,
    /// An address shown on `/about` and `/privacy`.
    pub email: Option<String>,
    /// Whether pages show the posts' pictures.
    pub pictures: Pictures,
    /// Whether crawlers may train models on what is here.
    pub ai_training: bool,
    /// The WebSub hub that feeds name.
    pub hub: Option<Url>,
    /// The hashtags by which the network knows its own, lower case, without `#`.
    pub network_hashtags: Vec<String>,
    /// Hashtags gathered on one page.
    pub hashtag_groups: Vec<HashtagGroup>,
    /// What posts may be about.
    pub topics: Topics,
    /// The digest's cron line, in the site's zone: when the week that ended is closed.
    pub digest_schedule: String,
    /// How many days after its publication an entry may arrive and still enter a digest.
    pub digest_late_days: u32,
}

impl Site {
    /// An absolute address on this site; `path` begins with a slash.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The host of the public address, as it stands in `tag:` identifiers.
    pub fn host(&self) -> String {
        Url::parse(&self.url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_else(|| "localhost".to_owned())
    }

    /// The topic with this slug.
    pub fn topic(&self, slug: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.slug == slug)
    }

    /// The raw hashtags gathered under `tag`: the tag itself and what its group names. A pattern may end in `*`.
    pub fn hashtag_patterns(&self, tag: &str) -> Vec<String> {
        let mut patterns = vec![tag.to_owned()];
        for group in self.hashtag_groups.iter().filter(|group| group.tag == tag) {
            patterns.extend(group.also.iter().cloned());
        }
        patterns
    }
}

/// `[[hashtag]]`: raw tags gathered on one page and in one feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashtagGroup {
    /// The tag that names the page.
    pub tag: String,
    /// The tags gathered with it; each may end in `*`.
    pub also: Vec<String>,
}

/// Whether pages show the posts' pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pictures {
    /// From where they lie.
    Origin,
    /// Not at all.
    Off,
}
