//! What editors made of weeks: a draft that only they see, and what of it is published. It does not read what they wrote.

use chrono::{DateTime, Utc};
use model::Week;

use crate::audit::{self, Decision};
use crate::changes::NextRevision;
use crate::rows::{Fields, millis};
use crate::sql::Sql;
use crate::{Store, StoreError};

const EDITION: &str =
    "SELECT week, draft, published, published_at, changed_at, changed_by FROM editions WHERE week = $1";
const SAVE: &str = "INSERT INTO editions (week, draft, published, published_at, changed_at, changed_by)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (week) DO UPDATE SET draft = EXCLUDED.draft, published = EXCLUDED.published,
        published_at = EXCLUDED.published_at, changed_at = EXCLUDED.changed_at, changed_by = EXCLUDED.changed_by";

/// What an editor made of a week, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEdition {
    /// As it was last saved.
    pub draft: String,
    /// As it was last published; `None` while it is private.
    pub published: Option<String>,
    /// When that was.
    pub published_at: Option<DateTime<Utc>>,
    /// When it was last saved.
    pub changed_at: DateTime<Utc>,
    /// By whom.
    pub changed_by: String,
}

/// What is done with an edition that is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// What readers see stays as it is.
    Keep,
    /// Readers see it as it is saved.
    Now,
    /// Readers see it no more.
    Withdraw,
}

impl Store {
    /// What editors made of a week.
    pub async fn edition(&self, week: Week) -> Result<Option<StoredEdition>, StoreError> {
        let row = Sql::new(EDITION)
            .bind(week.to_string())
            .fetch_optional(self.readers())
            .await?;
        row.as_ref().map(edition).transpose()
    }

    /// Saves an edition that was made from the one saved at `seen` (`None`: from nothing). Gives false, and saves nothing, if
    /// somebody else saved one since.
    pub async fn save_edition(
        &self,
        week: Week,
        draft: &str,
        seen: Option<DateTime<Utc>>,
        publish: Publish,
        decision: &Decision<'_>,
    ) -> Result<bool, StoreError> {
        let name = week.to_string();
        let mut write = self.begin().await?;
        let transaction = &mut write;
        let row = Sql::new(EDITION)
            .bind(&name)
            .fetch_optional(&mut *transaction)
            .await?;
        let before = row.as_ref().map(edition).transpose()?;
        if before.as_ref().map(|before| millis(before.changed_at)) != seen.map(millis) {
            return Ok(false);
        }
        let was = before.and_then(|before| before.published.zip(before.published_at));
        let published = match publish {
            Publish::Keep => was.clone(),
            Publish::Now => Some((draft.to_owned(), decision.at)),
            Publish::Withdraw => None,
        };
        Sql::new(SAVE)
            .bind(&name)
            .bind(draft)
            .bind(published.as_ref().map(|(edition, _)| edition))
            .bind(published.as_ref().map(|(_, at)| millis(*at)))
            .bind(millis(decision.at))
            .bind(decision.by)
            .execute(&mut *transaction)
            .await?;
        if published != was {
            let what = match publish {
                Publish::Withdraw => "take back edited digest",
                _ => "publish edited digest",
            };
            audit::write(transaction, decision, what, &name).await?;
            let mut revision = NextRevision::begin(transaction, decision.at).await?;
            revision.visible = true;
            revision.finish(transaction).await?;
        }
        write.commit().await?;
        Ok(true)
    }
}

fn edition(row: &crate::sql::Row) -> Result<StoredEdition, StoreError> {
    let mut fields = Fields::of("editions", row);
    let _week: String = fields.take()?;
    Ok(StoredEdition {
        draft: fields.take()?,
        published: fields.take()?,
        published_at: fields.at_optional()?,
        changed_at: fields.at()?,
        changed_by: fields.take()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, by_hand, minutes};

    #[tokio::test]
    async fn are_private_until_published_and_two_editors_do_not_undo_each_other() {
        let store = testing::store().await;
        let week: Week = "2026-W48".parse().unwrap();
        let revision = async || store.revision().await.unwrap().number;
        let save = async |draft: &str, seen, publish, at| {
            let decision = by_hand(minutes(at));
            store
                .save_edition(week, draft, seen, publish, &decision)
                .await
                .unwrap()
        };
        assert_eq!(store.edition(week).await.unwrap(), None);
        let first = revision().await;
        assert!(save("one", None, Publish::Keep, 1).await);
        assert!(!save("another", None, Publish::Now, 2).await);
        let stored = store.edition(week).await.unwrap().unwrap();
        assert_eq!((stored.draft.as_str(), stored.published), ("one", None));
        assert_eq!(
            (stored.changed_at, stored.changed_by.as_str()),
            (minutes(1), "mo")
        );
        assert_eq!(revision().await, first);

        assert!(save("two", Some(minutes(1)), Publish::Now, 3).await);
        assert!(save("three", Some(minutes(3)), Publish::Keep, 4).await);
        let stored = store.edition(week).await.unwrap().unwrap();
        assert_eq!(
            (
                stored.draft.as_str(),
                stored.published.as_deref(),
                stored.published_at
            ),
            ("three", Some("two"), Some(minutes(3)))
        );
        assert_eq!(revision().await, first + 1);
        assert!(save("three", Some(minutes(4)), Publish::Withdraw, 5).await);
        assert_eq!(store.edition(week).await.unwrap().unwrap().published, None);
        assert_eq!(revision().await, first + 2);
    }
}
