//! One document written, atomic whatever is demanded: conditions, nothing under a prefix, a record for repeats.
//!
//! What a single [`Precondition`] says is one compare-and-swap. Everything else is checked against what is there, and
//! committed on condition that it is exactly that; if it is not any more, it is checked again.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::http::StatusCode;
use bytes::Bytes;

use crate::backend::Backend;
use crate::commit_error::CommitError;
use crate::conflict::Conflict;
use crate::error::{Reason, WriteError};
use crate::precondition::Precondition;
use crate::txn::Txn;
use crate::versioned::Versioned;

use super::document::{Document, Stamp};
use super::entry::Entry;
use super::found::Found;
use super::idempotency::{Done, Effect, Known, Repeatable};
use super::json_patch::Patch;
use super::keyspace::Prefix;
use super::shared::{Recording, Shared};
use crate::document_key::DocumentKey;
use crate::http::etag::{ETag, origin_of};
use crate::http::guard::Guard;
use crate::http::guard::write::{ATTEMPTS, contended};
use crate::http::problem::{Problem, ProblemKind, State};
use crate::http::versions::Life;

/// How many of those that are in the way are named.
const MAX_BLOCKERS: usize = 16;

/// What a request wants of one document.
pub(super) struct DocumentWrite<'a> {
    pub(super) key: &'a DocumentKey,
    pub(super) guard: &'a Guard,
    pub(super) change: Change,
    /// Only if nothing is under this.
    pub(super) unless: Option<&'a Prefix>,
    pub(super) repeatable: Option<&'a Repeatable>,
    /// Whether a problem may show what is stored under other keys.
    pub(super) shows: bool,
}

impl From<Done> for Outcome {
    fn from(Done { etag, effect }: Done) -> Self {
        let created = effect == Effect::Created;
        Self { etag, life: effect.life(etag.revision()), created, document: None }
    }
}

/// What becomes of the document.
pub(super) enum Change {
    Put(Document),
    Delete,
    /// Of what is there, to at most so many bytes.
    Patch(Arc<Patch>, usize),
}

/// A write that took place, now or when the request came before.
pub(super) struct Outcome {
    pub(super) etag: ETag,
    /// Of what was written; `None` of a delete.
    pub(super) life: Option<Life>,
    pub(super) created: bool,
    /// What was written, and when; `None` of a delete, or if it was before.
    pub(super) document: Option<(Document, SystemTime)>,
}

/// A write that did not take place.
pub(super) struct Lost {
    pub(super) problem: Problem,
    /// What is there now, if the state is the reason.
    pub(super) current: Option<Entry>,
}

impl Lost {
    /// Whether the state disagrees: 409 or, for a header, 412; 404 if nothing is there.
    fn is_of_the_state(&self) -> bool {
        let status = self.problem.status();
        matches!(
            status,
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED | StatusCode::NOT_FOUND
        )
    }
}

impl From<Problem> for Lost {
    fn from(problem: Problem) -> Self {
        Self { problem, current: None }
    }
}

/// How an attempt failed that may be made again.
enum Again {
    /// The document is this now.
    Changed(Option<Versioned<Bytes>>),
    /// The request was recorded meanwhile.
    Recorded,
}

enum Failed {
    Again(Again),
    Lost(Box<Lost>),
}

/// What the patch makes of the document.
async fn patched<B: Backend>(
    shared: &Shared<B>,
    patch: &Arc<Patch>,
    entry: &Entry,
    max: usize,
) -> Result<Document, Problem> {
    let (patch, document) = (Arc::clone(patch), entry.document().clone());
    let weight = patch.weight(document.body().len());
    shared.heavy().run(weight, move || patch.apply(&document, max)).await
}

impl From<Lost> for Failed {
    fn from(lost: Lost) -> Self {
        Self::Lost(Box::new(lost))
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Lost::from(problem).into()
    }
}

impl DocumentWrite<'_> {
    /// Writes.
    ///
    /// # Errors
    /// 404 if a document that has to exist does not; 409 or 412 if a condition does not hold, 409 if the prefix is in use
    /// or the patch does not fit; 422; else as [`Problem`] says of [`WriteError`].
    pub(super) async fn commit<B: Backend>(&self, shared: &Shared<B>) -> Result<Outcome, Lost> {
        let began = Instant::now();
        let lost = match self.try_commit(shared).await {
            Ok(outcome) => {
                shared.options().metrics.observe_commit(outcome.etag.revision(), began.elapsed());
                return Ok(outcome);
            }
            Err(lost) => lost,
        };
        // What it lost against may be itself: the same request, which took place after this one had asked for it.
        match self.known(shared).await {
            Ok(Known::Done(done)) => Ok(done.into()),
            // Whether it was itself is not known now. The client is to ask again, and not to take it for a lost race.
            Err(problem) if lost.is_of_the_state() => Err(problem.undecided().into()),
            _ => Err(lost),
        }
    }

    async fn try_commit<B: Backend>(&self, shared: &Shared<B>) -> Result<Outcome, Lost> {
        let mut record = match self.known(shared).await? {
            Known::Done(done) => return Ok(done.into()),
            Known::New(precondition) => precondition,
        };
        let (mut current, _turn) = match self.at_once(shared).await {
            Some(Ok(outcome)) => return Ok(outcome),
            Some(Err(Failed::Lost(lost))) => return Err(*lost),
            Some(Err(Failed::Again(Again::Changed(current)))) => (current, None),
            Some(Err(Failed::Again(Again::Recorded))) | None => {
                let turn = shared.turns().take(self.key).await;
                let current = shared.backend().get(self.key.as_bytes()).await;
                (current.map_err(Problem::from)?, Some(turn))
            }
        };
        for _ in 0..ATTEMPTS {
            match self.attempt(shared, current.as_ref(), record).await {
                Ok(outcome) => return Ok(outcome),
                Err(Failed::Lost(lost)) => return Err(*lost),
                Err(Failed::Again(Again::Changed(now))) => current = now,
                Err(Failed::Again(Again::Recorded)) => {
                    match self.known(shared).await.map_err(Problem::undecided)? {
                        Known::Done(done) => return Ok(done.into()),
                        Known::New(precondition) => record = precondition,
                    }
                }
            }
        }
        Err(contended(self.key).into())
    }

    /// What is known of the request from before.
    async fn known<B: Backend>(&self, shared: &Shared<B>) -> Result<Known, Problem> {
        match self.repeatable {
            Some(repeatable) => Box::pin(repeatable.find(shared.backend())).await,
            None => Ok(Known::New(Precondition::Absent)),
        }
    }

    /// Whether it is a single write of a single key.
    fn is_single(&self) -> bool {
        self.unless.is_none() && self.repeatable.is_none()
    }

    /// One compare-and-swap without reading before, if that says all.
    async fn at_once<B: Backend>(&self, shared: &Shared<B>) -> Option<Result<Outcome, Failed>> {
        let precondition =
            self.guard.document_precondition(shared.identity()).filter(|_| self.is_single())?;
        let key = self.key.as_bytes().clone();
        match &self.change {
            Change::Patch(..) => None,
            Change::Put(document) => {
                Some(self.put(shared, key, document.clone(), precondition).await)
            }
            Change::Delete => Some(self.delete(shared, key, precondition).await),
        }
    }

    /// Checks everything against what was read, and writes on top of exactly that.
    async fn attempt<B: Backend>(
        &self,
        shared: &Shared<B>,
        current: Option<&Versioned<Bytes>>,
        record: Precondition,
    ) -> Result<Outcome, Failed> {
        let found = current.map(|stored| Found::of(shared, self.key, stored));
        if found.is_none() && !matches!(self.change, Change::Put(_)) {
            return Err(Problem::not_found(self.key).into());
        }
        if let Err(problem) = self.guard.check_write(found.as_ref().map(Found::current)) {
            let current = found.and_then(Found::into_entry);
            return Err(Lost { problem: problem.with_key(self.key), current }.into());
        }
        let document = match (&self.change, &found) {
            (Change::Put(document), _) => Some(document.clone()),
            (Change::Patch(patch, max), Some(found)) => {
                let entry = found.entry()?;
                match Box::pin(patched(shared, patch, entry, *max)).await {
                    Ok(document) => Some(document),
                    Err(problem) => {
                        let state = State { expected: None, current: Some(entry.etag()) };
                        let problem = problem.with_key(self.key).with_state(state);
                        return Err(Lost { problem, current: Some(entry.clone()) }.into());
                    }
                }
            }
            (Change::Delete | Change::Patch(..), _) => None,
        };
        let exactly = current.map_or(Precondition::Absent, Precondition::from);
        let key = self.key.as_bytes().clone();
        match document {
            Some(document) if self.is_single() => self.put(shared, key, document, exactly).await,
            None if self.is_single() => self.delete(shared, key, exactly).await,
            // What is less common is boxed, so that the future of what is common is small.
            document => Box::pin(self.transact(shared, (exactly, found), document, record)).await,
        }
    }

    async fn put<B: Backend>(
        &self,
        shared: &Shared<B>,
        key: Bytes,
        document: Document,
        precondition: Precondition,
    ) -> Result<Outcome, Failed> {
        let stamp = Stamp::now();
        match shared.backend().put_if(key, document.to_stored(stamp), precondition).await {
            Ok(written) => Ok(Outcome {
                etag: ETag::from_origin(written.revision(), stamp.origin()),
                life: Some(Life {
                    created: written.created_revision(),
                    write_count: written.write_count(),
                }),
                created: written.is_creation(),
                document: Some((document, stamp.modified())),
            }),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn delete<B: Backend>(
        &self,
        shared: &Shared<B>,
        key: Bytes,
        precondition: Precondition,
    ) -> Result<Outcome, Failed> {
        match shared.backend().delete_if(key, precondition).await {
            Ok(Some(deleted)) => {
                let etag = ETag::new(shared.identity(), deleted.revision());
                Ok(Outcome { etag, life: None, created: false, document: None })
            }
            Ok(None) => Err(Problem::not_found(self.key).into()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: WriteError<Bytes, Bytes>) -> Failed {
        match error {
            WriteError::Conflict(conflict) => {
                Failed::Again(Again::Changed(conflict.into_parts().0))
            }
            WriteError::Refused(refused) => {
                Problem::refused(refused.reason()).with_key(self.key).into()
            }
            WriteError::OutcomeUnknown(unknown) => {
                Problem::unknown(&unknown).with_key(self.key).into()
            }
        }
    }

    async fn transact<B: Backend>(
        &self,
        shared: &Shared<B>,
        (exactly, found): (Precondition, Option<Found>),
        document: Option<Document>,
        record: Precondition,
    ) -> Result<Outcome, Failed> {
        let stamp = Stamp::now();
        let effect = match (&document, &found) {
            (None, _) => Effect::Other,
            (Some(_), None) => Effect::Created,
            (Some(_), Some(found)) => Effect::Changed(found.life().goes_on()),
        };
        let origin = match &document {
            Some(_) => stamp.origin(),
            None => origin_of(shared.identity()),
        };
        let key = self.key.as_bytes();
        let mut txn = Txn::new().require(key, exactly);
        // It is not in its own way.
        for others in self.unless.iter().flat_map(|prefix| prefix.ranges_without(self.key)) {
            txn = txn.require_none_in(others);
        }
        txn = match &document {
            Some(document) => txn.put(key, document.to_stored(stamp)),
            None => txn.delete(key),
        };
        if let Some(repeatable) = self.repeatable {
            txn = repeatable.record_in(txn, record, effect, origin);
        }
        let recording = self.repeatable.map(|_| Recording::new(shared));
        let committed = shared.backend().commit(txn).await;
        if let Some(recording) = recording {
            recording.done(&committed);
        }
        match committed {
            Ok(revision) => Ok(Outcome {
                etag: ETag::from_origin(revision, origin),
                life: effect.life(revision),
                created: effect == Effect::Created,
                document: document.map(|document| (document, stamp.modified())),
            }),
            Err(CommitError::Conflicts { conflicts, .. }) => {
                Err(self.conflicting(found, conflicts))
            }
            Err(CommitError::Refused { reason, .. }) => {
                let problem = Problem::refused(&reason).with_key(self.key);
                Err(self.with_what_has_room(problem, &reason, document.is_none()).into())
            }
            Err(CommitError::OutcomeUnknown(unknown)) => {
                Err(Problem::unknown(&unknown).with_key(self.key).into())
            }
            // It demands that nothing is in a range, never that nothing has changed in one.
            Err(error) => Err(Problem::new(ProblemKind::Internal, error.to_string()).into()),
        }
    }

    /// The record of a delete may have no room where the delete itself needs none. It is not left out: the same request
    /// again would not be known.
    fn with_what_has_room(&self, problem: Problem, reason: &Reason, deletes: bool) -> Problem {
        let is_of_the_record = matches!(reason, Reason::Full(_) | Reason::TooManyKeys { .. });
        if !(deletes && is_of_the_record && self.repeatable.is_some()) {
            return problem;
        }
        problem.with_more(
            "the record of the Idempotency-Key has no room; a delete without one needs none",
        )
    }

    /// Who was first: itself; another; or somebody under the prefix.
    fn conflicting(&self, found: Option<Found>, conflicts: Vec<Conflict<Bytes, Bytes>>) -> Failed {
        let record = self.repeatable.map(Repeatable::record);
        if conflicts.iter().any(|conflict| Some(conflict.key()) == record.as_ref()) {
            return Failed::Again(Again::Recorded);
        }
        let mut in_the_way = Vec::new();
        for conflict in conflicts {
            if conflict.range().is_none() {
                return Failed::Again(Again::Changed(conflict.into_parts().0));
            }
            in_the_way.push(conflict);
        }
        match self.unless {
            Some(prefix) if !in_the_way.is_empty() => {
                let state = State { expected: None, current: found.as_ref().map(Found::etag) };
                let problem = self.in_use(prefix, &in_the_way).with_state(state);
                Lost { problem, current: found.and_then(Found::into_entry) }.into()
            }
            _ => Problem::new(ProblemKind::Internal, "a conflict without a reason").into(),
        }
    }

    fn in_use(&self, prefix: &Prefix, conflicts: &[Conflict<Bytes, Bytes>]) -> Problem {
        let blockers: Vec<DocumentKey> = conflicts
            .iter()
            .flat_map(Conflict::blockers)
            .filter_map(|(key, _)| DocumentKey::from_stored(key).ok())
            .take(MAX_BLOCKERS)
            .collect();
        if !self.shows {
            let detail = format!("something is still under the prefix {:?}", prefix.as_str());
            return Problem::new(ProblemKind::InUse, detail).with_key(self.key);
        }
        let count: usize = conflicts.iter().map(Conflict::blocker_count).sum();
        let keys = if count == 1 { "key is" } else { "keys are" };
        let detail = format!("{count} {keys} still under the prefix {:?}", prefix.as_str());
        Problem::new(ProblemKind::InUse, detail)
            .with_key(self.key)
            .with_member("blockers", &blockers)
            .with_member("blocker_count", &count)
    }
}
