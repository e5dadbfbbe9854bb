//! What the store's errors are as problems.

use std::error::Error;
use std::fmt::Display;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::cause::Cause;
use crate::commit_error::{CommitError, TransactError};
use crate::conflict::Conflict;
use crate::error::{LogFailure, OutcomeUnknown, ReadError, Reason, WriteError};
use crate::history::HistoryError;
use crate::precondition::Precondition;

use super::unmet::Unmet;
use super::why::Why;
use super::{Problem, ProblemKind, State};
use crate::http::etag::ETag;

/// After how many seconds a client may try again when the server takes no writes.
pub(in crate::http) const RETRY_UNAVAILABLE: HeaderValue = HeaderValue::from_static("10");

impl Problem {
    /// A write that was refused, with nothing written.
    pub(in crate::http) fn refused(reason: &Reason) -> Self {
        let kind = match reason {
            Reason::RecordTooLarge { .. } | Reason::RequestTooLarge { .. } => ProblemKind::TooLarge,
            Reason::TooManyKeys { .. }
            | Reason::RevisionsExhausted
            | Reason::NoSpace(_)
            | Reason::Full(_) => ProblemKind::StorageFull,
            Reason::Poisoned(_) | Reason::Closed | Reason::Unavailable(_) => {
                ProblemKind::Unavailable
            }
            Reason::Unsupported(_) => ProblemKind::Unsupported,
            Reason::Contended => ProblemKind::Contended,
            Reason::DuplicateKey { .. }
            | Reason::TooManyOperations { .. }
            | Reason::Encode(_)
            | Reason::Unreadable(_)
            | Reason::Undecodable(_)
            // It is the server that is not let in, and not its client, who would ask in vain again.
            | Reason::Denied(_) => ProblemKind::Internal,
        };
        let problem = Self::new(kind, reason.to_string()).because(reason);
        match kind {
            ProblemKind::Unavailable => problem.with_header(header::RETRY_AFTER, RETRY_UNAVAILABLE),
            _ => problem,
        }
    }

    /// A write of which nobody knows whether it took place: without Retry-After, which would ask for it to be repeated
    /// blindly.
    pub(in crate::http) fn unknown(unknown: &OutcomeUnknown) -> Self {
        // The client is not told, and whoever runs the server has to know why, even if it is killed next.
        let why = Why::of(unknown);
        tracing::error!(cause = why.as_ref().map(Why::as_str), "the outcome of a write is unknown");
        let cause = unknown.source().and_then(<dyn Error>::downcast_ref::<Cause>);
        let is_of_the_log = cause.is_some_and(|cause| cause.get_ref().is::<LogFailure>());
        let detail = if is_of_the_log {
            format!("the log failed: {unknown}")
        } else {
            format!("the backend did not say what came of it: {unknown}")
        };
        Self::new(ProblemKind::OutcomeUnknown, detail)
    }

    /// What to say of a write that lost, maybe against itself, if this is why its record could not be read: that nobody knows
    /// whether it took place, whatever the reason is. With Retry-After: it has an `Idempotency-Key`, so it may be repeated.
    pub(in crate::http) fn undecided(mut self) -> Self {
        // That was read: it is another request.
        if self.kind() == ProblemKind::IdempotencyKeyReused {
            return self;
        }
        let detail = format!(
            "whether the request took place before is not known, because its record could not be read: {}",
            self.detail()
        );
        let why = self.0.why.take();
        let mut problem = Self::new(ProblemKind::OutcomeUnknown, detail)
            .with_header(header::RETRY_AFTER, RETRY_UNAVAILABLE);
        problem.0.why = why;
        problem
    }
}

/// Why something could not be read, as a problem: 410, 500, 501 or 503.
impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let known = match &error {
            ReadError::Revision(HistoryError::Compacted { oldest }) => {
                Some(("oldest_revision", oldest.get()))
            }
            ReadError::Revision(HistoryError::Future { newest }) => {
                Some(("newest_revision", newest.get()))
            }
            ReadError::Revision(HistoryError::TooManySnapshots(error)) => {
                Some(("max_snapshots", error.max))
            }
            _ => None,
        };
        let kind = match &error {
            ReadError::Revision(HistoryError::TooManySnapshots(_)) => ProblemKind::TooManyRequests,
            ReadError::Revision(_) => ProblemKind::Compacted,
            ReadError::Unsupported(_) => ProblemKind::Unsupported,
            ReadError::Unavailable(_) => ProblemKind::Unavailable,
            ReadError::Undecodable(_) | ReadError::Denied(_) => ProblemKind::Internal,
        };
        let mut problem = Self::new(kind, error.to_string()).because(&error);
        if let Some((name, number)) = known {
            problem = problem.with_member(name, &number);
        }
        match kind {
            ProblemKind::TooManyRequests | ProblemKind::Unavailable => {
                problem.with_header(header::RETRY_AFTER, RETRY_UNAVAILABLE)
            }
            _ => problem,
        }
    }
}

/// A key whose precondition failed, as a problem: 409.
impl<K: Display, V> From<Conflict<K, V>> for Problem {
    fn from(conflict: Conflict<K, V>) -> Self {
        Self::from(&conflict)
    }
}

/// A precondition that failed, as a problem: 409. Of a range in which nothing was to exist with the keys that are there.
impl<K: Display, V> From<&Conflict<K, V>> for Problem {
    fn from(conflict: &Conflict<K, V>) -> Self {
        let (kind, expected) = match conflict.expected() {
            Precondition::Absent if conflict.range().is_some() => (ProblemKind::InUse, None),
            Precondition::Absent => (ProblemKind::AlreadyExists, None),
            Precondition::Present => (ProblemKind::NotFound, None),
            Precondition::Revision(revision) => (ProblemKind::StaleRevision, Some(revision)),
            Precondition::Any => (ProblemKind::StaleRevision, None),
        };
        let current = conflict.revision().map(|current| ETag::new(conflict.identity(), current));
        let problem = Self::new(kind, conflict.to_string())
            .with_status(StatusCode::CONFLICT)
            .with_key(conflict.key())
            .with_state(State { expected, current });
        if kind != ProblemKind::InUse {
            return problem;
        }
        let blockers: Vec<String> =
            conflict.blockers().iter().map(|(key, _)| key.to_string()).collect();
        problem
            .with_member("blockers", &blockers)
            .with_member("blocker_count", &conflict.blocker_count())
    }
}

/// A write that did not succeed, as a problem: 409 if the race was lost, else 413, 500, 503 or 507.
impl<K: Display, V> From<WriteError<K, V>> for Problem {
    fn from(error: WriteError<K, V>) -> Self {
        match error {
            WriteError::Conflict(conflict) => conflict.into(),
            WriteError::Refused(refused) => Self::refused(refused.reason()),
            WriteError::OutcomeUnknown(unknown) => Self::unknown(&unknown),
        }
    }
}

/// A transaction that was not committed, as a problem: 409 with every precondition that does not hold; if that is a single
/// one, as that of a single write, so that a team that is in use is `in-use`.
impl<K: Display, V> From<CommitError<K, V>> for Problem {
    fn from(error: CommitError<K, V>) -> Self {
        let detail = error.to_string();
        match error {
            CommitError::Conflicts { conflicts, .. } => match conflicts.as_slice() {
                [only] if only.range().is_none_or(|_| only.blocker_count() > 0) => only.into(),
                all => Self::of_unmet(detail, all.iter().map(Unmet::of)),
            },
            CommitError::Compacted { index, oldest, .. } => {
                Self::of_unmet(detail.clone(), [Unmet::undecided(index, detail, oldest)])
            }
            CommitError::Future { index, newest, .. } => {
                Self::of_unmet(detail.clone(), [Unmet::undecided(index, detail, newest)])
            }
            CommitError::Refused { reason, .. } => Self::refused(&reason),
            CommitError::OutcomeUnknown(unknown) => Self::unknown(&unknown),
        }
    }
}

/// A closure that did not commit, as a problem: what it gave up with, if that is a [`Problem`], else 500; or as
/// [`CommitError`].
impl<K: Display, V> From<TransactError<K, V>> for Problem {
    fn from(error: TransactError<K, V>) -> Self {
        match error.downcast::<Self>() {
            Ok(problem) => problem,
            Err(TransactError::Commit(error)) => error.into(),
            Err(TransactError::Aborted(error)) => {
                Self::new(ProblemKind::Internal, error.to_string())
            }
        }
    }
}

macro_rules! responses {
    ($($error:ident<K, V>),+) => {$(
        impl<K: Display, V> IntoResponse for $error<K, V> {
            fn into_response(self) -> Response {
                Problem::from(self).into_response()
            }
        }
    )+};
}

responses!(Conflict<K, V>, WriteError<K, V>, CommitError<K, V>, TransactError<K, V>);

impl IntoResponse for ReadError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        ReadError::from(error).into()
    }
}

impl IntoResponse for HistoryError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;
    use crate::codec::CodecError;
    use crate::error::Refused;
    use crate::revision::Revision;

    type Failed = WriteError<String, u32>;

    fn failure() -> LogFailure {
        LogFailure::new("the sync", io::Error::other("the disk is gone"))
    }

    #[test]
    fn a_refused_write_is_neither_a_conflict_nor_a_success() {
        let full = Arc::new(io::Error::from(io::ErrorKind::StorageFull));
        let cases = [
            (Reason::TooManyKeys { max: 1 }, 507, false),
            (Reason::RecordTooLarge { bytes: 2, max: 1 }, 413, false),
            (Reason::RevisionsExhausted, 507, false),
            (Reason::Encode(CodecError::new("test", "no")), 500, false),
            (Reason::NoSpace(full), 507, false),
            (Reason::Poisoned(failure()), 503, true),
            (Reason::Closed, 503, true),
        ];
        for (reason, status, retry) in cases {
            let name = reason.to_string();
            let error = Failed::Refused(Refused::new(reason, Some(1)));
            let response = error.into_response();
            assert_eq!(response.status(), status, "{name}");
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), retry, "{name}");
        }
    }

    /// Clients are not told: it may name what is behind the server.
    #[test]
    fn what_is_behind_a_failure_is_there_for_the_log_only() {
        let problems = [
            Problem::refused(&Reason::Poisoned(failure())),
            ReadError::Unavailable(Cause::new(failure())).into(),
            ReadError::Denied(Cause::new(failure())).into(),
        ];
        for problem in problems {
            let text = serde_json::to_string(&*problem.0).unwrap();
            let response = problem.into_response();
            let why = response.extensions().get::<Why>().map(Why::as_str);
            assert!(why.is_some_and(|why| why.ends_with("the disk is gone")), "{why:?}");
            assert!(!text.contains("the disk is gone"), "{text}");
        }
        let none = Problem::refused(&Reason::Closed).into_response();
        assert!(none.extensions().get::<Why>().is_none());
    }

    #[test]
    fn who_is_not_let_in_is_not_asked_to_come_again() {
        let denied = || Cause::new("permission denied");
        for problem in
            [Problem::refused(&Reason::Denied(denied())), ReadError::Denied(denied()).into()]
        {
            let response = problem.into_response();
            assert_eq!(response.status(), 500);
            assert!(!response.headers().contains_key(header::RETRY_AFTER));
        }
    }

    #[test]
    fn an_unknown_outcome_says_so_and_does_not_ask_for_a_retry() {
        let revision = Revision::try_from(7).unwrap();
        let problem =
            Problem::from(Failed::OutcomeUnknown(OutcomeUnknown::new(Some(revision), failure())));
        assert_eq!(problem.kind(), ProblemKind::OutcomeUnknown);
        assert!(
            problem.detail().contains("the log failed") && problem.detail().contains("unknown")
        );
        let response = problem.into_response();
        assert_eq!(response.status(), 503);
        assert!(!response.headers().contains_key(header::RETRY_AFTER));
        assert!(!response.headers().contains_key(header::ETAG));

        // Elsewhere there is no restart to wait for.
        let elsewhere = OutcomeUnknown::new(None, "the connection was lost");
        let problem = Problem::from(Failed::OutcomeUnknown(elsewhere));
        assert!(problem.detail().starts_with("the backend did not say"), "{problem}");
    }
}
