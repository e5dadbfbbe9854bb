//! Several preconditions and writes that take place at once, or not at all.

use std::fmt;

use crate::key::AsKey;
use crate::precondition::Precondition;
use crate::range::{AsPrefix, AsRange, KeyRange};
use crate::revision::Revision;

/// A transaction: preconditions and writes over many keys, committed at once under one revision, or not at all.
///
/// Preconditions are about the state before the transaction, in whatever order they and the writes are added. A failed
/// commit names *every* precondition that does not hold, by its index: the number of `require` calls before it.
///
/// ```
/// use ifmatch::{Precondition, Store, Txn};
///
/// let store: Store<String, String> = Store::new();
/// let team = store.create("team/red", "Red".to_owned())?;
///
/// // A member joins only a team that exists:
/// let join = Txn::new()
///     .require("team/red", Precondition::Present)
///     .put("member/red/ada", "Ada".to_owned());
/// store.commit(join)?;
///
/// // A team that is in use is not deleted, however it came to be in use:
/// let delete = Txn::new().require("team/red", team).require_none_under("member/red/").delete("team/red");
/// let error = store.commit(delete).unwrap_err();
/// let [conflict] = error.conflicts() else { panic!("the team is unchanged, but in use") };
/// assert_eq!((conflict.index(), conflict.blocker_count()), (1, 1));
/// assert_eq!(conflict.key(), "member/red/ada");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Limits
/// At most [`MAX_OPERATIONS`](Self::MAX_OPERATIONS) preconditions and writes together; no key may be written twice.
pub struct Txn<K, V> {
    pub(crate) requirements: Vec<Requirement<K>>,
    /// Puts, and without a value deletes.
    pub(crate) changes: Vec<(K, Option<V>)>,
}

/// A precondition of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requirement<K> {
    /// This holds for the key.
    Key(K, Precondition),
    /// No key is in the range.
    NoneIn(KeyRange<K>),
    /// No key in the range was created, changed or deleted after the revision.
    UnchangedIn(KeyRange<K>, Revision),
}

impl<K, V> Txn<K, V> {
    /// The most operations, preconditions and writes together, that a transaction may have. All its shards are locked and
    /// nobody else commits while they are installed, about a tenth of a microsecond each, so that this bounds how long
    /// others wait: about half a millisecond. Besides, the keys of what was committed meanwhile are compared with its ranges
    /// there, 65,536 times at most. (etcd allows 128 operations by default.)
    pub const MAX_OPERATIONS: usize = 4_096;

    /// A transaction without preconditions and writes.
    #[must_use]
    pub fn new() -> Self {
        Self { requirements: Vec::new(), changes: Vec::new() }
    }

    /// Commit only if `precondition` holds for `key`.
    #[must_use]
    pub fn require(mut self, key: impl AsKey<K>, precondition: impl Into<Precondition>) -> Self {
        self.requirements.push(Requirement::Key(key.into_key(), precondition.into()));
        self
    }

    /// Commit only if there is no key with this prefix.
    #[must_use]
    pub fn require_none_under(mut self, prefix: impl AsPrefix<K>) -> Self {
        self.requirements.push(Requirement::NoneIn(prefix.into_range()));
        self
    }

    /// Commit only if there is no key in this range.
    #[must_use]
    pub fn require_none_in(mut self, range: impl AsRange<K>) -> Self {
        self.requirements.push(Requirement::NoneIn(range.into_range()));
        self
    }

    /// Commit only if no key with this prefix was created, changed or deleted after `revision`.
    ///
    /// The store remembers the newest changes only ([`Builder::watch_window`](crate::Builder::watch_window)): what it
    /// cannot decide fails as [`CommitError::Compacted`](crate::CommitError::Compacted), it never passes.
    #[must_use]
    pub fn require_unchanged_under(mut self, prefix: impl AsPrefix<K>, revision: Revision) -> Self {
        self.requirements.push(Requirement::UnchangedIn(prefix.into_range(), revision));
        self
    }

    /// Commit only if no key in this range was created, changed or deleted after `revision`; as
    /// [`require_unchanged_under`](Self::require_unchanged_under).
    #[must_use]
    pub fn require_unchanged_in(mut self, range: impl AsRange<K>, revision: Revision) -> Self {
        self.requirements.push(Requirement::UnchangedIn(range.into_range(), revision));
        self
    }

    /// Put `value` under `key`.
    #[must_use]
    pub fn put(mut self, key: impl AsKey<K>, value: V) -> Self {
        self.changes.push((key.into_key(), Some(value)));
        self
    }

    /// Delete `key`, if it exists.
    #[must_use]
    pub fn delete(mut self, key: impl AsKey<K>) -> Self {
        self.changes.push((key.into_key(), None));
        self
    }

    /// What no store takes, whatever it holds.
    #[cfg(any(feature = "etcd", all(feature = "client", feature = "backend")))]
    pub(crate) fn check(&self) -> Result<(), crate::error::Reason>
    where
        K: Eq + std::hash::Hash,
    {
        let (operations, max) = (self.len(), Self::MAX_OPERATIONS);
        if operations > max {
            return Err(crate::error::Reason::TooManyOperations { operations, max });
        }
        let mut places = std::collections::HashMap::with_capacity(self.changes.len());
        for (second, (key, _)) in self.changes.iter().enumerate() {
            if let Some(first) = places.insert(key, second) {
                return Err(crate::error::Reason::DuplicateKey { first, second });
            }
        }
        Ok(())
    }

    /// The preconditions, by index.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement<K>] {
        &self.requirements
    }

    /// What is to be written: keys with their values, and without one to be deleted.
    pub fn changes(&self) -> impl ExactSizeIterator<Item = (&K, Option<&V>)> {
        self.changes.iter().map(|(key, value)| (key, value.as_ref()))
    }

    /// What is to be written, by value: to build another transaction on, after a conflict.
    #[must_use]
    pub fn into_changes(self) -> Vec<(K, Option<V>)> {
        self.changes
    }

    /// How many preconditions and writes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.requirements.len() + self.changes.len()
    }

    /// Whether there is neither precondition nor write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, V> Default for Txn<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Clone, V: Clone> Clone for Txn<K, V> {
    fn clone(&self) -> Self {
        Self { requirements: self.requirements.clone(), changes: self.changes.clone() }
    }
}

/// Shows the numbers only, so that it needs nothing of `K` and `V`.
impl<K, V> fmt::Debug for Txn<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Txn")
            .field("requirements", &self.requirements.len())
            .field("changes", &self.changes.len())
            .finish()
    }
}
