//! How much is kept of the past, and that it is no less and no more: snapshots, the window, history.

use ifmatch::{
    CommitError, HistoryError, Precondition, Revision, Store, TooManySnapshots, Txn, WatchError,
};

use crate::home::HOMES;
use crate::model::revision;

type Subject = Store<String, u64>;

/// A transaction of so many puts of different keys.
fn puts(count: usize) -> Txn<String, u64> {
    (0..count).fold(Txn::new(), |txn, key| txn.put(format!("{key:05}"), 7))
}

#[test]
fn there_are_as_many_snapshots_and_scans_as_allowed() {
    for home in HOMES {
        let test = |store: &Subject| {
            store.put("a", 1).unwrap();
            let (first, second) = (store.snapshot(), store.try_snapshot().unwrap());
            let scan = store.iter();
            assert_eq!(store.stats().snapshots(), 3, "{home:?}");
            let Err(TooManySnapshots { max: 3, .. }) = store.try_snapshot() else {
                panic!("{home:?}")
            };
            let Err(HistoryError::TooManySnapshots(_)) = store.snapshot_at(store.revision()) else {
                panic!("{home:?}")
            };
            let snapshot = || drop(store.snapshot());
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(snapshot));
            assert!(panicked.is_err(), "{home:?}");
            // What needs none goes on.
            store.put("a", 2).unwrap();
            assert_eq!(*store.get_at("a", store.revision()).unwrap().unwrap(), 2, "{home:?}");
            assert_eq!(*first.get("a").unwrap(), 1, "{home:?}");
            drop(second);
            let third = store.try_snapshot().unwrap();
            assert!(store.try_snapshot().is_err(), "{home:?}");
            drop((first, third, scan));
            assert_eq!(store.stats().snapshots(), 0, "{home:?}");
            for _ in 0..10 {
                drop((store.snapshot(), store.iter(), store.snapshot()));
            }
            assert_eq!(store.stats().snapshots(), 0, "{home:?}");
        };
        home.run(|builder| builder.max_snapshots(3), test, |_| {});
    }
}

#[test]
fn the_smallest_window_holds_64_changes_whatever_is_asked_for() {
    for (asked_for, holds) in [(0, 64), (1, 64), (64, 64), (65, 65)] {
        for home in HOMES {
            let test = |store: &Subject| {
                assert_eq!(store.stats().window_start().get(), 1, "{home:?}");
                // They leave by eights.
                for number in 0..holds + 7 {
                    store.put("a", number).unwrap();
                }
                let all = store.watch().since(Revision::MIN).open();
                assert!(all.is_ok(), "{home:?}: {holds} changes are held, and seven more");
                store.commit(Txn::new().require_unchanged_under("b", Revision::MIN)).unwrap();
                store.put("a", holds).unwrap();
                let stats = store.stats();
                assert_eq!(stats.window_changes(), usize::try_from(holds).unwrap(), "{home:?}");
                assert_eq!(stats.window_start().get(), 9, "{home:?}");
                let Err(WatchError::Compacted { oldest, .. }) =
                    store.watch().since(Revision::MIN).open()
                else {
                    panic!("{home:?}: {asked_for}")
                };
                assert_eq!(oldest.get(), 9, "{home:?}");
                let txn = Txn::new()
                    .require("a", Precondition::Present)
                    .require_unchanged_under("b", Revision::MIN);
                let error = store.commit(txn.put("b", 1)).unwrap_err();
                let CommitError::Compacted { index: 1, oldest, .. } = error else {
                    panic!("{home:?}: {error}")
                };
                assert_eq!(oldest.get(), 9, "{home:?}");
                for _ in 0..8 {
                    let unchanged = Txn::new().require_unchanged_under("b", oldest);
                    store.commit(unchanged.put("a", 1)).unwrap();
                }
                let again = store.watch().since(oldest).open();
                assert!(matches!(again, Err(WatchError::Compacted { .. })), "{home:?}");
            };
            home.run(|builder| builder.watch_window(asked_for), test, |_| {});
        }
    }
}

#[test]
fn a_transaction_larger_than_the_window_is_seen_whole() {
    for home in HOMES {
        let test = |store: &Subject| {
            let before = store.revision();
            let mut watch = store.watch().open().unwrap();
            let at = store.commit(puts(500)).unwrap();
            let commit = watch.try_recv().unwrap();
            assert_eq!((commit.revision(), commit.events().len()), (at, 500), "{home:?}");
            let mut late = store.watch().since(before).open().unwrap();
            assert_eq!(late.try_recv().unwrap().events().len(), 500, "{home:?}");
            let mut too_late = store.watch().since(before).open().unwrap();
            store.put("a", 1).unwrap();
            let Err(WatchError::Lagged { resume, .. }) = too_late.try_recv() else {
                panic!("{home:?}: 501 changes fit into 64")
            };
            assert_eq!(resume, at, "{home:?}");
            assert_eq!(too_late.try_recv().unwrap().events().len(), 1, "{home:?}");
        };
        home.run(|builder| builder.watch_window(64), test, |_| {});
    }
}

#[test]
fn history_by_count_ends_where_it_says() {
    for home in HOMES {
        let test = |store: &Subject| {
            let mut at = Vec::new();
            for number in 0..5 {
                at.push(store.put("a", number).unwrap());
            }
            at.push(store.delete("a").unwrap().unwrap().revision());
            at.push(store.put("a", 9).unwrap());
            let history = store.history("a");
            let kept: Vec<_> = history
                .versions()
                .iter()
                .map(|version| (version.revision(), version.entry().map(|entry| **entry)))
                .collect();
            assert_eq!(kept, [(at[4], Some(4)), (at[5], None), (at[6], Some(9))], "{home:?}");
            assert_eq!(history.since(), at[4], "{home:?}");
            assert_eq!(*store.get_at("a", at[4]).unwrap().unwrap(), 4, "{home:?}");
            assert!(store.get_at("a", at[5]).unwrap().is_none(), "{home:?}");
            let Err(HistoryError::Compacted { oldest, .. }) = store.get_at("a", at[3]) else {
                panic!("{home:?}")
            };
            assert_eq!(oldest, at[4], "{home:?}");
            let future = at[6].next().unwrap();
            let Err(HistoryError::Future { newest, .. }) = store.get_at("a", future) else {
                panic!("{home:?}")
            };
            assert_eq!(newest, at[6], "{home:?}");
            assert!(store.snapshot_at(future).is_err() && store.snapshot_at(at[3]).is_err());
            assert!(store.history("never").versions().is_empty(), "{home:?}");
        };
        home.run(|builder| builder.history(3), test, |_| {});
    }
}

#[test]
fn history_by_commits_ends_where_it_says() {
    for home in HOMES {
        let test = |store: &Subject| {
            for number in 0..20 {
                store.put(["a", "b"][number % 2], u64::try_from(number).unwrap()).unwrap();
            }
            store.delete("a").unwrap();
            let newest = store.revision();
            let oldest = store.stats().oldest_at();
            let kept = newest.get() - oldest.get();
            assert!((4..=5).contains(&kept), "{home:?}: of 5 commits {kept} can be read");
            for at in oldest.get()..=newest.get() {
                let snapshot = store.snapshot_at(revision(at)).unwrap();
                let values: Vec<u64> = snapshot.iter().map(|(_, entry)| *entry).collect();
                let expected = match newest.get() - at {
                    0 => vec![19],
                    ago => {
                        let last = 20 - ago;
                        let (one, other) = (last, last - 1);
                        if one % 2 == 0 { vec![one, other] } else { vec![other, one] }
                    }
                };
                assert_eq!(values, expected, "{home:?}: {at}");
            }
            let Err(HistoryError::Compacted { oldest: told, .. }) =
                store.snapshot_at(revision(oldest.get() - 1))
            else {
                panic!("{home:?}")
            };
            assert_eq!(told, oldest, "{home:?}");
        };
        home.run(|builder| builder.history_commits(5), test, |_| {});
    }
}

#[test]
fn deleted_keys_keep_their_history_up_to_a_number_of_them() {
    for home in HOMES {
        let test = |store: &Subject| {
            for key in ["a", "b", "c"] {
                store.put(key, 1).unwrap();
            }
            // Deleting one key again and again makes only one deleted key.
            for _ in 0..10 {
                store.delete("b").unwrap();
                store.put("b", 2).unwrap();
            }
            let gone = store.delete("a").unwrap().unwrap().revision();
            store.delete("b").unwrap();
            for key in ["a", "b"] {
                assert_eq!(store.history(key).versions().len(), 2, "{home:?}: {key}");
            }
            for _ in 0..10 {
                store.put("b", 3).unwrap();
                store.delete("b").unwrap();
            }
            assert_eq!(store.history("a").versions().len(), 2, "{home:?}: still two are deleted");
            store.delete("c").unwrap();
            assert!(store.history("a").versions().is_empty(), "{home:?}: it went first");
            assert!(store.history("a").since() >= gone, "{home:?}: and that is told");
            for key in ["b", "c"] {
                assert_eq!(store.history(key).versions().len(), 2, "{home:?}: {key}");
            }
        };
        home.run(|builder| builder.history(2).max_deleted(2), test, |_| {});
    }
}
