//! A panic in the user's code is the user's: the operation has not happened, and the store goes on.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Atomically};

use ifmatch::{Store, Txn};

use crate::common::within;
use crate::home::HOMES;

#[test]
fn a_closure_that_panics_changes_nothing() {
    for home in HOMES {
        let test = |store: &Store<String, u64>| {
            let revision = store.put("a", 7).unwrap();
            let update = || store.update("a", |_| panic!("on purpose"));
            assert!(catch_unwind(AssertUnwindSafe(update)).is_err());
            let create = || store.get_or_create("b", || panic!("on purpose"));
            assert!(catch_unwind(AssertUnwindSafe(create)).is_err());
            let transact = || {
                store.transact::<()>(|transaction| {
                    transaction.put("a", 8);
                    panic!("on purpose")
                })
            };
            assert!(catch_unwind(AssertUnwindSafe(transact)).is_err());
            assert_eq!(store.get("a").unwrap().revision(), revision, "{home:?}");
            assert_eq!((store.revision(), store.len()), (revision, 1), "{home:?}");
            assert_eq!(store.stats().snapshots(), 0, "{home:?}: what it pinned is let go");
        };
        home.run(|builder| builder, test, |store| assert!(store.put("a", 8).is_ok()));
    }
}

/// A key whose hash or order panics when its fuse, counted down by every use, reaches zero.
#[derive(Clone, Debug)]
struct Fused {
    number: u64,
    hashes: Arc<AtomicU64>,
    comparisons: Arc<AtomicU64>,
}

fn burn(fuse: &AtomicU64) {
    let armed = |fuse: u64| fuse.checked_sub(1);
    if fuse.fetch_update(Atomically::Relaxed, Atomically::Relaxed, armed) == Ok(1) {
        panic!("on purpose");
    }
}

impl Hash for Fused {
    fn hash<H: Hasher>(&self, state: &mut H) {
        burn(&self.hashes);
        self.number.hash(state);
    }
}

impl PartialEq for Fused {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Fused {}

impl PartialOrd for Fused {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fused {
    fn cmp(&self, other: &Self) -> Ordering {
        burn(&self.comparisons);
        self.number.cmp(&other.number)
    }
}

#[derive(Default)]
struct Fuses {
    hashes: Arc<AtomicU64>,
    comparisons: Arc<AtomicU64>,
}

impl Fuses {
    fn key(&self, number: u64) -> Fused {
        let (hashes, comparisons) = (Arc::clone(&self.hashes), Arc::clone(&self.comparisons));
        Fused { number, hashes, comparisons }
    }

    /// Runs `action`, which panics or not, and takes the fuses out again.
    fn run<T>(&self, hashes: u64, comparisons: u64, action: impl FnOnce() -> T) -> Option<T> {
        self.hashes.store(hashes, Atomically::Relaxed);
        self.comparisons.store(comparisons, Atomically::Relaxed);
        let outcome = catch_unwind(AssertUnwindSafe(action)).ok();
        self.hashes.store(0, Atomically::Relaxed);
        self.comparisons.store(0, Atomically::Relaxed);
        outcome
    }
}

#[test]
fn a_map_grows_without_a_hash_of_its_keys() {
    within(20, || {
        let store = Store::<Fused, u64>::builder().shards(1).build();
        let fuses = Fuses::default();
        for count in 0..500 {
            let key = fuses.key(count);
            // The first hash is that of the new key.
            let outcome = fuses.run(2, 0, || store.create(key.clone(), count));
            assert!(outcome.is_some(), "a second key was hashed while {count} were there");
        }
        for earlier in 0..500 {
            let entry = store.get(fuses.key(earlier));
            assert_eq!(entry.map(|entry| *entry), Some(earlier));
        }
    });
}

#[test]
fn a_hash_that_panics_loses_nothing() {
    within(20, || {
        let store = Store::<Fused, u64>::builder().shards(1).build();
        let fuses = Fuses::default();
        let key = fuses.key(1);
        assert!(fuses.run(1, 0, || store.create(key.clone(), 1)).is_none(), "it panics");
        assert!(store.is_empty() && !store.contains(&key));
        assert_eq!(store.create(key, 1).unwrap().get(), 2, "it took no revision");
    });
}

#[test]
fn an_order_that_panics_anywhere_leaves_index_and_map_the_same() {
    within(60, || {
        let store = Store::<Fused, u64>::builder().shards(2).build();
        let fuses = Fuses::default();
        for number in 0..200 {
            store.create(fuses.key(number * 2), number).unwrap();
        }
        let mut panics = 0;
        for (round, comparisons) in (0..600_u64).zip((1..25).cycle()) {
            let number = (round * 37) % 400;
            let outcome = fuses.run(0, comparisons, || match round % 6 {
                0 | 1 => assert!(store.put(fuses.key(number), round).is_ok()),
                2 => assert!(store.delete(fuses.key(number)).is_ok()),
                3 => assert!(store.snapshot().range(fuses.key(number)..).take(3).count() <= 3),
                4 => {
                    let txn = (0..3).fold(Txn::new(), |txn, more| {
                        txn.put(fuses.key((number + more * 50) % 400), round)
                    });
                    assert!(store.commit(txn).is_ok());
                }
                _ => {
                    let txn = Txn::new().require_none_in(fuses.key(number)..fuses.key(number + 1));
                    let _either = store.commit(txn.delete(fuses.key(number)));
                }
            });
            panics += u64::from(outcome.is_none());
            let scanned: Vec<u64> = store.iter().map(|(key, _)| key.number).collect();
            let found: Vec<u64> =
                (0..400).filter(|number| store.contains(fuses.key(*number))).collect();
            assert_eq!(scanned, found, "round {round}");
            assert_eq!(store.len(), found.len(), "round {round}");
            let backwards: Vec<u64> = store.iter().rev().map(|(key, _)| key.number).collect();
            assert!(backwards.iter().rev().eq(&scanned), "round {round}");
            assert_eq!(store.stats().snapshots(), 0, "round {round}");
        }
        assert!(panics > 100, "only {panics} panics");
    });
}

/// A key whose order panics when that is asked for, and whose drop, from then on, uses the store.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Clinging(u64);

#[derive(Default)]
struct Hooks {
    order_panics: bool,
    store: Option<Store<Clinging, u64>>,
    drops: u64,
}

thread_local! {
    static HOOKS: RefCell<Hooks> = RefCell::default();
}

impl PartialOrd for Clinging {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Clinging {
    fn cmp(&self, other: &Self) -> Ordering {
        let panics = HOOKS.with_borrow_mut(|hooks| std::mem::take(&mut hooks.order_panics));
        assert!(!panics, "on purpose");
        self.0.cmp(&other.0)
    }
}

impl Drop for Clinging {
    fn drop(&mut self) {
        // Not within itself.
        let store = HOOKS.try_with(|hooks| hooks.borrow_mut().store.take()).ok().flatten();
        if let Some(store) = store {
            let _entry = store.get(Clinging(self.0));
            HOOKS.with_borrow_mut(|hooks| {
                (hooks.drops, hooks.store) = (hooks.drops + 1, Some(store))
            });
        }
    }
}

/// The order of a deleted key panicked, so that it stayed in the index. Whoever created it again, and was refused, took the old
/// one out of there, and dropped it with the shard locked.
#[test]
fn a_key_that_a_panic_left_behind_is_dropped_under_no_lock() {
    type Create = fn(&Store<Clinging, u64>) -> bool;
    let creates: [Create; 2] = [
        |store| store.create(Clinging(1), 1).is_ok(),
        |store| store.commit(Txn::new().put(Clinging(1), 1).put(Clinging(2), 2)).is_ok(),
    ];
    for create in creates {
        within(10, move || {
            let store = Store::<Clinging, u64>::builder().max_keys(1).watch_window(1).build();
            store.create(Clinging(1), 1).unwrap();
            HOOKS.with_borrow_mut(|hooks| hooks.order_panics = true);
            store.delete(Clinging(1)).unwrap();
            HOOKS.with_borrow(|hooks| assert!(!hooks.order_panics, "it is asked for its order"));
            // The window has it, too.
            for number in 0..200 {
                store.put(Clinging(3), number).unwrap();
            }
            HOOKS.with_borrow_mut(|hooks| hooks.store = Some(store.clone()));
            assert!(!create(&store), "there is one key");
            let drops = HOOKS.with_borrow_mut(|hooks| {
                drop(hooks.store.take());
                hooks.drops
            });
            assert!(drops > 1, "that one and the one that it was asked with: {drops}");
        });
    }
}
