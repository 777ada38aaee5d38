//! The links in entries' texts: who answers whom, and what several point to.
//!
//! Links are written with their entry and looked up from either end, so that a post is found to answer another
//! whichever of the two came first. What is withdrawn or not shown is in no conversation.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use model::{Member, SafeHtml, link_key, links_in};
use url::Url;

use crate::db::Transaction;
use crate::rows::Fields;
use crate::sql::{On, Sql, statements};
use crate::{Store, StoreError};

/// Rows of one statement at most.
const ROWS: usize = 128;
/// Entries asked about in one statement at most.
const KEYS: usize = 500;
/// Links of one entry that are kept; beyond them a text is a list of links.
const LINKS: usize = 100;
/// Posts that answer the entries of one statement at most, the latest first.
const ANSWERS: u32 = 500;

const ADD: &str = "INSERT INTO entry_links (entry_id, place, link_key, url, words) ";
const REMOVE: &str = "DELETE FROM entry_links WHERE entry_id = $1";

/// The words of a link are more than an excerpt.
const OF_ENTRIES: &str = "SELECT e.key, l.url, CASE WHEN f.content = 'full' THEN l.words ELSE '' END AS words
    FROM entries e CROSS JOIN feeds f CROSS JOIN entry_links l
    WHERE f.id = e.feed_id AND l.entry_id = e.id AND e.shown = TRUE AND e.key IN ";

/// An address that several shown entries have is that of a blog, not of a post. An author who answers their own post
/// where it stands in another's feed answers nobody else.
const CONVERSATIONS: &str = ") c CROSS JOIN entries a CROSS JOIN members am CROSS JOIN entries b CROSS JOIN members bm
    WHERE a.id = c.from_id AND am.id = a.member_id AND b.id = c.to_id AND bm.id = b.member_id
        AND NOT EXISTS (SELECT 1 FROM entries o WHERE o.shown = TRUE AND o.link_key = b.link_key AND o.id <> b.id)
        AND NOT EXISTS (SELECT 1 FROM entries d WHERE d.duplicate_of = b.id AND d.member_id = a.member_id)
    ORDER BY a.published_at, a.id, c.place";

/// A post in a conversation: as much as it takes to name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voiced {
    /// [`model::Entry::key`].
    pub key: String,
    /// [`model::Entry::id`].
    pub id: String,
    /// [`model::Entry::heading`].
    pub heading: String,
    /// [`model::Entry::language`].
    pub language: Option<String>,
    /// [`model::Entry::published`].
    pub published: DateTime<Utc>,
    /// [`model::Entry::member`].
    pub member: Member,
}

/// One post links to another member's in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The post that holds the link.
    pub from: Voiced,
    /// The post that it leads to.
    pub to: Voiced,
}

/// A link in the text of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    key: String,
    url: String,
    words: String,
}

/// The pages that a text points to, each once and in order; neither the post itself, whose link is `own`, nor pictures.
pub(crate) fn links_of(text: &SafeHtml, own: Option<&str>) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for (address, words) in links_in(text) {
        let Ok(url) = Url::parse(&address) else { continue };
        if !matches!(url.scheme(), "http" | "https") || is_picture(&url) {
            continue;
        }
        let key = link_key(&url);
        if own == Some(key.as_str()) || links.iter().any(|link| link.key == key) {
            continue;
        }
        links.push(Link {
            key,
            url: address,
            words,
        });
        if links.len() == LINKS {
            break;
        }
    }
    links
}

fn is_picture(url: &Url) -> bool {
    let Some((_, ending)) = url.path().rsplit_once('.') else {
        return false;
    };
    ["jpg", "jpeg", "png", "gif", "webp", "svg", "avif"]
        .iter()
        .any(|picture| ending.eq_ignore_ascii_case(picture))
}

/// Adds the links of new entries.
pub(crate) async fn add(transaction: &mut Transaction, of: &[(i64, &[Link])]) -> Result<(), StoreError> {
    let rows: Vec<(i64, i64, &Link)> = of
        .iter()
        .flat_map(|(entry, links)| (0..).zip(*links).map(|(place, link)| (*entry, place, link)))
        .collect();
    for rows in statements(&rows, ROWS) {
        let mut sql = Sql::new(ADD);
        sql.push_values(rows, |row, (entry, place, link)| {
            row.push_bind(*entry)
                .push_bind(*place)
                .push_bind(&link.key)
                .push_bind(&link.url)
                .push_bind(&link.words);
        });
        sql.execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Gives an entry other links.
pub(crate) async fn replace(
    transaction: &mut Transaction,
    entry: i64,
    links: Vec<Link>,
) -> Result<(), StoreError> {
    forget(transaction, entry).await?;
    add(transaction, &[(entry, &links)]).await
}

/// Takes an entry's links away, with the words that its author gave them.
pub(crate) async fn forget(transaction: &mut Transaction, entry: i64) -> Result<(), StoreError> {
    Sql::new(REMOVE).bind(entry).execute(transaction).await?;
    Ok(())
}

impl Store {
    /// By key: the links in the texts of these entries in order, address and words, also of those that give excerpts
    /// alone, whose links come without words. An entry without links is not named.
    pub async fn links_of_entries(
        &self,
        keys: &[&str],
    ) -> Result<HashMap<String, Vec<(String, String)>>, StoreError> {
        links_of_entries(&mut On::from(self.readers()), keys).await
    }

    /// The conversations that these entries are part of, at either end, in the order in which the answers were
    /// published. A link counts that stands in the text and leads to another member's post.
    pub async fn conversations(&self, keys: &[&str]) -> Result<Vec<Conversation>, StoreError> {
        let mut found: Vec<Conversation> = Vec::new();
        for keys in keys.chunks(KEYS) {
            for row in conversations_query(keys).fetch_all(self.readers()).await? {
                let mut fields = Fields::of("entries", &row);
                let (from, _) = voiced(&mut fields)?;
                let (to, story) = voiced(&mut fields)?;
                let conversation = Conversation { from, to };
                if !is_blog(&conversation.to.member, story.as_deref()) && !found.contains(&conversation) {
                    found.push(conversation);
                }
            }
        }
        Ok(found)
    }
}

/// As [`Store::links_of_entries`], wherever it is asked.
pub(crate) async fn links_of_entries(
    on: &mut On<'_>,
    keys: &[&str],
) -> Result<HashMap<String, Vec<(String, String)>>, StoreError> {
    let mut links: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for keys in keys.chunks(KEYS) {
        let mut sql = Sql::new(OF_ENTRIES);
        sql.push_list(keys.iter().copied());
        sql.push(" ORDER BY l.entry_id, l.place");
        for row in sql.fetch_all(on.again()).await? {
            let mut fields = Fields::of("entry_links", &row);
            let link = (fields.take()?, fields.take()?, fields.take()?);
            let (key, url, words): (String, String, String) = link;
            links.entry(key).or_default().push((url, words));
        }
    }
    Ok(links)
}

fn conversations_query<'a>(keys: &[&'a str]) -> Sql<'a> {
    let mut sql = Sql::new("SELECT ");
    for (post, member) in [("a", "am"), ("b", "bm")] {
        let comma = if post == "a" { "" } else { ", " };
        sql.push(format!(
            "{comma}{post}.key, {post}.uri, {post}.title, {post}.summary, {post}.link, {post}.link_key, {post}.language,
             {post}.published_at, {member}.slug, {member}.name, {member}.organisation, {member}.url, {member}.kind"
        ));
    }
    sql.push(
        " FROM (SELECT f.id AS from_id, t.id AS to_id, l.place
            FROM entries f CROSS JOIN entry_links l CROSS JOIN entries t
            WHERE l.entry_id = f.id AND t.shown = TRUE AND t.link_key = l.link_key AND t.member_id <> f.member_id
                AND f.shown = TRUE AND f.key IN ",
    );
    sql.push_list(keys.iter().copied());
    sql.push(
        " UNION SELECT n.from_id, n.to_id, n.place FROM (SELECT f.id AS from_id, t.id AS to_id, l.place
            FROM entries t CROSS JOIN entry_links l CROSS JOIN entries f
            WHERE l.link_key = t.link_key AND f.id = l.entry_id AND f.shown = TRUE AND f.member_id <> t.member_id
                AND t.shown = TRUE AND t.key IN ",
    );
    sql.push_list(keys.iter().copied());
    sql.push(format!(" ORDER BY f.id DESC LIMIT {ANSWERS}) n"));
    sql.push(CONVERSATIONS);
    sql
}

/// The next columns, a post, and the form in which its link is compared.
fn voiced(fields: &mut Fields<'_>) -> Result<(Voiced, Option<String>), StoreError> {
    let (key, id) = (fields.take()?, fields.take()?);
    let (title, summary, link): (Option<String>, String, Option<String>) =
        (fields.take()?, fields.take()?, fields.take()?);
    let story = fields.take()?;
    let post = Voiced {
        key,
        id,
        heading: model::heading(title.as_deref(), &summary, link.as_deref()),
        language: fields.take()?,
        published: fields.at()?,
        member: fields.member()?,
    };
    Ok((post, story))
}

/// Whether this is where the member's blog itself lies: whoever links there means no post.
fn is_blog(member: &Member, story: Option<&str>) -> bool {
    let blog = member.url.as_deref().and_then(|url| Url::parse(url).ok());
    blog.is_some_and(|blog| story == Some(link_key(&blog).as_str()))
}

#[cfg(test)]
mod tests {
    use model::FeedSpec;

    use super::*;
    use crate::testing::{
        self, Sample, TestStore, execute, feed, id_of, minutes, plan, record, record_at, withdraw,
    };

    /// A post whose text is this.
    fn says(name: &str, html: &str) -> Sample {
        Sample::new(name).draft(|draft| draft.content_html = SafeHtml::vouched(html.to_owned()))
    }

    /// Who answers whom around the posts of these names.
    async fn talk(store: &Store, names: &[&str]) -> Vec<String> {
        let keys: Vec<String> = names.iter().map(|name| Sample::new(name).new.key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let found = store.conversations(&keys).await.unwrap();
        let name = |post: &Voiced| post.key.trim_end_matches('x').to_owned();
        let pairs = found
            .iter()
            .map(|pair| format!("{} > {}", name(&pair.from), name(&pair.to)));
        pairs.collect()
    }

    /// Three members: Ada's post links to Ben's, to another of her own and to herself; Ben's links to Cy's, which comes
    /// last.
    async fn filled() -> TestStore {
        let store = testing::store().await;
        let ada = feed(&store, "https://ada.example.net/feed", "Ada").await;
        let ben = feed(&store, "https://ben.example.net/feed", "Ben").await;
        let cy = feed(&store, "https://cy.example.net/feed", "Cy").await;
        let a = "<p><a href=\"https://example.org/a\">me</a> <a href=\"https://example.org/old\">mine</a> \
                 <a href=\"http://www.example.org/b/?utm_source=x#top\">Ben</a> <a href=\"https://example.org/b\">again</a> \
                 <a href=\"https://example.org/p.JPG\">picture</a> <a href=\"mailto:x@example.org\">mail</a></p>";
        record(
            &store,
            &ada,
            vec![
                says("a", a).at(minutes(-1)).entry(),
                says("old", "").at(minutes(-9)).entry(),
            ],
        )
        .await;
        record(
            &store,
            &ben,
            vec![
                says("b", "<a href=\"https://example.org/c\">Cy</a>")
                    .at(minutes(-2))
                    .entry(),
            ],
        )
        .await;
        record_at(&store, &cy, minutes(1), vec![says("c", "").entry()], Vec::new()).await;
        store
    }

    #[tokio::test]
    async fn are_found_from_both_ends_whichever_came_first() {
        let store = filled().await;
        assert_eq!(talk(&store, &["a"]).await, ["a > b"]);
        assert_eq!(talk(&store, &["b"]).await, ["b > c", "a > b"]);
        assert_eq!(talk(&store, &["c"]).await, ["b > c"]);
        assert_eq!(talk(&store, &["old"]).await, [""; 0]);
        assert_eq!(talk(&store, &[]).await, [""; 0]);
        let all = talk(&store, &["a", "b", "c", "old"]).await;
        assert_eq!(all, ["b > c", "a > b"]);
        let found = store.conversations(&[&Sample::new("c").new.key]).await.unwrap();
        assert_eq!(
            (
                &*found[0].from.heading,
                &*found[0].from.member.slug,
                &*found[0].to.id
            ),
            ("Title of b", "ben", "tag:voice.example.org,2026:cxxxxxxxxxxxxxxx")
        );
    }

    #[tokio::test]
    async fn end_with_a_withdrawal_of_either_end() {
        let store = filled().await;
        withdraw(&store, "b").await;
        for name in ["a", "b", "c"] {
            assert_eq!(talk(&store, &[name]).await, [""; 0], "{name}");
        }
    }

    #[tokio::test]
    async fn follow_an_edit_also_of_an_excerpt() {
        let store = filled().await;
        let ben = store
            .feeds()
            .await
            .unwrap()
            .into_iter()
            .find(|feed| feed.slug == "ben")
            .unwrap();
        let id = id_of(&store, &ben, "b").await;
        let revision = store.revision().await.unwrap().number;
        let edited = says("b", "<a href=\"https://example.org/old\">Ada</a>").at(minutes(-2));
        record_at(
            &store,
            &ben,
            minutes(5),
            Vec::new(),
            vec![edited.clone().changed(id, true)],
        )
        .await;
        assert_eq!(talk(&store, &["b"]).await, ["b > old", "a > b"]);
        assert_eq!(talk(&store, &["c"]).await, [""; 0]);
        assert_eq!(store.revision().await.unwrap().number, revision + 1);
        // Nothing that readers see.
        let counted = says("b", "<a href=\"https://example.org/old\">Ada</a> 17 likes").at(minutes(-2));
        record_at(
            &store,
            &ben,
            minutes(6),
            Vec::new(),
            vec![counted.changed(id, false)],
        )
        .await;
        assert_eq!(store.revision().await.unwrap().number, revision + 1);
    }

    #[tokio::test]
    async fn no_link_to_a_blog_or_to_ones_own_post_elsewhere_counts() {
        let store = testing::store().await;
        let blog = FeedSpec {
            site: Some("https://example.org/blog".parse().unwrap()),
            ..testing::spec("https://ben.example.net/feed", "Ben")
        };
        store
            .import_feeds(&[blog], minutes(0), chrono_tz::UTC)
            .await
            .unwrap();
        let ben = store.feeds().await.unwrap().pop().unwrap();
        let ada = feed(&store, "https://ada.example.net/feed", "Ada").await;
        let same = |name: &str, page: &str| {
            let page = format!("example.org/{page}");
            Sample::new(name).draft(|draft| draft.link_key = Some(page))
        };
        record(
            &store,
            &ben,
            vec![
                same("home", "blog").entry(),
                same("one", "notes").entry(),
                same("two", "notes").entry(),
                Sample::new("shared").entry(),
            ],
        )
        .await;
        let links =
            ["blog", "notes", "shared"].map(|page| format!("<a href=\"https://example.org/{page}\">x</a>"));
        record(
            &store,
            &ada,
            vec![
                says("answer", &links.concat()).entry(),
                Sample::new("shared").entry(),
            ],
        )
        .await;
        assert_eq!(talk(&store, &["answer"]).await, [""; 0]);
        execute(&store, "UPDATE entries SET duplicate_of = NULL").await;
        assert_eq!(talk(&store, &["shared"]).await, ["answer > shared"]);
    }

    #[tokio::test]
    async fn are_told_with_words_where_the_whole_post_is_given() {
        let store = filled().await;
        let key = Sample::new("a").new.key;
        let links = store.links_of_entries(&[&key, "none"]).await.unwrap();
        let address = |url: &str, words: &str| (url.to_owned(), words.to_owned());
        let (old, ben) = (
            "https://example.org/old",
            "http://www.example.org/b/?utm_source=x#top",
        );
        assert_eq!(links.len(), 1);
        assert_eq!(links[&key], [address(old, ""), address(ben, "")]);
        execute(&store, "UPDATE feeds SET content = 'full'").await;
        let links = store.links_of_entries(&[&key]).await.unwrap();
        assert_eq!(links[&key], [address(old, "mine"), address(ben, "Ben")]);
    }

    #[test]
    fn a_list_of_links_has_an_end() {
        let html = (0..1000).fold(String::new(), |html, number| {
            html + &format!("<a href=\"https://example.org/{number}\">x</a>")
        });
        assert_eq!(links_of(&SafeHtml::vouched(html), None).len(), LINKS);
    }

    #[tokio::test]
    async fn are_found_by_indices() {
        let store = testing::sqlite().await;
        let sql = conversations_query(&["one"]).into_text();
        let plan = plan(&store, sql).await;
        let scans: Vec<&str> = plan.lines().filter(|line| line.starts_with("SCAN")).collect();
        assert!(
            scans.iter().all(|line| *line == "SCAN c" || *line == "SCAN n"),
            "{plan}"
        );
    }
}
