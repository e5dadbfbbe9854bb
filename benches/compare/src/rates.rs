//! What can be done in a second, and how long one operation takes.

use crate::Plan;
use crate::engine::Contender;
use crate::line::{Figure, Line, Target, Unit};
use crate::measure::{Sample, Series};
use crate::process::{self, Process};
use crate::turns::Turns;
use crate::workload::{Action, Goal, Home, Workload};

/// All of these workloads, which are at home here, and whose contenders are filled once.
pub fn measured(home: Home, workloads: &[&'static Workload], plan: &Plan) -> Vec<Line> {
    if workloads.is_empty() {
        return Vec::new();
    }
    let directory = plan.data.directory();
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
    let goals = workloads
        .iter()
        .flat_map(|workload| workload.goals.iter().map(move |goal| (*workload, goal)));
    goals.flat_map(|(workload, goal)| by_turns(workload, goal, &mut processes, plan)).collect()
}

fn by_turns(workload: &Workload, goal: &Goal, processes: &mut [Process], plan: &Plan) -> Vec<Line> {
    let mut processes: Vec<_> =
        processes.iter_mut().filter(|process| workload.takes(&process.contender)).collect();
    let mut samples: Vec<_> = vec![Vec::new(); processes.len()];
    process::warm_up(&mut processes);
    let mut turns = Turns::of(&format!("{} {}", workload.name, goal.threads));
    for number in 0..plan.rounds {
        for index in turns.next(processes.len()) {
            let process = &mut processes[index];
            samples[index].push(process.round(workload, goal.threads, plan.length, number));
        }
    }
    let contenders: Vec<_> = processes.iter().map(|process| process.contender).collect();
    let lines = lines(workload, goal, &contenders, &samples);
    let shown = lines[0].ratio().map_or(f64::NAN, |ratio| ratio.median());
    let rates = lines[0].figures.iter().map(|figure| {
        let rate = Unit::PerSecond.show(figure.series.median());
        format!("{} {rate}", figure.name)
    });
    eprintln!(
        "{}: {shown:.2} of {}; {}",
        lines[0].name(),
        goal.rival,
        rates.collect::<Vec<_>>().join(", ")
    );
    lines
}

fn lines(
    workload: &Workload,
    goal: &Goal,
    contenders: &[Contender],
    samples: &[Vec<Sample>],
) -> Vec<Line> {
    let line = |figure, unit, target: Option<f64>, of: fn(&Sample) -> f64| {
        let figures = contenders.iter().zip(samples).map(|(contender, samples)| {
            let series = |of: fn(&Sample) -> f64| Series(samples.iter().map(of).collect());
            let cpu = Some(series(|sample| sample.cpu));
            let (name, is_limit) = (contender.name, contender.is_limit);
            Figure { name, series: series(of), cpu, by_round: None, is_limit }
        });
        Line {
            heading: workload.home.heading(),
            workload: workload.name,
            threads: goal.threads,
            figure,
            unit,
            target: target.map(Target::Ratio),
            rival: Some(goal.rival),
            figures: figures.collect(),
            missing: None,
            by_cpu_time: None,
        }
    };
    let mut rate = line("rate", Unit::PerSecond, goal.ratio, |sample| sample.rate);
    if workload.home == Home::Memory {
        let by_cpu = line("", Unit::PerSecond, None, |sample| sample.rate / sample.cpu);
        rate.by_cpu_time = by_cpu.ratio().map(|ratio| ratio.median());
    }
    if matches!(workload.action, Action::InFlight(_)) {
        // What is timed is a turn of the loop.
        return vec![rate];
    }
    let p99 = line("p99", Unit::Seconds, goal.p99, |sample| sample.p99);
    let worst = line("worst pause", Unit::Seconds, None, |sample| sample.worst);
    vec![rate, p99, worst.of_all_rounds()]
}
