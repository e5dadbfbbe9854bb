//! Every call of some fixed workloads, and every way in which it can end.

use std::collections::BTreeMap;
use std::time::Duration;

use ifmatch::Durability;
use ifmatch::testing::disk::{Call, Fault};

use super::camera::Phase;
use super::found::Setup;
use super::operations::{self, Operation};
use super::run::Run;
use crate::common::Random;
use crate::workers::{self, End};

/// How much is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Depth {
    /// Pictures of each call.
    pub(super) pictures: u64,
    /// After a call that went wrong, one picture of each of so many.
    pub(super) after_fault: u64,
    /// One in so many of the calls go wrong.
    pub(super) one_in: usize,
}

struct Workload {
    setup: Setup,
    operations: Vec<Operation>,
    /// Its calls, if nothing goes wrong.
    trace: Vec<(Call, Phase)>,
}

#[derive(Clone, Copy)]
enum Job {
    Pictures { workload: usize },
    Fault { workload: usize, number: usize, fault: Fault },
}

/// Of one kind of call in one phase, how many there were, and how many of them ended in each way.
#[derive(Clone, Copy, Default)]
struct Row {
    calls: u64,
    crashes: u64,
    faults: [u64; Fault::ALL.len()],
}

type Table = BTreeMap<(Phase, Call), Row>;

pub(super) struct Found {
    pub(super) points: u64,
    pub(super) violations: Vec<String>,
}

fn new_run(seed: u64, workload: usize, setup: Setup) -> Run {
    Run::new(Random::of(seed, !u64::try_from(workload).unwrap()), setup, 0)
}

fn workloads(seed: u64, points: &mut u64) -> Result<Vec<Workload>, String> {
    let durabilities =
        [Durability::Sync, Durability::Buffered, Durability::Interval(Duration::ZERO)];
    let mut workloads = Vec::new();
    for operations in operations::fixed() {
        for durability in durabilities {
            // So few that some are reserved on the way.
            let setup = Setup { durability, block: 16 };
            let mut run = new_run(seed, workloads.len(), setup);
            run.camera.inside().trace = Some(Vec::new());
            let played = run.play(&operations);
            *points += run.points;
            played.map_err(|what| format!("{what}\n{durability:?}, with nothing that fails"))?;
            let trace = run.camera.inside().trace.take().unwrap_or_default();
            workloads.push(Workload { setup, operations: operations.clone(), trace });
        }
    }
    Ok(workloads)
}

/// All of it, or `only` the job with that number.
pub(super) fn enumerate(seed: u64, depth: Depth, workers: usize, only: Option<usize>) -> Found {
    let mut points = 0;
    let workloads = match workloads(seed, &mut points) {
        Ok(workloads) => workloads,
        Err(what) => return Found { points, violations: vec![what] },
    };
    let mut jobs: Vec<_> =
        (0..workloads.len()).map(|workload| Job::Pictures { workload }).collect();
    for (workload, Workload { trace, .. }) in workloads.iter().enumerate() {
        for (number, (call, _)) in trace.iter().enumerate() {
            let faults = Fault::ALL.into_iter().filter(|fault| fault.applies_to(*call));
            jobs.extend(faults.map(|fault| Job::Fault { workload, number, fault }));
        }
    }
    let complete = depth.one_in == 1 && only.is_none();
    let wanted: Vec<_> = (0..jobs.len())
        .filter(|number| match only {
            Some(only) => only == *number,
            None => *number < workloads.len() || number % depth.one_in == 0,
        })
        .collect();
    let end = End::After(u64::try_from(wanted.len()).unwrap());
    let total = workers::each("crash, every call", workers, end, |number, table: &mut Table| {
        let number = wanted[usize::try_from(number).unwrap()];
        let (points, done) = play(&workloads, jobs[number], seed, depth, table);
        let violation = done.err().map(|what| {
            format!("{what}\nreplay: cargo campaign crash --seed {seed} --only fixed-{number}")
        });
        (points, violation)
    });
    let mut violations: Vec<_> = total.violations.into_values().collect();
    let mut table = Table::new();
    for (call, phase) in workloads.iter().flat_map(|workload| &workload.trace) {
        table.entry((*phase, *call)).or_default().calls += 1;
    }
    for (at, row) in total.collected.into_iter().flatten() {
        let sum = table.entry(at).or_default();
        sum.crashes += row.crashes;
        sum.faults.iter_mut().zip(row.faults).for_each(|(sum, count)| *sum += count);
    }
    if complete && violations.is_empty() {
        violations.extend(print(&table));
    }
    Found { points: points + total.points, violations }
}

fn play(
    workloads: &[Workload],
    job: Job,
    seed: u64,
    depth: Depth,
    table: &mut Table,
) -> (u64, Result<(), String>) {
    let (Job::Pictures { workload: index } | Job::Fault { workload: index, .. }) = job;
    let workload = &workloads[index];
    let mut run = new_run(seed, index, workload.setup);
    match job {
        Job::Pictures { .. } => run.camera.inside().each = depth.pictures,
        Job::Fault { number, fault, .. } => run.plan(number, fault, depth.after_fault),
    }
    let mut done = run.play(&workload.operations);
    match job {
        Job::Pictures { .. } => {
            for (call, phase) in &workload.trace {
                table.entry((*phase, *call)).or_default().crashes += 1;
            }
        }
        Job::Fault { number, fault, .. } => {
            let (call, phase) = workload.trace[number];
            done = done.map_err(|what| {
                format!("{what}\nwith {fault:?} at call {number}, {call:?} in {phase:?}")
            });
            if run.camera.inside().hit == Some((call, phase, fault)) {
                let at = Fault::ALL.iter().position(|other| *other == fault).unwrap();
                table.entry((phase, call)).or_default().faults[at] += 1;
            } else if done.is_ok() {
                done = Err(format!("call {number} is not {call:?} in {phase:?} again"));
            }
        }
    }
    let durability = workload.setup.durability;
    let done = done.map_err(|what| format!("{what}\nworkload {index}, {durability:?}"));
    (run.points, done)
}

/// What was done, and what was left out.
fn print(table: &Table) -> Vec<String> {
    let mut missing = Vec::new();
    println!(
        "{:10} {:13} {:>5} {:>9}  EIO ENOSPC EINTR short",
        "phase", "call", "calls", "crashes"
    );
    for ((phase, call), row) in table {
        let mut line = format!(
            "{:10} {:13} {:>5} {:>9}",
            format!("{phase:?}"),
            format!("{call:?}"),
            row.calls,
            row.crashes
        );
        for (fault, done) in Fault::ALL.into_iter().zip(row.faults) {
            let applies = fault.applies_to(*call);
            line += &if applies { format!(" {done:>5}") } else { format!(" {:>5}", "-") };
            if applies && done != row.calls {
                missing.push(format!("{phase:?} {call:?} {fault:?}: {done} of {}", row.calls));
            }
        }
        println!("{line}");
        if row.crashes != row.calls {
            missing.push(format!("{phase:?} {call:?}: {} of {} crashes", row.crashes, row.calls));
        }
    }
    for call in Call::ALL {
        if !table.keys().any(|(_, made)| *made == call) {
            missing.push(format!("no workload makes {call:?}"));
        }
    }
    for phase in Phase::ALL {
        if !table.keys().any(|(in_phase, _)| *in_phase == phase) {
            missing.push(format!("no workload comes to {phase:?}"));
        }
    }
    missing
}
