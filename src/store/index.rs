//! The keys of the store in order.
//!
//! Two levels: sorted leaves of some hundred keys, each behind its own lock, and above them the separators that tell
//! which leaf a key belongs to. Inserting reads the separators and locks one leaf, so that writers of different keys
//! seldom meet; only when a leaf is full, or loses its first key or most of its keys, the separators change. For
//! example:
//!
//! ```text
//! separators            [ d        | k ]
//! leaves       [ a b c ]  [ d e h ]  [ k m ]
//! ```
//!
//! Between operations:
//!
//! - all keys of a leaf are before all keys of the next;
//! - separator `i` is the first key of leaf `i + 1`, the same allocation. So whoever removes a key holds the last
//!   reference of the index, and no key is ever dropped in here;
//! - no leaf is empty, but the only one.
//!
//! The keys' `Ord` runs under these locks, nothing else of the user's. It may panic: every operation decides first,
//! and changes things only when nothing is left to compare. Versions and revisions are not known here.

use std::cmp::Ordering;
use std::ops::Bound::{self, Excluded, Included, Unbounded};

use triomphe::Arc;

use crate::sync::{RwLock, size};

#[cfg(feature = "log")]
mod build;
#[cfg(all(test, not(ifmatch_model)))]
mod tests;

#[cfg(all(test, feature = "log", ifmatch_model))]
mod model;

/// At most so many keys in a leaf. From 128 to 512 it is as fast; a leaf is locked for as long as it takes to copy
/// so many pointers, and each split moves part of the separators, of which long leaves need fewer.
const LEAF_KEYS: usize = size(256, 2);

/// Into how many parts a search divides what it searches.
const FAN: usize = 8;

pub(super) struct Index<K> {
    /// Taken after a shard and before the sequencer. Leaves are locked after it, while it is locked: one leaf under
    /// its read lock; two, in any order, under its write lock, where nobody else has any.
    top: RwLock<Top<K>>,
    /// At least two.
    leaf_keys: usize,
}

struct Top<K> {
    separators: Vec<Arc<K>>,
    /// One more than separators. Boxed, so that two leaves' locks are apart.
    #[allow(clippy::vec_box, reason = "see above; and a split moves pointers only")]
    leaves: Vec<Box<Leaf<K>>>,
}

type Leaf<K> = RwLock<Vec<Arc<K>>>;

impl<K: Ord> Index<K> {
    pub(super) fn new() -> Self {
        Self::with_leaves_of(LEAF_KEYS)
    }

    fn with_leaves_of(leaf_keys: usize) -> Self {
        let top = Top { separators: Vec::new(), leaves: vec![Box::default()] };
        Self { top: RwLock::new(top), leaf_keys }
    }

    /// Inserts a key. If it is there (because the order of keys panicked when it was to be removed) it stays.
    pub(super) fn insert(&self, key: Arc<K>) {
        let top = self.top.read();
        let mut leaf = top.leaves[top.leaf_of(&key)].write();
        let Err(place) = find_in(&leaf, &key) else { return };
        if leaf.len() < self.leaf_keys {
            put(&mut leaf, place, key);
            return;
        }
        drop(leaf);
        drop(top);

        let mut top = self.top.write();
        let at = top.leaf_of(&key);
        let place = find_in(&top.leaves[at].read(), &key);
        if let Err(place) = place {
            top.insert(at, place, key, self.leaf_keys);
        }
    }

    /// Removes a key. What is returned is the index's only reference, for the caller to drop under no lock.
    pub(super) fn remove(&self, key: &K) -> Option<Arc<K>> {
        let top = self.top.read();
        let at = top.leaf_of(key);
        let mut leaf = top.leaves[at].write();
        let place = find_in(&leaf, key).ok()?;
        let is_separator = at > 0 && place == 0;
        let may_merge = top.leaves.len() > 1 && self.is_thin(leaf.len() - 1);
        if !is_separator && !may_merge {
            return Some(leaf.remove(place));
        }
        drop(leaf);
        drop(top);

        let mut top = self.top.write();
        let at = top.leaf_of(key);
        let place = find_in(&top.leaves[at].read(), key).ok()?;
        let mut leaf = top.leaves[at].write();
        let removed = leaf.remove(place);
        let is_thin = self.is_thin(leaf.len());
        drop(leaf);
        let at = if is_thin { top.merge(at, self.leaf_keys) } else { at };
        top.name(at);
        Some(removed)
    }

    /// Whether a leaf of so many keys should look for a neighbour to join. Not at every number, because the
    /// neighbours may be full, and looking takes the lock of all.
    fn is_thin(&self, keys: usize) -> bool {
        keys == 0 || (keys <= self.leaf_keys / 4 && keys.is_power_of_two())
    }

    /// Appends to `out` the first keys between `start` and `end`, at most `limit`, ascending.
    ///
    /// Leaves are read one at a time: keys that come or go meanwhile may be there or not, all others are.
    pub(super) fn ascending(
        &self,
        start: Bound<&K>,
        end: Bound<&K>,
        limit: usize,
        out: &mut Vec<Arc<K>>,
    ) {
        let full = out.len().saturating_add(limit);
        let mut next: Option<Arc<K>> = None;
        while out.len() < full {
            let start = next.as_deref().map_or(start, Included);
            let top = self.top.read();
            let at = match start {
                Included(key) | Excluded(key) => top.leaf_of(key),
                Unbounded => 0,
            };
            let leaf = top.leaves[at].read();
            let (first, behind) = (first_from(&leaf, start), behind_last(&leaf, end));
            let found = leaf.get(first..behind).unwrap_or_default();
            out.extend(found.iter().take(full - out.len()).map(Arc::clone));
            if behind < leaf.len() || at == top.separators.len() {
                return;
            }
            let after = Some(Arc::clone(&top.separators[at]));
            drop(leaf);
            drop(top);
            next = after;
        }
    }

    /// Appends to `out` the last keys between `start` and `end`, at most `limit`, descending.
    ///
    /// Leaves are read one at a time: keys that come or go meanwhile may be there or not, all others are.
    pub(super) fn descending(
        &self,
        start: Bound<&K>,
        end: Bound<&K>,
        limit: usize,
        out: &mut Vec<Arc<K>>,
    ) {
        let full = out.len().saturating_add(limit);
        let mut next: Option<Arc<K>> = None;
        while out.len() < full {
            let end = next.as_deref().map_or(end, Excluded);
            let top = self.top.read();
            let at = behind_last(&top.separators, end);
            let leaf = top.leaves[at].read();
            let (first, behind) = (first_from(&leaf, start), behind_last(&leaf, end));
            let found = leaf.get(first..behind).unwrap_or_default();
            out.extend(found.iter().rev().take(full - out.len()).map(Arc::clone));
            if first > 0 || at == 0 {
                return;
            }
            let before = Some(Arc::clone(&top.separators[at - 1]));
            drop(leaf);
            drop(top);
            next = before;
        }
    }

    /// How many keys there are; looks at every leaf.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.top.read().leaves.iter().map(|leaf| leaf.read().len()).sum()
    }
}

impl<K: Ord> Top<K> {
    /// Which leaf `key` is in, or belongs in.
    fn leaf_of(&self, key: &K) -> usize {
        behind_last(&self.separators, Included(key))
    }
}

/// What is done once all is decided: nothing here compares keys.
impl<K> Top<K> {
    /// Inserts into leaf `at`, in two halves if it is full.
    fn insert(&mut self, at: usize, place: usize, key: Arc<K>, leaf_keys: usize) {
        let mut left = self.leaves[at].write();
        if left.len() < leaf_keys {
            return put(&mut left, place, key);
        }
        // Keys that come in ascending order leave full leaves behind them.
        let is_append = at == self.separators.len() && place == left.len();
        let middle = if is_append { left.len() } else { left.len() / 2 };
        let mut right = left.split_off(middle);
        if place > middle || is_append {
            put(&mut right, place - middle, key);
        } else {
            put(&mut left, place, key);
        }
        left.shrink_to_fit();
        drop(left);
        self.separators.insert(at, Arc::clone(&right[0]));
        self.leaves.insert(at + 1, Box::new(RwLock::new(right)));
    }

    /// Joins leaf `at` with a neighbour, if it is empty or the two are small enough not to be split again soon.
    /// Returns where it is then.
    fn merge(&mut self, at: usize, leaf_keys: usize) -> usize {
        let len_of = |at: usize| self.leaves[at].read().len();
        let is_small = |left: usize| {
            let (left, right) = (len_of(left), len_of(left + 1));
            left == 0 || right == 0 || left + right <= leaf_keys / 4 * 3
        };
        let left = if at < self.separators.len() && is_small(at) {
            at
        } else if at > 0 && is_small(at - 1) {
            at - 1
        } else {
            return at;
        };
        // Its key is the first of `right`, or the one that is being removed: this is not the last reference.
        drop(self.separators.remove(left));
        let right = self.leaves.remove(left + 1);
        self.leaves[left].write().append(&mut right.write());
        left
    }

    /// Makes the separator before leaf `at` its first key. The old one is still there, or being removed.
    fn name(&mut self, at: usize) {
        if let Some(before) = at.checked_sub(1) {
            self.separators[before] = Arc::clone(&self.leaves[at].read()[0]);
        }
    }
}

/// Inserts, and grows by a quarter: most leaves of a large index are neither new nor full.
fn put<K>(leaf: &mut Vec<Arc<K>>, place: usize, key: Arc<K>) {
    if leaf.len() == leaf.capacity() {
        leaf.reserve_exact((leaf.len() / 4).max(4));
    }
    leaf.insert(place, key);
}

/// Narrows to a part of the keys by asking each part's first key in turn, as a B-tree does.
///
/// Halving asks fewer keys, but the processor cannot guess where it goes on, and waits for one key after the other to
/// come from memory; here it fetches ahead. Inserting a million random strings takes 1.4 times as long by halving,
/// and twice as long with the library's search, which has no branches to guess at all.
fn search<K>(keys: &[Arc<K>], mut compare: impl FnMut(&K) -> Ordering) -> Result<usize, usize> {
    let (mut low, mut high) = (0, keys.len());
    while low < high {
        let part = (high - low) / FAN;
        let mut probe = low + part;
        while probe < high {
            match compare(&keys[probe]) {
                Ordering::Less => low = probe + 1,
                Ordering::Greater => high = probe,
                Ordering::Equal => return Ok(probe),
            }
            probe += part.max(1);
        }
    }
    Err(low)
}

fn find_in<K: Ord>(keys: &[Arc<K>], key: &K) -> Result<usize, usize> {
    search(keys, |other| other.cmp(key))
}

/// Where a key is or would be.
fn place_in<K: Ord>(keys: &[Arc<K>], key: &K) -> usize {
    find_in(keys, key).unwrap_or_else(|place| place)
}

/// Where the keys from `start` on begin.
fn first_from<K: Ord>(keys: &[Arc<K>], start: Bound<&K>) -> usize {
    match start {
        Included(start) => place_in(keys, start),
        Excluded(start) => behind(keys, start),
        Unbounded => 0,
    }
}

/// Where the keys up to `end` have ended.
fn behind_last<K: Ord>(keys: &[Arc<K>], end: Bound<&K>) -> usize {
    match end {
        Included(end) => behind(keys, end),
        Excluded(end) => place_in(keys, end),
        Unbounded => keys.len(),
    }
}

fn behind<K: Ord>(keys: &[Arc<K>], key: &K) -> usize {
    find_in(keys, key).map_or_else(|place| place, |place| place + 1)
}
