//! The store against what people write today: `DashMap<K, (u64, V)>` by hand.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use ifmatch::{Precondition, Revision, Store, Versioned};

use crate::common::{Random, together};
use crate::home::{HOMES, Home};

/// The hand-written store. Its guards cannot leak here: every method locks one entry and returns.
#[derive(Default)]
struct ByHand {
    map: DashMap<u64, (u64, u64)>,
    revision: u64,
}

impl ByHand {
    /// Compare and swap; `None` as the new value deletes. `Err` is the revision that is there.
    fn swap(
        &mut self,
        key: u64,
        expected: Option<u64>,
        value: Option<u64>,
    ) -> Result<(), Option<u64>> {
        let next = self.revision + 1;
        match (self.map.entry(key), value) {
            (Entry::Occupied(entry), _) if Some(entry.get().0) != expected => {
                return Err(Some(entry.get().0));
            }
            (Entry::Vacant(_), _) if expected.is_some() => return Err(None),
            (Entry::Occupied(mut entry), Some(value)) => {
                entry.insert((next, value));
            }
            (Entry::Vacant(entry), Some(value)) => {
                entry.insert((next, value));
            }
            (Entry::Occupied(entry), None) => {
                entry.remove();
            }
            (Entry::Vacant(_), None) => return Ok(()),
        }
        self.revision = next;
        Ok(())
    }

    fn assert_same(&self, store: &Store<u64, u64>, keys: u64) {
        assert_eq!(store.len(), self.map.len());
        for key in 0..keys {
            let expected = self.map.get(&key).map(|entry| *entry);
            let found = store.get(key).map(|entry| (entry.revision().get(), *entry));
            assert_eq!(found, expected, "key {key}");
        }
    }
}

fn precondition(expected: Option<u64>) -> Precondition {
    expected.map_or(Precondition::Absent, |expected| Revision::try_from(expected).unwrap().into())
}

#[test]
fn the_same_operations_have_the_same_outcomes_one_by_one() {
    const KEYS: u64 = 40;
    for home in HOMES {
        let by_hand = std::cell::RefCell::new(ByHand { revision: 1, ..ByHand::default() });
        let test = |store: &Store<u64, u64>| {
            let mut by_hand = by_hand.borrow_mut();
            let mut random = Random(1);
            for _ in 0..5_000 {
                let key = random.below(KEYS);
                let expected = match random.below(4) {
                    0 => None,
                    1 => Some(1 + random.below(by_hand.revision)),
                    _ => by_hand.map.get(&key).map(|entry| entry.0),
                };
                let value = (random.below(3) > 0).then(|| random.next());
                let outcome = match value {
                    Some(value) => store.put_if(key, value, precondition(expected)).map(drop),
                    None => store.delete_if(key, precondition(expected)).map(drop),
                };
                let outcome = outcome
                    .map_err(|error| error.conflict().unwrap().revision().map(Revision::get));
                assert_eq!(outcome, by_hand.swap(key, expected, value), "{home:?}");
                assert_eq!(store.revision().get(), by_hand.revision, "{home:?}");
            }
        };
        let check = |store: &Store<u64, u64>| by_hand.borrow().assert_same(store, KEYS);
        home.run(|builder| builder, test, check);
    }
}

/// One committed write: its revision, its key, what it was based on, what it left.
type Commit = (u64, u64, Option<u64>, Option<u64>);

/// Racing threads that put, delete and update on compare and swap; what they committed.
fn commits(store: &Store<u64, u64>, keys: u64, attempts: u64) -> Vec<Commit> {
    let of_each = together(6, |thread| {
        let mut random = Random(thread);
        let mut commits = Vec::new();
        for _ in 0..attempts {
            let key = random.below(keys);
            let expected = store.get(key).as_ref().map(Versioned::revision).map(Revision::get);
            let value = (random.below(4) > 0).then(|| random.next());
            let outcome = match value {
                Some(value) => store.put_if(key, value, precondition(expected)).map(Some),
                None => store
                    .delete_if(key, precondition(expected))
                    .map(|deleted| deleted.map(|deleted| deleted.revision())),
            };
            if let Ok(Some(revision)) = outcome {
                commits.push((revision.get(), key, expected, value));
            }
        }
        commits
    });
    let mut commits: Vec<Commit> = of_each.into_iter().flatten().collect();
    commits.sort_unstable();
    commits
}

#[test]
fn racing_commits_replayed_by_revision_give_the_same_map() {
    const KEYS: u64 = 12;
    for home in HOMES {
        let attempts = if home == Home::Memory { 10_000 } else { 400 };
        let by_hand = std::cell::RefCell::new(ByHand { revision: 1, ..ByHand::default() });
        let test = |store: &Store<u64, u64>| {
            let mut by_hand = by_hand.borrow_mut();
            for (revision, key, expected, value) in commits(store, KEYS, attempts) {
                let swapped = by_hand.swap(key, expected, value);
                assert_eq!(swapped, Ok(()), "{home:?}: revision {revision} of key {key}");
                assert_eq!(by_hand.revision, revision, "{home:?}: no gap in the revisions");
            }
        };
        let check = |store: &Store<u64, u64>| by_hand.borrow().assert_same(store, KEYS);
        home.run(|builder| builder, test, check);
    }
}
