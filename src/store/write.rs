//! The commit path of one write: prepare, attempt, settle.
//!
//! A [`Write`] is prepared under no lock, then attempted. An attempt locks the key's shard, checks the precondition
//! against the newest version, makes room, takes its turn in the sequencer and installs; it never waits. What it
//! gives is [`Settled`]: an outcome, and the revision that has to be durable before anybody is told of it.

use std::hash::BuildHasher;

use hashbrown::hash_table::OccupiedEntry;

use crate::conflict::Conflict;
use crate::error::{LogFailure, OutcomeUnknown, Reason, Refused, WriteError};
use crate::identity::Identity;
use crate::key::AsKey;
use crate::log::Record;
use crate::precondition::Precondition;
use crate::revision::Revision;
use crate::versioned::{Draft, Versioned};

use super::Inner;
use super::sequencer::{NoTurn, Population};
use super::shards::{self, Slot, Table};
use super::versions::{Node, Versions};

/// What a write makes of its key.
pub(super) enum Change<V> {
    Put(Draft<V>),
    Delete,
}

impl<V> Change<V> {
    fn into_rejected(self) -> Option<V> {
        match self {
            Self::Put(draft) => Some(draft.into_value()),
            Self::Delete => None,
        }
    }
}

/// What a write did.
pub(crate) enum Effect<V> {
    /// With the entry itself, if it was asked for.
    Put(Written, Option<Versioned<V>>),
    Deleted(Deleted<V>),
    /// There was nothing to delete.
    Nothing,
}

/// A put that took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    revision: Revision,
    created: Revision,
    write_count: u64,
}

impl Written {
    fn of<V>(entry: &Versioned<V>) -> Self {
        Self {
            revision: entry.revision(),
            created: entry.created_revision(),
            write_count: entry.write_count(),
        }
    }

    /// The revision of the put.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The revision that created the key.
    #[must_use]
    pub fn created_revision(&self) -> Revision {
        self.created
    }

    /// How many writes the key has seen since it was created, the creation included.
    #[must_use]
    pub fn write_count(&self) -> u64 {
        self.write_count
    }

    /// Whether this put created the key.
    #[must_use]
    pub fn is_creation(&self) -> bool {
        self.revision == self.created
    }
}

/// A delete that took place.
#[derive(Debug)]
pub struct Deleted<V> {
    revision: Revision,
    previous: Versioned<V>,
}

impl<V> Deleted<V> {
    /// The revision of the delete itself.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// What was removed.
    #[must_use]
    pub fn previous(&self) -> &Versioned<V> {
        &self.previous
    }

    /// What was removed, by value.
    #[must_use]
    pub fn into_previous(self) -> Versioned<V> {
        self.previous
    }
}

/// A write that was decided, and what it rests on.
pub(crate) struct Settled<K, V> {
    pub(super) outcome: Result<Effect<V>, WriteError<K, V>>,
    /// The newest revision that the outcome reveals; `None` if it reveals nothing that is not durable.
    pub(super) rests_on: Option<Revision>,
}

impl<K, V> Settled<K, V> {
    fn refused(reason: Reason, change: Change<V>) -> Self {
        let refused = Refused::new(reason, change.into_rejected());
        Self { outcome: Err(WriteError::Refused(refused)), rests_on: None }
    }

    /// The outcome, after the log failed before what it rests on was durable.
    pub(super) fn after_failure(self, failure: LogFailure) -> Result<Effect<V>, WriteError<K, V>> {
        let rejected = match self.outcome {
            Ok(
                Effect::Put(Written { revision, .. }, _)
                | Effect::Deleted(Deleted { revision, .. }),
            ) => {
                return Err(WriteError::OutcomeUnknown(OutcomeUnknown::new(revision, failure)));
            }
            Ok(Effect::Nothing) => None,
            Err(error) => error.into_rejected(),
        };
        Err(WriteError::Refused(Refused::new(Reason::Poisoned(failure), rejected)))
    }
}

pub(crate) enum Attempt<K, V> {
    Settled(Settled<K, V>),
    /// The log has no room for the record now: the write is as it was, to be attempted again.
    NoRoom,
}

/// A key in whatever form the caller had it, until an owned one is needed.
enum Name<K, Q> {
    Given(Q),
    Owned(K),
}

impl<K: AsKey<K>, Q: AsKey<K>> Name<K, Q> {
    fn names(&self, key: &K) -> bool {
        match self {
            Self::Given(given) => given.is_key(key),
            Self::Owned(owned) => owned.is_key(key),
        }
    }

    fn into_key(self) -> K {
        match self {
            Self::Given(given) => given.into_key(),
            Self::Owned(owned) => owned,
        }
    }
}

/// A write on its way. Its parts are absent once it is settled.
pub(crate) struct Write<K, V, Q> {
    name: Option<Name<K, Q>>,
    hash: u64,
    change: Option<Change<V>>,
    precondition: Precondition,
    record: Option<Record>,
    /// Whether the effect is to carry the entry.
    wants_entry: bool,
}

const UNSETTLED: &str = "a settled write is not attempted again";

impl<K, V, Q> Write<K, V, Q>
where
    K: AsKey<K>,
    Q: AsKey<K>,
{
    /// Prepares a write: hashes, and for a log encodes and checks its size. If it cannot be, it is settled already.
    pub(super) fn prepare<S: BuildHasher>(
        store: &Inner<K, V, S>,
        key: Q,
        change: Change<V>,
        precondition: Precondition,
    ) -> Result<Self, Settled<K, V>> {
        let hash = store.shards.hash(&key);
        let (name, record) = match &store.journal {
            None => (Name::Given(key), None),
            Some(journal) => {
                let key = key.into_key();
                let value = match &change {
                    Change::Put(draft) => Some(draft.value()),
                    Change::Delete => None,
                };
                match journal.encode(&key, value) {
                    Ok(record) => (Name::Owned(key), Some(record)),
                    Err(reason) => return Err(Settled::refused(reason, change)),
                }
            }
        };
        let change = Some(change);
        Ok(Self { name: Some(name), hash, change, precondition, record, wants_entry: false })
    }

    /// Makes the effect of a put carry the entry.
    pub(super) fn wanting_entry(self) -> Self {
        Self { wants_entry: true, ..self }
    }

    /// The bytes of the record, for which room may be missing.
    pub(super) fn record_len(&self) -> usize {
        self.record.as_ref().map_or(0, |record| record.payload().len())
    }

    /// Gives the write up, for `reason`.
    pub(super) fn refuse(&mut self, reason: Reason) -> Settled<K, V> {
        Settled::refused(reason, self.change.take().expect(UNSETTLED))
    }

    /// Tries to decide the write. It takes locks for a short time, and never waits for the disk.
    pub(super) fn attempt<S: BuildHasher>(&mut self, store: &Inner<K, V, S>) -> Attempt<K, V> {
        loop {
            let mut garbage = Garbage::Nothing;
            let decision = self.decide(store, &mut garbage);
            drop(garbage);
            match decision {
                Decision::Attempt(attempt) => return attempt,
                Decision::Conflict { current, newest } => {
                    return self.conflict(store.identity, current, newest);
                }
                Decision::NeedsOwnedKey => {
                    self.name = self.name.take().map(|name| Name::Owned(name.into_key()));
                }
            }
        }
    }

    /// The part of an attempt under the shard's lock. No user code but the key's `Eq` and `Hash` runs here.
    fn decide<S: BuildHasher>(
        &mut self,
        store: &Inner<K, V, S>,
        garbage: &mut Garbage<K, V>,
    ) -> Decision<K, V> {
        let name = self.name.as_ref().expect(UNSETTLED);
        let deletes = matches!(self.change, Some(Change::Delete));
        let mut table = store.shards.write(self.hash);
        match table.find_entry(self.hash, |slot| name.names(&slot.key)) {
            Ok(slot) => {
                let (newest, live) = slot.get().versions.newest();
                if !self.precondition.holds(live.map(Versioned::revision)) {
                    return Decision::Conflict { current: live.cloned(), newest: Some(newest) };
                }
                Decision::Attempt(match (deletes, live.is_some()) {
                    (false, _) => self.overwrite(store, slot, garbage),
                    (true, true) => self.delete(store, slot, garbage),
                    (true, false) => settled(Effect::Nothing, Some(newest)),
                })
            }
            Err(_) if !self.precondition.holds(None) => {
                Decision::Conflict { current: None, newest: None }
            }
            Err(_) if deletes => Decision::Attempt(settled(Effect::Nothing, None)),
            Err(_) if matches!(name, Name::Given(_)) => Decision::NeedsOwnedKey,
            Err(_) => Decision::Attempt(self.create(store, &mut table)),
        }
    }

    fn create<S: BuildHasher>(
        &mut self,
        store: &Inner<K, V, S>,
        table: &mut Table<K, V>,
    ) -> Attempt<K, V> {
        store.shards.make_room(table);
        let mut turn = match store.enter(self.record.as_ref(), Population::Grows) {
            Ok(turn) => turn,
            Err(refusal) => return no_turn(&mut self.change, refusal),
        };
        turn.append(None);
        let entry = take_draft(&mut self.change).seal(turn.revision(), None);
        let effect = self.effect_of_put(&entry);
        let key = self.name.take().expect(UNSETTLED).into_key();
        shards::insert(table, self.hash, Slot { key, versions: Versions::One(entry) });
        settled(effect, Some(turn.publish()))
    }

    fn overwrite<S: BuildHasher>(
        &mut self,
        store: &Inner<K, V, S>,
        mut slot: OccupiedEntry<'_, Slot<K, V>>,
        garbage: &mut Garbage<K, V>,
    ) -> Attempt<K, V> {
        let versions = &mut slot.get_mut().versions;
        store.make_room(versions);
        let (older, live) = versions.newest();
        let population = if live.is_some() { Population::Stays } else { Population::Grows };
        let mut turn = match store.enter(self.record.as_ref(), population) {
            Ok(turn) => turn,
            Err(refusal) => {
                versions.collapse();
                return no_turn(&mut self.change, refusal);
            }
        };
        let hides = turn.hides(older);
        turn.append((!hides).then_some(self.hash));
        let entry = take_draft(&mut self.change).seal(turn.revision(), live);
        let effect = self.effect_of_put(&entry);
        if let Some(hidden) = versions.install(Node::live(entry), hides) {
            *garbage = Garbage::Version(hidden);
        }
        settled(effect, Some(turn.publish()))
    }

    fn delete<S: BuildHasher>(
        &mut self,
        store: &Inner<K, V, S>,
        mut slot: OccupiedEntry<'_, Slot<K, V>>,
        garbage: &mut Garbage<K, V>,
    ) -> Attempt<K, V> {
        let versions = &mut slot.get_mut().versions;
        store.make_room(versions);
        let (older, live) = versions.newest();
        let previous = live.expect("only what exists is deleted").clone();
        let mut turn = match store.enter(self.record.as_ref(), Population::Shrinks) {
            Ok(turn) => turn,
            Err(refusal) => {
                versions.collapse();
                return no_turn(&mut self.change, refusal);
            }
        };
        let revision = turn.revision();
        if store.keeps_versions() {
            // The tombstone itself goes once it is shown, whatever it hides.
            let hides = turn.hides(older);
            turn.append(Some(self.hash));
            if let Some(hidden) = versions.install(Node::deleted(revision), hides) {
                *garbage = Garbage::Version(hidden);
            }
        } else {
            turn.append(None);
            *garbage = Garbage::Slot(slot.remove().0);
        }
        settled(Effect::Deleted(Deleted { revision, previous }), Some(turn.publish()))
    }

    fn effect_of_put(&self, entry: &Versioned<V>) -> Effect<V> {
        Effect::Put(Written::of(entry), self.wants_entry.then(|| entry.clone()))
    }

    fn conflict(
        &mut self,
        identity: Identity,
        current: Option<Versioned<V>>,
        newest: Option<Revision>,
    ) -> Attempt<K, V> {
        let key = self.name.take().expect(UNSETTLED).into_key();
        let rejected = self.change.take().expect(UNSETTLED).into_rejected();
        let conflict = Conflict::new(identity, key, self.precondition, current, rejected);
        Attempt::Settled(Settled { outcome: Err(WriteError::Conflict(conflict)), rests_on: newest })
    }
}

/// What the part under the lock came to.
enum Decision<K, V> {
    Attempt(Attempt<K, V>),
    Conflict {
        current: Option<Versioned<V>>,
        /// The newest commit on the key, if any is remembered.
        newest: Option<Revision>,
    },
    /// Making a key owned is the key type's code, so it happens under no lock.
    NeedsOwnedKey,
}

/// What a write took out of the table, to be dropped under no lock. It is never read.
#[allow(dead_code)]
enum Garbage<K, V> {
    Nothing,
    Version(Versioned<V>),
    Slot(Slot<K, V>),
}

fn settled<K, V>(effect: Effect<V>, rests_on: Option<Revision>) -> Attempt<K, V> {
    Attempt::Settled(Settled { outcome: Ok(effect), rests_on })
}

fn no_turn<K, V>(change: &mut Option<Change<V>>, refusal: NoTurn) -> Attempt<K, V> {
    match refusal {
        NoTurn::Room => Attempt::NoRoom,
        NoTurn::Refused(reason, rests_on) => {
            let refused = Settled::refused(reason, change.take().expect(UNSETTLED));
            Attempt::Settled(Settled { rests_on, ..refused })
        }
    }
}

fn take_draft<V>(change: &mut Option<Change<V>>) -> Draft<V> {
    match change.take() {
        Some(Change::Put(draft)) => draft,
        _ => unreachable!("only a put is installed"),
    }
}
