//! Files that are written whole or not at all, and stay as open to others as they were.

use std::io::Write;
use std::path::Path;

use crate::failure::Failure;

/// Writes a file whole, or leaves what was there.
pub(crate) fn file(path: &Path, parts: &[&[u8]]) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A device or a pipe is written to, not replaced.
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return std::fs::write(path, parts.concat()).map_err(Failure::file("cannot write", path));
    }
    let written = new_in(folder).and_then(|mut file| {
        // Before there is something to be read.
        if let Ok(before) = path.metadata() {
            file.as_file().set_permissions(before.permissions())?;
        }
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.persist(path).map_err(|error| error.error)
    });
    written.map(drop).map_err(Failure::file("cannot write", path))
}

/// A temporary file is for its owner only, a new file is for whom the umask lets.
#[cfg(unix)]
fn new_in(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let all = std::fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().permissions(all).tempfile_in(folder)
}

#[cfg(not(unix))]
fn new_in(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    tempfile::NamedTempFile::new_in(folder)
}
