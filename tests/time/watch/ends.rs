//! How a watch ends: everything was delivered before, and nobody is held up.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ifmatch::{Commit, Durability, Revision, WatchError};

use crate::common::{Raises, Random, scratch, within};
use crate::home::{HOMES, Home, IN_TIME};

use super::{Subject, open};

#[test]
fn dropping_the_store_ends_a_watch_after_all_was_delivered() {
    within(60, || {
        for home in HOMES {
            let directory = scratch();
            let store = match home {
                Home::Memory => Subject::new(),
                Home::Log(durability) => {
                    Subject::builder().durability(durability).open(directory.path()).unwrap()
                }
            };
            let (mut watch, mut sleeping) = (open(&store), open(&store));
            let sleeper = thread::spawn(move || {
                let mut received = 0;
                loop {
                    match sleeping.recv() {
                        Ok(_) => received += 1,
                        Err(WatchError::Closed) => return received,
                        Err(other) => panic!("{other}"),
                    }
                }
            });
            for number in 0..100 {
                store.put("a", number).unwrap();
            }
            // Long enough for the other to have fallen asleep.
            thread::sleep(Duration::from_millis(50));
            drop(store);
            for number in 0..100 {
                let commit = watch.recv().unwrap();
                assert_eq!(**commit.events()[0].entry().unwrap(), number, "{home:?}");
            }
            assert!(matches!(watch.recv(), Err(WatchError::Closed)), "{home:?}");
            assert!(matches!(watch.recv(), Err(WatchError::Closed)), "{home:?}: for good");
            assert!(matches!(watch.try_recv(), Err(WatchError::Closed)), "{home:?}");
            let timeout = Duration::from_secs(50);
            assert!(matches!(watch.recv_timeout(timeout), Err(WatchError::Closed)), "{home:?}");
            assert_eq!(sleeper.join().unwrap(), 100, "{home:?}");
            if let Home::Log(_) = home {
                // A watch holds neither the log nor its lock.
                assert_eq!(Subject::builder().open(directory.path()).unwrap().len(), 1);
            }
        }
    });
}

#[test]
fn closing_a_log_ends_its_watches_after_all_was_delivered() {
    within(60, || {
        for durability in [Durability::Sync, IN_TIME, Durability::Buffered] {
            let directory = scratch();
            let store = Subject::builder().durability(durability).open(directory.path()).unwrap();
            let mut watch = open(&store);
            let mut sleeping = open(&store);
            let sleeper = thread::spawn(move || while sleeping.recv().is_ok() {});
            for number in 0..50 {
                store.put("a", number).unwrap();
            }
            thread::sleep(Duration::from_millis(50));
            store.close().unwrap();
            sleeper.join().unwrap();
            for _ in 0..50 {
                watch.recv().unwrap();
            }
            assert!(matches!(watch.recv(), Err(WatchError::Closed)), "{durability:?}");
            // Reading goes on.
            let mut again = store.watch().since(Revision::MIN).open().unwrap();
            assert_eq!(again.try_recv().unwrap().revision().get(), 2, "{durability:?}");
        }
    });
}

#[test]
fn a_sleeping_watch_is_cancelled_from_another_thread() {
    within(60, || {
        let store = Subject::new();
        for round in 0..200_u64 {
            let mut watch = open(&store);
            let canceller = watch.canceller();
            let start = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    (0..round * 20).for_each(|_| std::hint::spin_loop());
                    canceller.cancel();
                    canceller.cancel();
                });
                start.wait();
                assert!(matches!(watch.recv(), Err(WatchError::Cancelled)));
            });
            assert!(matches!(watch.recv(), Err(WatchError::Cancelled)), "for good");
            // A canceller may outlive what it cancels.
            drop(watch);
            canceller.cancel();
        }
        drop(store);
    });
}

#[test]
fn a_watcher_dropped_in_the_middle_holds_up_nobody() {
    within(60, || {
        let store = Subject::builder().watch_window(64).build();
        let is_over = AtomicBool::new(false);
        let mut kept = open(&store);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _at_the_end = Raises(&is_over);
                for number in 0..20_000 {
                    store.put(format!("{}", number % 10), number).unwrap();
                }
            });
            for seed in 0..2 {
                let (store, is_over) = (&store, &is_over);
                scope.spawn(move || {
                    let mut random = Random(seed);
                    while !is_over.load(Ordering::Acquire) {
                        let mut watch = open(store);
                        for _ in 0..random.below(20) {
                            let _anything = watch.recv_timeout(Duration::from_micros(100));
                        }
                    }
                });
            }
        });
        let Err(WatchError::Lagged { resume, .. }) = kept.try_recv() else { panic!("it kept up") };
        assert_eq!(resume.get(), 20_001 - 64, "what fits in the window is kept, and no more");
        for revision in resume.get() + 1..=20_001 {
            assert_eq!(kept.try_recv().unwrap().revision().get(), revision);
        }
        assert!(matches!(kept.try_recv(), Err(WatchError::Empty)));
    });
}

#[test]
fn iterating_blocks_until_the_end_and_with_a_timeout_until_then() {
    within(60, || {
        let store = Subject::new();
        let mut watch = open(&store);
        let mut whole = open(&store);
        let writer = thread::spawn(move || {
            for number in 0..100 {
                store.put("a", number).unwrap();
            }
        });
        let values = |commit: Commit<String, u64>| **commit.events()[0].entry().unwrap();
        let got: Vec<u64> = watch.iter().map(|told| values(told.unwrap())).collect();
        assert_eq!(got, (0..100).collect::<Vec<_>>());
        writer.join().unwrap();
        let got: Vec<u64> =
            whole.iter_timeout(Duration::from_secs(5)).map(|told| values(told.unwrap())).collect();
        assert_eq!(got, (0..100).collect::<Vec<_>>());
        let store = Subject::new();
        let mut watch = open(&store);
        store.put("a", 7).unwrap();
        assert_eq!(watch.iter_timeout(Duration::from_millis(5)).count(), 1, "then it times out");
        store.put("a", 8).unwrap();
        assert_eq!(watch.iter_timeout(Duration::from_millis(5)).count(), 1, "and goes on");
    });
}

#[test]
fn what_iterates_over_a_watch_has_ended_for_good_once_it_has() {
    within(60, || {
        let store = Subject::new();
        let mut watch = open(&store);
        let canceller = watch.canceller().clone();
        store.put("a", 1).unwrap();
        assert_eq!(watch.iter().take(1).count(), 1);
        canceller.cancel();
        store.put("a", 2).unwrap();
        for _ in 0..2 {
            assert_eq!(watch.iter().count(), 0);
            assert_eq!(watch.iter_timeout(Duration::from_secs(100)).count(), 0);
            #[cfg(feature = "stream")]
            {
                use futures_core::Stream;
                use std::task::{Context, Poll, Waker};
                let next = std::pin::Pin::new(&mut watch);
                let told = next.poll_next(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(told, Poll::Ready(None)));
            }
        }
    });
}

/// Else a store of which nothing is written gathers the wakers of all who gave up.
#[cfg(feature = "stream")]
#[test]
fn a_watch_that_is_dropped_while_it_sleeps_leaves_no_waker_behind() {
    use futures_core::Stream;
    use std::sync::Arc;
    use std::task::{Context, Wake, Waker};

    struct Sleeping;
    impl Wake for Sleeping {
        fn wake(self: Arc<Self>) {}
    }
    let store = Subject::new();
    let sleeping = Arc::new(Sleeping);
    let waker = Waker::from(Arc::clone(&sleeping));
    let mut watch = open(&store);
    let told = std::pin::Pin::new(&mut watch).poll_next(&mut Context::from_waker(&waker));
    assert!(told.is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&sleeping), 2, "the store has it");
    drop(watch);
    assert_eq!(Arc::strong_count(&sleeping), 1);
}
