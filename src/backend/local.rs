//! The store in this process as a backend. Nothing but a write on a log ever waits.

use std::hash::{BuildHasher, Hash};

use crate::capability::Capability;
use crate::commit_error::CommitError;
use crate::error::{ReadError, WriteError};
use crate::event::WatchError;
use crate::history::{HistoryError, KeyHistory};
use crate::identity::Identity;
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::store::{Deleted, Snapshot, Store, Watch, Written};
use crate::txn::Txn;
use crate::versioned::Versioned;

use super::{Backend, BackendSnapshot, BackendStatus, BackendWatch, Page};

impl<K, V, S> Backend<K, V> for Store<K, V, S>
where
    K: Clone + Hash + Ord + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static,
{
    type Snapshot = Snapshot<K, V, S>;
    type Watch = Watch<K, V>;

    fn identity(&self) -> Identity {
        Self::identity(self)
    }

    fn supports(&self, _: Capability) -> bool {
        true
    }

    async fn status(&self) -> Result<BackendStatus, ReadError> {
        let stats = self.stats();
        let writable = stats.log().is_none_or(|log| !log.poisoned);
        let mut status = BackendStatus::new(stats.revision(), writable);
        status.stats = Some(stats);
        Ok(status)
    }

    async fn get(&self, key: &K) -> Result<Option<Versioned<V>>, ReadError> {
        Ok(Self::get(self, key))
    }

    async fn get_at(&self, key: &K, revision: Revision) -> Result<Option<Versioned<V>>, ReadError> {
        Ok(Self::get_at(self, key, revision)?)
    }

    async fn history(&self, key: &K) -> Result<KeyHistory<V>, ReadError> {
        Ok(Self::history(self, key))
    }

    async fn snapshot(&self) -> Result<Self::Snapshot, ReadError> {
        Ok(self.try_snapshot().map_err(HistoryError::from)?)
    }

    async fn snapshot_at(&self, revision: Revision) -> Result<Self::Snapshot, ReadError> {
        Ok(Self::snapshot_at(self, revision)?)
    }

    async fn put_if(
        &self,
        key: K,
        value: V,
        precondition: Precondition,
    ) -> Result<Written, WriteError<K, V>> {
        self.submit_put_if(key, value, precondition).await
    }

    async fn delete_if(
        &self,
        key: K,
        precondition: Precondition,
    ) -> Result<Option<Deleted<V>>, WriteError<K, V>> {
        self.submit_delete_if(key, precondition).await
    }

    async fn commit(&self, txn: Txn<K, V>) -> Result<Revision, CommitError<K, V>> {
        self.submit(txn).await
    }

    async fn watch(
        &self,
        range: KeyRange<K>,
        since: Option<Revision>,
    ) -> Result<Self::Watch, WatchError> {
        let watch = Self::watch(self).range(range);
        match since {
            Some(revision) => watch.since(revision).open(),
            None => watch.open(),
        }
    }
}

impl<K, V, S> BackendSnapshot<K, V> for Snapshot<K, V, S>
where
    K: Clone + Hash + Ord + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static,
{
    fn revision(&self) -> Revision {
        Self::revision(self)
    }

    async fn get(&self, key: &K) -> Result<Option<Versioned<V>>, ReadError> {
        Ok(Self::get(self, key))
    }

    async fn page(&self, range: KeyRange<K>, limit: usize) -> Result<Page<K, V>, ReadError> {
        let mut scan = self.range(range);
        let entries = scan.by_ref().take(limit).collect();
        // Only whether there is another entry tells whether there is more: a scan has a rest until it came to its end.
        let rest = scan.rest().filter(|_| scan.next().is_some());
        Ok(Page::new(entries, rest))
    }
}

impl<K, V> BackendWatch<K, V> for Watch<K, V>
where
    K: Clone + Ord + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn position(&self) -> Revision {
        Self::position(self)
    }
}
