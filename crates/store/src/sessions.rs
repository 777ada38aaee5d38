//! Who is signed in at `/admin`: kept here and not in the cookie, so that signing out ends it wherever the cookie went.

use chrono::{DateTime, TimeDelta, Utc};

use crate::rows::{Fields, millis};
use crate::secrets::{Secret, hash};
use crate::sql::Sql;
use crate::{Store, StoreError};

const ADD: &str =
    "INSERT INTO sessions (hash, admin, key_hash, made_at, until_at) VALUES ($1, $2, $3, $4, $5)";
const FORGET_OLD: &str = "DELETE FROM sessions WHERE until_at <= $1";
const FIND: &str = "SELECT admin, key_hash, made_at FROM sessions WHERE hash = $1 AND until_at > $2";
const END: &str = "DELETE FROM sessions WHERE hash = $1";

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The name of the token that opened it.
    pub name: String,
    /// When it was opened.
    pub since: DateTime<Utc>,
    key_hash: String,
}

impl Session {
    /// Whether this token opened it. One that was replaced opens nothing any more.
    pub fn was_opened_by(&self, token: &str) -> bool {
        self.key_hash == hash(&[token])
    }
}

impl Store {
    /// Opens a session of this length for whoever showed the token of this name; gives the cookie's value.
    pub async fn open_session(
        &self,
        name: &str,
        token: &str,
        now: DateTime<Utc>,
        length: TimeDelta,
    ) -> Result<Secret, StoreError> {
        let secret = Secret::new()?;
        let mut transaction = self.begin().await?;
        Sql::new(FORGET_OLD)
            .bind(millis(now))
            .execute(&mut transaction)
            .await?;
        Sql::new(ADD)
            .bind(secret.hash())
            .bind(name)
            .bind(hash(&[token]))
            .bind(millis(now))
            .bind(millis(now + length))
            .execute(&mut transaction)
            .await?;
        transaction.commit().await?;
        Ok(secret)
    }

    /// The session that this cookie stands for, unless it was ended or is over.
    pub async fn session(&self, cookie: &str, now: DateTime<Utc>) -> Result<Option<Session>, StoreError> {
        let row = Sql::new(FIND)
            .bind(hash(&[cookie]))
            .bind(millis(now))
            .fetch_optional(self.readers())
            .await?;
        row.map(|row| {
            let mut fields = Fields::of("sessions", &row);
            let (name, key_hash) = (fields.take()?, fields.take()?);
            Ok(Session {
                name,
                key_hash,
                since: fields.at()?,
            })
        })
        .transpose()
    }

    /// Ends the session that this cookie stands for.
    pub async fn end_session(&self, cookie: &str) -> Result<(), StoreError> {
        self.erase(Sql::new(END).bind(hash(&[cookie]))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, minutes, now};

    #[tokio::test]
    async fn last_until_they_are_over_or_ended() {
        let store = testing::store().await;
        let hour = TimeDelta::hours(1);
        let cookie = store.open_session("ada", "token", now(), hour).await.unwrap();
        let cookie = cookie.reveal();
        let session = store.session(cookie, minutes(59)).await.unwrap().unwrap();
        assert_eq!((session.name.as_str(), session.since), ("ada", now()));
        assert!(session.was_opened_by("token") && !session.was_opened_by("another"));
        assert_eq!(store.session(cookie, minutes(60)).await.unwrap(), None);
        assert_eq!(store.session("guessed", now()).await.unwrap(), None);
        store.end_session(cookie).await.unwrap();
        assert_eq!(store.session(cookie, minutes(1)).await.unwrap(), None);
    }
}
