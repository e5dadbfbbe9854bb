//! `POST /v1/txn`: preconditions and operations on many documents, all or nothing.

mod body;
mod conflicts;

use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

use crate::backend::Backend;
use crate::commit_error::CommitError;
use crate::error::Reason;
use crate::precondition::Precondition;
use crate::revision::Revision;
use crate::txn::{Requirement, Txn};

use super::idempotency::{Effect, Known, Repeatable};
use super::list::json;
use super::prefer;
use super::shared::{Mount, Recording, Shared};
use crate::http::caller::Caller;
use crate::http::etag::origin_of;
use crate::http::guard::Guard;
use crate::http::guard::write::{ATTEMPTS, contended};
use crate::http::problem::{Problem, ProblemKind};
use crate::http::query;
use crate::http::upload;

#[derive(Serialize)]
struct Committed {
    revision: Revision,
}

/// `POST`.
pub(super) async fn transact<B: Backend>(
    State(shared): State<Shared<B>>,
    mount: Mount,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    query::allow_only(request.uri().query(), &[])?;
    if !Guard::of(request.headers(), None)?.is_empty() {
        let detail = "what a transaction demands is in the member \"require\" of its body";
        return Err(Problem::new(ProblemKind::InvalidHeader, detail));
    }
    upload::check_is_whole(request.headers())?;
    upload::check_is_json(request.headers())?;
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let headers = request.headers().clone();
    let body = upload::body_of(request, shared.options()).await?;
    let repeatable = Repeatable::of(&caller, &method, &uri, &headers, &body)?;
    let transaction = shared.heavy().read(body.len(), move || body::read(&body)).await?;
    if shared.options().require_preconditions && !is_guarded(transaction.txn()) {
        return Err(Problem::precondition_required());
    }
    let began = Instant::now();
    let committed = match &repeatable {
        None => commit(&shared, transaction.txn().clone()).await,
        Some(repeatable) => repeat(&shared, transaction.txn(), repeatable).await,
    };
    match committed {
        Ok(revision) => {
            shared.options().metrics.observe_commit(revision, began.elapsed());
            Ok(json(&Committed { revision }))
        }
        Err(Failed::Problem(problem)) => Err(problem),
        Err(Failed::Commit(error)) => {
            let shows = caller.may_read();
            let with_current = shows && prefer::wants_representation(&headers);
            let context =
                conflicts::Context { shared: &shared, mount: &mount, shows, with_current };
            Err(context.problem(&transaction, *error))
        }
    }
}

enum Failed {
    Problem(Problem),
    Commit(Box<CommitError<Bytes, Bytes>>),
}

impl Failed {
    /// Whether the state disagrees, now.
    fn is_of_the_state(&self) -> bool {
        let Self::Commit(error) = self else { return false };
        matches!(
            **error,
            CommitError::Conflicts { .. }
                | CommitError::Compacted { .. }
                | CommitError::Future { .. }
        )
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

async fn commit<B: Backend>(
    shared: &Shared<B>,
    txn: Txn<Bytes, Bytes>,
) -> Result<Revision, Failed> {
    shared.backend().commit(txn).await.map_err(|error| Failed::Commit(Box::new(error)))
}

/// Commits unless the request was before.
async fn repeat<B: Backend>(
    shared: &Shared<B>,
    txn: &Txn<Bytes, Bytes>,
    repeatable: &Repeatable,
) -> Result<Revision, Failed> {
    let origin = origin_of(shared.identity());
    let mut was_recorded = false;
    for _ in 0..ATTEMPTS {
        let known = match repeatable.find(shared.backend()).await {
            Err(problem) if was_recorded => return Err(problem.undecided().into()),
            known => known?,
        };
        let record = match known {
            Known::Done(done) => return Ok(done.etag.revision()),
            Known::New(record) => record,
        };
        let recording = Recording::new(shared);
        let recorded = repeatable.record_in(txn.clone(), record, Effect::Other, origin);
        let committed = shared.backend().commit(recorded).await;
        recording.done(&committed);
        let error = match committed {
            Ok(revision) => return Ok(revision),
            Err(error) => error,
        };
        let record = repeatable.record();
        if error.conflicts().iter().any(|conflict| *conflict.key() == record) {
            // Somebody recorded it meanwhile.
            was_recorded = true;
        } else {
            let error = Failed::Commit(Box::new(error));
            match repeatable.find(shared.backend()).await {
                // It was undecided only because it took place meanwhile.
                Ok(Known::Done(done)) => return Ok(done.etag.revision()),
                // Whether it did is not known now. The client is to ask again, and not to take it for a lost race.
                Err(problem) if error.is_of_the_state() => return Err(problem.undecided().into()),
                _ => return Err(error),
            }
        }
    }
    Err(contended("transaction").into())
}

/// Whether something is demanded of every document that is written.
fn is_guarded(txn: &Txn<Bytes, Bytes>) -> bool {
    txn.changes().all(|(key, _)| {
        txn.requirements().iter().any(|requirement| match requirement {
            Requirement::Key(of, precondition) => of == key && *precondition != Precondition::Any,
            Requirement::NoneIn(range) | Requirement::UnchangedIn(range, _) => range.contains(key),
        })
    })
}

/// A transaction that the store does not take, as a problem of the request.
fn refused(reason: &Reason) -> Problem {
    match reason {
        Reason::TooManyOperations { operations, max } => {
            let detail = format!(
                "{reason}, as the store counts them: an Idempotency-Key counts as two, and a prefix that is to be unchanged \
                 may count as all its keys"
            );
            body::limited(detail, *operations, *max)
        }
        Reason::DuplicateKey { .. } => Problem::new(ProblemKind::InvalidBody, reason.to_string()),
        reason => Problem::refused(reason),
    }
}
