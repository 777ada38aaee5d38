//! What the Voice makes of a blog or a feed, with nothing stored: the answer to "what would readers see?".

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fetch::{FetchOutcome, Fetcher, Hop};
use model::{EntryDraft, Validators};
use normalize::problem::{Kind, NOT_A_FEED, UNREACHABLE};
use normalize::{Candidate, Document, Format, Problem, Source, Tagger};
use serde::Serialize;
use url::Url;

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

    fn read(&mut self, mut document: Document, tagger: &Tagger, now: DateTime<Utc>) {
        document.note_future_dates(now);
        self.format = Some(document.format);
        self.title = document.title;
        self.site = document.site.map(Into::into);
        self.language = document.language;
        self.problems.extend(document.problems);
        self.entries = document
            .entries
            .iter()
            .map(|entry| entry.finish(tagger))
            .collect();
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
    tagger: &Tagger,
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
            Ok(bytes) => checking.bytes(&mut report, &bytes, None, base).await,
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
        CheckSource::Bytes(bytes) => checking.bytes(&mut report, &bytes, None, base).await,
    }
    report
}

struct Checking<'a> {
    fetcher: &'a Fetcher,
    tagger: &'a Tagger,
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
                report.url = Some(page.url.to_string());
                self.bytes(report, &page.bytes, page.content_type.as_deref(), Some(&page.url))
                    .await;
                if !report.is_feed() && report.candidates.is_empty() {
                    self.usual_places(report, &page.url).await;
                }
            }
            Err(message) => report.error(&UNREACHABLE, message),
        }
    }

    /// Reads a document; if it is a web page, the best feed that it names is read instead: the first that is one.
    async fn bytes(
        &self,
        report: &mut CheckReport,
        bytes: &[u8],
        content_type: Option<&str>,
        base: Option<&Url>,
    ) {
        let error = match self.read(bytes, content_type, base) {
            Ok(document) => return report.read(document, self.tagger, self.now),
            Err(error) => error,
        };
        let nowhere = Url::parse("about:blank").expect("it is an address");
        let found = normalize::discover(bytes, content_type, base.unwrap_or(&nowhere));
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
        let document = self
            .read(&page.bytes, page.content_type.as_deref(), Some(&page.url))
            .map_err(|error| error.to_string())?;
        report.url = Some(page.url.to_string());
        report.read(document, self.tagger, self.now);
        Ok(())
    }

    async fn fetch(&self, report: &mut CheckReport, url: &Url) -> Result<Page, String> {
        let fetch = self.fetcher.fetch(url, &Validators::default(), self.now).await;
        report.hops.extend(fetch.hops);
        match fetch.outcome {
            FetchOutcome::Modified(body) => Ok(Page {
                url: fetch.final_url,
                bytes: body.bytes,
                content_type: body.content_type,
            }),
            FetchOutcome::NotModified { .. } => Err("the server said 304 to a plain request".to_owned()),
            FetchOutcome::Gone => Err("the server says that this address is gone for good (410)".to_owned()),
            FetchOutcome::RetryAfter { message, .. } => Err(message),
            FetchOutcome::Failed(failure) => Err(failure.message),
        }
    }

    fn read(
        &self,
        body: &[u8],
        content_type: Option<&str>,
        url: Option<&Url>,
    ) -> Result<Document, normalize::ReadError> {
        normalize::read(&Source {
            body,
            content_type,
            url,
            timezone: self.zone,
        })
    }
}

struct Page {
    url: Url,
    bytes: bytes::Bytes,
    content_type: Option<String>,
}
