//! `/why?url=`: what became of a post, by its address. One answer, the true one, and what can be done about it.
//!
//! `/why.json` says the same to programs: `{"url","answer","because","entry"}`, where `answer` is one of the words of
//! [`Answer::word`].

use askama::Template;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use model::{Feed, FeedStatus, HealthState, Site, link_key};
use serde::Serialize;
use store::{Cause, EntryLookup, Trace};
use url::Url;

use super::page;
use super::shell::{Part, Shell};
use super::view::{Named, When, day_text, local_day};
use crate::asked::{Asked, Made};
use crate::document::{Document, Kind};
use crate::failure::Failure;
use crate::form::Form;
use crate::links;

/// The parameter: the post's address.
pub(crate) const PARAMETERS: &[&str] = &["url"];

/// What became of it.
struct Answer {
    /// In a word: `shown`, `dated_in_the_future`, `copy`, `left_out`, `withdrawn`, `hidden`, `deleted`, `waiting`,
    /// `not_taken_on`, `held`, `paused`, `left`, `gone`, `failing`, `older`, `not_in_the_feed`, `nobody`.
    word: &'static str,
    /// In a sentence.
    heading: String,
    /// Why, and what can be done.
    because: Vec<String>,
    /// Where there is more.
    more: Vec<Named>,
}

impl Answer {
    fn new(word: &'static str, heading: impl Into<String>, because: impl Into<String>) -> Self {
        Self {
            word,
            heading: heading.into(),
            because: vec![because.into()],
            more: Vec::new(),
        }
    }

    fn also(mut self, because: impl Into<String>) -> Self {
        self.because.push(because.into());
        self
    }

    fn see(mut self, name: impl Into<String>, path: impl Into<String>) -> Self {
        self.more.push(Named {
            name: name.into(),
            path: path.into(),
        });
        self
    }
}

#[derive(Template)]
#[template(path = "why.html")]
struct Why {
    shell: Shell,
    form: Form,
    answer: Option<Answer>,
}

/// `/why`
pub(crate) async fn why(asked: Asked) -> Made {
    let given = asked.parameters.get("url").unwrap_or_default().to_owned();
    let mut form = Form::filled([("url", given.as_str())]);
    let answer = match read(&given) {
        _ if given.is_empty() => None,
        Some(url) => Some(answer(&asked, &url).await?),
        None => {
            form.wrong(
                "url",
                "Enter the address of a post, such as https://example.org/2026/a-post",
            );
            None
        }
    };
    let title = match (&answer, form.is_right()) {
        (Some(answer), _) => answer.heading.clone(),
        (None, true) => "Why is my post here, or not?".to_owned(),
        (None, false) => "Error: Why is my post here, or not?".to_owned(),
    };
    let mut shell = Shell::new(&asked.site, Part::Elsewhere, Some(title));
    shell.unlisted = answer.is_some();
    page(&Why { shell, form, answer })
}

/// `/why.json`
pub(crate) async fn why_json(asked: Asked) -> Made {
    #[derive(Serialize)]
    struct Said<'a> {
        url: &'a str,
        answer: &'static str,
        because: String,
        more: Vec<String>,
    }
    let given = asked.parameters.get("url").unwrap_or_default().to_owned();
    let Some(url) = read(&given) else {
        return Err(Failure::parameter(
            "url",
            "must be the address of a post, with http:// or https://",
        ));
    };
    let answer = answer(&asked, &url).await?;
    let said = Said {
        url: url.as_str(),
        answer: answer.word,
        because: format!(
            "{}. {}",
            answer.heading.trim_end_matches('.'),
            answer.because.join(" ")
        ),
        more: answer
            .more
            .iter()
            .map(|more| asked.site.absolute(&more.path))
            .collect(),
    };
    let json = serde_json::to_string(&said).map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(Document::new(Kind::Json, json))
}

/// The address that somebody typed, perhaps without its beginning.
fn read(given: &str) -> Option<Url> {
    let whole = if given.contains("://") {
        given.to_owned()
    } else {
        format!("https://{given}")
    };
    let url = Url::parse(&whole).ok()?;
    let is_host = url
        .host_str()
        .is_some_and(|host| host.contains('.') || host == "localhost");
    // What stands before an "@" is somebody's name: that is an e-mail address, or a trick.
    let is_web = matches!(url.scheme(), "http" | "https") && url.username().is_empty();
    (is_web && is_host).then_some(url)
}

async fn answer(asked: &Asked, url: &Url) -> Result<Answer, Failure> {
    let (site, store) = (&asked.site, asked.store());
    // One of our own addresses stands for the post that it is of.
    let own = Url::parse(&site.url).ok();
    let ours = own.filter(|own| own.host_str() == url.host_str());
    if let Some(key) = ours.and_then(|_| url.path().strip_prefix("/entries/")) {
        return Ok(match store.entry(key.trim_end_matches('/')).await? {
            EntryLookup::Found(entry) => match entry.url.as_deref().and_then(|url| Url::parse(url).ok()) {
                Some(original) => of(store.trace(&original).await?, &original, site, asked.state.now()),
                None => Answer::new(
                    "shown",
                    "This post is here",
                    format!("It has been here since {}.", day(entry.released, site)),
                ),
            },
            EntryLookup::Withdrawn { at } => Answer::new(
                "withdrawn",
                "This post was withdrawn",
                format!(
                    "It left on {}, and none of its text is kept. Ask with the post’s own address to learn by whom.",
                    day(at, site)
                ),
            ),
            EntryLookup::Unknown => Answer::new(
                "nobody",
                "No post has this address",
                "There never was a post of this address here. Ask with the address of the post on its own blog.",
            ),
        });
    }
    Ok(of(store.trace(url).await?, url, site, asked.state.now()))
}

fn day(at: DateTime<Utc>, site: &Site) -> String {
    day_text(local_day(at, site))
}

/// What a trace means.
fn of(trace: Trace, url: &Url, site: &Site, now: DateTime<Utc>) -> Answer {
    match trace {
        Trace::Shown { entry, dated } => {
            let since = day(entry.released, site);
            let answer = match dated.filter(|dated| *dated > now) {
                Some(dated) => Answer::new("dated_in_the_future", "This post is here", format!(
                    "Its feed dates it in the future, on {}. It stands where it arrived, on {since}, so that it is not on \
                     top until then.",
                    day(dated, site)
                ))
                .also("Correct its date if that is a mistake; its place here stays."),
                None => Answer::new("shown", "This post is here", format!(
                    "It has been here since {since}, in the posts of {}.", entry.member.name
                )),
            };
            answer
                .see(format!("{}, as it stands here", entry.heading()), links::entry(&entry.key))
                .see(entry.member.name.clone(), links::member(&entry.member.slug))
        }
        Trace::Copy { of, copy } => Answer::new("copy", "This post is here, under another address", format!(
            "The feed of {} has the same post as that of {}: their links are the same. It stands once, and names both.",
            copy.member.name, of.member.name
        ))
        .see(of.heading(), links::entry(&of.key)),
        Trace::LeftOut { entry } => Answer::new("left_out", "This post was left out", format!(
            "{} takes part with tagged posts alone, and this one has none of our topics and no hashtag of the network.",
            entry.member.name
        ))
        .also(format!(
            "We looked for {} and for {}.",
            listed(site.network_hashtags.iter().map(|tag| format!("#{tag}"))),
            listed(site.topics.iter().map(|topic| topic.name.clone()))
        ))
        .also("Add a hashtag of the network to the post, or write to a moderator, who can give it a topic.")
        .see("Topics, and how they are found", "/topics"),
        Trace::Withdrawn { cause, since, why, .. } => withdrawn(cause, &day(since, site), why),
        Trace::Blog { feed, oldest, decided_why } => of_blog(&feed, oldest, decided_why, url, site, now),
        Trace::Nobody => Answer::new(
            "nobody",
            "No member’s blog has this address",
            "We read only the blogs of members. If this one is yours, it can be here too.",
        )
        .see("Add your blog", "/register")
        .see("Members", "/members"),
    }
}

fn withdrawn(cause: Cause, since: &str, why: Option<String>) -> Answer {
    match cause {
        Cause::Author => Answer::new(
            "withdrawn",
            "This post was withdrawn",
            format!(
                "Its author took it back on {since}. None of its text is kept, and it is not taken again."
            ),
        ),
        Cause::Left => Answer::new(
            "withdrawn",
            "This post was withdrawn",
            format!("Its author left on {since} and took everything back. None of it is kept."),
        ),
        Cause::Moderator | Cause::Rejected => {
            let answer = Answer::new(
                "hidden",
                "A moderator hid this post",
                format!("It was hidden on {since}, and none of its text is kept."),
            );
            match why {
                Some(why) => answer.also(format!("The reason: {}", why.trim())),
                None => answer,
            }
        }
        Cause::Source => Answer::new(
            "deleted",
            "This post was deleted at the source",
            format!(
                "It had left its feed, and its own address no longer answered, so it left here too on {since}. None of its \
                 text is kept."
            ),
        ),
    }
}

/// Why a post is not here whose blog is known.
fn of_blog(
    feed: &Feed,
    oldest: Option<DateTime<Utc>>,
    decided_why: Option<String>,
    url: &Url,
    site: &Site,
    now: DateTime<Utc>,
) -> Answer {
    let name = &feed.member.name;
    let health = feed.health(site.timezone, now);
    let page = |answer: Answer| {
        answer.see(
            format!("{name}, and how the feed fares"),
            links::member(&feed.member.slug),
        )
    };
    let not_here = "This post is not here";
    match feed.status {
        FeedStatus::Pending => {
            return Answer::new(
                "waiting",
                not_here,
                "The blog of this address asked to join and waits for a moderator’s approval. Its posts come with that.",
            );
        }
        FeedStatus::Rejected => {
            return Answer::new(
                "not_taken_on",
                not_here,
                "A moderator did not take on the blog of this address. Its blogger reads why on their own page.",
            );
        }
        FeedStatus::Paused | FeedStatus::Retired | FeedStatus::Gone => {
            let word = match feed.status {
                FeedStatus::Paused => "paused",
                FeedStatus::Retired => "left",
                _ => "gone",
            };
            let answer = Answer::new(
                word,
                not_here,
                format!("It is of {name}, whose feed is not read now. {}", health.reason),
            );
            return page(match decided_why {
                Some(why) => answer.also(format!("The reason: {}", why.trim())),
                None => answer,
            });
        }
        FeedStatus::Active => {}
    }
    if health.state == HealthState::Held {
        return page(Answer::new(
            "held",
            not_here,
            format!(
                "What is new in the feed of {name} is held until a moderator has looked. {}",
                health.reason
            ),
        ));
    }
    let Some(looked) = feed.last_success_at else {
        return page(Answer::new(
            "waiting",
            not_here,
            format!("It is of {name}. {}", health.reason),
        ));
    };
    if feed.failing_since.is_some() {
        return page(Answer::new(
            "failing",
            not_here,
            format!(
                "It was not in the feed of {name} when we last read it, on {}; since then we cannot. {}",
                day(looked, site),
                health.reason
            ),
        ));
    }
    let oldest = oldest.map(|oldest| local_day(oldest, site));
    if let (Some(written), Some(oldest)) = (date_in(url), oldest)
        && written < oldest
    {
        return page(Answer::new(
            "older",
            not_here,
            format!(
                "By its address it is older than anything that the feed of {name} held when they joined: the oldest post in it \
             was of {}. Feeds hold the last posts alone, and what has left them is not found.",
                day_text(oldest)
            ),
        ));
    }
    let is_blog = [feed.member.url.as_deref(), Some(feed.url.as_str())]
        .into_iter()
        .flatten()
        .any(|blog| Url::parse(blog).is_ok_and(|blog| link_key(&blog) == link_key(url)));
    if is_blog {
        return page(Answer::new(
            "not_in_the_feed",
            "This is a blog, not a post",
            format!("It is the blog of {name}. Ask with the address of one of its posts."),
        ));
    }
    let answer = Answer::new("not_in_the_feed", not_here, format!(
        "When we last read the feed of {name}, on {}, there was no post with this address in it, or it had neither a title \
         nor words.",
        When::minute(looked, site).text
    ))
    .also(format!("We look again from {} on.", When::minute(feed.next_poll_at, site).text));
    page(match oldest {
        Some(oldest) => answer.also(format!(
            "What was published before {} had left the feed when they joined, and is not found.",
            day_text(oldest)
        )),
        None => answer,
    })
}

/// The day that a path names, as those of many blogs do (`/2015/02/09/…`, `/2015/02/…`): the last that it can mean.
fn date_in(url: &Url) -> Option<NaiveDate> {
    let mut numbers = url.path_segments()?.map(|segment| segment.parse::<u32>().ok());
    let year = loop {
        if let Some(year @ 1990..=2100) = numbers.next()? {
            break year as i32;
        }
    };
    let month = numbers.next().flatten().filter(|month| (1..=12).contains(month));
    let Some(month) = month else {
        return NaiveDate::from_ymd_opt(year, 12, 31);
    };
    match numbers
        .next()
        .flatten()
        .and_then(|day| NaiveDate::from_ymd_opt(year, month, day))
    {
        Some(day) => Some(day),
        None => NaiveDate::from_ymd_opt(year, month, 1)?
            .checked_add_months(chrono::Months::new(1))?
            .pred_opt()
            .filter(|day| day.month() == month),
    }
}

/// A list in a sentence.
fn listed(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_addresses() {
        for (path, day) in [
            ("/2015/02/09/a-post", Some("2015-02-09")),
            ("/blog/2015/02/a-post", Some("2015-02-28")),
            ("/2015/a-post", Some("2015-12-31")),
            ("/2015/02/31/", Some("2015-02-28")),
            ("/a-post", None),
            ("/15/02/09", None),
        ] {
            let url = Url::parse(&format!("https://example.org{path}")).unwrap();
            assert_eq!(date_in(&url), day.map(|day| day.parse().unwrap()), "{path}");
        }
    }

    #[test]
    fn what_people_type_is_an_address() {
        assert_eq!(read("example.org/a").unwrap().as_str(), "https://example.org/a");
        assert_eq!(
            read("http://example.org").unwrap().as_str(),
            "http://example.org/"
        );
        for bad in [
            "javascript:alert(1)",
            "a post",
            "ftp://example.org/",
            "https://",
            "mailto:a@example.org",
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
