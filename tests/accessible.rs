//! The pages for everybody: no rule of axe broken, valid HTML, every width, the keyboard alone, and light. The posts on
//! them are as awkward as posts get.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::fmt::Write as _;

use serde_json::{Value, json};
use support::blogosphere::{Answer, Blogosphere};
use support::chromium::{self, Chromium};
use support::{FETCH, Server, Voice, checker, html};

/// A post whose author took no care at all.
const AWKWARD: &str = r#"<p>Unbreakableeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee of the council</p>
<pre>one line of code that goes on and on and on and on and on and on and on and on and on and on and on and on and on</pre>
<table><tr><th>Ward</th><th></th><th>2021</th><th>2022</th><th>2023</th><th>2024</th><th>2025</th></tr>
<tr><td>Wardwithaverylongnamewithoutspaces</td><td>1000000</td><td>1000000</td><td>1000000</td><td>1000000</td><td>1000000</td><td>1</td></tr></table>
<img src="http://AWKWARD/huge.png" width="6000" height="4000"><a href="http://AWKWARD/x.png"><img src="http://AWKWARD/x.png" alt=""></a>
<a href="http://AWKWARD/nothing"></a><h1></h1><h5>Deep</h5><h1>High</h1><li>A lonely item</li>
<dl><dt>A term</dt></dl><ul>words<p>and more</p></ul><details>Nothing hidden</details>
<iframe src="https://video.example/1"></iframe><nav><a href="http://GYMRAEG/1">Home</a></nav>
<p>As <a href="http://GYMRAEG/1">our colleagues in Wales</a> wrote.</p>"#;

const UNBREAKABLE: &str =
    "A_heading_that_no_browser_can_break_because_it_has_no_spaces_whatever_the_width_of_the_screen_may_be";

/// A Voice with three blogs, polled: one awkward, one Welsh, one in Hebrew. Their posts are older than it, so that the digest of
/// their week is an archive, which has them all.
fn voice() -> (Blogosphere, Voice, Server) {
    let blogs = Blogosphere::start();
    let host = blogs.address.to_string();
    let post = AWKWARD.replace("AWKWARD", &host).replace("GYMRAEG", &host);
    let feed = |language: &str, items: &str| {
        Answer::Feed(format!(
            "<rss version=\"2.0\"><channel><title>Example</title><link>http://{host}/{language}/</link>\
             <language>{language}</language>{items}</channel></rss>"
        ))
    };
    let item = |title: &str, path: &str, html: &str| {
        format!(
            "<item><title>{title}</title><link>http://{host}{path}</link><pubDate>Mon, 02 Feb 2015 09:00:00 GMT</pubDate>\
             <category>democracy</category><description><![CDATA[{html}]]></description>\
             <enclosure url=\"http://{host}/files/{UNBREAKABLE}.mp3\" length=\"24986239\" type=\"audio/mpeg\"/></item>"
        )
    };
    let untitled = item(
        "",
        "/untitled",
        "A note without a title that says what it has to say in one line.",
    );
    blogs.answer(
        "/awkward.rss",
        feed("en", &(item(UNBREAKABLE, "/long", &post) + &untitled)),
    );
    let welsh = "<p>Mae’r cyngor yn dylunio gwasanaethau gyda’i drigolion.</p><img src=\"https://pictures.example/a.png\">";
    blogs.answer(
        "/welsh.rss",
        feed("cy", &item("Gwasanaethau’r cyngor", "/1", welsh)),
    );
    let hebrew = "<p>העירייה מתכננת שירותים חדשים יחד עם התושבים.</p>";
    blogs.answer(
        "/hebrew.rss",
        feed("he", &item("שירותים לתושבי העיר", "/2", hebrew)),
    );
    let mut config = format!(
        "{FETCH}[[topic]]\nslug = \"democracy\"\nname = \"Democracy\"\ncategories = [\"democracy\"]\n"
    );
    for number in 1..40 {
        writeln!(
            config,
            "[[topic]]\nslug = \"t{number}\"\nname = \"A topic of this number: {number}\"\nphrases = [[\"cyngor\", 9.0]]"
        )
        .unwrap();
    }
    for (slug, content) in [("awkward", "full"), ("welsh", "full"), ("hebrew", "excerpt")] {
        let url = blogs.url(&format!("/{slug}.rss"));
        writeln!(
            config,
            "[[feed]]\nname = \"Example: {slug}\"\nslug = \"{slug}\"\nurl = \"{url}\"\ncontent = \"{content}\""
        )
        .unwrap();
    }
    let voice = Voice::with_config(&config);
    let server = voice.serve();
    server.wait_for("/entries.json", |entries| {
        entries.json()["entries"]
            .as_array()
            .is_some_and(|all| all.len() == 4)
    });
    (blogs, voice, server)
}

/// One of each kind of page.
fn pages(server: &Server) -> Vec<String> {
    let entries = server.get("/entries.json").json();
    let of_entries = entries["entries"].as_array().unwrap().iter().map(|entry| {
        let url = entry["html_url"].as_str().unwrap();
        url[url.find("/entries/").unwrap()..].to_owned()
    });
    [
        "/",
        "/?after=0.0",
        "/topics",
        "/topics/democracy",
        "/topics/t1",
        "/members",
        "/members/awkward",
        "/members/hebrew",
        "/hashtags/localgovdigital",
        "/search",
        "/search?q=cyngor",
        "/search?q=nothing+of+the+kind",
        "/digest",
        "/digest/2015-W06",
        "/feeds",
        "/about",
        "/privacy",
        "/accessibility",
        "/fetching",
        "/register",
        "/why",
        "/why?url=https://elsewhere.example/1",
        "/nowhere",
        "/?before=x",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(of_entries)
    .collect()
}

#[test]
fn no_page_breaks_a_rule_of_axe_light_or_dark_narrow_or_wide() {
    let Some(axe) = checker("axe-core/axe.min.js").filter(|_| chromium::is_there()) else {
        return;
    };
    let axe = std::fs::read_to_string(axe).unwrap();
    let (_blogs, _voice, server) = voice();
    let mut browser = Chromium::start();
    for path in pages(&server) {
        for (width, scheme) in [(390, "dark"), (1280, "light")] {
            browser.look(width, scheme);
            browser.open(&format!("http://{}{path}", server.address));
            browser.evaluate(&format!("{axe};0"));
            assert_eq!(browser.evaluate(chromium::AXE), json!([]), "{path}, {scheme}");
        }
    }
    // The rules are not asleep.
    browser.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=x>')");
    assert_ne!(browser.evaluate(chromium::AXE), json!([]));
}

/// How wide mail programs show a newsletter, and how wide telephones do.
const MAIL_WIDTHS: [u64; 2] = [600, 320];

#[test]
fn the_digest_for_newsletters_breaks_no_rule_of_axe_and_asks_for_nothing() {
    let Some(axe) = checker("axe-core/axe.min.js").filter(|_| chromium::is_there()) else {
        return;
    };
    let axe = std::fs::read_to_string(axe).unwrap();
    let (_blogs, _voice, server) = voice();
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Chromium::start();
    for query in ["", "?max_per_member=1", "?layout=links", "?topic=democracy"] {
        let piece = server.get(&format!("/digest/2015-W06.html{query}")).body;
        let newsletter = folder.path().join("newsletter.html");
        std::fs::write(
            &newsletter,
            format!(
                "<!doctype html><html lang=\"cy\"><meta charset=\"utf-8\"><title>Cylchlythyr</title>\
                 <body style=\"margin:0;padding:0 16px\"><main><h1>Cylchlythyr</h1>{piece}</main></body></html>"
            ),
        )
        .unwrap();
        for width in MAIL_WIDTHS {
            browser.look(width, "light");
            browser.open(&format!("file://{}", newsletter.display()));
            browser.evaluate(&format!("{axe};0"));
            assert_eq!(browser.evaluate(chromium::AXE), json!([]), "{query}");
            let needed = browser.evaluate("document.documentElement.scrollWidth");
            assert!(
                needed.as_u64().unwrap() <= width,
                "{query} needs {needed} of {width} pixels"
            );
            // So it looks the same where a mail program blocks pictures.
            assert_eq!(browser.asked(), [], "{query}");
        }
        let posts = browser.evaluate(
            "[...document.querySelectorAll('h4, li')].map(post => [post.innerText.slice(0, 9), post.closest('[lang]').lang])",
        );
        let posts = posts.to_string();
        // Of two posts of one moment, either may be the one that a member is left with.
        let is_alone = query == "?max_per_member=1" && posts.contains("A note wi");
        assert!(is_alone || posts.contains("A_heading"), "{query}: {posts}");
        assert!(
            !query.is_empty() || posts.contains("[\"Gwasanaet\",\"cy\"]"),
            "{posts}"
        );
    }
    let language = browser.evaluate("document.querySelector('h2').closest('[lang]').lang");
    assert_eq!(language, "en-GB");
    browser.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=x>')");
    assert_ne!(browser.evaluate(chromium::AXE), json!([]));
}

#[test]
fn every_page_fits_every_width_and_its_ids_are_its_own() {
    if !chromium::is_there() {
        return;
    }
    let (_blogs, _voice, server) = voice();
    let mut browser = Chromium::start();
    for path in pages(&server) {
        for width in [320, 640, 2560] {
            browser.look(width, "light");
            browser.open(&format!("http://{}{path}", server.address));
            let needed = browser.evaluate("document.documentElement.scrollWidth");
            assert!(
                needed.as_u64().unwrap() <= width,
                "{path} needs {needed} of {width} pixels"
            );
        }
        assert_eq!(browser.evaluate(chromium::LOST), json!([]), "{path}");
    }
}

#[test]
fn the_keyboard_alone_reaches_everything_and_shows_where_it_is() {
    if !chromium::is_there() {
        return;
    }
    let (_blogs, _voice, server) = voice();
    let mut browser = Chromium::start();
    browser.look(390, "light");
    for path in ["/", "/feeds", "/search?q=cyngor"] {
        browser.open(&format!("http://{}{path}", server.address));
        let wanted = browser.evaluate(
            "document.querySelectorAll('a[href], button, input, summary, [tabindex=\"0\"]').length",
        );
        let wanted = wanted.as_u64().unwrap();
        for number in 0..wanted {
            browser.press_tab();
            let focus = browser.evaluate(
                "(() => { const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect(); \
                 return [at.outerHTML.slice(0, 80), parseFloat(style.outlineWidth), style.outlineStyle, \
                 box.top > -1 && box.top < innerHeight && box.width > 1] })()",
            );
            assert_eq!(focus[2], "solid", "{path}: {focus}");
            assert!(
                focus[1].as_f64().unwrap() >= 2.0 && focus[3] == Value::Bool(true),
                "{path}: {focus}"
            );
            if number == 0 {
                assert!(focus[0].as_str().unwrap().contains("#main"), "{path}: {focus}");
            }
        }
        // All that can be reached was reached once, so the next stop is out of the page or at its beginning.
        browser.press_tab();
        let after = browser.evaluate("document.activeElement.className || document.activeElement.localName");
        assert!(
            ["body", "skip"].contains(&after.as_str().unwrap()),
            "{path}: {after}"
        );
    }
}

#[test]
fn every_page_is_valid_html() {
    let (_blogs, _voice, server) = voice();
    let pages: Vec<_> = pages(&server)
        .into_iter()
        .map(|path| (path.clone(), server.get(&path).body))
        .collect();
    html::assert_valid(&pages);
}

#[test]
fn languages_are_marked_and_pictures_without_words_say_so() {
    let (_blogs, _voice, server) = voice();
    let entries = server.get("/entries.json").json();
    let page_of = |member: &str| {
        let entries = entries["entries"].as_array().unwrap();
        let entry = entries
            .iter()
            .find(|entry| entry["member"]["slug"] == member)
            .unwrap();
        let url = entry["html_url"].as_str().unwrap();
        server.get(&url[url.find("/entries/").unwrap()..]).body
    };
    let welsh = page_of("welsh");
    assert!(welsh.contains("<h1 dir=\"auto\" lang=\"cy\">"), "{welsh}");
    assert!(
        welsh.contains("<div class=\"post\" dir=\"auto\" lang=\"cy\">"),
        "{welsh}"
    );
    assert!(
        welsh.contains("alt=\"A picture without a description\""),
        "{welsh}"
    );
    assert!(welsh.contains("Linked from <a"), "{welsh}");
    assert!(welsh.contains("href=\"/topics/t39\""), "{welsh}");
    assert_eq!(server.get("/").body.matches(" lang=\"cy\"").count(), 3);
}
