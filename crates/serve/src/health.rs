//! Whether the program is alive, and whether it is of use. Nothing is kept or logged: a watcher asks often.

use std::sync::Arc;

use axum::extract;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use chrono::{DateTime, TimeDelta, Utc};
use model::FeedStatus;
use store::StoreError;

use crate::app::State;

type Told = (StatusCode, [(HeaderName, &'static str); 1], String);

fn told(status: StatusCode, text: impl Into<String>) -> Told {
    (status, [(CACHE_CONTROL, "no-store")], text.into())
}

/// `/healthz`: alive.
pub(crate) async fn alive() -> Told {
    told(StatusCode::OK, "alive\n")
}

/// `/readyz`: the database answers and the last poll is not stale.
pub(crate) async fn ready(extract::State(state): extract::State<Arc<State>>) -> Told {
    match last_sign_of_life(&state).await {
        Err(error) => told(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the database does not answer: {error}\n"),
        ),
        Ok(Some(at)) if state.now() - at > stale_after(&state) => told(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "the last poll was at {}; see the log of the process that polls\n",
                at.to_rfc3339()
            ),
        ),
        Ok(_) => told(StatusCode::OK, "ready\n"),
    }
}

/// The last poll, or our own start if that was later; `None` where there is nothing to poll.
async fn last_sign_of_life(state: &State) -> Result<Option<DateTime<Utc>>, StoreError> {
    let store = &state.app.store;
    store.ping().await?;
    let last = store
        .last_poll_at()
        .await?
        .map_or(state.started, |at| at.max(state.started));
    if state.now() - last <= stale_after(state) {
        return Ok(Some(last));
    }
    let polled = store
        .feeds()
        .await?
        .iter()
        .any(|feed| feed.status == FeedStatus::Active);
    Ok(polled.then_some(last))
}

fn stale_after(state: &State) -> TimeDelta {
    TimeDelta::from_std(state.app.poll_stale_after).unwrap_or(TimeDelta::MAX)
}
