//! A web of blogs: one server on loopback that answers for every name, and the poller that asks it. The server keeps a
//! log, and closes each connection, so that each request looks its name up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fetch::{FetchConfig, Fetcher, LookUp, Names};
use model::{Clock, Feed, FeedSpec, FixedClock, Pictures, Site};
use poll::{CronLine, Intervals, Network, PollSummary, Poller, PollerSettings, Selection};
use store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) const INTERVALS: Intervals = Intervals {
    min: Duration::from_mins(30),
    max: Duration::from_hours(24),
};

/// One request as a server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) at: DateTime<Utc>,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) if_none_match: Option<String>,
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
}

/// What a server says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self {
            status: 200,
            body: body.into(),
            ..Self::default()
        }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What answers a request: by host, path and `If-None-Match`, at that time.
type Respond = Box<dyn Fn(&str, &str, Option<&str>, DateTime<Utc>) -> Answer + Send + Sync>;

/// Which names there are.
#[derive(Debug, Default)]
struct Registrar {
    /// Nothing can be looked up.
    away: bool,
    unknown: Vec<String>,
}

struct OurNames(Arc<Mutex<Registrar>>);

impl Names for OurNames {
    fn look_up(&self, name: &str) -> LookUp {
        let registrar = self.0.lock().unwrap();
        let answer = if registrar.away {
            Err(io::Error::other("no answer from any name server"))
        } else if registrar.unknown.iter().any(|unknown| unknown == name) {
            Err(io::Error::new(io::ErrorKind::NotFound, "no such name"))
        } else {
            Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
        };
        Box::pin(async move { answer })
    }
}

/// The blogs, the clock, a store and a poller.
pub(crate) struct Web {
    pub(crate) store: Store,
    pub(crate) port: u16,
    clock: Arc<FixedClock>,
    poller: Poller,
    registrar: Arc<Mutex<Registrar>>,
    log: Arc<Mutex<Vec<Asked>>>,
    network: Network,
}

impl Web {
    pub(crate) async fn new(
        now: &str,
        respond: impl Fn(&str, &str, Option<&str>, DateTime<Utc>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::on(Store::open("sqlite::memory:").await.unwrap(), now, respond).await
    }

    /// As [`Self::new`], on this database.
    pub(crate) async fn on(
        store: Store,
        now: &str,
        respond: impl Fn(&str, &str, Option<&str>, DateTime<Utc>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let clock = Arc::new(FixedClock::at(now.parse().unwrap()));
        let registrar: Arc<Mutex<Registrar>> = Arc::default();
        let log: Arc<Mutex<Vec<Asked>>> = Arc::default();
        tokio::spawn(serve(
            listener,
            Arc::new(Box::new(respond)),
            Arc::clone(&clock),
            Arc::clone(&log),
        ));
        let config = FetchConfig {
            user_agent: "LocalGovDigitalVoice/test (+https://voice.example/about)".to_owned(),
            timeout: Duration::from_secs(20),
            max_body_bytes: 1 << 20,
            concurrency: 32,
            per_host: 2,
            allow: vec!["127.0.0.0/8".parse().unwrap()],
        };
        let names = Arc::new(OurNames(Arc::clone(&registrar)));
        let fetcher = Fetcher::with_names(config, names).unwrap();
        let settings = PollerSettings {
            intervals: INTERVALS,
            schedule: CronLine::parse("0 */5 * * * *", chrono_tz::UTC).unwrap(),
            concurrency: 32,
            per_host: 2,
        };
        let poller = Poller::new(
            store.clone(),
            fetcher,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(site()),
            settings,
        );
        Self {
            store,
            port,
            clock,
            poller,
            registrar,
            log,
            network: Network::default(),
        }
    }

    pub(crate) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/feed", self.port)
    }

    /// Registers the feed of each of these hosts.
    pub(crate) async fn join(&self, hosts: &[String]) {
        let specs: Vec<FeedSpec> = hosts
            .iter()
            .map(|host| FeedSpec::new(self.url(host).parse().unwrap(), host.split('.').next().unwrap()))
            .collect();
        self.store
            .import_feeds(&specs, self.clock.now(), chrono_tz::UTC)
            .await
            .unwrap();
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn pass(&self, time: TimeDelta) {
        self.clock.set(self.clock.now() + time);
    }

    /// Whether our network is there.
    pub(crate) fn away(&self, away: bool) {
        self.registrar.lock().unwrap().away = away;
    }

    /// The only names that there are not.
    pub(crate) fn unknown(&self, names: &[String]) {
        self.registrar.lock().unwrap().unknown = names.to_vec();
    }

    /// A round of what is due.
    pub(crate) async fn round(&mut self) -> PollSummary {
        self.poll(Selection::Due).await
    }

    /// A round of all.
    pub(crate) async fn round_of_all(&mut self) -> PollSummary {
        self.poll(Selection::All).await
    }

    pub(crate) async fn poll(&mut self, selection: Selection<'_>) -> PollSummary {
        let (feeds, _) = self.poller.select(selection).await.unwrap();
        let (_stop, stopped) = watch::channel(false);
        self.poller
            .poll(feeds, &mut self.network, &stopped, &|_| ())
            .await
    }

    pub(crate) async fn feed(&self, slug: &str) -> Feed {
        let feeds = self.store.feeds().await.unwrap();
        feeds.into_iter().find(|feed| feed.slug == slug).unwrap()
    }

    pub(crate) fn log(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// The log in the form of the ledger: for each host its requests, its 304s, and the bytes of its bodies.
    pub(crate) fn log_by_host(&self) -> BTreeMap<String, (u64, u64, u64)> {
        let mut hosts: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
        for asked in self.log() {
            let (requests, not_modified, bytes) = hosts.entry(asked.host).or_default();
            *requests += 1;
            *not_modified += u64::from(asked.status == 304);
            *bytes += asked.body_bytes;
        }
        hosts
    }

    /// The ledger since the beginning.
    pub(crate) async fn ledger(&self) -> BTreeMap<String, (u64, u64, u64)> {
        let since = DateTime::UNIX_EPOCH.date_naive();
        let hosts = self.store.host_use(since).await.unwrap();
        hosts
            .into_iter()
            .map(|host| (host.host, (host.requests, host.not_modified, host.bytes)))
            .collect()
    }
}

async fn serve(
    listener: TcpListener,
    respond: Arc<Respond>,
    clock: Arc<FixedClock>,
    log: Arc<Mutex<Vec<Asked>>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (respond, clock, log) = (Arc::clone(&respond), Arc::clone(&clock), Arc::clone(&log));
        tokio::spawn(async move {
            // Whoever hangs up gets no answer.
            let _ = answer(stream, &respond, clock.now(), &log).await;
        });
    }
}

async fn answer(
    mut stream: TcpStream,
    respond: &Respond,
    now: DateTime<Utc>,
    log: &Mutex<Vec<Asked>>,
) -> io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8(head).unwrap();
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let host = header("host").unwrap().split(':').next().unwrap().to_owned();
    let if_none_match = header("if-none-match");
    let answer = respond(&host, &path, if_none_match.as_deref(), now);
    let mut text = format!("HTTP/1.1 {} Said\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    if answer.status != 304 {
        let _ = write!(text, "Content-Length: {}\r\n", answer.body.len());
    }
    text.push_str("\r\n");
    text.push_str(&answer.body);
    log.lock().unwrap().push(Asked {
        at: now,
        host,
        path,
        if_none_match,
        status: answer.status,
        body_bytes: answer.body.len() as u64,
    });
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// A feed with these posts, each a title and the instant of its publication, newest first.
pub(crate) fn rss(title: &str, site: &str, posts: &[(String, DateTime<Utc>)]) -> String {
    let mut text =
        format!("<rss version=\"2.0\"><channel><title>{title}</title><link>{site}</link><description/>");
    for (post, at) in posts {
        let _ = write!(
            text,
            "<item><title>{post}</title><guid>{site}{post}</guid><link>{site}{post}</link><pubDate>{}</pubDate>\
             <description>Words of {post}.</description></item>",
            at.to_rfc2822()
        );
    }
    text + "</channel></rss>"
}

fn site() -> Site {
    Site {
        title: "Example Voice".to_owned(),
        subtitle: String::new(),
        url: "https://voice.example".to_owned(),
        language: "en-GB".to_owned(),
        timezone: chrono_tz::UTC,
        contact: "https://voice.example/about".to_owned(),
        email: None,
        pictures: Pictures::Off,
        ai_training: false,
        hub: None,
        network_hashtags: Vec::new(),
        hashtag_groups: Vec::new(),
        topics: Vec::new().into(),
        digest_schedule: "0 0 7 * * Mon".to_owned(),
        digest_late_days: 28,
    }
}
