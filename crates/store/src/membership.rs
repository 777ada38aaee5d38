//! Membership: who asks to join, who is taken on, whose blog it is, how a member is reached, and what they may do.
//!
//! What everybody sees of a member stands in `members.rs`; this file is what the member and moderators see. A pending
//! or rejected feed, and a member who has no other, stand on no public page.
//!
//! Who asks to join gets a link of their own. It may read and correct what waits for approval. Once the blog is proved
//! to be theirs ([`Store::prove`]), or a moderator made the link ([`Store::new_link`]), it may do everything, and all
//! older links end.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use model::{
    ContentChoice, Feed, FeedSpec, FeedStatus, IncludeChoice, Member, MemberKind, normal_feed_address,
};
use url::Url;

use crate::audit::{self, Decision, MEMBER};
use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::entries::touch_members;
use crate::merge::Origin;
use crate::registry;
use crate::rows::{self, Fields, feed_columns, millis};
use crate::secrets::{Secret, hash};
use crate::sql::{On, Sql};
use crate::tombstones::{Cause, Graveyard};
use crate::{Store, StoreError};

const REGISTER: &str = "INSERT INTO registrations (feed_id, registered_at, preview)
    SELECT f.id, $2, $3 FROM feeds f WHERE f.slug = $1";
const CONSENT: &str = "UPDATE members SET consented_at = $2 WHERE slug = $1 AND consented_at IS NULL";

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

/// How long a link that was never proved may be used for proving, once others are asked for.
const CLAIM_LASTS: TimeDelta = TimeDelta::days(14);

/// After how long an e-mail address that nobody confirmed is erased.
const UNCONFIRMED: TimeDelta = TimeDelta::days(7);

/// Somebody who asks to join.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The feed, and its member if they are new; a further feed where it names one.
    pub feed: FeedSpec,
    /// What they were shown, for whoever decides: JSON, which is the forms' own.
    pub preview: Option<String>,
    /// When they said yes.
    pub consented_at: Option<DateTime<Utc>>,
}

/// What came of asking to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It waits for approval.
    Pending {
        /// The member's slug.
        member: String,
        /// The feed's slug.
        feed: String,
    },
    /// The address is known already.
    Known {
        /// Whose it is, by slug.
        member: String,
        /// The feed's slug.
        feed: String,
        /// How it stands.
        status: FeedStatus,
    },
    /// It was withdrawn or turned down; a moderator can take it on again.
    Away {
        /// Why.
        cause: Cause,
    },
}

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
    /// Writes down that somebody asks to join; nothing of it is polled or shown before it is approved. An address that
    /// is known, or was withdrawn or turned down, adds nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownMember`] if it is a further feed of nobody.
    pub async fn register(
        &self,
        registration: &Registration,
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Result<Registered, StoreError> {
        self.register_for(registration, None, now, zone).await
    }

    /// As [`Self::register`], and makes the link that holds this secret, in the same moment. The same again ends the same
    /// way: what waits already and has this link is told as what waits.
    ///
    /// # Errors
    /// As [`Self::register`].
    pub async fn register_with_link(
        &self,
        registration: &Registration,
        secret: &Secret,
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Result<Registered, StoreError> {
        self.register_for(registration, Some(secret), now, zone).await
    }

    async fn register_for(
        &self,
        registration: &Registration,
        secret: Option<&Secret>,
        now: DateTime<Utc>,
        zone: Tz,
    ) -> Result<Registered, StoreError> {
        let mut transaction = self.begin().await?;
        if let Some((member, feed, status)) = known_feed(&mut transaction, &registration.feed.url).await? {
            let again = match secret {
                Some(secret) if status == FeedStatus::Pending => link_of(&mut transaction, secret.reveal())
                    .await?
                    .is_some_and(|link| link.member == member),
                _ => false,
            };
            return Ok(if again {
                Registered::Pending { member, feed }
            } else {
                Registered::Known { member, feed, status }
            });
        }
        if let Some(cause) = why_away(&mut transaction, &registration.feed.url).await? {
            return Ok(Registered::Away { cause });
        }
        let specs = std::slice::from_ref(&registration.feed);
        let report = registry::bring_in(&mut transaction, specs, Origin::Registration, now, zone).await?;
        let feed = report.added.into_iter().next().unwrap_or_default();
        Sql::new(REGISTER)
            .bind(&feed)
            .bind(millis(now))
            .bind(&registration.preview)
            .execute(&mut transaction)
            .await?;
        let member = match known_feed(&mut transaction, &registration.feed.url).await? {
            Some((member, ..)) => member,
            None => feed.clone(),
        };
        if let Some(at) = registration.consented_at {
            Sql::new(CONSENT)
                .bind(&member)
                .bind(millis(at))
                .execute(&mut transaction)
                .await?;
        }
        let decision = Decision {
            by: MEMBER,
            why: None,
            at: now,
        };
        audit::write(&mut transaction, &decision, "register feed", &feed).await?;
        if let Some(secret) = secret {
            add_link(&mut transaction, &member, secret, now, None).await?;
        }
        transaction.commit().await?;
        Ok(Registered::Pending { member, feed })
    }

    /// Whether this address was withdrawn or turned down, and why.
    pub async fn feed_is_away(&self, url: &Url) -> Result<Option<Cause>, StoreError> {
        why_away(self.readers(), url).await
    }

    /// Lets an address that was withdrawn or turned down be added again: somebody means it.
    pub async fn let_back(&self, url: &Url) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        if let Some(graveyard) = Graveyard::find(&mut transaction).await? {
            Graveyard::lift(&mut transaction, &graveyard.feed_url(url)).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

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

    /// What a member is called now who had this slug before they were merged into another.
    pub async fn merged_member(&self, slug: &str) -> Result<Option<String>, StoreError> {
        let row = Sql::new(ALIAS).bind(slug).fetch_optional(self.readers()).await?;
        row.map(|row| Fields::of("member_aliases", &row).take())
            .transpose()
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

    pub(crate) async fn erase(&self, sql: Sql<'_>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        if sql.execute(&mut transaction).await? > 0 {
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// The feed at this address: its member's slug, its own, and how it stands.
pub(crate) async fn known_feed(
    on: impl Into<On<'_>>,
    url: &Url,
) -> Result<Option<(String, String, FeedStatus)>, StoreError> {
    const FIND: &str = "SELECT m.slug, f.slug, f.status FROM feeds f JOIN members m ON m.id = f.member_id
        WHERE f.address = $1 OR f.url = $2
            OR f.id = (SELECT a.feed_id FROM feed_aliases a WHERE a.address = $1)
        ORDER BY f.id LIMIT 1";
    let row = Sql::new(FIND)
        .bind(normal_feed_address(url))
        .bind(url.as_str())
        .fetch_optional(on)
        .await?;
    row.map(|row| {
        let mut fields = Fields::of("feeds", &row);
        Ok((fields.take()?, fields.take()?, fields.read(FeedStatus::parse)?))
    })
    .transpose()
}

async fn why_away<'c>(on: impl Into<On<'c>>, url: &Url) -> Result<Option<Cause>, StoreError> {
    let mut on = on.into();
    let Some(graveyard) = Graveyard::find(on.again()).await? else {
        return Ok(None);
    };
    let found = Graveyard::among(on, &[graveyard.feed_url(url)]).await?;
    Ok(found.into_values().next().map(|tombstone| tombstone.cause))
}

async fn member_id(transaction: &mut Transaction, slug: &str) -> Result<Option<i64>, StoreError> {
    let row = Sql::new(MEMBER_ID).bind(slug).fetch_optional(transaction).await?;
    row.map(|row| Fields::of("members", &row).take()).transpose()
}

pub(crate) async fn verify(
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

async fn link_of<'c>(on: impl Into<On<'c>>, secret: &str) -> Result<Option<ManageLink>, StoreError> {
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
async fn add_link(
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
    use chrono_tz::Europe::London;

    use super::*;
    use crate::decisions::Decided;
    use crate::testing::{
        self, Sample, TestStore, by_hand, due, feed, found, merge, minutes, now, record, spec,
    };

    fn ada() -> FeedSpec {
        spec("https://ada.example.org/feed", "Ada")
    }

    async fn asks_to_join(store: &TestStore, feed: FeedSpec) -> Registered {
        let registration = Registration {
            feed,
            preview: Some("{}".to_owned()),
            consented_at: Some(now()),
        };
        store.register(&registration, now(), London).await.unwrap()
    }

    async fn pending() -> TestStore {
        let store = testing::store().await;
        let registered = asks_to_join(&store, ada()).await;
        let expected = Registered::Pending {
            member: "ada".to_owned(),
            feed: "ada".to_owned(),
        };
        assert_eq!(registered, expected);
        store
    }

    #[tokio::test]
    async fn who_asks_to_join_is_seen_by_moderators_alone() {
        let store = pending().await;
        assert!(store.due_feeds(due(minutes(60))).await.unwrap().is_empty());
        assert!(store.members().await.unwrap().is_empty());
        assert_eq!(store.member("ada").await.unwrap(), None);
        let membership = store.membership("ada").await.unwrap().unwrap();
        assert_eq!(
            store.memberships().await.unwrap(),
            std::slice::from_ref(&membership)
        );
        assert_eq!(membership.consented_at, Some(now()));
        let waiting = &membership.feeds[0];
        assert_eq!(
            (
                waiting.feed.status,
                waiting.registered_at,
                waiting.preview.as_deref()
            ),
            (FeedStatus::Pending, Some(now()), Some("{}"))
        );
        // A second time, by any of its addresses, adds nothing.
        let known = Registered::Known {
            member: "ada".to_owned(),
            feed: "ada".to_owned(),
            status: FeedStatus::Pending,
        };
        assert_eq!(
            asks_to_join(&store, spec("HTTPS://ada.example.org:443/feed#x", "Eve")).await,
            known
        );
        assert_eq!(store.memberships().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn who_is_approved_is_polled_at_once() {
        let store = pending().await;
        assert_eq!(
            store.pause_feed("ada", &by_hand(minutes(1))).await.unwrap(),
            Decided::NotTakenOn
        );
        assert_eq!(
            store.approve_feed("ada", &by_hand(minutes(1))).await.unwrap(),
            Decided::Done
        );
        assert_eq!(
            store.approve_feed("ada", &by_hand(minutes(2))).await.unwrap(),
            Decided::Already
        );
        assert_eq!(
            store.reject_feed("ada", &by_hand(minutes(2))).await.unwrap(),
            Decided::TakenOn
        );
        assert_eq!(store.due_feeds(due(minutes(1))).await.unwrap().len(), 1);
        assert_eq!(store.members().await.unwrap().len(), 1);
        let feeds = store.membership("ada").await.unwrap().unwrap().feeds;
        assert_eq!((feeds[0].registered_at, &feeds[0].preview), (None, &None));
        // The file never named it, so it does not retire it.
        merge(&store, &[]).await;
        assert_eq!(store.feeds().await.unwrap()[0].status, FeedStatus::Active);
        let log = store.audit(None, 9).await.unwrap();
        let actions: Vec<&str> = log.iter().map(|line| line.action.as_str()).collect();
        assert_eq!(actions, ["approve feed", "register feed"]);
    }

    #[tokio::test]
    async fn who_is_turned_down_reads_why_and_is_not_added_by_accident() {
        let store = pending().await;
        assert_eq!(
            store.reject_feed("ada", &by_hand(minutes(1))).await.unwrap(),
            Decided::Done
        );
        let feeds = store.membership("ada").await.unwrap().unwrap().feeds;
        assert_eq!(
            (feeds[0].feed.status, feeds[0].decided_why.as_deref()),
            (FeedStatus::Rejected, Some("because"))
        );
        assert_eq!(
            store.feed_is_away(&ada().url).await.unwrap(),
            Some(Cause::Rejected)
        );
        let report = merge(&store, &[ada()]).await;
        assert_eq!(
            (report.added.len(), report.withheld),
            (0, vec![ada().url.to_string()])
        );
        assert_eq!(store.feeds().await.unwrap()[0].status, FeedStatus::Rejected);
        assert_eq!(
            store.approve_feed("ada", &by_hand(minutes(2))).await.unwrap(),
            Decided::Done
        );
        assert_eq!(store.feed_is_away(&ada().url).await.unwrap(), None);
    }

    #[tokio::test]
    async fn further_feeds_of_who_was_turned_down_do_not_break_the_file() {
        let store = pending().await;
        store.reject_feed("ada", &by_hand(minutes(1))).await.unwrap();
        let further = FeedSpec {
            name: None,
            member: Some("ada".to_owned()),
            ..spec("https://notes.example.org/feed", "")
        };
        let report = merge(&store, &[ada(), further]).await;
        assert_eq!((report.added.len(), report.withheld.len()), (0, 2));
    }

    #[tokio::test]
    async fn the_operator_who_writes_a_pending_feed_into_the_file_approves_it() {
        let store = pending().await;
        assert_eq!(merge(&store, &[ada()]).await.resumed, ["ada"]);
        assert_eq!(store.feeds().await.unwrap()[0].status, FeedStatus::Active);
    }

    #[tokio::test]
    async fn a_removal_wins_over_the_file() {
        let store = testing::store().await;
        merge(&store, &[ada()]).await;
        assert_eq!(
            store.remove_feed("ada", &by_hand(now())).await.unwrap(),
            Decided::Done
        );
        assert_eq!(merge(&store, &[ada()]).await.kept, ["ada"]);
        merge(&store, &[]).await;
        assert_eq!(
            merge(&store, &[ada()]).await.kept,
            ["ada"],
            "also after it left and came back"
        );
        assert_eq!(
            store.resume_feed("ada", &by_hand(now())).await.unwrap(),
            Decided::Done
        );
        assert_eq!(store.feeds().await.unwrap()[0].status, FeedStatus::Active);
        merge(&store, &[]).await;
        assert_eq!(merge(&store, &[ada()]).await.resumed, ["ada"]);
    }

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

    #[tokio::test]
    async fn two_members_become_one_whatever_the_file_says() {
        let store = testing::store().await;
        let team = spec("https://team.example.org/feed", "Team");
        merge(&store, &[ada(), team.clone()]).await;
        let ada_feed = store.feeds().await.unwrap().remove(0);
        record(&store, &ada_feed, vec![Sample::new("one").entry()]).await;
        assert!(
            store
                .merge_members("ada", "team", &by_hand(minutes(1)))
                .await
                .unwrap()
        );
        assert!(
            !store
                .merge_members("ada", "team", &by_hand(minutes(1)))
                .await
                .unwrap()
        );
        assert!(
            !store
                .merge_members("team", "team", &by_hand(minutes(1)))
                .await
                .unwrap()
        );
        for _ in 0..2 {
            let entry = found(&store, &Sample::new("one")).await;
            assert_eq!((entry.member.slug.as_str(), entry.changed), ("team", minutes(1)));
            let members = store.members().await.unwrap();
            assert_eq!((members.len(), members[0].feeds.len()), (1, 2));
            assert_eq!(members[0].member.name, "Team");
            assert_eq!(store.merged_member("ada").await.unwrap().as_deref(), Some("team"));
            merge(&store, &[ada(), team.clone()]).await;
        }
    }

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
