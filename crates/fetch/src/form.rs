//! A form sent to another server, which is how hubs are talked to (WebSub sections 5.1 and 6).
//!
//! It takes the same way as every fetch: a turn at the host, the guard at each hop, one deadline. Nothing of what the
//! server says to it is read but the status and `Retry-After`.

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use url::{Url, form_urlencoded};

use crate::client::{Fetcher, Shared};
use crate::conditional;
use crate::limits;
use crate::outcome::{Failure, FailureKind, Hop};
use crate::redirect::{Journey, is_redirect};

const FORM: &str = "application/x-www-form-urlencoded";

/// A form that was sent, redirects included.
#[derive(Debug)]
pub struct Sent {
    /// What came of it.
    pub outcome: SendOutcome,
    /// As [`Fetch::hops`](crate::Fetch::hops).
    pub hops: Vec<Hop>,
}

/// How sending a form ended.
#[derive(Debug)]
pub enum SendOutcome {
    /// 2xx: the server has taken it.
    Accepted,
    /// A refusal that says when to come again (RFC 9110 section 10.2.3).
    RetryAfter {
        /// No request before this; at most 31 days ahead.
        until: DateTime<Utc>,
        /// For people.
        message: String,
    },
    /// Anything else.
    Failed(Failure),
}

impl Fetcher {
    /// Posts `fields` to `url` as a form. 307 and 308 are followed, for they alone repeat the form (RFC 9110 section
    /// 15.4). Waits for its turn; dropped, it gives the turn back.
    pub async fn send_form(&self, url: &Url, fields: &[(&str, &str)], now: DateTime<Utc>) -> Sent {
        let shared = &*self.0;
        let _turn = shared.hosts.turn(url).await;
        let _slot = shared.slots.acquire().await;
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let mut journey = Journey::from(url);
        let sent = tokio::time::timeout(shared.timeout, shared.deliver(&mut journey, &form, now)).await;
        let outcome = match sent {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(failure)) => SendOutcome::Failed(failure),
            Err(_) => SendOutcome::Failed(limits::timed_out(shared.timeout, false)),
        };
        Sent {
            outcome,
            hops: journey.hops,
        }
    }
}

impl Shared {
    async fn deliver(
        &self,
        journey: &mut Journey,
        form: &str,
        now: DateTime<Utc>,
    ) -> Result<SendOutcome, Failure> {
        loop {
            let response = self
                .ask(journey, |client, url| {
                    client.post(url).header(CONTENT_TYPE, FORM).body(form.to_owned())
                })
                .await?;
            let status = response.status();
            let headers = response.headers().clone();
            limits::skip_body(response, journey.received()).await;
            if is_redirect(status) {
                if !matches!(status.as_u16(), 307 | 308) {
                    let message =
                        format!("the server answered a form with {status}, a redirect that drops the form");
                    return Err(Failure::new(FailureKind::Redirects, message));
                }
                journey.follow(status, headers.get(LOCATION))?;
                continue;
            }
            if status.is_success() {
                return Ok(SendOutcome::Accepted);
            }
            return Ok(match conditional::retry_after(&headers, now) {
                Some(until) => SendOutcome::RetryAfter {
                    until,
                    message: conditional::refusal(status, until),
                },
                None => SendOutcome::Failed(Failure::new(FailureKind::Status, refused(status))),
            });
        }
    }
}

fn refused(status: StatusCode) -> String {
    match status.as_u16() {
        404 | 405 | 501 => format!("the server takes no forms at this address ({status})"),
        500.. => format!("the server has a fault of its own ({status})"),
        _ => format!("the server does not accept what we ask of it ({status})"),
    }
}
