//! Both databases: the same output from either, byte for byte, and what the Voice says and does when a PostgreSQL server
//! or what is in it is not as it should be.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use fetch::{FetchConfig, Fetcher};
use model::{FixedClock, Site};
use poll::{CronLine, Intervals, Looker, Poller, PollerSettings};
use serve::App;
use store::Due;
use support::blogosphere::{Answer, Blogosphere, rss};
use support::database::{Cluster, Schema};
use support::inside::Inside;
use support::{Reply, Voice, ask, config, config_with, text};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// When the Voices of the comparison poll first, and a second time.
const POLLED_AT: [&str; 2] = ["2026-11-12T09:00:00Z", "2026-11-23T10:00:00Z"];

const SITE: &str = "[site]\nurl = \"https://voice.example\"\ncontact = \"https://voice.example/about\"\n\
    [fetch]\nallow = [\"127.0.0.0/8\"]\n\
    [[hashtag]]\ntag = \"ukgovcamp\"\nalso = [\"ukgc*\"]\n";

/// Addresses that no page needs to lead to.
const PROMISED: &str = "/ /feed.atom /feed.rss /feed.json /archive/1.atom /archive/1.rss /archive/1.json /topics /members \
    /entries.json /entries.json?limit=500 /entries.json?since=2026-11-01&until=2026-11-15 \
    /entries.json?changed_since=2026-11-20 /entries.json?topic=democracy /entries.json?hashtag=ukgovcamp \
    /entries.json?member=whole /opml /digest /digest/latest.json /digest?day=2026-11-11 /search /about /feeds /privacy \
    /accessibility /schemas/digest-1.json /schemas/entries-1.json /robots.txt /.well-known/security.txt /healthz /readyz \
    /topics/nothing /members/nobody /hashtags/nothing /entries/nothing /entries.json?limit=many /?before=nowhere /nowhere";

/// Weeks whose digests are compared in every form: before the first poll, with it, between, with the second.
const WEEKS: [&str; 5] = ["2015-W07", "2026-W45", "2026-W46", "2026-W47", "2026-W48"];

const NOBODYS_WORD: &str = "wordsthatnobodywrote";
const SEARCHES: [&str; 12] = [
    "council",
    "councils",
    "data",
    "digital service",
    "\"local government\"",
    "data -council",
    "naïve",
    "cyngor",
    "#ukgc15",
    "don't",
    "2015",
    NOBODYS_WORD,
];

/// An RSS feed of these posts: title, link, date, text.
fn feed(posts: &[(&str, &str, &str, &str)]) -> Answer {
    let mut items = String::new();
    for (title, link, date, text) in posts {
        write!(
            items,
            "<item><title>{title}</title><link>{link}</link><guid isPermaLink=\"false\">{link}</guid>\
             <pubDate>{date}</pubDate><description>{text}</description></item>"
        )
        .unwrap();
    }
    Answer::Feed(format!(
        "<rss version=\"2.0\"><channel><title>Example</title><link>https://blog.example/</link>{items}</channel></rss>"
    ))
}

/// The blogs of the comparison (slug, and what more the config says of it): real ones where they are at hand, and
/// some that try what those do not.
fn publish(blogs: &Blogosphere) -> Vec<(String, &'static str)> {
    let mut feeds = vec![
        (
            "whole".to_owned(),
            "content = \"full\"\nkind = \"team\"\norganisation = \"Example Council\"\n",
        ),
        (
            "mixed".to_owned(),
            "include = \"tagged\"\nlicence = \"CC-BY-4.0\"\n",
        ),
        ("changing".to_owned(), ""),
        ("leaving".to_owned(), ""),
        ("nobody".to_owned(), ""),
    ];
    let monday = "Mon, 09 Nov 2026 09:00:00 +0000";
    blogs.answer(
        "/whole",
        feed(&[
            ("A council’s naïve plan – 𝒶 &amp;lt;b&amp;gt;", "https://one.example/plan?utm_source=x", monday,
             "&lt;p&gt;Cyngor: don't. See &lt;a href=\"https://two.example/answer\"&gt;an answer&lt;/a&gt; about local government data.&lt;/p&gt;"),
            ("Émigré", "https://one.example/b", monday, "Zebra zürich Ångström: a naïve cyngor, and don't forget. #ukgc15"),
            ("", "https://one.example/untitled", "", "A post without a title and without a date."),
        ]),
    );
    blogs.answer(
        "/mixed",
        feed(&[
            (
                "Planning committee: council meeting and democracy",
                "https://two.example/answer",
                monday,
                "Councillors vote #localgovdigital",
            ),
            ("Holidays", "https://two.example/holidays", monday, "The sea."),
            (
                "The plan, again",
                "http://www.one.example/plan/",
                monday,
                "Councils and data #localgovdigital",
            ),
        ]),
    );
    blogs.answer(
        "/changing",
        feed(&[
            (
                "Before",
                "https://three.example/1",
                monday,
                "What was said at first.",
            ),
            (
                "Stays",
                "https://three.example/2",
                "Tue, 10 Nov 2026 10:30:00 +0100",
                "What stays.",
            ),
        ]),
    );
    blogs.answer("/leaving", Answer::Feed(rss("leaving", [9, 8, 7])));
    match support::shared() {
        Some(shared) => {
            for file in std::fs::read_dir(shared.join("blogs")).unwrap() {
                let path = file.unwrap().path();
                let slug = path.file_stem().unwrap().to_str().unwrap().to_owned();
                let body = std::fs::read_to_string(&path).unwrap();
                blogs.answer(&format!("/{slug}"), Answer::Feed(body));
                feeds.push((slug, ""));
            }
        }
        None => {
            for slug in ["first", "second", "third"] {
                let posts = (1..=60).rev();
                blogs.answer(&format!("/{slug}"), Answer::Feed(rss(slug, posts)));
                feeds.push((slug.to_owned(), ""));
            }
        }
    }
    feeds.sort();
    feeds
}

/// What happens between the two polls: an edit, a new post, one that was written before and found late, a feed that
/// is gone.
fn publish_more(blogs: &Blogosphere) {
    blogs.answer(
        "/changing",
        feed(&[
            (
                "New",
                "https://three.example/3",
                "Fri, 20 Nov 2026 23:30:00 +0000",
                "Local government news #ukgovcamp",
            ),
            (
                "After",
                "https://three.example/1",
                "Mon, 09 Nov 2026 09:00:00 +0000",
                "What is said now.",
            ),
            (
                "Stays",
                "https://three.example/2",
                "Tue, 10 Nov 2026 10:30:00 +0100",
                "What stays.",
            ),
            (
                "Late",
                "https://three.example/4",
                "Wed, 11 Nov 2026 10:00:00 +0000",
                "Found late.",
            ),
        ]),
    );
    blogs.answer("/leaving", Answer::Raw(410, vec![], vec![]));
}

impl Inside {
    /// Looks at nothing: its blogs are never asked.
    fn looker(&self, site: &Site, clock: &Arc<FixedClock>) -> Arc<Looker> {
        let fetcher = Fetcher::new(FetchConfig {
            user_agent: "Example".to_owned(),
            timeout: Duration::from_secs(1),
            max_body_bytes: 1,
            concurrency: 1,
            per_host: 1,
            allow: Vec::new(),
        });
        let how = PollerSettings {
            intervals: Intervals {
                min: Duration::from_mins(30),
                max: Duration::from_hours(24),
            },
            schedule: CronLine::parse("0 */5 * * * *", Tz::UTC).unwrap(),
            concurrency: 1,
            per_host: 1,
        };
        let site = Arc::new(site.clone());
        let poller = Poller::new(
            self.store.clone(),
            fetcher.unwrap(),
            Arc::clone(clock) as _,
            site,
            how,
        );
        Arc::new(Looker::new(watch::channel(Arc::new(poller)).1))
    }

    /// Serves it; gives the address.
    async fn serve(&self, site: &Site, clock: &Arc<FixedClock>) -> String {
        let (_, site_changes) = watch::channel(Arc::new(site.clone()));
        let schedule = CronLine::parse(&site.digest_schedule, site.timezone).unwrap();
        let app = App {
            looker: self.looker(site, clock),
            sends_mail: false,
            retag: std::sync::Arc::new(|_, post, _| store::Retagged {
                topics: post.topics.clone(),
                shown: post.shown,
            }),
            admins: Vec::new(),
            site: site_changes,
            store: self.store.clone(),
            clock: Arc::clone(clock) as _,
            poll_stale_after: Duration::from_hours(1),
            due: Arc::new(|now| Due {
                now,
                furthest: now + TimeDelta::days(1),
            }),
            next_digest_close: Arc::new(move |after| schedule.next_after(after)),
            trusted_proxies: Vec::new(),
            serves_readers: true,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(serve::serve(listener, app, std::future::pending()));
        address
    }
}

/// The paths of this site that a document leads to.
fn links(body: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["href=\"/", "src=\"/", "https://voice.example/"] {
        for (at, _) in body.match_indices(start) {
            let path = &body[at + start.len() - 1..];
            let end = path.find(|c: char| c.is_whitespace() || "\"'<>()[]#\\`".contains(c));
            found.push(unescaped(&path[..end.unwrap_or(path.len())]));
        }
    }
    found
}

fn unescaped(address: &str) -> String {
    address.replace("&amp;", "&").replace("&#38;", "&")
}

/// What two servers must say alike.
fn compared(reply: Reply) -> (u16, BTreeMap<String, String>, String) {
    let mut headers: BTreeMap<_, _> = reply.headers.into_iter().collect();
    headers.remove("date");
    (reply.status, headers, reply.body)
}

/// Every entry that a search leads to, over all its pages.
fn found(server: &str, query: &str) -> BTreeSet<String> {
    let words: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let mut next = Some(format!("/search?q={words}"));
    let mut entries = BTreeSet::new();
    while let Some(path) = next {
        let page = ask(server, &path, &[]);
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        entries.extend(
            links(&page.body)
                .into_iter()
                .filter(|path| path.starts_with("/entries/")),
        );
        let link = page.body.split_once("rel=\"next\" href=\"");
        next = link.map(|(_, rest)| unescaped(rest.split('"').next().unwrap()));
        assert_ne!(next.as_ref(), Some(&path), "a page that follows itself");
    }
    entries
}

#[test]
#[ignore = "run by scripts/test beside a PostgreSQL server"]
fn every_page_feed_and_export_is_the_same_from_both_databases() {
    let blogs = Blogosphere::start();
    let feeds = publish(&blogs);
    let mut config = SITE.to_owned();
    for (slug, more) in &feeds {
        let url = blogs.url(&format!("/{slug}"));
        write!(
            config,
            "[[feed]]\nname = \"{slug}\"\nslug = \"{slug}\"\nurl = \"{url}\"\n{more}"
        )
        .unwrap();
    }
    let settings = registry::parse("feeds.toml", &config, &[]).unwrap();
    let [first, second] = POLLED_AT.map(|at| at.parse::<DateTime<Utc>>().unwrap());
    let clock = Arc::new(FixedClock::at(first));
    let voices = [Voice::on(None, &config), Voice::on(Some(Schema::new()), &config)];
    let urls = voices.each_ref().map(Voice::database_url);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let servers: Vec<String> = runtime.block_on(async {
        let mut inside = Vec::new();
        for url in &urls {
            inside.push(Inside::open(url, &settings, &clock).await);
        }
        for voice in &inside {
            voice.poll().await;
        }
        clock.set(second);
        publish_more(&blogs);
        let mut servers = Vec::new();
        for voice in &inside {
            voice.poll().await;
            servers.push(voice.serve(&settings.site, &clock).await);
        }
        servers
    });

    let mut to_visit: Vec<String> = PROMISED.split(' ').map(str::to_owned).collect();
    for week in WEEKS {
        to_visit.extend(
            ["", ".json", ".md", ".html", ".txt", ".csv"].map(|form| format!("/digest/{week}{form}")),
        );
    }
    let mut seen: BTreeSet<String> = to_visit.iter().cloned().collect();
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    while let Some(path) = to_visit.pop() {
        let [one, other] = [0, 1].map(|server| compared(ask(&servers[server], &path, &[])));
        assert_eq!(one, other, "{path} differs");
        *statuses.entry(one.0).or_default() += 1;
        for link in links(&one.2) {
            // What a search finds is compared below; how it ranks is each database's own. Weeks go back for ever.
            let elsewhere = link.starts_with("/search?") || link.starts_with("/digest/2");
            if !elsewhere && seen.insert(link.clone()) {
                to_visit.push(link);
            }
        }
    }
    println!("{} addresses: {statuses:?}", seen.len());
    for entry in voices[0].exported() {
        let page = format!("/entries/{}", entry["key"].as_str().unwrap());
        assert!(seen.contains(&page), "no page leads to {page}");
    }
    assert!(statuses.keys().all(|&status| status < 500), "{statuses:?}");

    for query in SEARCHES {
        let [one, other] = [0, 1].map(|server| found(&servers[server], query));
        println!("{query:?}: {} entries", one.len());
        assert_eq!(one, other, "a search for {query:?}");
        assert_eq!(one.is_empty(), query == NOBODYS_WORD, "a search for {query:?}");
    }

    let mut commands: Vec<String> = [
        "export --format jsonl",
        "export --format atom",
        "feeds export",
        "feeds list --json",
    ]
    .map(str::to_owned)
    .to_vec();
    for week in WEEKS {
        commands.extend(
            ["json", "markdown", "html", "text", "csv"].map(|form| format!("digest {week} --format {form}")),
        );
    }
    for command in commands {
        let arguments: Vec<&str> = command.split(' ').collect();
        let [one, other] = voices.each_ref().map(|voice| {
            let output = voice.run(&arguments);
            (output.status.code(), text(&output.stdout))
        });
        assert_eq!(one, other, "voice {command} differs");
        assert_eq!(one.0, Some(0), "voice {command}");
    }
}

/// That `voice poll` refuses this database with status 1, and says these words to whoever has to mend it.
fn is_refused(voice: &Voice, database: &[&str], words: &[&str]) -> String {
    let output = voice.run(&[&["poll"], database].concat());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in words {
        assert!(said.contains(part), "{part:?} is missing from: {said}");
    }
    said
}

#[test]
#[ignore = "run by scripts/test beside a PostgreSQL server"]
fn a_database_of_another_program_or_a_newer_version_is_left_as_it_is() {
    let tables = "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = current_schema()";
    let voice = Voice::on(Some(Schema::new()), &config(&[]));
    voice
        .schema()
        .sql("CREATE TABLE invoices (id INTEGER PRIMARY KEY)");
    is_refused(&voice, &[], &["another program", "invoices", "--database"]);
    assert_eq!(voice.schema().sql(tables), "invoices");

    let blogs = Blogosphere::start();
    blogs.answer("/feed", Answer::Feed(rss("known", [2, 1])));
    let voice = Voice::on(Some(Schema::new()), &config(&[("known", blogs.url("/feed"))]));
    voice.json(&["poll", "--all", "--json"]);
    let before = voice.schema().sql(tables);
    voice.schema().sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', TRUE, '', 0)",
    );
    is_refused(&voice, &[], &["newer version", "9999"]);
    assert_eq!(voice.schema().sql(tables), before);
    voice
        .schema()
        .sql("DELETE FROM _sqlx_migrations WHERE version = 9999");
    assert_eq!(voice.exported().len(), 2);
}

#[test]
#[ignore = "run by scripts/test beside a PostgreSQL server"]
fn what_the_server_refuses_is_said_with_its_mend_and_without_the_password() {
    let cluster = Cluster::start();
    let voice = Voice::on(Some(Schema::on(&cluster.url)), &config(&[]));
    // scripts/postgres asks this role for its password.
    voice
        .schema()
        .sql("CREATE ROLE guarded LOGIN PASSWORD 'battery staple'");
    voice.schema().sql("CREATE DATABASE guarded OWNER guarded");
    let (_, host) = cluster.url.split_once('?').unwrap();
    let url = |user: &str, database: &str| format!("postgres://{user}@localhost/{database}?{host}");

    let wrong = url("guarded:horsebattery", "guarded");
    let said = is_refused(
        &voice,
        &["--database", &wrong],
        &["does not let us in", "guarded", "DATABASE_URL"],
    );
    assert!(!said.contains("horsebattery"), "{said}");
    let right = url("guarded:battery%20staple", "guarded");
    assert_eq!(voice.run(&["poll", "--database", &right]).status.code(), Some(0));
    let missing = url("postgres", "nowhere");
    is_refused(
        &voice,
        &["--database", &missing],
        &["\"nowhere\"", "is not there", "createdb"],
    );

    cluster.go_away();
    let said = is_refused(
        &voice,
        &["--database", &right],
        &["cannot be reached", "see that the server runs"],
    );
    assert!(!said.contains("staple"), "{said}");
}

#[test]
#[ignore = "run by scripts/test beside a PostgreSQL server"]
fn a_server_that_goes_away_in_the_middle_of_polls_and_comes_back_costs_nothing() {
    const FEEDS: usize = 200;
    /// The leases of polls that were cut off last 20 seconds, and a machine may be busy.
    const PATIENCE: Duration = Duration::from_mins(4);
    let blogs = Blogosphere::of_many_hosts(Duration::from_millis(25));
    let mut feeds = Vec::new();
    for number in 0..FEEDS {
        let slug = format!("blog-{number}");
        blogs.answer(&format!("/{slug}"), Answer::Feed(rss(&slug, [3, 2, 1])));
        let url = blogs.url_at_host(number, &format!("/{slug}"));
        feeds.push((slug, url));
    }
    let settings = "[site]\ncontact = \"https://voice.example/about\"\n[fetch]\nallow = [\"127.0.0.0/8\"]\n\
        schedule = \"* * * * * *\"\nmin_interval = \"1s\"\nmax_interval = \"1s\"\nconcurrency = 4\n";
    let cluster = Cluster::start();
    let voice = Voice::on(Some(Schema::on(&cluster.url)), &config_with(settings, &feeds));
    let mut server = voice.serve();
    server.wait_for("/feed.atom", |feed| feed.body.contains("post 3"));
    let before = voice.exported();
    cluster.go_away();

    let page = server.wait_for("/", |page| page.status != 200);
    assert_eq!(page.status, 503, "{}", page.body);
    let ready = server.get("/readyz");
    assert_eq!(ready.status, 503);
    assert!(
        ready.body.contains("the database does not answer"),
        "{}",
        ready.body
    );
    assert_eq!(server.get("/healthz").status, 200);
    is_refused(&voice, &[], &["cannot be reached"]);
    server.wait_for_log("trying again at the next tick");

    blogs.answer("/blog-0", Answer::Feed(rss("blog-0", [4, 3, 2, 1])));
    cluster.come_back();
    server.wait_long_for(PATIENCE, "/entries.json?limit=1", |page| page.status == 200);
    let stored = (3 * FEEDS + 1).to_string();
    let all = || voice.schema().sql("SELECT count(*) FROM entries") == stored;
    blogs.wait_until("every post was stored", PATIENCE, all);
    server.wait_long_for(PATIENCE, "/feed.atom", |feed| {
        feed.body.contains("blog-0: post 4")
    });
    server.wait_long_for(PATIENCE, "/readyz", |ready| ready.status == 200);
    assert_eq!(server.stop().0, Some(0));

    let after = voice.exported();
    let keys: BTreeSet<&str> = after.iter().map(|entry| entry["key"].as_str().unwrap()).collect();
    assert_eq!((after.len(), keys.len()), (3 * FEEDS + 1, 3 * FEEDS + 1));
    for entry in &before {
        assert!(after.contains(entry), "{entry:#} was lost or changed");
    }
}
