//! Two members who are one: all that one has becomes the other's, and the old name leads to the new.

use crate::audit::{self, Decision};
use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::rows::Fields;
use crate::sql::Sql;
use crate::{Store, StoreError};

const MEMBER_ID: &str = "SELECT id FROM members WHERE slug = $1 AND withdrawn_at IS NULL";
const TAKE_FEEDS: &str =
    "UPDATE feeds SET version = version + 1, member_id = $2, owner_by_hand = TRUE WHERE member_id = $1";
const TAKE_ENTRIES: &str = "UPDATE entries SET member_id = $2, changed_at = $3 WHERE member_id = $1";
const TAKE_ALIASES: &str = "UPDATE member_aliases SET member_id = $2 WHERE member_id = $1";
const TAKE_NOTICES: &str = "UPDATE notices SET member_id = $2 WHERE member_id = $1";
const TAKE_NAMES: &str = "UPDATE issue_members SET member_id = $2 WHERE member_id = $1";
const ADD_ALIAS: &str = "INSERT INTO member_aliases (slug, member_id) VALUES ($1, $2)";
const OF_MERGED: [&str; 3] = [
    "DELETE FROM manage_links WHERE member_id = $1",
    "DELETE FROM member_emails WHERE member_id = $1",
    "DELETE FROM members WHERE id = $1",
];
const ALIAS: &str =
    "SELECT m.slug FROM member_aliases a JOIN members m ON m.id = a.member_id WHERE a.slug = $1";

impl Store {
    /// Makes one member of two: all that `from` has is `into`'s from now on, whatever the file says. The old slug is
    /// kept as another name. Gives false if either is nobody.
    pub async fn merge_members(
        &self,
        from: &str,
        into: &str,
        decision: &Decision<'_>,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let (Some(one), Some(other)) = (
            member_id(&mut transaction, from).await?,
            member_id(&mut transaction, into).await?,
        ) else {
            return Ok(false);
        };
        if one == other {
            return Ok(false);
        }
        let mut revision = NextRevision::begin(&mut transaction, decision.at).await?;
        revision.visible = true;
        for take in [TAKE_FEEDS, TAKE_ALIASES, TAKE_NOTICES, TAKE_NAMES] {
            Sql::new(take)
                .bind(one)
                .bind(other)
                .execute(&mut transaction)
                .await?;
        }
        Sql::new(TAKE_ENTRIES)
            .bind(one)
            .bind(other)
            .bind(revision.changed_at)
            .execute(&mut transaction)
            .await?;
        Sql::new(ADD_ALIAS)
            .bind(from)
            .bind(other)
            .execute(&mut transaction)
            .await?;
        for forget in OF_MERGED {
            Sql::new(forget).bind(one).execute(&mut transaction).await?;
        }
        let what = format!("merge into {into}");
        audit::write(&mut transaction, decision, &what, from).await?;
        revision.finish(&mut transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// What a member is called now who had this slug before they were merged into another.
    pub async fn merged_member(&self, slug: &str) -> Result<Option<String>, StoreError> {
        let row = Sql::new(ALIAS).bind(slug).fetch_optional(self.readers()).await?;
        row.map(|row| Fields::of("member_aliases", &row).take())
            .transpose()
    }
}

async fn member_id(transaction: &mut Transaction, slug: &str) -> Result<Option<i64>, StoreError> {
    let row = Sql::new(MEMBER_ID).bind(slug).fetch_optional(transaction).await?;
    row.map(|row| Fields::of("members", &row).take()).transpose()
}

#[cfg(test)]
mod tests {
    use model::FeedSpec;

    use crate::testing::{self, Sample, ada, by_hand, found, merge, minutes, record, spec};

    #[tokio::test]
    async fn two_members_become_one_whatever_the_file_says() {
        let store = testing::store().await;
        let team = spec("https://team.example.org/feed", "Team");
        merge(&store, &[ada(), team.clone()]).await;
        let ada_feed = store.feeds().await.unwrap().remove(0);
        let entries = vec![
            Sample::new("one").topic("data").topic("skills").entry(),
            Sample::new("gone").topic("data").entry(),
            Sample::new("hidden").topic("data").hidden().entry(),
        ];
        record(&store, &ada_feed, entries).await;
        testing::withdraw(&store, "gone").await;
        let owned = |member: &str| {
            [("", 2), ("data", 1), ("skills", 1)].map(|(label, n)| (label.to_owned(), member.to_owned(), n))
        };
        assert_eq!(testing::recounted(&store).await, owned("ada"));
        assert!(
            store
                .merge_members("ada", "team", &by_hand(minutes(31)))
                .await
                .unwrap()
        );
        assert!(
            !store
                .merge_members("ada", "team", &by_hand(minutes(31)))
                .await
                .unwrap()
        );
        assert!(
            !store
                .merge_members("team", "team", &by_hand(minutes(31)))
                .await
                .unwrap()
        );
        assert_eq!(testing::recounted(&store).await, owned("team"));
        for _ in 0..2 {
            let entry = found(&store, &Sample::new("one")).await;
            assert_eq!((entry.member.slug.as_str(), entry.changed), ("team", minutes(31)));
            let members = store.members().await.unwrap();
            assert_eq!((members.len(), members[0].feeds.len()), (1, 2));
            assert_eq!(members[0].member.name, "Team");
            assert_eq!(store.merged_member("ada").await.unwrap().as_deref(), Some("team"));
            merge(&store, &[ada(), team.clone()]).await;
        }
        // Nobody else gets the old name, and who goes by it in the file is the one whom it leads to.
        let namesake = spec("https://other.example.org/feed", "Ada");
        let further = FeedSpec {
            name: None,
            member: Some("ada".to_owned()),
            ..spec("https://notes.example.org/feed", "")
        };
        merge(&store, &[ada(), team, namesake, further]).await;
        let members = store.members().await.unwrap();
        let whose: Vec<(&str, usize)> = (members.iter())
            .map(|detail| (detail.member.slug.as_str(), detail.feeds.len()))
            .collect();
        assert_eq!(whose, [("ada-2", 1), ("team", 3)]);
    }
}
