//! The state at one revision.

use std::fmt;
use std::hash::BuildHasher;

use crate::key::AsKey;
use crate::range::{AsPrefix, AsRange, KeyRange};
use crate::revision::Revision;
use crate::sync::Arc;
use crate::versioned::Versioned;

use super::FastHash;
use super::pin::Pin;
use super::scan::{self, Scan};

/// The state of a store at one revision, whatever is written after.
///
/// It is taken in O(1) and no writer ever waits for it. While it lives, what is overwritten or deleted for the first time
/// after it stays in memory; the memory is given back when it is dropped, on the thread that drops it. Cloning it gives
/// another handle of the same. It keeps the data alive, not the log: that is closed with the store.
pub struct Snapshot<K, V, S = FastHash> {
    pin: Arc<Pin<K, V, S>>,
}

impl<K, V, S> Snapshot<K, V, S> {
    pub(super) fn new(pin: Pin<K, V, S>) -> Self {
        Self { pin: Arc::new(pin) }
    }

    /// The revision that this is the state of.
    #[must_use]
    pub fn revision(&self) -> Revision {
        super::stored(self.pin.revision())
    }
}

impl<K, V, S> Snapshot<K, V, S>
where
    K: AsKey<K> + Ord + Clone,
    S: BuildHasher,
{
    /// The entry of `key`, if there is one.
    pub fn get(&self, key: impl AsKey<K>) -> Option<Versioned<V>> {
        self.pin.map.at(&key, self.pin.revision())
    }

    /// Whether there is an entry of `key`.
    pub fn contains(&self, key: impl AsKey<K>) -> bool {
        self.get(key).is_some()
    }

    /// The number of keys. It is known, but for a revision of the past
    /// ([`snapshot_at`](super::Store::snapshot_at)), where the keys are counted.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.pin.live() {
            Some(live) => usize::try_from(live).expect("the keys are in memory"),
            None => {
                let mut count = 0;
                let all = KeyRange::all();
                scan::for_each(&self.pin.map, &all, self.pin.revision(), |_, _| count += 1);
                count
            }
        }
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self.pin.live() {
            Some(live) => live == 0,
            None => self.iter().next().is_none(),
        }
    }

    /// All entries, in the order of their keys.
    pub fn iter(&self) -> Scan<K, V, S> {
        self.range(..)
    }

    /// The entries of a range of keys.
    pub fn range(&self, range: impl AsRange<K>) -> Scan<K, V, S> {
        Scan::new(Arc::clone(&self.pin), range.into_range())
    }

    /// The entries of the keys with a prefix.
    pub fn prefix(&self, prefix: impl AsPrefix<K>) -> Scan<K, V, S> {
        Scan::new(Arc::clone(&self.pin), prefix.into_range())
    }
}

impl<K, V, S> IntoIterator for &Snapshot<K, V, S>
where
    K: AsKey<K> + Ord + Clone,
    S: BuildHasher,
{
    type Item = (K, Versioned<V>);
    type IntoIter = Scan<K, V, S>;

    fn into_iter(self) -> Scan<K, V, S> {
        self.iter()
    }
}

impl<K, V, S> Clone for Snapshot<K, V, S> {
    fn clone(&self) -> Self {
        Self { pin: Arc::clone(&self.pin) }
    }
}

impl<K, V, S> fmt::Debug for Snapshot<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("revision", &self.pin.revision()).finish_non_exhaustive()
    }
}
