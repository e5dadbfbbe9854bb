//! The long runs: `cargo campaign`.

#![allow(clippy::unwrap_used, clippy::panic)] // All of it is tests.

#[path = "../common/mod.rs"]
mod common;
mod damage;
mod kill;

fn main() {
    kill::child::run_if_asked();
    if std::env::args().any(|argument| argument == "damage") {
        let only = std::env::var("ONLY").ok();
        let step = usize::try_from(common::from_env("STEP", 1)).unwrap();
        let start = std::time::Instant::now();
        let (table, violations) =
            damage::run(common::from_env("SEED", 7), step, only.as_deref(), |_, _| {});
        for violation in violations.iter().take(40) {
            println!("{}: {}", violation.case, violation.what);
        }
        println!("{table}{} {} violations {:?}", table.total(), violations.len(), start.elapsed());
        return;
    }
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
