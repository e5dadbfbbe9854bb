//! What was begun, and comes to an end after the step that comes next.

use std::hash::{BuildHasher, Hash};

use super::Planned;
use super::memory::Memory;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::store::{Deleted, Written};
use crate::testing::recorded::{PendingClient, SnapshotClient, StoreClient};

pub(super) enum Later<'a, K, V, S> {
    Commit(&'a [(K, Option<V>)], PendingClient<'a, K, V, Revision, S>),
    Put(&'a K, PendingClient<'a, K, V, Written, S>),
    Delete(&'a K, PendingClient<'a, K, V, Option<Deleted<V>>, S>),
    Read(&'a KeyRange<K>, SnapshotClient<K, V, S>),
}

impl<'a, K, V, S> Later<'a, K, V, S>
where
    K: Clone + Hash + Ord,
    V: Clone,
    S: BuildHasher,
{
    /// Begins a step, if it is one that ends later.
    pub(super) fn begin(
        step: &'a Planned<K, V>,
        memory: &Memory<K>,
        client: &'a StoreClient<K, V, S>,
    ) -> Option<Self> {
        Some(match step {
            Planned::Submit(txn) => Self::Commit(&txn.changes, client.submit(memory.txn(txn))),
            Planned::SubmitPut { key, value, expect } => {
                let precondition = memory.precondition(key, *expect);
                Self::Put(key, client.submit_put_if(key, value.clone(), precondition))
            }
            Planned::SubmitDelete { key, expect } => {
                let precondition = memory.precondition(key, *expect);
                Self::Delete(key, client.submit_delete_if(key, precondition))
            }
            Planned::Snapshot(range) => Self::Read(range, client.snapshot()),
            _ => return None,
        })
    }

    pub(super) fn end(self, memory: &mut Memory<K>) {
        match self {
            Self::Commit(changes, pending) => memory.committed(changes, pending.wait()),
            Self::Put(key, pending) => {
                memory.written(key, pending.wait().map(|written| Some(written.revision())));
            }
            Self::Delete(key, pending) => memory.deleted(key, pending.wait()),
            // What there is by now it does not tell: nothing of it is remembered.
            Self::Read(range, snapshot) => {
                let _recorded = (snapshot.scan(range), snapshot.len());
            }
        }
    }
}
