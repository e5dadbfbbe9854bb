//! The conditions of a transaction, looked at without locks, at one pinned revision.

use std::hash::BuildHasher;

use crate::conflict::{Conflict, Scope};
use crate::identity::Identity;
use crate::key::AsKey;
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::sync::{Arc, size};
use crate::txn::Requirement;

use super::commit::Commit;
use super::map::Map;
use super::pin::Pin;
use super::scan;
use super::sequencer::{Sequencer, View};
use super::window::{Change, Gone, Recent};

/// What was found at a revision.
pub(super) struct Examined<K, V> {
    pub(super) at: u64,
    /// The conditions that do not hold, by index.
    pub(super) findings: Result<Vec<Conflict<K, V>>, Unknown>,
}

/// A condition that cannot be decided.
pub(super) struct Unknown {
    pub(super) index: usize,
    /// Changes are known only since this revision; `None` if the store has not come to the one asked for.
    pub(super) oldest: Option<Revision>,
    pub(super) newest: Revision,
}

/// How many of the keys that are in the way are named.
const MAX_BLOCKERS: usize = 16;

/// Commits are taken out of the window this many changes at a time, so that the sequencer is not held for long.
const CHUNK: usize = size(256, 1);

/// Looks at all conditions of `commit`, at the newest revision.
pub(super) fn examine<K, V, S>(
    map: &Arc<Map<K, V, S>>,
    identity: Identity,
    commit: &Commit<K, V>,
) -> Examined<K, V>
where
    K: AsKey<K> + Clone + Ord,
    S: BuildHasher,
{
    // What is to be written is decided on the newest state, as it will be under the locks.
    let view = if commit.writes.is_empty() { View::Tellable } else { View::Visible };
    let pin = Pin::unlimited(map, view);
    let at = pin.revision();
    let examiner = Examiner { map, identity, at };
    let mut conflicts = Vec::new();
    for (index, requirement) in commit.requirements.iter().enumerate() {
        let found = match requirement {
            Requirement::Key(key, precondition) => Ok(examiner.key(key, *precondition)),
            Requirement::NoneIn(range) => Ok(examiner.none_in(range)),
            Requirement::UnchangedIn(range, since) => examiner
                .unchanged_in(range, *since)
                .map_err(|oldest| Unknown { index, oldest, newest: super::stored(at) }),
        };
        match found {
            Ok(found) => conflicts.extend(found.map(|conflict| conflict.at_index(index))),
            Err(unknown) => return Examined { at, findings: Err(unknown) },
        }
    }
    Examined { at, findings: Ok(conflicts) }
}

struct Examiner<'a, K, V, S> {
    map: &'a Map<K, V, S>,
    identity: Identity,
    at: u64,
}

impl<K, V, S> Examiner<'_, K, V, S>
where
    K: AsKey<K> + Clone + Ord,
    S: BuildHasher,
{
    fn key(&self, key: &K, precondition: Precondition) -> Option<Conflict<K, V>> {
        let current = self.map.at(key, self.at);
        if precondition.holds(current.as_ref().map(|entry| entry.revision())) {
            return None;
        }
        Some(Conflict::new(self.identity, key.clone(), precondition, current, None))
    }

    fn none_in(&self, range: &KeyRange<K>) -> Option<Conflict<K, V>> {
        let mut blockers = Vec::new();
        let mut count = 0;
        scan::for_each(self.map, range, self.at, |key, entry| {
            count += 1;
            if blockers.len() < MAX_BLOCKERS {
                blockers.push((key.clone(), entry));
            }
        });
        let (key, entry) = blockers.first()?;
        let (key, entry) = (key.clone(), entry.clone());
        let conflict = Conflict::new(self.identity, key, Precondition::Absent, Some(entry), None);
        Some(conflict.within(Scope::None { range: range.clone(), blockers, count }))
    }

    /// Fails with the oldest revision since which changes are known, or with `None` if `since` is yet to come.
    fn unchanged_in(
        &self,
        range: &KeyRange<K>,
        since: Revision,
    ) -> Result<Option<Conflict<K, V>>, Option<Revision>> {
        if since.get() > self.at {
            return Err(None);
        }
        let touched = |change: &Change<K, V>| range.contains(&change.key);
        let changed = find_change(&self.map.sequencer, since.get(), self.at, touched)
            .map_err(|gone| Some(super::stored(gone.start)))?;
        Ok(changed.map(|change| {
            let key = K::clone(&change.key);
            let current = self.map.at(&key, self.at);
            let expected = Precondition::Revision(since);
            Conflict::new(self.identity, key, expected, current, None)
                .within(Scope::Unchanged { range: range.clone() })
        }))
    }
}

/// The first change after `position` and up to `end` that `is_it`.
fn find_change<K, V>(
    sequencer: &Sequencer<K, V>,
    mut position: u64,
    end: u64,
    is_it: impl Fn(&Change<K, V>) -> bool,
) -> Result<Option<Change<K, V>>, Gone> {
    while position < end {
        let commits = sequencer.commits(position, end, CHUNK)?;
        let Some(last) = commits.last() else { break };
        position = last.revision;
        for change in commits.iter().flat_map(Recent::changes) {
            if is_it(change) {
                return Ok(Some(change.clone()));
            }
        }
    }
    Ok(None)
}

/// Whether a change may make a condition on a range fail that held before it.
pub(super) fn touches<K: Ord, V>(requirements: &[Requirement<K>], change: &Change<K, V>) -> bool {
    requirements.iter().any(|requirement| match requirement {
        Requirement::Key(..) => false,
        Requirement::NoneIn(range) => change.entry.is_some() && range.contains(&change.key),
        Requirement::UnchangedIn(range, _) => range.contains(&change.key),
    })
}

/// Looks whether anything after `checked` touches a range, without a lock. Returns up to where nothing does; `None` if
/// something may.
pub(super) fn catch_up<K: Ord, V, S>(
    map: &Map<K, V, S>,
    requirements: &[Requirement<K>],
    checked: u64,
) -> Option<u64> {
    let end = map.sequencer.visible();
    match find_change(&map.sequencer, checked, end, |change| touches(requirements, change)) {
        Ok(None) => Some(end),
        Ok(Some(_)) | Err(Gone { .. }) => None,
    }
}
