//! Compaction on a disk that loses what was not synced.

use std::sync::mpsc;

use crate::log::Durability;
use crate::storage::disk::{Call, Disk, Fault};
use crate::store::Store;
use crate::sync::{Arc, AtomicU64, Ordering};
use crate::{Builder, CompactError, OpenError, Precondition, WriteError};

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

/// A value that writes to the store while it is encoded, if that is asked for.
#[derive(Clone, Debug)]
struct Writes(u64);

type WhileEncoding = Box<dyn FnMut()>;

std::thread_local! {
    static WHILE_ENCODING: std::cell::RefCell<Option<WhileEncoding>> = const { std::cell::RefCell::new(None) };
}

impl serde::Serialize for Writes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // What it writes is encoded without it.
        if let Some(mut write) = WHILE_ENCODING.take() {
            write();
            WHILE_ENCODING.set(Some(write));
        }
        self.0.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Writes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self)
    }
}

/// A disk as a crash left it, how many writes were acknowledged by then, and the newest revision that was.
type Picture = (Disk, u64, u64, String);

const KEYS: u64 = 9;

fn open_writes(disk: &Disk, durability: Durability) -> Store<u64, Writes> {
    let builder = Store::<u64, Writes>::builder().segment_bytes(4096).shards(1);
    builder.compact_after(u64::MAX).durability(durability).open_on(disk).unwrap()
}

/// The write `n` puts `n` under `n % KEYS`. Says how many writes there are, if what is there is a prefix of them.
fn prefix(store: &Store<u64, Writes>) -> u64 {
    let writes = store.iter().map(|(_, value)| value.0 + 1).max().unwrap_or(0);
    let expected = (0..KEYS).filter_map(|key| {
        let last = (0..writes).rev().find(|n| n % KEYS == key)?;
        Some((key, last, last / KEYS + 1, key))
    });
    let found =
        store.iter().map(|(key, value)| (key, value.0, value.write_count(), value.0 % KEYS));
    assert!(found.eq(expected), "of {writes} writes");
    writes
}

/// Takes pictures of every call until the observer is replaced.
fn take_pictures(
    disk: &Disk,
    told: &Arc<AtomicU64>,
    newest: &Arc<AtomicU64>,
    kill: bool,
) -> mpsc::Receiver<Picture> {
    let (taken, pictures) = mpsc::channel();
    let (told, newest) = (Arc::clone(told), Arc::clone(newest));
    disk.on_call(move |disk, step| {
        for seed in 0..2 {
            let seed = seed + 100 * step.number;
            let found = if kill { disk.after_kill(seed) } else { disk.after_power_cut(seed) };
            let (told, newest) = (told.load(Ordering::SeqCst), newest.load(Ordering::SeqCst));
            let _taken = taken.send((found, told, newest, step.to_string()));
        }
    });
    pictures
}

#[test]
fn what_is_written_while_a_checkpoint_is_written_survives_a_crash_at_every_call() {
    for durability in [Durability::Sync, Durability::Buffered] {
        for kill in [true, false] {
            let disk = Disk::new();
            let store = open_writes(&disk, durability);
            let (told, newest) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
            let write = {
                let (store, told, newest) = (store.clone(), Arc::clone(&told), Arc::clone(&newest));
                move || {
                    let n = told.load(Ordering::SeqCst);
                    let revision = store.put(n % KEYS, Writes(n)).unwrap();
                    told.store(n + 1, Ordering::SeqCst);
                    newest.store(revision.get(), Ordering::SeqCst);
                }
            };
            (0..20).for_each(|_| write());
            let pictures = take_pictures(&disk, &told, &newest, kill);
            for round in 0..3_u64 {
                // Some rounds start segments within, some write little.
                let count = [1, 3, 12][usize::try_from(round).unwrap()];
                let write = write.clone();
                WHILE_ENCODING.set(Some(Box::new(move || (0..count).for_each(|_| write()))));
                store.compact().unwrap();
                WHILE_ENCODING.set(None);
            }
            disk.on_call(|_, _| {});
            let mut with_a_tail = 0;
            for (number, (found, told, newest, step)) in pictures.try_iter().enumerate() {
                let case = format!("{durability:?}, kill: {kill}, before {step}");
                // Now and then there is another power cut while it is opened.
                let (told_too, newest_too) =
                    (Arc::new(AtomicU64::new(told)), Arc::new(AtomicU64::new(newest)));
                let again = take_pictures(&found, &told_too, &newest_too, false);
                let opened = open_writes(&found, durability);
                found.on_call(|_, _| {});
                let recovery = opened.recovery().unwrap();
                with_a_tail += u64::from(recovery.checkpoint.is_some() && recovery.commits > 0);
                let writes = prefix(&opened);
                let keeps = durability == Durability::Sync || kill;
                assert!(!keeps || writes >= told, "{case}: {writes} of {told}");
                assert!(opened.revision().get() > newest, "{case}: a revision again");
                let again: Vec<Picture> = again.try_iter().collect();
                if number % 31 == 0 {
                    for (found, _, _, inner) in again {
                        let reopened = open_writes(&found, durability);
                        let again = prefix(&reopened);
                        let keeps = durability == Durability::Sync;
                        assert!(!keeps || again >= told, "{case}, then {inner}");
                        assert!(reopened.revision().get() > newest, "{case}, then {inner}");
                    }
                }
            }
            assert!(with_a_tail > 0);
        }
    }
}
