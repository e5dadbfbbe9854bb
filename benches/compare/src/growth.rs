//! How costs grow: `cargo compare growth`, a curve for each contender, by one quantity at a time.

mod burdened;
mod keys;
mod log;
mod threads;
mod values;

use std::path::Path;

use serde_json::{Value, json};

use crate::Plan;
use crate::line::Unit;
use crate::measure::{Sample, Series};
use crate::plot::{self, Curve, Scale};
use crate::process::{self, Process};
use crate::turns::Turns;
use crate::workload::Workload;

/// As on the command line. It is no part of a run without names: it takes longer than the rest.
pub const NAME: &str = "growth";

/// One plot.
#[derive(Clone, Debug)]
pub struct Growth {
    file: &'static str,
    title: &'static str,
    by: &'static str,
    unit: Unit,
    scale: Scale,
    curves: Vec<Curve>,
    /// What there is to say beside, a sentence each.
    notes: Vec<String>,
}

impl Growth {
    /// The title, and what there is to say beside.
    #[must_use]
    pub fn notes(&self) -> Option<(String, &[String])> {
        let title = || (format!("{}, by {}", self.title, self.by), &self.notes[..]);
        (!self.notes.is_empty()).then(title)
    }
}

/// How far it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// To see that it runs.
    Tiny,
    /// In minutes.
    Quick,
    /// All the way.
    #[default]
    Full,
}

/// All plots, each of which is told when it is there.
pub fn measured<E>(
    plan: &Plan,
    reach: Reach,
    mut tell: impl FnMut(&[Growth]) -> Result<(), E>,
) -> Result<(), E> {
    tell(&keys::growth(plan, reach))?;
    tell(&threads::growth(plan, reach))?;
    tell(&values::growth(plan, reach))?;
    tell(&burdened::growth(plan, reach))?;
    tell(&log::growth(plan, reach))
}

/// Rounds of all of them, by turns, each told `before` first and `after` in the end.
fn rounds(
    processes: &mut [Process],
    workload: &str,
    threads: usize,
    plan: &Plan,
    mut before: impl FnMut(&mut Process),
    mut after: impl FnMut(&mut Process),
) -> Vec<Series> {
    let workload = Workload::named(workload).expect("there is such a workload");
    let mut series = vec![Series::default(); processes.len()];
    process::warm_up(&mut processes.iter_mut().collect::<Vec<_>>());
    let mut turns = Turns::of(&format!("growth {} {threads}", workload.name));
    for number in 0..plan.rounds {
        for index in turns.next(processes.len()) {
            before(&mut processes[index]);
            let Sample { rate, .. } =
                processes[index].round(workload, threads, plan.length, number);
            after(&mut processes[index]);
            series[index].0.push(rate);
        }
    }
    series
}

/// Puts what was measured at one place at the end of each curve.
fn extend(
    curves: &mut Vec<Curve>,
    place: f64,
    figures: impl IntoIterator<Item = (String, Series)>,
) {
    for (name, series) in figures {
        eprintln!("growth: {name} at {place}: {:.3e}", series.median());
        match curves.iter_mut().find(|curve| curve.name == name) {
            Some(curve) => curve.points.push((place, series)),
            None => curves.push(Curve { name, points: vec![(place, series)] }),
        }
    }
}

/// Draws them, and returns the files' names.
pub fn draw(
    directory: &Path,
    growths: &[Growth],
) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    for growth in growths {
        let Growth { file, title, by, unit, scale, curves, .. } = growth;
        plot::curves(&directory.join(file), title, by, (*unit, *scale), curves)?;
    }
    Ok(growths.iter().map(|growth| growth.file.to_owned()).collect())
}

/// With the raw figures.
#[must_use]
pub fn json(growths: &[Growth]) -> Value {
    let one = |growth: &Growth| {
        let curve = |curve: &Curve| {
            let points =
                curve.points.iter().map(|(at, series)| json!({"at": at, "figures": series.0}));
            json!({"name": curve.name, "points": points.collect::<Vec<_>>()})
        };
        let curves: Vec<_> = growth.curves.iter().map(curve).collect();
        json!({"title": growth.title, "by": growth.by, "curves": curves, "notes": growth.notes})
    };
    growths.iter().map(one).collect()
}
