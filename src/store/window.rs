//! The newest commits, for those who follow: watchers, and transactions that check what changed in a range.
//!
//! It is filled inside the sequencer, in revision order, without a gap. What is older than its bound leaves it, but
//! nothing that is not yet shown: a batch of the log that is larger than the window is still seen whole.

use std::collections::VecDeque;
use std::hint::black_box;

use smallvec::SmallVec;
use triomphe::Arc;

use crate::sync::size;
use crate::versioned::Versioned;

/// The least that a window holds. Transactions need some.
pub(super) const MIN_WINDOW: usize = size(64, 1);

#[repr(C)]
pub(super) struct Window<K, V> {
    commits: VecDeque<Recent<K, V>>,
    /// How many changes they have.
    changes: usize,
    max_changes: usize,
    /// All commits after this revision are here.
    start: u64,
    /// Revisions that are not known, oldest first: a store that stopped may have told of them, and lost them.
    lost: VecDeque<Lost>,
}

/// Revisions after one and before another, both of which are known.
#[derive(Clone, Copy, Debug)]
struct Lost {
    after: u64,
    before: u64,
}

/// One commit.
pub(super) struct Recent<K, V> {
    pub(super) revision: u64,
    changes: Changes<K, V>,
}

/// Most commits change one key.
pub(super) enum Changes<K, V> {
    One(Change<K, V>),
    Many(Arc<Vec<Change<K, V>>>),
}

/// What a commit did to a key.
pub(super) struct Change<K, V> {
    pub(super) key: Arc<K>,
    /// `None`: it was deleted.
    pub(super) entry: Option<Versioned<V>>,
    /// What it replaced.
    pub(super) previous: Option<Versioned<V>>,
}

/// Commits that left the window, to be dropped under no lock.
pub(super) type Evicted<K, V> = SmallVec<[Recent<K, V>; LEAVING + 1]>;

/// So many leave together. Their counts are no longer in a cache; those of several commits are waited for at the same
/// time ([`Recent::touch`]). No more, because an allocator keeps about so many blocks at hand.
const LEAVING: usize = size(8, 1);

impl<K, V> Recent<K, V> {
    /// Reads the counts that [`drop`] is going to change. Reading several takes as long as one, if nothing atomic is
    /// changed in between.
    pub(super) fn touch(&self) {
        for Change { key, entry, previous } in self.changes() {
            black_box(Arc::is_unique(key));
            entry.iter().chain(previous).for_each(Versioned::touch);
        }
    }

    pub(super) fn changes(&self) -> &[Change<K, V>] {
        match &self.changes {
            Changes::One(change) => std::slice::from_ref(change),
            Changes::Many(changes) => changes,
        }
    }
}

impl<K, V> Clone for Change<K, V> {
    fn clone(&self) -> Self {
        let Self { key, entry, previous } = self;
        Self { key: Arc::clone(key), entry: entry.clone(), previous: previous.clone() }
    }
}

impl<K, V> Clone for Recent<K, V> {
    fn clone(&self) -> Self {
        let changes = match &self.changes {
            Changes::One(change) => Changes::One(change.clone()),
            Changes::Many(changes) => Changes::Many(Arc::clone(changes)),
        };
        Self { revision: self.revision, changes }
    }
}

/// Why commits cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone {
    /// What is asked for has to come after this.
    pub(super) start: u64,
}

impl<K, V> Window<K, V> {
    pub(super) fn new(start: u64, max_changes: usize) -> Self {
        let max_changes = max_changes.max(MIN_WINDOW);
        let lost = VecDeque::new();
        Self { commits: VecDeque::new(), changes: 0, max_changes, start, lost }
    }

    /// While a log is read: what was read so far is the state at `revision`.
    #[cfg_attr(not(feature = "log"), allow(dead_code, reason = "there is nothing to read"))]
    pub(super) fn skip_to(&mut self, revision: u64) {
        let newest = self.commits.back().map_or(self.start, |commit| commit.revision);
        let after = self.lost.back().map_or(newest, |lost| lost.before.max(newest));
        if self.start == 0 {
            self.start = revision;
        } else if revision > after + 1 {
            self.lost.push_back(Lost { after, before: revision });
        }
    }

    /// All commits after this revision are here.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn changes(&self) -> usize {
        self.changes
    }

    /// Makes sure that [`push`](Self::push) will not allocate, for a commit of `changes` changes.
    pub(super) fn make_room(&mut self, changes: usize, evicted: &mut Evicted<K, V>) {
        self.commits.reserve(1);
        if changes > 1 {
            evicted.reserve(LEAVING + 2 * changes);
        }
    }

    /// Adds the newest commit. Old ones that are shown leave once there are some to leave together, at most two for each
    /// change, or those.
    pub(super) fn push(
        &mut self,
        revision: u64,
        changes: Changes<K, V>,
        shown: u64,
        evicted: &mut Evicted<K, V>,
    ) {
        let commit = Recent { revision, changes };
        let added = commit.changes().len();
        self.changes += added;
        self.commits.push_back(commit);
        if self.changes.saturating_sub(LEAVING) >= self.max_changes {
            let most = LEAVING.max(2 * added);
            evicted.extend(std::iter::from_fn(|| self.pop(shown)).take(most));
        }
    }

    /// Takes out the oldest commit, if there is too much and it is shown.
    fn pop(&mut self, shown: u64) -> Option<Recent<K, V>> {
        if self.changes <= self.max_changes || self.commits.len() == 1 {
            return None;
        }
        self.commits.front().filter(|oldest| oldest.revision <= shown)?;
        let oldest = self.commits.pop_front()?;
        self.changes -= oldest.changes().len();
        self.start = oldest.revision;
        while self.lost.front().is_some_and(|lost| lost.before <= self.start) {
            self.lost.pop_front();
        }
        Some(oldest)
    }

    /// Whether all that came after `position` is here.
    pub(super) fn check(&self, position: u64) -> Result<(), Gone> {
        if position < self.start {
            return Err(Gone { start: self.start });
        }
        let at = self.lost.partition_point(|lost| lost.before <= position);
        match self.lost.get(at) {
            Some(lost) if lost.after < position => Err(Gone { start: lost.before }),
            _ => Ok(()),
        }
    }

    /// The commits after `position`, up to `end`.
    pub(super) fn after(
        &self,
        position: u64,
        end: u64,
    ) -> Result<impl ExactSizeIterator<Item = &Recent<K, V>>, Gone> {
        self.check(position)?;
        let first = self.commits.partition_point(|commit| commit.revision <= position);
        let last = self.commits.partition_point(|commit| commit.revision <= end);
        Ok(self.commits.range(first..last.max(first)))
    }

    /// The commits after `position`, up to `end`, until they have `changes` changes.
    pub(super) fn some_after(
        &self,
        position: u64,
        end: u64,
        changes: usize,
    ) -> Result<Vec<Recent<K, V>>, Gone> {
        let mut room = changes;
        let commits = self.after(position, end)?.take_while(|commit| {
            let fits = room > 0;
            room = room.saturating_sub(commit.changes().len());
            fits
        });
        Ok(commits.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::Revision;
    use crate::versioned::Draft;

    fn change(revision: u64) -> Change<u64, u64> {
        let revision = Revision::try_from(revision).unwrap();
        let entry = Draft::new(7).seal(revision, None);
        Change { key: Arc::new(1), entry: Some(entry), previous: None }
    }

    fn push(window: &mut Window<u64, u64>, revision: u64, changes: usize, shown: u64) -> usize {
        let mut evicted = Evicted::new();
        window.make_room(changes, &mut evicted);
        let changes = match changes {
            1 => Changes::One(change(revision)),
            many => Changes::Many(Arc::new((0..many).map(|_| change(revision)).collect())),
        };
        window.push(revision, changes, shown, &mut evicted);
        evicted.len()
    }

    fn revisions(window: &Window<u64, u64>, position: u64, end: u64) -> Result<Vec<u64>, Gone> {
        window.after(position, end).map(|found| found.map(|commit| commit.revision).collect())
    }

    #[test]
    fn what_came_after_any_kept_revision_is_told_without_a_gap() {
        let mut window = Window::new(1, MIN_WINDOW);
        let dropped: Vec<_> =
            (2..=101).map(|revision| push(&mut window, revision, 1, revision)).collect();
        assert_eq!(dropped.iter().sum::<usize>(), 4 * LEAVING);
        assert!(dropped.iter().all(|commits| [0, LEAVING].contains(commits)), "together");
        let first = dropped.iter().position(|commits| *commits > 0);
        assert_eq!(first, Some(MIN_WINDOW + LEAVING - 1), "once there are eight too many");
        assert_eq!(window.changes(), MIN_WINDOW + 4, "four of the next eight to leave");
        assert_eq!(window.start(), 33);
        assert_eq!(revisions(&window, 32, 101), Err(Gone { start: 33 }));
        assert_eq!(revisions(&window, 33, 101), Ok((34..=101).collect()));
        assert_eq!(revisions(&window, 99, 100), Ok(vec![100]));
        assert_eq!(revisions(&window, 101, 101), Ok(vec![]));
        assert_eq!(revisions(&window, 150, 101), Ok(vec![]));
    }

    #[test]
    fn what_is_not_shown_stays_and_leaves_once_it_is() {
        let mut window = Window::new(1, MIN_WINDOW);
        for revision in 2..=201 {
            assert_eq!(push(&mut window, revision, 1, 1), 0);
        }
        assert_eq!(revisions(&window, 1, 201), Ok((2..=201).collect()));
        // Each makes room for itself and for what waited.
        assert_eq!(push(&mut window, 202, 1, 201), LEAVING);
        assert_eq!(push(&mut window, 203, 50, 202), 100);
        assert_eq!(push(&mut window, 204, 200, 203), 201 - LEAVING - 100 + 1);
        assert_eq!(
            revisions(&window, 203, 204),
            Ok(vec![204]),
            "the newest commit stays, however large"
        );
    }
}
