//! What is live, what is dead, and how large it is.

use std::collections::HashMap;
use std::path::Path;

use serde::Serialize;

use crate::log::{CheckpointFile, Found, Operation, Place, Stopped, Visitor};
use crate::revision::Revision;

use super::verify::look;
use super::{MaintenanceError, OnProgress, Progress};

/// What an entry takes in a checkpoint beside its key and its value, in bytes.
const ENTRY_BYTES: u64 = 32;

/// What an entry takes in memory beside its value and twice its key, in bytes: measured (`benches/memory.rs`).
const MEMORY_BYTES: u64 = 180;

/// What a log's directory has, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DiskStats {
    /// How many bytes the files have, what is set aside for more included.
    pub bytes: u64,
    /// How many bytes the live keys and values take in a checkpoint.
    pub live_bytes: u64,
    /// How many of a hundred bytes are not live: replaced, deleted, or set aside.
    pub dead_percent: u64,
    /// How many segments there are.
    pub segments: u64,
    /// The checkpoint.
    pub checkpoint: Option<CheckpointFile>,
    /// How many commits there are after the checkpoint, which opening replays.
    pub replayed_commits: u64,
    /// How many bytes those take.
    pub replayed_bytes: u64,
    /// How many revisions there are after the checkpoint, skipped ones included.
    pub replayed_revisions: u64,
    /// How many keys are live.
    pub keys: u64,
    /// How large the live keys are, encoded.
    pub key_bytes: Sizes,
    /// How large the live values are, encoded.
    pub value_bytes: Sizes,
    /// About how many bytes of memory a store needs for them.
    pub memory_bytes: u64,
    /// The newest revision.
    pub newest: u64,
    /// How many revisions are left.
    pub revisions_left: u64,
}

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sizes {
    /// All together.
    pub total: u64,
    /// Half of them are at most as large.
    pub median: u64,
    /// The largest.
    pub largest: u64,
}

impl Sizes {
    fn of(mut sizes: Vec<u64>) -> Self {
        sizes.sort_unstable();
        let median = sizes.len().saturating_sub(1) / 2;
        Self {
            total: sizes.iter().sum(),
            median: sizes.get(median).copied().unwrap_or(0),
            largest: sizes.last().copied().unwrap_or(0),
        }
    }
}

/// Reads the log in `directory`, and counts. A store may have it open.
///
/// It needs memory for the keys.
///
/// # Errors
/// If there is no log, it cannot be read, or it is damaged.
pub fn stats(
    directory: impl AsRef<Path>,
    progress: &mut OnProgress<'_>,
) -> Result<DiskStats, MaintenanceError> {
    let mut counting = Counting { values: HashMap::new(), replayed: 0, progress };
    let found = look(directory.as_ref(), &mut counting)?;
    if !found.is_sound() {
        return Err(MaintenanceError::Damaged(Box::new(found)));
    }
    let Counting { values, replayed, .. } = counting;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let keys = count(values.len());
    let key_bytes = Sizes::of(values.keys().map(|key| count(key.len())).collect());
    let value_bytes = Sizes::of(values.values().copied().collect());
    let live_bytes = ENTRY_BYTES * keys + key_bytes.total + value_bytes.total;
    let dead_bytes = found.bytes.saturating_sub(live_bytes);
    let covered = found.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.revision);
    Ok(DiskStats {
        bytes: found.bytes,
        live_bytes,
        dead_percent: (dead_bytes * 100).checked_div(found.bytes).unwrap_or(0),
        segments: found.segments,
        checkpoint: found.checkpoint.clone(),
        replayed_commits: replayed,
        replayed_bytes: found.commit_bytes,
        replayed_revisions: found.newest.saturating_sub(covered),
        keys,
        key_bytes,
        value_bytes,
        memory_bytes: MEMORY_BYTES * keys + 2 * key_bytes.total + value_bytes.total,
        newest: found.newest,
        revisions_left: (Revision::MAX.get() + 1).saturating_sub(found.next_revision()),
    })
}

struct Counting<'a, 'b> {
    /// The size of each live key's value.
    values: HashMap<Box<[u8]>, u64>,
    replayed: u64,
    progress: &'a mut OnProgress<'b>,
}

impl Counting<'_, '_> {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.values.insert(key.into(), u64::try_from(value.len()).unwrap_or(u64::MAX));
    }
}

impl Visitor for Counting<'_, '_> {
    fn found(&mut self, _: Place<'_>, found: Found<'_>) -> Result<(), Stopped> {
        match found {
            Found::Entry(entry) => self.put(entry.key, entry.value),
            Found::Commit { operations, covered: false, .. } => {
                self.replayed += 1;
                for operation in operations {
                    match *operation {
                        Operation::Put { key, value } => self.put(key, value),
                        Operation::Delete { key } => drop(self.values.remove(key)),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn progress(&mut self, done: u64, total: u64) {
        (self.progress)(Progress { done, total });
    }
}
