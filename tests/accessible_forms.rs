//! The pages that are for one person, with their errors: joining, a member's own page until they leave, reports, and what
//! moderators and editors do at `/admin`. Each is looked at from all sides (`support/walk.rs`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod support;

use std::fmt::Write as _;

use model::{Clock as _, SystemClock};
use support::blogosphere::{Answer, Blogosphere};
use support::chromium;
use support::walk::Walk;
use support::{FETCH, MODERATOR, Server, Voice};

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

/// The front page of a blog, with this in its head.
fn front_page(name: &str, head: &str) -> Answer {
    let page = format!(
        "<html><head><title>{name}</title>{head}<link rel=alternate type=application/rss+xml title=Posts href=/{name}/feed>\
         <link rel=alternate type=application/rss+xml title=Comments href=/{name}/comments/feed></head></html>"
    );
    let html = vec![("Content-Type", "text/html".to_owned())];
    Answer::Raw(200, html, page.into_bytes())
}

/// A Voice with moderators, and a blog for each thing that can become of one.
fn voice() -> (Blogosphere, Voice, Server) {
    let blogs = Blogosphere::start();
    for name in ["ann", "ben", "cat", "dan"] {
        let home = blogs.url(&format!("/{name}/"));
        blogs.answer(&format!("/{name}/feed"), feed(&home, &["councillors", "cake"]));
        blogs.answer(&format!("/{name}/"), front_page(name, ""));
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
    ann.ends();
}

#[test]
fn a_members_own_page_until_they_leave() {
    if !chromium::is_there() {
        return;
    }
    let (blogs, voice, server) = voice();
    let mut ann = Walk::start(&server);
    let manage = join(&mut ann, &blogs, "ann");
    let of = |deed: &str| format!("form:has([name=do][value={deed}]) button");
    let approve = |slug: &str| {
        let approved = voice.run(&["feeds", "approve", slug]);
        assert!(approved.status.success(), "{}", support::text(&approved.stderr));
    };
    approve("ann");
    ann.opens(&manage, "Prove that the blog is yours");
    let word = ann.text("document.querySelector('#proof code').textContent");
    let proof = format!("<meta name=\"localgov-digital-voice\" content=\"{word}\">");
    blogs.answer("/ann/", front_page("ann", &proof));
    ann.sends("#proof button", &[], "Your blog is proved to be yours");
    ann.sends(&of("look"), &[], "We looked");
    server.wait_for("/entries.json?member=ann", |entries| {
        entries.json()["entries"].as_array().unwrap().len() == 3
    });
    ann.opens(&manage, "What we mended in it");
    ann.sends(&of("pause"), &[], "Your feed is paused");
    ann.sends(&of("resume"), &[], "We read your feed again");
    ann.sends(
        &of("name"),
        &[("name", "Ann Ex\u{430}mple")],
        "letters of two alphabets",
    );
    ann.sends(&of("name"), &[("name", "Ann Example")], "Your name is saved");
    ann.sends(&of("email"), &[("email", "nobody")], "There is a problem");
    ann.sends(
        &of("email"),
        &[("email", "ann@example.org")],
        "We have sent one mail",
    );
    ann.sends(&of("move"), &[("address", "two words")], "There is a problem");
    ann.sends(
        &of("move"),
        &[("address", &blogs.url("/cat/feed"))],
        "what we would read from now on",
    );
    ann.opens(&manage, "A further feed");
    ann.sends(
        &of("add"),
        &[("further", &blogs.url("/dan/feed"))],
        "There is a problem",
    );
    ann.sends(
        &of("add"),
        &[("further", &blogs.url("/ben/feed"))],
        "what would be added",
    );
    ann.sends(&of("add"), &[], "waits for a moderator");
    // Two feeds, each with forms of its own.
    let second = ann.text("[...document.querySelectorAll('[name=feed]')].at(-1).value");
    assert_ne!(second, "ann");
    let of_second =
        |deed: &str| format!("form:has([name=do][value={deed}]):has([name=feed][value={second}]) button");
    ann.sends(
        &of_second("change"),
        &[("licence", "not a licence")],
        "There is a problem",
    );
    ann.sends(
        &of_second("move"),
        &[("address", "two words")],
        "There is a problem",
    );
    approve(&second);

    let entries = server.get("/entries.json?member=ann").json();
    let key = entries["entries"][0]["key"].as_str().unwrap();
    let post = format!("{manage}/posts/{key}");
    ann.opens(&post, "Take this post back");
    ann.sends(&of("dispute"), &[], "There is a problem");
    ann.sends(
        &of("dispute"),
        &[("topic", "skills"), ("reason", "It is about a workshop.")],
        "A moderator will look at it",
    );
    ann.sends(&of("hide"), &[], "There is a problem");
    ann.sends(&of("hide"), &[("sure", "yes")], "Your receipt");
    ann.opens(&post, "You took it back");
    ann.opens(&manage, "You took it back");
    ann.sends(&of("leave"), &[], "This cannot be undone");
    ann.sends(&of("leave"), &[], "There is a problem");
    ann.sends(&of("leave"), &[("sure", "yes")], "You have left");
    ann.opens(&manage, "This link opens nothing");
    ann.opens("/register", "Add your blog");
    ann.sends(LOOK, &[("blog", &blogs.url("/ann/"))], "stays away");
    ann.ends();
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

    mo.opens(&format!("/admin/entries/{key}"), "Hide it for good");
    mo.sends("button[value=hide]", &[], "There is a problem");
    mo.sends(
        "button[value=hide]",
        &[("why", "It names somebody who did not want that.")],
        "Withdrawn",
    );
    mo.opens(&format!("/admin/entries/{key}"), "withdrawn");
    mo.opens(&format!("/entries/{key}"), "withdrawn");
    mo.opens("/admin/audit", "It names somebody who did not want that.");
    mo.ends();
}

#[test]
fn an_editors_hand_on_a_digest() {
    if !chromium::is_there() {
        return;
    }
    let (_blogs, _voice, server) = voice();
    let mut ed = Walk::start(&server);
    ed.opens("/admin", "Sign in");
    ed.sends(LOOK, &[("token", MODERATOR)], "Behind the scenes");
    let digest =
        ed.text("[...document.querySelectorAll('a[href^=\"/admin/digest/\"]')].at(-1).getAttribute('href')");
    ed.opens(&digest, "Nobody but editors sees this");
    let place = ed.text("document.querySelector('[name^=place]').name");
    let save = "button[value=save]";
    ed.sends(
        save,
        &[(&place, "first"), ("link-0", "nowhere")],
        "There is a problem",
    );
    ed.sends(
        save,
        &[
            (&place, "1"),
            ("link-0", "https://example.org/"),
            ("link-title-0", "An example"),
        ],
        "readers see what they saw before",
    );
    ed.sends(
        "button[value=publish]",
        &[("introduction", "A quiet week.")],
        "It is published",
    );
    let public = digest.replace("/admin", "");
    ed.opens(&format!("{public}?edited=1"), "A quiet week.");
    ed.ends();
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
