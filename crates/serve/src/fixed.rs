//! Documents that hardly change: the stylesheet, the favicon, the schemas, and the notices for programs.

use std::fmt::Write;
use std::sync::LazyLock;

use chrono::{SecondsFormat, TimeDelta};
use sha2::{Digest, Sha256};

use crate::asked::{Asked, Made};
use crate::document::{Document, Kind};
use crate::failure::Failure;

const STYLE: &str = include_str!("../assets/style.css");
const FEED_STYLE: &str = include_str!("../assets/feed.css");
const FAVICON: &str = include_str!("../assets/favicon.svg");

/// Crawlers that gather text to train models with, by the names that their makers publish.
const TRAINING_CRAWLERS: [&str; 14] = [
    "AI2Bot",
    "Amazonbot",
    "anthropic-ai",
    "Applebot-Extended",
    "Bytespider",
    "CCBot",
    "ClaudeBot",
    "cohere-training-data-crawler",
    "Diffbot",
    "FacebookBot",
    "Google-Extended",
    "GPTBot",
    "meta-externalagent",
    "omgili",
];

/// The address of the stylesheet, which changes with its content.
pub(crate) fn style_path() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| path_of("style", STYLE));
    &PATH
}

/// The address of the stylesheet with which a browser shows a feed.
pub(crate) fn feed_style_path() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| path_of("feed", FEED_STYLE));
    &PATH
}

fn path_of(name: &str, style: &str) -> String {
    let mut path = format!("/{name}-");
    for byte in Sha256::digest(style.as_bytes()).iter().take(6) {
        let _ = write!(path, "{byte:02x}");
    }
    path + ".css"
}

pub(crate) async fn style(_: Asked) -> Made {
    Ok(Document::new(Kind::Style, STYLE.to_owned()))
}

pub(crate) async fn feed_style(_: Asked) -> Made {
    Ok(Document::new(Kind::Style, FEED_STYLE.to_owned()))
}

pub(crate) async fn favicon(_: Asked) -> Made {
    Ok(Document::new(Kind::Svg, FAVICON.to_owned()))
}

pub(crate) async fn digest_schema(_: Asked) -> Made {
    Ok(Document::new(Kind::Schema, export::schemas::DIGEST.to_owned()))
}

pub(crate) async fn entries_schema(_: Asked) -> Made {
    Ok(Document::new(Kind::Schema, export::schemas::ENTRIES.to_owned()))
}

/// `/robots.txt` (RFC 9309), with what may be done with the words: <https://contentsignals.org>. It cannot tell posts
/// apart, so one member who refuses training is enough here, too.
pub(crate) async fn robots(asked: Asked) -> Made {
    let mut text = String::new();
    if asked.site.ai_training && !asked.store().any_refuses_training().await? {
        text.push_str("User-agent: *\nContent-Signal: search=yes, ai-train=yes\nDisallow: /search\n");
    } else {
        text.push_str(
            "# The posts belong to those who wrote them. Please find and read them here; please do not\n\
             # train models with them.\n\
             User-agent: *\nContent-Signal: search=yes, ai-train=no\nDisallow: /search\n\n",
        );
        for crawler in TRAINING_CRAWLERS {
            let _ = writeln!(text, "User-agent: {crawler}");
        }
        text.push_str("Disallow: /\n");
    }
    Ok(Document::new(Kind::Notice, text))
}

/// `/.well-known/security.txt` (RFC 9116), where there is somebody to write to.
pub(crate) async fn security(asked: Asked) -> Made {
    /// How long the notice is good for; RFC 9116 section 2.5.5 wants less than a year.
    const GOOD_FOR: TimeDelta = TimeDelta::days(180);
    let site = &asked.site;
    let Some(email) = &site.email else {
        return Err(Failure::not_found(
            "This site names no address for security reports; /about says whom to ask.",
        ));
    };
    let today = model::start_of_day(asked.state.now().date_naive(), chrono_tz::UTC);
    let expires = (today + GOOD_FOR).to_rfc3339_opts(SecondsFormat::Secs, true);
    let canonical = site.absolute("/.well-known/security.txt");
    let text = format!(
        "Contact: mailto:{email}\nExpires: {expires}\nPreferred-Languages: en\nCanonical: {canonical}\n"
    );
    Ok(Document::new(Kind::Notice, text).changed_at(today))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stylesheets_are_small_and_ask_nobody() {
        assert!(STYLE.len() < 26 * 1024, "{} bytes", STYLE.len());
        for style in [STYLE, FEED_STYLE] {
            assert!(!style.contains("url(") && !style.contains("@import"));
        }
    }
}
