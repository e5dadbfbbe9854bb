//! The crate.

use std::path::Path;

use ifmatch::{Durability, Revision, Store, Txn};
use serde_bytes::ByteBuf;

use crate::engine::{Engine, Entries, Key, VALUE_BYTES};

pub fn in_memory(_: &Path) -> Box<dyn Engine> {
    Box::new(Ours(Store::new()))
}

pub fn logged(directory: &Path) -> Box<dyn Engine> {
    open(directory, Durability::Buffered)
}

pub fn durable(directory: &Path) -> Box<dyn Engine> {
    open(directory, Durability::Sync)
}

fn open(directory: &Path, durability: Durability) -> Box<dyn Engine> {
    let store = Store::builder().durability(durability).open(directory);
    Box::new(Ours(store.expect("the directory is ours")))
}

struct Ours(Store<String, ByteBuf>);

impl Engine for Ours {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        let found = self.0.get(key)?;
        Some((found.revision().get(), found.value()[0]))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let expected = Revision::try_from(expected).expect("it was read");
        self.0.put_if(key, ByteBuf::from(value), expected).is_ok()
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        loop {
            let put = |txn: Txn<_, _>, (key, value): (Key, [u8; VALUE_BYTES])| {
                txn.put(key.as_str(), ByteBuf::from(value))
            };
            let txn = (&mut *entries).take(1000).fold(Txn::new(), put);
            if txn.changes().next().is_none() {
                return;
            }
            self.0.commit(txn).expect("the disk works");
        }
    }
}
