//! How long a fetch may take and how much it may bring, against servers that know no bounds.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::{Reply, Server, answer, body, config, failure, fetcher, get, run_with};
use fetch::{FailureKind, Fetch, FetchConfig, Fetcher};
use flate2::{Compress, Compression, FlushCompress, write::GzEncoder};
use tokio::task::JoinSet;
use url::Url;

const LOOPBACK: &[&str] = &["127.0.0.0/8"];

/// What a bomb unpacks to.
const BOMB: usize = 1 << 30;

/// Where the other half of a test finds the server.
const BOMB_AT: &str = "VOICE_TEST_BOMB";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
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
        "/trickle" => Reply::dripping("HTTP/1.1 200 OK\r\n\r\n<", Duration::from_millis(10)),
        "/endless-head" => Reply::dripping("HTTP/1.1 200 OK\r\nX-Word: a", Duration::from_millis(10)),
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
        ("/trickle", Some(200), "the whole document within 300 ms"),
        ("/endless-head", None, "did not answer within 300 ms"),
    ] {
        let fetch = get(&fetcher, &server.url(path)).await;
        assert_eq!(fetch.http_status, status, "{path}");
        assert!(fetch.duration >= Duration::from_millis(300), "{path}");
        assert_eq!(fetch.reached(), status.is_some(), "{path}");
        let failure = failure(fetch);
        assert_eq!(failure.kind, FailureKind::Timeout, "{path}");
        assert!(failure.message.contains(words), "{path}: {}", failure.message);
    }
}

/// A hundred servers that drip for ever, each a host of its own.
async fn dripping() -> Vec<Server> {
    let mut servers = Vec::new();
    for n in 1..=100 {
        let drip = |_: &str| Reply::dripping("HTTP/1.1 200 OK\r\n\r\n<", Duration::from_secs(1));
        servers.push(Server::start_at(&format!("127.0.1.{n}:0"), drip).await);
    }
    servers
}

fn fetch_all(fetcher: &Fetcher, servers: &[Server]) -> JoinSet<Fetch> {
    let mut all = JoinSet::new();
    for server in servers {
        let (fetcher, url) = (fetcher.clone(), server.url("/"));
        all.spawn(async move { get(&fetcher, &url).await });
    }
    all
}

#[tokio::test]
async fn a_hundred_dripping_servers_delay_nobody_where_there_is_room() {
    let (dripping, quick) = (
        dripping().await,
        Server::start(|_| answer("200 OK", &[], b"x")).await,
    );
    let fetcher = Fetcher::new(FetchConfig {
        concurrency: 200,
        timeout: Duration::from_hours(1),
        ..config(LOOPBACK)
    })
    .unwrap();
    let mut waiting = fetch_all(&fetcher, &dripping);
    let reached = async {
        while dripping.iter().any(|server| server.heads().is_empty()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), reached)
        .await
        .expect("all hundred are being listened to");
    for _ in 0..20 {
        let fetch = tokio::time::timeout(Duration::from_secs(1), get(&fetcher, &quick.url("/"))).await;
        body(fetch.expect("within a second"));
    }
    assert!(waiting.try_join_next().is_none(), "none of them is done");
}

#[tokio::test]
async fn a_round_with_a_hundred_dripping_servers_ends_within_four_timeouts() {
    let dripping = dripping().await;
    let timeout = Duration::from_secs(1);
    let fetcher = Fetcher::new(FetchConfig {
        timeout,
        ..config(LOOPBACK)
    })
    .unwrap();
    let started = Instant::now();
    let all = fetch_all(&fetcher, &dripping).join_all().await;
    let took = started.elapsed();
    assert_eq!(all.len(), 100);
    for fetch in all {
        assert_eq!(failure(fetch).kind, FailureKind::Timeout);
    }
    // Three times 32 and four more; a fifth timeout is for a machine with other work.
    assert!(took >= 4 * timeout && took < 5 * timeout, "{took:?}");
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    // Ten times what any head may have, at once, in one field and in many.
    let server = Server::start(|path| match path {
        "/one" => Reply::hanging(&format!("HTTP/1.1 200 OK\r\nX-Word: {}", "a".repeat(4 << 20))),
        _ => Reply::hanging(&format!(
            "HTTP/1.1 200 OK\r\n{}\r\n",
            "X-A: b\r\n".repeat(500_000)
        )),
    })
    .await;
    for path in ["/one", "/many"] {
        let failure = failure(get(&fetcher(LOOPBACK), &server.url(path)).await);
        assert_eq!(failure.kind, FailureKind::Protocol, "{path}");
        assert!(
            failure.message.contains("fewer headers"),
            "{path}: {}",
            failure.message
        );
    }
}

/// The bombs, by the coding under which they go.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("gzip", gzip_of_repeated(&[b' '; 1 << 20])),
        ("gzip", gzip_of_repeated(&noisy(1 << 20))),
        ("br", include_bytes!("../fixtures/one-gibibyte.br").to_vec()),
        ("zstd", zstd_of_zeros()),
    ]
}

/// Text that a bomb may be made of without a conspicuous ratio: one byte in a hundred is noise.
fn noisy(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    (0..length)
        .map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if at % 100 == 0 { (state >> 24) as u8 } else { b' ' }
        })
        .collect()
}

/// [`BOMB`] bytes of gzip. After a full flush nothing refers to what was before, so that a block can be said again
/// and again without compressing it again. Nobody gets as far as the end, which is missing.
fn gzip_of_repeated(block: &[u8]) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut packed = Vec::with_capacity(block.len());
    deflate
        .compress_vec(block, &mut packed, FlushCompress::Full)
        .unwrap();
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    bomb.extend(packed.repeat(BOMB / block.len()));
    bomb
}

/// [`BOMB`] bytes of zstd: a frame with a window of 8 MiB, and blocks of one byte said 128 Ki times (RFC 8878 section
/// 3.1.1.2).
fn zstd_of_zeros() -> Vec<u8> {
    const BLOCK: usize = 128 << 10;
    let block = |last: usize| (last | 1 << 1 | BLOCK << 3).to_le_bytes();
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (23 - 10) << 3];
    for left in (0..BOMB / BLOCK).rev() {
        bomb.extend(&block(usize::from(left == 0))[..3]);
        bomb.push(0);
    }
    bomb
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bomb_of_a_gibibyte_takes_no_memory() {
    for (coding, bomb) in bombs() {
        let encoding = format!("Content-Encoding: {coding}");
        let server = Server::start(move |_| answer("200 OK", &[&encoding], &bomb)).await;
        let url = server.url("/").to_string();
        // In a process of its own, whose memory is the fetcher's alone.
        tokio::task::spawn_blocking(move || run_with("limits::one_bomb", &[(BOMB_AT, &url)]))
            .await
            .unwrap();
        assert_eq!(server.heads().len(), 1, "{coding}");
    }
}

#[tokio::test]
#[ignore = "run by a_bomb_of_a_gibibyte_takes_no_memory"]
async fn one_bomb() {
    let url = std::env::var_os(BOMB_AT).unwrap();
    let url = Url::parse(url.to_str().unwrap()).unwrap();
    let fetcher = fetcher(LOOPBACK);
    let before = peak_memory();
    let fetch = get(&fetcher, &url).await;
    let grown = peak_memory() - before;
    let received = fetch.hops[0].bytes;
    let failure = failure(fetch);
    println!(
        "{received} bytes received, {grown} KiB more than before: {}",
        failure.message
    );
    assert_eq!(failure.kind, FailureKind::TooLarge);
    assert!(grown < 64 << 10, "{grown} KiB more than before");
}

/// The most memory that this process ever held, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
