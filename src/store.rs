//! The store: a map from keys to versioned values, with one order of all writes.
//!
//! - [`map`] is all that is in memory: [`shards`] holds the slots, [`index`] the keys in order, [`versions`] what one key
//!   was and is;
//! - [`sequencer`] is the turn that each commit takes, [`window`] the newest commits, [`retention`] which versions stay;
//! - [`mod@write`] is the commit path of a single write, [`commit`], [`examine`] and [`install`] that of a transaction,
//!   [`place`] what both do to a key within the turn; [`settle`] is what they have in common;
//! - [`transact`] is a transaction as a closure;
//! - [`pin`] keeps a revision readable, for [`snapshot`], [`scan`], [`past`]; [`watch`] tells of commits;
//! - [`journal`] is the log for one type of keys and values, which `open` makes and reads back;
//! - [`pending`] lets a write be awaited; [`builder`] makes stores.
//!
//! A write is decided against the newest state, under its key's shard lock, and never waits while it holds a lock.
//! It is told, a conflict included, once all that it reveals is durable. Readers are shown the newest durable state
//! (in memory: the newest), and never wait.

#[cfg(feature = "log")]
mod backup;
mod builder;
mod commit;
#[cfg(feature = "log")]
mod compact;
mod examine;
mod index;
mod install;
mod journal;
mod map;
#[cfg(feature = "log")]
mod open;
mod past;
mod pending;
mod pin;
mod place;
#[cfg(feature = "log")]
mod replay;
mod retention;
mod scan;
mod sequencer;
mod settle;
mod shards;
mod snapshot;
mod table;
mod transact;
mod versions;
mod watch;
mod window;
mod write;
mod written;

#[cfg(all(test, feature = "log", not(ifmatch_model)))]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;

#[cfg(all(test, feature = "log", ifmatch_model))]
mod model;

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use crate::error::{LogFailure, Reason, Refused, SyncError, WriteError};
use crate::identity::Identity;
use crate::key::AsKey;
#[cfg(feature = "log")]
use crate::log::Recovery;
use crate::log::{Record, RoomRefused};
use crate::precondition::Precondition;
use crate::revision::Revision;
use crate::sync::{Arc, thread};
use crate::versioned::{Draft, Versioned};

use self::journal::Journal;
use self::map::Map;
use self::sequencer::{Aftermath, NoTurn, Population, Turn};
use self::settle::{Attempt, Operation, Outcome, Settled};
use self::write::{Change, Effect, Write};

pub use self::builder::Builder;
pub use self::past::Stats;
pub use self::pending::{Pending, Submitted};
pub use self::scan::Scan;
pub use self::snapshot::Snapshot;
pub use self::transact::{Read, Transaction};
pub use self::watch::{Canceller, Watch, WatchBuilder};
pub use self::written::{Deleted, Written};

/// The default hasher: fast, and seeded at random for each store, but not built to withstand somebody who
/// can choose keys and measure time.
///
/// If strangers choose your keys, pass the standard library's
/// [`RandomState`](std::collections::hash_map::RandomState) (SipHash) to [`Builder::hasher`].
pub type FastHash = foldhash::quality::RandomState;

/// How often [`Store::update`] and [`Store::transact`] try before they return the last conflict.
pub const UPDATE_ATTEMPTS: u32 = 1_000;

/// A versioned key-value store, in memory or on a log.
///
/// Cloning it gives another handle of the same store. When the last handle is dropped, a store on a log is closed;
/// [`close`](Self::close) also tells whether that worked.
///
/// # Consistency
///
/// Operations on one key are linearizable: each takes place at one moment between its call and its return, and all
/// writes to the store are in one order, that of their revisions. On a log under
/// [`Durability::Sync`](crate::Durability::Sync), nothing that a caller was told (a revision, a value, a conflict) is
/// taken back by a crash.
///
/// No guard leaves the store and no lock is held while code of yours runs, so that it cannot deadlock. There are two
/// exceptions. `Hash`, `Eq` and `Ord` of the key type necessarily run under locks, and must not use the store; if
/// they panic, the operation has not happened, and nothing else is affected. And wakers of a
/// [`Pending`] or a [`Watch`] must not block: one thread calls those of all futures, and who commits those of watches.
pub struct Store<K, V, S = FastHash> {
    inner: Arc<Inner<K, V, S>>,
}

struct Inner<K, V, S> {
    map: Arc<Map<K, V, S>>,
    journal: Option<Journal<K, V>>,
    identity: Identity,
    #[cfg(feature = "log")]
    recovery: Option<Recovery>,
}

impl<K, V> Store<K, V>
where
    K: Clone + Hash + Ord,
{
    /// An empty store in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A builder, with every setting at its default.
    #[must_use]
    pub fn builder() -> Builder<K, V> {
        Builder::default()
    }
}

/// Reading. Readers are shown the newest durable state (in memory: the newest), and never wait for the disk.
impl<K, V, S> Store<K, V, S>
where
    K: Clone + Hash + Ord,
    S: BuildHasher,
{
    /// The entry of `key`, if there is one.
    pub fn get(&self, key: impl AsKey<K>) -> Option<Versioned<V>> {
        self.inner.map.shown(&key, Versioned::clone)
    }

    /// Whether there is an entry of `key`.
    pub fn contains(&self, key: impl AsKey<K>) -> bool {
        self.inner.map.shown(&key, |_| ()).is_some()
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        let sequencer = &self.inner.map.sequencer;
        let live = match sequencer.frontier() {
            None => sequencer.live(),
            Some(frontier) => frontier.durable_live().1,
        };
        usize::try_from(live).expect("the keys are in memory")
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The newest revision that is shown. A new store is at 1, before its first commit.
    #[must_use]
    pub fn revision(&self) -> Revision {
        stored(self.inner.map.sequencer.shown())
    }

    /// Which store this is: revisions mean nothing to another.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.inner.identity
    }

    /// What was found when the store was opened; `None` for a store in memory.
    #[cfg(feature = "log")]
    #[must_use]
    pub fn recovery(&self) -> Option<&Recovery> {
        self.inner.recovery.as_ref()
    }
}

/// Writing. On a log, a write blocks until it, or the conflict that it met, is durable.
impl<K, V, S> Store<K, V, S>
where
    K: Clone + Hash + Ord,
    S: BuildHasher,
{
    /// Puts `value` under `key` if the key does not exist. Returns the revision of the write.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] with the present entry if the key exists; the others as for every write.
    pub fn create(&self, key: impl AsKey<K>, value: V) -> Result<Revision, WriteError<K, V>> {
        self.put_if(key, value, Precondition::Absent)
    }

    /// Puts `value` under `key`, whatever is there. Returns the revision of the write.
    ///
    /// # Errors
    /// Never a conflict. In memory only a stated limit: [`Reason::TooManyKeys`], [`Reason::RevisionsExhausted`].
    pub fn put(&self, key: impl AsKey<K>, value: V) -> Result<Revision, WriteError<K, V>> {
        self.put_if(key, value, Precondition::Any)
    }

    /// Puts `value` under `key` if the precondition holds. Returns the revision of the write.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] with the present entry, and the value back, if it does not hold;
    /// [`WriteError::Refused`] if the store cannot take the write; [`WriteError::OutcomeUnknown`] if the log failed
    /// meanwhile.
    pub fn put_if(
        &self,
        key: impl AsKey<K>,
        value: V,
        precondition: impl Into<Precondition>,
    ) -> Result<Revision, WriteError<K, V>> {
        let change = Change::Put(Draft::new(value));
        let write = Write::prepare(&self.inner, key, change, precondition.into());
        self.inner.run(write).map(|effect| written(effect).revision())
    }

    /// Deletes `key`. `None` if there was nothing to delete; that takes no revision.
    ///
    /// # Errors
    /// Never a conflict; the others as for every write.
    pub fn delete(&self, key: impl AsKey<K>) -> Result<Option<Deleted<V>>, WriteError<K, V>> {
        self.delete_if(key, Precondition::Any)
    }

    /// Deletes `key` if the precondition holds. `None` if it holds and there was nothing to delete.
    ///
    /// # Errors
    /// As for [`put_if`](Self::put_if). A revision that the key had before it was deleted is a conflict whose
    /// [`current`](crate::Conflict::current) is `None`.
    pub fn delete_if(
        &self,
        key: impl AsKey<K>,
        precondition: impl Into<Precondition>,
    ) -> Result<Option<Deleted<V>>, WriteError<K, V>> {
        let write = Write::prepare(&self.inner, key, Change::Delete, precondition.into());
        self.inner.run(write).map(deleted)
    }

    /// Reads, changes and writes back, again from the start if another write came between.
    ///
    /// `change` gets the newest value, or `None`, and returns the new one. It may run several times, and may see a
    /// value that is not yet durable; what it returned is written only on top of exactly what it saw, and `update`
    /// returns once all of that is durable.
    ///
    /// ```
    /// # let store: ifmatch::Store<String, u64> = ifmatch::Store::new();
    /// store.update("visits", |count| count.copied().unwrap_or(0) + 1)?;
    /// # Ok::<(), ifmatch::WriteError<String, u64>>(())
    /// ```
    ///
    /// # Errors
    /// The last [`WriteError::Conflict`] after [`UPDATE_ATTEMPTS`] lost races in a row; the others as for
    /// [`put_if`](Self::put_if).
    pub fn update(
        &self,
        key: impl AsKey<K>,
        mut change: impl FnMut(Option<&V>) -> V,
    ) -> Result<Revision, WriteError<K, V>> {
        let key = key.into_key();
        let (mut current, mut rests_on) = self.inner.newest(&key);
        let mut attempt = 1;
        loop {
            let value = change(current.as_deref());
            let precondition = unchanged(current.as_ref());
            let settled = self.inner.settle_put(&key, value, precondition, false);
            // Whatever is told in the end rests on all that `change` was shown.
            rests_on = rests_on.max(settled.rests_on);
            match settled.outcome {
                Err(WriteError::Conflict(conflict)) if attempt < UPDATE_ATTEMPTS => {
                    (current, _) = conflict.into_parts();
                }
                outcome => {
                    let told = self.inner.tell(Settled { outcome, rests_on });
                    return told.map(|effect| written(effect).revision());
                }
            }
            attempt += 1;
            if back_off(attempt) {
                // What the conflict told is old by now.
                let newest = self.inner.newest(&key);
                (current, rests_on) = (newest.0, rests_on.max(newest.1));
            }
        }
    }

    /// The entry of `key`; if there is none, `make` is asked for a value and that is put, unless another came first.
    /// `make` runs at most once.
    ///
    /// # Errors
    /// As for [`put`](Self::put): no conflict, since whoever loses the race has the entry that won it.
    pub fn get_or_create(
        &self,
        key: impl AsKey<K>,
        make: impl FnOnce() -> V,
    ) -> Result<Versioned<V>, WriteError<K, V>> {
        let key = key.into_key();
        let (current, rests_on) = self.inner.newest(&key);
        if let Some(current) = current {
            return self.inner.tell_entry(current, rests_on, None);
        }
        let settled = self.inner.settle_put(&key, make(), Precondition::Absent, true);
        let rests_on = rests_on.max(settled.rests_on);
        match settled.outcome {
            Err(WriteError::Conflict(conflict)) => {
                let (current, made) = conflict.into_parts();
                let current = current.expect("only a key that is there is not absent");
                self.inner.tell_entry(current, rests_on, made)
            }
            outcome => match self.inner.tell(Settled { outcome, rests_on })? {
                Effect::Put(_, Some(entry)) => Ok(entry),
                _ => unreachable!("a put has an entry"),
            },
        }
    }

    /// Waits until all that was written is synced to the disk, whatever the durability. In memory it does nothing.
    ///
    /// # Errors
    /// If the log failed, now or before, or is closed.
    pub fn sync(&self) -> Result<(), SyncError> {
        self.inner.journal.as_ref().map_or(Ok(()), |journal| journal.log.sync())
    }

    /// Closes the log in good order, for all handles of the store: everything is synced and marked as whole, and when
    /// this returns the directory can be opened again. Reading goes on; writes are refused with [`Reason::Closed`].
    /// Closing twice is the same as closing once. In memory it does nothing.
    ///
    /// # Errors
    /// If the log failed, now or before: what was not yet durable may be lost.
    pub fn close(&self) -> Result<(), SyncError> {
        self.inner.journal.as_ref().map_or(Ok(()), |journal| journal.log.close())
    }
}

impl<K, V, S> Drop for Inner<K, V, S> {
    fn drop(&mut self) {
        // The log first, so that watches are told of all that it still makes durable.
        {
            let _closed = self.journal.take();
        }
        map::wake(self.map.sequencer.end());
    }
}

fn written<V>(effect: Effect<V>) -> Written {
    match effect {
        Effect::Put(written, _) => written,
        Effect::Deleted(_) | Effect::Nothing => unreachable!("a put puts"),
    }
}

fn deleted<V>(effect: Effect<V>) -> Option<Deleted<V>> {
    match effect {
        Effect::Deleted(deleted) => Some(deleted),
        Effect::Nothing => None,
        Effect::Put(..) => unreachable!("a delete does not put"),
    }
}

/// The precondition that a key is still as it was read.
fn unchanged<V>(read: Option<&Versioned<V>>) -> Precondition {
    read.map_or(Precondition::Absent, |entry| entry.revision().into())
}

/// Lets others finish, after the first few lost races. Returns whether it did.
///
/// Yielding is not always enough: a thread that updates one key in a loop is, whenever another has read, already in
/// line to write. Sleeping longer each time, up to a millisecond, gets out of step with it.
fn back_off(attempt: u32) -> bool {
    match attempt {
        0..=4 => return false,
        5..=32 => thread::yield_now(),
        _ => thread::sleep(Duration::from_micros(attempt.min(1_000).into())),
    }
    true
}

/// A revision that the store is or was at.
fn stored(revision: u64) -> Revision {
    Revision::try_from(revision).expect("the sequencer and recovery check the range")
}

impl<K, V, S> Inner<K, V, S> {
    /// Takes the turn for a commit of so many changes.
    fn enter<'a>(
        &'a self,
        record: Option<&'a Record>,
        population: Population,
        changes: usize,
        aftermath: &'a mut Aftermath<K, V>,
    ) -> Result<Turn<'a, K, V>, NoTurn> {
        let log = self.journal.as_ref().map(|journal| &journal.log);
        self.map.sequencer.enter(log.zip(record), population, changes, aftermath)
    }

    /// Blocks until `settled` may be told, and tells it.
    fn tell<O: Outcome>(&self, settled: Settled<O>) -> O {
        match self.wait(settled.rests_on) {
            Ok(()) => settled.outcome,
            Err(failure) => settled.outcome.after_failure(failure),
        }
    }

    /// Blocks until `entry`, which rests on a revision, may be told. `made` is given back if it never may.
    fn tell_entry(
        &self,
        entry: Versioned<V>,
        rests_on: Option<Revision>,
        made: Option<V>,
    ) -> Result<Versioned<V>, WriteError<K, V>> {
        match self.wait(rests_on) {
            Ok(()) => Ok(entry),
            Err(failure) => Err(WriteError::Refused(Refused::new(Reason::Poisoned(failure), made))),
        }
    }

    fn wait(&self, rests_on: Option<Revision>) -> Result<(), LogFailure> {
        match (&self.journal, rests_on) {
            (Some(journal), Some(revision)) => journal.log.wait(revision),
            _ => Ok(()),
        }
    }
}

impl<K, V, S> Inner<K, V, S>
where
    K: AsKey<K> + Clone + Ord,
    S: BuildHasher,
{
    /// The newest entry, durable or not, and the revision that it, or its absence, rests on.
    fn newest<Q: AsKey<K>>(&self, key: &Q) -> (Option<Versioned<V>>, Option<Revision>) {
        let newest = self.map.shards.read(key, |versions| {
            let (revision, live) = versions.newest();
            Some((live.cloned(), Some(revision)))
        });
        newest.unwrap_or((None, None))
    }

    /// Decides an operation, making room for it where that is missing.
    fn decide<O: Operation<K, V>>(&self, operation: &mut O) -> Settled<O::Outcome> {
        loop {
            if let Attempt::Settled(settled) = operation.attempt(self) {
                return settled;
            }
            let log = &self.journal.as_ref().expect("only a log has no room").log;
            match log.make_room(operation.record_len()) {
                Ok(()) => {}
                // The next attempt says why.
                Err(RoomRefused::Ended) => {}
                Err(RoomRefused::NoSpace(error)) => {
                    return operation.refuse(Reason::NoSpace(error));
                }
            }
        }
    }

    fn run<Q: AsKey<K>>(
        &self,
        mut write: Result<Write<K, V, Q>, write::Settled<K, V>>,
    ) -> Result<Effect<V>, WriteError<K, V>> {
        // Where it is: moving it costs a hot put one part in twenty.
        if let Ok(write) = &mut write {
            return self.tell(self.decide(write));
        }
        self.tell(write.err().expect("what is no write was settled already"))
    }

    /// Decides a put, without waiting until it may be told.
    fn settle_put(
        &self,
        key: &K,
        value: V,
        precondition: Precondition,
        wants_entry: bool,
    ) -> write::Settled<K, V>
    where
        for<'a> &'a K: AsKey<K>,
    {
        let change = Change::Put(Draft::new(value));
        match Write::prepare(self, key, change, precondition) {
            Ok(write) if wants_entry => self.decide(&mut write.wanting_entry()),
            Ok(mut write) => self.decide(&mut write),
            Err(settled) => settled,
        }
    }
}

impl<K, V, S> Store<K, V, S> {
    fn from_inner(inner: Inner<K, V, S>) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

impl<K, V> Default for Store<K, V>
where
    K: Clone + Hash + Ord,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V, S> Clone for Store<K, V, S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K, V, S> fmt::Debug for Store<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("visible", &self.inner.map.sequencer.visible())
            .field("live", &self.inner.map.sequencer.live())
            .field("log", &self.inner.journal.as_ref().map(|journal| &journal.log))
            .finish_non_exhaustive()
    }
}
