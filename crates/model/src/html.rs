//! HTML that a browser may be given.

use serde::Serialize;

/// HTML that went through the sanitiser. Only the sanitiser (`normalize`) and the row decoder (`store`) build
/// one; a test over the source holds that.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct SafeHtml(String);

impl SafeHtml {
    /// Vouches that `html` came out of the sanitiser, now or before it was stored.
    pub fn vouched(html: String) -> Self {
        Self(html)
    }

    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The markup, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}
