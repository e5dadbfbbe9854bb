//! Plays a plan, as one client.

use std::hash::{BuildHasher, Hash};
use std::ops::Bound;

use super::Planned;
use super::later::Later;
use super::memory::Memory;
use crate::backend::Backend;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::store::Read;
use crate::testing::recorded::{RecordedBackend, StoreClient};
use crate::versioned::Versioned;

/// One client that plays its plan: what it knows of revisions.
///
/// What it is answered is in the history, and nowhere else: errors, too, are no failure of the plan.
#[derive(Clone, Debug)]
pub struct Player<K> {
    memory: Memory<K>,
}

fn revisions<K: Clone, V>(found: &[(K, Versioned<V>)]) -> Vec<(K, Revision)> {
    found.iter().map(|(key, entry)| (key.clone(), entry.revision())).collect()
}

/// The key of a range of one. (It may be of one and look otherwise.)
fn only<K: PartialEq>(range: &KeyRange<K>) -> Option<&K> {
    match (range.start(), range.end()) {
        (Bound::Included(first), Bound::Included(last)) if first == last => Some(first),
        _ => None,
    }
}

impl<K> Default for Player<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Player<K> {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { memory: Memory::new() }
    }
}

impl<K: Clone + Hash + Ord> Player<K> {
    /// Plays all steps, on this thread.
    pub fn play<V, S>(&mut self, plan: &[Planned<K, V>], client: &StoreClient<K, V, S>)
    where
        V: Clone,
        S: BuildHasher,
    {
        self.play_with(plan, client, || {});
    }

    /// Plays all steps, on this thread, and does this after each, and between what a closure reads and its commit: gives way to
    /// others there, or waits a moment, so that they meet.
    pub fn play_with<V, S>(
        &mut self,
        plan: &[Planned<K, V>],
        client: &StoreClient<K, V, S>,
        mut between: impl FnMut(),
    ) where
        V: Clone,
        S: BuildHasher,
    {
        let mut later = None;
        for step in plan {
            let before = later.take();
            later = Later::begin(step, &self.memory, client);
            if later.is_none() {
                self.step_with(step, client, &mut between);
            }
            if let Some(before) = before {
                before.end(&mut self.memory);
            }
            between();
        }
        if let Some(later) = later {
            later.end(&mut self.memory);
        }
    }

    /// Plays one step, on this thread. What would come to its end later does at once.
    pub fn step<V, S>(&mut self, step: &Planned<K, V>, client: &StoreClient<K, V, S>)
    where
        V: Clone,
        S: BuildHasher,
    {
        self.step_with(step, client, &mut || {});
    }

    fn step_with<V, S>(
        &mut self,
        step: &Planned<K, V>,
        client: &StoreClient<K, V, S>,
        between: &mut impl FnMut(),
    ) where
        V: Clone,
        S: BuildHasher,
    {
        match step {
            Planned::Get(key) => {
                let entry = client.get(key);
                self.memory.see(key, entry.map(|entry| entry.revision()));
            }
            Planned::Contains(key) => {
                let _recorded = client.contains(key);
            }
            Planned::Put { key, value, expect } => {
                let precondition = self.memory.precondition(key, *expect);
                let told = client.put_if(key, value.clone(), precondition);
                self.memory.written(key, told.map(Some));
            }
            Planned::Delete { key, expect } => {
                let told = client.delete_if(key, self.memory.precondition(key, *expect));
                self.memory.deleted(key, told);
            }
            Planned::Update { key, value } => {
                let told = client.update(key, |_| {
                    between();
                    value.clone()
                });
                self.memory.written(key, told.map(Some));
            }
            Planned::Commit(txn) => {
                self.memory.committed(&txn.changes, client.commit(self.memory.txn(txn)));
            }
            Planned::Submit(_)
            | Planned::SubmitPut { .. }
            | Planned::SubmitDelete { .. }
            | Planned::Snapshot(_) => {
                if let Some(later) = Later::begin(step, &self.memory, client) {
                    later.end(&mut self.memory);
                }
            }
            Planned::Transact { reads, changes } => {
                self.transact(reads, changes, client, between);
            }
            Planned::Scan(range) => {
                self.memory.see_range(range, &revisions(&client.scan(range)));
            }
            Planned::Len => {
                let _recorded = client.len();
            }
            Planned::Revision => self.memory.hear(client.revision()),
        }
    }

    fn transact<V, S>(
        &mut self,
        reads: &[KeyRange<K>],
        changes: &[(K, Option<V>)],
        client: &StoreClient<K, V, S>,
        between: &mut impl FnMut(),
    ) where
        V: Clone,
        S: BuildHasher,
    {
        let told = client.transact_at(|transaction| {
            let mut seen = Vec::new();
            for range in reads {
                let found = match only(range) {
                    Some(key) => {
                        let read = transaction.get(key)?;
                        read.map(|read| (key.clone(), read)).into_iter().collect()
                    }
                    None => transaction.range(range)?,
                };
                // It has written nothing itself yet.
                let revision = |(key, read): (K, Read<V>)| Some((key, read.revision()?));
                seen.push((range, found.into_iter().filter_map(revision).collect::<Vec<_>>()));
            }
            between();
            for (key, value) in changes {
                match value {
                    Some(value) => transaction.put(key, value.clone()),
                    None => transaction.delete(key),
                }
            }
            Ok(seen)
        });
        if let Ok((seen, revision)) = told {
            seen.iter().for_each(|(range, found)| self.memory.see_range(range, found));
            self.memory.see_changes(changes, revision);
        }
    }

    /// Plays all steps against a backend. What a backend has no call for is done by those it has: an update is a read and a
    /// write with what was read as its precondition, a closure is reads at one revision and a commit that requires that
    /// nothing changed there since.
    pub async fn play_on<B, V>(
        &mut self,
        plan: &[Planned<K, V>],
        backend: &RecordedBackend<B, K, V>,
    ) where
        B: Backend<K, V>,
        K: Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        for step in plan {
            self.step_on(step, backend).await;
        }
    }

    /// Plays one step against a backend.
    pub async fn step_on<B, V>(&mut self, step: &Planned<K, V>, backend: &RecordedBackend<B, K, V>)
    where
        B: Backend<K, V>,
        K: Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        match step {
            Planned::Get(key) | Planned::Contains(key) => self.look(key, backend).await,
            Planned::Put { key, value, expect } | Planned::SubmitPut { key, value, expect } => {
                let precondition = self.memory.precondition(key, *expect);
                let told = backend.put_if(key.clone(), value.clone(), precondition).await;
                self.memory.written(key, told.map(|written| Some(written.revision())));
            }
            Planned::Delete { key, expect } | Planned::SubmitDelete { key, expect } => {
                let precondition = self.memory.precondition(key, *expect);
                let told = backend.delete_if(key.clone(), precondition).await;
                self.memory.written(key, told.map(|_| None));
            }
            Planned::Update { key, value } => {
                self.look(key, backend).await;
                let precondition = self.memory.precondition(key, super::Expect::Seen);
                let told = backend.put_if(key.clone(), value.clone(), precondition).await;
                self.memory.written(key, told.map(|written| Some(written.revision())));
            }
            Planned::Commit(txn) | Planned::Submit(txn) => {
                let told = backend.commit(self.memory.txn(txn)).await;
                self.memory.committed(&txn.changes, told);
            }
            Planned::Transact { reads, changes } => {
                let mut seen = Vec::new();
                for range in reads {
                    if let Some(revision) = self.scan(range, backend).await {
                        seen.push((range.clone(), revision));
                    }
                }
                let told = backend.commit(self.memory.txn_since(&seen, changes)).await;
                self.memory.committed(changes, told);
            }
            Planned::Scan(range) | Planned::Snapshot(range) => {
                self.scan(range, backend).await;
            }
            Planned::Len => {
                self.scan(&KeyRange::all(), backend).await;
            }
            Planned::Revision => {
                if let Ok(status) = backend.status().await {
                    self.memory.hear(status.revision);
                }
            }
        }
    }

    async fn look<B, V>(&mut self, key: &K, backend: &RecordedBackend<B, K, V>)
    where
        B: Backend<K, V>,
        K: Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        if let Ok(entry) = backend.get(key).await {
            self.memory.see(key, entry.map(|entry| entry.revision()));
        }
    }

    async fn scan<B, V>(
        &mut self,
        range: &KeyRange<K>,
        backend: &RecordedBackend<B, K, V>,
    ) -> Option<Revision>
    where
        B: Backend<K, V>,
        K: Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let (revision, found) = backend.scan(range.clone()).await.ok()?;
        self.memory.see_range(range, &revisions(&found));
        self.memory.hear(revision);
        Some(revision)
    }
}
