//! sled 0.34: a B+ tree on a log of its own, with a compare-and-swap of values.
//!
//! With its defaults (a cache of 1 GiB, which holds all keys; `Mode::LowSpace`, for `HighThroughput` is a mere hint to its
//! garbage collector): the [documentation](https://docs.rs/sled/0.34.7/sled/struct.Config.html) asks for no more. What it has
//! written goes to the file every 500 ms, so it does not survive the process, though it takes part where others' does. Where it
//! has to survive a power cut each write is followed by `flush`, as its
//! [documentation](https://docs.rs/sled/0.34.7/sled/struct.Tree.html#method.flush) says. On Linux that is a `sync_file_range`
//! (its src/pagecache/iobuf.rs), which hands the bytes to the disk and does not flush the disk's own cache: [it is no guarantee
//! on a disk that has one](https://man7.org/linux/man-pages/man2/sync_file_range.2.html), and its name in the tables says so.

use std::path::Path;

use sled::{Batch, Db};

use super::encoded::{self, FIRST, encode};
use crate::engine::{Engine, Entries};

pub fn logged(directory: &Path) -> Box<dyn Engine> {
    open(directory, false)
}

pub fn durable(directory: &Path) -> Box<dyn Engine> {
    open(directory, true)
}

fn open(directory: &Path, flushes: bool) -> Box<dyn Engine> {
    let db = sled::Config::new().path(directory.join("sled")).open();
    Box::new(Sled { db: db.expect("the directory is ours"), flushes })
}

struct Sled {
    db: Db,
    flushes: bool,
}

impl Engine for Sled {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        self.db.get(key).expect("the disk works").map(|value| encoded::read(&value))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let Some(current) = self.db.get(key).expect("the disk works") else { return false };
        if encoded::revision(&current) != expected {
            return false;
        }
        let new = &encode(expected + 1, value)[..];
        let swapped = self.db.compare_and_swap(key, Some(current), Some(new));
        let swapped = swapped.expect("the disk works").is_ok();
        if self.flushes {
            self.db.flush().expect("the disk works");
        }
        swapped
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        loop {
            let (mut batch, mut count) = (Batch::default(), 0);
            for (key, value) in (&mut *entries).take(1000) {
                batch.insert(key.as_str(), &encode(FIRST, &value)[..]);
                count += 1;
            }
            if count == 0 {
                break;
            }
            self.db.apply_batch(batch).expect("the disk works");
        }
        self.db.flush().expect("the disk works");
    }
}
