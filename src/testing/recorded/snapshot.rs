//! A snapshot whose reads are recorded.

use std::fmt;
use std::hash::{BuildHasher, Hash};

use super::Open;
use super::store::StoreClient;
use crate::key::AsKey;
use crate::range::{AsRange, KeyRange};
use crate::revision::Revision;
use crate::store::{FastHash, Snapshot};
use crate::testing::recorder::Client;
use crate::testing::store_model::{Entry, StoreOperation, StoreOutcome};
use crate::versioned::Versioned;

/// A [`Snapshot`] whose reads are recorded, each as one that took place at the snapshot's revision: however late it is read,
/// it has to hold what was there then.
///
/// Such a call begins when the snapshot was taken, and ends when it was read.
pub struct SnapshotClient<K, V, S = FastHash> {
    client: Client<StoreOperation<K, V>, StoreOutcome<K, V>>,
    snapshot: Snapshot<K, V, S>,
    /// When it was taken.
    called: u64,
}

impl<K, V, S> fmt::Debug for SnapshotClient<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotClient").field("called", &self.called).finish_non_exhaustive()
    }
}

impl<K, V, S> StoreClient<K, V, S>
where
    K: Clone + Hash + Ord,
    V: Clone,
    S: BuildHasher,
{
    /// [`Store::snapshot`](crate::Store::snapshot). That it was taken is recorded as a call that was told its revision.
    #[must_use]
    pub fn snapshot(&self) -> SnapshotClient<K, V, S> {
        let called = self.client.now();
        let open = self.client.begin(StoreOperation::Revision);
        let snapshot = self.store.snapshot();
        open.end(StoreOutcome::Revision(snapshot.revision()));
        SnapshotClient { client: self.client.another(), snapshot, called }
    }
}

impl<K, V, S> SnapshotClient<K, V, S>
where
    K: Clone + Hash + Ord,
    V: Clone,
    S: BuildHasher,
{
    /// [`Snapshot::revision`].
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.snapshot.revision()
    }

    /// [`Snapshot::get`].
    #[must_use]
    pub fn get(&self, key: impl AsKey<K>) -> Option<Versioned<V>> {
        let key = key.into_key();
        let open = self.begin(StoreOperation::Scan(KeyRange::only(key.clone())));
        let found = self.snapshot.get(key.clone());
        self.scanned(open, found.iter().map(|entry| (key.clone(), Entry::from(entry))).collect());
        found
    }

    /// [`Snapshot::range`], all of it.
    #[must_use]
    pub fn scan(&self, range: impl AsRange<K>) -> Vec<(K, Versioned<V>)> {
        let range = range.into_range();
        let open = self.begin(StoreOperation::Scan(range.clone()));
        let found: Vec<_> = self.snapshot.range(range).collect();
        let entries = found.iter().map(|(key, entry)| (key.clone(), Entry::from(entry)));
        self.scanned(open, entries.collect());
        found
    }

    /// [`Snapshot::len`].
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // It would be recorded as this is.
    pub fn len(&self) -> usize {
        let open = self.begin(StoreOperation::Len);
        let keys = self.snapshot.len();
        open.end(StoreOutcome::Counted { revision: Some(self.revision()), keys });
        keys
    }

    fn begin(&self, operation: StoreOperation<K, V>) -> Open<'_, K, V> {
        self.client.begin_at(Some(self.called), operation)
    }

    fn scanned(&self, open: Open<'_, K, V>, entries: Vec<(K, Entry<V>)>) {
        open.end(StoreOutcome::Scanned { revision: Some(self.revision()), entries });
    }
}
