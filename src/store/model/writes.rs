//! Writes of single keys, and the log that makes them durable.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use shuttle::future::block_on;

use super::{Numbers, check, in_memory, join_all, on};
use crate::log::Durability;
use crate::storage::disk::{Call, Disk, Fault};
use crate::sync::{Arc, Mutex, thread};
use crate::{Pending, Precondition, Revision, WriteError};

/// One writer's compare-and-swap chain on a key: what it replaced, and with what.
fn increment(store: &Numbers, key: u32) -> (Option<Revision>, Revision) {
    let mut read = store.get(key);
    loop {
        let expected = read.as_ref().map(|entry| entry.revision());
        let precondition = expected.map_or(Precondition::Absent, Precondition::Revision);
        let next = read.as_deref().copied().unwrap_or(0) + 1;
        match store.put_if(key, next, precondition) {
            Ok(revision) => return (expected, revision),
            Err(error) => {
                let (current, rejected) = error.into_conflict().expect("only races").into_parts();
                assert_eq!(rejected, Some(next));
                assert_ne!(current.as_ref().map(|entry| entry.revision()), expected);
                read = current;
            }
        }
    }
}

/// Each write's predecessor is the write before it: nothing was overwritten unseen.
fn assert_one_line(mut swaps: Vec<(Option<Revision>, Revision)>) {
    swaps.sort_by_key(|(_, revision)| *revision);
    let mut previous = None;
    for (expected, revision) in swaps {
        assert_eq!(expected, previous, "two writes replaced the same one");
        assert!(previous < Some(revision));
        previous = Some(revision);
    }
}

#[test]
fn no_compare_and_swap_is_lost_in_memory() {
    check(|| {
        let store = in_memory();
        let threads = (0..3)
            .map(|writer| {
                let store = store.clone();
                thread::spawn(move || {
                    [(0, increment(&store, 0)), (writer % 2, increment(&store, writer % 2))]
                })
            })
            .collect();
        let mut by_key: BTreeMap<u32, Vec<_>> = BTreeMap::new();
        for (key, swap) in join_all(threads).into_iter().flatten() {
            by_key.entry(key).or_default().push(swap);
        }
        for (key, swaps) in by_key {
            let count = swaps.len();
            assert_one_line(swaps);
            assert_eq!(store.get(key).map(|entry| usize::try_from(*entry)), Some(Ok(count)));
        }
    });
}

#[test]
fn whoever_sees_a_revision_finds_all_commits_up_to_it() {
    check(|| {
        let store = in_memory();
        let writers: Vec<_> = (0..2)
            .map(|key| {
                let store = store.clone();
                thread::spawn(move || (key, store.put(key, 7).expect("no limit")))
            })
            .collect();
        let reader = {
            let store = store.clone();
            thread::spawn(move || {
                let visible = store.revision();
                (
                    visible,
                    store.len(),
                    [0, 1].map(|key| store.get(key).map(|entry| entry.revision())),
                )
            })
        };
        let written = join_all(writers);
        let (visible, len, seen) = reader.join().expect("no thread panics");
        let mut installed = 0;
        for (key, revision) in written {
            if revision <= visible {
                assert_eq!(seen[usize::try_from(key).expect("small")], Some(revision));
                installed += 1;
            }
        }
        assert!(len >= installed);
    });
}

#[test]
fn what_a_reader_or_a_loser_is_told_survives_a_power_cut() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Sync);
        let told: Arc<Mutex<Vec<(u32, Revision)>>> = Arc::default();
        let threads = (0..3)
            .map(|thread| {
                let (store, disk, told) = (store.clone(), disk.clone(), Arc::clone(&told));
                thread::spawn(move || match thread {
                    0 => {
                        let revision = store.put(0, 1).expect("the disk works");
                        told.lock().push((0, revision));
                    }
                    1 => match store.create(0, 2) {
                        Ok(revision) => told.lock().push((0, revision)),
                        Err(error) => {
                            let shown = error.conflict().and_then(|conflict| conflict.revision());
                            told.lock().push((0, shown.expect("nobody deletes")));
                        }
                    },
                    _ => {
                        if let Some(entry) = store.get(0) {
                            told.lock().push((0, entry.revision()));
                        }
                        let told = std::mem::take(&mut *told.lock());
                        let found = on(&disk.as_synced(), Durability::Sync);
                        for (key, revision) in told {
                            let entry = found.get(key).expect("it was told");
                            assert!(entry.revision() >= revision, "an older state than was told");
                        }
                    }
                })
            })
            .collect();
        join_all(threads);
    });
}

#[test]
fn nobody_waits_for_ever() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Sync);
        let threads = (0..3)
            .map(|writer: u32| {
                let store = store.clone();
                thread::spawn(move || {
                    if writer == 0 {
                        store.put(writer, 1).expect("the disk works");
                    } else {
                        block_on(store.submit_put_if(writer, 1, Precondition::Any))
                            .expect("the disk works");
                    }
                })
            })
            .collect();
        join_all(threads);
        assert_eq!(store.len(), 3);
        store.close().expect("the disk works");
    });
}

#[test]
fn a_batch_tells_all_whose_commits_are_in_it() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Buffered);
        store.put(9, 0).expect("the disk works");
        let threads = (0..4)
            .map(|writer: u32| {
                let store = store.clone();
                thread::spawn(move || store.put(writer, 1).expect("the disk works"))
            })
            .collect();
        let revisions = join_all(threads);
        assert!(revisions.iter().all(|revision| *revision <= store.revision()));
    });
}

#[test]
fn a_failure_reaches_everybody_who_waits() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Sync);
        store.put(9, 0).expect("the disk works");
        let threads = (0..3)
            .map(|writer: u32| {
                let (store, disk) = (store.clone(), disk.clone());
                thread::spawn(move || match writer {
                    0 => {
                        disk.fail_every(Call::Sync, Fault::Io);
                        None
                    }
                    1 => Some(store.put(writer, 1)),
                    _ => Some(
                        block_on(store.submit_put_if(writer, 1, Precondition::Any))
                            .map(|put| put.revision()),
                    ),
                })
            })
            .collect();
        let outcomes = join_all(threads);
        let found = on(&disk.as_synced(), Durability::Sync);
        for (key, outcome) in (0..).zip(outcomes) {
            match outcome {
                Some(Ok(revision)) => {
                    assert_eq!(store.get(key).map(|entry| entry.revision()), Some(revision));
                    assert_eq!(found.get(key).map(|entry| entry.revision()), Some(revision));
                }
                Some(Err(WriteError::Conflict(_))) => unreachable!("nothing is expected"),
                Some(Err(_)) => {
                    assert!(store.get(key).is_none(), "it is shown though it is not durable")
                }
                None => {}
            }
        }
    });
}

#[test]
fn a_close_in_the_middle_settles_everything() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Buffered);
        let writers: Vec<_> = (0..2)
            .map(|writer: u32| {
                let store = store.clone();
                thread::spawn(move || {
                    let pending: Pending<_, _, _, _> =
                        store.submit_put_if(writer, 1, Precondition::Any);
                    let outcome = if writer == 0 { pending.wait() } else { block_on(pending) };
                    outcome.ok().map(|put| (writer, put.revision()))
                })
            })
            .collect();
        store.close().expect("the disk works");
        let found = on(&disk, Durability::Buffered);
        for (key, revision) in join_all(writers).into_iter().flatten() {
            assert_eq!(found.get(key).map(|entry| entry.revision()), Some(revision));
        }
    });
}

/// Polls a future with a waker that wakes nobody, and then with another in its place.
struct Twice<F>(F, bool);

impl<F: Future + Unpin> Future for Twice<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if !std::mem::replace(&mut self.1, true) {
            let mut stale = Context::from_waker(Waker::noop());
            if let Poll::Ready(outcome) = Pin::new(&mut self.0).poll(&mut stale) {
                return Poll::Ready(outcome);
            }
        }
        Pin::new(&mut self.0).poll(context)
    }
}

#[test]
fn a_waker_is_not_lost_when_it_is_replaced() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Sync);
        let threads = (0..2)
            .map(|writer: u32| {
                let store = store.clone();
                thread::spawn(move || {
                    let pending = store.submit_put_if(0, writer, Precondition::Any);
                    block_on(Twice(pending, false)).expect("the disk works");
                })
            })
            .collect();
        join_all(threads);
    });
}
