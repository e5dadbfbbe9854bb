//! Transactions.

use bytes::Bytes;

use crate::capability::Capability;
use crate::cause::Cause;
use crate::commit_error::CommitError;
use crate::conflict::Conflict;
use crate::error::{OutcomeUnknown, Reason};
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::txn::{Requirement, Txn};

use super::super::conflict::{ClientConflict, ConflictKind, FailedPrecondition};
use super::super::error::{ClientError, DecodeError};
use super::super::txn::ClientTxn;
use super::Remote;
use super::fault::{Fault, of_write};
use super::read::{text_of, versioned};
use super::span;
use super::write::{current, document, is_after_unknown};

type Error = CommitError<Bytes, Bytes>;

/// What a failed precondition is told as.
enum Judged {
    Conflict(Conflict<Bytes, Bytes>),
    Compacted(usize, Revision),
    Future(usize, Revision),
}

impl Remote {
    pub(super) async fn commit_all(&self, txn: Txn<Bytes, Bytes>) -> Result<Revision, Error> {
        let request = match txn.check().and_then(|()| self.request(&txn)) {
            Ok(request) => request,
            Err(reason) => return Err(CommitError::refused(reason, txn)),
        };
        let committed = if only_deletes(&txn) {
            self.client.commit_deletes(&request).await
        } else {
            self.client.commit(&request).await
        };
        match committed {
            Ok(revision) => Ok(revision),
            Err(ClientError::Conflict(conflict)) => Err(self.conflicting(*conflict, txn)),
            Err(error) => Err(match of_write(error, bytes(&txn)) {
                Fault::Refused(reason) => CommitError::refused(reason, txn),
                // Nothing can have come of what writes nothing.
                Fault::Unknown(unknown) if txn.changes().len() == 0 => {
                    CommitError::refused(Reason::Unavailable(Cause::new(unknown)), txn)
                }
                Fault::Unknown(unknown) => CommitError::OutcomeUnknown(unknown),
            }),
        }
    }

    fn request(&self, txn: &Txn<Bytes, Bytes>) -> Result<ClientTxn, Reason> {
        let text = |key| text_of(key).ok_or(Reason::Unsupported(Capability::AnyKey));
        let prefix = |range, capability| {
            let whole = span::whole_prefix(range).filter(|_| self.can(capability));
            whole.ok_or(Reason::Unsupported(capability))
        };
        let mut request = ClientTxn::new();
        for requirement in txn.requirements() {
            request = match requirement {
                Requirement::Key(key, precondition) => {
                    request.require(text(key)?.as_str(), *precondition)
                }
                Requirement::NoneIn(range) => {
                    request.require_none_under(prefix(range, Capability::EmptyRange)?)
                }
                Requirement::UnchangedIn(range, since) => request
                    .require_unchanged_under(prefix(range, Capability::UnchangedRange)?, *since),
            };
        }
        for (key, value) in txn.changes() {
            let key = text(key)?;
            request = match value {
                Some(value) => request.put(key.as_str(), &document(value.clone())),
                None => request.delete(key.as_str()),
            };
        }
        Ok(request)
    }

    fn conflicting(&self, conflict: ClientConflict, txn: Txn<Bytes, Bytes>) -> Error {
        let may_be_written = is_after_unknown(&conflict) && txn.changes().len() > 0;
        let judged: Result<Vec<_>, _> =
            conflict.operations().iter().map(|failed| self.judged(failed, &txn)).collect();
        let judged = match judged {
            Ok(judged) if !judged.is_empty() => judged,
            // It says that nothing was written, unless an attempt before it was not answered.
            Ok(_) | Err(_) if may_be_written => return unknown(conflict),
            Ok(_) => {
                let cause = Cause::new(conflict);
                return CommitError::refused(Reason::Unavailable(cause), txn);
            }
            Err(error) => {
                return CommitError::refused(Reason::Unavailable(Cause::new(error)), txn);
            }
        };
        if may_be_written && !judged.iter().any(is_forever) {
            return unknown(conflict);
        }
        let mut conflicts = Vec::with_capacity(judged.len());
        for judged in judged {
            match judged {
                Judged::Conflict(conflict) => conflicts.push(conflict),
                Judged::Compacted(index, oldest) => {
                    return CommitError::compacted(index, oldest, txn);
                }
                Judged::Future(index, newest) => return CommitError::future(index, newest, txn),
            }
        }
        CommitError::conflicting(conflicts, txn)
    }

    fn judged(
        &self,
        failed: &FailedPrecondition,
        txn: &Txn<Bytes, Bytes>,
    ) -> Result<Judged, ClientError> {
        let index = failed.index();
        let odd = |what: &str| DecodeError::answer(format!("precondition {index}: {what}"));
        let Some(requirement) = txn.requirements().get(index) else {
            return Err(odd("the transaction has none such").into());
        };
        let identity = self.known.identity;
        Ok(match requirement {
            Requirement::Key(key, precondition) => {
                let now = current(failed)?;
                Judged::Conflict(Conflict::new(identity, key.clone(), *precondition, now, None))
            }
            Requirement::NoneIn(range) => {
                Judged::Conflict(self.in_the_way(failed, range)?.ok_or_else(|| {
                    odd("what is in the way is not shown: may this client not read?")
                })?)
            }
            Requirement::UnchangedIn(_, since) if failed.kind() == ConflictKind::Compacted => {
                match failed.oldest_revision() {
                    Some(oldest) if oldest > *since => Judged::Compacted(index, oldest),
                    Some(newest) => Judged::Future(index, newest),
                    None => return Err(odd("it is not said since when changes are known").into()),
                }
            }
            Requirement::UnchangedIn(range, since) => {
                let key = failed.key().ok_or_else(|| odd("it is not said which key changed"))?;
                let (key, now) = (Bytes::copy_from_slice(key.as_bytes()), current(failed)?);
                let range = range.clone();
                Judged::Conflict(Conflict::unchanged_in(identity, range, *since, key, now))
            }
        }
        .at_index(index))
    }

    fn in_the_way(
        &self,
        failed: &FailedPrecondition,
        range: &KeyRange<Bytes>,
    ) -> Result<Option<Conflict<Bytes, Bytes>>, ClientError> {
        let mut blockers = Vec::with_capacity(failed.blocking().len());
        for entry in failed.blocking() {
            blockers.push((Bytes::copy_from_slice(entry.key().as_bytes()), versioned(entry)?));
        }
        if blockers.is_empty() {
            return Ok(None);
        }
        let (count, range) = (failed.blocker_count(), range.clone());
        Ok(Some(Conflict::none_in(self.known.identity, range, blockers, count)))
    }
}

impl Judged {
    fn at_index(self, index: usize) -> Self {
        match self {
            Self::Conflict(conflict) => Self::Conflict(conflict.at_index(index)),
            other => other,
        }
    }
}

/// Whether it will never hold: revisions are not used twice, and what was changed stays so.
fn is_forever(judged: &Judged) -> bool {
    match judged {
        Judged::Conflict(conflict) => matches!(conflict.expected(), Precondition::Revision(_)),
        Judged::Compacted(..) => true,
        Judged::Future(..) => false,
    }
}

fn unknown(cause: ClientConflict) -> Error {
    CommitError::OutcomeUnknown(OutcomeUnknown::new(None, cause))
}

fn only_deletes(txn: &Txn<Bytes, Bytes>) -> bool {
    txn.changes().len() > 0 && txn.changes().all(|(_, value)| value.is_none())
}

/// The keys and values in a transaction.
fn bytes(txn: &Txn<Bytes, Bytes>) -> usize {
    txn.changes().map(|(key, value)| key.len() + value.map_or(0, Bytes::len)).sum()
}
