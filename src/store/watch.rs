//! Being told of commits.
//!
//! A watch has a position, and takes what comes after it out of the window, a little at a time. Nothing is pushed to it,
//! so that it costs a writer nothing but waking those who wait; a slow one finds that its position has left the window.
//! Which keys concern it is looked at outside all locks.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::event::{Commit, Event, WatchError};
use crate::key::AsKey;
use crate::range::{AsPrefix, AsRange, KeyRange};
use crate::revision::Revision;
use crate::sync::{Arc, AtomicU64, Ordering, Parker, size};

use super::Store;
use super::sequencer::{Awaited, Sequencer, Sleeper};
use super::window::{Change, Gone, Recent};

/// So many changes are taken out of the window at a time.
const CHUNK: usize = size(64, 1);

/// What a watch is to tell; made by [`Store::watch`](super::Store::watch).
#[must_use = "a watch begins when it is opened"]
pub struct WatchBuilder<K, V> {
    sequencer: Arc<Sequencer<K, V>>,
    /// None: everything.
    ranges: Vec<KeyRange<K>>,
    since: Option<Revision>,
    with_previous: bool,
}

impl<K: Ord + Clone, V> WatchBuilder<K, V> {
    pub(super) fn new(sequencer: &Arc<Sequencer<K, V>>) -> Self {
        let sequencer = Arc::clone(sequencer);
        Self { sequencer, ranges: Vec::new(), since: None, with_previous: false }
    }

    /// Tell of this key. Keys, ranges and prefixes add up; without any, everything is told.
    pub fn key(mut self, key: impl AsKey<K>) -> Self {
        self.ranges.push(KeyRange::only(key.into_key()));
        self
    }

    /// Tell of the keys in this range.
    pub fn range(mut self, range: impl AsRange<K>) -> Self {
        self.ranges.push(range.into_range());
        self
    }

    /// Tell of the keys with this prefix.
    pub fn prefix(mut self, prefix: impl AsPrefix<K>) -> Self {
        self.ranges.push(prefix.into_range());
        self
    }

    /// Tell what came after `revision`, which is one of this store: of a snapshot, or of the last commit that an earlier
    /// watch told. Without it, what comes from now on is told.
    ///
    /// The commits that are kept for that are in memory; when a log is opened, those that it has after its checkpoint are
    /// read into it, so that a watch goes on across a restart. After an unclean stop some revisions are not known, because
    /// what they named may be lost: those after the last commit that was found, and below the revision that the store opens
    /// at. They are [`Compacted`](WatchError::Compacted), as what is older than what is kept.
    pub fn since(mut self, revision: Revision) -> Self {
        self.since = Some(revision);
        self
    }

    /// Tell what was replaced and deleted, too.
    pub fn with_previous(mut self) -> Self {
        self.with_previous = true;
        self
    }

    /// Begins the watch.
    ///
    /// # Errors
    /// [`WatchError::Compacted`] if what came after [`since`](Self::since) is not kept any more
    /// ([`Builder::watch_window`](super::Builder::watch_window)); [`WatchError::Future`] if the store has not come to it.
    pub fn open(self) -> Result<Watch<K, V>, WatchError> {
        let since = self.since.map(Revision::get);
        let (known, shown) = self.sequencer.watchable(since);
        let position = since.unwrap_or(shown);
        if position > shown {
            return Err(WatchError::Future { newest: super::stored(shown) });
        }
        if let Err(Gone { start }) = known {
            return Err(WatchError::Compacted { oldest: super::stored(start) });
        }
        let thread = Arc::new(Parked(Parker::new()));
        Ok(Watch {
            number: self.sequencer.number_watch(),
            sequencer: self.sequencer,
            ranges: self.ranges,
            with_previous: self.with_previous,
            position,
            fetched: VecDeque::new(),
            cancelled: Arc::new(AtomicU64::new(0)),
            ended: false,
            waker: Waker::from(Arc::clone(&thread)),
            thread,
        })
    }
}

/// Being told of commits.
impl<K, V, S> Store<K, V, S>
where
    K: Clone + Hash + Ord,
    S: BuildHasher,
{
    /// A watch on the commits to come, or on those since a revision of the past.
    pub fn watch(&self) -> WatchBuilder<K, V> {
        WatchBuilder::new(&self.inner.map.sequencer)
    }
}

/// The commits to a store, in the order of their revisions: all that concern it, each once, each whole.
///
/// On a log, a commit is told once it is durable. A watch never makes a writer wait, and holds a bounded number of commits;
/// if it is not asked for long enough, it finds that it has [`Lagged`](WatchError::Lagged). It does not keep the store:
/// when nobody else does, it tells the rest and then [`Closed`](WatchError::Closed).
///
/// ```
/// use ifmatch::{Event, Store};
///
/// let store: Store<String, u32> = Store::new();
/// let snapshot = store.snapshot(); // what is there, and then everything that comes after it:
/// let mut watch = store.watch().prefix("user/").since(snapshot.revision()).open()?;
///
/// store.put("user/ada", 1)?;
/// store.put("visits", 7)?;
/// store.delete("user/ada")?;
///
/// let commit = watch.recv()?;
/// assert!(matches!(&commit.events()[0], Event::Put { key, .. } if key == "user/ada"));
/// let commit = watch.recv()?;
/// assert!(matches!(&commit.events()[0], Event::Delete { key, .. } if key == "user/ada"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// With the feature `stream` it is a `futures_core::Stream` of `Result<Commit, WatchError>`, which ends as
/// [`iter`](Self::iter) does.
pub struct Watch<K, V> {
    sequencer: Arc<Sequencer<K, V>>,
    /// Tells it from other watches.
    number: u64,
    ranges: Vec<KeyRange<K>>,
    with_previous: bool,
    /// Everything up to here was told, or is of no concern.
    position: u64,
    /// What comes after it and was taken out of the window.
    fetched: VecDeque<Recent<K, V>>,
    /// Not 0 once it is.
    cancelled: Arc<AtomicU64>,
    /// Its iterators and streams have come to their end.
    ended: bool,
    thread: Arc<Parked>,
    /// Wakes the thread that waits.
    waker: Waker,
}

struct Parked(Parker);

impl std::task::Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl<K, V> Watch<K, V> {
    /// Everything up to this revision was told, or is of no concern to this watch: another can resume since it.
    #[must_use]
    pub fn position(&self) -> Revision {
        super::stored(self.position)
    }

    /// Lets another thread end this watch.
    #[must_use]
    pub fn canceller(&self) -> Canceller<K, V> {
        Canceller {
            sequencer: Arc::clone(&self.sequencer),
            number: self.number,
            cancelled: Arc::clone(&self.cancelled),
        }
    }
}

impl<K: Ord + Clone, V> Watch<K, V> {
    /// The next commit; blocks until there is one.
    ///
    /// # Errors
    /// [`WatchError::Lagged`], after which it goes on; [`WatchError::Closed`], [`WatchError::Failed`] and
    /// [`WatchError::Cancelled`], which are the end.
    pub fn recv(&mut self) -> Result<Commit<K, V>, WatchError> {
        self.recv_until(None)
    }

    /// The next commit; blocks until there is one, but not longer than `timeout`.
    ///
    /// # Errors
    /// [`WatchError::Timeout`], or as for [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Commit<K, V>, WatchError> {
        // What cannot be reckoned is for ever.
        self.recv_until(Instant::now().checked_add(timeout))
    }

    fn recv_until(&mut self, deadline: Option<Instant>) -> Result<Commit<K, V>, WatchError> {
        loop {
            let waker = self.waker.clone();
            if let Some(told) = self.next(Some(waker)) {
                return told;
            }
            if !self.thread.0.park(deadline) {
                return Err(WatchError::Timeout);
            }
        }
    }

    /// The next commit, if there is one.
    ///
    /// # Errors
    /// [`WatchError::Empty`], or as for [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Commit<K, V>, WatchError> {
        self.next(None).unwrap_or(Err(WatchError::Empty))
    }

    /// The commits to come: blocks for each, goes on after an error [`Lagged`](WatchError::Lagged), and ends when the
    /// store is closed or the watch cancelled; after [`Failed`](WatchError::Failed), too.
    pub fn iter(&mut self) -> impl Iterator<Item = Result<Commit<K, V>, WatchError>> {
        std::iter::from_fn(|| {
            if self.ended {
                return None;
            }
            let told = self.recv();
            self.unless_ended(told)
        })
    }

    /// As [`iter`](Self::iter), but ends also when nothing comes for as long as `timeout`.
    pub fn iter_timeout(
        &mut self,
        timeout: Duration,
    ) -> impl Iterator<Item = Result<Commit<K, V>, WatchError>> {
        std::iter::from_fn(move || {
            if self.ended {
                return None;
            }
            match self.recv_timeout(timeout) {
                Err(WatchError::Timeout) => None,
                told => self.unless_ended(told),
            }
        })
    }

    fn unless_ended(&mut self, told: Told<K, V>) -> Option<Told<K, V>> {
        self.ended = told.as_ref().is_err_and(WatchError::is_final);
        match told {
            Err(WatchError::Closed | WatchError::Cancelled) => None,
            told => Some(told),
        }
    }

    /// What comes next. If there is nothing, `waker` is woken when there may be.
    fn next(&mut self, waker: Option<Waker>) -> Option<Told<K, V>> {
        let mut waker = waker.map(|waker| Sleeper { number: self.number, waker });
        loop {
            if self.cancelled.load(Ordering::Acquire) != 0 {
                return Some(Err(WatchError::Cancelled));
            }
            while let Some(recent) = self.fetched.front() {
                let (position, events) = (recent.revision, self.events(recent));
                let _told = self.fetched.pop_front();
                self.position = position;
                if !events.is_empty() {
                    return Some(Ok(Commit { revision: super::stored(position), events }));
                }
            }
            match self.sequencer.await_commits(self.position, CHUNK, &mut waker, &self.cancelled) {
                Awaited::Commits(commits) => self.fetched = commits.into(),
                Awaited::Nothing => return None,
                Awaited::Cancelled => {}
                Awaited::Gone(Gone { start }) => {
                    self.position = start;
                    return Some(Err(WatchError::Lagged { resume: super::stored(start) }));
                }
                Awaited::Closed => return Some(Err(WatchError::Closed)),
                Awaited::Failed(failure) => return Some(Err(WatchError::Failed(failure))),
            }
        }
    }

    /// The changes of a commit that concern this watch.
    fn events(&self, recent: &Recent<K, V>) -> Vec<Event<K, V>> {
        let concerns = |change: &&Change<K, V>| {
            self.ranges.is_empty() || self.ranges.iter().any(|range| range.contains(&change.key))
        };
        let event = |change: &Change<K, V>| {
            let key = K::clone(&change.key);
            let previous = if self.with_previous { change.previous.clone() } else { None };
            match change.entry.clone() {
                Some(entry) => Event::Put { key, entry, previous },
                None => Event::Delete { key, revision: super::stored(recent.revision), previous },
            }
        };
        recent.changes().iter().filter(concerns).map(event).collect()
    }
}

type Told<K, V> = Result<Commit<K, V>, WatchError>;

impl<K, V> Drop for Watch<K, V> {
    fn drop(&mut self) {
        // Dropped under no lock: it may be the application's.
        let _waker = self.sequencer.forget_sleeper(self.number);
    }
}

/// Nothing in it is ever pinned.
impl<K, V> Unpin for Watch<K, V> {}

#[cfg(feature = "stream")]
impl<K: Ord + Clone, V> futures_core::Stream for Watch<K, V> {
    type Item = Result<Commit<K, V>, WatchError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        if self.ended {
            return std::task::Poll::Ready(None);
        }
        match self.next(Some(context.waker().clone())) {
            Some(told) => std::task::Poll::Ready(self.unless_ended(told)),
            None => std::task::Poll::Pending,
        }
    }
}

/// Ends a [`Watch`] from elsewhere: it tells [`WatchError::Cancelled`], and who waits for it is woken.
pub struct Canceller<K, V> {
    sequencer: Arc<Sequencer<K, V>>,
    number: u64,
    cancelled: Arc<AtomicU64>,
}

impl<K, V> Canceller<K, V> {
    /// Ends the watch. It does no harm if it has ended already, or is gone.
    pub fn cancel(&self) {
        self.cancelled.store(1, Ordering::Release);
        if let Some(waker) = self.sequencer.forget_sleeper(self.number) {
            waker.wake();
        }
    }
}

impl<K, V> Clone for Canceller<K, V> {
    fn clone(&self) -> Self {
        Self {
            sequencer: Arc::clone(&self.sequencer),
            number: self.number,
            cancelled: Arc::clone(&self.cancelled),
        }
    }
}

impl<K, V> fmt::Debug for WatchBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchBuilder")
            .field("ranges", &self.ranges.len())
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

impl<K, V> fmt::Debug for Watch<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("position", &self.position).finish_non_exhaustive()
    }
}

impl<K, V> fmt::Debug for Canceller<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").finish_non_exhaustive()
    }
}
