//! What a route is given: the site as it is now, the store, the revision, and what was asked for.

use std::sync::Arc;

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
    pub(crate) fn store(&self) -> &Store {
        &self.state.app.store
    }

    /// Path and parameters, in one spelling.
    pub(crate) fn path_and_query(&self) -> String {
        format!("{}{}", self.path, self.parameters.query())
    }
}
