//! Campaigns against the store: far more crashes, and schedules, than a test suite has time for. See `command::USAGE`.
//!
//! Under `cargo test` each of them runs for a moment, unless it would have to build something for that.

#![cfg(not(ifmatch_model))]
#![allow(clippy::unwrap_used, clippy::panic)] // All of it is tests.

#[path = "../common/mod.rs"]
mod common;

mod command;
mod crash;
mod damage;
mod fuzz;
mod histories;
mod kill;
mod schedules;
mod teeth;
mod workers;

use std::process::ExitCode;

use command::{Campaign, Invocation};

/// All campaigns, in the order in which a test run has them. A new one is a file beside this one, and a line here.
const CAMPAIGNS: &[Campaign] = &[
    crash::CAMPAIGN,
    damage::CAMPAIGN,
    kill::CAMPAIGN,
    histories::CAMPAIGN,
    schedules::CAMPAIGN,
    fuzz::CAMPAIGN,
    teeth::CAMPAIGN,
];

fn main() -> ExitCode {
    kill::child::run_if_asked();
    match command::parse(std::env::args().skip(1), CAMPAIGNS) {
        Ok(Invocation::Run(campaign, options)) => command::run(&[campaign], &options),
        Ok(Invocation::Test(filter)) => command::test(CAMPAIGNS, &filter),
        Ok(Invocation::List) => command::list(CAMPAIGNS),
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
