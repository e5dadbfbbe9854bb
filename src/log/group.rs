//! Group commit: who writes, who waits, who is told.
//!
//! Whoever holds the [`Writer`] leads: it takes all that was appended, writes it at once, syncs it if anybody waits for that,
//! and tells all that waited. A blocking committer leads on its own thread; for futures the log thread does (`worker.rs`).
//! Losing leadership loses nothing: whoever still waits takes the writer next.
//!
//! User code (wakers, drops of values) is collected in an [`Aftermath`] and runs after leadership is given up,
//! on a committer's own thread or on the notice thread, never on the log thread.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use crate::error::{LogFailure, SyncError};
use crate::revision::Revision;
use crate::sync::{self, Arc, AtomicBool, Condvar, Mutex, Ordering, Parker};

use super::Durability;
use super::compaction::Housekeeping;
use super::frontier::{Ended, Frontier};
use super::syncer::{OpenSegment, Unsynced};
use super::tail::{Batch, Growth, Superseded, SupersededVersions, Tail};
use super::worker::Rooms;
use super::writer::Writer;

/// Is told, under no lock, when more is durable or when the log has ended, and which versions were superseded thereby.
/// It returns who is to be woken.
pub(crate) type Follow = Box<dyn Fn(&[Superseded]) -> Vec<Waker> + Send + Sync>;

/// What all users of one log share.
pub(super) struct Shared {
    pub(super) tail: Mutex<Tail>,
    pub(super) frontier: Arc<Frontier>,
    pub(super) durability: Durability,
    /// Whether there are a log thread, a notice thread and, where nobody waits for syncs, a sync thread.
    pub(super) has_threads: bool,
    follow: Follow,
    pub(super) housekeeping: Housekeeping,
    pub(super) open: Mutex<OpenSegment>,
    pub(super) group: Mutex<Group>,
    /// Whether somebody leads. Only a hint: `group` knows.
    is_led: AtomicBool,
    /// Those wait here who want to lead, whatever becomes durable meanwhile.
    ready: Condvar,
    /// The log thread waits here.
    pub(super) work: Condvar,
    /// The sync thread waits here.
    pub(super) sync_due: Condvar,
    /// The notice thread waits here.
    pub(super) notices: Condvar,
}

#[derive(Default)]
pub(super) struct Group {
    /// Absent while somebody leads, and after the log was closed. Boxed, because it is handed over with each batch.
    pub(super) writer: Option<Box<Writer>>,
    pub(super) ending: Ending,
    /// The newest revision that was submitted as a future, and is to become durable whether or not it is awaited.
    pub(super) submitted: u64,
    /// What is written, and in no sync yet, not even one that is under way.
    pub(super) unsynced: Option<Unsynced>,
    /// What failed in a sync of the open segment, or around it: by this the log is about to end.
    pub(super) sync_failure: Option<LogFailure>,
    /// Futures that wait for a revision; the second part tells futures apart.
    pub(super) waiting: BTreeMap<(u64, u64), Waker>,
    pub(super) rooms: Rooms,
    /// Threads that wait for a revision. Who wakes one takes it off the list. It is no `thread::park`: that may be what the
    /// application waits with, and a wake-up that is meant for it would be lost here.
    parked: Vec<(u64, Arc<Parker>)>,
    /// What the log thread left to the notice thread, which ends only after it: the last batch, or the failure that
    /// ended the log, has an aftermath too.
    pub(super) aftermath: Aftermath,
    pub(super) log_thread_ended: bool,
}

#[derive(Default)]
pub(super) enum Ending {
    #[default]
    NotYet,
    Failed(LogFailure),
    Closed,
}

/// What is to be done, under no lock, when a batch has become durable.
#[derive(Default)]
pub(super) struct Aftermath {
    pub(super) wakers: Vec<Waker>,
    /// They are woken at once, by whoever leads: that is nobody's code.
    threads: Vec<Arc<Parker>>,
    superseded: SupersededVersions,
    /// More is durable than before, or the log has ended.
    moved: bool,
}

impl Aftermath {
    pub(super) fn is_empty(&self) -> bool {
        self.wakers.is_empty() && !self.moved
    }

    pub(super) fn wake_threads(&mut self) {
        self.threads.drain(..).for_each(|thread| thread.unpark());
    }

    pub(super) fn merge(&mut self, mut other: Self) {
        debug_assert!(other.threads.is_empty(), "they were woken by who led");
        self.wakers.append(&mut other.wakers);
        self.superseded.append(&mut other.superseded);
        self.moved |= other.moved;
    }
}

/// What a leader is asked to do beside writing what was appended.
#[derive(Clone, Copy, Default)]
pub(super) struct Request {
    /// Make room for a record of this many payload bytes.
    pub(super) room: Option<usize>,
    /// Sync, whatever the durability.
    pub(super) sync: bool,
    /// Start the next segment, unless the open one is empty.
    pub(super) rotate: bool,
}

impl Request {
    /// Whether it is for nothing but what was appended.
    fn is_plain(self) -> bool {
        self.room.is_none() && !self.sync && !self.rotate
    }
}

/// There is no room, and the file system does not give any.
pub(crate) type NoSpace = Arc<io::Error>;

/// How waiting for room ended in vain.
pub(crate) enum RoomRefused {
    NoSpace(NoSpace),
    /// Closed or failed; the next attempt to append will say which.
    Ended,
}

impl Shared {
    pub(super) fn new(
        tail: Tail,
        writer: Writer,
        frontier: Arc<Frontier>,
        (durability, has_threads): (Durability, bool),
        (follow, housekeeping): (Follow, Housekeeping),
    ) -> Self {
        frontier.publish(writer.stats());
        Self {
            frontier,
            tail: Mutex::new(tail),
            durability,
            has_threads,
            follow,
            housekeeping,
            open: Mutex::new(Some(writer.file())),
            group: Mutex::new(Group { writer: Some(Box::new(writer)), ..Group::default() }),
            is_led: AtomicBool::new(false),
            ready: Condvar::new(),
            work: Condvar::new(),
            sync_due: Condvar::new(),
            notices: Condvar::new(),
        }
    }

    pub(super) fn durable(&self) -> u64 {
        self.frontier.durable()
    }

    /// Waits until `revision` is durable, leading where nobody else does.
    pub(super) fn wait(&self, revision: Revision) -> Result<(), LogFailure> {
        let mut looks = 0;
        while self.durable() < revision.get() {
            if self.is_led.load(Ordering::Relaxed) && looks < self.looks() {
                sync::pause(looks);
                looks += 1;
                continue;
            }
            let mut group = self.group.lock();
            if self.durable() >= revision.get() {
                break;
            }
            if let Ending::Failed(failure) = &group.ending {
                return Err(failure.clone());
            }
            match self.take_leadership(&mut group) {
                Some(writer) => {
                    drop(group);
                    self.lead_here(writer, Request::default());
                }
                None => {
                    let thread = Arc::new(Parker::new());
                    group.parked.push((revision.get(), Arc::clone(&thread)));
                    drop(group);
                    thread.park(None);
                }
            }
        }
        Ok(())
    }

    /// How often whoever finds somebody leading looks whether that is over, before it sleeps: a write takes less time than
    /// being woken, a sync more.
    fn looks(&self) -> usize {
        if self.durability == Durability::Sync { 0 } else { sync::LOOKS }
    }

    /// Leadership, if it is free.
    pub(super) fn take_leadership(&self, group: &mut Group) -> Option<Box<Writer>> {
        let writer = group.writer.take()?;
        self.is_led.store(true, Ordering::Relaxed);
        Some(writer)
    }

    /// Makes room for a record of `payload_len` bytes; others may use it first.
    pub(super) fn make_room(&self, payload_len: usize) -> Result<(), RoomRefused> {
        let writer = self.take_writer().ok_or(RoomRefused::Ended)?;
        let request = Request { room: Some(payload_len), ..Request::default() };
        match self.lead_here(writer, request) {
            Some(refusal) => Err(RoomRefused::NoSpace(refusal)),
            None => Ok(()),
        }
    }

    /// Writes and syncs all that was appended, whatever the durability.
    pub(super) fn sync(&self) -> Result<(), SyncError> {
        if let Some(writer) = self.take_writer() {
            self.lead_here(writer, Request { sync: true, ..Request::default() });
        }
        match &self.group.lock().ending {
            Ending::NotYet => Ok(()),
            Ending::Failed(failure) => Err(SyncError::Failed(failure.clone())),
            Ending::Closed => Err(SyncError::Closed),
        }
    }

    /// Leadership, as soon as it is free; `None` if the log has ended.
    pub(super) fn take_writer(&self) -> Option<Box<Writer>> {
        let mut group = self.group.lock();
        loop {
            if !matches!(group.ending, Ending::NotYet) {
                return None;
            }
            if let Some(writer) = self.take_leadership(&mut group) {
                return Some(writer);
            }
            self.ready.wait(&mut group);
        }
    }

    /// Leads once on the caller's own thread, aftermath included. Tells why room could not be made, or no segment started, if
    /// that was asked for.
    pub(super) fn lead_here(&self, writer: Box<Writer>, request: Request) -> Option<NoSpace> {
        self.lead_here_by(writer, |writer, aftermath| self.try_lead(writer, request, aftermath))
    }

    /// The same with some other work.
    pub(super) fn lead_here_by(
        &self,
        writer: Box<Writer>,
        work: impl FnOnce(&mut Writer, &mut Aftermath) -> Result<Option<NoSpace>, LogFailure>,
    ) -> Option<NoSpace> {
        let mut aftermath = Aftermath::default();
        let refusal = self.lead_by(writer, &mut aftermath, work);
        self.settle(aftermath);
        refusal
    }

    /// Leads once and gives leadership up.
    pub(super) fn lead(
        &self,
        writer: Box<Writer>,
        request: Request,
        aftermath: &mut Aftermath,
    ) -> Option<NoSpace> {
        self.lead_by(writer, aftermath, |writer, aftermath| {
            self.try_lead(writer, request, aftermath)
        })
    }

    /// Does some work as the leader, and gives leadership up. If it fails, so has the log.
    fn lead_by(
        &self,
        mut writer: Box<Writer>,
        aftermath: &mut Aftermath,
        work: impl FnOnce(&mut Writer, &mut Aftermath) -> Result<Option<NoSpace>, LogFailure>,
    ) -> Option<NoSpace> {
        let led = or_bug(|| work(&mut writer, aftermath));
        let mut group = self.group.lock();
        group.writer = Some(writer);
        self.is_led.store(false, Ordering::Relaxed);
        let refusal = match led {
            Ok(refusal) => {
                if self.has_work(&group) {
                    self.work.notify_one();
                }
                self.ready.notify_one();
                refusal
            }
            Err(failure) => {
                self.end(&mut group, &Err(failure), aftermath);
                None
            }
        };
        let next = group.parked.pop();
        drop(group);
        // Who leads next comes first: it takes long to wake many.
        if let Some((_, next)) = next {
            next.unpark();
        }
        aftermath.wake_threads();
        refusal
    }

    /// Ends the log, closed or failed. All who wait are told, or to be told.
    pub(super) fn end(
        &self,
        group: &mut Group,
        closed: &Result<(), LogFailure>,
        aftermath: &mut Aftermath,
    ) {
        let (ending, ended) = match closed {
            Ok(()) => (Ending::Closed, Ended::Closed),
            Err(failure) => {
                self.tail.lock().fail(failure);
                (Ending::Failed(failure.clone()), Ended::Failed(failure.clone()))
            }
        };
        self.frontier.end(ended);
        group.ending = ending;
        aftermath.moved = true;
        aftermath.wakers.extend(std::mem::take(&mut group.waiting).into_values());
        aftermath.wakers.extend(std::mem::take(&mut group.rooms.wakers).into_values());
        aftermath.threads.extend(group.parked.drain(..).map(|(_, thread)| thread));
        self.ready.notify_all();
        self.work.notify_all();
        self.sync_due.notify_all();
    }

    pub(super) fn try_lead(
        &self,
        writer: &mut Writer,
        request: Request,
        aftermath: &mut Aftermath,
    ) -> Result<Option<NoSpace>, LogFailure> {
        let refusal = match request.room {
            Some(payload_len) => self.grow(writer, Some(payload_len), aftermath)?,
            None => None,
        };
        let refusal = match refusal {
            None if request.rotate => self.rotate_if_used(writer, aftermath)?,
            refusal => refusal,
        };
        if self.durability == Durability::Sync && self.has_threads && request.is_plain() {
            writer.muster.wait(|| self.tail.lock().pending());
        }
        let spare = writer.take_spare();
        let (batch, has_space) = {
            let mut tail = self.tail.lock();
            (tail.take(spare), tail.growth(None, true) == Growth::Enough)
        };
        self.write(writer, batch, request.sync, aftermath)?;
        if !has_space {
            aftermath.wake_threads();
            // Growing ahead of need keeps committers from ever asking for room; if it cannot be had, whoever needs
            // it is told.
            let _ahead_of_need = self.grow(writer, None, aftermath)?;
        }
        Ok(refusal)
    }

    /// Writes a batch of the open segment, makes it durable, and tells those who waited for it.
    pub(super) fn write(
        &self,
        writer: &mut Writer,
        mut batch: Batch,
        force_sync: bool,
        aftermath: &mut Aftermath,
    ) -> Result<(), LogFailure> {
        let force_sync = force_sync || self.leader_has_to_sync();
        let synced = self.durability == Durability::Sync || force_sync || batch.floor.is_some();
        let writes = !batch.bytes.is_empty();
        writer
            .write(&batch.bytes, batch.start)
            .map_err(|error| LogFailure::new("writing to the log", error))?;
        if force_sync || (synced && writes) {
            self.sync_alone("syncing the log", |_| {
                // All that is written is in this sync.
                self.group.lock().unsynced = None;
                writer.sync()
            })?;
        }
        let newest = batch.newest;
        if synced {
            let mut tail = self.tail.lock();
            tail.synced(&batch);
            writer.muster.told(newest - self.durable(), tail.pending());
        }
        let mut group = self.group.lock();
        if let Some(failure) = &group.sync_failure {
            return Err(failure.clone());
        }
        if writes && !synced {
            self.note_unsynced(&mut group, &batch);
        }
        aftermath.moved |= newest > self.durable();
        self.frontier.advance(newest, batch.live, writer.stats());
        if !group.waiting.is_empty() {
            let later = group.waiting.split_off(&(newest + 1, 0));
            let told = std::mem::replace(&mut group.waiting, later);
            aftermath.wakers.extend(told.into_values());
        }
        let told = group.parked.extract_if(.., |(revision, _)| *revision <= newest);
        aftermath.threads.extend(told.map(|(_, thread)| thread));
        drop(group);
        aftermath.superseded.append(&mut batch.superseded);
        writer.keep_spare(batch);
        Ok(())
    }

    /// Runs what others asked for: under no lock.
    pub(super) fn settle(&self, aftermath: Aftermath) {
        // A panic in somebody's waker or drop has been reported by the panic hook. It must not keep the others
        // from being served, nor end the notice thread. Wakers come last: one that blocks, which it must not,
        // keeps no memory.
        let mut wakers = aftermath.wakers;
        if aftermath.moved {
            let follow = || (self.follow)(&aftermath.superseded);
            wakers.extend(catch_unwind(AssertUnwindSafe(follow)).unwrap_or_default());
        }
        for waker in wakers {
            let _reported = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }
}

/// A panic of ours while leading or syncing ends the log like any failure; else all who wait would wait for ever.
pub(super) fn or_bug<T>(lead: impl FnOnce() -> Result<T, LogFailure>) -> Result<T, LogFailure> {
    catch_unwind(AssertUnwindSafe(lead)).unwrap_or_else(|_reported| {
        Err(LogFailure::new(
            "writing or syncing the log",
            io::Error::other("it panicked: a bug in ifmatch"),
        ))
    })
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("durable", &self.durable()).finish_non_exhaustive()
    }
}
