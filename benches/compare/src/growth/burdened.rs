//! By how many follow all writes, and by how many snapshots are kept. What is written by hand has neither.

use super::{Growth, Reach, extend, rounds};
use crate::Plan;
use crate::engine::{Burden, Heard};
use crate::engines::OURS;
use crate::line::Unit;
use crate::plot::Scale;
use crate::process::Process;
use crate::workload::Home;

/// What watches were told in all rounds.
#[derive(Default)]
struct Told {
    events: u64,
    lags: u64,
    lagging: Vec<usize>,
}

impl Told {
    fn add(&mut self, heard: Heard) {
        self.events += heard.events;
        self.lags += heard.lags;
        self.lagging.push(heard.lagging);
    }

    /// Nothing without watches.
    fn note(self, watchers: usize, threads: usize, plan: &Plan, rate: f64) -> Option<String> {
        let most = self.lagging.into_iter().max().filter(|_| watchers > 0)?;
        let seconds = plan.rounds as f64 * plan.length.as_secs_f64();
        let events = self.events as f64 / seconds;
        let share = events / (rate * watchers as f64) * 100.0;
        Some(format!(
            "{watchers} watching, {threads} writing: all watches together received {} events, {share:.1} % of those that were \
             written; told that they lag: up to {most} of {watchers} in a round, {} times in all",
            Unit::PerSecond.show(events),
            self.lags
        ))
    }
}

pub fn growth(plan: &Plan, reach: Reach) -> [Growth; 2] {
    let ours = Home::Memory.contenders().iter().find(|one| one.name == OURS);
    let ours = *ours.expect("it takes part");
    let mut processes = [Process::start(Home::Memory, ours, ".".as_ref(), plan.keys).0];
    let most = if reach == Reach::Tiny { 1 } else { 1000 };
    let mut curves_of = |places: &[usize], burden: fn(usize) -> Burden| {
        let (mut curves, mut notes) = (Vec::new(), Vec::new());
        for place in places.iter().filter(|place| **place <= most) {
            for threads in [1, 2] {
                let burden = burden(*place);
                let mut told = Told::default();
                let before = |one: &mut Process| {
                    one.burden(burden);
                    // What came between the rounds is not of this one.
                    one.heard();
                };
                let after = |one: &mut Process| told.add(one.heard());
                let rates = rounds(&mut processes, "swap", threads, plan, before, after);
                notes.extend(told.note(burden.watchers, threads, plan, rates[0].median()));
                let name = format!("{OURS}, {threads} writing");
                extend(&mut curves, *place as f64, [name].into_iter().zip(rates));
            }
        }
        (curves, notes)
    };
    let snapshots = curves_of(&[0, 1, 2, 4, 8], |snapshots| Burden { watchers: 0, snapshots });
    let watchers = curves_of(&[0, 1, 10, 100, 1000], |watchers| Burden { watchers, snapshots: 0 });
    let growth = |file, by, (curves, notes)| Growth {
        file,
        title: "reads with a swap, uniform",
        by,
        unit: Unit::PerSecond,
        scale: Scale::Linear,
        curves,
        notes,
    };
    [
        growth("growth-snapshots.svg", "snapshots taken before each round and kept", snapshots),
        growth("growth-watchers.svg", "watches of all writes, taken by one thread", watchers),
    ]
}
