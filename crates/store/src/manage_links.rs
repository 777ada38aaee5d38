//! The links to members' own pages: capabilities, of which only hashes are stored.
//!
//! Who asks to join gets a link of their own. It may read and correct what waits for approval. Once the blog is proved
//! to be theirs ([`Store::prove`]), or a moderator made the link ([`Store::new_link`]), it may do everything, and all
//! older links end.

use chrono::{DateTime, TimeDelta, Utc};

use crate::audit::{self, Decision, MEMBER};
use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::rows::{Fields, millis};
use crate::secrets::{Secret, hash};
use crate::sql::{On, Sql};
use crate::{Store, StoreError};

const MEMBER_OF_LINK: &str = "SELECT m.slug, l.made_at, l.proved_at
    FROM manage_links l JOIN members m ON m.id = l.member_id WHERE l.hash = $1";
const ADD_LINK: &str = "INSERT INTO manage_links (hash, member_id, made_at, proved_at)
    SELECT $2, m.id, $3, $4 FROM members m WHERE m.slug = $1 AND m.withdrawn_at IS NULL";
/// Links of people who said that a member is them and did not prove it; that of the registration itself stays.
const END_OLD_CLAIMS: &str = "DELETE FROM manage_links WHERE proved_at IS NULL AND made_at < $2
        AND member_id = (SELECT m.id FROM members m WHERE m.slug = $1 AND m.created_at <> manage_links.made_at)";
const PROVE_LINK: &str = "UPDATE manage_links SET proved_at = $2 WHERE hash = $1";
const END_OTHER_LINKS: &str = "DELETE FROM manage_links WHERE hash <> $2
        AND member_id = (SELECT m.id FROM members m WHERE m.slug = $1)";
const VERIFY: &str =
    "UPDATE members SET verified_at = $2, verified_by = $3 WHERE slug = $1 AND withdrawn_at IS NULL";
/// How long a link that was never proved may be used for proving, once others are asked for.
const CLAIM_LASTS: TimeDelta = TimeDelta::days(14);

/// What a link to a member's own page opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManageLink {
    /// Whose page, by slug.
    pub member: String,
    /// When the link was made.
    pub made_at: DateTime<Utc>,
    /// Since when it may do everything; until then it reads, and corrects what waits for approval.
    pub proved_at: Option<DateTime<Utc>>,
}

impl Store {
    /// What the link that holds this secret opens.
    pub async fn manage_link(&self, secret: &str) -> Result<Option<ManageLink>, StoreError> {
        link_of(self.readers(), secret).await
    }

    /// Makes a link for somebody who says that this member is them; it may do nothing much before it is proved. `None`
    /// if nobody has this slug.
    pub async fn ask_for_link(&self, member: &str, now: DateTime<Utc>) -> Result<Option<Secret>, StoreError> {
        let mut transaction = self.begin().await?;
        let secret = Secret::new()?;
        Sql::new(END_OLD_CLAIMS)
            .bind(member)
            .bind(millis(now - CLAIM_LASTS))
            .execute(&mut transaction)
            .await?;
        let added = add_link(&mut transaction, member, &secret, now, None).await?;
        transaction.commit().await?;
        Ok(added.then_some(secret))
    }

    /// Makes a link that may do everything, for a member whom a moderator knows; all older ones end. `None` if nobody
    /// has this slug.
    pub async fn new_link(
        &self,
        member: &str,
        decision: &Decision<'_>,
    ) -> Result<Option<Secret>, StoreError> {
        let mut transaction = self.begin().await?;
        let secret = Secret::new()?;
        let added = add_link(&mut transaction, member, &secret, decision.at, Some(decision.at)).await?;
        if added {
            end_other_links(&mut transaction, member, secret.reveal()).await?;
            audit::write(&mut transaction, decision, "new link", member).await?;
            transaction.commit().await?;
        }
        Ok(added.then_some(secret))
    }

    /// Writes down that whoever has this link proved the blog to be theirs, `how`; all older links end. Gives false if
    /// there is no such link.
    pub async fn prove(&self, secret: &str, how: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let Some(link) = self.manage_link(secret).await? else {
            return Ok(false);
        };
        let mut transaction = self.begin().await?;
        let mut revision = NextRevision::begin(&mut transaction, now).await?;
        revision.visible = true;
        let proved = Sql::new(PROVE_LINK)
            .bind(hash(&[secret]))
            .bind(millis(now))
            .execute(&mut transaction)
            .await?;
        if proved == 0 {
            return Ok(false);
        }
        end_other_links(&mut transaction, &link.member, secret).await?;
        verify(&mut transaction, &link.member, how, now).await?;
        let decision = Decision {
            by: MEMBER,
            why: Some(how),
            at: now,
        };
        audit::write(&mut transaction, &decision, "prove ownership", &link.member).await?;
        revision.finish(&mut transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

async fn verify(
    transaction: &mut Transaction,
    member: &str,
    how: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    Sql::new(VERIFY)
        .bind(member)
        .bind(millis(at))
        .bind(how)
        .execute(transaction)
        .await?;
    Ok(())
}

pub(crate) async fn link_of<'c>(
    on: impl Into<On<'c>>,
    secret: &str,
) -> Result<Option<ManageLink>, StoreError> {
    let row = Sql::new(MEMBER_OF_LINK)
        .bind(hash(&[secret]))
        .fetch_optional(on)
        .await?;
    row.map(|row| {
        let mut fields = Fields::of("manage_links", &row);
        Ok(ManageLink {
            member: fields.take()?,
            made_at: fields.at()?,
            proved_at: fields.at_optional()?,
        })
    })
    .transpose()
}

/// Whether there is such a member.
pub(crate) async fn add_link(
    transaction: &mut Transaction,
    member: &str,
    secret: &Secret,
    made_at: DateTime<Utc>,
    proved_at: Option<DateTime<Utc>>,
) -> Result<bool, StoreError> {
    let added = Sql::new(ADD_LINK)
        .bind(member)
        .bind(secret.hash())
        .bind(millis(made_at))
        .bind(proved_at.map(millis))
        .execute(transaction)
        .await?;
    Ok(added > 0)
}

async fn end_other_links(
    transaction: &mut Transaction,
    member: &str,
    secret: &str,
) -> Result<(), StoreError> {
    Sql::new(END_OTHER_LINKS)
        .bind(member)
        .bind(hash(&[secret]))
        .execute(transaction)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{by_hand, minutes, now, pending};

    #[tokio::test]
    async fn links_may_do_everything_once_they_are_proved_and_older_ones_end() {
        let store = pending().await;
        let first = store.ask_for_link("ada", now()).await.unwrap().unwrap();
        let second = store.ask_for_link("ada", minutes(1)).await.unwrap().unwrap();
        assert_eq!(store.ask_for_link("nobody", now()).await.unwrap(), None);
        let link = store.manage_link(first.reveal()).await.unwrap().unwrap();
        assert_eq!((link.member.as_str(), link.proved_at), ("ada", None));
        assert_eq!(store.manage_link("guessed").await.unwrap(), None);

        assert!(store.prove(second.reveal(), "rel-me", minutes(2)).await.unwrap());
        assert_eq!(store.manage_link(first.reveal()).await.unwrap(), None);
        let link = store.manage_link(second.reveal()).await.unwrap().unwrap();
        assert_eq!(link.proved_at, Some(minutes(2)));
        let membership = store.membership("ada").await.unwrap().unwrap();
        assert_eq!(membership.verified, Some((minutes(2), "rel-me".to_owned())));
        assert!(!store.prove(first.reveal(), "rel-me", minutes(3)).await.unwrap());

        let third = store
            .new_link("ada", &by_hand(minutes(3)))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(store.manage_link(second.reveal()).await.unwrap(), None);
        assert!(
            store
                .manage_link(third.reveal())
                .await
                .unwrap()
                .unwrap()
                .proved_at
                .is_some()
        );
    }
}
