//! Pictures: which address is the real one, which only count readers, and that they are asked for by https.
//!
//! Invents no description: a picture without one is left without one, for the pages to say so.

use std::borrow::Cow;

use lol_html::html_content::Element;
use url::Url;

use crate::entities::decode_references;

/// Where scripts that load pictures late look for the address.
pub(super) const LAZY: [&str; 7] = [
    "data-src",
    "data-lazy-src",
    "data-original",
    "data-orig-src",
    "data-lazy",
    "data-echo",
    "lazy-src",
];

/// Hosts, with all below them, and the beginnings of their paths where pictures lie that only count readers.
pub(super) const TRACKERS: [(&str, &str); 25] = [
    ("pixel.wp.com", "/"),
    ("stats.wp.com", "/"),
    ("stats.wordpress.com", "/"),
    ("feeds.wordpress.com", "/1.0/"),
    ("feeds.feedburner.com", "/~r/"),
    ("feeds.feedburner.com", "/~ff/"),
    ("feedburner.google.com", "/~"),
    ("feedsportal.com", "/"),
    ("blogger.googleusercontent.com", "/tracker/"),
    ("google-analytics.com", "/"),
    ("doubleclick.net", "/"),
    ("quantserve.com", "/"),
    ("pixel.quantcast.com", "/"),
    ("scorecardresearch.com", "/"),
    ("medium.com", "/_/stat"),
    ("rss.buysellads.com", "/"),
    ("ads.pheedo.com", "/"),
    ("list-manage.com", "/track/"),
    ("substackcdn.com", "/open"),
    ("facebook.com", "/tr"),
    ("px.ads.linkedin.com", "/"),
    ("bat.bing.com", "/"),
    ("track.hubspot.com", "/"),
    ("counter.theconversation.com", "/"),
    ("counter.theconversation.edu.au", "/"),
];

/// Programs that count readers on anybody's host.
pub(super) const COUNTERS: [&str; 2] = ["/piwik.php", "/matomo.php"];

/// What is shown until a script puts the picture in its place, by the name of its file.
pub(super) const PLACEHOLDERS: [&str; 9] = [
    "blank.gif",
    "blank.png",
    "spacer.gif",
    "pixel.gif",
    "placeholder.gif",
    "placeholder.png",
    "lazy.gif",
    "transparent.gif",
    "1x1.trans.gif",
];

/// The widest picture, in pixels, that is worth its bytes in a column of text.
const WIDE_ENOUGH: f64 = 1_600.0;

/// The address of a picture, as it stood in the markup: what a script would have put there, else the one that
/// stands there, else the best of a set. `None` if there is none but a placeholder.
pub(super) fn source(image: &Element<'_, '_>) -> Option<String> {
    let own = || image.get_attribute("src").filter(|address| is_real(address));
    LAZY.iter()
        .filter_map(|name| image.get_attribute(name))
        .find(|address| is_real(address))
        .or_else(own)
        .or_else(|| best_of_sets(image))
}

/// The best candidate of an element's `srcset`, or of what a script would have put there.
pub(super) fn best_of_sets(element: &Element<'_, '_>) -> Option<String> {
    ["data-srcset", "data-lazy-srcset", "srcset"]
        .iter()
        .filter_map(|name| element.get_attribute(name))
        .find_map(|set| best_of(&set))
}

/// The widest candidate that is not too wide, else the narrowest (HTML section 4.8.4.2.1). A density counts as so
/// many times half the width that is wide enough.
fn best_of(set: &str) -> Option<String> {
    let mut best: Option<(f64, &str)> = None;
    let mut rest = set;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        if rest.is_empty() {
            break;
        }
        // An address may hold commas, but not end with one.
        let (address, after) =
            rest.split_at(rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len()));
        let (descriptor, after) = if address.ends_with(',') {
            ("", after)
        } else {
            after.split_at(after.find(',').unwrap_or(after.len()))
        };
        rest = after;
        let descriptor = descriptor.trim();
        let number = |unit| descriptor.strip_suffix(unit)?.parse::<f64>().ok();
        let width = number('w')
            .or_else(|| number('x').map(|density| density * WIDE_ENOUGH / 2.0))
            .unwrap_or(WIDE_ENOUGH / 2.0);
        let address = address.trim_end_matches(',');
        if is_real(address) && best.is_none_or(|(found, _)| is_better(width, found)) {
            best = Some((width, address));
        }
    }
    best.map(|(_, address)| address.to_owned())
}

fn is_better(width: f64, than: f64) -> bool {
    if than <= WIDE_ENOUGH {
        width > than && width <= WIDE_ENOUGH
    } else {
        width < than
    }
}

fn is_real(address: &str) -> bool {
    let address = address.trim();
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    !path.is_empty()
        && !address
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
        && !address.starts_with("about:")
        && !PLACEHOLDERS.contains(&file)
}

/// Whether a program wrote its description for an author who gave none.
pub(super) fn has_empty_description(image: &Element<'_, '_>) -> bool {
    let alt = image.get_attribute("alt");
    alt.is_some_and(|alt| matches!(alt.trim(), "null" | "undefined" | "None"))
}

/// Whether a picture is there to count readers: too small to be seen, or from a host that is known for it.
pub(super) fn is_tracker(image: &Element<'_, '_>) -> bool {
    looks_like_tracker(|name| image.get_attribute(name))
}

/// Whether an `img` tag as the sanitiser writes it (without `<` and `>`) is a picture that [`super::prepare`] leaves
/// in its place.
pub(super) fn is_shown(tag: &str) -> bool {
    let attribute = |name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        rest.split('"').next().map(str::to_owned)
    };
    let has = |name: &str, is_good: fn(&str) -> bool| attribute(name).is_some_and(|value| is_good(&value));
    !looks_like_tracker(attribute) && (has("src", is_real) || has("alt", |alt| !alt.trim().is_empty()))
}

fn looks_like_tracker(attribute: impl Fn(&str) -> Option<String>) -> bool {
    let size = |name: &str| attribute(name)?.trim().trim_end_matches("px").parse::<u32>().ok();
    let tiny = match (size("width"), size("height")) {
        (Some(width), Some(height)) => width <= 2 && height <= 2,
        (Some(only), None) | (None, Some(only)) => only <= 1,
        (None, None) => attribute("style").is_some_and(|style| {
            let style = style.replace(' ', "");
            style.contains("width:1px") && style.contains("height:1px")
        }),
    };
    tiny || attribute("src").is_some_and(|address| counts_readers(&decode_references(address.trim())))
}

fn counts_readers(address: &str) -> bool {
    let Some((_, rest)) = address.split_once("//") else {
        return false;
    };
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = host.to_ascii_lowercase();
    TRACKERS.iter().any(|(tracker, start)| {
        let below = host.strip_suffix(tracker);
        below.is_some_and(|below| below.is_empty() || below.ends_with('.')) && path.starts_with(start)
    }) || COUNTERS.iter().any(|counter| path.contains(counter))
}

/// A picture's address by https. What is no address of the web is left to the sanitiser, which drops it.
pub(super) fn by_https<'a>(address: &'a str, base: Option<&Url>) -> Cow<'a, str> {
    let address = address.trim();
    if address.starts_with("https://") {
        return address.into();
    }
    let mut url = match base {
        Some(base) => base.join(address),
        None => Url::parse(address),
    }
    .ok()
    .filter(|url| matches!(url.scheme(), "http" | "https"));
    if let Some(url) = &mut url {
        // Between the two schemes this cannot fail, and the default port goes with the scheme.
        let _ = url.set_scheme("https");
    }
    url.map_or(address.into(), |url| String::from(url).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_a_set_is_wide_but_not_too_wide() {
        for (set, best) in [
            ("a.png 300w, b.png 1024w, c.png 4000w", Some("b.png")),
            ("c.png 4000w, d.png 3000w", Some("d.png")),
            ("a.png, b.png 2x, c.png 4x", Some("b.png")),
            (
                "/w_300,h_2/a.png 300w,/w_900,h_6/a.png 900w",
                Some("/w_900,h_6/a.png"),
            ),
            ("data:image/gif;base64,R0 300w, b.png 1w", Some("b.png")),
            (" ", None),
        ] {
            assert_eq!(best_of(set).as_deref(), best, "{set}");
        }
    }

    #[test]
    fn counters_are_known_by_host_and_path() {
        for (address, counts) in [
            ("http://feeds.feedburner.com/~r/Blog/~4/x", true),
            ("https://feeds.feedburner.com/logo.png", false),
            ("//ad.doubleclick.net/x", true),
            ("https://notdoubleclick.net/x", false),
            ("https://x.us1.list-manage.com/track/open.php?u=1", true),
            ("https://stats.council.example/matomo.php?idsite=1", true),
            ("https://blog.example/doubleclick.net/a.png", false),
            ("a.png", false),
        ] {
            assert_eq!(counts_readers(address), counts, "{address}");
        }
    }

    #[test]
    fn pictures_are_asked_for_by_https() {
        let base = Url::parse("http://blog.example/a/").unwrap();
        for (address, asked) in [
            ("http://x.example/a.png", "https://x.example/a.png"),
            ("http://x.example:80/a.png", "https://x.example/a.png"),
            ("HTTPS://x.example/a.png", "https://x.example/a.png"),
            (" b.png", "https://blog.example/a/b.png"),
            ("//c.example/b.png", "https://c.example/b.png"),
            ("mailto:x", "mailto:x"),
        ] {
            assert_eq!(by_https(address, Some(&base)), asked, "{address}");
        }
        assert_eq!(by_https("b.png", None), "b.png");
    }
}
