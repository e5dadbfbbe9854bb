//! One map, one lock.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::engine::{Engine, Entries};

pub fn in_memory(_: &Path) -> Box<dyn Engine> {
    Box::new(OneLock::default())
}

#[derive(Default)]
struct OneLock(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    map: HashMap<String, (u64, Arc<[u8]>)>,
    revision: u64,
}

impl Engine for OneLock {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        let (revision, value) = self.0.lock().map.get(key)?.clone();
        Some((revision, value[0]))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let value = Arc::from(value);
        let mut inner = self.0.lock();
        let next = inner.revision + 1;
        let Some(entry) = inner.map.get_mut(key).filter(|entry| entry.0 == expected) else {
            return false;
        };
        let old = std::mem::replace(entry, (next, value));
        inner.revision = next;
        drop(inner);
        drop(old);
        true
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        let mut inner = self.0.lock();
        for (key, value) in entries {
            inner.revision += 1;
            let entry: (u64, Arc<[u8]>) = (inner.revision, Arc::from(value));
            inner.map.insert(key.as_str().to_owned(), entry);
        }
    }
}
