//! Asking that no model be trained with what is here: for the whole site where its operator says so, else for all that
//! holds the words of a member whose own server asks for it.
//!
//! One rule decides of what holds the words of several: one of them is enough. So nobody has to look which posts stand
//! in which document, and a document cannot lose the wish by being joined with others (draft-ietf-aipref-vocab,
//! "Combining Preferences": the most restrictive preference applies).

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::asked::Asked;
use crate::failure::Failure;

/// Whether the document at this address asks for it because a member does. Pages and feeds of one member alone, and
/// posts, speak for themselves; all else speaks for everybody.
pub(crate) async fn is_refused_by_members(asked: &Asked) -> Result<bool, Failure> {
    let store = asked.store();
    // The site's own wish is said with every answer, and holds more than any member's.
    if !asked.site.ai_training || !store.any_refuses_training().await? {
        return Ok(false);
    }
    Ok(if asked.path.starts_with("/members/") {
        store.member_refuses_training(&asked.name).await?
    } else if asked.path.starts_with("/entries/") {
        store.entry_refuses_training(&asked.name).await?
    } else {
        true
    })
}

/// Says it in the vocabularies that are in use: the TDM Reservation Protocol, the robots tag that some crawlers read,
/// and `Content-Usage` (draft-ietf-aipref-attach).
pub(crate) fn refuse(headers: &mut HeaderMap) {
    headers.insert(
        HeaderName::from_static("tdm-reservation"),
        HeaderValue::from_static("1"),
    );
    headers.append(
        HeaderName::from_static("x-robots-tag"),
        HeaderValue::from_static("noai, noimageai"),
    );
    headers.insert(
        HeaderName::from_static("content-usage"),
        HeaderValue::from_static("train-ai=n"),
    );
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::StatusCode;
    use model::Site;
    use store::PollRecord;

    use crate::testing::{Client, NOW, at, feed_named, poll, site};

    /// The example blogs on a site that lets models be trained.
    async fn permissive() -> Client {
        let client = Client::new().await;
        let permissive = Site {
            ai_training: true,
            ..site()
        };
        client.site.send(Arc::new(permissive)).unwrap();
        client
    }

    /// A poll in which the first blog's server says whether it refuses.
    async fn says(client: &Client, refuses: bool) {
        let feed = feed_named(&client.store, "one-example").await;
        let record = PollRecord {
            refuses_training: Some(refuses),
            ..poll(&feed, at(NOW))
        };
        client.store.record_polls(&[record]).await.unwrap();
        // The revision that was looked up just now is believed for a moment.
        client
            .clock
            .set(client.state.now() + chrono::TimeDelta::seconds(1));
    }

    async fn refuses(client: &Client, path: &str) -> bool {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let said = [
            answer.header("tdm-reservation") == "1",
            answer.header("x-robots-tag").contains("noai, noimageai"),
            answer.header("content-usage") == "train-ai=n",
        ];
        assert!(said.iter().all(|one| *one == said[0]), "{path}: {said:?}");
        said[0]
    }

    #[tokio::test]
    async fn what_a_members_server_refuses_is_refused_for_all_that_holds_their_posts() {
        let client = permissive().await;
        let theirs = [
            "/members/one-example",
            "/members/one-example/feed.atom",
            "/members/one-example/feed.json",
            "/members/one-example/archive/1.rss",
            "/entries/000000f1",
        ];
        let shared = [
            "/",
            "/feed.atom",
            "/feed.rss",
            "/archive/1.json",
            "/topics/democracy/feed.atom",
            "/hashtags/localgovdigital",
            "/search?q=post",
            "/entries.json",
            "/digest/2026-W47.json",
            "/digest/2026-W47.md",
        ];
        let others = ["/members/two", "/members/two/feed.atom", "/entries/000000fh"];
        for path in theirs.iter().chain(&shared).chain(&others) {
            assert!(!refuses(&client, path).await, "{path}");
        }
        says(&client, true).await;
        for path in theirs.iter().chain(&shared) {
            assert!(refuses(&client, path).await, "{path}");
        }
        for path in others {
            assert!(!refuses(&client, path).await, "{path}");
        }
        let robots = client.get("/robots.txt").await;
        assert!(robots.text().contains("User-agent: GPTBot\n"));
        says(&client, false).await;
        for path in theirs.iter().chain(&shared) {
            assert!(!refuses(&client, path).await, "{path}");
        }
        assert!(!client.get("/robots.txt").await.text().contains("GPTBot"));
    }

    #[tokio::test]
    async fn who_has_a_document_without_the_wish_gets_it_again() {
        let client = permissive().await;
        let before = client.get("/feed.atom").await;
        says(&client, true).await;
        let known = [("if-none-match", before.header("etag"))];
        let after = client.send("GET", "/feed.atom", &known).await;
        assert_eq!(after.status, StatusCode::OK);
        assert_eq!(after.body, before.body);
        let known = [("if-none-match", after.header("etag"))];
        assert_eq!(
            client.send("GET", "/feed.atom", &known).await.status,
            StatusCode::NOT_MODIFIED
        );
    }

    #[tokio::test]
    async fn a_site_that_refuses_says_so_once() {
        let client = Client::new().await;
        says(&client, true).await;
        for path in ["/feed.atom", "/members/one-example", "/members/two"] {
            let answer = client.get(path).await;
            let tags = answer.headers.get_all("x-robots-tag").iter().count();
            assert_eq!(tags, 1, "{path}");
            assert!(refuses(&client, path).await, "{path}");
        }
    }
}
