//! A watch whose commits are recorded.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use super::store::StoreClient;
use crate::event::{Commit, WatchError};
use crate::range::{AsRange, KeyRange};
use crate::revision::Revision;
use crate::store::Watch;
use crate::testing::recorder::Client;
use crate::testing::store_model::{Entry, StoreOperation, StoreOutcome};

/// A [`Watch`] whose commits are recorded, each as a [call](StoreOperation::Watch), so that the checker finds what was left
/// out, told twice, torn, out of order, or told before it was so.
///
/// Only what was told is checked: [`finish`](Self::finish) adds that there is nothing else.
pub struct WatchClient<K, V> {
    client: Client<StoreOperation<K, V>, StoreOutcome<K, V>>,
    watch: Watch<K, V>,
    range: KeyRange<K>,
    /// What was told last.
    since: Revision,
    /// When the calls began.
    called: u64,
}

impl<K, V> fmt::Debug for WatchClient<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchClient").field("since", &self.since).finish_non_exhaustive()
    }
}

impl<K, V, S> StoreClient<K, V, S>
where
    K: Clone + Hash + Ord,
    V: Clone,
    S: BuildHasher,
{
    /// Watches a range: what comes from now on, or what came since a revision.
    ///
    /// # Errors
    /// As for [`WatchBuilder::open`](crate::WatchBuilder::open).
    pub fn watch(
        &self,
        range: impl AsRange<K>,
        since: Option<Revision>,
    ) -> Result<WatchClient<K, V>, WatchError> {
        let range = range.into_range();
        let called = if since.is_none() { self.client.now() } else { 0 };
        let builder = self.store.watch().range(&range);
        let builder = since.into_iter().fold(builder, |builder, since| builder.since(since));
        let watch = builder.open()?;
        let since = watch.position();
        Ok(WatchClient { client: self.client.another(), watch, range, since, called })
    }
}

impl<K: Ord + Clone, V: Clone> WatchClient<K, V> {
    /// [`Watch::recv`].
    ///
    /// # Errors
    /// As there.
    pub fn recv(&mut self) -> Result<Commit<K, V>, WatchError> {
        let told = self.watch.recv();
        self.record(told)
    }

    /// [`Watch::recv_timeout`].
    ///
    /// # Errors
    /// As there.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Commit<K, V>, WatchError> {
        let told = self.watch.recv_timeout(timeout);
        self.record(told)
    }

    /// [`Watch::try_recv`].
    ///
    /// # Errors
    /// As there.
    pub fn try_recv(&mut self) -> Result<Commit<K, V>, WatchError> {
        let told = self.watch.try_recv();
        self.record(told)
    }

    /// Records that nothing else is said to have happened up to [`Watch::position`], and returns that.
    pub fn finish(self) -> Revision {
        let position = self.watch.position();
        if position > self.since {
            self.tell(position, Vec::new());
        }
        position
    }

    fn record(
        &mut self,
        told: Result<Commit<K, V>, WatchError>,
    ) -> Result<Commit<K, V>, WatchError> {
        match &told {
            Ok(commit) => {
                let change = |event: &crate::event::Event<K, V>| {
                    (event.key().clone(), event.entry().map(Entry::from))
                };
                let mut changes: Vec<_> = commit.events().iter().map(change).collect();
                changes.sort_by(|(one, _), (other, _)| one.cmp(other));
                self.tell(commit.revision(), changes);
                self.since = commit.revision();
            }
            // It says itself that it left something out.
            Err(WatchError::Lagged { resume }) => self.since = *resume,
            Err(_) => {}
        }
        told
    }

    fn tell(&self, revision: Revision, changes: Vec<(K, Option<Entry<V>>)>) {
        let operation = StoreOperation::Watch { range: self.range.clone(), since: self.since };
        let open = self.client.begin_at(Some(self.called), operation);
        open.end(StoreOutcome::Watched { revision, changes });
    }
}
