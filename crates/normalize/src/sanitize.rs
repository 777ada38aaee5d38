//! Markup that a browser may be given. First what the sanitiser cannot do is done on the raw markup ([`prepare`]):
//! headings fit under a page's own, lazy pictures get their address, counting pixels go, players become links. Then
//! ammonia, last, with a list of what is allowed; nothing touches the markup after it.
//!
//! Refuses styles, ids, classes (but `language-*` of code), frames, forms, media that play, and every address that
//! is not http, https or mailto. Relative addresses are resolved, or dropped where there is no base. The same
//! input gives the same bytes, and sanitising twice changes nothing: what a second reading could take for something
//! else ([`nesting`]) is read again here, until it comes to rest.
//!
//! Pictures are asked for by https, whatever their author wrote: the pages' Content-Security-Policy lets no other
//! through, and a picture that lies at http alone would not be shown either way. Links keep their scheme.

mod nesting;
mod pictures;
mod players;
mod prepare;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use ammonia::{Builder, UrlRelative};
use memchr::memchr_iter;
use model::{SafeHtml, clean_text};
use url::Url;

use self::nesting::{is_settled, nests_too_deep};
use self::pictures::by_https;
pub(crate) use self::players::is_label;
use self::prepare::{prepare, without_tags};
use crate::document::language_tag;
use crate::text::{plain_text, plain_to_html};

/// How often markup is read again that may not mean the same a second time. Twice has been enough for everything
/// that was not made to be difficult; of the rest the text is kept.
const ROUNDS: usize = 6;

/// Tags in one post; of one with more the text is kept.
const MOST_TAGS: usize = 100_000;

const TAGS: [&str; 62] = [
    "a",
    "abbr",
    "address",
    "article",
    "aside",
    "b",
    "bdi",
    "bdo",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "details",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "section",
    "small",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "ul",
    "var",
];

/// Elements that go with all they hold: their text is code, a fallback, a form or ways through a site, not the post.
const DROPPED: [&str; 16] = [
    "nav", "script", "style", "iframe", "noembed", "noframes", "noscript", "title", "textarea", "select",
    "option", "svg", "template", "xmp", "object", "button",
];

const ATTRIBUTES: [(&str, &[&str]); 12] = [
    ("a", &["href", "hreflang"]),
    ("col", &["span"]),
    ("colgroup", &["span"]),
    ("code", &["class"]),
    ("del", &["datetime"]),
    ("img", &["src", "alt", "width", "height"]),
    ("ins", &["datetime"]),
    ("li", &["value"]),
    ("ol", &["start", "reversed", "type"]),
    ("td", &["colspan", "rowspan"]),
    ("th", &["colspan", "rowspan", "scope"]),
    ("time", &["datetime"]),
];

thread_local! {
    /// The policy is costly to build and only its base differs, so each thread keeps one.
    static POLICY: RefCell<Builder<'static>> = RefCell::new(policy());
    /// What pictures' addresses are relative to. The policy's own rule comes too late to ask for them by https.
    static BASE: RefCell<Option<Url>> = const { RefCell::new(None) };
}

/// What becomes of players, maps and other frames.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Players {
    /// Each becomes a link that says where it leads.
    Linked,
    /// They go: the label of such a link is not the author's word.
    Dropped,
}

/// Makes raw markup safe. Relative addresses are resolved against `base`.
pub fn sanitize(raw: &str, base: Option<&Url>) -> SafeHtml {
    sanitized(raw, base, Players::Linked)
}

/// The same for what becomes a short plain text, a title or a summary: with the author's words alone.
pub(crate) fn sanitize_words(raw: &str) -> SafeHtml {
    sanitized(raw, None, Players::Dropped)
}

fn sanitized(raw: &str, base: Option<&Url>, players: Players) -> SafeHtml {
    BASE.set(base.cloned());
    POLICY.with_borrow_mut(|policy| {
        policy.url_relative(base.map_or(UrlRelative::Deny, |base| {
            UrlRelative::RewriteWithBase(base.clone())
        }));
        let prepared = if has_too_many_tags(raw) || nests_too_deep(raw) {
            without_tags(raw).into()
        } else {
            prepare(raw, players)
        };
        let mut safe = clean(policy, &prepared);
        for _ in 0..ROUNDS {
            if is_settled(&safe) {
                return SafeHtml::vouched(safe);
            }
            let again = clean(policy, &prepare(&safe, players));
            if again == safe {
                return SafeHtml::vouched(safe);
            }
            safe = again;
        }
        SafeHtml::vouched(clean(policy, &plain_to_html(&plain_text(&safe))))
    })
}

/// Whether markup holds more tags than a post could: a parser keeps each in hundreds of bytes.
fn has_too_many_tags(raw: &str) -> bool {
    raw.len() > MOST_TAGS && memchr_iter(b'<', raw.as_bytes()).count() > MOST_TAGS
}

/// ammonia, and nothing after it that could add to the markup.
fn clean(policy: &Builder<'_>, html: &str) -> String {
    let mut safe = policy.clean(html).to_string();
    // A reference like `&#8;` becomes a forbidden character only in the parser.
    if may_hold_forbidden(&safe)
        && let Cow::Owned(cleaned) = clean_text(&safe)
    {
        safe = policy.clean(&cleaned).to_string();
    }
    // Not to leave less of it a second time: feeds trim what they carry.
    match safe.trim() {
        trimmed if trimmed.len() == safe.len() => safe,
        trimmed => trimmed.to_owned(),
    }
}

/// Whether a character may stand there that must not: a quick look at bytes, without false comfort.
fn may_hold_forbidden(text: &str) -> bool {
    // U+0080 to U+009F are 0xC2 and less than 0xA0, U+FFFE and U+FFFF begin with 0xEF 0xBF. Blocks have no early way
    // out, so that the compiler can compare many bytes at once.
    let suspect = |byte: u8, next: u8| {
        byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')
            || byte == 0x7f
            || byte == 0xc2 && next < 0xa0
            || byte == 0xef && next == 0xbf
    };
    let bytes = text.as_bytes();
    let nexts = bytes.get(1..).unwrap_or_default();
    let blocks = bytes.chunks(4096).zip(nexts.chunks(4096));
    let mut pairs = blocks.map(|(bytes, nexts)| bytes.iter().zip(nexts));
    pairs.any(|pairs| pairs.fold(false, |found, (&byte, &next)| found | suspect(byte, next)))
        || bytes.last().is_some_and(|&last| suspect(last, b' '))
}

fn policy() -> Builder<'static> {
    let mut builder = Builder::empty();
    builder
        .tags(TAGS.into())
        .clean_content_tags(DROPPED.into())
        .tag_attributes(
            ATTRIBUTES
                .iter()
                .map(|(tag, names)| (*tag, names.iter().copied().collect()))
                .collect(),
        )
        .generic_attributes(HashSet::from(["lang", "dir", "title"]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(Some("noopener nofollow ugc"))
        .set_tag_attribute_values(HashMap::from([("img", forced_on_images())]))
        .attribute_filter(filter);
    builder
}

/// What of an attribute's value is kept.
fn filter<'a>(element: &str, attribute: &str, value: &'a str) -> Option<Cow<'a, str>> {
    match (element, attribute) {
        ("code", "class") => value
            .split_ascii_whitespace()
            .find(|class| class.starts_with("language-"))
            .map(Into::into),
        ("img", "src") => Some(BASE.with_borrow(|base| by_https(value, base.as_ref()))),
        (_, "lang") => language_tag(value)
            .filter(|tag| tag.split('-').next().is_some_and(is_primary_language))
            .map(Into::into),
        (_, "dir") => ["ltr", "rtl", "auto"]
            .into_iter()
            .find(|known| value.eq_ignore_ascii_case(known))
            .map(Into::into),
        _ => Some(value.into()),
    }
}

/// The first part of a language tag (RFC 5646 section 2.2.1): two letters or three; longer ones are reserved.
fn is_primary_language(part: &str) -> bool {
    matches!(part.len(), 2 | 3) && part.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// What each picture gets. ammonia writes forced attributes in the order of the map, which differs from map to
/// map; this one is made anew until its order is the one wanted, so that output never differs between runs.
fn forced_on_images() -> HashMap<&'static str, &'static str> {
    loop {
        let forced = HashMap::from([("loading", "lazy"), ("referrerpolicy", "no-referrer")]);
        if forced.keys().next() == Some(&"loading") {
            return forced;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(raw: &str) -> String {
        let base = Url::parse("https://blog.example/2026/post/").unwrap();
        let once = sanitize(raw, Some(&base)).into_string();
        assert_eq!(
            sanitize(&once, Some(&base)).into_string(),
            once,
            "not idempotent: {raw}"
        );
        once
    }

    #[test]
    fn addresses_are_absolute_and_of_good_schemes() {
        assert_eq!(
            safe(
                "<a href='../x?a=1&amp;b=2'>a</a><a href='#n'>b</a><a href='//c.example/'>c</a><a href='JavaScript:alert(1)'>d</a><a href='mailto:x@example.org'>e</a>"
            ),
            "<a href=\"https://blog.example/2026/x?a=1&amp;b=2\" rel=\"noopener nofollow ugc\">a</a>\
             <a href=\"https://blog.example/2026/post/#n\" rel=\"noopener nofollow ugc\">b</a>\
             <a href=\"https://c.example/\" rel=\"noopener nofollow ugc\">c</a>\
             <a rel=\"noopener nofollow ugc\">d</a>\
             <a href=\"mailto:x@example.org\" rel=\"noopener nofollow ugc\">e</a>"
        );
        assert_eq!(
            sanitize("<a href='/x'>a</a>", None).as_str(),
            "<a rel=\"noopener nofollow ugc\">a</a>"
        );
    }

    #[test]
    fn pictures_are_lazy_and_without_referrer() {
        assert_eq!(
            safe(
                "<p class=x id=y style='color:red'><img loading=eager src=a.png alt=A width=10 srcset='b.png 2x' onerror=x></p>"
            ),
            "<p><img src=\"https://blog.example/2026/post/a.png\" alt=\"A\" width=\"10\" loading=\"lazy\" referrerpolicy=\"no-referrer\"></p>"
        );
        assert_eq!(
            safe(
                "<img src='data:image/gif;base64,R0' data-src='/real.png' alt=r><noscript><img src='/real.png'></noscript>"
            ),
            "<img src=\"https://blog.example/real.png\" alt=\"r\" loading=\"lazy\" referrerpolicy=\"no-referrer\">"
        );
    }

    /// The addresses of the pictures that are left.
    fn pictures(raw: &str) -> Vec<String> {
        safe(raw)
            .split(" src=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn the_picture_is_the_one_that_a_script_would_have_shown() {
        for (raw, address) in [
            ("<img src=small.png data-lazy-src='big.png'>", "big.png"),
            ("<img src=/blank.gif data-original=a.png>", "a.png"),
            ("<img src=a.png data-src='data:image/gif;base64,R0'>", "a.png"),
            ("<img data-srcset='a.png 300w, b.png 900w'>", "b.png"),
            ("<img src=a.png srcset='b.png 2x'>", "a.png"),
            (
                "<picture><source srcset='a.webp 1x, b.webp 2x'><img alt=x></picture>",
                "b.webp",
            ),
            (
                "<picture><source srcset=a.webp><img src=b.png></picture>",
                "b.png",
            ),
            ("<p><noscript><img src=a.png alt=b></noscript></p>", "a.png"),
            (
                "<img class=lazy data-src=a-300.png src=x.gif><noscript><img src=a.png></noscript>",
                "a-300.png",
            ),
            (
                "<NOSCRIPT><IMG SRC=a.png></NOSCRIPT><img src=data:x data-src=a.png>",
                "a.png",
            ),
            (
                "<div><img data-src=a.png></div><div><noscript><img src=a.png></noscript></div>",
                "a.png",
            ),
            (
                "<noscript><img height=1 width=1 src=https://www.facebook.com/tr?id=1></noscript><img src=a.png>",
                "a.png",
            ),
        ] {
            let expected = format!("https://blog.example/2026/post/{address}");
            assert_eq!(pictures(raw), [expected], "{raw}");
        }
        assert_eq!(safe("a<img src='data:image/png;base64,R0'>b<img>"), "ab");
        assert!(safe("<img src='data:image/png;base64,R0' alt='A chart'>").contains("alt=\"A chart\""));
        assert_eq!(
            safe("<noscript><p>Read it <a href=/x>here</a></p></noscript>")
                .matches("<a")
                .count(),
            1
        );
    }

    #[test]
    fn pictures_come_by_https_and_nobody_describes_them_but_the_author() {
        let html = safe(
            "<img src=http://x.example/a.png><img src=HTTP://x.example:80/b.png alt=''><a href=http://y.example/>c</a>",
        );
        assert!(html.contains("src=\"https://x.example/a.png\" loading"), "{html}");
        assert!(
            html.contains("src=\"https://x.example/b.png\" alt=\"\""),
            "{html}"
        );
        assert!(html.contains("href=\"http://y.example/\""), "{html}");
        let html = safe("<img src=https://x.example/a.png alt=null><img alt=undefined>");
        assert!(html.starts_with("<img src=") && !html.contains("alt"), "{html}");
        assert_eq!(html.matches("<img").count(), 1, "{html}");
        let base = Url::parse("http://old.example/").unwrap();
        let html = sanitize("<img src=a.png>", Some(&base)).into_string();
        assert!(html.contains("https://old.example/a.png"), "{html}");
    }

    #[test]
    fn languages_stay_where_they_are_languages() {
        for (raw, kept) in [
            ("<p lang=cy>Helo</p>", "<p lang=\"cy\">Helo</p>"),
            ("<p xml:lang=EN_gb>Hi</p>", "<p lang=\"en-GB\">Hi</p>"),
            (
                "<p lang=cy xml:lang=en dir=LTR>a</p>",
                "<p lang=\"cy\" dir=\"ltr\">a</p>",
            ),
            ("<p lang='\"><script>' dir=up>a</p>", "<p>a</p>"),
            (
                "<p lang=english-language>a</p><p lang=x>b</p>",
                "<p>a</p><p>b</p>",
            ),
        ] {
            assert_eq!(safe(raw), kept, "{raw}");
        }
    }

    #[test]
    fn counting_pixels_go() {
        for pixel in [
            "<img alt='' border='0' src='https://pixel.wp.com/b.gif?host=x' width='1' height='1'>",
            "<img src='https://x.example/t.gif' height=1 width=1 />",
            "<IMG SRC='http://feeds.feedburner.com/~r/Blog/~4/x' >",
            "<img style='width: 1px; height:1px' src='https://x.example/t'>",
        ] {
            assert_eq!(safe(&format!("<p>a{pixel}</p>")), "<p>a</p>", "{pixel}");
        }
        assert!(
            safe("<img src='https://x.example/t.png' border='1' width='100' height='1'>").contains("t.png")
        );
    }

    #[test]
    fn headings_fit_under_the_page() {
        assert_eq!(
            safe("<h1 id=a>A</h1><H2>B</H2><h6>C</h6><hr>"),
            "<h3>A</h3><h4>B</h4><h6>C</h6><hr>"
        );
        assert_eq!(safe("<h2>B</h2><h3>C</h3>"), "<h3>B</h3><h4>C</h4>");
        assert_eq!(safe("<h4>B</h4>"), "<h4>B</h4>");
    }

    #[test]
    fn players_become_links() {
        for (player, link) in [
            (
                "<iframe src='https://www.youtube.com/embed/abc?rel=0' title='A &amp; B'></iframe>",
                "<p><a href=\"https://www.youtube.com/watch?v=abc\" rel=\"noopener nofollow ugc\">Watch on youtube.com: A &amp; B</a></p>",
            ),
            (
                "<iframe src='//player.vimeo.com/video/42?h=1'>old browsers</iframe>",
                "<p><a href=\"https://vimeo.com/42\" rel=\"noopener nofollow ugc\">Watch on vimeo.com</a></p>",
            ),
            ("<iframe src='javascript:alert(1)'></iframe>", ""),
            ("<iframe srcdoc='<script>alert(1)</script>'></iframe>", ""),
            (
                "<p>See <iframe data-src='https://maps.council.example/1' src='about:blank' title='The map'></iframe> it</p>",
                "<p>See <a href=\"https://maps.council.example/1\" rel=\"noopener nofollow ugc\">Open on maps.council.example: The map</a> it</p>",
            ),
            (
                "<object height=1><param name=movie value=x><embed src='http://www.youtube.com/v/abc?version=3'>old</object>",
                "<p><a href=\"https://www.youtube.com/watch?v=abc\" rel=\"noopener nofollow ugc\">Watch on youtube.com</a></p>old",
            ),
            (
                "<object data='https://x.example/a.pdf'>a</object>",
                "<p><a href=\"https://x.example/a.pdf\" rel=\"noopener nofollow ugc\">Open on x.example</a></p>",
            ),
            (
                "<audio src='https://x.example/a.mp3' controls>Your browser cannot play it.</audio>",
                "<p><a href=\"https://x.example/a.mp3\" rel=\"noopener nofollow ugc\">Listen at x.example</a></p>",
            ),
            (
                "<blockquote class=wp-embedded-content><a href='https://x.example/a'>A</a></blockquote>\
                 <iframe class=wp-embedded-content src='https://x.example/a/embed/#?secret=1' title='A'></iframe>",
                "<blockquote><a href=\"https://x.example/a\" rel=\"noopener nofollow ugc\">A</a></blockquote>",
            ),
            (
                "<script src='//storify.com/council/day.js'></script>\
                 <noscript>[<a href='//storify.com/council/day'>View the story</a>]</noscript>",
                "<p><a href=\"https://storify.com/council/day\" rel=\"noopener nofollow ugc\">Open on storify.com</a></p>\
                 [<a href=\"https://storify.com/council/day\" rel=\"noopener nofollow ugc\">View the story</a>]",
            ),
            (
                "<blockquote class='twitter-tweet'><p>Good day</p><a href='https://twitter.com/x/status/1'>1 May</a></blockquote>\
                 <script async src='https://platform.twitter.com/widgets.js'></script>",
                "<blockquote><p>Good day</p><a href=\"https://twitter.com/x/status/1\" rel=\"noopener nofollow ugc\">1 May</a></blockquote>",
            ),
            (
                "<video controls><source src='https://x.example/a.mp4'><source src='https://x.example/a.ogv'></video>",
                "<p><a href=\"https://x.example/a.mp4\" rel=\"noopener nofollow ugc\">Watch on x.example</a></p>",
            ),
        ] {
            assert_eq!(safe(player), link, "{player}");
        }
    }

    #[test]
    fn what_a_browser_would_run_is_gone() {
        assert_eq!(
            safe(
                "<script>a</script><style>b</style><svg><script>c</script></svg><p onclick=x>d&#8;\u{85}</p><form><button>e</button>f</form>"
            ),
            "<p>d</p>f"
        );
        assert_eq!(safe("<nav><a href=/>Home</a></nav><p>a</p>"), "<p>a</p>");
        // FEEDS: what feed-rs makes of an escaped attribute in Atom's XHTML.
        assert_eq!(
            safe("<p title=\"\"><img src=x onerror=alert(1)>\">a</p>")
                .matches("onerror")
                .count(),
            0
        );
        assert_eq!(
            safe("<code class='x language-rust y'>a</code><code class=x>b</code>"),
            "<code class=\"language-rust\">a</code><code>b</code>"
        );
        assert_eq!(
            safe("<figure lang=cy><img src=/a><figcaption>c</figcaption></figure>")
                .matches("figcaption")
                .count(),
            2
        );
    }

    #[test]
    fn deep_nesting_is_survived() {
        for tag in ["<div>", "<b>", "<ul><li>", "<table><tr><td>"] {
            let html = format!("a {} b", tag.repeat(100_000));
            assert_eq!(sanitize(&html, None).as_str(), "a   b", "{tag}");
        }
        assert_eq!(safe(&"<p>a<br>".repeat(1_000)).matches("<p>").count(), 1_000);
    }

    /// Markup of our own that parsers have read in two ways, or that has more to it than it seems.
    const DIFFICULT: [&str; 30] = [
        "<pre>\n\n\na</pre><pre><!-- -->\nb</pre><pre>&#10;&#10;c</pre>",
        "a&#13;b<p title='&#13;&#10;'>c\r\nd",
        "<table><a href=x>a<table><a href=y>b</table></table>",
        "<p><marquee><p>a</p><a href=x><applet><a href=y>b</a></applet></a></marquee></p>",
        "<b><p>a</b>b<i>c<div>d</i>e",
        "<ul><li>a<table><tr><li>b</table></ul><li>c",
        "<h2>a<h3>b</h2>c</h3><h1><div><h2>d",
        "<form><p>a<form><p>b</form>c",
        "<ruby>a<rt>b<rt>c<rp>d</ruby>",
        "<svg><p>a<style><b>c</b></style><title>d</title></svg>e",
        "<math><mi><table><mglyph><style><img src=x onerror=alert(1)>",
        "<img src='&#104;ttps://pixel.wp.com/b.gif'>a<img src=//pixel.wp.com/b.gif>",
        "<img src=a.png width=1 height=1>b<img src=''>c<img alt=d><img>",
        "<a lang='not a language' href=x class=y onclick=z>a</a><img lang=1 src=y alt=b>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
        "<noscript><noscript><img src=x></noscript></noscript>",
        "<object><param name=movie value=x><embed src=https://v.example/a><embed src=https://v.example/a></object>",
        "<p>a<iframe src=https://v.example/ title='\"&quot;><b>'>b</iframe>c</p>",
        "<video><source src=https://v.example/a.mp4><p>b<a href=c>d</a></video>",
        "<details><summary>a<p>b</summary>c<summary>d",
        "<table><caption>a<caption>b<tr>c<td>d<col>e",
        "<colgroup><col><p>a</colgroup><td>b</td>",
        "<a href=x><a href=y>a<td><a href=z>b",
        "<dl><dt>a<dd>b<dt>c<dl><dd>d</dl></dl><dd>e<dt>f",
        "<b><b><b><b><b>a</b><p>b</b></b>c</b>d",
        "<code class='language-x'><div><code class=y>a</div>b",
        "<q><blockquote><p><q>a</blockquote></q>b",
        "<style><!--</style><p>a--></p>",
        "<xmp><p>a</xmp><plaintext><p>b</p>",
        "\u{a0}\u{2003} a &#8; b \u{85}&#x85;&#xfffe; <p>&nbsp;</p> \u{a0}",
    ];

    #[test]
    fn sanitising_twice_changes_nothing() {
        for raw in DIFFICULT {
            safe(raw);
        }
        // One within the other, and side by side.
        for (at, raw) in DIFFICULT.iter().enumerate() {
            for (other, within) in DIFFICULT.iter().enumerate() {
                let middle = raw.floor_char_boundary(raw.len() * (other + 1) / (DIFFICULT.len() + 1));
                safe(&format!("{}{within}{}", &raw[..middle], &raw[middle..]));
                if at != other {
                    safe(&format!("{raw}{within}"));
                }
            }
        }
    }

    #[test]
    fn sanitising_the_corpora_twice_changes_nothing() {
        let Some(shared) = option_env!("VOICE_TEST_SHARED").map(std::path::Path::new) else {
            return;
        };
        let payloads = std::fs::read_to_string(shared.join("corpora/xss.jsonl")).unwrap();
        let mut count = 0;
        for line in payloads.lines() {
            let payload: serde_json::Value = serde_json::from_str(line).unwrap();
            safe(payload["payload"].as_str().unwrap());
            count += 1;
        }
        assert!(count > 700, "{count} payloads");
        for file in std::fs::read_dir(shared.join("blogs")).unwrap() {
            let feed = std::fs::read(file.unwrap().path()).unwrap();
            let feed = crate::read(&crate::Source {
                body: &feed,
                content_type: None,
                url: None,
                timezone: chrono_tz::Europe::London,
            });
            for entry in feed.unwrap().entries {
                let draft = entry.finish(&crate::Tagger::new(&[]));
                assert_eq!(safe(draft.content_html.as_str()), draft.content_html.as_str());
            }
        }
    }
}
