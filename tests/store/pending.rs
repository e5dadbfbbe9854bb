//! Writes that are awaited: by a thread, or as futures on no runtime at all.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ifmatch::{Durability, Pending, Precondition, Reason, Store, WriteError, Written};

use crate::common::{block_on, block_on_all, disk, format, read_files, scratch, within};
use crate::home::HOMES;

#[derive(Default)]
struct Counter(AtomicU64);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// Gives a log that was just opened the room that it takes with its first commit. Without room a write is not decided
/// when it is submitted.
fn warm_up<K: From<&'static str> + Clone + Hash + Ord>(store: &Store<K, u8>) {
    let key = K::from("warm");
    store.put(&key, 0).unwrap();
    store.delete(&key).unwrap();
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not after 10 s");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_pending_write_tells_the_same_by_waiting_and_by_awaiting() {
    for home in HOMES {
        let test = |store: &Store<String, u8>| {
            let first = store.submit_put_if("a", 1, Precondition::Absent).wait().unwrap();
            assert!(first.is_creation(), "{home:?}");
            let second = block_on(store.submit_put_if("a", 2, first.revision())).unwrap();
            assert_eq!((second.created_revision(), second.write_count()), (first.revision(), 2));
            let current = store.get("a").unwrap();
            assert_eq!((*current, current.revision()), (2, second.revision()), "shown once told");

            let by_waiting = store.submit_put_if("a", 3, first.revision()).wait();
            let by_awaiting = block_on(store.submit_put_if("a", 3, first.revision()));
            for outcome in [by_waiting, by_awaiting] {
                let conflict = outcome.unwrap_err().into_conflict().unwrap();
                assert_eq!(conflict.revision(), Some(second.revision()), "{home:?}");
                assert_eq!(conflict.rejected(), Some(&3), "{home:?}");
            }
            let deleted = block_on(store.submit_delete_if("a", second.revision())).unwrap();
            assert_eq!(**deleted.unwrap().previous(), 2, "{home:?}");
            assert!(block_on(store.submit_delete_if("a", Precondition::Any)).unwrap().is_none());
            let gone = block_on(store.submit_delete_if("a", second.revision())).unwrap_err();
            assert!(gone.conflict().unwrap().current().is_none(), "{home:?}");
        };
        home.run(|builder| builder, test, |store| assert!(store.is_empty()));
    }
}

#[test]
fn thousands_in_flight_share_their_syncs_and_keep_their_order() {
    const WRITES: u64 = 5_000;
    within(60, || {
        let directory = disk();
        let store = Store::<u64, Vec<u8>>::builder().open(directory.path()).unwrap();
        // A log sets space aside by what it has written.
        store.put(WRITES, vec![0; 8 << 20]).unwrap();
        let pending = (0..WRITES)
            .map(|key| store.submit_put_if(key, vec![], Precondition::Absent))
            .collect::<Vec<_>>();
        let written: Vec<_> = block_on_all(pending).into_iter().map(Result::unwrap).collect();
        let in_order = written.is_sorted_by_key(|written| written.revision());
        assert!(in_order, "they are decided in the order of submission");
        assert_eq!(store.len(), usize::try_from(WRITES + 1).unwrap());
        store.close().unwrap();

        let files = read_files(directory.path());
        let frames = format::frames(&files[&format::segment_name(1)]);
        let batches: BTreeSet<_> = frames.iter().map(|frame| frame.synced).collect();
        assert!(batches.len() < 500, "{} syncs for {WRITES} writes", batches.len());
    });
}

#[test]
fn conflicts_among_thousands_in_flight_each_name_the_winner() {
    within(60, || {
        for durability in [Durability::Sync, Durability::Buffered] {
            let directory = disk();
            let store =
                Store::<u64, u64>::builder().durability(durability).open(directory.path()).unwrap();
            let pending = (0..3_000)
                .map(|n| store.submit_put_if(n % 1_000, n, Precondition::Absent))
                .collect::<Vec<_>>();
            let mut winners = 0;
            for (n, outcome) in (0_u64..).zip(block_on_all(pending)) {
                match outcome {
                    Ok(written) => {
                        winners += 1;
                        let entry = store.get(n % 1_000).unwrap();
                        assert_eq!((*entry, entry.revision()), (n, written.revision()));
                    }
                    Err(error) => {
                        let conflict = error.into_conflict().unwrap();
                        assert_eq!(conflict.current(), store.get(n % 1_000).as_ref());
                        assert_eq!(conflict.rejected(), Some(&n));
                    }
                }
            }
            assert_eq!((winners, store.len()), (1_000, 1_000));
        }
    });
}

#[test]
fn more_bytes_in_flight_than_buffers_hold_are_all_written() {
    const WRITES: u32 = 24;
    within(60, || {
        let directory = disk();
        let open =
            || Store::<u32, Vec<u8>>::builder().segment_bytes(16 << 20).open(directory.path());
        let store = open().unwrap();
        let value = |key: u32| vec![key.to_le_bytes()[0]; 1 << 20];
        let pending = (0..WRITES)
            .map(|key| store.submit_put_if(key, value(key), Precondition::Absent))
            .collect::<Vec<_>>();
        assert!(format!("{pending:?}").contains("undecided"), "the buffers were never full");
        block_on_all(pending).into_iter().for_each(|outcome| assert!(outcome.is_ok()));
        let by_waiting = (WRITES..2 * WRITES)
            .map(|key| store.submit_put_if(key, value(key), Precondition::Absent))
            .collect::<Vec<_>>();
        by_waiting.into_iter().for_each(|pending| assert!(pending.wait().is_ok()));
        drop(store);
        let store = open().unwrap();
        for key in 0..2 * WRITES {
            assert!(*store.get(key).unwrap() == value(key), "{key}");
        }
    });
}

#[test]
fn dropping_a_pending_write_does_not_undo_it() {
    for home in HOMES {
        let test = |store: &Store<String, u8>| {
            warm_up(store);
            drop(store.submit_put_if("a", 1, Precondition::Absent));
            let mut polled = store.submit_put_if("b", 2, Precondition::Absent);
            let _either = Pin::new(&mut polled).poll(&mut Context::from_waker(Waker::noop()));
            drop(polled);
            drop(store.submit_put_if("c", 3, Precondition::Absent));
            drop(store.submit_delete_if("c", Precondition::Present));
            store.sync().unwrap();
        };
        let check = |store: &Store<String, u8>| {
            assert_eq!(*store.get("a").unwrap(), 1, "{home:?}");
            assert_eq!(*store.get("b").unwrap(), 2, "{home:?}");
            assert!(!store.contains("c"), "{home:?}");
            assert_eq!((store.len(), store.revision().get()), (2, 7), "{home:?}");
        };
        home.run(|builder| builder, test, check);
    }
}

#[test]
fn a_write_is_shown_when_its_waker_is_called_and_not_told_before() {
    within(60, || {
        let directory = disk();
        let store = Store::<u64, u64>::builder().open(directory.path()).unwrap();
        let mut pendings = 0;
        store.put(100, 0).unwrap();
        for key in 0..100 {
            let mut pending = store.submit_put_if(key, key, Precondition::Absent);
            let counter = Arc::new(Counter::default());
            let waker = Waker::from(Arc::clone(&counter));
            let first = Pin::new(&mut pending).poll(&mut Context::from_waker(&waker));
            if first.is_pending() {
                pendings += 1;
                wait_until("the wake-up", || counter.0.load(Ordering::Acquire) > 0);
                assert!(store.contains(key), "woken is shown");
                let second = Pin::new(&mut pending).poll(&mut Context::from_waker(&waker));
                assert!(second.is_ready(), "what woke it has made it ready");
            }
            assert!(store.contains(key), "told is shown");
        }
        assert!(pendings > 0, "nothing was ever pending: nothing was seen");
    });
}

#[test]
fn writers_see_the_newest_and_what_they_are_told_is_shown() {
    for durability in [Durability::Sync, Durability::Buffered] {
        let directory = scratch();
        let store =
            Store::<String, u8>::builder().durability(durability).open(directory.path()).unwrap();
        let first = store.put("overwritten", 1).unwrap();
        store.put("deleted", 1).unwrap();
        let shown = store.revision();
        let pending = [
            store.submit_put_if("overwritten", 2, first),
            store.submit_put_if("overwritten", 3, Precondition::Present),
            store.submit_put_if("created", 1, Precondition::Absent),
        ];
        let deleted = store.submit_delete_if("deleted", Precondition::Present);
        let lost = store.submit_put_if("overwritten", 9, first);
        let absent = store.submit_put_if("deleted", 9, Precondition::Present);

        let conflict = lost.wait().unwrap_err().into_conflict().unwrap();
        assert_eq!(conflict.current().map(|entry| **entry), Some(3), "writers see the newest");
        assert!(store.revision() >= conflict.revision().unwrap(), "what is told is durable");
        assert!(absent.wait().unwrap_err().conflict().unwrap().current().is_none());
        assert_eq!(*store.get("overwritten").unwrap(), 3);
        assert!(!store.contains("deleted"), "what a conflict told is shown");
        pending.into_iter().for_each(|pending| assert!(pending.wait().is_ok()));
        assert!(deleted.wait().unwrap().is_some());
        assert_eq!((store.revision().get(), store.len()), (shown.get() + 4, 2));
    }
}

#[test]
fn only_the_last_waker_of_a_future_need_be_called_but_it_must() {
    within(60, || {
        let directory = disk();
        let store = Store::<u64, u64>::builder().open(directory.path()).unwrap();
        for key in 0..50 {
            let mut pending = store.submit_put_if(key, key, Precondition::Absent);
            let forgotten = Waker::from(Arc::new(Counter::default()));
            match Pin::new(&mut pending).poll(&mut Context::from_waker(&forgotten)) {
                Poll::Ready(outcome) => assert!(outcome.is_ok()),
                // Another waker each time it is polled: a task that moved.
                Poll::Pending => assert!(block_on(pending).is_ok()),
            }
        }
    });
}

#[test]
fn closing_wakes_everybody_who_waits() {
    within(100, || {
        let directory = scratch();
        for round in 0..400_u64 {
            let store = Store::<u64, u64>::builder().shards(1).open(directory.path()).unwrap();
            store.put(20, round).unwrap();
            let pending: Vec<_> =
                (0..20).map(|key| store.submit_put_if(key, round, Precondition::Any)).collect();
            let closer = thread::spawn(move || {
                for _ in 0..round * 10 {
                    std::hint::spin_loop();
                }
                store.close().unwrap();
            });
            for outcome in block_on_all(pending) {
                outcome.unwrap();
            }
            closer.join().unwrap();
        }
    });
}

#[test]
fn a_write_submitted_after_the_close_is_refused_at_once() {
    let directory = scratch();
    let store = Store::<u64, u64>::builder().open(directory.path()).unwrap();
    store.close().unwrap();
    let outcomes = [
        store.submit_put_if(1, 7, Precondition::Any).wait(),
        block_on(store.submit_put_if(1, 7, Precondition::Any)),
    ];
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        let WriteError::Refused(refused) = &error else { panic!("not refused: {error}") };
        assert!(matches!(refused.reason(), Reason::Closed));
        assert_eq!(error.into_rejected(), Some(7));
    }
}

/// Drops what it holds, perhaps the last handle of a store, when it is woken.
struct Drops(Mutex<Option<Store<u64, u64>>>, Arc<AtomicU64>);

impl Wake for Drops {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
        self.1.fetch_add(1, Ordering::Release);
    }
}

#[test]
fn the_last_handle_may_be_dropped_in_a_waker() {
    within(60, || {
        let directory = disk();
        let mut pendings = 0;
        for round in 0..50 {
            let store = Store::<u64, u64>::builder().open(directory.path()).unwrap();
            store.put(1_000, round).unwrap();
            let woken = Arc::new(AtomicU64::new(0));
            let mut pending = store.submit_put_if(round, round, Precondition::Absent);
            let holder = Arc::new(Drops(Mutex::new(Some(store)), Arc::clone(&woken)));
            let waker = Waker::from(Arc::clone(&holder));
            if Pin::new(&mut pending).poll(&mut Context::from_waker(&waker)).is_pending() {
                pendings += 1;
                // The waker's handle is now the last.
                drop(pending);
                wait_until("the wake-up", || woken.load(Ordering::Acquire) > 0);
            }
            drop((waker, holder));
        }
        assert!(pendings > 0, "nothing was ever pending: nothing was seen");
        let store = Store::<u64, u64>::builder().open(directory.path()).unwrap();
        assert_eq!(store.len(), 51);
    });
}

#[test]
fn a_waker_that_panics_keeps_nobody_else_from_being_woken() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }
    within(60, || {
        let directory = disk();
        let store = Store::<u64, u64>::builder().open(directory.path()).unwrap();
        let waker = Waker::from(Arc::new(Panics));
        store.put(1_000, 0).unwrap();
        for key in 0..20 {
            let mut panicking = store.submit_put_if(key, 0, Precondition::Absent);
            let _either = Pin::new(&mut panicking).poll(&mut Context::from_waker(&waker));
            block_on(store.submit_put_if(key + 100, 0, Precondition::Absent)).unwrap();
        }
        assert_eq!(store.len(), 41);
    });
}

#[test]
fn a_write_that_was_told_is_not_told_again() {
    let store = Store::<u64, u64>::new();
    let mut pending = store.submit_put_if(1, 1, Precondition::Absent);
    assert!(format!("{pending:?}").contains("decided"), "{pending:?}");
    let poll = |pending: &mut Pending<u64, u64, Written>| {
        Pin::new(pending).poll(&mut Context::from_waker(Waker::noop())).map(|told| told.is_ok())
    };
    assert_eq!(poll(&mut pending), Poll::Ready(true));
    assert!(format!("{pending:?}").contains("done"), "{pending:?}");
    // It would tell of a second write, or wait for ever.
    catch_unwind(AssertUnwindSafe(|| poll(&mut pending))).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| pending.wait().is_ok())).unwrap_err();
    assert_eq!((store.len(), store.revision().get()), (1, 2));
}
