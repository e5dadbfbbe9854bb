//! What a write finds under its key. What cannot be read can be replaced and deleted all the same.

use std::time::SystemTime;

use bytes::Bytes;

use crate::backend::Backend;
use crate::versioned::Versioned;

use super::entry::Entry;
use super::shared::Shared;
use crate::document_key::DocumentKey;
use crate::http::etag::ETag;
use crate::http::guard::Current;
use crate::http::problem::Problem;
use crate::http::versions::Life;

/// What is stored under a key: a document, or something that begins like one and is none.
pub(super) struct Found {
    etag: ETag,
    life: Life,
    read: Result<Entry, Problem>,
}

impl Found {
    pub(super) fn of<B: Backend>(
        shared: &Shared<B>,
        key: &DocumentKey,
        stored: &Versioned<Bytes>,
    ) -> Self {
        let read = shared.entry(key, stored.clone());
        let etag = match &read {
            Ok(entry) => entry.etag(),
            // As of everything that has no stamp.
            Err(_) => ETag::new(shared.identity(), stored.revision()),
        };
        Self { etag, life: Life::of(stored), read }
    }

    pub(super) fn etag(&self) -> ETag {
        self.etag
    }

    pub(super) fn life(&self) -> Life {
        self.life
    }

    /// What conditions are compared with.
    pub(super) fn current(&self) -> Current {
        match &self.read {
            Ok(entry) => entry.current(),
            // When it was written is not known: no condition that it was not holds.
            Err(_) => Current { etag: self.etag, modified: Some(SystemTime::now()) },
        }
    }

    /// # Errors
    /// 500 if it cannot be read.
    pub(super) fn entry(&self) -> Result<&Entry, Problem> {
        self.read.as_ref().map_err(Problem::clone)
    }

    /// What there is to show.
    pub(super) fn into_entry(self) -> Option<Entry> {
        self.read.ok()
    }
}
