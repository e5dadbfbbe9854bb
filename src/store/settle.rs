//! What every operation that writes has in common: it is attempted until it is settled, and told when that is durable.

use std::hash::BuildHasher;

use crate::error::{LogFailure, Reason};
use crate::revision::Revision;

use super::Inner;

/// An outcome that was decided, and what it rests on.
pub(crate) struct Settled<O> {
    pub(super) outcome: O,
    /// The newest revision that the outcome reveals; `None` if it reveals nothing that is not durable.
    pub(super) rests_on: Option<Revision>,
}

pub(crate) enum Attempt<O> {
    Settled(Settled<O>),
    /// The log has no room for the record now: the operation is as it was, to be attempted again.
    NoRoom,
}

/// What an operation came to.
pub(crate) trait Outcome {
    /// The outcome, after the log failed before what it rests on was durable.
    fn after_failure(self, failure: LogFailure) -> Self;
}

/// An operation on its way.
pub(crate) trait Operation<K, V> {
    type Outcome: Outcome;

    /// Tries to decide it. This takes locks for a short time, and never waits for the disk.
    fn attempt<S: BuildHasher>(&mut self, store: &Inner<K, V, S>) -> Attempt<Self::Outcome>;

    /// The bytes of its record, for which room may be missing.
    fn record_len(&self) -> usize;

    /// Gives it up, for `reason`.
    fn refuse(&mut self, reason: Reason) -> Settled<Self::Outcome>;
}
