//! `Durability::Interval`: acknowledged after the write, synced in time, by itself.

use super::*;

const INTERVAL: Duration = Duration::from_millis(20);

fn open_in_time(disk: &Disk, interval: Duration) -> Numbers {
    open(disk, Durability::Interval(interval)).expect("the disk works")
}

fn survives(disk: &Disk, key: &str) -> bool {
    open(&disk.as_synced(), Durability::Buffered).expect("the disk works").contains(key)
}

#[test]
fn a_quiet_store_is_synced_once_in_time_and_then_left_alone() {
    let disk = Disk::new().with_threads();
    let store = open_in_time(&disk, INTERVAL);
    let before = disk.syncs();
    for round in 1..=5 {
        let (key, written) = (round.to_string(), Instant::now());
        store.put(&key, round).unwrap();
        assert!(store.contains(&key), "it is shown without a sync");
        eventually("it is synced", || disk.syncs() == before + round);
        assert!(written.elapsed() >= INTERVAL, "too early: the others are to share the sync");
        assert!(survives(&disk, &key));
        thread::sleep(3 * INTERVAL);
        assert_eq!(disk.syncs(), before + round, "nothing was written, and something synced");
    }
}

#[test]
fn what_is_not_yet_due_is_lost_with_the_power() {
    let disk = Disk::new().with_threads();
    let store = open_in_time(&disk, Duration::from_secs(3600));
    store.put("a", 1).unwrap();
    assert!(!survives(&disk, "a"), "or the others show nothing");
    store.sync().unwrap();
    assert!(survives(&disk, "a"));
    store.put("b", 1).unwrap();
    store.close().unwrap();
    assert!(survives(&disk, "b"));
}

/// Leaders come one after the other, and none leaves a moment for another.
#[test]
fn a_busy_store_is_synced_once_an_interval() {
    let disk = Disk::new().with_threads();
    let builder = Numbers::builder().durability(Durability::Interval(INTERVAL));
    let store = builder.open_on(&disk).unwrap();
    let (start, before) = (Instant::now(), disk.syncs());
    let writers: Vec<_> = (0..4)
        .map(|writer: u64| {
            let store = store.clone();
            thread::spawn(move || {
                while start.elapsed() < 50 * INTERVAL {
                    store.put(writer.to_string(), writer).unwrap();
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let syncs = disk.syncs() - before;
    assert!((10..=51).contains(&syncs), "{syncs} syncs in 50 intervals");
}

#[test]
fn an_interval_of_nothing_syncs_at_once_and_nobody_waits_for_it() {
    let disk = Disk::new().with_threads();
    let store = open_in_time(&disk, Duration::ZERO);
    disk.hold_syncs();
    store.put("a", 1).unwrap();
    assert!(!survives(&disk, "a"));
    disk.release_syncs();
    eventually("it is synced", || survives(&disk, "a"));
}

#[test]
fn an_interval_that_no_clock_reaches_never_ends() {
    let disk = Disk::new().with_threads();
    let store = open_in_time(&disk, Duration::MAX);
    let before = disk.syncs();
    store.put("a", 1).unwrap();
    thread::sleep(INTERVAL);
    store.put("b", 1).unwrap();
    assert_eq!(disk.syncs(), before);
    store.sync().unwrap();
    assert!(survives(&disk, "b"));
}

#[test]
fn a_failed_sync_that_nobody_waited_for_poisons_and_is_not_tried_again() {
    let disk = Disk::new().with_threads();
    let store = open_in_time(&disk, INTERVAL);
    disk.fail_every(Call::Sync, Fault::Io);
    let told = store.put("a", 1).unwrap();
    eventually("it fails by itself", || store.stats().log().unwrap().poisoned);
    disk.fail_every(Call::Sync, None);
    let before = disk.syncs();
    assert!(matches!(reason(&store.put("b", 1).unwrap_err()), Reason::Poisoned(_)));
    assert!(matches!(store.sync(), Err(SyncError::Failed(_))));
    assert_eq!(store.get("a").unwrap().revision(), told, "what was shown stays shown");
    thread::sleep(3 * INTERVAL);
    assert!(matches!(store.close(), Err(SyncError::Failed(_))));
    assert_eq!(disk.syncs(), before, "it was tried again");
}

/// Without a thread of the log nothing happens by itself: whoever writes when it is time syncs what is old, too.
#[test]
fn without_threads_whoever_writes_when_it_is_time_syncs() {
    let disk = Disk::new();
    let store = open_in_time(&disk, INTERVAL);
    let before = disk.syncs();
    store.put("a", 1).unwrap();
    store.put("b", 1).unwrap();
    thread::sleep(2 * INTERVAL);
    assert_eq!(disk.syncs(), before);
    store.put("c", 1).unwrap();
    assert_eq!(disk.syncs(), before + 1);
    assert!(["a", "b", "c"].iter().all(|key| survives(&disk, key)));
    store.put("d", 1).unwrap();
    assert_eq!(disk.syncs(), before + 1, "it is not yet time again");
}
