//! Who came by a private link, and what it lets them do.

use model::FeedStatus;
use sha2::{Digest, Sha256};
use store::{Decision, MEMBER, MemberFeed, Membership, Secret};

use crate::asked::Asked;
use crate::failure::Failure;
use crate::private::Visit;
use crate::throttle::Effort;

/// Somebody who came by a private link.
pub(super) struct Owner {
    pub(super) secret: Secret,
    pub(super) membership: Membership,
    pub(super) may: May,
}

/// What a link may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    /// Prove itself.
    Prove,
    /// That, and read; it came of the registration.
    Read,
    /// That, and correct what nobody has decided about yet.
    Correct,
    /// Everything.
    All,
}

impl Owner {
    /// Whoever the link in the address makes of a visitor.
    pub(super) async fn open(visit: &Visit) -> Result<Self, Failure> {
        let nothing = || {
            visit.count(Effort::WrongKey).err().unwrap_or_else(|| {
                Failure::not_found(
                    "This link opens nothing, or nothing any more. If you lost yours, enter your blog’s address at /register and prove that it is yours.",
                )
            })
        };
        let store = visit.asked.store();
        let Some(secret) = Secret::read(&visit.asked.name) else {
            return Err(nothing());
        };
        let Some(link) = store.manage_link(secret.reveal()).await? else {
            return Err(nothing());
        };
        let Some(membership) = store.membership(&link.member).await? else {
            return Err(nothing());
        };
        let undecided = |feed: &MemberFeed| feed.feed.status == FeedStatus::Pending;
        let may = if link.proved_at.is_some() {
            May::All
        } else if link.made_at != membership.created_at {
            May::Prove
        } else if membership.feeds.iter().all(undecided) {
            May::Correct
        } else {
            May::Read
        };
        Ok(Self {
            secret,
            membership,
            may,
        })
    }

    /// # Errors
    /// When the link may not do so much.
    pub(super) fn must(&self, may: May) -> Result<(), Failure> {
        let allowed = match may {
            May::Prove => true,
            May::Read => self.may != May::Prove,
            May::Correct => matches!(self.may, May::Correct | May::All),
            May::All => self.may == May::All,
        };
        if allowed {
            Ok(())
        } else {
            Err(Failure::Refused(
                "This link was not proved to be that of the blog’s owner. Go back: the page tells how to prove it.".to_owned(),
            ))
        }
    }

    pub(super) fn path(&self) -> String {
        format!("/manage/{}", self.secret.reveal())
    }

    /// What the blog is to say: a word that follows from the link, and from which the link does not follow.
    pub(super) fn word(&self) -> String {
        let hash = Sha256::digest(format!("proof of {}", self.secret.reveal()));
        let hex = hash.iter().take(10).fold(String::new(), |mut hex, byte| {
            use std::fmt::Write;
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        format!("voice-{hex}")
    }

    pub(super) fn feed(&self, slug: &str) -> Result<&MemberFeed, Failure> {
        let feed = self.membership.feeds.iter().find(|feed| feed.feed.slug == slug);
        feed.ok_or_else(|| Failure::not_found("You have no such feed, or not any more."))
    }

    pub(super) fn slug(&self) -> &str {
        &self.membership.member.slug
    }
}

/// Who decides when a member does.
pub(super) fn decision(asked: &Asked) -> Decision<'static> {
    Decision {
        by: MEMBER,
        why: None,
        at: asked.state.now(),
    }
}
