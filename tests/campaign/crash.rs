//! Crashes at every call that a store makes, and disks that fail at every call.

mod camera;
mod fixed;
mod found;
mod history;
mod operations;
mod run;

use std::time::Duration;

use ifmatch::Durability;

use crate::command::{Campaign, Options, Outcome, Size};
use crate::common::Random;
use crate::workers::{self, End};

use fixed::Depth;
use found::Setup;
use run::Run;

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "crash",
    about: "power cuts, kills and failing calls, at every call of the log, on a simulated disk",
    unit: "points",
    in_tests: true,
    run,
};

/// For as long as it takes, a minute or so.
const USUAL: Depth = Depth { pictures: 64, after_fault: 50, one_in: 1 };

fn run(options: &Options) -> Outcome {
    let (seed, workers) = (options.seed, options.workers);
    if let Some(only) = &options.only {
        let (points, violations) = match only.strip_prefix("fixed-") {
            Some(number) => {
                let found = fixed::enumerate(seed, USUAL, 1, Some(number.parse().unwrap()));
                (found.points, found.violations)
            }
            None => {
                let (points, violation) = random_run(seed, only.parse().unwrap());
                (points, violation.into_iter().collect())
            }
        };
        return Outcome { points, violations };
    }
    let (depth, end) = match options.size {
        Size::Test => (Depth { pictures: 1, after_fault: 2, one_in: 61 }, End::After(10)),
        Size::Usual => (USUAL, End::After(10_000)),
        Size::Count(count) => {
            (Depth { pictures: 8, after_fault: 30, one_in: 1 }, End::After(count))
        }
        Size::Until(time) => (USUAL, End::At(time)),
    };
    let enumerated = fixed::enumerate(seed, depth, workers, None);
    if !enumerated.violations.is_empty() {
        return Outcome { points: enumerated.points, violations: enumerated.violations };
    }
    let random = workers::each("crash, at random", workers, end, |number, (): &mut ()| {
        random_run(seed, number)
    });
    let violations = random.violations.into_values().collect();
    Outcome { points: enumerated.points + random.points, violations }
}

fn random_run(seed: u64, number: u64) -> (u64, Option<String>) {
    let mut random = Random::of(seed, number);
    let durability = match random.below(5) {
        0..=2 => Durability::Sync,
        3 => Durability::Buffered,
        _ => Durability::Interval(Duration::ZERO),
    };
    let block = *random.pick(&[16, 64, 1 << 20]);
    let steps = 10 + random.below(40);
    let operations = operations::random(&mut random, steps);
    let mut run = Run::new(random, Setup { durability, block }, 1);
    run.crashes_in_recovery = true;
    let violation = run.play(&operations).err().map(|what| {
        format!(
            "{what}\n{durability:?}\nreplay: cargo campaign crash --seed {seed} --only {number}"
        )
    });
    (run.points, violation)
}
