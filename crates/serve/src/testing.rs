//! What the tests share: a site, a store with entries in it, and a client of the router.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use fetch::{FetchConfig, Fetcher};
use http_body_util::BodyExt;
use model::{
    ContentChoice, Enclosure, EntryDraft, Evidence, EvidencePlace, Feed, FeedSpec, FeedStatus, FixedClock,
    HashtagGroup, Image, MemberKind, Pictures, PollOutcome, SafeHtml, Site, Topic, TopicMatch, TopicRules,
    TopicSource,
};
use poll::{CronLine, Intervals, Looker, Poller, PollerSettings};
use store::{Due, FeedState, HostRequest, NewEntry, PollRecord, Retagged, Store};
use tokio::sync::watch;
use tower::ServiceExt;
use url::Url;

use crate::app::{State, assemble};
use crate::{Admin, App};

pub(crate) const NOW: &str = "2026-11-23T09:00:00Z";

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn topic(slug: &str, name: &str, parent: Option<&str>) -> Topic {
    Topic {
        slug: slug.to_owned(),
        name: name.to_owned(),
        description: format!("About {name}."),
        parent: parent.map(str::to_owned),
        rules: TopicRules::default(),
    }
}

pub(crate) fn site() -> Site {
    Site {
        title: "Example Voice".to_owned(),
        subtitle: "What people in local government write".to_owned(),
        url: "https://voice.example.org".to_owned(),
        language: "en-GB".to_owned(),
        timezone: chrono_tz::Europe::London,
        contact: "https://voice.example.org/about".to_owned(),
        email: None,
        pictures: Pictures::Origin,
        ai_training: false,
        hub: None,
        network_hashtags: vec!["localgovdigital".to_owned()],
        hashtag_groups: vec![HashtagGroup {
            tag: "ukgovcamp".to_owned(),
            also: vec!["ukgc*".to_owned()],
        }],
        topics: vec![
            topic("democracy", "Democracy", None),
            topic("notices", "Notices", Some("democracy")),
            topic("skills", "Skills", None),
        ]
        .into(),
        digest_schedule: "0 0 7 * * Mon".to_owned(),
        digest_late_days: 28,
    }
}

/// A post of the example blog with this number.
pub(crate) fn draft(number: u32) -> EntryDraft {
    let link = format!("https://one.example/posts/{number}");
    EntryDraft {
        source_id: link.clone(),
        link_key: Some(format!("one.example/posts/{number}")),
        link: Some(link),
        fingerprint: format!("f{number}"),
        substance: format!("s{number}"),
        title: Some(format!("Post number {number}")),
        summary: format!("The first words of post number {number} about councillors."),
        content_html: SafeHtml::vouched(format!(
            "<h1>Post {number}</h1><p>The whole secret post {number}.</p>"
        )),
        text: format!("The whole secret post {number} about councillors."),
        language: Some("en".to_owned()),
        words: 450,
        topics: vec![TopicMatch {
            slug: "democracy".to_owned(),
            score: 0.9,
            by: TopicSource::Rule,
            why: vec![Evidence {
                place: EvidencePlace::Body,
                text: "councillors".to_owned(),
            }],
        }],
        hashtags: vec!["localgovdigital".to_owned(), "ukgc15".to_owned()],
        categories: vec!["Council".to_owned()],
        ..EntryDraft::default()
    }
}

/// A post that tries everything.
fn hostile() -> EntryDraft {
    EntryDraft {
        source_id: "hostile".to_owned(),
        link: Some("javascript:alert(1)".to_owned()),
        link_key: None,
        fingerprint: "fh".to_owned(),
        substance: "sh".to_owned(),
        title: Some("<script>alert(1)</script> & \"quotes\" <img src=x onerror=alert(1)>".to_owned()),
        summary: "</p><script>alert(2)</script>".to_owned(),
        author: Some("<b onclick=alert(3)>Mallory</b>".to_owned()),
        language: Some("cy\"><script>".to_owned()),
        categories: vec!["<i>cat</i>".to_owned()],
        licence: Some("javascript:alert(4)".to_owned()),
        image: Some(Image {
            url: "https://pictures.example/a.png?\"onload=\"x".to_owned(),
            alt: None,
        }),
        enclosures: vec![Enclosure {
            url: "javascript:alert(6)".to_owned(),
            media_type: Some("text/html\"><script>".to_owned()),
            size_bytes: None,
        }],
        ..draft(0)
    }
}

/// A store with two example blogs: thirty posts that show their first words, one a day back from `NOW`, and a
/// hostile one that shows all.
pub(crate) async fn filled_store() -> Store {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let now = at(NOW);
    let url = |text: &str| Url::parse(text).unwrap();
    let mut one = FeedSpec::new(url("https://one.example/feed"), "One Example");
    one.organisation = Some("Example Council".to_owned());
    one.site = Some(url("https://one.example/"));
    let mut two = FeedSpec::new(url("https://two.example/feed"), "Two <script>alert(5)</script>");
    two.slug = Some("two".to_owned());
    two.content = Some(ContentChoice::Full);
    two.kind = Some(MemberKind::Team);
    store
        .merge_registry(&[one, two], now, site().timezone)
        .await
        .unwrap();
    let posts: Vec<_> = (1..=30)
        .map(|n| (draft(n), now - TimeDelta::days(i64::from(n))))
        .collect();
    record(&store, "one-example", now, posts).await;
    record(&store, "two", now, vec![(hostile(), now - TimeDelta::hours(2))]).await;
    store
}

/// The feed with this slug.
pub(crate) async fn feed_named(store: &Store, slug: &str) -> Feed {
    let feeds = store.feeds().await.unwrap();
    feeds.into_iter().find(|feed| feed.slug == slug).unwrap()
}

/// Records a poll of a feed that found these posts, published then.
pub(crate) async fn record(
    store: &Store,
    feed: &str,
    now: DateTime<Utc>,
    posts: Vec<(EntryDraft, DateTime<Utc>)>,
) {
    let feed = feed_named(store, feed).await;
    let new = posts
        .into_iter()
        .map(|(draft, published)| NewEntry {
            key: format!("{:0>8}", draft.fingerprint),
            id_prefix: format!("tag:voice.example.org,{}:", now.year()),
            draft,
            published_at: published,
            updated_at: published,
            released_at: published,
            undated_back_catalogue: false,
            shown: true,
        })
        .collect();
    let record = PollRecord {
        new,
        ..poll(&feed, now)
    };
    assert!(store.record_polls(&[record]).await.unwrap()[0].accepted);
}

/// A good poll of the feed as it stands, which found nothing.
pub(crate) fn poll(feed: &Feed, now: DateTime<Utc>) -> PollRecord {
    PollRecord {
        outcome: PollOutcome::Changed,
        http_status: Some(200),
        duration_ms: 10,
        body_bytes: 1000,
        requests: vec![HostRequest {
            host: feed.url.host_str().unwrap().to_owned(),
            not_modified: false,
            bytes: 1000,
        }],
        state: FeedState {
            status: FeedStatus::Active,
            next_poll_at: now + TimeDelta::hours(1),
            ..FeedState::of(feed)
        },
        ..PollRecord::of(feed, now)
    }
}

/// Looks at blogs on loopback.
fn looker(store: &Store, clock: &Arc<FixedClock>) -> Arc<Looker> {
    let fetcher = Fetcher::new(FetchConfig {
        user_agent: "Voice in a test".to_owned(),
        timeout: Duration::from_secs(10),
        max_body_bytes: 1 << 20,
        concurrency: 8,
        per_host: 8,
        allow: vec!["127.0.0.0/8".parse().unwrap()],
    })
    .unwrap();
    let settings = PollerSettings {
        intervals: Intervals {
            min: Duration::from_mins(30),
            max: Duration::from_hours(24),
        },
        schedule: CronLine::parse("0 */5 * * * *", chrono_tz::UTC).unwrap(),
        concurrency: 8,
        per_host: 8,
    };
    let poller = Poller::new(
        store.clone(),
        fetcher,
        Arc::clone(clock) as _,
        Arc::new(site()),
        settings,
    );
    Arc::new(Looker::new(watch::channel(Arc::new(poller)).1))
}

/// The Voice as a client sees it.
pub(crate) struct Client {
    pub(crate) state: Arc<State>,
    router: Router,
    pub(crate) app: App,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) site: watch::Sender<Arc<Site>>,
    pub(crate) store: Store,
}

impl Client {
    pub(crate) async fn new() -> Self {
        Self::of(filled_store().await)
    }

    pub(crate) fn of(store: Store) -> Self {
        let clock = Arc::new(FixedClock::at(at(NOW)));
        let (sender, receiver) = watch::channel(Arc::new(site()));
        let app = App {
            looker: looker(&store, &clock),
            sends_mail: true,
            site: receiver,
            store,
            clock: Arc::clone(&clock) as Arc<_>,
            poll_stale_after: Duration::from_hours(1),
            trusted_proxies: Vec::new(),
            // The rules of these tests find nothing.
            retag: Arc::new(|_, post, decisions| Retagged {
                topics: decisions.apply(Vec::new()),
                shown: post.shown,
            }),
            admins: Admin::list("mo:moderator:moderators-token,ed:editor:editors-token").unwrap(),
            serves_readers: true,
            due: Arc::new(|now| Due {
                now,
                furthest: now + TimeDelta::days(1),
            }),
            // Mondays at seven; no clock changes in these tests.
            next_digest_close: Arc::new(|after| {
                (0..8)
                    .map(|days| {
                        (after + TimeDelta::days(days))
                            .date_naive()
                            .and_hms_opt(7, 0, 0)
                            .unwrap()
                            .and_utc()
                    })
                    .find(|at| at.weekday() == chrono::Weekday::Mon && *at > after)
            }),
        };
        Self {
            clock,
            site: sender,
            ..Self::with(app)
        }
    }

    /// As [`Self::of`], of an application that was changed.
    pub(crate) fn with(app: App) -> Self {
        let (state, router) = assemble(app.clone());
        Self {
            state,
            router,
            clock: Arc::new(FixedClock::at(at(NOW))),
            site: watch::channel(Arc::new(site())).0,
            store: app.store.clone(),
            app,
        }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.answer(request.body(Body::empty()).unwrap()).await
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        // As `connections` does it.
        let response = match self.state.again(&request) {
            Some(response) => response,
            None => self.router.clone().oneshot(request).await.unwrap(),
        };
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// Sends a form.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        self.answer(request.body(Body::from(form)).unwrap()).await
    }

    /// Sends a form with these headers.
    pub(crate) async fn submit(&self, path: &str, body: &'static str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder()
            .method("POST")
            .uri(path)
            .header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.answer(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[]).await
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}
