//! `voice topics`: the rules by which posts get their topics.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use model::{EvidencePlace, Topic, first_words};
use normalize::{LabelledPost, ReadPost, Tagger, Verdict, Weighed};
use serde_json::json;

use crate::cli::{Options, TopicsCommand};
use crate::commands::replay::replay;
use crate::{context, output};

/// The part of the points needed from which a topic that does not hold is shown.
const NEARLY: f64 = 0.5;
/// How many words are shown of a topic; `--json` has them all.
const SHOWN_WORDS: usize = 8;

pub(crate) async fn run(options: &Options, command: &TopicsCommand) -> anyhow::Result<ExitCode> {
    let settings = context::settings_or_defaults(options)?;
    let site = &settings.site;
    match command {
        TopicsCommand::List => {
            context::warn(&settings);
            list(options, &site.topics)?;
        }
        TopicsCommand::Explain { file, all } => explain(options, &site.topics, file, *all)?,
        TopicsCommand::Evaluate { file } => evaluate(options, &site.topics, file)?,
        TopicsCommand::Replay => replay(options, site).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(options: &Options, topics: &[Topic]) -> anyhow::Result<()> {
    let rules = |topic: &Topic| {
        let rules = &topic.rules;
        rules.phrases.len() + rules.needs.len() + rules.hashtags.len() + rules.categories.len()
    };
    if options.json {
        let listed: Vec<_> = topics
            .iter()
            .map(|topic| {
                json!({"slug": topic.slug, "name": topic.name, "description": topic.description,
                       "parent": topic.parent, "rules": rules(topic)})
            })
            .collect();
        return output::print_json(&listed);
    }
    let mut text = String::new();
    for topic in topics {
        let indent = if topic.parent.is_some() { "  " } else { "" };
        let _ = writeln!(
            text,
            "{indent}{} ({}, {} rules): {}",
            topic.name,
            topic.slug,
            rules(topic),
            topic.description
        );
    }
    Ok(output::print(&text)?)
}

fn explain(options: &Options, topics: &[Topic], file: &Path, all: bool) -> anyhow::Result<()> {
    let tagger = Tagger::new(topics);
    let mut posts = Vec::new();
    let mut text = String::new();
    for post in posts_of(file)? {
        let read = post.read();
        let weighed = read.explain(&tagger);
        if options.json {
            posts.push(json!({"id": post.id, "title": read.title, "words": read.words,
                              "hashtags": read.hashtags, "topics": weighed}));
        } else {
            in_words(&mut text, &read, &weighed, all);
        }
    }
    if options.json {
        return output::print_json(&json!({"enough": Tagger::ENOUGH, "posts": posts}));
    }
    Ok(output::print(&text)?)
}

/// The posts in a file, or on standard input, whose kind its name or else its first characters tell.
fn posts_of(file: &Path) -> anyhow::Result<Vec<LabelledPost>> {
    let name = file.display();
    let from_stdin = file.as_os_str() == "-";
    let text = if from_stdin {
        std::io::read_to_string(std::io::stdin()).context("standard input cannot be read as text")?
    } else {
        std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?
    };
    let ending = file
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default();
    let beginning = text.trim_start();
    Ok(match ending.to_ascii_lowercase().as_str() {
        "json" | "jsonl" => json_lines(&name.to_string(), &text)?,
        "txt" | "md" | "markdown" => vec![LabelledPost::from_text(&text)],
        "html" | "htm" | "xhtml" => vec![LabelledPost::from_html(&text)],
        _ if beginning.starts_with('{') => json_lines(&name.to_string(), &text)?,
        _ if beginning.starts_with('<') => vec![LabelledPost::from_html(&text)],
        _ => vec![LabelledPost::from_text(&text)],
    })
}

/// Posts as JSON, one a line.
fn json_lines(name: &str, text: &str) -> anyhow::Result<Vec<LabelledPost>> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            serde_json::from_str(line).with_context(|| {
                format!("{name}:{number}: this is no post; write {{\"title\": \"…\", \"html\": \"…\"}} on one line")
            })
        })
        .collect()
}

fn in_words(text: &mut String, post: &ReadPost, weighed: &[Weighed], all: bool) {
    let title = match first_words(&post.title, 30) {
        title if title.is_empty() => "(no title)".to_owned(),
        title => title,
    };
    let _ = writeln!(text, "{title}, {} words", post.words);
    if post.text.len() > Tagger::LONGEST {
        let _ = writeln!(
            text,
            "only its first {} KiB count: what a post is about is said by then",
            Tagger::LONGEST / 1024
        );
    }
    if !post.hashtags.is_empty() {
        let _ = writeln!(text, "hashtags: #{}", post.hashtags.join(" #"));
    }
    let mut shown: Vec<&Weighed> = weighed
        .iter()
        .filter(|topic| {
            topic.verdict.holds() || topic.points >= Tagger::ENOUGH * NEARLY || (all && !topic.why.is_empty())
        })
        .collect();
    if shown.is_empty() {
        text.push_str("  no topic holds or nearly holds; --all shows what there is\n");
    }
    shown.sort_by_key(|topic| !topic.verdict.holds());
    for topic in shown {
        let verdict = match &topic.verdict {
            Verdict::Holds => "holds".to_owned(),
            Verdict::HoldsByChild(child) => format!("holds, as {child} does"),
            Verdict::LacksNeededWords => {
                "does not hold: the words that it needs are not there, or too few".to_owned()
            }
            Verdict::Outweighed(by) => format!("does not hold: {by} has more than twice the points"),
            Verdict::TooWeak => "does not hold".to_owned(),
        };
        let _ = writeln!(
            text,
            "  {}: {verdict}; {:.2} of {:.2} points, score {:.2}",
            topic.slug,
            topic.points,
            Tagger::ENOUGH,
            topic.score
        );
        for words in topic.why.iter().take(SHOWN_WORDS) {
            let place = match words.place {
                EvidencePlace::Title => "title",
                EvidencePlace::Body => "body",
                EvidencePlace::Category => "category",
                EvidencePlace::Hashtag => "hashtag",
            };
            let times = match words.times {
                1 => String::new(),
                times => format!(" ×{times}"),
            };
            let _ = writeln!(
                text,
                "    {:+6.2}  {place:<8}  {}{times}",
                words.points, words.text
            );
        }
        if topic.why.len() > SHOWN_WORDS {
            let _ = writeln!(text, "            … and {} more", topic.why.len() - SHOWN_WORDS);
        }
    }
    text.push('\n');
}

fn evaluate(options: &Options, topics: &[Topic], file: &Path) -> anyhow::Result<()> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    let posts = json_lines(&name.to_string(), &text)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> anyhow::Result<Vec<String>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(name);
        std::fs::write(&file, text)?;
        Ok(posts_of(&file)?
            .into_iter()
            .map(|post| post.read().title)
            .collect())
    }

    #[test]
    fn a_file_is_what_its_name_or_its_beginning_says() {
        let html = "<html><body><h1>A page</h1><p>x";
        let json = "{\"title\": \"One\"}\n\n{\"title\": \"Two\", \"html\": \"<p>x</p>\", \"more\": 1}\n";
        for (name, text, titles) in [
            ("post.html", html, &["A page"][..]),
            ("post", html, &["A page"]),
            ("post.txt", "<b> is bold\ntext", &["<b> is bold"]),
            ("post", "A text\n\nof words", &["A text"]),
            ("post.jsonl", json, &["One", "Two"]),
            ("post", json, &["One", "Two"]),
        ] {
            assert_eq!(read(name, text).unwrap(), titles, "{name}: {text}");
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = read("posts.jsonl", "{\"title\": \"One\"}\n{\"title\": 2}").unwrap_err();
        assert!(
            format!("{error:#}").contains("posts.jsonl:2: this is no post"),
            "{error:#}"
        );
    }

    #[test]
    fn says_what_holds_what_nearly_holds_and_why() {
        let topics = registry::builtin_topics();
        let tagger = Tagger::new(topics);
        let post = LabelledPost::from_text("Our councillors\nLocal democracy, and an unconference. #tag");
        let read = post.read();
        let explained = |all| {
            let mut text = String::new();
            in_words(&mut text, &read, &read.explain(&tagger), all);
            text
        };
        let text = explained(false);
        for line in [
            "Our councillors, 6 words\nhashtags: #tag\n",
            "  democracy: holds; ",
            "  title     councillors\n",
            "  body      Local democracy\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("skills") && explained(true).contains("skills: does not hold; "));
        assert!(!text.contains("KiB count"), "{text}");
        let enormous = LabelledPost::from_text(&format!("Tea\n{}", "milk ".repeat(60_000))).read();
        let mut text = String::new();
        in_words(&mut text, &enormous, &enormous.explain(&tagger), false);
        assert!(text.contains("only its first 256 KiB count"), "{text}");
        let nothing = LabelledPost::from_text("Tea\nMilk").read();
        let mut text = String::new();
        in_words(&mut text, &nothing, &nothing.explain(&tagger), false);
        assert!(text.contains("no topic holds or nearly holds"), "{text}");
    }
}
