//! The seam between the log and the file system.
//!
//! Everything the log asks of an operating system goes through [`Directory`] and [`File`], so that another
//! implementation can stand in: [`disk`], which fails on demand and loses power. It knows nothing of frames or
//! revisions. Calls are raw on purpose (`write_at` may be short, `Interrupted` is passed on): the loops that
//! cope with that are the log's, and are tested there.

mod files;

#[cfg(any(test, feature = "testing"))]
#[cfg_attr(
    not(feature = "testing"),
    allow(unreachable_pub, dead_code, reason = "it is public by that feature")
)]
pub mod disk;

use std::fmt::Debug;
use std::io;
use std::path::Path;

pub(crate) use self::files::{
    Files, copy_permissions, exists, lock_directory, move_directory, real_path, remove_directory,
    rename_directory, sync_parent,
};

/// One directory, in which all names are plain file names.
pub(crate) trait Directory: Debug + Send + Sync {
    /// Where it is, for messages.
    fn path(&self) -> &Path;

    /// The names of all that is in it, in no order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Whether a log may start threads of its own here. If not, its work is done on the threads that call it, so that
    /// what a single thread does is the same each time.
    fn allows_threads(&self) -> bool {
        true
    }

    /// Creates the directory itself, with its parents, if it does not exist.
    fn create(&self) -> io::Result<()>;

    /// Makes it durable that the directory itself exists.
    fn sync_parents(&self) -> io::Result<()>;

    /// Takes the exclusive lock, held until the result is dropped; `WouldBlock` if another has it.
    fn lock(&self, name: &str) -> io::Result<Box<dyn Debug + Send>>;

    /// Creates a file, which must not exist yet, for reading and writing.
    fn create_file(&self, name: &str) -> io::Result<Box<dyn File>>;

    /// Opens a file that exists, for reading and writing.
    fn open_file(&self, name: &str) -> io::Result<Box<dyn File>>;

    /// Opens a file that exists, for reading only: a directory that is not to be written to can be looked at.
    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn File>> {
        self.open_file(name)
    }

    /// Renames a file; what had the new name is replaced.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes creations, renames and removals so far durable.
    fn sync(&self) -> io::Result<()>;
}

/// An open file. Positions are explicit, so that no hidden cursor is shared.
pub(crate) trait File: Debug + Send + Sync {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes some of `bytes` at `offset`, and says how many.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts or extends the file.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes the content, and the length needed to read it, durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
}

/// Writes all of `bytes`, through short writes and interruptions.
pub(crate) fn write_all_at(file: &dyn File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset += u64::try_from(written).unwrap_or(u64::MAX);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads the whole file.
pub(crate) fn read_all(file: &dyn File) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; len];
    let filled = read_at_most(file, &mut bytes, 0)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// Fills `buffer` from `offset` on, through short reads and interruptions, as far as the file goes; returns how far.
pub(crate) fn read_at_most(
    file: &dyn File,
    buffer: &mut [u8],
    mut offset: u64,
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset) {
            Ok(0) => break,
            Ok(read) => {
                filled += read;
                offset += u64::try_from(read).unwrap_or(u64::MAX);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
