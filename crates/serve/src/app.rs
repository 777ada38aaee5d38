//! The web application: what it is given, and what is done for every request alike (which revision holds, what
//! is kept, validators, failures, the headers that keep a page harmless).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::RawPathParams;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Method, Request, Response, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get};
use chrono::{DateTime, TimeDelta, Utc};
use ipnet::IpNet;
use model::{Clock, Pictures, Site};
use poll::Looker;
use store::{Decisions, Due, Retagged, Revision, Store, StoredPost};
use tokio::sync::watch;
use tower_http::csrf::CsrfLayer;

use crate::admin::Admin;
use crate::asked::{Asked, Made};
use crate::cache::Cache;
use crate::document::{Sealed, Shape};
use crate::failure::Failure;
use crate::metrics::{self, Requests};
use crate::routes;
use crate::throttle::Throttle;
use crate::training;

/// For how long a revision that was looked up is believed.
const REVISION_HOLDS: TimeDelta = TimeDelta::milliseconds(50);

/// The first closing of a digest after an instant; `None` if the schedule has no further one.
pub type NextDigestClose = Arc<dyn Fn(DateTime<Utc>) -> Option<DateTime<Utc>> + Send + Sync>;

/// What the store is asked to tell which feeds are due at an instant.
pub type DueAt = Arc<dyn Fn(DateTime<Utc>) -> Due + Send + Sync>;

/// What the site's rules make of a post, under what moderators decided of it.
pub type Retag = Arc<dyn Fn(&Site, &StoredPost, &Decisions) -> Retagged + Send + Sync>;

/// What the web application is made of.
#[derive(Clone)]
pub struct App {
    /// The site; a new value takes effect with the next request.
    pub site: watch::Receiver<Arc<Site>>,
    /// Where the entries are.
    pub store: Store,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// `/readyz` says no when the last poll is longer ago than this.
    pub poll_stale_after: Duration,
    /// When feeds count as due.
    pub due: DueAt,
    /// When digests close.
    pub next_digest_close: NextDigestClose,
    /// Looks at blogs for people who wait in front of a form.
    pub looker: Arc<Looker>,
    /// Whether there is a server that sends mail to members.
    pub sends_mail: bool,
    /// Those who may say `X-Forwarded-For`.
    pub trusted_proxies: Vec<IpNet>,
    /// Makes the topics of a post anew when a moderator has decided of one.
    pub retag: Retag,
    /// Those who may sign in at `/admin`; if there is none, there is no such page.
    pub admins: Vec<Admin>,
    /// Whether readers are served, or only those who watch the process.
    pub serves_readers: bool,
}

/// The application while it runs.
pub(crate) struct State {
    pub(crate) app: App,
    pub(crate) started: DateTime<Utc>,
    pub(crate) requests: Requests,
    pub(crate) throttle: Throttle,
    pub(crate) cache: Cache,
    revision: Mutex<Option<(DateTime<Utc>, Revision)>>,
}

impl State {
    pub(crate) fn site(&self) -> Arc<Site> {
        Arc::clone(&self.app.site.borrow())
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// The revision, if it was looked up just now.
    fn known_revision(&self, now: DateTime<Utc>) -> Option<Revision> {
        let known = *self.revision.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, revision) = known?;
        (TimeDelta::zero()..REVISION_HOLDS)
            .contains(&(now - at))
            .then_some(revision)
    }

    /// The answer to a GET that was given before and still holds. It takes no way through routes and layers, which
    /// cost more than the rest of it.
    pub(crate) fn again<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let started = Instant::now();
        if request.method() != Method::GET {
            return None;
        }
        let key = request.uri().path_and_query()?.as_str();
        let now = self.now();
        let revision = self.known_revision(now)?;
        let document = self.cache.ready(revision.number, &self.app.site.borrow(), key)?;
        let (response, durations) = document.again(document.shape(request.headers(), now))?;
        durations.observe(started.elapsed().as_secs_f64());
        Some(response)
    }

    pub(crate) async fn revision(&self) -> Result<Revision, Failure> {
        let now = self.now();
        if let Some(revision) = self.known_revision(now) {
            return Ok(revision);
        }
        let revision = self.app.store.revision().await?;
        *self.revision.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, revision));
        Ok(revision)
    }
}

/// All routes of the Voice, and the state that they share.
pub(crate) fn assemble(app: App) -> (Arc<State>, Router) {
    let started = app.clock.now();
    let state = Arc::new(State {
        app,
        started,
        requests: Requests::default(),
        throttle: Throttle::default(),
        cache: Cache::default(),
        revision: Mutex::default(),
    });
    let routes = if state.app.serves_readers {
        routes::of_the_site()
    } else {
        routes::of_a_fetcher()
    };
    let whole = routes
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(CsrfLayer::new().with_rejection_response(forged(Arc::clone(&state))))
        .layer(from_fn(nameless))
        .layer(from_fn_with_state(Arc::clone(&state), harmless))
        .layer(from_fn_with_state(Arc::clone(&state), metrics::timed))
        .with_state(Arc::clone(&state));
    (state, whole)
}

/// Goes with the answer of a document that is kept.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) document: Arc<Sealed>,
    pub(crate) shape: Shape,
}

/// A route whose document is kept until the revision changes. `names` are the parameters that it knows.
pub(crate) fn kept<F, Fut>(names: &'static [&'static str], make: F) -> MethodRouter<Arc<State>>
where
    F: Fn(Asked) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Made> + Send + 'static,
{
    route(names, true, make)
}

/// A route whose document depends on more than the revision: the hour, or how the last polls went.
pub(crate) fn fresh<F, Fut>(names: &'static [&'static str], make: F) -> MethodRouter<Arc<State>>
where
    F: Fn(Asked) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Made> + Send + 'static,
{
    route(names, false, make)
}

fn route<F, Fut>(names: &'static [&'static str], keep: bool, make: F) -> MethodRouter<Arc<State>>
where
    F: Fn(Asked) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Made> + Send + 'static,
{
    get(
        async move |axum::extract::State(state): axum::extract::State<Arc<State>>,
                    variable: Result<RawPathParams, axum::extract::rejection::RawPathParamsRejection>,
                    uri: Uri,
                    headers: HeaderMap| {
            let site = state.site();
            let name = match &variable {
                Ok(variable) => Some(variable.iter().next().map_or("", |(_, value)| value)),
                Err(_) => None,
            };
            let answer = match name {
                Some(name) => answer(&state, &site, name, &uri, names, keep, make).await,
                None => Err(Failure::not_found("The address is not UTF-8.")),
            };
            match answer {
                Ok(document) => {
                    let now = state.now();
                    let shape = document.shape(&headers, now);
                    let mut response = document.respond(shape, now).await;
                    if keep {
                        response.extensions_mut().insert(Kept { document, shape });
                    }
                    response
                }
                Err(failure) => {
                    failure.log(uri.path());
                    failure.respond(&site, uri.path(), &headers)
                }
            }
        },
    )
}

async fn answer<F, Fut>(
    state: &Arc<State>,
    site: &Arc<Site>,
    name: &str,
    uri: &Uri,
    names: &'static [&'static str],
    keep: bool,
    make: F,
) -> Result<Arc<Sealed>, Failure>
where
    F: Fn(Asked) -> Fut,
    Fut: Future<Output = Made>,
{
    let asked = Asked::new(state, Arc::clone(site), name, uri, names).await?;
    let changed = asked.changed;
    if !keep {
        let refuses = training::is_refused_by_members(&asked).await?;
        let document = make(asked).await?.refusing_training(refuses);
        return Ok(Arc::new(document.seal(changed)));
    }
    let key = asked.path_and_query();
    let slot = state.cache.slot(&key);
    if let Some(kept) = slot.get() {
        return Ok(Arc::clone(kept));
    }
    let document = slot
        .get_or_try_init(async || {
            let refuses = training::is_refused_by_members(&asked).await?;
            let document = make(asked).await?.refusing_training(refuses);
            let sealed = document.seal(changed);
            state.cache.filled(&sealed);
            Ok(Arc::new(sealed))
        })
        .await;
    if document.is_err() {
        state.cache.give_up(&key, &slot);
    }
    document.cloned()
}

async fn nowhere(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    let failure = Failure::not_found("No page of ours has this address. The front page lists what there is.");
    failure.respond(&state.site(), uri.path(), &headers)
}

async fn wrong_method(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    Failure::Method.respond(&state.site(), uri.path(), &headers)
}

/// What a form that another site sent in a reader's name is told (see `tower_http::csrf`).
fn forged(state: Arc<State>) -> impl Fn(tower_http::csrf::ProtectionError) -> Response<Body> + Clone {
    move |_| {
        let failure = Failure::Refused(
            "The form came from another site, so nothing was done. If you meant it, open our own page and send the form there."
                .to_owned(),
        );
        failure.respond(&state.site(), "", &HeaderMap::new())
    }
}

/// A page that asks for no referrer makes browsers send `Origin: null` with its forms; those that know no
/// `Sec-Fetch-Site`, old ones and all over plain http, then cannot be told from another site. Forms that go by no
/// cookie do nothing there that the sender could not do without a reader, so they are let through.
async fn nameless(mut request: Request<Body>, next: Next) -> Response<Body> {
    let goes_by_cookie = request.uri().path().starts_with("/admin");
    let headers = request.headers_mut();
    if !goes_by_cookie
        && !headers.contains_key("sec-fetch-site")
        && headers.get(ORIGIN).is_some_and(|origin| origin == "null")
    {
        headers.remove(ORIGIN);
    }
    next.run(request).await
}

/// The headers that every answer carries: nothing runs, nothing frames us, nothing is told to others.
async fn harmless(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    request: Request<Body>,
    next: Next,
) -> Response<Body> {
    const WITH_PICTURES: &str = "default-src 'none'; style-src 'self'; img-src 'self' https:; \
                                 form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    const WITHOUT_PICTURES: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
                                    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let mut response = next.run(request).await;
    // Whoever has the document has these with it (RFC 9110 section 15.4.5).
    if response.status() == StatusCode::NOT_MODIFIED {
        return response;
    }
    let site = state.site();
    let policy = match site.pictures {
        Pictures::Origin => WITH_PICTURES,
        Pictures::Off => WITHOUT_PICTURES,
    };
    let headers = response.headers_mut();
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(policy));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !site.ai_training {
        training::refuse(headers);
    }
    response
}
