//! The crate side by side with its rivals, in one run: `cargo compare`, `cargo compare get swap`, `cargo compare growth`;
//! `--quick`, with fewer keys and shorter rounds; `--tiny`, to see that all of it runs; `--json FILE`, one row for each goal
//! beside the raw figures; `--docs DIRECTORY`, the tables in Markdown and the plots in SVG.
//!
//! All contenders of a workload are filled with the same keys, and take turns in rounds; a ratio is taken within a round, and
//! its median, least and most are shown. The machine may be shared and noisy: what disturbs a round disturbs all.

mod amounts;
mod circumstances;
mod engine;
mod engines;
mod flight;
mod growth;
mod http;
mod keys;
mod limits;
mod line;
mod measure;
mod plot;
mod process;
mod rates;
mod report;
mod workload;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::circumstances::Circumstances;
use crate::growth::{Growth, Reach};
use crate::line::Line;
use crate::process::SERVE;
use crate::workload::{Home, WORKLOADS, Workload};

/// How much is done. Rounds are short, so that nobody waits for long: a host may take memory that was not touched for some
/// seconds from a machine that is not real, and reading it is a hundred times slower then.
struct Plan {
    keys: u32,
    rounds: u64,
    length: Duration,
}

const FULL: Plan = Plan { keys: 1_000_000, rounds: 21, length: Duration::from_millis(250) };
const QUICK: Plan = Plan { keys: 100_000, rounds: 5, length: Duration::from_millis(60) };
/// Its figures mean nothing.
const TINY: Plan = Plan { keys: 2_000, rounds: 2, length: Duration::from_millis(10) };

/// What is asked for on the command line.
struct Order {
    plan: Plan,
    reach: Reach,
    json: Option<PathBuf>,
    docs: Option<PathBuf>,
    names: Vec<String>,
}

impl Order {
    fn new(arguments: Vec<String>) -> Option<Self> {
        let mut order =
            Self { plan: FULL, reach: Reach::Full, json: None, docs: None, names: Vec::new() };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => (order.plan, order.reach) = (QUICK, Reach::Quick),
                "--tiny" => (order.plan, order.reach) = (TINY, Reach::Tiny),
                "--json" => order.json = Some(arguments.next()?.into()),
                "--docs" => order.docs = Some(arguments.next()?.into()),
                name if all_names().any(|known| known == name) => order.names.push(argument),
                _ => return None,
            }
        }
        Some(order)
    }

    fn has(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|chosen| chosen == name)
    }
}

fn all_names() -> impl Iterator<Item = &'static str> {
    let rates = WORKLOADS.iter().map(|workload| workload.name);
    rates.chain(amounts::NAMES).chain([limits::NAME, growth::NAME]).chain(http::names())
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let Some((SERVE, told)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        process::serve(told);
        return ExitCode::SUCCESS;
    }
    if let Some((http::served::SERVE, told)) =
        arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        http::served::run(told);
        return ExitCode::SUCCESS;
    }
    let circumstances = Circumstances::new(&arguments);
    let Some(order) = Order::new(arguments) else {
        let names: Vec<_> = all_names().collect();
        eprintln!(
            "cargo compare [--quick | --tiny] [--json FILE] [--docs DIRECTORY] [WORKLOAD ...]"
        );
        eprintln!("workloads: {}", names.join(", "));
        return ExitCode::from(2);
    };
    match run(&order, circumstances) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What has been measured so far.
#[derive(Default)]
struct Results {
    lines: Vec<Line>,
    notes: Vec<String>,
    growths: Vec<Growth>,
}

fn run(order: &Order, mut circumstances: Circumstances) -> Result<(), Box<dyn Error>> {
    let plan = &order.plan;
    let mut results = Results::default();
    if !cfg!(feature = "rocksdb") {
        let remedy = "`apt-get install librocksdb-dev libclang-dev`, and `cargo compare-rocksdb`";
        results.notes.push(format!("RocksDB is left out; it takes part after {remedy}"));
    }
    // It takes long, and what there is should not be lost with what comes after it.
    let mut save = |results: &Results| {
        circumstances.end();
        write(order, &circumstances, results)
    };
    if order.has(limits::NAME) {
        results.lines.extend(limits::limits(plan));
    }
    for home in Home::ALL {
        let here = |workload: &&Workload| workload.home == home && order.has(workload.name);
        let chosen: Vec<_> = WORKLOADS.iter().filter(here).collect();
        results.lines.extend(rates::measured(home, &chosen, plan));
        save(&results)?;
    }
    if order.has("memory") {
        results.lines.extend(amounts::memory(plan));
        save(&results)?;
    }
    if order.has("open") {
        let (lines, notes) = amounts::open(plan);
        results.lines.extend(lines);
        results.notes.extend(notes);
        save(&results)?;
    }
    let (over_http, notes) = http::measured(|name| order.has(name), plan);
    results.lines.extend(over_http);
    results.notes.extend(notes);
    save(&results)?;
    if order.names.iter().any(|name| name == growth::NAME) {
        growth::measured(plan, order.reach, |growths| {
            results.growths.extend_from_slice(growths);
            save(&results)
        })?;
    }
    if !results.lines.is_empty() {
        print!("{}", report::markdown(&circumstances, &results.lines, &results.notes));
    }
    Ok(())
}

/// Writes what was asked for.
fn write(
    order: &Order,
    circumstances: &Circumstances,
    results: &Results,
) -> Result<(), Box<dyn Error>> {
    let Results { lines, notes, growths } = results;
    if let Some(path) = &order.json {
        std::fs::write(path, report::json(circumstances, lines, growths))?;
    }
    let Some(directory) = &order.docs else { return Ok(()) };
    std::fs::create_dir_all(directory)?;
    if !lines.is_empty() {
        let plots = plot::bars(directory, lines)?;
        let table = report::markdown(circumstances, lines, notes);
        std::fs::write(directory.join("table.md"), report::page(&table, &plots))?;
    }
    if !growths.is_empty() {
        let plots = growth::draw(directory, growths)?;
        let page = report::growth_page(circumstances, &plots);
        std::fs::write(directory.join("growth.md"), page)?;
    }
    Ok(())
}
