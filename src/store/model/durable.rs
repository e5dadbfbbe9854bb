//! On a log: what is shown is durable, and stays while it is shown, though newer commits are installed beside it.

use super::{
    Numbers, Past, View, Writer, Writing, assert_nothing_is_left, check, entries, join_all, on, txn,
};
use std::time::Duration;

use crate::log::Durability;
use crate::storage::disk::{Call, Disk, Fault};
use crate::sync::thread;
use crate::{Precondition, Revision};

fn write(store: &Numbers) -> Vec<Writing> {
    vec![
        Writer::spawn(store, |writer| {
            writer.put(0, 1);
            writer.delete(0);
            writer.put(0, 2);
        }),
        Writer::spawn(store, |writer| {
            writer.commit(&[(0, Some(3)), (100, Some(3))]);
            writer.delete(100);
        }),
    ]
}

/// Reads it, and reads it again.
fn read_twice(store: &Numbers) -> View {
    let snapshot = store.snapshot();
    let view = View::of(&snapshot);
    assert_eq!(View::of(&snapshot.clone()), view);
    view
}

fn shown_versions_stay(durability: Durability) -> Numbers {
    let store = on(&Disk::new().with_threads(), durability);
    let readers = (0..2)
        .map(|_| {
            let store = store.clone();
            thread::spawn(move || read_twice(&store))
        })
        .collect();
    let past = Past::of(join_all(write(&store)));
    join_all::<View>(readers).iter().for_each(|view| view.is_in(&past));
    View::of(&store.snapshot()).is_in(&past);
    assert_eq!(Some(store.revision()), past.newest());
    store
}

#[test]
fn no_version_that_is_shown_is_freed() {
    check(|| assert_nothing_is_left(&shown_versions_stay(Durability::Sync)));
}

#[test]
fn no_version_that_is_shown_is_freed_on_a_buffered_log() {
    check(|| assert_nothing_is_left(&shown_versions_stay(Durability::Buffered)));
}

#[test]
fn no_version_that_is_shown_is_freed_on_a_log_that_is_synced_in_time() {
    check(|| {
        let store = shown_versions_stay(Durability::Interval(Duration::ZERO));
        assert_nothing_is_left(&store);
    });
}

/// Some lead while it is time, and one syncs: what is then left to the sync thread is not forgotten.
#[test]
fn what_is_written_is_synced_in_time_by_itself() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Interval(Duration::ZERO));
        let other = store.clone();
        let syncing = thread::spawn(move || other.sync().expect("the disk works"));
        let commits = join_all(write(&store)).concat().len();
        syncing.join().expect("no thread panics");
        let survive = || {
            let found = on(&disk.as_synced(), Durability::Buffered);
            found.recovery().expect("it has a log").commits
        };
        while survive() < u64::try_from(commits).expect("they are few") {
            thread::yield_now();
        }
    });
}

/// A snapshot that is taken while commits are installed and wait for the disk is of the state before them; and an older
/// one that goes at that time takes nothing with it but what only it saw.
#[test]
fn a_snapshot_between_install_and_durable_is_of_the_durable_state() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Sync);
        let mut first = Writer::new(&store);
        first.put(0, 0);
        let older = store.snapshot();
        first.put(0, 9);
        disk.hold_syncs();
        let before = store.revision();
        let writers = vec![
            Writer::spawn(&store, |writer| writer.put(0, 1)),
            Writer::spawn(&store, |writer| writer.commit(&[(0, None), (1, Some(2))])),
        ];
        drop(older);
        let held = store.snapshot();
        assert_eq!(held.revision(), before);
        let held_view = View::of(&held);
        disk.release_syncs();
        let later = read_twice(&store);
        assert_eq!(View::of(&held), held_view);
        drop(held);
        let mut commits = join_all(writers);
        commits.push(first.commits);
        let past = Past::of(commits);
        held_view.is_in(&past);
        later.is_in(&past);
        assert_nothing_is_left(&store);
    });
}

#[test]
fn what_a_snapshot_or_a_scan_shows_survives_a_power_cut() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Sync);
        let writers = write(&store);
        let (at, shown) = {
            let scan = store.iter();
            (scan.revision(), entries(scan))
        };
        let found = entries(on(&disk.as_synced(), Durability::Sync).iter());
        let past = Past::of(join_all(writers));
        assert_eq!(shown, past.at(at));
        assert!(past.comes_to(&found, at), "{found:?} is no state since {at}: {shown:?}");
    });
}

/// What it read, what it wrote and what it met, though that may have been visible before it was durable.
#[test]
fn what_a_transaction_is_told_survives_a_power_cut() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Sync);
        let writer = Writer::spawn(&store, |writer| writer.commit(&[(0, Some(1)), (1, Some(1))]));
        let told = |kind: u32| -> Option<Revision> {
            match kind {
                0 => {
                    let read = store.transact(|t| Ok(t.get(0)?.and_then(|read| read.revision())));
                    read.expect("the disk works")
                }
                1 => {
                    let present = txn(&[]).require(0, Precondition::Present);
                    store.commit(present).ok()
                }
                2 => {
                    let error = store.commit(txn(&[(2, Some(1))]).require_none_in(0..2)).err()?;
                    error.conflicts()[0].revision()
                }
                _ => {
                    let absent = txn(&[(0, Some(2))]).require(0, Precondition::Absent);
                    let error = store.commit(absent).err()?;
                    error.conflicts()[0].revision()
                }
            }
        };
        for kind in 0..4 {
            if told(kind).is_some() {
                let found = on(&disk.as_synced(), Durability::Sync);
                assert!(found.get(0).is_some(), "{kind}: it was told, and is gone");
                break;
            }
        }
        let _committed_or_not = writer.join();
    });
}

/// After a failure the state stays the one that was durable, for those who had it and for those who come.
#[test]
fn a_failure_of_the_log_shows_nothing_that_is_not_durable() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Sync);
        let mut first = Writer::new(&store);
        first.put(0, 0);
        let breaker = {
            let disk = disk.clone();
            thread::spawn(move || disk.fail_every(Call::Sync, Fault::Io))
        };
        let writers = (1..3)
            .map(|value| {
                let store = store.clone();
                thread::spawn(move || {
                    let changes = [(0, Some(value)), (1, Some(value))];
                    store.commit(txn(&changes)).ok().map(|revision| (revision, changes.to_vec()))
                })
            })
            .collect();
        let meanwhile = read_twice(&store);
        let mut commits: Vec<Vec<_>> =
            join_all(writers).into_iter().map(|commit| commit.into_iter().collect()).collect();
        breaker.join().expect("no thread panics");
        commits.push(first.commits);
        let past = Past::of(commits);
        meanwhile.is_in(&past);
        let after = read_twice(&store);
        after.is_in(&past);
        assert_eq!(Some(after.revision), past.newest());
    });
}
