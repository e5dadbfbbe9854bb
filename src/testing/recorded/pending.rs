//! A submitted write or transaction whose call is recorded.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Open;
use crate::revision::Revision;
use crate::store::{FastHash, Pending, Submitted};

/// What was submitted: a [`Future`], or something to [`wait`](Self::wait) for, as a [`Pending`] is. The call ends when its
/// outcome is known. Dropped before, it stays open.
#[must_use = "the call stays open until it is waited for"]
pub struct PendingClient<'a, K, V, T: Submitted<K, V> = Revision, S = FastHash> {
    /// Until it has ended.
    open: Option<Open<'a, K, V>>,
    pending: Pending<K, V, T, S>,
    settle: Settle<'a, K, V, T>,
}

/// Ends the call as it was told.
type Settle<'a, K, V, T> = fn(Open<'a, K, V>, &Result<T, <T as Submitted<K, V>>::Error>);

impl<'a, K, V, T: Submitted<K, V>, S> PendingClient<'a, K, V, T, S> {
    pub(super) fn new(
        open: Open<'a, K, V>,
        pending: Pending<K, V, T, S>,
        settle: Settle<'a, K, V, T>,
    ) -> Self {
        Self { open: Some(open), pending, settle }
    }
}

impl<K, V, T: Submitted<K, V>, S> fmt::Debug for PendingClient<'_, K, V, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingClient").finish_non_exhaustive()
    }
}

impl<K, V, T, S> PendingClient<'_, K, V, T, S>
where
    K: Clone + Hash + Ord,
    T: Submitted<K, V>,
    S: BuildHasher,
{
    /// Blocks until the outcome is known.
    ///
    /// # Errors
    /// As the blocking form of the write, or of the transaction.
    ///
    /// # Panics
    /// If it was polled to completion before.
    pub fn wait(self) -> Result<T, T::Error> {
        let told = self.pending.wait();
        if let Some(open) = self.open {
            (self.settle)(open, &told);
        }
        told
    }
}

impl<K, V, T, S> Future for PendingClient<'_, K, V, T, S>
where
    K: Clone + Hash + Ord,
    T: Submitted<K, V>,
    S: BuildHasher,
{
    type Output = Result<T, T::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let told = ready!(Pin::new(&mut self.pending).poll(context));
        if let Some(open) = self.open.take() {
            (self.settle)(open, &told);
        }
        Poll::Ready(told)
    }
}
