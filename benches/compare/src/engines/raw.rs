//! The machine's limit: a record is written, and synced, and that is all. It answers nothing.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;

use parking_lot::Mutex;

use crate::engine::{Engine, Entries};

pub fn durable(directory: &Path) -> Box<dyn Engine> {
    let mut file = File::create(directory.join("raw")).expect("a file");
    // As ours and others do it: the size of the file does not change with every record, nor does what is written the first
    // time have to be marked as written, as after an `fallocate`.
    for _ in 0..PREALLOCATED / ZEROS.len() {
        file.write_all(&ZEROS).expect("the disk has room");
    }
    file.rewind().and_then(|()| file.sync_all()).expect("the disk works");
    Box::new(Raw(Mutex::new(file)))
}

/// Bytes.
const PREALLOCATED: usize = 64 << 20;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

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
