//! [`Typed`] as a [`Backend`].

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::{Backend, BackendStatus};
use crate::capability::Capability;
use crate::codec::Codec;
use crate::commit_error::CommitError;
use crate::error::{OutcomeUnknown, ReadError, Reason, Refused, WriteError};
use crate::event::WatchError;
use crate::history::{KeyHistory, KeyVersion};
use crate::identity::Identity;
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::store::{Deleted, Written};
use crate::txn::Txn;
use crate::versioned::Versioned;

use super::key::ByteKey;
use super::translate::{commit_error, encode, entry, found, range, txn as in_bytes, write_error};
use super::{Typed, TypedSnapshot, TypedWatch};

impl<B, K, V, C> Backend<K, V> for Typed<B, K, V, C>
where
    B: Backend<Bytes, Bytes>,
    K: ByteKey,
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    type Snapshot = TypedSnapshot<B::Snapshot, K, V, C>;
    type Watch = TypedWatch<B::Watch, K, V, C>;

    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    fn supports(&self, capability: Capability) -> bool {
        self.inner.supports(capability)
    }

    async fn status(&self) -> Result<BackendStatus, ReadError> {
        self.inner.status().await
    }

    async fn get(&self, key: &K) -> Result<Option<Versioned<V>>, ReadError> {
        found::<V, C>(self.inner.get(&key.to_bytes()).await?)
    }

    async fn get_at(&self, key: &K, revision: Revision) -> Result<Option<Versioned<V>>, ReadError> {
        found::<V, C>(self.inner.get_at(&key.to_bytes(), revision).await?)
    }

    async fn history(&self, key: &K) -> Result<KeyHistory<V>, ReadError> {
        let history = self.inner.history(&key.to_bytes()).await?;
        let versions = history.versions().iter().map(|version| {
            let entry = found::<V, C>(version.entry().cloned())?;
            Ok(KeyVersion::new(version.revision(), entry))
        });
        Ok(KeyHistory::new(versions.collect::<Result<_, ReadError>>()?, history.since()))
    }

    async fn snapshot(&self) -> Result<Self::Snapshot, ReadError> {
        Ok(TypedSnapshot::new(self.inner.snapshot().await?))
    }

    async fn snapshot_at(&self, revision: Revision) -> Result<Self::Snapshot, ReadError> {
        Ok(TypedSnapshot::new(self.inner.snapshot_at(revision).await?))
    }

    async fn put_if(
        &self,
        key: K,
        value: V,
        precondition: Precondition,
    ) -> Result<Written, WriteError<K, V>> {
        let bytes = match encode::<V, C>(&value) {
            Ok(bytes) => bytes,
            Err(error) => {
                return Err(WriteError::Refused(Refused::new(Reason::Encode(error), Some(value))));
            }
        };
        let put = self.inner.put_if(key.to_bytes(), bytes, precondition).await;
        put.map_err(|error| write_error::<K, V, C>(error, Some(value)))
    }

    async fn delete_if(
        &self,
        key: K,
        precondition: Precondition,
    ) -> Result<Option<Deleted<V>>, WriteError<K, V>> {
        let deleted = self.inner.delete_if(key.to_bytes(), precondition).await;
        let Some(deleted) = deleted.map_err(|error| write_error::<K, V, C>(error, None))? else {
            return Ok(None);
        };
        let revision = deleted.revision();
        match entry::<V, C>(deleted.into_previous()) {
            Ok(previous) => Ok(Some(Deleted::new(revision, previous))),
            Err(error) => {
                Err(WriteError::OutcomeUnknown(OutcomeUnknown::new(Some(revision), error)))
            }
        }
    }

    async fn commit(&self, txn: Txn<K, V>) -> Result<Revision, CommitError<K, V>> {
        match in_bytes::<K, V, C>(&txn) {
            Ok(bytes) => {
                let committed = self.inner.commit(bytes).await;
                committed.map_err(|error| commit_error::<K, V, C>(error, txn))
            }
            Err(error) => Err(CommitError::refused(Reason::Encode(error), txn)),
        }
    }

    async fn watch(
        &self,
        within: KeyRange<K>,
        since: Option<Revision>,
    ) -> Result<Self::Watch, WatchError> {
        Ok(TypedWatch::new(self.inner.watch(range(within), since).await?))
    }
}
