//! By how many keys there are.

use super::{Growth, Reach, extend, rounds};
use crate::Plan;
use crate::engines::{BY_HAND, OURS};
use crate::line::Unit;
use crate::plot::Scale;
use crate::process::Process;
use crate::workload::Home;

pub fn growth(plan: &Plan, reach: Reach) -> [Growth; 2] {
    let all = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000];
    let most = match reach {
        Reach::Tiny => 10_000,
        Reach::Quick => 1_000_000,
        Reach::Full => 10_000_000,
    };
    let (mut gets, mut swaps) = (Vec::new(), Vec::new());
    for keys in all.into_iter().filter(|keys| *keys <= most) {
        let contenders = Home::Memory.contenders().iter();
        let contenders = contenders.filter(|one| [OURS, BY_HAND].contains(&one.name));
        let mut processes: Vec<_> = contenders
            .map(|one| Process::start(Home::Memory, *one, ".".as_ref(), keys).0)
            .collect();
        for (curves, workload) in [(&mut gets, "get"), (&mut swaps, "swap")] {
            let rates = rounds(&mut processes, workload, 1, plan, |_| (), |_| ());
            let names = processes.iter().map(|process| process.contender.name.to_owned());
            extend(curves, f64::from(keys), names.zip(rates));
        }
    }
    let growth = |file, title, curves| Growth {
        file,
        title,
        by: "keys",
        unit: Unit::PerSecond,
        scale: Scale::Logarithmic,
        curves,
        notes: Vec::new(),
    };
    [
        growth("growth-keys-get.svg", "reads, 1 thread, uniform", gets),
        growth("growth-keys-swap.svg", "reads with a swap, 1 thread, uniform", swaps),
    ]
}
