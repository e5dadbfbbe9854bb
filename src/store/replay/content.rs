//! The shards while a log is read. Nobody else has them yet, so that what is replaced may be dropped under their locks; and
//! their keys are put in order at the end.

use std::hash::BuildHasher;

use triomphe::Arc;

use super::Hashed;
use crate::key::AsKey;
use crate::revision::Revision;
use crate::store::index::Index;
use crate::store::shards::Shards;
use crate::store::table::Table;
use crate::store::versions::Versions;
use crate::store::window::Change;
use crate::versioned::{Draft, Versioned};

pub(super) struct Content<'a, K, V, S> {
    shards: &'a Shards<K, V, S>,
    /// All keys, in the order in which they came: those of a checkpoint are sorted already. `None` once one was deleted.
    keys: Option<Vec<Arc<K>>>,
}

impl<'a, K, V, S> Content<'a, K, V, S> {
    pub(super) fn new(shards: &'a Shards<K, V, S>) -> Self {
        Self { shards, keys: Some(Vec::new()) }
    }

    /// The index of the keys.
    pub(super) fn index(self) -> Index<K>
    where
        K: Ord + Send + Sync,
    {
        Index::of(self.keys.unwrap_or_else(|| self.shards.keys()))
    }
}

impl<K: AsKey<K>, V, S: BuildHasher> Content<'_, K, V, S> {
    /// Makes room for so many entries, if they are spread over the shards as they should be.
    pub(super) fn expect(&mut self, entries: usize) {
        self.shards.expect(entries);
        if let Some(keys) = &mut self.keys {
            keys.reserve(entries);
        }
    }

    /// Installs what recovery read from a checkpoint. Returns whether the key existed before: whoever compacts a log as bytes
    /// does not know that keys with two encodings are equal, and then the newer entry is the one.
    pub(super) fn restore_entry(
        &mut self,
        (hash, key): Hashed<Arc<K>>,
        entry: Versioned<V>,
    ) -> bool {
        let mut table = self.shards.write(hash);
        match table.find_entry(hash, |slot| key.is_key(&slot.key)) {
            Ok(mut slot) => {
                let versions = &mut slot.get_mut().versions;
                if versions.newest().0 < entry.revision() {
                    versions.become_one(entry);
                }
                true
            }
            Err(_) => {
                insert(&mut self.keys, &mut table, (hash, key), entry);
                false
            }
        }
    }

    /// Installs what recovery read: the commit `revision` put a value under `key`, or deleted it. Returns what that changed.
    pub(super) fn restore(
        &mut self,
        revision: Revision,
        (hash, key): Hashed<K>,
        draft: Option<Draft<V>>,
    ) -> Option<Change<K, V>> {
        let mut table = self.shards.write(hash);
        match (table.find_entry(hash, |slot| key.is_key(&slot.key)), draft) {
            (Ok(mut slot), Some(draft)) => {
                let slot = slot.get_mut();
                let previous = slot.versions.newest().1.cloned();
                let entry = draft.seal(revision, previous.as_ref());
                slot.versions.become_one(entry.clone());
                let key = Arc::clone(&slot.key);
                Some(Change { key, entry: Some(entry), previous })
            }
            (Ok(slot), None) => {
                let (slot, _) = slot.remove();
                self.keys = None;
                let previous = slot.versions.newest().1.cloned();
                Some(Change { key: slot.key, entry: None, previous })
            }
            (Err(_), None) => None,
            (Err(_), Some(draft)) => {
                let (key, entry) = (Arc::new(key), draft.seal(revision, None));
                let own = (hash, Arc::clone(&key));
                insert(&mut self.keys, &mut table, own, entry.clone());
                Some(Change { key, entry: Some(entry), previous: None })
            }
        }
    }
}

fn insert<K, V>(
    keys: &mut Option<Vec<Arc<K>>>,
    table: &mut Table<K, V>,
    (hash, key): Hashed<Arc<K>>,
    entry: Versioned<V>,
) {
    table.make_room(1);
    if let Some(keys) = keys {
        keys.push(Arc::clone(&key));
    }
    table.insert(hash, key, Versions::of(entry));
}
