//! `voice topics replay`: what the present rules would add to the archive and remove from it, before they go live.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::{Site, Topic};
use poll::Replayed;
use serde_json::json;
use store::Store;

use crate::cli::Options;
use crate::output;

/// How many posts are named of each gain and loss; `--json` has them all.
const NAMED: usize = 5;

/// What would change of one topic.
#[derive(Default)]
struct Difference {
    added: Vec<String>,
    removed: Vec<String>,
}

pub(crate) async fn replay(options: &Options, site: &Site) -> anyhow::Result<()> {
    let store = Store::open(&options.database).await?;
    let mut changed: Vec<Replayed> = Vec::new();
    let posts = poll::replay(&store, site, |replayed| changed.push(replayed)).await?;
    let (appear, disappear) = changed
        .iter()
        .fold((0, 0), |(appear, disappear), post| match post.shown {
            (false, true) => (appear + 1, disappear),
            (true, false) => (appear, disappear + 1),
            _ => (appear, disappear),
        });
    if options.json {
        let entries: Vec<_> = changed
            .iter()
            .map(|post| {
                json!({"key": post.key, "title": post.title, "added": post.added, "removed": post.removed,
                       "shown": post.shown.1})
            })
            .collect();
        return output::print_json(
            &json!({"posts": posts, "changed": changed.len(), "appear": appear,
                                   "disappear": disappear, "entries": entries}),
        );
    }
    let mut text = table(&site.topics, &changed);
    if changed.is_empty() {
        let _ = writeln!(text, "{posts} posts: these rules change nothing.");
    } else {
        let _ = writeln!(
            text,
            "{posts} posts: {} would change; {appear} would appear and {disappear} disappear, in feeds that take part with\n\
             tagged posts alone. Nothing is written yet: a running Voice takes the rules over when it reads its config again\n\
             (kill -HUP), and at its next start.",
            changed.len()
        );
    }
    Ok(output::print(&text)?)
}

/// The topics in the order of the rules, those that left the rules last, each with what it would gain and lose.
fn table(topics: &[Topic], changed: &[Replayed]) -> String {
    let mut differences: BTreeMap<&str, Difference> = BTreeMap::new();
    for post in changed {
        let name = || format!("{}  {}", post.key, post.title.as_deref().unwrap_or("(no title)"));
        for topic in &post.added {
            differences.entry(&topic.slug).or_default().added.push(name());
        }
        for slug in &post.removed {
            differences.entry(slug).or_default().removed.push(name());
        }
    }
    let mut text = String::new();
    let known = topics.iter().map(|topic| topic.slug.as_str());
    let mut slugs: Vec<&str> = known.filter(|slug| differences.contains_key(slug)).collect();
    let left: Vec<&str> = differences
        .keys()
        .filter(|slug| !slugs.contains(slug))
        .copied()
        .collect();
    slugs.extend(left);
    for slug in slugs {
        let Difference { added, removed } = &differences[slug];
        let _ = writeln!(text, "{slug}: +{} -{}", added.len(), removed.len());
        for (sign, names) in [('+', added), ('-', removed)] {
            for name in names.iter().take(NAMED) {
                let _ = writeln!(text, "  {sign} {name}");
            }
            if names.len() > NAMED {
                let _ = writeln!(text, "  {sign} … and {} more", names.len() - NAMED);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use model::{TopicMatch, TopicSource};

    use super::*;

    #[test]
    fn the_table_counts_and_names() {
        let post = |number: usize, removed: &[&str]| Replayed {
            key: format!("key{number}"),
            title: (number > 0).then(|| format!("Title {number}")),
            added: vec![TopicMatch {
                slug: "skills".to_owned(),
                score: 0.5,
                by: TopicSource::Rule,
                why: Vec::new(),
            }],
            removed: removed.iter().map(|slug| (*slug).to_owned()).collect(),
            shown: (true, true),
        };
        let changed: Vec<Replayed> = (0..7)
            .map(|number| post(number, if number == 1 { &["old"] } else { &[] }))
            .collect();
        assert_eq!(
            table(&[], &changed),
            "old: +0 -1\n  - key1  Title 1\n\
             skills: +7 -0\n  + key0  (no title)\n  + key1  Title 1\n  + key2  Title 2\n  + key3  Title 3\n  + key4  Title 4\n  + … and 2 more\n"
        );
        assert_eq!(table(&[], &[]), "");
    }
}
