//! What a watch tells: commits, as far as they concern it.

use std::fmt;

use crate::capability::Capability;
use crate::cause::Cause;
use crate::codec::CodecError;
use crate::error::LogFailure;
use crate::revision::Revision;
use crate::versioned::Versioned;

/// One commit, with those of its changes that a watch asked for. A transaction comes whole, in one `Commit`.
pub struct Commit<K, V> {
    pub(crate) revision: Revision,
    pub(crate) events: Vec<Event<K, V>>,
}

impl<K, V> Commit<K, V> {
    /// For backends of your own: the changes of one commit, at least one, each of another key.
    #[must_use]
    pub fn new(revision: Revision, events: Vec<Event<K, V>>) -> Self {
        Self { revision, events }
    }

    /// The revision of the commit. A watch resumes [`since`](crate::WatchBuilder::since) it.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Its changes, at least one; each of another key.
    #[must_use]
    pub fn events(&self) -> &[Event<K, V>] {
        &self.events
    }

    /// Its changes, by value.
    #[must_use]
    pub fn into_events(self) -> Vec<Event<K, V>> {
        self.events
    }
}

/// A change of a key.
#[non_exhaustive]
pub enum Event<K, V> {
    /// The key was created or changed.
    #[non_exhaustive]
    Put {
        /// The key.
        key: K,
        /// The entry that was written.
        entry: Versioned<V>,
        /// The entry that it replaced, if the watch asked for it and there was one.
        previous: Option<Versioned<V>>,
    },
    /// The key was deleted.
    #[non_exhaustive]
    Delete {
        /// The key.
        key: K,
        /// The revision of the delete.
        revision: Revision,
        /// The entry that was deleted, if the watch asked for it.
        previous: Option<Versioned<V>>,
    },
}

impl<K, V> Event<K, V> {
    /// For backends of your own: `key` was created or changed.
    #[must_use]
    pub fn put(key: K, entry: Versioned<V>, previous: Option<Versioned<V>>) -> Self {
        Self::Put { key, entry, previous }
    }

    /// For backends of your own: `key` was deleted.
    #[must_use]
    pub fn delete(key: K, revision: Revision, previous: Option<Versioned<V>>) -> Self {
        Self::Delete { key, revision, previous }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &K {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } => key,
        }
    }

    /// The entry that was written; `None` if the key was deleted.
    #[must_use]
    pub fn entry(&self) -> Option<&Versioned<V>> {
        match self {
            Self::Put { entry, .. } => Some(entry),
            Self::Delete { .. } => None,
        }
    }

    /// The entry that was replaced or deleted, if the watch asked for it and there was one.
    #[must_use]
    pub fn previous(&self) -> Option<&Versioned<V>> {
        match self {
            Self::Put { previous, .. } | Self::Delete { previous, .. } => previous.as_ref(),
        }
    }

    /// The revision of the commit.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::Put { entry, .. } => entry.revision(),
            Self::Delete { revision, .. } => *revision,
        }
    }
}

impl<K: Clone, V> Clone for Event<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Put { key, entry, previous } => {
                Self::Put { key: key.clone(), entry: entry.clone(), previous: previous.clone() }
            }
            Self::Delete { key, revision, previous } => {
                Self::Delete { key: key.clone(), revision: *revision, previous: previous.clone() }
            }
        }
    }
}

impl<K: Clone, V> Clone for Commit<K, V> {
    fn clone(&self) -> Self {
        Self { revision: self.revision, events: self.events.clone() }
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Commit<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commit")
            .field("revision", &self.revision)
            .field("events", &self.events)
            .finish()
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Event<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, entry, .. } => f
                .debug_struct("Put")
                .field("key", key)
                .field("revision", &entry.revision())
                .finish_non_exhaustive(),
            Self::Delete { key, revision, .. } => f
                .debug_struct("Delete")
                .field("key", key)
                .field("revision", revision)
                .finish_non_exhaustive(),
        }
    }
}

/// Why a watch did not open, or has nothing to tell.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// What came after the revision asked for is not kept any more: read the state, and watch since its revision.
    #[error(
        "what came after the revision asked for is not kept: changes are known since revision {oldest}"
    )]
    #[non_exhaustive]
    Compacted {
        /// What came after this revision is known whole: a watch can be opened since it. After an unclean stop one can be opened
        /// since some older revisions, too, before the ones that may have been lost.
        oldest: Revision,
    },
    /// The store has not come to the revision asked for.
    #[error("the store has not come to the revision asked for: the newest is {newest}")]
    #[non_exhaustive]
    Future {
        /// The newest revision.
        newest: Revision,
    },
    /// The watch was too slow: commits up to a revision are not kept any more, and it has not told them. It goes on after
    /// that revision when it is asked next; a [`snapshot`](crate::Store::snapshot) taken now makes up for what is missing.
    #[error("the watch was too slow: it missed commits up to revision {resume}")]
    #[non_exhaustive]
    Lagged {
        /// What comes after this revision will be told.
        resume: Revision,
    },
    /// Everything was told, and there will be no more: a store on a log was closed, or nobody has the store any more.
    #[error("the store is closed")]
    Closed,
    /// Everything that became durable was told, and no more will, because the log failed.
    #[error("the log of the store failed")]
    Failed(#[source] LogFailure),
    /// The watch was cancelled.
    #[error("the watch was cancelled")]
    Cancelled,
    /// A backend cannot do this.
    #[error("the backend does not support {0}")]
    Unsupported(Capability),
    /// A backend that is elsewhere could not be reached; another watch may be opened since the position of this one.
    #[error("the backend is not available")]
    Unavailable(#[source] Cause),
    /// A backend that is elsewhere does not let this in: a name or a password is wrong, or a permission is missing.
    #[error("the backend does not allow it")]
    Denied(#[source] Cause),
    /// The next commit is not of the types that a `Typed` backend was told, or has a document that the server of a
    /// `client::Remote` cannot read. The watch goes on after it.
    #[error("a commit cannot be read")]
    Undecodable(#[source] CodecError),
    /// There was nothing to tell for so long.
    #[error("nothing came in time")]
    Timeout,
    /// There is nothing to tell now.
    #[error("there is nothing now")]
    Empty,
}

/// For backends of your own.
impl WatchError {
    /// A watch can be opened since `oldest`, and not since an earlier revision.
    #[must_use]
    pub fn compacted(oldest: Revision) -> Self {
        Self::Compacted { oldest }
    }

    /// The newest revision is `newest`.
    #[must_use]
    pub fn future(newest: Revision) -> Self {
        Self::Future { newest }
    }

    /// What comes after `resume` will be told; something before it was not.
    #[must_use]
    pub fn lagged(resume: Revision) -> Self {
        Self::Lagged { resume }
    }
}

impl WatchError {
    /// Whether this was the end: nothing will come any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Closed
                | Self::Failed(_)
                | Self::Cancelled
                | Self::Unsupported(_)
                | Self::Unavailable(_)
                | Self::Denied(_)
        )
    }
}
