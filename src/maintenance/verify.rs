//! Reading everything, and saying what is not as it was written.

use std::path::Path;

use crate::log::{Inspection, Visitor, inspect};
use crate::storage::Files;

use super::{MaintenanceError, OnProgress, Progress};

/// Reads every file, frame and block of the log in `directory`, and changes nothing.
///
/// A store may have it open. What is being written is no damage, and neither is a torn tail, which the next opening cuts:
/// [`Inspection::is_sound`] says whether a store would open and find all that was ever synced.
///
/// # Errors
/// If there is no log, or it cannot be read to its end. Damage is not an error: it is in the answer.
pub fn verify(
    directory: impl AsRef<Path>,
    progress: &mut OnProgress<'_>,
) -> Result<Inspection, MaintenanceError> {
    look(directory.as_ref(), &mut Watching(progress))
}

/// Has a visitor, who never stops by itself, see all of a log.
pub(super) fn look(
    directory: &Path,
    visitor: &mut dyn Visitor,
) -> Result<Inspection, MaintenanceError> {
    let inspection = inspect(&Files::new(directory), visitor).map_err(MaintenanceError::of)?;
    if inspection.segments == 0 && inspection.checkpoint.is_none() {
        return Err(MaintenanceError::NoLog { path: directory.to_owned() });
    }
    Ok(inspection)
}

struct Watching<'a, 'b>(&'a mut OnProgress<'b>);

impl Visitor for Watching<'_, '_> {
    fn progress(&mut self, done: u64, total: u64) {
        (self.0)(Progress { done, total });
    }
}
