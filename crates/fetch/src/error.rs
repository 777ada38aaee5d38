//! What can go wrong, in words: why there is no fetcher, and what the HTTP library's errors mean to a blogger.
//!
//! The library's own texts ("error sending request for url") name no cause; the cause is somewhere down the
//! chain, and is looked for there by its type.

use std::error::Error;
use std::io;

use chrono::DateTime;
use rustls::pki_types::UnixTime;
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

/// Said where a connection was one more than may be open.
pub const OUT_OF_FILES: &str = "this machine lets the program open no more files, and each connection is one; raise the limit \
    (ulimit -n, or LimitNOFILE of the service), or set a lower fetch.concurrency";

/// Whether it is `EMFILE` or `ENFILE`, which the standard library has no name for.
fn is_out_of_files(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
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
            let kind = if unresolved.missing {
                FailureKind::NoSuchName
            } else {
                FailureKind::Dns
            };
            return Failure::new(kind, unresolved.to_string());
        }
        if let Some(tls) = cause.downcast_ref::<TlsError>() {
            return Failure::new(FailureKind::Tls, tls_message(tls, host));
        }
    }
    let port = url.port_or_known_default().unwrap_or_default();
    if error.is_connect() && find_io().is_some_and(is_out_of_files) {
        return Failure::new(FailureKind::OpenFiles, OUT_OF_FILES);
    }
    if error.is_connect() {
        let message = match find_io().map(io::Error::kind) {
            _ if error.is_timeout() => format!(
                "no connection to {host}, port {port}, came about within {}: the server is down, a firewall keeps us \
                 out, or its name servers are slow",
                limits::span(limits::CONNECT)
            ),
            Some(io::ErrorKind::ConnectionRefused) => format!(
                "no web server answers at {host}, port {port}: the connection was refused; start it, or correct the \
                 address"
            ),
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                format!("no way leads to {host} just now; its network is down, or ours is")
            }
            _ => format!("no connection to {host}, port {port}: {}", root_text(error)),
        };
        return Failure::new(FailureKind::Connect, message);
    }
    if error.is_timeout() {
        return Failure::new(
            FailureKind::Timeout,
            format!(
                "{host} took the connection and then sent nothing for {}; the server hangs",
                limits::span(limits::IDLE)
            ),
        );
    }
    let too_long = causes(error)
        .filter_map(|cause| cause.downcast_ref::<hyper::Error>())
        .any(hyper::Error::is_parse_too_large);
    let message = if too_long {
        format!(
            "the head of the answer of {host} is longer than any should be; let the server send fewer headers"
        )
    } else if error.is_body() || error.is_decode() {
        format!(
            "the document broke off before its end ({}); let the server send it whole",
            root_text(error)
        )
    } else {
        format!(
            "{host} did not answer in proper HTTP, or broke off ({})",
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
    let TlsError::InvalidCertificate(certificate) = error else {
        return match error {
            TlsError::InvalidMessage(_) => {
                format!("{host} does not speak TLS there; perhaps the address is http, not https")
            }
            other => format!(
                "no encrypted connection with {host} came about ({other}); the server must speak TLS 1.2 or 1.3"
            ),
        };
    };
    match certificate {
        Expired => format!("the certificate of {host} has expired; whoever runs the site must renew it"),
        ExpiredContext { not_after, .. } => format!(
            "the certificate of {host} expired on {}; whoever runs the site must renew it",
            day(*not_after)
        ),
        NotValidYet => {
            format!("the certificate of {host} is not valid yet; its dates, or the clock here, are wrong")
        }
        NotValidYetContext { not_before, .. } => format!(
            "the certificate of {host} is not valid yet, but from {}; its dates, or the clock here, are wrong",
            day(*not_before)
        ),
        NotValidForName => format!(
            "the certificate that {host} shows is for another name; get one for {host}, or give the address that it \
             is for"
        ),
        NotValidForNameContext { presented, .. } => format!(
            "the certificate that {host} shows is for another name ({}); get one for {host}, or give the address \
             that it is for",
            names(presented)
        ),
        UnknownIssuer => format!(
            "the certificate of {host} is from no authority that is known here: either it is self-signed, or the \
             server leaves out the intermediate certificate; get one that browsers trust, and let the server send \
             the whole chain"
        ),
        Revoked => {
            format!("the certificate of {host} has been revoked; whoever runs the site must get a new one")
        }
        // What `openssl req -x509` makes: an authority of one's own, shown as if it were a server's certificate.
        other if is_own_authority(other) => {
            format!(
                "the certificate of {host} is self-signed, so nobody vouches for it; get one that browsers trust"
            )
        }
        other => format!("the certificate of {host} is not good: {other}"),
    }
}

/// Whether a certificate is an authority's own, which only a self-signed one shows.
fn is_own_authority(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity"))
}

/// A day for people.
fn day(instant: UnixTime) -> String {
    let instant = DateTime::from_timestamp(instant.as_secs() as i64, 0);
    instant.map_or_else(
        || "an unreadable date".to_owned(),
        |day| day.format("%-d %B %Y").to_string(),
    )
}

/// The names that a certificate is for: `DnsName("example.org")` and the like, of which the first few are told.
fn names(presented: &[String]) -> String {
    const TOLD: usize = 3;
    let told: Vec<&str> = presented
        .iter()
        .take(TOLD)
        .map(|name| name.split('"').nth(1).unwrap_or(name))
        .collect();
    let more = if presented.len() > TOLD { " and others" } else { "" };
    match told.as_slice() {
        [] => "it names none".to_owned(),
        told => format!("{}{more}", told.join(", ")),
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

    #[test]
    fn the_limit_of_open_files_is_told_from_other_troubles() {
        for (number, is_ours) in [(23, true), (24, true), (111, false)] {
            assert_eq!(is_out_of_files(&io::Error::from_raw_os_error(number)), is_ours);
        }
    }
}
