//! The pages about the site itself, and the page that says what went wrong.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use model::{Pictures, Site};

use super::page;
use super::shell::{Part, Shell};
use crate::asked::{Asked, Made};
use crate::links;

#[derive(Template)]
#[template(path = "about.html")]
struct About {
    shell: Shell,
    members: usize,
    contact: Option<String>,
}

/// `/about`
pub(crate) async fn about(asked: Asked) -> Made {
    let members = asked.store().members().await?.len();
    // The default contact is this very page.
    let contact =
        links::web_address(&asked.site.contact).filter(|contact| *contact != asked.site.absolute("/about"));
    page(&About {
        shell: Shell::new(&asked.site, Part::About, Some("About".to_owned())),
        members,
        contact,
    })
}

#[derive(Template)]
#[template(path = "feeds.html")]
struct Subscribe {
    shell: Shell,
}

/// `/feeds`
pub(crate) async fn feeds(asked: Asked) -> Made {
    page(&Subscribe {
        shell: Shell::new(&asked.site, Part::Subscribe, Some("Subscribe".to_owned())),
    })
}

#[derive(Template)]
#[template(path = "privacy.html")]
struct Privacy {
    shell: Shell,
    pictures: bool,
}

/// `/privacy`
pub(crate) async fn privacy(asked: Asked) -> Made {
    let pictures = asked.site.pictures == Pictures::Origin;
    page(&Privacy {
        shell: Shell::new(&asked.site, Part::Elsewhere, Some("Privacy".to_owned())),
        pictures,
    })
}

#[derive(Template)]
#[template(path = "accessibility.html")]
struct Accessibility {
    shell: Shell,
}

/// `/accessibility`
pub(crate) async fn accessibility(asked: Asked) -> Made {
    let title = Some("Accessibility".to_owned());
    page(&Accessibility {
        shell: Shell::new(&asked.site, Part::Elsewhere, title),
    })
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    shell: Shell,
    status: u16,
    heading: &'a str,
    detail: &'a str,
    /// Where the same may be asked for again, or without what could not be read.
    again: Option<&'a str>,
}

/// The page that says that there is no document, and what to do.
pub(crate) fn failure(
    site: &Arc<Site>,
    status: StatusCode,
    heading: &str,
    detail: &str,
    path: &str,
) -> String {
    let mut shell = Shell::new(site, Part::Elsewhere, Some(heading.to_owned()));
    shell.unlisted = true;
    let page = FailurePage {
        shell,
        status: status.as_u16(),
        heading,
        detail,
        // Two slashes would lead to another host.
        again: Some(path)
            .filter(|path| !path.starts_with("//"))
            .filter(|_| status == StatusCode::BAD_REQUEST || status.is_server_error()),
    };
    page.render().unwrap_or_else(|_| format!("{heading}\n"))
}
