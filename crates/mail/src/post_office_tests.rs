//! Tests with a mail server on loopback that keeps what it gets.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use model::{FeedSpec, FixedClock, Site};
use store::{Decision, HealthChange, Registration, Secret, Store, TERMINAL};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{CLAIM, PostOffice, SmtpSettings};

/// How the server treats the next mails.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Takes,
    Refuses,
    HangsUp,
    /// Takes the mail and never says so.
    FallsSilent,
}

struct Server {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
    mood: Arc<Mutex<Mood>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mails, mood) = (
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::new(Mutex::new(Mood::Takes)),
        );
        let (kept, moods) = (Arc::clone(&mails), Arc::clone(&mood));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&kept), Arc::clone(&moods)));
            }
        });
        Self { port, mails, mood }
    }

    fn settings(&self) -> SmtpSettings {
        SmtpSettings {
            server: format!("smtp://127.0.0.1:{}", self.port).parse().unwrap(),
            password: None,
            from: "voice@example.org".to_owned(),
        }
    }

    /// What came since this was last asked.
    fn came(&self) -> Vec<String> {
        std::mem::take(&mut self.mails.lock().unwrap())
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

/// RFC 5321, as far as it is needed.
async fn converse(stream: TcpStream, mails: Arc<Mutex<Vec<String>>>, mood: Arc<Mutex<Mood>>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 here\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let mood = *mood.lock().unwrap();
        let answer = match line.split(' ').next().unwrap() {
            "RCPT" if mood == Mood::Refuses => "550 nobody <ann@example.org> here\r\n",
            "DATA" => {
                if mood == Mood::HangsUp {
                    return;
                }
                write.write_all(b"354 go on\r\n").await.unwrap();
                let mut mail = String::new();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "." {
                        break;
                    }
                    mail.push_str(&line);
                    mail.push('\n');
                }
                mails.lock().unwrap().push(mail);
                if mood == Mood::FallsSilent {
                    std::future::pending::<()>().await;
                }
                "250 taken\r\n"
            }
            "QUIT" => return,
            _ => "250 yes\r\n",
        };
        if write.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn now() -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

fn decision(at: DateTime<Utc>) -> Decision<'static> {
    Decision {
        by: TERMINAL,
        why: Some("Welcome."),
        at,
    }
}

fn site() -> Site {
    crate::letter::tests::site()
}

struct Voice {
    store: Store,
    clock: Arc<FixedClock>,
    server: Server,
}

impl Voice {
    /// One to which Ann wants to belong, who gave an address.
    async fn start() -> Self {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let registration = Registration {
            feed: FeedSpec::new("https://ann.example/feed".parse().unwrap(), "Ann"),
            preview: None,
            consented_at: Some(now()),
        };
        let secret = Secret::new().unwrap();
        store
            .register_with_link(&registration, &secret, now(), chrono_tz::UTC)
            .await
            .unwrap();
        assert!(
            store
                .ask_for_confirmation("ann", "ann@example.org", now())
                .await
                .unwrap()
        );
        Self {
            store,
            clock: Arc::new(FixedClock::at(now())),
            server: Server::start().await,
        }
    }

    fn office(&self) -> PostOffice {
        let clock = Arc::clone(&self.clock) as _;
        PostOffice::new(self.store.clone(), clock, Some(self.server.settings())).unwrap()
    }

    async fn confirm(&self) {
        let mail = self.server.came().pop().unwrap();
        // Quoted-printable breaks long lines.
        let mail = mail.replace("=\n", "");
        let code = mail.split("/confirm/").nth(1).unwrap()[..64].to_owned();
        assert_eq!(
            self.store.confirm_email(&code, now()).await.unwrap().as_deref(),
            Some("ann")
        );
    }
}

#[tokio::test]
async fn one_mail_asks_and_then_each_notice_comes_once() {
    let voice = Voice::start().await;
    let office = voice.office();
    for _ in 0..3 {
        office.work(&site()).await.unwrap();
    }
    let first = voice.server.came();
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].contains("Auto-Submitted: auto-generated"));
    assert!(!first[0].contains("List-Unsubscribe"));
    voice.server.mails.lock().unwrap().extend(first);
    voice.confirm().await;
    voice.store.approve_feed("ann", &decision(now())).await.unwrap();
    let feed = voice.store.feeds().await.unwrap()[0].id;
    let broke = HealthChange::Broke(now(), "the server says 500".to_owned());
    for change in [broke.clone(), broke, HealthChange::Well, HealthChange::Well] {
        voice.store.note_health(&[(feed, change)], now()).await.unwrap();
    }
    for _ in 0..3 {
        office.work(&site()).await.unwrap();
    }
    let mut subjects: Vec<String> = voice
        .server
        .came()
        .iter()
        .map(|mail| {
            assert!(
                mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"),
                "{mail}"
            );
            assert!(
                mail.contains("List-Unsubscribe: <https://voice.example.org/unsubscribe/"),
                "{mail}"
            );
            assert!(mail.contains("Content-Type: text/plain"), "{mail}");
            let subject = mail.lines().find(|line| line.starts_with("Subject: ")).unwrap();
            subject["Subject: ".len()..].to_owned()
        })
        .collect();
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "Example Voice cannot read your feed",
            "Example Voice reads your feed again",
            "Your blog is in Example Voice",
            "Your blog waits for a moderator of Example Voice",
        ]
    );
}

#[tokio::test]
async fn a_crash_or_a_server_that_hangs_up_neither_loses_nor_doubles() {
    let voice = Voice::start().await;
    // Somebody claims the mail and dies.
    assert!(
        voice
            .store
            .claim_mail(now(), now() + CLAIM)
            .await
            .unwrap()
            .is_some()
    );
    voice.office().work(&site()).await.unwrap();
    assert!(voice.server.came().is_empty());
    voice.clock.set(now() + CLAIM);
    voice.server.is(Mood::HangsUp);
    assert!(voice.office().work(&site()).await.is_err());
    assert!(voice.server.came().is_empty());
    voice.server.is(Mood::Takes);
    voice.clock.set(now() + CLAIM * 3);
    // Two at once, on one database.
    let (one, other) = (voice.office(), voice.office());
    let site = site();
    let (one, other) = tokio::join!(one.work(&site), other.work(&site));
    one.and(other).unwrap();
    assert_eq!(voice.server.came().len(), 1);
}

#[tokio::test]
async fn a_mail_that_comes_twice_after_a_crash_can_be_known_as_one() {
    let voice = Voice::start().await;
    voice.server.is(Mood::FallsSilent);
    let (office, site) = (voice.office(), site());
    let taken = async {
        while voice.server.mails.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    // The program dies when the server has taken the mail and before that is written down.
    tokio::select! {
        _ = office.work(&site) => panic!("the server never answered"),
        () = taken => {}
    }
    drop(office);
    voice.server.is(Mood::Takes);
    voice.office().work(&site).await.unwrap();
    assert_eq!(voice.server.mails.lock().unwrap().len(), 1, "it is claimed still");
    voice.clock.set(now() + CLAIM);
    for _ in 0..3 {
        voice.office().work(&site).await.unwrap();
    }
    let came = voice.server.came();
    let name = |mail: &String| {
        let mut lines = mail.lines();
        lines
            .find(|line| line.starts_with("Message-ID: "))
            .unwrap()
            .to_owned()
    };
    assert_eq!(came.len(), 2);
    assert_eq!(name(&came[0]), name(&came[1]));
}

#[tokio::test]
async fn an_address_that_is_refused_is_left_alone_and_told_to_no_log() {
    let voice = Voice::start().await;
    voice.server.is(Mood::Refuses);
    let office = voice.office();
    office.work(&site()).await.unwrap();
    voice.server.is(Mood::Takes);
    voice.clock.set(now() + TimeDelta::days(2));
    office.work(&site()).await.unwrap();
    assert!(voice.server.came().is_empty());
    // What nobody confirms is forgotten, and its code with it.
    voice.store.tidy(now() + TimeDelta::days(8)).await.unwrap();
    assert_eq!(voice.store.membership("ann").await.unwrap().unwrap().email, None);
}

#[test]
fn settings_that_cannot_work_are_told() {
    let settings = |server: &str, from: &str| SmtpSettings {
        server: server.parse().unwrap(),
        password: None,
        from: from.to_owned(),
    };
    for (settings, words) in [
        (
            settings("smtps://ann@mail.example", "voice@example.org"),
            "VOICE_SMTP_PASSWORD",
        ),
        (settings("smtp://127.0.0.1", "nobody"), "[mail] from"),
    ] {
        let error = super::Server::new(&settings).err().unwrap().to_string();
        assert!(error.contains(words), "{error}");
    }
}
