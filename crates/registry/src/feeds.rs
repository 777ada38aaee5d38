//! `[[feed]]`: the list of feeds, in from TOML and out to it. Whether a member exists, which slug a name gets
//! and what a member chose in the database are not known here.

use std::collections::HashMap;
use std::fmt::{self, Write};

use model::{ContentChoice, FeedSpec, IncludeChoice, MemberKind, normal_feed_address};
use url::Url;

use crate::document::Table;
use crate::report::Place;
use crate::units::{self, choice};

/// The feeds, in the order of the file.
pub(crate) fn read(tables: Vec<Table<'_>>) -> Vec<FeedSpec> {
    let mut seen = Seen::default();
    tables
        .into_iter()
        .filter_map(|table| read_feed(table, &mut seen))
        .collect()
}

/// What no two feeds may share, and where it stood first.
#[derive(Default)]
struct Seen {
    slugs: HashMap<String, Place>,
    addresses: HashMap<String, Place>,
}

/// Where the key was seen first, if it was.
fn seen_at(places: &mut HashMap<String, Place>, key: String, place: &Place) -> Option<String> {
    let first = places.get(&key).map(Place::in_words);
    if first.is_none() {
        places.insert(key, place.clone());
    }
    first
}

fn read_feed(mut table: Table<'_>, seen: &mut Seen) -> Option<FeedSpec> {
    if let Some(label) = ["slug", "name", "url"]
        .into_iter()
        .find_map(|key| table.peek(key))
    {
        table.what = format!("feed {label:?}");
    }
    if !table.has("url") {
        table.lacks("url", "url = \"https://…\"");
    }
    if table.has("member") {
        for key in ["name", "organisation"] {
            if table.has(key) {
                let complaint = "cannot stand beside member, whose own it would be; leave one of the two out";
                table.complain(&table.place_of(key), key, complaint);
            }
        }
    } else if !table.has("name") {
        table.lacks(
            "name",
            "name = \"Who writes it\", or member = \"slug\" for a further feed of a member",
        );
    }
    let place = table.place_of("url");
    let url = table.text("url", units::web_address);
    if let Some(url) = &url
        && let Some(first) = seen_at(&mut seen.addresses, normal_feed_address(url), &place)
    {
        let complaint = format!("this address stands on {first} already; leave one of the two out");
        table.complain(&place, "url", &complaint);
    }
    let name = table.text("name", units::words);
    let member = table.text("member", units::slug);
    let organisation = table.text("organisation", units::words);
    let kind = table.text("kind", |text| {
        choice(
            &[MemberKind::Person, MemberKind::Team].map(|kind| (kind.as_str(), kind)),
            text,
        )
    });
    let site = table.text("site", units::web_address);
    let place = table.place_of("slug");
    let slug = table.text("slug", units::slug);
    if let Some(slug) = &slug
        && let Some(first) = seen_at(&mut seen.slugs, slug.clone(), &place)
    {
        let complaint = format!("{slug:?} stands on {first} already; give this one another");
        table.complain(&place, "slug", &complaint);
    }
    let content = table.text("content", |text| {
        choice(
            &[ContentChoice::Excerpt, ContentChoice::Full].map(|word| (word.as_str(), word)),
            text,
        )
    });
    let include = table.text("include", |text| {
        choice(
            &[IncludeChoice::All, IncludeChoice::Tagged].map(|word| (word.as_str(), word)),
            text,
        )
    });
    let licence = table.text("licence", units::words);
    let joined = table.date("joined");
    table.finish();
    Some(FeedSpec {
        url: url?,
        name,
        member,
        organisation,
        kind,
        site,
        slug,
        content,
        include,
        licence,
        joined,
    })
}

/// The feeds as `[[feed]]` tables that [`parse`](crate::parse) reads back equal; what is `None` is left out.
pub fn to_toml(feeds: &[FeedSpec]) -> String {
    feeds.iter().map(feed_table).collect::<Vec<_>>().join("\n")
}

fn feed_table(feed: &FeedSpec) -> String {
    let texts = [
        ("url", Some(feed.url.as_str())),
        ("name", feed.name.as_deref()),
        ("member", feed.member.as_deref()),
        ("organisation", feed.organisation.as_deref()),
        ("kind", feed.kind.map(MemberKind::as_str)),
        ("site", feed.site.as_ref().map(Url::as_str)),
        ("slug", feed.slug.as_deref()),
        ("content", feed.content.map(ContentChoice::as_str)),
        ("include", feed.include.map(IncludeChoice::as_str)),
        ("licence", feed.licence.as_deref()),
    ];
    let mut lines = vec!["[[feed]]\n".to_owned()];
    for (key, value) in texts {
        lines.extend(value.map(|value| format!("{key} = {}\n", Quoted(value))));
    }
    lines.extend(feed.joined.map(|day| format!("joined = {day}\n")));
    lines.concat()
}

/// A TOML basic string (TOML 1.0, "String").
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::parse;

    #[test]
    fn what_is_written_is_read_back_equal() {
        let full = FeedSpec {
            organisation: Some("Example \\ Council\n\u{7}\u{85}\r".into()),
            kind: Some(MemberKind::Team),
            site: Some(Url::parse("https://example.org/").unwrap()),
            slug: Some("example".into()),
            content: Some(ContentChoice::Full),
            include: Some(IncludeChoice::Tagged),
            licence: Some("CC-BY-4.0".into()),
            joined: NaiveDate::from_ymd_opt(2026, 2, 3),
            ..FeedSpec::new(
                Url::parse("https://example.org/feed?a=\"b\"").unwrap(),
                "An \"example\" blog – 😀",
            )
        };
        let further = FeedSpec {
            name: None,
            member: Some("example".into()),
            ..FeedSpec::new(Url::parse("https://example.net/feed").unwrap(), "")
        };
        let feeds = vec![full, further];
        let text = to_toml(&feeds);
        assert_eq!(parse("x.toml", &text, &[]).unwrap().feeds, feeds, "{text}");
        assert_eq!(to_toml(&[]), "");
    }
}
