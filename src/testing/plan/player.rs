//! Plays a plan, as one client.

use std::hash::{BuildHasher, Hash};

use super::memory::Memory;
use super::{Planned, PlannedTxn};
use crate::backend::Backend;
use crate::commit_error::CommitError;
use crate::error::WriteError;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::testing::recorded::{PendingClient, RecordedBackend, StoreClient};

/// One client that plays its plan: what it knows of revisions.
///
/// What it is answered is in the history, and nowhere else: errors, too, are no failure of the plan.
#[derive(Clone, Debug)]
pub struct Player<K> {
    memory: Memory<K>,
}

/// What was submitted, and is waited for.
type Submitted<'a, K, V, S> = (&'a PlannedTxn<K, V>, PendingClient<'a, K, V, S>);

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
        let mut submitted: Option<Submitted<'_, K, V, S>> = None;
        for step in plan {
            let before = submitted.take();
            match step {
                Planned::Submit(txn) => {
                    submitted = Some((txn, client.submit(self.memory.txn(txn))));
                }
                step => self.step(step, client),
            }
            if let Some((txn, pending)) = before {
                self.committed(&txn.changes, pending.wait());
            }
        }
        if let Some((txn, pending)) = submitted {
            self.committed(&txn.changes, pending.wait());
        }
    }

    /// Plays one step, on this thread. A [`Submit`](Planned::Submit) is waited for.
    pub fn step<V, S>(&mut self, step: &Planned<K, V>, client: &StoreClient<K, V, S>)
    where
        V: Clone,
        S: BuildHasher,
    {
        match step {
            Planned::Get(key) => {
                let entry = client.get(key);
                self.memory.see(key, entry.map(|entry| entry.revision()));
            }
            Planned::Put { key, value, expect } => {
                let precondition = self.memory.precondition(key, *expect);
                let told = client.put_if(key, value.clone(), precondition);
                self.written(key, told.map(Some));
            }
            Planned::Delete { key, expect } => {
                let told = client.delete_if(key, self.memory.precondition(key, *expect));
                if let Ok(Some(deleted)) = &told {
                    self.memory.see(key, Some(deleted.previous().revision()));
                    self.memory.hear(deleted.revision());
                }
                self.written(key, told.map(|_| None));
            }
            Planned::Update { key, value } => {
                let told = client.update(key, |_| value.clone());
                self.written(key, told.map(Some));
            }
            Planned::Commit(txn) => {
                self.committed(&txn.changes, client.commit(self.memory.txn(txn)));
            }
            Planned::Submit(txn) => {
                self.committed(&txn.changes, client.submit(self.memory.txn(txn)).wait());
            }
            Planned::Transact { reads, changes } => self.transact(reads, changes, client),
            Planned::Scan(range) => {
                for (key, entry) in client.scan(range) {
                    self.memory.see(&key, Some(entry.revision()));
                }
            }
            Planned::Revision => self.memory.hear(client.revision()),
        }
    }

    fn transact<V, S>(
        &mut self,
        reads: &[KeyRange<K>],
        changes: &[(K, Option<V>)],
        client: &StoreClient<K, V, S>,
    ) where
        V: Clone,
        S: BuildHasher,
    {
        let told = client.transact(|transaction| {
            let mut seen = Vec::new();
            for range in reads {
                let found = transaction.range(range)?;
                seen.extend(found.into_iter().map(|(key, read)| (key, read.revision())));
            }
            for (key, value) in changes {
                match value {
                    Some(value) => transaction.put(key, value.clone()),
                    None => transaction.delete(key),
                }
            }
            Ok(seen)
        });
        for (key, revision) in told.unwrap_or_default() {
            self.memory.see(&key, revision);
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
            Planned::Get(key) => self.look(key, backend).await,
            Planned::Put { key, value, expect } => {
                let precondition = self.memory.precondition(key, *expect);
                let told = backend.put_if(key.clone(), value.clone(), precondition).await;
                self.written(key, told.map(|written| Some(written.revision())));
            }
            Planned::Delete { key, expect } => {
                let precondition = self.memory.precondition(key, *expect);
                let told = backend.delete_if(key.clone(), precondition).await;
                self.written(key, told.map(|_| None));
            }
            Planned::Update { key, value } => {
                self.look(key, backend).await;
                let precondition = self.memory.precondition(key, super::Expect::Seen);
                let told = backend.put_if(key.clone(), value.clone(), precondition).await;
                self.written(key, told.map(|written| Some(written.revision())));
            }
            Planned::Commit(txn) | Planned::Submit(txn) => {
                let told = backend.commit(self.memory.txn(txn)).await;
                self.committed(&txn.changes, told);
            }
            Planned::Transact { reads, changes } => {
                let mut seen = Vec::new();
                for range in reads {
                    if let Some(revision) = self.scan(range, backend).await {
                        seen.push((range.clone(), revision));
                    }
                }
                let told = backend.commit(self.memory.txn_since(&seen, changes)).await;
                self.committed(changes, told);
            }
            Planned::Scan(range) => drop(self.scan(range, backend).await),
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
        found.iter().for_each(|(key, entry)| self.memory.see(key, Some(entry.revision())));
        self.memory.hear(revision);
        Some(revision)
    }

    /// What is at the key now, for all that this client was told.
    fn written<V>(&mut self, key: &K, told: Result<Option<Revision>, WriteError<K, V>>) {
        match told {
            Ok(revision) => self.memory.see(key, revision),
            Err(WriteError::Conflict(conflict)) => {
                self.memory.see_conflicts(std::slice::from_ref(&conflict));
            }
            Err(_) => {}
        }
    }

    fn committed<V>(
        &mut self,
        changes: &[(K, Option<V>)],
        told: Result<Revision, CommitError<K, V>>,
    ) {
        match told {
            Ok(revision) => self.memory.see_changes(changes, revision),
            Err(error) => self.memory.see_conflicts(error.conflicts()),
        }
    }
}
