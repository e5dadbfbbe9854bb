//! The machine's limit: a record is written, and synced, and that is all. It answers nothing.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;

use futures::future::{BoxFuture, FutureExt, ready};
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
    Box::new(Raw(Mutex::new(Log { file, end: 0, records: Vec::new(), count: 0 })))
}

/// Bytes.
const PREALLOCATED: usize = 64 << 20;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Where many are under way, so many share a sync.
const TOGETHER: usize = 1024;

struct Raw(Mutex<Log>);

struct Log {
    file: File,
    end: usize,
    records: Vec<u8>,
    count: usize,
}

impl Log {
    fn add(&mut self, key: &str, value: &[u8]) {
        self.records.extend([0; 16]);
        self.records.extend(key.as_bytes());
        self.records.extend(value);
        self.count += 1;
    }

    fn sync(&mut self) {
        if self.end + self.records.len() > PREALLOCATED {
            self.file.rewind().expect("it is a file");
            self.end = 0;
        }
        self.file.write_all(&self.records).expect("the disk has room");
        self.file.sync_data().expect("the disk works");
        self.end += self.records.len();
        self.records.clear();
        self.count = 0;
    }
}

impl Engine for Raw {
    fn get(&self, _: &str) -> Option<(u64, u8)> {
        Some((0, 0))
    }

    fn swap(&self, key: &str, _: u64, value: &[u8]) -> bool {
        let mut log = self.0.lock();
        log.add(key, value);
        log.sync();
        true
    }

    fn submit<'a>(&'a self, key: &str, _: u64, value: &[u8]) -> BoxFuture<'a, bool> {
        let mut log = self.0.lock();
        log.add(key, value);
        if log.count == TOGETHER {
            log.sync();
        }
        ready(true).boxed()
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        entries.for_each(drop);
    }
}
