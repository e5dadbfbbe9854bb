//! The power goes at any call of the disk, while threads are at work; and what anybody was told before is found after.
//!
//! The call is drawn by the schedule, as is what of the unsynced survives. From that call on the disk stands still, so that
//! all threads come to an end. Then the log is recovered, which the power may cut short, too, and is recovered again.

use shuttle::future::block_on;
use shuttle::rand::{RngCore, thread_rng};
use std::time::Duration;

use super::{Changes, Numbers, Past, View, builder, check, entries, join_all, on, open, told, txn};
use crate::log::Durability;
use crate::storage::disk::{Disk, Fault};
use crate::sync::{Arc, Mutex, thread};
use crate::{Precondition, Revision};

/// More calls than any of these protocols makes after its store was opened.
const CALLS: u64 = 24;
const CALLS_WITH_COMPACTION: u64 = 40;
const CALLS_OF_RECOVERY: u64 = 40;

pub(super) fn below(bound: u64) -> u64 {
    thread_rng().next_u64() % bound
}

/// A store whose disk is about to fail, and what is told of it meanwhile.
#[derive(Clone)]
struct Doomed {
    store: Numbers,
    disk: Disk,
    /// The newest revision that is never to be taken back.
    told: Arc<Mutex<Revision>>,
    /// Whether all that is told is never taken back. (Else what was synced.)
    told_is_told: bool,
}

impl Doomed {
    /// A store with an entry, and a commit of two.
    fn new(durability: Durability) -> Self {
        let disk = Disk::new().with_threads();
        let store = on(&disk, durability);
        store.commit(txn(&[(0, Some(0)), (7, Some(0))])).expect("the disk works");
        store.sync().expect("the disk works");
        let told = Arc::new(Mutex::new(store.revision()));
        Self { store, disk, told, told_is_told: durability == Durability::Sync }
    }

    /// The power will be cut, at one of so many calls.
    fn with_power_cut(durability: Durability, calls: u64) -> Self {
        let doomed = Self::new(durability);
        doomed.disk.halt_at(doomed.disk.calls() + below(calls));
        doomed
    }

    /// One of so many calls will fail, or none.
    fn with_fault(durability: Durability, calls: u64) -> Self {
        let doomed = Self::new(durability);
        doomed.disk.fail_at(doomed.disk.calls() + below(calls), Fault::Io);
        doomed
    }

    fn tell(&self, revision: Revision) {
        if self.told_is_told {
            self.tell_synced(revision);
        }
    }

    fn tell_synced(&self, revision: Revision) {
        let mut told = self.told.lock();
        *told = revision.max(*told);
    }

    fn spawn(&self, body: impl FnOnce(&Self) + Send + 'static) -> thread::JoinHandle<()> {
        let doomed = self.clone();
        thread::spawn(move || body(&doomed))
    }

    /// A writer that goes on until it fails.
    fn write(&self, commits: Vec<Changes>) -> thread::JoinHandle<()> {
        self.spawn(move |doomed| {
            for changes in commits {
                match doomed.store.commit(txn(&changes)) {
                    Ok(revision) => doomed.tell(revision),
                    Err(_) => return,
                }
            }
        })
    }

    fn writers(&self) -> Vec<thread::JoinHandle<()>> {
        vec![
            self.write(vec![vec![(0, Some(1)), (1, Some(1))], vec![(0, None), (1, Some(2))]]),
            self.write(vec![vec![(0, Some(3))], vec![(7, None), (100, Some(4))]]),
        ]
    }

    fn compact(&self) -> thread::JoinHandle<()> {
        self.spawn(|doomed| drop(doomed.store.compact()))
    }

    /// All that was installed, whoever knows of it.
    fn past(&self) -> Past {
        let sequencer = &self.store.inner.map.sequencer;
        let start = self.store.inner.map.sequencer.lock().window.start();
        let installed = sequencer.commits(start, sequencer.visible(), 1_000);
        let installed = installed.unwrap_or_else(|_| unreachable!("all of it is in the window"));
        let commits = installed.iter().map(|commit| {
            let changes = commit.changes().iter();
            let changes =
                changes.map(|change| (*change.key, change.entry.as_ref().map(|entry| **entry)));
            (crate::store::stored(commit.revision), changes.collect())
        });
        Past::of(vec![commits.collect()])
    }

    /// The power is cut now, if it has not been; and perhaps again while the log is recovered.
    fn recovered(&self, durability: Durability) -> Numbers {
        let cut = self.disk.after_power_cut(thread_rng().next_u64());
        cut.halt_at(below(CALLS_OF_RECOVERY));
        let first = builder().durability(durability).segment_bytes(4096).open_on(&cut);
        drop(first);
        on(&cut.after_power_cut(thread_rng().next_u64()), durability)
    }

    /// What is found after the cut is the state at some revision, and nothing that was told is missing; and what is written
    /// then is newer than all that anybody can have seen.
    fn survives(&self, durability: Durability) -> Numbers {
        let past = self.past();
        let found = self.recovered(durability);
        let (state, told) = (entries(found.iter()), *self.told.lock());
        assert!(
            past.comes_to(&state, told),
            "what is found is no state since {told}: {state:?}, of {:?}",
            past.0
        );
        let newest = past.newest().expect("it was written to");
        let next = found.put(8, 8).expect("the disk works");
        assert!(next > newest, "{next} was used before: {newest}");
        found
    }
}

/// A reader tells of what it was shown: that is told, too.
fn read(doomed: &Doomed) -> Vec<View> {
    let view = View::of(&doomed.store.snapshot());
    doomed.tell(view.revision);
    vec![view]
}

fn a_power_cut_beside(
    durability: Durability,
    calls: u64,
    beside: fn(&Doomed) -> Vec<thread::JoinHandle<()>>,
) {
    let doomed = Doomed::with_power_cut(durability, calls);
    let beside = beside(&doomed);
    let writers = doomed.writers();
    let views = read(&doomed);
    join_all(writers);
    join_all(beside);
    let past = doomed.past();
    views.iter().chain(&read(&doomed)).for_each(|view| view.is_in(&past));
    doomed.survives(durability);
}

#[test]
fn a_power_cut_at_any_call_takes_back_nothing_that_was_told() {
    check(|| a_power_cut_beside(Durability::Sync, CALLS, |_| Vec::new()));
}

#[test]
fn a_power_cut_at_any_call_of_a_buffered_log_leaves_a_prefix() {
    check(|| a_power_cut_beside(Durability::Buffered, CALLS, |_| Vec::new()));
}

#[test]
fn a_power_cut_at_any_call_of_a_log_that_is_synced_in_time_leaves_a_prefix() {
    check(|| a_power_cut_beside(Durability::Interval(Duration::ZERO), CALLS, |_| Vec::new()));
}

#[test]
fn a_power_cut_while_a_compaction_is_under_way_takes_back_nothing_that_was_told() {
    let beside = |doomed: &Doomed| vec![doomed.compact()];
    check(move || a_power_cut_beside(Durability::Sync, CALLS_WITH_COMPACTION, beside));
}

#[test]
fn a_power_cut_while_a_compaction_of_a_buffered_log_is_under_way_leaves_a_prefix() {
    let beside = |doomed: &Doomed| vec![doomed.compact()];
    check(move || a_power_cut_beside(Durability::Buffered, CALLS_WITH_COMPACTION, beside));
}

fn sync(doomed: &Doomed) -> Vec<thread::JoinHandle<()>> {
    vec![doomed.spawn(|doomed| {
        let before = doomed.store.revision();
        if doomed.store.sync().is_ok() {
            doomed.tell_synced(before);
        }
    })]
}

/// Under the laxest durability, too, a sync that succeeded is told.
#[test]
fn a_power_cut_takes_back_nothing_that_was_there_before_a_sync() {
    check(|| a_power_cut_beside(Durability::Buffered, CALLS, sync));
}

/// A close that succeeded is a sync; and one that was cut is any other stop.
#[test]
fn a_power_cut_while_the_log_is_closed_takes_back_nothing_that_was_told() {
    let beside = |doomed: &Doomed| {
        vec![doomed.spawn(|doomed| {
            let before = doomed.store.revision();
            if doomed.store.close().is_ok() {
                doomed.tell_synced(before);
            }
        })]
    };
    check(move || a_power_cut_beside(Durability::Buffered, CALLS, beside));
}

/// One is awaited, one is waited for, and one is forgotten.
fn submit(doomed: &Doomed) -> Vec<thread::JoinHandle<()>> {
    let submit = |key, value| {
        doomed.spawn(move |doomed| {
            let pending = doomed.store.submit_put_if(key, value, Precondition::Any);
            let told = match key {
                0 => block_on(pending),
                1 => pending.wait(),
                _ => return,
            };
            if let Ok(written) = told {
                doomed.tell(written.revision());
            }
        })
    };
    vec![submit(0, 5), submit(1, 6), submit(2, 7)]
}

#[test]
fn a_power_cut_takes_back_nothing_that_futures_came_to() {
    check(|| {
        let doomed = Doomed::with_power_cut(Durability::Sync, CALLS);
        join_all(submit(&doomed));
        doomed.survives(Durability::Sync);
    });
}

/// What a watch has told is found, and it goes on where it was, without a gap that is not said.
#[test]
fn a_power_cut_takes_back_nothing_that_a_watch_told() {
    check(|| {
        let doomed = Doomed::with_power_cut(Durability::Sync, CALLS);
        let start = doomed.store.revision();
        let watch = doomed.store.watch().with_previous().open().expect("now is kept");
        let canceller = watch.canceller();
        let watcher = {
            let (doomed, mut watch) = (doomed.clone(), watch);
            thread::spawn(move || {
                let mut received = Vec::new();
                while let Ok(commit) = watch.recv() {
                    doomed.tell(commit.revision());
                    received.push(told(commit));
                }
                (watch.position(), received)
            })
        };
        join_all(doomed.writers());
        canceller.cancel();
        let (position, received) = watcher.join().expect("no thread panics");
        let past = doomed.past();
        assert!(past.told_after(start).starts_with(&received), "{received:?}");
        let found = doomed.survives(Durability::Sync);
        let Ok(mut resumed) = found.watch().with_previous().since(position).open() else {
            return;
        };
        // The last one is the one that was written just now.
        let mut rest = Vec::new();
        while let Ok(commit) = resumed.try_recv() {
            rest.push(told(commit));
        }
        assert_eq!(rest.pop().map(|last| last.0), Some(found.revision()));
        assert!(past.told_after(position).starts_with(&rest), "{rest:?} after {position}");
    });
}

/// Whoever waits when a call fails is told; what is told then, and what is shown, is found.
fn a_fault_beside(
    durability: Durability,
    calls: u64,
    beside: fn(&Doomed) -> Vec<thread::JoinHandle<()>>,
) {
    let doomed = Doomed::with_fault(durability, calls);
    let beside = beside(&doomed);
    let writers = doomed.writers();
    let views = read(&doomed);
    join_all(writers);
    join_all(beside);
    let past = doomed.past();
    views.iter().chain(&read(&doomed)).for_each(|view| view.is_in(&past));
    if doomed.store.stats().log().expect("it has a log").poisoned {
        let shown = doomed.store.revision();
        doomed.disk.clear_faults();
        assert!(doomed.store.put(3, 3).is_err(), "a sync that failed was tried again");
        assert!(doomed.store.sync().is_err());
        assert_eq!(doomed.store.revision(), shown);
    } else {
        // It may fail now.
        doomed.store.put(3, 3).into_iter().for_each(|revision| doomed.tell(revision));
    }
    doomed.survives(durability);
}

#[test]
fn a_fault_at_any_call_reaches_writers_and_takes_back_nothing() {
    // Two wait for the one who leads.
    let beside = |doomed: &Doomed| vec![doomed.write(vec![vec![(1, Some(9))]])];
    check(move || a_fault_beside(Durability::Sync, CALLS, beside));
}

#[test]
fn a_fault_at_any_call_reaches_futures_and_takes_back_nothing() {
    check(|| a_fault_beside(Durability::Sync, CALLS, submit));
}

#[test]
fn a_fault_while_a_compaction_is_under_way_takes_back_nothing() {
    let beside = |doomed: &Doomed| vec![doomed.compact()];
    check(move || a_fault_beside(Durability::Sync, CALLS_WITH_COMPACTION, beside));
}

/// What a sync that succeeded vouched for is there, whoever's sync the fault was in.
#[test]
fn a_fault_at_any_call_of_a_buffered_log_takes_back_nothing_that_was_synced() {
    check(|| a_fault_beside(Durability::Buffered, CALLS, sync));
}

/// The process is killed, and the machine goes on: all that was written is there, whatever was synced.
#[test]
fn a_kill_at_any_call_takes_back_nothing_that_was_told_on_a_buffered_log() {
    check(|| {
        let mut doomed = Doomed::with_power_cut(Durability::Buffered, CALLS);
        doomed.told_is_told = true;
        let writers = doomed.writers();
        read(&doomed);
        join_all(writers);
        let killed = doomed.disk.after_kill(thread_rng().next_u64());
        let found = open(builder(), &killed, Durability::Buffered);
        let (state, told) = (entries(found.iter()), *doomed.told.lock());
        assert!(doomed.past().comes_to(&state, told), "{state:?} is no state since {told}");
    });
}
