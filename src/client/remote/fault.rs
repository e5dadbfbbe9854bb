//! What the answers of a server that are no success mean to who uses it as a backend.

use reqwest::StatusCode;

use crate::capability::Capability;
use crate::cause::Cause;
use crate::error::{OutcomeUnknown, ReadError, Reason};
use crate::history::{HistoryError, TooManySnapshots};

use super::super::error::ClientError;
use super::super::send::Answer;
use super::super::wire::{WireCompacted, WireLimit, WireSnapshots};

/// Why a write did not take place, or may have.
pub(super) enum Fault {
    Refused(Reason),
    Unknown(OutcomeUnknown),
}

/// A write of `bytes` that failed, not by a conflict.
pub(super) fn of_write(error: ClientError, bytes: usize) -> Fault {
    if error.is_outcome_unknown() {
        return Fault::Unknown(OutcomeUnknown::new(None, error));
    }
    Fault::Refused(reason(error, bytes))
}

fn reason(error: ClientError, bytes: usize) -> Reason {
    let ClientError::Problem(problem) = &error else {
        return Reason::Unavailable(Cause::new(error));
    };
    match (problem.status(), problem.slug()) {
        (401 | 403, _) => Reason::Denied(Cause::new(error)),
        (413, _) => Reason::RequestTooLarge { bytes: u64::try_from(bytes).unwrap_or(u64::MAX) },
        (507, _) => Reason::Full(Cause::new(error)),
        (_, "contended") => Reason::Contended,
        _ => match serde_json::from_slice(problem.body()) {
            Ok(WireLimit { operations, max_operations: max }) => {
                Reason::TooManyOperations { operations, max }
            }
            Err(_) => Reason::Unavailable(Cause::new(error)),
        },
    }
}

/// A read that needs `capability`, and was answered otherwise.
pub(super) fn of_read(answer: Answer, capability: Capability) -> ReadError {
    match answer.status {
        StatusCode::GONE => {
            let wire: WireCompacted = answer.json().unwrap_or_default();
            match (wire.oldest_revision, wire.newest_revision) {
                (Some(oldest), _) => HistoryError::compacted(oldest).into(),
                (None, Some(newest)) => HistoryError::future(newest).into(),
                (None, None) => unavailable(answer.into_error()),
            }
        }
        StatusCode::NOT_IMPLEMENTED => ReadError::Unsupported(capability),
        _ => of_failed_read(answer.into_error()),
    }
}

/// A read that failed. That a server has as many snapshots as it may is no failure of the way to it.
pub(super) fn of_failed_read(error: ClientError) -> ReadError {
    if let ClientError::Problem(problem) = &error
        && problem.status() == StatusCode::TOO_MANY_REQUESTS
        && let Ok(WireSnapshots { max_snapshots: max }) = serde_json::from_slice(problem.body())
    {
        return HistoryError::from(TooManySnapshots::new(max)).into();
    }
    match &error {
        ClientError::Problem(problem) if matches!(problem.status(), 401 | 403) => {
            ReadError::Denied(Cause::new(error))
        }
        _ => unavailable(error),
    }
}

pub(super) fn unavailable(error: ClientError) -> ReadError {
    ReadError::Unavailable(Cause::new(error))
}
