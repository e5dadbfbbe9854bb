//! Writing one key.

use bytes::Bytes;

use crate::capability::Capability;
use crate::cause::Cause;
use crate::conflict::Conflict;
use crate::error::{OutcomeUnknown, Reason, Refused, WriteError};
use crate::precondition::Precondition;
use crate::store::{Deleted, Written};
use crate::versioned::Versioned;

use super::super::conflict::{ClientConflict, ConflictKind, FailedPrecondition};
use super::super::entry::Document;
use super::super::error::{ClientError, DecodeError};
use super::super::write::ClientWritten;
use super::Remote;
use super::fault::{Fault, of_write};
use super::read::{text_of, versioned};

type Error = WriteError<Bytes, Bytes>;

/// How often a delete is tried on top of what is there.
const ATTEMPTS: usize = 100;

/// What values are written as.
const OCTETS: &str = "application/octet-stream";

pub(super) fn document(value: Bytes) -> Document {
    Document::new(OCTETS, value)
}

/// Whether what does not hold now never will: revisions are not used twice.
fn is_forever(precondition: Precondition) -> bool {
    matches!(precondition, Precondition::Revision(_))
}

/// Whether the conflict leaves open what came of an earlier attempt at the same write.
pub(super) fn is_after_unknown(conflict: &ClientConflict) -> bool {
    conflict.problem().is_after_unknown()
}

/// What is there now.
pub(super) fn current(
    failed: &FailedPrecondition,
) -> Result<Option<Versioned<Bytes>>, ClientError> {
    match failed.current() {
        Some(entry) => versioned(entry).map(Some),
        None if failed.is_deleted() => Ok(None),
        None => {
            let what = "a conflict that does not show what is there: may this client not read?";
            Err(DecodeError::answer(what).into())
        }
    }
}

fn is_of_key(conflict: &ClientConflict) -> bool {
    matches!(conflict.kind(), ConflictKind::Stale | ConflictKind::Exists | ConflictKind::NotFound)
}

fn refused(reason: Reason, value: Option<Bytes>) -> Error {
    WriteError::Refused(Refused::new(reason, value))
}

impl Remote {
    pub(super) async fn put_one(
        &self,
        key: Bytes,
        value: Bytes,
        precondition: Precondition,
    ) -> Result<Written, Error> {
        let Some(text) = text_of(&key) else {
            return Err(refused(Reason::Unsupported(Capability::AnyKey), Some(value)));
        };
        let put = document(value.clone());
        let sent = self.client.put_to_merge(text.as_str(), &put, precondition.into()).await;
        let error = match sent {
            Ok(done) => return written(&done).ok_or_else(|| undescribed().into_write_error()),
            Err(error) => error,
        };
        match error {
            ClientError::Conflict(conflict) if is_of_key(&conflict) => {
                if is_after_unknown(&conflict) && !is_forever(precondition) {
                    return Err(unknown(*conflict));
                }
                Err(match current(&conflict) {
                    Ok(now) => {
                        let identity = self.known.identity;
                        let lost = Conflict::new(identity, key, precondition, now, Some(value));
                        WriteError::Conflict(lost)
                    }
                    Err(error) => refused(Reason::Unavailable(Cause::new(error)), Some(value)),
                })
            }
            error => Err(match of_write(error, key.len() + value.len()) {
                Fault::Refused(reason) => refused(reason, Some(value)),
                Fault::Unknown(unknown) => WriteError::OutcomeUnknown(unknown),
            }),
        }
    }

    /// HTTP does not show what a delete removes. So it is read, and deleted if it is still that.
    pub(super) async fn delete_one(
        &self,
        key: Bytes,
        precondition: Precondition,
    ) -> Result<Option<Deleted<Bytes>>, Error> {
        let Some(text) = text_of(&key) else {
            return Err(refused(Reason::Unsupported(Capability::AnyKey), None));
        };
        let unavailable = |error| refused(Reason::Unavailable(Cause::new(error)), None);
        let mut there = self.read(&key, None).await.map_err(unavailable)?;
        for _ in 0..ATTEMPTS {
            if !precondition.holds(there.as_ref().map(Versioned::revision)) {
                let lost = Conflict::new(self.known.identity, key, precondition, there, None);
                return Err(WriteError::Conflict(lost));
            }
            let Some(previous) = there else { return Ok(None) };
            there = match self.client.delete_at(text.as_str(), previous.revision()).await {
                Ok(Some(done)) => {
                    let Some(revision) = done.revision() else {
                        return Err(undescribed().into_write_error());
                    };
                    return Ok(Some(Deleted::new(revision, previous)));
                }
                Ok(None) => None,
                Err(ClientError::Conflict(conflict)) if is_of_key(&conflict) => current(&conflict)
                    .map_err(|error| refused(Reason::Unavailable(Cause::new(error)), None))?,
                Err(error) => {
                    return Err(match of_write(error, key.len()) {
                        Fault::Refused(reason) => refused(reason, None),
                        Fault::Unknown(unknown) => WriteError::OutcomeUnknown(unknown),
                    });
                }
            };
        }
        Err(refused(Reason::Contended, None))
    }
}

fn unknown(cause: ClientConflict) -> Error {
    WriteError::OutcomeUnknown(OutcomeUnknown::new(None, cause))
}

fn written(done: &ClientWritten) -> Option<Written> {
    Some(Written::new(done.revision()?, done.created_revision()?, done.write_count()?))
}

/// A write that took place, of which the server does not say as what.
fn undescribed() -> Undescribed {
    Undescribed
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the write took place, but its answer has no revisions: it is not this crate's server, or a proxy drops headers"
)]
struct Undescribed;

impl Undescribed {
    fn into_write_error(self) -> Error {
        WriteError::OutcomeUnknown(OutcomeUnknown::new(None, self))
    }
}
