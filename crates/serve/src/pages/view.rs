//! An entry as pages show it: in a list, grouped by day.

use chrono::{DateTime, NaiveDate, Utc};
use model::{Entry, Evidence, Pictures, Site, reading_minutes};
use store::{Conversation, Voiced};

use crate::links;

/// A link of ours with its words.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) path: String,
}

/// An instant, for people and for machines.
pub(super) struct When {
    pub(super) text: String,
    pub(super) machine: String,
}

impl When {
    /// The day on which `at` lies, seen from the site's zone.
    pub(super) fn day(at: DateTime<Utc>, site: &Site) -> Self {
        Self {
            text: day_text(local_day(at, site)),
            machine: machine(at),
        }
    }

    /// Day and time of day, with the zone's short name.
    pub(super) fn minute(at: DateTime<Utc>, site: &Site) -> Self {
        let local = at.with_timezone(&site.timezone);
        Self {
            text: local.format("%-d %B %Y, %H:%M %Z").to_string(),
            machine: machine(at),
        }
    }
}

fn machine(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

pub(super) fn local_day(at: DateTime<Utc>, site: &Site) -> NaiveDate {
    at.with_timezone(&site.timezone).date_naive()
}

pub(super) fn day_text(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}

/// A picture that a page may load.
pub(super) struct Picture {
    pub(super) url: String,
    pub(super) alt: Option<String>,
}

/// An entry in a list.
pub(super) struct Item {
    pub(super) heading: String,
    /// The original; `None` if the feed gives no link that a page may carry.
    pub(super) original: Option<String>,
    /// Our own page about it.
    pub(super) page: String,
    pub(super) member: Named,
    pub(super) organisation: Option<String>,
    /// Where the post names somebody else than the member.
    pub(super) author: Option<String>,
    pub(super) published: When,
    pub(super) minutes: u32,
    pub(super) topics: Vec<Named>,
    pub(super) summary: String,
    /// Only where it is not the language of the page.
    pub(super) language: Option<String>,
    pub(super) picture: Option<Picture>,
    pub(super) also_in: Vec<Named>,
    /// What else there is to say, in a few words each.
    pub(super) notes: Vec<String>,
    /// Whether the date has to be said, where a heading does not say it already.
    pub(super) dated: bool,
    /// Whether our own page about it shows all of it.
    pub(super) whole: bool,
    /// Whom it links to and who links to it.
    pub(super) talk: Vec<Talk>,
}

/// Another member's post that this one links to, or that links to this one.
pub(super) struct Talk {
    pub(super) words: &'static str,
    pub(super) heading: String,
    pub(super) page: String,
    pub(super) member: Named,
    /// Only where it is not the language of the page.
    pub(super) language: Option<String>,
}

impl Talk {
    /// What is said of the entry with this key in these conversations: first whom it links to.
    pub(super) fn of(key: &str, conversations: &[Conversation], site: &Site) -> Vec<Self> {
        let to = conversations.iter().filter(|pair| pair.from.key == key);
        let from = conversations.iter().filter(|pair| pair.to.key == key);
        to.map(|pair| Self::new("Links to", &pair.to, site))
            .chain(from.map(|pair| Self::new("Linked from", &pair.from, site)))
            .collect()
    }

    fn new(words: &'static str, post: &Voiced, site: &Site) -> Self {
        Self {
            words,
            heading: post.heading.clone(),
            page: links::entry(&post.key),
            member: Named {
                name: post.member.name.clone(),
                path: links::member(&post.member.slug),
            },
            language: foreign_language(post.language.as_deref(), site),
        }
    }
}

impl Item {
    pub(super) fn new(entry: &Entry, site: &Site) -> Self {
        let member = |member: &model::Member| Named {
            name: member.name.clone(),
            path: links::member(&member.slug),
        };
        Self {
            heading: entry.heading(),
            original: entry.url.as_deref().and_then(links::web_address),
            page: links::entry(&entry.key),
            member: member(&entry.member),
            organisation: entry.member.organisation.clone(),
            author: other_author(&entry.author, &entry.member.name),
            published: When::day(entry.published, site),
            minutes: reading_minutes(entry.words),
            topics: entry
                .topics
                .iter()
                .filter_map(|found| site.topic(&found.slug))
                .map(|topic| Named {
                    name: topic.name.clone(),
                    path: links::topic(&topic.slug),
                })
                .collect(),
            // A post without a title is headed by its first words; if they are all, nobody reads them twice.
            summary: Some(entry.summary.clone())
                .filter(|text| *text != entry.heading())
                .unwrap_or_default(),
            language: foreign_language(entry.language.as_deref(), site),
            picture: picture(entry, site),
            also_in: entry.also_in.iter().map(|also| member(&also.member)).collect(),
            notes: Vec::new(),
            dated: true,
            whole: entry.content_html.is_some(),
            talk: Vec::new(),
        }
    }
}

/// The author where it is somebody else than the member, however the name is spelt.
pub(super) fn other_author(author: &str, member: &str) -> Option<String> {
    let letters = |name: &str| {
        let letters = name.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect::<String>()
    };
    Some(author.to_owned()).filter(|author| letters(author) != letters(member))
}

/// The entry's language where a page has to say it: `en` on a page in `en-GB` needs no word.
pub(super) fn foreign_language(language: Option<&str>, site: &Site) -> Option<String> {
    let primary = |tag: &str| {
        tag.split(['-', '_'])
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    language
        .filter(|language| !language.is_empty() && primary(language) != primary(&site.language))
        .map(str::to_owned)
}

pub(super) fn picture(entry: &Entry, site: &Site) -> Option<Picture> {
    let image = entry
        .image
        .as_ref()
        .filter(|_| site.pictures == Pictures::Origin)?;
    let url = links::picture_address(&image.url)?;
    Some(Picture {
        url,
        alt: image.alt.clone().filter(|alt| !alt.trim().is_empty()),
    })
}

/// The evidence without what stands within longer words of the same place: "GOV.UK Notify" says it for "Notify", too.
pub(super) fn longest(why: &[Evidence]) -> impl Iterator<Item = &Evidence> {
    why.iter().filter(|one| {
        let mut of_place = why.iter().filter(|other| other.place == one.place);
        !of_place.any(|other| stands_within(&one.text, &other.text))
    })
}

/// Whether words stand among longer ones, as whole words.
fn stands_within(words: &str, longer: &str) -> bool {
    let (words, longer) = (words.to_lowercase(), longer.to_lowercase());
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    words.len() < longer.len()
        && longer.match_indices(&words).any(|(at, _)| {
            let (before, behind) = (&longer[..at], &longer[at + words.len()..]);
            !is_word(before.chars().next_back()) && !is_word(behind.chars().next())
        })
}

/// The words that earned a topic, `most` of them at most, each once wherever and however often it stands.
pub(super) fn words_of(why: &[Evidence], most: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for Evidence { text, .. } in longest(why) {
        let is_new = words
            .iter()
            .all(|word| word.to_lowercase() != text.to_lowercase());
        if is_new && words.len() < most {
            words.push(text.clone());
        }
    }
    words
}

/// The entries that were released on one day.
pub(super) struct Day {
    pub(super) machine: String,
    pub(super) number: String,
    pub(super) weekday: String,
    pub(super) month: String,
    pub(super) items: Vec<Item>,
}

/// Neighbouring entries of one day together, in the order given, with what is said of them in these conversations.
pub(super) fn by_day(entries: &[Entry], conversations: &[Conversation], site: &Site) -> Vec<Day> {
    entries
        .chunk_by(|a, b| local_day(a.released, site) == local_day(b.released, site))
        .map(|entries| {
            let day = local_day(entries[0].released, site);
            Day {
                machine: day.to_string(),
                number: day.format("%-d").to_string(),
                weekday: day.format("%A").to_string(),
                month: day.format("%B %Y").to_string(),
                items: entries
                    .iter()
                    .map(|entry| Item {
                        dated: local_day(entry.published, site) != day,
                        talk: Talk::of(&entry.key, conversations, site),
                        ..Item::new(entry, site)
                    })
                    .collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use model::EvidencePlace;

    use super::*;

    #[test]
    fn words_that_earned_a_topic_are_said_once() {
        let why = [
            (EvidencePlace::Title, "Councillors"),
            (EvidencePlace::Body, "councillors"),
            (EvidencePlace::Body, "vote"),
            (EvidencePlace::Hashtag, "ballot"),
        ];
        let why = why.map(|(place, text)| Evidence {
            place,
            text: text.to_owned(),
        });
        assert_eq!(words_of(&why, 2), ["Councillors", "vote"]);
        assert_eq!(words_of(&why, 9).len(), 3);
    }

    #[test]
    fn of_words_within_words_the_longest_are_said() {
        let shown = |why: &[(EvidencePlace, &str)]| -> Vec<String> {
            let why: Vec<Evidence> = (why.iter())
                .map(|&(place, text)| Evidence {
                    place,
                    text: text.to_owned(),
                })
                .collect();
            longest(&why).map(|one| one.text.clone()).collect()
        };
        let (title, body) = (EvidencePlace::Title, EvidencePlace::Body);
        let one_place = [(body, "notify"), (body, "GOV.UK Notify"), (body, "GOV")];
        assert_eq!(shown(&one_place), ["GOV.UK Notify"]);
        let others = [
            (title, "Notify"),
            (body, "GOV.UK Notify"),
            (body, "not"),
            (body, "fy"),
        ];
        assert_eq!(shown(&others).len(), 4, "another place, and parts of words");
        let overlapping = [(body, "open data"), (body, "data standards"), (body, "Data")];
        assert_eq!(shown(&overlapping), ["open data", "data standards"]);
    }
}
