//! The crate side by side with its rivals, in one run: `cargo compare`, `cargo compare get swap`, `cargo compare --quick`,
//! `--json FILE`.
//!
//! All contenders of a workload are filled with the same keys, and take turns in rounds; a ratio is taken within a round, and
//! its median, least and most are shown. The machine may be shared and noisy: what disturbs a round disturbs all.

mod amounts;
mod engine;
mod engines;
mod keys;
mod measure;
mod process;
mod report;
mod workload;

use std::process::ExitCode;
use std::time::Duration;

use crate::measure::Series;
use crate::process::{Process, SERVE};
use crate::report::{Figures, Row};
use crate::workload::{Goal, Home, WORKLOADS, Workload};

/// How much is done. Rounds are short, so that nobody waits for long: a host may take memory that was not touched for some
/// seconds from a machine that is not real, and reading it is a hundred times slower then.
struct Plan {
    keys: u32,
    rounds: u64,
    length: Duration,
}

const FULL: Plan = Plan { keys: 1_000_000, rounds: 21, length: Duration::from_millis(250) };
const QUICK: Plan = Plan { keys: 200_000, rounds: 5, length: Duration::from_millis(100) };

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let Some((SERVE, told)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        process::serve(told);
        return ExitCode::SUCCESS;
    }
    let (mut plan, mut json, mut names) = (FULL, None, Vec::new());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => plan = QUICK,
            "--json" => json = arguments.next(),
            name if all_names().any(|known| known == name) => names.push(argument),
            _ => {
                let names: Vec<_> = all_names().collect();
                eprintln!("cargo compare [--quick] [--json FILE] [WORKLOAD ...]");
                eprintln!("workloads: {}", names.join(", "));
                return ExitCode::from(2);
            }
        }
    }
    let is_chosen = |name: &str| names.is_empty() || names.iter().any(|chosen| chosen == name);
    let chosen: Vec<_> = WORKLOADS.iter().filter(|workload| is_chosen(workload.name)).collect();
    let rows = rates_of(&chosen, &plan);
    let mut amounts = Vec::new();
    if is_chosen("memory") {
        amounts.push(amounts::memory(&plan));
    }
    if is_chosen("open") {
        amounts.extend(amounts::open(&plan));
    }
    print!("{}", report::table(&rows, &amounts));
    match json.map(|path| std::fs::write(path, report::json(&rows, &amounts))) {
        Some(Err(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn all_names() -> impl Iterator<Item = &'static str> {
    WORKLOADS.iter().map(|workload| workload.name).chain(amounts::NAMES)
}

/// What can be done in a second.
fn rates_of(chosen: &[&Workload], plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for home in Home::ALL {
        let workloads: Vec<_> = chosen.iter().filter(|workload| workload.home == home).collect();
        if workloads.is_empty() {
            continue;
        }
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let mut processes: Vec<_> = home
            .contenders()
            .iter()
            .map(|contender| {
                let own = directory.path().join(contender.name);
                std::fs::create_dir(&own).expect("it is new");
                let (process, filled) = Process::start(home, *contender, &own, plan.keys);
                let (home, name) = (home.name(), contender.name);
                eprintln!("{home}: {name} has {} keys after {:.1} s", plan.keys, filled.seconds);
                process
            })
            .collect();
        for workload in workloads {
            rows.extend(measured(workload, &mut processes, plan));
        }
    }
    rows
}

fn measured(workload: &Workload, processes: &mut [Process], plan: &Plan) -> Vec<Row> {
    let row = |goal: &Goal| {
        let mut figures: Vec<_> =
            processes.iter().map(|process| Figures::new(process.contender.name)).collect();
        process::warm_up(processes);
        for number in 0..plan.rounds {
            // Nobody is always first.
            for turn in 0..processes.len() {
                let index = (turn + number as usize) % processes.len();
                let process = &mut processes[index];
                figures[index].push(process.round(workload, goal.threads, plan.length, number));
            }
        }
        let row = Row { workload: workload.name, goal: *goal, figures };
        eprintln!("{row}");
        row
    };
    workload.goals.iter().map(row).collect()
}

/// Rates of a contender, by round.
#[must_use]
fn rates(figures: &Figures) -> Series {
    Series(figures.samples.iter().map(|sample| sample.rate).collect())
}
