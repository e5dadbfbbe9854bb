//! A log that fails, and several who wait for it.

use super::{check, join_all, on};
use crate::log::Durability;
use crate::storage::disk::{Call, Disk, Fault};
use crate::sync::thread;
use crate::{Reason, WriteError};

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
