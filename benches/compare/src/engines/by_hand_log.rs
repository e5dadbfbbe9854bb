//! A `DashMap` before a log: what a good engineer writes in a week. Records have a length and a CRC; who waits writes, and
//! if need be syncs, for all who wait, so that they share a call of the system. Where it
//! syncs it sets space aside by writing zeros: then there is no change of the file's size to be made durable, which halves the
//! time of a sync.
//!
//! What is read may not be durable yet. It has no segments, and what is overwritten stays on the disk.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use dashmap::DashMap;
use parking_lot::{Condvar, Mutex};

use crate::engine::{Engine, Entries, FILL_BATCH};

pub fn logged(directory: &Path) -> Box<dyn Engine> {
    Box::new(ByHand::open(directory, false))
}

pub fn durable(directory: &Path) -> Box<dyn Engine> {
    Box::new(ByHand::open(directory, true))
}

struct ByHand {
    map: DashMap<String, (u64, Arc<[u8]>)>,
    log: Log,
}

impl ByHand {
    fn open(directory: &Path, sync: bool) -> Self {
        let (map, mut newest, mut end) = (DashMap::new(), 0, 0);
        let path = directory.join("log");
        if let Ok(file) = File::open(&path) {
            end = replay(BufReader::with_capacity(1 << 20, file), |revision, key, value| {
                newest = revision;
                map.insert(key, (revision, value));
            });
        }
        let options = File::options().create(true).write(true).truncate(false).open(path);
        let file = Space { file: options.expect("a log"), end, allocated: end };
        let tail = Tail { buffer: Vec::new(), newest, written: newest, file: Some(file) };
        Self { map, log: Log { tail: Mutex::new(tail), written: Condvar::new(), sync } }
    }
}

impl Engine for ByHand {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        let (revision, value) = self.map.get(key)?.value().clone();
        Some((revision, value[0]))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let (record, value) = (Record::new(key, value), Arc::from(value));
        let Some(mut entry) = self.map.get_mut(key) else { return false };
        if entry.0 != expected {
            return false;
        }
        let revision = self.log.append(&record);
        let old = std::mem::replace(&mut *entry, (revision, value));
        drop(entry);
        drop(old);
        self.log.wait_for(revision);
        true
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        let (mut newest, mut count) = (0, 0);
        for (key, value) in entries {
            newest = self.log.append(&Record::new(key.as_str(), &value));
            self.map.insert(key.as_str().to_owned(), (newest, Arc::from(value)));
            count += 1;
            if count % FILL_BATCH == 0 {
                // All in one would have a buffer as large as the log, which is kept.
                self.log.wait_for(newest);
            }
        }
        self.log.wait_for(newest);
    }
}

/// Encoded but for its revision: lengths, key, value, and their checksum.
struct Record {
    bytes: Vec<u8>,
    checksum: u32,
}

const HEADER: usize = 16;

impl Record {
    fn new(key: &str, value: &[u8]) -> Self {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("it is small").to_le_bytes();
        let mut bytes = Vec::with_capacity(8 + key.len() + value.len());
        bytes.extend(length(key.as_bytes()));
        bytes.extend(length(value));
        bytes.extend(key.as_bytes());
        bytes.extend(value);
        let checksum = crc32c::crc32c(&bytes);
        Self { bytes, checksum }
    }
}

struct Log {
    tail: Mutex<Tail>,
    written: Condvar,
    sync: bool,
}

struct Tail {
    buffer: Vec<u8>,
    newest: u64,
    /// Up to this revision all is in the file.
    written: u64,
    /// Absent while somebody writes.
    file: Option<Space>,
}

/// The file, and space that is set aside in it.
struct Space {
    file: File,
    /// Where the next record goes.
    end: u64,
    allocated: u64,
}

/// It grows by so many bytes.
const STEP: usize = 4 << 20;

static ZEROS: [u8; STEP] = [0; STEP];

impl Space {
    fn write(&mut self, records: &[u8], sync: bool) -> io::Result<()> {
        let end = self.end + records.len() as u64;
        while sync && self.allocated < end {
            self.file.write_all_at(&ZEROS, self.allocated)?;
            self.allocated += STEP as u64;
        }
        self.file.write_all_at(records, self.end)?;
        self.end = end;
        if sync { self.file.sync_data() } else { Ok(()) }
    }
}

impl Log {
    fn append(&self, record: &Record) -> u64 {
        let mut tail = self.tail.lock();
        tail.newest += 1;
        let revision = tail.newest;
        let bytes = revision.to_le_bytes();
        tail.buffer.extend(bytes);
        tail.buffer.extend(crc32c::crc32c_append(record.checksum, &bytes).to_le_bytes());
        let length = u32::try_from(record.bytes.len()).expect("it is small");
        tail.buffer.extend(length.to_le_bytes());
        tail.buffer.extend(&record.bytes);
        revision
    }

    /// Whoever finds nobody writing writes for all.
    fn wait_for(&self, revision: u64) {
        let mut tail = self.tail.lock();
        while tail.written < revision {
            let Some(mut file) = tail.file.take() else {
                self.written.wait(&mut tail);
                continue;
            };
            let (buffer, newest) = (std::mem::take(&mut tail.buffer), tail.newest);
            drop(tail);
            file.write(&buffer, self.sync).expect("the disk has room, and works");
            tail = self.tail.lock();
            (tail.written, tail.file) = (newest, Some(file));
            if tail.buffer.is_empty() {
                tail.buffer = buffer;
                tail.buffer.clear();
            }
            self.written.notify_all();
        }
    }
}

/// Up to the first record that is torn, or to the zeros after the last one. Returns where that is.
fn replay(mut log: impl Read, mut install: impl FnMut(u64, String, Arc<[u8]>)) -> u64 {
    let (mut header, mut bytes, mut end) = ([0; HEADER], Vec::new(), 0);
    while log.read_exact(&mut header).is_ok() {
        let (revision, rest) = header.split_first_chunk::<8>().expect("16 bytes");
        let (checksum, length) = rest.split_first_chunk::<4>().expect("8 bytes");
        let length = u32::from_le_bytes(length.try_into().expect("4 bytes"));
        bytes.resize(length as usize, 0);
        if length < 8 || log.read_exact(&mut bytes).is_err() {
            break;
        }
        let own = crc32c::crc32c_append(crc32c::crc32c(&bytes), revision);
        let (lengths, pair) = bytes.split_at(8);
        if own != u32::from_le_bytes(*checksum) {
            break;
        }
        let key = u32::from_le_bytes(*lengths.first_chunk().expect("8 bytes")) as usize;
        let (key, value) = pair.split_at(key);
        let key = String::from_utf8(key.to_vec()).expect("keys are text");
        install(u64::from_le_bytes(*revision), key, Arc::from(value));
        end += (HEADER + bytes.len()) as u64;
    }
    end
}
