//! The long runs: `cargo campaign`.

#![allow(clippy::unwrap_used, clippy::panic)] // All of it is tests.

#[path = "../common/mod.rs"]
mod common;
mod kill;

fn main() {
    kill::child::run_if_asked();
    let count = common::from_env("COUNT", 10);
    let seed = common::from_env("SEED", 7);
    let mut all = 0;
    for compacting in [false, true] {
        let start = std::time::Instant::now();
        match kill::run(count, seed, compacting, |report| {
            if report.kills % 50 == 0 {
                eprintln!("{report:?}")
            }
        }) {
            Ok(report) => {
                println!("{compacting} {report:?} {:?}", start.elapsed());
                all += report.counts.writes
            }
            Err(violation) => {
                println!("VIOLATION {violation}");
                std::process::exit(1)
            }
        }
    }
    println!("{all} told");
}
