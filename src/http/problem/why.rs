//! Why something failed, for whoever runs the server. Clients are not told: it may name machines and files.

use std::error::Error;
use std::sync::Arc;

/// What is behind an error, in one line.
#[derive(Clone, Debug)]
pub(in crate::http) struct Why(Arc<str>);

impl Why {
    /// The sources of `error`, from the nearest on; `None` if it has none.
    pub(in crate::http) fn of(error: &dyn Error) -> Option<Self> {
        let mut text = String::new();
        let mut source = error.source();
        while let Some(error) = source {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&error.to_string());
            source = error.source();
        }
        (!text.is_empty()).then(|| Self(text.into()))
    }

    pub(in crate::http) fn as_str(&self) -> &str {
        &self.0
    }
}
