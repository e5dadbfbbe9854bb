//! A log of arbitrary bytes: headers, frames, records, blocks and entries, on a simulated disk, so that no file system is
//! touched. What says where a thing is and that it is whole is mended, but for one thing of the fuzzer's choice.
//!
//! The store opens it, or refuses, as a second reader says that was written after `FORMAT.md` alone; shows the same entries;
//! and allocates in proportion to what it reads. What was decoded encodes to the same: it is compacted, closed, and read by
//! both again.
#![no_main]

#[path = "../allocation.rs"]
mod allocation;
mod expected;
mod format;
mod mend;

use std::collections::BTreeMap;

use ifmatch::testing::disk::Disk;
use ifmatch::{Durability, OpenError, Revision, Store};
use libfuzzer_sys::fuzz_target;

use expected::{Entry, Expected};

type Files = BTreeMap<String, Vec<u8>>;

/// What opening a log may ask of the allocator for each byte of its files; and beside for a store, and for the one collection
/// that turns out to be shorter than it says: serde believes up to 1 MiB.
const EACH_BYTE: usize = 64;
const BESIDE: usize = (1 << 20) + (64 << 10);

/// Revisions beyond are too many to go on after.
const LAST_BLOCKS: u64 = Revision::MAX.get() - (1 << 22);

fuzz_target!(|input: &[u8]| {
    let Some(files) = mend::files(input) else { return };
    let disk = Disk::with_files(files.clone());
    let len = files.values().map(Vec::len).sum();
    let opened = allocation::bounded("opening it", (len, EACH_BYTE, BESIDE), || open(&disk));
    let expected = expected::read(&files);
    let store = match (opened, &expected) {
        (Ok(store), Ok(expected)) => {
            check(&store, expected);
            store
        }
        (Err(error), Err(_)) => {
            assert!(!error.to_string().is_empty());
            let mut found = disk.files();
            found.remove("LOCK");
            assert_eq!(found, files, "what is refused stays as it is");
            return;
        }
        (Ok(_), Err(what)) => panic!("it opens, though {what}"),
        (Err(error), Ok(_)) => panic!("it does not open: {error}"),
    };
    let Ok(Expected { floor, .. }) = expected else { return };
    if floor <= LAST_BLOCKS {
        encodes_to_the_same(store, &disk, floor);
    }
});

fn open(disk: &Disk) -> Result<Store<u8, Vec<u8>>, OpenError> {
    let builder =
        Store::builder().shards(1).segment_bytes(4096).watch_window(64).revision_block(16);
    builder.durability(Durability::Buffered).compact_after(u64::MAX).open_on(disk)
}

fn check(store: &Store<u8, Vec<u8>>, expected: &Expected) {
    assert_eq!(entries(store), expected.entries);
    assert_eq!(store.len(), expected.entries.len());
    let recovery = store.recovery().expect("it has a log");
    assert_eq!(recovery.commits, expected.commits);
    assert_eq!(recovery.clean, expected.clean);
    assert_eq!(recovery.cut.map(|cut| (cut.offset, cut.bytes)), expected.cut);
    assert_eq!((recovery.ignored, recovery.unmarked), (expected.ignored, expected.unmarked));
    assert_eq!(store.revision().get(), expected.floor);
}

fn entries(store: &Store<u8, Vec<u8>>) -> BTreeMap<u8, Entry> {
    let entries = store.iter().map(|(key, entry)| {
        let (revision, created) = (entry.revision().get(), entry.created_revision().get());
        (
            key,
            Entry { revision, created, writes: entry.write_count(), value: entry.value().clone() },
        )
    });
    entries.collect()
}

/// What the store writes of what it has read is by the format, and has the same in it.
fn encodes_to_the_same(store: Store<u8, Vec<u8>>, disk: &Disk, floor: u64) {
    let revision = store.put(0, vec![7; 3]).expect("the disk works");
    assert!(revision.get() > floor, "{revision} was reserved");
    let before = entries(&store);
    for compacts in [false, true] {
        if compacts {
            store.compact().expect("the disk works");
        }
        let mut files = disk.files();
        files.remove("LOCK");
        let read = expected::read(&files).expect("what the store writes is by the format");
        assert_eq!(read.entries, before);
    }
    store.close().expect("the disk works");
    drop(store);
    let mut files = disk.files();
    files.remove("LOCK");
    let read = expected::read(&files).expect("what the store writes is by the format");
    assert!(read.clean && read.entries == before && read.floor == revision.get());
    let again = open(disk).expect("what the store writes opens");
    assert_eq!(entries(&again), before);
    assert_eq!(again.revision(), revision);
}
