//! What every contender must do, or its figures are of something else.

use std::collections::HashSet;
use std::thread;

use crate::engine::{Key, VALUE_BYTES, value};
use crate::workload::{Home, filled};

const THREADS: u64 = 4;

/// Where each waits for the disk, fewer will do.
fn swaps(home: Home) -> u64 {
    if home == Home::Durable { 50 } else { 1000 }
}

/// Two that were told so of the same revision would have lost the write of one.
#[test]
fn of_racing_swaps_one_wins() {
    for home in Home::ALL {
        for contender in home.contenders().iter().filter(|contender| !contender.is_limit) {
            let directory = tempfile::tempdir().expect("a directory for temporary files");
            let engine = filled(contender, directory.path(), 2, VALUE_BYTES);
            let key = Key::new(1);
            let race = |thread: u64| {
                let mut won = Vec::new();
                for count in 0..swaps(home) {
                    let (revision, _) = engine.get(key.as_str()).expect("it was filled");
                    let value = value(thread << 32 | count, VALUE_BYTES);
                    if engine.swap(key.as_str(), revision, &value) {
                        won.push(revision);
                    }
                }
                won
            };
            let won: Vec<u64> = thread::scope(|scope| {
                let racing: Vec<_> =
                    (0..THREADS).map(|thread| scope.spawn(move || race(thread))).collect();
                racing.into_iter().flat_map(|race| race.join().expect("it works")).collect()
            });
            let name = format!("{}: {}", home.name(), contender.name);
            assert!(!won.is_empty(), "{name}");
            assert_eq!(won.iter().collect::<HashSet<_>>().len(), won.len(), "{name}");
        }
    }
}

#[test]
fn a_swap_of_an_old_revision_is_refused_and_changes_nothing() {
    for home in Home::ALL {
        for contender in home.contenders().iter().filter(|contender| !contender.is_limit) {
            let directory = tempfile::tempdir().expect("a directory for temporary files");
            let engine = filled(contender, directory.path(), 2, VALUE_BYTES);
            let (key, name) = (Key::new(1), contender.name);
            let (old, _) = engine.get(key.as_str()).expect("it was filled");
            assert!(engine.swap(key.as_str(), old, &value(3, VALUE_BYTES)), "{name}");
            let new = engine.get(key.as_str());
            assert_eq!(new.map(|(_, first)| first), Some(value(3, VALUE_BYTES)[0]), "{name}");
            assert!(!engine.swap(key.as_str(), old, &value(4, VALUE_BYTES)), "{name}");
            assert_eq!(engine.get(key.as_str()), new, "{name}");
        }
    }
}

#[test]
fn what_was_written_to_a_log_is_there_when_it_is_opened_again() {
    for home in [Home::Logged, Home::Durable] {
        for contender in home.contenders().iter().filter(|contender| !contender.is_limit) {
            let directory = tempfile::tempdir().expect("a directory for temporary files");
            drop(filled(contender, directory.path(), 100, VALUE_BYTES));
            let engine = filled(contender, directory.path(), 0, VALUE_BYTES);
            for number in 0..100 {
                let read = engine.get(Key::new(number).as_str()).map(|(_, first)| first);
                let name = contender.name;
                assert_eq!(read, Some(value(number, VALUE_BYTES)[0]), "{name}, {number}");
            }
        }
    }
}
