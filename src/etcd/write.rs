//! Writes of one key: a transaction that writes if the precondition holds, and else reads what is there.

use bytes::Bytes;
use etcd_client::proto::{PbKeyValue, PbTxnOpResponse, PbTxnResponse};
use etcd_client::{DeleteOptions, GetOptions, Txn as EtcdTxn, TxnOp};

use crate::cause::Cause;
use crate::conflict::Conflict;
use crate::error::{OutcomeUnknown, Reason, Refused, WriteError};
use crate::precondition::Precondition;
use crate::revision::Revision;
use crate::store::{Deleted, Written};

use super::Etcd;
use super::condition::compare;
use super::entry::{entry, revision, revision_of};
use super::fault::Fault;
use super::members::Request;
use super::settle::Put;

type Error = WriteError<Bytes, Bytes>;

/// What became of a write that etcd has answered.
enum Answer<T> {
    Done(T),
    /// Its precondition does not hold of this.
    Found(Vec<PbKeyValue>),
}

impl Etcd {
    /// Sends a transaction once, or again if it was certainly not carried out.
    pub(super) async fn transact(
        &self,
        request: Request,
        txn: EtcdTxn,
    ) -> Result<PbTxnResponse, Fault> {
        self.shared.check_is_there()?;
        let answer = self.shared.members.ask(request, move |clients| {
            let (mut kv, txn) = (clients.kv.clone(), txn.clone());
            async move { Ok(kv.txn(txn).await?.0) }
        });
        let answer = answer.await?;
        match self.shared.hear(answer.header.as_ref()) {
            // It was, but not in this store.
            Err(fault) if answer.succeeded => Err(Fault::Unclear(fault.into_cause())),
            heard => heard.map(|()| answer),
        }
    }

    pub(super) async fn put_one(
        &self,
        key: Bytes,
        value: Bytes,
        precondition: Precondition,
    ) -> Result<Written, Error> {
        let outer = self.shared.namespace.outer(&key);
        let seen = self.shared.seen();
        let fault = match self.try_put(outer.clone(), &value, precondition).await {
            Ok(Answer::Done(written)) => return Ok(written),
            Ok(Answer::Found(found)) => {
                return Err(self.conflict(key, precondition, found, Some(value)));
            }
            Err(fault) => fault,
        };
        let put = Put { key: outer, precondition: Some(precondition), seen };
        match fault {
            Fault::Unclear(cause) => Err(unknown(cause)),
            Fault::NoSpace(cause) | Fault::ResponseTooLarge(cause) if !self.settle(&put).await => {
                Err(unknown(cause))
            }
            fault => {
                let bytes = u64::try_from(key.len() + value.len()).unwrap_or(u64::MAX);
                Err(refused(self.reason(fault, 1, bytes).await, Some(value)))
            }
        }
    }

    async fn try_put(
        &self,
        outer: Vec<u8>,
        value: &Bytes,
        precondition: Precondition,
    ) -> Result<Answer<Written>, Fault> {
        let mut writes = vec![TxnOp::put(outer.clone(), value.as_ref(), None)];
        // What was created now has no past to ask for.
        if precondition != Precondition::Absent {
            writes.push(TxnOp::get(outer.clone(), Some(GetOptions::new().with_keys_only())));
        }
        let answer = self.one(outer, precondition, writes).await?;
        if !answer.succeeded {
            return Ok(Answer::Found(found(answer)));
        }
        let at = revision_of(answer.header.as_ref())?;
        Ok(Answer::Done(match found(answer).first() {
            Some(written) => {
                let count = u64::try_from(written.version).unwrap_or(1);
                Written::new(at, revision(written.create_revision)?, count)
            }
            None => Written::new(at, at, 1),
        }))
    }

    pub(super) async fn delete_one(
        &self,
        key: Bytes,
        precondition: Precondition,
    ) -> Result<Option<Deleted<Bytes>>, Error> {
        let outer = self.shared.namespace.outer(&key);
        match self.try_delete(outer, precondition).await {
            Ok(Answer::Done(deleted)) => Ok(deleted),
            Ok(Answer::Found(found)) => Err(self.conflict(key, precondition, found, None)),
            // The answer of a delete has what was deleted.
            Err(Fault::Unclear(cause) | Fault::NoSpace(cause) | Fault::ResponseTooLarge(cause)) => {
                Err(unknown(cause))
            }
            Err(fault) => {
                let bytes = u64::try_from(key.len()).unwrap_or(u64::MAX);
                Err(refused(self.reason(fault, 1, bytes).await, None))
            }
        }
    }

    async fn try_delete(
        &self,
        outer: Vec<u8>,
        precondition: Precondition,
    ) -> Result<Answer<Option<Deleted<Bytes>>>, Fault> {
        let options = DeleteOptions::new().with_prev_key();
        let delete = vec![TxnOp::delete(outer.clone(), Some(options))];
        let answer = self.one(outer, precondition, delete).await?;
        if !answer.succeeded {
            return Ok(Answer::Found(found(answer)));
        }
        let at = revision_of(answer.header.as_ref())?;
        let previous = found(answer).into_iter().next().map(entry).transpose()?;
        Ok(Answer::Done(previous.map(|(_, previous)| Deleted::new(at, previous))))
    }

    async fn one(
        &self,
        outer: Vec<u8>,
        precondition: Precondition,
        writes: Vec<TxnOp>,
    ) -> Result<PbTxnResponse, Fault> {
        let compares: Vec<_> = compare(outer.clone(), precondition).into_iter().collect();
        let txn =
            EtcdTxn::new().when(compares).and_then(writes).or_else(vec![TxnOp::get(outer, None)]);
        self.transact(Request::Write, txn).await
    }

    fn conflict(
        &self,
        key: Bytes,
        precondition: Precondition,
        found: Vec<PbKeyValue>,
        rejected: Option<Bytes>,
    ) -> Error {
        // That there is a number beyond 2^53 does not make it less of a refusal.
        match found.into_iter().next().map(entry).transpose() {
            Ok(found) => {
                let current = found.map(|(_, current)| current);
                let identity = self.shared.identity;
                WriteError::Conflict(Conflict::new(identity, key, precondition, current, rejected))
            }
            Err(fault) => refused(Reason::Unavailable(fault.into_cause()), rejected),
        }
    }

    /// Why a request was refused that was certainly not carried out.
    pub(super) async fn reason(&self, fault: Fault, operations: usize, bytes: u64) -> Reason {
        match fault {
            Fault::RequestTooLarge => Reason::RequestTooLarge { bytes },
            Fault::NoSpace(cause) => Reason::Full(cause),
            Fault::TooManyOperations => {
                Reason::TooManyOperations { operations, max: self.max_operations(operations).await }
            }
            Fault::Denied(cause) => Reason::Denied(cause),
            other => Reason::Unavailable(other.into_cause()),
        }
    }
}

/// The entries in an answer: those that were read, or deleted.
fn found(answer: PbTxnResponse) -> Vec<PbKeyValue> {
    let answers = answer.responses.into_iter().filter_map(|answer| answer.response);
    answers
        .flat_map(|answer| match answer {
            PbTxnOpResponse::ResponseRange(found) => found.kvs,
            PbTxnOpResponse::ResponseDeleteRange(deleted) => deleted.prev_kvs,
            PbTxnOpResponse::ResponsePut(_) | PbTxnOpResponse::ResponseTxn(_) => Vec::new(),
        })
        .collect()
}

fn refused(reason: Reason, rejected: Option<Bytes>) -> Error {
    WriteError::Refused(Refused::new(reason, rejected))
}

fn unknown(cause: Cause) -> Error {
    WriteError::OutcomeUnknown(OutcomeUnknown::new(None::<Revision>, cause))
}
