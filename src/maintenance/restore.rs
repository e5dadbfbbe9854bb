//! A new store with the content of a backup.

use std::path::Path;

use serde::{Serialize, Serializer};

use crate::identity::Identity;
use crate::log::Inspection;
use crate::revision::Revision;

use super::building::{Building, refuse_inside};
use super::state::{Replay, State};
use super::verify::look;
use super::{MaintenanceError, OnProgress, verify};

/// How many revisions a restored store leaves out by default, 2^40: as many as the lost store may have handed out after the
/// backup. A million commits a second use them up in twelve days, and all revisions are enough for 8,000 such restores.
pub const DEFAULT_BUMP: u64 = 1 << 40;

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Restored {
    /// The newest revision of the backup.
    pub revision: u64,
    /// The revision that the new store's first commit has.
    pub next_revision: u64,
    /// How many keys there are.
    pub keys: u64,
    /// The identity of the new store, in JSON as 32 hexadecimal digits.
    #[serde(serialize_with = "in_hexadecimal")]
    pub identity: Identity,
}

/// Makes a new store in `directory`, which does not exist or is empty, with the content of `backup`.
///
/// All entries are there, with their revisions, and revisions never go backwards: the store that was lost may have handed out
/// some after the backup, and other content must never have those. So the new store has an identity of its own, which no old
/// ETag names, and its first commit is more than `bump` above everything that the backup knows: see [`DEFAULT_BUMP`]. What is
/// asked since a revision between is compacted.
///
/// It needs memory for all data.
///
/// # Errors
/// If the backup is no log or damaged, the directory is not empty or within the backup, revisions would pass 2^53 - 1, or the file system refuses.
/// Nothing is left then, but for directories above it that were made.
pub fn restore(
    backup: impl AsRef<Path>,
    directory: impl AsRef<Path>,
    bump: u64,
    progress: &mut OnProgress<'_>,
) -> Result<Restored, MaintenanceError> {
    refuse_inside(backup.as_ref(), directory.as_ref())?;
    let building = Building::begin(directory.as_ref(), backup.as_ref())?;
    let mut replay = Replay::new(progress);
    let found = look(backup.as_ref(), &mut replay)?;
    if !found.damage.is_empty() {
        return Err(MaintenanceError::Damaged(Box::new(found)));
    }
    let restored = write(&building, &found, (&replay.state, found.newest), bump)?;
    building.finish()?;
    Ok(restored)
}

/// Writes a new store with the state at `revision` that was read.
pub(super) fn write(
    building: &Building,
    found: &Inspection,
    (state, revision): (&State, u64),
    bump: u64,
) -> Result<Restored, MaintenanceError> {
    let highest = found.highest;
    let first = highest.checked_add(bump).and_then(|last| last.checked_add(1));
    let first = first
        .filter(|first| *first <= Revision::MAX.get())
        .ok_or(MaintenanceError::RevisionsExhausted { highest, bump })?;
    let identity = state.found(building.directory(), &found.codec, first)?;
    let written = verify(building.path(), &mut |_| {})?;
    let entries = written.checkpoint.as_ref().map(|checkpoint| checkpoint.entries);
    if !written.is_sound() || entries != Some(state.keys()) || written.next_revision() != first {
        return Err(MaintenanceError::Damaged(Box::new(written)));
    }
    Ok(Restored { revision, next_revision: first, keys: state.keys(), identity })
}

pub(super) fn in_hexadecimal<S: Serializer>(
    identity: &Identity,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(identity)
}
