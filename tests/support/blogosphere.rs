//! A blogosphere on loopback: a server of scripted answers that keeps a log of every request, and of how many it had
//! in hand at once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How the server answers a path.
#[derive(Clone)]
pub(crate) enum Answer {
    /// 200 with an entity tag made from the body, and 304 to whoever has it.
    Feed(String),
    /// A status, headers and a body, as they are.
    Raw(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A body of so many bytes, with no end in sight.
    Endless(usize),
    /// Nothing, until the client goes away.
    Silence,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

/// The server; it lives as long as the test.
#[derive(Clone)]
pub(crate) struct Blogosphere {
    pub(crate) address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
    /// How long it thinks about each answer.
    pace: Duration,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, Answer>,
    requests: Vec<Request>,
    in_hand: HashMap<String, usize>,
    most_at_once: usize,
    most_at_once_of_a_path: usize,
}

impl Blogosphere {
    pub(crate) fn start() -> Self {
        Self::on("127.0.0.1:0", Duration::ZERO)
    }

    /// One that thinks about each answer for so long, and answers at every address of 127.0.0.0/8 (as Linux lets it),
    /// so that each of [`Self::url_at_host`] is a host of its own.
    pub(crate) fn of_many_hosts(pace: Duration) -> Self {
        Self::on("0.0.0.0:0", pace)
    }

    fn on(address: &str, pace: Duration) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        let blogosphere = Self {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            state: Arc::default(),
            pace,
        };
        let server = blogosphere.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.converse(&stream));
            }
        });
        blogosphere
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The address of `path` at the host of this number.
    pub(crate) fn url_at_host(&self, number: usize, path: &str) -> String {
        let (high, low) = (number / 250, number % 250 + 1);
        format!("http://127.1.{high}.{low}:{}{path}", self.address.port())
    }

    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.state
            .0
            .lock()
            .unwrap()
            .answers
            .insert(path.to_owned(), answer);
    }

    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        let state = self.state.0.lock().unwrap();
        state
            .requests
            .iter()
            .filter(|request| request.path == path)
            .cloned()
            .collect()
    }

    pub(crate) fn request_count(&self) -> usize {
        self.state.0.lock().unwrap().requests.len()
    }

    /// How often each path was asked for.
    pub(crate) fn hits(&self) -> HashMap<String, usize> {
        let mut hits = HashMap::new();
        for request in &self.state.0.lock().unwrap().requests {
            *hits.entry(request.path.clone()).or_default() += 1;
        }
        hits
    }

    /// The most requests that were in hand at once: of one path, and in all.
    pub(crate) fn most_at_once(&self) -> (usize, usize) {
        let state = self.state.0.lock().unwrap();
        (state.most_at_once_of_a_path, state.most_at_once)
    }

    /// Waits until `done` says yes; it is asked again when a request comes, and now and then.
    pub(crate) fn wait_until(&self, what: &str, within: Duration, mut done: impl FnMut() -> bool) {
        let (state, news) = &*self.state;
        let deadline = Instant::now() + within;
        while !done() {
            assert!(Instant::now() < deadline, "{what}: not within {within:?}");
            let state = state.lock().unwrap();
            drop(news.wait_timeout(state, Duration::from_millis(250)).unwrap());
        }
    }

    /// Waits until the server has seen `count` requests in all.
    pub(crate) fn wait_for_requests(&self, count: usize) {
        let (state, news) = &*self.state;
        let deadline = Instant::now() + Duration::from_mins(1);
        let mut state = state.lock().unwrap();
        while state.requests.len() < count {
            let left = deadline
                .checked_duration_since(Instant::now())
                .expect("the requests did not come in time");
            state = news.wait_timeout(state, left).unwrap().0;
        }
    }

    fn converse(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(request) = read_request(&mut reader) {
            let answer = {
                let mut state = self.state.0.lock().unwrap();
                let answer = state.answers.get(&request.path).cloned();
                state.requests.push(request.clone());
                state.begin(&request.path);
                self.state.1.notify_all();
                answer
            };
            std::thread::sleep(self.pace);
            // Before the answer goes out, or who has it could ask again while we still count it.
            self.state.0.lock().unwrap().end(&request.path);
            let answer = answer.unwrap_or(Answer::Raw(404, vec![], b"not here".to_vec()));
            // A client that has had enough hangs up; that is its right.
            if respond(stream, &request, answer).is_err() {
                return;
            }
        }
    }
}

impl State {
    fn begin(&mut self, path: &str) {
        let of_path = self.in_hand.entry(path.to_owned()).or_default();
        *of_path += 1;
        self.most_at_once_of_a_path = self.most_at_once_of_a_path.max(*of_path);
        self.most_at_once = self.most_at_once.max(self.in_hand.values().sum());
    }

    fn end(&mut self, path: &str) {
        if let Some(of_path) = self.in_hand.get_mut(path) {
            *of_path -= 1;
        }
        self.in_hand.retain(|_, of_path| *of_path > 0);
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers: HashMap<String, String> = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    std::io::Read::read_exact(reader, &mut body).ok()?;
    Some(Request {
        path,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn respond(mut stream: &TcpStream, request: &Request, answer: Answer) -> std::io::Result<()> {
    match answer {
        Answer::Feed(body) => {
            let etag = tag_of(&body);
            let known = request.headers.get("if-none-match") == Some(&etag);
            let (status, body) = if known { (304, String::new()) } else { (200, body) };
            let headers = vec![("ETag", etag), ("Content-Type", "application/xml".to_owned())];
            send(stream, status, &headers, body.as_bytes())
        }
        Answer::Raw(status, headers, body) => send(stream, status, &headers, &body),
        Answer::Endless(size) => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n\r\n")?;
            let piece = vec![b' '; 65_536];
            for _ in 0..size / piece.len() {
                stream.write_all(&piece)?;
            }
            Err(std::io::ErrorKind::ConnectionAborted.into())
        }
        Answer::Silence => {
            let mut nothing = [0; 1];
            // Reads until the client hangs up.
            std::io::Read::read(&mut stream, &mut nothing).map(|_| ())
        }
    }
}

fn send(mut stream: &TcpStream, status: u16, headers: &[(&str, String)], body: &[u8]) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

fn checksum(text: &str) -> u64 {
    text.bytes()
        .fold(17, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)))
}

/// The entity tag that [`Answer::Feed`] gives this body.
pub(crate) fn tag_of(body: &str) -> String {
    format!("\"{}-{}\"", body.len(), checksum(body))
}

/// An RSS feed of a blog whose posts have these numbers, the newest first. Post `n` is of day `n` of 2015.
pub(crate) fn rss(blog: &str, posts: impl IntoIterator<Item = u32>) -> String {
    let mut items = String::new();
    for n in posts {
        let day = chrono::NaiveDate::from_yo_opt(2015, n).unwrap();
        write!(
            items,
            "<item><title>{blog}: post {n} &amp; more</title><link>https://{blog}.example/{n}/</link>\
             <guid isPermaLink=\"false\">{blog}-{n}</guid><pubDate>{} 09:00:00 +0000</pubDate>\
             <description>&lt;p&gt;Post {n} of {blog}, written for #localgovdigital.&lt;/p&gt;\
             &lt;script&gt;alert(1)&lt;/script&gt;</description></item>",
            day.format("%a, %d %b %Y"),
        )
        .unwrap();
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><rss version=\"2.0\"><channel><title>{blog}</title>\
         <link>https://{blog}.example/</link><description>An example</description>{items}</channel></rss>"
    )
}
