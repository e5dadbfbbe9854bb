//! Writers that race for a few keys: exactly one wins each time, and the losers are told the truth.

use std::collections::{BTreeMap, HashSet};

use ifmatch::{Precondition, Revision, Store, Versioned};

use crate::common::{Random, together};
use crate::home::{HOMES, Home};

const THREADS: u64 = 8;
const KEYS: [&str; 3] = ["left", "middle", "right"];

/// A value that names the attempt that wrote it.
type Value = (u64, u64);

/// A write that succeeded on `predecessor`.
#[derive(Debug)]
struct Won {
    key: &'static str,
    predecessor: Option<Revision>,
    revision: Revision,
    /// `None`: it was a delete.
    value: Option<Value>,
}

/// What a loser was told to be current.
#[derive(Debug)]
struct Told {
    key: &'static str,
    revision: Revision,
    created: Revision,
    writes: u64,
    value: Value,
}

#[derive(Default)]
struct Outcomes {
    won: Vec<Won>,
    told: Vec<Told>,
    lost: u64,
}

/// One writer: it reads once, then goes by what conflicts and successes tell it.
fn write(store: &Store<String, Value>, thread: u64, attempts: u64) -> Outcomes {
    let mut random = Random(thread);
    let mut outcomes = Outcomes::default();
    let mut known: BTreeMap<&str, Option<Revision>> =
        KEYS.iter().map(|key| (*key, store.get(*key).as_ref().map(Versioned::revision))).collect();
    for attempt in 0..attempts {
        let key = KEYS[usize::try_from(random.below(3)).unwrap()];
        let predecessor = known[key];
        let precondition = predecessor.map_or(Precondition::Absent, Precondition::from);
        let deletes = predecessor.is_some() && random.below(5) == 0;
        let value = (!deletes).then_some((thread, attempt));
        let outcome = match (value, attempt % 2) {
            (Some(value), 0) => store.put_if(key, value, precondition),
            (Some(value), _) => {
                store.submit_put_if(key, value, precondition).wait().map(|w| w.revision())
            }
            (None, _) => store
                .delete_if(key, precondition)
                .map(|deleted| deleted.expect("a precondition held").revision()),
        };
        let now = match outcome {
            Ok(revision) => {
                assert!(predecessor.is_none_or(|predecessor| predecessor < revision));
                outcomes.won.push(Won { key, predecessor, revision, value });
                value.map(|_| revision)
            }
            Err(error) => {
                outcomes.lost += 1;
                let conflict = error.into_conflict().unwrap();
                assert_eq!(conflict.key(), key);
                assert_eq!(conflict.expected(), precondition);
                assert_eq!(conflict.rejected().copied(), value);
                assert_ne!(conflict.revision(), predecessor, "a loser is told what beat it");
                let current = conflict.current();
                if let Some(current) = current {
                    assert!(
                        predecessor.is_none_or(|predecessor| predecessor < current.revision()),
                        "what beat it is newer than what was expected"
                    );
                    assert!(current.revision() <= store.revision(), "what is told is shown");
                    outcomes.told.push(Told {
                        key,
                        revision: current.revision(),
                        created: current.created_revision(),
                        writes: current.write_count(),
                        value: **current,
                    });
                }
                conflict.revision()
            }
        };
        known.insert(key, now);
    }
    outcomes
}

/// The state that the winners of one key leave, each checked to follow the one before.
struct Line {
    created: Revision,
    writes: u64,
    value: Value,
}

fn follow(key: &str, won: &[Won]) -> BTreeMap<Revision, Option<Line>> {
    let mut line = BTreeMap::<Revision, Option<Line>>::new();
    let mut on_key: Vec<&Won> = won.iter().filter(|won| won.key == key).collect();
    on_key.sort_by_key(|won| won.revision);
    for won in on_key {
        let newest = line.last_key_value();
        let (current, writes) = match newest {
            Some((revision, Some(state))) => (Some(*revision), Some((state.created, state.writes))),
            _ => (None, None),
        };
        assert_eq!(won.predecessor, current, "{won:?} follows the write before it");
        let state = won.value.map(|value| match writes {
            Some((created, writes)) => Line { created, writes: writes + 1, value },
            None => Line { created: won.revision, writes: 1, value },
        });
        line.insert(won.revision, state);
    }
    line
}

fn race(home: Home, attempts: u64) {
    let outcomes = std::cell::RefCell::new(Outcomes::default());
    let run = |store: &Store<String, Value>| {
        let mut all = outcomes.borrow_mut();
        for mut one in together(THREADS, |thread| write(store, thread, attempts)) {
            all.won.append(&mut one.won);
            all.told.append(&mut one.told);
            all.lost += one.lost;
        }
    };
    let check = |store: &Store<String, Value>| {
        let Outcomes { won, told, lost } = &*outcomes.borrow();
        let count = u64::try_from(won.len()).unwrap();
        assert_eq!(count + lost, THREADS * attempts, "every attempt was answered");
        assert!(*lost > 0, "nobody lost: it was no race");
        let revisions: HashSet<Revision> = won.iter().map(|won| won.revision).collect();
        assert_eq!(revisions.len(), won.len(), "no revision twice");
        assert_eq!(store.revision().get(), 1 + count, "losers take no revision");
        for key in KEYS {
            let line = follow(key, won);
            for told in told.iter().filter(|told| told.key == key) {
                let state = line[&told.revision].as_ref().expect("what is current exists");
                assert_eq!(told.value, state.value, "{told:?}");
                assert_eq!(told.created, state.created, "{told:?}");
                assert_eq!(told.writes, state.writes, "{told:?}");
            }
            let last = line.last_key_value().and_then(|(revision, state)| {
                state.as_ref().map(|state| (*revision, state.created, state.writes, state.value))
            });
            let current = store.get(key).map(|entry| {
                (entry.revision(), entry.created_revision(), entry.write_count(), *entry)
            });
            assert_eq!(current, last, "{key}");
        }
    };
    home.run(|builder| builder.segment_bytes(1 << 16), run, check);
}

#[test]
fn in_memory_every_success_has_its_own_predecessor() {
    race(Home::Memory, 4_000);
}

#[test]
fn on_a_log_every_success_has_its_own_predecessor() {
    for home in HOMES.into_iter().filter(|home| *home != Home::Memory) {
        race(home, 600);
    }
}

#[test]
fn of_many_creators_exactly_one_wins_and_the_others_are_given_its_value() {
    for home in HOMES {
        let test = |store: &Store<u64, u64>| {
            for round in 0..100 {
                let outcomes = together(4, |thread| store.create(round, thread));
                let winners: Vec<_> = outcomes.iter().flatten().collect();
                assert_eq!(winners.len(), 1, "{home:?}");
                for (thread, outcome) in (0_u64..).zip(&outcomes) {
                    if let Err(error) = outcome {
                        let conflict = error.conflict().unwrap();
                        assert_eq!(conflict.revision().as_ref(), Some(winners[0]));
                        assert_eq!(conflict.rejected(), Some(&thread));
                        let winner = usize::try_from(**conflict.current().unwrap()).unwrap();
                        assert!(outcomes[winner].is_ok(), "{home:?}");
                    }
                }
            }
        };
        home.run(|builder| builder, test, |store| assert_eq!(store.len(), 100));
    }
}

#[test]
fn no_update_is_lost_between_racing_threads() {
    for home in HOMES {
        let rounds = if home == Home::Memory { 40_000 } else { 250 };
        let test = |store: &Store<String, u64>| {
            together(4, |_| {
                for _ in 0..rounds {
                    store.update("count", |count| count.copied().unwrap_or(0) + 1).unwrap();
                }
            });
        };
        let check = |store: &Store<String, u64>| {
            let entry = store.get("count").unwrap();
            assert_eq!((*entry, entry.write_count()), (4 * rounds, 4 * rounds), "{home:?}");
            assert_eq!(entry.created_revision().get(), 2, "{home:?}");
        };
        home.run(|builder| builder, test, check);
    }
}

#[test]
fn get_or_create_gives_every_racing_thread_the_same_entry() {
    for home in HOMES {
        let test = |store: &Store<u64, u64>| {
            for round in 0..100 {
                let entries = together(4, |thread| store.get_or_create(round, || thread).unwrap());
                assert!(entries.iter().all(|entry| *entry == entries[0]), "{home:?}");
                assert_eq!(store.get(round).as_ref(), Some(&entries[0]), "{home:?}");
            }
        };
        home.run(|builder| builder, test, |store| assert_eq!(store.revision().get(), 101));
    }
}
