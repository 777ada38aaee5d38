//! What the Voice makes of a blog or a feed, with nothing stored: the answer to "what would readers see?".

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fetch::{FetchOutcome, Fetcher, Hop};
use model::{EntryDraft, Validators};
use normalize::problem::{Kind, NOT_A_FEED, UNREACHABLE, UNREADABLE};
use normalize::{Candidate, Document, Format, Problem, ReadError, Source, Tagger};
use serde::Serialize;
use url::Url;

use crate::reading::off_the_network;

/// How many of the feeds that a page names are tried.
const MOST_TRIED: usize = 5;

/// What is to be checked.
#[derive(Debug, Clone)]
pub enum CheckSource {
    /// A web page or a feed.
    Address(Url),
    /// A file.
    File(PathBuf),
    /// Bytes that were handed in.
    Bytes(Vec<u8>),
}

/// The report on one source (contract section 4).
#[derive(Debug, Clone)]
pub struct CheckReport {
    /// The source as it was named.
    pub source: String,
    /// Where the feed was found in the end.
    pub url: Option<String>,
    /// Its format; `None` if it is no feed.
    pub format: Option<Format>,
    /// The feed's title.
    pub title: Option<String>,
    /// The blog.
    pub site: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// Feeds that the page names, the one that was read marked.
    pub candidates: Vec<CheckedCandidate>,
    /// What is wrong, and what the blogger can do; the worst first.
    pub problems: Vec<Problem>,
    /// In the feed's own order.
    pub entries: Vec<EntryDraft>,
    /// The requests that were made.
    pub hops: Vec<Hop>,
}

/// A feed that a page names.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedCandidate {
    /// The feed.
    #[serde(flatten)]
    pub candidate: Candidate,
    /// Whether it is the one that was read.
    pub chosen: bool,
}

impl CheckReport {
    /// Whether the source turned out to be, or to lead to, a feed.
    pub fn is_feed(&self) -> bool {
        self.format.is_some()
    }

    /// The report on a source that gave nothing; the message says why.
    pub(crate) fn unreachable(source: &str, message: String) -> Self {
        let mut report = Self::about(source);
        report.error(&UNREACHABLE, message);
        report
    }

    fn about(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            url: None,
            format: None,
            title: None,
            site: None,
            language: None,
            candidates: Vec::new(),
            problems: Vec::new(),
            entries: Vec::new(),
            hops: Vec::new(),
        }
    }

    fn read(&mut self, (document, entries): (Document, Vec<EntryDraft>)) {
        self.format = Some(document.format);
        self.title = document.title;
        self.site = document.site.map(Into::into);
        self.language = document.language;
        self.problems.extend(document.problems);
        self.entries = entries;
    }

    fn error(&mut self, kind: &Kind, message: String) {
        let place = self.url.as_ref().unwrap_or(&self.source).clone();
        self.problems.push(kind.at(place, message));
    }
}

/// Checks `source`, called `name` in the report. `base` stands in for the address of a file's or handed-in bytes.
/// Whatever happens is told in the report.
pub async fn check(
    name: &str,
    source: CheckSource,
    base: Option<&Url>,
    fetcher: &Fetcher,
    tagger: &Arc<Tagger>,
    zone: Tz,
    now: DateTime<Utc>,
) -> CheckReport {
    let mut report = CheckReport::about(name);
    let checking = Checking {
        fetcher,
        tagger,
        zone,
        now,
    };
    match source {
        CheckSource::Address(url) => checking.address(&mut report, &url).await,
        CheckSource::File(path) => match std::fs::read(&path) {
            Ok(bytes) => checking.page(&mut report, Page::handed_in(bytes, base)).await,
            Err(error) => {
                let name = path.display();
                report.error(
                    &UNREACHABLE,
                    if path.to_string_lossy().contains("://") {
                        format!("{name} is not a web address; one begins with http:// or https:// and names a host")
                    } else {
                        format!("the file {name} cannot be read: {error}")
                    },
                );
            }
        },
        CheckSource::Bytes(bytes) => checking.page(&mut report, Page::handed_in(bytes, base)).await,
    }
    report
}

struct Checking<'a> {
    fetcher: &'a Fetcher,
    tagger: &'a Arc<Tagger>,
    zone: Tz,
    now: DateTime<Utc>,
}

impl Checking<'_> {
    async fn address(&self, report: &mut CheckReport, url: &Url) {
        // Some platforms keep their feeds where no page tells.
        if let Some(feed) = normalize::feed_of_platform(url)
            && self.feed(report, &feed).await.is_ok()
        {
            return;
        }
        match self.fetch(report, url).await {
            Ok(page) => {
                report.url = page.url.as_ref().map(Url::to_string);
                let at = page.url.clone();
                self.page(report, page).await;
                if let Some(at) = at.filter(|_| !report.is_feed() && report.candidates.is_empty()) {
                    self.usual_places(report, &at).await;
                }
            }
            Err(message) => report.error(&UNREACHABLE, message),
        }
    }

    /// Reads a document; if it is a web page, the best feed that it names is read instead: the first that is one.
    async fn page(&self, report: &mut CheckReport, page: Page) {
        let (error, found) = match self.read(page).await {
            Ok(read) => return report.read(read),
            Err(Unread::NotAFeed(error, named)) => (error, named),
            Err(Unread::Reader(message)) => return report.error(&UNREADABLE, message),
        };
        report.candidates = found
            .into_iter()
            .map(|candidate| CheckedCandidate {
                candidate,
                chosen: false,
            })
            .collect();
        if report.candidates.is_empty() {
            report.problems.push(error.to_problem());
            return;
        }
        let mut failures = Vec::new();
        for at in 0..report.candidates.len().min(MOST_TRIED) {
            let url = report.candidates[at].candidate.url.clone();
            match self.feed(report, &url).await {
                Ok(()) => {
                    report.candidates[at].chosen = true;
                    return;
                }
                Err(message) => failures.push(NOT_A_FEED.at(url, message)),
            }
        }
        report.url = failures.first().map(|problem| problem.place.clone());
        report.problems.extend(failures);
    }

    /// Looks where the usual platforms keep their feed.
    async fn usual_places(&self, report: &mut CheckReport, page: &Url) {
        let said = std::mem::take(&mut report.problems);
        for url in normalize::usual_places(page) {
            if self.feed(report, &url).await.is_ok() {
                return;
            }
        }
        report.problems = said;
    }

    async fn feed(&self, report: &mut CheckReport, url: &Url) -> Result<(), String> {
        let page = self.fetch(report, url).await?;
        let at = page.url.as_ref().map(Url::to_string);
        let read = self.read(page).await.map_err(|unread| match unread {
            Unread::NotAFeed(error, _) => error.to_string(),
            Unread::Reader(message) => message,
        })?;
        report.url = at;
        report.read(read);
        Ok(())
    }

    async fn fetch(&self, report: &mut CheckReport, url: &Url) -> Result<Page, String> {
        let fetch = self.fetcher.fetch(url, &Validators::default(), self.now).await;
        report.hops.extend(fetch.hops);
        match fetch.outcome {
            FetchOutcome::Modified(body) => Ok(Page {
                url: Some(fetch.final_url),
                bytes: body.bytes,
                content_type: body.content_type,
            }),
            FetchOutcome::NotModified { .. } => Err("the server said 304 to a plain request".to_owned()),
            FetchOutcome::Gone => Err("the server says that this address is gone for good (410)".to_owned()),
            FetchOutcome::RetryAfter { message, .. } => Err(message),
            FetchOutcome::Failed(failure) => Err(failure.message),
        }
    }

    /// Reads a document and all its entries, or what feeds it names.
    async fn read(&self, page: Page) -> Result<(Document, Vec<EntryDraft>), Unread> {
        let (tagger, zone, now) = (Arc::clone(self.tagger), self.zone, self.now);
        let read = off_the_network(move || {
            let content_type = page.content_type.as_deref();
            let source = Source {
                body: &page.bytes,
                content_type,
                url: page.url.as_ref(),
                timezone: zone,
            };
            let mut document = normalize::read(&source).map_err(|error| {
                let nowhere = Url::parse("about:blank").expect("it is an address");
                let url = page.url.as_ref().unwrap_or(&nowhere);
                Unread::NotAFeed(error, normalize::discover(&page.bytes, content_type, url))
            })?;
            document.note_future_dates(now);
            let entries = document
                .entries
                .iter()
                .map(|entry| entry.finish(&tagger))
                .collect();
            Ok((document, entries))
        });
        read.await.unwrap_or_else(|message| Err(Unread::Reader(message)))
    }
}

/// Why a document could not be read.
enum Unread {
    /// It is no feed; with the feeds that it names.
    NotAFeed(ReadError, Vec<Candidate>),
    /// Our reader gave up, in words.
    Reader(String),
}

struct Page {
    url: Option<Url>,
    bytes: bytes::Bytes,
    content_type: Option<String>,
}

impl Page {
    fn handed_in(bytes: Vec<u8>, base: Option<&Url>) -> Self {
        Self {
            url: base.cloned(),
            bytes: bytes.into(),
            content_type: None,
        }
    }
}
