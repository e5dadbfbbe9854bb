//! Replacing a log by a checkpoint while no store has it open.

use std::path::Path;

use serde::Serialize;

use crate::log::Item;
use crate::storage::Files;
use crate::sync::Arc;

use super::state::{self, State};
use super::{MaintenanceError, OnProgress, verify};

/// What a compaction came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Compacted {
    /// How many bytes the files had.
    pub bytes_before: u64,
    /// And have now.
    pub bytes_after: u64,
    /// How many keys there are.
    pub keys: u64,
    /// The newest revision.
    pub newest: u64,
}

/// Writes the state that the log in `directory` amounts to as a checkpoint, and removes the segments that it replaces:
/// [`Store::compact`](crate::Store::compact) without a store, its types or its codec.
///
/// It opens the log as a store does: a torn tail is cut, and after an unclean stop revisions are skipped. It needs memory for
/// all data, and space for the checkpoint beside what there is.
///
/// # Errors
/// If there is no log, it is damaged, a store has it open, or the file system refuses; what the log has is there as before.
pub fn compact(
    directory: impl AsRef<Path>,
    progress: &mut OnProgress<'_>,
) -> Result<Compacted, MaintenanceError> {
    let directory = directory.as_ref();
    let before = verify(directory, progress)?;
    if !before.is_sound() {
        return Err(MaintenanceError::Damaged(Box::new(before)));
    }
    let mut state = State::default();
    let files = Arc::new(Files::new(directory));
    let opened = state::open(files, &before.codec, 1, |item: Item<'_>| state.item(item))?;
    state.compact(opened)?;
    let after = verify(directory, progress)?;
    Ok(Compacted {
        bytes_before: before.bytes,
        bytes_after: after.bytes,
        keys: state.keys(),
        newest: after.newest,
    })
}
