//! `voice topics`: the rules by which posts get their topics.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use model::Topic;
use normalize::{LabelledPost, Tagger};
use serde_json::json;

use crate::cli::{Options, TopicsCommand};
use crate::{context, output};

pub(crate) fn run(options: &Options, command: &TopicsCommand) -> anyhow::Result<ExitCode> {
    let site = context::settings_or_defaults(options)?.site;
    match command {
        TopicsCommand::List => list(options, &site.topics)?,
        TopicsCommand::Evaluate { file } => evaluate(options, &site.topics, file)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(options: &Options, topics: &[Topic]) -> anyhow::Result<()> {
    if options.json {
        let listed: Vec<_> = topics
            .iter()
            .map(|topic| {
                json!({"slug": topic.slug, "name": topic.name, "description": topic.description, "parent": topic.parent})
            })
            .collect();
        return output::print_json(&listed);
    }
    let mut text = String::new();
    for topic in topics {
        let indent = if topic.parent.is_some() { "  " } else { "" };
        let _ = writeln!(
            text,
            "{indent}{} ({}): {}",
            topic.name, topic.slug, topic.description
        );
    }
    Ok(output::print(&text)?)
}

fn evaluate(options: &Options, topics: &[Topic], file: &Path) -> anyhow::Result<()> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    let mut posts = Vec::new();
    for (index, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let post: LabelledPost = serde_json::from_str(line)
            .with_context(|| format!("{name}:{}: this is no labelled post", index + 1))?;
        posts.push(post);
    }
    let labels: BTreeSet<&str> = posts
        .iter()
        .flat_map(|post| &post.topics)
        .map(String::as_str)
        .collect();
    for label in labels
        .iter()
        .filter(|label| !topics.iter().any(|topic| topic.slug == **label))
    {
        eprintln!("voice: the config knows no topic {label:?}; posts with this label count as missed");
    }
    let evaluation = normalize::evaluate(&posts, &Tagger::new(topics));
    if options.json {
        return output::print_json(&evaluation);
    }
    let mut text = format!(
        "{:<20} {:>5} {:>5} {:>5}  precision  recall    f1\n",
        "topic", "tp", "fp", "fn"
    );
    let hashtags = ("(hashtags)".to_owned(), evaluation.hashtags.measure);
    for (name, measure) in evaluation.topics.into_iter().chain([hashtags]) {
        let _ = writeln!(
            text,
            "{name:<20} {:>5} {:>5} {:>5}  {:>9.3}  {:>6.3}  {:.3}",
            measure.tp, measure.fp, measure.missed, measure.precision, measure.recall, measure.f1
        );
    }
    let _ = writeln!(
        text,
        "{} posts: macro F1 {:.3}, micro F1 {:.3}; hashtags exact in {}",
        evaluation.posts, evaluation.macro_f1, evaluation.micro_f1, evaluation.hashtags.exact
    );
    Ok(output::print(&text)?)
}
