//! The append-only log: commits become frames, frames become durable, and are read back.
//!
//! The log knows bytes and revisions, neither keys nor values. Its parts, from the sequencer down to the disk:
//!
//! - [`record`] builds a commit's payload, outside all locks;
//! - [`tail`] is where the sequencer appends, and cannot fail;
//! - [`frontier`] is how far it is, which others look at;
//! - [`group`] takes what was appended, writes and syncs it, and tells those who wait;
//! - [`muster`] is how it waits for those whom it has just told, so that they share the next batch;
//! - [`worker`] has the threads that do this for futures; [`syncer`] syncs where nobody waits for it;
//! - [`mod@close`] ends it in good order;
//! - [`growth`] gets space for more, and starts the next segment; [`writer`] owns the open file and makes the next one;
//! - [`compaction`] replaces segments by a checkpoint while the rest goes on;
//! - [`survey`] lists the files; [`recovery`] reads it all back, [`scan`] one of them; [`mod@inspect`] reads from outside, past
//!   damage;
//! - [`header`], [`frame`], [`checkpoint`], [`names`], [`bytes`] are the format, which `log/FORMAT.md` defines.
//!
//! What holds: a revision is durable only after its frame and all before it were written, and under
//! [`Durability::Sync`] synced. A failed write or sync ends the log for writing. Nothing is acknowledged, and no
//! user code run, under a lock.

mod bytes;
mod checkpoint;
mod close;
mod compaction;
mod footprint;
mod frame;
mod frontier;
mod group;
mod growth;
mod header;
mod inspect;
mod muster;
mod names;
mod record;
mod recovery;
mod scan;
mod survey;
mod syncer;
mod tail;
mod worker;
mod writer;

use std::task::Waker;
use std::time::Duration;

use crate::error::{CompactError, LogFailure, OpenError, SyncError};
use crate::identity::Identity;
use crate::revision::Revision;
use crate::storage::Directory;
use crate::sync::{self, Arc, MutexGuard, Weak};

pub(crate) use self::checkpoint::Entry;
use self::compaction::Housekeeping;
pub(crate) use self::compaction::{Checkpoint, Compact, Compaction};
pub(crate) use self::frontier::{Ended, Frontier};
use self::group::Shared;
pub(crate) use self::group::{Follow, RoomRefused};
pub use self::inspect::{Beyond, CheckpointFile, Damage, Inspection};
pub(crate) use self::inspect::{Found, InspectError, Place, Stopped, Visitor, inspect};
pub(crate) use self::names::{BACKUP, is_log_file};
pub(crate) use self::record::{Operation, Record, RecordBuilder};
pub use self::recovery::{Cut, Recovery};
pub(crate) use self::scan::{Apply, Codec, Item};
#[cfg(all(test, not(ifmatch_model)))]
pub(crate) use self::syncer::SYNC_BYTES;
pub(crate) use self::tail::{Shortage, Superseded, Tail};

/// When a commit counts as done: what survives what.
///
/// Whatever the setting, what is recovered is always a prefix of the revision order, every commit of it whole,
/// and no revision is ever handed out twice.
///
/// # Consistency
///
/// Nothing is told before it has counted as done: neither a write's own revision, nor a value that was read, a conflict, a
/// snapshot or an event of a watch. Under [`Sync`](Self::Sync) what was told is therefore never taken back. Under
/// [`Interval`](Self::Interval) and [`Buffered`](Self::Buffered) a crash of the operating system or a power cut may take
/// back the newest of it, whoever it was told to, whole commits from the end of the order; what comes after has other
/// revisions. [`Store::sync`](crate::Store::sync) ends that for all that was told before.
///
/// # Errors
///
/// A write or a sync of the log that fails ends it, whatever the setting, and is not tried again: writes that wait for it are
/// told that their outcome is unknown, later ones are refused ([`Reason::Poisoned`](crate::Reason::Poisoned)), and what is in
/// memory can be read. What was acknowledged under a weaker setting since the last sync that succeeded began may be missing
/// when it is opened again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// A commit is acknowledged, and shown to readers, after `fdatasync`: it survives the process being killed, a crash
    /// of the operating system and a power cut. Commits that wait at the same time share one sync (group commit).
    #[default]
    Sync,
    /// A commit is acknowledged, and shown, after `write`: it survives the process being killed, and a crash of the
    /// operating system or a power cut once it is that old.
    ///
    /// It is synced at the latest this long after it was written, plus the time that the sync takes, and what the log is just
    /// then doing: an earlier sync, reserving revisions, or starting a segment, which is four. Nothing is synced when nothing has
    /// been written since the last sync. A thread of the log's own syncs, and writes go on meanwhile; it does not wait until it is
    /// time when 4 MiB were written. Zero syncs as often as the disk can; what is too long for a clock is as good as
    /// [`Buffered`](Self::Buffered).
    Interval(Duration),
    /// A commit is acknowledged, and shown, after `write`: it survives the process being killed, but a crash of
    /// the operating system or a power cut may take back all since the last sync that succeeded began.
    ///
    /// It is synced whenever 4 MiB were written, by a thread of the log's own and while writes go on; when a segment is full, when
    /// revisions are reserved (a million at a time, when half of them are left), at [`Store::sync`](crate::Store::sync) and at the
    /// close. So what may be lost is what was written before and during a sync: 8 MiB, or more if the disk does not keep up, at
    /// most a segment. There is no bound in time: what is written before a pause is not synced in it.
    Buffered,
}

/// The smallest and the largest size of a segment, in bytes.
pub(crate) const SEGMENT_BYTES: std::ops::RangeInclusive<usize> = 4 << 10..=1 << 30;

/// Keeps every store out of a log's directory, until what is returned is dropped.
pub(crate) fn lock(
    directory: &dyn Directory,
) -> Result<Box<dyn std::fmt::Debug + Send>, OpenError> {
    directory.lock(names::LOCK).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => OpenError::Locked { path: directory.path().to_owned() },
        _ => survey::io_error(directory, "lock", error),
    })
}

/// The newest format of a log's files that this version reads, and the one that it writes.
pub(crate) const FORMAT_VERSION: u16 = header::VERSION;

/// The least and the most revisions that are reserved at once.
pub(crate) const REVISION_BLOCK: std::ops::RangeInclusive<u64> = 16..=1 << 40;

/// The largest limit for one record, in bytes.
pub(crate) const MAX_RECORD_BYTES: u32 = 256 << 20;

/// How a log is to be opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) codec: Codec,
    pub(crate) durability: Durability,
    pub(crate) segment_bytes: usize,
    /// How many revisions are reserved at once.
    pub(crate) revision_block: u64,
    /// How many bytes of segments are worth a compaction, at the least.
    pub(crate) compact_after: u64,
    /// The first revision that a new store hands out.
    pub(crate) first_revision: u64,
}

/// A log that was read and can be started.
pub(crate) struct Opened {
    recovered: recovery::Recovered,
    options: Options,
}

impl Opened {
    /// Reads the log in `directory`, handing every commit to `apply` in order; creates it if there is none.
    pub(crate) fn open(
        directory: Arc<dyn Directory>,
        options: Options,
        apply: &mut Apply<'_>,
    ) -> Result<Self, OpenError> {
        let recovered = recovery::recover(&directory, &options, apply)?;
        Ok(Self { recovered, options })
    }

    /// Revisions up to this one are used or skipped.
    pub(crate) fn newest(&self) -> u64 {
        self.recovered.newest
    }

    pub(crate) fn identity(&self) -> Identity {
        self.recovered.writer.signature().identity
    }

    pub(crate) fn report(&self) -> &Recovery {
        &self.recovered.report
    }

    /// How far the log will be at its start, with `live` keys in the state that was read. Others look at it, too.
    pub(crate) fn frontier(&self, live: u64) -> Arc<Frontier> {
        Arc::new(Frontier::new(self.newest(), live, self.recovered.footprint.clone()))
    }

    /// Starts the log at the state that was read.
    pub(crate) fn start(
        self,
        frontier: Arc<Frontier>,
        follow: Follow,
        compact: Compact,
    ) -> Result<Log, OpenError> {
        let recovery::Recovered { writer, position, newest, floor, reopened, checkpoint, .. } =
            self.recovered;
        let tail = Tail::new(
            position,
            (self.options.segment_bytes, self.options.revision_block),
            (newest, floor),
            frontier.durable_live().1,
            reopened,
        );
        let has_threads = writer.allows_threads();
        let durability = self.options.durability;
        let compaction = (self.options.compact_after, checkpoint);
        let shared = Arc::new_cyclic(|shared| {
            let place = (writer.directory(), *writer.signature());
            let housekeeping = Housekeeping::new(place, compaction, compact, Weak::clone(shared));
            let workers = (follow, housekeeping);
            Shared::new(tail, writer, frontier, (durability, has_threads), workers)
        });
        let log = Log { shared };
        if has_threads {
            log.start_thread("ifmatch-log", Shared::run_log_thread)?;
            log.start_thread("ifmatch-notice", Shared::run_notice_thread)?;
            if durability != Durability::Sync {
                log.start_thread("ifmatch-sync", Shared::run_sync_thread)?;
            }
        }
        // Each unclean stop leaves a segment that is not full, and no full one may ever come.
        log.shared.compact_if_worth_it();
        Ok(log)
    }
}

/// A running log. Its threads end by themselves when it is closed; nobody waits for them, because the notice
/// thread may be in somebody's waker.
#[derive(Debug)]
pub(crate) struct Log {
    shared: Arc<Shared>,
}

impl Log {
    fn start_thread(&self, name: &str, body: fn(&Shared)) -> Result<(), OpenError> {
        let shared = Arc::clone(&self.shared);
        let _detached = sync::spawn(name, move || body(&shared)).map_err(OpenError::Thread)?;
        Ok(())
    }

    /// The open end, to append to; locked within the sequencer.
    pub(crate) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.shared.tail.lock()
    }

    /// Blocks until `revision` may be shown.
    pub(crate) fn wait(&self, revision: Revision) -> Result<(), LogFailure> {
        self.shared.wait(revision)
    }

    /// Blocks until there was room for a record of `payload_len` bytes.
    pub(crate) fn make_room(&self, payload_len: usize) -> Result<(), RoomRefused> {
        self.shared.make_room(payload_len)
    }

    /// Sees to it that `revision` becomes durable, though nobody may ever wait for it.
    pub(crate) fn submit(&self, revision: Revision) {
        self.shared.submit(revision);
    }

    /// Like [`wait`](Self::wait), for the future numbered `future`.
    pub(crate) fn poll_durable(
        &self,
        revision: Revision,
        future: u64,
        waker: &Waker,
    ) -> Option<Result<(), LogFailure>> {
        self.shared.poll_durable(revision, future, waker)
    }

    /// Like [`make_room`](Self::make_room), for futures; `asked` is the caller's memory between calls.
    pub(crate) fn poll_room(
        &self,
        payload_len: usize,
        future: u64,
        asked: &mut Option<u64>,
        waker: &Waker,
    ) -> Option<RoomRefused> {
        self.shared.poll_room(payload_len, future, asked, waker)
    }

    /// Blocks until all that was appended is synced.
    pub(crate) fn sync(&self) -> Result<(), SyncError> {
        self.shared.sync()
    }

    /// Whether a sync failed, by which the log is about to end.
    #[cfg(all(test, not(ifmatch_model)))]
    pub(crate) fn has_sync_failed(&self) -> bool {
        self.shared.group.lock().sync_failure.is_some()
    }

    /// Where it is.
    pub(crate) fn directory(&self) -> Arc<dyn Directory> {
        self.shared.directory()
    }

    /// Begins a compaction, unless one is under way.
    pub(crate) fn compaction(&self) -> Result<Compaction, CompactError> {
        Compaction::claim(Arc::clone(&self.shared))
    }

    /// Syncs, writes the close mark and lets the directory go. When it returns, the directory can be opened again.
    pub(crate) fn close(&self) -> Result<(), SyncError> {
        let closed = self.shared.close();
        self.shared.abandon();
        closed
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`.
        let _closed = self.close();
    }
}
