//! What the store should be: a map for every revision, and the changes between them. Simple, sequential, and nothing
//! is ever forgotten.

use std::collections::BTreeMap;

use ifmatch::{Precondition, Revision, Versioned};

use crate::span::Span;

pub(crate) type Value = u64;

pub(crate) fn revision(number: u64) -> Revision {
    Revision::try_from(number).unwrap()
}

/// One entry, with plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) revision: u64,
    pub(crate) created: u64,
    pub(crate) writes: u64,
    pub(crate) value: Value,
}

impl Entry {
    pub(crate) fn of(versioned: &Versioned<Value>) -> Self {
        Self {
            revision: versioned.revision().get(),
            created: versioned.created_revision().get(),
            writes: versioned.write_count(),
            value: **versioned,
        }
    }
}

/// All keys at one revision.
pub(crate) type State = BTreeMap<String, Entry>;

/// What a commit did to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) key: String,
    /// `None`: the key was deleted.
    pub(crate) now: Option<Entry>,
    pub(crate) previous: Option<Entry>,
}

/// A precondition of a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Demand {
    Key(String, Precondition),
    NoneIn(Span),
    UnchangedIn(Span, u64),
}

/// A precondition that does not hold, as a conflict should tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failing {
    pub(crate) index: usize,
    pub(crate) expected: Precondition,
    /// The keys that it may be about: more than one if one commit changed several of a range.
    pub(crate) keys: Vec<String>,
    pub(crate) blockers: Vec<(String, Entry)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Model {
    /// After each commit, and before the first.
    states: BTreeMap<u64, State>,
    /// In the order of keys.
    changes: BTreeMap<u64, Vec<Change>>,
}

impl Model {
    /// An empty store at `newest`.
    pub(crate) fn new(newest: u64) -> Self {
        Self { states: BTreeMap::from([(newest, State::new())]), changes: BTreeMap::new() }
    }

    pub(crate) fn newest(&self) -> u64 {
        *self.states.last_key_value().unwrap().0
    }

    pub(crate) fn now(&self) -> &State {
        self.states.last_key_value().unwrap().1
    }

    /// The state at `revision`, which need not be that of a commit.
    pub(crate) fn at(&self, revision: u64) -> &State {
        static NOTHING: State = State::new();
        self.states.range(..=revision).next_back().map_or(&NOTHING, |(_, state)| state)
    }

    /// The commits after `revision`, oldest first.
    pub(crate) fn after(&self, revision: u64) -> impl DoubleEndedIterator<Item = (u64, &[Change])> {
        self.changes
            .range(revision + 1..)
            .map(|(revision, changes)| (*revision, changes.as_slice()))
    }

    pub(crate) fn changes_after(&self, revision: u64) -> usize {
        self.after(revision).map(|(_, changes)| changes.len()).sum()
    }

    /// All that `key` ever was, oldest first; `None`: it was deleted.
    pub(crate) fn versions(&self, key: &str) -> Vec<(u64, Option<Entry>)> {
        let commits = self.changes.iter();
        let on_key = commits.filter_map(|(revision, changes)| {
            let change = changes.iter().find(|change| change.key == key)?;
            Some((*revision, change.now))
        });
        on_key.collect()
    }

    /// Commits `writes`, the last one of a key counting, under `revision`. Deletes of what is not there do nothing; if
    /// nothing is left, `revision` is not used, and the answer is no.
    pub(crate) fn commit(
        &mut self,
        revision: u64,
        writes: impl IntoIterator<Item = (String, Option<Value>)>,
    ) -> bool {
        let changes = effect(self.now(), revision, writes);
        if changes.is_empty() {
            return false;
        }
        assert!(revision > self.newest(), "revision {revision} is used once, and in order");
        let mut state = self.now().clone();
        for change in &changes {
            match change.now {
                Some(now) => drop(state.insert(change.key.clone(), now)),
                None => drop(state.remove(&change.key)),
            }
        }
        self.states.insert(revision, state);
        self.changes.insert(revision, changes);
        true
    }

    /// The demands that do not hold at `at`, in the order of their indices.
    pub(crate) fn failing(&self, demands: &[Demand], at: u64) -> Vec<Failing> {
        let state = self.at(at);
        let fails = |(index, demand): (usize, &Demand)| match demand {
            Demand::Key(key, expected) => {
                let current = state.get(key).map(|entry| revision(entry.revision));
                (!expected.holds(current)).then(|| Failing {
                    index,
                    expected: *expected,
                    keys: vec![key.clone()],
                    blockers: vec![],
                })
            }
            Demand::NoneIn(span) => {
                let blockers = span.of(state);
                let (first, _) = blockers.first()?;
                let expected = Precondition::Absent;
                Some(Failing { index, expected, keys: vec![first.clone()], blockers })
            }
            Demand::UnchangedIn(span, since) => {
                let keys = self.changed_first(span, *since, at)?;
                let expected = revision(*since).into();
                Some(Failing { index, expected, keys, blockers: vec![] })
            }
        };
        demands.iter().enumerate().filter_map(fails).collect()
    }

    /// The keys in `span` that the first commit after `since`, but not after `at`, changed, if there is one.
    fn changed_first(&self, span: &Span, since: u64, at: u64) -> Option<Vec<String>> {
        let (revision, changes) = self.next_seen(since, std::slice::from_ref(span))?;
        (revision <= at).then(|| changes.into_iter().map(|change| change.key).collect())
    }

    /// The first commit after `position` with a change in one of `spans` (none: all), and those changes.
    pub(crate) fn next_seen(&self, position: u64, spans: &[Span]) -> Option<(u64, Vec<Change>)> {
        let sees = |change: &&Change| {
            spans.is_empty() || spans.iter().any(|span| span.contains(&change.key))
        };
        let mut seen = self.after(position).map(|(revision, changes)| {
            (revision, changes.iter().filter(sees).cloned().collect::<Vec<_>>())
        });
        seen.find(|(_, changes)| !changes.is_empty())
    }
}

/// What `writes` do to `state` under `revision`, in the order of keys.
pub(crate) fn effect(
    state: &State,
    revision: u64,
    writes: impl IntoIterator<Item = (String, Option<Value>)>,
) -> Vec<Change> {
    let writes: BTreeMap<String, Option<Value>> = writes.into_iter().collect();
    let changes = writes.into_iter().map(|(key, value)| {
        let previous = state.get(&key).copied();
        let now = value.map(|value| match previous {
            Some(old) => Entry { revision, value, writes: old.writes + 1, ..old },
            None => Entry { revision, created: revision, writes: 1, value },
        });
        Change { key, now, previous }
    });
    changes.filter(|change| change.now.is_some() || change.previous.is_some()).collect()
}
