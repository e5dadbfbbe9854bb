//! The commit path of one write: prepare, attempt, settle.
//!
//! A [`Write`] is prepared under no lock, then attempted. An attempt locks the key's shard, checks the precondition
//! against the newest version, makes room, takes its turn in the sequencer and installs; it never waits. What it
//! gives is [`Settled`]: an outcome, and the revision that has to be durable before anybody is told of it.

use std::hash::BuildHasher;

use hashbrown::hash_table::OccupiedEntry;
use triomphe::Arc;

use crate::conflict::Conflict;
use crate::error::{LogFailure, OutcomeUnknown, Reason, Refused, WriteError};
use crate::identity::Identity;
use crate::key::AsKey;
use crate::log::Record;
use crate::precondition::Precondition;
use crate::revision::Revision;
use crate::versioned::{Draft, Versioned};

use super::Inner;
use super::place;
use super::sequencer::{Aftermath, NoTurn, Population};
use super::settle::{self, Operation, Outcome};
use super::table::{Slot, Table};
use super::window::{self, Changes};
use super::written::{Deleted, Written};

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

pub(crate) type Settled<K, V> = settle::Settled<Result<Effect<V>, WriteError<K, V>>>;

fn refused<K, V>(reason: Reason, change: Change<V>) -> Settled<K, V> {
    let refused = Refused::new(reason, change.into_rejected());
    Settled { outcome: Err(WriteError::Refused(refused)), rests_on: None }
}

impl<K, V> Outcome for Result<Effect<V>, WriteError<K, V>> {
    fn after_failure(self, failure: LogFailure) -> Self {
        let rejected = match self {
            Ok(
                Effect::Put(Written { revision, .. }, _)
                | Effect::Deleted(Deleted { revision, .. }),
            ) => {
                return Err(WriteError::OutcomeUnknown(OutcomeUnknown::new(
                    Some(revision),
                    failure,
                )));
            }
            Ok(Effect::Nothing) => None,
            Err(error) => error.into_rejected(),
        };
        Err(WriteError::Refused(Refused::new(Reason::Poisoned(failure), rejected)))
    }
}

type Attempt<K, V> = settle::Attempt<Result<Effect<V>, WriteError<K, V>>>;

/// A key in whatever form the caller had it, until an owned one is needed.
enum Name<K, Q> {
    Given(Q),
    Owned(K),
    /// Ready to become a key of the map.
    New(Arc<K>),
}

impl<K: AsKey<K> + Clone, Q: AsKey<K>> Name<K, Q> {
    fn names(&self, key: &K) -> bool {
        match self {
            Self::Given(given) => given.is_key(key),
            Self::Owned(owned) => owned.is_key(key),
            Self::New(new) => new.is_key(key),
        }
    }

    fn into_key(self) -> K {
        match self {
            Self::Given(given) => given.into_key(),
            Self::Owned(owned) => owned,
            Self::New(new) => Arc::unwrap_or_clone(new),
        }
    }

    fn into_new(self) -> Self {
        Self::New(Arc::new(self.into_key()))
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
    K: AsKey<K> + Clone + Ord,
    Q: AsKey<K>,
{
    /// Prepares a write: hashes, and for a log encodes and checks its size. If it cannot be, it is settled already.
    pub(super) fn prepare<S: BuildHasher>(
        store: &Inner<K, V, S>,
        key: Q,
        change: Change<V>,
        precondition: Precondition,
    ) -> Result<Self, Settled<K, V>> {
        let hash = store.map.shards.hash(&key);
        let (name, record) = match &store.journal {
            None => (Name::Given(key), None),
            Some(journal) => {
                let key = key.into_key();
                let value = match &change {
                    Change::Put(draft) => Some(draft.value()),
                    Change::Delete => None,
                };
                match journal.encode(&mut std::iter::once((&key, value))) {
                    Ok(record) => (Name::Owned(key), Some(record)),
                    Err(reason) => return Err(refused(reason, change)),
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

    /// The part of an attempt under the shard's lock. No user code but the key's `Eq` and `Ord` runs here.
    fn decide<S: BuildHasher>(
        &mut self,
        store: &Inner<K, V, S>,
        garbage: &mut Garbage<K, V>,
    ) -> Decision<K, V> {
        let name = self.name.as_ref().expect(UNSETTLED);
        let deletes = matches!(self.change, Some(Change::Delete));
        let mut table = store.map.shards.write(self.hash);
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
            Err(_) => match name {
                Name::New(key) => {
                    let key = Arc::clone(key);
                    Decision::Attempt(self.create(store, &mut table, key, garbage))
                }
                _ => Decision::NeedsOwnedKey,
            },
        }
    }

    fn create<S: BuildHasher>(
        &mut self,
        store: &Inner<K, V, S>,
        table: &mut Table<K, V>,
        key: Arc<K>,
        garbage: &mut Garbage<K, V>,
    ) -> Attempt<K, V> {
        let map = &store.map;
        table.make_room(1);
        map.index.insert(Arc::clone(&key));
        let population = Population { created: 1, deleted: 0 };
        let mut turn =
            match store.enter(self.record.as_ref(), population, 1, &mut garbage.aftermath) {
                Ok(turn) => turn,
                Err(refusal) => {
                    garbage.unlisted = map.index.remove(&key);
                    return no_turn(&mut self.change, refusal);
                }
            };
        turn.append();
        let (change, versions) = place::create(&turn, &key, take_draft(&mut self.change));
        let effect = self.effect_of_put(&change);
        table.insert(self.hash, key, versions);
        settled(effect, Some(turn.publish(Changes::One(change))))
    }

    fn overwrite<S: BuildHasher>(
        &mut self,
        store: &Inner<K, V, S>,
        mut slot: OccupiedEntry<'_, Slot<K, V>>,
        garbage: &mut Garbage<K, V>,
    ) -> Attempt<K, V> {
        let Slot { key, versions } = slot.get_mut();
        let created = u64::from(versions.newest().1.is_none());
        let population = Population { created, deleted: 0 };
        if store.map.sequencer.expects_to_keep() {
            versions.make_room();
        }
        let mut turn = loop {
            match store.enter(self.record.as_ref(), population, 1, &mut garbage.aftermath) {
                Ok(turn) if place::can_put(&turn, versions) => break turn,
                // A snapshot was taken just now.
                Ok(turn) => {
                    drop(turn);
                    versions.make_room();
                }
                Err(refusal) => {
                    versions.collapse();
                    return no_turn(&mut self.change, refusal);
                }
            }
        };
        turn.append();
        let draft = take_draft(&mut self.change);
        let change = place::put(&mut turn, self.hash, key, versions, draft);
        let effect = self.effect_of_put(&change);
        settled(effect, Some(turn.publish(Changes::One(change))))
    }

    fn delete<S: BuildHasher>(
        &mut self,
        store: &Inner<K, V, S>,
        mut slot: OccupiedEntry<'_, Slot<K, V>>,
        garbage: &mut Garbage<K, V>,
    ) -> Attempt<K, V> {
        let Slot { key, versions } = slot.get_mut();
        let previous = versions.newest().1.expect("only what exists is deleted").clone();
        let population = Population { created: 0, deleted: 1 };
        if store.map.sequencer.expects_to_keep() {
            versions.make_room();
        }
        let mut turn = loop {
            match store.enter(self.record.as_ref(), population, 1, &mut garbage.aftermath) {
                Ok(turn) if place::leaves_nothing(&turn, versions) => break turn,
                Ok(turn) if place::can_bury(&turn, versions) => break turn,
                Ok(turn) => {
                    drop(turn);
                    versions.make_room();
                }
                Err(refusal) => {
                    versions.collapse();
                    return no_turn(&mut self.change, refusal);
                }
            }
        };
        let revision = turn.revision();
        turn.append();
        let effect = Effect::Deleted(Deleted::new(revision, previous.clone()));
        if place::leaves_nothing(&turn, versions) {
            let change = place::forget(&mut turn, key, &previous);
            let revision = turn.publish(Changes::One(change));
            let slot = slot.remove().0;
            let indexed = store.map.unlist(&slot.key);
            garbage.slot = Some((slot, indexed));
            return settled(effect, Some(revision));
        }
        let change = place::bury(&mut turn, self.hash, key, versions);
        settled(effect, Some(turn.publish(Changes::One(change))))
    }

    fn effect_of_put(&self, change: &window::Change<K, V>) -> Effect<V> {
        let entry = change.entry.as_ref().expect("a put has an entry");
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

impl<K, V, Q> Operation<K, V> for Write<K, V, Q>
where
    K: AsKey<K> + Clone + Ord,
    Q: AsKey<K>,
{
    type Outcome = Result<Effect<V>, WriteError<K, V>>;

    fn attempt<S: BuildHasher>(&mut self, store: &Inner<K, V, S>) -> Attempt<K, V> {
        loop {
            let mut garbage = Garbage::default();
            let decision = self.decide(store, &mut garbage);
            store.map.settle(&mut garbage.aftermath);
            drop((garbage.slot, garbage.unlisted));
            match decision {
                Decision::Attempt(attempt) => return attempt,
                Decision::Conflict { current, newest } => {
                    return self.conflict(store.identity, current, newest);
                }
                Decision::NeedsOwnedKey => {
                    self.name = self.name.take().map(Name::into_new);
                }
            }
        }
    }

    fn record_len(&self) -> usize {
        self.record.as_ref().map_or(0, |record| record.payload().len())
    }

    fn refuse(&mut self, reason: Reason) -> Settled<K, V> {
        refused(reason, self.change.take().expect(UNSETTLED))
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

/// What a write took out of the table, and what is to be done after it, under no lock.
struct Garbage<K, V> {
    aftermath: Aftermath<K, V>,
    /// It is never read, only dropped.
    slot: Option<Removed<K, V>>,
    /// What was taken back of the index: perhaps an older key, equal to the one that was entered, that a panic left there.
    unlisted: Option<Arc<K>>,
}

/// A slot that was taken out of the map, and its key, of the index.
pub(super) type Removed<K, V> = (Slot<K, V>, Option<Arc<K>>);

impl<K, V> Default for Garbage<K, V> {
    fn default() -> Self {
        Self { aftermath: Aftermath::default(), slot: None, unlisted: None }
    }
}

fn settled<K, V>(effect: Effect<V>, rests_on: Option<Revision>) -> Attempt<K, V> {
    Attempt::Settled(Settled { outcome: Ok(effect), rests_on })
}

fn no_turn<K, V>(change: &mut Option<Change<V>>, refusal: NoTurn) -> Attempt<K, V> {
    match refusal {
        NoTurn::Room => Attempt::NoRoom,
        NoTurn::Refused(reason, rests_on) => {
            let refused = refused(reason, change.take().expect(UNSETTLED));
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
