//! The e-mail addresses by which members want to be told of trouble: one each, and none that stays unconfirmed.

use chrono::{DateTime, TimeDelta, Utc};

use crate::rows::{Fields, millis};
use crate::secrets::{Secret, hash};
use crate::sql::Sql;
use crate::{Store, StoreError};

const SET_EMAIL: &str = "INSERT INTO member_emails (member_id, email, code_hash, given_at)
    SELECT m.id, $2, $3, $4 FROM members m WHERE m.slug = $1 AND m.withdrawn_at IS NULL
    ON CONFLICT (member_id) DO UPDATE SET email = excluded.email, code_hash = excluded.code_hash,
        given_at = excluded.given_at, confirmed_at = NULL";
const CONFIRM_EMAIL: &str =
    "UPDATE member_emails SET confirmed_at = COALESCE(confirmed_at, $2) WHERE code_hash = $1
    RETURNING (SELECT m.slug FROM members m WHERE m.id = member_id)";
const REMOVE_EMAIL: &str =
    "DELETE FROM member_emails WHERE member_id = (SELECT m.id FROM members m WHERE m.slug = $1)";
const FORGET_EMAILS: &str = "DELETE FROM member_emails WHERE confirmed_at IS NULL AND given_at <= $1";
/// After how long an e-mail address that nobody confirmed is erased.
const UNCONFIRMED: TimeDelta = TimeDelta::days(7);

/// An e-mail address by which a member wants to be told of trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The address.
    pub address: String,
    /// When it was given.
    pub given_at: DateTime<Utc>,
    /// When it was confirmed; until then it gets one mail and no other.
    pub confirmed_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Writes down by which address a member wants to be told of trouble; one they had before is forgotten. Gives the
    /// code that confirms it, for the one mail that may be sent before it is. `None` if nobody has this slug.
    pub async fn set_email(
        &self,
        member: &str,
        address: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Secret>, StoreError> {
        let mut transaction = self.begin().await?;
        let code = Secret::new()?;
        let set = Sql::new(SET_EMAIL)
            .bind(member)
            .bind(address)
            .bind(code.hash())
            .bind(millis(now))
            .execute(&mut transaction)
            .await?;
        if set == 0 {
            return Ok(None);
        }
        transaction.commit().await?;
        Ok(Some(code))
    }

    /// Confirms the address that this code was sent to; gives its member's slug.
    pub async fn confirm_email(&self, code: &str, now: DateTime<Utc>) -> Result<Option<String>, StoreError> {
        let mut transaction = self.begin().await?;
        let row = Sql::new(CONFIRM_EMAIL)
            .bind(hash(&[code]))
            .bind(millis(now))
            .fetch_optional(&mut transaction)
            .await?;
        let member = row
            .map(|row| Fields::of("member_emails", &row).take())
            .transpose()?;
        transaction.commit().await?;
        Ok(member)
    }

    /// Forgets by which address a member is reached.
    pub async fn remove_email(&self, member: &str) -> Result<(), StoreError> {
        self.erase(Sql::new(REMOVE_EMAIL).bind(member)).await
    }

    /// Erases the addresses that nobody confirmed in seven days.
    pub async fn forget_unconfirmed_emails(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.erase(Sql::new(FORGET_EMAILS).bind(millis(now - UNCONFIRMED)))
            .await
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{minutes, now, pending};

    #[tokio::test]
    async fn an_address_that_nobody_confirms_is_erased_after_seven_days() {
        let store = pending().await;
        let set = async |address: &str| store.set_email("ada", address, now()).await.unwrap().unwrap();
        let email = async || store.membership("ada").await.unwrap().unwrap().email;
        let old = set("old@example.org").await;
        let code = set("ada@example.org").await;
        assert_eq!(store.confirm_email(old.reveal(), now()).await.unwrap(), None);
        let week = minutes(7 * 24 * 60);
        store
            .forget_unconfirmed_emails(minutes(7 * 24 * 60 - 1))
            .await
            .unwrap();
        assert_eq!(email().await.unwrap().confirmed_at, None);
        assert_eq!(
            store
                .confirm_email(code.reveal(), minutes(1))
                .await
                .unwrap()
                .as_deref(),
            Some("ada")
        );
        store.forget_unconfirmed_emails(week).await.unwrap();
        assert_eq!(email().await.unwrap().confirmed_at, Some(minutes(1)));
        set("new@example.org").await;
        store.forget_unconfirmed_emails(week).await.unwrap();
        assert_eq!(email().await, None);
        set("new@example.org").await;
        store.remove_email("ada").await.unwrap();
        assert_eq!(email().await, None);
        assert_eq!(
            store.set_email("nobody", "x@example.org", now()).await.unwrap(),
            None
        );
    }
}
