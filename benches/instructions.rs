//! How many instructions do small operations take?
//!
//! Counted by valgrind's callgrind (`apt-get install valgrind`), so that it does not matter what else the machine does: the
//! same program counts the same, but for the seeds of its hashers. Each operation runs in a process of its own, first on its
//! own keys, then counted. What waits for memory, and for others, is not seen: that is what `cargo compare` is for.
//!
//!     cargo bench --bench instructions              # a minute
//!     cargo bench --bench instructions -- --quick   # without valgrind: shows only that it works
//!
//! It is the guard against creeping cost: each operation has a most, as a ratio to a `get` of the `DashMap` by hand of the same
//! run, and past it the run fails: about an eighth above what was counted. A change that costs more has to say what for, and
//! raise it.
//!
//! 2026-11-29, as CI builds it (`cargo --config profile.release.lto=false bench --features testing --bench instructions`; linked across
//! crates they may be fewer), values of 100 bytes and keys of 16, all in caches:
//!
//! | operation | instructions | in `get`s of the `DashMap` by hand |
//! | --- | --- | --- |
//! | get, `DashMap` by hand | 176 | 1.00 |
//! | get | 223 | 1.27 |
//! | compare-and-swap, `DashMap` by hand | 497 | 2.82 |
//! | get + put_if | 1675 | 9.49 |
//! | put_if that conflicts | 1346 | 7.63 |
//! | create + delete | 4194 | 23.77 |
//! | transaction of 3 keys, each read before | 10906 | 61.81 |
//! | page of 100 entries | 83975 | 475.90 |
//! | put, and a watch that takes it | 2905 | 16.47 |
//! | snapshot, and a get of it | 953 | 5.40 |
//! | put on a log, buffered | 7011 | 39.73 |
#![forbid(unsafe_code)]
#![allow(clippy::as_conversions, reason = "ratios are floats")]

mod measure;

use std::env;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use dashmap::DashMap;
use ifmatch::{Durability, FastHash, Revision, Store, Txn, Watch};
use measure::{header, key, row, serious};

type Value = [u8; 100];

const KEYS: u32 = 1_000;

/// So often is each done while it is counted.
const ROUNDS: u32 = 2_000;

/// An operation. Its name; what is made ready, and then done over and over; the most that it may take, in `get`s of the
/// `DashMap` by hand.
type Operation = (&'static str, fn() -> Box<dyn FnMut(u32)>, f64);

const OPERATIONS: [Operation; 11] = [
    ("get, `DashMap` by hand", by_hand_get, 1.0),
    ("get", get, 1.5),
    ("compare-and-swap, `DashMap` by hand", by_hand_swap, 3.2),
    ("get + put_if", swap, 11.0),
    ("put_if that conflicts", conflict, 8.6),
    ("create + delete", create, 27.0),
    ("transaction of 3 keys, each read before", transaction, 70.0),
    ("page of 100 entries", page, 540.0),
    ("put, and a watch that takes it", watch, 19.0),
    ("snapshot, and a get of it", snapshot, 6.1),
    ("put on a log, buffered", logged, 45.0),
];

/// What operations are done on: a `DashMap` with a revision beside each value.
type ByHand = DashMap<String, (u64, Arc<Value>), FastHash>;

fn names() -> Vec<String> {
    (0..KEYS).map(key).collect()
}

fn by_hand() -> (ByHand, Vec<String>) {
    let map = ByHand::default();
    for name in names() {
        map.insert(name, (1, Arc::new([7; 100])));
    }
    (map, names())
}

fn by_hand_get() -> Box<dyn FnMut(u32)> {
    let (map, names) = by_hand();
    Box::new(move |round| {
        let found = map.get(&names[(round % KEYS) as usize]).map(|found| found.value().clone());
        black_box(found);
    })
}

fn by_hand_swap() -> Box<dyn FnMut(u32)> {
    let (map, names) = by_hand();
    Box::new(move |round| {
        let name = &names[(round % KEYS) as usize];
        let (revision, _value) = map.get(name).expect("it is there").value().clone();
        let fresh = Arc::new([8; 100]);
        let mut found = map.get_mut(name).expect("it is there");
        assert_eq!(found.0, revision);
        let old = std::mem::replace(&mut *found, (revision + 1, fresh));
        drop(found);
        drop(old);
    })
}

fn store() -> (Store<String, Value>, Vec<String>) {
    let store = Store::new();
    for name in names() {
        store.put(name, [7; 100]).expect("no limit is set");
    }
    (store, names())
}

fn get() -> Box<dyn FnMut(u32)> {
    let (store, names) = store();
    Box::new(move |round| {
        black_box(store.get(&names[(round % KEYS) as usize]));
    })
}

fn swap() -> Box<dyn FnMut(u32)> {
    let (store, names) = store();
    Box::new(move |round| {
        let name = &names[(round % KEYS) as usize];
        let revision = store.get(name).expect("it is there").revision();
        store.put_if(name, [8; 100], revision).expect("nobody else writes");
    })
}

fn conflict() -> Box<dyn FnMut(u32)> {
    let (store, names) = store();
    Box::new(move |round| {
        let lost = store.put_if(&names[(round % KEYS) as usize], [8; 100], Revision::MIN);
        assert!(lost.expect_err("it was written since").conflict().is_some());
    })
}

fn create() -> Box<dyn FnMut(u32)> {
    let (store, _) = store();
    Box::new(move |_| {
        store.create("another", [8; 100]).expect("it is not there");
        store.delete("another").expect("no limit is set");
    })
}

fn transaction() -> Box<dyn FnMut(u32)> {
    let (store, names) = store();
    Box::new(move |round| {
        let mut txn = Txn::new();
        for name in names.iter().cycle().skip((round % KEYS) as usize).take(3) {
            let revision = store.get(name).expect("it is there").revision();
            txn = txn.require(name, revision).put(name, [8; 100]);
        }
        store.commit(txn).expect("nobody else writes");
    })
}

fn page() -> Box<dyn FnMut(u32)> {
    let (store, names) = store();
    Box::new(move |round| {
        let from = &names[(round * 7 % (KEYS - 100)) as usize];
        assert_eq!(store.range(from.clone()..).take(100).map(black_box).count(), 100);
    })
}

fn watch() -> Box<dyn FnMut(u32)> {
    let (store, names) = store();
    let mut watch: Watch<String, Value> = store.watch().open().expect("it begins now");
    Box::new(move |round| {
        store.put(&names[(round % KEYS) as usize], [8; 100]).expect("no limit is set");
        black_box(watch.try_recv().expect("there is a commit"));
    })
}

fn snapshot() -> Box<dyn FnMut(u32)> {
    let (store, names) = store();
    Box::new(move |round| {
        black_box(store.snapshot().get(&names[(round % KEYS) as usize]));
    })
}

/// One thread, so that each is a write of its own. What the kernel does is not counted.
fn logged() -> Box<dyn FnMut(u32)> {
    let directory = tempfile::tempdir().expect("a directory for temporary files");
    let builder = Store::<String, String>::builder().durability(Durability::Buffered);
    let store = builder.open(directory.path()).expect("it is ours");
    let names = names();
    Box::new(move |round| {
        let _kept = &directory;
        store.put(&names[(round % KEYS) as usize], "8".repeat(100)).expect("no limit is set");
    })
}

/// What is counted.
#[inline(never)]
fn counted(operation: &mut dyn FnMut(u32), rounds: u32) {
    (0..rounds).for_each(operation);
}

fn perform(index: usize) {
    let mut operation = OPERATIONS[index].1();
    // The window of recent commits is full then.
    (0..5 * KEYS).for_each(&mut operation);
    counted(&mut operation, ROUNDS);
}

/// Instructions of one operation, or why they were not counted.
fn count(index: usize) -> Result<f64, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*instructions*counted*")
        .arg(program)
        .args(["--perform", &index.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let counted = said.lines().find_map(|line| line.split_once("Collected : "));
    let counted = counted.and_then(|(_, counted)| counted.trim().parse::<f64>().ok());
    match counted {
        Some(counted) if output.status.success() && counted > 0.0 => {
            Ok(counted / f64::from(ROUNDS))
        }
        _ => Err(said.into_owned()),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--perform") {
        perform(arguments[at + 1].parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    if !serious() {
        (0..OPERATIONS.len()).for_each(perform);
        return ExitCode::SUCCESS;
    }
    header(&["operation", "instructions", "in `get`s of the `DashMap` by hand", "at most"]);
    let (mut unit, mut is_good) = (f64::NAN, true);
    for (index, (name, _, most)) in OPERATIONS.iter().enumerate() {
        match count(index) {
            Ok(instructions) => {
                unit = if index == 0 { instructions } else { unit };
                let ratio = instructions / unit;
                is_good &= ratio <= *most;
                let verdict = if ratio <= *most { "" } else { ": too many" };
                row(&[name, &format!("{instructions:.0}"), &format!("{ratio:.2}{verdict}"), most]);
            }
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
