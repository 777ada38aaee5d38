//! A member as they themselves and moderators see them, and what they may change: what they are called and how their
//! feeds take part.
//!
//! What everybody sees of a member stands in `members.rs`. Who asks to join is written down in `registrations.rs`, whose
//! page it is in `manage_links.rs`, how a member is reached in `member_emails.rs`.

use chrono::{DateTime, Utc};
use model::{ContentChoice, Feed, IncludeChoice, Member, MemberKind};

use crate::audit::{self, Decision};
use crate::changes::NextRevision;
use crate::entries::touch_members;
use crate::member_emails::Email;
use crate::registry;
use crate::rows::{self, Fields, feed_columns};
use crate::sql::Sql;
use crate::{Store, StoreError};

const MEMBERSHIPS: &str =
    "SELECT m.slug, m.name, m.organisation, m.url, m.kind, m.created_at, m.verified_at, m.verified_by,
        m.consented_at, e.email, e.given_at, e.confirmed_at
    FROM members m LEFT JOIN member_emails e ON e.member_id = m.id WHERE m.withdrawn_at IS NULL";
const FEEDS: &str = concat!(
    "SELECT ",
    feed_columns!(),
    ", f.decided_by, f.decided_why, r.registered_at, r.preview
     FROM feeds f JOIN members m ON m.id = f.member_id LEFT JOIN registrations r ON r.feed_id = f.id
     WHERE f.withdrawn_at IS NULL"
);

const CHANGE_MEMBER: &str = "UPDATE members SET name = $2, organisation = $3, kind = $4 WHERE slug = $1
        AND withdrawn_at IS NULL RETURNING id";
const CHANGE_FEED: &str =
    "UPDATE feeds SET version = version + 1, content = $2, include = $3, licence = $4 WHERE id = $1";

/// A member as they themselves and moderators see them.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    /// What everybody sees.
    pub member: Member,
    /// When they came.
    pub created_at: DateTime<Utc>,
    /// Since when the blog is known to be theirs, and how.
    pub verified: Option<(DateTime<Utc>, String)>,
    /// When they said yes to being shown here.
    pub consented_at: Option<DateTime<Utc>>,
    /// How they are reached.
    pub email: Option<Email>,
    /// Their feeds, pending and rejected ones too, oldest first.
    pub feeds: Vec<MemberFeed>,
}

/// A feed as its blogger and moderators see it.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberFeed {
    /// The feed.
    pub feed: Feed,
    /// Who last decided about it here.
    pub decided_by: Option<String>,
    /// Why.
    pub decided_why: Option<String>,
    /// When it asked to be taken on, while that is undecided.
    pub registered_at: Option<DateTime<Utc>>,
    /// What its blogger was shown then.
    pub preview: Option<String>,
}

/// What a member is called from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberChange {
    /// Who writes.
    pub name: String,
    /// Where they work.
    pub organisation: Option<String>,
    /// A person or a team.
    pub kind: MemberKind,
}

/// How a feed takes part from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedChange {
    /// Excerpts or whole posts.
    pub content: ContentChoice,
    /// All posts or tagged ones.
    pub include: IncludeChoice,
    /// SPDX identifier or address of the licence.
    pub licence: Option<String>,
}

impl Store {
    /// Every member with all feeds, by name; those whose feed waits for approval too.
    pub async fn memberships(&self) -> Result<Vec<Membership>, StoreError> {
        let feeds = Sql::new(format!("{FEEDS} ORDER BY f.id"))
            .fetch_all(self.readers())
            .await?;
        let rows = Sql::new(MEMBERSHIPS).fetch_all(self.readers()).await?;
        let mut memberships = rows.iter().map(membership).collect::<Result<Vec<_>, _>>()?;
        for feed in &feeds {
            let feed = member_feed(feed)?;
            let of = |membership: &&mut Membership| membership.member.slug == feed.feed.member.slug;
            if let Some(membership) = memberships.iter_mut().find(of) {
                membership.feeds.push(feed);
            }
        }
        memberships.sort_by_cached_key(|one| (one.member.name.to_lowercase(), one.member.slug.clone()));
        Ok(memberships)
    }

    /// The member of this slug with all feeds.
    pub async fn membership(&self, slug: &str) -> Result<Option<Membership>, StoreError> {
        let row = Sql::new(format!("{MEMBERSHIPS} AND m.slug = $1"))
            .bind(slug)
            .fetch_optional(self.readers())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let feeds = Sql::new(format!("{FEEDS} AND m.slug = $1 ORDER BY f.id"))
            .bind(slug)
            .fetch_all(self.readers())
            .await?;
        Ok(Some(Membership {
            feeds: feeds.iter().map(member_feed).collect::<Result<_, _>>()?,
            ..membership(&row)?
        }))
    }

    /// Changes what a member is called. Gives false if nobody has this slug.
    pub async fn change_member(
        &self,
        slug: &str,
        change: &MemberChange,
        decision: &Decision<'_>,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let mut revision = NextRevision::begin(&mut transaction, decision.at).await?;
        let row = Sql::new(CHANGE_MEMBER)
            .bind(slug)
            .bind(&change.name)
            .bind(&change.organisation)
            .bind(change.kind.as_str())
            .fetch_optional(&mut transaction)
            .await?;
        let Some(row) = row else { return Ok(false) };
        let id: i64 = Fields::of("members", &row).take()?;
        touch_members(&mut transaction, &[id], &mut revision).await?;
        audit::write(&mut transaction, decision, "change member", slug).await?;
        revision.finish(&mut transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Changes how a feed takes part. Gives false if none has this slug.
    pub async fn change_feed(
        &self,
        slug: &str,
        change: &FeedChange,
        decision: &Decision<'_>,
    ) -> Result<bool, StoreError> {
        const FIND: &str =
            "SELECT id, content, include, licence FROM feeds WHERE slug = $1 AND withdrawn_at IS NULL";
        let mut transaction = self.begin().await?;
        let Some(row) = Sql::new(FIND).bind(slug).fetch_optional(&mut transaction).await? else {
            return Ok(false);
        };
        let mut fields = Fields::of("feeds", &row);
        let id: i64 = fields.take()?;
        let before = FeedChange {
            content: fields.read(ContentChoice::parse)?,
            include: fields.read(IncludeChoice::parse)?,
            licence: fields.take()?,
        };
        if before == *change {
            return Ok(true);
        }
        let mut revision = NextRevision::begin(&mut transaction, decision.at).await?;
        revision.visible = true;
        Sql::new(CHANGE_FEED)
            .bind(id)
            .bind(change.content.as_str())
            .bind(change.include.as_str())
            .bind(&change.licence)
            .execute(&mut transaction)
            .await?;
        registry::choices_changed(
            &mut transaction,
            id,
            before.include != change.include,
            before.content != change.content || before.licence != change.licence,
            &revision,
            decision.at,
        )
        .await?;
        audit::write(&mut transaction, decision, "change feed", slug).await?;
        revision.finish(&mut transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

fn membership(row: &crate::sql::Row) -> Result<Membership, StoreError> {
    let mut fields = Fields::of("members", row);
    let member = fields.member()?;
    let created_at = fields.at()?;
    let verified = fields.at_optional()?.zip(fields.take()?);
    let consented_at = fields.at_optional()?;
    let address: Option<String> = fields.take()?;
    let given = address.zip(fields.at_optional()?);
    let confirmed_at = fields.at_optional()?;
    Ok(Membership {
        member,
        created_at,
        verified,
        consented_at,
        email: given.map(|(address, given_at)| Email {
            address,
            given_at,
            confirmed_at,
        }),
        feeds: Vec::new(),
    })
}

fn member_feed(row: &crate::sql::Row) -> Result<MemberFeed, StoreError> {
    let (feed, mut fields) = rows::feed_and_more(row)?;
    Ok(MemberFeed {
        feed,
        decided_by: fields.take()?,
        decided_why: fields.take()?,
        registered_at: fields.at_optional()?,
        preview: fields.take()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Sample, by_hand, feed, found, minutes, record};

    #[tokio::test]
    async fn members_change_what_they_are_called_and_how_they_take_part() {
        let store = testing::store().await;
        let feed = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(&store, &feed, vec![Sample::new("one").entry()]).await;
        let change = MemberChange {
            name: "Ada B.".to_owned(),
            organisation: Some("Example Council".to_owned()),
            kind: MemberKind::Team,
        };
        assert!(
            store
                .change_member("ada", &change, &by_hand(minutes(1)))
                .await
                .unwrap()
        );
        assert!(
            !store
                .change_member("nobody", &change, &by_hand(minutes(1)))
                .await
                .unwrap()
        );
        let entry = found(&store, &Sample::new("one")).await;
        assert_eq!(
            (entry.member.name.as_str(), entry.changed),
            ("Ada B.", minutes(1))
        );
        let change = FeedChange {
            content: ContentChoice::Full,
            include: IncludeChoice::Tagged,
            licence: Some("CC-BY-4.0".to_owned()),
        };
        assert!(
            store
                .change_feed("ada", &change, &by_hand(minutes(2)))
                .await
                .unwrap()
        );
        let entry = found(&store, &Sample::new("one")).await;
        assert!(entry.content_html.is_some());
        assert_eq!(
            (entry.licence.as_deref(), entry.changed),
            (Some("CC-BY-4.0"), minutes(2))
        );
        assert_eq!(store.feeds().await.unwrap()[0].next_poll_at, minutes(2));
    }
}
