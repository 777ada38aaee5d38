//! A web server for tests that says exactly the bytes it is told to, and keeps what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fetch::{FetchConfig, Fetcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A server on loopback; it ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

/// What a server says to a request.
pub(crate) struct Reply {
    bytes: Vec<u8>,
    hangs: bool,
}

impl Reply {
    /// These bytes and the end of the connection.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            hangs: false,
        }
    }

    /// These bytes, and then nothing more, ever.
    pub(crate) fn hanging(bytes: &str) -> Self {
        Self {
            bytes: bytes.into(),
            hangs: true,
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
        Self::start_at("127.0.0.1", reply).await
    }

    pub(crate) async fn start_at(ip: &str, reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let reply = Arc::new(reply);
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (seen, reply) = (Arc::clone(&seen), Arc::clone(&reply));
                tokio::spawn(async move {
                    let head = read_head(&mut stream).await;
                    let reply = reply(head.split(' ').nth(1).unwrap());
                    seen.lock().unwrap().push(head);
                    write(&mut stream, reply).await;
                });
            }
        });
        Self { address, heads }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// The heads of all requests, in order, names in lower case as hyper sends them.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// The head of a request, up to the empty line.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Sends a reply; the client may hang up in the middle of it.
pub(crate) async fn write(stream: &mut TcpStream, reply: Reply) {
    if stream.write_all(&reply.bytes).await.is_ok() && reply.hangs {
        std::future::pending::<()>().await;
    }
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
