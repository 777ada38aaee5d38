//! What is sent to hubs, and by which rules.

use std::time::Duration;

use crate::support::{Reply, Server, answer, config, fetcher, now};
use fetch::{FailureKind, FetchConfig, Fetcher, SendOutcome};

const LOOPBACK: &[&str] = &["127.0.0.0/8"];
const FIELDS: [(&str, &str); 2] = [
    ("hub.mode", "subscribe"),
    ("hub.topic", "https://blog.example/feed?a=b&c"),
];

#[tokio::test]
async fn a_form_is_posted_with_its_fields_and_says_who_sends_it() {
    let server = Server::start(|_| answer("202 Accepted", &[], b"thank you")).await;
    let sent = fetcher(LOOPBACK)
        .send_form(&server.url("/hub"), &FIELDS, now())
        .await;
    assert!(matches!(sent.outcome, SendOutcome::Accepted), "{sent:?}");
    assert_eq!(
        (sent.hops.len(), sent.hops[0].status, sent.hops[0].bytes),
        (1, Some(202), 9)
    );
    let head = &server.heads()[0];
    for line in [
        "POST /hub HTTP/1.1",
        "user-agent: LocalGovDigitalVoice/1.0 (+https://voice.example.org/about)",
        "content-type: application/x-www-form-urlencoded",
        "content-length: 74",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert_eq!(
        server.bodies()[0],
        "hub.mode=subscribe&hub.topic=https%3A%2F%2Fblog.example%2Ffeed%3Fa%3Db%26c"
    );
}

#[tokio::test]
async fn what_servers_say_to_it_is_told_apart() {
    let server = Server::start(|path| match path {
        "/busy" => answer("429 Too Many Requests", &["Retry-After: 60"], b""),
        "/no" => answer("400 Bad Request", &[], b"unknown topic"),
        "/none" => answer("404 Not Found", &[], b""),
        "/fault" => answer("503 Service Unavailable", &[], b""),
        "/moved" => answer("308 Permanent Redirect", &["Location: /hub"], b""),
        "/elsewhere" => answer("302 Found", &["Location: /hub"], b""),
        "/inside" => answer("307 Temporary Redirect", &["Location: http://10.0.0.1/"], b""),
        "/silent" => Reply::hanging(""),
        "/endless" => Reply::dripping("HTTP/1.1 202 Accepted\r\n\r\n.", Duration::from_millis(10)),
        _ => answer("204 No Content", &[], b""),
    })
    .await;
    let fetcher = Fetcher::new(FetchConfig {
        timeout: Duration::from_secs(2),
        ..config(LOOPBACK)
    })
    .unwrap();
    for (path, kind, word) in [
        ("/no", FailureKind::Status, "does not accept"),
        ("/none", FailureKind::Status, "takes no forms"),
        ("/fault", FailureKind::Status, "a fault of its own"),
        ("/elsewhere", FailureKind::Redirects, "drops the form"),
        ("/inside", FailureKind::Blocked, "private, RFC 1918"),
        ("/silent", FailureKind::Timeout, "did not answer within 2 s"),
    ] {
        match fetcher.send_form(&server.url(path), &FIELDS, now()).await.outcome {
            SendOutcome::Failed(failure) => {
                assert_eq!(failure.kind, kind, "{path}");
                assert!(failure.message.contains(word), "{path}: {}", failure.message);
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    match fetcher
        .send_form(&server.url("/busy"), &FIELDS, now())
        .await
        .outcome
    {
        SendOutcome::RetryAfter { until, .. } => assert_eq!(until, now() + Duration::from_mins(1)),
        other => panic!("{other:?}"),
    }
    let moved = fetcher.send_form(&server.url("/moved"), &FIELDS, now()).await;
    assert!(matches!(moved.outcome, SendOutcome::Accepted), "{moved:?}");
    assert_eq!(moved.hops.len(), 2);
    let bodies = server.bodies();
    assert_eq!(
        bodies[bodies.len() - 1],
        bodies[bodies.len() - 2],
        "the form goes along"
    );
    let endless = fetcher.send_form(&server.url("/endless"), &FIELDS, now()).await;
    assert!(matches!(endless.outcome, SendOutcome::Accepted), "{endless:?}");
}
