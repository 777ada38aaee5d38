//! Topics: the network's workstreams, their projects, and further themes.

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

/// How a topic is recognised in a post; `normalize::tag` says how the rules are weighed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicRules {
    /// Phrases with their weights. A phrase matches whole words, case and accents aside; a word that ends in
    /// `*` matches every word that begins so.
    pub phrases: Vec<(String, f64)>,
    /// Hashtags, lower case, without `#`, that give the topic by themselves.
    pub hashtags: Vec<String>,
    /// The feed's own categories that count as if they stood in the title.
    pub categories: Vec<String>,
}
