//! fjall: an LSM tree, whose transactions are optimistic here: each is told at its commit whether another one came before.
//! (Its other kind lets only one write at a time.)
//!
//! With its defaults but for the cache, which holds all keys, as its
//! [documentation](https://docs.rs/fjall/3.1.13/fjall/index.html#memory-usage) advises: "more if the data set fits fully into
//! memory". `PersistMode::Buffer`, its default, hands a commit to the system, where it survives the process; `SyncData` is an
//! `fdatasync`.

use std::path::Path;

use fjall::{
    KeyspaceCreateOptions, OptimisticTxDatabase, OptimisticTxKeyspace, PersistMode, Readable,
};

use super::CACHE_BYTES;
use super::encoded::{self, FIRST, encode};
use crate::engine::{Engine, Entries};

pub fn logged(directory: &Path) -> Box<dyn Engine> {
    open(directory, PersistMode::Buffer)
}

pub fn durable(directory: &Path) -> Box<dyn Engine> {
    open(directory, PersistMode::SyncData)
}

fn open(directory: &Path, mode: PersistMode) -> Box<dyn Engine> {
    let builder = OptimisticTxDatabase::builder(directory.join("fjall"));
    let db = builder.cache_size(CACHE_BYTES as u64).open().expect("the directory is ours");
    let values = db.keyspace("values", KeyspaceCreateOptions::default).expect("the disk works");
    Box::new(Fjall { db, values, mode })
}

struct Fjall {
    db: OptimisticTxDatabase,
    values: OptimisticTxKeyspace,
    mode: PersistMode,
}

impl Engine for Fjall {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        self.values.get(key).expect("the disk works").map(|value| encoded::read(&value))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let transaction = self.db.write_tx().expect("the disk works");
        let mut transaction = transaction.durability(Some(self.mode));
        let current = transaction.get(&self.values, key).expect("the disk works");
        if current.is_none_or(|current| encoded::revision(&current) != expected) {
            return false;
        }
        transaction.insert(&self.values, key, &encode(expected + 1, value)[..]);
        transaction.commit().expect("the disk works").is_ok()
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        for (key, value) in entries {
            let value = &encode(FIRST, &value)[..];
            self.values.inner().insert(key.as_str(), value).expect("the disk works");
        }
        self.db.persist(PersistMode::SyncAll).expect("the disk works");
    }
}
