//! scc: a map of finely locked buckets.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use scc::HashMap;

use crate::engine::{Engine, Entries};

pub fn in_memory(_: &Path) -> Box<dyn Engine> {
    Box::new(Scc::default())
}

#[derive(Default)]
struct Scc {
    map: HashMap<String, (u64, Arc<[u8]>)>,
    revision: AtomicU64,
}

impl Scc {
    fn next(&self) -> u64 {
        self.revision.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Engine for Scc {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        let (revision, value) = self.map.read_sync(key, |_, entry| entry.clone())?;
        Some((revision, value[0]))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let value = Arc::from(value);
        let swapped = self.map.update_sync(key, |_, entry| {
            (entry.0 == expected).then(|| std::mem::replace(entry, (self.next(), value)))
        });
        swapped.flatten().is_some()
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        for (key, value) in entries {
            let entry: (u64, Arc<[u8]>) = (self.next(), Arc::from(value));
            self.map.insert_sync(key.as_str().to_owned(), entry).expect("it is new");
        }
    }
}
