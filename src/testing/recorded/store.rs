//! A store whose calls are recorded, for threads.

use std::fmt;
use std::hash::{BuildHasher, Hash};

use super::pending::PendingClient;
use super::transaction::{Done, TransactionClient, as_read};
use super::{all_written, commit, deleted, settle, settle_commit, written};
use crate::commit_error::{CommitError, TransactError, TxError};
use crate::error::WriteError;
use crate::key::AsKey;
use crate::precondition::Precondition;
use crate::range::{AsPrefix, AsRange};
use crate::revision::Revision;
use crate::store::{Deleted, FastHash, Store, Written};
use crate::testing::recorder::Client;
use crate::testing::store_model::{Entry, StoreOperation, StoreOutcome};
use crate::txn::Txn;
use crate::versioned::Versioned;

type Operation<K, V> = StoreOperation<K, V>;
type Outcome<K, V> = StoreOutcome<K, V>;

/// A [`Store`] whose calls are recorded by a [`Client`]: the methods that are here are the same, with the same answers.
/// Each clone records as another client.
///
/// A write whose outcome is unknown stays open; one that was refused is left out of the history. Of a closure that gave up,
/// or lost its last race, what it read then is recorded all the same; of such an [`update`](Self::update), what its conflict
/// told.
///
/// Not here, as the model has no words for what they tell, are `get_or_create`, `snapshot_at` and all else that is read of the
/// past; nor `is_empty`, which [`len`](Self::len) tells. The [`store`](Self::store) has them, unrecorded. A read by them is harmless; a write would be one that nobody made, and the checker would say so.
pub struct StoreClient<K, V, S = FastHash> {
    pub(super) client: Client<Operation<K, V>, Outcome<K, V>>,
    pub(super) store: Store<K, V, S>,
}

impl<K, V> Client<Operation<K, V>, Outcome<K, V>> {
    /// This client's view of a store.
    #[must_use]
    pub fn of<S>(self, store: &Store<K, V, S>) -> StoreClient<K, V, S> {
        StoreClient { client: self, store: store.clone() }
    }
}

impl<K, V, S> Clone for StoreClient<K, V, S> {
    fn clone(&self) -> Self {
        Self { client: self.client.another(), store: self.store.clone() }
    }
}

impl<K, V, S> fmt::Debug for StoreClient<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreClient").field("client", &self.client).finish_non_exhaustive()
    }
}

impl<K, V, S> StoreClient<K, V, S>
where
    K: Clone + Hash + Ord,
    V: Clone,
    S: BuildHasher,
{
    /// The store itself: what is done there is not recorded.
    #[must_use]
    pub fn store(&self) -> &Store<K, V, S> {
        &self.store
    }

    /// [`Store::get`].
    #[must_use]
    pub fn get(&self, key: impl AsKey<K>) -> Option<Versioned<V>> {
        let key = key.into_key();
        let open = self.client.begin(Operation::Get(key.clone()));
        let entry = self.store.get(key);
        open.end(Outcome::Read(entry.as_ref().map(Entry::from)));
        entry
    }

    /// [`Store::contains`].
    #[must_use]
    pub fn contains(&self, key: impl AsKey<K>) -> bool {
        let key = key.into_key();
        let open = self.client.begin(Operation::Contains(key.clone()));
        let is_there = self.store.contains(key);
        open.end(Outcome::Contained(is_there));
        is_there
    }

    /// [`Store::len`].
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // It would be recorded as this is.
    pub fn len(&self) -> usize {
        let open = self.client.begin(Operation::Len);
        let keys = self.store.len();
        open.end(Outcome::Counted { revision: None, keys });
        keys
    }

    /// [`Store::revision`].
    #[must_use]
    pub fn revision(&self) -> Revision {
        let open = self.client.begin(Operation::Revision);
        let revision = self.store.revision();
        open.end(Outcome::Revision(revision));
        revision
    }

    /// [`Store::range`], all of it.
    #[must_use]
    pub fn scan(&self, range: impl AsRange<K>) -> Vec<(K, Versioned<V>)> {
        let range = range.into_range();
        let open = self.client.begin(Operation::Scan(range.clone()));
        let scan = self.store.range(range);
        let revision = Some(scan.revision());
        let found: Vec<_> = scan.collect();
        let entries = found.iter().map(|(key, entry)| (key.clone(), Entry::from(entry)));
        open.end(Outcome::Scanned { revision, entries: entries.collect() });
        found
    }

    /// [`Store::prefix`], all of it.
    #[must_use]
    pub fn prefix(&self, prefix: impl AsPrefix<K>) -> Vec<(K, Versioned<V>)> {
        self.scan(prefix.into_range())
    }

    /// [`Store::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(&self, key: impl AsKey<K>, value: V) -> Result<Revision, WriteError<K, V>> {
        self.put_if(key, value, Precondition::Absent)
    }

    /// [`Store::put`].
    ///
    /// # Errors
    /// As there.
    pub fn put(&self, key: impl AsKey<K>, value: V) -> Result<Revision, WriteError<K, V>> {
        self.put_if(key, value, Precondition::Any)
    }

    /// [`Store::put_if`].
    ///
    /// # Errors
    /// As there.
    pub fn put_if(
        &self,
        key: impl AsKey<K>,
        value: V,
        precondition: impl Into<Precondition>,
    ) -> Result<Revision, WriteError<K, V>> {
        let (key, precondition) = (key.into_key(), precondition.into());
        let operation = Operation::Put { key: key.clone(), value: value.clone(), precondition };
        let open = self.client.begin(operation);
        let told = self.store.put_if(key, value, precondition);
        settle(open, &told, |revision| written(*revision));
        told
    }

    /// [`Store::delete`].
    ///
    /// # Errors
    /// As there.
    pub fn delete(&self, key: impl AsKey<K>) -> Result<Option<Deleted<V>>, WriteError<K, V>> {
        self.delete_if(key, Precondition::Any)
    }

    /// [`Store::delete_if`].
    ///
    /// # Errors
    /// As there.
    pub fn delete_if(
        &self,
        key: impl AsKey<K>,
        precondition: impl Into<Precondition>,
    ) -> Result<Option<Deleted<V>>, WriteError<K, V>> {
        let (key, precondition) = (key.into_key(), precondition.into());
        let open = self.client.begin(Operation::Delete { key: key.clone(), precondition });
        let told = self.store.delete_if(key, precondition);
        settle(open, &told, |told| deleted(told.as_ref()));
        told
    }

    /// [`Store::update`].
    ///
    /// # Errors
    /// As there.
    pub fn update(
        &self,
        key: impl AsKey<K>,
        mut change: impl FnMut(Option<&V>) -> V,
    ) -> Result<Revision, WriteError<K, V>> {
        let key = key.into_key();
        let mut open = self.client.begin(Operation::Update(key.clone()));
        let mut last = None;
        let told = self.store.update(key.clone(), |current| {
            let value = change(current);
            last = Some((current.cloned(), value.clone()));
            // If nobody comes to know what came of it, it may have written what it made last, on top of what it saw.
            let precondition =
                if current.is_some() { Precondition::Present } else { Precondition::Absent };
            let key = key.clone();
            open.amend(Operation::Put { key, value: value.clone(), precondition });
            value
        });
        match (&told, last) {
            (Ok(revision), Some((read, value))) => {
                open.amend(Operation::Update(key));
                open.end(Outcome::Updated { read, value, revision: *revision });
            }
            (Err(WriteError::OutcomeUnknown(_)), Some(_)) => {}
            // It tells what was there, as a read does.
            (Err(WriteError::Conflict(conflict)), _) => {
                open.amend(Operation::Get(key));
                open.end(Outcome::Read(conflict.current().map(Entry::from)));
            }
            _ => open.discard(),
        }
        told
    }

    /// [`Store::commit`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(&self, txn: Txn<K, V>) -> Result<Revision, CommitError<K, V>> {
        let open = self.client.begin(commit(&txn));
        let told = self.store.commit(txn);
        settle_commit(open, &told);
        told
    }

    /// [`Store::submit`].
    pub fn submit(&self, txn: Txn<K, V>) -> PendingClient<'_, K, V, Revision, S> {
        let open = self.client.begin(commit(&txn));
        PendingClient::new(open, self.store.submit(txn), settle_commit)
    }

    /// [`Store::submit_put_if`].
    pub fn submit_put_if(
        &self,
        key: impl AsKey<K>,
        value: V,
        precondition: impl Into<Precondition>,
    ) -> PendingClient<'_, K, V, Written, S> {
        let (key, precondition) = (key.into_key(), precondition.into());
        let operation = Operation::Put { key: key.clone(), value: value.clone(), precondition };
        let open = self.client.begin(operation);
        let pending = self.store.submit_put_if(key, value, precondition);
        PendingClient::new(open, pending, |open, told| settle(open, told, all_written))
    }

    /// [`Store::submit_delete_if`].
    pub fn submit_delete_if(
        &self,
        key: impl AsKey<K>,
        precondition: impl Into<Precondition>,
    ) -> PendingClient<'_, K, V, Option<Deleted<V>>, S> {
        let (key, precondition) = (key.into_key(), precondition.into());
        let open = self.client.begin(Operation::Delete { key: key.clone(), precondition });
        let pending = self.store.submit_delete_if(key, precondition);
        let settle_delete = |open, told: &Result<Option<Deleted<V>>, _>| {
            settle(open, told, |told| deleted(told.as_ref()));
        };
        PendingClient::new(open, pending, settle_delete)
    }

    /// [`Store::transact`]. What it reads and writes is recorded.
    ///
    /// # Errors
    /// As there.
    pub fn transact<A>(
        &self,
        body: impl FnMut(&mut TransactionClient<'_, K, V, S>) -> Result<A, TxError>,
    ) -> Result<A, TransactError<K, V>> {
        self.transact_at(body).map(|(answer, _)| answer)
    }

    /// [`Store::transact_at`]. What it reads and writes is recorded.
    ///
    /// # Errors
    /// As there.
    pub fn transact_at<A>(
        &self,
        mut body: impl FnMut(&mut TransactionClient<'_, K, V, S>) -> Result<A, TxError>,
    ) -> Result<(A, Revision), TransactError<K, V>> {
        let mut open = self.client.begin(Operation::Transact);
        let mut last: Option<Done<K, V>> = None;
        let told = self.store.transact_at(|transaction| {
            let mut recorded = TransactionClient::new(transaction);
            let answer = body(&mut recorded);
            let mut done = recorded.into_done();
            if answer.is_err() {
                done.changes.clear();
            }
            // If nobody comes to know what came of it, it may have been committed, on top of what it read.
            let requirements = done.reads.iter().flat_map(as_read).collect();
            open.amend(Operation::Commit { requirements, changes: done.changes.clone() });
            last = Some(done);
            answer
        });
        let Some(Done { reads, changes, revision: read_at }) = last else {
            return told;
        };
        let (changes, revision) = match &told {
            Ok((_, revision)) => (changes, *revision),
            // It wrote nothing. What it read was so, at one moment, and is told only once that is durable.
            Err(
                TransactError::Aborted(_)
                | TransactError::Commit(
                    CommitError::Conflicts { .. } | CommitError::Compacted { .. },
                ),
            ) => (Vec::new(), read_at),
            Err(TransactError::Commit(CommitError::OutcomeUnknown(_))) => return told,
            Err(_) => {
                open.discard();
                return told;
            }
        };
        open.amend(Operation::Transact);
        open.end(Outcome::Transacted { reads, changes, revision });
        told
    }
}
