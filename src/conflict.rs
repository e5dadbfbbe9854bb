//! What a writer that lost the race is told.

use std::fmt;

use crate::identity::Identity;
use crate::precondition::Precondition;
use crate::revision::Revision;
use crate::versioned::Versioned;

/// A precondition failed: what was expected, what is there now, and the value that was not written.
///
/// It is all that a caller needs to merge and try again without another read. Under
/// [`Durability::Sync`](crate::Durability::Sync) it is handed out only once what it shows is durable.
pub struct Conflict<K, V>(Box<Details<K, V>>);

struct Details<K, V> {
    identity: Identity,
    key: K,
    expected: Precondition,
    current: Option<Versioned<V>>,
    rejected: Option<V>,
}

impl<K, V> Conflict<K, V> {
    pub(crate) fn new(
        identity: Identity,
        key: K,
        expected: Precondition,
        current: Option<Versioned<V>>,
        rejected: Option<V>,
    ) -> Self {
        Self(Box::new(Details { identity, key, expected, current, rejected }))
    }

    /// The store that the revisions belong to.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.0.identity
    }

    /// The key that was to be written.
    #[must_use]
    pub fn key(&self) -> &K {
        &self.0.key
    }

    /// The precondition that failed.
    #[must_use]
    pub fn expected(&self) -> Precondition {
        self.0.expected
    }

    /// What is stored under the key now; `None` if nothing is, though the key may have existed before.
    #[must_use]
    pub fn current(&self) -> Option<&Versioned<V>> {
        self.0.current.as_ref()
    }

    /// The revision of [`current`](Self::current).
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.current().map(Versioned::revision)
    }

    /// The value that was not written; `None` if the write was a delete.
    #[must_use]
    pub fn rejected(&self) -> Option<&V> {
        self.0.rejected.as_ref()
    }

    /// Takes the conflict apart, into what is there now and the value that was not written.
    #[must_use]
    pub fn into_parts(self) -> (Option<Versioned<V>>, Option<V>) {
        (self.0.current, self.0.rejected)
    }
}

impl<K, V> fmt::Display for Conflict<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expected() {
            Precondition::Any => f.write_str("conflict: the key was expected in any state")?,
            Precondition::Absent => f.write_str("conflict: the key was expected to be absent")?,
            Precondition::Present => f.write_str("conflict: the key was expected to exist")?,
            Precondition::Revision(revision) => {
                write!(f, "conflict: the key was expected at revision {revision}")?;
            }
        }
        match self.revision() {
            Some(revision) => write!(f, ", it is at revision {revision}"),
            None => f.write_str(", it does not exist"),
        }
    }
}

/// Shows the revisions only, so that it needs nothing of `K` and `V`.
impl<K, V> fmt::Debug for Conflict<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conflict")
            .field("expected", &self.expected())
            .field("revision", &self.revision())
            .finish_non_exhaustive()
    }
}

impl<K, V> std::error::Error for Conflict<K, V> {}
