//! Many threads write, read and watch, and the log compacts itself, while the power may be cut at any call.

use super::*;
use crate::WatchError;

const WRITERS: u64 = 4;

type Counters = Store<u64, u64>;

fn open_counters(disk: &Disk, durability: Durability) -> Counters {
    let builder = Counters::builder().segment_bytes(4096).compact_after(8 << 10).revision_block(16);
    builder.durability(durability).open_on(disk).unwrap()
}

/// What was told, in any way: of each writer's key the newest value, and the newest revision.
#[derive(Default)]
struct Told {
    values: [AtomicU64; 4],
    revision: AtomicU64,
}

impl Told {
    fn value(&self, key: u64) -> &AtomicU64 {
        &self.values[usize::try_from(key).unwrap()]
    }

    fn tell(&self, key: u64, value: u64, revision: u64) {
        self.value(key).fetch_max(value, Ordering::SeqCst);
        self.revision.fetch_max(revision, Ordering::SeqCst);
    }

    fn now(&self) -> ([u64; 4], u64) {
        let load = |number: &AtomicU64| number.load(Ordering::SeqCst);
        (std::array::from_fn(|key| load(&self.values[key])), load(&self.revision))
    }
}

/// Each writer counts, in two keys at once; one thread reads, one watches.
fn work(store: &Counters, told: &Told, writes: u64) {
    let over = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let (over, store) = (&over, &store);
        scope.spawn(move || {
            while over.load(Ordering::SeqCst) < WRITERS {
                let snapshot = store.snapshot();
                for key in 0..WRITERS {
                    let value = snapshot.get(key).map_or(0, |value| *value);
                    told.tell(key, value, snapshot.revision().get());
                }
                let conflict = store.create(0, 0).err();
                if let Some(current) = conflict
                    .as_ref()
                    .and_then(WriteError::conflict)
                    .and_then(|conflict| conflict.current())
                {
                    told.tell(0, **current, current.revision().get());
                }
            }
        });
        scope.spawn(move || {
            let mut watch = store.watch().open().unwrap();
            while over.load(Ordering::SeqCst) < WRITERS {
                match watch.recv_timeout(Duration::from_millis(1)) {
                    Ok(commit) => {
                        for event in commit.events().iter().filter(|event| *event.key() < WRITERS) {
                            let value = event.entry().map_or(0, |value| **value);
                            told.tell(*event.key(), value, commit.revision().get());
                        }
                    }
                    Err(WatchError::Lagged { .. }) => watch = store.watch().open().unwrap(),
                    Err(_) => {}
                }
            }
        });
        for key in 0..WRITERS {
            scope.spawn(move || {
                for value in 1..=writes {
                    let txn = Txn::new().put(key, value).put(key + WRITERS, value);
                    let revision = store.commit(txn).unwrap();
                    told.tell(key, value, revision.get());
                }
                over.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
}

#[test]
fn nothing_told_to_any_thread_is_lost_by_a_power_cut_at_any_call() {
    for durability in [Durability::Sync, Durability::Interval(Duration::from_millis(2))] {
        let disk = Disk::new().with_threads();
        let store = open_counters(&disk, durability);
        let told = Arc::new(Told::default());
        let (taken, pictures) = mpsc::channel();
        let at = Arc::clone(&told);
        disk.on_call(move |disk, step| {
            if step.call == Call::Sync {
                // Time for the others to be told what they must not be.
                thread::sleep(Duration::from_micros(200));
            }
            // What was told is looked at first: later calls only add to what is durable.
            let now = at.now();
            let found = match step.number % 3 {
                0 => disk.after_kill(step.number),
                1 => disk.after_power_cut(step.number),
                _ => disk.as_synced(),
            };
            let _taken = taken.send((found, now, step.to_string(), step.number % 3 == 0));
        });
        work(&store, &told, 150);
        disk.on_call(|_, _| {});
        assert!(store.stats().log().unwrap().compactions.succeeded > 0);
        for (found, (values, newest), step, killed) in pictures.try_iter().step_by(5) {
            let case = format!("{durability:?}, before {step}");
            let store = open_counters(&found, durability);
            for (key, told) in (0..).zip(values) {
                let value = |key| store.get(key).map_or(0, |value| *value);
                assert_eq!(value(key), value(key + WRITERS), "{case}: half a transaction");
                let keeps = killed || durability == Durability::Sync;
                assert!(
                    !keeps || value(key) >= told,
                    "{case}: {key} has {}, not {told}",
                    value(key)
                );
            }
            assert!(store.revision().get() > newest, "{case}: revisions are used again");
        }
    }
}
