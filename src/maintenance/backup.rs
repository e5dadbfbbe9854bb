//! One consistent copy of a log, while a store writes to it.
//!
//! The files are opened together, so that compactions do not disturb, read in order, and copied as far as they are the log: the
//! newest segment to where its last whole frame ended when it was read, without the mark that it was continued meanwhile. So
//! what is copied is a prefix of the commits, and has all that were acknowledged before it began: those were in these files
//! before they were read.

use std::path::Path;

use serde::Serialize;

use crate::log::{BACKUP, InspectError, Stopped, Visitor, inspect};
use crate::storage::{Directory, File, Files, read_at_most, write_all_at};
use crate::sync::Arc;

use super::building::{Building, refuse_inside};
use super::{MaintenanceError, OnProgress, Progress, verify};

/// What is copied at a time, in bytes.
const PIECE: usize = 1 << 20;

/// What was backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackedUp {
    /// The newest revision that the copy has: all that was acknowledged before the backup began, or more.
    pub revision: u64,
    /// How many bytes the copy has.
    pub bytes: u64,
    /// How many files those are.
    pub files: u64,
}

/// Copies the log in `directory` to `destination`, which does not exist or is empty. A store may have it open, write, and
/// compact; the copy is one consistent state, that of a revision which is not below what was acknowledged before.
///
/// It is made beside `destination`, under its name with `.partial` added, read back, and then renamed, so that what has the
/// name is whole, and durable. The copy has the identity of the original: it is to be [restored](super::restore()), and refuses
/// to be opened ([`IsBackup`](crate::OpenError::IsBackup)). It has the permissions of the original directory, and its owner may
/// write to it. What an attempt that was cut off has left beside `destination` is removed. Two backups to one destination at a
/// time are kept apart only where the file system locks directories, which NFS and Windows do not.
///
/// # Errors
/// If there is no log, it is damaged, the destination is not empty or within `directory`, another backup is being made there, or
/// the file system refuses. Nothing is left then, but for directories above it that were made.
pub fn backup(
    directory: impl AsRef<Path>,
    destination: impl AsRef<Path>,
    progress: &mut OnProgress<'_>,
) -> Result<BackedUp, MaintenanceError> {
    let (directory, destination) = (directory.as_ref(), destination.as_ref());
    backup_of(&Files::new(directory), destination, progress)
}

/// The same, of a directory that may be of another kind; the copy is in the file system.
pub(crate) fn backup_of(
    directory: &dyn Directory,
    destination: &Path,
    progress: &mut OnProgress<'_>,
) -> Result<BackedUp, MaintenanceError> {
    let path = directory.path();
    refuse_inside(path, destination)?;
    let building = Building::begin(destination, path)?;
    let mut copying =
        Copying { target: building.directory(), failure: None, bytes: 0, files: 0, progress };
    let found = match inspect(directory, &mut copying) {
        Ok(found) => found,
        Err(InspectError::Stopped) => {
            return Err(copying.failure.take().expect("it stops only for a failure"));
        }
        Err(error) => return Err(MaintenanceError::of(error)),
    };
    if !found.damage.is_empty() {
        return Err(MaintenanceError::Damaged(Box::new(found)));
    }
    let Copying { bytes, files, .. } = copying;
    if files == 0 {
        return Err(MaintenanceError::NoLog { path: path.to_owned() });
    }
    let copied = verify(building.path(), &mut |at| {
        progress(Progress { done: bytes + at.done, total: bytes + at.total });
    })?;
    if !copied.is_sound() || copied.newest != found.newest {
        return Err(MaintenanceError::Damaged(Box::new(copied)));
    }
    mark(&*building.directory())?;
    building.finish()?;
    Ok(BackedUp { revision: found.newest, bytes, files })
}

/// Makes a directory one that is not opened.
fn mark(directory: &dyn Directory) -> Result<(), MaintenanceError> {
    let path = directory.path().join(BACKUP);
    let failed = |action| MaintenanceError::io(action, &path);
    let file = directory.create_file(BACKUP).map_err(failed("create"))?;
    let text = b"A backup of an ifmatch store: `ifmatch log restore` makes a store of it.\n";
    write_all_at(&*file, text, 0).map_err(failed("write"))?;
    file.sync().map_err(failed("sync"))
}

struct Copying<'a, 'b> {
    target: Arc<dyn Directory>,
    failure: Option<MaintenanceError>,
    bytes: u64,
    files: u64,
    progress: &'a mut OnProgress<'b>,
}

impl Copying<'_, '_> {
    fn copy(&mut self, name: &str, from: &dyn File, end: u64) -> Result<(), MaintenanceError> {
        let path = self.target.path().join(name);
        let failed = |action| MaintenanceError::io(action, &path);
        let to = self.target.create_file(name).map_err(failed("create"))?;
        let mut piece = vec![0; PIECE];
        let mut offset = 0;
        while offset < end {
            let wanted = usize::try_from(end - offset).unwrap_or(PIECE).min(PIECE);
            let read = read_at_most(from, &mut piece[..wanted], offset);
            let read = read.map_err(failed("read what becomes"))?;
            if read < wanted {
                let source = std::io::ErrorKind::UnexpectedEof.into();
                return Err(failed("read what becomes")(source));
            }
            write_all_at(&*to, &piece[..wanted], offset).map_err(failed("write"))?;
            offset += u64::try_from(wanted).unwrap_or(u64::MAX);
        }
        to.sync().map_err(failed("sync"))?;
        self.files += 1;
        self.bytes += end;
        Ok(())
    }
}

impl Visitor for Copying<'_, '_> {
    fn file(&mut self, name: &str, file: &dyn File, end: u64) -> Result<(), Stopped> {
        self.copy(name, file, end).map_err(|failure| {
            self.failure = Some(failure);
            Stopped
        })
    }

    fn progress(&mut self, done: u64, total: u64) {
        // The copy is read once more.
        (self.progress)(Progress { done, total: total.saturating_mul(2) });
    }
}
