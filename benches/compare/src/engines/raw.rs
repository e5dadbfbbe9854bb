//! The machine's limit: a record is written, and synced, and that is all. It answers nothing.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use parking_lot::Mutex;

use crate::engine::{Engine, Entries};

pub fn durable(directory: &Path) -> Box<dyn Engine> {
    let file = File::create(directory.join("raw")).expect("a file");
    // As ours and others do it: the size of the file does not change with every record.
    let none = rustix::fs::FallocateFlags::empty();
    if let Err(error) = rustix::fs::fallocate(&file, none, 0, PREALLOCATED) {
        eprintln!("{}: slower than it could be, the file is not preallocated: {error}", super::RAW);
    }
    Box::new(Raw(Mutex::new(file)))
}

/// Bytes.
const PREALLOCATED: u64 = 64 << 20;

struct Raw(Mutex<File>);

impl Engine for Raw {
    fn get(&self, _: &str) -> Option<(u64, u8)> {
        Some((0, 0))
    }

    fn swap(&self, key: &str, _: u64, value: &[u8]) -> bool {
        let mut record = Vec::with_capacity(16 + key.len() + value.len());
        record.extend([0; 16]);
        record.extend(key.as_bytes());
        record.extend(value);
        let mut file = self.0.lock();
        file.write_all(&record).expect("the disk has room");
        file.sync_data().expect("the disk works");
        true
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        entries.for_each(drop);
    }
}
