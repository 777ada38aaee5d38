//! Two years of digests in no time, with the clock handed in: members join and leave, posts come late, are edited, dated anew
//! and withdrawn, closers sleep, race and die. What was closed is judged by what readers get.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Europe::London;
use export::DigestStatus;
use model::{Clock, EntryDraft, Feed, FeedSpec, FixedClock, PollOutcome, Site, Week, start_of_day};
use poll::{CronLine, IssueStep, Issues, Network, Selection};
use store::{
    Cause, ChangedEntry, Decision, FeedState, IssueFormat, NewEntry, PollRecord, RevisionLookup, Store,
    WeekRules,
};
use support::blogosphere::{Answer, Blogosphere};
use support::database::Schema;
use support::inside::Inside;
use tokio::sync::watch;

const FORMATS: [IssueFormat; 5] = [
    IssueFormat::Json,
    IssueFormat::Markdown,
    IssueFormat::Html,
    IssueFormat::Text,
    IssueFormat::Csv,
];

/// A Wednesday: the week in which it lies is the first that closes.
const BEGIN: &str = "2026-01-14T10:00:00Z";
const WEEKS: i64 = 104;
const STEP: TimeDelta = TimeDelta::hours(12);
const LATE: TimeDelta = TimeDelta::days(28);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Numbers that look like chance and are the same each time (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }
}

/// A post as the simulation knows it.
#[derive(Debug, Clone)]
struct Post {
    member: String,
    published: DateTime<Utc>,
    eligible: bool,
    /// The week that it must stand in, once that is closed.
    issue: Option<Week>,
    in_time: bool,
    withdrawn: bool,
}

struct World {
    store: Store,
    site: Site,
    schedule: CronLine,
    chance: Chance,
    /// How many ever joined.
    members: usize,
    joined: BTreeMap<String, NaiveDate>,
    /// By key.
    posts: BTreeMap<String, Post>,
    /// By week: what was closed, in every format.
    closed: BTreeMap<Week, Vec<String>>,
    next: Week,
}

fn draft(key: &str) -> EntryDraft {
    let link = format!("https://posts.example/{key}");
    EntryDraft {
        source_id: link.clone(),
        link_key: Some(format!("posts.example/{key}")),
        link: Some(link),
        fingerprint: key.to_owned(),
        substance: key.to_owned(),
        title: Some(format!("Title-of-{key}")),
        summary: format!("Summary of {key}."),
        text: format!("Text of {key}."),
        language: Some("en".to_owned()),
        words: 3,
        ..EntryDraft::default()
    }
}

impl World {
    async fn feed(&self, member: &str) -> Feed {
        let feeds = self.store.feeds().await.unwrap();
        feeds.into_iter().find(|feed| feed.slug == member).unwrap()
    }

    async fn join(&mut self, now: DateTime<Utc>) {
        let member = format!("member-{}", self.members);
        self.members += 1;
        let url = format!("https://{member}.example/feed").parse().unwrap();
        let spec = FeedSpec::new(url, member.clone());
        self.store.import_feeds(&[spec], now, London).await.unwrap();
        self.joined
            .insert(member, now.with_timezone(&London).date_naive());
    }

    /// A poll that finds a post of this age.
    async fn post(&mut self, member: &str, age: TimeDelta, now: DateTime<Utc>) {
        let key = format!("post{:08}", self.posts.len());
        let published = now - age;
        let new = NewEntry {
            key: key.clone(),
            id_prefix: "tag:voice.example.org,2026:".to_owned(),
            draft: draft(&key),
            published_at: published,
            updated_at: published,
            released_at: now,
            undated_back_catalogue: false,
            shown: true,
        };
        self.record(member, now, vec![new], Vec::new()).await;
        let week = Week::of(published, London);
        self.posts.insert(
            key,
            Post {
                member: member.to_owned(),
                published,
                eligible: published >= start_of_day(self.joined[member], London) && age <= LATE,
                issue: None,
                in_time: week >= self.next,
                withdrawn: false,
            },
        );
    }

    async fn record(&self, member: &str, now: DateTime<Utc>, new: Vec<NewEntry>, changed: Vec<ChangedEntry>) {
        let feed = self.feed(member).await;
        let record = PollRecord {
            outcome: PollOutcome::Changed,
            new,
            changed,
            ..poll_of(&feed, now)
        };
        assert!(self.store.record_polls(&[record]).await.unwrap()[0].accepted);
    }

    /// Its author writes it anew, and gives it another date.
    async fn edit(&mut self, key: &str, now: DateTime<Utc>) {
        let member = self.posts[key].member.clone();
        let feed = self.feed(&member).await;
        let known = self.store.known_entries(feed.id).await.unwrap();
        let id = known
            .iter()
            .find(|entry| entry.source_id.ends_with(key))
            .unwrap()
            .id;
        let mut draft = draft(key);
        draft.summary = format!("Summary of {key}, at {now}.");
        draft.published = Some(now);
        let changed = ChangedEntry {
            id,
            draft,
            substantial: true,
            shown: true,
        };
        self.record(&member, now, Vec::new(), vec![changed]).await;
    }

    async fn withdraw(&mut self, key: &str, now: DateTime<Utc>) {
        let decision = Decision {
            by: "author",
            why: None,
            at: now,
        };
        let keys = [key];
        self.store
            .withdraw_entries(&keys, Cause::Author, &decision)
            .await
            .unwrap();
        self.posts.get_mut(key).unwrap().withdrawn = true;
    }

    async fn leave(&mut self, member: &str, now: DateTime<Utc>) {
        let decision = Decision {
            by: "member",
            why: None,
            at: now,
        };
        self.store
            .withdraw_member(member, Cause::Left, &decision)
            .await
            .unwrap()
            .unwrap();
        self.joined.remove(member);
        let theirs = self.posts.values_mut().filter(|post| post.member == member);
        theirs.for_each(|post| post.withdrawn = true);
    }

    /// Closes what is due; a closer died on the way before, and two go at it at once.
    async fn close_due(&mut self, now: DateTime<Utc>) {
        let schedule = self.schedule.clone();
        let next = move |after| schedule.next_after(after);
        while self.next.closes_at(London, &next) <= now {
            let week = self.next;
            let rules = WeekRules {
                week,
                zone: London,
                late_days: 28,
            };
            if self.chance.below(5) == 0 {
                let died = self.store.begin_closing(rules).await.unwrap().unwrap();
                drop(died);
                assert!(self.store.issue(week).await.unwrap().is_none());
            }
            let (one, other) = tokio::join!(
                serve::close_issue(&self.store, &self.site, week, now, &next),
                serve::close_issue(&self.store, &self.site, week, now, &next)
            );
            assert!(
                one.unwrap() != other.unwrap(),
                "{week} was closed by both or by none"
            );
            for post in self.posts.values_mut() {
                let stands = post.eligible && !post.withdrawn && post.issue.is_none();
                if stands && post.published < week.end(London) {
                    post.issue = Some(week);
                }
            }
            self.closed.insert(week, self.bodies(week, 1).await);
            self.next = week.next();
        }
    }

    async fn bodies(&self, week: Week, revision: u32) -> Vec<String> {
        let mut bodies = Vec::new();
        for format in FORMATS {
            match self.store.issue_revision(week, revision, format).await.unwrap() {
                RevisionLookup::Found(body) => bodies.push(body),
                other => panic!("{week} r{revision} {format:?}: {other:?}"),
            }
        }
        bodies
    }

    fn any_member(&mut self) -> String {
        let number = self.chance.below(self.joined.len() as u64) as usize;
        self.joined.keys().nth(number).unwrap().clone()
    }

    /// Some post that is not withdrawn and whose member is still there.
    fn any_post(&mut self) -> Option<String> {
        let standing: Vec<&String> = self
            .posts
            .iter()
            .filter(|(_, post)| !post.withdrawn)
            .map(|(key, _)| key)
            .collect();
        if standing.is_empty() {
            return None;
        }
        let number = self.chance.below(standing.len() as u64) as usize;
        Some(standing[number].clone())
    }
}

fn poll_of(feed: &Feed, now: DateTime<Utc>) -> PollRecord {
    PollRecord {
        http_status: Some(200),
        state: FeedState {
            next_poll_at: now + TimeDelta::hours(1),
            ..FeedState::of(feed)
        },
        ..PollRecord::of(feed, now)
    }
}

async fn live() -> (World, Option<Schema>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::where_chosen();
    let url = match &schema {
        Some(schema) => schema.url(),
        None => format!("sqlite://{}", folder.path().join("voice.db").display()),
    };
    let settings = registry::parse(
        "feeds.toml",
        "[site]\nurl = \"https://voice.example.org\"\ncontact = \"https://voice.example.org/about\"\n",
        &[],
    );
    let site = settings.unwrap().site;
    let begin = at(BEGIN);
    let mut world = World {
        store: Store::open(&url).await.unwrap(),
        schedule: CronLine::parse(&site.digest_schedule, London).unwrap(),
        site,
        chance: Chance(8),
        members: 0,
        joined: BTreeMap::new(),
        posts: BTreeMap::new(),
        closed: BTreeMap::new(),
        next: Week::of(begin, London),
    };
    for _ in 0..5 {
        world.join(begin).await;
    }
    let ages = [
        TimeDelta::zero(),
        TimeDelta::minutes(1),
        TimeDelta::hours(7),
        TimeDelta::days(7),
        TimeDelta::days(20),
        LATE,
        LATE + TimeDelta::seconds(1),
        TimeDelta::days(31),
    ];
    let mut now = begin;
    let mut step = 0_i64;
    while now < begin + TimeDelta::weeks(WEEKS) {
        for _ in 0..world.chance.below(3) {
            let member = world.any_member();
            let age = ages[world.chance.below(ages.len() as u64) as usize];
            world.post(&member, age, now).await;
        }
        if world.chance.below(4) == 0
            && let Some(key) = world.any_post()
        {
            world.edit(&key, now).await;
        }
        if world.chance.below(30) == 0
            && let Some(key) = world.any_post()
        {
            world.withdraw(&key, now).await;
        }
        if step % 140 == 70 {
            world.join(now).await;
        }
        if step % 420 == 400 {
            let member = world.any_member();
            world.leave(&member, now).await;
        }
        // The last minute of each week, and the first, as they come in later.
        let end = Week::of(now, London).end(London);
        if now + STEP > end {
            let member = world.any_member();
            let (late, early) = (TimeDelta::minutes(1), TimeDelta::zero());
            world
                .post(&member, late + TimeDelta::seconds(1), end + late)
                .await;
            world.post(&member, early, end + late + late).await;
        }
        now += STEP;
        step += 1;
        // The fetcher slept for some weeks of the second summer.
        let asleep = at("2027-07-05T00:00:00Z")..at("2027-08-01T00:00:00Z");
        if !asleep.contains(&now) {
            world.close_due(now).await;
        }
        if step % 50 == 0 {
            serve::settle_issues(&world.store, &world.site, now)
                .await
                .unwrap();
        }
    }
    serve::settle_issues(&world.store, &world.site, now)
        .await
        .unwrap();
    (world, schema, folder)
}

#[tokio::test]
async fn every_eligible_post_stands_in_one_issue_for_ever() {
    let (world, _schema, _folder) = live().await;
    let weeks: Vec<Week> = world.closed.keys().copied().collect();
    assert!(weeks.len() as i64 >= WEEKS - 1, "{}", weeks.len());
    assert!(
        weeks.windows(2).all(|two| two[0].next() == two[1]),
        "a week is missing"
    );
    assert!(weeks.iter().any(|week| week.to_string() == "2026-W53"));
    let issues = world.store.issues(1000).await.unwrap();
    assert_eq!(issues.len(), weeks.len());

    let (mut stood, mut late, mut corrected) = (BTreeSet::new(), 0, 0);
    for (week, bodies) in &world.closed {
        let document: serde_json::Value = serde_json::from_str(&bodies[0]).unwrap();
        assert_eq!(document["status"], "closed");
        let mut lost_any = false;
        for entry in document["entries"].as_array().unwrap() {
            let key = entry["key"].as_str().unwrap();
            let post = &world.posts[key];
            assert!(stood.insert(key.to_owned()), "{key} stands in two issues");
            assert_eq!(post.issue, Some(*week), "{key}");
            let own = Week::of(post.published, London);
            assert_eq!(entry["late"], own < *week, "{key}");
            assert_eq!(
                post.in_time,
                own == *week,
                "{key} came in time and stands in {week}"
            );
            late += i32::from(own < *week);
            lost_any |= post.withdrawn;
        }
        let named = ["not_heard", "new_members"].map(|list| document[list].as_array().unwrap());
        let left: Vec<&str> = named
            .into_iter()
            .flatten()
            .map(|member| member["slug"].as_str().unwrap())
            .filter(|slug| !world.joined.contains_key(*slug))
            .collect();
        let issue = issues.iter().find(|issue| issue.week == *week).unwrap();
        if lost_any || !left.is_empty() {
            corrected += 1;
            assert!(
                issue.revision > 1,
                "{week} still holds what was withdrawn or names who left"
            );
            let old = world
                .store
                .issue_revision(*week, 1, IssueFormat::Json)
                .await
                .unwrap();
            assert_eq!(old, RevisionLookup::Gone);
            for body in world.bodies(*week, issue.revision).await {
                for slug in &left {
                    assert!(!body.contains(&format!("\"{slug}\"")), "{week} names {slug}");
                }
                for (key, _) in world.posts.iter().filter(|(_, post)| post.withdrawn) {
                    assert!(
                        !body.contains(&format!("Title-of-{key}")),
                        "{week} tells of {key}"
                    );
                    assert!(
                        !body.contains(&format!("Summary of {key}")),
                        "{week} tells of {key}"
                    );
                }
            }
        } else {
            assert_eq!(issue.revision, 1, "{week}");
            assert_eq!(&world.bodies(*week, 1).await, bodies, "{week} changed");
        }
    }
    // What came after the last closing stands in the week that is open.
    let schedule = world.schedule.clone();
    let next = |after| schedule.next_after(after);
    let now = world.next.start(London) + TimeDelta::days(2);
    let open = serve::digest_of_week(&world.store, &world.site, world.next, now, &next);
    let open = open.await.unwrap();
    assert_eq!(open.status(), DigestStatus::Open);
    let still_open: BTreeSet<&str> = open.entries().map(|entry| entry.key.as_str()).collect();
    let end = world.next.end(London);
    for (key, post) in &world.posts {
        assert_eq!(stood.contains(key), post.issue.is_some(), "{key}: {post:?}");
        let waits = post.eligible && !post.withdrawn && post.issue.is_none() && post.published < end;
        assert_eq!(still_open.contains(key.as_str()), waits, "{key}: {post:?}");
    }
    assert!(
        stood.len() > 500 && late > 50 && corrected > 10,
        "{} {late} {corrected}",
        stood.len()
    );
}

/// Makes the issues at a moment that was handed in.
struct At(Store, Arc<FixedClock>);

impl Issues for At {
    fn close<'a>(&'a self, site: &'a Site, week: Week) -> IssueStep<'a, bool> {
        Box::pin(async move {
            let schedule = CronLine::parse(&site.digest_schedule, site.timezone).unwrap();
            let next = |after| schedule.next_after(after);
            serve::close_issue(&self.0, site, week, self.1.now(), &next).await
        })
    }

    fn settle<'a>(&'a self, site: &'a Site) -> IssueStep<'a, Vec<Week>> {
        Box::pin(serve::settle_issues(&self.0, site, self.1.now()))
    }
}

fn item(name: &str, date: &str) -> String {
    format!(
        "<item><title>{name}</title><link>https://blog.example/{name}</link><guid isPermaLink=\"false\">{name}</guid>\
         <pubDate>{date}</pubDate><description>Words.</description></item>"
    )
}

fn channel(items: &str) -> Answer {
    Answer::Feed(format!(
        "<rss version=\"2.0\"><channel><title>Example</title><link>https://blog.example/</link>{items}</channel></rss>"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_closing_everybody_is_asked_once_more() {
    let blogs = Blogosphere::start();
    let first = item("first", "Thu, 12 Nov 2026 08:00:00 +0000");
    blogs.answer("/good", channel(&first));
    blogs.answer("/broken", channel(&first.replace("first", "broken")));
    blogs.answer("/busy", channel(&first.replace("first", "busy")));
    let feeds = ["good", "broken", "busy"].map(|slug| (slug, blogs.url(&format!("/{slug}"))));
    let settings = registry::parse("feeds.toml", &support::config(&feeds), &[]).unwrap();
    let clock = Arc::new(FixedClock::at(at("2026-11-12T09:00:00Z")));
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::where_chosen();
    let url = match &schema {
        Some(schema) => schema.url(),
        None => format!("sqlite://{}", folder.path().join("voice.db").display()),
    };
    let Inside { store, poller } = Inside::open(&url, &settings, &clock).await;
    let (_sender, stop) = watch::channel(false);
    let mut network = Network::default();
    let (all, _) = poller.select(Selection::All).await.unwrap();
    poller.poll(all, &mut network, &stop, &|_| ()).await;
    // One refuses until Christmas, and then the Voice sleeps for two weeks and a half.
    let refusal = vec![("Retry-After", "1000000".to_owned())];
    blogs.answer("/busy", Answer::Raw(429, refusal, Vec::new()));
    clock.set(at("2026-11-24T09:00:00Z"));
    let (busy, _) = poller
        .select(Selection::Named(&["busy".to_owned()]))
        .await
        .unwrap();
    poller.poll(busy, &mut network, &stop, &|_| ()).await;
    blogs.answer("/broken", Answer::Raw(500, Vec::new(), Vec::new()));
    let sunday = item("sunday", "Sun, 29 Nov 2026 23:59:00 +0000");
    blogs.answer("/good", channel(&format!("{sunday}{first}")));
    clock.set(at("2026-11-30T07:00:00Z"));
    let before = blogs.hits();
    let issues = At(store.clone(), Arc::clone(&clock));
    let last: Week = "2026-W48".parse().unwrap();
    let closed = poll::close_through(&poller, last, &issues, &stop).await.unwrap();
    let closed: Vec<String> = closed.iter().map(Week::to_string).collect();
    assert_eq!(closed, ["2026-W46", "2026-W47", "2026-W48"]);
    let asked = |path: &str| blogs.hits().get(path).unwrap_or(&0) - before.get(path).unwrap_or(&0);
    assert_eq!((asked("/good"), asked("/broken"), asked("/busy")), (1, 1, 0));
    let RevisionLookup::Found(document) = store.issue_revision(last, 1, IssueFormat::Json).await.unwrap()
    else {
        panic!("{last} has no document");
    };
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["entries"][0]["title"], "sunday");
    let silent = document["not_heard"].as_array().unwrap();
    let silent: Vec<&str> = silent
        .iter()
        .map(|silent| silent["slug"].as_str().unwrap())
        .collect();
    assert_eq!(silent, ["broken", "busy"]);
    assert_eq!(document["not_heard"][0]["since"], "2026-11-12T09:00:00Z");
    // Again: nothing is left to close, and nobody is asked who has answered.
    let again = poll::close_through(&poller, last, &issues, &stop).await.unwrap();
    assert_eq!((again, asked("/good")), (Vec::new(), 1));
}
