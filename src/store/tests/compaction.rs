//! Compaction on a disk that loses what was not synced.

use crate::log::Durability;
use crate::storage::disk::{Call, Disk, Fault};
use crate::store::Store;
use crate::sync::{AtomicU64, Ordering};
use crate::{Builder, CompactError, OpenError, Precondition, WriteError};

use super::eventually;

type Numbers = Store<u64, u64>;

fn builder() -> Builder<u64, u64> {
    Store::builder().segment_bytes(4096).shards(1).compact_after(u64::MAX)
}

fn open(disk: &Disk) -> Numbers {
    builder().revision_block(16).open_on(disk).unwrap()
}

/// What the last frames of a segment reserve is in the header of the next one, too: a checkpoint takes that segment's place.
#[test]
fn a_reservation_outlives_the_segment_that_made_it() {
    for appended in 0..24 {
        let disk = Disk::new();
        let store = open(&disk);
        store.put(0, 0).unwrap();
        // Nobody leads for them before the segment ends.
        let waiting: Vec<_> =
            (0..appended).map(|n| store.submit_put_if(n % 3, n, Precondition::Any)).collect();
        store.compact().unwrap();
        drop(waiting);
        for write in 0..40 {
            let newest = store.put(write % 3, write).unwrap();
            let stopped = open(&disk.as_synced());
            assert!(stopped.revision() > newest, "{write} after {appended}");
            assert_eq!(stopped.len(), store.len());
        }
    }
}

#[test]
fn a_full_disk_refuses_a_compaction_and_the_log_goes_on() {
    let disk = Disk::new();
    let store = open(&disk);
    for n in 0..500 {
        store.put(n, n).unwrap();
    }
    let (used, files) = (disk.used(), disk.files().len());
    disk.set_capacity(Some(used + 9_000));
    let error = store.compact().unwrap_err();
    assert!(matches!(error, CompactError::Io(_)), "{error}");
    assert!(disk.files().len() <= files + 1, "what was begun is removed");
    store.put(1, 7).unwrap();
    disk.set_capacity(None);
    store.compact().unwrap();
    assert!(disk.used() < used);
    let found = open(&disk.as_synced());
    assert_eq!((found.len(), *found.get(1).unwrap()), (500, 7));
    let compactions = store.stats().log().unwrap().compactions;
    assert_eq!((compactions.succeeded, compactions.failed), (1, 1));
}

/// A directory that failed to sync once may look synced the next time; a segment that somebody starts would be lost.
#[test]
fn a_checkpoint_that_cannot_be_published_ends_the_log() {
    let disk = Disk::new();
    let store = open(&disk);
    store.put(1, 1).unwrap();
    disk.on_call(|disk, step| {
        if step.call == Call::Rename && step.file.ends_with(".checkpoint.new") {
            disk.fail_every(Call::SyncDirectory, Fault::Io);
        }
    });
    let error = store.compact().unwrap_err();
    assert!(matches!(error, CompactError::Failed(_)), "{error}");
    assert!(matches!(store.put(1, 2), Err(WriteError::Refused(_))));
    assert!(matches!(store.compact(), Err(CompactError::Failed(_))));
    assert_eq!(*store.get(1).unwrap(), 1);
    for seed in 0..100 {
        assert_eq!(*open(&disk.after_power_cut(seed)).get(1).unwrap(), 1);
    }
}

/// A store of which something is committed between the start of a segment and the checkpoint before it, so that both have it.
fn with_commits_in_both(disk: &Disk, durability: Durability) -> Numbers {
    // With many revisions reserved at once, nothing is synced for that.
    let store = builder().durability(durability).open_on(disk).unwrap();
    for n in 0..10 {
        store.put(n, n).unwrap();
    }
    let writer = store.clone();
    disk.on_call(move |_, step| {
        if step.call == Call::Rename && step.file.ends_with(".segment.new") {
            for n in 5..15 {
                drop(writer.submit_put_if(n, 100 + n, Precondition::Any));
            }
        }
    });
    store.compact().unwrap();
    disk.on_call(|_, _| {});
    store
}

#[test]
fn what_both_the_checkpoint_and_a_segment_have_is_applied_once() {
    for durability in [Durability::Sync, Durability::Buffered] {
        let disk = Disk::new();
        let store = with_commits_in_both(&disk, durability);
        // What the checkpoint has is synced in the segment, too, or recovery would miss it there.
        let found = open(&disk.as_synced());
        let recovery = found.recovery().unwrap();
        assert_eq!((recovery.entries, recovery.commits), (15, 0));
        assert!(found.iter().eq(store.iter()));
        assert_eq!(found.get(7).unwrap().write_count(), 2);
    }
}

#[test]
fn a_segment_that_lacks_what_the_checkpoint_has_is_damaged() {
    let disk = Disk::new();
    let store = with_commits_in_both(&disk, Durability::Sync);
    store.put(1, 1).unwrap();
    let files = disk.as_synced().files();
    let name = files.keys().rfind(|name| name.ends_with(".segment")).unwrap();
    // After 128 bytes of header, eleven frames.
    let frame = (48 + 1 + 4 + 1 + 4 + 1_usize).next_multiple_of(16);
    for len in (128..128 + 12 * frame).step_by(16) {
        let disk = Disk::with_files(files.clone());
        disk.insert(name, files[name][..len].to_vec());
        let opened = builder().open_on(&disk);
        let has_all = len >= 128 + 10 * frame;
        assert_eq!(opened.is_ok(), has_all, "{len}");
        if let Err(error) = opened {
            let at = 128 + (len - 128) / frame * frame;
            let at = u64::try_from(at).unwrap();
            assert!(matches!(error, OpenError::Corrupt { offset, .. } if offset == at), "{error}");
        }
    }
}

/// As much as makes a compaction worth it is written while there is one, and then nothing more.
#[test]
fn what_was_written_during_a_compaction_is_compacted_though_nothing_follows() {
    let disk = Disk::new().with_threads();
    let builder = Numbers::builder().segment_bytes(4096).compact_after(16 << 10);
    let store = builder.durability(Durability::Buffered).open_on(&disk).unwrap();
    let (writer, once) = (store.clone(), AtomicU64::new(0));
    disk.on_call(move |_, step| {
        if step.call == Call::Write
            && step.file.ends_with(".checkpoint.new")
            && once.fetch_add(1, Ordering::Relaxed) == 0
        {
            for n in 0..1_000 {
                writer.put(n % 5, n).unwrap();
            }
        }
    });
    let log = || store.stats().log().unwrap();
    for n in 0.. {
        store.put(n % 5, n).unwrap();
        if log().compactions.succeeded > 0 {
            break;
        }
    }
    eventually("the rest is compacted", || log().compactions.succeeded >= 2);
    eventually("the disk is bounded", || log().bytes < (16 << 10) + 3 * 4096);
}

/// After a close in good order nothing is set aside, and the mark that the segment is continued needs room, too.
#[test]
fn a_disk_with_room_for_the_next_segment_only_refuses_a_compaction_and_the_log_goes_on() {
    for room in 0..800 {
        let disk = Disk::new();
        let store = open(&disk);
        store.put(1, 1).unwrap();
        store.close().unwrap();
        drop(store);
        let store = open(&disk);
        disk.set_capacity(Some(disk.used() + room));
        let compacted = store.compact();
        assert!(matches!(compacted, Ok(()) | Err(CompactError::Io(_))), "{room}: {compacted:?}");
        disk.set_capacity(None);
        store.put(1, 2).unwrap_or_else(|error| panic!("{room}: {error}"));
        assert_eq!(*open(&disk.as_synced()).get(1).unwrap(), 2, "{room}");
    }
}

/// It was worth it for ever, and one thread started the next.
#[test]
fn where_there_is_nothing_to_replace_no_compaction_is_started() {
    let disk = Disk::new().with_threads();
    let store = Numbers::builder().compact_after(0).open_on(&disk).unwrap();
    store.put(1, 1).unwrap();
    store.compact().unwrap();
    let calls = disk.calls();
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(disk.calls(), calls);
    assert_eq!(store.stats().log().unwrap().compactions.failed, 0);
}

/// Else one sync at the end would have all of it to write, and hold up the syncs of the log.
#[test]
fn a_large_checkpoint_is_synced_on_the_way() {
    let syncs_of_compacting = |bytes: usize| {
        let disk = Disk::new();
        let store: Store<u64, String> = Store::builder().open_on(&disk).unwrap();
        for key in 0..3 {
            store.put(key, "v".repeat(bytes)).unwrap();
        }
        let before = disk.syncs();
        store.compact().unwrap();
        disk.syncs() - before
    };
    // 16 MiB, and a rest.
    assert_eq!(syncs_of_compacting(8 << 20), syncs_of_compacting(8) + 1);
}
