//! Syncs beside whoever writes.
//!
//! Where a commit is told when it is written ([`Durability::Interval`], [`Durability::Buffered`]), none has to wait for a sync,
//! and no sync has to stand between a leader and the next batch. So a thread of its own syncs the open segment: when it is
//! time, and whenever [`SYNC_BYTES`] wait for it. A leader that has to sync all the same, because a segment is full, revisions are
//! reserved or somebody asks for it, waits for the sync that is under way, and finds little left to do, if the disk keeps up.
//! (The WAL writer of `PostgreSQL` does so for asynchronous commits, by `wal_writer_flush_after`.)
//!
//! Syncs of the open segment go one at a time, the leader's included: of two at once the kernel may tell only one that
//! writing failed, and the other would vouch for what is lost. After one that failed there is none.

use std::io;
use std::time::Instant;

use crate::error::LogFailure;
use crate::storage::File;
use crate::sync::{self, Arc};

use super::Durability;
use super::group::{Ending, Group, Shared, or_bug};
use super::tail::{Batch, WrittenTo};

/// So many bytes are worth a sync, whatever the time. To sync them takes some milliseconds.
pub(crate) const SYNC_BYTES: usize = sync::size(4 << 20, 1);

/// The open segment, locked by whoever syncs it for as long as that takes. Absent when the log is being closed: then only the
/// leader syncs it.
pub(super) type OpenSegment = Option<Arc<dyn File>>;

/// What was written to the open segment since the last sync of it began.
#[derive(Debug)]
pub(super) struct Unsynced {
    since: Instant,
    bytes: usize,
    end: WrittenTo,
}

impl Shared {
    /// A batch was written, and not synced.
    pub(super) fn note_unsynced(&self, group: &mut Group, batch: &Batch) {
        let is_first = group.unsynced.is_none();
        let begun = || Unsynced { since: Instant::now(), bytes: 0, end: batch.end() };
        let unsynced = group.unsynced.get_or_insert_with(begun);
        unsynced.bytes += batch.bytes.len();
        unsynced.end = batch.end();
        // The sync thread sleeps until the first of it is due, under `Buffered` until there is enough.
        if is_first || unsynced.bytes >= SYNC_BYTES {
            self.sync_due.notify_one();
        }
    }

    /// When what is written has to be synced, if there is not enough of it before.
    fn sync_deadline(&self, group: &Group) -> Option<Instant> {
        match self.durability {
            Durability::Interval(interval) => group.unsynced.as_ref()?.since.checked_add(interval),
            Durability::Sync | Durability::Buffered => None,
        }
    }

    fn is_sync_due(&self, group: &Group) -> bool {
        group.unsynced.as_ref().is_some_and(|unsynced| unsynced.bytes >= SYNC_BYTES)
            || self.sync_deadline(group).is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Whether the leader has to sync because nobody else would: where there are no threads.
    pub(super) fn leader_has_to_sync(&self) -> bool {
        !self.has_threads && self.is_sync_due(&self.group.lock())
    }

    /// Does something of the leader's that syncs, while nobody else syncs the open segment; and not after a sync that failed.
    pub(super) fn sync_alone<T>(
        &self,
        doing: &'static str,
        sync: impl FnOnce(&mut OpenSegment) -> io::Result<T>,
    ) -> Result<T, LogFailure> {
        let mut open = self.open.lock();
        if let Some(failure) = &self.group.lock().sync_failure {
            return Err(failure.clone());
        }
        let synced = or_bug(|| sync(&mut open).map_err(|error| LogFailure::new(doing, error)));
        synced.inspect_err(|failure| self.note_sync_failure(failure))
    }

    /// After this, noted with the open segment locked, nobody syncs any more. Whoever leads next, which may be the log thread,
    /// ends the log.
    fn note_sync_failure(&self, failure: &LogFailure) {
        self.group.lock().sync_failure = Some(failure.clone());
        self.work.notify_one();
    }

    /// Whether there is still anything to be synced beside the leader.
    fn syncs_beside(group: &Group) -> bool {
        matches!(group.ending, Ending::NotYet) && group.sync_failure.is_none()
    }

    /// The sync thread, until the log ends.
    pub(super) fn run_sync_thread(&self) {
        while self.next_sync() {
            self.sync_beside();
        }
    }

    /// Waits until a sync is due. `false`: there will be none.
    fn next_sync(&self) -> bool {
        let mut group = self.group.lock();
        while Self::syncs_beside(&group) {
            if self.is_sync_due(&group) {
                return true;
            }
            match self.sync_deadline(&group) {
                Some(deadline) => {
                    self.sync_due.wait_until(&mut group, deadline);
                }
                None => self.sync_due.wait(&mut group),
            }
        }
        false
    }

    fn sync_beside(&self) {
        let open = self.open.lock();
        let unsynced = {
            let mut group = self.group.lock();
            // A leader may have synced meanwhile, or failed to.
            if !Self::syncs_beside(&group) || !self.is_sync_due(&group) {
                return;
            }
            // Before the sync begins: what is written from now on is for the next.
            group.unsynced.take()
        };
        let (Some(file), Some(Unsynced { end, .. })) = (&*open, unsynced) else { return };
        let started = Instant::now();
        let failed = |error| LogFailure::new("syncing the log", error);
        match or_bug(|| file.sync().map_err(failed)) {
            Ok(()) => {
                self.frontier.synced_beside(started.elapsed());
                self.tail.lock().synced_up_to(end);
            }
            Err(failure) => self.note_sync_failure(&failure),
        }
    }
}
