//! A directory that is made under another name, and gets its own when it is whole.

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

use crate::log::{self, is_log_file};
use crate::storage::{self, Directory, Files};
use crate::sync::Arc;

use super::MaintenanceError;

/// A directory that is being made beside the place where it is to be.
pub(super) struct Building {
    destination: PathBuf,
    path: PathBuf,
    /// The same, and which directories above had to be made for it.
    files: Files,
    /// Until it has its name, or is gone, or somebody else would begin by clearing it away.
    _lock: Box<dyn Debug + Send>,
    is_finished: bool,
}

impl Building {
    /// Begins to make `destination`, which does not exist or is empty, with the permissions of the directory that it is made
    /// of.
    pub(super) fn begin(destination: &Path, like: &Path) -> Result<Self, MaintenanceError> {
        refuse_unless_empty(destination)?;
        Self::beside(destination, like)
    }

    /// Begins to make what will take the place of `destination` once that is empty or gone.
    pub(super) fn beside(destination: &Path, like: &Path) -> Result<Self, MaintenanceError> {
        let mut name = destination.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let path = destination.with_file_name(name);
        let files = Files::new(&path);
        files.create().map_err(MaintenanceError::io("create", &path))?;
        let lock = storage::lock_directory(&path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => MaintenanceError::Locked { path: path.clone() },
            _ => MaintenanceError::io("lock", &path)(error),
        })?;
        clear(&path)?;
        let destination = destination.to_owned();
        let building = Self { destination, path, files, _lock: lock, is_finished: false };
        // Before there is anything in it for others to read.
        storage::copy_permissions(like, &building.path)
            .map_err(MaintenanceError::io("set the permissions of", &building.path))?;
        Ok(building)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(Files::new(&self.path))
    }

    /// It is whole: gives it its name, durably.
    pub(super) fn finish(mut self) -> Result<(), MaintenanceError> {
        let failed = |action| MaintenanceError::io(action, &self.path);
        self.files.sync().map_err(failed("sync"))?;
        self.files.sync_parents().map_err(failed("sync the parents of"))?;
        refuse_unless_empty(&self.destination)?;
        let failed =
            |error| MaintenanceError::io("give the copy its name", &self.destination)(error);
        storage::rename_directory(&self.path, &self.destination).map_err(failed)?;
        self.is_finished = true;
        storage::sync_parent(&self.destination).map_err(failed)
    }
}

impl Drop for Building {
    /// What was not finished is of no use to anybody.
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let _left_over = clear(&self.path);
        let _gone_already = storage::remove_directory(&self.path);
    }
}

/// Removes what an attempt has left, unless a store has it open: somebody may have given one such a name.
fn clear(path: &Path) -> Result<(), MaintenanceError> {
    let failed = |action| MaintenanceError::io(action, path);
    if !storage::exists(path).map_err(failed("look for"))? {
        return Ok(());
    }
    let directory = Files::new(path);
    let names = || directory.list().map_err(failed("list"));
    if !names()?.iter().all(|name| is_log_file(name)) {
        return Err(MaintenanceError::NotEmpty { path: path.to_owned() });
    }
    let _lock = log::lock(&directory)?;
    for name in names()? {
        directory.remove(&name).map_err(failed("clean up"))?;
    }
    Ok(())
}

fn refuse_unless_empty(path: &Path) -> Result<(), MaintenanceError> {
    let failed = |action| MaintenanceError::io(action, path);
    if !storage::exists(path).map_err(failed("look for"))? {
        return Ok(());
    }
    match Files::new(path).list().map_err(failed("list"))?.is_empty() {
        true => Ok(()),
        false => Err(MaintenanceError::NotEmpty { path: path.to_owned() }),
    }
}

/// A store does not open on a directory in which there is anything else.
pub(super) fn refuse_inside(directory: &Path, destination: &Path) -> Result<(), MaintenanceError> {
    let real =
        |path: &Path| storage::real_path(path).map_err(MaintenanceError::io("look for", path));
    if real(destination)?.starts_with(real(directory)?) {
        return Err(MaintenanceError::Inside { path: destination.to_owned() });
    }
    Ok(())
}
