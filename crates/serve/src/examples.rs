//! A few documents that never change, for the demonstration's example blogs: with validators, so that polling
//! them shows what polling a real blog shows.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

/// A document with its path and media type.
#[derive(Debug, Clone)]
pub struct ExampleDocument {
    /// Begins with a slash.
    pub path: &'static str,
    /// The `Content-Type`.
    pub media_type: &'static str,
    /// The document.
    pub body: String,
}

/// Serves these documents on `listener`, until it is dropped.
///
/// # Errors
///
/// When the listener is broken.
pub async fn serve_examples(listener: TcpListener, documents: Vec<ExampleDocument>) -> io::Result<()> {
    let router = documents.into_iter().fold(Router::new(), |router, document| {
        let etag =
            format!("\"{:02x?}\"", &Sha256::digest(&document.body)[..8]).replace(['[', ']', ' ', ','], "");
        let document = Arc::new(document);
        router.route(
            document.path,
            get(move |headers: HeaderMap| async move { answer(&headers, etag, &document) }),
        )
    });
    axum::serve(listener, router).await
}

fn answer(headers: &HeaderMap, etag: String, document: &ExampleDocument) -> impl IntoResponse + use<> {
    let known = headers
        .get(IF_NONE_MATCH)
        .is_some_and(|sent| sent.as_bytes() == etag.as_bytes());
    let (status, body) = if known {
        (StatusCode::NOT_MODIFIED, String::new())
    } else {
        (StatusCode::OK, document.body.clone())
    };
    (
        status,
        [(CONTENT_TYPE, document.media_type.to_owned()), (ETAG, etag)],
        body,
    )
}
