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

use model::{Clock as _, SystemClock};
use serde_json::{Value, json};
use store::Store;
use support::blogosphere::{Answer, Blogosphere};
use support::chromium::{self, Chromium, Finding};
use support::hostile_feeds::{OURS, WEEK, atom, corpus, escape, json_feed, payloads, rss};
use support::{FETCH, Reply, Server, Voice};

/// How many entries one hostile feed has, how many documents stand in one page of frames, and how many pieces of HTML
/// in one document.
const ENTRIES_OF_A_FEED: usize = 25;
const FRAMES_OF_A_PAGE: usize = 100;
const PIECES_OF_A_DOCUMENT: usize = 20;
/// How many documents that do something stand in one page.
const FRAMES_THAT_ACT: usize = 50;

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
                "[[feed]]\nname = \"{format} {number}\"\nurl = \"{}\"\ncontent = \"full\"\njoined = {}",
                blogs.url(&path),
                WEEK.monday()
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
    pages: BTreeSet<String>,
    documents: BTreeSet<String>,
    /// Each once, however many outputs hold it.
    pieces: BTreeSet<String>,
}

impl Stage {
    fn new() -> Self {
        Self {
            server: Blogosphere::start(),
            pages: BTreeSet::new(),
            documents: BTreeSet::new(),
            pieces: BTreeSet::new(),
        }
    }

    fn page(&mut self, path: &str, reply: &Reply) {
        self.lay_out(path, &reply.headers["content-type"], reply.body.clone());
        self.pages.insert(path.to_owned());
    }

    /// A document that is no page. What a browser would show of it is opened; what it would only store is opened as
    /// the text or the XML that it is, for programs which do.
    fn document(&mut self, path: &str, reply: &Reply) {
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
        let kind = reply.headers["content-type"].as_str();
        assert!(!kind.contains("html"), "{path}: {kind}");
        self.output(path, kind, reply.body.clone());
    }

    /// The same of what a command wrote.
    fn output(&mut self, path: &str, kind: &str, body: String) {
        let shown = match kind.split(';').next().unwrap() {
            "text/csv" | "text/markdown" => "text/plain; charset=utf-8",
            kind if kind.contains("json") => "application/json",
            kind if kind.contains("xml") || kind.contains("opml") => "text/xml; charset=utf-8",
            _ => kind,
        };
        self.lay_out(path, shown, body);
        self.documents.insert(path.to_owned());
    }

    fn piece(&mut self, html: &str) {
        self.pieces.insert(html.to_owned());
    }

    fn lay_out(&self, path: &str, content_type: &str, body: String) {
        let headers = vec![("Content-Type", content_type.to_owned())];
        self.server
            .answer(path, Answer::Raw(200, headers, body.into_bytes()));
    }

    /// Opens everything, so many pieces in a document and so many documents in a page, and tells what they did.
    fn inspect(&self, browser: &mut Chromium, pieces_at_once: usize, frames_at_once: usize) -> Vec<Told> {
        let pieces: Vec<&String> = self.pieces.iter().collect();
        let mut documents: BTreeMap<String, String> = (self.pages.iter().chain(&self.documents))
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
        for (number, urls) in urls.chunks(frames_at_once).enumerate() {
            let mut page = "<!doctype html><title>Stage</title>".to_owned();
            for url in urls {
                // A few megabytes of XML or JSON take minutes to be laid out, and run what they run without.
                let hidden = if self.documents.contains(&documents[*url]) {
                    " style=\"display: none\""
                } else {
                    ""
                };
                let url = escape(url);
                write!(
                    page,
                    "<iframe data-stage=\"{url}\" src=\"{url}\"{hidden}></iframe>"
                )
                .unwrap();
            }
            let path = format!("/stage/{number}");
            self.lay_out(&path, "text/html", page);
            for Finding { url, what } in browser.inspect(&self.server.url(&path), &self.server.url("/")) {
                let document = documents.get(&url).cloned().unwrap_or_default();
                told.push(Told { what, document });
            }
        }
        let hits = self.server.hits();
        for url in urls {
            let path = &url[self.server.url("").len()..];
            assert!(hits.contains_key(path), "{path} was opened");
        }
        told
    }
}

/// What a document did or holds which none of ours may.
#[derive(Debug)]
struct Told {
    what: String,
    /// Its path, or the pieces in it; empty where the page around all was at work.
    document: String,
}

impl Told {
    /// Whether it ran, opened or went; the rest is what it holds.
    fn is_deed(&self) -> bool {
        !self.what.starts_with("holds ")
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
fn private_pages(
    voice: &Voice,
    server: &Server,
    blogs: &Blogosphere,
    member: &str,
    entries: &[Value],
    stage: &mut Stage,
) {
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
    ] {
        admin(path);
    }
    admin(&format!("/admin/digest/{}", *WEEK));
    admin(&format!("/admin/members/{member}"));
    for entry in &some {
        admin(&format!("/admin/entries/{}", entry["key"].as_str().unwrap()));
    }
}

/// The week of all hostile entries in every form, whose paths on the stage begin with `under`.
fn digest(server: &Server, stage: &mut Stage, under: &str) {
    for form in ["", ".html"] {
        let path = format!("/digest/{}{form}", *WEEK);
        stage.page(&format!("{under}{path}"), &server.get(&path));
    }
    for form in ["json", "md", "txt", "csv"] {
        let path = format!("/digest/{}.{form}", *WEEK);
        stage.document(&format!("{under}{path}"), &server.get(&path));
    }
    let markdown = server.get(&format!("/digest/{}.md", *WEEK)).body;
    assert!(markdown.contains("Hostile words"), "{markdown}");
    let mut rendered = String::new();
    pulldown_cmark::html::push_html(&mut rendered, pulldown_cmark::Parser::new(&markdown));
    stage.piece(&rendered);
}

/// Closes that week, as the schedule would have done, and stages what is made of closed ones.
fn closed_digest(voice: &Voice, server: &Server, stage: &mut Stage) {
    let site = registry::load(&voice.path("feeds.toml"), &[]).unwrap().site;
    let closing = async {
        let store = Store::open(&voice.database_url()).await.unwrap();
        serve::close_issue(&store, &site, *WEEK, SystemClock.now(), &|_| None)
            .await
            .unwrap()
    };
    assert!(tokio::runtime::Runtime::new().unwrap().block_on(closing));
    let json = server.get(&format!("/digest/{}.json", *WEEK)).json();
    assert_eq!(json["status"], "closed", "{json:#}");
    digest(server, stage, "/closed");

    let [atom, rss, json] = ["atom", "rss", "json"].map(|form| {
        let path = format!("/digest/feed.{form}");
        let reply = server.get(&path);
        stage.document(&path, &reply);
        reply
    });
    let json = json.json()["items"][0]["content_html"].clone();
    let pieces = texts(&atom.body, " type=\"html\">")
        .chain(texts(&rss.body, "<content:encoded>"))
        .chain(texts(&rss.body, "<description>"))
        .chain(json.as_str().map(str::to_owned));
    let pieces: Vec<String> = pieces.collect();
    let whole = pieces.iter().filter(|piece| piece.contains("Hostile words"));
    assert!(whole.count() >= 3, "{pieces:#?}");
    for piece in &pieces {
        stage.piece(piece);
    }
}

/// What `voice export` writes; answers the entries.
fn exports(voice: &Voice, stage: &mut Stage) -> Vec<Value> {
    let mut export = |format: &str, kind: &str| {
        let output = voice.run(&["export", "--format", format]);
        assert!(output.status.success(), "{}", support::text(&output.stderr));
        let body = support::text(&output.stdout);
        stage.output(&format!("/export.{format}"), kind, body.clone());
        body
    };
    export("opml", "text/x-opml");
    let jsonl = export("jsonl", "application/x-ndjson");
    let atom = export("atom", "application/atom+xml");
    let entries: Vec<Value> = jsonl
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let pieces: Vec<String> = texts(&atom, " type=\"html\">").collect();
    assert!(pieces.len() >= entries.len(), "{} pieces", pieces.len());
    for piece in &pieces {
        stage.piece(piece);
    }
    entries
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
    let entries = exports(&voice, &mut stage);
    assert_eq!(entries.len(), given);
    private_pages(&voice, &server, &blogs, member, &entries, &mut stage);
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
    digest(&server, &mut stage, "");
    closed_digest(&voice, &server, &mut stage);

    assert!(stage.pages.len() > payloads.len() + members.len() + OURS.len());
    assert!(stage.pieces.len() > OURS.len(), "{} pieces", stage.pieces.len());
    let mut told = stage.inspect(&mut Chromium::start(), PIECES_OF_A_DOCUMENT, FRAMES_OF_A_PAGE);
    // Our feeds name a stylesheet of ours at the public address, where nothing answers here.
    told.retain(|told| !told.what.starts_with("asks http://127.0.0.1:0/feed-"));
    let shown: Vec<String> = told
        .iter()
        .map(|told| format!("{}: {:.2000}", told.what, told.document))
        .take(20)
        .collect();
    assert!(told.is_empty(), "{} findings: {shown:#?}", told.len());
}

#[test]
fn every_payload_does_something_where_nobody_sanitises() {
    if !chromium::is_there() {
        return;
    }
    let corpus = corpus();
    let known = corpus
        .iter()
        .filter(|payload| payload["fires_raw"].is_string())
        .map(|payload| payload["payload"].as_str().unwrap());
    let mut idle: BTreeSet<&str> = OURS.iter().map(|(_, payload)| *payload).chain(known).collect();
    let mut browser = Chromium::start();
    let some: Vec<&str> = idle.iter().copied().collect();
    for payloads in some.chunks(FRAMES_THAT_ACT) {
        let mut stage = Stage::new();
        for payload in payloads {
            stage.piece(payload);
        }
        for told in stage.inspect(&mut browser, 1, FRAMES_THAT_ACT) {
            let is_of = |payload: &&str| told.document.contains(&format!("<section>{payload}</section>"));
            idle.retain(|payload| !told.is_deed() || !is_of(payload));
        }
    }
    // What opens a window or wants the focus does so alone.
    idle.retain(|payload| {
        let mut stage = Stage::new();
        stage.piece(payload);
        !stage.inspect(&mut browser, 1, 1).iter().any(Told::is_deed)
    });
    assert!(idle.is_empty(), "these did nothing: {idle:#?}");
}
