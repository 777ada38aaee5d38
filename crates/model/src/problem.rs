//! What is wrong with a feed, as its blogger is told.

use serde::{Deserialize, Serialize};

/// Something that is wrong with a feed, and mended as far as we could. Which kinds there are is known to whoever reads
/// feeds; here they are words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedProblem {
    /// How much it matters: `error` (posts are lost), `warning` (we coped; other readers may not) or `info`.
    pub severity: String,
    /// `entry 3`, `line 17`, `entry 3, line 17` or `feed`.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What the blogger can do.
    pub fix: String,
}

impl FeedProblem {
    /// Whether posts are lost by it.
    pub fn loses_posts(&self) -> bool {
        self.severity == "error"
    }
}
