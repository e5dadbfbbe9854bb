//! `ifmatch log stats`: how large it is, and of what.

use std::path::PathBuf;

use clap::Args;
use ifmatch::maintenance::{self, Sizes};

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
    let progress = Progress::of_work(options, "reading");
    let stats = maintenance::stats(&arguments.directory, &mut |at| progress.work(at))?;
    drop(progress);
    let mut lines = Lines::new();
    if options.json {
        return lines.json(&stats);
    }
    lines.text(&format!(
        "disk:       {} in {} segments, of them {} live, {} % dead or set aside",
        bytes(stats.bytes),
        stats.segments,
        bytes(stats.live_bytes),
        stats.dead_percent
    ))?;
    if let Some(checkpoint) = &stats.checkpoint {
        lines.text(&format!(
            "checkpoint: at revision {}, {} entries, {}",
            checkpoint.revision,
            checkpoint.entries,
            bytes(checkpoint.bytes)
        ))?;
    }
    lines.text(&format!(
        "replayed:   {} commits, {}, {} revisions",
        stats.replayed_commits,
        bytes(stats.replayed_bytes),
        stats.replayed_revisions
    ))?;
    lines.text(&format!("keys:       {}, {}", stats.keys, sizes(&stats.key_bytes)))?;
    lines.text(&format!("values:     {}", sizes(&stats.value_bytes)))?;
    lines.text(&format!("memory:     about {}", bytes(stats.memory_bytes)))?;
    lines.text(&format!(
        "revisions:  the newest is {}, {} are left",
        stats.newest, stats.revisions_left
    ))
}

fn sizes(sizes: &Sizes) -> String {
    format!(
        "{}, half of them up to {}, the largest {}",
        bytes(sizes.total),
        bytes(sizes.median),
        bytes(sizes.largest)
    )
}
