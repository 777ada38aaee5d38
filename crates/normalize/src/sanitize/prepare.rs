//! What the sanitiser cannot do, on raw markup and without care for safety: it runs before ammonia, never after.
//!
//! Most posts need nothing of it. A glance at each tag ([`survey`]) says what there is to do, so that the rewriter
//! runs only over posts that hold a lazy picture, a pixel or a player.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use lol_html::errors::RewritingError;
use lol_html::html_content::{ContentType, Element};
use lol_html::{RewriteStrSettings, element, rewrite_str, text};
use memchr::memchr;

use super::players::{self, Player};
use super::{Players, pictures};

/// The level of the highest heading within a post: pages have a heading of level 2 for its title.
const HIGHEST_HEADING: u8 = 3;

/// What in an `img` tag calls for the rewriter, beside the addresses of trackers.
const PICTURE_SIGNS: [&str; 8] = [
    "data:", "src=\"\"", "=\"1\"", "='1'", "=1 ", "=\"0\"", "=\"2\"", ":1px",
];

static PICTURE_NEEDLES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let signs = PICTURE_SIGNS
        .iter()
        .chain(&pictures::LAZY)
        .chain(&pictures::PLACEHOLDERS)
        .chain(&pictures::COUNTERS)
        .map(|sign| (*sign).to_owned());
    let trackers = pictures::TRACKERS
        .iter()
        .map(|(host, path)| format!("{host}{path}"));
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(signs.chain(trackers))
        .expect("five dozen short literals make an automaton")
});

/// One literal, which this finds several times faster than the standard library.
static XML_LANGUAGE: LazyLock<AhoCorasick> =
    LazyLock::new(|| AhoCorasick::new(["xml:lang"]).expect("a short literal makes an automaton"));

/// What a glance at the markup says of the work to be done on it.
#[derive(Default)]
struct Survey {
    highest_heading: Option<u8>,
    /// Where the levels of headings stand, of start and end tags.
    levels: Vec<usize>,
    /// There is a picture or a player to look at.
    rewrite: bool,
    /// There is something for browsers without scripts.
    fallbacks: bool,
    /// There are empty lines at the start of a `pre`, of which the parser would take one away at each reading.
    empty_lines: bool,
}

fn survey(html: &str) -> Survey {
    let mut survey = Survey::default();
    let mut rest = html;
    while let Some(at) = memchr(b'<', rest.as_bytes()) {
        rest = &rest[at + 1..];
        let bytes = rest.as_bytes();
        let named = |name: &str| {
            bytes.len() > name.len() && bytes[..name.len()].eq_ignore_ascii_case(name.as_bytes())
        };
        let tag = || &rest[..rest.find('>').unwrap_or(rest.len())];
        match bytes.first().map(u8::to_ascii_lowercase) {
            Some(b'h') => {
                if let Some(level) = heading_level(bytes) {
                    survey.highest_heading =
                        Some(survey.highest_heading.map_or(level, |highest| highest.min(level)));
                    survey.levels.push(html.len() - rest.len() + 1);
                }
            }
            Some(b'/') if heading_level(&bytes[1..]).is_some() => {
                survey.levels.push(html.len() - rest.len() + 2);
            }
            Some(b'i') if named("img") => {
                let tag = tag();
                survey.rewrite = survey.rewrite || !tag.contains("src=") || PICTURE_NEEDLES.is_match(tag);
            }
            Some(b'i') => survey.rewrite |= named("iframe"),
            Some(b'e') => survey.rewrite |= named("embed"),
            Some(b'o') => survey.rewrite |= named("object"),
            Some(b'v') => survey.rewrite |= named("video"),
            Some(b'a') => survey.rewrite |= named("audio"),
            Some(b's') if named("script") => survey.rewrite |= players::is_script_of_one(tag()),
            Some(b'n') => survey.fallbacks |= named("noscript"),
            Some(b'p') if named("pre") => survey.empty_lines |= starts_with_empty_line(&rest[tag().len()..]),
            _ => {}
        }
    }
    survey.rewrite = survey.rewrite || XML_LANGUAGE.is_match(html);
    survey
}

/// The level of a heading, from what follows the `<` or `</` of its tag.
fn heading_level(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [b'h' | b'H', level @ b'1'..=b'6', after, ..] if !after.is_ascii_alphanumeric() && *after != b'-' => {
            Some(level - b'0')
        }
        _ => None,
    }
}

/// Whether the `>` of a `pre` is followed by a line end. One is allowed, as its authors set it for themselves; the
/// parser takes it away, and a second reading must not find another.
fn starts_with_empty_line(after_tag: &str) -> bool {
    after_tag.starts_with(">\n") || after_tag.starts_with(">\r")
}

/// What the sanitiser cannot do.
pub(super) fn prepare(raw: &str, players: Players) -> Cow<'_, str> {
    let survey = survey(raw);
    let mut html = Cow::Borrowed(raw);
    // First, as long as everything stands where it stood.
    if let Some(level) = survey.highest_heading.filter(|&level| level < HIGHEST_HEADING) {
        html = Cow::Owned(lower_headings(raw, &survey.levels, HIGHEST_HEADING - level));
    }
    if survey.fallbacks {
        html = Cow::Owned(without_scripts(&html));
    }
    if survey.empty_lines {
        html = Cow::Owned(without_empty_lines(&html));
    }
    if (survey.rewrite || survey.fallbacks)
        && let Ok(rewritten) = rewrite(&html, players)
    {
        html = Cow::Owned(rewritten);
    }
    html
}

/// The text alone.
pub(super) fn without_tags(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    for (at, part) in html.split('<').enumerate() {
        let text = if at == 0 {
            part
        } else {
            part.split_once('>').map_or("", |(_, text)| text)
        };
        if !text.is_empty() {
            out.push_str(text);
            out.push(' ');
        }
    }
    out
}

/// Lowers every heading by so many levels, to the sixth at most.
fn lower_headings(html: &str, levels: &[usize], by: u8) -> String {
    let mut bytes = html.as_bytes().to_vec();
    for &at in levels {
        bytes[at] = (bytes[at] + by).min(b'6');
    }
    String::from_utf8(bytes).expect("one digit for another")
}

/// Takes away the line ends at the start of each `pre`.
fn without_empty_lines(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = find_ignoring_case(rest, "<pre") {
        let end = rest[at..].find('>').map_or(rest.len(), |end| at + end + 1);
        out.push_str(&rest[..end]);
        rest = rest[end..].trim_start_matches(['\r', '\n']);
    }
    out.push_str(rest);
    out
}

/// What stands there for browsers without scripts is for us, and becomes part of the post; but not a picture that
/// stands there a second time, beside the lazy one that [`rewrite`] wakes.
fn without_scripts(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = find_ignoring_case(rest, "<noscript") {
        out.push_str(&rest[..at]);
        let inner = rest[at..].find('>').map_or(rest.len(), |end| at + end + 1);
        let end = find_ignoring_case(&rest[inner..], "</noscript").map_or(rest.len(), |end| inner + end);
        let after = rest[end..].find('>').map_or(rest.len(), |close| end + close + 1);
        let fallback = &rest[inner..end];
        if !is_twin(fallback, &out, &rest[after..]) {
            out.push_str(fallback);
        }
        rest = &rest[after..];
    }
    out.push_str(rest);
    out
}

/// How many bytes around a fallback are its neighbourhood.
const NEAR: usize = 2_000;

/// Whether a fallback repeats a picture of its neighbourhood.
fn is_twin(fallback: &str, before: &str, after: &str) -> bool {
    let Some(at) = find_ignoring_case(fallback, "<img") else {
        return false;
    };
    let address = fallback[at..]
        .split_once("src=")
        .map_or("", |(_, value)| value.trim_start_matches(['"', '\'']))
        .split(['"', '\'', ' ', '>'])
        .next()
        .unwrap_or_default();
    let left = before.trim_end().rfind('<').map_or("", |tag| &before[tag..]);
    let right = after.trim_start().split('>').next().unwrap_or_default();
    let is_lazy = |tag: &str| {
        find_ignoring_case(tag, "<img") == Some(0) && pictures::LAZY.iter().any(|name| tag.contains(name))
    };
    // A post of nothing but fallbacks must not be searched from end to end for each of them.
    let near = [
        &before[before.ceil_char_boundary(before.len().saturating_sub(NEAR))..],
        &after[..after.floor_char_boundary(NEAR)],
    ];
    is_lazy(left) || is_lazy(right) || !address.is_empty() && near.iter().any(|near| near.contains(address))
}

/// The first place of an ASCII word, whatever its case.
fn find_ignoring_case(text: &str, word: &str) -> Option<usize> {
    let first = &word[..1];
    text.match_indices(first).map(|(at, _)| at).find(|&at| {
        text.as_bytes()
            .get(at..at + word.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
    })
}

fn rewrite(html: &str, players: Players) -> Result<String, RewritingError> {
    // What a `source` of the `picture` that is being read offers.
    let offered: RefCell<Option<String>> = RefCell::default();
    let in_paragraph = Cell::new(false);
    // The player that was last linked to, for those that stand there twice, one within the other.
    let linked: RefCell<Option<String>> = RefCell::default();
    let put = |player: &mut Element<'_, '_>, found: Option<Player>, stays: bool| {
        let inline = in_paragraph.take();
        let link = found
            .filter(|_| players == Players::Linked)
            .filter(|found| linked.replace(Some(found.page().to_owned())).as_deref() != Some(found.page()))
            .map(|found| found.link(inline))
            .unwrap_or_default();
        if stays {
            player.before(&link, ContentType::Html);
        } else {
            player.replace(&link, ContentType::Html);
        }
    };
    let settings = RewriteStrSettings::new()
        .with_strict(false)
        .append_element_content_handler(element!("[xml\\:lang]", |any| {
            if let Some(language) = any
                .get_attribute("xml:lang")
                .filter(|_| !any.has_attribute("lang"))
            {
                any.set_attribute("lang", &language)?;
            }
            Ok(())
        }))
        .append_element_content_handler(element!("picture", |_| {
            offered.take();
            Ok(())
        }))
        .append_element_content_handler(element!("picture > source", |source| {
            let found = pictures::best_of_sets(source);
            if found.is_some() {
                offered.replace(found);
            }
            Ok(())
        }))
        .append_element_content_handler(element!("img", |image| {
            if pictures::is_tracker(image) {
                image.remove();
                return Ok(());
            }
            if pictures::has_empty_description(image) {
                image.remove_attribute("alt");
            }
            match pictures::source(image).or_else(|| offered.take()) {
                Some(address) => image.set_attribute("src", &address)?,
                None if image.get_attribute("alt").is_none_or(|alt| alt.trim().is_empty()) => image.remove(),
                // Its description can be read.
                None => image.remove_attribute("src"),
            }
            Ok(())
        }))
        .append_element_content_handler(element!(
            "p iframe, p embed, p object, p video, p audio, p source, p script",
            |_| {
                in_paragraph.set(true);
                Ok(())
            }
        ))
        .append_element_content_handler(element!("iframe, script", |player| {
            let found = Player::of(player);
            put(player, found, false);
            Ok(())
        }))
        .append_element_content_handler(element!("object", |player| {
            if let Some(found) = Player::of(player) {
                put(player, Some(found), false);
            } else {
                // What it plays may be said by what it holds.
                in_paragraph.take();
                player.remove_and_keep_content();
            }
            Ok(())
        }))
        .append_element_content_handler(element!(
            "embed, video, audio, video > source:first-of-type, audio > source:first-of-type",
            |player| {
                let found = Player::of(player);
                put(player, found, true);
                Ok(())
            }
        ))
        // What a player holds beside its sources is said to browsers that cannot play.
        .append_element_content_handler(text!("video, audio", |said| {
            said.remove();
            Ok(())
        }));
    rewrite_str(html, settings)
}
