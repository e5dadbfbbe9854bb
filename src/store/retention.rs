//! Which superseded versions stay, and until when.
//!
//! A version stays while one of these needs it: history by count (it is among its key's newest), history by commits (it
//! was superseded recently), a snapshot (which sees it), or readers of a log (what superseded it is not durable). That is
//! decided by [`Retention::needs`], inside the sequencer and under the key's shard lock, whenever a version may be taken
//! out: it is exact, and all that safety rests on.
//!
//! That memory is given back rests on *hints*: a superseded version is noted where the one that keeps it will find it,
//! and moves on from there, in the order above. A snapshot has a list of what was superseded while it was the newest to
//! see it; when it goes, each item moves to the next older snapshot that sees it too, or is taken out. (ZFS calls these
//! dead lists.) A hint too many does no harm.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use smallvec::SmallVec;

use crate::sync::size;

use super::versions::{Span, Superseded};

/// What a store keeps of the past.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Versions of each key, the current one included; at least one.
    pub(super) versions: usize,
    /// All versions of so many commits.
    pub(super) commits: u64,
    /// How many deleted keys have a history by count.
    pub(super) max_deleted: usize,
    pub(super) max_snapshots: u64,
}

impl Bounds {
    pub(super) fn keeps_history(&self) -> bool {
        self.versions > 1 || self.commits > 0
    }
}

/// A version that was superseded, and the hash of its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hint {
    pub(super) hash: u64,
    pub(super) span: Span,
}

#[derive(Debug)]
#[repr(C)]
pub(super) struct Retention {
    /// Every version that was superseded after this revision is kept, so that all is known from here; but for `unseen`.
    floor: u64,
    /// How many superseded versions, and tombstones of keys, there are.
    kept: u64,
    bounds: Bounds,
    /// Revisions that snapshots see.
    pins: BTreeMap<u64, Pin>,
    snapshots: u64,
    /// What history by commits keeps, oldest first.
    aging: VecDeque<Hint>,
    /// Deleted keys with a history by count: when, and their hashes.
    deleted: BTreeSet<(u64, u64)>,
    /// The history by count of keys that were deleted up to here is given up.
    forgotten: u64,
    /// Versions that were replaced before they could be shown, in the batches of the log that are not yet durable: the
    /// newest of each batch. They raise the floor once they would be shown. At most one batch is being written.
    unseen: Vec<u64>,
}

#[derive(Debug, Default)]
struct Pin {
    count: u64,
    hints: Vec<Vec<Hint>>,
}

/// So many hints are moved at a time, so that the sequencer is not held for long.
pub(super) const CHUNK: usize = size(256, 1);

impl Pin {
    /// Chunks, because growing one long list would copy it within the sequencer.
    fn note(&mut self, hint: Hint) {
        match self.hints.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(hint),
            _ => self.hints.push(vec![hint]),
        }
    }
}

/// What may be taken out now.
pub(super) type Visits = SmallVec<[Visit; 1]>;

/// A version of a key with this hash that is not needed any more, or all such versions of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    pub(super) hash: u64,
    /// The revision that installed it; `None`: all.
    pub(super) from: Option<u64>,
}

impl Retention {
    pub(super) fn new(bounds: Bounds, floor: u64) -> Self {
        Self {
            bounds,
            pins: BTreeMap::new(),
            snapshots: 0,
            aging: VecDeque::new(),
            deleted: BTreeSet::new(),
            forgotten: 0,
            floor,
            unseen: Vec::new(),
            kept: 0,
        }
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// From this revision on all is known, up to `shown`, the newest that is shown.
    pub(super) fn floor(&self, shown: u64) -> u64 {
        let unseen = self.unseen.iter().filter(|until| **until <= shown);
        unseen.fold(self.floor, |floor, until| floor.max(*until))
    }

    pub(super) fn kept(&self) -> u64 {
        self.kept
    }

    pub(super) fn snapshots(&self) -> u64 {
        self.snapshots
    }

    /// Whether there are as many snapshots as there may be.
    pub(super) fn is_full(&self) -> bool {
        self.snapshots >= self.bounds.max_snapshots
    }

    /// Pins a revision; a snapshot's pin is counted.
    pub(super) fn pin(&mut self, revision: u64, counted: bool) {
        self.snapshots += u64::from(counted);
        self.pins.entry(revision).or_default().count += 1;
    }

    /// Takes a pin back. What only it kept has to be [`moved on`](Self::move_on), a chunk at a time.
    pub(super) fn unpin(&mut self, revision: u64, counted: bool) -> Vec<Vec<Hint>> {
        self.snapshots -= u64::from(counted);
        let pin = self.pins.get_mut(&revision).expect("a snapshot is pinned");
        pin.count -= 1;
        if pin.count > 0 {
            return Vec::new();
        }
        self.pins.remove(&revision).map(|pin| pin.hints).unwrap_or_default()
    }

    /// Whether the newest version of a key, which was installed at `from`, is needed once it is superseded.
    pub(super) fn will_need(&self, from: u64) -> bool {
        self.bounds.keeps_history()
            || self.pins.last_key_value().is_some_and(|(newest, _)| *newest >= from)
    }

    /// Whether a superseded version has to stay, with `shown` the newest revision that is shown.
    pub(super) fn needs(&self, version: Superseded, shown: u64) -> bool {
        let Superseded { span, rank, deleted_at } = version;
        let forgotten = deleted_at.is_some_and(|revision| revision <= self.forgotten);
        span.until > shown
            || (rank < self.bounds.versions && !forgotten)
            || self.is_recent(span, shown)
            || self.pins.range(span.from..span.until).next().is_some()
    }

    fn is_recent(&self, span: Span, shown: u64) -> bool {
        self.bounds.commits > 0 && span.until > shown.saturating_sub(self.bounds.commits)
    }

    /// A version that was superseded at `until` is given up, or was never kept.
    pub(super) fn give_up(&mut self, until: u64) {
        self.floor = self.floor.max(until);
    }

    /// A version that is not shown yet was replaced at `until`. `same_batch` tells of a revision whether it becomes
    /// durable together with that.
    pub(super) fn replace_unseen(
        &mut self,
        until: u64,
        shown: u64,
        same_batch: impl Fn(u64) -> bool,
    ) {
        match self.unseen.last_mut() {
            Some(newest) if same_batch(*newest) => *newest = until,
            _ => {
                self.floor = self.floor(shown);
                self.unseen.retain(|until| *until > shown);
                self.unseen.push(until);
            }
        }
    }

    pub(super) fn count_kept(&mut self, more: i64) {
        self.kept = self.kept.checked_add_signed(more).expect("what is given back was kept");
    }

    /// Notes a version, which is no longer kept by count and whose successor is shown, where it is kept now; or adds
    /// its key to `visits`.
    pub(super) fn move_on(&mut self, hint: Hint, shown: u64, visits: &mut Visits) {
        if self.is_recent(hint.span, shown) {
            self.aging.push_back(hint);
        } else {
            self.leave_to_snapshots(hint, visits);
        }
    }

    fn leave_to_snapshots(&mut self, hint: Hint, visits: &mut Visits) {
        match self.pins.range_mut(hint.span.from..hint.span.until).next_back() {
            Some((_, pin)) => pin.note(hint),
            None => {
                // From here on it cannot be pinned.
                self.give_up(hint.span.until);
                visits.push(Visit { hash: hint.hash, from: Some(hint.span.from) });
            }
        }
    }

    /// A key was deleted.
    pub(super) fn note_deleted(&mut self, hash: u64, revision: u64) {
        if self.bounds.versions > 1 {
            self.deleted.insert((revision, hash));
        }
    }

    /// A key that was deleted at `revision` exists again.
    pub(super) fn note_created_again(&mut self, hash: u64, revision: u64) {
        if self.bounds.versions > 1 {
            self.deleted.remove(&(revision, hash));
        }
    }

    /// Moves on what history keeps no longer, now that `shown` is the newest revision that is shown; not too much at a
    /// time. Returns whether that is all.
    pub(super) fn age(&mut self, shown: u64, visits: &mut Visits) -> bool {
        if !self.bounds.keeps_history() {
            return true;
        }
        let before = visits.len();
        let mut moved = 0;
        while let Some(hint) = self.aging.front()
            && !self.is_recent(hint.span, shown)
        {
            if moved == CHUNK {
                return false;
            }
            moved += 1;
            let hint = self.aging.pop_front().expect("there is one");
            self.leave_to_snapshots(hint, visits);
        }
        while self.deleted.len() > self.bounds.max_deleted
            && let Some(&(revision, hash)) = self.deleted.first()
            && revision <= shown
        {
            if visits.len() - before >= CHUNK {
                return false;
            }
            self.deleted.pop_first();
            self.forgotten = self.forgotten.max(revision);
            visits.push(Visit { hash, from: None });
        }
        true
    }

    /// Notes again what a visit could not take out though history by count gave it up: the visits of forgotten keys.
    pub(super) fn note_again(&mut self, hash: u64, version: Superseded, shown: u64) {
        let by_count = version.rank < self.bounds.versions;
        if by_count && version.deleted_at.is_some_and(|revision| revision <= self.forgotten) {
            let mut visits = Visits::new();
            self.move_on(Hint { hash, span: version.span }, shown, &mut visits);
            debug_assert!(visits.is_empty(), "it is needed by somebody");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retention(versions: usize, commits: u64) -> Retention {
        Retention::new(Bounds { versions, commits, max_deleted: 2, max_snapshots: 9 }, 1)
    }

    fn hint(from: u64, until: u64) -> Hint {
        Hint { hash: from, span: Span { from, until } }
    }

    fn visited(visits: &Visits) -> Vec<u64> {
        visits.iter().filter_map(|visit| visit.from).collect()
    }

    /// A snapshot of the past was pinned after a version had been given up and before it was taken out: the version
    /// stayed, and nobody remembered it.
    #[test]
    fn what_is_given_up_cannot_be_pinned_any_more() {
        let mut retention = retention(1, 0);
        let mut visits = Visits::new();
        retention.move_on(hint(5, 9), 9, &mut visits);
        assert_eq!(visited(&visits), [5]);
        assert_eq!(retention.floor(9), 9);
    }

    #[test]
    fn a_version_moves_to_the_next_older_snapshot_that_sees_it() {
        let mut retention = retention(1, 0);
        for revision in [4, 6, 8, 8] {
            retention.pin(revision, true);
        }
        let mut visits = Visits::new();
        for hint in [hint(3, 9), hint(5, 9), hint(7, 9), hint(5, 7), hint(2, 3)] {
            retention.move_on(hint, 9, &mut visits);
        }
        assert_eq!(visited(&visits), [2]);
        let drop_snapshot = |retention: &mut Retention, revision| {
            let mut visits = Visits::new();
            for hint in retention.unpin(revision, true).concat() {
                retention.move_on(hint, 9, &mut visits);
            }
            visited(&visits)
        };
        assert_eq!(drop_snapshot(&mut retention, 8), [0; 0]);
        assert_eq!(drop_snapshot(&mut retention, 8), [7]);
        assert_eq!(drop_snapshot(&mut retention, 4), [0; 0]);
        assert_eq!(drop_snapshot(&mut retention, 6), [5, 3, 5]);
        assert_eq!(retention.snapshots(), 0);
    }

    #[test]
    fn history_by_commits_gives_up_what_was_superseded_before_it() {
        let mut retention = retention(1, 10);
        let mut visits = Visits::new();
        for until in 2..=30 {
            retention.move_on(hint(until - 1, until), until, &mut visits);
            assert!(retention.age(until, &mut visits));
        }
        assert_eq!(visited(&visits), (1..=19).collect::<Vec<_>>());
        assert_eq!(retention.floor(30), 20, "revisions 20 to 30 can be read whole");
    }

    #[test]
    fn deleted_keys_that_exist_again_do_not_push_others_out() {
        let mut retention = retention(3, 0);
        let mut visits = Visits::new();
        for revision in [5, 6] {
            retention.note_deleted(revision, revision);
        }
        retention.note_created_again(6, 6);
        retention.note_deleted(7, 7);
        assert!(retention.age(9, &mut visits) && visits.is_empty());
        retention.note_deleted(8, 8);
        assert!(retention.age(7, &mut visits));
        assert_eq!(visits.iter().map(|visit| visit.hash).collect::<Vec<_>>(), [5]);
    }
}
