//! What is found, in lines for people.

use ifmatch::maintenance::{Damage, Inspection};
use indicatif::HumanBytes;

use crate::failure::Failure;
use crate::output::Lines;

/// Bytes, as people read them.
pub(super) fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// What was found, damage last.
pub(super) fn inspection(lines: &mut Lines, found: &Inspection) -> Result<(), Failure> {
    let Inspection { format, codec, identity, .. } = found;
    lines.text(&format!("store:      {identity}, format {format}, {codec}"))?;
    if let Some(checkpoint) = &found.checkpoint {
        lines.text(&format!(
            "checkpoint: at revision {}, {} entries, {}",
            checkpoint.revision,
            checkpoint.entries,
            bytes(checkpoint.bytes)
        ))?;
    }
    lines.text(&format!(
        "segments:   {}, the newest is {}, {} commits",
        found.segments, found.last_segment, found.commits
    ))?;
    lines.text(&format!(
        "revisions:  the newest is {}, the next {}",
        found.newest,
        found.next_revision()
    ))?;
    lines.text(&format!("bytes:      {}", bytes(found.bytes)))?;
    lines.text(match found.clean {
        true => "closed:     in good order",
        false => "closed:     no: it is in use, or was stopped",
    })?;
    if let Some(tail) = &found.torn_tail {
        lines.text(&format!(
            "torn tail:  {} bytes at byte {} of segment {}: being written, or not finished",
            tail.bytes, tail.offset, tail.segment
        ))?;
    }
    if found.ignored > 0 {
        lines.text(&format!("ignored:    {} bytes after the ends of segments", found.ignored))?;
    }
    for name in &found.left_over {
        lines.text(&format!("left over:  {name}"))?;
    }
    for name in &found.foreign {
        lines.text(&format!("foreign:    {name} is not part of a store"))?;
    }
    for damage in &found.damage {
        lines.text(&self::damage(damage))?;
    }
    Ok(())
}

pub(super) fn damage(damage: &Damage) -> String {
    format!("damage:     {damage}")
}

/// What a damaged log has, and what it has lost.
pub(super) fn loss(found: &Inspection) -> Vec<String> {
    let mut lines: Vec<String> = found.damage.iter().map(damage).collect();
    lines.push(match found.whole_to {
        Some(revision) => format!("whole:      everything up to revision {revision}"),
        None => "whole:      nothing: the damage is in what the log begins with".to_owned(),
    });
    let beyond = &found.beyond;
    lines.push(match (beyond.first, beyond.last) {
        (Some(first), Some(last)) => format!(
            "beyond:     {} commits of revisions {first} to {last} come after the damage",
            beyond.commits
        ),
        _ => "beyond:     nothing can be read after the damage".to_owned(),
    });
    lines
}
