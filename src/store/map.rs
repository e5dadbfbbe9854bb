//! All that is in memory: the shards, the ordered index of their keys, the one order of commits; and what follows when
//! a version is no longer needed.

use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use crate::key::AsKey;
use crate::log::Superseded;
use crate::sync::Arc;
use crate::versioned::Versioned;

use super::index::Index;
use super::retention::Visit;
use super::sequencer::{Aftermath, Sequencer, State};
use super::shards::{Several, Shards};
use super::table::Slot;
use super::versions::{Garbage, Left, Versions};

/// Snapshots, scans and the log's threads share it with the store.
pub(super) struct Map<K, V, S> {
    pub(super) shards: Shards<K, V, S>,
    pub(super) index: Index<K>,
    /// Watchers share this with the store, and nothing else.
    pub(super) sequencer: Arc<Sequencer<K, V>>,
}

impl<K, V, S> Map<K, V, S> {
    pub(super) fn new(
        shards: Shards<K, V, S>,
        index: Index<K>,
        sequencer: Sequencer<K, V>,
    ) -> Self {
        Self { shards, index, sequencer: Arc::new(sequencer) }
    }
}

impl<K, V, S: BuildHasher> Map<K, V, S> {
    /// The entry of a key that is shown.
    pub(super) fn shown<Q: AsKey<K>, T>(
        &self,
        key: &Q,
        look: impl FnOnce(&Versioned<V>) -> T,
    ) -> Option<T> {
        self.shards.read(key, |versions| {
            // Read under the shard's lock: what is shown then is not taken out before the lock is given back.
            let entry = match self.sequencer.frontier() {
                None => versions.newest().1,
                Some(frontier) => versions.at(frontier.durable()),
            };
            entry.map(look)
        })
    }

    /// The entries of some keys of the index at a pinned revision, in the order of the keys.
    pub(super) fn some_at(
        &self,
        keys: &[triomphe::Arc<K>],
        revision: u64,
    ) -> Several<Option<Versioned<V>>>
    where
        K: AsKey<K>,
    {
        self.shards.read_some(keys, |versions| versions.at(revision))
    }

    /// The entry of a key at a pinned revision.
    pub(super) fn at<Q: AsKey<K>>(&self, key: &Q, revision: u64) -> Option<Versioned<V>> {
        self.shards.read(key, |versions| versions.at(revision).cloned())
    }
}

impl<K: Ord, V, S> Map<K, V, S> {
    /// Takes a key out of the index whose slot is gone. If the order of keys panics, which its hook has reported, the key
    /// stays there and does no harm: the commit has happened, and nothing may fail any more.
    pub(super) fn unlist(&self, key: &K) -> Option<triomphe::Arc<K>> {
        catch_unwind(AssertUnwindSafe(|| self.index.remove(key))).ok().flatten()
    }

    /// What a commit left to be done; no lock is held.
    pub(super) fn settle(&self, aftermath: &mut Aftermath<K, V>) {
        self.visit(&aftermath.visits);
        if aftermath.has_sleepers() {
            wake(aftermath.take_wakers());
        }
        aftermath.drop_evicted();
    }

    /// Takes a snapshot's pin back.
    pub(super) fn unpin(&self, revision: u64, counted: bool) {
        let visits = self.sequencer.unpin(revision, counted);
        self.visit(&visits);
    }

    /// A batch of the log became durable, which superseded versions; or the log ended.
    pub(super) fn follow(&self, superseded: &[Superseded]) -> Vec<Waker> {
        let mut aftermath = self.sequencer.follow(superseded);
        self.visit(&aftermath.visits);
        let wakers = aftermath.take_wakers();
        aftermath.drop_evicted();
        wakers
    }

    /// Takes out what is no longer needed.
    fn visit(&self, visits: &[Visit]) {
        for &visit in visits {
            // A panic in somebody's drop, or in the key's order, has been reported by the panic hook. It must not keep
            // the memory of other keys.
            let _reported = catch_unwind(AssertUnwindSafe(|| self.take_out(visit)));
        }
    }

    fn take_out(&self, Visit { hash, from }: Visit) {
        let mut garbage = Garbage::new();
        let mut removed = Vec::new();
        let mut table = self.shards.write(hash);
        // What is decided here stays so: pins come and go, and revisions are given, only under this lock.
        let mut state = self.sequencer.lock();
        let shown = self.sequencer.shown();
        let mut gone = 0_usize;
        for slot in table.iter_hash_mut(hash) {
            let left = trim(&mut slot.versions, (hash, from), shown, &mut state, &mut garbage);
            if is_gone(left, shown) {
                gone += 1;
            }
        }
        drop(state);
        for _ in 0..gone {
            let is_gone = |slot: &Slot<K, V>| {
                slot.versions.lone_tombstone().is_some_and(|revision| revision.get() <= shown)
            };
            if let Ok(entry) = table.find_entry(hash, is_gone) {
                let slot = entry.remove().0;
                let indexed = self.unlist(&slot.key);
                removed.push((slot, indexed));
                self.sequencer.lock().retention.count_kept(-1);
            }
        }
        drop(table);
        drop((garbage, removed));
    }
}

fn is_gone(left: Left, shown: u64) -> bool {
    matches!(left, Left::Tombstone(revision) if revision.get() <= shown)
}

fn trim<K, V>(
    versions: &mut Versions<V>,
    (hash, from): (u64, Option<u64>),
    shown: u64,
    state: &mut State<K, V>,
    garbage: &mut Garbage<V>,
) -> Left {
    versions.trim(
        from,
        shown,
        |version| {
            let needed = state.retention.needs(version, shown);
            if needed {
                state.retention.note_again(hash, version, shown);
            } else {
                state.retention.give_up(version.span.until);
                state.retention.count_kept(-1);
            }
            needed
        },
        garbage,
    )
}

/// Wakes, whatever the wakers do.
pub(super) fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        let _reported = catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
}
