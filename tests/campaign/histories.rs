//! Random small histories of the store, each checked: what clients were told, in whatever order they came.
//!
//! A seed and a number give the same plans, on the same kind of store. How real threads take turns is not repeatable, so a
//! violation leaves its history as a file, which can be checked again.

mod file;
mod plan;
mod setup;
mod threads;

use crate::command::{Campaign, Options, Outcome, Size};
use crate::common::Random;
use crate::workers::{self, End};

use file::Verdict;

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "histories",
    about: "what racing clients are told, checked for linearizability; --only FILE.jsonl checks one again",
    unit: "histories",
    in_tests: true,
    run,
};

/// How often a single run is repeated: its threads take turns in another way each time.
const AGAIN: u64 = 1000;

type Operation = ifmatch::testing::StoreOperation<String, u64>;
type Told = ifmatch::testing::StoreOutcome<String, u64>;
type History = ifmatch::testing::History<Operation, Told>;
type Recorder = ifmatch::testing::Recorder<Operation, Told>;
type Store = ifmatch::Store<String, u64>;

fn run(options: &Options) -> Outcome {
    let seed = options.seed;
    if let Some(only) = &options.only {
        return run_only(seed, only);
    }
    let end = match options.size {
        Size::Test => End::After(100),
        Size::Usual => End::After(20_000),
        Size::Count(count) => End::After(count),
        Size::Until(time) => End::At(time),
    };
    let total = workers::each("histories", options.workers, end, |number, (): &mut ()| {
        (1, one(seed, number).err())
    });
    Outcome { points: total.points, violations: total.violations.into_values().collect() }
}

fn run_only(seed: u64, only: &str) -> Outcome {
    let Ok(number) = only.parse() else {
        let violations = file::check_again(only).err().into_iter().collect();
        return Outcome { points: 1, violations };
    };
    let mut outcome = Outcome::default();
    while outcome.points < AGAIN && outcome.violations.is_empty() {
        outcome.points += 1;
        outcome.violations.extend(one(seed, number).err());
    }
    outcome
}

/// One history, which is what a seed and a number make of it, but for the turns that threads take.
fn one(seed: u64, number: u64) -> Verdict {
    let mut random = Random::of(seed, number);
    let (kind, history) = threads::race(&mut random);
    file::check(&history, &format!("{seed}-{number}")).map_err(|what| {
        format!(
            "{what}\n{kind}\nthe same plans: cargo campaign histories --seed {seed} --only {number}"
        )
    })
}
