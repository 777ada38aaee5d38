//! `voice entries`: a moderator's hand on single entries.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use model::{Topic, TopicSource};
use normalize::Tagger;
use store::{Cause, Store, TopicDecision};

use crate::cli::{EntriesCommand, Options, TopicsOfEntry};
use crate::commands::membership;
use crate::{context, output};

pub(crate) async fn run(options: &Options, command: &EntriesCommand) -> anyhow::Result<ExitCode> {
    match command {
        EntriesCommand::Topics(arguments) => topics(options, arguments).await,
        EntriesCommand::Hide { key, reason } => hide(options, key, reason).await,
    }
}

async fn hide(options: &Options, key: &str, reason: &str) -> anyhow::Result<ExitCode> {
    let store = Store::open(&options.database).await?;
    let decision = membership::decision(Some(reason));
    let receipt = store
        .withdraw_entries(&[key], Cause::Moderator, &decision)
        .await?;
    if receipt.entries.is_empty() {
        bail!("no entry has the key {key:?}, or it is gone already; its page's address ends in the key");
    }
    membership::settle_issues(options, &store).await?;
    if options.json {
        output::print_json(&receipt)?;
    } else {
        output::print(&membership::in_words(&receipt))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn topics(options: &Options, arguments: &TopicsOfEntry) -> anyhow::Result<ExitCode> {
    let site = context::settings_or_defaults(options)?.site;
    let decisions = decisions(&site.topics, arguments)?;
    let store = Store::open(&options.database).await?;
    let tagger = Tagger::new(&site.topics);
    let tag = |post: &_, decisions: &_| poll::retagged(&tagger, &site, post, decisions);
    let decided = store
        .decide_topics(&arguments.key, &decisions, membership::decision(None), &tag)
        .await?;
    let Some(topics) = decided else {
        bail!(
            "no entry has the key {:?}; its page's address ends in the key",
            arguments.key
        );
    };
    tracing::info!(entry = arguments.key, ?decisions, "topics were decided by hand");
    if options.json {
        output::print_json(&topics)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for topic in &topics {
        let by = match topic.by {
            TopicSource::Rule => "by the rules",
            TopicSource::Moderator => "by a moderator",
        };
        let _ = writeln!(text, "{} ({by})", topic.slug);
    }
    if topics.is_empty() {
        text.push_str("It has no topic.\n");
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What the arguments say, with what follows from it.
fn decisions(topics: &[Topic], arguments: &TopicsOfEntry) -> anyhow::Result<Vec<(String, TopicDecision)>> {
    let mut decisions: Vec<(String, TopicDecision)> = Vec::new();
    for (slugs, decision) in [
        (&arguments.set, TopicDecision::Holds(true)),
        (&arguments.remove, TopicDecision::Holds(false)),
        (&arguments.reset, TopicDecision::AsTheRulesSay),
    ] {
        for slug in slugs {
            if !topics.iter().any(|topic| topic.slug == *slug) {
                bail!("there is no topic {slug:?}; `voice topics list` names them");
            }
            for (slug, decision) in decision.with_family(slug, topics) {
                if decisions
                    .iter()
                    .any(|(other, before)| *other == slug && *before != decision)
                {
                    bail!("{slug:?} cannot both hold and not hold; name it once");
                }
                decisions.push((slug, decision));
            }
        }
    }
    Ok(decisions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(slug: &str, parent: Option<&str>) -> Topic {
        Topic {
            slug: slug.to_owned(),
            name: slug.to_owned(),
            description: String::new(),
            parent: parent.map(str::to_owned),
            rules: model::TopicRules::default(),
        }
    }

    fn decided(set: &[&str], remove: &[&str]) -> anyhow::Result<Vec<(String, TopicDecision)>> {
        let topics = [
            topic("skills", None),
            topic("unmentoring", Some("skills")),
            topic("making", None),
        ];
        let owned = |slugs: &[&str]| slugs.iter().map(|slug| (*slug).to_owned()).collect();
        let arguments = TopicsOfEntry {
            key: "key".to_owned(),
            set: owned(set),
            remove: owned(remove),
            reset: Vec::new(),
        };
        decisions(&topics, &arguments)
    }

    #[test]
    fn a_project_brings_its_workstream_and_leaves_with_it() {
        let holds = |slug: &str, holds| (slug.to_owned(), TopicDecision::Holds(holds));
        assert_eq!(
            decided(&["unmentoring"], &["making"]).unwrap(),
            [
                holds("unmentoring", true),
                holds("skills", true),
                holds("making", false)
            ]
        );
        assert_eq!(
            decided(&[], &["skills"]).unwrap(),
            [holds("skills", false), holds("unmentoring", false)]
        );
        assert!(
            decided(&["nonsense"], &[])
                .unwrap_err()
                .to_string()
                .contains("topics list")
        );
        assert!(decided(&["unmentoring"], &["skills"]).is_err());
    }
}
