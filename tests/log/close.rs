//! Closing: what is refused after it, what goes on, and what it leaves.

use ifmatch::{Durability, Precondition, Reason, Store, SyncError, WriteError};

use crate::common::{block_on, read_files, scratch, within, write_files};
use crate::history::{DURABILITIES, open};

#[test]
fn after_the_close_writes_are_refused_and_reads_go_on() {
    for durability in DURABILITIES {
        let directory = scratch();
        let store =
            Store::<String, u8>::builder().durability(durability).open(directory.path()).unwrap();
        let other_handle = store.clone();
        let revision = store.put("a", 1).unwrap();
        store.close().unwrap();
        let refusals = [
            ("put", store.put("a", 2).map(drop)),
            ("create", other_handle.create("b", 2).map(drop)),
            ("put_if", store.put_if("a", 2, revision).map(drop)),
            ("delete", store.delete("a").map(drop)),
            ("update", store.update("a", |_| 2).map(drop)),
            ("get_or_create", other_handle.get_or_create("b", || 2).map(drop)),
            ("submitted", store.submit_put_if("a", 2, Precondition::Any).wait().map(drop)),
            ("awaited", block_on(store.submit_delete_if("a", revision)).map(drop)),
        ];
        for (name, outcome) in refusals {
            match outcome.unwrap_err() {
                WriteError::Refused(refused) if matches!(refused.reason(), Reason::Closed) => {}
                error => panic!("{durability:?}, {name}: {error}"),
            }
        }
        let conflict = store.put_if("a", 2, Precondition::Absent).unwrap_err();
        assert_eq!(conflict.conflict().unwrap().revision(), Some(revision));
        assert_eq!(*store.get_or_create("a", || 9).unwrap(), 1);
        for store in [&store, &other_handle] {
            assert_eq!(*store.get("a").unwrap(), 1);
            assert_eq!((store.len(), store.revision()), (1, revision));
        }
        assert!(matches!(store.sync(), Err(SyncError::Closed)));
        store.close().unwrap();
        other_handle.close().unwrap();
    }
}

#[test]
fn an_old_handle_cannot_write_into_a_log_that_was_opened_again() {
    let directory = scratch();
    let old = open(directory.path()).unwrap();
    old.put(1, vec![1]).unwrap();
    old.close().unwrap();
    let new = open(directory.path()).unwrap();
    old.put(1, vec![2]).unwrap_err();
    drop(old);
    new.put(2, vec![2]).unwrap();
    new.close().unwrap();
    let store = open(directory.path()).unwrap();
    assert_eq!((store.get(1).unwrap().value().as_slice(), store.len()), (&[1][..], 2));
}

#[test]
fn a_close_among_racing_writers_keeps_exactly_what_was_told() {
    within(60, || {
        for durability in DURABILITIES {
            let directory = scratch();
            let open = || {
                let builder = Store::<u64, u64>::builder().shards(4).segment_bytes(4096);
                builder.durability(durability).open(directory.path()).unwrap()
            };
            for round in 0..20 {
                let store = open();
                let before = store.revision();
                let told = crate::common::together(4, |thread| {
                    let mut told = None;
                    for n in 0.. {
                        if thread == 3 && n == round * 5 {
                            store.close().unwrap();
                        }
                        match store.put(thread, n) {
                            Ok(revision) => told = Some((revision, n)),
                            Err(_) => break,
                        }
                    }
                    told
                });
                drop(store);
                let store = open();
                assert!(store.recovery().unwrap().clean);
                let newest = told.iter().flatten().map(|(revision, _)| *revision).max();
                assert_eq!(store.revision(), newest.unwrap_or(before), "nothing untold is there");
                for (thread, told) in (0..).zip(told) {
                    let Some(told) = told else { continue };
                    let entry = store.get(thread).unwrap();
                    assert_eq!((entry.revision(), *entry), told, "{durability:?}");
                }
            }
        }
    });
}

#[test]
fn opening_a_clean_log_changes_no_byte_before_the_first_write() {
    let directory = scratch();
    let store = open(directory.path()).unwrap();
    (0..200_u8).for_each(|n| assert!(store.put(n % 16, vec![n; 50]).is_ok()));
    store.close().unwrap();
    let files = read_files(directory.path());
    assert!(files.len() > 3, "several segments");
    let store = open(directory.path()).unwrap();
    assert!(store.recovery().unwrap().clean);
    assert_eq!(read_files(directory.path()), files);
    store.get(1).unwrap();
    store.create(1, vec![]).unwrap_err();
    assert!(store.delete(99).unwrap().is_none());
    assert_eq!(read_files(directory.path()), files, "reads and lost races write nothing");
    store.put(1, vec![]).unwrap();
    assert_ne!(read_files(directory.path()), files);
}

#[test]
fn sync_makes_buffered_writes_durable_and_may_be_called_any_time() {
    let directory = scratch();
    let builder = || Store::<u8, u8>::builder().durability(Durability::Buffered);
    let store = builder().open(directory.path()).unwrap();
    store.sync().unwrap();
    store.put(1, 1).unwrap();
    store.sync().unwrap();
    store.sync().unwrap();
    drop(store);
    assert_eq!(*builder().open(directory.path()).unwrap().get(1).unwrap(), 1);
    let in_memory = Store::<u8, u8>::new();
    in_memory.sync().unwrap();
    in_memory.close().unwrap();
    in_memory.put(1, 1).unwrap();
}

/// A block that was lost behind the mark of an earlier close took all that came after it, and the log passed for closed.
#[test]
fn a_log_whose_close_mark_is_followed_by_zeros_was_not_closed() {
    let directory = scratch();
    let open = || Store::<u8, u8>::builder().open(directory.path()).unwrap();
    let store = open();
    store.put(1, 1).unwrap();
    store.close().unwrap();
    let mut files = read_files(directory.path());
    let store = open();
    store.put(2, 2).unwrap();
    store.close().unwrap();
    for bytes in files.values_mut() {
        bytes.resize(4096, 0);
    }
    write_files(directory.path(), &files);
    let store = open();
    assert!(!store.recovery().unwrap().clean, "nobody is told that something is missing");
    assert!(store.contains(1));
}
