//! A `DashMap` and a count: what is written where no library is at hand. It has no order of keys, no order of commits, no
//! snapshots and no watches.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use ifmatch::FastHash;

use crate::engine::{Engine, Entries};

/// With `DashMap`'s own hasher, `SipHash`.
pub fn in_memory(_: &Path) -> Box<dyn Engine> {
    Box::new(ByHand::<RandomState>::default())
}

/// With the hasher of ours.
pub fn foldhash(_: &Path) -> Box<dyn Engine> {
    Box::new(ByHand::<FastHash>::default())
}

#[derive(Default)]
struct ByHand<S: BuildHasher + Clone> {
    map: DashMap<String, (u64, Arc<[u8]>), S>,
    revision: AtomicU64,
}

impl<S: BuildHasher + Clone> ByHand<S> {
    fn next(&self) -> u64 {
        self.revision.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl<S: BuildHasher + Clone + Send + Sync> Engine for ByHand<S> {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        // Cloned, so that the caller works outside the lock, as with ours.
        let (revision, value) = self.map.get(key)?.value().clone();
        Some((revision, value[0]))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let value = Arc::from(value);
        let Some(mut entry) = self.map.get_mut(key) else { return false };
        if entry.0 != expected {
            return false;
        }
        let old = std::mem::replace(&mut *entry, (self.next(), value));
        drop(entry);
        drop(old);
        true
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        for (key, value) in entries {
            self.map.insert(key.as_str().to_owned(), (self.next(), Arc::from(value)));
        }
    }
}
