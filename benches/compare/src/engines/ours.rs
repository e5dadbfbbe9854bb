//! The crate.

use std::path::Path;

use ifmatch::{Durability, Precondition, Revision, Store};
use serde_bytes::ByteArray;

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

/// A value that is one piece with its revisions. (`Vec<u8>` would be a second one elsewhere, which each read waits for.)
type Value = ByteArray<VALUE_BYTES>;

struct Ours(Store<String, Value>);

impl Engine for Ours {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        let found = self.0.get(key)?;
        Some((found.revision().get(), found.value()[0]))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let expected = Revision::try_from(expected).expect("it was read");
        let value = value.first_chunk().expect("all values are of one length");
        self.0.put_if(key, Value::new(*value), expected).is_ok()
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        loop {
            let put = |(key, value): (Key, [u8; VALUE_BYTES])| {
                self.0.submit_put_if(key.as_str(), Value::new(value), Precondition::Any)
            };
            let puts: Vec<_> = (&mut *entries).take(1000).map(put).collect();
            if puts.is_empty() {
                return;
            }
            puts.into_iter().for_each(|put| {
                put.wait().expect("the disk works");
            });
        }
    }
}
