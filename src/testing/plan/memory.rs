//! What one client knows of revisions.

use std::collections::BTreeMap;

use super::{Expect, PlannedRequirement, PlannedTxn};
use crate::commit_error::CommitError;
use crate::conflict::Conflict;
use crate::error::WriteError;
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::store::Deleted;
use crate::txn::Txn;

#[derive(Clone, Debug)]
pub(super) struct Memory<K> {
    keys: BTreeMap<K, Seen>,
    /// The newest revision that it was told.
    newest: Revision,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// `None`: it was not there.
    last: Option<Revision>,
    /// The one before.
    stale: Revision,
}

impl<K> Memory<K> {
    pub(super) fn new() -> Self {
        Self { keys: BTreeMap::new(), newest: Revision::MIN }
    }

    pub(super) fn hear(&mut self, revision: Revision) {
        self.newest = self.newest.max(revision);
    }
}

impl<K: Ord + Clone> Memory<K> {
    pub(super) fn see(&mut self, key: &K, revision: Option<Revision>) {
        let nothing = Seen { last: None, stale: Revision::MIN };
        let seen = self.keys.entry(key.clone()).or_insert(nothing);
        if let Some(before) = seen.last.filter(|before| Some(*before) != revision) {
            seen.stale = before;
        }
        seen.last = revision;
        if let Some(revision) = revision {
            self.hear(revision);
        }
    }

    /// What was in a range: what it knows there, and was not found, is gone.
    pub(super) fn see_range(&mut self, range: &KeyRange<K>, found: &[(K, Revision)]) {
        let known: Vec<_> = self.keys.keys().filter(|key| range.contains(key)).cloned().collect();
        let is_found = |key: &K| found.iter().any(|(found, _)| found == key);
        known.iter().filter(|key| !is_found(key)).for_each(|key| self.see(key, None));
        found.iter().for_each(|(key, revision)| self.see(key, Some(*revision)));
    }

    pub(super) fn see_conflicts<V>(&mut self, conflicts: &[Conflict<K, V>]) {
        conflicts.iter().for_each(|conflict| self.see(conflict.key(), conflict.revision()));
    }

    /// What it wrote at this revision.
    pub(super) fn see_changes<V>(&mut self, changes: &[(K, Option<V>)], revision: Revision) {
        self.hear(revision);
        changes.iter().for_each(|(key, value)| self.see(key, value.is_some().then_some(revision)));
    }

    /// What is at the key now, for all that this client was told.
    pub(super) fn written<V>(&mut self, key: &K, told: Result<Option<Revision>, WriteError<K, V>>) {
        match told {
            Ok(revision) => self.see(key, revision),
            Err(WriteError::Conflict(conflict)) => {
                self.see_conflicts(std::slice::from_ref(&conflict));
            }
            Err(_) => {}
        }
    }

    /// As [`written`](Self::written), of a delete, which tells what was there.
    pub(super) fn deleted<V>(
        &mut self,
        key: &K,
        told: Result<Option<Deleted<V>>, WriteError<K, V>>,
    ) {
        if let Ok(Some(deleted)) = &told {
            self.see(key, Some(deleted.previous().revision()));
            self.hear(deleted.revision());
        }
        self.written(key, told.map(|_| None));
    }

    pub(super) fn committed<V>(
        &mut self,
        changes: &[(K, Option<V>)],
        told: Result<Revision, CommitError<K, V>>,
    ) {
        match told {
            Ok(revision) => self.see_changes(changes, revision),
            Err(error) => self.see_conflicts(error.conflicts()),
        }
    }

    pub(super) fn precondition(&self, key: &K, expect: Expect) -> Precondition {
        let seen = self.keys.get(key);
        match expect {
            Expect::Any => Precondition::Any,
            Expect::Absent => Precondition::Absent,
            Expect::Present => Precondition::Present,
            Expect::Seen => {
                seen.and_then(|seen| seen.last).map_or(Precondition::Absent, Precondition::Revision)
            }
            Expect::Stale => Precondition::Revision(seen.map_or(Revision::MIN, |seen| seen.stale)),
            Expect::Future => Precondition::Revision(self.newest.next().unwrap_or(Revision::MAX)),
        }
    }
}

impl<K: Ord + Clone + std::hash::Hash> Memory<K> {
    pub(super) fn txn<V: Clone>(&self, planned: &PlannedTxn<K, V>) -> Txn<K, V> {
        let PlannedTxn { requirements, changes } = planned;
        let txn = requirements.iter().fold(Txn::new(), |txn, requirement| match requirement {
            PlannedRequirement::Key(key, expect) => {
                txn.require(key.clone(), self.precondition(key, *expect))
            }
            PlannedRequirement::NoneIn(range) => txn.require_none_in(range),
            PlannedRequirement::UnchangedIn(range) => txn.require_unchanged_in(range, self.newest),
        });
        changes.iter().fold(txn, |txn, (key, value)| match value {
            Some(value) => txn.put(key.clone(), value.clone()),
            None => txn.delete(key.clone()),
        })
    }

    /// Writes this, if the range is as it was at this revision.
    pub(super) fn txn_since<V: Clone>(
        &self,
        reads: &[(KeyRange<K>, Revision)],
        changes: &[(K, Option<V>)],
    ) -> Txn<K, V> {
        let nothing = PlannedTxn { requirements: Vec::new(), changes: changes.to_vec() };
        reads
            .iter()
            .fold(self.txn(&nothing), |txn, (range, at)| txn.require_unchanged_in(range, *at))
    }
}
