//! Snapshots, transactions and watches on a log: nothing is told before it is durable, nor after the log failed.

use super::*;
use crate::{HistoryError, TransactError, WatchError};

/// A store of which "a" is written at a durable revision, and then twice more, in two batches that are not durable: one
/// is held in its sync, the other waits.
fn ahead(disk: &Disk) -> (Numbers, crate::Revision) {
    let store = warm(disk);
    let shown = store.put("a", 1).unwrap();
    disk.hold_syncs();
    for number in 2..=4 {
        drop(store.submit_put_if("a", number, Precondition::Any));
        let decided = shown.get() + number - 1;
        eventually("it is decided", || store.inner.map.sequencer.visible() == decided);
        if number == 2 {
            let log = &store.inner.journal.as_ref().unwrap().log;
            eventually("it is being synced", || !log.tail().shares_batch(decided));
        }
    }
    (store, shown)
}

#[test]
fn what_is_not_durable_is_in_no_snapshot_scan_history_or_watch() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    let mut watch = store.watch().open().unwrap();
    drop(store);
    assert!(matches!(watch.recv(), Err(WatchError::Closed)));

    let disk = Disk::new().with_threads();
    let (store, shown) = ahead(&disk);
    let mut watch = store.watch().since(shown).open().unwrap();
    let snapshot = store.snapshot();
    let check = |name: &str| {
        assert_eq!((snapshot.revision(), snapshot.len()), (shown, 2), "{name}");
        assert_eq!(snapshot.get("a").as_deref(), Some(&1), "{name}");
        let all: Vec<_> = snapshot.iter().map(|(key, value)| (key, *value)).collect();
        assert_eq!(all, [("a".to_owned(), 1), ("warm".to_owned(), 0)], "{name}");
    };
    check("held");
    assert_eq!(store.prefix("a").next().as_ref().map(|(_, value)| **value), Some(1));
    assert_eq!(store.history("a").versions().last().unwrap().revision(), shown);
    assert_eq!(store.get_at("a", shown).unwrap().as_deref(), Some(&1));
    let newer = shown.next().unwrap();
    assert_eq!(store.get_at("a", newer).unwrap_err(), HistoryError::Future { newest: shown });
    assert!(matches!(store.watch().since(newer).open(), Err(WatchError::Future { .. })));
    assert!(matches!(watch.try_recv(), Err(WatchError::Empty)));
    disk.release_syncs();
    let told: Vec<_> = (0..3).map(|_| watch.recv().unwrap().revision().get()).collect();
    assert_eq!(told, [2, 3, 4].map(|number| shown.get() + number - 1));
    check("released");
    drop(snapshot);
    eventually("all is given back", || store.stats().superseded() == 0);
}

/// What was replaced before it could be shown raised the floor of what is known above all that was shown.
#[test]
fn the_newest_revision_that_is_shown_can_always_be_read() {
    let disk = Disk::new().with_threads();
    let (store, shown) = ahead(&disk);
    assert_eq!(store.snapshot_at(shown).unwrap().get("a").as_deref(), Some(&1));
    assert!(store.get_at("absent", shown).unwrap().is_none());
    assert!(store.history("absent").since() <= shown);
    disk.release_syncs();
    store.sync().unwrap();
    let newest = store.revision();
    assert_eq!(store.snapshot_at(newest).unwrap().get("a").as_deref(), Some(&4));
    let replaced = shown.next().unwrap().next().unwrap();
    assert!(matches!(store.snapshot_at(replaced), Err(HistoryError::Compacted { .. })));
}

#[test]
fn a_transaction_and_its_conflicts_are_told_only_when_they_are_durable() {
    let disk = Disk::new().with_threads();
    let (store, shown) = ahead(&disk);
    let stale = Txn::new().require("a", shown).put("b", 7);
    let fresh = Txn::new().require("a", Precondition::Present).put("b", 7);
    let reads = Txn::new().require("a", Precondition::Present);
    let in_use = Txn::new().require_none_under("a").put("b", 8);
    let (told, tells) = mpsc::channel();
    let mut threads = Vec::new();
    for txn in [stale, fresh, reads, in_use] {
        let (store, told) = (store.clone(), told.clone());
        threads.push(thread::spawn(move || told.send(store.commit(txn).is_ok()).unwrap()));
    }
    let transacting = store.clone();
    threads.push(thread::spawn(move || {
        let answer = transacting.transact(|t| Ok(t.get("a")?.map(|value| *value)));
        told.send(answer.unwrap() == Some(4)).unwrap();
    }));
    assert!(tells.recv_timeout(Duration::from_millis(200)).is_err(), "nothing is durable yet");
    disk.release_syncs();
    let outcomes = tells.iter().filter(|succeeded| *succeeded).count();
    assert_eq!(outcomes, 3);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// It was told at once, with values that may have been computed from what was not durable.
/// On what is shown it would lose against those who wait, again and again, until the disk is done.
#[test]
fn a_transaction_reads_what_waits_for_the_disk() {
    let disk = Disk::new().with_threads();
    let (store, shown) = ahead(&disk);
    let transaction = {
        let store = store.clone();
        thread::spawn(move || {
            let mut runs = 0;
            let read = store.transact(|t| {
                runs += 1;
                let read = t.get("a")?.map_or(0, |number| *number);
                t.put("a", read + 10);
                Ok(read)
            });
            (read.unwrap(), runs)
        })
    };
    let decided = shown.get() + 4;
    eventually("it commits", || store.inner.map.sequencer.visible() == decided);
    assert_eq!(store.get("a").map(|entry| *entry), Some(1));
    disk.release_syncs();
    assert_eq!(transaction.join().unwrap(), (4, 1));
    assert_eq!(store.get("a").map(|entry| *entry), Some(14));
}

#[test]
fn a_refusal_of_a_transaction_is_told_only_when_what_it_read_is_durable() {
    let disk = Disk::new().with_threads();
    let builder = Store::<String, u64>::builder().max_record_bytes(64);
    let store = builder.open_on(&disk).unwrap();
    store.put("a", 1).unwrap();
    disk.hold_syncs();
    drop(store.submit_put_if("a", 2, Precondition::Any));
    let (told, tells) = mpsc::channel();
    let thread = {
        let store = store.clone();
        thread::spawn(move || {
            let error = store
                .transact(|t| {
                    let read = t.get("a")?.map_or(0, |value| *value);
                    (0..99).for_each(|key| t.put(format!("{key}"), read));
                    Ok(())
                })
                .unwrap_err();
            let TransactError::Commit(error) = error else { unreachable!("{error}") };
            assert!(matches!(error.reason(), Some(Reason::RecordTooLarge { .. })));
            told.send(()).unwrap();
        })
    };
    assert!(tells.recv_timeout(Duration::from_millis(100)).is_err(), "it read what is not durable");
    disk.release_syncs();
    tells.recv().unwrap();
    thread.join().unwrap();
}

#[test]
fn after_the_log_failed_nothing_that_was_not_durable_is_told() {
    let disk = Disk::new().with_threads();
    let (store, shown) = ahead(&disk);
    let mut watch = store.watch().since(shown).open().unwrap();
    let submitted = store.submit(Txn::new().put("b", 1).put("c", 2));
    disk.fail_every(Call::Sync, Fault::Io);
    disk.release_syncs();
    assert!(matches!(submitted.wait(), Err(CommitError::OutcomeUnknown(_))));
    assert!(matches!(watch.recv(), Err(WatchError::Failed(_))));
    assert_eq!(store.revision(), shown);
    let snapshot = store.snapshot();
    assert_eq!((snapshot.revision(), snapshot.get("a").as_deref()), (shown, Some(&1)));
    // Reading goes on, of what is durable.
    let read = store.transact(|t| Ok(t.get("a")?.map(|value| *value)));
    assert_eq!(read.unwrap(), Some(1));
    assert_eq!(store.commit(Txn::new().require("a", shown)).unwrap(), shown);
    // What can only be decided on what is not durable is not decided.
    let write = store.transact(|t| {
        t.get("a")?;
        t.put("b", 7);
        Ok(())
    });
    assert!(matches!(write, Err(TransactError::Commit(CommitError::Refused { .. }))));
    let stale = store.commit(Txn::new().require("a", shown).put("b", 7)).unwrap_err();
    assert!(stale.conflicts().is_empty());
    assert_eq!(stale.into_txn().unwrap().len(), 2, "the transaction comes back");
}

#[test]
fn a_transaction_survives_a_power_cut_whole() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    for round in 0..50 {
        let txn = (0..10).fold(Txn::new(), |txn, key| txn.put(format!("{key}"), round));
        let revision = store.commit(txn.delete("warm")).unwrap();
        let found = open(&disk.as_synced(), Durability::Sync).unwrap();
        assert_eq!(found.len(), 10);
        assert!(found.iter().all(|(_, entry)| (entry.revision(), *entry) == (revision, round)));
    }
}

#[test]
fn a_watch_resumes_after_a_restart_or_says_that_it_cannot() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    let before = store.put("a", 1).unwrap();
    let newest = store.put("a", 2).unwrap();
    store.close().unwrap();
    let store = open(&disk, Durability::Sync).unwrap();
    let mut watch = store.watch().since(newest).open().unwrap();
    let next = store.put("a", 3).unwrap();
    assert_eq!(watch.recv().unwrap().revision(), next);
    let mut watch = store.watch().since(before).open().unwrap();
    assert_eq!([(); 2].map(|()| watch.recv().unwrap().revision()), [newest, next]);

    // An unclean stop skips revisions: what may have been told of them cannot be resumed, nor read.
    let store = open(&disk.as_synced(), Durability::Sync).unwrap();
    let skipped = next.next().unwrap();
    assert!(store.revision() > skipped);
    assert!(store.watch().since(next).open().unwrap().try_recv().is_err());
    let error = store.watch().since(skipped).open().unwrap_err();
    assert!(matches!(error, WatchError::Compacted { .. }), "{error}");
    let unchanged = Txn::new().require_unchanged_under("", skipped).put("b", 1);
    let error = store.commit(unchanged).unwrap_err();
    assert!(matches!(error, CommitError::Compacted { .. }), "{error}");
    for revision in [next, skipped] {
        let error = store.snapshot_at(revision).unwrap_err();
        assert!(matches!(error, HistoryError::Compacted { .. }), "{error}");
        let error = store.get_at("a", revision).unwrap_err();
        assert!(matches!(error, HistoryError::Compacted { .. }), "{error}");
    }
    store.watch().since(store.revision()).open().unwrap();
}

/// Versions that were not yet durable counted among the last ones, and pushed out those that were shown.
#[test]
fn history_by_count_is_of_what_is_shown() {
    let disk = Disk::new().with_threads();
    let builder = Store::<String, u64>::builder().history(3).segment_bytes(4096);
    let store = builder.open_on(&disk).unwrap();
    for number in 1..=3 {
        store.put("a", number).unwrap();
    }
    for number in 0..2_000 {
        drop(store.submit_put_if("a", number, Precondition::Any));
        assert!(store.history("a").versions().len() >= 3, "{number}");
    }
    store.sync().unwrap();
    eventually("the rest is given back", || store.stats().superseded() == 2);
}
