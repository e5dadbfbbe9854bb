//! What reads and writes by itself: each of them is on top of the one before.

use super::{Numbers, Writer, check, in_memory, join_all, on};
use crate::log::Durability;
use crate::storage::disk::Disk;
use crate::sync::thread;

const THREADS: u32 = 3;

/// Runs `body` on threads of their own.
fn together<T: Send + 'static>(
    store: &Numbers,
    body: impl Fn(&Numbers, u32) -> T + Copy + Send + 'static,
) -> Vec<T> {
    let threads = (0..THREADS)
        .map(|thread| {
            let store = store.clone();
            thread::spawn(move || body(&store, thread))
        })
        .collect();
    join_all(threads)
}

fn assert_all_counted(store: &Numbers) {
    let entry = store.get(0).expect("it was put");
    assert_eq!(*entry, THREADS, "an update was lost");
    assert_eq!(entry.write_count(), u64::from(THREADS));
}

/// From the first one on, which finds nothing.
fn no_update_is_lost(store: &Numbers) {
    together(store, |store, _| {
        let updated = store.update(0, |count| count.map_or(1, |count| count + 1));
        updated.expect("it is tried again")
    });
    assert_all_counted(store);
}

#[test]
fn no_update_is_lost_in_memory() {
    check(|| no_update_is_lost(&in_memory()));
}

#[test]
fn no_update_is_lost_on_a_log() {
    check(|| no_update_is_lost(&on(&Disk::new().with_threads(), Durability::Sync)));
}

/// A key that a transaction read and did not find is one that it has read.
#[test]
fn transactions_that_count_in_a_key_count_each_other() {
    check(|| {
        let store = in_memory();
        together(&store, |store, _| {
            let counted = store.transact(|t| {
                let count = t.get(0)?.map_or(0, |count| *count);
                t.put(0, count + 1);
                Ok(())
            });
            counted.expect("it is tried again");
        });
        assert_all_counted(&store);
    });
}

#[test]
fn whoever_gets_or_creates_has_the_same_entry() {
    check(|| {
        let store = in_memory();
        let entries = together(&store, |store, thread| {
            let entry = store.get_or_create(0, || thread).expect("no limit");
            (entry.revision(), *entry)
        });
        assert!(entries.iter().all(|entry| *entry == entries[0]), "{entries:?}");
        assert_eq!(store.get(0).map(|entry| (entry.revision(), *entry)), Some(entries[0]));
    });
}

/// It is overwritten again and again, and what is shown of it is taken out when something newer is.
fn a_key_that_is_always_there_is_always_read(store: &Numbers) {
    let mut first = Writer::new(store);
    first.put(0, 0);
    let writer = Writer::spawn(store, |writer| (1..4).for_each(|value| writer.put(0, value)));
    let mut newest = 0;
    for _ in 0..3 {
        let entry = store.get(0).expect("it is always there");
        assert!(newest <= *entry, "an older one than before");
        newest = *entry;
    }
    join_all(vec![writer]);
}

#[test]
fn a_key_that_is_always_there_is_always_read_in_memory() {
    check(|| a_key_that_is_always_there_is_always_read(&in_memory()));
}

#[test]
fn a_key_that_is_always_there_is_always_read_on_a_log() {
    check(|| {
        let store = on(&Disk::new().with_threads(), Durability::Sync);
        a_key_that_is_always_there_is_always_read(&store);
    });
}
