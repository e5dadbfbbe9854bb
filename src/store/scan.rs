//! Keys in their order, at one revision.
//!
//! A scan takes keys out of the index, some at a time, and looks them up in their shards at the scan's revision: it never
//! holds the index and a shard at once, nor any lock while its user has control.

use std::collections::VecDeque;
use std::fmt;
use std::hash::BuildHasher;
use std::iter::FusedIterator;
use std::ops::Bound;

use triomphe::Arc;

use crate::key::AsKey;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::sync::{Arc as Shared, size};
use crate::versioned::Versioned;

use super::FastHash;
use super::map::Map;
use super::pin::Pin;
use super::shards::TOGETHER;

/// How many keys are taken out of the index at once, at first and at most.
const FIRST_CHUNK: usize = size(16, 1);
const MAX_CHUNK: usize = size(256, 2);

/// Entries in the order of their keys, from both ends, at one revision.
///
/// While it lives it keeps the state of that revision, like a [`Snapshot`](super::Snapshot). It is lazy: what is not asked
/// for costs nothing. The first `n` are `scan.by_ref().take(n)`, and [`rest`](Self::rest) is the cursor of what follows.
#[must_use = "a scan is lazy"]
pub struct Scan<K, V, S = FastHash> {
    pin: Shared<Pin<K, V, S>>,
    /// What has not been given out.
    rest: KeyRange<Arc<K>>,
    /// There is nothing more.
    ended: bool,
    front: Fetched<K, V>,
    back: Fetched<K, V>,
}

/// What was read ahead at one end. The other end may have come past some of it.
struct Fetched<K, V> {
    /// Keys that were taken out of the index.
    keys: std::vec::IntoIter<Arc<K>>,
    /// And those before them, looked up: a key may have come later, or gone before.
    entries: VecDeque<(Arc<K>, Option<Versioned<V>>)>,
    chunk: usize,
}

impl<K, V> Fetched<K, V> {
    fn new() -> Self {
        Self { keys: Vec::new().into_iter(), entries: VecDeque::new(), chunk: FIRST_CHUNK }
    }
}

impl<K: Ord, V, S> Scan<K, V, S> {
    pub(super) fn new(pin: Shared<Pin<K, V, S>>, range: KeyRange<K>) -> Self {
        let rest = range.map(Arc::new);
        let ended = rest.is_empty();
        Self { pin, rest, ended, front: Fetched::new(), back: Fetched::new() }
    }

    /// The revision that all entries are at.
    #[must_use]
    pub fn revision(&self) -> Revision {
        super::stored(self.pin.revision())
    }
}

impl<K: AsKey<K> + Ord, V, S: BuildHasher> Scan<K, V, S> {
    fn fetch(&mut self, side: Side) -> Option<(Arc<K>, Option<Versioned<V>>)> {
        let fetched = match side {
            Side::Front => &mut self.front,
            Side::Back => &mut self.back,
        };
        if let Some(entry) = fetched.entries.pop_front() {
            return Some(entry);
        }
        if fetched.keys.as_slice().is_empty() {
            let mut keys = Vec::new();
            let (start, end) =
                (self.rest.start().map(|key| &**key), self.rest.end().map(|key| &**key));
            let index = &self.pin.map.index;
            match side {
                Side::Front => index.ascending(start, end, fetched.chunk, &mut keys),
                Side::Back => index.descending(start, end, fetched.chunk, &mut keys),
            }
            fetched.chunk = (fetched.chunk * 2).min(MAX_CHUNK);
            fetched.keys = keys.into_iter();
        }
        let keys = fetched.keys.as_slice();
        let keys = &keys[..keys.len().min(TOGETHER)];
        let entries = self.pin.map.some_at(keys, self.pin.revision());
        fetched.entries.extend(fetched.keys.by_ref().take(entries.len()).zip(entries));
        fetched.entries.pop_front()
    }

    /// The next entry, without a copy of its key.
    #[cfg(feature = "log")]
    pub(super) fn next_shared(&mut self) -> Option<(Arc<K>, Versioned<V>)> {
        loop {
            if let (key, Some(entry)) = self.advance(Side::Front)? {
                return Some((key, entry));
            }
        }
    }

    /// The next key of one end, if the other has not come past it.
    fn advance(&mut self, side: Side) -> Option<(Arc<K>, Option<Versioned<V>>)> {
        if self.ended {
            return None;
        }
        let fetched = self.fetch(side).filter(|(key, _)| self.rest.contains(key));
        let Some((key, entry)) = fetched else {
            self.ended = true;
            return None;
        };
        match side {
            Side::Front => self.rest.start_after(Arc::clone(&key)),
            Side::Back => self.rest.end_before(Arc::clone(&key)),
        }
        Some((key, entry))
    }
}

#[derive(Clone, Copy)]
enum Side {
    Front,
    Back,
}

impl<K: Ord + Clone, V, S> Scan<K, V, S> {
    /// What has not been given out yet, of both ends, as a range: for a scan that goes on where this one stopped. `None`
    /// once the scan has come to its end, which it knows when it was asked for more than there is: after a page that
    /// happens to end with the last entry there is one more, empty.
    ///
    /// ```
    /// # let store: ifmatch::Store<String, u32> = ifmatch::Store::new();
    /// # for number in 0..25 { store.create(format!("user/{number:02}"), number)?; }
    /// let snapshot = store.snapshot();
    /// let mut scan = snapshot.prefix("user/");
    /// let page: Vec<_> = scan.by_ref().take(10).collect();
    /// let cursor = scan.rest().expect("there is more");
    ///
    /// let mut scan = snapshot.range(cursor);
    /// let (first, _) = scan.next().expect("the next page");
    /// assert_eq!(first, "user/10");
    /// assert_eq!(scan.by_ref().count(), 14);
    /// assert!(scan.rest().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn rest(&self) -> Option<KeyRange<K>> {
        (!self.ended).then(|| self.rest.clone().map(|key| K::clone(&key)))
    }
}

impl<K, V, S> Scan<K, V, S>
where
    K: AsKey<K> + Ord + Clone,
    S: BuildHasher,
{
    fn give(&mut self, side: Side) -> Option<(K, Versioned<V>)> {
        loop {
            if let (key, Some(entry)) = self.advance(side)? {
                return Some((K::clone(&key), entry));
            }
        }
    }
}

impl<K, V, S> Iterator for Scan<K, V, S>
where
    K: AsKey<K> + Ord + Clone,
    S: BuildHasher,
{
    type Item = (K, Versioned<V>);

    fn next(&mut self) -> Option<Self::Item> {
        self.give(Side::Front)
    }
}

impl<K, V, S> DoubleEndedIterator for Scan<K, V, S>
where
    K: AsKey<K> + Ord + Clone,
    S: BuildHasher,
{
    fn next_back(&mut self) -> Option<Self::Item> {
        self.give(Side::Back)
    }
}

impl<K, V, S> FusedIterator for Scan<K, V, S>
where
    K: AsKey<K> + Ord + Clone,
    S: BuildHasher,
{
}

impl<K, V, S> fmt::Debug for Scan<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("revision", &self.pin.revision()).finish_non_exhaustive()
    }
}

/// Calls `each` for all entries in a range at a pinned revision.
pub(super) fn for_each<K, V, S>(
    map: &Map<K, V, S>,
    range: &KeyRange<K>,
    revision: u64,
    mut each: impl FnMut(&K, Versioned<V>),
) where
    K: AsKey<K> + Ord,
    S: BuildHasher,
{
    if range.is_empty() {
        return;
    }
    let mut keys = Vec::new();
    let mut last: Option<Arc<K>> = None;
    loop {
        keys.clear();
        let start = last.as_ref().map_or(range.start(), |last| Bound::Excluded(&**last));
        map.index.ascending(start, range.end(), MAX_CHUNK, &mut keys);
        for keys in keys.chunks(TOGETHER) {
            for (key, entry) in keys.iter().zip(map.some_at(keys, revision)) {
                if let Some(entry) = entry {
                    each(key, entry);
                }
            }
        }
        match keys.pop() {
            Some(key) => last = Some(key),
            None => return,
        }
    }
}
