//! What the store promises while its log waits, fails or is full.

mod beside;
mod compaction;
mod found;
mod interval;
mod pending;
mod threads;
mod time;
mod while_compacting;

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{OpenError, Reason, SyncError, WriteError};
use crate::log::Durability;
use crate::storage::disk::{Call, Disk, Fault};
use crate::store::versions::Versions;
use crate::sync::{Arc, AtomicU64, Ordering, thread};
use crate::{CommitError, Precondition, Store, Txn};

/// A value that can be counted.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Counted {
    #[serde(skip)]
    count: Arc<()>,
}

type Numbers = Store<String, u64>;

fn open(disk: &Disk, durability: Durability) -> Result<Numbers, OpenError> {
    Store::builder().durability(durability).segment_bytes(4096).open_on(disk)
}

/// A store whose first revisions are reserved, so that the next sync is that of a commit.
fn warm(disk: &Disk) -> Numbers {
    let store = open(disk, Durability::Sync).expect("the disk works");
    store.put("warm", 0).expect("the disk works");
    store
}

fn reason(error: &WriteError<String, u64>) -> &Reason {
    match error {
        WriteError::Refused(refused) => refused.reason(),
        other => unreachable!("{other}"),
    }
}

/// Waits for something that another thread is about to do.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        thread::yield_now();
    }
}

#[test]
fn an_acknowledged_write_is_on_the_disk() {
    let disk = Disk::new().with_threads();
    let store = open(&disk, Durability::Sync).unwrap();
    for number in 0..200 {
        let key = format!("key {}", number % 7);
        let revision = store.put(&key, number).unwrap();
        let found = open(&disk.as_synced(), Durability::Sync).unwrap();
        let entry = found.get(&key).expect("it was acknowledged");
        assert_eq!((entry.revision(), *entry), (revision, number));
    }
}

#[test]
fn a_buffered_write_may_be_lost_but_its_revision_is_never_used_again() {
    let disk = Disk::new().with_threads();
    let store = open(&disk, Durability::Buffered).unwrap();
    let told = store.put("a", 1).unwrap();
    let found = open(&disk.as_synced(), Durability::Buffered).unwrap();
    assert!(found.get("a").is_none(), "or this test shows nothing");
    assert!(found.put("a", 2).unwrap() > told);
}

#[test]
fn sync_makes_a_buffered_store_durable() {
    let disk = Disk::new().with_threads();
    let store = open(&disk, Durability::Buffered).unwrap();
    store.put("a", 1).unwrap();
    store.sync().unwrap();
    let found = open(&disk.as_synced(), Durability::Buffered).unwrap();
    assert_eq!(*found.get("a").unwrap(), 1);
}

#[test]
fn a_power_cut_at_any_time_leaves_a_prefix_of_the_revision_order() {
    let disk = Disk::new().with_threads();
    let store = open(&disk, Durability::Buffered).unwrap();
    let mut revisions = Vec::new();
    for number in 0..500_u64 {
        revisions.push(store.put(number.to_string(), number).unwrap());
        if number % 97 == 0 {
            store.sync().unwrap();
        }
        let found = open(&disk.as_synced(), Durability::Buffered).unwrap();
        let len = found.len();
        for (expected, number) in revisions.iter().zip(0..len) {
            let entry = found.get(number.to_string()).expect("no gap before the newest");
            assert_eq!(entry.revision(), *expected);
        }
    }
}

#[test]
fn what_is_not_durable_is_not_shown_and_what_was_shown_stays_shown() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    let shown = store.create("kept", 1).unwrap();
    store.create("deleted", 1).unwrap();
    let before = store.revision();
    disk.hold_syncs();
    let writes: [fn(&Numbers); 3] = [
        |store| store.put("kept", 2).map(|_| ()).unwrap(),
        |store| store.delete("deleted").map(|_| ()).unwrap(),
        |store| store.create("new", 1).map(|_| ()).unwrap(),
    ];
    let writers = writes.map(|write| {
        let store = store.clone();
        thread::spawn(move || write(&store))
    });
    eventually("the writes are decided", || {
        store.inner.map.sequencer.visible() == before.get() + 3
    });

    assert_eq!(store.get("kept").unwrap().revision(), shown);
    assert!(store.contains("deleted"));
    assert!(!store.contains("new"));
    assert_eq!((store.len(), store.revision()), (3, before));

    disk.release_syncs();
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(*store.get("kept").unwrap(), 2);
    assert!(!store.contains("deleted"));
    assert!(store.contains("new"));
    assert_eq!((store.len(), store.revision().get()), (3, before.get() + 3));
}

#[test]
fn a_conflict_is_told_only_when_what_it_shows_is_durable() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    let first = store.put("a", 1).unwrap();
    disk.hold_syncs();
    let winner = {
        let store = store.clone();
        thread::spawn(move || store.put_if("a", 2, first).unwrap())
    };
    eventually("the winner is decided", || store.inner.map.sequencer.visible() > first.get());
    let (told, tells) = mpsc::channel();
    let loser = {
        let store = store.clone();
        thread::spawn(move || {
            let error = store.put_if("a", 3, first).unwrap_err();
            told.send(error.conflict().and_then(|conflict| conflict.revision())).unwrap();
        })
    };
    let early = tells.recv_timeout(Duration::from_millis(100));
    assert!(early.is_err(), "the conflict shows a revision that a power cut takes back");
    disk.release_syncs();
    assert_eq!(tells.recv().unwrap(), Some(winner.join().unwrap()));
    loser.join().unwrap();
}

#[test]
fn an_absence_is_told_only_when_the_delete_is_durable() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    let first = store.put("a", 1).unwrap();
    disk.hold_syncs();
    let deleting = store.submit_delete_if("a", first);
    let (told, tells) = mpsc::channel();
    let thread = {
        let store = store.clone();
        thread::spawn(move || {
            let nothing = store.delete("a").unwrap();
            told.send(nothing.is_none()).unwrap();
        })
    };
    assert!(tells.recv_timeout(Duration::from_millis(100)).is_err());
    disk.release_syncs();
    assert!(tells.recv().unwrap());
    assert!(deleting.wait().unwrap().is_some());
    thread.join().unwrap();
}

/// Readers are shown the older one still. A watch is told the same.
#[test]
fn a_delete_tells_what_it_deleted_though_that_was_never_shown() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    store.put("a", 1).unwrap();
    let mut watch = store.watch().with_previous().open().unwrap();
    disk.hold_syncs();
    let put = store.submit_put_if("a", 2, Precondition::Present);
    let deleting = store.submit_delete_if("a", Precondition::Present);
    assert_eq!(store.get("a").map(|entry| *entry), Some(1));
    disk.release_syncs();
    let put = put.wait().unwrap().revision();
    let deleted = deleting.wait().unwrap().expect("it was there");
    assert_eq!((deleted.previous().revision(), **deleted.previous()), (put, 2));
    for previous in [1, 2] {
        let commit = watch.recv().unwrap();
        assert_eq!(commit.events()[0].previous().map(|entry| **entry), Some(previous));
    }
}

#[test]
fn versions_that_nobody_can_see_are_given_back() {
    let disk = Disk::new().with_threads();
    let store: Store<String, Counted> =
        Store::builder().segment_bytes(4096).watch_window(64).open_on(&disk).unwrap();
    let value = Counted::default();
    for round in 0..50_u64 {
        for key in ["a", "b", "c"] {
            store.put(key, value.clone()).unwrap();
        }
        store.delete("b").unwrap();
        assert_eq!(store.stats().superseded(), 0, "round {round}");
        // What left the window is dropped by eights.
        for _ in 0..64 + 8 {
            store.put("the window's", Counted::default()).unwrap();
        }
        let expected = 1 + 2;
        assert_eq!(Arc::strong_count(&value.count), expected, "round {round}");
        let slots: usize = ["a", "b", "c"]
            .iter()
            .filter(|key| store.inner.map.shards.read(*key, |_| Some(())).is_some())
            .count();
        assert_eq!(slots, 2, "the tombstone is gone");
    }
}

#[test]
fn a_submitted_write_becomes_durable_though_nobody_waits_for_it() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    drop(store.submit_put_if("a", 7, Precondition::Any));
    eventually("it is shown", || store.contains("a"));
    assert_eq!(*open(&disk.as_synced(), Durability::Sync).unwrap().get("a").unwrap(), 7);
}

#[test]
fn versions_are_given_back_after_futures_nobody_waited_for() {
    let disk = Disk::new().with_threads();
    let store: Numbers = Store::builder().open_on(&disk).unwrap();
    for number in 0..100 {
        drop(store.submit_put_if("a", number, Precondition::Any));
    }
    let is_single = |versions: &Versions<u64>| matches!(versions, Versions::One(..)).then_some(());
    eventually("one version is left", || store.inner.map.shards.read(&"a", is_single).is_some());
    drop(store.submit_delete_if("a", Precondition::Any));
    eventually("the delete is shown", || !store.contains("a"));
    eventually("the slot is gone", || store.inner.map.shards.read(&"a", |_| Some(())).is_none());
}

#[test]
fn a_failed_sync_poisons_for_good_and_shows_nothing_of_what_failed() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    let first = store.put("a", 1).unwrap();
    disk.fail_every(Call::Sync, Fault::Io);
    let error = store.put_if("a", 2, first).unwrap_err();
    let WriteError::OutcomeUnknown(unknown) = &error else { unreachable!("{error}") };
    assert!(unknown.revision() > Some(first));
    disk.fail_every(Call::Sync, None);

    assert!(matches!(reason(&store.put("b", 1).unwrap_err()), Reason::Poisoned(_)));
    assert!(matches!(store.sync(), Err(SyncError::Failed(_))));
    assert_eq!((*store.get("a").unwrap(), store.revision()), (1, first));
    // A conflict would show what is not durable: nothing was written, that is all that can be said.
    assert!(matches!(reason(&store.put_if("a", 3, first).unwrap_err()), Reason::Poisoned(_)));
    assert!(matches!(store.close(), Err(SyncError::Failed(_))));

    let found = open(&disk, Durability::Sync).unwrap();
    assert!(matches!(*found.get("a").unwrap(), 1 | 2));
    assert!(Some(found.put("a", 3).unwrap()) > unknown.revision());
}

#[test]
fn a_failed_write_poisons_all_who_wait() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    disk.hold_syncs();
    let mut waiting: Vec<_> = (0..4)
        .map(|number| {
            let store = store.clone();
            thread::spawn(move || store.put(number.to_string(), number))
        })
        .collect();
    let before = store.revision().get();
    eventually("one leads", || store.inner.map.sequencer.visible() == before + 4);
    disk.fail_every(Call::Sync, Fault::Io);
    disk.fail_every(Call::Write, Fault::Io);
    disk.release_syncs();
    for thread in waiting.drain(..) {
        let outcome = thread.join().unwrap();
        assert!(matches!(outcome, Err(WriteError::OutcomeUnknown(_))), "{outcome:?}");
    }
    assert_eq!(store.len(), 1);
}

#[test]
fn opening_and_closing_without_a_write_changes_nothing() {
    let disk = Disk::new().with_threads();
    warm(&disk).close().unwrap();
    let (used, syncs) = (disk.used(), disk.syncs());
    for _ in 0..3 {
        let store = open(&disk, Durability::Sync).unwrap();
        assert!(store.recovery().unwrap().clean);
        store.close().unwrap();
    }
    assert_eq!((disk.used(), disk.syncs()), (used, syncs));
}

#[test]
fn a_full_disk_refuses_and_works_again_when_there_is_room() {
    // Small segments need room for the next one, large ones for more of the same.
    for segment_bytes in [4096, 64 << 20] {
        a_full_disk_refuses(segment_bytes);
    }
}

fn a_full_disk_refuses(segment_bytes: usize) {
    let disk = Disk::new().with_threads();
    let open = |disk: &Disk| -> Numbers {
        Store::builder().segment_bytes(segment_bytes).open_on(disk).expect("it opens")
    };
    let store = open(&disk);
    store.put("a", 0).unwrap();
    disk.set_capacity(Some(disk.used()));
    let mut acknowledged = 0;
    let error = loop {
        match store.put("a", acknowledged + 1) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(reason(&error), Reason::NoSpace(_)), "{error}");
    assert_eq!(error.into_rejected(), Some(acknowledged + 1));
    assert_eq!(*store.get("a").unwrap(), acknowledged);
    assert!(matches!(
        reason(&store.submit_put_if("a", 0, Precondition::Any).wait().unwrap_err()),
        Reason::NoSpace(_)
    ));
    let error = store.commit(Txn::new().put("a", 0)).unwrap_err();
    assert!(matches!(error, CommitError::Refused { reason: Reason::NoSpace(_), .. }), "{error}");
    assert_eq!(error.into_txn().map(|txn| txn.len()), Some(1));
    assert_eq!(*open(&disk.as_synced()).get("a").unwrap(), acknowledged);

    disk.set_capacity(None);
    let revision = store.put("a", 1_000_000).unwrap();
    assert_eq!(store.get("a").unwrap().revision(), revision);
    store.close().unwrap();
    assert_eq!(*open(&disk).get("a").unwrap(), 1_000_000);
}

struct Counting(AtomicU64);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_future_is_told_of_a_full_disk_too() {
    let disk = Disk::new().with_threads();
    let store = open(&disk, Durability::Sync).unwrap();
    store.put("a", 0).unwrap();
    disk.set_capacity(Some(disk.used()));
    while store.put("a", 0).is_ok() {}
    let counting = Arc::new(Counting(AtomicU64::new(0)));
    let waker = Waker::from(Arc::clone(&counting));
    let mut context = Context::from_waker(&waker);
    let mut pending = pin!(store.submit_put_if("a", 7, Precondition::Any));
    assert!(pending.as_mut().poll(&mut context).is_pending(), "it never waits on this thread");
    eventually("it is woken", || counting.0.load(Ordering::SeqCst) > 0);
    match pending.as_mut().poll(&mut context) {
        Poll::Ready(Err(error)) => assert!(matches!(reason(&error), Reason::NoSpace(_))),
        other => unreachable!("{other:?}"),
    }
    let woken = counting.0.load(Ordering::SeqCst);
    let mut pending = pin!(store.submit(Txn::new().put("a", 7).require("a", Precondition::Any)));
    assert!(pending.as_mut().poll(&mut context).is_pending(), "it never waits on this thread");
    eventually("it is woken", || counting.0.load(Ordering::SeqCst) > woken);
    match pending.as_mut().poll(&mut context) {
        Poll::Ready(Err(CommitError::Refused { reason: Reason::NoSpace(_), txn })) => {
            assert_eq!(txn.len(), 2, "the transaction comes back");
        }
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn short_and_interrupted_writes_are_finished() {
    let disk = Disk::new().with_threads();
    disk.set_short_transfers(7);
    let store = open(&disk, Durability::Sync).unwrap();
    for number in 0..30 {
        store.put(number.to_string(), number).unwrap();
    }
    let found = open(&disk.as_synced(), Durability::Sync).unwrap();
    assert_eq!(found.len(), 30);
}

#[test]
fn a_new_segment_that_fails_to_start_poisons_and_loses_nothing() {
    for call in [Call::Rename, Call::SyncDirectory] {
        let disk = Disk::new().with_threads();
        let store = open(&disk, Durability::Sync).unwrap();
        store.put("start", 0).unwrap();
        disk.fail_every(call, Fault::Io);
        let mut acknowledged = Vec::new();
        for number in 0..1000_u64 {
            match store.put(number.to_string(), number) {
                Ok(revision) => acknowledged.push((number, revision)),
                Err(_) => break,
            }
        }
        assert!((10..1000).contains(&acknowledged.len()), "{call:?}: it rotates once");
        disk.fail_every(call, None);
        let found = open(&disk.as_synced(), Durability::Sync).unwrap();
        for (number, revision) in acknowledged {
            assert_eq!(found.get(number.to_string()).unwrap().revision(), revision, "{call:?}");
        }
    }
}

#[test]
fn a_segment_that_cannot_be_created_is_tried_again_later() {
    let disk = Disk::new().with_threads();
    let store = open(&disk, Durability::Sync).unwrap();
    store.put("start", 0).unwrap();
    let removed = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&removed);
    disk.on_call(move |_, step| {
        counted.fetch_add(u64::from(step.call == Call::Remove), Ordering::SeqCst);
    });
    disk.fail_every(Call::CreateFile, Fault::Io);
    let error =
        (0..1000).find_map(|number: u64| store.put(number.to_string(), number).err()).unwrap();
    let Reason::NoSpace(cause) = reason(&error) else { unreachable!("{error}") };
    assert!(cause.to_string().contains("as planned"), "what the disk said: {cause}");
    assert_eq!(removed.load(Ordering::SeqCst), 0, "it is not what is left over of another");
    disk.fail_every(Call::CreateFile, None);
    for number in 0..1000_u64 {
        store.put(number.to_string(), number).unwrap();
    }
    store.close().unwrap();
    let found = open(&disk, Durability::Sync).unwrap();
    assert!(found.recovery().unwrap().segments > 5);
    assert_eq!(found.len(), 1001);
}

#[test]
fn waiting_committers_share_a_sync() {
    let disk = Disk::new().with_threads();
    let store: Numbers = Store::builder().open_on(&disk).unwrap();
    store.put("warm", 0).unwrap();
    disk.hold_syncs();
    let before = (disk.syncs(), store.revision().get());
    let pending: Vec<_> = (0..100)
        .map(|number: u64| store.submit_put_if(number.to_string(), number, Precondition::Any))
        .collect();
    disk.release_syncs();
    for pending in pending {
        pending.wait().unwrap();
    }
    assert_eq!(store.revision().get(), before.1 + 100);
    assert!(disk.syncs() - before.0 <= 4, "{} syncs", disk.syncs() - before.0);
}

#[test]
fn closing_under_load_loses_nothing_that_was_acknowledged() {
    for _ in 0..20 {
        let disk = Disk::new().with_threads();
        let store = open(&disk, Durability::Sync).unwrap();
        let writers: Vec<_> = (0..4_u64)
            .map(|writer| {
                let store = store.clone();
                thread::spawn(move || {
                    let mut acknowledged = None;
                    for number in 0.. {
                        match store.put(writer.to_string(), number) {
                            Ok(revision) => acknowledged = Some(revision),
                            Err(error) => {
                                assert!(matches!(reason(&error), Reason::Closed), "{error}");
                                break;
                            }
                        }
                    }
                    (writer, acknowledged)
                })
            })
            .collect();
        eventually("they write", || store.revision().get() > 50);
        store.close().unwrap();
        let found = open(&disk.as_synced(), Durability::Sync).unwrap();
        assert!(found.recovery().unwrap().clean);
        for writer in writers {
            let (writer, acknowledged) = writer.join().unwrap();
            let entry = found.get(writer.to_string());
            assert_eq!(entry.map(|entry| entry.revision()), acknowledged);
        }
    }
}

#[test]
fn syncs_and_files_are_counted_and_a_poisoned_log_says_so() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    let log = |store: &Numbers| store.stats().log().expect("it is on a log");
    let before = log(&store);
    assert!(before.syncs > 0 && before.segments == 1 && !before.poisoned, "{before:?}");
    assert!(before.bytes >= 4096, "{before:?}");
    store.put("a", 1).unwrap();
    let after = log(&store);
    assert_eq!(after.syncs, before.syncs + 1);
    assert!(after.sync_time > before.sync_time && after.longest_sync <= after.sync_time);
    for n in 0..200 {
        store.put(format!("key {n}"), n).unwrap();
    }
    let many = log(&store);
    assert!(many.segments > 1, "{many:?}");
    assert_eq!(many.bytes, u64::try_from(disk.used()).unwrap());
    store.close().unwrap();
    let closed = log(&store);
    assert_eq!(closed.bytes, u64::try_from(disk.used()).unwrap());
    let store = open(&disk, Durability::Sync).unwrap();
    let reopened = log(&store);
    assert_eq!((reopened.bytes, reopened.segments), (closed.bytes, closed.segments));
    assert_eq!(reopened.syncs, 0);

    disk.fail_every(Call::Sync, Fault::Io);
    store.put("b", 1).expect_err("the sync fails");
    let poisoned = log(&store);
    assert!(poisoned.poisoned && poisoned.syncs <= 1, "{poisoned:?}");
    assert_eq!(Numbers::new().stats().log(), None, "there is none in memory");
}

#[test]
fn a_segment_that_grows_is_counted_at_once() {
    let disk = Disk::new().with_threads();
    let store = Store::<u64, Vec<u8>>::builder().open_on(&disk).unwrap();
    let bytes = || (store.stats().log().unwrap().bytes, u64::try_from(disk.used()).unwrap());
    let before = bytes().0;
    for n in 0..50 {
        store.put(n, vec![7; 10_000]).unwrap();
        let (counted, used) = bytes();
        assert_eq!(counted, used, "after {n} writes");
    }
    assert!(bytes().0 > before + 500_000);
}

#[test]
fn a_record_larger_than_a_segment_takes_one_of_about_its_size() {
    let disk = Disk::new();
    let builder = Store::<u64, Vec<u8>>::builder().segment_bytes(4096);
    let store = builder.open_on(&disk).unwrap();
    for n in 0..10 {
        let before = disk.used();
        store.put(n, vec![7; 10_000]).unwrap();
        assert!(disk.used() <= before + 11_000, "{} bytes more", disk.used() - before);
    }
    // The segment that continues a checkpoint has nothing yet: it is taken, and not left behind empty.
    store.compact().unwrap();
    store.put(0, vec![7; 10_000]).unwrap();
    let files = disk.files();
    let first = files.iter().find(|(name, _)| name.ends_with(".segment"));
    assert!(first.is_some_and(|(_, bytes)| bytes.len() > 10_000), "{disk:?}");
}

/// While room is made for it others append, who would take it again and again. What is left of it is given back.
#[test]
fn beyond_a_large_record_room_for_a_batch_is_set_aside_and_no_more() {
    let disk = Disk::new();
    let builder = Store::<u64, Vec<u8>>::builder().segment_bytes(4096);
    let store = builder.open_on(&disk).unwrap();
    store.put(0, vec![7; 10]).unwrap();
    let before = disk.used();
    disk.set_capacity(Some(before + (20 << 20)));
    let most = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&most);
    disk.on_call(move |disk, _| {
        seen.fetch_max(u64::try_from(disk.used()).unwrap(), Ordering::SeqCst);
    });
    store.put(1, vec![7; 100_000]).unwrap();
    let most = usize::try_from(most.load(Ordering::SeqCst)).unwrap() - before;
    assert!((8 << 20..9 << 20).contains(&most), "{most} bytes");
    assert!(disk.used() < before + 120_000, "{disk:?}");
}
