//! What the environment may and may not do to a fetch. The environment belongs to a process, so each test runs
//! its other half, which is ignored otherwise, in a process of its own.

use crate::support::{Server, answer, config, fetcher, now, run_with};
use fetch::{FetchError, FetchOutcome, Fetcher};
use model::Validators;

#[test]
fn a_system_without_certificates_is_told_what_to_install() {
    run_with(
        "environment::without_certificates",
        &[
            ("SSL_CERT_FILE", "/nonexistent.pem"),
            ("SSL_CERT_DIR", "/nonexistent"),
        ],
    );
}

#[test]
#[ignore = "run by a_system_without_certificates_is_told_what_to_install"]
fn without_certificates() {
    let error = Fetcher::new(config(&[])).map(drop).unwrap_err();
    assert!(matches!(error, FetchError::NoCertificates(_)), "{error:?}");
    assert!(error.to_string().contains("ca-certificates"), "{error}");
}

#[test]
fn a_proxy_in_the_environment_is_not_used() {
    // Nothing listens on port 1; a fetch through it would fail.
    let proxy = "http://127.0.0.1:1";
    run_with(
        "environment::with_a_proxy",
        &[
            ("HTTP_PROXY", proxy),
            ("http_proxy", proxy),
            ("ALL_PROXY", proxy),
            ("NO_PROXY", ""),
            ("no_proxy", ""),
        ],
    );
}

#[tokio::test]
#[ignore = "run by a_proxy_in_the_environment_is_not_used"]
async fn with_a_proxy() {
    let server = Server::start(|_| answer("200 OK", &[], b"direct")).await;
    let fetcher = fetcher(&["127.0.0.0/8"]);
    let fetch = fetcher
        .fetch(&server.url("/"), &Validators::default(), now())
        .await;
    assert!(matches!(fetch.outcome, FetchOutcome::Modified(_)), "{fetch:?}");
}
