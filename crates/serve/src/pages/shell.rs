//! What surrounds every page: its title, its place in the site, its feeds.

use std::sync::Arc;

use model::Site;

use crate::fixed::style_path;
use crate::form::Form;

/// The parts of the site that the navigation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Posts,
    Topics,
    Members,
    Digest,
    Subscribe,
    About,
    Elsewhere,
}

/// One line of the navigation.
pub(super) struct NavLink {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) here: bool,
}

/// The three feeds under one address: `{base}/feed.atom` and so on, with a query where the feed has one.
pub(super) struct Feeds {
    pub(super) title: String,
    base: String,
    query: String,
}

impl Feeds {
    pub(super) fn atom(&self) -> String {
        self.path("atom")
    }

    pub(super) fn rss(&self) -> String {
        self.path("rss")
    }

    pub(super) fn json(&self) -> String {
        self.path("json")
    }

    fn path(&self, extension: &str) -> String {
        format!("{}/feed.{extension}{}", self.base, self.query)
    }
}

/// What the base template needs.
pub(super) struct Shell {
    pub(super) site: Arc<Site>,
    /// Of this page alone; `None` on the front page.
    pub(super) title: Option<String>,
    pub(super) description: String,
    pub(super) style: &'static str,
    pub(super) nav: Vec<NavLink>,
    /// This page's own feeds first, the whole river's last.
    pub(super) feeds: Vec<Feeds>,
    /// What stands in the search box.
    pub(super) query: String,
    pub(super) unlisted: bool,
    /// Its forms say from which site they come, by plain http too: what goes by a cookie is taken from nobody else.
    pub(super) names_origin: bool,
    pub(super) canonical: Option<String>,
    pub(super) newer: Option<String>,
    pub(super) older: Option<String>,
}

impl Shell {
    pub(super) fn new(site: &Arc<Site>, part: Part, title: Option<String>) -> Self {
        let nav = [
            (Part::Posts, "Posts", "/"),
            (Part::Topics, "Topics", "/topics"),
            (Part::Members, "Members", "/members"),
            (Part::Digest, "Digest", "/digest"),
            (Part::Subscribe, "Subscribe", "/feeds"),
            (Part::About, "About", "/about"),
        ]
        .map(|(of, name, path)| NavLink {
            name,
            path,
            here: of == part,
        });
        let mut shell = Self {
            site: Arc::clone(site),
            title,
            description: site.subtitle.clone(),
            style: style_path(),
            nav: nav.into(),
            feeds: Vec::new(),
            query: String::new(),
            unlisted: false,
            names_origin: false,
            canonical: None,
            newer: None,
            older: None,
        };
        shell.add_feeds(&site.title, "", "");
        shell
    }

    /// The page of a form: unlisted, and its title says so when something is wrong with what was sent.
    pub(super) fn of_form(mut self, form: &Form) -> Self {
        if !form.is_right() {
            self.title = self.title.map(|title| format!("Error: {title}"));
        }
        self.unlisted = true;
        self
    }

    /// A feed of this page's own, told to feed readers before the others.
    pub(super) fn with_feeds(mut self, title: &str, base: &str, query: &str) -> Self {
        let title = format!("{title} – {}", self.site.title);
        self.add_feeds(&title, base, query);
        self.feeds.rotate_right(1);
        self
    }

    fn add_feeds(&mut self, title: &str, base: &str, query: &str) {
        self.feeds.push(Feeds {
            title: title.to_owned(),
            base: base.to_owned(),
            query: query.to_owned(),
        });
    }
}
