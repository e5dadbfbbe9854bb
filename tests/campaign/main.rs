//! The campaigns against the log: long attacks of one kind each, with one line at the end that says what came of it.
//!
//!     cargo campaign kill [--count N] [--seed S]      # kill N processes at work, and as many that are compacted as well
//!     cargo campaign damage [--seed S] [--only CASE]  # damage logs in every way
//!
//! A violation of what the store promises is told with the command that makes it again, and the exit code is 1. Without a
//! campaign's name, as `cargo test` starts it, some of each is done.

#![cfg(not(ifmatch_model))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod damage;
mod kill;

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
struct Options {
    campaign: Option<String>,
    count: Option<u64>,
    seed: Option<u64>,
    only: Option<String>,
}

impl Options {
    fn parse() -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} what?"));
            let number = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
            match argument.as_str() {
                "kill" | "damage" => options.campaign = Some(argument),
                "--count" => options.count = Some(number(value()?)?),
                "--seed" => options.seed = Some(number(value()?)?),
                "--only" => options.only = Some(value()?),
                other => return Err(format!("there is no {other}")),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    kill::child::run_if_asked();
    let options = match Options::parse() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}; see tests/campaign/main.rs");
            return ExitCode::from(2);
        }
    };
    let seed = options.seed.unwrap_or(7);
    let held = match options.campaign.as_deref() {
        Some("kill") => kill(options.count.unwrap_or(500), seed),
        Some(_) => damage(seed, 1, options.only.as_deref()),
        None => kill(5, seed) && damage(seed, 997, None),
    };
    ExitCode::from(u8::from(!held))
}

/// A line that is written over, at most ten times a second, and only where somebody looks.
struct Progress {
    shown: Mutex<Option<Instant>>,
}

impl Progress {
    fn new() -> Self {
        Self { shown: Mutex::new(std::io::stderr().is_terminal().then(Instant::now)) }
    }

    fn show(&self, line: impl FnOnce() -> String) {
        let mut shown = self.shown.lock().unwrap();
        if shown.is_some_and(|shown| shown.elapsed() > Duration::from_millis(100)) {
            *shown = Some(Instant::now());
            let _nobody_looks = write!(std::io::stderr(), "\r{}\x1b[K", line());
        }
    }

    fn end(&self) {
        if self.shown.lock().unwrap().take().is_some() {
            let _nobody_looks = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn kill(count: u64, seed: u64) -> bool {
    let (mut kills, mut writes) = (0, 0);
    let mut rows = Vec::new();
    for (compacting, name) in [(false, "at work"), (true, "at work, and compacting")] {
        let progress = Progress::new();
        let report = kill::run(count, seed, compacting, |report| {
            progress.show(|| format!("kill: {name}: {} of {count}", report.kills));
        });
        progress.end();
        match report {
            Ok(report) => {
                kills += report.kills;
                writes += report.counts.writes;
                rows.push(format!("{name:24} {report}"));
            }
            Err(violation) => {
                println!("kill: {name}, {violation}");
                println!(
                    "kill: a violation; again: cargo campaign kill --count {count} --seed {seed}"
                );
                return false;
            }
        }
    }
    rows.iter().for_each(|row| println!("{row}"));
    println!("kill: {kills} kills, {writes} writes told, 0 violations, seed {seed}");
    true
}

fn damage(seed: u64, step: usize, only: Option<&str>) -> bool {
    let (start, progress) = (Instant::now(), Progress::new());
    let (table, violations) = damage::run(seed, step, only, |done, of| {
        progress.show(|| format!("damage: {done} of {of}"));
    });
    progress.end();
    print!("{table}");
    for violation in violations.iter().take(20) {
        println!("damage: {}: {}", violation.case, violation.what);
        println!("again: cargo campaign damage --seed {seed} --only {}", violation.case);
    }
    let (done, rate) = (table.total(), table.total() / start.elapsed().as_secs().max(1));
    println!("damage: {done} logs, {} violations, seed {seed}, {rate}/s", violations.len());
    violations.is_empty() && done > 0
}
