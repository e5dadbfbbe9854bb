//! Every limit of a transaction at its edge: just allowed, just refused, all of it given back, and the store as it was.

use std::time::{Duration, Instant};

use ifmatch::{
    CommitError, Durability, KeyRange, Precondition, Reason, Revision, Store, TransactError, Txn,
    UPDATE_ATTEMPTS, WatchError,
};

use crate::common::{scratch, together};
use crate::home::HOMES;
use crate::hooks::{self, Key, Moment, Value, fresh};
use crate::model::revision;

type Subject = Store<String, u64>;
type Failure = CommitError<String, u64>;

fn reason(error: &Failure) -> &Reason {
    error.reason().unwrap_or_else(|| panic!("expected a refusal, got {error}"))
}

/// A transaction of so many puts of different keys.
fn puts(count: usize) -> Txn<String, u64> {
    (0..count).fold(Txn::new(), |txn, key| txn.put(format!("{key:05}"), 7))
}

#[test]
fn a_transaction_may_have_the_most_operations_and_not_one_more() {
    const MAX: usize = Txn::<String, u64>::MAX_OPERATIONS;
    for home in HOMES {
        let test = |store: &Subject| {
            assert_eq!(store.commit(puts(MAX)).unwrap().get(), 2, "{home:?}");
            assert_eq!(store.len(), MAX, "{home:?}");
            let demand = |txn: Txn<String, u64>| txn.require("00000", Precondition::Present);
            let many_demands = (0..MAX).fold(Txn::new(), |txn, _| demand(txn));
            assert_eq!(store.commit(many_demands).unwrap().get(), 2, "{home:?}");
            let mixed = |puts_and_demands: (usize, usize)| {
                (0..puts_and_demands.1).fold(puts(puts_and_demands.0), |txn, _| demand(txn))
            };
            assert_eq!(store.commit(mixed((1, MAX - 1))).unwrap().get(), 3, "{home:?}");
            for parts in [(MAX + 1, 0), (0, MAX + 1), (MAX, 1), (1, MAX)] {
                for error in [
                    store.commit(mixed(parts)).unwrap_err(),
                    store.submit(mixed(parts)).wait().unwrap_err(),
                ] {
                    let Reason::TooManyOperations { operations, max } = reason(&error) else {
                        panic!("{home:?}: {error}")
                    };
                    assert_eq!((*operations, *max), (MAX + 1, MAX), "{home:?}: {parts:?}");
                    assert_eq!(error.into_txn().unwrap().len(), MAX + 1, "{home:?}: {parts:?}");
                }
            }
            assert_eq!(store.revision().get(), 3, "{home:?}: a refusal takes no revision");
        };
        home.run(|builder| builder, test, |store| assert_eq!(store.len(), MAX));
    }
}

#[test]
fn a_closure_may_read_and_write_the_most_keys_and_not_one_more() {
    const MAX: usize = Txn::<String, u64>::MAX_OPERATIONS;
    for home in HOMES {
        let test = |store: &Subject| {
            let run = |reads: usize, writes: usize| {
                store.transact(|transaction| {
                    for read in 0..reads {
                        // What is refused stays refused, also for somebody who does not listen.
                        let _ignored = transaction.get(format!("{read:05}"));
                    }
                    for write in 0..writes {
                        transaction.put(format!("{write:05}"), 1);
                    }
                    Ok(())
                })
            };
            run(MAX - 1, 1).unwrap();
            run(0, MAX).unwrap();
            run(1, MAX - 1).unwrap();
            let before = store.revision();
            for (reads, writes) in [(0, MAX + 1), (MAX, 1), (1, MAX), (MAX + 1, 1)] {
                let error = run(reads, writes).unwrap_err();
                let TransactError::Commit(error) = error else { panic!("{home:?}: {error}") };
                assert!(
                    matches!(reason(&error), Reason::TooManyOperations { max: MAX, .. }),
                    "{home:?}: {reads} reads and {writes} writes: {error}"
                );
            }
            // Somebody who listens is told the same.
            let reads = store.transact(|transaction| {
                for read in 0..=MAX {
                    transaction.get(format!("{read:05}"))?;
                }
                Ok(())
            });
            let ranges = store.transact(|transaction| {
                for _ in 0..=MAX {
                    transaction.range("x".to_owned()..)?;
                }
                Ok(())
            });
            for outcome in [reads, ranges] {
                let error = outcome.unwrap_err();
                let TransactError::Commit(error) = error else { panic!("{home:?}: {error}") };
                let refusal = reason(&error);
                assert!(
                    matches!(refusal, Reason::TooManyOperations { operations, max: MAX } if *operations == MAX + 1),
                    "{home:?}: {error}"
                );
            }
            assert_eq!(store.revision(), before, "{home:?}");
        };
        home.run(|builder| builder, test, |_| {});
    }
}

#[test]
fn a_key_twice_in_a_transaction_is_refused_with_both_places() {
    for home in HOMES {
        let test = |store: &Subject| {
            store.put("b", 1).unwrap();
            let cases = [
                ("two puts", Txn::new().put("a", 1).put("b", 2).put("a", 3), (0, 2)),
                ("put and delete", Txn::new().put("x", 1).put("b", 2).delete("b"), (1, 2)),
                ("delete and put", Txn::new().delete("b").put("b", 2), (0, 1)),
                ("two deletes of nothing", Txn::new().delete("no").delete("no"), (0, 1)),
                (
                    "with a demand that does not hold",
                    Txn::new().require("a", Precondition::Present).put("a", 1).put("a", 1),
                    (0, 1),
                ),
            ];
            for (name, txn, expected) in cases {
                let len = txn.len();
                let error = store.commit(txn).unwrap_err();
                let Reason::DuplicateKey { first, second } = reason(&error) else {
                    panic!("{home:?}, {name}: {error}")
                };
                assert_eq!((*first, *second), expected, "{home:?}, {name}");
                assert_eq!(error.into_txn().unwrap().len(), len, "{home:?}, {name}");
            }
            // A key may be demanded as often as one likes, and written as well.
            let txn = Txn::new().require("b", Precondition::Present).require("b", revision(2));
            store.commit(txn.require_unchanged_in("b"..="b", revision(2)).put("b", 3)).unwrap();
            assert_eq!((store.revision().get(), store.len()), (3, 1), "{home:?}");
        };
        home.run(|builder| builder, test, |store| assert_eq!(*store.get("b").unwrap(), 3));
    }
}

#[test]
fn a_transaction_without_effect_takes_no_revision_and_tells_when_it_was_so() {
    for home in HOMES {
        let test = |store: &Subject| {
            assert_eq!(store.commit(Txn::new()).unwrap().get(), 1, "{home:?}");
            assert_eq!(store.submit(Txn::new()).wait().unwrap().get(), 1, "{home:?}");
            let at = store.put("a", 1).unwrap();
            let txn = || Txn::new().require("a", at).require_none_under("b");
            assert_eq!(store.commit(txn()).unwrap(), at, "{home:?}: only demands");
            assert_eq!(store.commit(txn().delete("b")).unwrap(), at, "{home:?}: nothing to delete");
            store.transact(|transaction| Ok(transaction.get("a")?.is_some())).unwrap();
            let nothing = store.transact(|transaction| {
                transaction.delete("b");
                Ok(())
            });
            nothing.unwrap();
            assert_eq!(store.revision(), at, "{home:?}");
            let mut watch = store.watch().since(Revision::MIN).open().unwrap();
            assert_eq!(watch.try_recv().unwrap().revision(), at, "{home:?}");
            assert!(matches!(watch.try_recv(), Err(WatchError::Empty)), "{home:?}");
        };
        home.run(|builder| builder, test, |store| assert_eq!(store.len(), 1));
    }
}

#[test]
fn a_transaction_is_refused_if_it_would_make_too_many_keys() {
    for home in HOMES {
        let test = |store: &Subject| {
            store.commit(puts(3)).unwrap();
            // What it deletes makes room for what it creates, in any order.
            store.commit(Txn::new().put("new", 1).delete("00000")).unwrap();
            let before = store.revision();
            let error = store.commit(Txn::new().put("more", 1).put("new", 2)).unwrap_err();
            assert!(matches!(reason(&error), Reason::TooManyKeys { max: 3 }), "{home:?}: {error}");
            assert_eq!(error.into_txn().unwrap().len(), 2, "{home:?}");
            let two_for_one = Txn::new().put("x", 1).put("y", 1).delete("new");
            let error = store.submit(two_for_one).wait().unwrap_err();
            assert!(matches!(reason(&error), Reason::TooManyKeys { max: 3 }), "{home:?}: {error}");
            let error = store.transact(|transaction| {
                transaction.put("more", 1);
                Ok(())
            });
            let Err(TransactError::Commit(error)) = error else { panic!("{home:?}") };
            assert!(matches!(reason(&error), Reason::TooManyKeys { max: 3 }), "{home:?}: {error}");
            assert_eq!((store.revision(), store.len()), (before, 3), "{home:?}");
            assert!(!store.contains("more") && *store.get("new").unwrap() == 1, "{home:?}");
            store.commit(puts(3).delete("new")).unwrap();
        };
        home.run(|builder| builder.max_keys(3), test, |store| assert_eq!(store.len(), 3));
    }
}

#[test]
fn past_the_largest_revision_transactions_are_refused_and_those_without_effect_are_not() {
    let first = revision(Revision::MAX.get() - 1);
    for home in HOMES {
        let test = |store: &Subject| {
            assert_eq!(store.commit(puts(2)).unwrap(), first, "{home:?}");
            assert_eq!(store.commit(puts(2)).unwrap(), Revision::MAX, "{home:?}");
        };
        let check = |store: &Subject| {
            let error = store.commit(puts(2)).unwrap_err();
            assert!(matches!(reason(&error), Reason::RevisionsExhausted), "{home:?}: {error}");
            assert_eq!(error.into_txn().unwrap().len(), 2, "{home:?}");
            let conflict = store.commit(puts(1).require("00000", first)).unwrap_err();
            assert_eq!(conflict.conflict().unwrap().revision(), Some(Revision::MAX), "{home:?}");
            let unchanged = Txn::new().require_unchanged_in(.., Revision::MAX);
            assert_eq!(store.commit(unchanged).unwrap(), Revision::MAX, "{home:?}");
            assert_eq!(store.snapshot().revision(), Revision::MAX, "{home:?}");
            assert!(store.watch().since(Revision::MAX).open().is_ok(), "{home:?}");
            assert_eq!(store.snapshot_at(Revision::MAX).unwrap().len(), 2, "{home:?}");
        };
        home.run(|builder| builder.first_revision(first), test, check);
    }
}

#[test]
fn a_transaction_may_have_exactly_the_largest_record() {
    let directory = scratch();
    let builder = Store::<String, Vec<u8>>::builder().max_record_bytes(100);
    let store = builder.open(directory.path()).unwrap();
    let txn = |bytes: usize| Txn::new().put("a", vec![7; 10]).put("b", vec![8; bytes]);
    let mut fits = 10;
    while store.commit(txn(fits + 1)).is_ok() {
        fits += 1;
    }
    assert!(fits > 40, "two small records are far from the limit: {fits}");
    let before = store.revision();
    let error = store.commit(txn(fits + 1)).unwrap_err();
    let Some(Reason::RecordTooLarge { bytes: 101, max: 100 }) = error.reason() else {
        panic!("{error}")
    };
    let back = error.into_txn().unwrap();
    assert_eq!(back.len(), 2);
    let error = store.submit(back).wait().unwrap_err();
    assert!(matches!(error.reason(), Some(Reason::RecordTooLarge { bytes: 101, max: 100 })));
    assert_eq!(store.revision(), before);
    store.commit(txn(fits)).unwrap();
    drop(store);
    let store = Store::<String, Vec<u8>>::builder().open(directory.path()).unwrap();
    assert_eq!(store.get("b").unwrap().len(), fits);
}

#[test]
fn a_closed_store_refuses_transactions_and_is_read_on() {
    for durability in [Durability::Sync, Durability::Buffered] {
        let directory = scratch();
        let store = Subject::builder().durability(durability).open(directory.path()).unwrap();
        let at = store.commit(puts(3)).unwrap();
        store.close().unwrap();
        let error = store.commit(puts(1)).unwrap_err();
        assert!(matches!(reason(&error), Reason::Closed), "{error}");
        assert_eq!(error.into_txn().unwrap().len(), 1);
        let error = store.submit(puts(1)).wait().unwrap_err();
        assert!(matches!(reason(&error), Reason::Closed), "{error}");
        let outcome = store.transact(|transaction| {
            transaction.put("x", 1);
            Ok(())
        });
        let Err(TransactError::Commit(error)) = outcome else { panic!() };
        assert!(matches!(reason(&error), Reason::Closed), "{error}");
        assert_eq!(store.transact(|transaction| Ok(transaction.range(..)?.len())).unwrap(), 3);
        assert_eq!((store.snapshot().len(), store.iter().count()), (3, 3));
        assert_eq!(store.get_at("00000", at).unwrap().map(|entry| *entry), Some(7));
    }
}

#[test]
fn a_closure_that_never_wins_gives_up_with_the_conflict() {
    let store = Subject::new();
    store.put("a", 0).unwrap();
    let begin = Instant::now();
    let mut runs = 0_u32;
    let outcome = store.transact(|transaction| {
        runs += 1;
        let read = *transaction.get("a")?.unwrap();
        store.put("a", read + 1).unwrap();
        transaction.put("b", read);
        Ok(())
    });
    let error = outcome.unwrap_err();
    assert_eq!(runs, UPDATE_ATTEMPTS);
    assert!(begin.elapsed() < Duration::from_secs(30));
    let conflict = error.conflict().expect("it lost its last race, too");
    assert_eq!(conflict.key(), "a");
    assert_eq!(conflict.current().map(|entry| **entry), Some(runs.into()));
    assert!(!store.contains("b"));
    assert!(error.downcast_ref::<std::io::Error>().is_none());
    assert!(error.downcast::<std::io::Error>().is_err(), "the error itself");
    // A range that always changes is no different.
    let mut number = 0;
    let outcome = store.transact(|transaction| {
        number += 1;
        let count = transaction.prefix("many/")?.len();
        store.put(format!("many/{number}"), 0).unwrap();
        transaction.put("count", u64::try_from(count).unwrap());
        Ok(())
    });
    let error = outcome.unwrap_err();
    assert!(error.conflict().expect("a conflict").key().starts_with("many/"), "{error}");
    assert!(!store.contains("count"));
}

#[test]
fn a_busy_store_does_not_starve_a_transaction_on_another_range() {
    let store = Subject::builder().watch_window(64).build();
    let committed = together(4, |thread| {
        for round in 0..300_u64 {
            if thread == 0 {
                let outcome = store.transact(|transaction| {
                    let count = transaction.prefix("quiet/")?.len();
                    transaction.put(format!("quiet/{round}"), u64::try_from(count).unwrap());
                    Ok(())
                });
                outcome.unwrap();
            } else {
                store.commit(puts(200)).unwrap();
            }
        }
        store.revision()
    });
    assert!(committed.iter().all(|at| at.get() > 300));
    for round in 0..300_u64 {
        assert_eq!(*store.get(format!("quiet/{round}")).unwrap(), round, "each saw all before it");
    }
}

#[test]
fn of_many_blocking_keys_sixteen_are_named_and_all_are_counted() {
    for home in HOMES {
        let test = |store: &Subject| {
            store.commit(puts(40)).unwrap();
            for (range, count) in [(..="00015", 16), (..="00016", 17), (..="99999", 40)] {
                let error = store.commit(Txn::new().require_none_in(range)).unwrap_err();
                let conflict = error.conflict().unwrap();
                assert_eq!(conflict.blocker_count(), count, "{home:?}");
                let named: Vec<_> =
                    conflict.blockers().iter().map(|(key, _)| key.as_str()).collect();
                let expected: Vec<_> = (0..16).map(|key| format!("{key:05}")).collect();
                assert_eq!(named, expected, "{home:?}: the first, in order");
                let range: KeyRange<String> = ifmatch::AsRange::into_range(range);
                assert_eq!(conflict.range(), Some(&range), "{home:?}");
            }
        };
        home.run(|builder| builder, test, |_| {});
    }
}

/// What a transaction is judged by is one revision. While its conditions are looked at others write on, and so much that the
/// window of changes begins after that revision: that nothing changed up to it from it on is known for all that.
#[test]
fn what_is_written_while_a_transaction_is_judged_does_not_make_its_own_revision_unknown() {
    let store = Store::<Key, Value>::builder().watch_window(64).build();
    let (taken, other, range) = (fresh(), fresh(), fresh());
    store.put(Key(taken), Value(0)).unwrap();
    let since = store.revision();
    let writer = store.clone();
    // The key is cloned when its condition is found not to hold, before the next condition is looked at.
    hooks::on(Moment::CloneOfKey, taken, move || {
        for _ in 0..1_000 {
            writer.put(Key(other), Value(0)).unwrap();
        }
    });
    let txn = Txn::new().require(Key(taken), Precondition::Absent);
    let txn = txn.require_unchanged_in(Key(range)..=Key(range), since).put(Key(range), Value(0));
    let error = store.commit(txn).unwrap_err();
    assert!(store.revision().get() >= since.get() + 1_000, "or this test shows nothing");
    let failing: Vec<_> = error.conflicts().iter().map(|conflict| conflict.index()).collect();
    assert_eq!(failing, [0], "{error}");
}

/// What does not hold is what the caller can do something about: it is told first, of a range as of a key.
#[test]
fn a_condition_that_fails_is_told_before_that_the_store_is_full() {
    for home in HOMES {
        let test = |store: &Subject| {
            let since = store.put("a", 1).unwrap();
            store.put("a", 2).unwrap();
            let a = || "a".to_owned();
            let conditions = [
                ("a key", Txn::new().require("a", since)),
                ("a range with none", Txn::new().require_none_under("a")),
                ("an unchanged range", Txn::new().require_unchanged_in(a()..=a(), since)),
            ];
            for (name, txn) in conditions {
                let error = store.commit(txn.put("b", 1).put("c", 1)).unwrap_err();
                assert!(error.conflict().is_some(), "{home:?}, {name}: {error}");
            }
            let error = store.commit(Txn::new().put("b", 1).put("c", 1)).unwrap_err();
            assert!(matches!(reason(&error), Reason::TooManyKeys { max: 2 }), "{home:?}: {error}");
        };
        home.run(|builder| builder.max_keys(2), test, |store| assert_eq!(store.len(), 1));
    }
}
