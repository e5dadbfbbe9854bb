//! By how many follow all writes, and by how many snapshots are kept. What is written by hand has neither.

use super::{Growth, Reach, extend, rounds};
use crate::Plan;
use crate::engine::Burden;
use crate::engines::OURS;
use crate::line::Unit;
use crate::process::Process;
use crate::workload::Home;

pub fn growth(plan: &Plan, reach: Reach) -> [Growth; 2] {
    let ours = Home::Memory.contenders().iter().find(|one| one.name == OURS);
    let ours = *ours.expect("it takes part");
    let mut processes = [Process::start(Home::Memory, ours, ".".as_ref(), plan.keys).0];
    let most = if reach == Reach::Tiny { 1 } else { 1000 };
    let mut curves_of = |places: &[usize], burden: fn(usize) -> Burden| {
        let mut curves = Vec::new();
        for place in places.iter().filter(|place| **place <= most) {
            for threads in [1, 2] {
                let burden = burden(*place);
                let rates = rounds(&mut processes, "swap", threads, plan, |one| one.burden(burden));
                let name = format!("{OURS}, {threads} writing");
                extend(&mut curves, *place as f64, [name].into_iter().zip(rates));
            }
        }
        curves
    };
    let snapshots = curves_of(&[0, 1, 2, 4, 8], |snapshots| Burden { watchers: 0, snapshots });
    let watchers = curves_of(&[0, 1, 10, 100, 1000], |watchers| Burden { watchers, snapshots: 0 });
    let growth = |file, by, curves| Growth {
        file,
        title: "reads with a swap, uniform",
        by,
        unit: Unit::PerSecond,
        curves,
    };
    [
        growth("growth-snapshots.svg", "snapshots taken before each round and kept", snapshots),
        growth("growth-watchers.svg", "watches of all writes, taken by one thread", watchers),
    ]
}
