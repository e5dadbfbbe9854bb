//! Where what is measured keeps its files.

use std::path::{Path, PathBuf};

/// Beside what this package is built into, so that it is on a disk: a directory for temporary files may be memory.
const DEFAULT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/data");

/// A directory that can be written to.
#[derive(Clone, Debug)]
pub struct Data(PathBuf);

impl Data {
    /// That one, or the default; it is made if need be.
    ///
    /// # Errors
    /// It cannot be written to.
    pub fn new(chosen: Option<&Path>) -> Result<Self, String> {
        let directory = chosen.unwrap_or(Path::new(DEFAULT));
        writable(directory)?;
        Ok(Self(directory.to_owned()))
    }

    /// A new one in it, which goes when this is dropped.
    ///
    /// # Panics
    /// If it was removed meanwhile.
    #[must_use]
    pub fn directory(&self) -> tempfile::TempDir {
        tempfile::tempdir_in(&self.0).expect("it could be written to")
    }

    /// A file in it that nobody else sees.
    ///
    /// # Panics
    /// If it was removed meanwhile.
    #[must_use]
    pub fn file(&self) -> std::fs::File {
        tempfile::tempfile_in(&self.0).expect("it could be written to")
    }

    /// What kind of file system it is on, as the kernel calls it.
    #[must_use]
    pub fn file_system(&self) -> Option<String> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        let directory = self.0.canonicalize().ok()?;
        file_system_of(&mounts, &directory).map(str::to_owned)
    }
}

/// Makes a directory if need be.
///
/// # Errors
/// It cannot be made, or nothing can be made in it.
pub fn writable(directory: &Path) -> Result<(), String> {
    let made = std::fs::create_dir_all(directory);
    made.and_then(|()| tempfile::tempfile_in(directory).map(drop))
        .map_err(|error| format!("{} cannot be written to: {error}", directory.display()))
}

/// Whether what is synced there survives a power cut.
#[must_use]
pub fn is_memory(file_system: &str) -> bool {
    ["tmpfs", "ramfs"].contains(&file_system)
}

/// The deepest mount that the directory is in counts, and of several at the same place the last one: it covers the others.
fn file_system_of<'a>(mounts: &'a str, directory: &Path) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        // See proc_pid_mountinfo(5): the place is the fifth field, and the kind comes after a hyphen.
        let (fields, rest) = line.split_once(" - ")?;
        let place = fields.split(' ').nth(4)?.replace("\\040", " ");
        let depth =
            directory.starts_with(&place).then(|| Path::new(&place).components().count())?;
        Some((depth, rest.split(' ').next()?))
    });
    mounts.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Data, file_system_of};

    #[test]
    fn the_deepest_and_last_mount_counts() {
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                      30 22 0:26 / /tmp rw - tmpfs tmpfs rw,size=1g\n\
                      31 22 0:27 / /a\\040disk rw shared:5 master:1 - ext4 /dev/vdb rw\n\
                      32 31 0:28 / /a\\040disk rw - xfs /dev/vdc rw\n";
        for (directory, kind) in [
            ("/tmp/x", "tmpfs"),
            ("/tmp", "tmpfs"),
            ("/tmpx", "ext4"),
            ("/home/x", "ext4"),
            ("/a disk/x", "xfs"),
        ] {
            assert_eq!(file_system_of(mounts, Path::new(directory)), Some(kind), "{directory}");
        }
        assert_eq!(file_system_of("", Path::new("/")), None);
    }

    #[test]
    fn a_file_is_no_directory() {
        let file = tempfile::NamedTempFile::new().expect("a directory for temporary files");
        let refused = Data::new(Some(file.path())).expect_err("it is a file");
        assert!(refused.contains(&*file.path().to_string_lossy()), "{refused}");
    }
}
