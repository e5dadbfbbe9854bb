//! `ifmatch log backup`: one consistent copy.

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

    /// Where the copy goes: a directory that does not exist, or is empty
    #[arg(value_name = "DEST")]
    destination: PathBuf,
}

pub(super) fn run(arguments: &Arguments, options: &ServerOptions) -> Result<(), Failure> {
    let progress = Progress::of_work(options, "copying");
    let Arguments { directory, destination } = arguments;
    let done = maintenance::backup(directory, destination, &mut |at| progress.work(at))?;
    drop(progress);
    let mut lines = Lines::new();
    if options.json {
        return lines.json(&done);
    }
    lines.text(&format!(
        "backed up to revision {}: {} in {} files, read back",
        done.revision,
        bytes(done.bytes),
        done.files
    ))
}
