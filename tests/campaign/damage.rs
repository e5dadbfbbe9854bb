//! Damage of every kind at every place: nothing is ever lost in silence.
//!
//! Three logs with a checkpoint and many segments (`damage/image.rs`), each damaged in every way (`damage/harm.rs`), are
//! opened, and what comes of it is judged by their bytes as `FORMAT.md` states them (`damage/verdict.rs`).

mod harm;
mod image;
mod verdict;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use self::harm::Harm;
use self::image::{Image, STOPS};
use self::verdict::{VERDICTS, Verdict, judge, sound};
use crate::command::{Campaign, Options, Outcome, Size};

/// How often each kind of damage came to what.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<&'static str, BTreeMap<Verdict, u64>>);

impl Table {
    fn count(&mut self, harm: Harm, verdict: Verdict) {
        *self.0.entry(harm.kind()).or_default().entry(verdict).or_default() += 1;
    }

    fn merge(&mut self, other: Self) {
        for (kind, verdicts) in other.0 {
            for (verdict, count) in verdicts {
                *self.0.entry(kind).or_default().entry(verdict).or_default() += count;
            }
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().flat_map(BTreeMap::values).sum()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "| {:28}", "damage")?;
        VERDICTS.iter().try_for_each(|(_, name)| write!(f, " | {name:>9}"))?;
        writeln!(f, " |")?;
        write!(f, "| {:-<28}", "")?;
        VERDICTS.iter().try_for_each(|_| write!(f, " | {:->8}:", ""))?;
        writeln!(f, " |")?;
        for (kind, verdicts) in &self.0 {
            write!(f, "| {kind:28}")?;
            for (verdict, _) in VERDICTS {
                write!(f, " | {:>9}", verdicts.get(&verdict).copied().unwrap_or(0))?;
            }
            writeln!(f, " |")?;
        }
        Ok(())
    }
}

pub(crate) const CAMPAIGN: Campaign =
    Campaign { name: "damage", about: "logs damaged in every way at every byte", run: campaign };

fn campaign(options: &Options) -> Outcome {
    let (table, violations) = run(options);
    print!("{table}");
    let again = |(case, what): (String, String)| {
        format!(
            "{case}: {what}; again: cargo campaign damage --seed {} --only {case}",
            options.seed
        )
    };
    Outcome { points: table.total(), violations: violations.into_iter().map(again).collect() }
}

/// Of the damages at each byte, how many are done.
fn share(options: &Options, all: usize) -> usize {
    match options.size {
        Size::Test => 997,
        Size::Usual | Size::Until(_) => 1,
        Size::Count(count) => (all / usize::try_from(count).unwrap_or(all).max(1)).max(1),
    }
}

/// Does every damage, or a share, or the only one that is asked for. Violations are a case's name and what is wrong.
fn run(options: &Options) -> (Table, Vec<(String, String)>) {
    let (mut table, mut violations) = (Table::default(), Vec::new());
    let mut images = Vec::new();
    for stop in STOPS {
        let image = Image::new(options.seed, stop);
        match sound(&image) {
            Ok(report) => images.push((image, report)),
            Err(what) => violations.push((format!("{stop:?}"), what)),
        }
    }
    let all: Vec<_> = images
        .iter()
        .flat_map(|sound| Harm::all(&sound.0).into_iter().map(move |harm| (sound, harm)))
        .collect();
    let step = share(options, all.len());
    let is_wanted = |at: usize, image: &Image, harm: Harm| match &options.only {
        Some(only) => name(image, harm) == *only,
        None => at.is_multiple_of(step) || harm.is_of_whole_files(),
    };
    let harms: Vec<_> = all
        .into_iter()
        .enumerate()
        .filter(|(at, ((image, _), harm))| is_wanted(*at, image, *harm))
        .map(|(_, harm)| harm)
        .collect();
    if let (true, Some(only)) = (harms.is_empty(), &options.only) {
        violations.push((only.clone(), "there is no such case".to_owned()));
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut table, mut violations) = (Table::default(), Vec::new());
        loop {
            let start = next.fetch_add(1_000, Ordering::Relaxed);
            if start >= harms.len() {
                return (table, violations);
            }
            for ((image, report), harm) in &harms[start..harms.len().min(start + 1_000)] {
                match harm.apply(image).map(|damaged| judge(image, &damaged, report)) {
                    None => {}
                    Some(Ok(verdict)) => table.count(*harm, verdict),
                    Some(Err(what)) => {
                        violations.push((name(image, *harm), what));
                    }
                }
            }
            if start.is_multiple_of(100_000) && start > 0 {
                eprintln!("damage: {start} of {}", harms.len());
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..options.workers).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let (part, found) = worker.join().expect("panics are caught");
            table.merge(part);
            violations.extend(found);
        }
    });
    (table, violations)
}

fn name(image: &Image, harm: Harm) -> String {
    format!("{:?}-{harm}", image.stop).to_lowercase()
}
