//! The crate.

use std::path::Path;

use ifmatch::{Durability, Revision, Store, Txn};
use serde_bytes::ByteArray;

use crate::engine::{Engine, Entries, Key, VALUE_BYTES};

pub fn in_memory(_: &Path) -> Box<dyn Engine> {
    Box::new(Ours { store: Store::new(), keys_in_a_commit: 1 })
}

pub fn logged(directory: &Path) -> Box<dyn Engine> {
    open(directory, Durability::Buffered)
}

pub fn durable(directory: &Path) -> Box<dyn Engine> {
    open(directory, Durability::Sync)
}

fn open(directory: &Path, durability: Durability) -> Box<dyn Engine> {
    let store = Store::builder().durability(durability).open(directory);
    Box::new(Ours { store: store.expect("the directory is ours"), keys_in_a_commit: 1000 })
}

/// A value that is one piece with its revisions. (`Vec<u8>` would be a second one elsewhere, which each read waits for.)
type Value = ByteArray<VALUE_BYTES>;

struct Ours {
    store: Store<String, Value>,
    /// While it is filled: on a log each commit is waited for.
    keys_in_a_commit: usize,
}

impl Engine for Ours {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        let found = self.store.get(key)?;
        Some((found.revision().get(), found.value()[0]))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let expected = Revision::try_from(expected).expect("it was read");
        let value = value.first_chunk().expect("all values are of one length");
        self.store.put_if(key, Value::new(*value), expected).is_ok()
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        loop {
            let put = |txn: Txn<_, _>, (key, value): (Key, [u8; VALUE_BYTES])| {
                txn.put(key.as_str(), Value::new(value))
            };
            let txn = (&mut *entries).take(self.keys_in_a_commit).fold(Txn::new(), put);
            if txn.changes().next().is_none() {
                return;
            }
            self.store.commit(txn).expect("the disk works");
        }
    }
}
