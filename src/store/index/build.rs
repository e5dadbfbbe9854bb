//! The index of many keys at once, as a store has them that is opened: sorted and laid into leaves, by two threads if there are
//! many. Inserting them one by one takes several times as long, and leaves the leaves less full.

use std::panic::resume_unwind;

use triomphe::Arc;

use crate::sync::{RwLock, ScopedThread, scope, size};

use super::{Index, LEAF_KEYS, Leaf};

/// Fewer keys are put in order by one thread.
const BY_TWO: usize = size(1 << 15, usize::MAX);

#[allow(clippy::vec_box, reason = "as the index has them")]
type Leaves<K> = Vec<Box<Leaf<K>>>;

impl<K: Ord + Send + Sync> Index<K> {
    /// Of all these keys, none of which is there twice. Often the first many are in order.
    pub(in crate::store) fn of(mut keys: Vec<Arc<K>>) -> Self {
        let by_two = keys.len() >= BY_TWO;
        let in_order =
            keys.windows(2).position(|pair| pair[0] > pair[1]).map_or(keys.len(), |at| at + 1);
        let mut ones = keys.split_off(in_order);
        let mut others = ones.split_off(ones.len() / 2);
        both(by_two, || ones.sort(), || others.sort());
        let (lower, upper) = halves([keys, ones, others]);
        let merged = |[keys, ones, others]: [Vec<_>; 3]| merged(keys, merged(ones, others));
        let (mut leaves, upper) =
            both(by_two, || leaves(LEAF_KEYS, merged(lower)), || leaves(LEAF_KEYS, merged(upper)));
        leaves.extend(upper);
        Self::of_leaves(LEAF_KEYS, leaves)
    }
}

impl<K: Ord> Index<K> {
    /// Of leaves none of which is empty.
    fn of_leaves(leaf_keys: usize, leaves: Leaves<K>) -> Self {
        let index = Self::with_leaves_of(leaf_keys);
        if !leaves.is_empty() {
            let mut top = index.top.write();
            let first_keys = leaves.iter().skip(1).map(|leaf| Arc::clone(&leaf.read()[0]));
            top.separators = first_keys.collect();
            top.leaves = leaves;
        }
        index
    }

    #[cfg(all(test, not(ifmatch_model)))]
    pub(super) fn of_sorted(leaf_keys: usize, keys: impl Iterator<Item = Arc<K>>) -> Self {
        Self::of_leaves(leaf_keys, leaves(leaf_keys, keys))
    }
}

/// Sorted keys in leaves, with room, so that the next keys do not split each of them.
fn leaves<K>(leaf_keys: usize, mut keys: impl Iterator<Item = Arc<K>>) -> Leaves<K> {
    let filled = leaf_keys - leaf_keys / 8;
    let next = || {
        let mut leaf = Vec::with_capacity(filled);
        leaf.extend(keys.by_ref().take(filled));
        (!leaf.is_empty()).then(|| Box::new(RwLock::new(leaf)))
    };
    std::iter::from_fn(next).collect()
}

/// Sorted runs, in two about equal parts: all keys of the second are after those of the first.
fn halves<T: Ord + Clone, const N: usize>(mut runs: [Vec<T>; N]) -> ([Vec<T>; N], [Vec<T>; N]) {
    let longest = runs.iter().max_by_key(|run| run.len());
    let middle = longest.and_then(|run| run.get(run.len() / 2)).cloned();
    let upper = runs.each_mut().map(|run| {
        let at = run.partition_point(|key| middle.as_ref().is_some_and(|middle| key < middle));
        run.split_off(at)
    });
    (runs, upper)
}

/// Two sorted sequences as one.
fn merged<T: Ord>(
    ones: impl IntoIterator<Item = T>,
    others: impl IntoIterator<Item = T>,
) -> impl Iterator<Item = T> {
    let (mut ones, mut others) = (ones.into_iter().peekable(), others.into_iter().peekable());
    std::iter::from_fn(move || match (ones.peek(), others.peek()) {
        (Some(one), Some(other)) if other < one => others.next(),
        (None, _) => others.next(),
        _ => ones.next(),
    })
}

/// Does both, at the same time if that is asked for and another thread can be had.
fn both<A, B: Send>(
    at_once: bool,
    one: impl FnOnce() -> A,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    if !at_once {
        return (one(), other());
    }
    let mut other = Some(other);
    let (one, done) = scope(|scope| {
        let work = || other.take().map(|other| other());
        let thread = ScopedThread::new().name("ifmatch-index".to_owned());
        let thread = thread.spawn_scoped(scope, work);
        let one = one();
        (
            one,
            thread
                .map_or(None, |thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))),
        )
    });
    let done = done.or_else(|| other.take().map(|other| other()));
    (one, done.expect("it is done there, or here"))
}
