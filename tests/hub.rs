//! The hub is told of what changed, by the whole program and to a hub on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use support::Voice;
use support::blogosphere::{Answer, Blogosphere, rss};

/// The feeds that show a post of the blog "a" about #localgovdigital.
fn feeds() -> BTreeSet<String> {
    let pages = ["", "/members/a", "/hashtags/localgovdigital"];
    pages
        .iter()
        .flat_map(|page| {
            ["atom", "rss", "json"].map(|format| format!("https://voice.example{page}/feed.{format}"))
        })
        .collect()
}

/// What the hub was told from its request number `from` on: the feed of each, as both dialects name it.
fn told(web: &Blogosphere, from: usize) -> Vec<String> {
    let requests = web.requests("/hub");
    requests[from.min(requests.len())..]
        .iter()
        .map(|request| {
            let content_type = request.headers.get("content-type").map(String::as_str);
            assert_eq!(content_type, Some("application/x-www-form-urlencoded"));
            let form: Vec<(String, String)> = url::form_urlencoded::parse(request.body.as_bytes())
                .into_owned()
                .collect();
            let value = |name: &str| {
                let found = form.iter().find(|(key, _)| key == name);
                found.map(|(_, value)| value.clone()).unwrap_or_default()
            };
            assert_eq!(value("hub.mode"), "publish");
            assert_eq!(value("hub.url"), value("hub.topic"));
            value("hub.url")
        })
        .collect()
}

#[test]
fn the_hub_is_told_once_by_one_of_several_and_again_until_it_takes_note() {
    let web = Blogosphere::start();
    web.answer("/a", Answer::Feed(rss("a", 1..=3)));
    web.answer("/hub", Answer::Raw(503, vec![], vec![]));
    let voice = Voice::with_config(&format!(
        "[site]\nurl = \"https://voice.example\"\n[fetch]\nallow = [\"127.0.0.0/8\"]\ntimeout = \"5s\"\n\
         [websub]\nhub = \"{}\"\n[[feed]]\nname = \"a\"\nurl = \"{}\"\n",
        web.url("/hub"),
        web.url("/a"),
    ));
    let server = voice.serve();
    let minute = Duration::from_mins(1);
    web.wait_until("the first attempts", minute, || {
        told(&web, 0).into_iter().collect::<BTreeSet<_>>() == feeds()
    });
    // A hub that refuses keeps nobody from reading.
    assert_eq!(
        server.get("/feed.json").json()["items"].as_array().unwrap().len(),
        3
    );
    web.answer("/hub", Answer::Raw(202, vec![], vec![]));
    let refused = web.requests("/hub").len();
    web.wait_until("the second attempts", minute, || {
        told(&web, refused).into_iter().collect::<BTreeSet<_>>() == feeds()
    });
    let second = voice.start("serve --role fetch");
    let mut before = web.requests("/hub").len();
    for post in 4..=5 {
        web.answer("/a", Answer::Feed(rss("a", 1..=post)));
        assert_eq!(voice.json(&["poll", "--all", "--json"])["entries_new"], 1);
        web.wait_until("news of a post", minute, || {
            told(&web, before).into_iter().collect::<BTreeSet<_>>() == feeds()
        });
        // Each feed once, though two processes look.
        assert_eq!(told(&web, before).len(), feeds().len());
        before += feeds().len();
    }
    drop((server, second));
}
