//! Conflicts: who loses a race is told why, and who may not win does not.

use super::{Numbers, check, in_memory, join_all, on};
use crate::log::Durability;
use crate::storage::disk::Disk;
use crate::sync::thread;
use crate::{Precondition, Txn, WriteError};

/// A key comes and goes. Whoever fails because it was there is shown it, whoever fails because it was not is not: what is
/// shown and what failed are of one moment.
fn a_conflict_shows_why(store: &Numbers) {
    let comes_and_goes = {
        let store = store.clone();
        thread::spawn(move || {
            store.put(0, 1).expect("no limit");
            store.delete(0).expect("no limit");
            store.put(0, 2).expect("no limit");
        })
    };
    if let Err(error) = store.create(0, 7) {
        let conflict = conflict(error);
        assert!(conflict.current().is_some(), "it failed because it was there");
    }
    if let Err(error) = store.put_if(0, 8, Precondition::Present) {
        let conflict = conflict(error);
        assert!(conflict.current().is_none(), "it failed because it was not there");
    }
    join_all(vec![comes_and_goes]);
}

fn conflict(error: WriteError<u32, u32>) -> crate::Conflict<u32, u32> {
    error.into_conflict().expect("nothing else fails")
}

#[test]
fn a_conflict_shows_why_its_precondition_failed() {
    check(|| a_conflict_shows_why(&in_memory()));
}

#[test]
fn a_conflict_shows_why_its_precondition_failed_on_a_log() {
    check(|| a_conflict_shows_why(&on(&Disk::new().with_threads(), Durability::Sync)));
}

/// Keys that are new are made ready under no lock, after the conditions were looked at the first time.
#[test]
fn of_two_that_require_that_the_other_is_not_there_one_commits() {
    check(|| {
        let store = in_memory();
        let threads = (0..2)
            .map(|key| {
                let store = store.clone();
                thread::spawn(move || {
                    let txn = Txn::new().require(1 - key, Precondition::Absent).put(key, 1);
                    store.commit(txn).is_ok()
                })
            })
            .collect();
        let committed: Vec<bool> = join_all(threads);
        assert!(committed[0] != committed[1], "{committed:?}");
        assert_eq!(store.len(), 1);
    });
}
