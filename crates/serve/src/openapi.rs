//! `/openapi.json`: what programs may ask for and what they get, as OpenAPI 3.1. It is written by hand, but for the topics
//! and members that there are; the tests here hold it against what is really sent.

use crate::asked::{Asked, Made};
use crate::document::{Document, Kind};

const OPENAPI: &str = include_str!("../assets/openapi.json");
const TOPICS: &str = r#", "@topics""#;
const MEMBERS: &str = r#", "@members""#;

pub(crate) async fn openapi(asked: Asked) -> Made {
    let topics = asked.site.topics.iter().map(|topic| topic.slug.as_str());
    let members = asked.store().members().await?;
    let members = members.iter().map(|detail| detail.member.slug.as_str());
    let document = OPENAPI
        .replacen(TOPICS, &further(topics), 1)
        .replacen(MEMBERS, &further(members), 1);
    Ok(Document::new(Kind::Json, document))
}

/// Further values of a list in JSON. A slug needs no escapes.
fn further<'s>(slugs: impl Iterator<Item = &'s str>) -> String {
    let quoted: Vec<String> = slugs.map(|slug| format!(r#", "{slug}""#)).collect();
    quoted.concat()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::OPENAPI;
    use crate::testing::Client;
    use crate::tests::{ROUTES, is_page};

    fn paths() -> Map<String, Value> {
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        document["paths"].as_object().unwrap().clone()
    }

    /// Whether a template like `/digest/{week}.json` has this path.
    fn has(template: &str, path: &str) -> bool {
        let mut rest = path;
        for (index, piece) in template.split('{').enumerate() {
            let fixed = if index == 0 {
                piece
            } else {
                piece.split_once('}').unwrap().1
            };
            if index == 0 {
                let Some(after) = rest.strip_prefix(fixed) else {
                    return false;
                };
                rest = after;
                continue;
            }
            let end = if fixed.is_empty() {
                rest.len()
            } else {
                match rest.find(fixed) {
                    Some(end) => end,
                    None => return false,
                }
            };
            if end == 0 || rest[..end].contains('/') {
                return false;
            }
            rest = &rest[end + fixed.len()..];
        }
        rest.is_empty()
    }

    #[test]
    fn every_document_for_programs_is_described() {
        let paths = paths();
        for (path, media) in ROUTES {
            if is_page(&(path, media)).is_some() || path == "/favicon.svg" {
                continue;
            }
            let path = path.split('?').next().unwrap();
            let mut described = paths.iter().filter(|(template, _)| has(template, path));
            let (template, operations) = described.next().unwrap_or_else(|| panic!("{path}"));
            let content = &operations["get"]["responses"]["200"]["content"];
            assert!(content.get(media).is_some(), "{template}: {media}");
        }
    }

    #[tokio::test]
    async fn topics_and_members_are_those_of_the_site() {
        let client = Client::new().await;
        let document = client.get("/openapi.json").await.json();
        let values = |name: &str| document["components"]["schemas"][name]["enum"].clone();
        assert_eq!(
            values("Topic"),
            serde_json::json!(["", "democracy", "notices", "skills"])
        );
        for (name, slugs) in [("topic", values("Topic")), ("member", values("Member"))] {
            for slug in slugs.as_array().unwrap() {
                let path = format!("/entries.json?{name}={}", slug.as_str().unwrap());
                assert_eq!(client.get(&path).await.status, 200, "{path}");
            }
            let path = format!("/entries.json?{name}=nonesuch");
            assert_eq!(client.get(&path).await.json()["parameter"], name);
        }
    }

    #[tokio::test]
    async fn everything_that_is_described_is_sent() {
        let client = Client::new().await;
        for (template, operations) in paths() {
            let mut path = template.clone();
            for (name, value) in [
                ("/topics/{slug}", "/topics/democracy"),
                ("/members/{slug}", "/members/one-example"),
                ("{tag}", "localgovdigital"),
                ("{page}", "1"),
                ("{key}", "000000f1"),
                ("{week}", "2026-W47"),
                ("{revision}", "1"),
            ] {
                path = path.replace(name, value);
            }
            if path.starts_with("/search/") {
                path.push_str("?q=councillors");
            }
            let answer = client.get(&path).await;
            let status = answer.status.as_str().to_owned();
            let described = &operations["get"]["responses"][&status];
            // The example has nobody to write to and no closed issue.
            let is_missing = path.contains("/2026-W47/r1.")
                || ["/.well-known/security.txt", "/digest/latest.json"].contains(&path.as_str());
            assert_eq!(status, if is_missing { "404" } else { "200" }, "{path}");
            let content = match described["$ref"].as_str() {
                Some(_) => continue,
                None => &described["content"],
            };
            assert!(
                content.get(answer.header("content-type")).is_some(),
                "{path}: {}",
                answer.header("content-type")
            );
        }
    }
}
