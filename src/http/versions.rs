//! The revisions of a document as headers, for clients that need more than the tag: conditions of transactions, `?revision=`.

use axum::http::{HeaderMap, HeaderName};

use super::field;
use crate::revision::Revision;
use crate::versioned::Versioned;

/// The revision of what is there; of a delete its own.
pub(super) const REVISION: HeaderName = HeaderName::from_static("ifmatch-revision");

/// The revision that created the document.
pub(super) const CREATED_REVISION: HeaderName = HeaderName::from_static("ifmatch-created-revision");

/// The writes since, the creation included.
pub(super) const WRITE_COUNT: HeaderName = HeaderName::from_static("ifmatch-write-count");

/// Which life of its key a document is in, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) created: Revision,
    pub(super) write_count: u64,
}

impl Life {
    pub(super) fn of<V>(stored: &Versioned<V>) -> Self {
        Self { created: stored.created_revision(), write_count: stored.write_count() }
    }

    /// After one more write.
    pub(super) fn goes_on(self) -> Self {
        Self { write_count: self.write_count + 1, ..self }
    }
}

/// Says which revision it is, and of what life, where that is known.
pub(super) fn tell(headers: &mut HeaderMap, revision: Revision, life: Option<Life>) {
    headers.insert(REVISION, field::value(revision));
    if let Some(life) = life {
        headers.insert(CREATED_REVISION, field::value(life.created));
        headers.insert(WRITE_COUNT, field::value(life.write_count));
    }
}
