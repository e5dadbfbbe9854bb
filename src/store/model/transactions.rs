//! Transactions: whole or not at all, and as if one after another.

use super::{
    Numbers, Past, Txn, View, Writer, assert_nothing_is_left, builder, check, entries, in_memory,
    join_all, on, told, txn,
};
use crate::log::Durability;
use crate::storage::disk::Disk;
use crate::sync::thread;
use crate::{CommitError, Precondition, Reason, Revision};

fn on_a_log() -> Numbers {
    on(&Disk::new().with_threads(), Durability::Sync)
}

fn transactions_are_whole(store: &Numbers) {
    let mut watch = store.watch().with_previous().open().expect("now is kept");
    let writers = vec![
        Writer::spawn(store, |writer| {
            writer.commit(&[(0, Some(1)), (1, Some(1))]);
            writer.commit(&[(1, None), (0, None), (2, Some(1))]);
        }),
        Writer::spawn(store, |writer| writer.commit(&[(1, Some(2)), (0, Some(2))])),
    ];
    let watcher = thread::spawn(move || [(); 3].map(|()| told(watch.recv().expect("three come"))));
    let snapshot = store.snapshot();
    let scan = store.iter();
    let at = scan.revision();
    let scanned = entries(scan);
    let seen = View::of(&snapshot);
    drop(snapshot);

    let past = Past::of(join_all(writers));
    for state in [&seen.state, &scanned] {
        assert_eq!(state.get(&0), state.get(&1), "half of a transaction was seen");
    }
    seen.is_in(&past);
    assert_eq!(scanned, past.at(at));
    let watched = watcher.join().expect("no thread panics");
    assert_eq!(watched.to_vec(), past.told_after(Revision::MIN));
    assert_nothing_is_left(store);
}

#[test]
fn a_transaction_is_seen_whole_or_not_at_all() {
    check(|| transactions_are_whole(&in_memory()));
}

#[test]
fn a_transaction_is_seen_whole_or_not_at_all_on_a_log() {
    check(|| transactions_are_whole(&on_a_log()));
}

/// Two transactions that each put a key where the other requires that there be none, or that nothing be changed; beside
/// them others write outside of that range, so that there is something to match and to catch up with.
fn phantoms(store: &Numbers, conflicting: fn(Revision) -> Txn) {
    let since = store.revision();
    let threads = (0..2)
        .map(|key| {
            let store = store.clone();
            thread::spawn(move || store.commit(conflicting(since).put(key, 1)))
        })
        .collect();
    let beside = Writer::spawn(store, |writer| {
        writer.put(8, 0);
        writer.put(9, 0);
    });
    let outcomes: Vec<_> = join_all(threads);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        let [conflict] = error.conflicts() else { unreachable!("it is a conflict: {error:?}") };
        assert_eq!(conflict.current().map(|entry| **entry), Some(1));
    }
    join_all(vec![beside]);
    assert_eq!(store.range(0..4).count(), 1);
    assert_nothing_is_left(store);
}

#[test]
fn two_that_require_an_empty_range_never_both_fill_it() {
    check(|| phantoms(&in_memory(), |_| Txn::new().require_none_in(0..4)));
}

#[test]
fn two_that_require_an_empty_range_never_both_fill_it_on_a_log() {
    check(|| phantoms(&on_a_log(), |_| Txn::new().require_none_in(0..4)));
}

#[test]
fn two_that_require_an_unchanged_range_never_both_change_it() {
    check(|| phantoms(&in_memory(), |since| Txn::new().require_unchanged_in(0..4, since)));
}

/// What has left the window cannot be matched any more: it must not pass.
#[test]
fn a_range_condition_that_the_window_cannot_tell_never_passes() {
    check(|| {
        let store = builder().watch_window(1).build();
        let since = store.revision();
        let threads = (0..2)
            .map(|key| {
                let store = store.clone();
                thread::spawn(move || {
                    let empty = Txn::new().require_none_in(0..4).put(key, 1);
                    let unchanged = Txn::new().require_unchanged_in(4..8, since).put(key + 4, 1);
                    [store.commit(empty), store.commit(unchanged)].map(|outcome| outcome.is_ok())
                })
            })
            .collect();
        let beside = Writer::spawn(&store, |writer| writer.put(8, 0));
        let passed: Vec<_> = join_all(threads);
        assert!(passed[0][0] != passed[1][0], "of two into an empty range one is the first");
        assert!(!(passed[0][1] && passed[1][1]), "both were the first");
        join_all(vec![beside]);
        assert_nothing_is_left(&store);
    });
}

/// A delete is a change, too, and nothing that a condition on an empty range has to fear.
#[test]
fn deletes_change_a_range_and_do_not_fill_it() {
    check(|| {
        let store = in_memory();
        store.put(0, 1).expect("no limit");
        let since = store.revision();
        let deleter = {
            let store = store.clone();
            thread::spawn(move || store.commit(txn(&[(0, None)]).put(5, 1)).expect("no condition"))
        };
        let unchanged = store.commit(Txn::new().require_unchanged_in(0..4, since).put(6, 1));
        let empty = store.commit(Txn::new().require_none_in(0..4).put(7, 1));
        let deleted = deleter.join().expect("no thread panics");
        if let Ok(revision) = unchanged {
            assert!(revision < deleted, "it was changed before");
        }
        match empty {
            Ok(revision) => assert!(revision > deleted, "it was not yet empty"),
            Err(error) => assert_eq!(error.conflicts()[0].blocker_count(), 1),
        }
        assert_nothing_is_left(&store);
    });
}

fn counted_by_range(store: &Numbers) {
    let threads = (0..2)
        .map(|key| {
            let store = store.clone();
            thread::spawn(move || {
                let counted = store.transact(|t| {
                    let count = t.range(0..4)?.len();
                    t.put(key, u32::try_from(count).expect("it is small"));
                    Ok(count)
                });
                counted.expect("it is tried again")
            })
        })
        .collect();
    let beside = Writer::spawn(store, |writer| writer.put(9, 0));
    let mut counted: Vec<_> = join_all(threads);
    counted.sort_unstable();
    assert_eq!(counted, [0, 1], "each is to see those before it, and nobody else");
    join_all(vec![beside]);
    let found: Vec<_> = store.range(0..4).map(|(_, entry)| *entry).collect();
    assert_eq!(found.iter().sum::<u32>(), 1, "{found:?}");
    assert_nothing_is_left(store);
}

#[test]
fn transactions_that_count_a_range_and_add_to_it_count_each_other() {
    check(|| counted_by_range(&in_memory()));
}

#[test]
fn transactions_that_count_a_range_and_add_to_it_count_each_other_on_a_log() {
    check(|| counted_by_range(&on_a_log()));
}

/// Write skew: each may take one of two away, but only while there are two.
#[test]
fn there_is_no_write_skew_over_keys() {
    check(|| {
        let store = in_memory();
        store.commit(txn(&[(0, Some(1)), (1, Some(1))])).expect("no limit");
        let threads = (0..3)
            .map(|thread| {
                let store = store.clone();
                thread::spawn(move || {
                    let key = thread % 2;
                    let taken = store.transact(|t| {
                        let there = [0, 1].map(|key| t.get(key).map(|read| read.is_some()));
                        let [left, right] = there;
                        let may = left? && right?;
                        if may {
                            t.delete(key);
                        }
                        Ok(may)
                    });
                    taken.expect("it is tried again")
                })
            })
            .collect();
        let taken: Vec<bool> = join_all(threads);
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{taken:?}");
        assert_eq!(store.len(), 1);
        assert_nothing_is_left(&store);
    });
}

/// Preconditions on keys that are not written hold at the moment of the commit.
#[test]
fn of_two_that_require_what_the_other_changes_one_commits() {
    check(|| {
        let store = in_memory();
        let revision = store.commit(txn(&[(0, Some(1)), (1, Some(1))])).expect("no limit");
        let threads = (0..2)
            .map(|key| {
                let store = store.clone();
                thread::spawn(move || {
                    store.commit(Txn::new().require(1 - key, revision).put(key, 2)).is_ok()
                })
            })
            .collect();
        let committed: Vec<bool> = join_all(threads);
        assert!(committed[0] != committed[1], "{committed:?}");
    });
}

#[test]
fn opposite_orders_of_keys_do_not_deadlock() {
    check(|| {
        let store = in_memory();
        let writers = vec![
            Writer::spawn(&store, |writer| {
                writer.commit(&[(0, Some(1)), (1, Some(1))]);
                writer.put(1, 5);
            }),
            Writer::spawn(&store, |writer| {
                writer.commit(&[(1, Some(2)), (0, Some(2))]);
                writer.delete(0);
            }),
        ];
        // Read here and written there, the other way round.
        let required = Txn::new().require(0, Precondition::Present).put(3, 1);
        let outcome = store.commit(required);
        let seen = View::of(&store.snapshot());
        let mut commits = join_all(writers);
        if let Ok(revision) = outcome {
            commits.push(vec![(revision, vec![(3, Some(1))])]);
        }
        let past = Past::of(commits);
        seen.is_in(&past);
        let newest = View::of(&store.snapshot());
        assert_eq!(Some(newest.revision), past.newest());
        newest.is_in(&past);
        assert_nothing_is_left(&store);
    });
}

#[test]
fn a_read_only_transaction_tells_of_one_revision() {
    check(|| {
        let store = in_memory();
        let writer = Writer::spawn(&store, |writer| {
            writer.commit(&[(0, Some(1)), (1, Some(1))]);
            writer.commit(&[(1, None), (0, None), (2, Some(1))]);
        });
        let mixed = Txn::new().require(0, Precondition::Present).require(1, Precondition::Absent);
        let mixed = store.commit(mixed);
        let absent = Txn::new().require(0, Precondition::Absent).require_none_in(0..2);
        let absent = store.commit(absent);
        let read = store
            .transact(|t| {
                let at = t.revision();
                let keys = [t.get(0)?, t.get(1)?].map(|read| read.and_then(|read| read.revision()));
                Ok((at, keys, t.range(..)?.len()))
            })
            .expect("it writes nothing");
        let past = Past::of(join_all(vec![writer]));
        assert!(mixed.is_err(), "half of a transaction was seen");
        match absent {
            Ok(revision) => assert!(!past.at(revision).contains_key(&0)),
            Err(error) => {
                let found: Vec<_> =
                    error.conflicts().iter().map(|found| found.revision()).collect();
                assert_eq!(found.len(), 2, "the two come and go together");
                assert_eq!(found[0], found[1]);
            }
        }
        let (at, keys, len) = read;
        let then = past.at(at);
        assert_eq!(keys, [0, 1].map(|key| then.get(&key).map(|(revision, _)| *revision)));
        assert_eq!(len, then.len());
        assert_nothing_is_left(&store);
    });
}

/// It writes nothing, for there is nothing to delete: its conditions held all the same, at the revision that it returns.
#[test]
fn a_transaction_that_deletes_nothing_tells_when_its_conditions_held() {
    check(|| {
        let store = in_memory();
        let writer = Writer::spawn(&store, |writer| {
            writer.put(0, 1);
            writer.put(5, 1);
            writer.delete(0);
        });
        let outcome = store.commit(Txn::new().require_none_in(0..4).delete(9));
        let past = Past::of(join_all(vec![writer]));
        match outcome {
            Ok(revision) => assert!(!past.at(revision).contains_key(&0), "at {revision}"),
            Err(error) => assert_eq!(error.conflicts()[0].blocker_count(), 1),
        }
        assert_nothing_is_left(&store);
    });
}

/// Whoever fails is told of every condition that does, all at the same moment.
#[test]
fn the_conflicts_of_a_transaction_are_of_one_revision() {
    check(|| {
        let store = in_memory();
        store.commit(txn(&[(0, Some(0)), (1, Some(0))])).expect("no limit");
        let writer = Writer::spawn(&store, |writer| {
            writer.commit(&[(0, Some(1)), (1, Some(1))]);
            writer.commit(&[(1, Some(2)), (0, Some(2))]);
        });
        let absent = Txn::new().require(0, Precondition::Absent).require(1, Precondition::Absent);
        let error = store.commit(absent.put(2, 1)).expect_err("both are there");
        let found: Vec<_> = error.conflicts().iter().map(|conflict| conflict.revision()).collect();
        assert_eq!(found.len(), 2, "both are there");
        assert_eq!(found[0], found[1], "the two are written together");
        assert_eq!(error.into_txn().map(|txn| txn.len()), Some(3));
        join_all(vec![writer]);
        assert_nothing_is_left(&store);
    });
}

/// What was made ready for a transaction that is refused is taken back, whoever looks meanwhile.
#[test]
fn a_refused_transaction_leaves_nothing_behind() {
    check(|| {
        let store = builder().max_keys(2).build();
        let pair = {
            let store = store.clone();
            thread::spawn(move || store.commit(txn(&[(0, Some(1)), (1, Some(1))])))
        };
        let single = {
            let store = store.clone();
            thread::spawn(move || store.create(2, 1))
        };
        let seen = View::of(&store.snapshot());
        assert!(seen.state.len() <= 2 && seen.len == seen.state.len());
        let pair = pair.join().expect("no thread panics");
        let single = single.join().expect("no thread panics");
        assert!(pair.is_ok() != single.is_ok(), "there is room for one of them");
        if let Err(error) = pair {
            assert!(matches!(
                error,
                CommitError::Refused { reason: Reason::TooManyKeys { .. }, .. }
            ));
        }
        assert_nothing_is_left(&store);
    });
}
