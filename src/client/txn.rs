//! Transactions: preconditions and writes of many keys, all or nothing.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::precondition::Precondition;
use crate::revision::Revision;

use super::Client;
use super::entry::Document;
use super::error::{ClientError, DecodeError};
use super::send::Call;
use super::value::WriteValue;
use super::wire::WireRevision;
use crate::document_key::path_of;

/// A transaction for [`Client::commit`]: it is committed whole, under one revision, or not at all.
///
/// What is wrong with a key or a value is told by [`Client::commit`].
#[derive(Clone, Debug, Default)]
#[must_use = "a transaction does nothing until it is committed"]
pub struct ClientTxn {
    require: Vec<Require>,
    operations: Vec<Operation>,
    /// Which of the `require` calls each element of `require` is.
    indexes: Vec<usize>,
    calls: usize,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Require {
    Revision { key: String, revision: Revision },
    Absent { key: String, absent: bool },
    Present { key: String, present: bool },
    Empty { prefix: String, empty: bool },
    Unchanged { prefix: String, unchanged_since: Revision },
}

#[derive(Clone, Debug)]
enum Operation {
    Put(String, Document),
    Delete(String),
    /// A value that serde cannot write.
    Unencodable(String),
}

#[derive(Serialize)]
struct Body<'a> {
    require: &'a [Require],
    operations: Vec<WireOperation<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireOperation<'a> {
    Value { put: &'a str, value: &'a RawValue, content_type: &'a str },
    Bytes { put: &'a str, base64: String, content_type: &'a str },
    Delete { delete: &'a str },
}

impl ClientTxn {
    /// A transaction without preconditions and writes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Commit only if `precondition` holds for `key`. A revision is that of an entry from a list, a watch or a conflict,
    /// or of [`Client::get_versioned`].
    pub fn require(
        mut self,
        key: impl Into<String>,
        precondition: impl Into<Precondition>,
    ) -> Self {
        let key = key.into();
        let require = match precondition.into() {
            // It has an index, as every call has, and nothing that could fail.
            Precondition::Any => {
                self.calls += 1;
                return self;
            }
            Precondition::Absent => Require::Absent { key, absent: true },
            Precondition::Present => Require::Present { key, present: true },
            Precondition::Revision(revision) => Require::Revision { key, revision },
        };
        self.demand(require)
    }

    /// Commit only if no key begins with `prefix`.
    pub fn require_none_under(self, prefix: impl Into<String>) -> Self {
        self.demand(Require::Empty { prefix: prefix.into(), empty: true })
    }

    /// Commit only if no key that begins with `prefix` was created, changed or deleted after `revision`.
    pub fn require_unchanged_under(self, prefix: impl Into<String>, revision: Revision) -> Self {
        self.demand(Require::Unchanged { prefix: prefix.into(), unchanged_since: revision })
    }

    fn demand(mut self, require: Require) -> Self {
        self.require.push(require);
        self.indexes.push(self.calls);
        self.calls += 1;
        self
    }

    /// Writes `value` under `key`.
    pub fn put<T: WriteValue + ?Sized>(mut self, key: impl Into<String>, value: &T) -> Self {
        self.operations.push(match value.write() {
            Ok(document) => Operation::Put(key.into(), document),
            Err(error) => Operation::Unencodable(error.to_string()),
        });
        self
    }

    /// Deletes `key`, if it is there.
    pub fn delete(mut self, key: impl Into<String>) -> Self {
        self.operations.push(Operation::Delete(key.into()));
        self
    }

    fn call(&self) -> Result<Call, ClientError> {
        let call = Call::new(Method::POST, "/v1/txn".to_owned()).merging();
        call.document(&Document::json(self.body()?))
    }

    fn body(&self) -> Result<Vec<u8>, ClientError> {
        for require in &self.require {
            if let Require::Revision { key, .. }
            | Require::Absent { key, .. }
            | Require::Present { key, .. } = require
            {
                path_of(key)?;
            }
        }
        let operations: Result<Vec<_>, _> = self.operations.iter().map(Operation::wire).collect();
        let body = Body { require: &self.require, operations: operations? };
        Ok(serde_json::to_vec(&body).map_err(DecodeError::unencodable)?)
    }
}

impl Operation {
    fn wire(&self) -> Result<WireOperation<'_>, ClientError> {
        match self {
            Self::Unencodable(what) => Err(DecodeError::answer(what).into()),
            Self::Delete(key) => {
                path_of(key)?;
                Ok(WireOperation::Delete { delete: key })
            }
            Self::Put(key, document) => {
                path_of(key)?;
                let content_type = document.content_type();
                let json = document.is_json().then(|| serde_json::from_slice(document.body()).ok());
                Ok(match json.flatten() {
                    Some(value) => WireOperation::Value { put: key, value, content_type },
                    None => {
                        let base64 = BASE64_STANDARD.encode(document.body());
                        WireOperation::Bytes { put: key, base64, content_type }
                    }
                })
            }
        }
    }
}

impl Client {
    /// Commits a transaction, and returns its revision, which is that of all that it wrote.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] with every precondition that does not hold, by index:
    /// [`operations`](super::ClientConflict::operations).
    pub async fn commit(&self, txn: &ClientTxn) -> Result<Revision, ClientError> {
        let call = txn.call()?;
        self.send_txn(txn, if txn.operations.is_empty() { call.reads() } else { call }).await
    }

    /// The same, so that a transaction that deletes nothing takes no revision: its answer is not asked for again.
    #[cfg(feature = "backend")]
    pub(super) async fn commit_deletes(&self, txn: &ClientTxn) -> Result<Revision, ClientError> {
        self.send_txn(txn, txn.call()?.once_only()).await
    }

    async fn send_txn(&self, txn: &ClientTxn, call: Call) -> Result<Revision, ClientError> {
        let answer = self.0.call(call).await?;
        if answer.status == StatusCode::OK {
            // It took place: an error that does not say so would have it committed again.
            let read = answer.json::<WireRevision>();
            let what = "without the revision of the transaction, which took place";
            return Ok(read.map_err(|_| answer.unexpected(what))?.revision);
        }
        Err(match answer.into_error() {
            ClientError::Conflict(conflict) => {
                ClientError::Conflict(Box::new(conflict.renumber(&txn.indexes)))
            }
            error => error,
        })
    }
}
