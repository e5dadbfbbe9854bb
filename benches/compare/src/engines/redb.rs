//! redb: copy-on-write B+ trees in one file, one writer at a time.
//!
//! With its defaults (a cache of 1 GiB, which holds all keys; one-phase commits). A compare-and-swap is a write transaction, as
//! its [documentation](https://docs.rs/redb/4.6.0/redb/struct.Database.html#method.begin_write) has it. It has no mode that
//! survives the process and not a power cut: with
//! [`Durability::None`](https://docs.rs/redb/4.6.0/redb/enum.Durability.html) a commit stays in memory until one that is not,
//! and with that it takes part where others' writes survive the process; else each commit is synced.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use super::encoded::{self, Encoded, FIRST, encode};
use crate::engine::{Engine, Entries};

pub fn logged(directory: &Path) -> Box<dyn Engine> {
    open(directory, Durability::None)
}

pub fn durable(directory: &Path) -> Box<dyn Engine> {
    open(directory, Durability::Immediate)
}

const TABLE: TableDefinition<'_, &str, &Encoded> = TableDefinition::new("values");

fn open(directory: &Path, durability: Durability) -> Box<dyn Engine> {
    let db = Database::create(directory.join("redb")).expect("the directory is ours");
    let redb = Redb { db, durability };
    // A table that nobody wrote to cannot be read.
    redb.fill(&mut std::iter::empty());
    Box::new(redb)
}

struct Redb {
    db: Database,
    durability: Durability,
}

impl Engine for Redb {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        let read = self.db.begin_read().expect("the disk works");
        let table = read.open_table(TABLE).expect("it was made");
        let value = table.get(key).expect("the disk works")?;
        Some(encoded::read(value.value()))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let mut write = self.db.begin_write().expect("the disk works");
        write.set_durability(self.durability).expect("there are no savepoints");
        let mut table = write.open_table(TABLE).expect("it was made");
        let current = table.get(key).expect("the disk works");
        let is_current = current.is_some_and(|value| encoded::revision(value.value()) == expected);
        if is_current {
            table.insert(key, &encode(expected + 1, value)).expect("the disk works");
        }
        drop(table);
        if is_current {
            write.commit().expect("the disk works");
        } else {
            write.abort().expect("the disk works");
        }
        is_current
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        let write = self.db.begin_write().expect("the disk works");
        let mut table = write.open_table(TABLE).expect("it is of this type");
        for (key, value) in entries {
            table.insert(key.as_str(), &encode(FIRST, &value)).expect("the disk works");
        }
        drop(table);
        write.commit().expect("the disk works");
    }
}
