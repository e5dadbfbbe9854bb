//! What a writer that lost the race is told.

use std::fmt;

use crate::identity::Identity;
use crate::precondition::Precondition;
use crate::range::KeyRange;
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
    index: usize,
    scope: Scope<K, V>,
}

/// What the precondition was about.
pub(crate) enum Scope<K, V> {
    Key,
    /// Nothing was to exist in the range.
    None {
        range: KeyRange<K>,
        blockers: Vec<(K, Versioned<V>)>,
        count: usize,
    },
    /// Nothing was to change in the range.
    Unchanged {
        range: KeyRange<K>,
    },
}

impl<K, V> Conflict<K, V> {
    /// For backends of your own: `key` is not as `expected`, it is at `current` now; `rejected` was not written.
    pub fn new(
        identity: Identity,
        key: K,
        expected: Precondition,
        current: Option<Versioned<V>>,
        rejected: Option<V>,
    ) -> Self {
        let (index, scope) = (0, Scope::Key);
        Self(Box::new(Details { identity, key, expected, current, rejected, index, scope }))
    }

    /// It is the precondition with this index of a transaction.
    #[must_use]
    pub fn at_index(mut self, index: usize) -> Self {
        self.0.index = index;
        self
    }

    /// For backends of your own: nothing was to exist in `range`, and `count` keys are there, of which `blockers` are the
    /// first, at least one and at most 16.
    ///
    /// # Panics
    /// If there is no blocker.
    #[must_use]
    pub fn none_in(
        identity: Identity,
        range: KeyRange<K>,
        blockers: Vec<(K, Versioned<V>)>,
        count: usize,
    ) -> Self
    where
        K: Clone,
    {
        let (key, current) = blockers.first().expect("somebody is in the way").clone();
        Self::new(identity, key, Precondition::Absent, Some(current), None).within(Scope::None {
            range,
            blockers,
            count,
        })
    }

    /// For backends of your own: nothing was to change in `range` after `since`, but `key` did, and is at `current` now.
    #[must_use]
    pub fn unchanged_in(
        identity: Identity,
        range: KeyRange<K>,
        since: Revision,
        key: K,
        current: Option<Versioned<V>>,
    ) -> Self {
        Self::new(identity, key, Precondition::Revision(since), current, None)
            .within(Scope::Unchanged { range })
    }

    pub(crate) fn within(mut self, scope: Scope<K, V>) -> Self {
        self.0.scope = scope;
        self
    }

    /// The same of other keys and values; nothing is rejected yet.
    #[cfg(all(feature = "backend", feature = "log"))]
    pub(crate) fn translate<L, W, E>(
        self,
        key: impl Fn(K) -> Result<L, E>,
        entry: impl Fn(Versioned<V>) -> Result<Versioned<W>, E>,
    ) -> Result<Conflict<L, W>, E> {
        let details = *self.0;
        let range = |range: KeyRange<K>| -> Result<KeyRange<L>, E> { range.try_map(&key) };
        let scope = match details.scope {
            Scope::Key => Scope::Key,
            Scope::None { range: within, blockers, count } => {
                let blockers =
                    blockers.into_iter().map(|(at, there)| Ok((key(at)?, entry(there)?)));
                let blockers = blockers.collect::<Result<_, E>>()?;
                Scope::None { range: range(within)?, blockers, count }
            }
            Scope::Unchanged { range: within } => Scope::Unchanged { range: range(within)? },
        };
        Ok(Conflict(Box::new(Details {
            identity: details.identity,
            key: key(details.key)?,
            expected: details.expected,
            current: details.current.map(entry).transpose()?,
            rejected: None,
            index: details.index,
            scope,
        })))
    }

    /// With the value that was not written.
    #[cfg(all(feature = "backend", feature = "log"))]
    pub(crate) fn with_rejected(mut self, rejected: Option<V>) -> Self {
        self.0.rejected = rejected;
        self
    }

    /// The store that the revisions belong to.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.0.identity
    }

    /// The index of the precondition in its transaction: the number of `require` calls before it. 0 for a single write.
    #[must_use]
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// The key that the precondition was about; of a range, the first key that is in the way, or that changed first.
    #[must_use]
    pub fn key(&self) -> &K {
        &self.0.key
    }

    /// The precondition that failed. Of a range in which nothing was to exist [`Absent`](Precondition::Absent), of one in
    /// which nothing was to change the revision since when.
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

    /// The range that the precondition was about; `None` if it was about a key.
    #[must_use]
    pub fn range(&self) -> Option<&KeyRange<K>> {
        match &self.0.scope {
            Scope::Key => None,
            Scope::None { range, .. } | Scope::Unchanged { range } => Some(range),
        }
    }

    /// The first keys, at most 16, that are in a range in which nothing was to exist. Else empty.
    #[must_use]
    pub fn blockers(&self) -> &[(K, Versioned<V>)] {
        match &self.0.scope {
            Scope::None { blockers, .. } => blockers,
            Scope::Key | Scope::Unchanged { .. } => &[],
        }
    }

    /// How many keys are in a range in which nothing was to exist. Else 0.
    #[must_use]
    pub fn blocker_count(&self) -> usize {
        match &self.0.scope {
            Scope::None { count, .. } => *count,
            Scope::Key | Scope::Unchanged { .. } => 0,
        }
    }

    /// The value that was not written; `None` if the write was a delete, or a transaction, whose values are in
    /// [`CommitError::into_txn`](crate::CommitError::into_txn).
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
        match (&self.0.scope, self.expected()) {
            (Scope::None { count: 1, .. }, _) => {
                return f.write_str("conflict: a key is in a range that was expected to be empty");
            }
            (Scope::None { count, .. }, _) => {
                return write!(
                    f,
                    "conflict: {count} keys are in a range that was expected to be empty"
                );
            }
            (Scope::Unchanged { .. }, Precondition::Revision(revision)) => {
                return write!(
                    f,
                    "conflict: the range was expected to be unchanged since revision {revision}"
                );
            }
            _ => {}
        }
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
