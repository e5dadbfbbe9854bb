//! By how many threads there are.

use super::{Growth, Reach, extend, rounds};
use crate::Plan;
use crate::engines::{BY_HAND, BY_HAND_LOG, OURS};
use crate::line::Unit;
use crate::plot::Scale;
use crate::process::Process;
use crate::workload::Home;

pub fn growth(plan: &Plan, reach: Reach) -> Vec<Growth> {
    let kinds = [
        (Home::Memory, "get-zipf", "growth-threads-get.svg", "reads, zipf"),
        (Home::Memory, "swap-zipf", "growth-threads-swap.svg", "reads with a swap, zipf"),
        (
            Home::Durable,
            "durable",
            "growth-threads-durable.svg",
            "reads with a durable swap, uniform",
        ),
    ];
    let most = if reach == Reach::Tiny { 2 } else { 64 };
    let growth = |(home, workload, file, title): (Home, _, _, _)| {
        let directory = plan.data.directory();
        let contenders = home.contenders().iter();
        let contenders = contenders.filter(|one| [OURS, BY_HAND, BY_HAND_LOG].contains(&one.name));
        let mut processes: Vec<_> = contenders
            .map(|one| {
                let own = directory.path().join(one.name);
                std::fs::create_dir(&own).expect("it is new");
                Process::start(home, *one, &own, plan.keys).0
            })
            .collect();
        let mut curves = Vec::new();
        for threads in [1, 2, 4, 8, 16, 32, 64].into_iter().filter(|threads| *threads <= most) {
            let rates = rounds(&mut processes, workload, threads, plan, |_| (), |_| ());
            let names = processes.iter().map(|process| process.contender.name.to_owned());
            extend(&mut curves, threads as f64, names.zip(rates));
        }
        Growth {
            file,
            title,
            by: "threads",
            unit: Unit::PerSecond,
            scale: Scale::Linear,
            curves,
            notes: Vec::new(),
        }
    };
    kinds.into_iter().map(growth).collect()
}
