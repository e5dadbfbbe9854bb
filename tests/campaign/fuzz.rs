//! Fuzzing: each target of `fuzz/` with its corpus, one after the other, or some at a time.
//!
//! It needs `cargo-fuzz`, which is installed if it is not there. What is found to be interesting stays in
//! `fuzz/target/corpus`; what is committed, in `fuzz/corpus`, is the smallest part of that which reaches as much.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::command::{Campaign, Options, Outcome, Size};

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "fuzz",
    about: "has each target of fuzz/ executed for a minute, or --count times (--only TARGET,TARGET for some)",
    unit: "executions",
    in_tests: false,
    run,
};

/// How long each target runs, if it is not said.
const USUAL: Duration = Duration::from_secs(60);

/// What more libFuzzer is told for a target.
const SPECIAL: &[(&str, &[&str])] = &[
    ("http", &["-len_control=0", "-max_len=2048", "-dict=dictionaries/http.dict"]),
    ("merge", &["-max_len=512"]),
    ("patch", &["-max_len=512"]),
    ("operations", &["-max_len=1024"]),
];

fn run(options: &Options) -> Outcome {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let all = targets(&fs::read_to_string(fuzz.join("Cargo.toml")).unwrap());
    let is_wanted = |target: &String| {
        options.only.as_ref().is_none_or(|only| only.split(',').any(|part| part == target))
    };
    let targets: Vec<String> = all.into_iter().filter(is_wanted).collect();
    let started = Instant::now();
    if let Err(what) = build(&fuzz) {
        return Outcome { points: 0, violations: vec![what] };
    }
    let building = started.elapsed();
    let workers = options.workers.min(targets.len()).max(1);
    let rounds = u32::try_from(targets.len().div_ceil(workers)).unwrap();
    let limit = match options.size {
        Size::Count(count) => format!("-runs={count}"),
        Size::Until(end) => {
            let end = end + building;
            seconds(end.saturating_duration_since(Instant::now()) / rounds.max(1))
        }
        Size::Usual | Size::Test => seconds(USUAL),
    };
    let outcome = Mutex::new(Outcome::default());
    let waiting = Mutex::new(targets.iter());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(target) = waiting.lock().unwrap().next() else { return };
                    let (executions, violation) = execute(&fuzz, target, &limit, options.seed);
                    println!("fuzz: {target}: {executions} executions");
                    let mut outcome = outcome.lock().unwrap();
                    outcome.points += executions;
                    outcome.violations.extend(violation);
                }
            });
        }
    });
    outcome.into_inner().unwrap()
}

/// libFuzzer takes 0 for ever.
fn seconds(time: Duration) -> String {
    format!("-max_total_time={}", time.as_secs().max(1))
}

/// The names of the binaries in the manifest.
fn targets(manifest: &str) -> Vec<String> {
    let sections = manifest.split("[[bin]]").skip(1);
    sections.map(|section| section.split('"').nth(1).unwrap().to_owned()).collect()
}

/// Coverage needs flags that are nightly's; no sanitizer is needed where there is no unsafe code.
fn cargo(fuzz: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(fuzz).env("RUSTC_BOOTSTRAP", "1");
    // It is for the crate around.
    command.env_remove("CARGO_TARGET_DIR").env_remove("IFMATCH_CAMPAIGN");
    command
}

fn build(fuzz: &Path) -> Result<(), String> {
    let is_there = cargo(fuzz, &["fuzz", "--version"]).output().unwrap().status.success();
    if !is_there {
        let install = ["install", "--locked", "--quiet", "cargo-fuzz"];
        text(&cargo(fuzz, &install).output().unwrap())?;
    }
    let built = cargo(fuzz, &["fuzz", "build", "--sanitizer", "none"]).output().unwrap();
    text(&built).map(drop)
}

/// How often the target was executed, and what was found.
fn execute(fuzz: &Path, target: &str, limit: &str, seed: u64) -> (u64, Option<String>) {
    let grown = PathBuf::from("target/corpus").join(target);
    fs::create_dir_all(fuzz.join(&grown)).unwrap();
    let seed = format!("-seed={}", seed.max(1));
    let corpus = format!("corpus/{target}");
    let special = SPECIAL.iter().find(|(name, _)| *name == target);
    let mut command = cargo(fuzz, &["fuzz", "run", "--sanitizer", "none", target]);
    command.args([grown.to_str().unwrap(), &corpus, "--", limit, &seed]);
    command.args(["-verbosity=0", "-print_final_stats=1"]);
    command.args(special.map_or(&[][..], |(_, options)| options));
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let executions = told
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
        .and_then(|number| number.trim().parse().ok());
    let violation = text(&output).err().map(|what| {
        let panic = told.lines().skip_while(|line| !line.contains("panicked at")).take(2);
        let found = told.lines().find_map(|line| line.split("Test unit written to ").nth(1));
        let again = found.map_or(what, |input| {
            let input = input.trim_start_matches(fuzz.to_str().unwrap()).trim_start_matches('/');
            format!("cd fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none {target} {input}")
        });
        format!("{target}: {}: {again}", panic.collect::<Vec<_>>().join(" "))
    });
    (executions.unwrap_or(0), violation)
}

/// What a command said on its way, as an error if it failed.
fn text(output: &Output) -> Result<String, String> {
    let text = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into();
    if output.status.success() { Ok(text) } else { Err(text) }
}
