//! Damage of every kind at every place: nothing is ever lost in silence.
//!
//! Three logs with a checkpoint and many segments (`damage/image.rs`), each damaged in every way (`damage/harm.rs`), are
//! opened, and what comes of it is judged by their bytes as `FORMAT.md` states them (`damage/verdict.rs`).

mod harm;
mod image;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{Campaign, Options, Outcome, Size};

use self::harm::Harm;
use self::image::{Image, STOPS};
use self::verdict::{VERDICTS, Verdict, judge, sound};

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "damage",
    about: "every truncation and bit flip of three logs, and files swapped, missing, doubled, stale, overwritten",
    unit: "logs",
    in_tests: true,
    run: campaign,
};

fn campaign(options: &Options) -> Outcome {
    let (seed, only) = (options.seed, options.only.as_deref());
    let step = match options.size {
        Size::Test => 997,
        Size::Usual | Size::Until(_) => 1,
        Size::Count(count) => usize::try_from(2_200_000 / count.clamp(1, 2_200_000)).unwrap(),
    };
    let last = Mutex::new(Instant::now());
    let (table, violations) = run(seed, step, only, |done, of| {
        let mut last = last.lock().unwrap();
        if last.elapsed() > Duration::from_secs(5) {
            *last = Instant::now();
            eprintln!("damage: {done} of {of}");
        }
    });
    print!("{table}");
    let violations = violations.iter().take(20).map(|Violation { case, what }| {
        format!("{case}: {what}\nreplay: cargo campaign damage --seed {seed} --only {case}")
    });
    Outcome { points: table.total(), violations: violations.collect() }
}

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

/// What is to be done to which image.
pub(crate) struct Violation {
    pub(crate) case: String,
    pub(crate) what: String,
}

/// Does every damage, or the `only` one; of those at each byte each `step`th. `progress` is told how many of how many are done.
pub(crate) fn run(
    seed: u64,
    step: usize,
    only: Option<&str>,
    progress: impl Fn(usize, usize) + Sync,
) -> (Table, Vec<Violation>) {
    let (mut table, mut violations) = (Table::default(), Vec::new());
    let mut images = Vec::new();
    for stop in STOPS {
        let image = Image::new(seed, stop);
        match sound(&image) {
            Ok(report) => images.push((image, report)),
            Err(what) => violations.push(Violation { case: format!("{stop:?}"), what }),
        }
    }
    let harms: Vec<_> = images
        .iter()
        .flat_map(|sound| Harm::all(&sound.0).into_iter().map(move |harm| (sound, harm)))
        .filter(|((image, _), harm)| only.is_none_or(|only| name(image, *harm) == only))
        .enumerate()
        .filter(|(at, (_, harm))| at % step == 0 || harm.is_of_whole_files())
        .map(|(_, harm)| harm)
        .collect();
    if let (true, Some(only)) = (harms.is_empty(), only) {
        violations
            .push(Violation { case: only.to_owned(), what: "there is no such case".to_owned() });
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
                        violations.push(Violation { case: name(image, *harm), what })
                    }
                }
            }
            progress(harms.len().min(start + 1_000), harms.len());
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
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
