//! Replacing the past by a checkpoint, while the log goes on.
//!
//! First the next segment is started, so that everything before is in segments that are not written any more. Then the
//! state at a revision that is shown by then is written under another name, without a lock that a writer could wait for.
//! When it is whole and synced, and the log is synced up to that revision, the file gets its name, the directory is synced,
//! and only then what it replaces is removed. Who writes waits for the syncs that start a segment, which are four, for one more of
//! the log, and for one of the directory, each after one that is under way beside them.
//!
//! At most one compaction is under way. Closing the log does not wait for it: it ends at its next call to the file system.

use std::io;

use crate::codec::CodecError;
use crate::error::{CompactError, SyncError};
use crate::identity;
use crate::storage::{Directory, File, write_all_at};
use crate::sync::{self, Arc, Mutex, Weak};

use super::checkpoint::Blocks;
use super::group::{Ending, Group, Request, Shared};
use super::header::{self, Header, Kind};
use super::names;
use super::survey::replaced;
use super::writer::Signature;

/// Makes the entries of a compaction; called on a thread of its own.
pub(crate) type Compact = Arc<dyn Fn(Compaction) + Send + Sync>;

/// What the log needs for its compactions.
pub(super) struct Housekeeping {
    directory: Arc<dyn Directory>,
    signature: Signature,
    /// How many bytes are worth a compaction, at the least.
    least: u64,
    compact: Compact,
    /// To be handed to a thread.
    shared: Weak<Shared>,
    running: Mutex<Running>,
    lease: Mutex<Lease>,
}

struct Running {
    now: bool,
    /// The segment that continues the newest checkpoint.
    newest: Option<u64>,
}

/// Permission to change the directory. It is locked during each call to the file system, and only closing waits for that.
#[derive(Default)]
struct Lease {
    ended: bool,
    /// The file that is being written.
    unfinished: Option<String>,
}

impl Housekeeping {
    pub(super) fn new(
        (directory, signature): (Arc<dyn Directory>, Signature),
        (least, newest): (u64, Option<u64>),
        compact: Compact,
        shared: Weak<Shared>,
    ) -> Self {
        let running = Mutex::new(Running { now: false, newest });
        let lease = Mutex::default();
        Self { directory, signature, least, compact, shared, running, lease }
    }

    /// Ends a compaction that is under way, and allows no other.
    pub(super) fn end(&self) {
        let mut lease = self.lease.lock();
        lease.ended = true;
        if let Some(unfinished) = lease.unfinished.take() {
            // What stays is removed at the next open.
            let _left_over = self.directory.remove(&unfinished);
        }
    }

    /// One call to the file system, unless the log was closed.
    fn call<T>(
        &self,
        call: impl FnOnce(&dyn Directory, &mut Option<String>) -> io::Result<T>,
    ) -> Result<T, CompactError> {
        let mut lease = self.lease.lock();
        if lease.ended {
            return Err(CompactError::Closed);
        }
        call(&*self.directory, &mut lease.unfinished).map_err(CompactError::Io)
    }
}

impl Shared {
    pub(super) fn directory(&self) -> Arc<dyn Directory> {
        Arc::clone(&self.housekeeping.directory)
    }

    /// Starts a compaction on a thread of its own, if one is worth it, and none is under way.
    pub(super) fn compact_if_worth_it(&self) {
        let Housekeeping { least, compact, shared, .. } = &self.housekeeping;
        if !self.has_threads || !self.frontier.is_worth_compacting(*least) {
            return;
        }
        let Some(shared) = shared.upgrade() else { return };
        if let Ok(claimed) = Compaction::claim(shared) {
            let compact = Arc::clone(compact);
            // Without a thread the log grows, until the next segment is started.
            let _detached = sync::spawn("ifmatch-compact", move || compact(claimed));
        }
    }

    /// Starts the next segment, unless the open one is empty. Returns the open one's number and epoch.
    fn start_segment(&self) -> Result<(u64, u64), CompactError> {
        let writer = self.take_writer().ok_or_else(|| ended(&self.group.lock()))?;
        let mut open = (0, 0);
        let refusal = self.lead_here_by(writer, |writer, aftermath| {
            let request = Request { rotate: true, ..Request::default() };
            let refusal = self.try_lead(writer, request, aftermath)?;
            open = (writer.number(), self.tail.lock().position().epoch);
            Ok(refusal)
        });
        if let Some(refusal) = refusal {
            return Err(CompactError::Io(io::Error::new(refusal.kind(), refusal)));
        }
        match &*self.group.lock() {
            Group { ending: Ending::NotYet, .. } => Ok(open),
            group => Err(ended(group)),
        }
    }
}

impl Shared {
    /// Gives a file its name, durably. That is the leader's work: if the directory cannot be synced, nobody knows any more
    /// what is durable of all that was renamed before, such as a segment that is being started.
    fn publish(&self, name: &str) -> Result<(), CompactError> {
        let writer = self.take_writer().ok_or_else(|| ended(&self.group.lock()))?;
        let mut renamed = Ok(());
        self.lead_here_by(writer, |writer, _| {
            self.sync_alone("publishing a checkpoint", |_| {
                renamed = self.housekeeping.call(|directory, unfinished| {
                    directory.rename(&names::unfinished(name), name)?;
                    *unfinished = None;
                    Ok(())
                });
                if renamed.is_ok() { writer.directory().sync() } else { Ok(()) }
            })?;
            Ok(None)
        });
        renamed?;
        match &*self.group.lock() {
            Group { ending: Ending::NotYet, .. } => Ok(()),
            group => Err(ended(group)),
        }
    }
}

fn ended(group: &Group) -> CompactError {
    match &group.ending {
        Ending::Failed(failure) => CompactError::Failed(failure.clone()),
        Ending::NotYet | Ending::Closed => CompactError::Closed,
    }
}

/// A compaction that is under way, until it is dropped.
pub(crate) struct Compaction {
    shared: Arc<Shared>,
    succeeded: bool,
}

impl Compaction {
    pub(super) fn claim(shared: Arc<Shared>) -> Result<Self, CompactError> {
        let mut running = shared.housekeeping.running.lock();
        if running.now {
            return Err(CompactError::Running);
        }
        if shared.housekeeping.lease.lock().ended {
            return Err(CompactError::Closed);
        }
        running.now = true;
        drop(running);
        Ok(Self { shared, succeeded: false })
    }

    /// Starts the next segment; what is shown from now on has all that is before. `None` if there is nothing to replace.
    pub(crate) fn begin(&mut self) -> Result<Option<Continuation>, CompactError> {
        let (number, epoch) = self.shared.start_segment()?;
        if number == 1 || self.shared.housekeeping.running.lock().newest == Some(number) {
            self.succeeded = true;
            return Ok(None);
        }
        Ok(Some(Continuation { number, epoch }))
    }

    /// For the first checkpoint of a new log, which has no commit yet: a state from elsewhere.
    pub(crate) fn begin_with_state(&mut self) -> Result<Continuation, CompactError> {
        let (number, epoch) = self.shared.start_segment()?;
        Ok(Continuation { number, epoch })
    }

    /// Starts the checkpoint of the state at the revision `at`, which is shown.
    pub(crate) fn checkpoint(
        &mut self,
        continuation: Continuation,
        at: u64,
    ) -> Result<Checkpoint<'_>, CompactError> {
        let Continuation { number, epoch } = continuation;
        let housekeeping = &self.shared.housekeeping;
        let header = Header {
            kind: Kind::Checkpoint,
            codec: housekeeping.signature.codec,
            number,
            epoch: identity::random(),
            identity: housekeeping.signature.identity,
            floor: at,
            newest: at,
            previous: header::End::default(),
            next_epoch: epoch,
        };
        let name = names::checkpoint(number);
        let file = housekeeping.call(|directory, unfinished| {
            let new_name = names::unfinished(&name);
            let file = create_anew(directory, &new_name)?;
            *unfinished = Some(new_name);
            Ok(file)
        })?;
        let mut checkpoint = Checkpoint {
            compaction: self,
            file,
            name,
            number,
            blocks: Blocks::new(header.epoch),
            len: 0,
            synced: 0,
        };
        checkpoint.write(0, &header.encode().0)?;
        Ok(checkpoint)
    }
}

/// Creates a file, in the place of what is left over from an attempt that could not be cleaned up.
pub(super) fn create_anew(directory: &dyn Directory, name: &str) -> io::Result<Box<dyn File>> {
    match directory.create_file(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            directory.remove(name)?;
            directory.create_file(name)
        }
        created => created,
    }
}

impl Drop for Compaction {
    fn drop(&mut self) {
        let housekeeping = &self.shared.housekeeping;
        if !self.succeeded {
            let _ended = housekeeping.call(|directory, unfinished| match unfinished.take() {
                Some(unfinished) => directory.remove(&unfinished),
                None => Ok(()),
            });
        }
        if !self.succeeded {
            self.shared.frontier.compaction_failed();
        }
        housekeeping.running.lock().now = false;
        if self.succeeded {
            // As much may have been written meanwhile, and nothing after it.
            self.shared.compact_if_worth_it();
        }
    }
}

/// The segment that will continue a checkpoint.
pub(crate) struct Continuation {
    number: u64,
    epoch: u64,
}

/// A checkpoint is synced each time so many bytes were written, so that no sync has much to do: writers share the disk, and
/// a close waits for the call that is under way.
const SYNC_EACH: u64 = 16 << 20;

/// A checkpoint that is being written.
pub(crate) struct Checkpoint<'a> {
    compaction: &'a mut Compaction,
    file: Box<dyn File>,
    name: String,
    number: u64,
    blocks: Blocks,
    len: u64,
    /// How much of that is synced.
    synced: u64,
}

impl Checkpoint<'_> {
    /// Adds an entry: its revision, the one that created it, how often it was written, its key and its value, which append
    /// their encodings.
    pub(crate) fn push(
        &mut self,
        numbers: [u64; 3],
        key: impl FnOnce(&mut Vec<u8>) -> Result<(), CodecError>,
        value: impl FnOnce(&mut Vec<u8>) -> Result<(), CodecError>,
    ) -> Result<(), CompactError> {
        self.blocks.push(numbers, key, value).map_err(CompactError::Encode)?;
        match self.blocks.take_full() {
            Some((offset, block)) => self.write(offset, &block),
            None => Ok(()),
        }
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), CompactError> {
        let file = &*self.file;
        let housekeeping = &self.compaction.shared.housekeeping;
        housekeeping.call(|_, _| write_all_at(file, bytes, offset))?;
        self.len = offset + super::writer::count(bytes.len());
        if self.len >= self.synced + SYNC_EACH {
            housekeeping.call(|_, _| file.sync())?;
            self.synced = self.len;
        }
        Ok(())
    }

    /// All entries were added: makes it what recovery begins with, and removes what it replaces.
    pub(crate) fn publish(mut self) -> Result<(), CompactError> {
        let blocks = std::mem::replace(&mut self.blocks, Blocks::new(0));
        for (offset, block) in blocks.finish() {
            self.write(offset, &block)?;
        }
        let shared = &self.compaction.shared;
        let housekeeping = &shared.housekeeping;
        housekeeping.call(|_, _| self.file.sync())?;
        // What is shown under a weaker durability may not be synced yet; of what a checkpoint has, recovery demands it.
        shared.sync().map_err(|error| match error {
            SyncError::Failed(failure) => CompactError::Failed(failure),
            SyncError::Closed => CompactError::Closed,
        })?;
        shared.publish(&self.name)?;
        housekeeping.running.lock().newest = Some(self.number);
        shared.frontier.compacted(self.number, self.len);
        self.compaction.succeeded = true;
        // What cannot be removed now is by the next compaction, or at the next open.
        let names = housekeeping.call(|directory, _| directory.list())?;
        for name in replaced(names, self.number) {
            housekeeping.call(|directory, _| directory.remove(&name))?;
        }
        Ok(())
    }
}
