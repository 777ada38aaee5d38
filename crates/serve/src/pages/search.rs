//! Search: the words, the posts that have them, and where.

use std::collections::HashSet;

use askama::Template;
use model::{FilterBy, Search};
use store::SearchHit;

use super::page;
use super::shell::{Part, Shell};
use super::view::{Item, Named};
use crate::asked::{Asked, Made};
use crate::failure::Failure;

/// Hits on one page.
const PAGE: u32 = 20;

/// The last page that is shown; who wants more is better served by `/entries.json`.
const LAST: u32 = 50;

/// Words that are offered one by one where they were not found together.
const ALONE: usize = 6;

/// The parameters of the search page.
pub(crate) const PARAMETERS: &[&str] = &["q", "page"];

struct Hit {
    item: Item,
    snippet: Vec<(String, bool)>,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    shell: Shell,
    hits: Vec<Hit>,
    help: Vec<Hint>,
    /// Whether it asks for nothing, so that nothing can be found.
    is_nothing: bool,
    /// Whether words rank what is found; else the latest stands first.
    is_ranked: bool,
    /// The first page, where this one lies beyond the last.
    first: Option<String>,
}

/// What may help whoever searches: a sentence, and where to go on.
struct Hint {
    text: String,
    links: Vec<Named>,
}

/// `/search?q=`
pub(crate) async fn search(asked: Asked) -> Made {
    let parameters = &asked.parameters;
    let number = parameters.number("page", 1, LAST)?.unwrap_or(1);
    let Some(words) = parameters.get("q") else {
        let mut shell = Shell::new(&asked.site, Part::Elsewhere, Some("Search".to_owned()));
        shell.unlisted = true;
        return page(&SearchPage {
            shell,
            hits: Vec::new(),
            help: Vec::new(),
            is_nothing: true,
            is_ranked: false,
            first: None,
        });
    };
    // One more than is shown says whether there is a further page.
    let search = Search::read(words, &asked.site);
    let mut found = asked
        .store()
        .search(&search, PAGE + 1, (number - 1) * PAGE)
        .await?;
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
    let is_beyond = number > 1 && found.is_empty() && !search.is_nothing();
    shell.newer = (number > 1 && !is_beyond).then(|| link(number - 1));
    shell.older = more.then(|| link(number + 1));
    let found_nothing = found.is_empty() && !is_beyond;
    let hits = found
        .into_iter()
        .map(|hit| Hit {
            snippet: words_around(&hit),
            item: Item::new(&hit.entry, &asked.site),
        })
        .collect();
    let help = hints(&asked, &search, found_nothing).await?;
    page(&SearchPage {
        shell,
        hits,
        help,
        is_nothing: search.is_nothing(),
        is_ranked: !search.wanted.is_empty(),
        first: is_beyond.then(|| format!("/search{of}")),
    })
}

/// What was not understood, and, where nothing was found, what stood in the way and how to ask for more.
async fn hints(asked: &Asked, search: &Search, found_nothing: bool) -> Result<Vec<Hint>, Failure> {
    let mut hints: Vec<Hint> = search
        .misread
        .iter()
        .map(|term| Hint {
            text: format!(
                "{term} names no day, so it was searched for as words. Write a day, a month or a year: \
                 before:2015-02-09, after:2015-02, before:2015."
            ),
            links: Vec::new(),
        })
        .collect();
    if !found_nothing {
        return Ok(hints);
    }
    for filter in search.filters.iter().filter(|filter| !filter.without) {
        for value in &filter.values {
            let (text, name, path) = match filter.by {
                FilterBy::Topic if asked.site.topic(value).is_none() => {
                    (format!("There is no topic “{value}”."), "All topics", "/topics")
                }
                FilterBy::Member if asked.store().member(value).await?.is_none() => (
                    format!("There is no member “{value}”."),
                    "All members",
                    "/members",
                ),
                _ => continue,
            };
            hints.push(Hint {
                text,
                links: vec![Named {
                    name: name.to_owned(),
                    path: path.to_owned(),
                }],
            });
        }
    }
    let quoted = |term: &String| {
        if term.contains(char::is_whitespace) {
            format!("\"{term}\"")
        } else {
            term.clone()
        }
    };
    let ask = |words: String| Named {
        path: format!(
            "/search{}",
            asked
                .parameters
                .query_with(&[("page", None), ("q", Some(&words))])
        ),
        name: words,
    };
    let is_narrowed = !search.filters.is_empty()
        || !search.unwanted.is_empty()
        || search.since.is_some()
        || search.until.is_some();
    let wanted: Vec<String> = search.wanted.iter().map(quoted).collect();
    if is_narrowed && !wanted.is_empty() {
        hints.push(Hint {
            text: "Without what narrows it:".to_owned(),
            links: vec![ask(wanted.join(" "))],
        });
    }
    if wanted.len() > 1 {
        hints.push(Hint {
            text: "All of the words have to stand in a post. One at a time:".to_owned(),
            links: wanted.into_iter().take(ALONE).map(ask).collect(),
        });
    }
    Ok(hints)
}

/// The words around the match; where the member gives excerpts, the excerpt with what matched marked in it, for
/// a highlight gives no more of a post than a page does.
fn words_around(hit: &SearchHit) -> Vec<(String, bool)> {
    if hit.entry.content_html.is_some() {
        return hit.snippet.clone();
    }
    let matched: HashSet<String> = (hit.snippet.iter())
        .filter(|(_, matched)| *matched)
        .flat_map(|(text, _)| text.split_whitespace())
        .map(|word| itself(word).to_lowercase())
        .collect();
    let mut pieces: Vec<(String, bool)> = Vec::new();
    let mut push = |text: &str, is_match: bool| match pieces.last_mut() {
        Some((last, false)) if !is_match => last.push_str(text),
        _ => pieces.push((text.to_owned(), is_match)),
    };
    for (at, word) in hit.entry.summary.split_whitespace().enumerate() {
        push(if at > 0 { " " } else { "" }, false);
        let itself = itself(word);
        match word.split_once(itself) {
            Some((before, behind)) if matched.contains(&itself.to_lowercase()) => {
                push(before, false);
                push(itself, true);
                push(behind, false);
            }
            _ => push(word, false),
        }
    }
    pieces
}

/// A word without the punctuation around it.
fn itself(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}
