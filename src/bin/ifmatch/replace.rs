//! Files that are written whole or not at all.

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
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        parts.iter().try_for_each(|part| file.write_all(part))?;
        readable_as_others(&file)?;
        file.persist(path).map_err(|error| error.error)
    });
    written.map(drop).map_err(Failure::file("cannot write", path))
}

/// A temporary file is for its owner only; a new file is for whom the umask says, which cannot be asked for. So it is as
/// most have it.
#[cfg(unix)]
fn readable_as_others(file: &tempfile::NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_as_others(_: &tempfile::NamedTempFile) -> std::io::Result<()> {
    Ok(())
}
