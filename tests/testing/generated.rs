//! Random histories: of something that works, of something that does not, and of nothing at all.

use ifmatch::testing::{
    CheckError, Entry, History, StoreModel, StoreOperation, StoreOutcome, check,
};
use ifmatch::{Precondition, Revision};

use crate::all_orders::is_linearizable;
use crate::common::{Random, from_env};
use crate::register::{Asked, Register, Told};

/// Stamps of `count` calls of `clients`, in random order: (client, called, returned).
fn times(random: &mut Random, clients: u64, count: u64) -> Vec<(u32, u64, u64)> {
    let mut free = vec![0; usize::try_from(clients).unwrap()];
    let mut times = Vec::new();
    for _ in 0..count {
        let client = usize::try_from(random.below(clients)).unwrap();
        let called = free[client] + random.below(6);
        let returned = called + random.below(12);
        free[client] = returned + 1;
        times.push((u32::try_from(client).unwrap(), called, returned));
    }
    times
}

/// Whatever anybody could say.
pub(crate) fn of_a_register(random: &mut Random) -> History<Asked, Told> {
    let mut history = History::new();
    let count = 2 + random.below(6);
    for (client, called, returned) in times(random, 3, count) {
        let value = |random: &mut Random| u8::try_from(random.below(3)).unwrap();
        let (asked, told) = match random.below(4) {
            0 | 1 => (Asked::Read, Told::Read(value(random))),
            2 => (Asked::Write(value(random)), Told::Done),
            _ => {
                let told = if random.below(3) == 0 { Told::Lost } else { Told::Done };
                (Asked::Swap(value(random), value(random)), told)
            }
        };
        let told = (random.below(6) > 0).then_some(told);
        history.push(client, asked, called..returned, told);
    }
    history
}

fn revision(number: u64) -> Revision {
    Revision::try_from(number).unwrap()
}

type Of = (StoreOperation<u8, u8>, StoreOutcome<u8, u8>);

pub(crate) fn of_a_store(
    random: &mut Random,
) -> History<StoreOperation<u8, u8>, StoreOutcome<u8, u8>> {
    let mut history = History::new();
    let count = 2 + random.below(6);
    let mut next = 2;
    for (client, called, returned) in times(random, 3, count) {
        let (asked, told) = some_call(random, &mut next);
        let told = (random.below(6) > 0).then_some(told);
        history.push(client, asked, called..returned, told);
    }
    history
}

fn some_call(random: &mut Random, next: &mut u64) -> Of {
    let key = u8::try_from(random.below(2)).unwrap();
    let value = u8::try_from(random.below(2)).unwrap();
    let entry = |random: &mut Random| {
        let at = 2 + random.below(4);
        (random.below(3) > 0).then(|| Entry {
            revision: revision(at),
            created_revision: revision(if random.below(2) == 0 { at } else { 2 }),
            write_count: 1 + random.below(2),
            value,
        })
    };
    let new = |random: &mut Random, next: &mut u64| {
        *next += 1;
        revision(*next - random.below(2))
    };
    let precondition = match random.below(4) {
        0 => Precondition::Any,
        1 => Precondition::Absent,
        2 => Precondition::Present,
        _ => revision(2 + random.below(4)).into(),
    };
    match random.below(8) {
        0..=2 => {
            let told = StoreOutcome::Written {
                revision: new(random, next),
                created_revision: None,
                write_count: (random.below(4) == 0).then(|| 1 + random.below(2)),
            };
            (StoreOperation::Put { key, value, precondition }, told)
        }
        3 => {
            let told = entry(random).map(|entry| (new(random, next), entry));
            (StoreOperation::Delete { key, precondition }, StoreOutcome::Deleted(told))
        }
        4 => {
            let changes = vec![(0, (random.below(2) == 0).then_some(value)), (1, None)];
            let requirements = Vec::new();
            let told = StoreOutcome::Committed(new(random, next));
            (StoreOperation::Commit { requirements, changes }, told)
        }
        5 => (StoreOperation::Revision, StoreOutcome::Revision(revision(1 + random.below(6)))),
        _ => (StoreOperation::Get(key), StoreOutcome::Read(entry(random))),
    }
}

#[test]
fn the_checker_says_what_trying_all_orders_says() {
    let seed = from_env("IFMATCH_SEED", 1);
    let (mut good, mut bad) = (0, 0);
    for number in 0..from_env("IFMATCH_RUNS", 4_000) {
        let mut random = Random::of(seed, number);
        let verdict = if number % 2 == 0 {
            let history = of_a_register(&mut random);
            let expected = is_linearizable(&Register, &history);
            compare(number, expected, check(&Register, &history).err())
        } else {
            let history = of_a_store(&mut random);
            let model = StoreModel::new();
            let expected = is_linearizable(&model, &history);
            compare(number, expected, check(&model, &history).err())
        };
        if verdict { good += 1 } else { bad += 1 }
    }
    println!("{good} good, {bad} bad");
    assert!(good > 100 && bad > 100, "{good} good, {bad} bad: both are tried");
}

fn compare<O: std::fmt::Debug, T: std::fmt::Debug>(
    number: u64,
    expected: bool,
    found: Option<CheckError<O, T>>,
) -> bool {
    match &found {
        None => assert!(expected, "history {number} has no order, and the checker found one"),
        Some(error @ CheckError::Violation(_)) => {
            assert!(!expected, "history {number} has an order: {error}");
        }
        Some(other) => panic!("history {number}: {other}"),
    }
    expected
}
