//! A backend whose calls are recorded, for tasks, and for what is built on backends.

use std::fmt;
use std::hash::Hash;

use super::{all_written, commit, deleted, settle, settle_commit};
use crate::backend::{Backend, BackendSnapshot, BackendStatus};
use crate::capability::Capability;
use crate::commit_error::CommitError;
use crate::error::{ReadError, WriteError};
use crate::event::WatchError;
use crate::history::KeyHistory;
use crate::identity::Identity;
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::store::{Deleted, Written};
use crate::testing::recorder::Client;
use crate::testing::store_model::{Entry, StoreOperation, StoreOutcome};
use crate::txn::Txn;
use crate::versioned::Versioned;

type Operation<K, V> = StoreOperation<K, V>;
type Outcome<K, V> = StoreOutcome<K, V>;

/// A [`Backend`] whose calls are recorded, and a backend itself: whatever runs on one, a router too, can be recorded below.
///
/// Each clone records as another client, of which the recorder keeps the calls until they are
/// [taken](crate::testing::Recorder::take): where a clone is made of each request, take them now and then. Of a snapshot its
/// revision is recorded, not what is read of it; reads of the past and watches are passed on, and not recorded.
///
/// Of a store elsewhere a history is whole only if nobody else writes there: what
/// [`StoreModel`](crate::testing::StoreModel#other-backends) says of that, and of etcd, holds of what is recorded.
pub struct RecordedBackend<B, K, V> {
    client: Client<Operation<K, V>, Outcome<K, V>>,
    backend: B,
}

impl<K, V> Client<Operation<K, V>, Outcome<K, V>> {
    /// This client's view of a backend.
    #[must_use]
    pub fn of_backend<B: Backend<K, V>>(self, backend: B) -> RecordedBackend<B, K, V>
    where
        K: Send,
        V: Send,
    {
        RecordedBackend { client: self, backend }
    }
}

/// How many entries a page of a scan has at most.
const PAGE: usize = 1000;

impl<B, K, V> RecordedBackend<B, K, V>
where
    B: Backend<K, V>,
    K: Clone + Hash + Ord + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// All entries of a range, of a snapshot that is taken for it, and its revision.
    ///
    /// # Errors
    /// As for [`Backend::snapshot`].
    pub async fn scan(&self, range: KeyRange<K>) -> Result<Scanned<K, V>, ReadError> {
        let open = self.client.begin(Operation::Scan(range.clone()));
        let told = read_all(&self.backend, range).await;
        match &told {
            Ok((revision, found)) => {
                let entries = found.iter().map(|(key, entry)| (key.clone(), Entry::from(entry)));
                let (revision, entries) = (Some(*revision), entries.collect());
                open.end(Outcome::Scanned { revision, entries });
            }
            Err(_) => open.discard(),
        }
        told
    }
}

/// A revision, and what was in a range then.
type Scanned<K, V> = (Revision, Vec<(K, Versioned<V>)>);

async fn read_all<B, K, V>(backend: &B, range: KeyRange<K>) -> Result<Scanned<K, V>, ReadError>
where
    B: Backend<K, V>,
    K: Send,
    V: Send,
{
    let snapshot = backend.snapshot().await?;
    let (mut found, mut rest) = (Vec::new(), Some(range));
    while let Some(range) = rest {
        let page = snapshot.page(range, PAGE).await?;
        found.extend(page.entries);
        rest = page.rest;
    }
    Ok((snapshot.revision(), found))
}

impl<B: Clone, K, V> Clone for RecordedBackend<B, K, V> {
    fn clone(&self) -> Self {
        Self { client: self.client.another(), backend: self.backend.clone() }
    }
}

impl<B, K, V> fmt::Debug for RecordedBackend<B, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedBackend").field("client", &self.client).finish_non_exhaustive()
    }
}

impl<B, K, V> Backend<K, V> for RecordedBackend<B, K, V>
where
    B: Backend<K, V>,
    K: Clone + Hash + Ord + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    type Snapshot = B::Snapshot;
    type Watch = B::Watch;

    fn identity(&self) -> Identity {
        self.backend.identity()
    }

    fn supports(&self, capability: Capability) -> bool {
        self.backend.supports(capability)
    }

    async fn status(&self) -> Result<BackendStatus, ReadError> {
        let open = self.client.begin(Operation::Revision);
        let told = self.backend.status().await;
        match &told {
            Ok(status) => open.end(Outcome::Revision(status.revision)),
            Err(_) => open.discard(),
        }
        told
    }

    async fn get(&self, key: &K) -> Result<Option<Versioned<V>>, ReadError> {
        let open = self.client.begin(Operation::Get(key.clone()));
        let told = self.backend.get(key).await;
        match &told {
            Ok(entry) => open.end(Outcome::Read(entry.as_ref().map(Entry::from))),
            Err(_) => open.discard(),
        }
        told
    }

    async fn get_at(&self, key: &K, revision: Revision) -> Result<Option<Versioned<V>>, ReadError> {
        self.backend.get_at(key, revision).await
    }

    async fn history(&self, key: &K) -> Result<KeyHistory<V>, ReadError> {
        self.backend.history(key).await
    }

    async fn snapshot(&self) -> Result<B::Snapshot, ReadError> {
        let open = self.client.begin(Operation::Revision);
        let told = self.backend.snapshot().await;
        match &told {
            Ok(snapshot) => open.end(Outcome::Revision(snapshot.revision())),
            Err(_) => open.discard(),
        }
        told
    }

    async fn snapshot_at(&self, revision: Revision) -> Result<B::Snapshot, ReadError> {
        self.backend.snapshot_at(revision).await
    }

    async fn put_if(
        &self,
        key: K,
        value: V,
        precondition: Precondition,
    ) -> Result<Written, WriteError<K, V>> {
        let operation = Operation::Put { key: key.clone(), value: value.clone(), precondition };
        let open = self.client.begin(operation);
        let told = self.backend.put_if(key, value, precondition).await;
        settle(open, &told, all_written);
        told
    }

    async fn delete_if(
        &self,
        key: K,
        precondition: Precondition,
    ) -> Result<Option<Deleted<V>>, WriteError<K, V>> {
        let open = self.client.begin(Operation::Delete { key: key.clone(), precondition });
        let told = self.backend.delete_if(key, precondition).await;
        settle(open, &told, |told| deleted(told.as_ref()));
        told
    }

    async fn commit(&self, txn: Txn<K, V>) -> Result<Revision, CommitError<K, V>> {
        let open = self.client.begin(commit(&txn));
        let told = self.backend.commit(txn).await;
        settle_commit(open, &told);
        told
    }

    async fn watch(
        &self,
        range: KeyRange<K>,
        since: Option<Revision>,
    ) -> Result<B::Watch, WatchError> {
        self.backend.watch(range, since).await
    }
}
