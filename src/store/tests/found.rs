//! Bugs that were found by reading, each with its story.

use super::*;
use crate::TransactError;

/// The first batch after a clean open had no space set aside: its reserve frame went where the next growth of the file
/// wrote zeros, and the log was `Corrupt` when it was opened next.
#[test]
fn a_sync_before_the_first_write_does_no_harm() {
    let disk = Disk::new().with_threads();
    warm(&disk).close().unwrap();
    let store = open(&disk, Durability::Sync).unwrap();
    store.sync().unwrap();
    let revision = store.put("a", 1).unwrap();
    store.close().unwrap();
    assert_eq!(open(&disk, Durability::Sync).unwrap().get("a").unwrap().revision(), revision);
}

/// The same on a full disk, where in addition the reserve frame could not be written, which poisoned the store.
#[test]
fn a_full_disk_after_a_clean_open_refuses_and_works_again() {
    // A block of the file system may have room for a frame where there is none for more.
    for slack in [0, 100] {
        let disk = Disk::new().with_threads();
        warm(&disk).close().unwrap();
        disk.set_capacity(Some(disk.used() + slack));
        let store = open(&disk, Durability::Sync).unwrap();
        assert!(matches!(reason(&store.put("a", 1).unwrap_err()), Reason::NoSpace(_)), "{slack}");
        disk.set_capacity(None);
        let revision = store.put("a", 2).unwrap();
        let found = open(&disk.as_synced(), Durability::Sync).unwrap();
        assert_eq!(found.get("a").unwrap().revision(), revision, "{slack}");
    }
}

/// A process was killed between writing its close mark and syncing it. The next one read the mark, and its first frames
/// said that it was synced; the power failed, the mark was lost, the frames were not: `Corrupt` for a torn tail.
#[test]
fn a_lost_close_mark_is_a_torn_tail() {
    let disk = Disk::new().with_threads();
    warm(&disk).close().unwrap();
    let name = "00000000000000000001.segment";
    let file = disk.directory().open_file(name).unwrap();
    let mark = file.len().unwrap() - 48;
    let store = open(&disk, Durability::Sync).unwrap();
    store.put("a", 1).unwrap();
    // Of the first batch only the reserve frame reached the disk.
    let reserve = mark + 48..mark + 48 + 64;
    let power_cut = disk.as_synced();
    let file = power_cut.directory().open_file(name).unwrap();
    for lost in [mark..reserve.start, reserve.end..file.len().unwrap()] {
        let zeros = vec![0; usize::try_from(lost.end - lost.start).unwrap()];
        assert_eq!(file.write_at(&zeros, lost.start).unwrap(), zeros.len());
    }
    let found = open(&power_cut, Durability::Sync).unwrap();
    assert!(found.recovery().unwrap().cut.is_some());
    assert!(found.contains("warm"));
}

/// And it was not written again: pages that a failed sync had left clean would never have reached the disk.
#[test]
fn what_nothing_proves_synced_is_written_again_after_a_clean_open() {
    let disk = Disk::new().with_threads();
    warm(&disk).close().unwrap();
    let name = "00000000000000000001.segment";
    let file = disk.directory().open_file(name).unwrap();
    let mark = file.len().unwrap() - 48;
    let store = open(&disk, Durability::Sync).unwrap();
    assert_eq!(file.write_at(&[0; 48], mark).unwrap(), 48);
    let revision = store.put("a", 1).unwrap();
    let found = open(&disk.as_synced(), Durability::Sync).unwrap();
    assert_eq!(found.get("a").unwrap().revision(), revision);
}

/// Runs `told` while nothing can become durable, and checks that it does not come back before it can. It must not hold
/// the last handle of the store, whose end waits for the disk, too.
fn waits_for_the_disk(disk: &Disk, told: impl FnOnce() -> String + Send + 'static) {
    let (tell, tells) = mpsc::channel();
    let thread = thread::spawn(move || tell.send(told()).unwrap());
    let early = tells.recv_timeout(Duration::from_millis(100));
    disk.release_syncs();
    thread.join().unwrap();
    assert!(early.is_err(), "{early:?} was told of what a power cut takes back");
    tells.recv().unwrap();
}

/// The error of an `update` told of a value that its closure had seen, and that was not durable.
#[test]
fn an_error_of_an_update_waits_for_what_the_update_saw() {
    let disk = Disk::new().with_threads();
    let store: Store<String, Vec<u8>> =
        Store::builder().max_record_bytes(100).open_on(&disk).unwrap();
    store.put("a", vec![1]).unwrap();
    disk.hold_syncs();
    drop(store.submit_put_if("a", vec![2], Precondition::Any));
    let writer = store.clone();
    waits_for_the_disk(&disk, move || {
        let too_large = |seen: Option<&Vec<u8>>| vec![0; seen.map_or(0, |seen| 500 * seen.len())];
        writer.update("a", too_large).unwrap_err().to_string()
    });
}

/// That the store is full told of the commit that filled it.
#[test]
fn that_a_store_is_full_is_told_when_what_filled_it_is_durable() {
    let disk = Disk::new().with_threads();
    let store: Numbers = Store::builder().max_keys(2).open_on(&disk).unwrap();
    store.put("a", 1).unwrap();
    disk.hold_syncs();
    drop(store.submit_put_if("b", 2, Precondition::Any));
    let writer = store.clone();
    waits_for_the_disk(&disk, move || writer.put("c", 3).unwrap_err().to_string());
}

/// An overwrite that was refused had made room for a second version, and left the key with a chain of one.
#[test]
fn a_refused_overwrite_leaves_no_chain() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    store.close().unwrap();
    assert!(matches!(reason(&store.put("warm", 2).unwrap_err()), Reason::Closed));
    let is_single = |versions: &Versions<u64>| matches!(versions, Versions::One(..)).then_some(());
    assert!(store.inner.map.shards.read(&"warm", is_single).is_some());
}

/// One refusal was given to all futures that had asked for room, however little they wanted.
#[test]
fn a_small_record_is_not_refused_for_want_of_room_for_a_large_one() {
    let disk = Disk::new().with_threads();
    let store: Store<String, Vec<u8>> = Store::builder().open_on(&disk).unwrap();
    store.put("a", vec![]).unwrap();
    // There is room for 80 kB, but not in what is set aside; and not for more beside.
    disk.set_capacity(Some(disk.used() + 200_000));
    let mut context = Context::from_waker(Waker::noop());
    let mut large = pin!(store.submit_put_if("large", vec![0; 10_000_000], Precondition::Any));
    let mut small = pin!(store.submit_put_if("small", vec![0; 80_000], Precondition::Any));
    disk.hold_syncs();
    let busy = {
        let store = store.clone();
        thread::spawn(move || store.put("busy", vec![]).unwrap())
    };
    assert!(large.as_mut().poll(&mut context).is_pending());
    assert!(small.as_mut().poll(&mut context).is_pending());
    disk.release_syncs();
    busy.join().unwrap();
    let mut finish = |mut pending: std::pin::Pin<&mut dyn Future<Output = Result<_, _>>>| loop {
        match pending.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => {
                return outcome.map(|_| ()).map_err(|error: WriteError<_, _>| error.to_string());
            }
            Poll::Pending => thread::yield_now(),
        }
    };
    assert!(finish(large).is_err());
    assert_eq!(finish(small), Ok(()));
}

/// Writes more than it reads, as types do whose fields serde skips or that have to look before they decode.
#[derive(Debug, PartialEq)]
struct OneWay(u64);

impl Serialize for OneWay {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0, self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OneWay {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self)
    }
}

/// Such a value was acknowledged, and the store did not open again.
#[test]
fn a_value_that_cannot_be_read_back_is_refused_and_given_back() {
    let disk = Disk::new().with_threads();
    let store: Store<String, OneWay> = Store::builder().open_on(&disk).unwrap();
    let error = store.put("a", OneWay(7)).unwrap_err();
    let WriteError::Refused(refused) = &error else { unreachable!("{error}") };
    assert!(matches!(refused.reason(), Reason::Unreadable(_)), "{error}");
    assert_eq!(error.into_rejected(), Some(OneWay(7)));
    store.close().unwrap();
    assert!(Store::<String, OneWay>::builder().open_on(&disk).unwrap().is_empty());
}

/// A segment that could not be finished, and whose file could not be removed, stood in the way of every later one.
#[test]
fn a_left_over_of_a_segment_is_replaced() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    drop(disk.directory().create_file("00000000000000000002.segment.new").unwrap());
    for number in 0..1000_u64 {
        store.put(number.to_string(), number).unwrap();
    }
    store.close().unwrap();
    assert!(open(&disk, Durability::Sync).unwrap().recovery().unwrap().segments > 5);
}

/// The log's threads held the map, and dropped its values some time after the store was gone.
#[test]
fn the_values_are_gone_when_the_store_is() {
    for _ in 0..50 {
        let disk = Disk::new().with_threads();
        let store: Store<u64, Counted> = Store::builder().open_on(&disk).unwrap();
        let value = Counted::default();
        for key in 0..10 {
            store.put(key % 7, value.clone()).unwrap();
        }
        drop(store);
        assert_eq!(Arc::strong_count(&value.count), 1);
    }
}

/// The rank of a version overflowed when so many were to be kept: a panic within the turn, after the append.
#[test]
fn a_history_of_everything_keeps_everything() {
    let store: Numbers = Store::builder().history(usize::MAX).history_commits(u64::MAX).build();
    for number in 0..100 {
        store.put("a", number).unwrap();
    }
    store.delete("a").unwrap();
    assert_eq!(store.history("a").versions().len(), 101);
}

/// A key whose drop panics once, where that is asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Grenade(u8);

thread_local! {
    static ARMED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(!ARMED.replace(false), "the drop of a key panics");
    }
}

/// What a transaction had removed was dropped before the watches were woken, and that panicked.
#[test]
fn a_watch_is_woken_though_the_drop_of_a_removed_key_panics() {
    let store: Store<Grenade, ()> = Store::builder().build();
    store.put(Grenade(1), ()).unwrap();
    let mut watch = store.watch().open().unwrap();
    let waiting = thread::spawn(move || watch.recv_timeout(Duration::from_secs(5)).is_ok());
    eventually("it sleeps", || store.inner.map.sequencer.lock().sleepers.len() == 1);
    let writer = store.clone();
    let panicking = thread::spawn(move || {
        let delete = crate::Txn::new().delete(Grenade(1));
        ARMED.set(true);
        writer.commit(delete).map(|_| ()).ok();
    });
    assert!(panicking.join().is_err(), "or this test shows nothing");
    assert!(waiting.join().unwrap());
}

/// A process was killed when a segment or a checkpoint had its name and that was not yet durable. The next one built on it,
/// added a name or removed what the checkpoint replaces, and the power failed before the directory was synced: the newer
/// names survived, those that they built on did not, and a segment was missing.
#[test]
fn what_a_killed_process_has_named_is_durable_before_anything_builds_on_it() {
    let disk = Disk::new();
    let (found, kills) = mpsc::channel();
    let store = open(&disk, Durability::Sync).unwrap();
    disk.on_call(move |disk, step| {
        if step.call == Call::SyncDirectory {
            found.send(disk.after_kill(0)).unwrap();
        }
    });
    for number in 0..200 {
        store.put("a", number).unwrap();
    }
    store.compact().unwrap();
    let kills: Vec<_> = kills.try_iter().collect();
    assert!(kills.len() > 3, "it starts segments, and a checkpoint gets its name");
    for (kill, disk) in kills.into_iter().enumerate() {
        let (found, cuts) = mpsc::channel();
        disk.on_call(move |disk, step| {
            for seed in 0..12 {
                found.send((step.to_string(), disk.after_power_cut(seed))).unwrap();
            }
        });
        let least = open(&disk, Durability::Sync).unwrap().get("a").map(|entry| *entry);
        for (step, disk) in cuts.try_iter() {
            let opened = open(&disk, Durability::Sync);
            let found = opened.unwrap_or_else(|error| unreachable!("{kill}, {step}: {error}"));
            let found = found.get("a").map(|entry| *entry);
            let one_less = least.map(|least| least - 1);
            assert!(found == least || found == one_less, "{kill}, {step}: {found:?}");
        }
    }
}

/// Space was set aside behind the mark of the last close, and as nothing had been written the next close left it there: the log
/// looked like one that was not closed, a block of revisions was skipped, and on a full disk, where opening such a log needs
/// room, it did not open.
#[test]
fn a_close_after_nothing_but_a_sync_or_a_refused_compaction_is_one_in_good_order() {
    type Meanwhile = fn(&Disk, &Numbers);
    let sync: Meanwhile = |_, store| store.sync().unwrap();
    let compact: Meanwhile = |disk, store| {
        disk.set_capacity(Some(disk.used() + 200));
        assert!(store.compact().is_err());
    };
    let put: Meanwhile = |disk, store| {
        disk.set_capacity(Some(disk.used() + 200));
        assert!(matches!(reason(&store.put("a", 1).unwrap_err()), Reason::NoSpace(_)));
    };
    for (number, meanwhile) in [sync, compact, put].into_iter().enumerate() {
        let disk = Disk::new();
        warm(&disk).close().unwrap();
        for round in 0..2 {
            let store = open(&disk, Durability::Sync).unwrap();
            assert!(store.recovery().unwrap().clean, "{number}, {round}");
            assert_eq!(store.revision().get(), 2, "{number}, {round}");
            meanwhile(&disk, &store);
            store.close().unwrap();
        }
    }
}

/// As the page for operators has it.
#[test]
fn on_a_full_disk_opens_what_was_closed_in_good_order() {
    for (closes, room, opens) in [(true, 0, true), (false, 0, false), (false, 64 << 10, true)] {
        let disk = Disk::new();
        let store = warm(&disk);
        if closes {
            store.close().unwrap();
        }
        let found = disk.after_kill(0);
        drop(store);
        let files = found.files();
        found.set_capacity(Some(found.used() + room));
        let opened = open(&found, Durability::Sync);
        assert_eq!(opened.is_ok(), opens, "closes: {closes}, room: {room}");
        assert!(opens || found.files() == files, "it is as it was");
        found.set_capacity(None);
        drop(opened);
        assert!(open(&found, Durability::Sync).unwrap().contains("warm"));
    }
}

/// After the log has failed, a transaction reads what is shown, and a newer commit that never will be is in its way: it tried
/// again a thousand times, for half a second and more, before it said why.
#[test]
fn a_transaction_on_a_failed_log_does_not_try_again() {
    let disk = Disk::new();
    let store = warm(&disk);
    disk.fail_every(Call::Sync, Fault::Io);
    store.put("a", 1).unwrap_err();
    let mut runs = 0;
    let outcome = store.transact(|t| {
        runs += 1;
        let read = t.get("a")?.map_or(0, |value| *value);
        t.put("a", read + 1);
        Ok(())
    });
    let Err(TransactError::Commit(error)) = outcome else { unreachable!("{outcome:?}") };
    let CommitError::Refused { reason, .. } = error else { unreachable!("{error:?}") };
    assert!(matches!(reason, Reason::Poisoned(_)), "{reason:?}");
    assert_eq!(runs, 1);
}
