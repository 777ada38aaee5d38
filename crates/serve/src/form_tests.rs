//! Tests of what every form relies on, sent through the router.

use axum::http::StatusCode;

use crate::testing::Client;

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let client = Client::new().await;
    for (headers, refused) in [
        (&[("sec-fetch-site", "cross-site")][..], true),
        (&[("sec-fetch-site", "same-site")], true),
        (&[("sec-fetch-site", "cross-site"), ("origin", "null")], true),
        (&[("sec-fetch-site", "same-origin")], false),
        (&[("sec-fetch-site", "none")], false),
        (
            &[("origin", "https://evil.example"), ("host", "voice.example.org")],
            true,
        ),
        (
            &[
                ("origin", "https://voice.example.org"),
                ("host", "voice.example.org"),
            ],
            false,
        ),
        // Old browsers, and all over plain http: a page that asks for no referrer makes them say this.
        (&[("origin", "null"), ("host", "voice.example.org")], false),
        (&[], false),
    ] {
        let answer = client.send("POST", "/about", headers).await;
        let expected = if refused {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::METHOD_NOT_ALLOWED
        };
        assert_eq!(answer.status, expected, "{headers:?}");
        assert_eq!(
            answer.text().contains("came from another site"),
            refused,
            "{headers:?}"
        );
    }
    // What goes by a cookie takes no chance.
    let nameless = [("origin", "null"), ("host", "voice.example.org")];
    let answer = client.send("POST", "/admin", &nameless).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}
