//! Crashes at every call that a store makes, and disks that fail at every call.

mod camera;
mod found;
mod history;
mod operations;
mod run;

use std::time::Duration;

use ifmatch::Durability;

use crate::command::{Campaign, Options, Outcome, Size};
use crate::random::Random;
use crate::workers::{self, End};

use found::Setup;
use run::Run;

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "crash",
    about: "power cuts, kills and failing calls, at every call of the log, on a simulated disk",
    run,
};

fn setup(random: &mut Random) -> Setup {
    let durability = match random.below(5) {
        0..=2 => Durability::Sync,
        3 => Durability::Buffered,
        _ => Durability::Interval(Duration::ZERO),
    };
    Setup { durability }
}

fn run(options: &Options) -> Outcome {
    let seed = options.seed;
    let random_run = |number: u64, _: &mut ()| {
        let mut random = Random::of(seed, number);
        let setup = setup(&mut random);
        let steps = 10 + random.below(40);
        let operations = operations::random(&mut random, steps);
        let mut run = Run::new(random, setup, 1);
        let violation = run.play(&operations).err().map(|what| {
            format!(
                "{what}\n{:?}, run {number}: cargo campaign crash --seed {seed} --only {number}",
                setup.durability
            )
        });
        (run.points, violation)
    };
    if let Some(only) = &options.only {
        let (points, violation) = random_run(only.parse().unwrap(), &mut ());
        return Outcome { points, violations: violation.into_iter().collect() };
    }
    let end = match options.size {
        Size::Test => End::After(20),
        Size::Usual => End::After(20_000),
        Size::Count(count) => End::After(count),
        Size::Until(time) => End::At(time),
    };
    let total = workers::each::<()>("crash", options.workers, end, random_run);
    Outcome { points: total.points, violations: total.violations.into_values().collect() }
}
