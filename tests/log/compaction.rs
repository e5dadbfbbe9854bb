//! Compaction: what recovery begins with is the state, not the past; and the disk holds no more than it has to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ifmatch::{Builder, CompactError, Durability, OpenError, Store, Txn, Versioned};

use crate::common::{Random, disk, eventually, read_files, scratch, together, within, write_files};

type Numbers = Store<u64, String>;

fn builder() -> Builder<u64, String> {
    Store::builder().segment_bytes(16 << 10).compact_after(u64::MAX)
}

/// All that is stored, with all that is known of it.
fn entries(store: &Numbers) -> BTreeMap<u64, (u64, u64, u64, String)> {
    let entry = |entry: Versioned<String>| {
        let (revision, created) = (entry.revision().get(), entry.created_revision().get());
        (revision, created, entry.write_count(), entry.value().clone())
    };
    store.iter().map(|(key, found)| (key, entry(found))).collect()
}

fn write(store: &Numbers, random: &mut Random, count: u64) {
    for _ in 0..count {
        let key = random.below(50);
        match random.below(5) {
            0 => drop(store.delete(key).unwrap()),
            1 => {
                let txn = Txn::new().put(key, "x".repeat(40)).put(key + 50, "y".repeat(9));
                store.commit(txn).unwrap();
            }
            _ => {
                let len = usize::try_from(random.below(300)).unwrap();
                store.put(key, "z".repeat(len)).unwrap();
            }
        }
    }
}

fn names(directory: &Path, suffix: &str) -> Vec<String> {
    let files = read_files(directory).into_keys();
    files.filter(|name| name.ends_with(suffix)).collect()
}

#[test]
fn what_was_compacted_reads_back_equal_with_revisions_and_counts() {
    for durability in [Durability::Sync, Durability::Buffered] {
        for clean in [true, false] {
            let scratch = scratch();
            let directory = scratch.path().join("data");
            let mut random = Random(7);
            let mut store = builder().durability(durability).open(&directory).unwrap();
            for round in 0..5_u64 {
                write(&store, &mut random, 200);
                store.compact().unwrap();
                assert_eq!(names(&directory, ".checkpoint").len(), 1);
                assert_eq!(names(&directory, ".segment").len(), 1);
                assert_eq!(names(&directory, ".new"), Vec::<String>::new());
                // Now and then nothing comes after.
                write(&store, &mut random, round % 3 * 50);
                let (expected, newest) = (entries(&store), store.revision());
                if clean {
                    store.close().unwrap();
                } else {
                    store.sync().unwrap();
                }
                let files = read_files(&directory);
                drop(store);
                write_files(&directory, &files);
                store = builder().durability(durability).open(&directory).unwrap();
                assert_eq!(entries(&store), expected);
                let recovery = store.recovery().unwrap();
                assert_eq!(recovery.clean, clean);
                assert!(recovery.checkpoint.is_some_and(|at| at <= newest));
                assert!(recovery.commits <= round % 3 * 50);
                assert!(store.revision() >= newest);
                if clean {
                    assert_eq!(store.revision(), newest);
                } else {
                    assert!(store.revision().get() > newest.get() + 1000, "a block is skipped");
                }
            }
        }
    }
}

#[test]
fn where_there_is_nothing_to_replace_nothing_happens() {
    let scratch = scratch();
    let directory = scratch.path().join("data");
    let store = builder().open(&directory).unwrap();
    store.compact().unwrap();
    assert_eq!(names(&directory, ".checkpoint"), Vec::<String>::new());
    store.put(1, "one".to_owned()).unwrap();
    store.compact().unwrap();
    let files = read_files(&directory);
    store.compact().unwrap();
    assert_eq!(read_files(&directory), files);
    let memory: Numbers = Store::new();
    memory.compact().unwrap();
}

#[test]
fn a_store_compacts_by_itself_and_the_disk_stays_bounded() {
    let scratch = scratch();
    let directory = scratch.path().join("data");
    let store = builder().compact_after(64 << 10).durability(Durability::Buffered);
    let store = store.open(&directory).unwrap();
    let writer = store.clone();
    within(60, move || {
        let mut random = Random(7);
        while writer.stats().log().unwrap().compactions.succeeded < 5 {
            write(&writer, &mut random, 20);
        }
    });
    let stats = store.stats().log().unwrap();
    assert_eq!(stats.compactions.failed, 0);
    assert!(stats.checkpoint_bytes > 0 && stats.checkpoint_bytes < 64 << 10);
    let expected = entries(&store);
    store.close().unwrap();
    let on_disk: usize = read_files(&directory).values().map(Vec::len).sum();
    assert!(on_disk < 400 << 10, "{on_disk}");
    drop(store);
    assert_eq!(entries(&builder().open(&directory).unwrap()), expected);
}

#[test]
fn writers_and_readers_go_on_while_the_log_is_compacted_again_and_again() {
    let scratch = disk();
    let directory = scratch.path().join("data");
    let store = builder().open(&directory).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let compactor = scope.spawn(|| {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                store.compact().unwrap();
                count += 1;
            }
            count
        });
        together(4, |thread| {
            for n in 0..200 {
                let txn = Txn::new().put(thread, format!("{n}")).put(thread + 100, format!("{n}"));
                store.commit(txn).unwrap();
            }
        });
        over.store(true, Ordering::Relaxed);
        assert!(compactor.join().unwrap() > 1);
    });
    let expected = entries(&store);
    assert!(expected.values().all(|(_, _, count, value)| *count == 200 && value == "199"));
    drop(store);
    assert_eq!(entries(&builder().open(&directory).unwrap()), expected);
}

#[test]
fn closing_ends_a_compaction_and_leaves_nothing_of_it() {
    let scratch = scratch();
    let directory = scratch.path().join("data");
    let mut ended = 0;
    for _ in 0..20 {
        let store = builder().durability(Durability::Buffered).open(&directory).unwrap();
        for key in 0..3_000 {
            store.put(key, "x".repeat(100)).unwrap();
        }
        std::thread::scope(|scope| {
            let compacting = scope.spawn(|| store.compact());
            std::thread::sleep(Duration::from_micros(500));
            store.close().unwrap();
            let files = read_files(&directory);
            assert_eq!(names(&directory, ".new"), Vec::<String>::new());
            match compacting.join().unwrap() {
                Ok(()) => {}
                Err(CompactError::Closed) => ended += 1,
                Err(other) => panic!("{other}"),
            }
            assert_eq!(read_files(&directory), files, "nothing is changed after the close");
        });
        assert!(matches!(store.compact(), Err(CompactError::Closed)));
        drop(store);
        let store = builder().open(&directory).unwrap();
        assert_eq!(store.len(), 3_000);
    }
    println!("{ended} of 20 were ended");
}

#[test]
fn files_that_an_interrupted_clean_up_left_are_removed_and_others_missed() {
    let scratch = scratch();
    let directory = scratch.path().join("data");
    let store = builder().open(&directory).unwrap();
    let mut random = Random(7);
    write(&store, &mut random, 300);
    store.sync().unwrap();
    let before = read_files(&directory);
    store.compact().unwrap();
    write(&store, &mut random, 10);
    let expected = entries(&store);
    store.close().unwrap();
    drop(store);
    let after = read_files(&directory);

    let mut both = before.clone();
    both.extend(after.clone());
    write_files(&directory, &both);
    let store = builder().open(&directory).unwrap();
    assert_eq!(entries(&store), expected);
    assert!(store.recovery().unwrap().removed >= 2);
    store.close().unwrap();
    drop(store);
    assert_eq!(read_files(&directory), after);

    let checkpoint = names(&directory, ".checkpoint").pop().unwrap();
    let segment = names(&directory, ".segment").pop().unwrap();
    for missing in [checkpoint, segment] {
        let mut files = after.clone();
        files.remove(&missing);
        write_files(&directory, &files);
        let error = builder().open(&directory).unwrap_err();
        assert!(matches!(error, OpenError::MissingSegment { .. }), "{missing}: {error}");
        assert_eq!(read_files(&directory), files);
    }
}

/// Two copies of one log compact at the same place, and then differ.
#[test]
fn a_checkpoint_is_not_continued_by_a_segment_of_a_copy() {
    let (one, other) = (scratch(), scratch());
    let store = builder().open(one.path()).unwrap();
    write(&store, &mut Random(7), 100);
    store.sync().unwrap();
    write_files(other.path(), &read_files(one.path()));
    drop(store);
    for (number, directory) in [&one, &other].into_iter().enumerate() {
        let store = builder().open(directory.path()).unwrap();
        store.compact().unwrap();
        store.put(1, format!("{number}")).unwrap();
    }
    let (checkpoint, mut files) = (names(one.path(), ".checkpoint"), read_files(one.path()));
    assert_eq!(checkpoint, names(other.path(), ".checkpoint"));
    files.insert(checkpoint[0].clone(), read_files(other.path())[&checkpoint[0]].clone());
    write_files(one.path(), &files);
    let error = builder().open(one.path()).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { offset: 0, .. }), "{error}");
    assert_eq!(read_files(one.path()), files);
}

/// Only a segment that was full had the log looked at: a store that is killed before it has filled one starts another each
/// time, and its log grew without bound.
#[test]
fn a_log_of_many_unclean_stops_is_compacted_when_it_is_opened() {
    let scratch = scratch();
    let directory = scratch.path().join("data");
    let builder = || Store::<u64, String>::builder().durability(Durability::Buffered);
    for _ in 0..20 {
        let store = builder().open(&directory).unwrap();
        for n in 0..20 {
            store.put(n % 5, "x".repeat(200)).unwrap();
        }
        let files = read_files(&directory);
        drop(store);
        write_files(&directory, &files);
    }
    assert!(names(&directory, ".segment").len() >= 20);
    let store = builder().compact_after(64 << 10).open(&directory).unwrap();
    eventually("it is compacted", || store.stats().log().unwrap().compactions.succeeded == 1);
    assert_eq!(store.len(), 5);
    // A segment, the checkpoint, and the lock.
    let files = || fs::read_dir(&directory).unwrap().count();
    eventually("what it replaces is removed", || files() == 3);
}
