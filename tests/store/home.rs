//! Where a store under test lives.

use std::path::Path;
use std::time::Duration;

use ifmatch::{Builder, Durability, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::common::scratch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Memory,
    Log(Durability),
}

/// Every place that a store can be in.
pub(crate) const HOMES: [Home; 4] = [
    Home::Memory,
    Home::Log(Durability::Sync),
    Home::Log(IN_TIME),
    Home::Log(Durability::Buffered),
];

/// So short that every test has many of its syncs in its way.
pub(crate) const IN_TIME: Durability = Durability::Interval(Duration::from_millis(1));

impl Home {
    /// Runs `test` on a store that `settings` shape, and on a log with another store that is opened afterwards from
    /// what the first one left: whatever `check` finds on the first holds on the second.
    pub(crate) fn run<K, V>(
        self,
        settings: impl Fn(Builder<K, V>) -> Builder<K, V>,
        test: impl FnOnce(&Store<K, V>),
        check: impl Fn(&Store<K, V>),
    ) where
        K: Clone + std::hash::Hash + Ord + Serialize + DeserializeOwned + Send + Sync + 'static,
        V: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        match self {
            Self::Memory => {
                let store = settings(Store::builder()).build();
                test(&store);
                check(&store);
            }
            Self::Log(durability) => {
                let directory = scratch();
                let open = |path: &Path| {
                    settings(Store::builder()).durability(durability).open(path).unwrap()
                };
                let store = open(directory.path());
                test(&store);
                check(&store);
                drop(store);
                check(&open(directory.path()));
            }
        }
    }
}
