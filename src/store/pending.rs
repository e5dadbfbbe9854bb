//! A write that is waited for as a future, or later.

use std::fmt;
use std::future::Future;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::error::{Reason, WriteError};
use crate::key::AsKey;
use crate::log::RoomRefused;

use super::write::{Attempt, Effect, Settled, Write};
use super::{FastHash, Store};

/// A submitted write: a [`Future`], or something to [`wait`](Self::wait) for.
///
/// If the log has room, which it nearly always has, the write is decided at once, in the order of submission, and
/// without waiting for the disk; what is pending is its becoming durable. Then dropping the `Pending` does not undo the
/// write, which becomes durable all the same. A conflict comes through it, too. Many writes can be on their way at once
/// and share a sync. It needs no particular runtime: a thread of the log writes and another wakes.
///
/// If the log has **no room** at that moment, the write is decided only when it is polled or waited for: such writes
/// keep no order among themselves, and dropping one drops the write. So it is before the first commit after opening a
/// log that had been closed in good order, when more is submitted at once than the log has set space aside for (64 KiB
/// in a new log, growing with it to 4 MiB), and while its buffers are full (8 MiB). Who relies on the order waits for
/// one write before submitting the next.
///
/// Its waker is called on a thread that serves all futures of the store, and like every waker must not block.
#[must_use = "the outcome, a conflict for example, is known only when it is awaited"]
pub struct Pending<K, V, T, S = FastHash> {
    store: Store<K, V, S>,
    state: State<K, V>,
    future: u64,
    finish: fn(Effect<V>) -> T,
}

enum State<K, V> {
    Undecided {
        write: Write<K, V, K>,
        /// What [`Log::poll_room`](crate::log::Log::poll_room) wants to remember.
        asked: Option<u64>,
    },
    Decided(Settled<K, V>),
    Done,
}

type Outcome<K, V, T> = Result<T, WriteError<K, V>>;

impl<K, V, T, S> Pending<K, V, T, S>
where
    K: AsKey<K>,
    S: BuildHasher,
{
    pub(super) fn submit(
        store: &Store<K, V, S>,
        write: Result<Write<K, V, K>, Settled<K, V>>,
        finish: fn(Effect<V>) -> T,
    ) -> Self {
        let state = match write {
            Ok(mut write) => match write.attempt(&store.inner) {
                Attempt::Settled(settled) => {
                    if let (Some(journal), Some(revision)) =
                        (&store.inner.journal, settled.rests_on)
                    {
                        journal.log.submit(revision);
                    }
                    State::Decided(settled)
                }
                Attempt::NoRoom => State::Undecided { write, asked: None },
            },
            Err(settled) => State::Decided(settled),
        };
        let future = store.inner.journal.as_ref().map_or(0, |journal| journal.next_future());
        Self { store: store.clone(), state, future, finish }
    }

    /// Blocks until the outcome is known.
    ///
    /// # Errors
    /// As the blocking form of the write.
    ///
    /// # Panics
    /// If it was polled to completion before.
    pub fn wait(self) -> Outcome<K, V, T> {
        let settled = match self.state {
            State::Undecided { write, .. } => self.store.inner.decide(write),
            State::Decided(settled) => settled,
            State::Done => panic_done(),
        };
        self.store.inner.tell(settled).map(self.finish)
    }

    /// Decides the write if that is still to be done.
    fn poll_decide(&mut self, waker: &Waker) -> Poll<Settled<K, V>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Decided(settled) => return Poll::Ready(settled),
                State::Done => panic_done(),
                State::Undecided { mut write, mut asked } => {
                    if let Attempt::Settled(settled) = write.attempt(&self.store.inner) {
                        return Poll::Ready(settled);
                    }
                    let log =
                        &self.store.inner.journal.as_ref().expect("only a log has no room").log;
                    match log.poll_room(write.record_len(), self.future, &mut asked, waker) {
                        None => {
                            self.state = State::Undecided { write, asked };
                            return Poll::Pending;
                        }
                        Some(RoomRefused::NoSpace(error)) => {
                            return Poll::Ready(write.refuse(Reason::NoSpace(error)));
                        }
                        // The next attempt says why.
                        Some(RoomRefused::Ended) => self.state = State::Undecided { write, asked },
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
impl<K, V, T, S> Unpin for Pending<K, V, T, S> {}

impl<K, V, T, S> Future for Pending<K, V, T, S>
where
    K: AsKey<K>,
    S: BuildHasher,
{
    type Output = Outcome<K, V, T>;

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
            Some(Ok(())) => Poll::Ready(settled.outcome.map(self.finish)),
            Some(Err(failure)) => Poll::Ready(settled.after_failure(failure).map(self.finish)),
        }
    }
}

impl<K, V, T, S> fmt::Debug for Pending<K, V, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Undecided { .. } => "undecided",
            State::Decided(_) => "decided",
            State::Done => "done",
        };
        f.debug_struct("Pending").field("state", &state).finish_non_exhaustive()
    }
}
