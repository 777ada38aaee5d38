//! Fetches over real sockets on loopback: what is sent, and what each answer means.

use std::net::TcpListener as StdListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Reply, Server, answer, body, config, failure, fetcher, get, now, read_head, write};
use fetch::{FailureKind, Fetch, FetchConfig, FetchError, FetchOutcome, Fetcher, Hop};
use model::Validators;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use url::Url;

const LOOPBACK: &[&str] = &["127.0.0.0/8"];

async fn fetch_from(server: &Server, path: &str) -> Fetch {
    get(&fetcher(LOOPBACK), &server.url(path)).await
}

#[tokio::test]
async fn a_document_with_all_that_is_said_of_it() {
    let server = Server::start(|_| {
        answer(
            "200 OK",
            &[
                "Content-Type: application/rss+xml; charset=UTF-8",
                "ETag: W/\"33a64df5\"",
                "Last-Modified: Mon, 23 Nov 2026 08:00:00 GMT",
                "Cache-Control: max-age=600",
                "X-Broken Header: hosts of real blogs do this",
            ],
            b"<rss/>",
        )
    })
    .await;
    let fetch = fetch_from(&server, "/feed?a=b#top").await;
    assert_eq!(fetch.http_status, Some(200));
    assert_eq!(fetch.final_url, server.url("/feed?a=b"));
    assert_eq!(fetch.permanent_target, None);
    let body = body(fetch);
    assert_eq!(&body.bytes[..], b"<rss/>");
    assert_eq!(
        body.content_type.as_deref(),
        Some("application/rss+xml; charset=UTF-8")
    );
    assert_eq!(body.validators.etag.as_deref(), Some("W/\"33a64df5\""));
    assert_eq!(
        body.validators.last_modified.as_deref(),
        Some("Mon, 23 Nov 2026 08:00:00 GMT")
    );
    assert_eq!(body.max_age, Some(Duration::from_mins(10)));

    let heads = server.heads();
    assert_eq!(heads.len(), 1);
    let head = &heads[0];
    assert!(head.starts_with("GET /feed?a=b HTTP/1.1\r\n"), "{head}");
    for line in [
        "user-agent: LocalGovDigitalVoice/1.0 (+https://voice.example.org/about)\r\n",
        "accept: application/atom+xml, application/rss+xml, application/feed+json,",
        "accept-encoding: ",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    for encoding in ["gzip", "br", "zstd", "deflate"] {
        assert!(
            head.split("accept-encoding: ").nth(1).unwrap().contains(encoding),
            "{encoding} in {head}"
        );
    }
    for name in [
        "if-none-match",
        "if-modified-since",
        "cookie",
        "referer",
        "authorization",
    ] {
        assert!(!head.contains(name), "{name} in {head}");
    }
}

#[tokio::test]
async fn validators_go_out_as_stored_and_a_304_keeps_or_renews_them() {
    let server = Server::start(|path| match path {
        "/kept" => answer("304 Not Modified", &["Cache-Control: max-age=60"], b""),
        "/renewed" => answer("304 Not Modified", &["ETag: \"2\""], b""),
        _ => answer("302 Found", &["Location: /kept"], b""),
    })
    .await;
    let fetcher = fetcher(LOOPBACK);
    let stored = Validators {
        etag: Some("W/\"abc-gzip".to_owned()),
        last_modified: Some("Sunday, sometime".to_owned()),
    };
    for (path, etag, age) in [
        ("/kept", "W/\"abc-gzip", Some(60)),
        ("/renewed", "\"2\"", None),
        ("/moved", "W/\"abc-gzip", Some(60)),
    ] {
        let fetch = fetcher.fetch(&server.url(path), &stored, now()).await;
        assert_eq!(fetch.http_status, Some(304));
        let FetchOutcome::NotModified {
            validators, max_age, ..
        } = fetch.outcome
        else {
            panic!("{path}: {:?}", fetch.outcome);
        };
        assert_eq!(validators.etag.as_deref(), Some(etag), "{path}");
        assert_eq!(validators.last_modified, stored.last_modified, "{path}");
        assert_eq!(max_age, age.map(Duration::from_secs), "{path}");
    }
    let heads = server.heads();
    assert_eq!(heads.len(), 4);
    for head in heads {
        assert!(head.contains("if-none-match: W/\"abc-gzip\r\n"), "{head}");
        assert!(head.contains("if-modified-since: Sunday, sometime\r\n"), "{head}");
    }
    // A 304 to a question that set no condition is no answer.
    assert_eq!(
        failure(get(&fetcher, &server.url("/kept")).await).kind,
        FailureKind::Status
    );
}

#[tokio::test]
async fn a_representation_that_changes_is_followed_by_its_validators() {
    // What the server says, one answer after the other, and the conditions that it must be asked with.
    let script: [(Reply, &[&str]); 7] = [
        (answer("200 OK", &["ETag: \"1\""], b"one"), &[]),
        (
            answer("304 Not Modified", &["ETag: W/\"1\""], b""),
            &["if-none-match: \"1\""],
        ),
        // The tag has become weak, and the content another.
        (
            answer(
                "200 OK",
                &["Last-Modified: Mon, 23 Nov 2026 08:00:00 GMT"],
                b"two",
            ),
            &["if-none-match: W/\"1\""],
        ),
        // No tag any more: none is sent.
        (
            answer("304 Not Modified", &[], b""),
            &["if-modified-since: Mon, 23 Nov 2026 08:00:00 GMT"],
        ),
        (
            answer("304 Not Modified", &["ETag: \"3\""], b""),
            &["if-modified-since: Mon, 23 Nov 2026 08:00:00 GMT"],
        ),
        // A server that has forgotten validators altogether.
        (
            answer("200 OK", &[], b"three"),
            &[
                "if-none-match: \"3\"",
                "if-modified-since: Mon, 23 Nov 2026 08:00:00 GMT",
            ],
        ),
        (answer("200 OK", &["ETag: \"\""], b"three"), &[]),
    ];
    let (replies, conditions): (Vec<Reply>, Vec<&[&str]>) = script.into_iter().unzip();
    let replies = Mutex::new(replies.into_iter());
    let server = Server::start(move |_| replies.lock().unwrap().next().unwrap()).await;
    let fetcher = fetcher(LOOPBACK);
    let mut validators = Validators::default();
    for (nth, expected) in conditions.iter().enumerate() {
        let fetch = fetcher.fetch(&server.url("/feed"), &validators, now()).await;
        let head = &server.heads()[nth];
        let sent: Vec<&str> = head.lines().filter(|line| line.starts_with("if-")).collect();
        assert_eq!(sent, *expected, "request {nth}");
        validators = match fetch.outcome {
            FetchOutcome::Modified(body) => body.validators,
            FetchOutcome::NotModified { validators, .. } => validators,
            other => panic!("request {nth}: {other:?}"),
        };
    }
    assert_eq!(validators.etag.as_deref(), Some("\"\""));
}

#[tokio::test]
async fn permanent_and_temporary_redirects() {
    let server = Server::start(|path| match path {
        "/a" => answer(
            "301 Moved Permanently",
            &["Location: /b", "Retry-After: 900"],
            b"moved",
        ),
        "/b" => answer("308 Permanent Redirect", &["Location: c#x"], b""),
        "/mixed" => answer("301 Moved Permanently", &["Location: /t"], b""),
        "/t" => answer("302 Found", &["Location: /b"], b""),
        "/raw" => answer("307 Temporary Redirect", &["Location: /café"], b""),
        _ => answer("200 OK", &[], b"here"),
    })
    .await;
    for (path, target, last) in [
        ("/a", Some("/c"), "/c"),
        ("/mixed", Some("/t"), "/c"),
        ("/t", None, "/c"),
        ("/raw", None, "/caf%C3%A9"),
        ("/c", None, "/c"),
    ] {
        let fetch = fetch_from(&server, path).await;
        assert_eq!(
            fetch.permanent_target,
            target.map(|path| server.url(path)),
            "{path}"
        );
        assert_eq!(fetch.final_url, server.url(last), "{path}");
        assert_eq!(&body(fetch).bytes[..], b"here");
    }
    let before = server.heads().len();
    let hop = |path: &str, status, bytes| Hop {
        url: server.url(path),
        status: Some(status),
        bytes,
    };
    assert_eq!(
        fetch_from(&server, "/mixed").await.hops,
        [
            hop("/mixed", 301, 0),
            hop("/t", 302, 0),
            hop("/b", 308, 0),
            hop("/c", 200, 4)
        ]
    );
    assert_eq!(
        server.heads().len() - before,
        4,
        "the hops are the server's own log"
    );
    assert!(server.heads().iter().all(|head| !head.contains("referer")));
}

#[tokio::test]
async fn redirects_that_lead_nowhere() {
    let server = Server::start(|path| match path {
        "/circle" => answer("302 Found", &["Location: /round"], b""),
        "/round" => answer("302 Found", &["Location: /circle"], b""),
        "/nowhere" => answer("301 Moved Permanently", &[], b""),
        "/file" => answer("301 Moved Permanently", &["Location: file:///etc/passwd"], b""),
        path => answer("301 Moved Permanently", &[&format!("Location: {path}x")], b""),
    })
    .await;
    for (path, kind, word, asked) in [
        ("/circle", FailureKind::Redirects, "circle", 2),
        ("/nowhere", FailureKind::Redirects, "Location", 1),
        ("/file", FailureKind::Blocked, "file:", 1),
        ("/deep", FailureKind::Redirects, "more than 10", 11),
    ] {
        let before = server.heads().len();
        let failure = failure(fetch_from(&server, path).await);
        assert_eq!(failure.kind, kind, "{path}");
        assert!(failure.message.contains(word), "{path}: {}", failure.message);
        assert_eq!(server.heads().len() - before, asked, "{path}");
    }
}

#[tokio::test]
async fn gone_and_come_again_later() {
    let server = Server::start(|path| match path {
        "/gone" => answer("410 Gone", &["Retry-After: 9"], b""),
        "/429" => answer("429 Too Many Requests", &["Retry-After: 3600"], b""),
        "/503" => answer(
            "503 Service Unavailable",
            &["Retry-After: Tue, 24 Nov 2026 09:00:00 GMT"],
            b"",
        ),
        "/long" => answer("503 Service Unavailable", &["Retry-After: 31536000"], b""),
        _ => answer("429 Too Many Requests", &["Retry-After: a while"], b""),
    })
    .await;
    let gone = fetch_from(&server, "/gone").await;
    assert!(matches!(gone.outcome, FetchOutcome::Gone), "{gone:?}");
    assert_eq!(gone.http_status, Some(410));
    for (path, at, words) in [
        ("/429", "2026-11-23T10:00:00Z", "23 November 2026 10:00 UTC"),
        ("/503", "2026-11-24T09:00:00Z", "24 November 2026 09:00 UTC"),
        ("/long", "2026-12-24T09:00:00Z", "24 December 2026 09:00 UTC"),
    ] {
        let fetch = fetch_from(&server, path).await;
        let FetchOutcome::RetryAfter { until, message } = fetch.outcome else {
            panic!("{path}: {:?}", fetch.outcome);
        };
        assert_eq!(
            until,
            at.parse::<chrono::DateTime<chrono::Utc>>().unwrap(),
            "{path}"
        );
        assert!(message.contains(words), "{message}");
    }
    let failure = failure(fetch_from(&server, "/unclear").await);
    assert_eq!(failure.kind, FailureKind::Status);
    assert!(failure.message.contains("too often"), "{}", failure.message);
}

#[tokio::test]
async fn statuses_that_bring_no_document() {
    let server =
        Server::start(|path| answer(path.trim_start_matches('/').replace('-', " ").as_str(), &[], b"")).await;
    for (path, word) in [
        ("/204-No", "204"),
        ("/206-Part", "206"),
        ("/300-Choices", "300"),
        ("/403-No", "turns us away"),
        ("/404-No", "check it"),
        ("/418-Tea", "418"),
        ("/500-Oops", "fault of its own"),
    ] {
        let fetch = fetch_from(&server, path).await;
        assert_eq!(
            fetch.http_status.map(|status| status.to_string()).as_deref(),
            path.get(1..4)
        );
        let failure = failure(fetch);
        assert_eq!(failure.kind, FailureKind::Status, "{path}");
        assert!(failure.message.contains(word), "{path}: {}", failure.message);
    }
}

#[tokio::test]
async fn servers_that_are_not_there_or_speak_otherwise() {
    let server = Server::start(|path| match path {
        "/garbage" => Reply::raw("220 mail.example ESMTP\r\n"),
        "/short" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<rss>"),
        "/endless" => Reply::raw(format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-A: b\r\n".repeat(10_000))),
        _ => Reply::raw(""),
    })
    .await;
    for path in ["/garbage", "/short", "/endless", "/nothing"] {
        let failure = failure(fetch_from(&server, path).await);
        assert_eq!(failure.kind, FailureKind::Protocol, "{path}: {}", failure.message);
    }

    // A server that does not speak TLS: the cause is found down the chain.
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://{}/", plain.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        write(&mut stream, Reply::hanging("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    });
    let tls = failure(get(&fetcher(LOOPBACK), &url).await);
    assert_eq!(tls.kind, FailureKind::Tls, "{}", tls.message);
    assert!(tls.message.contains("does not speak TLS"), "{}", tls.message);

    // A port that was free a moment ago.
    let port = StdListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    let closed = failure(get(&fetcher(LOOPBACK), &url).await);
    assert_eq!(closed.kind, FailureKind::Connect);
    assert!(
        closed
            .message
            .contains(&format!("no web server answers at 127.0.0.1, port {port}"))
    );
}

#[tokio::test]
async fn a_name_that_does_not_exist() {
    let url = Url::parse("http://blog.invalid/").unwrap();
    let failure = failure(get(&fetcher(&[]), &url).await);
    // Without any name server it cannot even be told that there is no such name.
    assert!(
        matches!(failure.kind, FailureKind::NoSuchName | FailureKind::Dns),
        "{failure:?}"
    );
    assert!(failure.message.contains("blog.invalid"), "{}", failure.message);
}

#[tokio::test]
async fn no_more_than_per_host_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let (current, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    // Two requests must be there together before either is answered: with a limit of 1 nothing would end.
    let together = Arc::new(Barrier::new(2));
    let (counted, highest) = (Arc::clone(&current), Arc::clone(&most));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (counted, highest, together) =
                (Arc::clone(&counted), Arc::clone(&highest), Arc::clone(&together));
            tokio::spawn(async move {
                read_head(&mut stream).await;
                highest.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                together.wait().await;
                // A third would have many a chance to come in now.
                for _ in 0..1_000 {
                    tokio::task::yield_now().await;
                }
                counted.fetch_sub(1, Ordering::SeqCst);
                write(&mut stream, answer("200 OK", &[], b"x")).await;
            });
        }
    });
    let fetcher = fetcher(LOOPBACK);
    let mut all = JoinSet::new();
    for _ in 0..10 {
        let (fetcher, url) = (fetcher.clone(), url.clone());
        all.spawn(async move { body(get(&fetcher, &url).await) });
    }
    assert_eq!(all.join_all().await.len(), 10);
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_slow_host_does_not_eat_the_pool() {
    let slow = Server::start(|path| match path {
        "/never" => Reply::hanging(""),
        _ => answer("200 OK", &[], b"x"),
    })
    .await;
    let quick = Server::start_at("127.0.0.2:0", |_| answer("200 OK", &[], b"x")).await;
    let fetcher = Fetcher::new(FetchConfig {
        concurrency: 2,
        per_host: 1,
        timeout: Duration::from_hours(1),
        ..config(LOOPBACK)
    })
    .unwrap();
    let in_time = async |url: Url| {
        let answered = tokio::time::timeout(Duration::from_secs(10), get(&fetcher, &url));
        body(answered.await.expect("there is a turn for it"));
    };
    let mut waiting = JoinSet::new();
    for _ in 0..5 {
        let (fetcher, url) = (fetcher.clone(), slow.url("/never"));
        waiting.spawn(async move { get(&fetcher, &url).await });
    }
    // All five ask for their turn before the quick host is asked for.
    tokio::task::yield_now().await;
    in_time(quick.url("/")).await;
    // A fetch that is given up gives its turn back.
    waiting.shutdown().await;
    in_time(slow.url("/")).await;
    assert!(slow.heads().iter().filter(|head| head.contains("/never")).count() <= 1);
}

#[tokio::test]
async fn a_connection_is_kept_for_who_asks_again_at_once_and_then_let_go() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..2 {
            read_head(&mut stream).await;
            let kept = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
            stream.write_all(kept).await.unwrap();
        }
        stream.read(&mut [0]).await.unwrap()
    });
    let fetcher = fetcher(LOOPBACK);
    for _ in 0..2 {
        body(get(&fetcher, &url).await);
    }
    let more = tokio::time::timeout(Duration::from_secs(20), server).await;
    assert_eq!(more.expect("an idle connection is let go").unwrap(), 0);
}

#[test]
fn settings_that_cannot_work() {
    let tell = |config| Fetcher::new(config).map(drop).unwrap_err();
    let error = tell(FetchConfig {
        per_host: 0,
        ..config(&[])
    });
    assert!(matches!(error, FetchError::NoTurns("fetch.per_host")), "{error}");
    let error = tell(FetchConfig {
        user_agent: "Voice\r\nX: y".to_owned(),
        ..config(&[])
    });
    assert!(matches!(error, FetchError::UserAgent(_)), "{error}");
}
