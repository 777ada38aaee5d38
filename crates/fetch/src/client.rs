//! One fetch from beginning to end: a turn at the host, the hops, the verdict on the answer.
//!
//! Sends no cookie, no referrer and no credentials, uses no proxy (a proxy would resolve names behind the
//! guard's back), and asks nothing twice of its own accord: when to ask again is for the caller to say.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use model::Validators;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tokio::sync::Semaphore;
use url::Url;

use crate::conditional;
use crate::error::{FetchError, build_error, request_failure};
use crate::guard::{Guard, GuardedResolver, Refused};
use crate::host::Hosts;
use crate::limits;
use crate::links::WebLinks;
use crate::names::{Names, SystemNames};
use crate::outcome::{Body, Failure, FailureKind, Fetch, FetchOutcome, Hop};
use crate::redirect::{Journey, is_redirect};
use crate::training;
use crate::unpack::ACCEPTED_CODINGS;

/// Feeds first, then what may be one under a general name, then pages for autodiscovery.
const ACCEPTED: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml, \
                        application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, text/html;q=0.7, */*;q=0.5";

/// The settings of a [`Fetcher`].
#[derive(Debug, Clone)]
pub struct FetchConfig {
    /// Says who asks, with an address where the operator is reached; visible ASCII.
    pub user_agent: String,
    /// For a whole fetch, redirects and body included.
    pub timeout: Duration,
    /// The largest body, after decompression.
    pub max_body_bytes: u64,
    /// How many fetches at once, over all hosts.
    pub concurrency: usize,
    /// How many fetches at once on one host; a platform with many tenants is one host.
    pub per_host: usize,
    /// Blocks whose addresses may be connected to though they are private or reserved. Everything else that the
    /// guard refuses stays refused there too.
    pub allow: Vec<IpNet>,
}

/// Fetches addresses, politely and guarded. A clone shares connections and limits with the original.
#[derive(Debug, Clone)]
pub struct Fetcher(pub(crate) Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    client: Client,
    guard: Arc<Guard>,
    pub(crate) hosts: Hosts,
    pub(crate) slots: Semaphore,
    pub(crate) timeout: Duration,
    max_body_bytes: u64,
}

impl Fetcher {
    /// A fetcher with these settings.
    ///
    /// # Errors
    ///
    /// The system has no certificate authorities (then not even http works), the User-Agent cannot be sent, or
    /// a limit of 0 would let nothing through.
    pub fn new(config: FetchConfig) -> Result<Self, FetchError> {
        Self::with_names(config, Arc::new(SystemNames))
    }

    /// As [`Fetcher::new`], with names looked up by `names`. The guard judges what they say as it does the system's.
    ///
    /// # Errors
    ///
    /// As [`Fetcher::new`].
    pub fn with_names(config: FetchConfig, names: Arc<dyn Names>) -> Result<Self, FetchError> {
        for (setting, value) in [
            ("fetch.concurrency", config.concurrency),
            ("fetch.per_host", config.per_host),
        ] {
            if value == 0 {
                return Err(FetchError::NoTurns(setting));
            }
        }
        let user_agent = HeaderValue::from_str(&config.user_agent)
            .map_err(|_| FetchError::UserAgent(config.user_agent))?;
        let guard = Arc::new(Guard::new(config.allow));
        let client = Client::builder()
            .user_agent(user_agent)
            .default_headers(HeaderMap::from_iter([
                (ACCEPT, HeaderValue::from_static(ACCEPTED)),
                (ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED_CODINGS)),
            ]))
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            // A refused stream of HTTP/2 would be asked for again unbeknown to us.
            .retry(reqwest::retry::never())
            .dns_resolver(GuardedResolver {
                guard: Arc::clone(&guard),
                names,
            })
            .connect_timeout(limits::CONNECT)
            .read_timeout(limits::IDLE)
            .pool_idle_timeout(limits::POOLED)
            .pool_max_idle_per_host(config.per_host)
            .http2_max_header_list_size(limits::HEADER_LIST)
            // Hosts of real blogs send both.
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .build()
            .map_err(|error| build_error(&error))?;
        Ok(Self(Arc::new(Shared {
            client,
            guard,
            hosts: Hosts::new(config.per_host),
            slots: Semaphore::new(config.concurrency.min(Semaphore::MAX_PERMITS)),
            timeout: config.timeout,
            max_body_bytes: config.max_body_bytes,
        })))
    }

    /// Fetches `url`, a feed or a page, unless it is still what `validators` stand for. Waits for its turn; dropped,
    /// it gives the turn back.
    ///
    /// The turn is at the host of `url` and is kept through redirects to other hosts: waiting for a second one
    /// while holding the first could end with everyone waiting for everyone.
    pub async fn fetch(&self, url: &Url, validators: &Validators, now: DateTime<Utc>) -> Fetch {
        let shared = &*self.0;
        // The host first, so that those who wait for a slow host take no slot from the others.
        let _turn = shared.hosts.turn(url).await;
        // Nobody closes the slots, so this is always one.
        let _slot = shared.slots.acquire().await;
        let started = Instant::now();
        let mut journey = Journey::from(url);
        let travelled =
            tokio::time::timeout(shared.timeout, shared.travel(&mut journey, validators, now)).await;
        let (outcome, unread) = match travelled {
            Ok(Ok(arrived)) => arrived,
            Ok(Err(failure)) => (FetchOutcome::Failed(failure), None),
            Err(_) => {
                let answered = journey.status == Some(StatusCode::OK);
                (
                    FetchOutcome::Failed(limits::timed_out(shared.timeout, answered)),
                    None,
                )
            }
        };
        // What the answer means is known by now, and is not lost with a body that never ends.
        if let Some(response) = unread {
            limits::skip_body(response, journey.received()).await;
        }
        Fetch {
            outcome,
            http_status: journey.status.map(|status| status.as_u16()),
            final_url: journey.url,
            permanent_target: journey.permanent_target,
            hops: journey.hops,
            duration: started.elapsed(),
        }
    }
}

impl Shared {
    /// The way to the last answer, what it means, and the answer itself where its body means nothing.
    async fn travel(
        &self,
        journey: &mut Journey,
        validators: &Validators,
        now: DateTime<Utc>,
    ) -> Result<(FetchOutcome, Option<Response>), Failure> {
        loop {
            let conditions = conditional::conditions(validators);
            let response = self
                .ask(journey, |client, url| client.get(url).headers(conditions))
                .await?;
            match response.status() {
                StatusCode::OK => {
                    let body = self.read(response, journey, now).await?;
                    return Ok((FetchOutcome::Modified(body), None));
                }
                status if is_redirect(status) => {
                    let location = response.headers().get(LOCATION).cloned();
                    limits::skip_body(response, journey.received()).await;
                    journey.follow(status, location.as_ref())?;
                }
                status => {
                    let outcome = without_body(status, response.headers(), validators, now);
                    return Ok((outcome, Some(response)));
                }
            }
        }
    }

    /// One request, for the address that the journey has come to: guarded, and noted as one of its hops.
    pub(crate) async fn ask(
        &self,
        journey: &mut Journey,
        request: impl FnOnce(&Client, Url) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        self.guard.check_url(&journey.url)?;
        journey.hops.push(Hop {
            url: journey.url.clone(),
            status: None,
            bytes: 0,
        });
        let response = match request(&self.client, journey.url.clone()).send().await {
            Ok(response) => response,
            Err(error) => {
                // Without a connection no request was made.
                if error.is_connect() {
                    journey.hops.pop();
                }
                return Err(request_failure(&error, &journey.url));
            }
        };
        if let Some(peer) = response.remote_addr() {
            self.guard.check_peer(peer.ip())?;
        }
        journey.status = Some(response.status());
        if let Some(hop) = journey.hops.last_mut() {
            hop.status = Some(response.status().as_u16());
        }
        Ok(response)
    }

    /// The document of a 200.
    async fn read(
        &self,
        response: Response,
        journey: &mut Journey,
        now: DateTime<Utc>,
    ) -> Result<Body, Failure> {
        let headers = response.headers();
        let validators = conditional::validators(headers);
        let max_age = conditional::max_age(headers, now);
        let links = WebLinks::of(headers, &journey.url).map(Box::new);
        let refuses_training = training::is_refused(headers);
        let content_type = headers
            .get(CONTENT_TYPE)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let url = journey.url.clone();
        let bytes = limits::read_body(response, &url, self.max_body_bytes, journey.received()).await?;
        Ok(Body {
            bytes,
            content_type,
            validators,
            max_age,
            links,
            refuses_training,
        })
    }
}

/// What an answer means that brings no document.
fn without_body(
    status: StatusCode,
    headers: &HeaderMap,
    sent: &Validators,
    now: DateTime<Utc>,
) -> FetchOutcome {
    match status {
        StatusCode::NOT_MODIFIED if *sent != Validators::default() => FetchOutcome::NotModified {
            validators: conditional::renewed(sent, headers),
            max_age: conditional::max_age(headers, now),
            refuses_training: training::is_refused(headers),
        },
        StatusCode::GONE => FetchOutcome::Gone,
        _ => match conditional::retry_after(headers, now) {
            Some(until) if status.is_client_error() || status.is_server_error() => FetchOutcome::RetryAfter {
                until,
                message: conditional::refusal(status, until),
            },
            _ => FetchOutcome::Failed(Failure::new(FailureKind::Status, status_message(status))),
        },
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::new(FailureKind::Blocked, refused.to_string())
    }
}

fn status_message(status: StatusCode) -> String {
    match status.as_u16() {
        401 | 403 => {
            format!(
                "the server turns us away ({status}); let programs read this address without a login, and let no \
                 firewall or bot filter stop feed readers"
            )
        }
        404 => format!("nothing is at this address ({status}); check it"),
        429 => format!("the server says that we ask too often ({status}); we come back less often"),
        500.. => format!("the server has a fault of its own ({status}); its error log says more"),
        _ => format!("the server answered {status}, which brings no document"),
    }
}
