//! Watches: every commit once, in order, whole; and whoever waits is woken.

use std::pin::pin;
use std::task::Poll;

use shuttle::future::block_on;

use super::{
    Numbers, Past, Told, View, Writer, Writing, builder, check, in_memory, join_all, on, open, told,
};
use crate::log::Durability;
use crate::storage::disk::{Call, Disk, Fault};
use crate::sync::thread::{self, JoinHandle};
use crate::{Precondition, Revision, Watch, WatchError};

type Numbering = Watch<u32, u32>;

fn watch(store: &Numbers) -> Numbering {
    store.watch().with_previous().open().expect("now is kept")
}

/// A thread that waits for so many commits, and for no more.
fn receive(mut watch: Numbering, count: usize) -> JoinHandle<Vec<Told>> {
    thread::spawn(move || {
        let recv = |_| told(watch.recv().expect("it goes on"));
        (0..count).map(recv).collect()
    })
}

/// A thread that waits until the watch ends, and tells how.
fn drain(mut watch: Numbering) -> JoinHandle<(Vec<Told>, WatchError)> {
    thread::spawn(move || {
        let mut received = Vec::new();
        loop {
            match watch.recv() {
                Ok(commit) => received.push(told(commit)),
                Err(end) => return (received, end),
            }
        }
    })
}

fn write(store: &Numbers) -> Vec<Writing> {
    vec![
        Writer::spawn(store, |writer| {
            writer.commit(&[(0, Some(1)), (1, Some(1))]);
            writer.delete(0);
        }),
        Writer::spawn(store, |writer| writer.put(0, 2)),
    ]
}

/// The store is there until all is received: nothing but the commits wakes.
fn every_commit_is_told(store: &Numbers) {
    let start = store.revision();
    let watchers = (0..2).map(|_| receive(watch(store), 3)).collect();
    let past = Past::of(join_all(write(store)));
    for received in join_all(watchers) {
        assert_eq!(received, past.told_after(start));
    }
}

#[test]
fn every_commit_is_told_once_in_order_and_whole() {
    check(|| every_commit_is_told(&in_memory()));
}

#[test]
fn every_commit_is_told_once_in_order_and_whole_on_a_log() {
    check(|| every_commit_is_told(&on(&Disk::new().with_threads(), Durability::Sync)));
}

#[test]
fn every_commit_is_told_once_in_order_and_whole_on_a_buffered_log() {
    check(|| every_commit_is_told(&on(&Disk::new().with_threads(), Durability::Buffered)));
}

/// Nobody waits for the writes, so that a thread of the log makes them durable.
#[test]
fn a_submitted_commit_is_told() {
    check(|| {
        let store = on(&Disk::new().with_threads(), Durability::Sync);
        store.put(9, 0).expect("the disk works");
        let watcher = receive(watch(&store), 2);
        let put = store.submit_put_if(0, 1, Precondition::Any);
        let pair = store.submit(super::txn(&[(1, Some(1)), (2, Some(1))]));
        let received = watcher.join().expect("no thread panics");
        assert_eq!(received.iter().map(|told| told.1.len()).collect::<Vec<_>>(), [1, 2]);
        let durable = [put.wait().expect("it is durable").revision(), pair.wait().expect("and it")];
        assert_eq!(durable, [received[0].0, received[1].0]);
    });
}

/// Opened while others write, it begins somewhere among their commits, and from there on tells every one. With the
/// smallest window that is no reason to refuse it.
fn later_commits_are_told(store: Numbers) {
    let opener = {
        let store = store.clone();
        thread::spawn(move || {
            let watch = watch(&store);
            let position = watch.position();
            assert!(position <= store.revision(), "it begins with what is not yet shown");
            drop(store);
            (position, drain(watch).join().expect("no thread panics").0)
        })
    };
    let past = Past::of(join_all(write(&store)));
    drop(store);
    let (position, received) = opener.join().expect("no thread panics");
    assert_eq!(received, past.told_after(position));
}

#[test]
fn a_watch_from_now_on_tells_every_later_commit() {
    check(|| later_commits_are_told(in_memory()));
}

#[test]
fn a_watch_from_now_on_tells_every_later_commit_on_a_log() {
    check(|| later_commits_are_told(on(&Disk::new().with_threads(), Durability::Sync)));
}

#[test]
fn a_watch_from_now_on_can_always_be_opened() {
    check(|| {
        let store = builder().watch_window(1).build();
        let writers = write(&store);
        let watch = store.watch().open();
        assert!(watch.is_ok(), "{watch:?}");
        join_all(writers);
    });
}

/// State and changes fit together without a gap.
#[test]
fn a_snapshot_and_a_watch_since_it_come_to_the_newest_state() {
    check(|| {
        let store = in_memory();
        let writers = write(&store);
        let snapshot = store.snapshot();
        let view = View::of(&snapshot);
        let watch = store.watch().with_previous().since(snapshot.revision()).open();
        drop(snapshot);
        let watcher = drain(watch.expect("it is in the window"));
        let past = Past::of(join_all(writers));
        drop(store);
        view.is_in(&past);
        let (received, end) = watcher.join().expect("no thread panics");
        assert_eq!(received, past.told_after(view.revision));
        assert!(matches!(end, WatchError::Closed));
    });
}

/// A watch of some keys passes over what does not concern it, is woken for what does, and can be resumed by another.
#[test]
fn a_watch_of_a_key_tells_of_that_key_and_can_be_resumed() {
    check(|| {
        let store = in_memory();
        let watch = |store: &Numbers| store.watch().key(0).with_previous();
        let mut first = watch(&store).open().expect("now is kept");
        let watcher = {
            let store = store.clone();
            thread::spawn(move || {
                let received = told(first.recv().expect("it goes on"));
                let resumed = watch(&store).since(first.position()).open();
                drop(first);
                let received_then = resumed.expect("it is in the window").recv();
                [received, told(received_then.expect("it goes on"))]
            })
        };
        let writers = vec![
            Writer::spawn(&store, |writer| {
                writer.put(1, 0);
                writer.commit(&[(0, Some(1)), (1, Some(1))]);
            }),
            Writer::spawn(&store, |writer| writer.put(0, 2)),
        ];
        let past = Past::of(join_all(writers));
        let mut expected = past.told_after(Revision::MIN);
        expected.retain_mut(|(_, events)| {
            events.retain(|key, _| *key == 0);
            !events.is_empty()
        });
        assert_eq!(watcher.join().expect("no thread panics").to_vec(), expected);
    });
}

/// What is not received in time is missing once, and said to be: what comes after `resume` is all there.
#[test]
fn a_watch_that_lags_goes_on_without_a_further_gap() {
    check(|| {
        let store = builder().watch_window(1).build();
        let mut watch = watch(&store);
        let mut position = watch.position();
        let watcher = thread::spawn(move || {
            let mut received = Vec::new();
            loop {
                match watch.recv() {
                    Ok(commit) => {
                        let next = position.next().expect("it is small");
                        assert_eq!(commit.revision(), next, "a gap that was not said");
                        received.push(told(commit));
                    }
                    Err(WatchError::Lagged { resume }) => {
                        assert!(resume > position, "nothing was missed");
                        assert_eq!(watch.position(), resume);
                    }
                    Err(end) => return (received, end),
                }
                position = watch.position();
            }
        });
        let past = Past::of(join_all(write(&store)));
        drop(store);
        let (received, end) = watcher.join().expect("no thread panics");
        assert!(matches!(end, WatchError::Closed));
        let all = past.told_after(Revision::MIN);
        assert!(received.iter().all(|told| all.contains(told)));
        assert_eq!(received.last(), all.last(), "the newest commit is always there");
    });
}

/// However small the window is, what becomes durable at once is told whole.
#[test]
fn what_is_not_yet_shown_does_not_leave_the_window() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = open(builder().watch_window(1), &disk, Durability::Sync);
        store.put(9, 0).expect("the disk works");
        let watcher = receive(watch(&store), 3);
        disk.hold_syncs();
        let pending: Vec<_> =
            (0..3).map(|key| store.submit_put_if(key, 1, Precondition::Any)).collect();
        disk.release_syncs();
        let received = watcher.join().expect("no thread panics");
        for (put, told) in pending.into_iter().zip(received) {
            assert_eq!(put.wait().expect("the disk works").revision(), told.0);
        }
    });
}

fn the_end_is_told_after_all_commits(store: Numbers) {
    let start = store.revision();
    let watchers = (0..2).map(|_| drain(watch(&store))).collect();
    let writers = write(&store);
    drop(store);
    let past = Past::of(join_all(writers));
    for (received, end) in join_all(watchers) {
        assert_eq!(received, past.told_after(start));
        assert!(matches!(end, WatchError::Closed), "{end:?}");
    }
}

#[test]
fn a_store_that_nobody_has_any_more_ends_its_watches() {
    check(|| the_end_is_told_after_all_commits(in_memory()));
}

#[test]
fn a_store_on_a_log_that_nobody_has_any_more_ends_its_watches() {
    check(|| the_end_is_told_after_all_commits(on(&Disk::new().with_threads(), Durability::Sync)));
}

/// The store is there until the watch has ended: nothing but the close wakes it.
#[test]
fn a_close_ends_watches_after_all_that_became_durable() {
    check(|| {
        let store = on(&Disk::new().with_threads(), Durability::Sync);
        let start = store.revision();
        let watcher = drain(watch(&store));
        let writer = {
            let store = store.clone();
            thread::spawn(move || (0..2).map_while(|value| store.put(0, value).ok()).collect())
        };
        store.close().expect("the disk works");
        let (received, end) = watcher.join().expect("no thread panics");
        assert!(matches!(end, WatchError::Closed), "{end:?}");
        let written: Vec<Revision> = writer.join().expect("no thread panics");
        assert_eq!(received.iter().map(|told| told.0).collect::<Vec<_>>(), written);
        assert!(received.iter().all(|told| told.0 > start));
    });
}

/// The close makes it durable, and nothing else does.
#[test]
fn what_was_installed_before_a_close_is_told_before_the_end() {
    check(|| {
        let disk = Disk::new().with_threads();
        let store = on(&disk, Durability::Sync);
        store.put(9, 0).expect("the disk works");
        let watcher = drain(watch(&store));
        let submitted = store.submit_put_if(0, 1, Precondition::Any);
        store.close().expect("the disk works");
        let (received, end) = watcher.join().expect("no thread panics");
        assert!(matches!(end, WatchError::Closed), "{end:?}");
        assert_eq!(received.len(), 1);
        assert_eq!(submitted.wait().expect("it is durable").revision(), received[0].0);
    });
}

/// As above, of a log that fails: by whichever thread leads it.
fn a_failure_ends_watches(submits: bool) {
    let disk = Disk::new().with_threads();
    let store = on(&disk, Durability::Sync);
    store.put(9, 0).expect("the disk works");
    let watcher = drain(watch(&store));
    let breaker = {
        let disk = disk.clone();
        thread::spawn(move || disk.fail_every(Call::Sync, Fault::Io))
    };
    let mut written = Vec::new();
    for value in 0..3 {
        let outcome = if submits {
            let pending = store.submit_put_if(0, value, Precondition::Any);
            block_on(pending).map(|put| put.revision())
        } else {
            store.put(0, value)
        };
        written.extend(outcome.ok());
    }
    breaker.join().expect("no thread panics");
    // By now it fails, if it has not before.
    assert!(store.put(1, 0).is_err());
    let (received, end) = watcher.join().expect("no thread panics");
    assert!(matches!(end, WatchError::Failed(_)), "{end:?}");
    assert_eq!(received.iter().map(|told| told.0).collect::<Vec<_>>(), written);
}

#[test]
fn a_failure_of_the_log_ends_watches_after_all_that_became_durable() {
    check(|| a_failure_ends_watches(false));
}

#[test]
fn a_failure_of_the_log_under_futures_ends_watches_after_all_that_became_durable() {
    check(|| a_failure_ends_watches(true));
}

/// The store is there until the watch has ended: nothing but the canceller, and perhaps a commit, wakes it.
#[test]
fn a_watch_that_is_cancelled_ends() {
    check(|| {
        let store = in_memory();
        let watch = watch(&store);
        let canceller = watch.canceller();
        let watcher = drain(watch);
        let writer = Writer::spawn(&store, |writer| writer.put(0, 1));
        canceller.cancel();
        let (received, end) = watcher.join().expect("no thread panics");
        assert!(matches!(end, WatchError::Cancelled), "{end:?}");
        let past = Past::of(join_all(vec![writer]));
        let all = past.told_after(Revision::MIN);
        assert!(received.is_empty() || received == all);
    });
}

/// A watch as a stream: its waker is replaced now and then, and each that is registered is woken.
#[cfg(feature = "stream")]
#[test]
fn a_stream_is_woken_for_every_commit_and_ends() {
    use futures_core::Stream;

    check(|| {
        let store = in_memory();
        let mut watch = pin!(watch(&store));
        let writers = write(&store);
        let mut next = || {
            let mut has_polled_more = false;
            block_on(std::future::poll_fn(|context| {
                if !std::mem::replace(&mut has_polled_more, true) {
                    context.waker().wake_by_ref();
                    let mut noop = std::task::Context::from_waker(std::task::Waker::noop());
                    if let Poll::Ready(told) = watch.as_mut().poll_next(&mut noop) {
                        return Poll::Ready(told);
                    }
                }
                watch.as_mut().poll_next(context)
            }))
        };
        let received: Vec<_> =
            (0..3).map(|_| told(next().expect("it goes on").expect("it goes on"))).collect();
        let past = Past::of(join_all(writers));
        assert_eq!(received, past.told_after(Revision::MIN));
        drop(store);
        assert!(next().is_none());
    });
}
