//! Schedules of the concurrency core, by the model checker shuttle: each protocol of `src/store/model.rs` under many of
//! them, and the smallest ones under all.
//!
//! The protocols are tests of the library that is built for the model checker, which this program is not. So it builds them,
//! and runs each as a process of its own, as often as it takes. How many schedules those ran they say themselves. The rate in
//! the last line has the time to build in it, if there was something to be built.
//!
//! A schedule that a violation prints is one of the code that it was found in: it does not fit code with other locks.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::Instant;

use crate::command::{Campaign, Options, Outcome, Size};
use crate::common::Random;
use crate::workers::{self, End};

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "schedules",
    about: "schedules of threads, with crashes, by the model checker (--count: for each protocol)",
    unit: "schedules",
    in_tests: false,
    run,
};

/// For each protocol, if it is not said: a quarter of an hour of two cores for five million.
const USUAL: u64 = 50_000;

/// For each protocol, before the next has its turn, where there is only an end of time.
const ROUND: u64 = 5_000;

/// In the names of those that leave no schedule out, whatever the seed and the number.
const EXHAUSTIVE: &str = "::exhaustive::";

fn run(options: &Options) -> Outcome {
    let (round, rounds) = match options.size {
        Size::Test => return Outcome::default(),
        Size::Usual => (USUAL, Some(1)),
        Size::Count(count) => (count, Some(1)),
        Size::Until(_) => (ROUND, None),
    };
    let started = Instant::now();
    let built = match build() {
        Ok(built) => built,
        Err(what) => return Outcome { points: 0, violations: vec![what] },
    };
    let building = started.elapsed();
    eprintln!("schedules: built in {building:.0?}");
    let (only, schedule) = match options.only.as_deref().map(|only| only.split_once('@')) {
        Some(Some((name, schedule))) => (Some(name), Some(schedule)),
        Some(None) => (options.only.as_deref(), None),
        None => (None, None),
    };
    let protocols = protocols(&built, only);
    if protocols.is_empty() {
        return Outcome { points: 0, violations: vec!["there is no such protocol".to_owned()] };
    }
    let (all, some): (Vec<_>, Vec<_>) =
        protocols.iter().partition(|name| name.contains(EXHAUSTIVE));
    let numbers = |names: &[&String]| u64::try_from(names.len()).unwrap();
    let (count_all, count_some) = (numbers(&all), numbers(&some));
    let end = match (options.size, rounds) {
        // What has no seed needs no second round.
        (Size::Until(time), _) if count_some > 0 => End::At(time + building),
        (_, rounds) => End::After(count_all + rounds.unwrap_or(1) * count_some),
    };
    let notes = Mutex::new(Vec::new());
    let total = workers::each("schedules", options.workers, end, |number, (): &mut ()| {
        let (name, turn) = match number.checked_sub(count_all) {
            None => (all[usize::try_from(number).unwrap()], 0),
            Some(number) => {
                (some[usize::try_from(number % count_some).unwrap()], number / count_some)
            }
        };
        let asked = Asked { name, seed: seed(options.seed, turn), count: round, schedule };
        let told = asked.run(&built);
        if let Some(all) = told.all {
            let note = format!("    {name}: {} schedules, {all}", told.schedules);
            notes.lock().unwrap().push(note);
        }
        (told.schedules, told.violation)
    });
    let mut notes = notes.into_inner().unwrap();
    notes.sort();
    notes.iter().for_each(|note| println!("{note}"));
    println!("    {} protocols", protocols.len());
    Outcome { points: total.points, violations: total.violations.into_values().collect() }
}

/// The seed of a round; the first one's is the campaign's, so that it can be asked for.
fn seed(seed: u64, round: u64) -> u64 {
    if round == 0 { seed } else { Random::of(seed, round).next() }
}

/// As `cargo model` does (`.cargo/config.toml`), in the same place.
fn build() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO"))
        .args(["--config", "profile.test.opt-level=1"])
        .args(["test", "--lib", "--no-run", "--features", "stream,testing"])
        .args(["--message-format", "json-render-diagnostics", "--target-dir", "target/model"])
        .current_dir(root)
        .env("RUSTFLAGS", "--cfg ifmatch_model")
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    let told = String::from_utf8_lossy(&output.stdout);
    let messages =
        told.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let executable = messages
        .filter(|message| message["target"]["kind"][0] == "lib")
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    match executable {
        Some(executable) if output.status.success() => Ok(executable),
        _ => Err(format!("it does not build:\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// The names of all protocols, or of the one that is called `only`, or of those with that in their names.
fn protocols(built: &Path, only: Option<&str>) -> Vec<String> {
    let listed = Command::new(built).args(["--list", "--include-ignored"]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout);
    let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    let names = names.filter(|name| name.starts_with("store::") && name.contains("::model::"));
    let names: Vec<_> = names.map(str::to_owned).collect();
    match only {
        None => names,
        Some(only) if names.iter().any(|name| name == only) => vec![only.to_owned()],
        Some(only) => names.into_iter().filter(|name| name.contains(only)).collect(),
    }
}

/// What goes round in circles has a schedule that is too long for a command line.
const MAX_SCHEDULE: usize = 20_000;

struct Asked<'a> {
    name: &'a str,
    seed: u64,
    count: u64,
    schedule: Option<&'a str>,
}

struct Told {
    schedules: u64,
    /// If no schedule was left out, of which those are all.
    all: Option<String>,
    violation: Option<String>,
}

impl Asked<'_> {
    fn run(&self, built: &Path) -> Told {
        let mut command = Command::new(built);
        command
            .args([self.name, "--exact", "--include-ignored", "--nocapture", "--test-threads", "1"])
            .env("IFMATCH_SEED", self.seed.to_string())
            // Half of them at random, half with few preemptions.
            .env("IFMATCH_SCHEDULES", self.count.div_ceil(2).to_string())
            .env("RUST_BACKTRACE", "0")
            .env_remove("IFMATCH_SCHEDULE");
        if let Some(schedule) = self.schedule {
            command.env("IFMATCH_SCHEDULE", schedule);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let ran = said.lines().filter_map(|line| {
            let count = line.strip_prefix("ran ")?.split(' ').next()?;
            count.parse::<u64>().ok()
        });
        let schedules = ran.sum();
        let all = said.lines().find_map(|line| line.strip_prefix("that is ").map(str::to_owned));
        let violation = if !output.status.success() {
            Some(self.violation(&output))
        } else if schedules == 0 {
            Some(format!("{}: no schedule was run", self.name))
        } else {
            None
        };
        Told { schedules, all, violation }
    }

    /// The first panic says what was expected and found; others come of it.
    fn violation(&self, output: &Output) -> String {
        let said = String::from_utf8_lossy(&output.stderr);
        let panic = said.split_once("panicked at ").map_or(&*said, |(_, panic)| panic);
        let end = ["\nnote: ", "\nTask failed", "\nfailing schedule", "\n\n"]
            .iter()
            .filter_map(|end| panic.find(end))
            .min();
        let panic = panic[..end.unwrap_or(panic.len())].trim_end();
        let (name, seed, count) = (self.name, self.seed, self.count);
        let again = format!("cargo campaign schedules --seed {seed} --count {count} --only {name}");
        let schedule = said
            .split_once("failing schedule:\n\"\n")
            .and_then(|(_, schedule)| schedule.split_once('"'))
            .map(|(schedule, _)| schedule.replace('\n', ""))
            .filter(|schedule| schedule.len() < MAX_SCHEDULE)
            .map(|schedule| {
                format!("\nthat schedule: cargo campaign schedules --only {name}@{schedule}")
            });
        format!("{name}: {panic}\nreplay: {again}{}", schedule.unwrap_or_default())
    }
}
