//! The command line: `cargo campaign NAME`, or what a test runner asks.

use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: cargo campaign NAME [--seed S] [--count N | --minutes M] [--only RUN] [--workers W]

  --seed S      another campaign; the default is 1
  --count N     so many runs
  --minutes M   as many as there is time for
  --only RUN    the one run that a violation names
  --workers W   threads; the default is one for each core. What is found does not depend on it

campaigns:";

/// A kind of campaign.
pub(crate) struct Campaign {
    pub(crate) name: &'static str,
    /// What it does, in a line.
    pub(crate) about: &'static str,
    /// What it counts.
    pub(crate) unit: &'static str,
    /// Whether it is part of a test suite, too.
    pub(crate) in_tests: bool,
    pub(crate) run: fn(&Options) -> Outcome,
}

/// What a campaign is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) size: Size,
    pub(crate) only: Option<String>,
    pub(crate) workers: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    /// As part of a test suite: a few seconds, not optimized.
    Test,
    /// What the campaign holds to be a good measure.
    Usual,
    Count(u64),
    Until(Instant),
}

/// What a campaign found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How often something was checked.
    pub(crate) points: u64,
    /// Each with what was expected and found, and the command that shows it again.
    pub(crate) violations: Vec<String>,
}

pub(crate) enum Invocation {
    Run(&'static Campaign, Options),
    /// Those whose names contain all of these.
    Test(Vec<String>),
    List,
}

pub(crate) fn parse(
    arguments: impl Iterator<Item = String>,
    campaigns: &'static [Campaign],
) -> Result<Invocation, String> {
    let mut arguments = arguments.peekable();
    let named = arguments.peek().and_then(|name| campaigns.iter().find(|c| c.name == *name));
    // Set by the alias; without it this is a test run, in which names are filters.
    if std::env::var_os("IFMATCH_CAMPAIGN").is_none() {
        return Ok(test_invocation(arguments));
    }
    match named {
        Some(campaign) => {
            arguments.next();
            Ok(Invocation::Run(
                campaign,
                options(arguments).map_err(|what| usage(&what, campaigns))?,
            ))
        }
        None => Err(usage("which campaign?", campaigns)),
    }
}

fn usage(what: &str, campaigns: &[Campaign]) -> String {
    let mut text = format!("{what}\n\n{USAGE}\n");
    for campaign in campaigns {
        text += &format!("  {:8} {}\n", campaign.name, campaign.about);
    }
    text
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options { seed: 1, size: Size::Usual, only: None, workers };
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or(format!("{flag} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{flag} {value}: no number"));
        match flag.as_str() {
            "--seed" => options.seed = number()?,
            "--count" => options.size = Size::Count(number()?),
            "--minutes" => {
                options.size = Size::Until(Instant::now() + Duration::from_secs(60 * number()?));
            }
            "--only" => options.only = Some(value),
            "--workers" => options.workers = usize::try_from(number()?).unwrap().max(1),
            _ => return Err(format!("{flag}: unknown")),
        }
    }
    Ok(options)
}

/// What test runners say is understood as far as it matters.
fn test_invocation(arguments: impl Iterator<Item = String>) -> Invocation {
    let mut filter = Vec::new();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => return Invocation::List,
            "--test-threads" | "--skip" | "--format" | "--color" | "--logfile" => {
                arguments.next();
            }
            flag if flag.starts_with('-') => {}
            _ => filter.push(argument),
        }
    }
    Invocation::Test(filter)
}

pub(crate) fn list(campaigns: &[Campaign]) -> ExitCode {
    let in_tests = campaigns.iter().filter(|campaign| campaign.in_tests);
    in_tests.for_each(|campaign| println!("{}: test", campaign.name));
    ExitCode::SUCCESS
}

pub(crate) fn test(campaigns: &'static [Campaign], filter: &[String]) -> ExitCode {
    let wanted = |campaign: &&Campaign| {
        campaign.in_tests
            && (filter.is_empty()
                || filter.iter().any(|part| campaign.name.contains(part.as_str())))
    };
    let wanted: Vec<_> = campaigns.iter().filter(wanted).collect();
    let options = Options { seed: 1, size: Size::Test, only: None, workers: 2 };
    run(&wanted, &options)
}

pub(crate) fn run(campaigns: &[&Campaign], options: &Options) -> ExitCode {
    let mut clean = true;
    for campaign in campaigns {
        let started = Instant::now();
        let Outcome { points, violations } = (campaign.run)(options);
        for violation in &violations {
            println!("{}: violation: {violation}", campaign.name);
        }
        clean &= violations.is_empty();
        let seconds = started.elapsed().as_secs_f64().max(1e-3);
        println!(
            "{}: {points} {}, {} violations, seed {}, {:.0}/s",
            campaign.name,
            campaign.unit,
            violations.len(),
            options.seed,
            f64::from(u32::try_from(points).unwrap_or(u32::MAX)) / seconds
        );
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
