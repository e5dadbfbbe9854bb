//! Reading at one revision: the newest, or one of the past.

use std::hash::{BuildHasher, Hash};

use crate::history::{HistoryError, KeyHistory, KeyVersion, TooManySnapshots};
use crate::key::AsKey;
use crate::log_stats::LogStats;
use crate::range::{AsPrefix, AsRange};
use crate::revision::Revision;
use crate::sync::Arc;
use crate::versioned::Versioned;

use super::Store;
use super::pin::Pin;
use super::scan::Scan;
use super::sequencer::View;
use super::snapshot::Snapshot;
use super::versions::{At, Span};

/// What a store holds.
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    keys: usize,
    revision: Revision,
    snapshots: u64,
    superseded: u64,
    window_changes: usize,
    window_start: Revision,
    oldest_at: Revision,
    log: Option<LogStats>,
}

impl Stats {
    /// The number of keys.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// The newest revision that is shown.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// How many snapshots there are, and scans that are not of a snapshot.
    #[must_use]
    pub fn snapshots(&self) -> u64 {
        self.snapshots
    }

    /// How many older versions and tombstones are kept: for snapshots, for history, or on a log until newer ones are
    /// durable.
    #[must_use]
    pub fn superseded(&self) -> u64 {
        self.superseded
    }

    /// How many changes of recent commits are kept for watches.
    #[must_use]
    pub fn window_changes(&self) -> usize {
        self.window_changes
    }

    /// The oldest revision that the window knows of. A watch can resume since then or later, but for what a crash may have taken:
    /// since revisions that were skipped at an unclean stop it is `Compacted`.
    #[must_use]
    pub fn window_start(&self) -> Revision {
        self.window_start
    }

    /// [`Store::snapshot_at`] works from this revision on.
    #[must_use]
    pub fn oldest_at(&self) -> Revision {
        self.oldest_at
    }

    /// What the log has done, of a store that is on one.
    #[must_use]
    pub fn log(&self) -> Option<LogStats> {
        self.log
    }
}

/// Reading in order, and at one revision.
impl<K, V, S> Store<K, V, S>
where
    K: Clone + Hash + Ord,
    S: BuildHasher,
{
    /// The newest state that is shown, to be read at leisure.
    ///
    /// # Panics
    /// If there are as many snapshots as [`Builder::max_snapshots`](super::Builder::max_snapshots) allows, which is a
    /// million by default.
    #[must_use]
    #[track_caller]
    pub fn snapshot(&self) -> Snapshot<K, V, S> {
        match self.try_snapshot() {
            Ok(snapshot) => snapshot,
            Err(error) => too_many(&error),
        }
    }

    /// The newest state that is shown, to be read at leisure.
    ///
    /// # Errors
    /// If there are as many snapshots as [`Builder::max_snapshots`](super::Builder::max_snapshots) allows.
    pub fn try_snapshot(&self) -> Result<Snapshot<K, V, S>, TooManySnapshots> {
        Ok(Snapshot::new(self.pin()?))
    }

    fn pin(&self) -> Result<Pin<K, V, S>, TooManySnapshots> {
        Pin::new(&self.inner.map, View::Shown).ok_or_else(|| self.too_many_snapshots())
    }

    fn too_many_snapshots(&self) -> TooManySnapshots {
        TooManySnapshots::new(self.inner.map.sequencer.lock().retention.bounds().max_snapshots)
    }

    /// All entries at the newest revision that is shown, in the order of their keys.
    ///
    /// # Panics
    /// As for [`snapshot`](Self::snapshot).
    #[track_caller]
    pub fn iter(&self) -> Scan<K, V, S> {
        self.range(..)
    }

    /// The entries of a range of keys at the newest revision that is shown, in the order of their keys.
    ///
    /// ```
    /// # let store: ifmatch::Store<String, u32> = ifmatch::Store::new();
    /// # for (key, value) in [("apple", 1), ("banana", 2), ("cherry", 3)] { store.put(key, value)?; }
    /// let keys: Vec<_> = store.range("b"..).map(|(key, _)| key).collect();
    /// assert_eq!(keys, ["banana", "cherry"]);
    /// assert_eq!(store.range(..).next_back().expect("there are three").0, "cherry");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// As for [`snapshot`](Self::snapshot).
    #[track_caller]
    pub fn range(&self, range: impl AsRange<K>) -> Scan<K, V, S> {
        match self.pin() {
            Ok(pin) => Scan::new(Arc::new(pin), range.into_range()),
            Err(error) => too_many(&error),
        }
    }

    /// The entries of the keys with a prefix at the newest revision that is shown, in the order of their keys.
    ///
    /// # Panics
    /// As for [`snapshot`](Self::snapshot).
    #[track_caller]
    pub fn prefix(&self, prefix: impl AsPrefix<K>) -> Scan<K, V, S> {
        self.range(prefix.into_range())
    }

    /// The state at a revision of the past, as far as history goes ([`Builder::history_commits`]).
    ///
    /// [`Builder::history_commits`]: super::Builder::history_commits
    ///
    /// # Errors
    /// [`HistoryError::Compacted`] or [`HistoryError::Future`] if it cannot be read;
    /// [`HistoryError::TooManySnapshots`].
    pub fn snapshot_at(&self, revision: Revision) -> Result<Snapshot<K, V, S>, HistoryError> {
        match self.inner.map.sequencer.pin_at(revision.get()) {
            Ok(true) => Ok(Snapshot::new(Pin::of_past(&self.inner.map, revision.get()))),
            Ok(false) => Err(self.too_many_snapshots().into()),
            Err(known) => Err(out_of_reach(revision, known)),
        }
    }

    /// The entry of `key` at a revision of the past, as far as history goes ([`Builder::history`],
    /// [`Builder::history_commits`]).
    ///
    /// [`Builder::history`]: super::Builder::history
    /// [`Builder::history_commits`]: super::Builder::history_commits
    ///
    /// # Errors
    /// [`HistoryError::Compacted`] or [`HistoryError::Future`] if it is not known.
    pub fn get_at(
        &self,
        key: impl AsKey<K>,
        revision: Revision,
    ) -> Result<Option<Versioned<V>>, HistoryError> {
        let map = &self.inner.map;
        let newest = map.sequencer.shown();
        let at = revision.get();
        if at > newest {
            return Err(out_of_reach(revision, Span { from: 0, until: newest + 1 }));
        }
        let opened = map.sequencer.opened();
        let mut oldest_of_key = None;
        let found = map.shards.read(&key, |versions| {
            // What was there at the opening is known from then on.
            let mut known_from = versions.iter().map(|(span, _)| span.from.max(opened));
            oldest_of_key = known_from.find(|from| *from > at);
            Some(match versions.look(at) {
                _ if at < opened => Err(()),
                At::Live(entry) => Ok(Some(entry.clone())),
                At::Deleted => Ok(None),
                At::NotKept => Err(()),
            })
        });
        if let Some(Ok(known)) = found {
            return Ok(known);
        }
        // Read after the versions: what was taken out before is below it.
        let floor = map.sequencer.floor();
        if at >= floor {
            return Ok(None);
        }
        let oldest = oldest_of_key.map_or(floor, |from| from.min(floor));
        Err(HistoryError::Compacted { oldest: super::stored(oldest) })
    }

    /// What is kept of a key's past, up to the newest revision that is shown.
    pub fn history(&self, key: impl AsKey<K>) -> KeyHistory<V> {
        let map = &self.inner.map;
        let kept = map.shards.read(&key, |versions| {
            let shown = map.sequencer.shown();
            let all = versions.iter().take_while(|(span, _)| span.from <= shown);
            Some(all.map(|(span, entry)| (span, entry.cloned())).collect::<Vec<_>>())
        });
        let kept = kept.unwrap_or_default();
        let floor = map.sequencer.floor();
        // From here on there is no gap among what is kept.
        let mut whole_from = kept.last().map(|(span, _)| span.from);
        for pair in kept.windows(2).rev() {
            if pair[0].0.until != pair[1].0.from {
                break;
            }
            whole_from = Some(pair[0].0.from);
        }
        let opened = map.sequencer.opened();
        let whole_from = whole_from.map_or(floor, |from| from.min(floor)).max(opened);
        let versions = kept
            .into_iter()
            .map(|(span, entry)| KeyVersion { revision: super::stored(span.from), entry });
        KeyHistory { versions: versions.collect(), since: super::stored(whole_from) }
    }

    /// How much there is, of what costs memory.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let sequencer = &self.inner.map.sequencer;
        let state = sequencer.lock();
        let (shown, live) = sequencer.shown_live();
        Stats {
            keys: usize::try_from(live).expect("the keys are in memory"),
            revision: super::stored(shown),
            snapshots: state.retention.snapshots(),
            superseded: state.retention.kept(),
            window_changes: state.window.changes(),
            window_start: super::stored(state.window.start()),
            oldest_at: super::stored(state.retention.floor(shown)),
            log: sequencer.frontier().map(|frontier| frontier.stats()),
        }
    }
}

/// `known` is from when until when it could be read.
fn out_of_reach(revision: Revision, known: Span) -> HistoryError {
    if revision.get() < known.from {
        HistoryError::Compacted { oldest: super::stored(known.from) }
    } else {
        HistoryError::Future { newest: super::stored(known.until - 1) }
    }
}

#[allow(clippy::panic)]
#[track_caller]
fn too_many(error: &TooManySnapshots) -> ! {
    panic!("{error}")
}
