//! [`Etcd`] as a [`Backend`].

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

use super::{Etcd, EtcdSnapshot, EtcdWatch};

impl Backend for Etcd {
    type Snapshot = EtcdSnapshot;
    type Watch = EtcdWatch;

    fn identity(&self) -> Identity {
        self.shared.identity
    }

    fn supports(&self, capability: Capability) -> bool {
        match capability {
            Capability::Past
            | Capability::Watch
            | Capability::EmptyRange
            | Capability::UnchangedRange
            | Capability::AnyKey => true,
            Capability::History => false,
        }
    }

    async fn status(&self) -> Result<BackendStatus, ReadError> {
        match self.how_it_is().await {
            Ok(status) => Ok(status),
            Err(fault) => Err(self.read_error(fault).await),
        }
    }

    async fn get(&self, key: &Bytes) -> Result<Option<Versioned<Bytes>>, ReadError> {
        match self.entry(key, None).await {
            Ok(entry) => Ok(entry),
            Err(fault) => Err(self.read_error(fault).await),
        }
    }

    async fn get_at(
        &self,
        key: &Bytes,
        revision: Revision,
    ) -> Result<Option<Versioned<Bytes>>, ReadError> {
        match self.entry(key, Some(revision)).await {
            Ok(entry) => Ok(entry),
            Err(fault) => Err(self.read_error(fault).await),
        }
    }

    async fn history(&self, _: &Bytes) -> Result<KeyHistory<Bytes>, ReadError> {
        Err(ReadError::Unsupported(Capability::History))
    }

    async fn snapshot(&self) -> Result<EtcdSnapshot, ReadError> {
        match self.newest().await {
            Ok(newest) => Ok(EtcdSnapshot::new(self.clone(), newest)),
            Err(fault) => Err(self.read_error(fault).await),
        }
    }

    async fn snapshot_at(&self, revision: Revision) -> Result<EtcdSnapshot, ReadError> {
        match self.judge(revision).await {
            Ok(_) => Ok(EtcdSnapshot::new(self.clone(), revision)),
            Err(fault) => Err(self.read_error(fault).await),
        }
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
    ) -> Result<EtcdWatch, WatchError> {
        self.open_watch(range, since).await
    }
}
