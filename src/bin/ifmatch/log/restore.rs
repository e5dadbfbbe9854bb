//! `ifmatch log restore`: a new store with the content of a backup.

use std::path::PathBuf;

use clap::Args;
use ifmatch::maintenance::{self, DEFAULT_BUMP, Restored};

use crate::failure::Failure;
use crate::output::Lines;
use crate::progress::Progress;
use crate::server::ServerOptions;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The directory of the backup
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,

    /// Where the new store goes: a directory that does not exist, or is empty
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    #[command(flatten)]
    bump: Bump,
}

#[derive(Debug, Args)]
pub(super) struct Bump {
    /// How many revisions to leave out: at least as many as the lost store may have handed out since. The default, 2^40, is a
    /// million a second for twelve days
    #[arg(long = "bump", value_name = "N", default_value_t = DEFAULT_BUMP)]
    pub(super) revisions: u64,
}

pub(super) fn run(arguments: &Arguments, options: &ServerOptions) -> Result<(), Failure> {
    let progress = Progress::of_work(options, "restoring");
    let Arguments { backup, directory, bump } = arguments;
    let done =
        maintenance::restore(backup, directory, bump.revisions, &mut |at| progress.work(at))?;
    drop(progress);
    let mut lines = Lines::new();
    if options.json {
        return lines.json(&done);
    }
    lines.text(&new_store(&done))
}

/// What a new store has.
pub(super) fn new_store(done: &Restored) -> String {
    format!(
        "a new store, {}, with {} keys of revision {}; its next revision is {}",
        done.identity, done.keys, done.revision, done.next_revision
    )
}
