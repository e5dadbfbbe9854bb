//! The one order of all commits.
//!
//! A commit takes its turn with its shards locked and everything prepared: entries built, tables, chains and log with
//! room. Within the turn the revision is assigned, the frame appended, the entries installed, the window pushed, and
//! `visible` stored, and nothing of that can fail. So whoever reads `visible` and then the shards finds every commit up
//! to it whole, and the log has the commits in the order of their revisions.
//!
//! `visible` is the newest installed revision. What readers are shown is `shown`: the same in memory, the newest
//! durable revision on a log.
//!
//! Here is also what must be in step with the order: the window of newest commits (`window.rs`), the revisions that
//! snapshots pin and with them which versions stay (`retention.rs`), and who waits for commits.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use crate::error::{LogFailure, Reason};
use crate::log::{Ended, Frontier, Log, Record, Shortage, Superseded as LoggedHint, Tail};
use crate::revision::Revision;
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering};

use super::retention::{Bounds, CHUNK, Hint, Retention, Visits};
use super::versions::Span;
use super::window::{Changes, Evicted, Gone, Recent, Window};

/// What is read before the turn stands apart from what changes within it, on other cache lines: every writer goes through
/// here, and on the way to a lock that another has it would take the lines from that one.
#[repr(C)]
pub(super) struct Sequencer<K, V> {
    max_keys: u64,
    /// The revision that the store was opened at: nothing before is known.
    opened: u64,
    /// Whether superseded versions are likely to be kept, so that room for them is made before the turn. Only a guess.
    keeps: AtomicU64,
    /// How far the log is; absent in memory.
    frontier: Option<Arc<Frontier>>,
    order: Order<K, V>,
}

/// What changes within a turn, close together: what nearly every commit changes comes first.
#[repr(C, align(128))]
struct Order<K, V> {
    visible: AtomicU64,
    /// How many keys are live at `visible`.
    live: AtomicU64,
    state: Mutex<State<K, V>>,
}

/// What changes only within the sequencer.
#[repr(C)]
pub(super) struct State<K, V> {
    pub(super) window: Window<K, V>,
    pub(super) retention: Retention,
    /// Those who wait for the next commit to be shown, by the numbers of their watches.
    pub(super) sleepers: Sleepers,
    watches: u64,
    /// The store is gone: there will be no more commits.
    ended: bool,
}

type Sleepers = BTreeMap<u64, Waker>;

/// A watch that wants to be woken.
pub(super) struct Sleeper {
    pub(super) number: u64,
    pub(super) waker: Waker,
}

/// What comes after a position.
pub(super) enum Awaited<K, V> {
    Commits(Vec<Recent<K, V>>),
    Nothing,
    Cancelled,
    /// The position has left the window.
    Gone(Gone),
    Closed,
    Failed(LogFailure),
}

/// What a commit does to the number of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Population {
    pub(super) created: u64,
    pub(super) deleted: u64,
}

/// Why a commit cannot have its turn.
pub(super) enum NoTurn {
    /// The log needs room: let go of all locks, make it, start again.
    Room,
    /// What it rests on is the newest revision: who is told of a full store is told of the commits that filled it.
    Refused(Reason, Option<Revision>),
}

/// What is left to do once all locks are free. Dropping it drops what left the store.
pub(super) struct Aftermath<K, V> {
    evicted: Evicted<K, V>,
    /// Nearly always absent, which costs less to drop than an empty map.
    sleepers: Option<Sleepers>,
    pub(super) visits: Visits,
}

impl<K, V> Default for Aftermath<K, V> {
    fn default() -> Self {
        Self { evicted: Evicted::new(), sleepers: None, visits: Visits::new() }
    }
}

impl<K, V> Aftermath<K, V> {
    /// Whether somebody is to be told of the commit.
    pub(super) fn has_sleepers(&self) -> bool {
        self.sleepers.is_some()
    }

    /// Those who are to be told of the commit.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        self.sleepers.take().map_or_else(Vec::new, |sleepers| sleepers.into_values().collect())
    }

    /// Drops what left the window. It is not this writer's: neither is a panic in its drop.
    pub(super) fn drop_evicted(&mut self) {
        self.evicted.iter().for_each(Recent::touch);
        while !self.evicted.is_empty() {
            // What panics has left the list, and is not dropped again.
            let _reported = catch_unwind(AssertUnwindSafe(|| self.evicted.clear()));
        }
    }
}

/// One commit's time inside the sequencer.
pub(super) struct Turn<'a, K, V> {
    sequencer: &'a Sequencer<K, V>,
    state: MutexGuard<'a, State<K, V>>,
    /// The log's open end, locked for the time of the turn, and what is to be appended to it.
    tail: Option<(MutexGuard<'a, Tail>, &'a Record)>,
    revision: Revision,
    live: u64,
    /// How many more versions there are beside those of live keys.
    kept: i64,
    aftermath: &'a mut Aftermath<K, V>,
}

impl<K, V> Sequencer<K, V> {
    pub(super) fn new(
        newest: u64,
        live: u64,
        max_keys: u64,
        bounds: Bounds,
        window: Window<K, V>,
        frontier: Option<Arc<Frontier>>,
    ) -> Self {
        Self {
            keeps: AtomicU64::new(u64::from(bounds.keeps_history() || frontier.is_some())),
            order: Order {
                state: Mutex::new(State {
                    window,
                    retention: Retention::new(bounds, newest),
                    sleepers: Sleepers::new(),
                    watches: 0,
                    ended: false,
                }),
                visible: AtomicU64::new(newest),
                live: AtomicU64::new(live),
            },
            max_keys,
            opened: newest,
            frontier,
        }
    }

    /// The revision that the store was opened at: nothing before is known.
    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    pub(super) fn visible(&self) -> u64 {
        self.order.visible.load(Ordering::Acquire)
    }

    pub(super) fn live(&self) -> u64 {
        self.order.live.load(Ordering::Acquire)
    }

    /// The newest revision that is shown.
    pub(super) fn shown(&self) -> u64 {
        match &self.frontier {
            None => self.visible(),
            Some(frontier) => frontier.durable(),
        }
    }

    /// The newest revision that is shown, and how many keys are live at it. The state is locked.
    pub(super) fn shown_live(&self) -> (u64, u64) {
        match &self.frontier {
            None => (self.visible(), self.live()),
            Some(frontier) => frontier.durable_live(),
        }
    }

    /// Whether what is shown now is all that ever will be.
    pub(super) fn has_failed(&self) -> bool {
        let ended = self.frontier.as_ref().and_then(|frontier| frontier.ended());
        matches!(ended, Some(Ended::Failed(_)))
    }

    pub(super) fn frontier(&self) -> Option<&Frontier> {
        self.frontier.as_deref()
    }

    /// Whether it is worth making room for superseded versions beforehand.
    pub(super) fn expects_to_keep(&self) -> bool {
        self.keeps.load(Ordering::Relaxed) > 0
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<K, V>> {
        self.order.state.lock()
    }

    /// Takes the turn for a commit of `changes` changes, with everything else prepared. Whatever can still be refused is
    /// refused here, before anything has happened.
    pub(super) fn enter<'a>(
        &'a self,
        log: Option<(&'a Log, &'a Record)>,
        population: Population,
        changes: usize,
        aftermath: &'a mut Aftermath<K, V>,
    ) -> Result<Turn<'a, K, V>, NoTurn> {
        let mut state = self.order.state.lock();
        let visible = self.order.visible.load(Ordering::Relaxed);
        let newest = Revision::try_from(visible).ok();
        let next = visible + 1;
        let revision = Revision::try_from(next)
            .map_err(|_| NoTurn::Refused(Reason::RevisionsExhausted, newest))?;
        let live =
            self.order.live.load(Ordering::Relaxed) + population.created - population.deleted;
        if population.created > population.deleted && live > self.max_keys {
            return Err(NoTurn::Refused(Reason::TooManyKeys { max: self.max_keys }, newest));
        }
        let tail = match log {
            None => None,
            Some((log, record)) => {
                let mut tail = log.tail();
                tail.room(record, changes).map_err(|shortage| match shortage {
                    Shortage::Room => NoTurn::Room,
                    Shortage::Closed => NoTurn::Refused(Reason::Closed, None),
                    Shortage::Failed(failure) => NoTurn::Refused(Reason::Poisoned(failure), None),
                })?;
                Some((tail, record))
            }
        };
        state.window.make_room(changes, &mut aftermath.evicted);
        Ok(Turn { sequencer: self, state, tail, revision, live, kept: 0, aftermath })
    }

    /// Commits after `position` up to `end`, of about `changes` changes; more are to be asked for again.
    pub(super) fn commits(
        &self,
        position: u64,
        end: u64,
        changes: usize,
    ) -> Result<Vec<Recent<K, V>>, Gone> {
        self.order.state.lock().window.some_after(position, end, changes)
    }

    /// Pins the newest revision that is shown, or that is visible; returns it, and how many keys are live at it. `None`
    /// if there are too many snapshots.
    pub(super) fn pin(&self, view: View) -> Option<(u64, u64)> {
        let mut state = self.order.state.lock();
        let (revision, live) = match view {
            View::Shown | View::Durable => self.shown_live(),
            View::Tellable if self.has_failed() => self.shown_live(),
            View::Visible | View::Tellable => (self.visible(), self.live()),
        };
        if view == View::Shown && state.retention.is_full() {
            return None;
        }
        state.retention.pin(revision, view == View::Shown);
        Some({
            self.keeps.fetch_add(1, Ordering::Relaxed);
            (revision, live)
        })
    }

    /// From this revision on all is known.
    pub(super) fn floor(&self) -> u64 {
        let state = self.order.state.lock();
        state.retention.floor(self.shown())
    }

    /// Pins a revision of the past.
    pub(super) fn pin_at(&self, revision: u64) -> Result<bool, Span> {
        let mut state = self.order.state.lock();
        let shown = self.shown();
        let known = Span { from: state.retention.floor(shown), until: shown + 1 };
        if revision < known.from || revision >= known.until {
            return Err(known);
        }
        if state.retention.is_full() {
            return Ok(false);
        }
        state.retention.pin(revision, true);
        self.keeps.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    /// Takes a pin back. Returns what is to be visited.
    pub(super) fn unpin(&self, revision: u64, counted: bool) -> Visits {
        let chunks = {
            let mut state = self.order.state.lock();
            self.keeps.fetch_sub(1, Ordering::Relaxed);
            state.retention.unpin(revision, counted)
        };
        let mut visits = Visits::new();
        for chunk in chunks {
            let mut state = self.order.state.lock();
            let shown = self.shown();
            for hint in chunk {
                state.retention.move_on(hint, shown, &mut visits);
            }
        }
        visits
    }

    /// A batch of the log became durable, which superseded versions as `hints` say.
    pub(super) fn follow(&self, hints: &[LoggedHint]) -> Aftermath<K, V> {
        let mut aftermath = Aftermath::default();
        let mut chunks = hints.chunks(CHUNK);
        loop {
            let state = &mut *self.lock();
            let shown = self.shown();
            for &LoggedHint { hash, from, until } in chunks.next().unwrap_or_default() {
                let hint = Hint { hash, span: Span { from, until } };
                state.retention.move_on(hint, shown, &mut aftermath.visits);
            }
            if chunks.len() == 0 && state.retention.age(shown, &mut aftermath.visits) {
                if !state.sleepers.is_empty() {
                    aftermath.sleepers = Some(std::mem::take(&mut state.sleepers));
                }
                return aftermath;
            }
        }
    }

    /// There will be no more commits. Returns who is to be told.
    pub(super) fn end(&self) -> Vec<Waker> {
        let sleepers = {
            let mut state = self.order.state.lock();
            state.ended = true;
            std::mem::take(&mut state.sleepers)
        };
        sleepers.into_values().collect()
    }

    /// Whether a watch can begin after a position, and the newest revision that is shown, where it begins without one.
    pub(super) fn watchable(&self, position: Option<u64>) -> (Result<(), Gone>, u64) {
        let state = self.order.state.lock();
        let shown = self.shown();
        (state.window.check(position.unwrap_or(shown)), shown)
    }

    /// A number for a watch.
    pub(super) fn number_watch(&self) -> u64 {
        let mut state = self.order.state.lock();
        state.watches += 1;
        state.watches
    }

    /// Shown commits after `position`, of about `changes` changes. If there are none, whoever wants to sleep is woken when
    /// there may be.
    pub(super) fn await_commits(
        &self,
        position: u64,
        changes: usize,
        sleeper: &mut Option<Sleeper>,
        cancelled: &AtomicU64,
    ) -> Awaited<K, V> {
        let mut state = self.order.state.lock();
        // Read before what is shown, because nothing more is shown after it.
        let log_ended = self.frontier.as_ref().and_then(|frontier| frontier.ended());
        match state.window.some_after(position, self.shown(), changes) {
            Ok(commits) if commits.is_empty() => {}
            Ok(commits) => return Awaited::Commits(commits),
            Err(gone) => return Awaited::Gone(gone),
        }
        if let Some(Ended::Failed(failure)) = log_ended {
            return Awaited::Failed(failure);
        }
        if state.ended || log_ended.is_some() {
            return Awaited::Closed;
        }
        if cancelled.load(Ordering::Acquire) != 0 {
            return Awaited::Cancelled;
        }
        let replaced =
            sleeper.take().and_then(|sleeper| state.sleepers.insert(sleeper.number, sleeper.waker));
        drop(state);
        drop(replaced);
        Awaited::Nothing
    }

    /// A watch does not want to be woken any more. Its waker is returned, to be woken or dropped under no lock.
    pub(super) fn forget_sleeper(&self, number: u64) -> Option<Waker> {
        self.order.state.lock().sleepers.remove(&number)
    }
}

/// Which state a snapshot is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The newest that is shown.
    Shown,
    /// The same, for the store itself.
    #[cfg_attr(not(feature = "log"), allow(dead_code, reason = "what compacts a log looks so"))]
    Durable,
    /// The newest, durable or not.
    Visible,
    /// The newest that can ever be told: durable or not, but for a log that failed.
    Tellable,
}

impl<K, V> Turn<'_, K, V> {
    /// The revision of this commit.
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// What changes only within the sequencer.
    pub(super) fn state(&self) -> &State<K, V> {
        &self.state
    }

    /// Whether a newest version, installed at `older`, has to stay when this commit supersedes it.
    pub(super) fn keeps(&self, older: Revision) -> bool {
        let can_be_shown =
            self.tail.as_ref().is_some_and(|(tail, _)| !tail.shares_batch(older.get()));
        can_be_shown || self.state.retention.will_need(older.get())
    }

    /// Appends the commit to the log: from here on it happens.
    pub(super) fn append(&mut self) {
        if let Some((tail, record)) = &mut self.tail {
            tail.append(self.revision.get(), self.live, record);
        }
    }

    /// How many versions a key has to keep, the newest included.
    pub(super) fn kept_by_count(&self) -> usize {
        self.state.retention.bounds().versions
    }

    /// A version was replaced, and is not kept.
    pub(super) fn replaced(&mut self) {
        let (retention, revision) = (&mut self.state.retention, self.revision.get());
        match &self.tail {
            None => retention.give_up(revision),
            Some((tail, _)) => {
                let shown = self.sequencer.shown();
                retention.replace_unseen(revision, shown, |older| tail.shares_batch(older));
            }
        }
    }

    /// So many more versions are kept beside those of live keys.
    pub(super) fn count_kept(&mut self, more: i64) {
        self.kept += more;
    }

    /// Whether there is no log.
    pub(super) fn in_memory(&self) -> bool {
        self.tail.is_none()
    }

    /// A version was superseded, and history by count does not keep it.
    pub(super) fn superseded(&mut self, hash: u64, span: Span) {
        match &mut self.tail {
            Some((tail, _)) => {
                tail.supersede(LoggedHint { hash, from: span.from, until: span.until });
            }
            None => {
                let visits = &mut self.aftermath.visits;
                self.state.retention.move_on(Hint { hash, span }, self.revision.get(), visits);
            }
        }
    }

    /// A key was deleted, and its tombstone is kept.
    pub(super) fn buried(&mut self, hash: u64) {
        self.state.retention.note_deleted(hash, self.revision.get());
    }

    /// A key that was deleted at `tombstone` is put again.
    pub(super) fn unburied(&mut self, hash: u64, tombstone: Revision) {
        self.state.retention.note_created_again(hash, tombstone.get());
    }

    /// Ends the turn: the commit is installed, and visible.
    pub(super) fn publish(mut self, changes: Changes<K, V>) -> Revision {
        let revision = self.revision.get();
        let state = &mut *self.state;
        state.retention.count_kept(self.kept);
        let in_memory = self.sequencer.frontier.is_none();
        let shown = if in_memory { revision } else { self.sequencer.shown() };
        state.window.push(revision, changes, shown, &mut self.aftermath.evicted);
        self.sequencer.order.live.store(self.live, Ordering::Release);
        self.sequencer.order.visible.store(revision, Ordering::Release);
        if in_memory {
            // What is too much now is left to the next commits.
            let _all = state.retention.age(revision, &mut self.aftermath.visits);
            if !state.sleepers.is_empty() {
                self.aftermath.sleepers = Some(std::mem::take(&mut state.sleepers));
            }
        }
        self.revision
    }
}
