//! What a route is given: the site as it is now, the store, the revision, and what was asked for.

use std::sync::Arc;

use axum::http::Uri;
use chrono::{DateTime, Utc};
use model::Site;
use store::{Revision, Store};

use crate::app::State;
use crate::document::Document;
use crate::failure::Failure;
use crate::parameters::Parameters;

/// What a route makes of a request.
pub(crate) type Made = Result<Document, Failure>;

/// One request, as far as a route needs to know it.
pub(crate) struct Asked {
    pub(crate) state: Arc<State>,
    pub(crate) site: Arc<Site>,
    pub(crate) revision: Revision,
    /// When what readers see, or the site itself, last changed.
    pub(crate) changed: DateTime<Utc>,
    /// The path, as it was sent.
    pub(crate) path: String,
    /// The variable part of the path, decoded; empty where the route has none.
    pub(crate) name: String,
    pub(crate) parameters: Parameters,
}

impl Asked {
    /// What is known of a request for `uri`, whose variable part is `name` and whose parameters have `names`.
    pub(crate) async fn new(
        state: &Arc<State>,
        site: Arc<Site>,
        name: &str,
        uri: &Uri,
        names: &'static [&'static str],
    ) -> Result<Self, Failure> {
        let parameters = Parameters::read(uri.query(), names)?;
        let revision = state.revision().await?;
        let site_since = state.cache.turn_to(revision.number, &site, state.now());
        Ok(Self {
            state: Arc::clone(state),
            site,
            revision,
            changed: revision.changed_at.max(site_since),
            path: uri.path().to_owned(),
            name: name.to_owned(),
            parameters,
        })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.state.app.store
    }

    /// Path and parameters, in one spelling.
    pub(crate) fn path_and_query(&self) -> String {
        format!("{}{}", self.path, self.parameters.query())
    }
}
