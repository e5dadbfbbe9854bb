//! Leaves are tiny here, so that they split and merge all the time.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc as Shared, Weak};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::range::KeyRange;

fn new<K: Ord>(leaf_keys: usize, keys: impl IntoIterator<Item = K>) -> Index<K> {
    let index = Index::with_leaves_of(leaf_keys);
    keys.into_iter().for_each(|key| index.insert(Arc::new(key)));
    index
}

fn values<K: Copy>(keys: &[Arc<K>]) -> Vec<K> {
    keys.iter().map(|key| **key).collect()
}

fn leaf_sizes<K>(index: &Index<K>) -> Vec<usize> {
    index.top.read().leaves.iter().map(|leaf| leaf.read().len()).collect()
}

/// What the module promises of its parts between operations.
fn assert_sound<K: Ord>(index: &Index<K>) {
    let top = index.top.read();
    assert_eq!(top.leaves.len(), top.separators.len() + 1);
    let mut all: Vec<Arc<K>> = Vec::new();
    for (at, leaf) in top.leaves.iter().enumerate() {
        let leaf = leaf.read();
        assert!(leaf.len() <= index.leaf_keys, "a leaf is too long");
        assert!(!leaf.is_empty() || top.leaves.len() == 1, "a leaf is empty");
        for (place, key) in leaf.iter().enumerate() {
            let is_separator = at > 0 && place == 0;
            if is_separator {
                assert!(Arc::ptr_eq(key, &top.separators[at - 1]), "not the leaf's first key");
            }
            let references = if is_separator { 2 } else { 1 };
            assert_eq!(Arc::strong_count(key), references);
        }
        all.extend(leaf.iter().map(Arc::clone));
    }
    assert!(all.is_sorted_by(|left, right| left < right), "out of order");
    drop(top);
    assert_eq!(index.len(), all.len());
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(u8),
    Remove(u8),
    Ascending(Bound<u8>, Bound<u8>, usize),
    Descending(Bound<u8>, Bound<u8>, usize),
}

const KEYS: u8 = 48;

fn bound() -> impl Strategy<Value = Bound<u8>> {
    prop_oneof![
        2 => (0..KEYS).prop_map(Included),
        2 => (0..KEYS).prop_map(Excluded),
        1 => Just(Unbounded),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let limit = || prop_oneof![0..12_usize, Just(usize::MAX)];
    prop_oneof![
        6 => (0..KEYS).prop_map(Operation::Insert),
        5 => (0..KEYS).prop_map(Operation::Remove),
        1 => (bound(), bound(), limit()).prop_map(|(s, e, l)| Operation::Ascending(s, e, l)),
        1 => (bound(), bound(), limit()).prop_map(|(s, e, l)| Operation::Descending(s, e, l)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn it_is_a_sorted_set(
        leaf_keys in 2..10_usize,
        first in proptest::collection::btree_set(0..KEYS, 0..40),
        operations in vec(operation(), 0..120),
    ) {
        let index = new(leaf_keys, first.iter().copied());
        let mut expected: BTreeSet<u8> = first;
        for operation in operations {
            match operation {
                Operation::Insert(key) => {
                    if expected.insert(key) {
                        index.insert(Arc::new(key));
                    }
                }
                Operation::Remove(key) => {
                    let removed = index.remove(&key);
                    prop_assert_eq!(removed.as_deref().copied(), expected.take(&key));
                    if let Some(key) = removed {
                        prop_assert_eq!(Arc::strong_count(&key), 1, "the index still holds it");
                    }
                }
                Operation::Ascending(start, end, limit) => {
                    let mut out = vec![Arc::new(u8::MAX)];
                    index.ascending(start.as_ref(), end.as_ref(), limit, &mut out);
                    let range = KeyRange::new(start, end);
                    let found = expected.iter().filter(|key| range.contains(key)).take(limit);
                    let found: Vec<u8> = [u8::MAX].into_iter().chain(found.copied()).collect();
                    prop_assert_eq!(values(&out), found);
                }
                Operation::Descending(start, end, limit) => {
                    let mut out = vec![Arc::new(u8::MAX)];
                    index.descending(start.as_ref(), end.as_ref(), limit, &mut out);
                    let range = KeyRange::new(start, end);
                    let found = expected.iter().rev().filter(|key| range.contains(key)).take(limit);
                    let found: Vec<u8> = [u8::MAX].into_iter().chain(found.copied()).collect();
                    prop_assert_eq!(values(&out), found);
                }
            }
            assert_sound(&index);
        }
        let mut all = Vec::new();
        index.ascending(Unbounded, Unbounded, usize::MAX, &mut all);
        prop_assert_eq!(values(&all), expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn ascending_insertion_leaves_full_leaves_behind() {
    let index = new(8, 0..100);
    let sizes = leaf_sizes(&index);
    assert_eq!(sizes.len(), 13);
    assert!(sizes[..12].iter().all(|size| *size == 8), "{sizes:?}");
}

#[test]
fn random_insertion_leaves_no_leaf_less_than_half_full() {
    let index = new(8, (0..1_000_u32).map(|key| key.wrapping_mul(0x9e37_79b9)));
    let sizes = leaf_sizes(&index);
    assert!(sizes.iter().all(|size| *size >= 4), "{sizes:?}");
}

#[test]
fn what_is_left_of_many_keys_is_in_few_leaves() {
    for stride in [1, 3, 7, 61] {
        let index = new(16, 0..4_096);
        let leaves = leaf_sizes(&index).len();
        for key in (0..4_096).map(|step| step * stride % 4_096).filter(|key| key % 64 != 0) {
            index.remove(&key).expect("it is there");
        }
        assert_sound(&index);
        let left = leaf_sizes(&index);
        assert_eq!(left.iter().sum::<usize>(), 64);
        assert!(left.len() <= leaves / 16, "{} of {leaves}: {left:?}", left.len());
    }
}

#[test]
fn leaves_hold_little_room_that_is_not_used() {
    let room = |index: &Index<u32>| -> usize {
        index.top.read().leaves.iter().map(|leaf| leaf.read().capacity()).sum()
    };
    let random = || (0..20_000_u32).map(|key| key.wrapping_mul(0x9e37_79b9));
    let index = new(LEAF_KEYS, random());
    assert!(room(&index) <= index.len() * 5 / 4, "{} for {}", room(&index), index.len());
    for key in random().filter(|key| key % 61 > 0) {
        index.remove(&key).expect("it is there");
    }
    assert!(room(&index) <= index.len() * 4, "{} for {}", room(&index), index.len());
}

#[test]
fn an_index_can_be_emptied_from_both_ends() {
    for keys in [Vec::from_iter(0..100), Vec::from_iter((0..100).rev())] {
        let index = new(4, 0..100);
        for key in keys {
            assert_eq!(index.remove(&key).as_deref(), Some(&key));
            assert_sound(&index);
        }
        assert_eq!(leaf_sizes(&index), [0]);
        index.insert(Arc::new(7));
        assert_eq!(index.len(), 1);
    }
}

/// All keys in pages, and whether they are in order.
fn pages(index: &Index<u32>, page: usize, is_ascending: bool) -> Vec<u32> {
    let mut all: Vec<u32> = Vec::new();
    loop {
        let mut out = Vec::new();
        match (all.last(), is_ascending) {
            (None, true) => index.ascending(Unbounded, Unbounded, page, &mut out),
            (Some(last), true) => index.ascending(Excluded(last), Unbounded, page, &mut out),
            (None, false) => index.descending(Unbounded, Unbounded, page, &mut out),
            (Some(last), false) => index.descending(Unbounded, Excluded(last), page, &mut out),
        }
        all.extend(out.iter().map(|key| **key));
        if out.len() < page {
            break;
        }
    }
    if !is_ascending {
        all.reverse();
    }
    assert!(all.is_sorted_by(|left, right| left < right), "out of order, or twice: {all:?}");
    all
}

#[test]
fn pages_have_every_key_that_stays_while_others_come_and_go() {
    const STAYING: u32 = 200;
    const STRIDES: [usize; 3] = [1, 7, 199];
    // Every fourth key stays; each of three writers has the keys after it.
    let index = new(4, (0..STAYING).map(|key| key * 4));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = [(7, true), (usize::MAX, true), (7, false), (usize::MAX, false)]
            .into_iter()
            .map(|(page, is_ascending)| {
                let (index, is_over) = (&index, &is_over);
                scope.spawn(move || {
                    while !is_over.load(Relaxed) {
                        let found = pages(index, page, is_ascending);
                        let staying: Vec<u32> =
                            found.into_iter().filter(|key| key % 4 == 0).collect();
                        assert!(staying.into_iter().eq((0..STAYING).map(|key| key * 4)));
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (1..4)
            .map(|writer| {
                let index = &index;
                scope.spawn(move || {
                    for stride in STRIDES.repeat(100) {
                        let own = (0..STAYING).map(|key| key * 4 + writer);
                        let own = Vec::from_iter(own);
                        let order = || (0..own.len()).map(|step| own[step * stride % own.len()]);
                        order().for_each(|key| index.insert(Arc::new(key)));
                        for key in order() {
                            let removed = index.remove(&key).expect("nobody else removes it");
                            assert_eq!(*removed, key);
                        }
                    }
                })
            })
            .collect();
        let outcomes: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        is_over.store(true, Relaxed);
        outcomes.into_iter().for_each(|outcome| outcome.expect("no writer panics"));
        readers.into_iter().for_each(|reader| reader.join().expect("no reader panics"));
    });
    assert_sound(&index);
    assert!(pages(&index, 10, true).into_iter().eq((0..STAYING).map(|key| key * 4)));
}

thread_local! {
    /// How many more comparisons there may be before one panics.
    static FUSE: Cell<Option<u32>> = const { Cell::new(None) };
    static DROPPED_UNDER_A_LOCK: Cell<u32> = const { Cell::new(0) };
}

/// A key that panics when its time has come, and looks at the locks of its index when it is dropped.
struct Picky {
    key: u8,
    index: Weak<Index<Picky>>,
}

impl Drop for Picky {
    fn drop(&mut self) {
        let Some(index) = self.index.upgrade() else { return };
        let is_free = index
            .top
            .try_write()
            .is_some_and(|top| top.leaves.iter().all(|leaf| leaf.try_write().is_some()));
        if !is_free {
            DROPPED_UNDER_A_LOCK.set(DROPPED_UNDER_A_LOCK.get() + 1);
        }
    }
}

impl Ord for Picky {
    fn cmp(&self, other: &Self) -> Ordering {
        if let Some(left) = FUSE.get() {
            FUSE.set(left.checked_sub(1));
            assert!(left > 0, "a comparison that panics");
        }
        self.key.cmp(&other.key)
    }
}

impl PartialOrd for Picky {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Picky {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Picky {}

type Picked = Shared<Index<Picky>>;

fn picky(key: u8, index: &Picked) -> Picky {
    Picky { key, index: Shared::downgrade(index) }
}

fn keys(index: &Picked) -> Vec<u8> {
    let mut out = Vec::new();
    index.ascending(Unbounded, Unbounded, usize::MAX, &mut out);
    out.iter().map(|key| key.key).collect()
}

/// Leaves of four: 10 20 | 30 40 | 50 60 70 80 | 90 100 110 120, and `extra`.
fn picked(extra: &[u8]) -> Picked {
    let index: Picked = Shared::new(Index::with_leaves_of(4));
    let insert = |key| index.insert(Arc::new(picky(key, &index)));
    (1..=12).for_each(|key| insert(key * 10));
    insert(25);
    index.remove(&picky(25, &index)).expect("it is there");
    assert_eq!(leaf_sizes(&index), [2, 2, 4, 4]);
    extra.iter().copied().for_each(insert);
    index
}

#[test]
fn a_panic_in_ord_changes_nothing_and_no_key_is_dropped_under_a_lock() {
    fn insert(key: u8) -> impl Fn(&Picked) {
        move |index: &Picked| index.insert(Arc::new(picky(key, index)))
    }
    fn remove(key: u8) -> impl Fn(&Picked) {
        move |index: &Picked| drop(index.remove(&picky(key, index)))
    }
    type Run = Box<dyn Fn(&Picked)>;
    let cases: Vec<(&str, &[u8], Run)> = vec![
        ("insert with room", &[], Box::new(insert(15))),
        ("insert into a full leaf", &[], Box::new(insert(65))),
        ("append", &[], Box::new(insert(130))),
        ("remove", &[], Box::new(remove(60))),
        ("remove a separator", &[], Box::new(remove(50))),
        ("remove and merge", &[], Box::new(remove(40))),
        ("remove the last of a leaf", &[130], Box::new(remove(130))),
        ("remove what is not there", &[], Box::new(remove(65))),
        (
            "ascending",
            &[],
            Box::new(|index| {
                let (start, end) = (picky(20, index), picky(100, index));
                index.ascending(Included(&start), Excluded(&end), 100, &mut Vec::new());
            }),
        ),
        (
            "descending",
            &[],
            Box::new(|index| {
                let (start, end) = (picky(20, index), picky(100, index));
                index.descending(Included(&start), Excluded(&end), 100, &mut Vec::new());
            }),
        ),
    ];
    for (name, extra, run) in cases {
        let mut panics = 0;
        loop {
            let index = picked(extra);
            let (before, sizes) = (keys(&index), leaf_sizes(&index));
            FUSE.set(Some(panics));
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&index)));
            FUSE.set(None);
            assert_eq!(DROPPED_UNDER_A_LOCK.get(), 0, "{name}, {panics}");
            assert_sound(&index);
            if outcome.is_ok() {
                break;
            }
            assert_eq!((keys(&index), leaf_sizes(&index)), (before, sizes), "{name}, {panics}");
            run(&index);
            assert_sound(&index);
            panics += 1;
        }
        assert!(panics > 1, "{name}: it compares");
    }
}

#[test]
fn no_key_is_dropped_under_a_lock() {
    let index: Picked = Shared::new(Index::with_leaves_of(4));
    for round in 0..20_u8 {
        let stride = [1, 7, 11, 13][usize::from(round % 4)];
        let order =
            || (0..100_u8).map(|step| u8::try_from(u32::from(step) * stride % 100).unwrap());
        order().for_each(|key| index.insert(Arc::new(picky(key, &index))));
        for key in order().filter(|key| round % 2 == 0 || key % 3 > 0) {
            index.remove(&picky(key, &index));
        }
        order().filter(|key| round % 2 == 1 && key % 3 == 0).for_each(|key| {
            index.remove(&picky(key, &index));
        });
        assert_sound(&index);
    }
    assert_eq!(DROPPED_UNDER_A_LOCK.get(), 0);
}

/// Else each scan of a few keys would read all leaves after them.
#[test]
fn a_scan_reads_no_further_than_its_range() {
    let index: Picked = Shared::new(Index::with_leaves_of(4));
    (0..=250).for_each(|key| index.insert(Arc::new(picky(key, &index))));
    let (start, end) = (picky(100, &index), picky(103, &index));
    for scan in [Index::ascending, Index::descending] {
        let mut found = Vec::new();
        FUSE.set(Some(100));
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            scan(&index, Included(&start), Excluded(&end), 100, &mut found);
        }));
        FUSE.set(None);
        assert!(outcome.is_ok(), "it compares a hundred times and more");
        assert_eq!(found.len(), 3);
    }
}

#[test]
#[cfg(feature = "log")]
fn an_index_of_keys_in_order_is_as_if_they_had_been_inserted() {
    for leaf_keys in [2, 3, 8, 9] {
        for count in 0..100_u32 {
            let index = Index::of_sorted(leaf_keys, (0..count).map(Arc::new));
            assert_sound(&index);
            assert_eq!(u32::try_from(index.len()), Ok(count), "{leaf_keys} a leaf");
            let sizes = leaf_sizes(&index);
            let filled = leaf_keys - leaf_keys / 8;
            assert!(sizes.iter().rev().skip(1).all(|size| *size == filled), "{sizes:?}");
            index.insert(Arc::new(count));
            assert_eq!(index.remove(&0).map(|key| *key), Some(0));
            assert_sound(&index);
        }
    }
}

#[test]
#[cfg(feature = "log")]
fn an_index_of_keys_in_any_order_has_them_in_order() {
    let random = |number: u32| number.wrapping_mul(0x9e37_79b9);
    // Few, and so many that two threads sort them; in order, backwards, in no order, and the first part of them in order.
    for count in [0, 1, 2, 3, 1_000, 50_000_u32] {
        let cases: [Vec<u32>; 4] = [
            (0..count).collect(),
            (0..count).rev().collect(),
            (0..count).map(random).collect(),
            (0..count / 3)
                .chain((count / 3..count).rev().step_by(2))
                .chain((count / 3..count).rev().skip(1).step_by(2))
                .collect(),
        ];
        for keys in cases {
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            let index = Index::of(keys.into_iter().map(Arc::new).collect());
            assert_sound(&index);
            let mut all = Vec::new();
            index.ascending(Unbounded, Unbounded, usize::MAX, &mut all);
            assert_eq!(values(&all), sorted);
        }
    }
}
