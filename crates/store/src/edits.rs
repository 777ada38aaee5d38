//! Edits: entries that their feed now states otherwise.
//!
//! An edit keeps the entry's key, its dates and its place in the river. It refuses to touch another feed's entry,
//! and to give anything back to one that was withdrawn.

use std::collections::BTreeSet;

use model::{EntryDraft, link_key};
use url::Url;

use crate::StoreError;
use crate::changes::NextRevision;
use crate::db::Transaction;
use crate::enclosures::{self, files_column};
use crate::entries::{Write, touch};
use crate::evidence::keep_evidence;
use crate::labels::{self, labels_of};
use crate::links::{self, Link, links_of};
use crate::record::ChangedEntry;
use crate::rows::{Fields, json, millis};
use crate::sql::Sql;
use crate::topics;

const BEFORE: &str = concat!(
    "SELECT e.id, e.link, e.link_key, e.shown, e.arrival, e.duplicate_of, e.river_at, e.released_at,
        e.arrived_at = f.first_success_at AS back_catalogue, f.content = 'full' AS whole, e.language, e.words, e.title,
        e.author, e.image_url, e.image_alt, e.licence, e.hashtags, e.categories, e.topics, e.summary,
        e.content_html, ",
    files_column!(),
    " FROM entries e JOIN feeds f ON f.id = e.feed_id
    WHERE e.id = $1 AND e.feed_id = $2 AND e.withdrawn_at IS NULL"
);

const REWRITE: &str = "UPDATE entries SET
        source_id = CASE WHEN EXISTS (SELECT 1 FROM entries o WHERE o.feed_id = entries.feed_id AND o.source_id = $2
                                      AND o.id <> entries.id)
                    THEN source_id ELSE $2 END,
        link = $3, link_key = $4, fingerprint = $5, substance = $6, shown = $7, duplicate_of = $8, arrival = $9,
        river_at = $10, released_at = $11,
        updated_at = CASE WHEN $12 THEN $13 ELSE updated_at END,
        changed_at = CASE WHEN $14 THEN $15 ELSE changed_at END,
        language = $16, words = $17, title = $18, author = $19, image_url = $20, image_alt = $21, licence = $22,
        source_url = $23, hashtags = $24, categories = $25, topics = $26, summary = $27, content_html = $28, text = $29,
        dated_at = $30
    WHERE id = $1";

const STANDING_STORY: &str =
    "SELECT MIN(id) FROM entries WHERE shown = TRUE AND link_key = $1 AND feed_id <> $2";
/// An entry as it stood before the feed stated it otherwise: what readers see of it, and its place.
struct Before {
    link: Option<String>,
    shown: bool,
    arrival: Option<i64>,
    duplicate_of: Option<i64>,
    river_at: i64,
    released_at: i64,
    /// Whether the feed's first good poll found it.
    back_catalogue: bool,
    /// The same, in the form of a draft: only what readers see of it is filled in.
    draft: EntryDraft,
    links: Vec<Link>,
}

/// Rewrites what changed and tells how many changed in substance. An entry of another feed, or one that was
/// withdrawn, is left alone.
pub(crate) async fn rewrite(
    transaction: &mut Transaction,
    write: Write,
    changed: &[ChangedEntry],
    revision: &mut NextRevision,
) -> Result<u32, StoreError> {
    let mut substantial = 0;
    let decided = topics::decisions(&mut *transaction, changed.iter().map(|changed| changed.id)).await?;
    for changed in changed {
        let Some(before) = before(transaction, write.feed_id, changed).await? else {
            continue;
        };
        let under_decisions = decided.get(&changed.id).map(|decisions| {
            let mut changed = changed.clone();
            let draft = &mut changed.draft;
            draft.topics = decisions.apply(std::mem::take(&mut draft.topics));
            keep_evidence(draft, &before.draft.topics);
            changed.shown |= decisions.give_a_topic();
            changed
        });
        let changed = under_decisions.as_ref().unwrap_or(changed);
        rewrite_one(transaction, write, changed, before, revision).await?;
        substantial += u32::from(changed.substantial);
    }
    Ok(substantial)
}

async fn before(
    transaction: &mut Transaction,
    feed_id: i64,
    changed: &ChangedEntry,
) -> Result<Option<Before>, StoreError> {
    let row = Sql::new(BEFORE)
        .bind(changed.id)
        .bind(feed_id)
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut fields = Fields::of("entries", &row);
    let _id: i64 = fields.take()?;
    let link = fields.take()?;
    let link_key: Option<String> = fields.take()?;
    let shown = fields.take()?;
    let arrival = fields.take()?;
    let duplicate_of = fields.take()?;
    let river_at = fields.take()?;
    let released_at = fields.take()?;
    let back_catalogue = fields.take::<Option<bool>>()?.unwrap_or(false);
    let whole: bool = fields.take()?;
    // What readers do not see is taken from the new draft, so that it counts as equal.
    let mut draft = changed.draft.clone();
    draft.link.clone_from(&link);
    draft.language = fields.take()?;
    draft.words = fields.number()?;
    draft.title = fields.take()?;
    draft.author = fields.take()?;
    let image_url: Option<String> = fields.take()?;
    let image_alt = fields.take()?;
    draft.image = image_url.map(|url| model::Image { url, alt: image_alt });
    draft.licence = fields.take()?;
    draft.hashtags = fields.json()?;
    draft.categories = fields.json()?;
    draft.topics = fields.json()?;
    draft.summary = fields.take()?;
    let content_html = fields.safe_html()?.unwrap_or_default();
    draft.enclosures = enclosures::read(&mut fields)?;
    let links = links_of(&content_html, link_key.as_deref());
    if whole {
        draft.content_html = content_html;
    }
    Ok(Some(Before {
        link,
        shown,
        arrival,
        duplicate_of,
        river_at,
        released_at,
        back_catalogue,
        draft,
        links,
    }))
}

async fn rewrite_one(
    transaction: &mut Transaction,
    write: Write,
    changed: &ChangedEntry,
    before: Before,
    revision: &mut NextRevision,
) -> Result<(), StoreError> {
    let draft = &changed.draft;
    let Before {
        mut arrival,
        mut duplicate_of,
        mut river_at,
        mut released_at,
        ..
    } = before;
    // A copy that now leads elsewhere is a copy no more.
    let before_link: Option<Url> = before.link.as_ref().and_then(|link| link.parse().ok());
    if before_link.as_ref().map(link_key) != draft.link_key
        && let Some(story) = duplicate_of.take()
    {
        touch(transaction, story, revision).await?;
    }
    if changed.shown && arrival.is_none() && duplicate_of.is_none() {
        // It shows for the first time: the same rules as for a new one.
        duplicate_of = match &draft.link_key {
            Some(key) => {
                Sql::new(STANDING_STORY)
                    .bind(key)
                    .bind(write.feed_id)
                    .fetch_value("entries", &mut *transaction)
                    .await?
            }
            None => None,
        };
        if duplicate_of.is_none() {
            revision.arrivals += 1;
            arrival = Some(revision.arrivals);
            if !before.back_catalogue {
                released_at = millis(write.at);
                river_at = released_at;
            }
        }
    }
    let shown = changed.shown && duplicate_of.is_none();
    let visible = (before.shown || shown) && (before.shown != shown || before.draft != *draft);
    Sql::new(REWRITE)
        .bind(changed.id)
        .bind(&draft.source_id)
        .bind(&draft.link)
        .bind(&draft.link_key)
        .bind(&draft.fingerprint)
        .bind(&draft.substance)
        .bind(shown)
        .bind(duplicate_of)
        .bind(arrival)
        .bind(river_at)
        .bind(released_at)
        .bind(changed.substantial)
        .bind(millis(write.at))
        .bind(visible)
        .bind(revision.changed_at)
        .bind(&draft.language)
        .bind(draft.words)
        .bind(&draft.title)
        .bind(&draft.author)
        .bind(draft.image.as_ref().map(|image| &image.url))
        .bind(draft.image.as_ref().and_then(|image| image.alt.as_ref()))
        .bind(&draft.licence)
        .bind(&draft.source_url)
        .bind(json(&draft.hashtags))
        .bind(json(&draft.categories))
        .bind(json(&draft.topics))
        .bind(&draft.summary)
        .bind(draft.content_html.as_str())
        .bind(&draft.text)
        .bind(draft.published.map(millis))
        .execute(&mut *transaction)
        .await?;
    revision.visible |= visible;
    if before.draft.enclosures != draft.enclosures {
        enclosures::replace(transaction, changed.id, &draft.enclosures).await?;
    }
    let links = links_of(&draft.content_html, draft.link_key.as_deref());
    if links != before.links {
        // The pages of those whom it answers change with it, also where readers see only its first words.
        revision.visible |= shown;
        links::replace(transaction, changed.id, links).await?;
    }
    if let Some(story) = duplicate_of.filter(|_| before.duplicate_of.is_none() || before.link != draft.link) {
        revision.told_again.insert(story);
        touch(transaction, story, revision).await?;
    }
    let labels = |draft, river_at, shown: bool| {
        if shown {
            labels_of(draft, river_at, changed.id)
        } else {
            BTreeSet::new()
        }
    };
    let had = labels(&before.draft, before.river_at, before.shown);
    let has = labels(draft, river_at, shown);
    labels::replace(transaction, &had, &has, revision).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{EntryLookup, EntryQuery};
    use crate::testing::{self, Sample, feed, found, id_of, minutes, plan, record, record_at, titles};

    #[tokio::test]
    async fn an_edit_keeps_key_place_and_dates() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(
            &store,
            &ada,
            vec![
                Sample::new("two").entry(),
                Sample::new("one").topic("data").entry(),
            ],
        )
        .await;
        let id = id_of(&store, &ada, "one").await;
        let before = found(&store, &Sample::new("one")).await;

        let edited = Sample::new("one").words("Another title", "Other words.");
        let counts = record_at(
            &store,
            &ada,
            minutes(9),
            Vec::new(),
            vec![edited.changed(id, true)],
        )
        .await;
        assert_eq!((counts.new, counts.updated), (0, 1));
        let after = found(&store, &Sample::new("one")).await;
        assert_eq!(after.title.as_deref(), Some("Another title"));
        assert_eq!((after.updated, after.changed), (minutes(9), minutes(9)));
        assert_eq!(
            (
                &after.key,
                &after.id,
                after.published,
                after.released,
                after.arrived
            ),
            (
                &before.key,
                &before.id,
                before.published,
                before.released,
                before.arrived
            )
        );
        let river = store.entries(&EntryQuery::newest(5)).await.unwrap();
        assert_eq!(titles(&river.entries), ["two", "Another title"]);

        // What is no change in substance moves `changed` alone, and what readers cannot see moves nothing.
        let tagged = Sample::new("one")
            .words("Another title", "Other words.")
            .topic("new");
        let counts = record_at(
            &store,
            &ada,
            minutes(10),
            Vec::new(),
            vec![tagged.clone().changed(id, false)],
        )
        .await;
        assert_eq!(counts.updated, 0);
        let after = found(&store, &Sample::new("one")).await;
        assert_eq!((after.updated, after.changed), (minutes(9), minutes(10)));
        let counter =
            tagged.draft(|draft| draft.content_html = model::SafeHtml::vouched("<p>17 likes".to_owned()));
        record_at(
            &store,
            &ada,
            minutes(11),
            Vec::new(),
            vec![counter.changed(id, false)],
        )
        .await;
        assert_eq!(found(&store, &Sample::new("one")).await.changed, minutes(10));
    }

    #[tokio::test]
    async fn entries_that_exchange_their_identities_do_not_stop_a_poll() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        record(
            &store,
            &ada,
            vec![Sample::new("one").entry(), Sample::new("two").entry()],
        )
        .await;
        let (one, two) = (id_of(&store, &ada, "one").await, id_of(&store, &ada, "two").await);
        let exchanged = vec![
            Sample::new("two").changed(one, true),
            Sample::new("one").changed(two, true),
        ];
        assert_eq!(
            record_at(&store, &ada, minutes(1), Vec::new(), exchanged)
                .await
                .updated,
            2
        );
        assert_eq!(store.known_entries(ada.id).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn no_feed_can_change_anothers_entry_or_what_was_withdrawn() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.org/feed", "Ben").await;
        record(&store, &ada, vec![Sample::new("one").topic("data").entry()]).await;
        let id = id_of(&store, &ada, "one").await;
        let edited = || {
            Sample::new("one")
                .words("Mine", "Mine.")
                .topic("data")
                .changed(id, true)
        };
        assert_eq!(
            record_at(&store, &ben, minutes(1), Vec::new(), vec![edited()])
                .await
                .updated,
            0
        );
        assert_eq!(
            found(&store, &Sample::new("one")).await.title.as_deref(),
            Some("Title of one")
        );

        testing::withdraw(&store, "one").await;
        assert_eq!(
            record_at(&store, &ada, minutes(40), Vec::new(), vec![edited()])
                .await
                .updated,
            0
        );
        assert_eq!(
            record_at(
                &store,
                &ada,
                minutes(41),
                vec![Sample::new("one").entry()],
                Vec::new()
            )
            .await
            .new,
            0
        );
        let lookup = store.entry(&Sample::new("one").new.key).await.unwrap();
        assert_eq!(lookup, EntryLookup::Withdrawn { at: minutes(30) });
        assert!(
            store
                .entries(&EntryQuery::newest(5))
                .await
                .unwrap()
                .entries
                .is_empty()
        );
        assert!(store.topic_counts().await.unwrap().is_empty());
        assert!(store.archive(None, 1).await.unwrap().entries.is_empty());
        assert!(store.entries_after(None, 10).await.unwrap().0.is_empty());
        assert!(store.known_entries(ada.id).await.unwrap()[0].withdrawn);
    }

    #[tokio::test]
    async fn what_first_shows_by_an_edit_is_released_then() {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.org/feed", "Ada").await;
        let old = minutes(-9000);
        record(&store, &ada, vec![Sample::new("back").at(old).hidden().entry()]).await;
        record_at(
            &store,
            &ada,
            minutes(1),
            vec![Sample::new("late").at(minutes(1)).hidden().entry()],
            Vec::new(),
        )
        .await;
        assert_eq!(
            store.entry(&Sample::new("back").new.key).await.unwrap(),
            EntryLookup::Unknown
        );
        let (back, late) = (
            id_of(&store, &ada, "back").await,
            id_of(&store, &ada, "late").await,
        );
        let tagged = ["back", "late"].map(|name| Sample::new(name).topic("data"));
        let changed = tagged
            .clone()
            .into_iter()
            .zip([back, late])
            .map(|(sample, id)| sample.changed(id, false));
        record_at(&store, &ada, minutes(5), Vec::new(), changed.collect()).await;
        assert_eq!(found(&store, &tagged[0]).await.released, old);
        assert_eq!(found(&store, &tagged[1]).await.released, minutes(5));
        let by_topic = EntryQuery {
            topic: Some("data".to_owned()),
            ..EntryQuery::newest(5)
        };
        assert_eq!(
            titles(&store.entries(&by_topic).await.unwrap().entries),
            ["late", "back"]
        );

        // Hidden again, it has left the Voice; shown again, it stands where it stood.
        let hidden = tagged[1].clone().hidden().changed(late, false);
        record_at(&store, &ada, minutes(6), Vec::new(), vec![hidden]).await;
        assert_eq!(
            store.entry(&tagged[1].new.key).await.unwrap(),
            EntryLookup::Withdrawn { at: minutes(6) }
        );
        record_at(
            &store,
            &ada,
            minutes(7),
            Vec::new(),
            vec![tagged[1].clone().changed(late, false)],
        )
        .await;
        assert_eq!(found(&store, &tagged[1]).await.released, minutes(5));
        assert_eq!(store.arrivals(None).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn are_found_by_indices() {
        let store = testing::sqlite().await;
        for sql in [BEFORE, REWRITE, STANDING_STORY] {
            let plan = plan(&store, sql.to_owned()).await;
            assert!(!plan.contains("SCAN"), "{sql}\n{plan}");
        }
    }
}
