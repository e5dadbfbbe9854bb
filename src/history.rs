//! What is told of the past.

use std::fmt;

use crate::revision::Revision;
use crate::versioned::Versioned;

/// Why a revision cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// What was there then is not kept any more. (Or never was: revisions that an unclean stop of the log skipped.)
    #[error("the revision asked for is not kept: the oldest that can be read is {oldest}")]
    #[non_exhaustive]
    Compacted {
        /// The oldest revision that can be read.
        oldest: Revision,
    },
    /// The store has not come to this revision.
    #[error("the store has not come to the revision asked for: the newest is {newest}")]
    #[non_exhaustive]
    Future {
        /// The newest revision.
        newest: Revision,
    },
    /// There are as many snapshots as the builder allows.
    #[error(transparent)]
    TooManySnapshots(#[from] TooManySnapshots),
}

/// For backends of your own.
impl HistoryError {
    /// The oldest revision that can be read is `oldest`.
    #[must_use]
    pub fn compacted(oldest: Revision) -> Self {
        Self::Compacted { oldest }
    }

    /// The newest revision is `newest`.
    #[must_use]
    pub fn future(newest: Revision) -> Self {
        Self::Future { newest }
    }
}

/// There are as many snapshots and scans as the builder allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store has {max} snapshots and scans, its limit")]
#[non_exhaustive]
pub struct TooManySnapshots {
    /// The limit.
    pub max: u64,
}

impl TooManySnapshots {
    /// For backends of your own: there are `max`.
    #[must_use]
    pub fn new(max: u64) -> Self {
        Self { max }
    }
}

/// What is kept of a key's past.
pub struct KeyHistory<V> {
    pub(crate) versions: Vec<KeyVersion<V>>,
    pub(crate) since: Revision,
}

impl<V> KeyHistory<V> {
    /// For backends of your own: `versions` oldest first, and all changes after `since` are among them.
    #[must_use]
    pub fn new(versions: Vec<KeyVersion<V>>, since: Revision) -> Self {
        Self { versions, since }
    }

    /// The versions that are kept, oldest first, deletes included. There may be gaps, where one was not kept.
    #[must_use]
    pub fn versions(&self) -> &[KeyVersion<V>] {
        &self.versions
    }

    /// What the key was at this revision is known, and every change after it is here.
    #[must_use]
    pub fn since(&self) -> Revision {
        self.since
    }
}

/// What one commit made of a key.
pub struct KeyVersion<V> {
    pub(crate) revision: Revision,
    pub(crate) entry: Option<Versioned<V>>,
}

impl<V> KeyVersion<V> {
    /// For backends of your own: what the commit `revision` wrote; `None` if it deleted the key.
    #[must_use]
    pub fn new(revision: Revision, entry: Option<Versioned<V>>) -> Self {
        Self { revision, entry }
    }

    /// The revision of the commit.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The entry that it wrote; `None` if it deleted the key.
    #[must_use]
    pub fn entry(&self) -> Option<&Versioned<V>> {
        self.entry.as_ref()
    }
}

impl<V> Clone for KeyVersion<V> {
    fn clone(&self) -> Self {
        Self { revision: self.revision, entry: self.entry.clone() }
    }
}

impl<V> fmt::Debug for KeyHistory<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyHistory")
            .field("versions", &self.versions)
            .field("since", &self.since)
            .finish()
    }
}

impl<V> fmt::Debug for KeyVersion<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyVersion")
            .field("revision", &self.revision)
            .field("deleted", &self.entry.is_none())
            .finish()
    }
}
