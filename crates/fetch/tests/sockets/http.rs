//! Fetches over real sockets on loopback: what is sent, what each answer means, what is never connected to.

use std::io::Write;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Reply, Server, answer, config, fetcher, now, read_head, write};
use fetch::{Body, Failure, FailureKind, Fetch, FetchConfig, FetchError, FetchOutcome, Fetcher};
use flate2::{Compression, write::GzEncoder};
use model::Validators;
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use url::Url;

const LOOPBACK: &[&str] = &["127.0.0.0/8"];

async fn get(fetcher: &Fetcher, url: &Url) -> Fetch {
    fetcher.fetch(url, &Validators::default(), now()).await
}

async fn fetch_from(server: &Server, path: &str) -> Fetch {
    get(&fetcher(LOOPBACK), &server.url(path)).await
}

fn body(fetch: Fetch) -> Body {
    match fetch.outcome {
        FetchOutcome::Modified(body) => body,
        other => panic!("no body but {other:?}"),
    }
}

fn failure(fetch: Fetch) -> Failure {
    match fetch.outcome {
        FetchOutcome::Failed(failure) => failure,
        other => panic!("no failure but {other:?}"),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
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
        let FetchOutcome::NotModified { validators, max_age } = fetch.outcome else {
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
async fn no_hop_reaches_a_forbidden_address() {
    // The same port on another loopback address, which is not allowed.
    let inner = Server::start_at("127.0.0.2", |_| answer("200 OK", &[], b"secret")).await;
    let forbidden = inner.url("/").to_string();
    let server = Server::start(move |path| {
        let target = match path {
            "/inner" => forbidden.as_str(),
            "/private" => "http://10.0.0.1/",
            "/metadata" => "http://169.254.169.254/latest/meta-data/",
            "/decimal" => "http://2130706434/",
            "/mapped" => "http://[::ffff:127.0.0.2]/",
            "/user" => "http://admin:admin@127.0.0.1/",
            _ => "http://localhost.localdomain.internal/",
        };
        answer("301 Moved Permanently", &[&format!("Location: {target}")], b"")
    })
    .await;
    let fetcher = fetcher(&["127.0.0.1/32"]);
    for path in [
        "/inner",
        "/private",
        "/metadata",
        "/decimal",
        "/mapped",
        "/user",
        "/name",
    ] {
        let failure = failure(get(&fetcher, &server.url(path)).await);
        if path == "/name" {
            // With something allowed, a local name is looked up, and found to lead to nothing that is.
            assert!(
                matches!(failure.kind, FailureKind::Blocked | FailureKind::Dns),
                "{failure:?}"
            );
        } else {
            assert_eq!(failure.kind, FailureKind::Blocked, "{path}: {failure:?}");
        }
    }
    assert_eq!(inner.heads().len(), 0);
}

#[tokio::test]
async fn with_nothing_allowed_loopback_is_out_of_reach_in_every_spelling() {
    let server = Server::start(|_| answer("200 OK", &[], b"secret")).await;
    let port = server.address.port();
    let fetcher = fetcher(&[]);
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "localhost",
    ] {
        let url = Url::parse(&format!("http://{host}:{port}/")).unwrap();
        let fetch = get(&fetcher, &url).await;
        assert_eq!(fetch.http_status, None);
        let failure = failure(fetch);
        assert_eq!(failure.kind, FailureKind::Blocked, "{host}: {}", failure.message);
        assert!(failure.message.contains("private"), "{host}: {}", failure.message);
    }
    assert_eq!(server.heads().len(), 0);
}

#[tokio::test]
async fn localhost_works_where_its_address_is_allowed() {
    let server = Server::start(|_| answer("200 OK", &[], b"hello")).await;
    let url = Url::parse(&format!("http://localhost:{}/", server.address.port())).unwrap();
    assert_eq!(&body(get(&fetcher(LOOPBACK), &url).await).bytes[..], b"hello");
}

#[tokio::test]
async fn bodies_are_counted_unpacked_and_cut_off_at_the_cap() {
    let bomb = gzip(&vec![b' '; 4 << 20]);
    assert!(bomb.len() < 100_000);
    let server = Server::start(move |path| match path {
        "/bomb" => answer("200 OK", &["Content-Encoding: gzip"], &bomb),
        "/packed" => answer("200 OK", &["Content-Encoding: gzip"], &gzip(b"<rss/>")),
        "/broken" => answer("200 OK", &["Content-Encoding: gzip"], &gzip(b"<rss/>")[..15]),
        "/exact" => answer("200 OK", &[], &vec![b'x'; 1 << 20]),
        _ => answer("200 OK", &[], &vec![b'x'; (1 << 20) + 1]),
    })
    .await;
    let fetcher = Fetcher::new(FetchConfig {
        max_body_bytes: 1 << 20,
        ..config(LOOPBACK)
    })
    .unwrap();
    for path in ["/bomb", "/over"] {
        let failure = failure(get(&fetcher, &server.url(path)).await);
        assert_eq!(failure.kind, FailureKind::TooLarge, "{path}");
        assert!(failure.message.contains("1 MiB"), "{}", failure.message);
    }
    assert_eq!(
        body(get(&fetcher, &server.url("/exact")).await).bytes.len(),
        1 << 20
    );
    assert_eq!(
        &body(get(&fetcher, &server.url("/packed")).await).bytes[..],
        b"<rss/>"
    );
    assert_eq!(
        failure(get(&fetcher, &server.url("/broken")).await).kind,
        FailureKind::Protocol
    );
}

#[tokio::test]
async fn the_time_is_for_the_whole_way() {
    let server = Server::start(|path| match path {
        "/drip" => Reply::hanging("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<rss>"),
        "/redirect" => answer("301 Moved Permanently", &["Location: /silent"], b""),
        _ => Reply::hanging(""),
    })
    .await;
    let fetcher = Fetcher::new(FetchConfig {
        timeout: Duration::from_millis(300),
        ..config(LOOPBACK)
    })
    .unwrap();
    for (path, status, words) in [
        ("/silent", None, "did not answer within 300 ms"),
        ("/redirect", Some(301), "did not answer within 300 ms"),
        ("/drip", Some(200), "the whole document within 300 ms"),
    ] {
        let fetch = get(&fetcher, &server.url(path)).await;
        assert_eq!(fetch.http_status, status, "{path}");
        assert!(fetch.duration >= Duration::from_millis(300), "{path}");
        let failure = failure(fetch);
        assert_eq!(failure.kind, FailureKind::Timeout, "{path}");
        assert!(failure.message.contains(words), "{path}: {}", failure.message);
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
    assert_eq!(failure.kind, FailureKind::Dns);
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
    let quick = Server::start_at("127.0.0.2", |_| answer("200 OK", &[], b"x")).await;
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
