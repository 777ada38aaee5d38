//! From joining to leaving, and what moderators do, in a real browser: at the width of a telephone, with scripts switched off, by
//! the keyboard alone; and what the log says of it, which is nothing that is private.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use model::{Clock as _, SystemClock};
use serde_json::json;
use support::blogosphere::{Answer, Blogosphere};
use support::chromium::{self, Chromium};
use support::{FETCH, MODERATOR, Voice};

const FEED: &str = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>Ann writes</title><link>BLOG</link>
<item><title>What councillors said</title><link>BLOGone</link><guid>BLOGone</guid>
<pubDate>Mon, 16 Nov 2015 09:00:00 GMT</pubDate><description>MARKERWORD What councillors said at the meeting.</description></item>
<item><title>A second post</title><link>BLOGtwo</link><guid>BLOGtwo</guid>
<pubDate>Tue, 17 Nov 2015 09:00:00 GMT</pubDate><description>Something else of the council.</description></item>
</channel></rss>"#;

/// A reader who has a keyboard and nothing else.
struct Reader {
    browser: Chromium,
    pictures: usize,
}

impl Reader {
    fn start() -> Self {
        let mut browser = Chromium::start();
        browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
        // No window is that narrow by itself.
        let narrow = json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": false});
        browser.call("Emulation.setDeviceMetricsOverride", &narrow);
        Self { browser, pictures: 0 }
    }

    fn opens(&mut self, url: &str) {
        self.browser.call("Page.navigate", &json!({"url": url}));
    }

    fn key(&mut self, key: &str, code: u32, text: &str) {
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let mut stroke = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            if !text.is_empty() {
                stroke["text"] = json!(text);
            }
            self.browser.call("Input.dispatchKeyEvent", &stroke);
        }
    }

    fn says(&mut self) -> String {
        let text = self
            .browser
            .evaluate("document.title + '\\n' + document.body.innerText");
        text.as_str().unwrap().to_owned()
    }

    /// Waits until the page says these words; a picture is taken of it.
    fn sees(&mut self, words: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            // Between two pages there is none.
            let found = self.browser.holds(&format!(
                "!!document.body && document.readyState == 'complete' && (document.title + document.body.innerText).includes({})",
                json!(words)
            ));
            if found {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "{words:?} was never seen: {}",
                self.says()
            );
            std::thread::yield_now();
        }
        let wide = self.browser.evaluate("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= 390, "{words}: {wide} pixels wide");
        self.picture(words);
    }

    /// Puts a picture of the page beside the built tests, for people to look at.
    fn picture(&mut self, of: &str) {
        self.pictures += 1;
        let name: String = of
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let file =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("joining-{:02}-{name}.png", self.pictures));
        std::fs::write(file, self.browser.picture()).unwrap();
    }

    /// Presses Tab until the element that answers to this selector has the focus, and the focus can be seen.
    fn tab_to(&mut self, selector: &str) {
        for _ in 0..150 {
            let there = self.browser.evaluate(&format!(
                "!!document.activeElement && document.activeElement.matches({})",
                json!(selector)
            ));
            if there == true {
                let seen = self.browser.evaluate(
                    "(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle != 'none' || s.boxShadow != 'none' })()",
                );
                assert_eq!(seen, true, "the focus of {selector} is not seen");
                return;
            }
            self.key("Tab", 9, "");
        }
        panic!("no Tab leads to {selector}: {}", self.browser.dom());
    }

    fn types(&mut self, text: &str) {
        // What stands there is selected when a field is tabbed to, and goes.
        self.browser.call("Input.insertText", &json!({"text": text}));
    }

    /// Writes this instead of what stands in the field.
    fn corrects_it_to(&mut self, text: &str) {
        let all = json!({"type": "keyDown", "key": "a", "code": "KeyA", "windowsVirtualKeyCode": 65, "modifiers": 2,
            "commands": ["selectAll"]});
        self.browser.call("Input.dispatchKeyEvent", &all);
        self.types(text);
    }

    fn presses(&mut self, selector: &str) {
        self.tab_to(selector);
        self.key("Enter", 13, "\r");
    }

    fn ticks(&mut self, selector: &str) {
        self.tab_to(selector);
        self.key(" ", 32, " ");
    }

    /// Comes to a choice, and goes on to the option after the one that is chosen.
    fn chooses_the_next(&mut self, selector: &str) {
        self.tab_to(selector);
        self.key("ArrowDown", 40, "");
    }
}

#[test]
fn a_blogger_joins_is_seen_hides_a_post_and_leaves() {
    if !chromium::is_there() {
        return;
    }
    let blogs = Blogosphere::start();
    let page = |head: &str| {
        let html = format!(
            "<html><head>{head}<link rel=alternate type=application/rss+xml href=/feed></head><body>A blog</body></html>"
        );
        Answer::Raw(
            200,
            vec![("Content-Type", "text/html".to_owned())],
            html.into_bytes(),
        )
    };
    blogs.answer("/", page(""));
    blogs.answer("/feed", Answer::Feed(FEED.replace("BLOG", &blogs.url("/"))));
    let voice = Voice::with_config(FETCH);
    let server = voice.start("serve --log trace");
    let at = |path: &str| format!("http://{}{path}", server.address);
    let mut ann = Reader::start();

    ann.opens(&at("/register"));
    ann.sees("Add your blog");
    ann.presses("#blog");
    ann.sees("There is a problem");
    // The summary has the focus, and its link leads to the field.
    ann.presses(".error-summary a");
    ann.types("not an address");
    ann.key("Enter", 13, "\r");
    ann.sees("An address has no spaces");
    ann.tab_to("#blog");
    ann.types(&blogs.url("/"));
    ann.key("Enter", 13, "\r");
    ann.sees("What readers would see");
    assert!(ann.says().contains("What councillors said"));
    ann.tab_to("#name");
    ann.types("Ann Example");
    // Without consent: told, and nothing that was written is lost.
    ann.presses("main form:last-of-type button:not(.button--secondary)");
    ann.sees("Tick the box to say that the posts are yours");
    let kept = ann.browser.evaluate("document.getElementById('name').value");
    assert_eq!(kept, "Ann Example");
    ann.ticks("#consent");
    ann.key("Enter", 13, "\r");
    ann.sees("Your blog waits for a moderator");
    let link = ann.browser.evaluate("document.getElementById('link').value");
    let secret = link.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(secret.len(), 64);
    ann.presses("a.button");
    ann.sees("It waits for a moderator");
    assert_eq!(server.get("/members/ann-example").status, 404);

    let approved = voice.run(&["feeds", "approve", "ann-example"]);
    assert!(approved.status.success(), "{}", support::text(&approved.stderr));
    let manage = format!("/manage/{secret}");
    ann.opens(&at(&manage));
    ann.sees("Prove that the blog is yours");
    ann.presses("#proof button");
    ann.sees("your blog does not say the word yet");
    let says = ann.says();
    let word = &says[says.find("voice-").unwrap()..][..26];
    blogs.answer(
        "/",
        page(&format!("<meta name='localgov-digital-voice' content='{word}'>")),
    );
    ann.presses("#proof button");
    ann.sees("Your blog is proved to be yours");

    let look = "input[name=do][value=look] ~ button";
    ann.presses(look);
    ann.sees("We looked");
    server.wait_for("/entries.json", |entries| {
        entries.json()["entries"].as_array().unwrap().len() == 2
    });
    ann.opens(&at(&manage));
    ann.sees("Readers see it since");
    ann.presses("a[href*='/posts/']");
    ann.sees("Take this post back");
    ann.presses("form:has([value=dispute]) button");
    ann.sees("Choose the topic that is wrong or lacking");
    ann.chooses_the_next("#topic");
    ann.presses("form:has([value=dispute]) button");
    ann.sees("A moderator will look at it");
    ann.presses("button.button--warning");
    ann.sees("Tick the box to say that you want this post to be erased here");
    ann.ticks("#sure");
    ann.presses("button.button--warning");
    ann.sees("Your receipt");
    server.wait_for("/entries.json", |entries| {
        entries.json()["entries"].as_array().unwrap().len() == 1
    });
    ann.opens(&at(&manage));
    ann.sees("You took it back");
    ann.presses("button.button--warning");
    ann.sees("This cannot be undone");
    ann.presses("button.button--warning");
    ann.sees("Tick the box to say that you want to leave");
    ann.ticks("#sure");
    ann.presses("button.button--warning");
    ann.sees("You have left");
    assert_eq!(server.get(&manage).status, 404);
    for path in [
        "/",
        "/feed.atom",
        "/entries.json",
        "/search?q=MARKERWORD",
        "/members",
    ] {
        let body = server.get(path).body;
        assert!(
            !body.contains("MARKERWORD") || path.starts_with("/search"),
            "{path}"
        );
        assert!(!body.contains("councillors said"), "{path}");
        assert!(!body.contains("Ann Example"), "{path}");
    }
    ann.opens(&at("/register"));
    ann.sees("Add your blog");
    ann.tab_to("#blog");
    ann.types(&blogs.url("/feed"));
    ann.key("Enter", 13, "\r");
    ann.sees("stays away");

    // Neither the link nor a name went into the log, however much it says.
    for line in server.logged() {
        assert!(!line.contains(&secret), "{line}");
        assert!(!line.contains("Ann Example"), "{line}");
    }
}

#[test]
fn a_moderator_edits_a_digest_and_hides_a_post() {
    if !chromium::is_there() {
        return;
    }
    let blogs = Blogosphere::start();
    let now = SystemClock.now().to_rfc2822();
    let feed = FEED
        .replace("Mon, 16 Nov 2015 09:00:00 GMT", &now)
        .replace("BLOG", &blogs.url("/"));
    blogs.answer("/feed", Answer::Feed(feed));
    let voice = Voice::of(&[("ann", blogs.url("/feed"))]);
    let server = voice.serve();
    server.wait_for("/entries.json", |entries| {
        entries.json()["entries"].as_array().unwrap().len() == 2
    });
    let at = |path: &str| format!("http://{}{path}", server.address);
    let mut mo = Reader::start();

    mo.opens(&at("/admin"));
    mo.sees("Sign in");
    mo.tab_to("#token");
    mo.types("guessed");
    mo.key("Enter", 13, "\r");
    mo.sees("This is nobody’s token");
    mo.tab_to("#token");
    mo.types(MODERATOR);
    mo.key("Enter", 13, "\r");
    mo.sees("Behind the scenes");
    mo.presses("li:nth-child(2) > a[href^='/admin/digest/']");
    mo.sees("Nobody but editors sees this");
    mo.tab_to("[name^=place]");
    mo.types("first");
    mo.presses("button[value=save]");
    mo.sees("There is a problem");
    mo.presses(".error-summary a");
    mo.corrects_it_to("1");
    mo.ticks("[name^=pin]");
    mo.presses("button[value=publish]");
    mo.sees("It is published");
    mo.presses("a[href$='.html?edited=1'], a[href$='?edited=1']");
    mo.sees("What councillors said");

    mo.opens(&at("/admin"));
    mo.sees("Behind the scenes");
    mo.tab_to("#post");
    mo.types(&blogs.url("/one"));
    mo.key("Enter", 13, "\r");
    mo.sees("Hide it for good");
    mo.presses("button[value=hide]");
    mo.sees("There is a problem");
    mo.presses(".error-summary a");
    mo.types("It names somebody who did not want that.");
    mo.presses("button[value=hide]");
    mo.sees("Withdrawn");
    mo.opens(&at("/admin/audit"));
    mo.sees("It names somebody who did not want that.");
    mo.opens(&at(&format!("/why?url={}", blogs.url("/one"))));
    mo.sees("A moderator hid this post");
}
