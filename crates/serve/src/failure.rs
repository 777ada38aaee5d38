//! What a route may say instead of giving a document, and how it is told: a page to people, a problem document
//! (RFC 9457) to programs. What went wrong inside is logged here, once, and never told to the asker.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
    VARY,
};
use axum::http::{Response, StatusCode};
use chrono::{DateTime, Utc};
use model::Site;
use serde::Serialize;
use store::StoreError;

use crate::negotiate;
use crate::pages;

/// Why there is no document.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is nothing at this address; the text says why or what to do.
    NotFound(String),
    /// No issue of the digest is closed yet; the first will be then.
    NotYet(Option<DateTime<Utc>>),
    /// It was withdrawn.
    Gone,
    /// A revision of a digest that held something withdrawn; the latest stands there (a path).
    Replaced(String),
    /// This parameter cannot be read; the text says what is wrong with it.
    Parameter(&'static str, String),
    /// It stands there (a path).
    Moved(String),
    /// The address takes GET and HEAD only.
    Method,
    /// The asker may not do this; the text says why.
    Refused(String),
    /// The asker did this too often; so long should they wait.
    TooMany(Duration),
    /// Too many others do it at this moment; says so in a sentence without its stop.
    Busy(String),
    /// What was sent is no form that can be read: the status that fits, and what is wrong with it.
    BadForm(StatusCode, String),
    /// The database could not answer.
    Store(StoreError),
    /// Something else failed that should not.
    Internal(String),
}

impl Failure {
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::NotFound(detail.into())
    }

    pub(crate) fn parameter(name: &'static str, detail: impl Into<String>) -> Self {
        Self::Parameter(name, detail.into())
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) | Self::NotYet(_) => StatusCode::NOT_FOUND,
            Self::Gone | Self::Replaced(_) => StatusCode::GONE,
            Self::Parameter(..) => StatusCode::BAD_REQUEST,
            Self::Moved(_) => StatusCode::PERMANENT_REDIRECT,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadForm(status, _) => *status,
            Self::Store(StoreError::Away { .. } | StoreError::Locked { .. }) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Store(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn heading(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "There is nothing here",
            Self::NotYet(_) => "Not yet",
            Self::Gone => "This post was withdrawn",
            Self::Replaced(_) => "This revision is no more",
            Self::Parameter(..) => "That address cannot be read",
            Self::Moved(_) => "It stands elsewhere",
            Self::Method => "This address can only be read",
            Self::Refused(_) => "This was not done",
            Self::TooMany(_) => "That was too often",
            Self::Busy(_) => "Not at this moment",
            Self::BadForm(..) => "The form did not arrive",
            Self::Store(_) | Self::Internal(_) => "Something went wrong here",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NotYet(Some(at)) => format!(
                "No issue of the digest is closed yet. The first closes on {}.",
                at.format("%-d %B %Y at %H:%M UTC")
            ),
            Self::NotYet(None) => "No issue of the digest is closed yet.".to_owned(),
            Self::Gone => "Its author, the moderators or the blog that it came from took it away. \
                           We keep none of its text."
                .to_owned(),
            Self::Replaced(path) => format!(
                "A post that stood in it was withdrawn, so a later revision without it took its place: {path}."
            ),
            Self::Parameter(name, detail) => format!("The parameter “{name}” {detail}."),
            Self::Moved(path) => format!("See {path}."),
            Self::Method => "It answers GET and HEAD; nothing is changed through it.".to_owned(),
            Self::NotFound(detail) | Self::Refused(detail) | Self::BadForm(_, detail) => detail.clone(),
            Self::Busy(detail) => {
                let mut sentence = detail.clone();
                if let Some(first) = sentence.get_mut(..1) {
                    first.make_ascii_uppercase();
                }
                format!("{sentence}. Nothing was changed.")
            }
            Self::TooMany(wait) => format!(
                "Nothing was done, so that nobody can keep this site from working for others. Please try again in {}.",
                in_words(*wait)
            ),
            Self::Store(_) | Self::Internal(_) => {
                "The fault is ours, not yours. Please try again in a minute; if it lasts, tell us.".to_owned()
            }
        }
    }

    /// Logs what is ours to mend.
    pub(crate) fn log(&self, path: &str) {
        match self {
            Self::Store(error) => {
                tracing::error!(http.path = path, error = %error, "a request failed: the database did not answer as it should");
            }
            Self::Internal(error) => {
                tracing::error!(http.path = path, error = %error, "a request failed");
            }
            _ => {}
        }
    }

    /// The answer, in the asker's format.
    pub(crate) fn respond(&self, site: &Arc<Site>, path: &str, headers: &HeaderMap) -> Response<Body> {
        let as_json = is_json_path(path) || negotiate::prefers_json(headers);
        let (content_type, body) = if as_json {
            ("application/problem+json", self.problem())
        } else {
            let page = pages::failure(site, self.status(), self.heading(), &self.detail(), path);
            ("text/html; charset=utf-8", page)
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let answer = response.headers_mut();
        answer.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        answer.insert(VARY, HeaderValue::from_static("accept"));
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            answer.insert(RETRY_AFTER, HeaderValue::from_static("30"));
        }
        if let Self::TooMany(wait) = self {
            answer.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(*wait)));
        }
        if let Self::Moved(path) = self
            && let Ok(location) = HeaderValue::from_str(path)
        {
            answer.insert(LOCATION, location);
        }
        response
    }

    fn problem(&self) -> String {
        #[derive(Serialize)]
        struct Problem {
            r#type: &'static str,
            title: &'static str,
            status: u16,
            detail: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            parameter: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            closes_at: Option<String>,
        }
        let problem = Problem {
            r#type: "about:blank",
            title: self.heading(),
            status: self.status().as_u16(),
            detail: self.detail(),
            parameter: if let Self::Parameter(name, _) = self {
                Some(name)
            } else {
                None
            },
            closes_at: if let Self::NotYet(Some(at)) = self {
                Some(at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
            } else {
                None
            },
        };
        serde_json::to_string(&problem).expect("strings and a number are JSON")
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Rounded up.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000) as u64
}

fn in_words(wait: Duration) -> String {
    match whole_seconds(wait) {
        0 | 1 => "a second".to_owned(),
        seconds @ 2..=90 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}

fn is_json_path(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, extension)| extension == "json")
}
