//! A transaction happens whole or not at all: however it is waited for, after a crash, and what did not happen is given
//! back.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::thread;

use ifmatch::{CommitError, Durability, Precondition, Reason, Revision, Store, Txn, WatchError};

use crate::common::{block_on, read_files, scratch, write_files};
use crate::home::HOMES;
use crate::model::revision;

type Subject = Store<String, u64>;

fn three(value: u64) -> Txn<String, u64> {
    (0..3).fold(Txn::new(), |txn, key| txn.put(format!("{key}"), value))
}

fn values(store: &Subject) -> Vec<u64> {
    store.iter().map(|(_, entry)| *entry).collect()
}

#[test]
fn a_pending_transaction_tells_the_same_by_waiting_and_by_awaiting() {
    for home in HOMES {
        let test = |store: &Subject| {
            let first = store.submit(three(1)).wait().unwrap();
            assert_eq!(values(store), [1, 1, 1], "{home:?}: shown once told");
            let second = block_on(store.submit(three(2).require("0", first))).unwrap();
            assert_eq!((second.get(), store.revision()), (first.get() + 1, second), "{home:?}");
            assert_eq!(values(store), [2, 2, 2], "{home:?}: shown once told");
            let stale = || {
                let demands = Txn::new().require("1", first).require("no", Precondition::Absent);
                demands.require_none_under("2").put("x", 9)
            };
            let outcomes = [
                store.commit(stale()),
                store.submit(stale()).wait(),
                block_on(store.submit(stale())),
            ];
            for outcome in outcomes {
                let error = outcome.unwrap_err();
                let failing: Vec<_> = error
                    .conflicts()
                    .iter()
                    .map(|conflict| {
                        (conflict.index(), conflict.key().as_str(), conflict.revision())
                    })
                    .collect();
                assert_eq!(failing, [(0, "1", Some(second)), (2, "2", Some(second))], "{home:?}");
            }
        };
        home.run(|builder| builder, test, |store| assert_eq!(values(store), [2, 2, 2]));
    }
}

#[test]
fn dropping_a_pending_transaction_does_not_undo_it() {
    for home in HOMES {
        let test = |store: &Subject| {
            // The first commit makes room, without which a transaction is not decided when it is submitted.
            store.commit(three(0)).unwrap();
            drop(store.submit(three(1)));
            let mut polled = store.submit(Txn::new().delete("0").put("3", 1));
            let _either = Pin::new(&mut polled).poll(&mut Context::from_waker(Waker::noop()));
            drop(polled);
            store.sync().unwrap();
            assert_eq!(store.revision().get(), 4, "{home:?}");
        };
        let check = |store: &Subject| {
            let keys: Vec<String> = store.iter().map(|(key, _)| key).collect();
            assert_eq!(
                (keys.concat(), values(store)),
                ("123".to_owned(), vec![1, 1, 1]),
                "{home:?}"
            );
        };
        home.run(|builder| builder, test, check);
    }
}

#[test]
fn what_is_given_back_is_all_of_it_and_can_be_committed_later() {
    for home in HOMES {
        let test = |store: &Subject| {
            let at = store.put("gate", 0).unwrap();
            let full = |txn: Txn<String, u64>| {
                txn.require("gate", Precondition::Absent)
                    .require_none_under("ro")
                    .put("a", 1)
                    .delete("room")
                    .put("b", 2)
            };
            let conflicting = store.commit(full(Txn::new())).unwrap_err();
            assert!(conflicting.conflict().is_some(), "{home:?}: {conflicting}");
            let back = conflicting.into_txn().unwrap();
            store.put("room", 0).unwrap();
            store.delete("gate").unwrap();
            // Both demands came back, and the deleted key does not stand in its own way: it is looked at before.
            let error = store.commit(back).unwrap_err();
            assert_eq!(error.conflicts().len(), 1, "{home:?}: {error}");
            assert_eq!(error.conflicts()[0].index(), 1, "{home:?}: {error}");
            let back = error.into_txn().unwrap();
            store.delete("room").unwrap();
            store.commit(back).unwrap();
            assert_eq!(values(store), [1, 2], "{home:?}");

            let refused = store.commit(three(7)).unwrap_err();
            assert!(matches!(refused.reason(), Some(Reason::TooManyKeys { max: 4 })), "{refused}");
            store.delete("a").unwrap();
            store.commit(refused.into_txn().unwrap()).unwrap();
            assert_eq!(values(store), [7, 7, 7, 2], "{home:?}");

            let future = revision(store.revision().get() + 1);
            let early =
                three(8).require("0", Precondition::Present).require_unchanged_in(.., future);
            let error = store.commit(early).unwrap_err();
            assert!(matches!(error, CommitError::Future { index: 1, .. }), "{home:?}: {error}");
            let back = error.into_txn().unwrap();
            store.put("b", 3).unwrap();
            store.commit(back).unwrap();
            assert_eq!(values(store), [8, 8, 8, 3], "{home:?}");

            (0..70).for_each(|_| assert!(store.put("b", 4).is_ok()));
            let late = store.submit(three(9).require_unchanged_in("0"..="2", at)).wait();
            let error = late.unwrap_err();
            assert!(matches!(error, CommitError::Compacted { index: 0, .. }), "{home:?}: {error}");
            let error = store.commit(error.into_txn().unwrap()).unwrap_err();
            assert!(matches!(error, CommitError::Compacted { index: 0, .. }), "{home:?}: {error}");
            assert_eq!(values(store), [8, 8, 8, 4], "{home:?}");
        };
        home.run(|builder| builder.max_keys(4).watch_window(64), test, |_| {});
    }
}

#[test]
fn all_conflicts_of_a_transaction_are_of_one_moment() {
    for home in HOMES {
        let test = |store: &Subject| {
            store.commit(three(0)).unwrap();
            let losers_left = AtomicU64::new(2);
            let lose = || {
                let mut seen = BTreeSet::new();
                // Until it was often enough a race.
                while seen.len() < 150 {
                    let demands = (0..3).fold(Txn::new(), |txn, key| {
                        txn.require(format!("{key}"), Precondition::Absent)
                    });
                    let error = store.commit(demands.require_none_in(..)).unwrap_err();
                    let [first, second, third, all] = error.conflicts() else {
                        panic!("{home:?}: {error}")
                    };
                    let at = first.revision().unwrap();
                    let blockers = all.blockers().iter().map(|(_, entry)| entry.revision());
                    let others = [second.revision().unwrap(), third.revision().unwrap()];
                    let same = blockers.chain(others).all(|other| other == at);
                    assert!(same, "{home:?}: {:?}", error.conflicts());
                    seen.insert(at);
                }
            };
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        let lost = catch_unwind(AssertUnwindSafe(&lose));
                        losers_left.fetch_sub(1, Ordering::Release);
                        lost.unwrap();
                    });
                }
                let mut number = 0;
                while losers_left.load(Ordering::Acquire) > 0 {
                    number += 1;
                    store.commit(three(number)).unwrap();
                }
            });
        };
        home.run(|builder| builder, test, |_| {});
    }
}

#[test]
fn one_change_among_thousands_is_found() {
    for home in HOMES {
        let test = |store: &Subject| {
            for (before, after) in [(0, 0), (255, 1), (256, 1), (300, 300), (1_000, 0), (0, 2_000)]
            {
                let since = store.revision();
                let others = |count: u64| {
                    for some in 0..count.div_ceil(50) {
                        let txn = (some * 50..count.min(some * 50 + 50))
                            .fold(Txn::new(), |txn, key| txn.put(format!("other/{key}"), some));
                        store.commit(txn).unwrap();
                    }
                };
                others(before);
                let changed = store.revision();
                store.put("one", before).unwrap();
                others(after);
                let name = format!("{home:?}: {before} before and {after} after it");
                let unchanged =
                    |since| Txn::new().require_unchanged_under("one", since).put("x", 1);
                let error = store.commit(unchanged(since)).expect_err(&name);
                assert_eq!(error.conflict().unwrap().key(), "one", "{name}");
                let error = store.commit(unchanged(changed)).expect_err(&name);
                assert_eq!(error.conflict().unwrap().key(), "one", "{name}");
                let now = store.get("one").unwrap().revision();
                store.commit(unchanged(now)).expect(&name);
                let mut watch = store.watch().key("one").since(since).open().unwrap();
                assert_eq!(watch.try_recv().expect(&name).revision(), now, "{name}");
                assert!(matches!(watch.try_recv(), Err(WatchError::Empty)), "{name}");
            }
        };
        home.run(|builder| builder.watch_window(1 << 16), test, |_| {});
    }
}

#[test]
fn after_a_crash_all_of_a_transaction_is_there_or_nothing() {
    for durability in [Durability::Sync, Durability::Buffered] {
        let directory = scratch();
        let open = |path: &std::path::Path| {
            Subject::builder().durability(durability).segment_bytes(4096).open(path).unwrap()
        };
        let store = open(directory.path());
        let mut told = Revision::MIN;
        for number in 0..300 {
            let pending = store.submit(three(number));
            let written_on = store.submit(three(number).put("alone", number));
            let keeps_the_second = number % 3 > 0;
            if number % 2 == 0 {
                told = pending.wait().unwrap();
            } else {
                drop(pending);
            }
            if keeps_the_second {
                drop(written_on);
            } else {
                told = written_on.wait().unwrap();
            }
            if number % 10 == 9 {
                store.sync().unwrap();
                told = store.revision();
                // As a process that is killed leaves it.
                let after = scratch();
                write_files(after.path(), &read_files(directory.path()));
                let found = open(after.path());
                assert!(found.revision() >= told, "{durability:?}: told is told");
                let entries: Vec<_> =
                    (0..3).map(|key| found.get(format!("{key}")).unwrap()).collect();
                assert!(entries.iter().all(|entry| *entry == entries[0]), "{durability:?}");
                let window = found.watch().since(told).open();
                assert!(matches!(window, Ok(_) | Err(WatchError::Compacted { .. })), "{window:?}");
            }
        }
        assert!(told.get() > 300, "{durability:?}");
    }
}

#[test]
fn what_a_transaction_has_read_may_outlive_it() {
    let store = Subject::new();
    let at = store.put("a", 1).unwrap();
    let (stored, own) = store
        .transact(|transaction| {
            transaction.put("b", 2);
            let stored = transaction.get("a")?.expect("it was put before").clone();
            let own = transaction.get("b")?.expect("it was put here").clone();
            transaction.put("b", 3);
            transaction.delete("a");
            Ok((stored, own))
        })
        .unwrap();
    assert_eq!(values(&store), [3]);
    assert_eq!((*stored, stored.revision()), (1, Some(at)));
    assert_eq!((*own, own.revision(), own.stored()), (2, None, None));
}

/// It may end in a log file; what a transaction has read is printed if it is asked for.
#[test]
fn what_is_printed_of_a_transaction_or_a_watch_has_no_key_and_no_value() {
    let store = Store::<String, String>::new();
    let secret = || "secret".to_owned();
    store.put("secret", secret()).unwrap();
    let builder = store.watch().key("secret");
    let mut printed = vec![format!("{builder:?}")];
    let watch = builder.open().unwrap();
    printed.push(format!("{watch:?}, {:?}", watch.canceller()));
    let mut read = String::new();
    let outcome = store.transact(|transaction| {
        read = format!("{:?}", transaction.get("secret")?);
        transaction.put("secret", secret());
        printed.push(format!("{transaction:?}"));
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(printed.len(), 3);
    assert!(printed.iter().all(|text| !text.contains("secret")), "{printed:?}");
    assert!(read.contains("secret"), "{read}");
}
