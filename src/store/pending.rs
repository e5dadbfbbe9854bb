//! A write that is waited for as a future, or later.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::commit_error::CommitError;
use crate::error::{LogFailure, Reason, WriteError};
use crate::key::AsKey;
use crate::log::RoomRefused;
use crate::precondition::Precondition;
use crate::revision::Revision;
use crate::versioned::Draft;

use super::commit::{self, Commit, Committed};
use super::settle::{Attempt, Operation, Outcome, Settled};
use super::write::{self, Change, Effect, Write};
use super::written::{Deleted, Written};
use super::{FastHash, Inner, Store, deleted, written};

/// What a [`Pending`] comes to: [`Written`] of a put, `Option<`[`Deleted`]`>` of a delete, the
/// [`Revision`] of a transaction.
pub trait Submitted<K, V>: Sized + sealed::Sealed {
    /// What it comes to otherwise.
    type Error;
}

impl<K, V> Submitted<K, V> for Written {
    type Error = WriteError<K, V>;
}

impl<K, V> Submitted<K, V> for Option<Deleted<V>> {
    type Error = WriteError<K, V>;
}

impl<K, V> Submitted<K, V> for Revision {
    type Error = CommitError<K, V>;
}

mod sealed {
    use crate::revision::Revision;

    use super::{Deleted, Written};

    pub trait Sealed {}
    impl Sealed for Written {}
    impl<V> Sealed for Option<Deleted<V>> {}
    impl Sealed for Revision {}
}

/// A submitted write or transaction: a [`Future`], or something to [`wait`](Self::wait) for.
///
/// If the log has room, which it nearly always has, it is decided at once, in the order of submission, and
/// without waiting for the disk; what is pending is its becoming durable. Then dropping the `Pending` does not undo the
/// write, which becomes durable all the same. A conflict comes through it, too. Many writes can be on their way at once
/// and share a sync. It needs no particular runtime: a thread of the log writes and another wakes.
///
/// If the log has **no room** at that moment, it is decided only when it is polled or waited for: such writes
/// keep no order among themselves, and dropping one drops the write. So it is before the first commit after opening a
/// log that had been closed in good order, when more is submitted at once than the log has set space aside for (64 KiB
/// in a new log, growing with it to 4 MiB), while its buffers are full (8 MiB), and where the reserved revisions are used up
/// ([`Builder::revision_block`](crate::Builder::revision_block)). Who relies on the order waits for
/// one write before submitting the next.
///
/// Its waker is called on a thread that serves all futures of the store, and like every waker must not block.
#[must_use = "it may take place only when it is awaited, and its outcome is known only then"]
pub struct Pending<K, V, T: Submitted<K, V>, S = FastHash> {
    store: Store<K, V, S>,
    state: State<K, V>,
    future: u64,
    finish: Finish<K, V, T>,
}

/// Makes what the caller gets.
type Finish<K, V, T> = fn(Told<K, V>) -> Result<T, <T as Submitted<K, V>>::Error>;

enum State<K, V> {
    Undecided {
        work: Work<K, V>,
        /// What [`Log::poll_room`](crate::log::Log::poll_room) wants to remember.
        asked: Option<u64>,
    },
    Decided(Settled<Told<K, V>>),
    Done,
}

/// What was submitted.
pub(super) enum Work<K, V> {
    Write(Box<Write<K, V, K>>),
    Commit(Box<Commit<K, V>>),
}

/// What that came to.
pub(super) enum Told<K, V> {
    Write(Result<Effect<V>, WriteError<K, V>>),
    Commit(Result<Committed, CommitError<K, V>>),
}

impl<K, V> Outcome for Told<K, V> {
    fn after_failure(self, failure: LogFailure) -> Self {
        match self {
            Self::Write(outcome) => Self::Write(outcome.after_failure(failure)),
            Self::Commit(outcome) => Self::Commit(outcome.after_failure(failure)),
        }
    }
}

impl<K, V> Told<K, V> {
    pub(super) fn write(self) -> Result<Effect<V>, WriteError<K, V>> {
        match self {
            Self::Write(outcome) => outcome,
            Self::Commit(_) => unreachable!("a write comes to what a write does"),
        }
    }

    pub(super) fn commit(self) -> Result<Committed, CommitError<K, V>> {
        match self {
            Self::Commit(outcome) => outcome,
            Self::Write(_) => unreachable!("a transaction comes to what a transaction does"),
        }
    }
}

impl<O> Settled<O> {
    fn map<T>(self, told: fn(O) -> T) -> Settled<T> {
        Settled { outcome: told(self.outcome), rests_on: self.rests_on }
    }
}

impl<O> Attempt<O> {
    fn map<T>(self, told: fn(O) -> T) -> Attempt<T> {
        match self {
            Self::Settled(settled) => Attempt::Settled(settled.map(told)),
            Self::NoRoom => Attempt::NoRoom,
        }
    }
}

impl<K: AsKey<K> + Clone + Ord, V> Operation<K, V> for Work<K, V> {
    type Outcome = Told<K, V>;

    fn attempt<S: BuildHasher>(&mut self, store: &Inner<K, V, S>) -> Attempt<Told<K, V>> {
        match self {
            Self::Write(write) => write.attempt(store).map(Told::Write),
            Self::Commit(commit) => commit.attempt(store).map(Told::Commit),
        }
    }

    fn record_len(&self) -> usize {
        match self {
            Self::Write(write) => write.record_len(),
            Self::Commit(commit) => commit.record_len(),
        }
    }

    fn refuse(&mut self, reason: Reason) -> Settled<Told<K, V>> {
        match self {
            Self::Write(write) => write.refuse(reason).map(Told::Write),
            Self::Commit(commit) => commit.refuse(reason).map(Told::Commit),
        }
    }
}

impl<K, V, T, S> Pending<K, V, T, S>
where
    K: AsKey<K> + Clone + Ord,
    T: Submitted<K, V>,
    S: BuildHasher,
{
    pub(super) fn write(
        store: &Store<K, V, S>,
        write: Result<Write<K, V, K>, write::Settled<K, V>>,
        finish: Finish<K, V, T>,
    ) -> Self {
        let work = write.map(|write| Work::Write(Box::new(write)));
        Self::submit(store, work.map_err(|settled| settled.map(Told::Write)), finish)
    }

    pub(super) fn commit(
        store: &Store<K, V, S>,
        commit: Result<Commit<K, V>, commit::Settled<K, V>>,
        finish: Finish<K, V, T>,
    ) -> Self {
        let work = commit.map(|commit| Work::Commit(Box::new(commit)));
        Self::submit(store, work.map_err(|settled| settled.map(Told::Commit)), finish)
    }

    fn submit(
        store: &Store<K, V, S>,
        work: Result<Work<K, V>, Settled<Told<K, V>>>,
        finish: Finish<K, V, T>,
    ) -> Self {
        let state = match work {
            Ok(mut work) => match work.attempt(&store.inner) {
                Attempt::Settled(settled) => {
                    if let (Some(journal), Some(revision)) =
                        (&store.inner.journal, settled.rests_on)
                    {
                        journal.log.submit(revision);
                    }
                    State::Decided(settled)
                }
                Attempt::NoRoom => State::Undecided { work, asked: None },
            },
            Err(settled) => State::Decided(settled),
        };
        let future = store.inner.journal.as_ref().map_or(0, |journal| journal.next_future());
        Self { store: store.clone(), state, future, finish }
    }

    /// Blocks until the outcome is known.
    ///
    /// # Errors
    /// As the blocking form of the write, or of the transaction.
    ///
    /// # Panics
    /// If it was polled to completion before.
    pub fn wait(self) -> Result<T, T::Error> {
        let settled = match self.state {
            State::Undecided { mut work, .. } => self.store.inner.decide(&mut work),
            State::Decided(settled) => settled,
            State::Done => panic_done(),
        };
        (self.finish)(self.store.inner.tell(settled))
    }

    /// Decides the operation if that is still to be done.
    fn poll_decide(&mut self, waker: &Waker) -> Poll<Settled<Told<K, V>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Decided(settled) => return Poll::Ready(settled),
                State::Done => panic_done(),
                State::Undecided { mut work, mut asked } => {
                    if let Attempt::Settled(settled) = work.attempt(&self.store.inner) {
                        return Poll::Ready(settled);
                    }
                    let log =
                        &self.store.inner.journal.as_ref().expect("only a log has no room").log;
                    match log.poll_room(work.record_len(), self.future, &mut asked, waker) {
                        None => {
                            self.state = State::Undecided { work, asked };
                            return Poll::Pending;
                        }
                        Some(RoomRefused::NoSpace(error)) => {
                            return Poll::Ready(work.refuse(Reason::NoSpace(error)));
                        }
                        // The next attempt says why.
                        Some(RoomRefused::Ended) => self.state = State::Undecided { work, asked },
                    }
                }
            }
        }
    }
}

#[allow(clippy::panic)]
fn panic_done() -> ! {
    panic!("a `Pending` was polled or waited for after it had completed")
}

/// Nothing in it is ever pinned.
impl<K, V, T: Submitted<K, V>, S> Unpin for Pending<K, V, T, S> {}

impl<K, V, T, S> Future for Pending<K, V, T, S>
where
    K: AsKey<K> + Clone + Ord,
    T: Submitted<K, V>,
    S: BuildHasher,
{
    type Output = Result<T, T::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(settled) = self.poll_decide(context.waker()) else { return Poll::Pending };
        let durable = match (&self.store.inner.journal, settled.rests_on) {
            (Some(journal), Some(revision)) => {
                journal.log.poll_durable(revision, self.future, context.waker())
            }
            _ => Some(Ok(())),
        };
        match durable {
            None => {
                self.state = State::Decided(settled);
                Poll::Pending
            }
            Some(Ok(())) => Poll::Ready((self.finish)(settled.outcome)),
            Some(Err(failure)) => {
                Poll::Ready((self.finish)(settled.outcome.after_failure(failure)))
            }
        }
    }
}

/// Writing without blocking: the write is decided, and awaited. Await it: see [`Pending`] for when it is decided only then.
impl<K, V, S> Store<K, V, S>
where
    K: Clone + Hash + Ord,
    S: BuildHasher,
{
    /// [`put_if`](Self::put_if) as a [`Pending`] write. It does not block the thread, but for the locks of memory. On a log,
    /// what is dropped without being awaited may not take place, and the order of submission is kept only for what is
    /// decided at once: see [`Pending`].
    pub fn submit_put_if(
        &self,
        key: impl AsKey<K>,
        value: V,
        precondition: impl Into<Precondition>,
    ) -> Pending<K, V, Written, S> {
        let change = Change::Put(Draft::new(value));
        let write = Write::prepare(&self.inner, key.into_key(), change, precondition.into());
        Pending::write(self, write, |told: Told<K, V>| told.write().map(written))
    }

    /// [`delete_if`](Self::delete_if) as a [`Pending`] write.
    pub fn submit_delete_if(
        &self,
        key: impl AsKey<K>,
        precondition: impl Into<Precondition>,
    ) -> Pending<K, V, Option<Deleted<V>>, S> {
        let write =
            Write::prepare(&self.inner, key.into_key(), Change::Delete, precondition.into());
        Pending::write(self, write, |told: Told<K, V>| told.write().map(deleted))
    }
}

impl<K, V, T: Submitted<K, V>, S> fmt::Debug for Pending<K, V, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Undecided { .. } => "undecided",
            State::Decided(_) => "decided",
            State::Done => "done",
        };
        f.debug_struct("Pending").field("state", &state).finish_non_exhaustive()
    }
}
