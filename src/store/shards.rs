//! The map: hash tables behind reader-writer locks, so that keys that are not neighbours do not meet.
//!
//! A key is hashed once; one part of the hash picks the shard, others the place in its table. No guard leaves the
//! store, and nothing of K but its `Eq`, and through the index its `Ord`, runs under a shard's lock: what is removed is
//! dropped after it.

use std::hash::{BuildHasher, Hasher};

use smallvec::SmallVec;
use triomphe::Arc;

use crate::key::AsKey;
use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::versioned::Versioned;

use super::table::Table;
use super::versions::Versions;

pub(super) struct Shards<K, V, S> {
    shards: Box<[Shard<K, V>]>,
    hasher: S,
}

/// Alone on its cache lines: two, because processors fetch them in pairs.
#[repr(align(128))]
struct Shard<K, V>(RwLock<Table<K, V>>);

impl<K, V, S> Shards<K, V, S> {
    /// `count` is rounded up to a power of two, and limited to [`MAX_SHARDS`].
    pub(super) fn new(count: usize, hasher: S) -> Self {
        let count = count.clamp(1, MAX_SHARDS).next_power_of_two();
        let shards = (0..count).map(|_| Shard(RwLock::new(Table::new()))).collect();
        Self { shards, hasher }
    }

    /// All keys, in no order.
    #[cfg_attr(not(feature = "log"), allow(dead_code, reason = "who reads a log asks"))]
    pub(super) fn keys(&self) -> Vec<Arc<K>> {
        let tables = self.shards.iter().map(|shard| shard.0.read());
        tables.flat_map(|table| table.keys().map(Arc::clone).collect::<Vec<_>>()).collect()
    }

    fn shard(&self, hash: u64) -> &RwLock<Table<K, V>> {
        &self.shards[self.number(hash)].0
    }

    pub(super) fn write(&self, hash: u64) -> RwLockWriteGuard<'_, Table<K, V>> {
        self.shard(hash).write()
    }

    /// The number of the shard of this hash; shards are locked in the order of their numbers. The table's own bits are
    /// the lower half (`table.rs`): the shard is picked by others, so that the keys of one shard still spread over its table.
    pub(super) fn number(&self, hash: u64) -> usize {
        let bits = usize::try_from((hash >> 40) & 0xffff).unwrap_or(0);
        bits & (self.shards.len() - 1)
    }

    pub(super) fn read_number(&self, number: usize) -> RwLockReadGuard<'_, Table<K, V>> {
        self.shards[number].0.read()
    }

    pub(super) fn write_number(&self, number: usize) -> RwLockWriteGuard<'_, Table<K, V>> {
        self.shards[number].0.write()
    }
}

/// The most shards a store can have.
const MAX_SHARDS: usize = 1 << 16;

impl<K, V, S: BuildHasher> Shards<K, V, S> {
    pub(super) fn hash<Q: AsKey<K>>(&self, key: &Q) -> u64 {
        let mut state = self.hasher.build_hasher();
        key.hash_key(&mut state);
        state.finish()
    }

    /// What `look` makes of the versions of `key`, under the shard's lock.
    pub(super) fn read<Q: AsKey<K>, T>(
        &self,
        key: &Q,
        look: impl FnOnce(&Versions<V>) -> Option<T>,
    ) -> Option<T> {
        let hash = self.hash(key);
        let table = self.shard(hash).read();
        let slot = table.find(hash, |slot| key.is_key(&slot.key))?;
        look(&slot.versions)
    }

    /// Clones what `look` finds among the versions of some keys of the index, in the order of the keys, under the locks
    /// of all their shards.
    ///
    /// Each look-up waits for memory several times, one after the other. Several keys wait at the same time if each step
    /// is done for all of them, and nothing atomic comes in between.
    pub(super) fn read_some(
        &self,
        keys: &[Arc<K>],
        look: impl Fn(&Versions<V>) -> Option<&Versioned<V>>,
    ) -> Several<Option<Versioned<V>>>
    where
        K: AsKey<K>,
    {
        let hashes: Several<u64> = keys.iter().map(|key| self.hash(&**key)).collect();
        let mut numbers: Several<usize> = hashes.iter().map(|hash| self.number(*hash)).collect();
        // In their order, and none twice: another thread may wait to write.
        numbers.sort_unstable();
        numbers.dedup();
        let guards: Several<_> = numbers.iter().map(|number| self.read_number(*number)).collect();
        let find = |(key, hash): (&Arc<K>, &u64)| {
            let place = numbers.binary_search(&self.number(*hash));
            let table = &guards[place.expect("the shards of all keys are locked")];
            // Nearly always it is the slot's own, and need not be compared.
            table.find(*hash, |slot| Arc::ptr_eq(key, &slot.key) || key.is_key(&slot.key))
        };
        let slots: Several<_> = keys.iter().zip(&hashes).map(find).collect();
        let found: Several<_> = slots.iter().map(|slot| look(&(*slot)?.versions)).collect();
        found.iter().map(|entry| entry.cloned()).collect()
    }
}

/// Of as many keys as are looked up together.
pub(super) type Several<T> = SmallVec<[T; TOGETHER]>;

/// So many keys are looked up together.
pub(super) const TOGETHER: usize = 8;

impl<K: AsKey<K>, V, S: BuildHasher> Shards<K, V, S> {
    /// Makes room for so many entries, if they are spread as they should be, in tables that have none yet.
    #[cfg_attr(not(feature = "log"), allow(dead_code, reason = "who reads a log asks"))]
    pub(super) fn expect(&self, entries: usize) {
        // Shards differ, by about the root of what they have.
        let each = entries / self.shards.len();
        let each = each + 2 * each.isqrt();
        if each > 0 {
            self.shards.iter().for_each(|shard| shard.0.write().make_room(each));
        }
    }
}
