//! What is done now and then: to finish what withdrawals left to do, and to forget what is kept for a while alone.

use chrono::{DateTime, Utc};

use crate::{Store, StoreError};

impl Store {
    /// Overwrites what was erased and could not be overwritten at once, and forgets e-mail addresses that nobody
    /// confirmed, those of people whose reports were answered long ago, and who was turned down long ago. Safe to
    /// repeat, from several processes.
    pub async fn tidy(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.scrub().await?;
        self.forget_what_nobody_confirmed(now).await?;
        self.forget_reporters(now).await?;
        self.forget_rejected(now).await
    }
}
