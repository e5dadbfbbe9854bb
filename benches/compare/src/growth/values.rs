//! By how large values are.

use super::{Growth, Reach, extend, rounds};
use crate::Plan;
use crate::line::Unit;
use crate::plot::Scale;
use crate::process::Process;
use crate::workload::Home;

/// Few enough that the largest values fit into memory.
const KEYS: u32 = 5_000;

pub fn growth(plan: &Plan, reach: Reach) -> [Growth; 2] {
    let (mut gets, mut swaps) = (Vec::new(), Vec::new());
    let most = if reach == Reach::Tiny { 256 } else { 64 << 10 };
    let all = [16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10];
    for bytes in all.into_iter().filter(|bytes| *bytes <= most) {
        let contenders = Home::Sized.contenders().iter();
        let mut processes: Vec<_> = contenders
            .map(|one| Process::of_values(Home::Sized, *one, ".".as_ref(), KEYS, bytes).0)
            .collect();
        for (curves, workload) in [(&mut gets, "get"), (&mut swaps, "swap")] {
            let rates = rounds(&mut processes, workload, 1, plan, |_| (), |_| ());
            let names = processes.iter().map(|process| process.contender.name.to_owned());
            extend(curves, bytes as f64, names.zip(rates));
        }
    }
    let growth = |file, title, curves| Growth {
        file,
        title,
        by: "bytes of a value (`Arc<[u8]>`)",
        unit: Unit::PerSecond,
        scale: Scale::Logarithmic,
        curves,
        notes: Vec::new(),
    };
    [
        growth("growth-values-get.svg", "reads, 1 thread, 5,000 keys", gets),
        growth("growth-values-swap.svg", "reads with a swap, 1 thread, 5,000 keys", swaps),
    ]
}
