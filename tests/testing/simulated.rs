//! Histories of a store that works, made up: one after the other, at random moments between call and return. It is the
//! checker's other half, and so knows nothing of its model.

use std::collections::BTreeMap;
use std::ops::Bound;

use ifmatch::testing::{Call, Entry, Failing, RangeRead, StoreOperation, StoreOutcome};
use ifmatch::{KeyRange, Precondition, Requirement, Revision};

use crate::common::Random;

pub(crate) type Asked = StoreOperation<u8, u64>;
pub(crate) type Told = StoreOutcome<u8, u64>;
pub(crate) type OneCall = Call<Asked, Told>;

pub(crate) fn revision(number: u64) -> Revision {
    Revision::try_from(number).unwrap()
}

/// One commit, and who made it when.
pub(crate) struct Made {
    pub(crate) revision: u64,
    /// All that it changed.
    pub(crate) changes: Vec<(u8, Option<Entry<u64>>)>,
    pub(crate) called: u64,
    pub(crate) returned: u64,
}

/// A history, and the truth about it.
#[derive(Default)]
pub(crate) struct Simulated {
    pub(crate) calls: Vec<OneCall>,
    pub(crate) commits: Vec<Made>,
    pub(crate) entries: BTreeMap<u8, Entry<u64>>,
    changed: BTreeMap<u8, u64>,
    pub(crate) newest: u64,
    values: u64,
}

pub(crate) const KEYS: u8 = 3;

/// So much time is between two moments at which something takes place.
const BEAT: u64 = 10;

impl Simulated {
    /// So many calls of three clients; some of them stay open, if they may.
    pub(crate) fn new(random: &mut Random, calls: u64, may_stay_open: bool) -> Self {
        let mut made = Self { newest: 1, ..Self::default() };
        let mut free = [0; 4];
        for number in 1..=calls {
            let moment = number * BEAT;
            let client = usize::try_from(random.below(3)).unwrap();
            let client = if free[client] <= moment { client } else { 3 };
            let earliest = free[client].max(moment.saturating_sub(35));
            if earliest > moment {
                continue;
            }
            let called = earliest + random.below(moment - earliest + 1);
            let returned = moment + random.below(35);
            free[client] = returned + 1;
            let asked = made.some_operation(random);
            let stays_open = may_stay_open && random.one_in(12);
            if stays_open && random.one_in(2) {
                made.push(client, asked, called, None);
                continue;
            }
            let until = if stays_open { u64::MAX } else { returned };
            let told = made.perform(random, &asked, (called, until));
            let asked = if stays_open { amended(asked, &told) } else { asked };
            made.push(client, asked, called, (!stays_open).then_some((returned, told)));
        }
        made
    }

    fn push(&mut self, client: usize, operation: Asked, called: u64, told: Option<(u64, Told)>) {
        let client = u32::try_from(client).unwrap();
        let (returned, outcome) = told.unzip();
        self.calls.push(Call { client, operation, called, returned, outcome });
    }

    /// After everything.
    pub(crate) fn end(&self) -> u64 {
        let ends = self.calls.iter().map(|call| call.returned.unwrap_or(call.called));
        ends.max().unwrap_or(0) + BEAT
    }

    pub(crate) fn value(&mut self) -> u64 {
        self.values += 1;
        self.values
    }

    fn some_operation(&mut self, random: &mut Random) -> Asked {
        let key = u8::try_from(random.below(u64::from(KEYS))).unwrap();
        let precondition = self.some_precondition(random, key);
        match random.below(20) {
            0..=4 => Asked::Get(key),
            5..=9 => Asked::Put { key, value: self.value(), precondition },
            10 | 11 => Asked::Delete { key, precondition },
            12 => Asked::Update(key),
            13..=15 => {
                let requirement = match random.below(3) {
                    0 => Requirement::Key(key, precondition),
                    1 => Requirement::NoneIn(some_range(random)),
                    _ => {
                        let since = 1 + random.below(self.newest);
                        Requirement::UnchangedIn(some_range(random), revision(since))
                    }
                };
                let requirements = if random.one_in(3) { Vec::new() } else { vec![requirement] };
                Asked::Commit { requirements, changes: self.some_changes(random) }
            }
            16 => Asked::Transact,
            17 | 18 => Asked::Scan(some_range(random)),
            _ => Asked::Revision,
        }
    }

    fn some_precondition(&self, random: &mut Random, key: u8) -> Precondition {
        let current = self.entries.get(&key).map(|entry| entry.revision);
        match random.below(6) {
            0 => Precondition::Any,
            1 => Precondition::Absent,
            2 => Precondition::Present,
            3 => revision(1 + random.below(self.newest + 2)).into(),
            _ => current.map_or(Precondition::Absent, Precondition::Revision),
        }
    }

    fn some_changes(&mut self, random: &mut Random) -> Vec<(u8, Option<u64>)> {
        let keys = (0..KEYS).filter(|_| random.one_in(2)).collect::<Vec<_>>();
        keys.into_iter().map(|key| (key, (!random.one_in(4)).then(|| self.value()))).collect()
    }

    fn holds(&self, key: u8, precondition: Precondition) -> bool {
        precondition.holds(self.entries.get(&key).map(|entry| entry.revision))
    }

    pub(crate) fn within(&self, range: &KeyRange<u8>) -> Vec<(u8, Entry<u64>)> {
        let entries = self.entries.iter().filter(|(key, _)| range.contains(key));
        entries.map(|(key, entry)| (*key, entry.clone())).collect()
    }

    /// Commits, and returns the revision; without an effect the newest.
    pub(crate) fn commit(
        &mut self,
        random: &mut Random,
        changes: &[(u8, Option<u64>)],
        (called, returned): (u64, u64),
    ) -> u64 {
        let next = self.newest + 1 + random.below(3);
        let mut done = Vec::new();
        for (key, value) in changes {
            let before = self.entries.remove(key);
            if value.is_none() && before.is_none() {
                continue;
            }
            let entry = value.map(|value| match before {
                None => entry(next, next, 1, value),
                Some(before) => Entry {
                    revision: revision(next),
                    write_count: before.write_count + 1,
                    value,
                    ..before
                },
            });
            self.entries.extend(entry.clone().map(|entry| (*key, entry)));
            self.changed.insert(*key, next);
            done.push((*key, entry));
        }
        if !done.is_empty() {
            self.newest = next;
            self.commits.push(Made { revision: next, changes: done, called, returned });
        }
        self.newest
    }

    fn failing(&self, index: usize, key: u8, blockers: usize) -> Failing<u8, u64> {
        Failing { index, key, current: self.entries.get(&key).cloned(), blockers }
    }

    fn judge(&self, index: usize, requirement: &Requirement<u8>) -> Option<Failing<u8, u64>> {
        match requirement {
            Requirement::Key(key, precondition) => {
                (!self.holds(*key, *precondition)).then(|| self.failing(index, *key, 0))
            }
            Requirement::NoneIn(range) => {
                let within = self.within(range);
                within.first().map(|(key, _)| self.failing(index, *key, within.len()))
            }
            Requirement::UnchangedIn(range, since) => {
                let mut changed = self.changed.iter();
                let changed = changed.find(|(key, at)| range.contains(key) && **at > since.get());
                changed.map(|(key, _)| self.failing(index, *key, 0))
            }
        }
    }

    fn perform(&mut self, random: &mut Random, asked: &Asked, time: (u64, u64)) -> Told {
        match asked {
            Asked::Get(key) => Told::Read(self.entries.get(key).cloned()),
            Asked::Put { key, precondition, .. } | Asked::Delete { key, precondition }
                if !self.holds(*key, *precondition) =>
            {
                Told::Conflicts(vec![self.failing(0, *key, 0)])
            }
            Asked::Put { key, value, .. } => {
                let at = self.commit(random, &[(*key, Some(*value))], time);
                let entry = &self.entries[key];
                let tells = random.one_in(2);
                Told::Written {
                    revision: revision(at),
                    created_revision: tells.then_some(entry.created_revision),
                    write_count: tells.then_some(entry.write_count),
                }
            }
            Asked::Delete { key, .. } => {
                let previous = self.entries.get(key).cloned();
                let at = self.commit(random, &[(*key, None)], time);
                Told::Deleted(previous.map(|previous| (revision(at), previous)))
            }
            Asked::Update(key) => {
                let read = self.entries.get(key).map(|entry| entry.value);
                let value = self.value();
                let at = self.commit(random, &[(*key, Some(value))], time);
                Told::Updated { read, value, revision: revision(at) }
            }
            Asked::Commit { requirements, changes } => {
                let judged = requirements.iter().enumerate();
                let failing: Vec<_> =
                    judged.filter_map(|(index, required)| self.judge(index, required)).collect();
                if failing.is_empty() {
                    Told::Committed(revision(self.commit(random, changes, time)))
                } else {
                    Told::Conflicts(failing)
                }
            }
            Asked::Transact => {
                let range = some_range(random);
                let entries = self.within(&range);
                let changes = self.some_changes(random);
                let revision = revision(self.commit(random, &changes, time));
                Told::Transacted { reads: vec![RangeRead { range, entries }], changes, revision }
            }
            Asked::Scan(range) => {
                let revision = random.one_in(2).then(|| revision(self.newest));
                Told::Scanned { revision, entries: self.within(range) }
            }
            _ => Told::Revision(revision(self.newest)),
        }
    }

    /// Adds what a watch of everything was told.
    pub(crate) fn watch_all(&mut self, random: &mut Random) {
        let (mut since, mut calls) = (revision(1), Vec::new());
        for made in &self.commits {
            let told =
                Told::Watched { revision: revision(made.revision), changes: made.changes.clone() };
            let asked = Asked::Watch { range: KeyRange::all(), since };
            calls.push((asked, made.returned.min(self.end()) + random.below(100), told));
            since = revision(made.revision);
        }
        calls.into_iter().for_each(|(asked, at, told)| self.push(9, asked, 0, Some((at, told))));
    }
}

/// What is asked by a closure is known when it has run, as a recorder knows it.
fn amended(asked: Asked, told: &Told) -> Asked {
    match (asked, told) {
        (Asked::Update(key), Told::Updated { value, .. }) => {
            Asked::Put { key, value: *value, precondition: Precondition::Any }
        }
        (Asked::Transact, Told::Transacted { changes, .. }) => {
            Asked::Commit { requirements: Vec::new(), changes: changes.clone() }
        }
        (asked, _) => asked,
    }
}

pub(crate) fn entry(at: u64, created: u64, write_count: u64, value: u64) -> Entry<u64> {
    Entry { revision: revision(at), created_revision: revision(created), write_count, value }
}

fn some_range(random: &mut Random) -> KeyRange<u8> {
    let mut bound = || match random.below(3) {
        0 => Bound::Unbounded,
        1 => Bound::Included(u8::try_from(random.below(u64::from(KEYS))).unwrap()),
        _ => Bound::Excluded(u8::try_from(random.below(u64::from(KEYS))).unwrap()),
    };
    KeyRange::new(bound(), bound())
}
