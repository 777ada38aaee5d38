//! What hubs call us back for (WebSub sections 5 and 7): to have a subscription confirmed, to deny one, to push news.
//!
//! Nobody knows the address of a callback but the hub that was given it. What it confirms must have been asked for; what
//! it pushes must be signed with the secret that it was given, and says no more than that the feed is to be polled: the
//! body is measured, and never read as a feed. A GET changes something here, as the specification wants it: that the
//! hub's answer to us has arrived.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{self, Path, RawQuery, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::BodyExt as _;
use sha2::{Sha256, Sha384, Sha512};
use store::{Intent, StoreError};
use url::form_urlencoded;

use crate::app::State;

const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature");

/// The largest push, in bytes: a feed as large as any that is read.
const LARGEST: u64 = 16 << 20;

/// How long a push may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// The lease where a hub names none, and the shortest that is kept: a hub that gives less is not asked more often.
const USUAL_LEASE: Duration = Duration::from_hours(240);
const SHORTEST_LEASE: Duration = Duration::from_secs(4);

/// When a hub is asked again that would not tell of a topic.
const DENIED_FOR: TimeDelta = TimeDelta::days(1);

/// The callbacks.
pub(crate) fn callbacks() -> Router<Arc<State>> {
    Router::new().route(
        "/websub/{token}",
        on(MethodFilter::GET, verify).on(MethodFilter::POST, push),
    )
}

/// GET: does a hub ask for what we asked of it? Then its challenge is the answer.
async fn verify(
    extract::State(state): extract::State<Arc<State>>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    method: Method,
) -> Response {
    // HEAD changes nothing, and confirms nothing.
    if method != Method::GET {
        return said(StatusCode::METHOD_NOT_ALLOWED, "A callback takes GET and POST.");
    }
    let query = query.unwrap_or_default();
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    let (mode, topic) = (
        value("hub.mode").unwrap_or_default(),
        value("hub.topic").unwrap_or_default(),
    );
    let (store, now) = (&state.app.store, state.now());
    let (answer, confirmed) = match mode.as_str() {
        "subscribe" | "unsubscribe" => {
            let Some(challenge) = value("hub.challenge") else {
                return said(StatusCode::BAD_REQUEST, "hub.challenge is missing.");
            };
            let intent = if mode == "subscribe" {
                let lease = value("hub.lease_seconds").and_then(|seconds| seconds.parse().ok());
                Intent::Subscribe(lease.map_or(USUAL_LEASE, Duration::from_secs).max(SHORTEST_LEASE))
            } else {
                Intent::Unsubscribe
            };
            (
                challenge,
                store.confirm_subscription(&token, &topic, intent, now).await,
            )
        }
        "denied" => {
            let reason = match value("hub.reason") {
                Some(reason) => format!(
                    "the hub will not tell of this feed: {}",
                    model::first_words(&reason, 30)
                ),
                None => "the hub will not tell of this feed".to_owned(),
            };
            let denied = store
                .deny_subscription(&token, &topic, &reason, now + DENIED_FOR)
                .await;
            (String::new(), denied)
        }
        _ => return said(StatusCode::BAD_REQUEST, "hub.mode is none that we know."),
    };
    match confirmed {
        Ok(true) => {
            tracing::info!(mode, topic, "a hub answers what we asked of it");
            said(StatusCode::OK, answer)
        }
        Ok(false) => said(StatusCode::NOT_FOUND, "We have not asked for this."),
        Err(error) => broken(&error),
    }
}

/// POST: a hub pushes news. What it says of it is not believed; that there is some is, if it is signed.
async fn push(
    extract::State(state): extract::State<Arc<State>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let store = &state.app.store;
    let secret = match store.subscription_secret(&token).await {
        Ok(Some(secret)) => secret,
        // Whoever hears this may forget the subscription (WebSub section 7).
        Ok(None) => return said(StatusCode::GONE, "There is no such subscription."),
        Err(error) => return broken(&error),
    };
    let signature = headers
        .get(SIGNATURE)
        .and_then(|value| value.to_str().ok())
        .and_then(Signature::of);
    let Some(mut signature) = signature.and_then(|signature| signature.with_secret(&secret)) else {
        tracing::warn!("a push was not signed with SHA-256 or better, and was ignored");
        return said(
            StatusCode::FORBIDDEN,
            "Sign with the secret, in X-Hub-Signature, with sha256, sha384 or sha512.",
        );
    };
    match tokio::time::timeout(ARRIVES_WITHIN, measure(request.into_body(), &mut signature)).await {
        Ok(Ok(())) => {}
        Ok(Err(status)) => return said(status, "The push cannot be taken."),
        Err(_) => return said(StatusCode::REQUEST_TIMEOUT, "The push took too long."),
    }
    if !signature.holds() {
        tracing::warn!("a push was signed with another secret, and was ignored");
        return said(StatusCode::FORBIDDEN, "The signature is not right.");
    }
    match store.note_push(&token, state.now()).await {
        Ok(()) => said(StatusCode::ACCEPTED, "Thank you, the feed is polled."),
        Err(error) => broken(&error),
    }
}

/// Goes through a body for its signature; nothing of it is kept.
async fn measure(mut body: Body, signature: &mut Checked) -> Result<(), StatusCode> {
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else {
            continue;
        };
        size += data.len() as u64;
        if size > LARGEST {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        signature.update(&data);
    }
    Ok(())
}

/// What `X-Hub-Signature` says (WebSub section 7.1). SHA-1, which some hubs still use, is refused.
struct Signature {
    method: String,
    expected: Vec<u8>,
}

/// A signature that is being checked.
struct Checked {
    expected: Vec<u8>,
    found: Found,
}

enum Found {
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl Signature {
    fn of(header: &str) -> Option<Self> {
        let (method, hex) = header.trim().split_once('=')?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let pairs = hex.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
            _ => None,
        });
        Some(Self {
            method: method.trim().to_ascii_lowercase(),
            expected: pairs.collect::<Option<_>>()?,
        })
    }

    fn with_secret(self, secret: &str) -> Option<Checked> {
        let key = secret.as_bytes();
        let found = match self.method.as_str() {
            "sha256" => Found::Sha256(Hmac::new_from_slice(key).ok()?),
            "sha384" => Found::Sha384(Hmac::new_from_slice(key).ok()?),
            "sha512" => Found::Sha512(Hmac::new_from_slice(key).ok()?),
            _ => return None,
        };
        Some(Checked {
            expected: self.expected,
            found,
        })
    }
}

impl Checked {
    fn update(&mut self, data: &[u8]) {
        match &mut self.found {
            Found::Sha256(mac) => mac.update(data),
            Found::Sha384(mac) => mac.update(data),
            Found::Sha512(mac) => mac.update(data),
        }
    }

    /// Takes as long whatever differs.
    fn holds(self) -> bool {
        let expected = &self.expected;
        match self.found {
            Found::Sha256(mac) => mac.verify_slice(expected),
            Found::Sha384(mac) => mac.verify_slice(expected),
            Found::Sha512(mac) => mac.verify_slice(expected),
        }
        .is_ok()
    }
}

fn said(status: StatusCode, text: impl Into<String>) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text.into()).into_response()
}

fn broken(error: &StoreError) -> Response {
    tracing::error!(%error, "a hub's call could not be noted; it is asked to call again");
    said(StatusCode::SERVICE_UNAVAILABLE, "Please call again in a minute.")
}

#[cfg(test)]
mod tests {
    use axum::http::Request as HttpRequest;
    use model::HubTopic;
    use store::NewSubscription;
    use tower::ServiceExt as _;

    use super::*;
    use crate::app::assemble;
    use crate::testing::Client;

    const TOPIC: &str = "https://one.example/feed";

    /// A site whose first feed has asked a hub for a subscription under the token "t".
    async fn asked() -> (Client, Router) {
        let client = Client::new().await;
        let store = &client.app.store;
        let now = client.app.clock.now();
        let feed = &store.feeds().await.unwrap()[0];
        let new = NewSubscription {
            feed_id: feed.id,
            target: HubTopic {
                hub: "https://hub.example/".parse().unwrap(),
                topic: TOPIC.parse().unwrap(),
            },
            token: "t".to_owned(),
            secret: "Jefe".to_owned(),
        };
        store
            .add_subscriptions(&[new], "https://voice.example", now)
            .await
            .unwrap();
        store
            .take_hub_requests("https://voice.example", now, now + TimeDelta::hours(1))
            .await
            .unwrap();
        let routes = assemble(client.app.clone()).1;
        (client, routes)
    }

    async fn call(routes: &Router, request: HttpRequest<Body>) -> (StatusCode, String) {
        let response = routes.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn ask(routes: &Router, method: &str, query: &str) -> (StatusCode, String) {
        let request = HttpRequest::builder()
            .method(method)
            .uri(format!("/websub/{query}"));
        call(routes, request.body(Body::empty()).unwrap()).await
    }

    fn encoded(topic: &str) -> String {
        form_urlencoded::byte_serialize(topic.as_bytes()).collect()
    }

    #[tokio::test]
    async fn a_challenge_is_echoed_only_where_we_asked() {
        let (_client, routes) = asked().await;
        let of = |token: &str, mode: &str, topic: &str| {
            format!(
                "{token}?hub.mode={mode}&hub.topic={}&hub.challenge=c-%3C1%3E&hub.lease_seconds=9",
                encoded(topic)
            )
        };
        for (method, query, status) in [
            ("GET", of("other", "subscribe", TOPIC), StatusCode::NOT_FOUND),
            ("GET", of("t", "unsubscribe", TOPIC), StatusCode::NOT_FOUND),
            (
                "GET",
                of("t", "subscribe", "https://two.example/feed"),
                StatusCode::NOT_FOUND,
            ),
            ("GET", of("t", "publish", TOPIC), StatusCode::BAD_REQUEST),
            (
                "GET",
                format!("t?hub.mode=subscribe&hub.topic={}", encoded(TOPIC)),
                StatusCode::BAD_REQUEST,
            ),
            ("GET", "t".to_owned(), StatusCode::BAD_REQUEST),
            (
                "HEAD",
                of("t", "subscribe", TOPIC),
                StatusCode::METHOD_NOT_ALLOWED,
            ),
            ("PUT", of("t", "subscribe", TOPIC), StatusCode::METHOD_NOT_ALLOWED),
        ] {
            let (found, body) = ask(&routes, method, &query).await;
            assert_eq!(found, status, "{method} {query}");
            assert!(!body.contains("c-"), "{method} {query}: {body}");
        }
        let right = of("t", "subscribe", TOPIC);
        assert_eq!(
            ask(&routes, "GET", &right).await,
            (StatusCode::OK, "c-<1>".to_owned())
        );
        assert_eq!(ask(&routes, "GET", &right).await.0, StatusCode::NOT_FOUND, "once");
    }

    #[tokio::test]
    async fn a_denial_is_noted() {
        let (client, routes) = asked().await;
        let denied = format!(
            "t?hub.mode=denied&hub.topic={}&hub.reason=no+such+topic",
            encoded(TOPIC)
        );
        assert_eq!(ask(&routes, "GET", &denied).await.0, StatusCode::OK);
        let stands = &client.app.store.subscriptions().await.unwrap()[0];
        assert!(
            stands.last_error.as_ref().unwrap().ends_with("no such topic"),
            "{stands:?}"
        );
    }

    #[tokio::test]
    async fn only_a_right_signature_makes_a_push() {
        let (client, routes) = asked().await;
        // RFC 4231 section 4.3.
        let body = "what do ya want for nothing?";
        let right = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let better = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
        let old = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
        let wrong = right.replace("5bdc", "5bdd");
        let pushed = async || {
            client
                .app
                .store
                .take_pushed_feeds((client.app.due)(client.app.clock.now()), Duration::ZERO)
                .await
                .unwrap()
                .len()
        };
        for (token, signature, body, status) in [
            ("t", None, body, StatusCode::FORBIDDEN),
            ("t", Some(format!("sha1={old}")), body, StatusCode::FORBIDDEN),
            ("t", Some(format!("md5={right}")), body, StatusCode::FORBIDDEN),
            ("t", Some(format!("sha256={wrong}")), body, StatusCode::FORBIDDEN),
            ("t", Some(format!("sha512={right}")), body, StatusCode::FORBIDDEN),
            (
                "t",
                Some(format!("sha256={}", &right[..62])),
                body,
                StatusCode::FORBIDDEN,
            ),
            ("t", Some("sha256=".to_owned()), body, StatusCode::FORBIDDEN),
            ("t", Some(format!("sha256=é{right}")), body, StatusCode::FORBIDDEN),
            (
                "t",
                Some(format!("sha256={right}")),
                "another body",
                StatusCode::FORBIDDEN,
            ),
            ("other", Some(format!("sha256={right}")), body, StatusCode::GONE),
            ("t", Some(format!("sha256={right}")), body, StatusCode::ACCEPTED),
            (
                "t",
                Some(format!("SHA256={}", right.to_uppercase())),
                body,
                StatusCode::ACCEPTED,
            ),
            ("t", Some(format!("sha512={better}")), body, StatusCode::ACCEPTED),
        ] {
            let mut request = HttpRequest::builder()
                .method("POST")
                .uri(format!("/websub/{token}"));
            if let Some(signature) = &signature {
                request = request.header(SIGNATURE, signature.as_bytes());
            }
            let (found, _) = call(&routes, request.body(body.into()).unwrap()).await;
            assert_eq!(found, status, "{token} {signature:?} {body}");
            assert_eq!(
                pushed().await,
                usize::from(status == StatusCode::ACCEPTED),
                "{token} {signature:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_push_without_end_is_cut_off() {
        let (client, routes) = asked().await;
        let request = HttpRequest::builder()
            .method("POST")
            .uri("/websub/t")
            .header(SIGNATURE, format!("sha256={}", "0".repeat(64)))
            .body(Body::from(vec![b' '; LARGEST as usize + 1]))
            .unwrap();
        assert_eq!(call(&routes, request).await.0, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(client.app.store.subscriptions().await.unwrap().len(), 1);
    }
}
