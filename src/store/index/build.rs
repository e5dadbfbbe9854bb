//! The index of many keys at once, as a store has them that is opened: sorted, by two threads if there are many, and laid into
//! leaves. Inserting them one by one takes several times as long, and leaves the leaves less full.

use std::panic::resume_unwind;

use triomphe::Arc;

use crate::sync::{RwLock, ScopedThread, scope, size};

use super::{Index, LEAF_KEYS};

/// Half of them: fewer are sorted by one thread.
const TOGETHER: usize = size(1 << 14, usize::MAX);

impl<K: Ord + Send + Sync> Index<K> {
    /// Of all these keys, none of which is there twice. Often the first many are in order.
    pub(in crate::store) fn of(mut keys: Vec<Arc<K>>) -> Self {
        let in_order =
            keys.windows(2).position(|pair| pair[0] > pair[1]).map_or(keys.len(), |at| at + 1);
        let mut ones = keys.split_off(in_order);
        let mut others = ones.split_off(ones.len() / 2);
        sort(&mut ones, &mut others);
        Self::of_sorted(LEAF_KEYS, merged(keys, merged(ones, others)))
    }
}

impl<K: Ord> Index<K> {
    /// Leaves are left with room, so that the next keys do not split each of them.
    pub(super) fn of_sorted(leaf_keys: usize, mut keys: impl Iterator<Item = Arc<K>>) -> Self {
        let index = Self::with_leaves_of(leaf_keys);
        let filled = leaf_keys - leaf_keys / 8;
        let mut top = index.top.write();
        top.leaves.clear();
        loop {
            let mut leaf = Vec::with_capacity(filled);
            leaf.extend(keys.by_ref().take(filled));
            match leaf.first() {
                None if !top.leaves.is_empty() => break,
                Some(first) if !top.leaves.is_empty() => top.separators.push(Arc::clone(first)),
                _ => {}
            }
            top.leaves.push(Box::new(RwLock::new(leaf)));
        }
        drop(top);
        index
    }
}

/// Sorts both: if they are many by two threads, if another can be had.
fn sort<T: Ord + Send>(ones: &mut [T], others: &mut [T]) {
    let mut others = Some(others);
    if ones.len() < TOGETHER {
        ones.sort();
    } else {
        scope(|scope| {
            let sort = || others.take().into_iter().for_each(<[T]>::sort);
            let thread = ScopedThread::new().name("ifmatch-index".to_owned());
            let thread = thread.spawn_scoped(scope, sort);
            ones.sort();
            if let Ok(thread) = thread
                && let Err(panic) = thread.join()
            {
                resume_unwind(panic);
            }
        });
    }
    // Those of fewer, or for want of a thread.
    others.into_iter().for_each(<[T]>::sort);
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
