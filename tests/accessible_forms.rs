//! The pages that are for one person, with their errors: joining, a member's own page before it is proved, reports, and what
//! moderators do at `/admin`. Each by axe, narrow and dark as wide and light, by its headings, and by the keyboard alone; a picture
//! of each lies beside the built tests, for people to look at.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use model::{Clock as _, SystemClock};
use serde_json::{Value, json};
use support::blogosphere::{Answer, Blogosphere};
use support::chromium::{self, Chromium};
use support::{FETCH, MODERATOR, Server, Voice, checker};

/// A topic, mail, and two blogs: one that takes part with all it writes, one with tagged posts alone.
const CONFIG: &str = "[mail]\nsmtp = \"smtp://127.0.0.1:9\"\nfrom = \"voice@example.org\"\n\
    [[topic]]\nslug = \"democracy\"\nname = \"Democracy\"\nphrases = [[\"councillors\", 9.0]]\n\
    [[topic]]\nslug = \"skills\"\nname = \"Skills\"\nphrases = [[\"workshop\", 9.0]]\n";

/// A feed with something to mend in it: one post without an address, one without a date.
fn feed(home: &str, names: &[&str]) -> Answer {
    let now = SystemClock.now().to_rfc2822();
    let mut items = String::new();
    for name in names {
        write!(
            items,
            "<item><title>{name}</title><link>{home}{name}</link><guid>{home}{name}</guid><pubDate>{now}</pubDate>\
             <description>Some words about this: {name}.</description></item>"
        )
        .unwrap();
    }
    Answer::Feed(format!(
        "<rss version=\"2.0\"><channel><title>A blog</title><link>{home}</link>{items}\
         <item><title>A note without an address or a date</title></item></channel></rss>"
    ))
}

/// Somebody who walks from page to page, and looks at each from all sides.
struct Walk {
    browser: Chromium,
    axe: Option<String>,
    address: String,
    pages: usize,
}

impl Walk {
    fn start(server: &Server) -> Self {
        let axe = checker("axe-core/axe.min.js");
        Self {
            browser: Chromium::start(),
            axe: axe.map(|file| std::fs::read_to_string(file).unwrap()),
            address: server.address.clone(),
            pages: 0,
        }
    }

    /// Opens a page, on which these words stand.
    fn opens(&mut self, path: &str, words: &str) {
        self.browser.open(&format!("http://{}{path}", self.address));
        self.looks(words);
    }

    /// Fills in the form of this button, presses it, and comes to a page on which these words stand.
    fn sends(&mut self, button: &str, fields: &[(&str, &str)], words: &str) {
        let script = format!(
            "(() => {{ const button = document.querySelector({}), form = button.form; window.before = true;
                for (let details = button; details = details.closest('details:not([open])');) details.open = true;
                for (const [name, value] of {}) {{
                    const field = form.elements[name];
                    if (field.type == 'checkbox') field.checked = true; else field.value = value;
                }}
                setTimeout(() => button.click()) }})()",
            json!(button),
            json!(fields)
        );
        self.browser.evaluate(&script);
        let deadline = Instant::now() + Duration::from_mins(1);
        while self
            .browser
            .evaluate("!window.before && document.readyState == 'complete'")
            != true
        {
            assert!(Instant::now() < deadline, "{button} leads nowhere");
            std::thread::yield_now();
        }
        // What asks for the focus gets it when the page is painted.
        self.browser.evaluate(chromium::PAINTED);
        self.looks(words);
    }

    fn text(&mut self, script: &str) -> String {
        self.browser
            .evaluate(script)
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Looks at the page that is there.
    fn looks(&mut self, words: &str) {
        let says = self.text("document.title + '\\n' + document.body.innerText");
        assert!(says.contains(words), "{words:?} stands nowhere in: {says}");
        let headings = self
            .browser
            .evaluate("[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(h => +h.localName[1])");
        let levels: Vec<u64> = headings
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_u64)
            .collect();
        assert_eq!(
            levels.iter().filter(|&&level| level == 1).count(),
            1,
            "{words}: {levels:?}"
        );
        // The summary of mistakes stands before the heading of the page.
        let is_mistaken = says.contains("There is a problem");
        let levels = &levels[usize::from(is_mistaken)..];
        assert!(
            levels[0] == 1 && levels.windows(2).all(|pair| pair[1] <= pair[0] + 1),
            "{words}: {levels:?}"
        );
        if is_mistaken {
            self.mistakes_lead_to_their_fields(words);
        }
        self.pages += 1;
        for (width, scheme) in [(390, "dark"), (1280, "light")] {
            self.browser.look(width, scheme);
            let needed = self.browser.evaluate("document.documentElement.scrollWidth");
            assert!(
                needed.as_u64().unwrap() <= width,
                "{words} needs {needed} of {width} pixels"
            );
            if let Some(axe) = &self.axe {
                self.browser.evaluate(&format!("{axe};0"));
                assert_eq!(
                    self.browser.evaluate(chromium::AXE),
                    json!([]),
                    "{words}, {scheme}"
                );
            }
            self.picture(words, width);
        }
        self.is_walked_by_keyboard(words);
    }

    /// GOV.UK's error summary: it has the focus, the title says "Error", and each mistake leads to a field that says it too.
    fn mistakes_lead_to_their_fields(&mut self, words: &str) {
        assert_eq!(
            self.browser
                .evaluate("document.activeElement.matches('.error-summary')"),
            true,
            "{words}: the summary has no focus"
        );
        let title = self.text("document.title");
        assert!(title.starts_with("Error: "), "{words}: {title}");
        let lost = self.browser.evaluate(
            "[...document.querySelectorAll('.error-summary a')].filter(link => {
                const field = document.querySelector(link.hash);
                const near = field && (field.closest('.form-group, section') || field);
                return !near || ![...near.querySelectorAll('.error-message')].some(it => it.textContent.includes(link.textContent))
            }).map(link => link.outerHTML)",
        );
        assert_eq!(lost, json!([]), "{words}");
    }

    /// Everything that can be used is reached by Tab, and is seen to have the focus.
    fn is_walked_by_keyboard(&mut self, words: &str) {
        const STOPS: &str = "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, \
                             [tabindex=\"0\"]')].filter(it => it.checkVisibility())";
        self.browser.look(390, "light");
        let count = self
            .browser
            .evaluate(&format!("{STOPS}.length"))
            .as_u64()
            .unwrap();
        self.browser.evaluate(
            "document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex'); scrollTo(0, 0)",
        );
        for _ in 0..count {
            self.browser.press_tab();
            let focus = self.browser.evaluate(
                "(() => { const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
                    at.visited = true;
                    return [at.outerHTML.slice(0, 90), style.outlineStyle == 'solid' && parseFloat(style.outlineWidth) >= 2,
                        box.bottom > 0 && box.top < innerHeight && box.width > 1, at.localName] })()",
            );
            if focus[3] == "body" {
                break;
            }
            assert!(focus[1] == true && focus[2] == true, "{words}: {focus}");
        }
        let missed = self.browser.evaluate(&format!(
            "{STOPS}.filter(it => !it.visited && !(it.type == 'radio' && [...it.form.elements[it.name]].some(one => one.visited)))
                .map(it => it.outerHTML.slice(0, 90))"
        ));
        assert_eq!(missed, json!([]), "{words}: no Tab leads there");
    }

    fn picture(&mut self, words: &str, width: u64) {
        let name: String = words
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let file = format!("forms-{:02}-{name}-{width}.png", self.pages);
        let picture = self.browser.picture();
        std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(file), picture).unwrap();
    }
}

/// A Voice with moderators, and a blog for each thing that can become of one.
fn voice() -> (Blogosphere, Voice, Server) {
    let blogs = Blogosphere::start();
    for name in ["ann", "ben", "cat", "dan"] {
        let home = blogs.url(&format!("/{name}/"));
        blogs.answer(&format!("/{name}/feed"), feed(&home, &["councillors", "cake"]));
        let page = format!(
            "<html><head><title>{name}</title><link rel=alternate type=application/rss+xml title=Posts href=/{name}/feed>\
             <link rel=alternate type=application/rss+xml title=Comments href=/{name}/comments/feed></head></html>"
        );
        let html = vec![("Content-Type", "text/html".to_owned())];
        blogs.answer(&format!("/{name}/"), Answer::Raw(200, html, page.into_bytes()));
    }
    let mixed = format!(
        "{FETCH}{CONFIG}[[feed]]\nname = \"Mixed\"\nslug = \"mixed\"\ninclude = \"tagged\"\nurl = \"{}\"\n",
        blogs.url("/dan/feed")
    );
    let voice = Voice::with_config(&mixed);
    let server = voice.serve();
    server.wait_for("/entries.json", |entries| {
        !entries.json()["entries"].as_array().unwrap().is_empty()
    });
    (blogs, voice, server)
}

const LOOK: &str = "main form button";
const JOIN: &str = "form:has([name=consent]) button";

/// Asks to join with this blog, without a look at the steps; gives the path of the own page.
fn join(walk: &mut Walk, blogs: &Blogosphere, name: &str) -> String {
    walk.opens("/register", "Add your blog");
    walk.sends(
        LOOK,
        &[("blog", &blogs.url(&format!("/{name}/")))],
        "What readers would see",
    );
    walk.sends(
        JOIN,
        &[("name", name), ("consent", "yes")],
        "Your blog waits for a moderator",
    );
    own_page(walk)
}

/// The path of the private page whose address is shown.
fn own_page(walk: &mut Walk) -> String {
    let link = walk.text("document.getElementById('link').value");
    link[link.find("/manage/").unwrap()..].to_owned()
}

#[test]
fn joining_with_its_mistakes_and_the_proof_of_a_blog() {
    if !chromium::is_there() {
        return;
    }
    let (blogs, _voice, server) = voice();
    let mut ann = Walk::start(&server);
    let home = blogs.url("/ann/");

    ann.opens("/register", "Add your blog");
    ann.sends(LOOK, &[], "Enter the address");
    ann.sends(LOOK, &[("blog", "two words")], "An address has no spaces");
    ann.sends(LOOK, &[("blog", "http://192.168.0.1/")], "There is a problem");
    ann.sends(LOOK, &[("blog", &blogs.url("/nothing"))], "There is a problem");
    ann.sends(LOOK, &[("blog", &home)], "What readers would see");
    ann.sends(
        JOIN,
        &[("licence", "not a licence"), ("email", "nobody")],
        "There is a problem",
    );
    let fields = [
        ("name", "Ann Example"),
        ("licence", ""),
        ("email", "ann@example.org"),
        ("consent", "yes"),
    ];
    ann.sends(JOIN, &fields, "Your blog waits for a moderator");
    let manage = own_page(&mut ann);
    ann.opens(&manage, "It waits for a moderator");
    ann.sends("#proof button", &[], "does not say the word yet");
}

#[test]
fn reports_and_what_moderators_decide() {
    if !chromium::is_there() {
        return;
    }
    let (blogs, _voice, server) = voice();
    let mut mo = Walk::start(&server);
    let manage = join(&mut mo, &blogs, "ann");
    join(&mut mo, &blogs, "ben");
    join(&mut mo, &blogs, "cat");

    mo.opens("/admin", "Sign in");
    mo.sends(LOOK, &[], "Enter your token");
    mo.sends(LOOK, &[("token", "guessed")], "This is nobody’s token");
    mo.sends(LOOK, &[("token", MODERATOR)], "Behind the scenes");
    mo.opens("/admin/feeds?state=pending", "Members");
    mo.opens("/admin/feeds", "Mixed");
    mo.opens("/admin/members/ann", "What its readers would see");
    let approve = |name: &str| format!("form[action='/admin/feeds/{name}'] button[value=approve]");
    mo.sends(&approve("ann"), &[], "is being polled now");
    mo.opens("/admin/members/ben", "What its readers would see");
    mo.sends("button[value=reject]", &[], "There is a problem");
    mo.sends(
        "button[value=reject]",
        &[("why", "It has nothing to do with councils.")],
        "was not taken on",
    );
    mo.opens("/admin/members/cat", "What its readers would see");
    mo.sends(&approve("cat"), &[], "is being polled now");
    server.wait_for("/entries.json", |entries| {
        entries.json()["entries"].as_array().unwrap().len() >= 5
    });
    mo.opens(&manage, "Prove that the blog is yours");
    mo.opens("/admin/members/ann", "The member");
    mo.sends("button[value=pause]", &[], "Polling is paused");
    mo.sends("button[value=resume]", &[], "is polled again");
    mo.sends("button[value=merge]", &[], "There is a problem");
    mo.sends("button[value=withdraw]", &[], "There is a problem");
    mo.sends("button[value=withdraw-all]", &[], "There is a problem");
    mo.sends("button[value=link]", &[], "A new private link");

    let entries = server.get("/entries.json?member=ann").json();
    let key = entries["entries"][0]["key"].as_str().unwrap().to_owned();
    mo.opens(&format!("/entries/{key}/report"), "Report a post");
    mo.sends(LOOK, &[("email", "nobody")], "There is a problem");
    mo.sends(
        LOOK,
        &[
            ("reason", "It names my neighbour."),
            ("email", "reader@example.org"),
        ],
        "Your report has arrived",
    );
    mo.opens(&format!("/entries/{key}/report"), "Report a post");
    mo.sends(LOOK, &[("reason", "It says nothing.")], "Your report has arrived");
    mo.opens("/admin", "Reports without an answer: 2");
    mo.opens("/admin/reports", "It names my neighbour.");
    mo.sends("button[value=answer]", &[], "There is a problem");
    mo.sends(
        "button[value=answer]",
        &[("answer", "It names nobody.")],
        "The report is answered",
    );
    mo.opens(&format!("/admin/entries/{key}"), "Topics by hand");
    mo.sends("button[value=topics]", &[], "There is a problem");
    mo.sends(
        "button[value=topics]",
        &[("topic", "skills"), ("decision", "has")],
        "topics are as you said",
    );
    mo.opens("/admin/left-out", "Left out");
    let left_out = mo.text("document.querySelector('td a[href^=\"/admin/entries/\"]').getAttribute('href')");
    mo.opens(&left_out, "Readers do not see it");
    mo.sends(
        "button[value=topics]",
        &[("topic", "skills"), ("decision", "has")],
        "topics are as you said",
    );
    mo.opens("/admin/disputes", "Disputed topics");
}

/// By plain http and under a name, as on a network of one's own, browsers say less of where a form comes from.
#[test]
fn a_moderator_signs_in_by_plain_http_under_any_name() {
    if !chromium::is_there() {
        return;
    }
    let (blogs, _voice, server) = voice();
    let mut mo = Walk::start(&server);
    mo.address = server.address.replace("127.0.0.1", "voice.test");
    join(&mut mo, &blogs, "ann");
    assert_eq!(mo.browser.evaluate("isSecureContext"), false);
    mo.opens("/admin", "Sign in");
    mo.sends(LOOK, &[("token", MODERATOR)], "Behind the scenes");
    mo.opens("/admin/members/ann", "What its readers would see");
    mo.sends("button[value=approve]", &[], "is being polled now");
    mo.sends("form[action='/admin/sign-out'] button", &[], "Sign in");
}
