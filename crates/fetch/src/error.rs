//! What can go wrong, in words: why there is no fetcher, and what the HTTP library's errors mean to a blogger.
//!
//! The library's own texts ("error sending request for url") name no cause; the cause is somewhere down the
//! chain, and is looked for there by its type.

use std::error::Error;
use std::io;

use rustls::{CertificateError, Error as TlsError};
use url::Url;

use crate::guard::{Refused, Unresolved};
use crate::limits;
use crate::outcome::{Failure, FailureKind};

/// Why no [`Fetcher`](crate::Fetcher) could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The system has no list of certificate authorities.
    #[error(
        "no certificate authorities were found on this system, so no https address could be read; install the \
         package ca-certificates, or name a PEM file in SSL_CERT_FILE ({0})"
    )]
    NoCertificates(String),
    /// The User-Agent cannot stand in a header.
    #[error(
        "the User-Agent {0:?} cannot be sent; write site.title, site.url and site.contact so that it is plain ASCII"
    )]
    UserAgent(String),
    /// Nothing could ever be fetched.
    #[error("{0} is 0, so that nothing could ever be fetched; set it to 1 or more")]
    NoTurns(&'static str),
    /// The HTTP library refused its settings.
    #[error("the HTTP client could not be made: {0}")]
    Client(String),
}

/// Says why the client could not be built.
pub(crate) fn build_error(error: &reqwest::Error) -> FetchError {
    match causes(error).find_map(|cause| cause.downcast_ref::<TlsError>()) {
        Some(tls) => FetchError::NoCertificates(tls.to_string()),
        None => FetchError::Client(causes(error).last().map_or_else(String::new, ToString::to_string)),
    }
}

/// Says what a failed request for `url` means.
pub(crate) fn request_failure(error: &reqwest::Error, url: &Url) -> Failure {
    let host = url.host_str().unwrap_or_default();
    let find_io = || {
        causes(error)
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .last()
    };
    for cause in causes(error) {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return Failure::new(FailureKind::Blocked, refused.to_string());
        }
        if let Some(unresolved) = cause.downcast_ref::<Unresolved>() {
            return Failure::new(FailureKind::Dns, unresolved.to_string());
        }
        if let Some(tls) = cause.downcast_ref::<TlsError>() {
            return Failure::new(FailureKind::Tls, tls_message(tls, host));
        }
    }
    if error.is_timeout() {
        let message = if error.is_connect() {
            format!(
                "{host} did not take the connection within {}",
                limits::span(limits::CONNECT)
            )
        } else {
            format!("{host} sent nothing for {}", limits::span(limits::IDLE))
        };
        return Failure::new(FailureKind::Timeout, message);
    }
    if error.is_connect() {
        let port = url.port_or_known_default().unwrap_or_default();
        let message = match find_io().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => format!("no web server answers at {host}, port {port}"),
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                format!("no way leads to {host} just now")
            }
            _ => format!("no connection to {host}, port {port}: {}", root_text(error)),
        };
        return Failure::new(FailureKind::Connect, message);
    }
    let message = if error.is_decode() {
        format!(
            "the document could not be unpacked or broke off before its end: {}",
            root_text(error)
        )
    } else {
        format!(
            "{host} did not answer in proper HTTP, or broke off: {}",
            root_text(error)
        )
    };
    Failure::new(FailureKind::Protocol, message)
}

fn tls_message(error: &TlsError, host: &str) -> String {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        Revoked, UnknownIssuer,
    };
    match error {
        TlsError::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            format!("the certificate of {host} has expired; whoever runs the site must renew it")
        }
        TlsError::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => {
            format!("the certificate of {host} is not valid yet; its dates, or the clock here, are wrong")
        }
        TlsError::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            format!("the certificate that {host} shows is for another name")
        }
        TlsError::InvalidCertificate(UnknownIssuer) => format!(
            "the certificate of {host} is from no authority that is known here; often the server leaves out the \
             intermediate certificate"
        ),
        TlsError::InvalidCertificate(Revoked) => format!("the certificate of {host} has been revoked"),
        TlsError::InvalidCertificate(other) => format!("the certificate of {host} is not good: {other}"),
        TlsError::InvalidMessage(_) => {
            format!("{host} does not speak TLS there; perhaps the address is http, not https")
        }
        other => format!("no encrypted connection with {host} came about: {other}"),
    }
}

/// The error and what lies behind it, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        // An `io::Error` keeps what it wraps out of `source`.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn root_text(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_in_words() {
        for (error, word) in [
            (CertificateError::Expired, "has expired"),
            (CertificateError::NotValidYet, "not valid yet"),
            (CertificateError::NotValidForName, "another name"),
            (CertificateError::UnknownIssuer, "no authority"),
            (CertificateError::Revoked, "revoked"),
            (CertificateError::BadSignature, "not good"),
        ] {
            let message = tls_message(&TlsError::InvalidCertificate(error), "blog.example");
            assert!(
                message.contains(word) && message.contains("blog.example"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_cause_is_found_inside_an_io_error() {
        let wrapped = io::Error::other(io::Error::other(TlsError::DecryptError));
        assert!(causes(&wrapped).any(<dyn Error>::is::<TlsError>));
    }
}
