//! A shard's hash table: keys with their versions.
//!
//! Each slot notes half of its key's hash, in room that its versions leave free. So a table grows without looking at a
//! key: each would be waited for twice, once for itself and once for its text, under the lock of the shard; and it would
//! be the user's code that runs there.

use hashbrown::HashTable;
use hashbrown::hash_table::{AbsentEntry, OccupiedEntry};
use triomphe::Arc;

use super::versions::Versions;

/// Its methods take the whole hash of a key, and use the half that slots note.
#[derive(Debug)]
pub(super) struct Table<K, V>(HashTable<Slot<K, V>>);

/// A key and its versions.
#[derive(Debug)]
pub(super) struct Slot<K, V> {
    /// Shared with the index and the window.
    pub(super) key: Arc<K>,
    pub(super) versions: Versions<V>,
}

/// What was looked for, to be changed or taken out.
type Sought<'a, K, V> = Result<OccupiedEntry<'a, Slot<K, V>>, AbsentEntry<'a, Slot<K, V>>>;

/// The half of a hash that is noted: the lower one. The shard is picked by the other.
fn noted(hash: u64) -> u32 {
    let lower = hash & u64::from(u32::MAX);
    u32::try_from(lower).expect("so many bits are left")
}

/// What the table knows a key by. It takes the place from the lowest bits, and a tag from the highest seven: both are made of
/// what is noted, from its two ends.
fn spread(noted: u32) -> u64 {
    u64::from(noted) << 32 | u64::from(noted)
}

fn spread_of<K, V>(slot: &Slot<K, V>) -> u64 {
    spread(slot.versions.note())
}

impl<K, V> Table<K, V> {
    pub(super) fn new() -> Self {
        Self(HashTable::new())
    }

    pub(super) fn find(
        &self,
        hash: u64,
        is_it: impl FnMut(&Slot<K, V>) -> bool,
    ) -> Option<&Slot<K, V>> {
        self.0.find(spread(noted(hash)), is_it)
    }

    pub(super) fn find_entry(
        &mut self,
        hash: u64,
        is_it: impl FnMut(&Slot<K, V>) -> bool,
    ) -> Sought<'_, K, V> {
        self.0.find_entry(spread(noted(hash)), is_it)
    }

    /// All slots whose keys may have this hash.
    pub(super) fn iter_hash_mut(&mut self, hash: u64) -> impl Iterator<Item = &mut Slot<K, V>> {
        self.0.iter_hash_mut(spread(noted(hash)))
    }

    /// Where a slot is, until the next is inserted or removed.
    pub(super) fn find_bucket(
        &self,
        hash: u64,
        is_it: impl FnMut(&Slot<K, V>) -> bool,
    ) -> Option<usize> {
        self.0.find_bucket_index(spread(noted(hash)), is_it)
    }

    pub(super) fn bucket(&self, bucket: usize) -> Option<&Slot<K, V>> {
        self.0.get_bucket(bucket)
    }

    pub(super) fn bucket_mut(&mut self, bucket: usize) -> Option<&mut Slot<K, V>> {
        self.0.get_bucket_mut(bucket)
    }

    pub(super) fn take_bucket(&mut self, bucket: usize) -> Option<Slot<K, V>> {
        self.0.get_bucket_entry(bucket).ok().map(|entry| entry.remove().0)
    }

    /// Makes sure that so many more slots fit.
    pub(super) fn make_room(&mut self, slots: usize) {
        self.0.reserve(slots, spread_of);
    }

    /// Inserts a key that is not there; there is [room](Self::make_room).
    pub(super) fn insert(&mut self, hash: u64, key: Arc<K>, mut versions: Versions<V>) {
        versions.set_note(noted(hash));
        let room_was_made = |_: &Slot<K, V>| unreachable!("room was made");
        self.0.insert_unique(spread(noted(hash)), Slot { key, versions }, room_was_made);
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Arc<K>> {
        self.0.iter().map(|slot| &slot.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::Revision;
    use crate::versioned::Draft;

    #[test]
    fn a_slot_is_no_larger_for_what_it_notes() {
        assert_eq!(size_of::<Slot<u64, u64>>(), 3 * size_of::<usize>());
    }

    /// Whatever becomes of the versions, the table that has grown meanwhile finds its keys by their hashes.
    #[test]
    fn a_table_grows_by_what_slots_note_and_finds_every_key() {
        let hash = |key: u64| key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut table = Table::new();
        for key in 0..1_000_u64 {
            table.make_room(1);
            let entry = Draft::new(key).seal(Revision::MIN, None);
            table.insert(hash(key), Arc::new(key), Versions::of(entry));
            if key % 3 == 0 {
                let mut slot = table.find_entry(hash(key), |slot| *slot.key == key).unwrap();
                let versions = &mut slot.get_mut().versions;
                versions.make_room();
                if key % 2 == 0 {
                    versions.collapse();
                }
            }
        }
        for key in 0..1_000_u64 {
            let found = table.find(hash(key), |slot| *slot.key == key).unwrap();
            assert_eq!(found.versions.newest().1.map(|entry| **entry), Some(key));
        }
        assert_eq!(table.keys().count(), 1_000);
    }
}
