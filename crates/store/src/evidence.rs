//! The words that speak for a topic which a moderator gave, when the post is edited.
//!
//! Finds no words: it knows those of before, and whether they still stand there.

use model::{EntryDraft, Evidence, EvidencePlace, TopicMatch};

/// Topics that rest on a moderator's word alone keep the evidence that they had and that stands in the new words, too.
pub(crate) fn keep_evidence(draft: &mut EntryDraft, before: &[TopicMatch]) {
    let mut topics = std::mem::take(&mut draft.topics);
    for topic in topics.iter_mut().filter(|topic| topic.why.is_empty()) {
        let had = before.iter().filter(|other| other.slug == topic.slug);
        let stands = |evidence: &&Evidence| match evidence.place {
            EvidencePlace::Title => draft
                .title
                .as_ref()
                .is_some_and(|title| title.contains(&evidence.text)),
            EvidencePlace::Body => draft.text.contains(&evidence.text),
            EvidencePlace::Category => draft.categories.contains(&evidence.text),
            EvidencePlace::Hashtag => draft.hashtags.contains(&evidence.text.to_lowercase()),
        };
        topic.why = had.flat_map(|had| &had.why).filter(stands).cloned().collect();
    }
    draft.topics = topics;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Sample;

    #[test]
    fn a_topic_by_hand_keeps_the_evidence_that_still_stands() {
        let words = |draft: &EntryDraft, slug: &str| -> Vec<String> {
            let topic = draft.topics.iter().find(|topic| topic.slug == slug);
            let why = topic.into_iter().flat_map(|topic| &topic.why);
            why.map(|evidence| evidence.text.clone()).collect()
        };
        let evidence = |place, text: &str| Evidence {
            place,
            text: text.to_owned(),
        };
        let before = Sample::new("one").topic("tea").topic("data").draft(|draft| {
            draft.topics[0].why = vec![
                evidence(EvidencePlace::Title, "Tea"),
                evidence(EvidencePlace::Body, "cup"),
                evidence(EvidencePlace::Body, "pot"),
                evidence(EvidencePlace::Category, "Drinks"),
                evidence(EvidencePlace::Hashtag, "TeaTime"),
            ];
        });
        let by_hand = |sample: Sample| sample.topic("tea").draft(|draft| draft.topics[0].why.clear());
        let edited = by_hand(Sample::new("one").words("Tea again", "A pot."))
            .topic("data")
            .hashtag("teatime");
        let mut draft = edited.new.draft;
        keep_evidence(&mut draft, &before.new.draft.topics);
        assert_eq!(words(&draft, "tea"), ["Tea", "pot", "TeaTime"]);
        assert_eq!(words(&draft, "data"), ["data"]);
        let mut draft = by_hand(Sample::new("one")).new.draft;
        keep_evidence(&mut draft, &[]);
        assert_eq!(words(&draft, "tea"), [""; 0]);
    }
}
