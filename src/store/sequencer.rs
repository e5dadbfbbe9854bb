//! The one order of all commits.
//!
//! A commit takes its turn with its shards locked and everything prepared: entries built, tables and log with room.
//! Within the turn the revision is assigned, the frame appended, the entries installed, and `visible` stored, and
//! nothing of that can fail. So whoever reads `visible` and then the shards finds every commit up to it whole, and
//! the log has the commits in the order of their revisions.
//!
//! `visible` is the newest installed revision. What readers are shown is `shown`: the same in memory, the newest
//! durable revision on a log.

use crate::error::Reason;
use crate::log::{Log, Record, Shortage, Tail};
use crate::revision::Revision;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};

/// Alone on its cache lines, because every writer goes through it.
#[repr(align(128))]
pub(super) struct Sequencer {
    turn: Mutex<()>,
    visible: AtomicU64,
    /// How many keys are live at `visible`.
    live: AtomicU64,
    max_keys: u64,
}

/// What a commit does to the number of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Population {
    Grows,
    Stays,
    Shrinks,
}

/// Why a commit cannot have its turn.
pub(super) enum NoTurn {
    /// The log needs room: let go of all locks, make it, start again.
    Room,
    /// What it rests on is the newest revision: who is told of a full store is told of the commits that filled it.
    Refused(Reason, Option<Revision>),
}

/// One commit's time inside the sequencer.
pub(super) struct Turn<'a> {
    sequencer: &'a Sequencer,
    _exclusive: MutexGuard<'a, ()>,
    /// The log's open end, locked for the time of the turn, and what is to be appended to it.
    tail: Option<(MutexGuard<'a, Tail>, &'a Record)>,
    revision: Revision,
    live: u64,
}

impl Sequencer {
    pub(super) fn new(newest: u64, live: u64, max_keys: u64) -> Self {
        Self {
            turn: Mutex::new(()),
            visible: AtomicU64::new(newest),
            live: AtomicU64::new(live),
            max_keys,
        }
    }

    pub(super) fn visible(&self) -> u64 {
        self.visible.load(Ordering::Acquire)
    }

    pub(super) fn live(&self) -> u64 {
        self.live.load(Ordering::Acquire)
    }

    /// Takes the turn for a commit with everything else prepared. Whatever can still be refused is refused here,
    /// before anything has happened.
    pub(super) fn enter<'a>(
        &'a self,
        log: Option<(&'a Log, &'a Record)>,
        population: Population,
    ) -> Result<Turn<'a>, NoTurn> {
        let exclusive = self.turn.lock();
        let visible = self.visible.load(Ordering::Relaxed);
        let newest = Revision::try_from(visible).ok();
        let next = visible + 1;
        let revision = Revision::try_from(next)
            .map_err(|_| NoTurn::Refused(Reason::RevisionsExhausted, newest))?;
        let live = self.live.load(Ordering::Relaxed);
        let live = match population {
            Population::Grows if live >= self.max_keys => {
                return Err(NoTurn::Refused(Reason::TooManyKeys { max: self.max_keys }, newest));
            }
            Population::Grows => live + 1,
            Population::Stays => live,
            Population::Shrinks => live - 1,
        };
        let tail = match log {
            None => None,
            Some((log, record)) => {
                let mut tail = log.tail();
                tail.room(record).map_err(|shortage| match shortage {
                    Shortage::Room => NoTurn::Room,
                    Shortage::Closed => NoTurn::Refused(Reason::Closed, None),
                    Shortage::Failed(failure) => NoTurn::Refused(Reason::Poisoned(failure), None),
                })?;
                Some((tail, record))
            }
        };
        Ok(Turn { sequencer: self, _exclusive: exclusive, tail, revision, live })
    }
}

impl Turn<'_> {
    /// The revision of this commit.
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether a version of revision `older` can never be shown once this commit is in.
    pub(super) fn hides(&self, older: Revision) -> bool {
        self.tail.as_ref().is_none_or(|(tail, _)| tail.shares_batch(older.get()))
    }

    /// Appends the commit to the log. `superseded` is the hash of a key that keeps an older version for now.
    pub(super) fn append(&mut self, superseded: Option<u64>) {
        if let Some((tail, record)) = &mut self.tail {
            tail.append(self.revision.get(), self.live, superseded, record);
        }
    }

    /// Ends the turn: the commit is installed, and visible.
    pub(super) fn publish(self) -> Revision {
        self.sequencer.live.store(self.live, Ordering::Release);
        self.sequencer.visible.store(self.revision.get(), Ordering::Release);
        self.revision
    }
}
