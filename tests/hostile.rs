//! Hostile feeds, from the poll to the browser: whatever a feed says, nothing of it runs in what we give out.
//!
//! Each payload stands in every field of an entry, in RSS, Atom and JSON Feed; the real binary polls them. Then every
//! page, and every piece of HTML within feeds, exports and digests, is opened in a real browser with scripts on and
//! without our Content-Security-Policy, so that the sanitiser alone is tried. The corpus of payloads lies beside the
//! project where there is one; our own suffice to show each way in.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};
use support::blogosphere::{Answer, Blogosphere};
use support::chromium::{self, Chromium, Finding};
use support::{FETCH, Reply, Server, Voice};

/// One for each way in that we know of. All of them do something where nobody sanitises; the second test shows it.
const OURS: [(&str, &str); 20] = [
    ("script", "<script>alert(1)</script>"),
    ("script behind a bracket", "<<script>alert(2);//<</script>"),
    ("handler", "<img src=x onerror=alert(3)>"),
    ("handler of svg", "<svg/onload=alert(4)>"),
    ("link", "<a href=\"javascript:alert(5)\">a</a>"),
    (
        "link in disguise",
        "<a href=\" &#1;jAvA&#9;scr&#x0A;ipt&colon;alert(6)\">a</a>",
    ),
    ("frame", "<iframe src=\"javascript:alert(7)\"></iframe>"),
    (
        "frame with its source",
        "<iframe srcdoc=\"<script>alert(8)</script>\"></iframe>",
    ),
    (
        "refresh",
        "<meta http-equiv=refresh content=\"0;url=/went-away\">",
    ),
    (
        "toggle",
        "<details open ontoggle=alert(10)><summary>a</summary>b</details>",
    ),
    ("focus", "<input autofocus onfocus=alert(11)>"),
    (
        "form",
        "<form action=\"javascript:alert(12)\"><button>a</button></form>",
    ),
    (
        "stylesheet",
        "<link rel=stylesheet href=\"http://elsewhere.example/a.css\">",
    ),
    (
        "object",
        "<object data=\"data:text/html,<script>alert(14)</script>\"></object>",
    ),
    ("out of an attribute", "\"><img src=x onerror=alert(15)>"),
    (
        "out of CDATA and comments",
        "]]>--></title></textarea></style></noscript><script>alert(16)</script>",
    ),
    (
        "mutation in math",
        "<math></p><style><!--</style><img src/onerror=alert(17)>",
    ),
    (
        "mutation in svg",
        "<svg></p><style><a title=\"</style><img src onerror=alert(18)>\">",
    ),
    (
        "what Atom's XHTML becomes",
        "<p title=\"\"><img src=x onerror=alert(19)>\">a</p>",
    ),
    (
        "fallback for no scripts",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(20)>\"></noscript><svg onload=alert(20)>",
    ),
];

/// How many entries one hostile feed has, how many documents stand in one page of frames, and how many pieces of HTML
/// in one document.
const ENTRIES_OF_A_FEED: usize = 25;
const FRAMES_OF_A_PAGE: usize = 100;
const PIECES_OF_A_DOCUMENT: usize = 20;

/// Our payloads and those of the corpus.
fn payloads() -> Vec<(String, String)> {
    let ours = OURS
        .iter()
        .map(|(name, payload)| ((*name).to_owned(), (*payload).to_owned()));
    ours.chain(corpus().into_iter().map(|payload| {
        let part = |name: &str| payload[name].as_str().unwrap().to_owned();
        (part("id"), part("payload"))
    }))
    .collect()
}

/// The corpus of payloads, as far as there is one.
fn corpus() -> Vec<Value> {
    let Some(shared) = support::shared() else {
        eprintln!(
            "left out: the corpus of payloads is not there; set VOICE_TEST_SHARED to the folder with corpora/ in it"
        );
        return Vec::new();
    };
    std::fs::read_to_string(shared.join("corpora/xss.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        // No feed can hold these.
        .replace(|c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r'), "")
}

/// What each hostile entry says beside its payload: enough for a topic, a hashtag and the search.
const INNOCENT: &str = "<p>Hostile words on local democracy, councillors and elections. #localgovdigital</p>";

/// A moment of the seventh week of 2015 for each entry.
fn moment(of: usize) -> chrono::DateTime<chrono::Utc> {
    let start: chrono::DateTime<chrono::Utc> = "2015-02-09T00:00:00Z".parse().unwrap();
    start + chrono::Duration::minutes(of as i64)
}

fn rss(payloads: &[(String, String)], first: usize) -> String {
    let mut items = String::new();
    for (at, (_, payload)) in payloads.iter().enumerate() {
        let (x, body) = (escape(payload), escape(&format!("{INNOCENT}{payload}")));
        let date = moment(first + at).format("%a, %d %b %Y %H:%M:%S +0000");
        write!(
            items,
            "<item><title>{x}</title><link>{x}</link><guid>{x}</guid><pubDate>{date}</pubDate><author>{x}</author>\
             <dc:creator>{x}</dc:creator><category>{x}</category><category>Democracy</category><description>{x}</description>\
             <content:encoded>{body}</content:encoded><enclosure url=\"{x}\" type=\"image/png\" length=\"1\"/>\
             <media:thumbnail url=\"{x}\"/><media:content url=\"https://pictures.example/{x}\" type=\"image/png\"/></item>"
        )
        .unwrap();
    }
    format!(
        "<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:media=\"http://search.yahoo.com/mrss/\" \
         xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>{0}</title><link>{0}</link>\
         <description>{0}</description><copyright>{0}</copyright>{items}</channel></rss>",
        all(payloads)
    )
}

fn atom(payloads: &[(String, String)], first: usize) -> String {
    let mut entries = String::new();
    for (at, (_, payload)) in payloads.iter().enumerate() {
        let (x, body) = (escape(payload), escape(&format!("{INNOCENT}{payload}")));
        // As text, as markup and as elements by turns: the one must not become the other.
        let (kind, x, body) = match at % 3 {
            0 => ("html", x, body),
            1 => ("text", x, body),
            _ => {
                let elements = |inner: &str| {
                    format!(
                        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p title=\"{x}\" lang=\"{x}\">{x}</p>{inner}</div>"
                    )
                };
                ("xhtml", elements(""), elements(INNOCENT))
            }
        };
        let content_kind = if kind == "xhtml" { kind } else { "html" };
        let plain = escape(payload);
        let date = moment(first + at).to_rfc3339();
        write!(
            entries,
            "<entry><id>{plain}</id><title type=\"{kind}\">{x}</title><updated>{date}</updated><published>{date}</published>\
             <link href=\"{plain}\"/><link rel=\"enclosure\" href=\"{plain}\" type=\"{plain}\"/><link rel=\"license\" href=\"{plain}\"/>\
             <author><name>{plain}</name><uri>{plain}</uri></author><category term=\"{plain}\" label=\"{plain}\"/>\
             <category term=\"Democracy\"/><rights type=\"{kind}\">{x}</rights><summary type=\"{kind}\">{x}</summary>\
             <content type=\"{content_kind}\" xml:lang=\"{plain}\">{body}</content></entry>"
        )
        .unwrap();
    }
    format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>{0}</id><title type=\"html\">{0}</title><subtitle>{0}</subtitle>\
         <updated>2015-02-09T00:00:00Z</updated>{entries}</feed>",
        all(payloads)
    )
}

fn json_feed(payloads: &[(String, String)], first: usize) -> String {
    let items: Vec<Value> = payloads
        .iter()
        .enumerate()
        .map(|(at, (_, x))| {
            json!({
                "id": x, "url": x, "external_url": x, "title": x, "summary": x, "image": x, "language": x,
                "content_html": format!("{INNOCENT}{x}"), "date_published": moment(first + at).to_rfc3339(),
                "authors": [{"name": x, "url": x}], "tags": [x, "Democracy"],
                "attachments": [{"url": x, "mime_type": "image/png", "title": x}],
            })
        })
        .collect();
    let title: String = payloads.iter().map(|(_, payload)| payload.as_str()).collect();
    json!({
        "version": "https://jsonfeed.org/version/1.1", "title": title, "home_page_url": title, "description": title, "items": items,
    })
    .to_string()
}

/// All payloads of a feed, for its title.
fn all(payloads: &[(String, String)]) -> String {
    payloads.iter().map(|(_, payload)| escape(payload)).collect()
}

/// Writes payloads, the first of which is the entry of this number, as a feed.
type Writer = fn(&[(String, String)], usize) -> String;

/// Polls hostile feeds of all formats; answers the Voice and how many entries it was given.
fn polled(payloads: &[(String, String)]) -> (Voice, Blogosphere, usize) {
    let blogs = Blogosphere::start();
    let mut config = FETCH.to_owned();
    let mut given = 0;
    let writers: [(&str, Writer); 3] = [("rss", rss), ("atom", atom), ("json", json_feed)];
    for (format, write_feed) in writers {
        for (number, some) in payloads.chunks(ENTRIES_OF_A_FEED).enumerate() {
            let path = format!("/{format}-{number}/feed");
            blogs.answer(&path, Answer::Feed(write_feed(some, given)));
            given += some.len();
            writeln!(
                config,
                "[[feed]]\nname = \"{format} {number}\"\nurl = \"{}\"\ncontent = \"full\"",
                blogs.url(&path)
            )
            .unwrap();
        }
    }
    let voice = Voice::with_config(&config);
    let summary = voice.json(&["poll", "--all", "--json"]);
    assert_eq!(summary["failures"], json!([]), "every feed is read");
    assert_eq!(
        summary["entries_new"], given,
        "every entry is stored: {summary:#}"
    );
    (voice, blogs, given)
}

/// Documents laid out for the browser, without our Content-Security-Policy: pages at their own paths, and pieces of
/// HTML as a reader of feeds would show them, some after another in one document.
struct Stage {
    server: Blogosphere,
    paths: BTreeSet<String>,
    /// Each once, however many outputs hold it.
    pieces: BTreeSet<String>,
}

impl Stage {
    fn new() -> Self {
        Self {
            server: Blogosphere::start(),
            paths: BTreeSet::new(),
            pieces: BTreeSet::new(),
        }
    }

    fn page(&mut self, path: &str, reply: &Reply) {
        self.lay_out(path, &reply.headers["content-type"], reply.body.clone());
        self.paths.insert(path.to_owned());
    }

    /// A document that is no page. What a browser would show of it is opened; what it would only store is opened as
    /// the text or the XML that it is, for programs which do.
    fn document(&mut self, path: &str, reply: &Reply) {
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
        let kind = reply.headers["content-type"].as_str();
        assert!(!kind.contains("html"), "{path}: {kind}");
        let shown = match kind.split(';').next().unwrap() {
            "text/csv" | "text/markdown" => "text/plain; charset=utf-8",
            kind if kind.contains("json") => "application/json",
            kind if kind.contains("xml") || kind.contains("opml") => "text/xml; charset=utf-8",
            _ => kind,
        };
        self.lay_out(path, shown, reply.body.clone());
        self.paths.insert(path.to_owned());
    }

    fn piece(&mut self, html: &str) {
        self.pieces.insert(html.to_owned());
    }

    fn lay_out(&self, path: &str, content_type: &str, body: String) {
        let headers = vec![("Content-Type", content_type.to_owned())];
        self.server
            .answer(path, Answer::Raw(200, headers, body.into_bytes()));
    }

    /// Opens everything, so many pieces in a document, and tells what they did.
    fn inspect(&self, browser: &mut Chromium, pieces_at_once: usize) -> Vec<String> {
        let pieces: Vec<&String> = self.pieces.iter().collect();
        let mut documents: BTreeMap<String, String> = self
            .paths
            .iter()
            .map(|path| (self.server.url(path), path.clone()))
            .collect();
        for (number, pieces) in pieces.chunks(pieces_at_once).enumerate() {
            let path = format!("/pieces/{number}");
            let mut document = "<!doctype html><meta charset=utf-8><body>".to_owned();
            for piece in pieces {
                // None may reach over its end: the probe looks for each of these under the body.
                write!(document, "<section>{piece}</section><hr class=end>").unwrap();
            }
            self.lay_out(&path, "text/html; charset=utf-8", document.clone());
            documents.insert(self.server.url(&path), document);
        }
        let mut told = Vec::new();
        let urls: Vec<&String> = documents.keys().collect();
        for (number, urls) in urls.chunks(FRAMES_OF_A_PAGE).enumerate() {
            let mut page = "<!doctype html><title>Stage</title>".to_owned();
            for url in urls {
                let url = escape(url);
                write!(page, "<iframe data-stage=\"{url}\" src=\"{url}\"></iframe>").unwrap();
            }
            let path = format!("/stage/{number}");
            self.lay_out(&path, "text/html", page);
            for Finding { url, what } in browser.inspect(&self.server.url(&path), &self.server.url("/")) {
                let document = documents.get(&url).map_or("", String::as_str);
                told.push(format!("{url} {what}: {document}"));
            }
        }
        for url in urls {
            let path = &url[self.server.url("").len()..];
            assert!(!self.server.requests(path).is_empty(), "{path} was opened");
        }
        told
    }
}

/// Every page that can be reached by going on from one to the next.
fn walk(server: &Server, stage: &mut Stage, start: &str) {
    let mut path = start.to_owned();
    loop {
        let reply = server.get(&path);
        assert_eq!(reply.status, 200, "{path}");
        stage.page(&path, &reply);
        if path.starts_with("/digest") {
            return;
        }
        let next = reply
            .body
            .split("<a ")
            .filter(|link| {
                link.split('>')
                    .next()
                    .is_some_and(|tag| tag.contains("rel=\"next\""))
            })
            .find_map(|link| link.split_once("href=\"")?.1.split('"').next());
        match next {
            Some(next) => path = next.replace("&amp;", "&").replace("&#38;", "&"),
            None => return,
        }
    }
}

/// The text of each such element of a feed of ours.
fn texts<'a>(xml: &'a str, start: &'a str) -> impl Iterator<Item = String> + 'a {
    xml.split(start).skip(1).map(|rest| {
        rest.split("</")
            .next()
            .unwrap()
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&")
    })
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "%{byte:02X}").unwrap();
        out
    })
}

/// What is shown to one person alone: who joins, a member, a reader with a question, a moderator.
fn private_pages(voice: &Voice, server: &Server, blogs: &Blogosphere, member: &str, stage: &mut Stage) {
    let ours = OURS.map(|(name, payload)| (name.to_owned(), payload.to_owned()));
    let hostile: String = OURS.iter().map(|(_, payload)| *payload).collect();
    let blog = "/newcomer/feed";
    blogs.answer(blog, Answer::Feed(rss(&ours, 0)));
    let preview = server.submit("/register", &[("blog", &blogs.url(blog))], &[]);
    assert!(preview.body.contains("Hostile words"), "{}", preview.body);
    stage.page("/register", &preview);
    stage.page(
        "/register/wrong",
        &server.submit("/register", &[("blog", &hostile)], &[]),
    );

    let link = voice.json(&["feeds", "link", member, "--json"]);
    let link = link["link"].as_str().unwrap();
    let manage = &link[link.find("/manage/").unwrap()..];
    let own = server.get(manage);
    assert_eq!(own.status, 200, "{manage}");
    stage.page(manage, &own);

    for (_, payload) in OURS {
        let path = format!("/why?url={}", percent_encoded(payload));
        stage.page(&path, &server.get(&path));
    }
    let entries = voice.exported();
    // Those that nothing but their payload tells apart, and so of all kinds.
    let some: Vec<&Value> = entries.iter().step_by(entries.len() / 20).collect();
    for entry in &some {
        let report = format!("/entries/{}/report", entry["key"].as_str().unwrap());
        stage.page(&report, &server.get(&report));
        if let Some(url) = entry["url"].as_str() {
            let why = format!("/why?url={}", percent_encoded(url));
            stage.page(&why, &server.get(&why));
        }
    }
    let report = format!("/entries/{}/report", some[0]["key"].as_str().unwrap());
    let reported = server.submit(&report, &[("reason", &hostile)], &[]);
    assert_eq!(reported.status, 303, "{}", reported.body);

    let signed_in = server.submit("/admin/sign-in", &[("token", support::MODERATOR)], &[]);
    let cookie = signed_in.headers["set-cookie"].split(';').next().unwrap();
    let mut admin = |path: &str| {
        let reply = server.get_with(path, &[("Cookie", cookie)]);
        assert_eq!(reply.status, 200, "{path}");
        stage.page(path, &reply);
        reply.body
    };
    let reports = admin("/admin/reports");
    assert!(reports.contains("alert(1)"), "{reports}");
    for path in [
        "/admin",
        "/admin/feeds",
        "/admin/disputes",
        "/admin/left-out",
        "/admin/audit",
        "/admin/digest/2015-W07",
    ] {
        admin(path);
    }
    admin(&format!("/admin/members/{member}"));
    for entry in &some {
        admin(&format!("/admin/entries/{}", entry["key"].as_str().unwrap()));
    }
}

#[test]
fn nothing_of_a_hostile_feed_runs_in_what_we_give_out() {
    if !chromium::is_there() {
        return;
    }
    let payloads = payloads();
    let (voice, blogs, given) = polled(&payloads);
    let server = voice.serve();
    let mut stage = Stage::new();

    // Every page.
    for path in [
        "/",
        "/topics",
        "/topics/democracy",
        "/members",
        "/hashtags/localgovdigital",
        "/digest",
        "/digest/2015-W07",
        "/digest/2015-W07.html",
        "/feeds",
        "/about",
        "/privacy",
        "/accessibility",
        "/fetching",
        "/search?q=hostile",
    ] {
        walk(&server, &mut stage, path);
    }
    // Every other form of it.
    for path in [
        "/feed.atom",
        "/feed.rss",
        "/feed.json",
        "/topics/democracy/feed.atom",
        "/hashtags/localgovdigital/feed.rss",
        "/search/feed.atom?q=hostile",
        "/digest/feed.atom",
        "/digest/feed.rss",
        "/digest/feed.json",
        "/digest/2015-W07.json",
        "/digest/2015-W07.md",
        "/digest/2015-W07.txt",
        "/digest/2015-W07.csv",
        "/entries.json",
        "/opml",
        "/topics/democracy/opml",
    ] {
        stage.document(path, &server.get(path));
    }
    for (_, payload) in OURS {
        walk(
            &server,
            &mut stage,
            &format!("/search?q={}", percent_encoded(payload)),
        );
    }
    let members = server.get("/members").body;
    let members: BTreeSet<&str> = members
        .split("href=\"/members/")
        .skip(1)
        .filter_map(|rest| rest.split(['"', '/']).next())
        .collect();
    for member in &members {
        walk(&server, &mut stage, &format!("/members/{member}"));
    }
    let member = *members.first().unwrap();
    for form in ["feed.json", "health.atom"] {
        let path = format!("/members/{member}/{form}");
        stage.document(&path, &server.get(&path));
    }
    private_pages(&voice, &server, &blogs, member, &mut stage);
    let entries = voice.exported();
    assert_eq!(entries.len(), given);
    // Most payloads come to the same out of two formats or three; so do their pages.
    let mut said = BTreeSet::new();
    for entry in &entries {
        let parts = [
            "title",
            "summary",
            "content_html",
            "author",
            "categories",
            "image",
            "language",
            "licence",
        ];
        if said.insert(parts.map(|part| entry[part].to_string())) {
            let path = format!("/entries/{}", entry["key"].as_str().unwrap());
            stage.page(&path, &server.get(&path));
        }
        stage.piece(entry["content_html"].as_str().unwrap());
    }

    // Every piece of HTML in feeds, exports and digests.
    let mut path = "/entries.json?limit=500".to_owned();
    loop {
        let page = server.get(&path).json();
        for entry in page["entries"].as_array().unwrap() {
            stage.piece(entry["content_html"].as_str().unwrap());
        }
        let Some(next) = page["next"].as_str() else { break };
        path = next[next.find("/entries.json").unwrap()..].to_owned();
    }
    for number in 1..=given.div_ceil(100) {
        let atom = server.get(&format!("/archive/{number}.atom")).body;
        let rss = server.get(&format!("/archive/{number}.rss")).body;
        let json = server.get(&format!("/archive/{number}.json")).json();
        let pieces: Vec<String> = texts(&atom, " type=\"html\">")
            .chain(texts(&rss, "<content:encoded>"))
            .chain(texts(&rss, "<description>"))
            .collect();
        let held = json["items"].as_array().unwrap().len();
        assert!(
            pieces.len() >= 3 * held && held > 0,
            "{} pieces of {held} entries",
            pieces.len()
        );
        for piece in &pieces {
            stage.piece(piece);
        }
        for item in json["items"].as_array().unwrap() {
            stage.piece(item["content_html"].as_str().unwrap());
        }
    }
    let markdown = server.get("/digest/2015-W07.md");
    assert!(markdown.body.contains("2015"), "{}", markdown.body);
    let mut rendered = String::new();
    pulldown_cmark::html::push_html(&mut rendered, pulldown_cmark::Parser::new(&markdown.body));
    stage.piece(&rendered);

    assert!(stage.paths.len() > payloads.len() + members.len() + OURS.len());
    assert!(stage.pieces.len() > OURS.len(), "{} pieces", stage.pieces.len());
    let mut told = stage.inspect(&mut Chromium::start(), PIECES_OF_A_DOCUMENT);
    // Our feeds name a stylesheet of ours at the public address, where nothing answers here.
    told.retain(|told| !told.contains(" asks http://127.0.0.1:0/feed-"));
    let shown: Vec<&str> = told
        .iter()
        .map(|told| &told[..told.floor_char_boundary(2_000)])
        .take(20)
        .collect();
    assert!(told.is_empty(), "{} findings: {shown:#?}", told.len());
}

#[test]
fn every_payload_does_something_where_nobody_sanitises() {
    if !chromium::is_there() {
        return;
    }
    let known = corpus()
        .into_iter()
        .filter(|payload| payload["fires_raw"].is_string())
        .map(|payload| {
            (
                payload["id"].to_string(),
                payload["payload"].as_str().unwrap().to_owned(),
            )
        });
    let mut browser = Chromium::start();
    let mut idle = Vec::new();
    for (name, payload) in OURS
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .chain(known)
    {
        let mut stage = Stage::new();
        stage.piece(&payload);
        let told = stage.inspect(&mut browser, 1);
        if told.iter().all(|told| told.contains(" holds ")) {
            idle.push((name, told));
        }
    }
    assert!(idle.is_empty(), "these did nothing: {idle:#?}");
}
