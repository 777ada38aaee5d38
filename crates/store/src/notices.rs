//! What members are told: on their own page always, and by mail if they confirmed an address. And what is wrong with
//! their feeds, since when until when.
//!
//! A notice is derived from what happened, by its occasion, so that it comes to be once, whoever finds it out and however
//! often they are interrupted. Its mail is sent by whoever claims it; a claim that comes to nothing ends by itself.

use chrono::{DateTime, TimeDelta, Utc};

use crate::rows::{Fields, millis};
use crate::sql::Sql;
use crate::{Store, StoreError};

macro_rules! decided {
    () => {
        "FROM audit a JOIN feeds f ON f.slug = a.target
         WHERE a.action IN ('register feed', 'approve feed', 'reject feed') AND f.withdrawn_at IS NULL
            AND a.done_at >= $1 AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.occasion = 'audit ' || a.id)"
    };
}
const IS_UNTOLD: &str = concat!("SELECT EXISTS (SELECT 1 ", decided!(), ")");
const TELL_DECISIONS: &str = concat!(
    "INSERT INTO notices (occasion, member_id, kind, feed, words, noticed_at, try_at)
     SELECT 'audit ' || a.id, f.member_id, CASE a.action WHEN 'register feed' THEN 'registered'
        WHEN 'approve feed' THEN 'approved' ELSE 'rejected' END, f.url, a.why, a.done_at, a.done_at ",
    decided!(),
    " ON CONFLICT (occasion) DO NOTHING"
);
const TELL_CONFIRM: &str = "INSERT INTO notices (occasion, member_id, kind, secret, noticed_at, try_at)
    SELECT 'confirm ' || e.code_hash, e.member_id, 'confirm', $2, e.given_at, e.given_at
    FROM member_emails e JOIN members m ON m.id = e.member_id WHERE m.slug = $1
    ON CONFLICT (occasion) DO NOTHING";

const OPEN_TROUBLES: &str = "SELECT feed_id, since_at FROM feed_troubles WHERE ended_at IS NULL";
const BEGIN_TROUBLE: &str = "INSERT INTO feed_troubles (feed_id, since_at, noted_at, reason)
    SELECT f.id, $2, $3, $4 FROM feeds f WHERE f.id = $1 AND f.withdrawn_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM feed_troubles t WHERE t.feed_id = f.id AND t.ended_at IS NULL)
    ON CONFLICT (feed_id, since_at) DO NOTHING";
const END_TROUBLE: &str = "UPDATE feed_troubles SET ended_at = $2 WHERE feed_id = $1 AND ended_at IS NULL
    RETURNING since_at";
const TELL_HEALTH: &str = "INSERT INTO notices (occasion, member_id, kind, feed, words, noticed_at, try_at)
    SELECT $2, f.member_id, $3, f.url, $4, $5, $5 FROM feeds f WHERE f.id = $1
    ON CONFLICT (occasion) DO NOTHING";
const TROUBLES: &str = "SELECT t.id, f.url, t.reason, t.since_at, t.noted_at, t.ended_at
    FROM feed_troubles t JOIN feeds f ON f.id = t.feed_id JOIN members m ON m.id = f.member_id
    WHERE m.slug = $1 AND f.withdrawn_at IS NULL ORDER BY t.since_at DESC, t.id DESC LIMIT $2";

const OF_MEMBER: &str = "SELECT n.kind, n.feed, n.words, n.noticed_at, n.sent_at
    FROM notices n JOIN members m ON m.id = n.member_id
    WHERE m.slug = $1 AND n.kind <> 'confirm' ORDER BY n.noticed_at DESC, n.id DESC LIMIT $2";

/// Until its address is confirmed a member gets the one mail that asks for that, and afterwards no such mail; what is
/// long past is not told any more, nor what failed too often.
const WAITING: &str = "SELECT n.id, n.kind, m.slug, m.name, e.email, e.code_hash, n.feed, n.words, n.secret
    FROM notices n JOIN members m ON m.id = n.member_id JOIN member_emails e ON e.member_id = n.member_id
    WHERE n.sent_at IS NULL AND n.try_at <= $1 AND n.noticed_at >= $2 AND n.noticed_at >= e.given_at - 60000
        AND n.tries < 10 AND ((n.kind = 'confirm' AND e.confirmed_at IS NULL AND n.secret IS NOT NULL
                AND n.occasion = 'confirm ' || e.code_hash)
            OR (n.kind <> 'confirm' AND e.confirmed_at IS NOT NULL))
    ORDER BY n.noticed_at, n.id LIMIT 1";
const CLAIM: &str = "UPDATE notices SET try_at = $2, tries = tries + 1 WHERE id = $1";
const SENT: &str = "UPDATE notices SET sent_at = $2, secret = NULL WHERE id = $1";
const LATER: &str = "UPDATE notices SET try_at = $2 WHERE id = $1 AND sent_at IS NULL";
const FORGET_SECRETS: &str = "UPDATE notices SET secret = NULL WHERE secret IS NOT NULL AND noticed_at < $1";

const UNSUBSCRIBE: &str = "DELETE FROM member_emails WHERE code_hash = $1";
const IS_SUBSCRIBED: &str = "SELECT EXISTS (SELECT 1 FROM member_emails WHERE code_hash = $1)";

/// How long something is worth telling.
const NEWS: TimeDelta = TimeDelta::days(7);

/// What a notice tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// An e-mail address is to be confirmed.
    Confirm,
    /// A feed asks to join.
    Registered,
    /// It was taken on.
    Approved,
    /// It was not taken on.
    Rejected,
    /// A feed broke.
    Broke,
    /// It is well again.
    Well,
}

impl NoticeKind {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "confirm" => Self::Confirm,
            "registered" => Self::Registered,
            "approved" => Self::Approved,
            "rejected" => Self::Rejected,
            "broke" => Self::Broke,
            "well" => Self::Well,
            _ => return None,
        })
    }
}

/// Something a member is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it tells of.
    pub kind: NoticeKind,
    /// The feed's address.
    pub feed: Option<String>,
    /// The reason, in words.
    pub words: Option<String>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// When it was mailed, if it was.
    pub sent_at: Option<DateTime<Utc>>,
}

/// A notice that is to be mailed, claimed by whoever holds this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The notice; the same at each try.
    pub id: i64,
    /// What it tells of.
    pub kind: NoticeKind,
    /// The member's slug.
    pub member: String,
    /// Their name.
    pub name: String,
    /// Where it goes.
    pub address: String,
    /// What ends all mail to this address.
    pub unsubscribe: String,
    /// The feed's address.
    pub feed: Option<String>,
    /// The reason, in words.
    pub words: Option<String>,
    /// What confirms the address.
    pub code: Option<String>,
}

/// A time during which a feed was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Its number, which never changes.
    pub id: i64,
    /// The feed's address.
    pub feed: String,
    /// What was wrong, in words.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When we found it out.
    pub noted_at: DateTime<Utc>,
    /// When it was well again.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What changed about how a feed fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthChange {
    /// It is broken since then, for this reason.
    Broke(DateTime<Utc>, String),
    /// It is well.
    Well,
}

impl Store {
    /// Tells members what was decided about their feeds, as far as that was not told yet.
    pub async fn tell_decisions(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let since = millis(now - NEWS);
        let untold: bool = Sql::new(IS_UNTOLD)
            .bind(since)
            .fetch_value("audit", self.readers())
            .await?;
        if untold {
            let mut transaction = self.begin().await?;
            Sql::new(TELL_DECISIONS)
                .bind(since)
                .execute(&mut transaction)
                .await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Writes down by which address a member wants to be told, and that it is to be asked for its confirmation. False if
    /// nobody has this slug.
    pub async fn ask_for_confirmation(
        &self,
        member: &str,
        address: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let Some(code) = self.set_email(member, address, now).await? else {
            return Ok(false);
        };
        let mut transaction = self.begin().await?;
        Sql::new(TELL_CONFIRM)
            .bind(member)
            .bind(code.reveal())
            .execute(&mut transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Which feeds are noted as broken, each since when.
    pub async fn open_troubles(&self) -> Result<Vec<(i64, DateTime<Utc>)>, StoreError> {
        let rows = Sql::new(OPEN_TROUBLES).fetch_all(self.readers()).await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("feed_troubles", row);
                Ok((fields.take()?, fields.at()?))
            })
            .collect()
    }

    /// Notes how these feeds fare now, and tells their members what is new in that.
    pub async fn note_health(
        &self,
        changes: &[(i64, HealthChange)],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for (feed, change) in changes {
            let (kind, since, words) = match change {
                HealthChange::Broke(since, reason) => {
                    let begun = Sql::new(BEGIN_TROUBLE)
                        .bind(*feed)
                        .bind(millis(*since))
                        .bind(millis(now))
                        .bind(reason)
                        .execute(&mut transaction)
                        .await?;
                    if begun == 0 {
                        continue;
                    }
                    ("broke", millis(*since), Some(reason))
                }
                HealthChange::Well => {
                    let ended = Sql::new(END_TROUBLE)
                        .bind(*feed)
                        .bind(millis(now))
                        .fetch_optional(&mut transaction)
                        .await?;
                    let Some(row) = ended else { continue };
                    ("well", Fields::of("feed_troubles", &row).take()?, None)
                }
            };
            Sql::new(TELL_HEALTH)
                .bind(*feed)
                .bind(format!("{kind} {feed} {since}"))
                .bind(kind)
                .bind(words)
                .bind(millis(now))
                .execute(&mut transaction)
                .await?;
        }
        transaction.commit().await
    }

    /// The last times that feeds of this member were broken, newest first.
    pub async fn troubles(&self, member: &str, limit: u32) -> Result<Vec<Trouble>, StoreError> {
        let rows = Sql::new(TROUBLES)
            .bind(member)
            .bind(limit)
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("feed_troubles", row);
                Ok(Trouble {
                    id: fields.take()?,
                    feed: fields.take()?,
                    reason: fields.take()?,
                    since: fields.at()?,
                    noted_at: fields.at()?,
                    ended_at: fields.at_optional()?,
                })
            })
            .collect()
    }

    /// What this member was told, newest first.
    pub async fn notices(&self, member: &str, limit: u32) -> Result<Vec<Notice>, StoreError> {
        let rows = Sql::new(OF_MEMBER)
            .bind(member)
            .bind(limit)
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let mut fields = Fields::of("notices", row);
                Ok(Notice {
                    kind: fields.read(NoticeKind::parse)?,
                    feed: fields.take()?,
                    words: fields.take()?,
                    at: fields.at()?,
                    sent_at: fields.at_optional()?,
                })
            })
            .collect()
    }

    /// Claims the next mail that is to be sent until `until`; nobody else gets it before. `None` if there is none.
    pub async fn claim_mail(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<Mail>, StoreError> {
        let waiting = || Sql::new(WAITING).bind(millis(now)).bind(millis(now - NEWS));
        if waiting().fetch_optional(self.readers()).await?.is_none() {
            return Ok(None);
        }
        let mut transaction = self.begin().await?;
        let Some(row) = waiting().fetch_optional(&mut transaction).await? else {
            return Ok(None);
        };
        let mut fields = Fields::of("notices", &row);
        let mail = Mail {
            id: fields.take()?,
            kind: fields.read(NoticeKind::parse)?,
            member: fields.take()?,
            name: fields.take()?,
            address: fields.take()?,
            unsubscribe: fields.take()?,
            feed: fields.take()?,
            words: fields.take()?,
            code: fields.take()?,
        };
        Sql::new(CLAIM)
            .bind(mail.id)
            .bind(millis(until))
            .execute(&mut transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some(mail))
    }

    /// The mail was taken by the server.
    pub async fn mail_sent(&self, mail: &Mail, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.erase(Sql::new(SENT).bind(mail.id).bind(millis(now))).await
    }

    /// The mail was not taken; it is tried again from `at` on.
    pub async fn mail_failed(&self, mail: &Mail, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.erase(Sql::new(LATER).bind(mail.id).bind(millis(at))).await
    }

    /// Forgets addresses that nobody confirmed in seven days, and the codes that were sent to them.
    pub(crate) async fn forget_what_nobody_confirmed(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.forget_unconfirmed_emails(now).await?;
        self.erase(Sql::new(FORGET_SECRETS).bind(millis(now - NEWS)))
            .await
    }

    /// Whether mail goes to the address that this ends mail to.
    pub async fn is_subscribed(&self, unsubscribe: &str) -> Result<bool, StoreError> {
        Sql::new(IS_SUBSCRIBED)
            .bind(unsubscribe)
            .fetch_value("member_emails", self.readers())
            .await
    }

    /// Forgets the address that this ends mail to; none is sent to it from now on.
    pub async fn unsubscribe(&self, unsubscribe: &str) -> Result<(), StoreError> {
        self.erase(Sql::new(UNSUBSCRIBE).bind(unsubscribe)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{by_hand, minutes, now, pending};

    #[tokio::test]
    async fn a_member_reads_what_they_were_told_once_each_newest_first() {
        let store = pending().await;
        store
            .ask_for_confirmation("ada", "ada@example.org", now())
            .await
            .unwrap();
        store.approve_feed("ada", &by_hand(minutes(1))).await.unwrap();
        let feed = store.feeds().await.unwrap().remove(0);
        let broke = HealthChange::Broke(minutes(2), "the server says 500".to_owned());
        for (change, at) in [
            (broke.clone(), minutes(3)),
            (broke, minutes(4)),
            (HealthChange::Well, minutes(5)),
            (HealthChange::Well, minutes(6)),
        ] {
            store.note_health(&[(feed.id, change)], at).await.unwrap();
        }
        for _ in 0..2 {
            store.tell_decisions(minutes(7)).await.unwrap();
        }
        let told = store.notices("ada", 9).await.unwrap();
        let seen: Vec<_> = (told.iter())
            .map(|notice| (notice.kind, notice.at, notice.words.as_deref()))
            .collect();
        assert_eq!(
            seen,
            [
                (NoticeKind::Well, minutes(5), None),
                (NoticeKind::Broke, minutes(3), Some("the server says 500")),
                (NoticeKind::Approved, minutes(1), Some("because")),
                (NoticeKind::Registered, now(), None),
            ]
        );
        assert!(
            told.iter()
                .all(|notice| notice.sent_at.is_none() && notice.feed.as_deref() == Some(feed.url.as_str()))
        );
        assert_eq!(store.notices("ada", 1).await.unwrap(), told[..1]);
        assert_eq!(store.notices("nobody", 9).await.unwrap(), []);
        let troubles = store.troubles("ada", 9).await.unwrap();
        assert_eq!(troubles.len(), 1);
        assert_eq!(
            (troubles[0].since, troubles[0].noted_at, troubles[0].ended_at),
            (minutes(2), minutes(3), Some(minutes(5)))
        );
        assert_eq!(store.open_troubles().await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_mail_is_claimed_by_one_and_only_after_the_address_is_confirmed() {
        let store = pending().await;
        assert!(
            store
                .ask_for_confirmation("ada", "ada@example.org", now())
                .await
                .unwrap()
        );
        store.tell_decisions(now()).await.unwrap();
        let claim = async |at: i64| store.claim_mail(minutes(at), minutes(at + 1)).await.unwrap();
        let first = claim(0).await.unwrap();
        assert_eq!((first.kind, first.member.as_str()), (NoticeKind::Confirm, "ada"));
        assert_eq!(
            claim(0).await,
            None,
            "somebody has it, and nothing else may be sent"
        );
        assert_eq!(
            claim(1).await.map(|mail| mail.id),
            Some(first.id),
            "whoever had it died"
        );
        store.mail_sent(&first, minutes(1)).await.unwrap();
        assert_eq!(claim(9).await, None);
        let code = first.code.unwrap();
        assert_eq!(
            store.confirm_email(&code, minutes(2)).await.unwrap().as_deref(),
            Some("ada")
        );
        let second = claim(10).await.unwrap();
        assert_eq!((second.kind, &second.code), (NoticeKind::Registered, &None));
        store.mail_failed(&second, minutes(20)).await.unwrap();
        assert_eq!(claim(19).await, None);
        assert_eq!(claim(20).await.map(|mail| mail.id), Some(second.id));
        store.mail_sent(&second, minutes(21)).await.unwrap();
        assert_eq!(
            store.notices("ada", 9).await.unwrap()[0].sent_at,
            Some(minutes(21))
        );
        // Who wants no more gets none.
        assert!(store.is_subscribed(&second.unsubscribe).await.unwrap());
        store.unsubscribe(&second.unsubscribe).await.unwrap();
        assert!(!store.is_subscribed(&second.unsubscribe).await.unwrap());
        assert_eq!(store.membership("ada").await.unwrap().unwrap().email, None);
    }
}
