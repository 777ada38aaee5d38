//! A web server for tests that says exactly the bytes it is told to, and keeps what it was asked.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fetch::{Body, Failure, Fetch, FetchConfig, FetchOutcome, Fetcher, LookUp, Names};
use model::Validators;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

/// A server on loopback; it ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    bodies: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

/// What a server says to a request.
pub(crate) struct Reply {
    bytes: Vec<u8>,
    after: After,
}

/// What a server does when it has said its bytes.
enum After {
    Close,
    Hang,
    /// Says the last byte again and again, this long apart.
    Drip(Duration),
}

impl Reply {
    /// These bytes and the end of the connection.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            after: After::Close,
        }
    }

    /// These bytes, and then nothing more, ever.
    pub(crate) fn hanging(bytes: &str) -> Self {
        Self {
            bytes: bytes.into(),
            after: After::Hang,
        }
    }

    /// These bytes, and then the last of them again and again, this long apart, for as long as it is listened to.
    pub(crate) fn dripping(bytes: &str, apart: Duration) -> Self {
        Self {
            bytes: bytes.into(),
            after: After::Drip(apart),
        }
    }
}

/// A whole answer with these header lines.
pub(crate) fn answer(status: &str, lines: &[&str], body: &[u8]) -> Reply {
    let length = body.len();
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n").into_bytes();
    for line in lines {
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    Reply::raw(bytes)
}

impl Server {
    /// Gives each request the reply to its path.
    pub(crate) async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", reply).await
    }

    /// At this address and port.
    pub(crate) async fn start_at(place: &str, reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(place).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heads, bodies) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let connections = Arc::new(AtomicUsize::new(0));
        let reply = Arc::new(reply);
        let (seen, posted, counted) = (Arc::clone(&heads), Arc::clone(&bodies), Arc::clone(&connections));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let (seen, posted, reply) = (Arc::clone(&seen), Arc::clone(&posted), Arc::clone(&reply));
                tokio::spawn(async move {
                    let head = read_head(&mut stream).await;
                    if let Some(length) = length(&head) {
                        let mut body = vec![0; length];
                        stream.read_exact(&mut body).await.unwrap();
                        posted.lock().unwrap().push(String::from_utf8(body).unwrap());
                    }
                    let reply = reply(head.split(' ').nth(1).unwrap());
                    seen.lock().unwrap().push(head);
                    write(&mut stream, reply).await;
                });
            }
        });
        Self {
            address,
            heads,
            bodies,
            connections,
        }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// How many connections were made, whether anything was asked on them or not.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The heads of all requests, in order, names in lower case as hyper sends them.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// What was posted, in order.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }
}

/// The length of the body that follows a head, if one does.
fn length(head: &str) -> Option<usize> {
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    line.map(|length| length.parse().unwrap())
}

/// The head of a request, up to the empty line.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Sends a reply; the client may hang up in the middle of it.
pub(crate) async fn write(stream: &mut (impl AsyncWrite + Unpin), reply: Reply) {
    if stream.write_all(&reply.bytes).await.is_err() {
        return;
    }
    match reply.after {
        After::Close => {
            // TLS says good-bye; whoever has gone does not hear it.
            let _ = stream.shutdown().await;
        }
        After::Hang => std::future::pending().await,
        After::Drip(apart) => {
            let mut beat = tokio::time::interval(apart);
            let last = *reply.bytes.last().unwrap();
            while stream.write_u8(last).await.is_ok() {
                beat.tick().await;
            }
        }
    }
}

/// Names that lead where a test says: each look-up of one takes the next of its answers, the last of them for good.
#[derive(Default)]
pub(crate) struct Table {
    answers: HashMap<String, Vec<Vec<IpAddr>>>,
    asked: Mutex<HashMap<String, usize>>,
}

impl Table {
    pub(crate) fn with(mut self, name: &str, answers: &[&[&str]]) -> Self {
        let answers = answers
            .iter()
            .map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect())
            .collect();
        self.answers.insert(name.to_owned(), answers);
        self
    }

    /// How often `name` was looked up.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

impl Names for Table {
    fn look_up(&self, name: &str) -> LookUp {
        let mut asked = self.asked.lock().unwrap();
        let nth = asked.entry(name.to_owned()).or_default();
        *nth += 1;
        let answer = self
            .answers
            .get(name)
            .map(|answers| answers[(*nth - 1).min(answers.len() - 1)].clone());
        Box::pin(async move { answer.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

/// Runs the ignored test `test` in a process of its own with this environment; it must pass.
pub(crate) fn run_with(test: &str, environment: &[(&str, &str)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr]
        .map(|said| String::from_utf8_lossy(&said).into_owned())
        .concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    println!("{said}");
}

pub(crate) fn config(allow: &[&str]) -> FetchConfig {
    FetchConfig {
        user_agent: "LocalGovDigitalVoice/1.0 (+https://voice.example.org/about)".to_owned(),
        timeout: Duration::from_secs(20),
        max_body_bytes: 8 << 20,
        concurrency: 32,
        per_host: 2,
        allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
    }
}

pub(crate) fn fetcher(allow: &[&str]) -> Fetcher {
    Fetcher::new(config(allow)).unwrap()
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

pub(crate) async fn get(fetcher: &Fetcher, url: &Url) -> Fetch {
    fetcher.fetch(url, &Validators::default(), now()).await
}

pub(crate) fn body(fetch: Fetch) -> Body {
    match fetch.outcome {
        FetchOutcome::Modified(body) => body,
        other => panic!("no body but {other:?}"),
    }
}

pub(crate) fn failure(fetch: Fetch) -> Failure {
    match fetch.outcome {
        FetchOutcome::Failed(failure) => failure,
        other => panic!("no failure but {other:?}"),
    }
}
