//! The words of the field, used by every other crate: feeds, entries, members, topics, weeks.
//!
//! Nothing here does I/O or knows a database, an HTTP library or a feed format. What has a rule of its own
//! (how a slug is made, when two addresses are the same, where a week begins) has it here, once.

mod address;
mod clock;
mod draft;
mod entry;
mod feed;
mod health;
mod html;
mod links;
pub mod paths;
mod problem;
mod search;
mod site;
mod slug;
mod text;
mod topic;
mod week;
mod why;

pub use address::{link_key, normal_feed_address};
pub use clock::{Clock, FixedClock, SystemClock};
pub use draft::{EntryDraft, KnownEntry};
pub use entry::{
    AlsoIn, Enclosure, Entry, Evidence, EvidencePlace, Image, TopicMatch, TopicSource, Withdrawal, heading,
};
pub use feed::{
    ContentChoice, Feed, FeedSpec, FeedStatus, HubTopic, IncludeChoice, Member, MemberKind, PollOutcome,
    Validators,
};
pub use health::{Health, HealthState};
pub use html::{Piece, SafeHtml};
pub use links::links_in;
pub use problem::FeedProblem;
pub use search::{Filter, FilterBy, Search};
pub use site::{HashtagGroup, Pictures, Site};
pub use slug::slug_from_name;
pub use text::{EXCERPT_WORDS, clean_text, count_words, ends_a_sentence, first_words, reading_minutes};
pub use topic::{Topic, TopicRole, TopicRules, Topics};
pub use week::{Week, WeekError, start_of_day};
pub use why::Why;
