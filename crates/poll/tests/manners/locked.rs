//! What becomes of a round while another program has the database locked.

use std::sync::Mutex;
use std::sync::mpsc;

use store::{HostRequest, Store, StoreError, WeekRules};

use crate::cases::NOW;
use crate::web::{Answer, Web, rss};

/// Another program takes the lock while a poll is under way and keeps it for longer than a write waits. The round waits
/// for its records: nothing that was read is lost, and nobody is asked twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_outlasts_a_lock_that_outlasts_a_write() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("voice.db").display());
    let open = async || Store::open(&url).await.unwrap();
    let (ours, others, late) = (open().await, open().await, open().await);
    let (asked, was_asked) = tokio::sync::oneshot::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let first = Mutex::new(Some((asked, may_go_on)));
    let mut web = Web::on(ours, NOW, move |_, _, _, now| {
        if let Some((asked, may_go_on)) = first.lock().unwrap().take() {
            asked.send(()).unwrap();
            may_go_on.recv().unwrap();
        }
        Answer::ok(rss(
            "The blog of ada",
            "http://ada.example/",
            &[("one".to_owned(), now)],
        ))
    })
    .await;
    web.join(&["ada.example".to_owned()]).await;
    let now = web.now();

    let lock = async {
        was_asked.await.unwrap();
        let week = WeekRules {
            week: "2026-W44".parse().unwrap(),
            zone: chrono_tz::UTC,
            late_days: 28,
        };
        let lock = others.begin_closing(week).await.unwrap();
        assert!(lock.is_some());
        go_on.send(()).unwrap();
        // When a write that began later has given up, so has the first try of the round.
        let ledger = [HostRequest {
            host: "late.example".to_owned(),
            not_modified: false,
            bytes: 0,
        }];
        for _ in 0..2 {
            let refused = late.note_requests(now, &ledger).await;
            assert!(matches!(refused, Err(StoreError::Locked { .. })), "{refused:?}");
        }
        drop(lock);
    };
    let (summary, ()) = tokio::join!(web.round_of_all(), lock);
    assert_eq!((summary.entries_new, summary.failed), (1, 0), "{summary:?}");
    assert_eq!(web.log().len(), 1);
    assert_eq!(web.ledger().await, web.log_by_host());
}
