//! Search: the words, the posts that have them, and where.

use std::collections::HashSet;

use askama::Template;
use store::SearchHit;

use super::page;
use super::shell::{Part, Shell};
use super::view::Item;
use crate::asked::{Asked, Made};

/// Hits on one page.
const PAGE: u32 = 20;

/// The last page that is shown; who wants more is better served by `/entries.json`.
const LAST: u32 = 50;

/// The parameters of the search page.
pub(crate) const PARAMETERS: &[&str] = &["q", "page"];

struct Hit {
    item: Item,
    snippet: Vec<(String, bool)>,
}

#[derive(Template)]
#[template(path = "search.html")]
struct Search {
    shell: Shell,
    hits: Vec<Hit>,
}

/// `/search?q=`
pub(crate) async fn search(asked: Asked) -> Made {
    let parameters = &asked.parameters;
    let number = parameters.number("page", 1, LAST)?.unwrap_or(1);
    let Some(words) = parameters.get("q") else {
        let mut shell = Shell::new(&asked.site, Part::Elsewhere, Some("Search".to_owned()));
        shell.unlisted = true;
        return page(&Search {
            shell,
            hits: Vec::new(),
        });
    };
    // One more than is shown says whether there is a further page.
    let mut found = asked.store().search(words, PAGE + 1, (number - 1) * PAGE).await?;
    let more = found.len() > PAGE as usize && number < LAST;
    found.truncate(PAGE as usize);
    let title = format!("Search: {words}");
    let of = parameters.query_with(&[("page", None)]);
    let mut shell =
        Shell::new(&asked.site, Part::Elsewhere, Some(title.clone())).with_feeds(&title, "/search", &of);
    shell.unlisted = true;
    words.clone_into(&mut shell.query);
    let link = |number: u32| {
        format!(
            "/search{}",
            parameters.query_with(&[("page", Some(&number.to_string()))])
        )
    };
    shell.newer = (number > 1).then(|| link(number - 1));
    shell.older = more.then(|| link(number + 1));
    let hits = found
        .into_iter()
        .map(|hit| Hit {
            snippet: words_around(&hit),
            item: Item::new(&hit.entry, &asked.site),
        })
        .collect();
    page(&Search { shell, hits })
}

/// The words around the match; where the member gives excerpts, the excerpt with what matched marked in it, for
/// a highlight gives no more of a post than a page does.
fn words_around(hit: &SearchHit) -> Vec<(String, bool)> {
    if hit.entry.content_html.is_some() {
        return hit.snippet.clone();
    }
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let matched = hit.snippet.iter().filter(|(_, matched)| *matched);
    let matched: HashSet<String> = matched
        .flat_map(|(text, _)| text.split_whitespace())
        .map(bare)
        .collect();
    let mut pieces: Vec<(String, bool)> = Vec::new();
    for word in hit.entry.summary.split_whitespace() {
        let is_match = matched.contains(&bare(word));
        match pieces.last_mut() {
            Some((text, false)) if !is_match => {
                text.push(' ');
                text.push_str(word);
            }
            Some(_) => pieces.extend([(" ".to_owned(), false), (word.to_owned(), is_match)]),
            None => pieces.push((word.to_owned(), is_match)),
        }
    }
    pieces
}
