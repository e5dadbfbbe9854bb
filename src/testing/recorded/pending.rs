//! A submitted transaction whose call is recorded.

use std::fmt;
use std::hash::{BuildHasher, Hash};

use super::{Open, settle_commit};
use crate::commit_error::CommitError;
use crate::revision::Revision;
use crate::store::{FastHash, Pending};

/// A transaction that was submitted, and that its client waits for: the call ends then. Dropped, it stays open.
#[must_use = "the call stays open until it is waited for"]
pub struct PendingClient<'a, K, V, S = FastHash> {
    pub(super) open: Open<'a, K, V>,
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
    pub fn wait(self) -> Result<Revision, CommitError<K, V>> {
        let told = self.pending.wait();
        settle_commit(self.open, &told);
        told
    }
}
