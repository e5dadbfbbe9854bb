//! What a write that took place is told as.

use crate::revision::Revision;
use crate::versioned::Versioned;

/// A put that took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub(super) revision: Revision,
    created: Revision,
    write_count: u64,
}

impl Written {
    /// For backends of your own: a put that took place elsewhere.
    #[must_use]
    pub fn new(revision: Revision, created: Revision, write_count: u64) -> Self {
        Self { revision, created, write_count }
    }

    pub(super) fn of<V>(entry: &Versioned<V>) -> Self {
        Self {
            revision: entry.revision(),
            created: entry.created_revision(),
            write_count: entry.write_count(),
        }
    }

    /// The revision of the put.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The revision that created the key.
    #[must_use]
    pub fn created_revision(&self) -> Revision {
        self.created
    }

    /// How many writes the key has seen since it was created, the creation included.
    #[must_use]
    pub fn write_count(&self) -> u64 {
        self.write_count
    }

    /// Whether this put created the key.
    #[must_use]
    pub fn is_creation(&self) -> bool {
        self.revision == self.created
    }
}

/// A delete that took place.
#[derive(Debug)]
pub struct Deleted<V> {
    pub(super) revision: Revision,
    previous: Versioned<V>,
}

impl<V> Deleted<V> {
    /// For backends of your own: a delete that took place elsewhere.
    #[must_use]
    pub fn new(revision: Revision, previous: Versioned<V>) -> Self {
        Self { revision, previous }
    }

    /// The revision of the delete itself.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// What was removed.
    #[must_use]
    pub fn previous(&self) -> &Versioned<V> {
        &self.previous
    }

    /// What was removed, by value.
    #[must_use]
    pub fn into_previous(self) -> Versioned<V> {
        self.previous
    }
}
