//! The crate side by side with its rivals, in one run: `cargo compare`, `cargo compare get swap`, `cargo compare growth`;
//! `cargo compare --help` has the options. `cargo compare-all` has RocksDB and etcd among them.
//!
//! All contenders of a workload are filled with the same keys, and take turns in rounds; a ratio is taken within a round, and
//! its median, least and most are shown. The machine may be shared and noisy: what disturbs a round disturbs all.

mod amounts;
mod circumstances;
mod data;
mod engine;
mod engines;
mod flight;
mod growth;
mod http;
mod keys;
mod limits;
mod line;
mod measure;
mod order;
mod plot;
mod process;
mod rates;
mod report;
mod turns;
mod workload;

use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use crate::circumstances::Circumstances;
use crate::data::Data;
use crate::growth::Growth;
use crate::line::Line;
use crate::order::{NoOrder, Order};
use crate::process::SERVE;
use crate::workload::{Home, WORKLOADS, Workload};

/// How much is done. Rounds are short, so that nobody waits for long: a host may take memory that was not touched for some
/// seconds from a machine that is not real, and reading it is a hundred times slower then.
struct Plan {
    keys: u32,
    rounds: u64,
    length: Duration,
    data: Data,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { keys, rounds, length, .. } = self;
        write!(f, "{keys} keys, {rounds} rounds of {} ms of each workload", length.as_millis())
    }
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
    let order = match Order::new(&arguments) {
        Ok(order) => order,
        Err(NoOrder::Help) => {
            print!("{}", order::usage());
            return ExitCode::SUCCESS;
        }
        Err(NoOrder::Unknown(why)) => {
            eprint!("{why}\n\n{}", order::usage());
            return ExitCode::from(2);
        }
    };
    let done = order.plan().map_err(Box::from).and_then(|plan| {
        let circumstances = Circumstances::new(&arguments, &plan.data);
        run(&order, &plan, circumstances)
    });
    match done {
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

fn run(order: &Order, plan: &Plan, mut circumstances: Circumstances) -> Result<(), Box<dyn Error>> {
    let mut results = Results::default();
    results.notes.push(plan.to_string());
    if order.reach == growth::Reach::Tiny {
        results
            .notes
            .push("**`--tiny` shows that all of it runs: the figures mean nothing**".into());
    }
    if !cfg!(feature = "rocksdb") {
        let remedy = "`apt-get install librocksdb-dev libclang-dev protobuf-compiler libprotobuf-dev`, and `cargo compare-all`";
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
    if order.has(growth::NAME) {
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
        let text = report::json(circumstances, lines, notes, growths);
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let Some(directory) = &order.docs else { return Ok(()) };
    if !lines.is_empty() {
        let plots = plot::bars(directory, lines)?;
        let table = report::markdown(circumstances, lines, notes);
        std::fs::write(directory.join("table.md"), report::page(&table, &plots))?;
    }
    if !growths.is_empty() {
        let plots = growth::draw(directory, growths)?;
        let page = report::growth_page(circumstances, &plots, growths);
        std::fs::write(directory.join("growth.md"), page)?;
    }
    Ok(())
}
