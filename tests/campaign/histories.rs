//! Random small histories of the store, each checked: what clients were told, in whatever order they came.
//!
//! Of four histories two are of threads that are all after one key or two, one is of threads on more keys, and one is of a store
//! that crashes and recovers. Those of HTTP clients are a test of their own, which needs more of the crate: see
//! `tests/client/histories.rs`.
//!
//! A seed and a number give the same plans, on the same kind of store. How real threads take turns is not repeatable, so a
//! violation leaves its history as a file, which can be checked again. `--only million` makes ten histories of a million calls.

mod crashes;
mod file;
mod large;
mod meeting;
mod pace;
mod plan;
mod setup;
mod threads;

use crate::command::{Campaign, Options, Outcome, Size};
use crate::common::Random;
use crate::workers::{self, End};

use plan::Verdict;

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
        if only == "million" {
            return run_large(seed, &options.size);
        }
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

/// Large ones, one after the other.
fn run_large(seed: u64, size: &Size) -> Outcome {
    let end = match size {
        Size::Count(count) => End::After(*count),
        Size::Until(time) => End::At(*time),
        Size::Test | Size::Usual => End::After(10),
    };
    let total = workers::each("histories", 1, end, |number, (): &mut ()| {
        (1, large::million(seed, number).err())
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
    let (kind, history) = match number % 4 {
        0 | 1 => threads::race(&mut random, true),
        2 => threads::race(&mut random, false),
        _ => crashes::lives(&mut random),
    };
    let checked = history.and_then(|history| file::check(&history, &format!("{seed}-{number}")));
    checked.map_err(|what| {
        format!(
            "{what}\n{kind}\nthe same plans: cargo campaign histories --seed {seed} --only {number}"
        )
    })
}
