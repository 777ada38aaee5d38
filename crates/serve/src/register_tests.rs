//! Tests of joining, through the router, with blogs on loopback.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use model::FeedStatus;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::testing::{Answer, Client};

/// A blog on loopback.
pub(crate) struct Blog {
    pub(crate) url: String,
    pub(crate) asked: Arc<AtomicU32>,
    head: Arc<Mutex<String>>,
}

const FEED: &str = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>Ann writes</title><link>SITE</link>
<item><title>Councillors &lt;script&gt;alert(1)&lt;/script&gt;</title><link>SITEone</link><guid>SITEone</guid>
<pubDate>Mon, 16 Nov 2026 09:00:00 GMT</pubDate><description>EXTRA What councillors said at the meeting.</description></item>
</channel></rss>"#;

impl Blog {
    /// One whose front page names its feed, and one of comments before it.
    pub(crate) async fn start() -> Self {
        Self::with(|path, site| match path {
            "/" => (
                "text/html",
                format!(
                    "<html><head><link rel=alternate type=application/rss+xml title='Comments' href='/comments/feed'>\
                     <link rel=alternate type=application/rss+xml title='Posts' href='{site}feed'></head></html>"
                ),
            ),
            "/feed" | "/comments/feed" | "/new/feed" => ("application/rss+xml", FEED.replace("SITE", site).replace("EXTRA", "")),
            _ => ("text/plain", String::new()),
        })
        .await
    }

    /// One that answers what `answer` gives for a path and its own address; nothing is a 404.
    pub(crate) async fn with(answer: fn(&str, &str) -> (&'static str, String)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicU32::new(0));
        let head = Arc::<Mutex<String>>::default();
        let (site, count, says) = (url.clone(), Arc::clone(&asked), Arc::clone(&head));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (site, says) = (site.clone(), Arc::clone(&says));
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                            return;
                        }
                        request.push(byte[0]);
                    }
                    let request = String::from_utf8_lossy(&request).into_owned();
                    let path = request.split(' ').nth(1).unwrap_or("/");
                    let (media_type, body) = answer(path, &site);
                    let body = body.replace("<head>", &format!("<head>{}", says.lock().unwrap()));
                    let status = if body.is_empty() {
                        "404 Not Found"
                    } else {
                        "200 OK"
                    };
                    let head = format!(
                        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(head.as_bytes()).await;
                    let _ = stream.write_all(body.as_bytes()).await;
                });
            }
        });
        Self { url, asked, head }
    }

    /// What stands in the head of its front page from now on.
    pub(crate) fn says(&self, head: &str) {
        head.clone_into(&mut self.head.lock().unwrap());
    }
}

/// The value of a hidden field or an input of a page.
pub(crate) fn value_of(page: &Answer, name: &str) -> String {
    let at = page.text().find(&format!("name=\"{name}\"")).expect(name);
    let rest = &page.text()[at..];
    let from = rest.find("value=\"").unwrap() + 7;
    rest[from..].split('"').next().unwrap().to_owned()
}

pub(crate) fn details<'a>(blog: &'a str, secret: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("step", "join"),
        ("blog", blog),
        ("secret", secret),
        ("name", "Ann Example"),
        ("organisation", "Example Council"),
        ("kind", "person"),
        ("content", "excerpt"),
        ("include", "all"),
        ("licence", "CC-BY-4.0"),
        ("email", "ann@example.org"),
        ("consent", "yes"),
    ]
}

/// The path of the manage page that a registration ends in.
pub(crate) async fn join(client: &Client, blog: &Blog) -> String {
    let preview = client.post("/register", &[("blog", &blog.url)]).await;
    let secret = value_of(&preview, "secret");
    let done = client.post("/register", &details(&blog.url, &secret)).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    format!("/manage/{secret}")
}

pub(crate) fn is_private(answer: &Answer) {
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert!(answer.header("x-robots-tag").contains("noindex"));
    assert!(
        answer
            .header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
    for absent in [
        "content-encoding",
        "etag",
        "last-modified",
        "access-control-allow-origin",
        "set-cookie",
    ] {
        assert!(!answer.headers.contains_key(absent), "{absent}");
    }
}

#[tokio::test]
async fn a_blogger_joins() {
    let client = Client::new().await;
    let blog = Blog::start().await;
    let asks = client
        .send("GET", "/register", &[("accept-encoding", "gzip")])
        .await;
    is_private(&asks);
    assert!(asks.text().contains("<label class=\"label\" for=\"blog\">"));
    let preview = client.post("/register", &[("blog", &blog.url)]).await;
    assert_eq!(preview.status, StatusCode::OK);
    is_private(&preview);
    // The posts' own feed, and not that of comments.
    let shown = preview.text().replace("<wbr>", "");
    assert!(shown.contains(&format!("{}feed", blog.url)), "{shown}");
    assert!(preview.text().contains("Look at this one"));
    assert!(preview.text().contains("value=\"Ann writes\""));
    assert!(!preview.text().contains("<script"));
    let secret = value_of(&preview, "secret");
    let done = client.post("/register", &details(&blog.url, &secret)).await;
    is_private(&done);
    assert!(
        done.text()
            .contains(&format!("https://voice.example.org/manage/{secret}"))
    );
    let feeds = client.store.feeds().await.unwrap();
    let feed = feeds
        .iter()
        .find(|feed| feed.member.slug == "ann-example")
        .unwrap();
    assert_eq!(feed.status, FeedStatus::Pending);
    assert_eq!(feed.url.as_str(), format!("{}feed", blog.url));
    // Nothing of it is shown, and a second press changes nothing.
    assert_eq!(
        client.get("/members/ann-example").await.status,
        StatusCode::NOT_FOUND
    );
    let again = client.post("/register", &details(&blog.url, &secret)).await;
    assert!(again.text().contains(&format!("/manage/{secret}")));
    assert_eq!(client.store.feeds().await.unwrap().len(), feeds.len());
}

#[tokio::test]
async fn an_address_that_is_known_makes_no_second_member() {
    let client = Client::new().await;
    let blog = Blog::start().await;
    join(&client, &blog).await;
    let before = client.store.feeds().await.unwrap().len();
    for address in [
        blog.url.clone(),
        format!("{}feed/", blog.url).replace("feed/", "feed"),
        format!("{}feed#top", blog.url),
        // Its feed of comments, by the page that names both, is the same blog; by itself it is not asked for.
        blog.url.replace("http://", ""),
    ] {
        let known = client.post("/register", &[("blog", &address)]).await;
        assert!(known.text().contains("We know this blog already"), "{address}");
        assert!(known.text().contains("It is mine: give me a link"), "{address}");
        is_private(&known);
    }
    // Another who fills the form in.
    let secret = "0".repeat(64);
    let other = client.post("/register", &details(&blog.url, &secret)).await;
    assert!(other.text().contains("We know this blog already"));
    assert_eq!(client.store.feeds().await.unwrap().len(), before);
    let claim = client
        .post("/register", &[("step", "claim"), ("blog", &blog.url)])
        .await;
    assert!(claim.text().contains("A link to prove that it is yours"));
}

#[tokio::test]
async fn mistakes_are_told_and_what_was_written_is_kept() {
    let client = Client::new().await;
    let blog = Blog::start().await;
    let empty = client.post("/register", &[("blog", "")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    is_private(&empty);
    for words in [
        "<title>Error: Add your blog",
        "class=\"error-summary\" role=\"alert\"",
        "<a href=\"#blog\">Enter the address",
        "aria-invalid=\"true\" aria-describedby=\"blog-hint blog-mistake\"",
    ] {
        assert!(empty.text().contains(words), "{words}\n{}", empty.text());
    }
    let secret = "1".repeat(64);
    let mut wrong = details(&blog.url, &secret);
    wrong.retain(|(name, _)| !["name", "kind", "consent", "email", "licence"].contains(name));
    wrong.extend([
        ("email", "nobody"),
        ("licence", "my own <b>"),
        ("name", "\u{202E}nnA"),
    ]);
    let again = client.post("/register", &wrong).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["name", "kind", "email", "licence", "consent"] {
        assert!(
            again.text().contains(&format!("<a href=\"#{field}\">")),
            "{field}"
        );
        assert!(again.text().contains(&format!("id=\"{field}\"")), "{field}");
    }
    assert!(again.text().contains("value=\"Example Council\""));
    assert!(again.text().contains("value=\"nobody\""));
    assert_eq!(value_of(&again, "secret"), secret);
}

#[tokio::test]
async fn what_lies_inside_is_not_looked_at() {
    let client = Client::new().await;
    for address in [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://0x7f.1.1.1.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://192.168.0.1/feed",
        "http://metadata.google.internal/",
        "http://user:pass@10.0.0.1/",
        "file:///etc/passwd",
        "gopher://10.0.0.1/",
    ] {
        let answer = client.post("/register", &[("blog", address)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{address}");
        assert!(answer.text().contains("error-message"), "{address}");
    }
}

#[tokio::test]
async fn many_presses_are_one_look_and_too_many_are_refused() {
    let client = Client::new().await;
    let blog = Blog::start().await;
    let fields = [("blog", blog.url.as_str())];
    let (one, two, three) = tokio::join!(
        client.post("/register", &fields),
        client.post("/register", &fields),
        client.post("/register", &fields),
    );
    for answer in [one, two, three] {
        assert_eq!(answer.status, StatusCode::OK);
    }
    // The page, and the feed that it names.
    assert_eq!(blog.asked.load(Ordering::SeqCst), 2);
    let mut refused = 0;
    for _ in 0..100 {
        let answer = client.post("/register", &fields).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused += 1;
            assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
            is_private(&answer);
        }
    }
    assert!(refused >= 60, "{refused}");
    assert_eq!(blog.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_form_has_its_bounds() {
    let client = Client::new().await;
    let large = "x".repeat(70 * 1024);
    assert_eq!(
        client.post("/register", &[("blog", &large)]).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let json = client
        .send("POST", "/register", &[("content-type", "application/json")])
        .await;
    assert_eq!(json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    is_private(&json);
    let forged = client
        .send("POST", "/register", &[("sec-fetch-site", "cross-site")])
        .await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_page_of_ten_thousand_links_and_a_feed_without_end_are_survived() {
    let client = Client::new().await;
    let many = Blog::with(|path, _| match path {
        "/" => (
            "text/html",
            (0..10_000).fold(String::new(), |page, n| {
                page + &format!("<link rel=alternate type=text/xml href=/{n}><a href=/{n}>x</a>")
            }),
        ),
        _ => ("text/plain", String::new()),
    })
    .await;
    let answer = client.post("/register", &[("blog", &many.url)]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(many.asked.load(Ordering::SeqCst) <= 6);
    let huge = Blog::with(|_, site| {
        let feed = FEED.replace("SITE", site).replace("EXTRA", &"x ".repeat(5 << 20));
        ("application/rss+xml", feed)
    })
    .await;
    let answer = client.post("/register", &[("blog", &huge.url)]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn what_joining_asks_of_a_blog_stands_in_the_ledger_of_its_host() {
    let (client, blog) = (Client::new().await, Blog::start().await);
    let today = client.state.now().date_naive();
    let ledger = async || {
        let hosts = client.store.host_use(today).await.unwrap();
        let ours = hosts.into_iter().find(|host| host.host == "127.0.0.1");
        ours.map_or(0, |host| host.requests)
    };
    assert_eq!(ledger().await, 0);
    client.post("/register", &[("blog", &blog.url)]).await;
    let asked = u64::from(blog.asked.load(Ordering::SeqCst));
    assert!(asked >= 2, "its page and its feed");
    assert_eq!(ledger().await, asked);
    let manage = join(&client, &blog).await;
    client.post(&manage, &[("do", "prove")]).await;
    let asked = u64::from(blog.asked.load(Ordering::SeqCst));
    assert_eq!(ledger().await, asked, "a proof is looked for, too");
    let page = client.get("/fetching").await;
    let row = format!("<th scope=\"row\">127.0.0.1</th><td>0</td><td>{asked}</td>");
    assert!(page.text().contains(&row), "{row}\n{}", page.text());
}
