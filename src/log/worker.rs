//! What futures wait for, and the two threads that serve them.
//!
//! The log thread leads when only futures wait, and to end the log after a sync that failed: it writes and syncs, and runs
//! nobody else's code. What is to be told goes to the notice thread, which runs wakers and drops values. A future waits for its
//! revision to be durable or, before it could be decided, for room.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::task::Waker;

use crate::error::LogFailure;
use crate::revision::Revision;
use crate::sync::{self, Arc};

use super::group::{Aftermath, Ending, Group, Request, RoomRefused, Shared};
use super::writer::Writer;

/// Futures that wait for room.
#[derive(Default)]
pub(super) struct Rooms {
    /// The payload bytes of the largest record that wants room.
    pub(super) wanted: Option<usize>,
    /// By the number of the future, which may ask again before it is woken.
    pub(super) wakers: BTreeMap<u64, Waker>,
    /// How often room was made or refused, and what was refused the last time.
    served: u64,
    refusal: Option<(usize, Arc<io::Error>)>,
}

sync::thread_local! {
    /// Whether this thread is some log's notice thread.
    static SERVES_FUTURES: Cell<bool> = const { Cell::new(false) };
}

impl Shared {
    /// Sees to it that `revision` becomes durable, though nobody may ever wait for it.
    pub(super) fn submit(&self, revision: Revision) {
        if self.durable() < revision.get() {
            self.request(&mut self.group.lock(), revision);
        }
    }

    fn request(&self, group: &mut Group, revision: Revision) {
        group.submitted = group.submitted.max(revision.get());
        if group.writer.is_some() {
            self.work.notify_one();
        }
    }

    /// Whether there is something for the log thread to lead.
    pub(super) fn has_work(&self, group: &Group) -> bool {
        group.submitted > self.durable()
            || group.rooms.wanted.is_some()
            || group.sync_failure.is_some()
    }

    /// Whether futures lead when they are polled: where no thread serves them, and on a notice thread, of whichever log.
    /// Somebody's drop that waits there for a future would else wait for itself to wake it, or for another that waits for it.
    fn futures_lead(&self) -> bool {
        !self.has_threads || SERVES_FUTURES.with(Cell::get)
    }

    /// Whether `revision` is durable; if not yet, `waker` is woken when it is or when it cannot be any more.
    pub(super) fn poll_durable(
        &self,
        revision: Revision,
        future: u64,
        waker: &Waker,
    ) -> Option<Result<(), LogFailure>> {
        if self.durable() >= revision.get() {
            return Some(Ok(()));
        }
        if self.futures_lead() {
            return Some(self.wait(revision));
        }
        let waker = waker.clone();
        let mut group = self.group.lock();
        if self.durable() >= revision.get() {
            return Some(Ok(()));
        }
        if let Ending::Failed(failure) = &group.ending {
            return Some(Err(failure.clone()));
        }
        let replaced = group.waiting.insert((revision.get(), future), waker);
        self.request(&mut group, revision);
        drop(group);
        drop(replaced);
        None
    }

    /// Asks for room for a record of `payload_len` bytes; `waker` is woken when it is worth trying again.
    /// `asked` remembers, from one call to the next, what was asked for.
    pub(super) fn poll_room(
        &self,
        payload_len: usize,
        future: u64,
        asked: &mut Option<u64>,
        waker: &Waker,
    ) -> Option<RoomRefused> {
        if self.futures_lead() {
            let refused = self.make_room(payload_len).err();
            waker.wake_by_ref();
            return refused;
        }
        let waker = waker.clone();
        let mut group = self.group.lock();
        if !matches!(group.ending, Ending::NotYet) {
            return Some(RoomRefused::Ended);
        }
        let rooms = &mut group.rooms;
        // Others asked, too, perhaps for more: what they were refused is refused to whoever wants as much.
        if let (Some(asked), Some((refused_len, refusal))) = (*asked, &rooms.refusal)
            && rooms.served > asked
            && payload_len >= *refused_len
        {
            return Some(RoomRefused::NoSpace(Arc::clone(refusal)));
        }
        *asked = Some(rooms.served);
        rooms.wanted = rooms.wanted.max(Some(payload_len));
        let replaced = rooms.wakers.insert(future, waker);
        if group.writer.is_some() {
            self.work.notify_one();
        }
        drop(group);
        drop(replaced);
        None
    }

    /// The log thread: leads for futures, and to end the log after a sync that failed, until it ends.
    pub(super) fn run_log_thread(&self) {
        while let Some((writer, request)) = self.next_work() {
            let mut aftermath = Aftermath::default();
            let refusal = self.lead(writer, request, &mut aftermath);
            let mut group = self.group.lock();
            if request.room.is_some() {
                group.rooms.served += 1;
                group.rooms.refusal = request.room.zip(refusal);
                aftermath.wakers.extend(std::mem::take(&mut group.rooms.wakers).into_values());
            }
            if !aftermath.is_empty() {
                group.aftermath.merge(aftermath);
                self.notices.notify_one();
            }
        }
        self.group.lock().log_thread_ended = true;
        self.notices.notify_all();
    }

    fn next_work(&self) -> Option<(Box<Writer>, Request)> {
        let mut group = self.group.lock();
        while matches!(group.ending, Ending::NotYet) {
            if self.has_work(&group)
                && let Some(writer) = self.take_leadership(&mut group)
            {
                let request = Request { room: group.rooms.wanted.take(), ..Request::default() };
                return Some((writer, request));
            }
            // If there is work, somebody leads, who wakes this thread in the end if there is still some.
            self.work.wait(&mut group);
        }
        None
    }

    /// The notice thread: runs the aftermath of what the log thread led, until the log ends.
    pub(super) fn run_notice_thread(&self) {
        SERVES_FUTURES.with(|serves| serves.set(true));
        while let Some(aftermath) = self.next_notice() {
            self.settle(aftermath);
        }
    }

    fn next_notice(&self) -> Option<Aftermath> {
        let mut group = self.group.lock();
        loop {
            if !group.aftermath.is_empty() {
                return Some(std::mem::take(&mut group.aftermath));
            }
            if group.log_thread_ended {
                return None;
            }
            self.notices.wait(&mut group);
        }
    }
}
