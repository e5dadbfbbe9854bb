//! Much is read by two threads, in batches: what comes of it is the same.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use ifmatch::{Builder, Durability, Store, Txn, Versioned};
use serde::{Deserialize, Serialize};

use crate::common::{Random, scratch, within};

type Texts = Store<String, String>;

/// More than a few batches have items.
const MANY: u64 = 12_000;

fn builder() -> Builder<String, String> {
    Store::builder().durability(Durability::Buffered).compact_after(u64::MAX).watch_window(500)
}

fn entry(entry: &Versioned<String>) -> (u64, u64, u64, String) {
    let (revision, created) = (entry.revision().get(), entry.created_revision().get());
    (revision, created, entry.write_count(), entry.value().clone())
}

/// All that is stored, in order, with all that is known of it.
fn entries(store: &Texts) -> Vec<(String, (u64, u64, u64, String))> {
    store.iter().map(|(key, found)| (key, entry(&found))).collect()
}

fn key(random: &mut Random, keys: u64) -> String {
    format!("{:x}", random.below(keys).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn write(store: &Texts, random: &mut Random, deletes: bool) {
    for number in 0..MANY {
        let key = key(random, MANY / 2);
        match random.below(8) {
            0 if deletes => drop(store.delete(&key).unwrap()),
            1 => {
                let other = format!("{key}-");
                store
                    .commit(Txn::new().put(key, "x".repeat(40)).put(other, "y".to_owned()))
                    .unwrap();
            }
            // Now and then one that is a batch alone.
            _ if number % 4_000 == 7 => drop(store.put(key, "w".repeat(1 << 20)).unwrap()),
            _ => drop(store.put(key, number.to_string()).unwrap()),
        }
    }
}

/// The changes of the window, as a watch tells them.
fn recent(store: &Texts) -> Vec<(u64, usize)> {
    let mut watch = store.watch().since(store.stats().window_start()).open().unwrap();
    let mut commits = Vec::new();
    while let Ok(commit) = watch.try_recv() {
        commits.push((commit.revision().get(), commit.events().len()));
    }
    commits
}

#[test]
fn a_large_log_is_read_back_as_it_was() {
    for (deletes, compacts) in [(false, false), (true, false), (false, true), (true, true)] {
        let scratch = scratch();
        let directory = scratch.path().join("data");
        let store = builder().open(&directory).unwrap();
        let mut random = Random(11);
        write(&store, &mut random, deletes);
        if compacts {
            store.compact().unwrap();
        }
        write(&store, &mut random, deletes);
        let (before, newest, told) = (entries(&store), store.revision(), recent(&store));
        store.close().unwrap();

        let case = format!("deletes: {deletes}, compacted: {compacts}");
        let store = builder().open(&directory).unwrap();
        let read: BTreeMap<_, _> = entries(&store).into_iter().collect();
        assert!(read.into_iter().eq(before.iter().cloned()), "{case}");
        assert!(
            store
                .range(..)
                .rev()
                .map(|(key, _)| key)
                .eq(before.iter().rev().map(|(key, _)| key.clone())),
            "{case}"
        );
        assert_eq!((store.len(), store.revision()), (before.len(), newest), "{case}");
        assert_eq!(recent(&store), told, "{case}");
        for (key, expected) in &before {
            assert_eq!(&entry(&store.get(key).unwrap()), expected, "{case}, {key}");
        }
        // The index takes keys, and gives them back.
        store.put("!", "the first".to_owned()).unwrap();
        store.delete(&before[before.len() / 2].0).unwrap().unwrap();
        assert_eq!(store.iter().next().unwrap().0, "!");
        assert_eq!(store.iter().count(), before.len());
    }
}

/// How many comparisons there may be before one panics.
static COMPARISONS: AtomicU64 = AtomicU64::new(u64::MAX);

#[derive(Clone, Debug, Eq, Serialize, Deserialize)]
struct Touchy(u64);

impl Ord for Touchy {
    fn cmp(&self, other: &Self) -> Ordering {
        assert!(COMPARISONS.fetch_sub(1, SeqCst) > 0, "enough");
        self.0.cmp(&other.0)
    }
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Hash for Touchy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialOrd for Touchy {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[test]
fn a_panic_of_a_key_while_much_is_read_comes_to_who_opens() {
    let scratch = scratch();
    let directory = scratch.path().join("data");
    let builder = || Store::<Touchy, u64>::builder().durability(Durability::Buffered);
    let open = move || builder().open(&directory);
    let store = open().unwrap();
    for number in 0..MANY {
        store.put(Touchy(number % 100), number).unwrap();
    }
    store.close().unwrap();
    for comparisons in [5_000, MANY - 200, MANY - 50] {
        COMPARISONS.store(comparisons, SeqCst);
        let open = open.clone();
        let opened = within(30, move || catch_unwind(AssertUnwindSafe(open)));
        let panic = opened.map(drop).unwrap_err();
        assert_eq!(*panic.downcast::<&str>().unwrap(), "enough");
    }
    COMPARISONS.store(u64::MAX, SeqCst);
    assert_eq!(open().unwrap().len(), 100);
}
