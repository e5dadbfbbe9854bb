//! papaya: a map whose reads take no locks; memory is given back by epochs.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use papaya::{Compute, HashMap, Operation};

use crate::engine::{Engine, Entries};

pub fn in_memory(_: &Path) -> Box<dyn Engine> {
    Box::new(Papaya::default())
}

#[derive(Default)]
struct Papaya {
    map: HashMap<String, (u64, Box<[u8]>)>,
    revision: AtomicU64,
}

impl Papaya {
    fn next(&self) -> u64 {
        self.revision.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Engine for Papaya {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        // A reference into the map, kept alive by the guard: no clone is needed.
        self.map.pin().get(key).map(|(revision, value)| (*revision, value[0]))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let map = self.map.pin();
        let outcome = map.compute(key.to_owned(), |current| match current {
            Some((_, (revision, _))) if *revision == expected => {
                Operation::Insert((self.next(), Box::from(value)))
            }
            _ => Operation::Abort(()),
        });
        matches!(outcome, Compute::Updated { .. })
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        let map = self.map.pin();
        for (key, value) in entries {
            map.insert(key.as_str().to_owned(), (self.next(), Box::from(value)));
        }
    }
}
