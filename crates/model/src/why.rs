//! Why a feed is next polled when it is: the word that is stored, and the words for people.
//!
//! When a feed is polled is not decided here.

use std::fmt;

use serde::{Serialize, Serializer};

/// Why a feed is next polled when it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// By how often the blog writes.
    Rhythm,
    /// Its entries have no dates to tell a rhythm by.
    NoRhythm,
    /// The answer stays fresh so long: `Cache-Control` or `Expires` (RFC 9111 section 4.2).
    Fresh,
    /// The feed says how often it changes: `ttl` or `sy:updatePeriod`.
    FeedAsks,
    /// The feed wants to be left alone at this hour or on this day: `skipHours` or `skipDays`.
    Skipped,
    /// The server said when to come again: `Retry-After` (RFC 9110 section 10.2.3).
    RetryAfter,
    /// The poll failed; the wait doubles with each failure in a row.
    BackOff,
    /// The server said 410 for the first time.
    GoneOnce,
    /// Our own network was down, or our machine could open no more connections.
    Outage,
    /// The feed's hub says that there is something new (WebSub).
    Pushed,
    /// Somebody decided about the feed: approved or resumed it, or moved it to another address.
    Decided,
}

impl Why {
    const ALL: [Self; 11] = [
        Self::Rhythm,
        Self::NoRhythm,
        Self::Fresh,
        Self::FeedAsks,
        Self::Skipped,
        Self::RetryAfter,
        Self::BackOff,
        Self::GoneOnce,
        Self::Outage,
        Self::Pushed,
        Self::Decided,
    ];

    /// The word in columns and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rhythm => "rhythm",
            Self::NoRhythm => "no_rhythm",
            Self::Fresh => "fresh",
            Self::FeedAsks => "feed_asks",
            Self::Skipped => "skipped",
            Self::RetryAfter => "retry_after",
            Self::BackOff => "back_off",
            Self::GoneOnce => "gone_once",
            Self::Outage => "outage",
            Self::Pushed => "pushed",
            Self::Decided => "decided",
        }
    }

    /// The reason that this word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.as_str() == word)
    }
}

/// The reason in words, to follow "then, because".
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rhythm => "that suits how often this blog writes",
            Self::NoRhythm => "its posts have no dates to tell how often it writes",
            Self::Fresh => {
                "the server says that its answer stays fresh until then (Cache-Control or Expires)"
            }
            Self::FeedAsks => "the feed says that it changes no more often (ttl or sy:updatePeriod)",
            Self::Skipped => "the feed asks to be left alone until then (skipHours or skipDays)",
            Self::RetryAfter => "the server asked us to wait until then (Retry-After)",
            Self::BackOff => "the last poll failed, and we wait longer after each failure in a row",
            Self::GoneOnce => "the server said that the feed is gone, and we ask once more a day later",
            Self::Outage => "we could reach nobody, and that was our own fault",
            Self::Pushed => "its hub says that there is something new (WebSub)",
            Self::Decided => "somebody has just decided so",
        })
    }
}

impl Serialize for Why {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_words() {
        for why in Why::ALL {
            assert_eq!(Why::parse(why.as_str()), Some(why));
            assert!(!why.to_string().is_empty());
        }
        assert_eq!(Why::parse("whim"), None);
    }
}
