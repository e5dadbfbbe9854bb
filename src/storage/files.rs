//! The real file system.

use std::fmt::Debug;
use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::sync::Mutex;

use super::{Directory, File};

/// A directory of the real file system.
#[derive(Debug)]
pub(crate) struct Files {
    path: PathBuf,
    /// The directories that were created, so that their parents are to be synced.
    created: Mutex<Vec<PathBuf>>,
}

impl Files {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), created: Mutex::default() }
    }
}

impl Directory for Files {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create(&self) -> io::Result<()> {
        if self.path.exists() && !self.path.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let missing = self.path.ancestors().take_while(|path| !path.exists());
        self.created.lock().extend(missing.map(Path::to_owned));
        fs::create_dir_all(&self.path)
    }

    /// The directory may be older than this, and so may those above: their creator may have been killed before it came to
    /// this. Of what is above and not ours it is tried only, since not all that can be passed can be opened.
    fn sync_parents(&self) -> io::Result<()> {
        let created = std::mem::take(&mut *self.created.lock());
        for path in self.path.ancestors() {
            let synced = sync_parent(path);
            if path == self.path || created.iter().any(|created| created == path) {
                synced?;
            }
        }
        Ok(())
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn Debug + Send>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(Locked(file))),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn create_file(&self, name: &str) -> io::Result<Box<dyn File>> {
        let path = self.path.join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Box::new(file))
    }

    fn open_file(&self, name: &str) -> io::Result<Box<dyn File>> {
        let file = OpenOptions::new().read(true).write(true).open(self.path.join(name))?;
        Ok(Box::new(file))
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn File>> {
        Ok(Box::new(fs::File::open(self.path.join(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        sync_directory(&self.path)
    }
}

/// A lock file while it is locked.
#[derive(Debug)]
struct Locked(fs::File);

impl Drop for Locked {
    /// Closing the file is not enough: a process that is just being started has, until it runs its own program, a
    /// copy of every open file of ours, and with it of the lock. Unlocking ends the lock for all copies.
    fn drop(&mut self) {
        // If it fails, closing the file is what is left.
        let _closed_next = self.0.unlock();
    }
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

/// Elsewhere a directory cannot be opened for syncing; renames are the file system's own to order.
#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

impl File for fs::File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self, bytes, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buffer, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(self, bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        fs::File::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Gives the directory `to` the permissions that `from` has, if that is there; its owner may write to it in any case.
pub(crate) fn copy_permissions(from: &Path, to: &Path) -> io::Result<()> {
    match fs::metadata(from) {
        Ok(found) => fs::set_permissions(to, with_owner(found.permissions())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn with_owner(mut permissions: fs::Permissions) -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    permissions.set_mode(permissions.mode() | 0o700);
    permissions
}

#[cfg(not(unix))]
fn with_owner(permissions: fs::Permissions) -> fs::Permissions {
    permissions
}

/// Locks the directory itself, whatever name it is given, against others who do so. `WouldBlock`: somebody has it, or it has
/// another name by now. Where the file system locks no directories, as NFS does not, nobody is kept apart.
#[cfg(unix)]
pub(crate) fn lock_directory(path: &Path) -> io::Result<Box<dyn Debug + Send>> {
    use std::os::unix::fs::MetadataExt;
    let busy = || io::Error::from(io::ErrorKind::WouldBlock);
    let gone = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => busy(),
        _ => error,
    };
    let directory = fs::File::open(path).map_err(gone)?;
    match directory.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy()),
        Err(TryLockError::Error(_)) => return Ok(Box::new(())),
    }
    let (locked, named) = (directory.metadata()?, fs::metadata(path).map_err(gone)?);
    match (locked.dev(), locked.ino()) == (named.dev(), named.ino()) {
        true => Ok(Box::new(Locked(directory))),
        false => Err(busy()),
    }
}

/// Elsewhere a directory cannot be opened, and two who make the same one at a time are not kept apart.
#[cfg(not(unix))]
pub(crate) fn lock_directory(_path: &Path) -> io::Result<Box<dyn Debug + Send>> {
    Ok(Box::new(()))
}

/// Whether there is something at `path`.
pub(crate) fn exists(path: &Path) -> io::Result<bool> {
    path.try_exists()
}

/// The directory with all symbolic links and `..` followed; of one that does not exist yet that of the nearest above it which
/// does, with the names below that.
pub(crate) fn real_path(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                Some(_) => Path::new("."),
                None => return Err(error),
            };
            // What has no name ends in "..", of something that is not there.
            let name = path.file_name().ok_or(error)?;
            Ok(real_path(parent)?.join(name))
        }
        found => found,
    }
}

/// Renames a directory, durably; an empty one that has the new name is replaced.
pub(crate) fn move_directory(from: &Path, to: &Path) -> io::Result<()> {
    rename_directory(from, to)?;
    sync_parent(to)
}

/// The same, as long as there is power.
pub(crate) fn rename_directory(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Makes the name of a directory durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        Some(_) => sync_directory(Path::new(".")),
        None => Ok(()),
    }
}

/// Removes a directory, which is empty.
pub(crate) fn remove_directory(path: &Path) -> io::Result<()> {
    fs::remove_dir(path)
}
