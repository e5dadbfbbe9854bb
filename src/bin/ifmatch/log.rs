//! `ifmatch log`: looking after the directory of a log, without a server. What it does is in `ifmatch::maintenance`.
//!
//! What was found or done goes to stdout, as lines for people or as one JSON object; `dump` prints a line for each thing.

mod backup;
mod compact;
mod dump;
mod repair;
mod restore;
mod shown;
mod stats;
mod verify;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::server::ServerOptions;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read everything, and say what is damaged; a server may be running
    Verify(verify::Arguments),
    /// Print every commit and entry; a server may be running
    Dump(dump::Arguments),
    /// Say how large it is, what is live, and what memory it needs; a server may be running
    Stats(stats::Arguments),
    /// Copy one consistent state; a server may be running
    Backup(backup::Arguments),
    /// Make a new store of a backup, whose revisions are above all that the lost one may have handed out
    Restore(restore::Arguments),
    /// Replace the log by a checkpoint of its state; no server may be running (it does this by itself)
    Compact(compact::Arguments),
    /// Keep what is whole before damage, after saying what is lost; the original is moved aside
    Repair(repair::Arguments),
}

/// Of the options, those for output are heeded.
pub(crate) fn run(arguments: &Arguments, options: &ServerOptions) -> Result<(), Failure> {
    match &arguments.command {
        Command::Verify(arguments) => verify::run(arguments, options),
        Command::Dump(arguments) => dump::run(arguments, options),
        Command::Stats(arguments) => stats::run(arguments, options),
        Command::Backup(arguments) => backup::run(arguments, options),
        Command::Restore(arguments) => restore::run(arguments, options),
        Command::Compact(arguments) => compact::run(arguments, options),
        Command::Repair(arguments) => repair::run(arguments, options),
    }
}
