//! The proof that a blog is theirs: a link, a `meta` element or a word that only its owner can put there.

use model::FeedStatus;
use poll::{LookError, Proof, Wanted};
use store::Secret;
use url::Url;

use super::owner::{Owner, decision};
use super::{Shown, again, mistaken, render};
use crate::failure::Failure;
use crate::form::Form;
use crate::links;
use crate::private::{Replied, Reply, Visit};
use crate::throttle::Effort;

/// The name of the `meta` element that proves a blog.
pub(super) const META: &str = "localgov-digital-voice";

/// Looks whether the blog says the word, and if so lets this link do everything.
pub(super) async fn prove(visit: &Visit, owner: Owner) -> Replied {
    visit.count(Effort::Look)?;
    let site = &visit.asked.site;
    let member_page = site.absolute(&links::member(owner.slug()));
    let store = visit.asked.store();
    let mut addresses = vec![format!("{member_page}#{}", owner.word())];
    // A bare link to the member's page says whose page it is, but not which of several links asks.
    if store.count_links(owner.slug()).await? == 1 {
        addresses.push(member_page);
    }
    let private = site.absolute(&owner.path());
    addresses.push(private);
    let wanted = Wanted {
        links: addresses
            .iter()
            .filter_map(|address| Url::parse(address).ok())
            .collect(),
        meta: META,
        word: owner.word(),
    };
    let mut trouble = None;
    for feed in &owner.membership.feeds {
        if feed.feed.status == FeedStatus::Rejected {
            continue;
        }
        match visit
            .asked
            .state
            .app
            .looker
            .find_proof(&feed.feed.url, wanted.clone())
            .await
        {
            Ok(Some(proof)) => return proved(visit, &owner, proof).await,
            Ok(None) => {}
            Err(LookError::Busy(busy)) => return Err(Failure::Busy(busy.to_string())),
            Err(error) => trouble = Some(error.to_string()),
        }
    }
    let mut form = Form::default();
    form.wrong(
        "proof",
        match trouble {
            Some(trouble) => format!("We could not read your blog: {trouble}"),
            None => "We looked, and your blog does not say the word yet. Give its cache a few minutes, and check again".to_owned(),
        },
    );
    mistaken(visit, &owner, form).await
}

async fn proved(visit: &Visit, owner: &Owner, proof: Proof) -> Replied {
    let store = visit.asked.store();
    let now = visit.asked.state.now();
    store.prove(owner.secret.reveal(), proof.as_str(), now).await?;
    let mut shown = Shown::done(format!(
        "Your blog is proved to be yours, by {}. All older links have ended. You can take the proof out again.",
        proof.as_str()
    ));
    // Whoever put the private link itself onto their page showed it to everybody.
    if proof == Proof::Link && links_to_private(visit, owner).await? {
        let fresh = store.new_link(owner.slug(), &decision(&visit.asked)).await?;
        if let Some(fresh) = fresh {
            let path = format!("/manage/{}", fresh.reveal());
            shown.new_link = Some(visit.asked.site.absolute(&path));
            return Ok(Reply::page(render(&visit.asked, owner, shown).await?));
        }
    }
    again(visit, shown).await
}

/// Whether the blog links to the private page itself.
async fn links_to_private(visit: &Visit, owner: &Owner) -> Result<bool, Failure> {
    let private = visit.asked.site.absolute(&owner.path());
    let Ok(private) = Url::parse(&private) else {
        return Ok(false);
    };
    let wanted = Wanted {
        links: vec![private],
        meta: META,
        // Nobody says this one.
        word: Secret::new()?.reveal().to_owned(),
    };
    for feed in &owner.membership.feeds {
        let found = visit
            .asked
            .state
            .app
            .looker
            .find_proof(&feed.feed.url, wanted.clone())
            .await;
        if matches!(found, Ok(Some(_))) {
            return Ok(true);
        }
    }
    Ok(false)
}
