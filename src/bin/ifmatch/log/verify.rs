//! `ifmatch log verify`: everything is read, and nothing changed.

use std::path::PathBuf;

use clap::Args;
use ifmatch::maintenance;
use serde::Serialize;

use super::shown;
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

/// What was found, and what is to be made of it.
#[derive(Serialize)]
struct Verdict<'a> {
    sound: bool,
    #[serde(flatten)]
    found: &'a maintenance::Inspection,
}

pub(super) fn run(arguments: &Arguments, options: &ServerOptions) -> Result<(), Failure> {
    let progress = Progress::of_work(options, "reading");
    let found = maintenance::verify(&arguments.directory, &mut |at| progress.work(at))?;
    drop(progress);
    let sound = found.is_sound();
    let mut lines = Lines::new();
    if options.json {
        lines.json(&Verdict { sound, found: &found })?;
    } else {
        shown::inspection(&mut lines, &found)?;
        lines.text(if sound { "sound" } else { "not sound" })?;
    }
    match sound {
        true => Ok(()),
        false => Err(maintenance::MaintenanceError::Damaged(Box::new(found)).into()),
    }
}
