//! What reading costs beyond feed-rs: [`normalize::read`] (decode, repair, parse, dates) against
//! feed-rs alone on the same clean bytes, in CPU time, in turns within one run. And what a feed costs that has to be
//! mended, against the same feed before it was broken.
//!
//! `cargo bench -p normalize`. Prints ratios, for times mean nothing on another machine; exits with 1 beyond the
//! bound. CPU time is Linux's (`/proc/thread-self/schedstat`).

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::process::ExitCode;

use normalize::{Source, read};
use url::Url;

const ROUNDS: usize = 60;
const BOUND: f64 = 1.3;

fn main() -> ExitCode {
    let url = Url::parse("https://blog.example/feed").expect("it is an address");
    let mut good = true;
    for (name, clean, broken) in [
        ("RSS", wordpress(), wordpress().replacen(" &amp; ", " & ", 1)),
        ("Atom", atom(), atom().replacen("</id>", "</i>", 1)),
    ] {
        let ours = || drop(black_box(read(&source(&clean, &url))));
        let mended = || drop(black_box(read(&source(&broken, &url))));
        let library = || {
            let parser = feed_rs::parser::Builder::new()
                .base_uri(Some(url.as_str()))
                .build();
            drop(black_box(parser.parse(clean.as_bytes())));
        };
        let [ours, mended, library] = in_turns([&ours, &mended, &library]);
        println!(
            "{name}: clean {:.2} times feed-rs, to be mended {:.2} times",
            ours / library,
            mended / library
        );
        good &= ours / library <= BOUND;
    }
    ExitCode::from(u8::from(!good))
}

fn source<'a>(body: &'a str, url: &'a Url) -> Source<'a> {
    Source {
        body: body.as_bytes(),
        content_type: Some("application/xml; charset=utf-8"),
        url: Some(url),
        timezone: chrono_tz::Europe::London,
    }
}

/// The median CPU time of each, run in turns so that all meet the same machine.
fn in_turns<const N: usize>(work: [&dyn Fn(); N]) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..ROUNDS {
        for (work, times) in work.iter().zip(&mut times) {
            let before = cpu_nanoseconds();
            for _ in 0..5 {
                work();
            }
            times.push(cpu_nanoseconds() - before);
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2] as f64
    })
}

fn cpu_nanoseconds() -> u64 {
    // The kernel brings the account up to date when the thread offers to give way.
    std::thread::yield_now();
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    let first = stat.split(' ').next().expect("a text has a first word");
    first.parse().expect("it is a number")
}

/// Ten posts of about 7 KB as WordPress writes them.
fn wordpress() -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" \
         xmlns:wfw=\"http://wellformedweb.org/CommentAPI/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
         xmlns:atom=\"http://www.w3.org/2005/Atom\" xmlns:sy=\"http://purl.org/rss/1.0/modules/syndication/\" \
         xmlns:slash=\"http://purl.org/rss/1.0/modules/slash/\">\n<channel>\n<title>Example blog</title>\n\
         <atom:link href=\"https://blog.example/feed\" rel=\"self\" type=\"application/rss+xml\" />\n\
         <link>https://blog.example</link>\n<description>Notes</description>\n<language>en-GB</language>\n\
         <sy:updatePeriod>hourly</sy:updatePeriod>\n<generator>https://wordpress.org/?v=6.6</generator>\n",
    );
    for n in 0..10 {
        let _ = write!(
            xml,
            "<item>\n<title>Week {n} &amp; what came of it</title>\n<link>https://blog.example/2026/10/week-{n}/</link>\n\
             <comments>https://blog.example/2026/10/week-{n}/#comments</comments>\n<dc:creator><![CDATA[A. Example]]></dc:creator>\n\
             <pubDate>Mon, {:02} Oct 2026 09:00:00 +0000</pubDate>\n<category><![CDATA[Weeknotes]]></category>\n\
             <guid isPermaLink=\"false\">https://blog.example/?p={n}</guid>\n<description><![CDATA[A summary &#8230;]]></description>\n\
             <content:encoded><![CDATA[{}]]></content:encoded>\n<wfw:commentRss>https://blog.example/2026/10/week-{n}/feed/</wfw:commentRss>\n\
             <slash:comments>2</slash:comments>\n</item>\n",
            n + 1,
            post(),
        );
    }
    xml.push_str("</channel>\n</rss>\n");
    xml
}

/// The same posts as Atom, their markup escaped.
fn atom() -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<title>Example blog</title>\n\
         <link href=\"https://blog.example/\"/>\n<id>https://blog.example/</id>\n<updated>2026-10-11T09:00:00Z</updated>\n",
    );
    let body = post()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    for n in 0..10 {
        let _ = write!(
            xml,
            "<entry>\n<title>Week {n}</title>\n<link href=\"https://blog.example/2026/10/week-{n}/\"/>\n<id>tag:blog.example,2026:{n}</id>\n\
             <published>2026-10-{0:02}T09:00:00Z</published>\n<updated>2026-10-{0:02}T10:00:00Z</updated>\n\
             <author><name>A. Example</name></author>\n<category term=\"weeknotes\"/>\n<content type=\"html\">{body}</content>\n</entry>\n",
            n + 1,
        );
    }
    xml.push_str("</feed>\n");
    xml
}

fn post() -> String {
    "<p>We met the <a href=\"https://council.example/team?a=1&amp;b=2\">housing team</a> – “at last” – and <strong>listened</strong>.</p>\n\
     <ul><li>What tenants said</li><li>What we will do about it</li></ul>\n<p><img src=\"/map.jpg\" alt=\"A map\" /> Then we wrote it down.</p>\n"
        .repeat(24)
}
