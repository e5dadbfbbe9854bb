//! [`Remote`] as a [`Backend`].

use bytes::Bytes;

use crate::backend::{Backend, BackendStatus};
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
use crate::txn::Txn;
use crate::versioned::Versioned;

use super::{Remote, RemoteSnapshot, RemoteWatch};

impl Backend for Remote {
    type Snapshot = RemoteSnapshot;
    type Watch = RemoteWatch;

    fn identity(&self) -> Identity {
        self.known.identity
    }

    fn supports(&self, capability: Capability) -> bool {
        self.can(capability)
    }

    async fn status(&self) -> Result<BackendStatus, ReadError> {
        self.how_it_is().await.map_err(ReadError::Unavailable)
    }

    async fn get(&self, key: &Bytes) -> Result<Option<Versioned<Bytes>>, ReadError> {
        self.read(key, None).await
    }

    async fn get_at(
        &self,
        key: &Bytes,
        revision: Revision,
    ) -> Result<Option<Versioned<Bytes>>, ReadError> {
        if !self.can(Capability::Past) {
            return Err(ReadError::Unsupported(Capability::Past));
        }
        self.read(key, Some(revision)).await
    }

    async fn history(&self, key: &Bytes) -> Result<KeyHistory<Bytes>, ReadError> {
        if !self.can(Capability::History) {
            return Err(ReadError::Unsupported(Capability::History));
        }
        self.past_of(key).await
    }

    async fn snapshot(&self) -> Result<RemoteSnapshot, ReadError> {
        RemoteSnapshot::of(self, None).await
    }

    async fn snapshot_at(&self, revision: Revision) -> Result<RemoteSnapshot, ReadError> {
        if !self.can(Capability::Past) {
            return Err(ReadError::Unsupported(Capability::Past));
        }
        RemoteSnapshot::of(self, Some(revision)).await
    }

    async fn put_if(
        &self,
        key: Bytes,
        value: Bytes,
        precondition: Precondition,
    ) -> Result<Written, WriteError<Bytes, Bytes>> {
        self.put_one(key, value, precondition).await
    }

    async fn delete_if(
        &self,
        key: Bytes,
        precondition: Precondition,
    ) -> Result<Option<Deleted<Bytes>>, WriteError<Bytes, Bytes>> {
        self.delete_one(key, precondition).await
    }

    async fn commit(&self, txn: Txn<Bytes, Bytes>) -> Result<Revision, CommitError<Bytes, Bytes>> {
        self.commit_all(txn).await
    }

    async fn watch(
        &self,
        range: KeyRange<Bytes>,
        since: Option<Revision>,
    ) -> Result<RemoteWatch, WatchError> {
        if !self.can(Capability::Watch) {
            return Err(WatchError::Unsupported(Capability::Watch));
        }
        RemoteWatch::open(self, range, since).await
    }
}
