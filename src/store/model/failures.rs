//! A log that fails or is closed, and those who wait for it.

use shuttle::future::block_on;

use super::{check, join_all, on};
use crate::log::Durability;
use crate::storage::disk::{Call, Disk, Fault};
use crate::sync::thread;
use crate::{Precondition, Reason, WriteError};

/// One of them leads, and the others wait. None of them leads after it, and there is no other to wake the next.
#[test]
fn a_failure_reaches_every_thread_that_waits() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Sync);
        store.put(9, 0).expect("the disk works");
        disk.fail_every(Call::Sync, Fault::Io);
        let threads = (0..3)
            .map(|key| {
                let store = store.clone();
                thread::spawn(move || store.put(key, 1))
            })
            .collect();
        for (key, outcome) in (0..).zip(join_all(threads)) {
            match outcome.expect_err("no sync works") {
                WriteError::OutcomeUnknown(_) => {}
                WriteError::Refused(refused) => {
                    assert!(matches!(refused.reason(), Reason::Poisoned(_)), "{refused}");
                }
                WriteError::Conflict(_) => unreachable!("nothing is expected"),
            }
            assert!(store.get(key).is_none(), "it is shown though it is not durable");
        }
    });
}

/// A log that was closed in good order has no room when it is opened: its first commit has to wait for some. If the close
/// comes while it does, nobody makes room any more.
#[test]
fn a_close_reaches_a_future_that_waits_for_room() {
    check(|| {
        let disk = Disk::new().with_threads();
        let before = on(&disk, Durability::Sync);
        before.put(9, 0).expect("the disk works");
        before.close().expect("the disk works");
        let store = on(&disk, Durability::Sync);
        let threads = (0..2)
            .map(|key| {
                let store = store.clone();
                thread::spawn(move || {
                    let put = block_on(store.submit_put_if(key, 1, Precondition::Any));
                    put.ok().map(|put| (key, put.revision()))
                })
            })
            .collect();
        store.close().expect("the disk works");
        let written = join_all(threads);
        let found = on(&disk, Durability::Sync);
        for (key, revision) in written.into_iter().flatten() {
            assert_eq!(found.get(key).map(|entry| entry.revision()), Some(revision));
        }
    });
}
