//! What is whole before damage, in a new store; and what is lost, said before.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::log::{self, Damage, Inspection};
use crate::storage::{self, Files};

use super::building::Building;
use super::restore::{Restored, write};
use super::state::Replay;
use super::verify::look;
use super::{MaintenanceError, OnProgress};

/// A repair that was planned and not yet done.
///
/// ```no_run
/// use ifmatch::maintenance::{DEFAULT_BUMP, Repair};
///
/// let repair = Repair::plan("data", &mut |_| {})?;
/// let lost = repair.inspection().beyond;
/// println!("kept: revision {:?}; lost: {} commits", repair.inspection().whole_to, lost.commits);
/// // If somebody agrees:
/// let repaired = repair.apply(DEFAULT_BUMP, &mut |_| {})?;
/// println!("the original is in {}", repaired.original.display());
/// # Ok::<(), ifmatch::maintenance::MaintenanceError>(())
/// ```
#[derive(Debug)]
pub struct Repair {
    directory: PathBuf,
    inspection: Inspection,
    keys: u64,
    /// The revision of the state that is kept.
    revision: u64,
    /// It is kept without entries that cannot be read.
    has_holes: bool,
}

/// What was repaired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Repaired {
    /// The new store; its `revision` is the newest that was kept.
    #[serde(flatten)]
    pub store: Restored,
    /// Where the original is now, byte for byte.
    pub original: PathBuf,
}

impl Repair {
    /// Looks at the damaged log in `directory`, and changes nothing.
    ///
    /// # Errors
    /// If there is no log, there is nothing to repair, nothing is whole before the damage, or only files are in the way that are
    /// not the log's ([`Damaged`](MaintenanceError::Damaged)).
    pub fn plan(
        directory: impl AsRef<Path>,
        progress: &mut OnProgress<'_>,
    ) -> Result<Self, MaintenanceError> {
        Self::look(directory.as_ref(), false, progress)
    }

    /// The same for a log whose checkpoint is damaged, and nothing else: what can be read of it is kept, and all commits after
    /// it. The keys that were in the damaged blocks are lost, unless they were written since, and nobody can say which they
    /// are; every other is as it was at the newest revision. How many the checkpoint has lost is in
    /// [`lost_entries`](super::CheckpointFile::lost_entries).
    ///
    /// # Errors
    /// As of [`plan`](Self::plan); also if the header of the checkpoint is damaged, or something after it.
    pub fn plan_without_lost_entries(
        directory: impl AsRef<Path>,
        progress: &mut OnProgress<'_>,
    ) -> Result<Self, MaintenanceError> {
        Self::look(directory.as_ref(), true, progress)
    }

    fn look(
        directory: &Path,
        may_have_holes: bool,
        progress: &mut OnProgress<'_>,
    ) -> Result<Self, MaintenanceError> {
        // `.` cannot be moved aside, and of a link only the link would be.
        let directory =
            storage::real_path(directory).map_err(MaintenanceError::io("look for", directory))?;
        let mut replay = Replay::new(progress).past_damage(may_have_holes);
        let inspection = look(&directory, &mut replay)?;
        if inspection.is_sound() {
            return Err(MaintenanceError::NothingToRepair { path: directory });
        }
        if inspection.damage.is_empty() {
            return Err(MaintenanceError::Damaged(Box::new(inspection)));
        }
        let has_holes = may_have_holes && only_entries_are_lost(&inspection);
        let whole_to = if may_have_holes { None } else { inspection.whole_to };
        let Some(revision) = whole_to.or(has_holes.then_some(inspection.newest)) else {
            let entries = inspection.checkpoint.as_ref().map_or(0, |found| found.entries);
            return Err(MaintenanceError::NothingWhole { entries, commits: inspection.commits });
        };
        let keys = replay.state.keys();
        Ok(Self { directory, inspection, keys, revision, has_holes })
    }

    /// What is damaged, up to which revision all is kept (`whole_to`), and what can be seen of what is lost (`beyond`).
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// The revision of the state that is kept.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How many keys are kept.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Puts a new store in the place of the damaged log: with the state at the revision up to which all is whole, an identity
    /// of its own, and revisions more than `bump` above everything that was seen anywhere, as a
    /// [restored](super::restore()) one. The original is moved aside, as `<directory>.damaged-<seconds since 1970>`.
    ///
    /// # Errors
    /// If a store has the log open, it has changed since, or the file system refuses. The original is then where it was; or, if
    /// a new store was begun in its place in the moment between two renames, where it was moved to.
    pub fn apply(
        self,
        bump: u64,
        progress: &mut OnProgress<'_>,
    ) -> Result<Repaired, MaintenanceError> {
        let Self { directory, inspection, revision, has_holes, .. } = self;
        let _lock = log::lock(&Files::new(&directory))?;
        let mut replay = Replay::new(progress).past_damage(has_holes);
        if look(&directory, &mut replay)? != inspection {
            return Err(MaintenanceError::Changed { path: directory });
        }
        let building = Building::beside(&directory, &directory)?;
        let store = write(&building, &inspection, (&replay.state, revision), bump)?;
        let original = aside(&directory);
        let failed = MaintenanceError::io("move aside", &directory);
        storage::move_directory(&directory, &original).map_err(failed)?;
        if let Err(error) = building.finish() {
            // The first error is the one that counts.
            let _back = storage::move_directory(&original, &directory);
            return Err(error);
        }
        Ok(Repaired { store, original })
    }
}

/// Whether all damage is in blocks of the checkpoint: then each key that can be read is as it was at the newest revision.
fn only_entries_are_lost(found: &Inspection) -> bool {
    found.checkpoint.as_ref().is_some_and(|checkpoint| {
        let is_in_it = |damage: &Damage| damage.file == checkpoint.file && damage.offset > 0;
        found.damage.iter().all(is_in_it)
    })
}

/// Where the original goes.
fn aside(directory: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut name = directory.file_name().unwrap_or_default().to_owned();
    name.push(format!(".damaged-{now}"));
    directory.with_file_name(name)
}
