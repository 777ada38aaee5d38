//! Hostile markup, and feeds that hold it in every field.

use std::fmt::Write as _;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Europe::London;
use model::{Clock as _, SystemClock, Week};
use serde_json::{Value, json};

/// One for each way in that we know of. All of them do something where nobody sanitises; the second test shows it.
pub(crate) const OURS: [(&str, &str); 20] = [
    ("script", "<script>alert(1)</script>"),
    ("script behind a bracket", "<<script>alert(2);//<</script>"),
    ("handler", "<img src=x onerror=alert(3)>"),
    ("handler of svg", "<svg/onload=alert(4)>"),
    ("link", "<a href=\"javascript:alert(5)\">a</a>"),
    (
        "link in disguise",
        "<a href=\" &#1;jAvA&#9;scr&#x0A;ipt&colon;alert(6)\">a</a>",
    ),
    ("frame", "<iframe src=\"javascript:alert(7)\"></iframe>"),
    (
        "frame with its source",
        "<iframe srcdoc=\"<script>alert(8)</script>\"></iframe>",
    ),
    (
        "refresh",
        "<meta http-equiv=refresh content=\"0;url=/went-away\">",
    ),
    (
        "toggle",
        "<details open ontoggle=alert(10)><summary>a</summary>b</details>",
    ),
    ("focus", "<input autofocus onfocus=alert(11)>"),
    (
        "form",
        "<form action=\"javascript:alert(12)\"><button>a</button></form>",
    ),
    (
        "stylesheet",
        "<link rel=stylesheet href=\"http://elsewhere.example/a.css\">",
    ),
    (
        "object",
        "<object data=\"data:text/html,<script>alert(14)</script>\"></object>",
    ),
    ("out of an attribute", "\"><img src=x onerror=alert(15)>"),
    (
        "out of CDATA and comments",
        "]]>--></title></textarea></style></noscript><script>alert(16)</script>",
    ),
    (
        "mutation in math",
        "<math></p><style><!--</style><img src/onerror=alert(17)>",
    ),
    (
        "mutation in svg",
        "<svg></p><style><a title=\"</style><img src onerror=alert(18)>\">",
    ),
    (
        "what Atom's XHTML becomes",
        "<p title=\"\"><img src=x onerror=alert(19)>\">a</p>",
    ),
    (
        "fallback for no scripts",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(20)>\"></noscript><svg onload=alert(20)>",
    ),
];

/// Our payloads and those of the corpus.
pub(crate) fn payloads() -> Vec<(String, String)> {
    let ours = OURS
        .iter()
        .map(|(name, payload)| ((*name).to_owned(), (*payload).to_owned()));
    ours.chain(corpus().into_iter().map(|payload| {
        let part = |name: &str| payload[name].as_str().unwrap().to_owned();
        (part("id"), part("payload"))
    }))
    .collect()
}

/// The corpus of payloads, as far as there is one.
pub(crate) fn corpus() -> Vec<Value> {
    let Some(shared) = super::shared() else {
        eprintln!(
            "left out: the corpus of payloads is not there; set VOICE_TEST_SHARED to the folder with corpora/ in it"
        );
        return Vec::new();
    };
    std::fs::read_to_string(shared.join("corpora/xss.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        // No feed can hold these.
        .replace(|c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r'), "")
}

/// What each hostile entry says beside its payload: enough for a topic, a hashtag and the search.
const INNOCENT: &str = "<p>Hostile words on local democracy, councillors and elections. #localgovdigital</p>";

/// The week in which all hostile entries were published: the last whole one, which can be closed.
pub(crate) static WEEK: LazyLock<Week> = LazyLock::new(|| Week::of(SystemClock.now(), London).previous());

/// A moment of that week for each entry.
fn moment(of: usize) -> DateTime<Utc> {
    WEEK.start(London) + TimeDelta::minutes(of as i64)
}

pub(crate) fn rss(payloads: &[(String, String)], first: usize) -> String {
    let mut items = String::new();
    for (at, (_, payload)) in payloads.iter().enumerate() {
        let (x, body) = (escape(payload), escape(&format!("{INNOCENT}{payload}")));
        let date = moment(first + at).format("%a, %d %b %Y %H:%M:%S +0000");
        write!(
            items,
            "<item><title>{x}</title><link>{x}</link><guid>{x}</guid><pubDate>{date}</pubDate><author>{x}</author>\
             <dc:creator>{x}</dc:creator><category>{x}</category><category>Democracy</category><description>{x}</description>\
             <content:encoded>{body}</content:encoded><enclosure url=\"{x}\" type=\"image/png\" length=\"1\"/>\
             <media:thumbnail url=\"{x}\"/><media:content url=\"https://pictures.example/{x}\" type=\"image/png\"/></item>"
        )
        .unwrap();
    }
    format!(
        "<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:media=\"http://search.yahoo.com/mrss/\" \
         xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>{0}</title><link>{0}</link>\
         <description>{0}</description><copyright>{0}</copyright>{items}</channel></rss>",
        all(payloads)
    )
}

pub(crate) fn atom(payloads: &[(String, String)], first: usize) -> String {
    let mut entries = String::new();
    for (at, (_, payload)) in payloads.iter().enumerate() {
        let (x, body) = (escape(payload), escape(&format!("{INNOCENT}{payload}")));
        // As text, as markup and as elements by turns: the one must not become the other.
        let (kind, x, body) = match at % 3 {
            0 => ("html", x, body),
            1 => ("text", x, body),
            _ => {
                let elements = |inner: &str| {
                    format!(
                        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p title=\"{x}\" lang=\"{x}\">{x}</p>{inner}</div>"
                    )
                };
                ("xhtml", elements(""), elements(INNOCENT))
            }
        };
        let content_kind = if kind == "xhtml" { kind } else { "html" };
        let plain = escape(payload);
        let date = moment(first + at).to_rfc3339();
        write!(
            entries,
            "<entry><id>{plain}</id><title type=\"{kind}\">{x}</title><updated>{date}</updated><published>{date}</published>\
             <link href=\"{plain}\"/><link rel=\"enclosure\" href=\"{plain}\" type=\"{plain}\"/><link rel=\"license\" href=\"{plain}\"/>\
             <author><name>{plain}</name><uri>{plain}</uri></author><category term=\"{plain}\" label=\"{plain}\"/>\
             <category term=\"Democracy\"/><rights type=\"{kind}\">{x}</rights><summary type=\"{kind}\">{x}</summary>\
             <content type=\"{content_kind}\" xml:lang=\"{plain}\">{body}</content></entry>"
        )
        .unwrap();
    }
    format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>{0}</id><title type=\"html\">{0}</title><subtitle>{0}</subtitle>\
         <updated>{1}</updated>{entries}</feed>",
        all(payloads),
        moment(first).to_rfc3339()
    )
}

pub(crate) fn json_feed(payloads: &[(String, String)], first: usize) -> String {
    let items: Vec<Value> = payloads
        .iter()
        .enumerate()
        .map(|(at, (_, x))| {
            json!({
                "id": x, "url": x, "external_url": x, "title": x, "summary": x, "image": x, "language": x,
                "content_html": format!("{INNOCENT}{x}"), "date_published": moment(first + at).to_rfc3339(),
                "authors": [{"name": x, "url": x}], "tags": [x, "Democracy"],
                "attachments": [{"url": x, "mime_type": "image/png", "title": x}],
            })
        })
        .collect();
    let title: String = payloads.iter().map(|(_, payload)| payload.as_str()).collect();
    json!({
        "version": "https://jsonfeed.org/version/1.1", "title": title, "home_page_url": title, "description": title, "items": items,
    })
    .to_string()
}

/// All payloads of a feed, for its title.
fn all(payloads: &[(String, String)]) -> String {
    payloads.iter().map(|(_, payload)| escape(payload)).collect()
}
