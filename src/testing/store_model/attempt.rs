//! Whether a store in some state can answer a call as it was told.

use std::hash::Hash;

use smallvec::SmallVec;

use super::operation::{Entry, Failing, StoreOperation, StoreOutcome};
use super::revisions::{At, Revisions};
use super::state::StoreState;
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::testing::model::Step;
use crate::txn::Requirement;

/// A call that is tried in a state. What is learned of revisions by it is kept only if it turns out to be possible.
pub(super) struct Attempt<'a, K: Ord, V> {
    state: &'a mut StoreState<K, V>,
    revisions: Revisions,
}

impl<'a, K, V> Attempt<'a, K, V>
where
    K: Ord + Hash + Clone,
    V: Eq + Clone,
{
    pub(super) fn new(state: &'a mut StoreState<K, V>) -> Self {
        Self { revisions: state.revisions.clone(), state }
    }

    pub(super) fn told(
        mut self,
        operation: &StoreOperation<K, V>,
        outcome: &StoreOutcome<K, V>,
    ) -> Step {
        use StoreOperation as Asked;
        use StoreOutcome as Told;
        match (operation, outcome) {
            (Asked::Get(key), Told::Read(entry)) => {
                let is_so = self.is_entry(key, entry.as_ref());
                self.learn(is_so)
            }
            (Asked::Contains(key), Told::Contained(is_there)) => {
                let is_so = self.state.stored(key).is_some() == *is_there;
                self.learn(is_so)
            }
            (
                Asked::Put { key, value, precondition },
                Told::Written { revision, created_revision, write_count },
            ) => {
                let could = self.is_met(key, *precondition)
                    && self.would_be(key, *revision, *created_revision, *write_count);
                self.commit(could, [(key, Some(value))], Some(*revision))
            }
            (Asked::Delete { key, precondition }, Told::Deleted(None)) => {
                let is_so = self.is_met(key, *precondition) && self.state.stored(key).is_none();
                self.learn(is_so)
            }
            (Asked::Delete { key, precondition }, Told::Deleted(Some((revision, previous)))) => {
                let could = self.is_met(key, *precondition) && self.is_entry(key, Some(previous));
                self.commit(could, [(key, None)], Some(*revision))
            }
            (Asked::Update(key), Told::Updated { read, value, revision }) => {
                let found = self.state.stored(key).map(|(_, stored)| &stored.value);
                let could = found == read.as_ref();
                self.commit(could, [(key, Some(value))], Some(*revision))
            }
            (Asked::Commit { requirements, changes }, Told::Committed(revision)) => {
                let could = self.are_judged(requirements, &[]);
                self.commit(could, borrowed(changes), Some(*revision))
            }
            (Asked::Transact, Told::Transacted { reads, changes, revision }) => {
                let could = reads.iter().all(|read| self.are_entries(&read.range, &read.entries));
                self.commit(could, borrowed(changes), Some(*revision))
            }
            (
                Asked::Put { key, precondition, .. } | Asked::Delete { key, precondition },
                Told::Conflicts(failing),
            ) => {
                let is_so = match failing.as_slice() {
                    [failing] => failing.key == *key && self.fails(key, *precondition, failing),
                    _ => false,
                };
                self.learn(is_so)
            }
            (Asked::Commit { requirements, .. }, Told::Conflicts(failing)) => {
                let is_so = !failing.is_empty() && self.are_judged(requirements, failing);
                self.learn(is_so)
            }
            (Asked::Scan(range), Told::Scanned { revision, entries }) => {
                let newest = self.state.newest;
                let is_so = revision.is_none_or(|revision| self.revisions.is(newest, revision))
                    && self.are_entries(range, entries);
                self.learn(is_so)
            }
            (Asked::Watch { range, since }, Told::Watched { revision, changes }) => {
                let newest = self.state.newest;
                let is_so = self.revisions.is(newest, *revision)
                    && self.are_changes(range, *since, *revision, changes);
                self.learn(is_so)
            }
            (Asked::Len, Told::Counted { revision, keys }) => {
                let newest = self.state.newest;
                let is_so = revision.is_none_or(|revision| self.revisions.is(newest, revision))
                    && self.state.live() == *keys;
                self.learn(is_so)
            }
            (Asked::Revision, Told::Revision(revision)) => {
                let is_so = self.revisions.is(self.state.newest, *revision);
                self.learn(is_so)
            }
            (Asked::Reopen, Told::Revision(revision)) => self.reopen(*revision),
            _ => Step::Impossible,
        }
    }

    /// It took effect, if it could.
    pub(super) fn untold(mut self, operation: &StoreOperation<K, V>) -> Step {
        match operation {
            StoreOperation::Put { key, value, precondition } => {
                let could = self.is_met(key, *precondition);
                self.commit(could, [(key, Some(value))], None)
            }
            StoreOperation::Delete { key, precondition } => {
                let could = self.is_met(key, *precondition);
                self.commit(could, [(key, None)], None)
            }
            StoreOperation::Commit { requirements, changes } => {
                let could = self.are_judged(requirements, &[]);
                self.commit(could, borrowed(changes), None)
            }
            _ => Step::Unchanged,
        }
    }

    /// Ends a call that changes nothing.
    fn learn(self, is_so: bool) -> Step {
        if !is_so {
            Step::Impossible
        } else if self.state.revisions == self.revisions {
            Step::Unchanged
        } else {
            self.state.revisions = self.revisions;
            Step::Changed
        }
    }

    /// Ends a call that writes this.
    fn commit<'c>(
        mut self,
        could: bool,
        changes: impl IntoIterator<Item = (&'c K, Option<&'c V>)>,
        told: Option<Revision>,
    ) -> Step
    where
        K: 'c,
        V: 'c,
    {
        if !could {
            return Step::Impossible;
        }
        let is_effective =
            |(key, value): &(&K, Option<&V>)| value.is_some() || self.state.stored(key).is_some();
        let changes: SmallVec<[_; 1]> = changes.into_iter().filter(is_effective).collect();
        let newest = self.state.newest;
        if changes.is_empty() {
            let is_so = told.is_none_or(|revision| self.revisions.is(newest, revision));
            return self.learn(is_so);
        }
        let at = match told {
            Some(revision) if !self.is_before(newest, revision) => return Step::Impossible,
            Some(revision) => At::Known(revision),
            None => self.revisions.reveal(newest),
        };
        self.state.revisions = self.revisions;
        self.state.newest = at;
        for (key, value) in changes {
            self.state.write(key, value, at);
        }
        Step::Changed
    }

    fn reopen(mut self, revision: Revision) -> Step {
        let newest = self.state.newest;
        if newest == At::Known(revision) {
            return Step::Unchanged;
        }
        if !self.revisions.is_until(newest, revision) {
            return Step::Impossible;
        }
        self.state.revisions = self.revisions;
        self.state.newest = At::Known(revision);
        Step::Changed
    }

    fn is_before(&mut self, at: At, revision: Revision) -> bool {
        let before = Revision::try_from(revision.get() - 1);
        before.is_ok_and(|before| self.revisions.is_until(at, before))
    }

    fn is_entry(&mut self, key: &K, told: Option<&Entry<V>>) -> bool {
        let stored = self.state.stored(key);
        StoreState::<K, V>::is_entry(&mut self.revisions, stored, told)
    }

    fn are_entries(&mut self, range: &KeyRange<K>, told: &[(K, Entry<V>)]) -> bool {
        let revisions = &mut self.revisions;
        let mut told = told.iter();
        let all_told = self.state.stored_in(range).all(|(key, at, stored)| {
            told.next().is_some_and(|(told_key, entry)| {
                told_key == key
                    && StoreState::<K, V>::is_entry(revisions, Some((at, stored)), Some(entry))
            })
        });
        all_told && told.next().is_none()
    }

    /// Whether these are all changes in the range after `since`, and all of them were made at `revision`.
    fn are_changes(
        &mut self,
        range: &KeyRange<K>,
        since: Revision,
        revision: Revision,
        told: &[(K, Option<Entry<V>>)],
    ) -> bool {
        let revisions = &mut self.revisions;
        let mut told = told.iter().peekable();
        let all_told = self.state.slots_in(range).all(|(key, slot)| {
            let Some((_, entry)) = told.next_if(|(changed, _)| changed == key) else {
                return revisions.is_until(slot.changed, since);
            };
            let stored = slot.stored.as_ref().map(|stored| (slot.changed, stored));
            revisions.is(slot.changed, revision)
                && slot.before.is_none_or(|before| revisions.is_until(before, since))
                && StoreState::<K, V>::is_entry(revisions, stored, entry.as_ref())
        });
        all_told && told.next().is_none()
    }

    fn is_met(&mut self, key: &K, precondition: Precondition) -> bool {
        if precondition == Precondition::Any {
            return true;
        }
        let stored = self.state.stored(key);
        StoreState::<K, V>::holds(&mut self.revisions, stored, precondition)
    }

    /// Whether a write at `revision` would make this of the key.
    fn would_be(
        &mut self,
        key: &K,
        revision: Revision,
        created: Option<Revision>,
        write_count: Option<u64>,
    ) -> bool {
        if created.is_none() && write_count.is_none() {
            return true;
        }
        match self.state.stored(key) {
            None => {
                created.is_none_or(|created| created == revision)
                    && write_count.is_none_or(|count| count == 1)
            }
            Some((_, stored)) => {
                created.is_none_or(|created| self.revisions.is(stored.created, created))
                    && write_count.is_none_or(|count| count == stored.write_count.saturating_add(1))
            }
        }
    }

    /// Whether the precondition fails as it was told.
    fn fails(&mut self, key: &K, precondition: Precondition, told: &Failing<K, V>) -> bool {
        let current = told.current.as_ref().map(|entry| entry.revision);
        told.blockers == 0
            && !precondition.holds(current)
            && self.is_entry(key, told.current.as_ref())
    }

    /// Whether these fail as they were told, and all others hold.
    fn are_judged(&mut self, requirements: &[Requirement<K>], failing: &[Failing<K, V>]) -> bool {
        let mut failing = failing.iter().peekable();
        let as_told = requirements.iter().enumerate().all(|(index, requirement)| {
            match failing.next_if(|failing| failing.index == index) {
                None => self.is_satisfied(requirement),
                Some(told) => self.is_in_the_way(requirement, told),
            }
        });
        as_told && failing.next().is_none()
    }

    fn is_satisfied(&mut self, requirement: &Requirement<K>) -> bool {
        match requirement {
            Requirement::Key(key, precondition) => self.is_met(key, *precondition),
            Requirement::NoneIn(range) => self.state.stored_in(range).next().is_none(),
            Requirement::UnchangedIn(range, since) => {
                let revisions = &mut self.revisions;
                // What is to come is not known to be unchanged.
                revisions.is_since(self.state.newest, *since)
                    && self
                        .state
                        .slots_in(range)
                        .all(|(_, slot)| revisions.is_until(slot.changed, *since))
            }
        }
    }

    fn is_in_the_way(&mut self, requirement: &Requirement<K>, told: &Failing<K, V>) -> bool {
        match requirement {
            Requirement::Key(key, precondition) => {
                told.key == *key && self.fails(key, *precondition, told)
            }
            Requirement::NoneIn(range) => {
                range.contains(&told.key)
                    && told.current.is_some()
                    && told.blockers == self.state.stored_in(range).count()
                    && self.is_entry(&told.key, told.current.as_ref())
            }
            Requirement::UnchangedIn(range, since) => {
                range.contains(&told.key)
                    && told.blockers == 0
                    && match self.state.slot(&told.key) {
                        Some(slot) => self.revisions.is_after(slot.changed, *since),
                        None => self.state.may_be_deleted(&told.key, *since),
                    }
                    && self.is_entry(&told.key, told.current.as_ref())
            }
        }
    }
}

fn borrowed<K, V>(changes: &[(K, Option<V>)]) -> impl Iterator<Item = (&K, Option<&V>)> {
    changes.iter().map(|(key, value)| (key, value.as_ref()))
}
