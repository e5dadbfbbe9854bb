//! A transaction under its locks: conditions on keys, room, turn, and the installing of all it writes.

use std::hash::BuildHasher;

use triomphe::{Arc, UniqueArc};

use crate::error::Reason;
use crate::key::AsKey;
use crate::revision::Revision;
use crate::sync::{RwLockReadGuard, RwLockWriteGuard, size};
use crate::versioned::Versioned;

use super::Inner;
use super::commit::{Commit, Committed, KeyWrite};
use super::examine::touches;
use super::map::Map;
use super::place;
use super::sequencer::{Aftermath, NoTurn, Population, State, Turn};
use super::table::{Slot, Table};
use super::window::{Change, Changes, Recent};
use super::write::Removed;

/// What an attempt under the locks came to.
pub(super) enum Installed {
    Done(Committed),
    NoRoom,
    Refused(Reason, Option<Revision>),
    /// Keys turned out to be new; what they need is to be made under no lock.
    NewKeys,
    /// Too much was committed since the ranges were looked at.
    Behind,
    /// A condition does not hold, or something was committed within a range.
    Overtaken,
}

/// The locks of a transaction, and what it takes out of the map.
pub(super) struct Locked<'a, K, V> {
    guards: Vec<Guard<'a, K, V>>,
    aftermath: Aftermath<K, V>,
    removed: Vec<Removed<K, V>>,
    /// What was taken back of the index: perhaps older keys, equal to those that were entered, that a panic left there. Below
    /// the guards, so that it is dropped after them.
    unlisted: Vec<Arc<K>>,
}

enum Guard<'a, K, V> {
    Read(RwLockReadGuard<'a, Table<K, V>>),
    Write(RwLockWriteGuard<'a, Table<K, V>>),
}

impl<K, V> Guard<'_, K, V> {
    fn table(&self) -> &Table<K, V> {
        match self {
            Self::Read(table) => table,
            Self::Write(table) => table,
        }
    }

    fn table_mut(&mut self) -> &mut Table<K, V> {
        match self {
            Self::Read(_) => unreachable!("what is written is locked for writing"),
            Self::Write(table) => table,
        }
    }
}

/// Where a write goes: the place of its shard among the guards, and of its slot in the table.
struct Place {
    guard: usize,
    bucket: Option<usize>,
}

/// So often a changed key is compared with a range inside the sequencer; twice as often each time that was too few.
const MATCHED_IN_TURN: usize = size(64, 1);

impl<K, V> Default for Locked<'_, K, V> {
    fn default() -> Self {
        Self {
            guards: Vec::new(),
            aftermath: Aftermath::default(),
            removed: Vec::new(),
            unlisted: Vec::new(),
        }
    }
}

impl<'a, K, V> Locked<'a, K, V>
where
    K: AsKey<K> + Clone + Ord,
{
    /// Locks, decides, and if it can be installs. The ranges were `checked` up to a revision.
    pub(super) fn install<S: BuildHasher>(
        &mut self,
        commit: &mut Commit<K, V>,
        store: &'a Inner<K, V, S>,
        checked: u64,
        round: u32,
    ) -> Installed {
        let map = &store.map;
        self.guards.extend(commit.shards.iter().map(|&(number, writes)| match writes {
            true => Guard::Write(map.shards.write_number(number)),
            false => Guard::Read(map.shards.read_number(number)),
        }));
        if !self.requirements_hold(commit, map) {
            return Installed::Overtaken;
        }
        if self.find_new_keys(commit, map) {
            return Installed::NewKeys;
        }
        let places = self.places(commit, map);
        let population = self.population(commit, &places);
        let limit = (MATCHED_IN_TURN << round.min(10)) / commit.ranges.max(1);
        if self.changes(commit, &places) == 0 {
            return nothing_to_write(commit, map, checked, limit);
        }
        for (write, place) in commit.writes.iter().zip(&places) {
            if let (None, Some(new_key)) = (place.bucket, &write.new_key) {
                map.index.insert(Arc::clone(new_key));
            }
        }
        let installed = self.take_turn(commit, store, &places, population, (checked, limit));
        if !matches!(installed, Installed::Done(_)) {
            self.withdraw(commit, map, &places);
        }
        installed
    }

    /// Gives the locks back. What is left to do has to be done after, and what was removed dropped then, which is
    /// somebody else's code.
    pub(super) fn unlock(self) -> (Aftermath<K, V>, Vec<Removed<K, V>>) {
        drop(self.guards);
        (self.aftermath, self.removed)
    }

    fn guard_of<S>(commit: &Commit<K, V>, map: &Map<K, V, S>, hash: u64) -> usize {
        let number = map.shards.number(hash);
        let found = commit.shards.binary_search_by_key(&number, |(number, _)| *number);
        found.expect("the shards of all keys are locked")
    }

    fn requirements_hold<S: BuildHasher>(&self, commit: &Commit<K, V>, map: &Map<K, V, S>) -> bool {
        commit.required.iter().all(|required| {
            let (key, precondition) = commit.requirement(required);
            let table = self.guards[Self::guard_of(commit, map, required.hash)].table();
            let slot = table.find(required.hash, |slot| key.is_key(&slot.key));
            let live = slot.and_then(|slot| slot.versions.newest().1);
            precondition.holds(live.map(Versioned::revision))
        })
    }

    /// Makes room in the tables for keys that are not there. Returns whether something is missing for that.
    fn find_new_keys<S: BuildHasher>(
        &mut self,
        commit: &mut Commit<K, V>,
        map: &Map<K, V, S>,
    ) -> bool {
        let mut missing = false;
        let mut new_slots = vec![0; self.guards.len()];
        for at in 0..commit.writes.len() {
            let write = &commit.writes[at];
            let guard = Self::guard_of(commit, map, write.hash);
            let is_new = !write.deletes && self.bucket(guard, write).is_none();
            new_slots[guard] += usize::from(is_new);
            missing |= is_new && write.new_key.is_none();
            commit.writes[at].is_new = is_new;
        }
        if missing {
            return true;
        }
        for (guard, slots) in self.guards.iter_mut().zip(new_slots) {
            if slots > 0 {
                guard.table_mut().make_room(slots);
            }
        }
        false
    }

    fn bucket(&self, guard: usize, write: &KeyWrite<K, V>) -> Option<usize> {
        let table = self.guards[guard].table();
        table.find_bucket(write.hash, |slot| write.key.is_key(&slot.key))
    }

    /// Where everything goes, which nothing moves from now on; and room for superseded versions where it is likely to be
    /// needed.
    fn places<S: BuildHasher>(&mut self, commit: &Commit<K, V>, map: &Map<K, V, S>) -> Vec<Place> {
        let places: Vec<_> = commit
            .writes
            .iter()
            .map(|write| {
                let guard = Self::guard_of(commit, map, write.hash);
                Place { guard, bucket: self.bucket(guard, write) }
            })
            .collect();
        if map.sequencer.expects_to_keep() {
            self.make_room(commit, &places);
        }
        places
    }

    fn slot(&self, place: &Place) -> Option<&Slot<K, V>> {
        self.guards[place.guard].table().bucket(place.bucket?)
    }

    fn slot_mut(&mut self, place: &Place) -> Option<&mut Slot<K, V>> {
        self.guards[place.guard].table_mut().bucket_mut(place.bucket?)
    }

    fn is_live(&self, place: &Place) -> bool {
        self.slot(place).is_some_and(|slot| slot.versions.newest().1.is_some())
    }

    fn population(&self, commit: &Commit<K, V>, places: &[Place]) -> Population {
        let mut population = Population::default();
        for (write, place) in commit.writes.iter().zip(places) {
            match (write.deletes, self.is_live(place)) {
                (true, true) => population.deleted += 1,
                (false, false) => population.created += 1,
                (true, false) | (false, true) => {}
            }
        }
        population
    }

    /// How many keys change: not those that are to be deleted and do not exist.
    fn changes(&self, commit: &Commit<K, V>, places: &[Place]) -> usize {
        let changes = commit.writes.iter().zip(places);
        changes.filter(|(write, place)| !write.deletes || self.is_live(place)).count()
    }

    fn take_turn<S: BuildHasher>(
        &mut self,
        commit: &mut Commit<K, V>,
        store: &'a Inner<K, V, S>,
        places: &[Place],
        population: Population,
        (checked, limit): (u64, usize),
    ) -> Installed {
        let count = self.changes(commit, places);
        let changes = UniqueArc::new(Vec::with_capacity(count));
        self.removed.reserve(usize::try_from(population.deleted).expect("they are in memory"));
        let mut aftermath = Aftermath::default();
        let installed = loop {
            match store.enter(commit.record.as_ref(), population, count, &mut aftermath) {
                Ok(turn) => {
                    let visible = turn.revision().get() - 1;
                    if let Err(late) = still_hold(commit, turn.state(), (checked, visible), limit) {
                        break late;
                    }
                    if self.has_room(commit, places, &turn) {
                        let revision =
                            self.write_all(&mut commit.writes, places, turn, changes, &store.map);
                        break Installed::Done(Committed { revision, wrote: true });
                    }
                }
                Err(NoTurn::Room) => break Installed::NoRoom,
                Err(NoTurn::Refused(reason, rests_on)) => {
                    break Installed::Refused(reason, rests_on);
                }
            }
            // A snapshot was taken just now.
            self.make_room(commit, places);
        };
        self.aftermath = aftermath;
        installed
    }

    fn has_room(&self, commit: &Commit<K, V>, places: &[Place], turn: &Turn<'_, K, V>) -> bool {
        commit.writes.iter().zip(places).all(|(write, place)| match self.slot(place) {
            None => true,
            Some(Slot { versions, .. }) if !write.deletes => place::can_put(turn, versions),
            Some(Slot { versions, .. }) => {
                versions.newest().1.is_none()
                    || place::leaves_nothing(turn, versions)
                    || place::can_bury(turn, versions)
            }
        })
    }

    fn make_room(&mut self, commit: &Commit<K, V>, places: &[Place]) {
        for (write, place) in commit.writes.iter().zip(places) {
            if let Some(slot) = self.slot_mut(place)
                && !(write.deletes && slot.versions.newest().1.is_none())
            {
                slot.versions.make_room();
            }
        }
    }

    /// The turn itself: nothing here fails.
    fn write_all<S>(
        &mut self,
        writes: &mut [KeyWrite<K, V>],
        places: &[Place],
        mut turn: Turn<'_, K, V>,
        mut changes: UniqueArc<Vec<Change<K, V>>>,
        map: &Map<K, V, S>,
    ) -> Revision {
        turn.append();
        for (write, place) in writes.iter_mut().zip(places) {
            let guard = &mut self.guards[place.guard];
            changes.extend(write_one(write, place.bucket, guard, &mut turn, &mut self.removed));
        }
        let changes = match changes.len() {
            1 => Changes::One(changes.pop().expect("there is one")),
            _ => Changes::Many(changes.shareable()),
        };
        let revision = turn.publish(changes);
        for (slot, indexed) in &mut self.removed {
            *indexed = map.unlist(&slot.key);
        }
        revision
    }

    /// Takes back what was made ready.
    fn withdraw<S>(&mut self, commit: &Commit<K, V>, map: &Map<K, V, S>, places: &[Place]) {
        for (write, place) in commit.writes.iter().zip(places) {
            match (self.slot_mut(place), &write.new_key) {
                (Some(slot), _) => slot.versions.collapse(),
                (None, Some(new_key)) => self.unlisted.extend(map.index.remove(new_key)),
                (None, None) => {}
            }
        }
    }
}

fn write_one<K, V>(
    write: &mut KeyWrite<K, V>,
    bucket: Option<usize>,
    guard: &mut Guard<'_, K, V>,
    turn: &mut Turn<'_, K, V>,
    removed: &mut Vec<Removed<K, V>>,
) -> Option<Change<K, V>> {
    let table = guard.table_mut();
    let Some(bucket) = bucket else {
        let draft = write.draft.take()?;
        let key = write.new_key.take().expect("it was made before the turn");
        let (change, versions) = place::create(turn, &key, draft);
        table.insert(write.hash, key, versions);
        return Some(change);
    };
    let slot = table.bucket_mut(bucket).expect("nothing moves within a turn");
    let Slot { key, versions } = slot;
    if let Some(draft) = write.draft.take() {
        return Some(place::put(turn, write.hash, key, versions, draft));
    }
    let newest = versions.newest().1?.clone();
    if !place::leaves_nothing(turn, versions) {
        return Some(place::bury(turn, write.hash, key, versions));
    }
    let change = place::forget(turn, key, &newest);
    removed.push((table.take_bucket(bucket).expect("nothing moves within a turn"), None));
    Some(change)
}

/// Whether conditions on ranges, which held at `checked`, hold at `visible`.
fn still_hold<K: Ord, V>(
    commit: &Commit<K, V>,
    state: &State<K, V>,
    (checked, visible): (u64, u64),
    limit: usize,
) -> Result<(), Installed> {
    if commit.ranges == 0 || checked == visible {
        return Ok(());
    }
    let commits = state.window.after(checked, visible).map_err(|_| Installed::Overtaken)?;
    if commits.len() > limit {
        return Err(Installed::Behind);
    }
    let mut matched = 0;
    for change in commits.flat_map(Recent::changes) {
        matched += 1;
        if matched > limit {
            return Err(Installed::Behind);
        }
        if touches(&commit.requirements, change) {
            return Err(Installed::Overtaken);
        }
    }
    Ok(())
}

/// All that was to be deleted does not exist: the commit takes no revision.
fn nothing_to_write<K: Ord, V, S>(
    commit: &Commit<K, V>,
    map: &Map<K, V, S>,
    checked: u64,
    limit: usize,
) -> Installed {
    let state = map.sequencer.lock();
    let visible = map.sequencer.visible();
    match still_hold(commit, &state, (checked, visible), limit) {
        Ok(()) => Installed::Done(Committed { revision: super::stored(visible), wrote: false }),
        Err(late) => late,
    }
}
