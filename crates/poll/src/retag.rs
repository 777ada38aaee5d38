//! Topics over the whole archive: other rules are taken over in the background while the Voice polls and serves.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use model::{Site, TopicMatch};
use normalize::Tagger;
use store::{Decisions, RetagProgress, Retagged, Store, StoreError, StoredPost};
use tokio::sync::watch;
use twox_hash::XxHash3_128;

use crate::changes::shows;
use crate::poller::Poller;

/// Posts that are read at once to tell what rules would change.
const PAGE: u32 = 256;

/// What rules would change of one post.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The entry's key.
    pub key: String,
    /// Its title.
    pub title: Option<String>,
    /// Topics that it would gain, with their evidence.
    pub added: Vec<TopicMatch>,
    /// Topics that it would lose, by slug.
    pub removed: Vec<String>,
    /// Whether readers see it now, and whether they would.
    pub shown: (bool, bool),
}

/// Tells what the site's rules would change over the archive, post by post and oldest first, and writes nothing. Gives
/// how many posts there are.
pub async fn replay(store: &Store, site: &Site, mut found: impl FnMut(Replayed)) -> Result<u64, StoreError> {
    let tagger = Tagger::new(&site.topics);
    let (mut after, mut posts) = (0, 0);
    loop {
        let page = store.posts_after(after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(posts);
        };
        after = last.id;
        posts += page.len() as u64;
        for (post, decisions) in page {
            let retagged = retagged(&tagger, site, &post, &decisions);
            let has = |topics: &[TopicMatch], slug: &str| topics.iter().any(|topic| topic.slug == slug);
            let removed = post.topics.iter().map(|topic| &topic.slug);
            let removed = removed
                .filter(|slug| !has(&retagged.topics, slug))
                .cloned()
                .collect();
            let mut added = retagged.topics;
            added.retain(|topic| !has(&post.topics, &topic.slug));
            let replayed = Replayed {
                shown: (post.shown, retagged.shown),
                key: post.key,
                title: post.title,
                added,
                removed,
            };
            let differs = replayed.shown.0 != replayed.shown.1;
            if differs || !replayed.added.is_empty() || !replayed.removed.is_empty() {
                found(replayed);
            }
        }
    }
}

/// What the site's rules make of a post, under what moderators decided of it.
pub fn retagged(tagger: &Tagger, site: &Site, post: &StoredPost, decisions: &Decisions) -> Retagged {
    let title = post.title.as_deref().unwrap_or_default();
    let topics = tagger.tag(title, &post.text, &post.categories, &post.hashtags);
    let mut topics = decisions.apply(topics);
    for topic in topics.iter_mut().filter(|topic| topic.why.is_empty()) {
        topic.why = tagger.evidence(&topic.slug, title, &post.text, &post.categories, &post.hashtags);
    }
    let shown = shows(post.include, &topics, &post.hashtags, site);
    Retagged { topics, shown }
}

/// Takes the rules of each new poller over, until `stop` turns true.
pub(crate) async fn follow(mut poller: watch::Receiver<Arc<Poller>>, stop: &watch::Receiver<bool>) {
    loop {
        let current = poller.borrow_and_update().clone();
        match take_over(&current, stop).await {
            Ok(()) => {}
            Err(error) => tracing::error!(
                %error,
                "the archive could not be given its topics by the present rules; it goes on at the next start or reload"
            ),
        }
        if poller.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn take_over(poller: &Poller, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
    let rules = fingerprint(&poller.site);
    let mut progress = poller.store.begin_retagging(&rules).await?;
    if progress == RetagProgress::Done {
        return Ok(());
    }
    let tagger = poller.tagger();
    let tag = |post: &StoredPost, decisions: &Decisions| retagged(tagger, &poller.site, post, decisions);
    let (mut changed_posts, mut told) = (0, 0);
    while !*stop.borrow() {
        let now: DateTime<Utc> = poller.clock.now();
        progress = poller.store.retag(&rules, now, &tag).await?;
        match progress {
            RetagProgress::Going { changed, percent } => {
                changed_posts += changed;
                if percent >= told + 10 {
                    told = percent;
                    tracing::info!(
                        percent,
                        changed = changed_posts,
                        "giving the archive its topics by the present rules"
                    );
                }
                tokio::task::yield_now().await;
            }
            RetagProgress::Done => {
                if changed_posts > 0 {
                    tracing::info!(
                        changed = changed_posts,
                        "the archive has its topics by the present rules"
                    );
                }
                return Ok(());
            }
            RetagProgress::Superseded => {
                tracing::warn!(
                    "another process gives the archive its topics by other rules; see that all have the same feeds.toml"
                );
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Tells one set of rules from another, and one version of the tagger.
fn fingerprint(site: &Site) -> String {
    let rules = format!(
        "{:?} {:?} {}",
        site.topics,
        site.network_hashtags,
        env!("CARGO_PKG_VERSION")
    );
    format!("{:032x}", XxHash3_128::oneshot(rules.as_bytes()))
}

#[cfg(test)]
mod tests {
    use model::{IncludeChoice, Topic, TopicRules};

    use super::*;
    use crate::traces::site;

    #[test]
    fn what_a_moderator_gives_shows_the_words_that_speak_for_it() {
        let topic = |slug: &str| Topic {
            slug: slug.to_owned(),
            name: slug.to_owned(),
            description: String::new(),
            parent: None,
            rules: TopicRules {
                phrases: vec![(slug.to_owned(), 1.0)],
                ..TopicRules::default()
            },
        };
        let site = Site {
            topics: vec![topic("bins"), topic("buses")].into(),
            ..site()
        };
        let post = StoredPost {
            id: 1,
            key: "key".to_owned(),
            title: None,
            text: "On Bins, and no more.".to_owned(),
            categories: Vec::new(),
            hashtags: Vec::new(),
            topics: Vec::new(),
            shown: true,
            include: IncludeChoice::All,
        };
        let given = |slug: &str| (slug.to_owned(), true);
        let decisions = Decisions::from(vec![given("bins"), given("buses")]);
        let topics = retagged(&Tagger::new(&site.topics), &site, &post, &decisions).topics;
        let words: Vec<Vec<&str>> = topics
            .iter()
            .map(|topic| topic.why.iter().map(|one| one.text.as_str()).collect())
            .collect();
        assert_eq!(words, [vec!["Bins"], vec![]]);
    }
}
