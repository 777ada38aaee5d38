//! Hubs (WebSub): the whole program subscribes at one of ours, renews, polls when it pushes, and lets go.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use support::blogosphere::{Answer, Blogosphere, rss};
use support::{Server, Voice, config_with};

/// A site that the internet reaches, and that looks for what is due every second.
const PUBLIC: &str = "[site]\nurl = \"https://voice.example\"\n[fetch]\nallow = [\"127.0.0.0/8\"]\nschedule = \"* * * * * *\"\n";

/// What somebody asked a hub for.
type Asked = HashMap<String, String>;

/// A hub that takes every request (202) and leaves the rest to the test.
struct Hub {
    url: String,
    asked: Arc<(Mutex<Vec<Asked>>, Condvar)>,
}

impl Hub {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hub", listener.local_addr().unwrap());
        let asked: Arc<(Mutex<Vec<Asked>>, Condvar)> = Arc::default();
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let form = form(&stream);
                let answer = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                (&stream).write_all(answer.as_bytes()).unwrap();
                heard.0.lock().unwrap().push(form);
                heard.1.notify_all();
            }
        });
        Self { url, asked }
    }

    /// The request of this number, once it is there.
    fn asked(&self, number: usize) -> Asked {
        let (asked, news) = &*self.asked;
        let wait = news.wait_timeout_while(asked.lock().unwrap(), Duration::from_mins(1), |asked| {
            asked.len() <= number
        });
        let (asked, waited) = wait.unwrap();
        assert!(!waited.timed_out(), "no request number {number}: {asked:?}");
        asked[number].clone()
    }
}

/// The form that is posted on a connection.
fn form(stream: &TcpStream) -> Asked {
    let mut reader = BufReader::new(stream);
    let (mut length, mut line) = (0, String::new());
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    url::form_urlencoded::parse(&body).into_owned().collect()
}

/// The path of the callback, for everybody reaches the site at another address here.
fn callback(asked: &Asked) -> &str {
    asked["hub.callback"]
        .strip_prefix("https://voice.example")
        .unwrap()
}

/// Asks the site whether it wants what it asked for.
fn verify(server: &Server, asked: &Asked, mode: &str, lease: u32) -> (u16, String) {
    let topic: String = url::form_urlencoded::byte_serialize(asked["hub.topic"].as_bytes()).collect();
    let query = format!("hub.mode={mode}&hub.topic={topic}&hub.challenge=abc&hub.lease_seconds={lease}");
    let reply = server.get(&format!("{}?{query}", callback(asked)));
    (reply.status, reply.body)
}

/// Pushes `body`, signed with `secret`; gives the status.
fn push(server: &Server, asked: &Asked, secret: &str, body: &str) -> u16 {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let mut signature = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(signature, "{byte:02x}").unwrap();
    }
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(
        stream,
        "POST {} HTTP/1.1\r\nHost: voice.example\r\nConnection: close\r\nContent-Type: application/rss+xml\r\n\
         X-Hub-Signature: sha256={signature}\r\nContent-Length: {}\r\n\r\n{body}",
        callback(asked),
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A feed that names this hub.
fn with_hub(feed: &str, hub: &str, itself: &str) -> Answer {
    let links = format!("<atom:link rel=\"hub\" href=\"{hub}\"/><atom:link rel=\"self\" href=\"{itself}\"/>");
    let feed = feed.replace("<rss ", "<rss xmlns:atom=\"http://www.w3.org/2005/Atom\" ");
    Answer::Feed(feed.replacen("<description>", &format!("{links}<description>"), 1))
}

#[test]
fn a_hub_is_subscribed_to_heard_and_let_go() {
    let (blogs, hub) = (Blogosphere::start(), Hub::start());
    let topic = "https://ada.example/feed";
    blogs.answer("/ada", with_hub(&rss("ada", [1]), &hub.url, topic));
    let feeds = [("ada", blogs.url("/ada"))];
    let voice = Voice::with_config(&config_with(PUBLIC, &feeds));
    let server = voice.serve();

    let asked = hub.asked(0);
    assert_eq!(
        (asked["hub.mode"].as_str(), asked["hub.topic"].as_str()),
        ("subscribe", topic)
    );
    assert!(
        asked["hub.secret"].len() >= 32 && callback(&asked).len() >= 32,
        "{asked:?}"
    );
    assert_eq!(verify(&server, &asked, "unsubscribe", 4).0, 404);
    assert_eq!(verify(&server, &asked, "subscribe", 4), (200, "abc".to_owned()));
    assert_eq!(
        verify(&server, &asked, "subscribe", 4).0,
        404,
        "it is asked for no more"
    );

    // The lease is renewed before it ends, under the same callback.
    let confirmed = Instant::now();
    let renewal = hub.asked(1);
    assert!(
        confirmed.elapsed() < Duration::from_secs(4),
        "{:?}",
        confirmed.elapsed()
    );
    assert_eq!(renewal, asked);
    assert_eq!(verify(&server, &renewal, "subscribe", 864_000).0, 200);

    // Whoever does not know the secret is not heard, and what a push says is not believed.
    blogs.answer("/ada", with_hub(&rss("ada", [2, 1]), &hub.url, topic));
    let forged = rss("ada", [9, 1]);
    assert_eq!(push(&server, &asked, "another secret", &forged), 403);
    assert_eq!(blogs.hits()["/ada"], 1);
    assert_eq!(push(&server, &asked, &asked["hub.secret"], &forged), 202);
    server.wait_for("/feed.atom", |feed| feed.body.contains("ada: post 2"));
    assert_eq!(blogs.hits()["/ada"], 2);
    assert!(!server.get("/feed.atom").body.contains("ada: post 9"));

    let listed = voice.json(&["feeds", "list", "--json"]);
    assert_eq!(listed[0]["hub"]["url"], hub.url);
    assert!(listed[0]["hub"]["subscribed_until"].is_string(), "{listed}");

    std::fs::write(voice.path("feeds.toml"), PUBLIC).unwrap();
    server.hang_up();
    let farewell = hub.asked(2);
    assert_eq!(
        (farewell["hub.mode"].as_str(), farewell["hub.topic"].as_str()),
        ("unsubscribe", topic)
    );
    assert_eq!(
        verify(&server, &farewell, "unsubscribe", 0),
        (200, "abc".to_owned())
    );
    assert_eq!(push(&server, &asked, &asked["hub.secret"], ""), 410);
}

#[test]
fn a_dead_hub_changes_nothing() {
    let blogs = Blogosphere::start();
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    blogs.answer("/ada", with_hub(&rss("ada", [1]), &dead, &blogs.url("/ada")));
    let settings = format!("{PUBLIC}min_interval = \"1s\"\nmax_interval = \"1s\"\n");
    let voice = Voice::with_config(&config_with(&settings, &[("ada", blogs.url("/ada"))]));
    let server = voice.serve();
    server.wait_for_log("a hub cannot be subscribed to");
    blogs.answer("/ada", with_hub(&rss("ada", [2, 1]), &dead, &blogs.url("/ada")));
    server.wait_for("/feed.atom", |feed| feed.body.contains("ada: post 2"));
    let listed = voice.json(&["feeds", "list", "--json"]);
    assert_eq!(
        (listed[0]["failures"].as_u64(), &listed[0]["state"]),
        (Some(0), &"healthy".into())
    );
    assert!(listed[0]["hub"]["last_error"].is_string(), "{listed}");
}

#[test]
fn a_site_that_no_hub_reaches_asks_none() {
    let (blogs, hub) = (Blogosphere::start(), Hub::start());
    // A public hub, by its name: what is allowed is the blog alone.
    blogs.answer(
        "/ada",
        with_hub(&rss("ada", [1]), "http://hub.example/", &blogs.url("/ada")),
    );
    blogs.answer("/ben", with_hub(&rss("ben", [1]), &hub.url, &blogs.url("/ben")));
    let feeds = [("ada", blogs.url("/ada")), ("ben", blogs.url("/ben"))];
    let private = PUBLIC.replace("https://voice.example", "http://127.0.0.1:8080");
    let voice = Voice::with_config(&config_with(&private, &feeds));
    let _server = voice.serve();
    // One on the same machine reaches it.
    assert_eq!(hub.asked(0)["hub.topic"], blogs.url("/ben"));
    let listed = voice.json(&["feeds", "list", "--json"]);
    let asked = |slug: &str| {
        let feed = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|feed| feed["slug"] == slug)
            .unwrap();
        feed["hub"]["asked_at"].is_string()
    };
    assert_eq!((asked("ada"), asked("ben")), (false, true), "{listed}");
}
