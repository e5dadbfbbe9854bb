//! What was done to a store: the model that is compared with what a crash leaves.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A value that no other write has, and that shows if a part of it is another's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Value {
    pub(super) id: u64,
    filler: String,
}

impl Value {
    /// The value `id`, of about `size` bytes.
    pub(super) fn new(id: u64, size: usize) -> Self {
        let letters = "abcdefghijklmnopqrstuvwxyz";
        let at = usize::try_from(id % 26).unwrap();
        Self { id, filler: letters[at..=at].repeat(size) }
    }

    /// Whether it is as it was made.
    pub(super) fn is_whole(&self) -> bool {
        *self == Self::new(self.id, self.filler.len())
    }
}

/// What a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: u64,
    pub(super) revision: u64,
    pub(super) created: u64,
    pub(super) writes: u64,
}

pub(super) type State = BTreeMap<u64, Entry>;

/// Of each key, the value that was put, or none if it was deleted.
pub(super) type Changes = Vec<(u64, Option<u64>)>;

#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) revision: u64,
    pub(super) changes: Changes,
    /// What it made of the state before.
    pub(super) state: Arc<State>,
}

/// A revision that somebody was told, and how many commits it stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) revision: u64,
    pub(super) commits: usize,
}

/// All commits that may be there, in order, those included whose outcome is unknown.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) commits: Vec<Commit>,
    pub(super) told: Vec<Told>,
    /// Revisions that were told, and that a crash took back.
    pub(super) lost: Vec<u64>,
}

impl History {
    pub(super) fn push(&mut self, revision: u64, changes: Changes) {
        let mut state = State::clone(&self.newest());
        for (key, value) in &changes {
            match value {
                Some(value) => {
                    let before = state.get(key);
                    let entry = Entry {
                        value: *value,
                        revision,
                        created: before.map_or(revision, |before| before.created),
                        writes: before.map_or(1, |before| before.writes + 1),
                    };
                    state.insert(*key, entry);
                }
                None => {
                    state.remove(key);
                }
            }
        }
        self.commits.push(Commit { revision, changes, state: Arc::new(state) });
    }

    pub(super) fn newest(&self) -> Arc<State> {
        state(&self.commits)
    }

    /// The newest state at a revision.
    pub(super) fn at(&self, revision: u64) -> Arc<State> {
        state(&self.commits[..up_to(&self.commits, revision)])
    }

    pub(super) fn tell(&mut self, revision: u64) {
        let commits = up_to(&self.commits, revision);
        if self.told.last().is_none_or(|told| told.revision < revision) {
            self.told.push(Told { revision, commits });
        }
    }

    /// A crash took back all but the first `kept` commits.
    pub(super) fn truncate(&mut self, kept: usize) {
        self.commits.truncate(kept);
        self.lost
            .extend(self.told.iter().filter(|told| told.commits > kept).map(|told| told.revision));
        self.told.retain(|told| told.commits <= kept);
    }
}

pub(super) fn state(commits: &[Commit]) -> Arc<State> {
    commits.last().map(|commit| Arc::clone(&commit.state)).unwrap_or_default()
}

/// How many of the commits are not above a revision.
pub(super) fn up_to(commits: &[Commit], revision: u64) -> usize {
    commits.partition_point(|commit| commit.revision <= revision)
}
