//! Topics: the network's workstreams, their projects, and further themes.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A workstream, a project within one, or a theme.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    /// Names the topic in addresses.
    pub slug: String,
    /// For people.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// The workstream that this project belongs to; an entry that has the child has the parent.
    pub parent: Option<String>,
    /// How it is recognised.
    pub rules: TopicRules,
}

/// The topics of a site, parents before their children. Those that are built in are read when somebody first asks for
/// one: what polls and finds nothing new never does.
#[derive(Clone)]
pub enum Topics {
    /// Those of the config.
    Stated(Arc<[Topic]>),
    /// Those that come with the program.
    BuiltIn(fn() -> &'static [Topic]),
}

impl From<Vec<Topic>> for Topics {
    fn from(topics: Vec<Topic>) -> Self {
        Self::Stated(topics.into())
    }
}

impl Deref for Topics {
    type Target = [Topic];

    fn deref(&self) -> &[Topic] {
        match self {
            Self::Stated(topics) => topics,
            Self::BuiltIn(topics) => topics(),
        }
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// How a topic is recognised in a post; `normalize::tag` says how the rules are weighed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicRules {
    /// Phrases with their weights; one below 0 speaks against the topic. A phrase matches whole words, case and
    /// accents aside; a word that ends in `*` matches every word that begins so, and the other way about.
    pub phrases: Vec<(String, f64)>,
    /// Words of which some have to stand in the post, written like phrases; empty asks for none.
    pub needs: Vec<String>,
    /// Hashtags that speak for the topic: lower case, without `#`, with `*` at the end for all that begin so.
    pub hashtags: Vec<String>,
    /// The feed's own categories that give the topic by themselves.
    pub categories: Vec<String>,
    /// How it stands to the other topics of a post.
    pub role: TopicRole,
}

/// How a topic stands to the other topics of a post, when it is told which of them are main subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TopicRole {
    /// A main subject: it outweighs others and may be outweighed.
    #[default]
    Subject,
    /// A section is enough for it: it may outweigh others and is never outweighed.
    Section,
    /// It says what kind of a post this is, such as a report of an event: it neither outweighs nor is outweighed.
    Form,
}
