//! The same over a network, with 64 connections that are kept: ours beside a bare route, Redis, and etcd.
//!
//! Servers and load share the machine's processors; the load is the same for all but for the protocol. Of 10,000 keys: it is the
//! way to them that is measured. Redis is spoken to in its own protocol, which takes less than HTTP; etcd in its own, too, by
//! gRPC: its gateway of JSON halves what it does.

#[cfg(feature = "etcd")]
mod etcd;
mod load;
mod protocol;
pub mod served;
mod server;

use self::load::{Load, Task};
use self::server::{Contender, Kind, Server};
use crate::Plan;
use crate::engines::OURS;
use crate::line::{Figure, Line, Target, Unit};
use crate::measure::{Sample, Series};
use crate::turns::Turns;

const CONNECTIONS: usize = 64;
const KEYS: u32 = 10_000;

/// One table.
struct Workload {
    name: &'static str,
    heading: &'static str,
    task: Task,
    contenders: &'static [Contender],
    /// Whom ours is measured by, and at least by which ratio.
    goals: &'static [(&'static str, Option<f64>)],
}

const BY_HAND: &str = "axum + DashMap by hand";
const REDIS_ALWAYS: &str = "Redis, always";
const ETCD: &str = "etcd";

const fn contender(name: &'static str, kind: Kind) -> Contender {
    Contender { name, kind }
}

static WORKLOADS: [Workload; 4] = [
    Workload {
        name: "http-get",
        heading: "HTTP, in memory",
        task: Task::Get,
        contenders: &IN_MEMORY,
        goals: &[(BY_HAND, Some(0.95))],
    },
    Workload {
        name: "http-swap",
        heading: "HTTP, in memory",
        task: Task::GetSwap,
        contenders: &IN_MEMORY,
        goals: &[(BY_HAND, None)],
    },
    Workload {
        name: "http-logged",
        heading: "HTTP, what is written survives the process",
        task: Task::GetSwap,
        contenders: &[
            contender(OURS, Kind::Own("buffered")),
            contender("Redis, no", Kind::Redis("no")),
            contender("Redis, everysec", Kind::Redis("everysec")),
        ],
        goals: &[("Redis, no", None)],
    },
    Workload {
        name: DURABLE,
        heading: "HTTP, what is written survives a power cut",
        task: Task::GetSwap,
        contenders: &[
            contender(OURS, Kind::Own("sync")),
            contender(REDIS_ALWAYS, Kind::Redis("always")),
            contender(ETCD, Kind::Etcd),
        ],
        goals: &[(REDIS_ALWAYS, Some(1.5)), (ETCD, Some(5.0))],
    },
];

static IN_MEMORY: [Contender; 2] =
    [contender(OURS, Kind::Own("memory")), contender(BY_HAND, Kind::Own("by hand"))];

/// What has to be on a disk.
pub const DURABLE: &str = "http-durable";

/// As on the command line.
pub fn names() -> impl Iterator<Item = &'static str> {
    WORKLOADS.iter().map(|workload| workload.name)
}

/// Those that are chosen; and what is to be said of who is left out.
pub fn measured(is_chosen: impl Fn(&str) -> bool, plan: &Plan) -> (Vec<Line>, Vec<String>) {
    let (mut lines, mut notes) = (Vec::new(), Vec::<String>::new());
    for workload in WORKLOADS.iter().filter(|workload| is_chosen(workload.name)) {
        let directory = plan.data.directory();
        let (mut servers, mut missing) = (Vec::new(), Vec::new());
        for contender in workload.contenders {
            let own = directory.path().join(contender.name);
            std::fs::create_dir(&own).expect("it is new");
            match Server::start(*contender, &own) {
                Ok(server) => {
                    let load = Load::new(server.wire, server.port, CONNECTIONS, KEYS);
                    servers.push((contender.name, load, server));
                }
                Err(note) => {
                    if !notes.contains(&note) {
                        eprintln!("{note}");
                        notes.push(note.clone());
                    }
                    missing.push((contender.name, note));
                }
            }
        }
        let mut samples = vec![Vec::new(); servers.len()];
        let mut turns = Turns::of(workload.name);
        // The first round warms up.
        for number in 0..=plan.rounds {
            for index in turns.next(servers.len()) {
                let (_, load, server) = &mut servers[index];
                let cpu = || server.cpu_seconds();
                let sample = load.round(workload.task, KEYS, plan.length, number, cpu);
                if number > 0 {
                    samples[index].push(sample);
                }
            }
        }
        let names: Vec<_> = servers.iter().map(|(name, ..)| *name).collect();
        let measured = lines_of(workload, &names, &samples, &missing);
        let rates = measured[0].figures.iter().map(|figure| {
            let rate = Unit::PerSecond.show(figure.series.median());
            format!("{} {rate}", figure.name)
        });
        eprintln!("{}: {}", measured[0].name(), rates.collect::<Vec<_>>().join(", "));
        lines.extend(measured);
    }
    (lines, notes)
}

fn lines_of(
    workload: &Workload,
    names: &[&'static str],
    samples: &[Vec<Sample>],
    missing: &[(&str, String)],
) -> Vec<Line> {
    let line = |figure, unit, rival, target: Option<f64>, of: fn(&Sample) -> f64| {
        let figures = names.iter().zip(samples).map(|(name, samples)| {
            let series = |of: fn(&Sample) -> f64| Series(samples.iter().map(of).collect());
            Figure { cpu: Some(series(|sample| sample.cpu)), ..Figure::new(name, series(of)) }
        });
        let missing = missing.iter().find(|(name, _)| *name == rival);
        Line {
            heading: workload.heading,
            workload: workload.name,
            threads: CONNECTIONS,
            figure,
            unit,
            target: target.map(Target::Ratio),
            rival: Some(rival),
            figures: figures.collect(),
            missing: missing.map(|(_, note)| note.clone()),
            by_cpu_time: None,
        }
    };
    let rates = workload.goals.iter().map(|(rival, goal)| {
        let mut rate = line("rate", Unit::PerSecond, *rival, *goal, |sample| sample.rate);
        if matches!(workload.contenders[0].kind, Kind::Own("memory")) {
            let by_cpu = line("", Unit::PerSecond, *rival, None, |sample| sample.rate / sample.cpu);
            rate.by_cpu_time = by_cpu.ratio().map(|ratio| ratio.median());
        }
        rate
    });
    let mut lines: Vec<_> = rates.collect();
    let (rival, _) = workload.goals[0];
    lines.push(line("p99", Unit::Seconds, rival, None, |sample| sample.p99));
    let worst = line("worst pause", Unit::Seconds, rival, None, |sample| sample.worst);
    lines.push(worst.of_all_rounds());
    lines
}
