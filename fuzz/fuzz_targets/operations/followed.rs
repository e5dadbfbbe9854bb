//! What is held on to while the store goes on: snapshots, and watches with the state that they make.

use std::collections::BTreeMap;

use ifmatch::{Revision, Snapshot, Watch, WatchError};

use super::{Numbers, State};

/// So that a run is short.
const MAX_HELD: usize = 4;

#[derive(Default)]
pub(crate) struct Followed {
    snapshots: Vec<Snapshot<u8, u8>>,
    watches: Vec<Watching>,
}

struct Watching {
    watch: Watch<u8, u8>,
    /// What it has told amounts to; `None` if it did not begin with a state that is known.
    state: Option<State>,
    at: u64,
}

impl Followed {
    pub(crate) fn snapshot(&mut self, store: &Numbers) {
        if self.snapshots.len() < MAX_HELD {
            self.snapshots.push(store.snapshot());
        }
    }

    pub(crate) fn release(&mut self, which: u8) {
        if !self.snapshots.is_empty() {
            self.snapshots.swap_remove(usize::from(which) % self.snapshots.len());
        }
    }

    pub(crate) fn watch(&mut self, store: &Numbers, since: u64, state: Option<State>) {
        if self.watches.len() == MAX_HELD {
            return;
        }
        let revision = Revision::try_from(since).expect("it is at least 1");
        match store.watch().since(revision).with_previous().open() {
            Ok(watch) => self.watches.push(Watching { watch, state, at: since }),
            Err(WatchError::Compacted { oldest, .. }) => {
                assert!(oldest > revision, "{oldest}, {revision}")
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Every snapshot still shows the state that it showed, and every watch has told what happened.
    pub(crate) fn look(&mut self, past: &BTreeMap<u64, State>) {
        for snapshot in &self.snapshots {
            let shown: State = snapshot.iter().collect();
            assert_eq!(shown, past[&snapshot.revision().get()], "at {}", snapshot.revision());
            assert_eq!(snapshot.len(), shown.len());
        }
        let newest = *past.keys().next_back().expect("it was looked at");
        for watching in &mut self.watches {
            watching.look(past);
            assert!(watching.at <= newest, "it tells what was not");
            if let Some(state) = &watching.state {
                assert_eq!(*state, past[&newest], "what a watch told");
            }
        }
    }

    pub(crate) fn end(&mut self, past: &BTreeMap<u64, State>) {
        self.look(past);
        self.snapshots.clear();
        self.watches.clear();
    }
}

impl Watching {
    fn look(&mut self, past: &BTreeMap<u64, State>) {
        loop {
            match self.watch.try_recv() {
                Ok(commit) => {
                    let revision = commit.revision().get();
                    assert!(revision > self.at, "{revision} after {}", self.at);
                    self.at = revision;
                    let Some(state) = &mut self.state else { continue };
                    for event in commit.events() {
                        assert_eq!(event.revision().get(), revision);
                        assert_eq!(event.previous(), state.get(event.key()), "what it replaces");
                        match event.entry() {
                            Some(entry) => state.insert(*event.key(), entry.clone()),
                            None => state.remove(event.key()),
                        };
                    }
                    assert_eq!(*state, past[&revision], "after {revision}");
                }
                Err(WatchError::Empty) => return,
                // It is asked after each operation, and there is room for more than one makes.
                Err(error) => panic!("{error}"),
            }
        }
    }
}
