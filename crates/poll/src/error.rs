//! What can go wrong with polling as a whole; what goes wrong with one feed is that poll's outcome.

/// Polling could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PollError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// A name on the command line is nobody's.
    #[error("no feed is registered as {0:?}; `voice feeds list` shows the names and addresses")]
    NotRegistered(String),
    /// A cron line cannot be read.
    #[error("{line:?} is not a cron line of six fields (second minute hour day month weekday): {reason}")]
    CronLine {
        /// The line.
        line: String,
        /// What the parser says.
        reason: String,
    },
}
