//! A submitted transaction whose call is recorded.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Open, settle_commit};
use crate::commit_error::CommitError;
use crate::revision::Revision;
use crate::store::{FastHash, Pending};

/// A transaction that was submitted: a [`Future`], or something to [`wait`](Self::wait) for, as a [`Pending`] is. The call
/// ends when its outcome is known. Dropped before, it stays open.
#[must_use = "the call stays open until it is waited for"]
pub struct PendingClient<'a, K, V, S = FastHash> {
    /// Until it has ended.
    pub(super) open: Option<Open<'a, K, V>>,
    pub(super) pending: Pending<K, V, Revision, S>,
}

impl<K, V, S> fmt::Debug for PendingClient<'_, K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingClient").finish_non_exhaustive()
    }
}

impl<K, V, S> PendingClient<'_, K, V, S>
where
    K: Clone + Hash + Ord,
    V: Clone,
    S: BuildHasher,
{
    /// Blocks until the outcome is known.
    ///
    /// # Errors
    /// As [`Store::commit`](crate::Store::commit).
    ///
    /// # Panics
    /// If it was polled to completion before.
    pub fn wait(self) -> Result<Revision, CommitError<K, V>> {
        let told = self.pending.wait();
        if let Some(open) = self.open {
            settle_commit(open, &told);
        }
        told
    }
}

impl<K, V, S> Future for PendingClient<'_, K, V, S>
where
    K: Clone + Hash + Ord,
    V: Clone,
    S: BuildHasher,
{
    type Output = Result<Revision, CommitError<K, V>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let told = ready!(Pin::new(&mut self.pending).poll(context));
        if let Some(open) = self.open.take() {
            settle_commit(open, &told);
        }
        Poll::Ready(told)
    }
}
