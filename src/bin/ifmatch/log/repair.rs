//! `ifmatch log repair`: what is lost is said; then, if somebody agrees, what is whole is kept.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;
use ifmatch::maintenance::Repair;
use serde::Serialize;

use super::restore::{Bump, new_store};
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

    /// Do it, without asking
    #[arg(long)]
    yes: bool,

    /// If only entries of the checkpoint are damaged: keep all others, and what comes after it
    #[arg(long)]
    without_lost_entries: bool,

    #[command(flatten)]
    bump: Bump,
}

/// What would be done.
#[derive(Serialize)]
struct Plan<'a> {
    damage: &'a [ifmatch::maintenance::Damage],
    whole_to: Option<u64>,
    /// The revision of the state that would be kept.
    revision: u64,
    keys: u64,
    lost_entries: Option<u64>,
    beyond: ifmatch::maintenance::Beyond,
}

pub(super) fn run(arguments: &Arguments, options: &ServerOptions) -> Result<(), Failure> {
    let progress = Progress::of_work(options, "reading");
    let directory = &arguments.directory;
    let watch = &mut |at| progress.work(at);
    let plan = match arguments.without_lost_entries {
        true => Repair::plan_without_lost_entries(directory, watch)?,
        false => Repair::plan(directory, watch)?,
    };
    drop(progress);
    let mut lines = Lines::new();
    let found = plan.inspection();
    let lost_entries = found.checkpoint.as_ref().and_then(|checkpoint| checkpoint.lost_entries);
    if options.json {
        lines.json(&Plan {
            damage: &found.damage,
            whole_to: found.whole_to,
            revision: plan.revision(),
            keys: plan.keys(),
            lost_entries,
            beyond: found.beyond,
        })?;
    } else {
        for line in shown::loss(found) {
            lines.text(&line)?;
        }
        if arguments.without_lost_entries {
            let lost =
                lost_entries.map_or("nobody knows how many".to_owned(), |lost| lost.to_string());
            lines.text(&format!(
                "lost:       {lost} entries of the checkpoint, and nobody knows which"
            ))?;
        }
        lines.text(&format!(
            "repair:     would keep {} keys of revision {} in a new store, and move the damaged one aside",
            plan.keys(),
            plan.revision()
        ))?;
    }
    if !arguments.yes && !agreed(options)? {
        return Err(Failure::Usage("nothing was done: to do it, add --yes".to_owned()));
    }
    let progress = Progress::of_work(options, "repairing");
    let done = plan.apply(arguments.bump.revisions, &mut |at| progress.work(at))?;
    drop(progress);
    if options.json {
        return lines.json(&done);
    }
    lines.text(&new_store(&done.store))?;
    lines.text(&format!("the damaged one is in {}", done.original.display()))
}

/// Whether somebody at a terminal types yes.
fn agreed(options: &ServerOptions) -> Result<bool, Failure> {
    if options.json || !io::stdin().is_terminal() {
        return Ok(false);
    }
    let _nobody = write!(io::stderr(), "Type yes to do it: ");
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(Failure::io("cannot read the answer"))?;
    Ok(line.trim() == "yes")
}
