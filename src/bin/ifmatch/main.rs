//! The command `ifmatch`. A subcommand is a file; what they have in common is `report`.

mod report;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A versioned key-value store with compare-and-swap by revision.
#[derive(Debug, Parser)]
#[command(version, after_help = report::EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a store over HTTP
    Serve(Box<serve::Arguments>),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return report::usage(&error),
    };
    match cli.command {
        Command::Serve(arguments) => report::outcome(serve::run(&arguments)),
    }
}
