//! `/metrics`: what a Prometheus server reads, in its text format (version 0.0.4 and OpenMetrics 1.0 alike).
//!
//! Counters and times are of this process; what is asked of the database is the same from every process. Addresses stand
//! as the routes that answer them, so that nobody can make the list grow by asking.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{self, MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{Method, Response, StatusCode};
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use model::{FeedStatus, PollOutcome};
use prometheus_client::encoding::{EncodeLabelSet, text::encode_registry};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use store::{Recorded, StoreError, Vitals};

use crate::app::{Kept, State};

/// Upper bounds in seconds: from an answer out of memory to one that somebody waits for.
const BUCKETS: [f64; 9] = [0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1.0, 2.5, 10.0];

/// How requests fared.
pub(crate) struct Requests {
    registry: Registry,
    durations: Family<Answered, Histogram, fn() -> Histogram>,
}

/// Which requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
}

impl Default for Requests {
    fn default() -> Self {
        let durations = Family::<Answered, Histogram, fn() -> Histogram>::new_with_constructor(|| {
            Histogram::new(BUCKETS)
        });
        let mut registry = Registry::with_prefix("voice");
        registry.register(
            "http_request_duration_seconds",
            "Time to the answer's headers, by route and status",
            durations.clone(),
        );
        Self { registry, durations }
    }
}

impl Requests {
    /// Where the durations of these answers are counted.
    fn durations(&self, route: &str, status: StatusCode) -> Histogram {
        let answered = Answered {
            route: route.to_owned(),
            status: status.as_u16(),
        };
        self.durations.get_or_create(&answered).clone()
    }
}

/// Times every request that comes this way, and keeps the answer of a document that is kept.
pub(crate) async fn timed(
    extract::State(state): extract::State<Arc<State>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let is_get = request.method() == Method::GET;
    let started = Instant::now();
    let mut response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let durations = state.requests.durations(route, response.status());
    durations.observe(started.elapsed().as_secs_f64());
    if let Some(Kept { document, shape }) = response.extensions_mut().remove()
        && is_get
    {
        document.remember(shape, response.headers(), durations, state.now());
    }
    response
}

/// `/metrics`.
pub(crate) async fn metrics(extract::State(state): extract::State<Arc<State>>) -> Response<Body> {
    let vitals = state.app.store.vitals((state.app.due)(state.now())).await;
    let mut text = of_the_store(&state, vitals);
    encode_registry(&mut text, &state.requests.registry).expect("a String takes every text");
    let headers = [
        (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

/// What the store tells of. Where it does not answer, `voice_up` is 0 and the rest of it is left out.
fn of_the_store(state: &State, vitals: Result<Vitals, StoreError>) -> String {
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, values: &[(&str, f64)]| {
        let _ = writeln!(text, "# HELP voice_{name} {help}.\n# TYPE voice_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "voice_{name}{labels} {value}");
        }
    };
    let version = format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    metric("build_info", "gauge", "Which version runs", &[(&version, 1.0)]);
    let recorded: Recorded = state.app.store.recorded();
    let outcomes = PollOutcome::ALL.map(|outcome| format!("{{outcome=\"{}\"}}", outcome.as_str()));
    let polls: Vec<(&str, f64)> = outcomes
        .iter()
        .zip(recorded.polls)
        .map(|(labels, polls)| (labels.as_str(), polls as f64))
        .collect();
    let counter = "counter";
    metric(
        "polls_total",
        counter,
        "Polls that this process recorded, by outcome",
        &polls,
    );
    let refused = [("", recorded.refused as f64)];
    metric(
        "polls_refused_total",
        counter,
        "Polls of this process that came too late",
        &refused,
    );
    let entries = [
        ("{change=\"new\"}", recorded.entries_new as f64),
        ("{change=\"updated\"}", recorded.entries_updated as f64),
    ];
    metric(
        "entries_recorded_total",
        counter,
        "Entries that this process added or updated",
        &entries,
    );

    let up = [("", f64::from(u8::from(vitals.is_ok())))];
    metric("up", "gauge", "Whether the database answers", &up);
    let Ok(vitals) = vitals else { return text };
    let statuses: Vec<(String, f64)> = FeedStatus::ALL
        .into_iter()
        .map(|status| {
            let feeds = vitals.feeds.iter().find(|(other, _)| *other == status);
            let labels = format!("{{status=\"{}\"}}", status.as_str());
            (labels, feeds.map_or(0.0, |(_, feeds)| *feeds as f64))
        })
        .collect();
    let statuses: Vec<(&str, f64)> = statuses.iter().map(|(labels, n)| (labels.as_str(), *n)).collect();
    let gauge = "gauge";
    metric("feeds", gauge, "Feeds by status", &statuses);
    metric(
        "feeds_failing",
        gauge,
        "Active feeds whose last poll failed",
        &[("", vitals.failing as f64)],
    );
    metric(
        "feeds_due",
        gauge,
        "Active feeds whose time to be polled has come",
        &[("", vitals.due as f64)],
    );
    metric(
        "feeds_in_hand",
        gauge,
        "Feeds that a fetcher polls now",
        &[("", vitals.leased as f64)],
    );
    metric("members", gauge, "Members", &[("", vitals.members as f64)]);
    metric(
        "reports_open",
        gauge,
        "Reports of posts that nobody has answered",
        &[("", vitals.reports as f64)],
    );
    metric(
        "entries",
        gauge,
        "Entries held, shown or not",
        &[("", vitals.entries as f64)],
    );
    metric(
        "retagged_percent",
        gauge,
        "How much of the archive has its topics by the present rules",
        &[("", vitals.retagged_percent as f64)],
    );
    let bytes = [("", vitals.database_bytes as f64)];
    metric(
        "database_bytes",
        gauge,
        "What the database takes on the disk",
        &bytes,
    );
    if let Some(at) = vitals.last_polled_at {
        let age = [("", (state.now() - at).num_milliseconds() as f64 / 1000.0)];
        metric(
            "poll_age_seconds",
            gauge,
            "How long ago the newest poll of any process was",
            &age,
        );
    }
    text
}
