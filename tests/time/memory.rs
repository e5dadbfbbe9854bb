//! What nobody needs any more is given back: versions, keys and values.

use std::sync::atomic::{AtomicI64, Ordering};

use ifmatch::{Durability, Store, Txn};
use serde::{Deserialize, Deserializer, Serialize};

use crate::common::{Random, eventually, scratch};
use crate::home::{HOMES, Home};

type Subject = Store<u64, u64>;

#[test]
fn what_snapshots_kept_is_given_back_when_the_last_that_needs_it_is_dropped() {
    for home in HOMES {
        let test = |store: &Subject| {
            let rounds = if home == Home::Memory { 50 } else { 10 };
            let mut random = Random(7);
            for _ in 0..5 {
                let mut snapshots = Vec::new();
                for _ in 0..rounds {
                    snapshots.push(store.snapshot());
                    let txn = (0..100).fold(Txn::new(), |txn, key| match random.below(4) {
                        0 => txn.delete(key),
                        1 => txn,
                        _ => txn.put(key, 0),
                    });
                    store.commit(txn).unwrap();
                }
                let kept = store.stats().superseded();
                assert!(kept > 100, "{home:?}: {kept}");
                while !snapshots.is_empty() {
                    let count = u64::try_from(snapshots.len()).unwrap();
                    let any = usize::try_from(random.below(count)).unwrap();
                    drop(snapshots.swap_remove(any));
                    let most = (count - 1) * 100 + 100;
                    // Where the log's thread writes, what its batch superseded is given back by another, in its own time.
                    let what = format!("{home:?}: one version a key");
                    eventually(&what, || store.stats().superseded() <= most);
                }
                assert_eq!(store.stats().snapshots(), 0, "{home:?}");
                eventually(&format!("{home:?}"), || store.stats().superseded() == 0);
            }
        };
        home.run(|builder| builder, test, |_| {});
    }
}

static KEYS: AtomicI64 = AtomicI64::new(0);
static VALUES: AtomicI64 = AtomicI64::new(0);

macro_rules! counted {
    ($name:ident, $count:ident) => {
        /// Counts how many of it there are.
        #[derive(PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        struct $name(u64);

        impl $name {
            fn new(number: u64) -> Self {
                $count.fetch_add(1, Ordering::Relaxed);
                Self(number)
            }
        }

        impl Clone for $name {
            fn clone(&self) -> Self {
                Self::new(self.0)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                $count.fetch_sub(1, Ordering::Relaxed);
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                u64::deserialize(deserializer).map(Self::new)
            }
        }
    };
}

counted!(Key, KEYS);
counted!(Value, VALUES);

/// Fills a store with keys that come and go, with everything that keeps something of the past, and lets go of all.
fn fill_and_empty(store: &Store<Key, Value>) {
    let mut random = Random(1);
    let (mut held, mut scans) = (Vec::new(), Vec::new());
    let watch = store.watch().with_previous().open().unwrap();
    for round in 0..60 {
        let mut scan = store.iter();
        let _first = scan.next();
        scans.push(scan);
        held.push(store.snapshot());
        let mut txn = Txn::new();
        for key in 0..200 {
            txn = match random.below(3) {
                0 => txn.put(Key::new(key), Value::new(round)),
                1 => txn.delete(Key::new(key)),
                _ => txn,
            };
        }
        assert!(store.commit(txn).is_ok());
        assert!(store.put(Key::new(random.below(200)), Value::new(round)).is_ok());
        assert!(store.delete(Key::new(random.below(200))).is_ok());
        drop(store.submit(Txn::new().put(Key::new(500), Value::new(round))));
        assert!(store.transact(|transaction| Ok(transaction.range(..)?.len())).is_ok());
        if held.len() > 10 {
            let any = usize::try_from(random.below(10)).unwrap();
            drop(held.swap_remove(any));
            drop(scans.swap_remove(any));
        }
    }
    drop(held);
    drop(scans);
    drop(watch);
    let txn = (0..200).fold(Txn::new(), |txn, key| txn.delete(Key::new(key)));
    assert!(store.commit(txn.delete(Key::new(500))).is_ok());
    // The window moves past all of it.
    for round in 0..300 {
        assert!(store.put(Key::new(1_000), Value::new(round)).is_ok());
    }
    store.sync().unwrap();
}

#[test]
fn keys_and_values_that_nobody_can_read_any_more_are_dropped() {
    // The window holds at least 64 changes, and drops what left it by eights; each has a key, which it shares, an entry and a
    // previous one. One key is left.
    const MOST: i64 = 64 + 7 + 1 + 2;
    let is_given_back =
        || KEYS.load(Ordering::Relaxed) <= MOST && VALUES.load(Ordering::Relaxed) <= MOST;
    let check = |name: &str, store: Store<Key, Value>| {
        fill_and_empty(&store);
        eventually(&format!("{name}: {KEYS:?} keys, {VALUES:?} values"), is_given_back);
        drop(store);
        let all_is_given_back =
            || (KEYS.load(Ordering::Relaxed), VALUES.load(Ordering::Relaxed)) == (0, 0);
        eventually(
            &format!("{name}: {KEYS:?} keys, {VALUES:?} values after all"),
            all_is_given_back,
        );
    };
    check("in memory", Store::builder().watch_window(64).build());
    let with_history = Store::builder().watch_window(64).history(3).max_deleted(0);
    check("with history by count", with_history.build());
    check("with history by commits", Store::builder().watch_window(64).history_commits(30).build());
    for durability in [Durability::Sync, Durability::Buffered] {
        let directory = scratch();
        let builder = Store::builder().watch_window(64).durability(durability);
        check("on a log", builder.open(directory.path()).unwrap());
    }
}
