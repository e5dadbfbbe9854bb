//! Transactions. What does not hold is read in the same round trip, at the revision at which it did not hold.

use bytes::Bytes;
use etcd_client::proto::{PbTxnOpResponse, PbTxnResponse};
use etcd_client::{GetOptions, Txn as EtcdTxn, TxnOp};

use crate::cause::Cause;
use crate::commit_error::CommitError;
use crate::error::{OutcomeUnknown, Reason};
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::txn::{Requirement, Txn};

use super::Etcd;
use super::condition::{Condition, Listed};
use super::entry::{number, revision_of};
use super::fault::Fault;
use super::members::Request;
use super::settle::Put;

type Error = CommitError<Bytes, Bytes>;

impl Etcd {
    pub(super) async fn commit_all(&self, txn: Txn<Bytes, Bytes>) -> Result<Revision, Error> {
        if let Err(reason) = txn.check() {
            let reason = match reason {
                // What is told is what would pass here.
                Reason::TooManyOperations { operations, .. } => Reason::TooManyOperations {
                    operations,
                    max: self.max_operations(operations).await,
                },
                other => other,
            };
            return Err(CommitError::refused(reason, txn));
        }
        let mut lists = Vec::with_capacity(txn.requirements().len());
        for (index, requirement) in txn.requirements().iter().enumerate() {
            match self.list(requirement).await {
                Ok(list) => lists.push(list),
                Err(fault) => return Err(self.unjudged(index, fault, txn).await),
            }
        }
        let namespace = &self.shared.namespace;
        let conditions: Vec<Condition<'_>> = txn
            .requirements()
            .iter()
            .zip(lists)
            .map(|(requirement, list)| Condition::new(requirement, list, namespace))
            .collect();
        let (request, operations) = self.request(&txn, &conditions);
        let kind = if txn.changes().len() == 0 { Request::Read } else { Request::Write };
        let seen = self.shared.seen();
        let fault = match self.transact(kind, request).await {
            Ok(answer) if answer.succeeded => match revision_of(answer.header.as_ref()) {
                Ok(revision) => return Ok(revision),
                Err(fault) => fault,
            },
            Ok(answer) => match self.conflicts(&conditions, answer) {
                Ok(conflicts) => {
                    drop(conditions);
                    return Err(CommitError::conflicting(conflicts, txn));
                }
                // Whatever is wrong with the answer, it says that nothing was written.
                Err(fault) => Fault::Refused(fault.into_cause()),
            },
            Err(fault) => fault,
        };
        drop(conditions);
        match fault {
            Fault::Unclear(cause) if kind == Request::Write => Err(unknown(cause)),
            Fault::NoSpace(cause) | Fault::ResponseTooLarge(cause)
                if kind == Request::Write && !self.settle_first_put(&txn, seen).await =>
            {
                Err(unknown(cause))
            }
            fault => {
                let reason = self.reason(fault, operations, bytes(&txn)).await;
                Err(CommitError::refused(reason, txn))
            }
        }
    }

    /// Whether the transaction certainly did not take place, as one of its puts shows.
    async fn settle_first_put(&self, txn: &Txn<Bytes, Bytes>, seen: Revision) -> bool {
        let Some((put, _)) = txn.changes().find(|(_, value)| value.is_some()) else { return false };
        let precondition = txn.requirements().iter().find_map(|requirement| match requirement {
            Requirement::Key(key, precondition) if key == put => Some(*precondition),
            _ => None,
        });
        self.settle(&Put { key: self.shared.namespace.outer(put), precondition, seen }).await
    }

    /// What was in the range of a requirement, if it is one that nothing has changed.
    async fn list(&self, requirement: &Requirement<Bytes>) -> Result<Vec<Listed>, Fault> {
        let Requirement::UnchangedIn(range, since) = requirement else { return Ok(Vec::new()) };
        let Some(span) = self.shared.namespace.span(range) else {
            // No key can have changed, and yet the revision has to be one that there was.
            return self.judge(*since).await.map(|_| Vec::new());
        };
        let most = Txn::<Bytes, Bytes>::MAX_OPERATIONS;
        let options = GetOptions::new()
            .with_range(span.end)
            .with_revision(number(*since))
            .with_keys_only()
            .with_limit(i64::try_from(most).unwrap_or(i64::MAX));
        let found = self.range(span.start, options).await?;
        if found.more {
            return Err(Fault::TooManyOperations);
        }
        Ok(found.kvs.into_iter().map(|found| (found.key, found.mod_revision)).collect())
    }

    /// A range could not be judged.
    async fn unjudged(&self, index: usize, fault: Fault, txn: Txn<Bytes, Bytes>) -> Error {
        let fault = match fault {
            Fault::Compacted => match self.oldest().await {
                Ok(oldest) => return CommitError::compacted(index, oldest, txn),
                Err(fault) => fault,
            },
            Fault::Future => match self.newest().await {
                Ok(newest) => return CommitError::future(index, newest, txn),
                Err(fault) => fault,
            },
            other => other,
        };
        let operations = Txn::<Bytes, Bytes>::MAX_OPERATIONS + 1;
        CommitError::refused(self.reason(fault, operations, bytes(&txn)).await, txn)
    }

    /// The request, and how many operations it has by etcd's count.
    fn request(&self, txn: &Txn<Bytes, Bytes>, conditions: &[Condition<'_>]) -> (EtcdTxn, usize) {
        let namespace = &self.shared.namespace;
        let (mut compares, mut questions) = (Vec::new(), Vec::new());
        for condition in conditions {
            condition.compares(&mut compares);
            condition.questions(&mut questions);
        }
        let mut writes: Vec<TxnOp> = txn
            .changes()
            .map(|(key, value)| match value {
                Some(value) => TxnOp::put(namespace.outer(key), value.as_ref(), None),
                None => TxnOp::delete(namespace.outer(key), None),
            })
            .collect();
        if writes.is_empty() {
            // Without a read etcd takes a transaction for one that may be judged by a state of the past.
            writes
                .push(TxnOp::get(namespace.outer(b""), Some(GetOptions::new().with_count_only())));
        }
        let operations = compares.len().max(questions.len()).max(writes.len());
        (EtcdTxn::new().when(compares).and_then(writes).or_else(questions), operations)
    }

    fn conflicts(
        &self,
        conditions: &[Condition<'_>],
        answer: PbTxnResponse,
    ) -> Result<Vec<crate::conflict::Conflict<Bytes, Bytes>>, Fault> {
        let mut answers = answer.responses.into_iter().filter_map(|answer| match answer.response {
            Some(PbTxnOpResponse::ResponseRange(found)) => Some(found),
            _ => None,
        });
        let place = (&self.shared.namespace, self.shared.identity);
        let mut conflicts = Vec::new();
        for (index, condition) in conditions.iter().enumerate() {
            conflicts.extend(condition.conflict(index, &mut answers, place)?);
        }
        if conflicts.is_empty() {
            return Err(Fault::Refused(Cause::new(
                "etcd says that a precondition does not hold, and that all do",
            )));
        }
        Ok(conflicts)
    }
}

/// The keys and values in a transaction, in bytes.
fn bytes(txn: &Txn<Bytes, Bytes>) -> u64 {
    let changes = txn.changes().map(|(key, value)| key.len() + value.map_or(0, Bytes::len));
    let bound = |bound: std::ops::Bound<&Bytes>| match bound {
        std::ops::Bound::Included(key) | std::ops::Bound::Excluded(key) => key.len(),
        std::ops::Bound::Unbounded => 0,
    };
    let of_range = |range: &KeyRange<Bytes>| bound(range.start()) + bound(range.end());
    let requirements = txn.requirements().iter().map(|requirement| match requirement {
        Requirement::Key(key, _) => key.len(),
        Requirement::NoneIn(range) | Requirement::UnchangedIn(range, _) => of_range(range),
    });
    u64::try_from(changes.chain(requirements).sum::<usize>()).unwrap_or(u64::MAX)
}

fn unknown(cause: Cause) -> Error {
    CommitError::OutcomeUnknown(OutcomeUnknown::new(None, cause))
}
