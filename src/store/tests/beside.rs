//! Syncs beside whoever writes: nobody waits for one but who syncs, too, and a failure is everybody's.

use super::*;
use crate::log::SYNC_BYTES;
use crate::sync::AtomicBool;

const NOW: Durability = Durability::Interval(Duration::ZERO);

type Values = Store<String, Vec<u8>>;

fn is_beside() -> bool {
    thread::current().name() == Some("ifmatch-sync")
}

/// Where calls of the disk wait until it is opened. Dropped it is open: a store that is dropped waits for what it holds.
#[derive(Default)]
struct Gate(Arc<Held>);

#[derive(Default)]
struct Held {
    reached: AtomicBool,
    is_open: AtomicBool,
}

impl Gate {
    /// For whoever is to wait there.
    fn pass(&self) -> impl Fn() + Send + Sync + 'static {
        let held = Arc::clone(&self.0);
        move || {
            held.reached.store(true, Ordering::SeqCst);
            while !held.is_open.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn wait_for_somebody(&self) {
        eventually("somebody waits", || self.0.reached.load(Ordering::SeqCst));
    }

    fn open(&self) {
        self.0.is_open.store(true, Ordering::SeqCst);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

/// A store with a sync under way beside the leader, who has all other calls to itself. `fault` is what becomes of that sync,
/// and of no other.
fn syncing(disk: &Disk, fault: Option<Fault>) -> (Values, Gate) {
    let store = Store::builder().durability(NOW).open_on(disk).expect("the disk works");
    store.put("reserves", Vec::new()).expect("the disk works");
    eventually("it is synced", || survives(disk, "reserves"));
    let gate = Gate::default();
    let pass = gate.pass();
    disk.on_call(move |_, step| {
        if step.call == Call::Sync && is_beside() {
            pass();
        }
    });
    disk.fail_every(Call::Sync, fault);
    store.put("first", Vec::new()).expect("nobody waits for the sync");
    gate.wait_for_somebody();
    disk.fail_every(Call::Sync, None);
    (store, gate)
}

fn survives(disk: &Disk, key: &str) -> bool {
    let found: Values = Store::builder().open_on(&disk.as_synced()).expect("the disk works");
    found.contains(key)
}

fn is_poisoned(store: &Values) -> bool {
    store.stats().log().expect("it has a log").poisoned
}

/// What one thread does while the sync is held, and after it.
fn held<T: Send + 'static>(
    store: &Values,
    gate: &Gate,
    body: impl FnOnce(Values) -> T + Send + 'static,
) -> T {
    let other = store.clone();
    let waiting = thread::spawn(move || body(other));
    thread::sleep(Duration::from_millis(20));
    let waits = !waiting.is_finished();
    gate.open();
    let outcome = waiting.join().expect("it does not panic");
    assert!(waits, "it does not wait for the sync under way");
    outcome
}

#[test]
fn who_writes_goes_on_while_it_is_synced() {
    let disk = Disk::new().with_threads();
    let (store, gate) = syncing(&disk, None);
    let writer = thread::spawn({
        let store = store.clone();
        move || {
            for number in 0..100 {
                store.put(number.to_string(), Vec::new()).unwrap();
            }
        }
    });
    eventually("it has written", || writer.is_finished());
    let before = disk.syncs();
    assert!(store.contains("99") && !survives(&disk, "first"));
    gate.open();
    // The disk takes it as written before the sync; the log does not know that.
    eventually("what was written meanwhile is synced next", || disk.syncs() == before + 2);
    assert!(survives(&disk, "99"));
}

#[test]
fn who_asks_for_a_sync_waits_for_the_one_under_way_and_for_its_own() {
    let disk = Disk::new().with_threads();
    let (store, gate) = syncing(&disk, None);
    let before = disk.syncs();
    held(&store, &gate, |store| store.sync()).unwrap();
    assert_eq!(disk.syncs(), before + 2);
    thread::sleep(Duration::from_millis(20));
    assert_eq!(disk.syncs(), before + 2, "nothing is left to be synced");
}

#[test]
fn a_segment_is_started_after_the_sync_under_way_and_the_next_is_synced_too() {
    let disk = Disk::new().with_threads();
    let (store, gate) = syncing(&disk, None);
    let has_second = |disk: &Disk| disk.files().keys().any(|name| name.ends_with("2.segment"));
    let looking = disk.clone();
    let compacting = thread::spawn({
        let store = store.clone();
        move || store.compact()
    });
    thread::sleep(Duration::from_millis(20));
    let early = has_second(&looking);
    gate.open();
    compacting.join().unwrap().unwrap();
    assert!(!early && has_second(&disk));
    store.put("second", Vec::new()).unwrap();
    eventually("what is in the next segment is synced", || survives(&disk, "second"));
}

/// What comes next says how far the segment was synced: so recovery knows damage before that from a torn end.
#[test]
fn what_was_synced_beside_is_proved_by_what_comes_next() {
    let disk = Disk::new().with_threads();
    let store: Values = Store::builder().durability(NOW).open_on(&disk).unwrap();
    for key in ["first", "second", "third"] {
        let before = store.stats().log().unwrap().syncs;
        store.put(key, Vec::new()).unwrap();
        eventually("it is synced", || store.stats().log().unwrap().syncs > before);
    }
    let mut files = disk.files();
    let (_, segment) = files.iter_mut().find(|(name, _)| name.ends_with(".segment")).unwrap();
    let place = segment.windows(6).position(|bytes| bytes == b"second").unwrap();
    segment[place] ^= 1;
    let damaged = Disk::with_files(files);
    let found: Result<Values, _> = Store::builder().open_on(&damaged);
    assert!(matches!(found, Err(OpenError::Corrupt { .. })), "{found:?}");
}

/// The kernel tells of a write that failed once, and only one of two who sync.
#[test]
fn after_a_sync_that_fails_beside_the_leader_there_is_none_that_succeeds() {
    type Sync = fn(Values) -> bool;
    let all: [(&str, Sync); 3] = [
        ("sync", |store| store.sync().is_err()),
        ("close", |store| store.close().is_err()),
        ("compact", |store| store.compact().is_err()),
    ];
    for (name, fails) in all {
        let disk = Disk::new().with_threads();
        let (store, gate) = syncing(&disk, Some(Fault::Io));
        let before = disk.syncs();
        assert!(held(&store, &gate, fails), "{name}");
        eventually("the log ends", || is_poisoned(&store));
        assert!(matches!(store.close(), Err(SyncError::Failed(_))), "{name}");
        assert_eq!(disk.syncs(), before, "{name}: it was synced once more");
        let named = disk.files().keys().filter(|name| !name.ends_with(".new")).count();
        assert_eq!(named, 2, "{name}: a segment and LOCK, and nothing got its name since");
    }
}

#[test]
fn what_is_written_while_a_sync_fails_is_not_told() {
    let disk = Disk::new().with_threads();
    let (store, gate) = syncing(&disk, Some(Fault::Io));
    let writing = Gate::default();
    let pass = writing.pass();
    disk.on_call(move |_, step| {
        if step.call == Call::Write {
            pass();
        }
    });
    let other = store.clone();
    let put = thread::spawn(move || other.put("second", Vec::new()));
    writing.wait_for_somebody();
    gate.open();
    eventually("the sync fails", || store.inner.journal.as_ref().unwrap().log.has_sync_failed());
    writing.open();
    assert!(put.join().unwrap().is_err());
    assert!(!store.contains("second") && is_poisoned(&store));
}

#[test]
fn a_close_waits_for_the_sync_under_way_and_none_comes_after() {
    let disk = Disk::new().with_threads();
    let (store, gate) = syncing(&disk, None);
    held(&store, &gate, |store| store.close()).unwrap();
    let calls = disk.calls();
    assert!(survives(&disk, "first"));
    thread::sleep(Duration::from_millis(20));
    assert_eq!(disk.calls(), calls, "somebody touches a log that is closed");
}

#[test]
fn a_panic_of_the_sync_thread_ends_the_log() {
    let disk = Disk::new().with_threads();
    let store: Values = Store::builder().durability(NOW).open_on(&disk).unwrap();
    disk.on_call(|_, _| assert!(!is_beside(), "as planned"));
    store.put("first", Vec::new()).unwrap();
    eventually("it ends", || is_poisoned(&store));
    assert!(matches!(store.sync(), Err(SyncError::Failed(_))));
}

#[test]
fn a_log_is_synced_whenever_so_many_bytes_were_written_and_no_sooner() {
    for durability in [Durability::Buffered, Durability::Interval(Duration::from_secs(3600))] {
        let disk = Disk::new().with_threads();
        let store: Values = Store::builder().durability(durability).open_on(&disk).unwrap();
        store.put("reserves", Vec::new()).unwrap();
        store.sync().unwrap();
        // A frame is larger than its value by less than a hundred bytes.
        let value = vec![0; SYNC_BYTES / 4 - 100];
        for round in 0..3 {
            let (before, log) = (disk.syncs(), store.stats().log().unwrap());
            for number in 0..4 {
                store.put(format!("{number}"), value.clone()).unwrap();
            }
            thread::sleep(Duration::from_millis(20));
            assert_eq!(disk.syncs(), before, "there is not enough to be synced");
            let last = format!("last {round}");
            store.put(&last, vec![0; 400]).unwrap();
            eventually("it is synced", || disk.syncs() == before + 1);
            eventually("that is told", || store.stats().log().unwrap().syncs == log.syncs + 1);
            assert!(survives(&disk, &last));
        }
    }
}
