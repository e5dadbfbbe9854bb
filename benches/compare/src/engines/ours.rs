//! The crate.

mod burden;

use std::path::Path;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use ifmatch::{Durability, Precondition, Revision, Store};
use parking_lot::Mutex;
use serde_bytes::ByteArray;

use self::burden::Carried;
use crate::engine::{Burden, Engine, Entries, FILL_BATCH, Heard, VALUE_BYTES};

pub fn in_memory(_: &Path) -> Box<dyn Engine> {
    boxed::<Value>(Store::new())
}

/// Values whose size is known only then are a piece of their own, as with the others.
pub fn sized(_: &Path) -> Box<dyn Engine> {
    boxed::<Arc<[u8]>>(Store::new())
}

pub fn logged(directory: &Path) -> Box<dyn Engine> {
    open(directory, Durability::Buffered)
}

pub fn durable(directory: &Path) -> Box<dyn Engine> {
    open(directory, Durability::Sync)
}

fn open(directory: &Path, durability: Durability) -> Box<dyn Engine> {
    let store = Store::builder().durability(durability).open(directory);
    boxed::<Value>(store.expect("the directory is ours"))
}

fn boxed<V: Bytes>(store: Store<String, V>) -> Box<dyn Engine> {
    Box::new(Ours { store, carried: Mutex::default() })
}

/// A value that is one piece with its revisions. (`Vec<u8>` would be a second one elsewhere, which each read waits for.)
type Value = ByteArray<VALUE_BYTES>;

/// What values are kept as.
trait Bytes: Send + Sync + 'static {
    fn new(value: &[u8]) -> Self;
    fn first(&self) -> u8;
}

impl Bytes for Value {
    fn new(value: &[u8]) -> Self {
        Self::new(*value.first_chunk().expect("all values are of one length"))
    }

    fn first(&self) -> u8 {
        self[0]
    }
}

impl Bytes for Arc<[u8]> {
    fn new(value: &[u8]) -> Self {
        Self::from(value)
    }

    fn first(&self) -> u8 {
        self[0]
    }
}

struct Ours<V> {
    store: Store<String, V>,
    carried: Mutex<Carried<V>>,
}

fn revision(read: u64) -> Revision {
    Revision::try_from(read).expect("it was read")
}

impl<V: Bytes> Engine for Ours<V> {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        let found = self.store.get(key)?;
        Some((found.revision().get(), found.value().first()))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        self.store.put_if(key, V::new(value), revision(expected)).is_ok()
    }

    fn submit<'a>(&'a self, key: &str, expected: u64, value: &[u8]) -> BoxFuture<'a, bool> {
        let put = self.store.submit_put_if(key, V::new(value), revision(expected));
        put.map(|written| written.is_ok()).boxed()
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        loop {
            let puts = (&mut *entries).take(FILL_BATCH).map(|(key, value)| {
                self.store.submit_put_if(key.as_str(), V::new(&value), Precondition::Any)
            });
            let puts: Vec<_> = puts.collect();
            if puts.is_empty() {
                return;
            }
            puts.into_iter().for_each(|put| {
                put.wait().expect("the disk works");
            });
        }
    }

    fn burden(&self, burden: Burden) {
        self.carried.lock().become_of(&self.store, burden);
    }

    fn heard(&self) -> Heard {
        self.carried.lock().heard()
    }
}
