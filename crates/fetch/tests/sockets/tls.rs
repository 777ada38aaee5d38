//! Certificates that are good, and those that are not, in words that a blogger can act on.

use std::sync::Arc;

use crate::support::{Table, answer, body, config, failure, get, read_head, run_with, write};
use fetch::{FailureKind, Fetcher};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

/// Where the other half of a test finds the key of the authority that it trusts.
const AUTHORITY: &str = "VOICE_TEST_AUTHORITY";

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn server(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

#[test]
fn certificates_are_judged_and_the_trouble_is_told() {
    // What is trusted stands in the environment, which belongs to a process.
    let folder = tempfile::tempdir().unwrap();
    let (trusted, key_file) = (folder.path().join("trusted.pem"), folder.path().join("key.pem"));
    let key = KeyPair::generate().unwrap();
    let certificate = authority("Example authority").self_signed(&key).unwrap();
    std::fs::write(&trusted, certificate.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    run_with(
        "tls::with_an_authority",
        &[
            ("SSL_CERT_FILE", trusted.to_str().unwrap()),
            ("SSL_CERT_DIR", ""),
            (AUTHORITY, key_file.to_str().unwrap()),
        ],
    );
}

/// A server that shows `chain`; it says hello to whoever trusts it.
async fn show(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> u16 {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Whoever does not trust us breaks off here.
            if let Ok(mut stream) = acceptor.accept(stream).await {
                read_head(&mut stream).await;
                write(&mut stream, answer("200 OK", &[], b"hello")).await;
            }
        }
    });
    port
}

#[tokio::test]
#[ignore = "run by certificates_are_judged_and_the_trouble_is_told"]
async fn with_an_authority() {
    let root_key = std::fs::read_to_string(std::env::var_os(AUTHORITY).unwrap()).unwrap();
    let root = Issuer::new(
        authority("Example authority"),
        KeyPair::from_pem(&root_key).unwrap(),
    );
    let stranger = Issuer::new(authority("Another authority"), KeyPair::generate().unwrap());
    let key = KeyPair::generate().unwrap();
    let signed = |params: CertificateParams, issuer: &Issuer<'_, KeyPair>| {
        vec![params.signed_by(&key, issuer).unwrap().der().clone()]
    };

    let mut expired = server(&["blog.example"]);
    expired.not_before = date_time_ymd(2023, 1, 1);
    expired.not_after = date_time_ymd(2024, 3, 9);
    let mut early = server(&["blog.example"]);
    early.not_before = date_time_ymd(2090, 1, 2);
    let between_key = KeyPair::generate().unwrap();
    let between = authority("Between them").signed_by(&between_key, &root).unwrap();
    let between_issuer = Issuer::new(authority("Between them"), between_key);
    let leaf = signed(server(&["blog.example"]), &between_issuer);
    let mut whole = leaf.clone();
    whole.push(between.der().clone());
    let own = server(&["blog.example"]).self_signed(&key).unwrap();
    let mut own_authority = authority("blog.example");
    own_authority.subject_alt_names = server(&["blog.example"]).subject_alt_names;
    let own_authority = own_authority.self_signed(&key).unwrap();

    let names = Table::default().with("blog.example", &[&["127.0.0.1"]]);
    let fetcher = Fetcher::with_names(config(&["127.0.0.0/8"]), Arc::new(names)).unwrap();
    for (what, chain, words) in [
        ("good", signed(server(&["blog.example"]), &root), &[][..]),
        ("a whole chain", whole, &[]),
        (
            "expired",
            signed(expired, &root),
            &["expired on 9 March 2024", "renew"],
        ),
        (
            "early",
            signed(early, &root),
            &["not valid yet", "2 January 2090"],
        ),
        (
            "another name",
            signed(server(&["shop.example", "www.shop.example"]), &root),
            &[
                "another name (shop.example, www.shop.example)",
                "get one for blog.example",
            ],
        ),
        (
            "of a stranger",
            signed(server(&["blog.example"]), &stranger),
            &["no authority that is known", "self-signed", "whole chain"],
        ),
        (
            "without the intermediate",
            leaf,
            &[
                "no authority that is known",
                "intermediate certificate",
                "whole chain",
            ],
        ),
        (
            "self-signed",
            vec![own.der().clone()],
            &["no authority that is known", "self-signed", "browsers trust"],
        ),
        (
            "self-signed as openssl does",
            vec![own_authority.der().clone()],
            &["self-signed", "nobody vouches", "browsers trust"],
        ),
    ] {
        let port = show(chain, &key).await;
        let url = Url::parse(&format!("https://blog.example:{port}/feed")).unwrap();
        let fetch = get(&fetcher, &url).await;
        if words.is_empty() {
            assert_eq!(&body(fetch).bytes[..], b"hello", "{what}");
            continue;
        }
        assert!(
            fetch.reached(),
            "{what}: their server answered, if not as it should"
        );
        let failure = failure(fetch);
        println!("{what}: {}", failure.message);
        assert_eq!(failure.kind, FailureKind::Tls, "{what}: {}", failure.message);
        for word in words {
            assert!(failure.message.contains(word), "{what}: {}", failure.message);
        }
        assert!(
            failure.message.contains("blog.example"),
            "{what}: {}",
            failure.message
        );
    }
}
