//! Keys that are equal and are encoded differently: what works on bytes cannot see that.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use ifmatch::{Store, maintenance};
use serde::{Deserialize, Serialize};

use crate::common::scratch;

/// Equal whatever the case.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Name(String);

impl Name {
    fn lower(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.lower() == other.lower()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.lower().cmp(&other.lower())
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lower().hash(state);
    }
}

#[test]
fn of_equal_keys_with_two_encodings_the_newer_is_kept() {
    let directory = scratch();
    let open = || Store::<Name, u64>::builder().open(directory.path()).unwrap();
    let store = open();
    for (key, value) in [("a", 1), ("A", 2), ("B", 3), ("b", 4)] {
        store.put(Name(key.to_owned()), value).unwrap();
    }
    store.close().unwrap();
    drop(store);
    maintenance::compact(directory.path(), &mut |_| {}).unwrap();
    let store = open();
    assert_eq!(store.len(), 2);
    for (key, value) in [("a", 2), ("b", 4)] {
        assert_eq!(*store.get(Name(key.to_owned())).unwrap(), value);
    }
}
