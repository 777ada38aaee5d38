//! Pages that are for one person, and the forms on them: kept by nobody, told to nobody, compressed for nobody (a
//! page that holds a secret beside words of others must not tell its length), and their address never logged.
//!
//! A form is a POST beside the GET that shows it. It is read within bounds of size and time, and each caller may
//! send so many; one that another site sends in a reader's name never arrives here (see `app`). What a form does
//! must be harmless when it is done twice: people press buttons twice, and go back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{self, MatchedPath, RawPathParams, Request};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    SET_COOKIE,
};
use axum::http::{Method, Response, StatusCode, request};
use axum::response::IntoResponse as _;
use axum::routing::{MethodRouter, on};
use axum::{RequestExt as _, routing::MethodFilter};

use crate::app::State;
use crate::asked::Asked;
use crate::caller::Caller;
use crate::document::Document;
use crate::failure::Failure;
use crate::form::{Form, LARGEST_BYTES, LARGEST_OF_ADMIN_BYTES};
use crate::throttle::Effort;

/// How long a form may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// One request to a page for one person.
pub(crate) struct Visit {
    pub(crate) asked: Asked,
    pub(crate) headers: HeaderMap,
    pub(crate) caller: Caller,
    /// What was sent; empty where nothing was, that is with GET.
    pub(crate) form: Form,
}

impl Visit {
    /// Counts something that this caller may do only so often.
    pub(crate) fn count(&self, effort: Effort) -> Result<(), Failure> {
        self.asked.state.throttle.count(effort, self.caller)
    }
}

/// What a private page or a form answers.
pub(crate) struct Reply {
    status: StatusCode,
    body: Option<Document>,
    headers: Vec<(HeaderName, String)>,
}

/// What a route makes of a visit.
pub(crate) type Replied = Result<Reply, Failure>;

impl Reply {
    /// A page.
    pub(crate) fn page(page: Document) -> Self {
        Self {
            status: StatusCode::OK,
            body: Some(page),
            headers: Vec::new(),
        }
    }

    /// The page of a form again, with its mistakes.
    pub(crate) fn mistaken(page: Document) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            ..Self::page(page)
        }
    }

    /// It was done; what came of it is to be read at `path`, which must hold no secret.
    pub(crate) fn see(path: String) -> Self {
        Self {
            status: StatusCode::SEE_OTHER,
            body: None,
            headers: vec![(LOCATION, path)],
        }
    }

    /// Sets a cookie (RFC 6265 section 4.1).
    pub(crate) fn with_cookie(mut self, cookie: String) -> Self {
        self.headers.push((SET_COOKIE, cookie));
        self
    }

    /// With another status than the usual one.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    fn into_response(self) -> Response<Body> {
        let mut response = match self.body {
            Some(page) => page.into_plain(),
            None => Response::new(Body::empty()),
        };
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            } else {
                tracing::error!(header = %name, "a header could not be written and was left out");
            }
        }
        response
    }
}

/// A page for one person. `names` are the parameters that it knows.
pub(crate) fn private<F, Fut>(names: &'static [&'static str], make: F) -> MethodRouter<Arc<State>>
where
    F: Fn(Visit) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Replied> + Send + 'static,
{
    visited(MethodFilter::GET.or(MethodFilter::HEAD), names, make)
}

/// What is done when a form is sent; beside `private` it is `private(…).merge(posted(…))`.
pub(crate) fn posted<F, Fut>(names: &'static [&'static str], take: F) -> MethodRouter<Arc<State>>
where
    F: Fn(Visit) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Replied> + Send + 'static,
{
    visited(MethodFilter::POST, names, take)
}

fn visited<F, Fut>(filter: MethodFilter, names: &'static [&'static str], make: F) -> MethodRouter<Arc<State>>
where
    F: Fn(Visit) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Replied> + Send + 'static,
{
    on(
        filter,
        async move |extract::State(state): extract::State<Arc<State>>, mut request: Request| {
            let variable = request.extract_parts::<RawPathParams>().await.ok();
            // The address may hold a secret: where it is told of, it is told as the route.
            let route = request.extensions().get::<MatchedPath>().cloned();
            let route = route.as_ref().map_or("", MatchedPath::as_str);
            let (parts, body) = request.into_parts();
            let replied = match visit(&state, &parts, variable.as_ref(), names, body).await {
                Ok(visit) => make(visit).await,
                Err(failure) => Err(failure),
            };
            let mut response = match replied {
                Ok(reply) => reply.into_response(),
                Err(failure) => {
                    failure.log(route);
                    failure.respond(&state.site(), route, &parts.headers)
                }
            };
            seclude(response.headers_mut());
            response.into_response()
        },
    )
}

async fn visit(
    state: &Arc<State>,
    parts: &request::Parts,
    variable: Option<&RawPathParams>,
    names: &'static [&'static str],
    body: Body,
) -> Result<Visit, Failure> {
    let name = variable
        .map(|variable| variable.iter().next().map_or("", |(_, value)| value))
        .ok_or_else(|| Failure::not_found("The address is not UTF-8."))?;
    let caller = Caller::of(&parts.extensions, &parts.headers, &state.app.trusted_proxies);
    let form = if parts.method == Method::POST {
        state.throttle.count(Effort::Form, caller)?;
        let largest = if parts.uri.path().starts_with("/admin/") {
            LARGEST_OF_ADMIN_BYTES
        } else {
            LARGEST_BYTES
        };
        receive(&parts.headers, body, largest).await?
    } else {
        Form::default()
    };
    Ok(Visit {
        asked: Asked::new(state, state.site(), name, &parts.uri, names).await?,
        headers: parts.headers.clone(),
        caller,
        form,
    })
}

/// Reads the body of a form, `largest` bytes at most.
async fn receive(headers: &HeaderMap, body: Body, largest: usize) -> Result<Form, Failure> {
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    let is = |name: &str| media_type.is_some_and(|sent| sent.trim().eq_ignore_ascii_case(name));
    // RFC 8058 section 3.1: who presses a button for the reader of a mail may send it so, and then needs no field.
    let has_no_fields = is("multipart/form-data");
    if !has_no_fields && !is("application/x-www-form-urlencoded") {
        return Err(Failure::BadForm(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "A form is sent as application/x-www-form-urlencoded.".to_owned(),
        ));
    }
    match tokio::time::timeout(ARRIVES_WITHIN, to_bytes(body, largest)).await {
        Ok(Ok(_)) if has_no_fields => Ok(Form::default()),
        Ok(Ok(bytes)) => Ok(Form::read(&bytes)),
        Ok(Err(_)) => Err(Failure::BadForm(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "A form may have {} KiB at most, and has to arrive whole. Go back, shorten what you wrote, and send it again.",
                largest / 1024
            ),
        )),
        Err(_) => Err(Failure::BadForm(
            StatusCode::REQUEST_TIMEOUT,
            "The form took too long to arrive. Go back and send it again.".to_owned(),
        )),
    }
}

/// The headers of what is for one person, whatever it is.
fn seclude(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("x-robots-tag"),
        HeaderValue::from_static("noindex"),
    );
    headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
}
