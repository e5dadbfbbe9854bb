//! `ifmatch log compact`: a checkpoint in the place of the log.

use std::path::PathBuf;

use clap::Args;
use ifmatch::maintenance;

use super::shown::bytes;
use crate::failure::Failure;
use crate::output::Lines;
use crate::progress::Progress;
use crate::server::ServerOptions;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The directory of the log
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(super) fn run(arguments: &Arguments, options: &ServerOptions) -> Result<(), Failure> {
    let progress = Progress::of_work(options, "compacting");
    let done = maintenance::compact(&arguments.directory, &mut |at| progress.work(at))?;
    drop(progress);
    let mut lines = Lines::new();
    if options.json {
        return lines.json(&done);
    }
    lines.text(&format!(
        "{} became {}: {} keys at revision {}",
        bytes(done.bytes_before),
        bytes(done.bytes_after),
        done.keys,
        done.newest
    ))
}
