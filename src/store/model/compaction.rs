//! A compaction beside writers, and beside a close.

use super::{Numbers, Writer, Writing, check, entries, join_all, on};
use crate::CompactError;
use crate::log::Durability;
use crate::storage::disk::Disk;
use crate::sync::thread;

fn compact(store: &Numbers) -> thread::JoinHandle<Result<(), CompactError>> {
    let store = store.clone();
    thread::spawn(move || store.compact())
}

fn write(store: &Numbers) -> Vec<Writing> {
    vec![
        Writer::spawn(store, |writer| {
            writer.put(0, 1);
            writer.delete(0);
        }),
        Writer::spawn(store, |writer| writer.commit(&[(0, Some(3)), (100, Some(3))])),
    ]
}

/// Whatever the checkpoint has of them, and whatever the segment after it.
fn compaction_keeps_what_writers_were_told(durability: Durability) {
    let disk = Disk::new().with_threads();
    let store = on(&disk, durability);
    Writer::new(&store).put(7, 0);
    let compacting = compact(&store);
    join_all(write(&store));
    compacting.join().expect("no thread panics").expect("the disk works");
    store.sync().expect("the disk works");
    let found = on(&disk.as_synced(), durability);
    assert_eq!(entries(found.iter()), entries(store.iter()));
    assert!(found.recovery().expect("it has a log").checkpoint.is_some());
}

#[test]
fn a_compaction_beside_writers_keeps_what_they_were_told() {
    check(|| compaction_keeps_what_writers_were_told(Durability::Sync));
}

#[test]
fn a_compaction_of_a_buffered_log_beside_writers_keeps_what_they_were_told() {
    check(|| compaction_keeps_what_writers_were_told(Durability::Buffered));
}

/// The next owner of the directory must find it as it was left.
#[test]
fn after_a_close_no_compaction_touches_the_disk() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Sync);
        Writer::new(&store).put(7, 0);
        let compacting = compact(&store);
        store.close().expect("the disk works");
        let calls = disk.calls();
        let found = on(&disk, Durability::Sync);
        assert_eq!(entries(found.iter()), entries(store.iter()));
        let opened = disk.calls();
        let ended = compacting.join().expect("no thread panics");
        assert!(matches!(ended, Ok(()) | Err(CompactError::Closed)), "{ended:?}");
        assert!(calls < opened);
        assert_eq!(disk.calls(), opened, "a call after the close");
    });
}
