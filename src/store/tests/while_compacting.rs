//! Writes that go on while a checkpoint is written, and a disk that crashes at every call of both.

use std::cell::RefCell;

use super::*;

/// A value that writes to the store while it is encoded, if that is asked for.
#[derive(Clone, Debug)]
struct Writes(u64);

type WhileEncoding = Box<dyn FnMut()>;

std::thread_local! {
    static WHILE_ENCODING: RefCell<Option<WhileEncoding>> = const { RefCell::new(None) };
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

fn unfinished(disk: &Disk) -> usize {
    disk.files().keys().filter(|name| name.ends_with(".new")).count()
}

#[test]
fn a_value_that_panics_while_it_is_encoded_ends_the_compaction_and_nothing_else() {
    let disk = Disk::new();
    let store = open_writes(&disk, Durability::Sync);
    for n in 0..20 {
        store.put(n % KEYS, Writes(n)).unwrap();
    }
    WHILE_ENCODING.set(Some(Box::new(|| panic!("as it is asked to"))));
    let compacted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.compact()));
    assert!(compacted.is_err() && unfinished(&disk) == 0);
    WHILE_ENCODING.set(None);
    let compactions = || store.stats().log().unwrap().compactions;
    assert_eq!((compactions().succeeded, compactions().failed), (0, 1));
    store.put(20 % KEYS, Writes(20)).unwrap();
    store.compact().unwrap();
    assert_eq!((compactions().succeeded, compactions().failed), (1, 1));
    assert_eq!(prefix(&open_writes(&disk.as_synced(), Durability::Sync)), 21);
}

#[test]
fn a_value_may_use_the_store_and_close_it_while_it_is_encoded() {
    let disk = Disk::new();
    let store = open_writes(&disk, Durability::Buffered);
    for n in 0..20 {
        store.put(n % KEYS, Writes(n)).unwrap();
    }
    let handle = store.clone();
    WHILE_ENCODING.set(Some(Box::new(move || {
        assert!(matches!(handle.compact(), Err(crate::CompactError::Running)));
        assert_eq!(handle.iter().count(), 9);
        // With the second value it is closed.
        assert!(matches!(handle.sync(), Ok(()) | Err(SyncError::Closed)));
        handle.close().unwrap();
    })));
    let compacted = store.compact();
    WHILE_ENCODING.set(None);
    assert!(matches!(compacted, Err(crate::CompactError::Closed)), "{compacted:?}");
    assert_eq!(unfinished(&disk), 0);
    let closed = disk.files();
    drop(store);
    assert_eq!(disk.files(), closed, "nothing is touched after the close");
    let store = open_writes(&disk.as_synced(), Durability::Sync);
    assert!(store.recovery().unwrap().clean);
    assert_eq!(prefix(&store), 20);
}
