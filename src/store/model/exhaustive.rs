//! The smallest protocols, in every schedule that there is: two threads, an operation or two of each.
//!
//! Where that is too much, with a log that leads and tells, or a scan, it is every schedule with at most a few preemptions.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use shuttle::future::block_on;

use super::quiet::Quiet;
use super::{
    Numbers, Past, View, WORKS, Writer, assert_nothing_is_left, builder, exhaust,
    exhaust_preempting, in_memory, on, told, txn,
};
use crate::log::Durability;
use crate::storage::disk::Disk;
use crate::sync::{Arc, Parker, thread};
use crate::{Precondition, Revision, Txn, WriteError};

/// Does one thing here, and the other on a thread of its own.
fn both<A, B: Send + 'static>(
    here: impl FnOnce() -> A,
    there: impl FnOnce() -> B + Send + 'static,
) -> (A, B) {
    let there = thread::spawn(there);
    let here = here();
    (here, there.join().expect("no thread panics"))
}

/// The same store twice, one for each thread, with some entries.
fn two(entries: &[u32]) -> (Numbers, Numbers) {
    let store = in_memory();
    for key in entries {
        store.put(*key, 0).expect(WORKS);
    }
    (store.clone(), store)
}

type Outcome = Result<Revision, WriteError<u32, u32>>;

/// One of two won; the other lost to it, and is told so.
fn assert_one_won(outcomes: (Outcome, Outcome), store: &Numbers) {
    let ((Ok(won), Err(lost)) | (Err(lost), Ok(won))) = outcomes else {
        panic!("one wins: {outcomes:?}")
    };
    let conflict = lost.into_conflict().expect("it is a race");
    assert_eq!(conflict.revision(), Some(won));
    let entry = store.get(0).expect("nobody deletes");
    assert_eq!(conflict.current().map(|current| **current), Some(*entry));
    assert_eq!(entry.revision(), won);
    assert_eq!(store.revision(), won);
    assert_nothing_is_left(store);
}

#[test]
fn of_two_swaps_of_one_revision_one_wins() {
    exhaust(|| {
        let (store, other) = two(&[0]);
        let revision = store.revision();
        let outcomes = both(|| store.put_if(0, 1, revision), move || other.put_if(0, 2, revision));
        assert_one_won(outcomes, &store);
    });
}

#[test]
fn of_two_creations_one_wins() {
    exhaust(|| {
        let (store, other) = two(&[]);
        assert_one_won(both(|| store.create(0, 1), move || other.create(0, 2)), &store);
    });
}

#[test]
fn a_put_and_a_delete_come_one_after_the_other() {
    exhaust(|| {
        let (store, other) = two(&[0]);
        let (put, deleted) = both(|| store.put(0, 1).expect(WORKS), move || other.delete(0));
        let deleted = deleted.expect(WORKS).expect("it is there all the time");
        let found = store.get(0);
        match **deleted.previous() {
            1 => {
                assert!(found.is_none());
                assert_eq!(deleted.previous().revision(), put);
                assert!(put < deleted.revision());
            }
            _ => {
                let found = found.expect("it was put last");
                assert_eq!((found.created_revision(), found.write_count()), (put, 1));
                assert!(deleted.revision() < put);
            }
        }
        assert_eq!(store.len(), usize::from(store.contains(0)));
        assert_nothing_is_left(&store);
    });
}

#[test]
fn a_revision_is_seen_after_what_it_stands_for() {
    exhaust(|| {
        let (store, other) = two(&[0]);
        let read = move || (other.revision(), other.get(0).expect("it stays"), other.revision());
        let (put, (before, found, after)) = both(|| store.put(0, 1).expect(WORKS), read);
        assert!(before < put || found.revision() == put, "it was said to be there");
        assert!(found.revision() < put || after == put, "it was there");
        assert!(before <= after);
    });
}

#[test]
fn transactions_over_keys_in_opposite_orders_both_commit() {
    exhaust(|| {
        let (store, other) = two(&[0, 1]);
        let (here, there) = both(
            || store.commit(txn(&[(0, Some(1)), (1, Some(1))])).expect(WORKS),
            move || other.commit(txn(&[(1, Some(2)), (0, Some(2))])).expect(WORKS),
        );
        let found = [0, 1].map(|key| store.get(key).expect("it stays"));
        assert_eq!(found[0].revision(), here.max(there));
        assert_eq!(found[1].revision(), here.max(there));
        assert_eq!(*found[0], *found[1]);
        assert_nothing_is_left(&store);
    });
}

#[test]
fn a_snapshot_sees_all_of_a_transaction_or_nothing() {
    exhaust(|| {
        let (store, other) = two(&[0, 1]);
        let looking = move || {
            let snapshot = other.snapshot();
            [0, 1].map(|key| *snapshot.get(key).expect("it stays"))
        };
        let committing = || store.commit(txn(&[(0, Some(1)), (1, Some(1))])).expect(WORKS);
        let (_, [left, right]) = both(committing, looking);
        assert_eq!(left, right, "half of it");
        assert_nothing_is_left(&store);
    });
}

#[test]
fn a_scan_sees_all_of_a_transaction_or_nothing() {
    exhaust_preempting(4, || {
        let store = in_memory();
        let mut writer = Writer::new(&store);
        writer.commit(&[(0, Some(0)), (1, Some(0))]);
        let other = store.clone();
        let seen =
            both(|| writer.commit(&[(0, Some(1)), (1, None)]), move || View::of(&other.snapshot()));
        seen.1.is_in(&Past::of(vec![writer.commits]));
        assert_nothing_is_left(&store);
    });
}

#[test]
fn a_watch_that_waits_is_woken() {
    exhaust(|| {
        let (store, _other) = two(&[0]);
        let mut watch = store.watch().open().expect("now is kept");
        let (put, received) =
            both(|| store.put(0, 1).expect(WORKS), move || told(watch.recv().expect("it comes")));
        assert_eq!(received.0, put);
    });
}

#[test]
fn a_watch_that_is_cancelled_while_it_waits_ends() {
    exhaust(|| {
        let (_store, other) = two(&[]);
        let mut watch = other.watch().open().expect("now is kept");
        let canceller = watch.canceller();
        let ((), end) = both(|| canceller.cancel(), move || watch.recv());
        assert!(matches!(end, Err(crate::WatchError::Cancelled)), "{end:?}");
    });
}

#[test]
fn what_a_snapshot_kept_is_freed_when_it_goes() {
    exhaust(|| {
        let (store, _other) = two(&[0]);
        let snapshot = store.snapshot();
        let going = move || {
            let seen = View::of(&snapshot);
            drop(snapshot);
            seen
        };
        let (_, seen) = both(|| store.put(0, 1).expect(WORKS), going);
        assert_eq!(seen.state.get(&0).map(|entry| entry.1), Some(0));
        assert_nothing_is_left(&store);
    });
}

/// It is there, or it is not: with nothing between.
#[test]
fn a_range_that_is_required_to_be_empty_is() {
    exhaust_preempting(4, || {
        let (store, other) = two(&[9]);
        let filling = move || other.put(0, 1).expect(WORKS);
        let requiring = || store.commit(Txn::new().require_none_in(0..4).put(9, 1));
        let (committed, put) = both(requiring, filling);
        match committed {
            Ok(committed) => assert!(committed < put, "it was not empty any more"),
            Err(error) => assert_eq!(error.conflicts()[0].revision(), Some(put)),
        }
    });
}

#[test]
fn a_range_that_is_required_to_be_unchanged_is() {
    exhaust_preempting(4, || {
        let (store, other) = two(&[0, 9]);
        let changing = move || other.put(0, 1).expect(WORKS);
        let since = store.revision();
        let requiring = || store.commit(Txn::new().require_unchanged_in(0..4, since).put(9, 1));
        let (committed, put) = both(requiring, changing);
        match committed {
            Ok(committed) => assert!(committed < put, "it was changed"),
            Err(error) => assert_eq!(error.conflicts()[0].revision(), Some(put)),
        }
    });
}

#[test]
fn of_two_that_require_what_the_other_takes_away_one_commits() {
    exhaust(|| {
        let (store, other) = two(&[0, 1]);
        let take = |store: &Numbers, required: u32, taken: u32| {
            let txn = Txn::new().require(required, Precondition::Present).delete(taken);
            store.commit(txn).is_ok()
        };
        let (here, there) = both(|| take(&store, 0, 1), move || take(&other, 1, 0));
        assert!(here != there, "write skew, or neither: {here}");
        assert_eq!(store.len(), 1);
        assert_nothing_is_left(&store);
    });
}

#[test]
fn who_parks_is_woken_once_for_each_time() {
    exhaust(|| {
        let parker = Arc::new(Parker::new());
        let waker = Arc::clone(&parker);
        let (woken, ()) = both(|| parker.park(None), move || waker.unpark());
        assert!(woken);
        // Nothing is left over, and nothing lost.
        let ((), woken) = both(|| parker.unpark(), {
            let parker = Arc::clone(&parker);
            move || parker.park(None)
        });
        assert!(woken);
    });
}

fn on_quiet(disk: &Quiet) -> Numbers {
    let builder = builder().durability(Durability::Sync).segment_bytes(4096);
    builder.open_in(disk.directory()).expect("the disk works")
}

/// A store on a log whose first commit has made room, and two commits that are installed and not yet durable.
fn two_pending(
    disk: &Quiet,
) -> (Numbers, [crate::Pending<u32, u32, crate::Written, super::ByKey>; 2]) {
    let store = on_quiet(disk);
    store.put(9, 0).expect("the disk works");
    let pending = [0, 1].map(|key| store.submit_put_if(key, 1, Precondition::Any));
    assert!(store.get(0).is_none(), "it is not durable");
    (store, pending)
}

#[test]
fn a_group_commit_tells_both_when_both_are_durable() {
    exhaust_preempting(4, || {
        let disk = Quiet::default();
        let (store, [here, there]) = two_pending(&disk);
        // What the disk would have after a power cut, the moment that each is told.
        let other = disk.clone();
        let (here, there) = both(
            || (here.wait().expect("the disk works").revision(), disk.as_synced()),
            move || (there.wait().expect("the disk works").revision(), other.as_synced()),
        );
        for (key, (told, cut)) in [(0, &here), (1, &there)] {
            let found = on_quiet(cut).get(key).map(|entry| entry.revision());
            assert_eq!(found, Some(*told), "{key}: it was told, and is gone");
        }
        assert_eq!(store.revision(), there.0);
    });
}

#[test]
fn a_failure_reaches_both_who_wait() {
    exhaust_preempting(4, || {
        let disk = Quiet::default();
        let (store, [here, there]) = two_pending(&disk);
        let before = store.revision();
        disk.fail_syncs();
        let (here, there) = both(|| here.wait(), move || there.wait());
        for outcome in [here, there] {
            assert!(matches!(outcome, Err(WriteError::OutcomeUnknown(_))), "{outcome:?}");
        }
        assert_eq!(store.revision(), before, "it is shown though it is not durable");
        assert!(store.get(0).is_none() && store.get(1).is_none());
    });
}

#[test]
fn a_close_settles_whoever_waits() {
    exhaust_preempting(4, || {
        let disk = Quiet::default();
        let (store, [here, there]) = two_pending(&disk);
        let other = disk.clone();
        let waiting = move || (there.wait(), other.as_synced());
        let (closed, (there, cut)) = both(|| store.close(), waiting);
        closed.expect("the disk works");
        let here = here.wait().expect("the close made it durable").revision();
        let there = there.expect("and this").revision();
        for (key, told, disk) in [(0, here, disk.as_synced()), (1, there, cut)] {
            let found = on_quiet(&disk).get(key).map(|entry| entry.revision());
            assert_eq!(found, Some(told), "{key}: it was told, and is gone");
        }
    });
}

/// Awaited with one waker, then with another: whichever it has when it is durable is woken. Beside it the log's two threads.
#[test]
fn a_waker_that_is_replaced_while_the_log_writes_is_not_lost() {
    exhaust_preempting(1, || {
        let store = on(&Disk::new().with_threads(), Durability::Sync);
        store.put(9, 0).expect("the disk works");
        let mut pending = store.submit_put_if(0, 1, Precondition::Any);
        let mut stale = Context::from_waker(Waker::noop());
        if Pin::new(&mut pending).poll(&mut stale).is_pending() {
            block_on(pending).expect("the disk works");
        }
    });
}
