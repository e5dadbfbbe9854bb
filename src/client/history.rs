//! The versions of a key that the server keeps.

use reqwest::{Method, StatusCode};

use crate::revision::Revision;

use super::Client;
use super::entry::Entry;
use super::error::ClientError;
use super::send::Call;
use super::value::ReadValue;
use super::wire::WireHistory;
use crate::document_key::path_of;

/// The versions of a key that the server keeps, oldest first.
#[derive(Clone, Debug)]
pub struct ClientHistory<T> {
    since: Option<Revision>,
    versions: Vec<ClientVersion<T>>,
}

/// One version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientVersion<T> {
    /// A value was written.
    Written(Entry<T>),
    /// A value was written, which the server does not show: of a long history it shows the newest.
    Described(Revision),
    /// The key was deleted.
    Deleted(Revision),
}

impl<T> ClientHistory<T> {
    /// The revision since which nothing is missing.
    #[must_use]
    pub fn since(&self) -> Option<Revision> {
        self.since
    }

    /// The versions, oldest first.
    #[must_use]
    pub fn versions(&self) -> &[ClientVersion<T>] {
        &self.versions
    }
}

impl Client {
    /// The versions of `key` that the server keeps; `None` if it has none.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn history<T: ReadValue>(
        &self,
        key: &str,
    ) -> Result<Option<ClientHistory<T>>, ClientError> {
        let target = format!("/v1/history/{}", path_of(key)?);
        let answer = self.0.call(Call::new(Method::GET, target)).await?;
        if answer.is_not_found() {
            return Ok(None);
        }
        if answer.status != StatusCode::OK {
            return Err(answer.into_error());
        }
        let history: WireHistory = answer.json()?;
        let mut versions = Vec::with_capacity(history.versions.len());
        for version in history.versions {
            let revision = version.revision;
            versions.push(if version.is_deleted() {
                ClientVersion::Deleted(revision)
            } else {
                match version.into_entry(None)? {
                    Some(entry) => ClientVersion::Written(T::read(entry)?),
                    None => ClientVersion::Described(revision),
                }
            });
        }
        Ok(Some(ClientHistory { since: history.since, versions }))
    }

    /// What is stored under `key`, with its revision, for a precondition of a transaction. Of a server that gives the tag
    /// only in the answer to a GET it is read by [`history`](Self::history).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_versioned<T: ReadValue>(
        &self,
        key: &str,
    ) -> Result<Option<Entry<T>>, ClientError> {
        match self.get::<super::entry::Document>(key).await? {
            None => return Ok(None),
            Some(entry) if entry.revision().is_some() => return Ok(Some(T::read(entry)?)),
            Some(_) => {}
        }
        let history = self.history::<super::entry::Document>(key).await?;
        match history.and_then(|mut history| history.versions.pop()) {
            Some(ClientVersion::Written(entry)) => Ok(Some(T::read(entry)?)),
            _ => Ok(None),
        }
    }
}
