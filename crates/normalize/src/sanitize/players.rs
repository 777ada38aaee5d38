//! Players, maps, slides and other frames: each becomes a link that says where it leads ("Watch on youtube.com: the
//! title"). Hosts that we know get the page that a person would open; every other host gets the frame's address.

use lol_html::html_content::Element;
use url::Url;

use crate::entities::decode_references;

/// Where there is something to watch or to hear, by the end of the host's name. Anything else is opened.
const VERBS: [(&str, &str); 17] = [
    ("youtube.com", "Watch"),
    ("vimeo.com", "Watch"),
    ("dailymotion.com", "Watch"),
    ("ted.com", "Watch"),
    ("twitch.tv", "Watch"),
    ("loom.com", "Watch"),
    ("wistia.net", "Watch"),
    ("parliamentlive.tv", "Watch"),
    ("public-i.tv", "Watch"),
    ("soundcloud.com", "Listen"),
    ("spotify.com", "Listen"),
    ("mixcloud.com", "Listen"),
    ("audioboom.com", "Listen"),
    ("bandcamp.com", "Listen"),
    ("podbean.com", "Listen"),
    ("buzzsprout.com", "Listen"),
    ("acast.com", "Listen"),
];

/// Hosts whose scripts write something into the page that has a page of its own.
const SCRIPTS: [&str; 2] = ["gist.github.com/", "storify.com/"];

/// Whether a `script` tag, up to its `>`, is of one of the [`SCRIPTS`].
pub(super) fn is_script_of_one(tag: &str) -> bool {
    SCRIPTS.iter().any(|host| tag.contains(host))
}

/// Something that plays or is shown in a frame.
pub(super) struct Player {
    page: Url,
    verb: &'static str,
    title: Option<String>,
}

impl Player {
    /// What an element plays; `None` if it says nothing, or nothing of the web.
    pub(super) fn of(element: &Element<'_, '_>) -> Option<Self> {
        let name = element.tag_name();
        let address = match name.as_str() {
            "object" => element.get_attribute("data"),
            _ => ["src", "data-src", "data-lazy-src"]
                .iter()
                .filter_map(|name| element.get_attribute(name))
                .find(|address| !address.starts_with("about:")),
        }?;
        let class = element.get_attribute("class").unwrap_or_default();
        // WordPress quotes the other blog's post in words before it frames it.
        if class.contains("wp-embedded-content") || name == "script" && !is_script_of_one(&address) {
            return None;
        }
        let address = decode_references(address.trim());
        let url = match address.strip_prefix("//") {
            Some(rest) => Url::parse(&format!("https://{rest}")),
            None => Url::parse(&address),
        }
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
        let page = page(&url).unwrap_or(url);
        let verb = match name.as_str() {
            "audio" => "Listen",
            "source"
                if element
                    .get_attribute("type")
                    .is_some_and(|kind| kind.starts_with("audio")) =>
            {
                "Listen"
            }
            "video" | "source" => "Watch",
            _ => verb(&page),
        };
        let title = element
            .get_attribute("title")
            .map(|title| decode_references(title.trim()).into_owned())
            .filter(|title| !title.is_empty());
        Some(Self { page, verb, title })
    }

    /// The page it leads to.
    pub(super) fn page(&self) -> &str {
        self.page.as_str()
    }

    /// A link to it, in a paragraph of its own unless it stands in one.
    pub(super) fn link(&self, inline: bool) -> String {
        let mut label = format!("{} {} {}", self.verb, preposition(self.verb), host(&self.page));
        if let Some(title) = &self.title {
            label.push_str(": ");
            label.push_str(title);
        }
        let link = format!("<a href=\"{}\">{}</a>", escape(self.page()), escape(&label));
        if inline { link } else { format!("<p>{link}</p>") }
    }
}

/// Whether a line of a post's text is the label of a [`Player::link`], and not the author's.
pub(crate) fn is_label(line: &str) -> bool {
    let named = ["Watch on ", "Listen at ", "Open on "]
        .iter()
        .find_map(|start| line.strip_prefix(start));
    named.is_some_and(|rest| {
        let host = rest.split(':').next().unwrap_or_default();
        host.contains('.') && !host.ends_with('.') && !host.contains(char::is_whitespace)
    })
}

fn preposition(verb: &str) -> &'static str {
    if verb == "Listen" { "at" } else { "on" }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A host's name without what only machines need.
fn host(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    ["www.", "player.", "w.", "embed."]
        .iter()
        .find_map(|start| host.strip_prefix(start).filter(|rest| rest.contains('.')))
        .unwrap_or(host)
}

fn verb(url: &Url) -> &'static str {
    let host = host(url);
    VERBS
        .iter()
        .find(|(end, _)| is_at(host, end))
        .map_or("Open", |(_, verb)| verb)
}

/// Whether a host is this one or below it.
fn is_at(host: &str, end: &str) -> bool {
    host.strip_suffix(end)
        .is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

/// The page that a person would open, for the frames of hosts that we know.
fn page(url: &Url) -> Option<Url> {
    let host = host(url);
    let path: Vec<&str> = url.path_segments()?.collect();
    let asked = |key: &str| {
        url.query_pairs()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.into_owned())
    };
    let with_query = |page: &str, key: &str, value: &str| {
        let mut page = Url::parse(page).ok()?;
        page.query_pairs_mut().append_pair(key, value);
        Some(page)
    };
    match (host, path.as_slice()) {
        ("youtube.com" | "youtube-nocookie.com" | "m.youtube.com", ["embed", "videoseries"]) => {
            with_query("https://www.youtube.com/playlist", "list", &asked("list")?)
        }
        ("youtube.com" | "youtube-nocookie.com" | "m.youtube.com", ["embed" | "v" | "shorts", id, ..]) => {
            let id = id.split('&').next().filter(|id| !id.is_empty())?;
            with_query("https://www.youtube.com/watch", "v", id)
        }
        ("vimeo.com", ["video", id, ..]) if id.bytes().all(|byte| byte.is_ascii_digit()) => {
            Url::parse(&format!("https://vimeo.com/{id}")).ok()
        }
        ("dailymotion.com", ["embed", "video", id, ..]) => {
            Url::parse(&format!("https://www.dailymotion.com/video/{id}")).ok()
        }
        ("soundcloud.com", ["player", ..]) => Url::parse(&asked("url")?)
            .ok()
            .filter(|track| matches!(track.host_str(), Some("soundcloud.com" | "on.soundcloud.com"))),
        ("open.spotify.com", ["embed", kind, id, ..]) => {
            Url::parse(&format!("https://open.spotify.com/{kind}/{id}")).ok()
        }
        ("platform.twitter.com" | "platform.x.com", ["embed", ..]) => {
            let id = asked("id").filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()))?;
            Url::parse(&format!("https://twitter.com/i/status/{id}")).ok()
        }
        // What frames a map shows nothing outside of a frame.
        ("google.com" | "google.co.uk" | "maps.google.com", ["maps", "embed", rest @ ..]) => {
            match (rest, asked("q"), asked("pb")) {
                (_, Some(place), _) => with_query("https://www.google.com/maps", "q", &place),
                (_, None, Some(map)) => {
                    let part = |sign: &str| {
                        map.split('!')
                            .find_map(|part| part.strip_prefix(sign)?.parse::<f64>().ok())
                    };
                    let (east, north) = (part("2d")?, part("3d")?);
                    with_query("https://www.google.com/maps", "q", &format!("{north},{east}"))
                }
                _ => None,
            }
        }
        ("gist.github.com" | "storify.com", _) => {
            let page = url.as_str().split(['?', '#']).next()?;
            Url::parse(page.strip_suffix(".js").unwrap_or(page)).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_hosts_that_we_know_have_a_page() {
        for (frame, opened) in [
            (
                "https://www.youtube.com/embed/abc?rel=0",
                "https://www.youtube.com/watch?v=abc",
            ),
            (
                "http://www.youtube.com/v/abc&hl=en_US&fs=1",
                "https://www.youtube.com/watch?v=abc",
            ),
            (
                "https://www.youtube-nocookie.com/embed/videoseries?list=PL1",
                "https://www.youtube.com/playlist?list=PL1",
            ),
            ("https://player.vimeo.com/video/42?h=1", "https://vimeo.com/42"),
            (
                "https://w.soundcloud.com/player/?url=https%3A//soundcloud.com/council/one&color=f50",
                "https://soundcloud.com/council/one",
            ),
            (
                "https://platform.twitter.com/embed/Tweet.html?id=12&theme=light",
                "https://twitter.com/i/status/12",
            ),
            (
                "https://www.google.com/maps/embed?pb=!1m18!1m12!1m3!1d2483.5!2d-0.125!3d51.5!2m3",
                "https://www.google.com/maps?q=51.5%2C-0.125",
            ),
            (
                "https://gist.github.com/someone/12.js?file=a",
                "https://gist.github.com/someone/12",
            ),
        ] {
            assert_eq!(
                page(&Url::parse(frame).unwrap()).unwrap().as_str(),
                opened,
                "{frame}"
            );
        }
        for unknown in [
            "https://maps.council.example/embed/1",
            "https://w.soundcloud.com/player/?url=https%3A//elsewhere.example/",
            "https://www.youtube.com/embed/",
        ] {
            assert_eq!(page(&Url::parse(unknown).unwrap()), None, "{unknown}");
        }
    }

    #[test]
    fn labels_are_told_from_words() {
        for (line, is_a_label) in [
            ("Watch on youtube.com", true),
            ("Watch on youtube.com: What we do", true),
            ("Listen at soundcloud.com: One: two", true),
            ("Open on maps.council.example", true),
            ("Open on Saturday.", false),
            ("Watch on Saturday: the film", false),
            ("Open on example.org and tell us", false),
        ] {
            assert_eq!(is_label(line), is_a_label, "{line}");
        }
    }

    #[test]
    fn what_one_does_there_is_said() {
        for (address, said) in [
            ("https://www.youtube.com/watch?v=a", "Watch"),
            ("https://notyoutube.com/", "Open"),
            ("https://w.soundcloud.com/player/", "Listen"),
            ("https://www.slideshare.net/slideshow/embed_code/1", "Open"),
        ] {
            assert_eq!(verb(&Url::parse(address).unwrap()), said, "{address}");
        }
    }
}
